#!/bin/sh
# Every exported function has a page, which shows its prototype as the header has it; no page shows
# one that is not exported; every page is formatted without a warning, refers to none that is not
# there, and its examples compile, as does README.md's.
#
#   check-manual.sh CC SOURCE-FOLDER BUILD-FOLDER LIBRARY
set -eu
cc=$1 source=$2 build=$3 library=$4
export LC_ALL=C.UTF-8
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

fail() {
    echo "FAILED: $*"
    failed=1
}

# One declaration a line, white space in one form.
declarations() {
    tr '\n\t' '  ' | sed -e 's/  */ /g' -e 's/ *\([(;]\)/\1/g' -e 's/;/;\n/g' |
        grep -o '[a-z][a-z0-9_ ]*[ *]pp_[a-z0-9_]*(.*);$' | sort -u
}

folder=$work/share/man
mkdir -p "$folder"
cp -r "$build"/man/man* "$build"/man/aliases/* "$folder"

"$cc" -E -P -D'__attribute__(x)=' "$source/include/procpool.h" | sed -e 's/^ *typedef .*//' -e 's/_Bool/bool/g' | declarations >"$work/declared"
nm -D --defined-only "$library" | awk '$2 == "T" { sub(/@.*/, "", $3); print $3 }' | sort >"$work/exported"
[ -s "$work/exported" ] || fail "$library exports nothing"

while read -r function; do
    page=$folder/man3/$function.3
    if [ ! -f "$page" ]; then
        fail "$function has no page: add it to the NAME of one in docs/man/"
        continue
    fi
    target=$(sed -n 's/^\.so //p' "$page")
    name=$(basename "${target:-man3/$function.3}")
    sed -n '/^# SYNOPSIS/,/^# DESCRIPTION/p; /^# CANCELLING/q' "$source/docs/man/$name.scd" |
        declarations | grep "[ *]$function(" >"$work/shown" || true
    grep "[ *]$function(" "$work/declared" >"$work/wanted" || true
    cmp -s "$work/shown" "$work/wanted" ||
        fail "$name.scd shows '$(cat "$work/shown")' and not '$(cat "$work/wanted")'"
done <"$work/exported"

for page in "$source"/docs/man/*.3.scd; do
    sed -n '/^# SYNOPSIS/,/^# [D-Z][A-Z]*$/p' "$page" | sed '/^typedef/d' | declarations |
        grep -o 'pp_[a-z0-9_]*(' | tr -d '(' | sort -u | comm -23 - "$work/exported" >"$work/unknown"
    [ ! -s "$work/unknown" ] || fail "$page shows $(cat "$work/unknown"), which is not exported"
done

# Pages of ours that are referred to.  procpool(1) stands in the command's own documentation.
grep -ho '\*pp_[a-z0-9_]*\*([1-8])' "$source"/docs/man/*.scd | tr -d '*)' | tr '(' '.' | sort -u |
    while read -r page; do
        [ -f "$folder/man${page##*.}/$page" ] || echo "$page"
    done >"$work/dangling"
[ ! -s "$work/dangling" ] || fail "referred to, and not there: $(cat "$work/dangling")"

for page in "$build"/man/man*/*.[1-8]; do
    groff -man -t -Tutf8 -ww -z "$page" >"$work/groff" 2>&1 || true
    [ ! -s "$work/groff" ] || fail "$page: $(cat "$work/groff")"
done

for page in "$source"/docs/man/*.[37].scd; do
    {
        echo '#define _GNU_SOURCE'
        for header in errno fcntl math poll signal stdio string unistd sys/wait procpool; do
            echo "#include <$header.h>"
        done
        # the code of EXAMPLES, with scdoc's backslashes taken off
        awk '/^# / { on = $2 == "EXAMPLES" } on && /^```/ { code = !code; next } on && code' "$page" |
            sed 's/\\\(.\)/\1/g'
    } >"$work/example.c"
    "$cc" -std=c11 -Wall -Wextra -Werror -Wno-unused-function -I "$source/include" -fsyntax-only \
        "$work/example.c" || fail "the example of $page does not compile"
done
sed -n '/^```c$/,/^```$/p' "$source/README.md" | grep -v '^```' >"$work/readme.c"
"$cc" -Wall -Wextra -Werror -Wno-unused-parameter -I "$source/include" -fsyntax-only \
    "$work/readme.c" || fail "the program of README.md does not compile"

[ "$failed" -eq 0 ] || exit 1
echo "$(wc -l <"$work/exported") functions, $(ls "$source"/docs/man/*.scd | wc -l) pages," \
    "$(find "$folder" -type f | wc -l) names"
