"""A day of 100,000 runs in minutes: `make simulate`, or `python -m tests.simulation --runs 5000`.

Prints what the day cost and how long runs waited; ends with 1 if anything was lost, wrong, or not flat.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Iterable, Sequence

from tests.simulation.day import Day, Options, Seen
from tests.simulation.judgement import problems

PERCENTILES = (50, 90, 99, 100)


def main() -> int:
    """Simulate a day and tell what it was like."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--runs", type=int, default=Options.runs, help="runs of the day (default: %(default)s)")
    parser.add_argument("--tick", type=float, default=Options.tick, help="seconds between polls (default: %(default)s)")
    parser.add_argument("--quota", type=int, default=Options.quota, help="active jobs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=Options.seed)
    given = parser.parse_args()
    logging.disable(logging.CRITICAL)  # what is put off and comes again is counted below
    day = Day(Options(runs=given.runs, tick=given.tick, quota=given.quota, seed=given.seed))
    begin = time.perf_counter()
    seen = day.run()
    _tell(day, seen)
    print(f"simulated in {time.perf_counter() - begin:.0f} s")
    found = problems(day)
    for problem in found[:20]:
        print(f"WRONG: {problem}")
    return 1 if found else 0


def _tell(day: Day, seen: Seen) -> None:
    print(f"{seen.dropped:,} manifests, {seen.recorded:,} records: {_counts(seen.states.items())}")
    print(f"{seen.ticks:,} ticks, of which {seen.asking_ticks:,} asked Batch")
    print(f"Batch calls: {_counts(day.batch.requests.most_common())}")
    print(f"storage operations: {_counts(day.storage.requests.most_common())}")
    print(f"  a run: {sum(day.storage.requests.values()) / seen.dropped:.1f}, ticks included")
    print(f"events: {_counts(seen.events.most_common())}")
    print(f"end of the last task to record, seconds: {_percentiles(seen.lags)}")
    print(f"drop to job, seconds: {_percentiles(seen.waits)}")
    for name, place in (("queued runs", 0), ("running runs", 1), ("active jobs", 2)):
        print(f"{name}: {_percentiles([queue[place] for queue in seen.queues])}")


def _counts(counts: Iterable[tuple[str, int]]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts)


def _percentiles(values: Sequence[float]) -> str:
    ranked = sorted(values)
    found = [(each, ranked[min(len(ranked) - 1, len(ranked) * each // 100)]) for each in PERCENTILES]
    return ", ".join(f"p{each} {value:,.0f}" for each, value in found)


if __name__ == "__main__":
    sys.exit(main())
