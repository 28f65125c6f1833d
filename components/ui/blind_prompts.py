"""What keeps labeling blind: whoever still has to judge a pair does not ask Compare its prompt.

Greedy answers repeat, so an annotator who asks would see which answer is the base's. Owners may
always ask, and turn this off for all with `STUDIO_BLIND_PROMPTS=off`.
"""

from __future__ import annotations

import os
import threading
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

import xxhash

from components.ui import access
from studio.core.errors import DataError
from studio.core.messages import Message

if TYPE_CHECKING:
    from studio.labels import LabelStore


class BlindPrompts:
    """The prompts of all projects by a digest, read on as items are added."""

    def __init__(self):
        self._items: dict[int, list[int]] = defaultdict(list)
        self._read = 0
        self._lock = threading.Lock()

    def check(self, labels: LabelStore, prompts: Iterable[list[Message] | str]) -> None:
        """Raise `DataError` where a visitor asks what a pair still open for them is about."""
        if access.visitor() is None or os.environ.get("STUDIO_BLIND_PROMPTS") == "off":
            return
        with self._lock:
            for item, prompt in labels.prompts_after(self._read):
                self._items[_digest(prompt)].append(item)
                self._read = item
        asked = [item for prompt in prompts for item in self._items.get(_digest(prompt), ())]
        if asked and labels.open_for(access.login(), asked):
            raise DataError(
                "This prompt belongs to pairs that are still being judged blind, so its answers "
                "are not shown here. Ask it once you have judged them, or ask something else."
            )


def _digest(prompt: list[Message] | str) -> int:
    """Of the last thing a person says: letters and digits only, whatever the case."""
    said = [prompt] if isinstance(prompt, str) else [_text(turn) for turn in prompt]
    plain = unicodedata.normalize("NFKC", said[-1] if said else "").casefold()
    return xxhash.xxh3_64_intdigest("".join(filter(str.isalnum, plain)).encode())


def _text(turn: Message) -> str:
    return str(turn.get("content") or "")
