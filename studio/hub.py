"""The Hub, from the outside: can it be reached at all? Its client retries for half a minute."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from studio.errors import ConfigError, DataError

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")


def checked_repo(repo: str) -> str:
    """The name itself; `ConfigError` for one that a dataset on the Hub cannot have."""
    if not _REPO.fullmatch(repo) or ".." in repo or "--" in repo:
        raise ConfigError(f'"{repo}" is no name for a dataset on the Hub; it reads owner/name.')
    return repo


@contextlib.contextmanager
def plainly(repo: str, done: str) -> Iterator[None]:
    """Whatever the Hub's client raises, as a sentence: `repo` was not `done` ("pushed", "read")."""
    import httpx
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403):
            raise ConfigError(
                f"The Hub refused to write {repo}: give a token that may write there (HF_TOKEN)."
            ) from error
        first = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise DataError(f"The Hub answered {status} for {repo}: {first}") from error
    except (httpx.HTTPError, OfflineModeIsEnabled, ConnectionError) as error:
        raise DataError(
            f"The Hub cannot be reached (offline?), so {repo} was not {done}. "
            "Connect, or export a file."
        ) from error


def reachable(timeout: float = 4.0) -> bool:
    """Whether the Hub (or `HF_ENDPOINT`) answers a connection within `timeout` seconds.

    True behind a proxy, where only a request would tell; False when offline mode is on.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")):
        return True
    address = urlsplit(constants.ENDPOINT)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), timeout).close()
    except OSError:
        return False
    return True
