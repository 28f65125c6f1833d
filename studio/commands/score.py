"""`score`: metrics with intervals for a base and its tuned models, on rows with known answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from studio.commands.base import Json, Limit, OnProgress, Param, command, silent, wait_for
from studio.commands.generate import (
    MinP,
    NewTokens,
    Penalty,
    Seed,
    Temperature,
    TopK,
    TopP,
    sampling_of,
)
from studio.commands.prompts import TemplateKwargs, Tools, asking_of
from studio.core.errors import ConfigError

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.generation.request import Column
    from studio.runs.store import Run


@command(read_only=True)
def score(
    studio: Studio,
    *,
    run: Annotated[list[str], Param("A finished run, by id or name; repeatable.")],
    data: Annotated[
        str | None,
        Param("A file, a shipped sample, a Hub id or a prepared dataset; not with suite."),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        Param("Names separated by commas; default: all that suit the rows.", commas=True),
    ] = None,
    extractor: Annotated[
        str, Param("What to compare: text, first-line, number, gsm8k or regex:PATTERN.")
    ] = "text",
    pattern: Annotated[str | None, Param("Pattern of the metric `regex`.")] = None,
    reward: Annotated[
        list[str] | None, Param("Reward of the metric `reward`: a rule or model:RUN; repeatable.")
    ] = None,
    checkpoints: Annotated[bool, Param("Also score every checkpoint that the run keeps.")] = False,
    limit: Limit = None,
    suite: Annotated[
        list[str] | None,
        Param(
            "lm-eval's benchmarks in place of data, names separated by commas or all: ifeval, "
            "gsm8k, arc_easy, arc_challenge, hellaswag, mmlu; limit rows of each, 100 by default.",
            commas=True,
        ),
    ] = None,
    suite_data: Annotated[
        str | None, Param("Folder with NAME.jsonl for each benchmark, in place of the Hub's rows.")
    ] = None,
    temperature: Temperature = 0.0,
    top_p: TopP = 1.0,
    top_k: TopK = 0,
    min_p: MinP = 0.0,
    repetition_penalty: Penalty = 1.0,
    max_new_tokens: NewTokens = 128,
    seed: Seed = 0,
    tools: Tools = None,
    chat_template_kwargs: TemplateKwargs = None,
    on_progress: OnProgress = silent,
) -> Json:
    """Score a base and its tuned models on rows with known answers.

    Every figure has a 95 % interval over prompts; tuned models are also compared with the base on
    the same rows. A prepared dataset is scored on its test split. Metrics: loss, perplexity,
    token_accuracy, preference_accuracy, reward_accuracy, reward_margin, choice_accuracy,
    exact_match, numeric_match, contains, regex, rouge_l, length, repeated_4grams, distinct_2,
    empty_rate, refusal_rate, kl_from_base, and reward (with --reward); where answers call tools
    right_tool, right_arguments and valid_json. Answers are measured without what the model thought
    before them; cut_thoughts is the share that ended within it. To measure forgetting, use
    perplexity on a file of general text, or `suite`: lm-eval's benchmarks, base and runs on the
    same rows. lm-eval is the Python environment that STUDIO_LM_EVAL names.
    """
    from studio.evaluation import ScoreRequest, load_rows
    from studio.evaluation.over_checkpoints import over_steps
    from studio.evaluation.request import usual_metrics
    from studio.runs.reward_runs import resolve_reward_runs

    sampling = sampling_of(locals())
    if (data is None) == (suite is None):
        raise ConfigError("Name either data with rows to score, or a suite of benchmarks.")
    runs = [studio.runs.get(name) for name in run]
    if checkpoints and len(runs) > 1:
        raise ConfigError("checkpoints follows one run; name a single run.")
    if data is None:
        return _benchmarks(studio, runs, suite or [], limit, suite_data, on_progress)
    columns, steps = over_steps(runs[0]) if checkpoints else (_columns(runs), ())
    asking = asking_of(tools, chat_template_kwargs)
    rows = load_rows(studio.datasets, data, limit)
    rows = replace(rows, rows=[asking.row(row) for row in rows.rows])
    wanted = tuple(metrics or ()) or usual_metrics(rows)
    if reward and "reward" not in wanted:
        wanted = (*wanted, "reward")
    request = ScoreRequest(
        columns,
        rows,
        wanted,
        sampling,
        extractor,
        pattern,
        rewards=resolve_reward_runs(reward or (), studio.runs),
        steps=steps,
    )
    return wait_for(studio.score(request), on_progress, "Loading the model")


def _benchmarks(
    studio: Studio,
    runs: list[Run],
    suite: list[str],
    limit: int | None,
    folder: str | None,
    on_progress: OnProgress,
) -> Json:
    from studio.evaluation.benchmarks import USUAL_ROWS
    from studio.workflows import benchmarks

    names = [] if suite == ["all"] else suite
    job = benchmarks.run(studio, _columns(runs), names, limit or USUAL_ROWS, folder)
    found = wait_for(job, on_progress, "lm-eval starts")
    benchmarks.keep(studio, found)
    return found


def _columns(runs: list[Run]) -> tuple[Column, ...]:
    """The base that the runs share, then each of them."""
    from studio.generation.request import Column

    models = {run.model for run in runs}
    if len(models) > 1:
        raise ConfigError(f"The runs have different base models ({', '.join(sorted(models))}).")
    tuned = (Column(run.model, run.id, label=run.name) for run in runs)
    return Column(runs[0].model, label="base"), *tuned
