"""Reads csv, tsv, jsonl and parquet into columns, so exactly that every complaint can name a line.

Cells stay what they are: nothing guesses that a text which reads `NA` or `null` is a missing value.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from distill.config.source import SourceConfig, format_of
from distill.errors import DataError, did_you_mean


@dataclass(frozen=True)
class Table:
    """One split as it was read: column name -> N cells, and where each row stands."""

    name: str
    columns: Mapping[str, Sequence[Any]]
    lines: Sequence[int] | None = None
    """The line on which each row begins; None where rows have no lines and are counted from 1."""

    def place(self, row: int) -> str:
        """Return where a row is, for a message: `train.csv:17`, or `train.parquet, row 17`."""
        return f"{self.name}, row {row + 1}" if self.lines is None else f"{self.name}:{self.lines[row]}"

    def column(self, name: str, key: str) -> Sequence[Any]:
        """Return a column's cells; `key` is what asked for it in the experiment file.

        Raises:
            DataError: there is no such column.
        """
        if name not in self.columns:
            known = ", ".join(self.columns)
            raise DataError(
                f"{self.name}: {key}: no column '{name}'{did_you_mean(name, self.columns)} (columns: {known})"
            )
        return self.columns[name]


def read_table(path: Path, source: SourceConfig) -> Table:
    """Read one file.

    Raises:
        DataError: it cannot be opened, decoded or taken apart; the message names file and line.
    """
    content = _content(path)
    suffix = format_of(path)
    if suffix == ".parquet":
        return _read_parquet(path, content)
    text = _decoded(path, content, source.encoding)
    if suffix == ".jsonl":
        return _read_jsonl(path, text)
    return _read_csv(path, text, "\t" if suffix == ".tsv" else ",", quotes=source.quotes)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def _decoded(path: Path, content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}:{line}: byte 0x{content[error.start]:02x} is not valid {encoding}; "
            "say which encoding the file has, for instance encoding: latin-1"
        ) from error


def _read_csv(path: Path, text: str, delimiter: str, *, quotes: bool) -> Table:
    records = _csv_records(path, text, delimiter, quotes=quotes)
    first, header = next(records, (1, []))
    if not header:
        raise DataError(f"{path}: the file is empty; expected a line of column names")
    _check_distinct(header, f"{path}:{first}")
    lines, rows = [], []
    for line, row in records:
        if len(row) != len(header):
            raise DataError(
                f"{path}:{line}: {len(row)} fields, but there are {len(header)} columns; "
                f"a text that holds '{_shown(delimiter)}' must stand in quotes"
            )
        lines.append(line)
        rows.append(row)
    cells: Sequence[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [()] * len(header)
    return Table(str(path), dict(zip(header, cells, strict=True)), lines)


def _csv_records(path: Path, text: str, delimiter: str, *, quotes: bool) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which each record begins, and its fields; blank lines are passed over."""
    csv.field_size_limit(2**31 - 1)  # a long text is no mistake
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE
    # newline="\n": a line is what editors number; a lone carriage return inside quotes is part of a text
    reader = csv.reader(io.StringIO(text, newline="\n"), delimiter=delimiter, quoting=quoting, strict=True)
    line = 1
    try:
        for record in reader:
            if record:
                yield line, record
            line = reader.line_num + 1
    except csv.Error as error:
        hint = "; where quote marks are part of the text, say quotes: false" if quotes else ""
        raise DataError(
            f"{path}:{line}: the record that begins here cannot be read ({error}){hint}"
        ) from error


def _shown(delimiter: str) -> str:
    return "a tab" if delimiter == "\t" else delimiter


def _read_jsonl(path: Path, text: str) -> Table:
    lines, rows = [], []
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            lines.append(line)
            rows.append(_json_object(content, f"{path}:{line}"))
    if not rows:
        raise DataError(f"{path}: the file is empty; expected a JSON object a line")
    header = rows[0].keys()
    for line, row in zip(lines, rows, strict=True):
        if missing := header - row.keys():
            raise DataError(f"{path}:{line}: key '{min(missing)}' is missing, which the first object has")
    return Table(str(path), {name: [row[name] for row in rows] for name in header}, lines)


def _json_object(content: str, place: str) -> dict[str, Any]:
    try:
        found = json.loads(content, parse_constant=lambda _: None)
    except json.JSONDecodeError as error:
        raise DataError(f"{place}: not a JSON object ({error.msg}, column {error.colno})") from error
    if not isinstance(found, dict):
        raise DataError(f"{place}: not a JSON object but {type(found).__name__}")
    return found


def _read_parquet(path: Path, content: bytes) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(io.BytesIO(content)).read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: not a readable parquet file ({error})") from error
    _check_distinct(table.column_names, str(path))
    return Table(str(path), {name: _cells(table.column(name)) for name in table.column_names})


def _cells(column: Any) -> list[Any]:
    """Return a parquet column's cells; NaN, which is pandas' missing number, is an empty cell too."""
    return [None if cell != cell else cell for cell in column.to_pylist()]  # noqa: PLR0124


def _check_distinct(names: Sequence[str], place: str) -> None:
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise DataError(f"{place}: two columns are called '{twice[0]}'")
