"""What the Train form offers: datasets, runs to start from, the button's label, the estimate."""

from __future__ import annotations

import functools
import json
import re
import time
from typing import TYPE_CHECKING

import gradio as gr

from components.ui.cards import card_list
from components.ui.compat import Update
from components.ui.handlers import sentence
from components.ui.html import esc, notice
from components.ui.recipe_fields import choices_of, name_of, parameters
from studio.core import formatting
from studio.core.errors import StudioError
from studio.core.formatting import DOT, plural
from studio.data import SAMPLES
from studio.data.readers.sources import sample_path
from studio.runs.methods import METHODS
from studio.runs.mixture import draw
from studio.runs.objectives import EMBEDDING, GENERATING
from studio.runs.recipe import OBJECTIVE_TYPES, Recipe
from studio.runs.steps import planned_steps, too_little

if TYPE_CHECKING:
    from studio import Studio
    from studio.data import PreparedDataset
    from studio.runs.store import Run

_USUAL_OBJECTIVES = ("sft", "dpo", "reward", "grpo")
_SLOW = 3 * 3600.0  # seconds
MORE_OBJECTIVES = (
    '<button type="button" class="more-objectives" aria-expanded="false" '
    'data-more="train-objective">More objectives</button>'
)
FROM_BASE = ("the base model", "")
ANY_CARD = ("with most free memory", "")
_SAMPLE_TYPES = {"pocket-sft": "conversational", "pocket-preference": "preference"}
_SHORT = {
    "language_modeling": "plain text",
    "prompt_completion": "prompts and answers",
    "conversational": "chats",
    "preference": "pairs",
    "unpaired_preference": "labeled answers",
    "embedding_pairs": "texts that belong together",
    "scored_pairs": "scored pairs",
}


def objective_choices() -> list[tuple[str, str]]:
    """(label, value) of the objectives, the usual four first; the page folds away the others."""
    order = {name: at for at, name in enumerate(_USUAL_OBJECTIVES)}
    return sorted(choices_of("objective"), key=lambda each: order.get(each[1], len(order)))


def dataset_choices(studio: Studio, objective: str) -> list[tuple[str, str]]:
    """(label, value) of the datasets an objective can train on: prepared ones, then samples."""
    wanted = OBJECTIVE_TYPES[objective]
    prepared = [dataset for dataset in studio.datasets.list() if dataset.type in wanted]
    offered = [
        (
            DOT.join(
                (
                    dataset.name,
                    plural(dataset.rows.get("train", 0), "row"),
                    _SHORT.get(dataset.type, dataset.type),
                )
            ),
            _value(dataset),
        )
        for dataset in prepared
    ]
    names = {dataset.name for dataset in prepared}
    offered += [
        (f"{alias}{DOT}sample{DOT}{_SHORT[kind]}", alias)
        for alias, kind in _SAMPLE_TYPES.items()
        if alias in SAMPLES and alias not in names and kind in wanted
    ]
    return offered


def all_datasets(studio: Studio) -> list[tuple[str, str]]:
    """(label, value) of everything that some objective trains on, whichever is chosen."""
    found: dict[str, str] = {}
    for objective in OBJECTIVE_TYPES:
        found |= {value: label for label, value in dataset_choices(studio, objective)}
    return [(label, value) for value, label in found.items()]


def _value(dataset: PreparedDataset) -> str:
    """A dataset's value in the list: a prepared sample keeps its alias, so a choice stays valid."""
    return dataset.name if dataset.name in SAMPLES else dataset.id


def _prepared(studio: Studio, name: str | None) -> PreparedDataset | None:
    """The prepared dataset of this id or name, if there is one."""
    for dataset in studio.datasets.list():
        if name in (dataset.id, dataset.name):
            return dataset
    return None


def dataset_value(studio: Studio, name: str | None) -> str | None:
    """The list's value for a dataset given by id or name; other names unchanged."""
    dataset = _prepared(studio, name)
    return _value(dataset) if dataset else name


def train_rows(studio: Studio, name: str | None) -> int | None:
    """Training rows, as far as known without reading the data."""
    dataset = _prepared(studio, name)
    return dataset.rows.get("train") if dataset else None


@functools.cache
def _sample_rows(alias: str) -> int | None:
    try:
        with sample_path(alias).open("rb") as file:
            return sum(1 for line in file if line.strip())
    except OSError:
        return None


def known_rows(studio: Studio, name: str) -> int | None:
    """`train_rows`, or the rows of a sample that is not prepared yet."""
    rows = train_rows(studio, name)
    return _sample_rows(name) if rows is None and name in SAMPLES else rows


def recipe_rows(studio: Studio, recipe: Recipe) -> int | None:
    """`known_rows` of a recipe's dataset, or those drawn from all of them where it has several."""
    if not recipe.datasets:
        return known_rows(studio, recipe.dataset_name)
    sizes = [known_rows(studio, entry.path) for entry in recipe.datasets]
    known = [size for size in sizes if size is not None]
    return len(draw(recipe, known)) if len(known) == len(sizes) else None


