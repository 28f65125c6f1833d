"""Self-Instruct: models write instructions from seeds, documents or a topic, then the answers.

Every new instruction must stay under ROUGE-L 0.7 to all before it (Wang et al. 2022,
arXiv:2212.10560) and be no near duplicate. What is kept and what is dropped, and why, is counted.
The work lies in a folder of the workspace, `made/<id>`, after every batch: it can be cancelled and
taken up again.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.core.errors import ConfigError, DataError, ModelError
from studio.core.messages import Message
from studio.core.records import checked, read_json
from studio.core.workspace import new_id, write_durably, write_json
from studio.data.checks.rouge_novelty import Novelty
from studio.data.readers.chunks import Chunking
from studio.data.readers.files import read_file
from studio.generation.request import Answer, GenerationRequest, Sampling
from studio.workflows import self_instruct_prompts as prompts
from studio.workflows.comparisons import side
from studio.workflows.self_instruct_plan import MakePlan, MakeState

if TYPE_CHECKING:
    from studio.data import PreparedDataset
    from studio.data.types import Row
    from studio.engine.studio import Studio

OnProgress = Callable[[int, int | None, str], None]
NOVEL = 0.7
"""ROUGE-L with an earlier instruction from which a new one is dropped."""
_BATCH = 8
_EXAMPLES = 5
_FROM_MADE = 2
_FRUITLESS = 12
"""Batches in a row that gave nothing new, after which it stops."""
_DOCUMENT_TOKENS = 384
_JUDGING = Sampling(max_new_tokens=16)


class Making:
    """One making, new or taken up again; `run` works until it is done, cancelled or fruitless."""

    def __init__(self, studio: Studio, folder: Path, plan: MakePlan):
        self.studio, self.folder, self.plan = studio, folder, plan
        self.state = _state(folder)
        self.rows: list[Row] = _rows(folder)[: self.state.kept]
        # What a batch kept before it broke off is made again with it.
        write_durably(folder / "rows.jsonl", "".join(map(_line, self.rows)))
        self.novelty = Novelty(NOVEL)
        for text in (*plan.seeds, *(row["instruction"] for row in self.rows)):
            self.novelty.add(text)

    @property
    def id(self) -> str:
        return self.folder.name

    def run(self, on_progress: OnProgress) -> PreparedDataset:
        """Write until there are enough rows; they become a dataset.

        Raises `Cancelled` from `on_progress`, with everything kept so far on disk; `ModelError`
        where a model cannot answer; `DataError` where nothing was kept.
        """
        plan, state = self.plan, self.state
        while state.kept < plan.count and state.fruitless < _FRUITLESS:
            on_progress(state.kept, plan.count, state.sentence())
            before = state.kept
            self._batch(on_progress)
            state.batches += 1
            state.fruitless = 0 if state.kept > before else state.fruitless + 1
            self._save()
        if not self.rows:
            raise DataError(f"Nothing was kept. {state.sentence()}")
        return self._dataset()

    # ---- one batch ------------------------------------------------------------------------------

    def _batch(self, on_progress: OnProgress) -> None:
        proposed = self._instructions(on_progress)
        if not proposed:
            return
        asked: list[list[Message]] = [[{"role": "user", "content": one}] for one, _ in proposed]
        answers: list[list[Answer]] = []
        for at, model in enumerate(self.plan.answerers):
            # The second answer of a pair is drawn apart from the first.
            drawn = 0.7 if len(self.plan.answerers) > 1 else 0.0
            sampling = Sampling(
                temperature=drawn, max_new_tokens=self.plan.answer_tokens, seed=self._seed() + at
            )
            answers.append(self._ask(model, asked, sampling, "writing answers", on_progress))
        scores = self._scores(proposed, answers, on_progress)
        for at, (instruction, made_from) in enumerate(proposed):
            if self.state.kept >= self.plan.count:
                self.state.drop("more than asked")
                continue
            said = [column[at] for column in answers]
            row = self._row(instruction, said, [column[at] for column in scores])
            if row is not None:
                self._keep(row | {"made_from": made_from})

    def _instructions(self, on_progress: OnProgress) -> list[tuple[str, str]]:
        """(new instruction, what it was made from) of one batch, the others counted as dropped."""
        drawn = random.Random(f"{self.plan.seed}:{self.state.batches}")
        given = [self._material(drawn) for _ in range(_BATCH)]
        write = prompts.instruction_text if self.plan.continues else prompts.instruction_chat
        asked: list[Any] = [write(self.plan.topic, text, shown) for text, shown, _ in given]
        sampling = Sampling(
            temperature=self.plan.temperature,
            top_p=0.95,
            max_new_tokens=self.plan.max_new_tokens,
            seed=self._seed(),
        )
        replies = self._ask(
            self.plan.writer,
            asked,
            sampling,
            "writing instructions",
            on_progress,
            self.plan.continues,
        )
        found: list[tuple[str, str]] = []
        for reply, (_, _, made_from) in zip(replies, given, strict=True):
            self.state.proposed += 1
            text = prompts.read_instruction(reply.text)
            one_line = len([line for line in reply.text.splitlines() if line.strip()]) <= 1
            reason = prompts.unfit(text, reply.ended == "length" and one_line)
            reason = reason or self.novelty.add(text)
            if reason:
                self.state.drop(reason)
            else:
                found.append((text, made_from))
        return found

    def _material(self, drawn: random.Random) -> tuple[str, list[str], str]:
        """(document, examples, where they are from) of one request."""
        plan = self.plan
        made = [row["instruction"] for row in self.rows]
        shown = drawn.sample(made, min(_FROM_MADE, len(made)))
        shown += drawn.sample(plan.seeds, min(_EXAMPLES - len(shown), len(plan.seeds)))
        drawn.shuffle(shown)
        if not plan.documents:
            return "", shown, "seeds" if plan.seeds else "topic"
        at = drawn.randrange(len(plan.documents))
        return plan.documents[at], shown, f"document chunk {at + 1}"

    def _scores(
        self,
        proposed: Sequence[tuple[str, str]],
        answers: Sequence[Sequence[Answer]],
        on_progress: OnProgress,
    ) -> list[list[float | None]]:
        """The judge's score of every answer, by answering model; None without a judge."""
        if not self.plan.judge:
            return [[None] * len(column) for column in answers]
        found: list[list[float | None]] = []
        for column in answers:
            asked = [
                prompts.judge_chat(instruction, answer.text)
                for (instruction, _), answer in zip(proposed, column, strict=True)
            ]
            replies = self._ask(self.plan.judge, asked, _JUDGING, "judging", on_progress)
            found.append([prompts.read_score(reply.text) for reply in replies])
        self.state.unread_scores += sum(score is None for column in found for score in column)
        return found

    def _row(
        self, instruction: str, said: Sequence[Answer], scores: Sequence[float | None]
    ) -> Row | None:
        """The row of an instruction, or None where its answers make none, which is counted."""
        texts = [answer.text.strip() for answer in said]
        reason = _unanswered(said, texts)
        order = [0, 1][: len(texts)]
        if reason is None and len(texts) == 2 and self.plan.judge:
            first, second = scores
            if first is None or second is None:
                reason = "unjudged"
            elif first == second:
                reason = "judged equal"
            elif first < second:
                order = [1, 0]
        best = scores[order[0]]
        if reason is None and self.plan.min_score and (best is None or best < self.plan.min_score):
            reason = "low score"
        if reason:
            self.state.drop(reason)
            return None
        sides = ("chosen", "rejected") if len(texts) == 2 else ("completion",)
        row: Row = {"instruction": instruction}
        row["prompt"] = [{"role": "user", "content": instruction}]
        for name, at in zip(sides, order, strict=True):
            row[name] = [{"role": "assistant", "content": texts[at]}]
            suffix = f"_{name}" if len(sides) > 1 else ""
            row[f"answered_by{suffix}"] = self.plan.answerers[at]
            if self.plan.judge:
                row[f"score{suffix}"] = scores[at]
        return row | {"written_by": self.plan.writer}

    # ---- models and files -----------------------------------------------------------------------

    def _seed(self) -> int:
        return self.plan.seed + 1000 * self.state.batches

    def _ask(
        self,
        model: str,
        asked: Sequence[Any],
        sampling: Sampling,
        what: str,
        on_progress: OnProgress,
        raw: bool = False,
    ) -> list[Answer]:
        column = side(self.studio, model).column
        request = GenerationRequest(tuple(asked), (column,), sampling, raw=raw, batch_size=_BATCH)
        told = f"{self.state.sentence()} Now {what}."
        seen = self.studio.generate(request).watch(
            lambda _: on_progress(self.state.kept, self.plan.count, told)
        )
        if seen.failure:
            raise ModelError(seen.failure)
        return seen.answers[0]

    def _keep(self, row: Row) -> None:
        self.rows.append(row)
        self.state.kept += 1
        with (self.folder / "rows.jsonl").open("a", encoding="utf-8") as file:
            file.write(_line(row))

    def _save(self) -> None:
        write_json(self.folder / "state.json", asdict(self.state))

    def _dataset(self) -> PreparedDataset:
        kind = "preference" if len(self.plan.answerers) == 2 else "prompt_completion"
        rows = [{key: row[key] for key in row if key != "instruction"} for row in self.rows]
        counts = asdict(self.state)
        made = self.studio.datasets.from_rows(
            rows,
            kind,
            self.plan.name,
            {"made_by": "self-instruct", "making": self.id, "plan": asdict(self.plan), **counts},
        )
        self.state.dataset = made.id
        self._save()
        return made


