"""Cleaning steps and token lengths in words: pure functions that return escaped HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from components.ui.html import chips, esc, notice
from studio.core.formatting import compact, percent_text, plural, thousands

if TYPE_CHECKING:
    from studio.data import PreparedDataset, StepPreview
    from studio.data.checks.preference_bias import PreferenceReport
    from studio.data.tokens.token_lengths import Cut, Lengths

TELLING = 0.65
"""Accuracy of picking by length alone from which a set counts as biased."""

# ---- cleaning -----------------------------------------------------------------------------------


def cleaning_preview(steps: Sequence[StepPreview], start: int, left: int) -> str:
    """What the chosen cleaning would drop, step by step, with example rows."""
    if not steps:
        return ""
    lines = "".join(_preview_line(step) for step in steps)
    head = f"Cleaning keeps {thousands(left)} of {plural(start, 'readable row')}"
    return f'<section class="cleaning"><h4>{head}</h4>{lines}</section>'


def _preview_line(step: StepPreview) -> str:
    words = step_words({"step": step.step, "dropped": step.dropped, **step.settings})
    if not step.examples:
        quiet = "" if step.dropped else " clean-step-none"
        return f'<p class="clean-step{quiet}">{esc(words)}</p>'
    rows = "".join(
        f'<li><span class="quiet">row {thousands(example["row"])}</span> '
        f"<bdi>{esc(row_gist(example['data']))}</bdi></li>"
        for example in step.examples
    )
    return f'<details class="clean-step"><summary>{esc(words)}</summary><ul>{rows}</ul></details>'


def row_gist(row: Mapping[str, Any], most: int = 160) -> str:
    """The beginning of a row's main texts, for a list."""
    parts = []
    for name in ("prompt", "messages", "text", "completion", "chosen", "answer1"):
        value = row.get(name)
        if isinstance(value, list):
            value = " / ".join(str(t.get("content") or "") for t in value if isinstance(t, Mapping))
        if name in row:
            parts.append(str(value).strip() or "(empty)")
    gist = " \N{RIGHTWARDS ARROW} ".join(parts)
    return gist if len(gist) <= most else gist[: most - 1].rstrip() + "\N{HORIZONTAL ELLIPSIS}"


# ---- lengths ------------------------------------------------------------------------------------


