#!/bin/sh
# Makes a virtual environment: sh requirements/make_venv.sh PYTHON DIRECTORY
#
# Debian's Python comes without what `python3 -m venv` needs; it is installed where that may be
# done: as root, or with a sudo that asks no password.
set -eu
python=$1
venv=$2

if ! command -v "$python" >/dev/null; then
    echo "There is no $python: install Python 3.11, 3.12 or 3.13, or name one with PYTHON=..." >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'; then
    echo "$python is $("$python" --version): wanted is Python 3.11, 3.12 or 3.13;" \
        "name one with PYTHON=python3.12, for example." >&2
    exit 1
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    package=$("$python" -c 'import sys; print("python{}.{}-venv".format(*sys.version_info))')
    as_root=
    [ "$(id -u)" -eq 0 ] || as_root="sudo -n"
    if ! command -v apt-get >/dev/null || ! $as_root true 2>/dev/null; then
        echo "$python can't make virtual environments: install $package" \
            "(as root: apt-get install $package)." >&2
        exit 1
    fi
    echo "installing $package, which $python needs to make a virtual environment"
    $as_root apt-get update -qq >/dev/null 2>&1 || true # what is cached may do
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends \
        "$package" >/dev/null
fi

# --clear: what is there came from an attempt that failed halfway.
"$python" -m venv --clear "$venv"
