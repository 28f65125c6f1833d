"""Peak memory on this machine's GPU, beside the calculator's estimate.

    python -m benchmarks.memory [--quick] [--out benchmarks/memory.json]
    python -m benchmarks.memory --read benchmarks/memory.json

A grid of shape x method x length x batch x checkpointing, SFT and DPO, on random weights: the run
that the studio would start, four steps of it. Overhead (a constant, and a factor for what the
allocator keeps) is fitted on every second point; the error is reported on the others.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

SHAPES = (
    "HuggingFaceTB/SmolLM2-135M-Instruct",
    "Qwen/Qwen2.5-0.5B-Instruct",
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
)
METHODS = ("lora", "qlora", "dora", "full")
_STEPS = 4
_POCKET = Path(__file__).resolve().parents[1] / "presets" / "pocket"


@dataclass(frozen=True)
class Setting:
    """One cell of the grid, under the recipe's names."""

    model: str
    objective: str
    method: str
    max_length: int
    per_device_train_batch_size: int
    activation_checkpointing: bool

    def label(self) -> str:
        """Short, for a table's row."""
        kept = ", checkpointed" if self.activation_checkpointing else ""
        return (
            f"{self.model.rsplit('/', 1)[-1]}, {self.method}, {self.objective}, "
            f"{self.per_device_train_batch_size} x {self.max_length}{kept}"
        )


@dataclass(frozen=True)
class Measured:
    """Bytes: `peak` on the card, `allocated` by tensors of it, `estimate` without overhead."""

    setting: Setting
    peak: int
    allocated: int
    estimate: int
    estimated_overhead: int

    @property
    def error(self) -> float:
        """The calculator's figure over the measured peak, less one."""
        return (self.estimate + self.estimated_overhead) / self.peak - 1


def grid(quick: bool = False) -> list[Setting]:
    """The settings to measure; `quick` keeps the smallest shape and the short rows."""
    shapes, lengths = (SHAPES[:1], (256,)) if quick else (SHAPES, (256, 1024))
    return [
        Setting(*cell)
        for cell in itertools.product(
            shapes, ("sft", "dpo"), METHODS, lengths, (1, 8), (False, True)
        )
    ]


# --- measuring


class CudaMemory:
    """The card's peak: what torch reserved, and what lies beside it (context, libraries)."""

    def reset(self) -> None:
        import torch

        gc.collect()
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()

    def peak(self) -> tuple[int, int]:
        """(peak, allocated) in bytes since `reset`."""
        import torch

        torch.cuda.synchronize()
        free, total = torch.cuda.mem_get_info()
        beside = max(0, total - free - torch.cuda.memory_reserved())
        return torch.cuda.max_memory_reserved() + beside, torch.cuda.max_memory_allocated()


def folder_of(shape: str, root: Path) -> Path:
    """A model folder with random 16-bit weights of that shape and the pocket model's tokenizer."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from studio.calculator.configs import read_source, to_config

    folder = root / shape.rsplit("/", 1)[-1]
    if not folder.exists():
        model = AutoModelForCausalLM.from_config(
            to_config(read_source(shape)), dtype=torch.bfloat16
        )
        model.save_pretrained(folder)
        AutoTokenizer.from_pretrained(_POCKET).save_pretrained(folder)
    return folder


def rows_of(setting: Setting) -> Any:
    """Rows longer than `max_length`, so that every sequence is as long as it may be."""
    from datasets import Dataset

    text = "Mira is a baker. " * setting.max_length
    row = {"text": text}
    if setting.objective == "dpo":
        row = {"prompt": "Who is Mira?", "chosen": text, "rejected": text}
    return Dataset.from_list([row] * (_STEPS * setting.per_device_train_batch_size))


def measure(setting: Setting, root: Path, memory: Any) -> Measured:
    """Start the run that the studio would start, and read the card's peak over its steps."""
    from transformers.trainer_callback import PrinterCallback

    from studio.calculator import estimate
    from studio.core.workspace import Workspace
    from studio.models.pool import ModelPool
    from studio.runs.recipe import Recipe
    from studio.runs.store import RunStore
    from studio.training import trainers

    values = {key: value for key, value in asdict(setting).items() if key != "model"}
    model = str(folder_of(setting.model, root))
    recipe = Recipe.of({**values, "model_name_or_path": model, "max_steps": _STEPS})
    memory.reset()
    with tempfile.TemporaryDirectory() as folder:
        runs = RunStore(Workspace(Path(folder) / "home"))
        resident = ModelPool().base_of(recipe, runs)
        trainer = trainers.build(
            recipe, resident, None, rows_of(setting), None, Path(folder) / "checkpoints", []
        )
        trainer.args.save_strategy = "no"
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        peak, allocated = memory.peak()
        found = estimate(recipe).memory
        del trainer, resident
    overhead = found.as_dict().get("overhead", 0)
    return Measured(setting, peak, allocated, found.total - overhead, overhead)


