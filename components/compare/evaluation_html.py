"""Markup of scores and votes: tables with intervals, and a plot of differences or win rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.ui.charts import forest
from components.ui.html import empty_state, esc, notice
from studio.core.formatting import plural
from studio.evaluation.request import METRICS

if TYPE_CHECKING:
    from studio.labels import LabelStore

_PROJECTS = 8  # with votes, the newest ones


def empty() -> str:
    return empty_state(
        "How good, in figures",
        "Choose rows with known answers: every column is scored on them, and every tuned column "
        "beside the first on the same rows, with 95 % intervals over prompts.",
    )


def result(found: Mapping[str, Any]) -> str:
    """Figures per column, then what each column differs by from the first."""
    errors = "".join(
        notice("error", f"{column['label']}: {column['error']}")
        for column in found["columns"]
        if column["error"]
    )
    if any(column.get("step") for column in found["columns"]):
        plots = curves(found["columns"])
    else:
        plots = "".join(_difference(each) for each in found["differences"] if each["metrics"])
    return (
        f'<div class="score-view">{errors}<p class="set-summary">{esc(found["data"])}: '
        f"{plural(found['rows'], found.get('unit', 'row'))}</p>{_table(found)}{plots}</div>"
    )


def _table(found: Mapping[str, Any]) -> str:
    columns = found["columns"]
    names = list(dict.fromkeys(name for column in columns for name in column["metrics"]))
    heads = "".join(f'<th scope="col">{esc(column["label"])}</th>' for column in columns)
    rows = "".join(
        f'<tr title="{esc(METRICS[name][1])}"><th scope="row">{esc(name.replace("_", " "))}</th>'
        f"{''.join(_cell(column['metrics'].get(name)) for column in columns)}</tr>"
        for name in names
    )
    return (
        f'<div class="score-table"><table><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _cell(figure: Mapping[str, Any] | None) -> str:
    if not figure or figure["value"] is None:
        return "<td>\N{EN DASH}</td>"
    spread = ""
    if figure["low"] is not None:
        spread = f"<span>{figure['low']:.3g} to {figure['high']:.3g}</span>"
    return f"<td>{figure['value']:.4g}{spread}</td>"


def _difference(found: Mapping[str, Any]) -> str:
    rows = [
        (name.replace("_", " "), figure["value"], figure["low"], figure["high"])
        for name, figure in found["metrics"].items()
    ]
    return (
        f"<section><h4>{esc(found['a'])} minus {esc(found['b'])}, on the same rows</h4>"
        f"{forest(rows, each_own_scale=True)}</section>"
    )


def curves(columns: Sequence[Mapping[str, Any]]) -> str:
    """Each metric against the step of the run, the base at step 0, with its intervals."""
    names = list(dict.fromkeys(name for column in columns for name in column["metrics"]))
    drawn = []
    for name in names:
        points = [
            (column["step"], column["metrics"][name])
            for column in columns
            if name in column["metrics"] and column["metrics"][name]["value"] is not None
        ]
        if len(points) > 1:
            drawn.append(
                f"<section><h4>{esc(name.replace('_', ' '))}</h4>{_curve(points)}</section>"
            )
    return f'<div class="curves">{"".join(drawn)}</div>'


def _curve(points: Sequence[tuple[int, Mapping[str, Any]]]) -> str:
    width, height, left, right, top, bottom = 340.0, 170.0, 46.0, 12.0, 10.0, 24.0
    spans = [
        (p["value"], p["value"]) if p["low"] is None else (p["low"], p["high"]) for _, p in points
    ]
    low, high = min(s[0] for s in spans), max(s[1] for s in spans)
    told = (low, high) if high > low else (low,)
    low, high = (low, high) if high > low else (low - 0.5, high + 0.5)  # in the middle
    last = max(step for step, _ in points) or 1

    def x(step: float) -> float:
        return left + step / last * (width - left - right)

    def y(value: float) -> float:
        return top + (high - value) / (high - low) * (height - top - bottom)

    line = " ".join(f"{x(step):.1f},{y(point['value']):.1f}" for step, point in points)
    marks = "".join(
        f"<g><title>step {step:,}: {point['value']:.4g} ({a:.3g} to {b:.3g})</title>"
        f'<line class="span" x1="{x(step):.1f}" x2="{x(step):.1f}" y1="{y(a):.1f}" '
        f'y2="{y(b):.1f}"/><circle cx="{x(step):.1f}" cy="{y(point["value"]):.1f}" r="3.5"/></g>'
        for (step, point), (a, b) in zip(points, spans, strict=True)
    )
    scale = "".join(
        f'<text x="{left - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        for value in told
    )
    steps = "".join(
        f'<text x="{x(step):.1f}" y="{height - 6}" text-anchor="{anchor}">{said}</text>'
        for step, anchor, said in ((0, "start", "base"), (last, "end", f"step {last:,}"))
    )
    return (
        f'<svg class="curve" viewBox="0 0 {width:.0f} {height:.0f}" role="img">'
        f'<polyline points="{line}"/>{marks}{scale}{steps}</svg>'
    )


# ---- verdicts, of people and of judges -----------------------------------------------------------


def votes(labels: LabelStore) -> str:
    """The newest projects' win rates with what they are worth, and strengths where several met."""
    from studio.labels.annotator_report import report
    from studio.labels.win_rate_report import duels, strengths

    blocks = []
    for project in labels.projects():
        judged = list(labels.labelled_pairs(project.id)) if project.done else []
        found = duels(judged)
        if found:
            leanings = report(judged, labels.repeat_votes(project.id))
            ladder = _ladder(*strengths(found))
            blocks.append(
                f"<section><h4>{esc(project.name)}</h4>{standing(found)}{ladder}"
                f"{_leaning(leanings['left'], 'left')}{_leaning(leanings['longer'], 'longer')}"
                "</section>"
            )
        if len(blocks) == _PROJECTS:
            break
    if not blocks:
        return '<p class="none">No votes yet. Judge some pairs on the Label tab.</p>'
    return f'<div class="score-view">{"".join(blocks)}</div>'


