"""The cards of the Models tab."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from components.models import card_details_html
from components.models.cards_html import working
from components.models.library_api import JobView
from studio.core.jobs import Job
from studio.exports import QUANTIZED, WRITTEN


def test_a_card_shows_a_job_that_does_not_know_its_total_yet() -> None:
    job: Job[dict[str, str]] = Job(kind="push")
    markup = working(JobView(job, "Push to me/mine", lambda result: "").as_dict("job-1"))
    assert "width:0%" in markup and "Waiting for the model" in markup


@pytest.mark.parametrize("installed", [True, False])
def test_gguf_types_are_offered_where_they_can_be_written(
    monkeypatch: pytest.MonkeyPatch, installed: bool
) -> None:
    monkeypatch.setattr(card_details_html, "llama_cpp_installed", lambda: installed)
    item: Any = SimpleNamespace(run=SimpleNamespace(adapter="here", method="lora"))
    _, _, markup = card_details_html.export_box(item)
    for outtype in WRITTEN:
        assert f'data-outtype="{outtype}"' in markup
    for outtype in QUANTIZED:
        assert (f'data-outtype="{outtype}"' in markup) is installed
        assert outtype in markup
    assert ("pip install llama-cpp-python" in markup) is not installed
    assert ('name="importance_matrix"' in markup) is installed
    assert 'data-to="gguf-lora"' in markup and "q8_0, 1.1 GB" in markup


def test_a_gguf_adapter_is_offered_for_lora_alone() -> None:
    for method, adapter, offered in (("dora", "here", False), ("full", None, False)):
        item: Any = SimpleNamespace(run=SimpleNamespace(adapter=adapter, method=method))
        assert ("gguf-lora" in card_details_html.export_box(item)[2]) is offered
