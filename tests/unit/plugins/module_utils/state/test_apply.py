# Copyright: Contributors to nova.agent_host
# SPDX-License-Identifier: Apache-2.0
"""Apply on real files: compare, apply, apply again, remove, and all failures."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from ansible_collections.nova.agent_host.plugins.module_utils.compare import paths as compare_paths
from ansible_collections.nova.agent_host.plugins.module_utils.desired import units as desired_units
from ansible_collections.nova.agent_host.plugins.module_utils.desired.shapes import Conditions, Entry, Unit, Wanted
from ansible_collections.nova.agent_host.plugins.module_utils.host.observe import observe_files
from ansible_collections.nova.agent_host.plugins.module_utils.host.systemd import UnitError
from ansible_collections.nova.agent_host.plugins.module_utils.observed.shapes import UnitState
from ansible_collections.nova.agent_host.plugins.module_utils.state import apply as state_apply
from ansible_collections.nova.agent_host.plugins.module_utils.state import change as state_change
from ansible_collections.nova.agent_host.plugins.module_utils.state import lock, manifest, units
from ansible_collections.nova.agent_host.plugins.module_utils.state.look import group_name, observe, owner_name
from ansible_collections.nova.agent_host.plugins.module_utils.state.paths import NotJudged, PathState, StateError

ME = {"owner": owner_name(os.geteuid()), "group": group_name(os.getegid())}


NO_CONDITIONS = Conditions()


class Units:
    """A STAND-IN for systemd that records its commands."""

    def __init__(self) -> None:
        self.commands: list[str] = []
        self.fails = ""

    def _note(self, verb: str, names: list[str]) -> list[str]:
        done = [f"{verb} {name}" for name in names]
        if self.fails in done:
            raise UnitError(f"{self.fails}: no")
        self.commands += done
        return done

    def stop(self, names: list[str]) -> list[str]:
        return self._note("stop", names)

    def reload(self) -> list[str]:
        self.commands.append("reload")
        return ["reload"]

    def start(self, names: list[str]) -> list[str]:
        return self._note("start", names)

    def try_restart(self, names: list[str]) -> list[str]:
        return self._note("restart", names)

    def try_reread(self, names: list[str]) -> list[str]:
        return self._note("reload", names)


class Host:
    """A folder instead of the root folder of a host, with the manifest beside it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.root.mkdir(mode=0o755)
        self.manifest = folder / "state" / "manifest.json"
        self.validated: list[str] = []
        self.systemd = Units()

    def validate(self, command: str, path: str) -> None:
        self.validated.append(path)

    def path(self, name: str) -> str:
        return str(self.root / name)

    def file(self, name: str, content: str = "one\n", **more: object) -> Entry:
        return Entry(**{"path": self.path(name), "content": content, "mode": "0644", **ME, **more})

    def users_file(self, name: str) -> Entry:
        return Entry(self.path(name), mode="0660", **ME)

    def folder(self, name: str, mode: str = "0755") -> Entry:
        return Entry(self.path(name), "directory", mode=mode, **ME)

    def link(self, name: str, target: str) -> Entry:
        return Entry(self.path(name), "link", target=target, **ME)

    def absent(self, name: str) -> Entry:
        return Entry(self.path(name), "absent")

    def apply(self, *entries: Entry, role: str = "wrappers", check: bool = False, units=()) -> state_apply.Outcome:
        return self.apply_roles(Wanted(role, entries, tuple(units)), check=check)

    def apply_roles(
        self, *roles: Wanted, check: bool = False, conditions: Conditions = NO_CONDITIONS
    ) -> state_apply.Outcome:
        return state_apply.apply(
            roles,
            str(self.manifest),
            check_mode=check,
            validate=self.validate,
            conditions=conditions,
            systemd=self.systemd,
        )

    def tree(self) -> dict:
        """Everything below the root, for comparisons."""
        return {str(path.relative_to(self.root)): observe(str(path)) for path in sorted(self.root.rglob("*"))}

    def roles(self) -> dict:
        return json.loads(self.manifest.read_text())["roles"]


def start(work) -> int:
    """Run ``work`` in a separate process. Return its pid."""
    pid = os.fork()
    if not pid:
        work()
        os._exit(0)
    return pid


