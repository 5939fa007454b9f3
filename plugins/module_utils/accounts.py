# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The agents' accounts: what is to be made, and what must be noted so that retire takes out just that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def account_plan(accounts: Mapping[str, Any], group: str, users: Sequence[str]) -> dict[str, Any]:
    """What stands between the accounts of a host and the policy, given the group's name and the users it is to hold.

    ``accounts`` is the part of that name of what ``agent_host_info`` returns. Gives ``{"pending": bool, "group": bool,
    "users": [names to be made], "members": [names to be put into the group], "leavers": [names that an earlier apply
    put into it and that are no longer listed], "record": {"groups": [...], "users": [...], "members": [...]}}``;
    ``record`` is all that this and earlier applies made and that is still wanted, or still there to be taken out.
    """
    earlier = accounts["record"]
    create_group = not accounts["group"]["exists"]
    missing = [name for name in users if not accounts["users"].get(name, {}).get("exists")]
    outside = [name for name in users if group not in accounts["users"].get(name, {}).get("groups", [])]
    leavers = [
        name for name in earlier.get("members", []) if name not in users and name in accounts["group"]["members"]
    ]
    made = {"groups": [group] if create_group else [], "users": missing, "members": outside}
    record = {kind: sorted({*earlier.get(kind, []), *names}) for kind, names in made.items()}
    return {
        "pending": bool(create_group or missing or outside or leavers),
        "group": create_group,
        "users": missing,
        "members": outside,
        "leavers": leavers,
        "record": {**record, "members": [name for name in record["members"] if name in users or name in leavers]},
    }
