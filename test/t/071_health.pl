# 071_health.pl - lmtext.health: each check passes on a healthy server, and says what is wrong on another.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $node = start_node('health', conf => "max_locks_per_transaction = 10\nlmtext.cache_size = 8MB\nhuge_pages = try\n");

sub checks
{
    my ($where, $before) = @_;
    return value(($before // '') . "SELECT string_agg(\"check\" || ' ' || status, ', ' ORDER BY \"check\") FROM lmtext.health() WHERE $where");
}

# Status and detail of a check, after other statements of the session.
sub check
{
    my ($check, $before, @options) = @_;
    my $out = value(($before // '') . "SELECT status || ': ' || detail || coalesce(' / ' || hint, '') FROM lmtext.health() WHERE \"check\" = '$check'",
        'postgres', @options);
    return (split /\n/, $out)[-1];
}

sub reload
{
    my (@settings) = @_;
    $node->append_conf('postgresql.conf', "$_\n") for @settings;
    $node->reload;
}

sub restart
{
    my (@settings) = @_;
    $node->append_conf('postgresql.conf', "$_\n") for @settings;
    $node->restart;
    expect_restart();
}

value(qq{
    CREATE EXTENSION lmtext;
    SELECT lmtext.import_model('m', '$tiny');
    SELECT lmtext.load_model('m');
    ALTER DATABASE postgres SET lmtext.embedding_model = 'm'});
value(q{SELECT lmtext.embed('a') IS NOT NULL});

# ---- A healthy server ----

is(checks(q{status <> 'pass'}), '', 'a healthy server passes every check');
is(value(q{SELECT string_agg("check", ' ') FROM lmtext.health()}),
    'library instructions shared_memory cache_size dev_shm huge_pages private_copies orphans damaged contents not_deployed '
      . 'names settings statistics errors truncated jobs job_errors stale alerts', 'of which there are these');
is(value(q{SELECT count(*) FROM lmtext.health() WHERE detail = '' OR hint IS NOT NULL}), 0, 'each says something, and gives no advice');

# ---- Library and machine ----

like(check('library', q{BEGIN; UPDATE pg_extension SET extversion = '0.0' WHERE extname = 'lmtext'; }),
    qr/^fail: .*extension of version 0\.0.* ALTER EXTENSION lmtext UPDATE/, 'an extension of another version than the library');
SKIP:
{
    skip 'the processor has one level', 1 if value('SELECT best_instruction_level FROM lmtext.device') eq 'scalar';
    like(check('instructions', 'SET lmtext.isa = scalar; '), qr/^warn: .*level scalar;.*RESET lmtext.isa/, 'a level that is capped');
}

# ---- Versions ----

{
    value(qq{SELECT lmtext.import_model('m', '@{[ variant($tiny, 1) ]}')});
    like(check('not_deployed'), qr/^warn: Versions newer than what is deployed \(1\): m\@2 .*lmtext.deploy/, 'a version that nobody deployed');
    value(q{SELECT lmtext.deploy('m', 2)});
    like(check('not_deployed'), qr/^pass/, 'an older one is kept for going back to');
    value(q{CREATE SCHEMA other; SET search_path = other, lmtext; SELECT lmtext.import_model('other.m', '} . $tiny . q{');
            ALTER TABLE other."m@1" RENAME TO renamed});
    like(check('not_deployed'), qr/^pass/, 'a version without a number is deployed under no name');
    like(check('names'), qr/^fail: Deployed versions that were dropped \(1\): other\.m\@1 .*lmtext.deploy/, 'a name that means a version that is gone');
    my $holder = session();
    say_in($holder, 'BEGIN; LOCK TABLE lmtext.model_name');
    like(check('names'), qr/^pass/, 'a table that is locked is not waited for');
    $holder->quit;
    value(q{DROP SCHEMA other CASCADE});
    like(check('names'), qr/^fail: .*other\.m\@1/, 'its schema may be gone too');
    value(q{DELETE FROM lmtext.model_name WHERE schema = 'other'; UPDATE lmtext.model_name SET deployed = NULL});
    like(check('not_deployed'), qr/^warn: .*\(2\): m\@1, m\@2 /, 'versions of which none is deployed');
    like(check('names'), qr/^pass/, 'mean nothing');
    like(check('cache_size'), qr/^pass: The deployed models need at least 0 MB/, 'and need no memory');
    like(check('settings'), qr/^fail: .*lmtext.embedding_model = 'm'/, 'nor may a default name them');
    value(q{SELECT lmtext.deploy('m', 2)});

    value(qq{SELECT lmtext.import_model('d$_', '$tiny') }) for 1 .. 7;
    value(qq{DELETE FROM "d$_\@1" WHERE file = 'manifest.json'}) for 1 .. 6;
    like(check('damaged'), qr/^fail: Manifests that cannot be read \(6\): (d\d\@1, ){5}\.\.\. .*import it again/, 'versions without a manifest');
    value(qq{DROP TABLE "d$_\@1"}) for 1 .. 6;
    value(q{DELETE FROM lmtext.model_name WHERE model IN ('d1', 'd2', 'd3', 'd4', 'd5', 'd6')});
    like(check('contents'), qr/^pass/, 'rows as they were made');
    value(q{UPDATE "d7@1" SET data = data || ' ' WHERE file = 'golden.json'});
    like(check('contents'), qr/^fail: .*\(1\): d7\@1 .*lmtext.selftest/, 'golden values that were changed by hand');
    is(value(q{SELECT ok FROM lmtext.selftest('d7') WHERE "check" = 'digest of the table''s rows'}), 'f', 'as the self-test sees it');
    value(q{UPDATE "d7@1" SET data = '[' WHERE file = 'manifest.json'});
    like(check('damaged'), qr/^fail: .*\(1\): d7\@1/, 'a manifest that is none');
    like(check('contents'), qr/^pass/, 'is not looked at further');
    $holder = session();
    say_in($holder, 'BEGIN; LOCK TABLE "d7@1"');
    like(check('damaged'), qr/^pass/, 'a version that is being changed is not waited for');
    $holder->quit;
    value(q{SELECT lmtext.drop_model('d7')});
    is(checks(q{status <> 'pass'}), '', 'all is well again');
}

# ---- Settings ----

like(check('settings', "SET lmtext.$_->[0] = '$_->[1]'; "), qr/^fail: Defaults of this session that name no model \(1\): lmtext\.$_->[0] = '\Q$_->[1]\E' /,
    "a default '$_->[1]'") for ([ embedding_model => 'gone' ], [ rerank_model => 'm@9' ], [ classification_model => 'x@y@z' ],
    [ embedding_model => 'noschema.m' ]);
like(check('settings', "SET lmtext.$_; "), qr/^pass/, "a default $_") for (q{embedding_model = ''}, q{embedding_model = 'm@1'}, q{fill_mask_model = 'public.m'});

# ---- Memory ----

{
    # Loaded by a session that has ended, and dropped by one that never used it.
    value(qq{SELECT lmtext.import_model('lost', '@{[ variant($tiny, 2) ]}')});
    value(q{SELECT lmtext.load_model('lost')});
    value(q{DROP TABLE "lost@1"});
    value(q{DELETE FROM lmtext.model_name WHERE model = 'lost'});
    like(check('orphans'), qr/^warn: 1 loaded models, of 1 MB, are of dropped versions/, 'a loaded model of a dropped version');
    value(q{CREATE ROLE plain});
    like(check('orphans', 'SET ROLE plain; '), qr/^pass/, 'which is not told to everybody');
    value(q{SELECT lmtext.unload_model('m')});
    like(check('orphans'), qr/^pass/, 'and is freed');

    reload('lmtext.cache_size = 20kB');
    $node->poll_query_until('postgres', q{LOAD 'lmtext'; SELECT current_setting('lmtext.cache_size') = '20kB'}, "LOAD\nt");
    like(check('cache_size'), qr/^warn: The deployed models need at least 1 MB; lmtext.cache_size is 1 MB\. .*Raise lmtext.cache_size/,
        'a cache that is too small, before anything is loaded');
    my $before = q{SET client_min_messages = error; SELECT lmtext.embed('a') IS NOT NULL; };
    like(check('private_copies', $before), qr/^warn: This session has 1 models of its own, of 1 MB/, 'so that a session has a copy of its own');
    like(check('cache_size', $before), qr/^warn/, 'whose size is known then');
    like(check('orphans', $before), qr/^pass/, 'and which is of a version');
    like(check('private_copies'), qr/^pass/, 'other sessions have none');
    reload('lmtext.cache_size = 8MB');
    $node->poll_query_until('postgres', q{LOAD 'lmtext'; SELECT current_setting('lmtext.cache_size') = '8MB'}, "LOAD\nt");

    # All of /dev/shm is not free: this server has some of it.
    my ($size, $free) = (split ' ', (split /\n/, qx{df -k --output=size,avail /dev/shm})[1]);
    cmp_ok($free, '<', $size, '/dev/shm is in use');
    for my $limit ($size, 2 * $size)
    {
        reload("lmtext.cache_size = ${limit}kB");
        $node->poll_query_until('postgres', qq{LOAD 'lmtext'; SELECT setting = '$limit' FROM pg_settings WHERE name = 'lmtext.cache_size'}, "LOAD\nt");
        like(check('dev_shm'), qr/^warn: \d+ MB of \d+ MB are free; models may still take \d+ MB .*--shm-size/, "/dev/shm of $size kB for $limit kB");
    }
    restart('dynamic_shared_memory_type = mmap');
    like(check('dev_shm'), qr/^pass: Loaded models do not need/, 'elsewhere than in /dev/shm there is no such bound');
    restart('dynamic_shared_memory_type = posix', 'lmtext.cache_size = 8MB', 'min_dynamic_shared_memory = 8MB');
    like(check('dev_shm'), qr/^pass: Loaded models do not need/, 'nor for memory that is reserved');
    my $main = slurp_file('/proc/' . (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0] . '/maps');
    like(check('huge_pages'), $main =~ /anon_hugepage/ ? qr/^pass: Models/ : qr/^warn: .*small pages\. .*nr_hugepages/, 'huge pages, or none, for what is reserved');
    restart('huge_pages = off');
    like(check('huge_pages'), qr/^pass: No huge pages/, 'nobody asked for them');
    is(checks(q{status <> 'pass'}), '', 'all is well again');
}

# ---- Calls ----

{
    value(q{SELECT lmtext.stats_reset()});
    like(check('statistics', 'SET lmtext.track = off; '), qr/^warn: .*lmtext.track is off/, 'calls that are not counted');
    my $failing = q{DO $$ BEGIN FOR i IN 1 .. 25 LOOP BEGIN PERFORM lmtext.embed('a', %s);
        EXCEPTION WHEN OTHERS THEN NULL; END; END LOOP; END $$; };
    value(sprintf $failing, q{'m', dimensions => 1000});
    like(check('errors'), qr/^warn: More than a tenth of the calls failed \(1\): embed with m\@2 .*log of the server/, 'calls that fail');
    value(sprintf $failing, q{'nosuch'});
    like(check('errors'), qr/^warn: .*\(2\): .*embed with no model/, 'with an unknown model as well');
    like(check('errors', 'SET ROLE plain; '), qr/^pass/, 'which others do not see');
    value(q{CREATE ROLE watcher; GRANT pg_monitor TO watcher});
    like(check('errors', 'SET ROLE watcher; '), qr/^warn: .*\(2\)/, 'but members of pg_monitor');
    value(q{SELECT count(lmtext.embed(body, 'm')) FROM (SELECT 'word ' || i AS body FROM generate_series(1, 1000) i) x});
    like(check('errors'), qr/^warn: .*\(1\): embed with no model/, 'among many that do not they are few');
    like(check('truncated'), qr/^pass/, 'short texts');
    value(q{SELECT lmtext.stats_reset(); SELECT count(lmtext.embed(repeat('word ', 2000) || i, 'm')) FROM generate_series(1, 19) i});
    like(check('truncated'), qr/^pass/, 'some long ones');
    value(q{SELECT lmtext.embed(repeat('word ', 2000), 'm') IS NOT NULL});
    like(check('truncated'), qr/^warn: .*\(1\): embed with m\@2 .*lmtext.chunk/, 'many of them');
    value(q{SELECT lmtext.stats_reset()});
}

# ---- Jobs ----

{
    value(q{CREATE TABLE texts (id int PRIMARY KEY, body text); INSERT INTO texts SELECT i, 'text ' || i FROM generate_series(1, 20) i;
        SELECT lmtext.create_job('nightly', 'texts', 'body', 'embed', 'm', 'v', '{"on_long": "error", "retries": 0}')});
    is(checks(q{"check" IN ('jobs', 'job_errors', 'stale') AND status <> 'pass'}), '', 'a job that has never run');
    value(q{CALL lmtext.run_job('nightly')});
    is(checks(q{"check" IN ('jobs', 'job_errors', 'stale') AND status <> 'pass'}), '', 'and one that has done all');

    value(q{UPDATE texts SET body = repeat('word ', 2000) WHERE id = 7; CALL lmtext.run_job('nightly')});
    like(check('job_errors'), qr/^warn: Jobs with rows that failed \(1\): nightly .*lmtext.retry_errors/, 'a row that failed');
    like(check('jobs'), qr/^pass/, 'does not fail the run');
    value(q{CALL lmtext.run_job('nightly')});
    like(check('job_errors'), qr/^warn/, 'and stays after a run that has nothing to do');
    like(check('job_errors', 'SET ROLE plain; '), qr/^pass/, 'others are told nothing');
    like(check('job_errors', 'SET ROLE watcher; '), qr/^warn: .*nightly/, 'but members of pg_monitor, who may not read the table');
    my $holder = session();
    say_in($holder, 'BEGIN; LOCK TABLE "nightly@job"');
    like(check('job_errors'), qr/^pass/, 'a table that is locked is not waited for');
    say_in($holder, 'ROLLBACK; BEGIN; LOCK TABLE lmtext.job_run');
    like(check('job_errors'), qr/^pass/, 'nor is the history');
    say_in($holder, 'ROLLBACK; BEGIN; LOCK TABLE lmtext.job');
    like(check('job_errors'), qr/^pass/, 'nor the list of jobs');
    say_in($holder, q{ROLLBACK; BEGIN; REINDEX INDEX "nightly@job_position_idx1"});
    like(check('job_errors'), qr/^pass/, 'nor an index');
    say_in($holder, 'ROLLBACK');
    $holder->quit;
    value(q{UPDATE texts SET body = 'short' WHERE id = 7; CALL lmtext.run_job('nightly')});
    like(check('job_errors'), qr/^pass/, 'a text that can be done mends it');
    # Whoever owns the table of a job may index it, and nobody who looks runs what the index says.
    value(q{CREATE FUNCTION loud(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN $1; END';
        CREATE INDEX of_others ON "nightly@job" (position) WHERE loud('x') IS NOT NULL;
        CREATE INDEX of_all ON "nightly@job" (position) WHERE position IS NOT NULL;
        CREATE INDEX of_none ON "nightly@job" (position) WHERE sqlstate IS NULL;
        CREATE INDEX in_blocks ON "nightly@job" USING brin (position) WHERE sqlstate IS NOT NULL;
        CREATE OR REPLACE FUNCTION loud(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''loud''; END'});
    like(check('job_errors'), qr/^pass/, 'further indexes on its table are not read');
    value('DROP INDEX of_others, of_all, of_none, in_blocks');

    value(q{SELECT lmtext.deploy('m', 1)});
    like(check('stale'), qr/^warn: Jobs that have left rows to be done \(1\): nightly \(not with m\@1\) .*lmtext.run_job/, 'another version');
    like(check('stale', 'SET ROLE plain; '), qr/^pass/, 'of which others are not told');
    value(q{CALL lmtext.run_job('nightly')});
    like(check('stale'), qr/^pass/, 'is done by a run');
    value(q{SELECT lmtext.deploy('m', 2); CALL lmtext.run_job('nightly'); UPDATE texts SET body = body || '!'});
    $holder = session();
    say_in($holder, 'BEGIN; UPDATE texts SET body = body WHERE id = 20');
    my $runner = session();
    my $pid = begin_in($runner, q{CALL lmtext.run_job('nightly');});
    $node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'}) or die 'nobody waits';
    is(checks(q{"check" IN ('jobs', 'stale') AND status <> 'pass'}), '', 'a run that goes on');
    value("SELECT pg_cancel_backend($pid)");
    like(end_in($runner), qr/57014/, 'is cancelled');
    like(check('stale'), qr/^warn: .*nightly \(cancelled\)/, 'and leaves rows');
    for my $early (qw(stopped skipped paused))
    {
        value("UPDATE lmtext.job_run SET status = '$early' WHERE id = (SELECT max(id) FROM lmtext.job_run)");
        like(check('stale'), qr/^warn: .*nightly \($early\)/, "as one that was $early");
    }
    $pid = begin_in($runner, q{CALL lmtext.run_job('nightly');});
    $node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'}) or die 'nobody waits';
    value("SELECT pg_terminate_backend($pid)");
    ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'a session that is ended');
    eval { $runner->quit };
    like(check('jobs'), qr/^fail: Jobs whose last run failed \(1\): nightly \(interrupted\) .*lmtext.job_runs/, 'interrupts its run');
    $holder->quit;
    value(q{ALTER TABLE texts RENAME v TO w});
    is(state_of(q{CALL lmtext.run_job('nightly')}), '42703', 'a run that fails');
    like(check('jobs'), qr/^fail: .*nightly \(42703\)/, 'tells why');
    like(check('jobs', 'SET ROLE plain; '), qr/^pass/, 'not to everybody');
    value(q{ALTER TABLE texts RENAME w TO v; CALL lmtext.run_job('nightly')});
    is(checks(q{"check" IN ('jobs', 'job_errors', 'stale') AND status <> 'pass'}), '', 'all is well again');
    value(q{DROP INDEX "nightly@job_position_idx1"});
    like(check('job_errors'), qr/^pass/, 'a table of work that was changed by hand');
    value(q{DROP TABLE "nightly@job"});
    is(checks(q{"check" IN ('jobs', 'job_errors', 'stale') AND status <> 'pass'}), '', 'and one that is gone');
}

# ---- Alerts ----

{
    like(check('alerts'), qr/^pass/, 'no alert');
    value(q{CREATE TABLE level (v int); SELECT lmtext.create_alert('high', 'SELECT v FROM level', 'v > 5')});
    value(q{INSERT INTO level VALUES (7)});
    like(check('alerts'), qr/^pass/, 'nothing is checked anew');
    value('CALL lmtext.check_alerts()');
    like(check('alerts'), qr/^warn: Alerts whose condition held at the last check \(1\): high .*lmtext.check_alerts/, 'an alert that holds');
    like(check('alerts', 'SET ROLE plain; '), qr/^pass/, 'others are told nothing');
    like(check('alerts', 'SET ROLE watcher; '), qr/^warn: .*high/, 'but members of pg_monitor');
    my $holder = session();
    say_in($holder, 'BEGIN; LOCK TABLE "high@alert"');
    like(check('alerts'), qr/^pass/, 'a list that is locked is not waited for');
    say_in($holder, 'ROLLBACK; BEGIN; LOCK TABLE lmtext.alert');
    like(check('alerts'), qr/^pass/, 'nor the list of alerts');
    say_in($holder, 'ROLLBACK');
    $holder->quit;
    value('UPDATE level SET v = 1; CALL lmtext.check_alerts()');
    like(check('alerts'), qr/^pass/, 'is over at the next check');
    value('UPDATE level SET v = 9; CALL lmtext.check_alerts(); ALTER TABLE "high@alert" DROP COLUMN holds');
    like(check('alerts'), qr/^pass/, 'a list that was changed by hand');
    value('DROP TABLE "high@alert", level');
    like(check('alerts'), qr/^pass/, 'and one that is gone');
}

# ---- Who sees what ----

{
    value(qq{SELECT lmtext.import_model('m', '@{[ variant($tiny, 3) ]}'); CREATE TABLE "locked\@1" OF lmtext.model_part});
    like(check('not_deployed'), qr/\(2\)/, 'two versions that nobody deployed') or diag(check('not_deployed'));
    like(check('not_deployed', 'SET ROLE watcher; '), qr/\(2\)/, 'of which a monitor is told');
    like(check('not_deployed', 'SET ROLE plain; '), qr/^pass/, 'and others who may use neither are not');
    value(q{SELECT lmtext.grant_model('m@3', 'plain')});
    like(check('not_deployed', 'SET ROLE plain; '), qr/^warn: .*\(1\): m\@3/, 'those who may use one are');
    safe('after looks of all roles');
}

done();
