#!/bin/sh
# How tasks end that do not succeed: statuses, signals, time limits, retries.
. "$(dirname "$0")/helpers"

begin "the exit status of a command is the failure's reason"
run -j 1 sh -c 'exit "$1"' - ::: 0 3 0 255
is_status 1
sums_up '2 done, 2 failed, 0 timed out, 0 lost'
says "'3': exit 3"
says "'255': exit 255"

begin "so is its signal"
run sh -c 'kill -SEGV $$' ::: 'an input'
is_status 1
sums_up '0 done, 1 failed, 0 timed out, 0 lost'
says "'an input': signal 11 (Segmentation fault)"

begin "failures beyond the twentieth are counted"
seq 30 > lines
run false < lines
is_status 1
sums_up '0 done, 30 failed, 0 timed out, 0 lost'
says "... and 10 more"
[ "$(grep -c ': exit 1 (' err)" -eq 20 ] || complain "not 20 failures are listed"

begin "an input that could trick a terminal is shown harmlessly"
run false ::: "$(printf 'a\033[2Jb\nc')"
says "'a\\x1b[2Jb\\nc': exit 1"

begin "a command that does not exist is status 127, before anything begins"
run no-such-command-here ::: a b
is_status 127
says "'no-such-command-here': command not found"
has_output ''
run ./none ::: a
is_status 127

begin "a script without #! is one for the shell"
printf 'echo "$0 says $1"\n' > script
chmod +x script
run -k ./script ::: a 'b c'
is_status 0
has_output './script says a
./script says b c
'

begin "a script whose interpreter is missing is told from a missing command"
printf '#!/no/such/interpreter\n' > orphan
chmod +x orphan
run ./orphan ::: a
is_status 1
says "'./orphan': its interpreter is not there"

begin "a command that cannot be executed is status 126"
echo text > text
run ./text ::: a
is_status 126
says "'./text': Permission denied"
run ./ ::: a
is_status 126

begin "a command whose name is the input"
run '{}' ::: no-such-command-here true
is_status 1
sums_up '1 done, 1 failed, 0 timed out, 0 lost'
says "'no-such-command-here': command not found"
says "exit 127"
run '{}' ::: ./text
says "exit 126"

begin "a time limit stops a task, on time, and the others go on"
begun=$(date +%s)
run -j 2 --timeout 1 sh -c 'sleep "$1"; echo "$1"' - ::: 60 0 0.2
is_status 1
has_output '0
0.2
'
sums_up '2 done, 0 failed, 1 timed out, 0 lost'
says "'60': timed out after 1 s"
[ $(($(date +%s) - begun)) -le 5 ] || complain "it took longer than 5 s"

begin "a time limit holds against a task that ignores signals"
run --timeout 0.3 sh -c 'trap "" TERM INT HUP ALRM; while :; do :; done' ::: x
is_status 1
sums_up '0 done, 0 failed, 1 timed out, 0 lost'

begin "what a stopped task had started is gone with it"
cat > family <<'SCRIPT'
#!/bin/sh
sleep 1000 &
echo $! > child
(sleep 1000 & echo $! > grandchild; wait) &
setsid sh -c 'trap "" TERM; echo $$ > session; sleep 1000; sleep 1000' > /dev/null 2>&1 &
echo $$ > self
wait
SCRIPT
chmod +x family
run --timeout 1 ./family ::: x
is_status 1
sums_up '0 done, 0 failed, 1 timed out, 0 lost'
for name in self child grandchild session; do
    [ -s $name ] || complain "the job did not start its $name"
    until_true is_gone "$(cat $name)"
done

begin "a background process that holds the output keeps its task running, up to the limit"
run --timeout 1 sh -c 'sleep 1000 & echo $! > holder; echo said' ::: x
is_status 1
sums_up '0 done, 0 failed, 1 timed out, 0 lost'
until_true is_gone "$(cat holder)"

begin "what it writes before it ends is not lost"
run sh -c '(sleep 0.3; echo late) & echo early' ::: x
is_status 0
has_output 'early
late
'

begin "a background process with output of its own does not hold the task"
run --timeout 20 sh -c 'sleep 1000 > /dev/null 2>&1 & echo $! > other; echo said' ::: x
is_status 0
has_output 'said
'
kill "$(cat other)" 2> /dev/null

begin "retries run a failed task again"
cat > second-time <<'SCRIPT'
#!/bin/sh
echo "try of $1"
[ -e "$1.marker" ] && exit 0
: > "$1.marker"
exit 9
SCRIPT
chmod +x second-time
run -j 2 --retries 1 ./second-time ::: a b c
is_status 0
sums_up '3 done, 0 failed, 0 timed out, 0 lost'
has_lines << 'END'
try of a
try of b
try of c
END

begin "retries are as many as asked for"
run --retries 2 sh -c 'echo x >> count; exit 4' ::: x
is_status 1
[ "$(wc -l < count)" -eq 3 ] || complain "$(wc -l < count) attempts instead of 3"
sums_up '0 done, 1 failed, 0 timed out, 0 lost'
says "'x': exit 4, after 3 attempts"
rm -f count
run sh -c 'echo x >> count; exit 4' ::: x
[ "$(wc -l < count)" -eq 1 ] || complain "without --retries there were $(wc -l < count) attempts"

begin "a task that ran out of time is retried, too"
run --retries 1 --timeout 0.5 sh -c '[ -e slow ] || { : > slow; sleep 60; }; echo fast' ::: x
is_status 0
has_output 'fast
'

# Each job waits for the other one: they end only when they run at the same time.
cat > meet <<'SCRIPT'
#!/bin/sh
: > "here.$1"
while [ ! -e "here.$2" ]; do sleep 0.02; done
SCRIPT
chmod +x meet

begin "--jobs tasks run at a time"
rm -f here.*
run -j 2 --timeout 20 sh -c '[ "$1" = a ] && ./meet a b || ./meet b a' - ::: a b
is_status 0

begin "never more than --jobs"
cat > crowd <<'SCRIPT'
#!/bin/sh
mkdir "in.$1"
ls -d in.* | wc -l >> crowds
sleep 0.1
rmdir "in.$1"
SCRIPT
chmod +x crowd
run -j 3 ./crowd ::: 1 2 3 4 5 6 7 8 9 10 11 12
is_status 0
[ "$(sort -n crowds | tail -n 1)" -le 3 ] || complain "$(sort -n crowds | tail -n 1) at a time"
rm -f crowds
run -j 1 ./crowd ::: 1 2 3 4
[ "$(sort -n crowds | tail -n 1)" -eq 1 ] || complain "more than one at a time"

begin "more workers than the soft limit of open files has room for; a job keeps that limit"
seq 200 > lines
(ulimit -Sn 256 && run -j 128 sh -c 'ulimit -Sn' < lines && echo "$status" > code)
status=$(cat code)
is_status 0
[ "$(sort out | uniq -c | tr -s ' ')" = ' 200 256' ] || complain "it is $(sort out | uniq -c)"

begin "more than the hard limit has room for is status 3, with a hint"
(ulimit -n 100 && run -j 128 true < lines && echo "$status" > code)
status=$(cat code)
is_status 3
says "cannot make a pool of 128 workers"
says "ulimit -n"

begin "kill 0 in a job reaches that job alone"
run -j 1 sh -c '[ "$1" != k ] || kill -TERM 0; echo "$1"' - ::: a k b
is_status 1
sums_up '2 done, 1 failed, 0 timed out, 0 lost'
says "'k': signal 15 (Terminated)"

finish
