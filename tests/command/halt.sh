#!/bin/sh
# --halt: the run ends by itself when enough has happened.
. "$(dirname "$0")/helpers"

begin "soon,fail=1: what runs finishes, nothing more is started"
cat > meet <<'SCRIPT'
#!/bin/sh
# a fails once b runs; b ends after a
: > "in.$1"
case $1 in
a) until [ -e in.b ]; do sleep 0.02; done; exit 1 ;;
b) sleep 0.3 ;;
esac
echo "$1"
SCRIPT
chmod +x meet
run -j 2 --halt soon,fail=1 ./meet ::: a b c d
is_status 1
has_output 'b
'
says "--halt: waiting for what runs"
sums_up '1 done, 1 failed, 0 timed out, 0 lost'
[ ! -e in.c ] || complain "another one was started"

begin "now,fail=1: what runs is stopped, with all that it started, and what it wrote is shown"
rm -f in.*
run -j 2 --halt now,fail=1 sh -c ': > "in.$1"; [ "$1" = b ] || { until [ -s pid ]; do sleep 0.02; done; exit 3; }
    echo begun; sleep 1000 & echo $! > pid; wait' - ::: a b c
is_status 1
has_output 'begun
'
sums_up '0 done, 1 failed, 0 timed out, 0 lost, 1 cancelled'
until_true is_gone "$(cat pid)"

begin "fail=N counts"
run -j 1 --halt soon,fail=2 sh -c 'exit "$1"' - ::: 0 1 0 1 0 0 0
sums_up '2 done, 2 failed, 0 timed out, 0 lost'

begin "fail=P% is a share of all inputs"
run -j 1 --halt soon,fail=50% false ::: 1 2 3 4
sums_up '0 done, 2 failed, 0 timed out, 0 lost'

begin "fail=P% of inputs whose end is not in sight is one of many jobs"
(yes x | head -n 2000) | run -j 2 --halt soon,fail=30% false
is_status 1
failed=$(tail -n 1 err | sed 's/.* done, \([0-9]*\) failed.*/\1/')
[ "$failed" -ge 100 ] && [ "$failed" -le 110 ] || complain "$failed jobs failed before the end"

begin "success=1 ends well, whatever failed before"
run -j 1 --halt now,success=1 sh -c 'exit "$1"' - ::: 1 2 0 1
is_status 0
sums_up '1 done, 2 failed, 0 timed out, 0 lost'

begin "done=N"
run -j 1 --halt soon,done=3 sh -c 'exit "$1"' - ::: 1 0 1 0 0
is_status 1
sums_up '1 done, 2 failed, 0 timed out, 0 lost'

begin "never, and one that is not reached"
run -j 1 --halt never false ::: 1 2
sums_up '0 done, 2 failed, 0 timed out, 0 lost'
run -j 1 --halt now,fail=3 false ::: 1 2
sums_up '0 done, 2 failed, 0 timed out, 0 lost'

begin "what --halt cancelled is not in the job log, so --resume runs it"
run -j 1 --joblog log --halt now,fail=1 sh -c '[ "$1" != 2 ]' - ::: 1 2 3 4
run -j 1 -k --joblog log --resume echo ::: 1 2 3 4
has_output '3
4
'

begin "functions, too"
${CC:-cc} -shared -fPIC -I "$here/../../include" -o results.so "$here/results.c" || exit 1
run -j 1 --halt soon,fail=1 --plugin ./results.so --function go_wrong ::: a raise
is_status 1
run -j 1 --halt soon,done=1 --plugin ./results.so --function give ::: a b
is_status 0

begin "a job that cannot begin counts at once"
rm -f ran
run -j 1 --halt now,fail=1 --colsep , sh -c 'echo ran {2} >> ran' ::: a b c,1 d e,2
is_status 1
sums_up '0 done, 1 failed, 0 timed out, 0 lost'
[ ! -e ran ] || complain "it is $(cat ran)"

finish
