# 100_concurrency.pl - many sessions at once: one load for all who want it, whoever is cancelled, terminated or killed half
# way; and a storm of everything, whose statements see one version each.
#
# SQLSTATEs that the storm may meet: 42704 (a model was dropped meanwhile), 2BP01 (a base is dropped that a head was trained
# on meanwhile), 55006 (the deployed version is not dropped alone), 57014 (its own statement_timeout). Never 40P01.
use strict;
use warnings;

use Lmtext;
use POSIX ();
use Time::HiRes qw(sleep time);

my $node = start_node('concurrency', conf => <<'CONF');
max_connections = 60
max_worker_processes = 16
max_parallel_workers = 4
dynamic_shared_memory_type = mmap
CONF

value(qq{
    CREATE EXTENSION lmtext;
    SELECT lmtext.import_model('minilm', '$real');
    CREATE TABLE weights (number int, word text, folder text);
    INSERT INTO weights VALUES (1, 'first', '$tiny'), (2, 'second', '$tiny-tanh'), (3, 'third', '$tiny-prefix');
    SELECT lmtext.import_model('m', folder) FROM weights WHERE number < 3 ORDER BY number;
    SELECT lmtext.import_model('known', folder) FROM weights ORDER BY number;
    CREATE TABLE doc AS SELECT i AS id, 'text number ' || i AS body, (i % 2)::text AS label FROM generate_series(1, 12) i;
    CREATE TABLE answer AS SELECT body, word, lmtext.embed(body, 'known\@' || number) AS vector FROM doc, weights;
    SELECT lmtext.drop_model('known');
    CREATE TABLE many AS SELECT 'text number ' || i % 12 + 1 AS body FROM generate_series(1, 3000) i;
    ANALYZE;
    CREATE FUNCTION word_of(text, real[]) RETURNS text STABLE PARALLEL SAFE LANGUAGE sql AS
        \$\$SELECT coalesce((SELECT word FROM answer a WHERE a.body = \$1 AND a.vector = \$2), 'NONE')\$\$;
    CALL lmtext.train('head', 'SELECT body, label FROM doc', '{"base": "minilm", "hold_out": 0}');
});
isnt(value(q{SELECT lmtext.embed('a', 'm@1') = lmtext.embed('a', 'm@2')}), 't', 'two versions can be told apart');

sub unload_all
{
    return value('SELECT lmtext.unload_model(model) FROM lmtext.models');
}

sub slots
{
    my ($where) = @_;
    return value("SELECT count(*) FROM lmtext.model_cache WHERE $where");
}

# Shared memory as the server's folder has it: files of mapped segments, but for the server's own.
my $own_segments;
sub segments
{
    my $files = () = glob($node->data_dir . '/pg_dynshmem/mmap.*');
    return $files - ($own_segments // 0);
}

# Counts the server's own segments, of which a restart may make more or fewer. A session that has just ended keeps what it
# had mapped until it is gone from pg_stat_activity, and would be counted as the server.
sub take_own_segments
{
    unload_all();
    value('SELECT count(*) FROM lmtext.train_runs, lmtext.stats');    # areas of shared memory are made by who looks first
    wait_for(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type IN ('client backend', 'parallel worker')},
        'nobody else maps a model');
    $own_segments = 0;
    $own_segments = segments() - slots('true');
}

