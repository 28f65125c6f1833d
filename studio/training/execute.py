"""Execute one run in the worker's thread; whatever happens, it ends in a final state."""

from __future__ import annotations

import contextlib
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from accelerate.utils import broadcast_object_list, gather_object
from transformers import PrinterCallback

from studio.core import cards, chat_templates, gguf_pre_tokenizers, rope
from studio.core.device_errors import is_out_of_memory, lost_peer, needs_restart
from studio.core.errors import Cancelled, StudioError, TrainingError
from studio.core.library_types import LanguageModel
from studio.data import DatasetStore
from studio.models import loading, teacher, trained_tokens
from studio.models.pool import LoadedModel, ModelPool, release_memory
from studio.rewards import WeightedReward
from studio.rewards.weighted import Scorer
from studio.runs import checkpoints, launch_configs
from studio.runs.events import EventLog
from studio.runs.lineage import parent_adapter
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.runs.steps import planned_steps, too_little
from studio.runs.store import Run, RunStore
from studio.training import (
    chat_rows,
    encoder_eval,
    encoder_rows,
    held_out,
    launcher,
    out_of_memory,
    samples,
    trainers,
)
from studio.training.callbacks import Progress, agreed
from studio.training.run_rows import Part
from studio.training.time_share import TimeShare
from studio.training.train_dataset import rows_for, sample_every
from studio.training.weight_change import WeightChange

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

_STACK = ("torch", "transformers", "trl", "peft", "datasets")
_KEPT = 2  # checkpoints there must be room for before a run begins


Judges = Callable[[Recipe], Mapping[str, Scorer]]
"""A recipe -> the judges that its rewards name, by their terms."""


def execute(
    run: Run,
    store: RunStore,
    datasets: DatasetStore,
    pool: ModelPool,
    serve: Callable[[], None],
    judges: Judges = lambda recipe: {},
) -> Run:
    """Train a run to its end and leave it finished, stopped or failed; never raises a StudioError.

    Args:
        serve: called between steps; serves queued generation.
        judges: generation is not this package's, so judges come ready to be asked.
    """
    started = time.time()
    run = store.update(
        run.id,
        was="queued",
        state="running",
        started=run.started or started,
        ended=None,
        error=None,
        versions={name: version(name) for name in _stack(run.recipe)},
    )
    if run.state != "running":  # stopped just before it began
        return run
    events = EventLog(run.folder / "events.jsonl")
    events.write("state", state="running")
    outcome: tuple[str, str | None] = ("failed", None)

    def clear() -> None:
        pool.training = None
        pool.unpin()
        release_memory()

    placed = contextlib.ExitStack()  # advice on memory is about the GPU that was full

    def work() -> str:
        nonlocal outcome
        checkpoints.remove_incomplete(run.checkpoints)
        for text in checkpoints.set_aside_damaged(run.checkpoints):
            events.write("note", message=text)
        if run.recipe.accelerate_config == launch_configs.SINGLE:
            placed.enter_context(cards.training_on(cards.choose(run.recipe.device)))
            return train(run, store, datasets, pool, events, serve, judges=judges)
        outcome = launcher.supervise(
            run, store, serve, lambda text: events.write("phase", text=text)
        )
        return outcome[0]

    try:
        state, error = attempt(work, run, events, clear)
        outcome = state, error or outcome[1]
    finally:
        clear()
        placed.close()
        store.clear_stop(run)
        state, error = outcome
        events.write("state", state=state, error=error)
        events.close()
        now = time.time()
        run = store.update(
            run.id,
            state=state,
            error=error,
            ended=now,
            eta_s=None,
            train_seconds=run.train_seconds + now - started,
        )
    return run


def _stack(recipe: Recipe) -> tuple[str, ...]:
    embeds = OBJECTIVES[recipe.objective].embeds
    return (*_STACK, "sentence-transformers") if embeds else _STACK


