"""Chats of people: whose turns are the assistant's is asked, by name or by place."""

import json

import pytest

from studio.core.errors import DataError
from studio.data.prepared.inspect import read
from studio.data.prepared.questions import refuse_open
from tests.unit.data.making import assistant, inspected, system, user, write


def chats(first, second, count=4, who="from", said="value", **more):
    return [
        {
            "talk": [
                {who: first[n % len(first)], said: f"Who built {n}?"},
                {who: second[n % len(second)], said: f"Ada built {n}."},
            ],
            **more,
        }
        for n in range(count)
    ]


@pytest.mark.parametrize(
    ("who", "said"),
    [("from", "value"), ("role", "content"), ("speaker", "text"), ("name", "message")],
)
def test_two_names_are_asked_about(tmp_path, who, said):
    found = inspected(tmp_path, chats(["Anna"], ["Boris"], who=who, said=said))
    assert [one["mapping"]["assistant"] for one in found.readings] == ["Anna", "Boris"]
    told = inspected(
        tmp_path, chats(["Anna"], ["Boris"], who=who, said=said), mapping={"assistant": "Boris"}
    )
    assert told.sample[0] == {"messages": [user("Who built 0?"), assistant("Ada built 0.")]}
    assert told.kept == 4


def test_the_shell_refuses_with_the_flags_to_choose_from(tmp_path):
    flags = r"--map assistant=Anna .*--map assistant=Boris"
    path = write(tmp_path, chats(["Anna"], ["Boris"]))
    with read(path) as reading, pytest.raises(DataError, match=flags):
        refuse_open(reading.stream)


def test_lists_in_cells_and_files_of_other_languages_are_asked_about_too(tmp_path):
    rows = [{"talk": json.dumps(row["talk"])} for row in chats(["Клиент"], ["Оператор"])]
    found = inspected(tmp_path, rows)
    assert {one["mapping"]["assistant"] for one in found.readings} == {"Клиент", "Оператор"}


def test_people_of_their_own_in_each_chat_are_told_by_their_place(tmp_path):
    rows = chats(["Anna", "Cleo", "Eve", "Gus"], ["Boris", "Dan", "Fay", "Hal"])
    found = inspected(tmp_path, rows)
    names = [one["mapping"]["assistant"] for one in found.readings]
    assert names == ["second speaker", "first speaker"]
    told = inspected(tmp_path, rows, mapping={"assistant": "second speaker"})
    assert told.sample[3]["messages"][-1] == assistant("Ada built 3.")


def test_a_name_beside_one_known_role_takes_the_other(tmp_path):
    found = inspected(tmp_path, chats(["user"], ["Luna"]))
    assert (found.question, found.sample[0]["messages"][1]) == (None, assistant("Ada built 0."))
    found = inspected(tmp_path, chats(["Luna"], ["gpt"]))
    assert (found.question, found.sample[0]["messages"][1]) == (None, assistant("Ada built 0."))


def test_a_system_turn_stays_one_and_texts_beside_are_named(tmp_path):
    rows = chats(["Anna"], ["Boris"], persona="Boris is a shipwright of great age.")
    for row in rows:
        row["talk"].insert(0, {"from": "system", "value": "Be kind."})
    found = inspected(tmp_path, rows, mapping={"assistant": "Boris"})
    assert found.sample[0]["messages"][0] == system("Be kind.")
    assert "Beside the chats is left out: persona." in found.notes


def test_a_person_may_have_them_read_otherwise(tmp_path):
    found = inspected(tmp_path, chats(["Anna"], ["Boris"]), format="messages")
    assert found.problem_counts == {"unknown_role": 4}


def test_known_roles_with_a_stray_one_are_no_chat_of_people(tmp_path):
    rows = chats(["user"], ["assistant"], count=6)
    rows[0]["talk"][1]["from"] = "Boris"
    found = inspected(tmp_path, rows)
    assert (found.question, found.kept) == (None, 5)
    assert found.problem_counts == {"unknown_role": 1}
