"""What the studio adds to TRL's trainers, as one mixin: they do the training.

Stops at a number that is none, never counts a half-written checkpoint, LoRA+, AdaLoRA's ranks, and
the compact loss head where there is no Triton.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from peft import PeftModel
from peft.optimizers import create_loraplus_optimizer
from safetensors import SafetensorError
from transformers import TrainerCallback
from transformers.trainer_utils import rotate_checkpoints
from trl.trainer import utils as trl_utils

from studio.core.errors import StudioError, TrainingError, WorkspaceError
from studio.runs import checkpoints
from studio.runs.recipe import Recipe
from studio.training.ref_logps_cache import ReferenceCache

_BESIDE_WEIGHTS = 8 << 20  # bytes of a checkpoint's tokenizer, states and card


@contextlib.contextmanager
def unpadded_lm_head() -> Iterator[None]:
    """Let TRL's fused loss head score only the positions that are trained.

    It does so by itself where Triton compiles its kernel. Elsewhere it scores padding and prompt
    too, for the sake of devices that recompile on every new shape; a CPU does not. The loss is the
    same: the positions left out are masked to zero afterwards.
    """
    usual = trl_utils._use_triton
    trl_utils._use_triton = lambda device: True
    try:
        yield
    finally:
        trl_utils._use_triton = usual


class StudioTrainerMixin:
    """Mixed in before a TRL trainer (see `ours`)."""

    recipe: Recipe
    references: ReferenceCache | None = None
    args: Any
    state: Any
    model: Any
    optimizer: Any
    accelerator: Any
    get_optimizer_cls_and_kwargs: Any

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        with unpadded_lm_head():
            return super().compute_loss(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]

    def compute_ref_log_probs(self, *args: Any, **kwargs: Any) -> Any:
        with unpadded_lm_head():
            return super().compute_ref_log_probs(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]

    def _precompute_ref_logps(self, dataset: Any, name: str, batch_size: int) -> Any:
        def scored() -> Any:
            return super(StudioTrainerMixin, self)._precompute_ref_logps(dataset, name, batch_size)  # pyright: ignore[reportAttributeAccessIssue]

        return self.references.fill(dataset, scored) if self.references else scored()

    def training_step(self, *args: Any, **kwargs: Any) -> Any:
        """One batch; raises at the very step whose loss is no number, before weights move."""
        loss = super().training_step(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]
        self._check("loss", loss)
        return loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # pyright: ignore[reportAttributeAccessIssue]
        if not self.args.fp16:  # half precision's scaler skips such steps and lowers its scale
            self._check("gradient norm", norm)
        return norm

    def _check(self, what: str, number: Any) -> None:
        value = float(number)
        if not math.isfinite(value):
            raise TrainingError(
                f"The {what} became {value} at step {self.state.global_step + 1}. Lower "
                "learning_rate, or look for odd rows in the data; the last complete checkpoint "
                "is kept."
            )

    def create_optimizer(self, model: Any = None) -> Any:
        """LoRA+ where the recipe asks for it (Hayou et al. 2024), else the usual one."""
        ratio = self.recipe.loraplus_lr_ratio
        if ratio is None or self.optimizer is not None or not isinstance(self.model, PeftModel):
            return super().create_optimizer(model)  # pyright: ignore[reportAttributeAccessIssue]
        kind, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)
        settings["weight_decay"] = self.args.weight_decay
        self.optimizer = create_loraplus_optimizer(
            self.model, kind, loraplus_lr_ratio=ratio, **settings
        )
        return self.optimizer

    def checkpoint_bytes(self) -> int:
        """What a checkpoint takes: trained weights, two float32 moments of each, the rest."""
        trained = [tensor for tensor in self.model.parameters() if tensor.requires_grad]
        weights = sum(tensor.numel() * (tensor.element_size() + 8) for tensor in trained)
        if not isinstance(self.model, PeftModel):
            weights += sum(
                tensor.nbytes for tensor in self.model.parameters() if not tensor.requires_grad
            )
        return weights + _BESIDE_WEIGHTS

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write, sync and seal a checkpoint; only then let the oldest go."""
        keep, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            if self.args.should_save:
                checkpoints.make_sure_it_fits(Path(self.args.output_dir), self.checkpoint_bytes())
            super()._save_checkpoint(model, trial)  # pyright: ignore[reportAttributeAccessIssue]
        except (OSError, RuntimeError, SafetensorError) as problem:
            raise self._unsaved(problem) from problem
        finally:
            self.args.save_total_limit = keep
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            folder = Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}"
            checkpoints.mark_complete(folder)
            rotate_checkpoints(
                output_dir=self.args.output_dir,
                save_total_limit=keep,
                best_model_checkpoint=self.state.best_model_checkpoint,
                use_mtime=True,
            )

    def _unsaved(self, problem: Exception) -> StudioError:
        """What to say of a checkpoint that could not be written; what is half there goes."""
        if isinstance(problem, StudioError):
            return problem
        folder = Path(self.args.output_dir)
        checkpoints.remove_incomplete(folder)
        kept = checkpoints.newest(folder)
        last = f"step {checkpoints.step_of(kept)}'s is kept" if kept else "there is none before it"
        first = (str(problem).splitlines() or [type(problem).__name__])[0]
        return WorkspaceError(
            f"The checkpoint of step {self.state.global_step} could not be written ({first}); "
            f"{last}. Free some space on the disk, then resume."
        )


class AdaLoraCallback(TrainerCallback):
    """AdaLoRA cuts ranks after every optimizer step, while the gradients are still there."""

    def __init__(self, model: Any):
        self.model = model

    def on_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.model.base_model.update_and_allocate(state.global_step)


@functools.cache
def with_mixin(trainer: type) -> Any:
    """A TRL trainer with the studio's mixin in front."""
    return type(f"Studio{trainer.__name__}", (StudioTrainerMixin, trainer), {})
