"""Single tokens whose embeddings train with an adapter (PEFT's `trainable_token_indices`).

A chat template may use marks that the base never saw in training. Their rows of the embedding are
still what they were initialized to, and LoRA on the layers leaves them so.
"""

from __future__ import annotations

from typing import Any

from peft.tuners.trainable_tokens import TrainableTokensLayer

from studio.core.errors import ConfigError, did_you_mean
from studio.core.library_types import LanguageModel, Tokenizer
from studio.runs.recipe import Recipe

_NOTHING = 1e-16  # no number of a row that was trained is smaller than this in all places
_PROBE = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Hello"},
    {"role": "user", "content": "Bye"},
    {"role": "assistant", "content": "Goodbye"},
]


def by_id(recipe: Recipe, tokenizer: Tokenizer) -> Recipe:
    """A recipe whose trained tokens are given by id; a `ConfigError` for one there is not."""
    if not recipe.trainable_token_indices:
        return recipe
    ids = [_id(token, tokenizer) for token in recipe.trainable_token_indices]
    return recipe.with_(trainable_token_indices=tuple(dict.fromkeys(ids)))


def _id(token: int | str, tokenizer: Tokenizer) -> int:
    vocabulary = tokenizer.get_vocab()
    if isinstance(token, str):
        if token in vocabulary:
            return vocabulary[token]
        near = did_you_mean(token, tokenizer.get_added_vocab())
        raise ConfigError(
            f"trainable_token_indices names {token!r}, which is no token of this model.{near}"
        )
    size = max(vocabulary.values()) + 1
    if token >= size:
        raise ConfigError(
            f"trainable_token_indices names token {token}, and this model's go to {size - 1}."
        )
    return token


def fit_to_trl(model: Any) -> None:
    """Complete what TRL expects of a model, where single tokens of it train.

    Its fused loss head reads the head's `bias`, which PEFT's wrapper of a tied head lacks. The
    frozen copy of an adapter that is its reference lacks the tokens: it copies what has the
    adapter's name in the middle of its own, and theirs end in it.
    """
    head = model.get_output_embeddings()
    if isinstance(getattr(head, "token_adapter", None), TrainableTokensLayer):
        head.bias = None
    for module in model.modules():
        if isinstance(module, TrainableTokensLayer) and "ref" in module.trainable_tokens_delta:
            tokens = module.trainable_tokens_delta
            tokens["ref"].data.copy_(tokens["default"].data)


def unlearned(model: LanguageModel, tokenizer: Tokenizer) -> list[str]:
    """Special tokens of the chat template that the base never learned: as text, in order.

    Their row of the embedding is all zeros, or the very same as another special token's.
    """
    if not tokenizer.chat_template:
        return []
    embedding: Any = model.get_input_embeddings()
    ids = tokenizer.apply_chat_template(_PROBE, tokenize=True, return_dict=False)
    special = set(tokenizer.added_tokens_decoder) & set(range(embedding.weight.shape[0]))
    used = [token for token in dict.fromkeys(ids) if token in special]
    rows = embedding.weight[sorted(special)]
    names: list[str] = []
    for token in used:
        row = embedding.weight[token]
        same = int((rows == row).all(dim=1).sum())
        if float(row.abs().max()) <= _NOTHING or same > 1:
            names.append(tokenizer.convert_ids_to_tokens(token))
    return names


def advice(recipe: Recipe, model: LanguageModel, tokenizer: Tokenizer) -> str | None:
    """A sentence for marks that the base never learned and this recipe does not train."""
    if recipe.method == "full" or recipe.train_embeddings_and_norms or model.device.type == "meta":
        return None
    trained = by_id(recipe, tokenizer).trainable_token_indices
    vocabulary = tokenizer.get_vocab()
    missing = [name for name in unlearned(model, tokenizer) if vocabulary[name] not in trained]
    if not missing or any("embed" in name for name in recipe.lora_modules_to_save):
        return None
    some = "is a mark" if len(missing) == 1 else "are marks"
    value = ", ".join([*map(str, recipe.trainable_token_indices), *missing])
    return (
        f"{' and '.join(missing)} {some} of the chat template that the base never learned: set "
        f"trainable_token_indices: {value} to train {'it' if len(missing) == 1 else 'them'}."
    )
