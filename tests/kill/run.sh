#!/bin/sh
# Kill at every boundary, or at a sample of them, in four builds: gcc and clang, O0 and O2.
#
#   tests/kill/run.sh BUILD-FOLDER LOG-FOLDER all
#   tests/kill/run.sh BUILD-FOLDER LOG-FOLDER sample TRIALS [SEED]
#
# Two builds run at a time.  The logs have a line for each region and cell; the last lines of each are
# shown.  0 when every boundary asked for was killed at and no violation was seen.
set -eu
folder=$1 logs=$2 how=$3
mkdir -p "$logs"
case $how in
sample) seed=${5:-$(date +%s)}
        options="--sample $(($4 / 4)) --seed $seed"
        echo "   seed $seed: make kill-sample SEED=$seed repeats it" ;;
*)      options= ;;
esac

for compiler in gcc clang; do
    tools/quietly "$logs/kill-$compiler-build.log" sh -eu -c '
        cmake -S . -B "$1" -DCMAKE_C_COMPILER="$2" -DPROCPOOL_BUILD_TESTS=ON \
            -DPROCPOOL_BUILD_EXAMPLES=OFF
        cmake --build "$1" -j "$(nproc)" --target kill-sweep' \
        sh "$folder/$compiler" "$compiler"
done

status=0
printf '%s\n' gcc O0 gcc O2 clang O0 clang O2 |
    xargs -P 2 -L 2 sh -c "'$folder'/\$0/kill-sweep-\$1 --label \$0-\$1 $options \
        >'$logs'/kill-\$0-\$1.log 2>&1" || status=1
for name in gcc-O0 gcc-O2 clang-O0 clang-O2; do
    log=$logs/kill-$name.log
    grep -A 2 '^VIOLATION' "$log" || true
    grep -E 'ended early|not reached' "$log" || true
    grep 'total:' "$log" | sed 's/^/   /' || { echo "   $name ended early: $log"; status=1; }
done
exit $status
