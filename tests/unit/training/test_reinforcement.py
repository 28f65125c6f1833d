"""GRPO and RLOO as runs: what they learn from, what they log, and what they refuse."""

from __future__ import annotations

import pytest

from studio import Recipe, Studio
from studio.errors import ConfigError, DataError
from studio.rewards.model import RewardModel
from studio.training.runs import Run
from tests.unit.training.conftest import small

LOGGED = (
    "reward", "reward_std", "rewards/contains/mean", "rewards/length/mean", "kl", "entropy",
    "completions/mean_length", "completions/clipped_ratio", "clip_ratio/region_mean",
    "frac_reward_zero_std",
)  # fmt: skip


def rewarded(objective: str = "grpo", **changes: object) -> Recipe:
    usual = {
        "max_steps": 2, "num_generations": 2, "max_completion_length": 12,
        "reward_funcs": "contains; length:1-6", "reward_weights": (1.0, 0.5),
    }  # fmt: skip
    return small(objective, "facts", **{**usual, **changes})


@pytest.fixture(scope="module")
def model(studio: Studio) -> Run:
    return studio.wait(studio.train(small("reward", "taste", name="judge", max_steps=2)).id)


def test_a_run_from_another_learns_and_logs_each_part(studio: Studio, sft: Run) -> None:
    run = studio.wait(studio.train(rewarded(start_from=sft.id, sample_steps=1)).id)
    assert (run.state, run.error, run.parent) == ("finished", None, sft.id)
    assert run.adapter is not None
    logs = [event for event in run.events()[0] if event["kind"] == "log" and "reward" in event]
    assert len(logs) == 2 and all(name in log for log in logs for name in LOGGED)
    assert logs[0]["reward"] == pytest.approx(
        logs[0]["rewards/contains/mean"] + 0.5 * logs[0]["rewards/length/mean"], abs=1e-5
    )
    samples = [event for event in run.events()[0] if event["kind"] == "sample"]
    assert samples and all({"contains", "length"} == set(e["rewards"]) for e in samples)


def test_a_reward_model_is_a_reward(studio: Studio, model: Run) -> None:
    recipe = rewarded("rloo", reward_funcs=("model:judge",), reward_weights=None)
    run = studio.wait(studio.train(recipe).id)
    assert (run.state, run.error) == ("finished", None)
    assert run.recipe.reward_funcs == (f"model:{model.id}",)
    assert run.metrics["rewards/model/mean"] == pytest.approx(run.metrics["reward"])


def test_a_scorer_does_not_mind_its_neighbours(studio: Studio, model: Run) -> None:
    prompts = [[{"role": "user", "content": "What is the taste of honey?"}]] * 3
    answers = ["Sweet.", "Gladly: it is sweet, as everybody in the valley knows.", ""]
    texts = [f"model:{model.id}"]
    together = studio.reward(texts, None, prompts, answers).result()
    alone = [studio.reward(texts, None, prompts[:1], [a]).result()[0].total for a in answers]
    assert [one.total for one in together] == pytest.approx(alone, abs=1e-4)


def test_a_reward_that_is_no_number_ends_the_run_in_a_sentence(
    studio: Studio, model: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(RewardModel, "__call__", lambda self, p, answers: [float("nan")] * len(p))
        recipe = rewarded(reward_funcs=("model:judge",), reward_weights=None)
        run = studio.wait(studio.train(recipe).id)
    assert run.state == "failed"
    assert "gave nan for the answer" in (run.error or "")
    assert studio.wait(studio.resume(run.id).id).state == "finished"


def test_a_rule_that_raises_ends_the_run_in_a_sentence(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(answer: str, references: object) -> float:
        raise RecursionError("too deep")

    monkeypatch.setattr("studio.scoring.text.contains", broken)
    run = studio.wait(studio.train(rewarded()).id)
    assert run.state == "failed"
    assert "The reward contains broke off with RecursionError: too deep." in (run.error or "")


def test_a_reward_model_whose_base_is_gone(studio: Studio, model: Run) -> None:
    studio.runs.update(model.id, base="other weights")
    try:
        run = studio.wait(studio.train(rewarded(reward_funcs="model:judge", reward_weights=())).id)
    finally:
        studio.runs.update(model.id, base=model.base)
    assert run.state == "failed"
    assert "judge was trained on other weights" in (run.error or "")


def test_what_is_refused_before_anything_loads(studio: Studio, sft: Run) -> None:
    with pytest.raises(ConfigError, match="reward_funcs names none"):
        studio.train(rewarded(reward_funcs=(), reward_weights=None))
    with pytest.raises(ConfigError, match="only a run of the objective reward"):
        studio.train(rewarded(reward_funcs=f"model:{sft.id}", reward_weights=None))
    with pytest.raises(ConfigError, match="does not divide into whole groups"):
        rewarded(num_generations=3)
    with pytest.raises(ConfigError, match="beta must be above 0 for DPO"):
        small("dpo", "taste", beta=0)
    studio.datasets.from_rows([{"text": "a b c"}] * 8, "language_modeling", "plain")
    with pytest.raises(DataError, match="plain text has none of"):
        studio.train(rewarded().with_(dataset_name="plain"))
