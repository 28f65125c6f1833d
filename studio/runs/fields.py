"""Every knob of a run, named once: TRL's and PEFT's names, a one-line help, limits and a default.

The form in the page, the YAML and the shell's `--set` are all made from these fields
(see `studio.runs.recipe`). A knob of a method (group `adapter`) applies where `studio.runs.methods`
lists it; `only` names the objectives that another knob is for, or a key of `QUANTIZATION`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Objective = Literal["sft", "dpo", "kto", "orpo", "cpo", "simpo", "reward", "grpo", "rloo"]
Method = Literal[
    "lora",
    "dora",
    "qlora",
    "pissa",
    "loftq",
    "adalora",
    "loha",
    "lokr",
    "vera",
    "ia3",
    "oft",
    "prompt_tuning",
    "prefix_tuning",
    "p_tuning",
    "llama_adapter",
    "last_layers",
    "full",
]
LossType = Literal[
    "sigmoid",
    "sigmoid_norm",
    "hinge",
    "ipo",
    "robust",
    "exo_pair",
    "nca_pair",
    "bco_pair",
    "sppo_hard",
    "aot",
    "aot_unpaired",
    "apo_zero",
    "apo_down",
    "discopop",
    "sft",
    "nll",
    "dft",
    "kto",
    "apo_zero_unpaired",
    "simpo",
    "alphapo",
    "dapo",
    "grpo",
    "dr_grpo",
    "bnpo",
    "cispo",
]
OptimName = Literal[
    "adamw_torch_fused",
    "adamw_torch",
    "adamw_8bit",
    "adamw_bnb_8bit",
    "paged_adamw_32bit",
    "paged_adamw_8bit",
    "adafactor",
    "lion_32bit",
    "lion_8bit",
    "paged_lion_32bit",
    "paged_lion_8bit",
    "ademamix",
    "ademamix_8bit",
    "paged_ademamix_32bit",
    "paged_ademamix_8bit",
    "sgd",
    "adagrad",
    "rmsprop",
    "rmsprop_bnb",
    "rmsprop_bnb_8bit",
    "rmsprop_bnb_32bit",
]
LaunchName = Literal["single", "multi_cpu", "multi_gpu", "fsdp2", "zero2", "zero3"]
SchedulerName = Literal[
    "cosine",
    "linear",
    "constant",
    "constant_with_warmup",
    "cosine_with_restarts",
    "polynomial",
    "inverse_sqrt",
    "reduce_lr_on_plateau",
    "cosine_with_min_lr",
    "warmup_stable_decay",
]

QUANTIZATION = {"quantized": ("always",), "quantizable": ("may",), "either": ("always", "may")}
"""What `only` says of a base held in few bits -> `Method.quantized` of the methods it is for."""


def _field(
    default: Any,
    help: str,
    group: str,
    label: str | None = None,
    only: str | None = None,
    **rules: Any,
) -> Any:
    """A field with what a form needs to know: its group, its label and when it applies."""
    extra = {"group": group, "label": label, "only": only}
    return Field(default, description=help, json_schema_extra=extra, **rules)


# fmt: off
class RecipeFields(BaseModel):
    """The fields of a recipe, each with its help, its group in the form, and its limits."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    # --- what
    name: str = _field(
        "", "A label for people; empty: after model, objective and data.", "what", max_length=120)
    objective: Objective = _field(
        "sft", "What is learned: sft imitates answers, dpo prefers some to others, reward scores "
        "them, grpo and rloo learn from rewards; orpo, cpo and simpo are experimental.", "what")
    method: Method = _field(
        "lora", "What is trained: most methods add a small adapter (qlora on a 4-bit base), "
        "full trains all weights.", "what")
    model_name_or_path: str = _field(
        "pocket", "The base model: `pocket` (built in), a Hub id or a folder.",
        "what", "Model", min_length=1)
    model_revision: str = _field("main", "Branch, tag or commit on the Hub.", "model", "Revision")
    dataset_name: str = _field(
        "pocket-sft", "A prepared dataset, a shipped sample, a file or a Hub id.",
        "what", "Dataset", min_length=1)
    start_from: str | None = _field(
        None, "A finished run whose adapter is continued; for DPO its frozen copy is the "
        "reference.", "what", "Start from")
    start_as: Literal["continue", "merge"] = _field(
        "continue", "With start_from: go on with its adapter, or merge it into a 16-bit base and "
        "put a fresh adapter on top.", "objective", "Start as")

    # --- adapter
    lora_r: int = _field(
        16, "Rank of the adapter's matrices.", "adapter", "Rank", ge=1, le=1024)
    lora_alpha: int = _field(
        32, "Scale: the update is multiplied by alpha / r.", "adapter", "Alpha", ge=1)
    lora_dropout: float = _field(
        0.0, "Dropout on the adapter's input.", "adapter", "Dropout", ge=0, lt=1)
    lora_target_modules: tuple[str, ...] | str | None = _field(
        "all-linear", "Module names that get an adapter, a regex for whole names, or all-linear; "
        "empty takes PEFT's default for the model.", "adapter", "Targets")
    lora_modules_to_save: tuple[str, ...] = _field(
        (), "Modules trained whole and saved with the adapter.", "adapter", "Modules trained whole")
    use_rslora: bool = _field(
        False, "Scale by alpha / sqrt(r), which keeps high ranks stable.",
        "adapter", "Rank-stabilised")
    rank_pattern: dict[str, int] = _field(
        {}, "Ranks for some modules, as q_proj=8, v_proj=32.", "adapter", "Ranks by module")
    alpha_pattern: dict[str, int] = _field(
        {}, "Alphas for some modules, as q_proj=16.", "adapter", "Alphas by module")
    layers_to_transform: tuple[int, ...] = _field(
        (), "Numbers of the layers that get an adapter; empty: all.", "adapter", "Layers")
    loraplus_lr_ratio: float | None = _field(
        None, "LoRA+: the second matrix learns this many times faster (16 is usual).",
        "adapter", "LoRA+ ratio", ge=1)
    ephemeral_gpu_offload: bool = _field(
        False, "DoRA: start on the GPU piece by piece, where the base is kept in main memory.",
        "adapter", "Ephemeral offload")
    pissa_niter: int | None = _field(
        None, "PiSSA: iterations of the fast SVD (16 is usual); empty: the exact, slower one.",
        "adapter", "SVD iterations", ge=1)
    target_r: int | None = _field(
        None, "AdaLoRA: mean rank left at the end; empty: half of lora_r.",
        "adapter", "Final rank", ge=1)
    feedforward_modules: tuple[str, ...] = _field(
        (), "IA3: which targets are feed-forward; empty takes PEFT's for the model.",
        "adapter", "Feed-forward modules")
    oft_block_size: int = _field(
        32, "OFT: size of a rotated block; must divide the layers' inputs.",
        "adapter", "Block size", ge=2)
    num_virtual_tokens: int = _field(
        20, "Virtual tokens before the text.", "adapter", "Virtual tokens", ge=1, le=1024)
    prompt_tuning_init_text: str | None = _field(
        None, "Words whose embeddings the virtual tokens begin as.", "adapter", "Begin as")
    prefix_projection: bool = _field(
        False, "Make the prefix with a small network.", "adapter", "Prefix network")
    encoder_hidden_size: int = _field(
        128, "P-tuning: width of the network that makes the tokens.",
        "adapter", "Network width", ge=1)
    adapter_len: int = _field(
        10, "LLaMA-Adapter: prompt tokens per layer.", "adapter", "Tokens per layer", ge=1)
    adapter_layers: int = _field(
        4, "LLaMA-Adapter: how many of the last layers get one.", "adapter", "Last layers", ge=1)
    num_trainable_layers: int = _field(
        2, "How many of the last layers train; all else is frozen.",
        "adapter", "Layers trained", ge=1)

    # --- optimisation
    learning_rate: float = _field(2e-4, "Peak learning rate.", "optimisation", gt=0, le=1)
    num_train_epochs: float = _field(
        3.0, "Passes over the data.", "optimisation", "Epochs", gt=0, le=1000)
    max_steps: int = _field(
        -1, "Stop after this many steps; -1 leaves it to the epochs.", "optimisation", ge=-1)
    per_device_train_batch_size: int = _field(
        8, "Rows per batch on each device.", "optimisation", "Batch size", ge=1, le=4096)
    gradient_accumulation_steps: int = _field(
        1, "Batches accumulated before an optimizer step.",
        "optimisation", "Gradient accumulation", ge=1)
    max_length: int = _field(
        512, "Tokens per row; longer rows are cut at the end.", "optimisation", "Max length",
        ge=8, le=1_048_576)
    lr_scheduler_type: SchedulerName = _field(
        "cosine", "How the learning rate falls: cosine, linear, constant ...",
        "optimisation", "Schedule")
    warmup_steps: float = _field(
        0.05, "Steps of rising learning rate; below 1 it is a share of all steps.",
        "optimisation", "Warm-up", ge=0)
    optim: OptimName = _field(
        "adamw_torch_fused", "Optimizer by transformers' name.", "optimisation", "Optimizer")
    adam_beta1: float = _field(
        0.9, "Memory of the gradient's mean.", "optimisation", "Adam beta 1", ge=0, lt=1)
    adam_beta2: float = _field(
        0.999, "Memory of the gradient's square.", "optimisation", "Adam beta 2", ge=0, lt=1)
    weight_decay: float = _field(
        0.0, "Pull of the trained weights towards zero.", "optimisation", ge=0)
    max_grad_norm: float = _field(
        1.0, "Gradients longer than this are shortened to it.",
        "optimisation", "Gradient clipping", ge=0)
    neftune_noise_alpha: float | None = _field(
        None, "Noise on the embeddings while training (NEFTune).",
        "optimisation", "NEFTune noise", ge=0)
    seed: int = _field(42, "Of data order, dropout and the adapter's start.", "optimisation", ge=0)

    # --- objective
    completion_only_loss: bool | None = _field(
        None, "Train on the completion only; by default so when rows have a prompt and a "
        "completion.", "objective", "Completions only", "sft")
    assistant_only_loss: bool = _field(
        False, "Train on assistant turns only; needs generation marks in the chat template.",
        "objective", "Assistant turns only", "sft")
    chat_template_path: str | None = _field(
        None, "Chat template in place of the model's own: chatml, llama3, zephyr, alpaca, plain or "
        "a .jinja file. It is saved with the adapter.", "objective", "Chat template")
    packing: bool = _field(
        False, "Put several short rows into one sequence: far less padding.",
        "objective", None, "sft")
    loss_type: tuple[LossType, ...] = _field(
        ("sigmoid",), "The loss by TRL's name; for DPO several are added up.",
        "objective", "Loss", "sft dpo kto cpo simpo grpo")
    loss_weights: tuple[float, ...] | None = _field(
        None, "A weight for each loss.", "objective", None, "dpo")
    beta: float = _field(
        0.1, "How closely the tuned model is held to the reference: the KL coefficient (for GRPO "
        "and RLOO 0.04 is usual, and 0 lets it go); for ORPO, CPO and SimPO how much the "
        "preference counts.",
        "objective", "Beta", "dpo kto orpo cpo simpo grpo rloo", ge=0)
    label_smoothing: float = _field(
        0.0, "Share of labels taken to be wrong.", "objective", None, "dpo cpo simpo",
        ge=0, lt=0.5)
    f_divergence_type: Literal[
        "reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"] = _field(
        "reverse_kl", "How distance from the reference is measured.",
        "objective", "Divergence", "dpo")
    ld_alpha: float | None = _field(
        None, "Weight of the tokens beyond the shorter answer's length; below 1 it curbs length "
        "bias.", "objective", "Length weight", "dpo", ge=0, le=1)
    use_weighting: bool = _field(
        False, "Weigh pairs by how likely the model finds them (WPO).",
        "objective", "Weigh pairs", "dpo")
    desirable_weight: float = _field(
        1.0, "Weight of rows marked good.", "objective", "Weight of good", "kto", ge=0)
    undesirable_weight: float = _field(
        1.0, "Weight of rows marked bad.", "objective", "Weight of bad", "kto", ge=0)
    cpo_alpha: float = _field(
        1.0, "How much imitating the chosen answer counts.",
        "objective", "Imitation", "cpo simpo", ge=0)
    simpo_gamma: float = _field(
        0.5, "The margin that chosen should win by.", "objective", "Margin", "simpo", ge=0)
    center_rewards_coefficient: float | None = _field(
        None, "Pull of the mean reward towards zero (0.01 is usual).",
        "objective", "Centre rewards", "reward", ge=0)
    reward_funcs: tuple[str, ...] = _field(
        (), "What is rewarded: exact, numeric, contains (each :COLUMN), pattern:REGEX, "
        "length:5-28, format:think, model:RUN; several with ; between them.",
        "objective", "Rewards", "grpo rloo")
    reward_weights: tuple[float, ...] | None = _field(
        None, "A weight for each reward; empty: 1 each.",
        "objective", "Reward weights", "grpo rloo")
    num_generations: int = _field(
        8, "Answers to each prompt, judged against each other: more tell better apart, and take "
        "longer.", "objective", "Group size", "grpo rloo", ge=2, le=256)
    max_completion_length: int = _field(
        128, "Tokens an answer may have while training; those cut off are often misjudged.",
        "objective", "Answer length", "grpo rloo", ge=1, le=32768)
    temperature: float = _field(
        1.0, "Spread of the answers tried, 1 as the model has it: too low and a group is all "
        "alike, too high and it is noise.", "objective", "Temperature", "grpo rloo", gt=0, le=5)
    top_p: float = _field(
        1.0, "Share of probability that answers are drawn from.",
        "objective", "Top p", "grpo rloo", gt=0, le=1)
    epsilon: float = _field(
        0.2, "How far one update may move a token's probability: 0.2 is a fifth up or down.",
        "objective", "Clip range", "grpo rloo", gt=0, lt=1)
    num_iterations: int = _field(
        1, "Updates on the same answers before new ones are written.",
        "objective", "Updates a batch", "grpo rloo", ge=1, le=64)
    scale_rewards: Literal["group", "batch", "none"] = _field(
        "group", "Divide advantages by the spread of the group, of the batch, or not at all.",
        "objective", "Scale rewards", "grpo")
    precompute_ref_log_probs: bool | None = _field(
        None, "Score the reference once before training, and keep the scores for later runs on the "
        "same data; by default where there is more than one pass.",
        "objective", "Reference scored once", "dpo kto")

    # --- precision and memory
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = _field(
        "auto", "Of the loaded weights; auto takes bfloat16 where the GPU has it, float32 on a "
        "CPU.", "memory", "Number format")
    load_in_4bit: bool = _field(
        False, "Hold the base in 4 bits, as QLoRA does by itself.", "memory", "4-bit base",
        "quantizable")
    load_in_8bit: bool = _field(
        False, "Hold the base in 8 bits instead of 4.", "memory", "8-bit base", "either")
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = _field(
        "nf4", "The 4-bit number format.", "memory", "4-bit format", "quantized")
    use_bnb_nested_quant: bool = _field(
        True, "Quantise the quantisation constants too.",
        "memory", "Double quantisation", "quantized")
    activation_checkpointing: bool = _field(
        False, "Recompute activations in the backward pass: less memory, about a fifth slower.",
        "memory")
    attn_implementation: str | None = _field(
        None, "Attention kernel by transformers' name.", "memory", "Attention kernel")

    # --- several devices
    accelerate_config: LaunchName = _field(
        "single", "How the run is launched: one process, or several by a file of "
        "presets/accelerate. A step's rows are divided among them.", "devices", "Launch")
    num_processes: int | None = _field(
        None, "How many processes; empty: one a GPU, or two on the CPU.",
        "devices", "Processes", ge=2, le=64)

    # --- watching and keeping
    logging_steps: int = _field(
        1, "Steps between points on the charts.", "keeping", "Log every", ge=1)
    eval_steps: int | None = _field(
        None, "Steps between evaluations on the held-out split; empty: after each epoch.",
        "keeping", "Evaluate every", ge=1)
    save_steps: int | None = _field(
        None, "Steps between checkpoints; empty saves about ten times a run.",
        "keeping", "Checkpoint every", ge=1)
    save_total_limit: int = _field(
        2, "Checkpoints kept; never fewer than two.", "keeping", "Checkpoints kept", ge=2)
    early_stopping_patience: int | None = _field(
        None, "Stop when this many evaluations in a row bring no better held-out loss.",
        "keeping", "Early stopping", ge=1)
    load_best_model_at_end: bool = _field(
        False, "Keep the checkpoint with the best held-out loss and end with it.",
        "keeping", "Keep the best")
    sample_steps: int | None = _field(
        None, "Steps between sample answers; empty takes about six a run, 0 none.",
        "keeping", "Sample answers every", ge=0)
    report_to: tuple[Literal["trackio", "tensorboard", "wandb"], ...] = _field(
        (), "Trackers to write to as well, where they are installed.", "keeping", "Trackers")
# fmt: on
