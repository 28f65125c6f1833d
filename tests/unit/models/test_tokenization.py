"""Where an answer ends: the tokenizer's word, the model's, and the chat template's."""

from types import SimpleNamespace

import pytest

from studio.core.chat_templates import with_chat_template
from studio.data import inspect
from studio.data.tokens.token_view import encode as learned_from
from studio.models.tokenization import answer_of, encode, end_of_turn, stop_ids, written_text
from tests.unit.data.making import write
from tests.unit.data.tokens.templates import dressed

ENDS = {
    "llama3_2": "<|eot_id|>",
    "qwen3": "<|im_end|>",
    "gemma": "<end_of_turn>",
    "phi3": "<|end|>",
    "gptoss": "<|return|>",
    "pocket": "<|end|>",
}


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    from studio.core.workspace import PRESETS

    return AutoTokenizer.from_pretrained(PRESETS / "pocket")


@pytest.mark.parametrize("name", ENDS)
def test_the_templates_own_end_of_a_turn_stops_generation(tokenizer, name):
    other = dressed(tokenizer, name)
    end = end_of_turn(other)
    assert other.decode([end]) == ENDS[name]
    model = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=3))
    assert set(stop_ids(model, other)) == {3, other.eos_token_id, end}


def test_an_end_that_is_no_token_is_none(tokenizer):
    other = dressed(tokenizer, "pocket")
    other.chat_template = "{% for m in messages %}{{ m.content }}\n###\n{% endfor %}"
    assert end_of_turn(other) is None
    other.chat_template = "{{ raise_exception('No.') }}"
    assert end_of_turn(other) is None
    other.chat_template = None
    assert end_of_turn(other) is None


def test_an_end_mark_that_is_spelled_out_is_no_part_of_the_answer(tokenizer):
    """ChatML on a model whose vocabulary has no `<|im_end|>`: the template writes both ends."""
    other = with_chat_template(tokenizer, "chatml")
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "I say four."}]
    asked = other.apply_chat_template(turns[:1], tokenize=False, add_generation_prompt=True)
    written = other.apply_chat_template(turns, tokenize=False)[len(asked) :]
    assert written.startswith("I say four.<|im_end|>" + other.eos_token)
    spoken = written.partition(other.eos_token)[0]  # generation ends at that token
    ids = other(spoken, add_special_tokens=False)["input_ids"]
    assert answer_of(other, ids, asked).text == "I say four."
    for text in ("I say four", "Say <|im_end|> first", "a\n"):
        assert written_text(other, other(text, add_special_tokens=False)["input_ids"]) == text
    own = dressed(tokenizer, "chatml")  # here it is a token, which ends the answer by itself
    assert written_text(own, own("Four.<|im_end|>", add_special_tokens=False).input_ids) == "Four."


@pytest.mark.parametrize("columns", [("prompt", "completion"), ("question", "answer")])
def test_texts_are_learned_in_the_form_in_which_they_are_asked(tmp_path, tokenizer, columns):
    asked, answered = columns
    path = write(tmp_path, [{asked: f"Where is {n}?", answered: f"On hill {n}."} for n in range(4)])
    seen = inspect(path)
    [(learned,)] = learned_from([seen.sample[0]], seen.type, tokenizer, None, False)
    text, ids = encode(tokenizer, "Where is 0?")
    assert learned.ids[: len(ids)] == ids and not any(learned.trained[: len(ids)])
    assert all(learned.trained[len(ids) :]), text
    said = {"prompt": "a user's and an assistant's turn", "question": "a prompt and its answer"}
    assert said[asked] in seen.why
