"""From a vector for each word to a vector for the text. Padding takes no part."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean over words: values [B, L, D], mask [B, L] -> [B, D]; zeros for a text without words."""
    kept = values.masked_fill(~mask.unsqueeze(2), 0.0)
    return kept.sum(1) / mask.sum(1, keepdim=True).clamp(min=1)


def masked_max(values: Tensor, mask: Tensor, *, floor: float) -> Tensor:
    """Return the maximum over words: values [B, L, D], mask [B, L] -> [B, D].

    Args:
        values: what to pool.
        mask: true at words.
        floor: a number that no value is below; it stands at padding, and is finite unlike minus infinity.
    """
    return values.masked_fill(~mask.unsqueeze(2), floor).amax(1)
