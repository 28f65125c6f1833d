"""Several datasets in a recipe: how they are written, what is refused, which rows are drawn."""

from __future__ import annotations

import pytest

from studio.core.errors import ConfigError, DataError
from studio.runs.dataset_entries import DatasetEntry, label
from studio.runs.mixture import draw
from studio.runs.recipe import Recipe

SIZES = [9500, 12_000, 4000]
SHARES = [0.7, 0.2, 0.1]


def of(*datasets: object, **values: object) -> Recipe:
    return Recipe.of({"datasets": list(datasets), **values})


def test_entries_have_the_names_of_trls_config():
    from dataclasses import fields

    from trl.scripts.utils import DatasetConfig

    assert set(DatasetEntry.model_fields) < {field.name for field in fields(DatasetConfig)}


def test_the_stopping_strategies_are_those_of_datasets():
    import inspect
    from typing import get_args, get_type_hints

    from datasets import interleave_datasets

    known = get_type_hints(interleave_datasets)["stopping_strategy"]
    ours = Recipe.model_fields["stopping_strategy"]
    assert get_args(ours.annotation) == get_args(known)
    default = inspect.signature(interleave_datasets).parameters["stopping_strategy"].default
    assert ours.default == default


@pytest.mark.parametrize(
    "written",
    [
        ["mine", "general:0.1"],
        "mine; general:.1",
        [{"path": "mine"}, {"path": "general", "fraction": 0.1}],
        '{"path": "mine", "fraction": 0.9}; general:1e-1',
    ],
)
def test_one_without_a_fraction_takes_the_rest(written):
    recipe = Recipe.of({"datasets": written})
    assert [(one.path, one.fraction) for one in recipe.datasets] == [
        ("mine", 0.9),
        ("general", 0.1),
    ]
    assert recipe.dataset_name == "mine"
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe
    assert Recipe.of({"datasets": [str(one) for one in recipe.datasets]}) == recipe


def test_a_hub_datasets_configuration_and_split_survive_as_text():
    entry = DatasetEntry(path="a/b", name="main", split="train[:50]", fraction=0.5)
    colon = DatasetEntry(path="odd:3")
    recipe = of(entry, DatasetEntry(path="c", fraction=0.5))
    assert Recipe.of({"datasets": "; ".join(map(str, recipe.datasets))}) == recipe
    assert of(str(colon), "c").datasets[0] == colon


def test_dataset_name_is_the_first_and_either_replaces_the_other():
    recipe = of("mine", "general")
    assert recipe.with_(dataset_name="other").datasets == ()
    assert recipe.with_(datasets=["other", "mine"]).dataset_name == "other"
    assert recipe.usual_name() == "pocket-sft"
    assert label(["a", "b", "c", "d"]) == "a + 3 more"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"datasets": ["a", "b:0.1", "c"]}, "fraction to all datasets or to none"),
        ({"datasets": ["a", "b:1.5"]}, "fraction to all datasets or to none"),
        ({"datasets": ["a", "a"]}, "names a twice"),
        ({"datasets": [{"path": "a", "columns": ["x"]}]}, "columns is not read here"),
        ({"datasets": [{"pth": "a"}]}, 'Did you mean "path"'),
        ({"datasets": ["a"], "dataset_name": "b"}, "leave dataset_name out"),
        ({"datasets": ["a:0", "b:1"]}, "greater than 0"),
        ({"datasets": [3]}, "path: ..."),
        ({"datasets": ['{"path']}, "not a JSON object"),
    ],
)
def test_what_makes_no_mixture_is_said(values, words):
    with pytest.raises(ConfigError, match=words):
        Recipe.of(values)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"mixture": "interleave"},
        {"mixture": "interleave", "stopping_strategy": "all_exhausted"},
    ],
)
def test_shares_are_within_a_percent_over_ten_thousand_rows(how):
    recipe = of(*(f"{at}:{share}" for at, share in enumerate(SHARES)), **how)
    drawn = draw(recipe, SIZES)
    assert len(drawn) > 10_000
    counts = drawn.counts(3)
    for share, count, at, size in zip(SHARES, counts, range(3), SIZES, strict=True):
        assert count / len(drawn) == pytest.approx(share, abs=0.01)
        rows = drawn.row[drawn.part == at]
        assert rows.min() >= 0 and rows.max() < size
        assert how.get("stopping_strategy") or len(set(rows)) == len(rows)


def test_concatenated_it_is_as_large_as_trls_and_rows_are_left_out_at_random():
    recipe = of("a:0.9", "b:0.1")
    drawn = draw(recipe, [900, 1000])
    assert drawn.counts(2) == [900, 100]
    left = drawn.row[drawn.part == 1]
    assert left.max() > 500  # not the first hundred
    assert (left == draw(recipe, [900, 1000]).row[900:]).all()
    assert (left != draw(recipe.with_(seed=1), [900, 1000]).row[900:]).any()
    assert draw(of("a", "b"), [7, 5]).counts(2) == [7, 5]


def test_every_row_is_used_without_replacement():
    how = {"mixture": "interleave", "stopping_strategy": "all_exhausted_without_replacement"}
    drawn = draw(of("a:0.5", "b:0.5", **how), [30, 50])
    assert drawn.counts(2) == [30, 50] and len(set(zip(drawn.part, drawn.row, strict=True))) == 80
    assert len(set(drawn.part[:10])) == 2  # they take turns


def test_a_dataset_that_gives_no_row_is_named():
    with pytest.raises(DataError, match="b has no training rows"):
        draw(of("a", "b"), [5, 0])
    with pytest.raises(DataError, match=r"b gets none of the mixture's 100 rows"):
        draw(of("a:0.999", "b:0.001"), [100, 100])
