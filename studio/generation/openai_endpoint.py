"""A column answered by an OpenAI-compatible server: vLLM, llama.cpp, a hosted model.

Each such column has its own thread, which only waits for the network; the worker stays free.
The address and the key come from the environment: `STUDIO_ENDPOINT_URL` (for example
http://127.0.0.1:8000/v1) and `STUDIO_ENDPOINT_KEY`. The key is sent to that address only and is
never stored or logged. https://platform.openai.com/docs/api-reference/chat

Why not a client library (tried with huggingface_hub 2.4.0 and openai 3.57.0):

- `huggingface_hub.InferenceClient` refuses every request when HF_HUB_OFFLINE=1, a server on this
  machine included; without a key it sends the machine's Hub token to the address
  (`_prepare_api_key`: `api_key or get_token()`); and it has no raw completions.
- `openai` passes the older tests (save one that calls `_headers`) with 26 fewer lines, for three
  more packages and 0.33 s of import. It builds streamed events unchecked: a wrong type in one is a
  TypeError later (test_an_event_that_makes_no_sense_ends_the_answer_with_a_sentence).
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydantic import BaseModel, ValidationError

from studio.core import answers, rendering
from studio.core.errors import Cancelled, ConfigError, ModelError
from studio.core.formatting import one_line
from studio.core.messages import Message, kwargs_of, tools_of
from studio.generation.request import Column, Generation, Sampling

URL, KEY = "STUDIO_ENDPOINT_URL", "STUDIO_ENDPOINT_KEY"
_LONGEST_LINE = 1 << 20  # characters; an event carries some tokens
_CONCURRENT = 4  # requests to one server at a time
_REFRESH = 0.08  # seconds between updates of a cell


class _Function(BaseModel):
    name: str | None = None
    arguments: str | None = None


class _Call(BaseModel):
    """A piece of a call; pieces of one call have its `index`."""

    index: int = 0
    function: _Function = _Function()


class _Delta(BaseModel):
    """Thinking is `reasoning_content` in vLLM and llama.cpp, `reasoning` in OpenRouter."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(BaseModel):
    """`delta` in a chat, `text` in a raw completion."""

    text: str | None = None
    delta: _Delta | None = None
    finish_reason: str | None = None

    @property
    def piece(self) -> str:
        return self.text or (self.delta.content if self.delta else None) or ""

    @property
    def thought(self) -> str:
        return (self.delta and (self.delta.reasoning_content or self.delta.reasoning)) or ""


class _Details(BaseModel):
    reasoning_tokens: int | None = None


class _Usage(BaseModel):
    completion_tokens: int | None = None
    completion_tokens_details: _Details | None = None


class _Event(BaseModel):
    """What is read of one streamed event; servers add fields of their own."""

    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: object = None


def address() -> str | None:
    """The configured server's address, or None."""
    return os.environ.get(URL, "").strip().rstrip("/") or None


def column(model: str, label: str = "") -> Column:
    """A column for a model on the configured server; `ConfigError` when none is configured."""
    url = address()
    if url is None:
        raise ConfigError(
            f"api:{model} names a model on a server, but no server is configured; start the studio "
            f"with {URL} (for example http://127.0.0.1:8000/v1), and {KEY} if it needs a key."
        )
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{URL} must begin with http:// or https://.")
    return Column(model, label=label or model, endpoint=url)


def start(generation: Generation, columns: list[int]) -> None:
    """Answer these columns in threads of their own; each finishes its share of the generation."""
    for at in columns:
        threading.Thread(
            target=_column, args=(generation, at), name=f"studio-endpoint-{at}", daemon=True
        ).start()


def _column(generation: Generation, at: int) -> None:
    generation.begin()
    try:
        limits = httpx.Timeout(120.0, connect=10.0)
        with httpx.Client(timeout=limits) as client, ThreadPoolExecutor(_CONCURRENT) as pool:
            prompts = range(len(generation.request.prompts))
            list(pool.map(lambda prompt: _cell(generation, at, prompt, client), prompts))
    finally:
        generation.end_part()


