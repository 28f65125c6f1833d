"""Import an adapter trained elsewhere as a finished run, to compare, continue and export.

Only safetensors and JSON are read and copied; a pickled adapter is refused: it can run code.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.core import rope
from studio.core.errors import ConfigError, ModelError, did_you_mean
from studio.core.model_catalog import catalog
from studio.core.model_names import POCKET, ModelRef, resolve
from studio.core.workspace import write_json
from studio.runs.recipe import Recipe
from studio.runs.store import Run, RunStore

_WEIGHTS = "adapter_model.safetensors"
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")
_EMBEDDINGS = ("embed_tokens", "wte", "embed_in", "word_embeddings", "lm_head", "embed_out")
_KEPT = (".json", ".jinja", ".txt", ".model", ".safetensors")

_CHANGING = {
    "lora_bias": "has biases in its matrices",
    "layer_replication": "repeats layers of the base",
}
"""Settings of PEFT with which an adapter cannot be attached beside others, and what they do."""


def adopt(runs: RunStore, folder: Path, base: str | None = None, name: str | None = None) -> Run:
    """Copy a LoRA or DoRA adapter's folder into the workspace as a finished run.

    `base` names its base model where the adapter's own config names none that can be found.
    Raises `ModelError` with the reason where the adapter cannot be used.
    """
    config = _config(folder)
    _check_kind(folder, config)
    tensors = _shapes(folder / _WEIGHTS)
    model = _base(config, base)
    config = _by_name(config, tensors) | {"task_type": "CAUSAL_LM", "auto_mapping": None}
    recipe = _recipe(config, model, name or folder.resolve().name, _scaling(folder))
    _check_fit(model, tensors)
    run = runs.create(recipe, {"imported": folder.resolve().name, "config": config})
    target = run.folder / "adapter"
    target.mkdir()
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.suffix in _KEPT:
            shutil.copyfile(path, target / path.name)
    write_json(target / "adapter_config.json", config)
    now = time.time()
    return runs.update(run.id, state="finished", started=now, ended=now)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "adapter_config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{folder} is not an adapter: it has no adapter_config.json. Name the folder that "
            "PEFT's save_pretrained wrote."
        ) from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}.") from None
    if not isinstance(found, dict):
        raise ModelError(f"{path} is not a PEFT config: it holds no mapping.")
    return found


def _check_kind(folder: Path, config: dict[str, Any]) -> None:
    if not (folder / _WEIGHTS).is_file():
        pickled = [path.name for path in folder.iterdir() if path.suffix in _PICKLES]
        if pickled:
            raise ModelError(
                f"{pickled[0]} is pickled, and a pickle can run code: the studio reads safetensors "
                "only. Load it in an environment you trust, and save it again with PEFT."
            )
        raise ModelError(f"{folder} has no {_WEIGHTS}.")
    kind = config.get("peft_type")
    if kind != "LORA":
        raise ModelError(
            f"This adapter's peft_type is {kind or 'missing'}; LoRA and DoRA can be imported."
        )
    task = config.get("task_type")
    if task not in (None, "CAUSAL_LM"):
        raise ModelError(f"This adapter is for {task}; the studio imports adapters for CAUSAL_LM.")
    if config.get("use_qalora") or config.get("megatron_config") or not _stock(config):
        raise ModelError("This adapter needs custom code, which the studio never runs.")
    if config.get("bias", "none") not in (None, "none"):
        raise ModelError(
            f"This adapter trained biases (bias: {config['bias']}). They are tensors of the base "
            "itself, which all runs share here. Merge it with PEFT, and use the merged model."
        )
    for name, what in _CHANGING.items():
        if config.get(name):
            raise ModelError(
                f"This adapter {what} ({name}). That changes the base itself, which all runs share "
                "here. Merge it with PEFT, and use the merged model."
            )
    if config.get("trainable_token_indices"):
        raise ModelError(
            "This adapter trained single tokens (trainable_token_indices). They are rows of the "
            "base's embedding, which all runs share here. Merge it with PEFT, and use the merged "
            "model."
        )


def _stock(config: dict[str, Any]) -> bool:
    """Whether the model class that PEFT notes, where task_type was left out, is transformers' own
    for causal language modeling."""
    noted = config.get("auto_mapping")
    if not noted:
        return True
    library, name = noted.get("parent_library") or "", noted.get("base_model_class") or ""
    return library.startswith("transformers.") and name.endswith("ForCausalLM")


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Every tensor's shape, read from the file's header alone."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path.name} cannot be read: {error}. Download it again.") from None


def _by_name(config: dict[str, Any], tensors: Mapping[str, object]) -> dict[str, Any]:
    """The config with the names of the modules that have tensors, where it has a pattern.

    PEFT matches a pattern each time it loads the adapter, and a pattern can take forever.
    """
    targets = config.get("target_modules")
    if isinstance(targets, list) and not config.get("exclude_modules"):
        return config
    mark = ".lora_A.weight"
    names = [key.removesuffix(mark) for key in tensors if key.endswith(mark)]
    named = sorted({name.removeprefix("base_model.model.") for name in names})
    if not named:
        raise ModelError("The adapter's file holds no LoRA matrices.")
    never = {"exclude_modules": None, "layers_to_transform": None, "layers_pattern": None}
    return {**config, **never, "target_modules": named}


def _base(config: dict[str, Any], given: str | None) -> str:
    """The name of its base model, if it is a valid name."""
    named = given or config.get("base_model_name_or_path") or ""
    try:
        return resolve(named).name
    except ModelError:
        raise ModelError(
            f"The adapter's base is {named or 'not named'}, and it was not found: "
            f"name its base with --base.{did_you_mean(named, (POCKET, *catalog()))}"
        ) from None


def _recipe(config: dict[str, Any], model: str, name: str, scaling: dict[str, Any]) -> Recipe:
    targets = config.get("target_modules")
    try:
        return Recipe.defaults(
            "sft",
            "dora" if config.get("use_dora") else "lora",
            name=name,
            model_name_or_path=model,
            dataset_name="imported",
            lora_r=config.get("r"),
            lora_alpha=config.get("lora_alpha"),
            lora_dropout=config.get("lora_dropout") or 0.0,
            use_rslora=bool(config.get("use_rslora")),
            lora_target_modules=tuple(targets) if isinstance(targets, list) else targets,
            rank_pattern=config.get("rank_pattern") or {},
            alpha_pattern=config.get("alpha_pattern") or {},
            lora_target_parameters=tuple(config.get("target_parameters") or ()),
            lora_modules_to_save=tuple(config.get("modules_to_save") or ()),
            trainable_token_indices=_tokens(config.get("trainable_token_indices")),
            rope_parameters=scaling,
        )
    except (ConfigError, TypeError) as error:
        raise ModelError(f"The adapter's config cannot be used: {error}") from None


def _scaling(folder: Path) -> dict[str, Any]:
    """The `rope_parameters` that an adapter of the studio has beside it, as a recipe gives them."""
    path = folder / rope.FILE
    if not path.is_file():
        return {}
    try:
        return rope.from_overrides(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{rope.FILE} beside the adapter cannot be used: {error}.") from None


def _tokens(given: dict[str, list[int]] | list[int] | None) -> tuple[int, ...]:
    """Token ids of an adapter's config: a list, or one for each layer that has them."""
    lists = given.values() if isinstance(given, dict) else [given or []]
    return tuple(dict.fromkeys(token for each in lists for token in each))


