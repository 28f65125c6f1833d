"""`kill -9` of the app in the middle of a run and of labeling: nothing acknowledged is lost."""

from __future__ import annotations

import contextlib
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from gradio_client import Client
from playwright.sync_api import Error, Page, expect

from studio import Recipe, Studio
from studio.labels import Pair
from studio.runs import checkpoints
from tests.browser.walking import SLOW, choose, sit_down
from tests.serving import Server


def test_killed_app_loses_nothing(
    start_server: Callable[..., Server], new_page: Callable[..., Page], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    engine = Studio(home)
    project = engine.labels.create_project("killed", order="given", seed=1)
    sides = {"label": "base"}, {"label": "tuned"}
    items = [Pair(f"question {n}", f"one {n}", f"two {n}", *sides) for n in range(8)]
    engine.labels.add_items(project.id, items)

    server = start_server(home)
    recipe = Recipe.defaults(
        "sft",
        name="long",
        dataset_name="pocket-sft",
        max_steps=400,
        save_steps=3,
        per_device_train_batch_size=2,
        max_length=64,
        lora_r=4,
        sample_steps=0,
    )
    Client(server.url, verbose=False).predict(recipe.to_yaml(), api_name="/train")
    run = engine.runs.list()[0]
    wait_for(engine, run.id, lambda event: event["kind"] == "checkpoint" and event["step"] >= 6)

    page = new_page(1440, 900)
    page.goto(server.url)
    expect(page.locator("#strip")).to_contain_text("long", timeout=SLOW)
    page.get_by_role("tab", name="Label", exact=True).first.click()
    choose(page, "killed")
    sit_down(page, "ada")
    count = page.locator(".lab-count")
    expect(count).to_contain_text("0 of 8", timeout=SLOW)
    page.locator(".lab-prompt").click()
    for voted in range(1, 5):
        page.keyboard.press("1")
        expect(count).to_contain_text(f"{voted} of 8")
        expect(page.locator('.lab-saved[data-kind="safe"]')).to_be_visible()

    server.kill()
    assert engine.runs.get(run.id).state == "interrupted"
    votes = [len(judged.votes) for judged in engine.labels.labelled_pairs(project.id)]
    assert sum(votes) == 4, "four votes were acknowledged"

    again = start_server(home)
    page = new_page(1440, 900)
    page.goto(again.url)
    page.get_by_role("tab", name="Train", exact=True).first.click()
    expect(page.locator("#run-head")).to_contain_text("interrupted", timeout=SLOW)
    page.locator("#run-resume").click()
    expect(page.locator("#run-head")).not_to_contain_text("interrupted", timeout=SLOW)
    resumed = wait_for(engine, run.id, lambda event: event["kind"] == "resume")
    assert resumed["step"] >= 3
    # A refresh and a second browser find the run where it is.
    for found in (page, new_page(390, 844)):
        found.goto(again.url)
        found.get_by_role("tab", name="Train", exact=True).first.click()
        expect(found.locator("#run-head")).to_contain_text("running", timeout=SLOW)
    steer(page, engine, run.id)


def steer(page: Page, engine: Studio, run_id: str) -> None:
    """Stopped with everything saved, taken along as TRL's YAML, taken up again, stopped at once."""
    head = page.locator("#run-head")
    page.locator("#run-stop").click()
    expect(head).to_contain_text("stopped", timeout=SLOW)
    stopped = engine.runs.get(run_id)
    newest = checkpoints.newest(stopped.checkpoints)
    assert newest is not None and checkpoints.step_of(newest) == stopped.step
    with page.expect_download(timeout=SLOW) as download:
        page.locator("#run-export-trl").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        assert {"recipe.yaml", "data/train.jsonl"} <= set(archive.namelist())
    page.locator("#run-resume").click()
    expect(head).to_contain_text("running", timeout=SLOW)
    page.locator("#run-stop").click()
    with contextlib.suppress(Error):  # offered while the step is still being saved
        page.locator("#run-halt").click(timeout=2_000)
    expect(head).to_contain_text("stopped", timeout=SLOW)


def wait_for(engine: Studio, run_id: str, wanted: Callable[[dict], bool]) -> dict:
    """The first event of a run that is wanted."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        run = engine.runs.get(run_id)
        for event in run.events()[0]:
            if wanted(event):
                return event
        assert run.state in ("queued", "running"), run.error
        time.sleep(0.1)
    raise AssertionError("the run never wrote the event that was waited for")
