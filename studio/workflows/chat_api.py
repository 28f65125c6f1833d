"""OpenAI's chat completions over the studio's own models: requests read, answered, written back.

    batcher = Batcher(studio.generate)
    ticket = batcher.submit(column(studio, "pocket"), request.prompt(), request.sampling())

Requests that come in together share a batch, each row with its own adapter on the one resident
base. The HTTP side is `components.page.chat_endpoint`.
https://platform.openai.com/docs/api-reference/chat
"""

from __future__ import annotations

import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from studio.core import rendering
from studio.core.answers import AnswerParts
from studio.core.errors import ConfigError, StudioError
from studio.core.json_values import as_list, as_object, loads
from studio.core.messages import Message, Prompt
from studio.core.model_names import POCKET
from studio.core.workspace import secret_id
from studio.generation.request import (
    Answer,
    Column,
    Generation,
    GenerationRequest,
    Sampling,
    check_temperature,
)
from studio.workflows.comparisons import finished, side

if TYPE_CHECKING:
    from studio.engine.studio import Studio

TOGETHER = 0.02  # seconds in which requests join a batch
MOST_ROWS = 16
MOST_ALTERNATIVES = 5
_USUAL_TOKENS = 512
_DEEPEST = 64  # levels of lists and objects, far below where Python's own walkers give up
_NO_ANSWER = "The request could not be answered; the studio's log says why."
Json = dict[str, Any]
logger = logging.getLogger(__name__)


class ChatRequest(BaseModel):
    """The body of `POST /v1/chat/completions`, as far as it is read.

    `top_k`, `min_p`, `repetition_penalty` and `chat_template_kwargs` are vLLM's additions.
    """

    model_config = ConfigDict(extra="ignore")

    model: str = Field(max_length=300)
    messages: list[Json] = Field(min_length=1, max_length=2000)
    stream: bool = False
    stream_options: Json | None = None
    temperature: Annotated[float, AfterValidator(check_temperature)] | None = Field(
        default=None, ge=0, le=2
    )
    top_p: float | None = Field(default=None, gt=0, le=1)
    top_k: int | None = Field(default=None, ge=0, le=2**31 - 1)
    min_p: float | None = Field(default=None, ge=0, le=1)
    repetition_penalty: float | None = Field(default=None, ge=0.1, le=5)
    max_tokens: int | None = Field(default=None, ge=1, le=8192)
    max_completion_tokens: int | None = Field(default=None, ge=1, le=8192)
    seed: int | None = Field(default=None, ge=0, le=2**63 - 1)
    stop: str | list[str] | None = None
    n: Literal[1] | None = None
    tools: list[Json] | None = Field(default=None, max_length=128)
    tool_choice: Literal["none", "auto"] | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=MOST_ALTERNATIVES)
    chat_template_kwargs: Json | None = None
    frequency_penalty: Literal[0] | None = None
    presence_penalty: Literal[0] | None = None

    @property
    def with_tools(self) -> bool:
        return bool(self.tools) and self.tool_choice != "none"

    def sampling(self) -> Sampling:
        """As the engine takes it; a temperature of 1 where none is given, as OpenAI has it."""
        stops = [self.stop] if isinstance(self.stop, str) else self.stop or []
        given = {
            "temperature": 1.0 if self.temperature is None else self.temperature,
            "max_new_tokens": self.max_completion_tokens or self.max_tokens or _USUAL_TOKENS,
            "stop_strings": tuple(stop for stop in stops if stop),
        }
        for name in ("top_p", "top_k", "min_p", "repetition_penalty", "seed"):
            if getattr(self, name) is not None:
                given[name] = getattr(self, name)
        if self.seed is None:  # two requests alike are not to be answered alike
            given["seed"] = secrets.randbits(31)
        return Sampling.model_validate(given)

    def prompt(self) -> list[Message]:
        """The messages as chat templates take them.

        Raises `ConfigError` for what is not text, what is nested too deep, and for a template or
        another argument of the tokenizer's in place of a template's variable.
        """
        given = (self.messages, self.tools, self.chat_template_kwargs)
        if any(map(_too_deep, given)):
            raise ConfigError(f"The request is nested deeper than {_DEEPEST} levels.")
        kwargs = rendering.checked(self.chat_template_kwargs or {}, rendering.COLUMN)
        tools = self.tools if self.with_tools else ()
        return Prompt(map(_turn, self.messages), tools or (), kwargs)


def _too_deep(value: Any, left: int = _DEEPEST) -> bool:
    inside = value.values() if isinstance(value, dict) else as_list(value)
    return inside is not None and (not left or any(_too_deep(one, left - 1) for one in inside))


