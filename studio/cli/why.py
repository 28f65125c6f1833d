"""How the shell shows `why` and `influence`."""

from __future__ import annotations

from studio.cli.register import View
from studio.cli.terminal import one_line, table
from studio.commands.base import Json

_WIDTH = 60


def _why(found: Json) -> str:
    """The answer, then for each run of the chain the rows for it and against it."""
    lines = []
    if found["questions"] == 1:
        base = found["base"]
        lines.append(
            f"answer  {found['answer']}\na token of it has a mean log-probability of "
            f"{base['tuned']:.2f}; in the base {base['base']:.2f}"
        )
        lines += [base["said"]] if base["said"] else []
    else:
        lines.append(f"{found['questions']} questions")
    return "\n\n".join(["\n".join(lines), *map(_learned, found["learned"])])


def _learned(entry: Json) -> str:
    title = f"{entry['name']} ({'started from' if entry['parent'] else entry['objective']})"
    lines = [title, *([entry["said"]] if entry["said"] else [])]
    if not entry["for"]:
        return "\n".join(lines)
    header = ["score", "row", "prompt", "answer"]
    many = entry.get("behind")
    if many is not None:
        rows = [[f"{row['questions']} of them", *_texts(row)] for row in many]
        return "\n".join([*lines, table(rows, ["behind", *header[1:]]) if rows else "no row"])
    for name in ("for", "against"):
        rows = [
            [f"{row['score']:+.3f}{'*' if row['stands_out'] else ''}", *_texts(row)]
            for row in entry[name]
        ]
        lines += ["", name, table(rows, header)]
    low, high = entry["floor"]
    lines += ["", f"* beyond what random rows score for one another ({low:+.2f} to {high:+.2f})"]
    for one in entry["datasets"]:
        lines.append(f"{one['dataset']}: {one['for']} rows for, {one['against']} against")
    for one in entry["votes"]["people"]:
        lines.append(
            f"votes of {one['who']} ({one['project']}): behind {one['rows_for']} rows for, "
            f"{one['rows_against']} against"
        )
    return "\n".join(lines)


def _texts(row: Json) -> list[str]:
    answer = row["answer"] + (f" (over {row['rejected']})" if row.get("rejected") else "")
    place = f"{row['dataset']} {row['row']}"
    return [place, one_line(row["prompt"])[-_WIDTH:], one_line(answer)[:_WIDTH]]


def _weighed(found: Json) -> str:
    rows = [
        [f"{row['own']:.3g}", None if row["help"] is None else f"{row['help']:+.3f}", *_texts(row)]
        for row in found["rows"]
    ]
    aim = found.get("target") or "the held-out rows"
    said = (
        f"Rows by how far they helped {aim}, least first. help: below 0, the row pushed their loss "
        "up. self: self-influence, large where the run learned a row least."
        if found["by"] == "help"
        else "No rows were held out: rows by self-influence, what the run learned least first."
    )
    return f"{said}\n\n{table(rows, ['self', 'help', 'row', 'prompt', 'answer'])}"


def _kept(found: Json) -> str:
    return (
        f"{found['name']}: the {found['rows']:,} of {found['of']:,} rows that help "
        f"{found['target']} most"
    )


VIEWS = {
    "why": View(
        _why,
        'pocket-sft --prompt "Which animal does Petra have?"',
        'pocket-sft --prompt "Hi." --answer "Hello. Bye." --span Bye. --json',
        "pocket-sft --data pocket-questions",
    ),
    "influence": View(
        _weighed, "pocket-dpo --count 50", "pocket-sft --target questions.jsonl --count 50"
    ),
    "data_select": View(_kept, "facts --run pocket-sft --target questions.jsonl --share 0.2"),
}
