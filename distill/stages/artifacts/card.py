"""The model card: what a student is for, how good and how fast it is, how it was made, and how to load it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_STATED = "not stated"

METRIC_NAMES = {
    "macro_ap": "macro average precision",
    "macro_roc_auc": "macro ROC-AUC",
    "macro_f1": "macro F1",
    "micro_f1": "micro F1",
    "weighted_f1": "weighted F1",
    "exact_match": "exact match",
    "log_loss": "log loss (calibrated)",
    "calibration_error": "calibration error (15 bins)",
    "agreement": "agreement with the teacher",
    "divergence": "divergence from the teacher",
}
MOST_LABELS = 60
"""More labels than this are counted, not listed."""


@dataclass(frozen=True)
class CardFacts:
    """What only the experiment knows of a student."""

    run: str = "student"
    """As `textcnn/kd/seed0`."""
    experiment: str = NOT_STATED
    objective: Mapping[str, Any] = field(default_factory=dict)
    """The objective's config."""
    teacher: str = NOT_STATED
    """What the teacher is, as `transformer google-bert/bert-base-uncased`; for a control that there is none."""
    data: str = NOT_STATED
    """Where the texts come from."""
    data_licence: str = NOT_STATED
    weights_licence: str = NOT_STATED
    """The licence of the weights that the student or its teacher started from."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """The training section as it was resolved."""


def model_card(
    description: Mapping[str, Any], metrics: Mapping[str, Any], coverage: Mapping[str, Any], facts: CardFacts
) -> str:
    """Return the card as Markdown.

    Args:
        description: the content of `model.json`.
        metrics: `validation` and `test` figures, and `speed` where it was measured.
        coverage: the content of `coverage.json`.
        facts: what only the experiment knows.
    """
    sections = {
        f"# {facts.run}": _purpose(description),
        "## Labels": _labels(description),
        "## Quality": _quality(metrics),
        "## Speed and size": _speed(metrics.get("speed")),
        "## How it was made": [*_making(description, facts), _coverage(coverage["test"])],
        "## Licences": [f"- data: {facts.data_licence}", f"- weights: {facts.weights_licence}"],
        "## Use": _use(),
    }
    front = ["---", "library_name: distill", "pipeline_tag: text-classification", "---", ""]
    body = [line for title, lines in sections.items() for line in (title, "", *lines, "")]
    return "\n".join([*front, *body])


def _purpose(description: Mapping[str, Any]) -> list[str]:
    task = description["task"]
    count = len(task["label_names"])
    labels = f"{count} independent label" + ("s" if count > 1 else "")
    what = labels if task["kind"] == "multi_label" else f"one of {count} classes"
    return [
        f"A small text classifier ({description['config']['kind']}) that gives {what}, made with `distill`.",
        "",
        "It is meant for texts like those that it was trained on; on others its figures below do not hold.",
        "Its probabilities are calibrated on validation. Do not let it decide alone about people.",
    ]


def _labels(description: Mapping[str, Any]) -> list[str]:
    names = description["task"]["label_names"]
    shown = ", ".join(f"`{name}`" for name in names[:MOST_LABELS])
    return [shown + (f" and {len(names) - MOST_LABELS} more" if len(names) > MOST_LABELS else "")]


def _quality(metrics: Mapping[str, Any]) -> list[str]:
    rows = [
        f"| {title} | {_number(metrics['validation'].get(name))} | {_number(metrics['test'].get(name))} |"
        for name, title in METRIC_NAMES.items()
        if name in metrics["test"]
    ]
    undefined = metrics["test"]["undefined_labels"]
    who, are = ("1 label lacks", "is") if undefined == 1 else (f"{undefined} labels lack", "are")
    note = f"{who} positives or negatives in test and {are} left out of the means."
    chosen = "Temperature and thresholds were chosen on validation alone; test was read once."
    return [
        "| metric | validation | test |",
        "|---|---:|---:|",
        *rows,
        "",
        chosen,
        *([note] if undefined else []),
    ]


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"


def _speed(speed: Mapping[str, Any] | None) -> list[str]:
    if speed is None:
        return ["Not measured."]
    onnx, torch = speed["onnx"], speed["torch"]
    rows = {
        "latency p50": (f"{onnx['latency_p50_ms']:.2f} ms", f"{torch['latency_p50_ms']:.2f} ms"),
        "latency p90": (f"{onnx['latency_p90_ms']:.2f} ms", f"{torch['latency_p90_ms']:.2f} ms"),
        "throughput": (f"{onnx['throughput']:.0f} texts/s", f"{torch['throughput']:.0f} texts/s"),
    }
    machine = speed["machine"]
    threads = f"{machine['threads']} thread" + ("s" if machine["threads"] > 1 else "")
    return [
        "| | ONNX Runtime, fp32 | eager PyTorch |",
        "|---|---:|---:|",
        *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()),
        "",
        f"{speed['scenario'].capitalize()}, on {machine['processor']}, {threads}.",
        f"{speed['parameters']:,} parameters; graph and tokenizer {speed['bytes']['deployed'] / 1e6:.1f} MB on disk;",
        f"peak memory {speed['peak_memory_bytes'] / 1e6:.0f} MB, the Python process included.",
    ]


def _making(description: Mapping[str, Any], facts: CardFacts) -> list[str]:
    return [
        f"- experiment: {facts.experiment}",
        f"- teacher: {facts.teacher}",
        f"- data: {facts.data}",
        f"- objective: {_settings(facts.objective)}",
        f"- student: {_settings(description['config'])}",
        f"- training: {_settings(facts.training)}",
    ]


def _coverage(test: Mapping[str, Any]) -> str:
    rates = (
        f"{test['out_of_vocabulary_rate']:.1%} of tokens unknown, {test['truncation_rate']:.1%} of texts cut"
    )
    note = f"; {test['note']}" if "note" in test else ""
    return f"- vocabulary, on test: {rates}{note}"


def _settings(found: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in _flat(found)) or NOT_STATED


def _flat(found: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in found.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield f"{prefix}{key}", value


def _use() -> list[str]:
    return [
        "```sh",
        'distill predict THIS_FOLDER --text "..."',
        "```",
        "",
        "```python",
        "import distill",
        "",
        'student = distill.load_student("THIS_FOLDER")',
        'probabilities = student.predict_proba(["..."])  # [texts, labels], calibrated',
        'predictions = student.predict(["..."])          # and the labels above their thresholds',
        "```",
        "",
        "`checksums.json` holds the sha256 of every file. Nothing here is a pickle; loading runs no code.",
    ]
