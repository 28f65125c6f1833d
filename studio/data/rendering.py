"""The token view: a row as the trainer will see it, token by token, with the trainer's own labels.

Nothing is imitated: the row goes through `SFTTrainer._prepare_dataset` or
`DPOTrainer._prepare_dataset`
of the installed TRL (https://huggingface.co/docs/trl/sft_trainer), on a dataset of one row, and the
labels are read from what comes out. Only truncation is drawn afterwards, so that the view can show
what is cut; both trainers keep the start.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from studio.errors import ConfigError, ModelError

_SFT_TYPES = ("language_modeling", "prompt_completion", "conversational")


@dataclass(frozen=True)
class Token:
    """One token: its text, its id, whether the loss counts it, whether it is a special token."""

    text: str
    id: int
    trained: bool
    special: bool


@dataclass(frozen=True)
class TokenView:
    """One sequence of a row. `kept` tokens survive truncation; `trained` counts those among
    them."""

    side: str
    tokens: list[Token]
    total: int
    trained: int
    kept: int
    notes: list[str] = field(default_factory=list)

    @property
    def percent(self) -> float:
        """Share of the kept tokens that the loss counts, in percent."""
        return 100 * self.trained / self.kept if self.kept else 0.0


def render(
    row: dict[str, Any],
    type: str,
    tokenizer: Any,
    *,
    max_length: int | None,
    completion_only_loss: bool | None = None,
    assistant_only_loss: bool = False,
) -> list[TokenView]:
    """One view ("text") for SFT types, two ("chosen", "rejected") for preferences.

    `completion_only_loss=None` is TRL's default: on for prompt-completion rows, off otherwise.
    Raises `ModelError` where the chat template is missing, or refuses or cannot mask the row.
    """
    if type not in (*_SFT_TYPES, "preference"):
        raise ConfigError(f"Rows of type {type} are not trained on, so they have no token view.")
    from trl.data_utils import is_conversational

    if is_conversational(row) and not getattr(tokenizer, "chat_template", None):
        raise ModelError(
            "The model's tokenizer has no chat template, so conversations cannot be rendered. "
            "Choose a template for it."
        )
    if type == "preference":
        sequences = _dpo(row, tokenizer)
    else:
        sequences = _sft(row, tokenizer, completion_only_loss, assistant_only_loss)
    return [_view(side, ids, labels, tokenizer, max_length) for side, ids, labels in sequences]


def _sft(
    row: dict[str, Any],
    tokenizer: Any,
    completion_only_loss: bool | None,
    assistant_only_loss: bool,
) -> list[tuple[str, list[int], list[bool]]]:
    from trl.trainer.sft_trainer import SFTTrainer

    if completion_only_loss is None:
        completion_only_loss = "prompt" in row and "completion" in row
    trainer = SimpleNamespace(
        _tokenizer=tokenizer,
        completion_only_loss=completion_only_loss,
        chat_template=_training_template(tokenizer) if assistant_only_loss else None,
    )
    args = SimpleNamespace(
        dataset_num_proc=None,
        dataset_text_field="text",
        assistant_only_loss=assistant_only_loss,
        max_length=None,
        truncation_mode="keep_start",
        shuffle_dataset=False,
    )
    prepared = _run(
        lambda: SFTTrainer._prepare_dataset(
            trainer,  # type: ignore[arg-type]
            _one(row),
            tokenizer,
            args,  # type: ignore[arg-type]
            False,
            None,
            "view",
        )
    )
    return [("text", prepared["input_ids"], [label != -100 for label in prepared["labels"]])]


def _dpo(row: dict[str, Any], tokenizer: Any) -> list[tuple[str, list[int], list[bool]]]:
    from trl.trainer.dpo_trainer import DPOTrainer

    trainer = SimpleNamespace(_tokenizer=tokenizer)
    args = SimpleNamespace(dataset_num_proc=None, max_length=None, truncation_mode="keep_start")
    prepared = _run(
        lambda: DPOTrainer._prepare_dataset(trainer, _one(row), tokenizer, args, "view")  # type: ignore[arg-type]
    )
    prompt = prepared["prompt_ids"]
    return [
        (
            side,
            prompt + prepared[f"{side}_ids"],
            [False] * len(prompt) + [True] * len(prepared[f"{side}_ids"]),
        )
        for side in ("chosen", "rejected")
    ]


def _one(row: dict[str, Any]) -> Any:
    """The row as an iterable dataset: no caching and no fingerprinting of the tokenizer."""
    from datasets import Dataset

    from studio.data.schema import Shape, tables

    shape = Shape()
    shape.see(row)
    table = next(iter(tables([[dict(row)]], shape)))
    return Dataset(table).to_iterable_dataset()  # type: ignore[arg-type]


def _run(prepare: Any) -> dict[str, Any]:
    """The one prepared row, or the template's refusal as a sentence."""
    from jinja2 import TemplateError

    try:
        return next(iter(prepare()))
    except TemplateError as error:
        raise ModelError(f"The model's chat template refuses this row: {error}.") from error
    except (RuntimeError, ValueError) as error:
        if "no assistant tokens" in str(error):
            raise ModelError(
                "With assistant-only loss this row trains nothing: the template marks no "
                "assistant tokens. "
                "Use a template with {% generation %}, or turn assistant-only loss off."
            ) from error
        raise ModelError(
            f"This row cannot be rendered: {' '.join(str(error).split())[:200]}"
        ) from error


