"""Recipe to TRL trainer: datasets, callbacks, launching, health, exported scripts."""
