"""Other libraries' private names, all in one place, each with the version it was read in.

Nothing is imported before it is used. `tests/unit/core/test_compat.py` checks each name, and says
what the studio loses where one changes.
"""

# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false, reportMissingTypeStubs=false
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from studio.core.library_types import LanguageModel, ModelConfig, Rows, Tokenizer, Trainer

if TYPE_CHECKING:
    import torch
    from datasets import Dataset, IterableDataset

# --- transformers 5.23


def compile_template(text: str) -> None:
    """Parse a chat template in transformers' own Jinja environment; raises `TemplateSyntaxError`.

    `transformers.utils.chat_template_utils._compile_jinja_template`: it knows `{% generation %}`.
    """
    from transformers.utils.chat_template_utils import _compile_jinja_template

    _compile_jinja_template(text)


def template_variables(text: str) -> frozenset[str]:
    """The names that a chat template reads and does not set, parsed as by `compile_template`."""
    from jinja2 import meta
    from transformers.utils.chat_template_utils import _compile_jinja_template

    compiled: Any = _compile_jinja_template(text)
    return frozenset(meta.find_undeclared_variables(compiled.environment.parse(text)))


def commit_hash(config: ModelConfig) -> str | None:
    """The Hub commit that a model was loaded from (`PretrainedConfig._commit_hash`)."""
    return getattr(config, "_commit_hash", None)


def set_commit_hash(config: ModelConfig, commit: str | None) -> None:
    """Record the commit on a config whose loader left it out, as the GGUF reader does."""
    config._commit_hash = commit


def attention_kernel(config: ModelConfig) -> str:
    """The attention implementation in use, such as sdpa (`config._attn_implementation`)."""
    return config._attn_implementation


def takes_static_cache(model: LanguageModel) -> bool:
    """Whether `generate` builds the cache that it is told to (`_supports_default_dynamic_cache`);
    models with a state of their own ignore it."""
    ask: Any = model
    return ask._supports_default_dynamic_cache()


def forget_compiled(model: LanguageModel) -> None:
    """Let a copy of a model compile its own decoding step: the one that `get_compiled_call` kept
    (`_compiled_call`) calls the model that it was copied from."""
    for name in ("_compiled_call", "_last_compile_config"):
        vars(model).pop(name, None)


def silence_gguf_reader() -> None:
    """Turn off the progress bar of transformers' GGUF reader, which has no switch.

    `transformers.modeling_gguf_pytorch_utils.tqdm`.
    """
    from tqdm import tqdm
    from transformers import modeling_gguf_pytorch_utils as reader

    reader.tqdm = partial(tqdm, disable=True)


def gguf_pre_tokenizers() -> Mapping[str, str]:
    """llama.cpp's names of pre-tokenizers, each with its regular expression.

    `transformers.integrations.gguf.gguf_tokenizer_mapping.GGUF_PRE_TOKENIZER_SPLITS`.
    """
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    return GGUF_PRE_TOKENIZER_SPLITS


def llama3_inverse_frequencies(config: ModelConfig) -> torch.Tensor:
    """Rotary frequencies under Llama 3's scaling (`ROPE_INIT_FUNCTIONS["llama3"]`)."""
    import torch
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    return ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))[0]


# --- TRL 1.16, and the Trainer of transformers 5.23


@contextlib.contextmanager
def unpadded_lm_head() -> Generator[None]:
    """Let TRL's fused loss head score only the trained positions (`trl.trainer.utils._use_triton`).

    TRL does so where Triton compiles its kernel. Elsewhere it scores padding and prompts too, for
    devices that recompile at every new shape; a CPU does not. The loss is the same: TRL masks the
    other positions afterwards.
    """
    from trl.trainer import utils

    original = utils._use_triton
    utils._use_triton = lambda device: True
    try:
        yield
    finally:
        utils._use_triton = original


@contextlib.contextmanager
def reference_known_as(key: str | None) -> Generator[None]:
    """Give TRL a key for the reference's weights (`hash_module` of its DPO and KTO trainers).

    It would copy every weight to the host and hash it, minutes for a large model, although the
    studio knows what the scores depend on. None leaves TRL to it.
    """
    from trl.trainer import dpo_trainer, kto_trainer

    modules: list[Any] = [] if key is None else [dpo_trainer, kto_trainer]
    kept = [module.hash_module for module in modules]
    for module in modules:
        module.hash_module = lambda model: key
    try:
        yield
    finally:
        for module, original in zip(modules, kept, strict=True):
            module.hash_module = original


def add_fused_lm_head(model: LanguageModel, temperature: float) -> None:
    """Give a reference model the loss head that GRPO and RLOO call (`trl.trainer.utils`)."""
    from trl.trainer.utils import add_fused_lm_head as add

    add(model, temperature=temperature)  # pyright: ignore[reportArgumentType]


