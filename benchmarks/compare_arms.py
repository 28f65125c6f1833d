"""Who answers in `benchmarks.compare`: the studio, or stock transformers; and the models for it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOKENS = 64
PROMPT = "Once upon a time in the hills there lived"
# Width, layers, heads, key-value heads, inner width and vocabulary of the random models.
SHAPES = {
    "tiny": (64, 1, 1, 1, 128, 2048),
    "100M": (768, 8, 12, 12, 2048, 32000),
    "0.5B": (896, 24, 14, 2, 4864, 151936),
    "7B": (4096, 32, 32, 32, 11008, 32000),
}
ON_GPU = (("0.5B", "bfloat16"), ("0.5B", "nf4"), ("7B", "bfloat16"), ("7B", "nf4"))


@dataclass(frozen=True)
class Case:
    """A model, the run on it, and how its weights are held: float32, bfloat16 or nf4."""

    model: str
    held: str = "float32"
    run: str = ""

    @property
    def dtype(self) -> str:
        return "bfloat16" if self.held == "nf4" and cuda() else self.held.replace("nf4", "float32")


def cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def make_random(folder: Path, shape: str) -> Path:
    """A Llama of random parameters with the pocket model's tokenizer."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from studio.core.model_names import resolve

    width, layers, heads, keys, inner, vocabulary = SHAPES[shape]
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=inner,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=keys,
        max_position_embeddings=2048,
        tie_word_embeddings=shape == "0.5B",
        bos_token_id=1,
        eos_token_id=2,
        dtype="bfloat16" if shape in dict(ON_GPU) else "float32",
    )
    with torch.device("cuda" if shape in dict(ON_GPU) else "cpu"):
        model = LlamaForCausalLM._from_config(config, dtype=config.dtype)
    model.save_pretrained(str(folder))
    AutoTokenizer.from_pretrained(resolve("pocket").location).save_pretrained(folder)
    return folder


def load_stock(case: Case) -> Any:
    """The base through transformers alone."""
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    from studio.core.model_names import resolve

    dtype = getattr(torch, case.dtype)
    settings: dict[str, Any] = {"device_map": {"": "cuda" if cuda() else "cpu"}}
    if case.held == "nf4":
        settings["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=dtype,
        )
    location = resolve(case.model).location
    return AutoModelForCausalLM.from_pretrained(location, dtype=dtype, **settings).eval()


def make_run(home: Path, case: Case) -> str:
    """A finished run whose adapter moves the base a little; its id."""
    import torch
    from peft import LoraConfig, get_peft_model

    from studio import Recipe, Studio

    studio = Studio(home)
    run = studio.runs.create(
        Recipe.defaults(
            "sft",
            "qlora" if case.held == "nf4" else "lora",
            model_name_or_path=case.model,
            name="tuned",
            dataset_name="pocket-sft",
            dtype=case.dtype,
        )
    )
    config = LoraConfig(r=16, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    torch.manual_seed(1)
    adapted = get_peft_model(load_stock(case), config)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.01)
    adapted.save_pretrained(str(run.folder / "adapter"))
    studio.runs.update(run.id, state="finished")
    return run.id


class StudioArm:
    """Base and tuned together, as the page asks for them."""

    def __init__(self, home: Path):
        from studio import Studio

        self.studio = Studio(home)

    def load(self, case: Case) -> None:
        self.case = case  # the first answer loads it

    def __call__(self) -> dict[str, Any]:
        from studio.generation.request import Column, GenerationRequest, Sampling

        columns = (Column(self.case.model), Column(self.case.model, self.case.run))
        request = GenerationRequest((PROMPT,), columns, Sampling(max_new_tokens=TOKENS), raw=True)
        begun = time.perf_counter()
        generation = self.studio.generate(request)
        first = None
        while first is None and not generation.wait(0.0005):
            if any(column[0].tokens for column in generation.snapshot().answers):
                first = time.perf_counter() - begun
        generation.wait()
        wall = time.perf_counter() - begun
        snapshot = generation.snapshot()
        if snapshot.error or any(column[0].error for column in snapshot.answers):
            raise SystemExit(snapshot.error or str([c[0].error for c in snapshot.answers]))
        return {
            "wall": wall,
            "first": first or wall,
            "ids": [list(column[0].ids) for column in snapshot.answers],
        }

    def close(self) -> None:
        self.studio.close()


class StockArm:
    """`generate` of stock transformers, one model after the other, each its own copy."""

    def __init__(self, home: Path, both: bool):
        self.home, self.both = home, both

    def load(self, case: Case) -> None:
        from peft import PeftModel
        from transformers import AutoTokenizer

        from studio.core.model_names import resolve

        self.tokenizer = AutoTokenizer.from_pretrained(resolve(case.model).location)
        self.models: list[Any] = [load_stock(case)]
        if self.both:
            folder = self.home / "runs" / case.run / "adapter"
            self.models.append(PeftModel.from_pretrained(load_stock(case), str(folder)).eval())

    def __call__(self) -> dict[str, Any]:
        import torch
        from transformers.generation.streamers import BaseStreamer

        stamps: list[float] = []

        class Stamps(BaseStreamer):
            def put(self, value: Any) -> None:
                stamps.append(time.perf_counter())

            def end(self) -> None:
                """Nothing to flush."""

        inputs = self.tokenizer(PROMPT, return_tensors="pt").to(self.models[0].device)
        begun, ids = time.perf_counter(), []
        with torch.inference_mode():
            for model in self.models:
                out = model.generate(
                    **inputs,
                    max_new_tokens=TOKENS,
                    do_sample=False,
                    streamer=Stamps(),
                    pad_token_id=self.tokenizer.pad_token_id or self.tokenizer.eos_token_id,
                    eos_token_id=self.tokenizer.eos_token_id,
                )
                ids.append(out[0, inputs["input_ids"].shape[1] :].tolist())
        end = self.tokenizer.eos_token_id
        return {
            "wall": time.perf_counter() - begun,
            "first": stamps[1] - begun,
            "ids": [[token for token in each if token != end] for each in ids],
        }

    def close(self) -> None:
        """Nothing to end."""


def arm(name: str, home: Path) -> Any:
    return StudioArm(home) if name == "studio" else StockArm(home, name == "two")
