#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# release_check.sh: build the tarball, and use it as Galaxy and users do. GALAXY is the folder of galaxy-importer's programs,
# REPOSITORY the address of the release. --draft: example.invalid is allowed, and no host is started.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
draft=${1-}
work=$(mktemp -d)
export PYTHONDONTWRITEBYTECODE=1 # the verification fails if the installed copy has a new file
trap 'gpgconf --homedir "$work/gnupg" --kill all 2>/dev/null || :; rm -rf "$work"' EXIT

say() { printf '%4d s  %s\n' "$SECONDS" "$*"; }

fail() {
  echo "release: $*" >&2
  exit 1
}

say "building"
"$here/build.sh" "$work" >/dev/null
tarball=$(echo "$work"/*.tar.gz)
if [[ $draft != --draft ]]; then
  addresses=$(tar -xOf "$tarball" MANIFEST.json | sed -nE 's/.*"(repository|documentation|homepage|issues)": .*example\.invalid.*/\1/p')
  [[ -z $addresses ]] || fail "no real address for ${addresses//$'\n'/, }: set REPOSITORY=URL, or change galaxy.yml"
fi
"$here/install.sh" gpg:gpg gpgconf:gpgconf

say "checking it as Galaxy does"
(cd "$work" && PATH="$GALAXY:$PATH" python -m galaxy_importer.main "$tarball" >"$work/importer.log" 2>&1) || {
  cat "$work/importer.log"
  fail "the importer refuses it"
}
# Its messages about itself, container engines and slow machines are not about the collection. ansible-lint runs below.
warnings=$(grep -E '^(WARNING|ERROR)' "$work/importer.log" | grep -vE 'ansible-test|sanity|EDA|eda|Unable to|Timeout on call to ansible-lint' || :)
[[ -z $warnings ]] || fail "the importer warns:"$'\n'"$warnings"

say "installing it into an empty environment"
"$PYTHON" -m venv "$work/venv"
"$work/venv/bin/pip" install -qq --no-compile --disable-pip-version-check --require-hashes -r "$here/environments/core-2.20/requirements.txt"
export PATH=$work/venv/bin:$PATH ANSIBLE_COLLECTIONS_PATH=$work/collections PYTHONPATH=$work/collections ANSIBLE_HOME=$work/home
ansible-galaxy collection install --offline -p "$work/collections" "$tarball" >/dev/null 2>&1 || fail "it can't be installed"
installed=$work/collections/ansible_collections/nova/agent_host
[[ $(ansible-doc -t module nova.agent_host.agent_host_info) == *agent_host_info* ]] || fail "its documentation can't be read"
[[ $(ansible-playbook nova.agent_host.plan -e memory=1536G -e cpus=192 2>/dev/null) == *326* ]] || fail "plan does not run"

say "checking the installed copy with ansible-lint"
(cd "$installed" && PYTHONPATH='' "$GALAXY/ansible-lint" --offline --profile production -q) || fail "ansible-lint refuses it"

if [[ $draft != --draft ]]; then
  say "running the demo from the installed copy"
  "$here/demo/demo.sh" up
  "$here/demo/demo.sh" down
fi

say "signing and verifying it with a throwaway key"
mkdir -m 0700 "$work/gnupg"
export GNUPGHOME=$work/gnupg
gpg --quiet --batch --passphrase '' --quick-generate-key 'a throwaway key <nobody@example.invalid>' ed25519 sign never 2>/dev/null
gpg --quiet --export >"$work/keyring.gpg"
gpg --quiet --batch --armor --detach-sign --output "$work/signature.asc" "$installed/MANIFEST.json"
verified() {
  ansible-galaxy collection verify --offline nova.agent_host --keyring "$work/keyring.gpg" \
    --signature "file://$work/signature.asc" --required-valid-signature-count 1 >"$work/verify.log" 2>&1
}
verified || {
  cat "$work/verify.log"
  fail "its signature can't be verified"
}
echo wrong | gpg --quiet --batch --yes --armor --detach-sign --output "$work/signature.asc"
! verified || fail "a wrong signature is accepted"
grep -q "Signature verification failed" "$work/verify.log" || fail "a wrong signature is refused for another reason"

say "done: $(basename "$tarball")"
