"""`calc` counts and estimates a recipe; `hardware` describes this machine."""

from __future__ import annotations

import pytest

from studio import Commands, Studio
from studio.cli.calc import shares
from studio.core import calibration
from studio.core.errors import ConfigError, ModelError

TINYLLAMA = "TinyLlama/TinyLlama-1.1B-Chat-v1.0"


def test_the_workshops_count(do: Commands):
    found = do.calc(TINYLLAMA, lora_r=8, lora_target_modules="q_proj,k_proj,v_proj", gpu="L4")
    assert found["trainable_parameters"] == 1_531_904
    assert found["memory"]["total"] > 0 and found["gpu"].startswith("L4")
    assert found["verdict"] in ("fits", "tight", "does not fit")
    assert "1.53 M trainable" in found["summary"]


def test_data_gives_time_and_a_price_money(do: Commands):
    plain = do.calc("pocket")
    assert plain["cost"]["seconds"] is None and plain["cost"]["money"] is None
    rows = do.calc("pocket", rows=80, mean_tokens=50, price=2.0)["cost"]
    assert rows["steps"] == 30 and rows["time"] and rows["money"][1] >= rows["money"][0] > 0
    assert do.calc("pocket", dataset="pocket-sft")["cost"]["steps"] > 30


def test_a_mixtures_shares_come_before_the_run(do: Commands, studio):
    """What the model will see of each dataset: by rows as asked, by tokens as the rows are long."""
    chat = [{"role": "user", "content": "Hi?"}, {"role": "assistant", "content": "Hello " * 40}]
    rows = [{"messages": [*chat, {"role": "user", "content": str(n)}]} for n in range(200)]
    studio.datasets.from_rows(rows, "conversational", "long ones")
    found = do.calc("pocket", dataset=["pocket-sft", "long ones:0.1"])
    mine, long = found["datasets"]
    assert long["share_of_rows"] == pytest.approx(0.1, abs=0.01)
    assert long["share_of_tokens"] > 0.15 and long["of_rows"] == 200
    assert mine["rows"] + long["rows"] == pytest.approx(8 * found["cost"]["steps"] / 3, abs=8)
    assert mine["share_of_tokens"] + long["share_of_tokens"] == pytest.approx(1)
    assert shares(found["datasets"]).splitlines()[-1].startswith("long ones")
    assert do.calc("pocket", dataset="pocket-sft")["datasets"] == []
    with pytest.raises(ConfigError, match="nothing is neither"):
        do.calc("pocket", dataset=["pocket-sft", "nothing:0.1"])


def test_any_parameter_of_a_recipe_can_be_set(do: Commands):
    base = do.calc("pocket", lora_r=8)["trainable_parameters"]
    more = do.calc("pocket", lora_r=8, set={"lora_modules_to_save": ["lm_head"]})
    assert more["trainable_parameters"] > base
    assert do.calc("pocket", lora_r=8, set={"lora_r": 16})["trainable_parameters"] == 2 * base


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"lora_target_modules": "qproj"}, "q_proj"),
        ({"method": "lroa"}, "lora"),
        ({"gpu": "T5"}, "T4"),
        ({"set": {"lora_rank": 8}}, "lora_r"),
        ({"dataset": "nothing"}, "neither a prepared dataset nor a sample"),
    ],
)
def test_what_is_not_known_is_named(do: Commands, values, words):
    with pytest.raises(ConfigError, match=words):
        do.calc("pocket", **values)


def test_a_model_that_is_not_there_is_refused(do: Commands):
    with pytest.raises(ModelError):
        do.calc("./no-such-model")


def test_hardware(do: Commands):
    found = do.hardware()
    assert found["device"] in ("cpu", "cuda", "mps") and found["cores"] >= 1
    assert found["packages"]["torch"] and found["summary"]


def test_hardware_says_what_was_measured(do: Commands, studio: Studio):
    entries = {"768 x 64, 8 rows": 0.4, "768 x 64, 16 rows": 0.9, "bfloat16, 8 rows": 0.3}
    calibration.add(studio.workspace.cache, "this machine", entries)
    found = do.hardware()["measured"]["this machine"]
    assert [one["share"] for one in found] == [0.4, 0.9, 0.3]
    said = [one["said"] for one in found]
    assert said[0].endswith("used") and said[1].endswith("linear is used")
    assert "never chosen" in said[2]
