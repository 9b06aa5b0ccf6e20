# 142_pipelines.pl - jobs that follow others, in this session and in workers, cancelled and failing; jobs of several targets; what a
# dump of a database, of a table alone and of a job's tables by name gives back.
use strict;
use warnings;

use Lmtext;
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $node = start_node('pipelines', conf => "max_worker_processes = 6\nautovacuum = off\n");
my $models = "$ENV{LMTEXT_SOURCE_DIR}/models/tiny";

sub import_models
{
    value(<<"SQL", $_[0]);
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('m', '$models/bert'), lmtext.import_model('mood', '$models/bert-sequence');
SQL
    return;
}
import_models('postgres');
value(<<'SQL');
CREATE TABLE doc (id int PRIMARY KEY, title text, body text, times int NOT NULL DEFAULT 0);
INSERT INTO doc SELECT i, 'title ' || i % 9, 'text ' || i FROM generate_series(1, 400) i;
CREATE TABLE said (job text, run bigint, pid int DEFAULT pg_backend_pid());
CREATE PROCEDURE tell(job text, run bigint) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO said VALUES (job, run);
    CASE current_setting('test.behind', true)
        WHEN 'commit' THEN COMMIT;
        WHEN 'fail' THEN RAISE EXCEPTION 'no' USING ERRCODE = 'P0007';
        WHEN 'wait' THEN PERFORM pg_advisory_xact_lock(1);
        ELSE NULL;
    END CASE;
END $$;
SELECT lmtext.create_job('a', 'doc', NULL, 'embed', 'm', 'v',
    '{"text": "title || '': '' || body", "also": [{"task": "classify", "model": "mood", "target": "label"}], "then": "tell", "batch_size": 50}');
SELECT lmtext.create_job('b', 'doc', 'label', 'embed', 'm', 'label_v', '{"after": "a"}');
SELECT lmtext.create_job('c', 'doc', 'title', 'classify', 'mood', 'title_label', '{"after": "b", "then": "tell"}');
CREATE FUNCTION times() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.times := OLD.times + 1; RETURN NEW; END';
CREATE TRIGGER times BEFORE UPDATE OF v ON doc FOR EACH ROW EXECUTE FUNCTION times();
SQL

sub last_runs
{
    return value('SELECT r.job, r.status, r.done, r.sqlstate FROM (SELECT * FROM lmtext.job_runs ORDER BY run DESC LIMIT 3) r ORDER BY r.run');
}

my $listener;

# What the listener has been told since it was asked last.
sub heard { return $listener->query('SELECT 1') =~ /\{[^{}]*\}/g; }

# ---- A chain, in workers; who listens hears of each ----

my $session = session();
$listener = session();
$listener->query('LISTEN lmtext');
like(complaint("CALL lmtext.run_job('a', 2)"),
    qr/job "a" ended: 400 rows done by 2 workers, 0 errors\n.*job "b" ended: 400 rows done by 2 workers.*job "c" ended: 400 rows done by 2 workers/s, 'workers do a chain');
is(last_runs(), "a|done|400|\nb|done|400|\nc|done|400|", 'and each run is seen');
is(value(q{SELECT count(*) FILTER (WHERE times = 1), count(*) FILTER (WHERE v = lmtext.embed(title || ': ' || body, 'm')),
        count(*) FILTER (WHERE label = lmtext.classify(title || ': ' || body, 'mood')), count(*) FILTER (WHERE label_v = lmtext.embed(label, 'm')) FROM doc}),
    '400|400|400|400', 'all targets are written at once, and what follows sees them');
is(value(q{SELECT count(DISTINCT s.pid) FROM said s JOIN lmtext.job_runs r ON r.run = s.run AND r.job = s.job AND r.pid = s.pid}), 1,
    'procedures are called by the session that waits');
is(join(' ', map { (/"name": "(\w)"/, /"event": "(\w+)"/) } heard()), 'a start a end b start b end c start c end', 'who listens hears of each');
safe('a chain');

# ---- What ends early ----

