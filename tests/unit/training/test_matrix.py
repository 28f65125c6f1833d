"""Every objective with every method, on the pocket model.

`make test` runs a diagonal; `make test-matrix` runs all of it, and writes the table in
docs/methods.md anew from what it saw.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from studio.core.errors import ConfigError
from studio.runs.methods import METHODS
from studio.runs.objectives import DPO_LOSSES, OBJECTIVES
from tests.unit.training.matrix import cell, recipe_of

ALL = bool(os.environ.get("STUDIO_MATRIX"))
TABLE = Path(__file__).resolve().parents[3] / "docs" / "methods.md"
MARK = "<!-- written by make test-matrix -->"
DIAGONAL = (
    *(("sft", method) for method in METHODS),
    *((objective, "lora") for objective in OBJECTIVES if objective != "sft"),
    ("dpo", "full"), ("dpo", "pissa"), ("dpo", "prefix_tuning"), ("dpo", "qlora"),
    ("kto", "last_layers"), ("simpo", "qlora"), ("reward", "qlora"),
)  # fmt: skip
SEEN: dict[tuple[str, str], str] = {}
"""What became of each cell that this session trained: `trained`, or a sentence."""
EVERY = [(objective, method) for objective in OBJECTIVES for method in METHODS]
# Further ways to set a method up.
VARIANTS = (
    ("lora", {"use_rslora": True, "rank_pattern": {"q_proj": 2}, "alpha_pattern": {"q_proj": 4}}),
    ("lora", {"loraplus_lr_ratio": 16.0}),
    ("lora", {"lora_modules_to_save": ("embed_tokens",)}),
    ("lora", {"layers_to_transform": (1, 2), "neftune_noise_alpha": 5.0}),
    ("dora", {"ephemeral_gpu_offload": True}),
    ("dora", {"load_in_4bit": True}),
    ("qlora", {"bnb_4bit_quant_type": "fp4", "use_bnb_nested_quant": False}),
    ("qlora", {"load_in_8bit": True}),
    ("pissa", {"pissa_niter": 4}),
    *((m, {"load_in_4bit": True}) for m in ("adalora", "vera", "ia3", "oft", "prefix_tuning")),
    ("prompt_tuning", {"prompt_tuning_init_text": "Answer kindly and briefly."}),
    ("prefix_tuning", {"prefix_projection": True}),
    *(("lora", {"optim": name}) for name in ("adafactor", "lion_32bit", "sgd", "rmsprop")),
)


def allowed(answer: str) -> bool:
    return answer == "trained" or "a GPU, and there is none" in answer


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "method"), EVERY if ALL else DIAGONAL)
def test_a_cell_trains_or_says_why_not(objective: str, method: str) -> None:
    try:
        recipe_of(objective, method)
    except ConfigError as refusal:
        assert len(str(refusal)) > 40
        return
    answer = cell(objective, method)
    assert allowed(answer)
    SEEN[objective, method] = answer


@pytest.mark.slow
@pytest.mark.parametrize(("method", "changes"), VARIANTS if ALL else VARIANTS[:3] + VARIANTS[7:9])
def test_a_method_set_up_otherwise(method: str, changes: dict) -> None:
    assert allowed(cell("sft", method, **changes))


@pytest.mark.slow
@pytest.mark.parametrize("loss", DPO_LOSSES if ALL else ("ipo", "robust", "apo_down"))
def test_every_dpo_loss(loss: str) -> None:
    smoothing = 0.1 if loss in ("exo_pair", "robust") else 0.0
    assert cell("dpo", "lora", loss_type=(loss,), label_smoothing=smoothing) == "trained"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("objective", "changes"),
    [
        ("dpo", {"loss_type": ("sigmoid", "sft"), "loss_weights": (1.0, 0.2)}),
        ("dpo", {"f_divergence_type": "js_divergence", "ld_alpha": 0.5, "use_weighting": True}),
        ("dpo", {"precompute_ref_log_probs": True}),
        ("sft", {"loss_type": ("dft",)}),
        ("kto", {"loss_type": ("apo_zero_unpaired",)}),
        ("simpo", {"loss_type": ("alphapo",)}),
        ("reward", {"center_rewards_coefficient": 0.01}),
        ("grpo", {"importance_sampling_level": "sequence", "loss_type": ("grpo",)}),
        ("grpo", {"loss_type": ("cispo",), "epsilon_high": 5.0}),
        ("distillation", {"beta": 0.5}),
    ],
)
def test_an_objective_set_up_otherwise(objective: str, changes: dict) -> None:
    assert cell(objective, "lora", **changes) == "trained"


def table() -> str:
    """The matrix as Markdown, with a number for every reason to refuse.

    The full run puts down what it saw; without it LoftQ, which needs CUDA, is the one that waits.
    """
    reasons: dict[str, int] = {}
    lines = [
        "| | "
        + " | ".join(row.label + r" \*" * row.experimental for row in OBJECTIVES.values())
        + " |",
        "|---|" + "---|" * len(OBJECTIVES),
    ]
    for method, row in METHODS.items():
        marks = []
        for objective in OBJECTIVES:
            try:
                recipe_of(objective, method)
                waits = SEEN[objective, method] != "trained" if ALL else method == "loftq"
                marks.append("GPU" if waits else "yes")
            except ConfigError as refusal:
                reason = str(refusal).removeprefix("The recipe is inconsistent: ")
                marks.append(f"no [{reasons.setdefault(reason, len(reasons) + 1)}]")
        lines.append(f"| {row.label} (`{method}`) | " + " | ".join(marks) + " |")
    lines.append("")
    lines += [f"{number}. {reason}" for reason, number in reasons.items()]
    return "\n".join(lines)


def test_the_table_in_the_docs_is_what_happens() -> None:
    """Written by the full run from what it saw; a cell that it did not see train fails here."""
    before, _, after = TABLE.read_text(encoding="utf-8").partition(MARK)
    if ALL:
        TABLE.write_text(f"{before}{MARK}\n\n{table()}\n", encoding="utf-8")
        return
    assert after.strip() == table()
