"""Why an answer: the training rows behind it, and a run without them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr
from pydantic import BaseModel

from components.compare import why_html
from components.compare.conversation import Chat
from components.ui.access import person
from components.ui.compat import Updates, event_data
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice, progress_bar
from components.ui.job_progress import followed
from components.ui.traced_rows import OPEN
from studio.attribution import Asked
from studio.core.errors import ConfigError
from studio.core.formatting import plural
from studio.runs.store import Run
from studio.workflows import claims, votes_behind, why
from studio.workflows.comparisons import LETTERS

if TYPE_CHECKING:
    from studio import Studio

_SHOWN = 8
_REVEAL = """
() => document.getElementById("why-box")?.scrollIntoView({ block: "start", behavior: "smooth" })
"""


class TokenLink(BaseModel):
    """What a click on a token sends: whose answer it is of, and its characters."""

    letter: str
    start: int
    end: int


class WhyPanel:
    """The folded panel under the chat. Only owners ask: it shows rows of the training data."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self.found = gr.State(None)
        """The last report."""

    def lay_out(self) -> None:
        with gr.Accordion(
            "Why this answer", open=False, elem_classes="fold quiet", elem_id="why-box"
        ) as self.box:
            with gr.Row(elem_id="why-row"):
                self.which = gr.Radio(
                    [f"answer {letter}" for letter in LETTERS],
                    value="answer B",
                    show_label=False,
                    container=False,
                    elem_id="why-which",
                    scale=3,
                )
                self.words = gr.Textbox(
                    "",
                    max_lines=1,
                    show_label=False,
                    container=False,
                    elem_id="why-words",
                    placeholder="Only these words of it",
                    scale=2,
                )
                self.begin = gr.Button("Why?", size="sm", scale=0, min_width=90, elem_id="why-ask")
            self.progress = gr.HTML("", elem_id="why-progress")
            self.view = gr.HTML(why_html.empty(), js_on_load=OPEN, elem_id="why-view")
            with gr.Column(visible=False, elem_id="why-leave") as self.leaving:
                self.rows = gr.CheckboxGroup(
                    [], label="Train again without these rows", elem_id="why-rows"
                )
                with gr.Row():
                    self.train = gr.Button(
                        "Train without them", size="sm", scale=0, min_width=160, elem_id="why-train"
                    )
            self.queued = gr.HTML("", elem_id="why-queued")
            with gr.Row(visible=False, elem_id="why-checked") as self.checked:
                self.duel = gr.Button(
                    "Blind duel on held-out prompts",
                    size="sm",
                    scale=0,
                    min_width=240,
                    elem_id="why-duel",
                )
            self.dueled = gr.HTML("", elem_id="why-dueled")

    def bind(self, chat: gr.State, tokens: gr.HTML) -> None:
        """`tokens` sends `TokenLink`s."""
        shown = [
            self.progress,
            self.view,
            self.leaving,
            self.rows,
            self.found,
            self.queued,
            self.checked,
            self.dueled,
        ]
        asking = {**QUIET, "concurrency_limit": None}
        asked = self.begin.click(guard(self.ask), [chat, self.which, self.words], shown, **asking)
        clicked = tokens.click(
            guard(self.ask_token), chat, [self.box, self.which, self.words, *shown], **asking
        )
        for done in (asked, clicked):  # the list has made the page longer
            done.success(None, None, None, js=_REVEAL, **QUIET)
        self.duel.click(guard(self.meet), self.found, [self.dueled, self.checked], **QUIET)
        self.train.click(guard(self.queue), [self.found, self.rows], self.queued, **QUIET)

    def ask(self, chat: Chat, which: str, words: str) -> Iterator[Updates]:
        """The rows behind an answer; an index that is missing is built under a progress bar."""
        yield from self._ask(chat, which, words, None)

    def ask_token(self, chat: Chat, event: gr.EventData) -> Iterator[Updates]:
        """The rows behind one token of an answer."""
        token = TokenLink.model_validate(event_data(event))
        which, span = f"answer {token.letter}", (token.start, token.end)
        words = ""
        with contextlib.suppress(LookupError):
            words = chat.turns[-1].answers[LETTERS.index(token.letter)].text[slice(*span)]
        yield {self.box: gr.update(open=True), self.which: which, self.words: words.strip()}
        yield from self._ask(chat, which, "", span)

    def _ask(
        self, chat: Chat, which: str, words: str, span: tuple[int, int] | None
    ) -> Iterator[Updates]:
        try:
            run, asked = self._asked(chat, which, words)
            asked = asked if span is None else replace(asked, span=span)
            yield {self.progress: progress_bar(0, None, why.cost(run) or "Asking the rows")}
            job = why.ask(self.studio, run, [asked], count=_SHOWN)
            found = yield from followed(job, self.progress)
            report = votes_behind.named(self.studio, found)
            own, checks = claims.checks(self.studio, run, asked)
        except Exception as error:
            yield {
                self.progress: notice("error", sentence(error)),
                self.leaving: _hidden(),
                self.checked: _hidden(),
            }
            return
        rows = why_html.choices(report)
        yield {
            self.progress: "",
            self.view: why_html.report(report, own, checks),
            self.leaving: gr.update(visible=bool(rows)),
            self.rows: gr.update(choices=rows, value=why_html.standing_out(report)),
            self.found: report,
            self.queued: "",
            self.checked: gr.update(visible=bool(checks) and checks[0].duel is None),
            self.dueled: "",
        }

    def _asked(self, chat: Chat, which: str, words: str) -> tuple[Run, Asked]:
        if not chat.turns:
            raise ConfigError("Send a prompt first; its answer is explained here.")
        turn, at = chat.turns[-1], LETTERS.index(which[-1])
        if at >= len(turn.answers):
            raise ConfigError(f"There is no answer {LETTERS[at]}.")
        side = chat.sides[at]
        if side.run is None or side.endpoint:
            raise ConfigError(f"{side.label} was not trained here; ask about a tuned answer.")
        answer = turn.answers[at].text
        span = why.span_of(answer, words.strip()) if words and words.strip() else None
        prompt: Any = turn.prompt if chat.raw else turn.asked[at]
        return self.studio.runs.get(side.run), Asked(prompt, answer, span, raw=chat.raw)

    def queue(self, found: dict[str, Any] | None, rows: list[str]) -> str:
        """Queue the recipe without the chosen rows."""
        person().must_own("train")
        if not found:
            raise ConfigError("Ask about an answer first.")
        chosen = why_html.places(rows)
        run = self.studio.runs.get(found["run"])
        made = why.train_without(self.studio, run, chosen, f"behind {found['answer'][:80]!r}")
        return notice(
            "info",
            f"Queued {made.name}. Once it has finished, ask again: the answer's loss under both "
            f"runs is shown, and a blind duel of the two is offered. {plural(len(chosen), 'row')} "
            "left out.",
        )

    def meet(self, found: dict[str, Any] | None) -> tuple[str, Any]:
        """A blind duel of the newest run without rows and the run that was asked about."""
        person().must_own("start a duel")
        if not found:
            raise ConfigError("Ask about an answer first.")
        others = claims.runs_without(self.studio, self.studio.runs.get(found["run"]))
        if not others:
            raise ConfigError("No run without these rows has finished yet.")
        project, left_out = claims.duel(self.studio, others[0])
        said = f"{project.name}: generating the pairs. Vote on them in Label, then ask again."
        if left_out:
            said += f" {plural(left_out, 'prompt')} left out: trained on before."
        return notice("good", said), _hidden()


def _hidden() -> Any:
    return gr.update(visible=False)
