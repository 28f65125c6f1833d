"""A rule in a person's place, for the pocket world: it prefers courteous and short answers.

What walks the whole loop without people, in benchmarks and in the shipped example of both roads;
its votes are kept like anybody's, under its own name.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from studio.engine.studio import Studio
    from studio.labels.types import Project, ShownItem

TASTE = {"courteous": 2, "plain": 1, "curt": 1, "rambling": 0}


@dataclass
class Ruler:
    """An annotator that follows the pocket world's rule, with errors of a known kind.

    `noise` is the share of verdicts turned round, `hurry` the share of left answers taken without
    looking; `put_in` counts both.
    """

    name: str
    noise: float = 0.0
    hurry: float = 0.0
    draw: random.Random = field(default_factory=random.Random)
    put_in: Counter[str] = field(default_factory=Counter)

    def verdict(self, shown: ShownItem) -> str:
        """ "left", "right" or "tie", by the rule, then by the errors."""
        from presets.pocket.maker.rules import style

        left, right = TASTE[style(shown.left)], TASTE[style(shown.right)]
        if self.hurry and self.draw.random() < self.hurry:
            self.put_in["hurried"] += 1
            return "left"
        if left == right:
            self.put_in["ties"] += 1
            return "tie"
        turned = self.draw.random() < self.noise
        self.put_in["turned" if turned else "kept"] += 1
        return "left" if (left > right) != turned else "right"

    def judge(self, studio: Studio, project: Project) -> None:
        """Vote until nothing is left."""
        while (shown := studio.labels.next_item(project.id, self.name)) is not None:
            studio.labels.vote(
                project.id,
                shown.item_id,
                self.name,
                self.verdict(shown),
                2,
                seconds=2 + self.draw.random(),
                turn=shown.turn,
            )
