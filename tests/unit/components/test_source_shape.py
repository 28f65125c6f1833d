"""The Data tab's template and chunks: what the fields mean, and what is previewed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.data import option_choices, source_shape
from components.data.open_sources import OpenSources
from components.data.source_shape import SourceShape, written
from studio import Studio
from studio.core.errors import ConfigError
from studio.data import read
from studio.data.column_template import ColumnTemplate
from studio.data.readers.chunks import Chunking

CLEANING = (["dedupe"], [], 0, 0, "", "", 0, 42, 5)


def test_a_line_parts_templates() -> None:
    assert written("{a}\n{b}\n---\n{a}", "{c}\n") == ColumnTemplate(("{a}\n{b}", "{a}"), "{c}")
    with pytest.raises(ConfigError, match="at least one template"):
        written(" \n---\n", "")


def test_a_source_is_previewed_and_read_again_from_its_own_rows(tmp_path: Path, home: Path) -> None:
    studio = Studio(home)
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"q": f"<b>{n}", "x": n or None}) + "\n" for n in range(9)))
    sources = OpenSources(studio)
    shape = SourceShape(sources)
    plain = sources.put(read(path), str(path), {})
    drawn = shape.draw(plain, "Ask {q}", "{x}")
    assert "&lt;b&gt;1" in drawn and "Row 1: x is empty" in drawn and "<b>1" not in drawn
    assert "no column" in shape.draw(plain, "{y}", "")
    assert "{q}" in shape.draw(plain, "", "")
    how = shape.templated(sources.held(plain), "Ask {q}", "{x}")
    subject = sources.put(read(path, **how), str(path), how)
    held = sources.held(subject)
    assert "Ask &lt;b&gt;2" in shape.draw(subject, "Ask {q}", "{x}")
    assert shape.plain(held) == {} and not source_shape._has_documents(held)
    options = option_choices.prepare_options(held.how, CLEANING)
    assert (options.template, options.completion_template) == (("Ask {q}",), "{x}")
    kept = shape.chunked(held, 64, 8, "")
    assert kept["chunks"] == Chunking(64, 8) and kept["template"] == how["template"]
    assert option_choices.prepare_options(kept, CLEANING).chunk_tokens == 64
    studio.close()


@pytest.mark.parametrize(
    ("name", "shown"), [("a.jsonl.zst", "a"), ("my.book.pdf", "my.book"), ("o/x", "x")]
)
def test_a_sources_name_loses_its_suffixes(name: str, shown: str) -> None:
    assert option_choices.found_name(name) == shown
