"""The rule of Unsloth's `train_on_responses_only`, worked out by hand."""

# (instruction part, response part) of Unsloth's `train_on_responses_only`, and where the template
# is in TRL or above.
PARTS = {
    "llama3_1": (
        "<|start_header_id|>user<|end_header_id|>\n\n",
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    "mistral": ("[INST]", "[/INST]"),
    "qwen2_5": ("<|im_start|>user\n", "<|im_start|>assistant\n"),
    "gemma": ("<start_of_turn>user\n", "<start_of_turn>model\n"),
    "phi3": ("<|user|>\n", "<|assistant|>\n"),
    "zephyr": ("<|user|>\n", "<|assistant|>\n"),
}
PARTS |= {"llama3_2": PARTS["llama3_1"], "qwen3": PARTS["qwen2_5"], "chatml": PARTS["qwen2_5"]}


def by_unsloth(text, instruction, response):
    """`train_on_responses_only` by hand: after each response part, up to the next instruction."""
    kept, at = ["\0"] * len(text), 0
    while (start := text.find(response, at)) >= 0:
        start += len(response)
        at = text.find(instruction, start)
        at = len(text) if at < 0 else at
        kept[start:at] = text[start:at]
    return "".join(kept)
