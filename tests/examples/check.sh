#!/bin/sh
# An example prints what tests/examples/NAME.txt says.
#
#   check.sh BUILD-FOLDER NAME
set -eu
export LC_ALL=C
program=$1/examples/$2 name=$2
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Tasks end in any order: then lines are compared sorted.
in_order() { cat; }
in_any_order() { sort; }
# Worker and pid differ from run to run.
without_pids() { sed -E 's/worker [0-9]+ \(pid [0-9]+\)/worker W (pid P)/; s/, core dumped//'; }

# Of a backtrace the program's own lines, without their numbers.  A busy worker may answer its time limit
# too late.
without_places() {
    grep -v -e ' #.* in libc' -e ' #.*/libc' -e '^loop:  ' | sed -E 's/#[0-9]+/#N/; s/( \([a-z]+[.]c:[0-9]+\)|[+]0x[0-9a-f]+) in / in /'
}

# The jobs come by a named pipe that stays open, so it is the signal that ends the service.
drain_by_signal() {
    mkfifo "$work/jobs" "$work/out"
    "$program" <"$work/jobs" >"$work/out" &
    service=$!
    exec 3>"$work/jobs" 4<"$work/out"
    read -r line <&4
    echo "$line"
    i=0
    while [ $i -lt 20 ]; do
        echo "job $i" >&3
        i=$((i + 1))
    done
    kill -TERM "$service"
    cat <&4 >"$work/rest"
    wait "$service" || echo "exit status $?"
    # how many jobs it had read by then is chance; none that was accepted is lost
    sed -E 's/^([0-9]|1[0-9]|20) done, 0 stopped$/up to 20 done, 0 stopped/' "$work/rest"
}

case $name in
hello | keywords | class | libuv) "$program" | in_any_order ;;
crashes) "$program" | without_pids | without_places | sort ;;
closure) "$program" 'p?o?' pool prow pony plot ship | in_any_order ;;
epoll) # more than the queue takes
    { seq 1000000000 1000000029 && echo 1000000000000037; } | "$program" | in_any_order ;;
service) drain_by_signal && seq 300 | "$program" ;;
*) "$program" | in_order ;;
esac >"$work/printed"

if ! diff -u "$here/$name.txt" "$work/printed"; then
    echo "FAILED: $name prints what stands with +"
    exit 1
fi
