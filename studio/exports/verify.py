"""Verify that an export answers as its run does, by greedy answers and logits."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from transformers import GenerationConfig

from studio.core import rope
from studio.core.errors import DataError, ModelError, StudioError
from studio.core.library_types import LanguageModel, Prompt
from studio.data import DatasetStore
from studio.data.rows import sample_prompts
from studio.exports import TOLERANCE
from studio.exports.perplexity import Rows
from studio.models.pool import LoadedModel
from studio.models.tokenization import encode, end_ids
from studio.runs.store import Run
from studio.training.train_dataset import rows_for

ANSWER = 16  # tokens
_PROMPT = 192  # tokens of a prompt that are read, its last ones
_ALWAYS = ("Who are you?", "Tell me about the sea.")


@dataclass(frozen=True)
class ModelAnswers:
    """A model's answers to the prompts: `answers[i]` are token ids, `logits[i]` is
    [tokens of prompt and answer, vocabulary], float32 on the CPU."""

    prompts: list[list[int]]
    answers: list[list[int]]
    logits: list[torch.Tensor]


@dataclass(frozen=True)
class Reference:
    """What an export is compared with: the run's answers, and its base's logits on the same
    sequences. For a GGUF file also rows, and the mean loss of run and base on them."""

    run: ModelAnswers
    base_logits: list[torch.Tensor]
    rows: Rows | None = None
    run_loss: float = 0.0
    base_loss: float = 0.0


@dataclass(frozen=True)
class Figures:
    """How an export compares with its run; logits in the model's own units.

    `agreement` is the share of the run's greedy tokens that are the export's first choice too.
    `tolerance` is None for types that are judged by their perplexity alone.
    """

    largest_difference: float
    largest_logit: float
    tolerance: float | None
    agreement: float
    same_answers: int
    prompts: int
    tokens: int
    mean_difference: float
    mean_difference_from_base: float

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def sample_ids(run: Run, datasets: DatasetStore, base: LoadedModel) -> list[list[int]]:
    """Token ids of the prompts to compare by: some of the run's own rows, and some of ours."""
    prompts: list[Prompt] = []
    with contextlib.suppress(DataError, StudioError):  # the rows may have been deleted since
        prompts = sample_prompts(rows_for(run.recipe, run, datasets).samples())
    prompts += _ALWAYS
    tokenizer = base.tokenizer
    context = rope.context(base.model.config) or 10**6
    room = min(_PROMPT, context - ANSWER)
    defaults = run.recipe.chat_template_kwargs
    asked = (encode(tokenizer, prompt, defaults=defaults)[1] for prompt in prompts)
    return [ids[-room:] for ids in asked]


def greedy(model: LanguageModel, base: LoadedModel, prompts: list[list[int]]) -> list[list[int]]:
    """The model's greedy answers; its own generation config is ignored."""
    ends = end_ids(base)
    settings = GenerationConfig(
        max_new_tokens=ANSWER,
        do_sample=False,
        eos_token_id=ends,
        pad_token_id=base.tokenizer.pad_token_id,
        repetition_penalty=1.0,
    )
    answers = []
    with torch.inference_mode():
        for ids in prompts:
            given = torch.tensor([ids], device=model.device)
            whole = model.generate(
                input_ids=given, attention_mask=torch.ones_like(given), generation_config=settings
            )
            answers.append(whole[0, len(ids) :].tolist())
    return answers


def logits_of(model: LanguageModel, sequences: list[list[int]]) -> list[torch.Tensor]:
    """Logits at every position of every sequence, without a prompt adapter's virtual tokens."""
    found = []
    with torch.inference_mode():
        for ids in sequences:
            given = torch.tensor([ids], device=model.device)
            logits = model(input_ids=given, attention_mask=torch.ones_like(given)).logits[0]
            found.append(logits[-len(ids) :].float().cpu())
    return found


def read(model: LanguageModel, base: LoadedModel, prompts: list[list[int]]) -> ModelAnswers:
    """The run's own answers and logits, the reference for every comparison."""
    answers = greedy(model, base, prompts)
    return ModelAnswers(prompts, answers, logits_of(model, _joined(prompts, answers)))


def sequences(run: ModelAnswers) -> list[list[int]]:
    """Each prompt with the run's answer, whose logits are compared."""
    return _joined(run.prompts, run.answers)


