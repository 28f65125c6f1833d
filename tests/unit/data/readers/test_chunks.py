"""Chunks: nothing lost, none too long, borders where a reader would draw them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.core.errors import ConfigError
from studio.data.readers.chunks import Chunking, chunked

PARAGRAPH = "One two three four five six seven eight. " * 3


def test_paragraphs_stay_whole_and_overlap_repeats_the_last() -> None:
    text = "\n\n".join(f"{n}. {PARAGRAPH.strip()}" for n in range(6))
    chunks = list(chunked(text, Chunking(tokens=100, overlap=40)))
    assert chunks[0].count("\n\n") == 2 and chunks[0].startswith("0. ")
    assert chunks[1].startswith("2. "), "the last paragraph comes again"
    assert all(chunk.split("\n\n")[-1].endswith("eight.") for chunk in chunks)
    plain = list(chunked(text, Chunking(tokens=100)))
    assert "\n\n".join(plain) == text


def test_a_long_paragraph_is_cut_at_sentences_and_a_long_word_anywhere() -> None:
    chunks = list(chunked(PARAGRAPH * 4, Chunking(tokens=30)))
    assert len(chunks) > 3 and all(chunk.endswith("eight.") for chunk in chunks)
    letters = list(chunked("x" * 1000, Chunking(tokens=20)))
    assert "".join(letters).replace(" ", "") == "x" * 1000


def test_a_tokenizer_counts_where_there_is_one() -> None:
    words = Chunking(tokens=16, count=lambda text: len(text.split()))
    chunks = list(chunked(PARAGRAPH * 3, words))
    assert [len(chunk.split()) for chunk in chunks] == [16, 16, 16, 16, 8]
    assert "counted by the model" in words.describe("a", 1) and "1 chunk of" in words.describe(
        "a", 1
    )
    assert "4 characters a token" in Chunking().describe("a", 2)


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="ab. \n\t", max_size=600), st.integers(16, 40), st.integers(0, 8))
def test_no_word_is_lost_and_no_chunk_is_longer(text: str, tokens: int, overlap: int) -> None:
    how = Chunking(tokens, overlap)
    chunks = list(chunked(text, how))
    assert all(how.size(chunk) <= tokens for chunk in chunks)
    assert all(chunk.strip() for chunk in chunks)
    if not overlap:
        assert "".join("".join(chunks).split()) == "".join(text.split())


@pytest.mark.parametrize("sizes", [(8, 0), (100, 51), (100, -1)])
def test_sizes_that_make_no_chunks_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(ConfigError, match="chunk_"):
        Chunking(*sizes)
