"""Rewards of answers: rules, trained reward models, and weighted sums of both. Light to import."""

from studio.rewards.spec import KINDS, Part, parse
from studio.rewards.weighted import Graded, Mix, preview, references

__all__ = ["KINDS", "Graded", "Mix", "Part", "parse", "preview", "references"]
