"""What makes training quick changes no number: the compact loss head, the kept reference scores."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from datasets import Dataset
from peft.tuners.tuners_utils import BaseTunerLayer
from trl.trainer import utils as trl_utils
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from studio import Studio
from studio.runs.store import Run
from studio.training import padding_free, ref_logps_cache, trainer_mixin, trainers
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


def uneven_rows() -> Dataset:
    """Rows of very different lengths."""
    return Dataset.from_list(
        [
            {**row, "completion": [{"role": "assistant", "content": "It is blue. " * (1 + 3 * at)}]}
            for at, row in enumerate(sft_rows(6))
        ]
    )


def evaluated(
    folder: Path, layout: str, monkeypatch: pytest.MonkeyPatch, packing: bool = False
) -> dict[str, Any]:
    """One pass over `uneven_rows`: the mean loss, tokens counted by TRL, and what the model saw.

    `layout`: `padded`, `flat` (one row), or `rows` (each with its positions, and no mask).
    """
    recipe = recipe_of("sft", "lora").with_(
        per_device_train_batch_size=8, max_length=256, packing=packing
    )
    trainer = trainers.build(
        recipe, _POOL.base("pocket"), None, uneven_rows(), None, folder / "checkpoints", []
    )
    collator = trainer.data_collator
    if layout == "padded":
        trainer.data_collator = collator.collator
        collator.collator.padding_free = False
    else:
        collator.flat = layout == "flat"
        monkeypatch.setattr(collator, "_quicker", lambda lengths: True)
    seen: dict[str, Any] = {"shapes": [], "masked": [], "trained": 0, "loss": 0.0}

    def watch(module: Any, args: Any, given: dict[str, Any]) -> None:
        seen["masked"].append(given.get("attention_mask") is not None)

    trainer.model.base_model.register_forward_pre_hook(watch, with_kwargs=True)
    for batch in trainer.get_train_dataloader():
        trained = int((batch["labels"][:, 1:] != -100).sum())
        with torch.no_grad():
            loss = float(trainer.compute_loss(trainer.model, batch))
        seen["trained"] += trained
        seen["loss"] += trained * loss
        seen["shapes"].append(tuple(batch["input_ids"].shape))
    seen["loss"] /= seen["trained"]
    seen["tokens"] = trainer._total_train_tokens
    return seen


@pytest.mark.parametrize("packing", [False, True])
@pytest.mark.parametrize("layout", ["flat", "rows"])
def test_rows_do_not_see_each_other_however_they_are_laid_out(
    layout: str, packing: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Completion masks too: the loss over one batch is that of padded rows under their mask."""
    padded = evaluated(tmp_path, "padded", monkeypatch)
    other = evaluated(tmp_path, layout, monkeypatch, packing)
    assert other["loss"] == pytest.approx(padded["loss"], abs=1e-5)
    assert (other["trained"], other["tokens"]) == (padded["trained"], padded["tokens"])
    assert all(padded["masked"]) and not any(other["masked"])
    rows = [shape[0] for shape in other["shapes"]]
    assert rows == [1] if layout == "flat" else rows[0] > 1
    if layout == "flat":
        assert sum(a * b for a, b in other["shapes"]) < sum(a * b for a, b in padded["shapes"])


