"""The calculator's charts and tables: pure functions from an estimate to markup.

Plain markup styled by the page's own variables, so that light, dark and a phone's width need
nothing more. Every figure has its exact value on hover.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from components.ui.html import esc
from studio.core import formatting
from studio.core.formatting import DOT, plural, thousands
from studio.runs.methods import METHODS

if TYPE_CHECKING:
    from studio.calculator import Change, RunEstimate
    from studio.calculator.memory import Term

VERDICTS = {"fits": "good", "tight": "warn", "does not fit": "danger"}


def stat(label: str, value: str, below: str, kind: str = "", title: str = "") -> str:
    """A figure with its label and a line below, its exact value on hover."""
    hover = f' title="{esc(title)}"' if title else ""
    return (
        f'<div class="stat{" stat-" + kind if kind else ""}"{hover}><dt>{esc(label)}</dt>'
        f"<dd><b>{esc(value)}</b><span>{esc(below)}</span></dd></div>"
    )


def stats(tiles: Iterable[str]) -> str:
    """A row of tiles."""
    return f'<dl class="stats">{"".join(tiles)}</dl>'


def headline(estimate: RunEstimate, per_hour: float | None = None) -> str:
    """The three main figures: what trains, its memory, its time and cost."""
    total, gpu = estimate.memory.total, estimate.gpu
    trains = stat(
        "Trainable",
        formatting.compact(estimate.trainable_parameters),
        f"{formatting.percent_text(estimate.trainable_percent / 100)} of "
        f"{formatting.compact(estimate.parameters.all_parameters)}{DOT}"
        f"{_file_words(estimate)}",
        "tuned",
        f"{thousands(estimate.trainable_parameters)} of "
        f"{thousands(estimate.parameters.all_parameters)} parameters "
        f"({estimate.trainable_percent:.4f} %)",
    )
    memory = stat(
        "Peak memory",
        _of(estimate.memory.words(), gpu.memory),
        f"{gpu.name}{DOT}{estimate.verdict}",
        VERDICTS[estimate.verdict],
        f"{thousands(total)} of {thousands(gpu.memory)} bytes, estimated; "
        f"{formatting.bytes_range(*estimate.memory.range)} as the card shows it",
    )
    return stats((trains, memory, _time(estimate, per_hour)))


def _file_words(estimate: RunEstimate) -> str:
    if estimate.recipe.method == "full":
        return f"{formatting.bytes_text(estimate.saved_bytes)} saved"
    return f"{formatting.bytes_text(estimate.saved_bytes)} file"


def _of(first: str, whole: int) -> str:
    """`10.2 of 24 GB`, in the larger one's unit when both share it; `first` is a size in words."""
    second = formatting.bytes_text(whole).replace(".0 ", " ")
    number, unit = first.rsplit(" ", 1)
    if unit == second.split()[1]:
        first = number
    return f"{first} of {second}"


def _time(estimate: RunEstimate, per_hour: float | None) -> str:
    cost = estimate.cost
    if not cost.seconds or cost.steps is None:
        return stat("Time", "\N{EN DASH}", "choose a dataset or enter rows, under More")
    below = plural(cost.steps, "step")
    if per_hour and (money := cost.money(per_hour)):
        below += f"{DOT}{formatting.money_text(*money)} at {per_hour:g} per hour"
    exact = f"{cost.seconds[0]:,.0f} to {cost.seconds[1]:,.0f} s; {cost.basis}"
    return stat("Time", formatting.span_text(*cost.seconds), below, "", exact)


def memory_bar(estimate: RunEstimate) -> str:
    """The terms stacked against the GPU's memory; past its end when they do not fit."""
    total, room = estimate.memory.total, estimate.gpu.memory
    span = max(total, room)
    cuts = "".join(
        f'<i class="t-{_slug(term.name)}" style="width:{100 * term.bytes / span:.3f}%" '
        f'title="{esc(_hover(term))}"></i>'
        for term in estimate.memory.terms
    )
    mark = ""
    if total > room:
        at = 100 * room / span
        side = "before" if at > 50 else "after"
        mark = (
            f'<b class="limit limit-{side}" style="left:{at:.2f}%">'
            f"<span>{esc(estimate.gpu.name)}</span></b>"
        )
    spoken = f"{formatting.bytes_text(total)} of {formatting.bytes_text(room)}: {estimate.verdict}"
    legend = "".join(
        f'<li title="{esc(_hover(term))}"><i class="t-{_slug(term.name)}"></i>'
        f"{esc(term.name)} <b>{esc(formatting.bytes_text(term.bytes))}</b></li>"
        for term in estimate.memory.terms
    )
    return (
        f'<div class="stack" role="img" aria-label="{esc(spoken)}">{cuts}{mark}</div>'
        f'<ul class="legend">{legend}</ul>{_generating(estimate)}'
    )


def _generating(estimate: RunEstimate) -> str:
    """What generation takes instead: the weights and a cache that grows with every token."""
    weights = estimate.memory.as_dict()["weights"] + estimate.memory.as_dict().get("adapters", 0)
    length = estimate.work.length
    row = estimate.memory.kv_cache_per_token * length
    return (
        f'<p class="calc-note" title="{thousands(estimate.memory.kv_cache_per_token)} bytes per '
        f'token of a row">Generating takes {formatting.bytes_text(weights)} of weights and '
        f"{formatting.bytes_text(row)} of KV cache for each row of {thousands(length)} tokens.</p>"
    )


