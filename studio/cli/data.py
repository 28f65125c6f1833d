"""How the shell shows `data`."""

from __future__ import annotations

import shlex
from typing import Any

from studio.cli.register import View
from studio.cli.terminal import one_line, table
from studio.commands.base import Json
from studio.core.answers import as_calls, read, thought, with_thought
from studio.core.formatting import percent_text


def _inspected(found: Json | list[Json]) -> str:
    """What a source is, then what is wrong with it, then its first row; or a line per source."""
    if isinstance(found, list):
        return table([list(line.values()) for line in found], list(found[0]))
    kind = f"{found['format']}, {found['type'].replace('_', ' ')}"
    lines = [
        f"{found['source']}: {'undecided' if found['question'] else kind}",
        found["question"] or f"{found['why']} ({percent_text(found['confidence'])} sure)",
        f"{found['rows']:,} rows, {found['kept']:,} kept; columns {', '.join(found['columns'])}",
        *found["notes"],
        *_problems(found),
    ]
    if found["readings"]:
        lines += _readings(found["readings"])
    elif found["sample"]:
        lines += ["First row:", *_row(found["sample"][0])]
    if tokens := found.get("tokens"):
        lines.append(
            f"Tokens of {tokens['measured']:,} of {tokens['rows']:,} rows counted with "
            f"{tokens['model']}; suggested max_length {tokens['suggested_max_length']:,}"
        )
        lines += [
            f"  {name}: {side['cut']:,} of {side['of']:,} cut"
            for name, side in tokens.get("sides", {}).items()
        ]
    if written := found.get("problems_file"):
        lines.append(f"{written['problems']:,} problems written to {written['file']}")
    return "\n".join(lines)


def _readings(readings: list[Json]) -> list[str]:
    """A row of the file, what each reading makes of it, and the flags that choose the reading."""
    lines = ["A row of it:", *_row(readings[0]["raw"])]
    for at, one in enumerate(readings, 1):
        lines += [f"{at}. {one['why']}", *_row(one["row"]), f"   {shlex.join(one['flags'])}"]
    return lines


def _row(row: Json) -> list[str]:
    lines = []
    for key, value in row.items():
        messages = value if isinstance(value, list) else [value]
        name = key.replace("_", " ") if key == "left_out" else key
        lines += [f"   {name}: {one_line(_message(message))}" for message in messages]
    return lines


def _unusable(found: Json | list[Json]) -> str | None:
    """Why a source that was inspected cannot be prepared as it is."""
    if isinstance(found, list):
        return None
    if found["question"]:
        return f"{found['question']} Add one of the flags above."
    if not found["kept"]:
        return f"No row of {found['source']} can be kept."
    return None


def _problems(found: Json) -> list[str]:
    """Each kind with its count, and the first three of it."""
    lines = []
    for kind, count in sorted(found["problem_counts"].items(), key=lambda pair: -pair[1]):
        lines.append(f"{count:,} x {kind.replace('_', ' ')}")
        for problem in [one for one in found["problems"] if one["kind"] == kind][:3]:
            where = f"row {problem['row']}: " if problem["row"] is not None else ""
            lines.append(f"   {where}{problem['message']}")
    return lines


def _message(value: Any) -> str:
    """A message as `role: content`, its thinking before the content and its calls after; anything
    else as it is."""
    if isinstance(value, dict) and "role" in value:
        said = read(str(value.get("content") or "")).text
        text = with_thought(said, thought(value))
        parts = [text, *map(as_calls, value.get("tool_calls") or ())]
        return f"{value['role']}: {' '.join(part for part in parts if part)}"
    return str(value)


def _prepared(made: Json | list[Json]) -> str:
    """Where the rows went and how many are in each split; or what each step would drop."""
    if isinstance(made, list):
        lines = []
        for step in made:
            lines.append(f"{step['step'].replace('_', ' ')}: {step['dropped']:,} rows dropped")
            lines += [
                f"   row {row['row']}: {one_line(str(row['data']))}" for row in step["examples"]
            ]
        return "\n".join(lines) or "No step is chosen."
    splits = made["splits"] if "out" in made else made["rows"]
    rows = ", ".join(f"{count:,} {split}" for split, count in splits.items())
    place = made["out"] if "out" in made else f"{made['name']} ({made['id']})"
    return f"{place}: {rows} rows ({made['type'].replace('_', ' ')})"


def _listed(found: list[Json]) -> str:
    rows = [(one["id"], one["name"], one["type"], sum(one["rows"].values())) for one in found]
    return table(rows, ("id", "name", "type", "rows"))


def _made(found: Json) -> str:
    return f"{found['name']} ({found['id']}): {found['summary']}"


def _unfinished(found: list[Json]) -> str:
    rows = [(one["id"], one["name"], one["kept"], one["count"]) for one in found]
    return table(rows, ("id", "name", "kept", "of")) if rows else "Nothing is unfinished."


def _templates(found: list[Json]) -> str:
    rows = [(one["name"], one_line(" | ".join(one["prompts"])), one["completion"]) for one in found]
    return table(rows, ("name", "prompts", "completion")) if rows else "No template is saved."


def _shown(found: Json) -> str:
    first = [one_line(str(row)) for row in found["first"]]
    heading = f"{found['id']}  {found['name']}, {found['type']}, from {found['source']}"
    return "\n".join([heading, *first])


VIEWS = {
    "data_inspect": View(
        _inspected,
        "rows.jsonl",
        "pocket-sft --json",
        "one.csv two.jsonl --table",
        "rows.jsonl --model pocket --max-length 256 --problems-out wrong.jsonl",
        failure=_unusable,
    ),
    "data_prepare": View(
        _prepared,
        "rows.json --out train.jsonl",
        "rows.json --name letters",
        "book.pdf --chunk-tokens 512 --chunk-overlap 64 --chunk-model pocket",
        "quiz.csv --template 'Q: {question}' --completion-template '{answer}'",
    ),
    "data_templates": View(_templates, ""),
    "data_make": View(
        _made,
        "--prompts seeds.txt --writer base:pocket --continues --count 20",
        "--topic gardening --writer api:served-model --answer run:first --answer base:pocket "
        "--judge api:served-model",
        "--resume made-20260131-142501-9f3c",
    ),
    "data_unfinished": View(_unfinished, ""),
    "data_list": View(_listed, ""),
    "data_show": View(_shown, "pocket-sft --rows 3"),
    "data_delete": View("{name} is deleted; to restore it: data restore {deleted}", "letters"),
    "data_restore": View("{name} is restored.", "dataset-20260131-142501-9f3c"),
    "data_export": View(
        "{out}: {rows:,} {split} rows", "letters letters.parquet", "pocket-sft rows.jsonl"
    ),
    "data_push": View("{url}", "letters my-name/letters"),
}
