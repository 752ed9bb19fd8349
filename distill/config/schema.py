"""The experiment file as frozen models. Which kinds there are is the registries' to know."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, SerializeAsAny, ValidationInfo, field_validator, model_validator

from distill.config.base import (
    Config,
    ModelConfig,
    ObjectiveConfig,
    StudentConfig,
    TeacherConfig,
    TrainingConfig,
)
from distill.config.data import LARGEST_SEED, DataConfig
from distill.config.errors import error_at, ready
from distill.config.speed import SpeedConfig
from distill.config.sweep import SweepConfig
from distill.errors import ConfigError, did_you_mean
from distill.registry import Registry

STUDENTS = Registry("student", StudentConfig)
TEACHERS = Registry("teacher", TeacherConfig)
OBJECTIVES = Registry("objective", ObjectiveConfig)

C = TypeVar("C", bound=Config)

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


def _by_kind(registry: Registry[C]) -> Callable[[Any, ValidationInfo], Any]:
    """Return a validator that parses a map with the config class of its `kind`."""

    def parse(value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, dict):
            return value
        if "kind" not in value:
            raise ready(f"required key 'kind' is missing (known: {', '.join(registry.kinds)})")
        folder = (info.context or {}).get("folder")
        try:
            found = registry.resolve(str(value["kind"]), beside=folder if isinstance(folder, Path) else None)
        except ConfigError as error:
            raise error_at(("kind",), str(error), value["kind"]) from error
        return found.model_validate(value, context=info.context)

    return parse


StudentSlot = Annotated[SerializeAsAny[StudentConfig], BeforeValidator(_by_kind(STUDENTS))]
TeacherSlot = Annotated[SerializeAsAny[TeacherConfig], BeforeValidator(_by_kind(TEACHERS))]
ObjectiveSlot = Annotated[SerializeAsAny[ObjectiveConfig], BeforeValidator(_by_kind(OBJECTIVES))]


class WandbConfig(Config):
    """Where the dashboard is. Everything works without one."""

    mode: Literal["auto", "online", "offline", "disabled"] = "auto"
    """`auto` is online when a key is there, else offline: everything is kept to be synchronised later."""
    project: str = "distill"
    entity: str | None = None
    tags: tuple[str, ...] = ()
    upload_data: bool = False
    """Whether the texts and labels are uploaded too; else only where they come from, their counts and checksums."""
    share: bool = False
    """Whether a teacher, its soft targets and the baseline that another machine has published are taken from there
    instead of made again. `distill sweep` turns it on."""


class RuntimeConfig(Config):
    """Where and how to compute. The only section that is no part of a fingerprint by itself."""

    accelerator: Literal["auto", "cpu", "gpu"] = "auto"
    threads: int | None = Field(None, ge=1)
    """Processor threads for training; null takes what the process may use. It changes rounding, so it is in
    every fingerprint, as resolved."""
    store: str = ".distill"
    """The folder that keeps every result, relative to where the command runs."""
    checkpoint_seconds: float = Field(30.0, gt=0)
    """Seconds between two checkpoints of a training that runs."""
    wandb: WandbConfig = WandbConfig()


class Experiment(Config):
    """One experiment: a teacher, students x objectives x seeds, and what they are compared on."""

    name: Name
    """Groups the runs, in the store and in the dashboard."""
    data: DataConfig
    teacher: TeacherSlot
    baseline: TeacherSlot | None = Field(default={"kind": "linear"}, validate_default=True)
    """The standing baseline of every frontier; null leaves it out."""
    students: dict[Name, StudentSlot] = Field(min_length=1)
    objectives: dict[Name, ObjectiveSlot] = Field(min_length=1)
    seeds: list[int] = Field(min_length=1)
    """One run for each seed, student and objective."""
    training: TrainingConfig = TrainingConfig()
    """Defaults; `teacher.training` and `students.NAME.training` override single keys."""
    speed: SpeedConfig = SpeedConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    sweep: SweepConfig | None = None
    """What `distill sweep` tries; `distill run` leaves it alone."""

    @field_validator("seeds")
    @classmethod
    def _seeds_differ(cls, seeds: list[int]) -> list[int]:
        for seed in seeds:
            if not 0 <= seed <= LARGEST_SEED:
                limit = "0 or more" if seed < 0 else f"at most {LARGEST_SEED}"
                raise ready(f"must be {limit}, got {seed}")
            if seeds.count(seed) > 1:
                raise ready(f"seed {seed} stands twice; each seed is one run")
        return seeds

    @model_validator(mode="after")
    def _objectives_serve_the_data(self) -> Experiment:
        kind, label_names = self.data.task_kind, self.data.label_names
        for name, objective in self.objectives.items():
            place = ("objectives", name)
            if kind not in objective.tasks:
                served = ", ".join(sorted(objective.tasks))
                message = f"'{objective.kind}' serves {served}, but the data is {kind}"
                raise error_at(place, message, objective.kind)
            if label_names is not None:
                try:
                    objective.check_labels(label_names)
                except ConfigError as error:
                    raise error_at(place, str(error), objective.kind) from error
        return self

    @model_validator(mode="after")
    def _sweep_names_what_is_there(self) -> Experiment:
        if self.sweep is not None:
            for key, known in (("student", self.students), ("objective", self.objectives)):
                name = getattr(self.sweep, key)
                if name is not None and name not in known:
                    hint = did_you_mean(name, known) or f" (known: {', '.join(known)})"
                    raise error_at(("sweep", key), f"no '{name}' in {key}s{hint}", name)
        return self

    def training_of(self, model: ModelConfig) -> TrainingConfig:
        """Return the training settings that hold for a model."""
        return self.training.overridden_by(model.training)
