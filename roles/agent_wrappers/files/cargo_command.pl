# SPDX-License-Identifier: Apache-2.0
# Functions of cargo-command for commands that wait, fail, or run for more than half a minute.

# ---- messages ----

sub note { print STDERR "cargo_agent: $_[0]\n" }

sub tell_of_slot {
  my $all = 0 + semctl $set, $ALL_SLOTS, $GETVAL, 0;
  my $others = semctl($set, $SLOTS, 14, 0) - 1;    # GETNCNT
  my $behind = $others > 0 ? "with $others other commands" : 'first in the queue';
  my $seconds = time - $queued_at;
  tell_once("waiting for $seconds s for one of $all slots, $behind. agent-status shows which commands hold them");
}

# tell_once TEXT: at most one line in a minute for all processes of this command.
sub tell_once {
  return if $told_at && time - $told_at < 55;
  $told_at = time;
  note($_[0]);
}

sub tell_of_dead {
  note("Rust has no standard library for $_ on this host: ask an operator to add it to agent_toolchain_targets") for keys %missing;
  my $folder = $ENV{TMPDIR} || '/tmp';
  note("programs may not run in $folder (noexec), which cargo install and doc tests need: set TMPDIR to another folder")
    if $what =~ /^cargo (?:install|test|miri)\b/ && is_noexec($folder);
  return unless @dead;
  my ($process, $how) = @{$dead[0]};
  my $more = @dead > 1 ? ' and ' . (@dead - 1) . ' more' : '';
  my $cap = cap() or return;
  my ($most, $program) = split / /, $advice, 2;
  my $next = 2 * $cap < $most ? 2 * $cap : $most;
  my $help = $next > $cap ? 'try NOVA_CARGO_LIMIT_AS=' . size($next) . " bash $program ..."
    : 'this is the maximum: try fewer jobs (NOVA_CARGO_JOBS=1), or ask an operator';
  note("$process$more $how under the address space cap of " . size($cap) . " (NOVA_CARGO_LIMIT_AS): $help");
}

# is_noexec FOLDER: the nearest mount point above it decides, and there the last mount.
sub is_noexec {
  my ($nearest, $noexec) = ('', 0);
  open my $file, '<', '/proc/self/mounts' or return 0;
  while (<$file>) {
    my (undef, $place, undef, $flags) = split / /;
    next if index("$_[0]/", $place eq '/' ? '/' : "$place/") || length $place < length $nearest;
    ($nearest, $noexec) = ($place, $flags =~ /\bnoexec\b/);
  }
  return $noexec;
}

sub size {
  my ($count, $letter) = ($_[0] / 1024, 'K');
  for my $next ('M', 'G', 'T') {
    last if $count % 1024;
    ($count, $letter) = ($count / 1024, $next);
  }
  return int($count) . $letter;
}

# ---- dead commands ----

our ($window, $cpu_before, $seen_before, @starters, $orphan_for, @condemned) = (0, 0, '');

# look_for_life: ends the command if for $idle seconds its processes used no CPU time, read and wrote nothing, and were the same;
# or if one of its ancestors ended $orphan seconds ago. Called while the command holds memory.
sub look_for_life {
  my $now = now();
  my $was_stopped = $now - $next_look > $every;    # this process was stopped too, for example by Ctrl-Z
  $next_look = $now + $every;
  return end_what_is_left() if $ended_for;
  forget_ended();
  give_slot_back();
  my ($cpu, $seen) = use_of(descendants());
  # cargo itself polls twice a second, so less than a thousandth of a CPU counts as idle.
  if ($progress || $was_stopped || !$seen || $seen ne $seen_before || 10 * ($cpu - $cpu_before) > ($now - $window) / 1000) {
    ($window, $cpu_before, $seen_before, $progress) = ($now, $cpu, $seen, 0);
  } elsif ($idle && $now - $window >= 1000 * $idle) {
    return end_command('idle', "used no CPU time for $idle s", 'IDLE');
  }
  $orphan_for = is_orphan() ? $orphan_for + $every / 1000 : 0;
  end_command('orphan', "is still running $orphan s after the agent, shell or session that started it has ended", 'ORPHAN') if $orphan && $orphan_for >= $orphan;
}

# end_command HOW WHY NAME: sends SIGTERM to all processes of the command. The next check kills the remaining ones.
sub end_command {
  my ($how, $why, $name) = @_;
  $ended_for = $how;
  note("this command $why while it holds memory, so it is ended. NOVA_CARGO_${name}_MINUTES=0 turns this check off");
  @condemned = map { [$_, begin_of($_)] } descendants();
  kill 'TERM', $_->[0] for @condemned;
}

sub end_what_is_left {
  # Wait a little, because some processes clean up after cargo has ended.
  for (1 .. 10) {
    last unless grep { begin_of($_->[0]) eq $_->[1] } @condemned;
    select undef, undef, undef, $every / 10000;
  }
  begin_of($_->[0]) eq $_->[1] && kill 'KILL', $_->[0] for @condemned;
}

# fields_of PROCESS: the fields of /proc/PROCESS/stat after the name, which can have any character: state, parent, ...
sub fields_of {
  open my $file, '<', "/proc/$_[0]/stat" or return;
  sysread $file, my $text, 1024;
  return split ' ', $text =~ s/.*\) //sr;
}

# begin_of PROCESS: its start time; empty if it has ended. It shows whether a pid belongs to another process now.
sub begin_of {
  my @fields = fields_of($_[0]);
  return @fields && $fields[0] ne 'Z' ? $fields[19] : '';
}

# descendants: cargo and all its descendants. Each thread has its own children.
sub descendants {
  my @found = $child;
  for (my $i = 0; $i < @found; $i++) {
    opendir my $threads, "/proc/$found[$i]/task" or next;
    for my $thread (grep /\d/, readdir $threads) {
      open my $file, '<', "/proc/$found[$i]/task/$thread/children" or next;
      push @found, split ' ', <$file> // '';
    }
  }
  return @found;
}

# use_of PROCESS...: CPU time in hundredths of a second, and a text that changes if the processes read, write, start or end. The
# text is empty if this is not known, or if a debugger has stopped a process.
sub use_of {
  my ($cpu, $bytes) = (0, 0);
  return (0, '') unless -e "/proc/$child/task/$child/children";
  for my $process (@_) {
    my @fields = fields_of($process);
    return (0, '') if !@fields || $fields[0] eq 't';
    $cpu += $_ for @fields[11 .. 14];
    open my $file, '<', "/proc/$process/io" or next;
    sysread $file, my $text, 200;
    $bytes += $1 while $text =~ /^[rw]char: (\d+)/mg;
  }
  return ($cpu, "@_ $bytes");
}

# is_orphan: true if one of the ancestors, such as an agent or the sshd of a session, has ended.
sub is_orphan {
  return 1 if getppid != $starter;
  my @above = my $pid = $starter;
  while ($pid > 1) {
    ($pid) = (fields_of($pid))[1] or last;
    push @above, $pid;
  }
  @starters = @above unless @starters;
  return "@above" ne "@starters";
}

1;
