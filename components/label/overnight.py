"""Rounds that run by themselves: the form, their progress, and what came of earlier ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.label import overnight_html
from components.label.background import Background
from components.ui import prompt_sets
from components.ui.access import person
from components.ui.compat import Updates
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from studio.core.errors import Cancelled, ConfigError, StudioError
from studio.core.formatting import plural
from studio.core.jobs import Report
from studio.runs.reward_runs import resolve_reward_runs
from studio.workflows import comparisons, rounds_record
from studio.workflows.reward_rounds import Rounds, RoundsPlan

if TYPE_CHECKING:
    from studio import Studio
    from studio.core.messages import Message

_OBJECTIVES = [("DPO on the pairs", "dpo"), ("GRPO on the rewards", "grpo")]
_MOST = 10_000  # prompts
_HELP = (
    "Repeat without people: answers, pairs by a reward or a judge, training, and a duel of new "
    "against old on prompts held out from all rounds. It ends early where two duels in a row "
    "include 50 %. It goes on when this page is closed."
)


class Overnight:
    """The folded panel under the rounds, for owners."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self.work = Background("set of rounds")

    def lay_out(self) -> None:
        with gr.Accordion(
            "Rounds that run by themselves",
            open=False,
            visible=False,
            elem_classes="fold quiet",
            elem_id="label-overnight",
        ) as self.box:
            gr.HTML(f'<p class="none">{_HELP}</p>')
            with gr.Column() as self.form:
                self._lay_out_form()
            self.cost = gr.HTML("", elem_id="night-cost")
            with gr.Row(elem_classes="inline-form"):
                self.begin = gr.Button("Start rounds", size="sm", scale=0, elem_id="night-begin")
                self.cancel = gr.Button(
                    "Cancel", size="sm", scale=0, visible=False, elem_id="night-cancel"
                )
            self.progress = gr.HTML("", elem_id="night-progress")
            self.earlier = gr.HTML("", elem_id="night-earlier")

    def _lay_out_form(self) -> None:
        with gr.Row():
            self.run = gr.Dropdown([], label="Start from", min_width=180, elem_id="night-run")
            self.prompts = gr.Dropdown([], label="Prompts", min_width=180, elem_id="night-prompts")
            self.reward = gr.Dropdown(
                [],
                allow_custom_value=True,
                label="Reward",
                min_width=220,
                elem_id="night-reward",
                info="A reward model, judge:MODEL, or a rule such as length:3-28; several with ;.",
            )
        with gr.Row():
            self.objective = gr.Radio(_OBJECTIVES, value="dpo", label="Train", min_width=260)
            self.rounds = gr.Number(
                3,
                label="Rounds at most",
                precision=0,
                minimum=1,
                maximum=100,
                min_width=120,
                elem_id="night-rounds",
            )
        with gr.Accordion("More", open=False):
            with gr.Row():
                self.n = gr.Number(
                    4, label="Answers a prompt", precision=0, minimum=2, maximum=64, min_width=120
                )
                self.each = gr.Number(
                    200,
                    label="Prompts a round",
                    precision=0,
                    minimum=1,
                    min_width=120,
                    elem_id="night-each",
                )
                self.longest = gr.Number(
                    128,
                    label="Max new tokens",
                    precision=0,
                    minimum=1,
                    maximum=8192,
                    min_width=120,
                    elem_id="night-tokens",
                )
                self.warm = gr.Number(
                    1.0, label="Temperature", minimum=0.01, maximum=5, step=0.1, min_width=120
                )
            self.rubric = gr.Textbox(
                "", label="Rubric of a judge", lines=3, max_lines=8, info="Markdown"
            )

    def bind(self, tab: gr.Tab) -> None:
        self.given = [
            self.run,
            self.prompts,
            self.reward,
            self.objective,
            self.rounds,
            self.n,
            self.each,
            self.longest,
            self.warm,
            self.rubric,
        ]
        live = [self.begin, self.cancel, self.progress, self.earlier]
        streaming: Any = {**QUIET, "concurrency_limit": None}
        tab.select(
            guard(self.opened),
            self.run,
            [self.box, self.run, self.prompts, self.reward, self.cost, *live],
            **streaming,
        )
        gr.on(
            [one.change for one in self.given[:8]],  # all that cost time
            guard(self.price),
            self.given,
            self.cost,
            **QUIET,
        )
        self.begin.click(guard(self.start), self.given, live, **streaming)
        self.cancel.click(guard(self.stop), None, self.progress, **QUIET)

    # ---- what is shown --------------------------------------------------------------------------

    def opened(self, chosen: str | None) -> Iterator[Updates]:
        """Offer what there is, and follow rounds that are at work."""
        runs = comparisons.finished(self.studio)
        if not person().owner or not runs:
            yield {self.box: gr.update(visible=False)}
            return
        sets = [
            each for each in prompt_sets.source_choices(self.studio) if each[1] != prompt_sets.TYPED
        ]
        names = [(run.name, run.id) for run in runs]
        kept = chosen if chosen in [run.id for run in runs] else runs[0].id
        rewards = [*comparisons.reward_choices(self.studio), ("length:3-28", "length:3-28")]
        updates: Updates = {
            self.box: gr.update(visible=True),
            self.run: gr.update(choices=names, value=kept),
            self.reward: gr.update(choices=rewards),
            self.earlier: self._earlier(),
        }
        if not chosen:
            updates[self.prompts] = gr.update(choices=sets, value=sets[0][1])
            updates[self.reward] = gr.update(choices=rewards, value=rewards[0][1])
        yield updates
        if self.work.live:
            yield from self._follow()

    def _earlier(self) -> str:
        names = {run.id: run.name for run in self.studio.runs.list()}
        return overnight_html.kept(rounds_record.kept(self.studio), names)

    def price(self, *given: Any) -> str:
        """What the rounds would take, before anything starts."""
        try:
            plan, prompts = self._plan(*given)
            found = rounds_record.estimate(self.studio, plan, len(prompts))
        except StudioError as error:
            return notice("warn", sentence(error))
        return f'<p class="none">{found.words(plan.rounds)}</p>'

    def _plan(
        self, run: str, prompts: str, reward: str, objective: str, *rest: Any
    ) -> tuple[RoundsPlan, list[list[Message]]]:
        rounds, n, each, longest, warm, rubric = rest
        if not run or not prompts:
            raise ConfigError("Choose a run to start from, and prompts.")
        rewards = [part.strip() for part in (reward or "").split(";") if part.strip()]
        if not rewards:
            raise ConfigError("Choose a reward: a reward model, judge:MODEL, or a rule.")
        asked = prompt_sets.load_set(self.studio, prompts, "", _MOST).prompts
        plan = RoundsPlan(
            run,
            resolve_reward_runs(rewards, self.studio.runs),
            rubric=rubric or "",
            rounds=int(rounds or 1),
            n=int(n or 2),
            objective=objective,
            prompts=int(each or 1),
            temperature=float(warm or 1.0),
            max_new_tokens=int(longest or 1),
        )
        return plan, asked

    # ---- at work --------------------------------------------------------------------------------

    def start(self, *given: Any) -> Iterator[Updates]:
        """Start rounds, and follow them while the page is open."""
        try:
            person().must_own("start rounds")
            plan, prompts = self._plan(*given)

            def work(report: Report) -> int:
                rounds = Rounds(self.studio, plan, prompts, on_progress=report)
                return len(list(rounds.run()))

            self.work.start(work)
        except Exception as error:
            yield {self.progress: notice("error", sentence(error))}
            return
        yield from self._follow()

    def _follow(self) -> Iterator[Updates]:
        """Progress until the rounds end, and what came of each as it ends."""
        job, shown = self.work.job, ""
        busy = {self.begin: gr.update(interactive=False), self.cancel: gr.update(visible=True)}
        yield busy
        for bar in self.work.bars():
            earlier = self._earlier()
            yield {self.progress: bar, **({self.earlier: earlier} if earlier != shown else {})}
            shown = earlier
        yield {
            self.begin: gr.update(interactive=True),
            self.cancel: gr.update(visible=False),
            self.progress: _ended(job),
            self.earlier: self._earlier(),
        }

    def stop(self) -> str:
        person().must_own("cancel rounds")
        self.work.cancel()
        return notice("info", "Canceling: the run at work stops after its step and is kept.")


def _ended(job: Any) -> str:
    try:
        done = job.result()
    except Cancelled:
        return notice("info", "Canceled; the rounds that ended are kept.")
    except Exception as error:
        return notice("error", sentence(error))
    return notice("good", f"Done: {plural(done, 'round')}. Pairs and duels are in Projects.")
