"""Write an export to a temporary folder, load it back, verify it, then move it into place.

Runs in the worker's thread. A stopped or failed export leaves nothing behind.
"""

from __future__ import annotations

import gc
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from studio.core import compat, rope
from studio.core.device_errors import is_out_of_memory
from studio.core.errors import ModelError, StudioError, WorkspaceError
from studio.core.library_types import AdaptedModel, LanguageModel, ModelConfig
from studio.core.model_names import resolve
from studio.core.workspace import check_room, put_in_place, write_json
from studio.data import DatasetStore
from studio.exports import (
    BITS,
    RECORD,
    Exporting,
    encoder_card,
    gguf_lora,
    llama_cpp_check,
    llama_cpp_convert,
    model_card,
    perplexity,
    verify,
)
from studio.exports.export_encoder import EncoderExport
from studio.exports.export_gguf import GgufExport
from studio.exports.load_parts import Parts, base_under, device_for, parts
from studio.models import loading
from studio.models.pool import LoadedModel, ModelPool, release_memory
from studio.models.tokenization import end_ids
from studio.runs import checkpoints
from studio.runs.objectives import OBJECTIVES
from studio.runs.store import Run, RunStore

_BESIDE = 64 << 20  # tokenizer, card and pictures
_SHARD = "4GB"


