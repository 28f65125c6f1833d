"""What an encoder finds: held-out figures before and after, similarities, and mined negatives.

Pure functions from a run's events to escaped HTML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.ui.html import esc, section
from studio.core.formatting import plural

Event = Mapping[str, Any]
_NAMES = {
    "recall@1": "Recall@1",
    "recall@10": "Recall@10",
    "mrr@10": "MRR@10",
    "ndcg@10": "nDCG@10",
    "spearman": "Spearman",
}
_KINDS = {
    "right": ("A query and its document", "chosen"),
    "wrong": ("A query and the nearest other one", "rejected"),
    "unrelated": ("Documents at random", "base"),
}
_WIDTH, _HEIGHT = 240, 44  # of a histogram's viewBox


def found(retrieval: Sequence[Event], mined: Event | None) -> str:
    """The panel of an embedding run; empty for other runs."""
    parts = [_figures(retrieval), _similarities(retrieval), _mined(mined)]
    return "".join(part for part in parts if part)


def _figures(retrieval: Sequence[Event]) -> str:
    """A line per figure: before training, and as last measured, with 95 % intervals."""
    if not retrieval:
        return ""
    first, last = retrieval[0], retrieval[-1]
    if not last["figures"]:
        return ""
    what = (
        plural(last["queries"], "held-out pair")
        if "spearman" in last["figures"]
        else f"{plural(last['queries'], 'held-out query', 'held-out queries')} among "
        f"{plural(last['documents'], 'document')}"
    )
    rows = "".join(
        f"<tr><th>{esc(_NAMES.get(name, name))}</th>{_cell(first['figures'].get(name))}"
        f"{_cell(after if last is not first else None)}</tr>"
        for name, after in last["figures"].items()
    )
    head = f"<th></th><th>step {first['step']:,}</th>"
    head += f"<th>step {last['step']:,}</th>" if last is not first else "<th></th>"
    return (
        f"{section('What it finds', f'{what}; 95 % intervals')}"
        f'<table class="encoder-figures"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody>'
        "</table>"
    )


def _cell(one: Event | None) -> str:
    if one is None:
        return "<td></td>"
    low, high = f"{one['low']:.3f}", f"{one['high']:.3f}"
    return f"<td><b>{one['value']:.3f}</b> <small>{low} to {high}</small></td>"


def _similarities(retrieval: Sequence[Event]) -> str:
    """Cosines before and after, a histogram per kind of pair."""
    if not retrieval:
        return ""
    moments = [retrieval[0]] if len(retrieval) == 1 else [retrieval[0], retrieval[-1]]
    columns = "".join(
        f'<div class="encoder-moment"><h5>step {event["step"]:,}</h5>'
        + "".join(
            _histogram(kind, event["similarity"][kind])
            for kind in _KINDS
            if kind in event["similarity"]
        )
        + "</div>"
        for event in moments
    )
    title = section("Similarity", "cosines of held-out pairs, from -1 to 1")
    return f'{title}<div class="encoder-moments">{columns}</div>'


def _histogram(kind: str, held: Event) -> str:
    counts: list[int] = held["counts"]
    label, color = _KINDS[kind]
    most, width = max(counts, default=0) or 1, _WIDTH / max(1, len(counts))
    bars = "".join(
        f'<rect x="{at * width:.2f}" y="{_HEIGHT * (1 - count / most):.2f}" '
        f'width="{max(0.5, width - 0.6):.2f}" height="{_HEIGHT * count / most:.2f}"/>'
        for at, count in enumerate(counts)
        if count
    )
    mean = f"mean {held['mean']:.2f}"
    return (
        f'<figure class="encoder-histogram {color}"><figcaption>{esc(label)}'
        f"<span>{mean}</span></figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{esc(label)}: {mean}">{bars}</svg></figure>'
    )


def _mined(mined: Event | None) -> str:
    """The first hard negatives, each below the query and what answers it."""
    if mined is None:
        return ""
    cards = "".join(
        f"<li><b dir='auto'>{esc(one['anchor'])}</b>"
        f"<p class='chosen' dir='auto'>{esc(one['positive'])}</p>"
        f"<p class='rejected' dir='auto'>{esc(one['negative'])}</p></li>"
        for one in mined["examples"]
    )
    hint = (
        f"{mined['each']} for each of {mined['kept']:,} pairs; mean cosine "
        f"{mined['negative']:.2f}, of positives {mined['positive']:.2f}"
    )
    return (
        f'{section("Hard negatives that were mined", hint)}<ol class="encoder-mined">{cards}</ol>'
    )
