"""Rows of one table on their way: private files, Parquet or NDJSON, written, read and sent in little memory."""

from __future__ import annotations

import datetime as dt
import importlib
import itertools
import json
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, BinaryIO, Literal, Self

from ringg_provider.contacts.scratch import Scratch
from ringg_provider.publish.schema import DELETED, POSITION, PublishedColumn, PublishedTable

FileFormat = Literal["parquet", "ndjson"]

# A row group is in memory at once: so many rows, or so many characters, whichever comes first.
_ROWS_AT_ONCE = 10_000
_CHARACTERS_AT_ONCE = 8_000_000
# Then a new file begins: the drivers of warehouses read one into memory whole, some of them twice.
_PART_BYTES = 32_000_000


class Spool:
    """The files, one at least, of some 32 MB each. They have the columns `table.staging_columns`; each row says whether
    its key is gone, and its position in all of them.

    In NDJSON an instant is ISO 8601 in UTC with microseconds, a decimal is text, NULL is left out. In Parquet these are
    `timestamp[us, UTC]`, `decimal128` and null. A document is text that holds JSON in both.

    :param table: whose rows.
    :param scratch: the folder; the files in it are readable to their owner alone.
    :param file_format: `parquet` needs `pyarrow`.
    """

    def __init__(self, table: PublishedTable, scratch: Scratch, file_format: FileFormat) -> None:
        self.table = table
        self.file_format = file_format
        self.rows = 0
        self.paths: list[Path] = []
        self._scratch = scratch
        self._begin_part()

    def _begin_part(self) -> None:
        path, self._file = self._scratch.create(f"{self.table.name}.{len(self.paths)}.{self.file_format}")
        self.paths.append(path)
        writer = _Parquet if self.file_format == "parquet" else _Ndjson
        self._writer: _Parquet | _Ndjson = writer(self._file, self.table.staging_columns)

    def add(self, row: Mapping[str, Any], *, deleted: bool = False) -> None:
        """Add a row.

        :param row: by column; what is not given is NULL. A document is what JSON stands for, not its text.
        :param deleted: its key is gone; then only the key is needed.
        """
        values = {
            column.name: _fitted(value, column)
            for column in self.table.columns
            if (value := row.get(column.name)) is not None
        }
        if self._file.tell() >= _PART_BYTES:
            self.close()
            self._begin_part()
        self._writer.add({**values, DELETED: deleted, POSITION: self.rows})
        self.rows += 1

    def close(self) -> None:
        """Finish the last file."""
        self._writer.close()
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def bytes(self) -> int:
        """The size of all finished files."""
        return sum(path.stat().st_size for path in self.paths)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Read the rows back: `datetime` in UTC, `Decimal`, `bool`, `int`, text; a document is its text."""
        return itertools.chain.from_iterable(map(self._writer.read, self.paths))


def _fitted(value: Any, column: PublishedColumn) -> Any:
    """A value as the file holds it, whatever the driver of the state database made of it."""
    match column.kind:
        case "json":
            return json.dumps(value, ensure_ascii=False)
        case "timestamp":
            return value.replace(tzinfo=dt.UTC) if value.tzinfo is None else value.astimezone(dt.UTC)
        case "decimal":
            exact = value if isinstance(value, Decimal) else Decimal(str(value))
            return exact.quantize(Decimal(1).scaleb(-(column.scale or 0)), ROUND_HALF_EVEN)
        case "boolean":
            return bool(value)
        case "integer":
            return int(value)
    return value


class _Ndjson:
    def __init__(self, file: BinaryIO, columns: tuple[PublishedColumn, ...]) -> None:
        self._file = file
        self._moments = [column.name for column in columns if column.kind == "timestamp"]
        self._dates = [column.name for column in columns if column.kind == "date"]
        self._decimals = [column.name for column in columns if column.kind == "decimal"]

    def add(self, row: dict[str, Any]) -> None:
        for name in self._moments:
            if name in row:
                row[name] = row[name].isoformat(timespec="microseconds")
        for name in self._dates:
            if name in row:
                row[name] = row[name].isoformat()
        for name in self._decimals:
            if name in row:
                row[name] = format(row[name], "f")
        self._file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")

    def close(self) -> None:
        pass

    def read(self, path: Path) -> Iterator[dict[str, Any]]:
        with path.open(encoding="utf-8", newline="\n") as file:
            for line in file:
                row = json.loads(line)
                for name in self._moments:
                    if name in row:
                        row[name] = dt.datetime.fromisoformat(row[name])
                for name in self._dates:
                    if name in row:
                        row[name] = dt.date.fromisoformat(row[name])
                for name in self._decimals:
                    if name in row:
                        row[name] = Decimal(row[name])
                yield row


class _Parquet:
    def __init__(self, file: BinaryIO, columns: tuple[PublishedColumn, ...]) -> None:
        self._arrow = importlib.import_module("pyarrow")
        self._parquet = importlib.import_module("pyarrow.parquet")
        self._schema = self._arrow.schema([(column.name, self._type(column)) for column in columns])
        self._writer = self._parquet.ParquetWriter(file, self._schema)
        self._held: list[dict[str, Any]] = []
        self._characters = 0

    def _type(self, column: PublishedColumn) -> Any:
        arrow = self._arrow
        match column.kind:
            case "integer":
                return arrow.int64()
            case "decimal":
                return arrow.decimal128(column.precision, column.scale)
            case "boolean":
                return arrow.bool_()
            case "timestamp":
                return arrow.timestamp("us", tz="UTC")
            case "date":
                return arrow.date32()
        return arrow.string()

    def add(self, row: dict[str, Any]) -> None:
        self._held.append(row)
        self._characters += sum(len(value) for value in row.values() if isinstance(value, str))
        if len(self._held) >= _ROWS_AT_ONCE or self._characters >= _CHARACTERS_AT_ONCE:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._held:
            self._writer.write_table(self._arrow.Table.from_pylist(self._held, schema=self._schema))
            self._held, self._characters = [], 0

    def read(self, path: Path) -> Iterator[dict[str, Any]]:
        with self._parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1_000):
                for row in batch.to_pylist():
                    yield {name: value for name, value in row.items() if value is not None}
