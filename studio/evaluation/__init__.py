"""Scores of columns on held-out rows: losses, preferences, answers against references, choices."""

from studio.evaluation.eval_rows import ScoreRows, load_rows
from studio.evaluation.request import ScoreRequest, Scoring

__all__ = ["ScoreRequest", "ScoreRows", "Scoring", "load_rows"]
