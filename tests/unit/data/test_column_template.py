"""Templates over columns: what stands in them, what a row lacks, and where they go wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.core.errors import ConfigError
from studio.core.workspace import Workspace
from studio.data import PrepareOptions, inspect
from studio.data.column_template import ColumnTemplate, parse, render
from studio.data.saved_templates import SavedTemplates
from studio.data.types import RowError

ROW = {
    "question": "Which?",
    "choices": ["red", "blue"],
    "answer": 1,
    "letter": "a",
    "hf": {"text": ["up", "down"], "label": ["1", "2"]},
    "key": "2",
    "answers": {"text": ["yes"], "note": "sure"},
    "a.b": "dotted",
    "empty": "",
    "cell": '["heron", "horse"]',
    "printed": "['up', 'down']",
    "sic": "[sic] is no list",
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{question}\n{choices}", "Which?\nA. red\nB. blue"),
        ("{choices[answer]} {choices[letter]}", "blue red"),
        ("{hf} {hf[key]}", "A. up\nB. down down"),
        ("{answers.note} {{question}} {a.b} { question }", "sure {question} dotted Which?"),
        ("{answers.text}", "A. yes"),
        ("{cell} {cell[answer]}", "A. heron\nB. horse horse"),
        ("{printed[letter]}: {sic}", "up: [sic] is no list"),
    ],
)
def test_what_stands_in_braces_comes_from_the_row(template: str, text: str) -> None:
    assert render(parse(template), ROW) == text


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{empty}", "empty is empty in this row"),
        ("{nothing}", "nothing is empty"),
        ("{answers}x", ""),
        ("{question[answer]}", "question is no list"),
        ("{choices[question]}", "none of choices is"),
        ("{question.text}", "question.text is empty"),
    ],
)
def test_a_row_that_does_not_fit_is_said(template: str, words: str) -> None:
    if not words:
        assert render(parse(template), ROW) == "A. yesx"
        return
    with pytest.raises(RowError) as found:
        render(parse(template), ROW)
    assert words in found.value.message


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("", "is empty"),
        ("one } two", "stray brace"),
        ("one { two", "stray brace"),
        ("{question!r}", r"^{question!r} is no column"),
        ("{question:>9}", "is no column"),
        ("{}", "is no column"),
        ("{choices[0}", "stray brace|no column"),
        ("{a[b][c]}", "is no column"),
    ],
)
def test_what_is_wrong_with_a_template_is_said(template: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ColumnTemplate((template,))


def test_an_item_is_named_by_its_number() -> None:
    row = {"answers": {"text": ["one", "two"]}, "says": "x", "1": "y"}
    assert render(parse("{answers.text[0]} {answers[0]}"), row) == "one one"
    ColumnTemplate(("{answers.text[0]}",)).check(["answers"])
    with pytest.raises(RowError, match=r"answers has 2 items, .* none is 7\."):
        render(parse("{answers[7]}"), row)
    with pytest.raises(RowError, match="says is no list"):
        render(parse("{says[0]}"), row)


def test_nothing_in_a_template_is_evaluated() -> None:
    with pytest.raises(RowError, match="is empty in this row"):
        render(parse("{question.__class__}"), ROW)


def test_rows_take_one_of_several_templates_by_the_seed() -> None:
    both = ColumnTemplate(("A: {question}", "B: {question}"), "{choices[answer]}")
    made = [both.apply(ROW, number) for number in range(200)]
    first = [row["prompt"][0] for row in made]
    assert 60 < first.count("A") < 140
    assert made == [both.apply(ROW, number) for number in range(200)]
    other = ColumnTemplate(both.prompts, both.completion, seed=1)
    assert first != [other.apply(ROW, number)["prompt"][0] for number in range(200)]


def written(path: Path) -> Path:
    rows = [{"q": f"What is {n}?", "options": ["one", "two"], "gold": n % 3} for n in range(30)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_rows_of_any_columns_are_prepared_and_misfits_are_listed(tmp_path: Path) -> None:
    template = ColumnTemplate(("{q}\n{options}",), "{options[gold]}")
    found = inspect(written(tmp_path / "a.jsonl"), template=template)
    assert (found.type, found.kept) == ("prompt_completion", 20)
    assert found.problem_counts == {"no_such_item": 10}
    assert "What is 0?\nA. one\nB. two" in json.dumps(found.sample[0], ensure_ascii=False).replace(
        "\\n", "\n"
    )
    asked = inspect(tmp_path / "a.jsonl", template=ColumnTemplate(("{q}",)))
    assert asked.type == "prompt_only"
    with pytest.raises(ConfigError, match=r"no column 'p'.*Columns: q, options, gold"):
        inspect(tmp_path / "a.jsonl", template=ColumnTemplate(("{p}",)))


def test_pairs_keep_their_answers(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    row = {"topic": "bread", "chosen": "Bake it.", "rejected": "No."}
    path.write_text("".join(json.dumps({**row, "topic": f"bread {n}"}) + "\n" for n in range(5)))
    assert inspect(path, template=ColumnTemplate(("How: {topic}?",))).type == "preference"


def test_options_need_a_prompt_and_record_the_template() -> None:
    options = PrepareOptions(template=("{q}",), completion_template="{a}")
    assert options.recorded()["template"] == ["{q}"]
    with pytest.raises(ConfigError, match="completion_template needs template"):
        PrepareOptions(completion_template="{a}")


def test_templates_are_saved_by_name(tmp_path: Path) -> None:
    saved = SavedTemplates(Workspace(tmp_path))
    assert saved.all() == {}
    quiz = ColumnTemplate(("{q}", "Say: {q}"), "{a}")
    assert saved.save("  my  quiz ", quiz) == "my quiz"
    assert SavedTemplates(Workspace(tmp_path)).get("my quiz") == quiz
    with pytest.raises(ConfigError, match='Did you mean "my quiz"'):
        saved.get("my quizz")
    with pytest.raises(ConfigError, match="no brace"):
        saved.save("{q}", quiz)
    saved.delete("my quiz")
    assert saved.all() == {}
