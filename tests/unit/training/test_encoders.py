"""Contrastive fine-tuning: sentence-transformers' own losses, runs that stop and go on, and folders
that stock sentence-transformers loads."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from datasets import Dataset

from studio import Recipe, Studio
from studio.core.errors import ConfigError, DataError, StudioError
from studio.models import text_encoder
from studio.models.pool import ModelPool
from studio.runs.store import Run
from studio.training import encoder_eval, encoder_rows, encoder_trainer, trainers
from tests.unit.training.conftest import FACTS, small

_POOL = ModelPool()
PAIRS = [
    {"anchor": f"What is the {FACTS[n % 3][0]}, number {n}?",
     "positive": f"Number {n}: it is {FACTS[n % 3][1]}."}
    for n in range(24)
]  # fmt: skip


def recipe_of(**changes: Any) -> Recipe:
    return small("embedding", "pairs", **{"query_prompt": "query: ", **changes})


def build(folder: Path, rows: list[dict] = PAIRS, tell: Any = None, **changes: Any) -> Any:
    recipe = recipe_of(**changes)
    resident = _POOL.base_of(recipe, None)  # type: ignore[arg-type]
    type = "scored_pairs" if "score" in rows[0] else "embedding_pairs"
    data = encoder_rows.encoded(Dataset.from_list(rows), type).rows
    quiet = tell or (lambda kind, **event: None)
    return trainers.build(recipe, resident, None, data, None, folder, [], tell=quiet)


@pytest.fixture(scope="module")
def pairs(studio: Studio) -> str:
    from studio.data import PrepareOptions

    path = studio.workspace.home / "pairs.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in PAIRS), encoding="utf-8")
    return studio.datasets.prepare(
        path, name="pairs", options=PrepareOptions(test_fraction=0.25)
    ).name


@pytest.fixture(scope="module")
def run(studio: Studio, pairs: str) -> Run:
    done = studio.wait(studio.train(recipe_of(name="finder", max_steps=6, eval_steps=3)).id)
    assert done.state == "finished", done.error
    return done


# ---- losses --------------------------------------------------------------------------------------

SCORED = [{"sentence1": f"a {n}", "sentence2": f"b {n % 3}", "score": n / 8} for n in range(8)]
WITH_NEGATIVES = [{**row, "negatives": ["It is not.", "Nobody knows."]} for row in PAIRS]


@pytest.mark.parametrize(
    ("rows", "changes"),
    [
        (PAIRS, {"scale": 10.0}),
        (WITH_NEGATIVES, {"loss_type": ("CachedMultipleNegativesRankingLoss",),
                          "mini_batch_size": 2}),
        (WITH_NEGATIVES, {"loss_type": ("TripletLoss",), "normalize_embeddings": False}),
        (SCORED, {"loss_type": ("CoSENTLoss",), "pooling_mode": "lasttoken"}),
        (PAIRS, {"matryoshka_dims": (256, 32)}),
    ],
)  # fmt: skip
def test_the_loss_of_a_batch_is_sentence_transformers_own(
    tmp_path: Path, rows: list[dict], changes: dict
) -> None:
    """By hand: their model on the base's files, their collator, their loss."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.base.modules import Normalize
    from sentence_transformers.sentence_transformer import losses
    from sentence_transformers.sentence_transformer.modules import Pooling

    trainer = build(tmp_path, rows, **changes)
    recipe = trainer.recipe
    batch = next(iter(trainer.get_train_dataloader()))
    ours = float(trainer.compute_loss(trainer.model, dict(batch)).detach())

    resident = _POOL.base_of(recipe, None)  # type: ignore[arg-type]
    base = tmp_path / "base"
    resident.model.save_pretrained(base)
    resident.tokenizer.save_pretrained(base)
    from sentence_transformers.base.modules import Transformer

    whole = Transformer(str(base), model_kwargs={"dtype": torch.float32}, max_seq_length=96)
    modules = [whole, Pooling(256, recipe.pooling_mode)]
    modules += [Normalize()] if recipe.normalize_embeddings else []
    stock = SentenceTransformer(modules=modules, device="cpu")
    name = recipe.loss_type[0]
    given: dict[str, Any] = {"scale": recipe.scale}
    if name == "TripletLoss":
        cosine = losses.TripletDistanceMetric.COSINE
        given = {"distance_metric": cosine, "triplet_margin": 0.5}
    loss = getattr(losses, name)(stock, **given)
    if recipe.matryoshka_dims:
        loss = losses.MatryoshkaLoss(stock, loss, list(recipe.matryoshka_dims))
    features, labels = trainer.collect_features(dict(batch))
    theirs = float(loss(features, labels).detach())
    assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-6)


