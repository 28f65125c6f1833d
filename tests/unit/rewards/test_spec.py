"""Rewards as they are written, and what is wrong with them."""

from __future__ import annotations

import pytest

from studio.core.errors import ConfigError
from studio.rewards import parse


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("exakt", 'Did you mean "exact"?'),
        ("pattern:(", "is not a regular expression"),
        ("pattern", "needs a detail: pattern:REGEX"),
        ("length:9-2", "no band of words"),
        ("numeric:@gsm8", 'Did you mean "gsm8k"?'),
    ],
)
def test_what_is_written_wrong(written: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse([written])
    assert said in str(refusal.value)
