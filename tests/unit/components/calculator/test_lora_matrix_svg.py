"""The drawing of one matrix and its factors."""

from __future__ import annotations

import re

import pytest

from components.calculator import lora_matrix_svg
from studio.calculator import matrix


@pytest.mark.parametrize(
    ("out", "into", "r"), [(6, 7, 3), (1000, 768, 8), (8192, 1, 1), (1, 9, 512)]
)
def test_the_drawing_keeps_to_one_scale_and_inside_its_frame(out, into, r):
    svg = lora_matrix_svg.matrix_svg(matrix(out, into, r))
    frame = [float(number) for number in re.search(r'viewBox="0 0 (\S+) (\S+)"', svg).groups()]
    boxes = re.findall(r'<rect x="(\S+)" y="(\S+)" width="(\S+)" height="(\S+)"', svg)
    w, b, a = [[float(number) for number in box] for box in boxes]
    for x, y, width, height in (w, b, a):
        assert x >= 0 and x + width <= frame[0] + 0.1
        assert y >= 0 and y + height <= frame[1] + 0.1
    assert w[2] == a[2] and w[3] == b[3] and b[2] == a[3]
    if min(out, into, r) * (w[3] / out) > 2.5:
        assert w[2] / w[3] == pytest.approx(into / out, rel=0.02)


def test_a_rank_beyond_the_full_one_is_said():
    assert "a higher rank only adds parameters" in lora_matrix_svg.matrix_view(matrix(6, 7, 6))
    assert "Smaller than W up to rank 3" in lora_matrix_svg.matrix_view(matrix(6, 7, 3))
