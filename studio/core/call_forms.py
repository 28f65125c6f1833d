"""The calls of tools in a model's text, in the form of each family of chat templates.

transformers reads them by a tokenizer's `response_template` (`parse_response`). That is not used:
few tokenizers bring one, and answers are read here without a tokenizer too, from endpoints, files
and votes, and while they are being written. A test holds that both say the same for every template
that TRL knows a `response_template` for.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from studio.core.json_values import as_list, as_object, loads

MARKS = (
    *("<tool_call>", "</tool_call>", "[TOOL_CALLS]", "[CALL_ID]", "[ARGS]", "<|python_tag|>"),
    *("<|tool_call>", "<tool_call|>", '<|"|>', "<|tool_call_start|>", "<|tool_call_end|>"),
    *("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>"),
    *("<\uff5ctool\u2581calls\u2581begin\uff5c>", "<\uff5ctool\u2581calls\u2581end\uff5c>"),
    *("<\uff5ctool\u2581call\u2581begin\uff5c>", "<\uff5ctool\u2581call\u2581end\uff5c>"),
    "<\uff5ctool\u2581sep\uff5c>",
)
"""Marks of calls that tokenizers may hold as special tokens."""
_LONGEST = 20_000  # characters of a call that is read as Python


@dataclass(frozen=True)
class ToolCall:
    """One call of a tool; `arguments` is None where what was written is no JSON object."""

    name: str
    arguments: dict[str, Any] | None

    def as_message(self) -> dict[str, Any]:
        """As chat templates take it."""
        function = {"name": self.name, "arguments": self.arguments or {}}
        return {"type": "function", "function": function}


def split(text: str) -> tuple[str, tuple[ToolCall, ...]]:
    """(the text without calls, the calls); text that is no call stays as it is."""
    for mark, family in _FAMILIES.items():
        if mark in text and (found := family(text)):
            return found
    if match := _LLAMA.fullmatch(text):
        parts = [_object(part) for part in re.split(r";\s*(?=\{)", match[1])]
        if all(part is not None and _is_call(part) for part in parts):
            return "", tuple(_of_object(part) for part in parts)
    return text, ()


Found = tuple[str, tuple[ToolCall, ...]] | None


# ---- Hermes, Qwen, GLM --------------------------------------------------------------------------

_HERMES = re.compile(r"<tool_call>\s*(.*?)\s*(?:</tool_call>|\Z)", re.DOTALL)
_QWEN_CODER = re.compile(r"<function=([^>]+)>(.*?)(?:</function>|\Z)", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_GLM = re.compile(r"\s*([\w.-]+)\s*((?:<arg_key>.*)?)", re.DOTALL)
_GLM_PART = re.compile(r"<arg_key>(.*?)</arg_key>\s*<arg_value>(.*?)</arg_value>", re.DOTALL)


def _hermes(text: str) -> Found:
    found = [_of_hermes(body) for body in _HERMES.findall(text)]
    return _HERMES.sub("", text).strip(), tuple(found)


def _of_hermes(body: str) -> ToolCall:
    if match := _QWEN_CODER.search(body):
        return ToolCall(match[1].strip(), {n: _value(v) for n, v in _PARAMETER.findall(match[2])})
    if match := _GLM.fullmatch(body):
        return ToolCall(match[1], {n.strip(): _value(v) for n, v in _GLM_PART.findall(match[2])})
    return _of_object(_object(body))


def _value(text: str) -> Any:
    """A parameter of Qwen3-Coder's form: JSON where it is that, else text."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


# ---- Mistral ------------------------------------------------------------------------------------

_MISTRAL_LIST = re.compile(r"\[TOOL_CALLS\]\s*(\[\s*\{.*)", re.DOTALL)
_MISTRAL = re.compile(
    r"\[TOOL_CALLS\]\s*([\w.-]+)(?:\[CALL_ID\]\w+)?\s*(?:\[ARGS\])?\s*(\{.*?)(?=\[TOOL_CALLS\]|\Z)",
    re.DOTALL,
)


def _mistral(text: str) -> Found:
    if match := _MISTRAL_LIST.search(text):
        return text[: match.start()].strip(), tuple(map(_of_object, _several(match[1])))
    if not _MISTRAL.search(text):
        return None
    found = [ToolCall(name, _object(body)) for name, body in _MISTRAL.findall(text)]
    return text[: text.index("[TOOL_CALLS]")].strip(), tuple(found)


def _several(text: str) -> list[Any]:
    try:
        found: Any = json.JSONDecoder().raw_decode(text)[0]
    except (ValueError, RecursionError):
        return [None]
    return as_list(found) or [found]


# ---- gpt-oss: the tool is named in the header, before or after the channel ----------------------

_HARMONY = re.compile(
    r"(?:<\|start\|>assistant|<\|start\|>|<\|channel\|>|\A)"
    r"(?P<head>(?:(?!<\|start\|>|<\|message\|>).)*?to=functions\.(?P<name>[\w.-]+)"
    r"(?:(?!<\|start\|>|<\|message\|>).)*)<\|message\|>(?P<body>.*?)(?:<\|call\|>|<\|end\|>|\Z)",
    re.DOTALL,
)


