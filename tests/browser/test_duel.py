"""A whole round by two people in two browsers (`make test-duel`): pairs, votes, DPO, blind duel.

A tuned model writes pairs here, two annotators judge all of them by keyboard, a DPO run learns
from their votes, and the new model meets the old one, blind, on held-out prompts.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.engine.studio import Studio
from studio.labels import JudgedItem
from tests.browser.walking import SLOW, choose, shot, tab, train
from tests.serving import ROOT, Server

OVERLAP = 2


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace with a short SFT run in it."""
    words = "train pocket-sft --name first --set max_steps=16 --set sample_steps=0"
    subprocess.run(
        [sys.executable, "-m", "studio", *words.split()],
        cwd=ROOT,
        check=True,
        env={**os.environ, "STUDIO_HOME": str(tmp_path / "home")},
    )
    return tmp_path / "home"


def make_project(page: Page) -> None:
    """From the form: pairs of the newest run at two seeds, each to be judged by two people."""
    tab(page, "Projects")
    page.locator("#label-begin").click()
    page.locator("#label-kind").get_by_text("Generate with two models").click()
    expect(page.locator("#label-a input")).not_to_have_value("", timeout=SLOW)
    page.locator("#label-prompt-count input").fill("8")
    page.locator("#label-new").get_by_role("button", name="More").click()
    page.locator("#label-overlap input").fill(str(OVERLAP))
    page.locator("#label-new-name input, #label-new-name textarea").fill("first round")
    page.locator("#label-create").click()
    expect(page.locator("#label-project input")).to_have_value(
        "first round \N{MIDDLE DOT} 0 pairs", timeout=SLOW
    )


def sit_down(page: Page, url: str, name: str) -> None:
    page.goto(url)
    tab(page, "Label")
    box = page.get_by_label("Your name")
    box.fill(name)
    box.press("Enter")
    expect(page.locator(".lab")).to_contain_text("Compare two answers blind", timeout=SLOW)


def come_back(page: Page, name: str) -> None:
    """Reload: the browser still knows who labels."""
    page.reload()
    tab(page, "Label")
    expect(page.locator(f'.lab[data-annotator="{name}"]')).to_be_visible(timeout=SLOW)


def standing(page: Page) -> tuple[int, int]:
    """Pairs that this person has judged, and all that there are for them."""
    done, total = page.locator(".lab-count").inner_text().split(" \N{MIDDLE DOT} ")[0].split(" of ")
    return int(done), int(total)


def press(page: Page, key: str, done: int) -> None:
    """Press a key of the panel, and wait until so many pairs are judged and safe."""
    page.keyboard.press(key)
    expect(page.locator(".lab-count")).to_contain_text(f"{done} of")
    expect(page.locator('.lab-saved[data-kind="safe"]')).to_be_visible()


def favourite(page: Page) -> str:
    """The key of the answer that comes first in the alphabet: both people are of one taste."""
    left, right = (
        page.locator(f'[data-side="{side}"] .lab-answer-text') for side in ("left", "right")
    )
    return "1" if left.inner_text() < right.inner_text() else "2"


def judge_all(page: Page) -> None:
    """Judge the rest by taste, and see the results come up."""
    done, total = standing(page)
    for number in range(done + 1, total + 1):
        press(page, favourite(page), number)
    expect(page.locator(".lab-reveal")).to_be_visible(timeout=SLOW)


def judge_in_every_way(page: Page) -> None:
    """Undone, edited, skipped, both bad, and reloaded in between; the rest by taste."""
    press(page, favourite(page), 1)
    press(page, "u", 0)
    press(page, favourite(page), 1)
    press(page, "b", 2)
    asked = page.locator(".lab-prompt").inner_text()
    come_back(page, "ada")
    expect(page.locator(".lab-prompt")).to_contain_text(asked.splitlines()[-1], timeout=SLOW)
    page.locator(".lab-prompt").click()
    press(page, "s", 3)
    page.keyboard.press("e")
    if favourite(page) == "2":
        page.get_by_role("button", name="Improve 2").click()
    page.get_by_label("edited answer").fill("Gladly: this is better by hand.")
    press(page, "Control+Enter", 4)
    judge_all(page)


