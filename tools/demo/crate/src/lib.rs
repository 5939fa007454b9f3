//! What the demo compiles and tests on its host.

/// RLIMIT_AS of this process as the kernel shows it, in bytes.
pub fn address_space() -> Option<u64> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits.lines().find(|line| line.starts_with("Max address space"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

#[test]
fn this_test_runs_under_the_cap() {
    assert_eq!(address_space(), Some(4 << 30));
}
