"""Runs EleutherAI's lm-eval (read in 0.4.13) in its own environment, asking the studio over a pipe.

Started by `studio.workflows.benchmarks` with the Python that has lm-eval; imports nothing of the
studio. The first line in is the order (tasks, limit, data); lines out are questions, each answered
by one line in, then the values of every row, or an error.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

SUBJECTS = 57  # of MMLU, whose limit counts for each subject
FOLDERS = ("ifeval", "gsm8k", "arc", "hellaswag", "mmlu/default")
"""Of lm-eval's tasks, those that are offered: reading its thousands of files takes a minute."""
ANSWERED: dict[str, Any] = {}


def ask(kind: str, items: list[Any]) -> list[Any]:
    """One question to the studio; its answers in order."""
    tell({"ask": kind, "items": items})
    return json.loads(ANSWERED["from"].readline())["answers"]


def tell(value: dict[str, Any]) -> None:
    """A line to the studio."""
    ANSWERED["to"].write(json.dumps(value) + "\n")
    ANSWERED["to"].flush()


def model() -> Any:
    """lm-eval's interface to a model, answered by the studio."""
    from lm_eval.api.model import LM  # pyright: ignore[reportMissingImports]

    class Studio(LM):
        tokenizer_name = "studio"

        def apply_chat_template(self, chat_history: Any, add_generation_prompt: bool = True) -> str:
            return json.dumps(chat_history)  # the studio renders it by the model's own template

        def chat_template(self, chat_template: Any = False) -> str:
            return "studio"

        def loglikelihood(self, requests: Any, **_: Any) -> Any:
            found = ask("loglikelihood", [list(one.args) for one in requests])
            return [(value, bool(greedy)) for value, greedy in found]

        def loglikelihood_rolling(self, requests: Any, **_: Any) -> Any:
            raise NotImplementedError("perplexity of whole documents is not asked of the studio")

        def generate_until(self, requests: Any, **_: Any) -> Any:
            return ask("generate_until", [list(one.args) for one in requests])

    return Studio()


def spec(name: str, manager: Any, folder: Path) -> Any:
    """A task by name; with its rows from `folder`, where `NAME.jsonl` is there."""
    rows = folder / f"{name}.jsonl"
    if not folder.name or not rows.is_file():
        return name
    from lm_eval.tasks._yaml_loader import load_yaml  # pyright: ignore[reportMissingImports]

    known = "mmlu_anatomy" if name == "mmlu" else name
    config = dict(load_yaml(manager.task_index[known].yaml_path, resolve_func=True, recursive=True))
    shots = folder / f"{name}_fewshot.jsonl"
    files = {"test": str(rows)} | ({"fewshot": str(shots)} if shots.is_file() else {})
    for key in ("training_split", "validation_split", "fewshot_split", "fewshot_config", "tag"):
        config.pop(key, None)
    config |= {
        "task": name,
        "description": "",
        "dataset_path": "json",
        "dataset_name": None,
        "dataset_kwargs": {"data_files": files},
        "test_split": "test",
    }
    if len(files) > 1:
        config |= {"fewshot_split": "fewshot", "fewshot_config": {"sampler": "first_n"}}
    else:
        config["num_fewshot"] = 0
    return config


def values(order: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Of every task asked for, the rows with their metrics, in lm-eval's words."""
    import lm_eval  # pyright: ignore[reportMissingImports]
    from lm_eval.tasks import TaskManager  # pyright: ignore[reportMissingImports]

    tasks = Path(str(lm_eval.__file__)).parent / "tasks"
    manager = TaskManager(
        include_path=[str(tasks / name) for name in FOLDERS], include_defaults=False
    )
    folder = Path(order["data"] or "")
    found: dict[str, list[dict[str, Any]]] = {}
    for name in order["tasks"]:
        given = spec(name, manager, folder)
        limit = order["limit"]
        if name == "mmlu" and given == name:
            limit = -(-limit // SUBJECTS)
        writes = name in order["generated"]  # a chat answers; choices are read as bare text
        done: Any = lm_eval.simple_evaluate(
            model=model(),
            tasks=[given],
            limit=limit,
            bootstrap_iters=0,
            task_manager=manager,
            apply_chat_template=writes,
            fewshot_as_multiturn=writes,
        )
        samples = done["samples"].items()
        found[name] = [row(task, one) for task, rows in sorted(samples) for one in rows]
        tell({"done": name, "rows": len(found[name])})
    return found


def row(task: str, sample: dict[str, Any]) -> dict[str, Any]:
    """One row of a task by one filter: its metrics, and what it is told apart by."""
    kept = {
        name: float(sample[name])
        for name in sample.get("metrics", ())
        if isinstance(sample.get(name), bool | int | float)
    }
    return {"row": f"{task} {sample['doc_id']}", "filter": sample.get("filter", "none"), **kept}


def main() -> None:
    """Read the order, run it, and tell what came of it."""
    ANSWERED["from"] = os.fdopen(os.dup(0))
    ANSWERED["to"] = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is not for the pipe
    sys.stdout = sys.stderr
    order = json.loads(ANSWERED["from"].readline())
    try:
        import lm_eval  # pyright: ignore[reportMissingImports]

        version = getattr(lm_eval, "__version__", "unknown")
        tell({"values": values(order), "version": version})
    except Exception as error:
        first = (str(error).strip().splitlines() or [""])[0]
        tell({"error": f"{type(error).__name__}: {first}"[:400]})


if __name__ == "__main__":
    main()
