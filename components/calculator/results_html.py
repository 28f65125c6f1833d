"""The calculator's right column: a recipe's estimate as markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from components.calculator import length_html, lora_matrix_svg, memory_html, module_tree_html
from components.ui import recipe_fields
from components.ui.handlers import sentence
from components.ui.html import empty_state, esc, notice, section
from studio.calculator.matrices import matrix
from studio.core.errors import StudioError
from studio.runs.methods import METHODS, field_applies
from studio.runs.objectives import OBJECTIVES, conversion
from studio.workflows.estimate_run import kind_of

if TYPE_CHECKING:
    from components.calculator.inputs import Asked
    from studio import Studio
    from studio.calculator import RunEstimate
    from studio.runs.recipe import Recipe

_RANKS = (1, 2, 4, 8, 16, 32, 64, 128)
# PiSSA and LoftQ train what LoRA trains.
_SIDE_BY_SIDE = tuple(name for name in METHODS if name not in ("pissa", "loftq"))
WORKSHOP = 1_531_904
WORKSHOP_NOTE = (
    "The workshop's notebook prints this ratio as 13.91 %. Trainable over all is 0.001391, which "
    "is 0.1391 %; 13.91 is that ratio times a hundred, twice."
)
UNITS_NOTE = (
    "Counts are exact: PEFT's own modules, on shapes without weights. "
    "GB is 10\N{SUPERSCRIPT NINE} bytes."
)
ESTIMATE_NOTE = (
    "Memory is an estimate for one device at full length. Time is a range: from the "
    "stated share of the GPU's peak, or from the speed of an earlier run of this shape here."
)


def waiting() -> str:
    """While the libraries load."""
    return empty_state(
        "The libraries are loading",
        "Parameters are counted by PEFT itself; the figures appear here once it is loaded.",
        "A matrix needs no libraries: choose A matrix above.",
    )


def nothing(where: str = "") -> str:
    """When there is no estimate: the sentence is shown beside the fields."""
    what = "this model" if where == "model" else "these settings"
    return empty_state(f"No figures for {what}", "See the message beside the settings.")


def matrix_or_words(out: Any, into: Any, r: Any) -> str:
    """The matrix view's right column."""
    try:
        return lora_matrix_svg.matrix_view(matrix(out, into, r))
    except StudioError as error:
        return notice("error", sentence(error))


def model_view(
    studio: Studio, recipe: Recipe, asked: Asked
) -> tuple[str, tuple[tuple[tuple[str, Any], ...], ...]]:
    """The figures' markup, and the recipe changes behind each offered button.

    Raises the engine's `StudioError`s for recipes that cannot be estimated.
    """
    from studio.calculator.advice import suggestions

    found = _estimate(studio, recipe, asked)
    per_hour = asked.per_hour
    if per_hour is None:
        from studio.calculator.prices import prices

        per_hour = prices(studio.workspace).get(found.gpu.name)
    offered = suggestions(found)
    parts = [
        memory_html.headline(found, per_hour),
        f'<section class="panel">{memory_html.memory_bar(found)}'
        f"{memory_html.changes(offered)}</section>",
        _details(found),
        _lengths(studio, found, asked),
        _methods(found),
        memory_html.sources(found, _remarks(found, per_hour), _checks()),
    ]
    warnings = "" if asked.rows else _wrong_data(studio, recipe)
    return f'<div class="calc">{warnings}{_warnings(found)}{"".join(parts)}</div>', tuple(
        change.settings for change in offered
    )


def _estimate(studio: Studio, recipe: Recipe, asked: Asked) -> RunEstimate:
    from studio.calculator import RowCount, estimate
    from studio.workflows.estimate_run import estimate_run

    if asked.rows:
        return estimate_run(studio, recipe, asked.gpu, RowCount(asked.rows, asked.mean_tokens))
    if not learns(studio, recipe.dataset_name, recipe.objective):
        return estimate(recipe, asked.gpu)
    return estimate_run(studio, recipe, asked.gpu)


def learns(studio: Studio, dataset: str, objective: str) -> bool:
    """Whether an objective can learn from a dataset; one whose kind is not known may do."""
    kind = kind_of(studio, dataset)
    return kind is None or kind in OBJECTIVES[objective].types


def _wrong_data(studio: Studio, recipe: Recipe) -> str:
    """Rows that the objective cannot learn from give no time, and the page says so."""
    dataset, objective = recipe.dataset_name, recipe.objective
    if learns(studio, dataset, objective):
        return ""
    kind = kind_of(studio, dataset) or ""
    problem = f"{OBJECTIVES[objective].label} cannot learn from rows of type {kind}"
    return notice("warn", f"{problem}, so there is no time: {conversion(objective, kind)}.")


