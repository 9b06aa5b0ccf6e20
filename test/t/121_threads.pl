# 121_threads.pl - one thread in every process, whatever it computes and however it was started; the floating-point
# environment is left as it was found; same bits alone, in any batch, order and plan; labels equal across
# instruction levels and BLAS kernels; numpy in the same backend.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Utils;

my $node = start_node('threads', conf => "max_connections = 40\nmax_worker_processes = 8\n");

my $texts = effort(105, 210, 210);

value(<<SQL);
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('minilm', '$real');
ALTER DATABASE postgres SET lmtext.embedding_model = 'minilm';
ALTER DATABASE postgres SET client_min_messages = warning;
SET lmtext.embedding_model = 'minilm';
CREATE TABLE doc AS
    SELECT i, (ARRAY['the cat sat on a mat', 'bread and butter', 'compile the kernel', 'ein kurzer Text', '日本語の文章',
        'résumé naïve café', 'x'])[1 + i % 7] || repeat(' word' || i % 13, i % 29) AS body, (i % 7)::text AS label
    FROM generate_series(1, $texts) i;
CALL lmtext.train('topic', 'SELECT body, label FROM doc', '{"base": "minilm"}');
ANALYZE doc;
SQL

# Threads of every process of the server.
sub threads
{
    my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
    my $most = 0;
    for my $pid (split ' ', qx{ps -o pid= --ppid $postmaster})
    {
        my @tasks = glob "/proc/$pid/task/*";
        $most = @tasks if @tasks > $most;
    }
    return $most;
}

my $parallel = q{SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
    SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off; SET jit = off;};
# Of all results: order does not matter.
my $sum = q{SELECT md5(string_agg(e::text, ' ' ORDER BY i)) FROM (SELECT i, lmtext.embed(body) e FROM doc) d};

# ---- Threads ----

{
    my $session = session();
    say_in($session, $sum);
    begin_in($session, q{CALL lmtext.train('again', 'SELECT body, label FROM doc');});
    is(threads(), 1, 'a training, its BLAS included, has one thread');
    end_in($session);
    say_in($session, "$parallel");
    begin_in($session, "$sum; $sum; $sum;");
    is(threads(), 1, 'parallel workers have one');
    end_in($session);
    is(say_in($session, 'SELECT os_threads, blas_threads FROM lmtext.device'), '1|1', 'lmtext.device says so');
    $session->quit;
}

# Threads that could not be made are not missed: at the limit of processes nothing prints, exits or raises.
{
    my $session = session();
    my $pid = $session->query('SELECT pg_backend_pid()');
    system_or_bail('prlimit', "--pid=$pid", '--nproc=1:');
    is(say_in($session, q{CALL lmtext.train('limited', 'SELECT body, label FROM doc'); SELECT lmtext.classify('bread', 'topic') IS NOT NULL}),
        't', 'a backend that may start no thread trains and classifies');
    $session->quit;
}

# ---- New processes after BLAS: connections, workers, programs ----

{
    my $wanted = value($sum);
    my $wrong = 0;
    for (1 .. effort(10, 40, 200)) { $wrong++ if value('SELECT (lmtext.embed(\'a\'))[1] IS NOT NULL') ne 't'; }
    is($wrong, 0, 'reconnects');
    is(value("$parallel $sum"), $wanted, 'workers: the same bits as one process');
    my $session = session();
    say_in($session, q{CALL lmtext.train('blas', 'SELECT body, label FROM doc')});
    is(say_in($session, q{COPY (SELECT 1) TO PROGRAM 'cat >/dev/null'; SELECT 'alive'}), 'alive', 'COPY TO PROGRAM after BLAS');
    is(say_in($session, "$parallel $sum"), $wanted, 'workers of a backend that has used BLAS');
    $session->quit;
}
safe('after new processes');

# ---- Floating point ----

# Denormals are kept (no FTZ or DAZ), and 1/3 rounds to nearest.
my $normal = q{SELECT 1e-310::float8 * 0.1 > 0 AND 1e-310::float8 / 2 > 0 AND (1::float8 / 3)::text = '0.3333333333333333'};
{
    my $session = session();
    is(say_in($session, $normal), 't', 'before any call');
    my @calls = (
        [ q{SELECT lmtext.embed('a') IS NOT NULL}, 'a result' ],
        [ q{SELECT lmtext.embed('a', 'nobody')}, 'an error' ],
        [ q{SELECT lmtext.embed(E'a', prompt_name => 'nobody')}, 'an error inside' ],
        [ q{SET statement_timeout = 30; SELECT count(lmtext.embed(body)) FROM doc, generate_series(1, 100)}, 'a cancel' ],
        [ q{SET statement_timeout = 0; CALL lmtext.train('fp', 'SELECT body, label FROM doc')}, 'a training' ],
        [ q{SET statement_timeout = 150; CALL lmtext.train('fp', 'SELECT body, label FROM doc, generate_series(1, 40)')},
            'a cancelled training' ],
        [ q{SET statement_timeout = 0; SELECT lmtext.classify('a', 'topic') IS NOT NULL}, 'a classification' ],
        [ q{SELECT '{1e-30,1}'::real[] <=> '{1,1e-30}' IS NOT NULL}, 'a distance' ],
    );
    for my $row (@calls)
    {
        say_in($session, $row->[0]);
        is(say_in($session, $normal), 't', "after $row->[1] denormals and rounding are as they were");
    }
    $session->quit;
}

