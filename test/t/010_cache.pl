# 010_cache.pl - models in shared memory: one copy, one load, pins, eviction, faults of every kind.
#
# Sessions are stopped in the middle of a load by SIGSTOP, so that what others do meanwhile does not
# depend on luck. Slow models are the real one (it loads for some hundred milliseconds), others are
# the tiny ones.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep);

my $node = start_node('cache', conf => <<'CONF');
max_connections = 60
max_prepared_transactions = 2
max_worker_processes = 8
CONF

sub slots
{
    my ($where) = @_;
    return value("SELECT count(*) FROM lmtext.model_cache WHERE $where");
}

sub size_of
{
    my ($version) = @_;
    return value("SELECT bytes FROM lmtext.model_cache WHERE version = '$version'");
}

value(qq{
    CREATE EXTENSION lmtext;
    SELECT lmtext.import_model('minilm', '$real');
    SELECT lmtext.import_model('a', '@{[ variant($tiny, 1) ]}', '{"max_tokens": 12}');
    SELECT lmtext.import_model('b', '@{[ variant($tiny, 2) ]}');
    SELECT lmtext.import_model('c', '@{[ variant($tiny, 3) ]}', '{"max_tokens": 14}');
    CREATE TABLE doc AS SELECT 'text number ' || i AS body FROM generate_series(1, 2000) i;
    ANALYZE doc;
});

# ---- Many sessions, one load, one copy ----

{
    my $holder = session();
    $holder->query('BEGIN; LOCK TABLE "minilm@1" IN ACCESS EXCLUSIVE MODE');
    my @sessions = map { session() } 1 .. 20;
    begin_in($_, q{SELECT (lmtext.embed('a', 'minilm'))[1];}) for @sessions[ 0 .. 7 ];
    wait_for(
        q{SELECT count(*) = 8 FROM pg_stat_activity
          WHERE wait_event_type = 'Lock' AND query LIKE '%embed%'},
        'eight sessions want the model at the same time');
    $holder->query('COMMIT');
    my %results = map { $_ => 1 } map { end_in($_) } @sessions[ 0 .. 7 ];
    is(scalar(keys %results), 1, 'all of them computed the same');
    is(value("SELECT loads || ' ' || hits FROM lmtext.model_cache WHERE version = 'minilm\@1'"),
        '1 7', 'one of them loaded it, seven found it');

    say_in($_, q{SELECT (lmtext.embed('words that touch all of it', 'minilm'))[1]}) for @sessions;
    my ($pss, $threads, $mapped) = (0, 0, 0);
    for my $session (@sessions)
    {
        my $pid = $session->query('SELECT pg_backend_pid()');
        my @tasks = glob("/proc/$pid/task/*");
        $threads = @tasks if @tasks > $threads;
        open my $smaps, '<', "/proc/$pid/smaps" or die "smaps of $pid: $!";
        my $segment = 0;
        while (<$smaps>)
        {
            if (/^[0-9a-f]+-[0-9a-f]+ .*?(\S*)$/)
            {
                $segment = ($1 =~ m{^/dev/shm/PostgreSQL\.});
                $mapped++ if $segment;
            }
            $pss += $1 if $segment && /^Pss:\s+(\d+) kB/;
        }
    }
    my $copies = $pss * 1024 / size_of('minilm@1');
    cmp_ok($mapped, '>=', 20, 'every session maps the segment');
    cmp_ok($copies, '>', 0.5, 'and has touched it');
    cmp_ok($copies, '<', 1.2, 'twenty sessions cost less than 1.2 copies');
    is($threads, 1, 'every one of them has one thread');
    is(slots("pins > 0"), 0, 'nothing is pinned between statements');
    $_->quit for @sessions, $holder;
}

# ---- Parallel workers ----

