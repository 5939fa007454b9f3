#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# docs_site.sh FOLDER: build the docs site: the guides of docs/, and a page for each role, module and filter.
# Called by `make docs-site`. A warning is an error.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
site=$1

rm -rf "$site"
mkdir -p "$site/rst" "$site/temp"
mkdir -m 0700 "$site/rst/reference"
cp -r "$here"/../docs/docsite/* "$site/rst/"
antsibull-docs collection --use-current --fail-on-error --no-indexes --squash-hierarchy --dest-dir "$site/rst/reference" nova.agent_host
rm "$site/rst/reference/environment_variables.rst" # there are none
python "$here/guides.py" "$site/rst/guides"
sphinx-build -q -W --keep-going -b html -d "$site/temp" "$site/rst" "$site/html"
echo "$site/html/index.html"
