"""The sections that open under a card of the Models tab: pure functions to escaped HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from components.ui.html import esc
from components.ui.hub_files import going_files, no_token
from components.ui.markdown import rendered
from studio.core.formatting import DOT, bytes_text, compact
from studio.exports import (
    BITS,
    FORMATS,
    LLAMA_CPP_COMMAND,
    PROVEN,
    QUANTIZED,
    WRITTEN,
    llama_cpp_installed,
    serve_commands,
)

if TYPE_CHECKING:
    from studio.core.hub_search import Found
    from studio.engine.library import LibraryEntry

Fold = tuple[str, str, str]
"""A section under a card: its name, its button's label, its markup."""


def folded(folds: Sequence[Fold], first: str = "") -> str:
    """A row of buttons; those of `folds` open a section below the row."""
    buttons = "".join(
        f'<button type="button" class="act act-{name}" data-fold="{name}" aria-expanded="false">'
        f"{esc(title)}</button>"
        for name, title, _ in folds
    )
    bodies = "".join(
        f'<div class="fold-body" data-body="{name}" hidden>{body}</div>' for name, _, body in folds
    )
    return f'<div class="card-acts">{first}{buttons}</div>{bodies}'


def button(act: str, label: str, **data: str) -> str:
    more = "".join(f' data-{name}="{esc(value)}"' for name, value in data.items())
    return f'<button type="button" class="act" data-act="{act}"{more}>{esc(label)}</button>'


def export_box(item: LibraryEntry) -> Fold:
    """Each format with its description; GGUF in every type that can be written here."""
    run = item.run
    assert run is not None
    rows = []
    for to in PROVEN:
        if to == "adapter" and run.adapter is None:
            continue
        if to == "gguf-lora" and (run.adapter is None or run.method not in _AS_GGUF_LORA):
            continue
        if to == "gguf":
            rows += _gguf_rows()
            continue
        rows.append(_format(FORMATS[to], button("export", to, to=to, outtype="")))
    note = (
        "Every export is loaded with the stock libraries and compared with the run; what came out "
        "stands on its card before it is downloaded."
    )
    return (
        "export",
        "Export",
        f'<ul class="formats">{"".join(rows)}</ul><p class="quiet">{note}</p>',
    )


_AS_GGUF_LORA = ("lora", "qlora", "pissa", "loftq")


def _format(text: str, buttons: str) -> str:
    return f"<li><p>{esc(text)}</p><div>{buttons}</div></li>"


def _gguf_rows() -> list[str]:
    """The types that are written here, and below them those that llama.cpp quantizes to."""
    sized = f"{FORMATS['gguf']} The sizes are for each billion parameters."
    rows = [_format(sized, "".join(map(_type, WRITTEN)))]
    if not llama_cpp_installed():
        absent = (
            f"<li><p>{esc(', '.join(QUANTIZED))}: llama.cpp quantizes to these, and "
            f"llama-cpp-python is not installed here.</p><code>{esc(LLAMA_CPP_COMMAND)}</code></li>"
        )
        return [*rows, absent]
    matrix = (
        '<label class="tick"><input type="checkbox" name="importance_matrix">Importance matrix: '
        "round those weights least that the training rows use most</label>"
    )
    text = "Smaller GGUF files, quantized by llama.cpp."
    rows.append(f"<li><p>{esc(text)}</p><div>{''.join(map(_type, QUANTIZED))}</div>{matrix}</li>")
    return rows


def _type(outtype: str) -> str:
    size = f"{BITS[outtype] / 8:.2g} GB"
    return button("export", f"{outtype}, {size}", to="gguf", outtype=outtype)


def export_boxes(item: LibraryEntry, record: dict[str, Any]) -> list[Fold]:
    """An export's files and the commands that serve it."""
    files = [path for path in sorted(item.folder.iterdir()) if path.is_file()]
    links = "".join(
        f'<li><a href="{_address(path)}" download>{esc(path.name)}</a>'
        f"<span>{esc(bytes_text(path.stat().st_size))}</span></li>"
        for path in files
    )
    commands = "".join(
        f"<li><p>{esc(program)}</p><code>{esc(line)}</code>{button('copy', 'Copy', text=line)}</li>"
        for program, line in serve_commands.commands(record, str(item.folder))
    )
    card = '<div class="readme"><p class="quiet">Loading the card</p></div>'
    folds: list[Fold] = [("files", "Files and card", f'<ul class="files">{links}</ul>{card}')]
    if commands:
        folds.append(("serve", "Serve", f'<ul class="serve">{commands}</ul>'))
    folds.append(("push", "Push to the Hub", '<p class="quiet">Loading the list of files</p>'))
    return folds


