"""`/v1/models`, `/v1/chat/completions`, `/v1/embeddings` and `/v1/feedback` on the running app, for
OpenAI's clients.

Off unless `STUDIO_SERVE_KEYS` names keys. A key is a person: an owner may ask without limits,
everybody else within a visitor's allowance (`components.ui.visitor_quota`). The `Gate` stands
before these routes as before all others.
"""

from __future__ import annotations

import asyncio
import functools
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from components.ui import access
from components.ui.visitor_quota import Visits
from studio.core.errors import ConfigError, DataError, StudioError
from studio.generation.request import Answer, GenerationRequest
from studio.labels import feedback, pairs_from_texts
from studio.labels.answer_source import source_of
from studio.workflows import chat_api, embeddings
from studio.workflows.chat_api import Batcher, ChatRequest, Reply, Ticket
from studio.workflows.embeddings import EmbeddingRequest

if TYPE_CHECKING:
    from studio import Studio

LARGEST = 8 << 20  # bytes of a request
REMEMBERED = 1000  # answers that can be rated
RATINGS = 20  # of one answer, pairs included: each is kept on disk
PROJECT = "Answers over the API"
_POLL = 0.05
Handler = Callable[[Request], Awaitable[Response]]


class Feedback(BaseModel):
    """A thumb on one answer, or two answers to one prompt that somebody is to compare."""

    id: str = ""
    rating: Literal["up", "down"] | None = None
    comment: str = Field(default="", max_length=2000)
    pair: list[str] = Field(default=[], max_length=2)


@dataclass
class _Given:
    """An answer that was given, to whom, and how often it was rated."""

    by: str
    ticket: Ticket
    answer: Answer
    model: str
    rated: int = 0


class Refused(Exception):
    """An answer in OpenAI's form of an error."""

    def __init__(self, status: int, message: str, code: str = ""):
        super().__init__(message)
        kind = "invalid_request_error" if status < 500 else "server_error"
        said = {"error": {"message": message, "type": kind, "param": None, "code": code or None}}
        self.response = JSONResponse(said, status)


def routes(studio: Studio) -> list[Route]:
    """The routes; none where no key is set."""
    if not access.serve_keys():
        return []
    served = _Endpoint(studio)
    return [
        Route("/v1/models", keyed(served.models), methods=["GET"]),
        Route("/v1/chat/completions", keyed(served.complete), methods=["POST"]),
        Route("/v1/embeddings", keyed(served.embed), methods=["POST"]),
        Route("/v1/feedback", keyed(served.rate), methods=["POST"]),
    ]


def keyed(handler: Handler) -> Handler:
    """The handler for requests that carry a key; errors as OpenAI's clients read them."""

    @functools.wraps(handler)
    async def call(request: Request) -> Response:
        if access.key_holder(request) is None:
            said = "Send one of the keys in STUDIO_SERVE_KEYS as `Authorization: Bearer KEY`."
            return Refused(401, said, "invalid_api_key").response
        try:
            return await handler(request)
        except Refused as refused:
            return refused.response
        except StudioError as error:
            return Refused(400, str(error)).response

    return call


async def body(request: Request, model: type[Any]) -> Any:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise Refused(415, "Send the request as application/json.")
    found = bytearray()
    async for piece in request.stream():
        found += piece
        if len(found) > LARGEST:
            raise Refused(413, f"A request has at most {LARGEST >> 20} MB.")
    try:
        value = json.loads(found)
        if b"\\u" in found:  # half a character, which nothing can write down
            json.dumps(value, ensure_ascii=False).encode()
        return model.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the body"
        raise Refused(400, f"{where}: {first['msg'].lower()}.") from None
    except (ValueError, RecursionError):
        raise Refused(400, "The body is no JSON object.") from None


