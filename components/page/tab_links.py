"""What happens between tabs: the guided walk, and every "next" that leads on."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.calculator import handlers
from components.compare import tab as compare_tab
from components.data import tab as data_tab
from components.page import guided_tour, header
from components.page.calculator_sync import Agreement
from components.train import tab as train_tab
from components.ui.background_task import Work
from components.ui.handlers import QUIET, guard
from components.ui.page_context import PageContext
from studio.core.workspace import new_id
from studio.runs.recipe import Recipe

if TYPE_CHECKING:
    from studio import Studio


def connect(
    app: gr.Blocks, ctx: PageContext, top: header.Top, bar: header.GuideBar, built: dict[str, Any]
) -> None:
    """Bind everything that involves more than one tab."""
    _onward(ctx, built)
    _between_calculator_and_form(ctx, built)
    walk = Guided(ctx, top, bar, built)
    walk.bind(app)

    def open_tab(event: gr.EventData) -> Any:
        return ctx.go(event._data["go"])

    top.strip.click(guard(open_tab, "quietly"), None, ctx.tabs, queue=False, **QUIET)
    queue_dropped_events(app)


def queue_dropped_events(app: gr.Blocks) -> None:
    """Let nothing that somebody chose, typed or opened be passed over.

    Gradio drops an event whose handler is still at work for the one before. That is right for
    buttons, which must not do a thing twice, and for what only looks again; but a filter or a tab
    chosen meanwhile would stay without an answer. Those wait for their turn instead.
    """
    for handler in app.fns.values():
        events = {event for _, event in handler.targets}
        long = inspect.isgeneratorfunction(inspect.unwrap(handler.fn)) if handler.fn else False
        once = events & {"click", "load"} or events == {"tick"} or ("then" in events and long)
        if handler.trigger_mode == "once" and not once:
            handler.trigger_mode = "multiple"


# ---- from tab to tab ----------------------------------------------------------------------------


def _onward(ctx: PageContext, built: dict[str, Any]) -> None:
    """Every finished step offers the next: data -> train -> compare -> label -> train."""
    data, train, compare, label = (built[tab] for tab in ("data", "train", "compare", "label"))

    def train_on(subject: Any, knobs: Any) -> tuple[Any, Any]:
        dataset = ctx.studio.datasets.get(subject.dataset_id)
        wrote = dataset.provenance.get("run")  # verdicts: go on from the run that wrote the answers
        known = any(run.id == wrote for run in ctx.studio.runs.list())
        asked = train_tab.ask(dataset=dataset.id, start_from=wrote if known else None, knobs=knobs)
        return asked, ctx.go("train")

    def train_on_votes(project_id: str) -> tuple[Any, Any, Any]:
        dataset_id = label.make_dataset(project_id)
        asked = train_tab.ask(
            dataset=dataset_id, objective="dpo", start_from=label.start_from(project_id)
        )
        return asked, data_tab.show(dataset_id), ctx.go("train")

    def compare_run(run_id: str) -> tuple[Any, Any]:
        return compare_tab.ask((run_id,)), ctx.go("compare")

    def judge(project_id: str | None) -> tuple[Any, Any]:
        return (label.open(project_id), ctx.go("label")) if project_id else (gr.skip(), gr.skip())

    def go_on(event: gr.EventData) -> tuple[Any, Any, Any]:
        wanted = event._data or {}
        if wanted.get("do") == "train":
            knobs = {"model_revision": wanted["revision"]} if wanted.get("revision") else {}
            asked = train_tab.ask(model=str(wanted.get("model")), knobs=knobs)
            return asked, gr.skip(), ctx.go("train")
        run_id, _, step = str(wanted.get("run")).partition("@")
        run = ctx.studio.runs.get(run_id)
        if wanted.get("do") == "compare":
            return gr.skip(), *compare_run(f"{run.id}@{step}" if step else run.id)
        asked = train_tab.ask(start_from=run.id)
        return asked, gr.skip(), ctx.go("train")

    built["models"].panel.click(
        guard(go_on), None, [train.opening, compare.opening, ctx.tabs], **QUIET
    )
    train.compare.click(guard(compare_run), train.viewing, [compare.opening, ctx.tabs], **QUIET)
    compare.project.change(
        guard(judge, "everybody"), compare.project, [label.project, ctx.tabs], **QUIET
    )
    data.train.click(
        guard(train_on), [data.subject, data.knobs], [train.opening, ctx.tabs], **QUIET
    )
    label.train_button.click(
        guard(train_on_votes), label.project, [train.opening, data.opening, ctx.tabs], **QUIET
    )


def _between_calculator_and_form(ctx: PageContext, built: dict[str, Any]) -> None:
    """A recipe is counted, and what was chosen while counting goes into the form."""
    calculator, train = built["calculator"], built["train"]

    def count_recipe(text: str) -> Any:
        return handlers.ask(handlers.settings_of(Recipe.from_yaml(text)))

    def use_in_training(data: Mapping[Any, Any]) -> tuple[Any, Any]:
        knobs = calculator.current_choices(data[calculator.wanted])
        return train_tab.change(knobs, train.form.values(data)), ctx.go("train")

    calculator.from_recipe.click(guard(count_recipe), train.recipe, calculator.opening, **QUIET)
    calculator.use_button.click(
        guard(use_in_training),
        {calculator.wanted, *train.form.fields.values()},
        [train.opening, ctx.tabs],
        **QUIET,
    )
    Agreement(calculator, train).bind(ctx)


# ---- the walk -----------------------------------------------------------------------------------


class Guided:
    """The landing's one button, and the stepper that leads from tab to tab."""

    def __init__(
        self, ctx: PageContext, top: header.Top, bar: header.GuideBar, built: dict[str, Any]
    ):
        self.ctx, self.top, self.bar, self.built = ctx, top, bar, built
        self.studio: Studio = ctx.studio
        self.leads = [
            bar.chosen,
            ctx.tabs,
            built["data"].opening,
            built["train"].opening,
            built["label"].project,
            built["compare"].opening,
            built["compare"].prompt,
        ]
        self.seen = [bar.landing, top.walk, bar.bar, bar.steps, bar.next, bar.shown]

    def bind(self, app: gr.Blocks) -> None:
        bar = self.bar
        app.load(guard(self.resume, "quietly"), bar.chosen, self.ctx.tabs, **QUIET)
        for begin in (bar.begin, self.top.walk):
            begin.click(guard(self.begin), None, bar.chosen, **QUIET).then(
                guard(self.advance), bar.chosen, [bar.next, *self.leads], **QUIET
            )
        bar.next.click(guard(self.advance), bar.chosen, [bar.next, *self.leads], **QUIET)
        bar.leave.click(guard(lambda: {}), None, bar.chosen, **QUIET)
        # Out of the queue, so that a long handler of this browser never holds it up.
        gr.on(
            [self.ctx.status.tick, bar.chosen.change],
            guard(self.draw, "quietly"),
            [bar.chosen, bar.shown],
            self.seen,
            queue=False,
            **QUIET,
        )

    def begin(self) -> dict[str, Any]:
        return {"walk": new_id("walk"), "looked": 0}

    def found(self, chosen: Any) -> guided_tour.Walk | None:
        """The walk that this browser is on, as the workspace has it."""
        if not isinstance(chosen, dict) or not chosen.get("walk"):
            return None
        return guided_tour.find(self.studio, str(chosen["walk"]), int(chosen.get("looked") or 0))

    def resume(self, chosen: Any) -> Any:
        """After a refresh, the tab where the walk stands."""
        walk = self.found(chosen)
        return self.ctx.go(guided_tour.TABS[guided_tour.place(walk).step]) if walk else gr.skip()

    def draw(self, chosen: Any, shown: tuple[Any, ...]) -> tuple[Any, ...]:
        """The landing, the stepper or neither; nothing is sent when nothing changed."""
        walk = self.found(chosen)
        if walk is None:
            first = not self.studio.runs.list()
            state: tuple[Any, ...] = ("landing", first)
            if state == shown:
                return tuple(gr.skip() for _ in self.seen)
            later = gr.update(visible=not first)
            return gr.update(visible=first), later, gr.update(visible=False), "", gr.skip(), state
        at = guided_tour.place(walk)
        state = ("walk", at)
        if state == shown:
            return tuple(gr.skip() for _ in self.seen)
        steps = header.stepper(at.steps(), at.note, at.share)
        button = gr.update(value=at.action, visible=bool(at.action), interactive=True)
        gone = gr.update(visible=False)
        return gone, gone, gr.update(visible=True), steps, button, state

    def advance(self, chosen: Any) -> Iterator[tuple[Any, ...]]:
        """One step of the walk, with the button saying that it is being done."""
        idle = tuple(gr.skip() for _ in self.leads)
        walk = self.found(chosen)
        if walk is None:
            return
        if guided_tour.place(walk).finished:
            yield gr.skip(), {}, *idle[1:]
            return
        yield gr.update(value="Working", interactive=False), *idle
        make_dataset = self.built["label"].make_dataset
        work = Work(lambda progress: guided_tour.advance(self.studio, walk, make_dataset, progress))
        try:
            for step in work.steps(every=0.5):
                yield gr.update(value=work.say(step) if step[2] else "Working"), *idle
            move = work.result()
        except Exception:
            action = guided_tour.place(walk).action or "Try again"
            yield gr.update(value=action, visible=True, interactive=True), *idle
            raise
        finally:
            work.cancel()
        looked = chosen["looked"] + (move.tab == "compare")
        yield gr.skip(), {**chosen, "looked": looked}, *self.lead(move)

    def lead(self, move: guided_tour.Move) -> tuple[Any, ...]:
        """The updates that open what a step made."""
        data, train, label, compare, prompt = (gr.skip() for _ in range(5))
        if move.dataset_id:
            data = data_tab.show(move.dataset_id)
        if move.tab == "train":
            train = train_tab.ask(run=move.runs[0])
        if move.project_id:
            label = self.built["label"].open(move.project_id)
        if move.tab == "compare":
            compare = compare_tab.ask(move.runs)
            prompt = guided_tour.sample_prompts()[0][0]["content"]
        return self.ctx.go(move.tab), data, train, label, compare, prompt
