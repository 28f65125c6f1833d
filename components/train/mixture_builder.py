"""Several datasets on the Train form: rows in place of a line of text, and what each comes to.

The recipe's own `datasets` stays what counts: a text field out of sight, which the rows write in
the browser, and from which the rows are drawn anew whenever the form is filled from elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.train import form_options
from components.ui import access
from components.ui.compat import ServerFunction, Updates
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import esc, notice
from studio.core.errors import StudioError
from studio.core.formatting import percent_text, thousands
from studio.runs import dataset_entries
from studio.runs.dataset_entries import DatasetEntry
from studio.runs.recipe import Recipe
from studio.workflows.estimate_run import mixture_shares

if TYPE_CHECKING:
    from studio import Studio

_ON_LOAD = """
studioMixture(element, server, {
  value: () => props.value,
  give: value => { props.value = value; trigger('input'); },
  watch: callback => watch('value', callback),
});
"""
_COLOURS = ("a", "b", "c", "d", "e", "f")


class MixtureBuilder:
    """The section below the dataset."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def lay_out(self, add: Callable[[str], None]) -> None:
        """The section; `add` puts a field's widget into the open layout."""
        with gr.Column(elem_id="train-mixture"):
            self.rows = gr.HTML(
                "",
                html_template='<div class="mixture-rows"></div>',
                js_on_load=_ON_LOAD,
                server_functions=[_choices(self.studio)],
                apply_default_css=False,
                elem_id="mixture-rows",
            )
            with gr.Column(elem_id="mixture-texts"):
                add("datasets")
            with gr.Row(visible=False, elem_classes="pair") as self.how:
                add("mixture")
                add("stopping_strategy")
            self.shares = gr.HTML("", elem_id="mixture-shares")

    def bind(self, fields: Mapping[str, Any]) -> None:
        """Bind the handlers; call once everything is laid out."""
        self.text = fields["datasets"]
        self.rows.input(None, self.rows, self.text, js="value => value", **QUIET)
        gr.on(
            [self.text.change, fields["mixture"].change],
            guard(_how, "quietly"),
            [self.text, fields["mixture"]],
            [self.how, fields["stopping_strategy"]],
            **QUIET,
        )

    def follow(self, updates: Updates) -> Updates:
        """The rows as the form is being filled."""
        filled = updates.get(self.text)
        if isinstance(filled, dict) and "value" in filled:
            return updates | {self.rows: filled["value"] or ""}
        return updates

    def shares_of(self, recipe: Recipe) -> str:
        """What the model will see of each dataset, as HTML; "" for a single one."""
        if not recipe.datasets:
            return ""
        try:
            found = mixture_shares(self.studio, recipe)
        except StudioError as error:
            return notice("error", sentence(error))
        if not found:
            return notice(
                "info",
                "Shares appear once every dataset is prepared; files and Hub ids are prepared when "
                "the run is started.",
            )
        return table(found)


def _how(text: str, mixture: str) -> tuple[Any, Any]:
    """How datasets are combined is asked once there are several."""
    several = bool(text)
    return gr.update(visible=several), gr.update(visible=several and mixture == "interleave")


def with_first(text: str, dataset_name: str | None) -> str:
    """The text with the chosen dataset as its first; as it is where it cannot be read."""
    if not text or not dataset_name:
        return text or ""
    try:
        parsed: Any = dataset_entries.parse(text)
        entries = [DatasetEntry.model_validate(one) for one in parsed]
    except ValueError:
        return text
    if entries[0].path != dataset_name:
        entries[0] = DatasetEntry(path=dataset_name, fraction=entries[0].fraction)
    return "; ".join(map(str, entries))


def table(shares: list[dict[str, Any]]) -> str:
    """Rows and tokens of each dataset, with a bar of the tokens."""
    bar = "".join(
        f'<i style="width:{100 * one["share_of_tokens"]:.2f}%;background:var(--run-{colour})" '
        f'title="{esc(one["name"])}: {percent_text(one["share_of_tokens"])} of the tokens"></i>'
        for one, colour in zip(shares, _COLOURS, strict=False)
    )
    rows = "".join(
        f'<tr title="{_exact(one)}"><td>{esc(one["name"])}</td>'
        f"<td>{thousands(one['rows'])} of {thousands(one['of_rows'])}</td>"
        f"<td>{_percent(one['share_of_rows'])}</td><td>{_percent(one['share_of_tokens'])}</td></tr>"
        for one in shares
    )
    return (
        f'<table class="mixture-shares"><caption>What the model sees in an epoch'
        f'<span class="mixture-bar">{bar}</span></caption>'
        '<thead><tr><th scope="col">Dataset</th><th scope="col">rows</th>'
        f'<th scope="col">of rows</th><th scope="col">of tokens</th></tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )


def _exact(one: Mapping[str, Any]) -> str:
    trained = _percent(one["share_of_trained_tokens"])
    return esc(f"{one['name']}: {thousands(one['tokens'])} tokens; {trained} of the trained ones")


def _percent(share: float) -> str:
    return percent_text(share)


def _choices(studio: Studio) -> ServerFunction:
    """The browser's question which datasets there are."""

    def mixture_choices(_: object) -> dict[str, Any]:
        try:
            access.person().must_own("see the datasets")
            offered = form_options.all_datasets(studio)
        except Exception as error:  # logged by `sentence` unless it is one of ours
            return {"error": sentence(error)}
        return {"datasets": [{"label": label, "value": value} for label, value in offered]}

    return mixture_choices
