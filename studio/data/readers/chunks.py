"""Texts of documents as chunks for language modelling: on paragraph borders, with overlap."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from studio.core.errors import ConfigError

CHARACTERS_PER_TOKEN = 4
"""What a token is taken for where no model's tokenizer counts."""


@dataclass(frozen=True)
class Chunking:
    """How documents are cut: at most `tokens` tokens a chunk, of which about `overlap` repeat the
    end of the one before. `count` counts a text's tokens; None estimates them from characters.

    Raises `ConfigError` for sizes that make no chunks.
    """

    tokens: int = 512
    overlap: int = 0
    count: Callable[[str], int] | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.tokens < 16:
            raise ConfigError(f"chunk_tokens is {self.tokens}; a chunk has 16 tokens or more.")
        if not 0 <= self.overlap <= self.tokens // 2:
            raise ConfigError(
                f"chunk_overlap is {self.overlap}; it is 0 to half of chunk_tokens "
                f"({self.tokens // 2})."
            )

    def size(self, text: str) -> int:
        """Tokens of a text, counted or estimated."""
        if self.count is not None:
            return self.count(text)
        return -(-len(text) // CHARACTERS_PER_TOKEN)

    def describe(self, name: str, chunks: int) -> str:
        """`guide.pdf: 12 chunks of at most 512 tokens, counted by the model's tokenizer.`"""
        how = (
            "counted by the model's tokenizer"
            if self.count
            else f"estimated at {CHARACTERS_PER_TOKEN} characters a token; name a model to count"
        )
        plural = "chunk" if chunks == 1 else "chunks"
        return f"{name}: {chunks:,} {plural} of at most {self.tokens} tokens, {how}."


class _Piece(NamedTuple):
    """A paragraph, or a part of one that is too long; what stands before it; its tokens."""

    text: str
    between: str
    size: int


_PARAGRAPH = re.compile(r"\n(?:[ \t]*\n)+")
_SENTENCE = re.compile(r"((?<=[.!?\u3002\uff01\uff1f])\s+|\n)")


def chunked(text: str, how: Chunking) -> Iterator[str]:
    """Chunks of a text: whole paragraphs where they fit, else whole sentences, else words."""
    held: list[_Piece] = []
    total = fresh = 0
    for piece in _pieces(text.replace("\r\n", "\n"), how):
        if fresh and total + piece.size > how.tokens:
            yield _joined(held)
            room = min(how.overlap, how.tokens - piece.size)
            while held and total > room:
                total -= held.pop(0).size
            fresh = 0
        held.append(piece)
        total, fresh = total + piece.size, fresh + 1
    if fresh:
        yield _joined(held)


def _joined(pieces: list[_Piece]) -> str:
    first, *others = pieces
    return first.text + "".join(piece.between + piece.text for piece in others)


def _pieces(text: str, how: Chunking) -> Iterator[_Piece]:
    for paragraph in _PARAGRAPH.split(text):
        paragraph = paragraph.rstrip().lstrip("\n")  # the first line's indentation stays
        if not paragraph:
            continue
        size = how.size(f"\n\n{paragraph}")
        if size <= how.tokens:
            yield _Piece(paragraph, "\n\n", size)
            continue
        for sentence, between in _parts(paragraph, how):
            yield _Piece(sentence, between, how.size(between + sentence))


def _parts(paragraph: str, how: Chunking) -> Iterator[tuple[str, str]]:
    """The sentences and lines of a paragraph with what stands before each, those that are too long
    cut into runs of words."""
    between = "\n\n"
    for at, sentence in enumerate(_SENTENCE.split(paragraph)):
        if at % 2:
            between = between if between == "\n\n" else sentence
        elif sentence.strip():
            fits = how.size(f"\n\n{sentence}") <= how.tokens
            for part in [sentence] if fits else _words(sentence, how):
                yield part, between
                between = " "


def _words(sentence: str, how: Chunking) -> Iterator[str]:
    """Runs of words that fit; a single word that does not is cut."""
    held, size = "", 0
    for word in re.findall(r"\S+", sentence):
        for part in _cut(word, how):
            more = how.size(f" {part}")
            if held and size + more > how.tokens - 2:
                yield held
                held, size = "", 0
            held, size = f"{held} {part}" if held else part, size + more
    if held:
        yield held


def _cut(word: str, how: Chunking) -> Iterator[str]:
    while how.size(f"\n\n{word}") > how.tokens:
        end = min(len(word) - 1, how.tokens * CHARACTERS_PER_TOKEN)
        while end > 1 and how.size(f"\n\n{word[:end]}") > how.tokens:
            end //= 2
        yield word[:end]
        word = word[end:]
    yield word
