"""The end of the interpreter: queued work still runs, new work is refused, nothing hangs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

each_worker_count = pytest.mark.parametrize("count", [1, 2, 8])


@each_worker_count
def test_queued_work_runs_before_the_interpreter_ends(
    run_child: Callable[..., str], count: int
) -> None:
    output = run_child(f"""
        pool = ThreadPoolExecutor({count})
        main = threading.main_thread()
        def task(number):
            time.sleep(0.001)
            os.write(1, b"%d\\n" % number)
        for number in range(100):
            pool.submit(task, number)
    """)
    assert sorted(map(int, output.split())) == list(range(100))


def test_an_unused_and_an_idle_pool_end_with_the_interpreter(
    run_child: Callable[..., str],
) -> None:
    output = run_child("""
        unused = ThreadPoolExecutor(3)
        idle = ThreadPoolExecutor(3)
        print(idle.submit(pow, 2, 5).result())
        pools = [ThreadPoolExecutor(2) for _ in range(20)]
        print(sum(pool.submit(int, 1).result() for pool in pools))
    """)
    assert output.split() == ["32", "20"]


def test_work_of_a_dropped_pool_runs_before_the_interpreter_ends(
    run_child: Callable[..., str],
) -> None:
    output = run_child("""
        for _ in range(10):
            ThreadPoolExecutor(2).submit(os.write, 1, b"ran\\n")
    """)
    assert output.split() == ["ran"] * 10


def test_work_submitted_without_waiting_for_shutdown_runs(run_child: Callable[..., str]) -> None:
    output = run_child("""
        gate = threading.Event()
        pool = ThreadPoolExecutor(1)
        pool.submit(gate.wait)
        for number in range(5):
            pool.submit(print, number, flush=True)
        pool.shutdown(wait=False)
        gate.set()
    """)
    assert output.split() == ["0", "1", "2", "3", "4"]


def test_an_exit_handler_cannot_submit_to_a_pool(run_child: Callable[..., str]) -> None:
    output = run_child("""
        import atexit
        fresh, used = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        used.submit(int).result()

        @atexit.register
        def at_exit():
            for pool in (fresh, used):
                try:
                    pool.submit(print, "never")
                except RuntimeError as error:
                    print(error)
    """)
    first, second = output.splitlines()
    assert first == "cannot schedule new futures after interpreter shutdown"
    assert second in (first, "cannot schedule new futures after shutdown")


def test_a_running_task_cannot_submit_once_the_interpreter_ends(
    run_child: Callable[..., str],
) -> None:
    output = run_child("""
        pool = ThreadPoolExecutor(2)
        def task():
            while True:
                try:
                    pool.submit(int)
                except RuntimeError as error:
                    print(error)
                    return
                time.sleep(0.001)
        pool.submit(task)
    """)
    assert output.startswith("cannot schedule new futures after ")


def test_an_exit_handler_can_shut_a_pool_down_and_read_results(
    run_child: Callable[..., str],
) -> None:
    output = run_child("""
        import atexit
        pool = ThreadPoolExecutor(2)
        futures = [pool.submit(int, number) for number in range(10)]

        @atexit.register
        def at_exit():
            pool.shutdown()
            print(sum(future.result(0) for future in futures))
    """)
    assert output.split() == ["45"]


def test_an_exit_from_the_main_thread_lets_tasks_end(run_child: Callable[..., str]) -> None:
    output = run_child(
        """
        pool = ThreadPoolExecutor(2)
        started = threading.Event()
        def task():
            started.set()
            time.sleep(0.02)
            print("ended", flush=True)
        pool.submit(task)
        started.wait()
        sys.exit(3)
        """,
        returncode=3,
    )
    assert output.split() == ["ended"]


def test_a_pool_kept_by_a_module_or_a_cycle_does_no_harm_at_the_end(
    run_child: Callable[..., str],
) -> None:
    output = run_child("""
        import types
        kept = types.ModuleType("kept")
        sys.modules["kept"] = kept
        kept.pool = ThreadPoolExecutor(2)
        kept.futures = [kept.pool.submit(object) for _ in range(100)]
        kept.pool.cycle = kept
        kept.futures[0].cycle = kept.futures
        kept.pending = [Future() for _ in range(10)]
        kept.pending[0].add_done_callback(lambda _: kept)
        class Last:
            def __del__(self):
                print("last", flush=True)
        kept.last = kept.pool.submit(Last)
        kept.last.result()
    """)
    assert output.split() in (["last"], [])


def test_threads_that_wait_for_futures_at_the_end_do_no_harm(
    run_child: Callable[..., str],
) -> None:
    run_child("""
        never = Future()
        for _ in range(4):
            threading.Thread(target=never.result, daemon=True).start()
            threading.Thread(target=wait, args=([never],), daemon=True).start()
            threading.Thread(target=list, args=(as_completed([never]),), daemon=True).start()
        ThreadPoolExecutor(2).submit(int).result()
    """)


def test_tasks_that_never_end_are_no_hindrance_to_a_hard_exit(
    run_child: Callable[..., str],
) -> None:
    run_child("""
        pool = ThreadPoolExecutor(2)
        started = threading.Event()
        def for_ever():
            started.set()
            threading.Event().wait()
        pool.submit(for_ever)
        started.wait()
        os._exit(0)
    """)


def test_a_pool_works_in_a_thread_that_outlives_the_main_one(
    run_child: Callable[..., str],
) -> None:
    output = run_child("""
        pool = ThreadPoolExecutor(2)
        future = pool.submit(time.sleep, 0.02)
        def late():
            print(future.result(), flush=True)
        threading.Thread(target=late).start()
    """)
    assert output.split() == ["None"]
