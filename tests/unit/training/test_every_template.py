"""Rows of every template reach TRL's trainer with the labels of the token view, cut off as it
shows."""

from __future__ import annotations

import tempfile
from typing import Any

import pytest
from datasets import Dataset

from studio.core.errors import ModelError
from studio.core.workspace import PRESETS
from studio.data.tokens.token_view import TokenView, render
from studio.runs.recipe import Recipe
from studio.training.chat_rows import tokenized
from tests.unit.data.tokens.random_chats import TOOL, chat
from tests.unit.data.tokens.templates import dressed, templates

MOST = 260
EVERY = 3  # of the templates: that the mask is the view's for all is a test of the token view


def viewed(tokenizer: Any, name: str) -> tuple[list[dict[str, Any]], TokenView]:
    """A row of everything that a template writes, else a plain one, with what the view shows."""
    for kind, more in (("all", {"tools": [TOOL]}), ("plain", {})):
        row = {"messages": chat(3, kind), **more}
        try:
            [view] = render(row, "conversational", tokenizer, max_length=MOST)
        except ModelError:
            continue
        return [row], view
    raise AssertionError(f"{name} writes no plain chat")


def test_the_trainer_is_given_what_the_view_shows() -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    folder = PRESETS / "pocket"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    recipe, rows, views = Recipe.defaults("sft"), [], []
    names = list(templates())[::EVERY]
    for name in names:
        own = dressed(tokenizer, name)
        given, view = viewed(own, name)
        rows += list(tokenized(recipe, Dataset.from_list(given), own).rows)
        views += [view]
    assert len(rows) == len(names) > 20
    for row, view in zip(rows, views, strict=True):
        assert row["input_ids"] == [token.id for token in view.tokens]
        assert row["labels"] == [token.id if token.trained else -100 for token in view.tokens]
    with tempfile.TemporaryDirectory() as out:
        args = SFTConfig(
            output_dir=out, max_length=MOST, use_cpu=True, bf16=False, report_to="none"
        )
        trainer = SFTTrainer(
            AutoModelForCausalLM.from_pretrained(folder),
            args,
            train_dataset=Dataset.from_list(rows),
            processing_class=tokenizer,
        )
    kept = [view for view in views if view.trained]  # TRL drops rows that teach nothing
    assert len(kept) > 10 and any(view.kept < view.total for view in kept)
    for row, view in zip(trainer.train_dataset, kept, strict=True):
        tokens = view.tokens[: view.kept]
        assert row["input_ids"] == [token.id for token in tokens]
        assert row["labels"] == [token.id if token.trained else -100 for token in tokens]


@pytest.mark.parametrize("name", ["pocket", "qwen3"])
def test_a_row_whose_answer_is_cut_off_teaches_nothing_and_is_said_to(name: str) -> None:
    from transformers import AutoTokenizer

    tokenizer = dressed(AutoTokenizer.from_pretrained(PRESETS / "pocket"), name)
    row = {"messages": [{"role": "user", "content": "w " * MOST}, *chat(1, "plain")[1:]]}
    [view] = render(row, "conversational", tokenizer, max_length=MOST)
    assert view.trained == 0 and view.kept == MOST
    assert any("truncated at 260" in note for note in view.notes), view.notes
