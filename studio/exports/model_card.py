"""An export's model card: base, data, recipe, curves, scores, samples, verification, limits.

Everything is read from the run's folder and the export's record; what is not recorded is stated as
unknown, not guessed.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from studio.core.errors import StudioError
from studio.data import DatasetStore
from studio.data.prepared.publish import UNKNOWN
from studio.exports import loss_plot, serve_commands, verified_section
from studio.metrics.figures import interval_text, value_text
from studio.runs.store import Run

_SAMPLES = 3
_LONGEST = 400  # characters of a sample


def write(folder: Path, record: dict[str, Any], run: Run, datasets: DatasetStore) -> None:
    """Write README.md and its images into an export's folder, and add their names to the record."""
    events, _ = run.events()
    pictures = _pictures(folder, run, events)
    parts = [
        _front(record), f"# {inline(run.name)}\n", summary_of(record, run),
        verified_section.section(record), _how_to_load(record),
        data_of(run, datasets), recipe_of(run),
        _curves(pictures), _scores(run, datasets), _samples(events), _limits(record),
    ]  # fmt: skip
    (folder / "README.md").write_text("\n".join(part for part in parts if part), encoding="utf-8")
    record["files"] = sorted({*record["files"], "README.md", *pictures})


def inline(text: object) -> str:
    """Text escaped for one line of Markdown."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(str(text).split())) or "unnamed"


def _front(record: dict[str, Any]) -> str:
    """The Hub's metadata."""
    import yaml

    library = {"adapter": "peft", "merged": "transformers"}.get(record["to"], "gguf")
    values: dict[str, Any] = {
        "library_name": library,
        "pipeline_tag": "text-generation",
        "tags": ["alignment-studio", "trl", record["objective"], record["method"]],
    }
    if record["base_kind"] == "hub":
        relation = {"merged": "finetune", "gguf": "quantized"}
        values |= {
            "base_model": record["base"],
            "base_model_relation": relation.get(record["to"], "adapter"),
        }
    elif record["base_kind"] == "builtin":
        values["license"] = "apache-2.0"
    return f"---\n{yaml.safe_dump(values, sort_keys=False)}---\n"


def summary_of(record: dict[str, Any], run: Run) -> str:
    kind = {
        "adapter": "An adapter for",
        "merged": "A fine-tuned model from",
        "gguf": "A GGUF file from",
        "gguf-lora": "A GGUF adapter for",
    }[record["to"]]
    base = f"`{record['base']}`"
    if record["base_revision"]:
        base += f" at revision `{record['base_revision'][:12]}`"
    lines = [
        f"{kind} {base}, trained with {run.objective.upper()} and {run.method} "
        f"({run.step:,} steps) in the alignment studio.\n",
        "| | |\n|---|---|",
        f"| base | {base}, weights `{record['fingerprint'] or 'not recorded'}` |",
        f"| run | `{run.id}` |",
        f"| started from | `{run.parent}` |" if run.parent else "",
        f"| trained on | a base held in {record['trained_on']}; these weights are whole |"
        if record.get("trained_on")
        else "",
        f"| chat template is given | {_kwargs(record)} |"
        if record.get("chat_template_kwargs")
        else "",
        f"| made with | {', '.join(f'{k} {v}' for k, v in sorted(run.versions.items()))} |"
        if run.versions
        else "",
    ]
    return "\n".join(line for line in lines if line) + "\n"


def _kwargs(record: dict[str, Any]) -> str:
    given = record["chat_template_kwargs"]
    return ", ".join(f"`{name}={json.dumps(value)}`" for name, value in given.items())


def _how_to_load(record: dict[str, Any]) -> str:
    lines = ["## How to load\n", f"```python\n{serve_commands.loading(record)}\n```\n"]
    if record.get("reader_needs_config"):
        lines.append(
            "transformers' GGUF reader leaves out a setting that the file holds: give it the "
            "base's, `config=AutoConfig.from_pretrained(base)`. llama.cpp reads it.\n"
        )
    if why := serve_commands.withheld(record):
        lines.append(f"{why}\n")
    found = serve_commands.commands(record)
    if found:
        lines.append("Or serve it:\n\n```bash")
        lines += [f"# {program}\n{command}" for program, command in found]
        lines.append("```\n")
    return "\n".join(lines)


def data_of(run: Run, datasets: DatasetStore) -> str:
    several = run.data.get("datasets") or [run.data]
    return "\n".join(["## Data\n", *(_dataset(run, one, datasets) for one in several)])


