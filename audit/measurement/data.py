"""[data] -> the pictures of an audit, opened when they are first needed."""

from dataclasses import replace

from audit import events
from audit.config import Config
from audit.data.images import Images, open_images
from audit.errors import AuditError, SectionError, Unavailable
from audit.measurement.once import Once


class Data:
    """The pictures of an audit, opened when they are first needed."""

    def __init__(self, config: Config, listener: events.Listener):
        self.config, self.listener = config, listener
        self._images = Once(self._opened)
        self._fingerprint = Once(self._fingerprinted)

    @property
    def images(self) -> Images:
        """Unavailable without [data]; AuditError where it leads nowhere."""
        return self._images()

    @property
    def fingerprint(self) -> str:
        """Of all pictures; changes when any does."""
        return self._fingerprint()

    def _fingerprinted(self) -> str:
        return self.images.fingerprint(self.listener)

    def _opened(self) -> Images:
        if self.config.data is None:
            raise Unavailable("there is no [data] section; say there where the pictures come from")
        try:
            return open_images(self.config.data, self.config.file.parent, self.listener)
        except SectionError as error:
            problem = self.config.problem(("data", error.option), str(error))
            raise AuditError(str(replace(problem, file=self.config.file.name))) from error
