"""What the studio adds to TRL's trainers, as one mixin; the training is theirs.

It stops at a loss or gradient norm that is not finite, never counts a half-written checkpoint,
optimizes with LoRA+, and skips padding in the loss head where there is no Triton.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peft import PeftModel
from peft.helpers import disable_input_dtype_casting
from peft.optimizers import create_loraplus_optimizer
from safetensors import SafetensorError
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import rotate_checkpoints

from studio.core.compat import TrainerHooks, unpadded_lm_head
from studio.core.errors import StudioError, TrainingError, WorkspaceError
from studio.core.library_types import LanguageModel, TrainerClass
from studio.models.sharding import use_fsdp_on_cpu
from studio.runs import checkpoints
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe
from studio.training import held_out, rollouts
from studio.training.padding_free import without_padding_mask
from studio.training.ref_logps_cache import ReferenceCache

if TYPE_CHECKING:
    from datasets import Dataset
    from torch import Tensor
    from torch.optim import Optimizer
    from transformers import Trainer
else:
    Trainer = object  # the real one comes after the mixin, see `with_mixin`

_BESIDE_WEIGHTS = 8 << 20  # bytes of a checkpoint's tokenizer, trainer state, and model card


class StudioTrainerMixin(TrainerHooks, Trainer):
    """Mixed in before a TRL trainer, see `with_mixin`."""

    recipe: Recipe
    references: ReferenceCache | None = None
    calibration: Path | None = None
    """The folder that keeps what was measured on this machine."""

    def create_accelerator_and_postprocess(self) -> None:
        super().create_accelerator_and_postprocess()
        use_fsdp_on_cpu(self)

    def compute_loss(self, *args: Any, **kwargs: Any) -> Any:
        sft = self.recipe.objective == "sft"
        with (
            unpadded_lm_head(),
            self._without_double_casts(),
            without_padding_mask(self.model) if sft else nullcontext(),
        ):
            return super().compute_loss(*args, **kwargs)

    def _without_double_casts(self) -> AbstractContextManager[None]:
        """Under autocast, keep LoRA from widening each input that autocast narrows again at once.

        The numbers are the same to the bit, and all adapters on one input share its 16-bit copy.
        Online objectives keep the casts: a step of theirs also generates, outside of autocast.
        """
        plain = METHODS[self.recipe.method].config == "LoraConfig" and self.recipe.method != "dora"
        plain = plain and not OBJECTIVES[self.recipe.objective].online
        model: Any = self.model
        return disable_input_dtype_casting(
            model, active=plain and (self.args.bf16 or self.args.fp16)
        )

    def compute_ref_log_probs(self, *args: Any, **kwargs: Any) -> Any:
        with unpadded_lm_head():
            return super().compute_ref_log_probs(*args, **kwargs)  # pyright: ignore[reportAttributeAccessIssue]

    def around_ref_logps(self, dataset: Dataset, score: Callable[[], Dataset]) -> Dataset:
        return self.references.fill(dataset, score) if self.references else score()

    def around_sampling(self, sample: Callable[[], Any]) -> Any:
        """Sample completions with prompts read once a group and ended rows left out."""
        if not rollouts.fits(self.recipe):
            return sample()
        with rollouts.quick(self.model, self.recipe, self.calibration):
            return sample()

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        """One batch; raises at the very step whose loss is not finite, before weights change."""
        with self._without_double_casts():  # checkpointing computes layers anew in the backward
            loss = super().training_step(*args, **kwargs)
        self._check_finite("loss", float(loss))
        return loss

    def on_grad_norm(self, norm: float) -> None:
        if not self.args.fp16:  # the loss scaler of fp16 skips such steps and lowers its scale
            self._check_finite("gradient norm", norm)

    def _check_finite(self, what: str, value: float) -> None:
        if not math.isfinite(value):
            raise TrainingError(
                f"The {what} became {value} at step {self.state.global_step + 1}. Lower "
                "learning_rate, or look for odd rows in the data; the last complete checkpoint "
                "is kept."
            )

    def evaluate(
        self,
        eval_dataset: Any = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """The Trainer's, with the mean over several datasets beside the figures of each."""
        before = len(self.state.log_history)
        found = super().evaluate(eval_dataset, ignore_keys, metric_key_prefix)
        sets = self.eval_dataset
        if eval_dataset is not None or not isinstance(sets, dict):
            return found
        figures: dict[str, Any] = {}
        for entry in self.state.log_history[before:]:
            figures |= held_out.named(entry)
        rows = {name: len(data) for name, data in sets.items()}  # pyright: ignore[reportArgumentType]
        mean = held_out.mean_of_all(figures, rows)
        self.log(mean)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, dict(mean)
        )
        return found | mean

    def create_optimizer(self, model: Any = None) -> Optimizer:
        """LoRA+ where the recipe asks for it (Hayou et al. 2024), else the Trainer's own."""
        ratio = self.recipe.loraplus_lr_ratio
        if ratio is None or self.optimizer is not None or not isinstance(self.model, PeftModel):
            return super().create_optimizer(model)
        kind, settings = self.get_optimizer_cls_and_kwargs(self.args, self.model)  # pyright: ignore[reportArgumentType]
        settings["weight_decay"] = self.args.weight_decay
        optimizer = create_loraplus_optimizer(self.model, kind, loraplus_lr_ratio=ratio, **settings)
        self.optimizer = optimizer
        return optimizer

    def checkpoint_bytes(self) -> int:
        """Bytes of a checkpoint: trained weights, two float32 moments of each, and the rest."""
        model: LanguageModel = self.model  # pyright: ignore[reportAssignmentType]
        trained = [tensor for tensor in model.parameters() if tensor.requires_grad]
        weights = sum(tensor.numel() * (tensor.element_size() + 8) for tensor in trained)
        if not self.recipe.uses_adapter:
            weights += sum(
                tensor.nbytes for tensor in model.parameters() if not tensor.requires_grad
            )
        return weights + _BESIDE_WEIGHTS

    def around_save(self, save: Callable[[], None]) -> None:
        """Write, sync and mark a checkpoint complete; only then remove the oldest one."""
        folder = Path(self.args.output_dir or "")
        keep, self.args.save_total_limit = self.args.save_total_limit, None
        try:
            if self.args.should_save:
                checkpoints.make_sure_it_fits(folder, self.checkpoint_bytes())
            save()
        except (OSError, RuntimeError, SafetensorError) as problem:
            raise self._unsaved(folder, problem) from problem
        finally:
            self.args.save_total_limit = keep
        self.accelerator.wait_for_everyone()
        if self.recipe.machine_rank and self.accelerator.is_local_main_process:
            checkpoints.remove_incomplete(folder)  # random states: the checkpoint is machine 0's
        if self.args.should_save:
            checkpoints.mark_complete(folder / f"checkpoint-{self.state.global_step}")
            rotate_checkpoints(
                output_dir=str(folder),
                save_total_limit=keep,
                best_model_checkpoint=self.state.best_model_checkpoint,
                use_mtime=True,
            )

    def _unsaved(self, folder: Path, problem: Exception) -> StudioError:
        """The error for a checkpoint that could not be written; removes what is half there."""
        if isinstance(problem, StudioError):
            return problem
        checkpoints.remove_incomplete(folder)
        kept = checkpoints.newest(folder)
        last = f"step {checkpoints.step_of(kept)}'s is kept" if kept else "there is none before it"
        first = (str(problem).splitlines() or [type(problem).__name__])[0]
        return WorkspaceError(
            f"The checkpoint of step {self.state.global_step} could not be written ({first}); "
            f"{last}. Free some space on the disk, then resume."
        )


class AdaLoraCallback(TrainerCallback):
    """Lets AdaLoRA prune ranks after every optimizer step, while gradients are still there."""

    def __init__(self, model: PeftModel):
        self.model = model

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self.model.base_model.update_and_allocate(state.global_step)  # pyright: ignore[reportCallIssue]


@functools.cache
def with_mixin(trainer: type) -> TrainerClass:
    """A TRL trainer with the studio's mixin in front."""
    return type(f"Studio{trainer.__name__}", (StudioTrainerMixin, trainer), {})
