"""Blind pairwise preferences: pairs, votes, win rates, and rows for the next run."""

from studio.labels.aggregation import RULES, Rule
from studio.labels.export import FORMATS, Export, Summary, export_items, split_by_prompt
from studio.labels.pair_filter import items_from_rows, pairs_from_texts, source_run
from studio.labels.store import LabelStore
from studio.labels.types import (
    CHOICES,
    DEFAULT_QUESTION,
    STRENGTHS,
    Added,
    JudgedItem,
    Pair,
    Progress,
    Project,
    ShownItem,
    Standing,
    Vote,
    VoteReceipt,
)
from studio.labels.win_rates import WinRate
from studio.metrics.proportions import sign_test, wilson_interval

__all__ = [
    "CHOICES",
    "DEFAULT_QUESTION",
    "FORMATS",
    "RULES",
    "STRENGTHS",
    "Added",
    "Export",
    "JudgedItem",
    "LabelStore",
    "Pair",
    "Progress",
    "Project",
    "Rule",
    "ShownItem",
    "Standing",
    "Summary",
    "Vote",
    "VoteReceipt",
    "WinRate",
    "export_items",
    "items_from_rows",
    "pairs_from_texts",
    "sign_test",
    "source_run",
    "split_by_prompt",
    "wilson_interval",
]
