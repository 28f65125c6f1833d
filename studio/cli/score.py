"""`score`: figures with intervals for a base and its tuned models, on rows with known answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.generate import (
    Limit,
    MinP,
    NewTokens,
    Penalty,
    Seed,
    Temperature,
    TopK,
    TopP,
    sampling_of,
)
from studio.cli.output import Json, Terminal, table
from studio.cli.progress import watch
from studio.core.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from studio.generation.request import Column
    from studio.runs.store import Run


def score(
    run: Annotated[list[str], typer.Option(help="Finished run, by id or name; repeatable.")],
    data: Annotated[
        str, typer.Option(help="A file, sample or Hub id, or a prepared dataset (held-out rows).")
    ],
    metrics: Annotated[
        str | None, typer.Option(help="Names with commas between; all that suit the rows if none.")
    ] = None,
    extractor: Annotated[
        str,
        typer.Option(
            help="What of an answer is compared: text, first-line, number, gsm8k or regex:PATTERN."
        ),
    ] = "text",
    pattern: Annotated[
        str | None, typer.Option(help="What the metric `regex` looks for in an answer.")
    ] = None,
    reward: Annotated[
        list[str] | None,
        typer.Option(help="What the metric `reward` gives: a rule or model:RUN; repeatable."),
    ] = None,
    checkpoints: Annotated[
        bool, typer.Option(help="Score every checkpoint that the run keeps as well.")
    ] = False,
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
    """Score a base and its tuned models on rows with known answers.

    Every figure has a 95 % interval over prompts; tuned columns are also given as differences
    from the base on the same rows. Metrics: loss, perplexity, token_accuracy,
    preference_accuracy, reward_accuracy, reward_margin, choice_accuracy, exact_match,
    numeric_match, contains, regex, rouge_l, length, repeated_4grams, distinct_2, empty_rate,
    refusal_rate, kl_from_base, and reward where --reward says what is rewarded. What was
    forgotten: perplexity on a file of general text.
    """
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
        from studio.evaluation import ScoreRequest, load_rows
        from studio.evaluation.over_checkpoints import over_steps
        from studio.evaluation.request import usual_metrics
        from studio.runs.reward_runs import resolve_reward_runs

        runs = [out.studio.runs.get(name) for name in run]
        if checkpoints and len(runs) > 1:
            raise ConfigError("--checkpoints follows one run; name a single --run.")
        columns, steps = over_steps(runs[0]) if checkpoints else (_columns(runs), ())
        rows = load_rows(out.studio.datasets, data, limit)
        names = [name.strip() for name in (metrics or "").split(",") if name.strip()]
        wanted = tuple(names) or usual_metrics(rows)
        if reward and "reward" not in wanted:
            wanted = (*wanted, "reward")
        request = ScoreRequest(
            columns,
            rows,
            wanted,
            sampling,
            extractor,
            pattern,
            rewards=resolve_reward_runs(reward or (), out.studio.runs),
            steps=steps,
        )
        result = watch(out, out.studio.score(request))
        out.result(result, _text(result))
        failed = [found["error"] for found in result["columns"] if found["error"]]
    if failed:
        raise ModelError(failed[0])


def _columns(runs: list[Run]) -> tuple[Column, ...]:
    """The base that the runs share, then each of them."""
    from studio.generation.request import Column

    models = {run.model for run in runs}
    if len(models) > 1:
        raise ConfigError(f"The runs stand on different bases ({', '.join(sorted(models))}).")
    tuned = (Column(run.model, run.id, label=run.name) for run in runs)
    return Column(runs[0].model, label="base"), *tuned


def _text(result: dict[str, Any]) -> str:
    """A line a metric: each column's figure with its interval, then the differences."""
    columns = result["columns"]
    names = list(dict.fromkeys(name for column in columns for name in column["metrics"]))
    rows = [
        [
            name,
            *(_figure(column["metrics"].get(name)) for column in columns),
            *(_figure(each["metrics"].get(name), signed=True) for each in result["differences"]),
        ]
        for name in names
    ]
    header = ["metric", *(column["label"] for column in columns)]
    header += [f"{each['a']} - {each['b']}" for each in result["differences"]]
    return f"{result['data']}: {result['rows']:,} rows\n\n{table(rows, header)}"


def _figure(found: dict[str, Any] | None, signed: bool = False) -> str | None:
    if not found or found["value"] is None:
        return None
    sign = "+" if signed else ""
    value = f"{found['value']:{sign}.4g}"
    if found["low"] is None:
        return value
    return f"{value} [{found['low']:{sign}.3g}, {found['high']:{sign}.3g}]"
