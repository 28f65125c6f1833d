"""The loop without people (`make test-rounds`): win rates rise, injected errors are found."""

from __future__ import annotations

import os

import pytest

from benchmarks import rlhf, rounds
from studio import Studio

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("STUDIO_ROUNDS"), reason="STUDIO_ROUNDS is not set (make test-rounds)"
    ),
]


def test_two_rounds_by_rule_rise_and_the_report_finds_what_was_injected(tmp_path):
    studio = Studio(tmp_path / "home")
    made, found = rounds.loop(studio, rounds.first_run(studio), 2, 160, 80, 7)
    studio.close()
    shares = [outcome.courteous for outcome in made]
    assert shares[0] < shares[1] < shares[2], shares
    wins = [outcome.start["rate"] for outcome in made[1:]]
    assert 0.5 < wins[0] < wins[1], wins
    assert all(outcome.before["rate"] > 0.5 for outcome in made[1:])
    again = found["self_agreement"]
    assert again["interval"][0] < again["injected"] < again["interval"][1]
    for left in found["left"].values():
        assert left["interval"][0] < left["injected"] < left["interval"][1]
    assert found["left"]["hasty"]["p_value"] < 0.01 < found["left"]["careful"]["p_value"]


def test_dpo_and_rloo_from_one_start_meet_in_blind_duels(tmp_path):
    studio = Studio(tmp_path / "home")
    sft = rlhf.trained(studio, "sft", "pocket-sft", max_steps=1)
    dpo, reward, rloo = rlhf.both(studio, sft, "pocket-preference", "rloo", max_steps=1)
    assert rloo.recipe.reward_funcs == (f"model:{reward.id}",)
    assert rloo.parent == dpo.parent == sft.id
    assert rloo.metrics["rewards/model/mean"] == pytest.approx(rloo.metrics["reward"])
    assert rlhf.Cost.of(reward, rloo).seconds >= rloo.train_seconds
    prompts = rounds.prompts_of("pocket-questions")[:2]
    duel = rlhf.meet(studio, rloo, dpo, prompts)
    assert duel is None or duel.share is not None
    projects = studio.labels.projects()
    rlhf.meet(studio, rloo, dpo, prompts)
    assert duel is None or studio.labels.projects() == projects  # the same two do not meet twice
    studio.close()
