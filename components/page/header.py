"""What frames the tabs: the header with its status strip, and the guided tour's bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import gradio as gr

from components.ui import access
from components.ui.compat import ServerFunction
from components.ui.html import esc
from studio.core.formatting import DOT, bytes_text, compact, left_text, thousands

if TYPE_CHECKING:
    from studio.engine.studio import Status
    from studio.runs.store import Run

TAGLINE = "Fine-tune and align models on your data"
SUMMARY = (
    "Fine-tune a language model on your data, compare it with the base model, label its answers "
    "blind, and train on your votes, all on this machine."
)


# ---- header -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Top:
    """The header. `strip` polls the server for the whole page; a click on its run opens Train."""

    strip: gr.HTML
    tour: gr.Button
    """Starts the guided tour once the landing no longer offers it."""


def build_top(server_functions: Sequence[ServerFunction]) -> Top:
    """Build the header; it stays at the top of the window on every tab.

    `server_functions` are those of `components.page.status_poll`, called every second.
    """
    with gr.Row(elem_id="top"):
        gr.HTML(
            '<div class="brand"><svg viewBox="0 0 20 20" aria-hidden="true">'
            '<path d="M3 16 10 3l7 13" /><path d="M6 11.5h8" /></svg>'
            f'<h1>Alignment Studio</h1><p title="{esc(SUMMARY)}">{TAGLINE}</p></div>'
        )
        strip = gr.HTML(
            status_strip(None),
            elem_id="strip",
            server_functions=list(server_functions),
            js_on_load="studioStatusPoll(element, server, trigger);",
        )
        tour = gr.Button("Guided tour", size="sm", visible=False, elem_id="top-tour")
        if access.hub_login():
            gr.LoginButton(
                "Sign in",
                logout_value="Sign out {}",
                size="sm",
                scale=0,
                min_width=110,
                elem_id="top-login",
            )
    if access.space():
        gr.HTML(space_line(str(access.space())), elem_id="space-line")
    return Top(strip, tour)


def space_line(space: str) -> str:
    """What visitors may do on a Space, and how to get one of their own."""
    link = f"https://huggingface.co/spaces/{quote(space)}?duplicate=true"
    return (
        '<p class="quiet">Everybody can compare models here and, signed in, label; only the owner '
        f'can train. <a href="{esc(link)}" target="_blank" rel="noopener">Duplicate this Space</a> '
        "to use everything.</p>"
    )


def status_strip(status: Status | None) -> str:
    """Device, memory, loaded models and the run in progress, on one line."""
    if status is None:
        return '<div class="strip"><span class="quiet">connecting</span></div>'
    parts = [_device(status)]
    if not status.ready:
        note = status.loading_note or "loading the training libraries"
        parts.append(f'<span class="warming"><i></i>{esc(note)}</span>')
    elif status.resident:
        names = ", ".join(status.resident)
        parts.append(f'<span class="resident" title="loaded in memory">{esc(names)}</span>')
    parts.append(_run(status.run, status.queued))
    return f'<div class="strip">{"".join(part for part in parts if part)}</div>'


def _device(status: Status) -> str:
    used, total = status.memory_used, status.memory_total
    memory = f"{bytes_text(used).split()[0]} / {bytes_text(total)}" if total else bytes_text(used)
    if total and bytes_text(used).split()[1] != bytes_text(total).split()[1]:
        memory = f"{bytes_text(used)} / {bytes_text(total)}"
    share = min(100, 100 * used / total) if total else 0
    exact = f"{bytes_text(used)} of {bytes_text(total)} in use"
    return (
        f'<span class="device" title="{exact}"><b>{esc(status.device)}</b> {memory}'
        f'<span class="gauge"><i style="width:{share:.0f}%"></i></span></span>'
    )


def _run(run: Run | None, queued: int) -> str:
    waiting = f" +{queued} queued" if queued else ""
    if run is None:
        return f'<span class="quiet">{waiting.strip(" +") or "no run"}</span>'
    steps = f"{thousands(run.step)}/{thousands(run.total_steps)}" if run.total_steps else run.state
    left = f"{DOT}{left_text(run.eta_s)}" if run.eta_s is not None else ""
    share = 100 * run.step / run.total_steps if run.total_steps else 0
    return (
        f'<button type="button" class="run-link" data-go="train" title="Open this run in Train">'
        f'<span class="run-name">{esc(run.name)}</span> {steps}{left}{waiting}'
        f'<i style="width:{share:.1f}%"></i></button>'
    )


# ---- the guided tour ----------------------------------------------------------------------------


@dataclass(frozen=True)
class GuideBar:
    """The stepper, which replaces the landing."""

    bar: gr.Row
    steps: gr.HTML
    next: gr.Button
    leave: gr.Button
    progress: gr.BrowserState
    """`{"tour": id, "compared": comparisons opened}` while this browser is on a tour, else `{}`."""
    shown: gr.State


@dataclass(frozen=True)
class Landing:
    """What a first visit shows above the Data tab's own content."""

    row: gr.Row
    begin: gr.Button


