"""`data inspect` and `data prepare`: what a source holds, and rows that TRL trains on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from studio.commands.base import Json, OnProgress, Param, command, one_or_all, silent
from studio.commands.prompts import TemplateKwargs, asking_of
from studio.core.errors import ConfigError, DataError

if TYPE_CHECKING:
    from studio.data import PrepareOptions, SourceReading
    from studio.data.column_template import ColumnTemplate
    from studio.engine.studio import Studio

Sources = Annotated[
    list[str],
    Param("Files, a folder, a shipped sample (pocket-sft) or a Hub id.", metavar="SOURCE"),
]
Format = Annotated[str | None, Param("Use this format instead of the detected one.")]
Map = Annotated[
    dict[str, str] | None, Param("Which column holds a field; repeatable.", metavar="FIELD=COLUMN")
]
Verdicts = Annotated[
    dict[str, str] | None,
    Param("Which answer a code of a vote names: 1, 2, tie; repeatable.", metavar="CODE=ANSWER"),
]
Encoding = Annotated[
    str | None, Param("Encoding of text files that are not UTF-8, such as gb18030 or cp1251.")
]
Config = Annotated[str | None, Param("Configuration of a Hub dataset.")]
Split = Annotated[str | None, Param("Split of a Hub dataset, such as train[:500].")]


ChunkTokens = Annotated[int, Param("Longest chunk of a document, in tokens.", min=16)]
ChunkOverlap = Annotated[
    int, Param("Tokens at a chunk's start that repeat the end of the one before.", min=0)
]


@command(read_only=True)
def data_inspect(
    source: Sources,
    *,
    format: Format = None,
    map: Map = None,
    verdicts: Verdicts = None,
    encoding: Encoding = None,
    config: Config = None,
    split: Split = None,
    limit: Annotated[int | None, Param("Read at most this many rows.", min=1)] = None,
    table: Annotated[bool, Param("One line per source, each read by itself.")] = False,
    model: Annotated[
        str | None, Param("Count tokens with this model, and report rows that are too long.")
    ] = None,
    template: Annotated[str | None, Param("Chat template; default: the model's.")] = None,
    chat_template_kwargs: TemplateKwargs = None,
    max_length: Annotated[int, Param("Length limit in tokens to count against.", min=1)] = 512,
    chunk_tokens: ChunkTokens = 512,
    chunk_overlap: ChunkOverlap = 0,
    problems_out: Annotated[
        Path | None, Param("Write every problem to this file, as JSON Lines.", shell_only=True)
    ] = None,
    on_progress: OnProgress = silent,
) -> Json | list[Json]:
    """Report what a source holds and what is wrong with it.

    Prints its format and type, how many rows load, why the others do not, and the first rows as
    they will be trained on. Where the rows can be read in several ways, prints each with the flags
    that choose it.
    """
    from studio.data import read
    from studio.data.readers.chunks import Chunking
    from studio.models.token_counter import counter

    if table and (problems_out is not None or model is not None):
        raise ConfigError("problems_out and model need a single reading; leave out table.")
    on_progress(0, None, "Reading rows")
    how: dict[str, Any] = {"format": format, "mapping": _told(map, verdicts), "encoding": encoding}
    how |= {"config": config, "split": split, "limit": limit}
    how["chunks"] = Chunking(chunk_tokens, chunk_overlap, counter(model))
    if table:
        return [_summary(name, progress=on_progress, **how) for name in source]
    with read(one_or_all(source), progress=on_progress, **how) as reading:
        extra: Json = {}
        if model is not None:
            kwargs = asking_of(None, chat_template_kwargs).kwargs
            counted = _count_tokens(reading, model, template, kwargs, max_length, on_progress)
            extra["tokens"] = counted
        if problems_out is not None:
            count = reading.problems.write(problems_out)
            extra["problems_file"] = {"file": str(problems_out), "problems": count}
        return reading.inspection().as_dict() | extra


def _told(columns: dict[str, str] | None, verdicts: dict[str, str] | None) -> dict[str, str] | None:
    """The mapping with what the verdicts' codes mean."""
    if not verdicts:
        return columns
    codes = ",".join(f"{code}={said}" for code, said in verdicts.items())
    return {**(columns or {}), "better_first": codes}


