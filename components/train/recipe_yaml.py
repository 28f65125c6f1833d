"""The recipe as text: YAML and command, presets, import and export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from components.train.form_options import trouble_html
from components.ui import recipe_defaults
from components.ui.compat import Field, Options, Updates, Values, Widget
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from studio.core.errors import ConfigError, StudioError
from studio.core.formatting import DOT
from studio.runs.recipe import Recipe
from studio.runs.saved_recipes import Shelf

if TYPE_CHECKING:
    from studio import Studio

_LARGEST = 200_000  # bytes; a larger file is no recipe
_SAVE = "(text) => { window.studioSave(text); return []; }"


class RecipeTexts:
    """The section "Recipe as YAML and command"."""

    def __init__(self, studio: Studio):
        self.shelf = Shelf(studio.workspace)

    def lay_out(self, recipe: Recipe) -> None:
        """The section's contents, inside the open accordion."""
        self.preset = gr.Dropdown(
            self._choices(), value=None, label="Preset", elem_id="train-preset"
        )
        self.remove = gr.Button("Delete this preset", size="sm", visible=False)
        self.yaml = gr.Textbox(
            recipe.to_yaml(),
            lines=9,
            max_lines=18,
            label="recipe.yaml",
            elem_classes="mono",
            elem_id="train-yaml",
            buttons=["copy"],
        )
        with gr.Row(elem_classes="texts"):
            small: Options = {"size": "sm", "min_width": 60}
            self.apply = gr.Button("Apply YAML", elem_id="train-apply", **small)
            self.bring = gr.UploadButton(
                "Import", file_types=[".yaml", ".yml"], elem_id="train-import", **small
            )
            self.take = gr.Button("Download", elem_id="train-download", **small)
        self.command = gr.Textbox(
            recipe_defaults.command(recipe),
            lines=2,
            max_lines=10,
            label="Command",
            elem_classes="mono",
            elem_id="train-command",
            interactive=False,
            buttons=["copy"],
        )
        with gr.Row(elem_classes="texts"):
            self.label = gr.Textbox(
                show_label=False,
                container=False,
                placeholder="Preset name",
                max_lines=1,
                max_length=60,
                elem_id="train-preset-name",
                min_width=120,
            )
            self.keep = gr.Button("Save as preset", elem_id="train-keep", **small)
        self.message = gr.HTML("", elem_id="train-kept")

    def _choices(self) -> list[tuple[str, str]]:
        own = [(f"{slug}{DOT}saved here", slug) for slug in self.shelf.slugs()]
        return [*own, *((slug, slug) for slug in recipe_defaults.shipped())]

    def bind(
        self,
        values: set[Field],
        read: Callable[[Values], Recipe],
        filled: Callable[[Recipe, str], Updates],
        outputs: list[Widget],
        trouble: gr.HTML,
    ) -> None:
        """Bind the handlers.

        Args:
            values: the form's widgets.
            read: makes a recipe of the values of the form's widgets.
            filled: the updates that set the form to a recipe, with a note.
            outputs: what `filled` changes.
            trouble: where an error is shown.
        """
        outputs = [*outputs, trouble]

        def use(recipe: Callable[[], Recipe], note: str) -> Updates:
            try:
                return filled(recipe(), note) | {trouble: ""}
            except StudioError as error:
                return {trouble: trouble_html(error)}

        def use_preset(slug: str | None) -> Updates:
            if not slug:
                return {}
            # Unnamed: the recipe may be used on other data than it is named after.
            note = f"Loaded preset: {slug}."
            return use(lambda: self.shelf.get(slug).with_(name=""), note)

        def use_text(text: str) -> Updates:
            return use(lambda: Recipe.from_yaml(text), "Loaded the YAML.")

        def use_file(path: str) -> Updates:
            return use(lambda: _from_file(Path(path)), f"Loaded {Path(path).name}.")

        def keep(data: Values) -> Updates:
            try:
                slug = self.shelf.save(data[self.label], read(data))
            except StudioError as error:
                return {self.message: notice("error", sentence(error))}
            return {
                self.message: notice("good", f"Saved preset: {slug}."),
                self.label: "",
                self.preset: gr.update(choices=self._choices(), value=slug),
                self.remove: gr.update(visible=True),
            }

        self.preset.input(guard(use_preset), self.preset, outputs, **QUIET).then(
            guard(lambda slug: gr.update(visible=slug in self.shelf.slugs())),
            self.preset,
            self.remove,
            **QUIET,
        )
        self.apply.click(guard(use_text), self.yaml, outputs, **QUIET)
        self.bring.upload(guard(use_file), self.bring, outputs, **QUIET)
        self.take.click(None, self.yaml, None, js=_SAVE, **QUIET)
        kept = [self.message, self.label, self.preset, self.remove]
        for event in (self.keep.click, self.label.submit):
            event(guard(keep), {*values, self.label}, kept, **QUIET)
        self.remove.click(guard(self._removed), self.preset, kept, **QUIET)

    def _removed(self, slug: str) -> Updates:
        self.shelf.delete(slug)
        return {
            self.message: notice("info", f"Deleted preset: {slug}."),
            self.remove: gr.update(visible=False),
            self.preset: gr.update(choices=self._choices(), value=None),
        }


def _from_file(path: Path) -> Recipe:
    if path.stat().st_size > _LARGEST:
        raise ConfigError(f"{path.name} is too large for a recipe; choose a recipe's YAML file.")
    return Recipe.from_yaml(path)
