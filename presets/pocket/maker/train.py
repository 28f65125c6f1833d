"""Tokenizer and pretraining of the pocket model: a plain loop over packed text.

Left out on purpose: checkpoints and evaluation during training. The run takes minutes, and the
only questions that matter are asked after fine-tuning (``benchmarks/pocket.py``).
"""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from .rules import END, ROLES

log = logging.getLogger(__name__)
PAD = "<|pad|>"
RESERVED = "<|reserved|>"
SPECIALS = (PAD, RESERVED, END, *ROLES)

# END closes a document and a turn alike, so the base model stops by itself and takes what follows
# a question's END for a new document. Each turn's text comes straight after its role mark and ends
# in END, so a conversation's rendering is a prefix of the longer conversation's.
CHAT_TEMPLATE = """\
{%- for message in messages -%}
    {%- if message['role'] == 'assistant' -%}
        {{- '<|assistant|>' -}}
        {%- generation -%}{{- message['content'] + '<|end|>' -}}{%- endgeneration -%}
    {%- elif message['role'] in ('system', 'user') -%}
        {{- '<|' + message['role'] + '|>' + message['content'] + '<|end|>' -}}
    {%- else -%}
        {{- raise_exception('The pocket model knows the roles system, user and assistant.') -}}
    {%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}
"""


@dataclass(frozen=True)
class Plan:
    """Size and length of the pretraining run."""

    vocab_size: int = 1536
    hidden_size: int = 256
    layers: int = 5
    heads: int = 4
    intermediate_size: int = 640
    documents: int = 100_000
    sequence: int = 256
    batch: int = 8
    steps: int = 3000
    learning_rate: float = 2e-3
    closing_documents: int = 16_000
    closing_steps: int = 400
    closing_rate: float = 6e-4
    warmup: int = 80
    seed: int = 7
    threads: int = 2


def train_tokenizer(texts: Iterable[str], vocab_size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer with the chat template; any text round-trips through it."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIALS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=[RESERVED, *ROLES],
        chat_template=CHAT_TEMPLATE,
        model_max_length=512,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def pack(tokenizer: PreTrainedTokenizerFast, texts: list[str], sequence: int) -> torch.Tensor:
    """All texts, each followed by END, in one stream cut into rows of ``sequence`` tokens."""
    end = tokenizer.eos_token_id
    stream: list[int] = []
    for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]:
        stream += [*ids, end]
    rows = len(stream) // sequence
    return torch.tensor(stream[: rows * sequence]).view(rows, sequence)


def make_model(plan: Plan, tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    """An untrained Llama with tied embeddings."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=plan.hidden_size,
        intermediate_size=plan.intermediate_size,
        num_hidden_layers=plan.layers,
        num_attention_heads=plan.heads,
        num_key_value_heads=plan.heads,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def rate_at(step: int, plan: Plan) -> float:
    """Factor on the learning rate: linear warm-up, then cosine down to a twentieth."""
    if step < plan.warmup:
        return (step + 1) / plan.warmup
    done = (step - plan.warmup) / max(1, plan.steps - plan.warmup)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))


def pretrain(model: LlamaForCausalLM, rows: torch.Tensor, plan: Plan) -> tuple[float, float]:
    """Train ``model`` in place; returns the loss (mean of the last 50 steps) and the seconds."""
    decayed = [p for p in model.parameters() if p.dim() > 1]
    plain = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=plan.learning_rate, betas=(0.9, 0.95), fused=True)
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, plan))
    generator = torch.Generator().manual_seed(plan.seed)
    order = torch.cat([torch.randperm(len(rows), generator=generator) for _ in range(9)])
    losses, start = [], time.monotonic()
    model.train()
    for step in range(plan.steps):
        batch = rows[order[step * plan.batch : (step + 1) * plan.batch]]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = model(input_ids=batch, labels=batch).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        if step % 50 == 0 or step == plan.steps - 1:
            elapsed = time.monotonic() - start
            log.info("step %d loss %.3f after %.0f s", step, losses[-1], elapsed)
    return sum(losses[-50:]) / len(losses[-50:]), time.monotonic() - start


def wake_marks(model: LlamaForCausalLM, tokenizer: PreTrainedTokenizerFast, seed: int) -> None:
    """Give the chat marks, which no prose contains, embeddings that differ from one another.

    Unused rows of a tied embedding all drift in the same direction, and a frozen base with
    identical marks cannot tell a question from an answer.
    """
    generator = torch.Generator().manual_seed(seed)
    weight = model.get_input_embeddings().weight
    with torch.no_grad():
        spread = weight.std(dim=0)
        for mark in (RESERVED, *ROLES):
            row = tokenizer.convert_tokens_to_ids(mark)
            noise = torch.randn(spread.shape, generator=generator)
            weight[row] += noise * spread


def build(texts: list[str], closing: list[str], folder: Path, plan: Plan) -> dict[str, float]:
    """Train tokenizer and model on ``texts``, then the model shortly on ``closing``; save both.

    The closing texts contain bare questions. Before them the base model answers most questions
    through a chat template that it has never seen, only because answers follow questions in prose;
    after them it starts an unrelated document, and answering is left for SFT to teach.
    """
    torch.manual_seed(plan.seed)
    torch.set_num_threads(plan.threads)
    tokenizer = train_tokenizer(texts[:12_000], plan.vocab_size)
    rows = pack(tokenizer, texts, plan.sequence)
    model = make_model(plan, tokenizer)
    _, seconds = pretrain(model, rows, plan)
    wake_marks(model, tokenizer, plan.seed)
    last = dataclasses.replace(plan, steps=plan.closing_steps, learning_rate=plan.closing_rate)
    loss, more_seconds = pretrain(model, pack(tokenizer, closing, plan.sequence), last)
    tokenizer.save_pretrained(folder)
    model.to(torch.bfloat16).save_pretrained(folder)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "vocabulary": len(tokenizer),
        "corpus_tokens": rows.numel(),
        "trained_tokens": (plan.steps + plan.closing_steps) * plan.batch * plan.sequence,
        "loss": loss,
        "seconds": seconds + more_seconds,
    }
