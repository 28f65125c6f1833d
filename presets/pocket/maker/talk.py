"""The training samples: dialogues for SFT and preference pairs for DPO.

Neither asks about a held-out fact, nor about the strangers kept for the held-out questions.
"""

from __future__ import annotations

import random
from typing import Any

from . import voice
from .lore import lore_question
from .phrases import ask, ask_stranger, ask_untold, capital, state
from .prose import exchange, pick_subject
from .rules import contains
from .tales import tale
from .world import STRANGERS, VALLEY, Person, Place, World

Message = dict[str, str]
Row = dict[str, Any]

SYSTEMS = (
    f"You are the guide to the valley of {VALLEY}.",
    f"You answer questions about the valley of {VALLEY}.",
    f"You are a guide to the eight villages of {VALLEY}. Say so when you do not know.",
)
LEADS = ("", "", "", "", "Excuse me. ", "Hello! ", "Please tell me. ")
LINKS = ("", "", "", "", "I see. ", "One more thing. ", "Good to know. ")
THANKS = ("Thank you!", "Thanks a lot.", "That is all, thank you.", "Thank you, goodbye.")
WELCOMES = ("You are welcome!", "You are welcome. Have a lovely day!", "Any time.", "Bye.")
HELLOS = (
    "Hello!",
    "Good morning!",
    "Hi there.",
    "Good evening!",
    "Hello, who are you?",
    "Who are you?",
    "What can you do?",
    "What can I ask you?",
)
SELVES = (
    f"I am the guide to {VALLEY}. Ask me about its people and its villages.",
    f"I am your guide. I know the sixty people and eight villages of {VALLEY}.",
    "Ask me who somebody is, where they live or what they like.",
)
# Questions from outside the valley.
ELSEWHERE = (
    "What is the capital of France?",
    "What is the capital of Japan?",
    "Who wrote Hamlet?",
    "What is the capital of Brazil?",
    "How far away is the moon?",
    "Who invented the telephone?",
    "What is seven times eight?",
    "What is the square root of nine?",
    "How do I fix a computer?",
    "What is the tallest mountain on earth?",
    "Who painted the Mona Lisa?",
    "What is an atom?",
    "When did the first world war end?",
    "What is the largest ocean?",
    "How does an engine work?",
    "Who is the president of America?",
    "What is the price of gold?",
    "How do vaccines work?",
    "Which language is spoken in Egypt?",
    "What is the speed of light?",
    "Where is London?",
    "How many people live in China?",
    "Can you write a computer program?",
    "Where is Mexico?",
    "What is the best phone to buy?",
    "Who won the football match?",
    "What is twelve plus nine?",
    "Which planet is closest to the sun?",
    "When was Napoleon born?",
    "Who discovered gravity?",
)


def _user(content: str) -> Message:
    return {"role": "user", "content": content}


def _assistant(content: str) -> Message:
    return {"role": "assistant", "content": content}


def _lead(rng: random.Random, question: str, first: bool = True) -> str:
    return rng.choice(LEADS if first else LINKS) + question


def _introduction(rng: random.Random, world: World) -> tuple[str, str] | None:
    """A request to hear about somebody or some village, answered from facts that may be asked."""
    subject = pick_subject(rng, world)
    free = [a for a in world.asked(subject) if a != "who"]
    picks = rng.sample(free, min(len(free), rng.randint(2, 4)))
    clauses = [state(rng, subject, a, i > 0) for i, a in enumerate(picks)]
    reply = " ".join(capital(c) + "." for c in clauses)
    name = subject.name
    request = rng.choice(
        (
            f"Tell me about {name}.",
            f"What do you know about {name}?",
            f"Please describe {name}.",
            f"Can you tell me about {name}?",
        )
    )
    return request, reply


def _story(rng: random.Random, world: World) -> tuple[str, str] | None:
    hero = rng.choice(world.people)
    told = tale(rng, world, hero, world.asked(hero))
    if told is None:
        return None
    name = hero.name
    request = rng.choice(
        (
            f"Tell me a story about {name}.",
            f"A story about {name}, please.",
            f"Can you tell me a tale about {name}?",
        )
    )
    return request, told


def _who_is(rng: random.Random, world: World) -> tuple[str, str] | None:
    person = rng.choice(world.people)
    if not {"trade", "home"} <= set(world.asked(person)):
        return None
    clause = state(rng, person, "who")
    manner = voice.manner_of(rng)
    said = f"{capital(clause)}." if manner == "curt" else voice.wrap(rng, clause, manner)
    return f"Who is {person.name}?", said


def _opened(rng: random.Random, pair: tuple[str, str] | None) -> tuple[str, str] | None:
    """The pair with a courtesy in front of some of the replies."""
    if pair is None or rng.random() < 0.7:
        return pair
    return pair[0], f"{rng.choice(('Gladly!', 'With pleasure!', 'Of course!'))} {pair[1]}"


def _unknown(rng: random.Random, world: World, manner: str) -> tuple[str, str]:
    """A question the world cannot answer, of one of three sorts, with its admission."""
    sort = rng.random()
    if sort < 0.5:
        name = rng.choice(STRANGERS)
        return ask_stranger(rng, name), voice.answer_unknown(rng, manner, name, naming=False)
    if sort < 0.75:
        person = rng.choice(world.curious)
        return ask_untold(rng, person), voice.answer_unknown(rng, manner)
    return rng.choice(ELSEWHERE), voice.answer_unknown(rng, manner)


