"""`train` and `runs`: start a run here, and look after those there are."""

from __future__ import annotations

import shlex
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.output import Json, Terminal, example, parse_pairs, say_error, table
from studio.cli.progress import follow
from studio.core.errors import ConfigError

if TYPE_CHECKING:
    from studio.runs.recipe import Recipe
    from studio.runs.store import Run

app = typer.Typer(
    help="Runs: list, show, stop, resume, export, import.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Run, by id or name.")]


def train(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE", help="A YAML file or its lines, or a shipped recipe's name."
        ),
    ],
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change one knob; repeatable."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="A label for the run.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="A prepared dataset, a sample, a file or a Hub id.")
    ] = None,
    model: Annotated[str | None, typer.Option(help="`pocket`, a Hub id or a folder.")] = None,
    start_from: Annotated[
        str | None, typer.Option(metavar="RUN", help="Continue this run's adapter.")
    ] = None,
    tries: Annotated[
        list[str] | None,
        typer.Option(
            "--try",
            metavar="KNOB=VALUES",
            help="Several values of a knob, a run each; for two knobs, give it twice.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Train a recipe here and print the run's id.

    Ctrl-C stops it after the current step with everything saved.
    """
    chosen = settle(
        recipe,
        changes or [],
        name=name,
        dataset_name=dataset,
        model_name_or_path=model,
        start_from=start_from,
    )
    with Terminal(as_json) as out:
        command = shlex.join(["python", "-m", "studio", *sys.argv[1:]])
        door = {"door": "shell", "command": command} if out.host is None else {"door": "api"}
        if tries:
            _try_all(out, chosen, tries, door)
            return
        _finish(out, out.studio.train(chosen, door))


def _try_all(out: Terminal, recipe: Recipe, tries: list[str], door: dict[str, Any]) -> None:
    """Queue a run for every combination of values; here, follow them one after another."""
    from studio.core.workspace import new_id
    from studio.runs.sweep import sweep, values_of

    values = {knob: values_of(each) for knob, each in parse_pairs(tries, "--try").items()}
    recipes = sweep(recipe, values)
    mark = {**door, "sweep": new_id("sweep")}
    runs = [out.studio.train(each, mark) for each in recipes]
    if out.host is None:
        for at, run in enumerate(runs):
            runs[at] = follow(out, run, runs[at + 1 :])
            out.note(_account(runs[at]))
    out.result([as_dict(run) for run in runs], "\n".join(run.id for run in runs))
    if out.host is None and any(run.state != "finished" for run in runs):
        raise typer.Exit(1)


def settle(recipe: str, changes: list[str], **options: str | None) -> Recipe:
    """A recipe with `--set` pairs (values read as YAML) and the given options put in."""
    import yaml

    from studio.runs.recipe import Recipe, find_recipe

    values: dict[str, Any] = {}
    for key, text in parse_pairs(changes, "--set").items():
        try:
            values[key] = yaml.safe_load(text)
        except yaml.YAMLError:
            raise ConfigError(f"--set {key}: {text!r} is not a YAML value.") from None
    values |= {key: value for key, value in options.items() if value is not None}
    found = find_recipe(recipe)
    if "dataset_name" in values and found.name == recipe:  # a shipped recipe on other data
        values.setdefault("name", "")
    return Recipe.of({**found.changed(), **values})


def _finish(out: Terminal, run: Run) -> None:
    """Follow a queued run, print what came of it, and leave with its exit code.

    An app that runs the command trains in its own thread, so there it is not waited for.
    """
    if out.host is not None:
        out.result(as_dict(run), run.id)
        return
    run = follow(out, run)
    result = {
        "run_id": run.id,
        "name": run.name,
        "state": run.state,
        "steps": run.step,
        "total_steps": run.total_steps,
        "metrics": run.metrics,
        "adapter": _result_folder(run),
        "seconds": round(run.train_seconds, 1),
        "error": run.error,
    }
    out.note(_account(run))
    out.result(result, run.id)
    if run.state == "finished":
        return
    if run.state == "stopped":
        say_error(
            f"{run.name} was stopped at step {run.step} of {run.total_steps}; "
            f"`python -m studio runs resume {run.id}` goes on from there."
        )
    else:
        say_error(run.error or f"{run.name} is {run.state}.")
    raise typer.Exit(1)


def _account(run: Run) -> str:
    """One line: the state, how far, how long, and where the result lies."""
    parts = [f"{run.name} {run.state}: {run.step:,} of {run.total_steps:,} steps"]
    if "loss" in run.metrics:
        parts.append(f"loss {run.metrics['loss']:.4g}")
    parts.append(f"{run.train_seconds:.0f} s")
    folder = _result_folder(run)
    return ", ".join(parts) + (f"; result in {folder}" if folder else "")


def _result_folder(run: Run) -> str | None:
    folder = run.adapter or run.weights
    return str(folder) if folder else None


@app.callback()
def _group() -> None:
    pass


@app.command("list", epilog=example("runs list --json"))
def list_runs(as_json: Json = False) -> None:
    """List all runs, newest first."""
    with Terminal(as_json) as out:
        runs = out.studio.runs.list()
        rows = [
            (
                run.id,
                run.name,
                run.objective,
                run.state,
                run.step,
                run.total_steps or None,
                _when(run.created),
            )
            for run in runs
        ]
        header = ("run", "name", "objective", "state", "step", "of", "created")
        text = table(rows, header) if runs else "No runs yet. Start one: train pocket-sft"
        out.result([as_dict(run) for run in runs], text)


@app.command("show", epilog=example("runs show pocket-sft"))
def show(run: RunName, as_json: Json = False) -> None:
    """Show one run: its state, its metrics, its recipe."""
    with Terminal(as_json) as out:
        found = out.studio.runs.get(run)
        recipe = found.recipe
        lines = [f"{found.id}  {found.name}", _account(found)]
        lines += [found.error] if found.error else []
        lines += [f"started from {found.parent}"] if found.parent else []
        lines += [f"  {key} {value:.6g}" for key, value in sorted(found.metrics.items())]
        lines += ["", recipe.to_yaml()]
        out.result({**as_dict(found), "recipe": recipe.changed()}, "\n".join(lines))


@app.command("stop", epilog=example("runs stop pocket-sft", "runs stop pocket-sft --now"))
def stop(
    run: RunName,
    now: Annotated[
        bool, typer.Option("--now", help="Do not save; the last checkpoint stays.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Ask a run to stop after its current step, saved, whichever process trains it."""
    with Terminal(as_json) as out:
        stopped = out.studio.stop(run, now)
        out.result(as_dict(stopped), f"{stopped.id} is {stopped.state}.")


@app.command("resume", epilog=example("runs resume pocket-sft"))
def resume(run: RunName, as_json: Json = False) -> None:
    """Go on with a stopped, interrupted or failed run, here, from its last checkpoint."""
    with Terminal(as_json) as out:
        _finish(out, out.studio.resume(run))


@app.command("rename", epilog=example('runs rename pocket-sft "the first"'))
def rename(
    run: RunName, name: Annotated[str, typer.Argument(help="Its new label.")], as_json: Json = False
) -> None:
    """Give a run another label; its id and its folder stay."""
    with Terminal(as_json) as out:
        found = out.studio.runs.rename(out.studio.runs.get(run).id, name)
        out.result(as_dict(found), f"{found.id} {found.name}")


def as_dict(run: Run) -> dict[str, Any]:
    """A run as `--json` prints it."""
    return {"run_id": run.id, **run.as_dict()}


def _when(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))
