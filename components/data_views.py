"""Markup of the Data tab: pure functions from engine values to escaped HTML."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.common import (
    ago_text,
    chips,
    empty_state,
    esc,
    notice,
    plural,
    thousands,
)

if TYPE_CHECKING:
    from studio.data import Inspection, PreparedDataset

TRAINABLE = ("language_modeling", "prompt_completion", "conversational", "preference")
TYPE_NAMES = {
    "language_modeling": "plain text",
    "prompt_completion": "prompt and completion",
    "conversational": "conversations",
    "prompt_only": "prompts only",
    "preference": "preference pairs",
    "unpaired_preference": "rated answers",
    "comparison": "two answers, no verdict",
}
LONG_TEXT = 6000
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


# ---- the headline -------------------------------------------------------------------------------


def type_name(type_: str) -> str:
    """TRL's dataset type in plain words."""
    return TYPE_NAMES.get(type_, type_)


def certainty(confidence: float) -> str:
    """A share of certainty in a word."""
    if confidence >= 0.95:
        return "certain"
    return "likely" if confidence >= 0.7 else "a guess: check it"


def found_chips(found: Inspection) -> str:
    """What was recognised in a source, on one line."""
    sure, dropped = found.confidence, found.rows - found.kept
    kept = f"{plural(found.rows, 'row')} \N{RIGHTWARDS ARROW} {thousands(found.kept)} kept"
    return chips(
        [
            (short_source(found.source), "strong", found.source),
            (found.format, "good" if sure >= 0.7 else "warn", found.why),
            (certainty(sure), "quiet", f"{sure:.0%}: {found.why}"),
            (type_name(found.type), "", f"TRL type: {found.type}"),
            (kept, "warn" if dropped > 0 else "", f"{thousands(dropped)} left out"),
        ]
    )


def prepared_chips(dataset: PreparedDataset) -> str:
    """The headline of a prepared dataset."""
    splits = [f"{thousands(count)} {split}" for split, count in dataset.rows.items() if count]
    return chips(
        [
            (dataset.name, "strong", dataset.id),
            ("prepared", "good", f"fingerprint {dataset.fingerprint}"),
            (type_name(dataset.type), "", f"TRL type: {dataset.type}"),
            (" \N{MIDDLE DOT} ".join(splits), ""),
            (ago_text(dataset.created), "quiet"),
        ]
    )


def short_source(source: str) -> str:
    """The last parts of a path or id: enough to recognise it."""
    parts = [part for part in re.split(r"[\\/]", source) if part]
    return "/".join(parts[-2:]) if len(parts) > 1 and "/gradio/" not in source else parts[-1]


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
    more = "".join(f"<dt>{esc(key)}</dt><dd>{_text(value)}</dd>" for key, value in rest.items())
    return f'<article class="row-card">{body}{f"<dl>{more}</dl>" if more else ""}</article>'


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


def token_view(views: Sequence[Any], max_length: int | None) -> str:
    """Every token of a rendered row: trained ones lit, masked ones dim, the cut drawn."""
    legend = (
        '<div class="token-legend"><span class="tok tok-lit">trained</span>'
        '<span class="tok">masked: read, not learned</span>'
        '<span class="tok tok-special">special</span></div>'
    )
    return f'<div class="tokens">{legend}{"".join(_token_side(v, max_length) for v in views)}</div>'


def _token_side(view: Any, max_length: int | None) -> str:
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


def _token(token: Any, position: int, lost: bool) -> str:
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


# ---- problems -----------------------------------------------------------------------------------


