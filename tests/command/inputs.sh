#!/bin/sh
# Where inputs come from: every line is one, none is lost, none is read before it is wanted.
. "$(dirname "$0")/helpers"

begin "a line each from standard input"
seq 1000 > lines
run echo < lines
is_status 0
has_lines < lines
sums_up '1000 done, 0 failed, 0 timed out, 0 lost'

begin "the last line needs no newline, and an empty line is an input"
printf 'a\n\nb' > lines
run -k printf '[%s]\n' < lines
has_output '[a]
[]
[b]
'

begin "a carriage return is a part of the line"
printf 'a\r\nb\n' > lines
run -k printf '[%s]' < lines
has_output "$(printf '[a\r][b]')"

begin "no input at all is no task and no failure"
run echo < /dev/null
is_status 0
has_output ''
sums_up '0 done, 0 failed, 0 timed out, 0 lost'
run echo :::
is_status 0
sums_up '0 done, 0 failed, 0 timed out, 0 lost'

begin "a line with a NUL byte fails by itself"
printf 'a\nb\0c\nd\n' > lines
run -k echo < lines
is_status 1
has_output 'a
d
'
sums_up '2 done, 1 failed, 0 timed out, 0 lost'
says "'b\\x00c'"

begin "an input is used before the next one is there"
mkfifo input
"$procpool" run echo < input > out 2> err &
job=$!
exec 8> input
echo first >&8
until_true grep -q first out
echo second >&8
until_true grep -q second out
exec 8>&-
wait $job
status=$?
is_status 0

begin "no more is read than can be used"
mkfifo gate endless
seq 1000000 > endless &
writer=$!
"$procpool" run --jobs 2 sh -c ': > "reads.$1"; read -r line < gate' - < endless > out 2> err &
job=$!
until_true test -e reads.1 -a -e reads.2
kill -0 $writer 2> /dev/null || complain "a million lines were read ahead"
kill -TERM $job
until_true grep -q 'a second signal' err
kill -TERM $job
wait $job
kill $writer 2> /dev/null
wait $writer

begin "a long line"
head -c 100000 /dev/zero | tr '\0' 'y' > lines
run sh -c 'printf %s "$1" | wc -c' - {} < lines
is_status 0
has_output '100000
'

begin "inputs that cannot be read are status 3, and what was started is reported"
run echo < /
is_status 3
says "standard input: Is a directory"
sums_up '0 done, 0 failed, 0 timed out, 0 lost'

begin "closed standard input"
run echo <&-
is_status 3
says "standard input: Bad file descriptor"

finish
