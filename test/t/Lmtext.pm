# Lmtext.pm - what the TAP tests share: a server with lmtext's laws watched, sessions, SQLSTATEs.
#
#   use strict; use warnings; use Lmtext;     brings Test::More and what is below
#   my $node = start_node('name', conf => "…", init => [...]);   the node that the functions below use
#   is(value($sql), …); is(state_of($sql), '42704'); safe('after the storm');
#   crash($pid);                              kills a backend and waits until its server is back
#   done();                                   checks every node once more, stops them, done_testing
#
# safe() is the standing rule of every test: same postmaster, no core file, a clean log, nothing
# pinned or half loaded, one thread a backend (scripts/check-server). Call it when no statement runs.
package Lmtext;

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Exporter 'import';
use File::Basename qw(basename dirname);
use File::Spec;
use POSIX ();
use Time::HiRes qw(sleep time);

our @EXPORT = (
    @Test::More::EXPORT, qw($real $tiny start_node adopt_node use_node value state_of complaint
      session say_in begin_in end_in wait_for stopped_loader variant effort drawn processor_seconds safe crash postmaster shared_segments seconds_until start_again
      expect_restart done slurp_file));

our $real = $ENV{LMTEXT_MINILM} or die 'LMTEXT_MINILM is not set';
our $tiny = "$ENV{LMTEXT_SOURCE_DIR}/models/tiny/bert";

my ($node, @nodes);

# A test that is told to end stops its servers and removes their data: at exit, which no eval catches. A child that it
# forked only ends.
my $main = $$;
for my $signal (qw(HUP INT TERM))
{
    $SIG{$signal} = sub { $$ == $main ? exit 1 : POSIX::_exit(1) };
}

