"""A model that answers at once, for tests of what is made of its answers."""

from __future__ import annotations

from typing import Any

from studio.engine.studio import Studio
from studio.generation.request import Generation, GenerationRequest
from studio.runs.recipe import Recipe
from studio.runs.store import Run


def answer(request: GenerationRequest) -> Generation:
    """Every column answers every prompt with its label and the prompt."""
    generation = Generation(request)
    for at, column in enumerate(request.columns):
        for number, prompt in enumerate(request.prompts):
            asked = prompt if isinstance(prompt, str) else prompt[-1]["content"]
            generation.put(at, number, text=f"{column.label} says {asked}", ended="stop")
    generation.end_part()
    return generation


def prompts(count: int, start: int = 0) -> list[list[dict[str, Any]]]:
    return [[{"role": "user", "content": f"question {n}"}] for n in range(start, start + count)]


def finished_run(
    studio: Studio, name: str, method: str = "lora", parent: str | None = None, data: Any = None
) -> Run:
    """A finished run with an adapter, or with weights where the method is full fine-tuning."""
    objective = "sft" if parent is None else "dpo"
    recipe = Recipe.defaults(objective, method, dataset_name="pocket-sft", name=name)
    run = studio.runs.create(recipe.with_(start_from=parent))
    full = method == "full"
    folder = run.folder / ("model" if full else "adapter")
    folder.mkdir()
    (folder / ("config.json" if full else "adapter_config.json")).write_text("{}")
    return studio.runs.update(run.id, state="finished", data=data or {})
