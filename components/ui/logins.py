"""Logins that cost more with every wrong one: a password must not be guessed by trying."""

from __future__ import annotations

import hmac
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from starlette.exceptions import HTTPException

from components.ui import access

FREE = 3  # wrong logins without a pause: typing errors
LONGEST_BY_NAME = 60.0  # seconds; the owner must get in while somebody else guesses
LONGEST_BY_ADDRESS = 900.0  # seconds
_REMEMBERED = 10_000


@dataclass
class _Failures:
    count: int = 0
    until: float = 0.0


class Logins(list[tuple[str, str]]):
    """The (name, password) pairs of `--auth`, as Gradio's `auth`: a list that answers a call.

    After `FREE` wrong logins each further one doubles a pause, by name and by address, in which
    nothing is compared. `clock` gives seconds.
    """

    def __init__(
        self, pairs: Iterable[tuple[str, str]] = (), clock: Callable[[], float] = time.monotonic
    ):
        super().__init__(pairs)
        self._clock, self._lock = clock, threading.Lock()
        self._failed: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def __call__(self, name: str, password: str) -> bool:
        """Whether the password is that of the name; HTTP 429 during a pause."""
        passwords = dict(self)
        # All unknown names are one: they cannot be told apart by their pauses, nor fill the memory.
        keys = {
            ("name", name if name in passwords else ""): LONGEST_BY_NAME,
            ("address", access.address()): LONGEST_BY_ADDRESS,
        }
        with self._lock:
            now = self._clock()
            wait = max(self._failed.get(key, _Failures()).until - now for key in keys)
            if wait > 0:
                raise HTTPException(
                    429,
                    f"Too many wrong logins: try again in {wait:.0f} s.",
                    {"Retry-After": f"{wait:.0f}"},
                )
            right = name in passwords and hmac.compare_digest(
                password.encode(), passwords[name].encode()
            )
            for key, longest in keys.items():
                if right:
                    self._failed.pop(key, None)
                else:
                    self._fail(key, now, longest)
            return right

    def _fail(self, key: tuple[str, str], now: float, longest: float) -> None:
        failures = self._failed.setdefault(key, _Failures())
        self._failed.move_to_end(key)
        failures.count += 1
        if failures.count >= FREE:
            failures.until = now + min(longest, 2.0 ** min(failures.count - FREE, 20))
        while len(self._failed) > _REMEMBERED:
            self._failed.popitem(last=False)
