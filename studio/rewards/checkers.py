"""Rewards of tasks whose answers can be checked: mathematics, JSON, calls, languages, code.

Each function takes what stands after `KIND:` and returns (column of references or None, measure).
Libraries are imported when an answer is measured: reading a recipe needs none of them.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from studio.core.errors import ConfigError
from studio.metrics import text

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN = ""  # the "column" of a row's own answers
_FENCED = re.compile(r"\s*```(?:json)?[ \t]*\n(.*?)\n?```\s*", re.DOTALL | re.IGNORECASE)
_READ = 4000  # characters that a language is told from
_CODE = re.compile(r"[a-z]{2}")


class Mark(NamedTuple):
    """What an answer gets, and a sentence where there is something to say about it."""

    value: float
    why: str = ""


Measure = Callable[[str, Sequence[str]], "float | Mark"]
Checker = tuple[str | None, Measure]


def mathematics(column: str) -> Checker:
    """1 where the answer equals a reference as mathematics."""

    def measure(answer: str, known: Sequence[str]) -> Mark:
        from studio.rewards.math_answers import compared

        found = compared(answer, known)
        none = "The reference holds no mathematics, so no answer to this row is right."
        return Mark(float(found == "1"), none if found == "-" else "")

    return column or OWN, measure


def tool_call(column: str) -> Checker:
    """1 where the answer makes the reference's calls, in its order, with its arguments."""

    def measure(answer: str, known: Sequence[str]) -> Mark:
        from studio.metrics.tool_calls import called, same_calls

        none = "The reference calls no tool, so any answer that calls none is right."
        return Mark(same_calls(answer, known), "" if called(known) else none)

    return column or OWN, measure


def overlong(detail: str) -> Checker:
    """DAPO's soft penalty (Yu et al. 2025, eq. 13), in words: 0 up to the first number, then
    falling to -1 at the second."""
    least, most = band(detail, "overlong")
    if least == most:
        raise ConfigError(f"overlong:{detail} has no room to fall in; write it as overlong:80-120.")

    def measure(answer: str, _: Sequence[str]) -> float:
        over = len(answer.split()) - least
        return -min(1.0, max(0.0, over / (most - least)))

    return None, measure


def band(detail: str, kind: str) -> tuple[int, int]:
    """`5-28` as two numbers of words."""
    least, _, most = detail.partition("-")
    if not (least.isdigit() and most.isdigit() and int(least) <= int(most)):
        raise ConfigError(
            f"{kind}:{detail} is no band of words; write it as {kind}:5-28, the least first."
        )
    return int(least), int(most)


# ---- JSON ---------------------------------------------------------------------------------------


def schema(detail: str) -> Checker:
    """1 where the answer is JSON that a JSON Schema accepts: one for all, or a column's."""
    if detail.startswith("{"):
        fixed = _validator(detail.replace("\\x3b", ";"))  # as a form writes a semicolon
        return None, lambda answer, _: _fits(answer, (fixed,))

    def measure(answer: str, known: Sequence[str]) -> Mark:
        return _fits(answer, [_validator(each) for each in known])

    return detail, measure


def _fits(answer: str, validators: Sequence[Any]) -> Mark:
    fenced = _FENCED.fullmatch(answer)
    try:
        value = json.loads(fenced[1] if fenced else answer)
    except (ValueError, RecursionError) as error:
        return Mark(0.0, f"It is no JSON: {error}.")
    problems = [next(validator.iter_errors(value), None) for validator in validators]
    if None in problems:
        return Mark(1.0)
    first = problems[0]
    where = first.json_path if first is not None else "$"
    said = first.message if first is not None else "nothing accepts it"
    return Mark(0.0, f"The schema refuses {where}: {said[:160]}.")


@functools.lru_cache(maxsize=512)
def _validator(written: str) -> Any:
    """A schema ready to check with. It fetches nothing, and its patterns are RE2's, which cannot
    take forever. `ConfigError` for what is no schema."""
    import jsonschema
    from jsonschema import validators
    from referencing import Registry

    def pattern(_: Any, wanted: str, value: Any, __: Any) -> Iterator[Any]:
        if isinstance(value, str) and not text.pattern(wanted, "s").search(value):
            yield jsonschema.ValidationError(f"{value[:60]!r} does not match {wanted!r}")

    try:
        given: Any = json.loads(written)
    except ValueError as error:
        raise ConfigError(f"A JSON schema is no JSON: {error}.") from None
    if "patternProperties" in _keys(given):
        raise ConfigError("patternProperties of a JSON schema are not checked here; name the keys.")
    try:
        made = validators.validator_for(given, jsonschema.Draft202012Validator)
        made.check_schema(given)
    except jsonschema.SchemaError as error:
        raise ConfigError(
            f"A JSON schema is wrong at {error.json_path}: {error.message}."
        ) from None
    return validators.extend(made, {"pattern": pattern})(given, registry=Registry())


def _keys(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set(value).union(*map(_keys, value.values()))
    return set().union(*map(_keys, value)) if isinstance(value, list) else set()


# ---- languages ----------------------------------------------------------------------------------


def language(detail: str) -> Checker:
    """1 where the answer is written in a language, by its two letters (ISO 639-1)."""
    wanted = detail.lower()
    if not _CODE.fullmatch(wanted):
        raise ConfigError(f"language:{detail} is no language's two letters; write language:de.")
    if wanted not in _known_languages():
        known = ", ".join(sorted(_known_languages()))
        raise ConfigError(f"language:{detail} is not recognized; there are {known}.")

    def measure(answer: str, _: Sequence[str]) -> Mark:
        found = _languages()(answer[:_READ]) if any(map(str.isalpha, answer)) else ""
        return Mark(
            float(found == wanted), "" if found == wanted else f"It reads as {found or '-'}."
        )

    return None, measure


@functools.cache
def _languages() -> Callable[[str], str]:
    import py3langid

    return lambda said: str(py3langid.classify(said)[0])


@functools.cache
def _known_languages() -> frozenset[str]:
    import py3langid

    return frozenset(str(code) for code, _ in py3langid.rank("a"))


# ---- code ---------------------------------------------------------------------------------------


def code(column: str) -> Checker:
    """1 where the answer's code passes a column's tests; see `studio.rewards.sandbox`."""
    if not column:
        raise ConfigError("The reward code needs a column of tests: code:COLUMN.")

    def measure(answer: str, known: Sequence[str]) -> Mark:
        from studio.rewards import sandbox

        found = sandbox.run(sandbox.code_of(answer), "\n".join(known))
        return Mark(float(found.passed), found.why)

    return column, measure


CHECKERS: dict[str, Callable[[str], Checker]] = {
    "math": mathematics,
    "tool_call": tool_call,
    "schema": schema,
    "language": language,
    "overlong": overlong,
    "code": code,
}
