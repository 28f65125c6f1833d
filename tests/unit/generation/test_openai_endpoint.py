"""A column served elsewhere, against a stand-in on the loopback that speaks OpenAI's protocol."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from studio import Studio
from studio.core.errors import ConfigError, ModelError
from studio.core.messages import Prompt
from studio.generation import openai_endpoint
from studio.generation.request import Answer, Column, GenerationRequest, Sampling, Snapshot
from tests.standin import StandIn, serve

SAMPLING = Sampling(temperature=0.5, min_p=0.1, max_new_tokens=9, stop_strings=("END",), seed=3)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[StandIn]]:
    yield from serve(monkeypatch, StandIn)


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "home")


def ask(studio: Studio, *prompts: Any, model: str = "served", **settings: Any) -> Snapshot:
    columns = (openai_endpoint.column(model),)
    generation = studio.generate(GenerationRequest(prompts, columns, SAMPLING, **settings))
    assert generation.wait(20)
    return generation.snapshot()


def test_answers_stream_from_a_server(studio: Studio, server: type[StandIn]) -> None:
    server.key = "sesame"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(openai_endpoint.KEY, "sesame")
        snapshot = ask(studio, "What colour is the sky?", [{"role": "user", "content": "And?"}])
    assert [cell.text for cell in snapshot.answers[0]] == ["It is blue."] * 2
    assert {(cell.tokens, cell.ended) for cell in snapshot.answers[0]} == {(7, "length")}
    assert not studio.worker.ready  # nothing was loaded here
    path, body, key = server.asked[0]
    assert (path, key) == ("/v1/chat/completions", "Bearer sesame")
    assert {message["content"] for _, sent, _ in server.asked for message in sent["messages"]} == {
        "What colour is the sky?",
        "And?",
    }
    sent = {name: body[name] for name in ("temperature", "min_p", "max_tokens", "stop", "seed")}
    assert sent == {"temperature": 0.5, "min_p": 0.1, "max_tokens": 9, "stop": ["END"], "seed": 3}
    assert "top_k" not in body and "repetition_penalty" not in body


def test_a_raw_prompt_goes_to_completions(studio: Studio, server: type[StandIn]) -> None:
    cell = ask(studio, "Once upon", raw=True).answers[0][0]
    path, body, _ = server.asked[0]
    assert (path, body["prompt"], cell.text) == ("/v1/completions", "Once upon", "It is blue.")
    assert cell.prompt_text == "Once upon"


def test_what_goes_wrong_is_a_sentence(
    studio: Studio, server: type[StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(*prompts: Any, **settings: Any) -> str:
        return ask(studio, *prompts, **settings).answers[0][0].error or ""

    assert "404: The model `gone` does not exist." in said("x", model="gone")
    assert "prompt is empty" in said("  ")
    server.key = "sesame"
    assert "refuses the key (401); check STUDIO_ENDPOINT_KEY" in said("x")
    monkeypatch.setenv(openai_endpoint.URL, "http://127.0.0.1:9/v1")
    assert "cannot be reached" in said("x")
    monkeypatch.setenv(openai_endpoint.URL, "ftp://x")
    with pytest.raises(ConfigError, match="http://"):
        openai_endpoint.column("m")
    monkeypatch.delenv(openai_endpoint.URL)
    with pytest.raises(ConfigError, match="STUDIO_ENDPOINT_URL"):
        openai_endpoint.column("m")


@pytest.mark.parametrize(
    ("event", "sentence"),
    [
        ('data: {"choices": [', "cannot be read: event: invalid json"),
        ("data: [1, 2]", "cannot be read: event: "),
        ('data: {"choices": [{"delta": {"content": 7}}]}', "cannot be read: choices.0.delta.cont"),
        ('data: {"error": {"message": "CUDA out of memory."}}', "stopped: CUDA out of memory."),
    ],
)
def test_an_event_that_makes_no_sense_ends_the_answer_with_a_sentence(
    studio: Studio,
    server: type[StandIn],
    monkeypatch: pytest.MonkeyPatch,
    event: str,
    sentence: str,
) -> None:
    monkeypatch.setattr(server, "words", lambda self, body: ("It ", event, "blue."))
    cell = ask(studio, "x").answers[0][0]
    assert cell.ended == "error" and sentence in (cell.error or "")
    assert "\n" not in (cell.error or "")


def test_a_server_that_never_answers_is_given_up_on(
    studio: Studio, server: type[StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.pause = 1.0
    brief = httpx.Timeout(0.05)
    monkeypatch.setattr(openai_endpoint.httpx, "Timeout", lambda *_, **__: brief)
    assert "did not answer in time" in (ask(studio, "x").answers[0][0].error or "")


def test_the_key_is_neither_logged_nor_shown(
    studio: Studio,
    server: type[StandIn],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv(openai_endpoint.KEY, "sesame")
    server.key = "another"
    with caplog.at_level(logging.DEBUG):
        cell = ask(studio, "x").answers[0][0]
    assert "refuses the key" in (cell.error or "")
    assert "sesame" not in caplog.text and "sesame" not in repr(cell)


def test_the_key_goes_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(openai_endpoint.URL, "https://known.example/v1")
    monkeypatch.setenv(openai_endpoint.KEY, "sesame")
    assert openai_endpoint._headers("https://known.example/v1") == {
        "Authorization": "Bearer sesame"
    }
    assert openai_endpoint._headers("https://other.example/v1") == {}


def test_stop_hangs_up(studio: Studio, server: type[StandIn]) -> None:
    server.pause = 0.3
    columns = (openai_endpoint.column("served"),)
    generation = studio.generate(GenerationRequest(("x",), columns, SAMPLING))
    while not generation.snapshot().answers[0][0].text:
        time.sleep(0.01)
    generation.cancel()
    assert generation.wait(5)
    cell = generation.snapshot().answers[0][0]
    assert cell.ended == "cancelled" and cell.text.startswith("It")


def events(*pieces: bytes) -> list[Any]:
    return list(openai_endpoint._events(httpx.Response(200, content=iter(pieces))))


def test_an_answer_that_is_no_stream_is_said_not_shown_as_empty() -> None:
    for body in (b"", b'{"choices": []}', b"<html>\n</html>"):
        with pytest.raises(ModelError, match="no stream of events"):
            events(body)
    assert len(events(b'data: {"choices"', b": []}\r\n\r\ndata: [DO", b"NE]\n")) == 1
    for event in (b"data: 5\n", b"data: []\n", b"data: null\n"):
        with pytest.raises(ValueError):
            events(event)


def test_a_line_without_end_is_given_up_on() -> None:
    def endless() -> Iterator[bytes]:
        yield b"data: "
        while True:
            yield b"x" * 65_536

    with pytest.raises(ModelError, match="does not end"):
        list(openai_endpoint._events(httpx.Response(200, content=endless())))


def test_a_key_that_the_server_repeats_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(openai_endpoint.KEY, "sk-sesame")
    body = {"error": {"message": "Wrong key: sk-sesame\x1b[31m, or the plan has ended"}}
    said = openai_endpoint._refused(httpx.Response(429, json=body))
    assert "sesame" not in said and said.isprintable() and "plan has ended" in said


def test_thinking_and_calls_that_a_server_sends_apart_are_one_answer() -> None:
    call = {"index": 0, "function": {"name": "roll", "arguments": '{"sides"'}}
    deltas: list[dict[str, Any]] = [
        {"reasoning_content": "I "},
        {"reasoning": "roll."},
        {"content": "Here."},
        {"tool_calls": [call]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ": 6}"}}]},
    ]
    written = openai_endpoint._Written()
    for at, delta in enumerate(deltas, 1):
        written.add(openai_endpoint._Event.model_validate({"choices": [{"delta": delta}]}))
        assert written.cell()["thinking"] is (at < 3)
    cell = Answer(**written.cell())
    assert (cell.reasoning, cell.reasoning_tokens) == ("I roll.", 2)
    assert [(one.name, one.arguments) for one in cell.tool_calls] == [("roll", {"sides": 6})]


def test_tools_and_kwargs_are_sent_as_the_protocol_has_them() -> None:
    tool = {"type": "function", "function": {"name": "roll"}}
    made = {"type": "function", "function": {"name": "roll", "arguments": {"sides": 6}}}
    turns = [
        {"role": "user", "content": "Roll"},
        {"role": "assistant", "content": "", "tool_calls": [made]},
        {"role": "tool", "content": "4"},
    ]
    prompt = Prompt(turns, [tool], {"enable_thinking": False})
    column = Column("served", endpoint="http://127.0.0.1")
    _, body = openai_endpoint._body(column, prompt, Sampling(), False)
    assert body["tools"] == [tool] and body["chat_template_kwargs"] == {"enable_thinking": False}
    [sent] = body["messages"][1]["tool_calls"]
    assert sent["function"]["arguments"] == '{"sides": 6}'
    assert body["messages"][2]["tool_call_id"] == sent["id"]
    _, plain = openai_endpoint._body(column, turns[:1], Sampling(), False)
    assert not {"tools", "chat_template_kwargs"} & plain.keys()


def test_an_answer_that_is_torn_off_is_said_and_what_came_is_kept(
    studio: Studio, server: type[StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that closes its connection without `[DONE]` ends it as one that is through does."""
    piece = b'data: {"choices": [{"delta": {"content": "It is"}}]}\n\n'
    whole = b'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}\n\n'
    for torn in ((piece,), (piece, b'data: {"choi'), (piece, b"\n")):
        with pytest.raises((ModelError, ValueError)):
            events(*torn)
    assert len(events(piece, whole)) == 2 and len(events(piece, b"data: [DONE]\n")) == 1

    def hang_up(self: StandIn, value: dict[str, Any]) -> None:
        if not value["choices"] or value["choices"][0]["finish_reason"]:
            raise OSError
        self.wfile.write(f"data: {json.dumps(value)}\n\n".encode())

    monkeypatch.setattr(server, "_event", hang_up)
    cell = ask(studio, "What?").answers[0][0]
    assert cell.ended == "error" and "broke off" in (cell.error or "") and cell.text == "It "
