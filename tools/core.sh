#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# core.sh: the unit tests that use ansible-core, and apply to retire of a host, with the ansible-core that is first on PATH.
# Called by `make core-2.17`.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "$(ansible --version | sed -n 1p), $(python -V)"
# In module_utils, only desired/ gives its values to ansible-core. The other logic is the same with each core.
pytest -rs -n 2 --dist loadfile tests/unit/{docs,playbooks} tests/unit/plugins/{action,filter,plugin_utils,module_utils/desired}
pytest -rs tests/integration/test_life_of_a_host.py -k "retired_completely or drifted_file"
