"""Label: two answers, no names, one key. The verdicts become the next run's data.

The panel is one custom component (`static/label.js`) that talks to `label_server` directly, so that
a key press is one round trip; Gradio's own widgets only choose the project and the person.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.context import Context, get_render_context

from components.common import QUIET, Shell, guard, notice, plural, sentence
from components.label_server import questions
from studio.errors import DataError, StudioError
from studio.preference import DEFAULT_QUESTION, Project, items_from_rows, source_run

if TYPE_CHECKING:
    from studio import Studio

LABELLABLE = ("comparison", "preference")
_ON_LOAD = """
studioLabel(element, server, {
  revealed: () => trigger('revealed'),
  blind: () => trigger('blind'),
  value: () => props.value,
  watch: callback => watch('value', callback),
});
"""


_KNOWN_NAME = "(seat, name) => seat?.name || name"


@dataclass(frozen=True)
class LabelHandles:
    """What `app.py` wires to other tabs.

    `project` holds the chosen project's id; `open(project_id)` is the update for it that brings a
    project up, also one made a moment ago. `train_button` shows itself once results are on the page
    and there is something to train on; wire its click with `project` as input to
    `make_dataset(project_id) -> dataset id` and `start_from(project_id) -> run id or None`.
    """

    project: gr.Dropdown
    annotator: gr.Textbox
    panel: gr.HTML
    train_button: gr.Button
    make_dataset: Callable[[str], str]
    start_from: Callable[[str], str | None]
    open: Callable[[str], Any]


def build(studio: Studio, shell: Shell) -> LabelHandles:
    """Build the tab inside the open `gr.Tab`."""
    tab = get_render_context()
    seat = gr.BrowserState(
        {"name": "me", "project": None}, storage_key="studio-label", secret="alignment-studio"
    )
    with gr.Row(elem_id="label-bar"):
        project = gr.Dropdown([], label="Project", elem_id="label-project", scale=4, min_width=180)
        annotator = gr.Textbox(
            "me", label="Your name", elem_id="label-name", max_length=80, scale=1, min_width=110
        )
    panel = gr.HTML(
        {},
        html_template='<div class="lab"></div>',
        js_on_load=_ON_LOAD,
        server_functions=questions(lambda: studio.labels),
        apply_default_css=False,
        elem_id="label-panel",
    )
    train = gr.Button("Train DPO", variant="primary", visible=False, elem_id="label-train")
    new = _build_new_project()

    blocks = Context.root_block
    if blocks is not None:  # in the browser: an answer from the server could undo what was typed
        blocks.load(None, [seat, annotator], annotator, js=_KNOWN_NAME, **QUIET)
    sit_down, taken = guard(_sit_down), [panel, seat, train]
    arrive = {
        "fn": guard(lambda kept, chosen: _arrive(studio, kept, chosen)),
        "inputs": [seat, project],
        "outputs": [project, new.box, new.dataset],
    }
    for come in (blocks.load if blocks else None, tab.select if isinstance(tab, gr.Tab) else None):
        if come is not None:
            come(**arrive, **QUIET).then(sit_down, [project, annotator], taken, **QUIET)
    gr.on(
        [project.change, annotator.submit, annotator.blur],
        sit_down, [project, annotator], taken, **QUIET,
    )  # fmt: skip
    panel.revealed(guard(lambda chosen: _offer(studio, chosen)), project, train, **QUIET)
    panel.blind(lambda: gr.Button(visible=False), None, train, **QUIET)
    new.create.click(
        guard(lambda *given: _create(studio, *given)),
        [new.dataset, new.name, new.question, new.guidelines],
        [project, new.message, new.name],
        **QUIET,
    )
    return LabelHandles(
        project,
        annotator,
        panel,
        train,
        make_dataset=lambda project_id: make_dataset(studio, project_id),
        start_from=lambda project_id: start_from(studio, project_id),
        open=lambda project_id: _projects(studio.labels.projects(), project_id),
    )


# ---- choosing what to label and who labels ------------------------------------------------------


def _choices(projects: list[Project]) -> list[tuple[str, str]]:
    return [(f"{p.name} \N{MIDDLE DOT} {plural(p.items, 'pair')}", p.id) for p in projects]


def _projects(projects: list[Project], chosen: str | None) -> Any:
    return gr.Dropdown(choices=_choices(projects), value=_pick(projects, chosen))


def _pick(projects: list[Project], chosen: str | None) -> str | None:
    """The chosen project while it exists, else the newest."""
    known = [project.id for project in projects]
    return chosen if chosen in known else next(iter(known), None)


def _seated(project_id: str | None, name: str) -> dict[str, Any]:
    """The panel's value; the stamp makes it look again even when nothing else changed."""
    return {"project": project_id, "annotator": (name or "").strip(), "stamp": time.time()}


