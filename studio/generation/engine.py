"""Batched, streamed, cancellable generation: base and tuned rows of one base in one batch.

Columns that share a base and can be mixed (plain LoRA) go through `PeftModel.generate` together,
`adapter_names` saying which row is whose; the others run one after another on the same weights.
Runs in the worker's thread.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from transformers import GenerationConfig
from transformers.generation.stopping_criteria import StoppingCriteria, StoppingCriteriaList
from transformers.generation.streamers import BaseStreamer

from studio.errors import StudioError
from studio.generation.request import Column, Generation, Sampling
from studio.models import templates
from studio.models.pool import ModelPool, Resident
from studio.recipe import Recipe
from studio.training.methods import METHODS
from studio.training.runs import Run, RunStore

_BASE = "__base__"  # PEFT's name for rows that use no adapter
_REFRESH = 0.08  # seconds between decodes for the page


@dataclass
class _Lane:
    """A column ready to answer: where its weights are and which adapter it uses."""

    index: int
    resident: Resident
    adapter: str | None
    mixable: bool
    sampling: Sampling
    tokenizer: Any
    """The resident's, with the chat template that the column's run was trained with."""


def generate(generation: Generation, pool: ModelPool, runs: RunStore) -> None:
    """Fill a generation to its end; errors become sentences in their own cells."""
    generation.begin()
    try:
        lanes = _lanes(generation, pool, runs)
        batches = _group(lanes)
        generation.shared = len({id(lane.resident.model) for lane in lanes}) == 1 if lanes else None
        for batch in batches:
            _run_lanes(generation, batch)
            if generation.cancelled:
                break
        generation.finish()
    except StudioError as error:
        generation.finish(str(error))
    except torch.OutOfMemoryError:
        generation.finish("The device ran out of memory; ask for fewer or shorter answers.")


def _lanes(generation: Generation, pool: ModelPool, runs: RunStore) -> list[_Lane]:
    """Every column that can answer; the others get their sentence."""
    lanes: list[_Lane] = []
    columns = generation.request.columns
    recipes = _recipes(columns, runs)
    for index, column in enumerate(columns):
        try:
            lane = _lane(index, column, recipes, pool, runs)
            lane.sampling = column.sampling or generation.request.sampling
            lanes.append(lane)
        except StudioError as error:
            generation.fail_column(index, str(error))
    return lanes


def _recipes(columns: tuple[Column, ...], runs: RunStore) -> dict[str, Recipe]:
    """A recipe for each base name in play, so that a base column matches its tuned neighbour."""
    recipes: dict[str, Recipe] = {}
    for column in columns:
        if column.run:
            try:
                recipe = runs.get(column.run).recipe
            except StudioError:
                continue  # the column itself will say so
            recipes.setdefault(recipe.model_name_or_path, recipe)
    return recipes


def _lane(
    index: int, column: Column, recipes: dict[str, Recipe], pool: ModelPool, runs: RunStore
) -> _Lane:
    run: Run | None = runs.get(column.run) if column.run else None
    if run is not None and run.weights is not None:
        resident = pool.of_folder(run.weights, run.name)
        return _Lane(index, resident, None, False, Sampling(), resident.tokenizer)
    recipe = run.recipe if run else recipes.get(column.model)
    resident = pool.base_of(recipe, runs) if recipe else pool.base(column.model)
    if run is None:
        return _Lane(index, resident, None, True, Sampling(), resident.tokenizer)
    mixable = _mixes(run.recipe)
    tokenizer = templates.dressed(resident.tokenizer, run.recipe.chat_template_path)
    adapter = pool.with_adapter(resident, run)
    return _Lane(index, resident, adapter, mixable, Sampling(), tokenizer)


def _mixes(recipe: Recipe) -> bool:
    """Whether PEFT can run its rows beside the base's in one batch."""
    lora = METHODS[recipe.method].config == "LoraConfig" and recipe.method != "dora"
    return lora and not recipe.lora_modules_to_save


def _group(lanes: list[_Lane]) -> list[list[_Lane]]:
    """Lanes of one base, one way of sampling and mixable adapters go together."""
    groups: dict[Any, list[_Lane]] = {}
    for lane in lanes:
        key = (id(lane.resident), lane.sampling) if lane.mixable else ("alone", lane.index)
        groups.setdefault(key, []).append(lane)
    return list(groups.values())


def _run_lanes(generation: Generation, lanes: list[_Lane]) -> None:
    """All prompts for these lanes, in batches; lanes of one prompt sit in the same batch."""
    request = generation.request
    resident, sampling = lanes[0].resident, lanes[0].sampling
    rows = _rows(generation, lanes)
    size = max(request.batch_size, len(lanes))
    for start in range(0, len(rows), size):
        if generation.cancelled:
            return
        part = rows[start : start + size]
        try:
            _batch(generation, resident, sampling, part)
        except torch.OutOfMemoryError:
            for lane, prompt, _ in part:
                generation.put(
                    lane.index, prompt, ended="error",
                    error="The device ran out of memory here; ask for fewer or shorter answers.",
                )  # fmt: skip


def _rows(generation: Generation, lanes: list[_Lane]) -> list[tuple[_Lane, int, list[int]]]:
    """(lane, prompt index, token ids) of every row that fits the model's context."""
    resident = lanes[0].resident
    context = getattr(resident.model.config, "max_position_embeddings", None)
    rows = []
    for index, prompt in enumerate(generation.request.prompts):
        for lane in lanes:
            own = generation.request.columns[lane.index].prompts
            asked = own[index] if own else prompt
            text = prompt_text(lane.tokenizer, asked, generation.request.raw)
            ids = resident.tokenizer(text, add_special_tokens=generation.request.raw)["input_ids"]
            error = None
            if not ids:
                error = "The prompt is empty; type something to answer."
            elif context and len(ids) + 1 > context:
                error = (
                    f"The prompt is {len(ids):,} tokens long and this model reads {context:,}; "
                    "shorten it."
                )
            if error:
                generation.put(lane.index, index, ended="error", error=error, prompt_text=text)
                continue
            generation.put(lane.index, index, prompt_text=text)
            rows.append((lane, index, ids))
    return rows


