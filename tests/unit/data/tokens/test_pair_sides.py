"""The token view of rows for encoders: each side with its prompt, and where it is cut."""

from __future__ import annotations

import pytest

from components.data import token_view_html
from studio.core.errors import ModelError
from studio.core.model_names import resolve
from studio.data.tokens.token_view import render
from studio.models.loading import load_tokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return load_tokenizer(resolve("pocket"))


ROW = {"anchor": "Who is Ida?", "positive": "Ida bakes bread.", "negatives": ["Leo sails."]}


def test_each_side_stands_below_its_prompt(tokenizer):
    views = render(ROW, "embedding_pairs", tokenizer, max_length=8, prompts=("query: ", ""))
    assert [view.side for view in views] == ["anchor", "positive", "negative"]
    anchor = views[0]
    assert "".join(token.text for token in anchor.tokens).endswith("query: Who is Ida?")
    prompt = "".join(token.text for token in anchor.tokens if not token.trained)
    assert "query" in prompt and "Who" not in prompt
    assert anchor.kept == 8 < anchor.total
    assert all(token.trained for token in views[1].tokens)
    html = token_view_html.token_view(views, 8)
    assert "of them the prompt" in html and "cut off" in html and "negative" in html


def test_scored_pairs_and_rows_of_other_types(tokenizer):
    scored = {"sentence1": "A day.", "sentence2": "A night.", "score": 0.5}
    views = render(scored, "scored_pairs", tokenizer, max_length=None)
    assert [view.side for view in views] == ["sentence1", "sentence2"]
    chosen = {"prompt": "Who?", "chosen": "Ida.", "rejected": "Leo."}
    views = render(chosen, "preference", tokenizer, max_length=None, prompts=("", "passage: "))
    assert [view.side for view in views] == ["anchor", "positive", "negative"]
    empty = {"anchor": "Who?", "positive": " "}
    with pytest.raises(ModelError, match="positive of this row is empty"):
        render(empty, "embedding_pairs", tokenizer, max_length=None)
