"""A set of prompts answered by every column: in batches, cancellable, read one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import Context

from components import compare_set_views as views
from components import prompt_sets
from components.common import QUIET, guard, notice, plural, sentence
from components.compare_judge import JudgePanel, progress, told
from components.compare_left import Left
from components.comparison import (
    Comparison,
    from_generation,
    load,
    save,
    saved,
    sides,
    to_label,
)
from studio.generation.request import Generation, GenerationRequest

if TYPE_CHECKING:
    from studio import Studio

Updates = dict[Any, Any]
_PICK = """
element.addEventListener('click', event => {
  const row = event.target.closest('[data-at]');
  if (row) trigger('click', {at: Number(row.dataset.at)});
});
"""
ARROW = "\N{RIGHTWARDS ARROW}"


class SetTab:
    """The widgets and handlers of the Prompt set sub-tab."""

    def __init__(self, studio: Studio, left: Left):
        self.studio, self.left = studio, left
        self.live: Any = gr.State(None)
        self.found: Any = gr.State(None)
        self.at = gr.State(0)
        self.project = gr.State("")
        self.judge = JudgePanel(studio)

    # ---- layout ---------------------------------------------------------------------------------

    def lay_out(self) -> None:
        with gr.Row(elem_id="set-top"):
            sources = prompt_sets.source_choices(self.studio)
            self.source = gr.Dropdown(
                sources, value=sources[0][1], label="Prompts", elem_id="set-source", scale=4
            )
            self.limit = gr.Number(
                12, label="At most", precision=0, minimum=1, scale=1, min_width=80,
                elem_id="set-limit",
            )  # fmt: skip
            self.samples = gr.Number(
                1, label="Samples", precision=0, minimum=1, scale=1, min_width=80,
                elem_id="set-samples",
            )  # fmt: skip
            self.upload = gr.UploadButton(
                "From a file", size="md", scale=0, min_width=110, elem_id="set-upload"
            )
            self.begin = gr.Button(
                "Answer 12 prompts", variant="primary", elem_id="set-begin", scale=0, min_width=170
            )
            self.cancel = gr.Button(
                "Cancel", visible=False, elem_id="set-cancel", scale=0, min_width=170
            )
        self.typed = gr.Textbox(
            "", lines=4, max_lines=12, visible=False, label="Prompts, one a line",
            elem_id="set-typed",
        )  # fmt: skip
        self.progress = gr.HTML("", elem_id="set-progress")
        self.empty = gr.HTML(views.set_empty())
        with gr.Column(visible=False, elem_id="set-result") as self.result:
            with gr.Row(elem_id="set-nav"):
                self.previous = gr.Button(
                    "\N{LEFTWARDS ARROW}", size="sm", min_width=36, scale=0, elem_id="set-previous"
                )
                self.place = gr.HTML("", elem_id="set-place")
                self.next = gr.Button(ARROW, size="sm", min_width=36, scale=0, elem_id="set-next")
                self.summary = gr.HTML("", elem_id="set-summary")
                self.mark = gr.Checkbox(
                    False, label="Mark differences", container=False, scale=0, min_width=150,
                    elem_id="set-mark",
                )  # fmt: skip
                self.send = gr.Button(
                    f"Send pairs to Label {ARROW}", elem_id="set-send", visible=False, scale=0,
                    min_width=230,
                )  # fmt: skip
            self.sent = gr.HTML("", elem_id="set-sent")
            self.card = gr.HTML("", elem_id="set-card")
            with gr.Accordion("All of them as a table", open=False, elem_classes="fold quiet"):
                with gr.Row(elem_id="set-filter"):
                    self.only = gr.Dropdown(
                        list(views.FILTERS), value="all", show_label=False, container=False,
                        elem_id="set-only", min_width=140, scale=0,
                    )  # fmt: skip
                    self.search = gr.Textbox(
                        "", show_label=False, container=False, placeholder="Search",
                        elem_id="set-search", scale=2,
                    )  # fmt: skip
                self.table = gr.HTML("", elem_id="set-table", js_on_load=_PICK)
            self.judge.lay_out()
        with gr.Accordion("Earlier comparisons", open=False, elem_classes="fold quiet"):
            self.earlier = gr.Dropdown(
                saved(self.studio), value=None, show_label=False, elem_id="set-earlier",
                info="Kept in the workspace with every setting.",
            )  # fmt: skip

    # ---- binding --------------------------------------------------------------------------------

    def bind(self, tab: gr.Tab) -> None:
        shown = [
            self.empty, self.result, self.place, self.summary, self.card, self.table, self.send,
            self.found, self.at, self.sent, self.only, self.search, self.mark,
            self.judge.result,
        ]  # fmt: skip
        streaming: dict[str, Any] = {**QUIET, "concurrency_limit": None}
        naming = [self.source, self.limit, self.typed]
        gr.on(
            [self.source.change, self.limit.change, self.typed.change],
            guard(self.renamed), naming, [self.begin, self.typed], **QUIET,
        )  # fmt: skip
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
        self.judge.bind(self.found)
        how = [self.found, self.at, self.only, self.search, self.mark]
        turned = [self.place, self.card, self.at]
        for button, step in ((self.previous, -1), (self.next, 1)):
            button.click(
                guard(lambda *given, step=step: self.turn(*given, step=step)), how, turned, **QUIET
            )
        self.mark.change(guard(self.turn), how, turned, **QUIET)
        self.table.click(guard(self.jump), how, turned, **QUIET)
        gr.on(
            [self.only.change, self.search.change], guard(self.narrowed), how,
            [*turned, self.table], **QUIET,
        )  # fmt: skip
        self.earlier.input(guard(self.reopen), self.earlier, shown, **QUIET)
        self.send.click(
            guard(self.to_label), self.found, [self.sent, self.send, self.project], **QUIET
        )
        lists = [self.source, self.earlier]
        refresh = [tab.select]
        if Context.root_block is not None:
            refresh.append(Context.root_block.load)
        gr.on(refresh, guard(self.freshen, "quietly"), self.source, lists, **QUIET)

    # ---- choosing -------------------------------------------------------------------------------

    def freshen(self, source: str) -> list[Any]:
        choices = prompt_sets.source_choices(self.studio)
        value = source if source in [value for _, value in choices] else choices[0][1]
        return [
            gr.update(choices=choices, value=value),
            gr.update(choices=saved(self.studio), value=None),
        ]

    def renamed(self, source: str, limit: float | None, typed: str) -> list[Any]:
        count = int(limit or 0)
        if source == prompt_sets.TYPED:
            count = min(count, sum(1 for line in (typed or "").splitlines() if line.strip()))
        text = f"Answer {plural(count, 'prompt')}" if count else "Answer"
        return [gr.update(value=text), gr.update(visible=source == prompt_sets.TYPED)]

    def take_file(self, path: str) -> list[Any]:
        try:
            value = prompt_sets.from_file(self.studio, path)
        except Exception as error:
            return [gr.skip(), notice("error", sentence(error))]
        return [gr.update(choices=prompt_sets.source_choices(self.studio), value=value), ""]

    # ---- answering ------------------------------------------------------------------------------

    def answer(self, data: Mapping[Any, Any]) -> Iterator[Updates]:
        """Every prompt for every column, with a count and a way out; kept in the workspace."""
        try:
            chosen = sides(self.studio, self.left.columns(data))
            sampling = self.left.sampling(data)
            source, limit = data[self.source], int(data[self.limit] or 0)
            asked = prompt_sets.load_set(self.studio, source, data[self.typed] or "", limit)
            asked = asked.repeated(int(data[self.samples] or 1), sampling)
        except Exception as error:
            yield {self.progress: notice("error", sentence(error))}
            return
        system = self.left.system_text(data).strip()
        prompts = [
            [{"role": "system", "content": system}, *prompt]
            if system and prompt[0]["role"] != "system"
            else prompt
            for prompt in asked.prompts
        ]
        request = GenerationRequest(
            tuple(prompts), tuple(s.column for s in chosen), sampling, bool(data[self.left.raw])
        )
        generation = self.studio.generate(request)
        yield {
            self.begin: gr.update(visible=False), self.cancel: gr.update(visible=True),
            self.live: generation, self.sent: "",
            self.progress: views.set_progress(0, len(prompts) * len(chosen), 0, True),
        }  # fmt: skip
        try:
            for markup in progress(generation):
                yield {self.progress: markup}
        finally:
            if not generation.done:  # the page was left: nobody waits for the rest
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
        if any(cell["text"] for column in comparison.answers for cell in column):
            save(self.studio, comparison)
            updates[self.earlier] = gr.update(choices=saved(self.studio), value=None)
        return updates | self.shown(comparison)

    def halt(self, generation: Generation | None) -> None:
        if generation is not None:
            generation.cancel()

    # ---- reading --------------------------------------------------------------------------------

    def shown(self, comparison: Comparison, at: int = 0) -> Updates:
        """Everything that shows a comparison."""
        pairs = len(comparison.prompts)
        return {
            self.empty: gr.update(visible=False),
            self.result: gr.update(visible=True),
            self.place: _place(at, pairs, pairs),
            self.summary: views.set_summary(comparison),
            self.card: views.set_card(comparison, at),
            self.table: views.set_table(comparison, at, range(pairs)),
            self.only: "all",
            self.search: "",
            self.mark: False,
            self.send: gr.update(
                visible=len(comparison.sides) > 1,
                value=f"Send these {plural(pairs, 'pair')} to Label {ARROW}",
            ),
            self.found: comparison,
            self.at: at,
            self.sent: "",
            self.judge.result: told(comparison.judged),
        }

    def turn(
        self, comparison: Comparison | None, at: int, only: str, search: str, marked: bool,
        step: int = 0,
    ) -> Any:  # fmt: skip
        """The next or the previous prompt among those that the filter leaves."""
        if comparison is None:
            return gr.skip()
        places = views.matching(comparison, only, search) or list(range(len(comparison.prompts)))
        near = min(range(len(places)), key=lambda place: abs(places[place] - at))
        if step:
            near = (near + step) % len(places)
        at = places[near]
        return {
            self.place: _place(near, len(places), len(comparison.prompts)),
            self.card: views.set_card(comparison, at, marked),
            self.at: at,
        }

    def jump(
        self, comparison: Comparison | None, at: int, only: str, search: str, marked: bool,
        event: gr.EventData,
    ) -> Any:  # fmt: skip
        return self.turn(comparison, int(event._data["at"]), only, search, marked)

    def narrowed(
        self, comparison: Comparison | None, at: int, only: str, search: str, marked: bool
    ) -> Any:
        """The table and the paging keep to what the filter and the search leave."""
        if comparison is None:
            return gr.skip()
        places = views.matching(comparison, only, search)
        turned = self.turn(comparison, at, only, search, marked)
        return {**turned, self.table: views.set_table(comparison, turned[self.at], places)}

    def reopen(self, identifier: str | None) -> Any:
        return self.shown(load(self.studio, identifier)) if identifier else gr.skip()

    def to_label(self, comparison: Comparison | None) -> Any:
        """A blind project of the first two columns; `project` tells the page's wiring."""
        if comparison is None:
            return gr.skip()
        try:
            project, pairs, aside = to_label(self.studio, comparison)
        except Exception as error:
            return {self.sent: notice("error", sentence(error))}
        return {
            self.sent: notice("good", views.sent_text(pairs, aside)),
            self.send: gr.update(visible=False),
            self.project: project,
        }


def _place(at: int, shown: int, total: int) -> str:
    of = f" of {total}" if shown != total else ""
    return f'<span class="place">{at + 1} / {shown}{of}</span>'
