from __future__ import annotations

import json
import os

import numpy as np
import pytest
import torch
from measuring import TEXTS, Silence, make_bench, own_model

from distill.config.speed import SpeedConfig
from distill.errors import ModelError
from distill.stages.speed import measure
from distill.stages.speed.contest import Block, Contestant, hold, threads_limited_to
from distill.stages.speed.disturbance import Moment
from distill.stages.speed.figures import timings
from distill.stages.speed.memory import peak_memory

CONFIG = SpeedConfig(texts=10, rounds=2, block=5, batch_sizes=(1, 4))


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A student of a user's own module, and the folder that the module lies in."""
    beside = tmp_path_factory.mktemp("lab")
    own_model(beside / "model", beside)
    return beside


def test_every_model_is_timed_and_weighed(own, tmp_path):
    bench = make_bench(tmp_path)
    texts = TEXTS * 5
    measure(
        models={"one": own / "model", "two": own / "model"},
        texts=texts,
        config=CONFIG,
        trusted=own,
        bench=bench,
    )
    found = json.loads((bench.result / "speed.json").read_text(encoding="utf-8"))
    assert found["scenario"] == "raw text to probabilities, tokenising included"
    assert found["settings"] == {"batch_sizes": [1, 4], "threads": 1, "texts": 10, "rounds": 2, "block": 5}
    assert found["machine"]["threads"] == 1
    assert found["machine"]["processor"]
    assert found["relaxed"][0] == "20 single-stream queries a model (MLPerf: at least 1024, and 60 seconds)"
    for name in ("one", "two"):
        figures = found["models"][name]
        tensors = torch.nn.Embedding(200, 8), torch.nn.Linear(8, 2)
        vocabulary = json.loads((own / "model" / "tokenizer.json").read_text(encoding="utf-8"))["model"][
            "vocab"
        ]
        assert figures["parameters"] == 8 * len(vocabulary) + sum(p.numel() for p in tensors[1].parameters())
        size = {path.name: path.stat().st_size for path in (own / "model").iterdir()}
        assert figures["bytes"]["graph"] == size["model.onnx"]
        assert figures["bytes"]["weights"] == size["weights.safetensors"]
        assert figures["bytes"]["deployed"] == sum(size.values()) - size["weights.safetensors"]
        for backend in ("onnx", "torch"):
            timed = figures[backend]
            assert 0 < timed["latency_p50_ms"] <= timed["latency_p90_ms"] <= timed["latency_p99_ms"]
            assert timed["throughput"] > 0
            assert timed["throughput_batch_size"] in {1, 4}
            rounds = 2 if backend == "onnx" else 1
            assert timed["blocks"] == rounds * (2 + 1)  # in each round two of five texts, and one offline
            assert timed["queries"] in {5 * rounds, 15, 10 * rounds}
    assert bench.log.summaries["one/speed/latency_p90_ms"] == found["models"]["one"]["onnx"]["latency_p90_ms"]


def test_peak_memory_is_that_of_a_fresh_process(own):
    """Linux lets a child inherit its parent's peak in getrusage; ours here is far above what the model needs."""
    ballast = np.ones(40_000_000)
    found = peak_memory("own", own / "model", TEXTS, config=CONFIG, trusted=own)
    assert found["memory_before_loading_bytes"] < found["peak_memory_bytes"] < ballast.nbytes


def test_a_model_that_cannot_be_loaded_is_named(tmp_path):
    with pytest.raises(ModelError) as error:
        peak_memory("textcnn", tmp_path, TEXTS, config=CONFIG, trusted=tmp_path)
    assert str(error.value) == (
        f"peak memory of textcnn: {tmp_path}: not a model folder, it has no model.json"
    )


def test_what_a_users_code_prints_is_no_figure(own, tmp_path):
    code = (own / "own_student.py").read_text(encoding="utf-8")
    (tmp_path / "own_student.py").write_text(f"print('hello')\n{code}", encoding="utf-8")
    found = peak_memory("own", own / "model", TEXTS, config=CONFIG, trusted=tmp_path)
    assert found["peak_memory_bytes"] > 0


def test_a_process_that_dies_is_told(own, monkeypatch):
    monkeypatch.setattr("distill.stages.speed.memory.sys.executable", "/bin/false")
    with pytest.raises(ModelError) as error:
        peak_memory("own", own / "model", TEXTS, config=CONFIG, trusted=own)
    assert str(error.value) == "peak memory of own could not be measured (exit code 1)"


