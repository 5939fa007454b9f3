# SPDX-License-Identifier: Apache-2.0
# Functions of memory-gate for processes that wait or fail, and for commands other than rustc.

# x86-64 has its own numbers of system calls, newer architectures share the others. The ELF header names the machine.
open my $program, '<', '/proc/self/exe';
sysread $program, my $header, 20;
my $x86_64 = ($header // '') =~ /^.{18}\x3e\0/s;

# ---- commands other than rustc ----

# find_rustdoc: puts the path of the real program before the arguments: in cargo's folder, else on PATH, as cargo finds it.
sub find_rustdoc {
  my ($beside) = ($ENV{CARGO} // '') =~ m{^(.*/)};
  unshift @command, $ENV{"NOVA_CARGO_\U$name"} || (defined $beside && -x "$beside$name" ? "$beside$name" : $name);
  # Doc tests share the permit of this process. So they need no runner, unless the repository has one.
  return if length($ENV{NOVA_CARGO_RUNNER} // '');
  for (my $i = 0; $i < @command; $i++) {
    splice @command, $i, 2 if $command[$i] eq '--test-runtool' && $command[$i + 1] =~ m{/runner\z};
  }
}

sub other_command {
  if ($name eq 'miri') {
    $label = 'miri';
    return find_rustdoc();
  }
  ($label) = $command[0] =~ m{([^/]*?)(?:-[0-9a-f]{16})?\z};
  $label = ($name eq 'program' ? 'program' : 'test') . " $label";
  unshift @command, split /\x1f/, $ENV{NOVA_CARGO_RUNNER} // '';    # the repository's own runner
  return if $name ne 'program';
  # The program of `cargo run` may run for days, so it takes no permit. It gets the environment of the caller.
  $needs_no_permit = 1;
  my $entry = $ENV{NOVA_CARGO_PATH_ENTRY} // '';
  $ENV{PATH} =~ s/^\Q$entry\E//;
  delete $ENV{RUSTUP_TOOLCHAIN} if $ENV{NOVA_CARGO_OWN_TOOLCHAIN};
  delete @ENV{grep /^NOVA_CARGO_(?:GATE|RUSTDOC|MIRI|RUNNER|INNER|PATH_ENTRY|OWN_TOOLCHAIN|LINK_FLAG)\z/, keys %ENV};
}

# ---- waiting ----

# Only one process of each account is in the host's queue; the others wait for the account's turn. So an account with many processes
# can't block the other accounts. The head of the queue has the host's turn. Only the head waits for memory, so small
# permits do not overtake a large one. The kernel wakes waiting processes in the order in which they came.

our ($position, $served, $report_at);

# wait_for_turn: waits until this process is the head of the queue, and the pool has enough free memory for it.
sub wait_for_turn {
  my $parent = getppid;
  $0 = 'memory-gate: waits for ' . $units * $unit . " for $label";
  syswrite $to_supervisor, "q $$\n" if $to_supervisor;
  ($position, $report_at) = (0, time + 20);
  wait_until(own_turn(), -1, $UNDO);
  ($position, $served) = (count_waiting($TURN) + 1 + !value($TURN), value($SERVED));
  wait_until($TURN, -1, $UNDO);
  ($position, $served, $has_turn) = (1, value($SERVED), 1);
  # The size of the pool may have changed. It can't become smaller while this process has the turn.
  my $total = value($TOTAL);
  $units = $total if $units > $total;
  # If other programs use the host's memory, the head waits; but one process may always run.
  while (host_is_short() && !wait_for(1, is_free(value($TOTAL)))) { report_wait() }
  # Waits for the memory, but leaves it to the process that takes the permit.
  wait_until(is_free($units));
  exit if getppid != $parent;    # cargo has ended
}

# leave_queue: passes on the turns, after the permit was taken.
sub leave_queue {
  semop $set, pack 's!*', $TURN, 1, $UNDO, own_turn(), 1, $UNDO;
  semop $set, pack 's!*', $SERVED, 1, 0 or semop $set, pack 's!*', $SERVED, -30000, 0;    # a semaphore ends at 32767
  $has_turn = '';
  syswrite $to_supervisor, "h $$\n" if $to_supervisor;
}

sub own_turn { return $ACCOUNT + $> % $accounts }

# is_free UNITS: operations that wait until so much memory is free, and take none.
sub is_free { return ($FREE, -$_[0], 0, $FREE, $_[0], 0) }

# wait_until OPERATIONS: reports the wait after 20 s, then each minute.
sub wait_until { report_wait() until wait_for($report_at - time, @_) }

# wait_for SECONDS OPERATIONS: false after this time. Also true if the pool was removed (EIDRM, EINVAL).
sub wait_for {
  my ($seconds, @operations) = @_;
  my $limit = pack 'q2', $seconds > 0 ? $seconds : 0, 0;
  my $operations = pack 's!*', @operations;
  my $semtimedop = $x86_64 ? 220 : 192;
  return !syscall($semtimedop, $set, $operations, @operations / 3, $limit) || $! != 11 && $! != 4;    # EAGAIN, EINTR
}

sub value { return 0 + (semctl($set, $_[0], $GETVAL, 0) // 0) }
sub count_waiting { return 0 + (semctl($set, $_[0], 14, 0) // 0) }    # GETNCNT
sub last_process { return 0 + (semctl($set, $_[0], 11, 0) // 0) }    # GETPID

# host_is_short: memory_is_short, or all processes wait for memory.
sub host_is_short {
  return unless $low;
  return 1 if memory_is_short();
  open my $file, '<', '/proc/pressure/memory' or return;
  sysread $file, my $text, 200;
  return $text =~ /^full avg10=([\d.]+)/m && $1 >= 10;
}

# report_wait: to the supervisor, which prints it. Cargo would repeat a message in the output of rustc at each build.
sub report_wait {
  return if time < $report_at;
  $report_at = time + 60;
  return if !$to_supervisor;
  my $text = 'waiting for ' . (time - $^T) . ' s for ' . size($units) . " of memory for $label";
  if ($position) {
    # An upper limit: processes that were killed in the queue do not count as served.
    my $place = $position - (value($SERVED) - $served) % 30000;
    $text .= ', place ' . ($place > 1 ? $place : 1) . " in the host's queue";
  } else {
    $text .= ", after other processes of your own account";
  }
  my $head = last_process($TURN);    # the process that changed the turn last
  if (!value($TURN) && $head != $$ && -d "/proc/$head") {
    my $user = getpwuid((stat _)[4]) // (stat _)[4];
    $text .= ", behind process $head of $user";
  }
  report("w $text; " . size(value($FREE)) . ' of ' . size(value($TOTAL)) . ' are free. agent-status shows which processes hold the rest');
}

sub size {
  my $mib = $_[0] * $unit / 1048576;
  return $mib % 1024 ? sprintf('%dM', $mib) : sprintf('%dG', $mib / 1024);
}

# ---- how a command ended ----

# report LINE: to the supervisor. One write for each line, so that lines of several processes do not mix.
sub report {
  my $line = substr $_[0], 0, 400;
  $line =~ s/[^\t -~]/?/g;
  syswrite $to_supervisor, "$line\n";
}

# forward_for_others: a background process forwards the output of processes that the command left behind.
sub forward_for_others {
  my $other = fork // return;
  return if $other;
  close $_ for *STDIN, *STDOUT, $to_supervisor;
  1 while forward();
  exit;
}

# What rustc and linkers print if they get no memory. They report a crate as missing if they could not map its file. A missing
# symbol can have the name of C++'s exception, and a folder any name.
my $REFUSED = qr{(?<!/)(?:memory\ allocation\ of\ \d+\ bytes\ failed|failed\ to\ spawn\ thread|cannot\ allocate\ memory|out\ of\ memory
  |memory\ exhausted|(?:what\(\):\ +|instance\ of\ '|of\ type\ )std::bad_alloc|failed\ to\ map\ segment|only\ metadata\ stub\ found
  |can't\ find\ crate\ for\ `(?:std|core)`)(?!/)}xi;
# A test can print these texts for an error that it expects. So it must also have aborted. Output of other threads can be between
# the words.
my $ABORTED = qr/memory allocation of .{0,300}? bytes failed|what\(\):  std::bad_alloc/s;

# explain_end: reports to the supervisor if the cap was the reason, and ends with the status of the command. A signal is not enough:
# stack overflows and failed assertions end with the same signals. But rustc prints a message for those, and none under a tiny cap.
sub explain_end {
  my ($signal, $status) = ($? & 127, $? >> 8);
  my ($root) = $command[0] =~ m{^(.*)/bin/};
  # A message of rustc about a line of code repeats the code, which can have such words.
  my $words = join "\n", grep { !/^\{.*"spans":\[\{/ || /only metadata stub|can't find crate|os error 12/ } split /\n/, $output;
  if ($name eq 'runner' || $name eq 'miri' || $name eq 'program' || $label =~ /^rustdoc test\b/) {
    my $aborted = $signal == 6 || $output =~ /^Test executable failed \((?:signal: 6|terminated by signal)/m;    # of rustdoc
    report("x $label\tgot no memory and aborted") if $aborted && $output =~ $ABORTED;
  } elsif ($output =~ /the `([\w.-]+)` target may not be installed/ && !(defined $root && -d "$root/lib/rustlib/$1")) {
    report("t $1");
  } elsif ($output =~ /target may not support the standard library/) {
    # The code is wrong.
  } elsif ($words =~ $REFUSED) {
    $words = $&;
    $label =~ s/^rustc/link/ if $output =~ /linking with `[^`]+` failed/;
    report("x $label\tsaid \"$words\"");
  } elsif ($signal == 11 && !length $output) {
    report("x $label\tended by signal 11 without a message");
  }
  syswrite $to_supervisor, "- $$\n" unless $needs_no_permit;
  if ($signal) {
    $SIG{$_} = 'DEFAULT' for 'HUP', 'INT', 'QUIT', 'TERM', 'PIPE';
    # prctl(PR_SET_DUMPABLE): a core file of this process could replace that of the command.
    syscall $x86_64 ? 157 : 167, 4, 0;
    kill $signal, $$;
  }
  exit($signal ? 128 + $signal : $status);
}

1;
