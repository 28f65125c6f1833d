"""Two rankings of documents side by side: pure functions that return escaped HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.ui.html import empty_state, esc
from studio.core.formatting import thousands

_LONGEST = 400  # characters of a document


def empty(trained: bool) -> str:
    """What stands here before the first search."""
    if trained:
        return empty_state(
            "Nothing searched yet",
            "Type a query: the base's ranking of the documents and the run's appear side by side.",
        )
    return empty_state(
        "No embedding run yet",
        "Train one with the objective Embedding, on pairs or on prompts and answers.",
    )


def result(found: Mapping[str, Any]) -> str:
    """Both rankings, the moves marked, similarities as bars."""
    of = f"{thousands(found['documents'])} documents of {found['data']}"
    columns = _column(f"{found['model']}, the base", "base", found["base"])
    columns += _column(found["run"], "tuned", found["tuned"])
    return (
        f'<p class="search-of">{esc(of)} for \N{LEFT DOUBLE QUOTATION MARK}'
        f"{esc(found['query'])}\N{RIGHT DOUBLE QUOTATION MARK}</p>"
        f'<div class="search-columns">{columns}</div>'
    )


def _column(title: str, kind: str, ranked: Sequence[Mapping[str, Any]]) -> str:
    items = "".join(_item(one, kind) for one in ranked)
    head = f'<h4 class="search-head {kind}">{esc(title)}</h4>'
    return f'<section class="search-column">{head}<ol>{items}</ol></section>'


def _item(one: Mapping[str, Any], kind: str) -> str:
    text = str(one["text"])
    text = text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."
    share = max(0.0, min(1.0, float(one["similarity"])))
    return (
        f'<li class="search-item"><span class="search-rank">{one["rank"]}</span>'
        f'<div><p dir="auto">{esc(text)}</p><div class="search-bar {kind}" '
        f'title="cosine {one["similarity"]:.4f}"><em><i style="width: {100 * share:.1f}%"></i></em>'
        f"<span>{one['similarity']:.3f}</span>{_move(one['moved']) if kind == 'tuned' else ''}"
        "</div></div></li>"
    )


def _move(places: int) -> str:
    """How far a document rose or fell against the base's ranking."""
    if not places:
        return '<b class="search-move">same place</b>'
    arrow, style = ("\N{UPWARDS ARROW}", "up") if places > 0 else ("\N{DOWNWARDS ARROW}", "down")
    return f'<b class="search-move {style}">{arrow} {abs(places):,}</b>'
