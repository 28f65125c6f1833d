"""Which adapter: a method's name and settings -> PEFT's own config object.

Every method here is PEFT's; the studio counts them all and trains some of them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from studio.errors import ConfigError, did_you_mean

METHODS: dict[str, str] = {
    "lora": "LoRA",
    "qlora": "QLoRA",
    "dora": "DoRA",
    "rslora": "rsLoRA",
    "pissa": "PiSSA",
    "adalora": "AdaLoRA",
    "loha": "LoHa",
    "lokr": "LoKr",
    "vera": "VeRA",
    "ia3": "IA3",
    "prompt_tuning": "Prompt tuning",
    "prefix_tuning": "Prefix tuning",
    "p_tuning": "P-tuning",
    "full": "Full fine-tuning",
}
RANKED = ("lora", "qlora", "dora", "rslora", "pissa", "adalora", "loha", "lokr", "vera")
PROMPTED = ("prompt_tuning", "prefix_tuning", "p_tuning")
LORA_LIKE = ("lora", "qlora", "dora", "rslora", "pissa")
ALL_LINEAR = "all-linear"

_LAYER_NUMBER = re.compile(r"(^|\.)\d+(\.|$)|\\d|\[|\d.*[*+?(|]")


@dataclass(frozen=True)
class AdapterSpec:
    """What PEFT is asked for. Names are PEFT's; `target_modules=None` leaves it to PEFT.

    `rank_pattern` is pairs of (name or regex, rank). `num_virtual_tokens` is for the prompt
    methods, which have no rank.
    """

    method: str = "lora"
    lora_r: int = 16
    lora_alpha: int = 32
    lora_dropout: float = 0.0
    target_modules: tuple[str, ...] | str | None = None
    modules_to_save: tuple[str, ...] = ()
    rank_pattern: tuple[tuple[str, int], ...] = ()
    layers_to_transform: tuple[int, ...] = ()
    num_virtual_tokens: int = 20

    @property
    def names_layers(self) -> bool:
        """Whether it tells one layer from another, so that equal layers may count differently."""
        names: list[str] = [pattern for pattern, _ in self.rank_pattern]
        names += self.modules_to_save
        targets = self.target_modules
        if isinstance(targets, str):
            if targets != ALL_LINEAR and any(character.isdigit() for character in targets):
                return True
        else:
            names += targets or ()
        return bool(self.layers_to_transform) or any(_LAYER_NUMBER.search(name) for name in names)

    def with_rank(self, r: int) -> AdapterSpec:
        return replace(self, lora_r=r)


def make_spec(
    method: str = "lora",
    *,
    lora_r: int = 16,
    lora_alpha: int | None = None,
    lora_dropout: float = 0.0,
    lora_target_modules: Any = None,
    lora_modules_to_save: Any = None,
    rank_pattern: Any = None,
    layers_to_transform: Any = None,
    num_virtual_tokens: int = 20,
) -> AdapterSpec:
    """A checked `AdapterSpec`; a `ConfigError` names the setting and what is accepted."""
    if method not in METHODS:
        raise ConfigError(
            f"method {method!r} is not known.{did_you_mean(method, METHODS)} "
            f"Known: {', '.join(METHODS)}."
        )
    rank = _whole("lora_r", lora_r)
    alpha = 2 * rank if lora_alpha is None else lora_alpha
    if not isinstance(alpha, int | float) or isinstance(alpha, bool) or not alpha > 0:
        raise ConfigError(f"lora_alpha is {alpha!r}; give a number above 0.")
    if not isinstance(lora_dropout, int | float) or not 0 <= lora_dropout < 1:
        raise ConfigError(f"lora_dropout is {lora_dropout!r}; give a share from 0 to below 1.")
    return AdapterSpec(
        method=method,
        lora_r=rank,
        lora_alpha=int(alpha) if float(alpha).is_integer() else alpha,  # pyright: ignore[reportArgumentType]
        lora_dropout=float(lora_dropout),
        target_modules=_targets(lora_target_modules),
        modules_to_save=_names(lora_modules_to_save),
        rank_pattern=tuple(
            (str(name), _whole(f"rank_pattern[{name}]", rank))
            for name, rank in dict(rank_pattern or {}).items()
        ),
        layers_to_transform=tuple(layers_to_transform or ()),
        num_virtual_tokens=_whole("num_virtual_tokens", num_virtual_tokens),
    )


def _whole(name: str, value: Any, highest: int = 65_536) -> int:
    sound = isinstance(value, int | float) and not isinstance(value, bool)
    if not sound or value != value or not 1 <= value <= highest or int(value) != value:
        raise ConfigError(f"{name} is {value!r}; give a whole number from 1 to {highest:,}.")
    return int(value)


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


def peft_config(spec: AdapterSpec) -> Any:
    """PEFT's config object for a spec (any method but `full`)."""
    import peft

    targets = spec.target_modules
    common: dict[str, Any] = {"task_type": "CAUSAL_LM"}
    if spec.method in PROMPTED:
        virtual = {"num_virtual_tokens": spec.num_virtual_tokens, **common}
        return {
            "prompt_tuning": peft.PromptTuningConfig,
            "prefix_tuning": peft.PrefixTuningConfig,
            "p_tuning": peft.PromptEncoderConfig,
        }[spec.method](**virtual)
    common["target_modules"] = list(targets) if isinstance(targets, tuple) else targets
    common["modules_to_save"] = list(spec.modules_to_save) or None
    if spec.method == "ia3":
        return peft.IA3Config(**common)
    if spec.layers_to_transform:
        common["layers_to_transform"] = list(spec.layers_to_transform)
    if spec.method == "vera":
        return peft.VeraConfig(r=spec.lora_r, **common)
    if spec.method == "adalora":
        return peft.AdaLoraConfig(
            init_r=spec.lora_r, target_r=max(1, spec.lora_r // 2), total_step=1000, **common
        )
    common["rank_pattern"] = dict(spec.rank_pattern)
    if spec.method == "loha":
        return peft.LoHaConfig(r=spec.lora_r, alpha=spec.lora_alpha, **common)
    if spec.method == "lokr":
        return peft.LoKrConfig(r=spec.lora_r, alpha=spec.lora_alpha, **common)
    # PiSSA only starts elsewhere (an SVD of real weights); its parameters are LoRA's.
    return peft.LoraConfig(
        r=spec.lora_r,
        lora_alpha=spec.lora_alpha,
        lora_dropout=spec.lora_dropout,
        use_dora=spec.method == "dora",
        use_rslora=spec.method == "rslora",
        **common,
    )
