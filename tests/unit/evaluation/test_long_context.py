"""Losses by position beside torch's own, and facts hidden where they are said to be."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

from studio import Studio
from studio.commands import Commands
from studio.core.errors import ConfigError, DataError
from studio.evaluation.eval_rows import ScoreRows
from studio.evaluation.long_context import LongRequest, by_position, compared
from studio.evaluation.needles import DEPTHS, by_length, facts_of, grid, hidden, pass_key
from tests.unit.training.conftest import sft_rows, small

TEXT = "Petra has a cat. Ada has a dog. The sky is blue and the grass is green. "


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Any:
    studio = Studio(tmp_path_factory.mktemp("long") / "home")
    studio.datasets.from_rows(sft_rows(), "prompt_completion", "facts")
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def run(studio: Studio) -> Any:
    given = {"rope_type": "yarn", "factor": 4}
    recipe = small("sft", "facts", max_steps=1, save_steps=1, name="longer", rope_parameters=given)
    return studio.wait(studio.train(recipe).id)


def test_losses_by_position_are_the_models_own(studio: Studio, run: Any) -> None:
    def work(pool: Any) -> Any:
        _, loaded = next(compared(run, pool, studio.runs))
        ids = [
            loaded.tokenizer(TEXT * 2)["input_ids"][:40],
            loaded.tokenizer(TEXT)["input_ids"][:12],
        ]
        wanted = []
        with torch.no_grad():
            for row in ids:
                logits = loaded.resident.model(input_ids=torch.tensor([row])).logits[0, :-1].float()
                wanted.append(
                    torch.nn.functional.cross_entropy(
                        logits, torch.tensor(row[1:]), reduction="none"
                    )
                )
        return by_position(loaded, ids, 40, 4), wanted

    job = studio.worker.submit(work)
    bins, (long, short) = job.result(60)
    assert [(each.start, each.end) for each in bins] == [(0, 10), (10, 20), (20, 30), (30, 40)]
    assert [each.tokens for each in bins] == [18, 12, 10, 10]
    assert bins[0].loss == pytest.approx(float(torch.cat([long[:9], short[:9]]).mean()), rel=1e-3)
    assert bins[3].loss == pytest.approx(float(long[29:].mean()), rel=1e-3)


def test_a_fact_is_hidden_at_its_depth(studio: Studio, run: Any) -> None:
    def tokenizer_of(pool: Any) -> Any:
        return next(compared(run, pool, studio.runs))[1].tokenizer

    tokenizer = studio.worker.submit(tokenizer_of).result(60)
    filler = [tokenizer(TEXT)["input_ids"]]
    shares = []
    for depth in DEPTHS:
        draw = random.Random(1)
        given = hidden(tokenizer, filler, 200, depth, draw, pass_key(draw, 4))
        assert len(given.ids) == 200
        text = tokenizer.decode(given.ids)
        key = tokenizer.decode([i for i, s in zip(given.ids, given.scored, strict=True) if s])
        assert text.count(key.strip()) == 2 and text.endswith(f"The pass key is{key}")
        shares.append(text.index("The pass key is") / text.rindex("What is the pass key"))
    assert shares == sorted(shares) and shares[0] < 0.05 and shares[-1] > 0.85


def test_a_rows_answer_is_hidden_with_its_prompt_and_asked_for(studio: Studio, run: Any) -> None:
    rows = ScoreRows(
        "rows",
        "prompt_completion",
        [
            {"prompt": "Ada's pet is", "completion": " a raven."},
            {"prompt": [{"role": "user", "content": "Who?"}], "completion": []},
        ],
    )
    facts = facts_of(rows)
    assert [(one.fact, one.asked, one.answer) for one in facts] == [
        (" Ada's pet is a raven.", " Ada's pet is", " a raven.")
    ]

    def work(pool: Any) -> Any:
        _, loaded = next(compared(run, pool, studio.runs))
        filler = [loaded.tokenizer(TEXT)["input_ids"]]
        given = hidden(loaded.tokenizer, filler, 96, 0.5, random.Random(1), facts[0])
        text = loaded.tokenizer.decode(given.ids)
        with pytest.raises(DataError, match="take 16 tokens, and"):
            hidden(loaded.tokenizer, filler, 8, 0.5, random.Random(1), facts[0])
        return text, grid(loaded, filler, [64, 96], 3, facts=facts)

    text, cells = studio.worker.submit(work).result(60)
    assert text.count("Ada's pet is a raven.") == 2 and text.endswith("Ada's pet is a raven.")
    assert len(cells) == 2 * len(DEPTHS) and {cell.trials for cell in cells} == {3}
    for one in by_length(cells):
        part = [cell for cell in cells if cell.length == one.length]
        assert one.hits == sum(cell.hits for cell in part) and one.trials == 3 * len(DEPTHS)
        assert one.low <= one.found <= one.high


def test_rows_without_answers_hide_nothing(studio: Studio, run: Any) -> None:
    texts = ScoreRows("essays", "language_modeling", [{"text": TEXT}])
    with pytest.raises(DataError, match="essays has no row with a prompt and an answer"):
        facts_of(texts)


def test_the_command_has_three_columns(studio: Studio, run: Any) -> None:
    found = Commands(studio).context(
        run="longer", data="pocket-sft", length=128, trials=1, digits=2, limit=4
    )
    labels = [column["label"] for column in found["columns"]]
    assert labels == ["base", "base, scaled", "longer"]
    for column in found["columns"]:
        assert len(column["bins"]) == 8 and len(column["needles"]) == 4 * len(DEPTHS)
    first = [column["bins"][0]["loss"] for column in found["columns"]]
    assert len(set(first)) == 3
    from studio.cli.answers import VIEWS

    text = VIEWS["context"].render(found)
    assert "0 to 16" in text and "longer: keys of 2 found" in text


@pytest.mark.parametrize("changes", [{"length": 8}, {"bins": 0}, {"trials": 101}, {"digits": 10}])
def test_what_cannot_be_measured_is_refused(changes: dict[str, int]) -> None:
    usual = {"length": 128, "bins": 8, "trials": 1}
    with pytest.raises(ConfigError):
        LongRequest("run", ScoreRows("rows", "language_modeling"), **{**usual, **changes}).checked()
