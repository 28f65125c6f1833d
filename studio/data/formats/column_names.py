"""What people call their columns: vocabularies, never lists of files."""

from __future__ import annotations

import re
import unicodedata

from studio.data.formats import foreign_headers, foreign_verdicts


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PROMPT = _words(
    "instruction prompt question query problem instructions user_prompt user_input user_message "
    "request user human task inputs input source context history goal q article document "
    "dialogue dialog passage post anchor src source_text usr pregunta frage domanda pergunta "
    "instruccion anweisung customer_message client_message message inquiry enquiry ticket email "
    "mail text body description selftext"
)
COMPLETION = _words(
    "output response completion answer assistant reply target solution outputs targets "
    "assistant_response model_output model_response generation bot gpt assistant_message gold a "
    "summary highlights tldr tgt mt respuesta ground_truth target_text antwort reponse risposta "
    "resposta asst assistant_reply bot_response agent_reply agent_response accepted_answer "
    "best_answer staff_reply support_reply top_comment top_answer code answers"
)
THOUGHT = _words(
    "reasoning_content reasoning thinking thought thoughts think cot chain_of_thought "
    "chain_of_thoughts reasoning_trace reasoning_traces scratchpad reasoning_steps "
    "reasoning_process thinking_process thinking_trajectory thinking_trajectories "
    "thinking_trace reasonings cots"
)
"""Names that say that a text is what was thought before the answer."""
MAYBE_THOUGHT = ("rationale", "rationales", "explanation", "justification", "analysis")
"""Names of texts that may also have been written about the answer, after it."""
NO_THOUGHT = set(
    _words(
        "judge judgement judgment critic critique review score rating grade grader grading "
        "evaluation evaluator eval verdict safety refusal rejected worse bad wrong incorrect label "
        "type effort tokens id"
    )
)
"""Words of a thought that is about something else than this answer."""
WORKED = ("solution", "worked_solution", "full_solution", "generated_solution", "long_answer")
"""Answers with all their steps, where a bare one stands beside them."""
BARE = _words(
    "answer final_answer short_answer expected_answer ground_truth gold target correct_answer "
    "result"
)
INPUT = ("input", "context", "passage", "document", "article", "inputs", "extra_input")
SYSTEM = ("system", "sys", "system_prompt", "system_message", "sys_prompt", "system_instruction")
HISTORY = (
    "history",
    "conversation_history",
    "dialog_history",
    "chat_history",
    "previous_turns",
    "dialogue_history",
    "past",
)
TURNS = _words("messages conversations conversation dialog dialogue chat turns items contents")
SPOKEN = (*TURNS[:6], "data", "utterances", "lines")
"""Columns whose lists of texts are what two people said in turn."""
TEXT = ("text", "content", "document", "body", "article", "passage", "raw_content", "story")
LABEL = _words(
    "label labels kto_tag desirable is_good thumbs_up feedback is_desirable good accepted "
    "is_accepted approved liked is_preferred is_correct correct is_helpful helpful is_valid "
    "is_right passed success human_label human_verdict"
)
MAYBE_LABEL = _words(
    "thumb thumbs rating vote verdict judgement judgment reaction reward score grade"
)
"""Names of a verdict on one answer where the column holds two words of judgement."""
PROMPT_TURNS = ("turns", "prompts", "questions", "user_turns", "instructions", "prompt")
REFERENCES = ("answers", "references", "accepted_answers", "gold_answers", "aliases")
TRUTHS = _words(
    "ground_truth reward_model gold_answer reference_answer expected_answer verifiable_answer "
    "correct_answer solution answer target label"
)
"""Columns with what a rule compares answers with, beside prompts that nobody answers."""
TOOLS = ("tools", "functions", "available_tools")
ANSWER_STEMS = _words(
    "answer response output completion reply summary candidate generation text continuation "
    "assistant model_answer model_output model_response conversation message ref model ans a"
)
ANSWER_LISTS = _words(
    "answers responses completions candidates outputs generations summaries replies samples"
)
VERDICT = _words(
    "winner better preferred preference choice chosen best label verdict better_id preferred_id "
    "chosen_index overall_preference choose selected human_preference pref"
)
VERDICT_WORSE = _words(
    "worse worst loser losing rejected dispreferred unpreferred disliked weaker inferior less "
    "least not bad harmful toxic unsafe"
)
"""Words that turn a verdict round: it names the worse answer (two of them: the better one)."""
MARGINS = set(_words("margin margins diff difference delta gap advantage"))
"""Words of a signed number that says how far one answer is better than another."""
COUNTED = set(_words("length len tokens token chars characters words time date cost latency turns"))
"""Words of a number that counts something else than quality."""
SCORE_STEMS = _words(
    "score scores rating ratings reward rewards quality overall_score votes upvotes likes wins"
)
SCORE_FAULTS = set(
    _words(
        "harm harmful harmfulness toxic toxicity unsafe error errors loss penalty risk severity "
        "hallucination hallucinations perplexity violation violations badness cost distance"
    )
)
"""Words of a score that is higher for the worse answer: it is not read as a score."""
MODEL_STEMS = ("output", "answer", "response", "completion", "reply", "generation")
NO_MODEL = set(
    _words(
        "chosen rejected good bad better worse best worst preferred final expected correct gold "
        "reference original target system win lose accepted selected winner loser positive "
        "negative pos neg model"
    )
)
"""Words before an answer's name that say what it is for, not which model gave it."""
MODELS = set(
    _words(
        "alpaca base baseline tuned finetuned bard chatgpt claude davinci deepseek dolly falcon "
        "gemini gemma gpt gpt2 gpt3 gpt4 gpt4o grok koala llama llama2 llama3 mistral mixtral mpt "
        "olmo palm phi qwen smollm vicuna wizardlm zephyr"
    )
)
"""First words of columns that are called after the model whose answers they hold."""
VOTE_LISTS = ("votes", "annotations", "annotator_votes", "ratings_by_rater", "judgements", "labels")
RANK_STEMS = ("rank", "ranks", "ranking", "rankings")
VOTE_STEMS = _words("annotator vote rater judge label human evaluator worker reviewer")
SIDES = (
    ("chosen", "rejected"),
    ("good", "bad"),
    ("better", "worse"),
    ("best", "worst"),
    ("preferred", "dispreferred"),
    ("preferred", "nonpreferred"),
    ("preferred", "unpreferred"),
    ("chosen", "notchosen"),
    ("preferred", "rejected"),
    ("accepted", "rejected"),
    ("selected", "rejected"),
    ("winner", "loser"),
    ("winning", "losing"),
    ("win", "lose"),
    ("positive", "negative"),
    ("pos", "neg"),
    ("j", "k"),
)
"""Names of the better and the worse answer, as whole words of a column's name."""
RIGHT_SIDES = (("correct", "incorrect"), ("correct", "wrong"), ("right", "wrong"))
"""The same of a question's right and wrong answer."""
CORRECTED = _words(
    "revised corrected edited improved fixed rewritten revision correction refined postedited final"
)
"""Words of an answer that was written over another one's mistakes."""
CORRECTIONS = {*CORRECTED, "edit", "edits", "postedit", "rewrite"} - {"final"}
PEOPLE = set(_words("human annotator editor expert reviewer labeler person manual manually"))
"""With a word of these, a correction is an answer; without, it may say what to change."""
UNCORRECTED = ("original", "uncorrected", "unedited", "initial", "draft", "first", "raw", "old",
               "source", "before", "incorrect", "wrong", "unrevised", "model", "generated", "ai",
               "llm", "machine", "predicted")  # fmt: skip
