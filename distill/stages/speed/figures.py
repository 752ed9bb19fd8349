"""From timed blocks to the figures that are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from distill.config.speed import SpeedConfig
    from distill.contracts import Array
    from distill.stages.speed.contest import Contestant

PERCENTILES = (50, 90, 99)
MLPERF_QUERIES = 1024


def timings(contestant: Contestant) -> dict[str, Any]:
    """Return latency in milliseconds, throughput in texts a second, and how many blocks they stand on."""
    blocks = contestant.counted
    latencies = np.array([second for block in blocks if block.batch_size is None for second in block.seconds])
    throughput, batch_size = _best_throughput(contestant, latencies)
    found = {f"latency_p{p}_ms": float(np.percentile(latencies, p)) * 1000 for p in PERCENTILES}
    return found | {
        "throughput": throughput,
        "throughput_batch_size": batch_size,
        "queries": len(latencies),
        "blocks": len(contestant.blocks),
        "blocks_repeated": sum(block.repeated > 0 for block in contestant.blocks),
        "blocks_dropped": len(contestant.blocks) - len(blocks),
        "contaminated": any(block.disturbed for block in blocks),
    }


def _best_throughput(contestant: Contestant, latencies: Array) -> tuple[float, int]:
    """Return texts a second at the best batch size, and that size; single stream is batch size 1."""
    rates: dict[int, list[float]] = {1: [len(latencies) / float(latencies.sum())]}
    for block in contestant.counted:
        if block.batch_size is not None:
            rates.setdefault(block.batch_size, []).append(len(block.texts) / block.seconds[0])
    found = {size: float(np.median(each)) for size, each in rates.items()}
    best = max(found, key=lambda size: found[size])
    return found[best], best


def relaxed_rules(config: SpeedConfig, texts: int) -> list[str]:
    """Return what is laxer here than in MLPerf Inference, to be printed with the figures."""
    queries = texts * config.rounds
    return [
        f"{queries} single-stream queries a model (MLPerf: at least {MLPERF_QUERIES}, and 60 seconds)",
        f"{config.rounds} offline passes over {texts} texts, sorted by length (MLPerf: at least 24576)",
        "blocks that the hypervisor or another process disturbed are repeated, or else dropped and counted",
        "quality is measured apart, on all test texts",
    ]
