"""What the Data tab asks a person: which of several readings is right, and which encoding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from components.data.row_html import row_card
from components.ui.html import esc, notice

if TYPE_CHECKING:
    from collections.abc import Mapping

    from components.data.row_browser import Update
    from studio.data import Inspection
    from studio.data.types import JsonObject


def reading_choice(found: Inspection) -> Update:
    """The readings to choose from; hidden where one fits."""
    choices = [(one["why"], str(at)) for at, one in enumerate(found.readings)]
    return gr.update(visible=bool(choices), choices=choices, value=None, label=found.question or "")


def encoding_choice(found: Inspection, how: Mapping[str, Any]) -> Update:
    """The encodings that fit; hidden where every file is UTF-8."""
    chosen = how.get("encoding")
    names = list(dict.fromkeys([*([chosen] if chosen else []), *found.encodings]))
    return gr.update(visible=bool(names), choices=names, value=names[0] if names else None)


def told(found: Inspection, choice: str) -> JsonObject:
    """How to read the source so that the chosen reading is taken."""
    one = found.readings[int(choice)]
    return {"format": one["format"], "mapping": dict(one["mapping"])}


def readings_html(found: Inspection) -> str:
    """One row of the file, and what each reading makes of it, side by side."""
    if not found.readings:
        return ""
    raw = "".join(
        f"<dt>{esc(name)}</dt><dd dir='auto'>{esc(_short(value))}</dd>"
        for name, value in found.readings[0]["raw"].items()
    )
    ways = "".join(
        f'<article class="row-card"><header class="card-head"><span>{at}. {esc(one["why"])}</span>'
        f"</header>{_made(one['row'])}</article>"
        for at, one in enumerate(found.readings, 1)
    )
    asked = notice("warn", f"{found.question} Choose on the left; this row shows the difference.")
    return f'{asked}<dl class="raw-row">{raw}</dl><div class="readings">{ways}</div>'


def _made(row: JsonObject) -> str:
    if "left_out" in row:
        return f'<p class="said said-empty">left out: {esc(row["left_out"])}</p>'
    return row_card(row)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 300 else f"{text[:300]}\N{HORIZONTAL ELLIPSIS}"
