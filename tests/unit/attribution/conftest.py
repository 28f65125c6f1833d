"""The two small runs of the tests of training, shared by the tests of their attribution."""

from tests.unit.training.conftest import dpo, sft, studio  # noqa: F401
