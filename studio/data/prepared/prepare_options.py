"""What preparing does to the rows: chosen by a person, recorded with the dataset."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields

from studio.core.errors import ConfigError
from studio.data.column_template import ColumnTemplate
from studio.data.readers.chunks import Chunking
from studio.data.types import JsonObject


@dataclass(frozen=True)
class PrepareOptions:
    """What preparing does to the rows; recorded with the dataset. Steps run in this order.

    `drop_empty`, `drop_equal`: rows with an empty field, pairs whose sides are the same.
    `min_words`, `max_words`: bounds on the words of each answer (0: any).
    `dedupe`, `drop_near`: exact copies, near copies (0.7 of the word pairs in common).
    `drop_contradictions`: pairs that prefer what an earlier row rejects.
    `novelty`: drop a row whose prompt has ROUGE-L of this or more with one kept before (0: off;
    Self-Instruct, arXiv:2212.10560, uses 0.7).
    `held_out`: a file or prepared dataset for evaluation; rows whose prompt is in it are dropped.
    `balance`: a column; every group keeps as many rows as the smallest has.
    `sample`: keep so many rows, chosen by `seed`; `shuffle`: their order by `seed`.
    `test_fraction` of the rows becomes the test split, by prompt unless `split_by_prompt` is off.
    `template`: what each row's columns are written into as a prompt, one of several by `seed`;
    `completion_template` likewise (see `studio.data.column_template`).
    `chunk_tokens`, `chunk_overlap`: how documents are cut; `chunk_count` counts the tokens of
    `chunk_model`, whose name is recorded; without it they are estimated.
    `format` and `mapping` overrule the detector, `encoding` the guess of a file's encoding;
    `config`, `split`, `token` are for Hub ids.
    """

    drop_empty: bool = True
    drop_equal: bool = True
    dedupe: bool = True
    min_words: int = 0
    test_fraction: float = 0.05
    split_by_prompt: bool = True
    seed: int = 42
    shuffle: bool = False
    sample: int | None = None
    limit: int | None = None
    format: str | None = None
    mapping: dict[str, str] | None = None
    config: str | None = None
    split: str | None = None
    token: str | None = field(default=None, repr=False)
    max_words: int = 0
    drop_near: bool = False
    drop_contradictions: bool = False
    novelty: float = 0.0
    held_out: str | None = None
    balance: str | None = None
    template: tuple[str, ...] = ()
    completion_template: str = ""
    chunk_tokens: int = 512
    chunk_overlap: int = 0
    chunk_model: str | None = None
    chunk_count: Callable[[str], int] | None = field(default=None, repr=False, compare=False)
    encoding: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.test_fraction < 1:
            raise ConfigError(
                f"test_fraction is {self.test_fraction}; it is a share from 0 to below 1 "
                "(0.05 is usual)."
            )
        for name in ("min_words", "max_words"):
            if getattr(self, name) < 0:
                raise ConfigError(f"{name} is {getattr(self, name)}; it cannot be negative.")
        if self.max_words and self.max_words < self.min_words:
            raise ConfigError(
                f"max_words is {self.max_words}, below min_words ({self.min_words}): no answer "
                "fits. Raise it, or set it to 0."
            )
        self.chunking()  # refuses sizes that make no chunks
        self.column_template()
        if not 0 <= self.novelty <= 1:
            raise ConfigError(f"novelty is {self.novelty}; it is a share from 0 (off) to 1 (0.7).")
        if self.sample is not None and self.sample < 1:
            raise ConfigError(f"sample is {self.sample}; keep at least one row, or leave it out.")

    def chunking(self) -> Chunking:
        """How documents are cut into chunks."""
        return Chunking(self.chunk_tokens, self.chunk_overlap, self.chunk_count)

    def column_template(self) -> ColumnTemplate | None:
        """The template over columns, if any."""
        if not self.template and self.completion_template:
            raise ConfigError("completion_template needs template, which writes the prompt.")
        if not self.template:
            return None
        return ColumnTemplate(tuple(self.template), self.completion_template, self.seed)

    def recorded(self) -> JsonObject:
        """What is stored with the dataset: everything but the token and the counter."""
        left_out = ("token", "chunk_count")
        kept = {each.name: getattr(self, each.name) for each in fields(self)}
        kept["template"] = list(self.template)
        return {name: value for name, value in kept.items() if name not in left_out}
