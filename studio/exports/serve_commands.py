"""Commands that serve an export, ready to copy; the servers need not be installed."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from studio.exports import BASE

_NAME = re.compile(r"[^a-z0-9._-]+")


_LLAMA_CPP = ("linear", "yarn")
"""Types of RoPE that llama.cpp has an option for; llama3's frequencies stand in the file."""


def slug(name: str) -> str:
    """A run's name as a server's model name."""
    return _NAME.sub("-", name.lower()).strip("-._") or "model"


def commands(record: dict[str, Any], folder: str = ".") -> list[tuple[str, str]]:
    """(program, command) pairs for an export in `folder`, by its record.

    Servers are told the `chat_template_kwargs` that the run was trained with.
    """
    return [
        (program, _scaled(record, _told(record, command)))
        for program, command in _served(record, folder)
    ]


def _scaled(record: dict[str, Any], command: str) -> str:
    """The command with its server's own options for a scaled RoPE.

    A merged folder's config says it, and so does a GGUF file, to llama.cpp and to Ollama; told
    again it is the same.
    """
    said = record.get("rope_overrides")
    if not said:
        return command
    if record["to"] == "adapter" and command.startswith("vllm serve"):
        return f"{command} --hf-overrides {shlex.quote(json.dumps(said))}"
    given = said.get("text_config", said).get("rope_parameters", {})
    if command.startswith(("llama-server", "llama-cli")) and given.get("rope_type") in _LLAMA_CPP:
        told = f"--rope-scaling {given['rope_type']} --rope-scale {given['factor']:g}"
        original = given.get("original_max_position_embeddings")
        return f"{command} {told}" + (f" --yarn-orig-ctx {original}" if original else "")
    return command


def _told(record: dict[str, Any], command: str) -> str:
    """The command with its server's own option for `chat_template_kwargs`, where it has one."""
    kwargs = record.get("chat_template_kwargs")
    if not kwargs:
        return command
    given = shlex.quote(json.dumps(kwargs))
    if command.startswith("vllm serve"):
        return f"{command} --default-chat-template-kwargs {given}"
    if "ollama run" in command and isinstance(kwargs.get("enable_thinking"), bool):
        return f"{command} --think={str(kwargs['enable_thinking']).lower()}"
    if "ollama run" in command and isinstance(kwargs.get("enable_thinking"), bool):
        return f"{command} --think={str(kwargs['enable_thinking']).lower()}"
    if command.startswith(("llama-server", "llama-cli", "transformers serve")):
        return f"{command} --chat-template-kwargs {given}"
    return command


def _served(record: dict[str, Any], folder: str) -> list[tuple[str, str]]:
    here, name = shlex.quote(folder), slug(str(record["name"]))
    if record.get("objective") == "embedding":
        return _encoder(record, here, name)
    if record["to"] == "adapter":
        return _adapter(record, here, name)
    if record["to"] == "merged":
        return [
            ("vLLM", f"vllm serve {here} --served-model-name {name}"),
            ("transformers", f"transformers serve {here}"),
        ]
    file = next(file for file in record["files"] if file.endswith(".gguf"))
    path = shlex.quote(f"{folder.rstrip('/')}/{file}")
    model = f"-m {BASE} --lora {path}" if record["to"] == "gguf-lora" else f"-m {path}"
    made = f"ollama create {name} -f Modelfile && ollama run {name}"
    return [
        ("Ollama", made if folder == "." else f"cd {here} && {made}"),
        ("llama.cpp", f"llama-server {model} --jinja"),
        ("llama.cpp, one chat", f"llama-cli {model} --jinja"),
    ]


def _encoder(record: dict[str, Any], here: str, name: str) -> list[tuple[str, str]]:
    if record["to"] == "adapter":
        return []
    if record["to"] == "gguf":
        file = next(file for file in record["files"] if file.endswith(".gguf"))
        pooling = {"lasttoken": "last"}.get(record["pooling_mode"], record["pooling_mode"])
        path = file if here == "." else f"{here.rstrip('/')}/{file}"
        return [("llama.cpp", f"llama-server -m {path} --embeddings --pooling {pooling}")]
    return [("vLLM", f"vllm serve {here} --runner pooling --served-model-name {name}")]


