"""Rewards of a comparison: shown, scored, and the best answers saved as rows."""

from __future__ import annotations

from dataclasses import replace

import gradio as gr

from components.compare import batch_html, reward_html
from components.compare.reward_panel import RewardPanel
from studio import Studio
from studio.core.workspace import new_id
from studio.workflows import label_projects
from studio.workflows.comparisons import Comparison, Side, load, save

EVIL = "<img src=x onerror=alert(1)>"


def test_a_scored_comparison_shows_rewards_and_the_best_of_n():
    prompts = [[{"role": "user", "content": name}] for name in "ppqq"]
    cells = [{"text": f"say {n}", "tokens": 1, "ended": "stop", "error": None} for n in range(4)]
    sides = (Side("a", "base", "pocket"), Side(EVIL, "tuned", "pocket", "run-1"))
    plain = Comparison("comparison-1", "x", 0.0, sides, prompts, [cells, cells], {})
    assert "stored apart from people" in reward_html.summary(plain)
    given = [[1.0, 0.0, 0.5, 0.5], [0.0, 2.0, 3.0, None]]
    found = replace(plain, rewards=given, reward="length:3-28")
    assert batch_html.matching(found, "best of its prompt", "") == [0, 1, 2]
    assert found.scored(1)[1:] == ([["say 0", "say 1"], ["say 2"]], [[0.0, 2.0], [3.0]])
    card = batch_html.set_card(found, 1)
    assert "<b>reward 0</b>" in card and "<b>reward 2, best of 2</b>" in card
    assert "<b></b>" in batch_html.set_card(plain, 1)
    drawn = reward_html.summary(found)
    assert "<img" not in drawn and "length:3-28: 2 prompts" in drawn
    assert reward_html.plot(plain) is None
    figure = reward_html.plot(found)
    assert figure is not None and list(figure.data[0].y) == [0.5, 0.75]  # of A: 1, 0 and 0.5, 0.5


def test_answers_are_scored_and_the_best_become_rows(tmp_path):
    studio = Studio(tmp_path / "home")
    with gr.Blocks():
        panel = RewardPanel(studio)
        panel.lay_out()
    prompts = [[{"role": "user", "content": name}] for name in "ppqq"]
    cells = [
        {"text": text, "tokens": 1, "ended": "stop", "error": None}
        for text in ("one", "one two", "one two three", "")
    ]
    sides = (Side("a", "base", "pocket"),)
    cells[3]["ended"] = "cancelled"
    made = Comparison(new_id("comparison"), "x", 0.0, sides, prompts, [cells], {})
    save(studio, made)

    def refused(comparison: Comparison | None, reward: str) -> str:
        return list(panel.score(comparison, reward))[-1][panel.progress]

    try:
        assert "Answer some prompts first" in refused(None, "length:2-3")
        assert "Scores tab" in refused(made, "exact")
        assert "Choose a reward model" in refused(made, " ; ")
        assert refused(made, "length:2-3; pattern:three") == ""
        kept = load(studio, made.id)
        assert (kept.rewards, kept.reward) == ([[0, 1, 2, None]], "length:2-3; pattern:three")
        assert "Score the answers first" in panel.keep_best(made, 0, "")
        assert "Saved 2 rows as mine" in panel.keep_best(kept, 0, "mine")
        rows = studio.datasets.get("mine").head(2, "train")
        assert [row["completion"][0]["content"] for row in rows] == ["one two", "one two three"]
        assert "Score the answers first" in panel.keep_pairs(made, 0, "")
        assert "Saved 1 pair, mean margin 1.00, as pairs" in panel.keep_pairs(kept, 0, "pairs")
        (pair,) = studio.datasets.get("pairs").head(2, "train")
        assert (pair["chosen"][0]["content"], pair["margin"]) == ("one two", 1.0)
        assert "1 pair to label" in panel.label_pairs(kept, 0, "check")
        (project,) = studio.labels.projects()
        assert (project.name, project.order) == ("check", "uncertain")
        again, _ = label_projects.from_dataset(studio, "pairs", order="uncertain")
        assert again.order == "uncertain"
    finally:
        studio.close()
