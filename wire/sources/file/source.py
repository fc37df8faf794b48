"""The `file` source: which files there are, and what their rows look like."""

from __future__ import annotations

import asyncio
import glob
import hashlib
import os
from collections.abc import Sequence
from typing import Final

import msgspec

from wire.clients.compression import DamagedError, TruncatedError
from wire.clients.framing import RowTooLargeError, split_csv, split_lines
from wire.core.errors import RetryableError, UnavailableError
from wire.core.formats import CsvFormat, Format, RawFormat, TextFormat
from wire.core.plugins import ComponentContext
from wire.core.records import Fingerprint, PartitionId, Position
from wire.sources.file.columns import Columns, header_of
from wire.sources.file.config import FileSourceConfig
from wire.sources.file.errors import CHECK_PATH, cant_open, corrupt, cut_short, too_large
from wire.sources.file.locate import first_row
from wire.sources.file.names import name_of, path_of
from wire.sources.file.position import FilePosition
from wire.sources.file.reader import FileReader, Options
from wire.sources.file.rotation import without_rotated

_MAX_READERS: Final = 4


class FileSource:
    """Files of one path or pattern, each a partition named by its path (see `name_of`).

    The columns of CSV files are known once `partitions` or `open` has returned: `format` names them from then on.
    """

    format: Format

    def __init__(self, config: FileSourceConfig, context: ComponentContext) -> None:
        """Prepare; nothing is opened yet."""
        self._config = config
        self._permissions = context.permissions
        self._follow = config.follow and not context.bounded
        self.format = config.format
        self.max_readers = None if self._follow else _MAX_READERS
        self._columns = Columns(config.format) if isinstance(config.format, CsvFormat) else None
        self._options = Options(
            compression=config.compression,
            follow=self._follow,
            max_row=config.max_record.bytes,
            split=split_csv(config.format.delimiter) if isinstance(config.format, CsvFormat) else split_lines,
            keep_blank=isinstance(config.format, TextFormat | RawFormat),
            columns=self._columns,
            clock=context.clock,
        )

    def fingerprint(self) -> Fingerprint:  # noqa: D102 (contract in Source)
        framing = "csv" if self._columns else "lines"
        return Fingerprint(hashlib.blake2b(f"{framing}\0{self._config.path}".encode(), digest_size=16).digest())

    async def partitions(self) -> Sequence[PartitionId]:
        """Return the paths that match, sorted. Waits for nothing.

        Raises UnavailableError when there is none, or RetryableError where files may still come: with `follow`.
        """
        paths = await asyncio.to_thread(self._find)
        await self._learn(paths)
        return [name_of(path) for path in paths]

    async def open(self, partition: PartitionId, resume: Position | None) -> FileReader:  # noqa: D102 (contract in Source)
        if self._columns is not None and self._columns.names is None:
            await self.partitions()
        self._permissions.require_path(path_of(partition))
        reader = FileReader(partition, None if resume is None else FilePosition.decode(resume), self._options)
        await reader.open()
        return reader

    async def close(self) -> None:  # noqa: D102 (contract in Source)
        pass

    def _find(self) -> list[str]:
        path = self._config.path
        if not glob.has_magic(path) or os.path.exists(path):
            self._check(path)
            return [path]
        paths = sorted(found for found in glob.glob(path, recursive=True) if os.path.isfile(found))
        for found in paths:  # I10: a pattern may find links that lead elsewhere
            self._permissions.require_path(found)
        if self._follow:
            return without_rotated(paths)
        if not paths:
            raise UnavailableError(
                "source.file.not_found",
                f"no file matches {path} (seen from {name_of(os.getcwd())})",
                hint=CHECK_PATH,
            )
        return paths

    def _check(self, path: str) -> None:
        self._permissions.require_path(path)
        try:
            with open(path, "rb"):
                pass
        except OSError as exc:
            raise cant_open(path, exc, waiting=self._follow) from exc

    async def _learn(self, paths: Sequence[str]) -> None:
        """Find out the columns of CSV files, all at once, so that the files need not agree on them."""
        if self._columns is None or not isinstance(self.format, CsvFormat) or self._columns.names is not None:
            return
        headers = [header for header in await asyncio.to_thread(self._headers, paths) if header]
        if not headers and self._follow:
            raise RetryableError(
                "source.file.header_missing",
                f"no file of {self._config.path} has a first row that names the columns yet",
                hint="waiting for it; name the columns in `format.columns` to start without",
            )
        self._columns.learn(headers)
        self.format = msgspec.structs.replace(self.format, columns=self._columns.names)

    def _headers(self, paths: Sequence[str]) -> list[list[str]]:
        return [self._header(path) for path in paths]

    def _header(self, path: str) -> list[str]:
        options = self._options
        try:
            row = first_row(path, options.compression, options.split, options.max_row)
        except OSError as exc:
            raise cant_open(path, exc, waiting=self._follow) from exc
        except DamagedError as exc:
            raise corrupt(path, exc) from exc
        except TruncatedError as exc:
            raise cut_short(path, waiting=self._follow) from exc
        except RowTooLargeError as exc:
            raise too_large(path, exc.offset, options.max_row) from exc
        return header_of(row, self.format.delimiter, path) if row and isinstance(self.format, CsvFormat) else []
