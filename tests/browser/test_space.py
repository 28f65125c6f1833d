"""A simulated Space: its owner in one browser, visitors in others, each with what is theirs."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from studio.engine.studio import Studio
from studio.labels import Pair
from tests.app.made_runs import ended
from tests.serving import Server

pytestmark = pytest.mark.skipif(
    not os.environ.get("STUDIO_SPACE"), reason="an app of its own: make test-space"
)
SLOW = 60_000  # ms
SECRET = "made-up"
SPACE = {
    "SYSTEM": "spaces",
    "SPACE_ID": "ada/studio",
    "SPACE_AUTHOR_NAME": "ada",
    "OAUTH_CLIENT_ID": "made-up",
    "OAUTH_CLIENT_SECRET": SECRET,
    "OAUTH_SCOPES": "openid profile",
    "OPENID_PROVIDER_URL": "http://127.0.0.1:9",
    "STUDIO_VISITOR_ANSWERS": "3",
}


def signed_in(name: str) -> dict[str, Any]:
    """The cookie that Gradio's sign-in leaves, for somebody of the Hub."""
    from itsdangerous import TimestampSigner

    about = dict.fromkeys(("sub", "name", "profile", "picture", "preferred_username"), name)
    info = {"access_token": "made-up", "expires_at": time.time() + 9000, "userinfo": about}
    key = hashlib.sha256(f"{SECRET}-v4".encode()).hexdigest()
    value = TimestampSigner(key).sign(base64.b64encode(json.dumps({"oauth_info": info}).encode()))
    return {
        "name": "session",
        "value": value.decode(),
        "domain": "127.0.0.1",
        "path": "/",
        "secure": True,
        "sameSite": "None",
    }


@pytest.fixture(scope="module")
def space(start_server: Callable[..., Server], tmp_path_factory) -> Server:
    home = tmp_path_factory.mktemp("space") / "home"
    studio = Studio(home)
    ended(studio, name="first")
    project = studio.labels.create_project("judge these", order="given", seed=1)
    sides = {"label": "base"}, {"label": "tuned"}
    studio.labels.add_items(project.id, [Pair(f"q {n}", "one", "two", *sides) for n in range(4)])
    (home / "exports" / "secret.txt").write_text("weights")
    return start_server(home, **SPACE)


@pytest.fixture
def come(space: Server, new_page: Callable[..., Page]) -> Callable[..., Page]:
    """`come("ada")` opens the Space as somebody of the Hub; without a name, as nobody."""

    def come(name: str = "", width: int = 1440, height: int = 900) -> Page:
        page = new_page(width, height)
        if name:
            page.context.add_cookies([signed_in(name)])  # pyright: ignore[reportArgumentType]
        page.goto(space.url)
        return page

    return come


def tabs(page: Page) -> list[str]:
    return [
        one.inner_text() for one in page.locator("#tabs > .tab-wrapper [role=tab]:visible").all()
    ]


def test_the_owner_has_all_of_it_and_visitors_compare_and_label(come) -> None:
    owner, visitor = come("ada"), come("mallory")
    expect(visitor.locator("#tab-compare-button")).to_have_class(
        "svelte-11gaq1 selected", timeout=SLOW
    )
    expect(visitor.locator("body.visitor")).to_have_count(1, timeout=SLOW)
    assert tabs(visitor) == ["Compare", "Label"]
    expect(owner.get_by_role("tab", name="Train", exact=True)).to_be_visible(timeout=SLOW)
    assert len(tabs(owner)) == 6
    for page in (owner, visitor):
        link = page.get_by_role("link", name="Duplicate this Space")
        assert (
            link.get_attribute("href") == "https://huggingface.co/spaces/ada/studio?duplicate=true"
        )

    # The page's own requests raise nothing at the visitor, and what is asked is counted.
    expect(visitor.locator(".toast-wrap")).to_have_text("")
    prompt = visitor.locator("#chat-prompt textarea")
    visitor.get_by_label("Model B").first.click()
    visitor.get_by_role("option", name="None").click()
    answers = visitor.locator("#chat-view").get_by_role("button", name="Copy")
    for count in range(1, 4):
        prompt.fill("Who are you?")
        visitor.locator("#chat-send").click()
        expect(answers).to_have_count(count, timeout=SLOW)
        expect(visitor.locator("#chat-stop")).to_be_hidden(timeout=SLOW)
        visitor.wait_for_timeout(1000)  # people read before they ask on
    prompt.fill("Who are you?")
    visitor.locator("#chat-send").click()
    expect(visitor.locator("#chat-message")).to_contain_text(
        "gets 3 answers per hour", timeout=SLOW
    )

    visitor.get_by_role("tab", name="Label").click()
    expect(visitor.locator(".lab-count")).to_contain_text("0 of 4", timeout=SLOW)
    visitor.locator(".lab-prompt").click()
    visitor.keyboard.press("1")
    expect(visitor.locator(".lab-count")).to_contain_text("1 of 4", timeout=SLOW)


def test_what_the_page_does_not_show_is_refused_when_asked_by_hand(space: Server) -> None:
    def ask(path: str, body: Any = None, name: str = "") -> tuple[int, str]:
        headers = {"Content-Type": "application/json"}
        if name:
            headers["Cookie"] = f"session={signed_in(name)['value']}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{space.url}{path}", data, headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    runs = "gradio_api/run/runs_list", {"data": []}
    assert "Only an owner" in ask(*runs, name="mallory")[1]
    assert "Sign in" in ask(*runs)[1]
    assert '"first"' in ask(*runs, name="ada")[1]
    secret = f"gradio_api/file={space.home / 'exports' / 'secret.txt'}"
    assert ask(secret, name="mallory")[0] == 403
    assert ask(secret, name="ada") == (200, "weights")
    # Every private handler too: each is posted to by hand, and none does anything.
    config = json.loads(ask("config", name="mallory")[1])
    before = sorted(path.name for path in space.home.rglob("*"))
    for handler in config["dependencies"]:
        if handler["backend_fn"] and not handler["queue"]:
            ask("gradio_api/run/predict", {"fn_index": handler["id"], "data": []}, "mallory")
    assert sorted(path.name for path in space.home.rglob("*")) == before


def test_it_fits_a_phone(come) -> None:
    page = come(width=390, height=844)
    expect(page.locator("body.visitor")).to_have_count(1, timeout=SLOW)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
