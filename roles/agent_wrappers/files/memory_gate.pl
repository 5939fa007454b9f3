# SPDX-License-Identifier: Apache-2.0
# What memory-gate needs only where it waits, where a command has failed, and for what is not rustc.

sub nothing { }

# ---- what else cargo starts ----

# find_rustdoc: puts the real one before the words, where cargo would find it: beside cargo itself, else on PATH.
sub find_rustdoc {
  my ($beside) = ($ENV{CARGO} // '') =~ m{^(.*/)};
  unshift @command, $ENV{"NOVA_CARGO_\U$name"} || (defined $beside && -x "$beside$name" ? "$beside$name" : $name);
  # Without a runner of the repository's own, doc tests need none: they share the permit of this process.
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
  # `cargo run` is done building: its program may serve for days, so it holds nothing. What it calls is the caller's cargo again,
  # in the caller's environment.
  $is_free = 1;
  my $entry = $ENV{NOVA_CARGO_PATH_ENTRY} // '';
  $ENV{PATH} =~ s/^\Q$entry\E//;
  delete $ENV{RUSTUP_TOOLCHAIN} if $ENV{NOVA_CARGO_OWN_TOOLCHAIN};
  delete @ENV{grep /^NOVA_CARGO_(?:GATE|RUSTDOC|MIRI|RUNNER|INNER|PATH_ENTRY|OWN_TOOLCHAIN|LINK_FLAG)\z/, keys %ENV};
}

# ---- waiting ----

# Each account has one process in the host's queue; its others wait for the account's own turn, so an account with many processes
# keeps nobody out. The head of the queue has the host's turn and waits for memory alone, so a large permit is not overtaken by
# small ones. The kernel wakes waiters in the order in which they came.

# queue_for_permit: returns with the permit.
sub queue_for_permit {
  my $own = $ACCOUNT + $> % $accounts;
  say_progress('-', 0);
  wait_until($own, -1, $UNDO);
  say_progress(count_waiting($TURN) + 1 + !value($TURN), value($SERVED));
  wait_until($TURN, -1, $UNDO);
  say_progress(1, value($SERVED));
  # The pool may have become smaller. While this process has the turn, it does not.
  my $total = value($TOTAL);
  $units = $total if $units > $total;
  # Memory that the pool does not know of. Only the head looks, and one process always goes on.
  select undef, undef, undef, 1 while host_is_short() && value($FREE) < value($TOTAL);
  wait_for_memory();
  wait_until($TURN, 1, $UNDO, $own, 1, $UNDO);
  semop $set, pack 's!*', $SERVED, 1, 0 or semop $set, pack 's!*', $SERVED, -30000, 0;    # a semaphore ends at 32767
}

# wait_until OPERATIONS: a pool that is gone (EIDRM, EINVAL) keeps nobody.
sub wait_until { 1 until semop $set, pack 's!*', @_ or $! != 4 }    # EINTR

# wait_for_memory: a place that another process has is left to it.
sub wait_for_memory {
  for (my $number = $$; $number < $$ + $accounts;) {
    my $place = $HELD + $number % $accounts;
    return if semop $set, pack 's!*', $place, 0, $NOWAIT, $FREE, -$units, $UNDO, $place, $units, $UNDO;
    if ($! == 11) { $number++ }    # EAGAIN
    elsif ($! != 4) { return }
  }
}

sub value { return 0 + (semctl($set, $_[0], $GETVAL, 0) // 0) }
sub count_waiting { return 0 + (semctl($set, $_[0], 14, 0) // 0) }    # GETNCNT
sub last_process { return 0 + (semctl($set, $_[0], 11, 0) // 0) }    # GETPID

# say_progress PLACE SERVED: to the process that watches this one.
sub say_progress { syswrite $tell, "@_ $$\n" if $tell }

# memory_is_short: true where the host has less left than the budget keeps free beside the pool.
sub memory_is_short {
  open my $file, '<', '/proc/meminfo' or return;
  sysread $file, my $text, 200;
  return $text =~ /^MemAvailable: +(\d+) kB/m && $1 * 1024 < $low;
}

# host_is_short: the same, or everything waits for memory.
sub host_is_short {
  return unless $low;
  return 1 if memory_is_short();
  open my $file, '<', '/proc/pressure/memory' or return;
  sysread $file, my $text, 200;
  return $text =~ /^full avg10=([\d.]+)/m && $1 >= 10;
}

# tell_what_is_waited_for: by way of the supervisor, which has the terminal. Cargo would print rustc's own output again and again.
sub tell_what_is_waited_for {
  my $text = 'waiting for ' . (time - $^T) . ' s for ' . size($units) . " of memory for $label";
  my ($place, $served, $process) = $progress =~ /(\d+) (\d+) (\d+)\n\z/;
  if ($place) {
    # At most: who was killed on the way is not counted as served.
    $place -= (value($SERVED) - $served) % 30000;
    $text .= ', place ' . ($place > 1 ? $place : 1) . " in the host's queue";
  } else {
    $text .= ", after other processes of your own account";
  }
  my $head = last_process($TURN);    # who changed the turn last is the head, while there is one
  if (!value($TURN) && $head != ($process // 0) && -d "/proc/$head") {
    my $user = getpwuid((stat _)[4]) // (stat _)[4];
    $text .= ", behind process $head of $user";
  }
  report("w $text; " . size(value($FREE)) . ' of ' . size(value($TOTAL)) . ' are free. agent-status shows who holds the rest');
}

sub size {
  my $mib = $_[0] * $unit / 1048576;
  return $mib % 1024 ? sprintf('%dM', $mib) : sprintf('%dG', $mib / 1024);
}

# ---- how a command ended ----

# report LINE: to the supervisor, in one write, so that lines of several processes do not mix.
sub report {
  my $line = substr $_[0], 0, 400;
  $line =~ s/[^\t -~]/?/g;
  syswrite $to_boss, "$line\n";
}

# forward_for_others: what the command has left behind goes on writing, and nobody waits for that.
sub forward_for_others {
  my $other = fork // return;
  return if $other;
  close $_ for *STDIN, *STDOUT, $to_boss;
  1 while forward();
  exit;
}

# What rustc and linkers say where they get no memory. A missing crate is one whose file could not be mapped.
my $REFUSED = qr/memory\ allocation\ of\ \d+\ bytes\ failed|failed\ to\ spawn\ thread|cannot\ allocate\ memory|out\ of\ memory
  |memory\ exhausted|std::bad_alloc|failed\ to\ map\ segment|only\ metadata\ stub\ found
  |can't\ find\ crate\ for\ `(?:std|core)`/xi;
# A test may say any of these in the text of an error that it expects. It has died of it where it was also aborted. What other
# threads say at the same time may stand between the words.
my $ABORTED = qr/memory allocation of .{0,300}? bytes failed|what\(\):  std::bad_alloc/s;

# explain_end: tells the supervisor where the cap was the reason, and ends as the command did. A signal alone proves nothing:
# a stack that overflows and a failed assertion end by the same ones. But rustc has words for both, and under a very small cap none.
sub explain_end {
  my ($signal, $status) = ($? & 127, $? >> 8);
  my ($root) = $command[0] =~ m{^(.*)/bin/};
  # A message of rustc's about a place in the code repeats the code, which may have such words.
  my $words = join "\n", grep { !/^\{.*"spans":\[\{/ || /only metadata stub|can't find crate|os error 12/ } split /\n/, $said;
  if ($name eq 'runner' || $name eq 'miri' || $name eq 'program' || $label =~ /^rustdoc test\b/) {
    my $aborted = $signal == 6 || $said =~ /^Test executable failed \((?:signal: 6|terminated by signal)/m;    # of rustdoc
    report("x $label\tgot no memory and aborted") if $aborted && $said =~ $ABORTED;
  } elsif ($said =~ /the `([\w.-]+)` target may not be installed/ && !(defined $root && -d "$root/lib/rustlib/$1")) {
    report("t $1");
  } elsif ($said =~ /target may not support the standard library/) {
    # The code is wrong.
  } elsif ($words =~ $REFUSED) {
    $words = $&;
    $label =~ s/^rustc/link/ if $said =~ /linking with `[^`]+` failed/;
    report("x $label\tsaid \"$words\"");
  } elsif ($signal == 11 && !length $said) {
    report("x $label\tended by signal 11 without a word");
  }
  syswrite $to_boss, "-\n" unless $is_free;
  if ($signal) {
    $SIG{$_} = 'DEFAULT' for 'HUP', 'INT', 'QUIT', 'TERM', 'PIPE';
    kill $signal, $$;
  }
  exit($signal ? 128 + $signal : $status);
}

1;