def attempt(
    work: Callable[[], str], run: Run, events: EventLog, clear: Callable[[], None] = release_memory
) -> tuple[str, str | None]:
    """The run's final state, and a sentence where it failed; never raises.

    Args:
        clear: frees what the run held. Advice on memory counts what is free, so it comes after.
    """
    try:
        return work(), None
    except Cancelled:
        return "stopped", None
    except StudioError as problem:
        return "failed", str(problem)
    except OSError as problem:
        why = problem.strerror or problem
        return "failed", f"The disk refused a write: {why}. Free some space; resume."
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as problem:  # a bug of ours, a library's or a panic of Rust's must not
        # lose the run, nor end the thread that owns the models
        if not is_out_of_memory(problem):
            restart = needs_restart(problem)
            return "failed", restart or lost_peer(problem) or _say_broken(run, problem)
    clear()  # out of the except block: until here the traceback held the run's tensors
    return "failed", _say_exhausted(run, events)


def _say_exhausted(run: Run, events: EventLog) -> str:
    found = out_of_memory.explain(run.recipe, cards.in_use())
    events.write("memory", term=found.term, changes=found.changes)
    return found.sentence


def _say_broken(run: Run, problem: BaseException) -> str:
    (run.folder / "error.log").write_text(traceback.format_exc(), encoding="utf-8")
    first = (str(problem).splitlines() or [""])[0]
    return (
        f"The run failed with {type(problem).__name__}: {first} "
        "The traceback is in error.log in the run's folder."
    )


def train(
    run: Run,
    store: RunStore,
    datasets: DatasetStore,
    pool: ModelPool,
    events: EventLog,
    serve: Callable[[], None],
    processes: int = 1,
    with_samples: bool = True,
    judges: Judges = lambda recipe: {},
) -> str:
    """Load, train and save; returns the final state.

    Args:
        processes: number of processes training together; each calls this.
        with_samples: whether to write sample answers during training.
    """
    recipe = run.recipe
    events.write("phase", text="reading the data")
    rows = rows_for(recipe, run, datasets)
    events.write("phase", text=f"loading {recipe.model_name_or_path}{cards.place()}")
    resident = _base(run, store, pool)
    pool.pin(resident)
    _advise(recipe, resident, events)
    reward = _reward(recipe, store, pool, judges)
    teaching = _teacher(recipe, store, pool, events)
    resume = checkpoints.newest(run.checkpoints)
    progress, change = Progress(run, store, events, serve), WeightChange()
    events.write("phase", text=f"tokenizing {len(rows):,} rows")
    asked = rows.samples()
    given = rows.mixed(partial(_tokenized, recipe, resident, events, rows.several))
    train = given.train
    evaluation = _held_out(recipe, given.evaluation, len(train), events)
    trainer = trainers.build(
        recipe,
        resident,
        parent_adapter(recipe, store),
        train,
        evaluation,
        run.checkpoints,
        [progress, change],
        store.workspace.cache / "references",
        processes,
        reward,
        teaching,
        events.write,
    )
    used = len(trainer.train_dataset)
    embeds = OBJECTIVES[recipe.objective].embeds  # its own events say what is left out
    if used < len(train) and not recipe.packing and not embeds:  # packing combines rows
        events.write("rows", used=used, given=len(train), max_length=recipe.max_length)
    trainer.remove_callback(PrinterCallback)  # events.jsonl is the log; stdout is the shell's
    time_share = TimeShare(recipe, events)
    if embeds:
        encoder_eval.add(trainer, events, train, evaluation)
    every = sample_every(recipe, planned_steps(recipe, len(train)))
    if with_samples and every and OBJECTIVES[recipe.objective].answers:
        samples.add(trainer, resident, asked, reward, events, every, time_share)
    trainer.add_callback(time_share)  # last: it times what follows a step
    if agreed(store.stop_asked(run)):
        raise Cancelled("The run was stopped before its first step.")
    checkpoints.make_sure_it_fits(run.checkpoints, _KEPT * trainer.checkpoint_bytes())
    if resume is not None:
        events.write("resume", step=checkpoints.step_of(resume))
    _resume_together(resume, processes)
    pool.training = (run.id, trainer.model)
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    if progress.stopped != "now":
        trainers.save_result(trainer, recipe, resident.tokenizer, run.folder)
    step = trainer.state.global_step
    warning = change.warning(trainer) or too_little(step, used if not recipe.packing else None)
    store.update(run.id, step=step, metrics=progress.metrics, warning=warning)
    return "stopped" if progress.stopped else "finished"


