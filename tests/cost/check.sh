#!/bin/sh
# How many instructions does a task cost, part by part, and is that more than it was?
#
#   tests/cost/check.sh PROGRAM FOLDER [record]
#
# Fails when a part costs over 2 % more than limits.txt says; `record` writes what is found there.
# The numbers are those of one compiler at one level of optimization, so the build asks only that one.
set -eu
program=$1 folder=$2 how=${3:-check}
limits=$(dirname "$0")/limits.txt
tasks=1280 # BATCHES * BATCH of cost.c
mkdir -p "$folder"

valgrind --tool=callgrind --callgrind-out-file="$folder/cost.out" --collect-atstart=no \
    --toggle-collect=counted "$program" >"$folder/cost.log" 2>&1 || {
    cat "$folder/cost.log"
    exit 1
}
callgrind_annotate --inclusive=yes --threshold=100 "$folder/cost.out" >"$folder/cost.txt"
sed -n 's/^ *\([0-9,]*\) .*:\([a-z]*_[a-z]*_part\).*$/\2 \1/p' "$folder/cost.txt" | tr -d , |
    sort -u | awk -v tasks=$tasks '{ printf "%s %.0f\n", $1, $2 / tasks }' >"$folder/cost.found"
[ "$(wc -l <"$folder/cost.found")" -eq 6 ] || {
    echo "not six parts:"
    cat "$folder/cost.found" "$folder/cost.log"
    exit 1
}

if [ "$how" = record ]; then
    cp "$folder/cost.found" "$limits"
    cat "$limits"
    exit 0
fi
join "$limits" "$folder/cost.found" | awk '
    { percent = 100 * ($3 - $2) / $2
      printf "%-20s %5d instructions, %+.1f %%\n", $1, $3, percent
      if (percent > 2) { dearer = 1 }
      if (percent < -5) { cheaper = 1 } }
    END { if (cheaper) print "cheaper than recorded: make record-cost"
          if (dearer) print "dearer than recorded"
          exit NR != 6 || dearer }'
