#!/usr/bin/env python3
"""The benchmarks: run all of them in turn, compare round by round, print a table, draw the curves.

    run.py BUILD_DIR [--quick]

A round runs every program once, each beside what it is compared with (A B C A B C ...).  A ratio is
taken within a round, and the median of the rounds' ratios is what counts: machines drift.  What is
measured, and where the work differs, is told in docs/bench/README.md; what is demanded stands below,
in ROWS.

ROUNDS in the environment is their number.

--quick: fewer rounds, smaller sizes, no curves, and nothing is written outside of BUILD_DIR.
Otherwise the table goes to docs/bench/table.md, the curves to docs/bench/*.svg.  In both cases every
single figure is kept in BUILD_DIR/bench/results.jsonl.

Exit status: 1 when a program of ours failed.  A peer that is missing or fails is named and skipped.
"""
import dataclasses
import datetime
import json
import os
import pathlib
import shutil
import statistics
import signal
import subprocess
import sys
import time

import curves
import idle

ROOT = pathlib.Path(__file__).resolve().parent.parent
MISSING = 3  # the exit status of a peer that is not installed
MIB64 = 64 << 20

# On a slow or busy machine there are fewer rounds of the table, and then of the curves, so that all
# of it ends within a quarter of an hour.
LEAST_ROUNDS = 3
ROUNDS_SECONDS = 6 * 60
CURVES_SECONDS = 12 * 60


# ------------------------------------------------------------------------------- programs

class Programs:
    """What can be run, by name; a name is (who, command line)."""

    def __init__(self, build, quick):
        self.bench = build / "bench"
        self.peers = self.bench / "peers"
        self.scripts = ROOT / "bench" / "peers"
        self.command = build / "procpool"
        self.modules = build / "npm" / "node_modules"
        self.quick = quick
        self.per_ms = 0

    def ours(self, program, *settings):
        return "procpool", [self.bench / program, *settings]

    def peer(self, who, program, *settings):
        return who, [self.peers / program, *settings]

    def python(self, who, peer, *settings):
        return who, [sys.executable, self.scripts / "pools.py", peer, *settings]

    def jobs(self, who, count, *command):
        """A process for each line of a file: timed from outside."""
        return who, ["jobs", count, *command]

    def all(self):
        """Every run of a round, in order.  The second number is for --quick."""
        def size(name, full, quick):
            return f"{name}={quick if self.quick else full}"

        def count(full, quick):
            return quick if self.quick else full

        ours, peer, python = self.ours, self.peer, self.python
        tasks = size("tasks", 1000000, 200000)
        few = size("tasks", 5000, 1000)
        flight = size("tasks", 1000, 300)
        trips = size("trips", 1000, 300)
        loop = f"per_ms={self.per_ms}"
        pure = (size("tasks", 20000, 4000), "short=50", loop)
        mixed = (size("tasks", 10000, 2000), "short=10", "long=10000", loop)
        return {
            "stream": ours("stream", tasks),
            "tbb": peer("oneTBB", "tbb", tasks),
            "tbb, own": peer("oneTBB", "tbb", tasks, "own=1"),
            "tbb, handing over": peer("oneTBB, handing over", "tbb", tasks, "help=0"),
            "gthreadpool": peer("GThreadPool", "gthreadpool", tasks),
            "ring": peer("raw ring", "ring", size("messages", 10000000, 5000000)),
            "stream, format": ours("stream", tasks, "format=1", "daemonize=1"),
            "stream, 128": ours("stream", size("tasks", 1000000, 50000), "workers=128"),
            "asleep": ours("latency", flight, "gap=1000"),
            "futex": peer("futex ping-pong", "pingpong", trips, "gap=1000"),
            "gthreadpool, asleep": peer("GThreadPool", "gthreadpool", "mode=1", flight, "gap=1000"),
            "awake": ours("latency", size("tasks", 20000, 3000), "gap=0"),
            "spinning": peer("spinning ping-pong", "pingpong",
                             size("trips", 100000, 20000), "gap=0", "spin=1"),
            "executor, awake": python("ProcessPoolExecutor", "executor", "latency",
                                      size("tasks", 1000, 200)),
            "buffer": ours("payload", f"size={MIB64}", "buffer=1", size("tasks", 10, 4)),
            "memcpy": peer("memcpy", "copy", f"size={MIB64}", size("copies", 10, 4)),
            "mapping": peer("bare mapping", "copy", f"size={MIB64}", size("copies", 10, 4),
                            "mapped=1"),
            "bytes": ours("payload", f"size={MIB64}", "buffer=0", size("tasks", 10, 4)),
            "map": ours("map", size("items", 5000000, 1000000)),
            "mp, map": python("multiprocessing.Pool.map", "mp", "map",
                              size("tasks", 5000000, 500000)),
            "pure": ours("busy", *pure),
            "pure, bare": peer("bare processes", "../busy", *pure, "bare=1"),
            "mixed": ours("busy", *mixed),
            "mixed, ideal": peer("ideal schedule", "../busy", *mixed, "bare=1"),
            "create": ours("create"),
            "forks": peer("bare forks", "../create", "bare=1"),
            "backlog": ours("backlog", tasks),
            "gthreadpool, backlog": peer("GThreadPool", "gthreadpool", "mode=2", tasks),
            "tbb, backlog": peer("oneTBB", "tbb", "mode=2", tasks),
            "death": ours("death", size("kills", 300, 60), "json=1"),
            "executor": python("ProcessPoolExecutor", "executor", "stream", few),
            "mp": python("multiprocessing.Pool.apply_async", "mp", "stream",
                         size("tasks", 20000, 3000)),
            "pebble": python("Pebble", "pebble", "stream", few),
            "billiard": python("billiard", "billiard", "stream", size("tasks", 20000, 3000)),
            "loky": python("joblib/loky", "loky", "stream", few),
            "mce": ("Perl MCE", ["perl", self.scripts / "mce.pl", size("tasks", 20000, 3000)]),
            "workerpool": ("Node workerpool", ["node", self.scripts / "workerpool.js",
                                               size("tasks", 20000, 3000)]),
            "jobs": self.jobs("procpool run", count(1000, 200), self.command, "run", "-j2",
                              "/bin/true"),
            "xargs": self.jobs("xargs -P", count(1000, 200), "xargs", "-P2", "-n1", "/bin/true"),
            "parallel": self.jobs("GNU parallel", count(200, 40), "parallel", "--will-cite", "-j2",
                                  "/bin/true"),
        }


