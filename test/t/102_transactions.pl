# 102_transactions.pl - whatever becomes of a transaction, the registry, the segments and what sessions hold agree, and the
# next statement works.
use strict;
use warnings;

use Lmtext;
use Time::HiRes qw(sleep);

my $node = start_node('transactions', conf => <<'CONF');
max_prepared_transactions = 4
dynamic_shared_memory_type = mmap
max_parallel_workers_per_gather = 0
CONF

value(qq{
    CREATE EXTENSION lmtext;
    CREATE TABLE weights (number int, word text, folder text);
    INSERT INTO weights VALUES (1, 'first', '$tiny'), (2, 'second', '$tiny-tanh'), (3, 'third', '$tiny-prefix');
    SELECT lmtext.import_model('known', folder) FROM weights ORDER BY number;
    CREATE TABLE doc AS SELECT i AS id, 'text number ' || i AS body, (i % 2)::text AS label FROM generate_series(1, 30) i;
    CREATE TABLE answer AS SELECT body, word, lmtext.embed(body, 'known\@' || number) AS vector
        FROM (SELECT body FROM doc UNION ALL VALUES ('a text')) d, weights;
    SELECT lmtext.drop_model('known');
    CREATE FUNCTION word_of(text, real[]) RETURNS text STABLE STRICT LANGUAGE sql AS
        \$\$SELECT coalesce((SELECT word FROM answer a WHERE a.body = \$1 AND a.vector = \$2), 'NONE')\$\$;
    CREATE FUNCTION tells(model text) RETURNS text STABLE LANGUAGE sql AS \$\$SELECT word_of('a text', lmtext.embed('a text', model))\$\$;
    CREATE FUNCTION add(model text, n int) RETURNS int LANGUAGE sql AS
        \$\$SELECT lmtext.import_model(model, folder) FROM weights WHERE number = n\$\$;
    SELECT add('m', 1), add('m', 2), add('n', 3);
    CALL lmtext.train('h', 'SELECT body, label FROM doc', '{"base": "m", "hold_out": 0}');
});

sub slots
{
    my ($where) = @_;
    return value("SELECT count(*) FROM lmtext.model_cache WHERE $where");
}

sub segments
{
    my $files = () = glob($node->data_dir . '/pg_dynshmem/mmap.*');
    return $files;
}

value('SELECT lmtext.unload_model(model) FROM lmtext.models');
my $own_segments = segments() - slots('true');

