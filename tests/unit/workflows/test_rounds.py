"""The closed loop without people (`make test-rounds`): figures rise, errors put in are found."""

from __future__ import annotations

import os

import pytest

from benchmarks import rounds
from studio import Studio


@pytest.mark.slow
def test_two_rounds_by_rule_rise_and_the_report_finds_what_was_put_in(tmp_path):
    if not os.environ.get("STUDIO_ROUNDS"):
        pytest.skip("STUDIO_ROUNDS is not set: this takes minutes (make test-rounds)")
    studio = Studio(tmp_path / "home")
    made, found = rounds.loop(studio, rounds.first_run(studio), 2, 160, 80, 7)
    studio.close()
    shares = [outcome.courteous for outcome in made]
    assert shares[0] < shares[1] < shares[2], shares
    wins = [outcome.start["rate"] for outcome in made[1:]]
    assert 0.5 < wins[0] < wins[1], wins
    assert all(outcome.before["rate"] > 0.5 for outcome in made[1:])
    again = found["self_agreement"]
    assert again["interval"][0] < again["put_in"] < again["interval"][1]
    for left in found["left"].values():
        assert left["interval"][0] < left["put_in"] < left["interval"][1]
    assert found["left"]["hasty"]["p_value"] < 0.01 < found["left"]["careful"]["p_value"]
