"""A merged run as one GGUF file, or its adapter as one: written, read back, and compared."""

from __future__ import annotations

import gc
import tempfile
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from studio.core import compat, gguf_models
from studio.core.errors import ModelError
from studio.core.library_types import AdaptedModel, LanguageModel, ModelConfig
from studio.data import DatasetStore
from studio.exports import (
    LLAMA_CPP_COMMAND,
    Exporting,
    gguf_architectures,
    gguf_file,
    gguf_lora,
    gguf_quantize,
    gguf_tokenizer,
    importance_matrix,
    llama_cpp_check,
    llama_cpp_convert,
    ollama,
    perplexity,
    verify,
)
from studio.exports.gguf_architectures import Family
from studio.models.pool import LoadedModel
from studio.models.tokenization import end_ids
from studio.runs.store import Run


@dataclass
class GgufExport:
    """One GGUF export in progress, in its temporary folder; `beside` grows into its record."""

    job: Exporting
    run: Run
    datasets: DatasetStore
    part: Path
    on: torch.device
    beside: dict[str, Any]
    converter: Path | None = None
    """llama.cpp's own, for a family that is not written here."""

    def make(self, base: LoadedModel, reference: verify.Reference) -> verify.Figures:
        """Write the merged model in `base`, read it back and compare it with the run.

        `base.model` is gone afterwards. What llama.cpp's converter wrote, llama.cpp reads where it
        can: transformers' reader leaves out keys of families that are not written here.
        """
        tokenizer, ends = base.tokenizer, end_ids(base)
        path = self.part / f"model-{self.job.request.outtype}.gguf"
        self.job.step(20, "Writing the file")
        self._write(base, path)
        self.beside["stored_types"] = stored_types(path)
        kwargs = self.run.recipe.chat_template_kwargs
        ollama.write(self.part, path.name, tokenizer, kwargs)
        config, width = base.model.config, base.model.dtype
        del base.model
        gc.collect()
        self.job.step(30, "Loading it back and comparing")
        words = gguf_tokenizer.cut(tokenizer, gguf_tokenizer.texts(tokenizer))
        asks_llama = llama_cpp_check.installed()
        if self.converter and asks_llama:
            return self._only_llama(path, reference, ends, words)
        base.model = self._read_back(path, config, width)
        again = gguf_models.read_tokenizer(path)
        gguf_tokenizer.check(words, gguf_tokenizer.cut(again, words))
        figures = verify.compare(
            reference.run, base.model, base, reference.base_logits, self.job.request.stored_as
        )
        self._judge_rows(base.model, reference)
        if asks_llama:
            self.beside["llama_cpp"] = self._llama(path, reference, ends, words)
        return figures

    def make_adapter(
        self, base: LoadedModel, adapted: AdaptedModel, reference: verify.Reference, family: Family
    ) -> verify.Figures:
        """Write the adapter on `base`, read it back, and compare the base under it with the run.

        `adapted` holds the file's matrices afterwards.
        """
        self.job.step(20, "Writing the adapter")
        config = base.model.config.get_text_config()
        path = self.part / "adapter.gguf"
        layers = gguf_lora.pairs(adapted)
        gguf_lora.write(layers, config, family, path, self.run.name, self._written)
        ollama.write_adapter(self.part, path.name, base.tokenizer)
        self.job.step(30, "Loading it back and comparing")
        again = gguf_lora.read(path, layers, config, family)
        self.beside["largest_update_difference"] = gguf_lora.compare(adapted, again)
        gguf_lora.load(adapted, again)
        figures = verify.compare(
            reference.run, adapted, base, reference.base_logits, self.job.request.stored_as
        )
        if llama_cpp_check.installed():
            self.job.step(0, "Asking llama.cpp as well")
            whole: Any = adapted
            base.model = whole.unload()
            self.beside["llama_cpp"] = self._llama_with_adapter(path, reference, base)
        return figures

    # --- writing

    def _write(self, base: LoadedModel, path: Path) -> None:
        asked = self.job.request
        if not asked.quantizes:
            self._write_as(base, path, asked.outtype)
            return
        importance = self._importance(base) if asked.importance_matrix else None
        with tempfile.TemporaryDirectory(dir=self.part) as folder:
            wide = Path(folder) / "wide.gguf"
            self._write_as(base, wide, gguf_file.wide_type(base.model))
            self.job.step(0, f"llama.cpp quantizes to {asked.outtype}")
            gguf_quantize.quantize(wide, path, asked.outtype, importance, self._still)

    def _write_as(self, base: LoadedModel, path: Path, outtype: str) -> None:
        if self.converter is not None:
            self.job.step(0, "llama.cpp's converter writes the file")
            self.beside["converter"] = self.converter.name
            llama_cpp_convert.convert(
                self.converter, base.model, base.tokenizer, path, outtype, self._still
            )
            return
        name = Path(self.run.model).name
        gguf_file.write(
            base.model, base.tokenizer, path, outtype, name, self.run.name, self._written
        )

    def _importance(self, base: LoadedModel) -> Any:
        if self.converter is not None:
            raise ModelError(
                "An importance matrix needs the names of a file that is written here, and this one "
                "is llama.cpp's converter's. Export without it."
            )
        rows = perplexity.training(self.run, self.datasets, base, importance_matrix.ROWS)
        found = importance_matrix.collect(base.model, rows, self._reading)
        self.beside["importance_matrix"] = {
            "rows": len(rows),
            "tokens": sum(map(len, rows)),
            "tensors": len(found),
        }
        return found

    def _written(self, name: str) -> None:
        self.job.step(0, f"Writing {name}")

    def _reading(self, number: int) -> None:
        self.job.step(0, f"Reading training row {number + 1} for the importance matrix")

    def _still(self) -> None:
        self.job.step(0, self.job.what)

    # --- comparing

    def _read_back(self, path: Path, config: ModelConfig, width: torch.dtype) -> LanguageModel:
        """The file as transformers reads it, completed where its reader ignores a key."""
        family = None if self.converter else gguf_architectures.family_of(config.get_text_config())
        model = read_back(path, config, width, family, self.beside)
        return model.to(self.on).eval()

    def _judge_rows(self, model: LanguageModel, reference: verify.Reference) -> None:
        assert reference.rows is not None
        self.job.step(0, f"Reading {len(reference.rows.ids)} of {reference.rows.source}")
        found = self._judged(perplexity.loss(model, reference.rows), reference)
        self.beside["perplexity"] = found.as_dict()

    def _judged(
        self, loss: float, reference: verify.Reference, stored_as: str | None = None
    ) -> perplexity.Perplexity:
        assert reference.rows is not None
        stored_as = stored_as or self.job.request.stored_as
        return perplexity.judge(
            reference.rows, reference.run_loss, reference.base_loss, loss, stored_as
        )

    def _only_llama(
        self, path: Path, reference: verify.Reference, ends: list[int], words: dict[str, list[int]]
    ) -> verify.Figures:
        """The figures of a file that llama.cpp alone reads."""
        found = self._asked_llama(path, reference, ends, words)
        gguf_tokenizer.check(words, dict(zip(words, found.tokens, strict=True)))
        self.beside["llama_cpp"] = self._by_llama(found, reference)
        if found.loss is not None:
            read = self._judged(found.loss, reference, _as_read(self.job.request.stored_as))
            self.beside["perplexity"] = read.as_dict()
        told = self.beside["llama_cpp"]
        return verify.Figures(**{one.name: told[one.name] for one in fields(verify.Figures)})

    def _llama(
        self, path: Path, reference: verify.Reference, ends: list[int], words: dict[str, list[int]]
    ) -> dict[str, Any]:
        """llama.cpp's reading of the file; `ModelError` where its answers differ from the run's."""
        try:
            found = self._asked_llama(path, reference, ends, words)
        except ModelError as error:
            return {"error": str(error)}
        gguf_tokenizer.check(words, dict(zip(words, found.tokens, strict=True)))
        return self._by_llama(found, reference)

    def _asked_llama(
        self, path: Path, reference: verify.Reference, ends: list[int], words: dict[str, list[int]]
    ) -> llama_cpp_check.Answers:
        """Ask llama.cpp all that is compared."""
        run, rows = reference.run, reference.rows
        assert rows is not None
        self.job.step(0, "Asking llama.cpp as well")
        asked = llama_cpp_check.Questions(
            list(words), run.prompts, verify.sequences(run), ends, verify.ANSWER,
            rows.ids, rows.counted,
        )  # fmt: skip
        with tempfile.TemporaryDirectory(dir=self.part) as exchange:
            return llama_cpp_check.ask(path, asked, Path(exchange), self._still)

    def _by_llama(
        self, found: llama_cpp_check.Answers, reference: verify.Reference
    ) -> dict[str, Any]:
        as_read = _as_read(self.job.request.stored_as)
        figures = _judge(found, reference, as_read)
        if found.loss is None:
            return figures
        try:
            ratio = self._judged(found.loss, reference, as_read).ratio
        except ModelError as error:
            raise ModelError(f"Read by llama.cpp: {error}") from None
        return {**figures, "perplexity_ratio": ratio}

    def _llama_with_adapter(
        self, path: Path, reference: verify.Reference, base: LoadedModel
    ) -> dict[str, Any]:
        """llama.cpp's answers with the adapter on the base's own file, which is deleted again."""
        run = reference.run
        asked = llama_cpp_check.Questions(
            [], run.prompts, verify.sequences(run), end_ids(base), verify.ANSWER,
            lora=str(path.resolve()),
        )  # fmt: skip
        with tempfile.TemporaryDirectory(dir=self.part) as exchange:
            file, kind = Path(exchange) / "base.gguf", same_type(base.model)
            self._write_as(base, file, kind)
            try:
                found = llama_cpp_check.ask(file, asked, Path(exchange), self._still)
            except ModelError as error:
                return {"error": str(error)}
        return _judge(found, reference, _as_read(kind))