def prompt_text(tokenizer: Any, prompt: list[dict[str, Any]] | str, raw: bool = False) -> str:
    """The exact string a model is given: through its chat template, or as typed when raw."""
    if raw or isinstance(prompt, str):
        if raw:
            return str(prompt)
        prompt = [{"role": "user", "content": prompt}]
    return tokenizer.apply_chat_template(prompt, add_generation_prompt=True, tokenize=False)


def _batch(
    generation: Generation, resident: Resident, sampling: Sampling,
    rows: list[tuple[_Lane, int, list[int]]],
) -> None:  # fmt: skip
    tokenizer = resident.tokenizer
    longest = max(len(ids) for _, _, ids in rows)
    context = getattr(resident.model.config, "max_position_embeddings", None) or longest + 10**6
    room = min(sampling.max_new_tokens, context - longest)
    pad = tokenizer.pad_token_id
    device = resident.model.device
    padded = [[pad] * (longest - len(ids)) + ids for _, _, ids in rows]
    mask = [[0] * (longest - len(ids)) + [1] * len(ids) for _, _, ids in rows]
    inputs: dict[str, Any] = {
        "input_ids": torch.tensor(padded, device=device),
        "attention_mask": torch.tensor(mask, device=device),
    }
    adapters = [lane.adapter or _BASE for lane, _, _ in rows]
    model = resident.model
    if any(name != _BASE for name in adapters):
        model = resident.adapted(next(name for name in adapters if name != _BASE))
        if all(lane.mixable for lane, _, _ in rows):
            inputs["adapter_names"] = adapters
        else:
            model.set_adapter(adapters[0])
    ends = end_ids(resident)
    streamer = _Cells(generation, tokenizer, [(lane.index, p) for lane, p, _ in rows], ends)
    config = _config(sampling, room, pad, ends)
    if sampling.stop_strings:
        inputs["tokenizer"] = tokenizer
    stop = StoppingCriteriaList([_Cancelled(generation)])
    # A fork of the random state: sampling here must not move a training run's.
    with torch.random.fork_rng(), torch.inference_mode():
        torch.manual_seed(sampling.seed)
        model.generate(
            **inputs, generation_config=config, streamer=streamer, stopping_criteria=stop
        )
    streamer.close(room)


def end_ids(resident: Resident) -> list[int]:
    """Every token that ends an answer: the tokenizer's and the model's own."""
    own = getattr(resident.model.generation_config, "eos_token_id", None)
    own = own if isinstance(own, list) else [own]
    return sorted({token for token in (*own, resident.tokenizer.eos_token_id) if token is not None})


def _config(sampling: Sampling, room: int, pad: int, ends: list[int]) -> GenerationConfig:
    """transformers' settings from ours; nothing is inherited from the model's own defaults."""
    settings: dict[str, Any] = {
        "max_new_tokens": room,
        "do_sample": sampling.temperature > 0,
        "repetition_penalty": sampling.repetition_penalty,
        "pad_token_id": pad,
        "eos_token_id": ends,
        "stop_strings": list(sampling.stop_strings) or None,
    }
    if sampling.temperature > 0:
        settings |= {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "min_p": sampling.min_p or None,
        }
    return GenerationConfig(**settings)


class _Cancelled(StoppingCriteria):
    """Ends every row of the batch at the next token once somebody pressed stop."""

    def __init__(self, generation: Generation):
        self._generation = generation

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> torch.Tensor:
        return torch.full(
            (input_ids.shape[0],), self._generation.cancelled, device=input_ids.device
        )


class _Cells(BaseStreamer):
    """Gives each new token of the batch to its cell, decoded a few times a second."""

    def __init__(
        self, generation: Generation, tokenizer: Any, cells: list[tuple[int, int]], ends: list[int]
    ):
        self._generation, self._tokenizer, self._cells = generation, tokenizer, cells
        self._ends = set(ends)
        self._ids: list[list[int]] = [[] for _ in cells]
        self._ended = [False] * len(cells)
        self._prompt_seen = False
        self._shown = 0.0

    def put(self, value: torch.Tensor) -> None:
        if not self._prompt_seen:  # generate hands the prompt over first
            self._prompt_seen = True
            return
        for row, token in enumerate(value.tolist()):
            if self._ended[row]:
                continue
            if token in self._ends:
                self._ended[row] = True
                self._show(row, "stop")
            else:
                self._ids[row].append(token)
        if time.monotonic() - self._shown > _REFRESH:
            self._shown = time.monotonic()
            for row, ended in enumerate(self._ended):
                if not ended:
                    self._show(row)

    def end(self) -> None:
        """transformers calls this after the last token; `close` says how each row ended."""

    def close(self, room: int) -> None:
        for row, ended in enumerate(self._ended):
            if not ended:
                reason = "length" if len(self._ids[row]) >= room else "stop"
                self._show(row, "cancelled" if self._generation.cancelled else reason)

    def _show(self, row: int, ended: str | None = None) -> None:
        text = self._tokenizer.decode(self._ids[row], skip_special_tokens=True)
        column, prompt = self._cells[row]
        self._generation.put(column, prompt, text=text, tokens=len(self._ids[row]), ended=ended)
