"""Row gradients made small: inner products are kept, and the same seed gives the same."""

from __future__ import annotations

import pytest
import torch

from studio.attribution.projection import WHOLE, Projector, unit

SHAPES = {"a": (16, 64), "b": (64, 16), "wide": (600, 400), "alone": (40, 1)}


def projected(rows: int, projector: Projector, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Random gradients, projected and whole: [rows, dims] and [rows, numbers]."""
    draw = torch.Generator().manual_seed(seed)
    into, whole = projector.empty(rows), []
    for name, (outputs, inputs) in SHAPES.items():
        if inputs == 1:
            gradient = torch.randn((rows, outputs), generator=draw)
            projector.add_whole(into, name, gradient)
            whole.append(gradient)
            continue
        read = torch.randn((rows, 3, inputs), generator=draw)
        grads = torch.randn((rows, 3, outputs), generator=draw)
        projector.add_layer(into, name, read, grads)
        whole.append(torch.einsum("bto,bti->boi", grads, read).flatten(1))
    return into, torch.cat(whole, 1)


def test_inner_products_are_kept_about():
    assert SHAPES["wide"][0] * SHAPES["wide"][1] > WHOLE  # goes through its sides
    shared = {}
    for seed in range(40):
        small, whole = projected(2, Projector(SHAPES, 512, seed))
        shared.setdefault("small", []).append((small[0] @ small[1]) / small[0].norm() ** 2)
        shared.setdefault("own", []).append(small[0].norm() ** 2 / whole[0].norm() ** 2)
    whole = projected(2, Projector(SHAPES, 512))[1]
    wanted = (whole[0] @ whole[1]) / whole[0].norm() ** 2
    assert torch.stack(shared["own"]).mean() == pytest.approx(1.0, abs=0.1)
    assert torch.stack(shared["small"]).mean() == pytest.approx(float(wanted), abs=0.05)


def test_the_same_seed_projects_alike_and_another_does_not():
    first, again = (projected(2, Projector(SHAPES, 256, 3))[0] for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, projected(2, Projector(SHAPES, 256, 4))[0])


def test_a_scale_multiplies_a_gradient_before_it_is_projected():
    scale = torch.full((16, 64), 3.0)
    read, grads = torch.randn(2, 3, 64), torch.randn(2, 3, 16)
    plain, scaled = Projector({"a": (16, 64)}, 64), Projector({"a": (16, 64)}, 64, 0, {"a": scale})
    one, other = plain.empty(2), scaled.empty(2)
    plain.add_layer(one, "a", read, grads)
    scaled.add_layer(other, "a", read, grads)
    torch.testing.assert_close(3 * one, other)


def test_rows_of_zeros_stay_so():
    vectors, norms = unit(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    assert norms.tolist() == [5.0, 0.0]
    assert vectors.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0.0, 0.0]]
