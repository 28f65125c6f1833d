"""A judge as a reward: a model gives every answer a score from 1 to 10 by a rubric.

    score = JudgeReward(column, "Is it polite?", 1024, ask, cache)
    score(prompts, answers)        # a number from 0 to 1 each

A score is read after the judge's thinking, for which it has the budget of tokens that is given. A
reply without a score counts 0 and says so. Scores are kept by content: the same judge is not asked
about the same answer to the same prompt again.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from studio.core.answers import said
from studio.core.errors import ModelError
from studio.core.formatting import one_line
from studio.core.json_values import as_object, loads
from studio.core.messages import Message, tools_of
from studio.core.quoted import quoted, rule
from studio.generation.request import (
    Answer,
    Column,
    Generation,
    GenerationRequest,
    Sampling,
    Snapshot,
)
from studio.rewards.checkers import Mark
from studio.rewards.spec import parse
from studio.rewards.weighted import Scorer

if TYPE_CHECKING:
    from studio.models.pool import ModelPool
    from studio.runs.store import RunStore

Ask = Callable[[GenerationRequest], Snapshot]
RUBRIC = "How correct, complete and helpful is the answer to the person who asked?"
BUDGET = 1024
_INSTRUCTION = """\
Rate an answer to a conversation by this rubric.

[Rubric]
{rubric}

{rule}

{conversation}

[Answer]
{answer}

Length alone earns nothing. End your reply with the score, a whole number from 1 (worst) to 10 \
(best), in double brackets, such as [[5]]."""
_BRACKETED = re.compile(r"\[\[\s*(\d{1,2})(?:\s*/\s*10)?\s*\]\]")
_ALONE = re.compile(r"\W*(?:(?i:score|rating)\W*)?(\d{1,2})(?:\s*/\s*10)?\W*")


def read_score(reply: str) -> int | None:
    """The score of a reply without its thinking; None where it holds none from 1 to 10."""
    bracketed = _BRACKETED.findall(reply)
    alone = _ALONE.fullmatch(reply)
    found = int(bracketed[-1]) if bracketed else int(alone[1]) if alone else 0
    return found if 1 <= found <= 10 else None


class JudgeReward:
    """Scores answers by asking a column; a `Scorer` of `studio.rewards`."""

    def __init__(self, column: Column, rubric: str, budget: int, ask: Ask, cache: Path):
        """`ask` answers a request to its end; `cache` is a folder, made when first needed."""
        self._column, self._ask, self._budget = column, ask, budget
        self._rubric = rubric.strip() or RUBRIC
        who = [column.model, column.run, column.checkpoint, column.endpoint, self._rubric, budget]
        who.append(_INSTRUCTION)  # asked otherwise, a judge may say something else
        self._file = cache / f"{_digest(who)}.jsonl"
        self._known: dict[str, int] = {}
        if self._file.is_file():
            for line in self._file.read_text(encoding="utf-8").splitlines():
                one = as_object(loads(line)) or {}  # a line may be torn by a crash
                if isinstance(one.get("score"), int):
                    self._known[str(one.get("key"))] = one["score"]

    def __call__(self, prompts: Sequence[list[Message]], answers: Sequence[str]) -> list[Mark]:
        """A mark from 0 to 1 for each; raises `ModelError` where the judge cannot be asked."""
        keys = [_digest([prompt, answer]) for prompt, answer in zip(prompts, answers, strict=True)]
        new = {
            key: at for at, key in enumerate(keys) if key not in self._known and answers[at].strip()
        }
        replies = self._replies([(prompts[at], answers[at]) for at in new.values()])
        cells = dict(zip(new, replies, strict=True))
        self._keep({k: n for k, cell in cells.items() if (n := read_score(cell.text)) is not None})
        return [
            self._mark(key, cells.get(key), answer)
            for key, answer in zip(keys, answers, strict=True)
        ]

    def _mark(self, key: str, cell: Answer | None, answer: str) -> Mark:
        if key in self._known:
            return Mark((self._known[key] - 1) / 9)
        if cell is None:
            return Mark(0.0, "An empty answer is not shown to the judge.")
        if cell.cut_thought:
            return Mark(0.0, "The judge's thinking was cut; raise judge_max_new_tokens.")
        return Mark(0.0, f"The judge's reply holds no score: {one_line(cell.text)[:80]!r}.")

    def _replies(self, cases: Sequence[tuple[list[Message], str]]) -> list[Answer]:
        if not cases:
            return []
        prompts = tuple(self._asked(prompt, answer) for prompt, answer in cases)
        # Greedy: the same judge says the same again.
        sampling = Sampling(max_new_tokens=self._budget)
        found = self._ask(GenerationRequest(prompts, (self._column,), sampling))
        if found.failure:
            name = self._column.label or self._column.model
            raise ModelError(f"The judge {name} could not be asked: {found.failure}")
        return found.answers[0]

    def _asked(self, prompt: Sequence[Message], answer: str) -> list[Message]:
        turns = [(str(turn["role"]), said(turn)) for turn in prompt]
        if tools := tools_of(prompt):
            turns.insert(0, ("tools", json.dumps(tools, ensure_ascii=False)))
        mark, (answer, *texts) = quoted([answer, *(text for _, text in turns)])
        shown = [f"[{role}]\n{text}" for (role, _), text in zip(turns, texts, strict=True)]
        text = _INSTRUCTION.format(
            rubric=self._rubric, rule=rule(mark), conversation="\n\n".join(shown), answer=answer
        )
        return [{"role": "user", "content": text}]

    def _keep(self, scores: Mapping[str, int]) -> None:
        if not scores:
            return
        self._known.update(scores)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps({"key": key, "score": score}) for key, score in scores.items())
        with self._file.open("a", encoding="utf-8") as file:
            file.write("\n".join(["", *lines]))  # after a torn line a new one begins


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


# ---- judges by their names ----------------------------------------------------------------------


def named_column(name: str, runs: RunStore) -> Column:
    """A run, `run:RUN`, `base:MODEL` or `api:MODEL` as a column; `ConfigError` for what is none."""
    kind, _, rest = name.partition(":")
    if kind == "api" and rest:
        from studio.generation import openai_endpoint

        return openai_endpoint.column(rest)
    if kind == "base" and rest:
        return Column(rest)
    run = runs.get(rest if kind == "run" and rest else name)
    return Column(run.model, run.id, run.name)


def scorers(
    texts: Sequence[str], rubric: str, budget: int, runs: RunStore, ask: Ask, cache: Path
) -> dict[str, Scorer]:
    """The judges of a reward, by the terms that name them."""
    return {
        part.text: JudgeReward(named_column(part.judge, runs), rubric, budget, ask, cache / "judge")
        for part in parse(texts)
        if part.judge
    }


def ask_here(pool: ModelPool, runs: RunStore) -> Ask:
    """Asking from within the worker's thread, which cannot wait for a job of its own."""

    def ask(request: GenerationRequest) -> Snapshot:
        from studio.generation import engine, openai_endpoint

        request.check()
        generation = Generation(request)
        elsewhere = [at for at, column in enumerate(request.columns) if column.endpoint]
        if elsewhere:
            generation.parts += len(elsewhere)
            openai_endpoint.start(generation, elsewhere)
        generation.run(lambda: engine.generate(generation, pool, runs))
        generation.wait()
        return generation.snapshot()

    return ask
