# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""The agents' accounts: what is to be made, and what must be noted so that retire takes out just that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def account_plan(accounts: Mapping[str, Any], group: str | None, users: Sequence[str]) -> dict[str, Any]:
    """What stands between the accounts of a host and the policy, given the group's name and the users it is to hold.

    ``accounts`` is the part of that name of what ``agent_host_info`` returns. Gives ``{"pending": bool, "group": bool,
    "users": [names to be made], "members": [names to be put into the group], "leavers": [{"name", "group"}: who was put
    into a group by an earlier apply, and is no longer to be in it], "record": {"groups": [...], "users": [...],
    "members": {group: [...]}}, "settled": the record once the leavers have left}``; ``record`` is all that this and
    earlier applies made and that is still wanted, or still there to be taken out. Without a group everybody leaves.
    """
    earlier = accounts["record"]
    create_group = group is not None and not accounts["group"]["exists"]
    missing = [name for name in users if not accounts["users"].get(name, {}).get("exists")]
    outside = [name for name in users if group not in accounts["users"].get(name, {}).get("groups", [])]
    leavers = [
        {"name": name, "group": joined}
        for joined, names in earlier.get("members", {}).items()
        for name in names
        if name in accounts["memberships"].get(joined, []) and not (joined == group and name in users)
    ]
    ours = [name for name in users if name in outside or name in earlier.get("members", {}).get(group, [])]
    staying = {group: sorted(ours)} if group is not None and ours else {}
    settled = {
        "groups": sorted({*earlier.get("groups", []), *([group] if create_group else [])}),
        "users": sorted({*earlier.get("users", []), *missing}),
        "members": staying,
    }
    members = dict(staying)
    for leaver in leavers:
        members[leaver["group"]] = sorted({*members.get(leaver["group"], []), leaver["name"]})
    return {
        "pending": bool(create_group or missing or outside or leavers),
        "group": create_group,
        "users": missing,
        "members": outside,
        "leavers": leavers,
        "record": {**settled, "members": members},
        "settled": settled,
    }
