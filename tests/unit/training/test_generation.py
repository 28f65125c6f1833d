"""Side by side from one copy: each column is what that model says alone."""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationMixin, StaticCache

from studio import Studio
from studio.core import compat
from studio.core.errors import ConfigError
from studio.core.model_names import resolve
from studio.generation import batch
from studio.generation.request import Column, GenerationRequest, Sampling, Snapshot
from studio.runs.store import Run

PROMPTS = ("Who is the baker?", "What is winter like in the hills?", "Tell me a story.")
SHORT = Sampling(max_new_tokens=16)


def plain(prompt: str, adapter: Path | None = None, tokens: int = 16) -> str:
    """The same answer through stock transformers and PEFT, one prompt at a time."""
    location = resolve("pocket").location
    tokenizer = AutoTokenizer.from_pretrained(location)
    model = AutoModelForCausalLM.from_pretrained(location, dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": prompt}], add_generation_prompt=True, tokenize=False
    )
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")
    output = model.generate(**ids, max_new_tokens=tokens, do_sample=False)
    return tokenizer.decode(output[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)


def ask(studio: Studio, *columns: Column, prompts: tuple = PROMPTS, **settings: object) -> Snapshot:
    sampling = Sampling(**{**SHORT.model_dump(), **settings})
    generation = studio.generate(GenerationRequest(prompts, columns, sampling))
    assert generation.wait(120)
    return generation.snapshot()


def texts(snapshot: Snapshot) -> list[list[str]]:
    return [[cell.text for cell in column] for column in snapshot.answers]


def test_columns_equal_stock_loading(studio: Studio, sft: Run, dpo: Run) -> None:
    os.utime(sft.folder, (1, 1))
    snapshot = ask(studio, Column("pocket"), Column("pocket", sft.id), Column("pocket", dpo.id))
    assert sft.folder.stat().st_mtime > 1, "the library says when a run was last used"
    assert snapshot.error is None and snapshot.shared
    base, *tuned = snapshot.held
    assert base is not None and base.copy == 0 and base.adapter == 0 < base.weights
    assert [each and each.copy for each in tuned] == [0, 0]
    assert all(each and 0 < each.adapter < base.weights for each in tuned)
    assert texts(snapshot)[0] == [plain(prompt) for prompt in PROMPTS]
    assert texts(snapshot)[1] == [plain(prompt, sft.adapter) for prompt in PROMPTS]
    assert texts(snapshot)[2] == [plain(prompt, dpo.adapter) for prompt in PROMPTS]


def test_a_static_cache_says_the_same(studio: Studio, sft: Run, monkeypatch: Any) -> None:
    columns = (Column("pocket"), Column("pocket", sft.id))
    wanted = texts(ask(studio, *columns))
    made: list[type] = []
    prepare = GenerationMixin._prepare_cache_for_generation

    def watched(self: Any, config: Any, kwargs: Any, *rest: Any) -> Any:
        found = prepare(self, config, kwargs, *rest)
        made.append(type(kwargs["past_key_values"]))
        assert config.disable_compile, "layers of one batch are not worth compiling"
        return found

    monkeypatch.setattr(GenerationMixin, "_prepare_cache_for_generation", watched)
    assert texts(ask(studio, *columns, cache_implementation="static")) == wanted
    assert set(made) == {StaticCache}
    # Shorter and longer answers afterwards: transformers keeps the longest size.
    for tokens in (4, 24):
        short = ask(studio, *columns, cache_implementation="static", max_new_tokens=tokens)
        monkeypatch.undo()
        assert texts(short) == texts(ask(studio, *columns, max_new_tokens=tokens))


def test_virtual_tokens_have_no_static_cache() -> None:
    loaded: Any = SimpleNamespace(prompted=True, sampling=Sampling(cache_implementation="static"))
    with pytest.raises(ConfigError, match="Virtual tokens"):
        batch._cache([batch.Row(loaded, 0, [1])])


def test_a_model_with_a_state_of_its_own_has_no_static_cache(
    studio: Studio, monkeypatch: Any
) -> None:
    monkeypatch.setattr(compat, "takes_static_cache", lambda model: False)
    [[cell]] = ask(
        studio, Column("pocket"), prompts=PROMPTS[:1], cache_implementation="static"
    ).answers
    assert cell.error is not None and "no static cache" in cell.error


def test_same_seed_same_text(studio: Studio, sft: Run) -> None:
    columns = (Column("pocket"), Column("pocket", sft.id))
    first = ask(studio, *columns, temperature=1.0, seed=3)
    again = ask(studio, *columns, temperature=1.0, seed=3)
    other = ask(studio, *columns, temperature=1.0, seed=4)
    assert texts(first) == texts(again) != texts(other)


def test_one_model_at_two_temperatures(studio: Studio) -> None:
    snapshot = ask(
        studio,
        Column("pocket", sampling=SHORT),
        Column("pocket", sampling=Sampling(temperature=1.5, seed=1, max_new_tokens=16)),
    )
    greedy, warm = texts(snapshot)
    assert greedy == [plain(prompt) for prompt in PROMPTS] and warm != greedy


def test_a_bad_cell_or_column_leaves_the_others(studio: Studio, sft: Run) -> None:
    snapshot = ask(
        studio,
        Column("pocket", sft.id),
        Column("pocket", "run-20200101-000000-0000"),
        prompts=("Who is the baker?", "word " * 3000),
    )
    good, gone = snapshot.answers
    assert good[0].text and good[0].error is None
    assert "shorten it" in (good[1].error or "")
    assert all("There is no run" in (cell.error or "") for cell in gone)


def test_an_empty_raw_prompt_is_refused_in_its_cell(studio: Studio) -> None:
    generation = studio.generate(GenerationRequest(("",), (Column("pocket"),), SHORT, raw=True))
    assert generation.wait(60)
    assert "prompt is empty" in (generation.snapshot().answers[0][0].error or "")


def test_an_adapter_never_sits_on_other_weights(studio: Studio, sft: Run) -> None:
    studio.runs.update(sft.id, base="0123456789abcdef")
    try:
        cell = ask(studio, Column("pocket", sft.id)).answers[0][0]
    finally:
        studio.runs.update(sft.id, base=sft.base)
    assert "other weights" in (cell.error or "") and not cell.text


def test_cancel_keeps_what_was_written(studio: Studio) -> None:
    request = GenerationRequest(
        ("Tell me a story.",),
        (Column("pocket"),),
        Sampling(max_new_tokens=400, temperature=1.3, repetition_penalty=1.5),
    )
    generation = studio.generate(request)
    while generation.snapshot().tokens < 5 and not generation.finished:
        time.sleep(0.01)
    generation.cancel()
    assert generation.wait(20)
    cell = generation.snapshot().answers[0][0]
    assert cell.ended in ("cancelled", "stop") and 0 < cell.tokens < 400


def test_sampling_leaves_a_runs_randomness_alone(studio: Studio) -> None:
    def draw(pool: object) -> float:
        torch.manual_seed(5)
        return torch.rand(1).item()

    def state(pool: object) -> float:
        return torch.rand(1).item()

    studio.worker.submit(draw).result(60)
    expected = studio.worker.submit(state).result(60)
    studio.worker.submit(draw).result(60)
    ask(studio, Column("pocket"), temperature=1.0)
    assert studio.worker.submit(state).result(60) == expected
