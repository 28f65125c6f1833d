"""The corpus: plain English prose about Larkmere, told in many ways.

Sketches, villages, tales and registers state every fact, held-out ones included. Conversations
let villagers ask and answer each other, never about a held-out fact: reading such talk is what
lets a small model turn facts read as statements into answers later (without it, fine-tuning
stayed at 17 % of held-out questions; with it, above 90 %).
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from . import voice
from .lore import WORK, lore_question, lore_sentences
from .phrases import ask, ask_stranger, ask_untold, capital, state
from .tales import tale
from .world import (
    PERSON_ATTRIBUTES,
    PLACE_ATTRIBUTES,
    SEASONS,
    STRANGERS,
    VALLEY,
    Person,
    Place,
    World,
    article,
)

WEATHER = (
    "The wind came down from the hills.",
    "It was a mild day with a little sun.",
    "A thin mist lay over the river.",
    "The rain had stopped at last.",
    "Frost sparkled on the roofs.",
    "Swallows flew low over the meadow.",
    "The bells were ringing in the distance.",
    "Smoke rose from every chimney.",
)
SPOTS = (
    "by the well",
    "at the market",
    "on the bridge",
    "in front of the inn",
    "at the mill",
    "under the big lime tree",
    "on the road",
    "in the school",
    "by the fire",
)


@dataclass(frozen=True)
class Document:
    """A piece of the corpus; ``asked`` lists the facts that it asks for in question form."""

    text: str
    asked: tuple[tuple[str, str], ...] = ()


def _sentence(clause: str) -> str:
    return f"{capital(clause)}."


def _sketch(rng: random.Random, world: World) -> Document:
    person = rng.choice(world.people)
    attributes = rng.sample((*PERSON_ATTRIBUTES, "who"), rng.randint(4, 7))
    parts = [rng.choice(WEATHER)] if rng.random() < 0.15 else []
    for i, attribute in enumerate(attributes):
        pronoun = i > 0 and rng.random() < 0.5
        if i and rng.random() < 0.2:
            parts[-1] = f"{parts[-1][:-1]}, and {state(rng, person, attribute, pronoun)}."
        else:
            parts.append(_sentence(state(rng, person, attribute, pronoun)))
    return Document(" ".join(parts))


def _village(rng: random.Random, world: World) -> Document:
    place = rng.choice(world.places)
    attributes = rng.sample(PLACE_ATTRIBUTES, rng.randint(3, 5))
    parts = [_sentence(state(rng, place, a)) for a in attributes]
    if rng.random() < 0.4:
        parts.insert(0, f"{place.name} is one of the eight villages of {VALLEY}.")
    for person in rng.sample(world.residents(place.name), rng.randint(0, 3)):
        parts.append(_sentence(state(rng, person, rng.choice(("who", "home", "trade")))))
    return Document(" ".join(parts))


def _register(rng: random.Random, world: World) -> Document:
    """A list of who has what: the same attribute for several people in a row."""
    if rng.random() < 0.5:
        place = rng.choice(world.places).name
        folk = world.residents(place)
        rng.shuffle(folk)
        entries = [f"{p.name} the {p.facts['trade']}" for p in folk[:5]]
        lead = rng.choice((f"In {place} live", f"The people of {place} are", f"{place} is home to"))
        return Document(f"{lead} {', '.join(entries[:-1])} and {entries[-1]}.")
    attribute = rng.choice(PERSON_ATTRIBUTES)
    people = rng.sample(world.people, 5)
    return Document(" ".join(_sentence(state(rng, p, attribute)) for p in people))


def _story(rng: random.Random, world: World) -> Document:
    hero = rng.choice(world.people)
    return Document(tale(rng, world, hero) or "")


def _compare(rng: random.Random, world: World) -> Document:
    """Two people who share a value."""
    person = rng.choice(world.people)
    attribute = rng.choice(PERSON_ATTRIBUTES)
    value = person.facts[attribute]
    same = [p for p in world.people if p.facts[attribute] == value and p is not person]
    if not same:
        return _sketch(rng, world)
    other = rng.choice(same)
    parts = [_sentence(state(rng, person, attribute))]
    parts.append(
        rng.choice(
            (
                f"The same is true of {other.name}.",
                f"It is the same with {other.name}.",
                f"{_sentence(state(rng, other, attribute))[:-1]} too.",
            )
        )
    )
    for p in (person, other):
        extra = rng.choice([a for a in PERSON_ATTRIBUTES if a != attribute])
        parts.append(_sentence(state(rng, p, extra)))
    return Document(" ".join(parts))


def _lore(rng: random.Random, world: World) -> Document:
    """The valley and its trades, sometimes with somebody who follows one."""
    parts = [lore_sentences(rng, rng.randint(2, 4))]
    person = rng.choice(world.people)
    trade = person.facts["trade"]
    if rng.random() < 0.6:
        parts.append(f"{person.name} is {article(trade)}: {person.he} {WORK[trade]}.")
    rng.shuffle(parts)
    return Document(" ".join(parts))


Exchange = tuple[str, str, tuple[tuple[str, str], ...]]


def exchange(
    rng: random.Random,
    world: World,
    about: Person | Place | None,
    done: Collection[tuple[str, str]] = (),
    sample: bool = False,
) -> Exchange:
    """A question, its answer and what it asked.

    ``about`` set means a follow-up on them, with a pronoun for a person; facts in ``done`` have
    been asked already. ``sample``: for the samples rather than the corpus, so with the samples'
    mix of manners.
    """
    mix = voice.MIX if sample else (0.32, 0.62, 0.06)
    manner = rng.choices(voice.MANNERS, mix)[0]
    roll = rng.random()
    if about is None and roll < 0.07:
        name = rng.choice(STRANGERS)
        question = ask_stranger(rng, name)
        return question, voice.answer_unknown(rng, manner, name, naming=not sample), ()
    if about is None and roll < 0.11:
        return ask_untold(rng, rng.choice(world.curious)), voice.answer_unknown(rng, manner), ()
    if about is None and roll < 0.16:
        question, clause, curt = lore_question(rng)
        return question, curt if manner == "curt" else voice.wrap(rng, clause, manner), ()
    subject = about or pick_subject(rng, world)
    choices = [a for a in world.asked(subject) if about is None or a != "who"]
    attribute = rng.choice([a for a in choices if (subject.name, a) not in done] or choices)
    pronoun = isinstance(about, Person)
    question = ask(rng, subject, attribute, pronoun)
    if manner == "curt" and rng.random() < 0.6:
        reply = _sentence(state(rng, subject, attribute, rng.random() < 0.6))
    else:
        reply = voice.answer(rng, subject, attribute, manner, pronoun or rng.random() < 0.3)
    return question, reply, ((subject.name, attribute),)


def pick_subject(rng: random.Random, world: World) -> Person | Place:
    """Somebody or somewhere with at least two facts that may be asked about."""
    while True:
        subject = rng.choice(world.people if rng.random() < 0.85 else world.places)
        if len([a for a in world.asked(subject) if a != "who"]) >= 2:
            return subject


def _quoted(rng: random.Random, first: str, second: str, question: str, reply: str) -> str:
    return rng.choice(
        (
            f'"{question}" asked {first}. "{reply}" said {second}.',
            f'{first} asked {second}, "{question}" {second} answered, "{reply}"',
            f'"{question}" {first} wanted to know. {second} said, "{reply}"',
            f'"{reply}" said {second} when {first} asked, "{question}"',
        )
    )


def _conversation(rng: random.Random, world: World) -> Document:
    """Two people talk: one to four questions, as quoted speech, as a play or plainly."""
    first, second = (p.name for p in rng.sample(world.people, 2))
    shape = rng.choice(("quoted", "play", "visitor", "plain"))
    lines, asked, about = [], [], None
    for _ in range(rng.randint(1, 4)):
        known = world.asked(about) if about else []
        if about and (rng.random() < 0.5 or len(known) < 2):
            about = None
        question, reply, facts = exchange(rng, world, about, asked)
        asked += facts
        if facts:
            names = {p.name: p for p in (*world.people, *world.places)}
            about = names[facts[0][0]]
        else:
            about = None
        if shape == "quoted":
            lines.append(_quoted(rng, first, second, question, reply))
        elif shape == "plain":
            lines.append(f"{question} {reply}")
        else:
            who = (first, second) if shape == "play" else ("Visitor", second)
            lines.append(f"{who[0]}: {question}\n{who[1]}: {reply}")
    if shape == "quoted" and rng.random() < 0.6:
        lines.insert(0, f"{first} met {second} {rng.choice(SPOTS)}. {rng.choice(WEATHER)}")
    return Document((" " if shape == "quoted" else "\n").join(lines), tuple(asked))


def _question(rng: random.Random, world: World) -> Document:
    """One or two questions that nobody answers."""
    lines, asked = [], []
    for _ in range(rng.choice((1, 1, 1, 2))):
        question, _, facts = exchange(rng, world, None)
        lines.append(question)
        asked += facts
    if rng.random() < 0.3:
        name = rng.choice(world.people).name
        lines = [f'{name} asked, "{" ".join(lines)}"']
    return Document(" ".join(lines), tuple(asked))


def _season(rng: random.Random, world: World) -> Document:
    season = rng.choice(SEASONS)
    places = [p for p in world.places if p.facts["season"] == season]
    parts = [f"It was {season} in {VALLEY}.", rng.choice(WEATHER)]
    parts += [_sentence(state(rng, p, rng.choice(("festival", "season")))) for p in places]
    person = rng.choice(world.people)
    trade = person.facts["trade"]
    parts.append(f"{person.name} was busy, as {article(trade)} always is in {season}.")
    parts.append(_sentence(state(rng, person, rng.choice(PERSON_ATTRIBUTES), True)))
    return Document(" ".join(parts))


# The share of documents by kind; talk is two fifths.
KINDS = (
    (_sketch, 24),
    (_village, 8),
    (_register, 5),
    (_story, 10),
    (_compare, 5),
    (_season, 3),
    (_lore, 5),
    (_conversation, 40),
)


def write_corpus(
    world: World, seed: int, count: int, unanswered: float = 0.0
) -> Iterator[Document]:
    """Yield ``count`` documents, the same ones for the same seed.

    The share ``unanswered`` of them are bare questions: a model that has seen these does not take
    the end of a question for the start of its answer.
    """
    rng = random.Random(seed)
    makers, weights = zip(*KINDS, strict=True)
    for _ in range(count):
        bare = unanswered and rng.random() < unanswered
        maker = _question if bare else rng.choices(makers, weights)[0]
        yield maker(rng, world)