def _cell(generation: Generation, at: int, prompt: int, client: httpx.Client) -> None:
    if generation.cancelled:
        return
    try:
        _answer(generation, at, prompt, client)
    except Cancelled:
        generation.put(at, prompt, ended="cancelled")
    except (ModelError, httpx.HTTPError, ValueError) as error:
        generation.put(at, prompt, ended="error", error=_sentence(error))


def _sentence(error: Exception) -> str:
    if isinstance(error, ModelError):
        return str(error)
    if isinstance(error, httpx.TimeoutException):
        return "The server did not answer in time; try again, or ask for a shorter answer."
    if isinstance(error, httpx.HTTPError):
        return f"The server cannot be reached ({type(error).__name__}); check {URL}."
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "event"
        return f"The server's answer cannot be read: {where}: {first['msg'].lower()}."
    return f"The server's answer cannot be read: {error}."


def _answer(generation: Generation, at: int, prompt: int, client: httpx.Client) -> None:
    request = generation.request
    chosen = request.columns[at]
    asked = chosen.prompts[prompt] if chosen.prompts else request.prompts[prompt]
    path, body = _body(chosen, asked, chosen.sampling or request.sampling, request.raw)
    sent = body.get("prompt") or json.dumps(body.get("messages"), ensure_ascii=False, indent=1)
    generation.put(at, prompt, prompt_text=sent)
    written, seen = _Written(), 0.0
    url = f"{chosen.endpoint}/{path}"
    with client.stream("POST", url, json=body, headers=_headers(chosen.endpoint)) as response:
        if response.status_code != 200:
            response.read()
            raise ModelError(_refused(response))
        for event in _events(response):
            if generation.cancelled:
                generation.put(at, prompt, **written.cell())
                raise Cancelled("stopped")
            written.add(event)
            if time.monotonic() - seen > _REFRESH:
                seen = time.monotonic()
                generation.put(at, prompt, **written.cell())
    generation.put(at, prompt, **written.cell(), ended=written.ended)


@dataclass
class _Written:
    """An answer as its events come in: text, thinking sent apart, and calls sent apart."""

    text: str = ""
    reasoning: str = ""
    tokens: int = 0
    thinking_tokens: int = 0
    ended: str = "stop"
    calls: dict[int, tuple[str, str]] = field(default_factory=dict)

    def add(self, event: _Event) -> None:
        for choice in event.choices:
            self.text += choice.piece
            self.reasoning += choice.thought
            self.tokens += bool(choice.piece or choice.thought)
            self.thinking_tokens += bool(choice.thought)
            if choice.finish_reason:
                self.ended = "length" if choice.finish_reason == "length" else "stop"
            for call in (choice.delta and choice.delta.tool_calls) or ():
                name, arguments = self.calls.get(call.index, ("", ""))
                more = call.function
                self.calls[call.index] = (
                    name + (more.name or ""),
                    arguments + (more.arguments or ""),
                )
        if event.usage:
            details = event.usage.completion_tokens_details
            self.tokens = event.usage.completion_tokens or self.tokens
            self.thinking_tokens = (details and details.reasoning_tokens) or self.thinking_tokens

    def cell(self) -> dict[str, Any]:
        """The fields of the answer's cell; a server that leaves thinking in the text is read."""
        begun = "</think>" in self.text and "<think>" not in self.text
        found = answers.read(self.text, "<think>" if begun else "")
        calls = [answers.call_text(name, body) for name, body in self.calls.values()]
        return {
            "text": "\n".join(part for part in (found.text, *calls) if part),
            "reasoning": self.reasoning.strip() or found.reasoning,
            "thinking": found.cut or bool(self.reasoning and not self.text and not calls),
            "tokens": self.tokens,
            "reasoning_tokens": self.thinking_tokens,
        }


