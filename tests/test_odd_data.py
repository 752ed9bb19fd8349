"""Data that looks odd and is fine, end to end: odd label names, other scripts, undefined metrics, classes."""

import csv
import json

import pytest

from distill.cli import main
from distill.inference import load_student

RUN = ("run", "reviews.yaml", "--only", "mean/supervised/*")
JOY, ANGER = "_радость/удовольствие, да $^_$ 愤怒", 'anger & <rage> "very" | 50%'
RUSSIAN = {
    "lovely": "прекрасный",
    "splendid": "отличный",
    "dreadful": "ужасный",
    "awful": "гадкий",
    "film": "фильм",
}


@pytest.fixture
def rewrite(experiment_file, monkeypatch):
    """Rewrite the rows (text, good, bad) of each split, and the experiment's labels; step beside it."""
    monkeypatch.chdir(experiment_file.parent)

    def rewrite(header, row, labels):
        for split in ("train", "validation", "test"):
            path = experiment_file.parent / "reviews" / f"{split}.csv"
            with path.open(encoding="utf-8", newline="") as file:
                rows = list(csv.reader(file))[1:]
            with path.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows([header, *(row(split, *found) for found in rows)])
        text = experiment_file.read_text(encoding="utf-8")
        experiment_file.write_text(text.replace("labels: [good, bad]", labels), encoding="utf-8")

    return rewrite


def read(place, name):
    (found,) = place.glob(name)
    return json.loads(found.read_text(encoding="utf-8"))


def test_odd_names_another_script_and_a_label_that_test_lacks(rewrite, experiment_file, capsys):
    def row(split, text, good, bad):
        words = [RUSSIAN.get(word, word) for word in text.split()]
        return [" ".join(words), good, "0" if split == "test" else bad]

    rewrite(["text", JOY, ANGER], row, f"labels: {json.dumps([JOY, ANGER], ensure_ascii=False)}")
    assert main([*RUN]) == 0
    capsys.readouterr()
    view = experiment_file.parent / ".distill" / "experiments" / "reviews"
    folder = view / "students" / "mean" / "supervised" / "seed0"
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert JOY in card

    test = read(folder, "metrics.json")["test"]
    assert test["undefined_labels"] == 1, "a label without a positive in test is counted, and in no mean"
    assert 0 < test["macro_ap"] <= 1

    assert main(["predict", str(folder), "--text", "прекрасный фильм", "--json"]) == 0
    line = json.loads(capsys.readouterr().out)
    assert line["text"] == "прекрасный фильм"
    assert list(line["probabilities"]) == [JOY, ANGER]
    (corpus,) = experiment_file.parent.glob(".distill/results/data/*/train.parquet")
    corpus.write_bytes(corpus.read_bytes()[:-1])
    assert main([*RUN]) == 0
    told = capsys.readouterr().err
    assert f"note: {corpus.parent} is damaged: train.parquet has " in told
    assert "; it is removed and made again" in told
    assert "1 steps done, 8 found in the store" in told


@pytest.mark.slow
def test_odd_classes_come_to_the_dashboard_and_back(rewrite, wandb_login, capsys):
    dotted = "v1.0 joy"

    def row(split, text, good, bad):
        return [text, dotted if good == "1" else ANGER if bad == "1" else JOY]

    rewrite(["text", "class"], row, "label: class")
    assert main([*RUN, "--set", "runtime.wandb.mode=auto"]) == 0
    out, err = capsys.readouterr()
    assert "note" not in err
    assert out.splitlines()[-1] == f"wandb     {wandb_login.url}/laboratory/distill/groups/reviews"
    assert main(["sync"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(" there")

    import wandb

    [student] = wandb.Api().runs("laboratory/distill", filters={"jobType": "student"})
    keys = {f"per_label/test_ap/{name}" for name in (dotted, ANGER, JOY)}
    assert keys <= set(student.summary.keys())
    assert main(["dashboard", "reviews"]) == 0
    [project] = [one for one in wandb_login.state.projects.values() if one.views]
    shown = json.dumps([json.loads(view.spec) for view in project.views])
    for key in keys | {"summary:validation/macro_f1"}:
        assert json.dumps(key)[1:-1] in shown, key
    assert main(["compare", "laboratory/distill", "--group", "reviews"]) == 0
    assert "| mean" in capsys.readouterr().out
    assert main(["pull", "reviews-mean:best", "--to", "pulled"]) == 0
    assert main(["predict", "pulled", "--text", "lovely film", "--json"]) == 0


def test_one_class_of_several_end_to_end(rewrite, experiment_file, capsys):
    def row(split, text, good, bad):
        return [text, JOY if good == "1" else ANGER if bad == "1" else "neither"]

    rewrite(["text", "class"], row, "label: class")
    assert main([*RUN]) == 0
    out = capsys.readouterr().out
    assert "| mean" in out
    assert "macro F1" in out
    store = experiment_file.parent / ".distill"
    folder = store / "experiments" / "reviews" / "students" / "mean" / "supervised" / "seed0"
    metrics = read(folder, "metrics.json")
    assert metrics["selection_metric"] == "macro_f1"
    model = load_student(folder)
    assert model.label_names == tuple(sorted(["neither", JOY, ANGER]))
    probabilities = model.predict_proba(["lovely film", "dreadful day", ""])
    assert probabilities.sum(axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert all(len(found.labels) == 1 for found in model.predict(["lovely film", ""]))
