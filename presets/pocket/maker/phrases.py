"""How facts are said and asked: statement and question templates for every attribute.

Placeholders: ``{s}`` subject (a name, "she" or "he"), ``{p}`` possessive ("Mira's", "her"),
``{o}`` object ("Mira", "her"), ``{his}`` always the pronoun, ``{v}`` the value, ``{av}`` the value
with its article. Villages use ``{s}`` only. The backwards question, ``who``, uses ``{v}`` for the
name, ``{trade}`` and ``{home}``.
"""

from __future__ import annotations

import random

from .world import Person, Place, article

STATEMENTS: dict[str, tuple[str, ...]] = {
    "trade": (
        "{s} is {av}", "{s} works as {av}", "{s} earns {his} living as {av}",
        "{s} has been {av} for many years", "by trade {s} is {av}", "{p} trade is that of {av}",
        "everyone knows {o} as {av}", "{s} became {av} at a young age", "{p} job is that of {av}",
    ),
    "home": (
        "{s} lives in {v}", "{s} has a small house in {v}", "{p} home is in {v}",
        "{s} comes from {v}", "you will find {o} in {v}", "{s} makes {his} home in {v}",
        "{p} village is {v}", "{s} was born in {v} and never moved away",
    ),
    "animal": (
        "{s} keeps {av}", "{s} has {av} at home", "{p} animal is {av}",
        "{av} follows {o} everywhere", "{s} looks after {av}", "{s} shares {his} house with {av}",
        "{p} pet is {av}", "{s} would not be without {his} {v}",
    ),
    "dish": (
        "{s} likes {v} best of all", "{p} favourite dish is {v}", "{s} would eat {v} every day",
        "nothing tastes better to {o} than {v}", "for supper {s} always asks for {v}",
        "{s} loves {v}", "cook {v} for {o} and {s} will be happy", "{p} favourite food is {v}",
    ),
    "pastime": (
        "{s} enjoys {v}", "{p} favourite pastime is {v}", "in {his} free time {s} enjoys {v}",
        "{s} is fond of {v}", "{s} never grows tired of {v}", "{p} evenings are spent on {v}",
        "when the work is done, {s} turns to {v}", "{p} pastime is {v}",
    ),
    "keepsake": (
        "{s} treasures {av}", "{p} keepsake is {av}", "{p} greatest treasure is {av}",
        "{s} would never part with {his} {v}", "the thing {s} treasures most is {av}",
        "{s} once inherited {av} and treasures it", "{s} owns {av} that is dear to {o}",
    ),
    "who": (
        "the {trade} of {home} is {v}", "in {home} the {trade} is {v}",
        "{v} is the {trade} of {home}", "{home} has {atrade} called {v}",
        "the {trade} in {home} is called {v}", "{v} works as {atrade} in {home}",
    ),
    "landmark": (
        "{s} is proud of its {v}", "visitors come to {s} to see the {v}",
        "the best known sight of {s} is the {v}", "in {s} you can see the {v}",
        "the landmark of {s} is the {v}", "no visitor leaves {s} without seeing the {v}",
    ),
    "goods": (
        "{s} is known for its {v}", "the people of {s} make {v}",
        "{s} sells {v} to the whole valley", "carts leave {s} loaded with {v}",
        "the pride of {s} is its {v}", "nobody makes {v} like the people of {s}",
    ),
    "festival": (
        "{s} celebrates {v}", "the great festival of {s} is {v}", "once a year {s} holds {v}",
        "the whole valley comes to {s} for {v}", "the festival in {s} is called {v}",
    ),
    "season": (
        "the festival of {s} falls in {v}", "{s} holds its festival in {v}",
        "the people of {s} celebrate in {v}", "the season of celebration in {s} is {v}",
    ),
    "market": (
        "market day in {s} is {v}", "{s} holds its market on {v}",
        "on {v} the market opens in {s}", "the stalls of {s} are set up every {v}",
        "the people of {s} go to market on {v}",
    ),
}  # fmt: skip

