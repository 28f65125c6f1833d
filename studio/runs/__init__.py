"""What a run is: recipe, methods, objectives, store, events, checkpoints. Imports no torch."""
