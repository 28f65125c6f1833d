"""From an answer back to the rows that taught it.

Every training row of a run has a gradient: of the run's own loss, by the weights that were trained.
An index keeps them small (`index_files`), a question is one more gradient (`query`), and the rows
whose gradients point the same way pulled the model towards the answer (TracIn, Pruthi et al. 2020;
TRAK, Park et al. 2023; LESS, Xia et al. 2024). Importing this loads no torch.
"""

from studio.attribution.request import Asked, Indexing, IndexSpec, Why

__all__ = ["Asked", "IndexSpec", "Indexing", "Why"]
