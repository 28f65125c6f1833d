"""Rows as tokens: template checks, lengths, and the token view."""
