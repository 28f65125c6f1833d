"""The panel of the run in view, part by part: pure functions to escaped HTML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from components.ui.html import esc, section
from studio.core.formatting import figure_text
from studio.training.health import Finding

if TYPE_CHECKING:
    from studio.runs.store import Run

_SHOWN_SAMPLES = 5
Item = TypeVar("Item")
_LEVELS = {"danger": "Problem", "warn": "Warning", "info": "Note"}


# ---- datasets ------------------------------------------------------------------------------------


def datasets(run: Run) -> str:
    """A mixture's datasets: rows drawn, and the latest held-out loss of each, as a table."""
    several = run.data.get("datasets") or []
    if not several:
        return ""
    losses = [_result(run, f"eval_{one['metrics']}_loss") for one in several]
    rows = "".join(
        f"<tr><td>{esc(one['name'])}</td><td>{one['rows']['train']:,} of {one['drawn_from']:,}</td>"
        f"<td>{esc(loss)}</td></tr>"
        for one, loss in zip(several, losses, strict=True)
    )
    mean = esc(_result(run, "eval_loss"))
    return (
        f"{section('Datasets', 'held-out loss by dataset; the last row is the mean over all rows')}"
        '<div class="differences" tabindex="0"><table><thead><tr><th scope="col">dataset</th>'
        '<th scope="col">rows</th><th scope="col">held-out loss</th></tr></thead>'
        f'<tbody>{rows}<tr class="result"><td>all</td>'
        f"<td>{run.data['rows']['train']:,}</td><td>{mean}</td></tr></tbody></table></div>"
    )


# ---- health -------------------------------------------------------------------------------------


def health(found: Sequence[Finding]) -> str:
    """What is going wrong and what to change; empty for a healthy run."""
    cards = "".join(
        f'<li class="finding finding-{one.level}"><b>{esc(one.title)}</b>'
        f'<span class="finding-level">{_LEVELS[one.level]}, step {one.step:,}</span>'
        f"<p>{esc(one.means)}</p><p><strong>What to change:</strong> {esc(one.change)}</p></li>"
        for one in found
    )
    return f'<ul class="findings" role="status" aria-label="Health">{cards}</ul>' if cards else ""


# ---- samples ------------------------------------------------------------------------------------


