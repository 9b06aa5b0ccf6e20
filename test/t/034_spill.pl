# 034_spill.pl - what a training keeps of its rows in temporary files, and workers that embed: the same bits, what becomes of both on
# errors, cancels and kills, and that nothing is left behind.
use strict;
use warnings;

use Lmtext;

my $node = start_node('spill', conf => "max_worker_processes = 8\ntemp_tablespaces = ''\n");

# Vectors of 36 dimensions: 12,000 of them are 1.7 MB, and n-grams of these texts more.
value(<<"SQL");
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('tiny', '$tiny', '{"task": "embedding"}');
ALTER DATABASE postgres SET lmtext.embedding_model = 'tiny';
CREATE TABLE doc AS
    SELECT i AS id, (ARRAY['good fine nice', 'bad awful poor', 'so so plain'])[1 + i % 3] || ' word' || (i % 17) || ' ' || i AS body,
           (ARRAY['pos', 'neg', 'mid'])[1 + i % 3] AS label, (i % 7)::float8 AS number
    FROM generate_series(1, 12000) i;
CREATE TABLE stored AS SELECT id, ARRAY(SELECT (hashint4(id * 36 + d) % 1000 / 1000.0 + (d % 3 = id % 3)::int)::real
                                        FROM generate_series(1, 36) d) AS v, body, label, number FROM doc;
SQL

my $small = q{SET maintenance_work_mem = '1MB'};
my $workers = q{FROM pg_stat_activity WHERE backend_type = 'parallel worker'};

sub bytes_of
{
    my ($version) = @_;
    return value(qq{SELECT md5(string_agg(data, ''::bytea ORDER BY file, part)) FROM "$version" WHERE file ~ 'tensors'});
}

sub nothing_left
{
    my ($what) = @_;
    wait_for("SELECT count(*) = 0 $workers", "$what: no worker is left");
    is(value('SELECT count(*) FROM pg_ls_tmpdir()'), 0, "$what: no file is left");
    return;
}

sub spilled
{
    return value('SELECT pg_stat_force_next_flush(); SELECT temp_files FROM pg_stat_database WHERE datname = current_database()');
}

# ---- The same bits in memory and in files ----

my %of = (
    linear => [ 'v, label', '"max_steps": 5, "folds": 2, "calibrate": true' ],
    prototype => [ 'v, label', '"method": "prototype"' ],
    knn => [ 'v, label', '"method": "knn"' ],
    combined => [ 'body, label, v', '"method": "combined"' ],
    contrastive => [ 'v, label', '"method": "contrastive"' ],
    ngram => [ 'body, label', '"method": "ngram"' ],
    regression => [ 'v, number', '"task": "regression"' ]);

for my $name (sort keys %of)
{
    my ($columns, $options) = @{ $of{$name} };
    my $of = $name eq 'contrastive' ? 'WHERE id <= 3000' : '';
    my $call = sub { qq{CALL lmtext.train('${name}_$_[0]', 'SELECT $columns FROM stored $of ORDER BY id', '{$options}')} };
    my $files = spilled();
    value($call->('memory'));
    is(spilled(), $files, "$name: 64 MB are enough");
    value("$small; " . $call->('files'));
    cmp_ok(spilled(), '>', $files, "$name: 1 MB is not");
    is(bytes_of("${name}_files\@1"), bytes_of("${name}_memory\@1"), "$name: the same bits");
}
my $space = q{'{"l2": [0.1, 0.01], "max_steps": 5}', 2};
value("CALL lmtext.tune('tuned_memory', 'SELECT v, label FROM stored ORDER BY id', $space)");
my $before = spilled();
value("$small; CALL lmtext.tune('tuned_files', 'SELECT v, label FROM stored ORDER BY id', $space)");
cmp_ok(spilled(), '>', $before + 2, 'tune: its rows, and those of each trial');
is(bytes_of('tuned_files@1'), bytes_of('tuned_memory@1'), 'tune: the same bits');