@pytest.mark.parametrize(
    ("kernel", "device", "packing", "flat"),
    [
        ("sdpa", "cpu", False, True),
        ("sdpa", "cuda", False, False),
        ("sdpa", "cuda", True, False),
        ("eager", "cuda", True, False),
        ("flash_attention_2", "cuda", False, True),
        ("flash_attention_2", "cuda", True, None),
        ("kernels-community/flash-attn3", "cuda", True, None),
        ("flex_attention", "cuda", True, None),
    ],
)
def test_the_attention_kernel_decides_the_layout(
    kernel: str, device: str, packing: bool, flat: bool | None
) -> None:
    """Without a kernel for it, a packed batch at 8 x 2048 is never one row under one mask; with
    one (`None`) it is left to TRL."""
    rows = [{"input_ids": [1] * 2048, "labels": [1] * 2048, "seq_lengths": [1024, 1024]}] * 8
    rows = rows if packing else [{"input_ids": [1] * n, "labels": [1] * n} for n in (9, 2, 2)]
    collator = DataCollatorForLanguageModeling(pad_token_id=0, padding_free=packing)
    config = SimpleNamespace(_attn_implementation=kernel, model_type="llama", hidden_size=64)
    trainer: Any = SimpleNamespace(
        model=SimpleNamespace(config=config),
        args=SimpleNamespace(device=torch.device(device)),
        data_collator=collator,
    )
    padding_free.use_padding_free(trainer, recipe_of("sft", "lora").with_(packing=packing))
    if flat is None:
        assert trainer.data_collator is collator
        return
    batch = trainer.data_collator(rows)
    assert (batch["input_ids"].shape[0] == 1) is flat
    assert "position_ids" in batch and ("attention_mask" in batch) is not flat


@pytest.mark.parametrize("method", ["lora", "qlora"])
def test_adapters_under_autocast_do_not_cast_their_input_twice(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    casts: list[torch.dtype] = []
    cast = BaseTunerLayer._cast_input_dtype

    def counted(self: Any, x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        if self.cast_input_dtype_enabled and x.dtype != dtype:
            casts.append(x.dtype)
        return cast(self, x, dtype)

    monkeypatch.setattr(BaseTunerLayer, "_cast_input_dtype", counted)

    def step() -> tuple[float, list[torch.Tensor]]:
        recipe = recipe_of("sft", method, dtype="bfloat16", activation_checkpointing=True)
        resident = _POOL.base_of(recipe, None)  # pyright: ignore[reportArgumentType]
        trainer = trainers.build(
            recipe, resident, None, rows_of("sft"), None, tmp_path / "checkpoints", []
        )
        trainer.model.train()
        trainer.current_gradient_accumulation_steps = 1
        trainer.model_wrapped = model = trainer.accelerator.prepare(trainer.model)
        batch = next(iter(trainer.get_train_dataloader()))
        loss = trainer.training_step(model, batch)
        return float(loss), [p.grad.clone() for p in model.parameters() if p.grad is not None]

    lean = step()
    assert not casts
    monkeypatch.setattr(
        trainer_mixin, "disable_input_dtype_casting", lambda model, active: contextlib.nullcontext()
    )
    stock = step()
    assert casts
    assert lean[0] == stock[0] and lean[1]
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(lean[1], stock[1], strict=True))


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
    run(precompute_ref_log_probs=True, beta=0.5, lora_r=8, seed=1, learning_rate=1e-4)
    assert len(scored) == passes
    run(precompute_ref_log_probs=True, max_length=24)
    assert len(scored) > passes
    losses = [[event["loss"] for event in logs(done)] for done in (plain, ahead, again)]
    assert losses[1] == losses[2] == pytest.approx(losses[0], abs=1e-5)


@pytest.mark.parametrize("objective", ["dpo", "kto"])
def test_a_known_reference_is_not_hashed(
    objective: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trl.trainer.dpo_trainer as dpo
    import trl.trainer.kto_trainer as kto

    hashed: list[object] = []
    for module in (dpo, kto):
        monkeypatch.setattr(module, "hash_module", lambda model: hashed.append(model) or "all")

    def build(references: Path | None) -> None:
        recipe = recipe_of(objective, "lora", precompute_ref_log_probs=True)
        trainers.build(
            recipe,
            _POOL.base("pocket"),
            None,
            rows_of(objective),
            None,
            tmp_path / "checkpoints",
            [],
            references,
        )

    build(tmp_path / "references")
    assert not hashed
    build(None)
    assert hashed


def test_a_continued_adapters_scores_are_its_own(sft: Run) -> None:
    recipe = small("dpo", "taste")
    base = ref_logps_cache.reference_key(recipe, "weights", None)
    assert base != ref_logps_cache.reference_key(recipe, "weights", sft.adapter)
    assert base != ref_logps_cache.reference_key(recipe, "other", None)
    assert base == ref_logps_cache.reference_key(recipe.with_(beta=0.9, seed=3), "weights", None)
