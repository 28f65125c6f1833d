"""Checks of training: the loss, its curve, every method, number formats."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.place import Found, Place, losses

CURVE = Path(__file__).with_name("curve.json")
_METHODS_SMALL = ("lora", "qlora", "prefix_tuning", "full")
_MOVED_STEPS = 25


def fused_head(place: Place) -> Found:
    """The trainer's loss at an adapter's start beside plain cross-entropy of the base's logits."""
    import torch
    from torch.nn.functional import cross_entropy

    from benchmarks.training_arms import recipe_of, rows
    from studio.models.pool import ModelPool
    from studio.training import trainers

    resident = ModelPool().base("pocket", dtype="float32")
    recipe = recipe_of("sft", dtype="float32")
    with tempfile.TemporaryDirectory(dir=place.home) as folder:
        trainer = trainers.build(
            recipe, resident, None, rows("sft", 8), None, Path(folder) / "checkpoints", []
        )
        batch = next(iter(trainer.get_train_dataloader()))
        batch = {
            k: v.to(resident.model.device) if hasattr(v, "to") else v for k, v in batch.items()
        }
        trainer.model.to(resident.model.device)
        with torch.no_grad():
            fused = float(trainer.compute_loss(trainer.model, dict(batch)))
            mask = "attention_mask" if "attention_mask" in batch else "position_ids"
            given = {name: batch[name] for name in ("input_ids", mask)}
            logits = resident.model(**given, use_cache=False).logits[:, :-1].float()
            plain = float(cross_entropy(logits.flatten(0, 1), batch["labels"][:, 1:].flatten()))
    apart = abs(fused - plain)
    return Found({"fused": fused, "plain": plain}, "within 0.002", apart < 0.002)


def curve(place: Place) -> Found:
    """SFT and DPO after it in float32, beside a CPU's losses; SFT stopped and resumed as well."""
    recipe = place.recipe("sft", dtype="float32", max_steps=24, learning_rate=1e-3)
    first = place.train(recipe)
    dpo = place.recipe("dpo", dtype="float32", start_from=first.id, learning_rate=1e-4)
    found = {"sft": losses(first), "dpo": losses(place.train(dpo))}
    halted = place.studio.train(recipe)
    while place.studio.runs.get(halted.id).live and place.studio.runs.get(halted.id).step < 4:
        time.sleep(0.002)
    place.studio.stop(halted.id)
    stopped = place.studio.wait(halted.id)
    resumed = place.studio.wait(place.studio.resume(halted.id).id)
    if place.write_curve:
        CURVE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    kept = json.loads(CURVE.read_text(encoding="utf-8"))
    apart = max(
        abs(a - b) / max(1.0, abs(b))
        for name in kept
        for a, b in zip(found[name], kept[name], strict=True)
    )
    gap = max(abs(a - b) for a, b in zip(losses(resumed), found["sft"], strict=True))
    value = {"from_the_cpus": apart, "resumed_at": stopped.step, "from_resumed": gap}
    expected = "both under 0.02, resumed before step 24"  # TF32 has 10 significant bits
    return Found(value, expected, apart < 0.02 and gap < 0.02 and stopped.step < 24)


def methods(place: Place) -> Found:
    """Every method for 3 steps; the base in memory stays as it was, bits and formats."""
    from studio.core.errors import StudioError
    from studio.runs.methods import METHODS

    found: dict[str, str] = {}
    for method in _METHODS_SMALL if place.small else METHODS:
        recipe = place.recipe("sft", method)
        before = place.studio.worker.submit(lambda pool, r=recipe: _digest(pool, r, place)).result()
        try:
            place.train(recipe)
            found[method] = "trained"
        except (RuntimeError, StudioError) as error:
            found[method] = str(error)
        after = place.studio.worker.submit(lambda pool, r=recipe: _digest(pool, r, place)).result()
        if before != after:
            found[method] += ", and moved the base"
    return Found(found, "trained, all of them", set(found.values()) == {"trained"})


def _digest(pool: Any, recipe: Any, place: Place) -> str:
    """Of every tensor of the base that a recipe trains on, and its format."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in pool.base_of(recipe, place.studio.runs).model.state_dict().items():
        digest.update(f"{name} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def float16(place: Place) -> Found:
    """What a T4 meets: adapters, a quantized base, a reward model and all weights in float16."""
    found: dict[str, Any] = {}
    fine = True
    cells = [("sft", "lora"), ("sft", "qlora"), ("sft", "full")]
    if not place.small:  # needs autocast, which a CPU has not in float16
        cells.append(("reward", "lora"))
    for objective, method in cells:
        try:
            seen = losses(place.train(place.recipe(objective, method, dtype="float16")))
            found[f"{objective} {method}"] = seen
            fine = fine and len(seen) == 3 and all(map(math.isfinite, seen))
        except RuntimeError as error:
            found[f"{objective} {method}"] = str(error)
            fine = False
    return Found(found, "three finite losses each", fine)


def moved_weights(place: Place) -> Found:
    """The share of all weights that 25 steps in bfloat16 move, at the usual rate."""
    from safetensors.torch import load_file

    from studio.core.model_names import resolve

    recipe = place.recipe(
        "sft",
        "full",
        dtype="bfloat16",
        max_steps=_MOVED_STEPS,
        per_device_train_batch_size=8,
        max_length=128,
    )
    run = place.train(recipe)
    base = load_file(f"{resolve('pocket').location}/model.safetensors")
    tuned = load_file(run.weights / "model.safetensors")
    pairs = [(tuned[name].float(), base[name].bfloat16().float()) for name in tuned if name in base]
    moved = sum(int((new != old).sum()) for new, old in pairs)
    share = moved / sum(new.numel() for new, _ in pairs)
    return Found(share, "at least 0.99", share >= 0.99)
