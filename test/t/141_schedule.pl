# 141_schedule.pl - the launcher of a preloaded server: jobs that are due run as their owner and no one else, once, in their window; what is
# queued is done and alerts are checked; a crash, a DROP DATABASE, a standby, a server without a place for a worker.
use strict;
use warnings;

use Lmtext;
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep);

my $node = start_node('schedule', streaming => 1, conf => <<'CONF');
shared_preload_libraries = 'lmtext'
lmtext.job_naptime = 1
max_worker_processes = 8
log_min_messages = log
autovacuum = off
CONF

sub owner
{
    my ($sql, $database) = @_;
    return value($sql, $database, extra_params => [ '-U', 'keeper' ]);
}

# A job of keeper's over so many rows, and when it is due: never by itself during this test.
sub fresh_job
{
    my ($name, $rows, $options) = @_;
    owner("CREATE TABLE $name (id int PRIMARY KEY, body text, who text);
        INSERT INTO $name SELECT i, 'text ' || i FROM generate_series(1, $rows) i;
        SELECT lmtext.create_job('$name', '$name', 'body', 'embed', 'm', 'v', '$options');
        SELECT lmtext.schedule_job('$name', '0 0 1 1 *', 'UTC')");
    return;
}

sub make_due
{
    my ($name, $ago) = @_;
    $ago //= '1 second';
    return value("UPDATE lmtext.job_schedule SET next_run = now() - interval '$ago' WHERE work = '\"$name\@job\"'::regclass");
}

sub runs
{
    my ($name, $columns) = @_;
    return value("SELECT $columns FROM (SELECT * FROM lmtext.job_runs WHERE job = '$name' ORDER BY run) r");
}

sub has_run
{
    my ($name, $times, $what) = @_;
    return wait_for("SELECT count(*) = $times AND bool_and(status <> 'running') AND (SELECT next_run > now() FROM lmtext.schedules WHERE job = '$name')
        FROM lmtext.job_runs WHERE job = '$name'", $what);
}

value(<<"SQL");
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('m', '$tiny');
CREATE ROLE keeper LOGIN;
GRANT ALL ON SCHEMA public TO keeper; GRANT SELECT (file) ON "m\@1" TO keeper;
CREATE FUNCTION who() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
    NEW.who := (SELECT concat_ws('' '', current_user, session_user, backend_type, application_name) FROM pg_stat_activity WHERE pid = pg_backend_pid());
    RETURN NEW; END';
-- A batch stands still as long as somebody has the lock.
CREATE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END';
SQL
my $holder = session();
my $held = q{SELECT count(*) = %d FROM pg_stat_activity WHERE wait_event = 'advisory'};

# ---- Who runs it, and when ----

wait_for(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'lmtext launcher' AND application_name IN ('', 'lmtext launcher') AND datname IS NULL},
    'one launcher, which is in no database');
fresh_job('plain', 20, '{"batch_size": 10}');
owner('CREATE TRIGGER who BEFORE UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION who()');
is(value(q{SELECT job, cron, time_zone, next_run > now(), last_run IS NULL, missed FROM lmtext.schedules}), 'plain|0 0 1 1 *|UTC|t|t|0', 'a schedule');
make_due('plain');
has_run('plain', 1, 'a job that is due runs');
is(runs('plain', 'status, total, done'), 'done|20|20', 'in whole');
like(value('SELECT DISTINCT who FROM plain'), qr/^keeper keeper lmtext job/, 'in a session of its owner');
is(value(q{SELECT last_run IS NOT NULL, missed, (SELECT tries FROM lmtext.job_schedule) FROM lmtext.schedules}), 't|0|0', 'and that is noted');

# Half a day from now, so that 73 hours hold three, whatever the time is.
value(q{UPDATE lmtext.job_schedule SET cron = format('0 %s * * *', extract(hour FROM (now() AT TIME ZONE 'UTC') + interval '12 hours'))});
make_due('plain', '73 hours');
has_run('plain', 2, 'what was missed is made up for by one run');
is(value(q{SELECT missed FROM lmtext.schedules}), 3, 'and counted');
fresh_job('skips', 1, '{"missed_runs": "skip"}');
make_due('skips', '1 hour');
wait_for(q{SELECT missed = 1 AND next_run > now() FROM lmtext.schedules WHERE job = 'skips'}, 'or skipped');
is(runs('skips', 'count(*)') . value(q{SELECT count(v) FROM skips}), '00', 'without a run');
make_due('skips');
has_run('skips', 1, 'what is a moment late is not skipped');

# ---- One at a time, and not more than so many ----

fresh_job('slow', 20, '{"batch_size": 10}');
fresh_job('slow2', 1, '{}');
owner("CREATE TRIGGER hold AFTER UPDATE ON $_ FOR EACH STATEMENT EXECUTE FUNCTION hold()") for qw(slow slow2);
$holder->query('SELECT pg_advisory_lock(1)');
make_due('slow');
wait_for(sprintf($held, 1), 'a job runs');
make_due('slow', '2 seconds');
make_due('plain');
has_run('plain', 3, 'another one is run beside it');
is(runs('slow', 'count(*), bool_and(finished_at IS NULL)'), '1|t', 'but it is not started again');
make_due('slow2');
wait_for(sprintf($held, 2), 'two jobs run');
fresh_job('never', 1, '{}');
make_due($_) for qw(plain never);
owner(q{SELECT lmtext.create_alert('seen', 'SELECT 1 AS key', 'true')});
wait_for(q{SELECT count(*) = 1 FROM "seen@alert"}, 'alerts are checked, as their owner');
is(runs('plain', 'count(*)'), 3, 'a third one waits');
# A visit from its beginning lies before the third check.
owner(q{SELECT lmtext.pause_job('never')});
for my $n (1 .. 3)
{
    owner(q{DELETE FROM "seen@alert"});
    wait_for(q{SELECT count(*) = 1 FROM "seen@alert"}, 'alerts are checked again');
}
$holder->query('SELECT pg_advisory_unlock(1)');
$holder->quit;
has_run('slow', 1, 'the first ends');
has_run('plain', 4, 'and the third begins');
owner(q{SELECT lmtext.drop_alert('seen')});
has_run('slow2', 1, 'all ended');
is(runs('never', 'count(*)'), 0, 'but what was paused while it waited does not begin');
safe('jobs that are due');

# ---- A window ----

# Long enough for a worker to start, and then too short for the job: on a machine with much to do a longer one.
fresh_job('windowed', 400, '{"batch_size": 1}');
owner(q{CREATE FUNCTION nap() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(.3); RETURN NEW; END';
    CREATE TRIGGER nap BEFORE UPDATE ON windowed FOR EACH ROW EXECUTE FUNCTION nap()});
for my $seconds (3, 10, 30, 90)
{
    value(qq{UPDATE lmtext.job_schedule SET not_before = ((now() - interval '1 hour') AT TIME ZONE 'UTC')::time,
        not_after = ((now() + interval '$seconds seconds') AT TIME ZONE 'UTC')::time, next_run = now() - interval '1 second' WHERE work = '"windowed\@job"'::regclass});
    my $left = 10 * $seconds + 100;
    sleep 0.1 until runs('windowed', q{count(*) FILTER (WHERE status = 'stopped')}) > 0 || $left-- < 0;
    last if $left >= 0;
}
is(value(q{SELECT status, done BETWEEN 1 AND 399, total FROM lmtext.job_runs WHERE job = 'windowed' AND done > 0 ORDER BY run LIMIT 1}), 'stopped|t|400', 'a run stops at the end of its window');
my $done = value('SELECT count(v) FROM windowed');
make_due('windowed');
make_due('plain');
has_run('plain', 5, 'another job runs');
is(value('SELECT count(v) FROM windowed'), $done, 'outside of its window a job does not');
owner(q{DROP TRIGGER nap ON windowed});
value(q{UPDATE lmtext.job_schedule SET not_before = NULL, not_after = NULL WHERE work = '"windowed@job"'::regclass});
wait_for('SELECT count(v) = 400 FROM windowed', 'when it opens the job goes on');

# ---- Errors ----

owner(q{INSERT INTO plain VALUES (21, 'Zq9' || 'confidentialZq9');
    CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION USING ERRCODE = ''58000'', MESSAGE = NEW.body; END';
    CREATE TRIGGER fail BEFORE UPDATE ON plain FOR EACH ROW EXECUTE FUNCTION fail()});
make_due('plain');
has_run('plain', 6, 'a job that fails');
like(runs('plain', 'status, sqlstate'), qr/failed\|58000$/, 'says so, and waits for its next time');
is(owner(q{SELECT message FROM lmtext.job_runs WHERE sqlstate = '58000'}), 'Zq9confidentialZq9', 'to its owner with the message');
owner('DROP TRIGGER fail ON plain');
owner('CREATE TRIGGER who BEFORE UPDATE ON "skips@job" FOR EACH ROW EXECUTE FUNCTION who()');
make_due('skips');
has_run('skips', 2, 'one that cannot begin');
like(runs('skips', 'status, sqlstate'), qr/failed\|55000$/, 'says so as well');
owner(q{DROP TRIGGER who ON "skips@job"});
value('REVOKE CONNECT ON DATABASE postgres FROM PUBLIC');
make_due('skips');
has_run('skips', 3, 'one whose owner may not connect');
like(runs('skips', 'status, sqlstate'), qr/failed\|42501$/, 'too');
value('GRANT CONNECT ON DATABASE postgres TO PUBLIC; ALTER ROLE keeper NOLOGIN');
make_due('skips');
has_run('skips', 4, 'one whose owner may not log in');
like(runs('skips', 'status, sqlstate'), $node->pg_version >= 17 ? qr/done\|$/ : qr/failed\|0A000$/, 'runs where the server can do that, or says so');
value('ALTER ROLE keeper LOGIN; ALTER ROLE keeper SET lmtext.job_cpu_share = 1; ALTER ROLE keeper SET lmtext.job_nice = 7');
owner('UPDATE slow SET v = NULL');
make_due('slow');
wait_for(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'lmtext job' AND wait_event = 'PgSleep' AND usename = 'keeper'}, 'a job rests between batches');
is(getpriority(0, value(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'lmtext job'})), 7, 'and steps back for other processes');
value(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'lmtext job'});
has_run('slow', 2, 'a cancel');
like(runs('slow', 'status, sqlstate'), qr/cancelled\|57014$/, 'ends a run until its next time');
value('ALTER ROLE keeper RESET lmtext.job_cpu_share; ALTER ROLE keeper RESET lmtext.job_nice');

