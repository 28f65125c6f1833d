"""The Data tab by keyboard and mouse: rows, tokens, problems, the same again after a refresh."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.serving import Server

SLOW = 60_000  # ms; the token view waits for the training libraries


def test_rows_tokens_and_problems(
    server: Server, new_page: Callable[..., Page], tmp_path: Path
) -> None:
    rows = [
        {"prompt": f"Where is mill {at}?", "chosen": f"Mill {at} is here.", "rejected": "Mill? No."}
        for at in range(30)
    ]
    rows[4]["chosen"] = ""
    source = tmp_path / "mills.json"
    source.write_text(json.dumps(rows))
    page = new_page(1440, 900)
    page.goto(server.url)
    page.locator("#data-files input[type=file]").set_input_files(source)
    expect(page.locator("#row-count")).to_contain_text("of 29 rows", timeout=SLOW)

    place = page.locator("#row-position input")
    page.keyboard.press("j")
    expect(place).to_have_value("2", timeout=SLOW)
    expect(page.locator("#row-card mark").first).to_be_visible()
    page.keyboard.press("k")
    expect(place).to_have_value("1", timeout=SLOW)
    page.keyboard.press("/")
    page.keyboard.type("mill 17")
    page.keyboard.press("Enter")
    expect(page.locator("#row-count")).to_contain_text("of 1 found", timeout=SLOW)
    expect(page.locator("#row-card .hit").first).to_have_text(
        re.compile("mill 17", re.I), timeout=SLOW
    )

    page.get_by_role("tab", name="Tokens").click()
    expect(page.locator(".token-text")).to_have_count(2, timeout=SLOW)
    expect(page.locator(".token-text .tok-lit").first).to_be_visible()

    page.get_by_role("tab", name="Problems 1").click()
    page.locator("#problem-list tr[data-open]").click()
    expect(page.locator("#row-card .told")).to_contain_text("empty field", timeout=SLOW)
    expect(place).to_have_value("5", timeout=SLOW)

    page.reload()
    expect(page.locator("#row-card .told")).to_contain_text("empty field", timeout=SLOW)
    expect(page.locator(".toast-body.error")).to_have_count(0)
