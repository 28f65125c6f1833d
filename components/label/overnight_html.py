"""Rounds that ran by themselves, as markup."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.ui.html import empty_state, esc
from studio.core.formatting import DOT, ago_text, duration_text, percent_range, percent_text
from studio.workflows.reward_rounds import RoundOutcome
from studio.workflows.rounds_record import Kept, line

_HEADS = ("round", "pairs", "mean margin", "new over old, by the reward", "time", "run")


def kept(found: Sequence[Kept], names: Mapping[str, str]) -> str:
    """Every record with a row a round; `names` are those of runs, by id."""
    if not found:
        return empty_state(
            "No round has run by itself yet",
            "A reward or a judge takes the place of people: answers are written, the best and the "
            "worst of each prompt are a pair, a run learns from them, and meets the old one blind.",
            "The pairs and the duels are ordinary projects, for people to check in the morning.",
        )
    return "".join(_one(each, names) for each in found)


def _one(each: Kept, names: Mapping[str, str]) -> str:
    what = DOT.join([", ".join(each.rewards), each.objective.upper(), ago_text(each.started)])
    title = f"<p><b>from {esc(each.start)}</b> <span>{esc(what)}</span></p>"
    if not each.outcomes:
        return f'<section class="night">{title}<p class="none">No round has ended.</p></section>'
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    rows = "".join(_row(one, names) for one in each.outcomes)
    return (
        f'<section class="night">{title}<div class="label-table" tabindex="0"><table><thead><tr>'
        f"{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        f'<p class="none">{esc(line(each))}</p></section>'
    )


def _row(one: RoundOutcome, names: Mapping[str, str]) -> str:
    even = ", even" if one.even else ""
    won = f"{percent_text(one.win)} ({percent_range(one.low, one.high)}){even}"
    cells = [
        str(one.number),
        f"{one.pairs:,}",
        f"{one.margin:.2f}",
        won,
        duration_text(one.seconds) if one.seconds else "",
        names.get(one.run, "deleted"),
    ]
    return f"<tr>{''.join(f'<td>{esc(cell)}</td>' for cell in cells)}</tr>"
