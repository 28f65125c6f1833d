"""Health of reinforcement learning: told in words, and silent on a healthy run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from studio.training.health import findings

Values = Callable[[int], dict[str, float]]


def run(values: Values, points: int = 40) -> list[str]:
    healthy = {
        "loss": 0.0,
        "grad_norm": 0.5,
        "reward": 0.5,
        "kl": 0.05,
        "entropy": 1.0,
        "frac_reward_zero_std": 0.2,
        "completions/mean_length": 20.0,
        "completions/clipped_ratio": 0.1,
        "rewards/model/mean": 0.5,
    }
    events = [
        {"kind": "log", "step": at, **healthy, "reward": 0.5 + at / points, **values(at)}
        for at in range(1, points + 1)
    ]
    return [one.kind for one in findings(events, {"objective": "grpo"})]


def test_a_healthy_run_is_left_alone() -> None:
    assert run(lambda at: {}) == []
    assert run(lambda at: {"grad_norm": 0.0}, points=5) == []


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("constant", lambda at: {"frac_reward_zero_std": 1.0, "grad_norm": 0.0}),
        ("kl", lambda at: {"kl": at}),
        ("hacked", lambda at: {"completions/mean_length": 20.0 + 2 * at}),
        ("hacked", lambda at: {"rewards/exact/mean": 0.9 - at / 100}),
        ("entropy", lambda at: {"entropy": 2.0 / at}),
        ("cut", lambda at: {"completions/clipped_ratio": 1.0}),
        ("nan", lambda at: {"loss": float("nan")}),
    ],
)
def test_what_goes_wrong(kind: str, values: Values) -> None:
    assert run(values) == [kind]
