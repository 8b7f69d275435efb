#!/bin/sh
# Output by line, with tags, kept in files - and that of jobs which were killed.
. "$(dirname "$0")/helpers"

begin "what a job wrote before it was killed is shown, and named in the summary"
run --timeout 0.5 sh -c 'echo begun; echo why >&2; printf part; sleep 100' ::: x
is_status 1
has_output 'begun
part'
sums_up '0 done, 0 failed, 1 timed out, 0 lost'
grep -q '^    | why$' err || complain "its last line is not in the summary"

begin "... when its worker died"
run --line-buffer sh -c 'echo begun; until grep -q begun out; do sleep 0.02; done
    kill -9 $PPID; sleep 100' ::: x
is_status 1
has_output 'begun
'
sums_up '0 done, 0 failed, 0 timed out, 1 lost'

begin "... and megabytes of it"
run --timeout 3 sh -c 'head -c 5000000 /dev/zero; exec sleep 100' ::: x
is_status 1
[ "$(wc -c < out)" -eq 5000000 ] || complain "$(wc -c < out) bytes came"

begin "what an attempt wrote that was not the last one is not shown"
run --retries 1 sh -c '[ -e mark ] || { echo first; : > mark; exit 1; }; echo second' ::: x
is_status 0
has_output 'second
'
rm mark
run --retries 1 sh -c '[ -e mark ] || { echo first; : > mark; exit 1; }; exit 2' ::: x
is_status 1
has_output ''

begin "--line-buffer shows a line while its job runs, and only whole ones"
mkfifo gate
"$procpool" run -j 2 --line-buffer sh -c 'printf "one\ntw"; read -r x < gate; echo o' ::: x > out 2> err &
job=$!
until_true grep -qx one out
has_output 'one
'
echo > gate
wait $job
status=$?
is_status 0
has_output 'one
two
'

begin "--line-buffer never mixes lines, and ends a last one that was not ended"
cat > chatty <<'SCRIPT'
#!/bin/sh
for n in 1 2 3 4 5 6 7 8 9; do
    printf '%s-' "$1"
    printf '%s\n' "$1"
done
printf '%s-%s' "$1" "$1"
SCRIPT
chmod +x chatty
run --jobs 4 --line-buffer ./chatty ::: a b c d
[ "$(wc -l < out)" -eq 40 ] || complain "there are $(wc -l < out) lines"
grep -vqx 'a-a\|b-b\|c-c\|d-d' out && complain "mixed: $(grep -vx 'a-a\|b-b\|c-c\|d-d' out | head -n 3)"

begin "--line-buffer with --keep-order shows the oldest job's lines, then the next one's"
rm gate; mkfifo gate
"$procpool" run -j 2 -k --line-buffer sh -c 'echo "$1"; [ "$1" = b ] || read -r x < gate; echo "$1"' - \
    ::: a b > out 2> err &
job=$!
until_true grep -qx a out
grep -q b out && complain "b is shown before a has ended"
echo > gate
wait $job
has_output 'a
a
b
b
'

begin "more than a megabyte of lines, with and without --line-buffer, arrives whole"
seq 300000 > many
for option in --line-buffer --keep-order --tag; do
    run $option cat ::: many
    [ $option != --tag ] || { sed 's/^many	//' out > plain; mv plain out; }
    cmp -s out many || complain "$option: it came out changed"
done

begin "--tag begins each line of both streams with the input"
run -k --tag sh -c 'echo one; echo two >&2; printf three' - ::: a 'b c'
has_output 'a	one
a	three
b c	one
b c	three
'
grep -qx 'b c	two' err || complain "standard error is $(cat err)"

begin "a tag cannot trick a terminal"
run --tag echo ::: "$(printf 'a\033[2J')"
has_output "$(printf 'a\\x1b[2J\ta\033[2J')
"

begin "--results keeps out, err and status of each job"
run --results kept sh -c 'echo "$1"; echo e >&2; exit "$1"' - ::: 0 3
is_status 1
[ "$(cat kept/1/out)" = 0 ] || complain "1/out is $(cat kept/1/out)"
[ "$(cat kept/2/out)" = 3 ] || complain "2/out is $(cat kept/2/out)"
[ "$(cat kept/2/err)" = e ] || complain "2/err is $(cat kept/2/err)"
[ "$(cat kept/1/status)" = "done	0" ] || complain "1/status is $(cat kept/1/status)"
[ "$(cat kept/2/status)" = "exit 3	3" ] || complain "2/status is $(cat kept/2/status)"
has_lines <<'END'
0
3
END

begin "--results makes the folders above"
run --results a/b/c echo ::: x
is_status 0
grep -qx x a/b/c/1/out || complain "there is no a/b/c/1/out"

begin "--results of a job that was killed"
run --results killed --timeout 0.5 sh -c 'echo begun; sleep 100' ::: x
[ "$(cat killed/1/out)" = begun ] || complain "1/out is $(cat killed/1/out)"
grep -q '^timed out after 0.5 s	x$' killed/1/status || complain "1/status is $(cat killed/1/status)"

begin "--results where no folder can be is status 3, before anything begins"
: > file
run --results file echo ::: a
is_status 3
says "--results file: Not a directory"
has_output ''
run --results /proc/none echo ::: a
is_status 3

begin "--quiet says nothing of its own, and keeps what jobs say"
run --quiet sh -c 'echo out; echo err >&2; exit 1' ::: a
is_status 1
has_output 'out
'
[ "$(cat err)" = err ] || complain "standard error is $(cat err)"

begin "the summary has the last lines of what a failed job said"
run -j 1 sh -c 'for n in 1 2 3 4 5; do echo "line $n" >&2; done; exit 7' ::: x
tail -n 5 err | head -n 4 > end
printf '    | line 3\n    | line 4\n    | line 5\n' > lines
tail -n 3 end | cmp -s - lines || complain "it ends $(cat end)"
head -n 1 end | grep -q "^'x': exit 7 ([0-9.]* s)\$" || complain "it begins $(head -n 1 end)"

begin "no temporary file can be had: memory does"
TMPDIR=/nonexistent
export TMPDIR
run cat ::: many
unset TMPDIR
cmp -s out many || complain "it came out changed"

finish
