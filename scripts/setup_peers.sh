#!/usr/bin/env bash
# The environment of the benchmark's peers (Prophet, statsforecast, statsmodels on pandas 2), which
# bench/peers.py runs in. The second time it only compares a checksum.
set -euo pipefail
cd "$(dirname "$0")/.."

venv="${VENV_PEERS:-.venv-peers}"
lock="requirements/peers.txt"
stamp="$venv/.installed-peers"

fail() { echo "setup_peers: $*" >&2; exit 1; }

. scripts/find_python.sh

sum="$(sha256sum <"$lock" | cut -d' ' -f1)"
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$sum" ]; then exit 0; fi
python="$(find_python)" || fail "Python 3.11 or newer is needed"
"$python" -c 'import ensurepip, venv' 2>/dev/null || fail "ensurepip is missing; on Debian install python3-venv"
echo "setup_peers: installing Python packages from $lock into $venv"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
# The repository ignores .venv only; this keeps git and ruff out of any other folder too.
echo '*' >"$venv/.gitignore"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input -q "$@"; }
pip install --require-hashes -r "$lock"
echo "$sum" >"$stamp"
