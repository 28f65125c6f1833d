"""The charts of the Train tab by themselves, without a server: points in, pixels out."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from components.train import chart_specs
from components.ui.theme import STATIC

HOST = (
    '<div id="host" style="width:600px"><span class="chart-where"></span>'
    '<button class="chart-reset"></button><div class="charts-main"></div>'
    '<div class="charts-small"></div></div>'
    "<style>canvas { width: 600px; height: 178px; display: block }</style>"
)
FEED = """([plan, values]) => new Promise(done => {
  const charts = studioCharts(document.querySelector("#host"));
  const steps = values.map((_, i) => i + 1);
  charts.take("r", {train: {cursor: [0, 1, steps.length], from: 0, steps, series: {loss: values}}});
  charts.runs([{id: "r", name: "run"}]);
  charts.smoothing(0.6);
  charts.plan(plan);
  requestAnimationFrame(() => requestAnimationFrame(() => done(
    document.querySelector("canvas").getAttribute("aria-label"))));
})"""


@pytest.mark.parametrize("value", [0.9, 1.0, 0.0, 1e-12, -7e9])
def test_a_metric_that_never_changes_is_drawn(page: Page, value: float) -> None:
    page.set_content(HOST)
    page.add_script_tag(path=STATIC / "train_charts.js")
    label = page.evaluate(FEED, [chart_specs.plan({"loss"}), [value] * 200])
    assert label.startswith("Loss: train ") and label.endswith(" at step 200")
