"""The Data tab by keyboard and mouse: rows, tokens, problems, the same again after a refresh."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from studio.data import inspect
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
    expect(page.locator("#row-card .row-problems")).to_contain_text("empty field", timeout=SLOW)
    expect(place).to_have_value("5", timeout=SLOW)

    page.reload()
    expect(page.locator("#row-card .row-problems")).to_contain_text("empty field", timeout=SLOW)
    expect(page.locator(".toast-body.error")).to_have_count(0)


def test_a_file_that_cannot_be_read_puts_the_one_before_away(
    server: Server, new_page: Callable[..., Page], tmp_path: Path
) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    rows = [{"instruction": f"Say {at}.", "output": "Yes."} for at in range(9)]
    good.write_text(json.dumps(rows))
    bad.write_text('[{"instruction": "Say')
    page = new_page(1440, 900)
    page.goto(server.url)
    upload = page.locator("#data-files input[type=file]")
    upload.set_input_files(good)
    expect(page.locator("#data-prepare")).to_contain_text("Prepare 9 rows", timeout=SLOW)
    page.locator("#data-files").get_by_label("Clear").first.click()
    expect(page.locator("#data-headline")).to_contain_text("No source yet", timeout=SLOW)
    expect(page.locator("#data-prepare")).to_be_disabled()
    upload.set_input_files(good)
    expect(page.locator("#data-prepare")).to_contain_text("Prepare 9 rows", timeout=SLOW)
    page.locator("#data-files").get_by_label("Clear").first.click()
    upload.set_input_files(bad)
    expect(page.locator("#data-done")).to_contain_text("bad.json could not be read", timeout=SLOW)
    expect(page.locator("#data-prepare")).to_be_disabled()
    expect(page.locator("#row-card")).not_to_contain_text("Say")


def test_several_files_are_checked_prepared_and_taken_away(
    server: Server, new_page: Callable[..., Page], tmp_path: Path
) -> None:
    """Every button of a prepared dataset but the Hub's, and the problems that tokens tell."""
    for name, long in (("one", 4), ("two", 300)):
        rows = [
            {
                "instruction": f"Say {name} {at}.",
                "output": f"{name} {at} " * (long if at == 3 else 4),
            }
            for at in range(40)
        ]
        lines = [json.dumps(row) for row in rows]
        lines[7] = '{"instruction": "half a row'
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    page = new_page(1440, 900)
    page.goto(server.url)
    upload = page.locator("#data-files input[type=file]")
    upload.set_input_files(tmp_path / "one.jsonl")
    expect(page.locator("#row-count")).to_contain_text("of 39 rows", timeout=SLOW)
    upload.set_input_files(tmp_path / "two.jsonl")  # beside the first
    expect(page.locator("#row-count")).to_contain_text("of 78 rows", timeout=SLOW)

    page.get_by_role("tab", name=re.compile("^Problems")).click()
    page.locator("#check-tokens").click()
    expect(page.locator("#tokens-checked")).to_contain_text("1 over length", timeout=SLOW)
    page.locator("#problem-list tr[data-open]", has_text="malformed").first.click()
    expect(page.locator("#row-card .raw")).to_contain_text("half a row", timeout=SLOW)
    page.get_by_label("Show rows").click()
    page.get_by_role("option", name="Over length (1)").click()
    expect(page.locator("#row-card .row-problems")).to_contain_text("are truncated", timeout=SLOW)
    expect(page.locator("#row-card .card-head")).to_contain_text("row 4 of two.jsonl")

    page.locator("#data-prepare").click()
    expect(page.locator("#data-done")).to_contain_text("74 training, 4 held-out", timeout=SLOW)
    page.get_by_text("Held-out", exact=True).click()
    expect(page.locator("#row-count")).to_contain_text("of 4 rows", timeout=SLOW)
    for button, suffix in (("JSONL", ".jsonl"), ("Parquet", ".parquet")):
        with page.expect_download(timeout=SLOW) as waiting:
            page.get_by_role("button", name=button, exact=True).click()
        saved = tmp_path / waiting.value.suggested_filename
        assert saved.name.endswith(f"test{suffix}")
        waiting.value.save_as(saved)
        assert inspect(saved).kept == 4


def test_rows_that_read_two_ways_are_asked_about(
    server: Server, new_page: Callable[..., Page], tmp_path: Path
) -> None:
    pair = {"prompt": "Which mill?", "response_a": "The old one.", "response_b": "The new one."}
    source = tmp_path / "codes.jsonl"
    source.write_text("".join(json.dumps({**pair, "winner": n}) + "\n" for n in (0, 1, 2)))
    page = new_page(1440, 900)
    page.goto(server.url)
    page.locator("#data-files input[type=file]").set_input_files(source)
    expect(page.locator(".readings .row-card")).to_have_count(2, timeout=SLOW)
    expect(page.locator("#data-prepare")).to_be_disabled()
    page.locator("#data-reading label").filter(has_text="2 a tie").click()
    expect(page.locator(".readings")).to_have_count(0, timeout=SLOW)
    expect(page.locator("#data-prepare")).to_be_enabled(timeout=SLOW)
    expect(page.locator("#row-card")).to_contain_text("The old one.")
