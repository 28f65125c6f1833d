"""Rows as a person reads them and as a trainer does: pure functions to escaped HTML."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.common import chips, esc, notice, plural, thousands

if TYPE_CHECKING:
    from studio.data.rendering import Token, TokenView

LONG_TEXT = 6000
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


# ---- rows as cards ------------------------------------------------------------------------------


def row_card(row: Mapping[str, Any]) -> str:
    """One training row as a person reads it: turns with their roles; two answers side by side."""
    if "messages" in row:
        return _card(_turns(row["messages"]), row, {"messages"})
    if "chosen" in row and "rejected" in row:
        return _preference_card(row)
    if "answer1" in row:
        return _comparison_card(row)
    if "completion" in row:
        verdict = row.get("label")
        side = "" if verdict is None else ("chosen" if verdict else "rejected")
        prompt = _as_turns(row.get("prompt"), "prompt")
        answer = _as_turns(row["completion"], "completion")
        body = _turns(prompt) + _turns(answer, side or "answer")
        return _card(body, row, {"prompt", "completion", "label"})
    if "prompt" in row:
        return _card(_turns(_as_turns(row["prompt"], "prompt")), row, {"prompt"})
    return _card(_turns([{"role": "text", "content": row.get("text")}], "answer"), row, {"text"})


def _preference_card(row: Mapping[str, Any]) -> str:
    prompt = _as_turns(row.get("prompt"), "prompt") if "prompt" in row else []
    chosen = _as_turns(row["chosen"], "chosen")
    rejected = _as_turns(row["rejected"], "rejected")
    left, right = _marked(_content(chosen), _content(rejected))
    pair = (
        f'<div class="pair"><div class="side side-chosen"><h4>chosen</h4>{left}</div>'
        f'<div class="side side-rejected"><h4>rejected</h4>{right}</div></div>'
    )
    return _card(_turns(prompt) + pair, row, {"prompt", "chosen", "rejected"})


def _comparison_card(row: Mapping[str, Any]) -> str:
    answers = [key for key in row if re.fullmatch(r"answer\d+", key)]
    sides = "".join(
        f'<div class="side"><h4>answer {esc(key[6:])}</h4>'
        f"{_text(_content(_as_turns(row[key], key)))}</div>"
        for key in answers
    )
    prompt = _turns(_as_turns(row.get("prompt"), "prompt"))
    return _card(f'{prompt}<div class="pair">{sides}</div>', row, {"prompt", *answers})


def _card(body: str, row: Mapping[str, Any], shown: set[str]) -> str:
    rest = {key: value for key, value in row.items() if key not in shown and value is not None}
    if not rest:
        return f'<article class="row-card">{body}</article>'
    lines = "".join(f"<dt>{esc(key)}</dt><dd>{_text(value)}</dd>" for key, value in rest.items())
    more = f"<summary>{plural(len(rest), 'more column')}</summary><dl>{lines}</dl>"
    return f'<article class="row-card">{body}<details>{more}</details></article>'


def _as_turns(value: Any, name: str) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [{"role": name, "content": value}]


def _turns(turns: Iterable[Any], style: str = "") -> str:
    return "".join(_turn(turn, style) for turn in turns)


def _turn(turn: Any, style: str) -> str:
    if not isinstance(turn, Mapping):
        turn = {"role": "?", "content": turn}
    role = str(turn.get("role") or "?")
    kind = style or ("answer" if role == "assistant" else "")
    calls = turn.get("tool_calls")
    tools = f'<div class="turn-tools">calls {esc(calls)}</div>' if calls else ""
    return (
        f'<div class="turn turn-{esc(kind or "plain")}"><span class="role">{esc(role)}</span>'
        f"<div>{_text(turn.get('content'))}{tools}</div></div>"
    )


def _content(turns: Sequence[Any]) -> str:
    return "\n\n".join(
        _plain(turn.get("content") if isinstance(turn, Mapping) else turn) for turn in turns
    )


def _plain(value: Any) -> str:
    if isinstance(value, list):  # content as parts: text parts are read, others are named
        return "\n".join(
            str(part.get("text") or f"[{part.get('type', 'part')}]")
            if isinstance(part, Mapping)
            else str(part)
            for part in value
        )
    return "" if value is None else str(value)


def _text(value: Any) -> str:
    text = _plain(value)
    if not text.strip():
        return '<p class="said said-empty">empty</p>'
    cut = len(text) - LONG_TEXT
    more = f'<span class="cut"> ... {thousands(cut)} more characters</span>' if cut > 0 else ""
    return f'<p class="said">{esc(text[:LONG_TEXT])}{more}</p>'


def _marked(left: str, right: str) -> tuple[str, str]:
    """Both sides with what only one of them says marked; long sides are left plain."""
    if not left.strip() or not right.strip() or len(left) + len(right) > LONG_TEXT:
        return _text(left), _text(right)
    a, b = _WORDS.findall(left), _WORDS.findall(right)
    match = difflib.SequenceMatcher(a=a, b=b, autojunk=False)
    if match.ratio() < 0.25:  # nothing in common worth pointing at
        return _text(left), _text(right)
    one, two = [], []
    for kind, a0, a1, b0, b1 in match.get_opcodes():
        for words, out in ((a[a0:a1], one), (b[b0:b1], two)):
            text = esc("".join(words))
            out.append(text if kind == "equal" or not text.strip() else f"<mark>{text}</mark>")
    return f'<p class="said">{"".join(one)}</p>', f'<p class="said">{"".join(two)}</p>'


# ---- tokens -------------------------------------------------------------------------------------


def token_view(views: Sequence[TokenView], max_length: int | None) -> str:
    """Every token of a rendered row: trained ones lit, masked ones dim, the cut drawn."""
    legend = (
        '<div class="token-legend"><span class="tok tok-lit">trained</span>'
        '<span class="tok">masked: read, not learned</span>'
        '<span class="tok tok-special">special</span></div>'
    )
    return f'<div class="tokens">{legend}{"".join(_token_side(v, max_length) for v in views)}</div>'


def _token_side(view: TokenView, max_length: int | None) -> str:
    kept = view.total if view.kept is None else view.kept
    share = f"{100 * view.trained / kept:.0f} %" if kept else "0 %"
    lost = view.total - kept
    limit = f"fits {thousands(max_length)}" if max_length else ""
    facts = chips(
        [
            (view.side, view.side if view.side in ("chosen", "rejected") else "strong"),
            plural(view.total, "token"),
            (f"{thousands(view.trained)} trained ({share})", "" if view.trained else "danger"),
            (f"{plural(lost, 'token')} cut off", "warn") if lost else (limit, "good"),
        ]
    )
    notes = "".join(notice("warn", note) for note in view.notes)
    parts = []
    for position, token in enumerate(view.tokens):
        if position == kept and lost:
            parts.append(f'<span class="cut-line">cut at {thousands(kept)} tokens</span>')
        parts.append(_token(token, position, position >= kept))
    return f'{facts}{notes}<div class="token-text">{"".join(parts)}</div>'


def _token(token: Token, position: int, lost: bool) -> str:
    classes = ["tok"]
    if token.special:
        classes.append("tok-special")
    if lost:
        classes.append("tok-lost")
    elif token.trained:
        classes.append("tok-lit")
    text = esc(token.text).replace("\n", '<i class="nl">\N{RETURN SYMBOL}</i>\n')
    state = "cut off" if lost else "trained" if token.trained else "masked"
    title = f"token {position + 1}, id {token.id}, {state}"
    return f'<span class="{" ".join(classes)}" title="{title}">{text}</span>'
