"""What a recipe and a GPU settle: precision, quantization, sequences, what runs per batch."""

from __future__ import annotations

import pytest

from studio.calculator.gpus import GPUS, Gpu
from studio.calculator.workload import Precision, workload
from tests.unit.calculator.conftest import SHAPES, TINY, recipe_of

L4 = GPUS["L4 24 GB"]
CPU = Gpu("a CPU", 10**10, 1e11, False, "cpu")


def work(method="lora", objective="sft", gpu=L4, **fields):
    return workload(recipe_of(TINY, method, objective, **fields), gpu)


@pytest.mark.parametrize(
    ("gpu", "dtype", "autocast"),
    [(L4, "bfloat16", True), (GPUS["T4 16 GB"], "float16", True), (CPU, "float32", False)],
)
def test_the_gpu_decides_the_number_format(gpu, dtype, autocast):
    loop = work(gpu=gpu).loop
    assert (loop.dtype, loop.autocast) == (dtype, autocast)
    assert work(gpu=gpu, dtype="float32").loop.dtype == "float32"


def test_autocast_is_the_trainers():
    assert work(gpu=CPU, dtype="bfloat16").loop.autocast
    assert not work(gpu=CPU, dtype="float16").loop.autocast
    assert not work(dtype="float32").loop.autocast


@pytest.mark.parametrize(
    ("method", "objective", "fields", "casts"),
    [
        ("lora", "sft", {}, False),
        ("qlora", "dpo", {}, False),
        ("dora", "sft", {}, True),
        ("lora", "grpo", {}, True),
        ("lora", "sft", {"dtype": "float32"}, False),
    ],
)
def test_peft_widens_inputs_where_the_trainer_lets_it(method, objective, fields, casts):
    assert work(method, objective, **fields).casts_inputs is casts


@pytest.mark.parametrize(
    ("method", "fields", "precision"),
    [
        ("lora", {}, Precision(2, 2, 4)),
        ("lora", {"load_in_8bit": True}, Precision(2, 2, 4)),
        ("qlora", {}, Precision(2, 2, 4)),
        ("full", {}, Precision(2, 2, 4)),
        ("last_layers", {}, Precision(2, 2, 4)),
        ("full", {"dtype": "float32"}, Precision(4, 4, 4)),
    ],
)
def test_bytes_per_number(method, fields, precision):
    assert work(method, **fields).precision == precision


def test_quantization_is_the_recipes():
    assert work().quantization == "none"
    assert work("qlora").quantization == work(load_in_4bit=True).quantization == "4bit"
    assert work("qlora", load_in_8bit=True).quantization == "8bit"


def test_pairs_run_together_and_online_objectives_generate():
    assert work(per_device_train_batch_size=4).sequences == 4
    assert work(objective="dpo", per_device_train_batch_size=4).sequences == 8
    grpo = work(objective="grpo", gradient_accumulation_steps=2, max_completion_length=1024)
    assert (grpo.completions, grpo.length) == (16, 1024)
    assert work().completions == 0


def test_what_else_runs_per_batch():
    assert not work().scores_reference
    assert work(objective="dpo").scores_reference
    assert not work(objective="dpo", precompute_ref_log_probs=True).scores_reference
    assert work(objective="kto").estimates_kl
    assert not work(objective="kto", loss_type="apo_zero_unpaired").estimates_kl


@pytest.mark.parametrize("method", ["full", "last_layers", "pissa"])
def test_the_base_is_kept_beside_weights_that_change(method):
    assert work(method).loop.keeps_base and not work("lora").loop.keeps_base


def test_sizes_by_any_architectures_names():
    gpt2 = workload(recipe_of(SHAPES["gpt2"]), L4).shape
    assert (gpt2.hidden, gpt2.layers, gpt2.heads, gpt2.kv_heads, gpt2.act) == (
        64,
        3,
        4,
        4,
        "gelu_new",
    )
    llama = work().shape
    assert (llama.query, llama.key, llama.vocab) == (64, 32, 300)
