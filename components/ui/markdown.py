"""Markdown of guidelines, prompts and answers as markup that cannot do anything.

Raw HTML stays text, images are not fetched, and a link is kept only where it leads to a page
(markdown-it refuses `javascript:` and its like); a line's end is a line's end, as models mean it.
"""

from __future__ import annotations

import functools
from typing import Any


@functools.cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    parser: Any = MarkdownIt("js-default", {"breaks": True, "html": False}).disable("image")

    def link(tokens: Any, at: int, options: Any, env: Any) -> str:
        tokens[at].attrSet("target", "_blank")
        tokens[at].attrSet("rel", "noopener noreferrer nofollow")
        return parser.renderer.renderToken(tokens, at, options, env)

    parser.renderer.rules["link_open"] = link
    return parser


@functools.lru_cache(maxsize=4096)
def rendered(text: str) -> str:
    """Safe markup of a Markdown text."""
    return _parser().render(text)
