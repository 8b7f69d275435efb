#!/usr/bin/env python3
"""procpool run beside xargs and GNU parallel, timed by hyperfine, and its memory.

    command.py BUILD_DIR [--quick]

Whole commands are timed, so the start of each tool counts.  A round runs each command once, one after
the other; a ratio of jobs a second is taken within a round, and the median of the rounds is held against
the demand.  Memory is the largest resident set of `procpool run` itself, without its workers, with so many
inputs.

Exit status: 1 when a demand is not met or a command failed.
"""
import json
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

ROUNDS = 5


def lines_file(folder, count):
    path = folder / f"{count}.txt"
    if not path.exists():
        with open(path, "w", encoding="ascii") as lines:
            lines.writelines(f"{i}\n" for i in range(count))
    return path


def seconds(folder, path, command):
    """One run, by hyperfine; without a shell between."""
    result = folder / "hyperfine.json"
    subprocess.run(["hyperfine", "-N", "--runs", "1", "--style", "none", "--export-json", result,
                    command.format(inputs=path)], check=True, capture_output=True)
    return json.loads(result.read_text(encoding="utf-8"))["results"][0]["mean"]


def resident(procpool, plugin, path):
    """Its own VmHWM in KiB: read when it has said all, and waits for the end of its input."""
    with subprocess.Popen([procpool, "run", "--quiet", "-j2", "--plugin", plugin, "--function", "same"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as job:
        with open(path, "rb") as lines:
            feeder = subprocess.Popen(["cat"], stdin=lines, stdout=job.stdin)
        size = path.stat().st_size
        # what is read last is what the last input gave: none is left but the end
        while size > 0:
            piece = job.stdout.read1(1 << 16)
            if not piece:
                sys.exit("procpool run ended early")
            size -= len(piece)
        feeder.wait()
        status = pathlib.Path(f"/proc/{job.pid}/status").read_text(encoding="ascii")
        job.stdin.close()
        if job.wait() != 0:
            sys.exit(f"procpool run: status {job.returncode}")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


def compare(folder, build, quick):
    """[(label, demand, ratios)]"""
    procpool, plugin = build / "procpool", build / "bench" / "plugin_same.so"
    nothing = build / "bench" / "peers" / "nothing"
    jobs = 200 if quick else 2000
    few = 40 if quick else 200
    many = 100000 if quick else 1000000
    commands = {
        "run": (jobs, f"{procpool} run -j2 -a {{inputs}} /bin/true"),
        "xargs": (jobs, "xargs -a {inputs} -P2 -n1 /bin/true"),
        "parallel": (few, "parallel --will-cite -j2 -a {inputs} /bin/true"),
        "spawn": (jobs, f"{build / 'bench' / 'peers' / 'spawn'} {jobs} 2"),
        "run, nothing": (jobs, f"{procpool} run -j2 -a {{inputs}} {nothing}"),
        "xargs, nothing": (jobs, f"xargs -a {{inputs}} -P2 -n1 {nothing}"),
        "plugin": (many, f"{procpool} run -j2 -a {{inputs}} --plugin {plugin} --function same"),
    }
    present = {who: what for who, what in commands.items() if shutil.which(what[1].split()[0])}
    rates = {who: [] for who in present}
    for _ in range(3 if quick else ROUNDS):
        for who, (count, command) in present.items():
            path = lines_file(folder, count)
            rates[who].append(count / seconds(folder, path, command))
    for who, values in rates.items():
        print(f"   {who:14} {statistics.median(values):12,.0f} jobs/s", flush=True)
    rows = [("true by exec, beside bare posix_spawn, the limit", None, "run", "spawn"),
            ("bare posix_spawn, beside xargs -P", None, "spawn", "xargs"),
            ("true by exec, beside xargs -P", 1.5, "run", "xargs"),
            ("a program that does nothing, beside xargs -P", None, "run, nothing", "xargs, nothing"),
            ("true by exec, beside GNU parallel", 10, "run", "parallel"),
            ("plugin function, beside GNU parallel", 1000, "plugin", "parallel")]
    for label, demand, ours, theirs in rows:
        if theirs in rates:
            yield label, demand, [a / b for a, b in zip(rates[ours], rates[theirs])]
        else:
            print(f"   {theirs} is not installed: left out")


def main():
    quick = "--quick" in sys.argv[2:]
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    build = pathlib.Path(sys.argv[1]).resolve()
    good = True
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for label, demand, ratios in compare(folder, build, quick):
            ratio = statistics.median(ratios)
            met = demand is None or ratio >= demand
            good = good and met
            wanted = f", at least {demand:,}: {'yes' if met else 'NO'}" if demand else ""
            print(f"   {label}: {ratio:,.2f} x ({min(ratios):,.2f} to {max(ratios):,.2f}){wanted}",
                  flush=True)
        sizes = [10**3, 10**5] if quick else [10**3, 10**5, 10**7]
        memory = [resident(build / "procpool", build / "bench" / "plugin_same.so",
                           lines_file(folder, count)) for count in sizes]
        flat = memory[-1] <= memory[0] + 1024
        good = good and flat
        print("   memory: " + ", ".join(f"{kib:,} KiB with {count:,} inputs"
                                        for kib, count in zip(memory, sizes))
              + f": {'flat' if flat else 'NOT FLAT'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
