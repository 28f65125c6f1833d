"""Markup of scores and votes: tables with intervals, differences and win rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.ui.charts import forest
from components.ui.html import empty_state, esc, notice
from studio.core.formatting import percent_range, percent_text, plural, points
from studio.evaluation.benchmarks import BENCHMARKS
from studio.evaluation.request import METRICS
from studio.metrics.figures import difference_text, interval_text, metric_label, value_text

if TYPE_CHECKING:
    from studio.labels import LabelStore

_PROJECTS = 8  # with votes, the newest ones


def empty() -> str:
    return empty_state(
        "Scores",
        "Choose rows with reference answers: every model is scored on them, and compared with "
        "model A on the same rows, with 95 % intervals over prompts.",
    )


def result(found: Mapping[str, Any]) -> str:
    """Metrics per model, then how each differs from the first."""
    errors = "".join(
        notice("error", f"{column['label']}: {column['error']}")
        for column in found["columns"]
        if column["error"]
    )
    plots = ""
    if not any(column.get("step") for column in found["columns"]):  # those are drawn as a figure
        plots = "".join(_difference(each) for each in found["differences"] if each["metrics"])
    return (
        f'<div class="score-view">{errors}<p class="set-summary">{esc(found["data"])}: '
        f"{plural(found['rows'], found.get('unit', 'row'))}</p>{_table(found)}{plots}</div>"
    )


def _table(found: Mapping[str, Any]) -> str:
    columns = found["columns"]
    names = list(dict.fromkeys(name for column in columns for name in column["metrics"]))
    zero = [name for name in names if _all_zero(columns, name)]
    names = [name for name in names if name not in zero]
    heads = "".join(f'<th scope="col">{esc(column["label"])}</th>' for column in columns)
    rows = "".join(
        f'<tr title="{esc(METRICS[name][1])}"><th scope="row">{esc(metric_label(name))}</th>'
        f"{''.join(_cell(name, column['metrics'].get(name)) for column in columns)}</tr>"
        for name in names
    )
    return (
        f'<div class="score-table"><table><thead><tr><th></th>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>{_zeros(zero)}"
    )


def _all_zero(columns: Sequence[Mapping[str, Any]], name: str) -> bool:
    figures = [column["metrics"][name] for column in columns if name in column["metrics"]]
    return all(figure["value"] == 0 for figure in figures)


def _zeros(names: Sequence[str]) -> str:
    """What no model has any of, in one line instead of a row each."""
    said = ", ".join(metric_label(name) for name in names)
    return f'<p class="none">0 for every model: {esc(said)}.</p>' if names else ""


def _cell(name: str, figure: Mapping[str, Any] | None) -> str:
    if not figure or figure["value"] is None:
        return "<td>\N{EN DASH}</td>"
    spread = ""
    if figure["low"] is not None:
        spread = f"<span>{interval_text(name, figure['low'], figure['high'])}</span>"
    return f"<td>{value_text(name, figure['value'])}{spread}</td>"


def _difference(found: Mapping[str, Any]) -> str:
    differ = {
        name: figure
        for name, figure in found["metrics"].items()
        if (figure["value"], figure["low"], figure["high"]) != (0, 0, 0)
    }
    rows = [
        (metric_label(name), figure["value"], figure["low"], figure["high"])
        for name, figure in differ.items()
    ]
    written = [difference_text(name, figure) for name, figure in differ.items()]
    return (
        f"<section><h4>{esc(found['a'])} minus {esc(found['b'])}, on the same rows</h4>"
        f"{forest(rows, each_own_scale=True, written=written)}</section>"
    )


# ---- benchmarks ----------------------------------------------------------------------------------


def benchmarks(found: Mapping[str, Any]) -> str:
    """Every column's share of each benchmark, then what each run gained and lost."""
    labels = [column["label"] for column in found["benchmarks"][0]["columns"]]
    heads = "".join(f'<th scope="col">{esc(label)}</th>' for label in labels)
    rows = "".join(
        f'<tr title="{esc(BENCHMARKS[one["benchmark"]].says)}"><th scope="row">'
        f"{esc(one['label'])}, {esc(one['metric'])}, {plural(one['rows'], 'row')}</th>"
        f"{''.join(_share(column) for column in one['columns'])}</tr>"
        for one in found["benchmarks"]
    )
    changed = "".join(
        _gained(
            label,
            [one["differences"][at] | {"name": one["label"]} for one in found["benchmarks"]],
            labels[0],
        )
        for at, label in enumerate(labels[1:])
    )
    return (
        '<div class="score-view"><div class="score-table"><table><thead><tr><th></th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div>{changed}"
        f'<p class="none">Measured by lm-eval {esc(found["version"])}.</p></div>'
    )


