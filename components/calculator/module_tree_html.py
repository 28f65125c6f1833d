"""The model as a tree of its modules, to choose targets in, and what trains by layer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from components.ui.html import esc
from studio.calculator.parameters import WHOLE_MODEL
from studio.core import formatting
from studio.core.formatting import plural, thousands
from studio.runs.methods import field_applies

if TYPE_CHECKING:
    from studio.calculator import RunEstimate
    from studio.calculator.meta_model import MetaModel, ModuleInfo

TIMES = "\N{MULTIPLICATION SIGN}"
_ATTENTION = ("attn", "attention")


@dataclass
class Node:
    """A module and its children; equal layers are one node that says how many there are."""

    name: str
    path: str
    children: dict[str, Node] = field(default_factory=dict)
    infos: list[ModuleInfo] = field(default_factory=list)
    trains: int = 0
    """Trainable numbers in this very module."""

    def walk(self, depth: int = 0) -> Iterator[tuple[Node, int]]:
        """Everything below, with how deep it lies."""
        for child in self.children.values():
            yield child, depth
            yield from child.walk(depth + 1)

    @property
    def parameters(self) -> int:
        below = sum(child.parameters for child in self.children.values())
        return below + sum(info.parameters for info in self.infos)

    @property
    def trainable(self) -> int:
        return self.trains + sum(child.trainable for child in self.children.values())


def grown(estimate: RunEstimate) -> Node:
    """The tree of an estimate's model, with what trains where."""
    root = Node("", "")
    for info in estimate.model.modules:
        _at(root, _steps(info.name)).infos.append(info)
    for module in estimate.parameters.modules:
        if module.pattern != WHOLE_MODEL:
            _at(root, _steps(module.pattern)).trains += module.trainable
    return root


def _steps(name: str) -> list[str]:
    """`model.layers.0.mlp` as model, layers, mlp: the number goes with the list it counts."""
    return re.sub(r"\.(\d+|\*)(?=\.|$)", "", name).split(".")


def _at(node: Node, steps: Sequence[str]) -> Node:
    for step in steps:
        node = node.children.setdefault(step, Node(step, f"{node.path}.{step}".lstrip(".")))
    return node


