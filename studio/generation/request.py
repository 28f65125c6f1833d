"""What to generate, and the live handle of a generation. No torch: for pages and shells too."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from studio.core.answers import AnswerParts, with_thought
from studio.core.call_forms import ToolCall
from studio.core.errors import ConfigError, StudioError
from studio.core.jobs import Job
from studio.core.messages import Message, kwargs_of, tools_of

logger = logging.getLogger(__name__)
LIVE = "live"
MOST_CHARACTERS = 4_000_000  # of one prompt: half a million tokens of text
MOST_STOPS, LONGEST_STOP = 4, 64


def check_temperature(value: float) -> float:
    """0, or enough that scores divided by it are numbers still."""
    if 0 < value < 0.01:
        raise ValueError("it should be 0 or at least 0.01")
    return value


class Sampling(BaseModel):
    """How the next token is chosen, under transformers' names. Temperature 0 is greedy.

    `cache_implementation` "static" takes room for all keys and values at once, where transformers
    compiles the decoding step on a CUDA device: seconds at first, then less time a token. Rows of
    several adapters in one batch are decoded with it too, but not compiled.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: Annotated[float, AfterValidator(check_temperature)] = Field(
        default=0.0, ge=0, le=5
    )
    top_p: float = Field(default=1.0, gt=0, le=1)
    top_k: int = Field(default=0, ge=0)
    min_p: float = Field(default=0.0, ge=0, le=1)
    repetition_penalty: float = Field(default=1.0, ge=0.1, le=5)
    max_new_tokens: int = Field(default=128, ge=1, le=8192)
    stop_strings: tuple[str, ...] = ()
    seed: int = Field(default=0, ge=0)
    cache_implementation: Literal["dynamic", "static"] = "dynamic"


SAMPLING_PRESETS: dict[str, Sampling] = {
    "greedy": Sampling(),
    "balanced": Sampling(temperature=0.7, top_p=0.9),
    "creative": Sampling(temperature=1.1, min_p=0.05),
    "workshop": Sampling(temperature=0.3, top_p=0.9, repetition_penalty=1.2, max_new_tokens=100),
    "workshop min-p": Sampling(temperature=1.5, min_p=0.1),
}


@dataclass(frozen=True)
class Column:
    """One model that answers: a base, or a run's result on top of its base.

    `checkpoint` is the step of one of the run's checkpoints, or `LIVE` for a run in progress as of
    its last step. With `endpoint`, an OpenAI-compatible address, `model` is a name known there.

    `sampling` overrides the request's, so that one model can stand in two columns; `prompts`, as
    many as the request's, does so for a column with a conversation of its own.
    """

    model: str
    run: str | None = None
    label: str = ""
    checkpoint: int | str | None = None
    endpoint: str | None = None
    sampling: Sampling | None = None
    prompts: tuple[list[Message] | str, ...] | None = None


@dataclass(frozen=True)
class GenerationRequest:
    """Prompts (a list of messages each, or plain text when `raw`) for every column."""

    prompts: tuple[list[Message] | str, ...]
    columns: tuple[Column, ...]
    sampling: Sampling = field(default_factory=Sampling)
    raw: bool = False
    batch_size: int = 16

    def check(self, most: int = MOST_CHARACTERS) -> None:
        """Raise `ConfigError` for what no model could answer, before it takes anybody's turn.

        `most` is the number of characters of one prompt, its system prompt and history included:
        reading them into tokens takes time and memory before their number is known.
        """
        own = [prompt for column in self.columns for prompt in column.prompts or ()]
        longest = max(map(_characters, (*self.prompts, *own)), default=0)
        if longest > most:
            raise ConfigError(
                f"The prompt has {longest:,} characters with its history; "
                f"at most {most:,} are read. Shorten it."
            )
        for sampling in (self.sampling, *(each.sampling for each in self.columns)):
            stops = sampling.stop_strings if sampling else ()
            if len(stops) > MOST_STOPS or any(len(stop) > LONGEST_STOP for stop in stops):
                raise ConfigError(
                    f"Give at most {MOST_STOPS} stop strings of at most {LONGEST_STOP} characters."
                )


def _characters(prompt: list[Message] | str) -> int:
    if isinstance(prompt, str):
        return len(prompt)
    beside = [value for value in (tools_of(prompt), kwargs_of(prompt)) if value]
    return sum(map(_written, prompt)) + sum(len(json.dumps(value, default=str)) for value in beside)


def _written(turn: Message) -> int:
    """Characters of all that a template may write of a message: its thinking and calls too."""
    texts = [value for key, value in turn.items() if key != "role" and value]
    return sum(
        len(one) if isinstance(one, str) else len(json.dumps(one, default=str)) for one in texts
    )