for my $workers (0, 1)
{
    value("UPDATE doc SET body = 'other $workers' WHERE id = 1");
    like(complaint("SET test.behind = 'fail'; CALL lmtext.run_job('a', $workers)"),
        qr/ERROR:  P0007: no\nDETAIL:  Procedure public\.tell failed at the end of job "a", whose 1 rows are done\./, "a procedure that fails ($workers workers)");
    is(last_runs(), "a|failed|1|P0007\nb|skipped|0|\nc|skipped|0|", 'is an error of the run, and nothing follows');
    is(value("SELECT count(*) FROM lmtext.stale('a')"), 0, 'but the rows are done');
}
my @heard = heard();
is(scalar(grep { /"event": "failure"/ && /"name": "a"/ } @heard), 2, 'who listens hears of failures');
is(scalar(grep { /"event": "skipped"/ && /"name": "[bc]"/ } @heard), 4, 'and of what is left out');
is(state_of("SET test.behind = 'commit'; CALL lmtext.run_job('a')"), '2D000', 'a procedure cannot commit');
is(value("SELECT count(*) FROM said"), 2, 'and what failed has left nothing');
{
    my $holder = session();
    $holder->query('SELECT pg_advisory_lock(1)');
    my $pid = begin_in($session, "SET test.behind = 'wait'; CALL lmtext.run_job('a');");
    $node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory'}) or die 'nobody waits';
    value("SELECT pg_cancel_backend($pid)");
    like(end_in($session), qr/ERROR:  57014: /, 'a procedure that is cancelled');
    is(last_runs(), "a|cancelled|0|57014\nb|skipped|0|\nc|skipped|0|", 'cancels the run');
    $_->quit for $holder, $session, $listener;
}
safe('early ends');

# ---- Dump and restore ----

my $port = ['-h', $node->host, '-p', $node->port];
my $folder = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir());

# A dump of some tables, or of all, in another database, which has the models if the dump has not.
sub restored
{
    my ($name, @tables) = @_;
    command_ok([ 'pg_dump', @$port, '-f', "$folder/$name.sql", (map { ('-t', $_) } @tables), 'postgres' ], "$name: dump");
    value("CREATE DATABASE $name");
    import_models($name) if @tables;
    value('CREATE PROCEDURE tell(job text, run bigint) LANGUAGE plpgsql AS $$ BEGIN END $$; CREATE FUNCTION times() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$', $name)
        if @tables;
    command_ok([ 'psql', @$port, '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $name, '-f', "$folder/$name.sql" ], "$name: and restore");
    return;
}
my @again = (q{SELECT lmtext.create_job('a', 'doc', NULL, 'embed', 'm', 'v',
    '{"text": "title || '': '' || body", "also": [{"task": "classify", "model": "mood", "target": "label"}], "then": "tell"}')}, "SELECT lmtext.attach('a')");
value("CALL lmtext.run_job('a'); SELECT lmtext.attach('a')");
value("CALL lmtext.run_job('a'); UPDATE doc SET title = 'changed' WHERE id = 3");

restored('whole');
my $look = 'SELECT name, text_column, options, attached FROM lmtext.jobs ORDER BY name';
is(value($look, 'whole'), value($look), 'jobs are there, with their texts, targets and order');
is(value("SELECT key FROM lmtext.stale('a')", 'whole'), 3, 'and what they have done');
value("UPDATE doc SET title = 'changed' WHERE id = 4; CALL lmtext.run_job('a')", 'whole');
is(value('SELECT job, status, done FROM lmtext.job_runs ORDER BY run', 'whole'), "a|done|2|\nb|done|0|\nc|done|2|" =~ s/\|$//gmr, 'they run on');

restored('alone', 'doc');
is(state_of("UPDATE doc SET title = 'x' WHERE id = 5", 'alone'), '55000', 'a table that was attached says that its job is not there');
like(complaint("UPDATE doc SET title = 'x' WHERE id = 5", 'alone'), qr/the queue "a\@queue" of a job is gone.*HINT:  DROP TRIGGER "a\@u" ON public\.doc;/s, 'and what helps');
value($_, 'alone') for @again;
value("UPDATE doc SET title = 'x' WHERE id = 5; CALL lmtext.run_job('a')", 'alone');
is(value('SELECT status, done FROM lmtext.job_runs', 'alone'), 'done|400', 'with the job again all is done');

restored('named', 'doc', 'a@*');
is(value('SELECT count(*) FROM lmtext.jobs', 'named'), 0, 'tables of a job are no job');
value($_, 'named') for @again;
is(value("SELECT key FROM lmtext.stale('a')", 'named'), 3, 'but the job that is made again takes them up');
value("UPDATE doc SET title = 'x' WHERE id = 5; CALL lmtext.run_job('a')", 'named');
is(value('SELECT status, done FROM lmtext.job_runs', 'named'), 'done|2', 'and does what is new');
is(value(q{SELECT count(*) FROM doc WHERE v = lmtext.embed(title || ': ' || body, 'm')}, 'named'), 400, 'all is right');
done();
