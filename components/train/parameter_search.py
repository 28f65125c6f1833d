"""A box that finds a parameter by what it is called, by what it does, or by its name in TRL.

The server sends the words once; `static/train_search.js` opens the folds that hold what was found.
"""

from __future__ import annotations

import json

from components.ui.html import esc
from components.ui.recipe_fields import EVERYDAY, GROUPS, name_of, parameters

_IDS = {
    "objective": "train-objective",
    "dataset_name": "train-dataset",
    "model_name_or_path": "train-model",
    "start_from": "train-start-from",
    "device": "train-device",
}


def index() -> list[dict[str, str]]:
    """Every parameter: the id of its widget, its label, its fold ("" for none), and its words.

    The words are its name, label, help and choices, in lower case.
    """
    return [
        {
            "id": _IDS.get(name, f"parameter-{name.replace('_', '-')}"),
            "label": parameter.label,
            "fold": parameter.group if parameter.group in GROUPS and name not in EVERYDAY else "",
            "words": " ".join(
                (
                    name,
                    name.replace("_", " "),
                    parameter.label,
                    parameter.help,
                    *parameter.choices,
                    *map(name_of, parameter.choices),
                )
            ).lower(),
        }
        for name, parameter in parameters().items()
    ]


def html() -> str:
    """The box and the line that says what was found."""
    return (
        f'<div class="find-parameter" data-index="{esc(json.dumps(index()))}">'
        '<input type="search" aria-label="Find a parameter" autocomplete="off" spellcheck="false" '
        f'placeholder="Find one of {len(parameters())} parameters">'
        '<p class="found" aria-live="polite"></p></div>'
    )