class Recorder:
    """Answers at once, and writes down who was asked for how much."""

    def __init__(self, name, diary):
        self.name, self.diary = name, diary

    def predict_proba(self, texts, *, batch_size=32):
        self.diary.append((self.name, len(texts), batch_size))


def test_models_take_turns_block_by_block(monkeypatch):
    monkeypatch.setattr(Moment, "disturbed", lambda self, later: False)
    diary = []
    blocks = {
        "A": [(["x"], None), (["x", "y"], None), (["x", "y"], 2)],
        "B": [(["x"], None), (["x", "y"], None)],
    }
    contestants = [
        Contestant(name, "onnx", Recorder(name, diary), [Block(*each) for each in blocks[name]])
        for name in "AB"
    ]
    hold(contestants, Silence())
    warm_up, asked = diary[:2], diary[2:]
    assert warm_up == [("A", 1, 32), ("B", 1, 32)]
    assert asked == [
        *[("A", 1, 1), ("B", 1, 1)],
        *[("A", 1, 1), ("A", 1, 1), ("B", 1, 1), ("B", 1, 1)],
        ("A", 2, 2),
    ]


def test_disturbed_blocks_are_repeated(monkeypatch):
    answers = iter([True, False, False])
    monkeypatch.setattr(Moment, "disturbed", lambda self, later: next(answers))
    monkeypatch.setattr("distill.stages.speed.contest.REPEAT_SHARE", 1e9)
    contestant = Contestant("A", "onnx", Recorder("A", []), [Block(["x"], None), Block(["y"], None)])
    hold([contestant], Silence())
    assert [block.repeated for block in contestant.blocks] == [1, 0]
    assert not any(block.disturbed for block in contestant.blocks)


def block(seconds, *, batch_size=None, disturbed=False):
    return Block(["x"] * 4, batch_size, seconds=seconds, disturbed=disturbed)


def test_figures_leave_disturbed_blocks_out_and_count_them():
    blocks = [block([0.001, 0.002]), block([0.003, 0.004]), block([9.0, 9.0], disturbed=True)]
    offline = [block([0.002], batch_size=4), block([0.001], batch_size=4), block([0.004], batch_size=4)]
    found = timings(Contestant("A", "onnx", Recorder("A", []), blocks + offline))
    expected = np.percentile([1.0, 2.0, 3.0, 4.0], [50, 90, 99])
    assert [found[f"latency_p{p}_ms"] for p in (50, 90, 99)] == pytest.approx(expected)
    assert (found["throughput"], found["throughput_batch_size"]) == (pytest.approx(4 / 0.002), 4)
    counts = {"queries": 4, "blocks": 6, "blocks_repeated": 0, "blocks_dropped": 1, "contaminated": False}
    assert {name: found[name] for name in counts} == counts


def test_where_most_blocks_are_disturbed_all_are_kept_and_that_is_said():
    blocks = [block([0.001] * 4), block([0.003] * 4, disturbed=True), block([0.005] * 4, disturbed=True)]
    found = timings(Contestant("A", "onnx", Recorder("A", []), blocks))
    assert (found["queries"], found["blocks_dropped"], found["contaminated"]) == (12, 0, True)
    assert found["throughput"] == pytest.approx(12 / 0.036)
    assert found["throughput_batch_size"] == 1


def test_a_block_is_disturbed_by_steal_and_by_switches():
    start = Moment(seconds=10.0, stolen_seconds=1.0, switches=5)
    assert not start.disturbed(Moment(11.0, 1.0, 25))
    assert start.disturbed(Moment(11.0, 1.0, 26))
    assert not start.disturbed(Moment(11.0, 1.005, 5))
    assert start.disturbed(Moment(11.0, 1.02, 5))
    assert start.disturbed(Moment(10.01, 1.0, 6))  # one switch is much for a block that is over in 10 ms
    assert Moment.now().seconds > 0


def test_threads_are_limited_and_restored(monkeypatch):
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    before = torch.get_num_threads()
    with threads_limited_to(3):
        assert torch.get_num_threads() == 3
        assert os.environ["TOKENIZERS_PARALLELISM"] == "true"
        with threads_limited_to(1):
            assert os.environ["TOKENIZERS_PARALLELISM"] == "false"
        assert os.environ["TOKENIZERS_PARALLELISM"] == "true"
    assert torch.get_num_threads() == before
    assert "TOKENIZERS_PARALLELISM" not in os.environ
