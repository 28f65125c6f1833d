"""What was tried against newer parts: `/v1`, blends, judges, questions about rows, hosted jobs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from studio.commands import COMMANDS
from studio.core.errors import ConfigError, StudioError, WorkspaceError
from studio.engine import hosted_runs
from studio.engine.studio import Studio
from studio.engine.workspace_backup import restore
from studio.generation.request import Sampling
from studio.labels import Pair
from studio.models.tokenization import check_length
from studio.runs.events import EventLog, read_events
from studio.workflows import comparisons
from studio.workflows.chat_api import ChatRequest


@pytest.fixture
def studio(home: Path) -> Iterator[Studio]:
    made = Studio(home)
    yield made
    made.close()


# ---- /v1 and sampling ----------------------------------------------------------------------------

BEYOND = [
    {"temperature": 1e-300},
    {"temperature": 5e-324},
    {"temperature": float("nan")},
    {"repetition_penalty": 1e-300},
    {"repetition_penalty": 0.0},
]


@pytest.mark.parametrize("given", BEYOND)
def test_what_leaves_no_number_of_a_score_is_refused(given: dict[str, float]) -> None:
    """Divided by it, scores are infinite: a batch of several people's requests broke off."""
    asked = {"model": "pocket", "messages": [{"role": "user", "content": "Hi"}], **given}
    for model, values in ((Sampling, given), (ChatRequest, asked)):
        with pytest.raises(ValidationError):
            model.model_validate(values)
    assert Sampling(temperature=0).temperature == 0 and Sampling(temperature=0.01)


# ---- texts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("odd", ["\ud800", "ok \udfff", "a\0b"])
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("why", {"run": "one", "prompt": "ODD", "answer": "a"}),
        ("labels_create", {"name": "ODD"}),
        ("runs_blend", {"run": ["a", "ODD"]}),
        ("models_suggest", {"dataset": "ODD"}),
    ],
)
def test_what_nothing_can_write_down_is_said(
    studio: Studio, name: str, values: dict[str, Any], odd: str
) -> None:
    given = json.loads(json.dumps(values).replace("ODD", json.dumps(odd)[1:-1]))
    with pytest.raises(ConfigError, match=r"holds (half a|a NUL) character"):
        COMMANDS[name](studio, **given)


def test_a_question_about_rows_is_measured_before_it_is_read() -> None:
    with pytest.raises(ConfigError, match="answer is 4,000,000 characters long"):
        check_length("yes " * 1_000_000, 512)
    check_length("yes", 512)
    check_length("yes " * 1_000_000, None)


def test_a_dataset_that_is_not_there_gets_no_model(studio: Studio) -> None:
    with pytest.raises(StudioError, match="nothing-here"):
        COMMANDS["models_suggest"](studio, dataset="nothing-here")


# ---- judges --------------------------------------------------------------------------------------


def test_no_judge_and_a_share_that_is_none(studio: Studio) -> None:
    project = studio.labels.create_project("p", order="given")
    with pytest.raises(StudioError, match="no pairs"):
        COMMANDS["labels_panel"](studio, project="p", judge=["base:pocket"])
    studio.labels.add_items(project.id, [Pair("q", "one", "two", {"label": "a"}, {"label": "b"})])
    for name in ("labels_panel", "labels_prelabel"):
        with pytest.raises(ConfigError, match="Name a judge"):
            COMMANDS[name](studio, project="p", judge=[])
    for judge in ("api:x", "base:/etc", "run:nope", "", "../x"):
        with pytest.raises(StudioError):
            COMMANDS["labels_panel"](studio, project="p", judge=[judge])
    for share in (float("nan"), -0.1, 1.5):
        with pytest.raises(ConfigError, match="share cannot be"):
            COMMANDS["labels_prelabel"](studio, project="p", judge=["base:pocket"], share=share)
    [share] = [one for one in COMMANDS["labels_prelabel"].parameters if one.name == "share"]
    assert share.default == 0.33


