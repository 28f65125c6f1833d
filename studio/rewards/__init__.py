"""Rewards of answers: rules, trained reward models, and weighted sums of both. Light to import."""

from studio.rewards.mix import Graded, Mix, preview, references
from studio.rewards.parts import KINDS, Part, parse

__all__ = ["KINDS", "Graded", "Mix", "Part", "parse", "preview", "references"]
