"""Single answers rated good or bad (KTO)."""

from __future__ import annotations

from studio.data.formats import column_names, thoughts
from studio.data.formats.base import Family, Mapping, Match, Row, mapped
from studio.data.formats.chat import turns_column, with_system
from studio.data.formats.chat_turns import kind_of, to_messages
from studio.data.formats.column_profile import Column, Profile
from studio.data.formats.field_values import prompt_messages, side_messages, system_of
from studio.data.formats.instruction import prompt_columns
from studio.data.types import RowError

_VIRTUES = {
    *("safe", "harmless", "faithful", "truthful", "accurate", "factual", "grounded"),
    *("non_toxic", "not_toxic", "nontoxic", "not_harmful", "not_hallucinated"),
}
"""Words that are a judgement beside their opposites only: `is_safe` may speak of the prompt."""
_YES = {
    "true",
    "1",
    "good",
    "yes",
    "desirable",
    "chosen",
    "up",
    "thumbs_up",
    "thumb_up",
    "like",
    "liked",
    "positive",
    "accepted",
    "accept",
    "upvote",
    *("helpful", "correct", "right", "pass", "passed", "valid", "useful", "acceptable", "ok"),
    *("satisfied", "success", "successful", "approved", "approve", "desired", "high_quality"),
    *_VIRTUES,
    *column_names.FOREIGN_GOOD,
}
_NO = {
    "false",
    "0",
    "bad",
    "no",
    "undesirable",
    "rejected",
    "down",
    "thumbs_down",
    "thumb_down",
    "dislike",
    "disliked",
    "negative",
    "reject",
    "downvote",
    *("unhelpful", "not_helpful", "incorrect", "wrong", "fail", "failed", "invalid", "useless"),
    *("not_useful", "unacceptable", "dissatisfied", "unsatisfied", "failure", "disapproved"),
    *(
        "not_correct",
        "not_ok",
        "undesired",
        "low_quality",
        "disapprove",
        "unsuccessful",
        "not_good",
    ),
    *("unsafe", "harmful", "unfaithful", "untruthful", "inaccurate", "not_factual", "ungrounded"),
    *("toxic", "not_safe", "hallucinated"),
    *column_names.FOREIGN_BAD,
}


FAULTS = {
    *("hallucination", "hallucinated", "toxic", "toxicity", "unsafe", "harmful", "harm", "error"),
    *("wrong", "incorrect", "bad", "rejected", "refused", "refusal", "flagged", "flag", "spam"),
    *("failed", "failure", "biased", "bias", "offensive", "violation", "violates", "unhelpful"),
    *("invalid", "jailbreak", "malicious", "nsfw", "duplicate", "disliked", "fake", "not"),
}
"""Words of a column that says what is wrong with an answer: its yes is a no."""
_SIGNS = {"\N{THUMBS UP SIGN}": "up", "\N{THUMBS DOWN SIGN}": "down", "+1": "good", "-1": "bad"}


def _word(value: object) -> str:
    text = str(value).strip().rstrip("\ufe0f").removesuffix(".0")
    if text in _SIGNS:
        return _SIGNS[text]
    return column_names.key(str(value).strip().removesuffix(".0"))


def _verdict(column: Column) -> bool:
    if column.is_("bool"):
        return True
    seen = {_word(value) for value in column.distinct}
    return bool(seen) and seen <= _YES | _NO and len(seen) <= 2


def says_both(column: Column) -> bool:
    """Words for good and words for bad, and few others: those are their rows' problem."""
    seen = {_word(value) for value in column.distinct}
    known = sum(_word(value) in _YES | _NO for value in column.values)
    both = bool(seen & _YES) and bool(seen & _NO)
    return both and len(seen) <= 4 and known >= 0.7 * len(column.values)


