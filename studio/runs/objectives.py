"""What is learned, as one table: an objective's name -> TRL's trainer, its rows, its losses.

Light: TRL is imported when a trainer is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

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
# The losses whose f-divergence form exists (TRL's own list).
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
# TRL's losses of GRPO that need no setting of their own, its usual one first.
GRPO_LOSSES = ("dapo", "grpo", "dr_grpo", "bnpo", "cispo")
_PAIRS = ("preference",)
_ASKING = ("prompt_only", "prompt_completion", "conversational", "preference")


@dataclass(frozen=True)
class Objective:
    """One row. `types` are the kinds of prepared rows it learns from, see studio.data.

    `losses` are its `loss_type`s, the usual one first; `trl` is the subcommand of TRL's own
    command line, where it has one; `experimental` ones may change with TRL;
    `rewarded` ones write answers of their own and learn from the reward of each.
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

    def classes(self) -> tuple[Any, Any]:
        """TRL's (trainer, config) classes."""
        from importlib import import_module

        module = import_module(self.module)
        return getattr(module, self.trainer), getattr(module, self.config)


_ROWS = (
    Objective("sft", "SFT", "Imitates answers.", "SFTTrainer",
              ("language_modeling", "prompt_completion", "conversational"), ("nll", "dft")),
    Objective("dpo", "DPO", "Prefers some answers to others, held to a reference.", "DPOTrainer",
              _PAIRS, DPO_LOSSES, reference=True),
    Objective("kto", "KTO", "Learns from single answers marked good or bad.", "KTOTrainer",
              ("unpaired_preference", "preference"), ("kto", "apo_zero_unpaired"), reference=True),
    Objective("orpo", "ORPO", "Imitates and prefers at once, without a reference.",
              "ORPOTrainer", _PAIRS, module="trl.experimental.orpo", experimental=True),
    Objective("cpo", "CPO", "Prefers without a reference; imitates the chosen beside it.",
              "CPOTrainer", _PAIRS, ("sigmoid", "hinge", "ipo"), "trl.experimental.cpo",
              experimental=True),
    Objective("simpo", "SimPO", "Prefers by mean log-probability, with a margin, no reference.",
              "CPOTrainer", _PAIRS, ("simpo", "alphapo"), "trl.experimental.cpo",
              experimental=True),
    Objective("reward", "Reward model", "Learns to score answers as people would.",
              "RewardTrainer", _PAIRS, answers=False),
    Objective("grpo", "GRPO", "Tries answers and learns from their rewards within a group.",
              "GRPOTrainer", _ASKING, GRPO_LOSSES, reference=True, rewarded=True),
    Objective("rloo", "RLOO", "Tries answers and learns how each beats the mean of the others.",
              "RLOOTrainer", _ASKING, reference=True, rewarded=True),
)  # fmt: skip
OBJECTIVES: dict[str, Objective] = {row.name: row for row in _ROWS}
REWARDED = tuple(row.name for row in _ROWS if row.rewarded)
WITH_REFERENCE = tuple(row.name for row in _ROWS if row.reference)

# How to get from rows an objective cannot use to rows that it can.
_CONVERSIONS = {
    ("sft", "preference"): "prepare its chosen answers as prompts and completions",
    ("sft", "unpaired_preference"): "prepare the rows marked good as prompts and completions",
    ("kto", "comparison"): "export the verdicts from the Label tab (labels export --format kto)",
    ("dpo", "comparison"): "export the verdicts from the Label tab (labels export --format dpo)",
    ("dpo", "unpaired_preference"): "train KTO on it, which learns from single marked answers",
    ("grpo", "language_modeling"): "choose rows with prompts, which plain text has none of",
    ("dpo", "prompt_only"): "make pairs of answers to these prompts and judge them (pairs make)",
}


def conversion(objective: str, kind: str) -> str:
    """What to do with rows of a kind that an objective cannot learn from."""
    pairs = "dpo" if OBJECTIVES[objective].types == _PAIRS else objective
    return _CONVERSIONS.get((pairs, kind), "choose another dataset, or another objective")


def validation_errors(values: Any) -> Iterator[str]:
    """Why this objective cannot be trained as asked: sentences without their full stop."""
    objective = OBJECTIVES[values.objective]
    losses = tuple(values.loss_type)
    for loss in losses:
        if loss not in objective.losses:
            known = ", ".join(objective.losses) or "none to choose"
            yield f"loss_type {loss!r} is not one of {objective.label}'s ({known})"
    if len(losses) > 1 and objective.name != "dpo":
        yield f"{objective.label} takes one loss_type; weighted combinations are DPO's"
    weights = values.loss_weights
    if weights is not None and len(weights) != len(losses):
        yield (f"loss_weights has {len(weights)} numbers for {len(losses)} losses; give one each")
    if objective.name == "dpo":
        yield from _dpo_refusals(values, losses)
    if objective.name == "kto" and losses == ("kto",) and values.per_device_train_batch_size < 2:
        yield (
            "KTO estimates its KL term from the other rows of a batch; set "
            "per_device_train_batch_size to 2 or more, or loss_type: apo_zero_unpaired"
        )
    if values.completion_only_loss and values.assistant_only_loss:
        yield "choose completion_only_loss or assistant_only_loss, not both"


def _dpo_refusals(values: Any, losses: tuple[str, ...]) -> Iterator[str]:
    if "exo_pair" in losses and not values.label_smoothing:
        yield "loss_type exo_pair needs label_smoothing above 0 (its paper takes 0.001)"
    if values.f_divergence_type != "reverse_kl" and not set(losses) <= _WITH_DIVERGENCE:
        odd = ", ".join(loss for loss in losses if loss not in _WITH_DIVERGENCE)
        yield f"f_divergence_type {values.f_divergence_type} has no form for the loss {odd}"
    if values.use_weighting and {"aot", "aot_unpaired"} & set(losses):
        yield "use_weighting weighs pairs, and aot sorts them apart; choose one"
