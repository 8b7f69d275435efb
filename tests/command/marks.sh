#!/bin/sh
# What stands between braces, and what it becomes.
. "$(dirname "$0")/helpers"

begin "parts of a path"
run -k echo '{} {.} {/} {//} {/.}' ::: a/b.c d.e.f /x .hidden a.b/c dir/ name. ./q.r
has_output 'a/b.c a/b b.c a b
d.e.f d.e d.e.f . d.e
/x /x x / x
.hidden  .hidden . 
a.b/c a.b/c c a.b c
dir/ dir/  . 
name. name name. . name
./q.r ./q q.r . q
'

begin "the number of an input and of a worker"
run -k echo '{#}' ::: x y z
has_output '1
2
3
'
run -j 3 sh -c 'echo {%}' ::: 1 2 3 4 5 6 7 8 9
[ "$(grep -cx '[123]' out)" -eq 9 ] || complain "workers are $(tr '\n' ' ' < out)"
run -j 1 echo 'a{%}b{%}' ::: x
has_output 'a1b1
'

begin "columns by number, from the end, and their parts"
run -k echo '{2} {1} {-1} {1.} {2/} {1//} {1/.}' ::: p/q.r ::: s/t
has_output 's/t p/q.r s/t p/q t p q
'

begin "a column that is not there is that input's failure"
run echo '{3}' ::: a ::: b
is_status 1
says "'a b': it lacks a column that the command asks for"
run echo '{-3}' ::: a ::: b
is_status 1

begin "other braces are text"
run -k echo '{print}' '${x}' '{ }' '{0}' '{}{' '}' ::: a
has_output '{print} ${x} { } {0} a{ }
'

begin "a mark inside of a word has all columns, with blanks between"
run -k printf '[%s]' 'x{}y' ::: a ::: b
has_output '[xa by]'

begin "columns that are empty words stay words"
run -k printf '[%s]' ::: '' ::: ''
has_output '[][]'

finish
