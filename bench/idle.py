"""What an idle pool costs: wake-ups and memory, seen from outside through /proc."""
import contextlib
import json
import pathlib
import subprocess
import time

PROC = pathlib.Path("/proc")
PEERS = {"idle, executor": ("ProcessPoolExecutor", "executor"),
         "idle, mp": ("multiprocessing.Pool", "mp")}


def tree(root):
    """The process and all its descendants: {pid: parent}."""
    parents = {}
    for stat in PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text(encoding="utf-8", errors="replace")
            parents[int(stat.parent.name)] = int(fields.rpartition(")")[2].split()[1])
    found = {root: 0}
    grown = True
    while grown:
        more = {pid: parent for pid, parent in parents.items()
                if parent in found and pid not in found}
        found.update(more)
        grown = bool(more)
    return found


def wake_ups(pids):
    """Each return to sleep of each thread: one for each wake-up."""
    total = 0
    for pid in pids:
        for status in PROC.glob(f"{pid}/task/*/status"):
            with contextlib.suppress(OSError):
                for line in status.read_text(encoding="utf-8", errors="replace").splitlines():
                    if line.startswith("voluntary_ctxt_switches:"):
                        total += int(line.split()[1])
    return total


def pss_kib(pid):
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0


def leaves(found):
    """Those without children: the workers."""
    return [pid for pid in found if pid not in found.values()]


def pss_per_worker(found, workers):
    """The mean over the processes without children.  Python keeps a helper or two, which would be
    wrong to count: the `workers` largest are taken."""
    sizes = sorted((pss_kib(pid) for pid in leaves(found)), reverse=True)[:workers]
    return sum(sizes) / len(sizes) if len(sizes) == workers else None


@contextlib.contextmanager
def held(command):
    """A program that says when it is ready, and stays until its standard input ends."""
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            line = process.stdout.readline()
            yield process.pid if line.startswith("{") else None
        finally:
            process.stdin.close()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def memory(command, workers):
    """(KiB per worker, KiB of all processes together)"""
    with held(command) as pid:
        if pid is None:
            return None, None
        found = tree(pid)
        return pss_per_worker(found, workers), sum(map(pss_kib, found))


def measure(programs, runner, seconds):
    """{run: {figure: value}} of all pools that are looked at.  Memory is measured with one pool at a
    time, for others would share pages with it; idleness of all of them together."""
    eight, many = programs.ours("hold", "workers=8")[1], programs.ours("hold", "workers=512")[1]
    peers = {name: programs.python(who, peer, "hold", "workers=8")[1]
             for name, (who, peer) in PEERS.items()}
    results = {"idle": {}, **{name: {} for name in peers}}
    results["idle"]["PSS of 8"], total8 = memory(eight, 8)
    _, total128 = memory(programs.ours("hold", "workers=128")[1], 128)
    if total8 is not None and total128 is not None:
        results["idle"]["growth"] = (total128 - total8) / 120
    for name, command in peers.items():
        results[name]["PSS"], _ = memory(command, 8)
    with contextlib.ExitStack() as stack:
        watched = {("idle", "wake-ups of 8"): stack.enter_context(held(eight)),
                   ("idle", "wake-ups of 512"): stack.enter_context(held(many))}
        for name, command in peers.items():
            watched[(name, "wake-ups")] = stack.enter_context(held(command))
        time.sleep(3)
        trees = {key: list(tree(pid)) for key, pid in watched.items() if pid is not None}
        before = {key: wake_ups(pids) for key, pids in trees.items()}
        time.sleep(seconds)
        for (name, figure), pids in trees.items():
            results[name][figure] = wake_ups(pids) - before[(name, figure)]
    for key, pid in watched.items():
        if pid is None:
            runner.give_up("procpool" if key[0] == "idle" else key[0], f"{key[1]}: did not start")
    for name, figures in results.items():
        for figure, value in figures.items():
            runner.log.write(json.dumps({"figure": figure, "who": name, "value": value}) + "\n")
    return results
