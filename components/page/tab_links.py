"""What happens between tabs: the guided tour, and every button that leads from one to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import gradio as gr
from pydantic import BaseModel, Field

from components.calculator import tab as calculator_tab
from components.compare import tab as compare_tab
from components.data import tab as data_tab
from components.label import tab as label_tab
from components.models import tab as models_tab
from components.page import guided_tour, header
from components.page.calculator_sync import RecipeSync
from components.train import tab as train_tab
from components.ui.compat import Reply, Update, event_data, queue_dropped_events
from components.ui.handlers import QUIET, guard
from components.ui.page_context import PageContext
from studio.core.jobs import Job
from studio.core.workspace import new_id

if TYPE_CHECKING:
    from components.data.open_sources import Subject
    from studio import Studio


class RowLink(BaseModel):
    """What a click on a training row's place sends (`ui.traced_rows`)."""

    dataset: str
    open: Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Handles:
    """What each tab offers to the others."""

    data: data_tab.DataHandles
    calculator: calculator_tab.CalculatorHandles
    train: train_tab.TrainHandles
    compare: compare_tab.CompareHandles
    label: label_tab.LabelHandles
    models: models_tab.ModelsHandles


def connect(
    app: gr.Blocks,
    ctx: PageContext,
    top: header.Top,
    guide: tuple[header.Landing, header.GuideBar],
    built: Handles,
) -> None:
    """Bind everything that involves more than one tab."""
    _next_steps(ctx, built)
    RecipeSync(built.calculator, built.train).bind(ctx)
    GuidedTour(ctx, top, guide, built).bind(app)

    def open_tab(event: gr.EventData) -> gr.Tabs:
        return ctx.go(event_data(event)["go"])

    top.strip.click(guard(open_tab, "quietly"), None, ctx.tabs, queue=False, **QUIET)
    queue_dropped_events(app)


# ---- from tab to tab ----------------------------------------------------------------------------


def _next_steps(ctx: PageContext, built: Handles) -> None:
    """Every finished step offers the next: data -> train -> compare -> label -> train."""
    data, train, compare, label = built.data, built.train, built.compare, built.label
    form = [train.opening, train.form.start]

    def train_on(subject: Subject, settings: Reply) -> tuple[Reply, Update, gr.Tabs]:
        dataset = ctx.studio.datasets.get(subject.dataset_id or "")
        writer = dataset.provenance.get("run")  # of votes: the run that answered
        known = any(run.id == writer for run in ctx.studio.runs.list())
        wanted = train_tab.ask(
            dataset=dataset.id, start_from=writer if known else None, settings=settings
        )
        return wanted, train_tab.filling(), ctx.go("train")

    def train_on_votes(project_id: str) -> tuple[Update, Update, Update, gr.Tabs]:
        dataset_id = label.make_dataset(project_id)
        wanted = train_tab.ask(
            dataset=dataset_id, objective="dpo", start_from=label.start_from(project_id)
        )
        return wanted, train_tab.filling(), data_tab.show(dataset_id), ctx.go("train")

    def compare_run(run_id: str) -> tuple[Reply, gr.Tabs]:
        return compare_tab.ask((run_id,)), ctx.go("compare")

    def compare_start(run_id: str) -> tuple[Reply, gr.Tabs]:
        run = ctx.studio.runs.get(run_id)
        return compare_tab.ask((run.parent or "", run.id)), ctx.go("compare")

    def open_project(project_id: str | None) -> tuple[Update, Update]:
        return (label.open(project_id), ctx.go("label")) if project_id else (gr.skip(), gr.skip())

    def from_library(event: gr.EventData) -> tuple[Update, Update, Update, gr.Tabs]:
        wanted = event_data(event) or {}
        if wanted.get("do") == "train":
            revision = wanted.get("revision")
            settings = {"model_revision": revision} if revision else {}
            filled = train_tab.ask(model=str(wanted.get("model")), settings=settings)
            return filled, train_tab.filling(), gr.skip(), ctx.go("train")
        run_id, _, step = str(wanted.get("run")).partition("@")
        run = ctx.studio.runs.get(run_id)
        if wanted.get("do") == "compare":
            return gr.skip(), gr.skip(), *compare_run(f"{run.id}@{step}" if step else run.id)
        return train_tab.ask(start_from=run.id), train_tab.filling(), gr.skip(), ctx.go("train")

    def open_row(event: gr.EventData) -> tuple[Update, gr.Tabs]:
        place = RowLink.model_validate(event_data(event))
        return data_tab.show(place.dataset, place.open), ctx.go("data")

    for rows in (*compare.traced, label.traced):
        rows.click(guard(open_row), None, [data.opening, ctx.tabs], **QUIET)
    built.models.panel.click(guard(from_library), None, [*form, compare.opening, ctx.tabs], **QUIET)
    train.compare_start.click(
        guard(compare_start), train.viewing, [compare.opening, ctx.tabs], **QUIET
    )
    train.compare.click(guard(compare_run), train.viewing, [compare.opening, ctx.tabs], **QUIET)
    compare.project.change(
        guard(open_project, "everybody"), compare.project, [label.project, ctx.tabs], **QUIET
    )
    data.train.click(guard(train_on), [data.subject, data.parameters], [*form, ctx.tabs], **QUIET)
    label.train_button.click(
        guard(train_on_votes), label.project, [*form, data.opening, ctx.tabs], **QUIET
    )


