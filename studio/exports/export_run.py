"""Write an export to a temporary folder, load it back, verify it, then move it into place.

Runs in the worker's thread. A stopped or failed export leaves nothing behind.
"""

from __future__ import annotations

import gc
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from studio.core import compat, gguf_models, rope
from studio.core.device_errors import is_out_of_memory
from studio.core.errors import ModelError, StudioError, WorkspaceError
from studio.core.library_types import AdaptedModel, LanguageModel, ModelConfig
from studio.core.model_names import resolve
from studio.core.workspace import check_room, put_in_place, write_json
from studio.data import DatasetStore
from studio.exports import (
    RECORD,
    TOLERANCE,
    Exporting,
    encoder_card,
    gguf_architectures,
    gguf_file,
    gguf_tokenizer,
    llama_cpp_check,
    model_card,
    ollama,
    verify,
)
from studio.exports.export_encoder import EncoderExport
from studio.exports.load_parts import Parts, base_under, device_for, parts
from studio.models import loading
from studio.models.pool import LoadedModel, ModelPool, release_memory
from studio.models.tokenization import end_ids
from studio.runs import checkpoints
from studio.runs.objectives import OBJECTIVES
from studio.runs.store import Run, RunStore

_BYTES = {"f32": 4.0, "f16": 2.0, "bf16": 2.0, "q8_0": 34 / 32}  # of a weight
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
        self.on = device_for(run, runs, self.asked.to == "adapter")

    def record(self) -> dict[str, Any]:
        run, to = self.run, self.asked.to
        if to == "adapter" and run.adapter is None:
            kind = "a full fine-tune" if run.weights else run.state
            raise ModelError(f"{run.name} has no adapter: it is {kind}. Export it merged or gguf.")
        if OBJECTIVES[run.objective].embeds:
            return self._encoder()
        slowly = " on the CPU, which is slower" if self.on != loading.device() else ""
        self.job.step(0, f"Loading the run{slowly}")
        held = parts(run, self.runs, to == "adapter", self.on)
        self._check_room(held)
        writes: dict[str, Callable[[Parts], Any]] = {
            "adapter": self._adapter,
            "merged": self._merged,
            "gguf": self._gguf,
        }
        if to == "gguf":
            gguf_architectures.family_of(held.base.model.config.get_text_config())
        figures = writes[to](held)
        record = self._describe(held.base, figures)
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
        record = self._describe(base, figures)
        self.job.step(30, "Writing the card")
        encoder_card.write(self.part, record, self.run, self.datasets)
        files = [path for path in self.part.rglob("*") if path.is_file()]
        record["bytes"] = sum(path.stat().st_size for path in files)
        write_json(self.part / RECORD, record)
        return record

    def _describe(self, base: LoadedModel, figures: verify.Figures) -> dict[str, Any]:
        run, recipe = self.run, self.run.recipe
        reference = resolve(run.model, recipe.model_revision)
        return {
            "run": run.id,
            "name": run.name,
            "to": self.asked.to,
            "created": time.time(),
            "stored_as": self.asked.stored_as,
            "base": reference.name if reference.kind != "folder" else Path(run.model).name,
            "base_revision": compat.commit_hash(base.model.config) or "",
            "base_kind": reference.kind,
            "fingerprint": run.base,
            "method": run.method,
            "objective": run.objective,
            "chat_template_kwargs": recipe.chat_template_kwargs,
            "rope_overrides": rope.overrides(base.model.config) if recipe.rope_parameters else None,
            "files": sorted(path.name for path in self.part.iterdir()),
            "figures": figures.as_dict(),
            **self.beside,
        }

    # --- reading the run

    def _read(
        self, held: Parts
    ) -> tuple[verify.ModelAnswers, list[torch.Tensor], AdaptedModel | None]:
        """The run's answers, its base's logits, and the adapted model where it has an adapter."""
        self.job.step(5, "Asking the run")
        prompts = verify.sample_ids(self.run, self.datasets, held.base)
        if held.adapter is None:
            run = verify.read(held.base.model, held.base, prompts)
            before = base_under(self.run, self.runs, on=self.on)
            base = self._base_logits(before.model, run)
            del before
            return run, base, None
        model = loading.load_adapter(held.base.model, held.adapter).eval()
        run = verify.read(model, held.base, prompts)
        with model.disable_adapter():
            base = self._base_logits(model, run)
        return run, base, model

    def _base_logits(self, model: LanguageModel, run: verify.ModelAnswers) -> list[torch.Tensor]:
        logits = verify.logits_of(model, verify.sequences(run))
        if all(torch.equal(a, b) for a, b in zip(logits, run.logits, strict=True)):
            raise ModelError(
                f"{self.run.name} answers exactly as its base does: training changed nothing, so "
                "an export would equal the base. Train longer, or with a higher learning_rate."
            )
        return logits

    # --- the three formats

    def _adapter(self, held: Parts) -> verify.Figures:
        assert held.adapter is not None
        if "+" in self.run.base:
            raise ModelError(
                f"{self.run.name} was trained on a run merged into its base, and that merged model "
                "is not stored. Export it merged or gguf."
            )
        bare = loading.clone_sharing_weights(held.base.model)
        run, base, model = self._read(held)
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
        held.base.tokenizer.save_pretrained(self.part)
        self.job.step(30, "Loading it back and comparing")
        again = loading.load_adapter(bare, self.part).eval()
        widths = {name: tensor.dtype for name, tensor in model.named_parameters()}
        for name, tensor in again.named_parameters():
            tensor.data = tensor.data.to(widths[name])
        return verify.compare(run, again, held.base, base, self.asked.stored_as)

    def _whole(self, held: Parts) -> tuple[verify.ModelAnswers, list[torch.Tensor]]:
        """Load the run, then merge its adapter into its base, in place."""
        if self.run.recipe.quantized:
            self.beside["trained_on"] = "4-bit" if self.run.recipe.load_in_4bit else "8-bit"
        run, base, model = self._read(held)
        if model is not None and held.adapter is not None:
            held.base.model = loading.merge(model, held.adapter)
        return run, base

    def _merged(self, held: Parts) -> verify.Figures:
        run, base = self._whole(held)
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
        figures = verify.compare(run, held.base.model, held.base, base, self.asked.stored_as)
        self._trained(held, run)
        return figures

    def _gguf(self, held: Parts) -> verify.Figures:
        run, base = self._whole(held)
        model, tokenizer = held.base.model, held.base.tokenizer
        path = self.part / f"model-{self.asked.outtype}.gguf"
        self.job.step(20, "Writing the file")
        base_name = Path(self.run.model).name
        gguf_file.write(
            model, tokenizer, path, self.asked.outtype, base_name, self.run.name, self._written
        )
        kwargs = self.run.recipe.chat_template_kwargs
        self.beside["modelfile_template"] = ollama.write(self.part, path.name, tokenizer, kwargs)
        config, width = model.config, model.dtype
        del model, held.base.model
        gc.collect()
        self.job.step(30, "Loading it back and comparing")
        held.base.model = self._read_gguf(path, config, width)
        words = gguf_tokenizer.cut(tokenizer, gguf_tokenizer.texts(tokenizer))
        again = gguf_models.read_tokenizer(path)
        gguf_tokenizer.check(words, gguf_tokenizer.cut(again, words))
        figures = verify.compare(run, held.base.model, held.base, base, self.asked.stored_as)
        if llama_cpp_check.installed():
            self.job.step(0, "Asking llama.cpp as well")
            self.beside["llama_cpp"] = self._llama(path, run, base, held.base, words)
        self._trained(held, run)
        return figures

    def _read_gguf(self, path: Path, config: ModelConfig, width: torch.dtype) -> LanguageModel:
        """The file as transformers reads it, completed where its reader ignores a key."""
        shape = config.get_text_config()
        self.beside["reader_needs_config"] = gguf_architectures.family_of(shape).dropped(shape)
        given = {"config": config} if self.beside["reader_needs_config"] else {}
        compat.silence_gguf_reader()
        model: Any = AutoModelForCausalLM.from_pretrained(
            self.part, gguf_file=path.name, dtype=width, **given
        )
        compat.set_commit_hash(model.config, compat.commit_hash(config))
        return model.to(self.on).eval()

    def _written(self, name: str) -> None:
        self.job.step(0, f"Writing {name}")

    def _llama(
        self,
        path: Path,
        run: verify.ModelAnswers,
        base_logits: list[torch.Tensor],
        base: LoadedModel,
        words: dict[str, list[int]],
    ) -> dict[str, Any]:
        """llama.cpp's reading of the file; `ModelError` where its answers differ from the run's."""
        asked = llama_cpp_check.Questions(
            list(words), run.prompts, verify.sequences(run), end_ids(base), verify.ANSWER
        )
        with tempfile.TemporaryDirectory(dir=self.part) as exchange:
            try:
                found = llama_cpp_check.ask(path, asked, Path(exchange))
            except ModelError as error:
                return {"error": str(error)}
        gguf_tokenizer.check(words, dict(zip(words, found.tokens, strict=True)))
        logits = [torch.from_numpy(one) for one in found.logits]
        try:
            # On a CPU llama.cpp looks some functions up in tables of float16.
            as_read = max(self.asked.stored_as, "f16", key=TOLERANCE.__getitem__)
            figures = verify.judge(run, logits, base_logits, found.answers, as_read)
        except ModelError as error:
            raise ModelError(f"Read by llama.cpp: {error}") from None
        return {"version": found.version, **figures.as_dict()}

    def _trained(self, held: Parts, run: verify.ModelAnswers) -> None:
        """For a run on a 4-bit base: how far an unquantized base changes its answers."""
        if not self.run.recipe.quantized:
            return
        del held.base.model
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
        if self.asked.to == "adapter":
            assert held.adapter is not None
            need = sum(path.stat().st_size for path in held.adapter.iterdir() if path.is_file())
        else:
            weights = sum(tensor.numel() for tensor in held.base.model.state_dict().values())
            need = int(weights * _BYTES[self.asked.stored_as])
        check_room(self.part, need + _BESIDE, "The export", "Make room, or choose another folder.")
