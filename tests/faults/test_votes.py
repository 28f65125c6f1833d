"""Voting when things go wrong: killed, full, read-only. A sentence, and nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa

from components.label.annotation_api import server_functions
from studio.core.errors import WorkspaceError
from studio.labels import LabelStore, Pair
from tests import postgres
from tests.faults import killed_votes
from tests.preloaded import PreloadedPython


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_kill_nine_of_the_app_loses_and_doubles_no_acknowledged_vote(
    database: str, preloaded: PreloadedPython | None
) -> None:
    if database == "postgresql" and postgres.find() is None:
        pytest.skip(postgres.ADVICE)
    outcome = killed_votes.run(database, kills=1, python=preloaded)
    assert outcome.acknowledged and outcome.unanswered
    assert (outcome.lost, outcome.doubled, outcome.beyond_overlap) == (0, 0, 0)


def started(path: Path) -> tuple[LabelStore, str, int]:
    store = LabelStore(f"sqlite:///{path}")
    project = store.create_project("first", order="given", seed=1)
    store.add_items(project.id, [Pair(f"question {n}", "one", f"two {n}") for n in range(4)])
    first = store.next_item(project.id, "ada")
    assert first is not None
    store.vote(project.id, first.item_id, "ada", "a", idempotency_key="kept")
    return store, project.id, first.item_id + 1


def test_a_full_disk_refuses_the_vote_in_a_sentence_and_keeps_the_others(tmp_path: Path) -> None:
    store, project, item = started(tmp_path / "votes.db")
    with store._db.reading() as db:
        pages = db.scalar(sa.text("PRAGMA page_count"))

    def fill(connection, _record, _proxy) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    sa.event.listen(store._db._engine, "checkout", fill)  # as a disk without room for another page
    vote = {
        "project": project,
        "annotator": "ada",
        "item": item,
        "choice": "left",
        "strength": 2,
        "seconds": 1.0,
        "key": "refused",
        "edited": "x" * 50_000,
    }
    asked = {question.__name__: question for question in server_functions(lambda: store)}
    for _ in range(3):
        reply = asked["label_vote"](vote)
        assert "full" in reply["error"] and "Nothing was recorded" in reply["error"]
    assert [v.choice for v in store.history(project, "ada")] == ["a"]

    sa.event.remove(store._db._engine, "checkout", fill)
    store.close()  # room again
    roomy = LabelStore(f"sqlite:///{tmp_path / 'votes.db'}")
    asked = {question.__name__: question for question in server_functions(lambda: roomy)}
    assert asked["label_vote"](vote)["receipt"]["repeated"] is False
    assert roomy.progress(project, "ada").done == 2
    roomy.close()


def test_a_read_only_workspace_still_shows_and_says_why_it_keeps_nothing(tmp_path: Path) -> None:
    store, project, item = started(tmp_path / "votes.db")
    store.close()
    locked = LabelStore(f"sqlite:///file:{tmp_path / 'votes.db'}?mode=ro&uri=true")
    assert locked.next_item(project, "ada") is not None
    with pytest.raises(WorkspaceError, match=r"readonly.*Nothing was recorded.*permissions"):
        locked.vote(project, item, "ada", "a")
    assert [vote.choice for vote in locked.history(project, "ada")] == ["a"]
    locked.close()
