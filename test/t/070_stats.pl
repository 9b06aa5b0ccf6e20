# 070_stats.pl - statistics of calls: exact whatever happens to calls, seen by the right roles only, and
# without a word of what users wrote; lmtext.model_cache beside them.
use strict;
use warnings;

use Lmtext;
use IPC::Run;
use List::Util qw(sum0 shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $node = start_node('stats', streaming => 1, conf => <<'CONF');
max_connections = 60
shared_buffers = 128MB
max_prepared_transactions = 20
max_worker_processes = 16
max_parallel_workers = 16
log_statement = none
CONF

# Texts of three words, each of which is one token: five tokens with the special ones.
my $tokens = 5;
sub make_doc
{
    my ($database) = @_;
    value(q{
        CREATE TABLE doc AS
            SELECT a.i * 100 + b.i * 10 + c.i - 110 AS id, a.w || ' ' || b.w || ' ' || c.w AS body, (c.i % 2)::text AS label
            FROM unnest('{one,two,three,four,five,six,seven,eight,nine,ten}'::text[]) WITH ORDINALITY a(w, i),
                 unnest('{one,two,three,four,five,six,seven,eight,nine,ten}'::text[]) WITH ORDINALITY b(w, i),
                 unnest('{one,two,three,four,five,six,seven,eight,nine,ten}'::text[]) WITH ORDINALITY c(w, i);
        ALTER TABLE doc SET (parallel_workers = 2);
        ANALYZE doc;
        GRANT SELECT ON doc TO PUBLIC}, $database);
}
value(qq{CREATE EXTENSION lmtext; SELECT lmtext.import_model('minilm', '$real')});
make_doc('postgres');

# ---- Without shared memory there are no statistics, and no failure ----

{
    value(qq{SELECT lmtext.import_model('small', '$tiny')});
    my $session = session();
    my $pid = $session->query('SELECT pg_backend_pid()');
    value('CHECKPOINT'); # so that this session need not write files
    system_or_bail('prlimit', "--pid=$pid", '--fsize=65536:');
    like(say_in($session, q{SELECT lmtext.count_tokens('one', 'small')}), qr/^4/, 'a function does not need statistics');
    like(say_in($session, q{SELECT obstacle FROM lmtext.stats_info}), qr/shared memory|resize/, 'which say why they are not there');
    is(say_in($session, q{SELECT count(*) FROM lmtext.stats}), '0', 'and are empty');
    is(say_in($session, q{SELECT count(*) FROM lmtext.latency_histogram()}), '0', 'without a bucket');
    like(say_in($session, q{SELECT status || ' ' || detail FROM lmtext.health() WHERE "check" = 'statistics'}), qr/^warn Calls are not counted: /,
        'which lmtext.health reports');
    is(value(q{SELECT lmtext.count_tokens('one', 'small')}), '4', 'another session');
    is(value(q{SELECT calls FROM lmtext.stats}), '1', 'counts');
    is(say_in($session, q{SELECT obstacle IS NULL, entries FROM lmtext.stats_info}), 't|1', 'and this one finds what that made');
    is(say_in($session, q{SELECT lmtext.count_tokens('one', 'small'); SELECT calls FROM lmtext.stats}), "4\n2", 'and counts as well');
    $session->quit;
    safe('without shared memory');
}

# ---- Exact sums ----

value(q{
    SELECT lmtext.stats_reset();
    ALTER DATABASE postgres SET lmtext.embedding_model = 'minilm';
    ALTER DATABASE postgres SET max_parallel_workers_per_gather = 0;
    CREATE TABLE kept (body text, embedding real[]);
    CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON kept
        FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'embedding', 'minilm@1')});
value(q{CALL lmtext.train('parity', 'SELECT body, label FROM doc WHERE id <= 50', '{"max_steps": 10}')});

# Counts of 'version function': calls, rows, tokens, truncated, errors, cached.
my %expected = ('minilm@1 train' => [ 1, 50, 50 * $tokens, 0, 0, 0 ]);

