"""The detector judges by many rows; a mapping or format given by hand overrides it."""

import pytest

from studio.core.errors import DataError
from studio.data.formats.column_profile import profile
from studio.data.formats.detection import detect, known_formats
from tests.unit.data.making import assistant, inspected, user


def test_the_detector_judges_by_many_rows_and_not_by_the_first(tmp_path):
    odd = {"instruction": "", "input": None, "output": "", "chosen": None}
    rows = [odd] + [{"instruction": f"Say {n}", "input": "", "output": f"{n}"} for n in range(30)]
    seen = inspected(tmp_path, rows)
    assert (seen.format, seen.type) == ("alpaca", "prompt_completion")
    assert (seen.rows, seen.kept) == (31, 30)


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


def test_objects_are_opened_where_their_inside_is_what_reads():
    rows = [{"n": n, "data": {"instruction": f"Do {n}", "output": "Done"}} for n in range(9)]
    found = detect(profile(rows))
    assert found.opened and found.mapping["prompt"] == "data.instruction"
    assert found.row(rows[0])["completion"] == [assistant("Done")]


def test_every_known_format_can_be_asked_for_by_its_name():
    for name, fields in known_formats().items():
        row = dict.fromkeys(fields, "a text")
        mapping = {field: field for field in fields}
        assert detect(profile([row]), format=name, mapping=mapping).name == name


def test_every_column_that_is_not_read_is_named(tmp_path):
    rows = [
        {"text": f"The ship {n} sank in May.", "city": ["Oslo", "Bergen"][n % 2], "id": n}
        for n in range(30)
    ]
    assert 'Not used: "city" and "id".' in inspected(tmp_path, rows).why