def start_label(studio: Studio, name: str | None, datasets: str | None = None) -> str:
    """The primary button's label.

    Args:
        datasets: the form's text of a mixture, which counts in place of `name`.
    """
    if datasets:
        return f"Train on {len(datasets.split(';'))} datasets"
    rows = train_rows(studio, name)
    if rows is not None:
        return f"Train on {plural(rows, 'row')}"
    return f"Train on {name}" if name in SAMPLES else "Train"


def armed(studio: Studio, name: str | None, datasets: str | None = None) -> str:
    """`start_label` as JSON, with the form's values that it is of.

    Never the same twice: a value that stays as it was tells the page nothing.
    """
    label = start_label(studio, name, datasets)
    of = {"label": label, "dataset": name, "datasets": datasets}
    return json.dumps({**of, "at": time.monotonic_ns()})


def start_choices(
    studio: Studio, model: str | None, method: str, objective: str = "sft"
) -> list[tuple[str, str]]:
    """The base model, and the runs of this model whose adapter the objective can train further."""
    if not METHODS[method].adapter:
        return [FROM_BASE]
    alike = EMBEDDING if objective in EMBEDDING else GENERATING
    runs = [r for r in continuable(studio) if r.model == model and r.objective in alike]
    return [FROM_BASE, *((run_label(run), run.id) for run in runs)]


def continuable(studio: Studio) -> list[Run]:
    """Runs with an adapter, newest first."""
    return [
        run
        for run in studio.runs.list()
        if run.state in ("finished", "stopped") and run.adapter is not None
    ]


def card_update(studio: Studio, chosen: str, **settings: str) -> Update:
    """The GPUs to choose from with their free memory, shown where there are several.

    The choice stays: a GPU that is not there came with a recipe, and is refused in a sentence.
    """
    seen = card_list(studio)
    own = [] if chosen in ("", *(str(card.index) for card in seen)) else [(chosen, chosen)]
    choices = [ANY_CARD, *((card.label(), str(card.index)) for card in seen), *own]
    return gr.update(choices=choices, visible=len(seen) > 1 or bool(chosen), **settings)


def newest_sft(studio: Studio, model: str) -> Run | None:
    """The SFT run that DPO on this model would start from."""
    for run in continuable(studio):
        if run.model == model and run.objective == "sft":
            return run
    return None


def run_label(run: Run) -> str:
    """A run in a list of choices."""
    return f"{run.name}{DOT}{name_of(run.objective)}, {plural(run.step, 'step')}"


def signature(studio: Studio) -> tuple[object, ...]:
    """Changes when the lists would: new datasets, runs that ended, libraries loaded, full GPUs."""
    return (
        studio.workspace.datasets.stat().st_mtime_ns,
        tuple(run.id for run in continuable(studio)),
        studio.worker.ready,
        tuple((card.index, round(card.free / 1e9)) for card in card_list(studio)),
    )


def free_name(studio: Studio, recipe: Recipe) -> str:
    """The recipe's name, or the default one, numbered when it is taken."""
    return studio.runs.free_name(recipe.name or recipe.usual_name())


# ---- the line beside the button -----------------------------------------------------------------


def estimate_line(studio: Studio, recipe: Recipe) -> str:
    """Trainable parameters, memory, steps and time; only the steps until the rest is known."""
    try:
        rows = recipe_rows(studio, recipe)
    except StudioError as error:
        return line_html("", sentence(error))
    steps = planned_steps(recipe, rows) if rows else None
    said = plural(steps, "step") if steps else ""
    if not studio.worker.ready:
        return line_html(said, "memory and time appear once the libraries are loaded")
    try:
        from studio.workflows.estimate_run import advice, estimate_run

        estimate = estimate_run(studio, recipe)
        tokens = estimate.cost.tokens
        more = [plural(estimate.cost.steps, "step")] if estimate.cost.steps else []
        more += [f"{formatting.compact(tokens[0])} tokens"] if tokens else []
        if "measured" in estimate.cost.basis:
            more.append("time based on an earlier run")
        if any("experts stay frozen" in note for note in estimate.notes):
            more.append("experts stay frozen: see the Calculator")
        if little := too_little(estimate.cost.steps, rows):
            more.append(little)
        slow = estimate.cost.seconds is not None and estimate.cost.seconds[1] > _SLOW
        more += ["slow here: a GPU or a smaller model takes less"] if slow else []
        verdict = "tight" if slow and estimate.verdict == "fits" else estimate.verdict
        if better := advice(studio, recipe):
            more.append(better)
        return line_html(estimate.line(), DOT.join(more), verdict)
    except StudioError as error:
        return line_html(said, sentence(error))


def trouble_html(error: BaseException) -> str:
    """What is wrong, as a notice; the page moves it beside the parameter it names."""
    text = sentence(error)
    named = next(
        (word for word in re.findall(r"[a-z][a-z0-9_]+", text) if word in parameters()), ""
    )
    return f'<div data-field="{esc(named.replace("_", "-"))}">{notice("error", text)}</div>'


def line_html(text: str, more: str = "", verdict: str = "") -> str:
    """The line's markup; it takes up its space while it is empty."""
    kind = {"fits": "good", "tight": "warn", "does not fit": "danger"}.get(verdict, "")
    body = f"<b>{esc(text)}</b>" if text else ""
    rest = f"<span>{esc(more)}</span>" if more else ""
    return f'<p class="estimate {kind}">{body}{rest}</p>'
