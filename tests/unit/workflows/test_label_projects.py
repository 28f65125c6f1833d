from __future__ import annotations

from types import SimpleNamespace

from studio.labels import Pair
from studio.workflows.label_projects import items_again, margins


def test_pairs_that_people_disagreed_about_are_asked_first_again(store):
    first = store.create_project("first", order="given", seed=1)
    store.add_items(first.id, [Pair(f"q{n}", f"one {n}", f"two {n}") for n in range(4)])
    ids = [item.item_id for item in store.labelled_pairs(first.id)]
    said = {"ada": "aabt", "ben": "abbs"}
    words = {"a": "a", "b": "b", "t": "tie", "s": "skip"}
    for name, choices in said.items():
        for item, choice in zip(ids, choices, strict=True):
            store.vote(first.id, item, name, words[choice])
    again = items_again(list(store.labelled_pairs(first.id)))
    assert [item.provenance["disagreement"] for item in again] == [0.0, 0.5, 0.0, 0.0]
    assert [item.provenance["again"] for item in again] == ids

    second = store.create_project("second", order="uncertain", seed=3)
    assert store.add_items(second.id, again).added == 4
    asked = [(item.prompt[0]["content"], item.sampled) for item in store.labelled_pairs(second.id)]
    informative = [prompt for prompt, sampled in asked if not sampled]
    assert informative[0] == "q1" or ("q1", True) in asked, "first, or drawn by chance"


def test_a_reward_model_that_votes_surprise_puts_its_pairs_first(store):
    first = store.create_project("first", order="given", seed=1)
    store.add_items(first.id, [Pair(f"q{n}", f"one {n}", f"two {n}") for n in range(3)])
    judged = list(store.labelled_pairs(first.id))
    store.vote(first.id, judged[0].item_id, "ada", "b")
    store.vote(first.id, judged[1].item_id, "ada", "a")
    scores = [2.0, -1.0, 2.0, -1.0, 0.5, 0.5]  # a is better by 3, by 3, by nothing

    def reward(texts, weights, prompts, answers):
        assert texts == ["model:judge"] and len(prompts) == len(answers) == 6
        return SimpleNamespace(result=lambda: [SimpleNamespace(total=score) for score in scores])

    judged = list(store.labelled_pairs(first.id))
    again = items_again(judged, margins(SimpleNamespace(reward=reward), "judge", judged))
    surprise = [item.provenance["disagreement"] for item in again]
    assert surprise[0] > surprise[2] == 0.5 > surprise[1]