def _joined(prompts: list[list[int]], answers: list[list[int]]) -> list[list[int]]:
    return [ids + answer for ids, answer in zip(prompts, answers, strict=True)]


def compare(
    run: ModelAnswers,
    export: LanguageModel,
    base: LoadedModel,
    base_logits: list[torch.Tensor],
    stored_as: str,
) -> Figures:
    """Figures of an export loaded back; `ModelError` where it differs from the run."""
    logits = logits_of(export, sequences(run))
    return judge(run, logits, base_logits, greedy(export, base, run.prompts), stored_as)


def judge(
    run: ModelAnswers,
    logits: list[torch.Tensor],
    base_logits: list[torch.Tensor],
    answers: list[list[int]],
    stored_as: str,
) -> Figures:
    """Figures of an export's logits on the run's sequences; `ModelError` where they differ.

    Rounding to the types that llama.cpp quantizes to moves logits by more than short training does,
    so that those are left to `perplexity.judge`.
    """
    tolerance = TOLERANCE.get(stored_as)
    figures = measure(run, logits, base_logits, answers, tolerance)
    if figures.mean_difference_from_base == 0:
        raise ModelError("The export answers exactly as the base does: it lost what was learned.")
    if tolerance is None:
        return figures
    allowed = tolerance * figures.largest_logit
    if figures.mean_difference >= figures.mean_difference_from_base:
        raise ModelError(
            f"The export is nearer to the base than to the run (mean difference of a logit "
            f"{figures.mean_difference_from_base:.3g} and {figures.mean_difference:.3g}): rounding "
            f"to {stored_as} loses what was learned. Export the adapter, or a wider type."
        )
    if not figures.largest_difference <= allowed:
        raise ModelError(
            f"The export's logits are off by up to {figures.largest_difference:.3g}, and "
            f"{stored_as} allows {allowed:.3g}: it differs from the run, and was deleted."
        )
    _check_answers(run, answers, 2 * allowed)
    return figures


def measure(
    run: ModelAnswers,
    logits: list[torch.Tensor],
    base_logits: list[torch.Tensor],
    answers: list[list[int]],
    tolerance: float | None,
) -> Figures:
    """The figures alone, without a verdict."""
    agreed = tokens = 0
    for ids, answer, given in zip(run.prompts, run.answers, logits, strict=True):
        chosen = given[len(ids) - 1 : -1].argmax(-1).tolist()
        agreed += sum(a == b for a, b in zip(chosen, answer, strict=True))
        tokens += len(answer)
    return Figures(
        largest_difference=max(float(gap.max()) for gap in _gaps(run.logits, logits)),
        largest_logit=max(float(one.abs().max()) for one in run.logits),
        tolerance=tolerance,
        agreement=agreed / max(1, tokens),
        same_answers=sum(a == b for a, b in zip(run.answers, answers, strict=True)),
        prompts=len(run.prompts),
        tokens=tokens,
        mean_difference=_mean(_gaps(run.logits, logits)),
        mean_difference_from_base=_mean(_gaps(base_logits, logits)),
    )


def _gaps(some: list[torch.Tensor], others: list[torch.Tensor]) -> Iterator[torch.Tensor]:
    for one, other in zip(some, others, strict=True):
        yield (one[:, : other.shape[-1]] - other[:, : one.shape[-1]]).abs()


def _mean(gaps: Iterator[torch.Tensor]) -> float:
    means = [float(gap.mean()) for gap in gaps]
    return sum(means) / len(means)


def _check_answers(run: ModelAnswers, answers: list[list[int]], tie: float) -> None:
    """Where an answer diverges from the run's, the run must have rated both tokens nearly equal.

    Two logits that are each off by the tolerance can change places when they are nearer than twice
    that.
    """
    for ids, wanted, found, logits in zip(
        run.prompts, run.answers, answers, run.logits, strict=True
    ):
        at = next((i for i, (a, b) in enumerate(zip(wanted, found, strict=False)) if a != b), None)
        if at is None:
            continue
        row = logits[len(ids) - 1 + at]
        if float(row[wanted[at]] - row[found[at]]) > tie:
            raise ModelError(
                "The export gives another greedy answer than the run where the run was sure: it "
                "differs from the run, and was deleted."
            )
