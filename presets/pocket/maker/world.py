"""The facts of Larkmere, a small closed world that the pocket model is taught.

Sixty people with six attributes each and eight villages with five each: few enough for four
million parameters to learn by heart, and enough that a question has one right answer and many
wrong ones. Everything follows from one seed, so the corpus, the samples and the tests agree.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

VALLEY = "Larkmere"
SEED = 7
HELD_OUT_SHARE = 0.25


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


WOMEN = _words(
    "Alma Bettina Clara Dora Edda Fenna Greta Hazel Isolde Juna Karin Lotte Mira Nessa Orla "
    "Petra Rosalind Saskia Tilda Ursel Vera Willa Yvette Zora Annik Britta Celia Damaris Elin "
    "Flora"
)
MEN = _words(
    "Anselm Bram Caspar Dirk Edmund Finn Gustav Hugo Ivo Jasper Kaspian Lorenz Magnus Nils Oswin "
    "Piet Quentin Rufus Stefan Tobias Ulric Viktor Wendel Yorick Zeno Aldo Benno Corin Dunstan "
    "Emmet"
)
# Names that nobody in the valley bears: the first list may be asked about in training, the second
# is kept for the held-out questions.
STRANGERS = _words(
    "Agatha Albin Amos Angus Arlo Astrid Basil Beatrix Bernard Blanche Boris Brenda Cecil Claude "
    "Conrad Cora Cyril Daphne Delia Derek Edith Egon Elmer Elspeth Ernest Esme Eunice Felix "
    "Fergus Fiona Frieda Gareth Gilbert Gloria Gwen Harold Harriet Hector Helga Henrik Herbert "
    "Hilda Homer Horace Ian Ida Imogen Irma Isaac Jacob Jerome Josef Judith Kirsten Konrad Lars "
    "Leopold Linus Lionel Lorna Luther Mabel Marcus Martha Matilda Maurice Mildred Milo Morgan "
    "Myra Nadia Neville Nora Norbert Olga Oscar Otto Owen Pamela Percy Phoebe Ralph Ramona Reuben "
    "Roland Rowena Sabine Samson Selma Sigrid Simon Stella Sybil Thelma Thora Trevor Ulla Una "
    "Vincent Violet Waldo Walter Wanda Wilbur Winifred Xavier Zelda"
)
HELD_OUT_STRANGERS = _words(
    "Abigail Barnaby Cuthbert Doreen Enoch Franziska Godfrey Henrietta Ignatius Jocelyn Lucinda "
    "Mortimer Nathaniel Ophelia Prudence Reginald Seraphina Thaddeus Valerie Zachary"
)

TRADES = _words(
    "baker blacksmith beekeeper carpenter weaver potter ferryman shepherd miller teacher doctor "
    "gardener cobbler tailor fisher innkeeper clockmaker woodcutter cheesemaker glassblower"
)
ANIMALS = (
    "goat",
    "parrot",
    "hedgehog",
    "donkey",
    "tabby cat",
    "sheepdog",
    "tortoise",
    "raven",
    "rabbit",
    "goose",
    "ferret",
    "pony",
    "owl",
    "piglet",
)
DISHES = (
    "trout pie",
    "barley soup",
    "plum dumplings",
    "onion tart",
    "mushroom stew",
    "honey cake",
    "potato pancakes",
    "apple crumble",
    "pea soup",
    "roast duck",
    "cheese toast",
    "rice pudding",
    "walnut bread",
    "pickled herring",
)
PASTIMES = (
    "playing the fiddle",
    "painting birds",
    "chess",
    "skating",
    "carving spoons",
    "reading maps",
    "singing",
    "flying kites",
    "swimming",
    "knitting",
    "playing the flute",
    "stargazing",
    "dancing",
    "collecting stones",
)
KEEPSAKES = (
    "silver thimble",
    "brass compass",
    "red scarf",
    "old lantern",
    "glass marble",
    "wooden whistle",
    "copper kettle",
    "blue ribbon",
    "pocket watch",
    "ivory comb",
    "painted fan",
    "iron key",
    "sea shell",
    "leather diary",
)

PLACES = (
    "Alderford",
    "Birchwick",
    "Coldwell",
    "Dunmoor",
    "Elmstead",
    "Foxhollow",
    "Greywater",
    "Highcliff",
)
LANDMARKS = (
    "stone bridge",
    "leaning tower",
    "water mill",
    "standing stones",
    "rope ferry",
    "walled orchard",
    "copper dome",
    "old lighthouse",
)
GOODS = (
    "smoked trout",
    "woollen blankets",
    "blue pottery",
    "heather honey",
    "goat cheese",
    "cider",
    "wicker baskets",
    "church bells",
)
FESTIVALS = (
    "Lantern Night",
    "the Goose Fair",
    "the Kite Race",
    "Candle Week",
    "the Apple Dance",
    "the Raft Parade",
    "the Bonfire Supper",
    "Bell Day",
)
SEASONS = ("spring", "summer", "autumn", "winter")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")

PERSON_ATTRIBUTES = ("trade", "home", "animal", "dish", "pastime", "keepsake")
PLACE_ATTRIBUTES = ("landmark", "goods", "festival", "season", "market")
VALUES = {
    "trade": TRADES,
    "home": PLACES,
    "animal": ANIMALS,
    "dish": DISHES,
    "pastime": PASTIMES,
    "keepsake": KEEPSAKES,
    "landmark": LANDMARKS,
    "goods": GOODS,
    "festival": FESTIVALS,
    "season": SEASONS,
    "market": DAYS,
    "who": WOMEN + MEN,
}


@dataclass(frozen=True)
class Person:
    """One villager; ``facts`` maps each of ``PERSON_ATTRIBUTES`` to its value."""

    name: str
    woman: bool
    facts: dict[str, str]

    @property
    def he(self) -> str:
        return "she" if self.woman else "he"

    @property
    def his(self) -> str:
        return "her" if self.woman else "his"

    @property
    def him(self) -> str:
        return "her" if self.woman else "him"


@dataclass(frozen=True)
class Place:
    """One village; ``facts`` maps each of ``PLACE_ATTRIBUTES`` to its value."""

    name: str
    facts: dict[str, str]


@dataclass(frozen=True)
class World:
    """Everybody, every village, and the facts whose questions are kept for measurement.

    ``held_out`` holds (subject, attribute) pairs. They are stated in the prose and never asked
    there, nor in the training samples. ``(person, "who")`` is the question that runs backwards,
    from a trade and a village to a name.
    """

    people: tuple[Person, ...]
    places: tuple[Place, ...]
    held_out: frozenset[tuple[str, str]]

    def asked(self, subject: Person | Place) -> list[str]:
        """The attributes of ``subject`` that training may ask about.

        Asking backwards for a name gives trade and village away, so it needs all three free.
        """
        free = [a for a in subject.facts if (subject.name, a) not in self.held_out]
        backwards = isinstance(subject, Person) and {"trade", "home"} <= set(free)
        if backwards and (subject.name, "who") not in self.held_out:
            free.append("who")
        return free

    @property
    def curious(self) -> tuple[Person, ...]:
        """The half of the people about whom training may ask what the world does not tell."""
        return self.people[::2]

    def residents(self, place: str) -> list[Person]:
        return [p for p in self.people if p.facts["home"] == place]


def article(noun: str) -> str:
    """``noun`` with the indefinite article in front."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def _spread(rng: random.Random, values: tuple[str, ...], count: int) -> list[str]:
    """``count`` values in random order, each used about equally often."""
    pool = [values[i % len(values)] for i in range(count)]
    rng.shuffle(pool)
    return pool


