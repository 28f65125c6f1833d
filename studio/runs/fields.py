"""Every field of a recipe, declared once: TRL's and PEFT's names, help, limits, and defaults.

The form on the page, the YAML, and the shell's `--set` are all made from these fields
(see `studio.runs.recipe`). An `adapter` field applies to the methods that list it in
`studio.runs.methods`; `only` names the objectives another field is for, by name or by a trait
(`rewarded`, `losses`, `embeds`; see `studio.runs.objectives.named`), or a key of `QUANTIZATION`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from studio.runs.dataset_entries import DatasetEntry

Objective = Literal[
    "sft",
    "dpo",
    "kto",
    "orpo",
    "cpo",
    "simpo",
    "reward",
    "grpo",
    "rloo",
    "gmpo",
    "distillation",
    "embedding",
]
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
    "luspo",
    "sapo",
    "vespo",
    "MultipleNegativesRankingLoss",
    "CachedMultipleNegativesRankingLoss",
    "TripletLoss",
    "CoSENTLoss",
]
OptimName = Literal[
    "auto",
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
LaunchName = Literal["single", "multi_cpu", "multi_gpu", "fsdp2", "fsdp2_cpu", "zero2", "zero3"]
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
"""Values of `only` for fields about quantization -> the `Method.quantized` they apply to."""


def _field(
    default: Any,
    help: str,
    group: str,
    label: str | None = None,
    only: str | None = None,
    **limits: Any,
) -> Any:
    """A field with what a form needs to know: its group, its label, and when it applies."""
    extra: JsonDict = {"group": group, "label": label, "only": only}
    return Field(default, description=help, json_schema_extra=extra, **limits)


# fmt: off
class RecipeFields(BaseModel):
    """The fields of a recipe, each with its help, its group in the form, and its limits."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    # --- what is trained, and on what
    name: str = _field(
        "", "Display name of the run; empty: built from model, objective, and dataset.",
        "what", max_length=120)
    objective: Objective = _field(
        "sft", "sft imitates answers, dpo learns from preference pairs, reward trains a reward "
        "model; grpo, rloo, and gmpo are online RL; distillation learns from a teacher; embedding "
        "learns vectors; orpo, cpo, simpo, and gmpo are experimental.", "what")
    method: Method = _field(
        "lora", "Fine-tuning method: most add a small adapter (qlora on a 4-bit base), full trains "
        "all weights.", "what")
    model_name_or_path: str = _field(
        "pocket", "Base model: `pocket` (built in), a Hub id, a folder, or a GGUF file.",
        "what", "Model", min_length=1)
    model_revision: str = _field("main", "Branch, tag, or commit on the Hub.", "model", "Revision")
    dataset_name: str = _field(
        "pocket-sft", "A prepared dataset, a bundled sample, a file, or a Hub id.",
        "what", "Dataset", min_length=1)
    datasets: tuple[DatasetEntry, ...] = _field(
        (), "Several datasets instead of one, each with a path and, for all or none, a fraction: "
        "its share of the rows. The first is dataset_name.", "what", "Datasets")
    mixture: Literal["concatenate", "interleave"] = _field(
        "concatenate", "How several datasets are combined. concatenate: shares are met without "
        "using a row twice. interleave: each row is drawn from a dataset by its share.",
        "optimization", "Mixture")
    stopping_strategy: Literal[
        "first_exhausted", "all_exhausted", "all_exhausted_without_replacement"] = _field(
        "first_exhausted", "With mixture: interleave. first_exhausted: end with the dataset that "
        "runs out first. all_exhausted: repeat rows until each was used. "
        "all_exhausted_without_replacement: use every row once.",
        "optimization", "Stopping strategy")
    start_from: str | None = _field(
        None, "A finished run whose adapter is trained further; for DPO a frozen copy of it is the "
        "reference model.", "what", "Start from")
    start_as: Literal["continue", "merge"] = _field(
        "continue", "With start_from: continue its adapter, or merge it into a 16-bit base and "
        "train a new adapter.", "objective", "Start as")

    # --- adapter
    lora_r: int = _field(
        16, "Rank of the update matrices.", "adapter", "LoRA rank", ge=1, le=1024)
    lora_alpha: int = _field(
        32, "Scaling: updates are multiplied by alpha / r.", "adapter", "LoRA alpha", ge=1)
    lora_dropout: float = _field(
        0.0, "Dropout probability on the adapter's input.", "adapter", "LoRA dropout", ge=0, lt=1)
    lora_target_modules: tuple[str, ...] | str | None = _field(
        "all-linear", "Modules to adapt by name, a regex for whole names, or all-linear; empty: "
        "PEFT's defaults for the model.", "adapter", "Target modules")
    lora_target_parameters: tuple[str, ...] = _field(
        (), "Weights to adapt that belong to no linear module, by name: a mixture's experts, such "
        "as mlp.experts.gate_up_proj, mlp.experts.down_proj. all-linear leaves them frozen.",
        "adapter", "Target parameters")
    lora_modules_to_save: tuple[str, ...] = _field(
        (), "Modules trained in full and saved with the adapter.", "adapter", "Modules to save")
    train_embeddings_and_norms: bool = _field(
        False, "Train embeddings and norms in full beside the LoRA, as LongLoRA does for longer "
        "contexts. The Calculator says what it costs.", "adapter", "Train embeddings and norms")
    trainable_token_indices: tuple[int | str, ...] = _field(
        (), "Tokens whose embeddings train too, each an id or its text, such as 128009 or "
        "<|eot_id|>: for marks that the base never learned. Tied embeddings train them in the "
        "head as well.", "adapter", "Trainable tokens")
    use_rslora: bool = _field(
        False, "Rank-stabilized LoRA: scale by alpha / sqrt(r), which keeps high ranks stable.",
        "adapter", "rsLoRA")
    rank_pattern: dict[str, int] = _field(
        {}, "Ranks by module, such as q_proj=8, v_proj=32.", "adapter", "Rank pattern")
    alpha_pattern: dict[str, int] = _field(
        {}, "Alphas by module, such as q_proj=16.", "adapter", "Alpha pattern")
    layers_to_transform: tuple[int, ...] = _field(
        (), "Indices of the layers to adapt; empty: all.", "adapter", "Layers to transform")
    loraplus_lr_ratio: float | None = _field(
        None, "LoRA+: ratio of the learning rates of B and A (typically 16).",
        "adapter", "LoRA+ ratio", ge=1)
    ephemeral_gpu_offload: bool = _field(
        False, "DoRA: initialize on the GPU layer by layer while the base is in main memory.",
        "adapter", "Ephemeral GPU offload")
    pissa_niter: int | None = _field(
        None, "PiSSA: iterations of the fast SVD (typically 16); empty: the slower, exact SVD.",
        "adapter", "SVD iterations", ge=1)
    target_r: int | None = _field(
        None, "AdaLoRA: average rank at the end; empty: half of lora_r.",
        "adapter", "Target rank", ge=1)
    feedforward_modules: tuple[str, ...] = _field(
        (), "IA3: which target modules are feed-forward; empty: PEFT's defaults for the model.",
        "adapter", "Feed-forward modules")
    oft_block_size: int = _field(
        32, "OFT: size of the rotated blocks; must divide the layers' input dimensions.",
        "adapter", "OFT block size", ge=2)
    num_virtual_tokens: int = _field(
        20, "Number of virtual tokens before the prompt.",
        "adapter", "Virtual tokens", ge=1, le=1024)
    prompt_tuning_init_text: str | None = _field(
        None, "Text whose embeddings initialize the virtual tokens; empty: random.",
        "adapter", "Initial text")
    prefix_projection: bool = _field(
        False, "Compute the prefix with a two-layer MLP.", "adapter", "Prefix projection")
    encoder_hidden_size: int = _field(
        128, "P-tuning: hidden size of the prompt encoder.",
        "adapter", "Encoder hidden size", ge=1)
    adapter_len: int = _field(
        10, "LLaMA-Adapter: prompt tokens per layer.", "adapter", "Adapter length", ge=1)
    adapter_layers: int = _field(
        4, "LLaMA-Adapter: number of last layers to adapt.", "adapter", "Adapter layers", ge=1)
    num_trainable_layers: int = _field(
        2, "Number of last layers to train; the rest is frozen.",
        "adapter", "Trainable layers", ge=1)

    # --- optimization
    learning_rate: float = _field(2e-4, "Peak learning rate.", "optimization", gt=0, le=1)
    num_train_epochs: float = _field(
        3.0, "Passes over the training data.", "optimization", "Epochs", gt=0, le=1000)
    max_steps: int = _field(
        -1, "Stop after this many optimizer steps; -1: train for the epochs.",
        "optimization", ge=-1)
    per_device_train_batch_size: int = _field(
        8, "Rows per batch on each device.", "optimization", "Batch size", ge=1, le=4096)
    gradient_accumulation_steps: int = _field(
        1, "Batches whose gradients are accumulated before each step.",
        "optimization", "Gradient accumulation", ge=1)
    max_length: int = _field(
        512, "Maximum tokens per row; longer rows are truncated at the end.",
        "optimization", "Max length", ge=8, le=1_048_576)
    rope_parameters: dict[str, str | int | float] = _field(
        {}, "A longer context, by scaling the base's RoPE: rope_type=yarn (or linear, dynamic, "
        "llama3), factor=4, if need be original_max_position_embeddings=4096. Applied wherever "
        "the run is used.", "optimization", "RoPE scaling")
    lr_scheduler_type: SchedulerName = _field(
        "cosine", "Learning rate schedule: cosine, linear, constant, ...",
        "optimization", "LR scheduler")
    warmup_steps: float = _field(
        0.05, "Steps of linear warmup; below 1: a fraction. Never more than a tenth of the run.",
        "optimization", "Warmup steps", ge=0)
    optim: OptimName = _field(
        "auto", "auto: adamw_8bit for full on CUDA, else adamw_torch_fused. 8-bit states take a "
        "quarter of the memory. Paged ones move to main memory when the GPU is full, but wait for "
        "it after every tensor, and each run leaks what they paged.",
        "optimization", "Optimizer")
    adam_beta1: float = _field(
        0.9, "Decay rate of the gradient's first moment.",
        "optimization", "Adam beta1", ge=0, lt=1)
    adam_beta2: float = _field(
        0.999, "Decay rate of the gradient's second moment.",
        "optimization", "Adam beta2", ge=0, lt=1)
    weight_decay: float = _field(
        0.0, "Decoupled weight decay on the trained weights.", "optimization", ge=0)
    max_grad_norm: float = _field(
        1.0, "Gradients are clipped to this norm.", "optimization", "Max gradient norm", ge=0)
    neftune_noise_alpha: float | None = _field(
        None, "NEFTune: scale of the noise on embeddings during training.",
        "optimization", "NEFTune noise alpha", ge=0)
    seed: int = _field(
        42, "Random seed for data order, dropout, and adapter initialization.",
        "optimization", ge=0)

    # --- objective
    completion_only_loss: bool | None = _field(
        None, "Compute the loss on completions only; empty: yes for prompt-completion rows.",
        "objective", "Completion-only loss", "sft")
    assistant_only_loss: bool | None = _field(
        None, "Compute the loss on the assistant's turns only, their end mark included; with any "
        "chat template. Empty: yes for chats.", "objective", "Assistant-only loss", "sft")
    mask_history: bool = _field(
        False, "Compute the loss on the last answer of a chat only.",
        "objective", "Last answer only", "sft")
    chat_template_path: str | None = _field(
        None, "Chat template instead of the model's own: training (TRL's variant of it), chatml, "
        "llama3, zephyr, alpaca, plain, or a .jinja file. Saved with the adapter.",
        "objective", "Chat template")
    chat_template_kwargs: dict[str, bool | int | float | str] = _field(
        {}, "What the chat template is given besides the messages, such as enable_thinking=false; "
        "a row's own column of this name comes first.", "objective", "Template variables")
    packing: bool = _field(
        False, "Pack several short rows into one sequence, which saves padding.",
        "objective", None, "sft")
    packing_strategy: Literal["bfd", "bfd_split", "wrapped"] = _field(
        "bfd", "With packing: bfd cuts rows longer than max_length, bfd_split splits them, so that "
        "long texts are trained whole; wrapped cuts rows wherever a sequence is full.",
        "objective", "Packing strategy", "sft")
    loss_type: tuple[LossType, ...] = _field(
        ("sigmoid",), "Loss, by its name in TRL or sentence-transformers; DPO can combine several.",
        "objective", "Loss type", "losses")
    loss_weights: tuple[float, ...] | None = _field(
        None, "Weight of each loss.", "objective", None, "dpo")
    beta: float = _field(
        0.1, "How closely the model is kept to the reference: the KL coefficient (for GRPO and "
        "RLOO typically 0.04; 0: off). ORPO, CPO, SimPO: weight of the preference term. "
        "Distillation: from 0, the forward KL divergence, to 1, the reverse.",
        "objective", "Beta", "dpo kto orpo cpo simpo rewarded teacher", ge=0)
    teacher_model_name_or_path: str | None = _field(
        None, "The teacher: a finished run, or a model with the student's vocabulary.",
        "objective", "Teacher", "teacher")
    teacher_load_in_4bit: bool | None = _field(
        None, "Load the teacher in 4 bits; empty: yes on CUDA.",
        "objective", "Teacher in 4 bits", "teacher")
    pooling_mode: Literal["mean", "lasttoken"] = _field(
        "mean", "How one vector is made of a text's tokens: their mean, or the last one's, which "
        "in a causal model has read all others.", "objective", "Pooling", "embeds")
    normalize_embeddings: bool = _field(
        True, "Scale every vector to length 1, so that a dot product is the cosine.",
        "objective", "Normalize", "embeds")
    query_prompt: str = _field(
        "", "Text before every query, such as 'query: ' or an instruction; kept with the model.",
        "objective", "Query prompt", "embeds", max_length=2000)
    document_prompt: str = _field(
        "", "Text before every document, such as 'passage: '; kept with the model.",
        "objective", "Document prompt", "embeds", max_length=2000)
    scale: float = _field(
        20.0, "What similarities are multiplied by in the loss: 1 / temperature. Higher attends to "
        "the hardest negatives.", "objective", "Scale", "embeds", gt=0, le=1000)
    mini_batch_size: int = _field(
        32, "CachedMultipleNegativesRankingLoss: rows embedded at once. The batch may be any "
        "larger, and its memory hardly grows.", "objective", "Mini-batch size", "embeds",
        ge=1, le=4096)
    triplet_margin: float = _field(
        0.5, "TripletLoss: how much nearer the positive has to be than the negative, as a cosine "
        "distance.", "objective", "Triplet margin", "embeds", gt=0, le=2)
    matryoshka_dims: tuple[int, ...] = _field(
        (), "MatryoshkaLoss: dimensions that the vectors can be cut to, such as 768, 256, 64; the "
        "loss is summed over them.", "objective", "Matryoshka dimensions", "embeds")
    batch_sampler: Literal["no_duplicates", "batch_sampler"] = _field(
        "no_duplicates", "no_duplicates: no text twice in a batch, where it would be its own "
        "negative. batch_sampler: at random.", "objective", "Batch sampler", "embeds")
    num_negatives: int = _field(
        0, "Hard negatives to mine per pair before training, by the model as it starts; 0: none. "
        "The others of a batch are negatives in any case.", "objective", "Hard negatives",
        "embeds", ge=0, le=32)
    relative_margin: float | None = _field(
        None, "Mining: leave out what is nearer to the query than this share below its positive, "
        "for it may be right as well. Typically 0.05, where the model embeds already.",
        "objective", "Relative margin", "embeds", ge=0, lt=1)
    label_smoothing: float = _field(
        0.0, "Assumed probability that a label is wrong.", "objective", None, "dpo cpo simpo",
        ge=0, lt=0.5)
    f_divergence_type: Literal[
        "reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"] = _field(
        "reverse_kl", "Divergence from the reference that is penalized.",
        "objective", "f-divergence", "dpo")
    ld_alpha: float | None = _field(
        None, "LD-DPO: weight of tokens beyond the shorter answer's length; below 1 reduces length "
        "bias.", "objective", "LD alpha", "dpo", ge=0, le=1)
    use_weighting: bool = _field(
        False, "WPO: weight pairs by their probability under the model.",
        "objective", "Use weighting", "dpo")
    desirable_weight: float = _field(
        1.0, "Loss weight of rows labeled good.", "objective", None, "kto", ge=0)
    undesirable_weight: float = _field(
        1.0, "Loss weight of rows labeled bad.", "objective", None, "kto", ge=0)
    cpo_alpha: float = _field(
        1.0, "Weight of the supervised loss on the chosen answer.",
        "objective", "CPO alpha", "cpo simpo", ge=0)
    simpo_gamma: float = _field(
        0.5, "Target margin between chosen and rejected.", "objective", "SimPO gamma", "simpo",
        ge=0)
    center_rewards_coefficient: float | None = _field(
        None, "Penalty that centers rewards on 0 (typically 0.01).",
        "objective", "Center rewards", "reward", ge=0)
    reward_funcs: tuple[str, ...] = _field(
        (), "Reward functions: exact, numeric, contains, math, tool_call (each optionally "
        ":COLUMN), pattern:REGEX, length:5-28, overlong:80-120, format:think, language:de, "
        "schema:COLUMN, code:COLUMN, judge:MODEL, model:RUN; separate several with ;.",
        "objective", "Rewards", "rewarded")
    reward_weights: tuple[float, ...] | None = _field(
        None, "Weight of each reward; empty: 1 each.",
        "objective", "Reward weights", "rewarded")
    judge_rubric: str = _field(
        "", "What a judge rates answers by, in Markdown; empty: how correct, complete, and helpful "
        "they are. For the reward judge:MODEL.",
        "objective", "Judge's rubric", "rewarded", max_length=20_000)
    judge_max_new_tokens: int = _field(
        1024, "Tokens a judge may write about an answer, its thinking included.",
        "objective", "Judge's tokens", "rewarded", ge=1, le=8192)
    num_generations: int = _field(
        8, "Completions sampled per prompt and compared with each other: more give a better "
        "baseline and take longer.", "objective", "Group size", "rewarded", ge=2, le=256)
    max_completion_length: int = _field(
        128, "Maximum tokens per sampled completion; truncated ones are often scored wrongly.",
        "objective", "Max completion length", "online", ge=1, le=32768)
    temperature: float = _field(
        1.0, "Sampling temperature: too low and the completions of a group are all alike, too high "
        "and they are noise.", "objective", "Temperature", "online", gt=0, le=5)
    top_p: float = _field(
        1.0, "Nucleus sampling: sample from the tokens that make up this probability.",
        "objective", "Top p", "online", gt=0, le=1)
    epsilon: float = _field(
        0.2, "Clipping range: how far one update may change a token's probability; 0.2 is 20% up "
        "or down (GMPO: its logarithm).", "objective", "Epsilon", "rewarded", gt=0, lt=1)
    epsilon_high: float | None = _field(
        None, "Upper clipping range, where it differs from the lower: DAPO takes 0.28, and CISPO's "
        "loss 5.", "objective", "Epsilon high", "rewarded", gt=0)
    importance_sampling_level: Literal["token", "sequence"] = _field(
        "token", "What the ratio of new to old probability is taken over; sequence is GSPO.",
        "objective", "Importance sampling", "grpo")
    mask_truncated_completions: bool = _field(
        False, "Learn nothing from completions that were cut off at their maximum length.",
        "objective", "Mask truncated", "rewarded")
    use_vllm: bool = _field(
        False, "Sample completions with vLLM, an extra on CUDA (pip install 'trl[vllm]'); it gets "
        "the weights with the adapter merged before each sampling.",
        "objective", "vLLM", "online")
    vllm_mode: Literal["colocate", "server"] = _field(
        "colocate", "vLLM in this process on the same GPU, or a server (trl vllm-serve).",
        "objective", "vLLM mode", "online")
    vllm_gpu_memory_utilization: float = _field(
        0.3, "Share of the GPU's memory that vLLM takes in this process.",
        "objective", "vLLM's share of memory", "online", gt=0, lt=1)
    vllm_enable_sleep_mode: bool = _field(
        True, "vLLM gives its memory back while a step trains.",
        "objective", "vLLM sleeps", "online")
    vllm_server_base_url: str | None = _field(
        None, "Address of the vLLM server, such as http://localhost:8000.",
        "objective", "vLLM server", "online", max_length=253)
    use_transformers_continuous_batching: bool = _field(
        False, "Sample completions with transformers' continuous batching instead of whole groups "
        "at a time: for many and uneven completions on CUDA.",
        "objective", "Continuous batching", "grpo rloo gmpo")
    num_iterations: int = _field(
        1, "Updates per batch of completions before new ones are sampled.",
        "objective", "Iterations per batch", "rewarded", ge=1, le=64)
    scale_rewards: Literal["group", "batch", "none"] = _field(
        "group", "Divide advantages by the standard deviation of the group, of the batch, or not "
        "at all.", "objective", "Scale rewards", "grpo gmpo")
    precompute_ref_log_probs: bool | None = _field(
        None, "Compute the reference's log-probabilities once before training and cache them for "
        "later runs on the same data; empty: yes for more than one epoch.",
        "objective", "Precompute reference", "dpo kto")

    # --- precision and memory
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = _field(
        "auto", "Data type of the base weights; auto: bfloat16 where the GPU supports it, float32 "
        "on a CPU.", "memory", "Data type")
    load_in_4bit: bool = _field(
        False, "Load the base in 4 bits, as QLoRA always does.", "memory", "4-bit base",
        "quantizable")
    load_in_8bit: bool = _field(
        False, "Load the base in 8 bits instead of 4.", "memory", "8-bit base", "either")
    bnb_4bit_quant_type: Literal["nf4", "fp4"] = _field(
        "nf4", "4-bit data type.", "memory", "4-bit type", "quantized")
    use_bnb_nested_quant: bool = _field(
        True, "Quantize the quantization constants too.",
        "memory", "Double quantization", "quantized")
    activation_checkpointing: bool = _field(
        False, "Recompute activations in the backward pass: less memory, about 20% slower.",
        "memory")
    activation_offloading: bool = _field(
        False, "Keep activations in the host's memory until the backward pass, for rows that do "
        "not fit otherwise. Needs a GPU.", "memory", "Activation offloading", "sft dpo kto reward")
    attn_implementation: str | None = _field(
        None, "Attention implementation, by its name in transformers.", "memory", "Attention")
    shifted_attention: bool = _field(
        False, "LongLoRA's shifted sparse attention while training: half of the heads look within "
        "groups of a quarter of max_length, the others within groups shifted by half. Answers "
        "attend in full.", "memory", "Shifted attention", "sft")

    # --- devices
    device: int | None = _field(
        None, "Which of several GPUs to train on, by its number; empty: the one with the most free "
        "memory.", "devices", "GPU", ge=0, le=63)
    accelerate_config: LaunchName = _field(
        "single", "Launch as one process, or as several with a config of presets/accelerate; the "
        "rows of a step are divided among them.", "devices", "Launch")
    num_processes: int | None = _field(
        None, "Number of processes, on all machines together; empty: one per GPU, or two on the "
        "CPU.", "devices", "Processes", ge=2, le=1024)
    num_machines: int = _field(
        1, "Machines that train together. Each starts the same recipe with its own machine_rank.",
        "devices", "Machines", ge=1, le=128)
    machine_rank: int = _field(
        0, "This machine's number, from 0. Machine 0 keeps the log, the checkpoints, and the "
        "result.", "devices", "Machine rank", ge=0)
    main_process_ip: str | None = _field(
        None, "Address of machine 0, as the other machines reach it.",
        "devices", "Address of machine 0", max_length=253)
    main_process_port: int | None = _field(
        None, "Port that machine 0 listens on for the others; empty: 29500.",
        "devices", "Port of machine 0", ge=1, le=65535)

    # --- logging and checkpoints
    logging_steps: int = _field(
        1, "Steps between points on the charts.", "logging", "Log every", ge=1)
    eval_steps: int | None = _field(
        None, "Steps between evaluations on the test split; empty: each epoch, in 1 % of the time.",
        "logging", "Evaluate every", ge=1)
    save_steps: int | None = _field(
        None, "Steps between checkpoints; empty: up to ten per run, in 1.5 % of its time.",
        "logging", "Save every", ge=1)
    save_total_limit: int = _field(
        2, "Checkpoints to keep; at least two.", "logging", "Checkpoint limit", ge=2)
    early_stopping_patience: int | None = _field(
        None, "Stop after this many evaluations in a row without a lower evaluation loss.",
        "logging", "Early stopping patience", ge=1)
    load_best_model_at_end: bool = _field(
        False, "Keep the checkpoint with the lowest evaluation loss and finish with it.",
        "logging", "Load best at end")
    sample_steps: int | None = _field(
        None, "Steps between sample answers; empty: up to six, in 2.5 % of the time; 0: none.",
        "logging", "Sample every", ge=0)
    report_to: tuple[Literal["trackio", "tensorboard", "wandb"], ...] = _field(
        (), "Experiment trackers to log to, if installed.", "logging", "Report to")
# fmt: on
