"""How the votes' database is opened, brought up to date, refused."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from studio.core.errors import WorkspaceError
from studio.labels import LabelStore, database, queries

DATABASES = ["sqlite", "postgresql"]


def test_a_first_studios_votes_are_taken_over(url):
    engine = database._make_engine(url)
    database.migrate(engine, "0001")
    rows = (
        "INSERT INTO projects VALUES ('labels-1', 'old', 'Which?', '', 1, 'given', 3, 2, '{}', 1)",
        "INSERT INTO items VALUES (1, 'labels-1', 0, 'd0', '[]', 'one', 'two', '{}', '{}',"
        " '{}', 1)",
        "INSERT INTO items VALUES (2, 'labels-1', 1, 'd1', '[]', 'one', 'two', '{}', '{}',"
        " '{}', 1)",
        "INSERT INTO votes VALUES (-1, 'labels-1', 1, 'ada', 1, 'vote', NULL, NULL, 'a', 2, 'ab',"
        " 1.5, '', '', 1, 'k', 1)",
        "INSERT INTO assignments VALUES (1, 'ada', 'labels-1', 0, true, -1)",
        "INSERT INTO annotators VALUES ('labels-1', 'ada', 1, 1)",
        "INSERT INTO meta VALUES ('schema', '1')",
        "DROP TABLE alembic_version",  # the first studio knew of no migrations
    )
    with engine.begin() as connection:
        for row in rows:
            connection.exec_driver_sql(row)
    engine.dispose()
    store = LabelStore(url)
    assert (store.get("old").done, store.get("old").overlap) == (1, 0)
    [vote] = store.history("labels-1", "ada")
    assert (vote.choice, vote.studio_version) == ("a", "")
    assert store.next_item("labels-1", "ada").item_id == 2
    store.undo("labels-1", "ada")
    assert store.next_item("labels-1", "ada").item_id == 1
    store.close()


def test_a_database_of_a_newer_studio_is_refused(url, store, project):
    with store._db.writing() as db:
        db.execute(sa.text("UPDATE alembic_version SET version_num = '0999'"))
    with pytest.raises(WorkspaceError, match=r"newer studio|another studio"):
        LabelStore(url).projects()


def test_what_is_no_database_is_refused_in_a_sentence(database, tmp_path):
    if database != "sqlite":
        missing = f"postgresql+psycopg://studio@/votes?host={tmp_path}"
        with pytest.raises(WorkspaceError, match="could not be used"):
            LabelStore(missing).projects()
        return
    with pytest.raises(WorkspaceError, match="could not be used"):
        LabelStore(f"sqlite:///{tmp_path / 'missing' / 'votes.db'}").projects()
    (tmp_path / "text.db").write_text("not a database at all, only text" * 40)
    with pytest.raises(WorkspaceError, match="could not be used"):
        LabelStore(f"sqlite:///{tmp_path / 'text.db'}").projects()
    with pytest.raises(WorkspaceError, match="database URL"):
        LabelStore("nonsense")


def test_it_is_opened_for_keeps(database, store, project):
    with store._db.reading() as db:
        if database == "sqlite":
            assert db.scalar(sa.text("PRAGMA journal_mode")) == "wal"
            assert db.scalar(sa.text("PRAGMA synchronous")) == 2
            assert db.scalar(sa.text("PRAGMA foreign_keys")) == 1
        else:
            assert db.scalar(sa.text("SHOW synchronous_commit")) == "on"


def test_the_next_item_is_found_by_an_index(database, store, project):
    if database != "sqlite":
        pytest.skip("the plan is read off SQLite")
    asked = {"project": project.id, "person": "ada", "cursor": 3, "count": 1}
    query = queries.UNSEEN.params(asked).compile(
        dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True}
    )
    with store._db.reading() as db:
        plan = str(db.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}").all())
    assert "items_open" in plan and "TEMP B-TREE" not in plan and "SCAN" not in plan


def test_a_full_or_locked_server_refuses_the_vote_in_a_sentence(database, url, store, project):
    if database != "postgresql":
        pytest.skip("SQLite's own: tests/faults/test_votes.py")
    item = store.next_item(project.id, "ada").item_id
    store.vote(project.id, item, "ada", "a", idempotency_key="kept")
    full = (
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "RAISE EXCEPTION 'No space left on device' USING ERRCODE = 'disk_full'; END $$",
        "CREATE TRIGGER full_disk BEFORE INSERT ON votes EXECUTE FUNCTION full_disk()",
    )
    with store.writing() as db:
        for line in full:
            db.exec_driver_sql(line)
    for _ in range(2):
        with pytest.raises(WorkspaceError, match=r"No space left.*Nothing was recorded"):
            store.vote(project.id, item + 1, "ada", "b", idempotency_key="refused")
    locked = LabelStore(f"{url}%20-cdefault_transaction_read_only%3Don")
    assert locked.next_item(project.id, "ada") is not None
    with pytest.raises(WorkspaceError, match=r"read-only transaction.*Nothing was recorded"):
        locked.vote(project.id, item + 1, "ada", "b")
    locked.close()
    with store.writing() as db:
        db.exec_driver_sql("DROP TRIGGER full_disk ON votes")
    assert not store.vote(project.id, item + 1, "ada", "b", idempotency_key="refused").repeated
    assert [vote.choice for vote in store.history(project.id, "ada")] == ["b", "a"]