# ---- Workers, a queue ----

fresh_job('many', 35, '{"batch_size": 10, "min_workers": 2, "max_workers": 3}');
make_due('many');
has_run('many', 1, 'a run by workers');
my $workers = q{SELECT count(*) FROM lmtext.job_run r JOIN lmtext.job_run p ON p.id = r.parent WHERE p.id = (SELECT max(run) FROM lmtext.job_runs WHERE job = 'many')};
is(value($workers) . ' ' . runs('many', 'done'), '3 35', 'of as many as there is work for, and not more');
owner(q{INSERT INTO many VALUES (36, 'a'); SELECT lmtext.schedule_job('many', NULL); SELECT lmtext.schedule_job('many', '0 0 1 1 *', 'UTC')});
make_due('many');
has_run('many', 2, 'a small one');
is(value($workers), 2, 'has the fewest');
owner(q{SELECT lmtext.attach('many')});
wait_for(q{SELECT count(*) = 3 FROM lmtext.job_runs WHERE job = 'many' AND status = 'done'}, 'an attached job is looked at');
owner(q{INSERT INTO many VALUES (37, 'b')});
wait_for(q{SELECT v IS NOT NULL FROM many WHERE id = 37}, 'and what is queued is done by itself');
{
    my $locker = session();
    $locker->query('BEGIN; LOCK TABLE "many@queue"');
    is(owner(q{SELECT lmtext_internal.queue_is_filled('"many@queue"')}), 'f', 'a queue that somebody has locked is left for the next visit');
    $locker->query('ROLLBACK');
    $locker->quit;
}
owner(q{SELECT lmtext.detach('many')});
safe('errors, workers, queues');

