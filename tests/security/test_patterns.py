"""People's regular expressions: none of them holds the process."""

from __future__ import annotations

import pytest

from studio.core.errors import ConfigError
from studio.metrics import text
from studio.rewards import parse
from studio.runs.recipe import Recipe

FREEZING = ("(a+)+$", "(a|aa)+$", "(a|a)*b$", "(.*)*x$", "^(([a-z])+.)+[A-Z]([a-z])+$")
LONG = "a" * 50_000 + "!"


@pytest.mark.parametrize("pattern", FREEZING)
def test_a_pattern_takes_time_linear_in_the_answer(pattern: str) -> None:
    """With `re` any of these takes longer than the machine will last: the test would not end."""
    for kind in ("pattern", "format"):
        [term] = parse([f"{kind}:{pattern}"])
        assert term.measure is not None and term.measure(LONG, []) == 0.0
    assert text.extractor(f"regex:{pattern}")(LONG) == ""


def test_what_re2_cannot_do_is_said() -> None:
    for pattern in (r"(a)\1", "(?!a)b", "(?<=a)b", "(" * 2000, "(a{1000}){1000}"):
        with pytest.raises(ConfigError, match="lookaround"):
            text.pattern(pattern)


def test_a_pattern_still_means_what_it_meant() -> None:
    lines = "one\nthe answer: blue\nthree"
    assert text.extractor("regex:^the answer: (\\w+)$")(lines) == "blue"
    assert text.extractor("regex:(x)?blue")(lines) == ""
    [whole] = parse(["format:<a>.*</a>"])
    assert whole.measure is not None
    assert whole.measure("<a>\n</a>", []) == 1.0 and whole.measure("<a></a>.", []) == 0.0


@pytest.mark.parametrize("pattern", (*FREEZING[:4], ".*.*.*.*x$", r"(a)\1", "(?=.*)q", "[q"))
def test_a_recipe_names_modules_by_no_pattern_that_peft_would_hang_on(pattern: str) -> None:
    for field in ({"lora_target_modules": f".*{pattern}"}, {"rank_pattern": {f".*{pattern}": 4}}):
        with pytest.raises(ConfigError, match=r"take forever|not a regular"):
            Recipe.defaults(**field)
    Recipe.defaults(lora_target_modules=r"model\.layers\.(0|1)\.self_attn\.[qv]_proj")
