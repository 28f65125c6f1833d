"""Below the Train form: both roads side by side, and how good a reward model is.

Two sections, closed and empty until they are opened; they read the workspace each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.train import form_options, reward_panels_html
from components.ui import prompt_sets
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice, progress_bar
from studio.core.errors import ConfigError
from studio.core.jobs import Job
from studio.runs.objectives import OBJECTIVES, REWARDED
from studio.workflows.comparisons import finished
from studio.workflows.rewards import judge, models, reward_histogram

if TYPE_CHECKING:
    from studio import Studio
    from studio.workflows.dpo_vs_rlhf import Journey

_JUDGES = [("people, on the Label tab", "people"), ("the pocket world's rule", "rule")]


def build(studio: Studio) -> None:
    """Both sections, inside the open tab."""
    with gr.Column(elem_id="train-below"):
        _roads(studio)
        _judging(studio)


# ---- both roads ----------------------------------------------------------------------------------


def _roads(studio: Studio) -> None:
    with gr.Accordion(
        "DPO and RLHF side by side", open=False, elem_id="train-roads", elem_classes="fold"
    ) as box:
        view = gr.HTML("", elem_id="roads-view")
        with gr.Row(visible=False, elem_classes="roads-form") as beginning:
            start = gr.Dropdown([], label="Both begin at", min_width=180, elem_id="roads-start")
            votes = gr.Dropdown([], label="and learn from", min_width=180, elem_id="roads-votes")
            objective = gr.Dropdown(
                [(OBJECTIVES[name].label, name) for name in REWARDED],
                value=REWARDED[0],
                label="after the reward model",
                min_width=120,
            )
            go = gr.Button("Queue both roads", elem_id="roads-go", min_width=180, scale=0)
        with gr.Row(visible=False, elem_classes="roads-form") as meeting:
            prompts = gr.Dropdown([], label="They meet on prompts of", min_width=180)
            count = gr.Number(60, label="at most", precision=0, minimum=1, min_width=90)
            judge = gr.Dropdown(_JUDGES, value="people", label="judged by", min_width=180)
            meet = gr.Button("Let them meet", elem_id="roads-meet", min_width=180, scale=0)
        message = gr.HTML("", elem_id="roads-message")
    box.expand(
        guard(lambda: _opened(studio)),
        None,
        [view, beginning, meeting, start, votes, prompts],
        **QUIET,
    )
    go.click(
        guard(lambda *given: _begin(studio, *given)),
        [start, votes, objective],
        [message, view, meeting],
        **QUIET,
    )

    def met(*given: Any) -> Iterator[tuple[Any, Any]]:
        yield from _met(studio, *given)

    meet.click(
        guard(met), [prompts, count, judge], [message, view], concurrency_limit=None, **QUIET
    )


def _found(studio: Studio) -> list[Journey]:
    from studio.workflows.dpo_vs_rlhf import journeys

    return journeys(studio)


def _opened(studio: Studio) -> tuple[Any, ...]:
    starts = [
        (form_options.run_label(run), run.id)
        for run in form_options.continuable(studio)
        if run.objective == "sft"
    ]
    votes = [(label, f"data:{name}") for label, name in form_options.dataset_choices(studio, "dpo")]
    votes += [(f"votes of {each.name}", f"votes:{each.id}") for each in studio.labels.projects()]
    sets = [each for each in prompt_sets.source_choices(studio) if each[1] != prompt_sets.TYPED]
    usual = next((value for _, value in sets if "questions" in value), sets[0][1])
    found = _found(studio)
    return (
        reward_panels_html.roads(found, bool(starts)),
        gr.Row(visible=bool(starts)),
        gr.Row(visible=bool(found)),
        gr.Dropdown(choices=starts, value=starts[0][1] if starts else None),
        gr.Dropdown(choices=votes, value=votes[0][1] if votes else None),
        gr.Dropdown(choices=sets, value=usual),
    )


def _begin(studio: Studio, start: str | None, votes: str | None, objective: str) -> Any:
    from studio.workflows.dpo_vs_rlhf import Plan, begin
    from studio.workflows.rounds import votes_dataset

    try:
        if not start or not votes:
            raise ConfigError("Both roads need a finished SFT run to begin at, and votes.")
        kind, _, name = votes.partition(":")
        dataset = votes_dataset(studio, name, "reward").id if kind == "votes" else name
        begin(studio, Plan(dataset, start, objective))
    except Exception as error:
        return notice("error", sentence(error)), gr.skip(), gr.skip()
    said = "Three runs are queued: DPO, the reward model, and learning from it."
    return notice("good", said), reward_panels_html.roads(_found(studio)), gr.Row(visible=True)


def _met(studio: Studio, source: str, count: float, by: str) -> Iterator[tuple[Any, Any]]:
    """The newest finished roads' duels: written, and judged where the rule is to judge."""
    from studio.workflows import dpo_vs_rlhf

    def task(_: Callable[..., None]) -> None:
        done = next((each for each in _found(studio) if each.finished), None)
        if done is None:
            raise ConfigError("No two roads are finished yet; watch their runs above.")
        asked = prompt_sets.load_set(studio, source, "", int(count or 0)).prompts
        dpo_vs_rlhf.meet(studio, done, asked)
        if by == "rule":
            dpo_vs_rlhf.judge_by_rule(studio, done)

    yield progress_bar(0, None, "Writing answers"), gr.skip()
    work = Job().start(task)
    try:
        work.result()
    except Exception as error:
        yield notice("error", sentence(error)), gr.skip()
        return
    yield "", reward_panels_html.roads(_found(studio))


