#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ansible-test.sh [ENVIRONMENT]: run `ansible-test sanity` on a copy of this checkout. Its `units` would run tests/unit a second time.
# ansible-test insists on a real path .../ansible_collections/nova/agent_host outside any repository: with a link it
# stops, with a copy inside a repository it silently tests nothing.
set -euo pipefail
checkout=$(cd "$(dirname "$0")/.." && pwd)
environment=$checkout/${1:-.venv}
python=$(readlink -f "$environment/bin/python")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy=$work/ansible_collections/nova/agent_host
mkdir -p "$copy"
(cd "$checkout" && git ls-files -co --exclude-standard -z | xargs -0 cp --parents -t "$copy" 2>/dev/null) || :  # deleted files are still listed

# ansible-test fetches a pip bootstrap script of its own for its virtual environments; the pip that comes with Python does.
cache=${HOME:?}/.ansible/test/cache
mkdir -p "$cache"
exec 9>"$cache/nova-agent-host.lock"
flock 9  # its virtual environments belong to the account, and two runs would make the same ones
for version in 23_1_2 24_2 25_2; do # of ansible-core 2.16 and 2.17, 2.18, and those from 2.19 on
  cp "$checkout/tools/get_pip.py" "$cache/get_pip_$version.py"
done

# A PATH of this Python and the system's alone: version managers' shims that answer with an error stop ansible-test.
PATH=$environment/bin:$(dirname "$python"):/usr/local/bin:/usr/bin:/bin
export PATH
cd "$copy"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
# pylint's requirements of ansible-core 2.22rc1 have an address that not every machine reaches.
address=$(sed -nE 's/.* @ (https:[^ ]+).*/\1/p' "$environment"/lib/python3*/site-packages/ansible_test/_data/requirements/sanity.pylint.txt)
skipped=()
if [[ $address ]] && ! curl -fsSL --head --max-time 30 --output /dev/null "$address"; then
  echo "sanity: pylint is skipped, since its requirement can't be fetched"
  skipped=(--skip-test pylint)
fi
# tests/ and tools/ are no part of the built collection: ruff checks them.
ansible-test sanity --color no --python "$version" --requirements "${skipped[@]}" --exclude tests/ --exclude tools/