# Row 47: nothing pinned or half made, a segment for each registered model and no other. A session that has just ended may
# need a moment.
sub agree
{
    my ($what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $found;
    for my $try (1 .. 20)
    {
        $found = join ' ', slots("state <> 'ready'"), slots('pins > 0'), segments() - $own_segments - slots("state = 'ready'");
        last if $found eq '0 0 0';
        sleep 0.1;
    }
    return is($found, '0 0 0', "$what: registry and segments agree");
}

my $session = session();

# The last line that a session says to a script.
sub last_of
{
    my ($sql) = @_;
    my @lines = grep { /\S/ } split /\n/, $session->query($sql);
    return @lines ? $lines[-1] =~ s/^\s+|\s+$//gr : '';
}

# ---- Scripts: what is said at the end, then the law ----

my @scripts = (
    [ 'ROLLBACK after use' => q{BEGIN; SELECT tells('m'); ROLLBACK; SELECT tells('m')}, 'first' ],
    [ 'an error after use' => q{BEGIN; SELECT tells('m'), tells('n'); SELECT 1 / 0; ROLLBACK; SELECT tells('n')}, 'third' ],
    [ 'an error in the middle of rows' => q{SELECT lmtext.embed(body, 'm'), 1 / (id - 20) FROM doc; SELECT tells('m')}, 'first' ],
    [ 'an import rolled back' => q{BEGIN; SELECT add('x', 2); SELECT tells('x'); ROLLBACK; SELECT count(*) FROM lmtext.models WHERE name = 'x'}, '0' ],
    [ 'an import and a training rolled back' => q{BEGIN; SELECT add('x', 2);
        CALL lmtext.train('y', 'SELECT body, label FROM doc', '{"base": "x", "hold_out": 0}');
        SELECT lmtext.classify('a', 'y'); ROLLBACK; SELECT count(*) FROM lmtext.models WHERE name IN ('x', 'y')}, '0' ],
    [ 'savepoints' => q{BEGIN; SAVEPOINT a; SELECT tells('m'); SAVEPOINT b; SELECT add('x', 2); SELECT tells('x'); ROLLBACK TO b;
        SELECT tells('m@2'); RELEASE a; SELECT tells('n'); COMMIT; SELECT tells('m')}, 'first' ],
    [ 'an import inside a savepoint that is kept' => q{BEGIN; SAVEPOINT a; SELECT add('x', 2); RELEASE a; SELECT tells('x'); COMMIT;
        SELECT tells('x')}, 'second' ],
    [ 'its drop rolled back' => q{BEGIN; SELECT lmtext.drop_model('x'); ROLLBACK; SELECT tells('x')}, 'second' ],
    [ 'its drop rolled back to a savepoint' => q{BEGIN; SELECT tells('x'); SAVEPOINT a; SELECT lmtext.drop_model('x'); SELECT tells('x');
        ROLLBACK TO a; SELECT tells('x'); COMMIT; SELECT tells('x')}, 'second' ],
    [ 'its drop' => q{SELECT lmtext.drop_model('x'); SELECT count(*) FROM lmtext.model_cache WHERE version LIKE 'x@%'}, '0' ],
    [ 'blocks with EXCEPTION' => q{DO $$ BEGIN FOR i IN 1 .. 50 LOOP
            BEGIN PERFORM tells('m'), lmtext.classify('a', 'h'), 1 / (i % 3); EXCEPTION WHEN division_by_zero THEN PERFORM tells('n'); END;
            BEGIN PERFORM lmtext.embed('a', 'nosuch'); EXCEPTION WHEN undefined_object THEN PERFORM tells('m@2'); END;
            BEGIN PERFORM lmtext.embed(repeat('word ', 9000), 'm@1'::regclass, on_long => 'error'); EXCEPTION WHEN program_limit_exceeded THEN END;
        END LOOP; END $$; SELECT tells('m')}, 'first' ],
    [ 'an import in a block that fails' => q{DO $$ BEGIN
            FOR i IN 1 .. 5 LOOP
                BEGIN PERFORM add('x', 3); PERFORM tells('x'), 1 / 0; EXCEPTION WHEN division_by_zero THEN END;
            END LOOP; END $$; SELECT count(*) FROM lmtext.models WHERE name = 'x'}, '0' ],
    [ 'COMMIT in a procedure' => q{CREATE OR REPLACE PROCEDURE p() LANGUAGE plpgsql AS $$ DECLARE said text := ''; BEGIN
            FOR i IN 1 .. 6 LOOP
                said := said || left(tells('m'), 1) || left(word_of('a text', lmtext.embed('a text', 'm')), 1);
                PERFORM lmtext.deploy('m', 1 + i % 2);
                IF i % 3 = 0 THEN ROLLBACK; ELSE COMMIT; END IF;
            END LOOP; PERFORM lmtext.deploy('m', 1); COMMIT; PERFORM set_config('test.said', said, false); END $$;
        CALL p(); SELECT current_setting('test.said')}, 'ffssffffffss' ],
    [ 'COMMIT in a loop over a cursor' => q{DO $$ DECLARE said text := ''; r record; BEGIN
            FOR r IN SELECT id, word_of(body, lmtext.embed(body, 'm')) AS w FROM doc WHERE id < 7 LOOP
                said := said || left(r.w, 1);
                PERFORM lmtext.deploy('m', 2); COMMIT;
            END LOOP;
            said := said || left(tells('m'), 1);
            PERFORM lmtext.deploy('m', 1); COMMIT; PERFORM set_config('test.said', said, false); END $$;
        SELECT current_setting('test.said')}, 'ffffffs' ],
    [ 'imports and drops with COMMIT' => q{DO $$ BEGIN FOR i IN 1 .. 3 LOOP
            PERFORM add('x', i); COMMIT; PERFORM tells('x'); COMMIT; PERFORM lmtext.drop_model('x'); COMMIT; PERFORM tells('m'); END LOOP; END $$;
        SELECT count(*) FROM lmtext.model_cache WHERE version LIKE 'x@%'}, '0' ],
    [ 'an error after COMMIT' => q{DO $$ BEGIN PERFORM tells('m'); COMMIT; PERFORM tells('n'), 1 / 0; END $$; SELECT tells('m')}, 'first' ],
    [ 'a cursor with hold' => q{BEGIN; DECLARE c CURSOR WITH HOLD FOR SELECT word_of(body, lmtext.embed(body, 'm')) FROM doc; FETCH 2 FROM c; COMMIT;
        SELECT lmtext.unload_model('m'); FETCH 1 FROM c; CLOSE c; SELECT tells('m')}, 'first' ],
    [ 'a cursor that is closed by ROLLBACK TO' => q{BEGIN; SAVEPOINT a; DECLARE c CURSOR FOR SELECT lmtext.embed(body, 'n') FROM doc; FETCH 1 FROM c;
        ROLLBACK TO a; SELECT count(*) FROM lmtext.model_cache WHERE pins > 0; COMMIT; SELECT tells('n')}, 'third' ],
    [ 'DISCARD ALL' => q{SET lmtext.embedding_model = 'm'; PREPARE q AS SELECT lmtext.embed('a'); EXECUTE q; DISCARD ALL;
        SELECT current_setting('lmtext.embedding_model') || tells('m')}, 'first' ],
    [ 'DISCARD ALL of a temporary table of vectors' => q{CREATE TEMP TABLE t AS SELECT lmtext.embed(body, 'm') AS v FROM doc;
        CREATE INDEX ON t ((v <-> v)); DISCARD TEMP; SELECT tells('m')}, 'first' ],
    [ 'ON COMMIT DROP' => q{BEGIN; CREATE TEMP TABLE t ON COMMIT DROP AS SELECT lmtext.embed(body, 'm') AS v FROM doc;
        SELECT count(*) FROM t; COMMIT; SELECT tells('m')}, 'first' ],
    [ 'SET LOCAL' => q{BEGIN; SET LOCAL lmtext.embedding_model = 'n'; SELECT word_of('a text', lmtext.embed('a text')); COMMIT;
        SELECT current_setting('lmtext.embedding_model') || '-'}, '-' ],
    [ 'SET LOCAL of the level, rolled back' => q{BEGIN; SET LOCAL lmtext.isa = scalar; SELECT lmtext.embed('a text', 'm') IS NULL; ROLLBACK; SELECT tells('m')}, 'first' ],
    [ 'RESET ALL' => q{SET lmtext.isa = scalar; SET lmtext.embedding_model = 'm@2'; SELECT lmtext.embed('a') IS NULL; RESET ALL; SELECT tells('m')}, 'first' ],
    [ 'LOAD again' => q{LOAD 'lmtext'; SELECT tells('m'); LOAD 'lmtext'; SELECT tells('m')}, 'first' ],
    [ 'PREPARE TRANSACTION after use' => q{BEGIN; SELECT tells('m'), lmtext.classify('a', 'h'); PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p'; SELECT tells('m')}, 'first' ],
    [ 'PREPARE TRANSACTION of an import' => q{BEGIN; SELECT add('x', 2); SELECT tells('x'); PREPARE TRANSACTION 'p'; ROLLBACK PREPARED 'p';
        SELECT count(*) FROM lmtext.models WHERE name = 'x'}, '0' ],
    [ 'PREPARE TRANSACTION of an unload' => q{BEGIN; SELECT tells('m'); SELECT lmtext.unload_model('m'); PREPARE TRANSACTION 'p'; ROLLBACK PREPARED 'p'; SELECT tells('m')}, 'first' ],
    [ 'a cursor left open' => q{BEGIN; DECLARE c CURSOR FOR SELECT lmtext.embed(body, 'm') FROM doc; FETCH 1 FROM c; COMMIT; SELECT tells('m')}, 'first' ],
    [ 'unload inside a transaction that is rolled back' => q{BEGIN; SELECT tells('m'); SELECT lmtext.unload_model('m'); ROLLBACK; SELECT tells('m')}, 'first' ],
    [ 'a read-only transaction' => q{BEGIN READ ONLY; SELECT tells('m'); SELECT add('x', 1); ROLLBACK; SELECT tells('m')}, 'first' ],
    [ 'a serializable transaction' => q{BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT tells('m'); SELECT add('x', 1); SELECT tells('x'); COMMIT;
        SELECT lmtext.drop_model('x'); SELECT tells('m')}, 'first' ],
    [ 'a query of a training that uses its base' => q{CALL lmtext.train('z', 'SELECT body, CASE WHEN lmtext.similarity(body, ''a text'', ''m'') > 0.5
        THEN id % 2 ELSE id % 3 END::text FROM doc', '{"base": "m", "hold_out": 0}'); SELECT lmtext.drop_model('z'); SELECT tells('m')}, 'first' ],
    # Last, since train_runs keeps so many runs and no more.
    [ 'a training that fails' => q{CALL lmtext.train('z', 'SELECT body, label FROM doc WHERE 1 / (id - 29) < 5', '{"base": "m"}'); SELECT tells('m')}, 'first' ],
    [ 'a training in a block that fails' => q{DO $$ BEGIN BEGIN CALL lmtext.train('z', 'SELECT body, label FROM doc', '{"base": "m", "hold_out": 0}');
        PERFORM 1 / 0; EXCEPTION WHEN division_by_zero THEN END; END $$; SELECT count(*) FROM lmtext.models WHERE name = 'z'}, '0' ],
);
for my $script (@scripts)
{
    my ($what, $sql, $expected) = @$script;
    for my $round (1 .. effort(1, 2, 20))
    {
        is(last_of("$sql;"), $expected, $what);
        agree($what);
    }
}
is(value(q{SELECT string_agg(DISTINCT state, ' ') FROM lmtext.train_runs WHERE model IN ('y', 'z') AND state <> 'done'}), 'failed',
    'trainings that were rolled back have failed');

# ---- Prepared transactions that others wait for ----

{
    say_in($session, q{BEGIN; SELECT add('w', 2); PREPARE TRANSACTION 'p'});
    my $waiter = session();
    $waiter->query('SET client_min_messages = warning');
    my $pid = begin_in($waiter, q{SELECT add('w', 3);});
    wait_for("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid", 'an import waits for a prepared one');
    value("SELECT pg_cancel_backend($pid)");
    like(end_in($waiter), qr/57014/, 'and can be cancelled');
    begin_in($waiter, q{SELECT add('w', 3);});
    wait_for("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid", 'or waits');
    value(q{COMMIT PREPARED 'p'});
    is(end_in($waiter) =~ s/\s//gr, '2', 'for its number');
    is(value(q{SELECT tells('w') || tells('w@2')}), 'secondthird', 'both are there');
    say_in($session, q{BEGIN; SELECT lmtext.drop_model('w'); PREPARE TRANSACTION 'p'});
    begin_in($waiter, q{SELECT tells('w');});
    wait_for("SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid", 'a user waits for a prepared drop');
    $node->restart;
    expect_restart();
    eval { $waiter->quit };
    eval { $session->quit };
    is(value(q{SELECT count(*) FROM pg_prepared_xacts}), 1, 'which survives a restart');
    is(value(q{SET lock_timeout = '1ms'; SELECT string_agg(version || ' ' || status, ', ' ORDER BY version) FROM lmtext.models WHERE name = 'w';
        SELECT count(*) FROM lmtext.model_cache; SELECT count(*) FROM lmtext.stats WHERE version ~ '^w@'}), "1 busy, 2 busy\n0\n0",
        'the views do not wait for a prepared drop');
    # Makes the segment of the statistics.
    value(q{SELECT tells('m')});
    value(q{SELECT lmtext.unload_model('m')});
    $own_segments = segments();
    value(q{ROLLBACK PREPARED 'p'});
    is(value(q{SELECT tells('w') || tells('w@2')}), 'secondthird', 'and is undone');
    value(q{SELECT lmtext.drop_model('w')});
    $session = session();
}

# ---- Idle in transaction ----

{
    value(q{SELECT tells('m')});
    my $before = slots(q{version = 'm@1'});
    say_in($session, q{BEGIN; SELECT tells('m')});
    is(slots('pins > 0'), 0, 'an idle transaction without a cursor pins nothing');
    is(value(q{SELECT lmtext.unload_model('m')}), 't', 'its model can be unloaded');
    is(slots(q{version = 'm@1'}), 0, 'and is gone at once');
    say_in($session, q{DECLARE c CURSOR FOR SELECT lmtext.embed(body, 'm') FROM doc; FETCH 1 FROM c});
    is(slots('pins = 1'), 1, 'an open cursor pins its model');
    my $pid = $session->query('SELECT pg_backend_pid()');
    value("SELECT pg_terminate_backend($pid, 10000)");
    eval { $session->quit };
    agree('the end of a session with an open cursor');
    $session = session();
    say_in($session, q{SET idle_in_transaction_session_timeout = '100ms'; BEGIN; DECLARE c CURSOR FOR SELECT lmtext.embed(body, 'm') FROM doc; FETCH 1 FROM c});
    wait_for(q{SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE state LIKE 'idle in transaction%')}, 'a session that idles too long is ended');
    eval { $session->quit };
    agree('the end of a session that idled');
    $session = session();
}

# ---- Many in one session ----

{
    my $rounds = effort(100, 400, 3000);
    my $rss = sub {
        my $pid = $session->query('SELECT pg_backend_pid()');
        open my $file, '<', "/proc/$pid/status" or die "status of $pid: $!";
        return (map { /^RssAnon:\s+(\d+)/ ? $1 : () } <$file>)[0];
    };
    my $round = q{DO $$ BEGIN FOR i IN 1 .. %d LOOP
        BEGIN
            PERFORM tells('m'), tells('n'), lmtext.classify('a', 'h');
            PERFORM lmtext.unload_model('n');
            PERFORM lmtext.embed('a', 'm'), 1 / (i %% 2);
        EXCEPTION WHEN division_by_zero THEN PERFORM tells('n');
        END;
        COMMIT;
    END LOOP; END $$;};
    say_in($session, sprintf($round, $rounds)) for 1 .. 2;
    my $before = $rss->();
    say_in($session, sprintf($round, $rounds));
    cmp_ok($rss->() - $before, '<=', 1024, "$rounds transactions with loads, errors and unloads leak nothing (kB)");
    agree('many transactions');
}

value('SELECT lmtext.unload_model(model) FROM lmtext.models');
is(slots('version IS NOT NULL'), 0, 'everything can be unloaded');
$session->quit;
agree('at the end');
done();
