"""Whole conversations in one text become messages."""

import pytest

from studio.data.formats import chat
from studio.data.formats.transcripts import from_template, open_transcript, parse_transcript
from tests.unit.data.formats.recognition import check_case
from tests.unit.data.making import assistant, system, user

CALL = {"type": "function", "function": {"name": "roll", "arguments": {"sides": 6}}}
CASES = {
    "a conversation in one text": (
        {"conversation": "Human: Hi\n\nAssistant: Yo"},
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
}
"""A row of each spelling, its dataset type, and the TRL row it becomes."""


@pytest.mark.parametrize("case", CASES)
def test_rows_are_recognized_and_converted(tmp_path, case):
    check_case(tmp_path, chat, *CASES[case])


@pytest.mark.parametrize(
    "text",
    [
        "Human: Hi\n\nAssistant: Yo",
        "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nYo<|im_end|>\n",
        "<s>[INST] Hi [/INST] Yo </s>",
        "<start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nYo<end_of_turn>\n",
    ],
)
def test_a_transcript_is_read_whatever_marks_its_turns(text):
    turns = parse_transcript(text)
    assert [(turn["role"], turn["content"].strip()) for turn in turns] == [
        ("user", "Hi"),
        ("assistant", "Yo"),
    ]
    assert from_template(text) == text.startswith("<")


@pytest.mark.parametrize("text", ["Hi there.", "Human: only one side", "He said: Human: x"])
def test_a_text_without_both_sides_is_no_transcript(text):
    assert parse_transcript(text) is None


def test_an_open_transcript_is_a_prompt():
    prompt = [user("\n\nHuman: Hi\n\nAssistant:")]
    assert [turn["role"] for turn in open_transcript(prompt)] == ["user"]
    assert open_transcript([user("Hi")]) == [user("Hi")]
