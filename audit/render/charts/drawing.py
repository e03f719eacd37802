"""Altair charts -> SVG that stands in a page of any colour: text takes the page's own colour."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from audit.render.templates import CONTROLS, readable

BLUE, ORANGE, RED, GREEN = "#3a86d0", "#d2691e", "#d64545", "#2a8f5f"
"""Each has a contrast of 3:1 or more to white and to the dark page."""

ROOM = {"left": 28, "right": 12, "top": 4, "bottom": 4}
"""Around a chart in pixels: the reader's font may be wider than the one that was measured with."""

SVG = "http://www.w3.org/2000/svg"
DRAWN = {"svg", "g", "path", "line", "rect", "circle", "text", "tspan", "defs", "clipPath"}
"""The elements a chart may consist of: nothing that runs, loads or links."""

NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold."""


@dataclass(frozen=True)
class Drawing:
    """A chart as it stands in a page, and its Vega-Lite specification as JSON; empty if it is only looked at."""

    svg: Markup
    spec: str = ""


@dataclass(frozen=True)
class Chart:
    """A chart, its title, and in words what it shows."""

    title: str
    text: str
    drawing: Drawing

    @property
    def svg(self) -> Markup:
        """As it stands in a page."""
        return self.drawing.svg

    @property
    def titled(self) -> Markup:
        """The drawing with what it shows inside it, for paper, where nothing around it can say so."""
        return titled(self.svg, f"{self.title}. {self.text}")


def interactive(chart: Any, name: str, rows: int = 1) -> Drawing:
    """An Altair chart as `svg`, and as what a page's script makes of it: the same, that says its numbers."""
    spec = _styled(chart, rows, ROOM)
    said = {**spec, "config": {**spec["config"], "mark": {"tooltip": {"content": "encoding"}}}}
    return Drawing(_svg(spec, name), json.dumps(said, separators=(",", ":")))


def titled(drawn: Markup, title: str) -> Markup:
    """The drawing with a title as its first element."""
    root, rest = drawn.split(">", 1)
    said = CONTROLS.sub("\N{REPLACEMENT CHARACTER}", title)
    return Markup(f"{root}>") + Markup("<title>{}</title>").format(said) + rest


def svg(chart: Any, name: str, rows: int = 1, room: Mapping[str, int] | int = ROOM) -> Markup:
    """The SVG of an Altair chart: transparent, in the text colour of the page, as wide as there is room.

    `name` tells its ids from those of the page's other charts. `rows`: of how many rows a chart of names is; many are
    drawn closer together. `room` is left around it, in pixels.
    """
    return _svg(_styled(chart, rows, room), name)


def _svg(spec: Mapping[str, Any], name: str) -> Markup:
    import vl_convert

    return _plain(vl_convert.vegalite_to_svg(dict(spec), allowed_base_urls=[]), name)


def _styled(chart: Any, rows: int, room: Mapping[str, int] | int) -> dict[str, Any]:
    step = min(17, max(11, 640 // rows))
    styled = (
        chart.properties(padding=room)
        .configure(aria=False, background="transparent", font="sans-serif")
        .configure_view(stroke=None, step=step)
        .configure_axis(
            labelColor="currentColor",
            titleColor="currentColor",
            domainColor="currentColor",
            tickColor="currentColor",
            gridColor="#888888",
            gridOpacity=0.25,
            domainOpacity=0.4,
            labelFontSize=11 if step > 13 else 10,
            titleFontSize=12,
            titleFontWeight="normal",
        )
        .configure_legend(
            orient="top",
            title=None,
            labelColor="currentColor",
            titleColor="currentColor",
            labelFontSize=11 if step > 13 else 10,
            titleFontSize=12,
        )
        .configure_text(fontSize=11)
    )
    drawable: dict[str, Any] = _drawable(styled.to_dict(validate=False))
    return drawable


def _drawable(value: Any) -> Any:
    """The same specification without what would garble a page, or is no XML, at which vl-convert ends the process."""
    if isinstance(value, dict):
        return {key: _drawable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_drawable(inner) for inner in value]
    return readable(NOT_XML.sub("\N{REPLACEMENT CHARACTER}", value)) if isinstance(value, str) else value


def _plain(drawn: str, name: str) -> Markup:
    """The same drawing without links, roles and a fixed size; ValueError if it holds more than a drawing."""
    root = ElementTree.fromstring(drawn)
    for element in root.iter():
        tag = element.tag.removeprefix(f"{{{SVG}}}")
        if tag not in DRAWN:
            raise ValueError(f"the chart {name!r} holds <{tag}>")
        element.tag = tag
        for key in [key for key in element.attrib if key.startswith(("{", "on", "aria", "role", "class", "href"))]:
            del element.attrib[key]
        for key, value in element.attrib.items():
            element.set(key, re.sub(r"url\((['\"]?)#", rf"url(\1#{name}-", value))
        if "id" in element.attrib:
            element.set("id", f"{name}-{element.attrib['id']}")
    width = root.attrib.pop("width")
    root.attrib.pop("height", None)
    root.attrib |= {
        "xmlns": SVG,
        "aria-hidden": "true",
        "focusable": "false",
        "style": f"--drawn:{width}px;width:100%;max-width:{width}px",
    }
    return Markup(ElementTree.tostring(root, encoding="unicode"))
