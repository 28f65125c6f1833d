"""Pairs that a reward model is judged on, read as they stand in a file."""

from studio.engine.studio import Studio
from studio.evaluation.eval_rows import ScoreRows
from studio.runs.recipe import Recipe
from studio.workflows.rewards import _pairs, preview_rewards, suggest_rewards


def test_a_pair_without_one_of_its_answers_is_left_out():
    def row(prompt, chosen, rejected):
        return {"prompt": prompt, "chosen": chosen, "rejected": rejected}

    rows = [row("one", "a", "b"), row("two", "", "b"), row("three", "a", []), row("", "a", "b")]
    prompts, sides = _pairs(ScoreRows("pairs", "preference", rows))
    assert [prompt[-1]["content"] for prompt in prompts] == ["one"] and sides == [("a", "b")]


def test_a_preview_reads_every_dataset_of_a_mixture(tmp_path):
    studio = Studio(tmp_path / "home")
    for name in ("left", "right"):
        rows = [{"prompt": [{"role": "user", "content": name}], "answers": [name]}] * 3
        studio.datasets.from_rows(rows, "prompt_only", name)
    mixed = {"datasets": [{"path": "left"}, {"path": "right"}], "reward_funcs": ["exact"]}
    recipe = Recipe.of({"objective": "grpo", **mixed})
    shown = preview_rewards(studio, recipe, 2)
    assert [one["answer"] for one in shown] == ["left", "left", "right", "right"]
    found = suggest_rewards(studio, recipe)
    assert found is not None and found.rewards == ("exact",)
