"""The Hub searched for models, against a stand-in on the loopback."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from studio.cli.models import VIEWS
from studio.core import hub_search
from studio.core.errors import ConfigError, ModelError
from tests.hub import StandIn, pointing_here

MODELS = [
    {
        "id": "org/small",
        "downloads": 9000,
        "gated": False,
        "tags": ["license:apache-2.0"],
        "safetensors": {"parameters": {"BF16": 135_000_000}, "total": 135_000_000},
    },
    {"id": "org/old", "downloads": 70, "gated": "manual", "tags": []},
]


class Listing(StandIn):
    asked: list[dict[str, list[str]]]

    @classmethod
    def fresh(cls):
        return {"asked": []}

    def do_GET(self):
        self.asked.append(parse_qs(urlsplit(self.path).query))
        if self.refuse:
            return self.answer({"error": "made up"}, 400)  # 500 would be tried again
        return self.answer(MODELS)


def test_models_are_found_by_name_and_size(tmp_path, monkeypatch) -> None:
    with pointing_here(monkeypatch, tmp_path, Listing) as hub:
        found = hub_search.search("small", 0.1, 2, limit=2)
        (asked,) = hub.asked
        assert asked["search"] == ["small"] and asked["limit"] == ["2"]
        assert asked["num_parameters"] == ["min:0.1B,max:2B"] and asked["sort"] == ["downloads"]
        first, second = found
        assert (first.parameters, first.license, first.gated) == (135_000_000, "apache-2.0", False)
        assert (second.parameters, second.license, second.gated) == (None, "not stated", True)
        told = VIEWS["models_search"].render([vars(one) for one in found])
        assert "135M" in told and "9,000" in told and "no safetensors" in told and "gated" in told
        with pytest.raises(ConfigError, match="largest size"):
            hub_search.search("small", 3, 2)
        hub.refuse = True
        with pytest.raises(ModelError, match="cannot be reached"):
            hub_search.search("small")


def test_without_the_hub_it_says_so() -> None:
    with pytest.raises(ModelError, match="models suggest"):
        hub_search.search("small")