def _recognise(profile: Profile) -> Match | None:
    label = _label(profile)
    if label is None:
        return None
    turns = turns_column(profile, {label.name})
    sure = 0.97 * min(1.0, profile.coverage(label.name) + 0.05)
    if turns and not profile.find(("completion", "response", "answer"), "string", "turns", "turn"):
        why = f'"{turns.name}" ends with an answer and "{label.name}" says whether it is good.'
        return Match("kto", sure, why, mapped(messages=turns.name, label=label.name))
    answer = profile.find(column_names.COMPLETION, "string", "turns", "turn", without=[label.name])
    if answer is None:
        return None
    thought = thoughts.clear(profile, answer)
    prompt = prompt_columns(profile, {label.name, answer} | ({thought} if thought else set()))
    if not prompt:
        return None
    why = f'"{label.name}" says of each answer in "{answer}" whether it is good.'
    if thought:
        why += f' "{thought}" is the thought before the answer.'
    more = mapped(completion=answer, label=label.name, reasoning=thought)
    return Match("kto", sure, why, {**prompt, **more})


_NO_LABEL = {*column_names.COMPLETION, *column_names.CLASS, *column_names.RIGHT}
"""Names of columns in which yes or no is an answer to learn."""


def _label(profile: Profile) -> Column | None:
    """The column of verdicts: by its name, or by two opposite words of judgement in it."""
    told = [column for column in profile.columns.values() if not FAULTS & {*column.key.split("_")}]
    for word in (*column_names.LABEL, *column_names.MAYBE_LABEL):
        for column in told:
            if column.key != word:
                continue
            if says_both(column) or (word in column_names.LABEL and _verdict(column)):
                return column
    for column in told:
        words = column.key.split("_")
        if column.key in _NO_LABEL:
            continue
        both = column.is_("bool") and len(column.distinct) == 2 and words[-1] in _YES - _VIRTUES
        if both or (column.is_("string") and says_both(column)):
            return column
    return None


def label_of(value: object, column: str) -> bool:
    """True or False of any usual spelling of a verdict."""
    if isinstance(value, bool):
        return value
    text = _word(value) if isinstance(value, str | int | float) else ""
    if value is None or value == "":
        raise RowError("missing_field", f'"{column}" is missing.', column)
    if text not in _YES | _NO:
        shown = kind_of(value) if isinstance(value, list | dict) else f'"{str(value)[:30]}"'
        raise RowError("wrong_type", f'"{column}" is {shown}, neither good nor bad.', column)
    return text in _YES


def _convert(row: Row, mapping: Mapping) -> Row:
    label = label_of(row.get(mapping["label"]), mapping["label"])
    if "messages" in mapping:
        column = mapping["messages"]
        turns = with_system(
            to_messages(row.get(column), column), system_of(row, mapping.get("system"))
        )
        if turns[-1]["role"] != "assistant":
            raise RowError(
                "no_assistant", f'"{column}" does not end with an assistant turn to rate.', column
            )
        if len(turns) == 1:
            raise RowError("no_prompt", f'"{column}" has no prompt before its answer.', column)
        return {"prompt": turns[:-1], "completion": turns[-1:], "label": label}
    completion = side_messages(row, mapping["completion"])
    if completion[-1]["role"] == "assistant":
        thought = thoughts.with_thought(completion[-1], row, mapping.get("reasoning"))
        completion = [*completion[:-1], thought]
    return {"prompt": prompt_messages(row, mapping), "completion": completion, "label": label}


FAMILIES = [
    Family(
        "kto",
        "unpaired_preference",
        "Answers rated good or bad (KTO)",
        {
            "messages": (
                "whole conversations, the last turn rated (instead of prompt and completion)"
            ),
            "prompt": "the prompt",
            "input": "what the prompt is about, added below it",
            "system": "a system prompt",
            "history": "earlier turns",
            "completion": "the rated answer",
            "reasoning": "what is thought before the rated answer",
            "label": "good or bad",
        },
        ("label",),
        _recognise,
        _convert,
    )
]
