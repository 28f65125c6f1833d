"""Saved recipes: kept, found again, refused."""

from __future__ import annotations

import pytest

from studio.core.errors import ConfigError
from studio.core.workspace import Workspace
from studio.runs.recipe import Recipe
from studio.runs.saved_recipes import Shelf

DPO = Recipe.defaults("dpo", name="mine")


def test_a_preset_is_kept_and_found_again(tmp_path):
    shelf = Shelf(Workspace(tmp_path))
    slug = shelf.save("  My DPO / v2 ", DPO.with_(beta=0.3, start_from="run-1"))
    assert slug == "my-dpo-v2" and shelf.slugs() == [slug]
    kept = shelf.get(slug)
    assert (kept.beta, kept.name, kept.start_from) == (0.3, slug, None)
    assert shelf.get("pocket-sft").objective == "sft"
    shelf.delete(slug)
    assert shelf.slugs() == []


@pytest.mark.parametrize("name", ["", "///", "pocket-sft"])
def test_a_preset_needs_a_name_of_its_own(tmp_path, name: str):
    with pytest.raises(ConfigError):
        Shelf(Workspace(tmp_path)).save(name, DPO)


@pytest.mark.parametrize("slug", ["../../secrets", "no-such", "a/b"])
def test_what_is_no_preset_is_refused(tmp_path, slug: str):
    with pytest.raises(ConfigError):
        Shelf(Workspace(tmp_path)).get(slug)
