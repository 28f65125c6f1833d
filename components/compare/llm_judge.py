"""A judge model over a comparison's first two columns; its verdicts stay with the comparison."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.compare import batch_html as set_views
from components.compare.evaluation_html import judged
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from studio.core.errors import ConfigError
from studio.generation.request import Generation
from studio.labels import DEFAULT_QUESTION
from studio.workflows.comparisons import Comparison, column_choices, finished, load, save, side

if TYPE_CHECKING:
    from studio import Studio

Updates = dict[Any, Any]
_REFRESH = 0.25


def progress(generation: Generation) -> Iterator[str]:
    """A bar with count and time left, whenever it changed, until all is answered."""
    total = len(generation.request.prompts) * len(generation.request.columns)
    shown = ""
    while not generation.wait(_REFRESH):
        snapshot = generation.snapshot()
        done = sum(cell.ended is not None for column in snapshot.answers for cell in column)
        markup = set_views.set_progress(done, total, snapshot.seconds, snapshot.waiting)
        if markup != shown:
            shown = markup
            yield markup


class JudgePanel:
    """The folded panel under a comparison."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self.live: Any = gr.State(None)

    def lay_out(self) -> None:
        with gr.Accordion(
            "Judge model", open=False, elem_classes="fold quiet", elem_id="set-judge"
        ) as self.box:
            with gr.Row(elem_id="judge-row"):
                self.judge = gr.Dropdown(
                    [],
                    value=None,
                    allow_custom_value=True,
                    label="Judge",
                    scale=2,
                    elem_id="judge-column",
                    min_width=200,
                    info="Any column, or api:MODEL of the server in the settings.",
                )
                self.question = gr.Textbox(
                    DEFAULT_QUESTION,
                    label="Question",
                    scale=2,
                    elem_id="judge-question",
                    info="Asked of every pair of A and B, in both orders.",
                    min_width=200,
                )
                self.begin = gr.Button(
                    "Judge A and B", size="sm", scale=0, min_width=130, elem_id="judge-begin"
                )
                self.stop = gr.Button(
                    "Stop", size="sm", scale=0, min_width=130, visible=False, elem_id="judge-stop"
                )
            self.progress = gr.HTML("", elem_id="judge-progress")
            self.result = gr.HTML(told([]), elem_id="judge-result")

    def bind(self, found: gr.State) -> None:
        self.box.expand(guard(self.freshen), None, self.judge, **QUIET)
        self.begin.click(
            guard(self.ask),
            [found, self.judge, self.question],
            [self.progress, self.result, self.begin, self.stop, self.live],
            **QUIET,
            concurrency_limit=None,
        )
        self.stop.click(guard(self.halt), self.live, None, **QUIET)

    def freshen(self) -> Any:
        return gr.update(choices=column_choices(finished(self.studio)))

    def halt(self, generation: Generation | None) -> None:
        if generation is not None:
            generation.cancel()

    def ask(
        self, comparison: Comparison | None, choice: str | None, question: str
    ) -> Iterator[Updates]:
        """Every pair in both orders, with a count and a way out; kept with the comparison."""
        from studio.labels import llm_judge

        try:
            pairs, aside, column = self._wanted(comparison, choice)
            asked = llm_judge.request(pairs, column, question.strip() or DEFAULT_QUESTION)
        except Exception as error:
            yield {self.progress: notice("error", sentence(error))}
            return
        assert comparison is not None
        generation = self.studio.generate(asked)
        try:
            yield {
                self.begin: gr.update(visible=False),
                self.stop: gr.update(visible=True),
                self.live: generation,
            }
            for markup in progress(generation):
                yield {self.progress: markup}
        finally:
            generation.cancel()  # nobody waits for the rest, where the page was left
        updates: Updates = {
            self.begin: gr.update(visible=True),
            self.stop: gr.update(visible=False),
            self.live: None,
            self.progress: "",
        }
        a, b = (each.label for each in comparison.sides[:2])
        snapshot = generation.snapshot()
        try:
            found = llm_judge.result(snapshot, pairs, column.label or column.model, a, b, aside)
        except Exception as error:
            yield updates | {self.progress: notice("error", sentence(error))}
            return
        # From the disk: the comparison on the page may be another one by now.
        kept = load(self.studio, comparison.id)
        save(self.studio, replace(kept, judged=[*kept.judged, found]))
        yield updates | {self.result: told([found])}

    def _wanted(self, comparison: Comparison | None, choice: str | None) -> Any:
        from studio.labels import llm_judge

        if comparison is None or len(comparison.sides) < 2:
            raise ConfigError("A judge needs two columns; choose a second one and answer again.")
        if not (choice or "").strip():
            raise ConfigError("Choose who judges: a model, a run, or api:MODEL.")
        answers = zip(comparison.prompts, comparison.texts(0), comparison.texts(1), strict=True)
        pairs, aside = llm_judge.judgeable([llm_judge.TextPair(*each) for each in answers])
        if not pairs:
            raise ConfigError("There is nothing to judge: the answers are identical or empty.")
        return pairs, aside, side(self.studio, str(choice)).column


def told(found: list[dict[str, Any]]) -> str:
    """What judges said about a comparison, the last one first."""
    if not found:
        return '<p class="none">Its verdicts are kept here, apart from people\'s votes.</p>'
    return "".join(map(judged, reversed(found)))
