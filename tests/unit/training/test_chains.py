"""Runs that start from runs: continued, merged, and continued after a merge."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from studio import Studio
from studio.core.errors import ConfigError
from studio.generation.request import Column, GenerationRequest, Sampling
from studio.runs.store import Run
from tests.unit.training.conftest import sft_rows, small
from tests.unit.training.test_runs_end_to_end import logs

pytestmark = pytest.mark.slow  # real runs


def answers(studio: Studio, run: Run) -> list[str]:
    request = GenerationRequest(
        ("Who is the baker?",), (Column("pocket", run.id),), Sampling(max_new_tokens=8)
    )
    generation = studio.generate(request)
    assert generation.wait(120)
    cell = generation.snapshot().answers[0][0]
    assert cell.error is None, cell.error
    return [cell.text]


def finished(studio: Studio, **changes: object) -> Run:
    run = studio.wait(studio.train(small("dpo", "taste", max_steps=2, **changes)).id)
    assert (run.state, run.error) == ("finished", None)
    return run


def test_merged_then_continued(studio: Studio, sft: Run) -> None:
    merged = finished(studio, start_from=sft.id, start_as="merge")
    # The reference is the merged base: policy and reference agree before the first step.
    assert logs(merged)[0]["loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert merged.parent == sft.id and merged.base == f"{sft.base}+{sft.id}"
    assert answers(studio, merged)
    onward = finished(studio, start_from=merged.id)
    assert onward.base == merged.base and onward.adapter is not None
    assert answers(studio, onward)
    with pytest.raises(ConfigError, match="merged"):
        studio.train(small("dpo", "taste", method="qlora", start_from=merged.id))


def test_a_full_fine_tune_is_a_base_for_an_adapter(studio: Studio) -> None:
    whole = studio.wait(studio.train(small("sft", "facts", method="full", max_steps=2)).id)
    run = finished(studio, start_from=whole.id, start_as="merge")
    assert answers(studio, run)


def test_a_merged_base_says_what_base_and_adapter_say_together(studio: Studio, sft: Run) -> None:
    import torch

    def difference(pool: object) -> float:
        from studio.models import loading

        recipe = small("sft", "facts", start_from=sft.id, start_as="merge")
        whole = pool.base_of(recipe, studio.runs).model  # pyright: ignore[reportAttributeAccessIssue]
        base = pool.base("pocket").model  # pyright: ignore[reportAttributeAccessIssue]
        assert sft.adapter is not None
        both = loading.load_adapter(loading.clone_sharing_weights(base), sft.adapter).eval()
        ids = torch.tensor([[5, 6, 7, 8]])
        with torch.no_grad():
            return float((whole(ids).logits - both(ids).logits).abs().max())

    assert studio.worker.submit(difference).result(60) < 1e-4


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"method": "vera"}, "has a LoRA adapter"), ({"objective": "reward"}, "start_as: merge")],
)
def test_refused_chains(studio: Studio, sft: Run, changes: dict, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        studio.train(small("dpo", "taste", start_from=sft.id).with_(**changes))


def test_other_kinds_of_adapter_answer_too(studio: Studio) -> None:
    for method in ("ia3", "prompt_tuning", "oft"):
        recipe = small("sft", "facts", method=method, max_steps=1, oft_block_size=32)
        run = studio.wait(studio.train(recipe).id)
        assert (run.state, run.error) == ("finished", None)
        assert answers(studio, run)


def test_a_reward_model_answers_nothing(studio: Studio) -> None:
    run = studio.wait(studio.train(small("reward", "taste", max_steps=1)).id)
    assert (run.state, run.error) == ("finished", None)
    request = GenerationRequest(("Hello?",), (Column("pocket", run.id),), Sampling())
    generation = studio.generate(request)
    assert generation.wait(60)
    assert "scores answers" in (generation.snapshot().answers[0][0].error or "")


def test_the_best_checkpoint_is_kept_and_patience_ends(
    studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import Trainer

    # The losses are given: those measured would differ in their last bits between processors.
    losses, measure = iter([2.0, 2.1, 2.2, 1.0]), Trainer.evaluation_loop

    def evaluation_loop(self: Trainer, *args: object, **kwargs: object) -> object:
        output = measure(self, *args, **kwargs)  # pyright: ignore[reportArgumentType]
        assert output.metrics is not None and output.metrics["eval_loss"] > 0
        output.metrics["eval_loss"] = next(losses)
        return output

    monkeypatch.setattr(Trainer, "evaluation_loop", evaluation_loop)
    data = tmp_path / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in sft_rows(60)))
    recipe = small(
        "sft",
        str(data),
        max_steps=12,
        save_steps=2,
        eval_steps=2,
        load_best_model_at_end=True,
        early_stopping_patience=2,
    )
    run = studio.wait(studio.train(recipe).id)
    assert (run.state, run.error) == ("finished", None)
    held_out = [e["eval_loss"] for e in run.events()[0] if "eval_loss" in e]
    assert held_out == [2.0, 2.1, 2.2] and run.step == 6
    assert (run.checkpoints / "checkpoint-2").is_dir()
