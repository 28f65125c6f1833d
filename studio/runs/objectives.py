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
# sentence-transformers' losses by name; the default first.
RANKING_LOSSES = ("MultipleNegativesRankingLoss", "CachedMultipleNegativesRankingLoss")
EMBEDDING_LOSSES = (*RANKING_LOSSES, "TripletLoss", "CoSENTLoss")
# TRL's GRPO losses that need no setting of their own; the default first.
GRPO_LOSSES = ("dapo", "grpo", "dr_grpo", "bnpo", "cispo", "luspo", "sapo", "vespo")
_PAIRS = ("preference",)
_EMBEDDED = (
    "embedding_pairs", "scored_pairs", "prompt_completion", "conversational", "preference"
)  # fmt: skip
_ASKING = ("prompt_only", "prompt_completion", "conversational", "preference")


@dataclass(frozen=True)
class Default:
    """A field's value where it differs from the plain default, and why, as a clause."""

    field: str
    value: object
    why: str


@dataclass(frozen=True)
class Objective:
    """One row; whatever depends on the objective elsewhere asks it, not the name.

    `types` are the dataset types it trains on, see `studio.data`; `rate` the usual peak learning
    rate of an adapter, with the reason; `defaults` its other values that differ from the plain
    ones. `losses` are its values of `loss_type`, the default first. `rewarded` ones sample
    completions and learn from their rewards, those with a `teacher` from its probabilities of
    theirs. `embeds`: it trains a text encoder, with the trainer of sentence-transformers.
    `answers`: what it trains generates text. `legacy` ones are TRL's older trainers: they hold all
    logits, do not account for virtual tokens, and prepare a quantized model themselves.
    """

    name: str
    label: str
    help: str
    trainer: str
    types: tuple[str, ...]
    rate: tuple[float, str]
    losses: tuple[str, ...] = ()
    module: str = "trl"
    reference: bool = False
    answers: bool = True
    rewarded: bool = False
    teacher: bool = False
    legacy: bool = False
    embeds: bool = False
    defaults: tuple[Default, ...] = ()

    @property
    def config(self) -> str:
        suffix = "TrainingArguments" if self.embeds else "Config"
        return self.trainer.removesuffix("Trainer") + suffix

    @property
    def experimental(self) -> bool:
        """Whether TRL may change it from one version to the next."""
        return self.module.startswith("trl.experimental")

    @property
    def trl(self) -> str | None:
        """Its subcommand of TRL's command line, if any."""
        odd = self.experimental or self.teacher or self.embeds
        return None if odd else self.name

    @property
    def online(self) -> bool:
        """Whether it generates the completions that it learns from."""
        return self.rewarded or self.teacher

    @property
    def fused_loss(self) -> bool:
        """Whether TRL computes its loss from the head's weight, without holding all logits."""
        return self.answers and not self.legacy

    def classes(self) -> tuple[TrainerClass, TrainerClass]:
        """TRL's (trainer, config) classes."""
        from importlib import import_module

        module = import_module(self.module)
        return getattr(module, self.trainer), getattr(module, self.config)


_RL_RATE = (5e-5, "RL with an adapter needs less than SFT")
_ROWS = (
    Objective("sft", "SFT", "Imitates answers.", "SFTTrainer",
              ("language_modeling", "prompt_completion", "conversational"),
              (2e-4, "LoRA SFT typically uses 1e-4 to 2e-4"), ("nll", "dft")),
    Objective("dpo", "DPO", "Learns from preference pairs, close to a reference.", "DPOTrainer",
              _PAIRS, (5e-6, "DPO needs about forty times less than SFT, or answers degenerate"),
              DPO_LOSSES, reference=True),
    Objective("kto", "KTO", "Learns from single answers labeled good or bad.", "KTOTrainer",
              ("unpaired_preference", "preference"),
              (5e-6, "KTO is as sensitive as DPO (its paper stays below 5e-6)"),
              ("kto", "apo_zero_unpaired"), reference=True),
    Objective("orpo", "ORPO", "Combines imitation and preference in one loss, without a reference.",
              "ORPOTrainer", _PAIRS,
              (8e-6, "ORPO's paper uses 8e-6: it combines imitation and preference"),
              module="trl.experimental.orpo", legacy=True),
    Objective("cpo", "CPO", "Learns from pairs without a reference; imitates the chosen.",
              "CPOTrainer", _PAIRS, (5e-6, "CPO has no reference to keep it close to"),
              ("sigmoid", "hinge", "ipo"), "trl.experimental.cpo", legacy=True),
    Objective("simpo", "SimPO", "Learns from pairs by mean log-probability, without a reference.",
              "CPOTrainer", _PAIRS, (1e-6, "SimPO's authors advise at most 1e-6"),
              ("simpo", "alphapo"), "trl.experimental.cpo", legacy=True,
              defaults=(
                  Default("beta", 2.0,
                          "SimPO's rewards are averages over tokens, so beta is 2 to 10"),
                  Default("cpo_alpha", 0.0, "SimPO is CPO without its imitation term"))),
    Objective("reward", "Reward model", "Learns to score answers from preference pairs.",
              "RewardTrainer", _PAIRS, (1e-4, "a reward model's head starts from random weights"),
              answers=False),
    Objective("grpo", "GRPO", "Samples answers; compares each reward with its group's.",
              "GRPOTrainer", _ASKING, _RL_RATE, GRPO_LOSSES, reference=True, rewarded=True),
    Objective("rloo", "RLOO", "Samples answers; compares each reward with the others' mean.",
              "RLOOTrainer", _ASKING, _RL_RATE, reference=True, rewarded=True),
    Objective("gmpo", "GMPO", "GRPO with the geometric mean of a completion's token ratios.",
              "GMPOTrainer", _ASKING, _RL_RATE, module="trl.experimental.gmpo", reference=True,
              rewarded=True,
              defaults=(Default("epsilon", 0.4, "GMPO's paper clips log-ratios at 0.4"),)),
    Objective("distillation", "Distillation",
              "Samples answers; learns a teacher's probabilities for every token of them.",
              "DistillationTrainer", _ASKING,
              (2e-4, "distillation has a target for every token, as SFT has"), teacher=True,
              defaults=(
                  Default("beta", 1.0,
                          "on its own answers the student takes the reverse KL divergence"),
                  Default("warmup_steps", 0.0, "the first answers are on-policy"))),
    Objective("embedding", "Embedding", "Learns vectors by which a query finds its documents.",
              "SentenceTransformerTrainer", _EMBEDDED,
              (2e-4, "contrastive LoRA typically uses 1e-4 to 5e-4"), EMBEDDING_LOSSES,
              "sentence_transformers", answers=False, embeds=True,
              defaults=(
                  Default("per_device_train_batch_size", 32,
                          "the other rows of a batch are the negatives"),)),
)  # fmt: skip
EMBEDDING = tuple(row.name for row in _ROWS if row.embeds)
GENERATING = tuple(row.name for row in _ROWS if row.answers)
"""Objectives whose runs write text: not reward models, not encoders."""
OBJECTIVES: dict[str, Objective] = {row.name: row for row in _ROWS}
ONLINE = tuple(row.name for row in _ROWS if row.online)
REWARDED = tuple(row.name for row in _ROWS if row.rewarded)
WITH_REFERENCE = tuple(row.name for row in _ROWS if row.reference)

