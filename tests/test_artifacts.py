from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from measuring import TEXTS, make_bench, own_model
from scipy.special import expit

from distill import load_student
from distill.errors import ModelError
from distill.inference import predict_logits
from distill.stages.artifacts import CardFacts, assemble
from distill.stages.artifacts.card import model_card

FACTS = CardFacts(
    run="own/kd/seed0",
    experiment="reviews",
    objective={"kind": "soft_target", "temperature": 2},
    teacher="transformer, package:some-weights",
    data="package:reviews",
    data_licence="CC-BY-4.0",
    weights_licence="Apache-2.0",
    training={"max_epochs": 2, "patience": None},
)
SCORES = {"macro_ap": 0.5, "macro_f1": None, "undefined_labels": 1, "examples": 4}
COVERAGE = {"out_of_vocabulary_rate": 0.0625, "truncation_rate": 0.0}
TIMES = {"latency_p50_ms": 0.5, "latency_p90_ms": 0.75, "throughput": 2000.4}
SPEED = {
    "scenario": "raw text to probabilities, tokenising included",
    "machine": {"processor": "Example CPU", "threads": 1},
    "models": {
        "own": {
            "parameters": 12345,
            "bytes": {"deployed": 2_500_000},
            "peak_memory_bytes": 99_600_000,
            "onnx": TIMES,
            "torch": TIMES,
        }
    },
}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A student's folder before it is published, with what evaluation and speed found."""
    folder = tmp_path_factory.mktemp("made")
    classifier = own_model(folder / "model", folder)
    for stage, files in {
        "evaluation": {
            "calibration.json": {"temperature": 2.0, "thresholds": {"joy": 0.5, "anger": 0.0}},
            "metrics.json": {"selection_metric": "macro_ap", "validation": SCORES, "test": SCORES},
        },
        "speed": {"speed.json": SPEED},
        "model": {"coverage.json": {"train": COVERAGE, "test": COVERAGE}},
    }.items():
        (folder / stage).mkdir(exist_ok=True)
        for name, content in files.items():
            (folder / stage / name).write_text(json.dumps(content), encoding="utf-8")
    return folder, classifier


def published(made, tmp_path, *, speed=True, facts=FACTS):
    folder, _ = made
    bench = make_bench(tmp_path)
    assemble(
        model=folder / "model",
        evaluation=folder / "evaluation",
        speed=folder / "speed" if speed else None,
        measured_as="own",
        facts=facts,
        bench=bench,
    )
    return bench.result


def test_the_folder_predicts_calibrated_probabilities(made, tmp_path):
    folder, classifier = made
    result = published(made, tmp_path)
    expected = expit(predict_logits(classifier, TEXTS) / 2.0)
    for backend in ("onnx", "torch"):
        student = load_student(result, backend=backend, trust_custom_code=True, code_folder=folder)
        np.testing.assert_allclose(student.predict_proba(TEXTS), expected, atol=1e-5)
        assert all("anger" in found.labels for found in student.predict(TEXTS))


def test_every_file_has_a_checksum_and_none_is_a_pickle(made, tmp_path):
    result = published(made, tmp_path)
    checksums = json.loads((result / "checksums.json").read_text(encoding="utf-8"))
    names = {path.name for path in result.iterdir()}
    assert set(checksums) == names - {"checksums.json"}
    assert {"model.json", "weights.safetensors", "model.onnx", "tokenizer.json", "README.md"} < names
    for name, checksum in checksums.items():
        assert hashlib.sha256((result / name).read_bytes()).hexdigest() == checksum


def test_a_pickle_is_refused(made, tmp_path):
    pickle = made[0] / "model" / "extra.pkl"
    pickle.write_bytes(b"")
    try:
        with pytest.raises(ModelError) as error:
            published(made, tmp_path)
    finally:
        pickle.unlink()
    assert (
        str(error.value) == f"{pickle}: a published folder holds no pickle; write safetensors or JSON instead"
    )


def test_metrics_hold_the_speed_with_its_machine(made, tmp_path):
    metrics = json.loads((published(made, tmp_path) / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["test"] == SCORES
    assert metrics["speed"]["onnx"] == TIMES
    assert metrics["speed"]["machine"]["processor"] == "Example CPU"


def test_the_card_says_what_it_is_worth_and_how_it_was_made(made, tmp_path):
    card = (published(made, tmp_path) / "README.md").read_text(encoding="utf-8").splitlines()
    for line in (
        "# own/kd/seed0",
        "A small text classifier (own_student:MeanConfig) that gives 2 independent labels, made with `distill`.",
        "`joy`, `anger`",
        "| macro average precision | 0.5000 | 0.5000 |",
        "| macro F1 | undefined | undefined |",
        "1 label lacks positives or negatives in test and is left out of the means.",
        "| latency p90 | 0.75 ms | 0.75 ms |",
        "| throughput | 2000 texts/s | 2000 texts/s |",
        "Raw text to probabilities, tokenising included, on Example CPU, 1 thread.",
        "12,345 parameters; graph and tokenizer 2.5 MB on disk;",
        "peak memory 100 MB, the Python process included.",
        "- experiment: reviews",
        "- teacher: transformer, package:some-weights",
        "- objective: kind soft_target, temperature 2",
        "- training: max_epochs 2",
        "- vocabulary, on test: 6.2% of tokens unknown, 0.0% of texts cut",
        "- data: CC-BY-4.0",
        "- weights: Apache-2.0",
        'distill predict THIS_FOLDER --text "..."',
    ):
        assert line in card


@pytest.mark.parametrize(
    ("undefined", "note"),
    [
        (0, None),
        (1, "1 label lacks positives or negatives in test and is left out of the means."),
        (2, "2 labels lack positives or negatives in test and are left out of the means."),
    ],
)
@pytest.mark.parametrize(
    ("names", "what"), [(["a"], "1 independent label"), (["a", "b"], "2 independent labels")]
)
def test_the_card_counts_in_english(undefined, note, names, what):
    description = {"task": {"kind": "multi_label", "label_names": names}, "config": {"kind": "textcnn"}}
    scores = SCORES | {"undefined_labels": undefined}
    card = model_card(
        description, {"validation": scores, "test": scores}, {"test": COVERAGE}, FACTS
    ).splitlines()
    assert f"A small text classifier (textcnn) that gives {what}, made with `distill`." in card
    assert [line for line in card if line.endswith("left out of the means.")] == ([note] if note else [])


def test_the_card_holds_the_tokenizers_note():
    description = {"task": {"kind": "multi_label", "label_names": ["a"]}, "config": {"kind": "textcnn"}}
    coverage = {"test": COVERAGE | {"note": "it has no subwords"}}
    card = model_card(description, {"validation": SCORES, "test": SCORES}, coverage, FACTS).splitlines()
    assert "- vocabulary, on test: 6.2% of tokens unknown, 0.0% of texts cut; it has no subwords" in card


def test_the_card_admits_what_is_not_known(made, tmp_path):
    card = (
        (published(made, tmp_path, speed=False, facts=None) / "README.md")
        .read_text(encoding="utf-8")
        .splitlines()
    )
    assert "Not measured." in card
    assert "- weights: not stated" in card
