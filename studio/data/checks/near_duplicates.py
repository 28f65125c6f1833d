"""Near duplicates: MinHash signatures of word pairs, matched by LSH bands, then verified exactly.

A text is the set of its neighboring word pairs, lowercased; two texts are near duplicates when the
Jaccard similarity of their sets is at least `NEAR`. Signatures are one-permutation MinHash with
empty bins filled by rotation (Li, Owen and Zhang, arXiv:1208.1259; Shrivastava and Li,
arXiv:1406.4784); candidates come from locality-sensitive hashing by bands (Broder 1997; Leskovec et
al., "Mining of Massive Datasets", chapter 3).
"""
# Why not a MinHash library: rensa 0.5.0 needs the words as Python strings. On 100,000 chats (1.4 kB
# each, 3,077 near duplicates by exact Jaccard), runs interleaved, medians of three, processor time:
# 2.2 s and 22 MB here, 99.5 % found; rensa's RMinHash and RMinHashLSH with 128 slots 7.1 s and
# 339 MB, all found. On 10,000 rows made from one template, where every row is a candidate of every
# other, 0.3 s beside 9 s.

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

NEAR = 0.7
"""Jaccard similarity of the word pairs from which two texts are near duplicates."""
BINS = 64  # a power of two
BANDS = BINS // 4  # four values of 16 bits make one 64-bit key
MIN_WORDS = 7
"""Shorter texts have no near duplicates; exact copies among them are found by their digest."""

_TOGETHER = 1 << 17
"""Characters hashed per batch: about what the processor's cache holds."""

_EMPTY = np.uint32(0xFFFFFFFF)
_ROW = b"\xff"  # no byte of UTF-8, so it can stand between texts
_STEP = np.uint64(0x9E3779B97F4A7C15)
_WORD = re.compile(r"\w+")


def _letters() -> bytes:
    """For `bytes.translate`: 0 between words, ASCII letters in lower case, the rest as it is."""
    table = bytearray(256)
    for byte in range(255):
        if byte >= 0x80 or chr(byte).isalnum() or byte == ord("_"):
            table[byte] = ord(chr(byte).lower()) if byte < 0x80 else byte
    return bytes(table)


_LETTERS = _letters()
_HALF = np.uint64(0xFFFFFFFF)


def sign(texts: list[str]) -> np.ndarray:
    """Signatures as (texts, BINS) uint16; all zero for texts that are too short.

    Each word contributes the hash of the twelve bytes from its start, about two words. In scripts
    written without spaces every character starts a word.
    """
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    ends = np.cumsum(np.fromiter((len(text) + 1 for text in encoded), np.int64, len(encoded)))
    joined = _ROW.join(encoded).translate(_LETTERS)
    padded = np.frombuffer(joined + bytes(16), np.uint8)
    data = padded[:-16]
    first = data != 0
    begins = ~first[:-1]
    if not all(text.isascii() for text in texts):
        begins |= (data[1:] >= 0xE3) & (data[1:] < 0xF8)
    first[1:] &= begins
    starts = np.flatnonzero(first)
    eights = np.ndarray((len(padded) - 7,), "<u8", padded, strides=(1,))
    hashes = _mixed(eights[starts] * _STEP ^ (eights[starts + 8] & _HALF))
    counts = np.diff(np.searchsorted(starts, ends), prepend=0)
    return _bins(hashes, counts)


