"""Blend: a new run of several, or of one run's checkpoints, below the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from components.ui.compat import Update
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from studio.core.errors import ConfigError, StudioError

if TYPE_CHECKING:
    from studio import Studio

ABOUT = (
    '<p class="quiet">Combines the LoRA adapters of runs on one base into a new run, which is '
    "compared, scored and exported like any. With one run, the checkpoints that it keeps are "
    "averaged.</p>"
)
_WAYS = [
    ("cat: the weighted sum of the updates, exactly", "cat"),
    ("svd: the sum, cut to the highest rank", "svd"),
    ("TIES: the larger numbers of one sign (ties_svd)", "ties_svd"),
    ("DARE: numbers dropped at random, the rest scaled (dare_linear_svd)", "dare_linear_svd"),
    ("DARE with TIES (dare_ties_svd)", "dare_ties_svd"),
    ("linear: A and B apart, of equal ranks", "linear"),
]


class BlendForm:
    """The fold and its handlers."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def build(self) -> None:
        """Lay it out in the open tab and bind it."""
        with gr.Accordion("Blend runs", open=False, elem_classes="fold", elem_id="models-blend"):
            gr.HTML(ABOUT)
            runs = gr.Dropdown([], multiselect=True, label="Runs", elem_id="blend-runs")
            with gr.Row():
                way = gr.Dropdown(_WAYS, value="cat", label="Combination", elem_id="blend-way")
                weights = gr.Textbox(
                    "",
                    label="Weights",
                    placeholder="0.5, 0.5",
                    max_lines=1,
                    info="One for each run, in order; empty: all the same, 1 in sum.",
                    elem_id="blend-weights",
                )
                density = gr.Slider(0.1, 1, 0.5, step=0.05, label="Density of TIES and DARE")
            make = gr.Button("Blend", size="sm", elem_id="blend-make")
            said = gr.HTML("", elem_id="blend-said")
        runs.focus(guard(self.choices), None, runs, queue=False, **QUIET)
        make.click(guard(self.make), [runs, way, weights, density], said, **QUIET).then(
            None, None, None, js="() => { window.studioModelsRefresh?.(); }", **QUIET
        )

    def choices(self) -> Update:
        """The finished runs with a LoRA adapter, newest first."""
        from studio.runs.methods import METHODS
        from studio.workflows.comparisons import finished

        lora = [
            run
            for run in finished(self.studio)
            if run.adapter and METHODS[run.method].config == "LoraConfig"
        ]
        return gr.update(choices=[(f"{run.name}, on {run.model}", run.id) for run in lora])

    def make(self, runs: list[str] | None, way: Any, weights: str, density: float) -> str:
        """Blend, and what came of it as a notice."""
        from studio.workflows.blends import average, blend

        try:
            if not runs:
                raise ConfigError("Choose the runs to blend first.")
            if len(runs) == 1:
                made = average(self.studio, runs[0])
            else:
                made = blend(self.studio, runs, way, _numbers(weights), density)
        except StudioError as error:
            return notice("error", sentence(error))
        return notice("good", f"{made.name} is in the list; compare it with what it was made of.")


def _numbers(text: str) -> list[float] | None:
    try:
        return [float(part) for part in text.split(",")] if text.strip() else None
    except ValueError:
        raise ConfigError(f"Weights are numbers with commas, not {text!r:.60}.") from None