class _Endpoint:
    """The handlers over one studio."""

    def __init__(self, studio: Studio):
        self.studio, self.visits = studio, Visits(studio)
        self.batcher = Batcher(studio.generate)
        self.given: OrderedDict[str, _Given] = OrderedDict()

    async def models(self, request: Request) -> Response:
        names = await run_in_threadpool(chat_api.models, self.studio)
        found = [
            {"id": name, "object": "model", "created": 0, "owned_by": choice.partition(":")[0]}
            for name, choice in names.items()
        ]
        encoders = await run_in_threadpool(embeddings.models, self.studio)
        found += [
            {"id": name, "object": "model", "created": 0, "owned_by": "run"} for name in encoders
        ]
        return JSONResponse({"object": "list", "data": found})

    async def embed(self, request: Request) -> Response:
        """Vectors of texts, by an embedding run."""
        asked: EmbeddingRequest = await body(request, EmbeddingRequest)
        job = await run_in_threadpool(self._embedding, asked)
        try:
            while not job.finished:
                if await request.is_disconnected():
                    return Response(status_code=499)
                await asyncio.sleep(_POLL)
        finally:
            job.cancel()
        if job.error:
            raise Refused(400, job.error)
        return JSONResponse(embeddings.reply(asked, job.result()))

    def _embedding(self, asked: EmbeddingRequest) -> embeddings.Embedding:
        """The request in the queue, within the limits of whoever asks."""
        known = embeddings.models(self.studio)
        if asked.model not in known:
            names = ", ".join(known) or "none; train one with objective embedding"
            said = f"There is no embedding model {asked.model!r:.80}; there are {names}."
            raise Refused(404, said, "model_not_found")
        try:
            self.visits.admit_texts(asked.texts)
        except DataError as error:
            raise Refused(429, str(error), "rate_limit_exceeded") from None
        run = self.studio.runs.get(known[asked.model])
        side = asked.input_type or "plain"
        job = embeddings.embed(self.studio, run, asked.texts, side, dimensions=asked.dimensions)
        self.visits.waits_for(lambda: job.finished)
        return job

    async def complete(self, request: Request) -> Response:
        asked: ChatRequest = await body(request, ChatRequest)
        ticket = await run_in_threadpool(self._admitted, asked)
        reply = Reply(asked)
        if asked.stream:
            events = self._events(asked, reply, ticket, access.login())
            return StreamingResponse(events, media_type="text/event-stream")
        try:
            answer = ticket.answer()
            while answer.ended is None:
                if await request.is_disconnected():
                    return Response(status_code=499)
                await asyncio.sleep(_POLL)
                answer = ticket.answer()
        finally:
            ticket.drop()
        if answer.ended == "error":
            raise Refused(500, answer.error or "The answer broke off.")
        usage, logprobs = await run_in_threadpool(self._figures, asked, ticket, answer)
        self._remember(reply, _Given(access.login(), ticket, answer, asked.model))
        return JSONResponse(reply.whole(answer, usage, logprobs))

    def _admitted(self, asked: ChatRequest) -> Ticket:
        """The request in the queue, within the limits of whoever asks."""
        column = chat_api.column(self.studio, asked.model)
        if column is None:
            known = ", ".join(chat_api.models(self.studio))
            said = f"There is no model {asked.model!r:.80}; there are {known}."
            raise Refused(404, said, "model_not_found")
        try:
            prompt, sampling = asked.prompt(), asked.sampling()
            self.visits.admit(GenerationRequest((prompt,), (column,), sampling))
        except DataError as error:
            raise Refused(429, str(error), "rate_limit_exceeded") from None
        ticket = self.batcher.submit(column, prompt, sampling)
        self.visits.waits_for(lambda: ticket.answer().ended is not None or ticket.dropped)
        return ticket

    async def _events(
        self, asked: ChatRequest, reply: Reply, ticket: Ticket, by: str
    ) -> AsyncIterator[bytes]:
        """The stream; a client that leaves takes its request back."""
        try:
            yield _event(reply.begun())
            answer = Answer()
            while answer.ended is None:
                await asyncio.sleep(_POLL)
                answer = ticket.answer()
                if answer.ended == "error":
                    yield _failed(answer.error or "The answer broke off.")
                    return
                if (more := reply.more(answer)) is not None:
                    yield _event(more)
            try:
                usage, logprobs = await run_in_threadpool(self._figures, asked, ticket, answer)
            except StudioError as error:  # the stream has begun: no other status can be sent
                yield _failed(str(error))
                return
            self._remember(reply, _Given(by, ticket, answer, asked.model))
            yield _event(reply.ended(answer, logprobs))
            if (asked.stream_options or {}).get("include_usage"):
                yield _event(reply.counted(usage))
            yield b"data: [DONE]\n\n"
        finally:
            ticket.drop()

    def _figures(self, asked: ChatRequest, ticket: Ticket, answer: Answer) -> tuple[Any, Any]:
        usage = chat_api.usage(self.studio, ticket.column, answer)
        if not asked.logprobs:
            return usage, None
        return usage, chat_api.logprobs(self.studio, ticket, answer, asked.top_logprobs or 0)

    def _remember(self, reply: Reply, given: _Given) -> None:
        self.given[reply.id] = given
        while len(self.given) > REMEMBERED:
            self.given.popitem(last=False)

    async def rate(self, request: Request) -> Response:
        """Keep a thumb as a row for KTO, or two answers as a pair to label."""
        asked: Feedback = await body(request, Feedback)
        if asked.pair:
            return JSONResponse(await run_in_threadpool(self._to_label, asked.pair))
        if asked.rating is None:
            raise Refused(400, 'Send "id" with "rating" up or down, or "pair" with two ids.')
        await run_in_threadpool(self._keep, asked)
        return JSONResponse({"id": asked.id, "rating": asked.rating, "kept": True})

    def _keep(self, asked: Feedback) -> None:
        given = self._own(asked.id)
        row = {
            "id": asked.id,
            "prompt": [dict(turn) for turn in given.ticket.prompt],
            "completion": [{"role": "assistant", "content": given.answer.written}],
            "label": asked.rating == "up",
            "model": given.model,
            "by": given.by,
            "comment": asked.comment,
            "time": time.time(),
        }
        feedback.keep(self.studio.workspace, row)

    def _own(self, identifier: str) -> _Given:
        given = self.given.get(identifier)
        if given is None or given.by != access.login():
            last = f"the last {REMEMBERED:,} answers can be rated, by whoever got them"
            raise Refused(404, f"There is no answer {identifier!r:.60}: {last}.")
        given.rated += 1
        if given.rated > RATINGS:
            said = f"An answer is rated at most {RATINGS} times."
            raise Refused(429, said, "rate_limit_exceeded")
        return given

    def _to_label(self, pair: list[str]) -> dict[str, Any]:
        if len(pair) != 2:
            raise Refused(400, "A pair has two answers.")
        first, second = map(self._own, pair)
        if first.ticket.prompt != second.ticket.prompt:
            raise Refused(400, "The two answers are to different prompts.")
        runs, labels = self.studio.runs, self.studio.labels
        sources = [source_of(runs, one.ticket.column, one.ticket.sampling)
                   for one in (first, second)]  # fmt: skip
        items, aside = pairs_from_texts(
            [first.ticket.prompt],
            [first.answer.written],
            [second.answer.written],
            sources[0],
            sources[1],
            {"served": pair, "by": first.by},
        )
        names = {project.name for project in labels.projects()}
        project = labels.get(PROJECT) if PROJECT in names else labels.create_project(PROJECT)
        added = labels.add_items(project.id, items)
        return {"project": project.name, "added": added.added, "set_aside": sum(aside.values())}


def _event(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def _failed(message: str) -> bytes:
    return _event({"error": {"message": message, "type": "server_error", "code": None}})


def check() -> None:
    """Refuse keys that can be guessed, or that two people share."""
    keys = access.serve_keys()
    if any(len(key) < access.SHORTEST_KEY for key in keys) or any(not who for who in keys.values()):
        raise ConfigError(
            "STUDIO_SERVE_KEYS takes NAME:KEY, several separated by commas, each key of at least "
            f"{access.SHORTEST_KEY} characters."
        )
