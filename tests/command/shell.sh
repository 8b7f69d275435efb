#!/bin/sh
# --shell: a line for the shell, and inputs that are never code.
. "$(dirname "$0")/helpers"

begin "pipes, lists and redirections work, and the input is appended where no mark is"
run --shell 'echo a | tr a b; echo' ::: c
has_output 'b
c
'
run --shell 'echo {} > file.{}' ::: x
[ "$(cat file.x)" = x ] || complain "no redirection"

begin "words are joined as they were typed"
run --shell echo '$((1+1))' {} ::: 'a  b'
has_output '2 a  b
'

# Whatever is in an input arrives as it is, in every kind of place.
cat > hostile <<'END'
plain
two  words
it's
"double"
$HOME $(touch owned) `touch owned`
back\slash \n \' \" \\
; touch owned
& touch owned
' ; touch owned ; '
" ; touch owned ; "
'$(touch owned)'
"$(touch owned)"
*
~
#
-n
{}
if
a=b
${x}
)touch owned
`
é
!
$
\
END
for line in '{}' '"{}"' "'{}'" 'x{}y' '"a {} b"' '"$(printf %s {})"' '`printf %s {}`' \
    '"$(printf %s "{}")"' '"$(printf %s '"'{}'"')"' '$(printf %s "{}")' '"${none:-{}}"' \
    '"${none:-"{}"}"' '"$(printf %s "$(printf %s {})")"' '"`printf %s "{}"`"'; do
    begin "an input arrives as it is in $line"
    rm -f owned
    run -k --shell "printf '<%s>\\n' $line" < hostile
    case $line in
    x*) sed 's/.*/<x&y>/' hostile > wanted ;;
    '"a '*) sed 's/.*/<a & b>/' hostile > wanted ;;
    *) sed 's/.*/<&>/' hostile > wanted ;;
    esac
    case $line in
    '$('* | '`'*) # without quotes around it the shell takes the result apart, as it should
        is_status 0 ;;
    *) cmp -s out wanted || complain "$(diff out wanted | head -n 4)" ;;
    esac
    [ ! -e owned ] || complain "an input was executed"
done

begin "an input arrives as it is behind a comment, and not out of one"
printf 'echo {} # {} it'"'"'s\necho {}\n' > line
rm -f owned
run --shell "$(cat line)" ::: 'a
touch owned'
has_output 'a
touch owned
a
touch owned
'
[ ! -e owned ] || complain "an input was executed"

begin "newlines in an input"
run --shell 'printf "[%s]" "{}" {}' ::: 'a
b'
has_output '[a
b][a
b]'

begin "a backslash before a newline vanishes with it, as the shell has it"
rm -f owned
run --shell 'echo \
# it'"'"'s a comment
echo {}' ::: ';touch owned;'
[ ! -e owned ] || complain "an input was executed: behind a comment with a quote"
run --shell 'echo \
# {}' ::: 'a
touch owned
'
[ ! -e owned ] || complain "an input was executed: out of a comment"
run --shell 'echo "$\
(echo {})"' ::: ';touch owned;'
has_output ';touch owned;
'
[ ! -e owned ] || complain "an input was executed: in a command within quotes"
run --shell 'echo $(\
(1+{}))' ::: 'a[$(touch owned)]'
is_status 2
[ ! -e owned ] || complain "an input was executed: in arithmetic"
run --shell 'cat <\
<E
{}
E' ::: '$(touch owned)'
is_status 2
says "'<<'"
run --shell 'printf "[%s]" a\
{} "b\
{}"' ::: ' x'
has_output '[a x][b x]'

begin "a mark is a part of a word"
run --shell 'cat {}#<<E
{}
E' ::: '$(touch owned)'
is_status 2
says "'<<'"
run --shell 'echo {}# it'"'"'s' ::: a
[ ! -e owned ] || complain "an input was executed"

begin "a dollar sign before a mark does not make it code"
rm -f owned
run --shell 'echo "${}" ${}' ::: '(touch owned)' HOME
[ ! -e owned ] || complain "an input was executed"

