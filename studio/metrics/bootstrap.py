"""What duels say beyond a count: intervals over prompts, length held equal, several models ranked.

Scores are half-win scores of one side: 1 for a win, 0 for a loss, 1/2 for a tie or both bad.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from studio.core.errors import ConfigError
from studio.metrics.proportions import Z95

REPEATS = 4000  # bootstrap samples: the ends of a 95 % interval move by about 1 % of its width
_ROUNDS = 200


@dataclass(frozen=True)
class Interval:
    """A figure with its 95 % interval over `count` units (prompts, or pairs of answers)."""

    value: float
    low: float
    high: float
    count: int

    def as_dict(self) -> dict[str, float | int]:
        return {"value": self.value, "low": self.low, "high": self.high, "count": self.count}


def bootstrap_mean(
    clusters: Sequence[Sequence[float]], repeats: int = REPEATS, seed: int = 0
) -> Interval | None:
    """Mean of all scores, with a percentile bootstrap that draws whole clusters.

    Votes on one prompt are one cluster: they are not independent, so prompts are drawn, not votes
    (Efron and Tibshirani 1993, chapters 8 and 13). None where nothing was scored.
    """
    kept = [cluster for cluster in clusters if len(cluster)]
    return bootstrap_ratio([math.fsum(c) for c in kept], [len(c) for c in kept], repeats, seed)


def bootstrap_ratio(
    totals: Sequence[float], sizes: Sequence[float], repeats: int = REPEATS, seed: int = 0
) -> Interval | None:
    """sum(totals) / sum(sizes) over independent units, with a percentile bootstrap over units."""
    sums, weights = np.asarray(totals, dtype=float), np.asarray(sizes, dtype=float)
    if not len(sums) or weights.sum() <= 0:
        return None
    draw = np.random.default_rng(seed)
    means = np.empty(repeats)
    step = max(1, 2_000_000 // len(sums))  # a few tens of megabytes at a time
    for start in range(0, repeats, step):
        shape = (min(step, repeats - start), len(sums))
        chosen = draw.integers(len(sums), size=shape)
        means[start : start + shape[0]] = sums[chosen].sum(1) / weights[chosen].sum(1)
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(sums.sum() / weights.sum()), float(low), float(high), len(sums))


def votes_to_settle(wins: int, losses: int) -> int | None:
    """Further decisive pairs until the Wilson interval leaves one half out, if the share holds.

    Wilson's interval inverts the score test, so it leaves 1/2 out when
    |share - 1/2| > z / (2 sqrt(n)). 0 when it does already, None when both have won equally often
    (no number of such pairs would do).
    """
    total = wins + losses
    if wins == losses:
        return None
    off = abs(wins / total - 0.5)
    return max(0, math.floor(Z95**2 / (4 * off * off)) + 1 - total)


@dataclass(frozen=True)
class LengthControlled:
    """`rate` is the win rate were both answers equally long; `length` above 0 favours long ones."""

    rate: Interval
    length: float
    raw: float


def length_controlled(
    scores: Sequence[float],
    lengths: Sequence[float],
    other: Sequence[float],
    clusters: Sequence[Hashable] | None = None,
    ridge: float = 1e-3,
    difficulty: Sequence[float] | None = None,
) -> LengthControlled | None:
    """Win rate with the difference in length taken out.

    The logistic form of Dubois et al. (2024), "Length-Controlled AlpacaEval", for one pair of
    models: logit P(win) = theta + phi tanh((own length - other length) / standard deviation of
    that difference) + psi difficulty, and the rate is the mean of P(win) over the prompts with the
    second term at 0. None where nothing was scored.

    The interval is the wider of two: by the model's information, pairs being independent, which
    holds for one-sided results, where residuals vanish; and by the cluster-robust variance (Liang
    and Zeger 1986), which holds where several pairs share a prompt.

    Args:
        scores: half-win scores, one a pair; where several people judged a pair, their mean.
        lengths, other: lengths of one's own and the other's answer, in any one unit.
        clusters: the prompt of each pair, or whatever is independent; default: every pair.
        ridge: a small penalty on the coefficients, so that one-sided results stay finite.
        difficulty: how often other models win against the same baseline on each pair's prompt, on
            the log-odds scale; their third term. None leaves it out.
    """
    y = np.asarray(scores, dtype=float)
    if not len(y):
        return None
    gap = np.asarray(lengths, dtype=float) - np.asarray(other, dtype=float)
    spread = float(gap.std())
    columns = [np.ones(len(y)), np.tanh(gap / spread) if spread > 0 else np.zeros(len(y))]
    if difficulty is not None:
        hard = np.asarray(difficulty, dtype=float)
        columns.append(hard - hard.mean())
    design = np.stack(columns, axis=1)
    beta, information = np.zeros(len(columns)), np.eye(len(columns))
    for _ in range(_ROUNDS):
        p = 1 / (1 + np.exp(-design @ beta))
        weights = (p * (1 - p))[:, None]
        information = (design * weights).T @ design + ridge * np.eye(len(columns))
        step = np.linalg.solve(information, design.T @ (y - p) - ridge * beta)
        beta = beta + step / max(1.0, float(np.abs(step).max()))  # never far at once
        if float(np.abs(step).max()) < 1e-10:
            break
    residuals = y - 1 / (1 + np.exp(-design @ beta))
    theta = float(beta[0])
    error = _standard_error(design * residuals[:, None], information, clusters or range(len(y)))
    of_prompt = design[:, 2:] @ beta[2:]  # 0 without difficulties
    low, value, high = (
        float((1 / (1 + np.exp(-(t + of_prompt)))).mean())
        for t in (theta - Z95 * error, theta, theta + Z95 * error)
    )
    rate = Interval(value, low, high, len(y))
    return LengthControlled(rate, float(beta[1]), float(y.mean()))


def _standard_error(
    scores: np.ndarray, information: np.ndarray, clusters: Sequence[Hashable]
) -> float:
    """Of the first coefficient, from the rows' scores (count, terms) and the information (terms,
    terms)."""
    inverse = np.linalg.inv(information)
    _, first = np.unique(np.asarray([str(each) for each in clusters]), return_inverse=True)
    sums = np.zeros((int(first.max()) + 1, scores.shape[1]))
    np.add.at(sums, first, scores)
    few = len(sums) / max(1, len(sums) - 1)  # the usual correction for few clusters
    robust = few * inverse @ sums.T @ sums @ inverse
    return math.sqrt(max(float(inverse[0, 0]), float(robust[0, 0])))


@dataclass(frozen=True)
class Strength:
    """A model's strength on the log-odds scale (mean of all models 0), with its 95 % interval."""

    name: str
    strength: float
    low: float
    high: float
    games: float


