"""Alignment Studio: from data to an aligned model, on one GPU."""
