"""Markup of Compare's prompt sets: one prompt at a time, all as a table, filters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from components.compare.chat_html import ENDS, NO_ANSWER, heads, pace_text, shared_text, tag
from components.compare.diff_html import differences
from components.ui.answer_html import calls, thought
from components.ui.html import empty_state, esc, progress_bar
from studio.core.answers import AnswerParts, said
from studio.core.formatting import DOT, left_text, plural, thousands
from studio.workflows.comparisons import LETTERS, Comparison

_BEST = "best of its prompt"
FILTERS = ("all", "different", "same", "B longer", "B shorter", "cut off or failed", _BEST)


def matching(comparison: Comparison, wanted: str, search: str) -> list[int]:
    """Indices of the prompts that pass a filter and a search."""
    needle = search.strip().casefold()
    return [
        at
        for at in range(len(comparison.prompts))
        if _passes(comparison, at, wanted) and (not needle or needle in _all_text(comparison, at))
    ]


def _all_text(comparison: Comparison, at: int) -> str:
    texts = [turn["content"] for turn in comparison.prompts[at]]
    return " ".join([*texts, *(column[at]["text"] for column in comparison.answers)]).casefold()


def _passes(comparison: Comparison, at: int, wanted: str) -> bool:
    cells = [column[at] for column in comparison.answers]
    texts = [cell["text"].strip() for cell in cells]
    if wanted == "cut off or failed":
        return any(cell["ended"] != "stop" for cell in cells)
    if wanted == _BEST:
        return any(comparison.best(at, column) for column in range(len(cells)))
    if wanted == "all" or len(cells) < 2:
        return wanted == "all"
    return {
        "different": len(set(texts)) > 1,
        "same": len(set(texts)) == 1,
        "B longer": cells[1]["tokens"] > cells[0]["tokens"],
        "B shorter": cells[1]["tokens"] < cells[0]["tokens"],
    }[wanted]


def set_empty() -> str:
    """The prompt set before anything is answered."""
    return empty_state(
        "Many prompts at once",
        "Choose a set of prompts above. Every model answers all of them in batches; read them here "
        "one at a time, then send the pairs to Label for blind votes.",
    )


def set_progress(done: int, total: int, seconds: float, waiting: bool) -> str:
    """Progress of answering a set."""
    if waiting:
        return progress_bar(0, None, "Waiting for the model")
    left = ""
    if done and seconds > 2:
        left = f", {left_text(seconds / done * (total - done))}"
    return progress_bar(done, total, f"{thousands(done)} of {thousands(total)} answers{left}")


def set_summary(comparison: Comparison) -> str:
    """A comparison's headline."""
    tokens = sum(cell["tokens"] for column in comparison.answers for cell in column)
    pace = pace_text(tokens / comparison.seconds) if comparison.seconds > 0 else ""
    parts = [
        f"{plural(len(comparison.prompts), 'prompt')}, {comparison.source}",
        plural(tokens, "token"),
        pace,
        "" if comparison.complete else "stopped early",
        shared_text(comparison.shared, comparison.sides, comparison.held).rstrip("."),
    ]
    return f'<p class="set-summary">{esc(DOT.join(part for part in parts if part))}</p>'


def set_card(comparison: Comparison, at: int, marked: bool = False) -> str:
    """One prompt with every model's answer beneath it."""
    turns = comparison.prompts[at]
    asked = esc(said(turns[-1])) if turns else ""
    before = "".join(
        f'<p class="earlier" dir="auto"><b dir="ltr">{esc(turn["role"])}</b> {esc(said(turn))}</p>'
        for turn in turns[:-1]
    )
    reference = comparison.references[at] if at < len(comparison.references) else None
    known = (
        f'<p class="reference" dir="auto"><b dir="ltr">reference</b> {esc(reference)}</p>'
        if reference
        else ""
    )
    texts = [AnswerParts(column[at]["text"]).spoken.strip() for column in comparison.answers]
    shown = differences(texts) if marked else [esc(text) for text in texts]
    cells = "".join(
        f'<div class="answer {side.kind}">{tag(column, side)}'
        f"{_cell(comparison.answers[column][at], shown[column], _reward(comparison, column, at))}"
        "</div>"
        for column, side in enumerate(comparison.sides)
    )
    return (
        f'<div class="chat">{heads(comparison.sides)}<section class="turn">{before}'
        f'<p class="asked"><span dir="auto">{asked}</span></p>{known}'
        f'<div class="cols" style="--cols:{len(comparison.sides)}">{cells}</div></section></div>'
    )


def _reward(comparison: Comparison, column: int, at: int) -> str:
    """`reward 0.83, best of 8`, where the answer is scored."""
    reward = comparison.worth(column, at)
    if reward is None:
        return ""
    of = comparison.best(at, column)
    return f"reward {reward:.3g}{f', best of {of}' if of else ''}"


def _cell(cell: Mapping[str, Any], markup: str, reward: str) -> str:
    if cell["error"]:
        return f'<p class="answer-error" role="alert">{esc(cell["error"])}</p>'
    called = calls(cell["text"])
    why = NO_ANSWER if cell.get("thinking") else "(empty)"
    text = markup or ("" if called else f'<span class="none">{why}</span>')
    tokens, thinking = cell.get("reasoning_tokens", 0), cell.get("thinking", False)
    before = thought(cell.get("reasoning", ""), tokens, thinking, True)
    facts = (plural(cell["tokens"], "token"), ENDS.get(cell["ended"] or "", "not started"))
    line = DOT.join(fact for fact in facts if fact)
    return (
        f'<div class="answer-body">{before}<p class="answer-text" dir="auto">{text}</p>'
        f"{called}</div>"
        f'<p class="answer-facts"><span>{esc(line)}</span>'
        f"<b>{esc(reward)}</b></p>"
    )


def set_table(comparison: Comparison, at: int, places: Sequence[int]) -> str:
    """The prompts at these indices as a table; a click on a row shows its prompt."""
    if not places:
        return '<p class="none">No prompt passes this filter.</p>'
    names = "".join(f"<th>{LETTERS[i]} {esc(s.label)}</th>" for i, s in enumerate(comparison.sides))
    rows = []
    for row in places:
        turns = comparison.prompts[row]
        cells = "".join(
            f"<td dir='auto'>{esc(_short(cells[row]['text']))}"
            f"<span dir='ltr'>{_reward(comparison, column, row)}</span>"
            "</td>"
            for column, cells in enumerate(comparison.answers)
        )
        asked = esc(_short(turns[-1]["content"] if turns else ""))
        current = ' aria-current="true"' if row == at else ""
        rows.append(
            f'<tr data-at="{row}"{current}><td><button type="button" data-at="{row}">{row + 1}'
            f"</button></td><td dir='auto'>{asked}</td>{cells}</tr>"
        )
    return (
        '<div class="set-table"><table><thead><tr><th></th><th>prompt</th>'
        f"{names}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _short(text: str, most: int = 160) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= most else flat[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def sent_text(pairs: int, aside: Mapping[str, int]) -> str:
    """How many pairs were sent to Label, and what was left out."""
    rest = ", ".join(f"{count} {reason}" for reason, count in aside.items() if count)
    return f"Sent {plural(pairs, 'pair')} to Label." + (f" Left out: {rest}." if rest else "")
