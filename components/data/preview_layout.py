"""Widgets of the Data tab's right column: the detected source and five views of it."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from components.data.influence_layout import InfluenceView, influence_view
from components.ui.html import chips, empty_state, key_hint
from studio.core.chat_templates import BUNDLED, TRAINING
from studio.data.prepared.browse import ALL, GOOD

MASKS = [
    ("All tokens", "all"),
    ("Completion only", "completion"),
    ("Assistant turns only", "assistant"),
    ("Last answer only", "last"),
]
OWN_TEMPLATE = ("Model default", "")
BY_ROW = ("As the rows say", "")
FILTERS = [("Valid rows", GOOD), ("All rows", ALL)]
NO_SOURCE = chips([("No source yet", "strong")])
NOTHING = empty_state(
    "See your data as the model will",
    "Choose a file, a Hub dataset or a sample on the left. The studio detects its format, checks "
    "every row, and shows here what would be trained on.",
    "Instructions, chats, preferences, tables: JSON, JSONL, CSV, TSV, Excel, Parquet, Arrow. "
    "Documents: text, Markdown, HTML, PDF, Word. Packed as .gz or .zst, too.",
)
NO_TOKENS = empty_state(
    "Every token, as the trainer sees it",
    "Once a dataset is open, this view applies the model's chat template and shows which tokens "
    "count toward the loss, which are masked, and where max length truncates.",
)
NO_PROBLEMS = empty_state(
    "Problems, row by row",
    "Once a source is read, empty fields, broken turns, duplicates and other problems are listed "
    "here by row number, along with what cleaning would drop.",
)
NO_STATISTICS = empty_state(
    "Token statistics",
    "Once a dataset is open, this view counts tokens the way the trainer does and shows what a "
    "max length would truncate.",
)
WHY_NOT = {
    "comparison": (
        "These are pairs without a label. Label them on the Label tab, then train on the result."
    )
}
"""Dataset types that no trainer accepts, with the reason no tokens are shown."""
PROMPTED = ("embedding_pairs", "scored_pairs")
"""Dataset types whose sides stand below a prompt of their own."""
# Click or Enter on a line with `data-open` sends that line's data attributes.
OPEN = """
const open = (event) => {
  const line = event.target.closest('[data-open]');
  if (line) { event.preventDefault(); trigger('click', {...line.dataset}); }
};
element.addEventListener('click', open);
element.addEventListener('keydown', (event) => { if (event.key === 'Enter') open(event); });
"""


@dataclass(frozen=True)
class Pager:
    """The bar above the row: position, filter, search, and split."""

    box: gr.Row
    previous: gr.Button
    position: gr.Number
    count: gr.HTML
    next: gr.Button
    search: gr.Textbox
    filter: gr.Dropdown
    split: gr.Radio
    progress: gr.HTML


@dataclass(frozen=True)
class Tokens:
    """The token view and its settings."""

    tab: gr.Tab
    bar: gr.Row
    model: gr.Dropdown
    template: gr.Dropdown
    max_length: gr.Number
    mask: gr.Dropdown
    thinking: gr.Dropdown
    query_prompt: gr.Textbox
    document_prompt: gr.Textbox
    carried: gr.HTML
    view: gr.HTML


@dataclass(frozen=True)
class Problems:
    """The cleaning preview and the list of problems."""

    tab: gr.Tab
    cleaning: gr.HTML
    bar: gr.Row
    kind: gr.Dropdown
    save: gr.Button
    check: gr.Button
    checked: gr.HTML
    cancel: gr.Button
    list: gr.HTML


@dataclass(frozen=True)
class Statistics:
    """Token lengths with an adjustable limit, what stands in each column, and length bias of
    preference pairs."""

    tab: gr.Tab
    pairs: gr.HTML
    said: gr.HTML
    cancel: gr.Button
    bar: gr.Row
    limit: gr.Slider
    take: gr.Button
    cost: gr.HTML
    plots: gr.Column
    tokens: gr.Plot
    trained: gr.Plot
    turns: gr.Plot
    head: gr.HTML
    columns: gr.Plot


@dataclass(frozen=True)
class Actions:
    """Actions on a prepared dataset."""

    box: gr.Row
    train: gr.Button
    jsonl: gr.Button
    parquet: gr.Button
    push: gr.Button
    delete: gr.Button
    undo: gr.Button
    download: gr.DownloadButton
    push_box: gr.Column
    repo: gr.Textbox
    public: gr.Checkbox
    send: gr.Button
    sent: gr.HTML


@dataclass(frozen=True)
class PreviewLayout:
    """Widgets of the right column."""

    headline: gr.HTML
    done: gr.HTML
    actions: Actions
    record: gr.HTML
    views: gr.Tabs
    pager: Pager
    card: gr.HTML
    tokens: Tokens
    problems: Problems
    statistics: Statistics
    influence: InfluenceView
    prepared_tab: gr.Tab
    prepared: gr.HTML


def preview_column(models: list[tuple[str, str]]) -> PreviewLayout:
    """Build the right column: headline, actions, and views."""
    with gr.Column(elem_classes="see"):
        headline = gr.HTML(NO_SOURCE, elem_id="data-headline")
        done = gr.HTML("", elem_classes="inline-notice", elem_id="data-done")
        actions = _actions()
        record = gr.HTML("", elem_classes="inline-notice")
        with gr.Tabs(selected="rows", elem_classes="views", elem_id="data-views") as views:
            with gr.Tab("Your datasets", id="prepared") as prepared_tab:
                prepared = gr.HTML("", js_on_load=OPEN, elem_id="prepared-list")
            with gr.Tab("Rows", id="rows"):
                pager = _pager()
                card = gr.HTML(NOTHING, elem_id="row-card")
            tokens = _tokens(models)
            problems = _problems()
            statistics = _statistics()
            influence = influence_view(OPEN)
    return PreviewLayout(
        headline,
        done,
        actions,
        record,
        views,
        pager,
        card,
        tokens,
        problems,
        statistics,
        influence,
        prepared_tab,
        prepared,
    )


def _pager() -> Pager:
    with gr.Row(visible=False, elem_classes="pager") as box:
        previous = gr.Button("\N{LEFTWARDS ARROW}", size="sm", elem_id="row-previous")
        position = gr.Number(
            1,
            precision=0,
            minimum=1,
            show_label=False,
            container=False,
            elem_id="row-position",
            label="Row",
        )
        count = gr.HTML("", elem_id="row-count")
        next_ = gr.Button("\N{RIGHTWARDS ARROW}", size="sm", elem_id="row-next")
        gr.HTML(key_hint([("j", "next"), ("k", "back"), ("/", "search")]))
        split = gr.Radio(
            [("Training", "train"), ("Held-out", "test")],
            value="train",
            show_label=False,
            container=False,
            visible=False,
            elem_classes="segmented",
            label="Split",
        )
        kind = gr.Dropdown(
            FILTERS,
            value=GOOD,
            show_label=False,
            container=False,
            filterable=False,
            elem_classes="filter",
            label="Show rows",
            elem_id="row-filter",
        )
        search = gr.Textbox(
            show_label=False,
            container=False,
            placeholder="Search (press Enter)",
            max_lines=1,
            elem_id="row-search",
            label="Search",
        )
    progress = gr.HTML("", elem_classes="inline-notice")
    return Pager(box, previous, position, count, next_, search, kind, split, progress)


def _tokens(models: list[tuple[str, str]]) -> Tokens:
    lent = [("TRL training variant", TRAINING), *((name, key) for key, name in BUNDLED.items())]
    with gr.Tab("Tokens", id="tokens") as tab:
        with gr.Row(visible=False, elem_classes="token-bar") as bar:
            model = gr.Dropdown(
                models,
                value=models[0][1],
                label="Model",
                allow_custom_value=True,
                scale=2,
                min_width=150,
                elem_id="token-model",
            )
            template = gr.Dropdown(
                [OWN_TEMPLATE, *lent],
                value="",
                label="Chat template",
                scale=2,
                min_width=150,
                filterable=False,
                elem_id="token-template",
            )
            max_length = gr.Number(
                512,
                precision=0,
                minimum=8,
                label="Max length",
                scale=1,
                min_width=100,
                elem_id="token-limit",
            )
            mask = gr.Dropdown(
                MASKS, value="completion", label="Loss on", scale=2, min_width=150, filterable=False
            )
            thinking = gr.Dropdown(
                [BY_ROW],
                value="",
                label="Thinking",
                scale=2,
                min_width=150,
                filterable=False,
                visible=False,  # until a template is chosen that knows it
                elem_id="token-thinking",
            )
            query_prompt, document_prompt = (
                gr.Textbox(
                    label=f"{side} prompt",
                    placeholder="none",
                    visible=False,
                    elem_id=f"token-{side.lower()}-prompt",
                )
                for side in ("Query", "Document")
            )
        carried = gr.HTML("", elem_classes="inline-notice")
        view = gr.HTML(NO_TOKENS, elem_id="row-tokens")
    prompts = query_prompt, document_prompt
    return Tokens(tab, bar, model, template, max_length, mask, thinking, *prompts, carried, view)


def _problems() -> Problems:
    with gr.Tab("Problems", id="problems") as tab:
        cleaning = gr.HTML("", elem_id="cleaning-preview", elem_classes="inline-notice")
        with gr.Row(visible=False, elem_classes="list-bar") as bar:
            kind = gr.Dropdown(
                [("All kinds", "")],
                value="",
                show_label=False,
                container=False,
                filterable=False,
                elem_classes="filter",
                label="Kind",
            )
            save = gr.Button("Download list", size="sm", elem_classes="quiet-button")
            check = gr.Button(
                "Check tokens", size="sm", elem_classes="quiet-button", elem_id="check-tokens"
            )
        checked = gr.HTML("", elem_id="tokens-checked", elem_classes="inline-notice")
        cancel = gr.Button("Cancel", size="sm", visible=False, elem_classes="small-button")
        list_ = gr.HTML(NO_PROBLEMS, js_on_load=OPEN, elem_id="problem-list")
    return Problems(tab, cleaning, bar, kind, save, check, checked, cancel, list_)


def _statistics() -> Statistics:
    with gr.Tab("Statistics", id="statistics") as tab:
        pairs = gr.HTML("", elem_classes="inline-notice", elem_id="pair-report")
        said = gr.HTML(NO_STATISTICS, elem_id="length-report")
        cancel = gr.Button("Cancel", size="sm", visible=False, elem_classes="small-button")
        with gr.Row(visible=False, elem_classes="limit-bar") as bar:
            limit = gr.Slider(
                8,
                2048,
                512,
                step=8,
                label="Max length (tokens)",
                elem_classes="slim",
                scale=3,
                elem_id="length-limit",
            )
            take = gr.Button("Use suggested", size="sm", scale=0, min_width=230)
        cost = gr.HTML("", elem_classes="inline-notice", elem_id="length-cost")
        with gr.Column(visible=False, elem_classes="length-plots") as plots:
            tokens = gr.Plot(show_label=False, container=False, elem_id="length-tokens")
            with gr.Row():
                with gr.Column(min_width=300):
                    trained = gr.Plot(show_label=False, container=False)
                with gr.Column(min_width=300):
                    turns = gr.Plot(show_label=False, container=False)
        head = gr.HTML("", elem_classes="inline-notice", elem_id="columns-head")
        with gr.Column(elem_classes="length-plots"):
            columns = gr.Plot(
                visible=False, show_label=False, container=False, elem_id="column-plots"
            )
    return Statistics(
        tab,
        pairs,
        said,
        cancel,
        bar,
        limit,
        take,
        cost,
        plots,
        tokens,
        trained,
        turns,
        head,
        columns,
    )


def _actions() -> Actions:
    with gr.Row(visible=False, elem_classes="actions") as box:
        train = gr.Button(
            "Train on this dataset \N{RIGHTWARDS ARROW}",
            elem_classes="next-step",
            elem_id="data-train",
        )
        jsonl = gr.Button("JSONL", size="sm", elem_classes="quiet-button")
        parquet = gr.Button("Parquet", size="sm", elem_classes="quiet-button")
        push = gr.Button("Push to the Hub", size="sm", elem_classes="quiet-button")
        delete = gr.Button("Delete", size="sm", elem_classes="quiet-button", elem_id="data-delete")
    undo = gr.Button(
        "Undo", size="sm", visible=False, elem_classes="small-button", elem_id="data-undo"
    )
    download = gr.DownloadButton("Download", visible="hidden", elem_id="data-download")
    with gr.Column(visible=False, elem_classes="push-box") as push_box:
        with gr.Row():
            repo = gr.Textbox(label="Hub repository", placeholder="you/my-dataset", max_lines=1)
            public = gr.Checkbox(False, label="Public", info="Private by default.")
            send = gr.Button("Push", size="sm", scale=0, min_width=90)
        sent = gr.HTML("", elem_classes="inline-notice going")
    return Actions(
        box, train, jsonl, parquet, push, delete, undo, download, push_box, repo, public, send, sent
    )
