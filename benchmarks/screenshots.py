"""The README's pictures, drawn from the real app: train, answer, label, then photograph each tab.

python benchmarks/screenshots.py              docs/images/*.png, small
python benchmarks/screenshots.py --all DIR    every tab, empty and full, wide and narrow, light and
                                              dark, to look at
python benchmarks/screenshots.py --chats DIR  thinking, tools, a mixture and data making, to look at
python benchmarks/screenshots.py --compare DIR  Search and Context; trains for some minutes
python benchmarks/screenshots.py --why DIR    answers, errors, rows and votes traced, to look at
python benchmarks/screenshots.py --home DIR   keep the workspace, and use it again the next time
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402

from benchmarks import chat_pictures, compare_pictures, why_pictures  # noqa: E402
from studio.data.readers.sources import sample_path  # noqa: E402
from tests import chromium  # noqa: E402
from tests.serving import Server  # noqa: E402

if TYPE_CHECKING:
    from studio import Studio

IMAGES = ROOT / "docs" / "images"
WIDE, NARROW = (1280, 860), (400, 860)
COLOURS = 256  # enough for flat colours and type; a third of the bytes
TABS = ("Data", "Calculator", "Train", "Compare", "Label", "Models")


def fill(home: Path) -> None:
    """A workspace where everything happened once: data, a run, an export, pairs, a few votes."""
    from studio import Studio
    from studio.core.workspace import new_id
    from studio.exports import ExportRequest
    from studio.generation.request import Column, GenerationRequest, Sampling
    from studio.labels import pairs_from_texts
    from studio.runs.recipe import presets

    studio = Studio(home)
    if any(run.state == "finished" for run in studio.runs.list()):
        studio.close()
        return
    print("training pocket-sft ...", flush=True)
    run = studio.wait(studio.train(presets()["pocket-sft"]).id)
    studio.export(ExportRequest(run.id, "gguf", studio.workspace.exports / new_id("export"))).wait()
    studio.collection.mark(run.id, star=True, tags=["workshop"], note="Answers in whole sentences.")
    studio.datasets.prepare("pocket-preference")
    rows = studio.datasets.prepare("pocket-prompts").head(10)
    prompts = [row["prompt"] for row in rows]
    columns = (Column(run.model, label="base"), Column(run.model, run.id, label=run.name))
    sampling = Sampling(temperature=0.7, top_p=0.9, max_new_tokens=60, seed=3)
    generation = studio.generate(GenerationRequest(tuple(prompts), columns, sampling))
    generation.wait()
    base, tuned = ([cell.text for cell in column] for column in generation.snapshot().answers)
    sources = ({"label": "base", "model": run.model}, {"label": run.name, "run": run.id})
    items, _ = pairs_from_texts(prompts, base, tuned, *sources)  # pyright: ignore[reportCallIssue]
    project = studio.labels.create_project("base and pocket-sft", order="given", seed=5)
    studio.labels.add_items(project.id, items)
    for _ in range(3):
        shown = studio.labels.next_item(project.id, "ada")
        assert shown is not None
        studio.labels.vote(project.id, shown.item_id, "ada", "b", strength=3, seconds=4.0)
    studio.close()


# --- each tab, full


def question() -> str:
    """The first of the shipped prompts."""
    with sample_path("pocket-prompts").open(encoding="utf-8") as lines:
        return json.loads(next(lines))["prompt"]


def show_data(page: Page) -> None:
    page.get_by_text("Samples", exact=True).first.click()
    page.locator("#data-sample input").click()
    page.get_by_role("option").first.click()
    page.locator("#row-card").get_by_text("assistant").first.wait_for()
    page.get_by_role("tab", name="Tokens").click()
    page.wait_for_timeout(6000)  # the first tokens wait for the tokenizer


def show_calculator(page: Page) -> None:
    page.locator("#calc-example").click()
    page.get_by_text("1.53 M").first.wait_for()
    page.wait_for_timeout(1000)


def show_train(page: Page) -> None:
    page.locator("#run-panel canvas").first.wait_for()
    page.wait_for_timeout(1500)


def show_compare(page: Page) -> None:
    page.locator("#chat-prompt textarea").fill(question())
    page.locator("#chat-send").click()
    page.locator("#chat-vote button").first.wait_for(timeout=90_000)
    page.wait_for_timeout(800)


def show_label(page: Page) -> None:
    page.locator("#label-panel .lab").first.wait_for()
    name = page.get_by_label("Name to label under")
    if name.is_visible():
        name.fill("ada")
        name.press("Enter")
    page.wait_for_timeout(2000)


def show_models(page: Page) -> None:
    page.locator(".card-model[data-kind=export]").get_by_text("Files and card").click()
    page.locator(".readme h1").wait_for()
    page.wait_for_timeout(1000)  # it moves into view
    page.evaluate("scrollTo(0, 0)")


SHOW: dict[str, Callable[[Page], None]] = {
    "Data": show_data,
    "Calculator": show_calculator,
    "Train": show_train,
    "Compare": show_compare,
    "Label": show_label,
    "Models": show_models,
}


# --- photographing


@contextmanager
def opened(browser: Browser, server: Server, size: tuple[int, int], dark: bool) -> Iterator[Page]:
    """A new visitor's page, after its first paint."""
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.set_default_timeout(40_000)
    page = context.new_page()
    page.goto(f"{server.url}?__theme={'dark' if dark else 'light'}")
    page.get_by_role("tab", name="Data").first.wait_for()
    yield page
    context.close()


