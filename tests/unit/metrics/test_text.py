"""Measures of text against hand-worked values."""

from __future__ import annotations

import pytest

from studio.core.errors import ConfigError
from studio.metrics import text


def test_extractors_find_what_is_compared():
    gsm = text.extractor("gsm8k")
    assert gsm("9 * 2 = $<<9*2=18>>18 a day.\n#### 18") == "18"
    assert gsm("so it is 1,250.50 in all") == "1,250.50" and gsm("nothing") == ""
    assert text.extractor("number")("from 3 to -4.5") == "-4.5"
    assert text.extractor("first-line")(" Rome\nbecause") == "Rome"
    assert text.extractor("regex:is (\\w+)")("It is blue.") == "blue"
    assert text.extractor("regex:b\\w+")("It is blue.") == "blue"
    with pytest.raises(ConfigError, match="Did you mean"):
        text.extractor("gsm8")
    with pytest.raises(ConfigError, match="not a regular expression"):
        text.extractor("regex:(")


def test_matches():
    assert text.exact_match("  Rome. ", ["Paris", "rome"]) == 1
    assert text.numeric_match("1,250.00", ["1250"]) == 1
    assert text.numeric_match("eighteen", ["18"]) == 0 and text.numeric_match("", [""]) == 0
    assert text.contains("In Rome, of course", ["rome"]) == 1 and text.contains("x", [""]) == 0


def test_repetition_variety_and_refusals():
    assert text.repeated("a b c d a b c d") == pytest.approx(1 / 5)
    assert text.repeated("a b") == 0
    assert text.distinct(["a b c", "a b d"]) == pytest.approx(3 / 4) and text.distinct([]) is None
    assert text.refusal("I'm sorry, but I cannot say.") == 1 and text.refusal("Gladly.") == 0
    assert text.empty(" \n") == 1
