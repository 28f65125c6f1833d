"""Prepared datasets: cleaning, writing, reading, browsing, publishing."""
