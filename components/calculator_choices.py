"""The calculator's left column: its widgets, what they mean, and the recipe's names for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

import gradio as gr

from studio.calculator.cards import CARDS, THIS_MACHINE
from studio.calculator.known import KNOWN
from studio.calculator.methods import ALL_LINEAR, METHODS, PROMPTED, RANKED
from studio.knobs import Method

TRAINED_HERE = get_args(Method)
_WORKSHOP = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"
_OPTIMIZERS = ["adamw_torch_fused", "adamw_8bit", "paged_adamw_32bit", "paged_adamw_8bit",
               "adafactor", "sgd"]  # fmt: skip
_ATTENTION = [("SDPA", "sdpa"), ("Flash attention 2", "flash_attention_2"), ("Eager", "eager")]


class Choices:
    """Builds the widgets inside the open column; `fields` are in a fixed order.

    `model_problem` and `problem` say what is wrong, beside the model and beside the rest.
    """

    def __init__(self) -> None:
        self.fields: dict[str, Any] = {}
        self._main()
        with gr.Accordion("More", open=False, elem_classes="calc-more"):
            self._more()
        self.depending = [
            self.fields[name]
            for name in ("lora_r", "lora_target_modules", "num_virtual_tokens", "quantization")
        ]

    def _main(self) -> None:
        add = self.fields.__setitem__
        add("model", gr.Dropdown(
            ["pocket", *KNOWN], value=_WORKSHOP, allow_custom_value=True, label="Model",
            info="A Hub id, a folder, or the text of a config.json", elem_id="calc-model",
        ))  # fmt: skip
        self.model_problem = gr.HTML("", visible=False, elem_id="calc-model-problem")
        add("method", gr.Dropdown(
            [(label, name) for name, label in METHODS.items()], value="lora", label="Method",
            elem_id="calc-method",
        ))  # fmt: skip
        add("lora_r", gr.Slider(1, 256, value=8, step=1, label="Rank", elem_id="calc-rank"))
        add("num_virtual_tokens", gr.Slider(
            1, 200, value=20, step=1, label="Virtual tokens", visible=False
        ))  # fmt: skip
        add("lora_target_modules", gr.Dropdown(
            [ALL_LINEAR, "q_proj", "k_proj", "v_proj"], value=["q_proj", "k_proj", "v_proj"],
            multiselect=True, label="Targets", elem_id="calc-targets",
        ))  # fmt: skip
        self.problem = gr.HTML("", visible=False, elem_id="calc-problem")
        with gr.Row(elem_classes="calc-pair"):
            add("per_device_train_batch_size", gr.Number(
                8, precision=0, minimum=1, label="Batch size", min_width=80
            ))  # fmt: skip
            add("max_length", gr.Number(512, precision=0, minimum=1, label="Length", min_width=80))
        add("card", gr.Dropdown(
            [("This machine", THIS_MACHINE), *CARDS], value="T4 16 GB", label="Card",
            elem_id="calc-card",
        ))  # fmt: skip

    def _more(self) -> None:
        add = self.fields.__setitem__
        add("objective", gr.Radio(
            [("SFT", "sft"), ("DPO", "dpo")], value="sft", label="Objective",
            elem_classes="segmented",
        ))  # fmt: skip
        add("activation_checkpointing", gr.Checkbox(
            False, label="Checkpoint activations",
            info="Recompute them in the backward pass: less memory, slower",
        ))  # fmt: skip
        add("quantization", gr.Dropdown(
            [("none", "none"), ("8 bits", "8bit"), ("4 bits (NF4)", "4bit")], value="none",
            label="Base weights quantised",
        ))  # fmt: skip
        add("optim", gr.Dropdown(
            _OPTIMIZERS, value=_OPTIMIZERS[0], allow_custom_value=True, label="Optimizer"
        ))  # fmt: skip
        add("attn_implementation", gr.Dropdown(_ATTENTION, value="sdpa", label="Attention"))
        add("gradient_accumulation_steps", gr.Number(
            1, precision=0, minimum=1, label="Gradient accumulation"
        ))  # fmt: skip
        with gr.Row(elem_classes="calc-pair"):
            add("rows", gr.Number(None, precision=0, minimum=0, label="Rows", min_width=80))
            add("mean_tokens", gr.Number(None, minimum=0, label="Tokens a row", min_width=80))
        with gr.Row(elem_classes="calc-pair"):
            add("num_train_epochs", gr.Number(3, minimum=0, label="Epochs", min_width=80))
            add("per_hour", gr.Number(None, minimum=0, label="Price an hour", min_width=80))

    # --- reading

    def read(self, data: Mapping[Any, Any]) -> dict[str, Any]:
        """Values by name, without what does not apply to the method."""
        chosen = {name: data[field] for name, field in self.fields.items()}
        method = chosen["method"]
        if method not in RANKED:
            chosen.pop("lora_r")
        if method in PROMPTED or method == "full":
            chosen.pop("lora_target_modules")
        if method not in PROMPTED:
            chosen.pop("num_virtual_tokens")
        if method == "full":
            chosen["quantization"] = "none"
        return chosen

    def as_recipe(self, chosen: Mapping[str, Any]) -> dict[str, Any] | None:
        """The recipe changes behind the choices; None for a method that is counted, not trained."""
        method = "lora" if chosen["method"] == "rslora" else chosen["method"]
        if method == "lora" and chosen["quantization"] == "4bit":
            method = "qlora"
        if method not in TRAINED_HERE or chosen["quantization"] == "8bit":
            return None
        wanted: dict[str, Any] = {
            "model_name_or_path": chosen["model"],
            "method": method,
            "objective": chosen["objective"],
            "load_in_4bit": method == "qlora" or chosen["quantization"] == "4bit",
            **{name: chosen[name] for name in (
                "per_device_train_batch_size", "gradient_accumulation_steps", "max_length",
                "activation_checkpointing", "optim",
            )},
        }  # fmt: skip
        if "lora_r" in chosen:
            wanted |= {"lora_r": chosen["lora_r"], "lora_alpha": 2 * chosen["lora_r"]}
            wanted["use_rslora"] = chosen["method"] == "rslora"
            targets = chosen["lora_target_modules"]
            wanted["lora_target_modules"] = ALL_LINEAR if ALL_LINEAR in targets else tuple(targets)
        return wanted

    def use_label(self, wanted: Mapping[str, Any] | None) -> str:
        """What the button says."""
        return "Use in training" if wanted else "Counted here, not trained here"

    # --- writing

    def shown_for(self, method: str) -> tuple[Any, ...]:
        """Rank, targets, virtual tokens and quantisation: gone where they do not apply."""
        ranked, prompted, full = method in RANKED, method in PROMPTED, method == "full"
        return (
            gr.update(visible=ranked),
            gr.update(visible=not (prompted or full)),
            gr.update(visible=prompted),
            gr.update(visible=not full and method != "qlora"),
        )

    def targets_for(self, model: str, chosen: Any) -> Any:
        """A model's targets; chosen names that it lacks go, for all-linear when none is left."""
        from studio.calculator.skeleton import skeleton

        names = [ALL_LINEAR, *skeleton(model).suffixes()]
        kept = [name for name in chosen or () if name in names]
        return gr.update(choices=names, value=kept or [ALL_LINEAR])

    def filled(self, settings: Mapping[str, Any]) -> tuple[Any, ...]:
        """Updates that set the fields named in `settings`; the others stay."""
        values = dict(settings)
        targets = values.get("lora_target_modules")
        if isinstance(targets, str):
            values["lora_target_modules"] = [targets]
        if values.get("method") == "qlora":
            values["quantization"] = "none"  # the method says it
        return tuple(
            gr.update(value=values[name]) if name in values and values[name] is not None
            else gr.skip()
            for name in self.fields
        )  # fmt: skip
