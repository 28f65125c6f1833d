"""Rows token by token, as the trainer sees them: pure functions that return escaped HTML."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.ui.html import chips, esc, notice
from studio.core.formatting import percent_text, plural, thousands

if TYPE_CHECKING:
    from studio.data.tokens.token_view import Token, TokenView

MOST = 4000
"""Maximum tokens drawn per sequence; the rest is only counted."""
NAMES = {
    "text": ("row", "strong"),
    "prompt": ("prompt only", "strong"),
    "good": ("good answer", "chosen"),
    "bad": ("bad answer", "rejected"),
}
"""Label and chip style of a sequence; `chosen` and `rejected` keep their names."""
ENCODED = {
    "anchor": "good",
    "positive": "chosen",
    "negative": "rejected",
    "sentence1": "good",
    "sentence2": "good",
}
"""Chip styles of the sides that an encoder reads."""
NEWLINE = '<i class="nl">\N{RETURN SYMBOL}</i>\n'
LEGEND = (
    '<div class="token-legend"><span><span class="tok tok-lit">trained</span></span>'
    '<span><span class="tok">masked</span> context only, no loss</span>'
    '<span><span class="tok tok-special">&lt;special&gt;</span> template token</span>'
    '<span><span class="tok tok-lost">truncated</span> beyond max length</span></div>'
)


ENCODED_LEGEND = (
    '<div class="token-legend"><span><span class="tok tok-lit">text</span></span>'
    '<span><span class="tok">prompt</span> before it, read as well</span>'
    '<span><span class="tok tok-special">&lt;special&gt;</span> added token</span>'
    '<span><span class="tok tok-lost">cut</span> beyond max length</span></div>'
)


def token_view(views: Sequence[TokenView], max_length: int | None, about: str = "") -> str:
    """Every token of a rendered row: trained, masked, and truncated ones told apart."""
    told: list[str] = []
    if views and views[0].side in ENCODED:
        sides = "".join(_encoded(view, max_length) for view in views)
        return f'<div class="tokens">{about}{ENCODED_LEGEND}{sides}</div>'
    sides = "".join(_side(view, max_length, told) for view in views)
    return f'<div class="tokens">{about}{LEGEND}{sides}</div>'


def _side(view: TokenView, max_length: int | None, told: list[str]) -> str:
    lost, learns = view.total - view.kept, view.side != "prompt"
    limit = f"fits {thousands(max_length)}" if max_length else ""
    name, style = NAMES.get(view.side, (view.side, view.side))
    facts = chips(
        [
            (name, style),
            plural(view.total, "token"),
            (
                f"{thousands(view.trained)} trained ({percent_text(view.percent / 100)})"
                if learns
                else "no loss: the model answers from here",
                "quiet" if not learns else "" if view.trained else "danger",
                f"{percent_text(view.percent / 100)} of the {thousands(view.kept)} tokens within "
                "max length",
            ),
            (f"{thousands(lost)} truncated", "warn") if lost else (limit, "good"),
        ]
    )
    fresh = [note for note in view.notes if note not in told]
    told.extend(fresh)
    notes = "".join(notice("warn", note) for note in fresh) + _decided(view)
    return f'{facts}{notes}<div class="token-text" dir="auto">{_tokens(view)}</div>'


def _encoded(view: TokenView, max_length: int | None) -> str:
    """One side of a row as an encoder reads it: every token that is kept goes into its vector."""
    lost, prompt = view.total - view.kept, view.kept - view.trained
    limit = f"fits {thousands(max_length)}" if max_length else ""
    facts = chips(
        [
            (view.side, ENCODED[view.side]),
            plural(view.total, "token"),
            (f"{thousands(prompt)} of them the prompt", "") if prompt else ("", ""),
            (f"{thousands(lost)} cut off", "warn") if lost else (limit, "good"),
        ]
    )
    return f'{facts}<div class="token-text" dir="auto">{_tokens(view)}</div>'


def _decided(view: TokenView) -> str:
    """How many tokens each field of a message decided: what no field decides follows from its
    role."""
    counts = Counter((token.decided_by, token.trained) for token in view.tokens if token.decided_by)
    told = [
        f"{plural(number, 'token')} {'trained' if trained else 'masked'} by {field}"
        for (field, trained), number in counts.items()
    ]
    return notice("info", f"Decided by fields: {', '.join(told)}.") if told else ""


def _tokens(view: TokenView) -> str:
    parts, drawn = [], view.tokens[:MOST]
    for at, token in enumerate(drawn):
        if at == view.kept:
            parts.append(_cut(view.kept))
        size = 1
        while not token.text and at - size >= 0 and not drawn[at - size].text:
            size += 1
        parts.append(_token(token, at, at >= view.kept, size))
    more = len(view.tokens) - MOST
    if more > 0:
        parts.append(f'<span class="tok-more">and {plural(more, "more token")}</span>')
    return "".join(parts)


def _cut(kept: int) -> str:
    return f'<span class="cut-line">truncated at {thousands(kept)} tokens</span>'


def _token(token: Token, position: int, lost: bool, piece: int) -> str:
    classes = ["tok"]
    if token.special:
        classes.append("tok-special")
    if lost:
        classes.append("tok-lost")
    elif token.trained:
        classes.append("tok-lit")
    text = esc(token.text).replace("\n", NEWLINE)
    what = "special, " if token.special else ""
    if not token.text:
        classes.append("tok-piece")
        text, what = "\N{MIDDLE DOT}", f"part {piece + 1} of the previous character, "
    state = "truncated" if lost else "trained" if token.trained else "masked"
    if token.decided_by and not lost:
        state += f" by {token.decided_by}"
    title = f"token {position + 1}, id {token.id}, {what}{esc(state)}"
    return f'<span class="{" ".join(classes)}" title="{title}">{text}</span>'
