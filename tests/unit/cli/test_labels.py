"""`labels` in the shell."""

from __future__ import annotations


def test_projects_and_votes(shell, voted, tmp_path):
    assert "first" in shell("labels", "list").out
    project = ("--project", "first")
    shown = shell("labels", "show", *project, "--item", 1).out
    assert shown.startswith("1: q0") and "left   " in shown and "right  " in shown
    assert "No pair is left" in shell("labels", "next", *project, "--annotator", "ada").out
    vote = shell("labels", "vote", *project, "--item", 1, "--choice", "left")
    assert vote.out.startswith("Vote ") and vote.code == 0
    assert "Pair 1 is to be labeled again" in shell("labels", "undo", *project).out
    out = tmp_path / "rows.jsonl"
    text = shell("labels", "export", *project, "--out", out).out
    assert text == f"{out}: 2 rows, 1 left out: tie\n"
    assert "Pair 2 is removed" in shell("labels", "remove", *project, "--item", 2).out
    again = shell("labels", "create", "--from-project", "first").out
    assert "2 pairs to label" in again


def test_results_and_a_judge(shell, voted, judging):
    text = shell("labels", "results", "--project", "first").out
    assert "same length" in text and "pairs needed" in text
    text = shell("labels", "judge", "--project", "first", "--judge", "base:pocket").out
    assert "3 pairs judged in both orders, 100 % changed with the order" in text


def test_rounds(shell, taught):
    last = shell("labels", "rounds").out.splitlines()[-1]
    assert last.split() == ["start", "1", "taught", "3", "duel", "1", "100", "%"]


def test_no_round_yet(shell, labels):
    assert "No run has learned" in shell("labels", "rounds").out
    assert shell("labels", "rounds", "--json").json == []
