from __future__ import annotations

import json
import math

import pandas as pd
import pytest
from measuring import make_bench

from distill.charts import new_figure
from distill.stages.frontier import collect, draw, format_table, place_on_frontier
from distill.stages.frontier.labels import Label, place_labels

MACHINE = {"processor": "Example CPU", "threads": 1}
SCENARIO = "raw text to probabilities, tokenising included"

QUALITY = {
    "teacher": 0.90,
    "baseline": 0.80,
    "cnn/supervised/seed0": 0.81,
    "cnn/supervised/seed1": 0.83,
    "cnn/kd/seed0": 0.84,
    "cnn/kd/seed1": 0.87,
    "mean/supervised/seed0": 0.70,
    "mean/supervised/seed1": 0.72,
    "mean/kd/seed0": 0.71,
}
LATENCY = {"teacher": 10.0, "baseline": 0.5, "cnn": 1.0, "mean": 0.25}


def comparison_of(folder, quality=None, latency=None, metric="macro_ap"):
    """Write what evaluation and speed would have found, and collect it."""
    evaluations = {}
    for name, value in (QUALITY if quality is None else quality).items():
        place = folder / "evaluation" / name
        place.mkdir(parents=True)
        test = {
            "macro_ap": value,
            "macro_f1": value and value - 0.1,
            "exact_match": 0.5,
            "undefined_labels": 0,
        }
        found = {"selection_metric": metric, "test": test, "validation": test}
        (place / "metrics.json").write_text(json.dumps(found), encoding="utf-8")
        evaluations[name] = place
    models = {
        name: {
            "parameters": int(ms * 1_000_000),
            "bytes": {"deployed": int(ms * 2_000_000)},
            "peak_memory_bytes": 50_000_000,
            "onnx": {"latency_p50_ms": ms / 2, "latency_p90_ms": ms, "throughput": 1000 / ms},
        }
        for name, ms in (LATENCY if latency is None else latency).items()
    }
    if not models:
        return collect(evaluations, None, {"supervised"})
    speed = {"scenario": SCENARIO, "machine": MACHINE, "settings": {}, "relaxed": [], "models": models}
    (folder / "speed.json").write_text(json.dumps(speed), encoding="utf-8")
    return collect(evaluations, folder, {"supervised"}, notes={"cnn": "same initialisation, no soft targets"})


TABLE = [
    "| model    | objective  | macro AP | vs control | macro F1 | p50 ms | p90 ms | speedup |   MB | params | front |",
    "| -------- | ---------- | -------: | ---------: | -------: | -----: | -----: | ------: | ---: | -----: | ----- |",
    "| teacher  |            |   0.9000 |            |   0.8000 |   5.00 |  10.00 |    1.0x | 20.0 |  10.0M | *     |",
    "| baseline |            |   0.8000 |            |   0.7000 |   0.25 |   0.50 |   20.0x |  1.0 |   500k | *     |",
    "| cnn      | supervised |   0.8200 |            |   0.7200 |   0.50 |   1.00 |   10.0x |  2.0 |   1.0M |       |",
    "| cnn      | kd         |   0.8550 |    +0.0350 |   0.7550 |   0.50 |   1.00 |   10.0x |  2.0 |   1.0M | *     |",
    "| mean     | supervised |   0.7100 |            |   0.6100 |   0.12 |   0.25 |   40.0x |  0.5 |   250k | *     |",
    "| mean     | kd         |   0.7100 |    +0.0100 |   0.6100 |   0.12 |   0.25 |   40.0x |  0.5 |   250k | *     |",
    "",
    "`*` is on the Pareto front of test quality and p90 latency.",
    "Means over up to 2 seeds; `vs control` is paired by seed.",
    f"Speed on Example CPU, threads: 1; {SCENARIO}, ONNX Runtime fp32.",
    "cnn: same initialisation, no soft targets.",
]


def test_the_table_to_the_letter(tmp_path):
    assert format_table(comparison_of(tmp_path)).splitlines() == TABLE


def test_a_teacher_that_does_not_beat_the_baseline_is_told_first(tmp_path):
    table = format_table(comparison_of(tmp_path, QUALITY | {"baseline": 0.9}))
    assert table.splitlines()[0] == (
        "The teacher has nothing to teach: validation macro AP 0.9000, and the linear baseline has 0.9000."
    )


def test_points_without_speed_are_listed_still(tmp_path):
    table = format_table(comparison_of(tmp_path, latency={})).splitlines()
    assert (
        "| teacher  |            |   0.9000 |            |   0.8000 |      - |      - |       - |   - |      - |"
        in table[2]
    )
    assert table[-1] == "Speed has not been measured."


def test_a_single_label_table_shows_accuracy(tmp_path):
    head, _, teacher = format_table(comparison_of(tmp_path, metric="macro_f1")).splitlines()[:3]
    assert [cell.strip() for cell in head.split("|")][3:6] == ["macro F1", "vs control", "accuracy"]
    assert [cell.strip() for cell in teacher.split("|")][3:6] == ["0.8000", "", "0.5000"]


def test_undefined_quality_is_listed_and_on_no_front(tmp_path):
    comparison = comparison_of(tmp_path, QUALITY | {"mean/kd/seed0": None})
    assert "mean/kd" not in [arm.name for arm in comparison.front()]
    assert "| mean     | kd         |        - |          - |" in format_table(comparison)


