"""Headline, problems and prepared datasets: pure functions that return escaped HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from components.data.row_html import kind_words, shown_card
from components.ui.html import chips, empty_state, esc, notice
from studio.core.formatting import DOT, ago_text, percent_text, plural, thousands
from studio.data.prepared.browse import ShownRow

if TYPE_CHECKING:
    from studio.data import Inspection, PreparedDataset, Problem


TYPE_NAMES = {
    "language_modeling": "plain text",
    "prompt_completion": "prompt and completion",
    "conversational": "conversations",
    "prompt_only": "prompts only",
    "preference": "preference pairs",
    "unpaired_preference": "rated answers",
    "comparison": "unlabeled pairs",
    "embedding_pairs": "pairs for embeddings",
    "scored_pairs": "scored pairs",
}


# ---- the headline -------------------------------------------------------------------------------


def type_name(type_: str) -> str:
    """A readable name for TRL's dataset type."""
    return TYPE_NAMES.get(type_, type_)


def certainty(confidence: float) -> str:
    """Detection confidence in words."""
    if confidence >= 0.8:
        return "format detected"
    return "likely format" if confidence >= 0.7 else "format is a guess"


def found_head(found: Inspection) -> str:
    """What was detected in a source, with confidence and reason, on two lines."""
    sure, dropped = found.confidence, found.rows - found.kept
    kept = f"{plural(found.rows, 'row')} \N{RIGHTWARDS ARROW} {thousands(found.kept)} kept"
    line = chips(
        [
            (short_source(found.source), "strong", found.source),
            (found.format, "good" if sure >= 0.7 else "warn", found.why),
            (certainty(sure), "quiet", f"{percent_text(sure)}: {found.why}"),
            (type_name(found.type), "", f"TRL type: {found.type}"),
            (kept, "warn" if dropped > 0 else "", f"{thousands(dropped)} dropped"),
        ]
    )
    return f'{line}<p class="why">{esc(found.why)}</p>'


def found_first(found: Inspection) -> str:
    """What the first rows of a large source look like while the rest is being read."""
    return chips(
        [
            (short_source(found.source), "strong", found.source),
            (found.format, "good", found.why),
            (type_name(found.type), "", f"TRL type: {found.type}"),
            ("still reading", "quiet"),
        ]
    )


def first_card(found: Inspection) -> str:
    """The first row of a source that is still being read."""
    if not found.sample:
        return empty_state("Reading", "The first rows have no content to show.")
    return shown_card(ShownRow(found.sample[0]), "first row")


def notes_list(notes: Sequence[str]) -> str:
    """Notes about how a source was read, one line each."""
    return "".join(notice("warn", note) for note in notes[:4])


def no_match(text: str) -> str:
    """The search or the filter matches no row."""
    if text:
        return empty_state("No matching rows", f"No row contains \u201c{text}\u201d.")
    return empty_state("No matching rows", "No rows of this kind were read. Choose another filter.")