def _turn(message: Json) -> Message:
    role = str(message.get("role") or "")
    role = "system" if role == "developer" else role
    if role not in ("system", "user", "assistant", "tool"):
        raise ConfigError(f"A message's role is {role!r:.40}; use system, user, assistant or tool.")
    found: Message = {"role": role, "content": _text(message.get("content"))}
    for name in ("name", "tool_call_id", "reasoning_content"):
        if isinstance(message.get(name), str):
            found[name] = message[name]
    if calls := as_list(message.get("tool_calls")):
        found["tool_calls"] = [_call(call) for call in calls]
    return found


def _text(content: Any) -> str:
    if isinstance(content, list):
        parts = [as_object(part) or {} for part in content]
        if any(part.get("type") != "text" for part in parts):
            raise ConfigError("These models read text only; send content of type text.")
        return "\n".join(str(part.get("text") or "") for part in parts)
    if content is not None and not isinstance(content, str):
        raise ConfigError("A message's content is text, or a list of parts of type text.")
    return content or ""


def _call(call: Any) -> Json:
    function = as_object((as_object(call) or {}).get("function")) or {}
    given = function.get("arguments")
    arguments = loads(given) if isinstance(given, str) else given
    named = {"name": str(function.get("name") or ""), "arguments": as_object(arguments) or {}}
    return {"type": "function", "function": named}


# ---- models -------------------------------------------------------------------------------------


def models(studio: Studio) -> dict[str, str]:
    """Name -> column choice of what answers: every base in play, and every finished run by name.

    The newest run of several with one name has it; the others go by their ids.
    """
    runs = finished(studio)
    found = {model: f"base:{model}" for model in [POCKET, *(run.model for run in runs)]}
    for run in runs:
        name = run.id if run.name in found else run.name
        found[name] = f"run:{run.id}"
    return found


def column(studio: Studio, name: str) -> Column | None:
    """The column of a model by name, or of a run by id; None for a name that is not listed."""
    known = models(studio)
    choice = known.get(name) or next((c for c in known.values() if c == f"run:{name}"), None)
    return side(studio, choice).column if choice else None


# ---- answering ----------------------------------------------------------------------------------


@dataclass(eq=False)
class Ticket:
    """One request in a batch: its place in the generation once that has begun."""

    column: Column
    prompt: list[Message]
    sampling: Sampling
    generation: Generation | None = None
    at: int = 0
    error: str = ""
    dropped: bool = False
    sharing: Sequence[Ticket] = field(default=(), repr=False)

    def answer(self) -> Answer:
        """The answer as it stands; an error of the whole batch is its own."""
        if self.generation is None:
            return Answer(ended="error", error=self.error) if self.error else Answer()
        snapshot = self.generation.snapshot()
        found = snapshot.answers[self.at][0]
        if found.ended is None and snapshot.done:
            found.ended, found.error = "error", snapshot.error or "The answer was cancelled."
        return found

    def drop(self) -> None:
        """Nobody waits for it any more; a batch for which nobody does is cancelled."""
        self.dropped = True
        if self.generation is not None and all(one.dropped for one in self.sharing):
            self.generation.cancel()


class Batcher:
    """Collects requests for a moment and answers them in one generation, a column each."""

    def __init__(self, generate: Callable[[GenerationRequest], Generation]):
        self._generate = generate
        self._waiting: list[Ticket] = []
        self._lock = threading.Lock()

    def submit(self, column: Column, prompt: list[Message], sampling: Sampling) -> Ticket:
        """Queue a request; its ticket at once."""
        ticket = Ticket(column, prompt, sampling)
        with self._lock:
            self._waiting.append(ticket)
            if len(self._waiting) == 1:
                threading.Timer(TOGETHER, self._send).start()
        return ticket

    def _send(self) -> None:
        with self._lock:
            everything, self._waiting = self._waiting, []
        wanted = [ticket for ticket in everything if not ticket.dropped]
        for start in range(0, len(wanted), MOST_ROWS):
            self._answer(wanted[start : start + MOST_ROWS])

    def _answer(self, tickets: list[Ticket]) -> None:
        columns = tuple(
            replace(one.column, sampling=one.sampling, prompts=(one.prompt,)) for one in tickets
        )
        try:
            request = GenerationRequest((tickets[0].prompt,), columns, tickets[0].sampling)
            generation = self._generate(request)
        except Exception as error:  # somebody waits: without a word they would wait for good
            if not isinstance(error, StudioError):
                logger.exception("A batch of requests could not begin")
            for ticket in tickets:
                ticket.error = str(error) if isinstance(error, StudioError) else _NO_ANSWER
            return
        for at, ticket in enumerate(tickets):
            ticket.at, ticket.sharing, ticket.generation = at, tickets, generation


