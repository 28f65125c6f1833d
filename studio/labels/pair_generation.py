"""Pair generation: two columns answer a set of prompts in batches, ahead of the annotators.

A project's plan (`pairs/<project>.json` in the workspace) says which columns answer which prompts,
and its progress. `PairMaker` works through it in a thread, keeps some pairs ready beyond the
farthest annotator, and waits when there are enough. An interrupted batch is generated again with
the same seeds; pairs that were stored already are then set aside as duplicates.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from studio.core.answers import with_thought
from studio.core.errors import ConfigError, DataError, ModelError, StudioError, WorkspaceError
from studio.core.messages import Message, plain, revived
from studio.core.workspace import write_json
from studio.generation.request import Column, Generation, GenerationRequest, Sampling, Snapshot
from studio.labels.answer_source import source_of
from studio.labels.pair_filter import pairs_from_texts
from studio.labels.types import Pair, Project

if TYPE_CHECKING:
    from studio.core.workspace import Workspace
    from studio.labels.store import LabelStore
    from studio.runs.store import RunStore

log = logging.getLogger("studio.pairs")
OnProgress = Callable[[int, int, str], None]
Generate = Callable[[GenerationRequest], Generation]
ReadAnswer = Callable[..., Any]  # `Studio.read_answer`
BATCH = 8  # prompts answered at a time: the first pairs are there within seconds
SORTED_BATCH = 64  # where they are sorted by what they may teach, more at a time
AHEAD = 40  # pairs kept ready beyond whoever has come farthest
_POLL = 1.0


def write_pairs(
    generate: Generate,
    runs: RunStore,
    columns: Sequence[Column],
    prompts: Sequence[list[Message]],
    sampling: Sampling,
    on_progress: OnProgress = lambda done, total, what: None,
    provenance: dict[str, Any] | None = None,
) -> tuple[list[Pair], dict[str, int]]:
    """Let two columns answer prompts: (items, counts set aside by reason).

    `on_progress` gets (answers done, answers in all, what), and may raise `Cancelled`.
    Raises `ModelError` with the sentence of the first column that could not answer.
    """
    total = len(prompts) * len(columns)

    def tell(seen: Snapshot) -> None:
        on_progress(seen.ended, total, "loading the model" if seen.waiting else "writing answers")

    request = GenerationRequest(tuple(prompts), tuple(columns), sampling)
    seen = generate(request).watch(tell)
    if seen.failure:
        raise ModelError(seen.failure)
    first, second = ([cell.written for cell in column] for column in seen.answers)
    sources = [source_of(runs, column, sampling) for column in columns]
    return pairs_from_texts(prompts, first, second, sources[0], sources[1], provenance)


@dataclass(frozen=True)
class PairPlan:
    """Which two columns answer which prompts for a project, and the progress."""

    project: str
    columns: tuple[Column, Column]
    prompts: list[list[Message]]
    sampling: Sampling = field(default_factory=Sampling)
    written: int = 0  # prompts answered
    set_aside: dict[str, int] = field(default_factory=dict[str, int])
    error: str = ""
    ahead: int = AHEAD
    informative: bool = False

    @property
    def done(self) -> bool:
        return self.written >= len(self.prompts)

    def check(self) -> None:
        """`DataError` without prompts, `ConfigError` for columns that must write the same."""
        if not self.prompts:
            raise DataError("There are no prompts to write pairs for; choose a set that has some.")
        check_columns(self.columns, self.sampling)

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""

        def column(given: Column) -> dict[str, Any]:
            own = given.sampling.model_dump(mode="json") if given.sampling else None
            return {**asdict(given), "sampling": own}

        own = {"columns": [column(each) for each in self.columns]}
        prompts = [plain(prompt) for prompt in self.prompts]
        sampling = self.sampling.model_dump(mode="json")
        return {**asdict(self), "sampling": sampling, "prompts": prompts, **own}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> PairPlan:
        def column(each: dict[str, Any]) -> Column:
            own = each.get("sampling")
            return replace(Column(**each), sampling=Sampling.model_validate(own) if own else None)

        first, second = stored["columns"]
        values: dict[str, Any] = {"columns": (column(first), column(second))}
        values["sampling"] = Sampling.model_validate(stored["sampling"])
        values["prompts"] = [revived(prompt) for prompt in stored["prompts"]]
        return cls(**stored | values)


class PairMaker:
    """Works through the plans of a workspace in one thread; see the module's docstring."""

    def __init__(
        self,
        workspace: Workspace,
        labels: Callable[[], LabelStore],
        runs: RunStore,
        generate: Generate,
        read_answer: ReadAnswer,
    ):
        """`labels` opens the vote store when it is first needed."""
        self._labels, self._runs = labels, runs
        self._generate, self._read_answer = generate, read_answer
        self._folder = workspace.home / "pairs"
        self._wake, self._ended = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def begin(self, plan: PairPlan) -> None:
        """Store a plan and start on it; raises what `PairPlan.check` does."""
        plan.check()
        self._folder.mkdir(exist_ok=True)
        self._keep(plan)
        self.start()

    def start(self) -> None:
        """Start the thread where any plan is unfinished; harmless when it runs already."""
        with self._starting:
            self._wake.set()
            alive = self._thread is not None and self._thread.is_alive()
            if not alive and not self._ended.is_set() and any(self._unfinished()):
                self._thread = threading.Thread(target=self._work, name="pairs", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop after the current batch; the next start continues from there."""
        self._ended.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join(10)

    def plan(self, project_id: str) -> PairPlan | None:
        """A project's plan, None where its pairs were not generated here."""
        path = self._folder / f"{project_id}.json"
        try:
            return PairPlan.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WorkspaceError(
                f"{path.name} cannot be read; delete it to stop making pairs for that project."
            ) from error

    def make_project(self, plan: PairPlan, name: str, **more: Any) -> Project:
        """A project whose pairs are written from now on; `more` goes to `create_project`."""
        plan.check()
        labels = self._labels()
        project = labels.create_project(labels.free_name(name), **more)
        self.begin(replace(plan, project=project.id))
        return project

    def wait(self, project_id: str, timeout: float = 600.0) -> PairPlan:
        """Until a plan is through or has failed (for scripts): `ModelError` where it failed."""
        until = time.monotonic() + timeout
        while (plan := self.plan(project_id)) is not None and time.monotonic() < until:
            if plan.error:
                raise ModelError(plan.error)
            if plan.done:
                return plan
            time.sleep(0.1)
        raise ModelError(f"The pairs of {project_id} were not written within {timeout:.0f} s.")

    # --- the thread

    def _unfinished(self) -> list[PairPlan]:
        """Plans to go on with; one that cannot be read keeps none of the others waiting."""
        found: list[PairPlan] = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                plan = self.plan(path.stem)
            except WorkspaceError as error:
                log.warning("%s", error)
                continue
            if plan and not plan.done and not plan.error:
                found.append(plan)
        return found

    def _work(self) -> None:
        while not self._ended.is_set():
            self._wake.clear()
            plans = self._unfinished()
            if not plans:
                return
            for plan in plans:
                if not self._ended.is_set():
                    self._turn(plan.project)
            self._wake.wait(_POLL)

    def _turn(self, project_id: str) -> None:
        """Write a plan's next batch, unless another process does: two would write pairs twice.

        The system lets go of the lock of a process that died.
        """
        try:
            with FileLock(self._folder / f".{project_id}.lock", timeout=0):
                plan = self.plan(project_id)  # as the process left it that had the lock before
                if plan and not plan.done and not plan.error and self._wanted(plan):
                    self._batch(plan)
                    self._wake.set()
        except Timeout:
            return

    def _wanted(self, plan: PairPlan) -> bool:
        try:
            return self._labels().ready(plan.project) < plan.ahead
        except StudioError as error:
            self._keep(replace(plan, error=str(error)))
            return False

    def _batch(self, plan: PairPlan) -> None:
        """Answer the next prompts and add the pairs; an error ends the plan, in a sentence."""
        size = SORTED_BATCH if plan.informative else BATCH
        prompts = plan.prompts[plan.written : plan.written + size]
        try:
            items, aside = write_pairs(
                self._generate, self._runs, plan.columns, prompts, plan.sampling
            )
            if plan.informative:
                items = with_margins(self._read_answer, items, plan.columns)
            added = self._labels().add_items(plan.project, items)
        except StudioError as error:
            self._keep(replace(plan, error=str(error)))
        except Exception as error:
            log.error("Pair generation failed", exc_info=error)
            why = f"Pair generation failed with {type(error).__name__}; see studio.log."
            self._keep(replace(plan, error=why))
        else:
            aside = dict(Counter(plan.set_aside) + Counter(aside) + Counter(added.set_aside))
            written = plan.written + len(prompts)
            self._keep(replace(plan, written=written, set_aside=aside))

    def _keep(self, plan: PairPlan) -> None:
        write_json(self._folder / f"{plan.project}.json", plan.as_dict())


def check_columns(columns: Sequence[Column], sampling: Sampling) -> None:
    """`ConfigError` where both columns would write the same text to every prompt."""
    one, two = columns
    drawn = [column.sampling or sampling for column in columns]
    same = replace(one, sampling=None, label="") == replace(two, sampling=None, label="")
    if same and (drawn[0] == drawn[1] or all(each.temperature == 0 for each in drawn)):
        raise ConfigError(
            "Both sides are the same model, and would write the same answers: "
            "give a temperature above 0 and two seeds, or two temperatures."
        )


def with_margins(
    read_answer: ReadAnswer, items: list[Pair], columns: Sequence[Column]
) -> list[Pair]:
    """Items with the tuned column's implicit reward margin, for `pair_filter.order_pairs`.

    margin = log p(a)/p_base(a) - log p(b)/p_base(b), without beta (Rafailov et al. 2023, eq. 5).
    Where no run wrote the answers there is no such margin, and the items stay as they are.
    """
    tuned = next((column for column in reversed(columns) if column.run), None)
    if tuned is None:
        return items
    asked = (Column(tuned.model), replace(tuned, sampling=None))

    def ratio(item: Pair, answer: str, source: Mapping[str, Any]) -> float | None:
        whole = with_thought(answer, str(source.get("reasoning") or ""))
        first, second = read_answer(asked, item.prompt, whole).result(120).sums
        return None if first is None or second is None else second - first

    made: list[Pair] = []
    for item in items:
        sides = ((item.answer_a, item.source_a), (item.answer_b, item.source_b))
        ratios = [ratio(item, *side) for side in sides]
        if ratios[0] is not None and ratios[1] is not None:
            margin = round(ratios[0] - ratios[1], 4)
            item = replace(item, provenance={**item.provenance, "margin": margin})
        made.append(item)
    return made
