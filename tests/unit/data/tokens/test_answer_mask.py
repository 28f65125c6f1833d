"""Answers are found in any template's rendering, with or without marks."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from studio.core.errors import ModelError
from studio.data.tokens.answer_mask import changed_turns, mask
from studio.data.tokens.answer_spans import Rendering
from tests.unit.data.tokens.templates import CALL, ROWS, SYSTEM, dressed, marked, said, templates
from tests.unit.data.tokens.templates import user as asks
from tests.unit.data.tokens.unsloth import PARTS, by_unsloth

THREE = (
    ROWS["several turns"],
    [asks("A b"), said("C d e."), asks("F"), said("G, h"), asks("I"), said("J\nk")],
    ROWS["unanswered"],
)


def rendered(tokenizer, turns, **options):
    return tokenizer.apply_chat_template(turns, tokenize=False, **options)


def lit_text(tokenizer, turns, masked):
    """What is trained, as text: the characters of the trained tokens."""
    text = rendered(tokenizer, turns)
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)[
        "offset_mapping"
    ]
    kept = {
        at for (a, b), lit in zip(offsets, masked.trained, strict=True) if lit for at in range(a, b)
    }
    return "".join(char if at in kept else "\0" for at, char in enumerate(text))


@pytest.mark.parametrize("name", PARTS)
@pytest.mark.parametrize("turns", THREE, ids=["two", "three", "unanswered"])
def test_the_mask_is_that_of_unsloths_rule(tokenizer, name, turns):
    tokenizer = dressed(tokenizer, name)
    masked = mask({"messages": turns}, tokenizer)
    wanted = by_unsloth(rendered(tokenizer, turns), *PARTS[name])
    got = lit_text(tokenizer, turns, masked)
    if name == "zephyr":  # its generation prompt stops before the newline, which is then written
        wanted = re.sub(r"(?<=\0)\0(?=[^\0])", "\n", wanted)
    assert got == wanted
    assert wanted.strip("\0")


@pytest.mark.parametrize("kind", ["thinking", "thinking in the text"])
def test_thinking_is_trained_where_the_template_writes_it(tokenizer, kind):
    tokenizer = dressed(tokenizer, "qwen3")
    masked = mask({"messages": ROWS[kind]}, tokenizer)
    wanted = by_unsloth(rendered(tokenizer, ROWS[kind]), *PARTS["qwen3"])
    assert lit_text(tokenizer, ROWS[kind], masked) == wanted
    assert "end" in wanted and "greet" not in wanted.replace("\0", "")
    assert masked.changed == [1]
    told = changed_turns(masked.changed, tokenizer)
    assert "turn 2 differently" in told[0] and "chat template training" in told[0]


def test_the_training_variant_writes_every_turn_alike(tokenizer):
    from studio.core.chat_templates import with_chat_template

    twin = with_chat_template(dressed(tokenizer, "qwen3"), "training")
    masked = mask({"messages": ROWS["thinking"]}, twin)
    lit = lit_text(twin, ROWS["thinking"], masked)
    assert "greet back" in lit and "end it" in lit and masked.changed == []
    with pytest.raises(ModelError, match="no training variant of this model's"):
        with_chat_template(dressed(tokenizer, "mistral"), "training")


@pytest.mark.parametrize("name", marked())
@pytest.mark.parametrize("kind", ROWS)
def test_marks_give_the_same_mask(tokenizer, name, kind):
    """But for tokens of the prompt: some marks hold the end of it (a `<think>` that the model is
    given). Those are not what it writes."""
    tokenizer = dressed(tokenizer, name)
    turns = ROWS[kind]
    try:
        masked = mask({"messages": turns}, tokenizer)
    except ModelError as refused:
        if "leaves out" in str(refused):  # the template shows no tool calls
            assert kind == "tools" and CALL["function"]["name"] not in rendered(tokenizer, turns)
        else:
            with pytest.raises(Exception, match=r"."):
                rendered(tokenizer, turns)
        return
    marks = tokenizer.apply_chat_template(
        turns, return_dict=True, return_assistant_tokens_mask=True
    )
    assert marks["input_ids"] == masked.ids
    if name == "diffusion_gemma_training" and kind == "tools":
        return  # its marks open a turn after a tool's result that its prompt does not
    given = _given(tokenizer, turns, masked)
    for at, (lit, mark) in enumerate(zip(masked.trained, marks["assistant_masks"], strict=True)):
        assert lit == bool(mark) or (mark and at in given), tokenizer.decode(masked.ids[at])


def _given(tokenizer, turns, masked):
    """Places of tokens right before an answer that stand at the end of a generation prompt."""
    rendering, found = Rendering(turns, tokenizer), set()
    prompts = [
        rendered(tokenizer, turns[:at], add_generation_prompt=True)
        for at in range(1, len(turns))
        if turns[at]["role"] == "assistant"
    ]
    for at, lit in enumerate(masked.trained):
        if not lit or masked.trained[at - 1]:
            continue
        for before in range(at - 1, 0, -1):
            header = rendering.text[rendering.offsets[before][0] : rendering.offsets[at][0]]
            if not any(header in prompt[-60:] for prompt in prompts):
                break
            found.add(before)
    return found


@pytest.mark.parametrize("name", templates())
@pytest.mark.parametrize("kind", ROWS)
def test_every_template_trains_whole_answers_or_refuses(tokenizer, name, kind):
    tokenizer, turns = dressed(tokenizer, name), ROWS[kind]
    try:
        masked = mask({"messages": turns}, tokenizer)
    except ModelError as refused:
        assert "Choose another chat template" in str(refused) or "cannot be rendered" in str(
            refused
        )
        assert kind in ("tools", "system")
        return
    pieces = [piece for piece in lit_text(tokenizer, turns, masked).split("\0") if piece]
    answers = [turn for turn in turns if turn["role"] == "assistant"]
    assert len(pieces) == len(answers)
    for at, (piece, turn) in enumerate(zip(pieces, answers, strict=True)):
        content = turn["content"].rpartition("</think>")[2].strip() or CALL["function"]["name"]
        assert content in piece
        if name != "glm4moe":  # it stops at the next turn's own mark
            assert piece.rpartition(content)[2], f"answer {at + 1} has no end mark"
        assert "Hi there" not in piece and "Be brief" not in piece and "And?" not in piece


def test_a_real_tokenizer_of_pieces_gives_the_same(real_pieces):
    for name in ("mistral", "llama3_2", "chatml"):
        tokenizer = dressed(real_pieces, name)
        turns = THREE[1]
        lit = lit_text(tokenizer, turns, mask({"messages": turns}, tokenizer))
        assert lit == by_unsloth(rendered(tokenizer, turns), *PARTS[name])


def test_only_the_last_answer(tokenizer):
    masked = mask({"messages": THREE[1]}, tokenizer, mask_history=True)
    lit = lit_text(tokenizer, THREE[1], masked)
    assert lit.replace("\0", "") == "J\nk<|end|>"
    assert set(masked.decided_by) == {"", "mask_history"}


def test_a_message_says_whether_it_is_trained(tokenizer):
    turns = [
        {**SYSTEM, "weight": 1},  # weights are the assistant's alone
        asks("One"),
        said("first", weight=0),
        asks("Two", train=True),
        said("second", loss=False),
        asks("Three", train=False),
        said("third", loss_weight=1),
        asks("Four"),
        said("fourth"),
    ]
    masked = mask({"messages": turns}, tokenizer)
    plain = [{"role": turn["role"], "content": turn["content"]} for turn in turns]
    lit = re.sub("\0+", "|", lit_text(tokenizer, plain, masked))
    assert lit == "|Two<|end|>|third<|end|>|fourth<|end|>"
    assert set(masked.decided_by) == {
        *("", "weight 0", "train true", "loss false", "train false", "loss_weight 1")
    }


def test_ranges_of_characters_are_masked(tokenizer):
    detail = [
        {"begin_offset": 0, "end_offset": 7, "train": True},
        {"begin_offset": 8, "end_offset": 18, "train": False},
        {"begin_offset": 19, "end_offset": 99, "train": True},
    ]
    turns = [asks("Hi"), said("I know: not a fact, that", train_detail=detail)]
    masked = mask({"messages": turns}, tokenizer)
    plain = [asks("Hi"), said(turns[1]["content"])]
    lit = re.sub("\0+", "|", lit_text(tokenizer, plain, masked))
    assert lit == "|I know:| that<|end|>"
    assert "train_detail" in masked.decided_by


def test_chats_are_masked_while_others_are_rendered(tokenizer):
    """transformers tracks `{% generation %}` in a place that all threads share; nothing here
    does."""
    rows = [{"messages": turns} for turns in THREE] * 30
    alone = [mask(row, tokenizer) for row in rows]
    with ThreadPoolExecutor(8) as threads:
        together = list(threads.map(lambda row: mask(row, tokenizer), rows))
    assert together == alone


def trained(tokenizer, turns):
    lit = lit_text(tokenizer, turns, mask({"messages": turns}, tokenizer))
    return [piece for piece in lit.split("\0") if piece]


@pytest.mark.parametrize("answer", ["a", "l", "|", "channel"])
def test_an_answer_that_is_also_in_its_header_is_found(tokenizer, answer):
    """gpt-oss drops earlier thinking, and its header `<|channel|>` holds many a short answer."""
    tokenizer = dressed(tokenizer, "gptoss")
    turns = [asks("A or b?"), said(answer, thinking="Hm."), asks("And?"), said("Done")]
    first, _ = trained(tokenizer, turns)
    assert first.endswith(f"<|message|>{answer}<|end|>")


def test_a_tool_result_within_an_answer_is_never_trained(tokenizer):
    turns = [asks("Sum?"), said("Let me.", tool_calls=[CALL])]
    turns += [{"role": "tool", "name": "add", "content": "RESULT"}, said("Five.")]
    for name in (name for name in templates() if name.startswith(("gemma4", "diffusion"))):
        try:
            pieces = trained(dressed(tokenizer, name), turns)
        except ModelError as refused:
            assert "Choose another chat template" in str(refused)
        else:
            assert not [piece for piece in pieces if "RESULT" in piece]


def test_ranges_count_in_the_answer_and_not_in_its_thinking(tokenizer):
    detail = [{"begin_offset": 0, "end_offset": 2, "train": True}]
    thought = {"reasoning_content": "I say Yes sure then stop"}
    turns = [asks("Sure?"), said("Yes sure", train_detail=detail, **thought)]
    tokenizer = dressed(tokenizer, "qwen3")
    masked = mask({"messages": turns}, tokenizer)
    plain = [turns[0], said("Yes sure", **thought)]
    lit = re.sub("\0+", "|", lit_text(tokenizer, plain, masked))
    assert lit == "|<think>\nI say Yes sure then stop\n</think>\n\nYes|<|im_end|>\n"


@pytest.mark.parametrize(("train", "lit"), [(True, " world<|end|>"), (False, "<|end|>")])
def test_a_range_that_begins_at_a_word_has_its_first_token(tokenizer, train, lit):
    """Though that token begins with the space before the word."""
    detail = [{"begin_offset": 6, "end_offset": 10, "train": train}]
    masked = mask({"messages": [asks("Hi"), said("hello world", train_detail=detail)]}, tokenizer)
    shown = lit_text(tokenizer, [asks("Hi"), said("hello world")], masked)
    assert shown.replace("\0", "") == lit


def test_ranges_of_a_users_turn_are_trained_as_in_axolotl(tokenizer):
    detail = [{"begin_offset": 3, "end_offset": 6, "train": True}]
    turns = [asks("Why not now", train_detail=detail), said("So")]
    masked = mask({"messages": turns}, tokenizer)
    lit = re.sub("\0+", "|", lit_text(tokenizer, [asks("Why not now"), said("So")], masked))
    assert lit == "| not|<|end|>|So<|end|>"
    assert "train_detail" in masked.decided_by


# What an answer ends with last of all, and when turns follow; what is trained of its end then.
ENDS = {
    "more when last": ("<|im_end|><|end|>", "<|im_end|>", "<|im_end|>"),
    "less when last": ("<|im_end|>", "<|im_end|><|end|>", "<|im_end|>"),
    "the same at first": ("<|im_end|>|", "<|im_end|>\n", "<|im_end|>"),
    "another when last": ("<|end|>", "<|im_end|>", "<|im_end|>"),
    "none when others follow": ("<|im_end|>", "\n", None),
}


@pytest.mark.parametrize(("last", "inner", "end"), ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("thought", ["Hm", ""], ids=["thinking dropped", "no thinking"])
def test_an_end_that_depends_on_what_follows(tokenizer, last, inner, end, thought):
    tokenizer = dressed(tokenizer, "chatml")
    tokenizer.chat_template = (
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' }}{% if m.role == 'user' %}"
        "{{ m.content + '<|im_end|>' }}{% elif loop.last %}"
        "{{ '<think>' + m.thinking + '</think>' if m.thinking }}{{ m.content + LAST }}"
        "{% else %}{{ m.content + INNER }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    )
    tokenizer.chat_template = tokenizer.chat_template.replace("LAST", repr(last))
    tokenizer.chat_template = tokenizer.chat_template.replace("INNER", repr(inner))
    turns = [asks("One"), said("first", thinking=thought), asks("Two"), said("second")]
    row = {"messages": turns}
    if end is None:
        with pytest.raises(ModelError, match="ends turn 2 differently when other turns follow"):
            mask(row, tokenizer)
        return
    masked = mask(row, tokenizer)
    lit = [piece for piece in lit_text(tokenizer, turns, masked).split("\0") if piece]
    assert lit == [f"first{end}", f"second{last}"]
    assert masked.changed == ([1] if thought or last == "<|end|>" else [])


def test_no_ranges_say_nothing(tokenizer):
    turns = [asks("Hi"), said("Hello", train_detail=[])]
    masked = mask({"messages": turns}, tokenizer)
    plain = [asks("Hi"), said("Hello")]
    assert lit_text(tokenizer, plain, masked).replace("\0", "") == "Hello<|end|>"


@pytest.mark.parametrize("glyph", ["\ue0ff", "\ue000", "< 5"])
def test_any_character_may_be_an_answer(tokenizer, glyph):
    tokenizer = dressed(tokenizer, "qwen3")
    turns = [asks("Logo?"), said(glyph), asks("SECRET"), said("ok")]
    first, second = trained(tokenizer, turns)
    assert first == f"{glyph}<|im_end|>\n" and "SECRET" not in second


def test_a_chat_that_opens_with_a_call_is_refused_and_one_with_text_is_not(tokenizer):
    tokenizer = dressed(tokenizer, "qwen3")
    with pytest.raises(ModelError, match="turn 1 after no prompt"):
        mask({"messages": [said("", tool_calls=[CALL]), asks("Why?"), said("So.")]}, tokenizer)
    assert trained(tokenizer, [said("Hello"), asks("Why?")]) == ["Hello<|im_end|>\n"]
