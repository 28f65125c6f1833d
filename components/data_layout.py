"""The widgets of the Data tab: choices on the left, what they lead to on the right."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from components.common import chips, empty_state, key_hint, section

CLEANING = [
    ("Drop rows with an empty side", "drop_empty"),
    ("Drop pairs whose sides are equal", "drop_equal"),
    ("Drop exact duplicates", "dedupe"),
]
KINDS = [("Files", "files"), ("Path or Hub id", "path"), ("Samples", "sample")]
MASKS = [
    ("All tokens", "all"),
    ("Completion only", "completion"),
    ("Assistant turns only", "assistant"),
]
MAX_PARTS = 6
NO_SOURCE = chips([("No source yet", "strong")])
NOTHING = empty_state(
    "See your rows as a model will",
    "Bring a file, a Hub id or a sample on the left. Its format is recognised, every row is "
    "checked, and what would be trained on is shown here before anything is trained.",
    "json, jsonl, csv, tsv, parquet, arrow, also .gz: instructions, chats, preferences, plain text",
)
# Clicks and Enter on a line of the list of prepared datasets.
_OPEN = """
const open = (event) => {
  const line = event.target.closest('[data-open]');
  if (line) { event.preventDefault(); trigger('click', {open: line.dataset.open}); }
};
element.addEventListener('click', open);
element.addEventListener('keydown', (event) => { if (event.key === 'Enter') open(event); });
"""


@dataclass(frozen=True)
class Settle:
    """The left column."""

    kind: gr.Radio
    files: gr.File
    path_box: gr.Column
    path: gr.Textbox
    hub_box: gr.Row
    config: gr.Textbox
    split: gr.Textbox
    sample: gr.Dropdown
    trouble: gr.HTML
    settings: gr.Column
    form: gr.Dropdown
    columns: gr.Accordion
    parts: tuple[gr.Dropdown, ...]
    cleaning: gr.CheckboxGroup
    held_out: gr.Slider
    name: gr.Textbox
    prepare: gr.Button
    progress: gr.HTML
    cancel: gr.Button


@dataclass(frozen=True)
class See:
    """The right column."""

    headline: gr.HTML
    done: gr.HTML
    actions: gr.Row
    train: gr.Button
    jsonl: gr.Button
    parquet: gr.Button
    delete: gr.Button
    really: gr.Button
    download: gr.DownloadButton
    record: gr.HTML
    views: gr.Tabs
    problems_tab: gr.Tab
    prepared_tab: gr.Tab
    tokens_tab: gr.Tab
    pager: gr.Row
    previous: gr.Button
    position: gr.Number
    count: gr.HTML
    next: gr.Button
    card: gr.HTML
    token_bar: gr.Row
    model: gr.Dropdown
    max_length: gr.Number
    mask: gr.Dropdown
    tokens: gr.HTML
    problem_kind: gr.Dropdown
    problems: gr.HTML
    prepared: gr.HTML


def settle_column(samples: list[tuple[str, str]]) -> Settle:
    """Source, format, cleaning, split, name, and the one button."""
    with gr.Column(elem_classes="settle"):
        gr.HTML(section("Source"))
        kind = gr.Radio(
            KINDS, value="files", show_label=False, container=False, elem_classes="segmented"
        )
        files = gr.File(
            file_count="multiple", label="Files", show_label=False, height=124, elem_id="data-files"
        )
        with gr.Column(visible=False) as path_box:
            path = gr.Textbox(
                show_label=False,
                container=False,
                placeholder="./rows.jsonl  or  owner/name",
                submit_btn="Read",
                elem_id="data-path",
            )
            with gr.Row(visible=False) as hub_box:
                config = gr.Textbox(label="Config", placeholder="default", min_width=100)
                split = gr.Textbox(label="Split", placeholder="train[:500]", min_width=100)
        sample = gr.Dropdown(
            samples, value=None, visible=False, label="Sample", filterable=False,
            elem_id="data-sample",
        )  # fmt: skip
        trouble = gr.HTML("", elem_classes="inline-notice")
        progress = gr.HTML("", elem_id="data-progress")
        cancel = gr.Button("Cancel", size="sm", visible=False)
        with gr.Column(visible=False) as settings:
            form = gr.Dropdown(label="Format", choices=[], filterable=True, elem_id="data-format")
            columns, parts = _columns()
            cleaning = gr.CheckboxGroup(
                CLEANING, value=["drop_empty", "drop_equal", "dedupe"], label="Cleaning"
            )
            held_out = gr.Slider(
                0, 30, 5, step=1, label="Held out for testing, %", elem_classes="slim"
            )
            name = gr.Textbox(label="Name", max_lines=1, elem_id="data-name")
        prepare = gr.Button(
            "Prepare rows", variant="primary", interactive=False, elem_classes="main-action",
            elem_id="data-prepare",
        )  # fmt: skip
    return Settle(
        kind, files, path_box, path, hub_box, config, split, sample, trouble, settings, form,
        columns, parts, cleaning, held_out, name, prepare, progress, cancel,
    )  # fmt: skip


def _columns() -> tuple[gr.Accordion, tuple[gr.Dropdown, ...]]:
    with gr.Accordion("Columns", open=False, visible=False, elem_classes="fold") as box:
        parts = tuple(
            gr.Dropdown(label="part", choices=[], visible=False, elem_classes="part")
            for _ in range(MAX_PARTS)
        )
    return box, parts


def see_column(models: list[tuple[str, str]]) -> See:
    """Headline, what to do next, and four ways to look."""
    with gr.Column(elem_classes="see"):
        headline = gr.HTML(NO_SOURCE, elem_id="data-headline")
        done = gr.HTML("", elem_classes="inline-notice")
        actions, buttons = _actions()
        record = gr.HTML("", elem_classes="inline-notice")
        with gr.Tabs(selected="rows", elem_classes="views") as views:
            with gr.Tab("Rows", id="rows"):
                pager, previous, position, count, next_ = _pager()
                card = gr.HTML(NOTHING, elem_id="row-card")
            with gr.Tab("Tokens", id="tokens") as tokens_tab:
                token_bar, model, max_length, mask = _token_bar(models)
                tokens = gr.HTML(
                    empty_state("Nothing to render yet", "Read a source first."),
                    elem_id="row-tokens",
                )
            with gr.Tab("Problems", id="problems") as problems_tab:
                problem_kind = gr.Dropdown(
                    [("All kinds", "")], value="", show_label=False, container=False,
                    filterable=False, visible=False, elem_classes="filter",
                )  # fmt: skip
                problems = gr.HTML(empty_state("No problems listed", "Read a source first."))
            with gr.Tab("Prepared", id="prepared") as prepared_tab:
                prepared = gr.HTML("", js_on_load=_OPEN, elem_id="prepared-list")
    return See(
        headline, done, actions, *buttons, record, views, problems_tab, prepared_tab, tokens_tab,
        pager, previous, position, count, next_, card,
        token_bar, model, max_length, mask, tokens, problem_kind, problems, prepared,
    )  # fmt: skip


def _actions() -> tuple[
    gr.Row, tuple[gr.Button, gr.Button, gr.Button, gr.Button, gr.Button, gr.DownloadButton]
]:
    with gr.Row(visible=False, elem_classes="actions") as actions:
        train = gr.Button(
            "Train on them \N{RIGHTWARDS ARROW}", elem_classes="next-step", elem_id="data-train"
        )
        jsonl = gr.Button("JSONL", size="sm", elem_classes="quiet-button")
        parquet = gr.Button("Parquet", size="sm", elem_classes="quiet-button")
        delete = gr.Button("Delete", size="sm", elem_classes="quiet-button")
        really = gr.Button("Delete for good", size="sm", variant="stop", visible=False)
        download = gr.DownloadButton("Download", visible="hidden", elem_id="data-download")
    return actions, (train, jsonl, parquet, delete, really, download)


def _pager() -> tuple[gr.Row, gr.Button, gr.Number, gr.HTML, gr.Button]:
    with gr.Row(visible=False, elem_classes="pager") as pager:
        previous = gr.Button("\N{LEFTWARDS ARROW}", size="sm", elem_id="row-previous")
        position = gr.Number(
            1, precision=0, minimum=1, show_label=False, container=False, elem_id="row-position",
            label="Row",
        )  # fmt: skip
        count = gr.HTML("", elem_id="row-count")
        next_ = gr.Button("\N{RIGHTWARDS ARROW}", size="sm", elem_id="row-next")
        gr.HTML(key_hint([("\N{LEFTWARDS ARROW} \N{RIGHTWARDS ARROW}", "page")]))
    return pager, previous, position, count, next_


def _token_bar(
    models: list[tuple[str, str]],
) -> tuple[gr.Row, gr.Dropdown, gr.Number, gr.Dropdown]:
    with gr.Row(visible=False, elem_classes="token-bar") as bar:
        model = gr.Dropdown(
            models, value=models[0][1], label="Model", allow_custom_value=True, scale=2
        )
        max_length = gr.Number(512, precision=0, minimum=8, label="Length limit, tokens", scale=1)
        mask = gr.Dropdown(MASKS, value="completion", label="Learn from", scale=1)
    return bar, model, max_length, mask
