"""Pictures of a unit -> panels: a kind of pictures each, in blocks of tiles with their captions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from audit.records import Pictures, Verdict
from audit.render.pages.quality import Row, line_of
from audit.render.pages.sections import NOTHING, Tile
from audit.render.sprites import Embed, Embedded
from audit.render.wording import place
from audit.store.sprites import grid

KINDS = {
    "tsne": ("t-SNE of the codes", "Pictures that the layer answers alike lie side by side, each at its own place."),
    "optimized": (
        "Optimized images",
        "Made by the network alone: noise that was changed until the unit fired strongly.",
    ),
    "directions": (
        "Directions",
        "The same for weighted sums of units: directions of the layer's space, the whole layer, sums over layers.",
    ),
    "max-patches": ("Strongest patches", "What the unit saw in the pictures on which it fired most, strongest first."),
    "max-images": ("Strongest pictures", "The whole pictures, with what the unit sees in a box and its map over them."),
    "deconv": ("Deconvnet", "Which pixels of those patches the unit answered to, traced back by a deconvnet."),
    "guided": ("Guided backpropagation", "The same, through rectifiers that were on only."),
    "gradient": ("Data gradient", "How the unit's activation would change with each pixel of those patches."),
    "occlusion": ("Occlusion", "Where the unit falls (red) or rises (blue) when that part of the picture is covered."),
    "invariance": (
        "Invariance",
        "The strongest picture scaled, turned, moved, in other light and with noise: what is left of the activation.",
    ),
    "filters": ("Filters", "The unit's own weights: what it looks for in what lies below it; gray is zero."),
}
"""Kinds of pictures in the order in which they are shown: title and what they are."""

OF_LAYERS = ("directions", "tsne")
"""Kinds of which the pictures are of no units."""


@dataclass(frozen=True)
class Block:
    """A group of tiles as one picture (None: nothing to show, `status` says why); `numbers` in a line, if any.

    `voids` are the (row, column) of tiles with nothing to see.
    """

    name: str
    image: Embedded | None
    columns: int
    rows: int
    voids: tuple[tuple[int, int], ...]
    tiles: tuple[Tile, ...]
    status: str
    short: str
    alt: str
    numbers: str


@dataclass(frozen=True)
class Panel:
    """The pictures of one kind of one unit, in `columns` of blocks; on paper `whole` is all of them as one picture."""

    anchor: str
    title: str
    kind: str
    blocks: tuple[Block, ...]
    columns: int
    tile: int
    width: int
    whole: Embedded | None
    status: str


@dataclass(frozen=True)
class Panels:
    """What the units of a layer are pictured by: the records by kind, why a kind is missing, numbers by unit."""

    layer: str
    kinds: Sequence[tuple[str, Pictures | None]]
    failed: Mapping[str, Verdict]
    rows: Mapping[int, Sequence[Row]]
    embed: Embed
    whole: bool

    def every(self, units: Sequence[int]) -> dict[int, tuple[Panel, ...]]:
        """Kind by kind: units of a kind lie on the same sheets, which are then read once."""
        of_kinds = [
            [self.panel(kind, pictures, unit, f"unit {unit} of {self.layer}") for unit in units]
            for kind, pictures in self.kinds
        ]
        return {unit: tuple(panels[index] for panels in of_kinds) for index, unit in enumerate(units)}

    def panel(self, kind: str, pictures: Pictures | None, unit: int, of: str) -> Panel:
        title = KINDS.get(kind, (kind, ""))[0]
        identifier = place("pictures", self.layer, unit, kind)
        if pictures is None or unit not in pictures.units or 0 in pictures.tiles.shape:
            why = self.failed[kind].message if kind in self.failed else "not made for this unit"
            return Panel(identifier, title, kind, (), 1, 0, 0, None, f"{NOTHING}: {why}")
        row = pictures.units.index(unit)
        captions, names = pictures.captions[row], pictures.groups or (kind,)
        size = len(captions) // len(names)
        lines = {row["preset"]: line_of(row) for row in self.rows[unit]} if pictures.numbers else {}
        blocks = tuple(
            self._block(
                name if len(names) > 1 else "",
                f"{title} of {of}{f', {name}' if len(names) > 1 else ''}",
                pictures,
                (row, index),
                captions[index * size : (index + 1) * size],
                lines.get(name, ""),
            )
            for index, name in enumerate(names)
        )
        columns = grid(len(names))[1]
        empty = all(block.status for block in blocks)
        return Panel(
            anchor=identifier,
            title=title,
            kind=kind,
            blocks=blocks,
            columns=columns,
            tile=pictures.size[1],
            width=columns * grid(size)[1],
            whole=self.embed(pictures.tiles[row], len(names)) if self.whole and not empty else None,
            status=blocks[0].status if empty and len({block.status for block in blocks}) == 1 else "",
        )

    def _block(  # noqa: PLR0917  # a block is its parts
        self,
        name: str,
        alt: str,
        pictures: Pictures,
        place: tuple[int, int],
        captions: Sequence[str],
        numbers: str,
    ) -> Block:
        marked = tuple(Tile(caption, caption.lower().startswith(NOTHING)) for caption in captions)
        status = captions[0] if all(tile.void for tile in marked) else ""
        image = None if status or self.whole else self.embed.block(pictures, *place)
        first = next((tile.caption for tile in marked if not tile.void), "")
        rows, columns = grid(len(captions))
        return Block(
            name=name,
            image=image,
            columns=columns,
            rows=rows,
            voids=tuple(divmod(index, columns) for index, tile in enumerate(marked) if tile.void),
            tiles=marked,
            status=status,
            short=first,
            alt=f"{alt}; first: {first}",
            numbers=numbers,
        )