class Runner:
    """Runs programs, keeps their figures, and knows what could not be run."""

    def __init__(self, programs, log):
        self.programs = programs
        self.log = log
        self.skipped = {}
        self.failed = {}
        self.environment = dict(os.environ, NODE_PATH=str(programs.modules))

    def run(self, who, command, timeout=120):
        """The figures of one run: {figure: value}, empty when there are none."""
        command = [str(word) for word in command]
        if who in self.skipped:
            return {}
        begin = time.monotonic()
        try:
            output = self.jobs(command[1:]) if command[0] == "jobs" else \
                self.output(command, timeout)
        except FileNotFoundError as error:
            return self.give_up(who, f"not installed: {error.filename}")
        except subprocess.TimeoutExpired:
            words = " ".join(pathlib.Path(word).name for word in command)
            return self.give_up(who, f"no end within {timeout} s: {words}")
        except subprocess.CalledProcessError as error:
            what = (error.stderr or "").strip().splitlines()
            reason = what[-1] if what else f"status {error.returncode}"
            return self.give_up(who, "not installed: " + reason if error.returncode == MISSING
                                else f"failed: {reason}")
        figures = {}
        seconds = round(time.monotonic() - begin, 2)
        for line in output.splitlines():
            if not line.startswith("{"):
                continue
            figure = json.loads(line)
            figures[figure["figure"]] = figure["value"]
            self.log.write(json.dumps(dict(figure, command=command, seconds=seconds)) + "\n")
        return figures

    def output(self, command, timeout, stdin=None):
        """What it writes.  One that does not end is ended with all the processes that it started."""
        with subprocess.Popen(command, stdin=stdin or subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, env=self.environment,
                              start_new_session=True) as process:
            try:
                output, errors = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        if process.returncode != 0:
            raise subprocess.CalledProcessError(process.returncode, command, output, errors)
        return output

    def jobs(self, command):
        count = int(command[0])
        path = self.programs.bench / "jobs.txt"
        path.write_text("".join(f"{i}\n" for i in range(count)))
        with open(path, encoding="ascii") as lines:
            begin = time.monotonic()
            self.output(command[1:], 120, lines)
            seconds = time.monotonic() - begin
        return json.dumps({"figure": "jobs", "value": count / seconds, "unit": "jobs/s"})

    def give_up(self, who, reason):
        """A peer is not tried again; ours may fail once and come back."""
        where = self.failed if who.startswith("procpool") else self.skipped
        where[who] = reason
        print(f"   {who}: {reason}", file=sys.stderr)
        return {}


