"""Estimated: against what was measured, and against hand arithmetic where it is exact."""

from __future__ import annotations

import json

import pytest

from studio.calculator import CARDS, estimate, estimate_recipe, suggestions
from studio.core.errors import ConfigError
from studio.runs.recipe import Recipe
from tests.unit.calculator.conftest import TINY

LLAMA_3B = "meta-llama/Llama-3.2-3B-Instruct"
MISTRAL = "mistralai/Mistral-7B-Instruct-v0.3"
# Peak memory that PEFT's own method comparison measured on an L40S (bytes).
MEASURED = {
    ("lora", 32): 22_292_725_760,
    ("lora", 64): 22_552_772_608,
    ("dora", 32): 24_532_484_096,
}
THEIR_LOOP = {
    "card": "L40S",
    "dtype": "bfloat16",
    "optim": "adamw_torch",
    "max_length": 768,
    "per_device_train_batch_size": 4,
    "autocast": False,
    "fused_loss": False,
    "lora_target_modules": ["q_proj", "v_proj"],
}


@pytest.mark.parametrize(("method", "r"), MEASURED)
def test_within_fifteen_percent_of_the_measured_runs(method, r):
    found = estimate(LLAMA_3B, method=method, lora_r=r, **THEIR_LOOP)
    assert found.memory.total == pytest.approx(MEASURED[method, r], rel=0.15)


def test_measured_figures_are_the_published_ones(real_data):
    for (method, r), peak in MEASURED.items():
        tail = f"rank{r}{'-dora' if method == 'dora' else ''}"
        path = real_data / "peft_results" / f"lora--llama-3.2-3B-{tail}.json"
        assert json.loads(path.read_text())["train_info"]["accelerator_memory_max"] == peak


def test_the_rules_of_thumb_and_what_they_assume():
    """About 126 GB: 18 bytes a parameter, float32 masters with 16-bit copies and AdamW."""
    config = {
        "model_type": "llama",
        "hidden_size": 4096,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "intermediate_size": 11008,
        "vocab_size": 32000,
    }
    small = {"per_device_train_batch_size": 1, "activation_checkpointing": True, "card": "H200"}
    full = estimate(config, method="full", dtype="float32", autocast=True, **small)
    assert full.memory.total == pytest.approx(126e9, rel=0.15)
    quantised = estimate(config, method="qlora", max_length=2048, lora_r=64, **small)
    assert quantised.memory.total == pytest.approx(7e9, rel=0.15)


def test_exact_terms():
    found = estimate(TINY, lora_r=4, card="L4", dtype="bfloat16").memory.as_dict()
    count = estimate(TINY, lora_r=4, card="L4")
    assert found["weights"] == 2 * count.total_parameters
    assert found["adapters"] == found["gradients"] == 4 * count.trainable_parameters
    assert found["optimizer"] == 8 * count.trainable_parameters
    assert found["total"] == sum(size for name, size in found.items() if name != "total")


def test_four_bits_leave_embeddings_and_head():
    plain = estimate(MISTRAL, card="L4", dtype="bfloat16")
    small = estimate(MISTRAL, card="L4", dtype="bfloat16", method="qlora")
    linear = sum(info.parameters for info in small.skeleton.linears())
    constants = linear / 64 * (1 + 4 / 256)
    largest = 2 * 4096 * 14336
    wanted = linear / 2 + constants + 2 * (plain.total_parameters - linear) + largest
    assert small.memory.as_dict()["weights"] == pytest.approx(wanted, rel=1e-6)
    assert small.trainable_parameters == plain.trainable_parameters


@pytest.mark.parametrize(
    ("change", "smaller"),
    [
        ({"activation_checkpointing": True}, "activations"),
        ({"max_length": 256}, "activations"),
        ({"per_device_train_batch_size": 1}, "activations"),
        ({"optim": "adamw_8bit"}, "optimizer"),
        ({"optim": "sgd"}, "optimizer"),
        ({"optim": "adafactor"}, "optimizer"),
        ({"quantization": "8bit"}, "weights"),
        ({"attn_implementation": "flash_attention_2"}, "activations"),
    ],
)
def test_what_saves_memory(change, smaller):
    base = estimate(MISTRAL, card="A100 80").memory.as_dict()
    changed = estimate(MISTRAL, card="A100 80", **change).memory.as_dict()
    assert changed.get(smaller, 0) < base[smaller]
    assert changed["total"] < base["total"]


