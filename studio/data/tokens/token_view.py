"""The token view: a row token by token, with the labels that the trainer would use.

Nothing is re-implemented: chats trained on their answers come from `answer_mask`, as the trainer's
do; other rows go through `_prepare_dataset` of the installed TRL's SFTTrainer, DPOTrainer or
KTOTrainer (https://huggingface.co/docs/trl/sft_trainer), and the labels are read from what comes
out. Only truncation is drawn afterwards, so that the view can show what is cut; all of
them keep the start. Prompts alone are drawn as a model is asked them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from studio.core import compat, rendering
from studio.core.errors import ConfigError, ModelError
from studio.core.library_types import Tokenizer
from studio.data.pair_texts import PAIRS, SCORED, pair_of
from studio.data.tokens import answer_mask, template_checks
from studio.data.types import Row, RowError

SFT_TYPES = ("language_modeling", "prompt_completion", "conversational")
RENDERED = (
    *SFT_TYPES, "preference", "unpaired_preference", "prompt_only", PAIRS, SCORED
)  # fmt: skip
"""Types of rows that have a token view."""


class Encoded(NamedTuple):
    """One whole sequence of a row, before truncation: its side, its ids, what the loss counts.

    `decided_by`: for each token the field of its message that says whether it is trained, "" for
    none; empty where no message says so. `notes`: sentences about how the turns were found.
    """

    side: str
    ids: list[int]
    trained: list[bool]
    decided_by: Sequence[str] = ()
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Token:
    """One token: its text, its id, whether the loss counts it, whether it is a special token, and
    the field of its message that decided whether it is trained ("" for none).

    The texts of a sequence join to its text: a character spelled in several tokens stands with
    the first of them, and the others are empty.
    """

    text: str
    id: int
    trained: bool
    special: bool
    decided_by: str = ""


@dataclass(frozen=True)
class TokenView:
    """One sequence of a row. `kept` tokens survive truncation; `trained` counts those among
    them."""

    side: str
    tokens: list[Token]
    total: int
    trained: int
    kept: int
    notes: list[str] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """Share of the kept tokens that the loss counts, in percent."""
        return 100 * self.trained / self.kept if self.kept else 0.0


def render(
    row: Row,
    type: str,
    tokenizer: Tokenizer,
    *,
    max_length: int | None,
    completion_only_loss: bool | None = None,
    assistant_only_loss: bool | None = None,
    mask_history: bool = False,
    chat_template_kwargs: Mapping[str, Any] | None = None,
    prompts: tuple[str, str] | None = None,
) -> list[TokenView]:
    """One view ("text"; "good" or "bad" for a judged answer, "prompt" for a prompt alone), two
    ("chosen", "rejected") for preferences, or one for each side that an encoder reads.

    `prompts`: the query's and the document's prompt of an embedding recipe, which reads rows of any
    type side by side.

    `completion_only_loss=None` is TRL's default: on for prompt-completion rows, off otherwise.
    `assistant_only_loss=None`: on for chats. `mask_history`: only a chat's last answer is trained.
    `chat_template_kwargs`: the recipe's, for what the row does not say itself.
    Raises `ModelError` where the chat template is missing or refuses the row, or where an answer
    cannot be found in its rendering.
    """
    if prompts is not None or type in (PAIRS, SCORED):
        sides = pair_sides(row, type, tokenizer, prompts or ("", ""))
        return [_view(one, tokenizer, max_length, []) for one in sides]
    row = rendering.with_defaults(row, chat_template_kwargs)
    how = (completion_only_loss, assistant_only_loss, mask_history)
    encoded = encode([row], type, tokenizer, *how)[0]
    about = template_checks.dropped_turns(row, tokenizer)
    if type in SFT_TYPES and not answer_mask.applies(row, assistant_only_loss):
        said = answer_mask.unheeded(template_checks.message_keys(row))
        about += [said] if said else []
    return [_view(one, tokenizer, max_length, about) for one in encoded]


def encode(
    rows: Sequence[Row],
    type: str,
    tokenizer: Tokenizer,
    completion_only_loss: bool | None = None,
    assistant_only_loss: bool | None = None,
    mask_history: bool = False,
    prompts: tuple[str, str] = ("", ""),
) -> list[list[Encoded]]:
    """The sequences of many rows of one type, whole; errors as `render`'s, for the first that
    fails. `prompts` stand before the sides of pairs."""
    if type not in RENDERED:
        raise ConfigError(
            f"{type.replace('_', ' ').capitalize()} rows cannot be trained on directly, so they "
            "have no token view."
        )
    from trl.data_utils import is_conversational

    rows = [rendering.row_turns(row, tokenizer) for row in rows]
    if any(map(is_conversational, rows)) and not getattr(tokenizer, "chat_template", None):
        raise ModelError(
            "The model's tokenizer has no chat template, so conversations cannot be rendered. "
            "Choose a template for it."
        )
    if type in (PAIRS, SCORED):
        return [pair_sides(row, type, tokenizer, prompts) for row in rows]
    if type == "preference":
        return _dpo(rows, tokenizer)
    if type == "unpaired_preference":
        return _kto(rows, tokenizer)
    if type == "prompt_only":
        return _prompts(rows, tokenizer)
    if answer_mask.applies(rows[0], assistant_only_loss):
        return [_answers(row, tokenizer, mask_history) for row in rows]
    return _sft(rows, tokenizer, completion_only_loss)


def pair_sides(
    row: Row, type: str, tokenizer: Tokenizer, prompts: tuple[str, str]
) -> list[Encoded]:
    """The texts that an encoder reads of a row, each with its prompt, as sentence-transformers
    tokenizes them: whole, special tokens included. Those of the prompt count as not trained."""
    try:
        pair = pair_of(row, type)
    except RowError as error:
        raise ModelError(error.message) from None
    names = ("sentence1", "sentence2") if type == SCORED else ("anchor", "positive")
    texts = [(name, pair[name], prompts[at]) for at, name in enumerate(names)]
    texts += [("negative", text, prompts[1]) for text in pair.get("negatives") or ()]
    found: list[Encoded] = []
    for name, text, prompt in texts:
        ids = tokenizer(prompt + text)["input_ids"]
        before = _shared(ids, tokenizer(prompt)["input_ids"]) if prompt else 0
        found.append(Encoded(name, ids, [at >= before for at in range(len(ids))]))
    return found


def _shared(ids: list[int], others: list[int]) -> int:
    """How many tokens two sequences begin with alike."""
    pairs = enumerate(zip(ids, others, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(ids), len(others)))


def _answers(row: Row, tokenizer: Tokenizer, mask_history: bool) -> list[Encoded]:
    masked = answer_mask.mask(row, tokenizer, mask_history)
    notes = answer_mask.changed_turns(masked.changed, tokenizer)
    notes += answer_mask.shared_tokens(masked.shared)
    return [Encoded("text", masked.ids, masked.trained, masked.decided_by, notes)]


def _sft(
    rows: Sequence[Row], tokenizer: Tokenizer, completion_only_loss: bool | None
) -> list[list[Encoded]]:
    if completion_only_loss is None:
        completion_only_loss = "prompt" in rows[0] and "completion" in rows[0]
    settings = {"completion_only_loss": completion_only_loss, "chat_template": None}
    prepared = _run(
        rows, tokenizer, lambda data: compat.tokenized_by_trl("sft", data, tokenizer, **settings)
    )
    return [
        [Encoded("text", row["input_ids"], [label != -100 for label in row["labels"]])]
        for row in prepared
    ]


def _dpo(rows: Sequence[Row], tokenizer: Any) -> list[list[Encoded]]:
    prepared = _run(rows, tokenizer, lambda data: compat.tokenized_by_trl("dpo", data, tokenizer))
    sides = ("chosen", "rejected")
    return [
        [_answered(side, row["prompt_ids"], row[f"{side}_ids"]) for side in sides]
        for row in prepared
    ]


def _kto(rows: Sequence[Row], tokenizer: Any) -> list[list[Encoded]]:
    prepared = _run(rows, tokenizer, lambda data: compat.tokenized_by_trl("kto", data, tokenizer))
    return [
        [_answered("good" if row["label"] else "bad", row["prompt_ids"], row["completion_ids"])]
        for row in prepared
    ]


def _answered(side: str, prompt: list[int], answer: list[int]) -> Encoded:
    """A prompt that is read and an answer that is learned from."""
    return Encoded(side, prompt + answer, [False] * len(prompt) + [True] * len(answer))


def _prompts(rows: Sequence[Row], tokenizer: Any) -> list[list[Encoded]]:
    def asked(row: Row) -> Row:
        asked = {} if isinstance(row["prompt"], str) else rendering.options(row)
        return {"ids": compat.tokenize_prompt(tokenizer, row["prompt"], **asked)}

    prepared = _run(rows, tokenizer, lambda data: data.map(asked))
    return [[Encoded("prompt", row["ids"], [False] * len(row["ids"]))] for row in prepared]


def _stream(rows: Sequence[Row]) -> Any:
    """Rows as an iterable dataset: no caching and no fingerprinting of the tokenizer."""
    from datasets import Dataset

    from studio.data.arrow_schema import Shape, tables

    shape = Shape()
    for row in rows:
        shape.see(row)
    table = next(iter(tables([[dict(row) for row in rows]], shape)))
    return Dataset(table).to_iterable_dataset()  # type: ignore[arg-type]


def _run(rows: Sequence[Row], tokenizer: Tokenizer, prepare: Callable[[Any], Any]) -> list[Row]:
    """The prepared rows, or the template's refusal as a sentence."""
    from jinja2 import TemplateError

    try:
        return list(prepare(_stream(rows)))
    except TemplateError as error:
        raise ModelError(template_checks.refusal(rows[0], tokenizer, error)) from error
    except (RuntimeError, ValueError, TypeError) as error:
        raise ModelError(template_checks.unrenderable(error, tokenizer)) from error


