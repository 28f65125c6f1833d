"""The recipe: every setting of a run, frozen and validated, under TRL's and PEFT's own names.

A recipe reads and writes flat YAML. Names are those of TRL's configs and `ModelConfig`, then
PEFT's; the studio adds `name`, `objective`, `method`, `start_from`, `start_as`, `sample_steps`,
`device`, and `num_trainable_layers`. `accelerate_config` and `num_processes` are those of TRL's
command line. Omitted fields take the defaults of the objective and method. Unknown keys are refused
with the closest known name. The form on the page, the command line, and the files are views of this
class.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PureWindowsPath
from typing import Any, Self, cast

import yaml
from pydantic import ValidationError, field_validator, model_validator

from studio.core import rendering, rope
from studio.core.config_limits import ATTENTION
from studio.core.errors import ConfigError, did_you_mean
from studio.core.formatting import one_line
from studio.core.workspace import PRESETS
from studio.runs import (
    dataset_entries,
    embedding_rules,
    launch_configs,
    methods,
    mixture,
    objectives,
    reward_rules,
)
from studio.runs.defaults import defaults_for
from studio.runs.fields import QUANTIZATION, LossType, Method, Objective, RecipeFields
from studio.runs.goals import goals
from studio.runs.objectives import OBJECTIVES

__all__ = [
    "OBJECTIVE_TYPES",
    "LossType",
    "Method",
    "Objective",
    "Recipe",
    "find_recipe",
    "presets",
    "recommended_recipe",
]

# Dataset types that each objective trains on.
OBJECTIVE_TYPES: dict[str, tuple[str, ...]] = {name: row.types for name, row in OBJECTIVES.items()}


_REGEX = re.compile(r"[\\^$*+?()\[\]|]")
"""One target with any of these is a regex for whole module names, as PEFT reads a plain string."""


_MOST_REPEATS = 3
_SLOW = re.compile(r"\)\s*[*+{]|\(\?(?!:)|\\[1-9]")
"""A repeated group, a flag or lookaround, a backreference."""


def _check_pattern(pattern: str) -> None:
    """Refuse a pattern that can take forever: PEFT matches it with `re`, which nothing stops."""
    repeats = len(re.findall(r"[*+{]", pattern))
    if _SLOW.search(pattern) or repeats > _MOST_REPEATS:
        raise ValueError(
            f"{pattern!r} could take forever to match: repeat no group, use no lookaround or "
            f"backreference, and at most {_MOST_REPEATS} of * + {{}}; or list the modules by name"
        )
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from None


class Recipe(RecipeFields):
    """The settings of one run. Frozen: change with `with_`, which validates again."""

    @field_validator("name", mode="after")
    @classmethod
    def _one_line(cls, value: str) -> str:
        return one_line(value)

    @field_validator("attn_implementation", mode="after")
    @classmethod
    def _known_attention(cls, value: str | None) -> str | None:
        if value is not None and value not in ATTENTION:
            raise ValueError(f"choose one of {', '.join(ATTENTION)}: other names are code to fetch")
        return value

    @field_validator("lora_target_modules", mode="before")
    @classmethod
    def _targets(cls, value: str | Sequence[object] | None) -> object:
        if isinstance(value, str) and value != "all-linear":
            value = [value] if _REGEX.search(value) else value.split(",")
        if isinstance(value, list | tuple):
            names = tuple(str(name).strip() for name in value if str(name).strip())
            if not names:
                raise ValueError("name at least one module, or all-linear")
            if len(names) == 1 and (names[0] == "all-linear" or _REGEX.search(names[0])):
                return names[0]
            return names
        return value

    @field_validator("lora_target_modules", "rank_pattern", "alpha_pattern", mode="after")
    @classmethod
    def _matched_in_time(
        cls, value: str | tuple[str, ...] | dict[str, int] | None
    ) -> str | tuple[str, ...] | dict[str, int] | None:
        patterns = [value] if isinstance(value, str) else value or ()
        for pattern in () if isinstance(value, tuple) else patterns:
            _check_pattern(pattern)
        return value

    @field_validator(
        "loss_type",
        "loss_weights",
        "reward_weights",
        "lora_modules_to_save",
        "lora_target_parameters",
        "feedforward_modules",
        "layers_to_transform",
        "trainable_token_indices",
        "matryoshka_dims",
        "report_to",
        mode="before",
    )
    @classmethod
    def _several(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return (value,) if isinstance(value, int | float) else value

    @field_validator("trainable_token_indices", mode="after")
    @classmethod
    def _tokens(cls, value: tuple[int | str, ...]) -> tuple[int | str, ...]:
        """Ids as numbers, each token once."""
        numbers = (int(one) if isinstance(one, str) and one.isdigit() else one for one in value)
        found = tuple(dict.fromkeys(numbers))
        for one in found:
            if one == "" or (isinstance(one, int) and one < 0):
                raise ValueError(f"{one!r} is no token; give ids from 0 up, or tokens' texts")
        return found

    @field_validator("reward_funcs", mode="before")
    @classmethod
    def _rewards(cls, value: object) -> object:
        """`exact; length:5-28`, or a list; `;` separates because a pattern may contain commas."""
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(";") if part.strip())
        return value

    @field_validator("rank_pattern", "alpha_pattern", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        """`q_proj=8, v_proj=32`, or a mapping."""
        if not isinstance(value, str):
            return value or {}
        pairs = [part.split("=", 1) for part in value.split(",") if part.strip()]
        if any(len(pair) != 2 for pair in pairs):
            raise ValueError("write it as q_proj=8, v_proj=32")
        return {name.strip(): number.strip() for name, number in pairs}

    @field_validator("chat_template_kwargs", mode="before")
    @classmethod
    def _template_variables(cls, value: object) -> object:
        """`enable_thinking=false, reasoning_effort=low`, or a mapping."""
        if isinstance(value, str) and not value.lstrip().startswith("{"):
            pairs = [part.split("=", 1) for part in value.split(",") if part.strip()]
            if any(len(pair) != 2 for pair in pairs):
                raise ValueError("write it as enable_thinking=false, reasoning_effort=low")
            value = {name.strip(): yaml.safe_load(one) for name, one in pairs}
        try:
            return rendering.checked(value or {}, "chat_template_kwargs")
        except ConfigError as error:
            raise ValueError(str(error).rstrip(".")) from None

    @field_validator("rope_parameters", mode="before")
    @classmethod
    def _rope(cls, value: object) -> object:
        """`rope_type=yarn, factor=4`, or a mapping."""
        if isinstance(value, str):
            pairs = [part.split("=", 1) for part in value.split(",") if part.strip()]
            if any(len(pair) != 2 for pair in pairs):
                raise ValueError("write it as rope_type=yarn, factor=4")
            value = {name.strip(): text.strip() for name, text in pairs}
        if value is not None and not isinstance(value, Mapping):
            raise ValueError("write it as rope_type=yarn, factor=4")
        return rope.checked(cast(Mapping[str, Any], value or {}))

    @field_validator("datasets", mode="before")
    @classmethod
    def _mixture(cls, value: object) -> object:
        """`mine; general:0.1`, or TRL's list of mappings."""
        return dataset_entries.parse(value)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        for rules in (
            methods, objectives, launch_configs, reward_rules, embedding_rules, mixture
        ):  # fmt: skip
            for reason in rules.validation_errors(self):
                raise ValueError(reason)
        if self.early_stopping_patience and not self.load_best_model_at_end:
            raise ValueError(
                "early_stopping_patience compares checkpoints; set load_best_model_at_end: true"
            )
        return self

    # --- derived

    @property
    def quantized(self) -> bool:
        """Whether the base is loaded in 4 or 8 bits."""
        return methods.is_quantized(self)

    @property
    def uses_adapter(self) -> bool:
        return methods.METHODS[self.method].adapter

    @property
    def merges_to_sample(self) -> bool:
        """Whether TRL merges the adapter into the base and takes it out again at every sampling,
        which rounds: such a run needs a base of its own."""
        return self.use_vllm and OBJECTIVES[self.objective].online and self.uses_adapter

    @property
    def continues(self) -> bool:
        """Whether it continues another run's adapter."""
        return bool(self.start_from) and self.start_as == "continue"

    @classmethod
    def applies(cls, field: str, objective: str, method: str) -> bool:
        """Whether a field has an effect for an objective and a method."""
        extra = cast(dict[str, Any], cls.model_fields[field].json_schema_extra)
        if extra["group"] == "adapter":
            return methods.field_applies(field, method)
        if extra["only"] in QUANTIZATION:
            return methods.METHODS[method].quantized in QUANTIZATION[extra["only"]]
        return extra["only"] is None or objectives.named(extra["only"], objective)

    # --- reading and writing

    @classmethod
    def of(cls, values: object) -> Recipe:
        """From a mapping; a `ConfigError` names the key, the value, and what is accepted.

        Omitted keys take the defaults of the recipe's objective and method.
        """
        if not isinstance(values, Mapping):
            raise ConfigError(
                "A recipe is a mapping of names to values, such as `learning_rate: 1.0e-4`."
            )
        given = cast(Mapping[str, Any], values)
        for key in given:
            if key not in cls.model_fields:
                raise ConfigError(
                    f"A recipe has no {key!r}.{did_you_mean(str(key), cls.model_fields)}"
                )
        objective, method = given.get("objective", "sft"), given.get("method", "lora")
        complete = {**defaults_for(str(objective), str(method)), **given}
        complete = dataset_entries.with_first(complete)
        if complete.get("load_in_8bit") and "load_in_4bit" not in given:
            complete["load_in_4bit"] = False
        try:
            return cls.model_validate(complete)
        except ValidationError as error:
            raise ConfigError(_sentence(error)) from None

    @classmethod
    def defaults(cls, objective: str = "sft", method: str = "lora", **changes: Any) -> Recipe:
        """A recipe with the defaults of an objective and a method."""
        return cls.of({"objective": objective, "method": method, **changes})

    @classmethod
    def from_yaml(cls, source: str | Path) -> Recipe:
        """From YAML text, or the path of a YAML file."""
        if isinstance(source, str):
            return cls._from_text(source)
        try:
            text = source.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"The recipe {source} cannot be read: {error.strerror}.") from None
        return cls._from_text(text)

    @classmethod
    @functools.lru_cache(maxsize=256)  # a run's recipe is read for every answer
    def _from_text(cls, text: str) -> Recipe:
        try:
            values = yaml.safe_load(text)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            where = f" at line {mark.line + 1}" if mark else ""
            raise ConfigError(
                f"The recipe is not valid YAML{where}: {getattr(error, 'problem', error)}."
            ) from None
        if values is None or values == {}:
            raise ConfigError(
                "The recipe is empty, so nothing says what to train on. Write dataset_name and "
                "model_name_or_path into it."
            )
        return cls.of(values)

    def to_yaml(self) -> str:
        """Flat YAML of what identifies the run and of all that differs from the defaults."""
        return yaml.safe_dump(self.changed(), sort_keys=False, allow_unicode=True, width=100)

    def changed(self) -> dict[str, Any]:
        """The fields that differ from the defaults, and those that identify the run."""
        plain = self.model_dump(mode="json")
        plain["datasets"] = [one.model_dump(exclude_none=True) for one in self.datasets]
        usual = Recipe.defaults(self.objective, self.method).model_dump(mode="json")
        always = (
            *(["name"] if self.name else []),
            "objective",
            "method",
            "model_name_or_path",
            "dataset_name",
            "learning_rate",
        )
        return {key: value for key, value in plain.items() if key in always or value != usual[key]}

    def usual_name(self) -> str:
        """The name of a run without one, its model and objective: `pocket-dpo`.

        A run's data is beside its name wherever runs are listed; where the name is taken,
        `RunStore.free_name` numbers it.
        """
        model = PureWindowsPath(self.model_name_or_path).name  # of / and \\ alike
        return f"{model[:100]}-{self.objective}"

    def with_(self, **changes: Any) -> Recipe:
        """A copy with changes, validated."""
        if changes.get("load_in_8bit"):
            changes.setdefault("load_in_4bit", False)
        values = self.model_dump()
        if changes.get("objective", self.objective) != self.objective:
            values = {key: value for key, value in values.items() if not key.startswith("loss_")}
        if changes.get("datasets"):
            del values["dataset_name"]  # it is the first of them
        elif "dataset_name" in changes:
            del values["datasets"]
        return Recipe.of({**values, **changes})


