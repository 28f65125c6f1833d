"""What a model's config may ask for, looked at before anything is built from it.

A config comes with a model from elsewhere: a number of layers can fill the memory of any machine,
and an attention implementation written as owner/name is native code fetched from the Hub.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from studio.core.errors import ModelError

ATTENTION = ("eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3")
"""transformers' own implementations."""
LIMITS = {
    "num_hidden_layers": 1_000,
    "n_layer": 1_000,
    "n_head": 4_096,
    "n_embd": 131_072,
    "hidden_size": 131_072,
    "intermediate_size": 1_048_576,
    "moe_intermediate_size": 1_048_576,
    "num_attention_heads": 4_096,
    "num_key_value_heads": 4_096,
    "head_dim": 65_536,
    "vocab_size": 4_194_304,
    "num_experts": 4_096,
    "num_local_experts": 4_096,
    "n_routed_experts": 4_096,
    "max_position_embeddings": 1_000_000_000,
}
"""The largest value of a size, far above the largest model there is."""
NONE_AT_ALL = ("num_experts", "num_local_experts", "n_routed_experts", "moe_intermediate_size")
"""Sizes that are 0 in the dense models of a family that also has experts (Granite 4.0)."""


def check(values: Mapping[str, object], name: str) -> None:
    """Raise `ModelError` for a config, as its JSON, with sizes or code that no model needs."""
    check_sizes(values, name)
    for part in _parts(values):
        for key in ("attn_implementation", "_attn_implementation"):
            if part.get(key) is not None and part[key] not in ATTENTION:
                raise ModelError(
                    f"The config of {name} asks for the attention {part[key]!r:.60}, which is code "
                    f"from elsewhere. The studio runs {', '.join(ATTENTION)}."
                )


def check_sizes(values: Mapping[str, object], name: str) -> None:
    """Raise `ModelError` for a config with sizes beyond `LIMITS`."""
    for part in _parts(values):
        for key, limit in LIMITS.items():
            value = part.get(key)
            if value is None or isinstance(value, list):
                continue
            least = 0 if key in NONE_AT_ALL else 1
            whole = value if isinstance(value, int) and not isinstance(value, bool) else -1
            if not least <= whole <= limit:
                raise ModelError(
                    f"{key} is {value!r:.40} in the config of {name}; "
                    f"it should be a whole number from {least} to {limit:,}."
                )


def _parts(values: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The config and those inside it, such as `text_config`."""
    yield values
    for value in values.values():
        if isinstance(value, Mapping):
            yield from _parts(value)  # pyright: ignore[reportUnknownArgumentType]
