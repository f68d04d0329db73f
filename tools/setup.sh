#!/usr/bin/env bash
# Prepares .venv from requirements.lock and from further locks that are named. Needs a Python of 3.11 to 3.13 with its
# venv module, and nothing else.
set -euo pipefail

suits() {
  "$1" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null
}

if ! { [ -x .venv/bin/python ] && suits .venv/bin/python; }; then
  for python in "${PYTHON:-}" python3.13 python3.12 python3.11 python3 python; do
    if [ -n "$python" ] && suits "$python"; then break; fi
    python=""
  done
  if [ -z "$python" ]; then
    echo "No Python 3.11, 3.12 or 3.13 with its venv module was found." >&2
    echo "Install one (on Debian: apt-get install python3-venv), or name yours: make setup PYTHON=/path/to/python" >&2
    exit 2
  fi
  "$python" -m venv --clear .venv
fi

locks=(requirements.lock "$@")
pip=(.venv/bin/python -m pip --disable-pip-version-check --quiet)
project=(install --quiet --no-deps --no-build-isolation --editable .)

# uv installs in seconds what takes pip a minute. It comes from the lock like everything else: its entry there is the
# line with its name and the lines that end each other with a backslash.
if ! .venv/bin/uv --version >/dev/null 2>&1; then
  sed -n '/^uv==/,/[^\\]$/p' requirements.lock > .venv/uv.lock
  "${pip[@]}" install --require-hashes --requirement .venv/uv.lock || true
fi

# uv does not read pip's settings; whoever needs a mirror has named it there.
mirror=$("${pip[@]}" config list 2>/dev/null | sed -n "s/^[^=]*\.index-url='\(.*\)'$/\1/p" | tail -n 1)
if [ -n "$mirror" ]; then export UV_DEFAULT_INDEX="${UV_DEFAULT_INDEX:-$mirror}"; fi

export VIRTUAL_ENV="$PWD/.venv"
if .venv/bin/uv pip sync --quiet --require-hashes "${locks[@]}"; then
  .venv/bin/uv pip "${project[@]}"
else
  echo "uv did not get the packages; pip tries, which takes longer." >&2
  "${pip[@]}" install --require-hashes "${locks[@]/#/--requirement=}"
  "${pip[@]}" "${project[@]}"
fi
