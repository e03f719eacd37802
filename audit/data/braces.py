"""`train-{0000..0012}.tar`, `{a,b}.tar` -> the names that are meant."""

import re
from itertools import product

MOST = 1_000_000


def expanded(pattern: str) -> list[str]:
    """Every name, the first braces changing slowest; ValueError for braces that mean nothing.

    `{a,b}` are alternatives, `{8..12}` are whole numbers with both ends included; where either end has leading zeros
    all numbers are as wide as the wider one. There are no braces inside braces.
    """
    parts = re.split(r"\{([^{}]*)\}", pattern)
    if any(sign in text for text in parts[::2] for sign in "{}"):
        raise ValueError(f'"{pattern}" has braces without their partner or inside others')
    choices = [_choices(text) if place % 2 else [text] for place, text in enumerate(parts)]
    count = 1
    for some in choices:
        count *= len(some)
    if count > MOST:
        raise ValueError(f'"{pattern}" means {count:,} names; the most are {MOST:,}')
    return ["".join(chosen) for chosen in product(*choices)]


def _choices(inside: str) -> list[str]:
    numbers = re.fullmatch(r"([0-9]+)\.\.([0-9]+)", inside)
    if numbers is not None:
        return _numbers(numbers[1], numbers[2])
    if "," not in inside:
        raise ValueError(f'"{{{inside}}}" is neither {{0..9}} nor {{a,b}}')
    return inside.split(",")


def _numbers(first: str, last: str) -> list[str]:
    low, high = int(first), int(last)
    if low > high:
        raise ValueError(f'"{{{first}..{last}}}" runs backwards')
    if high - low >= MOST:
        raise ValueError(f'"{{{first}..{last}}}" means {high - low + 1:,} names; the most are {MOST:,}')
    padded = any(len(end) > 1 and end[0] == "0" for end in (first, last))
    width = max(len(first), len(last)) if padded else 0
    return [f"{number:0{width}}" for number in range(low, high + 1)]
