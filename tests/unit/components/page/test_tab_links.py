"""What binds the tabs: nothing chosen is passed over while the choice before it is at work."""

from __future__ import annotations

from pathlib import Path

from app import build_app
from studio.engine.studio import Studio

CHOICES = {"input", "select", "submit", "upload", "expand"}


def test_a_choice_made_while_the_one_before_is_at_work_waits_for_its_turn(tmp_path: Path) -> None:
    handlers = [fn for fn in build_app(Studio(tmp_path / "home")).fns.values() if fn.fn]
    choosing = [fn for fn in handlers if {event for _, event in fn.targets} <= CHOICES]
    assert len(choosing) > 30
    assert not [fn.name for fn in choosing if fn.trigger_mode == "once"]
    pressed = [fn for fn in handlers if {event for _, event in fn.targets} == {"click"}]
    assert "advance" in [fn.name for fn in pressed if fn.trigger_mode == "once"], "done once"

    modes = {fn.name: fn.trigger_mode for fn in pressed}
    assert {modes[name] for name in ("apply", "pick", "open_problem")} == {"always_last"}
