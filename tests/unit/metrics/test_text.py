"""Measures of text against hand-worked values."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio import Studio
from studio.core.errors import ConfigError, DataError
from studio.evaluation import load_rows
from studio.metrics import text


def test_extractors_find_what_is_compared():
    gsm = text.extractor("gsm8k")
    assert gsm("9 * 2 = $<<9*2=18>>18 a day.\n#### 18") == "18"
    assert gsm("so it is 1,250.50 in all") == "1,250.50" and gsm("nothing") == ""
    assert text.extractor("number")("from 3 to -4.5") == "-4.5"
    assert text.extractor("first-line")(" Rome\nbecause") == "Rome"
    assert text.extractor("regex:is (\\w+)")("It is blue.") == "blue"
    assert text.extractor("regex:b\\w+")("It is blue.") == "blue"
    with pytest.raises(ConfigError, match="Did you mean"):
        text.extractor("gsm8")
    with pytest.raises(ConfigError, match="not a regular expression"):
        text.extractor("regex:(")


def test_matches():
    assert text.exact_match("  Rome. ", ["Paris", "rome"]) == 1
    assert text.numeric_match("1,250.00", ["1250"]) == 1
    assert text.numeric_match("eighteen", ["18"]) == 0 and text.numeric_match("", [""]) == 0
    assert text.contains("In Rome, of course", ["rome"]) == 1 and text.contains("x", [""]) == 0


def test_rouge_l_is_the_longest_common_subsequence():
    # police killed the gunman / police kill the gunman: common 3 of 4 and 4 (Lin 2004)
    assert text.rouge_l("police kill the gunman", ["police killed the gunman"]) == 0.75
    assert text.rouge_l("the gunman kill police", ["police killed the gunman"]) == 0.5
    assert text.rouge_l("", ["a"]) == text.rouge_l("a", []) == 0


def test_repetition_variety_and_refusals():
    assert text.repeated("a b c d a b c d") == pytest.approx(1 / 5)
    assert text.repeated("a b") == 0
    assert text.distinct(["a b c", "a b d"]) == pytest.approx(3 / 4) and text.distinct([]) is None
    assert text.refusal("I'm sorry, but I cannot say.") == 1 and text.refusal("Gladly.") == 0
    assert text.empty(" \n") == 1


def test_gsm8k_reads_as_questions_with_numbers(real_data: Path, tmp_path: Path):
    rows = load_rows(Studio(tmp_path / "home").datasets, str(real_data / "gsm8k" / "test.jsonl"), 5)
    assert rows.type == "prompt_completion" and len(rows) == 5
    asked = rows.asked()[0]
    assert asked is not None and asked[0][0]["content"].startswith("Janet")
    assert text.extractor("gsm8k")(asked[1][0]) == "18"


def test_multiple_choice_files(tmp_path: Path):
    studio = Studio(tmp_path / "home")
    path = tmp_path / "choices.jsonl"
    path.write_text(
        '{"question": "Which is blue?", "choices": ["sky", "grass"], "answer": 0}\n'
        '{"question": "Which is green?", "choices": ["sky", "grass"], "answer": "B"}\n'
        '{"question": "Sweet?", "choices": {"text": ["honey", "salt"]}, "answerKey": "honey"}\n'
    )
    rows = load_rows(studio.datasets, str(path))
    assert [question.answer for question in rows.questions] == [0, 1, 0]
    assert rows.questions[0].prompt == "Which is blue?\nA. sky\nB. grass\nAnswer:"
    path.write_text('{"question": "?", "choices": ["a", "b"], "answer": "C"}\n')
    with pytest.raises(DataError, match="Row 1: \"answer\" is 'C'"):
        load_rows(studio.datasets, str(path))
    with pytest.raises(DataError):
        load_rows(studio.datasets, "no-such-dataset")
