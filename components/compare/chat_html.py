"""Markup of the Chat sub-tab: pure functions to escaped HTML; a model's output is plain text."""

from __future__ import annotations

from collections.abc import Sequence

from components.compare.conversation import Chat, Turn
from components.compare.diff_html import differences
from components.ui.answer_html import calls, thought
from components.ui.html import empty_state, esc
from studio.core.answers import AnswerParts
from studio.core.formatting import DOT, bytes_text, compact, plural
from studio.generation.request import Answer
from studio.workflows.comparisons import LETTERS, Side

ENDS = {"stop": "complete", "length": "cut at max new tokens", "cancelled": "stopped", "error": ""}
NO_ANSWER = "No answer yet: raise max new tokens."
VOTES = {"a": "A is better", "b": "B is better", "tie": "tie", "both_bad": "both bad"}


# ---- models -------------------------------------------------------------------------------------


def heads(sides: Sequence[Side]) -> str:
    """The models' names in their colors; they stay at the top while answers scroll."""
    cells = "".join(
        f'<div class="col-head {side.kind}"><kbd>{LETTERS[at]}</kbd>'
        f'<b title="{esc(side.run or side.model)}">'
        f"{esc(side.label)}</b></div>"
        for at, side in enumerate(sides)
    )
    return f'<div class="cols heads" style="--cols:{len(sides)}">{cells}</div>'


def tag(at: int, side: Side) -> str:
    """The model's name once more, for narrow pages where columns stack."""
    return f'<span class="col-tag {side.kind}">{LETTERS[at]} {esc(side.label)}</span>'


def shared_text(
    shared: bool | None, sides: Sequence[Side], held: Sequence[Sequence[int] | None] = ()
) -> str:
    """Which models share weights and what each costs in memory, in words.

    `held` is a `MemoryUse` for each model, where known.
    """
    if shared is None or len(sides) < 2:
        return ""
    if any(held):
        return _held_text(sides, held)
    if not shared:
        return "The models do not share weights: each has its own copy in memory."
    if {side.kind for side in sides} == {"base", "tuned"} and len(sides) == 2:
        return "Base and tuned model share one copy of the weights."
    return f"All {len(sides)} models share one copy of the base model's weights."


def _held_text(sides: Sequence[Side], held: Sequence[Sequence[int] | None]) -> str:
    copies: dict[int, list[int]] = {}
    sizes, parts = {}, []
    for column, each in enumerate(held):
        if each is None:
            continue
        copy, sizes[copy], adapter = each
        copies.setdefault(copy, []).append(column)
        if adapter:
            parts.append(f"the adapter of {LETTERS[column]} adds {bytes_text(adapter)}")
    for copy, columns in reversed(copies.items()):
        names = " and ".join(LETTERS[column] for column in columns)
        how = "share one copy" if len(columns) > 1 else "has a copy"
        parts.insert(0, f"{names} {how} of the weights, {bytes_text(sizes[copy])}")
    parts += [
        f"{LETTERS[column]} runs on a server" for column, side in enumerate(sides) if side.endpoint
    ]
    return "; ".join(parts) + "."


# ---- chat ---------------------------------------------------------------------------------------


def chat_empty(has_run: bool) -> str:
    """The chat before its first prompt."""
    if has_run:
        return empty_state(
            "Ask both models the same question",
            "Base and tuned model answer side by side, from one copy of the weights. Type a prompt "
            "below.",
            "For the pocket model: Where does Mira live?",
        )
    return empty_state(
        "No finished run to compare yet",
        "Train a model first; it appears here beside its base as soon as it finishes. "
        "Until then you can ask the base model alone.",
    )


def chat(shown: Chat) -> str:
    """Every turn: the prompt across, the answers side by side beneath it."""
    last = len(shown.turns) - 1
    turns = "".join(
        _turn(shown.sides, turn, at == last, shown.marked, f"{shown.id}-{at}")
        for at, turn in enumerate(shown.turns)
    )
    return f'<div class="chat">{heads(shown.sides)}{turns}</div>'


