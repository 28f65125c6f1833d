"""From a wrong answer to a run without the rows behind it, as a person would walk it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from studio import Studio
from studio.runs.store import Run
from tests.browser.walking import SLOW, shot, tab
from tests.serving import Server
from tests.unit.training.conftest import sft_rows, small


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A workspace with one short run that learned three facts, some of them wrong."""
    studio = Studio(tmp_path / "studio")
    studio.datasets.from_rows(sft_rows(36), "prompt_completion", "facts")
    recipe = small("sft", "facts", name="first", max_steps=12, learning_rate=5e-3)
    assert studio.wait(studio.train(recipe).id).state == "finished"
    studio.close()
    return tmp_path / "studio"


def test_from_a_wrong_answer_to_a_run_without_the_rows_behind_it(
    start_server: Callable[..., Server], new_page: Callable[..., Page], home: Path
) -> None:
    page = new_page(1440, 900)
    page.goto(start_server(home=home).url)
    tab(page, "Compare")
    prompt = page.locator("#chat-prompt textarea")
    expect(prompt).to_be_visible(timeout=SLOW)
    prompt.fill("What is the taste of honey, number 2?")
    page.keyboard.press("Enter")
    why = page.locator('#chat-view [data-why="B"]')
    expect(why).to_be_visible(timeout=SLOW)
    why.click()
    found = page.locator("#why-view .why-rows.for .why-row")
    expect(found.first).to_be_visible(timeout=SLOW)
    shot(page, "why-found")
    rows = page.locator("#why-rows input[type=checkbox]")
    expect(rows.first).to_be_visible()
    for at in range(2):
        rows.nth(at).check()
    page.locator("#why-train").click()
    expect(page.locator("#why-queued")).to_contain_text("Queued first without", timeout=SLOW)
    tab(page, "Train")
    expect(page.locator("#run-list")).to_contain_text("first without", timeout=SLOW)
    shot(page, "why-queued")
    made = [run for run in Studio(home).runs.list() if run.provenance.get("without")]
    assert len(made) == 1 and _rows(made[0]) < 36


def _rows(run: Run) -> int:
    return int(run.data["rows"]["train"])