def _line(row: Row) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _unanswered(said: Sequence[Answer], texts: Sequence[str]) -> str | None:
    if not all(texts):
        return "no answer"
    if any(answer.ended == "length" for answer in said):
        return "answer cut off"
    return "equal answers" if len(texts) == 2 and texts[0] == texts[1] else None


def document_chunks(paths: Sequence[Path]) -> tuple[str, ...]:
    """The chunks of documents; `DataError` for a file that is none, or cannot be read."""
    found: list[str] = []
    for path in paths:
        if not path.is_file():
            raise DataError(f"There is no file {path}.")
        for raw in read_file(path, chunks=Chunking(_DOCUMENT_TOKENS)):
            if not isinstance(raw.data.get("text"), str):
                raise DataError(f"{path.name} holds rows, not a document; give it as prompts.")
            found.append(raw.data["text"])
    return tuple(found)


def begin(studio: Studio, plan: MakePlan) -> Making:
    """A new making; a `ConfigError` says what is wrong with the plan or with a model's name."""
    plan.check()
    for model in filter(None, (plan.writer, *plan.answerers, plan.judge)):
        side(studio, model)
    folder = _folder(studio, new_id("made"))
    folder.mkdir(parents=True)
    write_json(folder / "plan.json", asdict(plan))
    write_json(folder / "state.json", asdict(MakeState()))
    return Making(studio, folder, plan)


