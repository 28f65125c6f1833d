"""`generate` and `pairs make`: answers of a base and its tuned models, to read or to label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from studio.commands.base import Json, OnProgress, Param, RunName, command, silent
from studio.commands.prompts import (
    PromptFile,
    Prompts,
    TemplateKwargs,
    Tools,
    collect_prompts,
    with_options,
)
from studio.core.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from studio.core.messages import Message
    from studio.engine.studio import Studio
    from studio.generation.request import Answer, Column, Sampling, Snapshot

Temperature = Annotated[float, Param("Sampling temperature; 0 is greedy.", min=0, max=5)]
TopP = Annotated[float, Param("Sample from this share of the probability.", max=1)]
TopK = Annotated[int, Param("Sample from this many tokens; 0: all.", min=0)]
MinP = Annotated[
    float, Param("Drop tokens below this share of the likeliest one's probability.", min=0, max=1)
]
Penalty = Annotated[float, Param("Repetition penalty; 1: none.")]
NewTokens = Annotated[int, Param("Longest answer in tokens.", min=1, max=8192)]
Cache = Annotated[
    Literal["dynamic", "static"],
    Param("Static: room for all tokens at once; on a CUDA GPU the decoding step is compiled."),
]
Seed = Annotated[int, Param("Random seed; the same seed gives the same answers.", min=0)]
PromptLimit = Annotated[int | None, Param("Use at most this many prompts.", min=1)]


@command(read_only=True)
def generate(
    studio: Studio,
    *,
    run: RunName,
    prompts: PromptFile = None,
    prompt: Prompts = None,
    limit: PromptLimit = None,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    top_k: TopK = 0,
    min_p: MinP = 0.0,
    repetition_penalty: Penalty = 1.0,
    max_new_tokens: NewTokens = 128,
    cache_implementation: Cache = "dynamic",
    seed: Seed = 0,
    tools: Tools = None,
    chat_template_kwargs: TemplateKwargs = None,
    on_progress: OnProgress = silent,
) -> list[Json]:
    """Answer prompts with a run's base and its tuned model.

    What a model thought before its answer is printed apart, and said to be cut off where it is.
    """
    asked = with_options(collect_prompts(prompts, prompt, limit), tools, chat_template_kwargs)
    sampling = sampling_of(locals())
    on_progress(0, None, "Loading the model")

    def tell(seen: Snapshot) -> None:
        if not seen.waiting:
            text = f"Answering, {seen.tokens_per_second:.0f} tokens/s"
            on_progress(seen.ended, 2 * len(asked), text)

    seen = studio.compare(run, asked, sampling).watch(tell)
    if seen.failure:
        raise ModelError(seen.failure)
    return [
        {"prompt": _plain(messages), "base": base.text, "tuned": tuned.text}
        | _thoughts({"base": base, "tuned": tuned})
        for messages, base, tuned in zip(asked, *seen.answers, strict=True)
    ]


def _thoughts(cells: Mapping[str, Answer]) -> Json:
    """What each thought, and which of them did not come to an answer."""
    found = {f"{name}_reasoning": cell.reasoning for name, cell in cells.items() if cell.reasoning}
    return found | {f"{name}_cut_thought": True for name, cell in cells.items() if cell.cut_thought}


def _plain(messages: list[Message]) -> str | list[Message]:
    """A single question as text, anything longer as messages."""
    only = len(messages) == 1 and messages[0]["role"] == "user"
    return messages[0]["content"] if only else messages


def sampling_of(values: Mapping[str, Any]) -> Sampling:
    """The sampling among a command's values; a `ConfigError` names the one out of range."""
    from pydantic import ValidationError

    from studio.commands.base import first_problem
    from studio.generation.request import Sampling

    try:
        return Sampling(**{name: values[name] for name in Sampling.model_fields.keys() & values})
    except ValidationError as error:
        raise ConfigError(first_problem(error)) from None


@command()
def pairs_make(
    studio: Studio,
    *,
    a: Annotated[str, Param("First model: a run, or `base`.", metavar="RUN|base")],
    b: Annotated[str, Param("Second model: a run, or `base`.", metavar="RUN|base")],
    project: Annotated[str, Param("Labeling project; created if it does not exist.")],
    prompts: PromptFile = None,
    prompt: Prompts = None,
    limit: PromptLimit = None,
    model: Annotated[str | None, Param("The base model, where both sides are `base`.")] = None,
    question: Annotated[str | None, Param("Question to the annotators.")] = None,
    held_out: Annotated[
        bool, Param("Leave out prompts that either run was trained on by votes.")
    ] = False,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    max_new_tokens: NewTokens = 128,
    seed: Seed = 0,
    tools: Tools = None,
    chat_template_kwargs: TemplateKwargs = None,
    on_progress: OnProgress = silent,
    provenance: Json | None = None,
) -> Json:
    """Let two models answer the same prompts, for blind labeling.

    The pairs are added to a project; identical, empty and known ones are set aside.
    """
    from studio.labels import DEFAULT_QUESTION
    from studio.labels.pair_generation import write_pairs
    from studio.workflows import rounds

    asked = with_options(collect_prompts(prompts, prompt, limit), tools, chat_template_kwargs)
    sampling = sampling_of(locals())
    columns = _columns(studio, a, b, model, sampling)
    if held_out:
        trained = [studio.runs.get(side) for side in (a, b) if side != "base"]
        asked = rounds.held_out(studio, trained, asked)
    made_by = {**(provenance or {}), "prompts": str(prompts or "given")}
    on_progress(0, None, "Loading the model")
    items, aside = write_pairs(
        studio.generate, studio.runs, columns, asked, sampling, on_progress, made_by
    )
    labels = studio.labels
    known = {found.name: found for found in labels.projects()}
    chosen = known.get(project) or labels.create_project(project, question or DEFAULT_QUESTION)
    added = labels.add_items(chosen.id, items)
    return {
        "project": chosen.name,
        "project_id": chosen.id,
        "added": added.added,
        "set_aside": dict(Counter(aside) + Counter(added.set_aside)),
    }


def _columns(
    studio: Studio, a: str, b: str, model: str | None, sampling: Sampling
) -> tuple[Column, Column]:
    """Both sides' models; `base` is the other side's base. A model paired with itself gets two
    seeds."""
    from studio.generation.request import Column
    from studio.labels.pair_generation import check_columns

    runs = [None if side == "base" else studio.runs.get(side) for side in (a, b)]
    base = next((run.model for run in runs if run is not None), model or "pocket")
    columns = []
    for at, (name, run) in enumerate(zip((a, b), runs, strict=True)):
        own = sampling.model_copy(update={"seed": sampling.seed + at}) if a == b else None
        label = run.name if run else name
        columns.append(
            Column(run.model if run else base, run.id if run else None, label, sampling=own)
        )
    check_columns(columns, sampling)
    return columns[0], columns[1]
