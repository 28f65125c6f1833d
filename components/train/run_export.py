"""Export a run: its recipe, TRL's own YAML, a short script or a hosted job, as downloads."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from components.ui.compat import Update
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from studio.core.errors import StudioError

if TYPE_CHECKING:
    from studio import Studio

_LINK = "train-export-file"
_FORMS = (
    ("recipe", "Recipe"),
    ("trl", "TRL YAML"),
    ("script", "Python script"),
    ("launch", "Cluster"),
    ("job", "Hosted job"),
)


class RunExport:
    """A row of buttons below the run in view."""

    def __init__(self, studio: Studio):
        self.studio = studio

    def lay_out(self) -> None:
        """The row, inside the open column."""
        with gr.Row(elem_id="run-exports"):
            gr.HTML('<span title="With data and model; runs without the studio">Export run</span>')
            self.buttons = {
                to: gr.Button(label, size="sm", min_width=60, elem_id=f"run-export-{to}")
                for to, label in _FORMS
            }
        self.file = gr.DownloadButton("Download", visible="hidden", elem_id=_LINK)
        self.message = gr.HTML("", elem_id="run-exported")

    def bind(self, viewing: gr.State) -> None:
        """Bind the buttons; `viewing` holds the id of the run in view."""
        for to, button in self.buttons.items():
            button.click(
                guard(partial(self.make, to)), viewing, [self.file, self.message], **QUIET
            ).success(
                None,
                self.message,
                None,
                js=f"error => {{ if (!error) studioDownload('{_LINK}'); return []; }}",
                **QUIET,
            )

    def make(self, to: str, run_id: str) -> tuple[Update, str]:
        """The file to download, or why this run cannot be exported that way."""
        try:
            return str(write(self.studio, run_id, to)), ""
        except StudioError as error:
            return gr.skip(), notice("error", sentence(error))


def write(studio: Studio, run_id: str, to: str) -> Path:
    """Write a run as one file to the workspace's exports: YAML, a job's script, or a zip."""
    run = studio.runs.get(run_id)
    out = studio.workspace.exports / f"{run.id}-{to}"
    if to == "recipe":
        return Path(shutil.copyfile(run.folder / "recipe.yaml", out.with_suffix(".yaml")))
    from studio.training.export_config import export

    shutil.rmtree(out, ignore_errors=True)
    files = export(run, studio.runs, studio.datasets, to, out)
    if to == "job":
        return files[0]
    archive = shutil.make_archive(str(out), "zip", out)
    shutil.rmtree(out)
    return Path(archive)
