"""How a CSV or TSV is written: delimiter, quotes, and lines before the header.

Rule: the delimiter under which most records of the head have the same number of cells, more than
one; where several do, the one of the header's first line. Python's `csv.Sniffer` is not used: it
takes letters for delimiters where quotes are missing.
"""

from __future__ import annotations

import csv
import io
import itertools
from collections import Counter
from typing import NamedTuple

from studio.data.types import JsonObject

_DELIMITERS = (",", ";", "\t", "|")
_LOOKED_AT = 500
_MOST_SKIPPED = 20


class Dialect(NamedTuple):
    """Options of `csv.reader`, and the lines to skip before the header, with what they are."""

    options: JsonObject
    skip: int = 0
    why: str = ""


def find_dialect(text: str, kind: str) -> Dialect:
    """The dialect of a file's head."""
    lines = text.split("\n")
    lines = [f"{line}\n" for line in lines[:-1]] + lines[-1:]
    skip, why, told = _leading(lines)
    text = "".join(lines[skip:])
    if told:
        return Dialect(_quoting(text, told), skip, why)
    delimiters = ("\t", *_DELIMITERS) if kind == "tsv" else _DELIMITERS
    header = text.lstrip("\r\n").split("\n", 1)[0]
    usual = "\t" if kind == "tsv" else ","
    best, most = None, (0.0, 0)
    for delimiter in dict.fromkeys(delimiters):
        options = _quoting(text, delimiter)
        share, width = evenness(text, options)
        score = (round(share, 2), int(delimiter == usual) + 2 * int(delimiter in header))
        if width > 1 and (best is None or score > most):
            best, most = options, score
    if best is None:
        best = _quoting(text, next((d for d in delimiters if d in header), usual))
    more = 0 if skip else _preamble(text, best)
    if more:
        return Dialect(best, more, f"the first {more} lines, before the table,")
    return Dialect(best, skip, why)


def _leading(lines: list[str]) -> tuple[int, str, str]:
    """Excel's `sep=;`, and comments before the header: how many lines, what, the delimiter."""
    skip = 0
    while skip < len(lines) and not lines[skip].strip():
        skip += 1
    if skip < len(lines) and lines[skip].lower().startswith("sep=") and len(lines[skip]) > 4:
        return skip + 1, "the words of Excel that name the delimiter", lines[skip][4]
    start = skip
    while skip < len(lines) and lines[skip].startswith(("#", "//")) and skip < _MOST_SKIPPED:
        skip += 1
    # a header may begin with a hash, as `#id` does: then the next line looks like it
    if skip == start or skip == len(lines):
        return 0, "", ""
    if skip == start + 1 and any(
        lines[start].count(d) and lines[start].count(d) == lines[skip].count(d) for d in _DELIMITERS
    ):
        return 0, "", ""
    return skip, "the comments before the header", ""


def _preamble(text: str, options: JsonObject) -> int:
    """Lines of one cell before a table of several columns, as reports have them."""
    records = list(itertools.islice(csv.reader(io.StringIO(text), **options), 60))
    widths = [sum(1 for cell in cells if cell.strip()) for cells in records]
    usual = Counter(width for width in widths if width).most_common(1)
    if not usual or usual[0][0] < 2 or usual[0][1] < 3:
        return 0
    first = next(at for at, width in enumerate(widths) if width == usual[0][0])
    lead = widths[:first]
    return first if 0 < first <= _MOST_SKIPPED and all(width <= 1 for width in lead) else 0


def _quoting(text: str, delimiter: str) -> JsonObject:
    """Quotes around cells, doubled or after a backslash inside; or quotes that are just text."""
    quoted = {"delimiter": delimiter, "quoting": csv.QUOTE_MINIMAL}
    escaped = {**quoted, "doublequote": False, "escapechar": "\\"}
    plain = {"delimiter": delimiter, "quoting": csv.QUOTE_NONE}
    # a lone quotation mark opening a cell swallows the next lines: then quotes are just text
    clean = evenness(text, {**quoted, "strict": True})[0] >= 0
    shares = [evenness(text, one)[0] for one in (quoted, plain)]
    if '\\"' in text and '""' not in text.replace('\\""', ""):
        strict = evenness(text, {**escaped, "strict": True})[0]
        if strict > max(shares[0] if clean else -1.0, 0) or (strict >= 0 and not clean):
            return escaped
    single = {**quoted, "quotechar": "'"}
    if max(shares) < 1 and evenness(text, {**single, "strict": True})[0] > max(shares):
        return single
    return quoted if shares[0] > shares[1] or (clean and shares[0] == shares[1]) else plain


def evenness(text: str, options: JsonObject) -> tuple[float, int]:
    """Share of records as wide as most are, and how wide that is; -1 where it cannot be read."""
    try:
        records = list(itertools.islice(csv.reader(io.StringIO(text), **options), _LOOKED_AT))
    except csv.Error:
        return -1.0, 0
    widths = [len(cells) for cells in records[:-1] or records if cells]
    if not widths:
        return 0.0, 0
    width, count = Counter(widths).most_common(1)[0]
    return count / len(widths), width
