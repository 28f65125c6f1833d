"""Markup of the Compare tab: pure functions to escaped HTML; what a model wrote is text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.common import compact, empty_state, esc, plural, progress_bar, thousands
from components.comparison import LETTERS, Chat, Comparison, Side, Turn

DOT = " \N{MIDDLE DOT} "
ENDS = {
    "stop": "ended by itself",
    "length": "cut at the limit",
    "cancelled": "stopped",
    "error": "",
}
VERDICTS = {"a": "A is better", "b": "B is better", "tie": "tie", "both_bad": "both bad"}


# ---- columns ------------------------------------------------------------------------------------


def heads(sides: Sequence[Side]) -> str:
    """The columns' names, in their colours; they stay at the top while answers scroll."""
    cells = "".join(
        f'<div class="col-head {side.kind}"><kbd>{LETTERS[at]}</kbd>'
        f'<b title="{esc(side.run or side.model)}">'
        f"{esc(side.label)}</b></div>"
        for at, side in enumerate(sides)
    )
    return f'<div class="cols heads" style="--cols:{len(sides)}">{cells}</div>'


def tag(at: int, side: Any) -> str:
    """A small repetition of the head, for narrow pages where columns stack."""
    return f'<span class="col-tag {side.kind}">{LETTERS[at]} {esc(side.label)}</span>'


def shared_text(shared: bool | None, sides: Sequence[Side]) -> str:
    """Who shares weights with whom, in words."""
    if shared is None or len(sides) < 2:
        return ""
    if not shared:
        return "The columns do not share weights: each has its own copy in memory."
    if {side.kind for side in sides} == {"base", "tuned"} and len(sides) == 2:
        return "Base and tuned share one copy of the weights."
    return f"All {len(sides)} columns share one copy of the base's weights."


# ---- chat ---------------------------------------------------------------------------------------


def chat_empty(has_run: bool) -> str:
    """The chat before its first prompt."""
    if has_run:
        return empty_state(
            "Ask both the same thing",
            "The base answers beside the tuned model, token by token, from one copy of the "
            "weights. Type a prompt below.",
            "For the pocket model: Where does Mira live?",
        )
    return empty_state(
        "No finished run to compare yet",
        "Train one first; it appears here beside its base as soon as it ends. "
        "Meanwhile the base alone can be asked.",
    )


def chat(talk: Chat) -> str:
    """Every turn: the prompt across, the answers side by side beneath it."""
    last = len(talk.turns) - 1
    turns = "".join(_turn(talk.sides, turn, at == last) for at, turn in enumerate(talk.turns))
    return f'<div class="chat">{heads(talk.sides)}{turns}</div>'


def _turn(sides: Sequence[Side], turn: Turn, last: bool) -> str:
    cells = "".join(
        f'<div class="answer {side.kind}">{tag(at, side)}{answer_body(answer, turn.done)}'
        f'<p class="answer-facts">{answer_facts(answer, turn, turn.spent[at])}</p></div>'
        for at, (side, answer) in enumerate(zip(sides, turn.answers, strict=True))
    )
    error = f'<p class="turn-error" role="alert">{esc(turn.error)}</p>' if turn.error else ""
    shared = shared_text(turn.shared, sides)
    note = f'<p class="turn-note">{esc(shared)}</p>' if shared and turn.done and last else ""
    return (
        f'<section class="turn"><p class="asked"><span>{esc(turn.prompt)}</span></p>{error}'
        f'<div class="cols" style="--cols:{len(sides)}">{cells}</div>{note}</section>'
    )


def answer_body(answer: Any, done: bool) -> str:
    """An answer as text; a caret while it is being written."""
    if answer.error:
        return f'<p class="answer-error" role="alert">{esc(answer.error)}</p>'
    writing = not done and answer.ended is None
    caret = '<i class="caret" aria-hidden="true"></i>' if writing else ""
    if not answer.text.strip() and not writing:
        return '<p class="answer-text none">(nothing)</p>'
    return f'<p class="answer-text">{esc(answer.text.strip())}{caret}</p>'


def answer_facts(answer: Any, turn: Turn, seconds: float) -> str:
    """Length, speed, and how it ended."""
    if answer.error:
        return ""
    if turn.waiting:
        return "waiting for its turn"
    if not (answer.tokens or answer.ended or turn.done):
        return "loading the model"
    parts = [plural(answer.tokens, "token")] if answer.tokens or answer.ended else []
    if answer.tokens and seconds > 0.05:
        parts.append(pace_text(answer.tokens / seconds))
    parts.append(ENDS.get(answer.ended or "", ""))
    return esc(DOT.join(part for part in parts if part))


def pace_text(pace: float) -> str:
    """`46 tokens/s`, `3.9 tokens/s`."""
    return f"{compact(pace) if pace >= 10 else f'{pace:.1f}'} tokens/s"


