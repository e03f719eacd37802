"""The report on disk: `results.json`, `units.parquet` and `sprites/` in one folder; read and written without torch."""

from audit.store.codes import put_codes
from audit.store.document import SCHEMA
from audit.store.latest import publish_latest
from audit.store.reader import read, read_verdicts, sheet_digests
from audit.store.writer import write

__all__ = ["SCHEMA", "publish_latest", "put_codes", "read", "read_verdicts", "sheet_digests", "write"]
