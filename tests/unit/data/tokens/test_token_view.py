"""The token view shows the labels that TRL's trainers put into a batch."""

import pytest

from studio.core.errors import ConfigError, ModelError
from studio.data.tokens.token_view import render
from tests.unit.data.making import POCKET, TWO, USER

SFT = {
    "full text": ("language_modeling", [{"text": "Mira lives in Alderford."}, {"text": "So."}], {}),
    "messages, all tokens": (
        "conversational",
        [{"messages": TWO}, {"messages": TWO[:2]}],
        {"assistant_only_loss": False},
    ),
    "messages, assistant only": (
        "conversational",
        [{"messages": TWO}, {"messages": TWO[:2]}],
        {"assistant_only_loss": True},
    ),
    "prompt-completion strings": (
        "prompt_completion",
        [{"prompt": "2+2=", "completion": " 4"}, {"prompt": "Mira", "completion": " lives."}],
        {},
    ),
    "prompt-completion chat": (
        "prompt_completion",
        [{"prompt": TWO[:3], "completion": TWO[3:]}, {"prompt": USER, "completion": TWO[1:2]}],
        {},
    ),
    "prompt-completion chat, all tokens": (
        "prompt_completion",
        [{"prompt": USER, "completion": TWO[1:2]}],
        {"completion_only_loss": False},
    ),
}


@pytest.fixture(scope="module")
def pocket():
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(POCKET), AutoTokenizer.from_pretrained(POCKET)


def trainer_batch(trainer, rows):
    data = trainer.train_dataset
    return trainer.data_collator([data[at] for at in range(len(data))]), len(rows)


@pytest.mark.parametrize("case", SFT)
@pytest.mark.parametrize("max_length", [12, 256])
def test_labels_equal_those_of_the_sft_trainer(tmp_path, pocket, case, max_length):
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = pocket
    type, rows, options = SFT[case]
    args = SFTConfig(
        output_dir=str(tmp_path),
        max_length=max_length,
        use_cpu=True,
        report_to="none",
        bf16=False,
        **options,
    )
    trainer = SFTTrainer(
        model, args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
    )
    batch, _ = trainer_batch(trainer, rows)
    views = [render(row, type, tokenizer, max_length=max_length, **options)[0] for row in rows]
    views = [view for view in views if view.trained]  # the trainer drops rows that teach nothing
    assert len(batch["input_ids"]) == len(views)
    for ids, labels, mask, view in zip(
        batch["input_ids"], batch["labels"], batch["attention_mask"], views, strict=True
    ):
        length = int(mask.sum())
        kept = view.tokens[: view.kept]
        assert ids[:length].tolist() == [token.id for token in kept]
        assert labels[:length].tolist() == [t.id if t.trained else -100 for t in kept]
        assert view.trained == sum(token.trained for token in kept)


@pytest.mark.parametrize("max_length", [16, 256])
def test_labels_equal_those_of_the_dpo_trainer(tmp_path, pocket, max_length):
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    model, tokenizer = pocket
    worse = [{"role": "assistant", "content": "Who asks? Go away, I have no time for this."}]
    rows = [{"prompt": USER, "chosen": TWO[1:2], "rejected": worse}]
    args = DPOConfig(
        output_dir=str(tmp_path), max_length=max_length, use_cpu=True, report_to="none", bf16=False
    )
    trainer = DPOTrainer(
        model, args=args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
    )
    batch, _ = trainer_batch(trainer, rows)
    views = render(rows[0], "preference", tokenizer, max_length=max_length)
    assert [view.side for view in views] == ["chosen", "rejected"]
    for at, view in enumerate(views):
        length = int(batch["attention_mask"][at].sum())
        kept = view.tokens[: view.kept]
        assert batch["input_ids"][at][:length].tolist() == [token.id for token in kept]
        assert batch["completion_mask"][at][:length].bool().tolist() == [t.trained for t in kept]


@pytest.mark.parametrize("max_length", [24, 256])
@pytest.mark.parametrize("chat", [True, False])
def test_labels_equal_those_of_the_kto_trainer(tmp_path, pocket, max_length, chat):
    from datasets import Dataset
    from trl import KTOConfig, KTOTrainer

    model, tokenizer = pocket
    texts = {"prompt": "Where is Mira?", "completion": " In Alderford, by the mill."}
    turns = {"prompt": USER, "completion": TWO[1:2]}
    rows = [{**(turns if chat else texts), "label": label} for label in (True, False)]
    args = KTOConfig(
        output_dir=str(tmp_path),
        max_length=max_length,
        use_cpu=True,
        report_to="none",
        bf16=False,
        per_device_train_batch_size=2,
    )
    trainer = KTOTrainer(
        model, args=args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
    )
    batch, _ = trainer_batch(trainer, rows)
    views = [
        render(row, "unpaired_preference", tokenizer, max_length=max_length)[0] for row in rows
    ]
    assert [view.side for view in views] == ["good", "bad"]
    assert batch["label"].tolist() == [True, False]
    for at, view in enumerate(views):
        length = int(batch["attention_mask"][at].sum())
        kept = view.tokens[: view.kept]
        assert batch["input_ids"][at][:length].tolist() == [token.id for token in kept]
        assert batch["completion_mask"][at][:length].bool().tolist() == [t.trained for t in kept]


