"""Label: two answers without names, one key per vote. The votes become the next run's data.

The panel is one custom component (`static/label.js`) that calls `annotation_api` directly, so that
a vote is one round trip; Gradio's own widgets only choose the project and the annotator.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.label import project_form, project_handlers, projects_html, rounds
from components.label.annotation_api import server_functions
from components.label.judges import Judges
from components.ui.access import Person, person
from components.ui.compat import event_data, open_container, outside_containers
from components.ui.handlers import QUIET, guard, page_loads
from components.ui.page_context import PageContext
from studio.core.errors import DataError, StudioError
from studio.core.formatting import DOT, plural
from studio.core.hub_backup import backup_age
from studio.engine.run_backup import is_ephemeral_disk
from studio.labels import Project, source_run
from studio.workflows.label_projects import LABELLABLE
from studio.workflows.rounds import votes_dataset

if TYPE_CHECKING:
    from studio import Studio

_ON_LOAD = """
studioLabel(element, server, {
  revealed: () => trigger('revealed'),
  blind: () => trigger('blind'),
  value: () => props.value,
  watch: callback => watch('value', callback),
});
"""
_KNOWN_NAME = "(seat, name) => (seat?.name === 'me' ? '' : seat?.name) || name"
"""What was typed in this browser before; "me" was everybody's name before it was asked for."""
NETWORK_ADVICE = (
    "A database file on a network disk can break: set STUDIO_HOME to a local disk, or "
    "STUDIO_DATABASE_URL to a PostgreSQL server."
)


@dataclass(frozen=True)
class LabelHandles:
    """What the page's wiring uses.

    `project` holds the chosen project's id; `open(project_id)` is the update for it that brings a
    project up, also one made a moment ago. `train_button` shows itself once results are on the page
    and there is something to train on; wire its click with `project` as input to
    `make_dataset(project_id) -> dataset id` and `start_from(project_id) -> run id or None`.
    """

    project: gr.Dropdown
    train_button: gr.Button
    make_dataset: Callable[[str], str]
    start_from: Callable[[str], str | None]
    open: Callable[[str], Any]
    traced: gr.HTML
    """Training rows behind a preference; a click sends `data-dataset` and the `data-open` row."""


def build(studio: Studio, ctx: PageContext) -> LabelHandles:
    """Build the tab inside the open `gr.Tab`."""
    tab = open_container()
    seat = _remembered()
    with gr.Tabs(selected="pairs", elem_classes="views", elem_id="label-views") as views:
        with gr.Tab("Pairs", id="pairs"):
            project, annotator, panel, train = _pairs(studio)
        with gr.Tab("Projects", id="projects") as listing:
            begin = gr.Button(
                "New project", variant="primary", elem_id="label-begin", elem_classes="begin"
            )
            cards = gr.HTML("", js_on_load=projects_html.OPEN, elem_id="label-projects")
            new = project_form.build(studio)
        with gr.Tab("Rounds", id="rounds") as history:
            traced = rounds.build(studio, project, history)
        with gr.Tab("Judges", id="judges") as judging:
            judges = Judges(studio)
            judges.lay_out()
            judges.bind(judging, project)

    for load in page_loads():  # in the browser: the server's answer could undo what was typed
        load(None, [seat, annotator], annotator, js=_KNOWN_NAME, **QUIET)
    sit_down, taken = guard(_sit_down, "everybody"), [panel, seat, train]
    arrive = {
        "fn": guard(lambda kept, chosen: _arrive(studio, kept, chosen), "everybody"),
        "inputs": [seat, project],
        "outputs": [
            project,
            annotator,
            new.box,
            new.dataset,
            cards,
            views,
            listing,
            history,
            judging,
        ],
    }
    arrivals = [*page_loads(), *([tab.select] if isinstance(tab, gr.Tab) else [])]
    for come in arrivals:
        come(**arrive, **QUIET).then(sit_down, [project, annotator], taken, **QUIET)
    gr.on(
        [project.change, annotator.submit, annotator.blur],
        sit_down,
        [project, annotator],
        taken,
        **QUIET,
    )

    def opened(event: gr.EventData) -> tuple[Any, gr.Tabs]:
        return _opened(studio, event)

    project.change(guard(lambda: gr.Tabs(selected="pairs"), "everybody"), None, views, **QUIET)
    begin.click(None, None, None, js=projects_html.OPEN_FORM, **QUIET)
    cards.click(guard(opened), None, [project, views], **QUIET)
    listing.select(guard(lambda: projects_html.cards(studio.labels)), None, cards, **QUIET)
    panel.revealed(
        guard(lambda chosen: _offer(studio, chosen), "everybody"), project, train, **QUIET
    )
    panel.blind(guard(lambda: gr.Button(visible=False), "everybody"), None, train, **QUIET)
    new.create.click(
        guard(lambda *given: _created(project_handlers.create(studio, *given), studio)),
        new.given,
        [project, new.message, new.name],
        **QUIET,
    )
    return LabelHandles(
        project,
        train,
        make_dataset=lambda project_id: make_dataset(studio, project_id),
        start_from=lambda project_id: start_from(studio, project_id),
        open=lambda project_id: _projects(studio.labels.projects(), project_id),
        traced=traced,
    )


