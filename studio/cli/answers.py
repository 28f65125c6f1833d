"""How the shell shows `generate`, `pairs`, `score` and `rewards`."""

from __future__ import annotations

from collections.abc import Callable

from studio.cli.register import View
from studio.cli.terminal import counted, one_line, percent, table
from studio.commands.base import Json
from studio.core.formatting import percent_range, percent_text, points
from studio.metrics.figures import difference_text, scored_text


def _answers(rows: list[Json]) -> str:
    return "\n\n".join(
        f"prompt  {_question(row['prompt'])}\n"
        f"base    {_answer(row, 'base')}\ntuned   {_answer(row, 'tuned')}"
        for row in rows
    )


def _answer(row: Json, name: str) -> str:
    """An answer, with how long its thinking was."""
    words = len(row.get(f"{name}_reasoning", "").split())
    if row.get(f"{name}_cut_thought"):
        return f"(cut off while thinking, after {words:,} words)"
    return f"(thought {words:,} words) {row[name]}" if words else row[name]


def _question(prompt: str | list[Json]) -> str:
    return prompt if isinstance(prompt, str) else prompt[-1]["content"]


def _pairs(made: Json) -> str:
    aside = counted(made["set_aside"], "set aside")
    return f"{made['project']}: {made['added']:,} pairs added{aside}"


# ---- score ---------------------------------------------------------------------------------------


def _scores(result: Json) -> str:
    """A line per metric: each column's figure with its interval, then the differences."""
    if "benchmarks" in result:
        return _benchmarks(result)
    columns, differences = result["columns"], result["differences"]
    names = list(dict.fromkeys(name for column in columns for name in column["metrics"]))
    rows = [
        [
            name,
            *(_metric(name, column["metrics"].get(name)) for column in columns),
            *(_metric(name, each["metrics"].get(name), difference_text) for each in differences),
        ]
        for name in names
    ]
    header = ["metric", *(column["label"] for column in columns)]
    header += [f"{each['a']} - {each['b']}" for each in differences]
    return f"{result['data']}: {result['rows']:,} rows\n\n{table(rows, header)}"


def _metric(
    name: str, found: Json | None, written: Callable[[str, Json], str] = scored_text
) -> str | None:
    return None if not found or found["value"] is None else written(name, found)


def _benchmarks(result: Json) -> str:
    """A line per benchmark: every column's share, and what each run gained or lost."""
    labels = [column["label"] for column in result["benchmarks"][0]["columns"]]
    rows = [
        [
            f"{one['label']} ({one['metric']})",
            one["rows"],
            *(
                f"{percent_text(each['value'])} ({percent_range(each['low'], each['high'])})"
                for each in one["columns"]
            ),
            *(f"{points(each)}, {each['verdict']}" for each in one["differences"]),
        ]
        for one in result["benchmarks"]
    ]
    header = ["benchmark", "rows", *labels, *(f"{label} - {labels[0]}" for label in labels[1:])]
    return f"lm-eval {result['version']}\n\n{table(rows, header)}"


_SHOWN = 6  # numbers of a vector


def _vectors(found: Json) -> str:
    """A line per text: the first numbers of its vector."""
    lines = [
        f"{' '.join(f'{number:+.4f}' for number in vector[:_SHOWN])} ...  {one_line(text)[:60]}"
        for text, vector in zip(found["texts"], found["vectors"], strict=True)
    ]
    return "\n".join([*lines, "", f"{found['dimensions']:,} dimensions; --json prints all"])


def _found(found: Json) -> str:
    """Both rankings, one below the other."""
    parts = [f"{found['documents']:,} documents of {found['data']}"]
    for side in ("base", "tuned"):
        rows = [
            [one["rank"], f"{one['similarity']:.3f}", _moved(one), one_line(one["text"])[:70]]
            for one in found[side]
        ]
        parts.append(f"{side}\n{table(rows, ['rank', 'similarity', 'moved', 'document'])}")
    return "\n\n".join(parts)


_LISTED = 10


def _retrieved(found: Json) -> str:
    """Figures of both columns, then the queries that fell and those that rose furthest."""
    names = list(found["tuned"])
    rows = [
        [
            name,
            *(_figure(found[side].get(name)) for side in ("base", "tuned")),
            _figure(found["difference"].get(name), "+"),
        ]
        for name in names
    ]
    held = "held-out" if found["split"] == "test" else "training (none are held out)"
    parts = [
        f"{found['queries']:,} {held} queries among {found['documents']:,} documents of "
        f"{found['data']}: {found['rose']:,} rose, {found['fell']:,} fell",
        table(rows, ["", "base", "tuned", "difference"]),
    ]
    fell = [one for one in found["each"] if one["moved"] < 0][:_LISTED]
    rose = [one for one in reversed(found["each"]) if one["moved"] > 0][:_LISTED]
    for title, listed in (("fell", fell), ("rose", rose)):
        lines = [
            [_moved(one), one["base"], one["tuned"], one_line(one["query"])[:70]] for one in listed
        ]
        if lines:
            parts.append(f"{title}\n{table(lines, ['moved', 'base', 'tuned', 'query'])}")
    return "\n\n".join(parts)


def _moved(one: Json) -> str:
    return f"{one['moved']:+,}" if one["moved"] else "-"