def status(pid: int) -> int:
    """The exit status of the process, or minus its signal."""
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.fixture
def host(tmp_path, monkeypatch):
    # So that the tests run without root and in parallel.
    path = str(tmp_path / "lock")
    monkeypatch.setattr(state_apply, "locked", lambda: lock.locked(path))
    monkeypatch.setattr(compare_paths, "IMPLIED", PathState("directory", "0755", **ME))
    return Host(tmp_path)


def test_applying_twice_changes_once(host):
    entries = [host.folder("bin"), host.file("bin/run.sh", mode="0755"), host.link("run", host.path("bin/run.sh"))]
    first = host.apply(*entries)
    assert first.changed and first.changed_paths == [host.path("bin"), host.path("bin/run.sh"), host.path("run")]
    assert (host.root / "run").read_text() == "one\n"
    before = host.tree()
    second = host.apply(*entries)
    assert not second.changed and second.changed_paths == []
    assert host.tree() == before


def enlarge(path: Path) -> None:
    """A sparse file larger than any memory."""
    os.truncate(path, 1 << 40)


@pytest.mark.parametrize("folder", ["deep", "deep/er", "kept"])
def test_folder_replaced_by_a_link_is_created_again_with_its_content(host, folder, tmp_path):
    entries = [
        host.folder("kept"),
        host.file("kept/a"),
        host.users_file("kept/b"),
        host.file("deep/er/c"),
        host.link("deep/er/d", "/x"),
    ]
    host.apply(*entries)
    before, manifest_before = host.tree(), host.roles()
    (host.root / folder).rename(tmp_path / "elsewhere")
    (host.root / folder).symlink_to(tmp_path / "elsewhere")
    planned = host.apply(*entries, check=True)
    done = host.apply(*entries)
    below = [path for path in before if path == folder or path.startswith(f"{folder}/")]
    assert planned.changed_paths == done.changed_paths == [host.path(path) for path in below]
    assert (host.tree(), host.roles()) == (before, manifest_before)
    assert not host.apply(*entries).changed
    assert sorted(os.listdir(tmp_path / "elsewhere"))  # the moved files stay there
    shutil.rmtree(tmp_path / "elsewhere")
    assert host.apply().kept == [] and host.tree() == {}


def test_file_written_by_users_is_never_read(host):
    entries = [host.users_file("holder.1"), host.file("run.sh")]
    host.apply(*entries)
    enlarge(host.root / "holder.1")
    assert not host.apply(*entries).changed
    seen = observe_files(manifest.Manifest.load(str(host.manifest)))
    assert seen[host.path("holder.1")] == PathState("file", "0660", **ME)
    host.apply(host.file("run.sh"))
    assert not (host.root / "holder.1").exists()


def test_too_large_own_file_is_replaced_and_foreign_file_is_refused(host):
    host.apply(host.file("run.sh"))
    enlarge(host.root / "run.sh")
    repaired = host.apply(host.file("run.sh"))
    assert repaired.changed_paths == [host.path("run.sh")]
    assert "(too large to read)" in repaired.diff[0]["before"]
    assert (host.root / "run.sh").read_text() == "one\n"
    (host.root / "theirs").touch()
    enlarge(host.root / "theirs")
    for entry in (
        host.file("theirs"),
        host.link("theirs", "/elsewhere"),
        host.absent("theirs"),
    ):
        with pytest.raises(StateError) as refused:
            host.apply(entry, role="limits")
        assert host.path("theirs") in str(refused.value) and "move it away" in str(refused.value)
    assert (host.root / "theirs").stat().st_size == 1 << 40


def test_check_mode_reports_the_same_changes_as_the_run(host):
    entries = [host.file("deep/er/limits.conf")]
    planned = host.apply(*entries, check=True)
    assert host.tree() == {} and not host.manifest.exists()
    done = host.apply(*entries)
    assert (
        planned.changed_paths
        == done.changed_paths
        == [host.path("deep"), host.path("deep/er"), host.path("deep/er/limits.conf")]
    )
    assert planned.diff == done.diff


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_text("two\n"),
        lambda path: path.chmod(0o666),
        lambda path: (path.unlink(), path.symlink_to("/etc/hostname")),
    ],
    ids=["deleted", "edited", "chmod", "replaced by a link"],
)
def test_only_drift_is_repaired(host, damage):
    entries = [host.file("a"), host.file("b")]
    host.apply(*entries)
    right = host.tree()
    damage(host.root / "a")
    assert host.apply(*entries).changed_paths == [host.path("a")]
    assert host.tree() == right


