#!/bin/sh
# run.sh BUILD_DIR - the benchmarks, each against a peer measured in the same run.
set -eu
build=${1:?usage: run.sh BUILD_DIR}
echo "Stream of 8-byte tasks, 2 workers, queue of 4096, results by pool callback:"
echo
"$build/bench/stream" "${TASKS:-1000000}" "${ROUNDS:-5}"
