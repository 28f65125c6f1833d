"""The status strip."""

from __future__ import annotations

from types import SimpleNamespace

from components.page import header


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
    assert "under a minute left" in strip
    assert "+2 queued" in strip
