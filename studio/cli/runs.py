"""How the shell shows `train`, `runs` and `hub`."""

from __future__ import annotations

import time

from studio.cli.progress import account, follow, unfinished
from studio.cli.register import View
from studio.cli.terminal import table
from studio.commands.base import Json
from studio.core.formatting import bytes_text, percent_text


def _ids(ended: Json | list[Json]) -> str:
    return "\n".join(run["run_id"] for run in (ended if isinstance(ended, list) else [ended]))


def _listed(runs: list[Json]) -> str:
    names = ("run_id", "name", "objective", "state", "step")
    rows = [
        [*(run[name] for name in names), run["total_steps"] or None, _when(run["created"])]
        for run in runs
    ]
    header = ("run", "name", "objective", "state", "step", "of", "created")
    return table(rows, header) if runs else "No runs yet. Start one: train pocket-sft"


def _offered(offers: list[Json]) -> str:
    return "\n".join(each["label"] for each in offers) or "HF Jobs lists no hardware with one GPU."


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _shown(run: Json) -> str:
    from studio.runs.recipe import Recipe

    lines = [f"{run['run_id']}  {run['name']}", account(run)]
    lines += [run["error"]] if run["error"] else []
    lines += [f"started from {run['parent']}"] if run["parent"] else []
    metrics = sorted(run["metrics"].items())
    lines += [f"  {key} {value:.6g}" for key, value in metrics if value is not None]
    return "\n".join([*lines, "", Recipe.of(run["recipe"]).to_yaml()])


def _exported(made: Json) -> str:
    """The script or its first file; or what was verified of a result, and how to serve it."""
    if "script" in made:
        return made["script"]
    if "figures" not in made:
        return made["files"][0]
    from studio.exports import serve_commands

    found = made["figures"]
    encodes = made.get("objective") == "embedding"
    what = ("number of a vector", "nearest neighbors") if encodes else ("logit", "greedy tokens")
    allowed = found["tolerance"]
    within = f" ({allowed * found['largest_logit']:.3g} allowed)" if allowed else ""
    lines = [
        f"{made['folder']}: {bytes_text(made['bytes'])}, {', '.join(made['files'])}",
        f"largest difference of a {what[0]} {found['largest_difference']:.3g}{within}, "
        f"{what[1]} that agree {percent_text(found['agreement'])}",
    ]
    if rows := made.get("perplexity"):
        lines.append(
            f"perplexity {rows['ratio']:.4g} times the run's ({rows['allowed']:.4g} allowed), on "
            f"{rows['rows']} of {rows['source']}"
        )
    served = serve_commands.commands(made, made["folder"])
    if why := serve_commands.withheld(made):
        lines.append(why)
    return "\n".join([*lines, *(f"{program}: {line}" for program, line in served)])


def _files(found: Json) -> str:
    return table([(one["name"], one["bytes"]) for one in found["files"]], ("file", "bytes"))


def _pushed(found: Json) -> str:
    return f"{found['url']}: {len(found['files'])} files, {bytes_text(found['bytes'])}"


def _goals(found: list[Json]) -> str:
    return "\n\n".join(
        f"{one['slug']}: {one['label']} ({one['objective']}, {one['method']})\n"
        f"  {one['expect']}\n  What goes wrong: {one['wrong']}"
        for one in found
    )


VIEWS = {
    "runs_blend": View("{name} is made: {id}", "--run first --run second --combination ties_svd"),
    "runs_average": View("{name} is made: {id}", "first --last 3"),
    "goals": View(_goals, "--json"),
    "train": View(
        _ids,
        "pocket-sft --set max_steps=20",
        "pocket-sft --sweep lora_r=4,8,16",
        "pocket-sft --dataset mine --dataset general:0.1",
        "tinyllama-lora-sft --on a10g-small",
        follow=follow,
        failure=unfinished,
    ),
    "jobs": View(_offered, "pocket-sft"),
    "runs_list": View(_listed, "--json"),
    "runs_show": View(_shown, "pocket-sft"),
    "runs_stop": View("{run_id} is {state}.", "pocket-sft", "pocket-sft --now"),
    "runs_resume": View(_ids, "pocket-sft", follow=follow, failure=unfinished),
    "runs_without": View(_ids, "pocket-sft --rows 3,14,159", follow=follow, failure=unfinished),
    "runs_rename": View("{run_id} {name}", 'pocket-sft "the first"'),
    "runs_export": View(
        _exported,
        "pocket-sft --to merged --out mine",
        "pocket-sft --to gguf --outtype f16 --out mine-gguf",
        "pocket-sft --to gguf --outtype q4_k_m --importance-matrix --out mine-q4",
        "pocket-sft --to gguf-lora --out mine-lora",
        "pocket-sft --to trl --out exported",
        "pocket-sft --to launch --num-machines 2 --out launched",
        "pocket-sft --to job > job.py",
    ),
    "runs_import": View(
        "{run_id} {name}: {method} on {model}", "./my-adapter --base pocket --name theirs"
    ),
    "hub_preview": View(_files, "./mine"),
    "hub_push": View(_pushed, "./mine me/my-model"),
    "hub_pull": View(
        "model_name_or_path: {repo}\nmodel_revision: {revision}", "Qwen/Qwen2-0.5B-Instruct"
    ),
}
