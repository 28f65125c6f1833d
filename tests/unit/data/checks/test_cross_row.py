"""Findings that need several rows: exact copies, near copies, contradicting preferences."""

import numpy as np
import orjson

from studio.data.checks.cross_row import Across, first_of_each
from studio.data.checks.row_checks import whole_text
from studio.data.row_spool import Spool
from tests.unit.data.making import assistant, user


def findings(type, rows):
    across = Across(type)
    with Spool() as spool:
        for row in rows:
            dumped = orjson.dumps(row)
            spool.append(dumped)
            across.see(row, dumped, whole_text(row))
        found = [(at, before, finding[0]) for at, before, finding in across.findings(spool, None)]
    across.close()
    return found


def test_first_of_each_names_the_first_row_with_the_same_digest():
    digests = np.array([7, 3, 7, 9, 3, 7], np.uint64)
    assert first_of_each(digests).tolist() == [0, 1, 0, 3, 1, 0]
    assert first_of_each(np.zeros(0, np.uint64)).tolist() == []


def test_copies_are_found_whatever_their_provenance():
    text = "one two three four five six seven eight nine ten eleven twelve"
    rows = [{"text": text, "provenance": str(n)} for n in range(2)]
    rows.append({"text": f"{text} thirteen"})
    assert findings("language_modeling", rows) == [(1, 0, "duplicate"), (2, 0, "near_duplicate")]


def test_a_pair_that_prefers_the_other_answer_contradicts():
    def row(chosen, rejected, asked="Q"):
        return {
            "prompt": [user(asked)],
            "chosen": [assistant(chosen)],
            "rejected": [assistant(rejected)],
        }

    rows = [row("yes", "no"), row("no", "yes"), row("no", "yes", "R"), row("yes", "maybe")]
    assert findings("preference", rows) == [(1, 0, "contradiction")]
