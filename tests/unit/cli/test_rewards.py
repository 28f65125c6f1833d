"""`rewards`: what it shows without a model, and what it refuses. (Models: tests/unit/training.)"""

from __future__ import annotations


def test_a_preview_of_rules(shell):
    said = shell(
        "rewards",
        "preview",
        "--data",
        "pocket-preference",
        "--limit",
        "1",
        "--reward",
        "length:1-28",
        "--reward",
        "pattern:Gladly",
        "--weight",
        "1",
        "--weight",
        "0.5",
        "--json",
    )
    assert said.code == 0, said.err
    chosen, rejected = said.json
    assert chosen["reward"] == 1.5 and chosen["parts"] == {"length": 1.0, "pattern": 1.0}
    assert rejected["reward"] == 0.0
    text = shell(
        "rewards",
        "preview",
        "--data",
        "pocket-questions",
        "--reward",
        "contains",
        "--answer",
        "It is skating.",
        "--answer",
        "Nobody knows.",
    ).out
    assert "It is skating." in text and text.splitlines()[-1].split()[0] == "0"


def test_refusals_are_one_sentence(shell):
    data = ("rewards", "preview", "--data", "pocket-questions")
    assert 'Did you mean "exact"?' in shell(*data, "--reward", "exakt").refused(2)
    assert "no column 'gold'" in shell(*data, "--reward", "exact:gold", "--answer", "x").refused(1)
    assert "There is no run 'none'" in shell(*data, "--reward", "model:none").refused(2)
    assert "There is no run 'none'" in shell("rewards", "report", "--run", "none").refused(2)
