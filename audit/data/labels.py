"""The labels of pictures, numbers or names -> the outputs that they mean."""

from collections.abc import Iterable, Mapping, Sequence

from audit.data.source import Images
from audit.errors import DataError


def label_index(images: Images, labels: Sequence[str], outputs: int) -> dict[int, int]:
    """Image index -> output index, for the images whose label is known.

    A class name is looked up in `labels`, as the whole label or as its first word ("n01440764 tench"); without labels
    the sorted class names are the outputs, if they are as many. DataError for a name or an index that is no output, and
    for a name that fits several labels.
    """
    given = {index: label for index in range(len(images)) if (label := images.label(index)) is not None}
    of_name = _outputs_by_name(sorted({label for label in given.values() if isinstance(label, str)}), labels, outputs)
    found = {index: of_name[label] if isinstance(label, str) else label for index, label in given.items()}
    for index, output in found.items():
        if not 0 <= output < outputs:
            raise DataError(
                f'"{images.name(index)}" has the label {output}; the model has {outputs} outputs (0 to {outputs - 1})'
            )
    return found


def _outputs_by_name(classes: Sequence[str], labels: Sequence[str], outputs: int) -> Mapping[str, int]:
    if not labels:
        if classes and len(classes) != outputs:
            raise DataError(
                f"{len(classes)} class folders for {outputs} outputs: give the model its `labels`, in the order of the "
                "outputs, with names that start with the folders' names"
            )
        return {name: index for index, name in enumerate(classes)}
    found = _named(classes, labels)
    unknown = [name for name in classes if not found[name]]
    if unknown:
        raise DataError(
            f'no label starts with the class folder "{unknown[0]}" ({len(unknown)} of {len(classes)} folders are '
            f'unknown); the labels begin "{labels[0]}"'
        )
    for name, (first, *others) in found.items():
        if others:
            raise DataError(
                f'the class "{name}" may be output {first} ("{labels[first]}") or {others[0]} ("{labels[others[0]]}"); '
                "give both the label and the class a name of their own"
            )
    return {name: outputs[0] for name, outputs in found.items()}


def _named(classes: Sequence[str], labels: Sequence[str]) -> dict[str, list[int]]:
    """Class -> the outputs whose whole label is its name, else those whose first word is."""
    whole, first = _places(labels), _places(next(iter(label.split()), "") for label in labels)
    return {name: whole.get(name) or first.get(name, []) for name in classes}


def _places(names: Iterable[str]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return places