WORSE = _words("rejected worse bad negative dispreferred incorrect wrong hallucinated")
"""Words of the worse answer where the better one is called as any answer is."""

CHOICES = ("choices", "options", "endings", "alternatives", "mc_options")
CHOICE_STEMS = (
    *("option", "choice", "opt", "op", "ending", "alternative", "sol", "answer"),
    *foreign_headers.CHOICES,
)
CHOICE_PROMPT = ("question", "question_stem", "stem", "ctx", "premise", "goal", "sentence")
RIGHT = _words(
    "answer_key answerkey answer_idx answer_index correct_idx correct_index correct_option "
    "correct_choice correct_answer correct right_answer gold cop answer_id answer_letter "
    "gold_label label labels solution target answer"
)
"""Which of a question's options is right."""
RIGHT = (*RIGHT[:12], *foreign_headers.RIGHT, *RIGHT[12:])
QUIZ = {*RIGHT[:11], "answer_letter", *foreign_headers.RIGHT}
"""Those that speak of a quiz rather than of a vote between two answers."""
CLASS = _words(
    "label labels class classification sentiment emotion intent gold_label stance toxicity "
    "polarity coarse_label fine_label stars rating is_duplicate entailment"
)
JUDGED = _words(
    "text sentence review utterance tweet comment headline statement claim content comment_text "
    "message question query document passage body title input"
)
"""Texts that a class is given to."""
JUDGED_PAIRS = (
    ("premise", "hypothesis"), ("sentence1", "sentence2"), ("sentence_1", "sentence_2"),
    ("question1", "question2"), ("text1", "text2"), ("text_a", "text_b"), ("question", "sentence"),
    ("claim", "evidence"), ("question", "passage"),
)  # fmt: skip
LANGUAGES = set(
    _words(
        "af am ar az be bg bn bs ca cs cy da de el en eo es et eu fa fi fr ga gl gu ha he hi hr hu "
        "hy ig is it ja ka kk km kn ko ky lt lv mk ml mn mr ms mt my ne nl pa pl ps pt ro ru si sk "
        "sl so sq sr sv sw ta te th tl tr uk ur uz vi xh yo zh zu eng deu fra fre ger spa ita por "
        "rus zho jpn kor ara english german french spanish italian portuguese russian chinese "
        "japanese korean arabic dutch hindi turkish polish"
    )
)
"""What columns of a translation are called; without codes that are words for something else."""

