"""Rebuild the pocket model and its sample data: ``python -m presets.pocket.maker``.

``--data-only`` leaves the model as it is; ``--steps`` shortens the pretraining for a trial.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
from pathlib import Path

from .card import write_card
from .prose import write_corpus
from .quiz import write_samples
from .train import Plan, build
from .world import SEED, make_world

FOLDER = Path(__file__).resolve().parents[1]


def main() -> None:
    """Write data, tokenizer, model and card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--steps", type=int, default=Plan.steps)
    parser.add_argument("--data-only", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    world = make_world(SEED)
    write_samples(world, options.folder / "data", SEED)
    if options.data_only:
        return
    plan = dataclasses.replace(
        Plan(), steps=options.steps, closing_steps=min(Plan.closing_steps, options.steps)
    )
    texts = [document.text for document in write_corpus(world, SEED, plan.documents)]
    closing = write_corpus(world, SEED + 1, plan.closing_documents, unanswered=0.35)
    figures = build(texts, [document.text for document in closing], options.folder, plan)
    write_card(figures, options.folder)


if __name__ == "__main__":
    main()
