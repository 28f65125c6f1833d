"""Markup of what goes to the Hub: the same on the Models and the Data tab."""

from __future__ import annotations

from collections.abc import Sequence

from components.ui.html import esc
from studio.core.formatting import bytes_text, plural


def going_files(files: Sequence[tuple[str, int]]) -> str:
    """Exactly the files of a push, with their sizes."""
    rows = "".join(
        f"<li><code>{esc(name)}</code><span>{esc(bytes_text(size))}</span></li>"
        for name, size in files
    )
    total = f"{plural(len(files), 'file')}, {bytes_text(sum(size for _, size in files))}"
    return f'<p>Goes up: {esc(total)}, and nothing else.</p><ul class="files">{rows}</ul>'


def no_token(login: bool) -> str:
    """What to do where there is no token to push with."""
    if login:
        return ""
    return (
        '<p class="quiet">There is no token here: start the studio with HF_TOKEN set to one that '
        "may write, or log in with <code>hf auth login</code>.</p>"
    )
