"""Rankings of base and run beside each other: moves, figures of a held-out set, and the map."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from studio import Recipe, Studio
from studio.cli.answers import VIEWS
from studio.commands import Commands
from studio.core.errors import DataError
from studio.data import PrepareOptions
from studio.runs.store import Run
from studio.workflows import search

COLORS = ("red", "blue", "green", "grey")
PAIRS = [
    {"anchor": f"Which color has house {n}?", "positive": f"House {n} is {COLORS[n % 4]}."}
    for n in range(24)
]


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(Path(tmp_path_factory.mktemp("search")) / "home")
    studio.datasets.from_rows(PAIRS[:16], "embedding_pairs", "houses")
    apart = PrepareOptions(test_fraction=1 / 3, dedupe=False)
    studio.datasets.from_rows(PAIRS, "embedding_pairs", "split", options=apart)
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def run(studio: Studio) -> Run:
    small = {"dataset_name": "split", "max_steps": 6, "per_device_train_batch_size": 8}
    small |= {"max_length": 48, "learning_rate": 2e-3, "name": "finder", "save_steps": 6}
    run = studio.wait(studio.train(Recipe.defaults("embedding", "lora", **small)).id)
    assert run.state == "finished", run.error
    return run


def test_a_held_out_set_gives_the_figures_that_the_run_measured_itself(
    studio: Studio, run: Run
) -> None:
    found = Commands(studio).retrieval(run="finder", data="split", map=True)
    told = [event for event in run.events()[0] if event["kind"] == "retrieval"]
    assert (found["queries"], found["documents"], found["split"]) == (8, 24, "test")
    for name, figure in found["base"].items():
        assert figure["value"] == pytest.approx(told[0]["figures"][name]["value"])
    for name, figure in found["tuned"].items():
        assert figure["value"] == pytest.approx(told[-1]["figures"][name]["value"])
        gain = found["tuned"][name]["value"] - found["base"][name]["value"]
        assert found["difference"][name]["value"] == pytest.approx(gain)
    assert len(found["map"]["documents"]) == 24 == len(found["map"]["tuned"]["documents"])
    text = VIEWS["retrieval"].render(found)
    assert "8 held-out queries among 24 documents of split" in text and "recall@1" in text


def test_without_a_split_the_answer_says_that_nothing_is_held_out(studio: Studio, run: Run) -> None:
    found = Commands(studio).retrieval(run="finder", data="houses")
    assert found["split"] == "train" and found["queries"] == 16 and "map" not in found
    assert "none are held out" in VIEWS["retrieval"].render(found)
    studio.datasets.from_rows([{"text": "A day."}, {"text": "A night."}], "language_modeling", "t")
    with pytest.raises(DataError, match="no queries"):
        Commands(studio).retrieval(run="finder", data="t")


def test_moves_of_a_held_out_set_are_counted_by_hand() -> None:
    documents = torch.eye(3)
    base = torch.tensor([[0.1, 0.9, 0.5], [0.1, 0.9, 0.5], [0.0, 0.2, 0.1]])
    tuned = torch.tensor([[0.9, 0.1, 0.5], [0.9, 0.5, 0.1], [0.0, 0.2, 0.1]])
    found = search.compared(
        ["a", "b", "c"],
        ["x", "y", "z"],
        [{0}, {1}, {1, 2}],
        [(base, documents), (tuned, documents)],
    )
    places = {one["query"]: (one["base"], one["tuned"], one["moved"]) for one in found["each"]}
    assert places == {"a": (3, 1, 2), "b": (1, 2, -1), "c": (1, 1, 0)}
    assert [one["query"] for one in found["each"]] == ["b", "c", "a"]
    assert (found["rose"], found["fell"]) == (1, 1)
    assert found["tuned"]["mrr@10"]["value"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert found["difference"]["recall@1"]["value"] == pytest.approx(0.0)


def test_a_plane_is_the_first_two_components() -> None:
    draw = torch.Generator().manual_seed(0)
    given = torch.randn(40, 5, generator=draw, dtype=torch.float64) * torch.tensor(
        [9.0, 4, 1, 0.5, 0.1]
    )
    points, share = search.plane(given.tolist())
    values = torch.linalg.svdvals(given - given.mean(0)) ** 2
    assert share == pytest.approx(float(values[:2].sum() / values.sum()))
    apart = torch.tensor(points).var(0, unbiased=False) * 40
    assert apart.tolist() == pytest.approx(values[:2].tolist(), rel=1e-6)
    assert search.plane([[1.0, 2.0]] * 3) == ([[0.0, 0.0]] * 3, 0.0)
    assert search.plane([[1.0], [2.0]])[0][0][1] == 0.0


def test_a_map_keeps_the_best_ranked_of_many_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_POINTS", 3)
    both = [(torch.rand(1, 4), torch.rand(6, 4))] * 2
    found = search._map(["q"], list("abcdef"), both, first=["f", "e"])
    assert found["documents"] == ["a", "e", "f"] and found["left_out"] == 3
    assert len(found["base"]["documents"]) == 3 and len(found["tuned"]["queries"]) == 1
