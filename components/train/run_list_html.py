"""A run's headline and outcome, the queue and the list of runs: pure functions to escaped HTML."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from components.train.run_history import History
from components.ui import recipe_fields
from components.ui.html import STATES, empty_state, esc, notice, section
from studio.core.formatting import (
    DOT,
    ago_text,
    duration_text,
    figure_text,
    left_text,
    plural,
    thousands,
)
from studio.runs.objectives import REWARDED
from studio.runs.steps import too_little

if TYPE_CHECKING:
    from studio.runs.store import Run

_SHOWN_RUNS = 60


# ---- the run in view ----------------------------------------------------------------------------


def nothing_yet() -> str:
    """The right side before the first run."""
    return empty_state(
        "No run yet",
        "Choose a dataset and a model on the left and press Train. Charts, sample answers during "
        "training and the log appear here; closing the page does not stop a run.",
        "The sample pocket-sft with the built-in model takes about a minute on two cores.",
    )


def headline(run: Run) -> str:
    """Name, state and origin of a run."""
    word, kind = STATES.get(run.state, (run.state, ""))
    method = f"{what(run)} of {run.model}"
    facts = DOT.join(part for part in (method, rows_text(run), ago_text(run.created)) if part)
    return (
        f'<div class="run-title"><h2 title="{esc(run.id)}">{esc(run.name)}</h2>'
        f'<span class="chip chip-{kind}">{esc(word)}</span></div>'
        f'<p class="run-facts">{esc(facts)}</p>'
    )


def rows_text(run: Run) -> str:
    """`1,085 rows of pocket-sft`, as far as known."""
    rows = (run.data.get("rows") or {}).get("train")
    name = run.data.get("name", "")
    return f"{plural(rows, 'row')} of {name}" if rows and name else name


def progress(run: Run, history: History) -> str:
    """How far a run is and how long it will still take."""
    if run.state == "finished":
        return ""  # see `outcome`
    share = run.step / run.total_steps if run.total_steps else 0.0
    steps = f"step {thousands(run.step)} of {thousands(run.total_steps)}" if run.total_steps else ""
    parts = [steps]
    if run.state == "running":
        parts.append(left_text(run.eta_s) if steps else history.phase or "starting")
    elif run.state == "stopping":
        parts.append("saving this step")
    elif run.state == "queued":
        parts = ["queued"]
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


def outcome(run: Run, history: History, resume_from: int | None = None) -> str:
    """One sentence on how a run ended; empty until then."""
    steps = plural(run.step, "step")
    if run.state == "finished":
        figure = final_figure(run)
        result = f"{figure} " if figure else ""
        text = f"Finished: {result}after {steps} in {spent(run)}."
        rows = (run.data.get("rows") or {}).get("train")
        little = run.warning or too_little(run.step, rows if isinstance(rows, int) else None)
        return notice("warn", f"{text} {little}") if little else notice("good", text)
    if run.state == "failed":
        return notice("error", run.error or "The run failed without an error message; see the log.")
    again = (
        f"Resume continues from step {thousands(resume_from)}."
        if resume_from
        else "Resume starts over: there is no complete checkpoint."
    )
    if run.state == "interrupted":
        return notice("warn", f"Interrupted at about step {thousands(run.step)}. {again}")
    if run.state == "stopped":
        if not run.step:
            return notice("info", "Stopped before its first step.")
        return notice("info", f"Stopped after {steps}. {again}")
    return ""


def spent(run: Run) -> str:
    """How long a run trained."""
    return duration_text(run.train_seconds or ((run.ended or 0) - (run.started or 0)))


def final_figure(run: Run) -> str:
    """`loss 0.487`: the last one logged, or the mean that the trainer reports at the end.

    With online RL it is the mean reward, since the loss says nothing there.
    """
    rewarded = ("reward",) if run.objective in REWARDED else ()
    for key in (*rewarded, "loss", "train_loss"):
        value = run.metrics.get(key)
        if isinstance(value, int | float) and math.isfinite(value):
            return f"{'reward' if key in rewarded else 'loss'} {figure_text(value)}"
    return ""


# ---- queue and runs -----------------------------------------------------------------------------


def queue_list(waiting: Sequence[Run]) -> str:
    """Queued runs in order, each with buttons to move or remove it."""
    rows = "".join(
        f'<li><span class="place">{at + 1}</span><b>{esc(run.name)}</b>'
        f'<span class="run-what">{esc(what(run))}</span><span class="moves">'
        + _move(run, "up", "\N{UPWARDS ARROW}", "move up", at == 0)
        + _move(run, "down", "\N{DOWNWARDS ARROW}", "move down", at == len(waiting) - 1)
        + _move(run, "off", "Remove", "remove from queue", False)
        + "</span></li>"
        for at, run in enumerate(waiting)
    )
    return f'{section("Queue")}<ol class="waiting">{rows}</ol>' if rows else ""


def _move(run: Run, act: str, sign: str, label: str, disabled: bool) -> str:
    return (
        f'<button type="button" data-act="{act}" data-run="{esc(run.id)}" '
        f'aria-label="{esc(run.name)}: {label}" title="{label}"{" disabled" if disabled else ""}>'
        f"{sign}</button>"
    )


def runs_list(runs: Sequence[Run], viewing: str | None, overlaid: Sequence[str] = ()) -> str:
    """All runs, newest first: a click shows one, its checkbox overlays it."""
    if not runs:
        return ""
    names = {run.id: run.name for run in runs}
    rows = "".join(_run_row(run, viewing, overlaid, names) for run in runs[:_SHOWN_RUNS])
    rest = len(runs) - _SHOWN_RUNS
    more = f'<p class="none">and {thousands(rest)} older</p>' if rest > 0 else ""
    hint = "select runs to overlay" if len(runs) > 1 else ""
    return f'{section("Runs", hint)}<div class="runs" role="list">{rows}{more}</div>'


def what(run: Run, names: Mapping[str, str] | None = None) -> str:
    """`LoRA DPO · from first`."""
    origin = f"from {(names or {}).get(run.parent, run.parent)}" if run.parent and names else ""
    kind = f"{recipe_fields.name_of(run.method)} {recipe_fields.name_of(run.objective)}"
    return DOT.join(part for part in (kind, origin) if part)


def _run_row(
    run: Run, viewing: str | None, overlaid: Sequence[str], names: Mapping[str, str]
) -> str:
    word, kind = STATES.get(run.state, (run.state, ""))
    if run.state in ("running", "stopping") and run.total_steps:
        word += f" {run.step * 100 // run.total_steps} %"
    figures = [final_figure(run)]
    figures.append(duration_text(run.train_seconds) if run.train_seconds else "")
    viewed = run.id == viewing
    ticked = " checked" if viewed or run.id in overlaid else ""
    over = (
        f'<input type="checkbox" data-overlay="{esc(run.id)}" '
        f'aria-label="Overlay {esc(run.name)}"{ticked}'
        f"{' disabled' if viewed else ''}>"
    )
    return (
        f'<div class="run-line" role="listitem"{" data-viewed" if viewed else ""}>{over}'
        f'<button type="button" class="run-row" data-run="{esc(run.id)}"'
        f'{" aria-current=true" if viewed else ""} title="{esc(run.id)}"><b>{esc(run.name)}</b>'
        f'<span class="chip chip-{kind}">{esc(word)}</span>'
        f'<span class="run-what">{esc(what(run, names))}</span>'
        f'<span class="run-figures">{esc(DOT.join(part for part in figures if part))}</span>'
        f"<time>{esc(ago_text(run.created))}</time></button></div>"
    )