def test_prompts_stand_before_each_side_and_no_text_twice_in_a_batch(tmp_path: Path) -> None:
    twice = [*PAIRS[:4], *PAIRS[:4]]
    trainer = build(tmp_path, twice, document_prompt="passage: ", per_device_train_batch_size=4)
    tokenizer = trainer.model.tokenizer
    seen = 0
    for batch in trainer.get_train_dataloader():
        texts = tokenizer.batch_decode(batch["anchor_input_ids"], skip_special_tokens=True)
        assert all(text.startswith("query: ") for text in texts)
        assert len(set(texts)) == len(texts)
        sides = tokenizer.batch_decode(batch["positive_input_ids"], skip_special_tokens=True)
        assert all(text.startswith("passage: ") for text in sides)
        seen += len(texts)
    assert seen == 8


# ---- rows ----------------------------------------------------------------------------------------


def test_as_many_negatives_as_every_row_has(tmp_path: Path) -> None:
    told: list[dict] = []
    uneven = [*WITH_NEGATIVES[:4], {**PAIRS[5], "negatives": ["One."]}]
    train, _ = encoder_rows.columns(
        recipe_of(), encoder_rows.encoded(Dataset.from_list(uneven), "embedding_pairs").rows, None,
        lambda kind, **event: told.append({"kind": kind, **event}),
    )  # fmt: skip
    assert train.column_names == ["anchor", "positive", "negative"]
    assert told == [{"kind": "negatives", "used": 1, "most": 2, "rows": 5, "given": 5}]
    lacking = encoder_rows.encoded(Dataset.from_list([uneven[0], *PAIRS[:2]]), "embedding_pairs")
    triplet = recipe_of(loss_type=("TripletLoss",))
    train, _ = encoder_rows.columns(triplet, lacking.rows, None, lambda kind, **event: None)
    assert len(train) == 1
    with pytest.raises(StudioError, match="TripletLoss needs a negative"):
        build(tmp_path, loss_type=("TripletLoss",))


def test_hard_negatives_are_mined_and_shown(tmp_path: Path) -> None:
    told: list[dict] = []
    trainer = build(
        tmp_path, tell=lambda kind, **event: told.append({"kind": kind, **event}), num_negatives=2
    )
    mined = next(one for one in told if one["kind"] == "mined")
    assert (mined["pairs"], mined["kept"], mined["each"]) == (24, 24, 2)
    assert mined["negative"] <= 1 and len(mined["examples"]) == 5
    row = trainer.train_dataset[0]
    others = {one["positive"] for one in PAIRS} - {row["positive"]}
    assert {row["negative_1"], row["negative_2"]} <= others
    assert not torch.is_grad_enabled() or trainer.model[0].model.training is False
    with pytest.raises(StudioError, match="hard negatives"):
        build(tmp_path, PAIRS[:2], num_negatives=8)


def test_negatives_that_are_positives_are_told_of(tmp_path: Path) -> None:
    told: list[dict] = []
    same = {"anchor": "Who?", "positive": "Ida.", "negatives": ["Leo."]}
    rows = [same, {**same, "positive": "Leo.", "negatives": ["Tom."]}]
    build(tmp_path, rows, tell=lambda kind, **event: told.append({"kind": kind, **event}))
    found = next(one for one in told if one["kind"] == "false_negatives")
    assert (found["count"], found["anchor"], found["negative"]) == (1, "Who?", "Leo.")


def columns_of(rows: list[dict], **changes: Any) -> list[dict]:
    """What is told of rows; a `StudioError` says why they teach nothing."""
    told: list[dict] = []
    type = "scored_pairs" if "score" in rows[0] else "embedding_pairs"
    data = encoder_rows.encoded(Dataset.from_list(rows), type).rows
    recipe = recipe_of(per_device_train_batch_size=8, **changes)
    encoder_rows.columns(
        recipe, data, None, lambda kind, **event: told.append({"kind": kind, **event})
    )
    return told


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (PAIRS[:1], "All rows have the same anchor"),
        ([{**row, "positive": "Yes."} for row in PAIRS], "All rows have the same positive"),
        ([{**row, "anchor": "\u706f\u53f0?"} for row in PAIRS], "All rows have the same anchor"),
        ([{**row, "score": 1.0} for row in SCORED], "All scores are the same"),
    ],
)
def test_rows_that_teach_nothing_are_refused(rows: list[dict], said: str) -> None:
    loss = ("CoSENTLoss",) if "score" in rows[0] else ("MultipleNegativesRankingLoss",)
    with pytest.raises(StudioError, match=said):
        columns_of(rows, loss_type=loss)