def _dataset(run: Run, held: dict[str, Any], datasets: DatasetStore) -> str:
    rows = ", ".join(f"{count:,} {split}" for split, count in (held.get("rows") or {}).items())
    drawn = f", drawn from {held['drawn_from']:,}" if "drawn_from" in held else ""
    lines = [
        f"{inline(held.get('name') or run.recipe.dataset_name)}: {rows or 'rows not recorded'}"
        f"{drawn}; fingerprint `{held.get('fingerprint') or 'not recorded'}`."
    ]
    try:
        dataset = datasets.get(str(held.get("id") or run.recipe.dataset_name))
        license = dataset.provenance.get("license")
        revision = dataset.provenance.get("revision")
        at = f" at revision {inline(revision)}" if revision else ""
        lines.append(f"Source: {inline(_nowhere(dataset.source))}{at}.")
    except StudioError:
        license = None
    lines.append(f"License: {inline(license or UNKNOWN)}.\n")
    return "\n".join(lines)


def _nowhere(name: str) -> str:
    """The name of a file or folder without its path, which is private."""
    return Path(name).name if name.startswith((".", "/", "~")) or "\\" in name else name


def recipe_of(run: Run) -> str:
    recipe = run.recipe
    told = recipe.with_(model_name_or_path=_nowhere(recipe.model_name_or_path))
    if recipe.datasets:
        entries = [one.model_copy(update={"path": _nowhere(one.path)}) for one in recipe.datasets]
        told = told.with_(datasets=entries)
    else:
        told = told.with_(dataset_name=_nowhere(recipe.dataset_name))
    return f"## Recipe\n\n```yaml\n{told.to_yaml().strip()}\n```\n"


def _pictures(folder: Path, run: Run, events: list[dict[str, Any]]) -> list[str]:
    """Draw the curves that have points; the names of the images."""
    logs = [event for event in events if event.get("kind") == "log"]

    def points(key: str) -> list[tuple[float, float]]:
        return [(one["step"], float(one[key])) for one in logs if key in one and "step" in one]

    wanted = {
        "loss.png": ("Loss", {"loss": points("loss"), "held out": points("eval_loss")}),
        "margins.png": ("Reward margin", {"chosen - rejected": points("rewards/margins")}),
    }
    return [
        name
        for name, (title, series) in wanted.items()
        if loss_plot.draw(folder / name, f"{title}, {run.name}", series)
    ]


def _curves(pictures: list[str]) -> str:
    shown = "\n".join(f"![{name.removesuffix('.png')}]({name})" for name in pictures)
    return f"## Curves\n\n{shown}\n" if pictures else ""


def _scores(run: Run, datasets: DatasetStore) -> str:
    """The newest scores of this run on each set of rows, with intervals."""
    rows: dict[tuple[str, str], str] = {}
    for path in sorted(datasets.workspace.comparisons.glob("score-*.json")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            continue
        for column in found["columns"]:
            if column.get("run") == run.id and not column.get("checkpoint"):
                for metric, value in column["metrics"].items():
                    rows[found["data"], metric] = _score(found, metric, value)
    if not rows:
        return "## Scores\n\nNot scored yet.\n"
    head = "## Scores\n\n| rows | metric | value | 95 % interval |\n|---|---|---:|---|\n"
    return head + "\n".join(rows.values()) + "\n"


def _score(found: dict[str, Any], metric: str, value: dict[str, Any]) -> str:
    if value["value"] is None:
        return f"| {inline(found['data'])} | {metric} | none | |"
    low, high = value.get("low"), value.get("high")
    interval = interval_text(metric, low, high) if low is not None and high is not None else ""
    name = f"{inline(found['data'])} ({found['rows']:,})"
    return f"| {name} | {metric} | {value_text(metric, value['value'])} | {interval} |"


def _samples(events: list[dict[str, Any]]) -> str:
    """Answers to fixed prompts before training and after it."""
    samples = [event for event in events if event.get("kind") == "sample"]
    if not samples:
        return ""
    first, last = samples[0]["step"], samples[-1]["step"]
    lines = ["## Samples, before and after\n"]
    before = {one["number"]: one for one in samples if one["step"] == first}
    after = {one["number"]: one for one in samples if one["step"] == last}
    for number in sorted(after)[:_SAMPLES]:
        lines.append(f"**{inline(_short(after[number]['prompt']))}**\n")
        if number in before and first != last:
            lines.append(f"- before: {inline(_short(before[number]['answer']))}")
        lines.append(f"- after {last:,} steps: {inline(_short(after[number]['answer']))}\n")
    return "\n".join(lines)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " ..."


def _limits(record: dict[str, Any]) -> str:
    base = "its base's license, biases and mistakes"
    lines = [
        "## Limits\n",
        f"This model has {base}, and what its data taught it. It was compared with its own run, "
        "not judged for safety or truth.",
    ]
    if record["to"] == "gguf":
        lines.append(
            "The Modelfile has no TEMPLATE: Ollama looks for the file's chat template among those "
            "it knows. `ollama show --modelfile` says which one it took."
        )
    return "\n".join(lines) + "\n"