sub expect
{
    my ($key, $calls, $rows, $errors, $hits) = @_;
    my $sum = $expected{$key} //= [ (0) x 6 ];
    my @add = ($calls, $rows, $rows * $tokens, 0, $errors // 0, $hits // 0);
    $sum->[$_] += $add[$_] for 0 .. 5;
}

sub counted
{
    my ($database) = @_;
    return { map { my ($key, @counts) = split /\|/; $key => \@counts }
          split /\n/, value(
        q{SELECT concat_ws(' ', coalesce(version, '?'), function), sum(calls), sum(rows), sum(tokens), sum(truncated),
            sum(errors), sum(cached) FROM lmtext.stats WHERE database = current_database() GROUP BY 1}, $database) };
}

# No call is missing from the buckets, and none is there twice.
sub buckets_hold_all
{
    my ($what) = @_;
    return is(value(q{SELECT count(*) FROM (
            SELECT role, database, model, version, function, sum(calls) AS calls FROM lmtext.latency_histogram() GROUP BY 1, 2, 3, 4, 5) h
        FULL JOIN (SELECT role, database, model, version, function, calls FROM lmtext.stats WHERE calls > 0) s
            ON (h.role, h.database, h.function, h.calls) = (s.role, s.database, s.function, s.calls)
                AND h.model IS NOT DISTINCT FROM s.model AND h.version IS NOT DISTINCT FROM s.version
        WHERE h.calls IS NULL OR s.calls IS NULL}), 0, $what);
}

sub sums_are
{
    my ($what) = @_;
    return is_deeply(counted(), { map { $_ => [ map { "$_" } @{ $expected{$_} } ] } keys %expected },
        $what);
}
sums_are('a training');

# What a session does, and what it must count. $k rows from $from on.
my $some = sub { my ($from, $k) = @_; return "FROM doc WHERE id BETWEEN $from AND " . ($from + $k - 1) };
my %operations = (
    'embed' => sub {
        my ($rows, $k) = @_;
        expect('minilm@1 embed', $k, $k);
        return "SELECT count(lmtext.embed(body)) $rows;";
    },
    'pinned' => sub {
        my ($rows, $k) = @_;
        expect('minilm@1 embed', $k, $k);
        return "SELECT count(lmtext.embed(body, 'minilm\@1'::regclass)) $rows;";
    },
    'array' => sub {
        my ($rows, $k) = @_;
        expect('minilm@1 embed', 1, $k);
        return "SELECT cardinality(lmtext.embed(array_agg(body))) $rows;";
    },
    'classify' => sub {
        my ($rows, $k) = @_;
        expect('parity@1 classify', $k, $k);
        return "SELECT count(lmtext.classify(body, 'parity')) $rows;";
    },
    'scores of an array' => sub {
        my ($rows, $k) = @_;
        expect('parity@1 class_scores', 1, $k);
        return "SELECT count(*) FROM lmtext.class_scores((SELECT array_agg(body) $rows), 'parity');";
    },
    'count_tokens' => sub {
        my ($rows, $k) = @_;
        expect('minilm@1 count_tokens', $k, $k);
        return "SELECT sum(lmtext.count_tokens(body)) $rows;";
    },
    'rolled back' => sub {
        my ($rows, $k) = @_;
        expect('minilm@1 embed', $k, $k);
        return "BEGIN; SELECT count(lmtext.embed(body)) $rows; ROLLBACK;";
    },
    'savepoint' => sub {
        my ($rows, $k) = @_;
        expect('minilm@1 embed', $k, $k);
        expect('? embed', 1, 0, 1);
        expect('parity@1 classify', $k, $k);
        return "BEGIN; SAVEPOINT s; SELECT count(lmtext.embed(body)) $rows; SELECT lmtext.embed('a', 'nosuch');
            ROLLBACK TO s; SELECT count(lmtext.classify(body, 'parity')) $rows; COMMIT;";
    },
    'caught' => sub {
        my ($rows, $k) = @_;
        expect('minilm@1 embed', $k, 0, $k);
        return "DO \$\$ DECLARE one text; BEGIN
            FOR one IN SELECT body $rows LOOP
                BEGIN PERFORM lmtext.embed(one, dimensions => 1000); EXCEPTION WHEN invalid_parameter_value THEN NULL; END;
            END LOOP; END \$\$;";
    },
    'wrong task' => sub {
        expect('minilm@1 classify', 1, 0, 1);
        return "SELECT lmtext.classify('one two three', 'minilm');";
    },
    'parallel' => sub {
        my ($rows, $k) = @_;
        expect('minilm@1 embed', $k, $k);
        expect('minilm@1 tokenize', 1000, 0);
        $expected{'minilm@1 tokenize'}[1] += 1000;
        $expected{'minilm@1 tokenize'}[2] += 3000;
        return "BEGIN; SET LOCAL max_parallel_workers_per_gather = 2; SET LOCAL parallel_setup_cost = 0;
            SET LOCAL parallel_tuple_cost = 0; SET LOCAL min_parallel_table_scan_size = 0;
            SELECT count(lmtext.embed(body)) $rows; SELECT sum(cardinality(lmtext.tokenize(body))) FROM doc; COMMIT;";
    },
    'prepared' => sub {
        my ($rows, $k, $name) = @_;
        expect('minilm@1 embed', $k, $k);
        my $end = $k % 2 ? 'COMMIT' : 'ROLLBACK';
        return "BEGIN; SELECT count(lmtext.embed(body)) $rows; PREPARE TRANSACTION '$name'; $end PREPARED '$name';";
    },
    'remembered' => sub {
        my ($rows, $k) = @_;
        expect('minilm@1 embed', 1, 1, 0, $k - 1);
        return "SELECT count(lmtext.embed('one two three')) $rows;";
    },
    'similarity' => sub {
        my ($rows, $k) = @_;
        expect('minilm@1 similarity', $k, $k + 1);
        return "SELECT sum(lmtext.similarity(body, 'one two three')) $rows;";
    },
    'distance' => sub {
        my ($rows, $k) = @_;
        expect('minilm@1 distance', $k, $k + 1);
        return "SELECT sum(body <=> 'one two three') $rows;";
    },
    'train' => sub {
        my ($rows, $k, $name) = @_;
        expect('minilm@1 train', 1, $k);
        my $options = '{"hold_out": 0, "max_steps": 5}';
        $rows =~ s/'/''/g;
        return "BEGIN; CALL lmtext.train('$name', 'SELECT body, label $rows', '$options'); ROLLBACK;";
    },
    'trigger' => sub {
        my ($rows, $k) = @_;
        expect('minilm@1 embed_trigger', $k, $k);
        return "INSERT INTO kept SELECT body $rows;";
    },
    # Sequences are not rolled back: they tell how many calls began and how many ended.
    'cancelled' => sub {
        my ($rows, $k, $name) = @_;
        my $limit = 40 + 20 * $k;
        return "SET statement_timeout = $limit;
            SELECT count(CASE WHEN nextval('begun') > 0 THEN CASE WHEN lmtext.embed(body) IS NOT NULL THEN nextval('ended') END END)
            FROM doc, generate_series(1, 1000);
            RESET statement_timeout;";
    },
);

# Run scripts at the same time; all of them go on after errors.
sub run_together
{
    my ($database, @scripts) = @_;
    my @runs = map {
        my ($script, $out) = ($_, '');
        IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr($database) ], '<', \$script, '>&', \$out);
    } @scripts;
    $_->finish for @runs;
}