def _training_template(tokenizer: Any) -> str | None:
    """What SFTTrainer does: keep a template with generation marks, else look for a training
    twin."""
    from trl.chat_template_utils import get_training_chat_template, has_generation_markers

    if has_generation_markers(tokenizer.chat_template):
        return None
    try:
        return get_training_chat_template(tokenizer)
    except ValueError as error:
        raise ModelError(
            "Assistant-only loss needs a chat template with {% generation %} marks, and "
            "TRL knows none "
            "for this model. Turn it off, or train on prompt and completion instead."
        ) from error


def _view(
    side: str, ids: list[int], trained: list[bool], tokenizer: Any, max_length: int | None
) -> TokenView:
    special = set(tokenizer.all_special_ids) | {
        at for at, added in tokenizer.added_tokens_decoder.items() if added.special
    }
    tokens = [
        Token(text, id, lit, id in special)
        for text, id, lit in zip(token_texts(ids, tokenizer), ids, trained, strict=True)
    ]
    kept = len(ids) if max_length is None else min(len(ids), max_length)
    count = sum(trained[:kept])
    return TokenView(side, tokens, len(ids), count, kept, _notes(ids, kept, count, tokenizer))


def token_texts(ids: list[int], tokenizer: Any) -> list[str]:
    """Each token's own text, its leading space kept; raw form where it is part of a character."""
    raw = tokenizer.convert_ids_to_tokens(ids)
    texts = []
    for id, name in zip(ids, raw, strict=True):
        text = tokenizer.decode([id], skip_special_tokens=False, clean_up_tokenization_spaces=False)
        if "\ufffd" in text:
            text = name
        elif name.startswith("▁") and not text.startswith(" "):
            text = " " * (len(name) - len(name.lstrip("▁"))) + text
        texts.append(text)
    return texts


def _notes(ids: list[int], kept: int, trained: int, tokenizer: Any) -> list[str]:
    """What a person should see at a glance, in plain sentences."""
    notes = []
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    if bos is not None and ids[:2] == [bos, bos]:
        notes.append(
            "The text starts with two beginning-of-text tokens: the template adds one too many."
        )
    if eos is not None and eos not in ids[-3:]:
        notes.append(
            "The text does not end with the end-of-text token, so the model may not learn to stop."
        )
    if not trained:
        notes.append(
            "No token of this row is trained: the row teaches nothing and the trainer drops it."
        )
    if kept < len(ids):
        notes.append(f"The last {len(ids) - kept} of {len(ids)} tokens are cut off at {kept}.")
    return notes
