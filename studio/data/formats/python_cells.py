"""Lists and objects that a table holds as Python prints them: pandas' `to_csv` of lists.

NumPy's arrays are printed without commas between their elements, and `array(...)` around lists
inside them; both are read. Line feeds inside texts are printed as escapes, so one that is not
stands between elements.
"""

from __future__ import annotations

import ast
import re
from typing import Any

_LONGEST = 1 << 20
_START = re.compile(r"\s*[\[{]\s*(?:[\[{'\"]|array\()")
_NO_COMMA = re.compile(r"([}\]])(?:[ ]*\n\s*(?=[{\[])| (?=\{'(?:role|from|content|value)': ))")
_ARRAY = re.compile(r"\barray\((?=\[)")
_DTYPE = re.compile(r"\],\s*dtype=\w+\)")
_JOINED = re.compile(r"['\"]\s+['\"]")


def python_value(text: str) -> Any:
    """The list or object that a text prints; the text itself where it prints none."""
    if len(text) > _LONGEST or not _START.match(text):
        return text
    for spelled in (text, _with_commas(text)):
        try:
            value = ast.literal_eval(spelled.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if not isinstance(value, list | dict) or (texts and _JOINED.search(text)):
            return text  # Python would join texts that stand side by side
        return value
    return text


def _with_commas(text: str) -> str:
    """A NumPy array's text with the commas that Python's lists have."""
    return _NO_COMMA.sub(r"\1, ", _DTYPE.sub("]", _ARRAY.sub("", text)))
