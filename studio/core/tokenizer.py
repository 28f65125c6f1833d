"""The part of transformers' tokenizers that the studio uses, as a type.

A `Protocol` because transformers' own class fills its special tokens in at run time and returns
unions that no call of ours needs; a stand-in for a test only has to offer what is listed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, overload

from studio.core.messages import Message


class SpecialToken(Protocol):
    """A token added to the vocabulary."""

    special: bool


class Tokenizer(Protocol):
    """See https://huggingface.co/docs/transformers/main_classes/tokenizer."""

    chat_template: str | None
    bos_token: str | None
    bos_token_id: int | None
    eos_token: str | None
    eos_token_id: int | None
    model_max_length: int
    all_special_ids: list[int]
    added_tokens_decoder: Mapping[int, SpecialToken]

    def __call__(self, text: str, *, add_special_tokens: bool) -> Mapping[str, list[int]]: ...

    def apply_chat_template(
        self, conversation: Sequence[Message], *, tools: object = None, tokenize: Literal[False]
    ) -> str: ...

    def decode(
        self,
        token_ids: Sequence[int],
        *,
        skip_special_tokens: bool,
        clean_up_tokenization_spaces: bool,
    ) -> str: ...

    @overload
    def convert_ids_to_tokens(self, ids: int) -> str: ...

    @overload
    def convert_ids_to_tokens(self, ids: list[int]) -> list[str]: ...

    def get_vocab(self) -> Mapping[str, int]: ...

    def get_added_vocab(self) -> Mapping[str, int]: ...
