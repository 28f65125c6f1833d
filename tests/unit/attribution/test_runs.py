"""Whole runs: hooks equal autograd, an index resumes, a planted row is found, others refuse."""

from __future__ import annotations

import json
import os
import shutil

import numpy as np
import pytest
import torch

from studio import Commands, Recipe, Studio
from studio.attribution import build, index_files, run_loss
from studio.attribution.per_row import only_graph, row_gradients, trained_parts
from studio.attribution.projection import Projector
from studio.attribution.request import (
    FINAL,
    Asked,
    Indexing,
    IndexSpec,
    check,
    default_spec,
    refusal,
)
from studio.core.errors import Cancelled, ConfigError, DataError
from studio.labels import Pair
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.store import Run
from studio.workflows import rounds, row_influence, votes_behind, why
from tests.unit.training.conftest import small

ALL = bool(os.environ.get("STUDIO_MATRIX"))
_METHODS = (
    [m for m in METHODS if m not in ("lora", "loftq")] if ALL else ["full", "prompt_tuning", "vera"]
)
_OBJECTIVES = ["kto", "orpo", "cpo", "simpo", "reward"] if ALL else ["kto", "reward"]


class Whole(Projector):
    """Keeps gradients as they are, module by module."""

    def __init__(self, shapes):
        super().__init__(shapes, 1)
        self.kept: dict[str, torch.Tensor] = {}

    def add_layer(self, into, name, inputs, grads):
        found = torch.bmm(grads.transpose(1, 2), inputs)
        self.kept[name] = self.kept.get(name, 0) + found


def in_worker(studio: Studio, work):
    """Run a call where torch belongs."""
    return studio.worker.submit(work).result()


@pytest.fixture(scope="module")
def runs(studio: Studio, sft: Run, dpo: Run) -> dict[str, Run]:
    return {"sft": sft, "dpo": dpo}


@pytest.mark.parametrize("name", ["sft", "dpo"])
def test_gradients_of_hooks_equal_autograd_row_by_row(studio: Studio, runs, name: str):
    def work(pool):
        rows = run_loss.made(runs[name], studio.runs, studio.datasets, pool)
        rows.load(runs[name], FINAL)
        trained = trained_parts(rows.model)
        assert trained.layers and not trained.parameters
        sink = Whole(trained.shapes)
        at = [0, 5, 11]
        with only_graph(rows.model, trained):
            row_gradients(trained, sink, 3, lambda part: rows.loss([at[one] for one in part]))
        rows.model.eval()
        layers = list(trained.layers.values())
        weights = [layer.weight for layer in layers]
        for place, row in enumerate(at):
            alone = torch.autograd.grad(rows.loss([row]), weights)
            size = torch.cat([one.flatten() for one in alone]).norm()
            found = torch.cat([sink.kept[part][place].flatten() for part in trained.layers])
            wanted = torch.cat([one.flatten() for one in alone])
            # A batch's loss is a mean: over its rows, or over all of its tokens.
            ratio = found @ wanted / size**2
            assert ratio > 0
            assert (found / ratio - wanted).norm() / size < 1e-5
        return True

    assert in_worker(studio, work)


def test_an_index_goes_on_where_it_was_cut(studio: Studio, sft: Run, monkeypatch):
    monkeypatch.setattr(build, "CHUNK", 8)
    spec = IndexSpec(seed=5)

    def cut(pool):
        job, seen = Indexing(), []

        def serve():
            seen.append(job.done)
            if job.done >= 12:
                raise Cancelled("Stopped.")

        with pytest.raises(Cancelled):
            build.build(job, sft, spec, pool, studio.runs, studio.datasets, serve)
        return index_files.opened(build.folder_of(sft, spec, FINAL))

    begun = in_worker(studio, cut)
    assert begun.done == 8 and not begun.complete
    assert build.indexes(sft, spec) is None

    def go_on(pool):
        job = Indexing()
        (index,) = build.build(job, sft, spec, pool, studio.runs, studio.datasets)
        return job.done, index

    done, index = in_worker(studio, go_on)
    assert done == index.rows == 24 and index.complete
    whole = in_worker(
        studio,
        lambda pool: build.build(
            Indexing(), sft, IndexSpec(seed=5, steps=()), pool, studio.runs, studio.datasets
        ),
    )[0]
    vectors = np.asarray(whole.vectors(), np.float32)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=2e-3)
    size = sum(path.stat().st_size for path in index.folder.iterdir() if path.suffix != ".json")
    assert size / index.rows <= 8000


def test_rows_of_the_same_answer_come_first_and_the_parent_is_asked(studio: Studio, dpo: Run):
    asked = Asked(
        [{"role": "user", "content": "What is the taste of honey, number 50?"}], "It is sweet."
    )
    found = why.ask(studio, dpo, [asked], count=5).result()
    own, parent = found["learned"]
    assert own["name"] == "second" and not own["parent"]
    assert parent["name"] == "first" and parent["parent"]
    assert all("sweet" in row["answer"] for row in parent["for"])
    assert all("sweet" not in row["answer"] for row in parent["against"])
    assert "sweet" in parent["for"][0]["shared"]
    assert own["for"][0]["rejected"]
    assert why.cost(dpo) == ""


