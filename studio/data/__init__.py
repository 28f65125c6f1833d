"""Data: read anything, recognise it, say what is wrong with it, keep what is right.

sources -> readers -> formats -> checks -> prepared -> tokens
"""

from studio.data.formats.detection import known_formats
from studio.data.prepared.cleaning import StepPreview, preview
from studio.data.prepared.inspect import inspect, read
from studio.data.prepared.prepare_options import PrepareOptions
from studio.data.prepared.publish import card, export, push
from studio.data.prepared.reading import SourceReading
from studio.data.prepared.store import DatasetStore, PreparedDataset
from studio.data.prepared.writing import prepare_to_file
from studio.data.readers.sources import SAMPLES, looks_like_source
from studio.data.types import TYPES, Inspection, Problem, Progress

prepare = prepare_to_file
"""From Python: `prepare(source, "rows.jsonl")`; with a workspace,
`DatasetStore(workspace).prepare`."""

__all__ = [
    "SAMPLES",
    "TYPES",
    "DatasetStore",
    "Inspection",
    "PrepareOptions",
    "PreparedDataset",
    "Problem",
    "Progress",
    "SourceReading",
    "StepPreview",
    "card",
    "export",
    "inspect",
    "known_formats",
    "looks_like_source",
    "prepare",
    "prepare_to_file",
    "preview",
    "push",
    "read",
]
