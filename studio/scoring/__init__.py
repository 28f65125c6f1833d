"""Scores of columns on held-out rows: losses, preferences, answers against references, choices."""

from studio.scoring.request import ScoreRequest, Scoring
from studio.scoring.rows import ScoreRows, load_rows

__all__ = ["ScoreRequest", "ScoreRows", "Scoring", "load_rows"]