def _count_tokens(
    reading: SourceReading,
    model: str,
    template: str | None,
    kwargs: Mapping[str, Any],
    limit: int,
    on_progress: OnProgress,
) -> Json:
    """Count the rows' tokens, add what is wrong with them to the reading's problems, sum up."""
    from studio.core.chat_templates import with_chat_template
    from studio.core.model_names import resolve
    from studio.data.prepared.token_checks import check_tokens
    from studio.models.loading import load_tokenizer

    tokenizer = with_chat_template(load_tokenizer(resolve(model)), template)
    found = check_tokens(
        reading, tokenizer, max_length=limit, progress=on_progress, chat_template_kwargs=kwargs
    )
    counts = {"measured": found.measured, "rows": found.rows, "longest": int(found.longest.max())}
    sides = {name: vars(side) for name, side in found.at(limit).sides.items()}
    return {
        "model": model,
        **counts,
        "suggested_max_length": found.suggestion(),
        **({"sides": sides} if sides else {}),
    }


def _summary(source: str, **how: Any) -> Json:
    """What a source is and how much of it loads, or why it cannot be read."""
    from studio.data import inspect

    try:
        found = inspect(source, **how)
    except DataError as error:
        empty = {"format": "-", "type": "-", "rows": None, "kept": None}
        return {"source": source, **empty, "problems": str(error)}
    counts = ", ".join(f"{n:,} {kind}" for kind, n in sorted(found.problem_counts.items()))
    names = ("format", "type", "rows", "kept")
    values = {name: getattr(found, name) for name in names}
    return {"source": source, **values, "problems": counts or "none"}


