"""Reads vectors from text, as `.vec` of fastText and `.txt` of GloVe: a word and its numbers on each line."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np

from distill.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import numpy.typing as npt


def read_text_vectors(path: Path, words: Collection[str]) -> dict[str, npt.NDArray[np.float32]]:
    """Read these words' vectors. A first line with two sizes is skipped; of equal words the first counts.

    Raises:
        DataError: a line with too few numbers, which the message names, or a damaged file.
    """
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as lines:
            return _read(cast("BinaryIO", lines), words, path)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def _read(lines: BinaryIO, words: Collection[str], path: Path) -> dict[str, npt.NDArray[np.float32]]:
    wanted = {word.encode(): word for word in words}
    found: dict[str, npt.NDArray[np.float32]] = {}
    dimension = 0
    for number, line in enumerate(lines, start=1):
        if number == 1 and len(line.split()) == 2:
            continue
        dimension = dimension or len(line.split()) - 1
        word = wanted.get(line[: line.find(b" ")])
        if word is not None and word not in found:
            values = line.split()[1:]
            # GloVe has words with spaces in them, such as ". . .", which are not the word before the space
            if len(values) <= dimension:
                found[word] = _numbers(values, dimension, f"{path}:{number}")
    return found


def _numbers(values: list[bytes], dimension: int, where: str) -> npt.NDArray[np.float32]:
    if len(values) != dimension:
        raise DataError(f"{where}: {len(values)} numbers after the word, but {dimension} are expected")
    try:
        return np.array([float(value) for value in values], dtype=np.float32)
    except ValueError as error:
        raise DataError(f"{where}: not a number ({error})") from error