def test_a_part_of_an_answer_and_another_answer_can_be_asked_about(studio: Studio, sft: Run):
    answer = "It is sweet."
    span = why.span_of(answer, "sweet")
    prompt = "What is the taste of honey, number 50?"
    part = why.ask(studio, sft, [Asked(prompt, answer, span)], count=3).result()
    assert all("sweet" in row["answer"] for row in part["learned"][0]["for"])
    over = Asked(prompt, answer, against="It is green.")
    found = why.ask(studio, sft, [over], count=3).result()["learned"][0]
    assert "sweet" in found["for"][0]["answer"] and "green" in found["against"][0]["answer"]
    with pytest.raises(ConfigError, match="does not hold 'sour'"):
        why.span_of(answer, "sour")


def test_several_questions_have_the_rows_behind_them_counted(studio: Studio, sft: Run):
    rows = [{"prompt": "What is the taste of honey?", "completion": "It is sweet."}] * 2
    (found,) = why.ask(studio, sft, why.of_rows(rows, "mine")).result()["learned"]
    assert all(row["questions"] == 2 for row in found["behind"])
    with pytest.raises(DataError, match="mine holds no answers"):
        why.of_rows([{"text": "x"}], "mine")


def test_averaging_over_checkpoints_and_the_optimizers_moments(studio: Studio, sft: Run):
    step = [2]
    asked = [Asked("What is the taste of honey, number 50?", "It is sweet.")]
    for spec in (IndexSpec(steps=tuple(step)), IndexSpec(precondition=True)):
        (found,) = why.ask(studio, sft, asked, spec, count=3).result()["learned"]
        assert all("sweet" in row["answer"] for row in found["for"])
    with pytest.raises(ConfigError, match="no checkpoint at step 3; it keeps 2, 4"):
        check(sft, IndexSpec(steps=(3,)))


def test_the_moments_are_used_where_the_newest_checkpoint_keeps_them(home, store, sft: Run):
    assert default_spec(sft).precondition and default_spec(sft, (2,)).steps == (2,)
    bare = store.create(sft.recipe)
    assert not default_spec(bare).precondition  # no checkpoint
    for method, optim, kept in (("lora", "adamw_torch", True), ("lora", "adafactor", False),
                                ("full", "auto", False), ("full", "adamw_torch", True),
                                ("pissa", "auto", False), ("adalora", "auto", False)):  # fmt: skip
        run = store.create(Recipe.defaults("sft", method, optim=optim))
        shutil.copytree(sft.checkpoints, run.checkpoints)
        assert default_spec(run).precondition == kept, (method, optim)


def test_a_row_of_a_longer_gradient_helps_or_harms_more(studio: Studio, sft: Run, monkeypatch):
    rows = [{"prompt": "What is the taste of honey?", "completion": "It is sweet."}]
    target = why.of_rows(rows, "mine")
    before = why.influence(studio, sft, target=target).result()["help"]
    norms = index_files.Index.norms
    longer = np.ones(24)
    longer[3] = 2.0
    monkeypatch.setattr(index_files.Index, "norms", lambda self: norms(self) * longer)
    after = why.influence(studio, sft, target=target).result()["help"]
    np.testing.assert_allclose(after, before * longer, rtol=1e-4, atol=1e-9)


def test_changed_rows_are_refused(studio: Studio, sft: Run):
    changed = studio.runs.update(sft.id, data={**sft.data, "fingerprint": "other"})
    try:
        with pytest.raises(DataError, match="other rows now"):
            run_loss.check_rows(changed, studio.datasets)
    finally:
        studio.runs.update(sft.id, data=sft.data)


def test_training_without_rows_queues_the_same_recipe(studio: Studio, sft: Run):
    own = studio.datasets.get(sft.data["id"])
    made = studio.wait(why.train_without(studio, sft, [(own.id, 2), (own.id, 5)]).id)
    assert made.state == "finished" and made.data["rows"]["train"] == own.rows["train"] - 2
    assert made.provenance["without"]["run"] == sft.id
    changed = {"name", "dataset_name"}
    assert made.recipe.model_dump(exclude=changed) == sft.recipe.model_dump(exclude=changed)
    asked = Asked("What is the taste of honey, number 50?", "It is sweet.")
    first, second = why.losses(studio, asked, [sft, made])
    assert first != second
    with pytest.raises(ConfigError, match="trained on others"):
        why.train_without(studio, sft, [(studio.datasets.get("taste").id, 0)])


