"""Pairs for text encoders, as sentence-transformers and BGE write them: an anchor with its positive
and negatives, a query with its document, two sentences with a score."""

from __future__ import annotations

import math

from studio.data.formats.base import ASKED, Family, Mapping, Match, Row, listed, mapped
from studio.data.formats.chat_turns import kind_of
from studio.data.formats.column_profile import Column, Profile
from studio.data.formats.field_values import listed_texts, text_of
from studio.data.types import RowError

_ANCHORS = ("anchor", "query", "question", "premise")
_POSITIVES = ("positive", "pos", "positive_passages", "positives")
_NEGATIVES = ("negative", "negatives", "neg", "hard_negatives", "hard_negative", "negs")
_DOCUMENTS = ("document", "passage", "doc", "corpus", "context_document")
_QUERIES = ("query", "question", "search_query")
_SIDES = (("sentence1", "sentence2"), ("sentence_1", "sentence_2"), ("sentence_a", "sentence_b"),
          ("text1", "text2"), ("text_a", "text_b"), ("question1", "question2"))  # fmt: skip
_SCORES = ("score", "similarity", "similarity_score", "relatedness", "relatedness_score", "sim",
           "label")  # fmt: skip
_TEXTS = ("string", "strings")


def _named(profile: Profile, words: tuple[str, ...], *shapes: str) -> Column | None:
    """The first column with one of these very names, perhaps with `_text` after it."""
    columns = [one for one in profile.columns.values() if one.is_(*shapes)]
    for ending in ("", "_text"):
        for word in words:
            for one in columns:
                if one.key == word + ending:
                    return one
    return None


def _numbered_negatives(profile: Profile) -> list[str]:
    return [
        one.name
        for one in profile.columns.values()
        if one.key.startswith("negative_")
        and one.key.removeprefix("negative_").isdigit()
        and one.is_("string")
    ]


def _recognise(profile: Profile) -> Match | None:
    anchor = _named(profile, _ANCHORS, "string")
    positive = _named(profile, _POSITIVES, *_TEXTS)
    if anchor and positive:
        return _triplets(profile, anchor, positive)
    query, document = _named(profile, _QUERIES, "string"), _named(profile, _DOCUMENTS, "string")
    negative = _named(profile, _NEGATIVES, *_TEXTS)
    others = ("answer", "response", "output", "completion", "label", "answers", "summary", "class")
    taken = any(one.key in others for one in profile.columns.values())
    if not (query and document) or (taken and not negative):
        return None
    mapping = mapped(
        anchor=query.name, positive=document.name, negative=negative.name if negative else None
    )
    why = f'"{query.name}" is a query, and "{document.name}" the document that it should find.'
    # A document under a question may also be what a question is asked about.
    sure = 0.8 if query.key != "question" or negative else ASKED
    return Match("pairs", sure * profile.coverage(query.name, document.name), why, mapping)


def _triplets(profile: Profile, anchor: Column, positive: Column) -> Match | None:
    negative = _named(profile, _NEGATIVES, *_TEXTS)
    numbered = _numbered_negatives(profile)
    mapping = mapped(
        anchor=anchor.name,
        positive=positive.name,
        negative=negative.name if negative else (numbered[0] if numbered else None),
    )
    why = f'"{anchor.name}" is a text and "{positive.name}" one that it should be near.'
    if "negative" in mapping:
        names = [negative.name] if negative else numbered
        why += f" {listed(names)} should be far from it."
    sure = 0.97 * profile.coverage(anchor.name, positive.name)
    found = Match("pairs", sure, why, mapping)
    if anchor.key == "anchor" or "negative" not in mapping or positive.is_("strings"):
        return found
    # A question with a positive and a negative answer may as well be a preference.
    other = Match(
        "preference",
        ASKED,
        f'"{positive.name}" is preferred over "{mapping["negative"]}"; the prompt is in '
        f'"{anchor.name}".',
        mapped(prompt=anchor.name, chosen=positive.name, rejected=mapping["negative"]),
    )
    return Match("pairs", ASKED, why, mapping, (other,))


def _convert(row: Row, mapping: Mapping) -> Row:
    positive = _several(row, mapping["positive"])
    if not positive:
        column = mapping["positive"]
        raise RowError("missing_field", f'"{column}" is missing.', column)
    made: Row = {"anchor": text_of(row, mapping["anchor"]), "positive": positive[0]}
    column = mapping.get("negative")
    if column is not None:
        every = (text for name in _like(row, column) for text in _several(row, name))
        negatives = [text for text in every if text.strip()]  # none, not one that says nothing
        if negatives:
            made["negatives"] = negatives
    return made


def _like(row: Row, column: str) -> list[str]:
    """The column, and those numbered after it: negative_1, negative_2, ..."""
    stem = column.rstrip("0123456789")
    if stem == column or not stem.endswith("_"):
        return [column]
    return [name for name in row if name.startswith(stem) and name.removeprefix(stem).isdigit()]


def _several(row: Row, column: str) -> list[str]:
    value = row.get(column)
    if value is None or value == []:
        return []
    texts = listed_texts(value)
    return texts if texts is not None else [text_of(row, column)]


# ---- scored pairs --------------------------------------------------------------------------------


def _recognise_scored(profile: Profile) -> Match | None:
    sides = [
        pair
        for words in _SIDES
        if all(pair := [_named(profile, (word,), "string") for word in words])
    ]
    score = _named(profile, _SCORES, "number") or _numbers_as_text(profile)
    if not sides or score is None:
        return None
    first, second = (one.name for one in sides[0] if one is not None)
    graded = any(float(value) % 1 for value in score.values) or len(score.distinct) > 2
    if score.key == "label" and not any(float(value) % 1 for value in score.values):
        return None  # classes written as numbers
    why = f'"{score.name}" says how similar {listed((first, second))} are.'
    sure = (0.95 if graded else ASKED) * profile.coverage(first, second, score.name)
    mapping = {"sentence1": first, "sentence2": second, "score": score.name}
    return Match("scored-pairs", sure, why, mapping)


def _numbers_as_text(profile: Profile) -> Column | None:
    """A score that a CSV file holds as text."""
    found = _named(profile, _SCORES, "string")
    if found is None or not found.values:
        return None
    return found if all(_number(value) is not None for value in found.values) else None


def _number(value: object) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        found = float(value)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        return None
    return found if math.isfinite(found) else None


def _convert_scored(row: Row, mapping: Mapping) -> Row:
    column = mapping["score"]
    value = row.get(column)
    if value is None:
        raise RowError("missing_field", f'"{column}" is missing.', column)
    score = _number(value)
    if score is None:
        raise RowError("wrong_type", f'"{column}" is {kind_of(value)}, not a number.', column)
    sides = {name: text_of(row, mapping[name]) for name in ("sentence1", "sentence2")}
    return {**sides, "score": score}


FAMILIES = [
    Family(
        "pairs",
        "embedding_pairs",
        "Texts that belong together, for embeddings",
        {
            "anchor": "the query, or the first text",
            "positive": "the text that belongs to it",
            "negative": "one text that does not, or a list of them",
        },
        ("anchor", "positive"),
        _recognise,
        _convert,
    ),
    Family(
        "scored-pairs",
        "scored_pairs",
        "Two sentences with a similarity score",
        {
            "sentence1": "the first sentence",
            "sentence2": "the second sentence",
            "score": "how similar they are, as a number",
        },
        ("sentence1", "sentence2", "score"),
        _recognise_scored,
        _convert_scored,
    ),
]
