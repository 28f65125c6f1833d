"""A finished reward run as a scorer of answers. Imports torch: for the worker's thread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AutoModelForSequenceClassification

from studio.errors import ModelError, StudioError
from studio.generation.request import Message
from studio.models import loading, templates
from studio.models.pool import ModelPool
from studio.rewards.mix import Mix
from studio.training import starting
from studio.training.reinforcement import check_scores
from studio.training.runs import Run, RunStore

_BATCH = 32


class RewardModel:
    """Scores (prompt, answer) texts: one number each, larger is better. The base is shared."""

    def __init__(self, run: Run, pool: ModelPool, runs: RunStore):
        self.name = run.name
        check_scores(run)
        try:
            resident = pool.base_of(run.recipe, runs)
        except StudioError as problem:
            raise ModelError(f"The reward model {run.name} cannot be loaded: {problem}") from None
        if run.base and run.base != resident.fingerprint:
            raise ModelError(
                f"The reward model {run.name} was trained on other weights than {run.model} holds "
                "now. Train it again, or bring the old weights back."
            )
        self.tokenizer = templates.dressed(resident.tokenizer, run.recipe.chat_template_path)
        if run.weights is not None:
            model: Any = AutoModelForSequenceClassification.from_pretrained(
                run.weights, dtype=resident.model.dtype
            ).to(resident.model.device)
        else:
            assert run.adapter is not None
            base = starting.with_score(loading.share(resident.model), run.recipe)
            model = loading.load_adapter(base, run.adapter)
        model.config.pad_token_id = self.tokenizer.pad_token_id
        self.model = model.eval().requires_grad_(False)
        self.most = getattr(model.config, "max_position_embeddings", None)

    @torch.inference_mode()
    def __call__(self, prompts: Sequence[list[Message]], answers: Sequence[str]) -> list[float]:
        """The score of every answer, in batches of like lengths."""
        texts = [
            self.tokenizer.apply_chat_template(
                [*prompt, {"role": "assistant", "content": answer}], tokenize=False
            )
            for prompt, answer in zip(prompts, answers, strict=True)
        ]
        ids = [self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
        ids = [each[: self.most] for each in ids]
        order = sorted(range(len(ids)), key=lambda at: len(ids[at]))
        scores = [0.0] * len(ids)
        for start in range(0, len(order), _BATCH):
            part = order[start : start + _BATCH]
            batch = self.tokenizer.pad(
                {"input_ids": [ids[at] for at in part]}, padding_side="right", return_tensors="pt"
            ).to(self.model.device)
            logits = self.model(
                input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
            ).logits
            for at, score in zip(part, logits[:, 0].float().tolist(), strict=True):
                scores[at] = score
        return scores


def loaded(
    texts: Sequence[str], weights: Sequence[float] | None, pool: ModelPool, runs: RunStore
) -> Mix:
    """A reward with its models in memory."""
    wanted = {part.run for part in Mix(texts, weights).parts if part.run}
    return Mix(texts, weights, {name: RewardModel(runs.get(name), pool, runs) for name in wanted})
