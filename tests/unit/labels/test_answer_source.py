"""The weights behind an answer, by what a run left."""

from __future__ import annotations

from studio import Studio
from studio.generation.request import LIVE, Column, Sampling
from studio.labels.answer_source import source_of
from tests.instant import finished_run


def test_an_answers_source_names_the_weights_that_there_are(tmp_path):
    studio = Studio(tmp_path / "home")
    sampling = Sampling(seed=3)

    def source(run, checkpoint=None):
        column = Column("pocket", run.id, "label", checkpoint)
        return source_of(studio.runs, column, sampling)

    lora, full = finished_run(studio, "lora"), finished_run(studio, "full", "full")
    made = source(lora)
    assert made["adapter"] == f"runs/{lora.id}/adapter" and made["seed"] == 3
    assert len(made["recipe"]) == 12
    assert source(lora, 20)["adapter"] == f"runs/{lora.id}/checkpoints/checkpoint-20"
    assert source(lora, LIVE)["adapter"] is None, "in memory only"
    assert source(full)["adapter"] is source(full, 20)["adapter"] is None, "it has none"
    assert source_of(studio.runs, Column("pocket"), sampling)["run"] is None
    studio.runs.delete(lora.id)
    gone = source(lora)
    assert (gone["run"], gone["adapter"], gone["recipe"]) == (lora.id, None, None)
