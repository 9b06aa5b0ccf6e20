# 040_cancel.pl - every function that can compute for long stops when it is asked to.
use strict;
use warnings;

use Lmtext;

my $node = start_node('cancel');
$node->safe_psql('postgres', <<SQL);
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('minilm', '$real');
ALTER DATABASE postgres SET lmtext.embedding_model = 'minilm';
ALTER DATABASE postgres SET max_parallel_workers_per_gather = 0;
CALL lmtext.train('parity', 'SELECT ''number '' || i, (i % 2)::text FROM generate_series(1, 40) i',
    '{"base": "minilm"}');
CREATE TABLE huge AS SELECT repeat('some word, and others. ', 4500000) AS body;
CREATE TABLE texts AS SELECT repeat('word ', 200) || i AS body FROM generate_series(1, 2000) i;
CREATE TABLE titles AS SELECT 'title number ' || i AS body FROM generate_series(1, 20000) i;
CREATE TABLE tokens AS SELECT array_fill(2023, '{5000000}'::int[]) AS ids;
SQL

# Each would take many seconds.
my @statements = (
    [ 'embed', 'SELECT count(lmtext.embed(body)) FROM texts' ],
    [ 'embed in batches', 'SELECT lmtext.embed(body) FROM titles' ],
    [ 'embed of an array', 'SELECT lmtext.embed(array_agg(body)) FROM texts' ],
    [ 'embed of windows', 'SET lmtext.on_long = mean; SELECT lmtext.embed(body) FROM huge' ],
    [ 'similarity', q{SELECT count(lmtext.similarity(body, 'a')) FROM texts} ],
    [ 'classify', q{SELECT lmtext.classify(array_agg(body), 'parity') FROM texts} ],
    [ 'count_tokens', 'SELECT lmtext.count_tokens(ARRAY[body, body, body, body, body, body, body, body]) FROM huge' ],
    [ 'token_ids', 'SELECT cardinality(lmtext.token_ids(body)) FROM huge, generate_series(1, 30)' ],
    [ 'tokenize', 'SELECT cardinality(lmtext.tokenize(body)) FROM huge, generate_series(1, 30)' ],
    [ 'tokens', 'SELECT count(*) FROM huge, lmtext.tokens(body)' ],
    [ 'chunk', 'SELECT count(*) FROM huge, lmtext.chunk(body)' ],
    [ 'detokenize', 'SELECT length(lmtext.detokenize(ids)) FROM tokens, generate_series(1, 100)' ],
    [ 'f1 of many labels', 'SELECT lmtext.f1(i::numeric, i + 1) FROM generate_series(1, 10000000) i' ],
    [
        'classification_report',
        q{SELECT count(*) FROM lmtext.classification_report(
            'SELECT i::text, (i + 1)::text FROM generate_series(1, 10000000) i')}
    ],
);

for my $row (@statements)
{
    my ($what, $statement) = @$row;
    my ($status, $out, $err) = $node->psql('postgres',
        "SELECT lmtext.embed('load') IS NOT NULL; SET statement_timeout = 400; $statement;
        SET statement_timeout = 0; SELECT 'computed ' || pg_read_file('/proc/self/schedstat')",
        on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
    like($err, qr/ERROR:  57014/, "$what is cancelled");
    # The law is 100 ms, which a benchmark measures. Others compute beside this one, so what counts is the processor's time.
    my ($nanoseconds) = $out =~ /computed (\d+)/;
    cmp_ok($nanoseconds / 1e9, '<', 4, "$what ends soon");
}

# What interrupts a computation without ending it is served, and the computation goes on.
my $session = session();
my $pid = begin_in($session, q{SELECT 'computed', count(lmtext.embed(body)) FROM (SELECT body FROM texts LIMIT 200) t;});
wait_for("SELECT state = 'active' FROM pg_stat_activity WHERE pid = $pid", 'a session computes');
value("SELECT pg_log_backend_memory_contexts($pid)");
like(end_in($session), qr/computed\|200/, 'it computes on');
like(slurp_file($node->logfile), qr/logging memory contexts of PID $pid/, 'and has written what it was asked to');
$session->quit;
done();
