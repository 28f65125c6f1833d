"""Files as their authors published them (STUDIO_REAL_DATA): right family, nothing lost."""

import os
from pathlib import Path

import pytest

from studio.core.errors import DataError
from studio.core.workspace import Workspace
from studio.data import DatasetStore, inspect

FOLDER = os.environ.get("STUDIO_REAL_DATA")
pytestmark = pytest.mark.skipif(not FOLDER, reason="STUDIO_REAL_DATA names no folder of real data")
ROOT = Path(FOLDER or ".")

EXPECTED = {
    "fastchat/dummy_conversation.json": ("conversational", 500, 500, {}),
    "fms_hf_tuning/jsonl/multi_turn_chat.jsonl": ("conversational", 10, 10, {}),
    "fms_hf_tuning/jsonl/multi_turn_chat_conversations.jsonl": ("conversational", 10, 10, {}),
    "gpteacher/roleplay-simple-deduped-roleplay-instruct.json": ("prompt_completion", 700, 700, {}),
    "gsm8k/test.jsonl": ("prompt_completion", 1319, 1319, {}),
    "hh-rlhf/harmless-base-test-500.jsonl": ("preference", 500, 499, {"empty_field": 1}),
    "litgpt_fixtures/dolly.json": ("prompt_completion", 12, 12, {}),
    "litgpt_fixtures/longform_train.json": ("prompt_completion", 17, 17, {}),
    "llama_factory/alpaca_en_demo.json": ("prompt_completion", 999, 999, {"duplicate": 14}),
    "llama_factory/c4_demo.jsonl": ("language_modeling", 100, 100, {}),
    "llama_factory/dpo_en_demo.json": ("preference", 300, 300, {"duplicate": 5}),
    "llama_factory/glaive_toolcall_en_demo.json": ("conversational", 300, 300, {"duplicate": 35}),
    "llama_factory/identity.json": ("prompt_completion", 91, 91, {"placeholder": 85}),
    "llama_factory/kto_en_demo.json": ("unpaired_preference", 300, 300, {}),
    "llm_foundry/triviaqa_sm_sub.jsonl": ("prompt_completion", 800, 800, {}),
    "mt_bench/question.jsonl": ("prompt_only", 80, 80, {}),
    "nasty/gorilla_questions_hf_double_escaped_unicode.jsonl": ("prompt_only", 904, 904, {}),
    "nasty/mrpc_dev_bom.tsv": ("prompt_completion", 6, 6, {}),
    "nasty/openpipe_validated_tweets_crlf.csv": ("prompt_completion", 50, 50, {}),
    "nasty/sms_spam_latin1_crlf_first600lines.csv": ("prompt_completion", 599, 599, {}),
    "nasty/triviaqa_rows_1771-1790_U+0085.jsonl": ("prompt_completion", 20, 20, {}),
    "openai_cookbook/toy_chat_fine_tuning.jsonl": ("conversational", 5, 5, {"no_user": 1}),
    "pandalm/testset-v1.json": ("preference", 999, 836, {}),
    "rasbt/instruction-data-with-preference.json": ("preference", 1100, 1094, {"equal_sides": 6}),
    "rasbt/instruction-data.json": ("prompt_completion", 1100, 1100, {}),
    "torchtune_assets/chat_tiny.json": ("conversational", 1, 1, {}),
    "torchtune_assets/instruct_tiny.json": ("prompt_completion", 2, 2, {}),
    "torchtune_assets/stack_exchange_paired_tiny.json": ("preference", 25, 25, {}),
    "triviaqa/triviaqa_sample.json": ("prompt_completion", 1, 1, {}),
    "vicuna_blog_eval/question.jsonl": ("prompt_only", 80, 80, {}),
    "xtuner/demo_multi_turn_1.json": ("conversational", 2, 2, {}),
    "xtuner/openai_sft.jsonl": ("conversational", 128, 128, {}),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_file_is_recognised_and_nothing_is_dropped_silently(name):
    type, rows, kept, problems = EXPECTED[name]
    seen = inspect(ROOT / name)
    assert (seen.type, seen.rows, seen.kept) == (type, rows, kept)
    assert {kind: seen.problem_counts.get(kind, 0) for kind in problems} == problems
    errors = {problem.row for problem in seen.problems if problem.severity == "error"}
    assert seen.rows - seen.kept == len(errors)


def test_the_same_rows_in_four_formats_give_the_same_dataset(tmp_path):
    store = DatasetStore(Workspace(tmp_path))
    files = sorted(ROOT.glob("fms_hf_tuning/*/twitter_complaints_small.*"))
    made = [store.prepare(file) for file in files]
    assert len(made) == 4
    assert len({dataset.fingerprint for dataset in made}) == 1
    assert made[0].type == "language_modeling"


@pytest.mark.parametrize("name", ["empty_data.json", "malformatted_data.json"])
def test_files_without_rows_are_refused(name):
    with pytest.raises(DataError, match=name):
        inspect(ROOT / "fms_hf_tuning" / "json" / name)


def test_encodings_and_odd_line_ends_survive():
    spam = inspect(ROOT / "nasty/sms_spam_latin1_crlf_first600lines.csv")
    assert any("cp1252" in note for note in spam.notes)
    assert inspect(ROOT / "nasty/triviaqa_rows_1771-1790_U+0085.jsonl").rows == 20
    tweets = inspect(ROOT / "nasty/openpipe_validated_tweets_crlf.csv")
    assert any("\r\n" in row["prompt"][0]["content"] for row in tweets.sample)


def test_votes_travel_with_comparisons_and_answers_with_their_turns():
    judged = inspect(ROOT / "pandalm/testset-v1.json", format="comparison").sample[0]
    assert [vote["vote"] for vote in judged["votes"]] == ["2", "2", "2"]
    called = inspect(ROOT / "llama_factory/glaive_toolcall_en_demo.json", limit=5)
    roles = [turn["role"] for turn in called.sample[0]["messages"]]
    assert roles == [
        "user",
        "assistant",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
        "assistant",
    ]
