"""Train and Compare in the app: what travels to a page, and the public endpoints."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from components.compare import tab as compare_tab
from components.compare.conversation import Chat, Turn, vote
from components.train import form_options
from components.train import tab as train_tab
from components.ui.page_context import PageContext, Session
from components.ui.visitor_quota import Visits
from studio import Recipe
from studio.core.errors import WorkspaceError
from studio.engine.studio import Studio
from studio.generation.request import Answer, Sampling
from studio.workflows.comparisons import Side, to_label
from tests.app.made_runs import ended


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "home")


def page(studio: Studio) -> tuple[gr.Blocks, PageContext]:
    with gr.Blocks() as blocks:
        status, session = gr.HTML(), gr.State(Session())
        with gr.Tabs() as tabs:
            ctx = PageContext(studio, tabs, status, session, Visits(studio))
            with gr.Tab("Train", id="train"):
                train_tab.build(studio, ctx)
            with gr.Tab("Compare", id="compare"):
                compare_tab.build(studio, ctx)
    return blocks, ctx


def test_both_tabs_build_and_keep_their_insides_private(studio: Studio):
    blocks, _ = page(studio)
    public = [fn.api_name for fn in blocks.fns.values() if fn.api_visibility == "public"]
    assert public == []


def test_the_form_offers_what_fits(studio: Studio):
    rows = [
        {"prompt": "a", "chosen": "b", "rejected": "c"},
        {"prompt": "d", "chosen": "e", "rejected": "f"},
    ]
    pairs = studio.datasets.from_rows(rows, "preference", "my pairs")
    values = [value for _, value in form_options.dataset_choices(studio, "dpo")]
    assert values[0] == pairs.id and "pocket-preference" in values
    assert pairs.id not in [value for _, value in form_options.dataset_choices(studio, "sft")]
    count = pairs.rows["train"]
    assert form_options.start_label(studio, pairs.id).startswith(f"Train on {count} row")
    assert form_options.start_choices(studio, "pocket", "lora") == [form_options.FROM_BASE]
    run = ended(studio)
    assert form_options.start_choices(studio, "pocket", "lora")[1][1] == run.id
    assert form_options.free_name(studio, Recipe.defaults(name="pocket-sft")) == "pocket-sft-2"
    unnamed = Recipe.defaults("dpo", dataset_name=pairs.id)
    assert form_options.free_name(studio, unnamed) == "pocket-dpo"


def test_a_vote_in_place_is_kept_with_what_made_it(studio: Studio):
    run = ended(studio)
    sides = (Side("pocket (base)", "base", "pocket"), Side("pocket-sft", "tuned", "pocket", run.id))
    asked = [[{"role": "user", "content": "Where does Mira live?"}]] * 2
    answers = [Answer("is a village", 3, "stop"), Answer("In Highcliff.", 4, "stop")]
    turn = Turn(asked[0][0]["content"], asked, Sampling(seed=3), answers, [1.0, 1.0], done=True)
    name, count = vote(studio, Chat(sides, "", (turn,)), "b", "me")
    assert count == 1
    project = next(each for each in studio.labels.projects() if each.name == name)
    item = next(iter(studio.labels.labelled_pairs(project.id)))
    kept = {item.source_a["run"]: item.answer_a, item.source_b["run"]: item.answer_b}
    assert kept[run.id] == "In Highcliff."
    assert item.source_b["sampling"]["seed"] == 3
    [win] = studio.labels.results(project.id)
    assert "pocket-sft" in str(win)


def test_a_vote_on_a_pair_that_stands_the_other_way_round(studio: Studio):
    """The same two answers again, now from the other column, or with a white space more."""
    sides = (Side("base", "base", "pocket"), Side("first", "tuned", "pocket"))
    asked = [[{"role": "user", "content": "Who?"}]] * 2
    for said, choice in ((("Mira.", "Nia\0."), "a"), (("Nia\0.", "Mira. "), "a")):
        turn = Turn("Who?", asked, Sampling(), [Answer(text) for text in said], done=True)
        vote(studio, Chat(sides, "", (turn,)), choice, f"who saw {said[0][0]} first")
    [project] = studio.labels.projects()
    [judged] = studio.labels.labelled_pairs(project.id)
    told = {one.annotator: (one.choice, one.order) for one in judged.votes}
    assert judged.answer_a == "Mira."
    assert told == {"who saw M first": ("a", "ab"), "who saw N first": ("b", "ba")}


def test_pairs_go_to_label_blind_and_counted(studio: Studio):
    from studio.workflows.comparisons import Comparison, load, save

    sides = (
        Side("pocket (base)", "base", "pocket"),
        Side("pocket-sft", "tuned", "pocket", "run-1"),
    )
    cells = [
        [{"text": t, "tokens": 1, "ended": "stop", "error": None} for t in column]
        for column in (["one", "same"], ["two", "same"])
    ]
    prompts = [[{"role": "user", "content": "p"}], [{"role": "user", "content": "q"}]]
    comparison = Comparison(
        "comparison-20260101-000000-abcd",
        "both",
        0.0,
        sides,
        prompts,
        cells,
        Sampling().model_dump(mode="json"),
        "typed prompts",
        [None, None],
    )
    save(studio, comparison)
    assert load(studio, comparison.id).texts(1) == ["two", "same"]
    (studio.workspace.comparisons / f"{comparison.id}.json").write_text("{}")
    with pytest.raises(WorkspaceError, match="cannot be read"):
        load(studio, comparison.id)
    project, pairs, aside = to_label(studio, comparison)
    assert (pairs, aside) == (1, {"identical": 1})
    assert studio.labels.get(project).provenance == {"comparison": comparison.id}