# ---- Same bits alone, in any batch, in any order ----

{
    my $batches = effort(2, 6, 50);
    my $odd = value(<<"SQL");
SELECT setseed(0.5);
CREATE TABLE alone AS SELECT i, body, lmtext.embed(body) AS e FROM doc;
CREATE FUNCTION differing(rounds int) RETURNS bigint LANGUAGE plpgsql AS \$\$
DECLARE
    bad bigint := 0; here bigint; texts text[]; ids int[]; all_of real[]; width int := 384;
BEGIN
    FOR r IN 1 .. rounds LOOP
        SELECT array_agg(body), array_agg(i) INTO texts, ids
            FROM (SELECT * FROM alone ORDER BY random() LIMIT 1 + floor(random() * ($texts - 10))) t;
        all_of := lmtext.embed(texts);
        SELECT count(*) INTO here FROM unnest(ids) WITH ORDINALITY u(id, n) JOIN alone ON i = id
            WHERE e <> (SELECT array_agg(x ORDER BY o) FROM unnest(all_of[n:n][1:width]) WITH ORDINALITY v(x, o));
        bad := bad + here;
    END LOOP;
    RETURN bad;
END \$\$;
SELECT differing($batches);
SQL
    like($odd, qr/^0$/m, "$texts texts in $batches random batches and orders have one bit pattern each");
    is(value(q{SET lmtext.batch_tokens = 256; SELECT differing(2)}), 0, 'and with small blocks');
}

# ---- Labels across instruction levels and BLAS kernels ----

{
    my $labels = q{SELECT md5(string_agg(lmtext.classify(body, 'topic'), ' ' ORDER BY i)) FROM doc WHERE i <= 42};
    my %seen = map { $_ => value("SET lmtext.isa = $_; $labels") } qw(auto scalar avx2 avx512 avx512_vnni avx512_bf16);
    is(scalar(keys %{ { reverse %seen } }), 1, 'labels are equal at every instruction level');
    my $near = q{SELECT min(1 - (a.e <=> lmtext.embed(a.body))) > 0.99999 FROM alone a WHERE i <= 42};
    is(value("SET lmtext.isa = $_; $near"), 't', "vectors agree at level $_") for qw(scalar avx2);
    my $before = value($labels);
    for my $core (qw(Haswell Prescott SkylakeX)) # what the CPU lacks is left out
    {
        next if $core eq 'SkylakeX' && slurp_file('/proc/cpuinfo') !~ /avx512f/;
        local $ENV{OPENBLAS_CORETYPE} = $core;
        $node->restart;
        expect_restart();
        value(q{CALL lmtext.train('core', 'SELECT body, label FROM doc', '{"base": "minilm", "hold_out": 0}')});
        is(value($labels), $before, "labels with OPENBLAS_CORETYPE=$core");
        is(value(q{SELECT lmtext.accuracy(label, lmtext.classify(body, 'core')) > 0.99 FROM doc}), 't',
            "a head trained with $core");
    }
    delete local $ENV{OPENBLAS_CORETYPE};
    $node->restart;
    expect_restart();
    value(q{SELECT lmtext.unload_model('minilm')});
    is(value($labels), $before, 'after a restart and a new load the same');
}

# ---- numpy, with a BLAS of its own, in the same backend ----

SKIP: {
    my $python = value(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'plpython3u'});
    ok($python || $node->pg_version >= 16 || ($ENV{LMTEXT_PG} // '') eq 'cassert', "Debian's server has PL/Python");
    skip 'this build of PostgreSQL has no PL/Python', 2 if !$python;
    value(<<'SQL');
CREATE EXTENSION plpython3u;
CREATE FUNCTION dot(n int) RETURNS float8 LANGUAGE plpython3u AS $$
import numpy
a = numpy.arange(n * n, dtype=numpy.float32).reshape(n, n) / (n * n)
return float(numpy.dot(a, a).sum())
$$;
SQL
    my $embed = q{SELECT md5(lmtext.embed('a text beside numpy')::text)};
    my $alone = value($embed);
    my $dot = value('SELECT dot(300)');
    my $session = session();
    is(join(' ', map { say_in($session, $_) } 'SELECT dot(300)', $embed, 'SELECT dot(300)', $embed),
        "$dot $alone $dot $alone", 'numpy first');
    $session->quit;
    $session = session();
    is(join(' ', map { say_in($session, $_) } $embed, 'SELECT dot(300)',
            q{CALL lmtext.train('beside', 'SELECT body, label FROM doc')}, $embed, 'SELECT dot(300)'),
        "$alone $dot  $alone $dot", 'lmtext first, its BLAS in between');
    $session->quit;
}
done();
