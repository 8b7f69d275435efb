#!/bin/sh
# The job log: its columns, what a run goes on with after another one, and what a kill leaves.
. "$(dirname "$0")/helpers"

tab=$(printf '\t')
columns()
{
    sed 1d log | cut -f "$1"
}

begin "a header and a line for each job, in nine columns"
run -j 1 --joblog log sh -c 'echo abc; exit "$1"' - ::: 0 3
is_status 1
[ "$(head -n 1 log)" = "Seq${tab}Host${tab}Starttime${tab}JobRuntime${tab}Send${tab}Receive${tab}Exitval${tab}Signal${tab}Command" ] ||
    complain "the header is $(head -n 1 log)"
[ "$(columns 1,5-9)" = "1${tab}0${tab}4${tab}0${tab}0${tab}sh -c 'echo abc; exit \"\$1\"' - 0
2${tab}0${tab}4${tab}3${tab}0${tab}sh -c 'echo abc; exit \"\$1\"' - 3" ] || complain "it is $(columns 1,5-9)"
columns 3 | grep -vq '^[0-9]*\.[0-9][0-9][0-9]$' && complain "starts are $(columns 3)"
columns 4 | grep -vq '^ *[0-9]*\.[0-9][0-9][0-9]$' && complain "run times are $(columns 4)"
began=$(columns 3 | head -n 1 | cut -d . -f 1)
[ $(($(date +%s) - began)) -le 60 ] || complain "it began at $began, they say"

begin "signals, time limits and commands that were not found"
rm log
run -j 1 --joblog log --timeout 0.5 sh -c 'case $1 in s) kill -TERM $$;; t) sleep 9;; esac' - ::: s t
[ "$(columns 7,8)" = "0${tab}15
0${tab}9" ] || complain "they are $(columns 7,8)"
rm log
run --joblog log '{}' ::: no-such-command-here
[ "$(columns 7)" = 127 ] || complain "it is $(columns 7)"

begin "a newline in a command is a NUL byte there, and comes back"
rm log
run --joblog log sh -c 'echo "$1"; [ -e again ]' - ::: 'a
b'
[ "$(wc -l < log)" -eq 2 ] || complain "the log has $(wc -l < log) lines"
: > again
run --joblog log --retry-failed
is_status 0
has_output 'a
b
'

begin "--resume passes over what the log has, failed or not, and appends"
rm -f log again
seq 5 > lines
run -j 1 --joblog log --halt soon,done=3 sh -c 'echo "$1"; [ "$1" != 2 ]' - < lines
is_status 1
run -j 1 -k --joblog log --resume sh -c 'echo "$1"; [ "$1" != 2 ]' - < lines
is_status 0
has_output '4
5
'
says "3 passed over"
[ "$(columns 1 | sort | tr '\n' ' ')" = '1 2 3 4 5 ' ] || complain "the log has $(columns 1 | tr '\n' ' ')"
[ "$(grep -c Seq log)" -eq 1 ] || complain "there are several headers"

begin "--resume-failed runs those again that failed"
run -k --joblog log --resume-failed echo < lines
is_status 0
has_output '2
'
run -k --joblog log --resume-failed echo < lines
has_output ''
says "5 passed over"

begin "--retry-failed takes the commands from the log, under their numbers"
rm log
run -j 1 --joblog log sh -c 'echo "try $1"; [ -e "ok.$1" ]' - ::: a 'b c' "it's"
is_status 1
: > ok.a; : > "ok.it's"
run -k --joblog log --retry-failed
is_status 1
has_output "try a
try b c
try it's
"
: > 'ok.b c'
run -k --joblog log --retry-failed
is_status 0
has_output 'try b c
'
[ "$(columns 1 | tail -n 1)" = 2 ] || complain "it ran as number $(columns 1 | tail -n 1)"
run --joblog log --retry-failed
is_status 0
has_output ''

begin "--retry-failed of a log without failures is no task"
rm log
run --joblog log echo ::: a
run --joblog log --retry-failed
is_status 0
has_output ''
sums_up '0 done, 0 failed, 0 timed out, 0 lost'

begin "the worker's number is in the command that is logged"
rm log
run -j 1 --joblog log echo '{%}' ::: x
[ "$(columns 9)" = 'echo 1' ] || complain "it is $(columns 9)"

begin "a call of a function is logged as a command that does it"
rm -f log
run --joblog log --plugin "$plugins/plugin_wordcount.so" --function wordcount ::: lines none
sed 's/procpool run/"$procpool" run/' log | awk -F "$tab" '$1 == 1 { print $9 }' > again
procpool=$procpool sh again 2> /dev/null | grep -q '5 5 10 lines' || complain "it is $(cat again)"

begin "an input that there was no command for is logged, and never executed"
rm -f log owned
run --joblog log echo '{2}' ::: 'touch owned' "x'
touch owned"
is_status 1
[ "$(columns 7 | sort -u)" = 255 ] || complain "their status is $(columns 7)"
run --joblog log --retry-failed
is_status 1
sums_up '0 done, 2 failed, 0 timed out, 0 lost'
[ ! -e owned ] || complain "an input was executed"

begin "a torn last line is cut off, and its job is run again"
printf 'Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n' > log
printf '1\th\t1.000\t     0.001\t0\t0\t0\t0\techo 1\n2\th\t1.000\t     0.001\t0\t0\t0' >> log
run -k --joblog log --resume echo ::: 1 2
is_status 0
has_output '2
'
[ "$(wc -l < log)" -eq 3 ] || complain "the log is $(cat log)"
columns 9 | grep -qx 'echo 2' || complain "the log is $(cat log)"

begin "a file that is no job log is named with its line, and nothing is run"
header='Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand\n'
printf "${header}nonsense\n" > wrong
run --joblog wrong --resume echo ::: a
is_status 3
says "--joblog wrong, line 2: 'nonsense' is no line of a job log"
has_output ''
[ "$(wc -l < wrong)" -eq 2 ] || complain "it was written to"
printf "${header}99999999999\th\t1\t1\t0\t0\t0\t0\tx\n" > wrong
run --joblog wrong --resume echo ::: a
is_status 3
says 'line 2'

begin "a log that cannot be written is status 3, before anything begins"
run --joblog /nonexistent/log echo ::: a
is_status 3
says "--joblog /nonexistent/log: No such file or directory"
has_output ''
run --joblog missing --retry-failed
is_status 3
says "cannot read --joblog missing"

begin "a file that is no job log is left as it is"
printf 'precious' > foreign
run --joblog foreign echo ::: a
is_status 3
says "--joblog foreign: this is no job log"
[ "$(cat foreign)" = precious ] || complain "it is now: $(cat foreign)"
printf 'precious\n' > foreign
run --joblog foreign echo ::: a
is_status 3
[ "$(cat foreign)" = precious ] || complain "it is now: $(cat foreign)"
printf 'Seq\tHo' > foreign
run --joblog foreign echo ::: a
is_status 0
[ "$(head -n 1 foreign)" = "$(head -n 1 log)" ] || complain "a torn header is not made whole"

begin "a log that may be written and not read"
: > secret
chmod 222 secret
if [ "$(id -u)" -eq 0 ]; then
    chmod 777 .
    setpriv --reuid 65534 --clear-groups "$procpool" run --joblog secret echo ::: a > out 2> err
    status=$?
else
    run --joblog secret echo ::: a
fi
is_status 0
chmod 644 secret
[ "$(wc -l < secret)" -eq 2 ] || complain "the log is $(cat secret)"

begin "a full disk under the log stops the run"
"$procpool" run -j 1 --joblog /dev/full echo ::: a b c > out 2> err
status=$?
is_status 3
says "No space left on device"

begin "two runs do not write one log at a time"
mkfifo gate
"$procpool" run --joblog shared sh -c 'read -r x < gate' ::: a > /dev/null 2>&1 &
job=$!
until_true test -s shared
run --joblog shared echo ::: a
is_status 3
says "another run is writing it"
echo > gate
wait $job

begin "GNU parallel reads our log, and we read its"
if command -v parallel > /dev/null; then
    rm -f log
    run -j 1 --joblog log false ::: a b
    parallel --will-cite --joblog log --resume-failed echo ::: a b c > out 2> err < /dev/null
    has_lines <<'END'
a
b
c
END
    run -k --joblog log --resume echo ::: a b c d
    is_status 0
    has_output 'd
'
else
    echo "parallel is not installed: left out"
fi

begin "of several lines of a job the last one counts"
rm -f log
run --joblog log true ::: a b
run --joblog log false ::: a b
says "an earlier run's jobs"
run --joblog log --resume-failed echo ::: a b
sums_up '2 done, 0 failed, 0 timed out, 0 lost'
says_not "an earlier run's jobs"
run --joblog log --retry-failed
is_status 0
sums_up '0 done, 0 failed, 0 timed out, 0 lost'

begin "what GNU parallel writes of a job that ran out of time is a failure"
printf "$header" > log
printf '1\t:\t1.000\t     0.001\t0\t0\t0\t0\techo a\n2\t:\t1.000\t     1.001\t0\t0\t-1\t15\techo b\n' >> log
run --joblog log --resume-failed echo ::: a b
has_output 'b
'

begin "it is said when the log is of other commands"
rm -f log
run --joblog log echo ::: a b c
run -k --joblog log --resume echo ::: x a b c
says 'job 1 is another command'
says "'echo x'"
run --joblog log --resume echo ::: x a b c d
says_not 'is another command than'
rm -f log
run -j 2 --joblog log sh -c 'exit 0 # $1' - ::: "it's" 'a  b'
run -j 2 --joblog log --resume sh -c 'exit 0 # $1' - ::: "it's" 'a  b'
says_not 'another command'

begin "a log is locked before it is read"
rm -f log did slow
mkfifo slow
cat > late <<'SCRIPT'
#!/bin/sh
until [ -e "leave.$1" ]; do sleep 0.01; done
echo "$2$1" >> did
SCRIPT
chmod +x late
rm -f leave.*
"$procpool" run -j 1 --quiet --joblog log ./late {} A ::: 1 2 3 &
first=$!
until [ -s log ]; do sleep 0.01; done
run --quiet --joblog log --resume ./late {1} B ::: 1 2 3 :::: slow
is_status 3
says 'another run is writing it'
touch leave.1 leave.2 leave.3
wait $first
[ "$(tr '\n' ' ' < did)" = 'A1 A2 A3 ' ] || complain "it is $(cat did)"

begin "a job of a run that was killed is not run beside itself"
rm -f log did pid leave
cat > stubborn <<'SCRIPT'
#!/bin/sh
trap : TERM
echo $$ >> pid
until [ -e leave ]; do sleep 0.01; done
SCRIPT
chmod +x stubborn
"$procpool" run --quiet --joblog log ./stubborn ::: J 2> /dev/null &
first=$!
until [ -s pid ]; do sleep 0.01; done
kill -KILL $first
wait $first 2> /dev/null
run --joblog log --resume ./stubborn ::: J
is_status 3
says 'its jobs have not ended'
[ "$(wc -l < pid)" -eq 1 ] || complain "it was begun again"
touch leave
until run --joblog log --resume ./stubborn ::: J && [ $status -ne 3 ]; do sleep 0.05; done
sums_up '1 done, 0 failed, 0 timed out, 0 lost'

begin "the log is not where output goes, and not a pipe of which it is the reader"
"$procpool" run --joblog both echo ::: a > both 2> err
status=$?
is_status 3
says 'standard output or standard error goes there'
timeout -s KILL 20 sh -c '"$0" run --quiet --joblog /dev/stdout echo ::: $(seq 20000)' "$procpool" 2> err | head -n 1 > out
grep -q '^Seq' out || complain "it is $(cat out)"

begin "with --line-buffer the log has all that was written"
rm -f log
run --line-buffer --joblog log seq ::: 100000
[ "$(columns 6)" -eq 588895 ] || complain "it is $(columns 6)"

begin "--dry-run touches neither log nor results, needs no command, and ends at a signal"
rm -rf log RD
run --dry-run --joblog log --results RD no-such-command --of {} ::: a
is_status 0
has_output 'no-such-command --of a
'
[ ! -e log ] && [ ! -e RD ] || complain "there is something"
mkfifo never
"$procpool" run --dry-run echo < never > out 2> err &
dry=$!
exec 7> never
until_true grep -q procpool "/proc/$dry/comm"
kill -TERM $dry
wait $dry
status=$?
exec 7>&-
is_status 143

begin "a run that does not begin leaves no log, and a pipe is none to resume from"
rm -f log pipe
run --joblog log no-such-command ::: a
is_status 127
[ ! -e log ] || complain "there is a log"
mkfifo pipe
cat pipe > /dev/null &
run --joblog pipe --resume echo ::: a
is_status 3
says 'no file'
wait $!

finish
