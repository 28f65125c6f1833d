"""Two small finished runs on the built-in model, made once: an SFT run and a DPO run from it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import Recipe, Studio
from studio.runs.store import Run

FACTS = [("colour of the sky", "blue"), ("colour of grass", "green"), ("taste of honey", "sweet")]


def small(objective: str, dataset: str, **changes: object) -> Recipe:
    """A recipe of a few quick steps."""
    usual = {
        "dataset_name": dataset,
        "max_steps": 4,
        "per_device_train_batch_size": 4,
        "max_length": 96,
        "lora_r": 4,
        "learning_rate": 1e-3,
        "sample_steps": 0,
        "save_steps": 2,
    }
    return Recipe.defaults(objective, **{**usual, **changes})


def sft_rows(count: int = 24) -> list[dict]:
    return [
        {
            "prompt": [{"role": "user", "content": f"What is the {FACTS[i % 3][0]}, number {i}?"}],
            "completion": [{"role": "assistant", "content": f"It is {FACTS[i % 3][1]}."}],
        }
        for i in range(count)
    ]


def preference_rows(count: int = 24) -> list[dict]:
    return [
        {
            "prompt": [{"role": "user", "content": f"What is the {FACTS[i % 3][0]}, number {i}?"}],
            "chosen": [{"role": "assistant", "content": f"Gladly: {FACTS[i % 3][1]}."}],
            "rejected": [{"role": "assistant", "content": f"{FACTS[i % 3][1]}"}],
        }
        for i in range(count)
    ]


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio(Path(tmp_path_factory.mktemp("engine")) / "home")
    studio.datasets.from_rows(sft_rows(), "prompt_completion", "facts")
    studio.datasets.from_rows(preference_rows(), "preference", "taste")
    yield studio
    studio.close()


@pytest.fixture(scope="session")
def sft(studio: Studio) -> Run:
    return studio.wait(studio.train(small("sft", "facts", name="first")).id)


@pytest.fixture(scope="session")
def dpo(studio: Studio, sft: Run) -> Run:
    recipe = small("dpo", "taste", name="second", start_from=sft.id)
    return studio.wait(studio.train(recipe).id)
