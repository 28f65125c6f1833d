"""Train and Compare in the app: what travels to a page, and the public endpoints."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest

from components import compare_tab, train_choices, train_tab
from components.common import Session, Shell
from components.comparison import Side, to_label
from components.conversation import Chat, Turn, vote
from components.train_watch import Shown, Watch
from studio import Recipe
from studio.generation.request import Answer, Sampling
from studio.studio import Studio
from studio.training.runs import EventLog, Run


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "home")


def page(studio: Studio) -> tuple[gr.Blocks, Shell]:
    with gr.Blocks() as blocks:
        timer, session = gr.Timer(1.0), gr.State(Session())
        with gr.Tabs() as tabs:
            shell = Shell(studio, tabs, timer, session)
            with gr.Tab("Train", id="train"):
                train_tab.build(studio, shell)
            with gr.Tab("Compare", id="compare"):
                compare_tab.build(studio, shell)
    return blocks, shell


@pytest.fixture
def watch(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Watch:
    # "2 minutes ago" is drawn anew twice a minute: in these tests that minute never passes.
    clock = SimpleNamespace(time=lambda: 1e9, monotonic=time.monotonic)
    monkeypatch.setattr("components.train_watch.time", clock)
    with gr.Blocks():
        timer, session = gr.Timer(1.0), gr.State(Session())
        with gr.Tabs() as tabs:
            pass
        watch = Watch(studio, Shell(studio, tabs, timer, session))
        watch.lay_out()
    return watch


def ended(studio: Studio, state: str = "finished", steps: int = 30, **recipe: str) -> Run:
    """A run on disk as if it had trained."""
    run = studio.runs.create(Recipe.defaults("sft", name="pocket-sft", **recipe))
    log = EventLog(run.folder / "events.jsonl")
    for step in range(1, steps + 1):
        log.write("log", step=step, loss=1 / step, learning_rate=1e-4, mean_token_accuracy=0.5)
    log.write("sample", step=steps, number=0, prompt="Who?", answer="Mira.")
    log.close()
    if state == "finished":
        (run.folder / "adapter").mkdir()
        (run.folder / "adapter" / "adapter_config.json").write_text("{}")
    return studio.runs.update(
        run.id, state=state, step=steps, total_steps=steps, metrics={"loss": 0.41},
        train_seconds=34.0, data={"name": "pocket-sft", "rows": {"train": 1085}},
    )  # fmt: skip


def is_skip(update: object) -> bool:
    return isinstance(update, dict) and update == gr.skip()


def test_both_tabs_build_and_keep_their_insides_private(studio: Studio):
    blocks, _ = page(studio)
    public = [fn.api_name for fn in blocks.fns.values() if fn.api_visibility == "public"]
    assert sorted(map(str, public)) == ["generate", "runs", "train"]


def test_a_page_gets_everything_once_and_then_nothing(studio: Studio, watch: Watch):
    ended(studio)
    first = watch.look(Session(), Shown(), "", 0.6)
    assert "Finished: loss 0.41 after 30 steps in 0:34." in first[watch.outcome]
    assert first[watch.compare]["visible"] is True
    assert first[watch.plots[0]]["value"] is not None
    assert first[watch.plots[5]]["visible"] is False
    assert "Mira." in first[watch.samples]
    assert is_skip(watch.look(Session(), first[watch.shown], "", 0.6))


def test_new_points_redraw_the_charts_and_leave_the_rest(studio: Studio, watch: Watch):
    run = ended(studio)
    shown = watch.look(Session(), Shown(), "", 0.6)[watch.shown]
    log = EventLog(run.folder / "events.jsonl")
    log.write("log", step=31, loss=0.4)
    log.close()
    then = watch.look(Session(), shown, "", 0.6)
    assert watch.plots[0] in then and watch.log in then
    assert watch.list not in then and watch.head not in then


def test_a_second_page_re_attaches_to_the_run_in_progress(studio: Studio, watch: Watch):
    ended(studio)
    live = ended(studio, state="running")
    ended(studio, state="failed")
    lock = studio.runs.lock(live)
    with lock:
        found = watch.look(Session(), Shown(), "", 0.6)
        assert found[watch.viewing] == live.id
        assert found[watch.stop]["visible"] is True
        chosen = watch.look(Session(run_id=studio.runs.list()[0].id), Shown(), "", 0.6)
        assert chosen[watch.viewing] == studio.runs.list()[0].id


def test_a_killed_run_reads_interrupted_and_offers_to_go_on(studio: Studio, watch: Watch):
    ended(studio, state="running", steps=24)
    found = watch.look(Session(), Shown(), "", 0.6)
    assert "Interrupted at about step 24" in found[watch.outcome]
    assert found[watch.resume]["visible"] is True
    assert found[watch.stop]["visible"] is False


def test_the_form_offers_what_fits(studio: Studio):
    rows = [
        {"prompt": "a", "chosen": "b", "rejected": "c"},
        {"prompt": "d", "chosen": "e", "rejected": "f"},
    ]
    pairs = studio.datasets.from_rows(rows, "preference", "my pairs")
    values = [value for _, value in train_choices.dataset_choices(studio, "dpo")]
    assert values[0] == pairs.id and "pocket-preference" in values
    assert pairs.id not in [value for _, value in train_choices.dataset_choices(studio, "sft")]
    count = pairs.rows["train"]
    assert train_choices.start_label(studio, pairs.id).startswith(f"Train on {count} row")
    assert train_choices.start_choices(studio, "pocket", "lora") == [train_choices.FROM_BASE]
    run = ended(studio)
    assert train_choices.start_choices(studio, "pocket", "lora")[1][1] == run.id
    assert train_choices.free_name(studio, Recipe.defaults(name="pocket-sft")) == "pocket-sft 2"


def test_a_vote_in_place_is_kept_with_what_made_it(studio: Studio):
    run = ended(studio)
    sides = (Side("pocket (base)", "base", "pocket"), Side("pocket-sft", "tuned", "pocket", run.id))
    asked = [[{"role": "user", "content": "Where does Mira live?"}]] * 2
    answers = [Answer("is a village", 3, "stop"), Answer("In Highcliff.", 4, "stop")]
    turn = Turn(asked[0][0]["content"], asked, Sampling(seed=3), answers, [1.0, 1.0], done=True)
    name, count = vote(studio, Chat(sides, "", [turn]), "b", "me")
    assert count == 1
    project = next(each for each in studio.labels.projects() if each.name == name)
    item = next(iter(studio.labels.judged(project.id)))
    kept = {item.source_a["run"]: item.answer_a, item.source_b["run"]: item.answer_b}
    assert kept[run.id] == "In Highcliff."
    assert item.source_b["sampling"]["seed"] == 3
    [win] = studio.labels.results(project.id)
    assert "pocket-sft" in str(win)


def test_pairs_go_to_label_blind_and_counted(studio: Studio):
    from components.comparison import Comparison, load, save

    sides = (
        Side("pocket (base)", "base", "pocket"),
        Side("pocket-sft", "tuned", "pocket", "run-1"),
    )
    cells = [[{"text": t, "tokens": 1, "ended": "stop", "error": None} for t in column]
             for column in (["one", "same"], ["two", "same"])]  # fmt: skip
    prompts = [[{"role": "user", "content": "p"}], [{"role": "user", "content": "q"}]]
    comparison = Comparison(
        "comparison-20260101-000000-abcd", "both", 0.0, sides, prompts, cells,
        Sampling().model_dump(mode="json"), "typed prompts", [None, None],
    )  # fmt: skip
    save(studio, comparison)
    assert load(studio, comparison.id).texts(1) == ["two", "same"]
    project, pairs, aside = to_label(studio, comparison)
    assert (pairs, aside) == (1, {"identical": 1})
    assert studio.labels.get(project).provenance == {"comparison": comparison.id}


def test_the_status_of_a_run_counts_for_every_page(studio: Studio, watch: Watch):
    """What one page asks, another sees: stopping lives in the workspace."""
    run = ended(studio, state="running")
    with studio.runs.lock(run):
        watch.ask_stop(run.id)
        found = watch.look(Session(), Shown(), "", 0.6)
        assert "stopping" in found[watch.head]
        assert found[watch.stop]["visible"] is False and found[watch.halt]["visible"] is True


@pytest.fixture(scope="module")
def client(server):
    from gradio_client import Client

    return Client(server.url, verbose=False)


def test_runs_over_the_api(client):
    assert client.predict(api_name="/runs") == []


def test_a_wrong_recipe_is_refused_in_a_sentence(client):
    with pytest.raises(Exception, match="learning_rate"):
        client.predict("learning_rat: 1.0e-4", api_name="/train")


@pytest.mark.slow
def test_two_columns_over_the_api(client):
    answers = client.predict(
        "Where does Mira live?", ["base:pocket", "base:pocket"], 0.0, 8, 0, api_name="/generate"
    )
    assert len(answers) == 2 and answers[0] == answers[1]