def row_filters(found: Inspection, counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """(label with count, filter) choices: valid rows, all rows, and each kind of problem."""
    kinds = sorted(counts.items(), key=lambda pair: -pair[1])
    return [
        (f"Valid rows ({thousands(found.kept)})", "good"),
        (f"All rows ({thousands(found.rows)})", "all"),
        *((f"{kind_words(kind).capitalize()} ({thousands(count)})", kind) for kind, count in kinds),
    ]


def prepared_chips(dataset: PreparedDataset) -> str:
    """The headline of a prepared dataset; the page's address takes its id."""
    splits = [f"{thousands(count)} {split}" for split, count in dataset.rows.items() if count]
    shown = chips(
        [
            (dataset.name, "strong", dataset.id),
            ("prepared", "good", f"fingerprint {dataset.fingerprint}"),
            (type_name(dataset.type), "", f"TRL type: {dataset.type}"),
            (DOT.join(splits), ""),
            (ago_text(dataset.created), "quiet"),
        ]
    )
    return f'<div data-dataset="{esc(dataset.id)}">{shown}</div>'


def short_source(source: str) -> str:
    """The last parts of a path or ID, enough to recognize it."""
    parts = [part for part in re.split(r"[\\/]", source) if part]
    return "/".join(parts[-2:]) if len(parts) > 1 and "/gradio/" not in source else parts[-1]


# ---- problems -----------------------------------------------------------------------------------


def problem_kinds(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """(label with count, kind) choices, most frequent first."""
    every = [(f"All kinds ({thousands(sum(counts.values()))})", "")]
    ordered = sorted(counts.items(), key=lambda pair: -pair[1])
    return every + [(f"{kind_words(kind)} ({thousands(count)})", kind) for kind, count in ordered]


def problems_table(problems: Sequence[Problem], total: int) -> str:
    """The problems found, errors and warnings; a click shows the row."""
    if not problems:
        return empty_state("No problems found", "All rows can be trained on.")
    more = total - len(problems)
    tail = ""
    if more > 0:
        count = plural(more, "more", "more")
        tail = f'<p class="quiet">and {count}; download the list to see all</p>'
    lines = "".join(_problem_line(problem) for problem in problems)
    return (
        '<div class="scroll"><table class="list list-open problem-table"><thead><tr>'
        '<th class="num">Row</th><th>Kind</th><th>Problem</th><th></th></tr></thead>'
        f"<tbody>{lines}</tbody></table></div>{tail}"
    )


def _problem_line(problem: Problem) -> str:
    row = "" if problem.row is None else thousands(problem.row)
    where = short_source(problem.file) if problem.file else ""
    kept = problem.severity == "warning"
    state = chips([("kept", "quiet") if kept else ("dropped", "warn")])
    opens = ""
    if problem.row is not None:
        opens = f' data-open="{problem.row}" data-file="{esc(problem.file or "")}" tabindex="0"'
    return (
        f'<tr{opens}><td class="num" title="{esc(where)}">{row}</td>'
        f'<td class="kind">{esc(kind_words(problem.kind))}</td>'
        f"<td>{esc(problem.message)}</td><td>{state}</td></tr>"
    )


# ---- prepared datasets --------------------------------------------------------------------------


def dataset_cards(
    datasets: Sequence[PreparedDataset],
    runs: Mapping[str, Sequence[str]],
    chosen: str | None = None,
) -> str:
    """Every dataset of the workspace as a card; a click opens it.

    Args:
        runs: names of the runs that trained on a dataset, by its id.
    """
    if not datasets:
        return empty_state(
            "No datasets yet",
            "Choose a source on the left and prepare it: cleaned, split and recorded, it is what "
            "runs train on, and it appears here.",
        )
    cards = "".join(
        _dataset_card(each, runs.get(each.id, ()), each.id == chosen) for each in datasets
    )
    return f'<div class="dataset-cards" role="list">{cards}</div>'


def _dataset_card(dataset: PreparedDataset, runs: Sequence[str], chosen: bool) -> str:
    held = dataset.rows.get("test", 0)
    rows = plural(dataset.rows.get("train", 0), "row")
    rows += f" + {thousands(held)} held-out" if held else ""
    used = f"trained {', '.join(runs[:3])}" if runs else "not trained on yet"
    used += f" and {len(runs) - 3} more" if len(runs) > 3 else ""
    mark = ' aria-current="true"' if chosen else ""
    return (
        f'<div role="listitem"><button type="button" class="dataset-card" '
        f'data-open="{esc(dataset.id)}"{mark}>'
        f'<b title="{esc(dataset.name)}">{esc(dataset.name)}</b>'
        f"<span>{esc(rows)}</span><span>{esc(type_name(dataset.type))}</span>"
        f'<small title="{esc(dataset.source)}">{esc(short_source(dataset.source))}{DOT}'
        f"{esc(ago_text(dataset.created))}</small>"
        f'<small title="{esc(", ".join(runs))}">{esc(used)}</small></button></div>'
    )