def build_landing() -> Landing:
    """Build it, hidden, inside the Data tab: above the tabs, it would move them when it goes."""
    with gr.Row(elem_id="landing", visible=False) as row:
        gr.HTML(
            f'<div class="landing-text"><p>{esc(SUMMARY)}</p>'
            f'<ol class="landing-steps">{"".join(map(_landing_step, LANDING))}</ol>'
            '<p class="quiet">New here? The tour uses the built-in model and sample data; it needs '
            "no network and no GPU.</p></div>"
        )
        with gr.Column(elem_id="landing-buttons"):
            begin = gr.Button(
                "Take the 5-minute tour", elem_id="begin", elem_classes="guide-action"
            )
            gr.HTML('<button type="button" class="bring-data">Bring your data</button>')
    return Landing(row, begin)


def build_guide() -> GuideBar:
    """Build the stepper, hidden; `tab_links` shows it or the landing, whichever fits."""
    with gr.Row(elem_id="guide", visible=False) as bar:
        steps = gr.HTML("", elem_id="guide-steps")
        with gr.Row(elem_id="guide-buttons"):
            next_ = gr.Button("Next", elem_id="guide-next", elem_classes="guide-action")
            leave = gr.Button("Exit tour", size="sm", elem_id="guide-leave")
    progress = gr.BrowserState({}, storage_key="studio-tour", secret="alignment-studio")
    return GuideBar(bar, steps, next_, leave, progress, gr.State(()))


LANDING = (
    ("Data", "read and check", "M3 4h14M3 8h14M3 12h9M3 16h6"),
    ("Cost", "what it takes", "M3 17V9h4v8M8.5 17V4h4v13M14 17v-6h4v6"),
    ("Train", "SFT with LoRA", "M3 4c4 0 4 11 8 11h6"),
    ("Compare", "base beside tuned", "M3 4h6v12H3zM11 4h6v12h-6z"),
    ("Label", "vote blind", "M3 10l4 5L17 5"),
    ("Train again", "DPO on your votes", "M16 6a7 7 0 1 0 1 6M16 2v4h-4"),
)
"""The steps of the loop on the landing: name, what it does, and the path of its picture."""


def _landing_step(step: tuple[str, str, str]) -> str:
    name, what, path = step
    return (
        f'<li><svg viewBox="0 0 20 20" aria-hidden="true"><path d="{path}" /></svg>'
        f"<b>{esc(name)}</b><span>{esc(what)}</span></li>"
    )


def stepper(steps: list[tuple[str, str]], note: str, share: float | None = None) -> str:
    """The steps as a line of (name, done | now | later), with one sentence and a bar below."""
    marks = {"done": "\N{CHECK MARK}", "now": "\N{BLACK CIRCLE}", "later": "\N{WHITE CIRCLE}"}
    words = {"done": "done", "now": "current step", "later": "not started"}
    items = "".join(
        f'<li class="step step-{state}"{" aria-current=step" if state == "now" else ""}>'
        f'<span aria-label="{words[state]}">{marks[state]}</span>{esc(name)}</li>'
        for name, state in steps
    )
    bar = (
        "" if share is None else f'<div class="bar"><i style="width:{share * 100:.1f}%"></i></div>'
    )
    return f'<ol class="stepper">{items}</ol><p class="guide-note">{esc(note)}</p>{bar}'


def run_note(run: Run) -> str:
    """One line on a run in progress."""
    if run.state == "queued":
        return f"{run.name} is queued."
    done = f"step {thousands(run.step)} of {thousands(run.total_steps)}" if run.total_steps else ""
    left = f", {left_text(run.eta_s)}" if run.eta_s is not None else ""
    return f"Training {run.name}: {done}{left}." if done else f"Starting {run.name}."


def votes_note(done: int, wanted: int) -> str:
    """How many pairs of the tour are labeled."""
    return (
        f"Two answers, no names. Press 1 or 2 for the better one: {compact(min(done, wanted))} "
        f"of {wanted} done."
    )
