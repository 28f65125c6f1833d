"""The figures of the run in view: the latest metrics as tiles, and what watching the run took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from components.train.run_history import WATCHED, History
from components.ui.html import esc
from studio.core.formatting import (
    bytes_text,
    compact,
    duration_text,
    figure_text,
    percent_text,
    took_text,
)

if TYPE_CHECKING:
    from studio.runs.store import Run


def figures(run: Run, history: History) -> str:
    """The run's latest metrics as a line of tiles, each with its exact value on hover."""
    latest = history.latest
    held_out = history.held_out.stretches[-1].values if history.held_out.stretches else {}
    tiles = [
        _tile("loss", latest.get("loss"), _held(held_out, "loss")),
        _tile(
            "token accuracy",
            latest.get("mean_token_accuracy"),
            _held(held_out, "mean_token_accuracy", share=True),
            share=True,
        ),
    ]
    if "rewards/accuracies" in latest:
        tiles[1] = _tile(
            "reward accuracy",
            latest.get("rewards/accuracies"),
            _held(held_out, "rewards/accuracies", share=True),
            share=True,
        )
        tiles.append(_tile("reward margin", latest.get("rewards/margins"), ""))
    if "frac_reward_zero_std" in latest:
        tiles[:2] = [_tile("reward", latest.get("reward"), _held(held_out, "reward"))]
        tiles.append(_tile("KL", latest.get("kl"), ""))
        tiles.append(_tile("answer length", latest.get("completions/mean_length"), "tokens"))
    pace = history.tokens_per_second
    if pace:
        tiles.append(
            _stat("speed", f"{compact(pace)} tokens/s", "", f"{pace:,.1f} tokens per second")
        )
    if isinstance(latest.get("memory"), int | float):
        exact = f"{latest['memory']:,.0f} bytes"
        tiles.append(_stat("memory", bytes_text(latest["memory"]), "", exact))
    if latest.get("epoch") is not None:
        tiles.append(_stat("epoch", f"{latest['epoch']:.2f}", "", f"{latest['epoch']}"))
    left = run.eta_s if run.live else None
    if left is not None:
        tiles.append(_stat("time left", duration_text(left), "", f"{left:,.0f} s"))
    body = "".join(tile for tile in tiles if tile)
    row = f'<dl class="run-figures-row">{body}</dl>' if body else ""
    return row + ("" if run.live else _watched(history.watched))


def _watched(seconds: Mapping[str, float]) -> str:
    """How much of an ended run's time went to watching it, as one quiet line."""
    kinds = [kind for kind in WATCHED if seconds.get(kind)]
    if not kinds:
        return ""
    took = [f"{WATCHED[kind]} {took_text(seconds[kind])}" for kind in kinds]
    name, first = WATCHED[kinds[0]], took_text(seconds[kinds[0]])
    took[0] = f"{name[0].upper()}{name[1:]} took {first} of {took_text(seconds['seconds'])}"
    return f'<p class="run-watched">{esc(", ".join(took))}</p>'


def _held(values: Mapping[str, Sequence[float]], key: str, share: bool = False) -> str:
    kept = values.get(f"eval_{key}")
    if not kept:
        return ""
    value = kept[2] / kept[3]
    return f"held-out {percent_text(value)}" if share else f"held-out {figure_text(value)}"


def _tile(label: str, value: object, below: str, share: bool = False) -> str:
    if not isinstance(value, int | float):
        return ""
    text = percent_text(value) if share else figure_text(value)
    return _stat(label, text, below, str(value))


def _stat(label: str, value: str, below: str, exact: str) -> str:
    hover = f' title="{esc(exact)}"' if exact else ""
    more = f"<span>{esc(below)}</span>" if below else ""
    return f"<div{hover}><dt>{esc(label)}</dt><dd>{esc(value)}{more}</dd></div>"
