# 120_interrupts.pl - cancels at random moments of everything that can take long: how long they take to be
# obeyed, that none hits a later statement, and that signals of other kinds harm nothing.
#
# Latency is measured in the server, by two sessions: one runs the statement again and again and catches
# query_canceled, the other cancels it at random moments. What is judged is the processor time that the
# statement used after the cancel (/proc/PID/schedstat), which does not depend on what else the machine
# is doing; wall time is noted, and judged where a statement waits and with long loops.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);

my $node = start_node('interrupts', conf => "max_connections = 40\nautovacuum = off\n");
my $rounds = effort(8, 25, 500);

value(<<SQL);
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('minilm', '$real'), lmtext.import_model('ner', '$tiny-token'),
    lmtext.import_model('masks', '$tiny-mask', '{"task": "fill_mask"}'), lmtext.import_model('splade', '$tiny-splade'), lmtext.import_model('static', '$tiny/../static-model2vec'),
    lmtext.import_model('colbert', '$tiny-late'), lmtext.import_model('weights', '$tiny/../sparse-static');
ALTER DATABASE postgres SET lmtext.embedding_model = 'minilm';
SET lmtext.embedding_model = 'minilm';
ALTER DATABASE postgres SET max_parallel_workers_per_gather = 0;
ALTER DATABASE postgres SET client_min_messages = warning;
-- Made anew for each row: a stored one PostgreSQL would decompress in one piece, some 0.13 s that no cancel ends.
CREATE TABLE unit AS SELECT 'some word, and others. ' AS body, 4500000 AS times;
CREATE VIEW huge AS SELECT repeat(body, times) AS body FROM unit;
CREATE TABLE texts AS SELECT repeat('word ', 200) || i AS body FROM generate_series(1, 2000) i;
CREATE TABLE labelled AS SELECT 'number ' || i AS body, (i % 40)::text AS label FROM generate_series(1, 600) i;
CREATE TABLE vectors AS SELECT lmtext.embed(body) AS embedding, label FROM labelled, generate_series(1, 5);
CALL lmtext.train('head', 'SELECT body, label FROM labelled', '{"base": "minilm", "hold_out": 0}');
CREATE TABLE token_vectors AS SELECT array_agg(x) AS v FROM (SELECT (SELECT array_agg(e) FROM unnest(v[i:i]) e) AS x
    FROM (SELECT lmtext.token_vectors(repeat('word ', 30), 'colbert') AS v OFFSET 0) t, generate_series(1, 10) i, generate_series(1, 2000)) r;
CREATE TABLE scanned (id int PRIMARY KEY, body text);
INSERT INTO scanned SELECT i, 'number ' || i FROM generate_series(1, 300000) i;
SELECT lmtext.create_job('scanned', 'scanned', 'body', 'embed', 'static', 'v');
CREATE SEQUENCE round;
CREATE TABLE obeyed (what text, round int, at timestamptz, cpu bigint);
CREATE TABLE asked (what text, round int, at timestamptz, cpu bigint);
CREATE FUNCTION cpu_ns(process text) RETURNS bigint LANGUAGE sql VOLATILE AS
    \$\$ SELECT split_part(pg_read_file('/proc/' || process || '/schedstat'), ' ', 1)::bigint \$\$;
-- Runs a statement until it has been cancelled so many times.
CREATE PROCEDURE endure(what text, statement text, rounds int) LANGUAGE plpgsql AS \$\$
BEGIN
    FOR i IN 1 .. rounds LOOP
        BEGIN
            PERFORM setval('round', i);
            LOOP
                EXECUTE statement;
            END LOOP;
        EXCEPTION WHEN query_canceled THEN
            INSERT INTO obeyed VALUES (what, i, clock_timestamp(), cpu_ns('self'));
        END;
    END LOOP;
END \$\$;
-- Cancels each round at a random moment of its first `span` seconds.
CREATE PROCEDURE disturb(what text, process int, rounds int, span float8) LANGUAGE plpgsql AS \$\$
DECLARE
    before bigint;
BEGIN
    FOR i IN 1 .. rounds LOOP
        WHILE (SELECT last_value FROM round) <> i LOOP
            PERFORM pg_sleep(0.001);
        END LOOP;
        PERFORM pg_sleep(0.005 + random() * span);
        before := cpu_ns(process::text);
        INSERT INTO asked VALUES (what, i, clock_timestamp(), before);
        PERFORM pg_cancel_backend(process);
    END LOOP;
