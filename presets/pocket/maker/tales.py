"""Very short stories about villagers, put together from plots with interchangeable sentences.

A plot lists the attributes that it gives away, so a story for the training samples can be told
without touching a held-out fact.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from .phrases import capital
from .world import SEASONS, Person, World


@dataclass(frozen=True)
class Plot:
    """``needs``: attributes given away; ``beats``: for each sentence its alternatives."""

    needs: tuple[str, ...]
    beats: tuple[tuple[str, ...], ...]


PLOTS = (
    Plot(("animal",), (
        ("One {season} morning {s}'s {animal} was gone.",
         "Last {season} the {animal} of {s} ran away.",
         "On a windy {season} day {s} could not find {his} {animal}."),
        ("{He} looked under the bed, behind the shed and in the tall grass.",
         "{He} called and called until {his} voice was hoarse.",
         "{He} walked all the way to the river and back."),
        ("At last {friend} came up the road with the {animal}, and both were covered in mud.",
         "In the evening {friend} knocked, and there was the {animal}, fast asleep in a basket.",
         "Then {friend} laughed and pointed at the roof, where the {animal} sat in the sun."),
        ("{s} laughed until {he} cried, and they all had tea together.",
         "From that day on {s} left the gate shut.",
         "{s} gave {friend} a warm hug, and nobody was cross."),
    )),
    Plot(("keepsake",), (
        ("One {season} evening {s} opened {his} drawer and the {keepsake} was not there.",
         "Last {season} {s} lost {his} {keepsake} on the way home.",
         "It was a grey {season} day when {s} missed {his} {keepsake}."),
        ("{He} could not sleep that night.", "{He} turned the whole house upside down.",
         "{He} asked at every door in the street."),
        ("In the morning {friend} found it in the hay, shining like new.",
         "A child had found it by the well and brought it to {friend}.",
         "{friend} remembered seeing something glitter under the bridge, and there it was."),
        ("{s} held the {keepsake} tight and smiled.",
         "Since then {s} has kept the {keepsake} under {his} pillow.",
         "To say thanks, {s} sang a song for {friend} in the street."),
    )),
    Plot(("dish",), (
        ("One {season} day {s} wanted to cook {dish} for {friend}.",
         "When {friend} fell ill last {season}, {s} made a big pot of {dish}.",
         "{s} once promised to bring {dish} for the whole street."),
        ("But the fire went out, and then it began to rain through the roof.",
         "But there was no salt in the house, and the shop was shut.",
         "But {he} forgot the time, and smoke filled the kitchen."),
        ("{friend} brought what was missing, and they tried once more.",
         "The neighbours came running, each with something in a basket.",
         "{He} took a deep breath, rolled up {his} sleeves and began again."),
        ("In the end there was {dish} for everybody, and it tasted wonderful.",
         "It was the best {dish} that anyone could remember.",
         "They ate the {dish} by candle light and told stories until late."),
    )),
    Plot(("trade", "home"), (
        ("One {season} night a storm came down on {home}.",
         "Last {season} the river rose and {home} was cut off from the road.",
         "In a cold {season} the snow lay deep around {home}."),
        ("{s} the {trade} lit a lamp and went from house to house.",
         "Everybody was afraid, but {s} the {trade} kept calm.",
         "{s} the {trade} opened {his} door to all who were cold."),
        ("{He} helped the old people first, and {friend} carried the children.",
         "{friend} came with ropes and blankets, and together they set to work.",
         "All night long {s} and {friend} kept the fire burning."),
        ("When the sun came up, {home} was safe, and nobody forgot what the {trade} had done.",
         "In the morning the whole of {home} came to thank the {trade}.",
         "To this day they talk in {home} about that night."),
    )),
    Plot(("pastime", "home"), (
        ("One {season} evening {s} wanted nothing but {pastime}.",
         "Every {season} the people of {home} hold a contest, and {s} is fond of {pastime}.",
         "{s} of {home} had practised {pastime} all {season}."),
        ("{friend} said that it was a waste of time.", "At first nobody paid attention.",
         "{He} was so nervous that {his} hands shook."),
        ("Then {he} began, and one by one the people of {home} stopped to watch.",
         "But soon a little crowd stood in the square of {home}, as quiet as mice.",
         "But {friend} took {him} by the arm and said, you can do it."),
        ("When it was over they clapped so loudly that the windows rattled.",
         "Since then half of {home} has tried {pastime}.",
         "{s} went home happy, and the moon was very bright."),
    )),
)  # fmt: skip


def tale(
    rng: random.Random, world: World, hero: Person, allowed: list[str] | None = None
) -> str | None:
    """A story of four sentences about ``hero``, or None when ``allowed`` permits no plot."""
    plots = [p for p in PLOTS if allowed is None or set(p.needs) <= set(allowed)]
    if not plots:
        return None
    friend = rng.choice([p for p in world.people if p is not hero])
    slots = dict(hero.facts) | {
        "s": hero.name,
        "his": hero.his,
        "he": hero.he,
        "him": hero.him,
        "He": capital(hero.he),
        "friend": friend.name,
        "season": rng.choice(SEASONS),
    }
    return " ".join(rng.choice(beat).format(**slots) for beat in rng.choice(plots).beats)
