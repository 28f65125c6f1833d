"""Pictures of Compare's Search and Context: rankings of a base and a run, and a longer context.

    python benchmarks/screenshots.py --compare DIR

The shipped embedding recipe and the runs of `benchmarks.far_facts` are trained first, where the
workspace has none.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Browser, Page

from benchmarks import far_facts
from benchmarks.chat_pictures import open_tab, save

if TYPE_CHECKING:
    from studio import Studio

ASKED = "What does Petra keep?"
EMBEDS, READS = "pocket-embedding", "reads-further"


def fill(studio: Studio) -> None:
    """An encoder, and a run under a scaled RoPE with what it is measured on."""
    from studio.runs.recipe import presets

    done = {run.name for run in studio.runs.list() if run.state == "finished"}
    if EMBEDS not in done:
        print(f"training {EMBEDS} ...", flush=True)
        run = studio.wait(studio.train(presets()[EMBEDS]).id)
        assert run.state == "finished", run.error
    experiment = far_facts.Experiment(studio, trials=1)
    experiment.second(experiment.first())
    experiment.sets()


def _choose(page: Page, element: str, text: str) -> None:
    """Take the option of a list whose label begins so."""
    page.locator(f"#{element} input").click()
    page.get_by_role("option").filter(has_text=text).first.click()


def _sub_tab(page: Page, tab: str) -> None:
    open_tab(page, "Compare")
    page.wait_for_timeout(2000)
    open_tab(page, tab)


def search(page: Page) -> None:
    _sub_tab(page, "Search")
    page.locator("#search-query textarea, #search-query input").first.fill(ASKED)
    page.locator("#search-map input").check()
    page.locator("#search-begin").click()
    page.locator(".search-columns").wait_for()
    page.wait_for_timeout(2500)
    page.locator("#search-begin").scroll_into_view_if_needed()


def held_out(page: Page) -> None:
    _sub_tab(page, "Search")
    page.get_by_label("Held-out queries").check()
    page.locator("#search-begin").click()
    page.locator("#search-result table").first.wait_for()
    page.wait_for_timeout(1500)


def context(page: Page) -> None:
    _sub_tab(page, "Context")
    _choose(page, "context-run", READS)
    _choose(page, "context-data", "prose")
    _choose(page, "context-facts", "guests-held-out")
    page.locator("#context-trials input").fill("2")
    page.locator("#context-begin").click()
    page.locator("#context-losses .main-svg").first.wait_for()
    page.wait_for_timeout(2500)


PICTURES = {
    "embeddings/search": search,
    "embeddings/heldout": held_out,
    "longer-contexts/context": context,
}
_MINUTES = 8
SIZES = (((1440, 900), ""), ((390, 844), "-narrow"))


def draw(browser: Browser, url: str, folder: Path) -> None:
    """Every picture in both widths, the whole page; narrow ones are to look at."""
    for size, width in SIZES:
        for name, show in PICTURES.items():
            page = browser.new_page(viewport={"width": size[0], "height": size[1]})
            page.set_default_timeout(_MINUTES * 60_000)
            page.goto(url)
            page.get_by_role("tab", name="Data").first.wait_for()
            try:
                show(page)
            finally:
                path = folder / f"{name}{width}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                page.evaluate("scrollTo(0, 0)")
                tall = page.evaluate("document.documentElement.scrollHeight")
                page.set_viewport_size({"width": size[0], "height": min(tall, 2400)})
                page.wait_for_timeout(800)
                save(page, path)
                page.close()
            print(path.relative_to(folder), flush=True)
