#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs Julia (1.5 or newer) where it is missing, curl, and an empty package registry in its depot; does nothing when all is there.
#   scripts/setup_julia.sh [--check | --registry]
#     --check      only tell what is missing: exit status 1 if anything is
#     --registry   only the registry (JULIA_DEPOT_PATH says in which depot, as for Julia itself)
# Debian 12 has no Julia. The package of Debian 11 (1.5.3) runs there, and is taken from the mirror of this machine's own sources by
# a source list in a temporary folder, with package lists of its own: the machine's sources and lists are never written, and
# the script fails if they are not as before at its end. That Julia needs the libunwind of its own release, whose structs the one of
# Debian 12 has changed under the same name (else exceptions thrown by compiled code end in a crash): it is laid into Julia's own
# library folder, where Julia alone looks for it.
set -euo pipefail

check_only=no registry_only=no
for argument in "$@"; do
  case $argument in
  --check) check_only=yes ;;
  --registry) registry_only=yes ;;
  -h | --help) sed -n '3,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "setup_julia.sh: unknown option $argument (see --help)" >&2; exit 2 ;;
  esac
done

has() { command -v "$1" >/dev/null 2>&1; }
at_least() { [ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; } # at_least WANTED FOUND
recent_julia() { has julia && at_least 1.5 "$(julia --version | sed -n 's/^julia version \([0-9.]*\).*/\1/p')"; }

# With a libunwind that does not fit, this crashes instead of catching.
throws_well() { julia --startup-file=no -e 'f(x; k=1) = x; try f(1; other=2) catch; exit(0) end; exit(1)' >/dev/null 2>&1; }
has_julia() { recent_julia && throws_well; }
# Pkg of Julia 1.5 refuses to work without a program that it could download with, even if it has nothing to download.
can_download() { has curl || has wget; }

# The first depot, which Pkg writes to.
depot() {
  local first=${JULIA_DEPOT_PATH:-}
  first=${first%%:*}
  printf '%s\n' "${first:-$HOME/.julia}"
}
# Any entry under registries/ will do: a folder, or the packed form of newer versions.
has_registry() { [ -n "$(find "$(depot)/registries" -mindepth 1 -maxdepth 2 -name '*.toml' -print -quit 2>/dev/null)" ]; }

# Without a registry Julia 1.5 clones the General one before it develops a path, which needs the network. Packages that need
# none but the standard library do with an empty one. `julia -e 'using Pkg; Pkg.Registry.add("General")'` adds the other.
make_registry() {
  local folder
  folder="$(depot)/registries/Empty"
  mkdir -p "$folder"
  cat >"$folder/Registry.toml" <<'TOML'
name = "Empty"
uuid = "6f1d0f0e-4f0b-4c1e-9d3c-5b8f1c0a7e55"
repo = ""
description = "No packages: lets Pkg.develop work without a network"

[packages]
TOML
  echo "setup_julia: an empty registry is in $folder; for packages from the network: using Pkg; Pkg.Registry.add(\"General\")"
}

missing() {
  if [ $registry_only = no ]; then
    if ! recent_julia; then
      echo "  Julia 1.5 or newer (Debian 11: julia)"
    elif ! throws_well; then
      echo "  a libunwind that fits $(command -v julia), which crashes when it throws"
    fi
    if ! can_download; then echo "  curl or wget (Debian: curl)"; fi
  fi
  if ! has_registry; then echo "  a package registry in $(depot)"; fi
}
lacking=$(missing)
if [ -z "$lacking" ]; then
  echo "setup_julia: everything is there"
  exit 0
fi
if [ $check_only = yes ]; then
  printf 'missing:\n%s\n' "$lacking"
  exit 1
fi

# What must not change: the files of apt's configuration, and the sources and pins that apt knows.
apt_state() {
  find /etc/apt -type f -exec cksum {} + 2>/dev/null | sort
  apt-cache policy
}

as_root=() # not local: the trap at the end needs it
prepare_apt() { # prepare_apt WHAT
  if ! has apt-get || ! has dpkg; then
    echo "setup_julia: this script installs by apt (Debian) alone. Please install $1." >&2
    return 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! has sudo; then
      echo "setup_julia: neither root nor sudo. Please install $1." >&2
      return 1
    fi
    as_root=(sudo)
  fi
}
apt_get() {
  ${as_root[@]+"${as_root[@]}"} env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=600 "$@"
}

install_curl() {
  prepare_apt curl
  apt_get install -y --no-install-recommends curl || { apt_get update && apt_get install -y --no-install-recommends curl; }
}

install_julia() {
  prepare_apt "Julia 1.5 or newer"

  # The repository that the machine takes its own release from. Lines: URI, codename, component.
  local own targets uri
  own=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
  targets=$(apt-get indextargets 'Created-By: Packages' --format '$(REPO_URI)|$(CODENAME)|$(COMPONENT)')
  uri=$(sed -n "s/|$own|main\$//p" <<<"$targets" | head -n 1)
  if [ -z "$own" ] || [ -z "$uri" ] || [ "$(. /etc/os-release && echo "${ID:-}")" != debian ]; then
    echo "setup_julia: no Debian repository among this machine's package sources. Please install Julia 1.5 or newer." >&2
    return 1
  fi

  local before after
  before=$(apt_state)
  temporary=$(mktemp -d "${TMPDIR:-/tmp}/setup_julia.XXXXXX")
  chmod 755 "$temporary" # apt reads lists as a user of its own
  trap '${as_root[@]+"${as_root[@]}"} rm -rf "$temporary"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  mkdir -p "$temporary/sources" "$temporary/lists" "$temporary/archives/partial"
  cp -r /etc/apt/sources.list.d/. "$temporary/sources/" 2>/dev/null || true
  if [ -f /etc/apt/sources.list ]; then cp /etc/apt/sources.list "$temporary/sources/machine.list"; fi
  find /var/lib/apt/lists -maxdepth 1 -type f ! -name lock -exec cp -p {} "$temporary/lists/" \;

  local keys=""
  if [ -f /usr/share/keyrings/debian-archive-keyring.gpg ]; then
    keys=" [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
  fi
  echo "deb$keys $uri bullseye main" >"$temporary/sources/bullseye.list"
  local apart=(-o "Dir::State::lists=$temporary/lists" -o "Dir::Cache::archives=$temporary/archives"
    -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
  local both=("${apart[@]}" -o Dir::Etc::sourcelist=/dev/null -o "Dir::Etc::sourceparts=$temporary/sources")
  local bullseye=("${apart[@]}" -o "Dir::Etc::sourcelist=$temporary/sources/bullseye.list"
    -o Dir::Etc::sourceparts=/dev/null -o APT::Get::List-Cleanup=false)

  apt_get "${bullseye[@]}" update
  if ! recent_julia; then
    echo "setup_julia: installing Julia from Debian 11"
    # Old package lists name versions that the mirror no longer has: try again with new ones.
    apt_get "${both[@]}" install -y --no-install-recommends julia ||
      { apt_get "${both[@]}" update && apt_get "${both[@]}" install -y --no-install-recommends julia; }
  fi
  if ! throws_well; then
    local folder
    folder=$(dirname "$(dpkg -L libjulia1 | grep '/julia/sys\.so$')")
    echo "setup_julia: giving Julia the libunwind of Debian 11, in $folder"
    mkdir -p "$temporary/unwind" # not among the archives, where this release's own may lie
    (cd "$temporary/unwind" && apt_get "${bullseye[@]}" download libunwind8/bullseye)
    dpkg-deb -x "$temporary"/unwind/libunwind8_*.deb "$temporary/unwind"
    ${as_root[@]+"${as_root[@]}"} install -m 644 "$(find "$temporary/unwind" -name 'libunwind.so.8.*' -type f)" "$folder/libunwind.so.8"
  fi

  after=$(apt_state)
  if [ "$before" != "$after" ]; then
    echo "setup_julia: the machine's package sources have changed while this ran:" >&2
    diff <(echo "$before") <(echo "$after") >&2
    return 1
  fi
  echo "setup_julia: the machine's package sources are as before"
}

if [ $registry_only = no ]; then
  if ! can_download; then install_curl; fi
  if ! has_julia; then install_julia; fi
fi
if ! has_registry; then make_registry; fi

lacking=$(missing)
if [ -n "$lacking" ]; then
  printf 'setup_julia: still missing:\n%s\n' "$lacking" >&2
  exit 1
fi
echo "setup_julia: done"