begin "an input is no part of a variable's name before it"
run -k --shell 'dir=/base; echo $dir{} "$dir{}" ${dir}{} "$dir/{}"' ::: X 'Y Z' 1
has_output '/baseX /baseX /baseX /base/X
/baseY Z /baseY Z /baseY Z /base/Y Z
/base1 /base1 /base1 /base/1
'

begin "an input before a redirection is no descriptor"
run -k --shell 'echo {}>out.{}; cat<out.{}; echo {#}>>out.{}; tail -n 1 out.{}' ::: 2 x
has_output '2
1
x
2
'

begin "no input stands where a shell calculates: it may execute what it finds there"
for line in 'echo $(({}+1))' 'echo $((1+({})))' 'echo "$((2*{}))"' '((x={}))' 'echo ${x:{}:1}' 'echo ${x:1{}}' \
    'echo "${x:{}}"' 'echo ${x[{}]}' '[[ {} -eq 1 ]]' 'echo "$(echo $(( {} )))"'; do
    run --shell "$line" ::: 'a[$(touch owned)]'
    is_status 2
    says 'the shell calculates'
done
for line in '[[ $x == *[[:digit:]] || {} -eq 1 ]]' '[[ ${c[b[0]]} -eq {} ]]' 'echo ${@:{}}' 'echo ${@:1:{}}' \
    'echo ${*:{}}' 'echo ${!r:{}}' 'y=${l%% #*}; echo $(({} + 1))' 'echo $[{}+1]' \
    "x=\$'\\'\"'; ((y = {} + 1))" 'x="`printf "<%s>" \"{}\"`"' \
    'x="$(case a in a) printf "<%s>" "{}";; esac)"'; do
    run --shell "$line" ::: 'a[$(touch owned)]'
    is_status 2
    says 'the shell calculates'
done
: > keep
for line in 'l=${l%% #*}; printf "<%s>" "{}"' "l=\${l%% #*}; printf '<%s>' '{}'" 'x="$(echo ${y#(})"; printf "<%s>" "{}"' \
    'x="$(echo ${y%%(*})"; printf "<%s>" {}' 'n=$((1 << 2)); printf "<%s>" {}' 'echo $$ > pid; printf "<%s>" {}' \
    'case {} in [[:alpha:]_]*) printf "<%s>" {};; esac' 'grep -c [[:alpha:]_] pid; [ -n {} ] && printf "<%s>" {}' \
    'if [[ -e keep ]] 2> none; then :; fi; printf "<%s>" {}' 'x=$$; : $${}; printf "<%s>" {}' \
    'echo "$(echo showcase case; printf "<%s>" {})"' '( (printf "<%s>" {}) )' 'f() { printf "<%s>" "$1"; }; f {}'; do
    run --shell "$line" ::: 'a *'
    is_status 0
    grep -qF '<a *>' out || complain "$line gives $(cat out)"
done
run -j 1 -k --shell 'x={}; echo $((x+1)) $(({#}*2)) "$(({#}+1))" $(( {%} )) $((1+2)){} [{}]' ::: 41 1
has_output '42 2 2 1 341 [41]
2 4 3 1 31 [1]
'

begin "where no value can stand a mark is refused"
run --shell 'echo \{}' ::: a
is_status 2
says "backslash"
run --shell "cat <<END
{}
END" ::: a
is_status 2
says "'<<'"

begin "without a command each input is a line"
printf 'echo one\nexit 3\n' > lines
run -k --shell < lines
is_status 1
has_output 'one
'
says "'exit 3': exit 3"

begin "--dry-run shows a line that does the same"
for line in 'printf %s {}' 'printf %s "{}"' 'printf %s "$(printf %s {})"'; do
    run -k --dry-run --shell "$line; echo" < hostile
    is_status 0
    sh out > again 2> err
    cmp -s again hostile || complain "$line: $(diff again hostile | head -n 4)"
done

begin "... without --shell, too"
run -k --dry-run printf '%s\n' < hostile
sh out > again
cmp -s again hostile || complain "$(diff again hostile | head -n 4)"

finish
