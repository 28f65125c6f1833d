"""The shipped FineTome recipe trains what Unsloth's rule trains, from the file to TRL's labels."""

from typing import Any

import pytest

from studio.core.workspace import Workspace
from studio.data import DatasetStore
from studio.data.prepared.prepare_options import PrepareOptions
from studio.runs.recipe import presets
from studio.training.chat_rows import tokenized
from tests.unit.data.making import POCKET, write
from tests.unit.data.tokens.templates import dressed
from tests.unit.data.tokens.unsloth import PARTS, by_unsloth

RECIPE = presets()["llama-3.2-3b-qlora-sft"]
# Name -> the template that it is asked through. Qwen3 thinks or not, by its rows.
NAMES = {**{name: name for name in PARTS}, "qwen3 with thinking": "qwen3"}


def chat(*texts: str) -> dict[str, Any]:
    """A row as FineTome has it."""
    sides = ("human", "gpt")
    turns = [{"from": sides[at % 2], "value": text} for at, text in enumerate(texts)]
    return {"conversations": turns, "source": "made", "score": 4.7}


def rows(thinking: bool) -> list[dict[str, Any]]:
    begun = "<think>\nI add.\n</think>\n\n" if thinking else ""
    return [
        chat("Two and two?", f"{begun}Four.", "And three?", f"{begun}Seven, of course."),
        chat("Hi", f"{begun}Hello you", "Why?", f"{begun}So.\nAnd so.", "Thanks", f"{begun}Bye"),
        chat("A b c", f"{begun}D\u00e9 \u4f60", "D?", f"{begun}E", "F?", f"{begun}G h i"),
    ]


@pytest.fixture(scope="module")
def pocket() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(POCKET)


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_those_of_unsloths_rule(pocket: Any, name: str, tmp_path: Any) -> None:
    store = DatasetStore(Workspace(tmp_path / "home"))
    path = write(tmp_path, rows("thinking" in name))
    dataset = store.prepare(path, "tome", PrepareOptions(test_fraction=0, dedupe=False))
    tokenizer = dressed(pocket, NAMES[name])
    done = tokenized(RECIPE, dataset.load(), tokenizer)
    assert not done.refused and len(done.rows) == 3
    for row, stored in zip(done.rows, dataset.head(3, "train"), strict=True):
        text = tokenizer.apply_chat_template(stored["messages"], tokenize=False)
        encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        assert row["input_ids"] == encoded["input_ids"]
        wanted = by_unsloth(text, *PARTS[NAMES[name]])
        assert wanted.strip("\0")
        for (start, end), label in zip(encoded["offset_mapping"], row["labels"], strict=True):
            lit = wanted[start:end] == text[start:end]
            first = name == "zephyr" and text[:end].endswith("<|assistant|>\n")
            assert lit == (label != -100) or first  # Zephyr's prompt ends before this newline
