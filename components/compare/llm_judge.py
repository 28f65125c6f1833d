"""An LLM judge on a comparison's first two models; its votes are saved with the comparison."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import gradio as gr

from components.compare import batch_html as set_views
from components.compare.evaluation_html import judged
from components.ui.compat import Reply, Update, Updates
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from studio.core.errors import ConfigError
from studio.generation.request import Generation
from studio.labels import DEFAULT_QUESTION
from studio.labels.llm_judge import MAX_NEW_TOKENS
from studio.workflows.comparisons import Comparison, column_choices, finished, load, save, side

if TYPE_CHECKING:
    from studio import Studio
    from studio.generation.request import Column
    from studio.labels.llm_judge import TextPair

_REFRESH = 0.25


def progress(generation: Generation) -> Iterator[str]:
    """A progress bar with count and time left, whenever it changes, until all is answered."""
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
        self.live = gr.State(None)

    def lay_out(self) -> None:
        with gr.Accordion(
            "LLM judge", open=False, elem_classes="fold quiet", elem_id="set-judge"
        ) as self.box:
            with gr.Row(elem_id="judge-row"):
                self.judge = gr.Dropdown(
                    [],
                    value=None,
                    allow_custom_value=True,
                    label="Judge model",
                    scale=2,
                    elem_id="judge-column",
                    min_width=200,
                    info="A model or run, or api:MODEL on the configured server.",
                )
                self.question = gr.Textbox(
                    DEFAULT_QUESTION,
                    label="Question",
                    scale=2,
                    elem_id="judge-question",
                    info="Asked about every pair of A and B, in both orders.",
                    min_width=200,
                )
                self.most = gr.Number(
                    MAX_NEW_TOKENS,
                    label="Max new tokens",
                    precision=0,
                    minimum=1,
                    maximum=8192,
                    scale=0,
                    elem_id="judge-tokens",
                    info="A judge may think before it answers.",
                    min_width=170,
                )
                self.begin = gr.Button(
                    "Judge A and B", size="sm", scale=0, min_width=130, elem_id="judge-begin"
                )
                self.stop = gr.Button(
                    "Stop", size="sm", scale=0, min_width=130, visible=False, elem_id="judge-stop"
                )
            self.progress = gr.HTML("", elem_id="judge-progress")
            self.result = gr.HTML(votes_html([]), elem_id="judge-result")

    def bind(self, found: gr.State) -> None:
        self.box.expand(guard(self.freshen), None, self.judge, **QUIET)
        self.begin.click(
            guard(self.ask),
            [found, self.judge, self.question, self.most],
            [self.progress, self.result, self.begin, self.stop, self.live],
            **QUIET,
            concurrency_limit=None,
        )
        self.stop.click(guard(self.halt), self.live, None, **QUIET)

    def freshen(self) -> Update:
        return gr.update(choices=column_choices(finished(self.studio)))

    def halt(self, generation: Generation | None) -> None:
        if generation is not None:
            generation.cancel()

    def ask(
        self, comparison: Comparison | None, choice: str | None, question: str, most: float | None
    ) -> Iterator[Updates]:
        """Every pair in both orders, with progress and a way to stop; saved with the comparison."""
        from studio.labels import llm_judge

        try:
            pairs, aside, column = self._wanted(comparison, choice)
            question = question.strip() or DEFAULT_QUESTION
            asked = llm_judge.request(pairs, column, question, int(most or MAX_NEW_TOKENS))
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
            generation.cancel()  # the page was closed: nobody waits for the rest
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
        yield updates | {self.result: votes_html([found])}

    def _wanted(
        self, comparison: Comparison | None, choice: str | None
    ) -> tuple[list[TextPair], dict[str, int], Column]:
        from studio.labels import llm_judge

        if comparison is None or len(comparison.sides) < 2:
            raise ConfigError("A judge needs two models; choose a second one and answer again.")
        if not (choice or "").strip():
            raise ConfigError("Choose a judge: a model, a run, or api:MODEL.")
        answers = zip(comparison.prompts, comparison.texts(0), comparison.texts(1), strict=True)
        pairs, aside = llm_judge.judgeable([llm_judge.TextPair(*each) for each in answers])
        if not pairs:
            raise ConfigError("There is nothing to judge: all answers are identical or empty.")
        return pairs, aside, side(self.studio, str(choice)).column


def votes_html(found: list[Reply]) -> str:
    """The judges' votes on a comparison, newest first."""
    if not found:
        return '<p class="none">Its votes are saved here, apart from people\'s votes.</p>'
    return "".join(map(judged, reversed(found)))