# ---- Jobs that follow ----

fresh_job('leader', 5, '{}');
owner(qq{SELECT lmtext.create_job('$_->[0]', 'leader', 'body', 'embed', 'm', '$_->[0]', '{"after": "$_->[1]"}')}) for ['second', 'leader'], ['third', 'second'], ['other', 'leader'];
my $of_all = q{SELECT string_agg(job || ' ' || status || coalesce(' ' || sqlstate, ''), ', ' ORDER BY run) FROM lmtext.job_runs WHERE run > %d AND job IN ('leader', 'second', 'third', 'other')};
my $so_far = value('SELECT max(run) FROM lmtext.job_runs');
make_due('leader');
wait_for(sprintf("SELECT ($of_all) = 'leader done, other done, second done, third done'", $so_far), 'behind a job that is due those run that follow it');
is(value(q{SELECT count(DISTINCT r.pid) FROM lmtext.job_runs r WHERE r.job IN ('leader', 'third')}), 1, 'in the same session');
is(value('SELECT count(*) FROM leader WHERE second IS NOT NULL AND third IS NOT NULL AND other IS NOT NULL'), 5, 'and do their work');
owner('CREATE TRIGGER who BEFORE UPDATE ON "second@job" FOR EACH ROW EXECUTE FUNCTION who()');
$so_far = value('SELECT max(run) FROM lmtext.job_runs');
make_due('leader');
wait_for(sprintf("SELECT ($of_all) = 'leader done, other done, second failed 55000, third skipped'", $so_far), 'one of them that cannot begin says so itself, and keeps no other back');
owner('CREATE TRIGGER fail BEFORE UPDATE ON leader FOR EACH ROW EXECUTE FUNCTION fail()');
owner('DROP TRIGGER who ON "second@job"; ALTER TABLE leader DISABLE TRIGGER fail; UPDATE leader SET v = NULL; ALTER TABLE leader ENABLE TRIGGER fail');
$so_far = value('SELECT max(run) FROM lmtext.job_runs');
make_due('leader');
wait_for(sprintf("SELECT ($of_all) = 'leader failed 58000, other skipped, second skipped, third skipped'", $so_far), 'behind one that fails none runs');

