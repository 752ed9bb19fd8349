"""The mean of a text's word vectors, then a linear layer (Joulin et al. 2017, "Bag of Tricks")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn

from students.pooling import masked_mean

if TYPE_CHECKING:
    from students.embeddings import WordEmbedding


class MeanEmbedding(nn.Module):
    """Masked mean, an optional hidden layer (a deep averaging network, Iyyer et al. 2015), linear."""

    def __init__(
        self, words: WordEmbedding, hidden_size: int | None, num_labels: int, dropout: float
    ) -> None:
        super().__init__()
        self.words = words
        self.dropout = nn.Dropout(dropout)
        width = hidden_size or words.dimension
        self.hidden = (
            nn.Sequential(nn.Linear(words.dimension, width), nn.ReLU()) if hidden_size else nn.Identity()
        )
        self.output = nn.Linear(width, num_labels)

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits [B, labels] for ids [B, L, G]."""
        vectors, mask = self.words(ids)
        mean = masked_mean(self.dropout(vectors), mask)
        logits: Tensor = self.output(self.dropout(self.hidden(mean)))
        return logits