def standing(found: Sequence[Mapping[str, Any]]) -> str:
    """Win rates of every duel as lines with intervals beside one half, and their counts in words.

    `found` are `studio.labels.win_rate_report.duel` mappings.
    """
    rows = []
    for each in found:
        decided = {"value": each["decisive_rate"], "low": each["low"], "high": each["high"]}
        figures = (
            (f"{each['a']} over {each['b']}, decided", decided),
            ("with half ties", each["half_win"]),
            ("were both equally long", each["length_controlled"]),
        )
        rows += [
            (name, figure["value"], figure["low"], figure["high"])
            for name, figure in figures
            if figure and figure["value"] is not None
        ]
    said = "".join(f"<p class='set-summary'>{esc(_sentence(each))}</p>" for each in found)
    plot = forest(rows, zero=0.5, span=(0.0, 1.0), spec=".2f") if rows else ""
    return plot + said


def _sentence(each: Mapping[str, Any]) -> str:
    counts = (
        f"{each['a']} beside {each['b']}: {plural(each['wins'], 'win')}, "
        f"{plural(each['ties'], 'tie')}, {plural(each['losses'], 'loss', 'losses')}, "
        f"{each['both_bad']} both bad; sign test p = {each['p_value']:.2g}."
    )
    if each["further"] is None:
        return f"{counts} Even so far."
    if each["further"] == 0:
        return f"{counts} Settled: the interval leaves one half out."
    more = plural(each["further"], "more decisive verdict")
    return f"{counts} About {more} would settle it, were the share to stay."


def _ladder(found: Sequence[Mapping[str, Any]], why: str | None) -> str:
    if not found:
        return f'<p class="none">{esc(why)}</p>' if why else ""
    rows = [(each["name"], each["strength"], each["low"], each["high"]) for each in found]
    return f"<h4>Strength, Bradley-Terry log-odds</h4>{forest(rows)}"


def _leaning(found: Mapping[str, Any], side: str) -> str:
    """Position or length bias of the votes; nothing where no vote could show it."""
    if found["share"] is None:
        return ""
    return (
        f"<p class='set-summary'>The {side} answer was taken in {100 * found['share']:.0f} % of "
        f"{plural(found['count'], 'decided vote')} ({100 * found['low']:.0f} to "
        f"{100 * found['high']:.0f} %; one half would be no leaning, p = "
        f"{found['p_value']:.2g}).</p>"
    )


def judged(found: Mapping[str, Any]) -> str:
    """A judge model's verdicts: win rates, how often the order decided, and what was left out."""
    flips, first = found["flips"], found["first"]
    aside = [f"{count} {reason}" for reason, count in found["set_aside"].items()]
    if found["unread"]:
        aside.append(f"{found['unread']} without a verdict that can be read")
    said = f"{found['judge']} was asked about {plural(found['pairs'], 'pair')} in both orders."
    if flips["value"] is not None:
        said += (
            f" {100 * flips['value']:.0f} % of its verdicts changed with the order and count as "
            "ties;"
        )
    if first["value"] is not None:
        said += f" the answer shown first was taken in {100 * first['value']:.0f} %."
    left = f"<p class='set-summary'>Left out: {esc(', '.join(aside))}.</p>" if aside else ""
    return (
        f'<div class="score-view"><section>{standing([found])}'
        f"<p class='set-summary'>{esc(said)}</p>{left}</section></div>"
    )
