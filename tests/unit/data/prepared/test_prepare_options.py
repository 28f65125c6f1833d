"""Options out of range are refused by name."""

import pytest

from studio.core.errors import ConfigError
from studio.data.prepared.prepare_options import PrepareOptions


@pytest.mark.parametrize(
    "wrong", [{"max_words": -1}, {"novelty": 2.0}, {"min_words": 9, "max_words": 3}]
)
def test_options_that_cannot_be_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(reversed(wrong))):
        PrepareOptions(**wrong)


@pytest.mark.parametrize("wrong", [{"test_fraction": 1.0}, {"min_words": -1}, {"sample": 0}])
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        PrepareOptions(**wrong)
