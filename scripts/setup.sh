#!/usr/bin/env bash
# Set-up for `make demo` (scripts/setup.sh runtime) and `make test` (scripts/setup.sh dev).
# Debian packages where root may install them, the virtual environment, the locked Python packages.
# Starts no service. The second time it only compares a checksum.
set -euo pipefail
cd "$(dirname "$0")/.."

kind="${1:?runtime or dev}"
venv="${VENV:-.venv}"
lock="requirements/$kind.txt"
stamp="$venv/.installed-$kind"

fail() { echo "setup: $*" >&2; exit 1; }

. scripts/find_python.sh

# Debian starts what it installs; a policy that forbids it lasts as long as the installation.
install_debian() {
    [ "$(id -u)" -eq 0 ] || fail "these Debian packages are missing: $*
  as root:  apt-get install --no-install-recommends $*"
    command -v apt-get >/dev/null || fail "this is no Debian; install what gives: $*"
    echo "setup: installing Debian packages: $*"
    local policy=/usr/sbin/policy-rc.d cluster=/etc/postgresql-common/createcluster.d made=()
    if [ ! -e "$policy" ]; then printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; made+=("$policy"); fi
    if [ ! -e /etc/postgresql-common ]; then
        mkdir -p "$cluster"
        echo "create_main_cluster = false" >"$cluster/prescaler-setup.conf"
        made+=("$cluster/prescaler-setup.conf")
    fi
    trap 'rm -f "${made[@]}"' RETURN
    apt_install "$@" || { apt-get update -q >/dev/null && apt_install "$@"; } || fail "apt-get could not install: $*"
}

apt_install() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" >/dev/null
}

needed=()
python="$(find_python)" || { needed+=(python3); python=python3; }
"$python" -c 'import ensurepip, venv' 2>/dev/null || needed+=(python3-venv)
command -v prometheus >/dev/null && command -v promtool >/dev/null || needed+=(prometheus)
if [ "$kind" = dev ]; then
    command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || needed+=(postgresql)
    command -v chromium >/dev/null || needed+=(chromium fonts-dejavu-core)
fi
[ ${#needed[@]} -eq 0 ] || install_debian "${needed[@]}"
python_fits "$python" || fail "Python 3.11 or newer is needed; $("$python" --version 2>&1) was found"

sum="$(cat "$lock" requirements/build.txt pyproject.toml package-lock.json hatch_build.py | sha256sum | cut -d' ' -f1)"
if [ "$(cat "$stamp" 2>/dev/null || true)" = "$sum" ]; then exit 0; fi
echo "setup: installing Python packages from $lock into $venv"
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --no-input -q "$@"; }
pip install --require-hashes -r requirements/build.txt
pip install --require-hashes -r "$lock"
# npm fetches the chart library; where the machine has none, a wheel brings it.
command -v npm >/dev/null || pip install --require-hashes -r requirements/charts.txt ||
    echo "setup: no npm and none to be had; the pages will have no charts" >&2
pip install --no-deps --no-build-isolation -e .
echo "$sum" >"$stamp"