def make(job: Exporting, runs: RunStore, datasets: DatasetStore, pool: ModelPool) -> dict[str, Any]:
    """Run an export and return its record; raises `ModelError` where it fails verification.

    An export loads its own copy of the weights, so idle bases in memory are dropped first.
    """
    asked = job.request
    run = runs.get(asked.run)
    job.expect(100)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    pool.release_idle()
    part = asked.out.parent / f".{asked.out.name}.part-{secrets.token_hex(3)}"
    try:
        part.mkdir()
        record = _Work(job, run, runs, datasets, part).record()
        job.step(0, "Putting it in its place")
        if asked.out.exists():
            asked.out.rmdir()
        put_in_place(part, asked.out)
    except StudioError:
        raise
    except OSError as error:
        raise WorkspaceError(f"{asked.out} could not be written: {error.strerror}.") from error
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise ModelError(
            f"The export of {run.name} ran out of memory, and nothing was written. Wait until "
            "no run trains, free some memory, or export the adapter, which takes least."
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
        release_memory()
    return {**record, "folder": str(asked.out)}


def _encoder_bytes(run: Run, to: str) -> int:
    """What an encoder's folder takes: its own files, or the whole base's."""
    if to == "adapter" or run.weights is not None:
        folder = run.adapter or run.weights
        files = folder.rglob("*") if folder else ()
        return sum(path.stat().st_size for path in files if path.is_file())
    return loading.weight_bytes(resolve(run.model, run.recipe.model_revision), run.recipe.dtype)


class _Work:
    """One export in progress, in its temporary folder."""

    def __init__(
        self, job: Exporting, run: Run, runs: RunStore, datasets: DatasetStore, part: Path
    ):
        self.job, self.run, self.runs, self.datasets, self.part = job, run, runs, datasets, part
        self.asked = job.request
        self.beside: dict[str, Any] = {}
        self.converter: Path | None = None
        self.on = device_for(run, runs, self.asked.to == "adapter")

    def record(self) -> dict[str, Any]:
        run, to = self.run, self.asked.to
        if to in ("adapter", "gguf-lora") and run.adapter is None:
            kind = "a full fine-tune" if run.weights else run.state
            raise ModelError(f"{run.name} has no adapter: it is {kind}. Export it merged or gguf.")
        if OBJECTIVES[run.objective].embeds:
            return self._encoder()
        slowly = " on the CPU, which is slower" if self.on != loading.device() else ""
        self.job.step(0, f"Loading the run{slowly}")
        held = parts(run, self.runs, to == "adapter", self.on)
        writes: dict[str, Callable[[Parts], Any]] = {
            "adapter": self._adapter,
            "merged": self._merged,
            "gguf": self._gguf,
            "gguf-lora": self._gguf_lora,
        }
        config = held.base.model.config
        if to == "gguf":
            self.converter = llama_cpp_convert.needed(config.get_text_config())
        self._check_room(held)
        figures = writes[to](held)
        record = self._describe(config, figures)
        self.job.step(30, "Writing the card")
        model_card.write(self.part, record, run, self.datasets)
        record["bytes"] = sum(path.stat().st_size for path in self.part.iterdir())
        write_json(self.part / RECORD, record)
        return record

    def _encoder(self) -> dict[str, Any]:
        """A text encoder's folder, its card sentence-transformers' own with ours below it."""
        work = EncoderExport(self.job, self.run, self.runs, self.datasets, self.part)
        check_room(self.part, _encoder_bytes(self.run, self.asked.to) + _BESIDE, "The export",
                   "Make room, or choose another folder.")  # fmt: skip
        base, figures = work.write(self.on)
        self.beside |= work.beside
        record = self._describe(base.model.config, figures)
        self.job.step(30, "Writing the card")
        encoder_card.write(self.part, record, self.run, self.datasets)
        files = [path for path in self.part.rglob("*") if path.is_file()]
        record["bytes"] = sum(path.stat().st_size for path in files)
        write_json(self.part / RECORD, record)
        return record

    def _describe(self, config: ModelConfig, figures: verify.Figures) -> dict[str, Any]:
        run, recipe = self.run, self.run.recipe
        reference = resolve(run.model, recipe.model_revision)
        return {
            "run": run.id,
            "name": run.name,
            "to": self.asked.to,
            "created": time.time(),
            "stored_as": self.asked.stored_as,
            "base": reference.name if reference.kind != "folder" else Path(run.model).name,
            "base_revision": compat.commit_hash(config) or "",
            "base_kind": reference.kind,
            "fingerprint": run.base,
            "method": run.method,
            "objective": run.objective,
            "chat_template_kwargs": recipe.chat_template_kwargs,
            "rope_overrides": rope.overrides(config) if recipe.rope_parameters else None,
            "files": sorted(path.name for path in self.part.iterdir()),
            "figures": figures.as_dict() | self._ratio(),
            **self.beside,
        }

    def _ratio(self) -> dict[str, float]:
        found = self.beside.get("perplexity")
        return {"perplexity_ratio": found["ratio"]} if found else {}

    # --- reading the run

    def _read(self, held: Parts) -> tuple[verify.Reference, AdaptedModel | None]:
        """What the export is compared with, and the adapted model where there is an adapter."""
        self.job.step(5, "Asking the run")
        prompts = verify.sample_ids(self.run, self.datasets, held.base)
        whole = held.base.model
        model = loading.load_adapter(whole, held.adapter).eval() if held.adapter else None
        run = verify.read(model or whole, held.base, prompts)
        rows = self._rows(held.base, run)
        run_loss = self._loss(model or whole, rows)
        if model is None:
            before = base_under(self.run, self.runs, on=self.on)
            base, base_loss = self._base_logits(before.model, run), self._loss(before.model, rows)
            del before
        else:
            with model.disable_adapter():
                base, base_loss = self._base_logits(model, run), self._loss(model, rows)
        return verify.Reference(run, base, rows, run_loss, base_loss), model

    def _rows(self, base: LoadedModel, run: verify.ModelAnswers) -> perplexity.Rows | None:
        """The rows that a GGUF file's perplexity is measured on; None for other formats."""
        if self.asked.to != "gguf":
            return None
        found = perplexity.held_out(self.run, self.datasets, base)
        return found or perplexity.answers(run.prompts, run.answers)

    def _loss(self, model: LanguageModel, rows: perplexity.Rows | None) -> float:
        if rows is None:
            return 0.0
        self.job.step(0, f"Reading {len(rows.ids)} of {rows.source}")
        return perplexity.loss(model, rows)

    def _base_logits(self, model: LanguageModel, run: verify.ModelAnswers) -> list[torch.Tensor]:
        logits = verify.logits_of(model, verify.sequences(run))
        if all(torch.equal(a, b) for a, b in zip(logits, run.logits, strict=True)):
            raise ModelError(
                f"{self.run.name} answers exactly as its base does: training changed nothing, so "
                "an export would equal the base. Train longer, or with a higher learning_rate."
            )
        return logits

    # --- the formats

    def _adapter(self, held: Parts) -> verify.Figures:
        assert held.adapter is not None
        self._check_base()
        bare = loading.clone_sharing_weights(held.base.model)
        reference, model = self._read(held)
        assert model is not None
        self.job.step(20, "Writing the adapter")
        for path in held.adapter.iterdir():
            if path.is_file() and path.name not in (checkpoints.MANIFEST, "README.md"):
                shutil.copyfile(path, self.part / path.name)
        name = resolve(self.run.model, self.run.recipe.model_revision)
        model.peft_config["default"].base_model_name_or_path = (
            Path(name.name).name if name.kind == "folder" else name.name
        )
        model.peft_config["default"].save_pretrained(str(self.part))
        kept = model.peft_config["default"]
        # vLLM serves no adapter with whole modules beside its matrices.
        if kept.peft_type == "LORA" and not getattr(kept, "modules_to_save", None):
            self.beside["lora_r"] = model.peft_config["default"].r
        self.beside |= self._classes(held.base.model)
        held.base.tokenizer.save_pretrained(self.part)
        self.job.step(30, "Loading it back and comparing")
        again = loading.load_adapter(bare, self.part).eval()
        widths = {name: tensor.dtype for name, tensor in model.named_parameters()}
        for name, tensor in again.named_parameters():
            tensor.data = tensor.data.to(widths[name])
        return self._compare(reference, again, held.base)

    def _classes(self, model: LanguageModel) -> dict[str, str]:
        """The class that the adapter's keys are of, and the one that servers load the base in."""
        reference = resolve(self.run.model, self.run.recipe.model_revision)
        named = getattr(loading.config_of(reference), "architectures", None) or [""]
        return {"trained_as": type(model).__name__, "served_as": str(named[0])}

    def _check_base(self) -> None:
        if "+" in self.run.base:
            raise ModelError(
                f"{self.run.name} was trained on a run merged into its base, and that merged model "
                "is not stored. Export it merged or gguf."
            )

    def _compare(
        self, reference: verify.Reference, export: LanguageModel, base: LoadedModel
    ) -> verify.Figures:
        stored_as, logits = self.asked.stored_as, reference.base_logits
        return verify.compare(reference.run, export, base, logits, stored_as)

    def _whole(self, held: Parts) -> verify.Reference:
        """Load the run, then merge its adapter into its base, in place."""
        if self.run.recipe.quantized:
            self.beside["trained_on"] = "4-bit" if self.run.recipe.load_in_4bit else "8-bit"
        reference, model = self._read(held)
        if model is not None and held.adapter is not None:
            held.base.model = loading.merge(model, held.adapter)
        return reference

    def _merged(self, held: Parts) -> verify.Figures:
        reference = self._whole(held)
        self.job.step(20, "Writing the model")
        own = getattr(held.base.model.config, "dtype", None)
        dtype = own if own is torch.float16 else torch.bfloat16
        width, model = held.base.model.dtype, held.base.model.to(dtype)
        model.generation_config.eos_token_id = end_ids(held.base)
        model.save_pretrained(str(self.part), max_shard_size=_SHARD)
        held.base.tokenizer.save_pretrained(self.part)
        config = model.config
        del model, held.base.model
        gc.collect()
        self.job.step(30, "Loading it back and comparing")
        again: Any = AutoModelForCausalLM.from_pretrained(self.part, dtype=width)
        held.base.model = again.to(self.on).eval()
        compat.set_commit_hash(held.base.model.config, compat.commit_hash(config))
        figures = self._compare(reference, held.base.model, held.base)
        self._trained(held, reference.run)
        return figures

    def _gguf(self, held: Parts) -> verify.Figures:
        reference = self._whole(held)
        written = self._writer(self.converter)
        figures = written.make(held.base, reference)
        self._trained(held, reference.run)
        return figures

    def _writer(self, converter: Path | None = None) -> GgufExport:
        return GgufExport(
            self.job, self.run, self.datasets, self.part, self.on, self.beside, converter
        )

    def _gguf_lora(self, held: Parts) -> verify.Figures:
        assert held.adapter is not None
        self._check_base()
        family = gguf_lora.family_of(held.adapter, held.base.model)
        reference, model = self._read(held)
        assert model is not None
        written = self._writer()
        return written.make_adapter(held.base, model, reference, family)

    def _trained(self, held: Parts, run: verify.ModelAnswers) -> None:
        """For a run on a 4-bit base: how far an unquantized base changes its answers."""
        if not self.run.recipe.quantized:
            return
        vars(held.base).pop("model", None)  # it is gone where llama.cpp alone read the file
        gc.collect()
        rounded = parts(self.run, self.runs, True, self.on)
        assert rounded.adapter is not None
        model = loading.load_adapter(rounded.base.model, rounded.adapter).eval()
        logits = verify.logits_of(model, verify.sequences(run))
        found = verify.measure(run, logits, logits, run.answers, 0.0)
        self.beside["from_4bit"] = {
            "largest_difference": found.largest_difference,
            "agreement": found.agreement,
        }
        held.base.model = rounded.base.model

    def _check_room(self, held: Parts) -> None:
        weights = sum(tensor.numel() for tensor in held.base.model.state_dict().values())
        beside = held.base.model.dtype.itemsize
        if self.asked.to in ("adapter", "gguf-lora"):
            assert held.adapter is not None
            need = sum(path.stat().st_size for path in held.adapter.iterdir() if path.is_file())
            if self.asked.to == "gguf-lora" and llama_cpp_check.installed():
                need += weights * beside  # the base, which llama.cpp answers with
        else:
            need = int(weights * BITS[self.asked.stored_as] / 8)
            if self.asked.quantizes:  # q8_0 and more for what has partial blocks; and the source
                need = int(weights * (BITS["q8_0"] / 8 + beside))
            if self.converter is not None:
                need += int(weights * beside)  # the folder it converts
        check_room(self.part, need + _BESIDE, "The export", "Make room, or choose another folder.")
