"""The commands that serve an export say what the chat template is to be given."""

import json
import shlex

import pytest

from studio.exports import ollama, serve_commands

RECORD = {"name": "My run", "files": ["my-run.gguf"], "base": "org/base", "base_kind": "hub"}
KWARGS = {"enable_thinking": False}


@pytest.mark.parametrize("to", ["merged", "gguf", "adapter"])
def test_servers_are_told_the_runs_kwargs(to):
    record = {**RECORD, "to": to, "lora_r": 16}
    plain = dict(serve_commands.commands(record))
    told = dict(serve_commands.commands({**record, "chat_template_kwargs": KWARGS}))
    assert plain.keys() == told.keys()
    for program, command in told.items():
        if program == "Ollama":  # it has an option for thinking alone
            assert command == f"{plain[program]} --think=false"
            continue
        *before, option, given = shlex.split(command)
        assert before == shlex.split(plain[program])
        assert option.endswith("chat-template-kwargs") and json.loads(given) == KWARGS


def test_llama_cpp_is_told_a_linear_scaling_and_no_llama3():
    said = {"rope_parameters": {"rope_type": "linear", "factor": 2.5}}
    record = {**RECORD, "to": "gguf", "rope_overrides": said}
    assert dict(serve_commands.commands(record))["llama.cpp"].endswith(
        "--rope-scaling linear --rope-scale 2.5"
    )
    said["rope_parameters"]["rope_type"] = "llama3"
    assert "--rope" not in dict(serve_commands.commands(record))["llama.cpp"]


QWEN = (  # as Qwen2.5 opens a chat
    "{% if messages[0].role != 'system' %}"
    "{{ '<|im_start|>system\\nYou are helpful.<|im_end|>\\n' }}{% endif %}"
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\\n' + m.content + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@pytest.mark.parametrize("bos", ["", "{{ bos_token }}"])
def test_a_system_prompt_that_the_template_adds_is_said_apart(tmp_path, bos):
    from transformers import AutoTokenizer

    from studio.core.workspace import PRESETS

    tokenizer = AutoTokenizer.from_pretrained(PRESETS / "pocket")
    tokenizer.bos_token = "<|end|>"
    tokenizer.chat_template = bos + QWEN
    ollama.write(tmp_path, "a.gguf", tokenizer)
    written = (tmp_path / "Modelfile").read_text()
    assert 'SYSTEM """You are helpful."""' in written
    assert 'PARAMETER stop "<|end|>"' in written and "\nTEMPLATE" not in written
    depends = QWEN.replace("helpful.", "helpful ' + messages[-1].content + '.")
    # A system turn that is there without a prompt, as Llama 3.1's dates.
    dated = "'<|im_start|>system\\nToday\\n' + (messages[0].content if S) + '<|im_end|>\\n'"
    first = "{% set S = messages[0].role == 'system' %}{{ " + dated + " }}"
    rest = QWEN.partition("{% endif %}")[2]
    dated = first + rest.replace("in messages %}", "in messages[S|int:] %}")
    quoted = QWEN.replace("helpful.", 'a \\"\\"\\" helper.')
    for template in (depends, dated, rest, quoted):
        tokenizer.chat_template = template
        assert ollama.default_system(tokenizer) == ""


def test_what_llama_cpp_alone_reads_is_loaded_by_it():
    adapter = serve_commands.loading({**RECORD, "to": "gguf-lora"})
    assert adapter.endswith("Llama('BASE.gguf', lora_path='./my-run.gguf')")
    converted = {**RECORD, "to": "gguf", "converter": "convert_hf_to_gguf.py"}
    assert serve_commands.loading(converted).endswith("Llama('./my-run.gguf')")


def test_the_shell_says_the_perplexity_of_a_type_without_a_tolerance():
    from studio.cli.runs import VIEWS

    figures = {"largest_difference": 0.5, "largest_logit": 5.0, "tolerance": None, "agreement": 0.9}
    rows = {"ratio": 1.02, "allowed": 1.25, "rows": 64, "source": "held-out rows"}
    made = {"folder": "out", "bytes": 5, "figures": figures, "perplexity": rows, "to": "gguf"}
    told = VIEWS["runs_export"].render({**RECORD, **made})
    assert "perplexity 1.02 times the run's (1.25 allowed), on 64 of held-out rows" in told
    assert "a logit 0.5, greedy tokens that agree 90" in told


def test_an_adapter_of_another_class_than_servers_load_has_no_command():
    record = {**RECORD, "to": "adapter", "lora_r": 8, "trained_as": "Gemma3ForCausalLM"}
    same = {**record, "served_as": "Gemma3ForCausalLM"}
    assert len(serve_commands.commands(same)) == 2 and not serve_commands.withheld(same)
    other = {**record, "served_as": "Gemma3ForConditionalGeneration"}
    assert serve_commands.commands(other) == []
    assert "Gemma3ForConditionalGeneration" in serve_commands.withheld(other)
    assert not serve_commands.withheld({**other, "to": "merged"})