# ---- a reward model ------------------------------------------------------------------------------


def _judging(studio: Studio) -> None:
    with gr.Accordion(
        "How good is a reward model", open=False, elem_id="train-judging", elem_classes="fold"
    ) as box:
        with gr.Row(visible=False, elem_classes="roads-form") as row:
            model = gr.Dropdown([], label="Reward model", min_width=180, elem_id="judging-model")
            people = gr.Dropdown([], label="Agreement with the votes of", min_width=180)
            answers = gr.Dropdown([], label="Beside the base, answers of", min_width=180)
            go = gr.Button("Judge it", elem_id="judging-go", min_width=120, scale=0)
        view = gr.HTML(reward_panels_html.no_report(), elem_id="judging-view")
    box.expand(guard(lambda: _models(studio)), None, [row, model, people, answers], **QUIET)

    def judged(*given: Any) -> Iterator[Any]:
        yield from _report(studio, *given)

    go.click(guard(judged), [model, people, answers], view, concurrency_limit=None, **QUIET)


def _models(studio: Studio) -> tuple[Any, ...]:
    scoring = [(form_options.run_label(run), run.id) for run in models(studio)]
    answering = [(form_options.run_label(run), run.id) for run in finished(studio)]
    projects = [(each.name, each.id) for each in studio.labels.projects()]
    return (
        gr.Row(visible=bool(scoring)),
        gr.Dropdown(choices=scoring, value=scoring[0][1] if scoring else None),
        gr.Dropdown(choices=[("nobody", ""), *projects], value=""),
        gr.Dropdown(choices=[("no run", ""), *answering], value=""),
    )


def _report(studio: Studio, model: str, project: str, answers: str) -> Iterator[Any]:
    run = studio.runs.get(model)

    def task(_: Callable[..., None]) -> dict[str, Any]:
        found = judge(studio, run, project=project or None)
        return found | ({"answers": reward_histogram(studio, run, answers)} if answers else {})

    yield progress_bar(0, None, "Scoring held-out pairs")
    try:
        yield reward_panels_html.report(Job().start(task).result())
    except Exception as error:
        yield notice("error", sentence(error))