def _body(
    chosen: Column, asked: list[Message] | str, sampling: Sampling, raw: bool
) -> tuple[str, dict[str, Any]]:
    """Path and JSON body; settings that OpenAI's own API rejects are sent only when changed."""
    body: dict[str, Any] = {
        "model": chosen.model,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_new_tokens,
        "seed": sampling.seed,
    }
    defaults = Sampling()
    for name in ("top_k", "min_p", "repetition_penalty"):
        if getattr(sampling, name) != getattr(defaults, name):
            body[name] = getattr(sampling, name)
    if sampling.stop_strings:
        body["stop"] = list(sampling.stop_strings)
    if raw:
        return "completions", body | {
            "prompt": asked if isinstance(asked, str) else asked[-1]["content"]
        }
    messages = [{"role": "user", "content": asked}] if isinstance(asked, str) else _sent(asked)
    if tools := tools_of(asked):
        body["tools"] = tools
    if kwargs := kwargs_of(asked):
        body[rendering.COLUMN] = kwargs
    if not any(str(turn.get("content") or "").strip() for turn in messages):
        raise ModelError("The prompt is empty; type something first.")
    return "chat/completions", body | {"messages": messages}


def _sent(messages: list[Message]) -> list[Message]:
    """Messages as OpenAI's protocol has them: a call's arguments as text, every call with an id."""
    found, last = [], ""
    for at, message in enumerate(messages):
        if message.get("tool_calls"):
            calls = [_call(call, f"call_{at}_{n}") for n, call in enumerate(message["tool_calls"])]
            message, last = {**message, "tool_calls": calls}, calls[0]["id"]
        elif message["role"] == "tool":
            message = {"tool_call_id": last, **message}
        found.append(message)
    return found


def _call(call: dict[str, Any], key: str) -> dict[str, Any]:
    function = call.get("function") or call
    given = function.get("arguments") or {}
    body = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
    made = {"type": "function", "function": {"name": function["name"], "arguments": body}}
    return {"id": call.get("id") or key, **made}


def _headers(url: str | None) -> dict[str, str]:
    key = os.environ.get(KEY, "").strip()
    return {"Authorization": f"Bearer {key}"} if key and url == address() else {}


def _events(response: httpx.Response) -> Iterator[_Event]:
    """The server-sent events of a streamed answer, up to `[DONE]`."""
    answered = ended = False
    for line in _lines(response):
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        answered = True
        event = _Event.model_validate_json(data)
        if event.error:
            raise ModelError(f"The server stopped: {_message(event.error)}.")
        ended = ended or any(choice.finish_reason for choice in event.choices)
        yield event
    if answered and not ended:
        raise ModelError("The server's answer broke off before its end; ask again.")
    if not answered:
        raise ModelError(
            "The server's answer is no stream of events; check that the address is that of an "
            "OpenAI-compatible server."
        )


def _lines(response: httpx.Response) -> Iterator[str]:
    """The lines of a stream; `ModelError` for one without end, which would fill the memory."""
    held = ""
    for piece in response.iter_text():
        *whole, held = (held + piece).split("\n")
        yield from whole
        if len(held) > _LONGEST_LINE:
            raise ModelError("The server sent a line that does not end; look at what it runs.")
    yield held


def _refused(response: httpx.Response) -> str:
    if response.status_code in (401, 403):
        return f"The server refuses the key ({response.status_code}); check {KEY}."
    try:
        reason = _message(response.json().get("error"))
    except (ValueError, AttributeError):
        reason = response.reason_phrase
    return f"The server answered {response.status_code}: {reason}."


def _message(error: Any) -> str:
    text = error.get("message") if isinstance(error, dict) else error
    said = " ".join(str(text or "no reason given").split())
    key = os.environ.get(KEY, "").strip()
    if key:  # some servers repeat the key they refuse
        said = said.replace(key, "***")
    return one_line(said)[:200].rstrip(".")
