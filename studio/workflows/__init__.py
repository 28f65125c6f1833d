"""Multi-step work on top of the studio: rounds, comparisons, rewards, sampling."""
