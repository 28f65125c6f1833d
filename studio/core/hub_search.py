"""A search of the Hub for language models, by name, size and downloads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.core.errors import ConfigError, ModelError

MOST = 50


@dataclass(frozen=True)
class Found:
    """A model on the Hub: its parameters (None where its weights are no safetensors, which the
    studio does not load), downloads of the last 30 days, license, and whether it is gated."""

    id: str
    parameters: int | None
    downloads: int
    license: str
    gated: bool


def search(
    words: str, smallest: float = 0, largest: float | None = None, limit: int = 20
) -> list[Found]:
    """Text models whose names hold `words`, the most downloaded first.

    Args:
        smallest, largest: billions of parameters.

    Raises `ConfigError` for sizes that leave nothing, `ModelError` where the Hub cannot be reached.
    """
    import httpx2
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    if smallest < 0 or (largest is not None and largest <= smallest):
        raise ConfigError("The largest size must be above the smallest, in billions of parameters.")
    bounds = [f"min:{smallest:g}B"] if smallest else []
    bounds += [f"max:{largest:g}B"] if largest is not None else []
    api: Any = HfApi(endpoint=constants.ENDPOINT)
    try:
        found = list(
            api.list_models(
                search=words.strip() or None,
                pipeline_tag="text-generation",
                num_parameters=",".join(bounds) or None,
                sort="downloads",
                limit=max(1, min(limit, MOST)),
                expand=["downloads", "gated", "safetensors", "tags"],
            )
        )
    except (HfHubHTTPError, httpx2.HTTPError, OfflineModeIsEnabled, ConnectionError) as error:
        raise ModelError(
            "The Hub cannot be reached, so nothing was searched; `models suggest` names models of "
            "the catalog without it."
        ) from error
    return [_read(one) for one in found]


def _read(model: Any) -> Found:
    weights = getattr(model, "safetensors", None)
    total = getattr(weights, "total", None)
    tags: list[str] = getattr(model, "tags", None) or []
    license = next((tag[8:] for tag in tags if tag.startswith("license:")), "not stated")
    parameters = total if isinstance(total, int) else None
    gated = bool(getattr(model, "gated", False))
    return Found(model.id, parameters, int(model.downloads or 0), license, gated)
