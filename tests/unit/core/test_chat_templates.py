"""The templates that can be lent: they render every role, teach the model to stop, and are kept."""

from pathlib import Path

import pytest

from studio.core import chat_templates
from studio.core.errors import ModelError

POCKET = Path(__file__).resolve().parents[3] / "presets" / "pocket"
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Where is the mill?"},
    {"role": "assistant", "content": "By the river."},
    {"role": "user", "content": "And the inn?"},
    {"role": "assistant", "content": "Next to it."},
]


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(POCKET)


@pytest.mark.parametrize("name", chat_templates.names())
def test_a_lent_template_shows_every_turn_and_trains_the_end(tokenizer, name):
    dressed = chat_templates.with_chat_template(tokenizer, name)
    text = dressed.apply_chat_template(TURNS, tokenize=False)
    assert all(turn["content"] in text for turn in TURNS)
    both = dressed.apply_chat_template(
        TURNS, tokenize=True, return_dict=True, return_assistant_tokens_mask=True
    )
    lit = [i for i, on in zip(both["input_ids"], both["assistant_masks"], strict=True) if on]
    assert lit.count(dressed.eos_token_id) == 2  # each answer ends with the model's own end token
    spoken = dressed.decode(lit, skip_special_tokens=True)
    assert "By the river." in spoken and "Next to it." in spoken and "mill" not in spoken


@pytest.mark.parametrize("name", chat_templates.names())
def test_a_prompt_is_the_beginning_of_prompt_and_answer(tokenizer, name):
    dressed = chat_templates.with_chat_template(tokenizer, name)
    asked = dressed.apply_chat_template(TURNS[:-1], tokenize=False, add_generation_prompt=True)
    assert dressed.apply_chat_template(TURNS, tokenize=False).startswith(asked)
    assert chat_templates.bundled(dressed) == name and chat_templates.bundled(tokenizer) is None


def test_chatml_writes_tool_calls(tokenizer):
    call = {"type": "function", "function": {"name": "find", "arguments": {"what": "mill"}}}
    turns = [*TURNS[:2], {"role": "assistant", "tool_calls": [call]}]
    text = chat_templates.with_chat_template(tokenizer, "chatml").apply_chat_template(
        turns, tokenize=False
    )
    assert '<tool_call>\n{"name": "find", "arguments": {"what": "mill"}}\n</tool_call>' in text


def test_wearing_another_template_leaves_the_tokenizer_as_it_was(tokenizer):
    own = tokenizer.chat_template
    assert chat_templates.with_chat_template(tokenizer, None) is tokenizer
    assert (
        chat_templates.with_chat_template(tokenizer, "zephyr").chat_template
        != own
        == tokenizer.chat_template
    )


def test_a_wrong_template_is_one_sentence(tokenizer, tmp_path):
    with pytest.raises(ModelError, match=r"no chat template 'chatlm'\. Did you mean"):
        chat_templates.with_chat_template(tokenizer, "chatlm")
    with pytest.raises(ModelError, match="cannot be read"):
        chat_templates.with_chat_template(tokenizer, str(tmp_path / "none.jinja"))
    broken = tmp_path / "broken.jinja"
    broken.write_text("{% for message in messages %}")
    with pytest.raises(ModelError, match="not valid Jinja, line 1"):
        chat_templates.with_chat_template(tokenizer, str(broken))
