"""Hourly prices: shipped, and the workspace's own."""

from __future__ import annotations

import pytest

from studio.calculator.prices import keep_prices, prices, source
from studio.core.errors import ConfigError
from studio.core.workspace import Workspace


def test_prices_are_kept_in_the_workspace(tmp_path):
    home = Workspace(tmp_path)
    assert prices(home)["L4 24 GB"] == 0.8 and source()
    kept = keep_prices(home, [("L4 24 GB", "$0.55"), ("T4 16 GB", "")])
    assert (kept["L4 24 GB"], kept["T4 16 GB"], kept["A100 80 GB"]) == (0.55, None, 2.5)
    assert prices(home) == kept


def test_what_is_no_price(tmp_path):
    home = Workspace(tmp_path)
    with pytest.raises(ConfigError, match="The price of L4 24 GB is 'much'"):
        keep_prices(home, [("L4 24 GB", "much")])
    with pytest.raises(ConfigError, match=r"No GPU is called 'L5'"):
        keep_prices(home, [("L5", 1)])
    (tmp_path / "prices.json").write_text("{")
    with pytest.raises(ConfigError, match=r"prices\.json in the workspace cannot be read"):
        prices(home)
