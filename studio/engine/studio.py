"""`Studio`: one workspace with everything in it, for the page, the shell and Python alike."""

from __future__ import annotations

import functools
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from studio.core import cards, chat_templates
from studio.core.errors import ConfigError
from studio.core.hardware import Hardware, detect, memory_now
from studio.core.jobs import Job
from studio.core.library_types import Tokenizer
from studio.core.messages import Message
from studio.core.model_names import resolve
from studio.core.workspace import Workspace
from studio.core.zerogpu import only_cpu
from studio.data import DatasetStore, PreparedDataset
from studio.engine import recipe_checks, run_data
from studio.engine.hosted_runs import HostedRuns
from studio.engine.library import Library
from studio.engine.run_backup import RunBackup, run_backup_for
from studio.engine.worker import Worker
from studio.evaluation import ScoreRequest, Scoring
from studio.exports import Exporting, ExportRequest
from studio.generation import zerogpu
from studio.generation.request import Column, Generation, GenerationRequest, Sampling, Snapshot
from studio.labels import LabelStore
from studio.labels.pair_generation import PairMaker
from studio.labels.votes_backup import VotesBackup, votes_backup_for
from studio.runs.recipe import Recipe
from studio.runs.reward_runs import resolve_reward_runs
from studio.runs.store import RESUMABLE, Run, RunStore
from studio.training.train_dataset import check_mixture, check_trackers

if TYPE_CHECKING:
    from studio.evaluation.token_logprobs import AnswerReading
    from studio.models.pool import ModelPool
    from studio.rewards import RewardResult


@dataclass(frozen=True)
class Status:
    """What the status strip shows; memory in bytes."""

    device: str = "CPU"
    memory_used: int = 0
    memory_total: int = 0
    resident: list[str] = field(default_factory=list)
    ready: bool = False
    loading_note: str = ""
    run: Run | None = None
    queued: int = 0


