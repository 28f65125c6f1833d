"""Rewards of checkable tasks: mathematics, calls, JSON, languages, length."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from studio.core.errors import ConfigError
from studio.rewards import WeightedReward, parse, preview
from studio.rewards.math_answers import math_match
from studio.rewards.suggest import suggest

PROMPT = [{"role": "user", "content": "Well?"}]
CALL = '<tool_call>{"name": "roll", "arguments": {"sides": 6}}</tool_call>'
SCHEMA = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
GSM8K = Path(os.environ.get("STUDIO_REAL_DATA", "")) / "gsm8k" / "test.jsonl"


def reward(written: str, answer: str, **row: object) -> float:
    (found,) = preview(WeightedReward([written]), [{"prompt": PROMPT, **row}], [answer])
    return found["reward"]


@pytest.mark.parametrize(
    ("answer", "reference", "expected"),
    [
        (r"It is \boxed{\frac{1}{2}}.", "0.5", 1.0),
        ("so $1/2$", r"\frac{1}{2}", 1.0),
        ("The answer is 1,000", "1000", 1.0),
        ("12 and then 13", "13", 1.0),
        ("12 and then 13\n#### 12", "It makes 13\n#### 13", 0.0),
        ("$x^2 + 2x + 1$", "$(x+1)^2$", 1.0),
        ("", "13", 0.0),
        ("no number at all", "13", 0.0),
    ],
)
def test_mathematics(answer: str, reference: str, expected: float) -> None:
    assert reward("math", answer, answers=[reference]) == expected


@pytest.mark.parametrize(
    ("written", "reference", "answer", "expected", "said"),
    [
        ("math", "By the river.", "By the river.", 0.0, "no mathematics"),
        ("math", "13", "By the river.", 0.0, ""),
        ("tool_call", "By the river.", "Anything at all", 1.0, "calls no tool"),
        ("tool_call", CALL, "Anything at all", 0.0, ""),
    ],
)
def test_a_reference_that_cannot_tell_answers_apart_is_said(
    written: str, reference: str, answer: str, expected: float, said: str
) -> None:
    (found,) = preview(
        WeightedReward([written]), [{"prompt": PROMPT, "answers": [reference]}], [answer]
    )
    assert found["reward"] == expected
    notes = " ".join(found.get("notes", {}).values())
    assert said in notes if said else not notes


def test_a_process_that_ended_is_started_again_and_a_slow_one_is_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from studio.rewards import math_answers

    assert math_match("3", ["3"]) == 1.0
    child = math_answers._checker._child
    assert child is not None
    child.kill()
    child.wait()
    assert math_match("3", ["3"]) == 1.0
    monkeypatch.setattr(math_answers, "_SECONDS", 0.3)
    assert math_match("$9^{9^{9^{9}}}$", ["3"]) == 0.0
    assert math_match("3", ["3"]) == 1.0


@pytest.mark.skipif(not GSM8K.is_file(), reason="STUDIO_REAL_DATA has no gsm8k/test.jsonl")
def test_gsm8k_solutions_are_right_and_altered_ones_wrong() -> None:
    rows = [json.loads(line) for line in GSM8K.read_text().splitlines()]
    answers = [row["answer"] for row in rows]
    assert all(math_match(answer, [answer]) for answer in answers)
    for answer in answers[:50]:
        steps, _, number = answer.rpartition("#### ")
        altered = f"{steps}#### {int(number.replace(',', '')) + 1}"
        assert math_match(altered, [answer]) == 0.0
    asked = [{"prompt": PROMPT, "answers": [answer]} for answer in answers[:20]]
    assert suggest(asked) == (("math",), "answers end with GSM8K's #### and a number")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [(CALL, 1.0), (CALL.replace("6", "8"), 0.0), (CALL + CALL, 0.0), ("I roll it.", 0.0)],
)
def test_tool_calls(answer: str, expected: float) -> None:
    assert reward("tool_call", answer, answers=[CALL]) == expected
    assert reward("tool_call", answer, answers=["No tool."]) == float(answer == "I roll it.")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ('{"age": 3}', 1.0),
        ('```json\n{"age": 3}\n```', 1.0),
        ('{"age": "three"}', 0.0),
        ('Sure: {"age": 3}', 0.0),
        ("[" * 100_000, 0.0),
    ],
)
def test_json_schemas(answer: str, expected: float) -> None:
    assert reward("schema:json_schema", answer, json_schema=SCHEMA) == expected
    assert reward(f"schema:{json.dumps(SCHEMA)}", answer) == expected


def test_a_schema_fetches_nothing_and_its_patterns_end() -> None:
    slow = {"type": "string", "pattern": "^(a+)+$"}
    assert reward(f"schema:{json.dumps(slow)}", json.dumps("a" * 5000 + "!")) == 0.0
    away = json.dumps({"$ref": "http://127.0.0.1:9/schema"})
    with pytest.raises(Exception, match="broke off with"):
        reward(f"schema:{away}", "{}")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("schema:{", "is no JSON"),
        ('schema:{"type": 3}', "is wrong at"),
        ('schema:{"patternProperties": {}}', "patternProperties"),
        ("schema", "needs a detail"),
        ("language:german", "two letters"),
        ("overlong:8-8", "no room to fall in"),
        ("overlong:x", "no band of words"),
        ("code", "needs a detail: code:COLUMN"),
        ("judge", "needs a detail: judge:RUN"),
    ],
)
def test_what_is_written_wrong(written: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse([written])
    assert said in str(refusal.value)


def test_languages() -> None:
    german = "Das ist ein kurzer Text über Katzen, die gern in der Sonne liegen."
    assert reward("language:de", german) == 1.0
    assert reward("language:en", german) == 0.0
    assert reward("language:en", "42") == 0.0


def test_too_long_costs_up_to_one() -> None:
    values = [reward("overlong:4-8", " ".join(["word"] * n)) for n in (1, 4, 6, 8, 20)]
    assert values == [0.0, 0.0, -0.5, -1.0, -1.0]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([{"answers": ["18"]}, {"answers": ["1,200"]}], ("math",)),
        ([{"answers": [r"\boxed{x}"]}], ("math",)),
        ([{"answers": [CALL]}], ("tool_call",)),
        ([{"answers": ["Paris"]}], ("exact",)),
        ([{"tests": ["assert f()"]}], ("code:tests",)),
        ([{"json_schema": "{}"}], ("schema:json_schema",)),
    ],
)
def test_rewards_that_fit_rows(rows: list, expected: tuple) -> None:
    found = suggest([{"prompt": PROMPT, **row} for row in rows])
    assert found is not None and found.rewards == expected


def test_json_answers_suggest_their_keys_and_long_texts_nothing() -> None:
    rows = [{"prompt": PROMPT, "answers": [json.dumps({"b": 1, "a": n})]} for n in range(3)]
    found = suggest(rows)
    assert found is not None and json.loads(found.rewards[0].partition(":")[2])["required"] == [
        "a",
        "b",
    ]
    assert suggest([{"prompt": PROMPT, "answers": ["word " * 40]}]) is None
    assert suggest([]) is None


def test_a_language_that_is_not_recognized_is_refused() -> None:
    with pytest.raises(ConfigError, match="language:xx is not recognized; there are"):
        reward("language:xx", "What?")


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="told by /proc")
def test_the_process_of_mathematics_gets_no_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.rewards import math_answers

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    checker = math_answers._Checker()
    try:
        assert checker.compare("2", ["2"]) == "1"
        child = checker._child
        assert child is not None
        assert b"hf_secret" not in Path(f"/proc/{child.pid}/environ").read_bytes()
    finally:
        checker.close()