def test_the_best_control_on_validation_is_the_one_to_beat(tmp_path):
    quality = QUALITY | {"cnn/weighted/seed0": 0.835, "cnn/weighted/seed1": 0.835}
    comparison_of(tmp_path, quality)
    both = collect(
        {name: tmp_path / "evaluation" / name for name in quality},
        tmp_path,
        controls={"supervised", "weighted"},
    )
    distilled = next(arm for arm in both.arms if arm.name == "cnn/kd")
    assert both.control_of(distilled).name == "cnn/weighted"
    assert distilled.minus(both.control_of(distilled)) == pytest.approx((0.005 + 0.035) / 2)


def test_everything_is_drawn_and_written(tmp_path):
    bench = make_bench(tmp_path / "bench")
    comparison = comparison_of(tmp_path, QUALITY | {"mean/kd/seed0": None})
    draw(comparison, experiment="reviews $1", bench=bench)
    found = json.loads((bench.result / "frontier.json").read_text(encoding="utf-8"))
    assert found["machine"] == MACHINE
    assert found["front"] == ["baseline", "cnn/kd", "mean/supervised", "teacher"]
    assert {point["name"]: point["on_front"] for point in found["points"]}["cnn/kd/seed1"] is True
    table = pd.read_csv(bench.result / "frontier.csv")
    assert table["name"].tolist() == list(QUALITY)
    assert table["test_macro_f1"].tolist()[0] == pytest.approx(0.8)
    assert (bench.result / "table.txt").read_text(encoding="utf-8") == format_table(comparison) + "\n"
    assert bench.log.pictures == ["frontier", "frontier_page"]
    assert (bench.result / "frontier.png").read_bytes().startswith(b"\x89PNG")
    assert bench.log.summaries == {"frontier/hypervolume": found["hypervolume"]["value"]}


def test_the_page_needs_no_network(tmp_path):
    bench = make_bench(tmp_path / "bench")
    draw(comparison_of(tmp_path), experiment="reviews", bench=bench)
    page = (bench.result / "frontier.html").read_text(encoding="utf-8")
    assert "<script src=" not in page
    assert "<title>reviews: quality against speed</title>" in page
    assert "Plotly.newPlot" in page
    assert "cnn\\u002fkd" in page
    assert "10.0 times as fast as the teacher" in page


def test_it_can_be_drawn_without_speed(tmp_path):
    bench = make_bench(tmp_path / "bench")
    draw(comparison_of(tmp_path, latency={}), experiment="reviews", bench=bench)
    found = json.loads((bench.result / "frontier.json").read_text(encoding="utf-8"))
    assert (found["front"], found["hypervolume"]["value"]) == ([], 0.0)


def test_hypervolume_is_counted_from_the_recorded_reference(tmp_path):
    bench = make_bench(tmp_path / "bench")
    draw(comparison_of(tmp_path, {"teacher": 0.9, "baseline": 0.8}), experiment="reviews", bench=bench)
    found = json.loads((bench.result / "frontier.json").read_text(encoding="utf-8"))["hypervolume"]
    assert found["reference"] == {"quality": 0.0, "latency_p90_ms": 1000.0}
    assert found["value"] == pytest.approx(0.8 * (3 - math.log10(0.5)) + 0.1 * (3 - 1))


def test_a_contribution_is_what_the_area_loses_without_the_arm(tmp_path):
    bench = make_bench(tmp_path / "bench")
    values = {"teacher": 0.9, "baseline": 0.8, "cnn/kd/seed0": 0.82, "mean/kd/seed0": 0.71}
    comparison = comparison_of(tmp_path, values)
    draw(comparison, experiment="reviews", bench=bench)
    gains = {
        name: place_on_frontier(bench.result, name)["frontier/hypervolume_contribution"] for name in values
    }
    assert gains["teacher"] == pytest.approx((0.9 - 0.82) * (3 - 1))
    assert gains["cnn/kd/seed0"] == pytest.approx((0.82 - 0.8) * (1 - math.log10(1.0)))
    assert gains["mean/kd/seed0"] == pytest.approx(
        0.71 * (3 - math.log10(0.25)) - 0.71 * (3 - math.log10(0.5))
    )
    assert place_on_frontier(bench.result, "mean/kd/seed0")["frontier/on_front"] is True


@pytest.mark.parametrize("spread", [0.0005, 0.01, 1.0])
def test_names_cover_neither_one_another_nor_points(spread):
    figure, (axes,) = new_figure(8, 5)
    places = [
        (0.5 + spread * x / 10, 0.5 + spread * y / 10)
        for x, y in [(0, 0), (1, 2), (2, -1), (-3, 1), (-2, -3)]
    ]
    axes.set(xlim=(0, 1), ylim=(0, 1))
    figure.draw_without_rendering()
    labels = [Label(f"student {i}", *place, "black") for i, place in enumerate(places)]
    place_labels(axes, labels, [(place, place) for place in places])
    boxes = [text.get_window_extent() for text in axes.texts]
    assert len(boxes) == len(places)
    for i, box in enumerate(boxes):
        assert not any(box.padded(5).overlaps(other) for other in boxes[i + 1 :]), "they would read as one"
        assert not any(box.contains(*axes.transData.transform(place)) for place in places)
