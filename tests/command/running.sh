#!/bin/sh
# How many, when, with what limits, where and in which environment jobs run.
. "$(dirname "$0")/helpers"

begin "--jobs MIN..MAX, a share of the CPUs, and -P as xargs has it"
for jobs in 1..3 100% 1000% 1%; do
    run --jobs $jobs echo ::: a b
    is_status 0
done
run -P 2 echo ::: a
is_status 0
cat > crowd <<'SCRIPT'
#!/bin/sh
mkdir "in.$1"
ls -d in.* | wc -l >> crowds
until [ "$(sort -n crowds | tail -n 1)" -ge 3 ]; do sleep 0.02; done
rmdir "in.$1"
SCRIPT
chmod +x crowd
run --jobs 1..3 --timeout 20 ./crowd ::: 1 2 3 4 5 6
is_status 0
[ "$(sort -n crowds | tail -n 1)" -eq 3 ] || complain "$(sort -n crowds | tail -n 1) at a time"

begin "--soft-timeout sends a signal to the job, and lets it end by itself"
run --soft-timeout 0.3 sh -c 'trap "echo told; exit 4" TERM; sleep 100 & wait' ::: x
is_status 1
has_output 'told
'
says "soft limit passed: exit 4"
run --soft-timeout 0.3,INT perl -e '$SIG{INT} = sub { print "int\n"; exit 0 }; sleep 100' ::: x
is_status 0
has_output 'int
'
run --soft-timeout 0.3 sh -c 'exec sleep 100' ::: x
is_status 1
says "soft limit passed: signal 15 (Terminated)"

begin "--timeout behind it ends what does not listen"
run --soft-timeout 0.2 --timeout 0.6 sh -c 'trap "" TERM; echo on; while :; do sleep 1; done' ::: x
is_status 1
has_output 'on
'
sums_up '0 done, 0 failed, 1 timed out, 0 lost'

begin "the soft limit holds for a job that closed its output"
run --soft-timeout 0.3 sh -c 'exec > /dev/null 2>&1 sleep 100' ::: x
is_status 1
says "soft limit passed"

begin "--retry-delay waits, and twice as long the next time"
begun=$(date +%s%N)
run --retries 2 --retry-delay 0.2 sh -c 'date +%s%N >> times; false' ::: x
is_status 1
set -- $(cat times)
[ $# -eq 3 ] || complain "it was tried $# times"
[ $(((${2} - ${1}) / 1000000)) -ge 200 ] || complain "the first retry came after $(((${2} - ${1}) / 1000000)) ms"
[ $(((${3} - ${2}) / 1000000)) -ge 400 ] || complain "the second one after $(((${3} - ${2}) / 1000000)) ms"

begin "--delay starts jobs apart, and only starts"
rm -f times
begun=$(date +%s%N)
run -j 4 --delay 0.15 sh -c 'date +%s%N >> times' ::: 1 2 3
is_status 0
set -- $(sort -n times)
[ $(((${3} - begun) / 1000000)) -ge 300 ] || complain "all within $(((${3} - begun) / 1000000)) ms"

begin "--nice"
base=$(nice)
run --nice 3 nice ::: ''
is_status 1
run --nice 3 sh -c nice ::: x
[ "$(cat out)" -eq $((base + 3 > 19 ? 19 : base + 3)) ] || complain "niceness $(cat out), and ours is $base"

begin "--memfree and --load hold nothing back where there is enough"
run --memfree 1k --load 100000 echo ::: a b
is_status 0
has_lines <<'END'
a
b
END

begin "--memfree and --load hold jobs back where there is not, and a signal ends the wait"
total=$(sed -n 's/^MemTotal: *\([0-9]*\) kB$/\1/p' /proc/meminfo)
for option in "--memfree ${total}k" '--load 0.000001'; do
    # shellcheck disable=SC2086
    case $option in --load*) grep -q '^0.00 ' /proc/loadavg && continue ;; esac
    perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$procpool" run $option touch ::: started > out 2> err &
    job=$!
    # it waits in poll, for a timer
    until_true sh -c "[ \"\$(sed 's/^.*) //' /proc/$job/stat | cut -d' ' -f1)\" = S ] && ls -l /proc/$job/fd | grep -q timerfd"
    sleep 0.2
    kill -INT $job
    wait $job
    status=$?
    is_status 130
    [ ! -e started ] || complain "$option: it was started"
    says "waiting for less load or more memory"
done

begin "--max-memory, --max-files and --max-cpu are limits of the job, and of nobody else"
run --max-memory 100M --max-files 50 --max-cpu 7 sh -c 'ulimit -v; ulimit -n; ulimit -t' ::: x
is_status 0
has_output '102400
50
7
'
run --max-memory 50M perl -e '$x = "x" x 200000000; print "had it\n"' ::: x
is_status 1
has_output ''
run --max-cpu 1 sh -c 'while :; do :; done' ::: x
is_status 1
says "signal 24 (CPU time limit exceeded)"

begin "--workdir is where jobs run, and where their command is looked up"
mkdir -p there
printf '#!/bin/sh\npwd\n' > there/here
chmod +x there/here
run --workdir there ./here ::: x
is_status 0
has_output "$(cd there && pwd -P)
"
run --workdir there --joblog log --results kept sh -c pwd ::: x
is_status 0
[ -s log ] && [ -s kept/1/out ] || complain "the log and the results are elsewhere"
run --workdir none echo ::: x
is_status 3
says "--workdir none: No such file or directory"

begin "--env"
run --env A=1 --env 'B=two words=x' sh -c 'echo "$A $B"' ::: x
has_output '1 two words=x
'
mkdir -p bin
printf '#!/bin/sh\necho mine\n' > bin/my-own-command
chmod +x bin/my-own-command
run --env "PATH=$PWD/bin:$PATH" my-own-command ::: x
has_output 'mine
'

begin "a job is no shell's child: no shell is needed to stop it, nor to find it"
run echo ::: '$(false)'
has_output '$(false)
'

begin "what a job leaves behind and ends is no zombie while the job goes on"
cat > parent <<'SCRIPT'
#!/bin/sh
n=0
while [ $n -lt 100 ]; do
    (true &)
    n=$((n + 1))
done
zombies()
{
    cat /proc/[0-9]*/stat 2> /dev/null | sed 's/.*) //' | grep -c "^Z $PPID "
}
n=0
while [ "$(zombies)" -gt 0 ] && [ $n -lt 100 ]; do
    sleep 0.05
    n=$((n + 1))
done
echo "$(zombies) zombies"
SCRIPT
chmod +x parent
run ./parent ::: a
has_output '0 zombies
'

finish
