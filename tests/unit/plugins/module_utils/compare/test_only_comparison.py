# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""There is one comparison of a host with its policy: compare/items.py, with paths.py and units.py."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import UnitState
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import PathState

PLUGINS = Path(__file__).parents[5] / "plugins"
HOME = "module_utils/compare"
# Attributes for comparing paths and units. Other code also uses `kind`, `owner`, `mode` and `target`.
ATTRIBUTES = {"sha256", "enabled", "active", "load", "stale", "drop_ins", "memory_max", "swap_max"}
# Files that may use a function of the comparison or compare such an attribute, with the reason.
ALLOWED = {
    "module_utils/state/repair.py": "repairs owner and mode of the manifest's own files",
    "module_utils/state/apply.py": "stores an original before it is replaced",
    "module_utils/state/plan.py": "calls the comparison on the host",
    "module_utils/state/change.py": "does not rewrite unchanged content",
    "module_utils/state/diff.py": "shows both sides",
    "module_utils/state/foreign.py": "replaces only a path that is as observed",
    "module_utils/state/units.py": "plans the commands for systemd",
    "module_utils/host/systemd.py": "stops only units that run",
    "module_utils/status/drift.py": "compares a host with its manifest, by the same functions",
    "module_utils/desired/agent_ceiling.py": "the condition of the ceiling",
    "module_utils/desired/agent_limits.py": "the condition of a login's limits",
    "module_utils/desired/agent_toolchain.py": "the condition of the toolchain, by toolchain/compare.py",
    "plugin_utils/policy_action.py": "calls compare for every action",
    "module_utils/warm/bundle.py": "accepts or refuses a file, and does not judge a host",
}
FUNCTIONS = {
    "differences",
    "in_words",
    "limits_that_differ",
    "compare_roles",
    "compare_unit",
    "compare",
}


def comparisons(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            own = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "self"
            if name in FUNCTIONS and not own:
                yield f"calls {name}"
        elif isinstance(node, ast.Compare):
            for side in (node.left, *node.comparators):
                name = side.attr if isinstance(side, ast.Attribute) else _key(side)
                if name in ATTRIBUTES:
                    yield f"compares {name}"


def _key(node: ast.AST) -> str:
    """The key of x["key"]."""
    found = node.slice if isinstance(node, ast.Subscript) else None
    return found.value if isinstance(found, ast.Constant) and isinstance(found.value, str) else ""


def by_file() -> dict[str, set[str]]:
    found = {}
    for path in sorted(PLUGINS.rglob("*.py")):
        name = str(path.relative_to(PLUGINS))
        # The toolchain's tree has its own receipt and comparison. The result is one condition.
        if not name.startswith((HOME, "module_utils/toolchain", "module_utils/mirror", "module_utils/crate_tests")):
            found[name] = set(comparisons(ast.parse(path.read_text(encoding="utf-8"))))
    return {name: what for name, what in found.items() if what}


def test_only_the_comparison_decides_whether_a_host_is_compliant():
    """It finds calls of the comparison's functions, and ==, != and `in` with attributes that only paths and units have.
    It does not find comparisons without these names: of whole states, of modes alone, by one hash of all files, in
    Jinja, or in shell scripts."""
    found = by_file()
    more = {name: what for name, what in found.items() if name not in ALLOWED}
    assert more == {}, "use the items of compare/items.py, or give the reason in ALLOWED"
    assert sorted(set(ALLOWED) - set(found)) == [], "these no longer compare anything: remove them from ALLOWED"


def test_check_finds_a_violation():
    second = """
def drifted(wanted, found):
    return [path for path in wanted if found[path].sha256 != wanted[path].sha256 or found["active"] == "failed"]
"""
    assert set(comparisons(ast.parse(second))) == {"compares sha256", "compares active"}
    assert set(comparisons(ast.parse("paths.differences(a, b)"))) == {"calls differences"}


def test_searched_names_exist():
    names = set(PathState.__dataclass_fields__) | set(UnitState.__dataclass_fields__) | {"memory_max", "swap_max"}
    assert names >= ATTRIBUTES
    text = "".join(path.read_text(encoding="utf-8") for path in (PLUGINS / "module_utils").rglob("*.py"))
    assert [name for name in FUNCTIONS if f"def {name}(" not in text] == []


def test_playbooks_and_roles_use_only_the_comparison():
    """Their conditions use the result of policy_compare, never the state of a path or unit."""
    root = PLUGINS.parent
    words = ("ansible.builtin.stat", ".stat.", "service_facts", "systemctl is-", "sha256sum")
    files = [*(root / "roles").glob("*/tasks/*.yml"), *(root / "playbooks").rglob("*.yml")]
    found = {
        str(file.relative_to(root)): word
        for file in files
        for word in words
        if word in file.read_text(encoding="utf-8")
    }
    assert found == {}
