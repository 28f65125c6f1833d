"""The calculator's right column: an estimate asked for and laid out, as markup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components import drawing
from components.common import empty_state, esc, notice, section, sentence
from studio.calculator.matrices import matrix
from studio.calculator.methods import METHODS, RANKED
from studio.errors import StudioError

_RANKS = (1, 2, 4, 8, 16, 32, 64, 128)
_SIDE_BY_SIDE = ("lora", "qlora", "dora", "adalora", "lokr", "vera", "ia3", "prompt_tuning", "full")
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
    "Memory is an estimate for one device at full length; it came within 5 % of the three runs "
    "that PEFT published for Llama-3.2-3B. Time is a range, for peak speed at the stated share."
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
        return drawing.matrix_view(matrix(out, into, r))
    except StudioError as error:
        return notice("error", sentence(error))


def model_view(chosen: Mapping[str, Any]) -> tuple[str, tuple[tuple[tuple[str, Any], ...], ...]]:
    """The figures' markup, and the settings behind each offered change.

    Raises the engine's `StudioError`s for choices that cannot be estimated.
    """
    from studio.calculator.advice import suggestions
    from studio.calculator.estimates import estimate

    settings = {name: value for name, value in chosen.items() if value is not None}
    model, per_hour = settings.pop("model"), settings.pop("per_hour", None)
    settings = {key: value for key, value in settings.items() if value or key not in
                ("rows", "mean_tokens")}  # fmt: skip
    targets = settings.get("lora_target_modules")
    if isinstance(targets, list) and "all-linear" in targets:
        settings["lora_target_modules"] = "all-linear"
    if settings["method"] == "ia3" and settings.get("lora_target_modules") == "all-linear":
        settings.pop("lora_target_modules")
    found = estimate(model or "", **settings)
    offered = suggestions(found)
    parts = [
        drawing.headline(found),
        f'<section class="panel">{drawing.memory_bar(found)}{drawing.changes(offered)}</section>',
        _details(found),
        _methods(model, settings, found),
        drawing.sources(found, _remarks(found, per_hour)),
    ]
    return f'<div class="calc">{_warnings(found)}{"".join(parts)}</div>', tuple(
        change.settings for change in offered
    )


def _warnings(found: Any) -> str:
    """What a person should know before the figures."""
    remarks = [note for note in found.notes if "matches nothing" in note or "remote code" in note]
    return "".join(notice("warn", remark) for remark in remarks)


def _remarks(found: Any, per_hour: float | None) -> list[str]:
    remarks = [UNITS_NOTE, ESTIMATE_NOTE, f"Shape: {found.origin}."]
    remarks += [note for note in found.notes if note not in remarks]
    if found.cost.seconds:
        remarks.append(f"Time: {found.cost.basis}.")
        if per_hour:
            low, high = found.cost.money(per_hour)
            remarks.append(f"Cost at {per_hour:g} an hour: {low:.2f} to {high:.2f}.")
    cache = found.memory.kv_cache_per_token
    remarks.append(f"Generating keeps {cache:,} bytes for every token of every row (KV cache).")
    return remarks


def _details(found: Any) -> str:
    """The table by module, beside the curve over ranks where there is a rank."""
    from studio.calculator.parameters import curve

    table = (
        f'<section class="panel">{section("By module", found.name)}'
        f'<div class="scroll">{drawing.module_table(found)}</div>{_workshop(found)}</section>'
    )
    if found.spec.method not in RANKED:
        return table
    rank = found.spec.lora_r
    ranks = tuple(sorted({*_RANKS, rank}))
    ladder = drawing.rank_curve(curve(found.skeleton, found.spec, ranks), rank)
    curve_panel = f'<section class="panel">{section("Over ranks", "trainable")}{ladder}</section>'
    return f'<div class="two">{table}{curve_panel}</div>'


def _workshop(found: Any) -> str:
    if found.trainable_parameters != WORKSHOP:
        return ""
    return f'<p class="calc-note">{esc(WORKSHOP_NOTE)}</p>'


def _methods(model: Any, settings: Mapping[str, Any], found: Any) -> str:
    rows = []
    for method in dict.fromkeys((*_SIDE_BY_SIDE, found.spec.method)):
        if method == found.spec.method:
            rows.append((METHODS[method], found, ""))
            continue
        rows.append((METHODS[method], *_other(model, settings, found, method)))
    table = drawing.method_table(rows, METHODS[found.spec.method])
    return (
        f'<section class="panel">{section("Methods side by side", "same rank, targets and batch")}'
        f'<div class="scroll">{table}</div></section>'
    )


def _other(
    model: Any, settings: Mapping[str, Any], found: Any, method: str
) -> tuple[Any | None, str]:
    """Another method's estimate, or the first words of why there is none."""
    from studio.calculator.estimates import estimate

    changed = {**settings, "method": method, "card": found.card}
    changed["quantization"] = "4bit" if method == "qlora" else "none"
    if method in ("ia3", "full") or method not in RANKED:
        changed.pop("lora_target_modules", None)
    elif "lora_target_modules" not in changed:
        changed["lora_target_modules"] = "all-linear"
    changed.pop("rows", None)
    try:
        return estimate(model, **changed), ""
    except StudioError as error:
        return None, sentence(error)
