"""The library: what is in it, what came from what, and what may be taken away."""

from __future__ import annotations

from pathlib import Path

import pytest

from components.models import card_details_html, cards_html, library_api
from studio import Studio
from studio.core.errors import ConfigError, WorkspaceError
from studio.runs import checkpoints
from studio.runs.store import Run
from tests.app.made_runs import ended, exported


@pytest.fixture
def studio(home: Path) -> Studio:
    return Studio(home)


@pytest.fixture
def chain(studio: Studio) -> tuple[Run, Run]:
    """Data -> first -> votes -> second."""
    pair = [{"prompt": "Q", "chosen": "yes", "rejected": "no"}] * 2
    first = ended(studio, name="first")
    votes = studio.datasets.from_rows(
        pair, "preference", "first votes", {"project": "p", "run": first.id}
    )
    second = ended(studio, name="second", start_from=first.id)
    second = studio.runs.update(second.id, data={"id": votes.id, "name": votes.name})
    return first, second


def test_every_item_knows_where_it_came_from(
    studio: Studio, chain: tuple[Run, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = chain
    folder = exported(studio, second)
    cache = tmp_path / "hub"
    for name in ("models--me--whole/snapshots/1/model.safetensors", "models--me--known/refs/main"):
        (cache / name).parent.mkdir(parents=True)
        (cache / name).write_text("x")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    items = {item.id: item for item in studio.collection.items()}
    assert set(items) == {first.id, second.id, folder.name, "base:pocket", "base:me/whole"}
    lineage = (("data", "pocket-sft"), ("run", "first"), ("votes", "first votes"))
    assert items[second.id].lineage == lineage
    assert items[folder.name].lineage == (*lineage, ("run", "second"))
    assert items[first.id].needed_by == ("run second", "dataset first votes")
    assert items["base:pocket"].needed_by == ("run second", "run first")
    assert items[folder.name].bytes > 1000


def test_marks_are_kept_and_put_first(studio: Studio, chain: tuple[Run, Run]) -> None:
    first, _ = chain
    studio.collection.mark(first.id, star=True, tags=[" a  b ", "", "a b"], note="mine ")
    again = Studio(studio.workspace.home).collection.items()[0]
    assert (again.id, again.mark.star) == (first.id, True)
    assert (again.mark.tags, again.mark.note) == (("a b",), "mine")
    with pytest.raises(ConfigError, match="There is no 'run-x'"):
        studio.collection.mark("run-x", star=True)


def test_delete_and_undo(studio: Studio, chain: tuple[Run, Run]) -> None:
    first, second = chain
    folder = exported(studio, second)
    with pytest.raises(ConfigError, match="second started from"):
        studio.collection.delete(first.id)
    for identifier in (folder.name, second.id):
        studio.collection.delete(identifier)
        assert identifier not in {item.id for item in studio.collection.items()}
        studio.collection.restore(identifier)
        assert identifier in {item.id for item in studio.collection.items()}
    with pytest.raises(ConfigError, match="does not delete base models"):
        studio.collection.delete("base:pocket")


def test_clean_up_leaves_what_something_needs(studio: Studio, chain: tuple[Run, Run]) -> None:
    first, second = chain
    stopped = ended(studio, "stopped", name="stopped")
    for run in (first, stopped):
        for step in (10, 20):
            folder = run.checkpoints / f"checkpoint-{step}"
            folder.mkdir(parents=True)
            (folder / "weights").write_bytes(b"x" * 100)
            checkpoints.mark_complete(folder)
    (studio.workspace.cache / "old").write_bytes(b"x" * 50)
    items = {item.id: item for item in studio.collection.items()}
    kept = items[f"{stopped.id}@20"]
    assert (kept.kind, kept.lineage[-1]) == ("checkpoint", ("run", "stopped"))
    assert kept.needed_by == ("run stopped, to resume",) and not items[f"{first.id}@20"].needed_by
    with pytest.raises(ConfigError, match="needed to resume its run"):
        studio.collection.delete(kept.id)
    for gone in (f"{first.id}@20", f"{stopped.id}@10"):  # one at a time, and back
        studio.collection.delete(gone)
        assert gone not in {item.id for item in studio.collection.items()}
        studio.collection.restore(gone)
    assert [checkpoints.steps(run.checkpoints) for run in (first, stopped)] == [[10, 20]] * 2
    with pytest.raises(WorkspaceError, match="not an id"):
        studio.collection.restore(f"{first.id}@../../adapter")
    studio.collection.mark(f"{first.id}@10", star=True)
    assert [one.what for one in studio.collection.waste()] == ["cache old"]
    studio.collection.mark(f"{first.id}@10", star=False)
    told = [one.what for one in studio.collection.waste()]
    assert told == ["checkpoint-10 of first", "cache old"]
    assert studio.collection.clean() > 150
    assert checkpoints.steps(first.checkpoints) == [20]
    assert checkpoints.steps(stopped.checkpoints) == [10, 20]
    assert studio.collection.waste() == []
    studio.runs.update(second.id, state="queued")
    (studio.workspace.cache / "in use").write_bytes(b"x")
    assert studio.collection.waste() == []


def test_the_page_shows_names_as_text(studio: Studio) -> None:
    run = ended(studio, name="<b>bold</b>")
    studio.collection.mark(run.id, note="<script>1</script>", tags=["<u>"])
    items = studio.collection.items()
    markup = cards_html.cards(items, items, len(items))
    assert "<b>bold" not in markup and "<script>" not in markup and "<u>" not in markup
    assert 'data-act="compare"' in markup and 'data-to="gguf"' in markup
    folder = exported(studio, run)
    items = studio.collection.items()
    markup = cards_html.cards(items, items, len(items))
    assert f"llama-server -m {folder}/model-q8_0.gguf" in markup
    text = "---\nlicense: mit\n---\n\n# <i>T</i>\n\n![loss](loss.png)\n\n![x](http://other/x.png)\n"
    (folder / "README.md").write_text(text)
    shown = card_details_html.readme(folder)
    assert "license" not in shown and "<h1>&lt;i&gt;T" in shown
    assert shown.count("<img") == 1 and f"file={folder}/loss.png" in shown
    disk = cards_html.disk(studio.collection.usage(), studio.collection.waste())
    assert "free" in disk


def test_the_panel_answers_with_sentences(studio: Studio, chain: tuple[Run, Run]) -> None:
    ask = {function.__name__: function for function in library_api.server_functions(studio)}
    first, second = chain
    assert "first" in ask["models_open"](None)["cards"]
    assert ask["models_mark"]({"id": first.id, "star": True}) == {}
    assert "started from" in ask["models_delete"]({"id": first.id})["error"]
    assert ask["models_delete"]({"id": second.id}) == {"deleted": "second"}
    assert ask["models_delete"]({"id": second.id, "undo": True}) == {}
    assert "wrong value for the request" in ask["models_delete"]([])["error"]
    assert "no longer running" in ask["models_cancel"]({"job": "x"})["error"]
    wrong = ask["models_export"]({"id": first.id, "to": "onnx", "outtype": ""})["error"]
    assert "not known" in wrong
    assert ask["models_jobs"]({}) == {"jobs": "", "busy": False}
