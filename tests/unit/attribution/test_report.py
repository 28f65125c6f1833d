"""What is said of a row beside its score."""

from __future__ import annotations

from studio.attribution.report import shown, votes_of
from studio.labels.export import export_items
from studio.labels.types import JudgedItem, Vote


def test_a_row_that_votes_made_says_how_many_agreed_and_not_who():
    votes = tuple(
        Vote(at, 7, name, 1, "a", 1, "ab", 2.0, "", "", 1, float(at))
        for at, name in enumerate(("ann", "bo"))
    )
    prompt = [{"role": "user", "content": "Hi."}]
    item = JudgedItem(7, prompt, "Hello.", "Bye.", {}, {}, votes)
    [row] = export_items([item]).rows
    assert votes_of(row) == {"votes": {"item": 7, "voters": 2, "agreement": 1.0}}
    assert "ann" not in str(votes_of(row)) and votes_of({"text": "plain"}) == {}
    assert shown(row)["rejected"] == "Bye."
