# ruff: noqa: RUF001
"""Files as other tools and other people write them, each kind with its neighbours: the row that is
right, or the question that is asked."""

import json

import pytest

from studio.core.errors import DataError
from studio.data import inspect
from studio.data.formats.detection import MOST
from tests.unit.data.making import assistant, put, system, user

SHIP = "\n\nHuman: Who built {n}?\n\nAssistant: {a}"
ALPACA = (
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.\n\n### Instruction:\nName ship {n}.\n\n### Response:\n"
)


def lines(*rows, times=4):
    """Rows as JSON Lines; one template is written several times with `{n}` filled in."""
    if len(rows) == 1:
        text = json.dumps(rows[0], ensure_ascii=False)
        rows = [json.loads(text.replace("{n}", str(n))) for n in range(times)]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def alternate(row, changes, times=6):
    """Rows that take turns with `changes`."""
    made = [{**row, **changes} if n % 2 else row for n in range(times)]
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in made)
    return "".join(line.replace("{n}", str(n)) + "\n" for n, line in enumerate(text.splitlines()))


def pair(prompt, chosen, rejected):
    return {
        "prompt": [user(prompt)],
        "chosen": [assistant(chosen)],
        "rejected": [assistant(rejected)],
    }


def answered(prompt, answer):
    return {"prompt": [user(prompt)], "completion": [assistant(answer)]}


def rated(prompt, answer, label):
    return {**answered(prompt, answer), "label": label}


def chat(*turns):
    return {"messages": list(turns)}


TURNS = [user("Who built {n}?"), assistant("Ada.")]
WHO, ADA, DUNNO = "Who built 0?", "Ada.", "Dunno."
SIDES = {
    "chosen": [user("Who built {n}?"), assistant(ADA)],
    "rejected": [user("Who built {n}?"), assistant(DUNNO)],
}
SCORED = [
    {"model": "m", "custom_system_prompt": "Be brief.", "response": DUNNO, "overall_score": 2.0},
    {"model": "n", "custom_system_prompt": "Be brief.", "response": ADA, "overall_score": 9},
    {"model": "o", "custom_system_prompt": "Be brief.", "response": "Ada?", "overall_score": 7},
]
JUDGED = {"question": "Who built {n}?", "answer": ADA}
SPLIT = {"prompt": "Who built {n}?", "one_response": "x"}