def test_dpo_runs_both_sides_and_full_keeps_a_reference():
    sft = estimate(MISTRAL, card="A100 80")
    dpo = estimate(MISTRAL, card="A100 80", objective="dpo")
    kept = sft.memory.as_dict()["activations"]
    assert dpo.memory.as_dict()["activations"] == pytest.approx(2 * kept, rel=0.02)
    assert "reference" not in dpo.memory.as_dict()
    full = estimate(MISTRAL, card="A100 80", objective="dpo", method="full")
    assert full.memory.as_dict()["reference"] == full.memory.as_dict()["weights"]


def test_a_reward_model_has_a_score_where_the_head_was():
    sft = estimate(MISTRAL, card="A100 80", dtype="bfloat16")
    reward = estimate(MISTRAL, card="A100 80", dtype="bfloat16", objective="reward")
    vocabulary, width = 32_768, 4096
    assert sft.total_parameters - reward.total_parameters == (vocabulary - 1) * width
    assert reward.trainable_parameters - sft.trainable_parameters == width
    found = reward.memory.as_dict()
    assert "logits" not in found
    # The base that training shares keeps its head.
    assert found["weights"] == sft.memory.as_dict()["weights"] + 2 * width


def test_kto_runs_the_batch_once_more_for_its_kl_term():
    settings = {"card": "A100 80", "objective": "kto"}
    kl = estimate(MISTRAL, **settings)
    plain = estimate(MISTRAL, **settings, loss_type="apo_zero_unpaired")
    sft = estimate(MISTRAL, card="A100 80")
    forward = sft.cost.flops_per_token / 2
    extra = kl.cost.flops_per_token - plain.cost.flops_per_token
    assert extra == pytest.approx(2 * forward, rel=0.02)  # under the policy and the reference
    ahead = estimate(MISTRAL, **settings, precompute_ref_log_probs=True)
    assert ahead.cost.flops_per_token - sft.cost.flops_per_token == pytest.approx(forward, rel=0.02)
    # Without gradients, and done before the graph is there: time, but no memory.
    assert kl.memory.total == plain.memory.total
    tight = estimate(MISTRAL, card="T4", objective="kto")
    smallest = [
        dict(change.settings).get("per_device_train_batch_size", 2) for change in suggestions(tight)
    ]
    assert min(smallest) == 2


@pytest.mark.parametrize("objective", ["orpo", "cpo", "simpo"])
def test_trainers_without_the_fused_loss_hold_both_sides_logits(objective):
    fused = estimate(MISTRAL, card="A100 80", objective="dpo").memory.as_dict()
    whole = estimate(MISTRAL, card="A100 80", objective=objective).memory.as_dict()
    assert whole["logits"] >= 2 * 8 * 512 * 32_768 * 2 > fused["logits"]


def test_eager_attention_grows_with_the_square_of_the_length():
    def kept(length, kernel):
        found = estimate(TINY, card="L4", max_length=length, attn_implementation=kernel)
        return found.memory.as_dict()["activations"] / length

    assert kept(4096, "eager") > 3 * kept(512, "eager")
    assert kept(4096, "sdpa") == pytest.approx(kept(512, "sdpa"), rel=0.1)


def test_suggestions_make_it_fit():
    found = estimate(MISTRAL, card="L4", max_length=2048)
    assert found.verdict == "does not fit"
    best = suggestions(found)[0]
    assert best.verdict == "fits"
    changes = dict(best.settings)
    assert estimate(MISTRAL, card="L4", **({"max_length": 2048} | changes)).verdict == "fits"
    assert suggestions(estimate(TINY, card="L4")) == []


def test_a_full_fine_tune_that_does_not_fit_is_offered_lora():
    found = estimate(MISTRAL, card="A100 40", method="full", per_device_train_batch_size=1)
    labels = [change.label for change in suggestions(found)]
    assert any("LoRA" in label for label in labels)