def photograph(page: Page, tab: str, path: Path, full: bool) -> None:
    """Open a tab, put something on it, and save a small picture."""
    if tab != "Data":
        chosen = page.get_by_role("tab", name=tab, exact=True)
        if not chosen.first.is_visible():  # a narrow page keeps some tabs in a menu
            page.locator(".overflow-menu > button").first.click()
            page.locator(".overflow-dropdown").get_by_text(tab, exact=True).click()
        else:
            chosen.first.click()
    if full:
        SHOW[tab](page)
    page.wait_for_timeout(800)
    path.parent.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=path)
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB", flush=True)


def readme_pictures(browser: Browser, server: Server) -> None:
    """One wide, light picture a tab."""
    for tab in TABS:
        with opened(browser, server, WIDE, dark=False) as page:
            photograph(page, tab, IMAGES / f"{tab.lower()}.png", full=True)


def all_pictures(browser: Browser, server: Server, folder: Path, full: bool) -> None:
    """Each tab in each size and theme."""
    state = "full" if full else "empty"
    for size, name in ((WIDE, "wide"), (NARROW, "narrow")):
        for dark in (False, True):
            for tab in TABS:
                with opened(browser, server, size, dark) as page:
                    theme = "dark" if dark else "light"
                    path = folder / f"{tab.lower()}-{state}-{name}-{theme}.png"
                    photograph(page, tab, path, full)


def _filled(home: Path, what: Callable[[Studio], None]) -> None:
    """A workspace with what some pictures show."""
    from studio import Studio

    home.mkdir(parents=True, exist_ok=True)
    studio = Studio(home)
    try:
        what(studio)
    finally:
        studio.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--all", type=Path, metavar="DIR", help="every tab in every state")
    parser.add_argument("--chats", type=Path, metavar="DIR", help="chats that think and call")
    parser.add_argument("--compare", type=Path, metavar="DIR", help="Search and Context")
    parser.add_argument("--why", type=Path, metavar="DIR", help="answers traced to rows and votes")
    parser.add_argument("--home", type=Path, metavar="DIR", help="a workspace to keep and reuse")
    chosen = parser.parse_args()
    executable = chromium.find()
    if executable is None:
        sys.stderr.write(chromium.ADVICE + "\n")
        return 1
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="studio-pictures-") as scratch:
        home = chosen.home or Path(scratch) / "full"
        if chosen.chats:
            _filled(home, partial(chat_pictures.fill, folder=home))
        elif chosen.compare:
            _filled(home, compare_pictures.fill)
        elif chosen.why:
            _filled(home, why_pictures.fill)
        else:
            fill(home)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=executable, args=list(chromium.FLAGS)
            )
            server = Server(home).start()
            try:
                if chosen.chats:
                    chat_pictures.draw(browser, server.url, chosen.chats)
                elif chosen.compare:
                    compare_pictures.draw(browser, server.url, chosen.compare)
                elif chosen.why:
                    chat_pictures.draw(
                        browser, server.url, chosen.why, why_pictures.PICTURES, seconds=60
                    )
                elif chosen.all:
                    all_pictures(browser, server, chosen.all, full=True)
                    empty = Server(Path(scratch) / "empty").start()
                    try:
                        all_pictures(browser, empty, chosen.all, full=False)
                    finally:
                        empty.stop()
                else:
                    readme_pictures(browser, server)
            finally:
                server.stop()
                browser.close()
    print(f"done in {time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
