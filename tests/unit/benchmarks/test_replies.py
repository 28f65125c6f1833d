"""The page spends less of the event loop than stock Gradio, counted in memory and not in time."""

from __future__ import annotations

from pathlib import Path

from app import build_app
from benchmarks import replies
from studio import Studio


def test_every_figure_is_measured_and_a_session_takes_a_tenth_of_the_memory(tmp_path: Path) -> None:
    studio = Studio(tmp_path / "home")
    found = {name: (stock, own) for name, stock, own in replies.measure(build_app(studio), 1)}
    studio.close()
    assert len(found) == 4 and all(min(each) > 0 for each in found.values())
    stock, own = found["a session, KB"]
    assert own < stock / 10