def _harmony(text: str) -> Found:
    found = [ToolCall(each["name"], _object(each["body"])) for each in _HARMONY.finditer(text)]
    return (_HARMONY.sub("", text).strip(), tuple(found)) if found else None


# ---- Gemma 4, LFM2, DeepSeek --------------------------------------------------------------------

_GEMMA = re.compile(
    r"<\|tool_call>\s*call:([\w.-]+)(.*?)(?:<tool_call\|>(?:<\|tool_response>)?|\Z)", re.DOTALL
)
_BARE_KEY = re.compile(r"(?<=[{,])\s*([\w.-]+)\s*:")
_QUOTE = '<|"|>'
_LFM = re.compile(r"<\|tool_call_start\|>(.*?)(?:<\|tool_call_end\|>|\Z)", re.DOTALL)
_JSON_WORDS = {"true": True, "false": False, "null": None}
_DEEPSEEK = re.compile(
    r"<\uff5ctool\u2581call\u2581begin\uff5c>(.*?)<\uff5ctool\u2581sep\uff5c>(.*?)"
    r"(?:<\uff5ctool\u2581call\u2581end\uff5c>|\Z)",
    re.DOTALL,
)
_DEEPSEEK_BEGIN = "<\uff5ctool\u2581calls\u2581begin\uff5c>"
_FENCED = re.compile(r"([\w.-]+)\s*```json\s*(.*?)\s*```\s*", re.DOTALL)


def _gemma(text: str) -> Found:
    found = [ToolCall(name, _of_gemma(body)) for name, body in _GEMMA.findall(text)]
    return _GEMMA.sub("", text).strip(), tuple(found)


def _of_gemma(body: str) -> dict[str, Any] | None:
    """Arguments whose keys are bare and whose texts stand between marks of their own."""
    pieces = body.split(_QUOTE)
    pieces[::2] = [_BARE_KEY.sub(r'"\1":', piece) for piece in pieces[::2]]
    pieces[1::2] = [json.dumps(piece) for piece in pieces[1::2]]
    return _object("".join(pieces))


def _lfm(text: str) -> Found:
    found = [call for body in _LFM.findall(text) for call in _of_python(body)]
    return _LFM.sub("", text).strip(), tuple(found)


def _of_python(body: str) -> list[ToolCall]:
    """Calls written as a list of Python's, `[roll(sides=6)]`; nothing is run."""
    try:
        tree = ast.parse(body.strip()[:_LONGEST], mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [ToolCall("", None)]
    calls = tree.elts if isinstance(tree, ast.List) else [tree]
    return [_of_call(call) for call in calls]


def _of_call(node: ast.expr) -> ToolCall:
    if not isinstance(node, ast.Call):
        return ToolCall("", None)
    name = ast.unparse(node.func)
    try:
        given = {str(each.arg): _literal(each.value) for each in node.keywords if each.arg}
    except (ValueError, RecursionError):
        return ToolCall(name, None)
    return ToolCall(name, None if node.args else given)


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Name) and node.id in _JSON_WORDS:
        return _JSON_WORDS[node.id]
    return ast.literal_eval(node)


def _deepseek(text: str) -> Found:
    found = [_of_deepseek(*parts) for parts in _DEEPSEEK.findall(text)]
    before = text.partition(_DEEPSEEK_BEGIN)[0] if _DEEPSEEK_BEGIN in text else text
    return (_DEEPSEEK.sub("", before).strip(), tuple(found)) if found else None


def _of_deepseek(kind: str, body: str) -> ToolCall:
    """V3 and R1 write the name with fenced JSON after it, V3.1 the name before the mark."""
    if match := _FENCED.fullmatch(body):
        return ToolCall(match[1], _object(match[2]))
    return ToolCall(kind.strip(), _object(body))


# ---- JSON ---------------------------------------------------------------------------------------

_LLAMA = re.compile(r"\s*(?:<\|python_tag\|>)?\s*(\{.*\})\s*", re.DOTALL)
_FAMILIES: dict[str, Callable[[str], Found]] = {
    "<tool_call>": _hermes,
    "[TOOL_CALLS]": _mistral,
    "to=functions.": _harmony,
    "<|tool_call>": _gemma,
    "<|tool_call_start|>": _lfm,
    "<\uff5ctool\u2581call\u2581begin\uff5c>": _deepseek,
}


def _is_call(value: Mapping[str, Any]) -> bool:
    """Whether an answer that is JSON is Llama's call: a name, its parameters, and nothing else."""
    rest = set(value) - {"name", "parameters", "arguments", "type"}
    return isinstance(value.get("name"), str) and len(value) > 1 and not rest


def _of_object(value: Any) -> ToolCall:
    call = as_object(value) or {}
    if not isinstance(call.get("name"), str):
        return ToolCall("", None)
    given: Any = call.get("arguments", call.get("parameters", {}))
    return ToolCall(call["name"], _object(given) if isinstance(given, str) else as_object(given))


def _object(text: str) -> dict[str, Any] | None:
    return as_object(loads(text))
