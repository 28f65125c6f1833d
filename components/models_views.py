"""Markup of the Models tab: pure functions from the library to escaped HTML."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from components import form
from components.common import ago_text, bytes_text, empty_state, esc, notice, plural, thousands
from components.hub_views import going_files, no_token
from components.markdown import rendered
from components.train_views import DOT, STATES
from studio.exports import FORMATS, OUTTYPES, PROVEN, serve

if TYPE_CHECKING:
    from studio.collection import Item, Waste

Fold = tuple[str, str, str]
"""What opens under a card: its name, the words on its button, its markup."""
_KINDS = {"base": "base", "run": "run", "checkpoint": "checkpoint", "export": "export"}
_PARTS = {
    "runs": "runs", "exports": "exports", "datasets": "datasets", "uploads": "uploads",
    "cache": "caches", "trash": "trash", "votes": "votes",
}  # fmt: skip
_FRESH = 60  # seconds within which a use is the making itself


def cards(items: Sequence[Item]) -> str:
    """The whole list."""
    if not any(item.kind != "base" for item in items):
        return empty_state(
            "No model of your own yet",
            "Every run you train, every export you make and every base they stand on is kept here.",
            "Train a run first: the Train tab is ready.",
        ) + "".join(_card(item) for item in items)
    return "".join(_card(item) for item in items)


def _card(item: Item) -> str:
    words = [item.name, item.model, item.what, *item.mark.tags, item.mark.note]
    words += [name for _, name in item.lineage]
    starred = "true" if item.mark.star else "false"
    verb = "Unstar" if item.mark.star else "Star"
    return (
        f'<article class="card-model" data-id="{esc(item.id)}" data-kind="{esc(item.kind)}" '
        f'data-star="{starred}" data-words="{esc(" ".join(words).lower())}">'
        f'<header><button type="button" class="star" data-act="star" aria-pressed="{starred}" '
        f'title="{verb}" aria-label="{verb} {esc(item.name)}">{_STAR}</button>'
        f"<h3>{esc(item.name)}</h3>{_kind(item)}"
        f'<span class="card-figures">{esc(_size_and_age(item))}</span></header>'
        f'<div class="card-facts">{_lineage(item)}{_scores(item)}</div>'
        f"{_marked(item)}{_actions(item)}</article>"
    )


_STAR = (
    '<svg viewBox="0 0 20 20" width="18" height="18" aria-hidden="true"><path d="M10 1.8l2.5 5.2 '
    '5.7.7-4.2 3.9 1.1 5.6L10 14.4l-5.1 2.8L6 11.6 1.8 7.7l5.7-.7z"/></svg>'
)


def _kind(item: Item) -> str:
    style = {"base": "base", "run": "tuned", "checkpoint": "tuned", "export": "good"}[item.kind]
    if item.kind == "run" and item.run is not None:
        how = f"{form.name_of(item.run.method)} {form.name_of(item.run.objective)}"
        chips = [f'<span class="chip chip-{style}">{esc(how)}</span>']
        word, colour = STATES.get(item.run.state, (item.run.state, ""))
        if item.run.state != "finished":
            chips.append(f'<span class="chip chip-{colour}">{esc(word)}</span>')
        extra = item.what.partition(", ")[2] or (item.what if item.what != "run" else "")
        chips.append(f'<span class="card-what">{esc(extra)}</span>' if extra else "")
        return "".join(chips)
    label = item.what if item.kind == "export" else _KINDS[item.kind]
    rest = "export, verified" if item.kind == "export" else item.what
    if item.kind == "checkpoint" and item.needed_by:
        rest += f", needed by {item.needed_by[0]}"
    return (
        f'<span class="chip chip-{style}">{esc(label)}</span>'
        f'<span class="card-what">{esc(rest)}</span>'
    )


def _size_and_age(item: Item) -> str:
    word = "made" if item.used < item.created + _FRESH else "used"
    used = f"{word} {ago_text(item.used)}" if item.used else "not used yet"
    return DOT.join(part for part in (bytes_text(item.bytes) if item.bytes else "", used) if part)


def _lineage(item: Item) -> str:
    """data -> run -> votes -> run, ending in the item itself."""
    if not item.lineage:
        return ""
    base = f'<span class="link link-base" title="base">{esc(item.model)}</span>'
    arrow = '<i aria-hidden="true">\N{RIGHTWARDS ARROW}</i><span class="sr">then</span>'
    steps = [
        f'<span class="link link-{esc(kind)}" title="{esc(kind)}">{esc(name)}</span>'
        for kind, name in item.lineage
    ]
    here = '<span class="link link-here">this</span>'
    return f'<p class="lineage">{base}<i>+</i>{arrow.join([*steps, here])}</p>'


def _scores(item: Item) -> str:
    if not item.scores:
        return ""
    return f'<p class="card-scores">{esc(DOT.join(item.scores))}</p>'


def _marked(item: Item) -> str:
    tags = "".join(f'<span class="chip tag">{esc(tag)}</span>' for tag in item.mark.tags)
    note = f"<q>{esc(item.mark.note)}</q>" if item.mark.note else ""
    return f'<p class="card-mark">{tags}{note}</p>' if tags or note else ""


def _actions(item: Item) -> str:
    run = item.run
    done = run is not None and not run.live and bool(run.adapter or run.weights)
    buttons: list[str] = []
    folds: list[Fold] = []
    if item.kind == "run" and run is not None and done and run.objective != "reward":
        buttons.append(_button("compare", "Compare"))
        if run.adapter:
            buttons.append(_button("continue", "Continue training"))
        folds.append(_export_box(item))
    if item.kind == "base":
        buttons.append(_button("train", "Train on it", model=item.model))
    if item.kind == "checkpoint" and run is not None and run.objective != "reward":
        buttons.append(_button("compare", "Compare"))
    if item.kind == "export" and item.record is not None:
        folds += _take_boxes(item, item.record)
    folds.append(_note_box(item))
    if item.kind != "base" and not (run is not None and run.live and item.kind != "export"):
        folds.append(_delete_box(item))
    return _folded(folds, "".join(buttons))


def _folded(folds: Sequence[Fold], first: str = "") -> str:
    """A row of buttons; those of `folds` open a part below the row."""
    buttons = "".join(
        f'<button type="button" class="act act-{name}" data-fold="{name}" aria-expanded="false">'
        f"{esc(title)}</button>"
        for name, title, _ in folds
    )
    bodies = "".join(
        f'<div class="fold-body" data-body="{name}" hidden>{body}</div>' for name, _, body in folds
    )
    return f'<div class="card-acts">{first}{buttons}</div>{bodies}'


def _button(act: str, label: str, **data: str) -> str:
    more = "".join(f' data-{name}="{esc(value)}"' for name, value in data.items())
    return f'<button type="button" class="act" data-act="{act}"{more}>{esc(label)}</button>'


def _export_box(item: Item) -> Fold:
    """Each format with what it is; GGUF in its four types."""
    run = item.run
    assert run is not None
    rows = []
    for to in PROVEN:
        if to == "adapter" and run.adapter is None:
            continue
        types = OUTTYPES if to == "gguf" else ("",)
        buttons = "".join(
            _button("export", f"{to} {kind}".strip(), to=to, outtype=kind) for kind in types
        )
        said = FORMATS[to] + (" q8_0 is the smallest, f32 the largest." if to == "gguf" else "")
        rows.append(f"<li><p>{esc(said)}</p><div>{buttons}</div></li>")
    note = (
        "Loaded back with the stock libraries and compared with the run before it is called done."
    )
    return (
        "export",
        "Export",
        f'<ul class="formats">{"".join(rows)}</ul><p class="quiet">{note}</p>',
    )


def _take_boxes(item: Item, record: dict[str, Any]) -> list[Fold]:
    """An export's files and the commands that serve it."""
    files = [path for path in sorted(item.folder.iterdir()) if path.is_file()]
    links = "".join(
        f'<li><a href="{_address(path)}" download>{esc(path.name)}</a>'
        f"<span>{esc(bytes_text(path.stat().st_size))}</span></li>"
        for path in files
    )
    commands = "".join(
        f"<li><p>{esc(program)}</p><code>{esc(line)}</code>"
        f"{_button('copy', 'Copy', text=line)}</li>"
        for program, line in serve.commands(record, str(item.folder))
    )
    card = '<div class="readme"><p class="quiet">Reading the card</p></div>'
    folds: list[Fold] = [("files", "Files and card", f'<ul class="files">{links}</ul>{card}')]
    if commands:
        folds.append(("serve", "Serve", f'<ul class="serve">{commands}</ul>'))
    folds.append(("push", "Push to the Hub", '<p class="quiet">Reading the files</p>'))
    return folds


