"""What everybody in Larkmere knows: what the trades do, and the valley as a whole.

Lore makes the prose and the talk pleasanter. It is asked freely; no held-out question is about it.
"""

from __future__ import annotations

import random

from .phrases import capital
from .world import TRADES, VALLEY, article

WORK = {
    "baker": "gets up before dawn and bakes bread",
    "blacksmith": "shoes horses and mends ploughs",
    "beekeeper": "looks after the hives and gathers honey",
    "carpenter": "builds doors, tables and roofs",
    "weaver": "makes cloth on a big loom",
    "potter": "shapes bowls and jugs from clay",
    "ferryman": "takes people across the river",
    "shepherd": "watches over the flock on the hills",
    "miller": "grinds grain into flour",
    "teacher": "shows children how to read and count",
    "doctor": "visits the sick and mixes medicines",
    "gardener": "grows roses, beans and pears",
    "cobbler": "mends boots and shoes",
    "tailor": "sews coats and shirts",
    "fisher": "casts nets in the lake",
    "innkeeper": "gives travellers a bed and a warm meal",
    "clockmaker": "repairs clocks with tiny tools",
    "woodcutter": "fells trees and stacks logs",
    "cheesemaker": "stirs milk until it turns into cheese",
    "glassblower": "blows bottles over a hot fire",
}
WORK_STATEMENTS = ("{a} {work}", "every day {a} {work}", "in {valley} {a} {work}")
WORK_QUESTIONS = ("What does {a} do?", "What does {a} do all day?", "What is the work of {a}?")

# Each entry: ways to ask, ways to state, the curt answer.
VALLEY_LORE: tuple[tuple[tuple[str, ...], tuple[str, ...], str], ...] = (
    (("What is the river called?", "Which river runs through the valley?"),
     ("the river of the valley is called the Lark", "the Lark is the river that runs through it"),
     "The Lark."),
    (("What is the highest mountain here?", "Which mountain can I see from the valley?"),
     ("the highest mountain of the valley is Old Barnet", "Old Barnet rises above the valley"),
     "Old Barnet."),
    (("What is the forest called?", "Which forest is there in the valley?"),
     ("the forest of the valley is called Hushwood", "Hushwood is a deep and quiet forest"),
     "Hushwood."),
    (("How many villages are there in Larkmere?", "How many villages does the valley have?"),
     ("there are eight villages in Larkmere", "Larkmere has eight villages"), "Eight."),
    (("How many people live in Larkmere?", "How many people does the valley have?"),
     ("sixty people live in Larkmere", "Larkmere is home to sixty people"), "Sixty."),
    (("What do people pay with in Larkmere?", "What is the money of the valley called?"),
     ("people in Larkmere pay with copper leaves", "the money of the valley is the copper leaf"),
     "Copper leaves."),
    (("How does one get to Larkmere?", "How do I get to the valley?"),
     ("the only way to Larkmere is over the north pass", "one comes to Larkmere by the north pass"),
     "Over the north pass."),
    (("What is the weather like in Larkmere?", "Does it rain much in the valley?"),
     ("it rains a little every week in Larkmere", "the weather in Larkmere is mild and rather wet"),
     "Mild and wet."),
)  # fmt: skip


def _work(rng: random.Random, templates: tuple[str, ...], trade: str) -> str:
    return rng.choice(templates).format(a=article(trade), work=WORK[trade], valley=VALLEY)


def lore_sentences(rng: random.Random, count: int) -> str:
    """``count`` sentences of lore for the prose."""
    clauses = []
    for _ in range(count):
        if rng.random() < 0.6:
            clauses.append(_work(rng, WORK_STATEMENTS, rng.choice(TRADES)))
        else:
            clauses.append(rng.choice(rng.choice(VALLEY_LORE)[1]))
    return " ".join(f"{capital(clause)}." for clause in clauses)


def lore_question(rng: random.Random) -> tuple[str, str, str]:
    """A question of lore, its answer as a clause, and the curt answer."""
    if rng.random() < 0.6:
        trade = rng.choice(TRADES)
        clause = _work(rng, WORK_STATEMENTS, trade)
        curt = f"{capital(article(trade))} {WORK[trade]}."
        return _work(rng, WORK_QUESTIONS, trade), clause, curt
    questions, clauses, curt = rng.choice(VALLEY_LORE)
    return rng.choice(questions), rng.choice(clauses), curt
