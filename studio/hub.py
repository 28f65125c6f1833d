"""The Hub, from the outside: can it be reached at all? Its client retries for half a minute."""

from __future__ import annotations

import os
import socket
from urllib.parse import urlsplit


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