# ---- A restart ----

# What was taken back is nobody's business; a database that nobody may enter is not entered.
owner(q{BEGIN; SELECT lmtext.schedule_job('leader', '0 0 2 1 *', 'UTC'); ROLLBACK});
value('CREATE DATABASE closed ALLOW_CONNECTIONS false');
owner('DROP TRIGGER fail ON leader; UPDATE leader SET v = NULL');
value(q{SELECT lmtext.unload_model('m')});
$node->restart;
expect_restart();
$so_far = value('SELECT max(run) FROM lmtext.job_runs');
make_due('leader');
wait_for(sprintf("SELECT ($of_all) LIKE 'leader done, %%'", $so_far), 'a server that was restarted does what is due');
wait_for(sprintf("SELECT count(*) = 4 AND bool_and(status <> 'running') FROM lmtext.job_runs WHERE run > %d", $so_far), 'with all that follows');
value('DROP DATABASE closed');

# ---- Crashes ----

# Stopped in the middle, and killed.
fresh_job('killed', 40, '{"batch_size": 10}');
owner(q{CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN IF NEW.id = 25 AND current_setting(''test.late'', true) = ''on'' THEN PERFORM pg_sleep(600); END IF; RETURN NEW; END';
    CREATE TRIGGER late BEFORE UPDATE ON killed FOR EACH ROW EXECUTE FUNCTION late()});
value(q{ALTER ROLE keeper SET test.late = 'on'});
make_due('killed');
wait_for(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND backend_type = 'lmtext job'}, 'a run is in its third batch');
my $pid = value(q{SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND backend_type = 'lmtext job'});
value(q{ALTER ROLE keeper RESET test.late});
crash($pid, 'its worker is killed, and the server restarts');
expect_restart();
has_run('killed', 2, 'the run is begun again');
is(runs('killed', 'status, done'), "interrupted|20\ndone|20", 'and goes on where it was');

