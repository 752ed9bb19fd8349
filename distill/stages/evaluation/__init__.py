"""How good a model is: validation fixes temperature and thresholds, test is read with them.

Writes every example's logits, `calibration.json`, `metrics.json`, `per_label.csv`, and for the test split
`confusion.csv` and pictures.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pandas as pd

from distill.errors import DataError
from distill.inference import CALIBRATION
from distill.metrics import selection_metric_name
from distill.result_files import METRICS, PER_LABEL_SUMMARY, write_json
from distill.stages.evaluation.calibration import calibrate
from distill.stages.evaluation.confusion import write_confusion
from distill.stages.evaluation.curves import draw_curves, precision_recall_curves, roc_curves
from distill.stages.evaluation.reliability import reliability
from distill.stages.evaluation.reliability_diagram import draw_reliability
from distill.stages.evaluation.scores import Answers, LabelScores, any_label, fidelity, label_table, summarise

if TYPE_CHECKING:
    from collections.abc import Mapping

    from distill.contracts import Workbench
    from distill.corpus import Corpus, LogitTable
    from distill.stages.evaluation.scores import Scores

PER_LABEL = "per_label.csv"
SPLITS = ("validation", "test")


def evaluate(
    *,
    corpus: Corpus,
    logits: Mapping[str, LogitTable],
    teacher: Mapping[str, LogitTable] | None,
    bench: Workbench,
) -> None:
    """Measure a model's quality from its logits on `validation` and `test`.

    Args:
        corpus: texts and labels.
        logits: the model's answers, by split.
        teacher: the teacher's answers, by split, for agreement and divergence; None for the teacher itself.
        bench: where the result goes.

    Raises:
        DataError: a split has no known label, or an example has no logits.
    """
    ours = _answers(corpus, logits)
    theirs = _answers(corpus, teacher) if teacher else None
    metrics: dict[str, Scores] = {}
    tables: dict[str, list[LabelScores]] = {}
    for split in SPLITS:
        logits[split].save(bench.result / f"{split}.parquet", corpus.task.label_names)
        table = label_table(ours[split])
        metrics[split] = summarise(ours[split], table)
        if corpus.task.kind == "multi_label":
            table.append(any_label(ours[split], ours["validation"]))
        if theirs:
            metrics[split] |= fidelity(ours[split], theirs[split])
        tables[split] = table
    write_json(bench.result / CALIBRATION, ours["validation"].calibration.describe())
    chosen_by = {"selection_metric": selection_metric_name(corpus.task)}
    write_json(bench.result / METRICS, chosen_by | metrics)
    _write_tables(tables, bench)
    _draw(ours["test"], tables["test"][: corpus.task.num_labels], bench)
    bench.log.summary(
        {f"{split}/{name}": value for split in SPLITS for name, value in metrics[split].items()}
        | {f"{PER_LABEL_SUMMARY}{row.label}": row.ap for row in tables["test"] if row.ap is not None}
    )


def _answers(corpus: Corpus, logits: Mapping[str, LogitTable]) -> dict[str, Answers]:
    """Pair logits with labels, calibrated on validation alone."""
    rows = {split: logits[split].rows(corpus.split(split).ids) for split in SPLITS}
    for split in SPLITS:
        if not (corpus.split(split).labels >= 0).any():  # NaN is not
            raise DataError(f"{split}: no example has a known label, so that nothing can be measured")
    calibration = calibrate(corpus.task, rows["validation"], corpus.validation.labels)
    return {
        split: Answers(corpus.task, rows[split], corpus.split(split).labels, calibration) for split in SPLITS
    }


def _write_tables(tables: Mapping[str, list[LabelScores]], bench: Workbench) -> None:
    rows = [{"split": split} | asdict(row) for split, table in tables.items() for row in table]
    pd.DataFrame(rows).to_csv(bench.result / PER_LABEL, index=False)
    bench.log.table("per_label", list(rows[0]), [list(row.values()) for row in rows])


def _draw(test: Answers, table: list[LabelScores], bench: Workbench) -> None:
    """Draw the test split; where every label is undefined, there is only the confusion."""
    pictures = []
    if any(row.ap is not None for row in table):
        draw_curves(
            roc_curves(test, table),
            x="false positive rate",
            y="true positive rate",
            area="area under the ROC curve",
            chance=True,
            path=bench.result / "roc.png",
        )
        draw_curves(
            precision_recall_curves(test, table),
            x="recall",
            y="precision",
            area="average precision",
            chance=False,
            path=bench.result / "precision_recall.png",
        )
        pictures += ["roc", "precision_recall"]
    if reliability(test):
        draw_reliability(test, bench.result / "calibration.png")
        pictures.append("calibration")
    for name in pictures:
        bench.log.picture(name, bench.result / f"{name}.png")
    write_confusion(test, bench.result, bench.log)
