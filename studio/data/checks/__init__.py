"""Checks of rows: problems in one row, across rows, near duplicates, bias."""
