"""Rewards of answers: rules, trained reward models, and weighted sums of both. Light to import."""

from studio.rewards.spec import KINDS, RewardTerm, parse
from studio.rewards.weighted import RewardResult, WeightedReward, preview, references

__all__ = [
    "KINDS",
    "RewardResult",
    "RewardTerm",
    "WeightedReward",
    "parse",
    "preview",
    "references",
]