def _address(path: Path) -> str:
    """Where the page's server hands a file out, to owners."""
    return f"/gradio_api/file={quote(str(path))}"


def readme(folder: Path) -> str:
    """An export's card as the Hub would show it; only the folder's own pictures are drawn."""
    text = (folder / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    parts = re.split(r"^!\[[^\]]*\]\(([\w-]+\.png)\)$", text, flags=re.MULTILINE)
    return "".join(
        f'<img src="{_address(folder / part)}" alt="{esc(part)}">' if at % 2 else rendered(part)
        for at, part in enumerate(parts)
    )


def going(files: Sequence[tuple[str, int]], login: bool) -> str:
    """What a push would send, file by file, and where to: private unless ticked."""
    return (
        f"{going_files(files)}"
        '<label>Repository<input type="text" name="repo" placeholder="you/my-model"></label>'
        '<label class="tick"><input type="checkbox" name="public">Public, for everybody to see; '
        f"private otherwise</label>{no_token(login)}{_button('push', 'Push these files')}"
    )


def fetching() -> str:
    """Where a model of the Hub is asked for."""
    body = (
        '<label>Model<input type="text" name="pull" placeholder="owner/name"></label>'
        '<label>Revision<input type="text" name="revision" placeholder="main"></label>'
        '<p class="quiet">Safetensors, GGUF and JSON only: no pickles, no code. The revision is '
        f"said, to be pinned in a recipe.</p>{_button('pull', 'Fetch')}"
    )
    return _folded([("pull", "Fetch from the Hub", body)])


def _note_box(item: Item) -> Fold:
    tags = esc(", ".join(item.mark.tags))
    return (
        "note",
        "Tags and note",
        f'<label>Tags, with commas<input type="text" name="tags" value="{tags}"></label>'
        f'<label>Note<textarea name="note" rows="2">{esc(item.mark.note)}</textarea></label>'
        f"{_button('note', 'Keep')}",
    )


def _delete_box(item: Item) -> Fold:
    """What goes and what depends on it, before anything is deleted."""
    if item.kind == "checkpoint" and item.needed_by:
        body = "<p>Its run would go on from here: finish the run, or delete it as a whole.</p>"
        return ("delete", "Delete", body)
    blocking = [name for name in item.needed_by if name.startswith("run ")]
    others = [name for name in item.needed_by if name not in blocking]
    if blocking:
        names = ", ".join(name.removeprefix("run ") for name in blocking)
        body = f"<p>{esc(names)} started from it: delete that first.</p>"
        return ("delete", "Delete", body)
    said = [f"Frees {bytes_text(item.bytes)}; it can be brought back for a day."]
    if others:
        said.append(f"Made with it, and kept: {', '.join(others)}.")
    body = f"<p>{esc(' '.join(said))}</p>{_button('delete', 'Delete now')}"
    return ("delete", "Delete", body)


def disk(
    usage: dict[str, int], waste: Sequence[Waste], safety: dict[str, str] | None = None
) -> str:
    """Where the workspace's bytes are, how safe they are, and what a clean-up would remove."""
    parts = {name: size for name, size in usage.items() if name in _PARTS}
    total = sum(parts.values())
    rows = "".join(
        f'<li><span>{esc(_PARTS[name])}</span><i style="width:{100 * size / max(1, total):.0f}%">'
        f"</i><b>{esc(bytes_text(size))}</b></li>"
        for name, size in sorted(parts.items(), key=lambda pair: -pair[1])
        if size
    )
    summed = f"{bytes_text(total)} used, {bytes_text(usage['free'])} free"
    return (
        f'<section class="disk"><h4>Disk</h4><p class="quiet">{esc(summed)}</p><ul>{rows}</ul>'
        f"{_safety(safety) if safety else ''}{_waste(waste)}</section>"
    )


def _safety(told: dict[str, str]) -> str:
    if told["kind"]:
        return notice("warn", f"{told['text']} {told['more']}".strip())
    return f'<p class="quiet">{esc(told["text"])}</p>'


def _waste(waste: Sequence[Waste]) -> str:
    if not waste:
        return '<p class="quiet">Nothing to clean up.</p>'
    size = bytes_text(sum(one.bytes for one in waste))
    lines = "".join(
        f"<li><span>{esc(one.what)}</span><b>{esc(bytes_text(one.bytes))}</b></li>"
        for one in sorted(waste, key=lambda one: -one.bytes)[:40]
    )
    kept = (
        "Runs that could be resumed keep every checkpoint, finished ones their newest and those "
        "with a star."
    )
    remove = _button("clean", f"Remove {plural(len(waste), 'thing')}")
    body = f'<ul class="waste">{lines}</ul><p class="quiet">{kept}</p>{remove}'
    return _folded([("clean", f"Clean up {size}", body)])


def working(job: dict[str, Any]) -> str:
    """An export, a push or a fetch under way, or how it ended."""
    name = esc(job["name"])
    if job["finished"]:
        ended = "job-wrong" if job["error"] else "job-done"
        return (
            f'<div class="job {ended}" role="{"alert" if job["error"] else "status"}"><div>'
            f"<b>{name}</b> <span>{esc(job['error'] or job['told'])}</span>"
            f"{_onward(job)}{_button('cancel', 'Close', job=job['id'])}</div></div>"
        )
    share = min(100, 100 * job["done"] / max(1, job["total"]))
    return (
        f'<div class="job" role="status"><div><b>{name}</b> <span>{esc(job["what"])}</span>'
        f"{_button('cancel', 'Stop', job=job['id'])}</div>"
        f'<div class="bar"><i style="width:{share:.0f}%"></i></div></div>'
    )


def _onward(job: dict[str, Any]) -> str:
    """A fetched base leads to Train, its revision pinned; what was pushed, to its page."""
    made = job["result"] or {}
    if "revision" in made and Path(made["folder"], "config.json").is_file():
        return _button("train", "Train on it", model=made["repo"], revision=made["revision"])
    if "url" in made:
        link = f'href="{esc(made["url"])}" target="_blank" rel="noopener"'
        return f'<a class="act" {link}>Open</a>'
    return ""


def counted(items: Sequence[Item]) -> dict[str, str]:
    """How many there are of each kind, for the filters."""
    found = {kind: sum(item.kind == kind for item in items) for kind in _KINDS}
    found["star"] = sum(item.mark.star for item in items)
    shown = sum(item.kind != "checkpoint" for item in items)
    return {"all": thousands(shown)} | {name: thousands(n) for name, n in found.items()}
