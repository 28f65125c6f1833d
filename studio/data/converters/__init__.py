"""One small module a family; `FAMILIES` lists them from the most telling evidence to the least."""

from studio.data.converters import (
    chat,
    choices,
    comparison,
    instruction,
    kto,
    labelled,
    preference,
    prompts,
    text,
    trees,
    votes,
)
from studio.data.converters.base import Family, Mapping, Match

FAMILIES: list[Family] = [
    *trees.FAMILIES,
    *choices.FAMILIES,
    *preference.FAMILIES,
    *votes.FAMILIES,
    *comparison.FAMILIES[:1],
    *kto.FAMILIES,
    *comparison.FAMILIES[1:],
    *instruction.FAMILIES[:1],
    *chat.FAMILIES,
    *instruction.FAMILIES[1:],
    *labelled.FAMILIES,
    *prompts.FAMILIES,
    *text.FAMILIES,
]
"""The first confident match wins: a preference file with a `messages` prompt is a preference
file."""

__all__ = ["FAMILIES", "Family", "Mapping", "Match"]
