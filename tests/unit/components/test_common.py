"""Numbers for people, escaped markup, and errors as one sentence."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import gradio as gr
import pytest

from components.data import row_html
from components.page import guided_tour, header
from components.ui import handlers, html
from studio.core import formatting
from studio.core.errors import Cancelled, DataError

ATTACK = '<img src=x onerror="alert(1)"> & ${1+1} {{x}}'
SAFE = "&lt;img src=x onerror=&quot;alert(1)&quot;&gt; &amp; ${1+1} {{x}}"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (3, "3"),
        (999, "999"),
        (1085, "1.08 k"),
        (1_534_976, "1.53 M"),
        (999_999, "1.00 M"),
        (1_100_048_384, "1.10 B"),
        (12_345_678, "12.3 M"),
        (3e12, "3.00 T"),
    ],
)
def test_compact(number, text):
    assert formatting.compact(number) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (2_048, "2 KB"),
        (5_000_000, "5.0 MB"),
        (12_025_908_429, "12.0 GB"),
        (250 * 10**9, "250 GB"),
        (3 * 10**12, "3.0 TB"),
    ],
)
def test_bytes(size, text):
    assert formatting.bytes_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00"),
        (41, "0:41"),
        (250, "4:10"),
        (3000, "50 min"),
        (7200, "2 h"),
        (8000, "2 h 13 min"),
        (3 * 86400, "3 days"),
        (None, "\N{EN DASH}"),
        (-1, "\N{EN DASH}"),
        (float("nan"), "\N{EN DASH}"),
    ],
)
def test_durations(seconds, text):
    assert formatting.duration_text(seconds) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (0, "just now"),
        (12, "12 s ago"),
        (240, "4 min ago"),
        (10_800, "3 h ago"),
        (90_000, "1 day ago"),
        (180_000, "2 days ago"),
        (-5, "just now"),
    ],
)
def test_ago(ago, text):
    assert formatting.ago_text(1_000_000 - ago, now=1_000_000) == text


def test_one_and_many():
    assert formatting.plural(1, "row") == "1 row"
    assert formatting.plural(1085, "row") == "1,085 rows"
    assert formatting.plural(2, "entry", "entries") == "2 entries"


@pytest.mark.parametrize(
    "markup",
    [
        html.esc(ATTACK),
        html.empty_state(ATTACK, ATTACK, ATTACK),
        html.notice("error", ATTACK, ATTACK),
        html.chips([ATTACK, (ATTACK, "good"), (ATTACK, "good", ATTACK)]),
        html.section(ATTACK, ATTACK),
        html.progress_bar(1, 2, ATTACK),
        html.key_hint([(ATTACK, ATTACK)]),
        row_html.row_card({"messages": [{"role": ATTACK, "content": ATTACK}], ATTACK: ATTACK}),
        row_html.row_card({"prompt": ATTACK, "chosen": ATTACK, "rejected": f"{ATTACK} no"}),
        row_html.row_card({"prompt": ATTACK, "answer1": ATTACK, "answer2": ATTACK}),
        row_html.row_card({"prompt": ATTACK, "completion": ATTACK, "label": False}),
        row_html.row_card({"text": ATTACK}),
        header.stepper([(ATTACK, "now")], ATTACK),
    ],
)
def test_untrusted_text_is_escaped(markup):
    assert "<img" not in markup
    assert "&lt;img src" in markup or "&lt;</mark>" in markup or "&lt;img" in markup


def test_a_whole_text_survives_in_a_card():
    assert SAFE in row_html.row_card({"text": ATTACK})


def test_sides_mark_what_only_one_says():
    row = {"prompt": "Q", "chosen": "He lives in Alderford.", "rejected": "He lives in Coldwell."}
    card = row_html.row_card(row)
    assert "<mark>Alderford</mark>" in card
    assert "<mark>Coldwell</mark>" in card


# ---- errors


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


# ---- header and walk


def status(**values):
    usual = {
        "device": "CPU",
        "memory_used": 2 * 10**9,
        "memory_total": 24 * 10**9,
        "resident": ["pocket"],
        "ready": True,
        "loading_note": "",
        "run": None,
        "queued": 0,
    }
    return SimpleNamespace(**{**usual, **values})


def test_strip_says_what_is_loading_then_what_is_held():
    waiting = header.status_strip(status(ready=False, loading_note="Loading the libraries"))
    assert "Loading the libraries" in waiting
    strip = header.status_strip(status())
    assert "2.0 / 24.0 GB" in strip
    assert "pocket" in strip


def test_strip_leads_to_the_run():
    run = SimpleNamespace(
        id="run-1", name="<dpo>", step=84, total_steps=120, eta_s=31.0, state="running"
    )
    strip = header.status_strip(status(run=run, queued=2))
    assert 'data-go="train"' in strip
    assert "&lt;dpo&gt;" in strip
    assert "84/120" in strip
    assert "0:31 left" in strip
    assert "+2 waiting" in strip


def run(**values):
    usual = {
        "id": "r",
        "name": "pocket-sft",
        "state": "finished",
        "live": False,
        "error": None,
        "step": 1,
        "total_steps": 2,
        "eta_s": None,
        "train_seconds": 30.0,
    }
    return SimpleNamespace(**{**usual, **values})


def test_walk_goes_step_by_step():
    data, project = SimpleNamespace(rows={"train": 10}), SimpleNamespace(id="p")
    live = run(state="running", live=True)
    walks = [
        guided_tour.Walk("w"),
        guided_tour.Walk("w", data),
        guided_tour.Walk("w", data, live),
        guided_tour.Walk("w", data, run()),
        guided_tour.Walk("w", data, run(), looked=1),
        guided_tour.Walk("w", data, run(), project, votes=3, looked=1),
        guided_tour.Walk("w", data, run(), project, votes=4, looked=1),
        guided_tour.Walk("w", data, run(), project, 4, live, 1),
        guided_tour.Walk("w", data, run(), project, 4, run(), 1),
        guided_tour.Walk("w", data, run(), project, 4, run(), 2),
    ]
    places = [guided_tour.place(walk) for walk in walks]
    assert [place.step for place in places] == [0, 1, 1, 2, 2, 3, 4, 4, 5, 5]
    assert [bool(place.action) for place in places] == [
        False,
        True,
        False,
        True,
        True,
        False,
        True,
        False,
        True,
        True,
    ]
    assert places[-1].finished
    assert {state for _, state in places[-1].steps()} == {"done"}


def test_a_failed_run_is_said_and_can_be_resumed():
    failed = run(state="failed", error="The disk is full.")
    place = guided_tour.place(guided_tour.Walk("w", SimpleNamespace(rows={}), failed))
    assert "The disk is full." in place.note
    assert place.action == "Resume the run"
