#!/bin/sh
# From the command and an input to the words that are executed: no shell, nothing lost.
. "$(dirname "$0")/helpers"

begin "{} is replaced wherever it stands"
run printf '[%s][%s][%s]\n' {} a{}b {}-{} ::: x
is_status 0
has_output '[x][axb][x-x]
'

begin "without {} the input is the last argument"
run printf '[%s][%s]\n' a ::: x
has_output '[a][x]
'

begin "{} stands for the command as well"
run '{}' ::: true
is_status 0
run 'ech{}' -n ::: o
is_status 0

begin "spaces, quotes and what a shell would touch arrive as they are"
run -k printf '[%s]\n' ::: 'a  b' "it's" '"' '$HOME' '`ls`' '*' 'a;b' '\n' '' '-n' '{}' 'é' 'a
b' '%s'
is_status 0
has_output "[a  b]
[it's]
[\"]
[\$HOME]
[\`ls\`]
[*]
[a;b]
[\\n]
[]
[-n]
[{}]
[é]
[a
b]
[%s]
"

begin "the same from standard input"
printf '%s\n' 'a  b' "it's" '"' '$HOME' '\' ' lead' 'trail ' > lines
run -k printf '[%s]\n' < lines
is_status 0
sed 's/.*/[&]/' lines | cmp -s - out || complain "got $(cat out)"

begin "options behind the command are the command's"
run echo -j --jobs --help ::: x
is_status 0
has_output '-j --jobs --help x
'

begin "-- ends the options"
run -- echo ::: x
is_status 0
has_output 'x
'

begin "standard input of a command is empty"
printf 'a\nb\n' > lines
run -k sh -c 'cat; echo "$1"' - {} < lines
has_output 'a
b
'

begin "arguments that are bytes, not text"
bytes=$(printf 'a\377\001b')
run printf '%s' ::: "$bytes"
is_status 0
has_output "$bytes"

begin "an argument that is longer than the kernel takes is that task's failure"
head -c 200000 /dev/zero | tr '\0' 'x' > lines
printf '\nshort\n' >> lines
run echo < lines
is_status 1
has_output 'short
'
sums_up '1 done, 1 failed, 0 timed out, 0 lost'
says "exit 126"

begin "directory and environment are the caller's"
mkdir -p inside
(cd inside && WORD=kept && export WORD && run sh -c 'pwd; echo "$WORD"' ::: x && cp out err ..)
has_output "$(cd inside && pwd -P)
kept
"

finish
