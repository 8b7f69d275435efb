#!/bin/sh
# What is typed wrongly is refused with status 2 and words that name it.
. "$(dirname "$0")/helpers"

refuses()
{
    words=$1
    shift
    run "$@" < /dev/null
    is_status 2
    says "$words"
    has_output ''
}

begin "help goes to standard output and fits a screen"
for arguments in --help -h help 'help run' 'run --help' 'run -h'; do
    # shellcheck disable=SC2086
    "$procpool" $arguments > out 2> err
    status=$?
    is_status 0
    grep -q '^Usage: procpool' out || complain "$arguments: no usage"
    [ "$(wc -l < out)" -le 24 ] || complain "$arguments: more than 24 lines"
    [ "$(wc -L < out)" -le 80 ] || complain "$arguments: more than 80 columns"
done

begin "version"
"$procpool" --version > out 2> err
status=$?
is_status 0
grep -q '^procpool [0-9][0-9.]*$' out || complain "it is $(cat out)"
"$procpool" version | cmp -s - out || complain "version and --version differ"

begin "help that cannot be written is an error"
"$procpool" --help > /dev/full 2> err
status=$?
is_status 3
says "standard output"

begin "an unknown command is named"
"$procpool" walk > out 2> err
status=$?
is_status 2
says "'walk'"
says "procpool --help"
"$procpool" > out 2> err
status=$?
is_status 2
says "procpool --help"
"$procpool" help walk > out 2> err
status=$?
is_status 2
says "'walk'"

begin "an unknown option is named, with a hint"
refuses "unknown option '--nothing-like-it'; see 'procpool run --help'" --nothing-like-it echo ::: a
refuses "unknown option '-x'" -x echo ::: a
refuses "unknown option '-x'" -kx echo ::: a

begin "more words than a command takes"
"$procpool" help options extra > out 2> err
status=$?
is_status 2
says "one word at most"

begin "--memfree above what there is"
refuses "--memfree: this machine has less memory than that" --memfree 900T echo ::: a

begin "--dry-run has no events"
refuses "--dry-run shows commands" --json --dry-run echo ::: a

begin "an abbreviation of several options names them"
refuses "'--retr' may be --retries, --retry-delay, --retry-failed" --retr echo ::: a
refuses "'--max-=1' may be --max-memory, --max-cpu, --max-files" --max-=1 echo ::: a

begin "a value that is missing or not wanted"
refuses "--jobs: a value is missing" --jobs
refuses "-j: a value is missing" -j
refuses "--keep-order=yes: takes no value" --keep-order=yes echo ::: a

begin "numbers out of range"
for number in 0 1025 x 3x -1 '' ' 3' 1e1 99999999999999999999; do
    refuses "--jobs: '$number' is not a number between 1 and 1024," --jobs "$number" echo ::: a
done
refuses "--jobs: 'x' is not a number between 1 and 1024" -j x echo ::: a
refuses "--retries: '-1' is not a number between 0 and " --retries -1 echo ::: a

begin "times that are none"
for time in x 1x -1 '' inf nan 0x1 1..2 1e3 . 1e400 2mm 99999999d; do
    refuses "--timeout: '$time' is not a time like" --timeout "$time" echo ::: a
done

begin "times in all their forms"
for time in 0 10 1.5 .5 10s 1.5s 9000ms 2m 1h 1d; do
    run --timeout "$time" echo ::: a
    is_status 0
    has_output 'a
'
done

begin "a command, or a plugin and a function"
refuses "no command" --jobs 2
refuses "no command" ::: a b
refuses "--plugin needs --function" --plugin "$plugins/plugin_wordcount.so" ::: a
refuses "--function needs --plugin" --function wordcount ::: a
refuses "'echo'" --plugin "$plugins/plugin_wordcount.so" --function wordcount echo ::: a

begin "separators that have nothing to go with"
refuses "':::+' goes with a source before it, and there is none; type ':::'" echo :::+ a
refuses "'::::+' goes with" echo ::::+ a
refuses "'::::' without a file" echo ::::

begin "what somebody may have meant is said"
refuses "unknown option '--jbos'; did you mean --jobs?" --jbos 3 echo ::: a
refuses "did you mean --keep-order?" --keep-oder echo ::: a
refuses "did you mean --timeout?" --timeuot=3 echo ::: a
refuses "did you mean --progress?" --bar echo ::: a
refuses "did you mean --jobs?" --max-procs 3 echo ::: a
refuses "did you mean --workdir?" --wd / echo ::: a
refuses "unknown option '--zzzz'; see" --zzzz echo ::: a

begin "a beginning of an option is enough where there is one that it can be"
run --keep-o echo ::: a
is_status 0
refuses "'--re'" --re echo ::: a

