"""`doctor`, `backup`, `restore`: the workspace as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from studio.commands.base import Json, OnProgress, Param, command, silent

if TYPE_CHECKING:
    from studio.engine.studio import Studio


@command(read_only=True)
def doctor(
    studio: Studio,
    *,
    fix: Annotated[bool, Param("Mend what loses nothing.", shell_only=True)] = False,
    on_progress: OnProgress = silent,
) -> Json:
    """Check the workspace: records, digests, databases, disk, libraries.

    Lists what is damaged, missing or left over. `--fix` mends what loses nothing: leftovers go, and
    what is damaged is kept aside under another name.
    """
    from studio.engine import doctor as checks

    found = checks.examine(studio, lambda what: on_progress(0, None, f"Checking {what}"))
    mended = checks.mend(found) if fix else []
    rows = [
        {
            "level": one.level,
            "where": one.where,
            "what": one.what,
            "fixable": one.fix is not None,
            "fixed": one in mended,
        }
        for one in found
    ]
    left = [one for one in found if one not in mended]
    return {
        "home": str(studio.workspace.home),
        "hardware": studio.hardware().line(),
        "findings": rows,
        "errors": sum(one.level == "error" for one in left),
        "summary": checks.summary(found),
    }


@command()
def backup(
    studio: Studio,
    file: Annotated[Path, Param("The archive to write, such as studio.tar.", metavar="FILE")],
    *,
    without: Annotated[
        list[str] | None,
        Param("Leave this out, such as exports or uploads; repeatable.", metavar="PART"),
    ] = None,
    on_progress: OnProgress = silent,
) -> Json:
    """Write the whole workspace into one archive, also while the studio runs.

    All of the workspace but caches, trash and logs; no models of the Hub.
    """
    from studio.engine.workspace_backup import back_up

    return back_up(studio, file.expanduser(), tuple(without or ()), on_progress)


@command()
def restore(
    studio: Studio,
    file: Annotated[Path, Param("An archive that `backup` wrote.", metavar="FILE")],
    *,
    on_progress: OnProgress = silent,
) -> Json:
    """Read an archive of `backup` into an empty workspace.

    Every file is compared with its digest first. STUDIO_HOME names the workspace.
    """
    from studio.engine import workspace_backup

    return workspace_backup.restore(studio.workspace, file.expanduser(), on_progress)
