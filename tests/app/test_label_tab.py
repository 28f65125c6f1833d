"""Label in the app: what the panel may ask, what it never learns, and votes made into a dataset."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from components.label import annotation_api, project_handlers
from components.label import tab as label_tab
from components.label.annotation_api import server_functions
from components.ui.access import Person
from components.ui.page_context import PageContext, Session
from components.ui.visitor_quota import Visits
from studio.core.errors import ConfigError, DataError
from studio.core.workspace import new_id
from studio.engine.studio import Studio
from studio.labels import Pair, Project
from studio.workflows import comparisons


@pytest.fixture
def studio(tmp_path: Path) -> Studio:
    return Studio(tmp_path / "home")


@pytest.fixture
def project(studio: Studio) -> Project:
    made = studio.labels.create_project("first verdicts", guidelines="Short wins.", order="given")
    items = [
        Pair(
            f"question {n}",
            f"first {n}",
            f"second {n}",
            {"label": "secret-base", "model": "secret-model"},
            {"label": "secret-tuned", "run": "run-secret"},
        )
        for n in range(3)
    ]
    studio.labels.add_items(made.id, items)
    return made


class Panel:
    """Asks as the page does: by name, with one mapping."""

    def __init__(self, studio: Studio, project: Project):
        self.asked = {
            question.__name__: question for question in server_functions(lambda: studio.labels)
        }
        self.seat = {"project": project.id, "annotator": "ada"}

    def __call__(self, name: str, **more: Any) -> dict[str, Any]:
        return self.asked[f"label_{name}"](self.seat | more)

    def vote(self, choice: str = "left", **more: Any) -> dict[str, Any]:
        item = self("open")["item"]["id"]
        vote = {"item": item, "choice": choice, "strength": 2, "seconds": 1.5, "key": f"key {item}"}
        return self("vote", **(vote | more))


@pytest.fixture
def panel(studio: Studio, project: Project) -> Panel:
    return Panel(studio, project)


def test_opening_gives_item_next_item_and_progress(panel, project):
    reply = panel("open")
    assert reply["project"]["guidelines"] == "<p>Short wins.</p>\n"
    assert set(reply["item"]) == {"id", "prompt", "left", "right", "turn", "html"}
    assert reply["after"]["id"] != reply["item"]["id"]
    assert (reply["progress"]["done"], reply["progress"]["total"]) == (0, 3)


def test_a_vote_answers_with_the_next_item_and_is_kept_once(panel, studio, project):
    after = panel("open")["after"]
    reply = panel.vote(note="kind", edited="first, improved", key="once")
    assert reply["item"] == after and reply["progress"]["done"] == 1
    item = panel("history")["votes"][0]["item"]
    again = panel.vote("right", item=item, key="once")
    assert again["receipt"]["repeated"] and again["progress"]["done"] == 1
    (vote,) = studio.labels.history(project.id, "ada")
    assert (vote.note, vote.edited, vote.seconds) == ("kind", "first, improved", 1.5)


def test_the_page_learns_no_names_and_no_sides_before_the_results(panel):
    replies = [
        panel("open"),
        panel.vote(),
        panel.vote("right"),
        panel("history"),
        panel.vote("tie"),
    ]
    replies += [panel("undo", key="u"), panel("show", item=1)]
    sent = json.dumps(replies)
    assert "secret" not in sent
    assert '"order"' not in sent and '"a"' not in sent and '"b"' not in sent
    assert "secret-base" in json.dumps(panel("results"))


def test_undo_and_history_speak_of_what_was_seen(panel):
    panel.vote("left", strength=4)
    first = panel("history")["votes"][0]
    assert (first["choice"], first["strength"], first["asked"]) == ("left", 4, "question 0")
    reply = panel("undo", key="u1")
    assert reply["undone"] and reply["item"]["id"] == first["item"]
    assert not panel("undo", key="u2")["undone"]


@pytest.mark.parametrize(
    ("name", "more", "message"),
    [
        ("open", {"project": "labels-0"}, "no labeling project"),
        ("open", {"project": None}, "no usable project"),
        ("open", {"project": "x" * 400}, "the most is 40"),
        ("open", {"project": ""}, "no usable project"),
        ("open", {"annotator": ["ada"]}, "no usable annotator"),
        ("open", {"annotator": " \n"}, "Enter your name"),
        ("vote", {"item": "1"}, "no usable item"),
        ("vote", {"item": True}, "no usable item"),
        ("vote", {"item": 10**30}, "no usable item"),
        ("vote", {"item": 999}, "not in this project"),
        ("vote", {"choice": "a"}, "The choice must be 'left', 'right'"),
        ("vote", {"choice": "left", "strength": 9}, "Strength goes from"),
        ("vote", {"seconds": "1"}, "no usable seconds"),
        ("vote", {"reasons": 5}, "no usable reasons"),
        ("vote", {"aspects": ["clear"]}, "no usable aspects"),
        ("vote", {"note": "x" * 4001}, "the most is 4,000"),
        ("vote", {"key": ""}, "no usable key"),
        ("undo", {}, "no usable key"),
        ("show", {"item": -1}, "no usable item"),
        ("export", {"format": "csv"}, "The format must be 'dpo', 'kto' or 'reward'"),
        ("guidelines", {}, "no usable text"),
        ("guidelines", {"text": " \n"}, "The guidelines are empty"),
        ("guidelines", {"text": "x" * 20_001}, "have 20,001 characters; the most is 20,000"),
    ],
)
def test_whatever_is_posted_gets_a_sentence(panel, studio, project, name, more, message):
    vote = {"item": 1, "choice": "tie", "strength": 0, "seconds": 1.0, "key": "k"}
    reply = panel(name, **((vote | more) if name == "vote" else more))
    assert message in reply["error"]
    assert studio.labels.progress(project.id, "ada").done == 0


def test_what_is_not_a_mapping_gets_a_sentence_too(panel):
    for question in panel.asked.values():
        for posted in (None, "x", [1], {str(n): n for n in range(30)}):
            assert "reload it" in question(posted)["error"]


def test_an_owner_edits_the_guidelines_and_annotators_see_them(panel, studio, project, monkeypatch):
    before = panel("open")
    reply = panel("guidelines", text="**Long** wins.\n")
    assert reply["project"]["guidelines"] == "<p><strong>Long</strong> wins.</p>\n"
    assert reply["project"]["guidelines_text"] == "**Long** wins."
    item = before["item"]["id"]
    voted = panel("vote", item=item, choice="tie", strength=0, seconds=1, key="k")
    assert voted["guideline_version"] == before["guideline_version"] + 1, "the page fetches them"
    assert panel("open")["project"] == reply["project"]
    (vote,) = studio.labels.history(project.id, "ada")
    assert vote.guideline_version == reply["project"]["guideline_version"]
    monkeypatch.setattr(annotation_api, "person", lambda typed: Person(typed, owner=False))
    refused = panel("guidelines", text="Mine.")
    assert "Only an owner of this studio may edit a project's guidelines" in refused["error"]


def test_export_is_jsonl_with_a_safe_name(panel):
    panel.vote()
    reply = panel("export", format="dpo")
    assert reply["name"] == "first-verdicts-dpo.jsonl" and reply["rows"] == 1
    assert json.loads(reply["jsonl"])["chosen"][0]["role"] == "assistant"


def test_votes_become_a_dataset_that_names_them(panel, studio, project):
    with pytest.raises(DataError, match="no pair to train on yet"):
        label_tab.make_dataset(studio, project.id)
    panel.vote("left")
    panel.vote("tie")
    dataset = studio.datasets.get(label_tab.make_dataset(studio, project.id))
    assert dataset.type == "preference" and dataset.rows["train"] == 1
    assert dataset.provenance["project"] == project.id
    assert dataset.provenance["votes"]["left_out"] == {"tie": 1, "not labeled yet": 1}
    assert dataset.provenance["run"] == "run-secret"
    assert {"prompt", "chosen", "rejected"} <= set(dataset.head(1, "train")[0])


def test_a_run_that_is_gone_is_not_started_from(studio, project, monkeypatch):
    said = []
    monkeypatch.setattr(label_tab.gr, "Warning", said.append)
    assert label_tab.start_from(studio, project.id) is None
    assert "run-secret" in said[0]


def test_a_project_is_made_from_a_dataset(studio):
    rows = [{"prompt": f"q{n}", "answer1": "yes", "answer2": "no"} for n in range(3)]
    rows.append({"prompt": "q9", "answer1": "same", "answer2": "same"})
    dataset = studio.datasets.from_rows(rows, type="comparison", name="two models")
    wanted = project_handlers.Wanted(dataset=dataset.id, question="Which?", guidelines="Be fair.")
    project, said = project_handlers.from_dataset(studio, wanted)
    assert project.name == "two models" and project.question == "Which?"
    assert studio.labels.progress(project.id, "ada").total == 3
    assert "3 pairs to label; set aside: 1 identical." in said
    with pytest.raises(DataError, match="exists already"):
        project_handlers.from_dataset(studio, replace(wanted, name="two models"))
    with pytest.raises(DataError, match="prepare comparison data"):
        project_handlers.from_dataset(studio, project_handlers.Wanted())


def test_pairs_are_made_from_two_models_a_comparison_and_published_votes(studio, tmp_path):
    asked = []
    studio.pairs.begin = asked.append
    wanted = project_handlers.Wanted(
        kind="models", a="base:pocket", b="base:pocket", prompts="typed", typed="Who?\nWhere?"
    )
    project, said = project_handlers.from_models(studio, wanted)
    (plan,) = asked
    assert plan.project == project.id and len(plan.prompts) == 2 and "2 prompts" in said
    assert [column.sampling.seed for column in plan.columns] == [1, 2]
    with pytest.raises(ConfigError, match="two seeds, or two temperatures"):
        project_handlers.from_models(studio, replace(wanted, warm_a=0.0, warm_b=0.0))
    sides = (comparisons.Side("one", "base", "pocket"), comparisons.Side("two", "base", "pocket"))
    cells = [[{"text": text, "tokens": 1, "ended": "stop", "error": None}] for text in "xy"]
    kept = comparisons.Comparison(
        new_id("comparison"), "kept", 0.0, sides, [[{"role": "user", "content": "q"}]], cells, {}
    )
    comparisons.save(studio, kept)
    project, said = project_handlers.from_comparison(
        studio, project_handlers.Wanted(saved=kept.id, overlap=2)
    )
    assert (project.items, project.overlap) == (1, 2) and "1 pair to label" in said
    votes = tmp_path / "votes.json"
    rows = [{"prompt": "q", "answer1": "a", "answer2": "b", "rater_1": 1, "rater_2": 2}]
    votes.write_text(json.dumps(rows))
    project, said = project_handlers.from_published(
        studio, project_handlers.Wanted(files=[str(votes)])
    )
    assert project.done == 2 and "1 pair with 2 votes" in said
    wanted = project_handlers.Wanted(before=project.id, order="uncertain")
    again, said = project_handlers.from_project(studio, wanted)
    assert (again.name, again.order) == ("votes again", "uncertain") and "1 pair to label" in said
    gone = project_handlers.create(
        studio, *vars(project_handlers.Wanted(kind="published")).values()
    )
    assert gone[0] is None and "Choose the file" in gone[1]
    unseen = [None] * len(vars(project_handlers.Wanted()))  # no field was ever in view
    assert "No dataset to label yet" in project_handlers.create(studio, *unseen)[1]


def test_only_an_owners_verdict_settles_a_disagreement(panel, studio, project):
    panel.vote("left")
    item = panel("history")["votes"][0]["item"]
    other = studio.labels.show(project.id, item, "ada").order[1]  # what ada saw on the right
    studio.labels.vote(project.id, item, "ben", other)
    before = panel("results")
    assert before["report"]["disagreements"] and not before["report"]["settled"]
    settled = {"item": item, "choice": "left", "strength": 2, "seconds": 1, "key": "s", "turn": 2}
    assert "error" not in panel("vote", **settled)
    after = panel("results")
    assert not after["report"]["disagreements"] and after["report"]["settled"] == 1
    assert after["summary"]["rows"] == 1 and after["progress"]["done"] == 1
    assert "is 0, 1 (a repeat)" in panel("vote", **(settled | {"turn": 5, "key": "t"}))["error"]


def test_the_tab_builds_and_keeps_its_endpoints_private(studio):
    with gr.Blocks() as blocks:
        status, session = gr.HTML(), gr.State(Session())
        with gr.Tabs() as tabs, gr.Tab("Label", id="label"):
            label_tab.build(studio, PageContext(studio, tabs, status, session, Visits(studio)))
    assert blocks.fns
    assert {fn.api_visibility for fn in blocks.fns.values()} == {"private"}