def bradley_terry(wins: Mapping[tuple[str, str], float]) -> list[Strength]:
    """Strengths of models that met in pairs, strongest first.

    P(i beats j) = 1 / (1 + exp(s_j - s_i)) (Bradley and Terry 1952), by Hunter's (2004) MM steps;
    intervals from the observed information, with the mean strength held at 0.

    Args:
        wins: {(winner, loser): wins}; a tie is half a win for each.

    Raises:
        ConfigError: where some models never lost to (or never met) the rest, so that no finite
            strengths exist (Ford 1957).
    """
    names = sorted({name for pair in wins for name in pair})
    at = {name: place for place, name in enumerate(names)}
    won = np.zeros((len(names), len(names)))
    for (winner, loser), count in wins.items():
        if winner != loser:
            won[at[winner], at[loser]] += count
    _require_a_way_round(won, names)
    games = won + won.T
    power = np.ones(len(names))
    for _ in range(100 * _ROUNDS):
        fresh = won.sum(1) / (games / (power[:, None] + power[None, :])).sum(1)
        fresh /= math.exp(float(np.log(fresh).mean()))
        moved = float(np.abs(np.log(fresh / power)).max())
        power = fresh
        if moved < 1e-12:
            break
    p = power[:, None] / (power[:, None] + power[None, :])
    weight = games * p * (1 - p)
    information = np.diag(weight.sum(1)) - weight
    errors = np.sqrt(np.diag(np.linalg.pinv(information)))
    found = [
        Strength(name, s, s - Z95 * e, s + Z95 * e, g)
        for name, s, e, g in zip(
            names, np.log(power).tolist(), errors.tolist(), games.sum(1).tolist(), strict=True
        )
    ]
    return sorted(found, key=lambda each: -each.strength)


def _require_a_way_round(won: np.ndarray, names: Sequence[str]) -> None:
    """Every model must be reachable from every other along wins."""
    reach = (won > 0) | np.eye(len(names), dtype=bool)
    for middle in range(len(names)):
        reach |= reach[:, middle, None] & reach[None, middle, :]
    if len(names) < 2 or not reach.all():
        alone = [name for name, row in zip(names, reach.T, strict=True) if not row.all()]
        raise ConfigError(
            "Bradley-Terry strengths need every model to have lost and won along some chain of "
            f"duels; here nobody beat {' or '.join(alone[:3]) or 'anybody'}. Collect more votes."
        )
