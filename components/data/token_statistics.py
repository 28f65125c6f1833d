"""Event handlers of the Statistics view: count tokens in the background and try a max length."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.data import cleaning_html, column_figures, histograms
from components.data.open_sources import OpenSources, Subject
from components.data.preview_layout import NO_STATISTICS, PROMPTED, WHY_NOT, PreviewLayout
from components.data.row_browser import RowBrowser, Update, Updates
from components.data.token_view import TokenHandlers, loading_text, masking
from components.ui.compat import plot
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import empty_state, notice, progress_bar
from studio.core.errors import Cancelled
from studio.core.jobs import Job
from studio.workflows import asking

if TYPE_CHECKING:
    from gradio.components import Component
    from gradio.components.plot import PlotData
    from gradio.events import Dependency
    from plotly.graph_objects import Figure

    from studio.data import Progress
    from studio.data.prepared.browse import Rows
    from studio.data.tokens.token_lengths import Lengths

_KEPT = 6


@dataclass(frozen=True)
class TokenSettings:
    """What rows are tokenized with, in the order of `TokenHandlers.rendering`."""

    model: str
    template: str
    max_length: float | None
    mask: str
    thinking: str
    query_prompt: str = ""
    document_prompt: str = ""

    @property
    def prompts(self) -> tuple[str, str]:
        """The query's and the document's; an empty field may be None."""
        return self.query_prompt or "", self.document_prompt or ""

    @property
    def limit(self) -> int:
        """The max length, 512 where the field is empty."""
        return int(self.max_length or 512)


class StatisticsHandlers:
    """Counts once per source, model, template, mask and way of thinking; after that, drawing is
    instant."""

    def __init__(
        self,
        sources: OpenSources,
        preview: PreviewLayout,
        row_browser: RowBrowser,
        tokens: TokenHandlers,
    ):
        self.sources, self.row_browser, self.tokens = sources, row_browser, tokens
        self.preview, self.widgets = preview, preview.statistics
        self._known: OrderedDict[tuple[str | None, ...], Lengths] = OrderedDict()

    def bind(self) -> None:
        widgets, rendering = self.widgets, self.tokens.rendering
        drawn = [
            widgets.pairs,
            widgets.said,
            widgets.cancel,
            widgets.bar,
            widgets.limit,
            widgets.take,
            widgets.cost,
            widgets.plots,
            widgets.tokens,
            widgets.trained,
            widgets.turns,
            widgets.head,
            widgets.columns,
        ]
        asked = [self.row_browser.subject, *rendering]
        counting = widgets.tab.select(guard(self.count), asked, drawn, **QUIET)
        widgets.cancel.click(guard(self.cancelled), None, drawn, cancels=[counting], **QUIET)
        redrawn = [widgets.cost, widgets.tokens, widgets.trained, widgets.turns]
        moved = [self.row_browser.subject, *rendering, widgets.limit]
        limit, carried = self.preview.tokens.max_length, self.preview.tokens.carried
        moves = [
            widgets.limit.input(
                guard(self.move), moved, redrawn, trigger_mode="always_last", **QUIET
            ),
            widgets.take.click(guard(self.suggested), asked, widgets.limit, **QUIET).then(
                guard(self.move), moved, redrawn, **QUIET
            ),
        ]
        chosen = self.preview.tokens
        carry = (
            [chosen.model, chosen.template, widgets.limit, chosen.thinking,
             chosen.query_prompt, chosen.document_prompt],
            [limit, self.tokens.chosen, carried],
        )  # fmt: skip
        self.bind_problems(
            asked, [counting, *(move.then(guard(self.carry), *carry, **QUIET) for move in moves)]
        )

    def bind_problems(self, asked: list[Component], counted: list[Dependency]) -> None:
        """List rows with token problems among the other problems."""
        problems, pager = self.preview.problems, self.preview.pager
        listed = [
            problems.tab,
            problems.bar,
            problems.kind,
            problems.check,
            problems.checked,
            problems.cancel,
            problems.list,
            pager.filter,
        ]
        for event in counted:
            event.then(guard(self.list_again), asked, listed, **QUIET)
        checking = problems.check.click(guard(self.check), asked, listed, **QUIET)
        idle = {problems.checked: "", problems.cancel: gr.update(visible=False)}
        problems.cancel.click(guard(lambda: idle), None, listed, cancels=[checking], **QUIET)

    # ---- problems of tokens ---------------------------------------------------------------------

    def check(self, subject: Subject, *settings: Any) -> Iterator[Updates]:
        """Count tokens, unless that is done, and list the token problems."""
        asked = TokenSettings(*settings)
        problems = self.preview.problems
        idle = {problems.cancel: gr.update(visible=False)}
        if not subject.reading_id or subject.dataset_id:
            return
        known = self._known.get(self.key(subject, asked))
        work = Job().start(lambda progress: known or self.measured(subject, asked, progress))
        try:
            for step in work.steps():
                words = (
                    work.progress_text(step)
                    if step[1]
                    else loading_text(self.sources.studio, asked.model)
                )
                yield {
                    problems.checked: progress_bar(step[0], step[1], words),
                    problems.cancel: gr.update(visible=True),
                }
            work.result()
            yield {**idle, **self.listed(subject, asked)}
        except Cancelled:
            yield {**idle, problems.checked: ""}
        except Exception as error:
            yield {**idle, problems.checked: notice("error", sentence(error))}
        finally:
            work.cancel()

    def list_again(self, subject: Subject, *settings: Any) -> Updates | Update:
        """Update the problem list after counting or at another max length."""
        asked = TokenSettings(*settings)
        known = self._known.get(self.key(subject, asked))
        if known is None or not subject.reading_id or subject.dataset_id:
            return gr.skip()
        return self.listed(subject, asked)

    def listed(self, subject: Subject, asked: TokenSettings) -> Updates:
        """The problem list including token problems, and a summary of the check."""
        from studio.data.prepared.token_checks import KINDS, tell

        found = self._known[self.key(subject, asked)]
        limit = asked.limit
        reading = self.sources.held(subject).reading
        tell(reading, found, limit)
        self.sources.forget_matches(subject)
        counts = {kind: reading.problems.counts.get(kind, 0) for kind in KINDS}
        return {
            **self.row_browser.show_problems(subject),
            self.preview.problems.checked: cleaning_html.tokens_checked(
                found, asked.model, limit, counts
            ),
            self.preview.pager.filter: gr.update(choices=self.row_browser.filters(subject)),
        }

    # ---- counting -------------------------------------------------------------------------------

    def key(self, subject: Subject, asked: TokenSettings) -> tuple[str | None, ...]:
        of = (subject.reading_id, subject.dataset_id, subject.split)
        return (*of, asked.model, asked.template, asked.mask, asked.thinking, *asked.prompts)

    def count(self, subject: Subject, *settings: Any) -> Iterator[Updates]:
        """Count tokens with progress, then draw."""
        asked = TokenSettings(*settings)
        widgets = self.widgets
        if not subject.something:
            yield {widgets.said: NO_STATISTICS, **self.columns(None)}
            return
        rows = self.sources.rows(subject)
        pairs = self.sources.pairs(subject)
        report = cleaning_html.pair_report(pairs) if pairs else ""
        yield {widgets.pairs: report, **self.columns(rows)}
        if rows.type in WHY_NOT:
            why = WHY_NOT[rows.type]
            yield {widgets.said: empty_state("No token counts for these rows", why)}
            return
        known = self._known.get(self.key(subject, asked))
        if known is not None:
            yield self.draw(known, asked.model, asked.limit)
            return
        work = Job().start(lambda progress: self.measured(subject, asked, progress))
        try:
            for step in work.steps():
                words = (
                    work.progress_text(step)
                    if step[1]
                    else loading_text(self.sources.studio, asked.model)
                )
                yield {
                    widgets.said: progress_bar(step[0], step[1], words),
                    widgets.cancel: gr.update(visible=True),
                }
            yield self.draw(work.result(), asked.model, asked.limit)
        except Cancelled:
            yield self.cancelled()
        except Exception as error:
            yield {**self.cancelled(), widgets.said: notice("error", sentence(error))}
        finally:
            work.cancel()

    def columns(self, rows: Rows | None) -> Updates:
        """A histogram of each column; none without rows."""
        head, figure = column_figures.columns(rows)
        return {self.widgets.head: head, self.widgets.columns: figure}

    def measured(self, subject: Subject, asked: TokenSettings, progress: Progress) -> Lengths:
        tokenizer = self.tokens.tokenizer(asked.model, asked.template)
        from studio.data.tokens.token_lengths import measure

        rows = self.sources.rows(subject)
        context = tokenizer.model_max_length
        found = measure(
            rows.trainable(),
            rows.type,
            tokenizer,
            progress=progress,
            context=context if context and context < 10_000_000 else None,
            **masking(rows.type, asked.mask),
            chat_template_kwargs=asking.chosen(asked.thinking),
            prompts=asked.prompts if rows.type in PROMPTED else ("", ""),
        )
        self._known[self.key(subject, asked)] = found
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found

    def cancelled(self) -> Updates:
        """Stopped before the end: say so, and draw nothing."""
        widgets = self.widgets
        return {
            widgets.said: empty_state("Not counted", "Open this view again to count tokens."),
            widgets.cancel: gr.update(visible=False),
            widgets.bar: gr.update(visible=False),
            widgets.plots: gr.update(visible=False),
            widgets.cost: "",
        }

    def draw(self, found: Lengths, model: str, limit: int) -> Updates:
        """Draw the summary, the max length slider, and the three histograms."""
        widgets, suggestion = self.widgets, found.suggestion()
        longest = int(found.longest.max(initial=64))
        top = max(longest, limit, suggestion)
        pictures = self.pictures(found, limit)
        return {
            widgets.said: cleaning_html.length_facts(found, model),
            widgets.cancel: gr.update(visible=False),
            widgets.bar: gr.update(visible=True),
            widgets.limit: gr.update(
                maximum=-(-top // 64) * 64, value=limit, step=8 if top < 4096 else 64
            ),
            widgets.take: gr.update(value=f"Use {suggestion:,} (suggested)"),
            widgets.cost: cleaning_html.limit_cost(found.at(limit)),
            widgets.plots: gr.update(visible=True),
            widgets.tokens: pictures[0],
            widgets.trained: gr.update(value=pictures[1], visible=found.learns),
            widgets.turns: pictures[2],
        }

    def pictures(self, found: Lengths, limit: int) -> list[PlotData]:
        if found.embeds:
            return [plot(figure) for figure in self.side_figures(found, limit)]
        trained = "Trained tokens, both answers" if found.paired else "Trained tokens per row"
        figures = [
            self.tokens_figure(found, limit),
            histograms.histogram(found.trained, trained, "tokens", color=histograms.LIT),
            histograms.histogram(found.turns, "Turns per row", "turns"),
        ]
        return [plot(figure) for figure in figures]

    def side_figures(self, found: Lengths, limit: int) -> list[Figure]:
        """The longest text of each row, then queries and documents by themselves."""
        scored = "sentence1" in found.side
        queries = ("sentence1",) if scored else ("anchor",)
        documents = ("sentence2",) if scored else ("positive", "negative")
        titles = (
            ("Tokens per sentence1", "Tokens per sentence2")
            if scored
            else ("Tokens per query", "Tokens per document, negatives too")
        )
        return [
            self.tokens_figure(found, limit),
            *(
                histograms.histogram(found.of_side(*names), title, "tokens", limit=limit)
                for names, title in zip((queries, documents), titles, strict=True)
            ),
        ]

    def tokens_figure(self, found: Lengths, limit: int) -> Figure:
        title = "Tokens of the longer answer" if found.paired else "Tokens per row"
        title = "Tokens of a row's longest text" if found.embeds else title
        return histograms.histogram(found.longest, title, "tokens", limit=limit)

    # ---- the limit ------------------------------------------------------------------------------

    def move(self, subject: Subject, *settings: Any) -> Updates | Update:
        """The slider moved: what that max length, the last setting, would cost."""
        *rendering, limit = settings
        asked = TokenSettings(*rendering)
        found = self._known.get(self.key(subject, asked))
        if found is None:
            return gr.skip()
        widgets = self.widgets
        figures = [self.tokens_figure(found, int(limit))]
        if found.embeds:
            figures = self.side_figures(found, int(limit))
        drawn = zip((widgets.tokens, widgets.trained, widgets.turns), figures, strict=False)
        return {
            widgets.cost: cleaning_html.limit_cost(found.at(int(limit))),
            **{widget: plot(figure) for widget, figure in drawn},
        }

    def suggested(self, subject: Subject, *settings: Any) -> int | Update:
        asked = TokenSettings(*settings)
        found = self._known.get(self.key(subject, asked))
        return gr.skip() if found is None else found.suggestion()

    def carry(self, model: str, template: str, limit: float, *more: str) -> tuple[object, ...]:
        """Use the max length in the token view as well, and pass it on to Train with the rest."""
        return int(limit), *self.tokens.choose(model, template, limit, *more)
