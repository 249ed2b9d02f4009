"""The seeded loop: asyncio's own primitives on it, determinism across processes and hash seeds, kills, fences."""

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from chimera.services.stage.loop import DetLoop, Stuck
from chimera.services.stage.proc import Proc, ProcDead
from chimera.services.stage.steps import FenceBroken
from chimera.trading.money import Millis
from world.machine import Machine

MODES = pytest.mark.parametrize("fifo", [False, True])


@contextmanager
def a_loop(seed: int = 1, **options: Any) -> Iterator[DetLoop]:
    loop = DetLoop(seed, **options)
    try:
        yield loop
    finally:
        loop.close()


def run(program: Callable[[], Any], seed: int = 1, **options: Any) -> Any:
    with a_loop(seed, **options) as loop:
        result = loop.run_until_complete(program())
        assert loop.unheard() == []
        return result


# ── asyncio's primitives ──


@MODES
def test_sleep_takes_virtual_time_only(fifo: bool) -> None:
    async def nap() -> float:
        await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time()

    begun = time.monotonic()
    assert run(nap, fifo=fifo) == 86_400
    assert time.monotonic() - begun < 60


@MODES
def test_timeout_strikes_at_its_moment(fifo: bool) -> None:
    async def impatient() -> float:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await asyncio.sleep(10)
        return asyncio.get_running_loop().time()

    assert run(impatient, fifo=fifo) == 2.5


@MODES
def test_wait_for_returns_or_times_out_and_cancels(fifo: bool) -> None:
    async def waits() -> list[str]:
        seen = []

        async def slow() -> None:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        assert await asyncio.wait_for(asyncio.sleep(1, "fast"), 5) == "fast"
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(slow(), 1)
        return seen

    assert run(waits, fifo=fifo) == ["cancelled"]


@MODES
def test_task_group_cancels_the_siblings_of_a_failure(fifo: bool) -> None:
    async def group() -> list[int]:
        unwound: list[int] = []

        async def waits(number: int) -> None:
            try:
                await asyncio.sleep(10)
            finally:
                unwound.append(number)

        async def fails() -> None:
            await asyncio.sleep(1)
            raise ValueError("no")

        with pytest.raises(ExceptionGroup) as caught:  # noqa: PT012  # the group is one statement
            async with asyncio.TaskGroup() as tasks:
                for number in range(5):
                    tasks.create_task(waits(number))
                tasks.create_task(fails())
        assert caught.group_contains(ValueError, match="no")
        return unwound

    assert sorted(run(group, fifo=fifo)) == [0, 1, 2, 3, 4]


@MODES
def test_queue_keeps_order_between_one_producer_and_one_consumer(fifo: bool) -> None:
    async def pipe() -> list[int]:
        queue: asyncio.Queue[int] = asyncio.Queue(maxsize=3)
        got = []

        async def produce() -> None:
            for number in range(50):
                await queue.put(number)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(produce())
            for _ in range(50):
                got.append(await queue.get())
        return got

    assert run(pipe, fifo=fifo) == list(range(50))


@MODES
def test_event_lock_semaphore_condition_and_gather(fifo: bool) -> None:
    async def all_of_them() -> list[int]:
        event, lock, gate, condition = asyncio.Event(), asyncio.Lock(), asyncio.Semaphore(2), asyncio.Condition()
        inside = 0
        most = 0

        async def worker(number: int) -> int:
            nonlocal inside, most
            await event.wait()
            async with gate:
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(1)
                inside -= 1
            async with lock, condition:
                condition.notify_all()
            return number

        asyncio.get_running_loop().call_later(1, event.set)
        done = await asyncio.gather(*(worker(number) for number in range(6)))
        assert most == 2
        return list(done)

    assert run(all_of_them, fifo=fifo) == list(range(6))


@MODES
def test_shield_lets_the_inner_work_finish(fifo: bool) -> None:
    async def shielded() -> str:
        async def inner() -> str:
            await asyncio.sleep(2)
            return "done"

        task = asyncio.ensure_future(inner())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await asyncio.shield(task)
        return await task

    assert run(shielded, fifo=fifo) == "done"


