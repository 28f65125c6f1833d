"""Training objectives, as one table: name -> TRL trainer, dataset types, and losses.

TRL is imported only when a trainer class is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from studio.core.library_types import TrainerClass
from studio.runs.fields import RecipeFields

DPO_LOSSES = (
    "sigmoid",
    "sigmoid_norm",
    "hinge",
    "ipo",
    "robust",
    "exo_pair",
    "nca_pair",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
)
# Losses that have an f-divergence form, by TRL's own list.
_WITH_DIVERGENCE = {
    "sigmoid",
    "sigmoid_norm",
    "hinge",
    "ipo",
    "exo_pair",
    "robust",
    "discopop",
    "sft",
}
# TRL's GRPO losses that need no setting of their own; the default first.
GRPO_LOSSES = ("dapo", "grpo", "dr_grpo", "bnpo", "cispo")
_PAIRS = ("preference",)
_ASKING = ("prompt_only", "prompt_completion", "conversational", "preference")


@dataclass(frozen=True)
class Objective:
    """One row. `types` are the dataset types it trains on, see `studio.data`.

    `losses` are its values of `loss_type`, the default first; `trl` is its subcommand of TRL's
    command line, if any; `experimental` ones may change with TRL; `rewarded` ones sample
    completions and learn from their rewards.
    """

    name: str
    label: str
    help: str
    trainer: str
    types: tuple[str, ...]
    losses: tuple[str, ...] = ()
    module: str = "trl"
    reference: bool = False
    experimental: bool = False
    answers: bool = True
    rewarded: bool = False

    @property
    def config(self) -> str:
        return self.trainer.removesuffix("Trainer") + "Config"

    @property
    def trl(self) -> str | None:
        return None if self.experimental else self.name

    def classes(self) -> tuple[TrainerClass, TrainerClass]:
        """TRL's (trainer, config) classes."""
        from importlib import import_module

        module = import_module(self.module)
        return getattr(module, self.trainer), getattr(module, self.config)


_ROWS = (
    Objective("sft", "SFT", "Imitates answers.", "SFTTrainer",
              ("language_modeling", "prompt_completion", "conversational"), ("nll", "dft")),
    Objective("dpo", "DPO", "Learns from preference pairs, close to a reference.", "DPOTrainer",
              _PAIRS, DPO_LOSSES, reference=True),
    Objective("kto", "KTO", "Learns from single answers labeled good or bad.", "KTOTrainer",
              ("unpaired_preference", "preference"), ("kto", "apo_zero_unpaired"), reference=True),
    Objective("orpo", "ORPO", "Combines imitation and preference in one loss, without a reference.",
              "ORPOTrainer", _PAIRS, module="trl.experimental.orpo", experimental=True),
    Objective("cpo", "CPO", "Learns from pairs without a reference; imitates the chosen.",
              "CPOTrainer", _PAIRS, ("sigmoid", "hinge", "ipo"), "trl.experimental.cpo",
              experimental=True),
    Objective("simpo", "SimPO", "Learns from pairs by mean log-probability, without a reference.",
              "CPOTrainer", _PAIRS, ("simpo", "alphapo"), "trl.experimental.cpo",
              experimental=True),
    Objective("reward", "Reward model", "Learns to score answers from preference pairs.",
              "RewardTrainer", _PAIRS, answers=False),
    Objective("grpo", "GRPO", "Samples answers; compares each reward with its group's.",
              "GRPOTrainer", _ASKING, GRPO_LOSSES, reference=True, rewarded=True),
    Objective("rloo", "RLOO", "Samples answers; compares each reward with the others' mean.",
              "RLOOTrainer", _ASKING, reference=True, rewarded=True),
)  # fmt: skip
OBJECTIVES: dict[str, Objective] = {row.name: row for row in _ROWS}
REWARDED = tuple(row.name for row in _ROWS if row.rewarded)
WITH_REFERENCE = tuple(row.name for row in _ROWS if row.reference)

# What to do with dataset types that an objective cannot train on.
_CONVERSIONS = {
    ("sft", "preference"): "prepare its chosen answers as prompts and completions",
    ("sft", "unpaired_preference"): "prepare the rows labeled good as prompts and completions",
    ("kto", "comparison"): "export the votes from the Label tab (labels export --format kto)",
    ("dpo", "comparison"): "export the votes from the Label tab (labels export --format dpo)",
    ("dpo", "unpaired_preference"): "train KTO on it, which learns from single labeled answers",
    ("grpo", "language_modeling"): "choose rows with prompts; plain text has none",
    ("dpo", "prompt_only"): "generate pairs of answers and label them (pairs make)",
}


def conversion(objective: str, kind: str) -> str:
    """What to do with a dataset type that an objective cannot train on."""
    pairs = "dpo" if OBJECTIVES[objective].types == _PAIRS else objective
    return _CONVERSIONS.get((pairs, kind), "choose another dataset, or another objective")


def validation_errors(values: RecipeFields) -> Iterator[str]:
    """Why this objective cannot be trained this way: sentences without their period."""
    objective = OBJECTIVES[values.objective]
    losses = tuple(values.loss_type)
    for loss in losses:
        if loss not in objective.losses:
            known = ", ".join(objective.losses) or "it has none"
            yield f"loss_type {loss!r} is not one of {objective.label}'s ({known})"
    if len(losses) > 1 and objective.name != "dpo":
        yield f"{objective.label} takes one loss_type; weighted combinations are DPO's"
    weights = values.loss_weights
    if weights is not None and len(weights) != len(losses):
        yield (
            f"loss_weights has {len(weights)} numbers for {len(losses)} losses; give one per loss"
        )
    if objective.name == "dpo":
        yield from _dpo_errors(values, losses)
    if objective.name == "kto" and losses == ("kto",) and values.per_device_train_batch_size < 2:
        yield (
            "KTO estimates its KL term from the other rows of a batch; set "
            "per_device_train_batch_size to 2 or more, or loss_type: apo_zero_unpaired"
        )
    if values.completion_only_loss and values.assistant_only_loss:
        yield "choose completion_only_loss or assistant_only_loss, not both"
    if values.packing_strategy != "bfd" and not values.packing:
        yield f"packing_strategy {values.packing_strategy} splits packed rows; set packing: true"
    if values.mask_history and values.assistant_only_loss is False:
        yield "mask_history trains the last answer only; leave assistant_only_loss empty"


def _dpo_errors(values: RecipeFields, losses: tuple[str, ...]) -> Iterator[str]:
    if "exo_pair" in losses and not values.label_smoothing:
        yield "loss_type exo_pair needs label_smoothing above 0 (its paper takes 0.001)"
    if values.f_divergence_type != "reverse_kl" and not set(losses) <= _WITH_DIVERGENCE:
        odd = ", ".join(loss for loss in losses if loss not in _WITH_DIVERGENCE)
        yield f"f_divergence_type {values.f_divergence_type} has no form for the loss {odd}"
    if values.use_weighting and {"aot", "aot_unpaired"} & set(losses):
        yield "use_weighting weights pairs, which aot sorts independently; choose one"
