"""The calculator's left column: its widgets, what they mean, and the recipe's names for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.ui import recipe_defaults
from studio.calculator.adapter_settings import ALL_LINEAR, METHODS, RSLORA
from studio.calculator.gpus import CARDS, THIS_MACHINE
from studio.calculator.known_models import KNOWN
from studio.data import SAMPLES
from studio.runs.methods import METHODS as TRAINED
from studio.runs.methods import adapter_fields, field_applies
from studio.runs.objectives import OBJECTIVES, REWARDED
from studio.runs.recipe import Recipe
from studio.workflows.estimate_run import SAMPLE_TYPES, kind_of

if TYPE_CHECKING:
    from studio import Studio

WORKSHOP = {
    "model": "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
    "method": "lora",
    "lora_r": 8,
    "lora_target_modules": ["q_proj", "k_proj", "v_proj"],
    "objective": "sft",
    "quantization": "none",
}
"""The workshop's example: 1,531,904 trainable parameters, 0.1391 %."""
_OPTIMIZERS = [
    "adamw_torch_fused",
    "adamw_8bit",
    "paged_adamw_32bit",
    "paged_adamw_8bit",
    "adafactor",
    "lion_8bit",
    "sgd",
]
_ATTENTION = [("SDPA", "sdpa"), ("Flash attention 2", "flash_attention_2"), ("Eager", "eager")]
_PRECISION = [("automatic", "auto"), "bfloat16", "float16", "float32"]
NO_DATA = ("none", "")
_WRITING = ("num_generations", "max_completion_length")
"""Of objectives that write answers of their own."""