def _pairs(studio: Studio) -> tuple[gr.Dropdown, gr.Textbox, gr.HTML, gr.Button]:
    """What the first view holds: project and name, the panel, and the button out of it."""
    with gr.Row(elem_id="label-bar"):
        project = gr.Dropdown([], label="Project", elem_id="label-project", scale=4, min_width=180)
        annotator = gr.Textbox(
            "", label="Your name", elem_id="label-name", max_length=80, scale=1, min_width=110
        )
    panel = gr.HTML(
        {},
        html_template='<div class="lab"></div>',
        js_on_load=_ON_LOAD,
        server_functions=server_functions(
            lambda: studio.labels, lambda project: _about(studio, project)
        ),
        apply_default_css=False,
        elem_id="label-panel",
    )
    train = gr.Button("Train DPO", variant="primary", visible=False, elem_id="label-train")
    return project, annotator, panel, train


# ---- choosing what to label and who labels ------------------------------------------------------


def _remembered() -> gr.BrowserState:
    """Name and project, kept in the browser; outside the tab, which would read them too late."""
    with outside_containers():
        return gr.BrowserState(
            {"name": "", "project": None}, storage_key="studio-label", secret="alignment-studio"
        )


def _choices(projects: list[Project]) -> list[tuple[str, str]]:
    return [(f"{p.name}{DOT}{plural(p.items, 'pair')}", p.id) for p in projects]


def _projects(projects: list[Project], chosen: str | None) -> Any:
    return gr.Dropdown(choices=_choices(projects), value=_pick(projects, chosen))


def _pick(projects: list[Project], chosen: str | None, none: bool = False) -> str | None:
    """The chosen project while it exists, else the newest, or none."""
    known = [project.id for project in projects]
    return chosen if chosen in known else None if none else next(iter(known), None)


def _opened(studio: Studio, event: gr.EventData) -> tuple[Any, gr.Tabs]:
    wanted = str(event_data(event)["project"])
    return _projects(studio.labels.projects(), wanted), gr.Tabs(selected="pairs")


def _seated(project_id: str | None, name: str) -> dict[str, Any]:
    """The panel's value; the stamp makes it look again even when nothing else changed."""
    return {"project": project_id, "annotator": (name or "").strip(), "stamp": time.time()}


