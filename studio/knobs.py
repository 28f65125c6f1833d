"""Every knob of a run, named once: TRL's and PEFT's names, a one-line help, limits and a default.

The form in the page, the YAML and the shell's `--set` are all made from these fields
(see `studio.recipe`).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Objective = Literal["sft", "dpo"]
Method = Literal["lora", "dora", "qlora", "full"]
LossType = Literal[
    "sigmoid", "sigmoid_norm", "hinge", "ipo", "robust", "exo_pair", "nca_pair", "bco_pair",
    "sppo_hard", "aot", "aot_unpaired", "apo_zero", "apo_down", "discopop", "sft",
]  # fmt: skip


def _knob(
    default: Any,
    help: str,
    *,
    group: str,
    label: str | None = None,
    only: str | None = None,
    **rules: Any,
) -> Any:
    """A field with what a form needs to know: its group, its label and when it applies.

    `only` names the objective (`sft`, `dpo`) or kind of method (`adapter`, `quantized`) it is for.
    """
    extra = {"group": group, "label": label, "only": only}
    return Field(default, description=help, json_schema_extra=extra, **rules)


class Knobs(BaseModel):
    """The fields of a recipe, each with its help, its group in the form, and its limits."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    # --- what
    name: str = _knob(
        "", "A label for people; ids are made by the studio.", group="what", max_length=120
    )
    objective: Objective = _knob(
        "sft", "What is learned: sft imitates answers, dpo prefers some to others.", group="what"
    )
    method: Method = _knob(
        "lora",
        "What is trained: lora and dora add an adapter, qlora does so on a 4-bit base, "
        "full trains all weights.",
        group="what",
    )
    model_name_or_path: str = _knob(
        "pocket",
        "The base model: `pocket` (built in), a Hub id or a folder.",
        group="what",
        label="Model",
        min_length=1,
    )
    model_revision: str = _knob(
        "main", "Branch, tag or commit on the Hub.", group="model", label="Revision"
    )
    dataset_name: str = _knob(
        "pocket-sft",
        "A prepared dataset, a shipped sample, a file or a Hub id.",
        group="what",
        label="Dataset",
        min_length=1,
    )
    start_from: str | None = _knob(
        None,
        "A finished run whose adapter is continued; for DPO its frozen copy is the reference.",
        group="what",
        label="Start from",
    )

    # --- adapter
    lora_r: int = _knob(
        16,
        "Rank of the adapter's two matrices.",
        group="adapter",
        label="Rank",
        only="adapter",
        ge=1,
        le=1024,
    )
    lora_alpha: int = _knob(
        32,
        "Scale: the update is multiplied by alpha / r.",
        group="adapter",
        label="Alpha",
        only="adapter",
        ge=1,
    )
    lora_dropout: float = _knob(
        0.0,
        "Dropout on the adapter's input.",
        group="adapter",
        label="Dropout",
        only="adapter",
        ge=0,
        lt=1,
    )
    lora_target_modules: tuple[str, ...] | str = _knob(
        "all-linear",
        "Module names that get an adapter, or all-linear.",
        group="adapter",
        label="Targets",
        only="adapter",
    )
    lora_modules_to_save: tuple[str, ...] = _knob(
        (),
        "Modules trained whole and saved with the adapter.",
        group="adapter",
        label="Modules trained whole",
        only="adapter",
    )
    use_rslora: bool = _knob(
        False,
        "Scale by alpha / sqrt(r), which keeps high ranks stable.",
        group="adapter",
        label="Rank-stabilised",
        only="adapter",
    )

    # --- optimisation
    learning_rate: float = _knob(2e-4, "Peak learning rate.", group="optimisation", gt=0, le=1)
    num_train_epochs: float = _knob(
        3.0, "Passes over the data.", group="optimisation", label="Epochs", gt=0, le=1000
    )
    max_steps: int = _knob(
        -1, "Stop after this many steps; -1 leaves it to the epochs.", group="optimisation", ge=-1
    )
    per_device_train_batch_size: int = _knob(
        8, "Rows a step on each device.", group="optimisation", label="Batch size", ge=1, le=4096
    )
    gradient_accumulation_steps: int = _knob(
        1, "Batches added up before a step.", group="optimisation", label="Accumulation", ge=1
    )
    max_length: int = _knob(
        512,
        "Tokens a row; longer rows are cut at the end.",
        group="optimisation",
        label="Length",
        ge=8,
        le=1_048_576,
    )
    lr_scheduler_type: str = _knob(
        "cosine",
        "How the learning rate falls: cosine, linear, constant ...",
        group="optimisation",
        label="Schedule",
    )
    warmup_steps: float = _knob(
        0.05,
        "Steps of rising learning rate; below 1 it is a share of all steps.",
        group="optimisation",
        label="Warm-up",
        ge=0,
    )
    optim: str = _knob(
        "adamw_torch_fused",
        "Optimizer by transformers' name.",
        group="optimisation",
        label="Optimizer",
    )
    weight_decay: float = _knob(
        0.0, "Pull of the trained weights towards zero.", group="optimisation", ge=0
    )
    max_grad_norm: float = _knob(
        1.0,
        "Gradients longer than this are shortened to it.",
        group="optimisation",
        label="Gradient clipping",
        ge=0,
    )
    neftune_noise_alpha: float | None = _knob(
        None,
        "Noise on the embeddings while training (NEFTune).",
        group="optimisation",
        label="NEFTune noise",
        ge=0,
    )
    seed: int = _knob(
        42, "Of data order, dropout and the adapter's start.", group="optimisation", ge=0
    )

    # --- SFT
    completion_only_loss: bool | None = _knob(
        None,
        "Train on the completion only; by default so when rows have a prompt and a completion.",
        group="objective",
        label="Completions only",
        only="sft",
    )
    assistant_only_loss: bool = _knob(
        False,
        "Train on assistant turns only; needs generation marks in the chat template.",
        group="objective",
        label="Assistant turns only",
        only="sft",
    )
    chat_template_path: str | None = _knob(
        None,
        "Chat template in place of the model's own: chatml, llama3, zephyr, alpaca, plain or a "
        ".jinja file. It is saved with the adapter.",
        group="objective",
        label="Chat template",
    )
    packing: bool = _knob(
        False,
        "Put several short rows into one sequence: far less padding.",
        group="objective",
        only="sft",
    )

    # --- DPO
    beta: float = _knob(
        0.1,
        "How closely the tuned model is held to the reference.",
        group="objective",
        label="Beta",
        only="dpo",
        gt=0,
    )
    loss_type: tuple[LossType, ...] = _knob(
        ("sigmoid",),
        "DPO's loss, or several that are added up.",
        group="objective",
        label="Loss",
        only="dpo",
    )
    loss_weights: tuple[float, ...] | None = _knob(
        None, "A weight for each loss.", group="objective", only="dpo"
    )
    label_smoothing: float = _knob(
        0.0,
        "Share of labels taken to be wrong (robust, exo_pair).",
        group="objective",
        only="dpo",
        ge=0,
        lt=0.5,
    )
    precompute_ref_log_probs: bool = _knob(
        False,
        "Score the reference once before training.",
        group="objective",
        label="Reference scored once",
        only="dpo",
    )

    # --- precision and memory
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = _knob(
        "auto",
        "Of the loaded weights; auto takes bfloat16 where the GPU has it, float32 on a CPU.",
        group="memory",
        label="Number format",
    )
    load_in_4bit: bool = _knob(
        False, "Hold the base in 4 bits (QLoRA).", group="memory", only="quantized"
    )
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = _knob(
        "nf4", "The 4-bit number format.", group="memory", label="4-bit format", only="quantized"
    )
    use_bnb_nested_quant: bool = _knob(
        True,
        "Quantise the quantisation constants too.",
        group="memory",
        label="Double quantisation",
        only="quantized",
    )
    activation_checkpointing: bool = _knob(
        False,
        "Recompute activations in the backward pass: less memory, about a fifth slower.",
        group="memory",
    )
    attn_implementation: str | None = _knob(
        None, "Attention kernel by transformers' name.", group="memory", label="Attention kernel"
    )

    # --- watching and keeping
    logging_steps: int = _knob(
        1, "Steps between points on the charts.", group="keeping", label="Log every", ge=1
    )
    eval_steps: int | None = _knob(
        None,
        "Steps between evaluations on the held-out split; empty: after each epoch.",
        group="keeping",
        label="Evaluate every",
        ge=1,
    )
    save_steps: int | None = _knob(
        None,
        "Steps between checkpoints; empty saves about ten times a run.",
        group="keeping",
        label="Checkpoint every",
        ge=1,
    )
    save_total_limit: int = _knob(
        2,
        "Checkpoints kept; never fewer than two.",
        group="keeping",
        label="Checkpoints kept",
        ge=2,
    )
    sample_steps: int | None = _knob(
        None,
        "Steps between sample answers; empty takes about six a run, 0 none.",
        group="keeping",
        label="Sample answers every",
        ge=0,
    )
