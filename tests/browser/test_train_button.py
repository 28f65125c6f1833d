"""The Train button's label and the dataset that it would train on change together."""

from __future__ import annotations

import json

from playwright.sync_api import Browser

from components.train.form import _ARM


def test_a_late_answer_does_not_name_another_dataset_on_the_button(browser: Browser) -> None:
    page = browser.new_page()

    def shown(dataset: str | None, datasets: str | None = "") -> object:
        armed = json.dumps({"label": "Train on 9 rows", "dataset": "mine", "datasets": "", "at": 1})
        return page.evaluate(f"([a, b, c]) => ({_ARM})(a, b, c)", [armed, dataset, datasets])

    ready = {"__type__": "update", "value": "Train on 9 rows", "interactive": True}
    assert shown("mine") == ready and shown("mine", None) == ready
    assert shown("another") == {"__type__": "update"}
    assert shown("mine", "mine: 50; another: 50") == {"__type__": "update"}
    nothing = page.evaluate(f"() => ({_ARM})('', 'mine', '')")
    assert nothing == {"__type__": "update"}
    page.close()
