"""Sample answers are asked as one batch and say what each prompt gets when it is asked alone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

from studio.core.workspace import PRESETS
from studio.models.pool import LoadedModel
from studio.models.tokenization import prompt_text
from studio.runs.recipe import Recipe
from studio.training.samples import SampleGenerator

LONG = "Tell me a story of the baker, the miller and the winter in the hills."
PROMPTS: list[Any] = [
    [{"role": "user", "content": "Who is the baker?"}],
    [{"role": "user", "content": LONG}],
    "What is winter like? <think>\n",
    [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}],
    [{"role": "user", "content": "Who is the miller?"}],
]
METHODS: dict[str, Any] = {
    "full": None,
    "lora": LoraConfig(r=4, task_type="CAUSAL_LM", init_lora_weights=False),
    "prefix_tuning": PrefixTuningConfig(num_virtual_tokens=6, task_type="CAUSAL_LM"),
    "prompt_tuning": PromptTuningConfig(num_virtual_tokens=6, task_type="CAUSAL_LM"),
}


def made(method: str) -> SampleGenerator:
    """The generator over the pocket model with a random adapter of one method."""
    torch.manual_seed(1)
    tokenizer = AutoTokenizer.from_pretrained(PRESETS / "pocket")
    base = AutoModelForCausalLM.from_pretrained(PRESETS / "pocket", dtype=torch.float32)
    config = METHODS[method]
    model = get_peft_model(base, config) if config else base
    recipe = Recipe.defaults("sft", method=method)
    trainer = SimpleNamespace(model=model.train(), recipe=recipe)
    resident = LoadedModel(("pocket",), "pocket", base, tokenizer, "0")
    return SampleGenerator(trainer, resident, PROMPTS)  # type: ignore[arg-type]


def alone(generator: SampleGenerator, prompt: Any) -> str:
    """What follows one prompt in a batch of its own, special tokens left out."""
    tokenizer, model = generator.resident.tokenizer, generator.trainer.model
    raw = isinstance(prompt, str)
    ids = tokenizer(
        prompt_text(tokenizer, prompt, raw), add_special_tokens=raw, return_tensors="pt"
    )
    with torch.no_grad():
        output = model.eval().generate(
            input_ids=ids["input_ids"],
            attention_mask=ids["attention_mask"],
            max_new_tokens=48,
            do_sample=False,
        )
    return tokenizer.decode(output[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_says_what_each_prompt_gets_alone(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = made(method)
    model = generator.trainer.model
    sizes: list[int] = []
    real = model.generate

    def counted(**given: Any) -> Any:
        sizes.append(len(given["input_ids"]))
        return real(**given)

    monkeypatch.setattr(model, "generate", counted)
    samples = generator()
    assert model.training
    assert len(sizes) == 1 if method in ("full", "lora") else 1 < len(sizes) < len(PROMPTS)
    monkeypatch.undo()
    expected = [alone(generator, prompt) for prompt in PROMPTS]
    said = [sample.get("reasoning") or sample["answer"] for sample in samples]
    assert [text.strip() for text in said] == [text.strip() for text in expected]
    cut = [place for place, sample in enumerate(samples) if sample.get("cut_thought")]
    assert cut == [2]
    assert [sample["prompt"] for sample in samples][1:3] == [LONG, PROMPTS[2]]


def test_where_memory_runs_out_the_prompts_are_asked_in_halves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = made("full")
    model = generator.trainer.model
    whole = generator()
    real, sizes = model.generate, []

    def tight(**given: Any) -> Any:
        sizes.append(len(given["input_ids"]))
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(**given)

    monkeypatch.setattr(model, "generate", tight)
    assert generator() == whole and sizes == [5, 2, 3, 1, 2]
    monkeypatch.setattr(generator, "prompts", PROMPTS[:1])

    def full(**given: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(model, "generate", full)
    with pytest.raises(torch.OutOfMemoryError):
        generator()
    assert model.training
