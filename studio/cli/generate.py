"""`generate` and `pairs make`: answers of a base and its tuned model, to read or to judge."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.output import Json, Terminal, example
from studio.cli.prompts import read_prompts
from studio.core.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from studio.generation.request import Column, Generation, Sampling, Snapshot

app = typer.Typer(
    help="Pairs of answers to judge blind.", no_args_is_help=True, rich_markup_mode=None
)
Prompts = Annotated[
    Path | None,
    typer.Option(help="A .txt file with a prompt a line, or any file of rows that have prompts."),
]
Prompt = Annotated[list[str] | None, typer.Option(help="A prompt given here; repeatable.")]
Temperature = Annotated[float, typer.Option(help="0 is greedy.", min=0.0, max=5.0)]
TopP = Annotated[float, typer.Option(help="Share of probability to draw from.", max=1.0)]
TopK = Annotated[int, typer.Option(help="Tokens to draw from; 0 for all.", min=0)]
MinP = Annotated[float, typer.Option(help="Least share of the best token's.", min=0.0, max=1.0)]
Penalty = Annotated[float, typer.Option(help="Above 1, repeats are made unlikely.")]
NewTokens = Annotated[int, typer.Option(help="Longest answer in tokens.", min=1, max=8192)]
Seed = Annotated[int, typer.Option(help="The same seed gives the same answers.", min=0)]
Limit = Annotated[int | None, typer.Option(help="Only the first prompts.", min=1)]


def generate(
    run: Annotated[str, typer.Option(help="Finished run, by id or name.")],
    prompts: Prompts = None,
    prompt: Prompt = None,
    limit: Limit = None,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    top_k: TopK = 0,
    min_p: MinP = 0.0,
    repetition_penalty: Penalty = 1.0,
    max_new_tokens: NewTokens = 128,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Answer prompts with a base and its tuned model.

    Both stand side by side, from one copy of the weights.
    """
    asked = _asked(prompts, prompt, limit)
    sampling = sampling_of(
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        min_p=min_p,
        repetition_penalty=repetition_penalty,
        max_new_tokens=max_new_tokens,
        seed=seed,
    )
    with Terminal(as_json) as out:
        base, tuned = _answers(out, out.studio.compare(run, asked, sampling))
        rows = [
            {"prompt": _plain(turns), "base": before, "tuned": after}
            for turns, before, after in zip(asked, base, tuned, strict=True)
        ]
        text = "\n\n".join(
            f"prompt  {turns[-1]['content']}\nbase    {before}\ntuned   {after}"
            for turns, before, after in zip(asked, base, tuned, strict=True)
        )
        out.result(rows, text)


@app.callback()
def _group() -> None:
    pass


@app.command(
    "make",
    epilog=example("pairs make --a base --b pocket-sft --prompts questions.txt --project first"),
)
def make(
    a: Annotated[str, typer.Option(metavar="RUN|base", help="Whose answers stand on one side.")],
    b: Annotated[str, typer.Option(metavar="RUN|base", help="Whose answers stand on the other.")],
    project: Annotated[str, typer.Option(help="Labelling project; made when it is new.")],
    prompts: Prompts = None,
    prompt: Prompt = None,
    limit: Limit = None,
    model: Annotated[
        str | None, typer.Option(help="The base, where both sides are `base`.")
    ] = None,
    question: Annotated[str | None, typer.Option(help="What is asked of the judges.")] = None,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Leave out prompts that either learned from.")
    ] = False,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    max_new_tokens: NewTokens = 128,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Let two models answer the same prompts, and queue the pairs for blind labelling."""
    asked = _asked(prompts, prompt, limit)
    sampling = sampling_of(
        temperature=temperature, top_p=top_p, max_new_tokens=max_new_tokens, seed=seed
    )
    with Terminal(as_json) as out:
        columns = _columns(out, a, b, model, sampling)
        from studio.labels import DEFAULT_QUESTION
        from studio.labels.pair_generation import write_pairs
        from studio.workflows import rounds

        if held_out:
            learned = [out.studio.runs.get(side) for side in (a, b) if side != "base"]
            asked = rounds.held_out(out.studio, learned, asked)
        made_by = {"door": "shell", "prompts": str(prompts or "given")}
        with out.progress("Loading the model") as report:
            items, aside = write_pairs(
                out.studio.generate, out.studio.runs, columns, asked, sampling, report, made_by
            )
        labels = out.studio.labels
        known = {found.name: found for found in labels.projects()}
        chosen = known.get(project) or labels.create_project(project, question or DEFAULT_QUESTION)
        added = labels.add_items(chosen.id, items)
        aside = dict(Counter(aside) + Counter(added.set_aside))
        left = "".join(f", {count:,} set aside: {reason}" for reason, count in aside.items())
        out.result(
            {
                "project": chosen.name,
                "project_id": chosen.id,
                "added": added.added,
                "set_aside": aside,
            },
            f"{chosen.name}: {added.added:,} pairs added{left}",
        )


def _asked(
    path: Path | None, given: list[str] | None, limit: int | None
) -> list[list[dict[str, str]]]:
    """The prompts to answer, from the file and from the command line."""
    if path is None and not given:
        raise ConfigError("No prompts are given; add --prompts FILE or --prompt TEXT.")
    asked = read_prompts(path) if path is not None else []
    asked += [[{"role": "user", "content": text}] for text in given or []]
    return asked[:limit]


def sampling_of(**values: Any) -> Sampling:
    """Sampling from options; a sentence names the option that is out of range."""
    from pydantic import ValidationError

    from studio.generation.request import Sampling

    try:
        return Sampling(**values)
    except ValidationError as error:
        issue = error.errors()[0]
        name = str(issue["loc"][0]).replace("_", "-")
        raise ConfigError(f"--{name} cannot be {issue['input']}: {issue['msg']}.") from None


def _columns(
    out: Terminal, a: str, b: str, model: str | None, sampling: Sampling
) -> tuple[Column, Column]:
    """Both sides' models; `base` is the other side's base. One model is told apart by its seeds."""
    from studio.generation.request import Column
    from studio.labels.pair_generation import check_columns

    runs = [None if side == "base" else out.studio.runs.get(side) for side in (a, b)]
    named = next((run.model for run in runs if run is not None), model or "pocket")
    columns = []
    for side, (name, run) in enumerate(zip((a, b), runs, strict=True)):
        own = sampling.model_copy(update={"seed": sampling.seed + side}) if a == b else None
        label = run.name if run else name
        columns.append(
            Column(run.model if run else named, run.id if run else None, label, sampling=own)
        )
    check_columns(columns, sampling)
    return columns[0], columns[1]


def _answers(out: Terminal, generation: Generation) -> list[list[str]]:
    """Wait for every answer, with a bar; the first error ends the command."""
    cells = len(generation.request.columns) * len(generation.request.prompts)
    with out.progress("Loading the model") as report:

        def tell(seen: Snapshot) -> None:
            if not seen.waiting:
                report(seen.ended, cells, f"Answering, {seen.tokens_per_second:.0f} tokens/s")

        seen = generation.watch(tell)
    if seen.failure:
        raise ModelError(seen.failure)
    return [[cell.text for cell in column] for column in seen.answers]


def _plain(turns: list[dict[str, str]]) -> str | list[dict[str, str]]:
    """A single question as text; several turns as messages."""
    return turns[0]["content"] if len(turns) == 1 and turns[0]["role"] == "user" else turns