CASES = {
    # a column of labels beside sides that hold the whole chat
    "source beside whole chats": (lines({**SIDES, "source": "magpie"}), pair(WHO, ADA, DUNNO)),
    "task beside whole chats": (lines({**SIDES, "task": "open-qa"}), pair(WHO, ADA, DUNNO)),
    "distinct sources": (lines({**SIDES, "source": "doc-{n}.pdf"}), pair(WHO, ADA, DUNNO)),
    "input of another kind": (lines({**SIDES, "input": "set {n}"}), pair(WHO, ADA, DUNNO)),
    "source beside transcripts": (
        lines({
            "source": "hh",
            "chosen": SHIP.replace("{a}", ADA),
            "rejected": SHIP.replace("{a}", DUNNO),
        }),
        pair(WHO, ADA, DUNNO),
    ),
    "a prompt that is the sides' own": (
        lines({"prompt": "Who built {n}?", **SIDES}), pair(WHO, ADA, DUNNO),
    ),
    # scored lists of answers
    "UltraFeedback": (
        lines({"source": "evol", "instruction": "Who built {n}?", "completions": SCORED}),
        pair(WHO, ADA, DUNNO),
    ),
    "scored generations": (
        lines({"prompt": "Who built {n}?", "generations": [
            {"text": DUNNO, "score": "1"}, {"text": ADA, "score": "4.5"}]}),
        pair(WHO, ADA, DUNNO),
    ),
    # verdicts that name the worse answer
    **{
        f"the worse one: {name}": (
            alternate({"prompt": "Who built {n}?", "response_a": DUNNO, "response_b": ADA,
                       name: word}, {name: other}),
            pair(WHO, ADA, DUNNO),
        )
        for name, word, other in (
            ("worse", "A", "B"), ("loser", "response_a", "response_b"), ("less_helpful", "a", "b"),
            ("rejected_id", 1, 2), ("less_harmful", "B", "A"), ("not_preferred", "left", "right"),
        )
    },
    **{
        f"answers called {stem}": (
            alternate({ask: "Who built {n}?", f"{stem}{one}": DUNNO, f"{stem}{two}": ADA,
                       verdict: words[1]}, {verdict: words[0]}),
            pair(WHO, ADA, DUNNO),
        )
        for stem, one, two, ask, verdict, words in (
            ("antwort", "_a", "_b", "frage", "besser", "AB"),
            ("Réponse ", "1", "2", "Question", "meilleure", ("Réponse 1", "Réponse 2")),
            ("ответ", "1", "2", "вопрос", "лучше", ("ответ1", "ответ2")),
            ("回答", "1", "2", "问题", "winner", (1, 2)),
        )
    },
    # Prodigy
    "a rejected label": (
        alternate({"text": "Ship {n}", "label": "BOAT", "_task_hash": 1, "answer": "reject"},
                  {"answer": "accept"}),
        rated("Ship 0", "BOAT", False),
    ),
    "an ignored label": (
        alternate({"text": "Ship {n}", "label": "BOAT", "answer": "accept"}, {"answer": "ignore"}),
        rated("Ship 0", "BOAT", True),
    ),
    "an accepted answer": (
        alternate({"prompt": "Who built {n}?", "response": ADA, "answer": "accept"},
                  {"answer": "reject"}),
        rated(WHO, ADA, True),
    ),
    # corrected answers
    "revised over original": (
        lines({"prompt": "Who built {n}?", "original_response": DUNNO, "revised_response": ADA}),
        pair(WHO, ADA, DUNNO),
    ),
    "edited over the answer": (
        lines({"prompt": "Who built {n}?", "response": DUNNO, "edited_response": ADA}),
        pair(WHO, ADA, DUNNO),
    ),
    "corrected over initial": (
        lines({"question": "Who built {n}?", "corrected_answer": ADA, "initial_answer": DUNNO}),
        pair(WHO, ADA, DUNNO),
    ),
    "a person's edit over the model's": (
        lines({"instruction": "Who built {n}?", "model_output": DUNNO, "human_edit": ADA}),
        pair(WHO, ADA, DUNNO),
    ),
    "an editor's rewrite over the answer": (
        lines({"prompt": "Who built {n}?", "answer": DUNNO, "rewrite_editor": ADA}),
        pair(WHO, ADA, DUNNO),
    ),
    # letters and tickets
    "a ticket's reply": (
        lines({"ticket_id": "T{n}", "customer_message": "Who built {n}?", "agent_reply": ADA}),
        answered(WHO, ADA),
    ),
    "a letter's reply": (
        lines({"From": "a@x.org", "Body": "Who built {n}?", "Reply": ADA}), answered(WHO, ADA)
    ),
    "rejected messages": (
        lines({"messages": SIDES["chosen"], "rejected_messages": SIDES["rejected"]}),
        pair(WHO, ADA, DUNNO),
    ),
    "rejected response": (
        lines({"query": "Who built {n}?", "response": ADA, "rejected_response": DUNNO}),
        pair(WHO, ADA, DUNNO),
    ),
    # verdicts on single answers
    "is_correct": (
        alternate({**JUDGED, "is_correct": False}, {"is_correct": True}), rated(WHO, ADA, False),
    ),
    "helpful, unhelpful": (
        alternate({**JUDGED, "feedback": "helpful"}, {"feedback": "unhelpful"}),
        rated(WHO, ADA, True),
    ),
    **{
        f"{bad}, {good}": (
            alternate({**JUDGED, "label": bad}, {"label": good}), rated(WHO, ADA, False),
        )
        for good, bad in (
            ("safe", "unsafe"), ("Harmless", "Harmful"), ("not toxic", "toxic"),
            ("accurate", "inaccurate"), ("faithful", "hallucinated"),
        )
    },
    "thumbs": (
        alternate({**JUDGED, "reaction": "👍"}, {"reaction": "👎"}), rated(WHO, ADA, True),
    ),
    "passed and failed under any name": (
        alternate({**JUDGED, "test_run": "failed"}, {"test_run": "passed"}),
        rated(WHO, ADA, False),
    ),
    "yes and no as answers are no verdicts": (
        alternate({"question": "Is {n} a ship?", "answer": "yes"}, {"answer": "no"}),
        answered("Is 0 a ship?", "yes"),
    ),
    # system prompts in parts
    "Vertex": (
        lines({"systemInstruction": {"parts": [{"text": "Be "}, {"text": "brief."}]},
               "contents": [{"role": "user", "parts": [{"text": "Who built {n}?"}]},
                            {"role": "model", "parts": [{"text": ADA}]}]}),
        chat(system("Be brief."), user(WHO), assistant(ADA)),
    ),
    "Bedrock": (
        lines({"schemaVersion": "bedrock-conversation-2024", "system": [{"text": "Be brief."}],
               "messages": [{"role": "user", "content": [{"text": "Who built {n}?"}]},
                            {"role": "assistant", "content": [{"text": ADA}]}]}),
        chat(system("Be brief."), user(WHO), assistant(ADA)),
    ),
    "Anthropic's system blocks": (
        lines({"system": [{"type": "text", "text": "Be brief."}], "messages": TURNS}),
        chat(system("Be brief."), user(WHO), assistant(ADA)),
    ),
    "input_text and output_text": (
        lines({"input_text": "Who built {n}?", "output_text": ADA}), answered(WHO, ADA),
    ),
    "question_text and answer_text": (
        lines({"question_text": "Who built {n}?", "answer_text": ADA}), answered(WHO, ADA),
    ),
    # words in column names that are languages, or are not
    "questions as keys": (
        ("faq.json", json.dumps({f"Who built {n}?": "Ada." for n in range(4)})),
        answered(WHO, ADA),
    ),
    "a language apart": (
        lines({"text_en": "Ship {n}", "text_de": "Schiff {n}"}), answered("Ship 0", "Schiff 0"),
    ),
    # tables whose cells hold Python's lists
    "Python's turns": (
        ("rows.csv", "chosen,rejected\n" + "".join(
            f'"{[user(f"Who built {n}?"), assistant(ADA)]}","'
            f'{[user(f"Who built {n}?"), assistant(DUNNO)]}"\n' for n in range(4))),
        pair(WHO, ADA, DUNNO),
    ),
    "NumPy's turns": (
        ("rows.csv", "messages\n" + "".join(
            f'"[{user(f"Who built {n}?")}\n {assistant(ADA)}]"\n' for n in range(4))),
        chat(user(WHO), assistant(ADA)),
    ),
    "the arena's lists": (
        lines({"prompt": '["Who built {n}?", "And?"]', "response_a": '["Dunno.", "So."]',
               "response_b": '["Ada.", "So."]', "winner_model_a": 0, "winner_model_b": 1}),
        {"prompt": [user(WHO)],
         "chosen": [assistant(ADA), user("And?"), assistant("So.")],
         "rejected": [assistant(DUNNO), user("And?"), assistant("So.")]},
    ),
    # templates written into prompts, and texts made of other columns
    "Alpaca's template in a prompt": (
        lines({"prompt": ALPACA, "response": ADA}), answered("Name ship 0.", ADA),
    ),
    "a text that repeats its columns": (
        lines({"instruction": "Name ship {n}.", "input": "", "output": ADA,
               "text": ALPACA + ADA}),
        answered("Name ship 0.", ADA),
    ),
    "instruction and input alone": (
        lines({"app": "Mail", "instruction": "Correct it.", "input": "helo {n}"}),
        {"prompt": [user("Correct it.\n\nhelo 0")]},
    ),
    # answers that are data
    "answers that are objects": (
        lines({"instruction": "Parse.", "input": "ship {n}", "output": {"ship": "{n}", "of": 3}}),
        answered("Parse.\n\nship 0", '{"ship": "0", "of": 3}'),
    ),
    "numbers among answers": (
        alternate({"question": "How many {n}?", "answer": "two"}, {"answer": 2}),
        answered("How many 0?", "two"),
    ),
    # nested files
    "SQuAD": (
        ("squad.json", json.dumps({"version": "2", "data": [{"title": "Ships", "paragraphs": [
            {"context": "Ada built it.", "qas": [
                {"id": f"{n}", "question": f"Who built {n}?",
                 "answers": [{"text": "Ada", "answer_start": 0}]} for n in range(4)]}]}]})),
        answered("Who built 0?\n\nAda built it.", "Ada"),
    ),
    "tools as texts": (
        lines({"messages": [user("Who built {n}?")], "tools": ['{"name": "find"}'],
               "chosen_response": assistant(ADA), "rejected_response": assistant(DUNNO)}),
        {**pair(WHO, ADA, DUNNO), "tools": '[{"type": "function", "function": {"name": "find"}}]'},
    ),
    "a ground truth beside prompts": (
        lines({"messages": [user("2 + {n}?")], "ground_truth": "{n}", "dataset": "sums"}),
        {"prompt": [user("2 + 0?")], "answers": ["0"]},
    ),
    "a ground truth in an object": (
        lines({"prompt": [user("2 + {n}?")],
               "reward_model": {"style": "rule", "ground_truth": "{n}"}}),
        {"prompt": [user("2 + 0?")], "answers": ["0"]},
    ),
    # annotation tools
    "Label Studio's pairs": (
        ("export.json", json.dumps([
            {"id": n, "data": {"prompt": f"Who built {n}?", "answer1": DUNNO, "answer2": ADA},
             "annotations": [
                 {"was_cancelled": True, "result": [{"value": {"selected": "left"}}]},
                 {"was_cancelled": False, "result": [{
                     "value": {"selected": "right"}, "from_name": "pw",
                     "to_name": "answer1,answer2", "type": "pairwise"}]}]} for n in range(4)])),
        pair(WHO, ADA, DUNNO),
    ),
    "Label Studio's pairs shown the other way round": (
        ("export.json", json.dumps([
            {"data": {"prompt": f"Who built {n}?", "answer1": DUNNO, "answer2": ADA},
             "annotations": [{"result": [{"value": {"selected": "left"},
                                          "to_name": "answer2,answer1"}]}]} for n in range(4)])),
        pair(WHO, ADA, DUNNO),
    ),
    "Label Studio's ratings": (
        ("export.json", json.dumps([
            {"data": {"prompt": f"Who built {n}?", "answer1": DUNNO, "answer2": ADA},
             "annotations": [{"result": [
                 {"value": {"rating": 2}, "to_name": "answer1", "from_name": "r1"},
                 {"value": {"rating": 4}, "to_name": "answer2", "from_name": "r2"}]}]}
            for n in range(4)])),
        pair(WHO, ADA, DUNNO),
    ),
    "Label Studio's classes": (
        ("export.json", json.dumps([
            {"data": {"text": f"Ship {n} sank"},
             "annotations": [{"result": [{"value": {"choices": [["sad", "glad"][n % 2]]}}]}]}
            for n in range(8)])),
        answered("Ship 0 sank", "sad"),
    ),
    "Argilla 2": (
        lines({"id": "i{n}", "fields": {
            "prompt": "Who built {n}?", "output_1": DUNNO, "output_2": ADA},
               "responses": {"best": [{"user_id": "u", "value": "output_2"},
                                      {"user_id": "v", "value": "output_1", "status": "discarded"},
               ]}}),
        pair(WHO, ADA, DUNNO),
    ),
    "Argilla 1": (
        lines({"instruction": "Who built {n}?", "response-1": DUNNO, "response-2": ADA,
               "preference": [{"user_id": "u", "status": "submitted", "value": [
                   {"value": "response-1", "rank": 2}, {"value": "response-2", "rank": 1}]}]}),
        pair(WHO, ADA, DUNNO),
    ),
    # chats and logs
    "ChatGPT": (
        ("conversations.json", json.dumps([{"title": f"t{n}", "current_node": "c", "mapping": {
            "r": {"message": None, "parent": None, "children": ["a"]},
            "a": {"message": {"author": {"role": "user"},
                              "content": {"parts": [f"Who built {n}?"]}}, "parent": "r"},
            "b": {"message": {"author": {"role": "assistant"},
                              "content": {"parts": [DUNNO]}}, "parent": "a"},
            "c": {"message": {"author": {"role": "assistant"},
                              "content": {"parts": [ADA]}}, "parent": "a"}}} for n in range(4)])),
        chat(user(WHO), assistant(ADA)),
    ),
    "OpenAI's log": (
        lines({"request": {"model": "m", "messages": [user("Who built {n}?")]},
               "response": {"choices": [{"message": assistant(ADA)}]}}),
        chat(user(WHO), assistant(ADA)),
    ),
    "OpenAI's batch": (
        lines({"custom_id": "{n}", "request": {"body": {"messages": [user("Who built {n}?")]}},
               "response": {"body": {"choices": [{"message": assistant(ADA)}]}}}),
        chat(user(WHO), assistant(ADA)),
    ),
    "Anthropic's log": (
        lines({"request": {"system": "Be brief.", "messages": [user("Who built {n}?")]},
               "response": {"role": "assistant", "content": [{"type": "text", "text": ADA}]}}),
        chat(system("Be brief."), user(WHO), assistant(ADA)),
    ),
    "LangChain": (
        lines({"messages": [{"type": "human", "data": {"content": "Who built {n}?"}},
                            {"type": "ai", "data": {"content": ADA}}]}),
        chat(user(WHO), assistant(ADA)),
    ),
    "LangChain's newer form": (
        lines({"messages": [{"type": "human", "content": "Who built {n}?"},
                            {"type": "ai", "content": ADA}]}),
        chat(user(WHO), assistant(ADA)),
    ),
    # CSV dialects
    "Excel's sep": (
        ("rows.csv", "sep=;\nquestion;answer\n" + "Who built 0?;Ada.\n" * 3), answered(WHO, ADA),
    ),
    "comments first": (
        ("rows.csv", "# made by hand\n# in 2020\nquestion,answer\nWho built 0?,Ada.\n"),
        answered(WHO, ADA),
    ),
    "a report's title first": (
        ("rows.csv", "Ships of the year\n\nquestion,answer\n" + "Who built 0?,Ada.\n" * 4),
        answered(WHO, ADA),
    ),
    "a comma in a header": (
        ("rows.csv", "question, in full;answer\n" + "Who built 0?;Ada.\n" * 4),
        answered(WHO, ADA),
    ),
    "quotes after backslashes": (
        ("rows.csv", "question,answer\n" + '"Who built \\"0\\", say?","Ada, \\"A\\"."\n' * 4),
        answered('Who built "0", say?', 'Ada, "A".'),
    ),
    "carriage returns end lines": (
        ("rows.csv", "question,answer\r" + "Who built 0?,Ada.\r" * 3), answered(WHO, ADA),
    ),
    "a carriage return in a cell": (
        ("rows.csv", "question,answer\n" + "Who built\r0?,Ada.\n" * 3),
        answered("Who built\r0?", ADA),
    ),
    "a carriage return in a quoted cell of an old file": (
        ("rows.csv", "question,answer\r" + '"Who built\r0?",Ada.\r' * 3),
        answered("Who built\r0?", ADA),
    ),
    "single quotes around cells": (
        ("rows.csv", "question,answer\n" + "'Who built it, say?','Ada, A.'\n" * 4),
        answered("Who built it, say?", "Ada, A."),
    ),
    "apostrophes in plain cells": (
        ("rows.csv", "question,answer\n" + "'Tis Ada's ship?,Ada's.\n" * 4),
        answered("'Tis Ada's ship?", "Ada's."),
    ),
    "edited beside what the model wrote": (
        lines({"prompt": "Who built {n}?", "model_output": DUNNO, "edited_output": ADA}),
        pair(WHO, ADA, DUNNO),
    ),
    "corrected beside what was generated": (
        lines({"question": "Who built {n}?", "generated_answer": DUNNO, "corrected_answer": ADA}),
        pair(WHO, ADA, DUNNO),
    ),
    "Prodigy's button beside a text": (
        alternate({"text": "Who built {n}?", "meta": {"from": "x"}, "answer": "accept"},
                  {"answer": "reject"}),
        {"text": WHO},
    ),
    "accept and reject as answers": (
        alternate({"instruction": "Take offer {n}?", "answer": "accept"}, {"answer": "reject"}),
        answered("Take offer 0?", "accept"),
    ),
    "Gemini's contents": (
        lines({"contents": [{"role": "user", "parts": [{"text": "Who built {n}?"}]},
                            {"role": "model", "parts": [{"text": ADA}]}]}),
        chat(user(WHO), assistant(ADA)),
    ),
    "the Responses API": (
        lines({"input": [user("Who built {n}?")],
               "output": [{"type": "message", "role": "assistant",
                           "content": [{"type": "output_text", "text": ADA}]}]}),
        chat(user(WHO), assistant(ADA)),
    ),
    "commas after rows": (
        ("rows.jsonl", '{"question": "Who built 0?", "answer": "Ada."},\n' * 3),
        answered(WHO, ADA),
    ),
    # headers in other languages
    "Russian": (("rows.csv", "Вопрос,Ответ\n" + "Who built 0?,Ada.\n" * 3), answered(WHO, ADA)),
    "Chinese": (("rows.csv", "问题,回答\n" + "Who built 0?,Ada.\n" * 3), answered(WHO, ADA)),
    "Korean": (("rows.csv", "질문,답변\n" + "Who built 0?,Ada.\n" * 3), answered(WHO, ADA)),
    "German": (("rows.csv", "Frage,Antwort\n" + "Who built 0?,Ada.\n" * 3), answered(WHO, ADA)),
    "Hindi": (
        ("rows.csv", "प्रश्न,उत्तर\n" + "Who built 0?,Ada.\n" * 3), answered(WHO, ADA),
    ),
    "Portuguese": (
        ("rows.csv", "Instrução,Saída\n" + "Who built 0?,Ada.\n" * 3), answered(WHO, ADA),
    ),
}  # fmt: skip
"""Name -> (JSON Lines, or a file's name and text; the first row)."""


