"""Rows rendered for reading: pure functions that return escaped HTML."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.ui.html import chips, esc
from studio.core.answers import FIELDS
from studio.core.formatting import plural, thousands

if TYPE_CHECKING:
    from studio.data import Problem
    from studio.data.prepared.browse import ShownRow

LONG_TEXT = 6000
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")
_FOLDERS = re.compile(r"[\\/]")
_ALIKE = 0.25  # below this similarity, nearly every word would be marked as different
LABELS = {True: ("good answer", "chosen"), False: ("bad answer", "rejected")}


def shown_card(shown: ShownRow, place: str = "", looked_for: str = "") -> str:
    """A row with its place in the source and its problems; search hits are marked."""
    where = place
    if shown.number is not None:
        where = f"row {thousands(shown.number)}"
        where += f" of {_FOLDERS.split(shown.file)[-1]}" if shown.file else ""
    wrong = "".join(
        f'<li class="row-problem-{esc(problem.severity)}">{chips([problem_chip(problem)])}'
        f"<span>{esc(problem.message)}</span></li>"
        for problem in shown.problems
    )
    problems = f'<ul class="row-problems">{wrong}</ul>' if wrong else ""
    head = f'<header class="card-head"><span>{esc(where)}</span></header>' if where else ""
    body = row_card(shown.row, looked_for) if shown.raw is None else raw_card(shown.raw, looked_for)
    return f'<article class="row-card">{head}{problems}{body}</article>'


def problem_chip(problem: Problem) -> tuple[str, str]:
    """A problem's kind and the chip style of its severity."""
    return kind_words(problem.kind), "warn" if problem.severity == "error" else "quiet"


def kind_words(kind: str) -> str:
    """`empty_field` -> `empty field`."""
    return kind.replace("_", " ")


def row_card(row: Mapping[str, Any], looked_for: str = "") -> str:
    """One row: turns with their roles; two answers side by side, differences marked."""
    return _Card(looked_for).of(row)


def raw_card(text: str, looked_for: str = "") -> str:
    """The record as text, if it could not be converted."""
    if not text.strip():
        return '<p class="said said-empty">no text was recorded</p>'
    return f'<div class="raw"><h4>Record as in the file</h4>{_Card(looked_for).text(text)}</div>'


