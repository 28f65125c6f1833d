"""Prepared datasets go into stock TRL trainers as they are."""

import random
from pathlib import Path

import pytest

from studio.core.errors import ConfigError
from studio.core.workspace import Workspace
from studio.data import DatasetStore, read
from studio.data.prepared.browse import ReadRows
from studio.data.prepared.token_checks import KINDS, check_tokens, tell
from tests.unit.data.making import said, write

POCKET = Path(__file__).resolve().parents[3] / "presets" / "pocket"


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(POCKET)


def rows_of(type):
    chance = random.Random(0)
    for n in range(24):
        asked, said_once, said_twice = f"{n} {said(chance)}", said(chance), said(chance, 5)
        yield {
            "prompt_completion": {"instruction": asked, "output": said_once, "topic": "ab"[n % 2]},
            "conversational": {
                "conversations": [
                    {"from": "human", "value": asked},
                    {"from": "gpt", "value": said_once},
                ]
            },
            "language_modeling": {"text": said_once},
            "preference": {"prompt": asked, "chosen": said_once, "rejected": said_twice},
            "unpaired_preference": {"prompt": asked, "response": said_once, "label": n % 2},
        }[type]


def trainer_for(name):
    import trl

    if hasattr(trl, f"{name}Trainer"):
        return getattr(trl, f"{name}Trainer"), getattr(trl, f"{name}Config")
    from trl.experimental import kto

    return getattr(kto, f"{name}Trainer"), getattr(kto, f"{name}Config")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("type", "name"),
    [
        ("prompt_completion", "SFT"),
        ("conversational", "SFT"),
        ("language_modeling", "SFT"),
        ("preference", "DPO"),
        ("preference", "Reward"),
        ("unpaired_preference", "KTO"),
    ],
)
def test_prepared_rows_load_into_the_trainer(tmp_path, tokenizer, type, name):
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    made = DatasetStore(Workspace(tmp_path / "home")).prepare(write(tmp_path, rows_of(type)))
    assert made.type == type
    trainer_class, config = trainer_for(name)
    args = config(
        output_dir=str(tmp_path / "out"),
        max_length=128,
        use_cpu=True,
        bf16=False,
        report_to="none",
        per_device_train_batch_size=2,
    )
    if name == "Reward":
        model = AutoModelForSequenceClassification.from_pretrained(POCKET, num_labels=1)
    else:
        model = AutoModelForCausalLM.from_pretrained(POCKET)
    trainer = trainer_class(
        model=model,
        args=args,
        train_dataset=made.load("train"),
        eval_dataset=made.load("test"),
        processing_class=tokenizer,
    )
    batch = next(iter(trainer.get_train_dataloader()))
    assert len(trainer.train_dataset) == made.rows["train"]
    assert any("input_ids" in key for key in batch)


def test_rows_are_counted_in_tokens_as_they_are_trained(tmp_path, tokenizer):
    chance = random.Random(1)
    long = said(chance, 80)
    rows = [
        {"prompt": "short", "chosen": "yes it is", "rejected": "no"},
        {"prompt": long, "chosen": "yes it is", "rejected": "no"},
        {"prompt": "short too", "chosen": long + " a", "rejected": long + " b"},
    ]
    with read(write(tmp_path, rows)) as reading:
        before = dict(reading.problems.counts)
        found = check_tokens(reading, tokenizer, max_length=32)
        listed = reading.problems
        assert {kind: listed.counts[kind] for kind in KINDS if kind in listed.counts} == {
            "over_length": 2,
            "nothing_trained": 1,
            "equal_after_truncation": 2,
        }
        assert [(p.file, p.row) for p in listed.page("nothing_trained")] == [("rows.jsonl", 2)]
        browsed = ReadRows(reading)
        assert browsed.find("equal_after_truncation", "").tolist() == [1, 2]
        told = {p.kind: p.message for p in browsed.show(2).problems}
        assert list(told) == ["near_duplicate", "over_length", "equal_after_truncation"]
        assert "(chosen): the last" in told["over_length"]
        assert listed.write(tmp_path / "long.jsonl", "over_length") == 2
        tell(reading, found, 4096)  # at another limit, without counting again
        assert dict(reading.problems.counts) == before
        few = check_tokens(reading, tokenizer, max_length=None, most=2)
        assert (few.measured, few.rows) == (2, 3)
        with pytest.raises(ConfigError, match="max_length is 0"):
            check_tokens(reading, tokenizer, max_length=0)