@pytest.mark.parametrize("case", CASES)
def test_the_row_is_the_right_one(tmp_path, case):
    content, expected = CASES[case]
    name, text = content if isinstance(content, tuple) else ("rows.jsonl", content)
    seen = inspect(put(tmp_path, name, text))
    assert seen.question is None, seen.why
    assert seen.sample[0] == expected


ASKED = {
    "codes of a verdict": (
        lines(*({**SPLIT, "response_a": "x", "response_b": "y", "label": n} for n in (0, 1, 2))),
        {"better_first": "0=1,1=2,2=tie"},
    ),
    "zero and one beside answers a and b": (
        lines(*({**SPLIT, "response_a": "x", "response_b": "y", "label": n} for n in (0, 1, 1))),
        {"better_first": "1=1,0=2"},
    ),
    "several answers in a list": (
        lines({"instruction": "Name {n}.", "output": ["Ada", "Bea", "Cy"]}),
        {"take": "each"},
    ),
    "two columns of text without names": (
        ("rows.csv", "".join(f"Who built {n}?,It was Ada {n}.\n" for n in range(9))),
        {"prompt": "column_1", "completion": "column_2"},
    ),
    "two columns of text that nobody knows": (
        lines({"left_thing": "Who built {n}?", "right_thing": "Ada built {n}."}),
        {"prompt": "left_thing", "completion": "right_thing"},
    ),
    "chats of people": (
        lines(*({"author": {"name": ["ana", "ben"][n % 2]}, "content": f"line {n}", "id": f"{n}"}
                for n in range(8))),
        {"assistant": "ben"},
    ),
    "answers in few rows": (
        ("rows.csv", "question,answer\n" + "Who built it?,NaN\n" * 8 + "Who built 9?,Ada.\n"),
        {"prompt": "question", "completion": "answer"},
    ),
}  # fmt: skip
"""Name -> (the file, what a person may say of it)."""


