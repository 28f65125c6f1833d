"""Health of reinforcement learning in words: the loss says little there, so the rewards are read.

Part of `studio.training.health`; thresholds stay silent on runs that are merely noisy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from studio.training.health_metrics import Finding, worst_first

_SETTLED = 20  # points before a trend is told
_FAR = 10.0  # nats a token from the reference: another model altogether
_FLAT = 0.9  # share of groups with no spread that leaves nothing to learn
_RUNAWAY = 2.0  # times the length that answers began with
_CUT = 0.9
_ENTROPY = 0.25  # share of the first entropy that is a collapse
_LOST = 0.1  # of a rule's mean reward that may get lost while the sum rises


def findings(
    found: Sequence[Finding], tracks: Mapping[str, Any], points: int, step: int
) -> list[Finding]:
    """What is to be said of a run that learns from rewards, worst first.

    Args:
        found: what the events said already (a number that is none, a spike of the loss).
        tracks: by measured name, the first 20 and the latest 10 points.
    """
    told = [one for one in found if one.kind == "nan"]
    if points >= _SETTLED:
        for kind, level, title, means, change in filter(None, _judged(tracks)):
            told.append(Finding(kind, level, step, title, means, change))
    return worst_first(told)


def _judged(tracks: Mapping[str, Any]) -> list[Any]:
    return [_constant(tracks), _far(tracks), _hacked(tracks), _collapsed(tracks), _cut(tracks)]


def _early(tracks: Mapping[str, Any], name: str) -> float | None:
    track = tracks.get(name)
    return fmean(track.first[:5]) if track and track.first else None


def _late(tracks: Mapping[str, Any], name: str) -> float | None:
    track = tracks.get(name)
    return fmean(track.recent) if track and track.recent else None


def _constant(tracks: Mapping[str, Any]) -> Any:
    flat = _late(tracks, "frac_reward_zero_std")
    if flat is None or flat < _FLAT:
        return None
    return (
        "constant",
        "warn",
        f"In {100 * flat:.0f} % of the groups every answer gets the same reward.",
        "There is nothing to learn from answers that are all as good: the reward is too easy, too "
        "hard, or the answers are all alike.",
        "If the reward is at its best, stop here. Else raise temperature or num_generations, or "
        "add a reward that tells answers apart (try it with rewards preview).",
    )


def _far(tracks: Mapping[str, Any]) -> Any:
    distance = _late(tracks, "kl")
    if distance is None or distance < _FAR:
        return None
    return (
        "kl",
        "danger",
        f"The model is {distance:.0f} nats a token from the reference.",
        "It has left what it began as; what it says may fall apart while the reward rises.",
        "Raise beta, lower learning_rate, and go on from an earlier checkpoint.",
    )


def _hacked(tracks: Mapping[str, Any]) -> Any:
    """The sum rises while a part of it falls, or while answers run away in length."""
    before, now = _early(tracks, "reward"), _late(tracks, "reward")
    if before is None or now is None or now <= before + 0.02 * max(1.0, abs(before)):
        return None
    for name in tracks:
        part = name.removeprefix("rewards/").removesuffix("/mean")
        if not name.startswith("rewards/") or not name.endswith("/mean") or part[:5] == "model":
            continue
        was, got = _early(tracks, name), _late(tracks, name)
        if was is not None and got is not None and got < was - _LOST:
            return _hack(f"the rule {part} fell from {was:.2f} to {got:.2f}")
    was, got = (f(tracks, "completions/mean_length") for f in (_early, _late))
    if was and got and not 1 / _RUNAWAY < got / was < _RUNAWAY and tracks.get("rewards/model/mean"):
        return _hack(f"answers went from {was:.0f} to {got:.0f} tokens")
    return None


def _hack(how: str) -> Any:
    return (
        "hacked",
        "warn",
        f"Reward hacking suspected: the reward rises while {how}.",
        "The model has found what the reward likes rather than what people do.",
        "Read the sample answers. Raise beta, add a rule for what is lost (exact, length), or "
        "train the reward model on answers like these.",
    )


def _collapsed(tracks: Mapping[str, Any]) -> Any:
    before, now = _early(tracks, "entropy"), _late(tracks, "entropy")
    if before is None or now is None or before < 0.1 or now > _ENTROPY * before:
        return None
    return (
        "entropy",
        "warn",
        f"The entropy fell from {before:.2f} to {now:.2f} nats a token.",
        "The model says nearly the same every time and tries nothing new, so it soon learns "
        "nothing either.",
        "If the answers are good, stop here. Else lower learning_rate, raise temperature or beta.",
    )


def _cut(tracks: Mapping[str, Any]) -> Any:
    share = _late(tracks, "completions/clipped_ratio")
    if share is None or share < _CUT:
        return None
    return (
        "cut",
        "warn",
        f"{100 * share:.0f} % of the answers are cut off.",
        "Rewards are given to halves of answers, and the end of an answer is never learned.",
        "Raise max_completion_length, or reward shorter answers with a length band.",
    )
