"""What somebody who is no owner is told of the page: the page, without what the workspace holds."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from components.page import document
from components.ui import access, compat

OWNERS_LISTS = frozenset(
    {"calc-dataset-name", "train-dataset", "train-preset", "set-source", "score-source"}
)
"""Widgets (`elem_id`) that only owners use and that list datasets or saved presets."""


class Page(compat.QuickBlocks):
    """A page whose configuration, which Gradio shows to all, is built for whoever asks."""

    first_visit: Callable[[], bool] = staticmethod(lambda: False)
    """Whether the landing is to be there from the start: what comes later moves the page."""

    @property
    def config(self) -> Any:  # pyright: ignore[reportIncompatibleVariableOverride]
        """All of it for owners and for the app itself; for others without the owners' lists.

        A browser that asks for the page is not told what only programs need.
        """
        request = compat.current_request()
        if request is None:
            return self._config
        told = self._config if access.visitor() is None else self._for_strangers()
        if not document.is_asked_for(request):
            return told
        return document.without_api(told, {"landing": self.first_visit()})

    @config.setter
    def config(self, value: Any) -> None:
        self._config = value

    def _for_strangers(self) -> Any:
        told = copy.copy(self._config)
        told["components"] = [_without_choices(one) for one in told["components"]]
        return told


def _without_choices(component: Any) -> Any:
    if component["props"].get("elem_id") not in OWNERS_LISTS:
        return component
    props = {**component["props"], "choices": [], "value": None}
    examples = {name: None for name in component if name.startswith(("api_info", "example_"))}
    return {**component, "props": props, **examples}