NOT_TEXT = set(_words("id ids model source score rating name url date len length type"))
"""Words that make a column a remark about a text rather than the text."""

_USER_WORDS = ("input", "user", "human", "question", "prompt", "query", "instruction", "request")
_ASSISTANT_WORDS = _words("output assistant gpt answer response completion reply bot model")
PAIR_WORDS = {
    **dict.fromkeys(_USER_WORDS, "user"),
    **dict.fromkeys(_ASSISTANT_WORDS, "assistant"),
    "system": "system",
}
"""The last word of a key in a turn written as a pair (`{"toy_input": ..., "toy_output": ...}`)."""

ROLES = {
    **dict.fromkeys(("user", "human", "prompter", "usr", "customer", "client", "person"), "user"),
    **dict.fromkeys(
        ("assistant", "gpt", "chatgpt", "bot", "model", "ai", "bard", "bing", "chatbot", "agent"),
        "assistant",
    ),
    **dict.fromkeys(("system", "developer"), "system"),
    **dict.fromkeys(
        ("tool", "observation", "function", "function_response", "function_result", "tool_response",
         "tool_result", "ipython"),
        "tool",
    ),
    **foreign_headers.ROLES,
    **dict.fromkeys(("function_call", "tool_call", "tool_calls", "function-call"), "tool_call"),
}  # fmt: skip
"""Every role name we have met, in lower case, and TRL's name for it."""

PROMPT_STEMS = ("turn", "question", "prompt", "query", "user", "instruction")
"""What numbered columns that hold the user's turns one by one are called."""

_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_OTHER = re.compile(r"[\W_]+")


def key(name: str) -> str:
    """A column's name in one spelling: `Tweet text`, `tweetText` and `tweet_text` are the same.

    Accents are left out, other alphabets stay.
    """
    if not name.isascii():
        parts = unicodedata.normalize("NFKD", name)
        name = "".join(part for part in parts if not unicodedata.combining(part))
    name = name.replace("CoT", "Cot")  # chain of thought: one word
    return _OTHER.sub("_", _CAMEL.sub("_", name).lower()).strip("_")


THOUGHT += tuple(key(word) for words in foreign_headers.THOUGHTS.values() for word in words)
_FOREIGN = tuple(key(word) for words in foreign_headers.PROMPTS.values() for word in words)
ASKING = (*PROMPT[:13], *_FOREIGN)
"""Names that say that a text asks for something."""
PROMPT += _FOREIGN
INPUT += tuple(key(word) for words in foreign_headers.INPUTS.values() for word in words)
FOREIGN_ANSWERS = tuple(key(word) for words in foreign_headers.ANSWERS.values() for word in words)
COMPLETION = (*COMPLETION[:-1], *FOREIGN_ANSWERS, COMPLETION[-1])

FOREIGN_SIDES = tuple(tuple(key(word) for word in pair) for pair in foreign_verdicts.SIDES)
FOREIGN_RATINGS = {key(word) for word in foreign_verdicts.RATINGS}
FOREIGN_GOOD = {key(word) for word in foreign_verdicts.GOOD}
FOREIGN_BAD = {key(word) for word in foreign_verdicts.BAD}
MAYBE_LABEL += tuple(sorted(FOREIGN_RATINGS))
ANSWER_STEMS += FOREIGN_ANSWERS

_NUMBERED = re.compile(
    r"(?P<stem>[^\W\d]*[^\W\d_])_?(?P<suffix>[0-9]|(?<=_)[a-d])(?P<tail>(_[a-z]+)*)"
)


def numbered(name: str) -> tuple[str, str] | None:
    """`("response", "1")` for `response1`, `response_1`; `("answer", "a")` for `answer_a`; else
    None."""
    match = _NUMBERED.fullmatch(key(name))
    if not match or match["tail"]:
        return None
    return match["stem"].rstrip("_"), match["suffix"]
