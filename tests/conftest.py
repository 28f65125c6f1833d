"""For all tests: no network, no look at the user's own workspace, and the real app on demand."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
for _setting in ("STUDIO_AUTH", "STUDIO_DATABASE_URL", "GRADIO_SERVER_NAME", "SPACE_ID"):
    os.environ.pop(_setting, None)
# Where a test forgets to name a workspace, it gets an empty one.
_forgotten = tempfile.TemporaryDirectory(prefix="studio-tests-", ignore_cleanup_errors=True)
os.environ["STUDIO_HOME"] = _forgotten.name

from gradio.context import LocalContext  # noqa: E402  (after the environment is set)

from tests.asking import OWNER  # noqa: E402  (after the environment is set)
from tests.hub import StandIn, standing_in  # noqa: E402  (after the environment is set)
from tests.preloaded import PreloadedPython  # noqa: E402  (after the environment is set)
from tests.serving import Server  # noqa: E402  (after the environment is set)

# Files with the longest tests come first, so that two workers end together.
_LONGEST = (
    "tests/faults/test_killed_runs.py",
    "tests/faults/test_what_gives_out.py",
    "tests/faults/test_votes.py",
    "tests/test_readme.py",
    "tests/unit/training/test_matrix.py",
    "tests/unit/training/test_precision.py",
    "tests/unit/training/test_export.py",
    "tests/unit/training/test_runs_end_to_end.py",
    "tests/unit/training/test_reinforcement.py",
    "tests/unit/training/test_columns.py",
    "tests/unit/training/test_chains.py",
    "tests/unit/exports/test_export_run.py",
    "tests/browser/test_killed_app.py",
    "tests/browser/test_loop.py",
)


_LIBRARY = 300  # modules that are loaded when a large library was imported
_frozen = 0


def _freeze() -> None:
    """Leave what was imported out of every later look for garbage.

    Each training run collects all of it several times, and the libraries hold a million objects.
    """
    global _frozen
    gc.collect()
    gc.freeze()
    _frozen = len(sys.modules)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    gc.disable()  # it imports and makes what all stays
    try:
        return (yield)
    finally:
        gc.enable()
        _freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    if len(sys.modules) > _frozen + _LIBRARY:
        _freeze()


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With `--dist loadgroup` the tests of a file share a worker, unless they are to be spread."""
    files = {item: item.nodeid.partition("::")[0] for item in items}
    for item, file in files.items():
        if item.get_closest_marker("spread") is None:
            item.add_marker(pytest.mark.xdist_group(file))
    place = {file: at for at, file in enumerate(_LONGEST)}
    # Then the browser's, which wait for seconds, while there is something to do meanwhile.
    items.sort(
        key=lambda item: place.get(
            files[item], len(place) + (not files[item].startswith("tests/browser/"))
        )
    )


@pytest.fixture(autouse=True)
def owner() -> Iterator[None]:
    """What a test asks of the page comes from a browser on this machine, who owns all of it."""
    LocalContext.request.set(OWNER)  # pyright: ignore[reportArgumentType]
    yield
    LocalContext.request.set(None)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace folder, set as STUDIO_HOME."""
    folder = tmp_path / "home"
    monkeypatch.setenv("STUDIO_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real files named by STUDIO_REAL_DATA; skips where there is none."""
    folder = os.environ.get("STUDIO_REAL_DATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("STUDIO_REAL_DATA is not set: no real files to read here")
    return Path(folder)


@pytest.fixture(scope="module")
def start_server(
    tmp_path_factory: pytest.TempPathFactory, preloaded: PreloadedPython | None
) -> Iterator[Callable[..., Server]]:
    """`start_server(home=None, **environment)` starts an app of its own; all end with the file.

    They are forked from a process that has the libraries: that the page is up before those are
    loaded is for `python app.py` itself to show (tests/app/test_shell.py). None is left running,
    for Gradio's queue takes 8 % of a core where nobody asks for anything.
    """
    started: list[Server] = []

    def start(home: Path | None = None, **environment: str) -> Server:
        folder = home or tmp_path_factory.mktemp("server") / "home"
        server = Server(folder, environment=environment, python=preloaded)
        started.append(server)
        return server.start()

    yield start
    for server in started:  # all at once: each takes its seconds
        if server.process is not None:
            server.process.terminate()
    for server in started:
        server.stop()


@pytest.fixture
def hub() -> Iterator[tuple[type[StandIn], str]]:
    """A stand-in for the Hub: what it holds, and its address."""
    with standing_in() as found:
        yield found


@pytest.fixture(scope="session")
def workers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The one folder of this session's that all its workers share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def preloaded(workers_folder: Path) -> Iterator[PreloadedPython | None]:
    """A process that has the libraries loaded already, one for all workers.

    None with a GPU, for CUDA does not survive a fork.
    """
    import torch

    if torch.cuda.is_available():
        yield None
        return
    python = PreloadedPython(workers_folder / "preloaded-python")
    yield python
    python.close()


@pytest.fixture(scope="session")
def preloaded_python(preloaded: PreloadedPython | None) -> Path:
    """The `python` of that process, or the ordinary one; its folder may stand first on a PATH."""
    return preloaded.executable if preloaded else Path(sys.executable)
