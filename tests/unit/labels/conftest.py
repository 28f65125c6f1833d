from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from studio.labels import LabelStore, Pair
from tests import postgres


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A module that says `DATABASES = [...]` runs on each of them."""
    named = getattr(metafunc.module, "DATABASES", None)
    if named and "database" in metafunc.fixturenames:
        metafunc.parametrize("database", named)


@pytest.fixture
def database() -> str:
    return "sqlite"


@pytest.fixture(scope="session")
def postgres_schema() -> Iterator[Callable[[], str]]:
    """Makes an empty schema in one server and gives the URL that works in it."""
    if postgres.find() is None:
        pytest.skip(postgres.ADVICE)
    with postgres.running() as url:
        engine = sa.create_engine(url)

        def make() -> str:
            name = f"test_{secrets.token_hex(4)}"
            with engine.begin() as db:
                db.execute(sa.text(f"CREATE SCHEMA {name}"))
            return f"{url}&options=-csearch_path%3D{name}"

        yield make
        engine.dispose()


@pytest.fixture
def url(database, tmp_path, request):
    if database == "postgresql":
        return request.getfixturevalue("postgres_schema")()
    return f"sqlite:///{tmp_path / 'votes.db'}"


@pytest.fixture
def store(url):
    made = LabelStore(url)
    yield made
    made.close()


@pytest.fixture
def make_items():
    def make(count: int, start: int = 0) -> list[Pair]:
        return [
            Pair(
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
