"""Which adapter: a method's name and settings, checked; PEFT's config is the trainer's own.

`studio.runs.methods` maps a method to PEFT's config object, for training and for counting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import Any

from studio.core.errors import ConfigError, did_you_mean
from studio.runs.methods import ALL_LINEAR, PROMPTED
from studio.runs.methods import METHODS as TRAINED

RSLORA = "rslora"
METHODS: dict[str, str] = {
    "lora": "LoRA",
    RSLORA: "rsLoRA",
    **{name: row.label for name, row in TRAINED.items() if name != "lora"},
}
RANKED = (RSLORA, *(name for name, row in TRAINED.items() if "lora_r" in row.fields))
TARGETED = (RSLORA, *(name for name, row in TRAINED.items() if "lora_target_modules" in row.fields))
LORA_LIKE = (RSLORA, *(n for n, row in TRAINED.items() if row.config == "LoraConfig"))
UNQUANTIZED = tuple(name for name, row in TRAINED.items() if row.quantized == "never")

_LAYER_NUMBER = re.compile(r"(^|\.)\d+(\.|$)|\\d|\[|\d.*[*+?(|]")
_WHOLE = (
    "lora_r",
    "num_virtual_tokens",
    "oft_block_size",
    "encoder_hidden_size",
    "adapter_len",
    "adapter_layers",
    "num_trainable_layers",
)


@dataclass(frozen=True)
class AdapterSpec:
    """What PEFT is asked for, under the recipe's names.

    `lora_target_modules=None` leaves it to PEFT; `rank_pattern` is pairs of (name or regex, rank).
    """

    method: str = "lora"
    objective: str = "sft"
    lora_r: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    use_rslora: bool = False
    lora_target_modules: tuple[str, ...] | str | None = None
    lora_modules_to_save: tuple[str, ...] = ()
    rank_pattern: tuple[tuple[str, int], ...] = ()
    alpha_pattern: tuple[tuple[str, int], ...] = ()
    layers_to_transform: tuple[int, ...] = ()
    target_r: int | None = None
    feedforward_modules: tuple[str, ...] = ()
    oft_block_size: int = 32
    num_virtual_tokens: int = 20
    prefix_projection: bool = False
    encoder_hidden_size: int = 128
    adapter_len: int = 10
    adapter_layers: int = 4
    num_trainable_layers: int = 2

    # Read by the shared mapping; they change how an adapter starts, never how much of it trains.
    pissa_niter = None
    ephemeral_gpu_offload = False
    prompt_tuning_init_text = None

    @property
    def name(self) -> str:
        """The method as the calculator lists it: rank-stabilised LoRA has a row of its own."""
        return RSLORA if self.method == "lora" and self.use_rslora else self.method

    @property
    def scored(self) -> bool:
        """Whether a score takes the head's place, and trains: a reward model."""
        return self.objective == "reward"

    @property
    def names_layers(self) -> bool:
        """Whether it tells one layer from another, so that equal layers may count differently."""
        if self.layers_to_transform or self.method == "llama_adapter":
            return True
        names: list[str] = [pattern for pattern, _ in self.rank_pattern]
        names += self.lora_modules_to_save
        targets = self.lora_target_modules
        if isinstance(targets, str):
            if targets != ALL_LINEAR and any(character.isdigit() for character in targets):
                return True
        else:
            names += targets or ()
        return any(_LAYER_NUMBER.search(name) for name in names)

    def with_rank(self, r: int) -> AdapterSpec:
        return replace(self, lora_r=r)


SPEC_FIELDS = tuple(
    field.name for field in fields(AdapterSpec) if field.name not in ("method", "objective")
)


