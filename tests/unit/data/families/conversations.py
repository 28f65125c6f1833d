"""Conversations in every spelling."""

import json

from tests.unit.data.families.words import CALL, assistant, system, user

CONVERSATIONS = {
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
    "a tree of messages with ranked replies": (
        {
            "message_tree_id": "t",
            "prompt": {
                "text": "Hi",
                "role": "prompter",
                "replies": [
                    {"text": "No", "role": "assistant", "rank": 1, "replies": []},
                    {"text": "Yo", "role": "assistant", "rank": 0, "replies": []},
                ],
            },
        },
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "Llama-2's template": (
        {
            "text": "<s>[INST] <<SYS>>\nS\n<</SYS>>\n\nHi [/INST] Yo </s>"
            "<s>[INST] And [/INST] No </s>"
        },
        "conversational",
        {"messages": [system("S"), user("Hi"), assistant("Yo"), user("And"), assistant("No")]},
    ),
    "ChatML's template": (
        {"text": "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n"},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
    "Alpaca's template": (
        {"text": "Below is a task.\n\n### Instruction:\nHi\n\n### Input:\nx\n\n### Response:\nYo"},
        "conversational",
        {"messages": [system("Below is a task."), user("Hi\n\nx"), assistant("Yo")]},
    ),
    "Vicuna's template": (
        {"text": "A chat. USER: Hi ASSISTANT: Yo</s>"},
        "conversational",
        {"messages": [system("A chat."), user("Hi"), assistant("Yo")]},
    ),
    "keys in any case, and a speaker called SYSTEM": (
        {"Dialogue": [{"Speaker": "USER", "Text": "Hi"}, {"Speaker": "SYSTEM", "Text": "Yo"}]},
        "conversational",
        {"messages": [user("Hi"), assistant("Yo")]},
    ),
}
