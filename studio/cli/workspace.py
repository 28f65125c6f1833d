"""How the shell shows `doctor`, `backup` and `restore`."""

from __future__ import annotations

from studio.cli.register import View
from studio.cli.terminal import table
from studio.commands.base import Json
from studio.core.formatting import bytes_text, plural


def _examined(found: Json) -> str:
    head = f"{found['home']}\n{found['hardware']}\n\n"
    rows = [(_state(one), one["where"], one["what"]) for one in found["findings"]]
    if not rows:
        return f"{head}{found['summary']}"
    mend = any(one["fixable"] and not one["fixed"] for one in found["findings"])
    advice = "\nMend what loses nothing with: doctor --fix" if mend else ""
    return f"{head}{table(rows, ('level', 'where', 'what'))}\n\n{found['summary']}{advice}"


def _state(one: Json) -> str:
    return "fixed" if one["fixed"] else str(one["level"])


def _failed(found: Json) -> str | None:
    return f"{found['errors']} of these need you." if found["errors"] else None


def _backed_up(found: Json) -> str:
    left = f", without {', '.join(found['left_out'])}" if found["left_out"] else ""
    files = plural(found["files"], "file")
    return f"{files}, {bytes_text(found['bytes'])}, in {found['file']}{left}"


def _restored(found: Json) -> str:
    return f"{plural(found['files'], 'file')} restored into {found['home']}"


VIEWS = {
    "doctor": View(_examined, "--fix", failure=_failed),
    "backup": View(_backed_up, "studio.tar --without exports"),
    "restore": View(_restored, "studio.tar"),
}
