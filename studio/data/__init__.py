"""Data: read anything, recognise it, say what is wrong with it, keep what is right.

sources -> readers -> profile -> formats (converters) -> checks -> inspection | prepared
"""

from studio.data.cleaning import StepPreview, preview
from studio.data.formats import formats
from studio.data.inspection import inspect, read
from studio.data.options import PrepareOptions
from studio.data.prepared import DatasetStore, PreparedDataset
from studio.data.reading import Reading
from studio.data.sharing import card, export, push
from studio.data.sources import SAMPLES, looks_like_source
from studio.data.types import TYPES, Inspection, Problem, Progress
from studio.data.writing import prepare_to_file

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
    "Reading",
    "StepPreview",
    "card",
    "export",
    "formats",
    "inspect",
    "looks_like_source",
    "prepare",
    "prepare_to_file",
    "preview",
    "push",
    "read",
]
