"""`hardware`: what this machine is, as training sees it."""

from __future__ import annotations

from studio.cli.output import Json, Terminal


def hardware(as_json: Json = False) -> None:
    """Show the device, its memory and the versions."""
    with Terminal(as_json) as out:
        from studio.core.hardware import detect

        found = detect()
        lines = [found.line()]
        if found.device != "cpu":
            lines.append(f"bfloat16 {'yes' if found.bf16 else 'no'}, {found.devices} device(s)")
        lines.append(f"Python {found.python} on {found.system}")
        lines.append(", ".join(f"{name} {version}" for name, version in found.packages))
        out.result(found.as_dict(), "\n".join(lines))
