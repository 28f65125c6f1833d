"""One small module a family; `FAMILIES` lists them from the most telling evidence to the least."""

from studio.data.formats import (
    chat,
    chat_exports,
    classification,
    comparison,
    glaive,
    instruction,
    language_modeling,
    message_trees,
    multiple_choice,
    pairs,
    preference,
    prodigy,
    prompt_only,
    rater_votes,
    unpaired_preference,
)
from studio.data.formats.base import Family, Mapping, Match

FAMILIES: list[Family] = [
    *message_trees.FAMILIES,
    *chat_exports.FAMILIES,
    *prodigy.FAMILIES,
    *glaive.FAMILIES,
    *multiple_choice.FAMILIES,
    *pairs.FAMILIES,
    *preference.FAMILIES,
    *rater_votes.FAMILIES,
    *comparison.FAMILIES[:1],
    *unpaired_preference.FAMILIES,
    *comparison.FAMILIES[1:],
    *instruction.FAMILIES[:1],
    *chat.FAMILIES,
    *instruction.FAMILIES[1:],
    *classification.FAMILIES,
    *prompt_only.FAMILIES,
    *language_modeling.FAMILIES,
]
"""The first confident match wins: a preference file with a `messages` prompt is a preference
file."""

__all__ = ["FAMILIES", "Family", "Mapping", "Match"]
