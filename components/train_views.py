"""Markup of the Train tab: pure functions from runs and histories to escaped HTML."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from components.common import (
    ago_text,
    compact,
    duration_text,
    empty_state,
    esc,
    left_text,
    notice,
    plural,
    thousands,
)
from components.history import History

DOT = " \N{MIDDLE DOT} "
STATES = {
    "queued": ("waiting", "quiet"),
    "running": ("running", "live"),
    "stopping": ("stopping", "warn"),
    "stopped": ("stopped", ""),
    "finished": ("finished", "good"),
    "failed": ("failed", "danger"),
    "interrupted": ("interrupted", "warn"),
}
METHODS = {"lora": "LoRA", "dora": "DoRA", "qlora": "QLoRA", "full": "full"}
_SHOWN_LINES = 200
_SHOWN_RUNS = 60
_SHOWN_SAMPLES = 7


# ---- the run in view ----------------------------------------------------------------------------


def nothing_yet() -> str:
    """The right side before there is any run."""
    return empty_state(
        "No run yet",
        "Choose rows and a model on the left and press Train. The charts, the model's own answers "
        "as it learns, and the log appear here; closing the page does not stop a run.",
        "The sample pocket-sft with the built-in model takes about a minute on two cores.",
    )


def headline(run: Any) -> str:
    """Name, state and origin of a run."""
    word, kind = STATES.get(run.state, (run.state, ""))
    what = f"{METHODS.get(run.method, run.method)} {run.objective.upper()} of {run.model}"
    facts = DOT.join(part for part in (what, rows_text(run), ago_text(run.created)) if part)
    return (
        f'<div class="run-title"><h2 title="{esc(run.id)}">{esc(run.name)}</h2>'
        f'<span class="chip chip-{kind}">{esc(word)}</span></div>'
        f'<p class="run-facts">{esc(facts)}</p>'
    )


def rows_text(run: Any) -> str:
    """`1,085 rows of pocket-sft`, as far as it is known."""
    rows = (run.data.get("rows") or {}).get("train")
    name = run.data.get("name", "")
    return f"{plural(rows, 'row')} of {name}" if rows and name else name


def progress(run: Any, history: History) -> str:
    """How far a run is, how long it still takes and how fast it goes."""
    share = run.step / run.total_steps if run.total_steps else 0.0
    steps = f"step {thousands(run.step)} of {thousands(run.total_steps)}" if run.total_steps else ""
    parts = [steps]
    if run.state == "running":
        parts.append(left_text(run.eta_s) if steps else history.phase or "starting")
        pace = history.tokens_per_second
        if pace:
            parts.append(f"{compact(pace)} tokens/s")
    elif run.state == "stopping":
        parts.append("ending with this step")
    elif run.state == "queued":
        parts = ["waiting for its turn"]
    else:
        parts.append(f"{duration_text(run.train_seconds)} of training" if run.train_seconds else "")
    busy = run.state in ("running", "stopping") and not run.step
    style = "bar bar-unknown" if busy else "bar"
    width = "" if busy else f' style="width:{share * 100:.1f}%"'
    text = DOT.join(part for part in parts if part)
    return (
        '<div class="progress run-progress" role="status">'
        f'<div class="{style}"><i{width}></i></div>'
        f"<span>{esc(text)}</span></div>"
    )


def outcome(run: Any, history: History, resume_from: int | None = None) -> str:
    """One sentence on how a run ended; nothing while it goes on."""
    steps = plural(run.step, "step")
    if run.state == "finished":
        loss = final_loss(run)
        said = f"loss {loss:.3g} " if loss is not None else ""
        return notice("good", f"Finished: {said}after {steps} in {spent(run)}.")
    if run.state == "failed":
        return notice("error", run.error or "The run failed without saying why; see the log.")
    again = (
        f"Resume goes on from step {thousands(resume_from)}."
        if resume_from
        else "Resume begins again: no checkpoint was complete."
    )
    if run.state == "interrupted":
        return notice("warn", f"Interrupted at about step {thousands(run.step)}. {again}")
    if run.state == "stopped":
        if not run.step:
            return notice("info", "Stopped before its first step.")
        return notice("info", f"Stopped after {steps}. {again}")
    return ""


def spent(run: Any) -> str:
    """How long a run trained."""
    return duration_text(run.train_seconds or ((run.ended or 0) - (run.started or 0)))


def final_loss(run: Any) -> float | None:
    """The last loss measured in training, or the mean that the trainer reports at its end."""
    for key in ("loss", "train_loss"):
        value = run.metrics.get(key)
        if isinstance(value, int | float) and math.isfinite(value):
            return float(value)
    return None


# ---- samples ------------------------------------------------------------------------------------


def samples(found: Sequence[Mapping[str, Any]]) -> str:
    """The model's own answers to a few fixed prompts at step 0, n, ... last: watch it change."""
    if not found:
        return ""
    prompts: dict[Any, list[Mapping[str, Any]]] = {}
    for sample in found:
        prompts.setdefault(sample.get("number", sample.get("prompt")), []).append(sample)
    return f'<div class="samples">{"".join(_sample_card(each) for each in prompts.values())}</div>'