def test_time_is_a_range_and_a_measured_speed_beats_the_peak():
    settings = {"card": "L4", "rows": 1000, "mean_tokens": 100, "num_train_epochs": 1.0}
    guessed = estimate(MISTRAL, **settings).cost
    assert guessed.steps == 125
    assert guessed.seconds[0] < guessed.seconds[1]
    measured = estimate(MISTRAL, **settings, tokens_per_second=1000).cost
    assert measured.seconds == pytest.approx((90, 192))
    assert estimate(MISTRAL, card="L4").cost.seconds is None
    slower = estimate(MISTRAL, **settings, activation_checkpointing=True).cost
    assert slower.flops_per_token == pytest.approx(1.5 * guessed.flops_per_token, rel=0.02)
    full = estimate(MISTRAL, **settings, method="full").cost
    assert full.flops_per_token == pytest.approx(1.5 * guessed.flops_per_token, rel=0.02)


def test_the_line_beside_the_button():
    recipe = Recipe.defaults(
        model_name_or_path="TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        lora_r=8,
        lora_target_modules=["q_proj", "k_proj", "v_proj"],
    )
    found = estimate_recipe(recipe, rows=1000, mean_tokens=60, card="L4 24 GB")
    assert found.line().startswith("1.53 M trainable (0.139 %) \N{MIDDLE DOT} ")
    assert found.line().endswith(" \N{MIDDLE DOT} fits")
    json.dumps(found.as_dict())


@pytest.mark.parametrize("objective", ["sft", "dpo"])
@pytest.mark.parametrize("method", ["lora", "dora", "qlora", "full"])
def test_every_recipe_has_an_estimate(objective, method):
    recipe = Recipe.defaults(objective, method, model_name_or_path=LLAMA_3B)
    assert estimate_recipe(recipe, rows=100, card="H100").memory.total > 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"card": "L4O"}, "no card .L4O. here"),
        ({"card": "A100"}, "Say which: A100 40 GB, A100 80 GB"),
        ({"max_length": 0}, "max_length is 0"),
        ({"per_device_train_batch_size": -1}, "per_device_train_batch_size is -1"),
        ({"quantization": "3bit"}, "quantization .3bit. is not known"),
        ({"method": "full", "quantization": "4bit"}, "choose qlora"),
        ({"dtype": "float8"}, "dtype .float8. is not known"),
        ({"max_lenght": 5}, 'no setting .max_lenght.. Did you mean "max_length"'),
    ],
)
def test_settings_that_cannot_be_used(settings, words):
    with pytest.raises(ConfigError, match=words):
        estimate(TINY, **({"card": "L4"} | settings))


def test_an_unlisted_optimizer_is_said():
    assert "counted as 32-bit AdamW" in estimate(TINY, card="L4", optim="apollo_adamw").notes[0]


def test_cards():
    assert {card.memory // 10**9 for card in CARDS.values()} >= {16, 24, 48, 40, 80, 141}
    here = estimate(TINY).card
    assert here.memory > 0


def test_answers_being_written_count_where_they_need_more_than_their_training():
    def grpo(**changes: object):
        usual = {
            "objective": "grpo",
            "card": "A100 80",
            "max_length": 256,
            "rows": 100,
            "num_train_epochs": 1,
        }
        return estimate("pocket", **{**usual, **changes})  # pyright: ignore[reportArgumentType]

    plain = grpo(per_device_train_batch_size=8)
    assert "generation" not in plain.memory.as_dict()  # in the room of activations
    assert any("8 answers x 256 tokens" in note for note in plain.notes)
    # 1,024 answers a step, learned from 8 at a time: their cache is what fills the card
    many = grpo(per_device_train_batch_size=8, gradient_accumulation_steps=128)
    assert many.memory.as_dict()["generation"] > plain.memory.total / 10
    longer = grpo(max_completion_length=1024)
    assert longer.plan.max_length == 1024
    assert plain.cost.steps == 100 and grpo(num_generations=2).cost.steps == 25
    assert (longer.cost.seconds or (0,))[0] > (plain.cost.seconds or (0,))[0]
