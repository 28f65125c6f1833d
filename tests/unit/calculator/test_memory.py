"""Peak memory: hand arithmetic where it is exact, in proportion where it is estimated."""

from __future__ import annotations

import pytest

from studio.calculator import Gpu, estimate
from studio.calculator.gpus import find_gpu
from tests.unit.calculator.conftest import MISTRAL, TINY, recipe_of


def terms(*of, gpu="A100 80", **fields):
    return estimate(recipe_of(*of, **fields), gpu).memory.as_dict()


def test_exact_terms():
    found = estimate(recipe_of(TINY, lora_r=4, dtype="bfloat16"), "L4")
    memory = found.memory.as_dict()
    assert memory["weights"] == 2 * found.total_parameters
    assert memory["adapters"] == memory["gradients"] == 4 * found.trainable_parameters
    assert memory["optimizer"] == 8 * found.trainable_parameters
    assert memory["total"] == sum(size for name, size in memory.items() if name != "total")


def test_a_full_fine_tune_takes_18_bytes_a_parameter_beside_the_base():
    """Float32 weights, gradients and two moments, and a 16-bit copy of each matrix."""
    recipe = recipe_of(MISTRAL, "full", dtype="bfloat16", optim="adamw_torch_fused")
    found = estimate(recipe, "H200")
    memory, total = found.memory.as_dict(), found.total_parameters
    assert memory["weights"] == memory["gradients"] == 4 * total
    assert memory["optimizer"] == 8 * total
    assert memory["working copies"] == 2 * sum(m.parameters for m in found.model.linears())
    assert memory["reference"] == 2 * total  # the base, as it is shared
    assert found.saved_bytes == 4 * total


def test_the_default_of_a_full_fine_tune_on_a_gpu_is_counted_in_8_bits():
    plain = recipe_of(MISTRAL, "full", optim="auto")
    found = estimate(plain, "H200").memory
    before = estimate(plain.with_(optim="adamw_torch_fused"), "H200").memory.as_dict()
    assert found.as_dict()["optimizer"] == pytest.approx(before["optimizer"] / 4, rel=0.02)
    assert any(term.formula.startswith("adamw_8bit: ") for term in found.terms)
    here = Gpu("this CPU", 10**9, 1e11, device="cpu")
    assert estimate(plain, here).memory.as_dict()["optimizer"] == before["optimizer"]


def test_last_layers_train_in_float32_beside_a_16_bit_base():
    found = estimate(recipe_of(MISTRAL, "last_layers", dtype="bfloat16"), "H200")
    memory, trained = found.memory.as_dict(), found.trainable_parameters
    assert memory["weights"] == 4 * trained + 2 * (found.total_parameters - trained)
    assert memory["gradients"] == 4 * trained and memory["reference"] == 2 * trained
    assert found.saved_bytes == memory["weights"]


@pytest.mark.parametrize("method", ["lora", "qlora", "dora"])
def test_adapters_train_in_float32_whatever_the_base(method):
    found = estimate(recipe_of(MISTRAL, method, dtype="bfloat16"), "H200")
    memory, trained = found.memory.as_dict(), found.trainable_parameters
    assert memory["adapters"] == memory["gradients"] == 4 * trained
    assert (memory["optimizer"], memory["working copies"]) == (8 * trained, 2 * trained)


def test_four_bits_leave_embeddings_and_head():
    plain = estimate(recipe_of(MISTRAL, dtype="bfloat16"), "L4")
    small = estimate(recipe_of(MISTRAL, "qlora", dtype="bfloat16"), "L4")
    linear = sum(info.parameters for info in small.model.linears())
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
        ({"load_in_8bit": True}, "weights"),
        ({"attn_implementation": "flash_attention_2"}, "activations"),
    ],
)
def test_what_saves_memory(change, smaller):
    base, changed = terms(MISTRAL), terms(MISTRAL, **change)
    assert changed.get(smaller, 0) < base[smaller]
    assert changed["total"] < base["total"]


