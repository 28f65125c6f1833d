"""The catalog of models, counted: every entry built from its sizes on the meta device.

    python -m benchmarks.models            all of them, about a minute
    python -m benchmarks.models Qwen3      those whose ID holds the word

No weights and no network. `parameters` must be the count itself; `published` must agree with it in
the digits that its makers give, or lie a little above where it counts a vision or audio tower too.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from studio.calculator.configs import read_source
from studio.calculator.meta_model import build
from studio.core.errors import ModelError
from studio.core.model_catalog import CatalogModel, catalog

TOWERS = 0.15
"""The largest part of a published count that towers may take."""


def count(model: CatalogModel) -> int:
    """Parameters of the language model that transformers builds. Raises `ModelError`."""
    return sum(weight.numel() for weight in build(read_source(model.id))[1].parameters())


def agrees(model: CatalogModel, counted: int) -> bool:
    """Whether a count is the one published, in as many digits as that has."""
    if model.published_with_towers:
        return (1 - TOWERS) * model.published <= counted <= model.published
    digits = len(f"{int(model.published)}".rstrip("0"))
    return float(f"{counted:.{digits - 1}e}") == model.published


def wrong(model: CatalogModel) -> str:
    """What is wrong with an entry; empty where nothing is."""
    try:
        counted = count(model)
    except ModelError as error:
        return str(error)
    if counted != model.parameters:
        return f"{model.id} counts {counted:,} parameters, and says {model.parameters:,}."
    if not agrees(model, counted):
        return f"{model.id} counts {counted:,} parameters; {model.published:,} are published."
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """One line a model; 1 where an entry is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("word", nargs="?", default="")
    word = parser.parse_args(arguments).word.lower()
    found = 0
    for model in catalog().values():
        if word in model.id.lower():
            said = wrong(model)
            found += bool(said)
            print(said or f"{model.id}: {model.parameters:,}", flush=True)
    return min(found, 1)


if __name__ == "__main__":
    raise SystemExit(main())