def read_back(
    path: Path,
    config: ModelConfig,
    width: torch.dtype,
    family: Family | None,
    beside: dict[str, Any],
) -> Any:
    """A file as transformers reads it, completed where its reader ignores a key of the family;
    `ModelError` for a converter's file that it cannot read."""
    beside["reader_needs_config"] = family is not None and family.dropped(config.get_text_config())
    given = {"config": config} if beside["reader_needs_config"] else {}
    compat.silence_gguf_reader()
    try:
        model: Any = AutoModelForCausalLM.from_pretrained(
            path.parent, gguf_file=path.name, dtype=width, **given
        )
    except (ValueError, KeyError, NotImplementedError) as error:
        if family is not None:
            raise
        raise ModelError(
            f"llama.cpp's converter wrote the file, and transformers cannot read it back "
            f"({error}): nothing compares it with the run. Install llama-cpp-python: "
            f"`{LLAMA_CPP_COMMAND}`."
        ) from None
    compat.set_commit_hash(model.config, compat.commit_hash(config))
    return model


def same_type(model: LanguageModel) -> str:
    """The outtype that holds a model's weights unchanged."""
    return {torch.bfloat16: "bf16", torch.float16: "f16"}.get(model.dtype, "f32")


def _as_read(stored_as: str) -> str:
    """On a CPU llama.cpp looks some functions up in tables of float16."""
    return "f16" if stored_as == "f32" else stored_as


def _judge(
    found: llama_cpp_check.Answers, reference: verify.Reference, as_read: str
) -> dict[str, Any]:
    """The figures of llama.cpp's answers; `ModelError` where they differ from the run's."""
    logits = [torch.from_numpy(one) for one in found.logits]
    try:
        figures = verify.judge(reference.run, logits, reference.base_logits, found.answers, as_read)
    except ModelError as error:
        raise ModelError(f"Read by llama.cpp: {error}") from None
    return {"version": found.version, **figures.as_dict()}


def stored_types(path: Path) -> dict[str, int]:
    """How many tensors a GGUF file stores in each type, the commonest first."""
    from gguf import GGUFReader

    counted = Counter(tensor.tensor_type.name.lower() for tensor in GGUFReader(path).tensors)
    return dict(counted.most_common())
