"""Steps that several walks through the app take, as a person would take them."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

SLOW = 120_000  # ms; a short run on two busy cores, libraries and all
SHOTS = os.environ.get("STUDIO_TEST_SHOTS")  # a folder: keep a picture of every step


def shot(page: Page, name: str) -> None:
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/{name}.png")


def tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).first.click()


def choose(page: Page, project: str) -> None:
    """Open a labeling project."""
    box = page.locator("#label-project input")
    if project not in box.input_value():
        box.click()
        page.get_by_role("option").filter(has_text=project).first.click()


def say_name(page: Page, box: Locator, name: str) -> None:
    """Type a name; again, as a person would, where the page was drawn anew meanwhile."""
    named = page.locator(f'.lab[data-annotator="{name}"]')
    expect(box).to_be_visible()
    for _ in range(5):
        box.fill(name)
        box.press("Enter")
        with contextlib.suppress(AssertionError):
            expect(named).to_be_visible(timeout=12_000)
            return
        if not box.is_visible():
            break
    expect(named).to_be_visible()


def sit_down(page: Page, name: str) -> None:
    """Say who labels, and wait for this person's pairs."""
    say_name(page, page.get_by_label("Your name"), name)


def apply_yaml(page: Page, change: Callable[[str], str], taken: str) -> None:
    """Change the recipe in its YAML view, and wait until the form has taken it: until its command
    holds `taken`, which it did not hold before."""
    box = page.locator("#train-yaml textarea")
    if not box.is_visible():
        page.get_by_role("button", name="Recipe as YAML and command").click()
    page.wait_for_timeout(1500)  # people read before they type
    box.fill(change(box.input_value()))
    page.locator("#train-apply").click()
    command = page.locator("#train-command textarea")
    expect(command).to_have_value(re.compile(re.escape(taken)), timeout=SLOW)


def train(page: Page, name: str) -> None:
    """Start the run that the form describes, and see it to its end."""

    def short(text: str) -> str:
        steep = {"name": name, "max_steps": 4, "warmup_steps": 0, "learning_rate": 0.01}
        kept = [line for line in text.splitlines() if line.partition(":")[0] not in steep]
        return "\n".join(
            [*kept, *(f"{parameter}: {value}" for parameter, value in steep.items()), ""]
        )

    apply_yaml(page, short, name)
    page.locator("#train-start").click()
    expect(page.locator("#run-head")).to_contain_text(name, timeout=SLOW)
    expect(page.locator("#run-compare")).to_be_visible(timeout=SLOW)
    shot(page, f"train-{name}")
