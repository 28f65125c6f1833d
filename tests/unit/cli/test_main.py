"""Help, exit codes and errors: the same for every command."""

from __future__ import annotations

import subprocess
import sys

import pytest

from studio.commands import COMMANDS


@pytest.mark.parametrize("name", ["app", *COMMANDS])
def test_every_command_has_help_with_an_example(shell, name):
    words = shell_words(name)
    printed = shell(*words, "--help")
    assert printed.code == 0
    assert f"python -m studio {' '.join(words)}" in printed.out.split("Example")[1]
    assert name == "app" or "--json" in printed.out


def shell_words(name: str) -> list[str]:
    """`runs_list` as the shell has it."""
    return name.split("_", 1)


@pytest.mark.parametrize("group", ["", "data", "runs", "pairs", "labels"])
def test_a_group_alone_says_what_it_holds(shell, group):
    printed = shell(*group.split())
    assert printed.code == 2
    assert printed.out == ""
    assert "Commands:" in printed.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("dta inspect x", "data"),
        ("data inspekt x", "inspect"),
        ("data inspect", "SOURCE"),
        ("data inspect x --limit none", "--limit"),
        ("data prepare pocket-sft --out a.jsonl --name b", "give one of them"),
        ("data prepare pocket-sft --test-out a.jsonl", "test_out"),
        ("data prepare pocket-sft --out a.jsonl --map prompt", "FIELD=COLUMN"),
        ("train pocket-stf", "pocket-sft"),
        ("train no/such/recipe.yaml", "cannot be read"),
        ("train pocket-sft --set lora_rank=8", "lora_r"),
        ("train pocket-sft --set lora_r", "KEY=VALUE"),
        ("train pocket-sft --set lora_r=[", "YAML"),
        ("train pocket-sft --set lora_r=none", "lora_r"),
        ("runs show nothing", "no run"),
        ("runs stop nothing", "no run"),
        ("runs resume nothing", "no run"),
        ("generate --prompt x", "--run"),
        ("generate --run x", "no prompts"),
        ("generate --run x --prompt y --top-p 0", "top_p"),
        ("generate --run x --prompt y --temperature 9", "--temperature"),
        ("generate --run x --prompt y", "no run"),
        ("pairs make --a base --b base --prompt x --project p", "temperature"),
        ("labels export --project p --out x.csv", ".csv"),
        ("labels export --project p --out x.jsonl --format ppo", "--format"),
        ("labels create --name x", "dataset"),
        ("train pocket-sft --sweep name=a,b", "cannot be swept"),
        ("train pocket-sft --sweep lora_r=[", "YAML"),
    ],
)
def test_bad_usage_is_one_sentence_and_2(shell, arguments, words):
    assert words in shell(*arguments.split()).refused(2)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("data inspect no-such-file.jsonl", "no-such-file.jsonl"),
        ("labels export --project p --out x.jsonl", "no labeling project"),
        ("generate --run x --prompts no-such-file.txt", "no-such-file.txt"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_1(shell, arguments, words):
    assert words in shell(*arguments.split()).refused(1)


def test_a_workspace_that_cannot_be_used_is_one_sentence(shell, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "file" / "home"))
    assert "STUDIO_HOME" in shell("runs", "list").refused(1)


def test_a_fault_of_ours_is_still_one_sentence(shell, monkeypatch):
    def broken():
        raise ZeroDivisionError("division by zero\nand more")

    monkeypatch.setattr("studio.core.hardware.detect", broken)
    sentence = shell("hardware").refused(1)
    assert "ZeroDivisionError" in sentence and "--verbose" in sentence


def test_what_libraries_print_stays_off_stdout(shell, monkeypatch):
    from studio.core import hardware

    real = hardware.detect

    def chatty():
        sys.stdout.write("loading ...\n")
        return real()

    monkeypatch.setattr("studio.core.hardware.detect", chatty)
    printed = shell("hardware", "--json")
    assert printed.json["cores"] >= 1
    assert printed.err == ""
    printed = shell("--verbose", "hardware", "--json")
    assert printed.json["cores"] >= 1
    assert "loading" in printed.err


@pytest.mark.parametrize("asked", [["--help"], ["train", "--help"], ["--version"]])
def test_help_needs_none_of_the_libraries(asked: list[str]):
    """So that it is there at once: torch alone would take three seconds."""
    heavy = ("torch", "transformers", "trl", "peft", "datasets", "gradio", "pyarrow", "sqlalchemy")
    code = f"import sys; from studio.cli import main; main({asked!r}); "
    code += f"print(*[name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout and done.stderr.split() == []


def test_output_cut_short_is_no_error():
    code = f"{sys.executable} -m studio train --help | head -1"
    done = subprocess.run(code, shell=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.startswith("Usage:")


def test_a_stop_from_the_keyboard_is_one_sentence_and_1(shell, monkeypatch):
    def stopped():
        raise KeyboardInterrupt

    monkeypatch.setattr("studio.core.hardware.detect", stopped)
    assert "Stopped before" in shell("hardware").refused(1)


def test_an_annotated_option_is_shown_by_a_word(shell):
    printed = str(shell("why", "--help"))
    assert "--project NAME" in printed
    assert "typing" not in printed
