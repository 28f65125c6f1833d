"""Plain texts, prompts alone, and answers without a verdict."""

from tests.unit.data.families.words import system, user

OTHERS = {
    "text": ({"text": "Once upon a time."}, "language_modeling", {"text": "Once upon a time."}),
    "prompts": ({"prompt": "Say hi", "id": 4}, "prompt_only", {"prompt": [user("Say hi")]}),
    "prompts as messages": (
        {"prompt": [system("S"), user("Say hi")]},
        "prompt_only",
        {"prompt": [system("S"), user("Say hi")]},
    ),
    "prompts with accepted answers": (
        {"prompt": "Who?", "answers": ["Ada", "Ada L."], "kind": "fact"},
        "prompt_only",
        {"prompt": [user("Who?")], "answers": ["Ada", "Ada L."]},
    ),
    "two-turn prompts": (
        {"question_id": 1, "turns": ["First", "Then"]},
        "prompt_only",
        {"prompt": [user("First")], "follow_ups": ["Then"]},
    ),
    "numbered questions": (
        {"question_id": 1, "text": "Why?", "category": "c"},
        "prompt_only",
        {"prompt": [user("Why?")]},
    ),
    "comparison": (
        {"prompt": "Q", "answer1": "A", "answer2": "B"},
        "comparison",
        {"prompt": [user("Q")], "answer1": "A", "answer2": "B"},
    ),
    "two models' answers": (
        {"instruction": "I", "gpt4_output": "A", "llama_output": "B", "id": 3},
        "comparison",
        {"prompt": [user("I")], "answer1": "A", "answer2": "B", "provenance": '{"id": 3}'},
    ),
    "a list of answers without a verdict": (
        {"prompt": "Q", "responses": ["A", "B", "C"]},
        "comparison",
        {"prompt": [user("Q")], "answer1": "A", "answer2": "B", "answer3": "C"},
    ),
    "numbered turns of the user": (
        {"id": 4, "turn1": "First", "turn2": "Then"},
        "prompt_only",
        {"prompt": [user("First")], "follow_ups": ["Then"]},
    ),
    "answers called after their models": (
        {"prompt": "Q", "base": "A", "tuned": "B"},
        "comparison",
        {"prompt": [user("Q")], "answer1": "A", "answer2": "B"},
    ),
}