def problem_kinds(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """(label with count, kind) choices for the filter, most frequent first."""
    every = [(f"All kinds ({thousands(sum(counts.values()))})", "")]
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    return every + [(f"{kind} ({thousands(count)})", kind) for kind, count in ordered]


def problems_table(
    problems: Sequence[Any], counts: Mapping[str, int], kind: str = "", limit: int = 300
) -> str:
    """Rows that will not be trained on, or that want a look, and why."""
    chosen = [problem for problem in problems if not kind or problem.kind == kind][:limit]
    if not chosen:
        return empty_state("No problems found", "Every row can be trained on.")
    total = counts.get(kind, len(chosen)) if kind else sum(counts.values())
    more = total - len(chosen)
    tail = f'<p class="quiet">and {plural(more, "more", "more")} like these</p>' if more > 0 else ""
    lines = "".join(_problem_line(problem) for problem in chosen)
    return (
        '<div class="scroll"><table class="list"><thead><tr><th class="num">Row</th><th>Kind</th>'
        f"<th>What is wrong</th><th></th></tr></thead><tbody>{lines}</tbody></table></div>{tail}"
    )


def _problem_line(problem: Any) -> str:
    row = "" if problem.row is None else thousands(problem.row)
    where = short_source(problem.file) if problem.file else ""
    kept = problem.severity == "warning"
    state = chips([("warning", "quiet") if kept else ("left out", "warn")])
    return (
        f'<tr><td class="num" title="{esc(where)}">{row}</td><td>{esc(problem.kind)}</td>'
        f"<td>{esc(problem.message)}</td><td>{state}</td></tr>"
    )


# ---- prepared datasets --------------------------------------------------------------------------


def prepared_table(datasets: Sequence[Any], chosen: str | None = None) -> str:
    """Every prepared dataset of the workspace; a click on a line opens it."""
    if not datasets:
        return empty_state(
            "No prepared datasets yet",
            "A prepared dataset is a source with its cleaning and split applied and recorded: "
            "what runs train on.",
        )
    lines = "".join(_prepared_line(dataset, dataset.id == chosen) for dataset in datasets)
    return (
        '<div class="scroll"><table class="list list-open"><thead><tr><th>Name</th><th>Type</th>'
        '<th class="num">Rows</th><th>Source</th><th>Made</th></tr></thead>'
        f"<tbody>{lines}</tbody></table></div>"
    )


def _prepared_line(dataset: Any, chosen: bool) -> str:
    held = dataset.rows.get("test", 0)
    rows = thousands(dataset.rows.get("train", 0)) + (f" + {thousands(held)}" if held else "")
    mark = ' aria-current="true"' if chosen else ""
    return (
        f'<tr data-open="{esc(dataset.id)}" tabindex="0"{mark}><td><b>{esc(dataset.name)}</b></td>'
        f"<td>{esc(type_name(dataset.type))}</td>"
        f'<td class="num" title="for training + held out">{rows}</td>'
        f'<td class="quiet" title="{esc(dataset.source)}">{esc(short_source(dataset.source))}</td>'
        f'<td class="quiet">{esc(ago_text(dataset.created))}</td></tr>'
    )


def steps_fold(dataset: Any) -> str:
    """How a prepared dataset was made, step by step, folded."""
    items = [f"<li>{esc(_step(step))}</li>" for step in dataset.steps]
    origin = f"<li><b>source</b> {esc(dataset.source)} ({esc(dataset.format)})</li>"
    mark = f"<li><b>fingerprint</b> <code>{esc(dataset.fingerprint)}</code></li>"
    return (
        '<details class="steps"><summary>How it was made</summary>'
        f"<ol>{origin}{''.join(items)}{mark}</ol></details>"
    )


STEP_WORDS = {
    "read": "Read {rows} rows",
    "convert": "Recognised as {format}; {dropped} rows could not be used",
    "drop_empty": "Dropped {dropped} rows with an empty side",
    "drop_equal": "Dropped {dropped} pairs whose sides are equal",
    "dedupe": "Dropped {dropped} duplicates",
    "min_words": "Dropped {dropped} rows with an answer under {words} words",
    "sample": "Kept a sample of {kept} (seed {seed})",
    "shuffle": "Shuffled (seed {seed})",
}


def _step(step: Mapping[str, Any]) -> str:
    """One recorded step as a sentence; one it has no words for is shown as it is recorded."""
    name = str(step.get("step", "step"))
    shown = {key: thousands(v) if _is_count(v) else v for key, v in step.items()}
    if name == "split":
        by = "by prompt, " if step.get("by_prompt") else ""
        held = f"{shown.get('test', 0)} held out"
        return f"Split {by}seed {step.get('seed')}: {shown.get('train', 0)} to train on, {held}"
    try:
        return STEP_WORDS[name].format(**shown)
    except KeyError:
        return ", ".join(f"{key} {value}" for key, value in shown.items())


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
