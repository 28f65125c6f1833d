"""Rounds on the page: which run was trained on which votes, and its win rate against earlier ones.

A graph of cards (model, votes, model ...), the win rate by round, and the form for the next blind
duel. The drawings are escaped markup of what `studio.workflows.rounds` returns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from components.label.overnight import Overnight
from components.label.preference_panel import PreferencePanel
from components.ui import prompt_sets
from components.ui.access import person
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import empty_state, esc, notice
from studio.core.errors import ConfigError, StudioError
from studio.core.formatting import DOT, percent_text, plural
from studio.workflows.rounds import duel_text

if TYPE_CHECKING:
    from studio import Studio
    from studio.metrics.bootstrap import Interval
    from studio.workflows.rounds import Duel, Lineage, Round

    _Point = tuple[int, Duel, Interval]  # round, duel, win rate

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 640.0, 230.0, 52.0, 20.0, 16.0, 40.0


def build(studio: Studio, project: gr.Dropdown, tab: gr.Tab) -> gr.HTML:
    """The contents of the open `tab`; a new duel is opened in `project`. Returns the list of rows
    behind a preference."""
    drawing = gr.HTML("", elem_id="label-rounds-drawing")
    with gr.Row(visible=False, elem_id="label-duel") as form:
        run = gr.Dropdown([], label="Blind duel of", min_width=180)
        opponent = gr.Dropdown([], label="Opponent", min_width=180)
        prompts = gr.Dropdown([], label="Prompts", min_width=180)
        count = gr.Number(60, label="Limit", precision=0, minimum=1, min_width=100)
        make = gr.Button("Generate pairs", elem_id="label-duel-make", min_width=180, scale=0)
    message = gr.HTML("")
    behind = PreferencePanel(studio)
    for panel in (Overnight(studio), behind):
        panel.lay_out()
        panel.bind(tab)
    tab.select(
        guard(lambda: _shown(studio)), None, [drawing, form, run, opponent, prompts], **QUIET
    )
    run.input(guard(lambda chosen: _opponents(studio, chosen)), run, opponent, **QUIET)
    make.click(
        guard(lambda *given: _duel(studio, *given)),
        [run, opponent, prompts, count],
        [message, project],
        **QUIET,
    )
    return behind.view


# ---- the form -----------------------------------------------------------------------------------


def _shown(studio: Studio) -> tuple[Any, ...]:
    if not person().owner:
        return "", gr.Row(visible=False), gr.skip(), gr.skip(), gr.skip()
    from studio.workflows.rounds import lineages

    found = lineages(studio)
    taught = [each.run for line in found for each in reversed(line.rounds)]
    runs = [(run.name, run.id) for run in taught if run.state == "finished"]
    if not runs:
        return view(found), gr.Row(visible=False), gr.skip(), gr.skip(), gr.skip()
    sets = prompt_sets.source_choices(studio)
    usual = next((value for _, value in sets if "questions" in value), sets[0][1])
    return (
        view(found),
        gr.Row(visible=True),
        gr.Dropdown(choices=runs, value=runs[0][1]),
        _opponents(studio, runs[0][1]),
        gr.Dropdown(choices=[each for each in sets if each[1] != prompt_sets.TYPED], value=usual),
    )


def _opponents(studio: Studio, run_id: str) -> Any:
    """The models before a run, the nearest first, and the base."""
    found, run = [], studio.runs.get(run_id)
    known = {each.id: each for each in studio.runs.list()}
    while run.parent in known:
        run = known[run.parent]
        found.append((run.name, run.id))
    found.append((f"{run.model} (base)", "base"))
    return gr.Dropdown(choices=found, value=found[0][1])


def _duel(studio: Studio, run: str, opponent: str, prompts: str, count: float) -> tuple[Any, Any]:
    from studio.workflows.rounds import make_duel, require_run

    try:
        person().must_own("start a duel")
        if not run or not opponent or not prompts:
            raise ConfigError("Choose a model, its opponent and prompts.")
        asked = prompt_sets.load_set(studio, prompts, "", int(count or 0)).prompts
        other = None if opponent == "base" else require_run(studio, opponent)
        project, left_out = make_duel(studio, require_run(studio, run), other, asked)
    except StudioError as error:
        return notice("error", sentence(error)), gr.skip()
    said = f"{project.name}: generating the pairs."
    if left_out:
        said += f" {plural(left_out, 'prompt')} left out: trained on before."
    choices = [(each.name, each.id) for each in studio.labels.projects()]
    return notice("good", said), gr.Dropdown(choices=choices, value=project.id)


# ---- the drawing --------------------------------------------------------------------------------


def view(found: list[Lineage]) -> str:
    """Every lineage as a graph and, once a duel is judged, a curve."""
    if not found:
        return empty_state(
            "No round yet",
            "In a round a model generates pairs, annotators compare them blind, DPO trains on the "
            "votes, and the new model meets the old one on held-out prompts.",
            "Label some pairs, then train DPO on them.",
        )
    return "".join(
        f'<section class="rounds">{_graph(line)}{curve(line)}</section>' for line in found
    )


def _graph(line: Lineage) -> str:
    start = line.start
    name = start.name if start else "base"
    kind = "tuned" if start else "base"
    cards = [_card(kind, name, start.objective.upper() if start else "", "start")]
    before = start.id if start else None
    for each in line.rounds:
        cards.append(_votes_card(each))
        cards.append(_model_card(each, before))
        before = each.run.id
    arrow = '<span class="round-arrow" aria-hidden="true">\N{RIGHTWARDS ARROW}</span>'
    return f'<div class="round-graph" role="list">{arrow.join(cards)}</div>'


def _card(kind: str, title: str, line: str, number: str, more: str = "") -> str:
    return (
        f'<div class="round-card round-{kind}" role="listitem"><small>{esc(number)}</small>'
        f"<b>{esc(title)}</b><span>{esc(line)}</span>{more}</div>"
    )


def _votes_card(each: Round) -> str:
    votes = each.votes
    people = plural(votes.get("people") or 0, "annotator")
    line = f"{plural(votes.get('votes') or 0, 'vote')} by {people}"
    pairs = plural(votes.get("pairs") or 0, "pair")
    return _card("votes", str(votes.get("project_name") or "votes"), line, pairs)


def _model_card(each: Round, before: str | None) -> str:
    met = each.against(before)
    state = "" if each.run.state == "finished" else f"{DOT}{each.run.state}"
    more = f'<span class="round-rate">{esc(duel_text(met))}</span>'
    return _card("tuned", each.run.name, f"DPO{state}", f"round {each.number}", more)


def curve(line: Lineage) -> str:
    """Win rate by round with its 95 % interval, against the previous model and the first one."""
    start = line.start.id if line.start else None
    before = start
    series: tuple[list[_Point], list[_Point]] = ([], [])
    for each in line.rounds:
        for at, opponent in enumerate((before, start)):
            met = each.against(opponent)
            if met and met.share:
                series[at].append((each.number, met, met.share))
        before = each.run.id
    if not series[0] and not series[1]:
        return ""
    last = max(len(line.rounds), 2)
    name = line.start.name if line.start else "base"
    parts = [_axes(last)]
    parts += [
        _series(points, last, kind)
        for points, kind in zip(series, ("before", "start"), strict=True)
    ]
    legend = (
        '<p class="round-legend"><span class="round-before">against the previous model</span>'
        f'<span class="round-start">against {esc(name)}</span>'
        "<span>win rate with ties as half, 95 % interval over prompts</span></p>"
    )
    label = f"Win rate by round, {len(line.rounds)} rounds from {name}"
    return (
        f'<svg class="round-curve" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" '
        f'aria-label="{esc(label)}">{"".join(parts)}</svg>{legend}'
    )


def _x(number: float, last: int) -> float:
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (number - 0.5) / last


def _y(share: float) -> float:
    return _TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - share)


def _axes(last: int) -> str:
    lines = "".join(
        f'<line class="{"even" if share == 0.5 else "grid"}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" '
        f'y1="{_y(share):.1f}" y2="{_y(share):.1f}"/>'
        f'<text x="{_LEFT - 8}" y="{_y(share) + 4:.1f}" text-anchor="end">'
        f"{percent_text(share)}</text>"
        for share in (0, 0.25, 0.5, 0.75, 1)
    )
    rounds = "".join(
        f'<text x="{_x(n, last):.1f}" y="{_HEIGHT - 14}" text-anchor="middle">round {n}</text>'
        for n in range(1, last + 1)
    )
    return lines + rounds


def _series(points: list[_Point], last: int, kind: str) -> str:
    """Points with their intervals, joined by a line; the two series are offset horizontally."""
    aside = -0.06 if kind == "before" else 0.06
    placed = [(_x(number + aside, last), met, share) for number, met, share in points]
    path = " ".join(f"{x:.1f},{_y(share.value):.1f}" for x, _, share in placed)
    marks = "".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_y(share.low):.1f}" y2="{_y(share.high):.1f}"/>'
        f'<circle cx="{x:.1f}" cy="{_y(share.value):.1f}" r="5">'
        f"<title>{esc(duel_text(met))}</title></circle>"
        for x, met, share in placed
    )
    return f'<g class="round-{kind}"><polyline points="{path}"/>{marks}</g>'
