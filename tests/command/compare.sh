#!/bin/sh
# The same as GNU parallel and xargs, where options share a meaning.
. "$(dirname "$0")/helpers"

# like: the output and the status of the last `run` are those of a command.
like()
{
    "$@" > theirs 2> theirs.err < "${from:-/dev/null}"
    code=$?
    cmp -s out theirs || complain "'$*' gives $(head -c 200 theirs), we $(head -c 200 out)"
    is_status $code
}

printf '%s\n' plain 'two  words' "it's" '"quoted"' '$HOME `ls`' 'back\slash' '*' '~' ';' '#' é > lines
tr '\n' '\0' < lines > zeros

begin "xargs -d '\\n' -n 1: one process for each line"
run -j 1 printf '[%s]\n' < lines
from=lines like xargs -d '\n' -n 1 printf '[%s]\n'

begin "xargs -0 -I {}"
run -0 -j 1 printf '<%s|%s>\n' {} 'a{}b' < zeros
from=zeros like xargs -0 -I {} printf '<%s|%s>\n' {} 'a{}b'

begin "xargs -d C"
printf 'a,b,c' > commas
run -j 1 -d , echo < commas
from=commas like xargs -d , -n 1 echo

begin "xargs -a FILE -P N"
run -P 2 -a lines -k true
like xargs -a lines -d '\n' -n 1 -P 2 true

if ! command -v parallel > /dev/null; then
    echo "parallel is not installed: the rest is left out"
    finish
fi
parallel()
{
    command parallel --will-cite "$@"
}

begin "parallel -k --shell: quoting of inputs"
run -k --shell printf "'[%s]\n'" < lines
from=lines like parallel -k printf "'[%s]\n'"

begin "parallel: marks"
printf '%s\n' a/b.c d.e.f /x .hidden a.b/c name. ./q.r 'sp ace/f i.le' > paths
run -k --shell echo '{} {.} {/} {//} {/.} {#}' < paths
from=paths like parallel -k echo '{} {.} {/} {//} {/.} {#}'

begin "parallel: sources combined and linked"
run -k --shell echo ::: a b ::: 1 2 ::: x 'y z'
like parallel -k echo ::: a b ::: 1 2 ::: x 'y z'
run -k --shell echo '{2} {1} {1.}' ::: a.b c :::+ 1 2 3
like parallel -k echo '{2} {1} {1.}' ::: a.b c :::+ 1 2 3
run -k --shell echo :::: lines ::: 1 2
like parallel -k echo :::: lines ::: 1 2
run -k --shell echo '{-1}{1}' ::: a ::: b
like parallel -k echo '{-1}{1}' ::: a ::: b

begin "parallel: columns"
printf '1:one\n2:two words\n' > table
run -k --shell --colsep : echo '{2} {1}' :::: table
like parallel -k --colsep : echo '{2} {1}' :::: table
printf 'name,n\nx,1\na b,2\n' > table
run -k --shell --colsep , --header echo '{n} {name}' :::: table
like parallel -k --colsep , --header : echo '{n} {name}' :::: table

begin "parallel: --tag"
run -k --tag --shell 'printf "a\nb\n"; echo' ::: 1 2
like parallel -k --tag 'printf "a\nb\n"; echo' ::: 1 2

begin "parallel: --dry-run of what needs no quoting"
run -k --dry-run gzip -9 {} {.} ::: a.txt b.txt
"$procpool" run -k --dry-run gzip -9 {} {.} ::: a.txt b.txt > out
like parallel -k --dry-run gzip -9 {} {.} ::: a.txt b.txt

begin "parallel: --halt"
for halt in now,fail=1 soon,fail=1 soon,fail=2 soon,fail=50% now,success=1 soon,done=2; do
    run -j 1 -k --halt $halt --shell 'echo {}; exit {}' ::: 0 1 1 0
    command parallel --will-cite -j 1 -k --halt $halt 'echo {}; exit {}' ::: 0 1 1 0 > theirs 2> /dev/null
    code=$?
    cmp -s out theirs || complain "$halt: $(tr '\n' ' ' < theirs), and we $(tr '\n' ' ' < out)"
    [ $((status > 0)) -eq $((code > 0)) ] || complain "$halt: status $code, and ours $status"
done

begin "parallel: the job log, in all but names and times"
run -j 1 --joblog log --shell 'echo {}; exit {}' ::: 0 3
parallel -j 1 --joblog theirs.log 'echo {}; exit {}' ::: 0 3 > /dev/null 2>&1
for file in log theirs.log; do
    cut -f 1,5- $file > $file.columns
done
cmp -s log.columns theirs.log.columns || complain "$(diff log.columns theirs.log.columns)"

begin "parallel: --retries, -j and --timeout in status"
run --retries 2 --shell 'echo x >> tries; exit {}' ::: 1
[ "$(wc -l < tries)" -eq 3 ] || complain "it was tried $(wc -l < tries) times"

finish