class _Card:
    """Renders one row, marking the search hits."""

    def __init__(self, looked_for: str):
        self._hit = re.compile(re.escape(looked_for), re.IGNORECASE) if looked_for else None

    def of(self, row: Mapping[str, Any]) -> str:
        """The body of the card, by dataset type."""
        if "messages" in row:
            return self._turns(row["messages"]) + self._rest(row, {"messages"})
        if "chosen" in row and "rejected" in row:
            return self._preference(row)
        if "answer1" in row:
            return self._comparison(row)
        if "completion" in row:
            return self._completion(row)
        if "prompt" in row:
            turns = self._turns(_as_turns(row["prompt"], "prompt"))
            return turns + self._rest(row, {"prompt"})
        text = [{"role": "text", "content": row.get("text")}]
        return self._turns(text, "answer") + self._rest(row, {"text"})

    def _completion(self, row: Mapping[str, Any]) -> str:
        label, style = LABELS.get(row.get("label"), ("", "answer"))  # type: ignore[arg-type]
        prompt = self._turns(_as_turns(row.get("prompt"), "prompt"))
        answer = self._turns(_as_turns(row["completion"], "completion"), style)
        said = f'<div class="verdict">{chips([(label, style)])}</div>' if label else ""
        return prompt + answer + said + self._rest(row, {"prompt", "completion", "label"})

    def _preference(self, row: Mapping[str, Any]) -> str:
        prompt = _as_turns(row.get("prompt"), "prompt") if "prompt" in row else []
        sides = [("chosen", row["chosen"]), ("rejected", row["rejected"])]
        return self._turns(prompt) + self._pair(sides) + self._rest(row, {"prompt", *dict(sides)})

    def _comparison(self, row: Mapping[str, Any]) -> str:
        names = [key for key in row if re.fullmatch(r"answer\d+", key)]
        sides = [(f"answer {key[6:]}", row[key]) for key in names]
        prompt = self._turns(_as_turns(row.get("prompt"), "prompt"))
        return prompt + self._pair(sides) + self._rest(row, {"prompt", *names})

    def _pair(self, sides: Sequence[tuple[str, object]]) -> str:
        texts = [_content(_as_turns(value, name)) for name, value in sides]
        marked = differences(*texts) if len(texts) == 2 else None
        bodies = marked if marked and not self._hit else [self.text(text) for text in texts]
        boxes = "".join(
            f'<div class="side side-{esc(name.split()[0])}"><h4>{esc(name)}'
            f"<small>{plural(len(text.split()), 'word')}</small></h4>{body}</div>"
            for (name, _), text, body in zip(sides, texts, bodies, strict=True)
        )
        note = ""
        if len(texts) == 2 and marked is None and all(text.strip() for text in texts):
            note = '<p class="pair-note">Too different to mark the differences.</p>'
        return f'<div class="pair">{boxes}</div>{note}'

    def _rest(self, row: Mapping[str, Any], shown: set[str]) -> str:
        rest = {key: value for key, value in row.items() if key not in shown and value is not None}
        if not rest:
            return ""
        lines = "".join(
            f"<dt>{esc(key)}</dt><dd>{self.text(_pretty(value))}</dd>"
            for key, value in rest.items()
        )
        names = ", ".join(rest)
        return f"<details><summary>Other fields: {esc(names)}</summary><dl>{lines}</dl></details>"

    def _turns(self, turns: Iterable[object], style: str = "") -> str:
        return "".join(self._turn(turn, style) for turn in turns)

    def _turn(self, value: object, style: str) -> str:
        turn: Mapping[str, Any] = (
            value if isinstance(value, Mapping) else {"role": "?", "content": value}
        )
        role = str(turn.get("role") or "?")
        kind = style or {"assistant": "answer", "system": "system"}.get(role, "plain")
        calls = "".join(
            f'<pre class="turn-tools">{self._marked(_pretty(call))}</pre>'
            for call in turn.get("tool_calls") or ()
        )
        content = turn.get("content")
        text = "" if calls and not content else self.text(content)
        return (
            f'<div class="turn turn-{esc(kind)}"><span class="role">{esc(role)}</span>'
            f"<div>{self._thought(turn)}{text}{calls}</div></div>"
        )

    def _thought(self, turn: Mapping[str, Any]) -> str:
        """A message's thinking, folded unless the search found something in it."""
        said = next((str(turn[name]) for name in FIELDS if turn.get(name)), "")
        if not said:
            return ""
        marked = self._marked(said)
        unfolded = " open" if "<mark" in marked else ""
        return (
            f'<details class="thought"{unfolded}><summary>'
            f"Thinking, {plural(len(said.split()), 'word')}</summary>"
            f'<p dir="auto">{marked}</p></details>'
        )

    def text(self, value: object) -> str:
        """A text with search hits marked; the rest of a long one is collapsed."""
        text = _plain(value)
        if not text.strip():
            return '<p class="said said-empty">empty</p>'
        cut = len(text) - LONG_TEXT
        if cut <= 0:
            return f'<p class="said" dir="auto">{self._marked(text)}</p>'
        return (
            f'<p class="said" dir="auto">{self._marked(text[:LONG_TEXT])}</p>'
            '<details class="long"><summary>'
            f"{thousands(cut)} more characters</summary>"
            f'<p class="said" dir="auto">{self._marked(text[LONG_TEXT:])}</p></details>'
        )

    def _marked(self, text: str) -> str:
        if self._hit is None:
            return esc(text)
        out, end = [], 0
        for found in self._hit.finditer(text):
            out.append(f'{esc(text[end : found.start()])}<mark class="hit">{esc(found[0])}</mark>')
            end = found.end()
        return "".join(out) + esc(text[end:])


def differences(left: str, right: str) -> list[str] | None:
    """Both texts with the words marked that only one has; None if they are too different or too
    long to compare."""
    if not left.strip() or not right.strip() or len(left) + len(right) > 2 * LONG_TEXT:
        return None
    a, b = _WORDS.findall(left), _WORDS.findall(right)
    match = difflib.SequenceMatcher(a=a, b=b, autojunk=False)
    if match.quick_ratio() < _ALIKE or match.ratio() < _ALIKE:
        return None
    sides: list[list[str]] = [[], []]
    for kind, a0, a1, b0, b1 in match.get_opcodes():
        for words, out in zip((a[a0:a1], b[b0:b1]), sides, strict=True):
            text = esc("".join(words))
            out.append(text if kind == "equal" or not text.strip() else f"<mark>{text}</mark>")
    return [f'<p class="said" dir="auto">{"".join(side)}</p>' for side in sides]


def _as_turns(value: object, name: str) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [{"role": name, "content": value}]


def _content(turns: Sequence[object]) -> str:
    return "\n\n".join(
        _plain(turn.get("content") if isinstance(turn, Mapping) else turn) for turn in turns
    )


def _plain(value: object) -> str:
    if isinstance(value, list):  # content parts: text is shown, others are named
        return "\n".join(
            str(part.get("text") or f"[{part.get('type', 'part')}]")
            if isinstance(part, Mapping)
            else str(part)
            for part in value
        )
    return "" if value is None else str(value)


def _pretty(value: object) -> str:
    """Tools, calls and provenance as indented JSON; other strings unchanged."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value[:1] in "[{" else value
        except ValueError:
            return value
    if isinstance(value, str):
        return value
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
