"""What a chat template is given beside the messages is decided in one place."""

import json
from types import SimpleNamespace

import pytest

from studio.core import rendering
from studio.core.errors import ConfigError
from studio.core.messages import Prompt, plain, revived

TOOL = {"type": "function", "function": {"name": "roll", "parameters": {}}}
USER = [{"role": "user", "content": "Hi"}]


def tokenizer(template):
    return SimpleNamespace(chat_template=template)


def test_a_rows_own_kwargs_come_before_the_recipes():
    defaults = {"enable_thinking": True, "reasoning_effort": "low"}
    prompt = Prompt(USER, [TOOL], {"enable_thinking": False})
    row = {
        "messages": USER,
        "tools": json.dumps([TOOL]),
        "chat_template_kwargs": {"enable_thinking": False, "reasoning_effort": None},
    }
    wanted = {"tools": [TOOL], "enable_thinking": False, "reasoning_effort": "low"}
    assert rendering.options(prompt, defaults) == rendering.options(row, defaults) == wanted
    assert rendering.options(USER) == {"tools": None}
    assert rendering.with_defaults({"text": "a"}, {}) == {"text": "a"}


def test_a_prompt_is_not_the_same_without_its_tools_and_comes_back_from_json():
    prompt = Prompt(USER, [TOOL], {"enable_thinking": False})
    assert prompt != USER and prompt != USER and Prompt(USER) == USER
    back = revived(json.loads(json.dumps(plain(prompt))))
    assert back == prompt and back.tools == [TOOL]
    assert plain(Prompt(USER)) == USER == revived(USER)
    assert prompt.followed_by(USER).tools == [TOOL]


def test_the_switches_are_those_that_the_template_reads():
    template = "{% if enable_thinking is defined and not enable_thinking %}a{% endif %}"
    assert rendering.switches(tokenizer(template)) == {"enable_thinking": (True, False)}
    own = "{% set reasoning_effort = 'high' %}{{ reasoning_effort }}{{ messages }}"
    assert rendering.switches(tokenizer(own)) == {}
    assert rendering.switches(tokenizer(None)) == {}


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{{ message.reasoning_content }}", "reasoning_content"),
        ("{{ message['thinking'] }}", "thinking"),
        ("{{ message.reasoning }}", "reasoning"),
        ("{% if enable_thinking %}{{ message.content }}{% endif %}", None),
    ],
)
def test_thinking_stands_where_the_template_reads_it(template, name):
    turn = {"role": "assistant", "content": "Four.", "thinking": "Two."}
    [given] = rendering.turns([turn], tokenizer(template))
    assert given == ({"role": "assistant", "content": "Four.", name: "Two."} if name else turn)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("3", "Tool 1 has no name"),
        ('[{"type": "function"}]', "Tool 1 has no name"),
        ('[{"name": "roll", "parameters": []}]', "parameters must be an object"),
    ],
)
def test_tools_that_cannot_be_are_refused_in_a_sentence(text, said):
    with pytest.raises(ConfigError, match=said):
        rendering.checked_tools(text)


def test_tools_may_be_bare_functions_one_or_several():
    assert rendering.checked_tools(" ") == []
    one = json.dumps(TOOL["function"])
    assert rendering.checked_tools(one) == rendering.checked_tools(f"[{one}]") == [TOOL]


@pytest.mark.parametrize(
    ("value", "said"),
    [("[", "not JSON"), ([1], "must be an object"), ({"tools": 1}, "'tools'"), ({"a": []}, "true")],
)
def test_kwargs_that_cannot_be_are_refused_in_a_sentence(value, said):
    with pytest.raises(ConfigError, match=said):
        rendering.checked(value)
