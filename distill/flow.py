"""Each box of the flow: what it needs from the boxes before it, and which stage does the work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.config.base import ModelConfig
from distill.contracts import BuildContext, Workbench
from distill.custom_code import named
from distill.errors import ConfigError
from distill.fingerprint import fingerprint
from distill.plan import ModelSteps, Plan, Run, Step, TeacherSteps
from distill.workshop import Workshop

if TYPE_CHECKING:
    from distill.corpus import Corpus
    from distill.stages.artifacts import CardFacts
    from distill.training import Recipe


class Flow:
    """The boxes of one plan. Stages are imported when they run, so that a flow that is cached needs no torch."""

    def __init__(self, plan: Plan, workshop: Workshop) -> None:
        self._plan, self._shop = plan, workshop

    @cached_property
    def _corpus(self) -> Corpus:
        from distill.corpus import Corpus

        return Corpus.load(self._shop.place(self._plan.data))

    def data(self) -> None:
        """Read, clean and split the texts."""

        def make(bench: Workbench) -> None:
            from distill.stages.data import prepare

            prepare(self._plan.experiment.data, self._plan.loaded.folder, bench)

        step, config = self._plan.data, self._plan.experiment.data
        with self._shop.box("data", step) as box:
            place = box.make(step, make)
            box.publish(
                step,
                "data",
                "dataset",
                folder=self._plan.experiment.runtime.wandb.upload_data,
                documents=lambda: {"dataset.json": self._described_data(place)},
                metadata=lambda: {"origin": config.source.origin()},
            )
        if config.label_names is None:
            self._check_labels()

    def teacher(self) -> None:
        """Train the teacher."""
        steps = self._plan.teacher
        with (
            named("teacher", steps.config),
            self._shop.box("teacher", steps.model, facts=self._compared) as box,
        ):
            box.make(steps.model, lambda bench: self._train_teacher(steps, bench))
            box.publish(steps.model, "teacher", "teacher", uses=[("data", self._plan.data)])

    def soft_targets(self) -> None:
        """Let the teacher answer all texts, and evaluate it by its answers."""
        plan, steps = self._plan, self._plan.teacher

        def make(bench: Workbench) -> None:
            from distill.stages.soft_targets import compute_soft_targets

            compute_soft_targets(
                self._shop.place(steps.model),
                self._corpus,
                hardware=plan.hardware,
                trusted=plan.loaded.folder,
                bench=bench,
            )

        with named("teacher", steps.config):
            with self._shop.box("soft-targets", plan.soft_targets) as box:
                box.make(plan.soft_targets, make)
                made_from = [("data", plan.data), ("teacher", steps.model)]
                box.publish(plan.soft_targets, "soft-targets", "soft-targets", uses=made_from)
            with self._shop.box("teacher", steps.model, live=False, facts=self._compared) as box:
                box.make(steps.evaluation, lambda bench: self._evaluate(steps, bench))

    def baseline(self) -> None:
        """Fit and evaluate the standing baseline."""
        steps = self._plan.baseline
        if steps is None:
            return
        with self._shop.box("baseline", steps.model, facts=self._compared) as box:
            box.make(steps.model, lambda bench: self._train_teacher(steps, bench))
            box.make(steps.evaluation, lambda bench: self._evaluate(steps, bench))
            if self._shop.shared is not None:
                box.publish(steps.model, "baseline", "baseline", uses=[("data", self._plan.data)])

    def student(self, run: Run) -> None:
        """Train and evaluate one student by one objective from one seed."""
        who = named(f"student {run.name}", run.config, run.objective_config)
        with who, self._shop.box("student", run.model, facts=self._shown_of(run)) as box:
            box.make(run.model, lambda bench: self._train_student(run, bench))
            box.make(run.evaluation, lambda bench: self._evaluate(run, bench))

    def speed(self) -> None:
        """Time all models together."""
        plan = self._plan

        def make(bench: Workbench) -> None:
            from distill.stages.speed import measure

            models = {name: self._shop.place(step) for name, step in plan.measured.items()}
            measure(
                models=models,
                texts=self._corpus.test.texts,
                config=plan.experiment.speed,
                trusted=plan.loaded.folder,
                bench=bench,
            )

        measured = {name: step.key for name, step in plan.measured.items()}
        with self._shop.box("speed", plan.speed, facts={**self._compared, "measured": measured}) as box:
            box.make(plan.speed, make)

    def frontier(self) -> Path:
        """Draw quality against speed."""
        plan = self._plan

        def make(bench: Workbench) -> None:
            from distill.stages.frontier import collect, draw

            evaluations = {steps.name: self._shop.place(steps.evaluation) for steps in plan.models()}
            comparison = collect(evaluations, self._shop.place(plan.speed), plan.controls, plan.notes)
            draw(comparison, experiment=plan.experiment.name, bench=bench)

        with self._shop.box("frontier", plan.frontier) as box:
            return box.make(plan.frontier, make)

    def artifacts(self, frontier: Path) -> Path:
        """Put each student's folder together and publish it; return the folder of names for people."""
        places = {path.name: path for path in frontier.iterdir() if path.suffix in {".png", ".html", ".csv"}}
        for run in self._plan.runs:
            step = self._plan.artifact(run)
            with self._shop.box("student", run.model, live=False, facts=self._shown_of(run)) as box:
                box.record(self._plan.frontier, partial(self._place_on, frontier, run))
                place = box.make(step, partial(self._assemble, run))
                box.publish(
                    step,
                    run.student,
                    "student",
                    uses=self._made_from(run),
                    metadata=partial(self._published_facts, run, place),
                )
            places[f"students/{run.name}"] = place
        return self._shop.store.publish(self._plan.experiment.name, places)

    def _made_from(self, run: Run) -> list[tuple[str, Step]]:
        """Return what a student learnt from; a control never saw the soft targets."""
        plan = self._plan
        made_from = [("data", plan.data)]
        if run.config.needs_teacher:
            made_from.append(("teacher", plan.teacher.model))
        if run.objective_config.needs_soft_targets:
            made_from.append(("soft-targets", plan.soft_targets))
        return made_from

    def _facts_of(self, run: Run) -> dict[str, Any]:
        """Return what tells a run from the others."""
        control = run.objective in self._plan.controls
        return {"student": run.student, "objective": run.objective, "seed": run.seed, "control": control}

    @property
    def _compared(self) -> dict[str, Any]:
        """Return what runs must share to be compared by quality."""
        return {"data_fingerprint": self._plan.data.key}

    def _shown_of(self, run: Run) -> dict[str, Any]:
        """Return what a table of runs must know beside the experiment, whose order wandb does not keep."""
        plan = self._plan
        shown = {"order": plan.place_of(run), "note": plan.notes.get(run.student, "")}
        return {**self._facts_of(run), **shown, **self._compared}

    @staticmethod
    def _place_on(frontier: Path, run: Run) -> dict[str, Any]:
        from distill.stages.frontier import place_on_frontier

        return place_on_frontier(frontier, run.name)

    def _published_facts(self, run: Run, place: Path) -> dict[str, Any]:
        """Return what a student can be chosen by without a download."""
        from distill.stages.artifacts import published_facts

        upstream = {"data": self._plan.data.key, "teacher": self._plan.teacher.model.key}
        return {**self._facts_of(run), **upstream, **published_facts(place)}

    def _described_data(self, place: Path) -> dict[str, Any]:
        """Return where the texts come from and how to tell whether one has the same, not the texts."""
        source = self._plan.experiment.data.source
        from distill.fingerprint import file_hash
        from distill.result_files import read_json

        checksums = {path.name: file_hash(path) for path in sorted(place.glob("*.parquet"))}
        return {"origin": source.origin(), "checksums": checksums, **read_json(place / "report.json")}

    def _check_labels(self) -> None:
        """Check what objectives say of classes that only the texts tell: now, not after the teacher's training."""
        for name, objective in self._plan.experiment.objectives.items():
            try:
                objective.check_labels(self._corpus.task.label_names)
            except ConfigError as error:
                raise ConfigError(f"objectives.{name}: {error}") from error

    def _train_teacher(self, steps: TeacherSteps, bench: Workbench) -> None:
        from distill.stages.teacher import train_teacher

        train_teacher(
            steps.config,
            self._context(0),
            self._corpus,
            recipe=self._recipe(steps.config),
            bench=bench,
        )

    def _train_student(self, run: Run, bench: Workbench) -> None:
        from distill.stages.student import train_student

        plan = self._plan
        train_student(
            run.config,
            run.objective_config,
            self._context(run.seed, plan.teacher.model if run.config.needs_teacher else None),
            self._corpus,
            self._shop.place(plan.soft_targets),
            recipe=self._recipe(run.config),
            bench=bench,
        )

    def _recipe(self, config: ModelConfig) -> Recipe:
        from distill.training import Recipe

        experiment = self._plan.experiment
        return Recipe(
            settings=experiment.training_of(config),
            precision=self._plan.precision_of(config),
            hardware=self._plan.hardware,
            checkpoint_seconds=experiment.runtime.checkpoint_seconds,
        )

    def _evaluate(self, steps: ModelSteps, bench: Workbench) -> None:
        from distill.corpus import LogitTable
        from distill.inference import predict_splits
        from distill.model_folder import read_model
        from distill.stages.evaluation import evaluate

        splits = ("validation", "test")
        soft_targets = self._shop.place(self._plan.soft_targets)
        teacher = {name: LogitTable.load(soft_targets / f"{name}.parquet") for name in splits}
        if steps is self._plan.teacher:
            evaluate(corpus=self._corpus, logits=teacher, teacher=None, bench=bench)
            return
        model = read_model(
            self._shop.place(steps.model), trust_custom_code=True, beside=self._plan.loaded.folder
        )
        logits = predict_splits(model.classifier(), self._corpus, splits, device=self._plan.hardware.device)
        evaluate(corpus=self._corpus, logits=logits, teacher=teacher, bench=bench)

    def _assemble(self, run: Run, bench: Workbench) -> None:
        from distill.stages.artifacts import assemble

        assemble(
            model=self._shop.place(run.model),
            evaluation=self._shop.place(run.evaluation),
            speed=self._shop.place(self._plan.speed),
            measured_as=run.student,
            facts=self._card_facts(run),
            bench=bench,
        )

    def _card_facts(self, run: Run) -> CardFacts:
        from distill.stages.artifacts import CardFacts

        experiment = self._plan.experiment
        teacher, data = experiment.teacher, experiment.data
        taught = run.objective_config.needs_soft_targets or run.config.needs_teacher
        licences = [config.licence() for config in ((teacher, run.config) if taught else (run.config,))]
        return CardFacts(
            run=run.name,
            experiment=experiment.name,
            objective=run.objective_config.model_dump(mode="json"),
            teacher=teacher.origin() if taught else "none: a control, trained on labels alone",
            data=data.source.origin(),
            data_licence=data.licence or data.source.licence() or "not stated",
            weights_licence=", ".join(found for found in licences if found) or "not stated",
            training=experiment.training_of(run.config).model_dump(mode="json"),
        )

    def _context(self, seed: int, teacher: Step | None = None) -> BuildContext:
        corpus, data = self._corpus, self._plan.data

        def memo(name: str, settings: Mapping[str, Any], produce: Callable[[Path], None]) -> Path:
            key = fingerprint({"name": name, "settings": dict(settings), "data": data.key})
            return self._shop.store.memo(name, key, produce)

        return BuildContext(
            task=corpus.task,
            texts=(*corpus.train.texts, *corpus.transfer.texts),
            seed=seed,
            base_folder=self._plan.loaded.folder,
            memo=memo,
            teacher_folder=self._shop.place(teacher) if teacher else None,
        )
