"""Adapters made elsewhere: taken in as runs, or refused with the reason."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from studio import Studio
from studio.commands import COMMANDS
from studio.core.errors import ModelError
from studio.exports.import_adapter import adopt
from studio.generation.request import Sampling
from studio.runs.store import Run


@pytest.fixture
def theirs(sft: Run, tmp_path: Path) -> Path:
    """An adapter as PEFT saved it on another machine: its base named by a path that is not here."""
    folder = tmp_path / "theirs"
    shutil.copytree(sft.folder / "adapter", folder)
    change(folder, base_model_name_or_path="/there/base")
    return folder


def change(folder: Path, **values: object) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_it_answers_as_it_did(studio: Studio, sft: Run, theirs: Path) -> None:
    run = adopt(studio.runs, theirs, "pocket")
    assert (run.state, run.model, run.recipe.lora_r) == ("finished", "pocket", sft.recipe.lora_r)
    assert run.adapter and run.provenance["imported"] == "theirs"
    said = []
    for each in (sft, run):
        asked = ["What is the taste of honey?"]
        handle = studio.compare(each.id, asked, Sampling(max_new_tokens=8))
        assert handle.wait(60)
        said.append([column[0].text for column in handle.snapshot().answers])
    assert said[0] == said[1] and said[0][0] != said[0][1]
    studio.runs.delete(run.id)


def test_what_cannot_be_used_is_said(studio: Studio, theirs: Path, tmp_path: Path) -> None:
    def refused(pattern: str, base: str | None = "pocket") -> None:
        with pytest.raises(ModelError, match=pattern):
            adopt(studio.runs, theirs, base)

    before = len(studio.runs.list())
    refused("/there/base, and it was not found: name its base with --base", None)
    change(theirs, task_type="SEQ_CLS")
    refused("is for SEQ_CLS")
    change(theirs, task_type="CAUSAL_LM", peft_type="PROMPT_TUNING")
    refused("LoRA and DoRA can be imported")
    change(theirs, peft_type="LORA", lora_alpha="much")
    refused("config cannot be used")
    change(theirs, lora_alpha=8)
    weights = theirs / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:200])
    refused("cannot be read")
    weights.rename(theirs / "adapter_model.bin")
    refused("pickled, and a pickle can run code")
    with pytest.raises(ModelError, match="no adapter_config"):
        adopt(studio.runs, tmp_path)
    assert len(studio.runs.list()) == before


def test_a_pattern_that_never_ends_becomes_the_modules_names(
    studio: Studio, sft: Run, theirs: Path
) -> None:
    change(theirs, target_modules="(.*)*x$", exclude_modules="(.*)*y$")
    run = adopt(studio.runs, theirs, "pocket")
    assert run.adapter is not None
    kept = json.loads((run.adapter / "adapter_config.json").read_text())
    assert kept["exclude_modules"] is None and len(kept["target_modules"]) > 3
    assert all(name.startswith("model.layers.") for name in kept["target_modules"])
    handle = studio.compare(run.id, ["What is honey?"], Sampling(max_new_tokens=4))
    assert handle.wait(60) and not handle.snapshot().answers[1][0].error
    studio.runs.delete(run.id)
    change(theirs, target_modules=["q_proj"], exclude_modules=None, rank_pattern={"(.*)*x": 4})
    with pytest.raises(ModelError, match="could take forever"):
        adopt(studio.runs, theirs, "pocket")


def test_an_adapter_that_will_not_load_is_refused_and_breaks_no_other(
    studio: Studio, sft: Run, theirs: Path
) -> None:
    change(theirs, init_lora_weights="corda")
    with pytest.raises(ModelError, match="does not fit this model"):
        COMMANDS["runs_import"](studio, str(theirs), base="pocket")
    assert [run.name for run in studio.runs.list() if run.name == "theirs"] == []
    broken = adopt(studio.runs, theirs, "pocket")  # as one imported before this was checked

    def says(run: Run) -> tuple[str, str | None]:
        handle = studio.compare(run.id, ["What is honey?"], Sampling(max_new_tokens=4))
        assert handle.wait(60)
        answer = handle.snapshot().answers[1][0]
        return answer.text, answer.error

    before = says(sft)
    assert before[1] is None and before[0]
    assert "does not fit this model" in str(says(broken)[1])
    assert says(sft) == before
    studio.runs.delete(broken.id)


def test_an_adapter_of_another_shape_is_refused(
    studio: Studio, theirs: Path, tmp_path: Path
) -> None:
    from tests.unit.exports.shapes import make

    with pytest.raises(ModelError, match="does not fit"):
        adopt(studio.runs, theirs, str(make("Llama-3", tmp_path / "base")))


FOREIGN = {
    "plain": {"task_type": "CAUSAL_LM"},
    "dora": {"task_type": "CAUSAL_LM", "use_dora": True},
    "ranks of its own": {
        "task_type": "CAUSAL_LM",
        "rank_pattern": {"layers.0.self_attn.q_proj": 8},
    },
    "without a task": {},
    "all linear layers": {"task_type": "CAUSAL_LM", "target_modules": "all-linear"},
    "rank-stabilized": {"task_type": "CAUSAL_LM", "use_rslora": True},
}
REFUSED = {
    "biases": ({"bias": "lora_only"}, "trained biases"),
    "biases of its matrices": ({"lora_bias": True}, "biases in its matrices"),
    "repeated layers": ({"layer_replication": [[0, 1], [0, 1]]}, "repeats layers"),
    "single tokens": ({"trainable_token_indices": [5, 6]}, "trained single tokens"),
    "a tied embedding": ({"modules_to_save": ["embed_tokens"]}, "shares with its output head"),
}


def save_foreign(folder: Path, grown: int = 0, **how: object) -> Path:
    """A LoRA adapter of the built-in model with random weights, as stock PEFT saves it."""
    import torch
    from peft import LoraConfig, get_peft_model

    base = pocket()
    if grown:
        base.resize_token_embeddings(base.config.vocab_size + grown)
    torch.manual_seed(3)
    config = {"r": 4, "target_modules": ["q_proj", "v_proj"], **how}
    model = get_peft_model(base, LoraConfig(**config))
    for name, tensor in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(tensor, std=0.2)
    model.save_pretrained(folder)
    return folder


def pocket():
    from transformers import AutoModelForCausalLM

    from studio.core.workspace import PRESETS

    return AutoModelForCausalLM.from_pretrained(PRESETS / "pocket", dtype="float32")


def said_by(studio: Studio, run: Run) -> list[str]:
    """What the base and the run answer."""
    handle = studio.compare(run.id, ["What is the taste of honey?"], Sampling(max_new_tokens=8))
    assert handle.wait(60)
    return [column[0].text for column in handle.snapshot().answers]


def said_by_peft(folder: Path) -> str:
    from peft import PeftModel
    from transformers import AutoTokenizer

    from studio.core.workspace import PRESETS

    tokenizer = AutoTokenizer.from_pretrained(PRESETS / "pocket")
    model = PeftModel.from_pretrained(pocket(), folder)
    asked = [{"role": "user", "content": "What is the taste of honey?"}]
    encoded = tokenizer.apply_chat_template(
        asked, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    made = model.generate(**encoded, max_new_tokens=8, do_sample=False)
    return tokenizer.decode(made[0, encoded["input_ids"].shape[1] :], skip_special_tokens=True)


def test_others_adapters_answer_as_peft_does_and_leave_the_base_alone(
    studio: Studio, sft: Run, tmp_path: Path
) -> None:
    before = said_by(studio, sft)
    for at, how in enumerate(FOREIGN.values()):
        folder = save_foreign(tmp_path / f"theirs-{at}", **how)
        run = adopt(studio.runs, folder, "pocket")
        base, tuned = said_by(studio, run)
        assert (base, tuned.strip()) == (before[0], said_by_peft(folder).strip()), how
        assert said_by(studio, sft) == before
        studio.runs.delete(run.id)


@pytest.mark.parametrize("case", REFUSED)
def test_adapters_that_hold_tensors_of_the_base_are_refused(
    studio: Studio, sft: Run, tmp_path: Path, case: str
) -> None:
    how, words = REFUSED[case]
    folder = save_foreign(tmp_path / "theirs", task_type="CAUSAL_LM", **how)
    with pytest.raises(ModelError, match=words):
        adopt(studio.runs, folder, "pocket")


def test_an_adapter_of_a_grown_embedding_is_refused_with_both_sizes(
    studio: Studio, sft: Run, tmp_path: Path
) -> None:
    folder = save_foreign(tmp_path / "theirs", grown=3, task_type="CAUSAL_LM")
    rows = pocket().config.vocab_size
    with pytest.raises(ModelError, match=f"{rows + 3:,} rows, and pocket has {rows:,}"):
        adopt(studio.runs, folder, "pocket")
