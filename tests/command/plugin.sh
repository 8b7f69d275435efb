#!/bin/sh
# Functions of plugins: their results, their failures, and plugins that are none.
. "$(dirname "$0")/helpers"

${CC:-cc} -shared -fPIC -I "$here/../../include" -o results.so "$here/results.c" || exit 1

begin "a string is written raw, null not at all, everything else as JSON"
run -k --plugin results.so --function give ::: \
    'a "string"' nothing null false zero empty list map last
is_status 0
has_output 'a "string"
false
0

[1, "two", null]
{"a": 1, "b": [0.5]}
last
'
sums_up '9 done, 0 failed, 0 timed out, 0 lost'

begin "what a function prints goes to standard error, and standard output has results alone"
run -k --plugin results.so --function give ::: chatter after
is_status 0
has_output 'chatter
after
'
says "said by the function"

begin "inputs from standard input"
seq 5000 > lines
run --plugin results.so --function give < lines
is_status 0
has_lines < lines

begin "--keep-order waits for the oldest task, with a bounded number of results held"
(echo slow; seq 50000) > lines
run -k -j 2 --plugin results.so --function give < lines
is_status 0
cmp -s out lines || complain "50001 lines are not in order"

begin "a crash loses its own task, and the others go on"
run -j 2 --plugin results.so --function go_wrong ::: a segv b kill c exit d
is_status 1
has_lines << 'END'
a
b
c
d
END
sums_up '4 done, 0 failed, 0 timed out, 3 lost'
says "'segv': worker lost: signal 11 (Segmentation fault)"
says "    at go_wrong"
says "'kill': worker lost: signal 9 (Killed)"
says "'exit': worker lost: exit 5"

begin "an exception is a failure with its name and message"
run --plugin results.so --function go_wrong ::: raise errno fine
is_status 1
has_output 'fine
'
sums_up '1 done, 2 failed, 0 timed out, 0 lost'
says "'raise': MyError: because of raise"
says "No such file or directory"

begin "a time limit"
run -j 2 --timeout 0.5 --plugin results.so --function go_wrong ::: hang fine
is_status 1
has_output 'fine
'
sums_up '1 done, 0 failed, 1 timed out, 0 lost'
says "'hang': timed out after 0.5 s"

begin "a lost task is retried"
run --retries 1 --plugin results.so --function again ::: x
is_status 0
has_output '2
'

begin "word counts are those of wc"
find /usr/include -maxdepth 1 -type f > files
head -c 300000 /dev/urandom > noise
echo noise >> files
run --plugin "$plugins/plugin_wordcount.so" --function wordcount < files
is_status 0
xargs -d '\n' wc < files | awk '$4 != "total" { print $1, $2, $3, $4 }' > counts
has_lines < counts

if [ -e "$plugins/plugin_checksum.so" ]; then
    begin "checksums are those of sha256sum"
    printf x > 'odd \name'
    printf 'odd \\name\n' >> files
    run --plugin "$plugins/plugin_checksum.so" --function sha256 < files
    is_status 0
    xargs -d '\n' sha256sum < files > sums
    has_lines < sums

    begin "an unreadable file is that task's failure"
    run --plugin "$plugins/plugin_checksum.so" --function sha256 ::: noise /none
    is_status 1
    sums_up '1 done, 1 failed, 0 timed out, 0 lost'
    says "/none: No such file or directory"
fi

begin "a plugin that is missing, or no object, is status 2 and named"
run --plugin none.so --function give ::: a
is_status 2
says "'none.so': No such file or directory"
run --plugin files --function give ::: a
is_status 2
says "/files'"
run --plugin /usr --function give ::: a
is_status 2
says "'/usr'"
: > empty.so
run --plugin empty.so --function give ::: a
is_status 2
says "empty.so"

begin "a function that is missing is status 2 and named"
run --plugin results.so --function none ::: a
is_status 2
says "'none'"
has_output ''

begin "a plugin that crashes while it is loaded is status 2"
echo 'void __attribute__((constructor)) start(void) { __builtin_trap(); } int f(void *c);
int f(void *c) { (void)c; return 0; }' > trap.c
${CC:-cc} -shared -fPIC -o trap.so trap.c
run --plugin trap.so --function f ::: a
is_status 2
says "trap.so"
says "signal"

begin "a plugin without a slash in its name is a file here"
cp results.so here.so
run --plugin here.so --function give ::: a
is_status 0

finish
