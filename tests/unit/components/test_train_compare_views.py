"""Markup of Train and Compare: text from runs, datasets and models is always escaped."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from components.compare import batch_html, chat_html
from components.compare.conversation import Chat, Turn
from components.train import run_list_html, run_panel_html
from components.train.run_history import History
from studio.generation.request import Answer, Sampling
from studio.training.health import Finding
from studio.workflows.comparisons import Comparison, Side, column_choices, usual_columns

EVIL = "<img src=x onerror=alert(1)>"
SIDES = (Side("pocket (base)", "base", "pocket"), Side(EVIL, "tuned", "pocket", "run-1"))


def run(**changes):
    values = {
        "id": "run-1", "name": EVIL, "state": "finished", "objective": "sft", "method": "lora",
        "model": EVIL, "step": 120, "total_steps": 120, "eta_s": None, "created": 0.0,
        "started": 1.0, "ended": 35.0, "train_seconds": 34.0, "parent": None,
        "data": {"name": EVIL, "rows": {"train": 1085}}, "metrics": {"loss": 0.41}, "error": None,
        "live": False, "checkpoints": Path("nowhere"),
    }  # fmt: skip
    return SimpleNamespace(**{**values, **changes})


def test_the_end_of_a_run_in_one_sentence():
    said = run_list_html.outcome(run(), History())
    assert "Finished: loss 0.41 after 120 steps in 0:34." in said
    failed = run_list_html.outcome(run(state="failed", error=f"broke {EVIL}"), History())
    assert "broke" in failed and EVIL not in failed
    assert "from step 80" in run_list_html.outcome(run(state="interrupted"), History(), 80)
    assert run_list_html.outcome(run(state="running"), History()) == ""


def test_runs_escape_their_names():
    finding = Finding("nan", "danger", 3, EVIL, EVIL, EVIL)
    for markup in (
        run_list_html.headline(run()),
        run_list_html.progress(run(), History()),
        run_list_html.runs_list([run(parent="run-0")], "run-1"),
        run_list_html.queue_list([run(state="queued")]),
        run_panel_html.samples({EVIL: [{"step": 0, "number": 0, "prompt": EVIL, "answer": EVIL}]}),
        run_panel_html.health([finding]),
        run_panel_html.stage(EVIL, [EVIL]),
    ):
        assert "<img" not in markup


def test_an_answer_that_stays_is_told_once():
    steps = [{"step": step, "answer": "same"} for step in (0, 10, 20)]
    told = run_panel_html.stretches([*steps, {"step": 30, "answer": "new"}])
    assert told == [("steps 0\N{EN DASH}20", "same"), ("step 30", "new")]


def test_answers_of_several_runs_stand_beside_each_other():
    told = {
        name: [{"step": 9, "prompt": "Who?", "answer": f"I am {name}."}] for name in ("one", "two")
    }
    markup = run_panel_html.samples(told)
    assert markup.index("I am one.") < markup.index("I am two.")
    alone = run_panel_html.samples({**told, "three": []})
    assert "run by run" in alone


def test_a_healthy_run_has_no_card():
    assert run_panel_html.health([]) == ""


def test_the_latest_measurements_stand_in_tiles():
    history = History()
    history.add(
        [
            {
                "kind": "log",
                "step": 5,
                "time": 1.0,
                "loss": 0.5,
                "mean_token_accuracy": 0.9131,
                "memory": 2.1e9,
                "epoch": 0.25,
            },
            {"kind": "log", "step": 5, "time": 1.0, "eval_loss": 0.6},
        ]
    )
    tiles = run_panel_html.figures(run(state="running", live=True, eta_s=41.0), history)
    for said in ("0.5<span>held out 0.6", "91.3 %", "2.1 GB", "0:41", "0.25"):
        assert said in tiles


def test_models_cannot_write_markup():
    asked = [[{"role": "user", "content": EVIL}]] * 2
    answers = [Answer(EVIL, 5, "stop", None, EVIL), Answer("", 0, "error", EVIL, EVIL)]
    turn = Turn(EVIL, asked, Sampling(), answers, [1.0, 1.0], done=True)
    chat = Chat(SIDES, "", [turn])
    comparison = Comparison(
        "comparison-1",
        EVIL,
        0.0,
        SIDES,
        asked,
        [[{"text": EVIL, "tokens": 1, "ended": "stop", "error": None}] * 2] * 2,
        {},
        EVIL,
        [EVIL, None],
    )
    for markup in (
        chat_html.chat(chat),
        chat_html.prompts_given(turn, SIDES),
        batch_html.set_card(comparison, 0, True),
        batch_html.set_table(comparison, 0, [0, 1]),
        batch_html.set_summary(comparison),
    ):
        assert "<img" not in markup


def test_each_column_keeps_its_own_history():
    asked = [[{"role": "user", "content": "Hello"}]] * 2
    turn = Turn("Hello", asked, Sampling(), [Answer("a"), Answer("b")], [0.0, 0.0], done=True)
    chat = Chat(SIDES, "Be brief.", [turn])
    first, second = chat.messages(0, "Next"), chat.messages(1, "Next")
    assert [m["content"] for m in first] == ["Be brief.", "Hello", "a", "Next"]
    assert second[2] == {"role": "assistant", "content": "b"}
    assert turn.same_question


def test_the_newest_run_stands_beside_its_own_base():
    assert usual_columns([]) == ("base:pocket", "")
    newest = run(model="other/model", id="run-9")
    assert usual_columns([newest, run()]) == ("base:other/model", "run:run-9")
    values = [value for _, value in column_choices([newest])]
    assert values == ["base:pocket", "base:other/model", "run:run-9"]