END \$\$;
SQL

# What is cancelled, how it is said, and the seconds among which the moment is drawn.
my @long = (
    [ 'embed', 'SELECT count(lmtext.embed(body)) FROM texts', 0.5 ],
    [ 'classify of rows in batches', q{SELECT count((s).score) FROM (SELECT lmtext.classify_scored(body, 'head') AS s FROM labelled OFFSET 0) x}, 0.5 ],
    [ 'class_scores in LATERAL', q{SELECT count(s) FROM labelled, LATERAL lmtext.class_scores(body, 'head') s}, 0.5 ],
    [ 'tag in LATERAL', q{SELECT count(*) FROM texts, generate_series(1, 20), LATERAL lmtext.tag(body || generate_series, 'ner')}, 0.5 ],
    [ 'entities of windows of 100 MB', q{SELECT count(*) FROM huge, lmtext.entities(body, '"ner@1"'::regclass, 'average', 'mean')}, 2 ],
    [ 'fill_mask of an array', q{SELECT count(*) FROM (SELECT array_agg('[MASK] ' || i) AS t FROM generate_series(1, 20000) i) x, lmtext.fill_mask(t, 'masks')}, 0.5 ],
    [ 'sparse of an array', q{SELECT count(*) FROM (SELECT array_agg('cat ' || i) AS t FROM generate_series(1, 100000) i) x, unnest(lmtext.sparse(t, 'splade'))}, 0.5 ],
    [ 'hidden_states', q{SELECT count(*) FROM texts, LATERAL lmtext.hidden_states(body)}, 0.5 ],
    [ 'explain by gradients', q{SELECT count(*) FROM labelled, LATERAL lmtext.explain(body, 'head')}, 0.5 ],
    [ 'explain by leaving words out', q{SELECT count(*) FROM labelled, LATERAL lmtext.explain(body, 'head', method => 'leave_one_out')}, 0.5 ],
    [ 'static embedding of 100 MB', q{SELECT lmtext.embed(body, '"static@1"'::regclass, on_long => 'mean') FROM huge}, 1 ],
    [ 'embed of an array', 'SELECT lmtext.embed(array_agg(body)) FROM texts', 0.5 ],
    [ 'tokenize of 100 MB', 'SELECT lmtext.count_tokens(body) FROM huge', 1.5 ],
    [ 'embed of windows of 100 MB', q{SELECT set_config('lmtext.on_long', 'mean', true), lmtext.embed(body) FROM huge}, 2 ],
    [ 'chunk of 100 MB', 'SELECT count(*) FROM huge, lmtext.chunk(body)', 1.5 ],
    [ 'import', qq{SELECT lmtext.import_model('again', '$real')}, 0.6 ],
    [ 'quantize', q{SELECT lmtext.quantize('minilm', 'int8')}, 3 ],
    [ 'load', q{SELECT lmtext.unload_model('minilm'), lmtext.load_model('minilm')}, 0.4 ],
    [ 'train on texts', q{CALL lmtext.train('t', 'SELECT body, label FROM labelled')}, 0.8 ],
    [ 'token_vectors of an array', q{SELECT count(*) FROM (SELECT array_agg('cat ' || i) AS t FROM generate_series(1, 100000) i) x, lmtext.token_vectors(t, 'colbert')}, 0.5 ],
    [ 'maxsim of rows', q{SELECT sum(lmtext.maxsim('some words', body, 'colbert')) FROM texts, generate_series(1, 20)}, 0.5 ],
    [ 'maxsim of an array', q{SELECT lmtext.maxsim('some words', array_agg('cat ' || i), 'colbert') FROM generate_series(1, 100000) i}, 0.5 ],
    [ 'maxsim of stored vectors', q{SELECT lmtext.maxsim(v, v) FROM token_vectors}, 0.5 ],
    [ 'static sparse vector of 100 MB', q{SELECT lmtext.sparse_vector(body, '"weights@1"'::regclass, on_long => 'mean') FROM huge}, 1.5 ],
    [ 'stale of a job', q{SELECT count(*) FROM lmtext.stale('scanned')}, 0.5 ],
    [ 'train on vectors', q{CALL lmtext.train('t', 'SELECT embedding, label FROM vectors', '{"base": "minilm"}')}, 0.8 ],
);

