"""`train` and `runs`: start runs, and manage those that exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from studio.commands.base import Json, Param, RunName, command, objectives
from studio.runs.methods import Combination

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.runs.recipe import Recipe
    from studio.runs.store import Run


@command(read_only=True)
def goals() -> list[Json]:
    """List recipes by goal: what to expect of each, and what goes wrong.

    Their names are recipes: `train teach-a-style --model MODEL --dataset DATA`.
    """
    from studio.runs.goals import goals as shipped

    names = ("slug", "label", "objective", "method", "expect", "wrong")
    return [{name: getattr(goal, name) for name in names} for goal in shipped().values()]


@command()
def train(
    studio: Studio,
    recipe: Annotated[str, Param("A YAML file, YAML text, or the name of a shipped recipe.")],
    *,
    set: Annotated[
        dict[str, Any] | None,
        Param(
            "Change a recipe parameter, such as objective ({values}); repeatable.",
            values=objectives,
        ),
    ] = None,
    name: Annotated[str | None, Param("Name of the run.")] = None,
    dataset: Annotated[
        list[str] | None,
        Param(
            "Prepared dataset, sample, file or Hub id. Repeat it to mix several, each with its "
            "share of the rows after a colon; one may go without and takes the rest.",
            metavar="DATA[:FRACTION]",
        ),
    ] = None,
    model: Annotated[str | None, Param("`pocket`, a Hub id or a folder.")] = None,
    start_from: Annotated[str | None, Param("Run to continue training.", metavar="RUN")] = None,
    device: Annotated[
        int | None, Param("GPU by its number; by default the one with most free memory.", min=0)
    ] = None,
    on: Annotated[
        str | None,
        Param("Train on HF Jobs, on this flavor, such as a10g-small; see jobs.", metavar="FLAVOR"),
    ] = None,
    sweep: Annotated[
        dict[str, list[Any]] | None,
        Param(
            "Train one run per value; given for two parameters, one per combination.",
            metavar="KEY=VALUE,VALUE",
        ),
    ] = None,
    provenance: Json | None = None,
) -> Json | list[Json]:
    """Train a recipe.

    In the shell this follows the run to its end and prints its id; Ctrl-C saves and stops it after
    the current step, and cancels a job. Over the API and in Python it returns as soon as the run is
    queued.
    """
    chosen = recipe_with(
        recipe,
        set,
        name=name,
        datasets=dataset,
        model_name_or_path=model,
        start_from=start_from,
        device=device,
    )
    where = {"on": on} if on else {}
    if not sweep:
        return run_as_dict(studio.train(chosen, provenance, **where)) | _warned(studio, chosen)
    from studio.core.workspace import new_id
    from studio.runs import sweep as sweeps

    marked = {**(provenance or {}), "sweep": new_id("sweep")}
    return [
        run_as_dict(studio.train(each, marked, **where)) | _warned(studio, each)
        for each in sweeps.sweep(chosen, sweep)
    ]


def _warned(studio: Studio, recipe: Recipe) -> Json:
    """An `advice` where the pocket model is to learn rows that are not its own world's."""
    from studio.workflows.propose_model import pocket_warning

    said = pocket_warning(studio, recipe)
    if not said:
        return {}
    return {"advice": f"{said} `models suggest` names a model that can learn them here."}


@command(read_only=True)
def jobs(
    studio: Studio,
    recipe: Annotated[str, Param("A YAML file, YAML text, or the name of a shipped recipe.")],
    *,
    set: Annotated[dict[str, Any] | None, Param("Change a recipe parameter; repeatable.")] = None,
) -> list[Json]:
    """List the hardware of HF Jobs with its price, and whether a recipe fits.

    The cheapest that fits comes first; prices are the Hub's own of now, in US dollars.
    """
    from studio.workflows.hosted_offers import offers

    return [offer.as_dict() for offer in offers(studio, recipe_with(recipe, set))]


def recipe_with(
    recipe: str,
    changes: Json | None = None,
    datasets: list[str] | None = None,
    **options: str | int | None,
) -> Recipe:
    """A recipe by file, text or name, with changes; options that are given come last."""
    from studio.runs import dataset_entries
    from studio.runs.recipe import Recipe, find_recipe

    values = {**(changes or {}), **{k: value for k, value in options.items() if value is not None}}
    values |= dataset_entries.named(datasets)
    found = find_recipe(recipe)
    kept = found.changed()
    if dataset_entries.FIELDS & values.keys():
        kept = {key: value for key, value in kept.items() if key not in dataset_entries.FIELDS}
        if found.name == recipe:  # a shipped recipe on other data
            values.setdefault("name", "")
    return Recipe.of({**kept, **values})


def run_as_dict(run: Run) -> Json:
    """A run as JSON; `result` is the folder of its adapter or weights."""
    result = run.adapter or run.weights
    return {"run_id": run.id, **run.as_dict(), "result": str(result) if result else None}


@command(read_only=True)
def runs_list(studio: Studio) -> list[Json]:
    """List all runs, newest first."""
    return [run_as_dict(run) for run in studio.runs.list()]


@command(read_only=True)
def runs_show(studio: Studio, run: RunName) -> Json:
    """Show one run: its state, its metrics, its recipe."""
    found = studio.runs.get(run)
    return {**run_as_dict(found), "recipe": found.recipe.changed()}


@command()
def runs_stop(
    studio: Studio,
    run: RunName,
    *,
    now: Annotated[bool, Param("Stop without saving; the last checkpoint stays.")] = False,
) -> Json:
    """Stop a run after its current step, with everything saved.

    Whichever process trains it.
    """
    return run_as_dict(studio.stop(run, now))


@command()
def runs_resume(studio: Studio, run: RunName) -> Json:
    """Resume a run from its last checkpoint.

    For runs that were stopped or interrupted, or that failed. In the shell this follows
    the run to its end; over the API and in Python it returns as soon as the run is queued.
    """
    return run_as_dict(studio.resume(run))


@command()
def runs_rename(studio: Studio, run: RunName, name: Annotated[str, Param("The new name.")]) -> Json:
    """Rename a run; its id and its folder stay."""
    return run_as_dict(studio.runs.rename(studio.runs.get(run).id, name))


@command()
def runs_blend(
    studio: Studio,
    *,
    run: Annotated[list[str], Param("A finished LoRA run, by id or name; two or more.")],
    combination: Annotated[
        Combination,
        Param("PEFT's way to combine them: cat is the weighted sum of their updates, exactly."),
    ] = "cat",
    weight: Annotated[
        list[float] | None, Param("Weight of each run; by default all the same, 1 in sum.")
    ] = None,
    density: Annotated[
        float, Param("Share of numbers that TIES and DARE keep.", min=0.01, max=1)
    ] = 0.5,
    name: Annotated[str | None, Param("Name of the new run.")] = None,
) -> Json:
    """Combine the adapters of runs on one base into a new run."""
    from studio.workflows.blends import blend

    return blend(studio, run, combination, weight, density, name or "").as_dict()


@command()
def runs_average(
    studio: Studio,
    run: RunName,
    *,
    last: Annotated[int, Param("Of the newest checkpoints so many; 0: all kept.", min=0)] = 0,
    name: Annotated[str | None, Param("Name of the new run.")] = None,
) -> Json:
    """Average a run's kept checkpoints into a new run."""
    from studio.workflows.blends import average

    return average(studio, run, last, name or "").as_dict()
