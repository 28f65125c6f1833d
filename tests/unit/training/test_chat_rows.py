"""Chats reach TRL with the labels that the token view shows, whatever is in them."""

from __future__ import annotations

import copy
import json
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio import Studio
from studio.core.errors import DataError
from studio.core.workspace import PRESETS
from studio.data.tokens.token_view import render
from studio.runs.recipe import Recipe
from studio.training.chat_rows import tokenized
from tests.unit.training.conftest import small

WORDS = st.text("aeinst rlo.,é你\n", min_size=1, max_size=12).filter(str.strip)
FLAG = st.sampled_from([{}, {}, {"weight": 0}, {"weight": 1}, {"train": False}, {"loss": False}])


@st.composite
def chats(draw: Any) -> list[dict[str, Any]]:
    """A conversation: perhaps a system turn, one to three answers, perhaps a question left open."""
    turns: list[dict[str, Any]] = []
    if draw(st.booleans()):
        turns.append({"role": "system", "content": draw(WORDS)})
    for _ in range(draw(st.integers(1, 3))):
        turns.append({"role": "user", "content": draw(WORDS)})
        turns.append({"role": "assistant", "content": draw(WORDS), **draw(FLAG)})
    if draw(st.booleans()):
        turns.append({"role": "user", "content": draw(WORDS)})
    return turns


@pytest.fixture(scope="module")
def pocket() -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = PRESETS / "pocket"
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def by_hand(turns: list[dict[str, Any]], tokenizer: Any, last_only: bool) -> tuple[list, list]:
    """Ids and labels from the pocket model's template as it is written: every turn alone."""
    ids: list[int] = []
    labels: list[int] = []
    answers = [at for at, turn in enumerate(turns) if turn["role"] == "assistant"]
    for at, turn in enumerate(turns):
        header = tokenizer(f"<|{turn['role']}|>", add_special_tokens=False)["input_ids"]
        text = tokenizer(f"{turn['content']}<|end|>", add_special_tokens=False)["input_ids"]
        flags = [turn[name] for name in ("weight", "train", "loss") if name in turn]
        lit = at in answers and all(flags) and (not last_only or at == answers[-1])
        ids += header + text
        labels += [-100] * len(header) + (text if lit else [-100] * len(text))
    return ids, labels


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(chats(), min_size=1, max_size=6),
    max_length=st.sampled_from([8, 24, 512]),
    last_only=st.booleans(),
)
def test_the_trainer_the_view_and_the_hand_agree(
    pocket: tuple[Any, Any], rows: list[Any], max_length: int, last_only: bool
) -> None:
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = pocket
    recipe = Recipe.defaults("sft", mask_history=last_only)
    done = tokenized(recipe, _stored(rows), tokenizer).rows
    hand = [by_hand(turns, tokenizer, last_only) for turns in rows]
    assert [(row["input_ids"], row["labels"]) for row in done] == hand
    views = [
        render(
            {"messages": turns},
            "conversational",
            tokenizer,
            max_length=max_length,
            mask_history=last_only,
        )[0]
        for turns in rows
    ]
    kept = [view for view in views if view.trained]  # TRL drops rows without a trained token
    if not kept:
        return
    with tempfile.TemporaryDirectory() as folder:
        args = SFTConfig(
            output_dir=folder, max_length=max_length, use_cpu=True, bf16=False, report_to="none"
        )
        trainer = SFTTrainer(model, args, train_dataset=done, processing_class=tokenizer)
    given = [(row["input_ids"], row["labels"]) for row in trainer.train_dataset]
    assert given == [
        (
            [token.id for token in view.tokens[: view.kept]],
            [token.id if token.trained else -100 for token in view.tokens[: view.kept]],
        )
        for view in kept
    ]


def _stored(rows: list[Any]) -> Any:
    """The rows as they lie in Arrow, with every key that any of them has."""
    from datasets import Dataset

    from studio.data.arrow_schema import Shape, tables

    shape = Shape()
    held = [{"messages": turns} for turns in rows]
    for row in held:
        shape.see(row)
    return Dataset(next(iter(tables([held], shape))))


def test_rows_that_the_template_refuses_are_left_out_and_counted(pocket: tuple[Any, Any]) -> None:
    _, tokenizer = pocket
    good = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    bad = [{"role": "user", "content": "Hi"}, {"role": "critic", "content": "No"}]
    done = tokenized(Recipe.defaults("sft"), _stored([good, bad, good]), tokenizer)
    assert len(done.rows) == 2 and list(done.refused) == [1]
    event = done.as_event("train")
    assert (event["given"], event["refused"], event["changed"]) == (3, 1, 0)
    assert event["refused_first"].startswith("Row 2: The chat template rejects")
    with pytest.raises(DataError, match=r"No row can be trained on\. The chat template rejects"):
        tokenized(Recipe.defaults("sft"), _stored([bad, bad]), tokenizer)


