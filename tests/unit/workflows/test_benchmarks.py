"""Benchmarks over a pipe: with a stand-in for lm-eval, and with lm-eval itself where it is named.

STUDIO_LM_EVAL=lm-eval/bin/python python -m pytest tests/unit/workflows/test_benchmarks.py
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import Studio
from studio.commands import Commands
from studio.core.errors import ConfigError, ModelError
from studio.generation.request import Column
from studio.workflows import benchmarks

BASE = (Column("pocket", label="base"),)
STANDIN = """#!{python}
import json, sys
order = json.loads(sys.stdin.readline())
def ask(kind, items):
    print(json.dumps({{"ask": kind, "items": items}}), flush=True)
    return json.loads(sys.stdin.readline())["answers"]
chat = json.dumps([{{"role": "user", "content": "Which animal does Petra have?"}}])
first, again = ask("generate_until", [[chat, {{"until": ["."], "max_gen_toks": 9}}], [chat, {{}}]])
pairs = ask("loglikelihood", [["Petra has a", " hedgehog"], ["Petra has a", " zqxj"]])
assert pairs[0][0] > pairs[1][0] and first in again, (pairs, first, again)
rows = [{{"row": f"{{name}} 0", "filter": f, "acc_norm": 1.0, "exact_match": 0.0}}
        for name in order["tasks"] for f in ("none", "flexible-extract")]
for name in order["tasks"]:
    print(json.dumps({{"done": name, "rows": 1}}), flush=True)
by = {{name: [row for row in rows if row["row"].startswith(name)] for name in order["tasks"]}}
print(json.dumps({end}), flush=True)
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    made = Studio(tmp_path_factory.mktemp("benchmarks"))
    yield made
    made.close()


@pytest.fixture
def standin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def named(end: str) -> None:
        program = tmp_path / "python"
        program.write_text(STANDIN.format(python=sys.executable, end=end))
        program.chmod(0o700)
        monkeypatch.setenv(benchmarks.VARIABLE, str(program))

    return named


def test_lm_evals_questions_are_answered(engine: Studio, standin) -> None:
    standin('{"values": by, "version": "0"}')
    job = benchmarks.run(engine, BASE, ("gsm8k", "arc_easy"), rows=1)
    found = job.result(120)
    labels = [one["label"] for one in found["benchmarks"]]
    assert labels == ["GSM8K", "ARC-Easy"] and job.done == job.total == 2
    kept = json.loads(benchmarks.keep(engine, found).read_text())
    assert kept["benchmarks"] == found["benchmarks"]


def test_what_goes_wrong_is_a_sentence(engine: Studio, standin, monkeypatch) -> None:
    standin('{"error": "ConnectionError: no Hub"}')
    with pytest.raises(ModelError, match="lm-eval ended with ConnectionError: no Hub"):
        benchmarks.run(engine, BASE, ("gsm8k",), rows=1).result(120)
    standin("1 / 0")
    with pytest.raises(ModelError, match="ZeroDivisionError"):
        benchmarks.run(engine, BASE, ("gsm8k",), rows=1).result(120)
    with pytest.raises(ConfigError, match="no folder /nowhere"):
        benchmarks.run(engine, BASE, ("gsm8k",), data="/nowhere")
    monkeypatch.setenv(benchmarks.VARIABLE, "/nowhere/python")
    with pytest.raises(ConfigError, match="no such file"):
        benchmarks.run(engine, BASE)
    monkeypatch.delenv(benchmarks.VARIABLE)
    with pytest.raises(ConfigError, match=r"pip install 'lm-eval\[ifeval\]==0.4.13'"):
        benchmarks.run(engine, BASE)
    with pytest.raises(ConfigError, match="either data"):
        Commands(engine).score(run=["none"])


CHOICES = {"text": ["a hedgehog", "a comet"], "label": ["A", "B"]}
SHAPES = {
    "gsm8k": {"question": "Ida has 2 pears and buys 3. How many?", "answer": "2 + 3 = 5\n#### 5"},
    "arc_easy": {"id": "1", "question": "Which is a pet?", "choices": CHOICES, "answerKey": "A"},
    "hellaswag": {
        "ind": 1,
        "activity_label": "Baking",
        "ctx_a": "She opens the oven.",
        "ctx_b": "she",
        "endings": ["takes out the bread.", "swims.", "sings to a car.", "is a stone."],
        "label": "0",
    },
    "mmlu": {
        "question": "Which is a bone?",
        "choices": ["femur", "vein", "skin", "ear"],
        "answer": 0,
        "subject": "anatomy",
    },
}


@pytest.mark.slow
@pytest.mark.skipif(not os.environ.get(benchmarks.VARIABLE), reason="STUDIO_LM_EVAL is not set")
def test_lm_eval_itself_on_local_rows_of_its_shapes(engine: Studio, tmp_path: Path) -> None:
    for name, row in SHAPES.items():
        lines = [json.dumps(row | {"number": at}) for at in range(3)]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    (tmp_path / "gsm8k_fewshot.jsonl").write_text(
        "\n".join(json.dumps(SHAPES["gsm8k"] | {"number": at}) for at in range(6))
    )
    columns = (*BASE, Column("pocket", label="again"))
    found = benchmarks.run(engine, columns, tuple(SHAPES), 2, str(tmp_path)).result(300)
    assert found["version"] == benchmarks.VERSION
    assert [one["rows"] for one in found["benchmarks"]] == [2] * len(SHAPES)
    for one in found["benchmarks"]:
        assert one["differences"][0]["verdict"] == "no difference shown"
        assert one["columns"][0]["value"] == one["columns"][1]["value"]