def resume(studio: Studio, identifier: str) -> Making:
    """A making that was cancelled or broke off; what was kept stays."""
    known = {one["id"] for one in unfinished(studio)}
    if identifier not in known:
        listed = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"There is no unfinished making {identifier!r}. Unfinished: {listed}.")
    folder = _folder(studio, identifier)
    plain = checked(dict[str, Any], read_json(folder / "plan.json"), folder / "plan.json")
    for name in ("answerers", "seeds", "documents"):
        plain[name] = tuple(plain[name])
    making = Making(studio, folder, MakePlan(**plain))
    making.state.fruitless = 0
    return making


def unfinished(studio: Studio) -> list[dict[str, Any]]:
    """Makings without a dataset, newest first: id, name, kept, count."""
    found = []
    for folder in sorted((studio.workspace.home / "made").glob("made-*"), reverse=True):
        if not (folder / "plan.json").is_file():
            continue
        state = _state(folder)
        if not state.dataset:
            plan = read_json(folder / "plan.json")
            about = {"id": folder.name, "name": plan["name"], "kept": state.kept}
            found.append(about | {"count": plan["count"]})
    return found


def _folder(studio: Studio, identifier: str) -> Path:
    return studio.workspace.home / "made" / identifier


def _state(folder: Path) -> MakeState:
    path = folder / "state.json"
    return MakeState(**checked(dict[str, Any], read_json(path), path))


def _rows(folder: Path) -> list[Row]:
    path = folder / "rows.jsonl"
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
