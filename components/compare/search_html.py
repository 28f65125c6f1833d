"""Two rankings of documents side by side: pure functions that return escaped HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.ui.html import empty_state, esc
from studio.core.formatting import plural, thousands

_LONGEST = 400  # characters of a document
_LISTED = 20  # queries that fell, and that rose
_FIGURES = {
    "recall@1": "Recall@1",
    "recall@10": "Recall@10",
    "mrr@10": "MRR@10",
    "ndcg@10": "nDCG@10",
}


def empty(trained: bool) -> str:
    """What stands here before the first search."""
    if trained:
        return empty_state(
            "Nothing searched yet",
            "Type a query: the base's ranking of the documents and the run's appear side by side. "
            "Or take all held-out queries of a dataset at once.",
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


# ---- a held-out set ------------------------------------------------------------------------------


def retrieval(found: Mapping[str, Any]) -> str:
    """Figures of both columns on the same queries, then those that fell and those that rose."""
    held = "held-out " if found["split"] == "test" else ""
    queries = plural(found["queries"], f"{held}query", f"{held}queries")
    of = f"{queries} among {thousands(found['documents'])} documents of {found['data']}"
    if not held:
        of += "; it holds no rows out, so these may be rows that the run was trained on"
    rows = "".join(
        f'<tr><th scope="row">{esc(_FIGURES.get(name, name))}</th>{_figure(found["base"][name])}'
        f"{_figure(found['tuned'][name])}{_figure(found['difference'][name], '+')}</tr>"
        for name in found["tuned"]
    )
    heads = (f"{found['model']}, the base", found["run"], "difference")
    kinds = ("base", "tuned", "")
    head = "".join(
        f'<th scope="col" class="{kind}">{esc(name)}</th>'
        for name, kind in zip(heads, kinds, strict=True)
    )
    fell = [one for one in found["each"] if one["moved"] < 0]
    rose = [one for one in reversed(found["each"]) if one["moved"] > 0]
    same = found["queries"] - found["rose"] - found["fell"]
    told = f"{found['rose']:,} rose, {found['fell']:,} fell, {same:,} stayed in place"
    return (
        f'<p class="search-of">{esc(of)}: {told}.</p>'
        f'<div class="score-table"><table><thead><tr><th></th>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        f'<div class="search-columns">{_moves("Queries that fell", fell, found["fell"])}'
        f"{_moves('Queries that rose', rose, found['rose'])}</div>"
    )


def _figure(one: Mapping[str, Any], sign: str = "") -> str:
    low, high = f"{one['low']:{sign}.3f}", f"{one['high']:{sign}.3f}"
    return f"<td>{one['value']:{sign}.3f}<span>{low} to {high}</span></td>"


def _moves(title: str, listed: Sequence[Mapping[str, Any]], count: int) -> str:
    """Queries with the place of what answers them, before and after; the furthest first."""
    items = "".join(_query(one) for one in listed[:_LISTED])
    more = f'<p class="none">and {count - _LISTED:,} more</p>' if count > _LISTED else ""
    none = "" if listed else '<p class="none">None.</p>'
    head = f'<h4 class="search-head">{title} ({count:,})</h4>'
    return f'<section class="search-column">{head}<ol>{items}</ol>{more}{none}</section>'


def _query(one: Mapping[str, Any]) -> str:
    bars = "".join(_bar(one["similarity"][side], side) for side in ("base", "tuned"))
    return (
        f'<li class="search-item search-query"><div><p dir="auto"><b>{esc(_short(one["query"]))}'
        f'</b></p><p dir="auto">{esc(_short(one["document"]))}</p>'
        f'<p class="search-places">place {one["base"]:,} '
        f"\N{RIGHTWARDS ARROW} {one['tuned']:,} {_move(one['moved'])}</p>{bars}</div></li>"
    )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."


# ---- one query -----------------------------------------------------------------------------------


def _column(title: str, kind: str, ranked: Sequence[Mapping[str, Any]]) -> str:
    items = "".join(_item(one, kind) for one in ranked)
    head = f'<h4 class="search-head {kind}">{esc(title)}</h4>'
    return f'<section class="search-column">{head}<ol>{items}</ol></section>'


def _item(one: Mapping[str, Any], kind: str) -> str:
    move = _move(one["moved"]) if kind == "tuned" else ""
    return (
        f'<li class="search-item"><span class="search-rank">{one["rank"]}</span>'
        f'<div><p dir="auto">{esc(_short(str(one["text"])))}</p>'
        f"{_bar(one['similarity'], kind, move)}</div></li>"
    )


def _bar(similarity: float, kind: str, move: str = "") -> str:
    """A cosine as a bar; below 0 it has no length."""
    share = max(0.0, min(1.0, float(similarity)))
    return (
        f'<div class="search-bar {kind}" title="cosine {similarity:.4f}"><em>'
        f'<i style="width: {100 * share:.1f}%"></i></em><span>{similarity:.3f}</span>{move}</div>'
    )


def _move(places: int) -> str:
    """How far a document rose or fell against the base's ranking."""
    if not places:
        return '<b class="search-move">same place</b>'
    arrow, style = ("\N{UPWARDS ARROW}", "up") if places > 0 else ("\N{DOWNWARDS ARROW}", "down")
    return f'<b class="search-move {style}">{arrow} {abs(places):,}</b>'
