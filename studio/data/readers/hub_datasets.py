"""Rows of a dataset on the Hugging Face Hub; its code is never run."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from studio.core.errors import DataError
from studio.data.readers.encodings import data_suffix
from studio.data.readers.tables import without_filled
from studio.data.types import RawRow, Row

_SLICE = re.compile(r"(?P<name>[\w.-]+)(\[(?P<start>\d*):(?P<stop>\d*)\])?")


def read_hub(
    name: str,
    config: str | None,
    split: str | None,
    token: str | None,
    note: Callable[[str], None],
    revision: str | None = None,
) -> Iterator[RawRow]:
    """Rows of `load_dataset(name, config, split)`, streamed where the split is plain or a row
    slice."""
    _check_access(name, token)
    from datasets import load_dataset

    asked = _SLICE.fullmatch(split) if split else None
    try:
        if (
            split and asked is None
        ):  # percents and sums: datasets' own language, needs the whole split
            data: Any = load_dataset(name, config, split=split, token=token, revision=revision)
        else:
            wanted = asked["name"] if asked else None
            data = load_dataset(
                name, config, split=wanted, token=token, revision=revision, streaming=True
            )
        if isinstance(data, dict):
            chosen = "train" if "train" in data else next(iter(data))
            if len(data) > 1:
                note(f'{name} has the splits {", ".join(data)}; "{chosen}" was read.')
            data = data[chosen]
        rows: Iterator[Row] = iter(data)
        if asked and asked["start"] is not None:
            rows = itertools.islice(rows, int(asked["start"] or 0), int(asked["stop"] or 0) or None)
        for number, row in enumerate(rows, 1):
            yield RawRow(number, without_filled(row), name)
    except DataError:
        raise
    except Exception as error:
        raise _explain(name, config, split, error) from error


def origin(name: str, token: str | None) -> dict[str, str]:
    """The newest `revision` and the `license` a dataset states; nothing where it is not seen."""
    from huggingface_hub import HfApi

    try:
        info = HfApi().dataset_info(name, token=token)
    except _unseen():
        return {}
    stated = getattr(info.card_data, "license", None)
    license = ", ".join(stated) if isinstance(stated, list) else stated
    found = {"revision": info.sha, "license": license}
    return {key: str(value) for key, value in found.items() if value}


def size(name: str, token: str | None, revision: str | None) -> int:
    """Bytes of a dataset's data files as the Hub lists them; 0 where it is not seen."""
    from huggingface_hub import HfApi

    try:
        info = HfApi().dataset_info(name, revision=revision, files_metadata=True, token=token)
    except _unseen():
        return 0
    return sum(one.size or 0 for one in info.siblings or [] if data_suffix(Path(one.rfilename)))


def _unseen() -> tuple[type[Exception], ...]:
    """What keeps a dataset from being looked up; why is told by reading it."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    return HfHubHTTPError, httpx2.HTTPError, OfflineModeIsEnabled, ConnectionError


def _check_access(name: str, token: str | None) -> None:
    """Missing, gated and offline told apart before anything is downloaded."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

    try:
        HfApi().auth_check(name, repo_type="dataset", token=token)
    except GatedRepoError as error:
        raise DataError(
            f"{name} is gated: its owner asks you to accept terms. Accept them on "
            f"huggingface.co/datasets/{name}, then give a token (HF_TOKEN)."
        ) from error
    except RepositoryNotFoundError as error:
        raise DataError(
            f"There is no dataset {name} on the Hub, or it is private. "
            "Check the spelling; a private one needs a token (HF_TOKEN)."
        ) from error
    except HfHubHTTPError as error:
        raise DataError(f"The Hub answered with an error for {name}: {error}.") from error
    except Exception as error:  # the HTTP library's own errors differ between versions
        if not _cached(name):
            raise DataError(
                f"The Hub cannot be reached (offline?), so {name} cannot be loaded. "
                "Connect, or bring the data as a file."
            ) from error


def _cached(name: str) -> bool:
    from datasets import config

    return (Path(config.HF_DATASETS_CACHE) / name.replace("/", "___").lower()).exists()


def _explain(name: str, config: str | None, split: str | None, error: Exception) -> DataError:
    text = " ".join(str(error).split())
    if "Config name is missing" in text or "BuilderConfig" in text:
        known = re.search(r"\[[^\]]*\]", text)
        choices = f" It has {known[0][:300]}." if known else ""
        return DataError(f"{name} needs a config name.{choices}")
    if "Unknown split" in text or "Bad split" in text:
        return DataError(f'{name} has no split "{split}". {text[:200]}')
    if "scripts are no longer supported" in text:
        return DataError(
            f"{name} is a dataset that runs its own code; the studio never does. "
            "Look for a Parquet version of it."
        )
    where = f" (config {config})" if config else ""
    return DataError(f"{name}{where} could not be loaded: {text[:240] or type(error).__name__}.")