USER, YES = {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}
SYSTEM = {"role": "system", "content": "Be kind."}
SHAPES: dict[str, tuple[str, Any]] = {
    "a chat with every token trained": ("sft", lambda turns: {"messages": [*turns, YES]}),
    "a prompt and its completion": ("sft", lambda turns: {"prompt": turns, "completion": [YES]}),
    "a preference": (
        "dpo",
        lambda turns: {"prompt": turns, "chosen": [YES], "rejected": [{**YES, "content": "No"}]},
    ),
    "a preference of whole chats": (
        "reward",
        lambda turns: {"chosen": [*turns, YES], "rejected": [*turns, {**YES, "content": "No"}]},
    ),
    "a judged answer": ("kto", lambda turns: {"prompt": turns, "completion": [YES], "label": True}),
    "a prompt": ("grpo", lambda turns: {"prompt": turns}),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_one_refused_row_fails_no_run_that_trl_renders(pocket: tuple[Any, Any], shape: str) -> None:
    from datasets import Dataset

    tokenizer = copy.copy(pocket[1])
    tokenizer.chat_template = (
        "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}{% for m in messages %}{{ m.role }}: {{ m.content }}{% endfor %}"
    )
    objective, made = SHAPES[shape]
    off = {"assistant_only_loss": False} if objective == "sft" else {}
    recipe = Recipe.defaults(objective, "lora", **off)
    good, bad = made([USER]), made([SYSTEM, USER])
    done = tokenized(recipe, Dataset.from_list([good, bad, good]), tokenizer)
    assert len(done.rows) == 2 and list(done.refused) == [1]
    first = done.as_event("train")["refused_first"]
    assert first.startswith("Row 2: The chat template rejects the system turn: System role not")
    with pytest.raises(DataError, match="No row can be trained on"):
        tokenized(recipe, Dataset.from_list([bad]), tokenizer)


@pytest.mark.parametrize("alone", [True, False])
def test_a_template_that_needs_tools_gets_a_sentence(pocket: tuple[Any, Any], alone: bool) -> None:
    tokenizer = copy.copy(pocket[1])
    tokenizer.chat_template = (
        "{% for t in tools %}{{ t.function.name }}{% endfor %}"
        "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    )
    recipe = Recipe.defaults("sft", assistant_only_loss=alone)
    with pytest.raises(DataError, match=r"reads tools without asking .* give every row its tools"):
        tokenized(recipe, _stored([[USER, YES]]), tokenizer)
    tools = [{"type": "function", "function": {"name": "f", "parameters": {}}}]
    row = {"messages": [USER, YES], "tools": json.dumps(tools)}
    (view,) = render(row, "conversational", tokenizer, max_length=None, assistant_only_loss=alone)
    assert view.total and view.trained


def test_other_rows_and_other_masks_are_left_to_trl(pocket: tuple[Any, Any]) -> None:
    from datasets import Dataset

    _, tokenizer = pocket
    chat = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    rows = _stored([chat])
    off = Recipe.defaults("sft", assistant_only_loss=False)
    assert tokenized(off, rows, tokenizer).rows is rows
    for row in ({"text": "Hi."}, {"prompt": chat[:1], "completion": chat[1:]}):
        other = Dataset.from_list([row])
        assert tokenized(Recipe.defaults("sft"), other, tokenizer).rows is other
    asked = Recipe.defaults("sft", assistant_only_loss=True)
    done = tokenized(
        asked, Dataset.from_list([{"prompt": chat[:1], "completion": chat[1:]}]), tokenizer
    )
    assert tokenizer.decode([id for id in done.rows[0]["labels"] if id != -100]) == "Hello<|end|>"


@pytest.mark.parametrize("packing", [False, True])
def test_a_run_trains_chats_on_their_answers(studio: Studio, packing: bool) -> None:
    turns = [
        {"role": "user", "content": "What is red?"},
        {"role": "assistant", "content": "A colour."},
        {"role": "user", "content": "And blue?"},
        {"role": "assistant", "content": "Another.", "weight": 0},
    ]
    odd = [*turns, {"role": "tool", "content": "No."}]
    rows = [{"messages": turns}] * 12 + [{"messages": odd}]
    dataset = studio.datasets.from_rows(rows, "conversational", f"chats {packing}")
    run = studio.wait(studio.train(small("sft", dataset.id, packing=packing, max_steps=2)).id)
    assert run.state == "finished", run.error
    event = next(event for event in run.events()[0] if event["kind"] == "chats")
    assert (event["given"], event["refused"], event["changed"]) == (13, 1, 0)


def test_a_messages_own_word_is_never_passed_over(pocket: tuple[Any, Any]) -> None:
    _, tokenizer = pocket
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello", "weight": 0},
        {"role": "user", "content": "And?"},
        {"role": "assistant", "content": "Bye"},
    ]
    off = Recipe.defaults("sft", assistant_only_loss=False)
    with pytest.raises(DataError, match="by weight whether they are trained"):
        tokenized(off, _stored([turns]), tokenizer)
    view = render(
        {"messages": turns}, "conversational", tokenizer, max_length=None, assistant_only_loss=False
    )
    assert any("by weight" in note for note in view[0].notes)
    sides = {"prompt": turns[:1], "completion": turns[1:]}
    assert any(
        "by weight" in n
        for n in render(sides, "prompt_completion", tokenizer, max_length=None)[0].notes
    )
    asked = render(sides, "prompt_completion", tokenizer, max_length=None, assistant_only_loss=True)
    lit = "".join(token.text for token in asked[0].tokens if token.trained)
    assert lit == "Bye<|end|>" and not asked[0].notes