begin "options that do not go together, or need another, say so"
refuses "need --joblog FILE" --resume echo ::: a
refuses "need --joblog FILE" --retry-failed
refuses "one of them" --joblog log --resume --resume-failed echo ::: a
refuses "give neither" --joblog log --retry-failed echo
refuses "--json-lines is for a function" --json-lines echo ::: a
refuses "one of the two" --csv --colsep , echo ::: a
refuses "one of the two" -0 -d , echo ::: a
refuses "--retry-delay needs --retries" --retry-delay 1 echo ::: a
refuses "--soft-timeout is not before --timeout" --timeout 1 --soft-timeout 2 echo ::: a
refuses "for a command, not for --plugin" --max-cpu 1 \
    --plugin "$plugins/plugin_wordcount.so" --function wordcount ::: a
refuses "--dry-run is for a command" --dry-run \
    --plugin "$plugins/plugin_wordcount.so" --function wordcount ::: a
refuses "--shell is for a command" --shell \
    --plugin "$plugins/plugin_wordcount.so" --function wordcount ::: a
refuses "no --line-buffer and no --tag" --json --tag echo ::: a
refuses "--json-lines takes whole lines" --json-lines --csv \
    --plugin "$plugins/plugin_wordcount.so" --function wordcount ::: a

begin "values in forms of their own"
refuses "--jobs: '4..2' is not" --jobs 4..2 echo ::: a
refuses "--jobs: '0%' is not" --jobs 0% echo ::: a
refuses "--halt: 'now' is not like soon,fail=1" --halt now echo ::: a
refuses "--halt: 'now,fail=0' is not" --halt now,fail=0 echo ::: a
refuses "--halt: 'now,fail=101%' is not" --halt now,fail=101% echo ::: a
refuses "--halt: 'soon,crash=1' is not" --halt soon,crash=1 echo ::: a
refuses "--soft-timeout: '1,NOSUCH' is not" --soft-timeout 1,NOSUCH echo ::: a
refuses "--memfree: '1X' is not a size" --memfree 1X echo ::: a
refuses "--load: '0' is not a load" --load 0 echo ::: a
refuses "--nice: '20' is not a number between -20 and 19" --nice 20 echo ::: a
refuses "--max-files: '0' is not" --max-files 0 echo ::: a
refuses "--env: 'NAME' is not NAME=VALUE" --env NAME echo ::: a
refuses "--colsep: '\\q' is not a separator" --colsep '\q' echo ::: a
refuses "--delimiter: 'ab' is not one character" -d ab echo ::: a
refuses "--results: '' is not a name" --results '' echo ::: a

begin "help of every option, from the same table"
"$procpool" help options > out 2> err
status=$?
is_status 0
for option in null delimiter arg-file colsep csv header shell plugin function json-lines workdir env jobs \
    timeout soft-timeout retries retry-delay halt delay nice memfree load max-memory max-cpu \
    max-files keep-order line-buffer tag results quiet joblog resume resume-failed retry-failed \
    progress stats json dry-run help; do
    grep -q -- "--$option\( \|\$\)" out || complain "help options lacks --$option"
    "$procpool" run --help | grep -q -- "--$option\b" || complain "run --help lacks --$option"
done
count=$(grep -c '^  -., --\|^      --' out)
[ "$count" -eq 39 ] || complain "help options has $count options, and the list above 39"

# Not here, where options are refused and listed, nor where they are documented.
begin "every option has a case in these tests"
cases=$(ls "$here"/*.sh | grep -v '/\(usage\|manual\|completions\)\.sh$')
sed -n 's/^  -\(.\), --\([a-z-]*\).*/\2 \1/p; s/^      --\([a-z-]*\).*/\1/p' out | while read -r option letter; do
    # shellcheck disable=SC2086
    grep -q -- "run.* --$option\b${letter:+\|run.* -$letter}" $cases || echo "$option"
done > without
[ ! -s without ] || complain "no case: $(tr '\n' ' ' < without)"

begin "options of xargs and GNU parallel that there are not say why"
refuses "unknown option '-I'; none is needed: {} is always replaced." -I{} echo ::: a
refuses "unknown option '-n'; each job has one input." -n1 echo ::: a
refuses "unknown option '--pipe'; each job has one input" --pipe cat ::: a
refuses "--header takes no argument" --header : echo ::: a

begin "a line for a shell that was given without --shell is told from a command that is missing"
run 'echo a | cat' ::: a
is_status 127
says 'a line for a shell needs --shell'
run 'echo {}' ::: a
says 'a line for a shell needs --shell'
run cd ::: a
says 'a line for a shell needs --shell'
run no-such-command ::: a
says_not '--shell'

finish
