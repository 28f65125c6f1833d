"""The report on a reward model below the Train form.

Closed at first; the choices are read from the workspace whenever it is opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.train import form_options, reward_panels_html
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice, progress_bar
from studio.core.jobs import Job
from studio.workflows.comparisons import finished
from studio.workflows.rewards import judge, models, reward_histogram

if TYPE_CHECKING:
    from studio import Studio


def build(studio: Studio) -> None:
    """The section, inside the open tab."""
    with (
        gr.Column(elem_id="train-below"),
        gr.Accordion(
            "Evaluate a reward model", open=False, elem_id="train-judging", elem_classes="fold"
        ) as box,
    ):
        with gr.Row(visible=False, elem_classes="inline-form") as row:
            model = gr.Dropdown([], label="Reward model", min_width=180, elem_id="judging-model")
            people = gr.Dropdown([], label="Agreement with votes from", min_width=180)
            answers = gr.Dropdown([], label="Score answers of", min_width=180)
            go = gr.Button("Evaluate", elem_id="judging-go", min_width=120, scale=0)
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
        gr.Dropdown(choices=[("none", ""), *projects], value=""),
        gr.Dropdown(choices=[("none", ""), *answering], value=""),
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
