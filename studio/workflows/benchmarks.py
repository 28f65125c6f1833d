"""lm-eval's benchmarks on a base and its runs: what was gained, what was lost, and how surely.

    job = run(studio, columns, ("gsm8k", "arc_easy"), rows=100)

lm-eval runs in an environment of its own: the Python that `STUDIO_LM_EVAL` names, or this one where
it is installed. It prepares prompts and judges answers; the studio answers, on its resident base.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from studio.core import children
from studio.core.errors import ConfigError, ModelError
from studio.core.jobs import Job, Report
from studio.core.json_values import loads
from studio.evaluation import benchmarks
from studio.evaluation.benchmarks import BENCHMARKS
from studio.generation.request import LONGEST_STOP, MOST_STOPS, Column, GenerationRequest, Sampling

if TYPE_CHECKING:
    from studio.engine.studio import Studio

VARIABLE = "STUDIO_LM_EVAL"
VERSION = "0.4.13"
_PROGRAM = Path(benchmarks.__file__).with_name("harness_child.py")
_USUAL_TOKENS = 256  # of an answer, where a task names none, as in lm-eval
_HUB = (
    "HOME",
    "HF_HOME",
    "HF_HUB_CACHE",
    "HF_HUB_OFFLINE",
    "HF_DATASETS_OFFLINE",
    "HF_ENDPOINT",
    "NLTK_DATA",
    "SSL_CERT_FILE",
    "HTTPS_PROXY",
)
"""Where it finds datasets; the studio's keys and tokens stay here."""
Benchmarking = Job[dict[str, Any]]


def python() -> str:
    """The Python that has lm-eval; `ConfigError` with what to install where there is none."""
    named = os.environ.get(VARIABLE, "").strip()
    if named:
        if not Path(named).is_file():
            raise ConfigError(f"{VARIABLE} names {named}, and there is no such file.")
        return named
    if importlib.util.find_spec("lm_eval") is not None:
        return sys.executable
    raise ConfigError(
        "The benchmarks need lm-eval, in an environment of its own: python -m venv lm-eval, "
        f"lm-eval/bin/pip install 'lm-eval[ifeval]=={VERSION}', then start the studio with "
        f"{VARIABLE}=lm-eval/bin/python."
    )


def run(
    studio: Studio,
    columns: Sequence[Column],
    names: Sequence[str] = (),
    rows: int = benchmarks.USUAL_ROWS,
    data: str | None = None,
) -> Benchmarking:
    """Start the benchmarks `names` (all for none) on the first `rows` rows of each.

    Args:
        columns: the base first; the others are compared with it.
        data: a folder with `NAME.jsonl` in the shape of the benchmark's dataset (and
            `NAME_fewshot.jsonl` for its examples), in place of the Hub's.

    `result()` has `version` (lm-eval's), `rows` and `benchmarks`, see `benchmarks.report`.
    """
    chosen, program = benchmarks.checked(names), python()
    if data is not None and not Path(data).expanduser().is_dir():
        raise ConfigError(f"There is no folder {data} with rows of benchmarks.")
    if any(column.endpoint for column in columns):
        raise ConfigError("A model served elsewhere gives no log-likelihoods; leave it out.")
    order = {
        "tasks": chosen,
        "limit": rows,
        "data": str(Path(data).expanduser().resolve()) if data else None,
        "generated": [name for name in chosen if BENCHMARKS[name].generated],
    }

    def work(report: Report) -> dict[str, Any]:
        found, version = [], "unknown"
        for at, column in enumerate(columns):
            child = _Child(studio, column, report, at * len(chosen), len(columns) * len(chosen))
            values, version = child.values(program, order)
            found.append(values)
        labels = [column.label or column.run or column.model for column in columns]
        told = benchmarks.report(labels, found)
        return {"version": version, "limit": rows, "data": data, "benchmarks": told}

    return Benchmarking(kind="benchmark").start(work)


