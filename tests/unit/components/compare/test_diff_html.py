"""Differences between answers and token probabilities: right, and escaped."""

from __future__ import annotations

from components.compare import diff_html
from studio.evaluation.token_logprobs import AnswerReading, TokenReading

EVIL = "<img src=x onerror=alert(1)>"


def test_only_what_differs_is_marked():
    first, second = diff_html.differences(["The sky is blue.", "The sky is very blue."])
    assert first == "The sky is blue."
    assert second.replace("<mark>", "").replace("</mark>", "") == "The sky is very blue."
    assert second.count("<mark>") == 1 and "very" in second.split("<mark>")[1]
    one, other = diff_html.differences([EVIL, "yes"])
    assert "<img" not in one and "<mark>" in one and other == "<mark>yes</mark>"
    assert diff_html.differences([EVIL]) == ["&lt;img src=x onerror=alert(1)&gt;"]


def test_tokens_say_by_how_much():
    near = ((EVIL, -0.1), ("b", -2.0))
    reading = AnswerReading(
        ("base", EVIL),
        [TokenReading(EVIL, (-2.0, -0.5), (near, near))],
        (-2.0, -0.5),
        (None, 0.15),
        (None, None),
    )
    markup = diff_html.tokens(reading)
    assert "<img" not in markup and 'class="token up" style="--s:0.50"' in markup
    assert "log-ratio +1.50" in markup and "implicit reward +0.15" in markup
    assert "60.7 %" in markup  # exp(-0.5)
    assert "data-letter" not in markup
    asked = diff_html.tokens(reading, ("B", f"{EVIL} more"))
    assert f'data-letter="B" data-start="0" data-end="{len(EVIL)}"' in asked
    assert "data-letter" not in diff_html.tokens(reading, ("B", "Another text."))  # not its token
    assert "data-letter" not in diff_html.tokens(reading, ("A", EVIL))  # the base's
    gone = AnswerReading(("base",), [], (None,), (None,), ("It is gone.",))
    assert "base: It is gone." in diff_html.tokens(gone)
