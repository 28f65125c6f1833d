"""Judged by keyboard in Chromium, alone and by two at once; what was pressed is in the database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from components.label import tab as label_tab
from components.ui import theme
from components.ui.page_context import PageContext, Session
from components.ui.visitor_quota import Visits
from studio.engine.studio import Studio
from studio.labels import Pair, Project
from tests.browser.walking import say_name
from tests.serving import free_port

PATIENCE = 60_000  # ms
HOSTILE = "<img src=x onerror=\"document.title='owned'\"> **bold** {{value}} ${1 + 1}"

# What somebody might post who knows how the panel asks: another's name, the owner's question.
RESULTS_BY_HAND = """async project => {
  const config = await (await fetch('config')).json();
  const panel = config.components.find(part => part.props.elem_id === 'label-panel');
  const answer = await fetch('gradio_api/component_server', {method: 'POST',
    headers: {'Content-Type': 'application/json'}, body: JSON.stringify({session_hash: 'by-hand',
      component_id: panel.id, fn_name: 'label_results', data: {project, annotator: 'ada'}})});
  return await answer.text();
}"""


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "home")


@pytest.fixture
def project(studio: Studio) -> Project:
    made = studio.labels.create_project("keys", order="given", seed=5)
    base, tuned = {"label": "base"}, {"label": "tuned", "run": "run-1"}
    items = [Pair(f"question {n}", f"good {n}", f"{HOSTILE} {n}", base, tuned) for n in range(4)]
    studio.labels.add_items(made.id, items)
    return made


@pytest.fixture
def serve(studio: Studio) -> Iterator[Callable[..., str]]:
    """Serves the tab beside another one; gives the address."""
    started = []

    def start(**options: Any) -> str:
        with gr.Blocks() as app:
            status, session = gr.HTML(), gr.State(Session())
            with gr.Tabs(selected="label") as tabs:
                ctx = PageContext(studio, tabs, status, session, Visits(studio))
                with gr.Tab("Other", id="other"):
                    gr.Textbox(label="elsewhere")
                with gr.Tab("Label", id="label"):
                    label_tab.build(studio, ctx)
        _, local, _ = app.launch(
            prevent_thread_lock=True,
            quiet=True,
            server_port=free_port(),
            ssr_mode=False,
            css_paths=theme.stylesheets(),
            head=theme.scripts(),
            **options,
        )
        started.append(app)
        return local

    yield start
    for app in started:
        app.close()


@pytest.fixture
def url(serve: Callable[..., str], project: Project) -> str:
    return serve()


def progress(page: Page, text: str) -> None:
    expect(page.locator(".lab-count")).to_contain_text(text)
    expect(page.locator('.lab-saved[data-kind="safe"]')).to_be_visible()


def sit_down(page: Page, name: str) -> Locator:
    """Say who labels, as the page asks first; the pair's prompt."""
    named, asked = page.get_by_label("Name to label under"), page.locator(".lab-prompt")
    expect(named).to_be_visible()  # nobody labels under a name that is everybody's
    say_name(page, named, name)
    expect(asked).to_contain_text("question 0")
    return asked


