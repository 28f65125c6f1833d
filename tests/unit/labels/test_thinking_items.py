"""Thinking is kept beside the answers that annotators judge; a project may show it."""

from studio.generation.request import Answer, Column, Snapshot
from studio.labels import Pair, llm_judge
from studio.labels.llm_judge import TextPair

WHOLE = "<think>\nHm.\n</think>\n\nBy the river."


def test_annotators_judge_answers_without_thinking(labels):
    hidden = labels.create_project("hidden", order="given")
    shown = labels.create_project("shown", order="given", show_reasoning=True)
    for project, wanted in ((hidden, {""}), (shown, {"", "Hm."})):
        labels.add_items(project.id, [Pair("Where?", WHOLE, "At the inn.")])
        item = labels.next_item(project.id, "ada")
        assert {item.left, item.right} == {"By the river.", "At the inn."}
        assert {item.left_reasoning, item.right_reasoning} == wanted
        one = item.left_reasoning if item.left == "By the river." else item.right_reasoning
        assert one == ("Hm." if "Hm." in wanted else "")
    assert labels.get("shown").show_reasoning and not labels.get("hidden").show_reasoning


def test_a_cut_off_thought_is_set_aside_as_one(labels):
    project = labels.create_project("cut")
    added = labels.add_items(project.id, [Pair("Where?", "<think>\nHm", "At the inn.")])
    assert (added.added, added.set_aside) == (0, {"cut-off thought": 1})


def test_a_judge_has_room_to_think_and_a_cut_off_thought_is_counted():
    pairs = [TextPair([{"role": "user", "content": "Where?"}], "Here.", "There.")]
    asked = llm_judge.request(pairs, Column("pocket"), max_new_tokens=300)
    assert asked.sampling.max_new_tokens == 300
    cells = [
        Answer("A", 5, "stop", reasoning="B is better"),
        Answer("", 300, "length", reasoning="A", thinking=True),
    ]
    seen = Snapshot([cells], True, False, None, 1.0, 9, None, False)
    found = llm_judge.result(seen, pairs, "judge", "a", "b")
    assert found["cut_thoughts"] == 1 == found["unread"]
