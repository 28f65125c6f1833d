"""Datasets and projects as cards: everything escaped, what each is used for, how far it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from components.data.problems_html import dataset_cards
from components.label.projects_html import project_cards
from studio.engine.studio import Studio
from studio.labels import Pair

ODD = '<b onclick="x">'


def test_a_dataset_says_which_runs_trained_on_it(tmp_path: Path):
    studio = Studio(tmp_path / "home")
    rows = [{"prompt": f"q{n}", "completion": "a"} for n in range(3)]
    used = studio.datasets.from_rows(rows, "prompt_completion", ODD)
    studio.close()
    runs = {used.id: ["one", ODD, "three", "four"]}
    shown = dataset_cards([used], runs, used.id)
    assert ODD not in shown and f'data-open="{used.id}" aria-current="true"' in shown
    assert "trained one, " in shown and "and 1 more" in shown
    assert "not trained on yet" in dataset_cards([used], {})
    assert "No datasets yet" in dataset_cards([], runs)


def test_a_project_says_how_far_it_is(tmp_path: Path):
    studio = Studio(tmp_path / "home")
    made = studio.labels.create_project(ODD, overlap=2)
    studio.labels.add_items(made.id, [Pair(f"q{n}", "a", "b", {}, {}) for n in range(4)])
    project = studio.labels.get(made.id)
    studio.close()
    shown = project_cards([replace(project, done=6)])
    assert ODD not in shown and f'data-project="{project.id}"' in shown
    assert "6 votes on 4 pairs" in shown and "width:75%" in shown and "2 left" in shown
    assert "nobody has voted yet" in shown
    shown = project_cards([project], {project.id: ["ada", ODD, "cleo", "dan"]})
    assert "by ada, " in shown and "and 1 more" in shown and ODD not in shown
    assert "all done" in project_cards([replace(project, done=8)])
    assert "no pairs yet" in project_cards([replace(project, items=0)])
    assert "No project yet" in project_cards([])
