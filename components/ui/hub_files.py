"""Markup of a push to the Hub, shared by the Models and the Data tab."""

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
    return f'<p>Uploads {esc(total)}, and nothing else.</p><ul class="files">{rows}</ul>'


def no_token(login: bool) -> str:
    """What to do where there is no token."""
    if login:
        return ""
    return (
        '<p class="quiet">No Hub token: start the studio with HF_TOKEN set to a token with write '
        "access, or log in with <code>hf auth login</code>.</p>"
    )
