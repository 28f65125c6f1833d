"""A GGUF file as llama.cpp reads it, by llama-cpp-python where that is installed.

It runs in its own process: compiled for another processor it may crash, and must not take the
studio down. `python -m studio.exports.llama_cpp_check FILE FOLDER` is that process; it imports no
torch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from studio.core.errors import ModelError
from studio.exports import child_process, llama_cpp_installed

_QUESTIONS, _ANSWERS, _LOGITS = "questions.json", "answers.json", "logits.npz"
_F32 = 0  # ggml's number for the type


@dataclass(frozen=True)
class Questions:
    """Texts to tokenize, prompts to answer greedily in at most `longest` tokens, sequences whose
    logits are wanted, and rows whose loss is: `counted[i][j]` says whether it counts `rows[i][j]`.

    `lora` is a GGUF adapter to apply to the file, if any.
    """

    texts: list[str]
    prompts: list[list[int]]
    sequences: list[list[int]]
    ends: list[int]
    longest: int
    rows: list[list[int]] = field(default_factory=list)
    counted: list[list[bool]] = field(default_factory=list)
    lora: str | None = None


@dataclass(frozen=True)
class Answers:
    """`tokens[i]` of a text, `answers[i]` to a prompt, `logits[i]` [tokens, vocabulary] float32,
    and the mean loss of a counted token (None without rows)."""

    version: str
    tokens: list[list[int]]
    answers: list[list[int]]
    logits: list[Any]
    loss: float | None = None


def installed() -> bool:
    return llama_cpp_installed()


def ask(
    file: Path, questions: Questions, folder: Path, on_wait: Callable[[], None] = lambda: None
) -> Answers:
    """llama.cpp's answers, exchanged through `folder`; `ModelError` where it cannot read it.

    `on_wait` is called meanwhile and may raise to stop it.
    """
    import numpy as np

    (folder / _QUESTIONS).write_text(json.dumps(asdict(questions)), encoding="utf-8")
    given = [str(file.resolve()), str(folder.resolve())]
    try:
        child_process.run("studio.exports.llama_cpp_check", given, on_wait)
    except ModelError as error:
        raise ModelError(f"llama-cpp-python could not read the file: {error}.") from None
    told = json.loads((folder / _ANSWERS).read_text(encoding="utf-8"))
    with np.load(folder / _LOGITS) as held:
        logits = [held[f"arr_{at}"] for at in range(len(questions.sequences))]
    return Answers(told["version"], told["tokens"], told["answers"], logits, told["loss"])


def main(file: str, folder: str) -> None:
    import llama_cpp  # pyright: ignore[reportMissingImports]
    import numpy as np

    asked = Questions(**json.loads(Path(folder, _QUESTIONS).read_text(encoding="utf-8")))
    room = max(map(len, [*asked.sequences, *asked.prompts, *asked.rows])) + asked.longest
    lora = {"lora_path": asked.lora} if asked.lora else {}
    # An unquantized KV cache, so that any difference comes from the file.
    model = llama_cpp.Llama(
        file, n_ctx=room, logits_all=True, type_k=_F32, type_v=_F32, verbose=False, **lora
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
        "loss": _loss(model, asked),
    }
    np.savez(Path(folder, _LOGITS), *logits)
    Path(folder, _ANSWERS).write_text(json.dumps(told), encoding="utf-8")


def _read(model: Any, tokens: list[int]) -> None:
    model.reset()
    model.eval(tokens)


def _loss(model: Any, asked: Questions) -> float | None:
    """Mean negative log-probability of the counted tokens."""
    import numpy as np

    total, tokens = 0.0, 0
    for row, counted in zip(asked.rows, asked.counted, strict=True):
        _read(model, row)
        scores = model.scores[: len(row) - 1].astype(np.float64)
        top = scores.max(-1)
        whole = np.log(np.exp(scores - top[:, None]).sum(-1)) + top
        losses = whole - scores[np.arange(len(row) - 1), row[1:]]
        total += float(losses[counted[1:]].sum())
        tokens += sum(counted[1:])
    return total / tokens if tokens else None


def _answer(model: Any, prompt: list[int], asked: Questions) -> list[int]:
    _read(model, prompt)
    answer: list[int] = []
    while len(answer) < asked.longest and (not answer or answer[-1] not in asked.ends):
        answer.append(int(model.scores[model.n_tokens - 1].argmax()))
        model.eval(answer[-1:])
    return answer


if __name__ == "__main__":
    main(*sys.argv[1:])