def test_own_folder_that_became_a_link_is_created_again(host):
    host.apply(host.folder("bin"))
    (host.root / "bin").rmdir()
    (host.root / "bin").symlink_to("/tmp")
    host.apply(host.folder("bin"))
    assert observe(host.path("bin")).kind == "directory"


@pytest.mark.parametrize("mode", [0o644, 0o666])
def test_own_folder_that_became_a_file_is_created_again_with_all_its_content(host, mode):
    entries = [host.folder("a"), host.file("a/file"), host.folder("a/b"), host.file("a/b/c/d/file")]
    host.apply(*entries)
    before = host.tree()
    shutil.rmtree(host.path("a"))
    Path(host.path("a")).touch()
    os.chmod(host.path("a"), mode)
    checked = host.apply(*entries, check=True)
    assert checked.changed_paths == host.apply(*entries).changed_paths == sorted(host.path(name) for name in before)
    assert host.tree() == before
    assert not host.apply(*entries).changed


def test_content_of_a_folder_open_to_others_is_repaired_by_the_same_apply(host):
    entries = [host.folder("etc"), host.folder("etc/parts"), host.file("etc/a"), host.file("etc/parts/b")]
    host.apply(*entries)
    right = host.tree()
    (host.root / "etc/a").unlink()
    (host.root / "etc/parts/b").write_text("another's\n")
    (host.root / "etc/parts").chmod(0o777)
    (host.root / "etc").chmod(0o777)
    outcome = host.apply(*entries)
    assert set(outcome.changed_paths) == {host.path(name) for name in ("etc", "etc/parts", "etc/a", "etc/parts/b")}
    assert outcome.changed and host.tree() == right
    assert not host.apply(*entries).changed


def test_attributes_are_set_in_place_and_a_lock_on_the_file_is_kept(host):
    host.apply(host.file("slot.1", "", mode="0640"))
    inode = (host.root / "slot.1").stat().st_ino
    (host.root / "slot.1").chmod(0o600)
    host.apply(host.file("slot.1", "", mode="0640"))
    assert observe(host.path("slot.1")).mode == "0640"
    assert (host.root / "slot.1").stat().st_ino == inode


def test_path_that_a_role_no_longer_wants_is_removed(host):
    host.apply(host.file("old/name"), host.file("stays"))
    assert host.apply(host.file("stays")).changed_paths == [host.path("old/name"), host.path("old")]
    assert list(host.tree()) == ["stays"]


def test_unwanted_edited_file_stays_and_is_reported_once(host):
    host.apply(host.file("old"), host.file("stays"))
    (host.root / "old").write_text("mine now\n")
    outcome = host.apply(host.file("stays"))
    assert outcome.kept == [host.path("old")] and outcome.changed_paths == []
    assert not host.apply(host.file("stays")).changed
    assert host.apply().kept == [host.path("old")]  # removing the role compares it again
    again = host.apply()
    assert (again.kept, again.changed) == ([host.path("old")], False)
    assert (host.root / "old").read_text() == "mine now\n"


def test_removed_role_restores_the_originals(host):
    (host.root / "etc").mkdir(mode=0o700)
    (host.root / "etc/conf").write_text("theirs\n")
    (host.root / "etc/cargo").symlink_to("/home/me/.cargo/bin/cargo")
    before = host.tree()
    host.apply(host.folder("etc"), host.file("etc/conf"), host.link("etc/cargo", "/opt/cargo"), host.file("etc/new"))
    assert host.tree() != before
    host.apply()
    assert host.tree() == before
    assert not host.manifest.parent.exists()


def test_path_of_two_roles_is_removed_with_the_last_role(host):
    host.apply(host.folder("opt"), role="policy")
    host.apply(host.folder("opt"), host.file("opt/x"), role="wrappers")
    host.apply(role="policy")
    assert "opt/x" in host.tree()
    host.apply(role="wrappers")
    assert host.tree() == {}


