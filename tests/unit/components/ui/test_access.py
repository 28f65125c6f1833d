"""Who may do what: decided by where the app runs, asked before every handler."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr
import pytest
from gradio.context import LocalContext

from components.ui import access
from components.ui.handlers import guard
from studio.engine.studio import Studio

FOR_VISITORS = {"compare", "label", "page"}


@pytest.fixture
def asked(monkeypatch):
    """Who sends the request being answered: `asked(name, accounts=[...], address=...)`."""

    def ask(name=None, accounts=None, address="10.0.0.1", until=None):
        signed_in = {"userinfo": {"preferred_username": name}}
        if until is not None:
            signed_in["expires_at"] = until
        session = {"oauth_info": signed_in} if name else {}
        request = SimpleNamespace(
            username=name if accounts else None,
            cookies={},
            headers={"x-forwarded-for": address},
            url=SimpleNamespace(path="/"),
            client=SimpleNamespace(host="127.0.0.1"),
            scope={"session": session},
        )
        LocalContext.request.set(request)
        LocalContext.blocks.set(SimpleNamespace(auth=accounts))

    yield ask
    LocalContext.request.set(None)
    LocalContext.blocks.set(None)


@pytest.fixture
def space(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "ada/studio")
    monkeypatch.setenv("SPACE_AUTHOR_NAME", "ada")
    monkeypatch.setenv("OAUTH_CLIENT_ID", "made-up")


def test_no_request_is_nobody(asked):
    LocalContext.request.set(None)
    assert not access.person().owner and access.visitor() == "nobody"
    with pytest.raises(gr.Error, match="Only an owner"):
        guard(lambda: "done")()


def test_a_sign_in_that_has_expired_is_none(asked, space):
    asked("ada", until=4e9)
    assert access.person().owner
    for until in (1, "never"):
        asked("ada", until=until)
        assert access.visitor() == "10.0.0.1"
        with pytest.raises(gr.Error, match="Sign in"):
            guard(lambda: "done")()


def test_on_ones_own_machine_everything_is_allowed(asked):
    asked()
    assert access.visitor() is None
    assert guard(lambda: "done")() == "done"


def test_with_accounts_the_first_owns_or_those_named(asked, monkeypatch):
    accounts = [("ada", "secret"), ("ben", "other")]
    asked("ada", accounts)
    assert access.visitor() is None
    asked("ben", accounts)
    assert access.visitor() == "ben"
    with pytest.raises(gr.Error, match="Only an owner"):
        guard(lambda: "done")()
    assert guard(lambda: "done", "everybody")() == "done"
    assert guard(lambda: "done", "quietly")() == gr.skip()
    monkeypatch.setenv("STUDIO_OWNERS", "ada, ben")
    assert access.visitor() is None


def test_on_a_space_its_author_owns_and_others_are_told_apart(asked, space, monkeypatch):
    asked("ada")
    assert access.visitor() is None
    asked("mallory")
    assert access.visitor() == "mallory"
    asked(address="6.6.6.6, 10.0.0.7")  # what a visitor claims comes before what the proxy saw
    assert access.visitor() == "10.0.0.7"
    with pytest.raises(gr.Error, match="Sign in"):
        guard(lambda: "done")()
    monkeypatch.delenv("OAUTH_CLIENT_ID")
    asked()
    with pytest.raises(gr.Error, match="Duplicate this Space"):
        guard(lambda: "done")()


def test_a_stream_is_refused_before_its_first_line(asked, space):
    asked("mallory")
    begun = []

    def stream():
        begun.append(1)
        yield "secret"

    with pytest.raises(gr.Error, match="Only an owner"):
        list(guard(stream)())
    assert list(guard(stream, "quietly")()) == [gr.skip()] and not begun


def test_every_handler_of_the_page_asks_and_few_are_for_visitors(tmp_path):
    from app import build_app

    handlers = [fn.fn for fn in build_app(Studio(tmp_path / "home")).fns.values() if fn.fn]
    plain = [fn for fn in handlers if not hasattr(fn, "audience")]
    assert not plain
    opened = {
        fn.__module__.split(".")[1]
        for fn in handlers
        if fn.audience == "everybody" and fn.__module__.startswith("components.")
    }
    assert opened <= FOR_VISITORS, opened
    endpoints = [fn for fn in handlers if fn.__module__ == "components.page.api"]
    assert [fn.__name__ for fn in endpoints if fn.audience == "everybody"] == ["compare"]
