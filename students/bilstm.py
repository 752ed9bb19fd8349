"""A bidirectional LSTM whose backward direction reads each row's words reversed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from students.pooling import masked_max, masked_mean

if TYPE_CHECKING:
    from students.embeddings import WordEmbedding


class BiLSTM(nn.Module):
    """Hochreiter & Schmidhuber's LSTM in both directions, pooled by maximum and mean (Conneau et al. 2017).

    Packed sequences do not export with dynamic shapes, so there are two LSTMs: one reads the words, one reads
    each row's words reversed. Padding stays at the end for both, and neither sees it before its last word.
    """

    def __init__(self, words: WordEmbedding, hidden_size: int, num_labels: int, dropout: float) -> None:
        super().__init__()
        self.words = words
        self.ahead = nn.LSTM(words.dimension, hidden_size, batch_first=True)
        self.back = nn.LSTM(words.dimension, hidden_size, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(4 * hidden_size, num_labels)

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits [B, labels] for ids [B, L, G]."""
        vectors, mask = self.words(ids)
        vectors = self.dropout(vectors)
        # pooling asks which states there are, not in which order: so the backward ones may stay reversed
        states = self.ahead(vectors)[0], self.back(reversed_rows(vectors, mask))[0]
        # a state is a product of a sigmoid and a tanh, so never below -1
        pooled = [masked_max(state, mask, floor=-1.0) for state in states]
        pooled += [masked_mean(state, mask) for state in states]
        logits: Tensor = self.output(self.dropout(torch.cat(pooled, dim=1)))
        return logits


def reversed_rows(values: Tensor, mask: Tensor) -> Tensor:
    """Reverse each row's words and leave its padding at the end: values [B, L, D], mask [B, L] -> [B, L, D].

    What stands at padding afterwards is of no meaning.
    """
    places = torch.arange(values.shape[1], device=values.device).unsqueeze(0)
    source = (mask.sum(1, keepdim=True) - 1 - places).clamp(min=0)
    return values.gather(1, source.unsqueeze(2).expand(-1, -1, values.shape[2]))