@MODES
def test_async_generators_left_open_are_closed_by_runner(fifo: bool) -> None:
    closed = []

    async def ticks() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
                await asyncio.sleep(1)
        finally:
            closed.append("closed")

    async def leaves_one_open_and_drops_one() -> None:
        async for _ in ticks():
            break
        await asyncio.sleep(1)
        closed.append("asleep")
        kept.append(ticks())
        async for _ in kept[0]:
            break
        closed.append("left")

    kept: list[AsyncIterator[int]] = []
    with asyncio.Runner(loop_factory=lambda: DetLoop(1, fifo=fifo)) as runner:
        runner.run(leaves_one_open_and_drops_one())
    assert closed == ["closed", "asleep", "left", "closed"]


def test_wait_and_as_completed_work() -> None:
    async def waits() -> tuple[int, list[int]]:
        tasks = [asyncio.create_task(asyncio.sleep(number, number)) for number in (3, 1, 2)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        rest = [await each for each in asyncio.as_completed(tasks)]
        return done.pop().result(), sorted(rest)

    assert run(waits) == (1, [1, 2, 3])


def test_context_variables_follow_tasks() -> None:
    async def program() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, DetLoop)
        machine = Machine(loop, "s4", _sleep_for_ever, restart_ms=lambda: Millis(0))
        proc = machine.start()
        task = proc.spawn("child", lambda: asyncio.sleep(1))
        await task
        assert task.get_name() == "s4#0/child"
        machine.power_off()

    run(program)


async def _sleep_for_ever(_: Proc) -> None:
    await asyncio.get_running_loop().create_future()


def test_what_can_never_end_is_stuck_and_a_spin_is_seen() -> None:
    async def waits_for_nothing() -> None:
        await asyncio.get_running_loop().create_future()

    async def spins() -> None:
        while True:  # noqa: ASYNC110  # the spin is the point
            await asyncio.sleep(0)

    with a_loop() as loop, pytest.raises(Stuck, match="nothing left to run"):
        loop.run_until_complete(waits_for_nothing())
    with a_loop() as loop, pytest.raises(Stuck, match="does not end"):
        loop.run_until_complete(spins())


def test_an_exception_nobody_fetched_makes_the_run_red() -> None:
    async def forgets() -> None:
        async def fails() -> None:
            raise ValueError("lost")

        asyncio.create_task(fails(), name="orphan")  # noqa: RUF006  # forgetting it is the point
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)

    with a_loop() as loop:
        loop.run_until_complete(forgets())
        red = " ".join(loop.unheard())
    assert "orphan: ValueError('lost')" in red
    assert "ZeroDivisionError" in red


# ── one seed, one run ──

RACE = """
import asyncio
from chimera.services.stage.loop import DetLoop

async def main():
    seen, names = [], {"a", "b", "c", "d", "e", "f"}
    async def worker(number):
        for turn in range(20):
            await asyncio.sleep((number * 7 + turn) % 3 / 1000)
            seen.append(number)
        if number == 3:
            raise ValueError
        await asyncio.sleep(10)
    try:
        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(worker(number))
    except* ValueError:
        pass
    await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0)) for _ in range(9)})
    return seen

for seed in (1, 2):
    loop = DetLoop(seed, trace=True)
    seen = loop.run_until_complete(main())
    print(loop.trace_hash(), loop.steps, "".join(map(str, seen)))
    loop.close()
"""