def _share(found: Mapping[str, Any]) -> str:
    interval = percent_range(found["low"], found["high"])
    return f"<td>{percent_text(found['value'])} <small>{interval}</small></td>"


def _gained(label: str, differences: Sequence[Mapping[str, Any]], base: str) -> str:
    rows = [
        (f"{one['name']}: {one['verdict']}", one["value"], one["low"], one["high"])
        for one in differences
    ]
    return (
        f"<section><h4>{esc(label)} minus {esc(base)}, on the same rows</h4>"
        f"{forest(rows, written=[points(one) for one in differences])}</section>"
    )


# ---- votes of people and of judges --------------------------------------------------------------


def votes(labels: LabelStore) -> str:
    """The newest projects' win rates, and strengths where several models were compared."""
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
        return '<p class="none">No votes yet. Label some pairs on the Label tab.</p>'
    return f'<div class="score-view">{"".join(blocks)}</div>'


def standing(found: Sequence[Mapping[str, Any]]) -> str:
    """Every duel's win rate as a line with its interval beside one half, and its counts in words.

    `found` are `studio.labels.win_rate_report.duel` mappings.
    """
    rows = []
    for each in found:
        decided = {"value": each["decisive_rate"], "low": each["low"], "high": each["high"]}
        figures = (
            (f"{each['a']} over {each['b']}, ties excluded", decided),
            ("ties as half a win", each["half_win"]),
            ("length-controlled", each["length_controlled"]),
        )
        rows += [
            (name, figure["value"], figure["low"], figure["high"])
            for name, figure in figures
            if figure and figure["value"] is not None
        ]
    said = "".join(f"<p class='set-summary'>{esc(_sentence(each))}</p>" for each in found)
    plot = forest(rows, zero=0.5, span=(0.0, 1.0), shares=True) if rows else ""
    return plot + said


def _sentence(each: Mapping[str, Any]) -> str:
    counts = (
        f"{each['a']} vs. {each['b']}: {plural(each['wins'], 'win')}, "
        f"{plural(each['ties'], 'tie')}, {plural(each['losses'], 'loss', 'losses')}, "
        f"{each['both_bad']} both bad; sign test p = {each['p_value']:.2g}."
    )
    if each["further"] is None:
        return f"{counts} No difference so far."
    if each["further"] == 0:
        return f"{counts} Significant: the interval excludes one half."
    more = plural(each["further"], "more decisive pair")
    return f"{counts} About {more} would make it significant if the share stays the same."


def _ladder(found: Sequence[Mapping[str, Any]], why: str | None) -> str:
    if not found:
        return f'<p class="none">{esc(why)}</p>' if why else ""
    rows = [(each["name"], each["strength"], each["low"], each["high"]) for each in found]
    return f"<h4>Strength, Bradley-Terry log-odds</h4>{forest(rows)}"


def _leaning(found: Mapping[str, Any], side: str) -> str:
    """Position or length bias, a pair counting once; empty where no vote could show it."""
    if found["share"] is None:
        return ""
    return (
        f"<p class='set-summary'>The {side} answer won {percent_text(found['share'])} of "
        f"{plural(found['count'], 'pair')} ({percent_range(found['low'], found['high'])}"
        f"; 50 % would be no bias, p = "
        f"{found['p_value']:.2g}).</p>"
    )


def judged(found: Mapping[str, Any]) -> str:
    """A judge model's votes: win rates, how often the order decided, and what was left out."""
    flips, first = found["flips"], found["first"]
    aside = [f"{count} {reason}" for reason, count in found["set_aside"].items()]
    if found["unread"]:
        aside.append(f"{found['unread']} without a readable vote")
    if found.get("cut_thoughts"):
        count = found["cut_thoughts"]
        aside.append(f"{plural(count, 'reply', 'replies')} cut off while the judge was thinking")
    text = f"{found['judge']} was asked about {plural(found['pairs'], 'pair')} in both orders."
    if flips["value"] is not None:
        turned = percent_text(flips["value"])
        text += f" {turned} of its votes changed with the order and count as ties;"
    if first["value"] is not None:
        text += f" the answer shown first won {percent_text(first['value'])}."
    left = f"<p class='set-summary'>Left out: {esc(', '.join(aside))}.</p>" if aside else ""
    return (
        f'<div class="score-view"><section>{standing([found])}'
        f"<p class='set-summary'>{esc(text)}</p>{left}</section></div>"
    )
