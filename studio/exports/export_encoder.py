"""A text encoder as a folder that stock sentence-transformers loads, compared with its run.

`adapter` is the adapter beside pooling and prompts, and names its base; `merged` holds all weights;
`gguf` is one file for llama.cpp's embedding server.
Runs in the worker's thread, within `export_run.make`.
"""

from __future__ import annotations

import contextlib
import gc
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from studio.core.errors import DataError, ModelError, StudioError
from studio.core.library_types import TextEncoder
from studio.core.model_names import resolve
from studio.data import DatasetStore
from studio.data.pair_texts import pair_of
from studio.data.rows import tidy
from studio.exports import TOLERANCE as GGUF_TOLERANCE
from studio.exports import Exporting, encoder_gguf, gguf_architectures, verify
from studio.exports.export_gguf import read_back, stored_types
from studio.exports.load_parts import base_under
from studio.models import loading
from studio.models.pool import LoadedModel
from studio.models.text_encoder import backbone, inner, read_backbone, text_encoder
from studio.runs.store import Run, RunStore
from studio.training.encoder_trainer import write_encoder
from studio.training.train_dataset import rows_for

TOLERANCE = {torch.float32: 1e-6, torch.float16: 5e-3, torch.bfloat16: 2e-2}
"""Largest difference of a number of a vector of length 1, by the format of the weights."""
_MERGED = 4  # times as much: merging rounds each weight once
_ALWAYS = ("Where is the lighthouse?", "The lighthouse stands on the northern cliff.")
_ROWS = 24


class EncoderExport:
    """One export in progress; `base` and `figures` are what its record is written from."""

    def __init__(
        self, job: Exporting, run: Run, runs: RunStore, datasets: DatasetStore, part: Path
    ):
        self.job, self.run, self.runs, self.datasets, self.part = job, run, runs, datasets, part
        self.beside: dict[str, Any] = {}

    def write(self, on: torch.device) -> tuple[LoadedModel, verify.Figures]:
        """Write the folder, load it with sentence-transformers alone, compare the vectors."""
        to, run = self.job.request.to, self.run
        # A stock loader takes the base unquantized, so this is what it is compared with.
        base = base_under(run, self.runs, on=on)
        if to == "gguf":
            encoder_gguf.check(base, self.job.request)
        if run.recipe.quantized:
            self.beside["trained_on"] = "4-bit" if run.recipe.load_in_4bit else "8-bit"
        self.job.step(5, "Embedding with the run")
        texts = self._texts()
        before = _vectors(self._encoder(backbone(base.model), base), texts)
        encoder = self._encoder(self._weights(base), base)
        wanted = _vectors(encoder, texts)
        if torch.equal(before, wanted):
            raise ModelError(
                f"{run.name} embeds exactly as its base does: training changed nothing. Train "
                "longer, or with a higher learning_rate."
            )
        self.job.step(20, "Writing the folder")
        if to != "adapter" and run.adapter is not None:
            encoder[0].model = inner(encoder).merge_and_unload(safe_merge=True)
        if to == "gguf":
            return base, self._gguf(encoder, base, wanted, before, texts)
        self._write(encoder, to)
        dtype = base.model.dtype
        del encoder
        gc.collect()
        self.job.step(30, "Loading it back and comparing")
        again = self._loaded(on)
        allowed = TOLERANCE[dtype] * (_MERGED if to == "merged" else 1)
        return base, _compared(wanted, before, _vectors(again, texts), allowed, TOLERANCE[dtype])

    def _gguf(
        self,
        encoder: TextEncoder,
        base: LoadedModel,
        wanted: torch.Tensor,
        before: torch.Tensor,
        texts: list[str],
    ) -> verify.Figures:
        """One file, read back by transformers and pooled as the run pools."""
        asked = self.job.request
        path = self.part / f"model-{asked.outtype}.gguf"
        config = base.model.config
        encoder_gguf.write(
            encoder,
            base,
            self.run,
            path,
            asked.outtype,
            lambda name: self.job.step(0, f"Writing {name}"),
        )
        self.beside["pooling_mode"] = self.run.recipe.pooling_mode
        self.beside["stored_types"] = stored_types(path)
        dtype, on = base.model.dtype, base.model.device
        del encoder
        gc.collect()
        self.job.step(30, "Loading it back and comparing")
        family = gguf_architectures.family_of(config.get_text_config())
        model = read_back(path, config, dtype, family, self.beside).to(on).eval()
        encoder_gguf.check_words(path, base)
        again = text_encoder(backbone(model), base.tokenizer, self.run.recipe).eval()
        tolerance = GGUF_TOLERANCE[asked.outtype]
        return _compared(wanted, before, _vectors(again, texts), tolerance)

    def _weights(self, base: LoadedModel) -> Any:
        if self.run.weights is not None:
            return read_backbone(self.run.weights, base)
        assert self.run.adapter is not None
        return loading.load_adapter(
            backbone(loading.clone_sharing_weights(base.model)), self.run.adapter
        )

    def _encoder(self, model: Any, base: LoadedModel) -> TextEncoder:
        return text_encoder(model, base.tokenizer, self.run.recipe).eval()

    def _write(self, encoder: TextEncoder, to: str) -> None:
        """The folder with sentence-transformers' own card; the studio adds to it."""
        from sentence_transformers.base.model_card import generate_model_card

        reference = resolve(self.run.model, self.run.recipe.model_revision)
        if to == "adapter":
            named = reference.name if reference.kind == "hub" else reference.location
            inner(encoder).peft_config["default"].base_model_name_or_path = named
        if reference.kind == "hub":
            encoder.model_card_data.base_model = reference.name
        encoder.model_card_data.local_files_only = True  # nothing is asked of the Hub
        write_encoder(encoder, self.part, self.run.recipe)
        card = generate_model_card(encoder)
        (self.part / "README.md").write_text(card, encoding="utf-8")

    def _loaded(self, on: torch.device) -> TextEncoder:
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(str(self.part), device=str(on), local_files_only=True).eval()
        except (OSError, ValueError, RuntimeError) as error:
            first = (str(error).splitlines() or [""])[0]
            raise ModelError(f"sentence-transformers cannot load the export: {first}") from error

    def _texts(self) -> list[str]:
        """Both sides of some of the run's rows, and some of ours."""
        texts: list[str] = [*_ALWAYS]
        with contextlib.suppress(DataError, StudioError):  # the rows may have been deleted since
            rows = rows_for(self.run.recipe, self.run, self.datasets)
            part = rows.parts[0]
            for row in islice(part.test or part.train, _ROWS):
                given: Any = row
                pair = pair_of(tidy(dict(given)), part.type)
                texts += [text for text in pair.values() if isinstance(text, str)]
        return list(dict.fromkeys(texts))