# ------------------------------------------------------------------------------------ rows

@dataclasses.dataclass
class Row:
    """One line of the table.

    ours, peers: "run: figure"; of several peers the best counts, round by round.  Without peers the
    figure itself is held against the demand.  sign: at least (>=) or at most (<=) the demand, which
    is a ratio to the peer, or None where nothing is demanded.
    """
    label: str
    ours: str
    unit: str
    peers: tuple = ()
    sign: str = ">="
    demand: float = None
    aim: object = None  # a number like demand, or words


ROWS = [
    Row("stream of 8-byte tasks, 2 workers, queue 4096, pool callback", "stream: stream", "tasks/s",
        ("tbb: stream", "tbb, own: stream"), demand=2),
    Row("- the same", "stream: stream", "tasks/s", ("tbb, handing over: stream",), demand=2),
    Row("- the same", "stream: stream", "tasks/s", ("gthreadpool: stream",), demand=4),
    Row("- the same", "stream: stream", "tasks/s", ("ring: stream",), aim=0.5),
    Row("the same through the format language and daemonized", "stream, format: stream", "tasks/s",
        ("tbb: stream", "tbb, own: stream"), demand=1, aim=2),
    Row("one task in flight, submit to result seen, p50", "asleep: p50", "us", ("futex: p50",),
        "<=", 1.5, 1.1),
    Row("the same while the worker still spins, p50", "awake: p50", "us", ("spinning: p50",), "<=",
        5, 2),
    Row("64 MiB by pp_buffer, worker touches each page", "buffer: payload", "MiB/s",
        ("memcpy: payload",), demand=0.9, aim="no copy at all"),
    Row("64 MiB by bytes, in and out", "bytes: payload", "MiB/s", ("memcpy: payload",), demand=0.4,
        aim=0.5),
    Row("pp_pool_map, 5 million 4-byte items", "map: map", "items/s", ("mp, map: map",), demand=20,
        aim="memory bound"),
    Row("20,000 tasks of 50 us pure CPU", "pure: busy", "tasks/s", ("pure, bare: busy",),
        demand=0.95, aim=0.99),
    Row("1 % tasks of 10 ms among 10 us tasks", "mixed: busy", "tasks/s", ("mixed, ideal: busy",),
        demand=0.9, aim=0.97),
    Row("idle pool of 8 for 10 s: wake-ups", "idle: wake-ups of 8", "", sign="<=", demand=0, aim=0),
    Row("- idle pool of 512", "idle: wake-ups of 512", "", sign="<=", aim=0),
    Row("memory per idle worker (PSS)", "idle: PSS of 8", "KiB", sign="<=", demand=300, aim=150),
    Row("128 workers on two cores, same stream, beside 2 workers", "stream, 128: stream", "tasks/s",
        ("stream: stream",), demand=0.6, aim=0.9),
    Row("creation of a pool of 128, first result", "create: create", "ms", ("forks: create",), "<=",
        1.5, 1.1),
    Row("submit of 10^6 tasks, unbounded queue: time of the 2nd half beside the 1st",
        "backlog: second half", "", sign="<=", demand=1.25),
    Row("- bytes a waiting 8-byte task", "backlog: memory", "bytes", sign="<=", demand=200, aim=100),
    Row("SIGKILL to callback, p99, host blocked", "death: blocked", "us", ("death: pidfd",), "<=", 3,
        1.5),
    Row("- daemonized", "death: daemonized", "us", ("death: pidfd",), "<=", 3, 1.5),
]

