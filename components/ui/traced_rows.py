"""Training rows with the scores that they were found by, for every list of such rows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from components.ui.html import esc
from studio.core.formatting import percent_text, plural, thousands

_LONGEST = 240  # characters of a row's text
OPEN = """
element.addEventListener('click', (event) => {
  const place = event.target.closest('[data-open]');
  if (place) trigger('click', {...place.dataset});
});
"""
"""For a `gr.HTML` with such rows: a click on a row's place sends its data attributes."""


def row_item(
    row: Mapping[str, Any], link: bool = False, note: str = "", full: float | None = None
) -> str:
    """A list entry: the score as a bar, the row's texts, and its place.

    Args:
        row: `score`, a cosine unless `full` is given, `stands_out`, `prompt`, `answer`, `rejected`
            (optional), `shared` words to mark, `dataset`, and `row`, counted from 0.
        link: whether its place opens the row, by `data-open` and `data-dataset` attributes.
        note: said after its place.
        full: the size of a score that fills its bar.
    """
    share = min(1.0, abs(row["score"]) / (full or 1.0))
    told = "cosine" if full is None else "score"
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
        whose = f' data-dataset="{esc(row["dataset_id"])}"' if "dataset_id" in row else ""
        opens = f'data-open="{row["row"]}"{whose} title="Open this row in Data"'
        place = f'<button type="button" class="why-open" {opens}>{place}</button>'
    return (
        f'<li class="why-row{kind}"><span class="why-bar" title="{told} {row["score"]:+.3f}">'
        f'<i style="width:{share * 100:.0f}%"></i></span><b>{row["score"]:+.2f}</b>'
        f'<div dir="auto"><p class="why-asked">{_lit(row["prompt"], shared)}</p>'
        f"<p>{_lit(row['answer'], shared)}</p>{over}"
        f'<p class="why-place">{place}</p></div></li>'
    )


def _decided(votes: Mapping[str, Any]) -> str:
    """How people decided a pair: `2 votes, 100 % for it, by ada and annotator 2 in taste`."""
    agreement = votes.get("agreement")
    share = "" if agreement is None else f", {percent_text(agreement)} for it"
    by = " and ".join(dict.fromkeys(one["who"] for one in votes.get("people", ()) if one["for"]))
    whose = f", by {esc(by)} in {esc(votes['project'])}" if by else ""
    return f"{plural(votes['voters'], 'vote')}{share}{whose}"


def learned(entry: Mapping[str, Any]) -> str:
    """What one run of a question's chain holds: rows for and against, side by side."""
    where = "learned in" if entry["parent"] else "rows of"
    said = f'<p class="why-said">{esc(entry["said"])}</p>' if entry["said"] else ""
    head = f'<p class="token-head"><b>{where} {esc(entry["name"])}</b>{_count(entry)}</p>'
    if not entry["for"]:
        return f"<section>{head}{said}</section>"
    mixed = "".join(
        f"<li>{esc(one['dataset'])}: {one['for']} of {thousands(one['rows'])} rows stand out for "
        f"it, {one['against']} against</li>"
        for one in entry["datasets"]
    )
    lists = _list("for", entry["for"]) + _list("against", entry["against"])
    whose = voters(entry.get("votes") or {})
    return (
        f'<section>{head}{said}{whose}<div class="cols" style="--cols:2">{lists}</div>'
        f"{f'<ul class=why-datasets>{mixed}</ul>' if mixed else ''}</section>"
    )


def _count(entry: Mapping[str, Any]) -> str:
    if "rows" not in entry:
        return ""
    return (
        f"<span>{thousands(entry['standing_out'])} of {thousands(entry['rows'])} stand out</span>"
    )


def _list(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    items = "".join(row_item(row, link=True) for row in rows)
    return f'<div><p class="why-side">{name}</p><ol class="why-rows {name}">{items}</ol></div>'


def voters(votes: Mapping[str, Any]) -> str:
    """Whose votes stand behind the rows that stand out, and of which projects."""
    people = votes.get("people") or ()
    if not people:
        return ""
    items = "".join(
        f"<li>{esc(one['who'])} in {esc(one['project'])}: behind {plural(one['rows_for'], 'row')} "
        f"for it, {one['rows_against']} against</li>"
        for one in people
    )
    hidden = any(one["blind"] for one in votes["projects"])
    why = "People are numbered while their project still takes votes." if hidden else ""
    note = f'<p class="none">{why}</p>' if why else ""
    return f'<p class="why-side">votes of</p><ul class="why-datasets">{items}</ul>{note}'


def _lit(text: str, words: Sequence[str]) -> str:
    """Escaped text, cut to a length, with the shared words marked."""
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}\N{HORIZONTAL ELLIPSIS}"
    known = set(words)
    return "".join(
        f"<mark>{esc(part)}</mark>" if part.lower() in known else esc(part)
        for part in re.split(r"(\w+)", text)
    )
