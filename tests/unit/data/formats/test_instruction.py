"""Instructions and answers become prompt and completion."""

import pytest

from studio.data.formats import instruction
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import assistant, inspected, system, user

CALL = {"type": "function", "function": {"name": "roll", "arguments": {"sides": 6}}}
CASES = {
    "alpaca": (
        {"instruction": "Add.", "input": "2 and 3", "output": "5"},
        "prompt_completion",
        {"prompt": [user("Add.\n\n2 and 3")], "completion": [assistant("5")]},
    ),
    "alpaca without input": (
        {"instruction": " Name a tree. ", "input": "", "output": "Oak\n"},
        "prompt_completion",
        {"prompt": [user(" Name a tree. ")], "completion": [assistant("Oak\n")]},
    ),
    "gpteacher": (
        {"instruction": "Name a tree.", "input": "", "response": "Oak"},
        "prompt_completion",
        {"prompt": [user("Name a tree.")], "completion": [assistant("Oak")]},
    ),
    "dolly": (
        {"instruction": "When?", "context": "In 1900.", "response": "1900", "category": "qa"},
        "prompt_completion",
        {"prompt": [user("When?\n\nIn 1900.")], "completion": [assistant("1900")]},
    ),
    "question-answer": (
        {"question": "1+1?", "answer": "<<1+1=2>>2\n#### 2"},
        "prompt_completion",
        {"prompt": [user("1+1?")], "completion": [assistant("<<1+1=2>>2\n#### 2")]},
    ),
    "query-response with history": (
        {"system": "Be kind.", "history": [["Hi", "Hello"]], "query": "Who?", "response": "Me"},
        "prompt_completion",
        {
            "prompt": [system("Be kind."), user("Hi"), assistant("Hello"), user("Who?")],
            "completion": [assistant("Me")],
        },
    ),
    "helpsteer": (
        {"prompt": "P", "response": "R", "helpfulness": 4, "correctness": 3, "verbosity": 1},
        "prompt_completion",
        {"prompt": [user("P")], "completion": [assistant("R")]},
    ),
    "triviaqa": (
        {"question": "Capital?", "answer": {"value": "Paris", "aliases": ["Paris", "Lutetia"]}},
        "prompt_completion",
        {"prompt": [user("Capital?")], "completion": [assistant("Paris")]},
    ),
    "prompt-completion strings": (
        {"prompt": "2+2=", "completion": " 4"},
        "prompt_completion",
        {"prompt": [user("2+2=")], "completion": [assistant(" 4")]},
    ),
    "a prompt that a template was written into": (
        {"prompt": "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n", "completion": "A"},
        "prompt_completion",
        {"prompt": [user("Q")], "completion": [assistant("A")]},
    ),
    "a text asked and a turn answered": (
        {"prompt": "Q", "completion": [assistant("A")]},
        "prompt_completion",
        {"prompt": [user("Q")], "completion": [assistant("A")]},
    ),
    "prompt-completion messages": (
        {"prompt": [user("Q")], "completion": [assistant("A")]},
        "prompt_completion",
        {"prompt": [user("Q")], "completion": [assistant("A")]},
    ),
    "Self-Instruct's instances": (
        {"instruction": "Add.", "instances": [{"input": "2 and 3", "output": "5"}]},
        "prompt_completion",
        {"prompt": [user("Add.\n\n2 and 3")], "completion": [assistant("5")]},
    ),
    "squad": (
        {"context": "In 1900.", "question": "When?", "answers": {"text": ["1900"], "start": [3]}},
        "prompt_completion",
        {"prompt": [user("When?\n\nIn 1900.")], "completion": [assistant("1900")]},
    ),
    "a document and its summary": (
        {"document": "Long text.", "summary": "Short.", "id": "7"},
        "prompt_completion",
        {"prompt": [user("Long text.")], "completion": [assistant("Short.")]},
    ),
    "an answer with nothing but aliases": (
        {"question": "Capital?", "answer": {"aliases": ["Paris", "Lutetia"]}},
        "prompt_completion",
        {"prompt": [user("Capital?")], "completion": [assistant("Paris")]},
    ),
    "history as a transcript": (
        {"history": "User: Hi\nAssistant: Hello", "query": "Who?", "response": "Me"},
        "prompt_completion",
        {"prompt": [user("Hi"), assistant("Hello"), user("Who?")], "completion": [assistant("Me")]},
    ),
    "a query answered by tool calls": (
        {
            "query": "Roll",
            "answers": '[{"name": "roll", "arguments": {"sides": 6}}]',
            "tools": '[{"name": "roll", "parameters": {}}]',
        },
        "prompt_completion",
        {
            "prompt": [user("Roll")],
            "completion": [{"role": "assistant", "content": "", "tool_calls": [CALL]}],
            "tools": '[{"type": "function", "function": {"name": "roll", "parameters": {}}}]',
        },
    ),
    "column names in another language": (
        {"Pregunta": "Q", "Respuesta": "A"},
        "prompt_completion",
        {"prompt": [user("Q")], "completion": [assistant("A")]},
    ),
}
"""A row of each spelling, its dataset type, and the TRL row it becomes."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, instruction, *CASES[case])


def test_a_thought_that_repeats_the_question_is_still_before_an_answer(tmp_path):
    asked = ["How do I descale a kettle?", "Which bus goes to the museum?"]
    rows = [
        {"question": text, "response": f"<think>\nThey ask: {text}\n</think>\n\nYes."}
        for text in asked
    ]
    assert inspected(tmp_path, rows).type == "prompt_completion"
