"""Four pairs judged by keyboard in Chromium; what was pressed is what is in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import gradio as gr
import pytest
from playwright.sync_api import Page, expect

from components import label_tab, theme
from components.common import Session, Shell
from studio.preference import Item, Project
from studio.studio import Studio

HOSTILE = "<img src=x onerror=\"document.title='owned'\"> **bold** {{value}} ${1 + 1}"


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "home")


@pytest.fixture
def project(studio: Studio) -> Project:
    made = studio.labels.create_project("keys", order="given", seed=5)
    base, tuned = {"label": "base"}, {"label": "tuned", "run": "run-1"}
    items = [Item(f"question {n}", f"good {n}", f"{HOSTILE} {n}", base, tuned) for n in range(4)]
    studio.labels.add_items(made.id, items)
    return made


@pytest.fixture
def url(studio: Studio, project: Project) -> Iterator[str]:
    with gr.Blocks() as app:
        timer, session = gr.Timer(1.0), gr.State(Session())
        with gr.Tabs(selected="label") as tabs:
            shell = Shell(studio, tabs, timer, session)
            with gr.Tab("Other", id="other"):
                gr.Textbox(label="elsewhere")
            with gr.Tab("Label", id="label"):
                label_tab.build(studio, shell)
    _, local, _ = app.launch(
        prevent_thread_lock=True,
        quiet=True,
        ssr_mode=False,
        css_paths=theme.stylesheets(),
        head=theme.scripts(),
    )
    yield local
    app.close()


def progress(page: Page, text: str) -> None:
    expect(page.locator(".lab-count")).to_contain_text(text)
    expect(page.locator('.lab-saved[data-kind="safe"]')).to_be_visible()


def test_four_pairs_by_keyboard(
    url: str, studio: Studio, project: Project, new_page: Callable[..., Page]
) -> None:
    page = new_page()
    page.goto(url)
    asked = page.locator(".lab-prompt")
    expect(asked).to_contain_text("question 0")
    expect(page.locator('[data-side="left"] b, [data-side="right"] b')).to_have_text("bold")
    assert page.locator(".lab img").count() == 0 and page.title() != "owned"
    assert "tuned" not in page.locator(".lab").inner_text()

    page.get_by_label("Your name").click()
    page.keyboard.press("1")
    page.get_by_label("Your name").fill("ada")
    page.keyboard.press("Enter")
    expect(page.locator(".lab-count")).to_have_text("0 of 4")
    asked.click()
    page.keyboard.press("Shift+Digit1")
    progress(page, "1 of 4")
    expect(asked).to_contain_text("question 1")
    page.keyboard.press("0")
    progress(page, "2 of 4")
    page.keyboard.press("u")
    progress(page, "1 of 4")
    page.keyboard.press("n")
    page.keyboard.type("b s 0")
    page.keyboard.press("Enter")
    page.keyboard.press("b")
    progress(page, "2 of 4")

    page.get_by_role("tab", name="Other").click()
    page.keyboard.press("2")
    page.get_by_role("tab", name="Label").click()
    expect(page.locator(".lab-count")).to_contain_text("2 of 4")
    page.reload()
    expect(asked).to_contain_text("question 2")
    page.keyboard.press("e")
    page.get_by_label("edited answer").fill("better by hand")
    page.keyboard.press("Control+Enter")
    progress(page, "3 of 4")
    page.keyboard.press("2")
    expect(page.locator(".lab-reveal")).to_contain_text("All 4 judged")
    expect(page.locator("#label-train")).to_have_text(
        "Make a dataset and train DPO on these 3 pairs \N{RIGHTWARDS ARROW}"
    )

    votes = {vote.item_id: vote for vote in studio.labels.history(project.id, "ada")}
    first, second, third, last = (votes[item] for item in sorted(votes))
    assert (first.choice, first.strength) == ("a" if first.order == "ab" else "b", 4)
    assert (second.choice, second.note, second.version) == ("both_bad", "b s 0", 3)
    assert (third.edited, third.strength) == ("better by hand", 2)
    assert last.choice == ("b" if last.order == "ab" else "a")
    assert all(vote.seconds > 0 for vote in votes.values())
    assert studio.labels.progress(project.id, "me").done == 0
