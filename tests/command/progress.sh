#!/bin/sh
# The progress line: on a terminal only, not too often, and never in the way of results.
. "$(dirname "$0")/helpers"

begin "no progress line where there is no terminal"
run -j 2 sleep ::: 0.3 0.3
is_status 0
[ "$(wc -l < err)" -eq 1 ] || complain "standard error has $(wc -l < err) lines"
says_not running

if ! command -v script > /dev/null; then
    echo "script(1) is not installed: the rest is left out"
    finish
fi

# on_terminal COLUMNS COMMAND: run it under a pty of its own; what the terminal got is in `seen`, and
# in `lines`, one for each time that a line was begun.
on_terminal()
{
    TERM=${terminal:-xterm} script -qefc "stty cols $1; $2" /dev/null > seen < /dev/null
    status=$?
    tr '\r' '\n' < seen | sed 's/\x1b\[K//g' > lines
    : > err
}

updates()
{
    grep -c 'running,.*tasks/s' lines
}

begin "a progress line on a terminal, with all its counts"
on_terminal 200 "'$procpool' run -j 2 --timeout 5 sleep ::: 0.5 0.5 0.5 x"
is_status 1
grep -Eqx '[0-9]+ done, [01] failed, 0 timed out, 0 lost, [0-9]+ running, [0-9.]+ tasks/s(, [0-9]+%, ETA [0-9:]+)?' lines ||
    complain "it is $(cat -v seen)"
grep -q '2 running' lines || complain "it never said that two are running"

begin "it is erased before the failures and the summary"
tr -d '\n' < seen | grep -q "$(printf 'tasks/s[^\r]*\033\\[K\r\033\\[K[^\r]*invalid time.*\r\033\\[K')" ||
    tr -d '\n' < seen | grep -q "$(printf 'tasks/s[^\r]*\033\\[K\r\033\\[K\033\\[31m.x.: exit 1')" ||
    complain "the end is $(tail -n 4 seen | cat -v)"

begin "at most ten updates a second"
seq 300 > numbers
begun=$(date +%s%N)
on_terminal 200 "'$procpool' run -j 2 true < numbers"
is_status 0
tenths=$((($(date +%s%N) - begun) / 100000000))
[ "$(updates)" -le $((tenths + 2)) ] || complain "$(updates) updates in $tenths tenths of a second"
[ "$(updates)" -ge 1 ] || complain "no update in $tenths tenths of a second"

begin "results on the same terminal stand on lines of their own"
seq 1 300 | sed 's/.*/<&>/' > numbers
on_terminal 200 "'$procpool' run -k -j 2 sh -c 'sleep 0.01; echo \"\$1\"' - < numbers"
is_status 0
grep '^<' lines | cmp -s - numbers || complain "$(grep '<' lines | grep -v '^<[0-9]*>$' | head -n 3)"

begin "it is cut to the width of the terminal"
on_terminal 30 "'$procpool' run sleep ::: 0.5"
longest=$(grep '^[0-9]* done' lines | head -n 1 | wc -L)
[ "$longest" -le 30 ] || complain "it is $longest columns wide"

begin "none on a dumb terminal"
terminal=dumb on_terminal 200 "'$procpool' run sleep ::: 0.3"
! grep -q running lines || complain "there is one"

finish
