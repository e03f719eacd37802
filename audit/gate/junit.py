"""The names of items in JUnit: the whole id, so that no two are alike; readers split `classname` at its dots."""

import pytest
from _pytest.junitxml import xml_key  # what the fixture record_xml_attribute stands on; items have no fixtures


class Names:
    """A plugin that names each testcase of an audit's file before pytest's own plugin writes it."""

    def __init__(self, config: pytest.Config):
        self.xml = config.stash.get(xml_key, None)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """`name` is the id, `classname` the file and the model, in which dots of their names are underscores."""
        file, *below = report.nodeid.split("::")
        if self.xml is None or not file.endswith(".toml") or not below:
            return
        testcase = self.xml.node_reporter(report)
        testcase.add_attribute("name", report.nodeid)
        testcase.add_attribute("classname", f"{_in_one(file.removesuffix('.toml'))}.{_in_one(below[0])}")


def _in_one(name: str) -> str:
    """A name without dots; folders of a path become packages."""
    return name.replace(".", "_").replace("/", ".")
