"""What judges have in common with one another and with people, as markup."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.ui.html import empty_state, esc, section
from studio.core.formatting import duration_text, percent_range, percent_text, plural

NO_PROJECT = empty_state(
    "No pairs to judge yet",
    "Judges read the pairs of a project that people have voted on in part. Those that agree with "
    "people well enough may label the pairs they are sure of; people check the rest.",
    "Create a project under Projects, and vote on 20 pairs or more.",
)
_HEADS = ("judge", "as people", "pairs", "alpha with people", "not readable", "may label alone")


def waiting(pairs: int, voted: int, judges: int, seconds: float | None) -> str:
    """Before judges are asked: what that takes."""
    replies = f"{plural(pairs, 'pair')} in both orders by {plural(judges, 'judge')}"
    count = f"{plural(2 * pairs * judges, 'reply', 'replies')}: {replies}."

    time = f" About {duration_text(seconds)}, as fast as they were last." if seconds else ""
    people = f" People have decided {voted:,} of them."
    return f'<p class="none">{count}{time}{people}</p>'


def panel(found: Mapping[str, Any], pairs: int, seconds: float) -> str:
    """Agreement of the judges as a table, alpha among them, and the time they took."""

    rows = "".join(_row(one) for one in found["each"])
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    among = found["judges"]
    said = f"alpha among the judges {_alpha(among)}" if among else "one judge"
    head = section(
        f"{plural(pairs, 'pair')} judged in both orders in {duration_text(seconds)}; {said}",
        "Alpha is Krippendorff's: 1 is full agreement, 0 that of chance.",
    )
    return (
        f'{head}<div class="label-table" tabindex="0"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _row(one: Mapping[str, Any]) -> str:
    people = one["people"]
    share = ""
    if people["value"] is not None:
        between = percent_range(people["low"], people["high"])
        share = f"{percent_text(people['value'])} ({between})"
    verdict = "yes" if one["may_label"] else f"no: {one['why']}"
    cells = [one["judge"], share, f"{people['count']:,}", _alpha(one["alpha"]), str(one["unread"])]
    line = "".join(f"<td>{esc(cell)}</td>" for cell in cells)
    return f'<tr>{line}<td class="wrap">{esc(verdict)}</td></tr>'


def _alpha(one: Mapping[str, Any] | None) -> str:
    return "" if one is None else f"{one['value']:.2f} ({one['low']:.2f} to {one['high']:.2f})"


def accepted(found: Mapping[str, Any]) -> str:
    """What became of the pairs without votes, in a sentence each."""
    parts = [
        f"{found['accepted']:,} of {plural(found['pairs'], 'pair')} without votes labeled by the "
        f"judges ({percent_text(found['share'])})."
    ]
    if found["dataset"]:
        parts.append(f"They are the dataset {found['dataset']['name']}.")
    if found["unsure"]:
        unsure = found["unsure"]
        parts.append(f"{plural(unsure['pairs'], 'pair')} to check: {unsure['project']}.")
    return " ".join(parts)