# A server of its own, started, and the one that value() and the others mean from now on.
sub start_node
{
    my ($name, %options) = @_;
    my $new = PostgreSQL::Test::Cluster->new($name);
    $new->init(extra => $options{init} // [ '-E', 'UTF8', '--locale', 'C.UTF-8' ],
        allows_streaming => $options{streaming} // 0);
    $new->append_conf('postgresql.conf', "fsync = off\nrestart_after_crash = on\nlmtext.progress_interval = 0\n" . ($options{conf} // ''));
    $new->start;
    return adopt_node($new);
}

# A node that was started otherwise (a standby, a restored backup).
sub adopt_node
{
    my ($new) = @_;
    $node = $new;
    push @nodes, $node;
    watch($node, 0);
    return $node;
}

sub use_node
{
    ($node) = @_;
    return $node;
}

# ---- Statements ----

sub value
{
    my ($sql, $database, %options) = @_;
    return $node->safe_psql($database // 'postgres', $sql, %options);
}

# SQLSTATE of a script's last error, or '' when there was none.
sub state_of
{
    my ($sql, $database) = @_;
    my ($status, $out, $err) = $node->psql($database // 'postgres', $sql,
        on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
    $err =~ s/^.*NOTICE:  00000\n?//gm;
    return $err =~ /(?:ERROR|FATAL):  (\w{5})\s*$/ ? $1 : $err;
}

# Error output of a script, with SQLSTATEs.
sub complaint
{
    my ($sql, $database) = @_;
    my ($status, $out, $err) = $node->psql($database // 'postgres', $sql,
        extra_params => [ '-v', 'VERBOSITY=verbose' ]);
    return $err;
}

# ---- Sessions ----

sub session
{
    my ($database) = @_;
    my $session = $node->background_psql($database // 'postgres', on_error_stop => 0);
    $session->set_query_timer_restart();    # the limit of time is a query's, not the session's
    $session->query('\set VERBOSITY verbose');
    return $session;
}

# Output and errors of a statement in a session, in one string.
sub say_in
{
    my ($session, $sql) = @_;
    my $out = $session->query($sql);
    my $err = $session->{stderr};
    $session->{stderr} = '';
    return "$out$err";
}

my %begun;    # what a quick statement said before its start was seen

# Start a statement and do not wait for it; returns the backend's process id.
sub begin_in
{
    my ($session, $sql) = @_;
    my $pid = $session->query('SELECT pg_backend_pid()');
    ($begun{$session}) = $session->query_until(qr/started\n/, "\\echo started\n$sql\n") =~ /started\n(.*)/s;
    return $pid;
}

# Wait for what begin_in started; its output and errors.
sub end_in
{
    my ($session) = @_;
    return (delete $begun{$session} // '') . say_in($session, 'SELECT 1 WHERE false;');
}

# A session that is stopped in the middle of loading the real model, and its process id; nobody has it loaded. $before is
# what the session does first.
sub stopped_loader
{
    my ($model, $before) = @_;
    $model //= 'minilm';
    for my $try (1 .. 50)
    {
        value("SELECT lmtext.unload_model('minilm')");
        my $session = session();
        $session->query($before) if $before;
        my $pid = begin_in($session, "SELECT 'loaded', (lmtext.embed('a', '$model'))[1] IS NOT NULL;");
        for my $look (1 .. 200)
        {
            my $state = value('SELECT state FROM lmtext.model_cache WHERE bytes > 50000000');
            last if $state eq 'ready';
            next if $state ne 'loading';
            kill 'STOP', $pid;
            return ($session, $pid)
              if value("SELECT count(*) FROM lmtext.model_cache WHERE state = 'loading'") == 1;
            kill 'CONT', $pid;
            last;
        }
        end_in($session);
        $session->quit;
    }
    die "no load could be caught half way";
}

# By one session that looks again and again: a psql for each look takes half a processor, as many waits do beside each other. Where
# it fails (the server restarts) the other way goes on.
sub wait_for
{
    my ($sql, $what) = @_;
    my ($status) = $node->psql('postgres', <<"SQL");
DO \$wait\$ BEGIN
    FOR look IN 1 .. 20 * $PostgreSQL::Test::Utils::timeout_default LOOP
        IF ($sql) THEN RETURN; END IF;
        COMMIT; PERFORM pg_sleep(0.05); COMMIT;
    END LOOP;
    RAISE 'not in time';
END \$wait\$
SQL
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok($status == 0 || $node->poll_query_until('postgres', $sql), $what);
}

# ---- Laws ----

# A copy of a model's folder that shares no memory with others: its config.json ends in so many spaces.
sub variant
{
    my ($folder, $number) = @_;
    my $copy = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir()) . '/' . basename($folder) . "-$number";
    return $copy if -d $copy;
    system('cp', '-RL', $folder, $copy) == 0 or die "no copy of $folder";
    append_to_file("$copy/config.json", ' ' x $number);
    system('chmod', '-R', 'a+rX', $copy, dirname($copy)) == 0 or die "$copy stays closed";
    return $copy;
}

# How long a loop is: by hand, in test.sh and in CI, with --all, and with --long.
sub effort
{
    my ($quick, $all, $long) = @_;
    my $effort = $ENV{LMTEXT_EFFORT} // 'quick';
    return $effort eq 'long' ? $long : $effort eq 'all' ? $all : $quick;
}

# Of cases that cost much each n-th where the run is CI's, in turn by the commit; else all.
sub drawn
{
    my ($n, @cases) = @_;
    my $turn = $ENV{LMTEXT_TURN} || 0;
    return $ENV{LMTEXT_TURN} ? @cases[ grep { ($_ + $turn) % $n == 0 } 0 .. $#cases ] : @cases;
}

# What a backend has computed so far: other jobs of a run do not count, as they do by the clock.
sub processor_seconds
{
    my ($pid) = @_;
    my ($nanoseconds) = split / /, slurp_file("/proc/$pid/schedstat");
    return $nanoseconds / 1e9;
}

sub watch
{
    my ($watched, $again) = @_;
    my $state = $watched->basedir . '/check-server.state';
    unlink $state if $again;
    my @command = ($ENV{LMTEXT_CHECK_SERVER}, $state, $watched->data_dir, $watched->logfile);
    local @ENV{qw(PGHOST PGPORT PGDATABASE)} = ($watched->host, $watched->port, 'postgres');
    my $report = qx{sh @command 2>&1};
    return ($? == 0, $report);
}

# The standing rule. A crash that a test causes is announced by expect_restart.
sub safe
{
    my ($what, $watched) = @_;
    my ($fine, $report) = watch($watched // $node, 0);
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($fine, 'safe: ' . ($what // 'at the end')) or diag($report);
    return $fine;
}

# Kill a backend, and wait until its server has restarted: it says so in its log, and accepts sessions before it has noticed.
# pg_isready asks, since psql reads no statement where it is refused, and who writes it one dies by EPIPE.
sub crash
{
    my ($pid, $what, $crashed) = @_;
    $crashed //= $node;
    my $from = -s $crashed->logfile;
    my $restarted = sub {
        return substr(slurp_file($crashed->logfile), $from) =~ /all server processes terminated; reinitializing/
          && system('pg_isready', '-q', '-h', $crashed->host, '-p', $crashed->port) == 0;
    };
    kill 'KILL', $pid;
    my $left = 10 * $PostgreSQL::Test::Utils::timeout_default;
    sleep 0.1 until $restarted->() || $left-- <= 0;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return ok($left > 0, $what // 'the server restarts');
}

# ---- The postmaster, and shared memory of its server ----

sub postmaster
{
    my ($pid) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
    return $pid;
}

# Segments that the control segment lists (dsm_control_header and dsm_control_item of PostgreSQL's
# dsm.c), and itself.
sub shared_segments
{
    return glob($node->data_dir . '/pg_dynshmem/mmap.*') if value('SHOW dynamic_shared_memory_type') eq 'mmap';
    my ($control) = slurp_file('/proc/' . postmaster() . '/maps') =~ m{(/dev/shm/PostgreSQL\.\d+)};
    my $bytes = slurp_file($control);
    my ($magic, $items) = unpack 'L L', $bytes;
    die 'not a control segment' unless $magic == 0x9a503d32;
    my @found = ($control);
    for my $item (0 .. $items - 1)
    {
        my ($handle, $references) = unpack 'L L', substr $bytes, 16 + 40 * $item, 8;
        # An even handle lies in the main segment; 1 reference means a slot that is being freed.
        push @found, "/dev/shm/PostgreSQL.$handle" if $references > 0 && -e "/dev/shm/PostgreSQL.$handle";
    }
    return @found;
}

# Seconds until a condition holds.
sub seconds_until
{
    my ($condition) = @_;
    my $start = time;
    until ($condition->())
    {
        die 'the server does not come back' if time - $start > 120;
        sleep 0.02;
    }
    return time - $start;
}

# Start a server whose postmaster has ended; the seconds that it took. As long as a session or a worker of the former one
# computes, the next one does not start.
sub start_again
{
    my @command = ('pg_ctl', '-w', '-s', '-D', $node->data_dir, '-l', $node->logfile, 'start');
    my $seconds = seconds_until(sub { system("@command >/dev/null 2>&1") == 0 });
    $node->_update_pid(1);
    return $seconds;
}

# What happened so far was meant: judge from here on.
sub expect_restart
{
    my ($watched) = @_;
    return watch($watched // $node, 1);
}

sub done
{
    for my $watched (@nodes)
    {
        next unless -e $watched->data_dir . '/postmaster.pid';
        safe($watched->name . ' at the end', $watched);
        $watched->stop;
    }
    return done_testing();
}

1;
