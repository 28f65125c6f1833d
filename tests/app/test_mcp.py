"""Agents over MCP: with the token only, and by default only what changes nothing."""

from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

import app
from components.page.api import READ_ONLY
from studio.core.errors import ConfigError
from tests.serving import Server

TOKEN = "a-token-that-is-long"


def test_agents_need_a_token(monkeypatch):
    app.check_mcp("off")
    for token in ("", "short"):
        monkeypatch.setenv("STUDIO_MCP_TOKEN", token)
        with pytest.raises(ConfigError, match="STUDIO_MCP_TOKEN"):
            app.check_mcp("read")
    with pytest.raises(ConfigError, match="off, read or write"):
        app.check_mcp("all")


async def visit(url: str, token: str) -> tuple[set[str], Any, Any]:
    """The tools there are, the runs there are, and what came of asking for a training."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    headers = {"Authorization": f"Bearer {token}"}
    async with (
        streamablehttp_client(f"{url}gradio_api/mcp/", headers=headers) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        tools = await session.list_tools()
        runs = await session.call_tool("runs_list", {})
        trained = await session.call_tool("train", {"recipe": "pocket-sft"})
        return {tool.name for tool in tools.tools}, runs, trained


@pytest.mark.skipif(not os.environ.get("STUDIO_SPACE"), reason="an app of its own: make test-space")
def test_an_agent_with_the_token_reads_and_no_more(start_server):
    pytest.importorskip("mcp")
    server: Server = start_server(
        STUDIO_MCP="read", STUDIO_MCP_TOKEN=TOKEN, STUDIO_AUTH="ada:secret,ben:other"
    )
    with pytest.raises(BaseExceptionGroup) as refused:
        asyncio.run(visit(server.url, "another-token-as-long"))
    assert "403" in repr(refused.value.exceptions)
    tools, runs, trained = asyncio.run(visit(server.url, TOKEN))
    assert tools == READ_ONLY
    assert not runs.isError and trained.isError
    assert "Unknown tool" in trained.content[0].text
