"""What is added to prompts: a system prompt and tools where there are none, the switch always."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from studio.core import chat_templates
from studio.core.messages import Prompt, kwargs_of, tools_of
from studio.workflows import asking, comparisons
from studio.workflows.asking import Asking

TOOL = {"type": "function", "function": {"name": "roll"}}
OTHER = {"type": "function", "function": {"name": "throw"}}
USER = [{"role": "user", "content": "Hi"}]
SYSTEM = {"role": "system", "content": "Be brief."}


def test_a_rows_own_tools_stay_and_the_switch_comes_before_its_kwargs():
    added = Asking("Be brief.", [TOOL], {"enable_thinking": False})
    assert added.prompt(USER) == Prompt([SYSTEM, *USER], [TOOL], {"enable_thinking": False})
    own = added.prompt(Prompt([SYSTEM, *USER], [OTHER], {"enable_thinking": True, "a": 1}))
    assert tools_of(own) == [OTHER] and kwargs_of(own) == {"enable_thinking": False, "a": 1}
    assert type(Asking().prompt(USER)) is list and Asking().row({"a": 1}) == {"a": 1}
    row = added.row({"prompt": USER, "tools": json.dumps([OTHER])})
    assert tools_of(row) == [OTHER] and kwargs_of(row) == {"enable_thinking": False}


@pytest.fixture
def studio() -> Any:
    """Runs by name: of the pocket model's own template, and of ChatML."""
    recipes = {"own": None, "chatml": "chatml"}
    made = {
        name: SimpleNamespace(recipe=SimpleNamespace(chat_template_path=path))
        for name, path in recipes.items()
    }
    return SimpleNamespace(runs=SimpleNamespace(get=made.__getitem__))


def test_the_switch_is_offered_where_a_template_knows_it(studio: Any) -> None:
    own, chatml = (comparisons.Side(run, "tuned", "pocket", run) for run in ("own", "chatml"))
    served = comparisons.Side("api", "base", "x", endpoint="http://127.0.0.1")
    assert asking.switches(studio, [own, served]) == []
    offered = dict(asking.switches(studio, [own, chatml]))
    assert offered == {
        "on (enable_thinking)": "enable_thinking=true",
        "off (enable_thinking)": "enable_thinking=false",
    }
    assert asking.chosen("enable_thinking=false") == {"enable_thinking": False}
    assert asking.chosen("reasoning_effort=low") == {"reasoning_effort": "low"}
    assert asking.chosen("") == {}
    assert asking.without_tools(studio, [own, chatml, served]) == ["own"]
    assert "chatml" in chat_templates.BUNDLED
