"""Known vulnerabilities in what `requirements.lock` installs, by pip-audit: `make check-deps`.

    python -m tests.audit path/to/pip-audit

It asks PyPI's advisory database, so it needs the network. Status: 0 where nothing is known, 1 where
something is, 2 where the database did not answer and nothing can be said.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"


def told(report: dict[str, Any]) -> tuple[int, str]:
    """(exit status, what to say) of pip-audit's JSON."""
    packages = report.get("dependencies") or []
    audited = [one for one in packages if "skip_reason" not in one]
    if not audited:
        return 2, (
            "The advisory database at PyPI did not answer, so nothing was audited: run "
            "`make check-deps` where it can be reached."
        )
    found = [
        f"{one['name']} {one['version']}: {flaw['id']}, mended in "
        f"{', '.join(flaw.get('fix_versions') or ['no version yet'])}"
        for one in audited
        for flaw in one.get("vulns") or []
    ]
    left = [one["name"] for one in packages if "skip_reason" in one]
    said = [*found, f"{len(audited)} packages audited, {len(found)} known vulnerabilities."]
    if left:
        said.append(f"Not known there: {', '.join(left)}.")
    return int(bool(found)), "\n".join(said)


def main(program: str) -> int:
    done = subprocess.run(
        [
            *(program, "--requirement", str(LOCK), "--require-hashes", "--disable-pip"),
            *("--format", "json", "--progress-spinner", "off"),
        ],
        capture_output=True,
        text=True,
    )
    try:
        status, said = told(json.loads(done.stdout))
    except ValueError:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        status, said = 2, f"pip-audit could not look anything up, so nothing was audited: {last}"
    sys.stdout.write(f"{said}\n")
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
