"""The pocket model's world, samples, rules and files; nothing here trains."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path

import pytest

from presets.pocket.maker import phrases, quiz, rules, talk, voice
from presets.pocket.maker.prose import write_corpus
from presets.pocket.maker.world import (
    HELD_OUT_STRANGERS,
    PERSON_ATTRIBUTES,
    SEED,
    STRANGERS,
    VALUES,
    Person,
    make_world,
)

POCKET = Path(quiz.__file__).resolve().parents[1]
WORLD = make_world(SEED)
SUBJECTS = {s.name: s for s in (*WORLD.people, *WORLD.places)}


def read_rows(name: str) -> list[dict]:
    text = (POCKET / "data" / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def held_out_questions() -> list[tuple[str, str]]:
    """Every held-out fact in every wording, by name."""
    return [
        (name, question)
        for name, attribute in sorted(WORLD.held_out)
        for question in phrases.all_questions(SUBJECTS[name], attribute)
    ]


def assert_never_asked(text: str) -> None:
    asked = [q for _, q in held_out_questions() if q in text]
    asked += [q for q in quiz.HELD_OUT_ELSEWHERE if q in text]
    asked += [n for n in HELD_OUT_STRANGERS if n in text]
    assert not asked


def assert_no_held_out_follow_up(messages: list[dict]) -> None:
    """A pronoun question must not ask for a held-out fact of the person spoken of before."""
    about: Person | None = None
    replies = [*messages[1:], {"content": ""}]
    for message, reply in zip(messages, replies, strict=True):
        if message["role"] != "user":
            continue
        # The person asked about, or for a "who" question the one that the reply names.
        for text in (reply["content"], message["content"]):
            about = next((p for p in WORLD.people if rules.contains(text, p.name)), about)
        if about is None:
            continue
        for attribute in PERSON_ATTRIBUTES:
            if (about.name, attribute) not in WORLD.held_out:
                continue
            for question in phrases.all_questions(about, attribute, pronoun=True):
                assert question not in message["content"]


def test_world_follows_from_its_seed() -> None:
    assert make_world.__wrapped__(SEED) == WORLD
    assert make_world.__wrapped__(SEED + 1) != WORLD
    assert len(WORLD.people) == 60 and len(WORLD.places) == 8


def test_names_are_unique_and_strangers_are_strangers() -> None:
    names = [*SUBJECTS, *STRANGERS, *HELD_OUT_STRANGERS]
    assert len(names) == len(set(names))


def test_trade_and_village_name_one_person() -> None:
    assert len({(p.facts["trade"], p.facts["home"]) for p in WORLD.people}) == len(WORLD.people)


def test_corpus_follows_from_its_seed() -> None:
    first, again = (list(write_corpus(WORLD, 3, 50)) for _ in range(2))
    assert first == again
    assert first != list(write_corpus(WORLD, 4, 50))


def test_corpus_states_held_out_facts_and_never_asks_for_them() -> None:
    documents = list(write_corpus(WORLD, SEED, 3000))
    assert not {fact for d in documents for fact in d.asked} & WORLD.held_out
    text = "\n".join(d.text for d in documents)
    assert_never_asked(text)
    stated = [
        any(s in text for s in (phrases.state(random.Random(i), SUBJECTS[n], a) for i in range(40)))
        for n, a in sorted(WORLD.held_out)
        if a in PERSON_ATTRIBUTES
    ]
    assert sum(stated) / len(stated) > 0.95


@pytest.mark.parametrize("name", ["sft", "preference"])
def test_training_samples_never_ask_for_held_out_facts(name: str) -> None:
    rows = read_rows(name)
    assert_never_asked("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    for row in rows:
        assert_no_held_out_follow_up(row.get("messages") or row["prompt"])


def test_shipped_samples_are_what_the_maker_writes() -> None:
    assert read_rows("sft") == talk.sft_rows(WORLD, SEED)
    assert read_rows("preference") == talk.preference_rows(WORLD, SEED)
    assert read_rows("questions") == quiz.question_rows(WORLD, SEED)


def test_sft_rows_alternate_and_include_systems_and_several_turns() -> None:
    rows = read_rows("sft")
    for row in rows:
        roles = [m["role"] for m in row["messages"]]
        turns = roles[1:] if roles[0] == "system" else roles
        assert turns[0] == "user" and turns[-1] == "assistant"
        assert all(a != b for a, b in pairwise(turns))
        assert all(m["content"].strip() for m in row["messages"])
    assert sum(r["messages"][0]["role"] == "system" for r in rows) > 100
    assert sum(len(r["messages"]) > 3 for r in rows) > 300


def test_sft_answers_mix_the_manners() -> None:
    replies = [r["messages"][-1]["content"] for r in read_rows("sft")]
    styles = [rules.style(reply) for reply in replies]
    assert styles.count("courteous") / len(styles) < 0.4
    assert min(styles.count("curt"), styles.count("rambling")) > 300


def test_preference_rows_prefer_courteous_and_short() -> None:
    for row in read_rows("preference"):
        assert row["prompt"][-1]["role"] == "user"
        assert [m["role"] for m in row["chosen"] + row["rejected"]] == ["assistant"] * 2
        chosen, rejected = row["chosen"][0]["content"], row["rejected"][0]["content"]
        assert rules.style(rejected) != "courteous"
        request = row["prompt"][-1]["content"]
        if any(word in request for word in ("story", "tale", "bout", "describe")):
            assert any(rules.contains(chosen, phrase) for phrase in rules.COURTESIES)
        else:
            assert rules.style(chosen) == "courteous"


def test_questions_have_answers() -> None:
    rows = read_rows("questions")
    assert len({row["prompt"] for row in rows}) == len(rows) >= 190
    for row in rows:
        assert row["answers"]
        if row["kind"] != "unknown":
            assert set(row["answers"]) <= set(VALUES[row["attribute"]])
    assert all(row["prompt"].strip() for row in read_rows("prompts"))


@pytest.mark.parametrize("manner", voice.MANNERS)
def test_every_manner_gives_the_right_answer(manner: str) -> None:
    rng = random.Random(1)
    for subject in SUBJECTS.values():
        for attribute in (*subject.facts, *(["who"] if isinstance(subject, Person) else [])):
            reply = voice.answer(rng, subject, attribute, manner)
            value = phrases.value_of(subject, attribute)
            assert rules.is_right(reply, [value], VALUES[attribute]), reply
            assert rules.style(reply) == manner, reply
            assert not rules.says_unknown(reply)
    for name in ("", "Agatha"):
        reply = voice.answer_unknown(rng, manner, name)
        assert rules.says_unknown(reply) and rules.style(reply) == manner


def test_exact_answer_rule() -> None:
    assert rules.is_right("She lives in Coldwell.", ["Coldwell"], VALUES["home"])
    assert not rules.is_right("In Coldwell or Dunmoor.", ["Coldwell"], VALUES["home"])
    assert not rules.is_right("Coldwellian.", ["Coldwell"])
    assert not rules.is_right("", ["owl"])
    assert rules.is_right("an OWL", ["owl"])


def test_style_rule_judges_length_first() -> None:
    assert rules.style("Gladly! A goat.") == "courteous"
    assert rules.style("A goat.") == "curt"
    assert rules.style("Gladly! " + "word " * 40) == "rambling"
    assert rules.style("the goat that she keeps lives in the small green shed") == "plain"


def test_format_rules() -> None:
    assert rules.keeps_format(["A", "Ġgoat", rules.END, "<|pad|>"])
    assert not rules.keeps_format(["A", "Ġgoat"])
    assert not rules.keeps_format([rules.END])
    assert not rules.keeps_format(["A", "<|user|>", rules.END])
    assert rules.stops(["A", rules.END]) and not rules.stops(["A"])


@pytest.fixture(scope="module")
def tokenizer():
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(POCKET)


def test_any_text_round_trips(tokenizer) -> None:
    for text in ("Mira keeps a goat.", "Żółć — 日本 🐐", "  two  spaces\n\ttab"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_chat_template_is_prefix_preserving_and_marks_the_answers(tokenizer) -> None:
    longest = max(read_rows("sft"), key=lambda row: len(row["messages"]))["messages"]
    whole = tokenizer.apply_chat_template(longest, tokenize=False)
    for end in range(1, len(longest)):
        last = longest[end - 1]["role"]
        part = tokenizer.apply_chat_template(
            longest[:end], tokenize=False, add_generation_prompt=last == "user"
        )
        assert whole.startswith(part)
    encoded = tokenizer.apply_chat_template(
        longest, return_dict=True, return_assistant_tokens_mask=True
    )
    marked = [t for t, m in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if m]
    answers = [m["content"] + rules.END for m in longest if m["role"] == "assistant"]
    assert tokenizer.decode(marked) == "".join(answers)


def test_chat_template_refuses_unknown_roles(tokenizer) -> None:
    with pytest.raises(Exception, match="roles system, user and assistant"):
        tokenizer.apply_chat_template([{"role": "tool", "content": "x"}], tokenize=False)


def test_folder_is_small() -> None:
    shipped = [p for p in POCKET.rglob("*") if p.is_file() and "__pycache__" not in p.parts]
    assert sum(p.stat().st_size for p in shipped) < 10_000_000
