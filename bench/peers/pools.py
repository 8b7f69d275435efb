#!/usr/bin/env python3
"""Python's process pools with the tasks of stream.c, latency.c, map.c, payload.c and hold.c.

    pools.py PEER MODE [name=value]...

PEER: executor (concurrent.futures), mp (multiprocessing.Pool), pebble, billiard, loky (of joblib).
MODE: stream, map, latency, payload, hold.  One JSON line for each figure.  A peer that is not
installed: exit status 3.
"""
import collections
import json
import os
import statistics
import sys
import time

NAMES = {"executor": "ProcessPoolExecutor", "mp": "multiprocessing.Pool", "pebble": "Pebble",
         "billiard": "billiard", "loky": "joblib/loky"}
KNOBS = {"tasks": 5000, "workers": 2, "queue": 4096, "gap": 0, "size": 1 << 20}


def multiply(number):
    return number * 3


def echo(data):
    return data


def nap(_):
    time.sleep(0.001)


class Pool:
    """One way to use them all: submit gives something that `result` waits for."""

    def __init__(self, peer, workers):
        self.peer = peer
        if peer == "executor":
            from concurrent.futures import ProcessPoolExecutor
            self.pool = ProcessPoolExecutor(workers)
            self.submit = self.pool.submit
        elif peer == "mp":
            import multiprocessing
            self.pool = multiprocessing.Pool(workers)
            self.submit = lambda function, argument: self.pool.apply_async(function, (argument,))
        elif peer == "pebble":
            from pebble import ProcessPool
            self.pool = ProcessPool(max_workers=workers)
            self.submit = lambda function, argument: self.pool.schedule(function, args=(argument,))
        elif peer == "billiard":
            import billiard
            self.pool = billiard.Pool(workers)
            self.submit = lambda function, argument: self.pool.apply_async(function, (argument,))
        elif peer == "loky":
            from joblib.externals.loky import ProcessPoolExecutor
            self.pool = ProcessPoolExecutor(workers)
            self.submit = self.pool.submit
        else:
            sys.exit(f"pools.py: no peer '{peer}'")

    def result(self, handle):
        return handle.get() if self.peer in ("mp", "billiard") else handle.result()

    def map(self, function, items):
        """As each does it best by itself: only multiprocessing and billiard choose a chunk size."""
        if self.peer in ("executor", "loky"):
            return list(self.pool.map(function, items, chunksize=max(1, len(items) // 64)))
        if self.peer == "pebble":
            return list(self.pool.map(function, items, chunksize=max(1, len(items) // 64)).result())
        return self.pool.map(function, items)

    def end(self):
        """In the quickest way that each has; what is measured has been measured."""
        if self.peer == "loky":
            self.pool.shutdown(kill_workers=True)
        elif self.peer == "pebble":
            self.pool.stop()
            self.pool.join()
        elif self.peer == "executor":
            self.pool.shutdown()
        else:
            self.pool.terminate()

    def warm_up(self, workers):
        for handle in [self.submit(nap, 0) for _ in range(8 * workers)]:
            self.result(handle)


def emit(figure, peer, value, unit):
    print(json.dumps({"figure": figure, "who": NAMES[peer], "value": value, "unit": unit}),
          flush=True)


def stream(pool, knobs):
    waiting = collections.deque()
    total = 0
    begin = time.monotonic()
    for number in range(knobs["tasks"]):
        while len(waiting) >= knobs["queue"]:
            total += pool.result(waiting.popleft())
        waiting.append(pool.submit(multiply, number))
    while waiting:
        total += pool.result(waiting.popleft())
    seconds = time.monotonic() - begin
    assert total == 3 * sum(range(knobs["tasks"]))
    emit("stream", pool.peer, knobs["tasks"] / seconds, "tasks/s")


def map_items(pool, knobs):
    items = range(knobs["tasks"])
    begin = time.monotonic()
    results = pool.map(multiply, items)
    seconds = time.monotonic() - begin
    assert len(results) == len(items) and results[-1] == 3 * items[-1]
    emit("map", pool.peer, knobs["tasks"] / seconds, "items/s")


def latency(pool, knobs):
    times = []
    for number in range(knobs["tasks"]):
        if knobs["gap"]:
            time.sleep(knobs["gap"] * 1e-6)
        begin = time.monotonic()
        pool.result(pool.submit(multiply, number))
        times.append(time.monotonic() - begin)
    emit("p50", pool.peer, statistics.median(times) * 1e6, "us")


def payload(pool, knobs):
    data = os.urandom(min(knobs["size"], 1 << 16)) * max(1, knobs["size"] >> 16)
    times = []
    for _ in range(knobs["tasks"]):
        begin = time.monotonic()
        assert len(pool.result(pool.submit(echo, data))) == len(data)
        times.append(time.monotonic() - begin)
    emit("payload", pool.peer, 2 * len(data) / statistics.median(times) / (1 << 20), "MiB/s")


def hold(pool, knobs):
    emit("ready", pool.peer, knobs["workers"], "workers")
    sys.stdin.read()


MODES = {"stream": stream, "map": map_items, "latency": latency, "payload": payload, "hold": hold}


def main():
    if len(sys.argv) < 3 or sys.argv[1] not in NAMES or sys.argv[2] not in MODES:
        sys.exit(__doc__)
    knobs = dict(KNOBS)
    for setting in sys.argv[3:]:
        name, _, value = setting.partition("=")
        if name not in knobs:
            sys.exit(f"pools.py: no setting '{name}'")
        knobs[name] = int(value)
    try:
        pool = Pool(sys.argv[1], knobs["workers"])
    except ImportError as error:
        print(f"pools.py: {error}", file=sys.stderr)
        sys.exit(3)
    pool.warm_up(knobs["workers"])
    MODES[sys.argv[2]](pool, knobs)
    pool.end()


if __name__ == "__main__":
    main()
