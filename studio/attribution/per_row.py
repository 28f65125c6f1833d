"""The gradient of every row of a batch from one backward pass. Imports torch.

A linear layer's weight gradient is the sum over tokens of output gradient times input. Hooks see
both for every row, so one backward through the batch gives them all, and no weight needs a gradient
of its own: the trained weights are frozen meanwhile, and the embeddings' output starts the graph.
Parameters that are no linear layer's (virtual tokens, scales, AdaLoRA's triplets) are
differentiated row by row.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from studio.attribution.projection import Projector
from studio.core.errors import ConfigError

ADAPTER = "default"


@dataclass(frozen=True)
class Trained:
    """What a run trains, under names that do not depend on what its adapter is called.

    `layers` are linear modules, whose rows come from hooks. Where there are parameters that hooks
    cannot see, `parameters` has all of them and `layers` is empty. `left_out` is the share of
    trained numbers in norms, biases and embeddings, which are left out where layers are trained.
    """

    layers: dict[str, nn.Linear]
    parameters: dict[str, nn.Parameter]
    left_out: float = 0.0

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """[outputs, inputs] of each layer, [numbers, 1] of each parameter."""
        found = {name: (one.out_features, one.in_features) for name, one in self.layers.items()}
        return found | {name: (one.numel(), 1) for name, one in self.parameters.items()}


def plain(name: str, adapter: str | None) -> str:
    """A module's name with its adapter called `default`.

    >>> plain("q_proj.lora_A.run-7.weight", "run-7")
    'q_proj.lora_A.default.weight'
    """
    if not adapter:
        return name
    return f".{name}.".replace(f".{adapter}.", f".{ADAPTER}.")[1:-1]


def trained_parts(model: nn.Module) -> Trained:
    """What of a model in training requires gradients, and how each part's rows are found."""
    modules = dict(model.named_modules())
    layers: dict[str, nn.Linear] = {}
    others: dict[str, nn.Parameter] = {}
    dropped = total = 0
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        total += parameter.numel()
        owner, _, own = name.rpartition(".")
        module = modules.get(owner)
        if isinstance(module, nn.Linear) and own == "weight":
            layers[owner] = module
        elif parameter.dim() < 2 or isinstance(module, nn.Embedding):
            dropped += parameter.numel()
        else:
            others[name] = parameter
    if layers and not others:
        return Trained(layers, {}, dropped / total)
    return Trained({}, {n: p for n, p in model.named_parameters() if p.requires_grad})


def find_parts(model: nn.Module, names: list[str], adapter: str | None, hooked: bool) -> Trained:
    """The same parts in another copy of the model, by the names that an index keeps."""
    kind = model.named_modules() if hooked else model.named_parameters()
    known: dict[str, Any] = {plain(name, adapter): one for name, one in kind}
    missing = [name for name in names if name not in known]
    if missing:
        raise ConfigError(
            f"The model in memory has no {missing[0]}, which the index of this run was made from; "
            "delete the index and build it again."
        )
    found = {name: known[name] for name in names}
    return Trained(found, {}) if hooked else Trained({}, found)


@contextlib.contextmanager
def only_graph(model: Any, trained: Trained) -> Generator[None]:
    """Within it only what `row_gradients` needs requires gradients; afterwards all is as before."""
    before = {id(one): one.requires_grad for one in model.parameters()}
    mode = model.training
    handle = model.get_input_embeddings().register_forward_hook(_start_graph)
    try:
        model.eval()  # no dropout: the same row has the same gradient
        model.requires_grad_(False)
        for one in trained.parameters.values():
            one.requires_grad_(True)
        yield
    finally:
        handle.remove()
        for one in model.parameters():
            one.requires_grad_(before[id(one)])
        model.train(mode)


def _start_graph(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
    if torch.is_grad_enabled() and not output.requires_grad:
        output.requires_grad_(True)


Loss = Callable[[], Tensor]


def row_gradients(
    trained: Trained, projector: Projector, rows: int, loss: Callable[[list[int]], Tensor]
) -> Tensor:
    """Projected gradients of a batch: [rows, dims] in float32.

    Args:
        loss: the loss of the rows at these places of the batch, each row's an addend of its own.
    """
    into = projector.empty(rows)
    if trained.layers:
        with _hooked(trained, projector, into):
            loss(list(range(rows))).backward()
        return into
    parameters = list(trained.parameters.values())
    for row in range(rows):
        found = torch.autograd.grad(loss([row]), parameters, allow_unused=True)
        for name, gradient in zip(trained.parameters, found, strict=True):
            if gradient is not None:
                projector.add_whole(into[row : row + 1], name, gradient.reshape(1, -1))
    return into


@contextlib.contextmanager
def _hooked(trained: Trained, projector: Projector, into: Tensor) -> Generator[None]:
    def watch(name: str) -> Callable[..., None]:
        def forward(_module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            if not (torch.is_grad_enabled() and output.requires_grad):
                return  # a reference's pass
            read = inputs[0].detach()
            output.register_hook(
                lambda gradient: projector.add_layer(
                    into, name, _by_row(read, len(into)), _by_row(gradient, len(into))
                )
            )

        return forward

    handles = [one.register_forward_hook(watch(name)) for name, one in trained.layers.items()]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _by_row(tensor: Tensor, rows: int) -> Tensor:
    """[sequences, tokens, width] as [rows, tokens, width].

    A pair's two sequences stand in one batch, all chosen before all rejected.
    """
    tensor = tensor[:, None] if tensor.dim() == 2 else tensor
    if tensor.dim() != 3 or len(tensor) % rows:
        raise ConfigError(
            "This model lays out the rows of a batch so that their gradients cannot be kept "
            "apart; its answers cannot be traced to rows."
        )
    parts = tensor.view(-1, rows, *tensor.shape[1:]).transpose(0, 1)
    return parts.reshape(rows, -1, tensor.shape[-1])