@pytest.mark.parametrize(
    "row",
    [
        {"response_a": ADA, "response_b": DUNNO, "harm_score_a": 0.1, "harm_score_b": 0.9},
        {"response_1": ADA, "response_2": DUNNO, "error_rating_1": 1, "error_rating_2": 5},
        {"responses": [ADA, DUNNO], "toxicity_scores": [0.1, 0.9]},
        {"responses": [ADA, DUNNO], "risk_scores": ["0.1", "0.9"]},
    ],
)
def test_a_score_of_harm_is_no_score_of_the_better_answer(tmp_path, row):
    content = lines({"prompt": "Who built {n}?", **row})
    path = tmp_path / "rows.jsonl"
    path.write_text(content)
    assert inspect(path).type == "comparison"


@pytest.mark.parametrize("case", ASKED)
def test_where_several_readings_fit_a_person_is_asked(tmp_path, case):
    content, told = ASKED[case]
    name, text = content if isinstance(content, tuple) else ("rows.jsonl", content)
    path = put(tmp_path, name, text)
    seen = inspect(path)
    assert seen.question and seen.confidence <= 0.5
    assert len(seen.readings) >= 2 and len({str(one["row"]) for one in seen.readings}) >= 2
    assert all(one["flags"] for one in seen.readings)
    decided = inspect(path, mapping=told)
    assert decided.question is None and decided.kept > 0
    for one in seen.readings:  # as the page asks again
        again = inspect(path, format=one["format"], mapping=one["mapping"])
        assert (again.question, again.type) == (None, one["type"])