class _Child:
    """lm-eval over one column: its questions go to the studio's worker."""

    def __init__(self, studio: Studio, column: Column, report: Report, done: int, total: int):
        self.studio, self.column = studio, column
        self.report, self.done, self.total = report, done, total

    def values(self, program: str, order: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
        """Every row's metrics by benchmark, and lm-eval's version."""
        given = {name: os.environ[name] for name in (*children.NEEDED, *_HUB) if name in os.environ}
        if program != sys.executable:  # not this environment's packages
            given = {
                name: value
                for name, value in given.items()
                if name not in ("PYTHONPATH", "VIRTUAL_ENV")
            }
        with tempfile.TemporaryFile("w+", errors="replace") as said:
            child = subprocess.Popen(
                [program, "-P", str(_PROGRAM)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env=given,
                start_new_session=True,
            )
            assert child.stdin is not None and child.stdout is not None
            try:
                return self._talk(order, child.stdin, child.stdout, said)
            finally:
                child.kill()
                child.wait()
                for pipe in (child.stdin, child.stdout):
                    with contextlib.suppress(BrokenPipeError):
                        pipe.close()

    def _talk(
        self, order: Mapping[str, Any], to: IO[str], answers: IO[str], said: IO[str]
    ) -> tuple[dict[str, Any], str]:
        self._tell("lm-eval starts")
        to.write(json.dumps(order) + "\n")
        to.flush()
        for line in answers:
            told: Any = loads(line) or {}
            if "ask" in told:
                ask = self._generated if told["ask"] == "generate_until" else self._likelihoods
                to.write(json.dumps({"answers": ask(told["items"])}) + "\n")
                to.flush()
            elif "done" in told:
                self.done += 1
                self._tell(f"{BENCHMARKS[told['done']].label} done")
            elif "values" in told:
                return told["values"], str(told["version"])
            else:
                raise ModelError(f"lm-eval ended with {told.get('error', 'no word')}.")
        said.seek(0)
        last = (said.read().strip().splitlines() or ["without a word"])[-1]
        raise ModelError(f"lm-eval ended before its result: {last[:300]}.")

    def _tell(self, what: str) -> None:
        self.report(self.done, self.total, f"{self.column.label or self.column.model}, {what}")

    def _likelihoods(self, items: list[list[str]]) -> list[Any]:
        job: Job[list[Any]] = Job(kind="benchmark")

        def work(pool: Any) -> list[Any]:
            from studio.evaluation.continuations import likelihoods

            read = 0

            def step(count: int) -> None:
                nonlocal read
                read += count
                self._tell(f"{read:,} of {len(items):,} choices")

            pairs = [(context, continuation) for context, continuation in items]
            return likelihoods(self.column, pairs, pool, self.studio.runs, step)

        self.studio.worker.submit(work, job)
        return job.result()

    def _generated(self, items: list[list[Any]]) -> list[str]:
        """Answers to chats, cut at the task's own words; one generation for each way to sample."""
        found = [""] * len(items)
        for settings in {json.dumps(kwargs, sort_keys=True) for _, kwargs in items}:
            places = [
                at
                for at, (_, kwargs) in enumerate(items)
                if json.dumps(kwargs, sort_keys=True) == settings
            ]
            given: dict[str, Any] = json.loads(settings)
            prompts = tuple(json.loads(items[at][0]) for at in places)
            for at, text in zip(places, self._answers(prompts, given), strict=True):
                found[at] = text
        return found

    def _answers(self, prompts: tuple[Any, ...], given: Mapping[str, Any]) -> list[str]:
        until = given.get("until") or []
        until = [stop for stop in ([until] if isinstance(until, str) else until) if stop]
        sampling = Sampling(
            max_new_tokens=int(given.get("max_gen_toks") or _USUAL_TOKENS),
            stop_strings=tuple(stop for stop in until if len(stop) <= LONGEST_STOP)[:MOST_STOPS],
        )
        generation = self.studio.generate(GenerationRequest(prompts, (self.column,), sampling))
        try:
            while not generation.wait(0.2):
                self._tell(f"{generation.snapshot().ended:,} of {len(prompts):,} answers")
        finally:
            generation.cancel()
        snapshot = generation.snapshot()
        if snapshot.failure:
            raise ModelError(snapshot.failure)
        return [cut(answer.text, until) for answer in snapshot.answers[0]]


def cut(text: str, until: Sequence[str]) -> str:
    """A text up to the first of some words."""
    ends = [at for stop in until if (at := text.find(stop)) >= 0]
    return text[: min(ends)] if ends else text


def keep(studio: Studio, found: Mapping[str, Any]) -> Path:
    """Write a report into the workspace; its path."""
    from studio.core.workspace import secret_id, write_json

    path = studio.workspace.comparisons / f"{secret_id('benchmark')}.json"
    write_json(path, dict(found) | {"time": time.time()})
    return path
