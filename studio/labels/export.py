"""Votes as rows in the formats of TRL's trainers.

    dpo     {"prompt": [messages], "chosen": [messages], "rejected": [messages]}   DPOTrainer
    kto     {"prompt": [messages], "completion": [messages], "label": bool}        KTOTrainer
    reward  {"prompt": [...], "chosen": [...], "rejected": [...], "margin": float} RewardTrainer

(TRL's explicit-prompt conversational formats, https://huggingface.co/docs/trl/dataset_formats.)
Beside them every row has flat provenance columns: item, voters, agreement, strength, edited, the
versions of the studio that recorded the votes behind it, and the sources' names and runs. The rule
is an `aggregation.Rule`; an edited answer becomes the chosen one; an item decided as "both bad" is
left out of pairs and gives KTO two negatives. The margin maps the four steps of strength to 0, 1/3,
2/3, 1 (Touvron et al. 2023, "Llama 2", section 3.2.2 and table 27).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from studio.core.errors import ConfigError, did_you_mean
from studio.core.messages import kwargs_of, tools_of
from studio.core.workspace import written_whole
from studio.labels.aggregation import Decision, Rule
from studio.labels.types import JudgedItem, Message, source_label

Row = dict[str, Any]

#: The dataset type each format is, in `studio.data`'s words.
FORMATS = {"dpo": "preference", "kto": "unpaired_preference", "reward": "preference"}


@dataclass(frozen=True)
class Summary:
    """What the rows contain and what was left out, by reason."""

    format: str
    rows: int
    items: int
    used: int
    edited: int
    left_out: dict[str, int] = field(default_factory=dict[str, int])
    rule: str = ""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Export:
    """Rows of one TRL format, their `studio.data` type, and a summary."""

    type: str
    rows: list[Row]
    summary: Summary


def export_items(
    items: Iterable[JudgedItem], format: str = "dpo", rule: Rule | None = None
) -> Export:
    """Turn judged items into rows of `format`; raises `ConfigError` for an unknown one.

    `items`, `used` and `left_out` of the summary count items, or votes where each counts.
    """
    makers: dict[str, Callable[[JudgedItem, Decision], list[Row] | str]] = {
        "dpo": _paired,
        "reward": _reward,
        "kto": _unpaired,
    }
    if format not in makers:
        near = did_you_mean(str(format), makers)
        raise ConfigError(f"There is no export format {format!r}; use dpo, kto or reward.{near}")
    rule = rule or Rule()
    rows: list[Row] = []
    left_out: Counter[str] = Counter()
    total = edited = used = 0
    for item in items:
        for decision in rule.decisions(item.deciding):
            total += 1
            made = decision.why_not if decision.outcome is None else makers[format](item, decision)
            if isinstance(made, str):
                left_out[made] += 1
                continue
            used += 1
            edited += bool(decision.edited)
            rows += made
    summary = Summary(format, len(rows), total, used, edited, dict(left_out), rule.sentence())
    return Export(FORMATS[format], rows, summary)


def split_by_prompt(rows: list[Row], test_fraction: float, seed: int = 42) -> dict[str, list[Row]]:
    """`{"train": rows, "test": rows}`; all rows of one prompt on one side, decided by its hash."""
    if not 0 <= test_fraction < 1:
        raise ConfigError(f"The test's share is from 0 to below 1, not {test_fraction!r}.")
    made: dict[str, list[Row]] = {"train": [], "test": []}
    for row in rows:
        key = f"{seed}\x1f{json.dumps(row['prompt'], sort_keys=True)}"
        place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") / 2**64
        made["test" if place < test_fraction else "train"].append(row)
    return made


def write_file(rows: list[Row], path: Path) -> None:
    """Rows as JSONL, JSON or parquet, by the file's suffix; whole or not at all."""
    with written_whole(path) as part:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            arrow, parquet = (import_module(name) for name in ("pyarrow", "pyarrow.parquet"))
            parquet.write_table(arrow.Table.from_pylist(rows), part)
        elif path.suffix == ".json":
            part.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", "utf-8")
        else:
            lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            part.write_text("".join(lines), "utf-8")


def _sides(item: JudgedItem, decision: Decision) -> tuple[str, str, Row]:
    """Chosen text, rejected text and provenance of an item that `a` or `b` won."""
    a, b = (item.answer_a, item.source_a), (item.answer_b, item.source_b)
    (chosen, won), (rejected, lost) = (a, b) if decision.outcome == "a" else (b, a)
    provenance = _provenance(item, decision) | {
        "chosen_source": source_label(won),
        "rejected_source": source_label(lost),
        "chosen_run": _run(won),
        "rejected_run": _run(lost),
    }
    return decision.edited or chosen, rejected, provenance


def _paired(item: JudgedItem, decision: Decision) -> list[Row] | str:
    if decision.outcome not in ("a", "b"):
        return "tie" if decision.outcome == "tie" else "both bad"
    chosen, rejected, provenance = _sides(item, decision)
    if chosen.split() == rejected.split():
        return "edited into the rejected answer"
    won, lost = item.source_a, item.source_b
    if decision.outcome == "b":
        won, lost = lost, won
    row = _asked(item) | {"chosen": _said(chosen, won), "rejected": _said(rejected, lost)}
    return [row | provenance]


def _reward(item: JudgedItem, decision: Decision) -> list[Row] | str:
    made = _paired(item, decision)
    if isinstance(made, str):
        return made
    return [row | {"margin": round((decision.strength - 1) / 3, 4)} for row in made]


def _unpaired(item: JudgedItem, decision: Decision) -> list[Row] | str:
    if decision.outcome == "tie":
        return "tie"
    if decision.outcome == "both_bad":
        sides = ((item.answer_a, item.source_a, False), (item.answer_b, item.source_b, False))
    else:
        chosen, rejected, _ = _sides(item, decision)
        if chosen.split() == rejected.split():
            return "edited into the rejected answer"
        won, lost = item.source_a, item.source_b
        if decision.outcome == "b":
            won, lost = lost, won
        sides = ((chosen, won, True), (rejected, lost, False))
    return [
        _asked(item)
        | {"completion": _said(text, source), "label": label}
        | _provenance(item, decision)
        | {"source": source_label(source), "run": _run(source)}
        for text, source, label in sides
    ]


def _provenance(item: JudgedItem, decision: Decision) -> Row:
    return {
        "item": item.item_id,
        "voters": decision.voters,
        "agreement": round(decision.agreement, 4),
        "strength": round(decision.strength, 4),
        "edited": bool(decision.edited),
        "studio_version": ", ".join(
            sorted({vote.studio_version for vote in decision.behind} - {""})
        ),
    }


def _run(source: Mapping[str, Any]) -> str | None:
    return str(source["run"]) if source.get("run") else None


def _asked(item: JudgedItem) -> Row:
    """The prompt's columns: its tools and `chat_template_kwargs` beside it, as TRL takes them."""
    row: Row = {"prompt": list(item.prompt)}
    if tools := tools_of(item.prompt):
        row["tools"] = json.dumps(tools, ensure_ascii=False)
    if kwargs := kwargs_of(item.prompt):
        row["chat_template_kwargs"] = kwargs
    return row


def _said(text: str, source: Mapping[str, Any]) -> list[Message]:
    """An answer with the thinking that its model wrote before it."""
    thought = {"reasoning_content": source["reasoning"]} if source.get("reasoning") else {}
    return [{"role": "assistant", "content": text, **thought}]
