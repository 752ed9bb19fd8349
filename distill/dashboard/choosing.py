"""Which published student is wanted: `quality where latency_p90_ms <= 5`, decided by what is known of each version."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from distill.errors import ConfigError, TrackingError, did_you_mean
from distill.result_files import TIMED

HIGHER_IS_BETTER = frozenset({"quality", "throughput"})
NUMBERS = ("quality", *TIMED, "parameters", "bytes", "peak_memory_bytes")
"""What can be ranked by and limited. Quality is the selection metric on validation."""
WORDS = ("student", "objective")
"""What can be asked for by name."""
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "<": operator.lt,
    ">": operator.gt,
}
GRAMMAR = "'WHAT where NAME OP NUMBER and ...', such as 'quality where latency_p90_ms <= 5'"

CONDITION = re.compile(r"\s*(?P<name>[^\s<>=]+)\s*(?P<operator>[<>=]+)\s*(?P<value>\S+)\s*")
NUMBER = re.compile(r"[-+]?(\d[\d_]*\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)


@dataclass(frozen=True)
class Candidate:
    """A published student, as far as it is known without a download."""

    artifact: str
    """As `quickstart-textcnn:v3`."""
    run: str
    student: str
    objective: str
    figures: Mapping[str, float] = field(default_factory=dict)
    """What of `NUMBERS` is known."""
    test: float | None = None
    """The selection metric on test: shown, never ranked by."""
    metric: str = ""
    machine: str | None = None
    """Where its speed was measured."""


@dataclass(frozen=True)
class Condition:
    """What a student must be like."""

    name: str
    sign: str
    value: float | str

    def __str__(self) -> str:
        value = self.value if isinstance(self.value, str) else f"{self.value:g}"
        return f"{self.name} {self.sign} {value}"

    @property
    def timed(self) -> bool:
        """Whether it holds on one machine only."""
        return self.name in TIMED

    def holds(self, candidate: Candidate) -> bool:
        """Tell whether a candidate meets it; what is not known does not."""
        if isinstance(self.value, str):
            return bool(getattr(candidate, self.name) == self.value)
        found = candidate.figures.get(self.name)
        return found is not None and COMPARISONS[self.sign](found, self.value)

    def misses_by(self, candidate: Candidate) -> float:
        """Return by how much a candidate misses it, as a share of the limit; 0 if it holds."""
        if self.holds(candidate) or isinstance(self.value, str):
            return 0.0
        found = candidate.figures.get(self.name)
        return float("inf") if found is None else abs(found - self.value) / (abs(self.value) or 1.0)


@dataclass(frozen=True)
class Wish:
    """What is ranked by, among those that meet all conditions."""

    what: str
    conditions: tuple[Condition, ...] = ()

    @property
    def timed(self) -> set[str]:
        """What it compares that holds on one machine only."""
        return {self.what, *(condition.name for condition in self.conditions)} & set(TIMED)

    def rank(self, candidate: Candidate, *, one_machine: bool = True) -> tuple[float, float, float, str]:
        """Return what sorts the best one first: the wish, quality, latency where it is of one machine, the name."""
        figures = candidate.figures
        wished = figures[self.what] * (-1 if self.what in HIGHER_IS_BETTER else 1)
        latency = figures.get("latency_p90_ms", float("inf")) if one_machine else 0.0
        return wished, -figures.get("quality", float("-inf")), latency, candidate.artifact


def parse_wish(text: str) -> Wish:
    """Read `WHAT [where NAME OP NUMBER [and NAME OP NUMBER]...]`.

    Raises:
        ConfigError: it is none; the message names what was found and what would be right.
    """
    what, *rest = re.split(r"\s+where\s+", text.strip(), maxsplit=1, flags=re.IGNORECASE)
    if not re.fullmatch(r"\S+", what):
        raise ConfigError(f"--best {text!r}: expected {GRAMMAR}")
    _check_name(what, text, NUMBERS)
    parts = re.split(r"\s+and\s+", rest[0], flags=re.IGNORECASE) if rest else []
    return Wish(what, tuple(_parse_condition(part, text) for part in parts))


def choose(candidates: Sequence[Candidate], wish: Wish) -> Candidate:
    """Return the best candidate.

    Raises:
        TrackingError: none meets the conditions (the nearest is named), or machines would be mixed.
    """
    named = _called_so(candidates, wish)
    ranked = [one for one in named if wish.what in one.figures]
    if not ranked:
        raise TrackingError(f"no student's {wish.what} is known ({len(named)} students)")
    untimed = [one for one in ranked if all(c.holds(one) for c in wish.conditions if not c.timed)]
    _check_one_machine(untimed or ranked, wish.timed)
    fitting = [one for one in ranked if all(condition.holds(one) for condition in wish.conditions)]
    if not fitting:
        raise TrackingError(_nearest(ranked, wish))
    one_machine = len(_where_timed(fitting, {"latency_p90_ms"})) < 2
    return min(fitting, key=lambda one: wish.rank(one, one_machine=one_machine))


def on_machine(candidates: Sequence[Candidate], part: str) -> list[Candidate]:
    """Return the candidates that were measured on the machine whose description contains `part`.

    Raises:
        ConfigError: there is none.
    """
    found = [one for one in candidates if one.machine and part.lower() in one.machine.lower()]
    if not found:
        known = _machines(candidates)
        raise ConfigError(f"--machine {part!r}: no student was measured there (machines: {known or 'none'})")
    return found


def _parse_condition(part: str, text: str) -> Condition:
    found = CONDITION.fullmatch(part)
    if found is None:
        raise ConfigError(f"--best {text!r}: {part.strip()!r} is no condition; expected {GRAMMAR}")
    name, sign, value = found.group("name", "operator", "value")
    _check_name(name, text, (*NUMBERS, *WORDS))
    if name in WORDS:
        if sign not in {"=", "=="}:
            raise ConfigError(f"--best {text!r}: {name} goes with =, got {sign!r}")
        return Condition(name, "=", value.strip("'\""))
    if sign not in COMPARISONS:
        raise ConfigError(f"--best {text!r}: unknown operator {sign!r} (known: {' '.join(COMPARISONS)})")
    if not NUMBER.fullmatch(value):
        raise ConfigError(f"--best {text!r}: {name} is compared with a number, got {value!r}")
    return Condition(name, sign, float(value))


def _check_name(name: str, text: str, known: Sequence[str]) -> None:
    if name in known:
        return
    if name.startswith("test"):
        raise ConfigError(
            f"--best {text!r}: {name!r}: test is shown, never ranked by; say quality, which is measured on validation"
        )
    hint = did_you_mean(name, known) or f" (known: {', '.join(known)})"
    raise ConfigError(f"--best {text!r}: unknown name {name!r}{hint}")


def _called_so(candidates: Sequence[Candidate], wish: Wish) -> list[Candidate]:
    """Return the candidates that meet the conditions on names."""
    left = list(candidates)
    for condition in wish.conditions:
        if isinstance(condition.value, str):
            known = sorted({str(getattr(one, condition.name)) for one in left})
            left = [one for one in left if condition.holds(one)]
            if not left:
                hint = did_you_mean(condition.value, known)
                raise ConfigError(
                    f"no {condition.name} '{condition.value}' was published "
                    f"({condition.name}s: {', '.join(known)}){hint}"
                )
    return left


def _check_one_machine(candidates: Sequence[Candidate], timed: set[str]) -> None:
    if len(_where_timed(candidates, timed)) > 1:
        raise ConfigError(
            "the students' speed was measured on several machines and cannot be compared: "
            f"{_machines(candidates)}; choose one with --machine and a part of its description"
        )


def _where_timed(candidates: Sequence[Candidate], timed: set[str]) -> set[str | None]:
    return {one.machine for one in candidates if one.figures.keys() & timed}


def _machines(candidates: Sequence[Candidate]) -> str:
    return "; ".join(sorted({f"'{one.machine}'" for one in candidates if one.machine}))


def _nearest(candidates: Sequence[Candidate], wish: Wish) -> str:
    def misses(one: Candidate) -> float:
        return max(condition.misses_by(one) for condition in wish.conditions)

    nearest = min(candidates, key=lambda one: (misses(one), wish.rank(one)))
    has = [
        f"{condition.name} {_shown(nearest.figures.get(condition.name))}"
        for condition in wish.conditions
        if not condition.holds(nearest)
    ]
    wanted = " and ".join(map(str, wish.conditions))
    return (
        f"no student has {wanted}; the nearest is {nearest.artifact} ({nearest.run}), with {', '.join(has)}"
    )


def _shown(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"
