#!/bin/sh
# Everything a fresh machine needs: a Python of 3.11 or newer in $VENV, the pinned packages, and, where we may install
# them, the system libraries of the PDF report. Without those libraries everything but the PDF works.
set -eu

PYTHON="${PYTHON:-python3}"
VENV="${VENV:-.venv}"
. "$(dirname "$0")/debian.sh"

enough='import sys; sys.exit(sys.version_info < (3, 11))'
if ! command -v "$PYTHON" >/dev/null 2>&1 || ! "$PYTHON" -c "$enough"; then
    for newer in python3.14 python3.13 python3.12 python3.11; do
        if command -v "$newer" >/dev/null 2>&1; then PYTHON=$newer; break; fi
    done
fi
if ! command -v "$PYTHON" >/dev/null 2>&1 || ! "$PYTHON" -c "$enough"; then
    command -v apt-get >/dev/null 2>&1 && debian python3 python3-venv python3-pip || true
    if ! command -v "$PYTHON" >/dev/null 2>&1 || ! "$PYTHON" -c "$enough"; then
        say "Python 3.11 or newer is needed; install it, or name it: make PYTHON=/path/to/python3.12 $*"
        exit 1
    fi
fi

if [ ! -x "$VENV/bin/python" ] && ! "$PYTHON" -m venv "$VENV" 2>/dev/null; then
    rm -rf "$VENV"
    if ! { command -v apt-get >/dev/null 2>&1 && debian python3-venv; } || ! "$PYTHON" -m venv "$VENV"; then
        say "$PYTHON cannot make virtual environments; run: sudo apt-get install -y python3-venv"
        exit 1
    fi
fi

"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check uv
"$VENV/bin/python" -m uv pip install --quiet --python "$VENV/bin/python" --constraints constraints.txt --editable . --group dev

pango='import warnings; warnings.simplefilter("error"); import weasyprint'
if ! "$VENV/bin/python" -c "$pango" >/dev/null 2>&1; then
    if command -v apt-get >/dev/null 2>&1; then
        debian libpangoft2-1.0-0 libharfbuzz-subset0 || true
        command="sudo apt-get install -y --no-install-recommends libpangoft2-1.0-0 libharfbuzz-subset0"
    elif command -v brew >/dev/null 2>&1; then
        command="brew install pango"
        say "installing pango"
        brew install --quiet pango >/dev/null || true
    else
        command="install Pango 1.44 or newer with your package manager"
    fi
    if ! "$VENV/bin/python" -c "$pango" >/dev/null 2>&1; then
        say "The PDF report needs system libraries that we may not install; everything else works. To have it:"
        say "    $command"
    fi
fi