def arrived(page: Page, requests: list[Any]) -> None:
    """Wait until the page has asked what the test holds back."""
    for _ in range(PATIENCE // 10):
        if requests:
            return
        page.wait_for_timeout(10)
    raise AssertionError("the page never asked")


def test_a_name_that_is_being_typed_stays_when_the_card_is_drawn_anew(
    url: str, new_page: Callable[..., Page]
) -> None:
    page = new_page()
    page.goto(url)
    page.get_by_role("tab", name="Label", exact=True).click()
    named = page.get_by_label("Name to label under")
    expect(named).to_be_visible()
    named.press_sequentially("ad")
    named.evaluate("node => { node.marked = true; }")
    page.get_by_role("tab", name="Other", exact=True).click()
    page.get_by_role("tab", name="Label", exact=True).click()
    page.wait_for_function("() => !document.querySelector('.lab-who-row input')?.marked")
    expect(named).to_have_value("ad")
    named.press("End")
    named.press_sequentially("a")
    expect(named).to_have_value("ada")


def test_four_pairs_by_keyboard(
    url: str, studio: Studio, project: Project, new_page: Callable[..., Page]
) -> None:
    page = new_page()
    page.goto(url)
    asked = sit_down(page, "ada")
    expect(page.locator('[data-side="left"] strong, [data-side="right"] strong')).to_have_text(
        "bold"
    )
    assert page.locator(".lab img").count() == 0 and page.title() != "owned"
    assert "tuned" not in page.locator(".lab").inner_text()

    page.get_by_label("Your name").click()
    page.keyboard.press("1")
    page.get_by_label("Your name").fill("ada")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Your name")).not_to_be_focused()  # letters are keys again
    expect(page.locator(".lab-count")).to_have_text("0 of 4")
    page.keyboard.press("Shift+Digit1")
    progress(page, "1 of 4")
    expect(asked).to_contain_text("question 1")
    page.locator('[data-act="results"]').click()
    expect(page.locator(".lab-rest")).to_contain_text("Show whose answers they are?")
    page.keyboard.press("1")  # no vote on what is not in view
    page.keyboard.press("Escape")
    expect(asked).to_be_visible()
    expect(page.locator(".lab-count")).to_have_text("1 of 4")
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
    page.keyboard.press("Shift+KeyW")
    expect(page.locator(".lab-reveal")).to_contain_text("All 4 done")
    expect(page.locator("#label-train")).to_have_text(
        "Make a dataset and train DPO on these 3 pairs \N{RIGHTWARDS ARROW}"
    )

    votes = {vote.item_id: vote for vote in studio.labels.history(project.id, "ada")}
    first, second, third, last = (votes[item] for item in sorted(votes))
    assert (first.choice, first.strength) == ("a" if first.order == "ab" else "b", 4)
    assert (second.choice, second.note, second.version) == ("both_bad", "b s 0", 3)
    assert (third.edited, third.strength) == ("better by hand", 2)
    assert (last.choice, last.strength) == ("b" if last.order == "ab" else "a", 3)
    assert all(vote.seconds > 0 for vote in votes.values())
    assert studio.labels.progress(project.id, "me").done == 0

    for item in studio.labels.labelled_pairs(project.id):
        studio.labels.vote(project.id, item.item_id, "ben", item.votes[0].choice)
    page.reload()
    expect(page.locator(".lab-two")).to_contain_text("ada and ben agree on 3 of 3 pairs")


def test_guidelines_are_edited_by_keyboard_and_change_under_an_annotator(
    url: str, studio: Studio, project: Project, new_page: Callable[..., Page]
) -> None:
    page = new_page()
    page.goto(url)
    sit_down(page, "ada")
    field = page.get_by_label("guidelines", exact=True)
    page.keyboard.press("g")
    field.fill(" ")
    field.press("Control+Enter")
    expect(page.get_by_role("alert")).to_contain_text("The guidelines are empty")
    field.press("Escape")
    expect(field).to_have_count(0)
    assert studio.labels.get(project.id).guidelines == ""
    page.keyboard.press("g")
    field.fill("Short **wins**.")
    field.press("Control+Enter")
    expect(page.locator(".lab-guidelines strong")).to_have_text("wins")
    studio.labels.revise_guidelines(project.id, "Long wins.")
    page.keyboard.press("0")
    expect(page.locator(".lab-banner")).to_contain_text("The guidelines have changed")
    expect(page.locator(".lab-guidelines")).to_contain_text("Long wins.")


def test_a_look_that_a_vote_overtakes_changes_nothing(
    url: str, project: Project, new_page: Callable[..., Page]
) -> None:
    """The page looked, the vote was counted, and only then the look's answer came: it is old."""
    page = new_page()
    page.goto(url)
    asked = sit_down(page, "ada")
    votes: list[Route] = []
    looks: list[tuple[Route, APIResponse]] = []

    def hold(route: Route) -> None:
        asking = (route.request.post_data_json or {})["fn_name"]
        if asking == "label_vote":
            votes.append(route)
        elif asking == "label_open":
            looks.append((route, route.fetch()))
        else:
            route.continue_()

    page.route("**/component_server/**", hold)
    asked.click()
    page.keyboard.press("1")
    arrived(page, votes)
    page.get_by_label("Your name").press("Enter")
    arrived(page, looks)
    votes.pop().continue_()
    expect(page.locator(".lab-count")).to_have_text("1 of 4")
    route, old = looks.pop()
    with page.expect_response("**/component_server/**"):
        route.fulfill(response=old)
    page.wait_for_timeout(100)
    expect(page.locator(".lab-count")).to_have_text("1 of 4")
    expect(asked).to_contain_text("question 1")


def test_a_verdict_given_while_somebody_sits_down_is_told_to_wait(
    url: str, project: Project, new_page: Callable[..., Page]
) -> None:
    page = new_page()
    page.goto(url)
    sit_down(page, "ada")
    held: list[Route] = []
    let_go: list[bool] = []

    def hold(route: Route) -> None:
        asking = (route.request.post_data_json or {})["fn_name"]
        waits = asking == "label_open" and not let_go
        held.append(route) if waits else route.continue_()

    page.route("**/component_server/**", hold)
    page.get_by_label("Your name").fill("ben")
    page.get_by_label("Your name").press("Enter")
    arrived(page, held)
    page.locator(".lab-prompt").click()
    page.keyboard.press("1")
    expect(page.locator(".lab-banner")).to_contain_text("One moment")
    let_go.append(True)
    for route in held:
        route.continue_()
    expect(page.locator('.lab[data-annotator="ben"]')).to_be_visible()
    expect(page.locator(".lab-banner")).to_be_hidden()
    page.keyboard.press("1")
    expect(page.locator(".lab-count")).to_have_text("1 of 4")


def sign_in(page: Page, url: str, name: str, password: str) -> None:
    page.goto(url)
    page.get_by_label("username").fill(name)
    page.get_by_label("password").fill(password)
    page.get_by_role("button", name="Login").click()
    expect(page.locator(".lab-prompt")).to_contain_text("question")


def test_two_people_at_once_share_the_pairs_out(
    serve: Callable[..., str], studio: Studio, new_page: Callable[..., Page]
) -> None:
    shared = studio.labels.create_project(
        "shared", order="given", seed=5, overlap=1, reasons=["kinder", "shorter"]
    )
    sides = {"label": "base"}, {"label": "tuned"}
    studio.labels.add_items(
        shared.id, [Pair(f"question {n}", f"one {n}", f"two words {n}", *sides) for n in range(6)]
    )
    url = serve(auth=[("ada", "first"), ("ben", "second")])
    ada, ben = new_page(), new_page(390, 844)
    sign_in(ada, url, "ada", "first")
    sign_in(ben, url, "ben", "second")
    asked = [page.locator(".lab-prompt .lab-user .lab-text") for page in (ada, ben)]
    assert asked[0].inner_text() != asked[1].inner_text()
    assert not ada.get_by_label("Your name").is_visible(), "the login is the name"
    assert ada.locator('[data-act="results"]').is_visible()
    assert not ben.locator('[data-act="results"]').is_visible()
    assert not ben.locator("#label-new").is_visible()

    before = asked[1].inner_text()
    ben.reload()
    expect(asked[1]).to_have_text(before)

    ada.locator(".lab-prompt").click()
    ben.locator(".lab-prompt").click()
    ada.get_by_role("button", name="kinder").click()
    ada.keyboard.press("1")
    expect(ada.locator(".lab-count")).to_contain_text("1 of 6 in all")
    ben.keyboard.press("b")
    expect(ben.locator(".lab-count")).to_contain_text("2 of 6 in all")
    ada.keyboard.press("d")
    expect(ada.locator('[data-side="left"] mark, [data-side="right"] mark')).not_to_have_count(0)
    ada.keyboard.press("f")
    expect(ada.locator(".lab-count")).to_contain_text("3 of 6 in all")
    ben.keyboard.press("s")
    expect(ben.locator(".lab-count")).to_contain_text("4 of 6 in all")
    ada.keyboard.press("w")
    expect(ada.locator(".lab-count")).to_contain_text("5 of 6 in all")
    ben.keyboard.press("Shift+Digit2")
    expect(ben.locator(".lab-rest")).to_contain_text("3 labeled")
    expect(ben.locator(".lab-rest")).not_to_contain_text("tuned")

    judged = list(studio.labels.labelled_pairs(shared.id))
    assert [len(item.votes) for item in judged] == [1] * 6
    votes = {name: [] for name in ("ada", "ben")}
    for item in judged:
        votes[item.votes[0].annotator].append(item.votes[0])
    assert {vote.choice for vote in votes["ada"]} >= {"broken"}
    assert sorted(vote.choice for vote in votes["ben"])[1:] == ["both_bad", "skip"]
    first = next(vote for vote in votes["ada"] if vote.reasons)
    assert [vote.strength for vote in votes["ada"] if vote.choice in ("a", "b")].count(1) == 1
    assert first.reasons == ["kinder"] and first.choice == first.order[0]
    last = next(vote for vote in votes["ben"] if vote.strength == 4)
    assert last.choice == last.order[1]

    ada.reload()
    expect(ada.locator(".lab-reveal")).to_contain_text("Agreement and bias")
    expect(ada.locator(".lab-table")).to_contain_text("ben")
    posted = ben.evaluate(RESULTS_BY_HAND, shared.id)
    assert "Only an owner" in posted