def _vectors(encoder: TextEncoder, texts: list[str]) -> torch.Tensor:
    """(2 x texts, dimensions): each text as a query and as a document, in float32 on the CPU."""
    options: dict[str, Any] = {"convert_to_tensor": True, "show_progress_bar": False}
    both = [encode(texts, **options) for encode in (encoder.encode_query, encoder.encode_document)]
    return torch.cat(both).float().cpu()


def _compared(
    run: torch.Tensor,
    base: torch.Tensor,
    export: torch.Tensor,
    tolerance: float,
    least: float = 0.0,
) -> verify.Figures:
    """Figures of an export's vectors; `ModelError` where they are not the run's.

    `tolerance` is relative to the run's largest number; a difference up to `least` always passes.
    """
    largest = float(run.abs().max())
    gap = (run - export).abs()
    figures = verify.Figures(
        largest_difference=float(gap.max()),
        largest_logit=largest,
        tolerance=tolerance,
        agreement=float((_nearest(run) == _nearest(export)).float().mean()),
        same_answers=int((gap.amax(1) <= tolerance * largest).sum()),
        prompts=len(run),
        tokens=run.numel(),
        mean_difference=float(gap.mean()),
        mean_difference_from_base=float((base - export).abs().mean()),
    )
    if not figures.largest_difference <= max(tolerance * largest, least):
        raise ModelError(
            f"The export's vectors are off by up to {figures.largest_difference:.3g}, and "
            f"{tolerance * largest:.3g} is allowed: it differs from the run, and was deleted."
        )
    return figures


def _nearest(vectors: torch.Tensor) -> torch.Tensor:
    """For each vector the place of the nearest other one."""
    unit = torch.nn.functional.normalize(vectors, dim=-1)
    return (unit @ unit.T).fill_diagonal_(-2).argmax(1)
