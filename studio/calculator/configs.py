"""Which model: an alias, a Hub ID, a folder, a `config.json` or its text -> transformers' config.

Only numbers are read. Code that a config names (`auto_map`) is never fetched and never run: the
model is counted through transformers' own architecture, or refused.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from studio.core import config_limits, model_catalog
from studio.core.errors import ModelError, did_you_mean
from studio.core.gguf_models import SMOLLM2, is_gguf
from studio.core.hub import reachable
from studio.core.model_names import resolve
from studio.core.workspace import PRESETS

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+|[\w.-]+")
# Larger than any model there is: a typing error should give a sentence, not exhaust memory.
_IGNORED = ("quantization_config", "_attn_implementation", "attn_implementation", "dtype")


@dataclass(frozen=True)
class Source:
    """A config as found: its JSON text, a name to show, where it came from, notes about it."""

    text: str
    name: str
    origin: str
    notes: tuple[str, ...] = ()

    @property
    def values(self) -> dict[str, Any]:
        return json.loads(self.text)


def read_source(model: str | Path) -> Source:
    """Find the config of `model`; a `ModelError` says what to do when there is none.

    `model` is `pocket`, a Hub ID, a folder with a `config.json`, the path of such a file, its
    text, or a GGUF file.
    """
    text = str(model).strip()
    if not text:
        raise ModelError("No model is named; give a Hub ID, a folder or a config.json.")
    if text.startswith(("{", "[")):
        values = _parse(text, "The pasted config")
        return _checked(values, _title(values, "pasted config"), "pasted config.json")
    if text == "pocket":
        return _from_folder(PRESETS / "pocket", "pocket", "built in")
    if text == SMOLLM2 or is_gguf(text):
        return _from_folder(Path(resolve(text).location), Path(text).stem, "from a GGUF file")
    path = Path(text).expanduser()
    try:
        exists, is_folder = path.exists(), path.is_dir()
    except OSError:
        raise ModelError(
            f"{text[:60]!r}... is neither a model's name nor JSON; a config.json begins with {{."
        ) from None
    if is_folder:
        return _from_folder(path, path.name, "local folder")
    if exists:
        values = _parse(_read(path), path.name)
        return _checked(values, _title(values, path.parent.name or path.stem), "local file")
    return _from_name(text)


def _from_name(text: str) -> Source:
    shipped = model_catalog.config_of(text)
    if shipped is not None:
        return _checked(shipped, text, "published shape, shipped with the studio")
    if not _HUB_ID.fullmatch(text):
        raise ModelError(
            f"{text[:80]!r} is not a file or folder here, and not a Hub ID such as "
            f'"TinyLlama/TinyLlama-1.1B-Chat-v1.0".'
        )
    return _checked(_fetch(text), text, "config.json from the Hub")


def _fetch(name: str) -> dict[str, Any]:
    """A Hub model's `config.json` as values; no other file is read."""
    import huggingface_hub
    from huggingface_hub.errors import (
        EntryNotFoundError,
        GatedRepoError,
        HFValidationError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    hub: Any = huggingface_hub  # its signatures are not fully typed
    try:
        kept = hub.try_to_load_from_cache(name, "config.json") if "/" in name else None
    except HFValidationError:
        kept = None  # the Hub can have no such name; the download below says so
    if isinstance(kept, str):
        return _parse(_read(Path(kept)), f"{name}/config.json")
    try:
        if not reachable():
            raise ConnectionError("the Hub does not answer")
        path = hub.hf_hub_download(name, "config.json", etag_timeout=5)
    except GatedRepoError:
        raise ModelError(
            f"{name} is gated: accept its license on the Hub and set HF_TOKEN, "
            "or paste its config.json."
        ) from None
    except RepositoryNotFoundError:
        raise ModelError(
            f"The Hub has no model {name!r}, or it is private.{_meant(name)}"
        ) from None
    except (LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError, TimeoutError):
        raise ModelError(
            f"The config of {name} could not be fetched: the Hub cannot be reached from here."
            f"{_meant(name)} Paste its config.json, or name a folder that holds it."
        ) from None
    except (EntryNotFoundError, HFValidationError) as error:
        raise ModelError(f"{name} has no config.json to count from: {_first_line(error)}") from None
    except Exception as error:  # the Hub's client passes on whatever its transport raises
        raise ModelError(
            f"The config of {name} could not be fetched ({_first_line(error)}). "
            "Paste its config.json instead."
        ) from error
    return _parse(_read(Path(path)), f"{name}/config.json")


def _meant(name: str) -> str:
    return did_you_mean(name, model_catalog.catalog())


def _from_folder(folder: Path, name: str, origin: str) -> Source:
    path = folder / "config.json"
    if not path.exists():
        hint = (
            " It holds an adapter: name its base model instead."
            if (folder / "adapter_config.json").exists()
            else " Name the folder that save_pretrained wrote."
        )
        raise ModelError(f"The folder {folder} has no config.json.{hint}")
    return _checked(_parse(_read(path), "config.json"), name, origin)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ModelError(f"{path.name} is not a config.json: it is not UTF-8 text.") from None
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror}.") from None


