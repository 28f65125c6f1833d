"""vLLM, which is not installed here: refused before anything is queued, and a base of its own."""

from __future__ import annotations

import pytest
import torch

from studio import Recipe, Studio
from studio.core.errors import ConfigError
from studio.models.pool import LoadedModel, ModelPool
from studio.training import initial_model, online_rl

REWARD = {"reward_funcs": ("length:1-5",), "dataset_name": "pocket-preference"}


def test_a_run_is_refused_before_it_is_queued(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(online_rl, "find_spec", lambda name: None)
    before = len(studio.runs.list())
    with pytest.raises(ConfigError, match="vLLM is not installed here"):
        studio.train(Recipe.defaults("grpo", use_vllm=True, **REWARD))
    assert len(studio.runs.list()) == before


def test_what_vllm_merges_into_is_a_copy() -> None:
    resident: LoadedModel = ModelPool().base("pocket")
    tensor = next(resident.model.parameters())
    for use_vllm in (True, False):
        start = initial_model.begin(
            Recipe.defaults("grpo", use_vllm=use_vllm, **REWARD), resident, None, 1
        )
        own = next(start.model.parameters())
        assert torch.equal(own, tensor) and (own is not tensor) == use_vllm
