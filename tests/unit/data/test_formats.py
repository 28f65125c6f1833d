"""Each family is recognised from its rows and ends in TRL's form, texts untouched."""

import json

import pytest

from studio.core.errors import DataError
from studio.data import TYPES, inspect
from tests.unit.data.families import FAMILIES, assistant, user


def inspected(tmp_path, rows, **options):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return inspect(path, **options)


@pytest.mark.parametrize("family", FAMILIES)
def test_family_is_recognised_and_converted(tmp_path, family):
    row, type, expected = FAMILIES[family]
    seen = inspected(tmp_path, [row])
    assert (seen.type, seen.rows, seen.kept) == (type, 1, 1)
    assert seen.sample == [expected]
    assert seen.type in TYPES
    assert seen.confidence > 0.5
    assert seen.why


def test_the_detector_judges_by_many_rows_and_not_by_the_first(tmp_path):
    odd = {"instruction": "", "input": None, "output": "", "chosen": None}
    rows = [odd] + [{"instruction": f"Say {n}", "input": "", "output": f"{n}"} for n in range(30)]
    seen = inspected(tmp_path, rows)
    assert (seen.format, seen.type) == ("alpaca", "prompt_completion")
    assert (seen.rows, seen.kept) == (31, 30)


def test_scores_that_tie_are_set_aside(tmp_path):
    rows = [
        {"prompt": "Q", "response_a": "x", "response_b": "y", "winner": w} for w in ("a", "tie")
    ]
    seen = inspected(tmp_path, rows)
    assert (seen.type, seen.kept, seen.problem_counts) == ("preference", 1, {"tie": 1})


MANY = {
    "one class a text": (
        [{"text": f"So it is {n}.", "sentiment": ["good", "bad"][n % 2]} for n in range(9)],
        ("prompt_completion", 9, [user("So it is 1.")], [assistant("bad")]),
    ),
    "a word of judgement an answer": (
        [
            {"user_message": f"Q{n}", "assistant_message": "A", "rating": f"thumbs {way}"}
            for n, way in enumerate(["up", "down", "up"])
        ],
        ("unpaired_preference", 3, [user("Q1")], [assistant("A")]),
    ),
    "single messages that name the one before": (
        [
            {"message_id": "a", "parent_id": None, "text": "Hi", "role": "prompter", "rank": None},
            {"message_id": "p", "parent_id": None, "text": "Ho", "role": "prompter", "rank": None},
            {"message_id": "c", "parent_id": "p", "text": "No", "role": "assistant", "rank": 1},
            {"message_id": "d", "parent_id": "p", "text": "Yo", "role": "assistant", "rank": 0},
            {"message_id": "b", "parent_id": "a", "text": "Ay", "role": "assistant", "rank": None},
        ],
        ("conversational", 2, [user("Ho"), assistant("Yo")], None),
    ),
    "single messages of numbered conversations": (
        [
            {"conversation_id": at // 2, "role": ["user", "assistant"][at % 2], "content": f"{at}"}
            for at in range(6)
        ],
        ("conversational", 3, [user("2"), assistant("3")], None),
    ),
}


@pytest.mark.parametrize("case", MANY)
def test_families_that_take_several_rows_to_see(tmp_path, case):
    rows, (type, kept, first, then) = MANY[case]
    seen = inspected(tmp_path, rows)
    row = seen.sample[1]
    assert (seen.type, seen.kept) == (type, kept)
    assert row.get("messages", row.get("prompt")) == first
    assert row.get("completion") == then


def test_an_option_that_is_not_there_is_a_problem_of_its_row(tmp_path):
    rows = [{"question": f"Q{n}", "choices": ["a", "b"], "answer": n % 2} for n in range(9)]
    seen = inspected(tmp_path, [*rows, {"question": "Q", "choices": ["a", "b"], "answer": 7}])
    assert seen.kept == 9
    assert [(p.row, p.kind) for p in seen.problems] == [(10, "wrong_type")]
    assert "names no option" in seen.problems[0].message


def test_rows_of_two_formats_are_told_apart(tmp_path):
    chat = {"messages": [user("Q"), assistant("A")]}
    rows = [{"instruction": f"Q{n}", "output": "A"} for n in range(8)]
    seen = inspected(tmp_path, [*rows, chat, chat, chat])
    assert (seen.format, seen.kept) == ("alpaca", 8)
    assert "look like messages" in seen.notes[0]


def test_finished_text_is_told_from_its_parts(tmp_path):
    rows = [
        {
            "Tweet text": f"my phone broke again {n}",
            "output": f"### Text: my phone broke again {n}\n\nno",
        }
        for n in range(4)
    ]
    seen = inspected(tmp_path, rows)
    assert (seen.type, seen.mapping) == ("language_modeling", {"text": "output"})


def test_a_guess_says_that_it_is_one(tmp_path):
    seen = inspected(tmp_path, [{"v1": "ham", "v2": "See you at the harbour at noon then"}])
    assert seen.confidence < 0.5
    assert "guess" in seen.why
    assert seen.mapping == {"text": "v2"}


def test_a_person_can_overrule_the_detector(tmp_path):
    rows = [{"v1": "ham", "v2": "See you at noon"}]
    seen = inspected(tmp_path, rows, mapping={"prompt": "v2", "completion": "v1"})
    assert seen.type == "prompt_completion"
    assert seen.sample[0]["completion"] == [assistant("ham")]
    forced = inspected(tmp_path, [{"prompt": "a", "completion": "b"}], format="alpaca")
    assert forced.sample == [{"prompt": [user("a")], "completion": [assistant("b")]}]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"format": "alpacca"}, 'Did you mean "alpaca"?'),
        ({"mapping": {"text": "v3"}}, 'no column "v3"'),
        ({"mapping": {"promt": "v1", "completion": "v2"}}, "make no format together"),
        ({"format": "preference"}, "say which column"),
        ({"format": "text", "mapping": {"txt": "v2"}}, 'Did you mean "text"?'),
    ],
)
def test_wrong_overrules_are_refused_with_a_sentence(tmp_path, options, sentence):
    with pytest.raises(DataError) as caught:
        inspected(tmp_path, [{"v1": "ham", "v2": "See you at noon"}], **options)
    assert sentence in str(caught.value)


def test_rows_without_text_are_refused_naming_their_columns(tmp_path):
    with pytest.raises(DataError, match='its columns are "a", "b"'):
        inspected(tmp_path, [{"a": 1, "b": 2.5}])


def test_inspection_is_json(tmp_path):
    seen = inspected(tmp_path, [{"text": "x", "when": 3}]).as_dict()
    assert {"format", "type", "rows", "kept", "columns", "problems", "sample"} <= set(seen)
    json.dumps(seen)
