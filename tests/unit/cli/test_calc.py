"""`calc` and `hardware` in the shell."""

from __future__ import annotations


def test_an_estimate_for_a_person(shell):
    flags = ("--lora-r", 8, "--lora-target-modules", "q_proj", "--gpu", "T4", "--price", "0.5")
    printed = shell("calc", "pocket", *flags, "--rows", 100, "--mean-tokens", 50)
    assert printed.code == 0, printed.err
    assert "trainable" in printed.out and "q_proj" in printed.out and "T4" in printed.out
    assert "39 steps" in printed.out and "at 0.5 per hour" in printed.out


def test_any_other_parameter_is_set(shell):
    printed = shell("calc", "pocket", "--set", "lora_r=8", "--set", "max_length=64", "--json")
    assert printed.json["trainable_parameters"] == 189_440
    assert "lora_r" in shell("calc", "pocket", "--set", "lora_rank=8").refused(2)


def test_what_is_not_known_is_named(shell):
    assert "T4" in shell("calc", "pocket", "--gpu", "T5").refused(2)
    assert shell("calc", "./no-such-model").refused(1)


def test_hardware(shell):
    assert shell("hardware", "--json").json["packages"]["torch"].startswith("2.13.0")
    text = shell("hardware").out
    assert ("cores" in text or "free" in text) and "torch 2.13.0" in text