def _view(
    encoded: Encoded, tokenizer: Tokenizer, max_length: int | None, about: list[str]
) -> TokenView:
    side, ids, trained, decided_by, found = encoded
    special = set(tokenizer.all_special_ids) | {
        at for at, added in tokenizer.added_tokens_decoder.items() if added.special
    }
    tokens = [
        Token(text, id, lit, id in special, why)
        for text, id, lit, why in zip(
            token_texts(ids, tokenizer), ids, trained, decided_by or [""] * len(ids), strict=True
        )
    ]
    kept = len(ids) if max_length is None else min(len(ids), max_length)
    told = template_checks.notes(ids, trained, kept, tokenizer, asks=side == "prompt")
    notes = [*about, *found, *told]
    return TokenView(side, tokens, len(ids), sum(trained[:kept]), kept, notes)


_WHOLE = 12  # tokens that one character may be spelled in, with room to spare


def token_texts(ids: list[int], tokenizer: Tokenizer) -> list[str]:
    """Each token's own text, its leading space kept. A character spelled in several tokens
    stands whole with the first, and the others are empty, so that the texts join to the text."""
    texts: list[str] = []
    at = 0
    while at < len(ids):
        size, text = 1, _text(ids[at : at + 1], tokenizer)
        while "\ufffd" in text and size < _WHOLE and at + size < len(ids):
            size += 1
            text = _text(ids[at : at + size], tokenizer)
        if "\ufffd" in text:  # no run of tokens makes it whole: it is that character
            size, text = 1, _text(ids[at : at + 1], tokenizer)
        texts.extend([text, *[""] * (size - 1)])
        at += size
    return texts


def _text(ids: list[int], tokenizer: Tokenizer) -> str:
    text = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    name = tokenizer.convert_ids_to_tokens(ids[0])
    if name.startswith("▁") and not text.startswith(" "):
        text = " " * (len(name) - len(name.lstrip("▁"))) + text
    return text