def check_votes(judged: list[JudgedItem]) -> None:
    """What both people did is in the database, as they saw it."""
    assert all(len(item.votes) <= OVERLAP for item in judged)
    by: dict[str, dict[int, Any]] = {"ada": {}, "ben": {}}
    for item in judged:
        for vote in item.votes:
            by[vote.annotator][item.item_id] = vote
    assert len(by["ada"]) == len(by["ben"]) == len(judged)
    assert {vote.choice for vote in by["ada"].values()} >= {"both_bad", "skip"}
    assert sorted(vote.version for vote in by["ada"].values())[-1] == 3, "vote, undo, vote"
    assert [vote.edited for vote in by["ada"].values() if vote.edited]
    orders = [(by["ada"][n].order, by["ben"][n].order) for n in by["ada"]]
    assert any(one != other for one, other in orders), "both saw the same side on the left"
    agreed = [
        by["ada"][n].choice == vote.choice
        for n, vote in by["ben"].items()
        if by["ada"][n].choice in "ab" and not by["ada"][n].edited
    ]
    assert agreed and all(agreed), "one taste, whatever side it was shown on"


@pytest.mark.skipif(
    not os.environ.get("STUDIO_DUEL"),
    reason="STUDIO_DUEL is not set: this takes minutes (make test-duel)",
)
def test_two_people_label_a_round_and_judge_its_duel(
    home: Path, start_server: Callable[..., Server], new_page: Callable[..., Page]
) -> None:
    url, store = start_server(home).url, Studio(home).labels
    ada, ben = new_page(1440, 900), new_page(390, 844)
    for page, name in ((ada, "ada"), (ben, "ben")):
        sit_down(page, url, name)
    make_project(ada)
    project = store.get("first round").id
    come_back(ben, "ben")
    for page in (ada, ben):
        expect(page.locator(".lab-prompt")).to_be_visible(timeout=SLOW)
        page.locator(".lab-prompt").click()
    judge_in_every_way(ada)
    judge_all(ben)
    check_votes(list(store.labelled_pairs(project)))

    come_back(ada, "ada")
    expect(ada.locator(".lab-reveal")).to_contain_text("Agreement and bias", timeout=SLOW)
    shot(ada, "round-results")
    with ada.expect_download() as waiting:
        ada.get_by_role("button", name="Save DPO rows").click()
    exported = [json.loads(line) for line in waiting.value.path().read_text().splitlines()]
    assert any("better by hand" in json.dumps(row["chosen"]) for row in exported)
    ada.locator("#label-train").click()
    expect(ada.locator("#train-start")).to_contain_text(f"{len(exported)} rows", timeout=SLOW)
    train(ada, "second")

    tab(ada, "Label")
    tab(ada, "Rounds")
    drawing = ada.locator("#label-rounds-drawing")
    expect(drawing).to_contain_text("no duel with the previous model yet", timeout=SLOW)
    ada.locator("#label-duel input[type=number]").fill("6")
    ada.locator("#label-duel-make").click()
    expect(ada.locator("#label-project input")).to_have_value(
        re.compile("second or first"), timeout=SLOW
    )
    come_back(ben, "ben")
    choose(ben, "second or first")
    for page in (ada, ben):
        expect(page.locator(".lab-prompt")).to_be_visible(timeout=SLOW)
        assert "second" not in page.locator(".lab").inner_text(), "the duel is blind"
        page.locator(".lab-prompt").click()
        judge_all(page)
    shot(ada, "duel-results")
    tab(ada, "Rounds")
    expect(drawing).to_contain_text("win rate", timeout=SLOW)
    shot(ada, "rounds")
    met = Studio(home).labels.get("second or first")
    assert all(len(item.votes) == 2 for item in store.labelled_pairs(met.id))
