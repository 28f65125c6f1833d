"""Memory by length as a ladder, and the rows by length as a histogram."""

from __future__ import annotations

from components.calculator import length_html
from studio.calculator.by_length import LengthPoint, RowLengths


def test_the_chosen_length_is_marked_and_the_gpus_memory_drawn():
    points = [
        LengthPoint(512, 10**9, "fits", 0.01, 0.25),
        LengthPoint(2048, 20 * 10**9, "does not fit", 0.2, 0.0),
    ]
    html = length_html.length_curve(points, 2048, 16 * 10**9)
    assert '<li class="now"><button type="button" data-length="2048"' in html
    assert html.count("data-length") == 2 and html.count('<u style="left:80.00%"') == 2
    assert "v-danger" in html and "25.0 %" in html and "would save 20.0 %" in html
    assert "<u" not in length_html.length_curve(points, 512, 80 * 10**9)
    unknown = [LengthPoint(512, 10**9, "fits", 0.01, None)]
    assert "rows longer" not in length_html.length_curve(unknown, 512, 10**10)


def test_rows_that_need_more_than_the_base_reads_stand_out():
    rows = RowLengths((0, 256, 512, 768), (3, 0, 1), 4, 512, 0.25)
    html = length_html.row_histogram(rows, 600)
    assert html.count("<rect") == 2 and html.count('class="beyond"') == 1
    assert "25.0 % need more than the 512 tokens that the base reads" in html
    assert html.count("<line") == 2 and "max_length: 600 tokens" in html
    assert "need more" not in length_html.row_histogram(
        RowLengths((0, 4), (3,), 3, None, None), 600
    )
