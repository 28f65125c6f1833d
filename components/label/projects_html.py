"""The labeling projects as cards: how far each is, who labels, and what it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.ui.html import empty_state, esc
from studio.core.formatting import DOT, ago_text, plural, thousands
from studio.labels import LabelStore, Project

_NAMED = 3  # people on a card by name
OPEN_FORM = """() => {
  const form = document.querySelector('#label-new');
  form?.querySelector('.label-wrap:not(.open)')?.click();
  requestAnimationFrame(() => form?.scrollIntoView({block: 'start', behavior: 'smooth'}));
}"""
"""Opens the form of a new project; until then it is out of sight."""
OPEN = """
element.addEventListener('click', event => {
  const card = event.target.closest('[data-project]');
  if (card) trigger('click', {project: card.dataset.project});
});
"""


def cards(labels: LabelStore) -> str:
    """`project_cards` of a store."""
    return project_cards(labels.projects(), labels.annotators())


def project_cards(
    projects: Sequence[Project], people: Mapping[str, Sequence[str]] | None = None
) -> str:
    """Every project, newest first; a click opens its pairs. `people` labeled it, by its id."""
    if not projects:
        return empty_state(
            "No project yet",
            "A project is a set of answer pairs that people compare without knowing whose answers "
            "they are. Their votes become the data of DPO.",
            "Create one with New project, or send pairs here from Compare.",
        )
    drawn = "".join(_card(each, (people or {}).get(each.id, ())) for each in projects)
    return f'<div class="project-cards" role="list">{drawn}</div>'


def _card(project: Project, people: Sequence[str]) -> str:
    wanted = project.wanted or project.items
    share = min(1.0, project.done / wanted) if wanted else 0.0
    votes = f"{plural(project.done, 'vote')} on {plural(project.items, 'pair')}"
    each = f"{plural(project.overlap, 'annotator')} per pair" if project.overlap else ""
    left = max(0, wanted - project.done)
    after = "no pairs yet" if not wanted else f"{thousands(left)} left" if left else "all done"
    told = DOT.join(part for part in (each, ago_text(project.created)) if part)
    return (
        '<div role="listitem"><button type="button" class="project-card" '
        f'data-project="{esc(project.id)}"><b title="{esc(project.name)}">{esc(project.name)}</b>'
        f"<span>{esc(votes)}</span>"
        f'<span class="bar" aria-hidden="true"><i style="width:{share * 100:.0f}%"></i></span>'
        f"<small>{esc(after)}</small>{_people(people)}<small>{esc(told)}</small></button></div>"
    )


def _people(names: Sequence[str]) -> str:
    """Who labeled, the first few by name, all of them in the tooltip."""
    if not names:
        return "<small>nobody has voted yet</small>"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    shown = f"by {', '.join(names[:_NAMED])}{more}"
    return f'<small title="{esc(", ".join(names))}">{esc(shown)}</small>'
