"""Votes behind a preference: why a run trained on votes prefers one answer to another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.ui.access import person
from components.ui.compat import Updates
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice, progress_bar
from components.ui.job_progress import followed
from components.ui.traced_rows import OPEN, learned
from studio.attribution import Asked
from studio.core.errors import Cancelled, ConfigError
from studio.core.formatting import plural
from studio.runs.store import Run
from studio.workflows import votes_behind, why

if TYPE_CHECKING:
    from studio import Studio

TYPED = "typed"
_SHOWN = 12
_LONGEST = 70  # characters of a pair's prompt in the list
_HELP = (
    "Which votes moved a model to prefer one answer to another: the rows that they made, scored by "
    "gradients. Evidence, not proof; what the base knew before is out of sight."
)


class PreferencePanel:
    """The folded panel under the rounds; there once a run was trained on votes."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def lay_out(self) -> None:
        with gr.Accordion(
            "Votes behind a preference",
            open=False,
            visible=False,
            elem_classes="fold quiet",
            elem_id="label-behind",
        ) as self.box:
            gr.HTML(f'<p class="none">{_HELP}</p>')
            with gr.Row(elem_classes="inline-form"):
                self.run = gr.Dropdown(
                    [], label="Run", min_width=200, elem_id="behind-run", filterable=False
                )
                self.pair = gr.Dropdown(
                    [], label="Preference", min_width=260, scale=2, elem_id="behind-pair"
                )
            with gr.Column(visible=False) as self.typed:
                self.prompt = gr.Textbox(label="Prompt", lines=1, elem_id="behind-prompt")
                with gr.Row():
                    self.a = gr.Textbox(label="Why this answer", lines=2, elem_id="behind-a")
                    self.b = gr.Textbox(label="Rather than this one", lines=2, elem_id="behind-b")
            with gr.Row(elem_classes="inline-form"):
                self.begin = gr.Button("Find the votes", size="sm", scale=0, elem_id="behind-ask")
                self.cancel = gr.Button(
                    "Cancel", size="sm", scale=0, visible=False, elem_id="behind-cancel"
                )
            self.progress = gr.HTML("", elem_id="behind-progress")
            self.view = gr.HTML("", js_on_load=OPEN, elem_id="behind-view")

    def bind(self, tab: gr.Tab) -> None:
        shown = [self.box, self.run, self.pair, self.typed]
        done = [self.progress, self.view, self.begin, self.cancel]
        tab.select(guard(self.opened), self.run, shown, **QUIET)
        self.run.input(guard(self.chosen), self.run, [self.pair, self.typed, *done], **QUIET)
        self.pair.change(
            guard(lambda pair: gr.update(visible=pair == TYPED)), self.pair, self.typed, **QUIET
        )
        asking = self.begin.click(
            guard(self.ask),
            [self.run, self.pair, self.prompt, self.a, self.b],
            done,
            **QUIET,
            concurrency_limit=None,
        )
        # In two steps: the canceled event must end before its outputs are reset.
        self.cancel.click(None, cancels=[asking], **QUIET).then(
            guard(self._idle), None, done, **QUIET
        )

    def opened(self, chosen: str | None) -> Updates:
        """Offer the runs that learned from votes; keep the one that is chosen."""
        if not person().owner:
            return {self.box: gr.update(visible=False)}
        runs = votes_behind.runs_of_votes(self.studio)
        if not runs:
            return {self.box: gr.update(visible=False)}
        offered = [(run.name, run.id) for run in runs]
        kept = chosen if chosen in [run.id for run in runs] else runs[0].id
        return {
            self.box: gr.update(visible=True),
            self.run: gr.update(choices=offered, value=kept),
            **({} if kept == chosen else self._pairs(kept)),
        }

    def chosen(self, run: str) -> Updates:
        return {**self._idle(), **self._pairs(run)}

    def _pairs(self, run_id: str) -> Updates:
        """What can be asked about: pairs of finished duels, a project's votes, typed ones."""
        run = self.studio.runs.get(run_id)
        pairs, _ = votes_behind.pairs_of(self.studio, run)
        votes = run.data.get("votes") or {}
        offered = [(_named(pair.prompt), f"pair:{at}") for at, pair in enumerate(pairs)]
        if votes.get("project"):
            name = f"All preferences of {votes.get('project_name')}"
            offered.append((name, f"project:{votes['project']}"))
        offered.append(("Typed here", TYPED))
        first = offered[0][1]
        return {
            self.pair: gr.update(choices=offered, value=first),
            self.typed: gr.update(visible=first == TYPED),
        }

    def _idle(self) -> Updates:
        return {
            self.progress: "",
            self.view: "",
            self.begin: gr.update(interactive=True),
            self.cancel: gr.update(visible=False),
        }

    def ask(self, run_id: str, pair: str, prompt: str, a: str, b: str) -> Iterator[Updates]:
        """The votes behind a preference; an index that is missing is built under a bar."""
        try:
            if not run_id:
                raise ConfigError("Choose a run that was trained on votes.")
            run = self.studio.runs.get(run_id)
            asked = self._asked(run, pair or "", prompt, a, b)
            words = why.cost(run) or "Asking the rows"
            yield {
                self.progress: progress_bar(0, None, words),
                self.view: "",
                self.begin: gr.update(interactive=False),
                self.cancel: gr.update(visible=True),
            }
            job = why.ask(self.studio, run, asked, count=_SHOWN)
            report = yield from followed(job, self.progress)
            found = votes_behind.named(self.studio, report)
        except Cancelled:
            yield self._idle()
            return
        except Exception as error:
            yield {**self._idle(), self.progress: notice("error", sentence(error))}
            return
        yield {**self._idle(), self.view: self._report(run, found)}

    def _asked(self, run: Run, pair: str, prompt: str, a: str, b: str) -> list[Asked]:
        kind, _, which = pair.partition(":")
        if kind == "project":
            return why.of_votes(self.studio, which)
        if kind == "pair":
            pairs, _ = votes_behind.pairs_of(self.studio, run)
            if int(which) < len(pairs):
                return [pairs[int(which)].question()]
            raise ConfigError("This pair is gone; choose another.")
        if not (prompt.strip() and a.strip() and b.strip()):
            raise ConfigError("Type a prompt and two answers, or choose a pair.")
        return [Asked([{"role": "user", "content": prompt}], a, against=b)]

    def _report(self, run: Run, found: dict[str, Any]) -> str:
        parts = "".join(learned(entry) for entry in found["learned"])
        _, left_out = votes_behind.pairs_of(self.studio, run)
        still = "is still voted on and its" if left_out == 1 else "are still voted on and their"
        said = f"{plural(left_out, 'duel')} {still} pairs are not offered." if left_out else ""
        return f'<div class="why">{parts}</div>{notice("info", said)}'


def _named(prompt: list[dict[str, Any]]) -> str:
    text = " ".join(str(prompt[-1].get("content") or "").split()) if prompt else ""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\N{HORIZONTAL ELLIPSIS}"
