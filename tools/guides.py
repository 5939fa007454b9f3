# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""guides.py FOLDER: copy the pages of docs/ for the docs site. Links to other files become addresses of the repository."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
LINK = re.compile(r"(\]\()([^)#:\s]+)((?:#[^)]*)?\))")


def pages() -> list[Path]:
    return sorted(path for path in DOCS.rglob("*.md") if "docsite" not in path.parts)


def copied(page: Path, repository: str, known: set[Path]) -> str:
    """The text of a page, with links to other pages of the site or to the repository."""

    def link(match: re.Match[str]) -> str:
        target = (page.parent / match[2]).resolve()
        if target in known or target.suffix in (".png", ".svg"):
            return match[0]
        return f"{match[1]}{repository}/blob/main/{target.relative_to(ROOT)}{match[3]}"

    text = page.read_text(encoding="utf-8").replace("```mermaid", "```text")  # the site does not draw diagrams
    return LINK.sub(link, text)


def main(folder: Path) -> None:
    repository = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["repository"]
    known = {page.resolve() for page in pages()}
    for page in pages():
        target = folder / page.relative_to(DOCS)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(copied(page, repository, known), encoding="utf-8")
    for picture in DOCS.glob("*.png"):
        shutil.copy(picture, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
