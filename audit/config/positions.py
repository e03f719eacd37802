"""The text of a TOML file -> where each of its keys, tables and array elements stands."""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

Place = tuple[str | int, ...]
"""A key of the parsed file: ("models", 0, "input", 2) is the third entry of `input` of the first [[models]]."""


@dataclass(frozen=True)
class Positions:
    """Lines and columns, both from 1, of everything in one TOML text.

    A key stands where its own part of a dotted key begins, an array's element where its value begins, and a table
    where its header begins; a table that no header names stands where something first implies it.
    """

    text: str
    _start: dict[Place, tuple[int, int]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_start", dict(_walk(self.text)))

    def of(self, place: Place) -> tuple[int, int]:
        """(line, column) of a place, or of the nearest thing around it that the file has; (1, 1) for the file."""
        while place and place not in self._start:
            place = place[:-1]
        return self._start.get(place, (1, 1))

    def __contains__(self, place: Place) -> bool:
        return place in self._start


def tables(text: str) -> Iterator[tuple[Place, int, int]]:
    """Every [table] and [[table]]: its place, and where in UTF-8 bytes its header begins and its last value ends."""
    last: dict[Place, int] = {}
    for node in Parser(Language(tree_sitter_toml.language())).parse(text.encode()).root_node.named_children:
        if node.type in ("table", "table_array_element"):
            written = [child for child in node.children if child.type != "comment"][-1]
            if written.type == "pair":  # which would take a comment behind it along
                written = [child for child in written.children if child.type != "comment"][-1]
            yield _header(node, last), node.start_byte, written.end_byte


def _walk(text: str) -> Iterator[tuple[Place, tuple[int, int]]]:
    """Every place once, with its position."""
    seen: set[Place] = set()
    lines = text.encode().split(b"\n")
    for place, node in _document(Parser(Language(tree_sitter_toml.language())).parse(text.encode()).root_node):
        if place not in seen:
            seen.add(place)
            row, byte = node.start_point
            yield place, (row + 1, len(lines[row][:byte].decode()) + 1)  # a column is a character, not a byte


def _document(root: Node) -> Iterator[tuple[Place, Node]]:
    last: dict[Place, int] = {}  # of each array of tables, the index of the table that is being written
    implied: list[tuple[Place, Node]] = []  # tables around a header: theirs only where they have no header
    for node in root.named_children:
        if node.type == "pair":
            yield from _pair((), node)
        elif node.type in ("table", "table_array_element"):
            table = _header(node, last)
            yield table, node
            implied += [(table[:depth], node) for depth in range(1, len(table))]
            for pair in node.named_children:
                if pair.type == "pair":
                    yield from _pair(table, pair)
    yield from implied


def _header(node: Node, last: dict[Place, int]) -> Place:
    """The place of a [table] or a [[table]]; the latter moves its array on by one."""
    keys = [key for key, _ in _keys(node.named_children[0])]
    place: Place = ()
    for depth, key in enumerate(keys, start=1):
        place = (*place, key)
        if depth == len(keys) and node.type == "table_array_element":
            last[place] = last.get(place, -1) + 1
        if place in last:
            place = (*place, last[place])
    return place


def _pair(table: Place, pair: Node) -> Iterator[tuple[Place, Node]]:
    place = table
    for key, node in _keys(pair.named_children[0]):
        place = (*place, key)
        yield place, node
    yield from _inside(place, pair.named_children[-1])


def _inside(place: Place, value: Node) -> Iterator[tuple[Place, Node]]:
    if value.type == "inline_table":
        for pair in value.named_children:
            if pair.type == "pair":
                yield from _pair(place, pair)
    elif value.type == "array":
        elements = (node for node in value.named_children if node.type != "comment")
        for index, node in enumerate(elements):
            yield (*place, index), node
            yield from _inside((*place, index), node)


def _keys(node: Node) -> Iterator[tuple[str, Node]]:
    if node.type == "dotted_key":
        for part in node.named_children:
            yield from _keys(part)
    elif node.type in ("bare_key", "quoted_key"):
        written = (node.text or b"").decode()
        yield next(iter(tomllib.loads(f"{written} = 0"))), node