# Sets, numbers and texts of a search for options, from a file as well.
my $sets = q{SELECT body, ARRAY[label, label || label] FROM stored ORDER BY id};
for my $memory (64, 1)
{
    value("SET maintenance_work_mem = '${memory}MB'; CALL lmtext.tune('sets_$memory', '$sets',
        '{\"task\": \"multi_label\", \"method\": \"ngram\", \"l2\": [1, 10]}', 2);
        CALL lmtext.tune('numbers_$memory', 'SELECT body, number FROM stored ORDER BY id', '{\"task\": \"regression\", \"method\": \"ngram\", \"l2\": [1, 10]}', 2)");
}
is(bytes_of("${_}_1\@1"), bytes_of("${_}_64\@1"), "tune: $_") for qw(sets numbers);

my $clusters = q{SELECT md5(string_agg(c::text, '' ORDER BY c::text)) FROM lmtext.cluster('SELECT id, v FROM stored ORDER BY id', 3, '{"iterations": 3}') c};
is(value("$small; $clusters"), value($clusters), 'clusters');
nothing_left('behind trainings');

# ---- Errors ----

my $long = q{CALL lmtext.train('long', 'SELECT v, label FROM stored, generate_series(1, 40)', '{"max_steps": 100000, "l2": 1e-9}')};
is(state_of("$small; SET temp_file_limit = '1MB'; $long"), '53400', 'temp_file_limit');
nothing_left('behind the limit');
like(complaint(qq{$small; SET temp_file_limit = '1MB'; DO \$\$ BEGIN CALL lmtext.train('x', 'SELECT v, label FROM stored');
    EXCEPTION WHEN configuration_limit_exceeded THEN RAISE NOTICE 'caught: %', (SELECT count(*) FROM pg_ls_tmpdir()); END \$\$}), qr/caught: 0/, 'a block that catches it');

my $session = session();
say_in($session, "$small;");
my $pid = begin_in($session, "$long;");
wait_for(q{SELECT phase = 'training' FROM lmtext.train_runs WHERE model = 'long' ORDER BY run DESC LIMIT 1}, 'it computes');
cmp_ok(value('SELECT count(*) FROM pg_ls_tmpdir()'), '>', 0, 'with a file');
value("SELECT pg_cancel_backend($pid)");
like(end_in($session), qr/57014/, 'it is cancelled');
nothing_left('behind a cancel');

# ---- Workers ----

my @embedding = map { qq{CALL lmtext.train('text_$_', 'SELECT body, label FROM doc ORDER BY id', '{"max_steps": 5, "workers": $_}')} } 0 .. 2;
value($_) for @embedding;
is(bytes_of("text_$_\@1"), bytes_of('text_0@1'), "$_ workers: the same bits") for 1, 2;
value('SET max_parallel_workers = 0; ' . ($embedding[2] =~ s/text_2/text_alone/r));
is(bytes_of('text_alone@1'), bytes_of('text_0@1'), 'none is free: the same bits');
value('SELECT lmtext.stats_reset()');
value($embedding[2]);
is(value(q{SELECT calls, rows FROM lmtext.stats WHERE function = 'train' AND rows > 0}), '1|12000', 'what workers embed counts for the call');
# Of auto, whose rounds embed together: with time for all of them the same bits, too.
value(qq{CALL lmtext.train('auto_$_', 'SELECT body, label FROM doc WHERE id <= 600', '{"method": "auto", "time_budget": 100000, "workers": $_}')}) for 0, 2;
is(bytes_of('auto_2@1'), bytes_of('auto_0@1'), 'auto: the same bits');
is(value(q{SELECT metrics ->> 'embedded_rows' FROM lmtext.models WHERE name = 'auto_2'}), 600, 'auto: all rows');
is(value(q{SELECT md5(string_agg(p::text, '' ORDER BY p::text)) FROM lmtext.project('SELECT id, body FROM doc ORDER BY id', 'pca', '{"workers": 2}') p}),
    value(q{SELECT md5(string_agg(p::text, '' ORDER BY p::text)) FROM lmtext.project('SELECT id, body FROM doc ORDER BY id', 'pca') p}), 'project');
