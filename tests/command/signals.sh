#!/bin/sh
# INT and TERM: once, what runs may finish; twice, everything ends.  And the signals of the jobs.
. "$(dirname "$0")/helpers"

# A job that says that it runs and waits for leave to end.
cat > waiter <<'SCRIPT'
#!/bin/sh
: > "runs.$1"
while [ ! -e leave ]; do sleep 0.02; done
echo "$1"
SCRIPT
chmod +x waiter

# start: in the background, with default signals, which a shell does not give to a job with `&`;
# standard input is the file $from.
from=/dev/null
start()
{
    rm -f runs.* leave
    perl -e '$SIG{INT} = "DEFAULT"; $SIG{QUIT} = "DEFAULT"; exec @ARGV' \
        "$procpool" run "$@" > out 2> err < "$from" &
    job=$!
}

for signal in INT:2 TERM:15 HUP:1; do
    name=${signal%:*}
    number=${signal#*:}

    begin "$name once: what runs finishes, nothing more is started"
    start -j 2 ./waiter ::: a b c d
    until_true test -e runs.a -a -e runs.b
    kill -$name $job
    until_true grep -q 'a second signal' err
    : > leave
    wait $job
    status=$?
    is_status $((128 + number))
    has_lines << 'END'
a
b
END
    [ ! -e runs.c ] || complain "another one was started"
    sums_up '2 done, 0 failed, 0 timed out, 0 lost, 2 cancelled'

    begin "$name twice: everything ends at once"
    start -j 2 sh -c 'echo $$ > "pid.$1"; : > "runs.$1"; exec sleep 1000' - ::: a b c
    until_true test -e runs.a -a -e runs.b
    kill -$name $job
    until_true grep -q 'a second signal' err
    kill -$name $job
    wait $job
    status=$?
    is_status $((128 + number))
    sums_up '0 done, 0 failed, 0 timed out, 0 lost, 3 cancelled'
    until_true is_gone "$(cat pid.a)"
    until_true is_gone "$(cat pid.b)"
done

begin "a signal ends the wait for inputs"
mkfifo input
exec 8<> input
from=input
start echo
from=/dev/null
echo first >&8
until_true grep -q first out # its output is written out before it waits
kill -TERM $job
wait $job
status=$?
exec 8>&-
is_status 143
sums_up '1 done, 0 failed, 0 timed out, 0 lost'

mkfifo stuck
exec 9<> stuck
head -c 60000 /dev/zero >&9
for size in 40000 1000000; do
    begin "two signals end a run whose output nobody reads, $size bytes"
    rm -f runs.* pid.a
    "$procpool" run -j 2 \
        sh -c ': > "runs.$1"; [ "$1" = a ] || exec sleep 1000; echo $$ > pid.a; head -c "$2" /dev/zero' - {} $size \
        ::: a b > stuck 2> err &
    job=$!
    until_true test -s pid.a -a -e runs.b
    until_true is_gone "$(cat pid.a)"
    kill -TERM $job
    until_true grep -q '^ShdPnd:[[:space:]]*0*$' /proc/$job/status # that one has been taken
    kill -TERM $job
    wait $job
    status=$?
    is_status 143
done
exec 9>&-

begin "a signal that was ignored stays ignored"
rm -f runs.* leave
nohup "$procpool" run ./waiter ::: a > out 2> err < /dev/null &
job=$!
until_true test -e runs.a
kill -HUP $job
sleep 0.2
: > leave
wait $job
status=$?
is_status 0

begin "kill -9 of procpool leaves no job running"
rm -f pid.*
start -j 2 sh -c 'echo $$ > "pid.$1"; exec sleep 1000' - ::: a b
until_true test -s pid.a -a -s pid.b
kill -KILL $job
wait $job 2> /dev/null
until_true is_gone "$(cat pid.a)"
until_true is_gone "$(cat pid.b)"

begin "a job has the default SIGPIPE, whatever the caller has, and no blocked signals"
perl -e '$SIG{PIPE} = "IGNORE"; exec @ARGV' \
    "$procpool" run sh -c 'grep -E "^Sig(Blk|Ign)" /proc/self/status' ::: x > out 2> err
awk '$1 == "SigBlk:" && $2 !~ /^0+$/ { bad = 1 } END { exit bad }' out || complain "$(cat out)"
# SIGPIPE is 13: the fourth hexadecimal digit from the right, its first bit
case $(sed -n 's/^SigIgn:.*\(.\)...$/\1/p' out) in
[13579bdf]) complain "SIGPIPE is ignored: $(cat out)" ;;
esac

