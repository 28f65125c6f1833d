"""Widgets of the Influence view."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from components.ui.html import empty_state

NO_DATASET = empty_state(
    "Which rows help, and which harm",
    "Once a prepared dataset has trained a run, this view sorts its rows by what they did to the "
    "loss of the held-out rows. Wrong labels and turned-round votes come first.",
)
NO_RUN = empty_state(
    "No run to ask yet",
    "Train on this dataset; then its rows can be weighed here, by the rows that were held out or "
    "by rows of your own.",
)


@dataclass(frozen=True)
class InfluenceView:
    """The widgets of the view."""

    tab: gr.Tab
    ask: gr.Row
    run: gr.Dropdown
    target: gr.Dropdown
    upload: gr.UploadButton
    begin: gr.Button
    cancel: gr.Button
    progress: gr.HTML
    list: gr.HTML
    acts: gr.Column
    count: gr.Number
    remove: gr.Button
    train: gr.Button
    share: gr.Number
    keep: gr.Button
    said: gr.HTML


def influence_view(open_row: str) -> InfluenceView:
    """Lay the view out; `open_row` is the script that sends clicks on rows."""
    with gr.Tab("Influence", id="influence") as tab:
        with gr.Row(visible=False, elem_id="influence-ask", elem_classes="list-bar") as ask:
            run = gr.Dropdown(
                [], label="Run", show_label=False, container=False, filterable=False,
                elem_id="influence-run", scale=2,
            )  # fmt: skip
            target = gr.Dropdown(
                [],
                label="By what they do to",
                show_label=False,
                container=False,
                filterable=False,
                elem_id="influence-target",
                scale=2,
            )
            upload = gr.UploadButton(
                "Other rows", size="sm", scale=0, min_width=100, elem_id="influence-upload"
            )
            begin = gr.Button("Weigh rows", size="sm", elem_id="influence-begin", scale=0)
            cancel = gr.Button("Cancel", size="sm", visible=False, elem_classes="small-button")
        progress = gr.HTML("", elem_classes="inline-notice", elem_id="influence-progress")
        with gr.Column(visible=False, elem_id="influence-acts") as acts:
            with gr.Row(elem_classes="influence-act"):
                count = gr.Number(
                    1,
                    precision=0,
                    minimum=1,
                    label="Rows to leave out, worst first",
                    scale=0,
                    min_width=230,
                )
                remove = gr.Button("Make a dataset without them", size="sm", scale=0)
                train = gr.Button(
                    "Train without them", size="sm", scale=0, elem_id="influence-train"
                )
            with gr.Row(elem_classes="influence-act"):
                share = gr.Number(
                    20,
                    precision=0,
                    minimum=1,
                    maximum=99,
                    label="Most useful rows to keep (%)",
                    scale=0,
                    min_width=230,
                )
                keep = gr.Button("Make a dataset of them", size="sm", scale=0)
        said = gr.HTML("", elem_classes="inline-notice", elem_id="influence-said")
        list_ = gr.HTML(NO_DATASET, js_on_load=open_row, elem_id="influence-list")
    return InfluenceView(
        tab,
        ask,
        run,
        target,
        upload,
        begin,
        cancel,
        progress,
        list_,
        acts,
        count,
        remove,
        train,
        share,
        keep,
        said,
    )
