"""What several folders of unit tests share."""

from collections.abc import Iterator

import pytest

from tests.hub import StandIn, standing_in


@pytest.fixture
def hub() -> Iterator[tuple[type[StandIn], str]]:
    """A stand-in for the Hub: what it holds, and its address."""
    with standing_in() as found:
        yield found