def _held_out(
    recipe: Recipe, held: Dataset | DatasetDict | None, rows: int, events: EventLog
) -> Dataset | DatasetDict | None:
    """The held-out rows that a run of so many training rows has the time to evaluate."""
    if held is None:
        return None
    kept, said = held_out.subset(held, held_out.affordable(recipe, planned_steps(recipe, rows)))
    if said:
        events.write("note", message=said)
    return kept


def _advise(recipe: Recipe, resident: LoadedModel, events: EventLog) -> None:
    """Note what a run should know of its tokens, its context and its tokenizer."""
    config = resident.model.config
    for said in (
        trained_tokens.advice(recipe, resident.model, resident.tokenizer),
        rope.beyond(config, recipe.max_length, recipe.model_name_or_path),
        gguf_pre_tokenizers.unwritable(resident.tokenizer),
    ):
        if said:
            events.write("note", message=said)


def _teacher(
    recipe: Recipe, store: RunStore, pool: ModelPool, events: EventLog
) -> LanguageModel | None:
    """The model that a distillation learns from; None for other objectives."""
    if not OBJECTIVES[recipe.objective].teacher:
        return None
    events.write("phase", text=f"loading the teacher {recipe.teacher_model_name_or_path}")
    teacher.check(recipe, store)
    return teacher.load(recipe, pool, store)


def _resume_together(resume: Path | None, processes: int) -> None:
    """Raise a `TrainingError` where a machine lacks the checkpoint that the others go on from."""
    if processes == 1:
        return
    step = checkpoints.step_of(resume) if resume else 0
    first = int(broadcast_object_list([step])[0])
    if any(gather_object([step != first])):
        raise TrainingError(
            f"Machine 0 resumes from step {first}, and not every machine has that checkpoint. Copy "
            f"checkpoints/checkpoint-{first} of its run's folder into the run's folder on each of "
            "the others, then resume on all of them."
        )


def _tokenized(
    recipe: Recipe,
    resident: LoadedModel,
    events: EventLog,
    several: bool,
    part: Part,
    rows: Dataset,
    split: str,
) -> chat_rows.Tokenized:
    """Rows as the trainer takes them; what was refused on the way goes to the events."""
    if OBJECTIVES[recipe.objective].embeds:
        pairs = encoder_rows.encoded(rows, part.type)
        if pairs.refused:
            events.write("chats", dataset=part.name, **pairs.as_event(split))
        return pairs
    done = chat_rows.tokenized(recipe, rows, resident.tokenizer, part.type if several else None)
    if done.refused or done.changed:
        events.write("chats", dataset=part.name, **done.as_event(split))
    return done


def _base(run: Run, store: RunStore, pool: ModelPool) -> LoadedModel:
    """The run's base with its chat template; refused where its weights have changed since."""
    recipe = run.recipe
    resident = pool.base_of(recipe, store, loading.device())
    tokenizer = chat_templates.with_chat_template(resident.tokenizer, recipe.chat_template_path)
    trained_on = {run.base}
    if recipe.continues:
        trained_on.add(store.get(recipe.start_from or "").base)
    if trained_on - {"", resident.fingerprint}:
        raise TrainingError(
            f"{run.model} no longer has the weights this run was trained on. Start a new run."
        )
    store.update(run.id, base=resident.fingerprint)
    return replace(resident, tokenizer=tokenizer)


def _reward(
    recipe: Recipe, store: RunStore, pool: ModelPool, judges: Judges
) -> WeightedReward | None:
    """The reward of an online RL run; None for other objectives."""
    if not OBJECTIVES[recipe.objective].rewarded:
        return None
    from studio.models.reward_model import loaded

    return loaded(recipe.reward_funcs, recipe.reward_weights, pool, store, judges(recipe))
