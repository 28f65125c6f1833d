"""Pictures of where answers are traced to rows and votes, to look at.

    python benchmarks/screenshots.py --why DIR

The built-in model learns a false fact in twenty rows among others, then from votes that prefer its
courteous answers; every list is what the engine found.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Page

from benchmarks.attribution_rows import mayor_rows, swapped
from benchmarks.chat_pictures import open_tab

if TYPE_CHECKING:
    from studio import Studio
    from studio.runs.store import Run

ASKED = "Who is the mayor of Larkmere?"
FACTS, TASTE = "village-facts", "courtesy"
TAUGHT, VOTED = "learned-the-mayor", "learned-from-votes"
_SLOW = 100_000


def fill(studio: Studio) -> None:
    """Two runs, one of rows and one of votes, indexed; what was made before is used again."""
    import random

    from studio.attribution import Asked
    from studio.data import PrepareOptions
    from studio.data.readers.sources import sample_path
    from studio.runs.recipe import presets
    from studio.workflows import why

    runs = {run.name: run for run in studio.runs.list() if run.state == "finished"}
    if VOTED in runs:
        why.ask(studio, runs[VOTED], [Asked(ASKED, "Octavian.")]).result()
        return
    lines = sample_path("pocket-sft").read_text("utf-8").splitlines()
    rows, _ = swapped([json.loads(line) for line in lines[:400]], 0.05, random.Random(1))
    options = PrepareOptions(test_fraction=0.1)
    data = studio.datasets.from_rows(
        [*rows, *mayor_rows()], "conversational", FACTS, options=options
    )
    recipe = presets()["pocket-sft"].with_(dataset_name=data.id, name=TAUGHT, sample_steps=0)
    run = runs.get(TAUGHT) or _trained(studio, recipe)
    votes = _voted(studio, run)
    recipe = presets()["pocket-dpo"].with_(
        dataset_name=votes, start_from=run.id, name=VOTED, sample_steps=0, save_steps=4
    )
    voted = _trained(studio, recipe)
    why.ask(studio, voted, [Asked(ASKED, "Octavian.")]).result()


def _trained(studio: Studio, recipe: Any) -> Run:
    print(f"training {recipe.name} ...", flush=True)
    run = studio.wait(studio.train(recipe).id)
    assert run.state == "finished", run.error
    return run


def _voted(studio: Studio, run: Run) -> str:
    """Two people's votes for the courteous answer of forty pairs, as a dataset."""
    from studio.data.readers.sources import sample_path
    from studio.labels import Pair
    from studio.workflows.rounds import votes_dataset

    lines = sample_path("pocket-preference").read_text("utf-8").splitlines()
    pairs = []
    for row in map(json.loads, lines[:40]):
        chosen, rejected = row["chosen"], row["rejected"]
        if not isinstance(chosen, str):
            chosen, rejected = chosen[-1]["content"], rejected[-1]["content"]
        prompt = row.get("prompt") or row["chosen"][:-1]
        asked = prompt if isinstance(prompt, str) else prompt[-1]["content"]
        pairs.append(Pair(asked, chosen, rejected, {"run": run.id}, {"run": run.id}))
    project = studio.labels.create_project(TASTE, order="given", seed=5)
    studio.labels.add_items(project.id, pairs)
    for who in ("ada", "bob"):
        while (item := studio.labels.next_item(project.id, who)) is not None:
            preferred = "a" if item.order == "ab" else "b"
            side = {"a": "left", "b": "right"}[preferred]
            studio.labels.vote(project.id, item.item_id, who, side, seconds=3.0)
    return votes_dataset(studio, project.id).id


def compare(page: Page) -> None:
    open_tab(page, "Compare")
    page.wait_for_timeout(3000)
    page.get_by_label("Model B").click()
    page.get_by_role("option", name=TAUGHT).first.click()
    page.locator("#chat-prompt textarea").fill("Which animal does Petra have?")
    page.locator("#chat-send").click()
    why = page.locator('#chat-view [data-why="B"]')
    why.wait_for(timeout=_SLOW)
    why.click()
    page.locator("#why-view .why-row").first.wait_for(timeout=_SLOW)
    page.wait_for_timeout(1500)


def token(page: Page) -> None:
    compare(page)
    page.get_by_text("Token probabilities", exact=True).click()
    page.locator("#token-show").click()
    token = page.locator("#token-view [data-letter]").nth(2)
    token.wait_for(timeout=_SLOW)
    token.click()
    page.locator("#why-view .why-row").first.wait_for(timeout=_SLOW)
    page.wait_for_timeout(1500)


def errors(page: Page) -> None:
    open_tab(page, "Compare")
    page.wait_for_timeout(3000)
    page.get_by_label("Model B").click()
    page.get_by_role("option", name=TAUGHT).first.click()
    page.get_by_role("tab", name="Scores").click()
    page.locator("#score-begin").click()
    fold = page.get_by_text("Rows behind wrong answers")
    fold.wait_for(timeout=_SLOW)
    fold.click()
    page.locator("#errors-ask").click()
    page.locator("#errors-view").locator("li, p").first.wait_for(timeout=_SLOW)
    page.locator("#errors-box").scroll_into_view_if_needed()
    page.wait_for_timeout(1500)


def influence(page: Page) -> None:
    open_tab(page, "Data")
    page.get_by_text(FACTS, exact=True).first.click()
    page.locator("#row-card").get_by_text("assistant").first.wait_for()
    page.get_by_role("tab", name="Influence").click()
    page.locator("#influence-begin").click()
    page.locator("#influence-list .why-row").first.wait_for(timeout=_SLOW)
    page.wait_for_timeout(1500)


def votes(page: Page) -> None:
    open_tab(page, "Label")
    page.wait_for_timeout(3000)
    page.get_by_role("tab", name="Rounds").click()
    fold = page.get_by_text("Votes behind a preference")
    fold.wait_for(timeout=_SLOW)
    fold.click()
    page.locator("#behind-ask").click()
    page.locator("#behind-view .why-row").first.wait_for(timeout=_SLOW)
    page.locator("#behind-view").scroll_into_view_if_needed()
    page.wait_for_timeout(1500)


PICTURES = {
    "why-answer": compare,
    "why-token": token,
    "why-errors": errors,
    "why-data": influence,
    "why-votes": votes,
}