def _parse(text: str, what: str) -> dict[str, Any]:
    try:
        values: Any = json.loads(text)
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) - 1 or error.msg.startswith("Unterminated string")
        reason = (
            "it ends too early; paste all of it" if cut else error.msg[0].lower() + error.msg[1:]
        )
        raise ModelError(
            f"{what} is not whole JSON: {reason} (line {error.lineno}, column {error.colno})."
        ) from None
    except RecursionError:
        raise ModelError(f"{what} is nested too deeply to be a config.json.") from None
    if not isinstance(values, dict):
        raise ModelError(f"{what} holds a {type(values).__name__}, not an object of settings.")
    return cast(dict[str, Any], values)


def _title(values: Mapping[str, Any], otherwise: str) -> str:
    name = values.get("_name_or_path")
    return name if isinstance(name, str) and name else otherwise


def _checked(values: dict[str, Any], name: str, origin: str) -> Source:
    config_limits.check_sizes(values, name)
    notes: list[str] = []
    if values.get("auto_map"):
        notes.append(
            "Its config names remote code, which was not run: "
            "counted with transformers' own architecture."
        )
    if values.get("quantization_config"):
        notes.append("Its weights are published quantized; counted as the unquantized model.")
    return Source(json.dumps(values, sort_keys=True), name, origin, tuple(notes))


_SIZE = re.compile(r"layer|head|hidden|dim|embed|ffn|inter|width|depth")


def unread_sizes(source: Source, config: Any) -> str | None:
    """A note on the sizes in a config's text that transformers' class has no place for; None
    where it has one for all.

    The class keeps them as they are and takes its own defaults for the sizes that they mean.
    """
    own: Any = config.__class__
    names: set[str] = {*own().to_dict(), *(getattr(own, "attribute_map", None) or {})}
    unread = [
        key
        for key, value in source.values.items()
        if isinstance(value, int)
        and not isinstance(value, bool)
        and key not in names
        and not hasattr(own, key)
        and _SIZE.search(key)
        and not _named_in_source(own, key)
    ]
    if not unread:
        return None
    return (
        f"transformers' {config.model_type} does not read {' and '.join(unread)}, so the counts "
        "rest on its defaults in their place. Rename them as its own configs have them."
    )


def _named_in_source(config_class: Any, key: str) -> bool:
    """Whether the class's own files name a size that it declares no default for, as Qwen3-MoE's
    attention reads `head_dim` and LFM2's config takes `block_ff_dim`."""
    folder = Path(sys.modules[config_class.__module__].__file__ or "").parent
    quoted = re.compile(rf"""["']{re.escape(key)}["']""")
    return any(quoted.search(file.read_text("utf-8")) for file in folder.glob("*_*.py"))


def to_config(source: Source, causal: bool = True) -> Any:
    """transformers' own config object; never runs remote code. Raises `ModelError`, also for what
    is no `causal` language model where one is wanted."""
    from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING

    values = {key: value for key, value in source.values.items() if key not in _IGNORED}
    kind = values.pop("model_type", None)
    if not isinstance(kind, str) or not kind:
        raise ModelError(
            f"The config of {source.name} has no model_type, so its architecture is unknown. "
            'Add one, such as "model_type": "llama".'
        )
    if kind not in CONFIG_MAPPING:
        if values.get("auto_map"):
            raise ModelError(
                f"{source.name} is a {kind!r}, which only its own remote code can build; "
                "the studio does not run code that comes with a model."
            )
        raise ModelError(
            f"transformers knows no architecture {kind!r}.{did_you_mean(kind, CONFIG_MAPPING)}"
        )
    try:
        known: Any = _text_class(CONFIG_MAPPING[kind], values)
        config = known.from_dict(values)
    except Exception as error:  # a config class may raise anything about its own fields
        raise ModelError(
            f"The config of {source.name} is not a valid {kind}: {_first_line(error)}"
        ) from error
    if causal and type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise ModelError(
            f"{source.name} is a {kind}, which is not a causal language model; "
            "only the objective embedding trains others."
        )
    return config


def _text_class(known: Any, values: Mapping[str, Any]) -> Any:
    """The class of the sizes that a config has: a model that also sees images (`gemma3`) is
    published as its text part alone, which its `architectures` and its own sizes say."""
    parts: dict[str, Any] = getattr(known, "sub_configs", None) or {}
    text: Any = parts.get("text_config")
    inside = isinstance(values.get("text_config"), dict)
    if text is None or inside or "hidden_size" not in values:
        return known
    return text


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = lines[-1] if lines else type(error).__name__
    return re.sub(r"^\w+Error: ", "", line)[:200]
