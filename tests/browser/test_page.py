"""The page as a whole: by keyboard, by its address, for screen readers, and while it is idle."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests import axe
from tests.browser.walking import tab
from tests.serving import Server

TABS = ("Data", "Calculator", "Train", "Compare", "Label", "Models")
COUNTED = """
const frame = window.requestAnimationFrame.bind(window);
window.framesAsked = 0;
window.requestAnimationFrame = draw => { window.framesAsked += 1; return frame(draw); };
"""
FOUND = """() => axe.run(document, {resultTypes: ["violations"]}).then(found => found.violations
  .filter(one => ["serious", "critical"].includes(one.impact))
  .map(one => [one.id, one.nodes.length, one.nodes[0].html.slice(0, 200)]))"""
OPEN = "[...document.querySelectorAll('[role=combobox][aria-expanded=true]')].length"


def test_the_page_is_used_by_keyboard_and_remembered_by_its_address(
    server: Server, new_page: Callable[..., Page]
) -> None:
    page = new_page(1440, 900)
    page.add_init_script(COUNTED)
    page.goto(server.url)
    first = page.get_by_role("tab", name="Data", exact=True).first
    expect(first).to_be_visible()
    first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Train", exact=True).first).to_be_focused()
    expect(page.locator("#train-start")).to_contain_text("Train on")
    expect(page).to_have_url(re.compile(r"tab=train"))

    page.locator("#train-dataset input").focus()
    expect(page.locator("#train-dataset input")).to_have_attribute("aria-expanded", "true")
    for _ in range(4):  # through a button, the next list and the one after
        page.keyboard.press("Tab")
    page.wait_for_timeout(300)
    assert page.evaluate(OPEN) <= 1, "a list stays open over the next fields"
    page.keyboard.press("Escape")

    page.reload()
    expect(page.get_by_role("tab", name="Train", exact=True).first).to_have_attribute(
        "aria-selected", "true"
    )
    expect(page.locator("#train-start")).to_be_in_viewport()
    page.get_by_role("button", name="More parameters").click()
    expect(page.locator("#train-start")).to_be_in_viewport()  # however long the form is

    box = page.get_by_label("Find a parameter")
    box.fill("max_grad_norm")  # by its name in TRL; its fold was never opened
    expect(page.get_by_label("Max gradient norm")).to_be_in_viewport()
    box.fill("epochs")
    page.locator("#train-find").get_by_role("button", name="Epochs", exact=True).click()
    expect(page.get_by_label("Epochs")).to_be_focused()
    box.fill("simpo gamma")
    expect(page.locator("#train-find")).to_contain_text("Not for this objective")
    box.press("Escape")
    expect(page.get_by_label("Max gradient norm")).to_be_hidden()
    for _ in range(15):  # what still loads draws as well, but not for ever
        before = page.evaluate("framesAsked")
        page.wait_for_timeout(2000)
        asked = page.evaluate("framesAsked") - before
        if asked < 20:
            return
    raise AssertionError(f"{asked} frames in 2 s: something is drawn for ever")


def test_no_tab_has_a_serious_fault_of_accessibility(
    server: Server, new_page: Callable[..., Page]
) -> None:
    source = axe.script()
    if source is None:
        pytest.skip("axe-core could not be fetched with npm")
    page = new_page(1440, 900)
    page.goto(server.url)
    page.add_style_tag(content="* { transition: none !important; animation: none !important; }")
    faults = []
    for name in TABS:
        tab(page, name)
        page.wait_for_timeout(1500)
        if not faults and name == TABS[0]:
            page.evaluate(source)
        for mode in ("light", "dark"):
            page.evaluate("dark => document.body.classList.toggle('dark', dark)", mode == "dark")
            page.wait_for_timeout(100)
            faults += [(name, mode, *found) for found in page.evaluate(FOUND)]
    assert faults == []
