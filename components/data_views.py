"""Headline, problems and prepared datasets of the Data tab: pure functions to escaped HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.common import (
    ago_text,
    chips,
    empty_state,
    esc,
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
