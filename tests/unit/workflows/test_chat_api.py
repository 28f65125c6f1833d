"""Chat completions without a server: what is read, batched, and written in pieces."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from studio.core.errors import ConfigError
from studio.core.messages import kwargs_of, tools_of
from studio.core.workspace import Workspace
from studio.generation.request import Answer, Column, Generation, GenerationRequest, Sampling
from studio.labels import feedback
from studio.workflows.chat_api import Batcher, ChatRequest, Reply, Ticket

CALL = '<tool_call>\n{"name": "weather", "arguments": {"place": "Bern"}}\n</tool_call>'
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {}}}


def asked(**more: Any) -> ChatRequest:
    body = {"model": "pocket", "messages": [{"role": "user", "content": "Hello"}], **more}
    return ChatRequest.model_validate(body)


def test_settings_have_openais_meaning() -> None:
    plain = asked().sampling()
    assert plain.temperature == 1.0 and plain.max_new_tokens == 512
    assert asked().sampling().seed != plain.seed, "two requests alike are not answered alike"
    found = asked(
        temperature=0, max_completion_tokens=9, stop=["a", ""], seed=3, top_k=5
    ).sampling()
    assert (found.temperature, found.max_new_tokens, found.seed, found.top_k) == (0, 9, 3, 5)
    assert found.stop_strings == ("a",)
    for wrong in ({"n": 2}, {"presence_penalty": 1}, {"top_logprobs": 9}, {"messages": []}):
        with pytest.raises(ValidationError):
            asked(**wrong)


def test_messages_become_what_chat_templates_take() -> None:
    call = {"id": "1", "function": {"name": "weather", "arguments": '{"place": "Bern"}'}}
    turns = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "sunny"},
    ]
    more = {"messages": turns, "tools": [TOOL], "chat_template_kwargs": {"enable_thinking": False}}
    prompt = asked(**more).prompt()
    assert [turn["role"] for turn in prompt] == ["system", "user", "assistant", "tool"]
    assert prompt[1]["content"] == "a\nb" and prompt[2]["content"] == ""
    assert prompt[2]["tool_calls"][0]["function"]["arguments"] == {"place": "Bern"}
    assert tools_of(prompt) == [TOOL] and kwargs_of(prompt) == {"enable_thinking": False}
    assert tools_of(asked(tools=[TOOL], tool_choice="none").prompt()) == []
    with pytest.raises(ConfigError, match="text only"):
        asked(messages=[{"role": "user", "content": [{"type": "image_url"}]}]).prompt()


def test_requests_of_one_moment_share_a_generation() -> None:
    made: list[Generation] = []

    def generate(request: GenerationRequest) -> Generation:
        made.append(Generation(request))
        return made[-1]

    batcher = Batcher(generate)
    tickets = [
        batcher.submit(
            Column("pocket", run), [{"role": "user", "content": text}], Sampling(seed=at)
        )
        for at, (run, text) in enumerate([(None, "a"), ("run-1", "b")])
    ]
    while any(ticket.generation is None for ticket in tickets):
        time.sleep(0.005)
    (generation,) = made
    columns = generation.request.columns
    assert [column.run for column in columns] == [None, "run-1"]
    assert [column.prompts[0][0]["content"] for column in columns if column.prompts] == ["a", "b"]
    assert [column.sampling and column.sampling.seed for column in columns] == [0, 1]
    generation.put(1, 0, text="of b", ended="stop")
    assert tickets[1].answer().text == "of b" and tickets[0].answer().ended is None
    tickets[1].drop()
    assert not generation.cancelled, "the other one still waits"
    tickets[0].drop()
    assert generation.cancelled


def test_a_batch_that_cannot_begin_is_an_error_of_each() -> None:
    def refuse(request: GenerationRequest) -> Generation:
        raise ConfigError("There is no room.")

    batcher = Batcher(refuse)
    ticket = batcher.submit(Column("pocket"), [], Sampling())
    while not ticket.error:
        time.sleep(0.005)
    assert (ticket.answer().ended, ticket.answer().error) == ("error", "There is no room.")
    assert Ticket(Column("pocket"), [], Sampling()).answer().ended is None


def test_a_fault_of_the_engine_is_an_answer_and_not_a_wait() -> None:
    """What is no sentence of ours is kept from the client, who is answered all the same."""

    def generate(request: GenerationRequest) -> Generation:
        raise OverflowError("inner words")

    ticket = Batcher(generate).submit(Column("pocket"), [], Sampling())
    end = time.monotonic() + 20
    while ticket.answer().ended is None and time.monotonic() < end:
        time.sleep(0.01)
    assert ticket.answer().ended == "error"
    assert "log says why" in ticket.error and "inner" not in ticket.error


def test_pieces_add_up_and_calls_and_thinking_come_apart() -> None:
    reply = Reply(asked(stream=True))
    first = reply.more(Answer("Hel", reasoning="Hm"))
    assert first and first["choices"][0]["delta"] == {"content": "Hel", "reasoning_content": "Hm"}
    assert reply.more(Answer("Hel", reasoning="Hm")) is None
    last = reply.more(Answer("Hello", reasoning="Hm", ended="stop"))
    assert last and last["choices"][0]["delta"] == {"content": "lo"}
    tools = Reply(asked(tools=[TOOL]))
    assert tools.more(Answer("Let me see. <tool")) is None, "it may become a call"
    ended = Answer(f"Let me see. {CALL}", ended="stop")
    found = tools.more(ended)
    assert found is not None
    delta = found["choices"][0]["delta"]
    assert delta["content"] == "Let me see."
    assert delta["tool_calls"][0]["function"] == {
        "name": "weather", "arguments": '{"place": "Bern"}'}  # fmt: skip
    assert tools.finish_reason(ended) == "tool_calls"
    plain = Reply(asked()).message(ended)
    assert plain["content"] == ended.text and "tool_calls" not in plain


def test_the_last_thumb_counts_and_a_torn_line_does_not(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert feedback.rows(workspace) == []
    for label in (True, False):
        feedback.keep(workspace, {"id": "a", "by": "ada", "label": label})
    feedback.keep(workspace, {"id": "a", "by": "ben", "label": True})
    with (tmp_path / feedback.FILE).open("a") as file:
        file.write('{"id": "b", "by"')
    assert [(row["by"], row["label"]) for row in feedback.rows(workspace)] == [
        ("ada", False), ("ben", True)]  # fmt: skip