def _arrive(studio: Studio, kept: Any, chosen: str | None) -> tuple[Any, ...]:
    wanted = chosen or (kept.get("project") if isinstance(kept, dict) else None)
    projects = studio.labels.projects()
    ready = [
        (f"{data.name} \N{MIDDLE DOT} {plural(sum(data.rows.values()), 'row')}", data.id)
        for data in studio.datasets.list()
        if data.type in LABELLABLE
    ]
    box = gr.Accordion(open=True) if not projects and ready else gr.Accordion()
    datasets = gr.Dropdown(choices=ready, value=ready[0][1] if ready else None)
    if chosen and chosen == _pick(projects, wanted):  # another may have been opened meanwhile
        return gr.Dropdown(choices=_choices(projects)), box, datasets
    return _projects(projects, wanted), box, datasets


def _sit_down(project_id: str | None, name: str) -> tuple[Any, Any, Any]:
    seat = {"name": (name or "").strip() or "me", "project": project_id}
    return _seated(project_id, name), seat, gr.Button(visible=False)


# ---- out of it ----------------------------------------------------------------------------------


def _offer(studio: Studio, project_id: str | None) -> Any:
    if not project_id:
        return gr.Button(visible=False)
    pairs = studio.labels.export(project_id, "dpo").summary.rows
    these = "this 1 pair" if pairs == 1 else f"these {plural(pairs, 'pair')}"
    says = f"Make a dataset and train DPO on {these} \N{RIGHTWARDS ARROW}"
    return gr.Button(says, visible=pairs > 0)


def make_dataset(studio: Studio, project_id: str | None) -> str:
    """Turn a project's votes into a preference dataset; returns its id.

    Raises `DataError` when no vote makes a pair yet.
    """
    if not project_id:
        raise DataError("No labelling project is chosen; choose one in Label first.")
    project = studio.labels.get(project_id)
    export = studio.labels.export(project.id, "dpo")
    if not export.rows:
        raise DataError(
            f"{project.name} has no pair to train on yet: judge at least one better than the other."
        )
    provenance = {
        "made_by": "labels",
        "project": project.id,
        "project_name": project.name,
        "project_provenance": project.provenance,
        "votes": export.summary.as_dict(),
        "run": source_run(studio.labels.judged(project.id)),
    }
    made = studio.datasets.from_rows(
        export.rows, type=export.type, name=f"{project.name} votes", provenance=provenance
    )
    return made.id


def start_from(studio: Studio, project_id: str) -> str | None:
    """The run whose answers were judged, to go on from; None, with a word, when it was deleted."""
    run_id = source_run(studio.labels.judged(project_id))
    if run_id is None:
        return None
    try:
        return studio.runs.get(run_id).id
    except StudioError:
        gr.Warning(f"The run that wrote these answers ({run_id}) is gone: DPO would start afresh.")
        return None


# ---- a new project ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _NewProject:
    box: gr.Accordion
    dataset: gr.Dropdown
    name: gr.Textbox
    question: gr.Textbox
    guidelines: gr.Textbox
    create: gr.Button
    message: gr.HTML


def _build_new_project() -> _NewProject:
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
            label="Guidelines", info="what makes an answer better", lines=2, max_length=20_000
        )
        create = gr.Button("Create project", size="md", elem_id="label-create")
        message = gr.HTML("", elem_id="label-new-message")
    return _NewProject(box, dataset, name, question, guidelines, create, message)


def _create(
    studio: Studio, dataset_id: str | None, name: str, question: str, guidelines: str
) -> tuple[Any, str, Any]:
    try:
        project, said = create_from_dataset(studio, dataset_id, name, question, guidelines)
    except StudioError as error:
        return gr.skip(), notice("error", sentence(error)), gr.skip()
    return _projects(studio.labels.projects(), project.id), notice("good", said), ""


def create_from_dataset(
    studio: Studio, dataset_id: str | None, name: str, question: str, guidelines: str
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
        provenance={"dataset": dataset.id, "fingerprint": dataset.fingerprint},
    )
    added = store.add_items(project.id, items)
    aside = ", ".join(f"{count} {reason}" for reason, count in added.set_aside.items())
    said = f"{project.name}: {plural(added.added, 'pair')} to judge"
    return project, f"{said}; set aside: {aside}." if aside else f"{said}."
