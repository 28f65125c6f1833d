"""Column names in one spelling, and numbered ones taken apart."""

import pytest

from studio.data.formats import column_names


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Tweet text", "tweet_text"),
        ("tweetText", "tweet_text"),
        ("  Réponse ", "reponse"),
        ("info.post", "info_post"),
        ("ВОПРОС", "вопрос"),
    ],
)
def test_spellings_of_a_name_are_one(name, key):
    assert column_names.key(name) == key


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("response1", ("response", "1")),
        ("Response_1", ("response", "1")),
        ("answer_a", ("answer", "a")),
        ("model_answer_b", ("model_answer", "b")),
        ("answera", None),
        ("answer_1_score", None),
        ("answer", None),
    ],
)
def test_numbered_names_are_taken_apart(name, parts):
    assert column_names.numbered(name) == parts


def test_every_role_name_is_in_its_one_spelling():
    assert all(name == name.lower().strip() for name in column_names.ROLES)
    assert set(column_names.ROLES.values()) == {"user", "assistant", "system", "tool", "tool_call"}