def test_batches_cut_short_by_repeated_texts_are_told_of() -> None:
    classes = [{**row, "positive": f"Class {at % 3}."} for at, row in enumerate(PAIRS)]
    assert columns_of(classes) == [
        {"kind": "few_texts", "side": "positive", "texts": 3, "batch": 8}
    ]
    assert columns_of(classes, batch_sampler="batch_sampler") == []
    assert columns_of(PAIRS) == columns_of(PAIRS[:4]) == []  # a batch of all rows is no surprise
    alone = [{**PAIRS[0], "negatives": ["It is not."]}]
    assert columns_of(alone) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "prompt_tuning"}, "pooling would average"),
        ({"method": "pissa"}, "moves the base"),
        ({"loraplus_lr_ratio": 16.0}, "loraplus_lr_ratio"),
        ({"per_device_train_batch_size": 1}, "compares the rows of a batch"),
        ({"num_negatives": 1, "loss_type": ("CoSENTLoss",)}, "scored pairs"),
        ({"relative_margin": 0.1}, "for mining"),
        ({"loss_type": ("sigmoid",)}, "is not one of Embedding's"),
        ({"matryoshka_dims": (0,)}, "from 1 up"),
    ],
)
def test_what_cannot_work_is_refused_in_a_sentence(changes: dict, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        recipe_of(**changes)


def test_a_loss_for_other_rows_is_refused_before_anything_loads(studio: Studio, pairs: str) -> None:
    with pytest.raises(DataError, match="has no scores"):
        studio.train(recipe_of(loss_type=("CoSENTLoss",)))


# ---- what is found -------------------------------------------------------------------------------


def test_figures_are_the_evaluators_own(tmp_path: Path) -> None:
    """Against sentence-transformers' evaluator called by hand, and against a plain ranking."""
    from sentence_transformers.sentence_transformer.evaluation import InformationRetrievalEvaluator

    encoder = build(tmp_path).model.eval()
    data = Dataset.from_list(PAIRS)
    asked = encoder_eval.questions(data.select(range(8)), data)
    ranked, found = encoder_eval.search(encoder, asked)
    stock = InformationRetrievalEvaluator(
        asked.queries, asked.documents, asked.relevant, write_csv=False
    )(encoder)
    for ours, theirs in (("recall@1", "recall@1"), ("recall@10", "recall@10"),
                         ("mrr@10", "mrr@10"), ("ndcg@10", "ndcg@10")):  # fmt: skip
        assert found.figures[ours].value == pytest.approx(stock[f"cosine_{theirs}"])
    queries = torch.as_tensor(encoder.encode_query(list(asked.queries.values())))
    documents = torch.as_tensor(encoder.encode_document(list(asked.documents.values())))
    best = (queries @ documents.T).argmax(1).tolist()
    names = list(asked.documents)
    assert [names[at] for at in best] == [ranked[query][0] for query in asked.queries]
    assert len(found.right) == 8 and len(found.wrong) == 8 and found.documents == 24


def test_a_run_says_what_it_finds_before_and_after(run: Run) -> None:
    events = run.events()[0]
    found = [event for event in events if event["kind"] == "retrieval"]
    assert [event["step"] for event in found] == [0, 3, 6]
    assert found[0]["queries"] == 6 and found[0]["documents"] == 24
    low, value, high = (found[-1]["figures"]["mrr@10"][key] for key in ("low", "value", "high"))
    assert low <= value <= high
    assert set(found[0]["similarity"]) == {"right", "wrong", "unrelated"}
    assert sum(found[0]["similarity"]["right"]["counts"]) == 6
    assert run.metrics["eval_recall@1"] == found[-1]["figures"]["recall@1"]["value"]
    assert run.versions["sentence-transformers"]


# ---- runs ----------------------------------------------------------------------------------------


def test_a_stopped_run_goes_on_as_if_it_had_not(studio: Studio, pairs: str) -> None:
    changes = {"max_steps": 8, "eval_steps": 100, "lr_scheduler_type": "constant"}
    whole = studio.wait(studio.train(recipe_of(**changes)).id)
    begun = studio.train(recipe_of(**changes))
    while not any(event["kind"] == "checkpoint" for event in begun.events()[0]):
        time.sleep(0.02)
    stopped = studio.stop(begun.id)
    stopped = studio.wait(begun.id)
    if stopped.state == "stopped":
        stopped = studio.wait(studio.resume(begun.id).id)
    assert stopped.state == "finished", stopped.error

    def losses(one: Run) -> dict[int, float]:
        return {e["step"]: e["loss"] for e in one.events()[0] if e["kind"] == "log" and "loss" in e}

    assert losses(stopped) == pytest.approx(losses(whole), rel=1e-4)


def test_another_run_continues_it_and_none_starts_from_it_otherwise(
    studio: Studio, run: Run, sft: Run
) -> None:
    more = studio.wait(studio.train(recipe_of(start_from=run.name, max_steps=2)).id)
    assert more.state == "finished", more.error
    with pytest.raises(ConfigError, match="text encoder"):
        studio.train(small("sft", "facts", start_from=run.name))
    with pytest.raises(ConfigError, match="answers"):
        studio.train(recipe_of(start_from=sft.name))
    with pytest.raises(ConfigError, match="text encoder"):
        studio.train(small("sft", "facts", start_from=run.name, start_as="merge"))


def test_the_saved_folder_gives_the_same_vectors_in_stock_sentence_transformers(run: Run) -> None:
    from sentence_transformers import SentenceTransformer

    assert run.adapter is not None
    texts = [row["anchor"] for row in PAIRS]
    stock = SentenceTransformer(str(run.adapter), device="cpu")
    assert stock.prompts == {"query": "query: ", "document": ""}

    class Runs:
        def get(self, name: str) -> Run:
            raise AssertionError(name)

    ours = text_encoder.run_encoder(run, _POOL, Runs())  # type: ignore[arg-type]
    assert abs(ours.encode_query(texts) - stock.encode_query(texts)).max() < 1e-6
    base = text_encoder.base_encoder(run.recipe, _POOL, Runs())  # type: ignore[arg-type]
    assert abs(base.encode_query(texts) - stock.encode_query(texts)).max() > 1e-3
    names = {id(tensor) for tensor in _POOL.base_of(run.recipe, Runs()).model.parameters()}  # type: ignore[arg-type]
    shared = [t for t in base.parameters() if id(t) in names]
    assert len(shared) == len(list(base.parameters())), "the base is held twice"


@pytest.mark.parametrize("kind", ["bert", "modernbert"])
def test_an_encoder_that_writes_no_text_trains_too(tmp_path: Path, kind: str) -> None:
    """BERT, whose attention looks both ways, and ModernBERT, which has no causal form at all."""
    from sentence_transformers import SentenceTransformer
    from transformers import AutoConfig, AutoModel

    base = tmp_path / kind
    pocket = _POOL.base("pocket")
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 64, "vocab_size": pocket.model.config.vocab_size}
    torch.manual_seed(0)
    ids = dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id"), 0)
    ids |= dict.fromkeys(("cls_token_id", "sep_token_id"), 0) if kind == "modernbert" else {}
    AutoModel.from_config(AutoConfig.for_model(kind, **sizes, **ids)).save_pretrained(base)
    pocket.tokenizer.save_pretrained(base)
    trainer = build(tmp_path / "run", model_name_or_path=str(base), max_steps=1)
    trainer.train()
    trainer.save_weights(str(tmp_path / "kept"))
    texts = [row["anchor"] for row in PAIRS[:4]]
    ours = trainer.model.eval().encode_query(texts)
    stock = SentenceTransformer(str(tmp_path / "kept"), device="cpu")
    assert abs(ours - stock.encode_query(texts)).max() < 1e-6
    if kind == "modernbert":
        with pytest.raises(StudioError):
            _POOL.base(str(base))


def test_full_weights_are_read_back_from_a_checkpoint(tmp_path: Path) -> None:
    trainer = build(tmp_path / "checkpoints", method="full", max_steps=1)
    trainer.train()
    trainer.save_weights(str(tmp_path / "kept"))
    kept = {name: tensor.clone() for name, tensor in trainer.model.state_dict().items()}
    for tensor in trainer.model.parameters():
        tensor.data.zero_()
    trainer.load_weights(str(tmp_path / "kept"))
    after = trainer.model.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in kept.items())
    assert encoder_trainer.trainer_class() is encoder_trainer.trainer_class()