def _check_fit(model: str, tensors: dict[str, tuple[int, ...]]) -> None:
    """For a base on this machine: every matrix must match the size of its module's weight."""
    reference = resolve(model)
    if reference.kind == "hub":
        return  # loading it reports the problem
    weights: dict[str, tuple[int, ...]] = {}
    for path in Path(reference.location).glob("*.safetensors"):
        weights |= _shapes(path)
    _check_embeddings(reference, tensors, weights)
    for key, shape in tensors.items():
        for mark, side in ((".lora_A.weight", 1), (".lora_B.weight", 0)):
            if not key.endswith(mark):
                continue
            module = key.removesuffix(mark).removeprefix("base_model.model.")
            weight = weights.get(f"{module}.weight")
            if weight is None or weight[side] != shape[side]:
                raise ModelError(
                    f"The adapter does not fit {reference.name}: {module} is "
                    f"{'not there' if weight is None else f'{weight[side]} wide'}"
                    f"{'' if weight is None else f', and the adapter wants {shape[side]}'}. "
                    "Name the base it was trained on with --base."
                )


def _check_embeddings(
    base: ModelRef, tensors: Mapping[str, tuple[int, ...]], weights: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuse whole embeddings that the base cannot take: grown ones, and tied ones."""
    own = next((shape[0] for key, shape in weights.items() if _embeds(key)), None)
    for key, shape in tensors.items():
        if ".lora_" in key or not _embeds(key):
            continue
        if own is not None and own != shape[0]:
            raise ModelError(
                f"The adapter was trained on an embedding of {shape[0]:,} rows, and {base.name} "
                f"has {own:,}: tokens were added. Merge it with PEFT into the base resized to "
                f"{shape[0]:,}, and use the merged model."
            )
        if "lm_head.weight" not in weights:
            raise ModelError(
                f"The adapter holds a trained embedding, which {base.name} shares with its output "
                "head. Merge it with PEFT, and use the merged model."
            )


def _embeds(key: str) -> bool:
    return key.removesuffix(".weight").split(".")[-1] in _EMBEDDINGS
