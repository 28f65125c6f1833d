"""The Hugging Face Hub: whether it can be reached, pushing, and pulling.

`huggingface_hub` does the work. A token comes from the environment or the Hub login, and is never
stored.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from studio.core.errors import ConfigError, DataError, ModelError, StudioError
from studio.core.jobs import Job
from studio.core.workspace import check_room

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

_REPO = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}")
_HIDDEN = (".", "__pycache__")  # prefixes of names that are never pushed
_NEEDED = ("*.safetensors", "*.json", "*.jinja", "*.model", "*.txt", "*.gguf", "README.md")
"""Model files that are pulled: never a pickle, never code."""
_SPARE = 256 << 20  # bytes to leave free on the disk
OnProgress = Callable[[int, int | None, str], None]
"""Called with bytes done, bytes in total, and the current file."""


def reachable(timeout: float = 4.0) -> bool:
    """Whether the Hub (or `HF_ENDPOINT`) answers a connection within `timeout` seconds.

    True behind a proxy, where only a real request could tell; False in offline mode.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY")):
        return True
    address = urlsplit(constants.ENDPOINT)
    port = address.port or (80 if address.scheme == "http" else 443)
    try:
        socket.create_connection((address.hostname or "", port), timeout).close()
    except OSError:
        return False
    return True


def check_name(repo: str, kind: str = "model") -> str:
    """`repo` itself if it reads owner/name; else a `ConfigError`."""
    if not _REPO.fullmatch(repo) or ".." in repo or "--" in repo:
        raise ConfigError(f'"{repo}" is not a valid {kind} name on the Hub; write owner/name.')
    return repo


def known_login() -> bool:
    """Whether a token is set, in the environment or by the Hub login; its value is not read."""
    from huggingface_hub import get_token

    return bool(get_token())


@contextlib.contextmanager
def sentences(repo: str, doing: str, kind: str = "model") -> Generator[None]:
    """Turn what the Hub client raises into one sentence; `doing` is write or read."""
    wrong = DataError if kind == "dataset" else ModelError
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        yield
    except HfHubHTTPError as error:
        raise _explained(error, repo, doing, wrong) from error
    except (httpx2.HTTPError, OfflineModeIsEnabled, ConnectionError) as error:
        done = "pushed" if doing == "write" else "pulled"
        raise wrong(
            f"The Hub cannot be reached or the connection was lost, so {repo} was not {done}. "
            "Try again when you are connected; finished files are not transferred twice."
        ) from error


def _explained(
    error: HfHubHTTPError, repo: str, doing: str, wrong: type[StudioError]
) -> StudioError:
    status = error.response.status_code
    if status in (401, 403):
        return ConfigError(
            f"The Hub refused to {doing} {repo}: set HF_TOKEN to a token with {doing} access to it."
        )
    if status == 404:
        return wrong(
            f"The Hub has no {repo} or no such revision, or it is private and the token has no "
            "access; check the name, or set HF_TOKEN."
        )
    if status == 429:
        return wrong(f"The Hub limits requests for {repo} (429): try again in a minute.")
    first = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return wrong(f"The Hub answered {status} for {repo}, an error on its side: {first}")


def preview(folder: Path) -> list[tuple[str, int]]:
    """(name, bytes) of exactly the files that pushing a folder uploads."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(part.startswith(_HIDDEN) for part in path.relative_to(folder).parts)
    ]
    if not files:
        raise ConfigError(f"{folder} holds no files to push.")
    return [(path.relative_to(folder).as_posix(), path.stat().st_size) for path in files]


def _check_base(folder: Path) -> None:
    """Refuse an encoder's adapter that names its base by a folder of this machine: nobody else has
    it, and its path is nobody's business."""
    if not (folder / "modules.json").is_file():
        return
    try:
        held = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    if Path(str(held.get("base_model_name_or_path", ""))).is_absolute():
        raise ConfigError(
            "This adapter names its base by a folder of this machine; export the run merged, and "
            "push that."
        )


def push(
    folder: Path,
    repo: str,
    *,
    private: bool = True,
    kind: str = "model",
    token: str | None = None,
    message: str = "",
    on_progress: OnProgress | None = None,
) -> str:
    """Upload a folder's `preview` to `owner/name`; the address, as `send` gives it."""
    check_name(repo, kind)
    _check_base(folder)
    files = [(name, folder / name) for name, _ in preview(folder)]
    message = message or f"Upload {folder.name}"
    return send(
        files,
        repo,
        private=private,
        kind=kind,
        token=token,
        message=message,
        on_progress=on_progress,
    )


