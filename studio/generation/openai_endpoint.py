"""A column answered by an OpenAI-compatible server: vLLM, llama.cpp, a hosted model.

Each such column has a thread of its own, which only waits for the network; the worker goes on.
The address and the key come from the environment: `STUDIO_ENDPOINT_URL` (such as
http://127.0.0.1:8000/v1) and `STUDIO_ENDPOINT_KEY`. The key goes to that address and to no other,
and is written nowhere. https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from studio.core.errors import Cancelled, ConfigError, ModelError
from studio.core.messages import Message
from studio.generation.request import Column, Generation, Sampling

URL, KEY = "STUDIO_ENDPOINT_URL", "STUDIO_ENDPOINT_KEY"
_AT_ONCE = 4  # prompts asked of one server at a time
_REFRESH = 0.08  # seconds between changes of a cell


def address() -> str | None:
    """The server that this machine is set up for, if any."""
    return os.environ.get(URL, "").strip().rstrip("/") or None


def column(model: str, label: str = "") -> Column:
    """A column for a model of the server in the environment; a sentence where there is none."""
    url = address()
    if url is None:
        raise ConfigError(
            f"api:{model} names a model on a server, and none is set; start the studio with "
            f"{URL} (such as http://127.0.0.1:8000/v1), and {KEY} where it asks for one."
        )
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{URL} must begin with http:// or https://.")
    return Column(model, label=label or model, endpoint=url)


def start(generation: Generation, columns: list[int]) -> None:
    """Answer these columns beside the worker; each ends its part of the generation."""
    for at in columns:
        threading.Thread(
            target=_column, args=(generation, at), name=f"studio-endpoint-{at}", daemon=True
        ).start()


def _column(generation: Generation, at: int) -> None:
    generation.begin()
    try:
        limits = httpx.Timeout(120.0, connect=10.0)
        with httpx.Client(timeout=limits) as client, ThreadPoolExecutor(_AT_ONCE) as several:
            cells = range(len(generation.request.prompts))
            list(several.map(lambda prompt: _cell(generation, at, prompt, client), cells))
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
        return "The server did not answer in time; ask again, or for a shorter answer."
    if isinstance(error, httpx.HTTPError):
        return f"The server cannot be reached ({type(error).__name__}); check {URL}."
    return f"The server's answer cannot be read: {error}."


def _answer(generation: Generation, at: int, prompt: int, client: httpx.Client) -> None:
    request = generation.request
    chosen = request.columns[at]
    asked = chosen.prompts[prompt] if chosen.prompts else request.prompts[prompt]
    path, body = _body(chosen, asked, chosen.sampling or request.sampling, request.raw)
    shown = body.get("prompt") or json.dumps(body.get("messages"), ensure_ascii=False, indent=1)
    generation.put(at, prompt, prompt_text=shown)
    text, tokens, ended, seen = "", 0, "stop", 0.0
    url = f"{chosen.endpoint}/{path}"
    with client.stream("POST", url, json=body, headers=_headers(chosen.endpoint)) as response:
        if response.status_code != 200:
            response.read()
            raise ModelError(_refused(response))
        for event in _events(response):
            if generation.cancelled:
                generation.put(at, prompt, text=text, tokens=tokens)
                raise Cancelled("stopped")
            for choice in event.get("choices") or []:
                piece = choice.get("text") or (choice.get("delta") or {}).get("content") or ""
                text, tokens = text + piece, tokens + bool(piece)
                ended = choice.get("finish_reason") or ended
            tokens = (event.get("usage") or {}).get("completion_tokens") or tokens
            if time.monotonic() - seen > _REFRESH:
                seen = time.monotonic()
                generation.put(at, prompt, text=text, tokens=tokens)
    ended = "length" if ended == "length" else "stop"
    generation.put(at, prompt, text=text, tokens=tokens, ended=ended)


def _body(
    chosen: Column, asked: list[Message] | str, sampling: Sampling, raw: bool
) -> tuple[str, dict[str, Any]]:
    """Path and JSON of the request; what OpenAI's own API does not know goes only where changed."""
    body: dict[str, Any] = {
        "model": chosen.model,
        "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "max_tokens": sampling.max_new_tokens,
        "seed": sampling.seed,
    }
    usual = Sampling()
    for name in ("top_k", "min_p", "repetition_penalty"):
        if getattr(sampling, name) != getattr(usual, name):
            body[name] = getattr(sampling, name)
    if sampling.stop_strings:
        body["stop"] = list(sampling.stop_strings)
    if raw:
        return "completions", body | {
            "prompt": asked if isinstance(asked, str) else asked[-1]["content"]
        }
    messages = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    if not any(str(turn.get("content") or "").strip() for turn in messages):
        raise ModelError("The prompt is empty; type something to answer.")
    return "chat/completions", body | {"messages": messages}


def _headers(url: str | None) -> dict[str, str]:
    key = os.environ.get(KEY, "").strip()
    return {"Authorization": f"Bearer {key}"} if key and url == address() else {}


def _events(response: httpx.Response) -> Iterator[dict[str, Any]]:
    """The server-sent events of a streamed answer, up to [DONE]."""
    for line in response.iter_lines():
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        event = json.loads(data)
        if event.get("error"):
            raise ModelError(f"The server broke off: {_message(event['error'])}.")
        yield event


def _refused(response: httpx.Response) -> str:
    if response.status_code in (401, 403):
        return f"The server refuses the key ({response.status_code}); check {KEY}."
    try:
        said = _message(response.json().get("error"))
    except (ValueError, AttributeError):
        said = response.reason_phrase
    return f"The server answered {response.status_code}: {said}."


def _message(error: Any) -> str:
    said = error.get("message") if isinstance(error, dict) else error
    return " ".join(str(said or "no reason given").split())[:200].rstrip(".")
