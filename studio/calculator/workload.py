"""One training step of a recipe on a GPU: what memory and time are estimated from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from studio.calculator.dataset_lengths import sides
from studio.calculator.gpus import Gpu
from studio.calculator.meta_model import MetaModel
from studio.calculator.parameters import ParameterCount, count, model_of
from studio.core.errors import StudioError
from studio.runs.defaults import optimizer
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES

if TYPE_CHECKING:
    from studio.runs.recipe import Recipe

Quantization = Literal["none", "4bit", "8bit"]
WIDTHS = {"float32": 4, "bfloat16": 2, "float16": 2}
"""Bytes per number."""


@dataclass(frozen=True)
class TrainingLoop:
    """What a recipe leaves to the trainer and the GPU.

    `dtype` is the base weights' number format, `autocast` mixed precision, `fused_loss` TRL's loss
    head, which never holds all logits; `keeps_base` a second, unchanged copy of the weights that
    train, as the studio has it to compare with.
    """

    dtype: str
    autocast: bool
    fused_loss: bool
    keeps_base: bool


def studio_loop(recipe: Recipe, gpu: Gpu) -> TrainingLoop:
    """How the studio trains a recipe on a GPU."""
    dtype = recipe.dtype
    if dtype == "auto":
        dtype = "float32" if gpu.device != "cuda" else "bfloat16" if gpu.bf16 else "float16"
    method = METHODS[recipe.method]
    return TrainingLoop(
        dtype=dtype,
        # As in studio.training.precision: the Trainer has no float16 autocast on a CPU.
        autocast=dtype == "bfloat16" or (dtype == "float16" and gpu.device != "cpu"),
        fused_loss=OBJECTIVES[recipe.objective].fused_loss,
        keeps_base=not method.adapter or method.moves_base or recipe.merges_to_sample,
    )


@dataclass(frozen=True)
class Precision:
    """Bytes per number of the base's weights, of the computation, and of what trains.

    What trains is held in float32, whatever the base's format (see `studio.training.precision`).
    """

    weights: int
    compute: int
    trained: int = 4


@dataclass(frozen=True)
class Shape:
    """The model's sizes that activations depend on."""

    hidden: int
    vocab: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    experts_per_token: int
    act: str

    @property
    def query(self) -> int:
        return self.heads * self.head_dim

    @property
    def key(self) -> int:
        return self.kv_heads * self.head_dim


@dataclass(frozen=True)
class Workload:
    """A recipe on a GPU, its model's shapes, what trains of it, and the loop that trains it."""

    recipe: Recipe
    gpu: Gpu
    model: MetaModel
    counted: ParameterCount
    loop: TrainingLoop

    @property
    def whole_model(self) -> bool:
        """Whether the model's own weights train, so that the run works on a copy of them."""
        return not METHODS[self.recipe.method].adapter

    @property
    def quantization(self) -> Quantization:
        if not self.recipe.quantized:
            return "none"
        return "8bit" if self.recipe.load_in_8bit else "4bit"

    @property
    def optim(self) -> str:
        """The optimizer, by transformers' name."""
        return optimizer(self.recipe, self.gpu.device)

    @property
    def online(self) -> bool:
        """Whether the objective generates the completions that it learns from."""
        return OBJECTIVES[self.recipe.objective].online

    @property
    def completions(self) -> int:
        """Completions generated at once: all those of an optimizer step of an online objective."""
        batch = self.recipe.per_device_train_batch_size
        return batch * self.recipe.gradient_accumulation_steps if self.online else 0

    @property
    def sequences(self) -> int:
        """Sequences held at once: objectives on pairs run both sides together, encoders every side,
        and with a cached loss one chunk of a side."""
        if self.cached_loss:
            batch = self.recipe.per_device_train_batch_size
            return min(self.recipe.mini_batch_size, batch)
        return self.recipe.per_device_train_batch_size * sides(self.recipe)

    @property
    def embeds(self) -> bool:
        """Whether the objective trains an encoder."""
        return OBJECTIVES[self.recipe.objective].embeds

    @property
    def cached_loss(self) -> bool:
        """Whether the loss embeds a batch in chunks, twice: once without gradients."""
        return self.embeds and self.recipe.loss_type[0].startswith("Cached")

    @property
    def length(self) -> int:
        """Tokens per sequence at most; a completion is only cut at its own length."""
        longest = self.recipe.max_length
        return max(longest, self.recipe.max_completion_length) if self.online else longest

    @property
    def tokens(self) -> int:
        """Tokens in one batch, at full length."""
        return self.sequences * self.length

    @property
    def scores_reference(self) -> bool:
        """Whether each batch also runs through the reference model."""
        ahead = self.recipe.precompute_ref_log_probs
        return OBJECTIVES[self.recipe.objective].reference and not ahead

    @cached_property
    def teacher(self) -> Workload | None:
        """The model that a distillation learns from; None without one, or for one not known here.

        In 4 bits where the recipe says so, by default on CUDA.
        """
        name = self.recipe.teacher_model_name_or_path
        if not OBJECTIVES[self.recipe.objective].teacher or not name:
            return None
        four = self.recipe.teacher_load_in_4bit
        four = self.gpu.device == "cuda" if four is None else four
        changes = {"objective": "sft", "method": "lora", "model_name_or_path": name}
        try:
            recipe = type(self.recipe).of(
                {**changes, "dtype": self.recipe.dtype, "load_in_4bit": four}
            )
            return Workload(recipe, self.gpu, model_of(recipe), count(recipe), self.loop)
        except StudioError:
            return None

    @property
    def estimates_kl(self) -> bool:
        """Whether KTO's loss runs each batch once more, completions shuffled, without gradients."""
        return self.recipe.objective == "kto" and "kto" in self.recipe.loss_type

    @cached_property
    def precision(self) -> Precision:
        weights = WIDTHS[self.loop.dtype]
        return Precision(weights, 2 if weights == 2 or self.loop.autocast else 4)

    @property
    def stream(self) -> int:
        """Bytes per number of the hidden states between layers: as wide as the embedding."""
        return 4 if self.recipe.method == "full" else self.precision.weights

    @property
    def casts_inputs(self) -> bool:
        """Whether PEFT widens each input of an adapter, beyond what autocast narrows again."""
        if self.precision.weights == 4:
            return False
        plain = METHODS[self.recipe.method].config == "LoraConfig" and self.recipe.method != "dora"
        return not (self.loop.autocast and plain and not self.online)

    @cached_property
    def shape(self) -> Shape:
        """Sizes from the config, under the names that its architecture uses."""
        config = self.model.config.get_text_config()

        def size(name: str, default: int) -> int:
            return int(getattr(config, name, 0) or default)

        hidden, heads = size("hidden_size", 1), size("num_attention_heads", 1)
        multi_query = config.model_type == "falcon" and getattr(config, "multi_query", False)
        act: Any = getattr(config, "hidden_act", None)
        return Shape(
            hidden=hidden,
            vocab=size("vocab_size", 1),
            layers=size("num_hidden_layers", 1),
            heads=heads,
            kv_heads=1 if multi_query else size("num_key_value_heads", heads),
            head_dim=size("head_dim", hidden // heads or 1),
            experts_per_token=size("num_experts_per_tok", 1),
            act=str(act or getattr(config, "activation_function", None) or "silu"),
        )


def workload(recipe: Recipe, gpu: Gpu, loop: TrainingLoop | None = None) -> Workload:
    """A recipe's workload on a GPU, by the studio's own loop unless told otherwise."""
    counted = count(recipe)
    return Workload(recipe, gpu, model_of(recipe), counted, loop or studio_loop(recipe, gpu))
