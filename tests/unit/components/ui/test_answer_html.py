"""Thoughts are folded with their length, calls are readable, and nothing of a model is markup."""

from components.ui.answer_html import calls, thought, tools_given

EVIL = "<img src=x onerror=alert(1)>"


def test_a_thought_says_its_length_and_whether_it_was_cut_off():
    assert thought("", 5, False, True) == ""
    assert "<summary>Thought, 5 tokens</summary>" in thought("Hm.", 5, False, True)
    assert "<summary>Thought, 2 words</summary>" in thought("Hm, well.", 0, False, True)
    assert "<summary>Thinking, 5 tokens</summary>" in thought("Hm", 5, True, False)
    cut = thought("Hm", 5, True, True)
    assert "Cut off while thinking, after 5 tokens" in cut and 'class="thought cut"' in cut
    assert " open" not in cut  # folded


def test_calls_are_names_with_arguments():
    shown = calls('{"name": "roll", "parameters": {"sides": 6, "of": "bone"}}')
    assert "<b>roll</b><dl><dt>sides</dt><dd>6</dd><dt>of</dt><dd>bone</dd></dl>" in shown
    assert calls("No call.") == ""
    assert "without arguments" in calls('{"name": "stop", "parameters": {}}')
    assert "not JSON" in calls('<tool_call>{"name": "roll", "argu</tool_call>')


def test_models_cannot_write_markup():
    call = f'<tool_call>{{"name": "{EVIL}", "arguments": {{"{EVIL}": "{EVIL}"}}}}</tool_call>'
    tools = [{"function": {"name": EVIL}}]
    assert EVIL not in thought(EVIL, 1, False, True, EVIL) + calls(call) + tools_given(tools)
