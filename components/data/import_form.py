"""Widgets of the Data tab's left column: source, format, cleaning, split, and Prepare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import gradio as gr

from components.data.source_shape import SourceShape
from components.ui.html import section

CLEANING = [
    ("Drop rows with empty fields", "drop_empty"),
    ("Drop pairs with identical answers", "drop_equal"),
    ("Drop exact duplicates", "dedupe"),
]
MORE_CLEANING = [
    ("Drop near duplicates", "drop_near"),
    ("Drop pairs that contradict an earlier pair", "drop_contradictions"),
    ("Drop prompts similar to an earlier one (ROUGE-L 0.7)", "novelty"),
    ("Keep rows with the same prompt in one split", "split_by_prompt"),
    ("Shuffle", "shuffle"),
]
PAIRS_ONLY = ("drop_equal", "drop_contradictions")
USUAL = ("drop_empty", "drop_equal", "dedupe", "split_by_prompt")
NOVELTY = 0.7
KINDS = [("Files", "files"), ("Path or Hub ID", "path"), ("Samples", "sample")]
MAX_PARTS = 6


@dataclass(frozen=True)
class Cleaning:
    """Cleaning and split options."""

    steps: gr.CheckboxGroup
    more: gr.CheckboxGroup
    min_words: gr.Number
    max_words: gr.Number
    held_out: gr.Dropdown
    balance: gr.Dropdown
    sample: gr.Number
    seed: gr.Number
    test: gr.Slider

    @property
    def inputs(self) -> list[gr.components.Component]:
        """In the order `option_choices.prepare_options` expects."""
        return [
            self.steps,
            self.more,
            self.min_words,
            self.max_words,
            self.held_out,
            self.balance,
            self.sample,
            self.seed,
            self.test,
        ]


@dataclass(frozen=True)
class ImportForm:
    """Widgets of the left column."""

    kind: gr.Radio
    files: gr.File
    path_box: gr.Column
    path: gr.Textbox
    hub_box: gr.Row
    config: gr.Textbox
    split: gr.Textbox
    sample: gr.Dropdown
    trouble: gr.HTML
    reading: gr.Radio
    encoding: gr.Dropdown
    settings: gr.Column
    format: gr.Dropdown
    columns: gr.Accordion
    parts: tuple[gr.Dropdown, ...]
    cleaning: Cleaning
    name: gr.Textbox
    prepare: gr.Button
    progress: gr.HTML
    cancel_read: gr.Button
    cancel_prepare: gr.Button
    shape: SourceShape


class Fold(Protocol):
    """A fold of the column with handlers of its own."""

    def lay_out(self) -> None: ...


def import_column(samples: list[tuple[str, str]], shape: SourceShape, making: Fold) -> ImportForm:
    """Build the left column: source, format, `shape`'s folds, cleaning, split, name, Prepare, and
    the fold that makes data."""
    with gr.Column(elem_classes="settle", elem_id="data-settle"):
        gr.HTML(section("Source"))
        kind = gr.Radio(
            KINDS,
            value="files",
            show_label=False,
            container=False,
            elem_classes="segmented",
            label="Source type",
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
                label="Path or Hub ID",
            )
            with gr.Row(visible=False) as hub_box:
                config = gr.Textbox(label="Configuration", placeholder="default", min_width=100)
                split = gr.Textbox(label="Split", placeholder="train[:500]", min_width=100)
        sample = gr.Dropdown(
            samples,
            value=None,
            visible=False,
            label="Sample",
            filterable=False,
            elem_id="data-sample",
        )
        trouble = gr.HTML("", elem_classes="inline-notice")
        progress = gr.HTML("", elem_id="data-progress", elem_classes="inline-notice")
        cancel_read = gr.Button("Stop reading", size="sm", visible=False, elem_id="data-cancel")
        cancel_prepare = gr.Button("Stop preparing", size="sm", visible=False)
        reading = gr.Radio(label="Reading", choices=[], visible=False, elem_id="data-reading")
        encoding = gr.Dropdown(
            label="Encoding",
            choices=[],
            visible=False,
            allow_custom_value=True,
            elem_id="data-encoding",
        )
        with gr.Column(visible=False) as settings:
            format_ = gr.Dropdown(
                label="Format", choices=[], filterable=True, elem_id="data-format"
            )
            columns, parts = _columns()
            shape.lay_out()
            cleaning = _cleaning()
            name = gr.Textbox(label="Name", max_lines=1, elem_id="data-name")
        prepare = gr.Button(
            "Prepare rows",
            variant="primary",
            interactive=False,
            elem_classes="main-action",
            elem_id="data-prepare",
        )
        making.lay_out()
    return ImportForm(
        kind,
        files,
        path_box,
        path,
        hub_box,
        config,
        split,
        sample,
        trouble,
        reading,
        encoding,
        settings,
        format_,
        columns,
        parts,
        cleaning,
        name,
        prepare,
        progress,
        cancel_read,
        cancel_prepare,
        shape,
    )


def _columns() -> tuple[gr.Accordion, tuple[gr.Dropdown, ...]]:
    with gr.Accordion("Columns", open=False, visible=False, elem_classes="fold") as box:
        parts = tuple(
            gr.Dropdown(label="Field", choices=[], visible=False, elem_classes="part")
            for _ in range(MAX_PARTS)
        )
    return box, parts


def _cleaning() -> Cleaning:
    steps = gr.CheckboxGroup(
        CLEANING, value=[value for _, value in CLEANING], label="Cleaning", elem_id="data-cleaning"
    )
    test = gr.Slider(0, 30, 5, step=1, label="Held-out split (%)", elem_classes="slim")
    with gr.Accordion("More cleaning", open=False, elem_classes="fold"):
        more = gr.CheckboxGroup(
            MORE_CLEANING,
            value=["split_by_prompt"],
            show_label=False,
            label="More cleaning",
            elem_id="data-more-cleaning",
        )
        with gr.Row():
            least = gr.Number(0, precision=0, minimum=0, label="Min words", min_width=100)
            most = gr.Number(0, precision=0, minimum=0, label="Max words (0: any)", min_width=100)
        held_out = gr.Dropdown(
            [("None", "")],
            value="",
            label="Drop prompts that also appear in",
            allow_custom_value=True,
        )
        balance = gr.Dropdown([("None", "")], value="", label="Balance by column", visible=False)
        with gr.Row():
            sample = gr.Number(0, precision=0, minimum=0, label="Max rows (0: all)", min_width=100)
            seed = gr.Number(42, precision=0, minimum=0, label="Seed", min_width=100)
    return Cleaning(steps, more, least, most, held_out, balance, sample, seed, test)