def make_spec(method: str = "lora", objective: str = "sft", **settings: Any) -> AdapterSpec:
    """A checked `AdapterSpec`; a `ConfigError` names the setting and what is accepted.

    Only `objective="reward"` changes what trains. `settings` are `AdapterSpec`'s fields;
    `lora_alpha` is twice the rank when left out, names may be one text with commas between, and
    patterns mappings.
    """
    if method not in METHODS:
        raise ConfigError(
            f"method {method!r} is not known.{did_you_mean(method, METHODS)} "
            f"Known: {', '.join(METHODS)}."
        )
    unknown = next((name for name in settings if name not in SPEC_FIELDS), None)
    if unknown:
        raise ConfigError(
            f"The calculator has no setting {unknown!r}.{did_you_mean(unknown, SPEC_FIELDS)}"
        )
    values = dict(settings)
    if method == RSLORA:
        method, values["use_rslora"] = "lora", True
    for name in _WHOLE:
        if name in values:
            values[name] = _whole(name, values[name])
    if values.get("target_r") is not None:
        values["target_r"] = _whole("target_r", values["target_r"])
    values["lora_alpha"] = _alpha(values.get("lora_alpha"), values.get("lora_r", 16))
    dropout = values.get("lora_dropout", 0.0)
    if not isinstance(dropout, int | float) or not 0 <= dropout < 1:
        raise ConfigError(f"lora_dropout is {dropout!r}; give a share from 0 to below 1.")
    values["lora_target_modules"] = _targets(values.get("lora_target_modules"))
    for name in ("lora_modules_to_save", "feedforward_modules"):
        values[name] = _names(values.get(name))
    for name in ("rank_pattern", "alpha_pattern"):
        values[name] = _pattern(name, values.get(name))
    values["layers_to_transform"] = tuple(values.get("layers_to_transform") or ())
    return AdapterSpec(method, "reward" if objective == "reward" else "sft", **values)


def _alpha(alpha: Any, rank: int) -> Any:
    if alpha is None:
        return 2 * rank
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not alpha > 0:
        raise ConfigError(f"lora_alpha is {alpha!r}; give a number above 0.")
    return int(alpha) if float(alpha).is_integer() else alpha


def _whole(name: str, value: Any, highest: int = 65_536) -> int:
    sound = isinstance(value, int | float) and not isinstance(value, bool)
    if not sound or value != value or not 1 <= value <= highest or int(value) != value:
        raise ConfigError(f"{name} is {value!r}; give a whole number from 1 to {highest:,}.")
    return int(value)


def _pattern(name: str, value: Any) -> tuple[tuple[str, int], ...]:
    """`{"q_proj": 8}` or `q_proj=8, v_proj=32`; PEFT keeps the order."""
    if isinstance(value, str):
        pairs = [part.partition("=") for part in value.split(",") if part.strip()]
        wrong = next((key for key, sign, rank in pairs if not sign or not rank.strip()), None)
        if wrong is not None:
            raise ConfigError(f"{name} has {wrong.strip()!r} without a number; write q_proj=8.")
        value = {key.strip(): rank.strip() for key, _, rank in pairs}
    numbers = dict(value or {}).items()
    return tuple(
        (str(key), _whole(f"{name}[{key}]", int(n) if str(n).isdigit() else n))
        for key, n in numbers
    )


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    return tuple(dict.fromkeys(str(name).strip() for name in value or () if str(name).strip()))


def _targets(value: Any) -> tuple[str, ...] | str | None:
    """A list of names, `all-linear`, a regex (PEFT's meaning of a plain string) or None."""
    if value is None:
        return None
    if isinstance(value, str):
        text = value.strip()
        if text.lower() == ALL_LINEAR:
            return ALL_LINEAR
        if re.search(r"[\\^$*+?()\[\]|]", text):
            return text
    names = _names(value)
    if not names:
        raise ConfigError("No target modules are named; choose some, or all-linear.")
    return ALL_LINEAR if names == (ALL_LINEAR,) else tuple(n for n in names if n != ALL_LINEAR)


__all__ = [
    "ALL_LINEAR",
    "LORA_LIKE",
    "METHODS",
    "PROMPTED",
    "RANKED",
    "RSLORA",
    "SPEC_FIELDS",
    "TARGETED",
    "UNQUANTIZED",
    "AdapterSpec",
    "make_spec",
]
