"""Judges of a project: how far they agree with people and with one another, and labels by them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.label import judges_html
from components.label.background import Background
from components.ui.access import person
from components.ui.compat import Updates
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from studio.core.errors import Cancelled, ConfigError, StudioError
from studio.core.jobs import Report
from studio.labels.judge_panel import Case, Verdicts, cases, panel
from studio.labels.llm_judge import MAX_NEW_TOKENS
from studio.workflows import comparisons, prelabel

if TYPE_CHECKING:
    from studio import Studio

_HELP = (
    "An order of work: people vote on 20 pairs or more; judges read all of them; those that agree "
    "with people label what they are sure of; people check the unsure third. A judge's labels "
    "become a dataset that says so, and never votes."
)


@dataclass(frozen=True)
class Judged:
    """What judges said of a project's pairs, and how long it took."""

    project: str
    cases: list[Case]
    by_judge: dict[str, Verdicts]
    seconds: float


class Judges:
    """The Judges sub-tab, for owners."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self.work = Background("panel of judges")
        self._pace: dict[str, float] = {}
        """Seconds a reply, by judge, as it was last asked."""
        self._found: dict[str, Judged] = {}
        """The last verdicts, by project."""

    def lay_out(self) -> None:
        gr.HTML(f'<p class="none">{_HELP}</p>')
        self.empty = gr.HTML(judges_html.NO_PROJECT, elem_id="judges-empty")
        with gr.Column(visible=False, elem_id="judges-form") as self.form:
            with gr.Row():
                self.project = gr.Dropdown(
                    [], label="Project", min_width=180, elem_id="judges-project"
                )
                self.judges = gr.Dropdown(
                    [],
                    multiselect=True,
                    allow_custom_value=True,
                    label="Judges",
                    min_width=240,
                    scale=2,
                    elem_id="judges-which",
                    info="Runs, base:MODEL, or api:MODEL on the server; several for a panel.",
                )
            with gr.Accordion("More", open=False, elem_classes="fold inner"):
                self.rubric = gr.Textbox(
                    "", label="Rubric", info="what makes an answer better; Markdown", lines=3
                )
                with gr.Row():
                    self.think = gr.Checkbox(
                        False, label="Think first", info="before the decision", min_width=160
                    )
                    self.longest = gr.Number(
                        MAX_NEW_TOKENS,
                        label="Max new tokens",
                        precision=0,
                        minimum=1,
                        maximum=8192,
                        info="thinking included",
                        min_width=160,
                        elem_id="judges-tokens",
                    )
            self.cost = gr.HTML("", elem_id="judges-cost")
            with gr.Row(elem_classes="inline-form"):
                self.begin = gr.Button("Ask the judges", size="sm", scale=0, elem_id="judges-ask")
                self.cancel = gr.Button(
                    "Cancel", size="sm", scale=0, visible=False, elem_id="judges-cancel"
                )
            self.progress = gr.HTML("", elem_id="judges-progress")
            self.view = gr.HTML("", elem_id="judges-view")
            with gr.Row(visible=False, elem_classes="inline-form") as self.accepting:
                self.share = gr.Number(
                    33,
                    label="People check at least (%)",
                    precision=0,
                    minimum=0,
                    maximum=100,
                    min_width=190,
                    scale=0,
                    elem_id="judges-share",
                )
                self.accept = gr.Button(
                    "Label the sure pairs", size="sm", scale=0, elem_id="judges-accept"
                )
            self.said = gr.HTML("", elem_id="judges-said")

    def bind(self, tab: gr.Tab, project: gr.Dropdown) -> None:
        """Bind the handlers; `project` is the tab's own choice, which a new project is added to."""
        live = [self.begin, self.cancel, self.progress, self.view, self.accepting, self.said]
        given = [self.project, self.judges, self.rubric, self.think, self.longest]
        streaming: Any = {**QUIET, "concurrency_limit": None}
        tab.select(
            guard(self.opened),
            [self.project, project],
            [self.empty, self.form, self.project, self.judges, self.cost, *live],
            **streaming,
        )
        gr.on(
            [self.project.change, self.judges.change],
            guard(self.price),
            [self.project, self.judges],
            self.cost,
            **QUIET,
        )
        self.project.input(guard(self.shown), self.project, live, **QUIET)
        self.begin.click(guard(self.ask), given, live, **streaming)
        self.cancel.click(guard(self.stop), None, self.progress, **QUIET)
        self.accept.click(
            guard(self.label), [self.project, self.share], [self.said, project], **QUIET
        )

    # ---- what is shown --------------------------------------------------------------------------

    def opened(self, chosen: str | None, current: str | None) -> Iterator[Updates]:
        """Offer the projects with pairs, and follow judges that are at work."""
        projects = [each for each in self.studio.labels.projects() if each.items]
        if not person().owner or not projects:
            yield {self.empty: gr.update(visible=True), self.form: gr.update(visible=False)}
            return
        ids = [each.id for each in projects]
        kept = next((one for one in (chosen, current) if one in ids), ids[0])
        runs = comparisons.finished(self.studio)
        offered = [*dict.fromkeys(run.name for run in runs)]
        offered += [
            f"base:{model}" for model in dict.fromkeys(["pocket", *(r.model for r in runs)])
        ]
        yield {
            self.empty: gr.update(visible=False),
            self.form: gr.update(visible=True),
            self.project: gr.update(choices=[(p.name, p.id) for p in projects], value=kept),
            self.judges: gr.update(choices=offered),
            **self.shown(kept),
        }
        if self.work.live:
            yield from self._follow()

    def shown(self, project: str) -> Updates:
        """What the judges last said of a project."""
        found = self._found.get(project)
        view, may = "", False
        if found is not None:
            agreement = panel(found.by_judge, [case.people for case in found.cases])
            view = judges_html.panel(agreement, len(found.cases), found.seconds)
            may = all(one["may_label"] for one in agreement["each"])
        return {
            self.view: view,
            self.accepting: gr.update(visible=may),
            self.said: "",
            self.progress: "",
        }

    def price(self, project: str | None, judges: list[str] | None) -> str:
        """How many replies that is, and how long it takes where the judges were asked before."""
        if not project or not judges:
            return '<p class="none">Choose one judge or several.</p>'
        pairs = cases(self.studio.labels.labelled_pairs(project))
        paces = [self._pace.get(one) for one in judges]
        known = None if None in paces else sum(pace or 0 for pace in paces) * 2 * len(pairs)
        voted = sum(case.people is not None for case in pairs)
        return judges_html.waiting(len(pairs), voted, len(judges), known)

    # ---- at work --------------------------------------------------------------------------------

    def ask(
        self, project: str, judges: list[str] | None, rubric: str, think: bool, most: float | None
    ) -> Iterator[Updates]:
        """Ask every judge about every pair, in both orders, and follow them."""
        try:
            person().must_own("ask judges")
            if not judges:
                raise ConfigError("Choose a judge: a model, a run, or api:MODEL.")
            chosen = self.studio.labels.get(project)
            longest = int(most or MAX_NEW_TOKENS)

            def work(report: Report) -> str:
                self._ask(chosen.id, list(judges), rubric or "", bool(think), longest, report)
                return chosen.id

            self.work.start(work)
        except Exception as error:
            yield {self.progress: notice("error", sentence(error))}
            return
        yield {self.view: "", self.accepting: gr.update(visible=False), self.said: ""}
        yield from self._follow()

    def _ask(
        self, project: str, judges: list[str], rubric: str, think: bool, longest: int, tell: Report
    ) -> None:
        """One judge after the other, so that the pace of each is known."""
        asking: dict[str, Any] = {"rubric": rubric, "think": think, "max_new_tokens": longest}
        chosen, by_judge, began = self.studio.labels.get(project), {}, time.monotonic()
        pairs: list[Case] = []
        for at, name in enumerate(judges, 1):
            started = time.monotonic()

            def told(done: int, total: int, what: str, at: int = at, name: str = name) -> None:
                whole = total * len(judges)
                tell((at - 1) * total + done, whole, f"{name} ({at} of {len(judges)}): {what}")

            pairs, said = prelabel.judged(self.studio, chosen, [name], **asking, on_progress=told)
            by_judge |= said
            self._pace[name] = (time.monotonic() - started) / (2 * len(pairs))
        self._found[project] = Judged(project, pairs, by_judge, time.monotonic() - began)

    def _follow(self) -> Iterator[Updates]:
        job = self.work.job
        yield {self.begin: gr.update(interactive=False), self.cancel: gr.update(visible=True)}
        for bar in self.work.bars():
            yield {self.progress: bar}
        idle = {self.begin: gr.update(interactive=True), self.cancel: gr.update(visible=False)}
        try:
            assert job is not None
            yield {**self.shown(job.result()), **idle}
        except Cancelled:
            yield {**idle, self.progress: notice("info", "Canceled; nothing was kept.")}
        except Exception as error:
            yield {**idle, self.progress: notice("error", sentence(error))}

    def stop(self) -> str:
        person().must_own("cancel judges")
        self.work.cancel()
        return notice("info", "Canceling.")

    def label(self, project: str, share: float | None) -> tuple[str, Any]:
        """Sure pairs become a dataset, the others a project for people."""
        try:
            person().must_own("let judges label")
            found = self._found.get(project)
            if found is None:
                raise ConfigError("Ask the judges first.")
            made = prelabel.accept(
                self.studio,
                self.studio.labels.get(project),
                found.cases,
                found.by_judge,
                (share or 0) / 100,
            )
        except StudioError as error:
            return notice("error", sentence(error)), gr.skip()
        choices = [(each.name, each.id) for each in self.studio.labels.projects()]
        return notice("good", judges_html.accepted(made)), gr.Dropdown(choices=choices)
