"""The teacher: fine-tuned, fitted, or taken as it is. The linear baseline comes this way too."""

from __future__ import annotations

import torch

from distill.config.base import TeacherConfig
from distill.contracts import BuildContext, TextClassifier, Workbench
from distill.corpus import Corpus
from distill.errors import ModelError
from distill.objectives.hard import HardObjective
from distill.trained_model import write_trained_model
from distill.training import Recipe, Schedule, TrainingSet, fit


def train_teacher(
    config: TeacherConfig,
    context: BuildContext,
    corpus: Corpus,
    *,
    recipe: Recipe,
    bench: Workbench,
) -> None:
    """Write the teacher's model folder, with its graph, `training.json` and `coverage.json`.

    Raises:
        ModelError: the weights bring a head for other labels, and are to be taken as they are.
    """
    torch.set_num_threads(recipe.hardware.threads)
    torch.manual_seed(context.seed)
    if config.fits_in_closed_form:
        classifier = config.fit(context, corpus.train, corpus.validation)
        how: dict[str, object] = {"fitted": "closed form"}
    elif not config.fine_tune:
        _check_labels(config, context)
        classifier, how = config.build(context), {"fitted": "as it is"}
    else:
        classifier = config.build(context)
        how = _fine_tune(classifier, context, corpus, recipe, bench)
    write_trained_model(bench.result, classifier, config, corpus, "teacher", how)


def _fine_tune(
    classifier: TextClassifier,
    context: BuildContext,
    corpus: Corpus,
    recipe: Recipe,
    bench: Workbench,
) -> dict[str, object]:
    summary = fit(
        classifier,
        HardObjective(corpus.task),
        TrainingSet(corpus.train.texts, corpus.train.labels),
        corpus.validation,
        corpus.task,
        recipe=recipe,
        schedule=Schedule.for_rows(len(corpus.train), recipe.settings),
        seed=context.seed,
        bench=bench,
    )
    return {"fitted": "fine-tuned", "precision": recipe.precision, **summary.as_dict()}


def _check_labels(config: TeacherConfig, context: BuildContext) -> None:
    """A head for other labels would answer another question."""
    brought = config.labels_of_weights(context.base_folder)
    wanted = context.task.label_names
    if brought is None or set(brought) != set(wanted):
        found = "no labelled head" if brought is None else f"the labels {', '.join(brought)}"
        raise ModelError(
            f"the weights bring {found}, but the data has the labels {', '.join(wanted)}; "
            "with fine_tune: true a new head is trained"
        )
