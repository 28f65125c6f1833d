"""A tokenizer as GGUF keys: byte-level BPE, or SentencePiece's kind of BPE; others are refused.

`studio.exports.export_run` checks how the written file tokenizes texts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from studio.core.errors import ModelError
from studio.core.gguf_pre_tokenizers import check_kind, pre_tokenizer, steps_of
from studio.core.library_types import Tokenizer

if TYPE_CHECKING:
    from gguf import GGUFWriter

_TEXTS = ("What is it?", "Two words,  and\n\na line: 3,141 x.", "Zoë saw 漢字 — “twice”.")
_BYTE = re.compile(r"<0x[0-9A-F]{2}>")
NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = 1, 2, 3, 4, 5, 6
# {% generation %} is an extension of transformers; other Jinja implementations refuse it.
_GENERATION = (
    (re.compile(r"(\{%-?)\s*generation\s*(-?%\})"), r"\1 if true \2"),
    (re.compile(r"(\{%-?)\s*endgeneration\s*(-?%\})"), r"\1 endif \2"),
)


def describe(writer: GGUFWriter, tokenizer: Tokenizer, rows: int) -> None:
    """Write every tokenizer key; `rows` is the number of rows of the model's embedding."""
    whole = json.loads(tokenizer.backend_tokenizer.to_str())
    model = whole["model"]
    check_kind(model)
    tokens, kinds = _vocabulary(whole, rows)
    if model.get("byte_fallback"):
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        kinds = [
            BYTE if _BYTE.fullmatch(token) else kind
            for token, kind in zip(tokens, kinds, strict=True)
        ]
        scores = _scores(tokens, _merges(model))
        space = _space_first(whole, bool(_before(tokenizer)))
        _check_cuts(tokenizer, dict(zip(tokens, scores, strict=True)), space)
        writer.add_token_scores(scores)
        writer.add_add_space_prefix(space)
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(pre_tokenizer(whole))
        writer.add_token_merges([" ".join(pair) for pair in _merges(model)])
    unknown = tokenizer.unk_token_id
    if unknown is not None and kinds[unknown] in (NORMAL, CONTROL):
        kinds[unknown] = UNKNOWN
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    _special(writer, tokenizer)


def texts(tokenizer: Tokenizer) -> list[str]:
    """Texts on which pre-tokenizers differ, and a chat where there is a chat template."""
    before = _before(tokenizer)
    turns = [{"role": "user", "content": "Is it?"}, {"role": "assistant", "content": "Yes."}]
    chat = [tokenizer.apply_chat_template(turns, tokenize=False)] if before else []
    return [*(before + text for text in _TEXTS), *chat]


def cut(tokenizer: Tokenizer, texts: Iterable[str]) -> dict[str, list[int]]:
    """Each text with its tokens."""
    return {text: tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts}


def check(wanted: dict[str, list[int]], found: dict[str, list[int]]) -> None:
    """Raise `ModelError` unless the file tokenizes the texts into the same tokens."""
    for text, ids in wanted.items():
        if found[text] != ids:
            raise ModelError(
                f"The GGUF file would split {text[:40]!r} into other tokens than the tokenizer "
                "does, so it was deleted. Export it merged instead."
            )


def _before(tokenizer: Tokenizer) -> str:
    """The special token before a text in a chat; empty where there is no chat template."""
    return (tokenizer.bos_token or tokenizer.eos_token or "") if tokenizer.chat_template else ""


def _vocabulary(whole: dict[str, Any], rows: int) -> tuple[list[str], list[int]]:
    """The token and token type of every row of the embedding."""
    words = {number: word for word, number in whole["model"]["vocab"].items()}
    kinds = dict.fromkeys(words, NORMAL)
    for added in whole["added_tokens"]:
        words[added["id"]] = added["content"]
        kinds[added["id"]] = CONTROL if added["special"] else USER_DEFINED
    if words and max(words) >= rows:
        raise ModelError(
            f"The tokenizer knows {max(words) + 1:,} tokens and the model's embedding has "
            f"{rows:,} rows, so it cannot be written as GGUF. Export it merged instead."
        )
    tokens = [words.get(number, f"[PAD{number}]") for number in range(rows)]
    return tokens, [kinds.get(number, UNUSED) for number in range(rows)]


def _merges(model: dict[str, Any]) -> list[list[str]]:
    return [pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"]]


def _scores(tokens: list[str], merges: list[list[str]]) -> list[float]:
    """SentencePiece's scores, rebuilt: the earlier a piece is merged, the higher its score."""
    order: dict[str, int] = {}
    for left, right in merges:
        order.setdefault(left + right, len(order))
    return [-float(order.get(token, len(order) + at)) for at, token in enumerate(tokens)]


def _check_cuts(tokenizer: Tokenizer, scores: dict[str, float], space_first: bool) -> None:
    """llama.cpp joins whatever two pieces make the best one; merges may forbid a pair or two."""
    places = {token: number for number, token in enumerate(scores)}
    before = _before(tokenizer)
    for text in _TEXTS:
        found = []
        for piece in _pieces(("▁" if space_first else "") + text.replace(" ", "▁"), scores):
            spelt = [f"<0x{byte:02X}>" for byte in piece.encode()]
            found += [places.get(one) for one in ([piece] if piece in places else spelt)]
        wanted = tokenizer(before + text, add_special_tokens=False)["input_ids"]
        if found != wanted[bool(before) :]:
            raise ModelError(
                f"llama.cpp would split {text!r} into other tokens than this tokenizer does: its "
                "merges are not SentencePiece's, which a GGUF file keeps as scores. Export it "
                "merged instead."
            )


def _pieces(text: str, scores: dict[str, float]) -> list[str]:
    """A text as llama.cpp's SentencePiece tokenizes it: the best-scored pair is merged first."""
    pieces = list(text)
    while True:
        pairs = [
            (scores[one + other], -at)
            for at, (one, other) in enumerate(pairwise(pieces))
            if one + other in scores
        ]
        if not pairs:
            return pieces
        at = -max(pairs)[1]
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]


def _space_first(whole: dict[str, Any], in_chats: bool) -> bool:
    """Whether a space is prepended to text; some tokenizers do so only at the very beginning, where
    a chat has a special token and no text."""
    never = ("never", "first") if in_chats else ("never",)
    steps = [
        *steps_of(whole.get("normalizer"), "normalizers"),
        *steps_of(whole.get("pre_tokenizer"), "pretokenizers"),
    ]
    return any(
        step["type"] == "Prepend"
        or (step["type"] == "Metaspace" and step.get("prepend_scheme") not in never)
        for step in steps
    )


def _special(writer: GGUFWriter, tokenizer: Tokenizer) -> None:
    for name in ("bos", "eos", "unk", "pad"):
        number = getattr(tokenizer, f"{name}_token_id")
        if number is not None:
            getattr(writer, f"add_{name}_token_id")(number)
    writer.add_add_bos_token(begins(tokenizer))
    writer.add_add_eos_token(False)
    if tokenizer.chat_template:
        writer.add_chat_template(plain_template(tokenizer.chat_template))


def begins(tokenizer: Tokenizer) -> bool:
    """Whether the tokenizer adds its BOS token by itself."""
    ids = tokenizer("a")["input_ids"]
    return tokenizer.bos_token_id is not None and ids[:1] == [tokenizer.bos_token_id]


def plain_template(template: str) -> str:
    """A chat template without the `{% generation %}` marks that only training reads."""
    for pattern, plain in _GENERATION:
        template = pattern.sub(plain, template)
    return template
