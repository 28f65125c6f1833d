"""Pictures of chats that think and call tools, of a mixture, and of data making, to look at.

    python benchmarks/screenshots.py --chats DIR

The built-in model is trained on a few rows until it thinks and calls; nothing is drawn by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image
from playwright.sync_api import Browser, Page

if TYPE_CHECKING:
    from studio import Studio

ASKED = "Where is the mill?"
TOOL = {
    "type": "function",
    "function": {
        "name": "where",
        "description": "Where something is.",
        "parameters": {"type": "object", "properties": {"of": {"type": "string"}}},
    },
}
COLORS = 256
NAME = "thinks-and-calls"
SHORT = "thinks-a-little"


def rows() -> list[dict[str, Any]]:
    """Chats in which the assistant thinks, calls, reads what it is told, and answers."""
    call = {"type": "function", "function": {"name": "where", "arguments": {"of": "mill"}}}
    messages = [
        {"role": "user", "content": ASKED},
        {"role": "assistant", "content": "", "reasoning_content": "I look it up.",
         "tool_calls": [call]},
        {"role": "tool", "content": "By the river."},
        {"role": "assistant", "content": "It is by the river.",
         "reasoning_content": "The tool says so."},
    ]  # fmt: skip
    return [{"messages": messages, "tools": [TOOL]}, {"messages": messages[:2], "tools": [TOOL]}]


def fill(studio: Studio, folder: Path) -> None:
    """Train on the rows, and prepare two datasets to mix."""
    from studio.data import PrepareOptions
    from studio.runs.recipe import Recipe

    path = folder / f"{NAME}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    if any(run.name == NAME and run.state == "finished" for run in studio.runs.list()):
        return
    studio.datasets.prepare(path, NAME, PrepareOptions(test_fraction=0, dedupe=False))
    studio.datasets.prepare("pocket-sft")
    for name, steps in ((SHORT, 36), (NAME, 60)):
        recipe = Recipe.defaults(
            "sft",
            "full",
            model_name_or_path="pocket",
            dataset_name=NAME,
            chat_template_path="chatml",
            name=name,
            max_steps=steps,
            learning_rate=4e-3,
            per_device_train_batch_size=2,
            max_length=512,
        )
        print(f"training {name} ...", flush=True)
        run = studio.wait(studio.train(recipe).id)
        assert run.state == "finished", run.error


def open_tab(page: Page, tab: str) -> None:
    """Open a tab of the page; a narrow page keeps some in a menu."""
    chosen = page.get_by_role("tab", name=tab, exact=True)
    if chosen.first.is_visible():
        return chosen.first.click()
    page.locator(".overflow-menu > button").filter(visible=True).last.click()
    menu = page.locator(".overflow-dropdown").filter(visible=True)
    menu.get_by_text(tab, exact=True).click()


def token_view(page: Page) -> None:
    page.get_by_text(NAME, exact=True).first.click()
    page.locator("#row-card").get_by_text("assistant").first.wait_for()
    page.get_by_role("tab", name="Tokens").click()
    page.locator("#token-template input").click()
    page.get_by_role("option", name="ChatML", exact=True).click()
    page.locator("#row-tokens").get_by_text("river").first.scroll_into_view_if_needed()
    page.wait_for_timeout(1500)


def compare(page: Page) -> None:
    open_tab(page, "Compare")
    page.wait_for_timeout(4000)  # the page chooses the newest run by itself
    page.get_by_label("Model A").click()
    page.get_by_role("option", name=SHORT).first.click()
    page.get_by_role("button", name="Tools").first.click()
    tools = page.locator("#compare-tools textarea")
    tools.fill(json.dumps([TOOL]))
    tools.blur()
    page.locator("#chat-prompt textarea").fill(ASKED)
    page.locator("#chat-send").click()
    page.locator(".thought").first.wait_for(timeout=90_000)
    page.wait_for_timeout(4000)


def mixture(page: Page) -> None:
    open_tab(page, "Train")
    page.get_by_role("button", name="Replay 10 %").first.click()
    choice = page.get_by_label("Dataset 2", exact=True).first
    other = choice.locator("option", has_text=NAME)
    other.wait_for(state="attached")
    choice.select_option(other.get_attribute("value"))
    shares = page.locator("#mixture-shares table")
    shares.wait_for()
    page.wait_for_timeout(2000)
    shares.evaluate("element => element.scrollIntoView({block: 'center'})")
    page.wait_for_timeout(500)


def make_data(page: Page) -> None:
    page.get_by_text("Make data with models").first.click()
    page.locator("#make-begin").wait_for()
    page.get_by_label("Topic").fill("the village")
    page.locator("#make-seeds textarea").fill("Who is the baker?\nWhere is the mill?")
    page.get_by_label("The writer continues a list").check()
    page.locator("#data-make").get_by_label("Rows").fill("6")
    page.locator("#make-begin").click()
    page.locator("#make-progress .notice, #data-make .notice").first.wait_for(timeout=90_000)
    page.wait_for_timeout(1500)
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    page.set_viewport_size({"width": page.viewport_size["width"], "height": 1560})
    page.wait_for_timeout(500)


PICTURES = {
    "token-view": token_view,
    "compare-thought": compare,
    "mixture-shares": mixture,
    "make-data": make_data,
}


def save(page: Page, path: Path) -> None:
    """A small picture of what is in view."""
    page.screenshot(path=path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(COLORS).save(path, optimize=True)


def draw(
    browser: Browser,
    url: str,
    folder: Path,
    pictures: Mapping[str, Callable[[Page], None]] | None = None,
    seconds: int = 30,
) -> None:
    """Every picture in both widths, also what was on the page where one could not be drawn."""
    folder.mkdir(parents=True, exist_ok=True)
    for size, width in (((1440, 900), "wide"), ((390, 844), "narrow")):
        for name, show in (pictures or PICTURES).items():
            context = browser.new_context(viewport={"width": size[0], "height": size[1]})
            context.set_default_timeout(seconds * 1000)
            page = context.new_page()
            page.goto(url)
            page.get_by_role("tab", name="Data").first.wait_for()
            try:
                show(page)
            finally:
                save(page, folder / f"{name}-{width}.png")
                context.close()
            print(f"{name}-{width}.png", flush=True)