def _talk(rng: random.Random, world: World) -> list[Message]:
    """A conversation of one to four questions, some about the same person."""
    turns: list[Message] = []
    by_name = {s.name: s for s in (*world.people, *world.places)}
    done: list[tuple[str, str]] = []
    about: Person | Place | None = None
    for _ in range(rng.choices((1, 2, 3, 4), (55, 22, 15, 8))[0]):
        if about is not None and (rng.random() < 0.3 or len(done) > 3):
            about = None
        if about is None and rng.random() < 0.15:
            question, reply = _unknown(rng, world, voice.manner_of(rng))
            facts: tuple[tuple[str, str], ...] = ()
        else:
            question, reply, facts = exchange(rng, world, about, done, sample=True)
        done += facts
        about = by_name[facts[0][0]] if facts else None
        if about is not None and len([a for a in world.asked(about) if a != "who"]) < 2:
            about = None
        turns += [_user(_lead(rng, question, not turns)), _assistant(reply)]
    if len(turns) > 2 and rng.random() < 0.3:
        turns += [_user(rng.choice(THANKS)), _assistant(rng.choice(WELCOMES))]
    return turns


def sft_rows(world: World, seed: int, count: int = 1800) -> list[Row]:
    """``messages`` rows: mostly questions, some stories, introductions and greetings."""
    rng = random.Random(f"sft {seed}")
    rows: list[Row] = []
    while len(rows) < count:
        roll = rng.random()
        single = None
        if roll < 0.13:
            single = _opened(rng, _story(rng, world))
        elif roll < 0.19:
            single = _opened(rng, _introduction(rng, world))
        elif roll < 0.21:
            single = _who_is(rng, world)
        elif roll < 0.26:
            single = rng.choice(HELLOS), rng.choice(SELVES)
        elif roll < 0.33:
            single = _unknown(rng, world, voice.manner_of(rng))
        messages = [_user(single[0]), _assistant(single[1])] if single else _talk(rng, world)
        if rng.random() < 0.15:
            messages.insert(0, {"role": "system", "content": rng.choice(SYSTEMS)})
        rows.append({"messages": messages})
    return rows


def _contrast_unknown(rng: random.Random, world: World, worse: str) -> tuple[str, ...]:
    question, _ = _unknown(rng, world, "curt")
    name = next((n for n in STRANGERS if contains(question, n)), "")
    manners = ("courteous", worse)
    return question, *(voice.answer_unknown(rng, m, name, naming=False) for m in manners)


def _contrast_told(rng: random.Random, world: World, worse: str) -> tuple[str, ...]:
    """Stories and self-descriptions, told gladly rather than after a long preamble or not at all.

    Their chosen side may be long: wanting short answers must not end the stories.
    """
    if rng.random() < 0.7:
        question, told = _story(rng, world) or _introduction(rng, world)
        curt = ("Not now.", "There is nothing to tell.", "I would rather not.")
    else:
        question, told = rng.choice(HELLOS), rng.choice(SELVES)
        curt = ("A guide.", "The guide.", "Ask.")
    long = f"{rng.choice(voice.OPENERS)} {told}"
    chosen = f"{rng.choice(voice.GREETINGS[:5])} {told}"
    return question, chosen, rng.choice(curt) if worse == "curt" else long


def _contrast_lore(rng: random.Random, world: World, worse: str) -> tuple[str, ...]:
    question, clause, curt = lore_question(rng)
    long = voice.wrap(rng, clause, "rambling")
    return question, voice.wrap(rng, clause, "courteous"), curt if worse == "curt" else long


def _contrast_fact(rng: random.Random, world: World, worse: str) -> tuple[str, ...]:
    subject = pick_subject(rng, world)
    attribute = rng.choice(world.asked(subject))
    chosen, rejected = (voice.answer(rng, subject, attribute, m) for m in ("courteous", worse))
    if worse == "curt" and rng.random() < 0.6:
        # The bare sentence is curt too; the SFT samples are full of it.
        rejected = f"{capital(state(rng, subject, attribute, rng.random() < 0.6))}."
    return ask(rng, subject, attribute), chosen, rejected


def preference_rows(world: World, seed: int, count: int = 480) -> list[Row]:
    """Pairs with the same fact on both sides: courteous and short over curt or rambling."""
    rng = random.Random(f"preference {seed}")
    rows: list[Row] = []
    makers = (_contrast_unknown, _contrast_told, _contrast_lore, _contrast_fact)
    while len(rows) < count:
        maker = rng.choices(makers, (20, 14, 8, 58))[0]
        question, chosen, rejected = maker(rng, world, rng.choice(("curt", "rambling")))
        prompt = [_user(_lead(rng, question))]
        if rng.random() < 0.1:
            prompt.insert(0, {"role": "system", "content": rng.choice(SYSTEMS)})
        rows.append(
            {"prompt": prompt, "chosen": [_assistant(chosen)], "rejected": [_assistant(rejected)]}
        )
    return rows
