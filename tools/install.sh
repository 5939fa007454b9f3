#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# install.sh PROGRAM:PACKAGE ...: print a message, and install the Debian packages of missing programs.
set -euo pipefail

missing=()
for pair in "$@"; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
done
((${#missing[@]})) || exit 0

fail() {
  echo "test tools: $*" >&2
  exit 1
}
command -v apt-get >/dev/null || fail "there is no apt-get, so these packages can't be installed: ${missing[*]}"
root=()
if ((EUID != 0)); then
  sudo -n true 2>/dev/null || fail "needs root, or sudo without a password, to install: ${missing[*]}"
  root=(sudo -n)
fi
echo "test tools: installing with apt-get: ${missing[*]}" >&2
apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq -o DPkg::Lock::Timeout=300)
# One at a time, because a second apt-get fails at the lock of the package lists.
exec {lock}<"${BASH_SOURCE[0]}"
flock "$lock"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
"${apt[@]}" update >"$log" 2>&1 || : # the old lists may be sufficient
"${apt[@]}" install --yes --no-install-recommends "${missing[@]}" >>"$log" 2>&1 || {
  tail -n 5 "$log" >&2
  fail "apt-get could not install: ${missing[*]}"
}
