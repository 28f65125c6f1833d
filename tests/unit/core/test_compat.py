"""Private names of the libraries: each is there, and does what the studio uses it for.

A failure names the library, the version it was read in, and what to look at.
"""

from __future__ import annotations

import importlib
from importlib.metadata import version
from types import SimpleNamespace

import pytest
from jinja2 import TemplateSyntaxError

from studio.core import compat

READ_IN = {"transformers": "5.23", "trl": "1.16", "peft": "0.21.2", "bitsandbytes": "0.50"}
NAMES = [
    (
        "transformers.utils.chat_template_utils:_compile_jinja_template",
        "chat templates are parsed before a run",
    ),
    (
        "transformers.modeling_gguf_pytorch_utils:tqdm",
        "reading a GGUF export back prints no progress bar",
    ),
    (
        "transformers.integrations.gguf.gguf_tokenizer_mapping:GGUF_PRE_TOKENIZER_SPLITS",
        "GGUF exports name the tokenizer's word splitting",
    ),
    (
        "transformers.modeling_rope_utils:ROPE_INIT_FUNCTIONS",
        "GGUF exports of Llama 3 write its rotary factors",
    ),
    (
        "transformers:GenerationMixin._supports_default_dynamic_cache",
        "a static cache is refused where a model has none",
    ),
    ("transformers:Trainer._get_grad_norm", "a run stops at a gradient norm that is not finite"),
    ("transformers:Trainer._save_checkpoint", "half-written checkpoints never count"),
    ("trl.trainer.utils:_use_triton", "the loss head skips padding without Triton"),
    ("trl.trainer.utils:add_fused_lm_head", "GRPO and RLOO score a reference model of their own"),
    ("trl:SFTTrainer._prepare_dataset", "the token view shows SFT rows as TRL tokenizes them"),
    ("trl:DPOTrainer._prepare_dataset", "the token view shows pairs as TRL tokenizes them"),
    ("trl:KTOTrainer._prepare_dataset", "the token view shows KTO rows as TRL tokenizes them"),
    ("trl.data_utils:_tokenize", "the token view shows prompts as TRL tokenizes them"),
    ("trl.trainer.dpo_trainer:hash_module", "a known reference's weights need no hash"),
    ("trl.trainer.kto_trainer:hash_module", "a known reference's weights need no hash"),
    ("trl:DPOTrainer._precompute_ref_logps", "runs share the reference's log-probabilities"),
    ("trl:KTOTrainer._precompute_ref_logps", "runs share the reference's log-probabilities"),
    (
        "peft.utils.transformers_weight_conversion:_MODEL_TO_CONVERSION_PATTERN",
        "the calculator names the expert matrices of a mixture of experts",
    ),
    (
        "peft.utils.transformers_weight_conversion:_MOE_TARGET_MODULE_MAPPING",
        "the calculator names the expert matrices of a mixture of experts",
    ),
    (
        "bitsandbytes.nn:Linear8bitLt.init_8bit_state",
        "clones that share 8-bit weights find their scales",
    ),
]


def broken(library: str, use: str) -> str:
    return (
        f"{library} {version(library)} differs from {READ_IN[library]}, which the studio was "
        f"written against: {use}. Read the new code, then change studio/core/compat.py."
    )


@pytest.mark.parametrize(("place", "use"), NAMES, ids=[place for place, _ in NAMES])
def test_the_private_name_is_there(place, use):
    module, _, names = place.partition(":")
    found = importlib.import_module(module)
    for name in names.split("."):
        found = getattr(found, name, None)
    assert found is not None, broken(module.partition(".")[0], f"{place} is gone, so that {use}")


def test_a_template_with_generation_marks_compiles_and_a_broken_one_is_named():
    compat.compile_template("{% generation %}{{ messages[0].content }}{% endgeneration %}")
    with pytest.raises(TemplateSyntaxError):
        compat.compile_template("{% if %}")


def test_a_config_carries_its_commit_and_its_attention_kernel():
    from transformers import LlamaConfig

    config = LlamaConfig(attn_implementation="eager")
    use = "config._commit_hash tells which weights a run was trained on"
    assert compat.commit_hash(config) is None, broken("transformers", use)
    compat.set_commit_hash(config, "abc")
    assert compat.commit_hash(config) == "abc", broken("transformers", use)
    assert compat.attention_kernel(config) == "eager", broken(
        "transformers", "config._attn_implementation decides on padding-free batches"
    )


