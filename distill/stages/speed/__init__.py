"""How fast and how large each model is, raw text to probabilities, all measured together on one machine.

In the manner of MLPerf Inference: single stream for latency, offline for throughput. Writes `speed.json`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from distill.custom_code import named
from distill.hardware import detect
from distill.inference import Predictor
from distill.model_folder import read_model
from distill.result_files import SPEED, TIMED, costs_of, write_json
from distill.stages.speed.contest import Backend, Block, Contestant, hold, threads_limited_to
from distill.stages.speed.figures import relaxed_rules, timings
from distill.stages.speed.memory import peak_memory
from distill.stages.speed.size import bytes_on_disk, count_parameters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from distill.config.speed import SpeedConfig
    from distill.contracts import Workbench
    from distill.model_folder import ModelFolder

SCENARIO = "raw text to probabilities, tokenising included"


def measure(
    *,
    models: Mapping[str, Path],
    texts: Sequence[str],
    config: SpeedConfig,
    trusted: Path,
    bench: Workbench,
) -> None:
    """Time every model in ONNX Runtime (fp32) and in eager PyTorch, and weigh it.

    Args:
        models: name -> model folder with its graph.
        texts: what they read; a sample of `config.texts` of them is timed.
        config: how they are timed.
        trusted: the experiment's folder, for a user's own modules.
        bench: where the result goes.

    Raises:
        ModelError: a model or its graph cannot be loaded, or its user's code failed.
    """
    sample = _sample(texts, config.texts)
    folders = {
        name: read_model(path, trust_custom_code=True, beside=trusted) for name, path in models.items()
    }
    rounds_of: dict[Backend, int] = {
        "onnx": config.rounds,
        "torch": 1,
    }  # eager is the second column, and slow
    with threads_limited_to(config.threads):
        contestants = [
            Contestant(
                name,
                backend,
                Predictor(model, backend, threads=config.threads),
                _blocks(sample, config, rounds),
                (model.config,),
            )
            for name, model in folders.items()
            for backend, rounds in rounds_of.items()
        ]
        hold(contestants, bench.progress)
    figures: dict[str, dict[str, Any]] = {name: _weigh(name, model) for name, model in folders.items()}
    for contestant in contestants:
        figures[contestant.name][contestant.backend] = timings(contestant)
    for name, path in models.items():
        figures[name] |= peak_memory(name, path, sample, config=config, trusted=trusted)
    result = _describe(config, len(sample)) | {"models": figures}
    write_json(bench.result / SPEED, result)
    bench.log.summary(_summary(figures) | {name: result[name] for name in ("machine", "scenario")})


def _sample(texts: Sequence[str], size: int) -> list[str]:
    """Return the same texts for every experiment over the same split."""
    order = np.random.default_rng(0).permutation(len(texts))
    return [texts[i] for i in order[:size]]


def _blocks(sample: Sequence[str], config: SpeedConfig, rounds: int) -> list[Block]:
    """Return one contestant's blocks: a round is single stream over all texts, then offline by batch size."""
    starts = range(0, len(sample), config.block)
    single = [sample[start : start + config.block] for start in starts]
    blocks = []
    for _ in range(rounds):
        blocks += [Block(some, batch_size=None) for some in single]
        blocks += [Block(sample, batch_size=size) for size in config.batch_sizes if size > 1]
    return blocks


def _weigh(name: str, model: ModelFolder) -> dict[str, Any]:
    with named(f"size of {name}", model.config):
        return {"parameters": count_parameters(model), "bytes": bytes_on_disk(model.path)}


def _describe(config: SpeedConfig, texts: int) -> dict[str, Any]:
    return {
        "scenario": SCENARIO,
        "machine": asdict(detect("cpu", config.threads)),
        "settings": config.model_dump(mode="json") | {"texts": texts},
        "relaxed": relaxed_rules(config, texts),
    }


def _summary(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the figures as a dashboard shows them, by model."""
    return {
        f"{name}/{'speed' if key in TIMED else 'size'}/{key}": value
        for name, found in figures.items()
        for key, value in costs_of(found).items()
    }
