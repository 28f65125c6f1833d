"""Health of online RL runs: the loss says little there, so the rewards are judged.

Part of `studio.training.health`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from studio.core.formatting import percent_text
from studio.training.health_metrics import Finding, worst_first

_SETTLED = 20  # points before a trend is judged
_FAR = 10.0  # nats per token from the reference
_FLAT = 0.9  # share of groups with equal rewards that leaves nothing to learn
_RUNAWAY = 2.0  # times the initial length of answers
_CUT = 0.9
_ENTROPY = 0.25  # share of the initial entropy that counts as a collapse
_LOST = 0.1  # loss of a rule's mean reward that is tolerated while the sum rises


def findings(
    found: Sequence[Finding], tracks: Mapping[str, Any], points: int, step: int
) -> list[Finding]:
    """Findings about a run that learns from rewards, worst first.

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
        f"In {percent_text(flat)} of the groups every answer gets the same reward.",
        "Equal rewards give no gradient: the reward is too easy, too hard, or the answers are all "
        "alike.",
        "If the reward is at its maximum, stop. Otherwise raise temperature or num_generations, "
        "or add a reward that distinguishes answers (try it with rewards preview).",
    )


def _far(tracks: Mapping[str, Any]) -> Any:
    distance = _late(tracks, "kl")
    if distance is None or distance < _FAR:
        return None
    return (
        "kl",
        "danger",
        f"The model is {distance:.0f} nats per token from the reference.",
        "It has drifted far from where it started; its output may degenerate while the reward "
        "rises.",
        "Raise beta, lower learning_rate, and continue from an earlier checkpoint.",
    )


def _hacked(tracks: Mapping[str, Any]) -> Any:
    """The sum rises while one of its rewards falls, or while answers change much in length."""
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
        f"Possible reward hacking: the reward rises while {how}.",
        "The model exploits the reward instead of doing what people prefer.",
        "Read the sample answers. Raise beta, add a rule for what gets lost (exact, length), or "
        "train the reward model on answers like these.",
    )


def _collapsed(tracks: Mapping[str, Any]) -> Any:
    before, now = _early(tracks, "entropy"), _late(tracks, "entropy")
    if before is None or now is None or before < 0.1 or now > _ENTROPY * before:
        return None
    return (
        "entropy",
        "warn",
        f"The entropy fell from {before:.2f} to {now:.2f} nats per token.",
        "The model generates nearly the same answer every time, so there is little left to "
        "compare and learn from.",
        "If the answers are good, stop. Otherwise lower learning_rate, raise temperature or beta.",
    )


def _cut(tracks: Mapping[str, Any]) -> Any:
    share = _late(tracks, "completions/clipped_ratio")
    if share is None or share < _CUT:
        return None
    return (
        "cut",
        "warn",
        f"{percent_text(share)} of the answers are truncated.",
        "Rewards are computed on incomplete answers, and the model never learns to end one.",
        "Raise max_completion_length, or reward shorter answers with length:MIN-MAX.",
    )
