"""The tree of modules sums what is counted, and its switches carry the targets' names."""

from __future__ import annotations

from components.calculator import module_tree_html
from studio.calculator import estimate
from tests.unit.calculator.conftest import TINYLLAMA, recipe_of


def test_the_tree_sums_what_is_counted():
    found = estimate(recipe_of(TINYLLAMA, lora_target_modules=["q_proj", "v_proj"]), "L4")
    root = module_tree_html.grown(found)
    assert (root.parameters, root.trainable) == (found.total_parameters, found.trainable_parameters)
    html = module_tree_html.module_tree(found)
    assert html.count('aria-checked="true"') == 2 and 'data-pick="q_proj,v_proj"' in html
    assert "22</small>" in html


def test_a_bar_per_layer():
    strip = module_tree_html.layer_strip(estimate(recipe_of(TINYLLAMA, "last_layers"), "L4"))
    assert strip.count("<i ") == 22 and "Layers 0 to 19: 0 each; layers 20 to 21" in strip


def test_no_layer_trains_under_prompt_tuning():
    found = estimate(recipe_of(TINYLLAMA, "prompt_tuning"), "L4")
    assert module_tree_html.layer_strip(found) == ""
    assert 'role="switch"' not in module_tree_html.module_tree(found)


def test_experts_are_one_switch():
    found = estimate(recipe_of("mistralai/Mixtral-8x7B-Instruct-v0.1"), "H200")
    assert 'data-target="w1,w3,w2"' in module_tree_html.module_tree(found)
