#!/bin/sh
# What a job wrote before its worker was killed is kept and shown: all of it, once, without a hole.
. "$(dirname "$0")/helpers"

# The worker is stopped, so what the job writes behind that is read by nobody, and killed.
cat > last-words <<'SCRIPT'
#!/bin/sh
echo first
kill -STOP $PPID
echo "last words of $1"
echo why >&2
[ "$2" = wait ] || kill -KILL $PPID
sleep 100
SCRIPT
chmod +x last-words

begin "what a job wrote in the moment before its worker was killed is shown"
run -j 1 ./last-words {} kill ::: a
is_status 1
has_output 'first
last words of a
'
says why
sums_up '0 done, 0 failed, 0 timed out, 1 lost'

begin "so is what it wrote before it ran out of time"
run -j 2 --timeout 0.5 ./last-words {} wait ::: a b
is_status 1
printf 'first\nfirst\nlast words of a\nlast words of b\n' | has_lines
sums_up '0 done, 0 failed, 2 timed out, 0 lost'

begin "in order, by line, with tags and in the results"
run -j 3 --keep-order ./last-words {} kill ::: a b c
has_output 'first
last words of a
first
last words of b
first
last words of c
'
run -j 1 --line-buffer --tag ./last-words {} kill ::: a
printf 'a\tfirst\na\tlast words of a\n' > wanted
cmp -s out wanted || complain "standard output is '$(cat out)'"
run -j 1 --results kept ./last-words {} kill ::: a
[ "$(cat kept/*/out)" = "$(printf 'first\nlast words of a')" ] || complain "out is $(cat kept/*/out)"
[ "$(cat kept/*/err)" = why ] || complain "err is $(cat kept/*/err)"

begin "the next jobs of that worker's number have pipes of their own, and then its"
run -j 1 sh -c '[ $1 -ne 3 ] || { kill -STOP $PPID; echo last; kill -KILL $PPID; }; echo $1; echo e$1 >&2' - ::: \
    1 2 3 4 5 6
printf '1\n2\nlast\n4\n5\n6\n' > wanted
grep -vx 3 out | cmp -s - wanted || complain "standard output is $(tr '\n' '|' < out)"
sums_up '5 done, 0 failed, 0 timed out, 1 lost'

begin "of an attempt that is repeated nothing is shown"
run -j 1 --retries 1 sh -c '[ -e again ] || { > again; kill -STOP $PPID; echo lost; kill -KILL $PPID; sleep 9; }; echo $1' - ::: a
is_status 0
has_output 'a
'

begin "of the last attempt everything is"
run -j 1 --retries 2 ./last-words {} kill ::: a
is_status 1
has_output 'first
last words of a
'
run -j 1 --retries 2 --timeout 0.3 ./last-words {} wait ::: a
has_output 'first
last words of a
'

begin "one after the other"
run -j 2 --keep-order ./last-words {} kill ::: 1 2 3 4 5 6 7 8 9 10
for n in 1 2 3 4 5 6 7 8 9 10; do printf 'first\nlast words of %s\n' $n; done > wanted
cmp -s out wanted || complain "standard output is $(tr '\n' '|' < out)"

run -j 2 --keep-order --retries 1 ./last-words {} kill ::: 1 2 3 4 5 6 7 8 9 10
cmp -s out wanted || complain "with a retry standard output is $(tr '\n' '|' < out)"

begin "an attempt that was killed and tried again elsewhere leaves the next jobs what they have"
rm -f again
run -j 2 -k --retries 1 sh -c '[ $1 = 1 ] && [ ! -e again ] && { > again; kill -KILL $PPID; sleep 9; }; [ $1 -lt 7 ] || exec ./last-words $1 kill; echo $1' - ::: \
    1 2 3 4 5 6 7 8 9
for n in 1 2 3 4 5 6; do echo $n; done > wanted
for n in 7 8 9; do printf 'first\nlast words of %s\n' $n; done >> wanted
cmp -s out wanted || complain "standard output is $(tr '\n' '|' < out)"

# procpool is stopped: the relay fills up, the worker waits in the middle of a message, the job waits for room
# in its pipe.  Then the worker is killed.
cat > flood <<'SCRIPT'
#!/bin/sh
waits_to_write()
{
    looks=0 # not every kernel tells
    until grep -q pipe_write "/proc/$1/wchan" || [ $looks -gt 300 ]; do
        looks=$((looks + 1))
        sleep 0.01
    done
}
kill -STOP "$HOST"
seq 1000000 &
writer=$!
waits_to_write $PPID
waits_to_write $writer
sed -n 's/^wchar: //p' /proc/$writer/io > written
kill -KILL $PPID
kill -CONT "$HOST"
wait
SCRIPT
chmod +x flood

has_no_hole()
{
    head -n -1 out | awk '$1 != NR { bad = 1 } END { exit bad }' || complain "not every line is there once"
}

begin "nor is there a hole where the worker waited for procpool"
sh -c 'HOST=$$; export HOST; exec "$0" run -j 1 ./flood ::: x' "$procpool" > out 2> err
has_no_hole
[ "$(wc -c < out)" -ge "$(cat written)" ] || complain "$(cat written) bytes were written, $(wc -c < out) are there"

begin "killed at any moment"
for after in 0 500 1000 2000 4000 8000 12000 16000 20000 30000; do
    run -j 1 sh -c 'seq 100000 & i=0; while [ $i -lt $1 ]; do i=$((i + 1)); done; kill -KILL $PPID; wait' - ::: \
        $after
    has_no_hole
done

finish
