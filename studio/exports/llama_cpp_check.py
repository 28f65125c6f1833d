"""A GGUF file as llama.cpp reads it, by llama-cpp-python where that is installed.

It runs in its own process: compiled for another processor it may crash, and must not take the
studio down. `python -m studio.exports.llama_cpp_check FILE FOLDER` is that process; it imports no
torch.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from studio.core.errors import ModelError
from studio.core.workspace import ROOT

_QUESTIONS, _ANSWERS, _LOGITS = "questions.json", "answers.json", "logits.npz"
_WITHIN = 1800  # seconds
_F32 = 0  # ggml's number for the type


@dataclass(frozen=True)
class Questions:
    """Texts to tokenize, prompts to answer greedily in at most `longest` tokens, and sequences
    whose logits are wanted."""

    texts: list[str]
    prompts: list[list[int]]
    sequences: list[list[int]]
    ends: list[int]
    longest: int


@dataclass(frozen=True)
class Answers:
    """`tokens[i]` of a text, `answers[i]` to a prompt, `logits[i]` [tokens, vocabulary] float32."""

    version: str
    tokens: list[list[int]]
    answers: list[list[int]]
    logits: list[Any]


def installed() -> bool:
    return importlib.util.find_spec("llama_cpp") is not None


def ask(file: Path, questions: Questions, folder: Path) -> Answers:
    """llama.cpp's answers, exchanged through `folder`; `ModelError` where it cannot read it."""
    import numpy as np

    (folder / _QUESTIONS).write_text(json.dumps(asdict(questions)), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "studio.exports.llama_cpp_check",
        str(file.resolve()),
        str(folder.resolve()),
    ]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=_WITHIN)
    except subprocess.TimeoutExpired:
        raise ModelError(f"llama.cpp did not answer within {_WITHIN // 60} minutes.") from None
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["it printed nothing"])[-1][:300]
        why = f"it crashed (signal {-done.returncode})" if done.returncode < 0 else last
        raise ModelError(f"llama-cpp-python could not read the file: {why}.")
    told = json.loads((folder / _ANSWERS).read_text(encoding="utf-8"))
    with np.load(folder / _LOGITS) as held:
        logits = [held[f"arr_{at}"] for at in range(len(questions.sequences))]
    return Answers(told["version"], told["tokens"], told["answers"], logits)


def main(file: str, folder: str) -> None:
    import llama_cpp  # pyright: ignore[reportMissingImports]
    import numpy as np

    asked = Questions(**json.loads(Path(folder, _QUESTIONS).read_text(encoding="utf-8")))
    room = max(map(len, [*asked.sequences, *asked.prompts])) + asked.longest
    # An unquantized KV cache, so that any difference comes from the file.
    model = llama_cpp.Llama(
        file, n_ctx=room, logits_all=True, type_k=_F32, type_v=_F32, verbose=False
    )
    logits = []
    for sequence in asked.sequences:
        _read(model, sequence)
        logits.append(model.scores[: len(sequence)].copy())
    told = {
        "version": llama_cpp.__version__,
        "tokens": [
            model.tokenize(text.encode(), add_bos=False, special=True) for text in asked.texts
        ],
        "answers": [_answer(model, prompt, asked) for prompt in asked.prompts],
    }
    np.savez(Path(folder, _LOGITS), *logits)
    Path(folder, _ANSWERS).write_text(json.dumps(told), encoding="utf-8")


def _read(model: Any, tokens: list[int]) -> None:
    model.reset()
    model.eval(tokens)


def _answer(model: Any, prompt: list[int], asked: Questions) -> list[int]:
    _read(model, prompt)
    answer: list[int] = []
    while len(answer) < asked.longest and (not answer or answer[-1] not in asked.ends):
        answer.append(int(model.scores[model.n_tokens - 1].argmax()))
        model.eval(answer[-1:])
    return answer


if __name__ == "__main__":
    main(*sys.argv[1:])
