"""Making a labelling project: the form below the panel, for owners.

Pairs come from a prepared dataset, from two models that write them now, from a saved comparison, or
with the votes they were published with.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import gradio as gr

from components import comparison, prompt_sets
from components.common import QUIET, guard, notice, plural, sentence
from components.people import person
from studio.errors import ConfigError, DataError, StudioError
from studio.preference import DEFAULT_QUESTION, Project, items_from_rows

if TYPE_CHECKING:
    from studio import Studio

LABELLABLE = ("comparison", "preference")
KINDS = [
    ("A dataset", "dataset"),
    ("Two models, written now", "models"),
    ("A saved comparison", "comparison"),
    ("Published votes", "published"),
]
_LONGEST = 256  # tokens of an answer that is written to be judged


@dataclass(frozen=True)
class Wanted:
    """The form's fields, in the order in which they stand in it."""

    kind: str = "dataset"
    dataset: str | None = None
    a: str | None = None
    b: str | None = None
    prompts: str | None = None
    typed: str = ""
    count: float | None = 40
    warm_a: float | None = 0.8
    warm_b: float | None = 0.8
    saved: str | None = None
    files: list[str] | None = None
    name: str = ""
    question: str = ""
    guidelines: str = ""
    overlap: float | None = 0
    repeat_every: float | None = 0
    order: str = "random"
    reasons: str = ""
    aspects: str = ""

    def rules(self) -> dict[str, Any]:
        """What `create_project` takes beside a name."""
        return {
            "question": self.question,
            "guidelines": self.guidelines,
            "order": self.order,
            "overlap": int(self.overlap or 0),
            "repeat_every": int(self.repeat_every or 0),
            "reasons": self.reasons.split(","),
            "aspects": self.aspects.split(","),
        }


@dataclass(frozen=True)
class NewProject:
    """The form's parts; `given` are its fields in the order of `Wanted`."""

    box: gr.Accordion
    dataset: gr.Dropdown
    name: gr.Textbox
    given: list[Any]
    create: gr.Button
    message: gr.HTML


def build(studio: Studio) -> NewProject:
    """Build the form, closed."""
    with gr.Accordion("New project", open=False, elem_id="label-new") as box:
        kind = gr.Radio(KINDS, value="dataset", label="Pairs from", elem_id="label-kind")
        sources, shown = _build_sources()
        with gr.Row():
            name = gr.Textbox(label="Name", info="empty: named after the pairs", max_length=110)
            question = gr.Textbox(
                DEFAULT_QUESTION, label="Question", info="asked above every pair", max_length=200
            )
        guidelines = gr.Textbox(
            label="Guidelines", info="what makes an answer better; Markdown", lines=3,
            max_length=20_000,
        )  # fmt: skip
        more = _build_more()
        create = gr.Button("Create project", size="md", elem_id="label-create")
        message = gr.HTML("", elem_id="label-new-message")
    dataset, a, b, prompts, *_ = sources
    saved = sources[-2]
    gr.on(
        [kind.change, box.expand], guard(lambda chosen: _choices(studio, chosen)), kind,
        [*shown, a, b, prompts, saved], **QUIET,
    )  # fmt: skip
    given = [kind, *sources, name, question, guidelines, *more]
    return NewProject(box, dataset, name, given, create, message)


def _build_sources() -> tuple[list[Any], list[Any]]:
    """The fields of every kind, and the groups that one of them is shown of."""
    with gr.Column() as from_dataset:
        dataset = gr.Dropdown(
            [], label="Dataset", info="comparison or preference data, prepared in Data",
            elem_id="label-dataset",
        )  # fmt: skip
    with gr.Column(visible=False) as from_models:
        with gr.Row():
            a = gr.Dropdown([], label="One side", allow_custom_value=True, elem_id="label-a")
            warm_a = gr.Number(
                0.8, label="Temperature", minimum=0, maximum=5, step=0.1, min_width=110
            )
            b = gr.Dropdown([], label="The other", allow_custom_value=True, elem_id="label-b")
            warm_b = gr.Number(
                0.8, label="Temperature", minimum=0, maximum=5, step=0.1, min_width=110
            )
        with gr.Row():
            prompts = gr.Dropdown([], label="Prompts", elem_id="label-prompts", scale=3)
            count = gr.Number(
                40, label="At most", precision=0, minimum=1, maximum=100_000, min_width=110,
                elem_id="label-prompt-count",
            )  # fmt: skip
        typed = gr.Textbox(
            label="Prompts", lines=4, info="one a line", visible=False, max_length=100_000
        )
    with gr.Column(visible=False) as from_saved:
        saved = gr.Dropdown([], label="Comparison", info="saved in Compare")
    with gr.Column(visible=False) as from_files:
        files = gr.File(
            label="A table with raters' columns, or questions, two answers and reviews",
            file_count="multiple", file_types=[".json", ".jsonl"], elem_id="label-files",
        )  # fmt: skip
    prompts.change(
        guard(lambda source: gr.Textbox(visible=source == prompt_sets.TYPED)),
        prompts,
        typed,
        **QUIET,
    )
    return (
        [dataset, a, b, prompts, typed, count, warm_a, warm_b, saved, files],
        [from_dataset, from_models, from_saved, from_files],
    )