class Choices:
    """Builds the widgets inside the open column; `fields` are in a fixed order.

    `model_problem` and `problem` say what is wrong, beside the model and beside the rest.
    """

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.fields: dict[str, Any] = {}
        # What the Train form opens with.
        self.usual, _ = recipe_defaults.usual(("sft", "lora", "pocket"))
        self._main()
        with gr.Accordion("More", open=False, elem_classes="calc-more"):
            self._of_method()
            self._of_run()
            self._of_data()
        names = [name for name in self.fields if name in adapter_fields()]
        self._names = [*names, "quantization", "packing", *_WRITING]
        self.depending = [self.fields[name] for name in self._names]

    def _main(self) -> None:
        add = self.fields.__setitem__
        add(
            "model",
            gr.Dropdown(
                ["pocket", *KNOWN],
                value=self.usual.model_name_or_path,
                allow_custom_value=True,
                label="Model",
                elem_id="calc-model",
                info="A Hub id, a folder, or the text of a config.json",
            ),
        )
        with gr.Row(elem_classes="calc-examples"):
            self.example = gr.Button(
                "TinyLlama, rank 8 on q, k, v", size="sm", elem_id="calc-workshop"
            )
        self.model_problem = gr.HTML("", visible=False, elem_id="calc-model-problem")
        add(
            "method",
            gr.Dropdown(
                [(label, name) for name, label in METHODS.items()],
                value="lora",
                label="Method",
                elem_id="calc-method",
            ),
        )
        add(
            "lora_r",
            gr.Slider(1, 256, value=self.usual.lora_r, step=1, label="Rank", elem_id="calc-rank"),
        )
        for name, label, highest, value in (
            ("num_virtual_tokens", "Virtual tokens", 200, 20),
            ("oft_block_size", "Block size", 256, 32),
            ("adapter_len", "Tokens a layer", 100, 10),
            ("adapter_layers", "Last layers", 64, 4),
            ("num_trainable_layers", "Layers trained", 64, 2),
        ):
            add(name, gr.Slider(1, highest, value=value, step=1, label=label, visible=False))
        add(
            "lora_target_modules",
            gr.Dropdown(
                [ALL_LINEAR, "q_proj", "k_proj", "v_proj"],
                value=[ALL_LINEAR],
                multiselect=True,
                allow_custom_value=True,
                label="Targets",
                elem_id="calc-targets",
            ),
        )
        self.problem = gr.HTML("", visible=False, elem_id="calc-problem")
        with gr.Row(elem_classes="calc-pair"):
            add(
                "per_device_train_batch_size",
                gr.Number(
                    self.usual.per_device_train_batch_size,
                    precision=0,
                    minimum=1,
                    label="Batch size",
                    min_width=80,
                ),
            )
            add(
                "max_length",
                gr.Number(
                    self.usual.max_length, precision=0, minimum=1, label="Length", min_width=80
                ),
            )
        add(
            "card",
            gr.Dropdown(
                [("This machine", THIS_MACHINE), *CARDS],
                value=THIS_MACHINE,
                label="Card",
                elem_id="calc-card",
            ),
        )

    def _of_method(self) -> None:
        add = self.fields.__setitem__
        add(
            "rank_pattern",
            gr.Textbox(
                "", label="Ranks by module", info="As q_proj=4, v_proj=64", elem_id="calc-ranks"
            ),
        )
        add(
            "lora_modules_to_save",
            gr.Textbox("", label="Modules trained whole", info="As embed_tokens, lm_head"),
        )
        add(
            "quantization",
            gr.Dropdown(
                [("none", "none"), ("8 bits", "8bit"), ("4 bits (NF4)", "4bit")],
                value="none",
                label="Base weights quantised",
            ),
        )

    def _of_run(self) -> None:
        add = self.fields.__setitem__
        add(
            "objective",
            gr.Dropdown(
                [(row.label, name) for name, row in OBJECTIVES.items()],
                value="sft",
                label="Objective",
            ),
        )
        with gr.Row(elem_classes="calc-pair"):
            add(
                "num_generations",
                gr.Number(
                    8, precision=0, minimum=2, label="Group size", min_width=80, visible=False
                ),
            )
            add(
                "max_completion_length",
                gr.Number(
                    128, precision=0, minimum=1, label="Answer length", min_width=80, visible=False
                ),
            )
        add(
            "activation_checkpointing",
            gr.Checkbox(
                False,
                label="Checkpoint activations",
                info="Recompute them in the backward pass: less memory, slower",
            ),
        )
        add(
            "all_logits",
            gr.Checkbox(
                False,
                label="Hold all logits at once",
                info="As a plain training loop does; TRL's loss works in pieces",
            ),
        )
        with gr.Row(elem_classes="calc-pair"):
            add(
                "optim",
                gr.Dropdown(
                    _OPTIMIZERS,
                    value=self.usual.optim,
                    allow_custom_value=True,
                    label="Optimizer",
                    min_width=80,
                ),
            )
            add(
                "dtype",
                gr.Dropdown(_PRECISION, value=self.usual.dtype, label="Precision", min_width=80),
            )
        with gr.Row(elem_classes="calc-pair"):
            add(
                "attn_implementation",
                gr.Dropdown(_ATTENTION, value="sdpa", label="Attention", min_width=80),
            )
            add(
                "gradient_accumulation_steps",
                gr.Number(1, precision=0, minimum=1, label="Accumulation", min_width=80),
            )

    def _of_data(self) -> None:
        add = self.fields.__setitem__
        add(
            "dataset",
            gr.Dropdown(
                self.datasets(),
                value="pocket-sft",
                label="Dataset",
                elem_id="calc-dataset",
                info="Its rows are measured, for steps and time",
            ),
        )
        with gr.Row(elem_classes="calc-pair"):
            add(
                "rows",
                gr.Number(
                    None, precision=0, minimum=0, label="Or rows", min_width=80, placeholder="1000"
                ),
            )
            add(
                "mean_tokens",
                gr.Number(None, minimum=0, label="Tokens a row", min_width=80, placeholder="200"),
            )
        add("packing", gr.Checkbox(False, label="Pack several rows into one sequence"))
        with gr.Row(elem_classes="calc-pair"):
            add(
                "num_train_epochs",
                gr.Number(self.usual.num_train_epochs, minimum=0, label="Epochs", min_width=80),
            )
            add(
                "per_hour",
                gr.Number(
                    None, minimum=0, label="Price an hour", min_width=80, placeholder="by table"
                ),
            )

    def datasets(self) -> list[tuple[str, str]]:
        """(label, value) of what can be measured: prepared datasets, samples, none."""
        kept = [
            (dataset.name, dataset.id)
            for dataset in self.studio.datasets.list()
            if dataset.rows.get("train")
        ]
        names = {name for name, _ in kept}
        samples = [(f"{alias}, sample", alias) for alias in SAMPLE_TYPES if alias not in names]
        kept = [(name, name if name in SAMPLES else identifier) for name, identifier in kept]
        return [*kept, *samples, NO_DATA]

    # --- reading

    def values(self, data: Mapping[Any, Any]) -> dict[str, Any]:
        """What stands in every field, by name."""
        return {name: data[field] for name, field in self.fields.items()}

    def read(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Of `values`, what applies to the method."""
        chosen = dict(values)
        method = _trained(chosen["method"])
        chosen = {
            name: value
            for name, value in chosen.items()
            if name not in adapter_fields()
            or (field_applies(name, method) and value not in ("", []))
        }
        if TRAINED[method].quantized != "may":
            chosen["quantization"] = "none"
        if chosen["objective"] != "sft":
            chosen["packing"] = False
        if chosen["objective"] not in REWARDED:
            chosen = {name: value for name, value in chosen.items() if name not in _WRITING}
        if chosen.get("lora_target_modules"):
            chosen["lora_target_modules"] = _targets(chosen["lora_target_modules"])
        elif field_applies("lora_target_modules", method) and method != "ia3":
            chosen["lora_target_modules"] = []
        return chosen

    def as_recipe(self, chosen: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe changes behind the choices."""
        method = _trained(chosen["method"])
        if chosen["quantization"] != "none" and method == "lora":
            method = "qlora"
        wanted: dict[str, Any] = {
            name: value
            for name, value in chosen.items()
            if name in Recipe.model_fields and name not in ("lora_modules_to_save", "rank_pattern")
        }
        wanted |= {
            "model_name_or_path": chosen["model"],
            "method": method,
            "load_in_4bit": method in ("qlora", "loftq") or chosen["quantization"] == "4bit",
            "load_in_8bit": False,
        }
        if chosen["quantization"] == "8bit":
            wanted |= {"load_in_4bit": False, "load_in_8bit": True}
        kind = kind_of(self.studio, chosen.get("dataset"))
        if kind in OBJECTIVES[chosen["objective"]].types:
            wanted["dataset_name"] = chosen["dataset"]
        if "lora_r" in chosen:
            wanted["lora_alpha"] = 2 * chosen["lora_r"]
        if method in ("lora", "qlora"):
            wanted["use_rslora"] = chosen["method"] == RSLORA
        targets = wanted.get("lora_target_modules")
        if isinstance(targets, list):
            wanted["lora_target_modules"] = tuple(targets)
        for name in ("lora_modules_to_save", "rank_pattern"):
            if chosen.get(name):
                wanted[name] = chosen[name]
        return wanted

    def wanted(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The recipe changes behind what stands in the fields."""
        return self.as_recipe(self.read(values))

    def recipe(self, wanted: Mapping[str, Any]) -> Recipe:
        """A whole recipe with these changes; raises `ConfigError` where they do not go together."""
        return Recipe.defaults(wanted["objective"], wanted["method"]).with_(**wanted)

    # --- writing

    def shown_for(self, method: str, objective: str) -> tuple[Any, ...]:
        """What the method has no use for is gone."""
        row = TRAINED[_trained(method)]
        shown = {name: field_applies(name, row.name) for name in self._names}
        shown |= {"quantization": row.quantized == "may", "packing": objective == "sft"}
        shown |= dict.fromkeys(_WRITING, objective in REWARDED)
        return tuple(gr.update(visible=shown[name]) for name in self._names)

    def targets_for(self, model: str, chosen: Any) -> Any:
        """A model's targets; chosen names that it lacks go, for all-linear when none is left."""
        from studio.calculator.meta_model import skeleton

        names = [ALL_LINEAR, *skeleton(model).targets()]
        kept = [name for name in chosen or () if name in names]
        return gr.update(choices=names, value=kept or [ALL_LINEAR])

    def switched(self, model: str, chosen: Any, names: list[str]) -> list[str]:
        """The targets with some names turned on, or off where all of them were on."""
        from studio.calculator.meta_model import skeleton

        bones = skeleton(model)
        every = list(bones.suffixes())
        every += [name for name in bones.expert_names() if name not in every]
        now = every if ALL_LINEAR in (chosen or ()) else [n for n in chosen or () if n in every]
        off = set(names) <= set(now)
        kept = [
            name
            for name in every
            if (name in now and name not in names) or (name in names and not off)
        ]
        return [ALL_LINEAR] if kept == every else kept

    def given(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Values of the fields that `settings` name, in a recipe's terms or the calculator's."""
        values = {name: value for name, value in settings.items() if name in self.fields}
        targets = values.get("lora_target_modules")
        if isinstance(targets, str | tuple):
            values["lora_target_modules"] = [targets] if isinstance(targets, str) else list(targets)
        if settings.get("use_rslora") and values.get("method") == "lora":
            values["method"] = RSLORA
        if values.get("method") == "qlora" and values.get("quantization") == "8bit":
            values["method"] = "lora"
        elif "method" in values and TRAINED[_trained(values["method"])].quantized == "always":
            values["quantization"] = "none"  # the method says it
        for name in ("lora_modules_to_save", "rank_pattern"):
            if name in values:
                values[name] = _text(values[name])
        if values.get("attn_implementation") not in [value for _, value in _ATTENTION]:
            values.pop("attn_implementation", None)  # automatic: what stands there is as good
        return {name: value for name, value in values.items() if value is not None}

    def newer(self, asked: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
        """What another tab asked for and is not there yet, but for fields typed in since."""
        before = asked["before"]
        return {
            name: value
            for name, value in self.given(asked["settings"]).items()
            if value != now[name] == before.get(name, now[name])
        }

    def beyond(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Of a recipe's settings, those that have no field here and count all the same."""
        return {
            name: value
            for name, value in settings.items()
            if name not in (*self.fields, "method", "use_rslora", "keep_base")
        }

    def updates(self, values: Mapping[str, Any]) -> tuple[Any, ...]:
        """Updates that set these fields; the others stay."""
        found = {name: gr.update(value=value) for name, value in values.items()}
        if "dataset" in values:
            offered = self.datasets()
            if values["dataset"] not in [value for _, value in offered]:
                offered.append((values["dataset"], values["dataset"]))
            found["dataset"] = gr.update(value=values["dataset"], choices=offered)
        return tuple(found.get(name, gr.skip()) for name in self.fields)


def _trained(method: str) -> str:
    return "lora" if method == RSLORA else method


def _targets(chosen: list[str]) -> list[str] | str:
    """One entry alone may be all-linear or a regex; several are names."""
    if ALL_LINEAR in chosen:
        return ALL_LINEAR
    return chosen[0] if len(chosen) == 1 else chosen


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        value = [f"{name}={rank}" for name, rank in value.items()]
    return value if isinstance(value, str) else ", ".join(value or ())
