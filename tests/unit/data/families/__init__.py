"""One hand-written row of each family, its TRL type, and the TRL row it must become."""

from tests.unit.data.families.conversations import CONVERSATIONS
from tests.unit.data.families.instructions import INSTRUCTIONS
from tests.unit.data.families.others import OTHERS
from tests.unit.data.families.preferences import PREFERENCES
from tests.unit.data.families.words import assistant, user

FAMILIES = {**INSTRUCTIONS, **CONVERSATIONS, **PREFERENCES, **OTHERS}

__all__ = ["FAMILIES", "assistant", "user"]