def test_folder_implied_by_two_roles_is_removed_with_the_last_role(host):
    """As after a change of the prefix: one role after the other leaves the old prefix."""
    host.apply(host.file("opt/nova/shims/x"), role="toolchain")
    host.apply(host.file("opt/nova/bin/y"), role="wrappers")
    host.apply(host.file("srv/shims/x"), role="toolchain")
    host.apply(host.file("srv/bin/y"), role="wrappers")
    assert [name for name in host.tree() if name.startswith("opt")] == []
    host.apply(role="toolchain")
    host.apply(role="wrappers")
    assert host.tree() == {}


def test_folder_with_foreign_files_stays(host):
    host.apply(host.folder("bin"))
    (host.root / "bin/theirs").write_text("x")
    assert host.apply().kept == [host.path("bin")]
    assert list(host.tree()) == ["bin", "bin/theirs"]


def test_content_of_a_file_without_wanted_content_belongs_to_its_users(host):
    (host.root / "theirs").write_text("before us\n")
    entries = [host.users_file("ours"), host.users_file("theirs")]
    host.apply(*entries)
    (host.root / "ours").write_text("written by an agent\n")
    assert not host.apply(*entries).changed
    (host.root / "ours").chmod(0o600)
    assert host.apply(*entries).changed_paths == [host.path("ours")]
    assert (host.root / "ours").read_text() == "written by an agent\n"
    (host.root / "ours").unlink()
    host.apply(*entries)
    assert (host.root / "ours").read_text() == ""
    (host.root / "ours").write_text("again\n")
    host.apply()
    assert list(host.tree()) == ["theirs"] and (host.root / "theirs").read_text() == "before us\n"


def test_absent_path_is_removed_and_restored_with_the_role(host):
    (host.root / "legacy").write_text("old\n")
    host.apply(host.absent("legacy"))
    assert host.tree() == {}
    host.apply()
    assert (host.root / "legacy").read_text() == "old\n"


@pytest.mark.parametrize("killed_at", [0, 1, 2])
def test_killed_run_is_completed_by_the_next(host, monkeypatch, killed_at):
    """SIGKILL between two files: the manifest has the written files, and both apply and retire complete the work."""
    (host.root / "b").write_text("theirs\n")
    entries = [host.file("a"), host.file("b"), host.file("c")]
    real, done = state_change.put, []

    def put(*args):
        if "originals" not in args[0]:
            if len(done) == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)
            done.append(args[0])
        real(*args)

    with monkeypatch.context() as patch:
        patch.setattr(state_change, "put", put)
        assert status(start(lambda: host.apply(*entries))) == -signal.SIGKILL
    assert sorted(host.roles()["wrappers"]["paths"]) == [host.path(name) for name in "abc"]
    assert (host.root / "a").exists() == (killed_at > 0)
    host.apply(*entries)
    assert not host.apply(*entries).changed
    host.apply()
    assert list(host.tree()) == ["b"] and (host.root / "b").read_text() == "theirs\n"


def test_leftover_of_a_killed_write_is_removed_by_the_next_run(host):
    (host.root / ".a.nova-agent-tmp").write_text("half")
    host.apply(host.file("a"))
    assert list(host.tree()) == ["a"]
    (host.root / ".a.nova-agent-tmp").write_text("half")
    host.apply()
    assert host.tree() == {}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a link to somebody else")
def test_link_of_another_user_in_the_path_is_not_followed(host, tmp_path):
    (tmp_path / "etc").mkdir()
    (host.root / "scripts").mkdir()
    host.apply(host.file("scripts/run.sh"))
    (host.root / "scripts").rename(tmp_path / "taken")
    (host.root / "scripts").symlink_to(tmp_path / "etc")
    os.chown(host.path("scripts"), 1000, 1000, follow_symlinks=False)
    with pytest.raises(state_apply.ApplyError, match="uid 1000") as error:
        host.apply(host.file("scripts/run.sh", "two\n"), host.file("other"))
    assert host.path("scripts") in str(error.value)
    assert (host.root / "other").exists()  # root's other files are written
    with pytest.raises(StateError):
        state_change.put(host.path("scripts/run.sh"), PathState("file", "0644", **ME, sha256="0" * 64), b"")
    host.apply()
    assert list((tmp_path / "etc").iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="the rule applies only to root")
