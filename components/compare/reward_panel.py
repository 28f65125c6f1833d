"""Rewards of a comparison's answers: one for each, best of n, and the best rows as a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr
from gradio.events import Dependency

from components.compare import reward_html
from components.ui.access import person
from components.ui.compat import Update, Updates, Widget, shown_plot
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice, progress_bar
from studio.core.errors import ConfigError
from studio.core.formatting import plural
from studio.core.jobs import Job
from studio.rewards import WeightedReward
from studio.rewards.best_of_n import best_rows
from studio.rewards.pairs import RewardedPair, best_and_worst
from studio.runs.reward_runs import resolve_reward_runs
from studio.workflows import rewarded_pairs
from studio.workflows.comparisons import LETTERS, Comparison, Side, load, reward_choices, save

if TYPE_CHECKING:
    from studio import Studio


class RewardPanel:
    """The folded panel under a comparison."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def lay_out(self) -> None:
        with gr.Accordion(
            "Rewards and best of n", open=False, elem_classes="fold quiet", elem_id="set-rewards"
        ) as self.box:
            with gr.Row(elem_classes="inline-form"):
                self.reward = gr.Dropdown(
                    [],
                    value=None,
                    allow_custom_value=True,
                    label="Reward",
                    scale=2,
                    elem_id="set-reward",
                    min_width=200,
                    info="A reward model, or rules such as length:3-28; separate several with ;.",
                )
                self.begin = gr.Button(
                    "Score answers", scale=0, min_width=160, elem_id="set-reward-begin"
                )
            self.progress = gr.HTML("", elem_id="set-reward-progress")
            self.result = gr.HTML("", elem_id="set-reward-result")
            self.plot = gr.Plot(
                visible=False, show_label=False, container=False, elem_id="set-reward-plot"
            )
            with gr.Row(visible=False, elem_classes="inline-form") as self.keeping:
                self.whose = gr.Dropdown(
                    [], label="Save the best answers of", min_width=160, elem_id="set-keep-column"
                )
                self.name = gr.Textbox(
                    "",
                    label="Dataset name",
                    placeholder="best answers",
                    min_width=160,
                    max_length=100,
                )
                self.keep = gr.Button("Save for SFT", scale=0, min_width=160, elem_id="set-keep")
                self.pairs = gr.Button("Save pairs", scale=0, min_width=120, elem_id="set-pairs")
                self.check = gr.Button(
                    "Label the pairs", scale=0, min_width=140, elem_id="set-pairs-label"
                )
            self.kept = gr.HTML("", elem_id="set-kept")

    def bind(self, found: gr.State) -> Dependency:
        """Bind the handlers; the returned event ends once the rewards are saved."""
        self.box.expand(guard(self.freshen), self.reward, self.reward, **QUIET)
        kept = [found, self.whose, self.name]
        self.keep.click(guard(self.keep_best), kept, self.kept, **QUIET)
        self.pairs.click(guard(self.keep_pairs), kept, self.kept, **QUIET)
        self.check.click(guard(self.label_pairs), kept, self.kept, **QUIET)
        return self.begin.click(
            guard(self.score),
            [found, self.reward],
            [self.progress, self.begin],
            **QUIET,
            concurrency_limit=None,
        )

    @property
    def parts(self) -> list[Widget]:
        """What `shown` updates."""
        return [self.result, self.plot, self.keeping, self.whose, self.kept]

    def freshen(self, reward: str | None) -> Update:
        choices = reward_choices(self.studio)
        return gr.update(choices=choices, value=reward or (choices[0][1] if choices else None))

    def shown(self, comparison: Comparison) -> Updates:
        """The panel for a comparison, scored or not."""
        names = [(f"{LETTERS[at]} {each.label}", at) for at, each in enumerate(comparison.sides)]
        return {
            self.result: reward_html.summary(comparison),
            self.plot: shown_plot(reward_html.plot(comparison)),
            self.keeping: gr.update(visible=bool(comparison.rewards)),
            self.whose: gr.update(choices=names, value=len(names) - 1),
            self.kept: "",
        }

    # ---- scoring --------------------------------------------------------------------------------

    def score(self, comparison: Comparison | None, reward: str | None) -> Iterator[Updates]:
        """A reward for every answer, saved with the comparison."""
        try:
            if comparison is None:
                raise ConfigError("Answer some prompts first; their answers are scored here.")
            texts = self._wanted(reward)
        except Exception as error:
            yield {self.progress: notice("error", sentence(error))}
            return
        yield {
            self.begin: gr.update(interactive=False),
            self.progress: progress_bar(0, None, "Scoring answers"),
        }
        updates: Updates = {self.begin: gr.update(interactive=True), self.progress: ""}
        try:
            rewards = Job().start(lambda _: self._rewards(comparison, texts)).result()
            # From disk: a judge's votes may have been saved in the meantime.
            kept = load(self.studio, comparison.id)
            save(self.studio, replace(kept, rewards=rewards, reward=self._names(texts)))
        except Exception as error:
            yield updates | {self.progress: notice("error", sentence(error))}
            return
        yield updates

    def _wanted(self, reward: str | None) -> tuple[str, ...]:
        parts = [part.strip() for part in (reward or "").split(";")]
        texts = resolve_reward_runs([part for part in parts if part], self.studio.runs)
        if not texts:
            raise ConfigError("Choose a reward model, or enter a rule such as length:3-28.")
        if WeightedReward(texts).columns:
            raise ConfigError(
                "A prompt set has no reference answers to compare with; use exact, numeric and "
                "contains on the Scores tab."
            )
        return texts

    def _names(self, texts: Sequence[str]) -> str:
        names = {value: name for name, value in reward_choices(self.studio)}
        return "; ".join(names.get(text, text) for text in texts)

    def _rewards(self, comparison: Comparison, texts: Sequence[str]) -> list[list[float | None]]:
        """[model][prompt]; None where there is no answer."""
        found: list[list[float | None]] = []
        for cells in comparison.answers:
            answered = [at for at, cell in enumerate(cells) if cell["ended"] in ("stop", "length")]
            results = self.studio.reward(
                texts,
                None,
                [comparison.prompts[at] for at in answered],
                [cells[at]["text"] for at in answered],
            ).result()
            totals = dict(zip(answered, (each.total for each in results), strict=True))
            found.append([totals.get(at) for at in range(len(cells))])
        return found

    # ---- keeping --------------------------------------------------------------------------------

    def keep_best(self, comparison: Comparison | None, column: int | None, name: str) -> str:
        """The best answer to every prompt as rows for SFT (rejection sampling)."""
        try:
            if comparison is None or not comparison.rewards or column is None:
                raise ConfigError("Score the answers first; the best ones are saved.")
            rows = best_rows(*comparison.scored(int(column)))
            side = comparison.sides[int(column)]
            provenance = {
                "comparison": comparison.id,
                "run": side.run,
                "rewards": [comparison.reward],
            }
            made = self.studio.datasets.from_rows(
                rows, "prompt_completion", name.strip() or "best answers", provenance
            )
        except Exception as error:
            return notice("error", sentence(error))
        rows_text = plural(sum(made.rows.values()), "row")
        return notice("good", f"Saved {rows_text} as {made.name}; choose it on the Train tab.")

    def keep_pairs(self, comparison: Comparison | None, column: int | None, name: str) -> str:
        """The best and the worst answer to every prompt as preference rows, with their margin."""
        try:
            pairs, side, by = self._pairs(comparison, column)
            wanted = name.strip() or f"{side.label} by reward"
            made = rewarded_pairs.dataset(self.studio, pairs, wanted, by)
        except Exception as error:
            return notice("error", sentence(error))
        said = rewarded_pairs.said(pairs)
        return notice("good", f"Saved {said}, as {made.name}; choose it on the Train tab.")

    def label_pairs(self, comparison: Comparison | None, column: int | None, name: str) -> str:
        """The same pairs as a project for people, those with the smallest margin first."""
        try:
            person().must_own("create a project")
            pairs, side, by = self._pairs(comparison, column)
            source = {"label": side.label, "run": side.run, "model": side.model}
            wanted = name.strip() or f"{side.label} by reward"
            made, count = rewarded_pairs.project(self.studio, pairs, wanted, source, by)
        except Exception as error:
            return notice("error", sentence(error))
        return notice(
            "good",
            f"{made.name}: {plural(count, 'pair')} to label, smallest margins first; every fourth "
            "is drawn at random. Open it in Label.",
        )

    def _pairs(
        self, comparison: Comparison | None, column: int | None
    ) -> tuple[list[RewardedPair], Side, dict[str, Any]]:
        if comparison is None or not comparison.rewards or column is None:
            raise ConfigError("Score the answers first; pairs are made of the best and the worst.")
        pairs = best_and_worst(*comparison.scored(int(column)))
        side = comparison.sides[int(column)]
        by = {"comparison": comparison.id, "run": side.run, "rewards": [comparison.reward]}
        return pairs, side, by
