"""Errors as one sentence, for handlers and streams."""

from __future__ import annotations

import logging

import gradio as gr
import pytest

from components.ui import handlers
from studio.core.errors import Cancelled, DataError


def test_our_errors_are_shown_as_they_are():
    @handlers.guard
    def fails():
        raise DataError("Row 3 of a.json has no <answer>.")

    with pytest.raises(gr.Error) as shown:
        fails()
    assert shown.value.message == "Row 3 of a.json has no &lt;answer&gt;."
    assert shown.value.print_exception is False


def test_other_errors_are_logged_and_not_shown(caplog):
    @handlers.guard
    def fails():
        raise KeyError("secret/path")

    with caplog.at_level(logging.ERROR, "studio"), pytest.raises(gr.Error) as shown:
        fails()
    assert "secret" not in shown.value.message
    assert "studio.log" in shown.value.message
    assert "secret/path" in caplog.text


def test_streams_are_guarded_and_keep_their_signature():
    @handlers.guard
    def stream(first: int, second: str = "x"):
        yield first
        raise Cancelled("Stopped.")

    steps = stream(7)
    assert next(steps) == 7
    with pytest.raises(gr.Error, match="Stopped"):
        next(steps)
    assert stream.__wrapped__.__code__.co_varnames[:2] == ("first", "second")