@dataclass
class Answer:
    """One cell: text so far, its length in tokens, and how it ended (`stop`, `length`, `error`).

    `text` is the answer without its thinking, which is `reasoning`; `tokens` counts both, and
    `reasoning_tokens` the thinking, its marks included. `thinking`: its end is not written yet, or
    never will be.
    """

    text: str = ""
    tokens: int = 0
    ended: str | None = None
    error: str | None = None
    prompt_text: str = ""
    ids: tuple[int, ...] = ()
    """The answer's token ids, thinking included, once it has ended on this machine."""
    reasoning: str = ""
    reasoning_tokens: int = 0
    thinking: bool = False

    @property
    def answer_tokens(self) -> int:
        """Tokens of the answer itself."""
        return self.tokens - self.reasoning_tokens

    @property
    def written(self) -> str:
        """The answer with its thinking before it, between the marks that most models use."""
        return with_thought(self.text, self.reasoning)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        return AnswerParts(self.text).tool_calls

    @property
    def cut_thought(self) -> bool:
        """Whether the answer ended while it was thinking."""
        return self.thinking and self.ended in ("stop", "length", "cancelled")


class MemoryUse(NamedTuple):
    """What answering in a column holds in memory, in bytes; equal `copy`, the same weights."""

    copy: int
    weights: int
    adapter: int


@dataclass
class Snapshot:
    """A consistent copy of a generation's state: `answers[column][prompt]`."""

    answers: list[list[Answer]]
    done: bool
    cancelled: bool
    error: str | None
    seconds: float
    tokens: int
    shared: bool | None
    waiting: bool
    held: list[MemoryUse | None] = field(default_factory=list)
    """For each column; None for one that is served elsewhere, or was not loaded."""

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds if self.seconds > 0 else 0.0

    @property
    def ended(self) -> int:
        """How many answers are written, or will not be."""
        return sum(cell.ended is not None for column in self.answers for cell in column)

    @property
    def failure(self) -> str | None:
        """The first sentence that says why something was not answered."""
        cells = (cell.error for column in self.answers for cell in column if cell.error)
        return self.error or next(cells, None)


@dataclass(eq=False)
class Generation(Job[Snapshot]):
    """A live generation: the worker fills it, pages read `snapshot()`, anyone may `cancel()`."""

    request: GenerationRequest
    kind: str = field(default="generation", kw_only=True)
    shared: bool | None = None
    held: dict[int, MemoryUse] = field(default_factory=dict)
    copies: list[Any] = field(default_factory=list)
    """The keys of the weights that answered, in the order in which they were loaded."""
    parts: int = 1
    """Those who fill it: the worker, and one thread for each column served elsewhere."""
    _answers: list[list[Answer]] = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _failure: str | None = None
    _ended: float | None = None

    def __post_init__(self) -> None:
        self._answers = [[Answer() for _ in self.request.prompts] for _ in self.request.columns]

    # --- the reader's side

    def snapshot(self) -> Snapshot:
        """The state right now; cheap enough for every poll of a page."""
        with self._lock:
            answers = [[replace(cell) for cell in column] for column in self._answers]
        end = self._ended or time.monotonic()
        return Snapshot(
            answers=answers,
            done=self._ended is not None,
            cancelled=self._cancel.is_set(),
            error=self._failure,
            seconds=end - self.started if self.started else 0.0,
            tokens=sum(cell.tokens for column in answers for cell in column),
            shared=self.shared,
            waiting=self.started is None and self._ended is None,
            held=[self.held.get(column) for column in range(len(answers))],
        )

    def watch(self, on_progress: Callable[[Snapshot], None]) -> Snapshot:
        """Tell the state several times a second until it ends; what breaks this off cancels it."""
        try:
            while not self.wait(0.2):
                on_progress(self.snapshot())
        except BaseException:
            self.cancel()
            raise
        return self.snapshot()

    # --- for whoever answers

    def begin(self) -> None:
        self.started = self.started or time.monotonic()

    def put(self, column: int, prompt: int, **changes: Any) -> None:
        """Change one cell."""
        with self._lock:
            for key, value in changes.items():
                setattr(self._answers[column][prompt], key, value)

    def fail_column(self, column: int, sentence: str) -> None:
        """One column cannot answer; the others go on."""
        with self._lock:
            for cell in self._answers[column]:
                if cell.ended is None:
                    cell.ended, cell.error = "error", sentence

    def run(self, work: Callable[[], object]) -> None:
        """Do one part here and now; what goes wrong in it is a sentence in the snapshot."""
        try:
            work()
        except StudioError as error:
            self.end_part(str(error))
        except Exception as error:
            logger.exception("a generation broke off")
            self.end_part(f"The answers broke off with {type(error).__name__}: {error}")
        else:
            self.end_part()

    def end_part(self, error: str | None = None) -> None:
        """One part is done; the last one ends the generation."""
        with self._lock:
            self._failure = self._failure or error
            self.parts -= 1
            if self.parts > 0:
                return
        self._ended = time.monotonic()
        self.finish(self.snapshot())

    def fail(self, error: BaseException) -> None:
        """No part will ever be done."""
        self.parts = 1
        self.end_part(str(error))
