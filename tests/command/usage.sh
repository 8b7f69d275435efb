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
refuses "unknown option '--jbos'; see 'procpool run --help'" --jbos 3 echo ::: a
refuses "unknown option '-x'" -x echo ::: a
refuses "unknown option '-x'" -kx echo ::: a

begin "a value that is missing or not wanted"
refuses "--jobs: a value is missing" --jobs
refuses "-j: a value is missing" -j
refuses "--keep-order=yes: takes no value" --keep-order=yes echo ::: a

begin "numbers out of range"
for number in 0 1025 x 3x -1 '' ' 3' 1e1 99999999999999999999; do
    refuses "--jobs: '$number' is not a number between 1 and 1024" --jobs "$number" echo ::: a
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

begin "separators that are kept for later"
refuses "':::'" echo ::: a ::: b
refuses "'::::'" echo :::: a

finish
