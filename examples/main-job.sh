#!/bin/sh
# main-job.sh BUILD_DIR - real work for procpool run: the SHA-256 of every file in /usr/include and
# /usr/share/common-licenses, by a function of a plugin and by a command, each with one task
# that crashes and one that hangs.  What comes out is compared with what sha256sum itself says.
set -u
export LC_ALL=C

build=${1:?usage: main-job.sh BUILD_DIR}
build=$(cd "$build" && pwd) || exit 1
limit=2

work=$(mktemp -d) || exit 1
killer=
clean_up()
{
    if [ -n "$killer" ]; then
        kill "$killer" 2> /dev/null
    fi
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

fail()
{
    echo "main job: $*" >&2
    exit 1
}

# The files, and what is true about them.
find /usr/include /usr/share/common-licenses -type f > "$work/files"
count=$(wc -l < "$work/files")
[ "$count" -gt 0 ] || fail "no files found"
xargs -d '\n' sha256sum < "$work/files" | sort > "$work/expected"

# inputs CRASH HANG: the list with two accidents in it.
inputs()
{
    awk -v crash="$1" -v hang="$2" -v count="$count" '
        NR == int(count / 4) + 1 { print crash }
        NR == int(count / 2) + 1 { print hang }
        { print }' "$work/files" > "$work/inputs"
}

# run ARGUMENTS...: procpool over the inputs.  On a terminal it gets one of its own, from script(1),
# so that its progress line is seen and what it says can be read afterwards.
run()
{
    echo "\$ procpool $* < inputs"
    {
        printf 'exec "%s/procpool"' "$build"
        for word in "$@"; do
            printf " '%s'" "$word"
        done
        printf ' < "%s/inputs" > "%s/results"\n' "$work" "$work"
    } > "$work/job"
    if [ -t 1 ] && command -v script > /dev/null; then
        script -qefc "sh '$work/job'" "$work/log"
        status=$?
    else
        sh "$work/job" 2> "$work/log"
        status=$?
        cat "$work/log"
    fi
}

# check NAME SUMMARY: 1 is the exit status when some tasks did not succeed.
check()
{
    [ "$status" -eq 1 ] || fail "$1: exit status $status instead of 1"
    tr '\r' '\n' < "$work/log" | grep -q "$2, in [0-9.]* s (" || fail "$1: no summary '$2'"
    sort "$work/results" > "$work/sorted"
    cmp "$work/sorted" "$work/expected" || fail "$1: the results differ from those of sha256sum"
    echo
}

echo "== a function of a plugin, on $count files, one crash and one hang"
inputs crash:here hang:here
run run --timeout "$limit" --plugin "$build/examples/plugin_checksum.so" --function sha256
check "plugin" "$count done, 0 failed, 1 timed out, 1 lost"

# sha256sum hangs when it opens a pipe that nobody writes to.  It crashes when it gets SIGSEGV,
# which is sent to it once it has opened the other pipe.
echo "== a command, on $count files, one crash and one hang"
mkfifo "$work/hang" "$work/crash"
inputs "$work/crash" "$work/hang"
(
    exec 9> "$work/crash"       # waits until sha256sum has opened it
    for process in /proc/[0-9]*; do
        read -r name < "$process/comm" && [ "$name" = sha256sum ] || continue
        for fd in "$process"/fd/*; do
            if [ "$(readlink "$fd")" = "$work/crash" ]; then
                kill -SEGV "${process#/proc/}"
            fi
        done
    done 2> /dev/null
) &
killer=$!
run run --timeout "$limit" sha256sum {}
kill "$killer" 2> /dev/null     # if the pipe was never opened
wait "$killer"
killer=
check "command" "$count done, 1 failed, 1 timed out, 0 lost"

echo "results agree: $count files"
