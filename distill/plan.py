"""From an experiment to its steps, each with the key of its result: what would run, and what is there already."""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from distill.config.base import ModelConfig, ObjectiveConfig, StudentConfig, TeacherConfig
from distill.config.loading import LoadedExperiment
from distill.config.schema import OBJECTIVES, STUDENTS, TEACHERS, Experiment
from distill.errors import ConfigError
from distill.fingerprint import fingerprint, source_of
from distill.hardware import Hardware, library_versions, machine_fingerprint
from distill.registry import Registry
from distill.stages import VERSIONS
from distill.store import Store


@dataclass(frozen=True)
class Step:
    """One result to have: its stage, its name for people, and the key that says when two are equal."""

    stage: str
    name: str
    key: str


@dataclass(frozen=True)
class ModelSteps:
    """A model and its evaluation: the teacher, the baseline, or one student's run."""

    name: str
    model: Step
    evaluation: Step


@dataclass(frozen=True)
class TeacherSteps(ModelSteps):
    """The teacher, or the baseline, which is made as a teacher is."""

    config: TeacherConfig


@dataclass(frozen=True)
class Run(ModelSteps):
    """One student, one objective, one seed."""

    config: StudentConfig
    student: str
    objective: str
    seed: int
    objective_config: ObjectiveConfig


