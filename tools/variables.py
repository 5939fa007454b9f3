# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Write docs/variables.md from the roles' argument specs: `python tools/variables.py` prints it."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

ROLES = Path(__file__).parents[1] / "roles"


def page() -> str:
    lines = ["# Variables", "", "Written by `make docs` from the roles' argument specs; edit those."]
    for file in sorted(ROLES.glob("*/meta/argument_specs.yml")):
        spec = yaml.safe_load(file.read_text(encoding="utf-8"))["argument_specs"]["main"]
        lines += ["", f"## {file.parents[1].name}", "", f"{spec['short_description']}."]
        lines += ["", "| variable | type | default | meaning |", "|---|---|---|---|"]
        lines += [_row(name, option) for name, option in spec["options"].items()]
    return "\n".join(lines) + "\n"


def _row(name: str, option: dict) -> str:
    description = option["description"]
    text = " ".join(description) if isinstance(description, list) else description
    if "choices" in option:
        text += " One of " + ", ".join(f"`{choice}`" for choice in option["choices"]) + "."
    default = json.dumps(option["default"]) if "default" in option else "-"
    kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
    cells = (f"`{name}`", kind, f"`{default}`", _plain(text))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _plain(text: str) -> str:
    """Ansible's markup, O(x) and V(x) and C(x), as Markdown."""
    for mark in "OVCE":
        while f"{mark}(" in text:
            before, rest = text.split(f"{mark}(", 1)
            inner, after = rest.split(")", 1)
            text = f"{before}`{inner}`{after}"
    return text


if __name__ == "__main__":
    print(page(), end="")
