"""One real app for all tests in this folder."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.serving import Server


@pytest.fixture(scope="module")
def server(start_server: Callable[..., Server]) -> Server:
    """The app, up, with an empty workspace that the tests of a file share."""
    return start_server()