def test_a_prompt_alone_is_drawn_as_the_model_is_asked(pocket):
    _, tokenizer = pocket
    view = render({"prompt": USER}, "prompt_only", tokenizer, max_length=None)[0]
    asked = tokenizer.apply_chat_template(USER, add_generation_prompt=True)["input_ids"]
    assert [token.id for token in view.tokens] == asked
    assert (view.side, view.trained) == ("prompt", 0)
    assert view.notes == []
    text = render({"prompt": "Mira"}, "prompt_only", tokenizer, max_length=None)[0]
    assert "".join(token.text for token in text.tokens).endswith("Mira")


def test_token_texts_make_the_text_again(pocket):
    _, tokenizer = pocket
    view = render(
        {"text": "Mira lives,  in Alderford."}, "language_modeling", tokenizer, max_length=None
    )[0]
    assert "Mira lives,  in Alderford." in "".join(token.text for token in view.tokens)
    assert [token.special for token in view.tokens][-1]
    assert view.percent == 100.0


def test_truncation_and_rows_that_teach_nothing_are_noted(pocket):
    _, tokenizer = pocket
    row = {"prompt": USER, "completion": TWO[1:2]}
    view = render(row, "prompt_completion", tokenizer, max_length=3)[0]
    assert (view.kept, view.trained) == (3, 0)
    assert any("No token of this row is trained" in note for note in view.notes)
    assert any("truncated at 3" in note for note in view.notes)


def test_refusals_are_sentences(pocket):
    _, tokenizer = pocket
    with pytest.raises(ConfigError, match="no token view"):
        render({"prompt": "a", "answer1": "b"}, "comparison", tokenizer, max_length=None)
    template, tokenizer.chat_template = tokenizer.chat_template, None
    try:
        with pytest.raises(ModelError, match="no chat template"):
            render({"messages": TWO}, "conversational", tokenizer, max_length=None)
        tokenizer.chat_template = "{{ raise_exception('no system turns') }}"
        with pytest.raises(ModelError, match="rejects this row: no system turns"):
            render({"messages": TWO}, "conversational", tokenizer, max_length=None)
    finally:
        tokenizer.chat_template = template


def test_a_character_in_several_tokens_stands_whole_with_the_first(pocket):
    _, tokenizer = pocket
    text = "It\u2019s é你 🎉 fine"
    view = render({"text": text}, "language_modeling", tokenizer, max_length=None)[0]
    texts = [token.text for token in view.tokens]
    assert text in "".join(texts) and "🎉" in texts and "" in texts
    assert not any("\ufffd" in part for part in texts)


@pytest.mark.parametrize("name", ["chatml", "llama3", "zephyr", "alpaca", "plain"])
def test_labels_equal_the_trainers_under_a_lent_template(tmp_path, pocket, name):
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from studio.core.chat_templates import with_chat_template

    model, tokenizer = pocket[0], with_chat_template(pocket[1], name)
    rows = [{"messages": TWO}]
    args = SFTConfig(
        output_dir=str(tmp_path),
        max_length=250,
        use_cpu=True,
        report_to="none",
        bf16=False,
        assistant_only_loss=True,
    )
    trainer = SFTTrainer(
        model, args, train_dataset=Dataset.from_list(rows), processing_class=tokenizer
    )
    batch, _ = trainer_batch(trainer, rows)
    view = render(rows[0], "conversational", tokenizer, max_length=250, assistant_only_loss=True)[0]
    kept = view.tokens[: view.kept]
    assert batch["labels"][0][: len(kept)].tolist() == [t.id if t.trained else -100 for t in kept]


def test_answers_need_no_marks_and_a_template_that_hides_them_is_refused(pocket):
    from copy import deepcopy

    tokenizer = deepcopy(pocket[1])
    tokenizer.chat_template = (
        "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}"
    )
    view = render({"messages": TWO}, "conversational", tokenizer, max_length=None)[0]
    lit = "".join(token.text for token in view.tokens if token.trained)
    assert lit == "".join(f" {turn['content']}\n" for turn in TWO[1::2])
    tokenizer.chat_template = "{% for m in messages %}{{ m.role }}: {% endfor %}"
    with pytest.raises(ModelError, match=r"leaves out turn 2 \(assistant\)\. Choose another"):
        render({"messages": TWO}, "conversational", tokenizer, max_length=None)
