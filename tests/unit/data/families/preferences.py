"""Better and worse answers, and single answers judged good or bad."""

import json

from tests.unit.data.families.words import HH, assistant, system, user

PREFERENCES = {
    "preference strings": (
        {"prompt": "Q", "chosen": "good", "rejected": "bad"},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "preference with instruction and input": (
        {"instruction": "I", "input": "x", "output": "good", "rejected": "bad", "chosen": "good"},
        "preference",
        {"prompt": [user("I\n\nx")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "preference objects after ShareGPT turns": (
        {
            "conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "Q"}],
            "chosen": {"from": "gpt", "value": "good"},
            "rejected": {"from": "gpt", "value": "bad"},
        },
        "preference",
        {
            "prompt": [system("S"), user("Q")],
            "chosen": [assistant("good")],
            "rejected": [assistant("bad")],
        },
    ),
    "preference sides that repeat the prompt": (
        {
            "prompt": "Q",
            "chosen": [user("Q"), assistant("good")],
            "rejected": [user("Q"), assistant("bad")],
            "score_chosen": 4.0,
            "score_rejected": 2.0,
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "preference sides beside the finished conversation": (
        {
            "prompt": "Q",
            "messages": [user("Q"), assistant("good")],
            "chosen": [user("Q"), assistant("good")],
            "rejected": [user("Q"), assistant("bad")],
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "preference sides as JSON in strings": (
        {
            "chosen": json.dumps([user("Q"), assistant("good")]),
            "rejected": json.dumps([user("Q"), assistant("bad")]),
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "answers with their own ranks after a transcript": (
        {
            "prompt": "\n\nHuman: Q\n\nAssistant: ",
            "answers": [{"answer": "bad", "rank": 2.0}, {"answer": "good", "rank": 1.0}],
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "two whole conversations and a winner": (
        {
            "question_id": "x7",
            "model_a": "m",
            "model_b": "n",
            "winner": "model_b",
            "conversation_a": [user("Q"), assistant("bad")],
            "conversation_b": [user("Q"), assistant("good")],
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "preference sides without a prompt column": (
        {"chosen": [user("Q"), assistant("good")], "rejected": [user("Q"), assistant("bad")]},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "transcripts": (
        {"chosen": HH + "Oak", "rejected": HH + "Go away"},
        "preference",
        {
            "prompt": [user("Hi  "), assistant("Yes?"), user("Name a tree.")],
            "chosen": [assistant("Oak")],
            "rejected": [assistant("Go away")],
        },
    ),
    "response_j": (
        {"question": "Q", "response_j": "good", "response_k": "bad"},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "good and bad": (
        {"query": "Q", "good_answer": "good", "bad_answer": "bad"},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "index of the better answer": (
        {"prompt": "Q", "response_0": "bad", "response_1": "good", "better_response_id": 1},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "winner by name": (
        {"prompt": "Q", "response_a": "bad", "response_b": "good", "winner": "model_b"},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "a score an answer": (
        {"question": "Q", "answer_0": "good", "answer_1": "bad", "score_0": 0.5, "score_1": -0.5},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "a list of scored answers": (
        {
            "instruction": "Q",
            "completions": [{"response": "bad", "score": 1}, {"response": "good", "score": 9}],
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "ranks": (
        {"prompt": "Q", "responses": ["mid", "good", "bad"], "rank": [2, 1, 3]},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "kto messages": (
        {"messages": [user("Q"), assistant("A")], "label": True},
        "unpaired_preference",
        {"prompt": [user("Q")], "completion": [assistant("A")], "label": True},
    ),
    "kto prompt and completion": (
        {"prompt": "Q", "completion": "A", "label": False},
        "unpaired_preference",
        {"prompt": [user("Q")], "completion": [assistant("A")], "label": False},
    ),
    "several raters' votes": (
        {
            "idx": 3,
            "instruction": "I",
            "input": "x",
            "response1": "bad",
            "response2": "good",
            "annotator1": 2,
            "annotator2": 0,
            "annotator3": 2,
        },
        "preference",
        {"prompt": [user("I\n\nx")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "a list of votes": (
        {"prompt": "Q", "answer_a": "bad", "answer_b": "good", "votes": ["b", "a", "b"]},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "openai's preference": (
        {
            "input": {"messages": [user("Q")], "tools": []},
            "preferred_output": [assistant("good")],
            "non_preferred_output": [assistant("bad")],
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "summaries and the index of the better": (
        {
            "info": {"post": "Q", "id": "x"},
            "summaries": [{"text": "bad"}, {"text": "good"}],
            "choice": 1,
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "answers with their scores and a nested question": (
        {
            "question": {"full_text": "Q", "id": "x"},
            "answer_0": "bad",
            "answer_1": "good",
            "score_0": -1.0,
            "score_1": 1.0,
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "one verdict column an answer": (
        {
            "prompt": "Q",
            "response_a": "bad",
            "response_b": "good",
            "winner_model_a": 0,
            "winner_model_b": 1,
            "winner_tie": 0,
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "passages for and against a query": (
        {"query": "Q", "pos": ["good", "fine"], "neg": ["bad"]},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "an anchor with a positive and a negative": (
        {"anchor": "Q", "positive": "good", "negative": "bad"},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "ratings written as texts": (
        {"instruction": "Q", "generations": ["bad", "good"], "ratings": ["1", "5"]},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "a score for each model's answer": (
        {
            "prompt": "Q",
            "gpt4_answer": "good",
            "llama_answer": "bad",
            "gpt4_score": 5,
            "llama_score": 2,
        },
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
    "a verdict in words": (
        {"question": "Q", "assistant_a": "bad", "assistant_b": "good", "verdict": "B is better"},
        "preference",
        {"prompt": [user("Q")], "chosen": [assistant("good")], "rejected": [assistant("bad")]},
    ),
}
