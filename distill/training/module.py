"""The LightningModule: one optimiser step from a list of micro batches, and validation by the metric that selects."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from distill.config.base import TrainingConfig
from distill.contracts import Objective, Task
from distill.corpus import Split
from distill.errors import TrainingDivergedError
from distill.inference import check_logits
from distill.metrics import selection_metric_name, validation_metric
from distill.training.batches import MicroBatch

LOG_EVERY = 10
"""Optimiser steps between two lines of the training curves."""


class DistillationModule(LightningModule):
    """Trains any network with any objective.

    Optimisation is manual: the rows of the whole step divide the loss, so that micro batches of unequal size add
    up to exactly one larger batch, which Lightning's own accumulation does not give.
    """

    def __init__(
        self,
        network: nn.Module,
        objective: Objective,
        task: Task,
        validation: Split,
        settings: TrainingConfig,
        *,
        total_steps: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.automatic_optimization = False
        self.network = network
        self._objective, self._task, self._validation, self._settings = objective, task, validation, settings
        self._total_steps, self._seed = total_steps, seed
        self._logits = np.zeros((len(validation), task.num_labels), dtype=np.float32)
        validation_metric(
            task, self._logits, validation.labels
        )  # if that is undefined, better now than after an epoch
        self._parameters_to_clip = [p for p in network.parameters() if p.requires_grad]
        self._step = 0
        self._texts, self._logged_at = 0, time.perf_counter()

    @property
    def metric_name(self) -> str:
        """The validation metric that chooses weights, as `validation/macro_ap`."""
        return f"validation/{selection_metric_name(self._task)}"

    def on_train_start(self) -> None:
        """Begin to count texts a second."""
        self._texts, self._logged_at = 0, time.perf_counter()

    def training_step(self, batch: list[MicroBatch], batch_idx: int) -> None:  # noqa: ARG002
        """Do one optimiser step."""
        # drawn from seed and step, not carried along, so that a resumed run drops out the same units
        self._draw_from(self._seed * 1_000_003 + self._step)
        optimizer = self.optimizers(use_pl_optimizer=True)
        rows = sum(len(micro.targets.labels) for micro in batch)
        terms: dict[str, Tensor] = {}
        for micro in batch:
            for name, value in self._learn(micro, rows).items():
                terms[name] = terms[name] + value if name in terms else value
        norm = nn.utils.clip_grad_norm_(self._parameters_to_clip, self._settings.gradient_clip)
        if not norm.isfinite():
            raise TrainingDivergedError(
                f"training diverged at step {self._step + 1}: the gradient norm is {norm.item()}; "
                "try a lower learning_rate or gradient_clip"
            )
        optimizer.step()  # type: ignore[union-attr]
        optimizer.zero_grad()  # type: ignore[union-attr]
        scheduler = self.lr_schedulers()
        scheduler.step()  # type: ignore[union-attr]
        self._step += 1
        self._texts += rows
        if self._step % LOG_EVERY == 0:
            self._log_curves(terms, norm, float(scheduler.get_last_lr()[0]))  # type: ignore[union-attr]

    def _draw_from(self, seed: int) -> None:
        """Seed what draws here; `torch.manual_seed` notes the call stack for each device that is not there."""
        torch.default_generator.manual_seed(seed)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(seed)
        elif self.device.type == "mps":
            torch.mps.manual_seed(seed)

    def _learn(self, micro: MicroBatch, rows: int) -> dict[str, Tensor]:
        """Add the gradients of a micro batch; return its terms as shares of the step's mean."""
        logits = self._answer(micro.inputs, len(micro.targets.labels))
        with torch.autocast(self.device.type, enabled=False):
            terms = self._objective(logits.float(), micro.targets)
            loss = terms["loss"] / rows
        self.manual_backward(loss)
        return {name: value.detach() / rows for name, value in terms.items()}

    def _answer(self, inputs: Mapping[str, Tensor], rows: int) -> Tensor:
        logits: Tensor = self.network(**inputs)
        check_logits(logits, rows, self._task)
        return logits

    def _log_curves(self, terms: Mapping[str, Tensor], norm: Tensor, learning_rate: float) -> None:
        if self.logger is None:
            return
        curves = {f"train/{name}": value.item() for name, value in terms.items()}
        curves |= {
            "train/gradient_norm": norm.item(),
            "train/learning_rate": learning_rate,
            "train/texts_per_second": self._texts / (time.perf_counter() - self._logged_at),
        }
        self._texts, self._logged_at = 0, time.perf_counter()
        self.logger.log_metrics(curves, step=self._step)

    def validation_step(self, batch: tuple[list[int], dict[str, Tensor]], batch_idx: int) -> None:  # noqa: ARG002
        """Keep the logits of a batch."""
        rows, inputs = batch
        self._logits[rows] = self._answer(inputs, len(rows)).float().cpu().numpy()

    def on_validation_epoch_end(self) -> None:
        """Report the metric that chooses weights."""
        if not np.isfinite(self._logits).all():
            raise TrainingDivergedError(
                f"training diverged by step {self._step}: a validation logit is not finite; try a lower learning_rate"
            )
        value = validation_metric(self._task, self._logits, self._validation.labels)
        self.log(self.metric_name, value, logger=False)
        if self.logger is not None:
            self.logger.log_metrics({self.metric_name: value}, step=self._step)
        self._texts, self._logged_at = (
            0,
            time.perf_counter(),
        )  # the time of a validation is no time of training

    def configure_optimizers(self) -> Any:
        """Return AdamW with a linear warm-up and a linear fall to 0."""
        optimizer = torch.optim.AdamW(
            _decay_groups(self.network, self._settings.weight_decay),
            lr=self._settings.learning_rate,
            fused=self.device.type in {"cpu", "cuda"},
        )
        warmup = round(self._settings.warmup * self._total_steps)
        total = self._total_steps

        def share(step: int) -> float:
            if step < warmup:
                return (step + 1) / (warmup + 1)
            return (total - step) / max(1, total - warmup)

        return [optimizer], [LambdaLR(optimizer, share)]

    def transfer_batch_to_device(self, batch: Any, device: torch.device, dataloader_idx: int) -> Any:  # noqa: ARG002
        """Move a training or validation batch; on the CPU it is there already."""
        if device.type == "cpu":
            return batch
        if isinstance(batch, list):
            return [micro.to(device) for micro in batch]
        rows, inputs = batch
        return rows, {name: tensor.to(device) for name, tensor in inputs.items()}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the step, from which dropout is seeded."""
        checkpoint["distill_step"] = self._step

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on from the step."""
        self._step = checkpoint["distill_step"]
        if self.logger is not None:
            self.logger.rewind(self._step)  # type: ignore[attr-defined]


def _decay_groups(network: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Split parameters: matrices decay; biases, norms and embeddings do not."""
    embeddings = {
        id(p) for module in network.modules() if isinstance(module, nn.Embedding) for p in module.parameters()
    }
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for parameter in network.parameters():
        if parameter.requires_grad:
            decays = parameter.ndim > 1 and id(parameter) not in embeddings
            (decayed if decays else kept).append(parameter)
    groups = [{"params": decayed, "weight_decay": weight_decay}, {"params": kept, "weight_decay": 0.0}]
    return [group for group in groups if group["params"]]
