"""The labeling projects as cards: how far each is, who labels, and what it is for."""

from __future__ import annotations

from collections.abc import Sequence

from components.ui.html import empty_state, esc
from studio.core.formatting import DOT, ago_text, plural, thousands
from studio.labels import Project

OPEN = """
element.addEventListener('click', event => {
  const card = event.target.closest('[data-project]');
  if (card) trigger('click', {project: card.dataset.project});
});
"""


def project_cards(projects: Sequence[Project]) -> str:
    """Every project, newest first; a click opens its pairs."""
    if not projects:
        return empty_state(
            "No project yet",
            "A project is a set of answer pairs that people compare without knowing whose answers "
            "they are. Their votes become the data of DPO.",
            "Create one below, or send pairs here from Compare.",
        )
    return f'<div class="project-cards" role="list">{"".join(map(_card, projects))}</div>'


def _card(project: Project) -> str:
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
        f"<small>{esc(after)}</small><small>{esc(told)}</small></button></div>"
    )
