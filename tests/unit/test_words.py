"""One word for each thing: those that are not used stay out of the page, the shell and the docs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md")
CODE = ("components", "studio")
INSTEAD = {
    r"knobs?": "parameter",
    r"verdicts?": "vote",
    r"walk(s|ed|ing)?( the| a|,)": "tour",
    r"told": "say it to whom, or use 'unless'",
    r"judgements?": "vote",
    r"people an item": "annotators per pair",
    r"ask again after": "repeat a pair every",
    r"so many words|so many rows": "the count",
    r"came free": "freed",
    r"goes along": "is used",
    r"labell(ed|ing)": "labeled, labeling",
    r"colou?rs? of mine|a text of mine": "my own",
    r"behaviour|colour|favour|centre|catalogue|licence": "American spelling",
    r"(optim|quant|normal|summar|organ)is(e|ed|es|ing|ation)": "American spelling",
}
WORDS = re.compile(rf"\b(?:{'|'.join(INSTEAD)})\b", re.IGNORECASE)
# What the words of others are called, and code in a text.
KEPT = re.compile(r"`[^`]*`|<[^>]*>|https?://\S+|optimum|[\w/.-]*/[\w/.-]+|\[[^\]]*\]\([^)]*\)")


def unused(text: str) -> list[str]:
    """The words of a text that another one stands for."""
    return [found.group(0) for found in WORDS.finditer(KEPT.sub(" ", text))]


def strings(path: Path) -> Iterator[tuple[int, str]]:
    """The sentences of a module: its string constants with a space, but for docstrings, regular
    expressions, and lists of what others call their columns (`_words`)."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    documented += [
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_words"
        for inner in node.args
    ]
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or node in documented:
            continue
        if isinstance(node.value, str) and " " in node.value and "(?:" not in node.value:
            yield node.lineno, node.value


def test_the_words_are_found() -> None:
    assert unused("Point at a knob; the verdict was told.") == ["knob", "verdict", "told"]
    assert unused("`knob` in code, and walking as such.") == []


@pytest.mark.parametrize("package", CODE)
def test_no_sentence_of_the_code_uses_them(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {words}"
        for path in sorted((ROOT / package).rglob("*.py"))
        for line, text in strings(path)
        if (words := unused(text))
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("pattern", TEXTS)
def test_no_document_uses_them(pattern: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {words}"
        for path in sorted(ROOT.glob(pattern))
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (words := unused(line))
    ]
    assert not found, "\n".join(found)
