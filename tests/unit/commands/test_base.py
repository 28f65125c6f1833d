"""What a command is: its parameters, the values it takes, and what its result looks like."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest

from studio.commands import COMMANDS, Commands
from studio.commands.base import Command, Param, jsonable, wait_for
from studio.core.errors import Cancelled, ConfigError, ModelError
from studio.core.jobs import Job


def copy_file(
    source: Annotated[Path, Param("What to copy.")],
    *,
    times: Annotated[int, Param("How often.", min=1, max=3)] = 1,
    mode: Annotated[Literal["hard", "soft"] | None, Param("Which link.")] = None,
    on_progress=lambda *seen: None,
) -> dict:
    """Copy a file."""
    on_progress(1, 1, "copying")
    return {"source": source, "times": times, "mode": mode}


COPY = Command(copy_file, read_only=False)


def test_parameters_come_from_the_signature():
    assert (COPY.name, COPY.help) == ("copy_file", "Copy a file.")
    assert [one.name for one in COPY.parameters] == ["source", "times", "mode"]
    assert [one.positional for one in COPY.parameters] == [True, False, False]
    assert [one.required for one in COPY.parameters] == [True, False, False]


def test_values_are_checked_and_the_result_is_json():
    seen: list[tuple] = []
    found = COPY(None, "a.txt", times="2", on_progress=lambda *args: seen.append(args))  # type: ignore[arg-type]
    assert found == {"source": "a.txt", "times": 2, "mode": None}
    assert seen == [(1, 1, "copying")]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "source is missing"),
        ({"source": "a", "times": 4}, "times cannot be 4: input should be less than or equal to 3"),
        ({"source": "a", "times": "often"}, "times cannot be 'often'"),
        ({"source": "a", "mode": "wide"}, "'hard' or 'soft'"),
        ({"source": "a", "tims": 2}, "takes no 'tims'. Did you mean \"times\"?"),
    ],
)
def test_a_wrong_value_is_one_sentence(values, words):
    with pytest.raises(ConfigError) as refused:
        COPY(None, **values)  # type: ignore[arg-type]
    assert words in str(refused.value) and str(refused.value).count("\n") == 0


def test_too_many_places_are_refused():
    with pytest.raises(ConfigError, match="no more than 1"):
        COPY(None, "a", "b")  # type: ignore[arg-type]


def test_what_json_cannot_hold_is_settled():
    value = {"a": (1, float("nan")), "b": Path("x"), "c": float("-inf")}
    assert jsonable(value) == {"a": [1, None], "b": "x", "c": None}


def test_every_command_is_described(do: Commands):
    assert sorted(COMMANDS) == dir(do)
    for command in COMMANDS.values():
        first = command.help.splitlines()[0]
        assert first.endswith(".") and first[0].isupper(), command.name
        for one in command.parameters:
            assert one.about.help.endswith((".", "?")), (command.name, one.name)


def test_a_name_that_is_no_command_is_told(do: Commands):
    assert do.runs_list() == []
    assert "newest first" in (do.runs_list.__doc__ or "")
    with pytest.raises(AttributeError, match=r'no command .run_list.\. Did you mean "runs_list"'):
        do.run_list()


def test_a_job_is_waited_for():
    job = Job(kind="export")
    job.finish({"ok": True})
    assert wait_for(job, lambda *seen: None, "Working") == {"ok": True}
    failed = Job(kind="export")
    failed.fail(ModelError("The disk is full."))
    with pytest.raises(ModelError, match="disk is full"):
        wait_for(failed, lambda *seen: None, "Working")


def test_what_breaks_waiting_off_cancels_the_job():
    job = Job(kind="export")
    job.expect(2)

    def stop(done: int, total: int | None, what: str) -> None:
        if total:
            job.fail(ModelError("stopped"))
            raise Cancelled("Enough.")

    with pytest.raises(Cancelled):
        wait_for(job, stop, "Working")
    assert job.cancelled