@command()
def data_prepare(
    studio: Studio,
    source: Sources,
    *,
    name: Annotated[str | None, Param("Name of the dataset in the workspace.")] = None,
    out: Annotated[Path | None, Param("Write this file instead: .jsonl or .parquet.")] = None,
    test_out: Annotated[
        Path | None, Param("File for the test split; without it, all rows go into one file.")
    ] = None,
    format: Format = None,
    map: Map = None,
    verdicts: Verdicts = None,
    encoding: Encoding = None,
    config: Config = None,
    split: Split = None,
    test_fraction: Annotated[
        float | None, Param("Share of the rows in the test split.", min=0, max=0.9)
    ] = None,
    min_words: Annotated[int, Param("Drop rows with a shorter answer.", min=0)] = 0,
    max_words: Annotated[int, Param("Drop rows with a longer answer; 0: any.", min=0)] = 0,
    sample: Annotated[int | None, Param("Keep this many rows, at random.", min=1)] = None,
    keep_duplicates: Annotated[bool, Param("Keep exact duplicates.")] = False,
    drop_near: Annotated[bool, Param("Drop near duplicates.")] = False,
    drop_contradictions: Annotated[bool, Param("Drop pairs that reverse an earlier pair.")] = False,
    novelty: Annotated[
        float,
        Param("Drop prompts with this ROUGE-L or more to an earlier one (0.7).", min=0, max=1),
    ] = 0.0,
    held_out: Annotated[
        str | None, Param("Drop rows with a prompt of this file or dataset.")
    ] = None,
    balance: Annotated[str | None, Param("Column whose groups become equally large.")] = None,
    shuffle: Annotated[bool, Param("Shuffle the rows.")] = False,
    preview: Annotated[bool, Param("Only report what each step would drop.")] = False,
    seed: Annotated[int, Param("Seed of sample, shuffle and split.", min=0)] = 42,
    chunk_tokens: ChunkTokens = 512,
    chunk_overlap: ChunkOverlap = 0,
    template: Annotated[
        list[str] | None,
        Param(
            "Write each row's columns into this prompt, such as '{question}'; a saved one by name; "
            "repeatable: each row takes one at random."
        ),
    ] = None,
    completion_template: Annotated[
        str | None, Param("Write this completion beside it, such as '{choices[answer]}'.")
    ] = None,
    save_template: Annotated[
        str | None, Param("Save the template under this name for later.")
    ] = None,
    chunk_model: Annotated[
        str | None, Param("Count a document's tokens with this model; default: 4 characters each.")
    ] = None,
    on_progress: OnProgress = silent,
) -> Json | list[Json]:
    """Write cleaned rows in TRL's dataset formats.

    They become a dataset in the workspace, or a file. Empty rows, exact duplicates and pairs with
    equal answers are dropped.
    """
    given = dict(locals())
    from dataclasses import fields, replace

    from studio.data import PrepareOptions, prepare_to_file
    from studio.data.saved_templates import SavedTemplates
    from studio.models.token_counter import counter

    if test_out is not None and out is None:
        raise ConfigError("test_out needs out, the file for the training rows.")
    if out is not None and name is not None:
        raise ConfigError("out writes a file and name makes a dataset; give one of them.")
    written = written_template(studio, template, completion_template, seed)
    given |= (
        {"template": written.prompts, "completion_template": written.completion} if written else {}
    )
    chosen = {
        field.name: given[field.name]
        for field in fields(PrepareOptions)
        if given.get(field.name) is not None
    }
    options = replace(
        PrepareOptions(**chosen),
        mapping=_told(map, verdicts),
        dedupe=not keep_duplicates,
        chunk_count=counter(chunk_model),
    )
    if save_template is not None:
        if written is None:
            raise ConfigError("save_template needs template, the one to save.")
        SavedTemplates(studio.workspace).save(save_template, written)
    on_progress(0, None, "Preparing rows")
    rows = one_or_all(source)
    if preview:
        return _preview(rows, options, on_progress)
    if out is not None:
        return prepare_to_file(rows, out, options, on_progress, test_out)
    made = studio.datasets.prepare(rows, name=name, options=options, progress=on_progress)
    names = ("id", "name", "type", "format", "rows", "fingerprint", "steps")
    return {name: getattr(made, name) for name in names}


@command(read_only=True)
def data_templates(studio: Studio) -> list[Json]:
    """List the saved templates over columns."""
    from studio.data.saved_templates import SavedTemplates

    saved = SavedTemplates(studio.workspace).all()
    return [
        {"name": name, "prompts": list(one.prompts), "completion": one.completion}
        for name, one in saved.items()
    ]


def written_template(
    studio: Studio, templates: list[str] | None, completion: str | None, seed: int = 42
) -> ColumnTemplate | None:
    """A template as given, or a saved one where a single name without braces is given.

    A shell gives `\\n` as two characters; they are the line break that was meant.
    """
    from studio.data.column_template import ColumnTemplate
    from studio.data.saved_templates import SavedTemplates

    templates = [text.replace("\\n", "\n") for text in templates or ()]
    completion = (completion or "").replace("\\n", "\n")
    if not templates:
        return ColumnTemplate((), completion) if completion else None
    if len(templates) == 1 and "{" not in templates[0]:
        saved = SavedTemplates(studio.workspace).get(templates[0])
        return ColumnTemplate(saved.prompts, completion or saved.completion, seed)
    return ColumnTemplate(tuple(templates), completion, seed)


def _preview(source: Any, options: PrepareOptions, on_progress: OnProgress) -> list[Json]:
    from studio.data import preview
    from studio.data.prepared.writing import open_reading

    with open_reading(source, options, on_progress) as reading:
        return [vars(step) for step in preview(reading, options, on_progress)]
