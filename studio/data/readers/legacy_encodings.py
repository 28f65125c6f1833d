"""Which encoding a text is in that is not UTF-8: charset-normalizer's candidates, and a rule that
picks among those it holds for equally likely.

Rule: cp1252 where few bytes are beyond ASCII; else fewest signs inside words (a superscript one
between letters makes no word), then least chaos, then the language that fits best, then the
encoding more often met. Encodings that fit nearly as well and give other
text are kept beside it, so that a person can be told.
"""

from __future__ import annotations

import codecs
import functools
import unicodedata
from typing import NamedTuple

from studio.core.errors import DataError, did_you_mean

MOST_BYTES = 1 << 16
"""Bytes of lines beyond ASCII that are looked at."""
_USUAL = (
    *("cp1252", "cp1251", "gb18030", "cp932", "big5", "cp949", "cp1250", "cp1254", "cp1253"),
    *("cp1256", "cp1255", "cp874", "euc_jp", "koi8_r", "mac_roman", "cp1257", "cp1258"),
    *("cp866", "cp437", "cp850", "cp852", "mac_cyrillic", "latin_1", "johab", "euc_kr"),
)
"""Encodings from the most often met on; all others come after them."""
_SAME = {"euc_jis_2004": "euc_jp", "euc_jisx0213": "euc_jp", "cp1125": "cp866"}
_UNLIKELY = 0.4
"""Share of broken words from which the candidates are looked for again."""
_IDEOGRAPHS = "\u2e80"
_BESIDE_WORDS = "\u00b0\u00a9\u00ae\u2122\u00a7\u2116"
_CYRILLIC = set("\u0430\u0435\u0438\u043e\u0443")
_NOT_HEBREW = set(
    "\u044b\u044c\u044d\u044e\u044f\u0456\u0457\u0454\u0452\u0458\u0459\u045a\u045b\u045f"
)

_TURKISH = set("\u00fe\u00de\u00f0\u00d0\u00fd\u00dd")
"""Where cp1252 has the letters of Icelandic that Turkish has others for (cp1254)."""
_ICELANDIC = set("\u00e1\u00e9\u00ed\u00f3\u00fa\u00e6")


class Guess(NamedTuple):
    """An encoding by Python's name, and those that fit nearly as well but give other text."""

    encoding: str
    others: tuple[str, ...] = ()


def checked_encoding(name: str) -> str:
    """The encoding by Python's name; raises `DataError` for one that Python does not know."""
    try:
        return codecs.lookup(name.strip()).name
    except (LookupError, ValueError):
        near = did_you_mean(name, _USUAL)
        raise DataError(
            f'There is no encoding "{name}".{near} Known are for example {", ".join(_USUAL[:8])}.'
        ) from None


@functools.lru_cache(4)
def guessed(head: bytes) -> Guess:
    """The encoding of a text that is not UTF-8; cp1252 where nothing tells it apart."""
    if _few(head) and _fits_cp1252(head):
        return Guess("cp1252")
    told = b"\n".join(line for line in head.splitlines() if not line.isascii())[:MOST_BYTES]
    found = _candidates(told)
    if found and min(score[0] for score, _ in found.values()) >= _UNLIKELY:
        found |= _candidates(
            told, [one for one in _USUAL if one not in found]
        )  # it stops at the first that decodes well
    if not found:
        return Guess("cp1252")
    ranked = sorted(found, key=lambda name: found[name][0])
    best, text = ranked[0], found[ranked[0]][1]
    signs, chaos, fits, _ = found[best][0]
    close = [
        name
        for name in ranked[1:]
        if found[name][0][0] <= signs + 0.02
        and found[name][0][1] <= chaos + 0.05
        and found[name][0][2] <= fits + 0.15
        and found[name][1] != text
    ]
    if best == "cp1252" and _TURKISH & set(text) and not _ICELANDIC & set(text.lower()):
        return Guess("cp1254")
    latin = best == "cp1252"  # its neighbours differ in letters that its languages do not use
    return Guess(best, () if latin else tuple(close[:2]))


def _candidates(
    told: bytes, among: list[str] | None = None
) -> dict[str, tuple[tuple[float, float, float, int], str]]:
    """charset-normalizer's encodings with their scores, the lowest being the best, and the text."""
    from charset_normalizer import from_bytes

    found: dict[str, tuple[tuple[float, float, float, int], str]] = {}
    for match in from_bytes(told, threshold=0.4, enable_fallback=False, cp_isolation=among):
        names = {match.encoding, *match.could_be_from_charset}
        name = min({_SAME.get(name, name) for name in names}, key=_order)
        text = str(match)
        score = (
            round(_broken_words(text), 2),
            int(10 * match.chaos) / 10,
            -round(match.coherence, 1),
            _order(name),
        )
        found.setdefault(name, (score, text))
    return found


def _few(head: bytes) -> bool:
    """Whether so few bytes are beyond ASCII that they tell no encoding from another."""
    beyond = len(head) - len(head.translate(None, bytes(range(128, 256))))
    return beyond < 4 or beyond < 0.01 * len(head)


def _fits_cp1252(head: bytes) -> bool:
    try:
        return _broken_words(head.decode("cp1252")) < 0.5
    except UnicodeDecodeError:
        return False


def _order(name: str) -> int:
    return _USUAL.index(name) if name in _USUAL else len(_USUAL)


def _broken_words(text: str) -> float:
    """Share of characters beyond ASCII that no writer puts there: signs inside words, capitals
    after small letters, single ideographs between Latin letters; one more tenth for Cyrillic text
    without any of the letters that Hebrew's bytes cannot be, one less for text with kana."""
    beyond = broken = 0
    for before, one, after in zip(" " + text, text, text[1:] + " ", strict=False):
        if one.isascii():
            continue
        beyond += 1
        if one.isalpha():
            broken += one.isupper() and before.islower()
            broken += one >= _IDEOGRAPHS and _alone(before, after)
            broken += "\uff61" <= one <= "\uff9f"  # half-width kana: single bytes of something else
        elif _joined(one, before, after):
            broken += 1
    kana = sum("\u3041" <= one <= "\u30ff" for one in text) > 0.2 * beyond
    hebrew = beyond >= 20 and _CYRILLIC & set(text) and not _NOT_HEBREW & set(text.lower())
    share = broken / beyond if beyond else 0.0
    return share + 0.1 * bool(hebrew) - 0.1 * (beyond > 0 and kana)


def _alone(before: str, after: str) -> bool:
    apart = before < _IDEOGRAPHS and after < _IDEOGRAPHS
    return apart and (before + after).strip().isascii() and bool((before + after).strip())


def _joined(one: str, before: str, after: str) -> bool:
    """Whether a sign stands inside or at the edge of a word where no writer would put it."""
    kind = unicodedata.category(one)
    if kind == "Po":
        return before.isalpha() and after.isalpha() and one < _IDEOGRAPHS
    if kind[0] in "PZM" or kind in ("Lm", "Nd", "Sk", "Cf") or one in _BESIDE_WORDS:
        return False
    return before.isalpha() or (after.isalpha() and kind != "Sc")
