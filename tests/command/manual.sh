#!/bin/sh
# The manual: it has every option, and its examples do what they say.
. "$(dirname "$0")/helpers"

manual=$here/../../docs/man/procpool-run.1.scd

begin "every option is in the manual, with its letter, and no other"
"$procpool" help options | sed -n 's/^  -\(.\), --\([a-z-]*\).*/-\1 --\2/p; s/^      --\([a-z-]*\).*/--\1/p' |
    tr ' ' '\n' | sort > ours
grep -o '\*--*[a-zA-Z0-9][a-z-]*\*' "$manual" | tr -d '*' | sort -u | grep -vx -e -P -e -1 > theirs
diff ours theirs > difference || complain "$(cat difference)"

# The lines between ``` are a session: what stands behind "$ " is typed, the rest is what is seen -
# of standard output, and of standard error what is not the summary.
begin "the examples"
awk '/^```/ { on = !on; next } on' "$manual" > session
: > one.log
: > two.log
mkdir bin
ln -s "$procpool" bin/procpool
PATH=$PWD/bin:$PATH
examples=0
look()
{
    [ -n "$typed" ] || return 0
    examples=$((examples + 1))
    timeout 20 sh -c "$typed" > out 2> err < /dev/null
    grep -v ' tasks/s)$' err >> out
    cmp -s out expected || complain "'$typed' gives: $(cat out)"
}
typed=
while IFS= read -r line; do
    case $line in
    '$ '*)
        look
        typed=${line#??}
        : > expected
        ;;
    *) printf '%s\n' "$line" >> expected ;;
    esac
done < session
look
[ "$examples" -ge 13 ] || complain "only $examples examples were found"

begin "the manual can be formatted"
if command -v scdoc > /dev/null; then
    for page in procpool procpool-run; do
        scdoc < "$here/../../docs/man/$page.1.scd" > page 2> err || complain "$page.1.scd"
    done
else
    echo "scdoc is not installed: left out"
fi

finish
