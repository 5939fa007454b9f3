#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# ansible-test.sh [ENVIRONMENT]: run `ansible-test sanity` on a copy of this checkout. Its `units` would run tests/unit a second time.
# ansible-test needs a real path .../ansible_collections/nova/agent_host outside of any repository: with a link it stops, and
# in a copy inside a repository it tests nothing.
set -euo pipefail
checkout=$(cd "$(dirname "$0")/.." && pwd)
environment=$checkout/${1:-.venv}
python=$(readlink -f "$environment/bin/python")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy=$work/ansible_collections/nova/agent_host
mkdir -p "$copy"
(cd "$checkout" && git ls-files -co --exclude-standard -z | xargs -0 cp --parents -t "$copy" 2>/dev/null) || :  # deleted files are still listed

# ansible-test downloads a script that installs pip into its virtual environments. The pip of Python is sufficient.
cache=${HOME:?}/.ansible/test/cache
mkdir -p "$cache"
exec 9>"$cache/nova-agent-host.lock"
flock 9  # two runs would create the same virtual environments of the account
for version in 23_1_2 24_2 25_2; do # for ansible-core 2.16 and 2.17, for 2.18, for 2.19 and newer
  cp "$checkout/tools/get_pip.py" "$cache/get_pip_$version.py"
done

# PATH has only this Python and the system's programs, because failing shims of version managers stop ansible-test.
PATH=$environment/bin:$(dirname "$python"):/usr/local/bin:/usr/bin:/bin
export PATH
cd "$copy"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
# pylint's requirements in ansible-core 2.22rc1 have a URL that some machines can't reach.
address=$(sed -nE 's/.* @ (https:[^ ]+).*/\1/p' "$environment"/lib/python3*/site-packages/ansible_test/_data/requirements/sanity.pylint.txt)
skipped=()
if [[ $address ]] && ! curl -fsSL --head --max-time 30 --output /dev/null "$address"; then
  echo "sanity: pylint is skipped, because its requirement can't be downloaded"
  skipped=(--skip-test pylint)
fi
# tests/ and tools/ are not in the built collection; ruff checks them.
ansible-test sanity --color no --python "$version" --requirements "${skipped[@]}" --exclude tests/ --exclude tools/
