"""Differences between answers, and how likely each token was: pure functions to escaped HTML."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from components.ui.html import esc, notice
from studio.core.formatting import percent_text
from studio.workflows.comparisons import LETTERS

if TYPE_CHECKING:
    from studio.evaluation.token_logprobs import AnswerReading, TokenReading

_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_STRONG = 3.0  # nats of log-ratio at which the colour is full


def differences(texts: Sequence[str]) -> list[str]:
    """Every text as markup: words the first text lacks are marked, and in the first text those
    that no other has."""
    words = [_WORDS.findall(text) for text in texts]
    if len(texts) < 2:
        return [esc(text) for text in texts]
    kept: set[int] = set()
    marked = []
    for other in words[1:]:
        matcher = difflib.SequenceMatcher(None, words[0], other, autojunk=False)
        same: set[int] = set()
        for block in matcher.get_matching_blocks():
            kept.update(range(block.a, block.a + block.size))
            same.update(range(block.b, block.b + block.size))
        marked.append(_marked(other, same))
    return [_marked(words[0], kept), *marked]


def _marked(words: Sequence[str], same: set[int]) -> str:
    parts, run = [], []
    for at, word in enumerate(words):
        if at in same or (word.isspace() and not run):
            if run:
                parts.append(f"<mark>{esc(''.join(run))}</mark>")
                run = []
            parts.append(esc(word))
        else:
            run.append(word)
    if run:
        parts.append(f"<mark>{esc(''.join(run))}</mark>")
    return "".join(parts)


def token_empty() -> str:
    return (
        '<p class="none">Choose an answer, or enter your own text, to see the probability of each '
        "token under each model.</p>"
    )


def tokens(reading: AnswerReading, asks: tuple[str, str] | None = None) -> str:
    """The answer once per model after the first, colored by the log-ratio to the first.

    Args:
        asks: the letter of a tuned model and the answer that it gave; each token of it can be
            asked about there, by `data-letter`, `data-start` and `data-end` (characters).
    """
    errors = "".join(
        notice("error", f"{label}: {error}")
        for label, error in zip(reading.labels, reading.errors, strict=False)
        if error
    )
    if not reading.tokens:
        return errors or token_empty()
    columns = [at for at in range(1, len(reading.labels)) if reading.sums[at] is not None]
    blocks = "".join(_block(reading, at, asks) for at in columns or [0])
    legend = (
        '<p class="none token-legend"><span class="token up" style="--s:.5">more likely</span> and '
        '<span class="token down" style="--s:.5">less likely</span> than in '
        f"{esc(reading.labels[0])}. Hover over a token for its probabilities"
        f"{'; click it to find the rows that raised it' if asks else ''}.</p>"
    )
    return f'<div class="token-view">{errors}{blocks}{legend if columns else ""}</div>'


def _block(reading: AnswerReading, at: int, asks: tuple[str, str] | None) -> str:
    answer = asks[1] if asks and asks[0] == LETTERS[at] else ""
    text, start = "", 0
    for token in reading.tokens:
        end = start + len(token.text)
        asked = token.text and answer[start:end] == token.text
        span = f' data-letter="{LETTERS[at]}" data-start="{start}" data-end="{end}"'
        text += _token(token, at, span if asked else "")
        start = end
    return (
        f'<div><p class="token-head"><b>{LETTERS[at]} {esc(reading.labels[at])}</b> '
        f"<span>{esc(_summary(reading, at))}</span></p>"
        f'<p class="token-text" dir="auto">{text}</p></div>'
    )


def _summary(reading: AnswerReading, at: int) -> str:
    own, first = reading.sums[at], reading.sums[0]
    if own is None:
        return ""
    text = f"log-probability {own:.1f}"
    if at and first is not None:
        text += f", {own - first:+.1f} vs. {reading.labels[0]}"
    reward = reading.rewards[at]
    return text + (f"; implicit reward {reward:+.2f}" if reward is not None else "")


def _token(token: TokenReading, at: int, span: str = "") -> str:
    ratio = token.ratio(at) if at else None
    kind, strength = "", 0.0
    if ratio is not None:
        strength = min(1.0, abs(ratio) / _STRONG)
        kind = " up" if ratio > 0 else " down"
    shown = esc(token.text).replace("\n", "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}\n")
    return (
        f'<span class="token{kind}" style="--s:{strength:.2f}" tabindex="0"{span} '
        f'title="{esc(_hover(token, at))}">{shown}</span>'
    )


def _hover(token: TokenReading, at: int) -> str:
    lines = []
    for column in dict.fromkeys((0, at)):
        logp = token.logps[column]
        if logp is None:
            continue
        best = ", ".join(f"{text!r} {_percent(value)}" for text, value in token.likeliest[column])
        lines.append(f"{LETTERS[column]}: {_percent(logp)}  (most likely: {best})")
    ratio = token.ratio(at) if at else None
    if ratio is not None:
        lines.append(f"log-ratio {ratio:+.2f}")
    return "\n".join(lines)


def _percent(logp: float) -> str:
    return percent_text(math.exp(logp))