@pytest.mark.slow
@pytest.mark.req("I33")
def test_same_seed_same_trace_in_fresh_processes_under_any_hash_seed() -> None:
    outputs = {
        subprocess.run(
            [sys.executable, "-c", RACE],
            env={**os.environ, "PYTHONHASHSEED": str(hash_seed), "PYTHONPATH": str(Path("src").absolute())},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in (0, 1, 2)
    }
    assert len(outputs) == 1
    first, second = outputs.pop().splitlines()
    assert first != second


def test_seeds_differ_in_order_and_fifo_does_not() -> None:
    async def order() -> str:
        seen: list[str] = []
        async with asyncio.TaskGroup() as tasks:
            for name in "abcdef":
                tasks.create_task(_note(seen, name))
        return "".join(seen)

    assert len({run(order, seed) for seed in range(10)}) > 3
    assert {run(order, seed, fifo=True) for seed in range(5)} == {"abcdef"}


async def _note(seen: list[str], name: str) -> None:
    seen.append(name)


# ── death ──


def test_kill_runs_no_finally_even_under_collection_and_the_next_incarnation_starts() -> None:
    unwound: list[str] = []
    begun: list[int] = []

    async def program(proc: Proc) -> None:
        begun.append(proc.incarnation)

        async def holds() -> AsyncIterator[int]:
            try:
                while True:
                    yield 1
                    await asyncio.sleep(1)
            finally:
                unwound.append("generator")

        async def child() -> None:
            try:
                async for _ in holds():
                    pass
            except BaseException:
                unwound.append("except")
                raise
            finally:
                unwound.append("child")

        task = asyncio.create_task(child())
        try:
            await task
        finally:
            unwound.append("main")

    loop = DetLoop(3)
    machine = Machine(loop, "s4", program, restart_ms=lambda: Millis(500))
    machine.start()
    loop.call_later(5.2, machine.kill)
    loop.run_for(20)
    gc.collect()
    loop.run_for(20)
    assert begun == [0, 1]
    assert unwound == []
    assert machine.down_spans(0) == [(5_200_000, 5_700_000)]
    assert loop.unheard() == []
    loop.close()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 20])
def test_kill_strikes_in_place_of_the_named_step(step: int) -> None:
    seen: list[int] = []

    async def program(proc: Proc) -> None:
        while True:
            seen.append(proc.incarnation)
            await asyncio.sleep(1)

    with a_loop(5) as loop:
        machine = Machine(loop, "s4", program, restart_ms=lambda: Millis(100))
        machine.kill_at(step, step + 4)
        machine.start()
        loop.run_for(60)
        assert machine.deaths == 2
        assert seen.count(0) < step
        assert seen[-1] == 2


def test_requests_in_flight_survive_the_caller() -> None:
    done: list[str] = []

    async def server() -> str:
        await asyncio.sleep(2)
        done.append("executed")
        return "answer"

    async def program(proc: Proc) -> None:
        if proc.incarnation == 0:
            done.append(await proc.remote(server()))

    with a_loop() as loop:
        machine = Machine(loop, "s4", program, restart_ms=lambda: Millis(100))
        machine.start()
        loop.call_later(1, machine.kill)
        loop.run_for(10)
        assert done == ["executed"]


def test_ports_of_the_dead_raise() -> None:
    with a_loop() as loop:
        machine = Machine(loop, "s4", _sleep_for_ever, restart_ms=lambda: Millis(100))
        proc = machine.start()
        machine.power_off()
        with pytest.raises(ProcDead, match="s4#0"):
            proc.check()
        work = asyncio.sleep(1)
        with pytest.raises(ProcDead):
            loop.run_until_complete(proc.remote(work))
        loop.run_for(5)
        assert machine.proc is proc


# ── fences of the loop ──


@pytest.mark.parametrize("breach", ["thread", "executor", "to_thread", "dns", "socket", "reader", "subprocess"])
def test_leaving_the_loop_raises(breach: str) -> None:
    async def escapes() -> None:
        loop = asyncio.get_running_loop()
        try:
            if breach == "executor":
                await loop.run_in_executor(None, time.time)
            elif breach == "to_thread":
                await asyncio.to_thread(time.time)
            elif breach == "dns":
                await loop.getaddrinfo("127.0.0.1", 1)
            elif breach == "socket":
                await asyncio.open_connection("127.0.0.1", 1)
            elif breach == "reader":
                loop.add_reader(0, lambda: None)
            elif breach == "subprocess":
                await asyncio.create_subprocess_exec("true")
        except Exception:  # noqa: BLE001, S110  # a product that swallows all: the fence must still be seen
            pass

    async def other_thread() -> None:
        loop = asyncio.get_running_loop()
        thread = threading.Thread(target=lambda: _swallow(lambda: loop.call_soon_threadsafe(print)))
        thread.start()
        thread.join()
        await asyncio.sleep(0)

    with a_loop() as loop, pytest.raises(FenceBroken):
        loop.run_until_complete(other_thread() if breach == "thread" else escapes())


def _swallow(call: Callable[[], object]) -> None:
    with suppress(BaseException):  # the thread must end quietly; the loop remembers
        call()
