"""An answered prompt set, read one prompt at a time: paged, filtered, scored, sent to Label."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from components.compare import batch_html as views
from components.compare.llm_judge import JudgePanel, votes_html
from components.compare.reward_panel import RewardPanel
from components.ui.compat import Update, Updates, Widget, event_data
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import notice
from studio.core.formatting import plural
from studio.workflows.comparisons import Comparison, load, to_label

if TYPE_CHECKING:
    from studio import Studio

ARROW = "\N{RIGHTWARDS ARROW}"
_PICK = """
element.addEventListener('click', event => {
  const row = event.target.closest('[data-at]');
  if (row) trigger('click', {at: Number(row.dataset.at)});
});
"""


class SetReader:
    """Shows a comparison once there is one."""

    def __init__(self, studio: Studio):
        self.studio = studio
        self.found = gr.State(None)
        self.at = gr.State(0)
        self.project = gr.State("")
        self.judge = JudgePanel(studio)
        self.rewards = RewardPanel(studio)

    # ---- layout ---------------------------------------------------------------------------------

    def lay_out(self) -> None:
        with gr.Column(visible=False, elem_id="set-result") as self.result:
            self._lay_out_paging()
            self.sent = gr.HTML("", elem_id="set-sent")
            self.card = gr.HTML("", elem_id="set-card")
            with gr.Accordion("All prompts as a table", open=False, elem_classes="fold quiet"):
                self._lay_out_table()
            self.rewards.lay_out()
            self.judge.lay_out()

    def _lay_out_paging(self) -> None:
        with gr.Row(elem_id="set-nav"):
            self.previous = gr.Button(
                "\N{LEFTWARDS ARROW}", size="sm", min_width=36, scale=0, elem_id="set-previous"
            )
            self.place = gr.HTML("", elem_id="set-place")
            self.next = gr.Button(ARROW, size="sm", min_width=36, scale=0, elem_id="set-next")
            self.summary = gr.HTML("", elem_id="set-summary")
            self.mark = gr.Checkbox(
                False,
                label="Show differences",
                container=False,
                scale=0,
                min_width=150,
                elem_id="set-mark",
            )
            self.send = gr.Button(
                f"Send pairs to Label {ARROW}",
                elem_id="set-send",
                visible=False,
                scale=0,
                min_width=230,
            )

    def _lay_out_table(self) -> None:
        with gr.Row(elem_id="set-filter"):
            self.only = gr.Dropdown(
                list(views.FILTERS),
                value="all",
                show_label=False,
                container=False,
                elem_id="set-only",
                min_width=190,
                scale=0,
            )
            self.search = gr.Textbox(
                "",
                show_label=False,
                container=False,
                placeholder="Search",
                elem_id="set-search",
                scale=2,
            )
        self.table = gr.HTML("", elem_id="set-table", js_on_load=_PICK)

    # ---- binding --------------------------------------------------------------------------------

    @property
    def outputs(self) -> list[Widget]:
        """The widgets that `shown` changes."""
        return [
            self.result,
            self.place,
            self.summary,
            self.card,
            self.table,
            self.send,
            self.found,
            self.at,
            self.sent,
            self.only,
            self.search,
            self.mark,
            self.judge.result,
            *self.rewards.parts,
        ]

    def bind(self) -> None:
        self.judge.bind(self.found)
        how = [self.found, self.at, self.only, self.search, self.mark]
        turned = [self.place, self.card, self.at]
        for button, step in ((self.previous, -1), (self.next, 1)):
            button.click(
                guard(lambda *given, step=step: self.turn(*given, step=step)), how, turned, **QUIET
            )
        self.rewards.bind(self.found).then(
            guard(self.scored), how, [*turned, self.table, self.found, *self.rewards.parts], **QUIET
        )
        self.mark.change(guard(self.turn), how, turned, **QUIET)
        self.table.click(guard(self.jump), how, turned, **QUIET)
        gr.on(
            [self.only.change, self.search.change],
            guard(self.narrowed),
            how,
            [*turned, self.table],
            **QUIET,
        )
        self.send.click(
            guard(self.send_on), self.found, [self.sent, self.send, self.project], **QUIET
        )

    # ---- reading --------------------------------------------------------------------------------

    def shown(self, comparison: Comparison) -> Updates:
        """Show a comparison from its first prompt."""
        pairs = len(comparison.prompts)
        return {
            self.result: gr.update(visible=True),
            self.place: _place(0, pairs, pairs),
            self.summary: views.set_summary(comparison),
            self.card: views.set_card(comparison, 0),
            self.table: views.set_table(comparison, 0, range(pairs)),
            self.only: "all",
            self.search: "",
            self.mark: False,
            self.send: gr.update(
                visible=len(comparison.sides) > 1,
                value=f"Send these {plural(pairs, 'pair')} to Label {ARROW}",
            ),
            self.found: comparison,
            self.at: 0,
            self.sent: "",
            self.judge.result: votes_html(comparison.judged),
            **self.rewards.shown(comparison),
        }

    def turn(
        self,
        comparison: Comparison | None,
        at: int,
        only: str,
        search: str,
        marked: bool,
        step: int = 0,
    ) -> Update:
        """The next or previous prompt among those that pass the filter."""
        if comparison is None:
            return gr.skip()
        places = views.matching(comparison, only, search) or list(range(len(comparison.prompts)))
        near = min(range(len(places)), key=lambda place: abs(places[place] - at))
        if step:
            near = (near + step) % len(places)
        at = places[near]
        return {
            self.place: _place(near, len(places), len(comparison.prompts)),
            self.card: views.set_card(comparison, at, marked),
            self.at: at,
        }

    def jump(
        self,
        comparison: Comparison | None,
        at: int,
        only: str,
        search: str,
        marked: bool,
        event: gr.EventData,
    ) -> Update:
        return self.turn(comparison, int(event_data(event)["at"]), only, search, marked)

    def narrowed(
        self, comparison: Comparison | None, at: int, only: str, search: str, marked: bool
    ) -> Update:
        """Limit the table and the paging to what passes the filter and the search."""
        if comparison is None:
            return gr.skip()
        places = views.matching(comparison, only, search)
        turned = self.turn(comparison, at, only, search, marked)
        return {**turned, self.table: views.set_table(comparison, turned[self.at], places)}

    def scored(
        self, comparison: Comparison | None, at: int, only: str, search: str, marked: bool
    ) -> Update:
        """The comparison now in view, with its saved rewards."""
        if comparison is None or not comparison.said:
            return gr.skip()
        kept = load(self.studio, comparison.id)
        narrowed = self.narrowed(kept, at, only, search, marked)
        return {**narrowed, **self.rewards.shown(kept), self.found: kept}

    def send_on(self, comparison: Comparison | None) -> Update:
        """A blind labeling project of models A and B; a change of `project` opens it."""
        if comparison is None:
            return gr.skip()
        try:
            project, pairs, aside = to_label(self.studio, comparison)
        except Exception as error:
            return {self.sent: notice("error", sentence(error))}
        return {
            self.sent: notice("good", views.sent_text(pairs, aside)),
            self.send: gr.update(visible=False),
            self.project: project,
        }


def _place(at: int, shown: int, total: int) -> str:
    of = f" of {total}" if shown != total else ""
    return f'<span class="place">{at + 1} / {shown}{of}</span>'
