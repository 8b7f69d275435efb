#!/bin/sh
# Every example is listed in examples/README.md, every program has its expected output, and the list
# names nothing else.
#
#   check-examples.sh SOURCE-FOLDER
set -eu
cd "$1"
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

ls examples | grep -v '^README.md$' >"$work/there"
grep -o '^| `[^`]*`' examples/README.md | tr -d '|` ' | sort >"$work/listed"
diff -u "$work/there" "$work/listed" || {
    echo "FAILED: lines with - are not listed in examples/README.md, lines with + do not exist"
    failed=1
}
for source in examples/*.c; do
    name=$(basename "$source" .c)
    case $name in plugin_*) continue ;; esac # tests/command/ run these
    [ -f "tests/examples/$name.txt" ] || {
        echo "FAILED: tests/examples/$name.txt is missing"
        failed=1
    }
done
exit $failed
