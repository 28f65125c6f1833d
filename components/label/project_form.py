"""The form in which owners create a labeling project (`project_handlers` does it)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.ui import prompt_sets
from components.ui.handlers import QUIET, guard
from studio.labels import DEFAULT_QUESTION
from studio.workflows import comparisons
from studio.workflows.rewards import models

if TYPE_CHECKING:
    from studio import Studio

KINDS = [
    ("A dataset", "dataset"),
    ("Generate with two models", "models"),
    ("A saved comparison", "comparison"),
    ("Reuse a project", "again"),
    ("Published votes", "published"),
]
_OFFERED = ("a", "b", "prompts", "saved", "before", "judge")  # filled when their kind is chosen
_ORDERS = [
    ("random", "random"), ("as given", "given"),
    ("most informative first", "uncertain"),
]  # fmt: skip


@dataclass(frozen=True)
class NewProject:
    """The form's parts; `given` holds its fields in the order of `Wanted`."""

    box: gr.Accordion
    dataset: gr.Dropdown
    name: gr.Textbox
    given: list[Any]
    create: gr.Button
    message: gr.HTML


def build(studio: Studio) -> NewProject:
    """Build the form, collapsed: out of sight until New project opens it."""
    with gr.Accordion("New project", open=False, elem_id="label-new", elem_classes="fold") as box:
        kind = gr.Radio(KINDS, value="dataset", label="Pairs from", elem_id="label-kind")
        sources, shown = _build_sources()
        with gr.Row():
            name = gr.Textbox(
                label="Name",
                info="optional; by default the source's name",
                max_length=110,
                elem_id="label-new-name",
            )
            question = gr.Textbox(
                DEFAULT_QUESTION, label="Question", info="shown above every pair", max_length=200
            )
        guidelines = gr.Textbox(
            label="Guidelines",
            info="what makes an answer better; Markdown. Can be edited later.",
            lines=3,
            max_length=20_000,
        )
        order = gr.Dropdown(
            _ORDERS,
            value="random",
            label="Order",
            elem_id="label-order",
            info="most informative first: pairs with disagreement before, or with a small reward "
            "margin, come early. Every fourth pair is drawn at random; win rates use those only.",
        )
        more = _build_more()
        create = gr.Button("Create project", variant="primary", size="md", elem_id="label-create")
        message = gr.HTML("", elem_id="label-new-message")
    gr.on(
        [kind.change, box.expand],
        guard(lambda chosen: _choices(studio, chosen)),
        kind,
        [*shown, *(sources[name] for name in _OFFERED)],
        **QUIET,
    )
    given = [kind, *sources.values(), name, question, guidelines, order, *more]
    return NewProject(box, sources["dataset"], name, given, create, message)


def _build_sources() -> tuple[dict[str, Any], list[Any]]:
    """The fields by name, as in `Wanted`, and one group of fields per kind."""
    with gr.Column() as from_dataset:
        dataset = gr.Dropdown(
            [],
            label="Dataset",
            info="comparison or preference data, prepared in Data",
            elem_id="label-dataset",
        )
    with gr.Column(visible=False) as from_models:
        with gr.Row():
            a = gr.Dropdown([], label="Answer 1", allow_custom_value=True, elem_id="label-a")
            warm_a = gr.Number(
                0.8, label="Temperature", minimum=0, maximum=5, step=0.1, min_width=110
            )
            b = gr.Dropdown([], label="Answer 2", allow_custom_value=True, elem_id="label-b")
            warm_b = gr.Number(
                0.8, label="Temperature", minimum=0, maximum=5, step=0.1, min_width=110
            )
        with gr.Row():
            prompts = gr.Dropdown([], label="Prompts", elem_id="label-prompts", scale=3)
            count = gr.Number(
                40,
                label="Limit",
                precision=0,
                minimum=1,
                maximum=100_000,
                min_width=110,
                elem_id="label-prompt-count",
            )
        typed = gr.Textbox(
            label="Prompts", lines=4, info="one per line", visible=False, max_length=100_000
        )
    with gr.Column(visible=False) as from_saved:
        saved = gr.Dropdown([], label="Comparison", info="saved in Compare")
    with gr.Column(visible=False) as from_project, gr.Row():
        before = gr.Dropdown(
            [], label="Project", info="whose pairs are labeled again", elem_id="label-before"
        )
        judge = gr.Dropdown(
            [],
            label="Reward model",
            elem_id="label-judge",
            info="optional: pairs where it disagrees with the votes come first; without one, "
            "pairs where the votes disagree",
        )
    with gr.Column(visible=False) as from_files:
        files = gr.File(
            label="A table with annotator columns, or question, answer and review files",
            file_count="multiple",
            file_types=[".json", ".jsonl"],
            elem_id="label-files",
        )
    prompts.change(
        guard(lambda source: gr.Textbox(visible=source == prompt_sets.TYPED)),
        prompts,
        typed,
        **QUIET,
    )
    fields = {
        "dataset": dataset,
        "a": a,
        "b": b,
        "prompts": prompts,
        "typed": typed,
        "count": count,
        "warm_a": warm_a,
        "warm_b": warm_b,
        "saved": saved,
        "files": files,
        "before": before,
        "judge": judge,
    }
    return fields, [from_dataset, from_models, from_saved, from_project, from_files]


def _choices(studio: Studio, kind: str) -> tuple[Any, ...]:
    """The chosen kind's fields with their current choices."""
    groups = [gr.Column(visible=kind == name) for _, name in KINDS]
    offered: dict[str, Any] = {}
    if kind == "models":
        finished = comparisons.finished(studio)
        columns = comparisons.column_choices(finished)
        usual = f"run:{finished[0].id}" if finished else "base:pocket"
        sets = prompt_sets.source_choices(studio)
        offered = {side: gr.Dropdown(choices=columns, value=usual) for side in ("a", "b")}
        offered["prompts"] = gr.Dropdown(choices=sets, value=sets[0][1])
    elif kind == "comparison":
        kept = comparisons.saved(studio)
        offered["saved"] = gr.Dropdown(choices=kept, value=kept[0][1] if kept else None)
    elif kind == "again":
        known = [(project.name, project.id) for project in studio.labels.projects()]
        judges = [(run.name, run.id) for run in models(studio)]
        offered["before"] = gr.Dropdown(choices=known, value=known[0][1] if known else None)
        offered["judge"] = gr.Dropdown(choices=[("none", ""), *judges], value="")
    return *groups, *(offered.get(name, gr.skip()) for name in _OFFERED)


def _build_more() -> list[Any]:
    with gr.Accordion("More", open=False):
        with gr.Row():
            overlap = gr.Number(
                0,
                label="Annotators per item",
                info="0: everyone labels every item",
                precision=0,
                minimum=0,
                maximum=100,
                min_width=150,
                elem_id="label-overlap",
            )
            repeat = gr.Number(
                0,
                label="Repeat every N",
                precision=0,
                minimum=0,
                maximum=10_000,
                min_width=150,
                info="votes, one earlier pair with its sides swapped, to measure self-agreement; "
                "0: never",
            )
        with gr.Row():
            reasons = gr.Textbox(
                label="Reasons", info="to choose with a vote, comma-separated", max_length=800
            )
            aspects = gr.Textbox(
                label="Aspects", info="rated besides the question, comma-separated", max_length=800
            )
        thinking = gr.Checkbox(
            False,
            label="Show thinking",
            info="Annotators may unfold what a model thought before it answered.",
            elem_id="label-thinking",
        )
    return [overlap, repeat, reasons, aspects, thinking]