def test_objectives_without_rows_say_so(home, store):
    for name, objective in OBJECTIVES.items():
        recipe = Recipe.defaults(
            name, **({"reward_funcs": ("exact",)} if objective.rewarded else {})
        )
        made = store.create(recipe)
        (made.folder / "adapter").mkdir()
        (made.folder / "adapter" / "adapter_config.json").write_text(json.dumps({}))
        said = refusal(store.update(made.id, state="finished"))
        assert bool(said) == objective.rewarded
        if said:
            assert "has no rows that taught an answer" in said


@pytest.mark.slow
@pytest.mark.parametrize("method", _METHODS)
def test_every_method_answers(studio: Studio, method: str):
    changes = {"lora_target_modules": ("q_proj", "v_proj", "down_proj"), "max_steps": 2}
    changes |= {"feedforward_modules": ("down_proj",), "adapter_layers": 2, "num_virtual_tokens": 4}
    known = Recipe.defaults("sft", method)
    changes = {key: value for key, value in changes.items() if hasattr(known, key)}
    recipe = Recipe.defaults(
        "sft",
        method,
        **{
            **small("sft", "facts").model_dump(
                include={
                    "dataset_name",
                    "max_length",
                    "learning_rate",
                    "sample_steps",
                    "per_device_train_batch_size",
                }
            ),
            **changes,
            "name": method,
        },
    )
    run = studio.wait(studio.train(recipe).id)
    assert run.state == "finished", run.error
    asked = Asked("What is the taste of honey, number 50?", "It is sweet.")
    if method == "p_tuning":
        with pytest.raises(ConfigError, match="not the encoder"):
            why.ask(studio, run, [asked])
        return
    (found,) = why.ask(studio, run, [asked], count=3).result()["learned"]
    assert found["rows"] == 24 and found["for"][0]["score"] > found["against"][0]["score"]


@pytest.mark.slow
@pytest.mark.parametrize("objective", _OBJECTIVES)
def test_every_objective_answers(studio: Studio, objective: str):
    recipe = small(objective, "taste", name=objective, max_steps=2)
    run = studio.wait(studio.train(recipe).id)
    assert run.state == "finished", run.error
    if objective == "reward":
        with pytest.raises(ConfigError, match="is a reward model"):
            why.ask(studio, run, [Asked("What?", "Sweet.")]).result()
        found = why.influence(studio, run).result()
        assert len(found["own"]) == 24 and (found["own"] > 0).all()
        taste = studio.datasets.get("taste").id
        assert run.id in [one.id for one in row_influence.runs_on(studio, taste)]
        assert sorted(row_influence.ranked(studio, run, taste, found).rows) == list(range(24))
        return
    (found,) = why.ask(studio, run, [Asked("What is it?", "Gladly: sweet.")], count=3).result()[
        "learned"
    ]
    assert found["rows"] == (48 if objective == "kto" else 24)


def test_any_rows_can_be_the_target_and_the_most_useful_are_kept(
    studio: Studio, sft: Run, tmp_path
):
    facts = studio.datasets.get(sft.data["id"])
    rows = [{"prompt": "What is the taste of honey?", "completion": "It is sweet."}] * 9
    path = tmp_path / "target.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    name, asked = why.target(studio, str(path))
    assert name == "target.jsonl" and 0 < len(asked) <= 9
    weighed = why.influence(studio, sft, target=asked).result()
    ranking = row_influence.ranked(studio, sft, facts.id, weighed, name)
    assert (ranking.by, ranking.target) == ("help", "target.jsonl")
    best = [facts.page(row, 1)[0] for row in ranking.rows[-6:]]
    assert all("sweet" in json.dumps(row) for row in best)
    made = row_influence.keep_most_useful(studio, ranking, 0.25)
    assert made.rows["train"] == 6 and "target.jsonl" in made.steps[-1]["why"]
    command = Commands(studio).data_select("facts", run=sft.id, target=str(path), share=0.25)
    assert (command["rows"], command["of"], command["target"]) == (6, 24, "target.jsonl")
    with pytest.raises(ConfigError, match="Name a target"):
        why.target(studio)


def test_the_votes_behind_a_preference_are_found(studio: Studio, sft: Run):
    project = studio.labels.create_project("sweetness", order="given")
    answers = ("It is sweet.", "It is green.")
    pairs = [Pair(f"What is the taste of honey, number {n}?", *answers) for n in range(6)]
    studio.labels.add_items(project.id, pairs)
    while item := studio.labels.next_item(project.id, "ada"):
        studio.labels.vote(project.id, item.item_id, "ada", "a")
    made = rounds.votes_dataset(studio, project.id)
    run = studio.wait(studio.train(small("dpo", made.id, name="voted", max_steps=2)).id)
    assert run.id in [one.id for one in votes_behind.runs_of_votes(studio)]
    asked = why.of_votes(studio, project.id)
    assert len(asked) == 6 and asked[0].against == "It is green."
    found = votes_behind.named(studio, why.ask(studio, run, asked, count=3).result())
    row = found["learned"][0]["for"][0]
    assert row["votes"]["people"] == [{"who": "ada", "for": True}] and not row["votes"]["blind"]
