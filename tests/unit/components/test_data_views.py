"""What the Data tab draws: rows, tokens, problems, cleaning, lengths; safe whatever is in them."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from components.data import cleaning_html, histograms, problems_html, row_html, token_view_html
from components.data.open_sources import Subject
from components.data.option_choices import cleaning_choices, prepare_options
from components.data.token_view import carried_note, masking
from studio.data import Inspection, Problem
from studio.data.prepared.browse import ShownRow
from studio.data.tokens.token_lengths import Lengths
from studio.data.tokens.token_view import Token, TokenView

ATTACK = '<img src=x onerror="alert(1)">'


def test_sides_with_little_in_common_are_left_plain_and_said():
    row = {"prompt": "Q", "chosen": "Yes, gladly.", "rejected": "Nobody knows what this means"}
    card = row_html.row_card(row)
    assert "<mark>" not in card and "Too different" in card
    both = row_html.row_card({"prompt": "Q", "answer1": "one two three", "answer2": "one two"})
    assert "<mark> three</mark>" in both or "three</mark>" in both


def test_a_card_says_where_its_row_stood_and_what_is_wrong():
    problem = Problem(7, "empty_field", f"{ATTACK} is empty.", "folder/a.json")
    card = row_html.shown_card(ShownRow({"text": "Mill"}, 7, "folder/a.json", [problem]))
    assert "row 7 of a.json" in card and "empty field" in card
    assert "<img" not in card


def test_a_record_that_is_no_row_is_shown_as_it_stands():
    problem = Problem(3, "malformed_json", "This line is not JSON.", "a.jsonl")
    card = row_html.shown_card(ShownRow({}, 3, "a.jsonl", [problem], f"{{'a': {ATTACK}"))
    assert "Record as in the file" in card and "malformed json" in card
    assert "<img" not in card and "{&#x27;a&#x27;: &lt;img" in card
    assert "no text was recorded" in row_html.shown_card(ShownRow({}, 3, raw=""))


def test_hits_of_a_search_are_marked_safely():
    card = row_html.row_card({"text": f"A Mill {ATTACK}"}, "mill <IMG")
    assert "<img" not in card
    assert '<mark class="hit">Mill &lt;img</mark>' in card


def test_verdicts_and_tool_calls_are_readable():
    assert "bad answer" in row_html.row_card({"prompt": "Q", "completion": "A", "label": False})
    call = {"function": {"name": "find", "arguments": {"what": "mill"}}}
    card = row_html.row_card({"messages": [{"role": "assistant", "tool_calls": [call]}]})
    assert "&quot;what&quot;: &quot;mill&quot;" in card and "said-empty" not in card


def test_a_rows_thinking_is_folded_unless_the_search_finds_it():
    row = {"messages": [{"role": "assistant", "content": "Four.", "reasoning": f"Two {ATTACK}"}]}
    card = row_html.row_card(row)
    assert '<details class="thought"><summary>Thinking' in card and "<img" not in card
    assert '<details class="thought" open>' in row_html.row_card(row, "two")


def tokens(*texts: str, trained: bool = True) -> list:
    return [Token(text, 5, trained, False) for text in texts]


def test_tokens_say_what_is_trained_and_where_the_cut_is():
    mark = Token("<b>", 1, False, True)
    view = SimpleNamespace(
        side="text",
        tokens=[mark, *tokens("yes\n", "lost")],
        total=3,
        trained=1,
        kept=2,
        percent=50.0,
        notes=["Why."],
    )
    markup = token_view_html.token_view([view], 2)
    assert "&lt;b&gt;" in markup and "special" in markup
    assert "truncated at 2 tokens" in markup and "1 truncated" in markup
    assert "1 trained (50.0 %)" in markup and "Why." in markup
    assert markup.index("truncated at 2") < markup.index("lost</span>")


def test_tokens_say_which_field_of_a_message_decided():
    both = [Token("<i>", 5, False, False, "weight 0"), Token("b", 6, True, False, "train true")]
    view = TokenView("text", [*both, both[0], *tokens("c")], 4, 2, 4)
    markup = token_view_html.token_view([view], None)
    assert (
        "Decided by fields: 2 tokens masked by weight 0, 1 token trained by train true." in markup
    )
    assert 'masked by weight 0">&lt;i&gt;' in markup
    plain = token_view_html.token_view([TokenView("text", tokens("c"), 1, 1, 1)], None)
    assert "Decided" not in plain


def test_the_masks_offered_are_the_trainers_settings():
    assert masking("conversational", "all")["assistant_only_loss"] is False
    assert masking("conversational", "assistant")["assistant_only_loss"] is None
    assert masking("conversational", "last")["mask_history"] is True
    assert masking("prompt_completion", "completion")["completion_only_loss"] is True
    assert masking("preference", "all") == {}
    assert "TRL training variant" in carried_note({"chat_template_path": "training"})


def test_pieces_of_a_character_are_seen_and_a_note_is_said_once():
    views = [
        SimpleNamespace(
            side=side,
            tokens=tokens("\u2019", "", ""),
            total=3,
            trained=3,
            kept=3,
            percent=100.0,
            notes=["Same."],
        )
        for side in ("chosen", "rejected")
    ]
    markup = token_view_html.token_view(views, None)
    assert markup.count("tok-piece") == 4 and "part 3 of the previous character" in markup
    assert markup.count("Same.") == 1


def test_problems_lead_to_their_rows():
    problems = [Problem(3, "empty_field", "The answer is empty."), Problem(None, "odd", "Odd.")]
    table = problems_html.problems_table(problems, 41)
    assert 'data-open="3"' in table and table.count("data-open") == 1
    assert "39 more" in table and "empty field" in table
    assert problems_html.problem_kinds({"empty_field": 40, "odd": 1})[0] == ("All kinds (41)", "")


def test_the_headline_tells_format_reason_and_loss():
    found = Inspection("a/b/rows.json", "alpaca", "prompt_completion", 0.99, ATTACK, 1100, 1085)
    markup = problems_html.found_head(found)
    assert "format detected" in markup and "1,100 rows" in markup and "1,085 kept" in markup
    assert "<img" not in markup and 'class="why"' in markup
    assert problems_html.row_filters(found, {"empty_field": 15}) == [
        ("Valid rows (1,085)", "good"),
        ("All rows (1,100)", "all"),
        ("Empty field (15)", "empty_field"),
    ]


def test_cleaning_is_previewed_with_rows():
    example = {"row": 4, "file": "a.json", "data": {"prompt": ATTACK, "completion": ""}}
    step = SimpleNamespace(step="drop_empty", dropped=3, settings={}, examples=[example])
    markup = cleaning_html.cleaning_preview([step], 100, 97)
    assert "keeps 97 of 100" in markup and "3 with empty fields" in markup
    assert "row 4" in markup and "<img" not in markup and "(empty)" in markup


def test_choices_become_the_engines_options():
    (steps, usual), (more, usual_more) = cleaning_choices("prompt_completion")
    assert "drop_equal" not in [value for _, value in steps]
    assert usual_more == ["split_by_prompt"] and len(more) == 4
    chosen = prepare_options(
        {"format": "alpaca"}, [usual, ["novelty", "shuffle"], 5, 0, "", None, 50, 7, 10]
    )
    assert (chosen.dedupe, chosen.drop_equal, chosen.novelty) == (True, False, 0.7)
    assert (chosen.min_words, chosen.sample, chosen.seed, chosen.test_fraction) == (5, 50, 7, 0.1)
    assert chosen.shuffle and not chosen.split_by_prompt and chosen.format == "alpaca"


def lengths(sizes: list[int]) -> Lengths:
    size = np.array(sizes)
    return Lengths(
        rows=len(size),
        measured=len(size),
        refusals={},
        row_of=np.arange(len(size)),
        size=size,
        lit=np.ones(int(size.sum()), bool),
        turns=np.full(len(size), 2),
        at_row=np.arange(len(size)),
        apart=np.full(len(size), -1),
    )


def test_a_histogram_counts_every_row_once_and_draws_the_limit():
    found = lengths([10] * 90 + [40] * 9 + [5000])
    figure = histograms.histogram(found.longest, "Tokens a row", "tokens", limit=30)
    assert sum(figure.data[0].y) == 100
    assert figure.data[1].y[-1] <= 100 and list(figure.data[1].y) == sorted(figure.data[1].y)
    assert figure.layout.shapes[0].x0 == 30
    far = histograms.histogram(found.turns, "Turns a row", "turns", limit=4000)
    assert not far.layout.shapes and "limit 4,000" in far.layout.annotations[0].text
    assert not histograms.histogram(np.zeros(0), "Turns", "turns").data


def test_what_a_limit_costs_is_said():
    markup = cleaning_html.limit_cost(lengths([10] * 9 + [50]).at(20))
    assert "1 row truncated (10.0 %)" in markup and "30 tokens lost" in markup
    facts = cleaning_html.length_facts(lengths([10] * 9 + [50]), "pocket")
    assert "Suggested max length: 64" in facts and "median 10 tokens" in facts


def test_what_goes_along_to_train_is_said():
    assert carried_note({}) == ""
    note = carried_note({"chat_template_path": "chatml", "max_length": 1024})
    assert "chat template ChatML, max length 1,024" in note


def test_a_remembered_place_is_taken_only_as_it_makes_sense():
    subject = Subject(dataset_id="dataset-1", at=4)
    assert Subject.again(subject.kept()) == subject
    assert Subject.again({"at": -3, "odd": 1}) == Subject()
    assert Subject.again("nonsense") == Subject()
