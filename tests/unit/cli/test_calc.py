"""`calc` and `hardware`: figures for people and for machines."""

from __future__ import annotations

import json


def test_the_workshops_count(shell):
    said = shell(
        "calc",
        "TinyLlama/TinyLlama-1.1B-Chat-v1.0",
        "--method",
        "lora",
        "--lora-r",
        8,
        "--lora-target-modules",
        "q_proj,k_proj,v_proj",
        "--json",
    )
    assert said.code == 0, said.err
    assert said.json["trainable_parameters"] == 1_531_904
    assert said.json["memory"]["total"] > 0
    assert said.json["verdict"] in ("fits", "tight", "does not fit")


def test_a_person_reads_the_same(shell):
    said = shell("calc", "pocket", "--lora-r", 8, "--lora-target-modules", "q_proj", "--gpu", "T4")
    assert said.code == 0, said.err
    assert "trainable" in said.out and "q_proj" in said.out and "T4" in said.out


def test_what_is_not_known_is_named(shell):
    assert "q_proj" in shell("calc", "pocket", "--lora-target-modules", "qproj").refused(2)
    assert "lora" in shell("calc", "pocket", "--method", "lroa").refused(2)
    assert "T4" in shell("calc", "pocket", "--gpu", "T5").refused(2)
    assert shell("calc", "./no-such-model").refused(1)


def test_hardware(shell):
    said = shell("hardware", "--json")
    assert said.json["device"] in ("cpu", "cuda", "mps")
    assert said.json["packages"]["torch"].startswith("2.13.0")
    assert json.dumps(said.json)
    assert "cores" in shell("hardware").out or "free" in shell("hardware").out