def test_llama_3_frequencies_come_one_for_each_pair_of_dimensions():
    from transformers import LlamaConfig

    scaling = {
        "rope_type": "llama3",
        "rope_theta": 5e5,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    config = LlamaConfig(
        hidden_size=64, num_attention_heads=4, head_dim=16, rope_parameters=scaling
    )
    found = compat.llama3_inverse_frequencies(config)
    assert found.shape == (8,), broken("transformers", "GGUF exports write rotary factors")
    assert float(found[0]) == pytest.approx(1.0)
    assert float(found[-1]) < 5e5 ** -(14 / 16)  # the slowest are slowed further


def test_the_gguf_reader_shows_no_bar(capsys):
    from transformers import modeling_gguf_pytorch_utils as reader

    compat.silence_gguf_reader()
    assert list(reader.tqdm([1, 2], desc="tensors")) == [1, 2]
    assert capsys.readouterr().err == "", broken("transformers", "exports print no progress bar")


def test_the_names_of_llama_cpps_pre_tokenizers_are_known():
    names = compat.gguf_pre_tokenizers()
    assert {"llama-bpe", "qwen2", "tekken", "gpt-4o"} <= set(names), broken(
        "transformers", "GGUF exports name the tokenizer's word splitting"
    )


def test_the_loss_head_skips_padding_inside_the_block_and_only_there():
    from trl.trainer import utils

    before = utils._use_triton
    with compat.unpadded_lm_head():
        assert utils._use_triton(None) is True
    assert utils._use_triton is before


def test_hooks_stand_around_what_the_trainer_does():
    done = []

    class Trainer:
        def _get_grad_norm(self, model, grad_norm=None):
            return grad_norm

        def _save_checkpoint(self, model, trial):
            done.append(("saved", model, trial))

        def _precompute_ref_logps(self, dataset, name, batch_size):
            return [*dataset, name, batch_size]

    class Hooked(compat.TrainerHooks, Trainer):
        def on_grad_norm(self, norm):
            done.append(("norm", norm))

        def around_save(self, save):
            done.append("before")
            save()

    hooked = Hooked()
    assert hooked._get_grad_norm("model", grad_norm=2) == 2
    hooked._save_checkpoint("model", None)
    assert hooked._precompute_ref_logps(["row"], "train", 4) == ["row", "train", 4]
    assert done == [("norm", 2.0), "before", ("saved", "model", None)]


def test_hooks_have_the_signatures_that_the_trainers_call():
    import inspect

    import transformers
    import trl

    for name, owner, library in (
        ("_get_grad_norm", transformers.Trainer, "transformers"),
        ("_save_checkpoint", transformers.Trainer, "transformers"),
        ("_precompute_ref_logps", trl.DPOTrainer, "trl"),
        ("_precompute_ref_logps", trl.KTOTrainer, "trl"),
    ):
        ours, theirs = (
            list(inspect.signature(getattr(each, name)).parameters)
            for each in (compat.TrainerHooks, owner)
        )
        assert ours == theirs, broken(library, f"{name} is overridden with other parameters")


def test_experts_of_a_fused_model_are_named_and_other_models_have_none():
    assert {"gate_proj", "up_proj"} <= set(compat.expert_names("qwen3_moe")) or compat.expert_names(
        "mixtral"
    ), broken("peft", "the calculator names expert matrices")
    assert compat.expert_names("llama") == ()


def test_layers_of_bitsandbytes_are_kept_from_repacking_and_from_losing_their_scales():
    torch = pytest.importorskip("torch")
    from bitsandbytes.nn import Linear4bit, Linear8bitLt

    four, eight = Linear4bit(8, 8), Linear8bitLt(8, 8, has_fp16_weights=False)
    assert hasattr(four, "support_avx512bf16_for_cpu"), broken(
        "bitsandbytes", "a 4-bit base keeps its weights at the first answer on some CPUs"
    )
    model = torch.nn.Sequential(four, eight)
    eight.state.CB = torch.zeros(1)
    compat.keep_quantized_weights(model, eight_bit=False)
    assert four.support_avx512bf16_for_cpu is False
    assert any(each is eight.state.CB for each in compat.state_tensors(model)), broken(
        "bitsandbytes", "clones share what 8-bit layers keep in `state`"
    )


def test_a_llama_adapter_takes_the_forward_of_now():
    inner = SimpleNamespace(forward="now")
    wrapper = SimpleNamespace(model=inner, forward="before")
    compat.refresh_adaption_prompt(SimpleNamespace(model=SimpleNamespace(base_model=wrapper)))
    assert wrapper.forward == "now"