def withheld(record: dict[str, Any]) -> str:
    """Why an adapter is served by no command; "" where one does, or it is no adapter."""
    trained, served = record.get("trained_as"), record.get("served_as")
    if record["to"] != "adapter" or not served or trained == served:
        return ""
    return (
        f"No command serves this adapter: its keys are those of {trained}, and servers load "
        f"{record['base']} as {served}, whose layers have other names, so that they would answer "
        "as the base. Export it merged."
    )


def _adapter(record: dict[str, Any], here: str, name: str) -> list[tuple[str, str]]:
    if withheld(record):
        return []
    base = shlex.quote(_base(record))
    found = []
    if record.get("lora_r"):
        found.append(
            (
                "vLLM, base and adapter from one server",
                f"vllm serve {base} --enable-lora --max-lora-rank {_rank(record['lora_r'])} "
                f"--lora-modules {name}={here}",
            )
        )
    if record["base_kind"] == "hub":
        found.append(("transformers", f"transformers serve {here}"))
    return found


def _base(record: dict[str, Any]) -> str:
    """What to load the base from: its Hub id, or a placeholder for a local path."""
    return str(record["base"]) if record["base_kind"] == "hub" else f"path/to/{record['base']}"


def _rank(rank: int) -> int:
    """vLLM takes ranks by steps: the next one up."""
    return next((step for step in (8, 16, 32, 64, 128, 256, 320, 512) if step >= rank), rank)


def loading(record: dict[str, Any], repo: str = ".") -> str:
    """Python that loads the export with the stock libraries."""
    if record.get("objective") == "embedding" and record["to"] == "gguf":
        file = next(file for file in record["files"] if file.endswith(".gguf"))
        return (
            "from llama_cpp import Llama\n\n"
            f"model = Llama({f'{repo}/{file}'!r}, embedding=True)\n"
            'print(model.create_embedding("Where is the lighthouse?"))'
        )
    if record.get("objective") == "embedding":
        return (
            "from sentence_transformers import SentenceTransformer\n\n"
            f"model = SentenceTransformer({repo!r})\n"
            'queries = model.encode_query(["Where is the lighthouse?"])\n'
            'documents = model.encode_document(["The lighthouse stands on the cliff."])\n'
            "print(model.similarity(queries, documents))"
        )
    if record["to"] == "gguf-lora" or record.get("converter"):
        file = next(file for file in record["files"] if file.endswith(".gguf"))
        path = f"{repo}/{file}"
        given = f"{BASE!r}, lora_path={path!r}" if record["to"] == "gguf-lora" else repr(path)
        return f"from llama_cpp import Llama\n\nmodel = Llama({given})"
    if record["to"] == "adapter":
        base = _base(record)
        revision = f", revision={record['base_revision']!r}" if record["base_revision"] else ""
        auto, config, scaled = "", "", ""
        if said := record.get("rope_overrides"):
            auto, scaled = "AutoConfig, ", ", config=config"
            text = said.get("text_config", said)
            config = (
                f"config = AutoConfig.from_pretrained({base!r}{revision})\n"
                f"config.get_text_config().update({text!r})\n"
            )
        return (
            "from peft import PeftModel\n"
            f"from transformers import {auto}AutoModelForCausalLM, AutoTokenizer\n\n"
            f"{config}base = AutoModelForCausalLM.from_pretrained({base!r}{revision}{scaled})\n"
            f"model = PeftModel.from_pretrained(base, {repo!r})\n"
            f"tokenizer = AutoTokenizer.from_pretrained({repo!r})"
        )
    more = ""
    if record["to"] == "gguf":
        file = next(file for file in record["files"] if file.endswith(".gguf"))
        more = f", gguf_file={file!r}"
    return (
        "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
        f"model = AutoModelForCausalLM.from_pretrained({repo!r}{more})\n"
        f"tokenizer = AutoTokenizer.from_pretrained({repo!r}{more})"
    )
