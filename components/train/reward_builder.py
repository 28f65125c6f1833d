"""Rewards on the Train form: rows of parts in place of a line of text, tried on sample answers.

The recipe's own `reward_funcs` and `reward_weights` stay what counts: two text fields out of sight,
which the rows write in the browser, and from which the rows are drawn anew whenever the form is
filled from elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.ui import access
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import esc, notice, progress_bar
from components.ui.recipe_fields import joined
from studio.core.errors import ConfigError
from studio.core.formatting import plural
from studio.core.jobs import Job
from studio.rewards import KINDS
from studio.runs.objectives import REWARDED
from studio.runs.recipe import Recipe
from studio.workflows.rewards import models, preview_rewards, suggest_rewards

if TYPE_CHECKING:
    from studio import Studio

Updates = dict[Any, Any]
# Not as a property: an update that comes before the tab was first opened leaves only the value.
_SHOWN = json.dumps([{"kind": kind, **row._asdict()} for kind, row in KINDS.items()])
_ON_LOAD = """
studioRewards(element, server, KINDS, {
  value: () => props.value,
  give: value => { props.value = value; trigger('input'); },
  watch: callback => watch('value', callback),
});
""".replace("KINDS", _SHOWN)
_TO_TEXT = "value => [value.funcs, value.weights]"
_PROMPTS, _ANSWERS = 4, 4
_WHOSE = [("Starting model", "model"), ("The dataset's own", "rows")]
_EXPLAINED = (
    "Every prompt gets a group of answers; those with a reward above the group's mean become "
    "likelier. Group size, temperature, clip range and KL weight (beta) are under More, Objective."
)


class RewardBuilder:
    """The section, there for the objectives that learn from rewards."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def lay_out(self, add: Callable[..., None]) -> None:
        """The section; `add` puts a field's widget into the open layout."""
        with gr.Column(visible=False, elem_id="train-rewards") as self.box:
            gr.HTML(f'<h4>Rewards</h4><p class="quiet">{_EXPLAINED}</p>')
            self.rows = gr.HTML(
                {"funcs": "", "weights": ""},
                html_template='<div class="reward-rows"></div>',
                js_on_load=_ON_LOAD,
                server_functions=[_models(self.studio)],
                apply_default_css=False,
                elem_id="reward-rows",
            )
            with gr.Column(elem_id="reward-texts"):
                add("reward_funcs")
                add("reward_weights")
            with gr.Accordion("Judge", open=False, elem_classes="fold inner"):
                add("judge_rubric", lines=3, max_lines=8)
                add("judge_max_new_tokens")
            self.whose = gr.Radio(
                _WHOSE,
                value="model",
                label="Sample answers of",
                elem_id="reward-whose",
                elem_classes="segmented",
            )
            with gr.Row():
                self.suggest = gr.Button("Suggest from the rows", size="sm", elem_id="reward-fit")
                self.begin = gr.Button("Try on sample answers", size="sm", elem_id="reward-try")
            self.tried = gr.HTML("", elem_id="reward-tried")

    def bind(self, fields: Mapping[str, Any], read: Callable[[Mapping[Any, Any]], Recipe]) -> None:
        """Bind the handlers; `read` makes a recipe of what the form's `fields` hold."""
        self.texts = {name: fields[f"reward_{name}"] for name in ("funcs", "weights")}
        self.rows.input(None, self.rows, list(self.texts.values()), js=_TO_TEXT, **QUIET)

        def try_out(data: Mapping[Any, Any]) -> Iterator[Updates]:
            yield from self._try(lambda: read(data), _ANSWERS * (data[self.whose] == "model"))

        def suggest(data: Mapping[Any, Any]) -> Updates:
            return self._suggest(lambda: read(data))

        self.suggest.click(
            guard(suggest),
            set(fields.values()),
            [self.rows, *self.texts.values(), self.tried],
            **QUIET,
        )
        self.begin.click(
            guard(try_out),
            {*fields.values(), self.whose},
            [self.tried, self.begin],
            concurrency_limit=None,
            **QUIET,
        )

    def follow(self, objective: str, updates: Updates) -> Updates:
        """The section there or not, and its rows as the form is being filled."""
        rewarded = objective in REWARDED
        more: Updates = {self.box: gr.update(visible=rewarded)}
        if rewarded and self.texts["funcs"] in updates:
            shown = {name: updates.get(text, {}) for name, text in self.texts.items()}
            if "value" in shown["funcs"]:
                more[self.rows] = {n: each.get("value") or "" for n, each in shown.items()}
        return updates | more

    def _suggest(self, read: Callable[[], Recipe]) -> Updates:
        """The rewards that fit the chosen rows, in place of what stands there."""
        try:
            found = suggest_rewards(self.studio, read())
        except Exception as error:
            return {self.tried: notice("error", sentence(error))}
        if found is None:
            why = "The rows do not show which reward fits; add a term for what you want of answers."
            return {self.tried: notice("warn", why)}
        funcs = joined("reward_funcs", found.rewards)
        return {
            self.rows: {"funcs": funcs, "weights": ""},
            self.texts["funcs"]: funcs,
            self.texts["weights"]: "",
            self.tried: notice("info", f"{', '.join(found.rewards)}: {found.why}."),
        }

    # ---- trying ----------------------------------------------------------------------------------

    def _try(self, read: Callable[[], Recipe], n: int) -> Iterator[Updates]:
        try:
            recipe = read()
            if not recipe.reward_funcs:
                raise ConfigError("Add a reward first, such as the length in words.")
        except Exception as error:
            yield {self.tried: notice("error", sentence(error))}
            return
        yield {
            self.begin: gr.update(value="Scoring", interactive=False),
            self.tried: progress_bar(0, None, "Answering" if n else "Rewarding"),
        }
        work = Job().start(lambda _: preview_rewards(self.studio, recipe, _PROMPTS, n))
        try:
            said = table(work.result(), recipe.reward_weights)
        except Exception as error:
            said = notice("error", sentence(error))
        yield {
            self.begin: gr.update(value="Try on sample answers", interactive=True),
            self.tried: said,
        }


