"""Every kind of column is what stock loading gives, before, while and after a run trains."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig

from studio import Studio
from studio.core.errors import ConfigError
from studio.core.model_names import resolve
from studio.evaluation.over_checkpoints import over_steps
from studio.generation import column_models, engine
from studio.generation.request import LIVE, Column, Generation, GenerationRequest, Sampling
from studio.runs import checkpoints
from studio.runs.store import Run
from tests.unit.training.conftest import small

PROMPTS = ("Who is the baker?", "Tell me a story.")
SHORT = Sampling(max_new_tokens=12)
SETTINGS: dict[str, dict[str, Any]] = {
    "lora": {}, "dora": {}, "qlora": {},
    "prefix_tuning": {"num_virtual_tokens": 4, "learning_rate": 0.3},
    "prompt_tuning": {"num_virtual_tokens": 4, "learning_rate": 0.5},
}  # fmt: skip


def stock(adapter: Path | None = None, bits: bool = False) -> list[str]:
    """The answers through stock transformers and PEFT alone, one prompt at a time."""
    location = resolve("pocket").location
    tokenizer = AutoTokenizer.from_pretrained(location)
    settings: dict[str, Any] = {"dtype": torch.float32}
    if bits:
        settings["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=torch.float32,
        )
    model = AutoModelForCausalLM.from_pretrained(location, **settings)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    found = []
    for prompt in PROMPTS:
        text = tokenizer.apply_chat_template(
            [{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False
        )
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")
        output = model.generate(**ids, max_new_tokens=12, do_sample=False)
        new = output[0, ids["input_ids"].shape[1] :]
        found.append(tokenizer.decode(new, skip_special_tokens=True))
    return found


def ask(studio: Studio, *columns: Column) -> list[list[str]]:
    generation = studio.generate(GenerationRequest(PROMPTS, columns, SHORT))
    assert generation.wait(120)
    snapshot = generation.snapshot()
    assert snapshot.error is None
    assert not [cell.error for column in snapshot.answers for cell in column if cell.error]
    return [[cell.text for cell in column] for column in snapshot.answers]


def begun(studio: Studio, run: Run) -> None:
    while not any(event["kind"] == "log" for event in studio.runs.get(run.id).events()[0]):
        assert studio.runs.get(run.id).live
        time.sleep(0.02)


@pytest.mark.parametrize("method", SETTINGS)
def test_a_columns_text_is_that_of_stock_loading(studio: Studio, method: str) -> None:
    settings = {"learning_rate": 0.01, **SETTINGS[method]}
    bare = stock(bits=method == "qlora")
    if method != "qlora":
        assert ask(studio, Column("pocket")) == [bare]
    run = studio.train(small("sft", "facts", method=method, max_steps=200, **settings))
    begun(studio, run)
    base, living = ask(studio, Column("pocket"), Column("pocket", run.id, checkpoint=LIVE))
    assert studio.runs.get(run.id).state == "running"
    assert base == bare and all(living)
    studio.stop(run.id)
    run = studio.wait(run.id)
    base, tuned = ask(studio, Column("pocket"), Column("pocket", run.id))
    assert base == bare
    assert tuned == stock(run.adapter, method == "qlora") != bare


def test_the_run_in_progress_answers_as_of_its_last_step(studio: Studio, tmp_path: Path) -> None:
    run = studio.train(small("sft", "facts", max_steps=200, learning_rate=0.01))
    begun(studio, run)
    column = Column("pocket", run.id, checkpoint=LIVE)
    generation = Generation(GenerationRequest(PROMPTS, (column,), SHORT))

    def between_steps(pool: Any) -> bool:
        model = pool.training[1]
        assert model.training
        engine.generate(generation, pool, studio.runs)
        model.save_pretrained(str(tmp_path), selected_adapters=["default"])
        return model.training

    assert studio.worker.submit(between_steps).result(60)  # back in training mode
    studio.stop(run.id, now=True)
    studio.wait(run.id)
    said = [cell.text for cell in generation.snapshot().answers[0]]
    assert said == stock(tmp_path) != stock()


def test_a_checkpoint_is_a_column(studio: Studio, sft: Run) -> None:
    assert checkpoints.steps(sft.checkpoints) == [2, 4]
    first, last, result = ask(
        studio,
        Column("pocket", sft.id, checkpoint=2),
        Column("pocket", sft.id, checkpoint=4),
        Column("pocket", sft.id),
    )
    assert first == stock(sft.checkpoints / "checkpoint-2")
    assert last == result
    columns, steps = over_steps(sft)
    assert steps == (0, 2, 4) and [c.checkpoint for c in columns] == [None, 2, 4]
    with pytest.raises(ConfigError, match="no checkpoint at step 3; it keeps 2, 4"):
        column_models.checkpoint_folder(sft, 3)


def test_out_of_memory_ends_one_column_and_the_others_go_on(
    studio: Studio, sft: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = engine.batch.run
    sizes = []

    def tight(generation: Generation, rows: list, ends: list[int], *rest: Any) -> None:
        sizes.append(len(rows))
        if len(rows) > 2 or any(row.column.adapter for row in rows):
            raise torch.OutOfMemoryError("CUDA out of memory")
        real(generation, rows, ends, *rest)

    monkeypatch.setattr(engine.batch, "run", tight)
    columns = (Column("pocket"), Column("pocket", sft.id))
    generation = studio.generate(GenerationRequest(PROMPTS, columns, SHORT))
    assert generation.wait(60)
    base, tuned = generation.snapshot().answers
    assert [cell.text for cell in base] == stock() and sizes[0] == 4
    assert all("ran out of memory" in (cell.error or "") for cell in tuned)


def test_a_fault_in_one_column_stays_there(
    studio: Studio, sft: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = column_models.ready

    def no_room(plan: column_models.ColumnPlan, *rest: Any) -> column_models.ColumnModel:
        if plan.run is not None:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(plan, *rest)

    monkeypatch.setattr(column_models, "ready", no_room)
    columns = (Column("pocket"), Column("pocket", sft.id))
    generation = studio.generate(GenerationRequest(PROMPTS, columns, SHORT))
    assert generation.wait(60)
    base, tuned = generation.snapshot().answers
    assert [cell.text for cell in base] == stock()
    assert all("no memory left" in (cell.error or "") for cell in tuned)


def test_a_stop_string_ends_its_row_and_is_not_part_of_it(studio: Studio, sft: Run) -> None:
    whole = ask(studio, Column("pocket"))[0][0]
    stop = whole[4:7]
    sampling = Sampling(max_new_tokens=12, stop_strings=(stop,))
    columns = (Column("pocket"), Column("pocket", sft.id))
    generation = studio.generate(GenerationRequest(PROMPTS, columns, sampling))
    assert generation.wait(60)
    cell = generation.snapshot().answers[0][0]
    assert (cell.text, cell.ended) == (whole[: whole.index(stop)], "stop")
    assert cell.tokens == len(cell.ids) < 12