def test_own_files_in_a_folder_writable_for_others_are_one_warning_with_the_remedy(host):
    """A prefix in a folder that is writable for a group."""
    (host.root / "opt").mkdir()
    (host.root / "opt").chmod(0o775)
    entries = [host.folder("opt/ours"), *(host.file(f"opt/ours/{number}") for number in range(5)), host.file("other")]
    planned = host.apply(*entries, check=True)
    (line,) = planned.warnings
    assert f"chmod go-w {host.path('opt')}" in line and "5 paths more" in line and "account that uses" not in line
    with pytest.raises(state_apply.ApplyError, match=f"chmod go-w {host.path('opt')}") as error:
        host.apply(*entries)
    assert "\n" not in str(error.value) and error.value.outcome.warnings == []
    assert sorted(host.tree()) == ["opt", "other"]
    (host.root / "opt").chmod(0o755)
    assert host.apply(*entries).changed and (host.root / "opt/ours/4").exists()


@pytest.mark.parametrize("check", [True, False])
def test_failed_validation_changes_nothing(host, monkeypatch, check):
    host.apply(host.file("a", "good\n"))
    before = host.tree(), host.roles()

    def refuse(command, path):
        assert Path(path).read_text() == "bad\n"
        raise StateError(f"{command}: no")

    monkeypatch.setattr(host, "validate", refuse)
    with pytest.raises(StateError, match=f"{host.path('a')} .*check %s: no"):
        host.apply(host.file("0", "first\n"), host.file("a", "bad\n", validate="check %s"), check=check)
    assert (host.tree(), host.roles()) == before


def test_missing_group_is_pending_in_check_mode_and_an_error_before_any_change(host):
    entry = host.file("slot.1", group="no-such-group")
    assert host.apply(host.file("a"), entry, check=True).pending == [
        f"group no-such-group does not exist ({host.path('slot.1')})"
    ]
    with pytest.raises(StateError) as error:
        host.apply(host.file("a"), entry)
    assert "group no-such-group" in str(error.value) and host.path("slot.1") in str(error.value)
    assert host.tree() == {}


@pytest.mark.parametrize(
    ("prepare", "entry"),
    [
        (lambda path: path.mkdir(), "file"),
        (lambda path: path.write_text(""), "folder"),
        (lambda path: os.mkfifo(path), "file"),
    ],
)
@pytest.mark.parametrize("check", [True, False])
def test_foreign_data_is_not_destroyed(host, prepare, entry, check):
    prepare(host.root / "x")
    before = host.tree()
    with pytest.raises(StateError) as error:
        host.apply(host.file("0"), getattr(host, entry)("x"), check=check)
    assert host.path("x") in str(error.value) and "move it away" in str(error.value)
    assert host.tree() == before


def test_file_at_the_path_of_a_folder_is_refused_before_any_change(host):
    (host.root / "x").write_text("theirs")
    with pytest.raises(StateError, match="move it away"):
        host.apply(host.file("0"), host.file("x/deep/a"))
    assert list(host.tree()) == ["x"]


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ({"path": "etc/x", "content": "", "mode": "0644"}, "etc/x"),
        ({"path": "/etc/../x", "content": "", "mode": "0644"}, "/etc/../x"),
        ({"path": "/", "kind": "directory", "mode": "0755"}, "/"),
        ({"path": "/x", "content": "", "mode": "644"}, "644"),
        ({"path": "/x", "content": "", "mode": "0888"}, "0888"),
        ({"path": "/x", "content": ""}, "mode"),
        ({"path": "/x", "kind": "link"}, "target"),
        ({"path": "/x", "kind": "socket"}, "socket"),
    ],
)
def test_invalid_entry_is_refused(entry, shown):
    with pytest.raises(StateError) as error:
        Entry.from_dict(entry)
    assert entry["path"] in str(error.value) and shown in str(error.value)


def test_path_listed_twice_is_refused(host):
    with pytest.raises(StateError, match=f"^wrappers: listed twice: {host.path('a')}$"):
        host.apply(host.file("a"), host.file("a", "two\n"))


def test_invalid_manifest_stops_the_run(host):
    host.manifest.parent.mkdir()
    host.manifest.write_text("{")
    with pytest.raises(manifest.ManifestError, match="manifest.json"):
        host.apply(host.file("a"))
    assert host.tree() == {}