class Studio:
    """The engine. Cheap to make; torch loads in its worker's thread when first needed.

    Args:
        home: the workspace folder; `$STUDIO_HOME` or the user's data directory by default.
    """

    def __init__(self, home: str | os.PathLike[str] | None = None):
        # OpenMP threads that spin while they wait starve one another when a browser shares the
        # cores: passive waiting was measured 4 to 7 times faster on two busy ones. Read once, when
        # torch loads, so it is said here.
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        self.workspace = Workspace(home)
        self.datasets = DatasetStore(self.workspace)
        self.runs = RunStore(self.workspace)
        self.worker = Worker(self.workspace, self.datasets, self.runs)
        self.pairs = PairMaker(
            self.workspace, lambda: self.labels, self.runs, self.generate, self.read_answer
        )
        self._tokenizers: dict[str, Tokenizer] = {}

    @functools.cached_property
    def labels(self) -> LabelStore:
        """Labelling projects and votes."""
        return LabelStore(self.workspace.votes_url)

    @functools.cached_property
    def collection(self) -> Library:
        """Bases, runs and exports with what they came from, what they hold and what needs them."""
        return Library(self.workspace, self.runs, self.datasets)

    @functools.cached_property
    def votes_backup(self) -> VotesBackup | None:
        """The votes' backup on the Hub, None unless `STUDIO_VOTES_REPO` is set."""
        return votes_backup_for(self.labels, self.workspace.home)

    @functools.cached_property
    def run_backup(self) -> RunBackup | None:
        """The backup of runs and data on the Hub, None unless `STUDIO_RUNS_REPO` is set."""
        return run_backup_for(self.workspace, self.runs)

    # --- life

    def warm_up(self) -> None:
        """Load the heavy libraries behind the page, and take up runs and pairs left undone."""
        self.worker.start()
        self.runs.empty_trash()
        self.hosted.pick_up()
        self.worker.take_up()
        self.pairs.start()
        for backup in filter(None, (self.votes_backup, self.run_backup)):
            backup.start()

    def close(self) -> None:
        """Stop the run in progress with everything saved, and end the worker."""
        self.pairs.close()
        self.hosted.close()
        self.worker.close()
        for backup in filter(None, (self.votes_backup, self.run_backup)):
            backup.close()

    def hardware(self) -> Hardware:
        return detect()

    def status(self, runs: Sequence[Run] | None = None) -> Status:
        """Cheap enough for every second; imports nothing heavy. Lists `runs` if not given."""
        used, total = memory_now()
        listed = self.runs.list() if runs is None else runs
        live = [run for run in listed if run.state in ("running", "stopping")]
        run = live[0] if live else None
        if run is not None and self.runs.stop_asked(run):
            run = replace(run, state="stopping")
        return Status(
            device=device_label(),
            memory_used=used,
            memory_total=total,
            resident=self.worker.resident(),
            ready=self.worker.ready,
            loading_note=self.worker.loading,
            run=run,
            queued=len(self.worker.queued),
        )

    # --- training

    def dataset_for(self, name: str) -> PreparedDataset:
        """A prepared dataset by id or name; a shipped sample, file or Hub id is prepared first."""
        return run_data.dataset_for(self.datasets, name)

    @functools.cached_property
    def hosted(self) -> HostedRuns:
        """Runs on the Hub's machines."""
        return HostedRuns(self.runs, self.datasets, self.worker)

    def datasets_for(self, recipe: Recipe) -> list[PreparedDataset]:
        """The datasets of a recipe, in order; prepared first where they are not yet."""
        return run_data.datasets_for(self.datasets, recipe)

    def train(
        self, recipe: Recipe, provenance: dict[str, Any] | None = None, on: str | None = None
    ) -> Run:
        """Queue a run; refused before anything loads when it cannot work.

        Returns at once; follow it with `runs.get(id)` and `Run.events`.

        Args:
            on: a flavor of HF Jobs, such as a10g-small, to train there instead of here.
        """
        if on is None:
            zerogpu.refuse_training()
        recipe_checks.check_model(recipe)
        prepared = self.datasets_for(recipe)
        check_mixture(recipe, prepared)
        data = run_data.record(recipe, prepared)
        recipe = recipe_checks.check_rewards(recipe, self.runs)
        recipe_checks.check_teacher(recipe, self.worker, self.runs)
        check_trackers(recipe)
        if on is None:
            recipe_checks.check_here(recipe, self.worker)
        recipe = recipe_checks.continued(recipe, self.runs)
        if not recipe.name:
            recipe = recipe.with_(name=self.runs.free_name(recipe.usual_name()))
        job = None if on is None else self._hosted_job(recipe, on)
        run = self.runs.create(recipe, provenance, job)
        run = self.runs.update(run.id, data=data)
        if job is None:
            self.worker.enqueue(run.id)
        else:
            self.hosted.begin(run)
        return self.runs.get(run.id)

    def _hosted_job(self, recipe: Recipe, flavor: str) -> dict[str, Any]:
        """What a run keeps of its job; refused where a job cannot train this recipe."""
        self.worker.settle()
        from studio.training.export_config import refusal

        if why := refusal(recipe, self.runs, "job"):
            raise ConfigError(f"This recipe cannot train as a job: {why}.")
        return self.hosted.check(flavor)

    def stop(self, run: str, now: bool = False) -> Run:
        """Stop after the current step with everything saved, or at once; or take off the queue."""
        stopped = self.runs.stop(run, now)
        self.worker.take_off(stopped.id)
        return stopped

    def move(self, run: str, by: int) -> list[str]:
        """Move a waiting run so many places in the queue (negative: sooner); the new order."""
        return self.worker.move(self.runs.get(run).id, by)

    def resume(self, name: str) -> Run:
        """Queue a stopped, interrupted or failed run again, from its newest complete checkpoint."""
        run = self.runs.get(name)
        if run.state not in RESUMABLE:
            raise ConfigError(f"{run.name} is {run.state}, so there is nothing to resume.")
        if run.job:
            self.hosted.begin(run)
        else:
            self.worker.enqueue(run.id)
        return self.runs.get(run.id)

    def wait(
        self,
        run_id: str,
        on_event: Callable[[dict[str, Any]], None] | None = None,
        poll: float = 0.2,
    ) -> Run:
        """Follow a run to its end, handing every event on."""
        offset = 0
        while True:
            run = self.runs.get(run_id)
            events, offset = run.events(offset)
            for event in events:
                if on_event:
                    on_event(event)
            if not run.live and not events:
                return run
            time.sleep(poll)

    # --- generation

    def generate(self, request: GenerationRequest) -> Generation:
        """Start answering; returns a live handle at once. `ConfigError` for a prompt too long."""
        request.check()
        generation = Generation(request)
        elsewhere = [at for at, column in enumerate(request.columns) if column.endpoint]
        generation.parts = len(elsewhere) + (len(elsewhere) < len(request.columns))
        if elsewhere:
            from studio.generation import openai_endpoint

            openai_endpoint.start(generation, elsewhere)
        if len(elsewhere) < len(request.columns):

            def work(pool: ModelPool) -> Snapshot:
                from studio.generation.engine import generate

                generate(generation, pool, self.runs)
                return generation.snapshot()

            self.worker.submit(work, generation)
        return generation

    def score(self, request: ScoreRequest) -> Scoring:
        """Start scoring columns on rows; `result()` is the report."""
        scoring = Scoring(request.checked())

        def work(pool: ModelPool) -> dict[str, Any]:
            from studio.evaluation.evaluate import score

            return score(scoring, pool, self.runs)

        self.worker.submit(work, scoring)
        return scoring

    def reward(
        self,
        rewards: Sequence[str],
        weights: Sequence[float] | None,
        prompts: Sequence[list[Message]],
        answers: Sequence[str],
        known: Sequence[Mapping[str, Sequence[str]]] | None = None,
        rubric: str = "",
    ) -> Job[list[RewardResult]]:
        """Score answers; `result()` holds one `RewardResult` per answer.

        Args:
            known: the references of each answer, by column.
            rubric: what a judge rates by.
        """
        texts = resolve_reward_runs(rewards, self.runs)

        def work(pool: ModelPool) -> list[RewardResult]:
            from studio.generation import judge_reward
            from studio.models.reward_model import loaded

            ask = judge_reward.ask_here(pool, self.runs)
            budget, cache = judge_reward.BUDGET, self.workspace.cache
            judges = judge_reward.scorers(texts, rubric, budget, self.runs, ask, cache)
            mix = loaded(texts, weights, pool, self.runs, judges)
            return mix.grade(prompts, answers, known or [{}] * len(answers))

        return self.worker.submit(work)

    def export(self, request: ExportRequest) -> Exporting:
        """Start writing a run's result for use elsewhere.

        `result()` is the export's record, once the export is verified and in its place.
        """
        self.runs.get(request.run)
        exporting = Exporting(request.checked())

        def work(pool: ModelPool) -> dict[str, Any]:
            from studio.exports.export_run import make

            return make(exporting, self.runs, self.datasets, pool)

        self.worker.submit(work, exporting)
        return exporting

    def read_answer(
        self,
        columns: Sequence[Column],
        prompt: list[Message] | str,
        answer: str | tuple[int, ...],
        raw: bool = False,
    ) -> Job[AnswerReading]:
        """An answer token by token under every column; `result()` is an `AnswerReading`."""

        def work(pool: ModelPool) -> AnswerReading:
            from studio.evaluation.token_logprobs import read_answer

            return read_answer(columns, prompt, answer, pool, self.runs, raw)

        return self.worker.submit(work)

    def compare(
        self, run_id: str, prompts: Sequence[list[Message] | str], sampling: Sampling | None = None
    ) -> Generation:
        """A run's base and its result side by side, over prompts, from one copy of the weights."""
        run = self.runs.get(run_id)
        columns = (Column(run.model, label="base"), Column(run.model, run.id, label=run.name))
        request = GenerationRequest(tuple(prompts), columns, sampling or Sampling())
        return self.generate(request)

    def tokenizer(self, model: str, template: str | None = None) -> Tokenizer:
        """A model's tokenizer with its chat template (or another one), kept; for rendering rows."""
        if model not in self._tokenizers:
            from studio.models.loading import load_tokenizer

            self._tokenizers[model] = load_tokenizer(resolve(model))
        return chat_templates.with_chat_template(self._tokenizers[model], template)


def device_label() -> str:
    """The device's name; the GPU's once torch is loaded, never importing it."""
    if only_cpu():
        return "ZeroGPU"
    torch = sys.modules.get("torch")
    try:
        if torch is not None and torch.cuda.is_available():
            return torch.cuda.get_device_name(cards.in_use())
    except (AttributeError, RuntimeError):
        pass  # the worker is still importing it
    return "CPU"
