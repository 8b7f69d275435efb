#!/bin/sh
# Does the library call a function that neither can be made to fail nor is known as one that cannot?
#
#   check-calls.sh NM FOLDER OBJECT...
#
# The objects are those of the build with inject.h, where a call that can fail has the name pp_real_*.
set -eu
nm=$1 folder=$2
shift 2
called=$("$nm" -u "$@" | awk '$1 == "U" || $1 == "w" { print $2 }' | grep -v -e '^pp_' -e '^_GLOBAL_OFFSET_TABLE_$' | sort -u)
status=0
for name in $called; do
    grep -qxF "$name" "$folder/pure.txt" && continue
    echo "$name: inject.h has no such call, and pure.txt does not say that it cannot fail"
    status=1
done
exit "$status"