# Nothing is demanded of these: who else is there, and how far away.
OTHERS = [
    Row("stream, 2 workers", "stream: stream", "tasks/s", (f"{peer}: stream",))
    for peer in ("executor", "mp", "pebble", "billiard", "loky", "mce", "workerpool")
] + [
    Row("a process for each job, 2 at a time", "jobs: jobs", "jobs/s", ("xargs: jobs",)),
    Row("a process for each job, 2 at a time", "jobs: jobs", "jobs/s", ("parallel: jobs",)),
    Row("64 MiB by pp_buffer, worker touches each page", "buffer: payload", "MiB/s",
        ("mapping: payload",)),
    Row("one in flight, sleeping, p50", "asleep: p50", "us", ("gthreadpool, asleep: p50",), "<="),
    Row("one in flight, at once, p50", "awake: p50", "us", ("executor, awake: p50",), "<="),
    Row("submit into an unbounded queue", "backlog: submit", "tasks/s",
        ("gthreadpool, backlog: submit",)),
    Row("submit into an unbounded queue", "backlog: submit", "tasks/s", ("tbb, backlog: submit",)),
    Row("memory of a waiting task", "backlog: memory", "bytes", ("gthreadpool, backlog: memory",),
        "<="),
    Row("memory of a waiting task", "backlog: memory", "bytes", ("tbb, backlog: memory",), "<="),
    Row("wake-ups of an idle pool of 8", "idle: wake-ups of 8", "", ("idle, executor: wake-ups",),
        "<="),
    Row("wake-ups of an idle pool of 8", "idle: wake-ups of 8", "", ("idle, mp: wake-ups",), "<="),
    Row("PSS per idle worker, pool of 8", "idle: PSS of 8", "KiB", ("idle, executor: PSS",), "<="),
    Row("PSS per idle worker, pool of 8", "idle: PSS of 8", "KiB", ("idle, mp: PSS",), "<="),
    Row("PSS of a pool's processes, per worker from 8 to 128", "idle: growth", "KiB", (), "<="),
]


def number(value):
    """Three digits that count; millions are called so."""
    if value is None:
        return "-"
    if abs(value) >= 1e6:
        return number(value / 1e6) + " M"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def with_unit(value, unit):
    return f"{number(value)} {unit}".rstrip() if value is not None else "-"


class Table:
    def __init__(self, rounds, runs):
        self.rounds = rounds  # [{run: {figure: value}}]
        self.runs = runs      # {run: (who, command)}

    def values(self, reference):
        run, _, figure = reference.rpartition(": ")
        return [round_.get(run, {}).get(figure) for round_ in self.rounds]

    def best(self, row):
        """The best peer's figure of each round."""
        better = max if row.sign == ">=" else min
        columns = [self.values(peer) for peer in row.peers]
        rounds = [[value for value in values if value is not None] for values in zip(*columns)]
        return [better(values) if values else None for values in rounds]

    def who(self, row):
        run, _, figure = row.peers[0].rpartition(": ")
        if run == "death":
            return "kill to pidfd"
        return "2 workers" if run == "stream" else {**self.runs, **idle.PEERS}[run][0]

    def compare(self, row):
        """(ours, peer's, ratio), each the median of the rounds or None."""
        def middle(values):
            values = [value for value in values if value is not None]
            return statistics.median(values) if values else None

        ours = self.values(row.ours)
        if not row.peers:
            return middle(ours), None, None
        theirs = self.best(row)
        ratios = [a / b if a is not None and b else None for a, b in zip(ours, theirs)]
        return middle(ours), middle(theirs), middle(ratios)

    @staticmethod
    def verdict(row, value, wanted):
        if value is None:
            return "not measured"
        return "yes" if (value >= wanted if row.sign == ">=" else value <= wanted) else "**no**"

    def line(self, row):
        ours, theirs, ratio = self.compare(row)
        measured = ratio if row.peers else ours
        sign = {">=": "at least", "<=": "at most"}[row.sign]
        unit = " x" if row.peers else f" {row.unit}".rstrip()
        demand = met = aim = "-"
        if row.demand is not None:
            demand = f"{sign} {row.demand:g}{unit}"
            met = self.verdict(row, measured, row.demand)
        if isinstance(row.aim, str):
            aim = row.aim
        elif row.aim is not None:
            reached = self.verdict(row, measured, row.aim).strip("*")
            aim = f"{row.aim:g}{unit}: {reached}"
        peer = f"{self.who(row)}: {with_unit(theirs, row.unit)}" if row.peers else "-"
        return [row.label, with_unit(ours, row.unit), peer,
                number(ratio) if row.peers else "-", demand, met, aim]

    def markdown(self):
        lines = ["| figure | ours | peer | ratio | demand | met | highest aim |",
                 "| --- | ---: | ---: | ---: | ---: | --- | --- |"]
        lines += ["| " + " | ".join(self.line(row)) + " |" for row in ROWS]
        lines += ["", "Others, of whom nothing is demanded:", "",
                  "| figure | ours | peer | ratio |", "| --- | ---: | ---: | ---: |"]
        lines += ["| " + " | ".join(self.line(row)[:4]) + " |" for row in OTHERS]
        return "\n".join(lines)