# ---- hosted jobs: what their log says ------------------------------------------------------------


def taken(folder: Path, text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(what is said of the run, its events) after a line of a job's log."""
    following = hosted_runs._Following.__new__(hosted_runs._Following)
    said: dict[str, Any] = {}
    run = SimpleNamespace(metrics={}, id="run")

    def update(identifier: str, **changes: Any) -> Any:
        said.update(changes)
        return run

    following.run, following.runs = run, SimpleNamespace(update=update)  # type: ignore[assignment]
    following.events = EventLog(folder / "events.jsonl")
    following._take(text)
    following.events.close()
    return said, read_events(folder / "events.jsonl")[0]


LINES = {
    "a name of Python's": '{"kind": "log", "self": 1, "loss": 2.0}',
    "its own kind": '{"kind": "log", "loss": 1.0, "kind": "phase"}',
    "nested without end": "[" * 100_000,
    "a kind that is a list": '{"kind": ["log"]}',
    "no object": "5",
    "cut off": '{"kind": "log", "los',
    "a line of a megabyte": '{"kind": "log", "x": "' + "x" * (1 << 20) + '"}',
    "names that are none": '{"kind": "log", "a b": 1, "../x": 2}',
    "metrics without end": json.dumps({"kind": "log", **{f"m{at}": at for at in range(9999)}}),
    "numbers without end": '{"kind": "log", "loss": 1' + "0" * 400 + ', "step": 1' + "0" * 40 + "}",
    "no numbers": '{"kind": "log", "loss": NaN, "step": -5, "total_steps": Infinity}',
    "a step that is true": '{"kind": "log", "step": true}',
}


@pytest.mark.parametrize("kind", LINES)
def test_a_line_of_a_jobs_log_breaks_nothing(tmp_path: Path, kind: str) -> None:
    said, events = taken(tmp_path, LINES[kind])
    assert len(events) <= 1 and all(event["kind"] in hosted_runs._KINDS for event in events)
    assert len(said.get("metrics", {})) <= 200
    assert all(isinstance(value, int | float) for value in said.get("metrics", {}).values())
    for name in ("step", "total_steps"):
        assert type(said.get(name, 0)) is int and 0 <= said.get(name, 0) < 1 << 53
    json.dumps(said, allow_nan=False)


def test_an_ordinary_line_is_taken_as_it_was(tmp_path: Path) -> None:
    line = {"kind": "log", "time": 5.0, "step": 3, "total_steps": 9, "loss": 1.5}
    said, [event] = taken(tmp_path, json.dumps(line))
    assert event == line and said["step"] == 3 and said["metrics"]["loss"] == 1.5


# ---- records and archives ------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["[]", "5", "null", '{"name": 1}', "{", "[" * 100_000])
def test_a_damaged_comparison_takes_no_other_along(studio: Studio, text: str) -> None:
    folder = studio.workspace.comparisons
    good = comparisons.secret_id("comparison")
    bad = comparisons.secret_id("comparison")
    (folder / f"{good}.json").write_text('{"name": "good"}')
    (folder / f"{bad}.json").write_text(text)
    assert good in {identifier for _, identifier in comparisons.saved(studio)}
    with pytest.raises(WorkspaceError, match="cannot be read"):
        comparisons.load(studio, bad)


@pytest.mark.parametrize("content", [b"", b"not a tar", b"PK\x03\x04" + b"\0" * 600])
def test_what_is_no_archive_is_said_before_the_workspace_is(
    studio: Studio, tmp_path: Path, content: bytes
) -> None:
    studio.labels.create_project("held")
    (studio.workspace.datasets / "data-x").mkdir()
    file = tmp_path / "photo.tar"
    file.write_bytes(content)
    with pytest.raises(WorkspaceError, match=r"photo\.tar is no archive"):
        restore(studio.workspace, file)
