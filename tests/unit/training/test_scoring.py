"""Scores of real columns against transformers and TRL alone."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

from studio import Studio
from studio.core.errors import ConfigError, StudioError
from studio.core.model_names import resolve
from studio.evaluation import ScoreRequest, Scoring, load_rows
from studio.generation.request import Column, GenerationRequest, Sampling
from studio.runs.store import Run
from studio.workflows import why
from tests.unit.training.conftest import preference_rows, sft_rows


def finished(scoring: Scoring) -> dict[str, Any]:
    assert scoring.wait(120) and scoring.error is None
    assert scoring.done == scoring.total
    return scoring.result()


def columns(run: Run) -> tuple[Column, ...]:
    return Column("pocket", label="base"), Column("pocket", run.id, label=run.name)


def stock(adapter: Path | None) -> tuple[Any, Any]:
    location = resolve("pocket").location
    model = AutoModelForCausalLM.from_pretrained(location, dtype=torch.float32)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    return model, AutoTokenizer.from_pretrained(location)


def completion_logps(adapter: Path | None, prompt: Any, completion: Any) -> list[float]:
    """Log-probabilities of a completion's tokens, one row at a time, without the studio."""
    model, tokenizer = stock(adapter)
    before = tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)
    whole = tokenizer.apply_chat_template(prompt + completion, tokenize=False)
    start = len(tokenizer(before)["input_ids"])
    ids = tokenizer(whole, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        logps = model(ids).logits.float().log_softmax(-1)[0, :-1]
    return logps.gather(-1, ids[0, 1:, None])[start - 1 :, 0].tolist()


def test_loss_is_that_of_stock_loading(studio: Studio, sft: Run, tmp_path: Path) -> None:
    rows = sft_rows(5)
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    metrics = ("loss", "perplexity", "token_accuracy")
    request = ScoreRequest(columns(sft), load_rows(studio.datasets, str(path)), metrics)
    result = finished(studio.score(request))
    for found, adapter in zip(result["columns"], (None, sft.adapter), strict=True):
        known = [p for r in rows for p in completion_logps(adapter, r["prompt"], r["completion"])]
        loss = -sum(known) / len(known)
        assert found["metrics"]["loss"]["value"] == pytest.approx(loss, abs=1e-4)
        assert found["metrics"]["perplexity"]["value"] == pytest.approx(math.exp(loss), rel=1e-3)
    base, tuned = (found["metrics"]["loss"] for found in result["columns"])
    (difference,) = result["differences"]
    change = difference["metrics"]["loss"]
    assert change["value"] == pytest.approx(tuned["value"] - base["value"], abs=1e-6)
    assert change["low"] <= change["value"] <= change["high"] < 0  # it learned these rows
    assert (change["lower"], change["higher"]) == (5, 0)


def test_preferences_and_implicit_rewards(studio: Studio, dpo: Run, tmp_path: Path) -> None:
    rows = preference_rows(4)
    path = tmp_path / "pairs.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    metrics = ("preference_accuracy", "reward_accuracy", "reward_margin")
    request = ScoreRequest(columns(dpo), load_rows(studio.datasets, str(path)), metrics)
    result = finished(studio.score(request))
    base, tuned = (found["metrics"] for found in result["columns"])
    assert "reward_margin" not in base
    sums = {
        (side, adapter): [sum(completion_logps(adapter, r["prompt"], r[side])) for r in rows]
        for side in ("chosen", "rejected")
        for adapter in (None, dpo.adapter)
    }
    margins = [
        0.1 * (c - c0 - (r - r0))
        for c, c0, r, r0 in zip(
            sums["chosen", dpo.adapter],
            sums["chosen", None],
            sums["rejected", dpo.adapter],
            sums["rejected", None],
            strict=True,
        )
    ]
    assert tuned["reward_margin"]["value"] == pytest.approx(sum(margins) / 4, abs=1e-4)
    assert tuned["reward_accuracy"]["value"] == sum(m > 0 for m in margins) / 4
    ahead = [a > b for a, b in zip(sums["chosen", None], sums["rejected", None], strict=True)]
    assert base["preference_accuracy"]["value"] == sum(ahead) / 4
    tuned_ahead = zip(sums["chosen", dpo.adapter], sums["rejected", dpo.adapter], strict=True)
    behind = [at for at, (chosen, rejected) in enumerate(tuned_ahead) if chosen <= rejected]
    wrong = [found["wrong"] for found in result["columns"]]
    assert wrong[0] is None and wrong[1]["count"] == len(behind)
    assert [one["row"] for one in wrong[1]["rows"]] == behind


def test_a_run_is_measured_against_its_own_base(
    studio: Studio, sft: Run, dpo: Run, tmp_path: Path
) -> None:
    other, tokenizer = stock(None)
    with torch.no_grad():
        for parameter in other.parameters():
            parameter.mul_(0.9)
    other.save_pretrained(tmp_path / "other")
    tokenizer.save_pretrained(tmp_path / "other")
    first = Column(str(tmp_path / "other"), label="another base")
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_text("\n".join(json.dumps(row) for row in preference_rows(4)))
    sampling = Sampling(max_new_tokens=6)
    for run, rows, metric in (
        (dpo, load_rows(studio.datasets, str(pairs)), "reward_margin"),
        (sft, load_rows(studio.datasets, "pocket-questions", 3), "kl_from_base"),
    ):
        alone, beside = (
            finished(studio.score(ScoreRequest(asked, rows, (metric,), sampling)))["columns"][-1]
            for asked in (columns(run), (first, *columns(run)))
        )
        known = alone["metrics"][metric]["value"]
        assert known != 0 and beside["metrics"][metric]["value"] == pytest.approx(known)


def test_answers_are_made_and_measured(studio: Studio, sft: Run) -> None:
    rows = load_rows(studio.datasets, "pocket-questions", 6)
    metrics = (
        "exact_match",
        "contains",
        "rouge_l",
        "regex",
        "length",
        "repeated_4grams",
        "distinct_2",
        "empty_rate",
        "refusal_rate",
    )
    request = ScoreRequest(columns(sft), rows, metrics, Sampling(max_new_tokens=8), pattern="e")
    result = finished(studio.score(request))
    for found in result["columns"]:
        assert found["error"] is None and set(found["metrics"]) == set(metrics)
        assert 0 < found["metrics"]["length"]["value"] <= 8
    assert "distinct_2" not in result["differences"][0]["metrics"]
    base, tuned = (found["wrong"] for found in result["columns"])
    share = result["columns"][1]["metrics"]["contains"]["value"]
    assert base is None and tuned["metric"] == "contains"
    assert tuned["count"] == len(tuned["rows"]) == round(6 * (1 - share)) > 0
    asked = why.of_wrong(tuned)[0]
    assert asked.answer == tuned["rows"][0]["answer"] and asked.prompt[-1]["role"] == "user"


def test_kl_from_the_base_on_ones_own_samples(studio: Studio, sft: Run) -> None:
    rows = load_rows(studio.datasets, "pocket-questions", 3)
    asked = Sampling(max_new_tokens=6, seed=5)
    result = finished(studio.score(ScoreRequest(columns(sft), rows, ("kl_from_base",), asked)))
    base, tuned = (found["metrics"] for found in result["columns"])
    assert base == {} and tuned["kl_from_base"]["count"] == 3
    # The same answers once more (same seed), read by stock models.
    prompts = tuple(pair[0] for pair in rows.asked() if pair)
    drawn = asked.model_copy(update={"temperature": 1.0})
    wrote = studio.generate(GenerationRequest(prompts, columns(sft)[1:], drawn))
    assert wrote.wait(60)
    total = tokens = 0
    for prompt, answer in zip(prompts, wrote.snapshot().answers[0], strict=True):
        sums = []
        for adapter in (sft.adapter, None):
            model, tokenizer = stock(adapter)
            before = tokenizer.apply_chat_template(
                prompt, add_generation_prompt=True, tokenize=False
            )
            start = tokenizer(before)["input_ids"]
            ids = torch.tensor([[*start, *answer.ids]])
            with torch.no_grad():
                logps = model(ids).logits.float().log_softmax(-1)[0, :-1]
            own = logps.gather(-1, ids[0, 1:, None])[len(start) - 1 :]
            sums.append(float(own.sum()))
        total, tokens = total + sums[0] - sums[1], tokens + len(answer.ids)
    assert tuned["kl_from_base"]["value"] == pytest.approx(total / tokens, abs=1e-4)
    with pytest.raises(ConfigError, match="needs the base as a column"):
        studio.score(ScoreRequest(columns(sft)[1:], rows, ("kl_from_base",)))


def test_multiple_choice_by_likelihood(studio: Studio, sft: Run, tmp_path: Path) -> None:
    path = tmp_path / "choices.jsonl"
    questions = [
        {"question": f"Colour {n}?", "choices": ["red", "blue", "green"], "answer": n % 3}
        for n in range(3)
    ]
    path.write_text("\n".join(json.dumps(row) for row in questions))
    request = ScoreRequest(
        columns(sft), load_rows(studio.datasets, str(path)), ("choice_accuracy",)
    )
    found = finished(studio.score(request))["columns"][0]["metrics"]["choice_accuracy"]
    model, tokenizer = stock(None)
    hits = 0
    for row in load_rows(studio.datasets, str(path)).questions:
        ids = tokenizer(row.prompt, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            last = model(ids).logits[0, -1]
        names = [tokenizer(f"{row.prompt} {letter}")["input_ids"][-1] for letter in "ABC"]
        hits += int(last[names].argmax()) == row.answer
    assert found["value"] == pytest.approx(hits / 3) and found["count"] == 3


def test_a_column_that_is_gone_leaves_the_others(studio: Studio, sft: Run) -> None:
    gone = Column("pocket", "run-20200101-000000-0000", label="gone")
    rows = load_rows(studio.datasets, "facts", 1)
    request = ScoreRequest((*columns(sft), gone), rows, ("loss", "length"))
    scoring = studio.score(request)
    assert scoring.wait(60)
    base, tuned, missing = scoring.result()["columns"]
    assert base["metrics"]["loss"] and tuned["metrics"]["length"]
    assert "There is no run" in missing["error"] and not missing["metrics"]


def test_cancel_and_refusals(studio: Studio, sft: Run) -> None:
    rows = load_rows(studio.datasets, "pocket-questions", 40)
    scoring = studio.score(ScoreRequest(columns(sft), rows, ("length",)))
    scoring.cancel()
    assert scoring.wait(30) and scoring.error == "The scoring was stopped."
    with pytest.raises(ConfigError, match="needs preference rows"):
        studio.score(ScoreRequest(columns(sft), rows, ("reward_margin",)))
    with pytest.raises(ConfigError, match='Did you mean "rouge_l"'):
        studio.score(ScoreRequest(columns(sft), rows, ("rouge",)))
    with pytest.raises(ConfigError, match="needs a pattern"):
        studio.score(ScoreRequest(columns(sft), rows, ("regex",)))


def test_an_answer_token_by_token(studio: Studio, dpo: Run) -> None:
    prompt, answer = preference_rows(1)[0]["prompt"], "Gladly: blue."
    reading = studio.read_answer(columns(dpo), prompt, answer).result(60)
    assert "".join(token.text for token in reading.tokens) == answer
    for at, adapter in enumerate((None, dpo.adapter)):
        known = completion_logps(adapter, prompt, [{"role": "assistant", "content": answer}])
        count = len(reading.tokens)  # the template's own end of turn follows
        assert [t.logps[at] for t in reading.tokens] == pytest.approx(known[:count], abs=1e-4)
    for token in reading.tokens:
        best = token.likeliest[1]
        assert len(best) == 5 and best[0][1] == max(logp for _, logp in best)
        assert token.ratio(1) == pytest.approx(token.logps[1] - token.logps[0])
    assert reading.rewards[0] is None
    assert reading.rewards[1] == pytest.approx(0.1 * (reading.sums[1] - reading.sums[0]))
    with pytest.raises(StudioError, match="one base"):
        odd = (*columns(dpo), Column("./other", label="other"))
        studio.read_answer(odd, prompt, answer).result(60)
    nothing = studio.read_answer(columns(dpo), prompt, "").result(60)
    assert "no text to read" in (nothing.errors[0] or "") and not nothing.tokens