sub agree
{
    my ($what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my ($busy, $segments, $ready);
    for my $try (1 .. 20)    # a session that has just ended may need a moment
    {
        ($busy, $segments, $ready) = (slots("state <> 'ready' OR pins > 0"), segments(), slots("state = 'ready'"));
        last if $busy == 0 && $segments == $ready;
        sleep 0.1;
    }
    is($busy, 0, "$what: nothing is loading or pinned");
    is($segments, $ready, "$what: as many segments as models are registered");
}

take_own_segments();

# ---- A head and its base, wanted by eight at once ----

{
    my $holder = session();
    $holder->query('BEGIN; LOCK TABLE "head@1", "minilm@1" IN ACCESS EXCLUSIVE MODE');
    my @sessions = map { session() } 1 .. 8;
    my $loads = value(q{SELECT coalesce(sum(loads), 0) FROM lmtext.model_cache});
    begin_in($_, q{SELECT label || round(score::numeric, 4) FROM lmtext.class_scores('text number 3', 'head');})
      for @sessions[ 0 .. 5 ];
    begin_in($_, q{SELECT (lmtext.embed('a', 'minilm'))[1];}) for @sessions[ 6, 7 ];
    wait_for(q{SELECT count(*) = 8 FROM pg_stat_activity WHERE wait_event_type = 'Lock'}, 'eight want a head and its base');
    $holder->query('COMMIT');
    my %scores = map { $_ => 1 } map { end_in($_) } @sessions[ 0 .. 5 ];
    my %vectors = map { $_ => 1 } map { end_in($_) } @sessions[ 6, 7 ];
    is(scalar(keys %scores), 1, 'all of them have the same scores');
    is(scalar(keys %vectors), 1, 'and the same vectors');
    unlike(join('', keys %scores, keys %vectors), qr/ERROR/, 'none an error');
    is(slots("state = 'ready'"), 2, 'two images');
    agree('a head and its base');
    $_->quit for @sessions, $holder;
}

# ---- Parallel workers that load ----

{
    my $parallel = q{SET max_parallel_workers_per_gather = 3; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;
        SET min_parallel_table_scan_size = 0; SET parallel_leader_participation = off; SET jit = off;};
    my $count = effort(2, 6, 30);
    my %seen;
    for my $round (1 .. $count)
    {
        unload_all();
        my ($plan, $loaded) = split /;/, value(qq{$parallel
            CREATE TEMP TABLE before AS SELECT coalesce(sum(loads), 0) AS loads FROM lmtext.model_cache;
            SELECT string_agg(DISTINCT md5(lmtext.embed(body, 'minilm')::text), ' ' ORDER BY md5(lmtext.embed(body, 'minilm')::text)) || ';'
            FROM (SELECT body FROM many LIMIT 40) s;
            SELECT state || ' ' || count(*) FROM lmtext.model_cache WHERE version = 'minilm\@1' GROUP BY state});
        $seen{$plan}++;
        is($loaded =~ s/\s//gr, 'ready1', "workers load it once ($round)");
    }
    is(scalar(keys %seen), 1, 'with one result');
    agree('parallel workers');
}

# ---- The loader is a session whose import is not committed ----

{
    my ($loader, $pid) = stopped_loader('u', "BEGIN; SELECT lmtext.import_model('u', '$real')");
    my $waiter = session();
    my $waiter_pid = begin_in($waiter, q{SELECT 'loaded', (lmtext.embed('a', 'minilm'))[1] IS NOT NULL;});
    wait_for("SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $waiter_pid",
        'equal contents are waited for, whoever loads them');
    kill 'CONT', $pid;
    like(end_in($waiter), qr/loaded\|t/, 'and used');
    like(end_in($loader), qr/loaded\|t/, 'by both');
    is(slots('bytes > 50000000'), 1, 'of one copy');
    $loader->query('ROLLBACK');
    like(say_in($waiter, q{SELECT 'loaded', (lmtext.embed('b', 'minilm'))[1] IS NOT NULL}), qr/loaded\|t/, 'also after its rollback');
    $_->quit for $loader, $waiter;

    ($loader, $pid) = stopped_loader('u', "BEGIN; SELECT lmtext.import_model('u', '$real')");
    $waiter = session();
    $waiter_pid = begin_in($waiter, q{SELECT 'loaded', (lmtext.embed('a', 'minilm'))[1] IS NOT NULL;});
    wait_for("SELECT wait_event_type = 'Extension' FROM pg_stat_activity WHERE pid = $waiter_pid", 'a waiter again');
    value("SELECT pg_terminate_backend($pid)");
    kill 'CONT', $pid;
    like(end_in($waiter), qr/loaded\|t/, 'takes over from a terminated importer');
    eval { $loader->quit };
    $waiter->quit;
    is(value(q{SELECT count(*) FROM lmtext.models WHERE name = 'u'}), 0, 'whose model is gone');
    agree('an uncommitted import');
}

# ---- Cancelled and terminated, again and again ----

{
    my $rounds = effort(4, 16, 100);
    my ($stuck, $wrong, %ends) = (0, 0);
    my $expected = value(q{SELECT md5(lmtext.embed('a', 'minilm')::text)});
    for my $round (1 .. $rounds)
    {
        my ($loader, $pid) = stopped_loader();
        my @waiters = map { session() } 1 .. 4;
        my @pids = map { begin_in($_, q{SELECT md5(lmtext.embed('a', 'minilm')::text);}) } @waiters;
        $node->poll_query_until('postgres', "SELECT count(*) = 4 FROM pg_stat_activity
            WHERE wait_event_type = 'Extension' AND pid IN (" . join(',', @pids) . ')') or $stuck++;
        my $victim = $round % 2 ? 'pg_cancel_backend' : 'pg_terminate_backend';
        value("SELECT $victim($pid)");
        value("SELECT pg_cancel_backend($pids[0])");
        value("SELECT pg_terminate_backend($pids[1])") if $round % 3 == 0;
        kill 'CONT', $pid;
        for my $i (0 .. 3)
        {
            my $out = eval { end_in($waiters[$i]) } // 'gone';
            my $end = $out eq $expected ? 'result' : $out =~ /57014/ ? 'cancelled' : 'terminated';
            $ends{$end}++;
            $wrong++ if $i > 1 && $end ne 'result' or $i == 0 && $end ne 'cancelled';
        }
        eval { end_in($loader) };
        eval { $_->quit } for $loader, @waiters;
        $stuck++ if slots("state <> 'ready' OR pins > 0") or slots('bytes > 50000000') != 1;
    }
    is($wrong, 0, "who was not asked to stop has its result, in $rounds rounds") or diag(explain(\%ends));
    is($stuck, 0, 'from one copy, with nobody stuck');
    agree('cancelled and terminated loaders');
    safe('after loaders that stopped half way');
}

# ---- Killed ----

for my $round (1 .. effort(1, 2, 10))
{
    my ($loader, $pid) = stopped_loader();
    my $waiter = session();
    begin_in($waiter, q{SELECT lmtext.embed('a', 'minilm');});
    crash($pid, 'the server is back');
    eval { $_->quit } for $loader, $waiter;
    expect_restart();
    is(slots('true'), 0, 'with an empty registry');
    is(value(q{SELECT (lmtext.embed('a', 'minilm'))[1] IS NOT NULL}), 't', 'and loads again');
}
take_own_segments();

# ---- The storm ----

my $seconds = $ENV{LMTEXT_STORM} // effort(10, 30, 600);

# One statement or short transaction; what it prints in lines 'R …' is judged.
my %deeds = (
    use => sub {
        return q{SELECT 'R one of', string_agg(DISTINCT word_of(body, lmtext.embed(body, 'm')), ' ') FROM doc;};
    },
    default => sub {
        return q{SET lmtext.embedding_model = 'm'; SELECT 'R one of', string_agg(DISTINCT word, ' ') FROM
            (SELECT word_of(body, lmtext.embed(body)) AS word, body <=> 'a text' AS d FROM doc ORDER BY 2) s;};
    },
    batch => sub {
        return q{SELECT 'R one of', string_agg(DISTINCT w, ' ') FROM (SELECT word_of(b[i], ARRAY(SELECT unnest(v[i:i])))
            FROM (SELECT b, lmtext.embed(b, 'm') AS v FROM (SELECT array_agg(body) AS b FROM doc) a) e,
            generate_subscripts(b, 1) i) s(w);};
    },
    parallel => sub {
        return q{SET parallel_setup_cost = 0; SET min_parallel_table_scan_size = 0; SET parallel_tuple_cost = 0;
            SET max_parallel_workers_per_gather = 2;
            SELECT 'R one of', string_agg(DISTINCT word_of(body, lmtext.embed(body, 'm')), ' ') FROM many WHERE body < 'text number 11';
            RESET max_parallel_workers_per_gather;};
    },
    repeatable => sub {
        return q{BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT word_of(body, lmtext.embed(body, 'm')) AS before FROM doc WHERE id = 1 \gset
            SELECT pg_sleep(0.01); SELECT 'R same', :'before', word_of(body, lmtext.embed(body, 'm')) FROM doc WHERE id = 2; COMMIT;};
    },
    cursor => sub {
        return q{BEGIN; DECLARE c CURSOR FOR SELECT word_of(body, lmtext.embed(body, 'm')) AS word FROM doc;
            FETCH 1 FROM c \gset
            SELECT pg_sleep(0.01); MOVE 5 FROM c; SELECT :'word' AS first \gset
            FETCH 1 FROM c \gset
            SELECT 'R same', :'first', :'word'; COMMIT;};
    },
    subtransactions => sub {
        return q{BEGIN; SAVEPOINT a; SELECT lmtext.embed('a', 'm') IS NULL; SAVEPOINT b; SELECT lmtext.embed('b', 'm@1'), 1 / 0;
            ROLLBACK TO a; SELECT 'R one of', word_of(body, lmtext.embed(body, 'm')) FROM doc WHERE id = 3; ROLLBACK;};
    },
    timeout => sub {
        return q{SET statement_timeout = '} . int(1 + rand 30) . q{ms'; SELECT count(lmtext.embed(body, 'm')) FROM many; RESET statement_timeout;};
    },
    deploy => sub { return "SELECT lmtext.deploy('m', " . int(1 + rand 2) . ');'; },
    undeployed => sub { return "BEGIN; SELECT lmtext.deploy('m', " . int(1 + rand 2) . '); ROLLBACK;'; },
    load => sub { return "SELECT lmtext.load_model('m\@" . int(1 + rand 2) . "');"; },
    unload => sub { return "SELECT lmtext.unload_model('m\@" . int(1 + rand 2) . "');"; },
    import => sub {
        my $end = rand() < 0.6 ? 'COMMIT' : 'ROLLBACK';
        return "BEGIN; SELECT lmtext.import_model('x', folder) FROM weights WHERE number = " . int(1 + rand 3) . ";
            SELECT 'R any of', word_of(body, lmtext.embed(body, 'x')) FROM doc WHERE id = 4; $end;";
    },
    usex => sub { return q{SELECT 'R any of', string_agg(DISTINCT word_of(body, lmtext.embed(body, 'x')), ' ') FROM doc;}; },
    deployx => sub { return "SELECT lmtext.deploy('x', max(version)) FROM lmtext.models WHERE name = 'x' HAVING count(*) > 0;"; },
    dropx => sub { return "SELECT lmtext.drop_model('x');"; },
    train => sub { return q{CALL lmtext.train('h', 'SELECT body, label FROM doc', '{"base": "m", "hold_out": 0}');}; },
    classify => sub { return q{SELECT 'R label', string_agg(DISTINCT lmtext.classify(body, 'h') , ' ' ) FROM doc WHERE id = 5;}; },
    droph => sub { return "SELECT lmtext.drop_model('h');"; },
    list => sub { return q{SELECT count(*) FROM lmtext.models; SELECT count(*) FROM lmtext.model_cache; SELECT count(*) FROM lmtext.train_runs;}; },
);
my @weights = (
    (qw(use default batch repeatable cursor deploy undeployed load unload usex classify)) x 3,
    (qw(subtransactions timeout import deployx list)) x 2,
    qw(parallel dropx train droph));
my %allowed = map { $_ => 1 } qw(42704 2BP01 55006 57014 22012 25P02); # 25P02 follows another, which is judged

# A line of output that breaks a law, or nothing.
sub breach
{
    my ($line) = @_;
    if ($line =~ /^R ([a-z ]+)\|(.*)$/)
    {
        my ($law, $said) = ($1, $2);
        return $law eq 'one of' ? $said !~ /^(first|second)$/
          : $law eq 'any of' ? $said !~ /^(first|second|third)$/
          : $law eq 'label' ? $said !~ /^[01]$/
          : $said !~ /^(first\|first|second\|second)$/;
    }
    return $line !~ /ERROR:  (\w{5})$/ || !$allowed{$1} if $line =~ /ERROR|FATAL|PANIC|WARNING|lost/;
    return 0;
}

# Batches of random deeds, a new session each; a count of what happened goes to a file.
sub worker
{
    my ($number, $until, $report) = @_;
    srand($number * 7919 + ($ENV{LMTEXT_SEED} // 1));
    my (%counts, @breaches);
    while (time < $until)
    {
        my $batch = join "\n", map { $deeds{ $weights[ rand @weights ] }->() } 1 .. 25;
        my ($status, $out, $err) = $node->psql('postgres', $batch, on_error_stop => 0,
            extra_params => [ '-v', 'VERBOSITY=sqlstate', map { ('-v', "$_=none") } 'before', 'first', 'word' ]);
        $counts{batches}++;
        for my $line (split /\n/, "$out\n$err")
        {
            $counts{ $1 }++ if $line =~ /ERROR:  (\w{5})/;
            $counts{results}++ if $line =~ /^R /;
            push @breaches, $line if breach($line);
        }
    }
    open my $file, '>', $report or POSIX::_exit(1);
    print $file "$_ $counts{$_}\n" for sort keys %counts;
    print $file "BREACH $_\n" for @breaches;
    close $file;
    POSIX::_exit(0);
}

{
    my (%totals, @breaches, @children);
    for my $number (1 .. 8)
    {
        my $child = fork // die "fork: $!";
        worker($number, time + $seconds, $node->basedir . "/storm.$number") if $child == 0;
        push @children, $child;
    }
    my $deadline = time + $seconds + 120;
    for my $child (@children)
    {
        sleep 0.2 while waitpid($child, POSIX::WNOHANG()) == 0 && time < $deadline;
    }
    cmp_ok(time, '<', $deadline, 'nobody is stuck in the storm');
    for my $number (1 .. 8)
    {
        open my $file, '<', $node->basedir . "/storm.$number" or next;
        while (<$file>)
        {
            chomp;
            if (/^BREACH (.*)/) { push @breaches, $1; next }
            $totals{$1} += $2 if /^(\S+) (\d+)$/;
        }
    }
    note(join ', ', map { "$_: $totals{$_}" } sort keys %totals);
    cmp_ok($totals{results} // 0, '>', 20, 'the storm has results');
    is(scalar(@breaches), 0, 'each statement saw one version, and no error but those that may be')
      or diag(join "\n", @breaches[ 0 .. ($#breaches < 20 ? $#breaches : 20) ]);
    is(value("SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND mode <> 'AccessShareLock'
        AND pid <> pg_backend_pid() AND database = (SELECT oid FROM pg_database WHERE datname = 'postgres')"), 0, 'no lock is left');
    safe('after the storm');
    agree('after the storm');
    value(q{DO $$ DECLARE name text; BEGIN
        FOR name IN SELECT DISTINCT m.name FROM lmtext.models m WHERE m.name IN ('h', 'x') ORDER BY 1 LOOP
            PERFORM lmtext.drop_model(name);
        END LOOP; END $$});
    unload_all();
    is(slots('version IS NOT NULL'), 0, 'everything can be unloaded');
    agree('after unloading');
}

done();
