"""Base, SFT and DPO on the pocket model, end to end on two cores: a table of held-out figures.

    python -m benchmarks.pocket [--write-card] [--seeds 7 1] [--model FOLDER]

Plain TRL and PEFT, driven by the two shipped recipes, so the figures in the model card do not
depend on the studio's own engine. Replies are greedy; the rules that judge them are in
``presets/pocket/maker/rules.py``.
"""

from __future__ import annotations

import argparse
import json
import logging
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch
import yaml
from datasets import load_dataset
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from presets.pocket.maker.card import figures_table, write_figures
from presets.pocket.maker.rules import is_right, keeps_format, says_unknown, stops, style
from presets.pocket.maker.world import VALUES

PRESETS = Path(__file__).resolve().parents[1] / "presets"
POCKET = PRESETS / "pocket"
DATASETS = {"pocket-sft": "sft.jsonl", "pocket-preference": "preference.jsonl"}
# Keys for the studio or for loading; what is left, LoRA's aside, goes to TRL's config as it stands.
OURS = ("name", "objective", "method", "model_name_or_path", "dtype", "dataset_name", "start_from")
Row = dict[str, Any]


def load_recipe(name: str, **changes: Any) -> Row:
    """The recipe of that name as a dict, with ``changes`` on top."""
    return yaml.safe_load((PRESETS / "recipes" / f"{name}.yaml").read_text()) | changes


def trainer_config(recipe: Row, folder: str) -> SFTConfig | DPOConfig:
    """TRL's config for a recipe: its own names, plus what a CPU run wants."""
    kwargs = {k: v for k, v in recipe.items() if k not in OURS and not k.startswith("lora_")}
    kind = SFTConfig if recipe["objective"] == "sft" else DPOConfig
    return kind(
        output_dir=folder,
        use_cpu=True,
        bf16=False,
        activation_checkpointing=False,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
        dataloader_pin_memory=False,
        **kwargs,
    )


def lora_config(recipe: Row) -> LoraConfig:
    """PEFT's config for a recipe."""
    return LoraConfig(
        r=recipe["lora_r"],
        lora_alpha=recipe["lora_alpha"],
        lora_dropout=recipe["lora_dropout"],
        target_modules=recipe["lora_target_modules"],
        task_type="CAUSAL_LM",
    )


def train(model: Any, tokenizer: Any, recipe: Row) -> tuple[Any, tuple[float, float]]:
    """Train as the recipe says; returns the model, and the seconds by the clock and of CPU.

    On a shared machine the CPU seconds over the number of threads say more than the clock.
    """
    data = load_dataset(
        "json", data_files=str(POCKET / "data" / DATASETS[recipe["dataset_name"]]), split="train"
    )
    with tempfile.TemporaryDirectory() as folder:
        config = trainer_config(recipe, folder)
        kind = SFTTrainer if recipe["objective"] == "sft" else DPOTrainer
        trainer = kind(model=model, args=config, train_dataset=data, processing_class=tokenizer)
        start = time.monotonic(), time.process_time()
        trainer.train()
        seconds = time.monotonic() - start[0], time.process_time() - start[1]
    last = [entry for entry in trainer.state.log_history if "loss" in entry][-1]
    logging.info("%s: %s", recipe["name"], json.dumps(last))
    return trainer.model, seconds


@torch.inference_mode()
def reply(model: Any, tokenizer: Any, prompts: list[str], size: int = 64) -> list[list[str]]:
    """Greedy replies through the chat template as lists of tokens, up to 112 tokens each."""
    model.eval()
    replies: list[list[str]] = []
    for i in range(0, len(prompts), size):
        chats = [[{"role": "user", "content": p}] for p in prompts[i : i + size]]
        texts = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
        batch = tokenizer(texts, return_tensors="pt", padding=True, padding_side="left")
        output = model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            do_sample=False,
            max_new_tokens=112,
        )
        for row in output[:, batch["input_ids"].shape[1] :].tolist():
            replies.append(tokenizer.convert_ids_to_tokens(row))
    return replies


def judge(tokenizer: Any, rows: list[Row], replies: list[list[str]]) -> dict[str, float]:
    """Shares in percent over all rows, and over each kind of question."""
    scores: dict[str, list[bool]] = {}
    for row, tokens in zip(rows, replies, strict=True):
        text = tokenizer.decode(tokenizer.convert_tokens_to_ids(tokens), skip_special_tokens=True)
        if row["kind"] == "unknown":
            right = says_unknown(text)
        else:
            rivals = VALUES[row["attribute"]]
            right = is_right(text, row["answers"], rivals) and not says_unknown(text)
        marks = {
            "exact": right,
            row["kind"]: right,
            "format": keeps_format(tokens),
            "stops": stops(tokens),
        }
        marks |= {name: style(text) == name for name in ("courteous", "curt", "rambling")}
        for name, mark in marks.items():
            scores.setdefault(name, []).append(mark)
    return {name: 100 * sum(marks) / len(marks) for name, marks in scores.items()}


def measure(model: Any, tokenizer: Any) -> tuple[dict[str, float], list[str]]:
    """The held-out figures and the replies to the demo prompts."""
    lines = (POCKET / "data" / "questions.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    figures = judge(tokenizer, rows, reply(model, tokenizer, [row["prompt"] for row in rows]))
    lines = (POCKET / "data" / "prompts.jsonl").read_text().splitlines()
    prompts = [json.loads(line)["prompt"] for line in lines]
    shown = [
        f"{p} -> {tokenizer.decode(tokenizer.convert_tokens_to_ids(t), skip_special_tokens=True)}"
        for p, t in zip(prompts, reply(model, tokenizer, prompts), strict=True)
    ]
    return figures, shown


def run(folder: Path, seeds: list[int]) -> dict[str, dict[str, float]]:
    """Base, then for every seed SFT and DPO from that adapter: figures by stage."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    stages: dict[str, dict[str, float]] = {}

    def base() -> Any:
        # A fresh one for each trainer: TRL wraps the forward of the model it is given for good.
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    def note(stage: str, model: Any, seconds: tuple[float, float]) -> None:
        figures, shown = measure(model, tokenizer)
        stages[stage] = figures | {"seconds": seconds[0], "cpu_seconds": seconds[1]}
        logging.info("%s %s\n%s", stage, stages[stage], "\n".join(f"  {line}" for line in shown))

    note("base", base(), (0.0, 0.0))
    for seed in seeds:
        sft, dpo = load_recipe("pocket-sft", seed=seed), load_recipe("pocket-dpo", seed=seed)
        torch.manual_seed(seed)
        tuned, seconds = train(get_peft_model(base(), lora_config(sft)), tokenizer, sft)
        note(f"SFT, seed {seed}", tuned, seconds)
        with tempfile.TemporaryDirectory() as adapter:
            tuned.save_pretrained(adapter)
            tuned = PeftModel.from_pretrained(base(), adapter, is_trainable=True)
        tuned, seconds = train(tuned, tokenizer, dpo)
        note(f"DPO, seed {seed}", tuned, seconds)
    return stages


def main() -> None:
    """Run and print the table; write it into the card when asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=POCKET)
    parser.add_argument("--seeds", type=int, nargs="+", default=[7])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write-card", action="store_true")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", category=FutureWarning)
    torch.set_num_threads(options.threads)
    stages = run(options.model, options.seeds)
    print(figures_table(stages))
    if options.write_card:
        write_figures(stages, POCKET)


if __name__ == "__main__":
    main()