is(state_of($embedding[0] =~ s/"workers": 0/"workers": 33/r), '22023', 'too many');
is(state_of(q{CALL lmtext.train('x', 'SELECT body, label FROM doc', '{"method": "ngram", "workers": 1}')}), '22023', 'not where nothing is embedded');

# A version that nobody else sees yet, with the rights of a role that is not the session's.
value(<<"SQL");
CREATE ROLE trainer;
GRANT CREATE ON SCHEMA public TO trainer;
GRANT SELECT ON doc TO trainer;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA lmtext TO trainer;
GRANT pg_read_server_files TO trainer;
BEGIN;
SET ROLE trainer;
SELECT lmtext.import_model('own', '$tiny', '{"task": "embedding"}');
CALL lmtext.train('of_own', 'SELECT body, label FROM doc ORDER BY id', '{"base": "own", "max_steps": 5, "workers": 2}');
COMMIT;
SQL
is(bytes_of('of_own@1'), bytes_of('text_0@1'), 'a version that is not committed');

# The query may do between batches what is not allowed in a parallel operation.
value(q{CREATE FUNCTION guarded(t text) RETURNS text LANGUAGE plpgsql AS 'BEGIN RETURN t; EXCEPTION WHEN division_by_zero THEN RETURN NULL; END'});
value(q{CALL lmtext.train('guarded', 'SELECT guarded(body), label FROM doc ORDER BY id', '{"max_steps": 5, "workers": 2}')});
is(bytes_of('guarded@1'), bytes_of('text_0@1'), 'a query with subtransactions');

# An error of a text is one of the training, whoever embeds it.
value(q{INSERT INTO doc VALUES (11990, repeat('word ', 5000), 'pos')});
is(state_of(q{SET lmtext.on_long = error; } . $embedding[2]), '54000', 'a text that is too long');
nothing_left('behind an error');

my $endless = q{CALL lmtext.train('endless', 'SELECT repeat(body || '' '', 40), label FROM doc, generate_series(1, 1000)', '{"batch_rows": 65536, "workers": 2}')};
for my $way ([ 'pg_cancel_backend', qr/57014/ ], [ 'pg_terminate_backend', qr/57P01/ ])
{
    $pid = begin_in($session, "$endless;");
    wait_for("SELECT count(*) > 0 $workers AND leader_pid = $pid", 'workers embed');
    my $helper = value("SELECT coalesce((SELECT min(pid) $workers AND leader_pid = $pid), 0)");
    value("SELECT $way->[0]($helper)");
    like(end_in($session), $way->[1], "$way->[0] of a worker ends the training");
    nothing_left("behind $way->[0] of a worker");
}
$pid = begin_in($session, "$endless;");
wait_for("SELECT count(*) > 0 $workers AND leader_pid = $pid", 'workers embed');
value("SELECT pg_cancel_backend($pid)");
like(end_in($session), qr/57014/, 'it is cancelled');
nothing_left('behind a cancel');

# Texts of auto wait in a file of their own, which goes with the training, too.
my $waiting = $endless =~ s/"batch_rows": 65536/"method": "auto"/r;
my $little = q{SET work_mem = '64kB'; SET maintenance_work_mem = '1GB'};
say_in($session, "$little;");
$pid = begin_in($session, "$waiting;");
wait_for('SELECT count(*) > 0 FROM pg_ls_tmpdir()', 'texts of auto wait in a file');
value("SELECT pg_cancel_backend($pid)");
like(end_in($session), qr/57014/, 'it is cancelled');
nothing_left('behind a cancel of auto');
is(state_of("$little; SET temp_file_limit = '1MB'; $waiting"), '53400', 'temp_file_limit holds for texts');
nothing_left('behind the limit of texts');
say_in($session, "$small;");

# ---- A crash ----

$pid = begin_in($session, "$long;");
wait_for(q{SELECT phase = 'training' FROM lmtext.train_runs WHERE model = 'long' ORDER BY run DESC LIMIT 1}, 'it computes once more');
crash($pid, 'the server restarts behind a kill');
eval { $session->quit };
expect_restart();
nothing_left('behind a kill');

done();