def _sample_card(answers: Sequence[Mapping[str, Any]]) -> str:
    picked = spread(stretches(answers), _SHOWN_SAMPLES)
    rows = "".join(
        f'<tr{" class=last" if at == len(picked) - 1 else ""}><th scope="row">{esc(steps)}</th>'
        f"<td>{_answer(answer)}</td></tr>"
        for at, (steps, answer) in enumerate(picked)
    )
    prompt = esc(answers[0]["prompt"])
    return f'<table class="sample"><caption title="{prompt}">{prompt}</caption>{rows}</table>'


def stretches(answers: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(steps, answer), an answer that did not change told once: `45-89`."""
    found: list[tuple[int, int, str]] = []
    for sample in answers:
        step, text = sample["step"], sample["answer"]
        if found and found[-1][2] == text:
            found[-1] = (found[-1][0], step, text)
        else:
            found.append((step, step, text))
    return [
        (f"{first}" if first == last else f"{first}\N{EN DASH}{last}", text)
        for first, last, text in found
    ]


def _answer(text: str) -> str:
    return esc(text.strip()) or '<span class="none">(nothing)</span>'


def spread(things: Sequence[Any], most: int) -> list[Any]:
    """At most `most` of a sequence, evenly, with the first and the last."""
    if len(things) <= most:
        return list(things)
    return [things[round(i * (len(things) - 1) / (most - 1))] for i in range(most)]


# ---- log ----------------------------------------------------------------------------------------


def log_lines(events: Iterable[Mapping[str, Any]], wanted: str = "") -> str:
    """The newest events, newest first, as lines; only those that contain every word of `wanted`."""
    words = wanted.lower().split()
    lines = []
    matched = 0
    for event in reversed(list(events)):
        text = event_text(event)
        if any(word not in text.lower() for word in words):
            continue
        matched += 1
        if len(lines) < _SHOWN_LINES:
            clock = time.strftime("%H:%M:%S", time.localtime(event.get("time", 0)))
            lines.append(f"<div><time>{clock}</time><span>{esc(text)}</span></div>")
    if not lines:
        what = "No line contains that." if words else "Nothing has happened yet."
        return f'<div class="log"><p class="none">{what}</p></div>'
    rest = matched - len(lines)
    more = f'<p class="none">{thousands(rest)} older lines</p>' if rest > 0 else ""
    return f'<div class="log" tabindex="0" role="log">{"".join(lines)}{more}</div>'


def event_text(event: Mapping[str, Any]) -> str:
    """One event as a line of text."""
    kind = event.get("kind", "")
    step = event.get("step")
    match kind:
        case "log":
            values = (
                f"{name} {_figure(value)}"
                for name, value in event.items()
                if name not in ("kind", "time", "step")
            )
            return f"step {step}: {', '.join(values)}"
        case "state":
            error = event.get("error")
            return f"{event.get('state')}{': ' + str(error) if error else ''}"
        case "phase":
            return str(event.get("text", ""))
        case "start":
            return f"training from step {step} of {event.get('total_steps')}"
        case "checkpoint":
            return f"checkpoint at step {step}"
        case "resume":
            return f"resumed from the checkpoint at step {step}"
        case "note":
            return str(event.get("message", ""))
        case _:
            rest = {key: value for key, value in event.items() if key not in ("kind", "time")}
            return f"{kind} {rest or ''}".strip()


def _figure(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


# ---- queue and runs -----------------------------------------------------------------------------


def runs_list(runs: Sequence[Any], viewing: str | None, waiting: Sequence[str] = ()) -> str:
    """Every run, newest first, as buttons that bring it into view."""
    if not runs:
        return ""
    names = {run.id: run.name for run in runs}
    rows = "".join(_run_row(run, viewing, waiting, names) for run in runs[:_SHOWN_RUNS])
    rest = len(runs) - _SHOWN_RUNS
    more = f'<p class="none">and {thousands(rest)} older</p>' if rest > 0 else ""
    return f'<div class="runs" role="list">{rows}{more}</div>'


def _run_row(
    run: Any, viewing: str | None, waiting: Sequence[str], names: Mapping[str, str]
) -> str:
    word, kind = STATES.get(run.state, (run.state, ""))
    if run.state == "queued" and run.id in waiting:
        word = f"waiting, {waiting.index(run.id) + 1} of {len(waiting)}"
    if run.state in ("running", "stopping") and run.total_steps:
        word += f" {run.step * 100 // run.total_steps} %"
    loss = final_loss(run)
    figures = [f"loss {loss:.3g}" if loss is not None else ""]
    figures.append(duration_text(run.train_seconds) if run.train_seconds else "")
    origin = f"from {names.get(run.parent, run.parent)}" if run.parent else ""
    what = DOT.join(
        part
        for part in (f"{METHODS.get(run.method, run.method)} {run.objective.upper()}", origin)
        if part
    )
    current = ' aria-current="true"' if run.id == viewing else ""
    return (
        f'<button type="button" class="run-row" role="listitem" data-run="{esc(run.id)}"{current} '
        f'title="{esc(run.id)}"><b>{esc(run.name)}</b>'
        f'<span class="chip chip-{kind}">{esc(word)}</span>'
        f'<span class="run-what">{esc(what)}</span>'
        f'<span class="run-figures">{esc(DOT.join(part for part in figures if part))}</span>'
        f"<time>{esc(ago_text(run.created))}</time></button>"
    )
