"""Markdown of guidelines, prompts and answers as safe markup.

Raw HTML stays text, images are not loaded, and only links to pages are kept (markdown-it refuses
`javascript:` and the like). A line break stays a line break, as models intend it.
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
