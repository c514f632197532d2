# Sourced by the other scripts: installs what they need into the checkout, once, with progress,
# and says what is missing when it cannot.
# shellcheck shell=bash

cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1
readonly ROOT=$PWD VENV=$PWD/.venv WEB=$PWD/collector/web
readonly STATIC=$PWD/collector/forge_collector/static
readonly PYTHON=$VENV/bin/python

say() { printf '\033[2m→\033[0m %s\n' "$*" >&2; }

die() {
  printf '✗ %s\n' "$@" >&2
  exit 1
}

# Runs a command with one moving line of its output on a terminal; all of it when it fails.
with_progress() {
  local log
  log=$(mktemp)
  if ! "$@" 2>&1 | tee "$log" | _moving_line; then
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
  rm -f "$log"
}

_moving_line() {
  if [ ! -t 2 ]; then
    cat >/dev/null
    return
  fi
  local line
  while IFS= read -r line; do
    printf '\r\033[K  %.76s' "${line//[^[:print:]]/}" >&2
  done
  printf '\r\033[K' >&2
}

# Is a stamp file there that says this very thing was done?
done_already() { [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]; }

fingerprint() { cat "$@" | sha256sum | cut -c1-64; }

# debian_package COMMAND PACKAGE: makes sure the command is there, by apt where we may.
debian_package() { command -v "$1" >/dev/null || _install "$1" "$2"; }

# python_library: makes sure that Python's shared library is there, which PyInstaller puts into the
# agent. Debian's Python does without it; one from elsewhere has its own, or none that apt knows.
python_library() {
  "$PYTHON" -c 'import ctypes, sys, sysconfig
if sys.base_prefix == "/usr": ctypes.CDLL(sysconfig.get_config_var("INSTSONAME"))' 2>/dev/null ||
    _install "Python's shared library" libpython3-dev
}

# _install WHAT PACKAGE
_install() {
  local hint="$1 is missing. Install it with: sudo apt-get install $2"
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then die "$hint"; fi
  say "Installing $2"
  _apt_install "$2" || die "$hint"
}

_apt_install() {
  export DEBIAN_FRONTEND=noninteractive
  with_progress apt-get update && with_progress apt-get install --yes --no-install-recommends "$1"
}

find_python() {
  local candidate
  for candidate in python3 python3.14 python3.13 python3.12 python3.11; do
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$candidate"
      return
    fi
  done
  die "Python 3.11 or newer is missing. Install it with: sudo apt-get install python3 python3-venv"
}

make_venv() {
  local python=$1
  "$python" -m venv --clear "$VENV" >/dev/null 2>&1 && return
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    say "Installing python3-venv"
    _apt_install python3-venv && "$python" -m venv --clear "$VENV" >/dev/null && return
  fi
  die "Python's venv module is missing. Install it with: sudo apt-get install python3-venv"
}

# python_packages LOCK [INCLUDED…]: the packages of a lock file, and the project itself, in .venv.
# INCLUDED: lock files all of whose packages are in LOCK too, so that they need not be installed.
python_packages() {
  local lock=$1 each
  done_already "$VENV/.installed-$lock" "$(wanted_packages "$lock")" && return
  local python
  python=$(find_python) || exit 1
  say "Installing Python packages into .venv (once; about a minute)"
  # A checkout that was moved has a .venv that points to where it was.
  if ! "$PYTHON" -m pip --version >/dev/null 2>&1; then make_venv "$python"; fi
  with_progress "$PYTHON" -m pip install --disable-pip-version-check --require-hashes -r "$lock" ||
    die "The Python packages could not be installed; is there a network? What pip said is above."
  with_progress "$PYTHON" -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e . ||
    die "The project could not be installed into .venv; what pip said is above."
  for each in "$@"; do wanted_packages "$each" >"$VENV/.installed-$each"; done
}

wanted_packages() {
  printf '%s\n' "$ROOT" | cat - pyproject.toml "$1" | sha256sum | cut -c1-64
}

find_node() {
  local version
  version=$(node --version 2>/dev/null || echo v0)
  version=${version#v}
  [ "${version%%.*}" -ge 20 ] ||
    die "Node 20 or newer is missing; the page is built with it. Install it from https://nodejs.org/."
  command -v npm >/dev/null || die "npm is missing; it comes with Node from https://nodejs.org/."
}

node_packages() {
  local stamp=$WEB/node_modules/.installed wanted
  wanted=$(fingerprint "$WEB/package.json" "$WEB/package-lock.json")
  done_already "$stamp" "$wanted" && return
  find_node
  say "Installing the page's packages into collector/web/node_modules (once)"
  (cd "$WEB" && with_progress npm ci --no-audit --no-fund) ||
    die "The page's packages could not be installed; is there a network? What npm said is above."
  echo "$wanted" >"$stamp"
}

# The page, built from its sources when they changed.
page() {
  local stamp=$STATIC/.built wanted
  wanted=$(cd "$WEB" && find . -path ./node_modules -prune -o -type f -print0 | sort -z |
    xargs -0 sha256sum | sha256sum | cut -c1-64)
  done_already "$stamp" "$wanted" && return
  node_packages
  say "Building the page"
  (cd "$WEB" && with_progress npm run build) || die "The page could not be built; see above."
  echo "$wanted" >"$stamp"
}