def module_tree(estimate: RunEstimate) -> str:
    """A row per module: a target is a switch; the others show what they hold.

    Switches carry the names behind them (`data-target`), picks the whole choice (`data-pick`).
    """
    root = grown(estimate)
    most = max((node.trains for node, _ in root.walk()), default=0) or 1
    targeted = field_applies("lora_target_modules", estimate.recipe.method)
    switches = _switches(estimate) if targeted else {}
    lists = _lists(estimate.model)
    rows = "".join(
        _row(node, depth, most, switches.get(node.path.rsplit(".", 1)[-1], ()), lists)
        for node, depth in root.walk()
    )
    return (
        f"{_picks(root, switches)}"
        '<table class="modules tree"><thead><tr><th scope="col">Module</th>'
        '<th scope="col">Shape</th><th scope="col">Parameters</th>'
        f'<th scope="col">Trainable</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _switches(estimate: RunEstimate) -> dict[str, tuple[str, ...]]:
    """Module name -> the target names that a switch there turns on and off together."""
    model = estimate.model
    found: dict[str, tuple[str, ...]] = {info.suffix: (info.suffix,) for info in model.linears()}
    experts = model.expert_names()
    if experts and estimate.recipe.method != "ia3":
        found["experts"] = tuple(name for name in experts if name != "gate")
        if "gate" in experts:
            found["gate"] = ("gate",)
    return found


def _lists(model: MetaModel) -> dict[str, int]:
    """Path of each list of layers -> how many it holds."""
    found: dict[str, int] = {}
    for block in model.blocks:
        path = ".".join(_steps(block.list_path))
        found[path] = found.get(path, 0) + len(block.indices)
    return found


def _row(node: Node, depth: int, most: int, targets: Sequence[str], lists: dict[str, int]) -> str:
    on = node.trains > 0
    times = f" <small>{TIMES} {lists[node.path]}</small>" if node.path in lists else ""
    name = f'<span class="m-label">{esc(node.name)}{times}</span>'
    if targets and node.infos:
        name = (
            f'<button type="button" role="switch" aria-checked="{str(on).lower()}" '
            f'data-target="{esc(",".join(targets))}">{esc(node.name)}</button>'
        )
    kind = "on" if on else "held" if node.infos else "group"
    trained = node.trainable if node.infos or depth == 0 else 0
    bar = f'<i style="width:{100 * node.trains / most:.1f}%"></i>' if on else ""
    shown = esc(formatting.compact(trained)) if trained else ""
    return (
        f'<tr class="{kind}" title="{esc(node.path)}"><th scope="row" style="--depth:{depth}">'
        f"{name}</th><td>{_shapes(node)}</td>"
        f'<td title="{thousands(node.parameters)}">{esc(formatting.compact(node.parameters))}</td>'
        f'<td title="{thousands(trained)}">{shown}{bar}</td></tr>'
    )


def _shapes(node: Node) -> str:
    shapes = list(dict.fromkeys(info.shape for info in node.infos))
    if not shapes:
        return ""
    first = f" {TIMES} ".join(f"{side:,}" for side in shapes[0])
    return first if len(shapes) == 1 else f"{first} and {len(shapes) - 1} more"


def _picks(root: Node, switches: dict[str, tuple[str, ...]]) -> str:
    """Common choices, one click each."""
    if not switches:
        return ""
    attention: dict[str, None] = {}
    others: dict[str, None] = {}
    for node, _ in root.walk():
        group = attention if any(part in node.path for part in _ATTENTION) else others
        if node.infos and node.name in switches:
            group |= dict.fromkeys(switches[node.name])
    query_value = [name for name in attention if name in ("q_proj", "v_proj")]
    picks = [
        ("All linear", ["all-linear"]),
        ("Attention", list(attention)),
        ("Feed-forward", list(others)),
    ]
    if len(query_value) == 2:
        picks.append(("q and v", query_value))
    buttons = "".join(
        f'<button type="button" data-pick="{esc(",".join(names))}">{esc(label)}</button>'
        for label, names in picks
        if names
    )
    return f'<div class="picks">{buttons}</div>'


def layer_strip(estimate: RunEstimate) -> str:
    """One bar per layer, and in words which layers train how much."""
    trained = dict(estimate.parameters.layers)
    if not trained:
        return ""
    names = estimate.model.layers() or list(trained)
    numbers = [trained.get(name, 0) for name in names]
    most = max(numbers, default=0) or 1
    bars = "".join(
        f'<i style="height:{100 * number / most:.0f}%" '
        f'title="{esc(name)}: {thousands(number)} trainable"></i>'
        for name, number in zip(names, numbers, strict=True)
    )
    return (
        f'<div class="layers" role="img" aria-label="{esc(_ranges(numbers))}">{bars}</div>'
        f'<p class="calc-note">{esc(_ranges(numbers))}</p>'
    )


def _ranges(numbers: Sequence[int]) -> str:
    """`Layers 0 to 21: 69,632 each.`"""
    runs: list[list[int]] = []
    for index, number in enumerate(numbers):
        if runs and runs[-1][2] == number:
            runs[-1][1] = index
        else:
            runs.append([index, index, number])
    if len(runs) > 6:
        return f"{plural(len(numbers), 'layer')}, {thousands(min(numbers))} to " + (
            f"{thousands(max(numbers))} trainable in each."
        )
    said = [
        f"layer {first}: {thousands(number)}"
        if first == last
        else f"layers {first} to {last}: {thousands(number)} each"
        for first, last, number in runs
    ]
    return "; ".join(said).capitalize() + "."