def test_what_a_chat_of_people_becomes(tmp_path):
    content, told = ASKED["chats of people"]
    seen = inspect(put(tmp_path, "rows.jsonl", content), mapping=told)
    assert seen.sample[0]["messages"][:2] == [user("line 0"), assistant("line 1")]


def test_the_rejected_one_of_a_scored_list_is_an_option(tmp_path):
    rows = lines({"instruction": "Who built {n}?", "completions": SCORED})
    seen = inspect(put(tmp_path, "rows.jsonl", rows), mapping={"rejected_one": "next"})
    assert seen.sample[0]["rejected"] == [assistant("Ada?")]


def test_a_family_that_cannot_read_its_rows_is_told_and_not_replaced(tmp_path):
    rows = lines({"uid": "a {n}", "messages": [user("Hi"), {"role": "elf", "content": "Ho"}]})
    seen = inspect(put(tmp_path, "rows.jsonl", rows))
    assert (seen.format, seen.kept) == ("messages", 0)
    assert 'the role "elf"' in seen.problems[0].message


def test_columns_of_sentences_that_are_left_out_are_named(tmp_path):
    rows = lines({"question": "Who built {n}?", "answer": ADA, "remark": "not so sure {n}"})
    assert 'Left out: "remark".' in inspect(put(tmp_path, "rows.jsonl", rows)).why


