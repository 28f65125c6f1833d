"""The whole loop in a browser, as a person would walk it: every tab, every "next" button.

A file comes in, is prepared and trained on; its answers are compared with the base's, judged blind
by keyboard, exported, and trained on again; and the two are compared once more.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.walking import SLOW, shot, sit_down, tab, train
from tests.serving import Server

PLACES = ["harbour", "mill", "orchard", "chapel", "bridge", "forge", "market", "tower"]


WATCH_START = """() => {
  window.startOffered = [];
  const look = () => {
    const start = document.querySelector("#train-start");
    const ready = start?.checkVisibility() && !start.disabled;
    if (ready) window.startOffered.push(start.textContent.trim());
    requestAnimationFrame(look);
  };
  look();
}"""
"""Notes what the Train button says in every frame in which it can be pressed."""


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """Alpaca rows, two of them not fit to train on."""
    made = [
        {
            "instruction": f"Where is the {place} of {town}?",
            "input": "",
            "output": f"The {place} of {town} is beside the river, next to the old wall.",
        }
        for place in PLACES
        for town in ("Alder", "Birch", "Cedar", "Dorn", "Elm")
    ]
    made += [{"instruction": "Say nothing.", "input": "", "output": ""}, made[0]]
    path = tmp_path / "places.json"
    path.write_text(json.dumps(made))
    return path


def prepare(page: Page, rows: Path) -> None:
    """Data: read, checked, prepared."""
    page.locator("#data-files input[type=file]").set_input_files(rows)
    expect(page.locator("#data-headline")).to_contain_text("alpaca", timeout=SLOW)
    expect(page.locator("#row-card")).to_contain_text("Where is the harbour of Alder?")
    shot(page, "data-read")
    page.locator("#data-prepare").click()
    expect(page.locator("#data-train")).to_be_visible(timeout=SLOW)
    shot(page, "data-prepared")


def compare(page: Page, question: str, tuned: str) -> None:
    """Base beside the run in view, in a chat."""
    page.locator("#run-compare").click()
    expect(page.locator("#chat-prompt textarea")).to_be_visible()
    page.locator("#chat-prompt textarea").fill(question)
    page.keyboard.press("Enter")
    answers = page.locator("#chat-view")
    expect(answers).to_contain_text(tuned, timeout=SLOW)
    expect(answers).to_contain_text("share one copy of the weights", timeout=SLOW)
    expect(answers.get_by_text("tokens/s")).to_have_count(2, timeout=SLOW)
    shot(page, f"compare-{tuned}")


def send_a_prompt_set(page: Page) -> None:
    """Both models' answers to a set of prompts become pairs to label."""
    page.get_by_role("tab", name="Prompt set").click()
    page.locator("#set-limit input").fill("12")  # answers alike are set aside
    page.locator("#set-limit input").blur()
    page.locator("#set-begin").click()
    expect(page.locator("#set-send")).to_be_visible(timeout=SLOW)
    shot(page, "compare-set")
    page.locator("#set-send").click()


def judge(page: Page) -> int:
    """Label: four or more pairs by keyboard; how many there were."""
    sit_down(page, "ada")
    count = page.locator(".lab-count")
    expect(count).to_contain_text("0 of")
    total = int(count.inner_text().split(" of ")[1].split()[0])
    assert total >= 4
    shot(page, "label")
    page.locator(".lab-prompt").click()
    for voted in range(1, total + 1):
        page.keyboard.press("1" if voted % 2 else "2")
        expect(count).to_contain_text(f"{voted} of {total}")
    expect(page.locator('.lab-saved[data-kind="safe"]')).to_be_visible()
    expect(page.locator("#label-train")).to_be_visible(timeout=SLOW)
    shot(page, "label-done")
    return total


def exported(page: Page) -> list[dict]:
    """The verdicts as DPO rows."""
    with page.expect_download() as waiting:
        page.get_by_role("button", name="DPO").first.click()
    return [json.loads(line) for line in waiting.value.path().read_text().splitlines()]


def test_the_whole_loop(
    start_server: Callable[..., Server], new_page: Callable[..., Page], rows: Path
) -> None:
    page = new_page(1440, 900)
    page.goto(start_server().url)
    prepare(page, rows)
    page.evaluate(WATCH_START)
    page.locator("#data-train").click()
    expect(page.locator("#train-start")).to_contain_text("38 rows", timeout=SLOW)
    expect(page.locator("#train-start")).to_be_enabled()
    offered = page.evaluate("window.startOffered")
    assert set(offered) == {"Train on 38 rows"}, "the button offered the form of before"
    train(page, "loop-sft")
    compare(page, "Where is the mill of Elm?", "loop-sft")
    send_a_prompt_set(page)
    total = judge(page)
    pairs = exported(page)
    assert len(pairs) == total and {"prompt", "chosen", "rejected"} <= pairs[0].keys()

    page.locator("#label-train").click()  # DPO on the verdicts, from the run that wrote the answers
    expect(page.locator("#train-start")).to_contain_text(f"{total} rows", timeout=SLOW)
    expect(page.locator("#train-yaml textarea")).to_have_value(re.compile("start_from: run-"))
    shot(page, "train-dpo-form")
    train(page, "loop-dpo")
    page.goto(page.url)  # the page survives a refresh: who labels, and the run in view
    tab(page, "Label")
    expect(page.get_by_label("Your name")).to_have_value("ada")
    tab(page, "Train")
    expect(page.locator("#run-list")).to_contain_text("loop-dpo", timeout=SLOW)
    expect(page.locator("#run-list")).to_contain_text("loop-sft")
    compare(page, "Where is the tower of Dorn?", "loop-dpo")