def _turn(sides: Sequence[Side], turn: Turn, last: bool, marked: bool, key: str) -> str:
    texts = [AnswerParts(answer.text).spoken.strip() for answer in turn.answers]
    shown = differences(texts) if marked and turn.done else [esc(text) for text in texts]
    cells = "".join(
        f'<div class="answer {side.kind}">{tag(at, side)}'
        f"{_body(answer, shown[at], turn.done, f'{key}-{at}')}"
        f'<p class="answer-facts"><span>{answer_facts(answer, turn, turn.spent[at])}</span>'
        f"{f'<b>reward {turn.rewards[at]:.3g}</b>' if turn.rewards else ''}"
        f"{_buttons(at, side, answer.text, last) if turn.done else ''}</p></div>"
        for at, (side, answer) in enumerate(zip(sides, turn.answers, strict=True))
    )
    error = f'<p class="turn-error" role="alert">{esc(turn.error)}</p>' if turn.error else ""
    shared = shared_text(turn.shared, sides, turn.held)
    note = f'<p class="turn-note">{esc(shared)}</p>' if shared and turn.done and last else ""
    tool = turn.role == "tool"
    who = '<b class="asked-by">Tool result</b>' if tool else ""
    return (
        f'<section class="turn"><p class="asked{" result" if tool else ""}">{who}<span dir="auto">'
        f"{esc(turn.prompt)}</span></p>{error}"
        f'<div class="cols" style="--cols:{len(sides)}">{cells}</div>{note}</section>'
    )


def _buttons(at: int, side: Side, text: str, last: bool) -> str:
    """Copy; and Why? under the newest answers of tuned models, for the words selected in them."""
    asks = last and side.run is not None and text.strip()
    why = f'<button type="button" class="copy" data-why="{LETTERS[at]}">Why?</button>'
    return f"<span>{why if asks else ''} {_copy(text)}</span>"


def _copy(text: str) -> str:
    """A button that copies the answer as written (see static/compare.js)."""
    if not text.strip():
        return ""
    return f'<button type="button" class="copy" data-copy="{esc(text.strip())}">Copy</button>'


def _body(answer: Answer, markup: str, done: bool, key: str) -> str:
    """An answer, already markup, with a caret while it is being written; its thinking folded."""
    if answer.error:
        return f'<p class="answer-error" role="alert">{esc(answer.error)}</p>'
    writing = not done and answer.ended is None
    caret = '<i class="caret" aria-hidden="true"></i>' if writing else ""
    over = answer.ended is not None or done
    tokens = answer.reasoning_tokens
    before = thought(answer.reasoning, tokens, answer.thinking, over, key)
    called = calls(answer.text)
    if not markup and not writing:
        why = NO_ANSWER if answer.cut_thought else "(empty)"
        empty = "" if called else f'<p class="answer-text none">{why}</p>'
        return f'<div class="answer-body">{before}{called}{empty}</div>'
    text = f'<p class="answer-text" dir="auto">{markup}{caret}</p>'
    return f'<div class="answer-body">{before}{text}{called}</div>'


def answer_facts(answer: Answer, turn: Turn, seconds: float) -> str:
    """Length, speed, and how it ended."""
    if answer.error:
        return ""
    if turn.waiting:
        return "queued"
    if not (answer.tokens or answer.ended or turn.done):
        return "loading the model"
    parts = [plural(answer.tokens, "token")] if answer.tokens or answer.ended else []
    if answer.reasoning_tokens and parts:
        every = answer.reasoning_tokens == answer.tokens
        parts[0] += f", {'all' if every else f'{answer.reasoning_tokens:,} of them'} thinking"
    if answer.tokens and seconds > 0.05:
        parts.append(pace_text(answer.tokens / seconds))
    parts.append(ENDS.get(answer.ended or "", ""))
    return esc(DOT.join(part for part in parts if part))


def pace_text(pace: float) -> str:
    """`46 tokens/s`, `3.9 tokens/s`."""
    return f"{compact(pace) if pace >= 10 else f'{pace:.1f}'} tokens/s"


def prompts_given(turn: Turn | None, sides: Sequence[Side]) -> str:
    """The exact string each model received, special tokens included."""
    if turn is None:
        return '<p class="none">Shown after the first prompt.</p>'
    texts = [answer.prompt_text for answer in turn.answers]
    if len(set(texts)) == 1:
        same = '<p class="none">The same for every model.</p>'
        return f'{same}<pre class="exact" dir="auto">{esc(texts[0])}</pre>'
    cells = "".join(
        f'<div>{tag(at, side)}<pre class="exact" dir="auto">{esc(text)}</pre></div>'
        for at, (side, text) in enumerate(zip(sides, texts, strict=True))
    )
    return f'<div class="cols" style="--cols:{len(sides)}">{cells}</div>'
