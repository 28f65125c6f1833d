"""The calculator's right column: an estimate asked for and laid out, as markup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from components.calculator import lora_matrix_svg, memory_html, module_tree_html
from components.ui.handlers import sentence
from components.ui.html import empty_state, esc, notice, section
from studio.calculator.adapter_settings import METHODS, RANKED, TARGETED, UNQUANTIZED
from studio.calculator.gpus import THIS_MACHINE
from studio.calculator.matrices import matrix
from studio.core.errors import StudioError
from studio.runs.methods import adapter_fields, field_applies
from studio.runs.objectives import OBJECTIVES, conversion
from studio.workflows.estimate_run import kind_of

if TYPE_CHECKING:
    from studio import Studio

_RANKS = (1, 2, 4, 8, 16, 32, 64, 128)
# rsLoRA, PiSSA and LoftQ train what LoRA trains.
_SIDE_BY_SIDE = tuple(name for name in METHODS if name not in ("rslora", "pissa", "loftq"))
WORKSHOP = 1_531_904
WORKSHOP_NOTE = (
    "The workshop's notebook prints this ratio as 13.91 %. Trainable over all is 0.001391, which "
    "is 0.1391 %; 13.91 is that ratio times a hundred, twice."
)
UNITS_NOTE = (
    "Counts are exact: PEFT's own objects, on shapes without weights. "
    "GB is 10\N{SUPERSCRIPT NINE} bytes."
)
ESTIMATE_NOTE = (
    "Memory is an estimate for one device at full length. Time is a range: the card's peak at the "
    "stated share of it, or what an earlier run of this shape did here."
)


def waiting() -> str:
    """While the libraries load."""
    return empty_state(
        "The libraries are loading",
        "Counting parameters takes PEFT itself; the figures appear here by themselves.",
        "A matrix needs none of that: the other door is open.",
    )


def nothing(where: str = "") -> str:
    """When there is no estimate: the sentence stands beside the choices."""
    what = "this model" if where == "model" else "these choices"
    return empty_state(f"No figures for {what}", "What is wrong is said beside the choices.")


def matrix_or_words(out: Any, into: Any, r: Any) -> str:
    """The matrix door's right column."""
    try:
        return lora_matrix_svg.matrix_view(matrix(out, into, r))
    except StudioError as error:
        return notice("error", sentence(error))


def model_view(
    studio: Studio, chosen: Mapping[str, Any], recipe: Any = None
) -> tuple[str, tuple[tuple[tuple[str, Any], ...], ...]]:
    """The figures' markup, and the settings behind each offered change.

    `recipe` is what the choices come to, for the speed of earlier runs like it. Raises the
    engine's `StudioError`s for choices that cannot be estimated.
    """
    from studio.calculator.advice import suggestions
    from studio.calculator.estimates import estimate

    model, settings, per_hour = _settings(studio, chosen, recipe)
    found = estimate(model, **settings)
    if per_hour is None:
        from studio.calculator.prices import prices

        per_hour = prices(studio.workspace).get(found.card.name)
    offered = suggestions(found)
    parts = [
        memory_html.headline(found, per_hour),
        f'<section class="panel">{memory_html.memory_bar(found)}'
        f"{memory_html.changes(offered)}</section>",
        _details(found),
        _methods(model, settings, found),
        memory_html.sources(found, _remarks(found, per_hour), _checks()),
    ]
    warnings = _wrong_data(studio, chosen) + _warnings(found)
    return f'<div class="calc">{warnings}{"".join(parts)}</div>', tuple(
        change.settings for change in offered
    )


def _settings(
    studio: Studio, chosen: Mapping[str, Any], recipe: Any
) -> tuple[str, dict[str, Any], float | None]:
    """The model, `estimate`'s keyword arguments, and a price that was typed."""
    from studio.calculator.estimates import keeps_base

    settings = {name: value for name, value in chosen.items() if value not in (None, "")}
    model, per_hour = settings.pop("model", ""), settings.pop("per_hour", None)
    dataset = settings.pop("dataset", None)
    settings["keep_base"] = keeps_base(settings["method"])
    if settings.pop("all_logits", False):
        settings["fused_loss"] = False
    settings = {
        key: value for key, value in settings.items() if value or key not in ("rows", "mean_tokens")
    }
    if dataset and "rows" not in settings and learns(studio, dataset, settings["objective"]):
        settings["lengths"] = _lengths(studio, model, dataset, recipe)
    if recipe is not None and settings["card"] == THIS_MACHINE:
        from studio.calculator.measured_speed import earlier_speed

        speed = earlier_speed(studio.runs.list(), recipe)
        if speed:
            settings["tokens_per_second"] = speed.tokens_per_second
    return model, settings, per_hour or None


def learns(studio: Studio, dataset: str, objective: str) -> bool:
    """Whether an objective can learn from a dataset; one whose kind is not known may do."""
    kind = kind_of(studio, dataset)
    return kind is None or kind in OBJECTIVES[objective].types


