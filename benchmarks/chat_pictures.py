"""Pictures of chats that think and call tools, of a mixture, and of data making, to look at.

    python benchmarks/screenshots.py --chats DIR

The built-in model is trained on a few rows until it thinks and calls; nothing is drawn by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
NAME = "thinks-and-calls"


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


def fill(studio: Studio, folder: Path) -> Path:
    """Train on the rows, prepare two datasets to mix; the file with the rows."""
    from studio.data import PrepareOptions
    from studio.runs.recipe import Recipe

    path = folder / f"{NAME}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    if any(run.name == NAME and run.state == "finished" for run in studio.runs.list()):
        return path
    studio.datasets.prepare(path, NAME, PrepareOptions(test_fraction=0, dedupe=False))
    studio.datasets.prepare("pocket-sft")
    recipe = Recipe.defaults(
        "sft",
        "full",
        model_name_or_path="pocket",
        dataset_name=NAME,
        chat_template_path="chatml",
        name=NAME,
        max_steps=60,
        learning_rate=4e-3,
        per_device_train_batch_size=2,
        max_length=512,
    )
    print(f"training {NAME} ...", flush=True)
    run = studio.wait(studio.train(recipe).id)
    assert run.state == "finished", run.error
    return path


def token_view(page: Page, path: Path) -> None:
    page.get_by_text("Path or Hub ID", exact=True).first.click()
    page.locator("#data-path input, #data-path textarea").first.fill(str(path))
    page.locator("#data-path input, #data-path textarea").first.press("Enter")
    page.locator("#row-card").get_by_text("assistant").first.wait_for()
    page.get_by_role("tab", name="Tokens").click()
    page.wait_for_timeout(6000)


def compare(page: Page, path: Path) -> None:
    page.get_by_role("tab", name="Compare", exact=True).first.click()
    tools = page.locator("#compare-tools textarea")
    tools.fill(json.dumps([TOOL]))
    tools.blur()
    page.locator("#chat-prompt textarea").fill(ASKED)
    page.locator("#chat-send").click()
    page.locator(".thought").first.wait_for(timeout=90_000)
    page.wait_for_timeout(4000)


def mixture(page: Page, path: Path) -> None:
    page.get_by_role("tab", name="Train", exact=True).first.click()
    page.get_by_role("button", name="Replay 10 %").first.click()
    page.get_by_label("Dataset 2", exact=True).first.select_option(index=1)
    page.wait_for_timeout(4000)


def make_data(page: Page, path: Path) -> None:
    page.get_by_text("Make data with models").first.click()
    page.locator("#make-begin").wait_for()
    page.locator("#make-begin").scroll_into_view_if_needed()
    page.wait_for_timeout(800)


PICTURES = {
    "token-view": token_view,
    "compare-thought": compare,
    "mixture-shares": mixture,
    "make-data": make_data,
}


def draw(browser: Browser, url: str, path: Path, folder: Path) -> None:
    """Every picture in both widths; one that cannot be drawn is said and the others go on."""
    folder.mkdir(parents=True, exist_ok=True)
    for size, width in (((1440, 900), "wide"), ((390, 844), "narrow")):
        for name, show in PICTURES.items():
            if width == "narrow" and name in ("compare-thought", "mixture-shares"):
                continue  # its tabs are in a menu there; the wide one shows the same parts
            context = browser.new_context(viewport={"width": size[0], "height": size[1]})
            context.set_default_timeout(30_000)
            page = context.new_page()
            page.goto(url)
            page.get_by_role("tab", name="Data").first.wait_for()
            try:
                show(page, path)
            finally:
                page.screenshot(path=folder / f"{name}-{width}.png")
                context.close()
            print(f"{name}-{width}.png", flush=True)