def _choices(studio: Studio, kind: str) -> tuple[Any, ...]:
    """The chosen kind's fields, with what the workspace offers for them now."""
    groups = [gr.Column(visible=kind == name) for _, name in KINDS]
    if kind == "models":
        finished = comparison.finished(studio)
        columns = comparison.column_choices(finished)
        usual = f"run:{finished[0].id}" if finished else "base:pocket"
        sets = prompt_sets.source_choices(studio)
        offered = (gr.Dropdown(choices=columns, value=usual) for _ in range(2))
        return *groups, *offered, gr.Dropdown(choices=sets, value=sets[0][1]), gr.skip()
    if kind == "comparison":
        kept = comparison.saved(studio)
        chosen = gr.Dropdown(choices=kept, value=kept[0][1] if kept else None)
        return *groups, gr.skip(), gr.skip(), gr.skip(), chosen
    return *groups, gr.skip(), gr.skip(), gr.skip(), gr.skip()


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
                [("in random order", "random"), ("as they come", "given"),
                 ("most informative first", "uncertain")], value="random",
                label="Order", info="of the last, a random quarter counts for win rates",
                min_width=150,
            )  # fmt: skip
        with gr.Row():
            reasons = gr.Textbox(
                label="Reasons", info="to tick beside a verdict, with commas", max_length=800
            )
            aspects = gr.Textbox(
                label="Aspects", info="judged beside the question, with commas", max_length=800
            )
    return [overlap, repeat, order, reasons, aspects]


# ---- making it ----------------------------------------------------------------------------------


def create(studio: Studio, *given: Any) -> tuple[Project | None, str]:
    """A project from the form's fields and the notice to show; None when it could not be made."""
    wanted = Wanted(**{each.name: value for each, value in zip(fields(Wanted), given, strict=True)})
    makers = {
        "dataset": from_dataset,
        "models": from_models,
        "comparison": from_comparison,
        "published": from_published,
    }
    try:
        person().must_own("make a project")
        if wanted.kind not in makers:
            raise ConfigError("Choose where the pairs come from.")
        project, said = makers[wanted.kind](studio, wanted)
    except StudioError as error:
        return None, notice("error", sentence(error))
    return project, notice("good", said)


def from_dataset(studio: Studio, wanted: Wanted) -> tuple[Project, str]:
    """A project with every row of a comparison or preference dataset, and what to say."""
    if not wanted.dataset:
        raise DataError(
            "No dataset to label yet: prepare comparison data (prompt, answer1, answer2) in Data, "
            "or send pairs here from Compare."
        )
    store, dataset = studio.labels, studio.datasets.get(wanted.dataset)
    if dataset.type not in LABELLABLE:
        raise DataError(f"{dataset.name} holds {dataset.type} rows; labelling needs two answers.")
    rows: list[Any] = [row for split in dataset.rows for row in dataset.load(split)]
    items = items_from_rows(rows, {"dataset": dataset.id, "dataset_name": dataset.name})
    project = store.create_project(
        wanted.name.strip() or store.free_name(dataset.name),
        provenance={"dataset": dataset.id, "fingerprint": dataset.fingerprint},
        **wanted.rules(),
    )
    added = store.add_items(project.id, items)
    return project, _said(project.name, added.added, added.set_aside)


def from_models(studio: Studio, wanted: Wanted) -> tuple[Project, str]:
    """A project whose pairs two columns write from now on, in the background."""
    from studio.generation.request import Sampling
    from studio.preference.making import PairPlan, make_project

    chosen = comparison.sides(studio, [wanted.a, wanted.b])
    if len(chosen) < 2:
        raise ConfigError("Choose whose answers stand on either side.")
    asked = prompt_sets.load_set(studio, wanted.prompts or "", wanted.typed, int(wanted.count or 0))
    samplings = [
        Sampling(temperature=float(warm or 0), top_p=0.95 if warm else 1.0, seed=seed,
                 max_new_tokens=_LONGEST)
        for seed, warm in ((1, wanted.warm_a), (2, wanted.warm_b))
    ]  # fmt: skip
    same = chosen[0].label == chosen[1].label
    columns = [
        side.sampled(sampling, f"{side.label}, seed {sampling.seed}" if same else side.label)
        for side, sampling in zip(chosen, samplings, strict=True)
    ]
    plan = PairPlan(
        "", (columns[0], columns[1]), asked.prompts, samplings[0],
        informative=wanted.order == "uncertain",
    )  # fmt: skip
    name = wanted.name.strip() or f"{chosen[0].label} or {chosen[1].label}"[:110]
    project = make_project(studio, plan, name, **wanted.rules())
    count = plural(len(asked.prompts), "prompt")
    return project, f"{project.name}: answers to {count} are being written; the first come at once."


def from_comparison(studio: Studio, wanted: Wanted) -> tuple[Project, str]:
    """A project of a saved comparison's first two columns."""
    if not wanted.saved:
        raise DataError("No comparison is saved yet; answer a set of prompts in Compare first.")
    kept = comparison.load(studio, wanted.saved)
    project_id, added, aside = comparison.to_label(
        studio, kept, wanted.name.strip(), **wanted.rules()
    )
    project = studio.labels.get(project_id)
    return project, _said(project.name, added, aside)


def from_published(studio: Studio, wanted: Wanted) -> tuple[Project, str]:
    """A project that is judged already, by those who published it."""
    from studio.preference.published import bring_in, read_published

    if not wanted.files:
        raise DataError("Choose the file with the votes first.")
    read = read_published(wanted.files)
    project = bring_in(
        studio.labels, read, wanted.name.strip(),
        question=wanted.question, guidelines=wanted.guidelines,
    )  # fmt: skip
    votes = plural(project.done, "vote")
    return project, f"{project.name}: {plural(project.items, 'pair')} with {votes}."


def _said(name: str, added: int, aside: dict[str, int]) -> str:
    """What came of it, and what was set aside."""
    left = ", ".join(f"{count} {reason}" for reason, count in aside.items())
    said = f"{name}: {plural(added, 'pair')} to judge"
    return f"{said}; set aside: {left}." if left else f"{said}."