# The launcher itself, and a trap: what looks like lmtext in a database without it is not touched.
value('CREATE DATABASE trap');
value(q{CREATE SCHEMA lmtext; CREATE SCHEMA lmtext_internal; CREATE TABLE lmtext.job_schedule (work regclass); CREATE TABLE public.touched (by name);
    CREATE FUNCTION lmtext_internal.due_work(interval, OUT errand text, OUT role oid, OUT job text, OUT at timestamptz) LANGUAGE plpgsql AS
    'BEGIN INSERT INTO public.touched VALUES (current_user); errand := ''look''; END'}, 'trap');
my $launcher = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'lmtext launcher'};
$pid = value($launcher);
value("SELECT pg_terminate_backend($pid)");
wait_for("SELECT count(*) = 0 FROM ($launcher) l WHERE pid = $pid", 'a launcher that was ended is gone');
is(owner(q{SELECT lmtext.schedule_job('killed', '0 0 1 1 *', 'UTC')}), '', 'which keeps nobody from giving a schedule');
wait_for("SELECT count(*) = 1 FROM ($launcher) l WHERE pid <> $pid", 'and comes back');
make_due('killed');
has_run('killed', 3, 'and starts what is due');
is(value('SELECT count(*) FROM touched', 'trap'), 0, 'a trap is not touched');

# ---- Databases come and go ----

value('CREATE DATABASE other');
value(qq{CREATE EXTENSION lmtext; SELECT lmtext.import_model('m', '$tiny'); CREATE TABLE doc (id int PRIMARY KEY, body text);
    INSERT INTO doc VALUES (1, 'a'); SELECT lmtext.create_job('doc', 'doc', 'body', 'embed', 'm', 'v'); SELECT lmtext.attach('doc')}, 'other');
ok($node->poll_query_until('other', 'SELECT v IS NOT NULL FROM doc'), 'a database that is new is seen');
value(q{ALTER DATABASE other SET default_transaction_read_only = on; INSERT INTO doc VALUES (2, 'b')}, 'other');
ok($node->poll_query_until('other', q{SELECT count(*) = 1 FROM lmtext.job_runs WHERE sqlstate = '25006'}), 'a job that may not write there says so');
my $due_work = value(q{SELECT pg_get_functiondef('lmtext_internal.due_work'::regproc)}, 'other');
value('ALTER DATABASE other RESET default_transaction_read_only');
value(q{CREATE OR REPLACE FUNCTION lmtext_internal.due_work(naptime interval, OUT errand text, OUT role oid, OUT job text, OUT at timestamptz)
    RETURNS SETOF record LANGUAGE sql AS 'SELECT NULL, 0::oid, NULL, now() FROM pg_sleep(3600)'}, 'other');
wait_for(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'lmtext visit' AND wait_event = 'PgSleep'}, 'a visit hangs');
make_due('killed');
has_run('killed', 4, 'but is ended, and others go on');
like(slurp_file($node->logfile), qr/a visit to the database with OID \d+ takes too long/, 'as the log says');
value($due_work, 'other');
wait_for(q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'lmtext visit' AND wait_event = 'PgSleep'}, 'all is well');
is(state_of('DROP DATABASE other'), '', 'and may be dropped while the launcher looks at it');
is(state_of('DROP DATABASE trap'), '', 'as any other');

# ---- Settings ----

$node->append_conf('postgresql.conf', 'lmtext.scheduler = off');
$node->reload;
wait_for(q{SELECT current_setting('lmtext.scheduler') = 'off'}, 'the launcher is turned off');
make_due('killed');
$node->backup('base');
is(runs('killed', 'count(*)'), 4, 'and starts nothing');
$node->append_conf('postgresql.conf', 'lmtext.scheduler = on');
$node->reload;
has_run('killed', 5, 'turned on again it does');
# A visit for a job is none for alerts that were checked in this naptime.
$node->append_conf('postgresql.conf', 'lmtext.job_naptime = 1h');
$node->reload;
wait_for(q{SELECT current_setting('lmtext.job_naptime') = '1h'}, 'a long naptime');
owner(q{SELECT lmtext.create_alert('seen', 'SELECT 1 AS key', 'true')});
wait_for(q{SELECT count(*) = 1 FROM "seen@alert"}, 'an alert that is new is checked');
owner(q{DELETE FROM "seen@alert"});
make_due('killed');
has_run('killed', 6, 'a job runs');
is(value(q{SELECT count(*) FROM "seen@alert"}), 0, 'and the alert waits for its naptime');
$node->append_conf('postgresql.conf', 'lmtext.job_naptime = 1');
$node->reload;
wait_for(q{SELECT current_setting('lmtext.job_naptime') = '1s'}, 'a short one again');
make_due('killed');
wait_for(q{SELECT count(*) = 1 FROM "seen@alert"}, 'then it is checked');
owner(q{SELECT lmtext.drop_alert('seen')});
has_run('killed', 7, 'all ended');