# What to do with dataset types that an objective, or all that train on the same, cannot train on.
_CONVERSIONS: dict[tuple[str | tuple[str, ...], str], str] = {
    ("sft", "preference"): "prepare its chosen answers as prompts and completions",
    ("sft", "unpaired_preference"): "prepare the rows labeled good as prompts and completions",
    ("kto", "comparison"): "export the votes from the Label tab (labels export --format kto)",
    (_PAIRS, "comparison"): "export the votes from the Label tab (labels export --format dpo)",
    (_PAIRS, "unpaired_preference"): "train KTO on it, which learns from single labeled answers",
    (_PAIRS, "prompt_only"): "generate pairs of answers and label them (pairs make)",
    (_EMBEDDED, "language_modeling"): "choose rows with two sides, such as anchor and positive",
    (_EMBEDDED, "prompt_only"): "choose rows with two sides; a query alone has no document",
    ("sft", "embedding_pairs"): "choose rows with a prompt and an answer",
    (_PAIRS, "embedding_pairs"): "prepare the rows with the format preference",
    (_ASKING, "language_modeling"): "choose rows with prompts; plain text has none",
}


def conversion(objective: str, kind: str) -> str:
    """What to do with a dataset type that an objective cannot train on."""
    for who in (objective, OBJECTIVES[objective].types):
        if (who, kind) in _CONVERSIONS:
            return _CONVERSIONS[who, kind]
    return "choose another dataset, or another objective"


def named(only: str, objective: str) -> bool:
    """Whether a field's `only` names an objective, by its name or by a trait (see `fields`)."""
    row = OBJECTIVES[objective]
    traits = {
        "rewarded": row.rewarded,
        "losses": bool(row.losses),
        "online": row.online,
        "teacher": row.teacher,
        "embeds": row.embeds,
    }
    return any(traits.get(word, word == objective) for word in only.split())


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
    yield from _grpo_errors(values, losses)
    if values.completion_only_loss and values.assistant_only_loss:
        yield "choose completion_only_loss or assistant_only_loss, not both"
    if values.packing_strategy != "bfd" and not values.packing:
        yield f"packing_strategy {values.packing_strategy} splits packed rows; set packing: true"
    if values.mask_history and values.assistant_only_loss is False:
        yield "mask_history trains the last answer only; leave assistant_only_loss empty"


def _grpo_errors(values: RecipeFields, losses: tuple[str, ...]) -> Iterator[str]:
    sequence = values.importance_sampling_level == "sequence"
    if "luspo" in losses and not sequence:
        yield "loss_type luspo weights whole answers; set importance_sampling_level: sequence"
    if sequence and not {"grpo", "luspo", "sapo"} & set(losses):
        yield (
            f"loss_type {losses[0]} sums over tokens, which weighs the ratio of a whole answer by "
            "its length; set loss_type: grpo, as GSPO does, or luspo"
        )
    if values.epsilon_high is not None and values.epsilon_high < values.epsilon:
        yield "epsilon_high is the upper clipping range, so it cannot be below epsilon"


def _dpo_errors(values: RecipeFields, losses: tuple[str, ...]) -> Iterator[str]:
    if "exo_pair" in losses and not values.label_smoothing:
        yield "loss_type exo_pair needs label_smoothing above 0 (its paper takes 0.001)"
    if values.f_divergence_type != "reverse_kl" and not set(losses) <= _WITH_DIVERGENCE:
        odd = ", ".join(loss for loss in losses if loss not in _WITH_DIVERGENCE)
        yield f"f_divergence_type {values.f_divergence_type} has no form for the loss {odd}"
    if values.use_weighting and {"aot", "aot_unpaired"} & set(losses):
        yield "use_weighting weights pairs, which aot sorts independently; choose one"