def _mixed(values: np.ndarray) -> np.ndarray:
    """The finalizer of splitmix64: every bit depends on every bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _bins(hashes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """The smallest hash in each bin; empty bins borrow from the next filled one."""
    flat = np.full(len(counts) * BINS, _EMPTY, np.uint32)
    where = np.repeat(np.arange(len(counts)) * BINS, counts)
    where += (hashes & np.uint64(BINS - 1)).astype(np.int64)
    np.minimum.at(flat, where, (hashes >> np.uint64(32)).astype(np.uint32))
    table = flat.reshape(len(counts), BINS)
    short = counts < MIN_WORDS
    original, borrowed = table.copy(), 0
    while borrowed < BINS - 1:
        gaps = table == _EMPTY
        gaps[short] = False
        if not gaps.any():
            break
        borrowed += 1
        table[gaps] = np.roll(original, -borrowed, axis=1)[gaps]
    signed = (table ^ (table >> np.uint32(16))).astype(np.uint16)
    signed[short] = 0
    return signed


class NearDuplicates:
    """Collects each row's text in order, then yields the near-duplicate pairs.

    Signatures are kept on disk, 128 bytes per row.
    """

    def __init__(self, folder: Path | None = None):
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by close()
        self._count = 0
        self._batch: list[str] = []
        self._size = 0

    def add(self, text: str) -> None:
        """The next row's text."""
        self._batch.append(text)
        self._size += len(text)
        if self._size > _TOGETHER or len(self._batch) >= 4096:
            self._sign()

    def _sign(self) -> None:
        self._file.write(sign(self._batch).tobytes())
        self._count += len(self._batch)
        self._batch, self._size = [], 0

    def pairs(
        self,
        skip: np.ndarray,
        text: Callable[[int], str],
        tick: Callable[[int], None] = lambda _: None,
    ) -> Iterator[tuple[int, int, float]]:
        """Yield (row, earlier row, Jaccard similarity), rows counted from 0.

        `skip` marks known exact duplicates; `text` returns a row's text again.
        """
        for done, (at, before) in enumerate(self.candidates(skip)):
            tick(done)
            share = similarity(text(at), text(before))
            if share >= NEAR:
                yield at, before, share

    def candidates(self, skip: np.ndarray, limit: int | None = None) -> Iterator[tuple[int, int]]:
        """Yield (row, most similar earlier row) for signatures that agree enough to verify.

        With `limit`, only rows before that position count as earlier rows.
        """
        if self._batch:
            self._sign()
        if not self._count:
            return
        self._file.flush()
        signed = np.memmap(self._file, np.uint16, "r", shape=(self._count, BINS))
        later, earlier = _candidates(signed, skip, limit)
        yield from zip(later.tolist(), earlier.tolist(), strict=True)

    def close(self) -> None:
        """Delete the signatures."""
        self._file.close()

    def __enter__(self) -> NearDuplicates:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _candidates(
    signed: np.ndarray, skip: np.ndarray, limit: int | None
) -> tuple[np.ndarray, np.ndarray]:
    """For each row that shares a band with earlier rows, the most similar of them.

    Only a band's first and previous row are compared, which keeps large groups linear.
    """
    count = len(signed)
    best = np.full(count, -1, np.int64)
    score = np.zeros(count, np.uint8)
    bands = signed.view(np.uint64)
    for band in range(BANDS):
        keys = np.array(bands[:, band])
        usable = np.flatnonzero((keys != 0) & ~skip)
        order = usable[np.argsort(keys[usable], kind="stable")]
        keys = keys[order]
        new = np.append(True, keys[1:] != keys[:-1])
        firsts = order[np.maximum.accumulate(np.where(new, np.arange(len(order)), 0))]
        previous = np.append(order[:1], order[:-1])
        for other in (firsts, previous):
            for at in range(0, len(order), 1 << 16):  # pieces, so that memory stays flat
                rows = order[at : at + (1 << 16)]
                mates = other[at : at + (1 << 16)]
                keep = ~new[at : at + (1 << 16)]
                if limit is not None:
                    keep &= mates < limit
                rows, mates = rows[keep], mates[keep]
                same = (signed[rows] == signed[mates]).sum(axis=1).astype(np.uint8)
                better = same > score[rows]
                score[rows[better]] = same[better]
                best[rows[better]] = mates[better]
    found = np.flatnonzero(score >= BINS * (NEAR - 0.2))
    return found, best[found]


def word_pairs(text: str) -> set[tuple[str, str]]:
    """Neighboring words of a text, lowercased; characters in scripts without spaces."""
    words = _WORD.findall(re.sub(r"([\u3000-\uffef])", r" \1 ", text.lower()))
    return set(itertools.pairwise(words))


def similarity(one: str, other: str) -> float:
    """Jaccard similarity of two texts' word pairs, from 0 to 1."""
    first, second = word_pairs(one), word_pairs(other)
    shared = len(first & second)
    return shared / max(1, len(first) + len(second) - shared)
