"""Making a labelling project out of a dataset: the form below the panel, for owners."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.common import notice, plural, sentence
from components.label_people import person
from studio.errors import DataError, StudioError
from studio.preference import DEFAULT_QUESTION, Project, items_from_rows

if TYPE_CHECKING:
    from studio import Studio

LABELLABLE = ("comparison", "preference")


@dataclass(frozen=True)
class NewProject:
    """The form's parts; `given` are its fields in the order that `create` takes them."""

    box: gr.Accordion
    dataset: gr.Dropdown
    name: gr.Textbox
    given: list[Any]
    create: gr.Button
    message: gr.HTML


def build() -> NewProject:
    """Build the form, closed."""
    with gr.Accordion("New project from a dataset", open=False, elem_id="label-new") as box:
        with gr.Row():
            dataset = gr.Dropdown(
                [],
                label="Dataset",
                info="comparison or preference data, prepared in Data",
                elem_id="label-dataset",
                min_width=220,
            )
            name = gr.Textbox(label="Name", info="empty: the dataset's name", max_length=110)
            question = gr.Textbox(
                DEFAULT_QUESTION, label="Question", info="asked above every pair", max_length=200
            )
        guidelines = gr.Textbox(
            label="Guidelines", info="what makes an answer better", lines=2,
            max_length=20_000,
        )  # fmt: skip
        more = _build_more()
        create = gr.Button("Create project", size="md", elem_id="label-create")
        message = gr.HTML("", elem_id="label-new-message")
    return NewProject(
        box, dataset, name, [dataset, name, question, guidelines, *more], create, message
    )


def _build_more() -> list[Any]:
    with gr.Accordion("More", open=False):
        with gr.Row():
            overlap = gr.Number(
                0, label="People an item", info="0: everyone judges every item", precision=0,
                minimum=0, maximum=100, min_width=150, elem_id="label-overlap",
            )  # fmt: skip
            repeat = gr.Number(
                0, label="Ask again after", info="votes, to measure self-agreement; 0: never",
                precision=0, minimum=0, maximum=10_000, min_width=150,
            )  # fmt: skip
            order = gr.Dropdown(
                [("in random order", "random"), ("as they come", "given")], value="random",
                label="Order", min_width=150,
            )  # fmt: skip
        with gr.Row():
            reasons = gr.Textbox(
                label="Reasons", info="to tick beside a verdict, with commas", max_length=800
            )
            aspects = gr.Textbox(
                label="Aspects", info="judged beside the question, with commas", max_length=800
            )
    return [overlap, repeat, order, reasons, aspects]


def create(studio: Studio, *given: Any) -> tuple[Project | None, str]:
    """A project from the form's fields and the notice to show; None when it could not be made."""
    try:
        person().must_own("make a project")
        project, said = create_from_dataset(studio, *given)
    except StudioError as error:
        return None, notice("error", sentence(error))
    return project, notice("good", said)


def create_from_dataset(
    studio: Studio,
    dataset_id: str | None,
    name: str,
    question: str,
    guidelines: str,
    overlap: float | None = 0,
    repeat_every: float | None = 0,
    order: str = "random",
    reasons: str = "",
    aspects: str = "",
) -> tuple[Project, str]:
    """A project with every row of a comparison or preference dataset, and what to say."""
    if not dataset_id:
        raise DataError(
            "No dataset to label yet: prepare comparison data (prompt, answer1, answer2) in Data, "
            "or send pairs here from Compare."
        )
    store, dataset = studio.labels, studio.datasets.get(dataset_id)
    if dataset.type not in LABELLABLE:
        raise DataError(f"{dataset.name} holds {dataset.type} rows; labelling needs two answers.")
    rows: list[Any] = [row for split in dataset.rows for row in dataset.load(split)]
    items = items_from_rows(rows, {"dataset": dataset.id, "dataset_name": dataset.name})
    wanted = name.strip()
    project = store.create_project(
        wanted or store.free_name(dataset.name),
        question=question,
        guidelines=guidelines,
        order=order,
        overlap=int(overlap or 0),
        repeat_every=int(repeat_every or 0),
        reasons=reasons.split(","),
        aspects=aspects.split(","),
        provenance={"dataset": dataset.id, "fingerprint": dataset.fingerprint},
    )
    added = store.add_items(project.id, items)
    aside = ", ".join(f"{count} {reason}" for reason, count in added.set_aside.items())
    said = f"{project.name}: {plural(added.added, 'pair')} to judge"
    return project, f"{said}; set aside: {aside}." if aside else f"{said}."
