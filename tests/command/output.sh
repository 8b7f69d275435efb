#!/bin/sh
# What tasks write arrives whole, in the order asked for, and is never lost silently.
. "$(dirname "$0")/helpers"

# A job that writes in many small pieces, to both streams.
cat > chatty <<'SCRIPT'
#!/bin/sh
for n in 1 2 3 4 5 6 7 8 9 10; do
    echo "$1 out $n"
    echo "$1 err $n" >&2
    [ $((n % 3)) -ne 0 ] || sleep 0.01
done
SCRIPT
chmod +x chatty

begin "outputs of tasks never mix"
seq 40 > lines
run --jobs 8 ./chatty < lines
is_status 0
head -n 400 err | awk '{ print $1, $3 }' > err.words
awk '{ print $1, $3 }' out > out.words
for file in out.words err.words; do
    [ "$(wc -l < $file)" -eq 400 ] || complain "$file: lines are missing"
    awk '$2 == 1 { who = $1 } $1 != who || $2 != (NR - 1) % 10 + 1 { bad = 1 } END { exit bad }' \
        $file || complain "$file: mixed"
done

begin "standard output and standard error stay apart"
run sh -c 'echo to-out; echo to-err >&2' ::: x
has_output 'to-out
'
says to-err
says_not to-out

begin "both of a task stand together when they go to one place"
"$procpool" run -j 4 sh -c 'echo "$1"; sleep 0.0$1; echo "$1" >&2' - ::: 1 2 3 4 > both 2>&1
head -n 8 both | awk 'NR % 2 == 1 { who = $1 } $1 != who { bad = 1 } END { exit bad }' ||
    complain "it is $(head -n 8 both | tr '\n' ' ')"

begin "without --keep-order a result is written when its task has ended"
run -j 2 sh -c 'sleep "$1"; echo "$1"' - ::: 1 0
has_output '0
1
'

begin "--keep-order writes in the order of the inputs"
run -j 8 -k sh -c 'sleep 0.0$((9 - $1)); echo "$1"' - ::: 1 2 3 4 5 6 7 8
has_output '1
2
3
4
5
6
7
8
'
seq 3000 > lines
run --jobs 4 --keep-order echo < lines
is_status 0
cmp -s out lines || complain "3000 lines are not in order"

begin "--keep-order goes on behind tasks that failed or ran out of time"
run -j 4 -k --timeout 0.5 sh -c '[ $1 != 2 ] || exit 1; [ $1 != 3 ] || sleep 9; echo $1' - ::: 1 2 3 4 5
is_status 1
has_output '1
4
5
'
sums_up '3 done, 1 failed, 1 timed out, 0 lost'

begin "what a failed command wrote is written too"
run sh -c 'echo part; echo why >&2; exit 3' ::: x
is_status 1
has_output 'part
'
says why

begin "megabytes, and bytes that are no text"
head -c 20000000 /dev/urandom > big
run cat ::: big
is_status 0
cmp -s out big || complain "20 MB came out changed"
run -j 4 -k cat ::: big big big
cat big big big | cmp -s - out || complain "60 MB came out changed"

begin "a full disk is said, and is status 3"
"$procpool" run echo ::: a b c > /dev/full 2> err
status=$?
is_status 3
says "cannot write standard output: No space left on device"

begin "a full disk stops the run"
yes | "$procpool" run --jobs 2 head -c 100000 /dev/zero > /dev/full 2> err
status=$?
is_status 3
says "starting nothing more"

begin "closed standard output"
"$procpool" run echo ::: a >&- 2> err
status=$?
is_status 3
says "cannot write standard output: Bad file descriptor"
"$procpool" run true ::: a >&- 2> err
status=$?
is_status 0

begin "a reader that has gone"
# shellcheck disable=SC2216
{ yes | "$procpool" run --jobs 2 echo 2> err; echo $? > code; } | true
status=$(cat code)
is_status 3
says "cannot write standard output: Broken pipe"

begin "when the reader has gone a job that goes on writing is ended, as by SIGPIPE, and another is not"
cat > talker <<'END'
#!/bin/sh
if [ "$1" = a ]; then
    echo $$ > pid.a
    exec yes
fi
: > runs.b
until [ -s pid.a ] && ! kill -0 "$(cat pid.a)" 2> kill.err; do sleep 0.02; done
: > finished
END
chmod +x talker
# shellcheck disable=SC2216
{ timeout -s KILL 60 "$procpool" run --jobs 2 ./talker ::: a b 2> err; echo $? > code; } |
    until_true test -s pid.a -a -e runs.b
status=$(cat code)
is_status 3
says "cannot write standard output: Broken pipe"
sums_up '1 done, 0 failed, 0 timed out, 0 lost, 1 cancelled'
[ -e finished ] || complain "the silent one was ended, too"

