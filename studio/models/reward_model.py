"""A finished reward model as a scorer of answers. Imports torch; for the worker's thread."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from studio.core import cards, chat_templates, rendering, rope
from studio.core.errors import ModelError, StudioError
from studio.core.library_types import LanguageModel
from studio.core.messages import Message
from studio.models import loading
from studio.models.pool import ModelPool
from studio.rewards.weighted import Scorer, WeightedReward
from studio.runs.recipe import Recipe
from studio.runs.reward_runs import check_scores
from studio.runs.store import Run, RunStore

_BATCH = 32


class RewardModel:
    """Scores answers to prompts, one number each, higher is better. Shares the base in memory."""

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
        self.tokenizer = chat_templates.with_chat_template(
            resident.tokenizer, run.recipe.chat_template_path
        )
        self.defaults = run.recipe.chat_template_kwargs
        if run.weights is not None:
            model: Any = AutoModelForSequenceClassification.from_pretrained(
                run.weights, dtype=resident.model.dtype
            ).to(resident.model.device)
        else:
            assert run.adapter is not None
            base = with_score(loading.clone_sharing_weights(resident.model), run.recipe)
            model = loading.load_adapter(base, run.adapter)
        model.config.pad_token_id = self.tokenizer.pad_token_id
        self.model = model.eval().requires_grad_(False)
        self.most = rope.context(model.config)

    def __call__(self, prompts: Sequence[list[Message]], answers: Sequence[str]) -> list[float]:
        """The score of every answer, in batches of similar length."""
        with torch.inference_mode(), cards.at(self.model.device):
            return self._scores(prompts, answers)

    def _scores(self, prompts: Sequence[list[Message]], answers: Sequence[str]) -> list[float]:
        texts = [
            self.tokenizer.apply_chat_template(
                rendering.turns(
                    [*prompt, {"role": "assistant", "content": answer}], self.tokenizer
                ),
                tokenize=False,
                **rendering.options(prompt, self.defaults),
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

    def _whole(self, prompt: list[Message], answer: str) -> str:
        turns = [*prompt, {"role": "assistant", "content": answer}]
        return self.tokenizer.apply_chat_template(
            rendering.turns(turns, self.tokenizer),
            tokenize=False,
            **rendering.options(prompt, self.defaults),
        )


def loaded(
    texts: Sequence[str],
    weights: Sequence[float] | None,
    pool: ModelPool,
    runs: RunStore,
    judges: Mapping[str, Scorer] | None = None,
) -> WeightedReward:
    """A reward with its models in memory; `judges` by the terms that name them."""
    wanted = {part.run for part in WeightedReward(texts, weights).parts if part.run}
    models: dict[str, Scorer] = {name: RewardModel(runs.get(name), pool, runs) for name in wanted}
    return WeightedReward(texts, weights, {**models, **(judges or {})})


def with_score(model: LanguageModel, recipe: Recipe) -> LanguageModel:
    """The same backbone with a score head instead of the LM head: one number per sequence."""
    config = copy.deepcopy(model.config)
    config.num_labels = 1
    with torch.device("meta"):
        scoring: Any = AutoModelForSequenceClassification.from_config(config)
    setattr(scoring, scoring.base_model_prefix, getattr(model, model.base_model_prefix))
    seed = torch.Generator().manual_seed(recipe.seed)
    for name, tensor in list(scoring.named_parameters()):
        if tensor.is_meta:
            owner = scoring.get_submodule(name.rpartition(".")[0])
            fresh = torch.empty(tensor.shape, dtype=torch.float32)
            fresh.normal_(std=getattr(config, "initializer_range", 0.02), generator=seed)
            weight = nn.Parameter(fresh.to(model.device, model.dtype))
            setattr(owner, name.rpartition(".")[2], weight)
    for name in ("is_loaded_in_4bit", "is_loaded_in_8bit", "is_quantized", "hf_quantizer"):
        if hasattr(model, name):
            setattr(scoring, name, getattr(model, name))
    return scoring
