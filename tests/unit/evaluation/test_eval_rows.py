"""Rows of every kind read as questions with answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio import Studio
from studio.core.errors import DataError
from studio.evaluation import load_rows
from studio.metrics import text


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