def _people(rng: random.Random) -> tuple[Person, ...]:
    names = [(n, True) for n in WOMEN] + [(n, False) for n in MEN]
    # Trade and village are drawn as a pair without repetition, so that "the baker of Coldwell"
    # is one person and can be asked for.
    pairs = [(t, h) for t in TRADES for h in PLACES]
    while True:
        chosen = rng.sample(pairs, len(names))
        homes = [h for _, h in chosen]
        if min(homes.count(p) for p in PLACES) >= 5:
            break
    columns = {a: _spread(rng, VALUES[a], len(names)) for a in PERSON_ATTRIBUTES[2:]}
    people = []
    for i, (name, woman) in enumerate(names):
        trade, home = chosen[i]
        facts = {"trade": trade, "home": home} | {a: columns[a][i] for a in columns}
        people.append(Person(name, woman, facts))
    return tuple(people)


def _places(rng: random.Random) -> tuple[Place, ...]:
    columns = {a: _spread(rng, VALUES[a], len(PLACES)) for a in PLACE_ATTRIBUTES}
    return tuple(
        Place(name, {a: columns[a][i] for a in PLACE_ATTRIBUTES}) for i, name in enumerate(PLACES)
    )


@cache
def make_world(seed: int = SEED) -> World:
    """The world that ``seed`` determines: the same facts and the same held-out set each time."""
    rng = random.Random(seed)
    people, places = _people(rng), _places(rng)
    pairs = [(p.name, a) for p in people for a in (*PERSON_ATTRIBUTES, "who")]
    pairs += [(p.name, a) for p in places for a in PLACE_ATTRIBUTES]
    held_out = rng.sample(pairs, round(len(pairs) * HELD_OUT_SHARE))
    return World(people, places, frozenset(held_out))
