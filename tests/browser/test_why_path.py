"""From a wrong answer to a run without the rows behind it, as a person would walk it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from studio import Studio
from studio.data import PrepareOptions
from studio.runs.store import Run
from tests.browser.walking import SLOW, shot, tab
from tests.serving import Server
from tests.unit.training.conftest import sft_rows, small


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one short run that learned three facts, some of them wrong."""
    folder = tmp_path_factory.mktemp("why") / "studio"
    studio = Studio(folder)
    options = PrepareOptions(test_fraction=0.2, dedupe=False)
    studio.datasets.from_rows(sft_rows(36), "prompt_completion", "facts", options=options)
    recipe = small("sft", "facts", name="first", max_steps=12, learning_rate=5e-3)
    assert studio.wait(studio.train(recipe).id).state == "finished"
    studio.close()
    return folder


@pytest.fixture(scope="module")
def url(start_server: Callable[..., Server], home: Path) -> str:
    return start_server(home=home).url


def test_from_a_wrong_answer_to_a_run_without_the_rows_behind_it(
    url: str, new_page: Callable[..., Page], home: Path
) -> None:
    page = new_page(1440, 900)
    page.goto(url)
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

    page.get_by_role("button", name="Token probabilities").click()
    page.locator("#token-show").click()
    token = page.locator("#token-view [data-letter=B]").nth(1)
    expect(token).to_be_visible(timeout=SLOW)
    words = token.inner_text().strip()
    token.click()
    expect(page.locator("#why-words input, #why-words textarea")).to_have_value(words)
    expect(page.locator("#why-queued")).to_have_text("", timeout=SLOW)  # asked anew
    shot(page, "why-token")

    place = found.first.locator("[data-open]")
    row = int(place.get_attribute("data-open") or 0)
    asked = found.first.locator(".why-asked").inner_text()
    place.click()
    expect(page.locator("#row-card")).to_contain_text(asked, timeout=SLOW)
    expect(page.locator("#row-position input, input#row-position")).to_have_value(str(row + 1))
    tab(page, "Train")
    expect(page.locator("#run-list")).to_contain_text("first without", timeout=SLOW)
    shot(page, "why-queued")
    made = [run for run in Studio(home).runs.list() if run.provenance.get("without")]
    assert len(made) == 1 and _rows(made[0]) < _rows(Studio(home).runs.get("first"))


def test_the_rows_that_harm_come_first(url: str, new_page: Callable[..., Page]) -> None:
    page = new_page(1440, 900)
    page.goto(url)
    page.get_by_text("facts", exact=True).first.click()
    expect(page.locator("#row-card")).to_contain_text("What is the", timeout=SLOW)
    page.get_by_role("tab", name="Influence").click()
    page.locator("#influence-begin").click()
    scores = page.locator("#influence-list .why-row b")
    expect(scores.first).to_be_visible(timeout=SLOW)
    found = [float(text) for text in scores.all_inner_texts()]
    assert found == sorted(found)
    shot(page, "why-harm")
    page.locator("#influence-list [data-open]").first.click()
    expect(page.locator("#row-card")).to_be_visible(timeout=SLOW)


def _rows(run: Run) -> int:
    return int(run.data["rows"]["train"])