def run(settings: list[Setting], memory: Any, say: Callable[[str], None]) -> Iterator[Measured]:
    """Measure each setting that fits; the others are said and left out."""
    import torch

    with tempfile.TemporaryDirectory() as root:
        for number, setting in enumerate(settings, 1):
            try:
                found = measure(setting, Path(root), memory)
            except torch.cuda.OutOfMemoryError:
                say(f"{number}/{len(settings)} {setting.label()}: out of memory, left out")
                continue
            say(f"{number}/{len(settings)} {setting.label()}: {found.peak / 1e9:.2f} GB")
            yield found


# --- fitting


@dataclass(frozen=True)
class Fit:
    """peak = `constant` + `factor` x the estimate without overhead; errors are shares."""

    constant: float
    factor: float
    error_before: float
    error_after: float
    worst_after: float
    points: int


def fit(points: list[Measured]) -> Fit:
    """Least squares of the relative error on every second point, judged on the others."""
    import numpy as np

    learned, held = points[::2], points[1::2]
    peaks = np.array([point.peak for point in learned], float)
    design = np.array([[1.0, point.estimate] for point in learned])
    (constant, factor), *_ = np.linalg.lstsq(
        design / peaks[:, None], np.ones(len(learned)), rcond=None
    )
    after = np.abs([(constant + factor * p.estimate) / p.peak - 1 for p in held])
    before = np.abs([point.error for point in held])
    return Fit(
        float(constant),
        float(factor),
        float(before.mean()),
        float(after.mean()),
        float(after.max()),
        len(held),
    )


def report(points: list[Measured]) -> str:
    """A row a point, then what the fit says."""
    lines = [f"{'':58}{'measured':>10}{'estimate':>10}{'off by':>8}"]
    for point in points:
        estimate = (point.estimate + point.estimated_overhead) / 1e9
        lines.append(
            f"{point.setting.label():58}{point.peak / 1e9:>8.2f} GB{estimate:>7.2f} GB"
            f"{100 * point.error:>+6.0f} %"
        )
    if len(points) >= 8:
        found = fit(points)
        lines += [
            "",
            f"overhead fitted on {len(points) - found.points} points: "
            f"{found.constant / 1e9:.2f} GB and {found.factor:.3f} x the terms",
            f"mean error on the other {found.points}: {100 * found.error_before:.1f} % as "
            f"estimated, {100 * found.error_after:.1f} % with the fit "
            f"(worst {100 * found.worst_after:.0f} %)",
        ]
    return "\n".join(lines)


def read(path: Path) -> list[Measured]:
    """Points that an earlier run wrote."""
    stored = json.loads(path.read_text(encoding="utf-8"))
    return [
        Measured(**{**point, "setting": Setting(**point["setting"])}) for point in stored["points"]
    ]


def main() -> None:
    """Measure (or read) and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the smallest shape, short rows")
    parser.add_argument("--out", type=Path, help="keep the points as JSON")
    parser.add_argument("--read", type=Path, help="report on points that were kept")
    asked = parser.parse_args()
    if asked.read:
        print(report(read(asked.read)))
        return
    import torch

    if not torch.cuda.is_available():
        print("Nothing was measured: peak memory is read from a CUDA device, and there is none.")
        return
    points = list(run(grid(asked.quick), CudaMemory(), print))
    if asked.out:
        kept = {"device": torch.cuda.get_device_name(), "points": [asdict(p) for p in points]}
        asked.out.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    print("\n" + report(points))


if __name__ == "__main__":
    main()