def test_dpo_runs_both_sides_and_full_keeps_a_reference():
    dpo = terms(MISTRAL, "lora", "dpo")
    assert dpo["activations"] == pytest.approx(2 * terms(MISTRAL)["activations"], rel=0.02)
    assert "reference" not in dpo
    full = terms(MISTRAL, "full", "dpo")
    assert 2 * full["reference"] == full["weights"]  # 16 bits beside float32


def test_dpo_from_an_adapter_keeps_a_frozen_copy_of_it():
    continued = terms(MISTRAL, "lora", "dpo", start_from="some-run")
    assert continued["reference"] == continued["adapters"]
    assert "reference" not in terms(MISTRAL, "lora", "dpo", start_from="some-run", start_as="merge")


def test_a_reward_model_has_a_score_where_the_head_was():
    sft, reward = (
        estimate(recipe_of(MISTRAL, "lora", objective, dtype="bfloat16"), "A100 80")
        for objective in ("sft", "reward")
    )
    vocabulary, width = 32_768, 4096
    assert sft.total_parameters - reward.total_parameters == (vocabulary - 1) * width
    assert reward.trainable_parameters - sft.trainable_parameters == width
    found = reward.memory.as_dict()
    assert "logits" not in found
    # The base that training shares keeps its head.
    assert found["weights"] == sft.memory.as_dict()["weights"] + 2 * width


@pytest.mark.parametrize("objective", ["orpo", "cpo", "simpo"])
def test_trainers_without_the_fused_loss_hold_both_sides_logits(objective):
    fused, whole = terms(MISTRAL, "lora", "dpo"), terms(MISTRAL, "lora", objective)
    assert whole["logits"] >= 2 * 8 * 512 * 32_768 * 2 > fused["logits"]


def test_completions_count_where_generating_needs_more_than_training_on_them():
    fields = {"max_length": 256, "per_device_train_batch_size": 8}
    plain = estimate(recipe_of("pocket", "lora", "grpo", **fields), "A100 80")
    assert "generation" not in plain.memory.as_dict()  # in the room of activations
    assert any("8 completions x 256 tokens" in note for note in plain.notes)
    # 1,024 completions per step, trained on 8 at a time: their cache is what fills the GPU
    many = terms("pocket", "lora", "grpo", gradient_accumulation_steps=128, **fields)
    assert many["generation"] > plain.memory.total / 10


def test_vllm_takes_its_share_of_the_gpu_and_gives_the_room_of_training_back_asleep():
    awake = terms("pocket", "lora", "grpo", use_vllm=True, vllm_enable_sleep_mode=False)
    asleep = terms("pocket", "lora", "grpo", use_vllm=True)
    share = awake["vllm"]
    assert share == round(0.3 * find_gpu("A100 80").memory)
    assert asleep["vllm"] == share - asleep["activations"] - asleep["logits"]
    assert "generation" not in asleep and asleep["reference"] > 0, "a base of its own is merged"
    address = {"vllm_mode": "server", "vllm_server_base_url": "http://localhost:8000"}
    assert "vllm" not in terms("pocket", "lora", "grpo", use_vllm=True, **address)
    assert "vllm" not in terms("pocket", "lora", "grpo")


def test_offloaded_activations_leave_one_layer_on_the_card():
    recipe = recipe_of(MISTRAL).with_(max_length=8192)

    def term(**changes):
        found = estimate(recipe.with_(**changes), "A100 80").memory
        return next(one for one in found.terms if one.name == "activations")

    kept, moved = term(), term(activation_offloading=True)
    assert moved.bytes < kept.bytes / 4 and "in the host's memory" in moved.formula
    both = term(activation_offloading=True, activation_checkpointing=True)
    assert both.bytes == moved.bytes < term(activation_checkpointing=True).bytes * 2
