"""The Statistics view at work: tokens of every row counted in the background, and a limit to
move."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from components.data import cleaning_html, histograms
from components.data.open_sources import Shelf, Subject
from components.data.preview_layout import NO_STATISTICS, WHY_NOT, PreviewLayout
from components.data.row_browser import RowBrowser, Updates
from components.data.token_view import TokenHandlers, masking, waiting_words
from components.ui.background_task import Work
from components.ui.compat import plot
from components.ui.handlers import QUIET, guard, sentence
from components.ui.html import empty_state, notice, progress_bar
from studio.core.errors import Cancelled

if TYPE_CHECKING:
    from studio.data.tokens.token_lengths import Lengths

_KEPT = 6


class Measuring:
    """Counts once for each source, model, template and mask; drawing again is then instant."""

    def __init__(
        self, shelf: Shelf, right: PreviewLayout, looker: RowBrowser, tokens: TokenHandlers
    ):
        self.shelf, self.looker, self.tokens = shelf, looker, tokens
        self.right, self.widgets = right, right.statistics
        self._known: OrderedDict[Any, Lengths] = OrderedDict()

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
        ]
        asked = [self.looker.subject, *rendering]
        counting = widgets.tab.select(guard(self.count), asked, drawn, **QUIET)
        widgets.cancel.click(guard(self.cancelled), None, drawn, cancels=[counting], **QUIET)
        redrawn = [widgets.cost, widgets.tokens]
        moved = [self.looker.subject, *rendering, widgets.limit]
        limit, carried = self.right.tokens.max_length, self.right.tokens.carried
        moves = [
            widgets.limit.input(
                guard(self.move), moved, redrawn, trigger_mode="always_last", **QUIET
            ),
            widgets.take.click(guard(self.suggested), asked, widgets.limit, **QUIET).then(
                guard(self.move), moved, redrawn, **QUIET
            ),
        ]
        carry = [*rendering[:2], widgets.limit], [limit, self.tokens.chosen, carried]
        self.bind_problems(
            asked, [counting, *(move.then(guard(self.carry), *carry, **QUIET) for move in moves)]
        )

    def bind_problems(self, asked: list[Any], counted: list[Any]) -> None:
        """Rows that the tokens tell something of are listed among the problems."""
        problems, pager = self.right.problems, self.right.pager
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

    def check(
        self, subject: Subject, model: str, template: str, max_length: float | None, mask: str
    ) -> Iterator[Updates]:
        """Count the rows, if nobody has yet, and list what their tokens tell."""
        problems = self.right.problems
        idle = {problems.cancel: gr.update(visible=False)}
        if not subject.reading_id or subject.dataset_id:
            return
        known = self._known.get(self.key(subject, model, template, mask))
        work = Work(
            lambda progress: known or self.measured(subject, model, template, mask, progress)
        )
        try:
            for step in work.steps():
                words = work.say(step) if step[1] else waiting_words(self.shelf.studio, model)
                yield {
                    problems.checked: progress_bar(step[0], step[1], words),
                    problems.cancel: gr.update(visible=True),
                }
            work.result()
            yield {**idle, **self.listed(subject, model, template, max_length, mask)}
        except Cancelled:
            yield {**idle, problems.checked: ""}
        except Exception as error:
            yield {**idle, problems.checked: notice("error", sentence(error))}
        finally:
            work.cancel()

    def list_again(
        self, subject: Subject, model: str, template: str, max_length: float | None, mask: str
    ) -> Any:
        """After counting, or at another limit: the list follows."""
        known = self._known.get(self.key(subject, model, template, mask))
        if known is None or not subject.reading_id or subject.dataset_id:
            return gr.skip()
        return self.listed(subject, model, template, max_length, mask)

    def listed(
        self, subject: Subject, model: str, template: str, max_length: float | None, mask: str
    ) -> Updates:
        """The problems with those of the tokens among them, and what was looked at."""
        from studio.data.prepared.token_checks import KINDS, tell

        found = self._known[self.key(subject, model, template, mask)]
        limit = int(max_length or 512)
        reading = self.shelf.held(subject).reading
        tell(reading, found, limit)
        self.shelf.forget_answers(subject)
        counts = {kind: reading.problems.counts.get(kind, 0) for kind in KINDS}
        return {
            **self.looker.show_problems(subject),
            self.right.problems.checked: cleaning_html.tokens_checked(found, model, limit, counts),
            self.right.pager.filter: gr.update(choices=self.looker.filters(subject)),
        }

    # ---- counting -------------------------------------------------------------------------------

    def key(self, subject: Subject, model: str, template: str, mask: str) -> Any:
        return (subject.reading_id, subject.dataset_id, subject.split, model, template, mask)

    def count(
        self, subject: Subject, model: str, template: str, max_length: float | None, mask: str
    ) -> Iterator[Updates]:
        """Count, telling how far it is; then draw."""
        widgets = self.widgets
        if not subject.something:
            yield {widgets.said: NO_STATISTICS}
            return
        rows = self.shelf.rows(subject)
        pairs = self.shelf.pairs(subject)
        yield {widgets.pairs: cleaning_html.pair_report(pairs) if pairs else ""}
        if rows.type in WHY_NOT:
            why = WHY_NOT[rows.type]
            yield {widgets.said: empty_state("No token counts for these rows", why)}
            return
        known = self._known.get(self.key(subject, model, template, mask))
        limit = int(max_length or 512)
        if known is not None:
            yield self.draw(known, model, limit)
            return
        work = Work(lambda progress: self.measured(subject, model, template, mask, progress))
        try:
            for step in work.steps():
                words = work.say(step) if step[1] else waiting_words(self.shelf.studio, model)
                yield {
                    widgets.said: progress_bar(step[0], step[1], words),
                    widgets.cancel: gr.update(visible=True),
                }
            yield self.draw(work.result(), model, limit)
        except Cancelled:
            yield self.cancelled()
        except Exception as error:
            yield {**self.cancelled(), widgets.said: notice("error", sentence(error))}
        finally:
            work.cancel()

    def measured(
        self, subject: Subject, model: str, template: str, mask: str, progress: Any
    ) -> Lengths:
        tokenizer = self.tokens.tokenizer(model, template)
        from studio.data.tokens.token_lengths import measure

        rows = self.shelf.rows(subject)
        context = tokenizer.model_max_length
        found = measure(
            rows.trainable(),
            rows.type,
            tokenizer,
            progress=progress,
            context=context if context and context < 10_000_000 else None,
            **masking(rows.type, mask),
        )
        self._known[self.key(subject, model, template, mask)] = found
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return found

    def cancelled(self) -> Updates:
        """Stopped half way: said, and nothing half drawn."""
        widgets = self.widgets
        return {
            widgets.said: empty_state("Not counted", "Open this view again to count the tokens."),
            widgets.cancel: gr.update(visible=False),
            widgets.bar: gr.update(visible=False),
            widgets.plots: gr.update(visible=False),
            widgets.cost: "",
        }

    def draw(self, found: Lengths, model: str, limit: int) -> Updates:
        """Facts, the slider over the lengths there are, and the three pictures."""
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
            widgets.take: gr.update(value=f"Take the suggestion, {suggestion:,}"),
            widgets.cost: cleaning_html.limit_cost(found.at(limit)),
            widgets.plots: gr.update(visible=True),
            widgets.tokens: pictures[0],
            widgets.trained: gr.update(value=pictures[1], visible=found.learns),
            widgets.turns: pictures[2],
        }

    def pictures(self, found: Lengths, limit: int) -> list[Any]:
        trained = "Trained tokens, both answers" if found.paired else "Trained tokens a row"
        figures = [
            self.tokens_figure(found, limit),
            histograms.histogram(found.trained, trained, "tokens", colour=histograms.LIT),
            histograms.histogram(found.turns, "Turns a row", "turns"),
        ]
        return [plot(figure) for figure in figures]

    def tokens_figure(self, found: Lengths, limit: int) -> Any:
        title = "Tokens of the longer answer" if found.paired else "Tokens a row"
        return histograms.histogram(found.longest, title, "tokens", limit=limit)

    # ---- the limit ------------------------------------------------------------------------------

    def move(
        self, subject: Subject, model: str, template: str, _: float | None, mask: str, limit: float
    ) -> Any:
        """The limit's line moved: what it costs there."""
        found = self._known.get(self.key(subject, model, template, mask))
        if found is None:
            return gr.skip()
        figure = self.tokens_figure(found, int(limit))
        return {
            self.widgets.cost: cleaning_html.limit_cost(found.at(int(limit))),
            self.widgets.tokens: plot(figure),
        }

    def suggested(
        self, subject: Subject, model: str, template: str, _: float | None, mask: str
    ) -> Any:
        found = self._known.get(self.key(subject, model, template, mask))
        return gr.skip() if found is None else found.suggestion()

    def carry(self, model: str, template: str, limit: float) -> tuple[Any, ...]:
        """The limit is the token view's too, and goes along to Train."""
        return int(limit), *self.tokens.choose(model, template, limit)
