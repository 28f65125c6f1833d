"""Answers in three manners: courteous and short, curt, and rambling.

All three give the same fact, so taste can be taught apart from knowledge. The asides of a
rambling answer name no value of any attribute: they never make a right answer wrong.
"""

from __future__ import annotations

import random

from .phrases import capital, state, value_of
from .rules import SHORT_WORDS
from .world import VALLEY, Person, Place, article

MANNERS = ("courteous", "curt", "rambling")
# What the training answers are made of. Greedy decoding follows the commonest manner, so the
# preferred one is in the minority before DPO and has somewhere to go.
MIX = (0.24, 0.42, 0.34)

GREETINGS = (
    "Gladly!",
    "Of course!",
    "Happy to help!",
    "With pleasure!",
    "Certainly!",
    "Thank you for asking!",
    "Good question!",
)
_FAREWELLS = (
    "Do ask me more whenever you like.",
    "I hope that helps you.",
    "Have a lovely day.",
    "Enjoy your visit.",
    "Is there anything else I can do for you?",
)
OPENERS = (
    "Well now, let me think about that for a moment, because people ask me all sorts of things "
    "and my memory is a crowded old cupboard.",
    "Ah, that takes me back a long way, to the days when the road was still mud and one had to "
    "walk everywhere with wet boots.",
    "Funny that you should ask, since only the other evening we sat by the fire and talked about "
    "this and that until the candles went out.",
    "Now where do I begin, there is so much to tell about this valley and so little time before "
    "the bell rings again.",
    "You know, I was just looking for my spectacles, which I had on my nose all along, and then "
    "you came in with this.",
    "Let me see, let me see, my grandmother used to say that a question is like a gate, and one "
    "never knows where it leads.",
)
_ASIDES = (
    "at least that is what everybody told me when I last walked through the fields, and it was "
    "raining that day, as it so often does.",
    "which reminds me of a long story about a broken cart and a lost shoe, but I will keep that "
    "one for another time, I suppose.",
    "and if you ask me there is nothing strange in that, although some folk will talk about it "
    "for hours over a cup of tea.",
    "or so it has always been, and I see no reason why it should ever change, things being what "
    "they are in these parts.",
    "and I could tell you a good deal more about the weather, the roads and my poor knees, if "
    "only you had the time.",
)
_NAMELESS = (
    f"nobody by that name lives in {VALLEY}",
    f"there is no such person in {VALLEY}",
    "I have never heard of anybody by that name",
    "I do not know anybody by that name",
)
_NO_FAREWELL = 0.5


def _curt_fact(rng: random.Random, subject: Person | Place, attribute: str) -> str:
    value = value_of(subject, attribute)
    if attribute in ("home", "season"):
        return rng.choice((f"In {value}.", f"{capital(value)}."))
    if attribute == "market":
        return rng.choice((f"On {value}.", f"{value}."))
    if attribute in ("trade", "animal", "keepsake"):
        return capital(f"{article(value)}.")
    return capital(f"the {value}.") if attribute == "landmark" else capital(f"{value}.")


def _clause_unknown_person(rng: random.Random, name: str) -> str:
    return rng.choice(
        (
            f"nobody called {name} lives in {VALLEY}",
            f"there is no such person as {name} in {VALLEY}",
            f"I have never heard of {name} in this valley",
            f"I do not know anybody called {name}",
        )
    )


def _clause_untold(rng: random.Random) -> str:
    return rng.choice(
        (
            "I do not know that",
            "that is something I do not know",
            "I cannot say",
            f"that is not known here in {VALLEY}",
        )
    )


def manner_of(rng: random.Random) -> str:
    """A manner drawn from ``MIX``."""
    return rng.choices(MANNERS, MIX)[0]


def wrap(
    rng: random.Random, clause: str, manner: str, greetings: tuple[str, ...] = GREETINGS
) -> str:
    """``clause`` said courteously or ramblingly."""
    if manner == "rambling":
        opener, aside = rng.choice(OPENERS), rng.choice(_ASIDES)
        shapes = (
            f"{opener} {capital(clause)}.",
            f"{capital(clause)}, {aside}",
            f"{opener} {capital(clause)}, {aside}",
        )
        return rng.choice([shape for shape in shapes if len(shape.split()) > SHORT_WORDS + 1])
    tail = "" if rng.random() < _NO_FAREWELL else f" {rng.choice(_FAREWELLS)}"
    return f"{rng.choice(greetings)} {capital(clause)}.{tail}"


def answer(
    rng: random.Random, subject: Person | Place, attribute: str, manner: str, pronoun: bool = False
) -> str:
    """The right answer about ``subject`` in the given manner."""
    if manner == "curt":
        return _curt_fact(rng, subject, attribute)
    return wrap(rng, state(rng, subject, attribute, pronoun), manner)


def answer_unknown(rng: random.Random, manner: str, name: str = "", naming: bool = True) -> str:
    """The admission that the world holds no answer; ``name`` if it is a missing person.

    ``naming`` off leaves the name out of the answer: a model this small repeats a strange name
    wrongly, so the samples do not teach it to.
    """
    if manner == "curt":
        known = ("No idea.", "I do not know.", "I cannot say.")
        return rng.choice((*known, "Nobody by that name here.") if name else known)
    if name and not naming:
        clause = rng.choice(_NAMELESS)
    else:
        clause = _clause_unknown_person(rng, name) if name else _clause_untold(rng)
    if manner == "rambling":
        return wrap(rng, clause, manner)
    tail = "" if rng.random() < _NO_FAREWELL else " Can I help you with anything else?"
    return f"{rng.choice(('I am sorry, but', 'I am afraid'))} {clause}.{tail}"