def prompts_given(turn: Turn | None, sides: Sequence[Side]) -> str:
    """The exact string that each column was given, special tokens and all."""
    if turn is None:
        return '<p class="none">Shown once something was asked.</p>'
    texts = [answer.prompt_text for answer in turn.answers]
    if len(set(texts)) == 1:
        same = '<p class="none">The same for every column.</p>'
        return f'{same}<pre class="exact">{esc(texts[0])}</pre>'
    cells = "".join(
        f'<div>{tag(at, side)}<pre class="exact">{esc(text)}</pre></div>'
        for at, (side, text) in enumerate(zip(sides, texts, strict=True))
    )
    return f'<div class="cols" style="--cols:{len(sides)}">{cells}</div>'


# ---- a set of prompts ---------------------------------------------------------------------------


def set_empty() -> str:
    """The prompt set before anything was answered."""
    return empty_state(
        "Many prompts at once",
        "Choose a set of prompts above. Every column answers all of them in batches; read them one "
        "at a time here, then send the pairs to be judged blind.",
    )


def set_progress(done: int, total: int, seconds: float, waiting: bool) -> str:
    """How far a set has been answered."""
    if waiting:
        return progress_bar(0, None, "Waiting for the model")
    left = ""
    if done and seconds > 2:
        left = f", {seconds / done * (total - done):.0f} s left"
    return progress_bar(done, total, f"{thousands(done)} of {thousands(total)} answers{left}")


def set_summary(comparison: Comparison) -> str:
    """A comparison's headline."""
    tokens = sum(cell["tokens"] for column in comparison.answers for cell in column)
    pace = pace_text(tokens / comparison.seconds) if comparison.seconds > 0 else ""
    parts = [
        f"{plural(len(comparison.prompts), 'prompt')}, {comparison.source}",
        plural(tokens, "token"),
        pace,
        "" if comparison.complete else "stopped before the end",
        shared_text(comparison.shared, comparison.sides).rstrip("."),
    ]
    return f'<p class="set-summary">{esc(DOT.join(part for part in parts if part))}</p>'


def set_card(comparison: Comparison, at: int) -> str:
    """One prompt with every column's answer beneath it."""
    turns = comparison.prompts[at]
    asked = esc(turns[-1]["content"]) if turns else ""
    before = "".join(
        f'<p class="earlier"><b>{esc(turn["role"])}</b> {esc(turn["content"])}</p>'
        for turn in turns[:-1]
    )
    reference = comparison.references[at] if at < len(comparison.references) else None
    known = f'<p class="reference"><b>in the data</b> {esc(reference)}</p>' if reference else ""
    cells = "".join(
        f'<div class="answer {side.kind}">{tag(column, side)}'
        f"{_cell(comparison.answers[column][at])}</div>"
        for column, side in enumerate(comparison.sides)
    )
    return (
        f'<div class="chat">{heads(comparison.sides)}<section class="turn">{before}'
        f'<p class="asked"><span>{asked}</span></p>{known}'
        f'<div class="cols" style="--cols:{len(comparison.sides)}">{cells}</div></section></div>'
    )


def _cell(cell: Mapping[str, Any]) -> str:
    if cell["error"]:
        return f'<p class="answer-error" role="alert">{esc(cell["error"])}</p>'
    text = esc(cell["text"].strip()) or '<span class="none">(nothing)</span>'
    facts = (plural(cell["tokens"], "token"), ENDS.get(cell["ended"] or "", "not begun"))
    said = DOT.join(fact for fact in facts if fact)
    return f'<p class="answer-text">{text}</p><p class="answer-facts">{esc(said)}</p>'


def set_table(comparison: Comparison, at: int) -> str:
    """All prompts as a table; a row brings its prompt up."""
    names = "".join(f"<th>{LETTERS[i]} {esc(s.label)}</th>" for i, s in enumerate(comparison.sides))
    rows = []
    for row, turns in enumerate(comparison.prompts):
        cells = "".join(
            f"<td>{esc(_short(column[row]['text']))}</td>" for column in comparison.answers
        )
        asked = esc(_short(turns[-1]["content"] if turns else ""))
        current = ' aria-current="true"' if row == at else ""
        rows.append(
            f'<tr data-at="{row}"{current}><td><button type="button" data-at="{row}">{row + 1}'
            f"</button></td><td>{asked}</td>{cells}</tr>"
        )
    return (
        '<div class="set-table"><table><thead><tr><th></th><th>prompt</th>'
        f"{names}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _short(text: str, most: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def sent_text(pairs: int, aside: Mapping[str, int]) -> str:
    """What became of the pairs sent to Label."""
    rest = ", ".join(f"{count} {reason}" for reason, count in aside.items() if count)
    return f"Sent {plural(pairs, 'pair')} to Label." + (f" Set aside: {rest}." if rest else "")
