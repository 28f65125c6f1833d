"""What to score, and the live handle of it. No torch: for pages and shells too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from studio.core.errors import ConfigError, did_you_mean
from studio.core.jobs import Job
from studio.evaluation.eval_rows import CHOICES, ScoreRows, require
from studio.generation.request import Column, Sampling
from studio.metrics import text

_TAUGHT = ("prompt_completion", "conversational", "language_modeling")
_ASKING = ("prompt_completion", "conversational", "prompt_only", "preference")
_ANSWERED = ("prompt_completion", "conversational", "preference", "prompt_only")

# name -> (rows it needs, what it says, whether more is better: None where neither is)
METRICS: dict[str, tuple[tuple[str, ...], str, bool | None]] = {
    "loss": (_TAUGHT, "Mean negative log-likelihood of a trained token, in nats.", False),
    "perplexity": (_TAUGHT, "exp(loss).", False),
    "token_accuracy": (_TAUGHT, "Share of trained tokens that are the model's first choice.", True),
    "preference_accuracy": (("preference",), "Share of pairs whose chosen is likelier.", True),
    "reward_accuracy": (("preference",), "The same for implicit rewards over the base's.", True),
    "reward_margin": (("preference",), "Mean beta x (log-ratio chosen - rejected).", True),
    "choice_accuracy": ((CHOICES,), "Multiple choice by log-likelihood of the letter.", True),
    "exact_match": (_ANSWERED, "The extracted answer equals a reference.", True),
    "numeric_match": (_ANSWERED, "The extracted answer is the reference's number.", True),
    "contains": (_ANSWERED, "The answer contains a reference.", True),
    "regex": (_ASKING, "The answer matches --pattern.", True),
    "rouge_l": (_ANSWERED, "ROUGE-L F1 against a reference.", True),
    "length": (_ASKING, "Tokens in an answer.", None),
    "repeated_4grams": (_ASKING, "Share of 4-grams that repeat within an answer.", False),
    "distinct_2": (_ASKING, "Different bigrams among all bigrams of all answers.", True),
    "empty_rate": (_ASKING, "Share of empty answers.", False),
    "cut_thoughts": (_ASKING, "Share of answers that ended while the model thought.", False),
    "right_tool": (_ANSWERED, "The tools called are the reference's, in order.", True),
    "right_arguments": (_ANSWERED, "Share of the reference's arguments that are called.", True),
    "valid_json": (_ASKING, "The answer, or every call's arguments, is JSON.", True),
    "reward": (_ASKING, "What --reward gives to the answer: rules, or a reward model.", True),
    "refusal_rate": (_ASKING, "Share of answers that begin as refusals do.", False),
    "kl_from_base": (_ASKING, "KL from the base a token, on a tuned model's own samples.", None),
}
DRIFT = "kl_from_base"
FORWARD = ("loss", "perplexity", "token_accuracy")
REFERENCED = ("exact_match", "numeric_match", "contains", "rouge_l")
CALLED = ("right_tool", "right_arguments")
"""Metrics for rows whose reference calls tools."""
GENERATED = (
    *REFERENCED,
    "regex",
    "length",
    "repeated_4grams",
    "distinct_2",
    "empty_rate",
    "refusal_rate",
    "reward",
    "cut_thoughts",
    *CALLED,
    "valid_json",
)


def usual_metrics(rows: ScoreRows) -> tuple[str, ...]:
    """What suits these rows: everything that needs no setting of its own."""
    without = {"regex", "reward", "numeric_match", "cut_thoughts", DRIFT}
    without |= set() if rows.calls else {*CALLED, "valid_json"}
    without |= set() if rows.answered else {*REFERENCED}
    return tuple(
        name
        for name, (kinds, _, _) in METRICS.items()
        if rows.type in kinds and name not in without
    )


@dataclass(frozen=True)
class ScoreRequest:
    """Columns, rows, metrics by name, and how the answers are made and read.

    `beta` scales implicit rewards; None takes each run's own, or 0.1.
    """

    columns: tuple[Column, ...]
    rows: ScoreRows
    metrics: tuple[str, ...]
    sampling: Sampling = field(default_factory=Sampling)
    extractor: str = "text"
    pattern: str | None = None
    beta: float | None = None
    batch_size: int = 16
    steps: tuple[int, ...] = ()
    """The step of each column, where they follow one run (`studio.evaluation.over_checkpoints`)."""
    rewards: tuple[str, ...] = ()
    """What the metric `reward` gives, as `studio.rewards.spec` reads it; each counts 1."""

    @property
    def has_base(self) -> bool:
        """Whether a base and a run on it are both among the columns."""
        bases = {column.model for column in self.columns if not column.run and not column.endpoint}
        return any(column.run and column.model in bases for column in self.columns)

    def checked(self) -> ScoreRequest:
        """Itself, or a `ConfigError` for what cannot be scored."""
        if not self.columns:
            raise ConfigError("Choose at least one column to score.")
        if not self.metrics:
            raise ConfigError(f"Name a metric: {', '.join(METRICS)}.")
        for name in self.metrics:
            if name not in METRICS:
                raise ConfigError(
                    f"There is no metric {name!r}.{did_you_mean(name, METRICS)} "
                    f"Metrics: {', '.join(METRICS)}."
                )
            require(self.rows, METRICS[name][0], name)
        compared = [name for name in self.metrics if name in REFERENCED]
        if compared and not self.rows.answered:
            raise ConfigError(
                f"{compared[0]} needs answers to compare with, and {self.rows.name} holds none."
            )
        called = [name for name in self.metrics if name in CALLED]
        if called and not self.rows.calls:
            raise ConfigError(
                f"{called[0]} needs answers that call tools, and {self.rows.name} holds none."
            )
        if DRIFT in self.metrics and not self.has_base:
            raise ConfigError(f"{DRIFT} needs the base as a column, beside a run on it.")
        text.extractor(self.extractor)
        if "regex" in self.metrics:
            if not self.pattern:
                raise ConfigError("The metric regex needs a pattern to look for (--pattern).")
            text.pattern(self.pattern)
        if "reward" in self.metrics:
            if not self.rewards:
                raise ConfigError("The metric reward needs one to give (--reward exact).")
            from studio.rewards import parse

            parse(self.rewards)
        elsewhere = [each.label for each in self.columns if each.endpoint]
        if elsewhere and set(self.metrics) - set(GENERATED):
            raise ConfigError(
                f"{elsewhere[0]} is served elsewhere and gives no log-likelihoods; score it on "
                "its answers only."
            )
        return self


@dataclass(eq=False)
class Scoring(Job[dict[str, Any]]):
    """A live scoring: the worker fills it, pages read it, anyone may `cancel()`."""

    request: ScoreRequest
    kind: str = field(default="scoring", kw_only=True)
