"""Sets of prompts."""

from __future__ import annotations

import pytest

from components.ui.prompt_sets import PromptSet
from studio.core.errors import ConfigError
from studio.generation.request import Sampling


def test_prompts_are_answered_several_times_where_that_can_differ():
    found = PromptSet("two", [[{"role": "user", "content": each}] for each in "pq"], [None, "r"])
    warm = found.repeated(2, Sampling(temperature=1.0))
    assert [prompt[0]["content"] for prompt in warm.prompts] == ["p", "p", "q", "q"]
    assert warm.references == [None, None, "r", "r"]
    with pytest.raises(ConfigError, match="Greedy"):
        found.repeated(2, Sampling())
