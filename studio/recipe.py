"""The recipe: every knob of a run, frozen and validated, under TRL's and PEFT's own names.

A recipe reads and writes flat YAML. Names that TRL's `SFTConfig`, `DPOConfig` and `ModelConfig`
know are used exactly as there; five are ours: `name`, `objective`, `method`, `start_from` and
`sample_steps`. What is left out takes the defaults of its objective and method. Unknown keys are
refused with the nearest right name.
The form in the page, the command line and the files are three views of this one class.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import ValidationError, field_validator, model_validator

from studio.errors import ConfigError, did_you_mean
from studio.knobs import Knobs, LossType, Method, Objective

__all__ = ["OBJECTIVE_TYPES", "LossType", "Method", "Objective", "Recipe", "find_recipe", "presets"]

# What each objective can learn from: the types of studio.data.
OBJECTIVE_TYPES: dict[str, tuple[str, ...]] = {
    "sft": ("language_modeling", "prompt_completion", "conversational"),
    "dpo": ("preference",),
}


class Recipe(Knobs):
    """One run's knobs. Frozen: change with `with_`, which validates again."""

    @field_validator("lora_target_modules", mode="before")
    @classmethod
    def _targets(cls, value: Any) -> Any:
        if isinstance(value, str) and value != "all-linear":
            value = value.split(",")
        if isinstance(value, list | tuple):
            names = tuple(str(name).strip() for name in value if str(name).strip())
            if not names:
                raise ValueError("name at least one module, or all-linear")
            return "all-linear" if names == ("all-linear",) else names
        return value

    @field_validator("loss_type", "loss_weights", "lora_modules_to_save", mode="before")
    @classmethod
    def _several(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return (value,) if isinstance(value, int | float) else value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.loss_weights is not None and len(self.loss_weights) != len(self.loss_type):
            raise ValueError(
                f"loss_weights has {len(self.loss_weights)} numbers for "
                f"{len(self.loss_type)} losses; give one each"
            )
        if self.method == "full" and self.load_in_4bit:
            raise ValueError(
                "method full cannot train a 4-bit base; choose qlora, or load_in_4bit: false"
            )
        if self.method == "full" and self.start_from and self.objective == "dpo":
            raise ValueError(
                "start_from continues an adapter, which method full does not have; choose lora"
            )
        if "lm_head" in self.lora_target_modules and not isinstance(self.lora_target_modules, str):
            raise ValueError(
                "lm_head cannot be a target: TRL's fused loss reads its weight directly "
                "and would never train it"
            )
        if self.completion_only_loss and self.assistant_only_loss:
            raise ValueError("choose completion_only_loss or assistant_only_loss, not both")
        return self

    # --- derived

    @property
    def quantized(self) -> bool:
        """Whether the base is held in 4 bits."""
        return self.method == "qlora" or self.load_in_4bit

    @property
    def uses_adapter(self) -> bool:
        return self.method != "full"

    # --- in and out

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Recipe:
        """From a mapping; a `ConfigError` names the key, the value and what is accepted.

        Keys left out take the defaults of the recipe's own objective and method.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(
                "A recipe is a mapping of names to values, such as `learning_rate: 1.0e-4`."
            )
        for key in values:
            if key not in cls.model_fields:
                raise ConfigError(
                    f"A recipe has no {key!r}.{did_you_mean(str(key), cls.model_fields)}"
                )
        settled = {
            **_objective_defaults(values.get("objective", "sft"), values.get("method", "lora")),
            **values,
        }
        try:
            return cls.model_validate(settled)
        except ValidationError as error:
            raise ConfigError(_sentence(error)) from None

    @classmethod
    def defaults(cls, objective: str = "sft", method: str = "lora", **changes: Any) -> Recipe:
        """A recipe with the defaults of an objective and a method."""
        return cls.of({"objective": objective, "method": method, **changes})

    @classmethod
    def from_yaml(cls, source: str | Path) -> Recipe:
        """From YAML text, or the path of a YAML file."""
        text = source
        if isinstance(source, Path):
            try:
                text = source.read_text(encoding="utf-8")
            except OSError as error:
                raise ConfigError(
                    f"The recipe {source} cannot be read: {error.strerror}."
                ) from None
        try:
            values = yaml.safe_load(text)  # pyright: ignore[reportArgumentType]
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" at line {mark.line + 1}" if mark else ""
            raise ConfigError(
                f"The recipe is not valid YAML{where}: {getattr(error, 'problem', error)}."
            ) from None
        return cls.of(values or {})

    def to_yaml(self) -> str:
        """Flat YAML of what names the run and of all that differs from the defaults."""
        return yaml.safe_dump(self.changed(), sort_keys=False, allow_unicode=True, width=100)

    def changed(self) -> dict[str, Any]:
        """The knobs that differ from the defaults, and those that say what the run is."""
        plain = self.model_dump(mode="json")
        usual = Recipe.defaults(self.objective, self.method).model_dump(mode="json")
        always = (
            "name",
            "objective",
            "method",
            "model_name_or_path",
            "dataset_name",
            "learning_rate",
        )
        return {key: value for key, value in plain.items() if key in always or value != usual[key]}

    def with_(self, **changes: Any) -> Recipe:
        """A copy with changes, validated."""
        return Recipe.of({**self.model_dump(), **changes})


def _objective_defaults(objective: Any, method: Any) -> dict[str, Any]:
    """What follows from the choice of objective and method (the field's customary values).

    DPO wants a rate some forty times lower than LoRA SFT, and full fine-tuning ten times lower
    than LoRA.
    """
    values: dict[str, Any] = {}
    if objective == "dpo":
        values |= {"learning_rate": 5e-6, "num_train_epochs": 1.0, "warmup_steps": 0.1, "beta": 0.1}
    if method == "full":
        values["learning_rate"] = 2e-5 if objective == "sft" else 1e-6
    if method == "qlora":
        values["load_in_4bit"] = True
    return values


def _sentence(error: ValidationError) -> str:
    """Pydantic's findings as one sentence."""
    parts = []
    for issue in error.errors():
        field = str(issue["loc"][0]) if issue["loc"] else ""
        message = issue["msg"].removeprefix("Value error, ")
        if not field:
            parts.append(f"The recipe does not fit together: {message}.")
            continue
        parts.append(f"{field} cannot be {issue['input']!r}: {message[0].lower()}{message[1:]}.")
    return " ".join(dict.fromkeys(parts))


PRESETS = Path(__file__).resolve().parent.parent / "presets"


def presets() -> dict[str, Recipe]:
    """The shipped recipes by slug (file name without `.yaml`)."""
    return {
        path.stem: Recipe.from_yaml(path) for path in sorted((PRESETS / "recipes").glob("*.yaml"))
    }


def find_recipe(name: str) -> Recipe:
    """A recipe by path of a YAML file or slug of a shipped one."""
    path = Path(name).expanduser()
    if path.suffix in {".yaml", ".yml"} or path.exists():
        return Recipe.from_yaml(path)
    shipped = presets()
    if name not in shipped:
        raise ConfigError(
            f"There is no recipe {name!r}.{did_you_mean(name, shipped)} "
            f"Shipped: {', '.join(shipped)}."
        )
    return shipped[name]
