"""What makes training quick changes no number: the compact loss head, the kept reference scores."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import torch
from datasets import Dataset
from trl.trainer import utils as trl_utils

from studio import Recipe, Studio
from studio.runs.store import Run
from studio.training import ref_logps_cache, trainer_mixin, trainers
from tests.unit.training.conftest import sft_rows, small
from tests.unit.training.matrix import _POOL, recipe_of, rows_of
from tests.unit.training.test_runs_end_to_end import logs


@pytest.mark.parametrize("objective", ["sft", "dpo", "kto"])
def test_the_unpadded_lm_head_gives_the_same_loss_and_gradient(
    objective: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[int] = []
    apply = trl_utils._ChunkedLogProbFunction.apply

    def counted(hidden: torch.Tensor, *rest: object) -> object:
        seen.append(hidden.shape[0])
        return apply(hidden, *rest)

    monkeypatch.setattr(trl_utils._ChunkedLogProbFunction, "apply", counted)

    def step() -> tuple[float, list[torch.Tensor]]:
        recipe = recipe_of(objective, "lora")
        trainer = trainers.build(
            recipe,
            _POOL.base("pocket"),
            None,
            rows_of(objective),
            None,
            tmp_path / "checkpoints",
            [],
        )
        trainer.model.train()
        batch = next(iter(trainer.get_train_dataloader()))
        loss = trainer.compute_loss(trainer.model, batch)
        loss.backward()
        grads = [p.grad.clone() for p in trainer.model.parameters() if p.grad is not None]
        return float(loss.detach()), grads

    compact = step()
    rows_compact = sum(seen)
    seen.clear()
    monkeypatch.setattr(trainer_mixin, "unpadded_lm_head", contextlib.nullcontext)
    stock = step()
    assert rows_compact < sum(seen)
    assert compact[0] == pytest.approx(stock[0], abs=1e-6)
    for mine, theirs in zip(compact[1], stock[1], strict=True):
        torch.testing.assert_close(mine, theirs, atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("packing", [False, True])
def test_rows_end_to_end_do_not_see_each_other(packing: bool, tmp_path: Path) -> None:
    """Completion masks too: the loss over one batch is that of padded rows, with padding spared."""
    rows = Dataset.from_list(
        [
            {**row, "completion": [{"role": "assistant", "content": "It is blue. " * (1 + 3 * at)}]}
            for at, row in enumerate(sft_rows(6))
        ]
    )

    def losses(recipe: Recipe, padded: bool) -> tuple[float, int]:
        trainer = trainers.build(
            recipe, _POOL.base("pocket"), None, rows, None, tmp_path / "checkpoints", []
        )
        trainer.model.eval()
        if padded:
            trainer.data_collator = trainer.data_collator.collator
            trainer.data_collator.padding_free = False
        total, tokens, seen = 0.0, 0, 0
        for batch in trainer.get_train_dataloader():
            assert ("attention_mask" in batch) == padded
            trained = int((batch["labels"][:, 1:] != -100).sum())
            total += trained * float(trainer.compute_loss(trainer.model, batch).detach())
            tokens, seen = tokens + trained, seen + batch["input_ids"].numel()
        return total / tokens, seen

    plain = recipe_of("sft", "lora").with_(per_device_train_batch_size=8, max_length=256)
    padded = losses(plain, True)
    flat = losses(plain.with_(packing=packing), False)
    assert flat[0] == pytest.approx(padded[0], abs=1e-5)
    assert flat[1] < padded[1]


@pytest.mark.slow
def test_a_sweep_scores_the_reference_once(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    from trl import DPOTrainer

    scored: list[int] = []
    score = DPOTrainer.compute_ref_log_probs

    def counted(self: DPOTrainer, *args: object, **kwargs: object) -> object:
        scored.append(1)
        return score(self, *args, **kwargs)

    monkeypatch.setattr(DPOTrainer, "compute_ref_log_probs", counted)

    def run(**changes: object) -> Run:
        done = studio.wait(studio.train(small("dpo", "taste", max_steps=2, **changes)).id)
        assert (done.state, done.error) == ("finished", None)
        return done

    plain = run(beta=0.3)
    ahead = run(beta=0.3, precompute_ref_log_probs=True)
    passes = len(scored)
    assert passes > 0
    again = run(beta=0.3, precompute_ref_log_probs=True)
    for changes in ({"beta": 0.5}, {"lora_r": 8}, {"seed": 1}, {"learning_rate": 1e-4}):
        run(precompute_ref_log_probs=True, **changes)
    assert len(scored) == passes
    run(precompute_ref_log_probs=True, max_length=24)
    assert len(scored) > passes
    losses = [[event["loss"] for event in logs(done)] for done in (plain, ahead, again)]
    assert losses[1] == losses[2] == pytest.approx(losses[0], abs=1e-5)


def test_a_continued_adapters_scores_are_its_own(sft: Run) -> None:
    recipe = small("dpo", "taste")
    base = ref_logps_cache.reference_key(recipe, "weights", None)
    assert base != ref_logps_cache.reference_key(recipe, "weights", sft.adapter)
    assert base != ref_logps_cache.reference_key(recipe, "other", None)
    assert base == ref_logps_cache.reference_key(recipe.with_(beta=0.9, seed=3), "weights", None)
