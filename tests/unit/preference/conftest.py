from __future__ import annotations

import pytest

from studio.preference import Item, LabelStore


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path / 'votes.db'}"


@pytest.fixture
def store(url):
    made = LabelStore(url)
    yield made
    made.close()


@pytest.fixture
def make_items():
    def make(count: int, start: int = 0) -> list[Item]:
        return [
            Item(
                f"question {n}",
                f"base answer {n}",
                f"tuned answer {n}",
                {"label": "base", "model": "pocket"},
                {"label": "tuned", "model": "pocket", "run": "run-1"},
            )
            for n in range(start, start + count)
        ]

    return make


@pytest.fixture
def project(store, make_items):
    made = store.create_project("first answers", order="given", seed=7)
    store.add_items(made.id, make_items(4))
    return made
