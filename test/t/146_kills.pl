# 146_kills.pl - a job that is killed by kill -9 again and again, the postmaster and a backend (a session, who waits for workers,
# a worker) by turns, or whose server is stopped at once (pg_ctl -m immediate), and run again each time: at the end every good row
# was written exactly once for each text and version, every bad one is listed, no process and no shared memory is left, and nothing
# is done again.
#
# A kill comes when so many rows are done, at a random moment after that. It never comes after the end: rows behind a gate wait for
# a lock that the test holds. LMTEXT_SEED draws other moments.
#
# What the kills cost is told in seconds and in processor seconds of the whole server, beside runs that nobody disturbed; the start
# of a killed server apart. With --long it is held to a tenth of the work and of the restarts of the run, each of which looks at the
# table as a run with nothing to do: in processor time, since what a busy machine leaves of the clock does not count.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use POSIX ();
use Time::HiRes qw(sleep time);

my $rows = effort(2_000, 20_000, 200_000);
# Of the first version and of the second.
my @kills = (effort(2, 5, 20), effort(2, 3, 7));
my $node = start_node('kills', conf => "max_worker_processes = 6\nautovacuum = off\nlog_min_messages = warning\n");
srand($ENV{LMTEXT_SEED} // 4711);

# Each write that is committed stands in `written`. One row in a hundred is bad: its text is too long, a constraint or a trigger
# refuses its vector.
value(<<"SQL");
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('m', '$tiny'), lmtext.import_model('m', '$tiny-tanh');
CREATE TABLE stage AS SELECT 1 AS version, 2147483647 AS gate;
CREATE TABLE written (id int, text int, version int);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'DECLARE now stage := (SELECT s FROM stage s); BEGIN
    IF NEW.body LIKE ''refused%'' THEN RAISE ''no''; END IF;
    IF NEW.id >= now.gate THEN PERFORM pg_advisory_xact_lock_shared(1); END IF;
    INSERT INTO written VALUES (NEW.id, hashtext(NEW.body), now.version);
    RETURN NULL; END';
SQL

sub fresh_job
{
    my ($name) = @_;
    value(<<"SQL");
CREATE TABLE $name (id int PRIMARY KEY, body text, v real[], CHECK (body NOT LIKE 'unchecked%' OR v IS NULL));
INSERT INTO $name SELECT i, CASE i % 300 WHEN 0 THEN repeat('long ', 600) WHEN 100 THEN 'unchecked ' WHEN 200 THEN 'refused ' ELSE 'text ' END || i
    FROM generate_series(1, $rows) i;
SELECT lmtext.create_job('$name', '$name', 'body', 'embed', 'm', 'v', '{"on_long": "error", "retries": 0}');
CREATE TRIGGER note AFTER UPDATE OF v ON $name FOR EACH ROW EXECUTE FUNCTION note();
SQL
    return;
}

# Processor seconds of a server: of its processes, and of those that have ended.
sub server_seconds
{
    my $postmaster = postmaster();
    my @fields = split ' ', slurp_file("/proc/$postmaster/stat") =~ s/^.*\) //sr;
    my $sum = ($fields[13] + $fields[14]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
    for my $pid ($postmaster, split ' ', slurp_file("/proc/$postmaster/task/$postmaster/children"))
    {
        $sum += eval { processor_seconds($pid) } // 0;
    }
    return $sum;
}

# What a piece of work took: seconds, and processor seconds.
sub taken
{
    my ($work) = @_;
    my ($start, $before) = (time, server_seconds());
    my @result = $work->();
    return ({ clock => time - $start, processor => server_seconds() - $before }, @result);
}

sub run
{
    my ($name, $workers) = @_;
    return taken(sub {
        my ($done, $errors) = complaint("CALL lmtext.run_job('$name', $workers)") =~ /job "$name" ended: (\d+) rows done.*?(\d+) errors/
          or die "the job $name does not end";
        return ($done, $errors);
    });
}

# ---- Undisturbed ----

# In one session and by two workers: the kills hit both by turns.
my @undisturbed;
for my $workers (0, 2)
{
    fresh_job("quiet$workers");
    push @undisturbed, (run("quiet$workers", $workers))[0];
    is(value('SELECT count(*) FROM written'), $rows * 0.99, "undisturbed, with $workers workers, every good row is written once");
    value("TRUNCATE written; DROP TRIGGER note ON quiet$workers");
}

# ---- Kills ----

# Whom a kill hits, by turns.
my @ways = (
    { who => 'a session', workers => 0, victim => sub { $_[0] } },
    { who => 'the postmaster', workers => 2 },
    { who => 'a worker', workers => 2, victim => sub { value(q{SELECT max(pid) FROM pg_stat_activity WHERE backend_type = 'lmtext job'}) } },
    { who => 'the server', workers => 0, stop => 1 },
    { who => 'who waits for workers', workers => 2, victim => sub { $_[0] } },
    { who => 'the postmaster', workers => 2 },
);
my %spent = map { $_ => { clock => 0, processor => 0, restarts => 0 } } 1, 2;

# Start the job and let it come to a place; rows behind it wait. Its processes, and what it took so far: without the session that
# looks how far it is.
sub come_to
{
    my ($place, $workers) = @_;
    my ($runner, $keeper) = (session(), session());
    my $watcher = $keeper->query('SELECT pg_backend_pid() FROM pg_advisory_lock(1)');
    value("UPDATE stage SET gate = $place + " . int($rows / 25));
    my ($start, $before) = (time, server_seconds() - processor_seconds($watcher));
    my $leader = begin_in($runner, "CALL lmtext.run_job('killed', $workers);");
    $keeper->query("DO \$\$ BEGIN WHILE (SELECT count(*) < $place FROM written WHERE version = (SELECT version FROM stage)) LOOP
        PERFORM pg_sleep($rows / 1e6); END LOOP; END \$\$");
    sleep rand 0.05;
    my $spent = { clock => time - $start, processor => server_seconds() - processor_seconds($watcher) - $before };
    my @pids = split /\n/, value(q{SELECT pid FROM pg_stat_activity WHERE backend_type IN ('lmtext job', 'client backend') AND pid <> pg_backend_pid()});
    is(scalar(@pids), 2 + $workers, "the job runs in @{[ 1 + $workers ]} processes");
    return ($leader, \@pids, $spent, $runner, $keeper);
}

sub kill_at
{
    my ($place, $way, $version) = @_;
    my ($leader, $pids, $spent, @sessions) = come_to($place, $way->{workers});
    my @segments = shared_segments();
    my $start = time;
    $spent{$version}{$_} += $spent->{$_} for keys %$spent;
    if ($way->{victim})
    {
        crash($way->{victim}->($leader), "kill -9 of $way->{who} after $place rows: the server restarts");
    }
    else
    {
        $way->{stop} ? $node->stop('immediate') : $node->kill9;
        start_again();
        pass(($way->{stop} ? 'an immediate stop' : "kill -9 of $way->{who}") . " after $place rows: the server starts again");
    }
    $spent{$version}{restarts} += time - $start;
    eval { $_->quit } for @sessions;
    seconds_until(sub { !kill 0, @$pids });
    expect_restart();
    is(join(' ', grep { -e } @segments), '', 'its shared memory is gone');
    is(value(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'lmtext job'}), 0, 'no worker comes back');
    is(value(q{SELECT count(*) FROM lmtext.model_cache}), 0, 'and no model is loaded');
    is(value(q{SELECT status FROM lmtext.job_runs WHERE job = 'killed' ORDER BY run DESC LIMIT 1}), 'interrupted', 'the run is seen as interrupted');
    cmp_ok(value(q{SELECT count(*) FROM written WHERE version = (SELECT version FROM stage)}), '<', $rows * 0.99, 'in the middle');
    return;
}

# What is true when a version is done, for so many texts.
sub done_once
{
    my ($version, $texts) = @_;
    is(value("SELECT count(*), count(DISTINCT (id, text)), bool_and(id % 100 <> 0) FROM written WHERE version = $version"),
        "$texts|$texts|t", "version $version: every good row is written exactly once");
    is(value(q{SELECT string_agg(sqlstate || ' ' || n, ', ' ORDER BY sqlstate) FROM (SELECT sqlstate, count(*) AS n FROM lmtext.job_errors
            WHERE job = 'killed' AND key::int % 100 = 0 GROUP BY sqlstate) e}),
        value("SELECT string_agg(state || ' ' || n, ', ' ORDER BY state) FROM (SELECT CASE i % 300 WHEN 0 THEN '54000' WHEN 100 THEN '23514' ELSE 'P0001' END AS state,
            count(*) AS n FROM generate_series(100, $rows, 100) i GROUP BY 1) e"), 'every bad row is listed');
    is(value(q{SELECT count(*) FROM lmtext.job_errors WHERE job = 'killed'}), $rows / 100, 'and no other');
    is(value('SELECT count(*) FROM killed WHERE (v IS NULL) <> (id % 100 = 0)'), 0, 'good rows have their vectors, bad ones none');
    is(value("SELECT count(*) FROM (SELECT * FROM killed ORDER BY hashint4(id) LIMIT 2000) k WHERE id % 100 <> 0 AND v IS DISTINCT FROM lmtext.embed(body, 'm\@$version')"),
        0, 'and are those of the model');
    is(value(q{SELECT count(*) FROM lmtext.stale('killed')}), 0, 'nothing is left to do');
    return;
}

sub killed_and_done
{
    my ($version, @ways) = @_;
    my $share = $rows * 0.9 / @ways;
    for my $n (0 .. $#ways)
    {
        kill_at(int($share * ($n + 0.2 + rand 0.6)), $ways[$n], $version);
    }
    value('UPDATE stage SET gate = 2147483647');
    my ($spent) = run('killed', 2);
    $spent{$version}{$_} += $spent->{$_} for keys %$spent;
    done_once($version, $rows * 0.99);
    return;
}

fresh_job('killed');
killed_and_done(1, map { $ways[ $_ % @ways ] } 0 .. $kills[0] - 1);
my @idle;
for my $workers (0, 2)
{
    my ($spent, @did) = run('killed', $workers);
    is("@did", '0 0', "a second run, with $workers workers, does nothing");
    push @idle, $spent->{processor};
}
done_once(1, $rows * 0.99);
value(q{UPDATE killed SET body = body || ' again' WHERE id % 20 = 1});
is((run('killed', 2))[1], $rows * 0.05, 'other texts of a twentieth are a twentieth of the work');
done_once(1, $rows * 1.04);
value(q{SELECT lmtext.deploy('m', 2); UPDATE stage SET version = 2});
killed_and_done(2, map { $ways[ $_ % @ways ] } $kills[0] .. $kills[0] + $kills[1] - 1);
# What a batch writes is looked up, not joined in a loop: a large batch takes no square of its rows. (No statistics say how many
# rows a step of the statement has.)
like(value(q{DO $$ BEGIN EXECUTE format('PREPARE w (bigint[], %s, int, timestamptz, lmtext_internal.job_result[]) AS %s',
        (SELECT format_type(proargtypes[1], NULL) FROM pg_proc WHERE proname = 'do_batch'),
        lmtext_internal.write_statement(lmtext_internal.own_job('killed'))); END $$;
    EXPLAIN (VERBOSE, COSTS OFF) EXECUTE w('{1,2}', NULL, 0, now(), '{}')}), qr/hashed SubPlan/, 'the statement that writes a batch');
safe('kills');
my ($normal, $again) = map { ($_->[0] + $_->[1]) / 2 } [ map { $_->{processor} } @undisturbed ], \@idle;
cmp_ok($spent{1}{processor}, '<', 1.1 * ($normal + $kills[0] * $again), "$kills[0] kills cost less than a tenth beside the work and the restarts")
  if effort(0, 0, 1);
diag(sprintf '%d rows, undisturbed: %.1f s in one session, %.2f s of processor time; %.1f s by two workers, %.2f s; with nothing to do %.2f s', $rows,
    (map { ($_->{clock}, $_->{processor}) } @undisturbed), $again);
diag(sprintf 'version %d, killed %d times: %.1f s, %.2f s of processor time, and %.1f s until servers were back', $_, $kills[ $_ - 1 ],
    @{ $spent{$_} }{qw(clock processor restarts)}) for 1, 2;
done();