def _lengths(studio: Studio, model: str, dataset: str, recipe: Any) -> Any:
    from studio.runs.recipe import Recipe
    from studio.workflows.estimate_run import dataset_lengths

    about = recipe or Recipe.defaults()
    try:
        return dataset_lengths(
            studio, about.with_(dataset_name=dataset, model_name_or_path=model or "pocket")
        )
    except StudioError:
        return None  # what is wrong with the model is said where it is counted


def _wrong_data(studio: Studio, chosen: Mapping[str, Any]) -> str:
    """Rows that the objective cannot learn from give no time, and the page says so."""
    dataset, objective = chosen.get("dataset"), chosen["objective"]
    if not dataset or chosen.get("rows") or learns(studio, dataset, objective):
        return ""
    kind = kind_of(studio, dataset) or ""
    said = f"{OBJECTIVES[objective].label} cannot learn from rows of type {kind}"
    return notice("warn", f"{said}, so there is no time: {conversion(objective, kind)}.")


def _warnings(found: Any) -> str:
    """What a person should know before the figures."""
    telling = ("matches nothing", "remote code", "changes nothing")
    remarks = [note for note in found.notes if any(words in note for words in telling)]
    return "".join(notice("warn", remark) for remark in remarks)


def _remarks(found: Any, per_hour: float | None) -> list[str]:
    from studio.calculator import formatting, prices

    remarks = [UNITS_NOTE, ESTIMATE_NOTE, f"Shape: {found.origin}."]
    remarks += [note for note in found.notes if note not in remarks]
    cost = found.cost
    if cost.data:
        remarks.append(f"Data: {cost.data}.")
    if cost.seconds:
        own, carried = (formatting.count(number) for number in cost.tokens)
        trained = f", {formatting.count(cost.trained)} of them trained" if cost.trained else ""
        remarks.append(f"{cost.steps:,} steps over {own} tokens{trained}; {carried} with padding.")
        remarks.append(f"Time: {cost.basis}.")
    if per_hour:
        remarks.append(f"Prices as they come: {prices.source()}. Yours, under More, go before.")
    return remarks


def _checks() -> list[tuple[str, str, int, int, str]]:
    """(what, where the figure is from, the figure, the estimate, assumptions)."""
    from studio.calculator.reference_points import MEASURED, RULES_OF_THUMB

    return [
        (point.label, point.source, point.peak, point.estimated(), point.assumes)
        for point in (*MEASURED, *RULES_OF_THUMB)
    ]


def _details(found: Any) -> str:
    """The tree of modules, beside the curve over ranks where there is a rank, and the layers."""
    from studio.calculator.parameters import curve

    hint = "click to choose" if found.spec.name in TARGETED else "what trains"
    tree = (
        f'<section class="panel">{section("Modules", hint)}'
        f'<div class="scroll">{module_tree_html.module_tree(found)}</div>'
        f"{_workshop(found)}</section>"
    )
    strip = module_tree_html.layer_strip(found)
    side = f'<section class="panel">{section("Layers", "trainable")}{strip}</section>'
    if not strip:
        side = ""
    if found.spec.name in RANKED:
        rank = found.spec.lora_r
        ranks = tuple(sorted({*_RANKS, rank}))
        ladder = memory_html.rank_curve(curve(found.skeleton, found.spec, ranks), rank)
        head = section("Over ranks", "click to choose")
        side = f'<section class="panel">{head}{ladder}</section>{side}'
    return f'<div class="two">{tree}<div class="calc">{side}</div></div>' if side else tree


def _workshop(found: Any) -> str:
    if found.trainable_parameters != WORKSHOP:
        return ""
    return f'<p class="calc-note">{esc(WORKSHOP_NOTE)}</p>'


def _methods(model: Any, settings: Mapping[str, Any], found: Any) -> str:
    now = found.spec.name
    rows = [
        (method, found, "") if method == now else (method, *_other(model, settings, found, method))
        for method in dict.fromkeys((*_SIDE_BY_SIDE, now))
    ]
    table = memory_html.method_table(rows, now, METHODS)
    return (
        f'<section class="panel">{section("Methods side by side", "same rank, targets and batch")}'
        f'<div class="scroll">{table}</div></section>'
    )


def _other(
    model: Any, settings: Mapping[str, Any], found: Any, method: str
) -> tuple[Any | None, str]:
    """Another method's estimate, or the first words of why there is none."""
    from studio.calculator.estimates import estimate, keeps_base

    kept = {
        name: value
        for name, value in settings.items()
        if name not in adapter_fields() or field_applies(name, method)
    }
    changed = {**kept, "method": method, "card": found.card, "keep_base": keeps_base(method)}
    if method in UNQUANTIZED or method in ("qlora", "loftq"):
        changed["quantization"] = "none"
    if method == "ia3":
        changed.pop("lora_target_modules", None)
    try:
        return estimate(model, **changed), ""
    except StudioError as error:
        return None, sentence(error)