# ------------------------------------------------------------------------------ the machine

def first_line(path, key):
    try:
        with open(path, encoding="utf-8") as lines:
            return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(key))
    except (OSError, StopIteration):
        return "unknown"


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, check=True, text=True,
                              cwd=ROOT).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def stolen():
    """Seconds of CPU that a hypervisor gave to others, and all seconds, since the machine began."""
    with open("/proc/stat", encoding="ascii") as stat:
        ticks = [int(word) for word in stat.readline().split()[1:9]]
    return ticks[7], sum(ticks)


def heading(rounds, load, steal, quick):
    commit = output_of("git", "rev-parse", "--short", "HEAD")
    if output_of("git", "status", "--porcelain", "--", "src", "include", "bench", "cmake"):
        commit += " with changes"
    cpu = first_line("/proc/cpuinfo", "model name")
    memory = first_line("/proc/meminfo", "MemTotal").split()[0]
    gib = f"{int(memory) / (1 << 20):.0f} GiB" if memory.isdigit() else "unknown memory"
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    return (f"{today}, commit {commit}; {os.cpu_count()} x {cpu}, {gib}, Linux {os.uname().release}; "
            f"{rounds} rounds, median of their ratios. Load before: {load:.2f}; stolen by the "
            f"hypervisor meanwhile: {steal:.1%}."
            + (" A quick run: sizes are smaller than the lines say." if quick else ""))


# ------------------------------------------------------------------------------------- main

def measure_round(runner, runs):
    return {name: runner.run(*run) for name, run in runs.items()}


def notes(runner):
    lines = [f"- Skipped: {who} ({reason})." for who, reason in sorted(runner.skipped.items())]
    lines += [f"- FAILED: {who} ({reason})." for who, reason in sorted(runner.failed.items())]
    lines.append("- Where the work differs, and how each is measured: [README.md](README.md).")
    return "\n".join(lines)


def main():
    quick = "--quick" in sys.argv[2:]
    if len(sys.argv) < 2 or [word for word in sys.argv[2:] if word != "--quick"]:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    rounds = int(os.environ.get("ROUNDS") or (3 if quick else 5))
    begin = time.monotonic()
    load = os.getloadavg()[0]
    stolen_before = stolen()
    log = open(build / "bench" / "results.jsonl", "w", encoding="utf-8")
    programs = Programs(build, quick)
    runner = Runner(programs, log)

    def say(what):
        print(f"   {time.monotonic() - begin:4.0f} s  {what}", file=sys.stderr, flush=True)

    if load > 0.5:
        say(f"the machine is not at rest: load {load:.2f}.  Figures will be worse than they are")
    programs.per_ms = round(runner.run(*programs.ours("busy")).get("per_ms", 0)) or 1
    runs = programs.all()
    done = []
    for i in range(rounds):
        if i >= LEAST_ROUNDS and time.monotonic() - begin > ROUNDS_SECONDS:
            say("no more rounds: they take too long here")
            break
        say(f"round {i + 1} of {rounds}")
        done.append(measure_round(runner, runs))
    say("idle pools")
    done[0].update(idle.measure(programs, runner, 3 if quick else 10))
    if not quick and shutil.which("gnuplot"):
        say("curves")
        curves.draw(programs, runner, ROOT / "docs" / "bench", build / "bench" / "curves", say,
                    begin + CURVES_SECONDS)
    elif not quick:
        runner.give_up("curves", "not drawn: gnuplot is not installed")
    before, after = stolen_before, stolen()
    steal = (after[0] - before[0]) / max(1, after[1] - before[1])
    table = Table(done, runs)
    text = "\n\n".join([heading(len(done), load, steal, quick), table.markdown(), notes(runner)]) + "\n"
    target = build / "bench" / "table.md" if quick else ROOT / "docs" / "bench" / "table.md"
    target.write_text(("" if quick else "# Benchmarks\n\n") + text, encoding="utf-8")
    say(f"written to {target.relative_to(ROOT) if target.is_relative_to(ROOT) else target}")
    print(text, end="")
    return 1 if runner.failed else 0


if __name__ == "__main__":
    sys.exit(main())
