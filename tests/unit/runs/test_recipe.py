"""The recipe: names, defaults, what is refused and how, and YAML in and out."""

from __future__ import annotations

import pytest
import yaml

from studio.core.errors import ConfigError
from studio.runs.defaults import defaults
from studio.runs.methods import METHODS
from studio.runs.objectives import OBJECTIVES
from studio.runs.recipe import Recipe, find_recipe, presets

SEVEN = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("lora_rank", "lora_r"),
        ("learning-rate", "learning_rate"),
        ("max_len", "max_length"),
        ("betta", "beta"),
    ],
)
def test_an_unknown_key_names_the_nearest(wrong, right):
    with pytest.raises(ConfigError) as caught:
        Recipe.of({wrong: 1})
    assert repr(wrong) in str(caught.value)
    assert f'"{right}"' in str(caught.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"learning_rate": -1}, "learning_rate"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"lora_r": 0}, "lora_r"),
        ({"objective": "ppo"}, "objective"),
        ({"loss_type": "sigmod"}, "loss_type"),
        ({"label_smoothing": 0.5}, "label_smoothing"),
        ({"save_total_limit": 1}, "save_total_limit"),
        ({"lora_target_modules": []}, "at least one module"),
        ({"lora_target_modules": "q_proj,lm_head"}, "lm_head"),
        ({"method": "full", "load_in_4bit": True}, "4-bit"),
        ({"method": "full", "objective": "dpo", "start_from": "run"}, "start_from"),
        ({"completion_only_loss": True, "assistant_only_loss": True}, "not both"),
        ({"mask_history": True, "assistant_only_loss": False}, "leave assistant_only_loss empty"),
        ({"packing_strategy": "wrapped"}, "set packing: true"),
        (
            {"objective": "dpo", "loss_type": ["sigmoid", "sft"], "loss_weights": [1.0]},
            "loss_weights",
        ),
        ({"objective": "dpo", "loss_type": "exo_pair"}, "label_smoothing"),
        ({"objective": "dpo", "loss_type": "kto"}, "sigmoid_norm"),
        ({"objective": "kto", "loss_type": ["kto", "apo_zero_unpaired"]}, "one loss_type"),
        ({"objective": "kto", "per_device_train_batch_size": 1}, "KL"),
        ({"objective": "dpo", "loss_type": "aot", "use_weighting": True}, "aot"),
        ({"method": "pissa", "load_in_4bit": True}, "decomposes the base weights"),
        ({"method": "lokr", "load_in_8bit": True}, "8-bit"),
        ({"method": "prompt_tuning", "packing": True}, "packing"),
        ({"method": "prefix_tuning", "activation_checkpointing": True}, "cache"),
        ({"method": "p_tuning", "start_from": "run"}, "PEFT cannot continue"),
        ({"method": "last_layers", "start_from": "run"}, "start_as: merge"),
        ({"layers_to_transform": [1]}, "lora_target_modules by name"),
        ({"early_stopping_patience": 2}, "load_best_model_at_end"),
        ({"rank_pattern": "q_proj"}, "q_proj=8"),
        ({"optim": "adam"}, "optim"),
        ({"lr_scheduler_type": "sawtooth"}, "lr_scheduler_type"),
    ],
)
def test_what_cannot_work_is_refused_by_name(values, words):
    with pytest.raises(ConfigError) as caught:
        Recipe.of(values)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_defaults_follow_the_objective_and_the_method():
    assert Recipe.defaults("sft").learning_rate == 2e-4
    assert Recipe.defaults("dpo").learning_rate == 5e-6
    assert Recipe.defaults("sft", "full").learning_rate == 2e-5
    assert Recipe.defaults("sft", "qlora").load_in_4bit
    assert Recipe.defaults("dpo", learning_rate=1e-5).learning_rate == 1e-5


def test_every_default_says_why_and_makes_a_recipe():
    for objective in OBJECTIVES:
        for method in METHODS:
            try:
                recipe = Recipe.defaults(objective, method)
            except ConfigError:
                continue  # a combination that cannot work, whatever its values
            for found in defaults(objective, method):
                assert getattr(recipe, found.field) == found.value and len(found.why) > 10
    assert Recipe.defaults("kto").loss_type == ("kto",)
    assert Recipe.defaults("sft", "qlora", load_in_8bit=True).load_in_4bit is False


def test_patterns_are_read_as_people_write_them():
    recipe = Recipe.of({"rank_pattern": "q_proj=8, v_proj=32"})
    assert recipe.rank_pattern == {"q_proj": 8, "v_proj": 32}
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe


