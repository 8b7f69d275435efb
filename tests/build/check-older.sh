#!/bin/sh
# A program that was built with an older header, whose structs were shorter, runs with this library:
# it gets the defaults of what it does not know, and not a byte behind its structs is read or written.
#
#   check-older.sh CC SOURCE-FOLDER LIBRARY
set -eu
cc=$1 source=$2 library=$3
export LC_ALL=C
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The header as it might have been: without the last fields of each struct that has a size.
sed -e '/^    double  *retry_delay;/d' \
    -e '/^    double  *orphan_grace;/d' -e '/^    unsigned  *flags;/d' \
    -e 's/^      \.orphan_grace = 30\.0 }/    }/' \
    -e '/^    double  *queue_wait_p50, /d' \
    "$source/include/procpool.h" >"$work/procpool.h"
removed=$(diff "$source/include/procpool.h" "$work/procpool.h" | grep -c '^<')
[ "$removed" -eq 5 ] || {
    echo "FAILED: of the header 5 lines were to be changed, and $removed were"
    exit 1
}

"$cc" -std=gnu11 -Wall -Wextra -Werror -I "$work" "$source/tests/build/older.c" -o "$work/older" \
    "$library" -Wl,-rpath,"$(dirname "$library")"
timeout 50 "$work/older"
