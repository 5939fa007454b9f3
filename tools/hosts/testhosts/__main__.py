# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""The command line: hosts.sh COMMAND ..."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from . import base, files, inventory, machine, registry, run
from . import suite as suites
from .shell import HostsError, say

_VARIABLES = """\
variables: SUITE (bookworm, trixie: stand-ins for Ubuntu; noble, jammy, ...: real), MIRROR (of the suite),
TEST_HOSTS_OWNER (as --owner), TEST_HOSTS_RANGE (10.213), XDG_CACHE_HOME. See tools/hosts/README.md.
"""


def _up(arguments: argparse.Namespace) -> None:
    names = arguments.names or [f"host{number}" for number in range(1, arguments.count + 1)]
    record = run.up(arguments.run, names, arguments.owner, arguments.allow)
    say(f"run {record.run}: {len(names)} host(s) up ({suites.title(record.suite)})")
    print(inventory.path(record))


def _down(arguments: argparse.Namespace) -> None:
    if not run.down(arguments.run):
        say(f"run {arguments.run} is not up: nothing to end")


def _down_all(arguments: argparse.Namespace) -> None:
    for record in registry.records():
        run.down(record.run)


def _list(arguments: argparse.Namespace) -> None:
    for record in registry.records():
        state = "up" if record.ready else "starting"
        addresses = " ".join(f"{host.name}={host.address}" for host in run.hosts(record))
        print(f"{record.run}: {state}, {suites.title(record.suite)}: {addresses}")


def _inventory(arguments: argparse.Namespace) -> None:
    print(inventory.path(registry.get(arguments.run)))


def _describe(arguments: argparse.Namespace) -> None:
    record = registry.get(arguments.run)
    print(inventory.describe(record, run.hosts(record)))


def _serve(arguments: argparse.Namespace) -> None:
    with registry.locked():
        print(files.serve(registry.get(arguments.run), arguments.folder.resolve()))


def _ssh(arguments: argparse.Namespace) -> None:
    hosts = {host.name: host for host in run.hosts(registry.get(arguments.run))}
    if arguments.host not in hosts:
        raise HostsError(f"run {arguments.run} has no host {arguments.host!r}, only: {' '.join(hosts)}")
    command = hosts[arguments.host].ssh(*arguments.command)
    os.execvp(command[0], command)


def _base(arguments: argparse.Namespace) -> None:
    machine.require()
    print(base.ensure(suites.chosen()))


def _clean(arguments: argparse.Namespace) -> None:
    with registry.locked():
        run.reap()
        base.remove_unused({record.base for record in registry.records()})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hosts.sh", description=__doc__, epilog=_VARIABLES)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="start a run of hosts; prints the path of its inventory")
    up.add_argument("run", metavar="RUN")
    up.add_argument("names", nargs="*", metavar="HOST", help="names of the hosts")
    up.add_argument(
        "--count", type=int, default=1, help="number of hosts if no names are given: host1, host2, ... (%(default)s)"
    )
    up.add_argument(
        "--owner",
        type=int,
        default=os.environ.get("TEST_HOSTS_OWNER") or None,
        metavar="PID",
        help="after this process has ended, the next `up` or `down` of any run ends this run too; "
        "default: the run stays until its `down`",
    )
    up.add_argument(
        "--allow", action="append", default=[], metavar="SERVER", help="a server that hosts may reach through the proxy"
    )
    up.set_defaults(act=_up)

    for name, act, text in (
        ("down", _down, "end a run, and all abandoned runs"),
        ("inventory", _inventory, "print the path of a run's inventory"),
        ("describe", _describe, "print a run as JSON"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("run", metavar="RUN")
        command.set_defaults(act=act)
    for name, act, text in (
        ("down-all", _down_all, "end all runs of this machine"),
        ("list", _list, "print all runs of this machine"),
        ("base", _base, "build the base image if it is missing, and print its path"),
        ("clean", _clean, "remove the base images that no run uses"),
    ):
        commands.add_parser(name, help=text).set_defaults(act=act)

    serve = commands.add_parser(
        "serve", help="serve a folder to a run's hosts over http, while it is up; prints the URL"
    )
    serve.add_argument("run", metavar="RUN")
    serve.add_argument("folder", metavar="FOLDER", type=Path)
    serve.set_defaults(act=_serve)

    ssh = commands.add_parser("ssh", help="log in to a host, or run a command there")
    ssh.add_argument("run", metavar="RUN")
    ssh.add_argument("host", metavar="HOST")
    ssh.add_argument("command", nargs=argparse.REMAINDER)
    ssh.set_defaults(act=_ssh)
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    try:
        arguments.act(arguments)
    except HostsError as error:
        say(str(error))
        return 1
    except KeyboardInterrupt:
        say("interrupted")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