def _warnings(found: RunEstimate) -> str:
    """What to know before reading the figures."""
    telling = ("matches nothing", "remote code", "changes nothing")
    remarks = [note for note in found.notes if any(words in note for words in telling)]
    return "".join(notice("warn", remark) for remark in remarks)


def _remarks(found: RunEstimate, per_hour: float | None) -> list[str]:
    from studio.calculator import prices
    from studio.core import formatting

    remarks = [UNITS_NOTE, ESTIMATE_NOTE, f"Shape: {found.model.source.origin}."]
    remarks += [note for note in found.notes if note not in remarks]
    cost = found.cost
    if cost.data:
        remarks.append(f"Data: {cost.data}.")
    if cost.seconds and cost.tokens:
        own, carried = (formatting.compact(number) for number in cost.tokens)
        trained = f", {formatting.compact(cost.trained)} of them trained" if cost.trained else ""
        remarks.append(f"{cost.steps:,} steps over {own} tokens{trained}; {carried} with padding.")
        remarks.append(f"Time: {cost.basis}.")
    if per_hour:
        remarks.append(f"Prices: {prices.source()}; those under Hourly prices override them.")
    return remarks


def _checks() -> list[tuple[str, str, int, int, str]]:
    """(what, where the figure is from, the figure, the estimate, assumptions)."""
    from studio.calculator.reference_points import MEASURED, RULES_OF_THUMB

    return [
        (
            point.label,
            point.source,
            point.peak,
            point.estimated(),
            "; ".join(part for part in (f"Loop: {point.loop_words}", point.assumes) if part),
        )
        for point in (*MEASURED, *RULES_OF_THUMB)
    ]


def _details(found: RunEstimate) -> str:
    """The tree of modules, beside the curve over ranks where there is a rank, and the layers."""
    from studio.calculator.parameters import curve

    hint = (
        "click to choose"
        if field_applies("lora_target_modules", found.recipe.method)
        else "what trains"
    )
    tree = (
        f'<section class="panel">{section("Modules", hint)}'
        f'<div class="scroll">{module_tree_html.module_tree(found)}</div>'
        f"{_workshop(found)}</section>"
    )
    strip = module_tree_html.layer_strip(found)
    side = f'<section class="panel">{section("Layers", "trainable")}{strip}</section>'
    if not strip:
        side = ""
    if field_applies("lora_r", found.recipe.method):
        rank = found.recipe.lora_r
        ranks = tuple(sorted({*_RANKS, rank}))
        ladder = memory_html.rank_curve(curve(found.recipe, ranks), rank)
        head = section("By rank", "click to choose")
        side = f'<section class="panel">{head}{ladder}</section>{side}'
    return f'<div class="two">{tree}<div class="calc">{side}</div></div>' if side else tree


def _workshop(found: RunEstimate) -> str:
    if found.trainable_parameters != WORKSHOP:
        return ""
    return f'<p class="calc-note">{esc(WORKSHOP_NOTE)}</p>'


def _lengths(studio: Studio, found: RunEstimate, asked: Asked) -> str:
    """Memory by length, the rows by length, and from where shifted attention saves."""
    from studio.calculator import by_length, shifted_saving
    from studio.workflows.estimate_run import dataset_lengths

    recipe = found.recipe
    known = not asked.rows and learns(studio, recipe.dataset_name, recipe.objective)
    rows = dataset_lengths(studio, recipe) if known else None
    points = by_length.by_length(found, rows)
    curve = length_html.length_curve(points, recipe.max_length, found.gpu.memory)
    drawn = ""
    if rows is not None:
        drawn = length_html.row_histogram(by_length.row_lengths(found, rows), recipe.max_length)
    note = (
        "Attention is a small share of a step until rows are long: shifted_attention saves a "
        f"tenth of its operations from about {shifted_saving.shifted_from(found.work):,} tokens on."
    )
    return (
        f'<section class="panel">{section("By length", "click to choose max_length")}{curve}'
        f'{drawn}<p class="calc-note">{esc(note)}</p></section>'
    )


def _methods(found: RunEstimate) -> str:
    now = found.recipe.method
    rows = [
        (method, found, "") if method == now else (method, *_other(found, method))
        for method in dict.fromkeys((*_SIDE_BY_SIDE, now))
    ]
    table = memory_html.method_table(rows, now)
    head = section("Compare methods", "same rank, targets and batch")
    return f'<section class="panel">{head}<div class="scroll">{table}</div></section>'


def _other(found: RunEstimate, method: str) -> tuple[RunEstimate | None, str]:
    """Another method's estimate, or the sentence on why there is none."""
    from studio.calculator import estimate

    values = recipe_fields.written(found.recipe)
    values |= {"method": method, "load_in_4bit": False, "load_in_8bit": False}
    if method == "ia3":
        values["lora_target_modules"] = ""
    try:
        return estimate(recipe_fields.read(values), found.gpu), ""
    except StudioError as error:
        return None, sentence(error)
