"""A Space on ZeroGPU, with the real `spaces` package and without a GPU; prints one JSON object.

Its device API is a server here. The process that it forks for a call would find a real GPU, and
ends its emulation of CUDA first; here the emulation goes on in that process's threads, so that what
is not moved to CUDA there fails as it would.
"""

# pyright: reportMissingImports=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportAttributeAccessIssue=false
# pyright: reportPrivateUsage=false, reportUnknownLambdaType=false, reportUnknownParameterType=false

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

FOLDER = Path(sys.argv[1])
ASKED: list[tuple[str, dict[str, list[str]]]] = []
EMPTY = threading.Event()  # set: no quota is left


class DeviceApi(BaseHTTPRequestHandler):
    """What ZeroGPU's nodes answer the package."""

    def do_POST(self) -> None:
        url = urlsplit(self.path)
        ASKED.append((url.path, parse_qs(url.query)))
        lent: dict[str, Any] = {
            "idle": True,
            "nvidiaIndex": 0,
            "nvidiaUUID": "GPU-0",
            "allowToken": "token",
        }
        refused = EMPTY.is_set() and url.path == "/schedule"
        body = json.dumps({"left": 3, "wait": 60} if refused else lent).encode()
        self.send_response(429 if refused else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None: ...


def install() -> None:
    """Import the package as a Space does, on a machine without CUDA."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), DeviceApi)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ["SPACES_ZERO_GPU"] = "true"
    os.environ["SPACES_ZERO_DEVICE_API_URL"] = f"http://127.0.0.1:{server.server_port}"
    import torch

    torch.version.cuda = "13.0"  # of the wheel that a Space has
    for name in ("_cuda_init", "_cuda_getCurrentRawStream"):  # which a CPU build lacks
        setattr(torch._C, name, bool)
    torch.cuda._is_in_bad_fork = bool
    import gradio as _  # noqa: F401
    import spaces as _s  # noqa: F401
    from spaces.zero import torch as emulation
    from spaces.zero import wrappers

    emulation.unpatch = emulation.init = emulation.move = lambda *args, **kwargs: None
    run = threading.Thread.run

    def run_emulating(thread: threading.Thread) -> None:
        if wrappers.forked:
            emulation.enter_mode()
        run(thread)

    threading.Thread.run = run_emulating
    torch.cuda.get_rng_state = lambda device="cuda": torch.empty(0, dtype=torch.uint8)
    torch.cuda.set_rng_state = lambda state, device="cuda": None


def watch_generate() -> None:
    """Record where `generate` runs and on what; break off at a prompt that asks for it."""
    from transformers import GenerationMixin

    generate = GenerationMixin.generate

    def watched(model: Any, **inputs: Any) -> Any:
        ids, weights = inputs["input_ids"], next(model.parameters())
        place = {"pid": os.getpid(), "ids": str(ids.device), "model": str(weights.device)}
        with (FOLDER / "places.jsonl").open("a") as file:
            file.write(json.dumps(place) + "\n")
        if (FOLDER / "broken").exists():
            raise RuntimeError("CUDA error: out of memory")
        return generate(model, **inputs)

    GenerationMixin.generate = watched


def answers(studio: Any, **settings: Any) -> list[dict[str, Any]]:
    """The cells of one prompt under the base; its own greedy tokens come first."""
    from studio.generation.request import Column, GenerationRequest, Sampling

    sampling = Sampling(max_new_tokens=8, **settings)
    asked = studio.generate(
        GenerationRequest(("Tell me about the sea.",), (Column("pocket"),), sampling)
    )
    if not asked.wait(120):
        raise TimeoutError("no answer")
    return [vars(cell) for cell in asked.snapshot().answers[0]]


def stock(studio: Any, seed: int | None) -> list[int]:
    """The same answer by plain `generate`, on the CPU of this process."""
    from studio.models.tokenization import encode

    def work(pool: Any) -> list[int]:
        import torch

        resident = pool.base("pocket")
        _, ids = encode(resident.tokenizer, "Tell me about the sea.", False, None)
        torch.manual_seed(seed or 0)
        sampled = {"do_sample": True, "temperature": 0.9, "top_p": 1.0, "top_k": 0}
        out = resident.model.generate(
            input_ids=torch.tensor([ids]),
            attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            max_new_tokens=8,
            **({"do_sample": False} if seed is None else sampled),
        )
        return out[0, len(ids) :].tolist()

    return studio.worker.submit(work).result(120)


def main() -> None:
    install()
    from studio.core.hardware import detect
    from studio.engine.studio import Studio
    from studio.generation import zerogpu

    zerogpu.announce()
    from spaces.zero.decorator import decorated_cache

    announced = len(decorated_cache)
    studio = Studio(FOLDER / "home")
    watch_generate()
    told: dict[str, Any] = {"greedy": answers(studio)}
    told["sampled"] = answers(studio, temperature=0.9, top_p=1.0, top_k=0, seed=7)
    (FOLDER / "broken").touch()
    told["broken"] = answers(studio)
    (FOLDER / "broken").unlink()
    EMPTY.set()
    told["refused"] = answers(studio)
    places = [json.loads(line) for line in (FOLDER / "places.jsonl").read_text().splitlines()]
    told |= {"stock": stock(studio, None), "stock_sampled": stock(studio, 7), "places": places}
    told |= {"pid": os.getpid(), "asked": ASKED, "kept": len(decorated_cache) - announced}
    told |= {"device": detect().device, "note": detect().warning}
    children = multiprocessing.active_children()
    for child in children:
        child.join(10)
    told["left"] = sum(child.is_alive() for child in children)
    sys.stdout.write(json.dumps(told, default=str) + "\n")
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