QUESTIONS: dict[str, tuple[str, ...]] = {
    "trade": (
        "What is {p} trade?", "What does {s} do for a living?", "What is {p} job?",
        "What work does {s} do?", "How does {s} earn a living?",
    ),
    "home": (
        "Where does {s} live?", "In which village does {s} live?", "Which village is {s} from?",
        "Where is {p} home?", "Where can I find {o}?",
    ),
    "animal": (
        "What animal does {s} keep?", "Which animal does {s} have?", "What is {p} pet?",
        "What kind of animal does {s} look after?", "Which animal lives with {o}?",
    ),
    "dish": (
        "What is {p} favourite dish?", "What does {s} like to eat best?",
        "Which food does {s} love most?", "What should I cook for {o}?",
        "What would {s} eat every day?",
    ),
    "pastime": (
        "What does {s} do in {his} free time?", "What is {p} favourite pastime?",
        "How does {s} spend {his} evenings?", "What does {s} enjoy doing?",
        "What is {p} pastime?",
    ),
    "keepsake": (
        "What does {s} treasure most?", "What is {p} keepsake?", "Which keepsake does {s} own?",
        "What would {s} never part with?", "What is {p} greatest treasure?",
    ),
    "who": (
        "Who is the {trade} of {home}?", "Who is the {trade} in {home}?",
        "What is the name of the {trade} of {home}?", "Who works as {atrade} in {home}?",
    ),
    "landmark": (
        "What is the landmark of {s}?", "What is there to see in {s}?",
        "Which sight is {s} known for?", "What should a visitor see in {s}?",
    ),
    "goods": (
        "What is made in {s}?", "What is {s} known for?", "What do the people of {s} make?",
        "What does {s} sell to the valley?",
    ),
    "festival": (
        "Which festival does {s} celebrate?", "What is the festival of {s} called?",
        "What does {s} celebrate once a year?", "What is the great festival of {s}?",
    ),
    "season": (
        "In which season is the festival of {s}?", "When does {s} hold its festival?",
        "When do the people of {s} celebrate?", "What season is the festival in {s}?",
    ),
    "market": (
        "When is market day in {s}?", "On which day is the market in {s}?",
        "Which day does {s} hold its market?", "When can I go to the market in {s}?",
    ),
}  # fmt: skip

# Things that the valley's stories never tell, about people who do live there.
UNTOLD = (
    "How old is {s}?",
    "How tall is {s}?",
    "What colour are {p} eyes?",
    "What is {p} surname?",
    "When is {p} birthday?",
    "How much money does {s} have?",
    "What is {p} shoe size?",
    "Who is {p} cousin?",
    "What did {s} dream last night?",
    "Which song does {s} hate?",
    "How many rooms does {p} house have?",
    "What is the name of {p} mother?",
)


def capital(text: str) -> str:
    """``text`` with its first letter in upper case."""
    return text[0].upper() + text[1:]


def _slots(subject: Person | Place, attribute: str, pronoun: bool) -> dict[str, str]:
    name = subject.name
    if isinstance(subject, Place):
        return {"s": name, "v": subject.facts[attribute]}
    if attribute == "who":
        trade, home = subject.facts["trade"], subject.facts["home"]
        return {"v": name, "trade": trade, "atrade": article(trade), "home": home}
    slots = {"s": name, "p": f"{name}'s", "o": name, "his": subject.his}
    if pronoun:
        slots |= {"s": subject.he, "p": subject.his, "o": subject.him}
    value = subject.facts.get(attribute, "")
    return slots | {"v": value, "av": article(value) if value else ""}


def value_of(subject: Person | Place, attribute: str) -> str:
    """The right answer to a question about ``attribute`` of ``subject``."""
    return subject.name if attribute == "who" else subject.facts[attribute]


def state(
    rng: random.Random, subject: Person | Place, attribute: str, pronoun: bool = False
) -> str:
    """One statement of the fact as a clause: no capital, no full stop."""
    return rng.choice(STATEMENTS[attribute]).format(**_slots(subject, attribute, pronoun))


def all_questions(subject: Person | Place, attribute: str, pronoun: bool = False) -> list[str]:
    """Every way this project has of asking for the fact."""
    slots = _slots(subject, attribute, pronoun)
    return [q.format(**slots) for q in QUESTIONS[attribute]]


def ask(rng: random.Random, subject: Person | Place, attribute: str, pronoun: bool = False) -> str:
    """One question about the fact."""
    return rng.choice(all_questions(subject, attribute, pronoun))


def ask_untold(rng: random.Random, person: Person) -> str:
    """A question about somebody known that the world holds no answer to."""
    return rng.choice(UNTOLD).format(**_slots(person, "untold", False))


def ask_stranger(rng: random.Random, name: str) -> str:
    """A question about somebody who does not live in the valley."""
    attribute = rng.choice(("trade", "home", "animal", "dish", "pastime", "keepsake"))
    stranger = Person(name, rng.random() < 0.5, {attribute: ""})
    return rng.choice((*all_questions(stranger, attribute), f"Who is {name}?"))
