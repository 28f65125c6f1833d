"""Rounds by a reward: pairs with margins, when they end, what they leave. Nothing is trained."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio import Studio
from studio.core.errors import ConfigError, DataError
from studio.labels import Pair
from studio.rewards import WeightedReward
from studio.rewards.pairs import best_and_worst
from studio.workflows import reward_rounds
from studio.workflows.reward_rounds import Rounds, RoundsPlan

PROMPTS = [[{"role": "user", "content": f"Say {n}."}] for n in range(20)]
SHORT = WeightedReward(["length:1-1"])


def test_a_pair_is_the_best_and_the_worst():
    found = best_and_worst(
        PROMPTS[:4],
        [["x", "y", "z"], ["x", "y"], ["", "y"], ["same", "same "]],
        [[0.1, 0.9, 0.5], [1.0, 1.0], [0.0, 1.0], [0.0, 1.0]],
    )
    assert [(one.chosen, one.rejected) for one in found] == [("y", "x")]
    assert found[0].margin == pytest.approx(0.8)
    assert best_and_worst(PROMPTS[:1], [["x", "y"]], [[0.0, 0.5]], least=0.5) == []


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """Runs `r0`, `r1`, ... that write; a duel's new side is better in rounds below `better`."""
    studio = Studio(tmp_path / "home")
    runs = {f"r{n}": SimpleNamespace(id=f"r{n}", name=f"run {n}", model="m") for n in range(9)}
    studio.runs.get = runs.__getitem__  # type: ignore[method-assign]
    monkeypatch.setattr(reward_rounds, "require_run", lambda _, name: runs[name])
    monkeypatch.setattr(reward_rounds, "source_of", lambda runs, column, how: {"run": column.run})

    def answer_n(studio: Any, column: Any, rows: Any, mix: Any, n: int, how: Any, told: Any) -> Any:
        told(len(rows) * n, len(rows) * n)
        prompts = [row["prompt"] for row in rows]
        answers = [["short", "much too long"]] * len(rows)
        graded = [mix.grade([prompt] * 2, answers[0], [{}] * 2) for prompt in prompts]
        return prompts, answers, graded

    def duel(studio: Any, new: Any, old: Any, prompts: Any, how: Any) -> Any:
        project = studio.labels.create_project(studio.labels.free_name("duel"))
        better = int(new.id[1]) <= studio.better
        for at, prompt in enumerate(prompts):
            texts = ("short", f"far too long {at}")
            a, b = texts if better or at % 2 else reversed(texts)
            sides = ({"run": new.id}, {"run": old.id})
            studio.labels.add_items(project.id, [Pair(prompt, a, b, *sides)])
        return project, 0

    monkeypatch.setattr(reward_rounds, "answer_n", answer_n)
    monkeypatch.setattr(reward_rounds, "make_duel", duel)
    monkeypatch.setattr(Rounds, "_train", lambda self, number, old, *_: runs[f"r{number}"])
    monkeypatch.setattr(studio.pairs, "wait", lambda *_, **__: None)
    return studio


def test_rounds_end_after_two_even_duels(studio: Studio):
    studio.better = 2  # type: ignore[attr-defined]
    work = Rounds(studio, RoundsPlan("r0", rounds=8, held_out=0.5), PROMPTS, SHORT)
    found = list(work.run())
    assert [one.even for one in found] == [False, False, True, True]
    assert found[0].win == 1.0 and found[0].margin == 1.0 and found[0].prompts == 10
    kept = json.loads((studio.workspace.home / "rounds" / f"{work.id}.json").read_text())
    assert [one["run"] for one in kept["rounds"]] == ["r1", "r2", "r3", "r4"]
    project = studio.labels.get(found[0].pairs_project)
    assert (project.items, project.order, project.provenance["round"]) == (10, "uncertain", 1)
    assert not any(item.votes for item in studio.labels.labelled_pairs(project.id))


def test_what_rounds_cannot_do(studio: Studio):
    with pytest.raises(ConfigError, match="choose dpo or grpo"):
        Rounds(studio, RoundsPlan("r0", objective="sft"), PROMPTS, SHORT)
    with pytest.raises(ConfigError, match="without references"):
        Rounds(studio, RoundsPlan("r0"), PROMPTS, WeightedReward(["exact"]))
    with pytest.raises(DataError, match="too few prompts"):
        Rounds(studio, RoundsPlan("r0"), PROMPTS[:1], SHORT)
    flat = Rounds(studio, RoundsPlan("r0"), PROMPTS, WeightedReward(["length:1-99"]))
    with pytest.raises(DataError, match="nothing to learn"):
        next(flat.run())
