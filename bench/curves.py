"""How it grows: one curve for each quantity, each beside its best peer, drawn by gnuplot."""
import dataclasses
import statistics
import subprocess
import time

LONG = 4  # seconds: a point that takes longer is measured once
ROUNDS = 3


@dataclasses.dataclass
class Curve:
    name: str
    title: str
    xlabel: str
    ylabel: str
    points: tuple
    series: dict       # {legend: function of x to (who, command)}
    figure: str
    most: dict = None  # {legend: the largest x that it is asked for}


def settings(**values):
    return [f"{name}={value}" for name, value in values.items()]


def streams(programs, values):
    """The same stream for procpool and the pools of threads; values: function of x to settings."""
    return {
        "procpool": lambda x: programs.ours("stream", *settings(**values(x))),
        "oneTBB task_group": lambda x: programs.peer("oneTBB", "tbb", *settings(**values(x))),
        "GThreadPool":
            lambda x: programs.peer("GThreadPool", "gthreadpool", *settings(**values(x))),
    }


def payloads(programs):
    def often(size):
        """Until about 256 MiB have gone through, but 1 to 300 times."""
        return max(1, min(300, (256 << 20) // size))

    def ours(buffer):
        return lambda x: programs.ours("payload",
                                       *settings(size=x, tasks=often(x), buffer=buffer))

    def python(who, peer):
        return lambda x: programs.python(who, peer, "payload",
                                         *settings(size=x, tasks=max(1, min(50, often(x) // 4))))
    return {
        "procpool, bytes in and out": ours(0),
        "procpool, pp_buffer": ours(1),
        "memcpy": lambda x: programs.peer("memcpy", "copy", *settings(size=x, copies=often(x))),
        "a bare mapping": lambda x: programs.peer(
            "bare mapping", "copy", *settings(size=x, copies=min(50, often(x)), mapped=1)),
        "multiprocessing.Pool": python("multiprocessing.Pool", "mp"),
        "ProcessPoolExecutor": python("ProcessPoolExecutor", "executor"),
    }


def all_curves(programs):
    rate = "tasks/s"
    most = {"multiprocessing.Pool": 128 << 20, "ProcessPoolExecutor": 128 << 20}
    return [
        Curve("tasks", "Stream of 8-byte tasks, 2 workers: number of tasks", "tasks", rate,
              tuple(10 ** n for n in range(3, 8)), streams(programs, lambda x: {"tasks": x}),
              "stream"),
        Curve("workers", "Stream of 8-byte tasks: workers", "workers", rate,
              tuple(2 ** n for n in range(10)),
              streams(programs, lambda x: {"tasks": 300000, "workers": x}), "stream"),
        Curve("threads", "Stream of 8-byte tasks, 2 workers: submitting threads",
              "submitting threads", rate, (1, 2, 4, 8, 16, 32),
              streams(programs, lambda x: {"tasks": 300000, "threads": x}), "stream"),
        Curve("queue", "Stream of 8-byte tasks, 2 workers: length of the queue",
              "tasks that may wait", rate, tuple(10 ** n for n in range(7)),
              streams(programs, lambda x: {"tasks": max(100000, 2 * x), "queue": x}), "stream"),
        Curve("payload", "Payload of one task in flight", "bytes", "MiB/s",
              tuple(8 ** n for n in range(1, 11)), payloads(programs), "payload", most),
    ]


def measure(curve, runner, deadline):
    """{legend: {x: [values]}}.  Rounds go over all points and series in turn; after the deadline the
    round that is under way is the last, and the first one is always whole."""
    found = {legend: {} for legend in curve.series}
    slow = set()
    for round_ in range(ROUNDS):
        for x in curve.points:
            for legend, command in curve.series.items():
                if x > (curve.most or {}).get(legend, x) or (legend, x) in slow:
                    continue
                if round_ > 0 and time.monotonic() > deadline:
                    return found
                begin = time.monotonic()
                value = runner.run(*command(x)).get(curve.figure)
                if value is not None:
                    found[legend].setdefault(x, []).append(value)
                if time.monotonic() - begin > LONG:
                    slow.add((legend, x))
    return found


def write_data(curve, found, path):
    """gnuplot's blocks: one for each series, two blank lines between."""
    with open(path, "w", encoding="utf-8") as out:
        for legend, points in found.items():
            out.write(f"# {legend}\n")
            for x, values in sorted(points.items()):
                out.write(f"{x} {statistics.median(values):.6g} {min(values):.6g} "
                          f"{max(values):.6g}\n")
            out.write("\n\n")


OURS = ("#c1272d", "#e8795a")
THEIRS = ("#0000a7", "#008176", "#7f7f7f", "#b8860b")


def short(x, base):
    """4096 is 4 Ki, and 10000 is 10 k."""
    step = 1000 if base == 10 else 1024
    for power, suffix in ((3, "G"), (2, "M"), (1, "k" if base == 10 else "K")):
        if x >= step ** power:
            return f"{x // step ** power} {suffix}" + ("" if base == 10 else "i")
    return str(x)


def script(curve, found, data, target):
    base = 2 if curve.name in ("workers", "threads", "payload") else 10
    lines = ["set terminal svg noenhanced size 760,460 font 'sans-serif,12' background 'white'",
             f"set output '{target}'", f"set title '{curve.title}'",
             f"set xlabel '{curve.xlabel}'", f"set ylabel '{curve.ylabel}'",
             f"set logscale x {base}", "set logscale y 10",
             f"set xrange [{curve.points[0] * 0.8}:{curve.points[-1] * 1.25}]", "set grid", "set key below",
             "set format y " + ("'%g'" if curve.name == "payload" else "'%.0s %c'"),
             "set xtics (" + ", ".join(f"'{short(x, base)}' {x}" for x in curve.points) + ")"]
    ours, theirs = iter(OURS), iter(THEIRS)
    plots = []
    for i, (legend, points) in enumerate(found.items()):
        own = legend.startswith("procpool")
        colour = next(ours if own else theirs)
        if points:
            plots.append(f"'{data}' index {i} using 1:2 with linespoints lw {3 if own else 1.5} "
                         f"pt 7 ps 0.5 lc rgb '{colour}' title '{legend}'")
    lines.append("plot " + ", ".join(plots))
    return "\n".join(lines) + "\n" if plots else None


def draw(programs, runner, folder, data_folder, say, deadline):
    folder.mkdir(parents=True, exist_ok=True)
    data_folder.mkdir(parents=True, exist_ok=True)
    for curve in all_curves(programs):
        say(f"curve: {curve.name}")
        found = measure(curve, runner, deadline)
        data = data_folder / f"{curve.name}.dat"
        write_data(curve, found, data)
        text = script(curve, found, data, folder / f"{curve.name}.svg")
        if text is not None:
            subprocess.run(["gnuplot"], input=text, text=True, check=True)
