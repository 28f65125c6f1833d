"""Problems of single rows: errors drop the row, warnings keep it."""

import pytest

from studio.data.checks.row_checks import check, prompt_of, whole_text
from tests.unit.data.making import assistant, inspected, user

GOOD_SFT = {"instruction": "Name a tree.", "input": "", "output": "Oak"}


GOOD_DPO = {"prompt": "Q", "chosen": "yes please", "rejected": "no"}


GOOD_CHAT = {
    "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]
}


def chat(*turns):
    names = {"u": "user", "a": "assistant", "s": "system"}
    return {"messages": [{"role": names[r], "content": text} for r, text in turns]}


CASES = [
    (GOOD_SFT, {**GOOD_SFT, "output": "  "}, "empty_field", "error"),
    (GOOD_SFT, {"instruction": "Name a tree."}, "missing_field", "error"),
    (GOOD_SFT, {**GOOD_SFT, "output": True}, "wrong_type", "error"),
    (GOOD_SFT, {**GOOD_SFT, "output": "I am {{name}}."}, "placeholder", "warning"),
    (GOOD_SFT, {**GOOD_SFT, "output": "Oak<|im_end|>"}, "template_token", "warning"),
    (GOOD_SFT, {**GOOD_SFT, "output": "caf\ufffd"}, "replacement_character", "warning"),
    (GOOD_SFT, {**GOOD_SFT, "output": "half \ud83d"}, "lone_surrogate", "error"),
    (GOOD_SFT, {**GOOD_SFT, "output": "Human: and you?"}, "role_mark", "warning"),
    (GOOD_SFT, GOOD_SFT, "duplicate", "warning"),
    (GOOD_DPO, {**GOOD_DPO, "prompt": "R", "rejected": "yes please "}, "equal_sides", "error"),
    (
        GOOD_DPO,
        {"prompt": "Q", "chosen": "no", "rejected": "yes please"},
        "contradiction",
        "warning",
    ),
    (GOOD_CHAT, chat(("u", "a"), ("u", "b"), ("a", "c")), "roles", "warning"),
    (GOOD_CHAT, chat(("s", "a"), ("a", "c")), "no_user", "warning"),
    (GOOD_CHAT, chat(("u", "a")), "no_assistant", "error"),
    (GOOD_CHAT, chat(("u", "a"), ("a", "b"), ("u", "c")), "ends_without_assistant", "warning"),
    (GOOD_CHAT, chat(("u", "a"), ("a", "")), "empty_field", "error"),
    (GOOD_CHAT, {"messages": [{"role": "wizard", "content": "x"}]}, "unknown_role", "error"),
    (GOOD_CHAT, {"messages": "hello"}, "wrong_type", "error"),
    (GOOD_CHAT, {"messages": []}, "empty_field", "error"),
]


@pytest.mark.parametrize(("good", "bad", "kind", "severity"), CASES)
def test_problem_is_found_with_its_row_and_the_good_rows_load(tmp_path, good, bad, kind, severity):
    seen = inspected(tmp_path, [good, bad])
    found = [p for p in seen.problems if p.kind == kind]
    assert [(p.row, p.file, p.severity) for p in found] == [(2, "rows.jsonl", severity)]
    assert seen.rows == 2
    assert seen.kept == (1 if severity == "error" else 2)
    assert all(p.row == 2 for p in seen.problems)
    assert found[0].message.endswith(".")


def test_sides_that_follow_different_prompts_are_set_aside(tmp_path):
    row = {"chosen": "\n\nHuman: A\n\nAssistant: x", "rejected": "\n\nHuman: B\n\nAssistant: y"}
    good = {**row, "rejected": "\n\nHuman: A\n\nAssistant: y"}
    seen = inspected(tmp_path, [good, row])
    assert (seen.kept, seen.problem_counts) == (1, {"prompt_differs": 1})


def test_transcript_with_an_empty_answer_and_two_answers_running(tmp_path):
    start = "\n\nHuman: A\n\nAssistant: b"
    rows = [
        {"chosen": start, "rejected": start.replace("b", "c")},
        {"chosen": start[:-1], "rejected": start},
        {"chosen": start + "\n\nAssistant: x", "rejected": start + "\n\nAssistant: y"},
    ]
    seen = inspected(tmp_path, rows)
    assert [(p.row, p.kind, p.severity) for p in seen.problems] == [
        (2, "empty_field", "error"),
        (3, "roles", "warning"),
    ]


def test_the_prompt_of_a_row_is_what_splits_keep_together():
    turns = [user("Q"), assistant("A"), user("R"), assistant("B")]
    assert prompt_of({"messages": turns}) == turns[:1]
    assert prompt_of({"messages": turns[1:2]}) == turns[1:2]
    assert prompt_of({"prompt": "Q", "completion": "A"}) == "Q"
    assert prompt_of({"text": "T"}) == {"text": "T"}


def test_tools_and_provenance_are_no_text_of_the_row():
    row = {"prompt": [user("Q")], "completion": "A", "tools": "[1]", "provenance": "{{x}}"}
    assert whole_text(row) == "Q\nA"
    assert check(row, "prompt_completion") == []


def test_a_kind_and_field_are_reported_once_per_row():
    turns = [user("{{a}}"), assistant("{{b}}")]
    assert [f[0] for f in check({"messages": turns}, "conversational")] == ["placeholder"]