def _hover(term: Term) -> str:
    return f"{term.name}: {thousands(term.bytes)} bytes. {term.formula}"


def _slug(name: str) -> str:
    return name.replace(" ", "-")


def changes(found: Sequence[Change]) -> str:
    """One-click changes that make it fit; a click carries only the change's number."""
    if not found:
        return ""
    buttons = "".join(
        f'<button type="button" data-change="{number}" class="v-{VERDICTS[change.verdict]}" '
        f'title="{esc(change.why)}{DOT}{thousands(change.total)} bytes">{esc(change.label)}'
        f"<span>{esc(formatting.bytes_text(change.total))}</span></button>"
        for number, change in enumerate(found)
    )
    fitting = any(change.verdict == "fits" for change in found)
    title = "To make it fit" if fitting else "These help, but not enough"
    return f'<div class="changes"><h4>{title}</h4><div>{buttons}</div></div>'


def rank_curve(points: Sequence[tuple[int, int]], rank: int) -> str:
    """Trainable parameters over ranks, the chosen one marked; a click chooses another.

    Buttons carry the rank (`data-rank`).
    """
    if not points:
        return ""
    most = max(trainable for _, trainable in points)
    rows = "".join(
        f'<li class="{"now" if r == rank else ""}"><button type="button" data-rank="{r}" '
        f'title="rank {r}: {thousands(trainable)}"><span>{r}</span>'
        f"<i><b style='width:{max(0.6, 100 * trainable / most):.2f}%'></b></i>"
        f"<em>{esc(formatting.compact(trainable))}</em></button></li>"
        for r, trainable in points
    )
    return f'<ol class="ranks">{rows}</ol>'


def method_table(found: Iterable[tuple[str, RunEstimate | None, str]], chosen: str) -> str:
    """Methods compared: (name, estimate or None, why there is none); a click chooses one.

    Buttons carry the method's name (`data-method`).
    """
    rows = "".join(
        _method_row(name, estimate, why, name == chosen) for name, estimate, why in found
    )
    return (
        '<table class="modules methods"><thead><tr><th scope="col">Method</th>'
        '<th scope="col">Trainable</th><th scope="col">File</th><th scope="col">Memory</th>'
        f'<th scope="col"></th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _method_row(name: str, estimate: RunEstimate | None, why: str, chosen: bool) -> str:
    kind = ' class="now"' if chosen else ""
    said = f'<button type="button" data-method="{esc(name)}">{esc(METHODS[name].label)}</button>'
    if estimate is None:
        return (
            f'<tr{kind} title="{esc(why)}"><th scope="row">{said}</th>'
            f'<td colspan="4" class="quiet">{esc(why)}</td></tr>'
        )
    verdict = estimate.verdict
    return (
        f'<tr{kind}><th scope="row">{said}</th>'
        f'<td title="{thousands(estimate.trainable_parameters)}">'
        f"{esc(formatting.compact(estimate.trainable_parameters))}</td>"
        f'<td title="{thousands(estimate.saved_bytes)} bytes">'
        f"{esc(formatting.bytes_text(estimate.saved_bytes))}</td>"
        f'<td title="{thousands(estimate.memory.total)} bytes">'
        f"{esc(formatting.bytes_text(estimate.memory.total))}</td>"
        f'<td class="v-{VERDICTS[verdict]}">{esc(verdict)}</td></tr>'
    )


def sources(
    estimate: RunEstimate,
    remarks: Sequence[str] = (),
    checks: Sequence[tuple[str, str, int, int, str]] = (),
) -> str:
    """Where the numbers come from, term by term, and estimates beside known figures.

    `checks` are (what, source, known bytes, estimated bytes, assumptions).
    """
    rows = "".join(
        f'<tr><th scope="row">{esc(term.name)}</th><td>{thousands(term.bytes)}</td>'
        f"<td>{esc(term.formula)}<small>{esc(term.as_dict()['source'])}</small></td></tr>"
        for term in estimate.memory.terms
    )
    said = "".join(f"<li>{esc(remark)}</li>" for remark in remarks)
    return (
        "<details class='sources'><summary>Where the numbers come from</summary>"
        f"<ul>{said}</ul><table class='modules'><thead><tr><th scope='col'>Term</th>"
        f"<th scope='col'>Bytes</th><th scope='col'>Formula and source</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{_checked(checks)}</details>"
    )


def _checked(checks: Sequence[tuple[str, str, int, int, str]]) -> str:
    if not checks:
        return ""
    rows = "".join(
        f'<tr><th scope="row">{esc(what)}</th><td>{esc(formatting.bytes_text(peak))}</td>'
        f"<td>{esc(formatting.bytes_text(found))}</td><td>{100 * (found / peak - 1):+.0f} %</td>"
        f"<td>{esc(source)}<small>{esc(assumes)}</small></td></tr>"
        for what, source, peak, found, assumes in checks
    )
    return (
        "<table class='modules checks'><thead><tr><th scope='col'>Known figure</th>"
        "<th scope='col'>Known</th><th scope='col'>Estimate</th><th scope='col'>Off by</th>"
        f"<th scope='col'>Source and assumptions</th></tr></thead><tbody>{rows}</tbody></table>"
    )
