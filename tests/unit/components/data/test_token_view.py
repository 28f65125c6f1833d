"""The token view's switch of thinking: offered where the template knows it, and what it changes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import gradio as gr
import pytest

from components.data import preview_layout
from components.data.open_sources import OpenSources, Subject
from components.data.row_browser import RowBrowser
from components.data.token_statistics import StatisticsHandlers, TokenSettings
from components.data.token_view import TokenHandlers, carried_note
from studio import Studio
from tests.unit.data.making import assistant, user

OFF, QUIET = "enable_thinking=false", "&lt;think&gt;"
ASKED = [user("Where is the mill?"), assistant("By the river.")]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(Path(tmp_path_factory.mktemp("tokens")) / "home")
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def handlers(studio: Studio) -> tuple[TokenHandlers, StatisticsHandlers]:
    sources = OpenSources(studio)
    with gr.Blocks():
        preview = preview_layout.preview_column([("Pocket", "pocket")])
        browser = RowBrowser(sources, preview)
        tokens = TokenHandlers(sources, preview, browser)
    return tokens, StatisticsHandlers(sources, preview, browser, tokens)


def subject_of(studio: Studio, **row: object) -> Subject:
    dataset = studio.datasets.from_rows([{"messages": ASKED, **row}] * 2, "conversational", "mills")
    return Subject(dataset_id=dataset.id, split="train")


def drawn(handlers: TokenHandlers, subject: Subject, thinking: str) -> str:
    """The view's text, without its markup."""
    args = (subject, "pocket", "chatml", 512.0, "assistant", thinking)
    *_, last = handlers.render_if_shown("tokens", *args)
    return re.sub(r"<[^>]+>", "", str(last))


def test_the_switch_is_there_where_the_template_knows_it(handlers) -> None:
    tokens, _ = handlers
    shown = tokens.offer("tokens", "pocket", "chatml", OFF)
    assert shown["visible"] and shown["value"] == OFF
    assert [value for _, value in shown["choices"]] == ["", "enable_thinking=true", OFF]
    for model, template in (("pocket", "plain"), ("no/such-model", "")):
        hidden = tokens.offer("tokens", model, template, OFF)
        assert (hidden["visible"], hidden["value"]) == (False, "")
    assert "choices" not in tokens.offer("rows", "pocket", "chatml", OFF)


def test_the_choice_is_for_rows_that_say_nothing_themselves(studio: Studio, handlers) -> None:
    tokens, _ = handlers
    plain = subject_of(studio)
    assert QUIET not in drawn(tokens, plain, "") and QUIET in drawn(tokens, plain, OFF)
    own = subject_of(studio, chat_template_kwargs={"enable_thinking": True})
    markup = drawn(tokens, own, OFF)
    assert QUIET not in markup and "come first: enable_thinking=true" in markup


def test_tokens_are_counted_as_they_are_drawn(studio: Studio, handlers) -> None:
    _, statistics = handlers
    subject = subject_of(studio)

    def asked(thinking: str) -> TokenSettings:
        return TokenSettings("pocket", "chatml", 512, "assistant", thinking)

    def total(thinking: str) -> int:
        return int(statistics.measured(subject, asked(thinking), lambda *_: None).longest.max())

    assert total(OFF) > total("") == total("enable_thinking=true")
    assert statistics.key(subject, asked(OFF)) != statistics.key(subject, asked(""))


def test_train_takes_the_choice_over(handlers) -> None:
    tokens, _ = handlers
    assert tokens.choose("pocket", "", 512, "") == ({}, "")
    chosen, note = tokens.choose("pocket", "chatml", 512, OFF)
    assert chosen["chat_template_kwargs"] == {"enable_thinking": False}
    assert f"chat template ChatML, {OFF}" in note
    assert "<img" not in carried_note({"model_name_or_path": "<img src=x>"})


def test_statistics_take_what_the_token_view_sends(studio: Studio, handlers) -> None:
    tokens, statistics = handlers
    values = [setting.value for setting in tokens.rendering]
    *_, last = statistics.count(subject_of(studio), *values)
    assert "tokens" in last[statistics.widgets.said]
    limit, chosen, _ = statistics.carry("pocket", "", 64, OFF, "query: ", "")
    assert limit == 64 and chosen["chat_template_kwargs"] == {"enable_thinking": False}
    assert chosen["query_prompt"] == "query: " and "document_prompt" not in chosen


def test_pairs_for_embedding_are_counted_side_by_side(studio: Studio, handlers) -> None:
    tokens, statistics = handlers
    rows = [{"anchor": f"q{at}", "positive": "a day " * (at + 1)} for at in range(4)]
    made = studio.datasets.from_rows(rows, "embedding_pairs", "pairs")
    subject = Subject(dataset_id=made.id)
    values = [setting.value for setting in tokens.rendering]
    values[tokens.rendering.index(tokens.widgets.max_length)] = 4
    *_, last = statistics.count(subject, *values)
    cost = last[statistics.widgets.cost]
    assert "anchor: 0 of 4 cut" in cost and "positive: 3 of 4 cut" in cost
    moved = statistics.move(subject, *values, 512)
    assert "positive: 0 of 4 cut" in moved[statistics.widgets.cost]
    assert {statistics.widgets.trained, statistics.widgets.turns} <= set(moved)
    values[tokens.rendering.index(tokens.widgets.query_prompt)] = "a long query prompt: "
    *_, last = statistics.count(subject, *values)
    assert "anchor: 4 of 4 cut" in last[statistics.widgets.cost]
