"""GRPO and RLOO as runs: what they learn from, what they log, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from studio import Recipe, Studio
from studio.commands import Commands
from studio.core.errors import ConfigError, DataError
from studio.evaluation import ScoreRequest, load_rows
from studio.generation.request import Column, Sampling
from studio.labels.types import Pair
from studio.models.reward_model import RewardModel
from studio.rewards import WeightedReward
from studio.rewards.best_of_n import gain
from studio.runs.store import Run
from studio.training.export_config import export
from studio.training.trainers import settings
from studio.workflows.rewards import most_disputed, reward_histogram
from studio.workflows.sample_n import answer_n
from tests.unit.training.conftest import preference_rows, small

LOGGED = (
    "reward",
    "reward_std",
    "rewards/contains/mean",
    "rewards/length/mean",
    "kl",
    "entropy",
    "completions/mean_length",
    "completions/clipped_ratio",
    "clip_ratio/region_mean",
    "frac_reward_zero_std",
)


def rewarded(objective: str = "grpo", **changes: object) -> Recipe:
    usual = {
        "max_steps": 2,
        "num_generations": 2,
        "max_completion_length": 12,
        "reward_funcs": "contains; length:1-6",
        "reward_weights": (1.0, 0.5),
    }
    return small(objective, "facts", **{**usual, **changes})


@pytest.fixture(scope="module")
def model(studio: Studio) -> Run:
    """A reward model, centred, from pairs whose votes were of full strength."""
    strong = [row | {"margin": 1.0} for row in preference_rows()]
    studio.datasets.from_rows(strong, "preference", "strong taste")
    recipe = small(
        "reward", "strong taste", name="judge", max_steps=2, center_rewards_coefficient=0.01
    )
    return studio.wait(studio.train(recipe).id)


def test_pairs_too_long_for_a_reward_model_are_counted(studio: Studio) -> None:
    long = {"prompt": "Why?", "chosen": "Because. " * 400, "rejected": "No."}
    rows = [*preference_rows(), *({**long, "prompt": f"Why {n}?"} for n in range(3))]
    studio.datasets.from_rows(rows, "preference", "long taste")
    run = studio.wait(studio.train(small("reward", "long taste", max_steps=1)).id)
    [told] = [event for event in run.events()[0] if event["kind"] == "rows"]
    assert (run.state, told["given"] - told["used"]) == ("finished", 3), run.error


def test_strength_of_votes_and_centring_are_learned_from(model: Run) -> None:
    losses = [event["loss"] for event in model.events()[0] if "loss" in event]
    # -log sigmoid(0 - 1) is 1.31; without the margin equal scores would cost 0.69
    assert model.state == "finished" and losses[0] > 1.0
    assert settings(model.recipe, 24, False)["center_rewards_coefficient"] == 0.01


def test_a_run_from_another_learns_and_logs_each_part(
    studio: Studio, sft: Run, tmp_path: Path
) -> None:
    run = studio.wait(studio.train(rewarded(start_from=sft.id, sample_steps=1)).id)
    assert (run.state, run.error, run.parent) == ("finished", None, sft.id)
    assert run.adapter is not None
    logs = [event for event in run.events()[0] if event["kind"] == "log" and "reward" in event]
    assert len(logs) == 2 and all(name in log for log in logs for name in LOGGED)
    assert logs[0]["reward"] == pytest.approx(
        logs[0]["rewards/contains/mean"] + 0.5 * logs[0]["rewards/length/mean"], abs=1e-5
    )
    with pytest.raises(ConfigError, match="its rewards are the studio's own"):
        export(run, studio.runs, studio.datasets, "trl", tmp_path)
    samples = [event for event in run.events()[0] if event["kind"] == "sample"]
    assert samples and all({"contains", "length"} == set(e["rewards"]) for e in samples)


def test_a_run_is_stopped_with_what_it_learned(studio: Studio) -> None:
    run = studio.train(rewarded("rloo", max_steps=60))
    asked: list[str] = []

    def stop(event: dict) -> None:
        if event["kind"] == "log" and not asked:
            asked.append(studio.stop(run.id).id)

    ended = studio.wait(run.id, stop)
    assert ended.state == "stopped" and ended.step < 60 and ended.adapter is not None
    parts = ended.metrics["rewards/contains/mean"], ended.metrics["rewards/length/mean"]
    assert ended.metrics["reward"] == pytest.approx(parts[0] + 0.5 * parts[1], abs=1e-5)


def test_gmpo_trains_on_rewards_with_its_own_clipping(studio: Studio, sft: Run) -> None:
    """Two updates a batch: the second is away from the policy that sampled."""
    run = studio.wait(studio.train(rewarded("gmpo", start_from=sft.id, num_iterations=2)).id)
    assert (run.state, run.error) == ("finished", None)
    logs = [event for event in run.events()[0] if "loss" in event]
    assert len(logs) == 2 and all(name in logs[0] for name in LOGGED)
    assert "reward" not in logs[1] and "clip_ratio/region_mean" in logs[1]
    told = settings(run.recipe, 24, False)
    assert told["epsilon"] == 0.4 and "loss_type" not in told


def test_a_reward_model_beside_people(studio: Studio, sft: Run, model: Run) -> None:
    project = studio.labels.create_project("beside people")
    rows = preference_rows(4)
    studio.labels.add_items(
        project.id,
        [Pair(r["prompt"], r["chosen"][0]["content"], r["rejected"][0]["content"]) for r in rows],
    )
    for _ in rows:
        shown = studio.labels.next_item(project.id, "ann")
        assert shown is not None
        studio.labels.vote(project.id, shown.item_id, "ann", "a", 2)
    do = Commands(studio)
    found = do.rewards_report(run="judge", data="taste", project="beside people")
    assert found["annotators"]["ann"]["count"] == 4
    right = found["annotators"]["ann"]["value"]
    facts = {"data": "facts", "reward": ["length:0-99"], "n": 2, "limit": 2, "max_new_tokens": 8}
    do.rewards_best(run=sft.id, **facts, save="best ones")
    disputed = most_disputed(studio, model.id, project.id)
    assert [one["disagreement"] for one in disputed] == sorted(
        (one["disagreement"] for one in disputed), reverse=True
    )
    assert sum(one["gap"] > 0 for one in disputed) == 4 * right
    kept = studio.datasets.get("best ones")
    assert kept.type == "prompt_completion" and kept.provenance["run"] == sft.id
    bars = reward_histogram(studio, model, sft.id, "facts", 2)
    assert {name: sum(counts) for name, counts in bars["counts"].items()} == {"base": 2, "first": 2}


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

    monkeypatch.setattr("studio.metrics.text.contains", broken)
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
    with pytest.raises(ConfigError, match="reward_funcs is empty"):
        studio.train(rewarded(reward_funcs=(), reward_weights=None))
    with pytest.raises(ConfigError, match="only a reward model scores"):
        studio.train(rewarded(reward_funcs=f"model:{sft.id}", reward_weights=None))
    with pytest.raises(ConfigError, match="no multiple of num_generations 3"):
        rewarded(num_generations=3)
    with pytest.raises(ConfigError, match="beta must be above 0 for DPO"):
        small("dpo", "taste", beta=0)
    studio.datasets.from_rows([{"text": "a b c"}] * 8, "language_modeling", "plain")
    with pytest.raises(DataError, match="plain text has none"):
        studio.train(rewarded().with_(dataset_name="plain"))


def test_the_best_of_n_and_the_reward_as_a_figure(studio: Studio, sft: Run) -> None:
    rows = load_rows(studio.datasets, "facts", 3)
    mix, sampling = (
        WeightedReward(["contains", "length:1-6"]),
        Sampling(temperature=1.5, max_new_tokens=8),
    )
    column = Column(sft.model, sft.id)
    prompts, answers, graded = answer_n(studio, column, rows.rows, mix, 4, sampling)
    assert [len(each) for each in answers] == [4] * len(rows) == [4] * len(prompts)
    assert len({text for each in answers for text in each}) > len(rows)
    curve = gain([[one.total for one in each] for each in graded])
    assert len(curve) == 4 and curve == sorted(curve)
    request = ScoreRequest(
        (column,), rows, ("reward",), Sampling(max_new_tokens=8), rewards=("length:0-99",)
    )
    scoring = studio.score(request)
    scoring.wait()
    assert scoring.error is None
    assert scoring.result()["columns"][0]["metrics"]["reward"]["value"] == 1.0


@pytest.mark.slow
def test_grade_school_maths_end_to_end(studio: Studio, real_data: Path, tmp_path: Path) -> None:
    """Real rows, the numeric reward, and a small random model of a real architecture."""
    torch.manual_seed(0)
    tokenizer = studio.tokenizer("pocket")
    config = Qwen2Config(
        vocab_size=len(tokenizer) + 64,  # Qwen's tokenizer class adds a token of its own
        hidden_size=64,
        intermediate_size=176,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=2048,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    folder = tmp_path / "qwen"
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    found = next(real_data.rglob("gsm8k/test.jsonl"))
    recipe = rewarded(
        model_name_or_path=str(folder),
        reward_funcs="numeric:@gsm8k; length:1-400",
        max_completion_length=16,
        max_steps=3,
    ).with_(dataset_name=str(found))
    run = studio.wait(studio.train(recipe).id)
    assert (run.state, run.error, run.step) == ("finished", None, 3)
    assert run.metrics["rewards/numeric/mean"] == 0.0
    assert studio.datasets.get(run.data["id"]).type == "prompt_completion"


def test_a_judge_rewards_in_the_midst_of_a_run(studio: Studio, sft: Run) -> None:
    """Of random weights the replies hold no score: they count 0 and are counted."""
    judged = {"reward_funcs": f"judge:{sft.name}; length:1-6", "judge_max_new_tokens": 4}
    run = studio.wait(studio.train(rewarded(**judged, max_steps=1)).id)
    assert (run.state, run.error) == ("finished", None)
    assert run.metrics["rewards/judge/unread"] == 1.0 and run.metrics["rewards/judge/mean"] == 0.0
    with pytest.raises(ConfigError, match="There is no run 'nobody'"):
        studio.train(rewarded(reward_funcs="judge:nobody", reward_weights=None))


def test_code_is_refused_before_a_run_where_it_is_off(studio: Studio) -> None:
    with pytest.raises(ConfigError, match="STUDIO_RUN_CODE=1"):
        studio.train(rewarded(reward_funcs="code:tests", reward_weights=None))
