#!/bin/sh
# Several sources, files, delimiters and columns: each input once, in order, read as it is wanted.
. "$(dirname "$0")/helpers"

begin "two sources: each with each, the last one changing fastest"
run -k echo ::: a b ::: 1 2
is_status 0
has_output 'a 1
a 2
b 1
b 2
'

begin "each source is a word of its own"
run -k printf '[%s]' ::: 'a b' ::: c
has_output '[a b][c]'

begin "a linked source goes with the one before it, and the shorter one ends both"
run -k echo ::: a b c :::+ 1 2
has_output 'a 1
b 2
'
run -k echo ::: x y ::: a b :::+ 1 2
has_output 'x a 1
x b 2
y a 1
y b 2
'

begin "the lines of files, of a linked file, and standard input as one of them"
printf 'one\ntwo\n' > first
printf 'eins\nzwei\n' > second
run -k echo :::: first
has_output 'one
two
'
run -k echo :::: first second
has_output 'one eins
one zwei
two eins
two zwei
'
run -k echo :::: first ::::+ second
has_output 'one eins
two zwei
'
run -k echo :::: - ::: 1 2 < first
has_output 'one 1
one 2
two 1
two 2
'
run -k -a first echo
has_output 'one
two
'
run -k -a first --arg-file second echo
[ "$(wc -l < out)" -eq 4 ] || complain "-a twice gives $(wc -l < out) inputs"

begin "a file that cannot be read is named, and nothing is started"
run echo :::: first missing
is_status 3
says "cannot read missing: No such file or directory"
has_output ''

begin "an empty source makes no input at all"
run echo ::: a b :::: /dev/null
is_status 0
has_output ''

begin "NUL bytes and other delimiters"
printf 'a\nb\0c' > zeros
run -0 -k printf '[%s]' < zeros
has_output '[a
b][c]'
run --null -k printf '[%s]' < zeros
[ "$(wc -c < out)" -eq 8 ] || complain "--null is not -0"
printf 'a,b\n' > commas
run -k -d , printf '[%s]' < commas
has_output '[a][b
]'
printf 'a\tb' > tabs
run -k --delimiter '\t' printf '[%s]' < tabs
has_output '[a][b]'

begin "--colsep takes an input apart"
printf 'a:b:c\nd\n' > columns
run -k --colsep : printf '<%s>' < columns
has_output '<a><b><c><d>'
run -k -C : echo '{3}-{1}' :::: columns
is_status 1
has_output 'c-a
'
says "'d': it lacks a column that the command asks for"
printf 'a\tb c\n' > columns
run -k --colsep '\t' echo '{2}' < columns
has_output 'b c
'

begin "CSV: quotes, commas, newlines and empty fields"
printf 'a,"b,c","d""e"\r\n"x\ny",,z\n' > table
run -k --csv printf '<%s>' < table
is_status 0
has_output '<a><b,c><d"e><x
y><><z>'

begin "CSV that is none is that record's failure, or the end of the file's"
printf 'ok,1\na"b,2\nfine,3\n' > table
run -k --csv echo '{1}' < table
is_status 1
has_output 'ok
fine
'
sums_up '2 done, 1 failed, 0 timed out, 0 lost'
says "its quotes are wrong"
printf 'ok\n"never closed\n' > table
run -k --csv echo < table
is_status 3
says "cannot read standard input behind input 1: quotes are not closed"

begin "a blank line is no record of CSV"
printf 'name,size\n\nx,1\n\r\ny,2\n\n' > table
run -k --csv --header echo {name}={size} < table
has_output 'x=1
y=2
'
run -k --csv echo {1}{2} ::: a :::: table
has_output 'aname
ax
ay
'

begin "what is nearly the name of a column is a mistake"
for word in '{nmae}' '{sizes}' '{name2.}'; do
    run --csv --header -a table echo "$word"
    is_status 2
    says 'did you mean {'
done
run -k --csv --header -a table printf '%s{print}{a}' {name}
has_output 'x{print}{a}y{print}{a}'

begin "--header names the columns, of files and of words"
printf 'name,size\nx,1\n"y z",2\n' > table
run -k --csv --header echo '{name}: {size}, {1}, {name.}' < table
has_output 'x: 1, x, x
y z: 2, y z, y z
'
run -k --header echo '{letter}{digit}' ::: letter a b ::: digit 1 2
has_output 'a1
a2
b1
b2
'
run -k --header echo '{letter} {other}' ::: letter a
has_output 'a {other}
'

begin "a byte order mark before CSV is no part of the first column"
printf '\357\273\277name,size\nx,1\n' > table
run --csv --header echo '{name} {size}' < table
has_output 'x 1
'
printf '\357\273\277"a\nb",1\n' > table
run --csv printf '%s|' < table
has_output 'a
b|1|'
{
    printf '\357'
    printf '\273' | cat
    printf '\277x\n' | cat
} | run --csv echo
has_output 'x
'
printf '\357\273' > table
run --csv printf '%s' < table
cmp -s table out || complain "two bytes of a mark are changed"

begin "sources of columns, combined"
printf 'p,q\nr,s\n' > table
run -k --csv echo '{1}{2}{3}' :::: table ::: 1 2
has_output 'pq1
pq2
rs1
rs2
'

begin "memory is flat: the inputs of the first source are not kept"
if [ -n "${ASAN_OPTIONS-}" ]; then
    echo "AddressSanitizer keeps what is freed: left out"
    finish
fi
measure()
{
    mkfifo "lines.$1"
    "$procpool" run --quiet --dry-run echo < "lines.$1" > /dev/null 2> err &
    job=$!
    exec 7> "lines.$1"
    seq "$1" >&7
    until_true sh -c "grep -q '[0-9]' /proc/$job/status && [ \"\$(sed 's/^.*) //' /proc/$job/stat | cut -d' ' -f1)\" = S ]"
    kilobytes=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' /proc/$job/status)
    exec 7>&-
    wait $job
}
measure 1000
few=$kilobytes
measure 1000000
[ "$kilobytes" -le $((few + 1024)) ] || complain "$few kB with 10^3 inputs, $kilobytes kB with 10^6"

begin "long inputs are not queued ahead without bound"
rm -f leave begun
cat > holder <<'SCRIPT'
#!/bin/sh
: > begun
until [ -e leave ]; do sleep 0.01; done
SCRIPT
chmod +x holder
perl -e 'print "first\n"; print "x" x 1000000, "\n" for 1 .. 200' > long
"$procpool" run --quiet -j 1 ./holder < long > out 2> err &
job=$!
until_true test -e begun
asleep=0
until [ $asleep -ge 5 ]; do # it has taken what it takes
    case $(sed 's/.*) \(.\).*/\1/' "/proc/$job/stat") in
    S) asleep=$((asleep + 1)) ;;
    *) asleep=0 ;;
    esac
    sleep 0.02
done
peak=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$job/status")
[ "$peak" -lt 150000 ] || complain "$peak KiB"
: > leave
wait $job

finish
