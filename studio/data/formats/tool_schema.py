"""The parameters of tools as JSON schema, whatever they were written as."""

from __future__ import annotations

from studio.data.types import Row

_TYPES = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
_TYPES |= {"list": "array", "dict": "object", "tuple": "array", "set": "array"}
_OPTIONAL = ", optional"


def with_schema(tool: Row) -> Row:
    """A tool whose parameters are JSON schema; xLAM lists them by name with Python's types."""
    function = tool.get("function", tool)
    given = function.get("parameters")
    if not isinstance(given, dict) or "properties" in given or not given:
        return tool
    if not all(isinstance(one, dict) for one in given.values()):
        return tool
    needed = [name for name, one in given.items() if not _is_optional(one)]
    schema: Row = {"type": "object", "properties": {n: _typed(one) for n, one in given.items()}}
    schema |= {"required": needed} if needed else {}
    return {"type": "function", "function": {**function, "parameters": schema}}


def _is_optional(parameter: Row) -> bool:
    return "default" in parameter or str(parameter.get("type")).endswith(_OPTIONAL)


def _typed(parameter: Row) -> Row:
    name = str(parameter.get("type", "")).removesuffix(_OPTIONAL)
    known = _TYPES.get(name.partition("[")[0].lower())
    return {**parameter, "type": known} if known else parameter
