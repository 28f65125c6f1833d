"""The same SFT by the studio, stock TRL, tuned TRL and LLaMA-Factory, taking turns.

    python -m benchmarks.peers instruction-data.json --steps 40 --repeats 3
    python -m benchmarks.peers instruction-data.json --arms studio,trl --model pocket --steps 4

The same rows, model, rank, targets, rows a step, rate and seed; everything else is each side's own
default, `trl-tuned` packs its rows (padding-free, where a kernel for that is there). Each arm has a
virtual environment of its own under `--environments`, made where it is missing; an arm that cannot
be installed is skipped, with the reason. The studio's is this one.

One JSON line a run: seconds of the whole process's training, of the steps alone, tokens a row as
the arm cuts them, the losses, the loss of the result on held-out rows (measured the same way for
all), and the most memory the process held. Then the ratios to the studio, by the medians.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.beside import ROOT, machine

ARMS_PROGRAM = Path(__file__).with_name("peers_arms.py")
PACKAGES: dict[str, tuple[str, ...]] = {
    "studio": (),
    "trl": (
        "torch==2.13.0",
        "transformers==5.23.0",
        "trl==1.16.0",
        "peft==0.21.2",
        "datasets==5.2.0",
        "accelerate==1.15.0",
    ),
    "llama-factory": ("llamafactory==0.9.5",),
}
ARMS = {"studio": "studio", "trl": "trl", "trl-tuned": "trl", "llama-factory": "llama-factory"}
"""Each arm and its environment."""


class Skipped(NamedTuple):
    """Why an arm does not run."""

    reason: str


def environment(name: str, folder: Path) -> str | Skipped:
    """The Python of an environment, made and filled where it is missing."""
    if name == "studio":
        return sys.executable
    python = folder / name / "bin" / "python"
    if not python.is_file():
        made = _run([sys.executable, "-m", "venv", str(folder / name)])
        made = made or _run([str(python), "-m", "pip", "install", "-q", *PACKAGES[name]])
        if made:
            return Skipped(made)
    missing = _run([str(python), "-c", f"import {name.replace('llama-factory', 'llamafactory')}"])
    return Skipped(missing) if missing else str(python)


def _run(words: Sequence[str]) -> str:
    """Run a program; "" where it worked, else the last line it wrote."""
    done = subprocess.run(words, capture_output=True, text=True)
    said = (done.stderr or done.stdout).strip().splitlines() or ["without a word"]
    return "" if done.returncode == 0 else said[-1][:300]


def prepare(file: Path, model: str, home: Path) -> dict[str, Any]:
    """Rows and weights that all arms read: JSON Lines, and a folder in transformers' form."""
    from studio import Studio
    from studio.core.model_names import resolve
    from studio.data import PrepareOptions

    studio = Studio(home)
    try:
        options = PrepareOptions(test_fraction=0.1, seed=1)
        data = studio.datasets.prepare(str(file), name="rows", options=options)
        for split in ("train", "test"):
            lines = (json.dumps(dict(row)) for row in data.load(split))
            (home / f"{split}.jsonl").write_text("\n".join(lines), encoding="utf-8")
        return {"model": model, "folder": resolve(model).location, "home": str(home)}
    finally:
        studio.close()


def one(arm: str, python: str, given: dict[str, Any]) -> dict[str, Any] | Skipped:
    """One run of an arm in its own process; held-out loss is measured here afterwards."""
    with tempfile.TemporaryDirectory(prefix="peers-") as out:
        words = [python, str(ARMS_PROGRAM), arm, json.dumps(given | {"out": out})]
        environ = dict(os.environ, HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", WANDB_DISABLED="1")
        environ["PYTHONPATH"] = str(ROOT) + os.pathsep + environ.get("PYTHONPATH", "")
        if arm != "studio":  # an environment of its own sees no package of this one
            del environ["PYTHONPATH"]
        done = subprocess.run(words, capture_output=True, text=True, env=environ, cwd=out)
        if done.returncode:
            said = done.stderr.strip().splitlines() or ["without a word"]
            return Skipped(said[-1][:300])
        found = json.loads(done.stdout.strip().splitlines()[-1])
        return found | {"held_out": round(held_out(given, found.pop("adapter")), 4)}


def held_out(given: dict[str, Any], adapter: str) -> float:
    """The mean loss of an adapter on the answers of up to 64 held-out rows, by one template."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(given["folder"])
    base: Any = AutoModelForCausalLM.from_pretrained(given["folder"], dtype=torch.float32)
    model: Any = PeftModel.from_pretrained(base, adapter).eval()
    total, count = 0.0, 0
    for line in Path(given["home"], "test.jsonl").read_text("utf-8").splitlines()[:64]:
        row = json.loads(line)
        asked = tokenizer.apply_chat_template(
            row["prompt"], add_generation_prompt=True, tokenize=False
        )
        whole = tokenizer.apply_chat_template([*row["prompt"], *row["completion"]], tokenize=False)
        start = len(tokenizer(asked, add_special_tokens=False)["input_ids"])
        ids = tokenizer(whole, add_special_tokens=False)["input_ids"][: given["max_length"]]
        if len(ids) <= start:
            continue
        with torch.inference_mode():
            logits = model(torch.tensor([ids])).logits[0, start - 1 : -1].float()
        targets = torch.tensor(ids[start:])
        total += torch.nn.functional.cross_entropy(logits, targets, reduction="sum").item()
        count += len(targets)
    return total / max(1, count)


def ratios(runs: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Every arm's median seconds as a multiple of the studio's."""
    medians = {
        arm: statistics.median(run["seconds"] for run in runs if run["arm"] == arm)
        for arm in dict.fromkeys(run["arm"] for run in runs)
    }
    own = medians.get("studio")
    return {arm: round(found / own, 2) for arm, found in medians.items()} if own else {}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the arms in turn; prints the machine, a line a run, what was skipped, and the ratios."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--arms", default=",".join(ARMS), help="separated by commas")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rows", type=int, default=8, help="rows a step")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--environments", type=Path, default=Path(".peers"))
    chosen = parser.parse_args(arguments)
    arms = [arm.strip() for arm in chosen.arms.split(",")]
    if unknown := sorted(set(arms) - set(ARMS)):
        parser.error(f"there is no arm {unknown[0]}; arms: {', '.join(ARMS)}")
    print(json.dumps({"machine": machine(), "steps": chosen.steps}), flush=True)
    runs: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="studio-peers-") as home:
        given = prepare(chosen.file, chosen.model, Path(home))
        given |= {"steps": chosen.steps, "rows": chosen.rows, "max_length": 256, "rate": 2e-4}
        places = {arm: environment(ARMS[arm], chosen.environments.absolute()) for arm in arms}
        for _ in range(chosen.repeats):
            for arm in arms:
                python = places[arm]
                found = python if isinstance(python, Skipped) else one(arm, python, given)
                if isinstance(found, Skipped):
                    print(json.dumps({"arm": arm, "skipped": found.reason}), flush=True)
                    places[arm] = found
                    continue
                runs.append({"arm": arm} | found)
                print(json.dumps(runs[-1]), flush=True)
    print(json.dumps({"seconds, to the studio's": ratios(runs)}), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
