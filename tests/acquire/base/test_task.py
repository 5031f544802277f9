"""How a command works as a task: threads that are given items in their order."""

import threading
import time

import pytest

from idrstream.base import task


def test_results_come_in_order_and_no_more_items_are_taken_than_are_worked_on():
    taken, working, most = [], [], []
    lock = threading.Lock()

    def items():
        for number in range(12):
            taken.append(number)
            yield number

    def work(number):
        with lock:
            working.append(number)
            most.append(len(working))
        time.sleep(0.02 if number % 3 else 0.06)
        with lock:
            working.remove(number)
        return number**2

    given = []
    for square in task.in_threads(work, items(), 3):
        given.append(square)
        assert len(taken) <= len(given) + 3
    assert given == [number**2 for number in range(12)] and max(most) == 3


def test_an_error_ends_it_and_what_has_not_begun_is_not_done():
    done = []

    def work(number):
        if number == 1:
            raise ZeroDivisionError
        done.append(number)

    with pytest.raises(ZeroDivisionError):
        list(task.in_threads(work, range(100), 2))
    assert len(done) <= 4


@pytest.mark.parametrize("count", (0, 2))
def test_progress_is_told_of_as_many_steps_as_are_said_even_none(count, capsys):
    assert list(task.progress(iter(range(count)), "segmenting", count)) == list(range(count))
    assert capsys.readouterr().err.count("segmenting [") == count
