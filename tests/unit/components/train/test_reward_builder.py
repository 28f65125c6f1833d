"""Rewards on the page: the rows of parts follow the form, samples and reports are told plainly."""

from __future__ import annotations

import random
from pathlib import Path

import gradio as gr

from components.train import reward_builder, reward_panels_html
from components.train.reward_builder import RewardBuilder
from components.ui import recipe_fields
from studio.engine.studio import Studio
from studio.rewards.report import histogram, report
from studio.runs.recipe import Recipe


def test_rows_follow_the_form_and_leave_with_the_objective(tmp_path: Path):
    fields = {}
    with gr.Blocks():
        builder = RewardBuilder(Studio(tmp_path / "home"))
        builder.lay_out(lambda name, **_: fields.update({name: gr.Textbox()}))
        builder.bind(fields, lambda data: Recipe.defaults("grpo"))
    filled = {
        fields["reward_funcs"]: gr.update(value="exact; length:1-9"),
        fields["reward_weights"]: gr.update(value="1, 2"),
    }
    updates = builder.follow("grpo", dict(filled))
    assert updates[builder.rows] == {"funcs": "exact; length:1-9", "weights": "1, 2"}
    assert updates[builder.box]["visible"] is True
    gone = builder.follow("dpo", dict(filled))
    assert gone[builder.box]["visible"] is False and builder.rows not in gone


def test_rewards_that_fit_the_rows_take_the_place_of_others(tmp_path: Path):
    studio = Studio(tmp_path / "home")
    fields = {}
    with gr.Blocks():
        builder = RewardBuilder(studio)
        builder.lay_out(lambda name, **_: fields.update({name: gr.Textbox()}))
        builder.bind(fields, lambda data: Recipe.defaults("grpo"))
    rows = [{"prompt": [{"role": "user", "content": "2 + 2?"}], "answers": ["4"]}]
    studio.datasets.from_rows(rows, "prompt_only", "sums")
    recipe = Recipe.defaults("grpo", dataset_name="sums", reward_funcs=("length:1-9",))
    updates = builder._suggest(lambda: recipe)
    assert updates[builder.rows] == {"funcs": "math", "weights": ""}
    assert "answers are numbers" in updates[builder.tried]
    talk = builder._suggest(lambda: recipe.with_(dataset_name="pocket-prompts"))
    assert list(talk) == [builder.tried] and "do not show" in talk[builder.tried]


def test_a_semicolon_in_a_pattern_survives_the_form():
    recipe = Recipe.defaults("grpo", reward_funcs=("pattern:a;b", "exact"))
    again = recipe_fields.read(recipe_fields.written(recipe))
    assert again.reward_funcs == (r"pattern:a\x3bb", "exact")


def test_samples_say_whether_there_is_anything_to_learn():
    def case(prompt: str, answer: str, reward: float) -> dict:
        return {"prompt": prompt, "answer": answer, "reward": reward, "parts": {"length": reward}}

    apart = reward_builder.table([case("<p>", "one", 1.0), case("<p>", "two", 0.0)], (2.0,))
    assert "1 of 1 prompt differ" in apart and "&lt;p&gt;" in apart and "length 1 x 2" in apart
    alike = reward_builder.table([case("p", "one", 1.0), case("p", "two", 1.0)], None)
    assert "nothing to learn" in alike
    noted = reward_builder.table([case("p", "x", 0.0) | {"notes": {"code": "<a> failed."}}], None)
    assert "<em>&lt;a&gt; failed.</em>" in noted
    assert "no answer of their own" in reward_builder.table([], None)


def test_a_report_is_drawn_with_everything_in_it():
    draw = random.Random(3)
    chosen = [draw.gauss(1, 1) for _ in range(40)]
    rejected = [draw.gauss(0, 1) for _ in range(40)]
    found = report(chosen, rejected, [(9, 3)] * 40, {"<ann>": (8, 10)})
    found |= {"data": "pairs", "answers": histogram({"base": rejected, "tuned": chosen})}
    drawn = reward_panels_html.report(found)
    for part in ("accuracy", "Bradley-Terry", "of-chosen", "of-base", "&lt;ann&gt;, 10 votes"):
        assert part in drawn
    assert (drawn.count("<circle"), drawn.count('class="dot"')) == (5, 1)