@pytest.mark.parametrize(
    ("row", "left"),
    [
        ({"prompt": "Who built {n}, and when?", "sampled": [["Ada and Bo built it."]]}, "sampled"),
        (
            {
                "messages": [user("Who built {n}, and when?")],
                "generations": [{"text": "Ada and Bo built it."}],
            },
            "generations",
        ),
        (
            {
                "instruction": "Who built {n}?",
                "answer": DUNNO,
                "improved_again_text": "Ada did it.",
            },
            "improved_again_text",
        ),
    ],
)
def test_less_is_claimed_where_what_is_left_out_may_be_the_answer(tmp_path, row, left):
    found = inspect(put(tmp_path, "rows.jsonl", lines(row, times=8)), near=False)
    assert found.question is None and found.confidence == 0.75
    assert f'Left out: "{left}".' in found.why


def test_little_is_lost_in_sureness_where_nothing_is_left_out(tmp_path):
    rows = lines({"prompt": "Who built {n}, and when?", "id": 4}, times=8)
    assert inspect(put(tmp_path, "rows.jsonl", rows), near=False).confidence == MOST


def test_words_for_nothing_are_empty_cells(tmp_path):
    text = "question,answer\nWho built 0?,#N/A\nWho built 1?,Ada.\n"
    seen = inspect(put(tmp_path, "rows.csv", text))
    assert (seen.kept, seen.problem_counts) == (1, {"empty_field": 1})
    assert "#N/A" in seen.notes[0]


def test_a_person_who_is_no_speaker_answers_nobody(tmp_path):
    content, _ = ASKED["chats of people"]
    seen = inspect(put(tmp_path, "rows.jsonl", content), mapping={"assistant": "cy"})
    assert (seen.kept, seen.problem_counts) == (0, {"no_assistant": 1})
    with pytest.raises(DataError, match="assistant says nothing"):
        inspect(put(tmp_path, "rows.jsonl", lines(JUDGED)), mapping={"assistant": "cy"})