{
    my $loads = value("SELECT loads FROM lmtext.model_cache WHERE version = 'minilm\@1'");
    my $hits = value("SELECT hits FROM lmtext.model_cache WHERE version = 'minilm\@1'");
    my $parallel = q{
        SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0;
        SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
        SET parallel_leader_participation = off; SET jit = off;};
    my $plan = value("$parallel EXPLAIN (ANALYZE, COSTS off, TIMING off) "
          . q{SELECT count(*) FROM doc WHERE (lmtext.embed(body, 'minilm'))[1] IS NOT NULL});
    like($plan, qr/Workers Launched: [12]/, 'the scan went parallel');
    is(value("SELECT loads FROM lmtext.model_cache WHERE version = 'minilm\@1'"),
        $loads, 'workers loaded nothing');
    cmp_ok(value("SELECT hits FROM lmtext.model_cache WHERE version = 'minilm\@1'"),
        '>', $hits, 'workers attached to what is there');
    is(slots("pins > 0"), 0, 'and pin nothing once they have ended');
}

# ---- Cancel, kill, take over ----

{
    my ($loader, $pid) = stopped_loader();
    my $waiter = session();
    my $waiter_pid = begin_in($waiter, q{SELECT 'result', (lmtext.embed('a', 'minilm'))[1] IS NOT NULL;});
    wait_for(
        "SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $waiter_pid",
        'a second session waits for the load');
    my $named = $node->pg_version >= 17;
    is(value("SELECT wait_event FROM pg_stat_activity WHERE pid = $waiter_pid"), $named ? 'LmtextModelLoad' : 'Extension', 'by that name');
    my $unloader = session();
    my $unloader_pid = begin_in($unloader, q{SELECT lmtext.unload_model('minilm');});
    wait_for("SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $unloader_pid", 'so does one that unloads');
    is(value("SELECT wait_event FROM pg_stat_activity WHERE pid = $unloader_pid"), $named ? 'LmtextModelUnload' : 'Extension', 'by its name');
    value("SELECT pg_cancel_backend($unloader_pid)");
    like(end_in($unloader), qr/57014/, 'until it is cancelled');
    $unloader->quit;
    value("SELECT pg_cancel_backend($waiter_pid)");
    like(end_in($waiter), qr/57014/, 'whose wait can be cancelled');
    $waiter_pid = begin_in($waiter, q{SELECT 'result', (lmtext.embed('a', 'minilm'))[1] IS NOT NULL;});
    wait_for(
        "SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $waiter_pid",
        'it waits again');
    value("SELECT pg_cancel_backend($pid)");
    kill 'CONT', $pid;
    like(end_in($loader), qr/57014/, 'the load can be cancelled');
    like(end_in($waiter), qr/result\|t/, 'and the waiter takes over');
    like(say_in($loader, q{SELECT (lmtext.embed('a', 'minilm'))[1] IS NOT NULL}),
        qr/^t/, 'the cancelled session goes on');
    $loader->quit;
    $waiter->quit;

    ($loader, $pid) = stopped_loader();
    $waiter = session();
    $waiter_pid = begin_in($waiter, q{SELECT 'result', (lmtext.embed('a', 'minilm'))[1] IS NOT NULL;});
    wait_for(
        "SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $waiter_pid",
        'a session waits for a loader');
    value("SELECT pg_terminate_backend($pid)");
    kill 'CONT', $pid;
    like(end_in($waiter), qr/result\|t/, 'that is terminated, and takes over');
    is(slots("state = 'loading' OR pins > 0"), 0, 'nothing is left of it');
    $waiter->quit;
    eval { $loader->quit };
}

# ---- Eviction ----

