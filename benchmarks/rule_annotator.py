"""An annotator that follows the pocket world's rule: courteous and short answers win.

It labels without people in the benchmarks and in `make test-rounds`; its votes are stored like
anybody's, under its own name.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field

from presets.pocket.maker.rules import style
from studio import Studio
from studio.labels import Project, ShownItem

PREFERENCE = {"courteous": 2, "plain": 1, "curt": 1, "rambling": 0}


@dataclass
class RuleAnnotator:
    """Votes by the rule, with errors of a known kind.

    `noise` is the share of votes that are flipped, `hurry` the share of items on which the left
    answer is taken unread; `errors` counts what was injected.
    """

    name: str
    noise: float = 0.0
    hurry: float = 0.0
    draw: random.Random = field(default_factory=random.Random)
    errors: Counter[str] = field(default_factory=Counter[str])

    def choose(self, shown: ShownItem) -> str:
        """ "left", "right" or "tie": the rule's choice, then the injected errors."""
        left, right = PREFERENCE[style(shown.left)], PREFERENCE[style(shown.right)]
        if self.hurry and self.draw.random() < self.hurry:
            self.errors["hurried"] += 1
            return "left"
        if left == right:
            self.errors["ties"] += 1
            return "tie"
        flipped = self.draw.random() < self.noise
        self.errors["flipped" if flipped else "kept"] += 1
        return "left" if (left > right) != flipped else "right"

    def label(self, studio: Studio, project: Project) -> None:
        """Vote until nothing is left."""
        while (shown := studio.labels.next_item(project.id, self.name)) is not None:
            studio.labels.vote(
                project.id,
                shown.item_id,
                self.name,
                self.choose(shown),
                2,
                seconds=2 + self.draw.random(),
                turn=shown.turn,
            )
