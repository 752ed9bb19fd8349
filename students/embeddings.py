"""The first layer of students over word vectors: rows of a table, averaged for each word."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from students.subwords import SubwordTokenizer


class WordEmbedding(nn.Module):
    """Turns ids into vectors; the exported graph covers unseen words, since their n-grams are ids too."""

    def __init__(self, num_rows: int, dimension: int, *, freeze: bool = False) -> None:
        super().__init__()
        self.dimension = dimension
        # zeros, because drawing millions of numbers, which weights replace anyway, would slow loading
        zeros = torch.zeros(num_rows, dimension)
        self.table = nn.Embedding(num_rows, dimension, padding_idx=0, _weight=zeros)
        self.table.weight.requires_grad_(not freeze)

    @classmethod
    def for_tokenizer(cls, tokenizer: SubwordTokenizer, *, freeze: bool) -> WordEmbedding:
        """Return a layer with a row for everything that the tokenizer can name."""
        return cls(tokenizer.num_rows, tokenizer.dimension, freeze=freeze)

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Average each word's rows.

        Args:
            ids: int64 [B, L, G], 0 where there is nothing.

        Returns:
            Vectors float32 [B, L, D], zero at padding; mask bool [B, L], true at words.
        """
        used = ids.ne(0)
        # row 0 is zero and stays so (padding_idx), so the sum needs no mask
        vectors = self.table(ids).sum(2) / used.sum(2, keepdim=True).clamp(min=1)
        return vectors, used.any(2)


def fill_vectors(network: nn.Module, values: npt.NDArray[np.float32]) -> None:
    """Copy vectors, float32 [rows, dimension], into the network's `WordEmbedding`."""
    for module in network.modules():
        if isinstance(module, WordEmbedding):
            with torch.no_grad():
                module.table.weight.copy_(torch.from_numpy(values))
