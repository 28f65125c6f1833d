"""Instructions with their answers: prompt and completion."""

from tests.unit.data.families.words import CALL, assistant, system, user

INSTRUCTIONS = {
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
        {"prompt": "2+2=", "completion": " 4"},
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
    "options as a list and an index": (
        {"question": "Which?", "subject": "s", "choices": ["Oak", "Ash"], "answer": 0},
        "prompt_completion",
        {"prompt": [user("Which?\n\nA. Oak\nB. Ash")], "completion": [assistant("A. Oak")]},
    ),
    "options with labels and an answer key": (
        {
            "id": "x7",
            "question_stem": "Which?",
            "choices": {"text": ["Oak", "Ash"], "label": ["A", "B"]},
            "answerKey": "B",
        },
        "prompt_completion",
        {"prompt": [user("Which?\n\nA. Oak\nB. Ash")], "completion": [assistant("B. Ash")]},
    ),
    "a column an option, below a passage": (
        {"article": "Of trees.", "question": "Which?", "A": "Oak", "B": "Ash", "answer": "a"},
        "prompt_completion",
        {
            "prompt": [user("Of trees.\n\nWhich?\n\nA. Oak\nB. Ash")],
            "completion": [assistant("A. Oak")],
        },
    ),
    "options as an object, the right one by its text": (
        {"question": "Which?", "options": {"A": "Oak", "B": "Ash"}, "answer": "Ash"},
        "prompt_completion",
        {"prompt": [user("Which?\n\nA. Oak\nB. Ash")], "completion": [assistant("B. Ash")]},
    ),
    "an answer with nothing but aliases": (
        {"question": "Capital?", "answer": {"aliases": ["Paris", "Lutetia"]}},
        "prompt_completion",
        {"prompt": [user("Capital?")], "completion": [assistant("Paris")]},
    ),
    "an answer that is a number": (
        {"question": "6 * 7?", "answer": 42, "level": "easy"},
        "prompt_completion",
        {"prompt": [user("6 * 7?")], "completion": [assistant("42")]},
    ),
    "a translation": (
        {"id": "1", "translation": {"en": "Good morning", "de": "Guten Morgen"}},
        "prompt_completion",
        {"prompt": [user("Good morning")], "completion": [assistant("Guten Morgen")]},
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