sub milliseconds
{
    my ($what, $column, $share) = @_;
    my $unit = $column eq 'cpu' ? '(o.cpu - a.cpu) / 1e6' : 'extract(epoch FROM o.at - a.at) * 1e3';
    return value("SELECT round(percentile_disc($share) WITHIN GROUP (ORDER BY greatest(0, $unit))::numeric, 1)
        FROM obeyed o JOIN asked a USING (what, round) WHERE what = '$what'");
}

for my $row (drawn(2, @long))
{
    my ($what, $statement, $span) = @$row;
    my $n = $what =~ /100 MB/ ? int($rounds / 3) + 1 : $rounds;
    my $target = session();
    my $pid = begin_in($target, "CALL endure('$what', \$s\$$statement\$s\$, $n);");
    value("CALL disturb('$what', $pid, $n, $span)");
    is(end_in($target), '', "$what: cancelled $n times, and each cancel is caught");
    $target->quit;
    is(value("SELECT count(*) FROM obeyed JOIN asked USING (what, round) WHERE what = '$what'"), $n, "$what: every time");
    my %cpu = map { $_ => milliseconds($what, 'cpu', $_) } 0.5, 0.99, 1;
    my %wall = map { $_ => milliseconds($what, 'at', $_) } 0.5, 0.99, 1;
    note("figure: cancel of $what, n $n, ms p50/p99/max: processor $cpu{0.5}/$cpu{0.99}/$cpu{1}, "
          . "wall $wall{0.5}/$wall{0.99}/$wall{1}");
    # Of fewer than a hundred the 99th percentile is the maximum.
    cmp_ok($cpu{0.99}, '<=', 100, "$what: p99 within 100 ms of work") if $n >= 100;
    cmp_ok($cpu{1}, '<=', 250, "$what: at most 250 ms of work");
    if (effort(0, 0, 1))
    {
        cmp_ok($wall{0.99}, '<=', 100, "$what: p99 within 100 ms");
        cmp_ok($wall{1}, '<=', 250, "$what: at most 250 ms");
    }
}
is(value(q{SELECT count(*) FROM lmtext.models WHERE name IN ('again', 't') OR version > 1}), 0,
    'no cancelled import, quantizing or training left a version');
safe('after random cancels');

# ---- Waiting for another's load ----

{
    my ($loader, $pid) = ();
    for my $try (1 .. 50)
    {
        value(q{SELECT lmtext.unload_model('minilm')});
        $loader = session();
        $pid = begin_in($loader, q{SELECT lmtext.load_model('minilm');});
        for my $look (1 .. 200)
        {
            my $state = value(q{SELECT state FROM lmtext.model_cache WHERE bytes > 50000000});
            last if $state eq 'ready';
            next if $state ne 'loading';
            kill 'STOP', $pid;
            last;
        }
        last if value(q{SELECT count(*) FROM lmtext.model_cache WHERE state = 'loading'}) == 1;
        kill 'CONT', $pid;
        end_in($loader);
        $loader->quit;
        undef $loader;
    }
    ok($loader, 'a loader is stopped half way');
    my $waiter = session();
    my $waiter_pid = begin_in($waiter, q{CALL endure('wait for a load', 'SELECT lmtext.embed(''a'')', 20);});
    value("CALL disturb('wait for a load', $waiter_pid, 20, 0.05)");
    is(end_in($waiter), '', 'a wait for a load is cancelled 20 times');
    my $wall = milliseconds('wait for a load', 'at', 0.5);
    note("figure: cancel of a wait for another's load, ms p50: wall $wall");
    # A session that waits computes nothing, and others compute beside it; the load that it waits for does not end.
    cmp_ok($wall, '<=', 2500, 'at once');
    like(say_in($waiter, q{SET statement_timeout = '50ms'; SELECT lmtext.embed('a')}), qr/57014/, 'it obeys statement_timeout');
    like(say_in($waiter, q{SET statement_timeout = 0; SET lock_timeout = '50ms'; SELECT 'next'}), qr/next/, 'and goes on');
    kill 'CONT', $pid;
    end_in($loader);
    $_->quit for $loader, $waiter;
    safe('after cancelled waits');
}

# ---- Timeouts, terminate, a client that is gone, shutdown ----

for my $row (@long)
{
    my ($what, $statement) = @$row;
    my ($status, $out, $err) = $node->psql('postgres', "SET statement_timeout = 60; $statement",
        on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
    like($err, qr/57014/, "$what: statement_timeout");
}
for my $row (@long[ 0, 1, 2, 5, 7 ])
{
    my ($what, $statement) = @$row;
    my $session = session();
    my $pid = begin_in($session, "$statement;");
    sleep 0.05 + rand 0.2;
    value("SELECT pg_terminate_backend($pid)");
    wait_for("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid", "$what: terminated");
    eval { $session->quit };
}
{
    # The client is killed: the backend notices by itself.
    my @psql = ('psql', '-XAtq', '-h', $node->host, '-p', $node->port, 'postgres', '-c',
        q{SET client_connection_check_interval = '50ms'; SET application_name = 'gone'}, '-c',
        'SELECT count(lmtext.embed(body)) FROM texts, generate_series(1, 1000)');
    my $child = fork // die 'fork';
    if (!$child) { open STDERR, '>', '/dev/null'; exec @psql; }
    wait_for(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE application_name = 'gone' AND query LIKE '%embed%'},
        'a client begins a long statement');
    kill 'KILL', $child;
    waitpid $child, 0;
    wait_for(q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'gone'}, 'and is gone: so is its backend');
}
safe('after terminations');