def _context(result: Json) -> str:
    """Losses by position, a line a bin; then a grid of found facts a column."""
    columns = result["columns"]
    places = [f"{each['start']:,} to {each['end']:,}" for each in columns[0]["bins"]]
    rows = [
        [place, *(_loss(column["bins"][at]) for column in columns)]
        for at, place in enumerate(places)
    ]
    parts = [
        f"{result['rows']}, up to {result['length']:,} tokens",
        table(rows, ["loss at", *(column["label"] for column in columns)]),
    ]
    what = result["facts"] or f"keys of {result['digits']}"
    parts += [
        f"{column['label']}: {what} found\n{_needles(column)}"
        for column in columns
        if column.get("needles")
    ]
    return "\n\n".join(parts)


def _needles(column: Json) -> str:
    """A line a length: how many were found at every depth, and at all of them."""
    depths = list(dict.fromkeys(each["depth"] for each in column["needles"]))
    hits = {(each["length"], each["depth"]): each["hits"] for each in column["needles"]}
    lines = [
        [
            f"{each['length']:,}",
            *(hits[each["length"], depth] for depth in depths),
            f"{each['hits']} of {each['trials']} ({percent_range(each['low'], each['high'])})",
        ]
        for each in column["by_length"]
    ]
    return table(lines, ["tokens", *(f"{percent(depth)} deep" for depth in depths), "together"])


def _loss(found: Json) -> str | None:
    return None if found["loss"] is None else f"{found['loss']:.3f}"


def _figure(found: Json | None, sign: str = "") -> str | None:
    if not found or found["value"] is None:
        return None
    value = f"{found['value']:{sign}.4g}"
    if found["low"] is None:
        return value
    return f"{value} [{found['low']:{sign}.3g}, {found['high']:{sign}.3g}]"


def _failed_column(result: Json) -> str | None:
    return next((column["error"] for column in result["columns"] if column["error"]), None)


# ---- rewards -------------------------------------------------------------------------------------


def _previewed(rows: list[Json]) -> str:
    terms = list(rows[0]["parts"]) if rows else []
    lines = [
        [
            f"{row['reward']:.3g}",
            *(f"{value:.3g}" for value in row["parts"].values()),
            one_line(row["answer"])[:60],
        ]
        for row in rows
    ]
    said = [
        f"{one_line(row['answer'])[:40]}: {name}: {note}"
        for row in rows
        for name, note in row.get("notes", {}).items()
    ]
    return "\n".join([table(lines, ["reward", *terms, "answer"]), *said])


def _report(found: Json) -> str:
    length = found["length"]
    related = length["correlation"]
    bins = [
        [f"{one['gap']:.2f}", percent(one["expected"]), percent(one["observed"]), one["count"]]
        for one in found["calibration"]["bins"]
    ]
    lines = [
        f"{found['data']}",
        f"accuracy   {_share(found['accuracy'])}",
        f"margin     {found['margin']:.2f}",
        f"length     {'the same' if related is None else f'correlation {related:.2f}'}",
        *([length["warning"]] if length["warning"] else []),
        *(f"{name}: agrees in {_share(one)}" for name, one in found["annotators"].items()),
        "",
        table(bins, ["margin", "Bradley-Terry", "observed", "pairs"]),
    ]
    return "\n".join(lines)


def _share(one: Json) -> str:
    between = percent_range(one["low"], one["high"])
    return f"{percent_text(one['value'])} ({between}, {one['count']} judged)"


def _best(found: Json) -> str:
    text = table(
        [[n, f"{value:.3f}"] for n, value in enumerate(found["gain"], 1)], ["best of", "reward"]
    )
    saved = [found[key] for key in ("dataset", "pairs") if key in found]
    lines = [f"{made['rows']:,} rows saved as {made['name']}" for made in saved]
    return "\n".join([text, "", *lines]) if lines else text


def _rounds(found: Json) -> str:
    lines = [
        [
            one["number"],
            one["run"],
            one["pairs"],
            f"{one['margin']:.2f}",
            f"{percent(one['win'])} [{percent(one['low'])}, {percent(one['high'])}]",
            "even" if one["even"] else "",
        ]
        for one in found["rounds"]
    ]
    return table(lines, ["round", "run", "pairs", "margin", "won against the last", ""])


VIEWS = {
    "generate": View(_answers, "--run pocket-sft --prompts questions.txt"),
    "pairs_make": View(_pairs, "--a base --b pocket-sft --prompts questions.txt --project first"),
    "score": View(
        _scores,
        "--run pocket-sft --data pocket-questions --metrics contains",
        failure=_failed_column,
    ),
    "embed": View(_vectors, "--run finder --text 'Where is the lighthouse?'"),
    "search": View(_found, "finder --query 'Where is the lighthouse?' --data places.jsonl"),
    "retrieval": View(_retrieved, "finder --data places.jsonl"),
    "context": View(_context, "longer --data essays.txt --length 2048"),
    "rewards_preview": View(_previewed, "--data pocket-preference --reward length:3-28 --limit 2"),
    "rewards_report": View(_report, "--run pocket-reward"),
    "rewards_rounds": View(
        _rounds, "--run pocket-sft --data pocket-prompts --reward length:3-28 --rounds 3"
    ),
    "rewards_best": View(
        _best, "--run pocket-sft --data pocket-prompts --reward length:3-28 --n 4"
    ),
}
