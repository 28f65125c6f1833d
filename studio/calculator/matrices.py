"""One matrix: what its two low-rank factors cost (LoRA, Hu et al. 2021, section 4.1)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from studio.core.errors import ConfigError
from studio.core.formatting import percent_text

_LARGEST = 1_000_000


@dataclass(frozen=True)
class Matrix:
    """W is (out, in); at rank r the update is B (out, r) times A (r, in)."""

    out_features: int
    in_features: int
    r: int

    @property
    def whole(self) -> int:
        """Parameters of W."""
        return self.out_features * self.in_features

    @property
    def a(self) -> int:
        return self.r * self.in_features

    @property
    def b(self) -> int:
        return self.out_features * self.r

    @property
    def factors(self) -> int:
        """Parameters of A and B together."""
        return self.a + self.b

    @property
    def saved(self) -> int:
        """How many fewer A and B hold than W; negative when they hold more."""
        return self.whole - self.factors

    @property
    def percent(self) -> float:
        """A and B as a percentage of W."""
        return 100 * self.factors / self.whole

    @property
    def break_even(self) -> int:
        """The highest rank at which A and B together still hold fewer than W (0: none does)."""
        return (self.whole - 1) // (self.out_features + self.in_features)

    @property
    def full_rank(self) -> int:
        """The rank from which A and B can write any update at all."""
        return min(self.out_features, self.in_features)

    def sentence(self) -> str:
        """In words: `W holds 42 numbers. B and A hold 39 together: ...`"""
        if self.saved > 0:
            change = f"{self.saved:,} fewer"
        elif self.saved < 0:
            change = f"{-self.saved:,} more"
        else:
            change = "just as many"
        return (
            f"W holds {self.whole:,} numbers. B and A hold {self.factors:,} together: "
            f"{change}, {_share(self.percent)} of W."
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "whole": self.whole,
            "a": self.a,
            "b": self.b,
            "factors": self.factors,
            "saved": self.saved,
            "percent": self.percent,
        }


def matrix(out_features: int, in_features: int, r: int) -> Matrix:
    """W of (out, in) at rank r. Raises `ConfigError` for sizes below 1 or that are not whole."""
    sizes: dict[str, Any] = {"out": out_features, "in": in_features, "rank": r}
    for name, value in sizes.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise ConfigError(f"{name} is {value!r}; give a whole number of at least 1.")
        if value in (float("inf"), float("-inf")) or int(value) != value or value < 1:
            raise ConfigError(f"{name} is {value}; give a whole number of at least 1.")
        if value > _LARGEST:
            raise ConfigError(f"{name} is {value:,}; give at most {_LARGEST:,}.")
    return Matrix(int(out_features), int(in_features), int(r))


def _share(percent: float) -> str:
    return percent_text(percent / 100)