def test_secret_content_is_not_in_the_diff(host):
    outcome = host.apply(host.file("a", "s3cret\n", diff=False))
    assert "s3cret" not in json.dumps(outcome.diff)
    assert "(other content, not shown)" in json.dumps(outcome.diff)


def test_file_that_the_host_cannot_check_is_left_out_and_the_others_are_written(host, monkeypatch):
    def validate(command, path):
        raise NotJudged("line 9 is wrong")

    monkeypatch.setattr(host, "validate", validate)
    done = host.apply(host.file("ours.conf", validate="try %s"), host.file("other"))
    assert (done.left_out, done.changed_paths) == ({host.path("ours.conf"): "line 9 is wrong"}, [host.path("other")])
    assert list(host.tree()) == ["other"] and list(host.roles()["wrappers"]["paths"]) == [host.path("other")]
    again = host.apply(host.file("ours.conf", validate="try %s"), host.file("other"))
    assert again.left_out == done.left_out and not again.changed


def test_many_removed_paths_are_one_list_with_a_line_for_each(host):
    many = [host.file(str(number), "content\n" * 9) for number in range(state_apply.FEW + 1)]
    host.apply(*many)
    planned, done = host.apply(check=True), host.apply()
    assert planned.diff == done.diff
    (removed,) = done.diff
    assert removed["after"] == "" and "content" not in removed["before"]
    assert [line.split()[0] for line in removed["before"].splitlines()] == sorted(entry.path for entry in many)


def test_modes_do_not_depend_on_the_umask(host):
    mask = os.umask(0o077)
    try:
        host.apply(host.folder("bin"), host.file("bin/x", mode="0755"), host.file("implied/y"))
    finally:
        os.umask(mask)
    assert [host.tree()[name].mode for name in ("bin", "bin/x", "implied", "implied/y")] == [
        "0755",
        "0755",
        "0755",
        "0644",
    ]
    assert observe(str(host.manifest)).mode == "0644"


def test_two_controllers_wait_for_each_other(host, tmp_path):
    """Real processes: each reads the last state that the other one wrote."""
    counter = tmp_path / "counter"
    counter.write_text("0")

    def count():
        for _turn in range(25):
            with lock.locked(path):
                counter.write_text(str(int(counter.read_text()) + 1))

    path = str(tmp_path / "lock")
    controllers = [start(count) for _controller in range(8)]
    assert [status(pid) for pid in controllers] == [0] * 8
    assert counter.read_text() == "200"
    assert not os.path.exists(path)


# Units: the commands for systemd, and their order.

TIMER = Unit("sweep.timer", own=True, active=True)
RUNNER = Unit("runner.service", restart=True)
RUNS = UnitState("loaded", "enabled", "active", "success", False)


@pytest.fixture
def etc(host, monkeypatch):
    """The host, with the folder ``system`` for systemd, and running units."""
    found = {}
    folder = host.path("system")
    (host.root / "system").mkdir()
    monkeypatch.setattr(units, "observe_units", lambda names: {name: found.get(name, RUNS) for name in names})
    monkeypatch.setattr(desired_units, "FOLDERS", (folder,))
    host.found = found
    return host


def wanted_units(host):
    return [host.file("system/sweep.timer"), host.file("system/runner.service.d/x.conf"), host.file("other")]


def test_units_whose_files_changed_are_started_or_restarted_after_a_reload(etc):
    etc.apply(*wanted_units(etc), units=[TIMER, RUNNER])
    assert etc.systemd.commands == ["reload", "start sweep.timer", "restart runner.service"]
    etc.systemd.commands = []
    assert not etc.apply(*wanted_units(etc), units=[TIMER, RUNNER]).changed and etc.systemd.commands == []
    (etc.root / "other").write_text("x")
    etc.apply(*wanted_units(etc), units=[TIMER, RUNNER])
    assert etc.systemd.commands == []


def test_unit_without_restart_only_gets_its_file(etc):
    etc.apply(*wanted_units(etc), units=[TIMER, Unit("runner.service")])
    assert etc.systemd.commands == ["reload", "start sweep.timer"]


