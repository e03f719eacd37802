"""What a run says while it works is handed on, and what it took is noted."""

from audit import events


class Heard:
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.said: list[tuple[object, ...]] = []

    def begin(self, work: str, total: int) -> None:
        self.said.append(("begin", work, total))

    def advance(self, work: str, steps: int) -> None:
        self.said.append(("advance", work, steps))

    def end(self, work: str) -> None:
        self.said.append(("end", work))


def test_a_clock_hands_on_what_it_hears_and_notes_what_work_took() -> None:
    heard = Heard()
    clock = events.Clock(heard)
    with events.work(clock, "outer", 2) as advance:
        advance(1)
        with events.work(clock, "inner", 1):
            pass
    assert heard.said == [
        ("begin", "outer", 2),
        ("advance", "outer", 1),
        ("begin", "inner", 1),
        ("end", "inner"),
        ("end", "outer"),
    ]
    inner, outer = clock.steps
    assert (inner.work, outer.work) == ("inner", "outer")
    assert 0 <= inner.seconds <= outer.seconds
    assert outer.peak_mib is None or outer.peak_mib > 10


def test_work_that_fails_is_over_too() -> None:
    clock = events.Clock(events.Silence())
    try:
        with events.work(clock, "fails", 1):
            raise ValueError
    except ValueError:
        pass
    assert [step.work for step in clock.steps] == ["fails"]


def test_an_end_without_a_beginning_is_no_step() -> None:
    clock = events.Clock(events.Silence())
    clock.end("never begun")
    assert clock.steps == []
