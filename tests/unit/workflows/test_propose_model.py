"""Which model for these rows: pocket warned about, what is here first, what fits and is quick."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from components.train.model_choice import ModelChoice
from studio import Studio
from studio.calculator import gpus
from studio.runs.recipe import Recipe
from studio.workflows import propose_model
from studio.workflows.propose_model import pocket_warning, propose


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Any:
    home = tmp_path_factory.mktemp("proposals")
    made = Studio(home / "home")
    rows = home / "own.jsonl"
    text = '{"prompt": "What is %d plus one, in words?", "completion": "It is one more than %d."}\n'
    rows.write_text("".join(text % (at, at) for at in range(200)))
    made.datasets.prepare(str(rows), name="own")
    yield made
    made.close()


def on(monkeypatch: pytest.MonkeyPatch, name: str, **changes: Any) -> None:
    gpu = gpus.Gpu(**{**vars(gpus.GPUS[name]), **changes})
    monkeypatch.setattr(gpus, "this_machine", lambda device=None: gpu)


def test_pocket_is_warned_about_for_rows_of_others_only(studio: Studio) -> None:
    own = Recipe.defaults("sft", dataset_name="own")
    assert "gibberish" in pocket_warning(studio, own)
    assert pocket_warning(studio, own.with_(model_name_or_path="Qwen/Qwen3-8B")) == ""
    assert pocket_warning(studio, Recipe.defaults("sft", dataset_name="pocket-sft")) == ""
    mixed = own.with_(datasets=("pocket-sft:0.5", "own:0.5"), dataset_name="pocket-sft")
    assert pocket_warning(studio, mixed)
    votes = studio.datasets.from_rows(
        [{"prompt": "a b", "completion": "c d"}], type="prompt_completion", name="made"
    )
    assert pocket_warning(studio, own.with_(dataset_name=votes.id)) == ""


def test_the_largest_that_fits_and_is_quick_is_proposed(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(propose_model, "here", lambda: ["pocket"])
    recipe = Recipe.defaults("sft", dataset_name="own")
    found = {}
    for name in ("T4 16 GB", "L40S 48 GB"):
        on(monkeypatch, name)
        proposal = propose(studio, recipe)
        assert proposal is not None and not proposal.on_this_machine
        found[name] = propose_model.find(proposal.model)
        assert found[name].open and not found[name].gated and found[name].kind == "chat"
        assert "GB" in proposal.why and ("Apache 2.0" in proposal.why or "MIT" in proposal.why)
    assert found["T4 16 GB"].parameters < found["L40S 48 GB"].parameters


def test_a_slow_machine_gets_the_smallest_and_a_tiny_one_none(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(propose_model, "here", lambda: ["pocket"])
    recipe = Recipe.defaults("sft", dataset_name="own")
    on(monkeypatch, "T4 16 GB", device="cpu", flops=1e9, bf16=False)
    proposal = propose(studio, recipe)
    assert proposal is not None and proposal.model.endswith("SmolLM2-135M-Instruct")
    on(monkeypatch, "T4 16 GB", memory=10**8)
    assert propose(studio, recipe) is None


def test_a_quick_first_run_is_meant_by_the_upper_end_of_its_time(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(propose_model, "here", lambda: ["pocket"])
    recipe = Recipe.defaults("sft", dataset_name="own")
    on(monkeypatch, "T4 16 GB", device="cpu", flops=2e10, bf16=False)
    proposal = propose(studio, recipe)
    assert proposal is not None and proposal.model.endswith("SmolLM2-135M-Instruct")
    larger = proposal.recipe.with_(model_name_or_path="HuggingFaceTB/SmolLM2-360M-Instruct")
    for tried, quick in ((proposal.recipe, True), (larger, False)):
        gpu, lengths = gpus.this_machine(), propose_model._lengths(studio, tried)
        estimate = propose_model._estimate(tried, gpu, lengths)
        assert estimate is not None and estimate.cost.seconds is not None
        low, high = estimate.cost.seconds
        assert low < 60 * propose_model.MINUTES and (high < 60 * propose_model.MINUTES) is quick


def test_what_is_here_comes_before_what_is_larger(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, "A100 80 GB")
    there = ["pocket", "Qwen/Qwen2.5-0.5B-Instruct", "some/other"]
    monkeypatch.setattr(propose_model, "here", lambda: there)
    proposal = propose(studio, Recipe.defaults("sft", dataset_name="own"))
    assert proposal is not None and proposal.on_this_machine
    assert proposal.model == "Qwen/Qwen2.5-0.5B-Instruct"
    assert "0.002 in torchtune's recipes" in proposal.why


def test_the_form_shows_it_beside_the_button_and_hides_it_again(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with gr.Blocks():
        choice = ModelChoice(studio)
        choice.lay_out()
    own = Recipe.defaults("sft", dataset_name="own").to_yaml()
    said, take, leading, answered = choice.propose(own, None)
    assert "gibberish" in said["value"] and not take["visible"] and leading == {}
    assert choice.propose(own, answered) == gr.skip()
    on(monkeypatch, "T4 16 GB")
    monkeypatch.setattr(propose_model, "here", lambda: ["pocket"])
    monkeypatch.setattr(studio.worker, "ready", True)  # the libraries were loaded meanwhile
    said, take, leading, answered = choice.propose(own, answered)
    assert take["value"].startswith("Use ") and leading["model_name_or_path"] in said["value"]
    assert leading["method"] == "qlora"
    said, take, leading, _ = choice.propose(Recipe.defaults("sft").to_yaml(), answered)
    assert not said["visible"] and not take["visible"] and leading == {}


def test_the_button_fills_the_form_with_the_proposed_model(studio: Studio) -> None:
    """The click as the page sends it: with every input that it reads."""
    from app import build_app

    page = build_app(studio)
    (taken,) = [
        each
        for each in page.fns.values()
        if any(
            getattr(page.blocks.get(at), "elem_id", "") == "train-model-take"
            for at, _ in each.targets
            if at
        )
    ]
    sent = {widget: getattr(widget, "value", None) for widget in taken.inputs}
    (proposed,) = [widget for widget, value in sent.items() if value == {}]
    name = "HuggingFaceTB/SmolLM2-135M-Instruct"
    sent[proposed] = {"model_name_or_path": name, "method": "dora"}
    updates = taken.fn(sent)
    found = {getattr(w, "label", ""): u for w, u in updates.items() if isinstance(u, dict)}
    assert found["Model"]["value"] == name and found["Method"]["value"] == "dora"
    assert found["Learning rate"]["value"] != 0.002, "the defaults follow the model"
    (asking,) = [fn for fn in page.fns.values() if proposed in fn.outputs]
    changed = [getattr(page.blocks[at], "elem_id", None) for at, _ in asking.targets if at]
    assert "strip" in changed, "nothing is proposed once the libraries are loaded"
