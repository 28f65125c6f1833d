"""Jobs on the Hub's machines: what hardware there is and costs, starting, watching, canceling.

`huggingface_hub` does the work (read in 2.4). Its `run_uv_job` sends a local script through a Xet
bucket and leaves it there; here the script lies in the run's own private repository, which is
mounted, and `run_job` starts the same command in the same image. The token travels as the job's
secret and is never stored or logged.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from studio.core.errors import ConfigError, ModelError, did_you_mean

IMAGE = "ghcr.io/astral-sh/uv:python3.12-bookworm"  # that `run_uv_job` takes
_MOUNT = "/studio-run"
SCRIPT = "job.py"
LONGEST = "24h"  # a job that hangs ends, and costs no more
_HOURS = {"second": 1 / 3600, "minute": 1 / 60, "hour": 1.0, "day": 24.0}
ENDED = ("COMPLETED", "CANCELED", "ERROR", "DELETED")
_LOGIN = "Log in to the Hub first: run `hf auth login`, or set HF_TOKEN."


class Unreachable(ModelError):
    """The Hub did not answer, or had an error of its own: the same request may work later."""


@dataclass(frozen=True)
class Flavor:
    """A machine: its price in US dollars an hour, `memory` of all its GPUs in bytes."""

    name: str
    title: str
    price: float
    gpu: str = ""
    count: int = 0
    memory: int = 0


@dataclass(frozen=True)
class JobState:
    """A job's stage, by the Hub's name, what it says of it, and the seconds it has run."""

    stage: str
    message: str = ""
    seconds: float = 0.0

    @property
    def ended(self) -> bool:
        return self.stage in ENDED


def login() -> str:
    """The token that jobs are started with; a `ConfigError` where nobody is logged in."""
    from huggingface_hub import get_token

    token = get_token()
    if not token:
        raise ConfigError(_LOGIN)
    return token


def flavors() -> list[Flavor]:
    """The machines that jobs can run on, with today's prices, as the Hub lists them."""
    from huggingface_hub import HfApi

    with _sentences("list its hardware"):
        return [_flavor(each) for each in HfApi().list_jobs_hardware()]


def _flavor(told: Any) -> Flavor:
    price = told.unit_cost_usd / _HOURS.get(told.unit_label, 1 / 60)
    chip = told.accelerator
    if chip is None:
        return Flavor(told.name, told.pretty_name, price)
    digits = re.match(r"[\d.]+", chip.vram)
    memory = round(float(digits.group()) * 1e9) if digits else 0
    return Flavor(told.name, told.pretty_name, price, chip.model, int(chip.quantity), memory)


def find_flavor(name: str, known: Sequence[Flavor]) -> Flavor:
    """A flavor that a job can train on; a `ConfigError` names what there is."""
    found = next((each for each in known if each.name == name), None)
    names = [each.name for each in known if each.count < 2]
    if found is None:
        raise ConfigError(
            f"HF Jobs has no flavor {name!r}.{did_you_mean(name, names)} Known: {', '.join(names)}."
        )
    if found.count > 1:
        raise ConfigError(
            f"{name} has {found.count} GPUs, and a job trains on one; choose a flavor with one: "
            f"{', '.join(each.name for each in known if each.count == 1)}."
        )
    return found


def namespace() -> str:
    """The account that jobs run and are paid for under."""
    from huggingface_hub import HfApi

    token = login()
    with _sentences("say who is logged in"):
        api: Any = HfApi(token=token)
        return str(api.whoami()["name"])


def start(repo: str, flavor: str) -> tuple[str, str]:
    """Start `job.py` of a repository on a machine; the job's id and page.

    The script is told to push its result to the same repository.
    """
    from huggingface_hub import HfApi, Volume

    token = login()
    with _sentences("start a job"):
        job = HfApi(token=token).run_job(
            image=IMAGE,
            command=["uv", "run", f"{_MOUNT}/{SCRIPT}", "--push-to", repo],
            secrets={"HF_TOKEN": token},
            flavor=flavor,
            timeout=LONGEST,
            labels={"name": repo.partition("/")[2]},
            volumes=[Volume(type="model", source=repo, mount_path=_MOUNT, read_only=True)],
            namespace=repo.partition("/")[0],
        )
    return job.id, job.url


def look(job: str, owner: str) -> JobState:
    """A job's state now."""
    from huggingface_hub import HfApi

    with _sentences("say how the job is"):
        found = HfApi(token=login()).inspect_job(job_id=job, namespace=owner)
    seconds = (found.durations.running_secs if found.durations else None) or 0.0
    stage = getattr(found.status.stage, "value", found.status.stage)
    return JobState(str(stage), found.status.message or "", float(seconds))


def log_lines(job: str, owner: str) -> list[str]:
    """All lines of a job's log so far."""
    from huggingface_hub import HfApi

    with _sentences("send the job's log"):
        api = HfApi(token=login())
        return list(api.fetch_job_logs(job_id=job, namespace=owner, follow=False))


def cancel(job: str, owner: str) -> None:
    """End a job; what it has pushed stays."""
    from huggingface_hub import HfApi

    with _sentences("cancel the job"):
        HfApi(token=login()).cancel_job(job_id=job, namespace=owner)


@contextlib.contextmanager
def _sentences(doing: str) -> Generator[None]:
    """Turn what the Hub's client raises into one sentence; `doing` completes "refused to ..."."""
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    try:
        yield
    except LocalTokenNotFoundError as error:
        raise ConfigError(_LOGIN) from error
    except HfHubHTTPError as error:
        raise _explained(error.response.status_code, str(error), doing) from error
    except (httpx2.HTTPError, OfflineModeIsEnabled, ConnectionError) as error:
        raise Unreachable(
            f"The Hub cannot be reached, so it could not {doing}. Try again when you are connected."
        ) from error


def _explained(status: int, text: str, doing: str) -> ConfigError | ModelError:
    if status == 402:
        return ConfigError(
            "The account has no credit for HF Jobs (402): add some under "
            "huggingface.co/settings/billing, or train here."
        )
    if status in (401, 403):
        return ConfigError(
            f"The Hub refused to {doing} ({status}): the token is wrong, or lacks the permission "
            "to run jobs. Log in again with `hf auth login`, or set HF_TOKEN."
        )
    if status == 404:
        return ModelError(f"The Hub could not {doing}: it does not know it (any more).")
    first = (text.splitlines() or [""])[0][:200]
    if status == 429 or status >= 500:
        return Unreachable(f"The Hub could not {doing} just now ({status}): {first}")
    return ModelError(f"The Hub could not {doing} ({status}): {first}")
