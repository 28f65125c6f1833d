"""Sample answers of the model in training: a few fixed prompts, asked as one left-padded batch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from studio.core.answers import AnswerParts, with_thought
from studio.core.device_errors import is_out_of_memory
from studio.core.library_types import Prompt, Trainer
from studio.data.rows import sample_prompts
from studio.data.types import Row
from studio.models.pool import LoadedModel, release_memory
from studio.models.tokenization import answer_of, encode, end_ids, left_padded
from studio.rewards import WeightedReward
from studio.runs.events import EventLog
from studio.runs.methods import METHODS
from studio.training import online_rl
from studio.training.callbacks import Samples
from studio.training.time_share import TimeShare

_SAMPLE_TOKENS = 48
Grade = Callable[[list[str]], list[dict[str, Any]]]


def add(
    trainer: Trainer,
    resident: LoadedModel,
    rows: Sequence[Row],
    reward: WeightedReward | None,
    events: EventLog,
    every: int,
    time_share: TimeShare,
) -> None:
    """Have sample answers to a few prompts of `rows` written, at least `every` steps apart."""
    prompts = sample_prompts(rows)
    if prompts:
        grade = online_rl.grader(reward, rows, len(prompts)) if reward else None
        trainer.add_callback(
            Samples(events, SampleGenerator(trainer, resident, prompts, grade), every, time_share)
        )


class SampleGenerator:
    """Greedy answers of the model in training; its mode and random state are restored."""

    def __init__(
        self,
        trainer: Trainer,
        resident: LoadedModel,
        prompts: list[Prompt],
        grade: Grade | None = None,
    ):
        self.trainer, self.resident, self.prompts = trainer, resident, prompts
        self.grade = grade

    @torch.no_grad()
    def __call__(self) -> list[dict[str, Any]]:
        model, recipe = self.trainer.model, self.trainer.recipe
        encoded = [self._encode(prompt) for prompt in self.prompts]
        written: dict[int, list[int]] = {}
        was_training = model.training
        model.eval()
        try:
            for places in _batches(encoded, alike=METHODS[recipe.method].prompted):
                rows = [encoded[place][1] for place in places]
                written |= zip(places, self._written(rows), strict=True)
        finally:
            model.train(was_training)
        samples = [
            _sample_of(prompt, answer_of(self.resident.tokenizer, written[place], text))
            for place, (prompt, (text, _)) in enumerate(zip(self.prompts, encoded, strict=True))
        ]
        if self.grade is not None:
            rewards = self.grade(
                [with_thought(sample["answer"], sample.get("reasoning", "")) for sample in samples]
            )
            return [s | reward for s, reward in zip(samples, rewards, strict=True)]
        return samples

    def _encode(self, prompt: Prompt) -> tuple[str, list[int]]:
        """The exact string and its token ids; a prompt of plain text is asked as it stands."""
        return encode(
            self.resident.tokenizer,
            prompt,
            raw=isinstance(prompt, str),
            defaults=self.trainer.recipe.chat_template_kwargs,
        )

    def _written(self, rows: list[list[int]]) -> list[list[int]]:
        """What the model writes after each row, until its end token.

        Where memory runs out the halves are asked, down to single rows.
        """
        try:
            return self._generate(rows)
        except Exception as error:
            if len(rows) == 1 or not is_out_of_memory(error):
                raise
        release_memory()  # out of the except block: until here the traceback held the batch
        middle = len(rows) // 2
        return self._written(rows[:middle]) + self._written(rows[middle:])

    def _generate(self, rows: list[list[int]]) -> list[list[int]]:
        model, pad = self.trainer.model, self.resident.tokenizer.pad_token_id
        ids, mask = left_padded(rows, pad)
        ends = end_ids(self.resident)
        output = model.generate(
            input_ids=torch.tensor(ids, device=model.device),
            attention_mask=torch.tensor(mask, device=model.device),
            max_new_tokens=_SAMPLE_TOKENS,
            do_sample=False,
            pad_token_id=pad,
            eos_token_id=ends,
        )
        return [_until(ends, row) for row in output[:, len(ids[0]) :].tolist()]


def _batches(encoded: list[tuple[str, list[int]]], alike: bool) -> Iterator[list[int]]:
    """Places of prompts that go together: all, or those of one length where virtual tokens stand
    before the row, its padding included, and so rows cannot be padded."""
    places = list(range(len(encoded)))
    if not alike:
        yield places
        return

    def length(place: int) -> int:
        return len(encoded[place][1])

    for _, same in itertools.groupby(sorted(places, key=length), key=length):
        yield list(same)


def _until(ends: list[int], ids: list[int]) -> list[int]:
    """Without the end token, and the padding behind it where other rows of the batch went on."""
    return ids[: next((at for at, token in enumerate(ids) if token in ends), len(ids))]


def _sample_of(prompt: Prompt, answer: AnswerParts) -> dict[str, Any]:
    """An event's fields; the thinking beside the answer, and whether it was cut off."""
    shown = prompt if isinstance(prompt, str) else prompt[-1]["content"]
    sample = {"prompt": shown, "answer": answer.text}
    if answer.reasoning:
        sample |= {"reasoning": answer.reasoning, "cut_thought": answer.cut}
    return sample