def _arrive(studio: Studio, kept: Any, chosen: str | None) -> tuple[Any, ...]:
    who = _welcome()
    # Votes are stored under the login, whatever name comes with them.
    name = gr.Textbox(visible=False, value=who.name or "me") if who.login else gr.skip()
    if not who.owner:
        projects = studio.labels.projects()
        gone, hidden = gr.Accordion(visible=False), gr.Tab(visible=False)
        first = gr.Tabs(selected="pairs")
        hiding = (hidden, hidden, hidden)
        return _projects(projects, chosen), name, gone, gr.skip(), "", first, *hiding
    wanted = chosen or (kept.get("project") if isinstance(kept, dict) else None)
    projects = studio.labels.projects()
    ready = [
        (f"{data.name}{DOT}{plural(sum(data.rows.values()), 'row')}", data.id)
        for data in studio.datasets.list()
        if data.type in LABELLABLE
    ]
    box = gr.skip()  # shown to owners from the start
    many = len(projects) != 1 and not _pick(projects, wanted, none=True)
    views = gr.Tabs(selected="projects") if many else gr.skip()
    listed = (projects_html.cards(studio.labels), views, gr.skip(), gr.skip(), gr.skip())
    datasets = gr.Dropdown(choices=ready, value=ready[0][1] if ready else None)
    if chosen and chosen == _pick(projects, wanted):  # another may have been opened meanwhile
        return gr.Dropdown(choices=_choices(projects)), name, box, datasets, *listed
    if many:  # somebody who has not labeled here before chooses first
        return gr.Dropdown(choices=_choices(projects)), name, box, datasets, *listed
    return _projects(projects, wanted), name, box, datasets, *listed


def _welcome() -> Person:
    """Who is here; before signing in, somebody who only sees the projects' names."""
    try:
        return person()
    except DataError:
        return Person("", owner=False, login=True)


def _about(studio: Studio, project_id: str) -> dict[str, Any]:
    """What a visit shows besides the pairs: pairs still to come, pairs set aside, the backup."""
    plan = studio.pairs.plan(project_id)
    told: dict[str, Any] = {"aside": plan.set_aside if plan else {}}
    if plan is not None and not plan.done:
        told["coming"] = {"left": len(plan.prompts) - plan.written, "error": plan.error}
    if disk := studio.workspace.network_disk():
        told["copy"] = {"kind": "warn", "text": f"votes lie on {disk}", "more": NETWORK_ADVICE}
    elif studio.votes_backup is not None:
        told["copy"] = backup_age(studio.votes_backup)
    elif studio.workspace.votes_url.startswith("sqlite") and is_ephemeral_disk(
        studio.workspace.home
    ):
        more = "Set STUDIO_VOTES_REPO to a private dataset, or use storage under /data."
        told["copy"] = {
            "kind": "warn",
            "text": "not backed up: this disk is not persistent",
            "more": more,
        }
    return told


def _sit_down(project_id: str | None, name: str) -> tuple[Any, Any, Any]:
    seat = {"name": (name or "").strip(), "project": project_id}
    return _seated(project_id, name), seat, gr.Button(visible=False)


def _created(made: tuple[Project | None, str], studio: Studio) -> tuple[Any, str, Any]:
    project, said = made
    if project is None:
        return gr.skip(), said, gr.skip()
    return _projects(studio.labels.projects(), project.id), said, ""


# ---- out of it ----------------------------------------------------------------------------------


def _offer(studio: Studio, project_id: str | None) -> Any:
    if not project_id or not person().owner:
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
        raise DataError("No labeling project is chosen; choose one in Label first.")
    person().must_own("make a dataset of a project's votes")
    return votes_dataset(studio, project_id).id


def start_from(studio: Studio, project_id: str) -> str | None:
    """The run whose answers were labeled, to continue from; None, with a warning, if deleted."""
    run_id = source_run(studio.labels.labelled_pairs(project_id))
    if run_id is None:
        return None
    try:
        return studio.runs.get(run_id).id
    except StudioError:
        gr.Warning(
            f"The run that wrote these answers ({run_id}) was deleted: DPO starts from the base."
        )
        return None
