"""Prepared datasets go into stock TRL trainers as they are."""

import random

import pytest

from studio.core.workspace import Workspace
from studio.data import DatasetStore
from tests.unit.data.making import POCKET, said, write


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
