#!/usr/bin/env bash
# Runs every fuzz target of the module for a while, one after another: test/fuzz.sh [TIME], default 20s.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

grep -rlE '^func Fuzz[A-Z]' --include='*_test.go' . | xargs -n1 dirname | sort -u | while read -r package; do
  grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$package"/*_test.go | sed 's/^func //' | while read -r target; do
    echo "== $package $target"
    # Coverage varies from run to run where a map is walked, and the minimizer would chase that: bound it.
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${1:-20s}" -fuzzminimizetime 5x "$package"
  done
done
