#!/bin/sh
# libprocpool.so exports exactly the functions that procpool.h declares, in version PROCPOOL_0.
#
#   check-symbols.sh CC HEADER LIBRARY
set -eu
cc=$1 header=$2 library=$3
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Declarations that are no typedef; in each, the first pp_ name with a parenthesis behind it.
"$cc" -E -P "$header" | tr '\n' ' ' | tr ';{}' '\n\n\n' |
    sed -n -e '/^ *typedef /d' -e 's/^[^(]*[ *]\(pp_[a-z0-9_]*\) *(.*/\1@@PROCPOOL_0/p' |
    sort -u >"$work/declared"
nm -D --defined-only --with-symbol-versions "$library" |
    awk '!($2 == "A" && $3 ~ /^PROCPOOL_0/) { print $3 }' | sort -u >"$work/exported"

if [ ! -s "$work/declared" ]; then
    echo "found no function in $header"
    exit 1
fi
if ! diff -u "$work/declared" "$work/exported"; then
    echo "lines with - are declared and not exported, lines with + the reverse: see src/procpool.map"
    exit 1
fi
echo "$(wc -l <"$work/exported") functions declared and exported"

# Debian's symbols file has the same, and says since when.
symbols=$(dirname "$header")/../debian/libprocpool0.symbols
sed -n 's/^ \(pp_[a-z0-9_]*@PROCPOOL_0\) [0-9.]*$/\1/p' "$symbols" | sed 's/@/@@/' | sort >"$work/debian"
if ! diff -u "$work/exported" "$work/debian"; then
    echo "lines with + are in $symbols and not exported, lines with - the reverse"
    exit 1
fi
