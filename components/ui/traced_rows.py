"""One training row with the score that it was found by, for every list of such rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from components.ui.html import esc
from studio.core.formatting import percent_text, plural

_LONGEST = 240  # characters of a row's text


def row_item(row: Mapping[str, Any], link: bool = False, note: str = "") -> str:
    """A list entry: the score as a bar, the row's texts, and its place.

    Args:
        row: `score` within -1 to 1, `stands_out`, `prompt`, `answer`, `rejected` (optional),
            `shared` words to mark, `dataset`, and `row`, counted from 0.
        link: whether its place opens the row, by a `data-open` attribute.
        note: said after its place.
    """
    share = min(1.0, abs(row["score"]))
    kind = "" if row["stands_out"] else " faint"
    shared = row.get("shared", ())
    over = (
        f'<p class="why-over">over {_lit(row["rejected"], ())}</p>' if row.get("rejected") else ""
    )
    place = f"{esc(row['dataset'])}, row {row['row'] + 1:,}"
    if votes := row.get("votes"):
        place += f" \N{MIDDLE DOT} {_decided(votes)}"
    if note:
        place += f" \N{MIDDLE DOT} {esc(note)}"
    if link:
        place = f'<button type="button" class="why-open" data-open="{row["row"]}">{place}</button>'
    return (
        f'<li class="why-row{kind}"><span class="why-bar" title="cosine {row["score"]:+.3f}">'
        f'<i style="width:{share * 100:.0f}%"></i></span><b>{row["score"]:+.2f}</b>'
        f'<div dir="auto"><p class="why-asked">{_lit(row["prompt"], shared)}</p>'
        f"<p>{_lit(row['answer'], shared)}</p>{over}"
        f'<p class="why-place">{place}</p></div></li>'
    )


def _decided(votes: Mapping[str, Any]) -> str:
    """How people decided a pair: `2 votes, 100 % for it`."""
    agreement = votes.get("agreement")
    share = "" if agreement is None else f", {percent_text(agreement)} for it"
    return f"{plural(votes['voters'], 'vote')}{share}"


def _lit(text: str, words: Sequence[str]) -> str:
    """Escaped text, cut to a length, with the shared words marked."""
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\N{HORIZONTAL ELLIPSIS}"
    known = set(words)
    return "".join(
        f"<mark>{esc(part)}</mark>" if part.lower() in known else esc(part)
        for part in re.split(r"(\w+)", text)
    )
