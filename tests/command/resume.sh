#!/bin/sh
# kill -9 at random moments, and --resume until all is done: each input is in the log once, none is
# missing, and no line is torn.
#
#     sh tests/command/resume.sh BUILD_DIR [ROUNDS [SEED]]
. "$(dirname "$0")/helpers"

rounds=${2:-10}
seed=${3:-$(date +%s)}
seq 60 > lines

# The moment is a number of lines of output: it does not depend on the speed of the machine.
kill_at()
{
    lines=0
    while read -r line; do
        lines=$((lines + 1))
        [ $lines -lt "$1" ] || break
    done
    [ $lines -lt "$1" ] || kill -KILL "$2" 2> /dev/null
    cat > /dev/null
}

begin "each input is in the log once, after $rounds rounds of kill -9, seed $seed"
round=0
all_kills=0
while [ $round -lt "$rounds" ]; do
    round=$((round + 1))
    rm -f log
    kills=0
    while :; do
        seed=$(((seed * 1103515245 + 12345) % 2147483648))
        at=$((seed / 65536 % 40 + 1))
        before=$(wc -l 2> /dev/null < log || echo 0)
        { # the shell says of each that it was killed
            sh -c 'echo $$ > pid; exec "$@"' - "$procpool" run -j 2 --quiet --joblog log --resume \
                echo < lines 2> err | {
                until [ -s pid ]; do :; done
                kill_at $at "$(cat pid)"
            }
        } 2> /dev/null
        rm -f pid
        after=$(wc -l < log)
        [ "$after" -lt 61 ] || break
        ! grep -q 'another run' err || continue # the killed one's jobs have not ended
        kills=$((kills + 1))
        [ $kills -lt 1000 ] || break
        [ "$after" -ge "$before" ] || complain "round $round: lines are lost"
    done
    sed 1d log | cut -f 1 | sort -n | cmp -s - lines ||
        complain "round $round: $(sed 1d log | cut -f 1 | sort -n | uniq -d | tr '\n' ' ')twice, $(sed 1d log |
            cut -f 1 | sort | comm -13 - lines | tr '\n' ' ')missing"
    awk -F '\t' 'NF != 9 { bad = 1 } END { exit bad }' log || complain "round $round: a torn line"
    all_kills=$((all_kills + kills))
done
# a run may be faster than who kills it
[ $all_kills -ge $((rounds / 2)) ] || complain "only $all_kills were killed"
echo "  killed $all_kills times"

finish
