"""Data: read anything, recognise it, say what is wrong with it, keep what is right.

sources -> readers -> profile -> formats (converters) -> checks -> inspection | prepared
"""

from studio.data.formats import formats
from studio.data.inspection import inspect
from studio.data.sources import SAMPLES
from studio.data.types import TYPES, Inspection, Problem, Progress

__all__ = ["SAMPLES", "TYPES", "Inspection", "Problem", "Progress", "formats", "inspect"]
