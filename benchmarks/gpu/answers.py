"""Checks of answers and speed beside stock libraries, within a run, and of an export."""

from __future__ import annotations

import gc
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu.place import Found, Place

_PROMPTS = ("Who is the baker?", "What colour is the sky?", "Tell me a story.")
_THREE_B = "meta-llama/Llama-3.2-3B-Instruct"


def compare(place: Place) -> Found:
    """A base and two adapters together, beside stock transformers one after the other."""
    import torch

    from benchmarks.compare_arms import PROMPT, TOKENS, Case, StockArm, make_random, make_run
    from studio import Studio
    from studio.generation.request import Column, GenerationRequest, Sampling

    with tempfile.TemporaryDirectory(dir=place.home) as name:
        home = Path(name)
        model = "pocket" if place.small else str(make_random(home / "0.5B", "0.5B"))
        case = Case(model, "float32" if place.small else "bfloat16")
        runs = [make_run(home, case) for _ in range(2)]
        columns = (Column(model), *(Column(model, run) for run in runs))
        request = GenerationRequest((PROMPT,), columns, Sampling(max_new_tokens=TOKENS), raw=True)
        studio = Studio(home)
        stock = StockArm(home, both=True)
        stock.load(Case(model, case.held, runs[0]))
        stock.models.append(stock.models[1])  # the second adapter, for its time
        try:
            studio.generate(request).wait()  # loads
            begun = time.perf_counter()
            answered = studio.generate(request)
            answered.wait()
            seconds = time.perf_counter() - begun
        finally:
            studio.close()
        mine = [list(column[0].ids) for column in answered.snapshot().answers]
        stock()
        theirs = stock()
    tokens, same = sum(map(len, mine)), 0
    for ours, others in zip(mine, theirs["ids"], strict=True):
        same += _agreed(ours, others)
    del stock
    gc.collect()
    torch.cuda.empty_cache()
    value = {
        "tokens_per_second": tokens / seconds,
        "stock_tokens_per_second": sum(map(len, theirs["ids"])) / theirs["wall"],
        "agreement": same / max(1, tokens),
    }
    least = 1.0 if place.small else 0.9  # in bfloat16 a batch may round a near tie otherwise
    return Found(value, f"agreement at least {least}", value["agreement"] >= least)


def static_cache(place: Place) -> Found:
    """A base alone with a static cache, compiled on a card, beside the growing one: tokens a
    second once it is compiled, and how long compiling takes."""
    from benchmarks.compare_arms import PROMPT, TOKENS, make_random
    from studio import Studio
    from studio.generation.request import Column, GenerationRequest, Sampling

    with tempfile.TemporaryDirectory(dir=place.home) as name:
        model = "pocket" if place.small else str(make_random(Path(name) / "0.5B", "0.5B"))
        studio, found, ids = Studio(Path(name) / "home"), {}, {}
        try:
            for cache in ("dynamic", "static"):
                sampling = Sampling(max_new_tokens=TOKENS, cache_implementation=cache)
                request = GenerationRequest((PROMPT,), (Column(model),), sampling, raw=True)
                seconds = []
                for _ in range(3):
                    begun = time.perf_counter()
                    answered = studio.generate(request)
                    answered.wait()
                    seconds.append(time.perf_counter() - begun)
                ids[cache] = list(answered.snapshot().answers[0][0].ids)
                found[f"{cache}_first_seconds"] = seconds[0]
                found[f"{cache}_tokens_per_second"] = len(ids[cache]) / seconds[-1]
        finally:
            studio.close()
    same = _agreed(ids["static"], ids["dynamic"]) / max(1, len(ids["dynamic"]))
    least = 1.0 if place.small else 0.9
    return Found(found | {"agreement": same}, f"agreement at least {least}", same >= least)


def _agreed(ours: list[int], others: list[int]) -> int:
    """Tokens that two answers begin with alike."""
    for number, (one, other) in enumerate(zip(ours, others, strict=False)):
        if one != other:
            return number
    return min(len(ours), len(others))


def speed(place: Place) -> Found:
    """Tokens a second of SFT here and by stock TRL; losses are compared first."""
    from benchmarks.training_arms import base, here, recipe_of, rows, stock

    found: dict[str, Any] = {}
    apart = 0.0
    shapes = ("",) if place.small else ("Qwen/Qwen2.5-0.5B-Instruct", _THREE_B)
    for shape in shapes:
        resident = _random_resident(shape) if shape else base()
        recipe = recipe_of("sft")
        data = rows("sft", 8 if place.small else 64)
        arms = {"here": here(resident, recipe, data), "stock": stock(resident, recipe, data)}
        took: dict[str, Any] = {}
        for side, arm in arms.items():
            if not place.small:
                arm()  # kernels are compiled and chosen
            begun = time.perf_counter()
            took[side] = arm()
            found[f"{shape or 'pocket'}, {side}"] = took[side].tokens / (
                time.perf_counter() - begun
            )
        both = zip(took["here"].losses, took["stock"].losses, strict=True)
        apart = max(apart, *(abs(a - b) for a, b in both))
        del resident
        gc.collect()
    limit = 1e-3 if place.small else 5e-2
    return Found(found | {"losses_apart": apart}, f"losses within {limit}", apart < limit)


def _random_resident(shape: str) -> Any:
    """A base of that shape on the device with random weights; nothing is written."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from studio.calculator.configs import read_source, to_config
    from studio.core.model_names import resolve
    from studio.models import loading
    from studio.models.pool import LoadedModel

    torch.manual_seed(0)
    with torch.device(loading.device()):
        model: Any = AutoModelForCausalLM.from_config(
            to_config(read_source(shape)), dtype=loading.weights_dtype()
        )
    location = resolve("pocket").location
    tokenizer: Any = AutoTokenizer.from_pretrained(location)
    return LoadedModel(
        ("bench",), shape, model.requires_grad_(False).eval(), tokenizer, "bench", location
    )


def compare_in_a_run(place: Place) -> Found:
    """Base and result of another run answer between a run's steps, and as they did before."""
    from studio.generation.request import Sampling

    earlier = place.finished()
    sampling = Sampling(max_new_tokens=16)
    before = _texts(place.studio.compare(earlier.id, _PROMPTS, sampling))
    run = place.studio.train(place.recipe("sft", max_steps=40))
    while place.studio.runs.get(run.id).live and place.studio.runs.get(run.id).step < 1:
        time.sleep(0.002)
    during = _texts(place.studio.compare(earlier.id, _PROMPTS, sampling))
    still = place.studio.runs.get(run.id).live
    run = place.studio.wait(run.id)
    value = {"answered_within": still, "same": before == during, "run": run.state}
    return Found(value, "all true, finished", still and before == during and run.step == 40)


def _texts(generation: Any) -> list[list[str]]:
    generation.wait()
    return [[answer.text for answer in column] for column in generation.snapshot().answers]


def export(place: Place) -> Found:
    """A run exported merged, loaded back by transformers alone and verified."""
    from studio.exports import ExportRequest

    request = ExportRequest(place.finished().id, "merged", place.home / f"merged-{os.getpid()}")
    figures = place.studio.export(request).result()["figures"]
    return Found(figures, "verified: the export raises otherwise", True)