def _sentence(error: ValidationError) -> str:
    """Pydantic's errors as one sentence."""
    parts: list[str] = []
    for issue in error.errors():
        field = str(issue["loc"][0]) if issue["loc"] else ""
        message = issue["msg"].removeprefix("Value error, ")
        if not field:
            parts.append(f"The recipe is inconsistent: {message}.")
            continue
        parts.append(f"{field} cannot be {issue['input']!r}: {message[0].lower()}{message[1:]}.")
    return " ".join(dict.fromkeys(parts))


def presets() -> dict[str, Recipe]:
    """The bundled recipes by slug (file name without `.yaml`)."""
    return {
        path.stem: Recipe.from_yaml(path) for path in sorted((PRESETS / "recipes").glob("*.yaml"))
    }


def find_recipe(name: str) -> Recipe:
    """A recipe by the path of a YAML file, by the slug of a bundled one, or from YAML text."""
    if "\n" in name:
        return Recipe.from_yaml(name)
    path = Path(name).expanduser()
    if path.suffix in {".yaml", ".yml"} or path.exists():
        return Recipe.from_yaml(path)
    shipped, wanted = presets(), goals()
    if name in wanted:
        return Recipe.of(wanted[name].values())
    if name not in shipped:
        raise ConfigError(
            f"There is no recipe {name!r}.{did_you_mean(name, [*shipped, *wanted])} "
            f"Bundled: {', '.join(shipped)}. By goal: {', '.join(wanted)}."
        )
    return shipped[name]


@functools.cache
def recommended_recipe(objective: str, method: str, model: str) -> tuple[Recipe, str]:
    """The recommended recipe for an objective, a method, and a model, and where it comes from."""
    near = [
        (slug, recipe)
        for slug, recipe in presets().items()
        if (recipe.objective, recipe.model_name_or_path) == (objective, model)
    ]
    for slug, recipe in near:
        if recipe.method == method:
            return recipe, f"those of the bundled recipe {slug}"
    for slug, recipe in near:
        if "full" not in (method, recipe.method):
            return recipe.with_(method=method), f"those of the bundled recipe {slug}"
    name = f"{methods.METHODS[method].label} {OBJECTIVES[objective].label}"
    return Recipe.defaults(objective, method, model_name_or_path=model), f"the defaults for {name}"