def samples(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """Answers to a few fixed prompts, side by side: over the steps of one run, or across runs."""
    shown = {name: each for name, each in found.items() if each}
    if not shown:
        return ""
    if len(shown) == 1:
        [answers] = shown.values()
        columns = {prompt: stretches(each) for prompt, each in _by_prompt(answers).items()}
        title = section("Sample answers during training", "greedy; steps from left to right")
    else:
        columns = _across(shown)
        title = section("Final sample answers", "greedy; one column per run")
    cards = "".join(_sample_card(prompt, each) for prompt, each in columns.items() if each)
    return f'{title}<div class="samples">{cards}</div>'


def _by_prompt(answers: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    prompts: dict[str, list[Mapping[str, Any]]] = {}
    for sample in answers:
        prompts.setdefault(str(sample.get("prompt", "")), []).append(sample)
    return prompts


def _across(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[tuple[str, str]]]:
    """Prompt -> (run, its last answer), for prompts that more than one run answered."""
    last = {name: _by_prompt(answers) for name, answers in found.items()}
    prompts = dict.fromkeys(prompt for each in last.values() for prompt in each)
    across = {
        prompt: [(name, _said(each[prompt][-1])) for name, each in last.items() if prompt in each]
        for prompt in prompts
    }
    return {prompt: answers for prompt, answers in across.items() if len(answers) > 1}


def _sample_card(prompt: str, answers: Sequence[tuple[str, str]]) -> str:
    picked = spread(answers, _SHOWN_SAMPLES)
    columns = "".join(
        f"<li{' class=last' if at == len(picked) - 1 else ''}><span>{esc(where)}</span>"
        f"<p dir='auto'>{_answer(answer)}</p></li>"
        for at, (where, answer) in enumerate(picked)
    )
    return (
        f'<section class="sample"><h4 dir="auto">{esc(prompt)}</h4>'
        f'<ol tabindex="0">{columns}</ol></section>'
    )


def stretches(answers: Sequence[Mapping[str, Any]]) -> list[tuple[str, str]]:
    """(steps and reward, answer), an answer that did not change shown once: `steps 45-89`."""
    found: list[tuple[int, int, str, str]] = []
    for sample in answers:
        step, text, reward = sample["step"], _said(sample), ""
        if isinstance(sample.get("reward"), int | float):
            reward = f", reward {figure_text(sample['reward'])}"
        if found and found[-1][2:] == (text, reward):
            found[-1] = (found[-1][0], step, text, reward)
        else:
            found.append((step, step, text, reward))
    return [(_steps(first, last) + reward, text) for first, last, text, reward in found]


def _said(sample: Mapping[str, Any]) -> str:
    """A sample's answer; that it never came, where the model was still thinking."""
    if not sample.get("cut_thought"):
        return str(sample["answer"])
    return f"(cut off while thinking) {sample.get('reasoning', '')}"


def _steps(first: int, last: int) -> str:
    return f"step {first:,}" if first == last else f"steps {first:,}\N{EN DASH}{last:,}"


def _answer(text: str) -> str:
    return esc(text.strip()) or '<span class="none">(empty)</span>'


def spread(items: Sequence[Item], most: int) -> list[Item]:
    """At most `most` items, evenly spaced, with the first and the last."""
    if len(items) <= most:
        return list(items)
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


# ---- runs against each other --------------------------------------------------------------------


def differences(runs: Sequence[Run]) -> str:
    """How the recipes of several runs differ, and how each run ended."""
    if len(runs) < 2:
        return ""
    recipes = [_recipe(run) for run in runs]
    names = dict.fromkeys(name for recipe in recipes for name in recipe if name != "name")
    rows = [
        (name, [recipe.get(name) for recipe in recipes])
        for name in names
        if len({repr(recipe.get(name)) for recipe in recipes}) > 1
    ]
    head = "".join(
        f'<th scope="col"><i style="background:var(--run-{"abcdef"[at]})"></i>{esc(run.name)}</th>'
        for at, run in enumerate(runs)
    )
    same = f'<tr><td colspan="{len(runs) + 1}">The recipes are identical.</td></tr>'
    body = "".join(
        f'<tr><th scope="row">{esc(name)}</th>'
        + "".join(f"<td>{esc(_value(each))}</td>" for each in values)
        + "</tr>"
        for name, values in rows
    )
    results = (
        f'<tr class="result"><th scope="row">{title}</th>'
        + "".join(f"<td>{esc(_result(run, key))}</td>" for run in runs)
        + "</tr>"
        for title, key in (("loss", "loss"), ("held-out loss", "eval_loss"))
        if any(key in run.metrics for run in runs)
    )
    return (
        f"{section('Recipe differences')}"
        f'<div class="differences" tabindex="0"><table><thead><tr><td></td>{head}</tr></thead>'
        f"<tbody>{body or same}{''.join(results)}</tbody></table></div>"
    )


def _recipe(run: Run) -> dict[str, object]:
    return run.recipe.model_dump(mode="json")


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, float):
        return f"{value:g}"
    return "\N{EN DASH}" if value is None else str(value)


def _result(run: Run, key: str) -> str:
    value = run.metrics.get(key)
    return f"{value:.4g}" if isinstance(value, int | float) else "\N{EN DASH}"


# ---- log ----------------------------------------------------------------------------------------


def event_text(event: Mapping[str, Any]) -> str:
    """One event as a line of text."""
    kind = event.get("kind", "")
    step = event.get("step")
    match kind:
        case "log":
            values = (
                f"{name} {_figure(value)}"
                for name, value in event.items()
                if name not in ("kind", "time", "step")
            )
            return f"step {step}: {', '.join(values)}"
        case "state":
            error = event.get("error")
            return f"{event.get('state')}{': ' + str(error) if error else ''}"
        case "phase":
            return str(event.get("text", ""))
        case "start":
            return f"training from step {step} of {event.get('total_steps')}"
        case "checkpoint":
            return f"checkpoint at step {step}"
        case "rows":
            return (
                f"training on {event.get('used')} of {event.get('given')} rows; others are too long"
            )
        case "resume":
            return f"resumed from the checkpoint at step {step}"
        case "time":
            return (
                f"{event.get('seconds')} s, of which sample answers {event.get('samples')} s, "
                f"checkpoints {event.get('checkpoints')} s, held-out loss "
                f"{event.get('evaluation')} s"
            )
        case "note":
            return str(event.get("message", ""))
        case _:
            rest = {key: value for key, value in event.items() if key not in ("kind", "time")}
            return f"{kind} {rest or ''}".strip()


def _figure(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def stage(run: str, overlay: Iterable[str] = ()) -> str:
    """Tells the panel which run is in view and which ones are overlaid."""
    return (
        f'<div class="stage" data-run="{esc(run)}" data-overlay="{esc(",".join(overlay))}"></div>'
    )
