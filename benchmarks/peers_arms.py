"""One run of one arm of `benchmarks.peers`, in the arm's own environment: prints one JSON line.

Imports nothing of the studio but in the studio's own arm.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any


def studio(given: dict[str, Any]) -> dict[str, Any]:
    """As the studio trains it: watched by samples, checkpoints and held-out losses."""
    from studio import Studio
    from studio.runs.recipe import Recipe

    engine = Studio(given["home"])
    recipe = Recipe.defaults(
        "sft",
        model_name_or_path=given["model"],
        dataset_name="rows",
        lora_r=8,
        lora_alpha=16,
        lora_target_modules="all-linear",
        max_steps=given["steps"],
        max_length=given["max_length"],
        per_device_train_batch_size=given["rows"],
        gradient_accumulation_steps=1,
        learning_rate=given["rate"],
        seed=42,
    )
    try:
        run = engine.wait(engine.train(recipe).id)
    finally:
        engine.close()
    if run.state != "finished":
        raise SystemExit(run.error)
    events = run.events()[0]
    took = next(event for event in events if event["kind"] == "time")
    watched = sum(took[name] for name in ("samples", "checkpoints", "evaluation"))
    losses = [event["loss"] for event in events if event["kind"] == "log" and "loss" in event]
    tokens = [event["num_tokens"] for event in events if "num_tokens" in event]
    return result(
        took["seconds"],
        took["seconds"] - watched,
        losses,
        tokens[-1] if tokens else None,
        given,
        str(run.adapter),
    )


def trl(given: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """TRL's SFTTrainer with its defaults, and `settings`."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    lines = Path(given["home"], "train.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    trainer: Any = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(given["folder"], dtype="float32"),
        processing_class=AutoTokenizer.from_pretrained(given["folder"]),
        args=SFTConfig(
            given["out"],
            max_steps=given["steps"],
            max_length=given["max_length"],
            per_device_train_batch_size=given["rows"],
            learning_rate=given["rate"],
            seed=42,
            logging_steps=1,
            report_to="none",
            bf16=False,
            **settings,
        ),
        train_dataset=Dataset.from_list(rows).select_columns(["prompt", "completion"]),
        peft_config=LoraConfig(
            r=8, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM"
        ),
    )
    began = time.monotonic()
    trainer.train()
    seconds = time.monotonic() - began
    trainer.save_model(given["out"])
    history = trainer.state.log_history
    losses = [entry["loss"] for entry in history if "loss" in entry]
    tokens = [entry["num_tokens"] for entry in history if "num_tokens" in entry]
    return result(seconds, seconds, losses, tokens[-1] if tokens else None, given, given["out"])


def tuned(given: dict[str, Any]) -> dict[str, Any]:
    """TRL with packing; rows are whole, as `bfd_split` would cut them."""
    return trl(given, packing=True, packing_strategy="bfd")


def llama_factory(given: dict[str, Any]) -> dict[str, Any]:
    """LLaMA-Factory with its defaults, its template named after the model's own where it has it."""
    from llamafactory.train.tuner import run_exp

    out = Path(given["out"])
    lines = Path(given["home"], "train.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    made = [{"messages": [*row["prompt"], *row["completion"]]} for row in rows]
    (out / "rows.json").write_text(json.dumps(made), encoding="utf-8")
    tags = {
        "role_tag": "role",
        "content_tag": "content",
        "user_tag": "user",
        "assistant_tag": "assistant",
        "system_tag": "system",
    }
    info = {
        "rows": {
            "file_name": "rows.json",
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": tags,
        }
    }
    (out / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")
    began = time.monotonic()
    run_exp(
        {
            "stage": "sft",
            "do_train": True,
            "model_name_or_path": given["folder"],
            "finetuning_type": "lora",
            "lora_rank": 8,
            "lora_alpha": 16,
            "lora_target": "all",
            "dataset": "rows",
            "dataset_dir": str(out),
            "template": "chatml",
            "cutoff_len": given["max_length"],
            "output_dir": str(out / "run"),
            "per_device_train_batch_size": given["rows"],
            "max_steps": given["steps"],
            "learning_rate": given["rate"],
            "logging_steps": 1,
            "report_to": "none",
            "seed": 42,
            "overwrite_output_dir": True,
            "include_num_input_tokens_seen": "all",
        }
    )
    whole = time.monotonic() - began
    state = json.loads((out / "run" / "trainer_state.json").read_text("utf-8"))
    history = state["log_history"]
    losses = [entry["loss"] for entry in history if "loss" in entry]
    steps = next((entry["train_runtime"] for entry in history if "train_runtime" in entry), whole)
    seen = state.get("num_input_tokens_seen") or None
    return result(steps, steps, losses, seen, given, str(out / "run"))


def result(
    seconds: float,
    steps: float,
    losses: list[float],
    tokens: float | None,
    given: dict[str, Any],
    adapter: str,
) -> dict[str, Any]:
    """The line that is printed; `seconds` are of training with what it is watched by."""
    rows = given["steps"] * given["rows"]
    status = Path("/proc/self/status")
    held = status.read_text("utf-8").partition("VmHWM:")[2].split() if status.is_file() else []
    return {
        "seconds": round(seconds, 2),
        "steps_seconds": round(steps, 2),
        "tokens_a_row": round(tokens / rows, 1) if tokens else None,
        "first_loss": round(losses[0], 4),
        "last_loss": round(sum(losses[-5:]) / len(losses[-5:]), 4),
        "peak_mb": round(int(held[0]) * 1024 / 1e6) if held else None,
        "adapter": adapter,
    }


ARMS = {"studio": studio, "trl": trl, "trl-tuned": tuned, "llama-factory": llama_factory}

if __name__ == "__main__":
    arm = ARMS[sys.argv[1]](json.loads(sys.argv[2]))
    print("\n" + json.dumps(arm), flush=True)
