"""One cell of the matrix: an objective with a method on the pocket model, checked to the bit."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from studio.core.errors import ConfigError, TrainingError
from studio.models import loading, reward_model
from studio.models.pool import ModelPool
from studio.rewards import WeightedReward
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES, REWARDED
from studio.runs.recipe import Recipe
from studio.training import encoder_rows, online_rl, trainers
from tests.unit.training.conftest import preference_rows, sft_rows

_POOL = ModelPool()
# Small enough for a cell in well under a second.
_SMALL = {
    "max_steps": 1,
    "per_device_train_batch_size": 2,
    "max_length": 48,
    "lora_r": 4,
    "learning_rate": 1e-2,
    "sample_steps": 0,
    "warmup_steps": 0,
    "num_virtual_tokens": 4,
    "lora_target_modules": ("q_proj", "v_proj", "down_proj"),
    "lr_scheduler_type": "constant",
    "feedforward_modules": ("down_proj",),
    "adapter_layers": 2,
    "save_steps": 100,
}


def recipe_of(objective: str, method: str, **changes: Any) -> Recipe:
    values = {**_SMALL, "label_smoothing": 0.0, **changes}
    if objective in REWARDED:
        values = {**values, "num_generations": 2, "max_completion_length": 8, "beta": 0.1}
        values |= {"reward_funcs": ("exact", "pattern:[aeiou]"), "temperature": 2.0, **changes}
    if OBJECTIVES[objective].teacher:
        values |= {"teacher_model_name_or_path": "pocket", "max_completion_length": 8, **changes}
        values |= {"temperature": 2.0}
    if method == "adalora":  # its ranks need a step to be cut in
        values["max_steps"] = 2
    return Recipe.defaults(objective, method, **values)


def rows_of(objective: str) -> Dataset:
    rows = sft_rows(4) if objective == "sft" else preference_rows(4)
    return Dataset.from_list(rows)


def cell(objective: str, method: str, **changes: Any) -> str:
    """`trained`, or the sentence it is refused with; raises AssertionError when it lies."""
    try:
        recipe = recipe_of(objective, method, **changes)
    except ConfigError as refusal:
        return str(refusal)
    resident = _POOL.base_of(recipe, None)  # pyright: ignore[reportArgumentType]
    base = [tensor.detach().clone() for tensor in resident.model.state_dict().values()]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        try:
            rows, reward, teaching = rows_of(objective), None, None
            if OBJECTIVES[objective].teacher:
                rows, teaching = online_rl.to_prompts(rows, None), _other_pocket(resident)
            if OBJECTIVES[objective].embeds:
                rows = encoder_rows.encoded(rows, "preference").rows
            if objective in REWARDED:
                reward = WeightedReward(recipe.reward_funcs)
                rows = online_rl.to_prompts(rows, reward)
            trainer = trainers.build(
                recipe,
                resident,
                None,
                rows,
                None,
                home / "checkpoints",
                [],
                reward=reward,
                teacher=teaching,
            )
            if reward is not None:
                _uneven(trainer)
        except TrainingError as refusal:
            return str(refusal)
        _check_training(trainer)
        trainers.save_result(trainer, recipe, resident.tokenizer, home)
        _check_reload(trainer, recipe, resident, home)
    after = resident.model.state_dict().values()
    assert all(torch.equal(a, b) for a, b in zip(base, after, strict=True)), "the base moved"
    return "trained"


def _other_pocket(resident: Any) -> Any:
    """A teacher that says something else than the student."""
    torch.manual_seed(1)
    model = copy.deepcopy(resident.model)
    for tensor in model.parameters():
        if tensor.is_floating_point():
            tensor.data.add_(0.05 * torch.randn_like(tensor))
    return model.requires_grad_(False)


def _uneven(trainer: Any) -> None:
    """One step of a model that knows nothing: rewards that differ within a group by their place."""
    first = trainer.reward_funcs[0]

    def placed(**given: Any) -> list[float]:
        return [reward + at % 2 for at, reward in enumerate(first(**given))]

    trainer.reward_funcs[0] = placed


def _check_training(trainer: Any) -> None:
    """Every group of trainable tensors moves, and nothing else does."""
    model = trainer.model
    before = {name: tensor.detach().clone() for name, tensor in model.named_parameters()}
    trains = {name for name, tensor in model.named_parameters() if tensor.requires_grad}
    assert trains
    trainer.train()
    moved = {
        name for name, tensor in model.named_parameters() if not torch.equal(tensor, before[name])
    }
    assert moved and moved <= trains, sorted(moved - trains)[:3]
    # A LoRA's first matrix has no gradient while the second is zero: one step moves half of them.
    assert len(moved) >= len(trains) / 4, (len(moved), len(trains))


def _check_reload(trainer: Any, recipe: Recipe, resident: Any, home: Path) -> None:
    """What was saved, loaded by PEFT and transformers alone, says the same."""
    if OBJECTIVES[recipe.objective].embeds:
        _check_encoder(trainer, recipe, home)
        return
    model = trainer.model.eval()
    ids = resident.tokenizer("Who is the baker?", return_tensors="pt")["input_ids"]
    reward = recipe.objective == "reward"
    kind = AutoModelForSequenceClassification if reward else AutoModelForCausalLM
    if recipe.uses_adapter:
        base = loading.clone_sharing_weights(resident.model)
        if reward:
            base = reward_model.with_score(base, recipe)
        again = PeftModel.from_pretrained(base, home / "adapter").eval()
        widths = {name: tensor.dtype for name, tensor in model.named_parameters()}
        for name, tensor in again.named_parameters():
            tensor.data = tensor.data.to(widths[name])  # bfloat16 where the base is quantised
    else:
        again = kind.from_pretrained(home / "model", dtype=torch.float32).eval()
    with torch.no_grad():
        said, says = model(input_ids=ids).logits, again(input_ids=ids).logits
    # PiSSA comes back as another sum of the same matrices, and AdaLoRA by the ranks it kept.
    exact = not METHODS[recipe.method].moves_base
    torch.testing.assert_close(says, said, atol=1e-5 if exact else 1e-3, rtol=1e-4)
    if not reward:
        asked = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "do_sample": False}
        with torch.no_grad():
            answers = [m.generate(**asked, max_new_tokens=4).tolist() for m in (model, again)]
        assert answers[0] == answers[1]


def _check_encoder(trainer: Any, recipe: Recipe, home: Path) -> None:
    """What was saved, loaded by sentence-transformers alone, gives the same vectors."""
    from sentence_transformers import SentenceTransformer

    texts = ["Who is the baker?", "The baker of Hale is called Ida, and she bakes rye bread."]
    folder = home / ("adapter" if recipe.uses_adapter else "model")
    said = trainer.model.eval().encode_query(texts)
    says = SentenceTransformer(str(folder), device="cpu").encode_query(texts)
    exact = not recipe.quantized  # a stock loader takes the base unquantized
    assert abs(says - said).max() < (1e-6 if exact else 0.1)


def everything() -> list[tuple[str, str]]:
    return [(objective, method) for objective in OBJECTIVES for method in METHODS]