def length_facts(found: Lengths, model: str) -> str:
    """What was counted, over how many rows, and the suggested max length with its rule."""
    from studio.data.tokens.token_lengths import RULE

    longest = found.longest
    middle = int(sorted(longest.tolist())[len(longest) // 2]) if len(longest) else 0
    facts = chips(
        [
            (f"{plural(len(found.turns), 'row')} counted", "strong"),
            (f"median {thousands(middle)} tokens", ""),
            (f"longest {thousands(longest.max(initial=0))}", ""),
            (f"{compact(found.size.sum())} tokens total", "", f"{int(found.size.sum()):,}"),
            (
                f"{compact(found.lit.sum())} trained" if found.learns and not found.embeds else "",
                "",
                f"{int(found.lit.sum()):,}",
            ),
        ]
    )
    said = ""
    if found.sampled:
        said = (
            f"A random sample of {thousands(found.measured)} of {thousands(found.rows)} rows "
            "(fixed seed). "
        )
    told = f"{said}Suggested max length: {thousands(found.suggestion())}, {RULE}."
    refused = ""
    if found.refused:
        refused = notice(
            "warn", f"{plural(found.refused, 'row')} could not be counted.", found.why_refused
        )
    by = f'<p class="quiet">Tokenizer and chat template: {esc(model)}. {esc(told)}</p>'
    return facts + by + refused


def tokens_checked(found: Lengths, model: str, limit: int, counts: Mapping[str, int]) -> str:
    """How many rows were checked with which tokenizer, and the token problems found."""
    told = [f"{thousands(n)} {kind.replace('_', ' ')}" for kind, n in counts.items() if n]
    rows = plural(found.measured, "row")
    of = f", a sample of {thousands(found.rows)}," if found.sampled else ""
    return (
        f'<p class="quiet">Tokens of {rows}{of} checked with {esc(model)} at {thousands(limit)}: '
        f"{esc(', '.join(told) or 'no row is too long, and every row has trained tokens')}.</p>"
    )


def pair_report(report: PreferenceReport) -> str:
    """Length and position bias of a preference set, in a few sentences."""
    longer, shorter = report.longer_wins, report.shorter_wins
    guess = report.pick_longer
    lines = [
        f"The longer answer is chosen in {percent_text(longer)} of the pairs, the shorter one in "
        f"{percent_text(shorter)}.",
        f"Chosen answers average {report.chosen_length:,.0f} characters, rejected ones "
        f"{report.rejected_length:,.0f}; the median ratio is {report.length_ratio:.2f}.",
        f"Always picking the longer answer would be right {percent_text(guess)} of the time.",
    ]
    if report.first_wins is not None:
        lines.append(
            f"The answer shown first was chosen {percent_text(report.first_wins)} of the time."
        )
    warned = ""
    if max(guess, 1 - guess) >= TELLING:
        kind = "long" if guess > 0.5 else "short"
        warned = notice(
            "warn",
            f"Length alone predicts the winner so often that the model will learn to write {kind} "
            "answers.",
            "Balance the pairs, limit the words per answer, or watch the answer length in Compare.",
        )
    bar = (
        f'<div class="share-bar" role="img" aria-label="{esc(lines[0])}">'
        f"{_share('longer', longer)}{_share('same', max(0.0, 1 - longer - shorter))}"
        f"{_share('shorter', shorter)}</div>"
    )
    items = "".join(f"<li>{esc(line)}</li>" for line in lines)
    return (
        f'<section class="cleaning"><h4>Chosen answer by length, '
        f'{plural(report.pairs, "pair")}</h4>{bar}<ul class="plain-list">{items}</ul></section>'
        f"{warned}"
    )


def _share(which: str, part: float) -> str:
    """A segment of the bar, labeled if it is wide enough for a narrow screen."""
    name = f"{which} {percent_text(part)}" if part >= 0.25 else ""
    return f'<i class="share-{which}" style="width:{part:.1%}">{name}</i>'


def limit_cost(cut: Cut) -> str:
    """What a max length truncates, in rows and in tokens."""
    share = cut.rows / cut.of_rows if cut.of_rows else 0
    lost = cut.tokens / cut.of_tokens if cut.of_tokens else 0
    trained = cut.trained / cut.of_trained if cut.of_trained else 0
    return chips(
        [
            (f"At {thousands(cut.max_length)} tokens", "strong"),
            (
                f"{plural(cut.rows, 'row')} truncated ({percent_text(share)})",
                "warn" if cut.rows else "good",
            ),
            (
                f"{thousands(cut.tokens)} tokens lost ({percent_text(lost)})",
                "warn" if cut.tokens else "good",
            ),
            (
                f"{thousands(cut.trained)} of them trained ({percent_text(trained)})"
                if cut.tokens and not cut.sides
                else "",
                "warn",
            ),
            (
                f"{plural(cut.silent, 'row')} would train nothing" if cut.silent else "",
                "danger",
                "Nothing of a text is left beside its prompt."
                if cut.sides
                else "Their answers lie entirely beyond the limit; the trainer drops them.",
            ),
            *(
                (
                    f"{name}: {thousands(side.cut)} of {thousands(side.of)} cut",
                    "warn" if side.cut else "good",
                    f"{thousands(side.tokens)} tokens lost",
                )
                for name, side in cut.sides.items()
            ),
        ]
    )


# ---- recorded steps -------------------------------------------------------------------------


def steps_fold(dataset: PreparedDataset) -> str:
    """How a prepared dataset was made, step by step, collapsed."""
    items = [f"<li>{esc(step_words(step))}</li>" for step in dataset.steps]
    origin = f"<li><b>source</b> {esc(dataset.source)} ({esc(dataset.format)})</li>"
    mark = f"<li><b>fingerprint</b> <code>{esc(dataset.fingerprint)}</code></li>"
    return (
        '<details class="steps"><summary>How it was made</summary>'
        f"<ol>{origin}{''.join(items)}{mark}</ol></details>"
    )


STEP_WORDS = {
    "read": "Read {rows} rows",
    "convert": "Converted from {format}; {dropped} rows could not be converted",
    "drop_empty": "Dropped {dropped} with empty fields",
    "drop_equal": "Dropped {dropped} with identical answers",
    "dedupe": "Dropped {dropped} exact duplicates",
    "drop_near": "Dropped {dropped} near duplicates",
    "drop_contradictions": "Dropped {dropped} that contradict an earlier pair",
    "min_words": "Dropped {dropped} with an answer under {words} words",
    "max_words": "Dropped {dropped} with an answer over {words} words",
    "novelty": "Dropped {dropped} with a prompt like an earlier one (ROUGE-L {rouge_l} or more)",
    "held_out": "Dropped {dropped} with a prompt that is in {source}",
    "balance": "Dropped {dropped} to balance {column}",
    "sample": "Kept a sample of {kept} (seed {seed})",
    "shuffle": "Shuffled (seed {seed})",
}


def step_words(step: Mapping[str, Any]) -> str:
    """One recorded step as a sentence; an unknown step is shown as recorded."""
    name = str(step.get("step", "step"))
    shown = {key: thousands(v) if _is_count(v) else v for key, v in step.items()}
    if name == "split":
        by = "by prompt, " if step.get("by_prompt") else ""
        held = f"{shown.get('test', 0)} held-out"
        return f"Split {by}seed {step.get('seed')}: {shown.get('train', 0)} training, {held}"
    try:
        return STEP_WORDS[name].format(**shown)
    except KeyError:
        return ", ".join(f"{key} {value}" for key, value in shown.items())


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