@pytest.mark.parametrize("state", [{"active": "inactive"}, {"enabled": "disabled"}])
def test_stopped_timer_is_started_without_a_changed_file(etc, state):
    etc.apply(*wanted_units(etc), units=[TIMER])
    etc.systemd.commands = []
    etc.found["sweep.timer"] = replace(RUNS, **state)
    assert etc.apply(*wanted_units(etc), units=[TIMER], check=True).changed and etc.systemd.commands == []
    assert etc.apply(*wanted_units(etc), units=[TIMER]).changed and etc.systemd.commands == ["start sweep.timer"]


def test_unit_files_that_systemd_has_not_read_are_reloaded(etc):
    etc.apply(*wanted_units(etc), units=[TIMER])
    etc.systemd.commands = []
    etc.found["sweep.timer"] = replace(RUNS, stale=True)
    etc.apply(*wanted_units(etc), units=[TIMER])
    assert etc.systemd.commands == ["reload"]


def test_unit_is_stopped_before_its_file_is_removed(etc, monkeypatch):
    etc.apply(*wanted_units(etc), units=[TIMER])
    etc.systemd.commands = []
    existed = []
    stop = etc.systemd.stop
    monkeypatch.setattr(etc.systemd, "stop", lambda names: existed.append((etc.root / "system/sweep.timer").exists()) or stop(names))  # fmt: skip
    etc.apply()
    assert etc.systemd.commands[0] == "stop sweep.timer" and existed == [True]
    assert "reload" in etc.systemd.commands and "stop runner.service" not in etc.systemd.commands


def test_failed_restart_is_repeated_by_the_next_apply(etc):
    etc.systemd.fails = "restart runner.service"
    with pytest.raises(state_apply.ApplyError) as error:
        etc.apply(*wanted_units(etc), units=[TIMER, RUNNER])
    assert error.value.outcome.changed and (etc.root / "other").exists()
    assert etc.roles()["wrappers"]["restarts"] == ["runner.service", "sweep.timer"]
    etc.systemd.fails, etc.systemd.commands = "", []
    assert etc.apply(*wanted_units(etc), units=[TIMER, RUNNER]).changed
    assert "restart runner.service" in etc.systemd.commands
    etc.systemd.commands = []
    assert not etc.apply(*wanted_units(etc), units=[TIMER, RUNNER]).changed and etc.systemd.commands == []


def test_failed_unit_does_not_block_others(etc):
    """For example a service for which an agent uses up a resource."""
    etc.systemd.fails = "start sweep.timer"
    with pytest.raises(state_apply.ApplyError, match="start sweep.timer"):
        etc.apply(*wanted_units(etc), units=[TIMER, RUNNER])
    assert "restart runner.service" in etc.systemd.commands
    etc.systemd.fails = ""
    assert "start sweep.timer" in etc.apply(*wanted_units(etc), units=[TIMER, RUNNER]).changed_units


def test_unit_with_reload_is_not_restarted(etc):
    again = Unit("runner.service", restart=False, reload=True)
    etc.apply(*wanted_units(etc), units=[TIMER, again])
    assert "reload runner.service" in etc.systemd.commands and "restart runner.service" not in etc.systemd.commands
    etc.systemd.commands = []
    pool = Unit("pool.service", active=True, reload_on=(etc.path("other"),))
    etc.apply(etc.file("other", "two\n"), units=[pool])
    assert "reload pool.service" in etc.systemd.commands and "start pool.service" not in etc.systemd.commands


def test_conditions_reload_and_restart_without_a_changed_file(etc):
    role = Wanted("ceiling")
    conditions = Conditions(True, ("cron.service",))
    assert etc.apply_roles(role, conditions=conditions, check=True).changed and etc.systemd.commands == []
    etc.apply_roles(role, conditions=conditions)
    assert etc.systemd.commands == ["reload", "restart cron.service"]


def test_path_moves_from_one_role_to_another_and_is_restored(host):
    (host.root / "a").write_text("theirs\n")
    host.apply_roles(Wanted("r1", (host.file("a"), host.file("b/c"))), Wanted("r2"))
    moved = Wanted("r1"), Wanted("r2", (host.file("a", "two\n"), host.file("b/d")))
    host.apply_roles(*moved)
    assert (host.root / "a").read_text() == "two\n" and list(host.tree()) == ["a", "b", "b/d"]
    assert not host.apply_roles(*moved).changed
    host.apply_roles(Wanted("r2"), Wanted("r1"))
    assert list(host.tree()) == ["a"] and (host.root / "a").read_text() == "theirs\n"
