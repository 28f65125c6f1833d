"""Markup of the Models tab: pure functions from the library to escaped HTML."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.models import card_details_html as boxes
from components.ui import recipe_fields
from components.ui.compat import Reply
from components.ui.html import STATES, empty_state, esc, notice
from studio.core.formatting import DOT, ago_text, bytes_text, plural, thousands
from studio.runs.objectives import GENERATING, OBJECTIVES

if TYPE_CHECKING:
    from studio.engine.disk_usage import Waste
    from studio.engine.library import LibraryEntry

_KINDS = {"base": "base", "run": "run", "checkpoint": "checkpoint", "export": "export"}
_PARTS = {
    "runs": "runs",
    "exports": "exports",
    "datasets": "datasets",
    "uploads": "uploads",
    "cache": "caches",
    "trash": "trash",
    "votes": "votes",
}
_FRESH = 60  # seconds after creation in which a use does not count


def cards(items: Sequence[LibraryEntry], shown: Sequence[LibraryEntry], fit: int) -> str:
    """The list: the cards `shown` of `fit` entries that match, of all `items`."""
    drawn = "".join(map(_card, shown))
    if not any(item.kind != "base" for item in items):
        drawn = (
            empty_state(
                "No models of your own yet",
                "Every run you train, every export and every base model they use is listed here.",
                "Start on the Train tab.",
            )
            + drawn
        )
    if not fit:
        return f'{drawn}<p class="quiet">No match. Clear the search or the filter.</p>'
    if fit == len(shown):
        return drawn
    return (
        f'{drawn}<p class="models-more"><span>{thousands(len(shown))} of {thousands(fit)} shown'
        f"</span>{boxes.button('more', 'Show more')}</p>"
    )


def _card(item: LibraryEntry) -> str:
    starred = "true" if item.mark.star else "false"
    verb = "Unstar" if item.mark.star else "Star"
    return (
        f'<article class="card-model" data-id="{esc(item.id)}" data-kind="{esc(item.kind)}" '
        f'data-star="{starred}">'
        f'<header><button type="button" class="star" data-act="star" aria-pressed="{starred}" '
        f'title="{verb}" aria-label="{verb} {esc(item.name)}">{_STAR}</button>'
        f"<h3>{esc(item.name)}</h3>{_kind(item)}"
        f'<span class="card-figures">{esc(_size_and_age(item))}</span></header>'
        f'<div class="card-facts">{_lineage(item)}{_scores(item)}</div>'
        f"{_marked(item)}{_actions(item)}</article>"
    )


_STAR = (
    '<svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true"><path d="M10 1.8l2.5 5.2 '
    '5.7.7-4.2 3.9 1.1 5.6L10 14.4l-5.1 2.8L6 11.6 1.8 7.7l5.7-.7z"/></svg>'
)


def _kind(item: LibraryEntry) -> str:
    style = {"base": "base", "run": "tuned", "checkpoint": "tuned", "export": "good"}[item.kind]
    if item.kind == "run" and item.run is not None:
        how = (
            f"{recipe_fields.name_of(item.run.method)} {recipe_fields.name_of(item.run.objective)}"
        )
        chips = [f'<span class="chip chip-{style}">{esc(how)}</span>']
        word, colour = STATES.get(item.run.state, (item.run.state, ""))
        if item.run.state != "finished":
            chips.append(f'<span class="chip chip-{colour}">{esc(word)}</span>')
        extra = item.what.partition(", ")[2] or (item.what if item.what != "run" else "")
        chips.append(f'<span class="card-what">{esc(extra)}</span>' if extra else "")
        return "".join(chips)
    label = item.what if item.kind == "export" else _KINDS[item.kind]
    rest = "export, verified" if item.kind == "export" else item.what
    if item.kind == "checkpoint" and item.needed_by:
        rest += f", needed by {item.needed_by[0]}"
    return (
        f'<span class="chip chip-{style}">{esc(label)}</span>'
        f'<span class="card-what">{esc(rest)}</span>'
    )


def _size_and_age(item: LibraryEntry) -> str:
    word = "created" if item.used < item.created + _FRESH else "used"
    used = f"{word} {ago_text(item.used)}" if item.used else "not used yet"
    return DOT.join(part for part in (bytes_text(item.bytes) if item.bytes else "", used) if part)


def _lineage(item: LibraryEntry) -> str:
    """data -> run -> votes -> run, ending with the item itself."""
    if not item.lineage:
        return ""
    base = f'<span class="link link-base" title="base">{esc(item.model)}</span>'
    arrow = '<i aria-hidden="true">\N{RIGHTWARDS ARROW}</i><span class="sr">then</span>'
    steps = [
        f'<span class="link link-{esc(kind)}" title="{esc(kind)}">{esc(name)}</span>'
        for kind, name in item.lineage
    ]
    here = '<span class="link link-here">this</span>'
    return f'<p class="lineage">{base}<i>+</i>{arrow.join([*steps, here])}</p>'


def _scores(item: LibraryEntry) -> str:
    if not item.scores:
        return ""
    return f'<p class="card-scores">{esc(DOT.join(item.scores))}</p>'


def _marked(item: LibraryEntry) -> str:
    tags = "".join(f'<span class="chip tag">{esc(tag)}</span>' for tag in item.mark.tags)
    note = f"<q>{esc(item.mark.note)}</q>" if item.mark.note else ""
    return f'<p class="card-mark">{tags}{note}</p>' if tags or note else ""


def _actions(item: LibraryEntry) -> str:
    run = item.run
    done = run is not None and not run.live and bool(run.adapter or run.weights)
    buttons: list[str] = []
    folds: list[boxes.Fold] = []
    generates = run is not None and run.objective in GENERATING
    encodes = run is not None and OBJECTIVES[run.objective].embeds
    if item.kind == "run" and run is not None and done and (generates or encodes):
        if generates:
            buttons.append(boxes.button("compare", "Compare"))
        if run.adapter:
            buttons.append(boxes.button("continue", "Continue training"))
        folds.append(boxes.export_box(item))
    if item.kind == "base":
        buttons.append(boxes.button("train", "Fine-tune", model=item.model))
    if item.kind == "checkpoint" and generates:
        buttons.append(boxes.button("compare", "Compare"))
    if item.kind == "export" and item.record is not None:
        folds += boxes.export_boxes(item, item.record)
    folds.append(boxes.note_box(item))
    if item.kind != "base" and not (run is not None and run.live and item.kind != "export"):
        folds.append(boxes.delete_box(item))
    return boxes.folded(folds, "".join(buttons))


def disk(
    usage: dict[str, int], waste: Sequence[Waste], safety: dict[str, str] | None = None
) -> str:
    """Disk use of the workspace, how safe it is, and what a clean-up would delete."""
    parts = {name: size for name, size in usage.items() if name in _PARTS}
    total = sum(parts.values())
    rows = "".join(
        f'<li><span>{esc(_PARTS[name])}</span><i style="width:{100 * size / max(1, total):.0f}%">'
        f"</i><b>{esc(bytes_text(size))}</b></li>"
        for name, size in sorted(parts.items(), key=lambda pair: -pair[1])
        if size
    )
    summed = f"{bytes_text(total)} used, {bytes_text(usage['free'])} free"
    return (
        f'<section class="disk"><h4>Disk</h4><p class="quiet">{esc(summed)}</p><ul>{rows}</ul>'
        f"{_safety(safety) if safety else ''}{_waste(waste)}</section>"
    )


def _safety(safety: dict[str, str]) -> str:
    if safety["kind"]:
        return notice("warn", f"{safety['text']} {safety['more']}".strip())
    return f'<p class="quiet">{esc(safety["text"])}</p>'


def _waste(waste: Sequence[Waste]) -> str:
    if not waste:
        return '<p class="quiet">Nothing to clean up.</p>'
    size = bytes_text(sum(one.bytes for one in waste))
    lines = "".join(
        f"<li><span>{esc(one.what)}</span><b>{esc(bytes_text(one.bytes))}</b></li>"
        for one in sorted(waste, key=lambda one: -one.bytes)[:40]
    )
    kept = (
        "Runs that can be resumed keep every checkpoint; finished runs keep the newest and the "
        "starred ones."
    )
    remove = boxes.button("clean", f"Delete {plural(len(waste), 'item')}")
    body = f'<ul class="waste">{lines}</ul><p class="quiet">{kept}</p>{remove}'
    return boxes.folded([("clean", f"Clean up {size}", body)])


def working(job: Reply) -> str:
    """A running export, push or download, or how it ended."""
    name = esc(job["name"])
    if job["finished"]:
        ended = "job-wrong" if job["error"] else "job-done"
        return (
            f'<div class="job {ended}" role="{"alert" if job["error"] else "status"}"><div>'
            f"<b>{name}</b> <span>{esc(job['error'] or job['outcome'])}</span>"
            f"{_onward(job)}{boxes.button('cancel', 'Close', job=job['id'])}</div></div>"
        )
    share = min(100, 100 * job["done"] / max(1, job["total"] or 0))
    return (
        f'<div class="job" role="status"><div><b>{name}</b> <span>{esc(job["what"])}</span>'
        f"{boxes.button('cancel', 'Stop', job=job['id'])}</div>"
        f'<div class="bar"><i style="width:{share:.0f}%"></i></div></div>'
    )


def _onward(job: Reply) -> str:
    """A downloaded base leads to Train, its revision pinned; a push leads to its page."""
    result = job["result"] or {}
    if "revision" in result and Path(result["folder"], "config.json").is_file():
        return boxes.button("train", "Fine-tune", model=result["repo"], revision=result["revision"])
    if "url" in result:
        link = f'href="{esc(result["url"])}" target="_blank" rel="noopener"'
        return f'<a class="act" {link}>Open</a>'
    return ""


def counted(items: Sequence[LibraryEntry]) -> dict[str, str]:
    """The number of entries of each kind, for the filters."""
    found = {kind: sum(item.kind == kind for item in items) for kind in _KINDS}
    found["star"] = sum(item.mark.star for item in items)
    shown = sum(item.kind != "checkpoint" for item in items)
    return {"all": thousands(shown)} | {name: thousands(n) for name, n in found.items()}