begin "a job has no descriptors but its own three and what the caller left open"
sh -c 'ls /proc/self/fd | cat' > own < /dev/null
run sh -c 'ls /proc/self/fd | cat' ::: x
cmp -s out own || complain "they are $(tr '\n' ' ' < out), not $(tr '\n' ' ' < own)"

begin "after a signal nothing is tried again, and what failed has failed"
rm -f pid.* leave log did
start -j 1 --retries 1000 --joblog log sh -c 'echo $$ > pid.1; echo >> did; until [ -e leave ]; do sleep 0.01; done; exit 3' - ::: a
until_true test -s pid.1
kill -TERM $job
until_true grep -q 'a second signal' err
: > leave
wait $job
status=$?
is_status 143
[ "$(wc -l < did)" -eq 1 ] || complain "it was run $(wc -l < did) times"
says "'a': exit 3"
sums_up '0 done, 1 failed, 0 timed out, 0 lost'
[ "$(tail -n 1 log | cut -f 7)" -eq 3 ] || complain "the log is $(cat log)"
rm -f leave

begin "nor does one that waits for its next attempt count as cancelled"
rm -f log did
run -j 2 --joblog log --retries 3 --retry-delay 60 --halt soon,done=1 sh -c \
    '[ $1 = a ] && { echo >> did; exit 4; }; until [ -s did ]; do sleep 0.01; done' - ::: a b
is_status 1
says "'a': exit 4"
sums_up '1 done, 1 failed, 0 timed out, 0 lost'
[ "$(grep -c "$(printf '\t4\t0\t')" log)" -eq 1 ] || complain "the log is $(cat log)"

begin "inputs that somebody else reads, too, do not keep it from heeding a signal"
rm -f shared
mkfifo shared
sh -c 'exec cat > shared' < /dev/zero > /dev/null 2>&1 &
kill -KILL $!
wait $! 2> /dev/null
exec 6<> shared
readers=
for n in 1 2 3 4; do
    "$procpool" run --quiet -j 1 true < shared > /dev/null 2>&1 &
    readers="$readers $!"
done
for n in 1 2 3 4 5 6 7 8 9 10; do seq 20 >&6; done
for reader in $readers; do kill -TERM "$reader"; done
for reader in $readers; do until_true is_gone "$reader"; done
for reader in $readers; do wait "$reader"; done
exec 6>&-

is_asleep()
{
    for look in 1 2 3 4 5; do
        [ "$(sed 's/.*) \(.\).*/\1/' "/proc/$1/stat")" = S ] || return 1
    done
}

begin "inputs that do not block are waited for without looking again and again"
exec 6<> shared
for option in --header --dry-run; do
    perl -MFcntl -e 'fcntl(STDIN, F_SETFL, O_RDONLY | O_NONBLOCK) or die; exec @ARGV' \
        "$procpool" run $option echo < shared > out 2> err &
    job=$!
    until_true is_asleep $job
    kill -TERM $job
    wait $job
done
exec 6>&-

begin "the reader of a socket that has gone ends the run, too"
: > did
perl -MSocket -e 'socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, 0) or die;
    my $pid = fork;
    if (!$pid) { close $a; open STDOUT, ">&", $b; close $b; exec @ARGV }
    close $a; close $b; waitpid $pid, 0; exit $? >> 8' \
    "$procpool" run -j 1 sh -c 'echo >> did; sleep 0.1' - ::: 1 2 3 4 5 6 7 8 9 10 2> err
[ "$(wc -l < did)" -lt 10 ] || complain "all of them were run"

finish
