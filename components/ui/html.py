"""Small pieces of markup that every tab uses. Everything they are given is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable
from typing import Literal

Kind = Literal["info", "good", "warn", "error"]

STATES = {
    "queued": ("queued", "quiet"),
    "running": ("running", "live"),
    "stopping": ("stopping", "warn"),
    "stopped": ("stopped", ""),
    "finished": ("finished", "good"),
    "failed": ("failed", "danger"),
    "interrupted": ("interrupted", "warn"),
}
"""A run's states, as every tab labels and colors them."""


def esc(text: object) -> str:
    """Text from anywhere, safe inside markup and attributes; None is nothing."""
    return "" if text is None else html.escape(str(text), quote=True)


def empty_state(title: str, body: str, hint: str = "") -> str:
    """What an empty place is for, and the next step."""
    more = f'<p class="empty-hint">{esc(hint)}</p>' if hint else ""
    return f'<div class="empty"><h3>{esc(title)}</h3><p>{esc(body)}</p>{more}</div>'


def notice(kind: Kind, text: str, detail: str = "") -> str:
    """One sentence beside what it concerns; nothing for `""`."""
    if not text:
        return ""
    role = "alert" if kind == "error" else "status"
    more = f'<span class="notice-detail">{esc(detail)}</span>' if detail else ""
    return f'<div class="notice notice-{kind}" role="{role}"><span>{esc(text)}</span>{more}</div>'


def chips(items: Iterable[str | tuple[str, ...]]) -> str:
    """A row of small facts: text, or (text, class), or (text, class, exact value on hover).

    Classes with a meaning: base, tuned, chosen, rejected, good, warn, danger, quiet, strong.
    """
    parts = []
    for item in items:
        text, kind, title = (item, "", "") if isinstance(item, str) else (*item, "")[:3]
        if not text:
            continue
        hover = f' title="{esc(title)}"' if title else ""
        style = f"chip chip-{esc(kind)}" if kind else "chip"
        parts.append(f'<span class="{style}"{hover}>{esc(text)}</span>')
    return f'<div class="chips">{"".join(parts)}</div>' if parts else ""


def section(title: str, hint: str = "") -> str:
    """A small heading inside a column, with at most one quiet line beside it."""
    more = f'<span class="section-hint">{esc(hint)}</span>' if hint else ""
    return f'<div class="section"><h3>{esc(title)}</h3>{more}</div>'


def progress_bar(done: float, total: float | None, text: str) -> str:
    """Work in progress: a bar when the end is known, a moving stripe when it is not."""
    known = bool(total)
    share = min(1.0, max(0.0, done / total)) if total else 0.0
    style = f' style="width:{share * 100:.1f}%"' if known else ""
    kind = "bar" if known else "bar bar-unknown"
    return (
        f'<div class="progress" role="status"><div class="{kind}"><i{style}></i></div>'
        f"<span>{esc(text)}</span></div>"
    )


def key_hint(keys: Iterable[tuple[str, str]]) -> str:
    """Keyboard shortcuts as a quiet line: (key, what it does)."""
    parts = (f"<span><kbd>{esc(key)}</kbd> {esc(what)}</span>" for key, what in keys)
    return f'<div class="keys">{"".join(parts)}</div>'