begin "what cannot be kept in a file fills 256 MiB of memory at most, and ends the job that wrote it"
TMPDIR=$PWD/none timeout -s KILL 60 "$procpool" run -k sh -c '[ $1 = a ] && exec yes; echo $1' - ::: a b > out 2> err
status=$?
is_status 1
says 'it wrote more than can be kept'
sums_up '1 done, 1 failed, 0 timed out, 0 lost'
tail -n 1 out | grep -qx b || complain "the other job is not there"
run --env TMPDIR=/nonexistent sh -c 'head -c 3000000 /dev/zero; echo $TMPDIR >&2' ::: a
is_status 0
says /nonexistent

begin "who cannot hear the summary has the status"
"$procpool" run true ::: a b > out 2> /dev/full
status=$?
: > err
is_status 0

begin "standard error that cannot be written is status 3"
"$procpool" run sh -c 'echo lost >&2' ::: a > out 2> /dev/full
status=$?
: > err
is_status 3

begin "a slow reader of a pipe that does not block gets everything"
head -c 3000000 big > some
perl -MFcntl -e 'fcntl(STDOUT, F_SETFL, O_WRONLY | O_NONBLOCK) or die; exec @ARGV' \
    "$procpool" run cat ::: some 2> err | (sleep 0.3; cat) > out
cmp -s out some || complain "bytes are missing"

# Its time limit measures a job, not the reader of its output.
for mode in -k --json; do
    begin "jobs do not wait for a slow reader, with $mode"
    rm -f done.*
    "$procpool" run $mode -j 2 --timeout 5 sh -c 'head -c 3000000 big; : > done.$1' - ::: 1 2 3 4 5 6 2> err | {
        for n in 1 2 3 4 5 6; do
            until [ -e done.$n ]; do sleep 0.01; done
        done
        cat > all
        wc -c < all > out
    }
    [ $mode = -k ] || [ "$(grep -c '^{"event":"start"' all)" -eq 6 ] || complain "an event is missing"
    rm -f all
    sums_up '6 done, 0 failed, 0 timed out, 0 lost'
    [ "$(cat out)" -ge 18000000 ] || complain "$(cat out) bytes"
done

# stuck_reader SIZE JOBS: jobs that write so much to a reader that does not read until there is `leave`.
stuck_reader()
{
    rm -f begun.* leave stuck
    mkfifo stuck
    sh -c 'exec < stuck; until [ -e leave ]; do sleep 0.01; done; cat > out' &
    reader=$!
    "$procpool" run -j 2 sh -c ': > begun.$1; head -c $2 big' - {} "$1" ::: $(seq "$2") > stuck 2> err &
    job=$!
    until [ "$(ls begun.* 2> /dev/null | wc -l)" -ge 10 ]; do sleep 0.01; done
}

begin "but only so much is taken ahead of the reader"
stuck_reader 4000000 60
sleep 1
begun=$(ls begun.* | wc -l)
[ "$begun" -le 30 ] || complain "$begun jobs were begun"
: > leave
wait $job
wait $reader
[ "$(wc -c < out)" -eq 240000000 ] || complain "$(wc -c < out) bytes"
rm -f out

begin "a signal is heeded while the reader is stuck"
stuck_reader 100000 400
kill -TERM $job
begun=$(ls begun.* | wc -l)
sleep 0.5
: > leave
wait $job
status=$?
wait $reader
is_status 143
[ "$(ls begun.* | wc -l)" -le $((begun + 6)) ] || complain "$begun jobs were begun, and then $(ls begun.* | wc -l)"
rm -f begun.*

begin "no limit of file sizes ends procpool"
( ulimit -f 2000; "$procpool" run sh -c 'head -c 3000000 /dev/zero; kill -XFSZ $$' ::: 1 2 2> err | wc -c > out )
[ "$(cat out)" -eq 6000000 ] || complain "$(cat out) bytes"
says 'File size limit exceeded'

begin "with --keep-order and --line-buffer the lines of the next job are shown when it becomes the oldest"
rm -f leave.*
mkfifo lines.of
"$procpool" run -j 2 -k --line-buffer sh -c 'echo $1; until [ -e leave.$1 ]; do sleep 0.01; done' - ::: 1 2 \
    > lines.of 2> err &
{
    read -r first
    touch leave.1
    read -r second
    touch leave.2
    cat > /dev/null
    echo "$first $second" > out
} < lines.of
wait $!
[ "$(cat out)" = '1 2' ] || complain "it is $(cat out)"

begin "results are not written through a link or into a pipe"
rm -rf RD victim
mkdir -p RD/1 RD/2
echo precious > victim
ln -s ../../victim RD/1/out
mkfifo RD/2/out
timeout -s KILL 20 "$procpool" run --results RD echo ::: a b > out 2> err
status=$?
is_status 3
[ "$(cat victim)" = precious ] || complain "it is $(cat victim)"

finish