sub embedded
{
    my ($column) = @_;
    my ($index) = $column eq 'texts' ? 1 : 2;
    my %sum;
    for my $key (keys %expected)
    {
        my ($version, $function) = split / /, $key;
        $sum{$version} += $expected{$key}[$index] unless $function =~ /token/ || $version eq '?';
    }
    return \%sum;
}

sub cached
{
    my ($column) = @_;
    return { map { split /\|/ } split /\n/, value(
            "SELECT version, $column FROM lmtext.model_cache WHERE version IN ('minilm\@1', 'parity\@1')") };
}

{
    value('CREATE SEQUENCE begun; CREATE SEQUENCE ended');
    my %before = map { $_ => [ cached($_), embedded($_) ] } qw(texts tokens);
    srand 7;
    my @scripts;
    for my $session (1 .. 10)
    {
        my $script = "SET client_min_messages = warning;\n";
        for my $round (1 .. effort(1, 3, 40))
        {
            for my $what (shuffle sort keys %operations)
            {
                my ($from, $k) = (1 + int rand 900, 2 + int rand 7);
                $script .= $operations{$what}->($some->($from, $k), $k, "s${session}_$round") . "\n";
            }
        }
        push @scripts, $script;
    }
    run_together('postgres', @scripts);
    my ($begun, $ended) = split /\|/, value('SELECT b.last_value, e.last_value FROM begun b, ended e');
    cmp_ok($begun - $ended, '>', 0, ($begun - $ended) . " of $begun calls were cancelled");
    expect('minilm@1 embed', $begun, $ended, $begun - $ended);
    sums_are('ten sessions: every function, errors, cancels, rollbacks, parallel queries');
    buckets_hold_all('and each call is in one bucket');
    for my $column (qw(texts tokens))
    {
        my ($cached, $sum) = (cached($column), embedded($column));
        is($cached->{$_} - ($before{$column}[0]{$_} // 0), $sum->{$_} - ($before{$column}[1]{$_} // 0),
            "model_cache counts the same $column of $_")
          for sort keys %$sum;
    }
    is(value('SELECT sum(pins) FROM lmtext.model_cache'), 0, 'and nothing is pinned');
    is(value('SELECT evicted FROM lmtext.stats_info'), 0, 'no entry was dropped');
    safe('after ten sessions');
}

# ---- A statement that a parallel worker computes is cancelled; a session ends in the middle ----

{
    my $session = session();
    my $query = q{SELECT count(lmtext.embed(body || ' ' || body)) FROM doc, generate_series(1, 1000)};
    $session->query(q{SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
        SET min_parallel_table_scan_size = 0;});
    like(say_in($session, "EXPLAIN $query"), qr/Gather.*Partial Aggregate/s, 'a statement goes parallel');
    say_in($session, 'SET statement_timeout = 700');
    my $most = 0;
    for my $round (1 .. effort(3, 10, 100))
    {
        my $before = counted()->{'minilm@1 embed'};
        like(say_in($session, $query), qr/57014/, 'and is cancelled');
        my $after = counted()->{'minilm@1 embed'};
        my ($calls, $rows, $sum, undef, $errors) = map { $after->[$_] - $before->[$_] } 0 .. 5;
        is($calls, $rows + $errors, "of $calls calls in parallel $errors were cancelled");
        is($sum, $rows * 8, 'and the others computed what was asked');
        $most = $errors if $errors > $most;
        $expected{'minilm@1 embed'} = [@$after];
    }
    cmp_ok($most, '>', 1, 'calls of workers among them');
    cmp_ok($most, '<=', 3, 'at most one a process');
    $session->quit;

    # A session that is terminated while it computes.
    for my $round (1 .. effort(3, 10, 100))
    {
        my ($begun, $ended) = split /\|/, value('SELECT b.last_value, e.last_value FROM begun b, ended e');
        my $victim = session();
        my $pid = begin_in($victim, q{SELECT count(CASE WHEN nextval('begun') > 0 THEN CASE WHEN lmtext.embed(body) IS NOT NULL
            THEN nextval('ended') END END) FROM doc, generate_series(1, 1000);});
        wait_for("SELECT last_value > $ended FROM ended", 'a session computes');
        value("SELECT pg_terminate_backend($pid, 5000)");
        eval { $victim->quit };
        my ($begun_now, $ended_now) = split /\|/, value('SELECT b.last_value, e.last_value FROM begun b, ended e');
        expect('minilm@1 embed', $begun_now - $begun, $ended_now - $ended, ($begun_now - $begun) - ($ended_now - $ended));
        sums_are('and is terminated');
    }
    buckets_hold_all('calls that were cut off are in a bucket too');
    safe('after cancels and terminations');
}

# ---- When others see it ----

{
    my $session = session();
    say_in($session, q{BEGIN; SELECT lmtext.count_tokens('one two three')});
    expect('minilm@1 count_tokens', 1, 1);
    sums_are('a statement inside an open transaction');
    say_in($session, 'ROLLBACK');
    my $before = counted()->{'minilm@1 embed'}[1];
    begin_in($session, q{SELECT count(lmtext.embed(body)) FROM doc, generate_series(1, 1000);});
    wait_for(qq{SELECT sum(rows) > $before FROM lmtext.stats WHERE function = 'embed'}, 'a long statement is seen while it runs');
    my $pid = value(q{SELECT pid FROM pg_stat_activity WHERE query LIKE '%generate_series(1, 1000)%' AND pid <> pg_backend_pid()});
    value("SELECT pg_cancel_backend($pid)");
    like(end_in($session), qr/57014/, 'and cancelled');
    $before = value(q{SELECT sum(rows) FROM lmtext.stats WHERE function = 'train'});
    begin_in($session, q{CALL lmtext.train('t', 'SELECT body, label FROM doc, generate_series(1, 1000)', '{"batch_rows": 20}');});
    wait_for(qq{SELECT sum(rows) > $before FROM lmtext.stats WHERE function = 'train'}, 'so is a training');
    value(q{SELECT pg_cancel_backend(pid) FROM lmtext.train_runs WHERE state = 'running'});
    like(end_in($session), qr/57014/, 'which is one call');
    is(counted()->{'minilm@1 train'}[4], 1, 'that failed');

    # Hits: once a backend and statement; loads and pins.
    my $hits = cached('hits')->{'minilm@1'};
    say_in($session, q{SELECT count(lmtext.embed(body)) FROM doc WHERE id <= 3}) for 1 .. 5;
    is(cached('hits')->{'minilm@1'} - $hits, 5, 'model_cache counts a hit for each statement');
    my $loads = cached('loads')->{'minilm@1'};
    value(q{SELECT lmtext.unload_model('minilm')});
    say_in($session, q{SELECT count(lmtext.embed(body)) FROM doc WHERE id <= 3}) for 1 .. 2;
    is(cached('loads')->{'minilm@1'} - $loads, 1, 'and a load for one that was not there');
    my @holders = map { session() } 1 .. 3;
    say_in($_, q{BEGIN; DECLARE x CURSOR FOR SELECT lmtext.embed(body) FROM doc; FETCH 1 FROM x; FETCH 1 FROM x}) for @holders;
    is(cached('pins')->{'minilm@1'}, 3, 'pins are the sessions that hold it');
    $_->quit for @holders;
    wait_for(q{SELECT sum(pins) = 0 FROM lmtext.model_cache}, 'and go with them');
    $session->quit;
    safe('after looks at running statements');
}

# ---- Who sees what: two databases, roles ----

{
    value(q{CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE boss LOGIN; GRANT alice, bob TO boss;
            CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher; CREATE ROLE janitor LOGIN});
    for my $database (qw(left right))
    {
        value(qq{CREATE DATABASE "$database"});
        value(qq{CREATE EXTENSION lmtext; SELECT lmtext.import_model('$database', '$tiny');
                 CREATE SCHEMA secret; GRANT USAGE ON SCHEMA secret TO alice; SELECT lmtext.import_model('secret.alices', '$tiny');
                 GRANT SELECT (file) ON "$database\@1" TO alice, bob; GRANT SELECT (file) ON secret."alices\@1" TO alice}, $database);
        value(qq{SELECT lmtext.count_tokens('plain', '$database')}, $database, extra_params => [ '-U', $_ ]) for qw(alice bob);
        value(q{SELECT lmtext.embed('marked word xylophone', 'secret.alices') IS NOT NULL}, $database, extra_params => [ '-U', 'alice' ]);
    }
    my $rows = q{SELECT coalesce(string_agg(concat_ws(' ', database, role, coalesce(version, '-'), model IS NOT NULL), ', ' ORDER BY database, role, version), 'nothing')
        FROM lmtext.stats WHERE database IN ('left', 'right')};
    my $own = {
        alice => 'LEFT alice LEFT@1 t, LEFT alice secret.alices@1 t',
        bob => 'LEFT bob LEFT@1 t',
        boss => 'LEFT alice LEFT@1 t, LEFT alice secret.alices@1 t, LEFT bob LEFT@1 t',
        janitor => 'nothing',
    };
    for my $database (qw(left right))
    {
        for my $role (sort keys %$own)
        {
            (my $expected = $own->{$role}) =~ s/LEFT/$database/g;
            is(value($rows, $database, extra_params => [ '-U', $role ]), $expected, "what $role sees in $database");
            (my $times = $rows) =~ s/FROM lmtext\.stats/FROM (SELECT DISTINCT database, role, version, model FROM lmtext.latency_histogram()) x/;
            is(value($times, $database, extra_params => [ '-U', $role ]), $expected, "and of whose calls the times");
        }
        is(value(q{SELECT count(*) FROM lmtext.stats}, $database, extra_params => [ '-U', 'watcher' ]),
            value(q{SELECT entries FROM lmtext.stats_info}, $database), 'pg_monitor sees all');
        is(value(q{SELECT bool_and((model IS NOT NULL) = (database = current_database())) FROM lmtext.stats
                   WHERE database IN ('left', 'right')}, $database, extra_params => [ '-U', 'watcher' ]),
            't', 'with tables of its own database only');
    }
    # A private model: not for the other role, nor for the other database.
    my $use = sub {
        my ($role, $database, $model) = @_;
        return state_of("SET ROLE $role; SELECT lmtext.embed('a', '$model')", $database);
    };
    is($use->('alice', 'left', 'secret.alices@1'), '', 'the model of alice is hers');
    is($use->('bob', 'left', 'secret.alices@1'), '42501', 'not of bob');
    is($use->('alice', 'right', 'left@1'), '42704', 'nor of another database');
    is(value(q{SET ROLE bob; SELECT count(*) FROM lmtext.model_cache WHERE version LIKE '%alices%'}, 'left'), 0, 'and not in his list');
    is(value(q{SET ROLE bob; SELECT count(*) FROM lmtext.stats WHERE version LIKE '%alices%'}, 'left'), 0, 'nor in his statistics');

    # Who resets, and what.
    is(state_of("SET ROLE $_; SELECT lmtext.stats_reset()", 'left'), '42501', "$_ may not reset") for qw(alice watcher janitor);
    value('GRANT EXECUTE ON FUNCTION lmtext.stats_reset() TO janitor', 'left');
    my $count = q{SELECT count(*) FILTER (WHERE database = 'left') || ' ' || count(*) FILTER (WHERE database = 'right') FROM lmtext.stats};
    isnt(value($count), '0 3', 'there are statistics of two databases');
    is(state_of('SET ROLE janitor; SELECT lmtext.stats_reset()', 'left'), '', 'who was granted it may');
    is(value($count), '0 4', 'for the own database');
    is(value('SELECT lmtext.stats_reset()', 'right'), '', 'a superuser may, in the other one');
    is(value($count), '0 0', 'and all is gone');

    # Words that were embedded lie nowhere that others can look at.
    my $text = q{SELECT string_agg(t::text, ' ') FROM (SELECT s::text FROM lmtext.stats s UNION ALL SELECT s::text FROM lmtext.stats_info s
        UNION ALL SELECT s::text FROM lmtext.model_cache s UNION ALL SELECT s::text FROM lmtext.train_runs s
        UNION ALL SELECT s::text FROM lmtext.train_log s UNION ALL SELECT s::text FROM lmtext.session_counters() s) t};
    unlike(value($text, 'left'), qr/xylophone|marked/, 'no view tells a word of a text');
    my @segments = grep { (-s $_ // 0) > 1_200_000 && -s $_ < 1_500_000 && -r $_ } glob('/dev/shm/PostgreSQL.*');
    cmp_ok(scalar(@segments), '>', 0, 'statistics lie in a segment');
    is(scalar(grep { slurp_file($_) =~ /xylophone/ } @segments), 0, 'where no word is either');
    value(q{ALTER ROLE alice RENAME TO alison; DROP OWNED BY bob}, 'left');
    value(q{DROP OWNED BY bob}, 'right');
    value(q{DROP OWNED BY bob; DROP ROLE bob});
    value(q{SELECT lmtext.count_tokens('plain', 'left')}, 'left', extra_params => [ '-U', 'alison' ]);
    is(value(q{SELECT role FROM lmtext.stats WHERE database = 'left'}, 'left'), 'alison', 'a role that was renamed is the same');
    value(q{DROP DATABASE "right"});
    safe('after looks of all roles');
}

# ---- More callers than entries ----

{
    value('SELECT lmtext.stats_reset()');
    my $before = value('SELECT entries FROM lmtext.stats_info');
    value(q{DO $$ BEGIN FOR i IN 1 .. 1100 LOOP EXECUTE format('CREATE ROLE many%s', i); END LOOP; END $$;
        GRANT SELECT (file) ON "minilm@1" TO PUBLIC});
    my $script = q{DO $$ BEGIN FOR i IN 1 .. 1100 LOOP
        EXECUTE format('SET LOCAL ROLE many%s', i); PERFORM lmtext.count_tokens('one', 'minilm'); RESET ROLE; END LOOP; END $$};
    value($script);
    is(value('SELECT entries, capacity, evicted FROM lmtext.stats_info'), '1024|1024|' . ($before + 1100 - 1024),
        'a full table drops entries and says how many');
    like(value(q{SELECT status || ' ' || detail FROM lmtext.health() WHERE "check" = 'statistics'}), qr/^warn 1024 of 1024 rows are taken; \d+ were dropped/,
        'as lmtext.health does');
    is(value(q{SELECT count(*) || ' ' || sum(calls) FROM lmtext.stats WHERE role ~ '^many' AND substr(role, 5)::int > 200}),
        '900 900', 'the least recently used ones');
    value('SELECT lmtext.stats_reset()');
    value($script);
    is(value(q{SELECT entries FROM lmtext.stats_info}), 1024, 'and has room again after a reset');
    value(q{DO $$ BEGIN FOR i IN 1 .. 1100 LOOP EXECUTE format('DROP ROLE many%s', i); END LOOP; END $$});
    is(value(q{SELECT count(*) FROM lmtext.stats WHERE role IS NULL AND database = current_database()}) > 1000 ? 1 : 0, 1,
        'entries of roles that are gone stay');
    value('SELECT lmtext.stats_reset()');
}

# ---- Nothing of users' texts in the log ----

{
    my $log = sub { my $text = slurp_file($node->logfile); return $text };
    value(q{CREATE DATABASE raw ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0});
    value(qq{CREATE EXTENSION lmtext; SELECT lmtext.import_model('minilm', '$real');
             CREATE TABLE bad AS SELECT i, 'xylophone ' || i || repeat(' xylophone', 300) AS body FROM generate_series(1, 10000) i;
             UPDATE bad SET body = 'xylophone ' || i || chr(x'FF'::int) WHERE i % 2 = 0;
             CREATE TABLE good AS SELECT i, 'xylophone ' || i AS body, (i % 2)::text AS label FROM generate_series(1, 20) i;
             CALL lmtext.train('parity', 'SELECT body, label FROM good', '{"base": "minilm"}')}, 'raw');
    my $start = length $log->();
    my %calls = (
        embed => q{lmtext.embed(body, 'minilm')}, similarity => q{lmtext.similarity(body, body, 'minilm')},
        distance => q{body <=> body}, classify => q{lmtext.classify(body, 'parity')},
        class_scores => q{lmtext.class_scores(body, 'parity')}, array => q{lmtext.embed(ARRAY[body], 'minilm')},
    );
    for my $what (sort keys %calls)
    {
        my $rows = effort(500, 3000, 10000);
        is(value(qq{SET lmtext.on_long = error; SET lmtext.embedding_model = 'minilm';
            DO \$\$ DECLARE row record; failed int = 0; BEGIN
                FOR row IN SELECT body FROM bad WHERE i <= $rows LOOP
                    BEGIN PERFORM $calls{$what} FROM (SELECT row.body) t;
                    EXCEPTION WHEN program_limit_exceeded OR character_not_in_repertoire THEN failed = failed + 1; END;
                END LOOP;
                IF failed <> $rows THEN RAISE '% of $rows failed', failed; END IF;
            END \$\$; SELECT 'all'}, 'raw'), 'all', "$what refuses every bad row");
    }
    my $said = substr($log->(), $start);
    cmp_ok(scalar(() = $said =~ /\n/g), '<=', 10, 'errors that are caught are not logged');
    unlike($said, qr/xylophone/, 'nor their texts');

    my $before = length $log->();
    my @uncaught = (
        (map { "SELECT $_ FROM bad WHERE i <= 1" } map { $calls{$_} } sort keys %calls),
        (map { "SELECT $_ FROM bad WHERE i = 2" } map { $calls{$_} } sort keys %calls),
        (map { "SELECT lmtext.$_(body, 'minilm') FROM bad WHERE i = 2" } qw(tokenize token_ids tokens count_tokens chunk)),
        q{SELECT lmtext.chunk(body, 'minilm', max_tokens => 0) FROM bad WHERE i = 1},
        q{SELECT lmtext.embed(array_agg(body) || NULL, 'minilm') FROM good},
        q{SELECT lmtext.embed(body, 'minilm', 'nosuch') FROM good}, q{SELECT lmtext.embed(body, 'nosuch') FROM good},
        q{SELECT lmtext.embed(body, 'minilm', dimensions => 0) FROM good},
        q{SELECT lmtext.classify(body, 'minilm') FROM good}, q{SELECT lmtext.embed(body, 'parity') FROM good},
        q{SELECT lmtext.tokenize(body, body) FROM good WHERE false},
        q{CALL lmtext.train('t', 'SELECT body, body FROM bad WHERE i = 1', '{"base": "minilm"}')},
        q{CALL lmtext.train('t', 'SELECT body, body FROM bad WHERE i = 2', '{"base": "minilm"}')},
        q{SELECT lmtext.classification_report('SELECT body, label FROM good')},
        q{SELECT lmtext.f1(body, label, 'binary') FROM good},
        q{CREATE TABLE kept (body text, embedding real[]); CREATE TRIGGER keep BEFORE INSERT ON kept FOR EACH ROW
            EXECUTE FUNCTION lmtext.embed_trigger('body', 'embedding', 'minilm@1'); INSERT INTO kept SELECT body FROM bad WHERE i = 2},
    );
    my $states = '';
    $states .= state_of("SET lmtext.on_long = error; SET lmtext.embedding_model = 'minilm'; $_", 'raw') . ' ' for @uncaught;
    like($states, qr/^(\w{5} | )+$/, "SQLSTATEs of @{[scalar @uncaught]} statements");
    cmp_ok(scalar(() = $states =~ /\w{5}/g), '>=', @uncaught - 5, 'most of which fail');
    $said = substr($log->(), $before);
    like($said, qr/ERROR: /, 'errors are logged');
    my @told = grep { /xylophone/ } split /\n/, $said;
    is(scalar(@told), 0, 'without a word of the texts') or diag(join "\n", @told[ 0 .. ($#told > 9 ? 9 : $#told) ]);
    value('DROP DATABASE raw');
    safe('after bad rows');
}

# ---- A standby counts for itself ----

{
    $node->backup('base');
    my $standby = PostgreSQL::Test::Cluster->new('stats_standby');
    $standby->init_from_backup($node, 'base', has_streaming => 1);
    $standby->start;
    $node->wait_for_catchup($standby);
    adopt_node($standby);
    is(value(q{SELECT count(*) FROM lmtext.stats}), 0, 'a standby has statistics of its own');
    is(value(q{SELECT count(*) FROM lmtext.health() WHERE status = 'fail'}), 0, 'is healthy');
    is(value(q{SELECT count(lmtext.embed(body)) FROM doc WHERE id <= 7}), 7, 'embeds');
    is(value(q{SELECT version, function, calls, rows, tokens FROM lmtext.stats}), 'minilm@1|embed|7|7|35', 'and counts');
    is(state_of(q{SELECT lmtext.stats_reset()}), '', 'and resets');
    is(value(q{SELECT count(*) FROM lmtext.stats}), 0, 'in recovery as well');
    value(q{SELECT lmtext.count_tokens('one')});
    $standby->promote;
    is(value(q{SELECT calls FROM lmtext.stats}), 1, 'statistics survive its promotion');
    safe('on the standby');
    use_node($node);
}

# ---- A killed backend: statistics start over ----

{
    value(q{SELECT lmtext.count_tokens('one')});
    my $victim = session();
    my $pid = begin_in($victim, q{SELECT count(lmtext.embed(body)) FROM doc, generate_series(1, 1000);});
    crash($pid);
    eval { $victim->quit };
    expect_restart();
    is(value(q{SELECT count(*) FROM lmtext.stats}), 0, 'statistics are empty after a crash');
    is(value(q{SELECT obstacle IS NULL FROM lmtext.stats_info}), 't', 'and usable');
    value(q{SELECT lmtext.count_tokens('one two three')});
    %expected = ();
    expect('minilm@1 count_tokens', 1, 1);
    sums_are('they count again');
}

done();
