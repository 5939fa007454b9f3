# SPDX-License-Identifier: Apache-2.0
# Copyright: Contributors to nova.agent_host
"""run_limited.sh: the limits that it sets, the values that it refuses, and exec."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from .host import GUARD, Host, Result, program

GIB = 1 << 30
SIZES = json.loads(
    (Path(__file__).parents[2] / "unit" / "plugins" / "module_utils" / "data" / "sizes.json").read_text()
)
AS, CPU, STACK = "Max address space", "Max cpu time", "Max stack size"
SHOW = ["cat", "/proc/self/limits"]


def limited(host: Host, *args: str, **env: str | None) -> Result:
    process = host.start("bash", host.run_limited, *args, **env)
    out, err = process.communicate(timeout=GUARD)
    return Result(status=process.returncode, out=out, err=err, ran=bool(out), limits=out)


@pytest.mark.parametrize("case", SIZES, ids=lambda case: ascii(case["text"]))
def test_sizes_have_the_same_grammar_as_in_python(host: Host, case: dict[str, object]) -> None:
    text = str(case["text"])
    # The policy does not limit --stack. A stack above all memory is valid for a comparison.
    result = limited(host, "--no-as", "--stack", text, "--", *SHOW)
    if case.get("unlimited") or text == "unlimited":
        assert (result.status, result.limit(STACK)) == (0, ("unlimited", "unlimited"))
    elif "error" in case:
        assert (result.status, result.ran, len(result.lines)) == (2, False, 1), result.err
    elif int(str(case["bytes"])) < 128 << 10:
        assert "too little to start a command" in result.err
    else:
        assert result.limit(STACK) == (str(case["bytes"]),) * 2, result.err


def test_number_without_unit_is_refused_with_both_interpretations(host: Host) -> None:
    assert limited(host, "--as", "4096", "true").err == (
        "run_limited: --as is '4096', a number without a unit: 4096 bytes or 4096 MiB (4096M)? "
        "Write a whole number with K, M, G or T, as in 4G or 4096M, or 0 for no limit\n"
    )


@pytest.mark.parametrize(
    ("args", "env", "name", "value"),
    [
        ([], {}, AS, str(4 * GIB)),
        (["--as", "8G"], {}, AS, str(8 * GIB)),
        (["--as=8G"], {}, AS, str(8 * GIB)),
        (["--as", "16G"], {}, AS, str(16 * GIB)),
        ([], {"LIMIT_AS": "2G"}, AS, str(2 * GIB)),
        ([], {"LIMIT_AS": ""}, AS, str(4 * GIB)),
        (["--as", "8G"], {"LIMIT_AS": "2G"}, AS, str(8 * GIB)),
        (["--no-as"], {"LIMIT_AS": "2G"}, AS, "unlimited"),
        (["--no-as", "--as", "8G"], {}, AS, str(8 * GIB)),
        (["--cpu", "3600"], {}, CPU, "3600"),
        ([], {"LIMIT_CPU": "60"}, CPU, "60"),
        (["--no-cpu"], {"LIMIT_CPU": "60"}, CPU, "unlimited"),
        (["--stack", "16M"], {}, STACK, str(16 << 20)),
        ([], {"LIMIT_STACK": "16M"}, STACK, str(16 << 20)),
    ],
)
def test_soft_and_hard_limit_are_set(host: Host, args: list[str], env: dict[str, str], name: str, value: str) -> None:
    result = limited(host, *args, "--", *SHOW, **env)
    assert result.limit(name) == (value, value), result.err
    assert result.err == ""


@pytest.mark.parametrize("word", ["unlimited", "off", "0"])
def test_removed_limit_prints_a_message(host: Host, word: str) -> None:
    result = limited(host, "--as", word, *SHOW)
    assert (result.limit(AS), result.err) == (("unlimited",) * 2, "run_limited: --as: no limit on address space\n")


def test_limit_is_raised_to_the_hard_limit_of_the_session_only(host: Host) -> None:
    process = subprocess.run(
        ["prlimit", f"--as={GIB}:{2 * GIB}", "bash", host.run_limited, "--as", "0", *SHOW],
        capture_output=True, text=True, env=host.environment(), timeout=GUARD,
    )  # fmt: skip
    result = Result(process.returncode, process.stdout, process.stderr, True, limits=process.stdout)
    assert result.limit(AS) == (str(2 * GIB),) * 2
    assert result.err == "run_limited: --as: address space is raised to the session's hard limit, 2G\n"


def under(host: Host, hard: int, *args: str, **env: str) -> Result:
    process = subprocess.run(
        ["prlimit", f"--as={hard}", "bash", host.run_limited, *args, "--", *SHOW],
        capture_output=True, text=True, env=host.environment(**env), timeout=GUARD,
    )  # fmt: skip
    return Result(process.returncode, process.stdout, process.stderr, bool(process.stdout), limits=process.stdout)


def test_lower_session_limit_overrides_the_default(host: Host) -> None:
    result = under(host, 2 * GIB)
    assert result.limit(AS) == (str(2 * GIB),) * 2
    assert result.err == (
        "run_limited: this session's hard limit on address space, 2G, is lower than the default (4G): 2G applies\n"
    )
    assert "lower than LIMIT_AS (8G): 2G applies" in under(host, 2 * GIB, LIMIT_AS="8G").err


def test_request_above_the_session_limit_is_refused(host: Host) -> None:
    result = under(host, 2 * GIB, "--as", "8G")
    assert (result.status, result.ran) == (2, False)
    assert result.err == (
        "run_limited: --as is 8G, above this session's hard limit on address space; ask for at most 2G\n"
    )


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "no command. Usage: run_limited.sh [--as SIZE]"),
        (["--"], "no command. Usage: "),
        ([""], "the command is an empty word"),
        (["--as"], "--as needs a value. Usage: "),
        (["--as", "--", "true"], "--as is '--', which is not a size"),
        (["--mem", "4G", "true"], "unknown option '--mem'. Usage: "),
        (["-x\x1b[31m\n", "true"], "unknown option $'-x\\E[31m\\n'. Usage: "),
        (["--cpu", "1h", "true"], "--cpu is '1h'; write whole seconds from 1 to 999999999, as in 3600, or 0"),
        (["--cpu", "-1", "true"], "--cpu is '-1'; write"),
        (["--as", "64K", "true"], "--as is 64K, too little to start a command; ask for at least 32M"),
        (["--as", "32767K", "true"], "--as is 32767K, too little to start a command; ask for at least 32M"),
        (["--stack", "1K", "true"], "--stack is 1K, too little to start a command; ask for at least 128K"),
        (["--as", "17G", "true"], "--as is 17G, above this host's policy; ask for at most 16G"),
    ],
)
def test_refusal_is_one_line_and_runs_nothing(host: Host, args: list[str], message: str) -> None:
    touched = host.root / "ran"
    result = limited(host, *[f"touch {touched}" if word == "true" else word for word in args])
    assert (result.status, len(result.lines), touched.exists()) == (2, 1, False)
    assert result.err.startswith(f"run_limited: {message}")


def test_script_execs_the_command_with_the_same_pid(host: Host) -> None:
    process = host.start("bash", host.run_limited, "--", "bash", "-c", "echo $$; exit 7")
    out, _ = process.communicate(timeout=GUARD)
    assert (int(out), process.returncode) == (process.pid, 7)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_signal_of_the_command_is_the_signal_of_the_script(host: Host, number: signal.Signals) -> None:
    process = host.start("bash", host.run_limited, "bash", "-c", f"kill -{int(number)} $$")
    process.communicate(timeout=GUARD)
    assert process.returncode == -number


def test_message_and_status_of_a_command_that_cannot_run_are_kept(host: Host) -> None:
    assert limited(host, "printf", "%s|", "a b", "$(id)", "*", "").out == "a b|$(id)|*||"
    assert limited(host, "no-such-command").status == 127
    assert limited(host, str(host.root)).status == 126


def allocating(host: Host, text: str) -> Result:
    return limited(host, "--as", "512M", "--", "python3", "-c", text)


def test_kernel_enforces_the_limit(host: Host) -> None:
    assert allocating(host, "bytearray(1 << 20)").status == 0
    assert "MemoryError" in allocating(host, "bytearray(1 << 30)").err


PRLIMITS = {
    "missing": None,
    "fails": "exit 1",
    "does nothing": "exit 0",
    "sets half": 'exec /usr/bin/prlimit --pid "$2" --as=8589934592',
    "crashes": "kill -SEGV $$",
}


@pytest.mark.parametrize("text", PRLIMITS.values(), ids=PRLIMITS)
def test_copy_of_the_script_works_with_only_bash_and_coreutils(host: Host, text: str | None) -> None:
    tools = host.root / "tools"
    for name in ("bash", "cat", "chmod"):
        found = shutil.which(name)
        assert found
        tools.mkdir(exist_ok=True)
        (tools / name).symlink_to(found)
    if text:
        program(tools / "prlimit", f"#!/bin/bash\n{text}\n")
    alone = host.checkout / "scripts" / "run_limited.sh"
    alone.parent.mkdir()
    shutil.copy(host.run_limited, alone)
    process = subprocess.run(
        ["/bin/bash", "scripts/run_limited.sh", "--cpu", "60", "--", *SHOW],
        cwd=host.checkout, env={"PATH": str(tools)}, capture_output=True, text=True, timeout=GUARD,
    )  # fmt: skip
    result = Result(process.returncode, process.stdout, process.stderr, True, limits=process.stdout)
    assert (result.status, result.limit(AS), result.limit(CPU)) == (0, (str(4 * GIB),) * 2, ("60", "60")), result.err


def test_prlimit_is_used_if_it_works(host: Host) -> None:
    log = host.root / "prlimit.log"
    tools = program(
        host.root / "tools" / "prlimit", f'#!/bin/bash\necho "$@" >"{log}"\nexec /usr/bin/prlimit "$@"\n'
    ).parent
    text = host.run_limited.read_text().replace("ulimit -HS", "false -HS")  # so that nothing else can set it
    script = program(host.root / "prlimit-alone.sh", text)
    process = host.start("bash", script, "--", *SHOW, PATH=f"{tools}:/usr/bin:/bin")
    out, err = process.communicate(timeout=GUARD)
    assert Result(process.returncode, out, err, True, limits=out).limit(AS) == (str(4 * GIB),) * 2, err
    assert log.read_text() == f"--pid {process.pid} --as={4 * GIB}:{4 * GIB}\n"


def test_nothing_runs_if_the_limit_cannot_be_set(host: Host) -> None:
    # A stand-in for a kernel that refuses: both ways to set the limit fail.
    text = host.run_limited.read_text().replace("ulimit -HS", "false -HS")
    script = program(host.root / "broken.sh", text)
    tools = program(host.root / "tools" / "prlimit", "#!/bin/bash\nexit 1\n").parent
    process = host.start("bash", script, "--", "touch", host.root / "ran", PATH=f"{tools}:/usr/bin:/bin")
    _, err = process.communicate(timeout=GUARD)
    assert (process.returncode, (host.root / "ran").exists()) == (2, False)
    assert err == "run_limited: the limits could not be set, so the command was not run\n"


@pytest.mark.parametrize("size", [["--as", "32M"], ["--stack", "128K"], ["--as", "32M", "--stack", "128K"]])
def test_smallest_allowed_limit_starts_a_command(host: Host, size: list[str]) -> None:
    assert limited(host, *size, "bash", "-c", "printf '%s' $(cat /proc/$$/stat) | wc -l").out == "0\n"


def test_session_limits_are_read_without_proc(host: Host) -> None:
    script = program(host.root / "no-proc.sh", host.run_limited.read_text().replace("/proc/self/limits", "/nowhere"))
    process = host.start("prlimit", f"--as={GIB}:{2 * GIB}", "bash", script, "--as", "0", "--cpu", "60", "--", *SHOW)
    out, err = process.communicate(timeout=GUARD)
    result = Result(process.returncode, out, err, True, limits=out)
    assert (result.limit(AS), result.limit(CPU)) == ((str(2 * GIB),) * 2, ("60", "60"))
    assert err == "run_limited: --as: address space is raised to the session's hard limit, 2G\n"


def test_tests_run_without_a_limit() -> None:
    assert resource.getrlimit(resource.RLIMIT_AS) == (resource.RLIM_INFINITY,) * 2
