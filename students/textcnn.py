"""Convolutions over word vectors (Kim 2014, "Convolutional Neural Networks for Sentence Classification")."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from students.pooling import masked_max

if TYPE_CHECKING:
    from collections.abc import Sequence

    from students.embeddings import WordEmbedding


class TextCNN(nn.Module):
    """Filters of several widths, ReLU, maximum over time, dropout, linear.

    As in Kim's code, a text has `width - 1` zero vectors on either side ("wide" convolution): every filter
    sees every word at each of its places, and a text may be shorter than the widest filter. A text of n words
    has n + width - 1 windows that hold a word; the others are padding of the batch and take no part.
    """

    def __init__(
        self,
        words: WordEmbedding,
        kernel_sizes: Sequence[int],
        num_filters: int,
        num_labels: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.words = words
        self.kernel_sizes = tuple(kernel_sizes)
        self.filters = nn.ModuleList(_filters(width * words.dimension, num_filters) for width in kernel_sizes)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(len(self.kernel_sizes) * num_filters, num_labels)

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits [B, labels] for ids [B, L, G]."""
        vectors, mask = self.words(ids)
        vectors = self.dropout(vectors)
        pooled = []
        for width, filters in zip(self.kernel_sizes, self.filters, strict=True):
            found = functional.relu(filters(windows(vectors, width)))
            pooled.append(masked_max(found, windows_with_words(mask, width), floor=0.0))
        logits: Tensor = self.output(self.dropout(torch.cat(pooled, dim=1)))
        return logits


def _filters(window_size: int, num_filters: int) -> nn.Linear:
    """Return filters that multiply windows: a convolution, and for short texts twice as quick as `Conv1d`."""
    filters = nn.Linear(window_size, num_filters)
    # as Kim does: a random bias outweighs small word vectors and would leave half of the filters dead
    nn.init.zeros_(filters.bias)
    return filters


def windows(vectors: Tensor, width: int) -> Tensor:
    """Return `width` neighbours side by side at each place: [B, L, D] -> [B, L + width - 1, width * D]."""
    padded = functional.pad(vectors, (0, 0, width - 1, width - 1))
    count = vectors.shape[1] + width - 1
    return torch.cat([padded[:, start : start + count] for start in range(width)], dim=2)


def windows_with_words(mask: Tensor, width: int) -> Tensor:
    """Return which windows hold a word: [B, L] -> [B, L + width - 1]."""
    places = torch.arange(mask.shape[1] + width - 1, device=mask.device).unsqueeze(0)
    return places < mask.sum(1, keepdim=True) + (width - 1)
