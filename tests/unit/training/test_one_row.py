"""One row with tools and thinking, from its file to a vote: every place renders the same prompt."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from trl import SFTTrainer

from studio import Studio
from studio.core.messages import kwargs_of, prompt_of, tools_of
from studio.data.prepared.prepare_options import PrepareOptions
from studio.data.rows import sample_prompts
from studio.data.tokens.token_view import render
from studio.evaluation.eval_rows import load_rows
from studio.generation.request import Column, Generation, GenerationRequest, Sampling
from studio.labels.pair_generation import PairPlan, write_pairs
from studio.models.tokenization import prompt_text
from studio.runs.store import Run
from studio.training import export_config, samples
from studio.training.train_dataset import rows_for
from studio.workflows import comparisons
from tests.unit.data.making import write
from tests.unit.training.conftest import small

TOOL = {
    "type": "function",
    "function": {"name": "where", "parameters": {"type": "object", "properties": {"of": {}}}},
}
CALL = {"type": "function", "function": {"name": "where", "arguments": {"of": "mill"}}}
MESSAGES = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Where is the mill?"},
    {"role": "assistant", "content": "", "reasoning_content": "I look.", "tool_calls": [CALL]},
    {"role": "tool", "content": "By the river."},
    {"role": "assistant", "content": "By the river.", "reasoning_content": "Said so."},
]
TEMPLATE = {"chat_template_path": "chatml"}
SEEN: dict[str, dict[str, Any]] = {}
"""Run -> what its trainer was given, and the prompts that its samples were asked by."""


@pytest.fixture(scope="module", params=[{}, {"enable_thinking": False}], ids=["on", "off by row"])
def run(request: pytest.FixtureRequest, studio: Studio, tmp_path_factory: Any) -> Run:
    """A run on rows from a file, by whose recipe the model thinks."""
    rows = [
        {"messages": MESSAGES, "tools": [TOOL], "chat_template_kwargs": request.param},
        {"messages": MESSAGES[:-2], "tools": [TOOL], "chat_template_kwargs": request.param},
    ]
    name = f"tools-{len(request.param)}"
    path = write(tmp_path_factory.mktemp("rows"), rows)
    studio.datasets.prepare(path, name, PrepareOptions(test_fraction=0))
    recipe = small("sft", name, **TEMPLATE, chat_template_kwargs={"enable_thinking": True})
    seen: dict[str, Any] = {"asked": set()}
    start, encode = SFTTrainer.__init__, samples.encode

    def started(self: Any, *args: Any, **kwargs: Any) -> None:
        seen["rows"] = kwargs["train_dataset"][:]
        start(self, *args, **kwargs)

    def encoded(*args: Any, **kwargs: Any) -> tuple[str, list[int]]:
        found = encode(*args, **kwargs)
        seen["asked"].add(found[0])
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SFTTrainer, "__init__", started)
        patch.setattr(samples, "encode", encoded)
        run = studio.train(recipe.with_(max_steps=1, sample_steps=1, max_length=512))
        run = studio.wait(run.id)
    SEEN[run.id] = seen
    return run


def wanted(studio: Studio, run: Run) -> str:
    """The prompt as a person would render it by hand."""
    row = studio.datasets.get(run.data["id"]).head(1, "train")[0]
    on = kwargs_of(row).get("enable_thinking", True)
    tokenizer = studio.tokenizer("pocket", "chatml")
    text = tokenizer.apply_chat_template(
        MESSAGES[:2], tools=[TOOL], enable_thinking=on, add_generation_prompt=True, tokenize=False
    )
    assert '"name": "where"' in text and text.endswith("</think>\n\n") is not on
    return text


def asked_of(generation: Generation) -> set[str]:
    generation.wait()
    return {cell.prompt_text for column in generation.snapshot().answers for cell in column}


def test_every_place_renders_the_same_prompt(
    studio: Studio, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run.state == "finished", run.error
    text = wanted(studio, run)
    tokenizer = studio.tokenizer("pocket", "chatml")
    defaults = run.recipe.chat_template_kwargs
    dataset = studio.datasets.get(run.data["id"])
    row = dataset.head(1, "train")[0]

    # The token view, and the rows that TRL was given (also those of the exported script).
    [view] = render(
        row, "conversational", tokenizer, max_length=None, chat_template_kwargs=defaults
    )
    assert "".join(token.text for token in view.tokens).startswith(text)
    export_config.export(run, studio.runs, studio.datasets, "script", tmp_path)
    with (tmp_path / "data" / "train.jsonl").open(encoding="utf-8") as lines:
        exported = [json.loads(line) for line in lines]
    assert [token.id for token in view.tokens] == exported[0]["input_ids"]
    lit = [token.id if token.trained else -100 for token in view.tokens]
    assert lit == exported[0]["labels"]

    # What TRL's trainer itself was given, and what its samples were asked by.
    assert SEEN[run.id]["rows"]["input_ids"][0] == exported[0]["input_ids"]
    assert SEEN[run.id]["rows"]["labels"][0] == exported[0]["labels"]
    assert SEEN[run.id]["asked"] == {text}

    # The prompts of samples, as they are chosen from the rows.
    rows = rows_for(run.recipe, run, studio.datasets).parts[0].train
    sampled = [prompt_text(tokenizer, each, False, defaults) for each in sample_prompts(rows)]
    assert set(sampled) == {text}

    # Compare and prompt sets, of the run and of its base beside it.
    prompt = prompt_of(row)
    assert prompt is not None
    columns = (Column("pocket", label="base"), Column("pocket", run.id, label=run.name))
    sampling = Sampling(max_new_tokens=2)
    compared = studio.generate(GenerationRequest((prompt,), columns, sampling))
    answers = asked_of(compared)
    assert compared.snapshot().answers[1][0].prompt_text == text

    # A saved comparison, and pairs, kept as JSON meanwhile.
    sides = comparisons.sides(studio, [f"run:{run.id}"])
    kept = comparisons.from_generation(compared, (*sides, *sides), "rows", [None])
    comparisons.save(studio, kept)
    assert comparisons.load(studio, kept.id).prompts == [prompt]
    plan = PairPlan("p", columns, [prompt], sampling)
    [restored] = PairPlan.from_dict(json.loads(json.dumps(plan.as_dict()))).prompts
    heard: list[Generation] = []

    def generate(request: GenerationRequest) -> Generation:
        heard.append(studio.generate(request))
        return heard[-1]

    write_pairs(generate, studio.runs, columns, [restored], sampling)
    assert asked_of(heard[0]) == answers

    # Scores.
    scored = load_rows(studio.datasets, dataset.id)
    pairs = [pair for pair in scored.asked() if pair]
    assert [found for found, _ in pairs] == [prompt, prompt]
    assert scored.calls
    again = studio.generate(GenerationRequest(tuple(found for found, _ in pairs), columns[1:]))
    assert asked_of(again) == {text}

    # A vote's item, and the rows that are exported from votes.
    from studio.labels import Pair

    project = studio.labels.create_project(studio.labels.free_name("row"), order="given")
    whole = "<think>\nHm.\n</think>\n\nBy the river."
    studio.labels.add_items(project.id, [Pair(prompt, whole, "At the inn.")])
    shown = studio.labels.next_item(project.id, "ada")
    assert shown is not None and shown.prompt == prompt
    assert {shown.left, shown.right} == {"By the river.", "At the inn."}
    assert not (shown.left_reasoning or shown.right_reasoning)
    a_is_left = shown.left == "By the river."
    studio.labels.vote(project.id, shown.item_id, "ada", "left" if a_is_left else "right")
    [exported] = studio.labels.export(project.id, "dpo").rows
    assert tools_of(exported) == [TOOL] and kwargs_of(exported) == kwargs_of(prompt)
    assert exported["chosen"][0]["reasoning_content"] == "Hm."
    votes = studio.datasets.from_rows([exported], "preference", f"votes-{project.id}")
    [stored] = votes.head(1, "train")
    again = render(stored, "preference", tokenizer, max_length=None, chat_template_kwargs=defaults)
    assert "".join(token.text for token in again[0].tokens).startswith(text)
