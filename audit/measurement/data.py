"""[data] -> the pictures of an audit, opened when they are first needed."""

import hashlib
from dataclasses import replace
from pathlib import Path

from audit import events
from audit.config import Config
from audit.data.concepts import Concepts, read_concepts
from audit.data.images import Images, open_images
from audit.errors import AuditError, SectionError, Unavailable
from audit.measurement.once import Once


class Data:
    """The pictures of an audit, opened when they are first needed."""

    def __init__(self, config: Config, listener: events.Listener):
        self.config, self.listener = config, listener
        self._images = Once(self._opened)
        self._fingerprint = Once(self._fingerprinted)
        self._concepts = Once(self._told)

    @property
    def images(self) -> Images:
        """Unavailable without [data]; AuditError where it leads nowhere."""
        return self._images()

    @property
    def fingerprint(self) -> str:
        """Of all pictures; changes when any does."""
        return self._fingerprint()

    @property
    def concepts(self) -> Concepts:
        """What people know of the pictures; none without a file. DataError, with its line, for what is wrong there."""
        return self._concepts()

    @property
    def concepts_digest(self) -> str:
        """Of the file that says what people know of the pictures, whatever is in it; empty without one."""
        path = self._concept_file
        return hashlib.sha256(path.read_bytes()).hexdigest() if path is not None and path.is_file() else ""

    def _fingerprinted(self) -> str:
        return self.images.fingerprint(self.listener)

    def _told(self) -> Concepts:
        path = self._concept_file
        return Concepts() if path is None else read_concepts(path, self.images)

    @property
    def _concept_file(self) -> Path | None:
        data = self.config.data
        if data is None or data.concepts is None:
            return None
        return self.config.file.parent / Path(data.concepts).expanduser()

    def _opened(self) -> Images:
        if self.config.data is None:
            raise Unavailable("there is no [data] section; say there where the pictures come from")
        try:
            return open_images(self.config.data, self.config.file.parent, self.listener)
        except SectionError as error:
            problem = self.config.problem(("data", error.option), str(error))
            raise AuditError(str(replace(problem, file=self.config.file.name))) from error
