"""Text encoders: parameters as PEFT counts them, memory with pairs, negatives and cached chunks."""

from __future__ import annotations

import json

import pytest

from studio.calculator import GPUS, estimate
from studio.calculator.advice import suggestions
from studio.calculator.dataset_lengths import RowCount, lengths_of
from studio.calculator.meta_model import meta_model
from studio.calculator.parameters import count
from studio.core.errors import ModelError
from studio.runs.methods import peft_config
from studio.runs.recipe import Recipe
from studio.training.auto_batch_size import best_fit
from tests.unit.calculator.conftest import SHAPES, TINY

BERT = {"model_type": "bert", "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4,
        "intermediate_size": 128, "vocab_size": 300}  # fmt: skip
CACHED = ("CachedMultipleNegativesRankingLoss",)


def recipe_of(shape: dict = TINY, method: str = "lora", **changes: object) -> Recipe:
    name = json.dumps(shape)
    return Recipe.defaults("embedding", method, model_name_or_path=name, **changes)


@pytest.mark.parametrize("shape", [*SHAPES.values(), BERT], ids=[*SHAPES, "bert"])
@pytest.mark.parametrize("method", ["lora", "ia3", "full", "last_layers"])
def test_parameters_are_pefts_own_on_the_backbone(shape: dict, method: str) -> None:
    import peft
    from transformers import AutoConfig, AutoModelForCausalLM

    changes = {"lora_target_modules": "all-linear"} if method == "lora" else {}
    if method == "ia3" and shape["model_type"] in ("bert", "qwen2_moe", "phi3"):
        pytest.skip("PEFT has no default targets of IA3 for it")
    recipe = recipe_of(shape, method, **changes)
    values = {key: value for key, value in shape.items() if key != "model_type"}
    config = AutoConfig.for_model(shape["model_type"], **values)
    whole = AutoModelForCausalLM.from_config(config)
    model = getattr(whole, whole.base_model_prefix)
    found = count(recipe)
    assert found.total == sum(weight.numel() for weight in model.parameters())
    if method == "full":
        assert found.trainable == found.total
    elif method == "last_layers":
        assert 0 < found.trainable < found.total
    else:
        wrapped = peft.get_peft_model(model, peft_config(recipe))
        assert (found.trainable, found.all_parameters) == wrapped.get_nb_trainable_parameters()


def test_the_bases_head_stays_loaded_above_the_backbone() -> None:
    text = json.dumps(TINY)
    plain, encoder = meta_model(text), meta_model(text, "encoder")
    assert encoder.head is None and encoder.beside == 300 * 64
    assert encoder.total == plain.total - encoder.beside
    tied = json.dumps(SHAPES["llama tied"])
    assert meta_model(tied, "encoder").beside == 0


def terms(**changes: object) -> dict[str, int]:
    found = estimate(recipe_of(max_length=128, **changes), GPUS["T4 16 GB"])
    return {term.name: term.bytes for term in found.memory.terms}


def test_memory_grows_with_pairs_and_negatives_and_hardly_with_a_cached_loss() -> None:
    few, many = (terms(per_device_train_batch_size=size) for size in (32, 256))
    assert many["activations"] == pytest.approx(8 * few["activations"], rel=0.05)
    mined = terms(per_device_train_batch_size=32, num_negatives=2)
    assert mined["activations"] == pytest.approx(2 * few["activations"], rel=0.05)
    cached = {
        size: terms(per_device_train_batch_size=size, loss_type=CACHED, mini_batch_size=16)
        for size in (32, 256)
    }
    assert cached[32]["activations"] < few["activations"]
    assert cached[256]["activations"] == pytest.approx(cached[32]["activations"], rel=0.05)
    smaller = terms(per_device_train_batch_size=256, loss_type=CACHED, mini_batch_size=8)
    assert 2 * smaller["activations"] == pytest.approx(cached[256]["activations"], rel=0.05)
    vectors = 2 * 4 * 2 * 256 * 64
    assert cached[256]["logits"] == vectors + 3 * 4 * 16 * 256


def test_a_cached_loss_embeds_twice() -> None:
    once, twice = (
        estimate(recipe_of(loss_type=loss), GPUS["T4 16 GB"]).cost.flops_per_token
        for loss in (("MultipleNegativesRankingLoss",), CACHED)
    )
    assert 1.2 * once < twice < 2 * once


def test_what_does_not_fit_is_cached_and_keeps_its_negatives() -> None:
    recipe = recipe_of(
        SHAPES["llama"] | {"hidden_size": 2048, "intermediate_size": 8192,
                           "num_hidden_layers": 16, "num_attention_heads": 16},
        max_length=512, per_device_train_batch_size=1024,
    )  # fmt: skip
    before = estimate(recipe, GPUS["T4 16 GB"], RowCount(5000))
    assert before.verdict != "fits"
    settings = [dict(change.settings) for change in suggestions(before)]
    assert any(each.get("loss_type") == CACHED for each in settings)
    assert not any("per_device_train_batch_size" in each for each in settings)
    fit = best_fit(recipe, rows=5000, gpu=GPUS["T4 16 GB"])
    assert fit.fits and fit.recipe.per_device_train_batch_size == 1024
    assert fit.recipe.loss_type == CACHED


def test_lengths_are_those_of_both_sides_with_their_prompts() -> None:
    recipe = Recipe.defaults("embedding", query_prompt="query: ", num_negatives=1)
    rows = [{"anchor": "Who is Ida?", "positive": "Ida is a baker.", "negatives": None}] * 4
    found = lengths_of(lambda: rows, "encoder-lengths", "embedding_pairs", recipe)
    assert found.size.shape == (4, 3) and found.basis == "the model's own tokenizer"
    bare = lengths_of(
        lambda: rows, "encoder-lengths", "embedding_pairs", recipe.with_(query_prompt="")
    )
    assert found.size[0, 0] > bare.size[0, 0] and found.size[0, 1] == bare.size[0, 1]


def test_an_encoder_writes_no_text() -> None:
    modern = {**BERT, "model_type": "modernbert", "pad_token_id": 0}
    assert meta_model(json.dumps(modern), "encoder").head is None
    with pytest.raises(ModelError):
        meta_model(json.dumps(modern))
