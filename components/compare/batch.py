"""A set of prompts answered by every model: in batches, cancellable, read one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import gradio as gr

from components.compare import batch_html as views
from components.compare.batch_reader import SetReader
from components.compare.controls import Controls
from components.compare.llm_judge import progress
from components.ui import prompt_sets
from components.ui.compat import Options, Update, Updates, Values
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from studio.core.formatting import plural
from studio.generation.request import Generation, GenerationRequest
from studio.workflows.comparisons import Comparison, from_generation, load, save, saved, sides

if TYPE_CHECKING:
    from studio import Studio


class SetTab:
    """The widgets and handlers of the Prompt set sub-tab."""

    def __init__(self, studio: Studio, left: Controls):
        self.studio, self.left = studio, left
        self.live = gr.State(None)
        self.reader = SetReader(studio)

    # ---- layout ---------------------------------------------------------------------------------

    def lay_out(self) -> None:
        with gr.Row(elem_id="set-top"):
            sources = prompt_sets.source_choices(self.studio)
            self.source = gr.Dropdown(
                sources, value=sources[0][1], label="Prompts", elem_id="set-source", scale=4
            )
            self.limit = gr.Number(
                12,
                label="Limit",
                precision=0,
                minimum=1,
                scale=1,
                min_width=80,
                elem_id="set-limit",
            )
            self.samples = gr.Number(
                1,
                label="Samples",
                precision=0,
                minimum=1,
                scale=1,
                min_width=80,
                elem_id="set-samples",
            )
            self.upload = gr.UploadButton(
                "Upload prompts", size="md", scale=0, min_width=110, elem_id="set-upload"
            )
            self.begin = gr.Button(
                "Answer 12 prompts", variant="primary", elem_id="set-begin", scale=0, min_width=170
            )
            self.cancel = gr.Button(
                "Cancel", visible=False, elem_id="set-cancel", scale=0, min_width=170
            )
        self.typed = gr.Textbox(
            "",
            lines=4,
            max_lines=12,
            visible=False,
            label="Prompts, one per line",
            elem_id="set-typed",
        )
        self.progress = gr.HTML("", elem_id="set-progress")
        self.empty = gr.HTML(views.set_empty())
        self.reader.lay_out()
        with gr.Accordion("Earlier comparisons", open=False, elem_classes="fold quiet"):
            self.earlier = gr.Dropdown(
                saved(self.studio),
                value=None,
                show_label=False,
                elem_id="set-earlier",
                info="Saved in the workspace with every setting.",
            )

    # ---- binding --------------------------------------------------------------------------------

    def bind(self, tab: gr.Tab) -> None:
        shown = [self.empty, *self.reader.outputs]
        streaming: Options = {**QUIET, "concurrency_limit": None}
        naming = [self.source, self.limit, self.typed]
        gr.on(
            [self.source.change, self.limit.change, self.typed.change],
            guard(self.renamed),
            naming,
            [self.begin, self.typed],
            **QUIET,
        )
        self.upload.upload(
            guard(self.take_file), self.upload, [self.source, self.progress], **QUIET
        )
        self.begin.click(
            guard(self.answer),
            {*naming, self.samples, *self.left.inputs},
            [*shown, self.progress, self.begin, self.cancel, self.live, self.earlier],
            **streaming,
        )
        self.cancel.click(guard(self.halt), self.live, None, **QUIET)
        self.reader.bind()
        self.earlier.input(guard(self.reopen), self.earlier, shown, **QUIET)
        lists = [self.source, self.earlier]
        tab.select(guard(self.freshen, "quietly"), self.source, lists, **QUIET)

    # ---- choosing -------------------------------------------------------------------------------

    def freshen(self, source: str) -> list[Update]:
        choices = prompt_sets.source_choices(self.studio)
        value = source if source in [value for _, value in choices] else choices[0][1]
        return [
            gr.update(choices=choices, value=value),
            gr.update(choices=saved(self.studio), value=None),
        ]

    def renamed(self, source: str, limit: float | None, typed: str) -> list[Update]:
        count = int(limit or 0)
        if source == prompt_sets.TYPED:
            count = min(count, sum(1 for line in (typed or "").splitlines() if line.strip()))
        text = f"Answer {plural(count, 'prompt')}" if count else "Answer"
        return [gr.update(value=text), gr.update(visible=source == prompt_sets.TYPED)]

    def take_file(self, path: str) -> list[Update]:
        try:
            value = prompt_sets.from_file(self.studio, path)
        except Exception as error:
            return [gr.skip(), notice("error", sentence(error))]
        return [gr.update(choices=prompt_sets.source_choices(self.studio), value=value), ""]

    # ---- answering ------------------------------------------------------------------------------

    def answer(self, data: Values) -> Iterator[Updates]:
        """Answer every prompt with every model; cancellable, saved in the workspace."""
        try:
            chosen = sides(self.studio, self.left.columns(data))
            sampling = self.left.sampling(data)
            source, limit = data[self.source], int(data[self.limit] or 0)
            asked = prompt_sets.load_set(self.studio, source, data[self.typed] or "", limit)
            asked = asked.repeated(int(data[self.samples] or 1), sampling)
            asking = self.left.asking(data)
        except Exception as error:
            yield {self.progress: notice("error", sentence(error))}
            return
        prompts = [asking.prompt(prompt) for prompt in asked.prompts]
        request = GenerationRequest(
            tuple(prompts), tuple(s.column for s in chosen), sampling, bool(data[self.left.raw])
        )
        generation = self.studio.generate(request)
        try:
            yield {
                self.begin: gr.update(visible=False),
                self.cancel: gr.update(visible=True),
                self.live: generation,
                self.reader.sent: "",
                self.progress: views.set_progress(0, len(prompts) * len(chosen), 0, True),
            }
            for markup in progress(generation):
                yield {self.progress: markup}
        finally:
            if not generation.finished:  # the page was left: nobody waits for the rest
                generation.cancel()
        comparison = from_generation(generation, chosen, asked.name, asked.references)
        yield self._answered(comparison, generation)

    def _answered(self, comparison: Comparison, generation: Generation) -> Updates:
        error = generation.snapshot().error
        updates: Updates = {
            self.begin: gr.update(visible=True),
            self.cancel: gr.update(visible=False),
            self.live: None,
            self.progress: notice("error", error) if error else "",
        }
        if comparison.said:
            save(self.studio, comparison)
            updates[self.earlier] = gr.update(choices=saved(self.studio), value=None)
        return updates | self._shown(comparison)

    def halt(self, generation: Generation | None) -> None:
        if generation is not None:
            generation.cancel()

    # ---- showing --------------------------------------------------------------------------------

    def _shown(self, comparison: Comparison) -> Updates:
        return {self.empty: gr.update(visible=False)} | self.reader.shown(comparison)

    def reopen(self, identifier: str | None) -> Update:
        return self._shown(load(self.studio, identifier)) if identifier else gr.skip()
