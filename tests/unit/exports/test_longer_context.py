"""A run under a scaled RoPE: trained, kept, continued, exported, read by stock libraries."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM

from studio import Studio
from studio.core import rope
from studio.core.errors import ConfigError
from studio.core.workspace import PRESETS
from studio.exports import serve_commands
from studio.exports.import_adapter import adopt
from studio.runs.store import Run
from studio.training.export_config import export
from tests.unit.exports.conftest import exported
from tests.unit.training.conftest import small

YARN = {"rope_type": "yarn", "factor": 4}


@pytest.fixture(scope="module")
def run(studio: Studio) -> Run:
    recipe = small("sft", "facts", name="longer", learning_rate=1e-2, rope_parameters=YARN)
    return studio.wait(studio.train(recipe).id)


def test_the_adapter_keeps_what_its_base_needs(studio: Studio, run: Run, tmp_path: Path) -> None:
    assert run.state == "finished", run.error
    assert run.adapter is not None
    assert run.recipe.rope_parameters == YARN
    said = json.loads((run.adapter / rope.FILE).read_text())
    assert said["max_position_embeddings"] == 2048
    back = adopt(studio.runs, run.adapter, base="pocket", name="back")
    assert back.recipe.rope_parameters == {**YARN, "original_max_position_embeddings": 512}
    again = studio.train(small("sft", "facts", start_from=run.id))
    assert again.recipe.rope_parameters == YARN
    studio.wait(again.id)
    further = small("sft", "facts", start_from=run.id, rope_parameters={**YARN, "factor": 8})
    assert studio.wait(studio.train(further).id).state == "finished"
    other = {"rope_type": "linear", "factor": 4}
    with pytest.raises(ConfigError, match="yarn RoPE, which a linear one would undo"):
        studio.train(small("sft", "facts", start_from=run.id, rope_parameters=other))


@pytest.mark.parametrize("to", ["adapter", "merged", "gguf"])
def test_every_export_holds_the_scaling(to: str, studio: Studio, run: Run, tmp_path: Path) -> None:
    record = exported(studio, run, to, tmp_path / "out")
    told = dict(serve_commands.commands({**record, "base_kind": "hub"}))
    if to == "adapter":
        assert (tmp_path / "out" / rope.FILE).is_file()
        words = shlex.split(told["vLLM, base and adapter from one server"])
        assert json.loads(words[words.index("--hf-overrides") + 1]) == record["rope_overrides"]
        code = serve_commands.loading(record, str(tmp_path / "out"))
        code = code.replace("path/to/pocket", str(PRESETS / "pocket"))
        space: dict[str, Any] = {}
        exec(code, space)
        assert rope.context(space["model"].config) == 2048
    elif to == "merged":
        again: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
        assert again.config.rope_parameters["rope_type"] == "yarn"
        assert again.config.max_position_embeddings == 2048
        assert "--hf-overrides" not in told["vLLM"]
    else:
        assert told["llama.cpp"].endswith("--rope-scaling yarn --rope-scale 4 --yarn-orig-ctx 512")


@pytest.mark.parametrize("to", ["trl", "script"])
def test_recipes_for_elsewhere_load_the_same_base(
    to: str, studio: Studio, run: Run, tmp_path: Path
) -> None:
    first = export(run, studio.runs, studio.datasets, to, tmp_path)[0]
    text = first.read_text()
    if to == "trl":
        said = yaml.safe_load(text)["model_init_kwargs"]
        model: Any = AutoModelForCausalLM.from_pretrained(
            tmp_path / "model", **said, dtype=torch.float32
        )
    else:
        start, end = text.index("base_config = "), text.index('data = load_dataset("data")')
        lines = text[start:end].replace("'model'", repr(str(tmp_path / "model")))
        imports = text[text.index("from transformers import") :].partition("\n")[0]
        space: dict[str, Any] = {}
        exec(f"{imports}\n{lines}", space)
        model = space["model"]
    job = studio.worker.submit(lambda pool: pool.base_of(run.recipe, studio.runs).model)
    job.wait(60)
    here = job.result()
    ids = torch.arange(700)[None] % 90
    with torch.no_grad():
        assert torch.allclose(model(ids).logits.float(), here(ids).logits.float(), atol=1e-4)
