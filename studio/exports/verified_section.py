"""The part of an export's card that says what was compared, and how near it came."""

from __future__ import annotations

import math
from typing import Any

from studio.core.formatting import percent_text


def section(record: dict[str, Any]) -> str:
    """Figures of an export's record as Markdown."""
    found = record["figures"]
    share = found["tolerance"]
    allowed = f"{share * found['largest_logit']:.3g}" if share else ""
    lines = [
        "## Checked\n",
        f"Loaded back {_with_what(record)} and compared with the run on "
        f"{found['prompts']} prompts ({found['tokens']} greedy tokens):\n",
        "| figure | value | allowed |\n|---|---:|---:|",
        *_perplexity(record),
        f"| largest difference of a logit | {found['largest_difference']:.3g} | {allowed} |",
        f"| the same, of the run's largest logit | "
        f"{percent_text(found['largest_difference'] / found['largest_logit'])} | "
        f"{percent_text(share) if share else ''} |",
        f"| greedy tokens that agree | {percent_text(found['agreement'])} | "
        f"{'ties only' if share else ''} |",
        f"| whole answers that are the same | {found['same_answers']} of {found['prompts']} | |",
        f"| mean difference from the run | {found['mean_difference']:.3g} | "
        f"{'below the next line' if share else ''} |",
        f"| mean difference from the base | {found['mean_difference_from_base']:.3g} | |\n",
    ]
    lines += _stored(record)
    if record["to"] in ("gguf", "gguf-lora"):
        lines.append(_llama(record.get("llama_cpp")) + "\n")
    if "from_4bit" in record:
        far = record["from_4bit"]
        lines.append(
            "The run was trained on a rounded base. Beside that one, this export's logits differ "
            f"by up to {far['largest_difference']:.3g} and {percent_text(far['agreement'])} of the "
            "greedy tokens agree: the rounding of the base, undone.\n"
        )
    return "\n".join(lines)


def _with_what(record: dict[str, Any]) -> str:
    alone = record.get("converter") and "llama_cpp" in record
    return "by llama.cpp" if alone else "with the stock libraries"


def _perplexity(record: dict[str, Any]) -> list[str]:
    """Rows of the table: the export's perplexity beside the run's and the base's."""
    rows = record.get("perplexity")
    if not rows:
        return []
    run, base, export = (math.exp(min(700.0, rows[name])) for name in ("run", "base", "export"))
    return [
        f"| perplexity, as a multiple of the run's | {rows['ratio']:.4g} | "
        f"{1 / rows['allowed']:.4g} to {rows['allowed']:.4g} |",
        f"| perplexity of export, run and base on {rows['rows']} of {rows['source']} "
        f"({rows['tokens']:,} tokens) | {export:.4g}, {run:.4g}, {base:.4g} | "
        f"{'' if record['figures']['tolerance'] else 'nearer to the run'} |",
    ]


def _stored(record: dict[str, Any]) -> list[str]:
    """How the weights are stored, and what weighed their rounding."""
    lines = []
    if script := record.get("converter"):
        lines.append(f"Written by llama.cpp's own `{script}`.\n")
    if types := record.get("stored_types"):
        each = ", ".join(f"{count} in {kind}" for kind, count in types.items())
        lines.append(f"Tensors of the file: {each}.\n")
    if matrix := record.get("importance_matrix"):
        lines.append(
            f"Quantized with an importance matrix from {matrix['rows']:,} training rows "
            f"({matrix['tokens']:,} tokens), of {matrix['tensors']} tensors.\n"
        )
    if "largest_update_difference" in record:
        off = percent_text(record["largest_update_difference"])
        lines.append(f"Each layer's product of matrices is PEFT's delta weight, within {off}.\n")
    return lines


def _llama(found: dict[str, Any] | None) -> str:
    """How llama.cpp reads the file."""
    if found is None:
        return "llama-cpp-python was not installed, so llama.cpp itself was not asked."
    if "error" in found:
        return f"Not compared in llama.cpp: {found['error']}"
    return (
        f"Read by llama-cpp-python {found['version']}, logits differ from the run's by up to "
        f"{found['largest_difference']:.3g} "
        f"({percent_text(found['largest_difference'] / found['largest_logit'])} of the largest), "
        f"{percent_text(found['agreement'])} of the greedy tokens agree{_ratio(found)}."
    )


def _ratio(found: dict[str, Any]) -> str:
    """Of a whole model, which has texts and rows of its own."""
    ratio = found.get("perplexity_ratio")
    if ratio is None:
        return ""
    return (
        f", the perplexity is {ratio:.4g} times the run's, and every text tried is cut into the "
        "same tokens"
    )
