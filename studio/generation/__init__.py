"""Batched, streamed, cancellable generation over one or several columns."""