def send(
    files: Sequence[tuple[str, Path]],
    repo: str,
    *,
    gone: Sequence[str] = (),
    private: bool = True,
    kind: str = "model",
    token: str | None = None,
    message: str = "",
    on_progress: OnProgress | None = None,
) -> str:
    """Upload files to a repository in one commit; the repository's address.

    The repository is created where it does not exist. Large files that the Hub already has are not
    uploaded again, so an interrupted upload resumes.

    Args:
        files: (name in the repository, path) of each.
        gone: folders to delete from the repository.
        private: a new repository's visibility; True refuses a repository that is public.

    Raises:
        ConfigError, ModelError, DataError: where the Hub refuses or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi

    total, sent = sum(path.stat().st_size for _, path in files), 0
    api = HfApi(token=token)
    with sentences(repo, "write", kind):
        api.create_repo(repo, repo_type=kind, private=private, exist_ok=True)
        if private and api.repo_info(repo, repo_type=kind).private is False:
            raise ConfigError(
                f"{repo} exists and is public, so whatever is pushed would be public too; push "
                "it as public, or name another repository."
            )
        operations: list[CommitOperationAdd | CommitOperationDelete] = []
        for name, path in files:
            if on_progress:
                on_progress(sent, total, name)
            addition = CommitOperationAdd(name, path)
            operations.append(addition)
            api.preupload_lfs_files(repo, [addition], repo_type=kind)
            sent += path.stat().st_size
        if on_progress:
            on_progress(sent, total, "creating the commit")
        operations += [CommitOperationDelete(f"{name}/", is_folder=True) for name in gone]
        api.create_commit(repo, operations, repo_type=kind, commit_message=message)
    return f"{api.endpoint}/{'datasets/' if kind == 'dataset' else ''}{repo}"


@dataclass(frozen=True)
class Pulled:
    """A model that was pulled: its folder, and the revision it is pinned to."""

    repo: str
    revision: str
    folder: Path
    bytes: int

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "folder": str(self.folder)}


def start_push(folder: Path, repo: str, private: bool = True) -> Job[dict[str, Any]]:
    """`push` of a model in a thread; its result is `{"url": address, "private": bool}`."""
    check_name(repo)
    preview(folder)
    job: Job[dict[str, Any]] = Job(kind="push")
    return job.start(
        lambda report: {
            "url": push(folder, repo, private=private, on_progress=report),
            "private": private,
        }
    )


def start_pull(repo: str, revision: str = "main") -> Job[dict[str, Any]]:
    """`pull` in a thread; its result is a `Pulled` as a mapping."""
    check_name(repo)
    job: Job[dict[str, Any]] = Job(kind="fetch")
    return job.start(lambda report: pull(repo, revision or "main", report).as_dict())


def pull(repo: str, revision: str = "main", on_progress: OnProgress | None = None) -> Pulled:
    """Download a model's files (no pickles, no code) into the Hub cache, at one revision."""
    from huggingface_hub import HfApi, constants

    check_name(repo)
    api = HfApi()
    with sentences(repo, "read"):
        info = api.model_info(repo, revision=revision, files_metadata=True)
        found = [(one.rfilename, one.size or 0) for one in info.siblings or []]
        files = [one for one in found if any(Path(one[0]).match(kind) for kind in _NEEDED)]
        total = sum(size for _, size in files)
        cache = Path(constants.HF_HUB_CACHE)
        cache.mkdir(parents=True, exist_ok=True)
        check_room(cache, total + _SPARE, repo, "Free some space, or set HF_HOME to a larger disk.")
        if not files or info.sha is None:
            raise ModelError(f"{repo} holds no safetensors, GGUF or JSON that could be used.")
        done, path = 0, ""
        for name, size in files:
            if on_progress:
                on_progress(done, total, name)
            path = api.hf_hub_download(repo, name, revision=info.sha)  # pyright: ignore[reportUnknownMemberType]
            done += size
    folder = Path(path.removesuffix(files[-1][0]))
    return Pulled(repo, info.sha, folder, total)