{
    my $bytes = value("SELECT lmtext.load_model('a');
        SELECT bytes FROM lmtext.model_cache WHERE version = 'a\@1'");
    $bytes =~ s/.*\n//;
    my $limit = int(2.5 * $bytes / 1024);
    value("SELECT lmtext.unload_model(m) FROM unnest('{minilm,a}'::text[]) m");
    $node->append_conf('postgresql.conf', "lmtext.cache_size = $limit");
    $node->reload;
    wait_for(
        "SELECT current_setting('lmtext.cache_size') = '${limit}kB' FROM lmtext.session_counters()",
        'the cache has room for two models');
    value("SELECT lmtext.load_model('$_')") for qw(a b c);
    is(value("SELECT string_agg(version, ' ' ORDER BY version) FROM lmtext.model_cache"),
        'b@1 c@1', 'the least recently used model was evicted');
    is(value("SELECT sum(bytes) <= $limit * 1024 FROM lmtext.model_cache"),
        't', 'and lmtext.cache_size is kept');

    my $user = session();
    $user->query(q{BEGIN; DECLARE x CURSOR FOR SELECT lmtext.embed(body, 'b') FROM doc});
    say_in($user, 'FETCH 1 FROM x');
    value("SELECT lmtext.load_model('a')");
    is(value("SELECT string_agg(version || ' ' || pins, ' ' ORDER BY version) FROM lmtext.model_cache"),
        'a@1 0 b@1 1', 'a model in use is not evicted');

    my $second = session();
    $second->query(q{BEGIN; DECLARE x CURSOR FOR SELECT lmtext.embed(body, 'a') FROM doc});
    say_in($second, 'FETCH 1 FROM x');
    my $third = session();
    my $private = say_in($third, q{SELECT 'result', (lmtext.embed('a', 'c'))[1] IS NOT NULL});
    like($private, qr/result\|t/, 'with all room in use a model is loaded privately');
    like($private, qr/WARNING:  53400:.*"c\@1".*HINT:  Raise lmtext.cache_size/s,
        'with a warning that says why');
    unlike(say_in($third, q{SELECT (lmtext.embed('b', 'c'))[1] IS NOT NULL}),
        qr/WARNING/, 'once');
    like(say_in($third, 'SELECT version, state FROM lmtext.model_cache'),
        qr/c\@1\|private/, 'its own session sees the copy');
    is(slots("state = 'private'"), 0, 'others do not');
    like(complaint(q{SET lmtext.private_models = off; SELECT lmtext.embed('a', 'c')}),
        qr/ERROR:  53400:/, 'or it is an error, with lmtext.private_models = off');
    is(slots("state = 'loading'"), 0, 'no slot is left over');

    # ---- Unload while in use ----
    is(value("SELECT lmtext.unload_model('b')"), 't', 'a model in use can be unloaded');
    is(value("SELECT state FROM lmtext.model_cache WHERE version = 'b\@1'"),
        'unloading', 'and stays until its user is done');
    my $next = say_in($user, 'FETCH 1 FROM x');
    $user->query('COMMIT');
    is(slots("version = 'b\@1'"), 0, 'then it is gone');
    is(value("SELECT lmtext.unload_model('b')"), 'f', 'unloading what is not there says so');
    is($next, say_in($user, q{SELECT lmtext.embed('text number 2', 'b')}),
        'who computed on as if nothing had been; now it is loaded again');
    $second->query('ROLLBACK');
    $_->quit for $user, $second, $third;
    is(slots("pins > 0"), 0, 'nothing is pinned');
    $node->append_conf('postgresql.conf', "lmtext.cache_size = '1GB'");
    $node->reload;
    wait_for(
        "SELECT current_setting('lmtext.cache_size') = '1GB' FROM lmtext.session_counters()",
        'the cache is large again');
}

# ---- One image for two windows ----

{
    my $folder = variant($tiny, 6);
    my $both = q{SELECT lmtext.embed('a b c d e f g h', 'w@1'); SELECT lmtext.embed('a b c d e f g h', 'w@2')};
    my $loaded = q{SELECT string_agg(version || ' ' || loads, ', ') FROM lmtext.model_cache WHERE version LIKE 'w@%'};
    value(qq{SELECT lmtext.import_model('w', '$folder'); SELECT lmtext.import_model('w', '$folder', '{"max_tokens": 5}')});
    is(value('SELECT count(DISTINCT sha256) FROM lmtext.models WHERE name = \'w\''), 2, 'versions that differ by the window');
    my $first = value($both);
    my ($wide, $narrow) = split /\n/, $first;
    isnt($wide, $narrow, 'read a text up to it');
    is(value($loaded), 'w@1 1', 'and are loaded once');
    is(value(q{SELECT lmtext.unload_model('w@2')}), 't', 'they leave together');
    is(value(q{SELECT lmtext.load_model('w@2'); SELECT lmtext.load_model('w@1')}), "t\nf", 'whichever is loaded first');
    is(value($both), $first, 'each has its own window');
    is(value($loaded), 'w@1 2', 'and one image');
    is(value(q{SELECT lmtext.embed('a b c d e f g h', 'w@2') = lmtext.embed('a b c', 'w@2')}), 't', 'which cuts');
    value(q{SELECT lmtext.drop_model('w')});
}

# ---- Transactions ----

{
    my $session = session();
    my $result = say_in($session, qq{BEGIN;
        SELECT lmtext.import_model('t', '@{[ variant($tiny, 4) ]}');
        SELECT (lmtext.embed('a', 't'))[1] IS NOT NULL;});
    like($result, qr/^1\nt$/, 'a model that is not committed can be used');
    like(say_in($session, q{ROLLBACK; SELECT lmtext.embed('a', 't')}),
        qr/42704/, 'and is gone when rolled back');
    $result = say_in($session, qq{BEGIN; SAVEPOINT s;
        SELECT lmtext.import_model('t', '@{[ variant($tiny, 4) ]}');
        SELECT (lmtext.embed('a', 't'))[1] IS NOT NULL;
        ROLLBACK TO s;
        SELECT lmtext.embed('a', 't')});
    like($result, qr/42704/, 'or when its savepoint is');
    say_in($session, 'ROLLBACK');

    # The same table with other contents: what a table that got a used Oid looks like.
    my $a = say_in($session, q{SELECT lmtext.embed('one two three four five six seven eight nine ten eleven twelve thirteen', 'a@1')});
    my $c = say_in($session, q{SELECT lmtext.embed('one two three four five six seven eight nine ten eleven twelve thirteen', 'c@1')});
    isnt($a, $c, 'windows of two lengths give two vectors');
    $result = say_in($session, q{BEGIN; TRUNCATE "a@1"; INSERT INTO "a@1" SELECT * FROM "c@1";
        SELECT lmtext.embed('one two three four five six seven eight nine ten eleven twelve thirteen', 'a@1')});
    is($result, $c, 'a table with new contents is a new model');
    $result = say_in($session, q{ROLLBACK;
        SELECT lmtext.embed('one two three four five six seven eight nine ten eleven twelve thirteen', 'a@1')});
    is($result, $a, 'and the old one when that is rolled back');

    say_in($session, q{BEGIN; SELECT lmtext.embed('a', 'a'); PREPARE TRANSACTION 'p'});
    is(slots("pins > 0"), 0, 'a prepared transaction pins nothing');
    like(say_in($session, q{ROLLBACK PREPARED 'p'; SELECT 'alive'}), qr/alive/, 'and ends well');

    $result = say_in($session, q{DO $$ BEGIN
        FOR i IN 1 .. 100 LOOP
            BEGIN
                PERFORM lmtext.embed('a', 'a'), lmtext.embed('a', 'b');
                PERFORM 1 / (i % 2);
            EXCEPTION WHEN division_by_zero THEN
                PERFORM lmtext.embed('a', 'c');
            END;
        END LOOP;
        IF (SELECT count(*) FROM lmtext.model_cache WHERE pins > 1) > 0 THEN
            RAISE 'a backend is counted twice';
        END IF;
        END $$; SELECT 'fine'});
    like($result, qr/^fine$/, 'pins follow subtransactions');
    is(slots("pins > 0"), 0, 'and are all given back');

    # ---- Drop while loaded ----
    value(qq{SELECT lmtext.import_model('d', '@{[ variant($tiny, 5) ]}')});
    like(say_in($session, q{SELECT (lmtext.embed('a', 'd'))[1] IS NOT NULL}), qr/^t/, 'in use');
    value(q{SELECT lmtext.drop_model('d')});
    like(say_in($session, q{SELECT lmtext.embed('a', 'd')}), qr/42704/, 'and then dropped');
    like(say_in($session, q{SELECT (lmtext.embed('a', 'a'))[1] IS NOT NULL}),
        qr/^t/, 'other models are as they were');
    is(slots('model IS NULL'), 0, 'memory of models that are gone was given back');

    # ---- Instruction levels ----
    my $best = say_in($session, 'SELECT instruction_level FROM lmtext.device');
    say_in($session, q{CREATE TEMP TABLE v AS SELECT lmtext.embed('some words', 'a') AS x});
    say_in($session, q{SET lmtext.isa = scalar});
    like(say_in($session, 'SELECT instruction_level FROM lmtext.device'), qr/^scalar/, 'isa caps');
    is(say_in($session, q{SELECT max(abs(p - q)) < 1e-5 FROM v,
            unnest(v.x, lmtext.embed('some words', 'a')) u(p, q)}), 't', 'with the same results');
    like(say_in($session, q{SELECT string_agg(DISTINCT instruction_level, ' ') FROM lmtext.model_cache
            WHERE version = 'a@1'}), qr/scalar/, 'from an image of its own');
    say_in($session, q{RESET lmtext.isa});
    is(say_in($session, q{SELECT x = lmtext.embed('some words', 'a') FROM v}),
        't', 'and back to the same bits');
    is(say_in($session, 'SELECT instruction_level FROM lmtext.device'), $best, 'at the same level');
    is(value(q{SELECT lmtext.unload_model('a')}), 't', 'unload takes all levels');
    is(slots("version = 'a\@1'"), 0, 'out of memory');

    # ---- Floating point, after success and failure ----
    say_in($session, q{SELECT lmtext.embed('a', 'minilm'); SELECT lmtext.embed('a', 'nothing')});
    is(say_in($session, q{SELECT 1e-310::float8 * 0.1::float8 > 0}), 't', 'denormals are kept');
    $session->quit;
}

# ---- Who sees what ----

{
    value(q{CREATE ROLE plain LOGIN; CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher;
            SELECT lmtext.load_model('a'), lmtext.load_model('b');
            GRANT SELECT (file) ON "a@1" TO plain});
    is(value('SET ROLE plain; SELECT version FROM lmtext.model_cache'),
        'a@1', 'a role sees what it may use');
    is(value("SET ROLE watcher; SELECT count(*) FROM lmtext.model_cache WHERE version IN ('a\@1', 'b\@1')"),
        2, 'pg_monitor sees all');
    like(complaint(q{SET ROLE plain; SELECT lmtext.load_model('a')}), qr/42501/, 'loading needs a grant');
    like(complaint(q{SET ROLE plain; SELECT lmtext.unload_model('a')}), qr/42501/, 'so does unloading');
    like(complaint(q{SET ROLE plain; SELECT lmtext.embed('a', 'b')}), qr/42501/, 'and use');
    my $session = session();
    like(say_in($session, q{SET ROLE plain; SELECT (lmtext.embed('a', 'a'))[1] IS NOT NULL}), qr/^t/, 'use is granted');
    value(q{REVOKE SELECT (file) ON "a@1" FROM plain});
    like(say_in($session, q{SELECT lmtext.embed('a', 'a')}), qr/42501/, 'and taken back');
    $session->quit;
    $node->safe_psql('postgres', 'CREATE DATABASE other');
    $node->safe_psql('other', 'CREATE EXTENSION lmtext');
    is($node->safe_psql('other', 'SET ROLE plain; SELECT count(*) FROM lmtext.model_cache'),
        0, 'another database shows nothing of it');
    is($node->safe_psql('other',
            q{SET ROLE watcher; SELECT count(*) > 1 AND bool_and(version IS NULL) FROM lmtext.model_cache}),
        't', 'but to pg_monitor, without names');
}

# ---- Trainings, and heads that use another model's weights ----

{
    my $train = q{CALL lmtext.train('head', 'SELECT body, (length(body) % 2)::text FROM doc',
        '{"task": "classification", "base": "minilm"}');};
    my $session = session();
    $session->query('BEGIN');
    begin_in($session, $train);
    wait_for(q{SELECT count(*) = 1 FROM lmtext.train_runs
        WHERE model = 'head' AND state = 'running' AND phase = 'embedding' AND done > 0},
        'a training is seen by other sessions while it runs');
    is(value('SET ROLE plain; SELECT count(*) FROM lmtext.train_runs'), 0, 'but not by all roles');
    unlike(end_in($session), qr/ERROR/, 'it ends well');
    my $last = 'ORDER BY run DESC LIMIT 1';
    is(value("SELECT state FROM lmtext.train_runs $last"), 'done', 'and is done');
    cmp_ok(value("SELECT count(*) FROM lmtext.train_log GROUP BY run $last"), '>', 0, 'with a curve');
    $session->query('ROLLBACK');
    is(value("SELECT state FROM lmtext.train_runs $last"), 'failed', 'rolled back, it has failed');
    begin_in($session, $train);
    wait_for(q{SELECT bool_or(state = 'running' AND done > 0) FROM lmtext.train_runs}, 'another one');
    value(q{SELECT pg_cancel_backend(pid) FROM lmtext.train_runs WHERE state = 'running'});
    like(end_in($session), qr/57014/, 'is cancelled');
    is(value("SELECT state FROM lmtext.train_runs $last"), 'failed', 'and has failed');

    value("$train; SELECT lmtext.unload_model('head')");
    $session->query(q{BEGIN; DECLARE x CURSOR FOR SELECT lmtext.classify(body, 'head') FROM doc});
    say_in($session, 'FETCH 1 FROM x');
    is(value(q{SELECT string_agg(version || ' ' || pins, ' ' ORDER BY version) FROM lmtext.model_cache
            WHERE version IN ('head@1', 'minilm@1')}),
        'head@1 1 minilm@1 1', 'a head pins itself and its base');
    value(q{SELECT lmtext.unload_model('minilm'), lmtext.unload_model('head')});
    like(say_in($session, 'FETCH 1 FROM x'), qr/^[01]$/, 'it computes on when both are unloaded');
    $session->query('COMMIT');
    like(say_in($session, q{SELECT lmtext.classify('a', 'head')}), qr/^[01]$/, 'and loads both again');
    is(slots("pins > 0 OR state <> 'ready'"), 0, 'nothing is pinned');
    value(q{SELECT lmtext.unload_model('minilm')});
    like(say_in($session, q{SELECT lmtext.classify('a', 'head')}), qr/^[01]$/, 'or only the base');

    value(q{GRANT SELECT (file) ON "head@1" TO plain; ALTER TABLE "head@1" OWNER TO watcher});
    like(complaint(q{SET ROLE plain; SELECT lmtext.classify('a', 'head')}),
        qr/42501/, "a head whose owner may not use its base is no way to the base");
    value(q{GRANT SELECT (file) ON "minilm@1" TO watcher});
    like(value(q{SET ROLE plain; SELECT lmtext.classify('a', 'head')}), qr/^[01]$/, 'else it is one');
    like(complaint(q{SET ROLE plain; SELECT lmtext.embed('a', 'minilm')}), qr/42501/, 'for labels only');
    $session->quit;
}

# ---- No shared memory ----

{
    my $session = session();
    my $pid = $session->query('SELECT pg_backend_pid()');
    value(q{SELECT lmtext.unload_model('c')});
    system_or_bail('prlimit', "--pid=$pid", '--fsize=65536:');
    my $result = say_in($session, q{SELECT 'result', (lmtext.embed('a', 'c'))[1] IS NOT NULL});
    like($result, qr{WARNING:  53400:.*HINT:  Enlarge /dev/shm}s, 'no room for a segment is a warning');
    like($result, qr/result\|t/, 'and a private copy');
    is(slots("version = 'c\@1'"), 0, 'nothing is left in the registry');
    is(value(q{SELECT (lmtext.embed('a', 'c'))[1] IS NOT NULL}), 't', 'others load it');
    is(slots("version = 'c\@1' AND state = 'ready'"), 1, 'into shared memory');
    $session->quit;
}

# ---- A killed loader; nothing is left in the file system ----

{
    safe('with models loaded in every way');
    $node->append_conf('postgresql.conf', 'dynamic_shared_memory_type = mmap');
    $node->restart;
    expect_restart();
    value(q{SELECT lmtext.load_model('minilm')});
    my $folder = $node->data_dir . '/pg_dynshmem';
    my $large = sub { scalar(grep { -s $_ > 50_000_000 } glob("$folder/mmap.*")) };
    is($large->(), 1, 'one segment per model');
    my ($loader, $pid) = stopped_loader();
    crash($pid);
    eval { $loader->quit };
    expect_restart();
    is(slots('true'), 0, 'the registry starts empty');
    is($large->(), 0, 'no segment is left');
    is(value(q{SELECT (lmtext.embed('a', 'minilm'))[1] IS NOT NULL}), 't', 'models are loaded again');
    is(slots("state = 'ready' AND loads = 1"), 1, 'once');
    is($large->(), 1, 'into one segment');
}

# ---- No registry: the lock table has eaten the slack (from 17 on a segment of its own holds it) ----

{
    my $slack = $node->pg_version < 17;
    my $poor = start_node('poor', conf => "max_connections = 10\n");
    # CREATE EXTENSION locks each of its objects.
    $poor->safe_psql('postgres', "CREATE EXTENSION lmtext; SELECT lmtext.import_model('a', '$tiny')");
    $poor->append_conf('postgresql.conf', 'max_locks_per_transaction = 24');
    my $eat = 'SELECT count(pg_advisory_lock(i)) FROM generate_series(1, 1000000) i';
    my $use = q{SELECT 'result', (lmtext.embed('a', 'a'))[1] IS NOT NULL};
    $poor->restart;
    expect_restart();
    $poor->psql('postgres', $eat, stderr => \my $err);
    like($err, qr/out of shared memory/, 'shared memory is used up');
    # The locks go with their session, whose end psql does not wait for.
    ok($poor->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'}),
        'and free again');
    my ($status, $out, $errors) = $poor->psql('postgres', $use);
    like($out, qr/result\|t/, 'without a registry a model is loaded privately');
    like($errors, $slack ? qr/WARNING.*HINT:  Add lmtext to shared_preload_libraries/s : qr/^$/,
        'with a warning');
    is($poor->safe_psql('postgres', 'SELECT shares_models, obstacle IS NOT NULL FROM lmtext.device'),
        $slack ? 'f|t' : 't|f', 'lmtext.device says so');
    like($poor->safe_psql('postgres', q{SELECT status || ' ' || detail FROM lmtext.health() WHERE "check" = 'shared_memory'}),
        $slack ? qr/^fail Models cannot be shared: ./ : qr/^pass/, 'and lmtext.health');

    $poor->append_conf('postgresql.conf', "shared_preload_libraries = 'lmtext'");
    $poor->restart;
    expect_restart();
    $poor->psql('postgres', $eat, stderr => \$err);
    $poor->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'client backend'});
    ($status, $out, $errors) = $poor->psql('postgres', $use);
    is($errors, '', 'preloaded, the registry has its memory');
    is($poor->safe_psql('postgres', 'SELECT state FROM lmtext.model_cache'), 'ready', 'and shares');
    # All else that lmtext shares is in segments: the slack has room for little.
    is($poor->safe_psql('postgres', q{SELECT string_agg(substring(name, '^lmtext \D+'), ',' ORDER BY name), sum(allocated_size) < 16000
            FROM pg_shmem_allocations WHERE name ^@ 'lmtext'}),
        $slack ? 'lmtext areas ,lmtext registry |t' : '|', 'in main shared memory are the directory and the registry');
    my $victim = $poor->background_psql('postgres');
    my $pid = $victim->query('SELECT pg_backend_pid()');
    crash($pid, 'the server restarts after a crash');
    eval { $victim->quit };
    expect_restart();
    is($poor->safe_psql('postgres', 'SELECT count(*) FROM lmtext.model_cache'), 0, 'with a new registry');
    like($poor->safe_psql('postgres', $use), qr/result\|t/, 'that works');
    is($poor->safe_psql('postgres', 'SELECT state FROM lmtext.model_cache'), 'ready', 'and shares');
}

done();