class Plan:
    """All steps of an experiment, in the order in which they run. Needs no torch."""

    def __init__(
        self, loaded: LoadedExperiment, store: Store, hardware: Hardware, only: str | None = None
    ) -> None:
        """Work out every key.

        Args:
            loaded: the experiment.
            store: remembers the checksums of large files.
            hardware: what training is going to run on.
            only: a pattern such as `textcnn/kd/*`; other runs are left out.

        Raises:
            ConfigError: no run matches `only`.
        """
        self.loaded, self.hardware = loaded, hardware
        self._store = store
        self.runs = tuple(run for run in self._runs() if only is None or fnmatchcase(run.name, only))
        if not self.runs and only is not None:
            names = ", ".join(run.name for run in self._runs())
            raise ConfigError(f"--only {only}: no run of that name (runs: {names})")

    def without(self, failed: Collection[str]) -> Plan:
        """Return the plan of the runs that did not fail."""
        rest = copy.copy(self)
        rest.runs = tuple(run for run in self.runs if run.name not in failed)
        return rest

    @property
    def experiment(self) -> Experiment:
        """The experiment's configuration."""
        return self.loaded.experiment

    @cached_property
    def data(self) -> Step:
        """The corpus."""
        config = self.experiment.data
        return self._step("data", "data", config=config.fingerprint_part(), content=self._content(config))

    @cached_property
    def _teacher_model(self) -> Step:
        return self._teacher_step("teacher", self.experiment.teacher)

    @cached_property
    def soft_targets(self) -> Step:
        """The teacher's logits."""
        return self._step(
            "soft_targets", "soft-targets", teacher=self._teacher_model.key, **self._numerics("fp32")
        )

    @cached_property
    def teacher(self) -> TeacherSteps:
        """The teacher."""
        model = self._teacher_model
        return TeacherSteps("teacher", model, self._evaluation("teacher", model), self.experiment.teacher)

    @cached_property
    def baseline(self) -> TeacherSteps | None:
        """The standing baseline; None where the experiment has none, or where the teacher itself is it."""
        config = self.experiment.baseline
        if config is None:
            return None
        model = self._teacher_step("baseline", config)
        if model.key == self._teacher_model.key:
            return None
        return TeacherSteps("baseline", model, self._evaluation("baseline", model), config)

    @property
    def measured(self) -> Mapping[str, Step]:
        """One model for each architecture, by the name that the speed stage gives it."""
        models = {"teacher": self.teacher.model}
        if self.baseline:
            models["baseline"] = self.baseline.model
        for run in self.runs:
            models.setdefault(run.student, run.model)
        return models

    @property
    def speed(self) -> Step:
        """Latency and throughput of all models, measured together on this machine."""
        return self._step(
            "speed",
            "speed",
            models={name: step.key for name, step in self.measured.items()},
            config=self.experiment.speed.model_dump(mode="json"),
            machine=machine_fingerprint(self.hardware),
        )

    @property
    def frontier(self) -> Step:
        """The picture, the page and the table."""
        return self._step(
            "frontier",
            "frontier",
            experiment=self.experiment.name,
            models={steps.name: steps.evaluation.key for steps in self.models()},
            speed=self.speed.key,
        )

    def artifact(self, run: Run) -> Step:
        """The folder to publish of one run."""
        return self._step(
            "artifacts",
            run.name,
            evaluation=run.evaluation.key,
            speed=self.speed.key,
            experiment=self.experiment.name,
        )

    @property
    def controls(self) -> frozenset[str]:
        """The objectives that listen to no teacher."""
        objectives = self.experiment.objectives.items()
        return frozenset(name for name, config in objectives if not config.needs_soft_targets)

    @property
    def notes(self) -> dict[str, str]:
        """What a table must say of a student beside its figures."""
        students = self.experiment.students.items()
        note = "begins with the teacher's layers, its control too: same initialisation, no soft targets"
        return {name: note for name, config in students if config.needs_teacher}

    def models(self) -> Iterator[ModelSteps]:
        """All models that are compared: teacher, baseline, then each run."""
        yield self.teacher
        if self.baseline:
            yield self.baseline
        yield from self.runs

    def steps(self) -> Iterator[Step]:
        """All steps, in the order in which they run."""
        yield self.data
        yield self.teacher.model
        yield self.soft_targets
        yield self.teacher.evaluation
        if self.baseline:
            yield from (self.baseline.model, self.baseline.evaluation)
        for run in self.runs:
            yield from (run.model, run.evaluation)
        yield from (self.speed, self.frontier)
        for run in self.runs:
            yield self.artifact(run)

    def place_of(self, run: Run) -> int:
        """Return which of the experiment's runs it is, counted from 0."""
        experiment = self.experiment
        student = list(experiment.students).index(run.student)
        objective = list(experiment.objectives).index(run.objective)
        seeds = experiment.seeds
        return (student * len(experiment.objectives) + objective) * len(seeds) + seeds.index(run.seed)

    def precision_of(self, config: ModelConfig) -> str:
        """Return `fp32` or `bf16`, with `auto` resolved for this machine."""
        wanted = self.experiment.training_of(config).precision
        if wanted != "auto":
            return wanted
        return "bf16" if config.bf16_pays and self.hardware.has_bf16 else "fp32"

    def _runs(self) -> Iterator[Run]:
        experiment = self.experiment
        for student, config in experiment.students.items():
            for objective, objective_config in experiment.objectives.items():
                for seed in experiment.seeds:
                    name = f"{student}/{objective}/seed{seed}"
                    model = self._student_step(name, config, objective_config, seed)
                    evaluation = self._evaluation(name, model)
                    yield Run(name, model, evaluation, config, student, objective, seed, objective_config)

    def _student_step(self, name: str, config: StudentConfig, objective: ObjectiveConfig, seed: int) -> Step:
        return self._step(
            "student",
            name,
            student=self._component(STUDENTS, config),
            objective=objective.model_dump(mode="json") | self._own_source(OBJECTIVES, objective),
            seed=seed,
            data=self.data.key,
            soft_targets=self.soft_targets.key if objective.needs_soft_targets else None,
            teacher=self._teacher_model.key if config.needs_teacher else None,
            **self._training(config),
        )

    def _teacher_step(self, name: str, config: TeacherConfig) -> Step:
        return self._step(
            "teacher",
            name,
            teacher=self._component(TEACHERS, config),
            data=self.data.key,
            **(self._training(config) if config.is_trained else self._numerics("fp32")),
        )

    def _evaluation(self, name: str, model: Step) -> Step:
        return self._step("evaluation", name, model=model.key, soft_targets=self.soft_targets.key)

    def _component(self, registry: Registry[Any], config: ModelConfig) -> dict[str, Any]:
        return dict(config.pinned()) | {"content": self._content(config)} | self._own_source(registry, config)

    def _own_source(self, registry: Registry[Any], config: ModelConfig | ObjectiveConfig) -> dict[str, str]:
        """The source of a user's class is part of what it makes; distill's own is covered by the stage's version."""
        return {} if registry.is_built_in(config.kind) else {"source": source_of(config)}

    def _content(self, config: Any) -> dict[str, str]:
        files: Mapping[str, Any] = config.content_files(self.loaded.folder)
        return {name: self._store.content_hash(path) for name, path in files.items()}

    def _training(self, config: ModelConfig) -> dict[str, Any]:
        settings = self.experiment.training_of(config)
        return {"training": settings.model_dump(mode="json")} | self._numerics(self.precision_of(config))

    def _numerics(self, precision: str) -> dict[str, Any]:
        """Return what else changes figures."""
        return {
            "precision": precision,
            "threads": self.hardware.threads,
            "device": self.hardware.device,
            "libraries": self._libraries,
        }

    @cached_property
    def _libraries(self) -> Mapping[str, str]:
        """Read once: every step of a plan asks for them."""
        return library_versions()

    def _step(self, stage: str, name: str, **parts: Any) -> Step:
        return Step(stage, name, fingerprint({"stage": stage, "version": VERSIONS[stage], **parts}))
