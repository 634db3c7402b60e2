"""Open photos are bounded in number, in memory and in time."""

import pytest

from colorize_jax.studio.sessions import Sessions

# An open photo is stood for by its size
pytestmark = [pytest.mark.quick, pytest.mark.usefixtures("unchecked")]


class Opened:
    def __init__(self, bytes: int = 10):
        self.bytes = bytes


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_one_used_longest_ago_goes():
    sessions = Sessions(most=2)
    first, second = sessions.add(Opened()), sessions.add(Opened())
    assert sessions.get(first) is not None  # now the second was used longest ago
    third = sessions.add(Opened())
    assert sessions.get(second) is None and len(sessions) == 2
    assert sessions.get(first) is not None and sessions.get(third) is not None


def test_memory_is_bounded():
    sessions = Sessions(most_bytes=100)
    small = [sessions.add(Opened(30)) for _ in range(3)]
    large = sessions.add(Opened(60))
    assert [sessions.get(each) is not None for each in (*small, large)] == [False, False, True, True]
    with pytest.raises(ValueError, match="memory"):
        sessions.add(Opened(101))
    assert len(sessions) == 2


def test_what_is_left_alone_is_closed():
    clock = Clock()
    sessions = Sessions(expire_seconds=60, clock=clock)
    used, left = sessions.add(Opened()), sessions.add(Opened())
    clock.now = 50
    assert sessions.get(used) is not None
    clock.now = 70
    assert sessions.get(left) is None and sessions.get(used) is not None
    clock.now = 131
    sessions.close_expired()
    assert len(sessions) == 0


def test_ids_differ_and_closing_twice_is_no_mistake():
    sessions = Sessions()
    first, second = sessions.add(Opened()), sessions.add(Opened())
    assert first != second and len(first) >= 20
    for _ in range(2):
        sessions.close(first)
    assert sessions.get(first) is None and sessions.get(second) is not None


def test_bounds_must_be_positive():
    with pytest.raises(ValueError, match="most is 0"):
        Sessions(most=0)