def _models(studio: Studio) -> Callable[[Any], dict[str, Any]]:
    """The browser's question which reward models there are, newest first."""

    def reward_models(_: Any) -> dict[str, Any]:
        try:
            access.person().must_own("see the runs")
            runs = models(studio)
        except Exception as error:  # logged by `sentence` unless it is one of ours
            return {"error": sentence(error)}
        return {"runs": [{"id": run.id, "name": run.name} for run in runs]}

    return reward_models


def table(found: list[dict[str, Any]], weights: tuple[float, ...] | None) -> str:
    """Sample answers under their prompts: each part before its weight, and the sum."""
    if not found:
        return notice("warn", "These rows hold no answer of their own; take the starting model's.")
    by_part = dict(zip(found[0]["parts"], weights or (1.0,) * len(found[0]["parts"]), strict=True))
    groups = [(asked, list(each)) for asked, each in groupby(found, lambda one: one["prompt"])]
    body = "".join(
        f"<section><h5>{esc(asked)}</h5><ol>{''.join(_answer(one, each, by_part) for one in each)}"
        "</ol></section>"
        for asked, each in groups
    )
    return f'{_spread(groups)}<div class="reward-tried" tabindex="0">{body}</div>'


def _answer(one: dict[str, Any], group: list[dict[str, Any]], weights: dict[str, float]) -> str:
    """One answer with its sum, and what each part adds to it."""
    best = one["reward"] == max(each["reward"] for each in group) and len(group) > 1
    parts = "".join(
        f"<span>{esc(name)} {value:.3g}{f' x {weights[name]:g}' if weights[name] != 1 else ''}"
        "</span>"
        for name, value in one["parts"].items()
    )
    kind = ' class="best"' if best else ""
    notes = "".join(f"<em>{esc(note)}</em>" for note in one.get("notes", {}).values())
    return (
        f"<li{kind}><p>{esc(one['answer'].strip() or '(nothing)')}</p><b>{one['reward']:.3g}</b>"
        f"<div>{parts}{notes}</div></li>"
    )


def _spread(groups: list[tuple[str, list[dict[str, Any]]]]) -> str:
    """Whether there is anything to learn: a group whose answers score alike teaches nothing."""
    several = [each for _, each in groups if len(each) > 1]
    if not several:
        return ""
    apart = sum(len({one["reward"] for one in each}) > 1 for each in several)
    if not apart:
        return notice(
            "warn",
            "All answers to a prompt get the same reward, so there is nothing to learn: add a "
            "reward that distinguishes them, or raise the temperature.",
        )
    differing = f"{apart} of {plural(len(several), 'prompt')}"
    return notice("info", f"Answers to {differing} differ in reward; the model learns from these.")
