from dataclasses import dataclass

from classify.comparison.budget import Stopwatch


@dataclass
class Clock:
    """Tells what it is set to."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_a_halt_and_other_programs_are_not_taken_for_work() -> None:
    wall, worked = Clock(0.0), Clock(0.0)
    busy, waiting = (Stopwatch(counts_waiting=counts, wall=wall, processor=worked) for counts in (False, True))

    def pass_time(wall_s: float, worked_s: float) -> tuple[float, float]:
        wall.now_s, worked.now_s = wall.now_s + wall_s, worked.now_s + worked_s
        return round(busy(), 3), round(waiting(), 3)

    assert pass_time(1.0, 1.0) == (1.0, 1.0)
    assert pass_time(0.4, 0.1) == (1.2, 1.4)  # four programs on this core; or a GPU that works for 0.3 s
    assert pass_time(3600, 0.0) == (1.7, 2.4)  # a suspended machine
