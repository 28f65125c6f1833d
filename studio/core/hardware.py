"""This machine: device, memory, bf16, cores. Nothing imports torch until `detect` is called.

`memory_now` is cheap enough for a status strip that polls every second.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any, Literal

import psutil

from studio.core import cards, zerogpu
from studio.core.formatting import bytes_of, bytes_text

Device = Literal["cuda", "mps", "cpu"]

_PACKAGES = ("torch", "transformers", "trl", "peft", "bitsandbytes", "datasets", "gradio")


@dataclass(frozen=True)
class Hardware:
    """One machine as training sees it; memory is in bytes, the host's on `mps` and `cpu`."""

    device: Device
    name: str
    memory_total: int
    memory_free: int
    bf16: bool
    cores: int
    cuda_capability: tuple[int, int] | None = None
    devices: int = 1
    host_memory_total: int = 0
    python: str = ""
    system: str = ""
    packages: tuple[tuple[str, str], ...] = ()
    index: int = 0
    """Which of the visible GPUs this is about."""
    warning: str = ""
    """Why a GPU that is there is not used, or not well, and what to do; empty otherwise."""

    def as_dict(self) -> dict[str, Any]:
        """As JSON-serializable values; packages map name to version."""
        return {**asdict(self), "packages": dict(self.packages)}

    def line(self) -> str:
        """`CPU · 2 cores · 24.9 GB` or `NVIDIA L4 · 22.1 of 24.1 GB free`."""
        total = bytes_text(self.memory_total)
        if self.device == "cpu":
            return f"CPU · {self.cores} cores · {total}"
        return f"{self.name} · {bytes_of(self.memory_free, self.memory_total)} free"


def cores() -> int:
    """Cores this process may use: the container's share, not the whole machine's."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def _cgroup_limit() -> int | None:
    """The container's memory limit in bytes, where one is set (cgroup v2, then v1)."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as file:
                text = file.read().strip()
        except OSError:
            continue
        if text.isdigit() and int(text) < 1 << 60:
            return int(text)
    return None


def host_memory() -> tuple[int, int]:
    """`(available, total)` bytes of the host, within the container's limit."""
    memory = psutil.virtual_memory()
    limit = _cgroup_limit()
    total = min(memory.total, limit) if limit else memory.total
    return min(memory.available, total), total


def memory_now() -> tuple[int, int]:
    """`(used, total)` bytes for the status strip: the GPU's once torch uses it, else ours.

    On a CPU `used` is this process's resident memory. Never imports torch.
    """
    torch = sys.modules.get("torch")
    cuda = getattr(torch, "cuda", None)
    if cuda is not None and cuda.is_available() and cuda.is_initialized():
        free, total = cuda.mem_get_info(cards.in_use())
        return total - free, total
    return psutil.Process().memory_info().rss, host_memory()[1]


def memory_for_a_run(here: Hardware) -> int:
    """Bytes that a run in this process can have: what is free, and what this process holds.

    It reuses what it holds: PyTorch's reserve on a GPU, the base in memory among it, or its own
    resident memory on a CPU.
    """
    held = psutil.Process().memory_info().rss
    if here.device == "cuda":
        import torch

        held = torch.cuda.memory_reserved(here.index)
    return min(here.memory_free + held, here.memory_total)


def versions() -> tuple[tuple[str, str], ...]:
    """Installed versions of the training libraries, read without importing them."""
    found: list[tuple[str, str]] = []
    for name in _PACKAGES:
        try:
            found.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)


def cpu_name() -> str:
    """The processor's model name, or its architecture where the system does not say."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        return platform.processor() or platform.machine()
    return platform.processor() or platform.machine()


def detect(index: int | None = None) -> Hardware:
    """Inspect this machine. Imports torch, which takes seconds: no page should wait for it.

    Args:
        index: which of several GPUs to look at; the one with the most free memory by default.
    """
    import torch

    available, total = host_memory()
    common: dict[str, Any] = {
        "cores": cores(),
        "host_memory_total": total,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "packages": versions(),
        "warning": gpu_warning(),
    }
    if zerogpu.only_cpu():
        return Hardware("cpu", cpu_name(), total, available, bf16=False, **common)
    if torch.cuda.is_available():
        index = cards.choose(index)
        free, gpu_total = torch.cuda.mem_get_info(index)
        return Hardware(
            device="cuda",
            index=index,
            name=torch.cuda.get_device_name(index),
            memory_total=gpu_total,
            memory_free=free,
            bf16=torch.cuda.is_bf16_supported(including_emulation=False),
            cuda_capability=torch.cuda.get_device_capability(index),
            devices=torch.cuda.device_count(),
            **common,
        )
    if torch.backends.mps.is_available():
        return Hardware("mps", "Apple GPU", total, available, bf16=True, **common)
    return Hardware("cpu", cpu_name(), total, available, bf16=False, **common)


def gpu_warning() -> str:
    """A sentence where a GPU is there and PyTorch cannot use it, or not for all; else nothing."""
    import torch

    if zerogpu.only_cpu():
        return zerogpu.NOTE
    if torch.cuda.is_available():
        return _unsupported_card()
    driver = _nvidia_driver()
    if driver is None:
        return ""
    here = f"An NVIDIA driver ({driver}) is installed, but training runs on the CPU: "
    if torch.version.cuda is None:
        return here + (
            f"PyTorch {torch.__version__} is a build without CUDA. Install one with it, as the "
            'README says under "On a GPU".'
        )
    return here + (
        f"the driver is too old for PyTorch's CUDA {torch.version.cuda}, or hides its cards. "
        "Update the driver, or install a PyTorch build for an older CUDA; CUDA_VISIBLE_DEVICES "
        "must not be empty."
    )


def _unsupported_card() -> str:
    """A sentence where the installed wheel holds no kernels for this card."""
    import torch

    built = [arch for arch in torch.cuda.get_arch_list() if arch.startswith("sm_")]
    major, minor = torch.cuda.get_device_capability()
    numbers = [int("".join(filter(str.isdigit, arch))) for arch in built]
    # A kernel runs on later cards of its own generation.
    if not numbers or any(n // 10 == major and n % 10 <= minor for n in numbers):
        return ""
    if min(numbers) > 10 * major + minor:
        return (
            f"{torch.cuda.get_device_name()} (sm_{major}{minor}) is older than the cards that "
            f"PyTorch {torch.__version__} has kernels for ({', '.join(built)}): runs will fail. "
            "Install a PyTorch build for an older CUDA."
        )
    return ""


def _nvidia_driver() -> str | None:
    """The NVIDIA driver's version, `unknown` where only its tool is there; None without either."""
    try:
        with open("/proc/driver/nvidia/version", encoding="utf-8", errors="replace") as file:
            words = file.readline().split()
        return next((w for w in words if w.count(".") >= 1 and w[0].isdigit()), "unknown")
    except OSError:
        return "unknown" if shutil.which("nvidia-smi") else None


@functools.cache
def detected() -> Hardware:
    """`detect()`, once per process; `memory_free` is as of that call."""
    return detect()