# ---- No place for a worker ----

{
    fresh_job('filled', 40, '{"batch_size": 1}');
    owner('CREATE TRIGGER hold AFTER UPDATE ON filled FOR EACH STATEMENT EXECUTE FUNCTION hold()');
    my ($keeper, @runners) = (session());
    my $said = sub { slurp_file($node->logfile) =~ /no place for a background worker/ };
    $keeper->query('SELECT pg_advisory_lock(1)');
    # One more takes the places that a visit or a run had when the one before it came.
    while (!$said->() && @runners < 8)
    {
        push @runners, session();
        $runners[-1]->query('SET SESSION AUTHORIZATION keeper');
        begin_in($runners[-1], "CALL lmtext.run_job('filled', 60);");
        make_due('killed');
        my $left = 30;
        sleep 0.1 until $said->() || $left-- < 0;
    }
    ok($said->(), 'a launcher that finds no place for a worker says so');
    my $before = runs('killed', 'count(*)');
    make_due('killed');
    $keeper->query('SELECT pg_advisory_unlock(1)');
    like(end_in($runners[0]), qr/ended: \d+ rows done by \d workers/, 'a run by all workers ends');
    end_in($_) for @runners[1 .. $#runners];
    wait_for("SELECT count(*) > $before AND bool_and(status <> 'running') AND (SELECT next_run > now() FROM lmtext.schedules WHERE job = 'killed')
        FROM lmtext.job_runs WHERE job = 'killed'", 'and there is a place');
    $_->quit for @runners, $keeper;
}
unlike(slurp_file($node->logfile), qr/Zq9confidentialZq9/, 'no text of a row is in the log');
safe('crashes, databases, settings');

# ---- A standby ----

{
    my $standby = PostgreSQL::Test::Cluster->new('scheduled_standby');
    $standby->init_from_backup($node, 'base', has_streaming => 1);
    $standby->append_conf('postgresql.conf', 'lmtext.scheduler = on');
    $standby->start;
    adopt_node($standby);
    $node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
    use_node($node);
    value('CREATE TABLE after_that (x int)');
    my $so_far = runs('killed', 'count(*)');
    make_due('killed');
    has_run('killed', $so_far + 1, 'the primary runs what is due');
    $node->stop;
    use_node($standby);
    is(value(q{SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ 'lmtext'}), 0, 'a standby has no launcher');
    my $before = runs('killed', 'count(*)');
    $standby->promote;
    wait_for("SELECT count(*) = 1 FROM ($launcher) l", 'promoted, it has one');
    make_due('killed');
    has_run('killed', $before + 1, 'which takes up');
    $node = $standby;
}

# ---- Dump and restore ----

{
    my $file = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir()) . '/dump';
    my $port = ['-h', $node->host, '-p', $node->port];
    my $look = 'SELECT job, cron, time_zone, next_run, last_run, missed FROM lmtext.schedules ORDER BY job';
    command_ok(['pg_dump', @$port, '-Fc', '-Z', '0', '-f', $file, 'postgres'], 'dump');
    value('CREATE DATABASE restored');
    command_ok(['pg_restore', @$port, '-d', 'restored', '-j', '2', '--exit-on-error', $file], 'and restore');
    is(value($look, 'restored'), value($look), 'schedules are there');
    value(q{UPDATE lmtext.job_schedule SET next_run = now() WHERE work = '"killed@job"'::regclass}, 'restored');
    ok($node->poll_query_until('restored', q{SELECT count(*) = 1 FROM lmtext.job_runs WHERE job = 'killed' AND status = 'done'}), 'and in force');
}
done();