def _address(path: Path) -> str:
    """Where the page's server serves a file, to owners."""
    return f"/gradio_api/file={quote(str(path))}"


def readme(folder: Path) -> str:
    """An export's card as the Hub would show it; only the folder's own images are shown."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    parts = re.split(r"^!\[[^\]]*\]\(([\w-]+\.png)\)$", text, flags=re.MULTILINE)
    return "".join(
        f'<img src="{_address(folder / part)}" alt="{esc(part)}">' if at % 2 else rendered(part)
        for at, part in enumerate(parts)
    )


def going(files: Sequence[tuple[str, int]], login: bool) -> str:
    """The files a push would upload, and where to; private by default."""
    return (
        f"{going_files(files)}"
        '<label>Repository<input type="text" name="repo" placeholder="you/my-model"></label>'
        '<label class="tick"><input type="checkbox" name="public">Public '
        f"(private otherwise)</label>{no_token(login)}{button('push', 'Push these files')}"
    )


def fetching() -> str:
    """The form that finds a model on the Hub and downloads it."""
    body = (
        '<label>Search the Hub<input type="search" name="words" placeholder="SmolLM2"></label>'
        '<label>Largest size, billions of parameters<input type="number" name="largest" min="0" '
        f'step="any" placeholder="any"></label>{button("search", "Search")}'
        '<ul class="hub-found" aria-live="polite"></ul>'
        '<label>Model<input type="text" name="pull" placeholder="owner/name"></label>'
        '<label>Revision<input type="text" name="revision" placeholder="main"></label>'
        '<p class="quiet">Safetensors, GGUF and JSON files only: no pickles, no code. The revision '
        f"is shown, so that a recipe can pin it.</p>{button('pull', 'Download')}"
    )
    return folded([("pull", "Download from the Hub", body)])


def found_on_the_hub(found: Sequence[Found]) -> str:
    """What a search of the Hub found, each a button that takes its name into the form."""
    if not found:
        return '<li class="quiet">No text model of that name and size.</li>'
    return "".join(
        f'<li><button type="button" class="act" data-act="choose" data-name="{esc(one.id)}">'
        f"{esc(one.id)}</button><span>{esc(DOT.join(_hub_facts(one)))}</span></li>"
        for one in found
    )


def _hub_facts(model: Found) -> list[str]:
    size = compact(model.parameters) if model.parameters else "no safetensors"
    facts = [size, f"{compact(model.downloads)} downloads", model.license]
    return [*facts, "gated"] if model.gated else facts


def note_box(item: LibraryEntry) -> Fold:
    tags = esc(", ".join(item.mark.tags))
    return (
        "note",
        "Tags and note",
        f'<label>Tags (comma-separated)<input type="text" name="tags" value="{tags}"></label>'
        f'<label>Note<textarea name="note" rows="2">{esc(item.mark.note)}</textarea></label>'
        f"{button('note', 'Save')}",
    )


def delete_box(item: LibraryEntry) -> Fold:
    """What would be deleted and what depends on it, before anything is."""
    if item.kind == "checkpoint" and item.needed_by:
        body = "<p>Its run would resume from here: finish the run, or delete the whole run.</p>"
        return ("delete", "Delete", body)
    blocking = [name for name in item.needed_by if name.startswith("run ")]
    others = [name for name in item.needed_by if name not in blocking]
    if blocking:
        names = ", ".join(name.removeprefix("run ") for name in blocking)
        body = f"<p>{esc(names)} started from it; delete that first.</p>"
        return ("delete", "Delete", body)
    text = f"Frees {bytes_text(item.bytes)}; it can be restored within a day."
    if others:
        text += f" These were made with it and stay: {', '.join(others)}."
    body = f"<p>{esc(text)}</p>{button('delete', 'Delete now')}"
    return ("delete", "Delete", body)
