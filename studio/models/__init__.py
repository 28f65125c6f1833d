"""Loading models, tokenizers, and adapters; the pool of models in memory."""
