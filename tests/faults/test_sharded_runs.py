"""FSDP on two processes on the CPU: memory a process, the same losses, one log, stop, resume."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from safetensors.torch import load_file

from studio import Studio
from studio.core.model_names import resolve
from tests.faults.test_killed_runs import losses, shell
from tests.faults.test_several_processes import until
from tests.faults.test_what_gives_out import begun
from tests.unit.training.conftest import small

ALL = pytest.mark.skipif(not os.environ.get("STUDIO_LAUNCH"), reason="run by make test-launch")


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    yield from begun(tmp_path / "home")


def random_model(folder: Path) -> Path:
    """A Llama of 99 million random weights with the built-in model's tokenizer."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM, set_seed

    tokenizer: Any = AutoTokenizer.from_pretrained(resolve("pocket").location)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=10,
        num_attention_heads=12,
        max_position_embeddings=256,
        eos_token_id=tokenizer.eos_token_id,
    )
    set_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def peaks(running: Callable[[], bool], of: Callable[[], list[int]]) -> dict[int, int]:
    """Peak resident bytes of each process (Linux's VmHWM) while `running`."""
    found: dict[int, int] = {}
    while running():
        for pid in of():
            try:
                status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            except OSError:  # it ended meanwhile
                continue
            line = next((each for each in status.splitlines() if "VmHWM" in each), "VmHWM: 0 kB")
            found[pid] = max(found.get(pid, 0), int(line.split()[1]) * 1024)
        time.sleep(0.1)
    return found


def workers(run_id: str) -> list[int]:
    """The processes that train a run; not the launcher that started them."""
    found = psutil.process_iter(["cmdline"])
    words = {process.pid: process.info["cmdline"] or [] for process in found}
    return [
        pid
        for pid, said in words.items()
        if run_id in said and "accelerate.commands.launch" not in said
    ]


@ALL
@pytest.mark.slow
def test_a_full_fine_tune_takes_less_memory_in_each_process(
    studio: Studio, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Peaks of whole processes, libraries and both checkpoints included."""
    home = studio.workspace.home
    recipe = small(
        "sft",
        "facts",
        method="full",
        model_name_or_path=str(random_model(tmp_path / "model")),
        learning_rate=1e-5,
        gradient_accumulation_steps=2,
        per_device_train_batch_size=2,
        max_steps=3,
        save_steps=3,
    )
    file = home / "alone.yaml"
    file.write_text(recipe.to_yaml())
    process = shell(home, "train", str(file), "--json")
    [alone] = peaks(lambda: process.poll() is None, lambda: [process.pid]).values()
    one = studio.runs.list()[0]
    assert one.state == "finished", one.error
    run = studio.train(recipe.with_(accelerate_config="fsdp2_cpu"))
    each = peaks(lambda: studio.runs.get(run.id).live, lambda: workers(run.id))
    done = studio.wait(run.id)
    assert (done.state, done.error) == ("finished", None)
    assert losses(done) == pytest.approx(losses(one), abs=1e-5)
    ratios = [peak / alone for peak in each.values()]
    said = f"{alone / 1e6:.0f} MB alone, {[f'{ratio:.3f}' for ratio in ratios]} of it in each"
    record_property("peak", said)
    assert len(ratios) == 2 and max(ratios) <= 0.6, said


@ALL
@pytest.mark.slow
@pytest.mark.parametrize(
    ("objective", "changes"),
    [
        ("sft", {"method": "full", "learning_rate": 1e-4}),
        ("sft", {"method": "lora"}),
        ("sft", {"method": "qlora"}),
        ("dpo", {"method": "lora", "start_from": True}),
        ("dpo", {"method": "full", "learning_rate": 1e-5}),
    ],
    ids=["full", "lora", "qlora", "dpo", "dpo-full"],
)
def test_sharded_runs_learn_what_one_process_does(
    objective: str, changes: dict[str, Any], studio: Studio
) -> None:
    learn_the_same(studio, objective, changes, "fsdp2_cpu", within=1e-5)


def learn_the_same(
    studio: Studio, objective: str, changes: dict[str, Any], launch: str, within: float
) -> None:
    """A run in two processes, stopped on the way and resumed with one log, beside one process."""
    if changes.get("start_from"):
        changes = changes | {"start_from": studio.wait(studio.train(small("sft", "facts")).id).id}
    data = "facts" if objective == "sft" else "taste"
    usual = {"max_steps": 8, "gradient_accumulation_steps": 2, "per_device_train_batch_size": 2}
    recipe = small(objective, data, **{**usual, **changes})
    alone = studio.wait(studio.train(recipe).id)
    assert alone.state == "finished", alone.error
    run = studio.train(recipe.with_(accelerate_config=launch))
    until(studio, run, 2)
    studio.stop(run.id)
    stopped = studio.wait(run.id)
    assert (stopped.state, stopped.error) == ("stopped", None)
    assert 2 <= stopped.step < 8
    done = studio.wait(studio.resume(run.id).id)
    assert (done.state, done.error, done.step) == ("finished", None, 8)
    events = done.events()[0]
    assert [event["step"] for event in events if "loss" in event] == list(range(1, 9))
    assert losses(done) == pytest.approx(losses(alone), abs=within)
    name = "model" if recipe.method == "full" else "adapter"
    assert weights(done.folder / name).keys() == weights(alone.folder / name).keys()
    for key, tensor in weights(alone.folder / name).items():
        assert torch.allclose(weights(done.folder / name)[key], tensor, atol=1e-3)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(next(folder.glob("*model.safetensors")))
