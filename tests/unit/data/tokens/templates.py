"""Chat templates for the tests of the loss mask: TRL's copies of models' own, the bundled ones, and
rows of every kind."""

import copy
import functools
import re
from pathlib import Path

from studio.core.chat_templates import BUNDLED, read
from studio.core.workspace import PRESETS

# As Mistral 7B Instruct v0.3 writes chats without tools.
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}"
    "{{ '[INST] ' + m.content + '[/INST]' }}{% elif m.role == 'assistant' %}"
    "{{ ' ' + m.content + eos_token }}{% else %}{{ raise_exception('Only user and assistant.') }}"
    "{% endif %}{% endfor %}"
)
# As Zephyr 7B beta writes them.
ZEPHYR = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + eos_token }}{{ '\n' }}"
    "{% if loop.last and add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}{% endfor %}"
)
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
# For models that read images: their turns are lists of parts.
_OF_PARTS = {
    *("idefics3", "idefics3_training", "llava_next", "llava_next_training"),
    *("smolvlm", "smolvlm_training"),
}
_MARK = re.compile(
    r"<\|[^|<>]+\|>|<[a-z_]+_of_turn>|\[/?[A-Z_]+\]|<\uff5c[^\uff5c]+\uff5c>|</?s>|<turn\|>|<\|turn>"
)
_GENERATION = re.compile(r"\{%-?\s*generation\s*-?%\}")


@functools.cache
def templates() -> dict[str, str]:
    """Every template of text chats that is installed here, by name."""
    import trl

    folder = Path(trl.__file__).parent / "chat_templates"
    found = {path.stem: path.read_text() for path in sorted(folder.glob("*.jinja"))}
    found = {name: text for name, text in found.items() if name not in _OF_PARTS}
    found |= {f"bundled {name}": read(name) for name in BUNDLED}
    pocket = (PRESETS / "pocket" / "chat_template.jinja").read_text()
    return {**found, "pocket": pocket, "mistral": MISTRAL, "zephyr": ZEPHYR, "chatml": CHATML}


def marked() -> list[str]:
    """Names of those with `{% generation %}`."""
    return [name for name, text in templates().items() if _GENERATION.search(text)]


def dressed(tokenizer, name):
    """A copy of a tokenizer with a template, whose marks are tokens of their own."""
    text = templates()[name]
    other = copy.deepcopy(tokenizer)
    if other.bos_token is None:
        other.bos_token = "<|begin|>"
    other.add_special_tokens({"additional_special_tokens": sorted(set(_MARK.findall(text)))})
    other.chat_template = text
    return other


def user(text, **more):
    return {"role": "user", "content": text, **more}


def said(text, **more):
    return {"role": "assistant", "content": text, **more}


SYSTEM = {"role": "system", "content": "Be brief, and kind."}
CALL = {"type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": 3}}}
ROWS = {
    "one turn": [user("Hi there"), said("Hello you")],
    "several turns": [user("Hi there"), said("Hello \u4f60 too"), user("And?"), said("No more.")],
    "system": [
        SYSTEM,
        user("Hi"),
        said("Hello"),
        user("And?"),
        said("No."),
        user("Hm"),
        said("Y."),
    ],
    "thinking": [
        user("Hi there"),
        said("Hello you", reasoning_content="greet back"),
        user("And?"),
        said("No more.", reasoning_content="end it"),
    ],
    "thinking in the text": [
        user("Hi there"),
        said("<think>\ngreet\n</think>\n\nHello you"),
        user("And?"),
        said("<think>\nend\n</think>\n\nNo more."),
    ],
    "tools": [
        user("2+3?"),
        said("", tool_calls=[CALL]),
        {"role": "tool", "name": "add", "content": "5"},
        said("It is 5."),
        user("Thanks"),
        said("Bye"),
    ],
    "unanswered": [user("Hi there"), said("Hello you"), user("And?")],
    "same words": [user("Yes"), said("Yes"), user("Yes"), said("Yes")],
}
