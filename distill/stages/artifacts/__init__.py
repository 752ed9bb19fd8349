"""Put a student's folder together: everything that a person needs to use it, and to know what it is worth.

The student stage wrote weights, tokenizer and graph, evaluation wrote calibration and thresholds. Here the speed
figures, a model card and checksums join them.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from distill.errors import ModelError
from distill.fingerprint import file_hash
from distill.inference import CALIBRATION
from distill.model_folder import DESCRIPTION
from distill.result_files import (
    COVERAGE,
    MANIFEST,
    METRICS,
    PICKLES,
    SPEED,
    TIMED,
    costs_of,
    read_json,
    write_json,
)
from distill.stages.artifacts.card import CardFacts, model_card

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from distill.contracts import Workbench

__all__ = ["CardFacts", "assemble", "published_facts"]

CARD, CHECKSUMS = "README.md", "checksums.json"


def assemble(
    *,
    model: Path,
    evaluation: Path,
    speed: Path | None,
    measured_as: str,
    facts: CardFacts | None,
    bench: Workbench,
) -> None:
    """Fill the result with the folder to publish.

    Args:
        model: the model folder, with its graph.
        evaluation: the evaluation's result.
        speed: the speed stage's result, if there is one.
        measured_as: under which name `speed` holds the model's architecture.
        facts: what the card says beyond what the folders say.
        bench: where the result goes.

    Raises:
        ModelError: the model folder holds a file of a kind that could run code.
    """
    for path in sorted(model.iterdir()):
        if path.name == MANIFEST:  # the store's own, of the model's result; this one is going to have another
            continue
        if path.suffix in PICKLES:
            raise ModelError(f"{path}: a published folder holds no pickle; write safetensors or JSON instead")
        shutil.copy2(path, bench.result / path.name)
    shutil.copy2(evaluation / CALIBRATION, bench.result / CALIBRATION)
    metrics = read_json(evaluation / METRICS)
    if speed is not None:
        metrics["speed"] = _speed_of(speed, measured_as)
    write_json(bench.result / METRICS, metrics)
    bench.log.summary(_summary(metrics))
    description, coverage = read_json(model / DESCRIPTION), read_json(model / COVERAGE)
    card = model_card(description, metrics, coverage, facts or CardFacts())
    (bench.result / CARD).write_text(card, encoding="utf-8")
    write_json(bench.result / CHECKSUMS, _checksums(bench.result))


def published_facts(folder: Path) -> dict[str, Any]:
    """Return what a published folder can be chosen by: quality, which is validation's, and what it costs.

    Args:
        folder: what `assemble` has filled.
    """
    metrics = read_json(folder / METRICS)
    metric = metrics["selection_metric"]
    costs = (
        {}
        if "speed" not in metrics
        else costs_of(metrics["speed"]) | {"machine": metrics["speed"]["machine"]}
    )
    return {
        "metric": metric,
        "quality": metrics["validation"][metric],
        "validation": metrics["validation"],
        "test": metrics["test"],
        **costs,
    }


def _summary(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return speed and size as a dashboard shows them, and the machine on which they hold."""
    if "speed" not in metrics:
        return {}
    costs = costs_of(metrics["speed"])
    timed = {f"speed/{name}": costs.pop(name) for name in TIMED}
    machine = metrics["speed"]["machine"]
    return timed | {f"size/{name}": value for name, value in costs.items()} | {"machine": machine}


def _speed_of(folder: Path, name: str) -> dict[str, Any]:
    """Return one model's figures, with the machine and the rules they stand under."""
    found = read_json(folder / SPEED)
    figures: dict[str, Any] = found.pop("models")[name]
    return found | figures


def _checksums(folder: Path) -> dict[str, str]:
    """Return file name -> sha256."""
    return {path.name: file_hash(path) for path in sorted(folder.iterdir()) if path.is_file()}