def test_a_recipe_is_frozen_and_changes_are_validated():
    recipe = Recipe.defaults()
    with pytest.raises(Exception, match="frozen"):
        recipe.lora_r = 3
    assert recipe.with_(lora_r=3).lora_r == 3
    with pytest.raises(ConfigError):
        recipe.with_(lora_r=0)


def test_yaml_goes_out_and_comes_back_the_same():
    recipe = Recipe.defaults(
        "dpo",
        "qlora",
        name="naïve 日本",
        learning_rate=5e-7,
        loss_type=("sigmoid", "sft"),
        loss_weights=(1.0, 0.2),
        lora_target_modules=SEVEN,
        start_from="run-20260101-000000-abcd",
    )
    assert Recipe.from_yaml(recipe.to_yaml()) == recipe


def test_small_numbers_survive_yaml():
    # PyYAML reads 5e-7 as text and 5.0e-07 as a number; both must do.
    assert Recipe.from_yaml("learning_rate: 5e-7").learning_rate == 5e-7
    assert isinstance(yaml.safe_load(Recipe.defaults("dpo").to_yaml())["learning_rate"], float)


@pytest.mark.parametrize("text", ["- a\n- b", "just words", "a: [1", "lora_r: {x: 1}"])
def test_bad_yaml_is_one_sentence(text):
    with pytest.raises(ConfigError) as caught:
        Recipe.from_yaml(text)
    assert str(caught.value).endswith(".")


def test_a_missing_file_and_a_missing_name(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        find_recipe(str(tmp_path / "none.yaml"))
    with pytest.raises(ConfigError, match='"pocket-sft"'):
        find_recipe("pocket-stf")


def test_targets_are_read_as_people_write_them():
    assert Recipe.of({"lora_target_modules": "q_proj, v_proj"}).lora_target_modules == (
        "q_proj",
        "v_proj",
    )
    assert Recipe.of({"lora_target_modules": ["all-linear"]}).lora_target_modules == "all-linear"


def test_every_shipped_recipe_loads_and_round_trips():
    shipped = presets()
    assert {"pocket-sft", "pocket-dpo"} <= set(shipped)
    for slug, recipe in shipped.items():
        assert recipe.name == slug
        assert Recipe.from_yaml(recipe.to_yaml()) == recipe


def test_the_workshops_recipes_hold_its_values():
    shipped = presets()
    tiny = shipped["tinyllama-lora-sft"]
    assert (tiny.objective, tiny.method, tiny.optim) == ("sft", "lora", "paged_adamw_32bit")
    assert (tiny.lora_r, tiny.lora_alpha, tiny.lora_dropout) == (8, 16, 0.1)
    assert (tiny.lora_target_modules, tiny.learning_rate) == (SEVEN[:3], 1e-4)

    qwen = shipped["qwen2-0.5b-qlora-dpo"]
    assert (qwen.objective, qwen.quantized, qwen.optim) == ("dpo", True, "paged_adamw_8bit")
    assert (qwen.bnb_4bit_quant_type, qwen.use_bnb_nested_quant) == ("nf4", True)
    assert (qwen.lora_r, qwen.lora_alpha, qwen.lora_target_modules) == (16, 32, SEVEN)
    assert (qwen.learning_rate, qwen.lr_scheduler_type, qwen.warmup_steps) == (5e-5, "cosine", 0.1)

    llama = shipped["llama-3.2-3b-qlora-sft"]
    assert (llama.objective, llama.quantized, llama.optim) == ("sft", True, "adamw_8bit")
    assert (llama.lora_r, llama.learning_rate) == (16, 2e-4)
    assert (llama.lr_scheduler_type, llama.warmup_steps) == ("linear", 5)
    assert llama.assistant_only_loss and llama.dataset_name == "mlabonne/FineTome-100k"


@pytest.mark.parametrize(
    ("objective", "model", "name"),
    [
        ("sft", "pocket", "pocket-sft"),
        ("sft", "Qwen/Qwen2-0.5B", "Qwen2-0.5B-sft"),
        ("dpo", "../models/tiny/", "tiny-dpo"),
    ],
)
def test_what_nobody_named_is_called_after_model_and_objective(
    objective: str, model: str, name: str
) -> None:
    assert Recipe.defaults(objective, model_name_or_path=model).usual_name() == name


@pytest.mark.parametrize("text", ["", "  \n", "# nothing yet\n", "{}", "---\n"])
def test_an_empty_recipe_is_refused(tmp_path, text):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="is empty"):
        Recipe.from_yaml(path)
