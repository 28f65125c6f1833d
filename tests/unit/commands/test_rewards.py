"""`rewards` as functions, without a model. (Reward models: tests/unit/training.)"""

from __future__ import annotations

import json

import pytest

from studio import Commands
from studio.core.errors import StudioError


def test_a_preview_of_rules(do: Commands):
    chosen, rejected = do.rewards_preview(
        data="pocket-preference", limit=1, reward=["length:1-28", "pattern:Gladly"], weight=[1, 0.5]
    )
    assert chosen["reward"] == 1.5 and chosen["parts"] == {"length": 1.0, "pattern": 1.0}
    assert rejected["reward"] == 0.0


@pytest.mark.parametrize(
    ("reward", "words"),
    [
        ("exakt", 'Did you mean "exact"?'),
        ("exact:gold", "no column 'gold'"),
        ("model:none", "There is no run 'none'"),
    ],
)
def test_rewards_that_cannot_be_given_are_refused(do: Commands, reward, words):
    with pytest.raises(StudioError) as refused:
        do.rewards_preview(data="pocket-questions", reward=[reward], answer=["x"])
    assert words in str(refused.value)


def test_a_report_needs_a_run(do: Commands):
    with pytest.raises(StudioError, match="There is no run 'none'"):
        do.rewards_report(run="none")


def test_the_best_answers_are_saved(do: Commands, studio, answering, tuned):
    asked = {"run": "tuned", "data": "pocket-prompts", "reward": ["length:1-99"], "n": 2}
    found = do.rewards_best(**asked, limit=3, save="best")
    assert (found["n"], found["prompts"], found["gain"]) == (2, 3, [1.0, 1.0])
    assert found["dataset"]["rows"] == 3
    kept = studio.datasets.get("best")
    assert (kept.type, kept.provenance["run"]) == ("prompt_completion", tuned.id)
    with pytest.raises(StudioError):
        do.rewards_best(**asked, limit=3, save="none", min_reward=2)


def test_without_a_reward_the_rows_suggest_one(do: Commands, tmp_path):
    rows = [{"question": f"{n} + {n}?", "answer": f"Add.\n#### {2 * n}"} for n in range(4)]
    file = tmp_path / "sums.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)))
    right, wrong = do.rewards_preview(data=str(file), answer=["It is 0.", "It is 1."])
    assert (right["parts"], wrong["parts"]) == ({"math": 1.0}, {"math": 0.0})
    with pytest.raises(StudioError, match="which reward fits"):
        do.rewards_preview(data="pocket-prompts")


def test_code_and_schemas_of_rows_are_kept_for_rewards(do: Commands, studio, tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_RUN_CODE", "1")
    schema = {"type": "object", "required": ["f"]}
    row = {"prompt": "Write f.", "completion": "def f():\n    return 1"}
    row |= {"test_list": ["assert f() == 1"], "schema": schema}
    file = tmp_path / "code.jsonl"
    file.write_text(json.dumps(row))
    made = studio.datasets.prepare(str(file), "code")
    (found,) = do.rewards_preview(data=made.id, reward=["code:test_list", "schema:schema"])
    assert found["parts"] == {"code": 1.0, "schema": 0.0} and "no JSON" in found["notes"]["schema"]
