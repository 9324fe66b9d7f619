import asyncio
import time

from serving.telemetry.watchdog import Lateness, Watchdog, read


async def test_blocked_loop_is_noticed() -> None:
    """A callback that keeps the event loop for so long makes its next call at least nearly so late."""
    watchdog = Watchdog()
    watchdog.start()
    await asyncio.sleep(0.01)
    time.sleep(0.1)  # noqa: ASYNC251  blocks the loop on purpose
    await asyncio.sleep(0.01)
    lateness = watchdog.stop()
    assert lateness.worst_ms >= 95
    assert lateness.worst_ms >= lateness.p999_ms > 0
    assert lateness.seconds > 0.1


async def test_loop_blocked_until_the_end_is_noticed() -> None:
    """A call that has not come by the stop counts with the time that it is overdue."""
    watchdog = Watchdog()
    watchdog.start()
    time.sleep(0.1)  # noqa: ASYNC251  blocks the loop on purpose
    assert watchdog.stop().worst_ms >= 95


def test_log_is_read_back() -> None:
    """What servers log is what the bench reads, one for each process."""
    lines = [Lateness(12.5, 1.5, 60), Lateness(3, 2, 1)]
    assert read("\n".join(f"2026 INFO {line}" for line in lines)) == lines
