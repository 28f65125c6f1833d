"""Token counts are those of the trainer's own sequences; the cost of a limit is exact."""

import pytest

from studio.core.errors import Cancelled, ModelError
from studio.data.tokens.token_lengths import STEP, measure
from studio.data.tokens.token_view import render

WORDS = "the mill by the river stands next to an old wall"


def row(words: int) -> dict:
    answer = " ".join(WORDS.split()[i % 11] for i in range(words))
    return {
        "prompt": [{"role": "user", "content": "Where is the mill?"}],
        "completion": [{"role": "assistant", "content": answer}],
    }


def test_counts_are_those_of_the_token_view(tokenizer):
    rows = [row(count) for count in (3, 40, 90, 7)]
    found = measure(rows, "prompt_completion", tokenizer)
    whole = [render(r, "prompt_completion", tokenizer, max_length=None)[0] for r in rows]
    assert found.longest.tolist() == [view.total for view in whole]
    assert found.trained.tolist() == [view.trained for view in whole]
    assert found.turns.tolist() == [2, 2, 2, 2]
    for limit in (4, 30, 64, 500):
        cut = [render(r, "prompt_completion", tokenizer, max_length=limit)[0] for r in rows]
        lost = found.at(limit)
        assert lost.rows == sum(view.kept < view.total for view in cut)
        assert lost.tokens == sum(view.total - view.kept for view in cut)
        assert lost.of_trained - lost.trained == sum(view.trained for view in cut)
        assert lost.silent == sum(view.trained == 0 for view in cut)


def test_both_sides_of_a_preference_count(tokenizer):
    pair = {
        "prompt": row(1)["prompt"],
        "chosen": row(5)["completion"],
        "rejected": row(60)["completion"],
    }
    found = measure([pair], "preference", tokenizer)
    sides = render(pair, "preference", tokenizer, max_length=None)
    assert found.longest.tolist() == [max(side.total for side in sides)]
    assert found.at(30).rows == 1 and found.at(30).of_tokens == sum(s.total for s in sides)


def test_the_suggestion_keeps_nearly_all_rows_whole_and_fits_the_model(tokenizer):
    rows = [row(10)] * 199 + [row(400)]
    found = measure(rows, "prompt_completion", tokenizer)
    limit = found.suggestion()
    assert limit % STEP == 0 and found.at(limit).rows == 1
    assert found.at(limit - STEP).rows > 2 or limit == STEP
    long = measure([row(400)] * 3, "prompt_completion", tokenizer, context=256)
    assert long.suggestion() == 256


def test_refused_rows_are_counted_and_large_sets_are_sampled(tokenizer):
    odd = {"prompt": [{"role": "tool", "content": "x"}], "completion": row(2)["completion"]}
    found = measure([*[row(3)] * 30, odd], "prompt_completion", tokenizer)
    assert (found.refused, len(found.turns)) == (1, 30) and "role tool" in found.why_refused
    some = measure([row(3)] * 30, "prompt_completion", tokenizer, most=10)
    assert some.sampled and some.measured == 10 and some.rows == 30
    with pytest.raises(ModelError, match="role tool"):
        measure([odd], "prompt_completion", tokenizer)


def test_measuring_can_be_cancelled(tokenizer):
    def stop(*_):
        raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        measure([row(3)], "prompt_completion", tokenizer, progress=stop)


def test_every_side_of_a_pair_counts_below_its_prompt(tokenizer):
    rows = [
        {"anchor": "Who?", "positive": WORDS, "negatives": ["No.", WORDS * 3]},
        {"anchor": WORDS * 2, "positive": "Ida."},
    ]
    found = measure(rows, "embedding_pairs", tokenizer, prompts=("query: ", "text: "))
    views = [
        view
        for row in rows
        for view in render(
            row, "embedding_pairs", tokenizer, max_length=None, prompts=("query: ", "text: ")
        )
    ]
    assert found.size.tolist() == [view.total for view in views]
    assert found.embeds and not found.paired and found.longer == ["negative", "anchor"]
    assert found.of_side("anchor").tolist() == [views[0].total, views[4].total]
    limit = views[1].total
    cut = found.at(limit)
    assert {name: (side.cut, side.of) for name, side in cut.sides.items()} == {
        "anchor": (1, 2),
        "positive": (0, 2),
        "negative": (1, 2),
    }
    assert cut.sides["anchor"].tokens == views[4].total - limit and cut.rows == 2
    assert found.apart.tolist() == [-1, -1]
    bare = measure(rows, "embedding_pairs", tokenizer)
    assert (bare.size < found.size).all()