class TrainerHooks:
    """Private methods of the Trainer and of TRL's trainers, turned into hooks with public names.

    Mixed in before a trainer class. `Trainer._get_grad_norm` and `Trainer._save_checkpoint` are
    transformers'; `_precompute_ref_logps` belongs to `DPOTrainer` and `KTOTrainer`,
    `_generate_single_turn` to `GRPOTrainer`, `RLOOTrainer` and `DistillationTrainer` (TRL 1.16).
    """

    def on_grad_norm(self, norm: float) -> None:
        """Called with each gradient norm before the optimizer steps; may raise."""

    def around_save(self, save: Callable[[], None]) -> None:
        """Called in place of writing a checkpoint; `save` writes it."""
        save()

    def around_ref_logps(self, dataset: Dataset, score: Callable[[], Dataset]) -> Dataset:
        """Called in place of scoring the reference; `score` does so. The dataset with columns."""
        return score()

    def around_sampling(self, sample: Callable[[], Any]) -> Any:
        """Called in place of sampling completions; `sample` does so, by the model's `generate`."""
        return sample()

    def _generate_single_turn(self, *args: Any, **kwargs: Any) -> Any:
        sample = super()._generate_single_turn  # pyright: ignore[reportAttributeAccessIssue]
        return self.around_sampling(lambda: sample(*args, **kwargs))

    def _get_grad_norm(self, model: object, grad_norm: object = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # pyright: ignore[reportAttributeAccessIssue]
        self.on_grad_norm(float(norm))
        return norm

    def _save_checkpoint(self, model: object, trial: object) -> None:
        save = super()._save_checkpoint  # pyright: ignore[reportAttributeAccessIssue]
        self.around_save(lambda: save(model, trial))

    def _precompute_ref_logps(self, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        score = super()._precompute_ref_logps  # pyright: ignore[reportAttributeAccessIssue]
        return self.around_ref_logps(dataset, lambda: score(dataset, name, batch_size))


def tokenized_by_trl(
    objective: str, dataset: IterableDataset, tokenizer: Tokenizer, **settings: object
) -> Rows:
    """A dataset's rows as a TRL trainer tokenizes them, without a trainer or a model.

    `SFTTrainer._prepare_dataset`, `DPOTrainer._prepare_dataset` and `KTOTrainer._prepare_dataset`,
    on stand-ins for the trainer and its arguments.

    Args:
        objective: sft, dpo or kto.
        settings: for sft, `completion_only_loss` and `chat_template`.
    """
    trainer: Any = SimpleNamespace(_tokenizer=tokenizer, calculate_KL=False, **settings)
    args: Any = SimpleNamespace(
        dataset_num_proc=None,
        dataset_text_field="text",
        max_length=None,
        truncation_mode="keep_start",
        shuffle_dataset=False,
        assistant_only_loss=False,
    )
    processing_class: Any = tokenizer
    if objective == "sft":
        from trl.trainer.sft_trainer import SFTTrainer

        return SFTTrainer._prepare_dataset(
            trainer, dataset, processing_class, args, False, None, "view"
        )
    if objective == "dpo":
        from trl.trainer.dpo_trainer import DPOTrainer

        return DPOTrainer._prepare_dataset(trainer, dataset, processing_class, args, "view")
    from trl.trainer.kto_trainer import KTOTrainer

    return KTOTrainer._prepare_dataset(trainer, dataset, processing_class, args, "view")


def tokenize_prompt(tokenizer: Tokenizer, prompt: str | list[Any], **options: Any) -> list[int]:
    """Token ids of a prompt as TRL's preprocessing makes them (`trl.data_utils._tokenize`)."""
    from trl.data_utils import _tokenize

    processing_class: Any = tokenizer
    options |= {} if isinstance(prompt, str) else {"add_generation_prompt": True}
    return _tokenize(processing_class, prompt, **options)["input_ids"]


def one_device(arguments: Any, device: torch.device | None = None) -> Any:
    """The same `TrainingArguments` for one device: a process of ours trains on one.

    With several GPUs visible the Trainer wraps the model in `nn.DataParallel`, which TRL refuses,
    and takes the first. Several processes, each with its own device, are what `accelerate_config`
    is for. The count is kept in `_n_gpu`, the device in the cached property `_setup_devices` and in
    accelerate's shared state, which refuses quantized weights on another GPU than its own.

    Args:
        device: the GPU to train on, where the process chose one.
    """
    if arguments.n_gpu > 1:
        arguments._n_gpu = 1
        if device is not None and device.type == "cuda":
            import torch

            vars(arguments)["_setup_devices"] = device
            if arguments.distributed_state is not None:
                arguments.distributed_state.device = device
            torch.cuda.set_device(device)
    return arguments


# --- sentence-transformers 6.2


def transformer_module(model: Any, tokenizer_folder: str, max_length: int) -> Any:
    """sentence-transformers' `Transformer` around a model that is in memory already.

    Its own constructor reads a model from disk, a second copy of the base: `_load_config` and
    `_load_model` of `sentence_transformers.base.modules.Transformer` give the one at hand instead.
    Saved, it is a plain `Transformer`.
    """
    from sentence_transformers.base.modules import Transformer

    class Given(Transformer):
        def _load_config(self, *args: Any, **kwargs: Any) -> Any:
            return model.config, False

        def _load_model(self, *args: Any, **kwargs: Any) -> Any:
            return model

    made: Any = Given(
        tokenizer_folder,
        modality_config={"text": {"method": "forward", "method_output_name": "last_hidden_state"}},
        module_output_name="token_embeddings",
        max_seq_length=max_length,
    )
    made.__class__ = Transformer
    return made


@contextlib.contextmanager
def quiet_mining() -> Generator[None]:
    """Turn off the progress bar of `mine_hard_negatives`, which has no switch.

    `sentence_transformers.util.hard_negatives.trange`.
    """
    from sentence_transformers.util import hard_negatives

    original = hard_negatives.trange
    hard_negatives.trange = partial(original, disable=True)
    try:
        yield
    finally:
        hard_negatives.trange = original


class EncoderTrainerHooks:
    """Private methods of `SentenceTransformerTrainer`, turned into hooks with public names.

    Its `_load_from_checkpoint` reads the whole model anew beside the one in memory, and `_save`
    writes a model card into every checkpoint, for which it asks the Hub.
    """

    def load_weights(self, folder: str) -> None:
        """Called to load the weights of a checkpoint into the model."""

    def save_weights(self, folder: str) -> None:
        """Called to write the model into a checkpoint."""

    def _load_from_checkpoint(self, checkpoint_path: str, *args: Any) -> None:
        self.load_weights(checkpoint_path)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        arguments: Any = self.args  # pyright: ignore[reportAttributeAccessIssue]
        self.save_weights(output_dir or arguments.output_dir)


# --- PEFT 0.21.2


def expert_names(model_type: str) -> tuple[str, ...]:
    """Names of the expert matrices that transformers fuses, as PEFT targets them.

    `_MODEL_TO_CONVERSION_PATTERN` and `_MOE_TARGET_MODULE_MAPPING` of
    `peft.utils.transformers_weight_conversion`.
    """
    from peft.utils import transformers_weight_conversion as conversion

    pattern = conversion._MODEL_TO_CONVERSION_PATTERN.get(model_type) or ""
    return tuple(conversion._MOE_TARGET_MODULE_MAPPING.get(pattern, {}))


def refresh_adaption_prompt(trainer: Trainer) -> None:
    """Let a LLaMA-Adapter run through TRL's fused loss head.

    `AdaptionPromptModel` keeps the `forward` that its model had before TRL replaced it.
    """
    wrapper = trainer.model.base_model
    wrapper.forward = wrapper.model.forward


# --- bitsandbytes 0.50


def keep_quantized_weights(model: LanguageModel, eight_bit: bool) -> None:
    """Keep bitsandbytes from changing a frozen base at its first forward pass.

    On CPUs with AVX-512 BF16, `support_avx512bf16_for_cpu` repacks 4-bit weights in place: their
    scales are rounded, and gradients no longer pass. `init_8bit_state` moves an 8-bit layer's
    scales from its weights to the layer, where weight-sharing clones find them.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False
        if eight_bit and hasattr(module, "init_8bit_state"):
            module.init_8bit_state()


def state_tensors(model: LanguageModel) -> Sequence[torch.Tensor]:
    """Tensors that 8-bit layers keep in their `state` rather than as buffers."""
    import torch

    states = (getattr(vars(module).get("state"), "__dict__", {}) for module in model.modules())
    return [one for state in states for one in state.values() if isinstance(one, torch.Tensor)]


# --- spaces 0.51, where a Space on ZeroGPU brings it


def forget_borrower(task: Callable[..., Any]) -> None:
    """Let go of a function that was decorated for one call, and of all that it holds.

    `spaces.zero.decorator.decorated_cache` keeps every decorated function for good.
    """
    module = sys.modules.get("spaces.zero.decorator")
    if module is not None:
        decorated = module.decorated_cache.pop(task, None)
        module.decorated_cache.pop(decorated, None)