# ---- the guided tour ----------------------------------------------------------------------------


class GuidedTour:
    """The landing's one button, and the stepper that leads from tab to tab."""

    def __init__(
        self,
        ctx: PageContext,
        top: header.Top,
        guide: tuple[header.Landing, header.GuideBar],
        built: Handles,
    ):
        self.landing, self.bar = guide
        self.ctx, self.top, self.built, bar = ctx, top, built, self.bar
        self.studio: Studio = ctx.studio
        self.leads = [
            bar.progress,
            ctx.tabs,
            built.data.opening,
            built.train.opening,
            built.label.project,
            built.compare.opening,
            built.compare.prompt,
        ]
        self.drawn = [self.landing.row, top.tour, bar.bar, bar.steps, bar.next, bar.shown]

    def bind(self, app: gr.Blocks) -> None:
        bar = self.bar
        app.load(guard(self.resume, "quietly"), bar.progress, self.ctx.tabs, **QUIET)
        for begin in (self.landing.begin, self.top.tour):
            begin.click(guard(self.begin), None, bar.progress, **QUIET).then(
                guard(self.advance), bar.progress, [bar.next, *self.leads], **QUIET
            )
        bar.next.click(guard(self.advance), bar.progress, [bar.next, *self.leads], **QUIET)
        bar.leave.click(guard(lambda: {}), None, bar.progress, **QUIET)
        # Outside the queue, so that a long handler of this browser never holds it up.
        gr.on(
            [self.ctx.status.tick, bar.progress.change],
            guard(self.draw, "quietly"),
            [bar.progress, bar.shown],
            self.drawn,
            queue=False,
            **QUIET,
        )

    def begin(self) -> Reply:
        return {"tour": new_id("tour"), "compared": 0}

    def load(self, progress: Reply | None) -> guided_tour.Tour | None:
        """The tour this browser is on, as the workspace has it."""
        if not progress or not progress.get("tour"):
            return None
        compared = int(progress.get("compared") or 0)
        return guided_tour.load(self.studio, str(progress["tour"]), compared)

    def resume(self, progress: Reply | None) -> Update:
        """After a refresh, the tab where the tour stands."""
        tour = self.load(progress)
        return self.ctx.go(guided_tour.TABS[guided_tour.state(tour).step]) if tour else gr.skip()

    def draw(self, progress: Reply | None, shown: tuple[object, ...]) -> tuple[Update, ...]:
        """The landing, the stepper or neither; nothing is sent when nothing changed."""
        tour = self.load(progress)
        if tour is None:
            first = not self.studio.runs.list()
            drawn: tuple[object, ...] = ("landing", first)
            if drawn == shown:
                return tuple(gr.skip() for _ in self.drawn)
            later = gr.update(visible=not first)
            return gr.update(visible=first), later, gr.update(visible=False), "", gr.skip(), drawn
        now = guided_tour.state(tour)
        drawn = ("tour", now)
        if drawn == shown:
            return tuple(gr.skip() for _ in self.drawn)
        steps = header.stepper(now.steps(), now.note, now.share)
        button = gr.update(value=now.action, visible=bool(now.action), interactive=True)
        hidden = gr.update(visible=False)
        return hidden, hidden, gr.update(visible=True), steps, button, drawn

    def advance(self, progress: Reply) -> Iterator[tuple[Update, ...]]:
        """One step of the tour; meanwhile its button shows the progress."""
        idle = tuple(gr.skip() for _ in self.leads)
        tour = self.load(progress)
        if tour is None:
            return
        if guided_tour.state(tour).finished:
            yield gr.skip(), {}, *idle[1:]
            return
        yield gr.update(value="Working", interactive=False), *idle
        make_dataset = self.built.label.make_dataset
        work = Job().start(
            lambda progress: guided_tour.advance(self.studio, tour, make_dataset, progress)
        )
        try:
            for step in work.steps(every=0.5):
                yield gr.update(value=work.progress_text(step) if step[2] else "Working"), *idle
            destination = work.result()
        except Exception:
            action = guided_tour.state(tour).action or "Try again"
            yield gr.update(value=action, visible=True, interactive=True), *idle
            raise
        finally:
            work.cancel()
        compared = progress["compared"] + (destination.tab == "compare")
        yield gr.skip(), {**progress, "compared": compared}, *self.lead(destination)

    def lead(self, destination: guided_tour.Destination) -> tuple[Update, ...]:
        """The updates that open what a step created."""
        data, train, label, compare, prompt = (gr.skip() for _ in range(5))
        if destination.dataset_id:
            data = data_tab.show(destination.dataset_id)
        if destination.tab == "train":
            train = train_tab.ask(run=destination.runs[0])
        if destination.project_id:
            label = self.built.label.open(destination.project_id)
        if destination.tab == "compare":
            first = guided_tour.sample_prompts()[0][0]["content"]
            last = len(destination.runs) > 1  # the tour ends on three answers side by side
            compare = compare_tab.ask(destination.runs, first if last else "")
            prompt = gr.skip() if last else first
        return self.ctx.go(destination.tab), data, train, label, compare, prompt
