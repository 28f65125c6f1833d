"""One hand-written row of each family, its TRL type, and the TRL row it must become."""

import json


def user(text):
    return {"role": "user", "content": text}


def assistant(text):
    return {"role": "assistant", "content": text}


def system(text):
    return {"role": "system", "content": text}


CALL = {"type": "function", "function": {"name": "roll", "arguments": {"sides": 6}}}
HH = "\n\nHuman: Hi  \n\nAssistant: Yes?\n\nHuman: Name a tree.\n\nAssistant: "

FAMILIES = {
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
    "sharegpt, any case": (
        {"conversations": [{"from": "Human", "value": "Hi"}, {"from": "GPT", "value": "Yo"}]},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "tool calls": (
        {
            "conversations": [
                {"from": "human", "value": "Roll"},
                {"from": "function_call", "value": '{"name": "roll", "arguments": {"sides": 6}}'},
                {"from": "observation", "value": "4"},
                {"from": "gpt", "value": "Four"},
            ],
            "tools": '[{"name": "roll", "parameters": {}}]',
        },
        "conversational",
        {
            "messages": [
                user("Roll"),
                {"role": "assistant", "content": "", "tool_calls": [CALL]},
                {"role": "tool", "content": "4"},
                assistant("Four"),
            ],
            "tools": '[{"type": "function", "function": {"name": "roll", "parameters": {}}}]',
        },
    ),
    "messages with parts": (
        {"messages": [user([{"type": "text", "text": "Hi"}]), assistant("Yo")]},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "role and content under conversations": (
        {"conversations": [user("Hi"), assistant("Yo")], "group": "g"},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "bare list": (
        [user("Hi"), assistant("Yo")],
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "pairs with odd names": (
        {"messages": [{"my_system": "S", "my_input": "Hi", "my_output": "Yo"}]},
        "conversational",
        {"messages": [system("S"), user("Hi"), assistant("Yo")]},
    ),
    "conversation kept as JSON in a string": (
        {"messages": json.dumps([user("Hi"), assistant("Yo")]), "id": 7},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
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
    "comparison": (
        {"prompt": "Q", "answer1": "A", "answer2": "B"},
        "comparison",
        {"prompt": [user("Q")], "answer1": "A", "answer2": "B"},
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
    "turns of one key": (
        {"conversation": [{"user": "Hi"}, {"assistant": "Yo"}]},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "texts said in turn": (
        {"id": "7", "data": ["Hi", "Yo", "And?", "No"]},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo"), user("And?"), assistant("No")]},
    ),
    "turns as a list a field": (
        {"conversations": {"from": ["human", "gpt"], "value": ["Hi", "Yo"]}},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "gemini": (
        {
            "contents": [
                {"role": "user", "parts": [{"text": "Hi"}]},
                {"role": "model", "parts": [{"text": "Yo"}]},
            ]
        },
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "chatgpt export": (
        {
            "title": "t",
            "messages": [
                {"author": {"role": "user"}, "content": {"parts": ["Hi"]}},
                {"author": {"role": "assistant"}, "content": {"parts": ["Yo"]}},
            ],
        },
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "a tool that answers an object": (
        {
            "messages": [
                user("Roll"),
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "content": {"result": 4}},
                assistant("Four"),
            ]
        },
        "conversational",
        {
            "messages": [
                user("Roll"),
                {"role": "assistant", "content": "", "tool_calls": [CALL]},
                {"role": "tool", "content": '{"result": 4}'},
                assistant("Four"),
            ]
        },
    ),
    "a conversation in one text": (
        {"conversation": "Human: Hi\n\nAssistant: Yo"},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "rows inside an object": (
        {"data": {"messages": [user("Hi"), assistant("Yo")]}},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "numbered turns of the user": (
        {"id": 4, "turn1": "First", "turn2": "Then"},
        "prompt_only",
        {"prompt": [user("First")], "follow_ups": ["Then"]},
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
}
