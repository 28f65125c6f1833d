"""Guessing passwords: every wrong one makes the next wait, by name and by address."""

from __future__ import annotations

from types import SimpleNamespace

import gradio as gr
import pytest
from gradio.context import LocalContext
from starlette.exceptions import HTTPException
from starlette.testclient import TestClient

from app import launch_options
from components.ui import logins
from components.ui.logins import Logins
from studio.engine.studio import Studio
from tests.serving import free_port

PAIRS = [("ada", "correct-horse"), ("ben", "other")]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def ask(auth: Logins, name: str, password: str, address: str) -> bool | None:
    """What the login said; None where it had to wait."""
    request = SimpleNamespace(headers={}, client=SimpleNamespace(host=address))
    token = LocalContext.request.set(request)  # pyright: ignore[reportArgumentType]
    try:
        return auth(name, password)
    except HTTPException as error:
        assert error.status_code == 429 and "try again in" in error.detail
        return None
    finally:
        LocalContext.request.reset(token)


def test_wrong_passwords_are_compared_ever_more_seldom(clock: Clock) -> None:
    auth = Logins(PAIRS, clock)
    compared = 0
    for tenth in range(36_000):  # an hour of ten guesses a second
        clock.now = tenth / 10
        compared += ask(auth, "ada", f"guess {tenth}", "6.6.6.6") is False
    assert compared < 20


def test_another_address_waits_for_the_name_and_another_name_for_the_address(clock: Clock) -> None:
    auth = Logins(PAIRS, clock)
    for guess in range(logins.FREE):
        assert ask(auth, "ada", f"{guess}", "6.6.6.6") is False
    assert ask(auth, "ada", "correct-horse", "7.7.7.7") is None
    assert ask(auth, "ben", "other", "6.6.6.6") is None
    assert ask(auth, "ben", "other", "7.7.7.7") is True


def test_the_owner_gets_in_a_minute_after_whatever_others_tried(clock: Clock) -> None:
    auth = Logins(PAIRS, clock)
    for guess in range(500):
        clock.now += 3600
        ask(auth, "ada", f"{guess}", f"6.6.{guess // 256}.{guess % 256}")
    clock.now += logins.LONGEST_BY_NAME
    assert ask(auth, "ada", "correct-horse", "10.0.0.1") is True
    assert ask(auth, "ada", "typing error", "10.0.0.1") is False  # forgotten: no pause


def test_made_up_names_fill_no_memory(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logins, "_REMEMBERED", 10)
    auth = Logins(PAIRS, clock)
    for number in range(100):
        clock.now += 3600
        ask(auth, f"name {number}", "x", f"10.0.0.{number}")
    assert len(auth._failed) <= 10


def test_gradios_login_asks_it(tmp_path) -> None:
    studio = Studio(tmp_path / "home")
    with gr.Blocks() as blocks:
        gr.Textbox()
    options = {**launch_options(studio), "auth": Logins(PAIRS), "server_port": free_port()}
    app, _, _ = blocks.launch(prevent_thread_lock=True, quiet=True, **options)
    client = TestClient(app, base_url="http://127.0.0.1")
    try:
        form = {"username": "ada", "password": "wrong"}
        answers = [client.post("/login", data=form) for _ in range(30)]
        assert [one.status_code for one in answers[: logins.FREE]] == [400] * logins.FREE
        assert {one.status_code for one in answers[logins.FREE :]} == {429}
        ben = {"username": "ben", "password": "other"}
        assert client.post("/login", data=ben).status_code == 429  # from the same address
    finally:
        blocks.close()
        studio.close()
