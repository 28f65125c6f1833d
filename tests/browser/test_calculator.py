"""The Calculator by mouse: it and the Train form agree, and a click on a target counts."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.serving import Server

SLOW = 60_000  # ms; the first figures wait for the training libraries


def test_the_rank_is_the_same_here_and_there(server: Server, new_page: Callable[..., Page]) -> None:
    page = new_page(1280, 900)
    page.set_default_timeout(SLOW)
    page.goto(server.url)
    expect(page.get_by_text("no run", exact=True).first).to_be_visible(timeout=SLOW)

    def open_tab(name: str) -> None:
        page.get_by_role("tab", name=name, exact=True).click()

    rank = page.locator("#calc-lora-r input[type=number]")
    figures = page.locator("#calc-figures .stats")
    open_tab("Train")
    page.locator("#train-form").get_by_role("button", name="More parameters").click()
    theirs = page.locator("#train-form").get_by_label("Rank", exact=False).first
    theirs.fill("24")
    open_tab("Calculator")
    expect(rank).to_have_value("24", timeout=SLOW)
    expect(figures).to_contain_text("568 k", timeout=SLOW)

    switch = page.locator("button[data-target='q_proj']").first
    expect(switch).to_have_attribute("aria-checked", "true")
    switch.click()
    expect(figures).not_to_contain_text("568 k", timeout=SLOW)
    expect(switch).to_have_attribute("aria-checked", "false")
    page.locator("button[data-rank='64']").click()
    expect(rank).to_have_value("64", timeout=SLOW)
    open_tab("Train")
    expect(theirs).to_have_value("64", timeout=SLOW)
    expect(page.locator("#train-note")).to_contain_text(
        "Taken from the Calculator: LoRA rank, target modules."
    )
    theirs.fill("8")
    open_tab("Calculator")
    expect(rank).to_have_value("8", timeout=SLOW)
    expect(page.locator(".toast-body.error")).to_have_count(0)
