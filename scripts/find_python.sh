# Sourced by the set-up scripts: a Python that is new enough, $PYTHON first.

python_fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 python3.13 python3.12 python3.11; do
        if [ -n "$candidate" ] && python_fits "$candidate"; then echo "$candidate"; return; fi
    done
    return 1
}