# ---- writing ------------------------------------------------------------------------------------


class Reply:
    """An answer in OpenAI's form, whole or piece by piece."""

    def __init__(self, request: ChatRequest):
        self.request = request
        self.id = secret_id("chatcmpl")
        self.created = int(time.time())
        self._sent = {"content": "", "reasoning_content": ""}

    def message(self, answer: Answer) -> Json:
        """The assistant's message: content, thinking and calls apart."""
        parts = AnswerParts(answer.text)
        calls = _calls(parts) if self.request.with_tools else []
        content = parts.spoken if calls else answer.text
        found: Json = {"role": "assistant", "content": content or (None if calls else "")}
        if answer.reasoning:
            found["reasoning_content"] = answer.reasoning
        return found | ({"tool_calls": calls} if calls else {})

    def finish_reason(self, answer: Answer) -> str:
        if answer.ended == "length":
            return "length"
        return "tool_calls" if self.message(answer).get("tool_calls") else "stop"

    def whole(self, answer: Answer, usage: Json, logprobs: Json | None) -> Json:
        choice = {
            "index": 0,
            "message": self.message(answer),
            "logprobs": logprobs,
            "finish_reason": self.finish_reason(answer),
        }
        return self._head("chat.completion") | {"choices": [choice], "usage": usage}

    def begun(self) -> Json:
        """The first event of a stream."""
        return self._chunk({"role": "assistant", "content": ""})

    def more(self, answer: Answer) -> Json | None:
        """What was written since; what may turn out to be a call waits for its end."""
        done = answer.ended is not None
        held = self.request.with_tools and not done
        message = self.message(answer)
        delta: Json = {}
        for name, sent in self._sent.items():
            text = message.get(name) or ""
            if name == "content" and held:
                continue
            if len(text) > len(sent) and text.startswith(sent):
                delta[name] = text[len(sent) :]
                self._sent[name] = text
        if done and message.get("tool_calls"):
            calls = message["tool_calls"]
            delta["tool_calls"] = [{"index": at, **call} for at, call in enumerate(calls)]
        return self._chunk(delta) if delta else None

    def ended(self, answer: Answer, logprobs: Json | None) -> Json:
        """The last event with a choice."""
        return self._chunk({}, self.finish_reason(answer), logprobs)

    def counted(self, usage: Json) -> Json:
        """The event with the tokens, for who asked to have them in a stream."""
        return self._head("chat.completion.chunk") | {"choices": [], "usage": usage}

    def _chunk(self, delta: Json, finish: str | None = None, logprobs: Json | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return self._head("chat.completion.chunk") | {"choices": [choice]}

    def _head(self, kind: str) -> Json:
        model = self.request.model
        return {"id": self.id, "object": kind, "created": self.created, "model": model}


def _calls(parts: AnswerParts) -> list[Json]:
    """The calls of an answer that can be made: with a name, and arguments that are an object."""
    return [
        {
            "id": secret_id("call"),
            "type": "function",
            "function": {
                "name": call.name,
                "arguments": json.dumps(call.arguments, ensure_ascii=False),
            },
        }
        for call in parts.tool_calls
        if call.name and call.arguments is not None
    ]


def usage(studio: Studio, column: Column, answer: Answer) -> Json:
    """Tokens of the prompt as rendered, and of the answer with its thinking."""
    tokenizer: Any = studio.tokenizer(column.model)
    asked = len(tokenizer(answer.prompt_text, add_special_tokens=False)["input_ids"])
    return {
        "prompt_tokens": asked,
        "completion_tokens": answer.tokens,
        "total_tokens": asked + answer.tokens,
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
    }


def logprobs(studio: Studio, ticket: Ticket, answer: Answer, most: int) -> Json | None:
    """The log-probability of every token of an answer, before temperature and cuts, and the
    likeliest `most` in its place; None for an answer without tokens."""
    if not answer.ids:
        return None
    reading = studio.read_answer([ticket.column], ticket.prompt, answer.ids).result()
    return {
        "content": [
            _token(token.text, token.logps[0] or 0.0)
            | {"top_logprobs": [_token(*one) for one in token.likeliest[0][:most]]}
            for token in reading.tokens
        ]
    }


def _token(text: str, logprob: float) -> Json:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}
