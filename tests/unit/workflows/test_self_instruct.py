"""Self-Instruct: what is asked, what is kept, what is counted, and that it goes on where it was."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio import Commands, Studio
from studio.core.errors import Cancelled, ConfigError, DataError
from studio.data.checks.rouge_novelty import Novelty
from studio.generation.request import Answer, GenerationRequest
from studio.workflows import self_instruct
from studio.workflows import self_instruct_prompts as prompts
from studio.workflows.self_instruct import MakePlan, begin

SEEDS = ("What does a baker make at night?", "Who lives in the old mill?")
THINGS = [f"one{n} two{n} three{n} four{n}" for n in range(24)]


class Models:
    """Answers in place of models: a writer whose proposals repeat themselves, and a judge."""

    def __init__(self) -> None:
        self.asked: list[GenerationRequest] = []
        self.written = 0

    def __call__(self, request: GenerationRequest) -> Any:
        self.asked.append(request)
        name = request.columns[0].model
        said = [self._say(name, prompt) for prompt in request.prompts]
        seen = SimpleNamespace(failure=None, answers=[said])
        return SimpleNamespace(watch=lambda tell: tell(seen) or seen)

    def _say(self, name: str, prompt: Any) -> Answer:
        if name == "writer":
            at, self.written = self.written, self.written + 1
            thing = THINGS[(at // 2) % len(THINGS)]  # each proposal comes twice
            return Answer(f'{at}. "Where did {thing} go?"', ended="stop")
        if name == "judge":
            return Answer(
                "Score: 8/10" if "\ngood" in prompt[0]["content"].split("[Answer]")[1] else "3"
            )
        if name == "cut":
            return Answer("never ends", ended="length")
        return Answer(f"{name} answer", ended="stop")


@pytest.fixture
def studio(home: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    made = Studio(home)
    monkeypatch.setattr(made, "generate", Models())
    yield made
    made.close()


def plan(**changes: Any) -> MakePlan:
    usual = {"writer": "base:writer", "answerers": ("base:good",), "seeds": SEEDS, "count": 9}
    return MakePlan(**{**usual, **changes})


def quiet(done: int, total: int | None, what: str) -> None:
    pass


def test_rows_have_their_provenance_and_every_drop_is_counted(studio: Studio) -> None:
    making = begin(studio, plan(judge="base:judge"))
    made = making.run(quiet)
    state = making.state
    assert (made.type, made.rows) == ("prompt_completion", {"train": 9})
    assert state.proposed == state.kept + sum(state.dropped.values())
    assert state.dropped["near duplicate"] >= 8
    row = made.head(1)[0]
    assert row["prompt"][0]["content"].startswith("Where did one") and row["score"] == 8
    assert (row["written_by"], row["answered_by"]) == ("base:writer", "base:good")
    assert row["made_from"] == "seeds"
    assert made.provenance["made_by"] == "self-instruct" and made.provenance["kept"] == 9


def test_two_answers_make_pairs_and_the_judge_says_which_is_better(studio: Studio) -> None:
    both = ("base:bad", "base:good")
    made = begin(studio, plan(answerers=both, judge="base:judge")).run(quiet)
    row = made.head(1)[0]
    assert made.type == "preference"
    assert (
        row["chosen"][0]["content"] == "good answer" and row["answered_by_rejected"] == "base:bad"
    )
    assert (row["score_chosen"], row["score_rejected"]) == (8, 3)
    plain = begin(studio, plan(answerers=both)).run(quiet)
    assert plain.head(1)[0]["chosen"][0]["content"] == "bad answer"


def test_it_is_cancelled_with_everything_kept_and_goes_on(studio: Studio) -> None:
    making = begin(studio, plan(count=12))

    def stop(done: int, total: int | None, what: str) -> None:
        if done >= 4:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        making.run(stop)
    [left] = self_instruct.unfinished(studio)
    assert left["kept"] >= 4 and left["id"] == making.id
    again = self_instruct.resume(studio, making.id)
    assert [row["instruction"] for row in again.rows] == [row["instruction"] for row in making.rows]
    made = again.run(quiet)
    texts = [row["prompt"][0]["content"] for row in made.head(20)]
    assert len(set(texts)) == 12 and self_instruct.unfinished(studio) == []
    with pytest.raises(ConfigError, match="no unfinished making"):
        self_instruct.resume(studio, making.id)


def test_nothing_new_ends_it_with_what_there_is(studio: Studio) -> None:
    making = begin(studio, plan(count=200))
    made = making.run(quiet)
    assert made.rows["train"] == len(THINGS) == making.state.kept
    with pytest.raises(DataError, match=r"Nothing was kept.*answer cut off"):
        begin(studio, plan(answerers=("base:cut",))).run(quiet)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"seeds": ()}, "seed tasks, documents, or a topic"),
        ({"answerers": ()}, "Name one model that answers"),
        ({"answerers": ("a", "a")}, "Only a judge can choose"),
        ({"min_score": 5.0}, "needs a judge"),
        ({"seeds": (), "topic": "x", "continues": True}, "seed tasks to begin"),
        ({"answerers": ("run:none",)}, "no run 'none'"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(studio: Studio, changes: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        begin(studio, plan(**changes))


def test_documents_are_asked_about_a_chunk_at_a_time(studio: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_text("\n\n".join(f"Paragraph {n} of the story. " * 20 for n in range(6)))
    chunks = self_instruct.document_chunks([path])
    assert len(chunks) > 1
    made = begin(studio, plan(seeds=(), documents=chunks, count=2)).run(quiet)
    assert made.head(1)[0]["made_from"].startswith("document chunk ")
    assert "Paragraph" in studio.generate.asked[0].prompts[0][0]["content"]
    rows = tmp_path / "a.csv"
    rows.write_text("a,b\n1,2\n")
    with pytest.raises(DataError, match="holds rows, not a document"):
        self_instruct.document_chunks([rows])


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("\n1. Name a river.\nMore", "Name a river."),
        ("Task 3: 'Name a river.'", "Name a river."),
        ("- Name a river.", "Name a river."),
        ("2024 was which year?", "2024 was which year?"),
        (" \n ", ""),
    ],
)
def test_an_instruction_is_the_first_line_of_a_reply(said: str, text: str) -> None:
    assert prompts.read_instruction(said) == text


def test_scores_and_unfit_instructions() -> None:
    said = ("8", "Score: 8/10", "I give 10.", "0", "none", "7.5 of 10", "11")
    assert [prompts.read_score(one) for one in said] == [8, 8, 10, None, None, 7.5, None]
    assert prompts.unfit("", False) == "empty" and prompts.unfit("one two", False) == "too short"
    assert prompts.unfit("one two three", True) == "cut off"
    assert prompts.unfit("word " * 151, False) == "too long"


def test_novelty_tells_similar_from_near_duplicate() -> None:
    seen = Novelty(0.7)
    assert seen.add("What does the baker of Greywater eat in winter?") is None
    assert seen.add("what does the baker of greywater eat in winter") == "near duplicate"
    assert seen.add("What does the baker of Coldwell like to eat in winter?") == "similar"
    assert seen.add("Name three rivers.") is None


@pytest.mark.slow
def test_the_pocket_model_makes_rows_to_the_end(home: Path, tmp_path: Path) -> None:
    studio = Studio(home)
    seeds = tmp_path / "seeds.txt"
    seeds.write_text("What does Uma do?\nWhere does Mira live?\nWho is the baker of Coldwell?\n")
    made = Commands(studio).data_make(prompts=seeds, continues=True, count=4, answer_tokens=48)
    assert made["rows"] == {"train": 4} and made["kept"] == 4
    assert made["proposed"] == 4 + sum(made["dropped"].values())
    studio.close()