# ---- A stale cancel never hits what comes next; LOAD replaces no signal handler ----

{
    my $session = session();
    my $pid = $session->query('SELECT pg_backend_pid()');
    my ($hit, $stray) = (0, 0);
    for my $i (1 .. effort(10, 40, 100))
    {
        # A cancel may come before the statement has begun, which then runs to its end: seconds, not minutes.
        begin_in($session, q{SELECT count(lmtext.embed(body)) FROM (SELECT body FROM texts LIMIT 100) few;});
        sleep rand 0.03;
        value("SELECT pg_cancel_backend($pid)");
        $hit++ if end_in($session) =~ /57014/;
        $stray++ if say_in($session, q{SELECT (lmtext.embed('a'))[1] IS NOT NULL FROM generate_series(1, 10)}) =~ /ERROR/;
    }
    cmp_ok($hit, '>', 0, 'statements were cancelled');
    is($stray, 0, 'those after them were not');
    say_in($session, q{LOAD 'lmtext'});
    begin_in($session, 'SELECT pg_sleep(60);');
    wait_for("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid", 'it sleeps');
    value("SELECT pg_cancel_backend($pid)");
    like(end_in($session), qr/57014/, 'pg_sleep is cancelled after LOAD');
    like(say_in($session, q{SET statement_timeout = 50; SELECT pg_sleep(60)}), qr/57014/, 'and timed out');
    $session->quit;
}

# ---- A storm of signals ----

{
    my $seconds = effort(3, 10, 60);
    my $quiet = value(q{SELECT md5(string_agg(lmtext.embed(body)::text, ' ' ORDER BY body)) FROM (SELECT body FROM texts LIMIT 40) t});
    my $session = session();
    my $pid = $session->query('SELECT pg_backend_pid()');
    my $end = time + $seconds;
    my ($same, $all, $signals) = (0, 0, 0);
    while (time < $end)
    {
        begin_in($session, q{SELECT 'sum ' || md5(string_agg(lmtext.embed(body)::text, ' ' ORDER BY body))
            FROM (SELECT body FROM texts LIMIT 40) t;});
        for (1 .. 300)
        {
            $signals += kill $_, $pid for qw(ALRM USR1 URG);
            sleep 0.0003;
        }
        $all++;
        $same++ if end_in($session) =~ /sum $quiet/;
    }
    note("figure: $signals signals during $all statements");
    is($same, $all, 'every result is what it is in quiet');
    $session->quit;
}
safe('after a storm of signals');

# ---- Fast shutdown in the middle of everything ----

{
    my @sessions = map { session() } 1 .. 4;
    begin_in($sessions[0], 'SELECT count(lmtext.embed(body)) FROM texts;');
    begin_in($sessions[1], 'SELECT lmtext.count_tokens(body) FROM huge, generate_series(1, 100);');
    begin_in($sessions[2], qq{SELECT lmtext.import_model('late', '$real') FROM generate_series(1, 100);});
    begin_in($sessions[3], q{CALL lmtext.train('late', 'SELECT body, label FROM labelled');});
    sleep 0.3;
    my $begin = time;
    $node->stop('fast');
    my $took = time - $begin;
    note(sprintf 'figure: fast shutdown with four busy backends: %.2f s', $took);
    cmp_ok($took, '<', 20, 'a fast shutdown is fast');
    eval { $_->quit } for @sessions;
    $node->start;
    expect_restart();
    is(value(q{SELECT count(*) FROM pg_class WHERE relname LIKE 'late@%'}), 0, 'nothing is left of what it cut off');
}
done();
