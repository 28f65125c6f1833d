"""Readers: files, tables, JSON, in-memory rows, and Hub datasets as rows."""
