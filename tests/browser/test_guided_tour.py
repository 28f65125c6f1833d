"""The guided tour, by its own button: it follows what is done on the tabs, votes included."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.walking import SLOW, shot, sit_down, tab, train
from tests.serving import Server

VOTES = 4


def test_the_tour_counts_votes_however_slowly_they_come(
    start_server: Callable[..., Server], new_page: Callable[..., Page]
) -> None:
    page = new_page(1440, 900)
    page.goto(start_server().url)
    page.locator("#begin").click()
    steps, next_step = page.locator("#guide-steps"), page.locator("#guide-next")
    expect(next_step).to_contain_text("Next: train", timeout=SLOW)
    page.locator("#data-train").click()  # not the tour's own step: its run takes minutes
    expect(page.locator("#train-start")).to_contain_text("rows", timeout=SLOW)
    train(page, "tour-sft")
    next_step.click()
    expect(next_step).to_contain_text("Next: label", timeout=SLOW)
    next_step.click()
    expect(steps).to_contain_text(f"0 of {VOTES}", timeout=SLOW)
    tab(page, "Label")
    sit_down(page, "ada")
    page.locator(".lab-prompt").click()
    for vote in range(1, VOTES + 1):
        page.wait_for_timeout(6_000)  # somebody who reads: the page has gone quiet meanwhile
        page.keyboard.press("1")
        if vote < VOTES:
            expect(steps).to_contain_text(f"{vote} of {VOTES}")
    expect(next_step).to_contain_text("Next: train DPO on your votes")
    shot(page, "tour-votes")
