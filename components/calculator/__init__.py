"""The Calculator tab."""
