"""The Models tab: find, star, delete and bring back, and lead on to Compare."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from studio.engine.studio import Studio
from tests.app.made_runs import ended, exported
from tests.hub import pointing
from tests.serving import Server

SLOW = 60_000  # ms


def test_find_star_delete_undo_and_go_on(
    start_server: Callable[..., Server], new_page: Callable[..., Page], tmp_path: Path, hub: Any
) -> None:
    home = tmp_path / "home"
    studio = Studio(home)
    first = ended(studio, name="first")
    second = ended(studio, name="second <b>", start_from=first.id)
    exported(studio, second)
    studio.datasets.from_rows([{"text": "One line."}], "language_modeling", "lines")
    page = new_page(1440, 900)
    handler, endpoint = hub
    page.goto(start_server(home, HF_HOME=str(tmp_path / "hub"), **pointing(endpoint)).url)
    page.get_by_role("tab", name="Models").click(timeout=SLOW)
    cards = page.locator(".card-model:visible")
    expect(cards).to_have_count(4, timeout=SLOW)

    # What is unfolded, with what was typed into it, outlives the cards being dealt anew.
    shared = page.locator(".card-model[data-kind=export]")
    shared.get_by_role("button", name="Tags and note").click()
    shared.get_by_label("Note").fill("half a sen")
    for stars in ("1", "0"):
        page.locator(".card-model[data-kind=base] [data-act=star]").first.click()
        expect(page.locator("[data-show=star] b")).to_have_text(stars, timeout=SLOW)
    expect(shared.get_by_label("Note")).to_have_value("half a sen")
    shared.get_by_role("button", name="Save", exact=True).click()
    expect(shared.locator(".card-mark")).to_contain_text("half a sen", timeout=SLOW)
    expect(shared.get_by_label("Note")).to_be_hidden()

    # Exactly the files, then the push, private, with what the Hub said of it.
    shared.get_by_role("button", name="Push to the Hub").click()
    files = ["export.json", "model-q8_0.gguf"]
    expect(shared.locator(".files code")).to_have_text(files, timeout=SLOW)
    shared.get_by_label("Repository").fill("me/mine")
    handler.wrong.append(401)
    shared.get_by_role("button", name="Push these files").click()
    expect(page.locator(".job-wrong")).to_contain_text("The Hub refused to write", timeout=SLOW)
    shared.get_by_role("button", name="Push to the Hub").click()
    shared.get_by_label("Repository").fill("me/mine")
    shared.get_by_role("button", name="Push these files").click()
    expect(page.locator(".job-done")).to_contain_text("private, at", timeout=SLOW)
    assert sorted(handler.files) == files
    page.get_by_role("button", name="Download from the Hub").click()
    page.get_by_label("Model", exact=True).fill("me/mine")
    page.get_by_role("button", name="Download", exact=True).click()
    expect(page.locator(".job-done").first).to_contain_text("1" * 40, timeout=SLOW)

    # A prepared dataset the same way, from the Data tab.
    page.get_by_role("tab", name="Data", exact=True).click()
    page.get_by_role("tab", name="Your datasets").click()
    page.locator("#prepared-list [data-open]").click()
    page.get_by_role("button", name="Push to the Hub").click()
    going = ["README.md", "data/train.parquet"]
    expect(page.locator(".going .files code")).to_have_text(going, timeout=SLOW)
    page.get_by_label("Hub repository").fill("me/lines")
    page.get_by_role("button", name="Push", exact=True).click()
    expect(page.locator(".going.block")).to_contain_text("as a private dataset", timeout=SLOW)
    assert sorted(handler.files) == sorted([*going, *files])
    page.get_by_role("tab", name="Models").click()

    # Starring moves no card under the pointer; opening the tab anew sorts the starred ones first.
    expect(cards).to_have_count(4)
    before = cards.evaluate_all("cards => cards.map(card => card.dataset.id)")
    cards.last.locator("[data-act=star]").click()
    expect(page.locator("[data-show=star] b")).to_have_text("1", timeout=SLOW)
    assert cards.evaluate_all("cards => cards.map(card => card.dataset.id)") == before
    page.get_by_role("tab", name="Train", exact=True).click()
    page.get_by_role("tab", name="Models").click()
    expect(cards.first).to_have_attribute("data-id", before[-1])
    cards.first.locator("[data-act=star]").click()

    page.locator("[data-show=run]").click()
    page.get_by_label("Search models").fill("second")
    expect(cards).to_have_count(1)
    expect(cards.locator("h3")).to_have_text("second <b>")
    cards.get_by_label("Star second").click()
    expect(page.locator("[data-show=star] b")).to_have_text("1", timeout=SLOW)

    cards.get_by_role("button", name="Delete", exact=True).click()
    cards.get_by_role("button", name="Delete now").click()
    expect(cards).to_have_count(0, timeout=SLOW)
    page.get_by_role("button", name="Undo").click()
    expect(cards).to_have_count(1, timeout=SLOW)
    assert studio.runs.get(second.id).parent == first.id

    cards.get_by_role("button", name="Compare").click()
    tab = page.get_by_role("tab", name="Compare")
    expect(tab).to_have_class(re.compile("selected"), timeout=SLOW)
