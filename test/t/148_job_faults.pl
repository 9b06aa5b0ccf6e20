# 148_job_faults.pl - rows of a job that fail in several ways, what the log says of them, what statistics count of sessions and
# workers, and alerts: on a standby, and through dump and restore.
use strict;
use warnings;

use Lmtext;
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $node = start_node('faulty', streaming => 1, conf => "max_worker_processes = 6\nautovacuum = off\n");
my $secret = 'Zq9confidentialZq9';
my $texts = q{'Zq9' || 'confidential' || 'Zq9'};    # statements are in the log of a test

# What a database in SQL_ASCII takes for a text may be none.
value(q{CREATE DATABASE bytes TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'});
value(qq{CREATE EXTENSION lmtext; SELECT lmtext.import_model('m', '$tiny')}, $_) for qw(bytes postgres);

# A model whose vector of "cat" is so large that sums of it are not finite.
sub overflowing
{
    my $folder = variant($tiny, 1);
    open my $file, '+<:raw', "$folder/model.safetensors" or die "weights of $folder: $!";
    read $file, my $head, 8 + 65536;
    my $length = unpack 'Q<', $head;
    my ($rows) = substr($head, 8, $length) =~ /"embeddings.word_embeddings.weight":\{"dtype":"F32","shape":\[\d+,36\],"data_offsets":\[(\d+),/ or die 'no embeddings';
    my ($cat) = slurp_file("$folder/tokenizer.json") =~ /"cat": (\d+)/ or die 'no cat';
    seek $file, 8 + $length + $rows + $cat * 36 * 4, 0;
    print {$file} pack('f<', 3e38) x 36;
    close $file or die "weights of $folder: $!";
    return $folder;
}

# Lines of the log since a place of it.
sub log_lines
{
    my ($from) = @_;
    my @lines = split /\n/, substr(slurp_file($node->logfile), $from);
    return @lines;
}

# ---- One row in a hundred is bad: too long, invalid bytes, refused by a constraint, a vector that is not finite ----

{
    my $rows = effort(1200, 10_000, 10_000);
    my $overflowing = overflowing();
    value(<<"SQL", 'bytes');
SELECT lmtext.import_model('overflowing', '$overflowing');
CREATE TABLE doc (id int PRIMARY KEY, body text, at_once xid8, v real[], CHECK (v IS NULL OR id % 400 <> 2));
INSERT INTO doc SELECT i, $texts || ' ' || i || CASE i % 400 WHEN 0 THEN repeat(' ' || $texts, 300) WHEN 1 THEN E' \\xe4\\xff' WHEN 3 THEN ' cat' ELSE '' END
    FROM generate_series(1, $rows) i;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.at_once := pg_current_xact_id(); RETURN NEW; END';
CREATE TRIGGER note BEFORE UPDATE ON doc FOR EACH ROW EXECUTE FUNCTION note();
SELECT lmtext.create_job('nightly', 'doc', 'body', 'embed', 'overflowing', 'v', '{"on_long": "error", "retries": 0, "batch_size": 200}');
SQL
    my $from = -s $node->logfile;
    value(q{CALL lmtext.run_job('nightly')}, 'bytes');
    my @lines = log_lines($from);
    my $bad = value('SELECT count(*) FROM doc WHERE id % 400 < 4', 'bytes');
    is(value('SELECT count(v) FROM doc WHERE id % 400 >= 4', 'bytes'), $rows - $bad, 'all good rows are done');
    is(value('SELECT count(v) FROM doc WHERE id % 400 < 4', 'bytes'), 0, 'no bad one is');
    is(value(q{SELECT count(*), count(DISTINCT e.key), bool_and(e.sqlstate = (ARRAY['54000', '22021', '23514', '22P03'])[1 + d.id % 400])
        FROM lmtext.job_errors e JOIN doc d ON d.id = e.key::int}, 'bytes'), "$bad|$bad|t", 'and each is listed with its SQLSTATE');
    cmp_ok(value(q{SELECT max(n) FROM (SELECT count(DISTINCT xmin::text) AS n FROM doc WHERE v IS NOT NULL GROUP BY at_once) t}, 'bytes'), '<=', 64,
        'no transaction has more subtransactions than a snapshot has room for');
    cmp_ok(scalar(@lines), '<=', 10, 'the log says next to nothing of them') or diag(join "\n", @lines[ 0 .. 9 ]);
}

# ---- All are bad ----

{
    my $rows = effort(300, 1000, 10_000);
    value(<<"SQL");
CREATE TABLE bad AS SELECT i AS id, repeat($texts || ' ', 300) AS body FROM generate_series(1, $rows) i;
ALTER TABLE bad ADD PRIMARY KEY (id);
SELECT lmtext.create_job('bad', 'bad', 'body', 'embed', 'm', 'v', '{"on_long": "error", "retry_after": "1 day"}');
SQL
    my $from = -s $node->logfile;
    like(complaint(q{CALL lmtext.run_job('bad')}), qr/job "bad" ended: 0 rows done, $rows errors/, 'a run of bad rows ends');
    cmp_ok(scalar(log_lines($from)), '<=', 10, 'and does not fill the log');
    is(value(q{SELECT count(*) FROM lmtext.job_errors WHERE job = 'bad' AND sqlstate = '54000' AND retry_at IS NOT NULL}), $rows, 'all are listed, to be tried again');
}
unlike(slurp_file($node->logfile), qr/$secret/, 'no text of a row is in the log');
safe('bad rows');

# ---- Statistics ----

# Rows are counted where they are computed, under the role of the job: as many as there are, by any number of processes.
{
    value(q{CREATE ROLE keeper LOGIN; GRANT ALL ON SCHEMA public TO keeper; GRANT SELECT (file) ON "m@1" TO keeper});
    value(q{SET ROLE keeper; CREATE TABLE good AS SELECT i AS id, 'text ' || i AS body FROM generate_series(1, 1000) i; ALTER TABLE good ADD PRIMARY KEY (id);
        SELECT lmtext.create_job('good', 'good', 'body', 'embed', 'm', 'v', '{"batch_size": 50}')});
    my $counted = q{SELECT role, sum(rows), sum(tokens) = (SELECT sum(lmtext.count_tokens(body, 'm')) FROM good), sum(errors) FROM lmtext.stats
        WHERE function = 'embed' AND database = current_database() GROUP BY role};
    for my $workers (0, 2)
    {
        value(q{UPDATE good SET body = body || '.'; SELECT lmtext.stats_reset()});
        value("CALL lmtext.run_job('good', $workers)", 'postgres', extra_params => [ '-U', 'keeper' ]);
        is(value($counted), 'keeper|1000|t|0', "each row is counted once, with $workers workers");
    }
    value(q{SELECT lmtext.stats_reset()});
    value(q{CALL lmtext.run_job('good')}, 'postgres', extra_params => [ '-U', 'keeper' ]);
    is(value($counted), '', 'a run with nothing to do computes nothing');
}

# ---- Alerts and health: a standby, dump and restore ----

value(q{SELECT lmtext.create_alert('bad rows', 'SELECT count(*) AS key FROM bad', 'key > 0'); CALL lmtext.check_alerts()});
my $alerts = q{SELECT name, row, holds FROM lmtext.alerts};
is(value($alerts), sprintf('bad rows|{"key": %d}|t', value('SELECT count(*) FROM bad')), 'an alert that has fired');
$node->backup('base');
{
    my ($runner, $holder) = (session(), session());
    value(q{CREATE TABLE slow AS SELECT i AS id, 'text ' || i AS body FROM generate_series(1, 10) i; ALTER TABLE slow ADD PRIMARY KEY (id);
        SELECT lmtext.create_job('slow', 'slow', 'body', 'embed', 'm', 'v')});
    $holder->query('BEGIN; UPDATE slow SET body = body WHERE id = 1');
    begin_in($runner, q{CALL lmtext.run_job('slow');});
    $node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'}) or die 'nobody waits';
    my $standby = PostgreSQL::Test::Cluster->new('standby');
    $standby->init_from_backup($node, 'base', has_streaming => 1);
    $standby->start;
    adopt_node($standby);
    $node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
    is(value(q{SELECT status FROM lmtext.job_runs WHERE job = 'slow'}), 'interrupted', 'a run of the primary has no session on a standby');
    is(value(q{SELECT status FROM lmtext.health() WHERE "check" = 'jobs'}), 'pass', 'which is not a failure of the job');
    like(value(q{SELECT status || detail FROM lmtext.health() WHERE "check" = 'job_errors'}), qr/^warn.*bad/, 'what failed is seen there');
    like(value($alerts), qr/^bad rows/, 'and what an alert has said');
    like(complaint(q{CALL lmtext.check_alerts()}), qr/WARNING:  \w+: alert "bad rows" could not be checked: /, 'but it is not checked');
    use_node($node);
    $holder->query('ROLLBACK');
    like(end_in($runner), qr/ended: 10 rows done/, 'the run ends');
    $standby->stop;
    $_->quit for $runner, $holder;
}
{
    my $file = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir()) . '/dump';
    my $port = [ '-h', $node->host, '-p', $node->port ];
    command_ok([ 'pg_dump', @$port, '-Fc', '-Z', '0', '-f', $file, 'postgres' ], 'dump');
    value('CREATE DATABASE restored');
    command_ok([ 'pg_restore', @$port, '-d', 'restored', '--exit-on-error', $file ], 'and restore');
    is(value($alerts, 'restored'), value($alerts), 'an alert and what it has said are there');
    is(value(q{CALL lmtext.check_alerts(); SELECT count(*) FROM lmtext.alerts}, 'restored'), 1, 'it does not say it again');
    is(value(q{DELETE FROM bad WHERE id = 1; CALL lmtext.check_alerts(); SELECT count(*), count(*) FILTER (WHERE holds) FROM lmtext.alerts}, 'restored'), '2|1', 'but what is new');
}
safe('alerts');
done();
