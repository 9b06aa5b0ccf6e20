# 062_limits.pl - very large texts and results, the cache full and being emptied at random, huge pages, and a
# session whose address space is capped.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time);

my $node = start_node('limits', conf => <<'CONF');
log_min_messages = fatal
shared_buffers = 32MB
max_connections = 30
CONF

value(qq{
    CREATE EXTENSION lmtext;
    SELECT lmtext.import_model('tiny', '$tiny');
});

# ---- Large texts ----

# A session's peak of private memory beside what it was, in MiB, while it runs a statement.
sub peak
{
    my ($sql) = @_;
    my $session = session();
    my $pid = $session->query('SELECT pg_backend_pid()');
    say_in($session, q{SELECT lmtext.count_tokens('a', 'tiny')});
    my %status;
    my $read = sub {
        open my $file, '<', "/proc/$pid/status" or die "status of $pid: $!";
        return { map { /^(\w+):\s+(\d+) kB/ ? ($1 => $2 / 1024) : () } <$file> };
    };
    my $before = $read->();
    my $started = time;
    my $said = say_in($session, $sql);
    my $after = $read->();
    $session->quit;
    return ($said, $after->{VmHWM} - $before->{VmRSS}, time - $started);
}

# repeat() makes the text, which the executor keeps; lmtext may take 128 MiB beside it.
my $millions = effort(12, 30, 100);
for my $word ('a', 'words ')
{
    my $bytes = $millions * 1_000_000;
    my $text = "repeat('$word', $bytes / " . length($word) . ')';
    my ($said, $more, $seconds) = peak("SELECT cardinality(lmtext.embed($text, 'tiny'))");
    like($said, qr/^\d+$/, sprintf('embed of %d MB of "%s": %.1f s', $millions, $word, $seconds));
    cmp_ok($more, '<=', $bytes / 2**20 + 128, sprintf('and memory for the text and at most 128 MiB more (%.0f)', $more));
}

# All tokens are looked at here, in parts: beside the text and the result there is room for one of them.
for my $case (
    [ 'count_tokens', 'SELECT lmtext.count_tokens(%s, %s)', 0 ],
    [ 'chunk', 'SELECT count(*) FROM lmtext.chunk(%s, %s)', 0 ],
    [ 'tokens', 'SELECT count(*) FROM lmtext.tokens(%s, %s)', 0 ],
    [ 'token_ids', 'SELECT pg_column_size(lmtext.token_ids(%s, %s))', 1 ],
    [ 'tokenize', 'SELECT pg_column_size(lmtext.tokenize(%s, %s))', 1 ])
{
    my ($function, $sql, $is_size) = @$case;
    my ($said, $more, $seconds) = peak(sprintf($sql, "repeat('words ', $millions * 1000000 / 6)", "'tiny'"));
    like($said, qr/^\d{5,}$/, sprintf('%s of %d MB: %.1f s', $function, $millions, $seconds));
    cmp_ok($more, '<=', ($millions * 1_000_000 + ($is_size ? $said : 0)) / 2**20 + 128,
        sprintf('and memory for text, result and at most 128 MiB more (%.0f)', $more));
}

if (effort(0, 0, 1))
{
    my $billion = 1_000_000_000;
    for my $sql (q{SELECT cardinality(lmtext.embed(%s, 'tiny'))}, q{SELECT lmtext.count_tokens(%s, 'tiny')},
        q{SELECT count(*) FROM lmtext.chunk(%s, 'tiny')})
    {
        my ($said, $more, $seconds) = peak(sprintf($sql, "repeat('words ', $billion / 6)"));
        like($said, qr/^\d+$/, sprintf('%s of 1 GB: %.1f s', $sql, $seconds));
        cmp_ok($more, '<=', $billion / 2**20 + 128, sprintf('and at most 128 MiB beside it (%.0f)', $more));
    }
    my ($said) = peak("SELECT cardinality(lmtext.token_ids(repeat('a ', $billion / 2), 'tiny'))");
    like($said, qr/54000/, 'and its token ids are more than an array holds');
}

# ---- Large results ----

# Refused by their size before anything is computed.
my $width = value(q{SELECT cardinality(lmtext.embed('a', 'tiny'))});
my $rows = int(2**30 / 4 / $width) + 1;
{
    my $forwards = 'SELECT forwards FROM lmtext.session_counters()';
    my $session = session();
    say_in($session, q{SELECT lmtext.embed('a', 'tiny') IS NULL});
    my $before = say_in($session, $forwards);
    my $started = time;
    my $said = say_in($session, "SELECT lmtext.embed(array_fill('a'::text, ARRAY[$rows]), 'tiny') IS NULL");
    like($said, qr/54000/, "an array of $rows vectors is too large");
    like($said, qr/at most \d+ elements/, 'and the message tells the limit');
    cmp_ok(time - $started, '<', 20, 'at once');
    is(say_in($session, $forwards), $before, 'before a single forward pass');
    $said = say_in($session, qq{SELECT count(v) FROM (SELECT array_agg(v) AS v FROM
        (SELECT lmtext.embed('a', 'tiny') AS v FROM generate_series(1, $rows)) e) a});
    like($said, qr/54000|53200/, 'array_agg of as many vectors is an error of PostgreSQL');
    is(say_in($session, q{SELECT cardinality(lmtext.embed(array_agg('a' || i), 'tiny')) FROM generate_series(1, 1000) i}),
        1000 * $width, 'the session goes on');
    $session->quit;
}
safe('after large texts and results');

# ---- The cache at random ----

# Twenty models of four sizes in a cache that holds some six of them.
my @models = map { "m$_" } 1 .. 20;
my @folders = map { "$ENV{LMTEXT_SOURCE_DIR}/models/tiny/$_" } qw(bert bert-silu bert-st5-cls bert-types3);
value(join('', map { qq{SELECT lmtext.import_model('$models[$_]', '@{[ variant($folders[$_ % 4], 1 + int($_ / 4)) ]}');\n} } 0 .. 19));
my $all = value(join('', map { "SELECT lmtext.load_model('$_');\n" } @models)
      . q{SELECT sum(bytes) / 1024 FROM lmtext.model_cache WHERE version LIKE 'm%'}) =~ /(\d+)(?:\.\d+)?\z/ ? $1 : die 'no sizes';
value(join('', map { "SELECT lmtext.unload_model('$_');\n" } 'tiny', @models));
value(q{LOAD 'lmtext'; ALTER SYSTEM SET lmtext.cache_size = } . int($all * 6 / 20) . '; ALTER SYSTEM SET lmtext.private_models = off; SELECT pg_reload_conf()');
is(value('SELECT count(*) FROM lmtext.model_cache'), 0, 'nothing is loaded');
{
    my %expected = map { $_ => value("SET lmtext.private_models = on; SELECT lmtext.embed('a', '$_')::text") } @models;
    my $held = session();
    # A cursor that has begun keeps its model pinned.
    say_in($held, q{BEGIN; DECLARE c CURSOR FOR SELECT lmtext.embed('a' || i, 'm7') FROM generate_series(1, 100000) i; FETCH c});
    my $loaded_at = value(q{SELECT loads FROM lmtext.model_cache WHERE version = 'm7@1'});
    my $session = session();
    my ($wrong, $full, $over, $rounds) = (0, 0, 0, effort(300, 1_000, 10_000));
    srand(7);
    my $script = '';
    my @asked;
    my $look = q{SELECT coalesce(sum(bytes), 0) <= pg_size_bytes(current_setting('lmtext.cache_size'))
        AND bool_or(version = 'm7@1' AND state = 'ready') FROM lmtext.model_cache};
    for my $round (1 .. $rounds)
    {
        my $model = $models[ int(rand(20)) ];
        my $what = int(rand(4));
        if ($what == 0 && $model ne 'm7') { say_in($session, "SELECT lmtext.unload_model('$model')") }
        elsif ($what == 1)
        {
            my $said = say_in($session, "SELECT lmtext.load_model('$model')");
            $wrong++ if $said !~ /^[tf]$/;
        }
        else
        {
            my $said = say_in($session, "SELECT lmtext.embed('a', '$model')::text");
            $full++ if $said =~ /53400/;
            $wrong++ if $said ne $expected{$model} && $said !~ /53400/;
        }
        $over++ if $round % 10 == 0 && say_in($session, $look) ne 't';
    }
    is($wrong, 0, "$rounds random loads, unloads and uses of 20 models: every answer is right");
    is($full, 0, 'room was always made');
    is($over, 0, 'never more than the limit, and the pinned model stayed');
    is(value(q{SELECT loads FROM lmtext.model_cache WHERE version = 'm7@1'}), $loaded_at, 'it was never loaded again');
    like(say_in($held, 'FETCH c'), qr/^\{/, 'and answers');
    # All that fits is pinned: no room, and what is loaded goes on.
    my (@holders, $refused, $last);
    for my $model (grep { $_ ne 'm7' } @models)
    {
        push @holders, session();
        $refused = say_in($holders[-1], qq{BEGIN; DECLARE c CURSOR FOR SELECT lmtext.embed('a' || i, '$model')
            FROM generate_series(1, 100000) i; FETCH c});
        $last = $model;
        last if $refused =~ /ERROR/;
    }
    like($refused, qr/53400.*cache_size/s, 'a cache full of pinned models: 53400 with its hint');
    is(say_in($session, q{SELECT lmtext.embed('a', 'm1')::text}), $expected{m1}, 'a loaded model keeps answering');
    say_in($session, 'SET lmtext.private_models = on');
    my $private = say_in($session, qq{SELECT lmtext.embed('a', '$last')::text});
    my $warnings = () = $private =~ /WARNING/g;
    like($private, qr/\Q$expected{$last}\E/, 'a private copy answers the same');
    is($warnings, 1, 'with one warning');
    unlike(say_in($session, qq{SELECT lmtext.embed('b', '$last')::text}), qr/WARNING/, 'and no second one');
    $_->quit for @holders, $held, $session;
    value(join('', map { "SELECT lmtext.unload_model('$_');\n" } @models));
    is(value('SELECT count(*) || \' \' || coalesce(sum(bytes), 0) FROM lmtext.model_cache'), '0 0', 'after all is unloaded nothing is held');
}
value('ALTER SYSTEM RESET ALL; SELECT pg_reload_conf()');
safe('after random loads');

# ---- A session with little address space ----

{
    my $session = session();
    my $pid = $session->query('SELECT pg_backend_pid()');
    say_in($session, q{SELECT lmtext.embed('a', 'tiny') IS NULL});
    my $size = sub {
        open my $file, '<', "/proc/$pid/status" or die "status of $pid: $!";
        my ($bytes) = map { /^VmSize:\s+(\d+) kB/ ? $1 * 1024 : () } <$file>;
        return $bytes;
    };
    # The soft limit alone, which may be raised again.
    my $limit = sub { system('prlimit', "--as=$_[0]:", '--pid', $pid) == 0 or die 'prlimit' };
    value(qq{SELECT lmtext.import_model('minilm', '$real')});
    my $expected = value(q{SELECT lmtext.embed('a', 'minilm')::text});
    value(q{SELECT lmtext.unload_model('minilm')});
    my (%states, $wrong);
    # From no room at all to enough for the model.
    my @rooms = map { $_ * 4 * 2**20 } 0 .. 100;
    @rooms = grep { $_ % effort(40 * 2**20, 16 * 2**20, 1) == 0 } @rooms;
    for my $room (@rooms)
    {
        $limit->($size->() + $room);
        my $said = say_in($session, q{SELECT lmtext.embed('a', 'minilm')::text});
        $states{ $said =~ /ERROR:  (\w{5})/ ? $1 : $said =~ /\{/ ? 'right' : $said }++;
        $wrong++ if $said =~ /^\{/m && $said !~ /\Q$expected\E/;
        my $text = say_in($session, q{SELECT lmtext.count_tokens(repeat('words ', 2000000), 'tiny')});
        $states{ $text =~ /ERROR:  (\w{5})/ ? $1 : $text =~ /^\d+$/ ? 'right' : $text }++;
        my $again = say_in($session, q{SELECT cardinality(lmtext.embed('a', 'tiny'))});
        $wrong++ if $again ne $width;
        $limit->('unlimited');
        say_in($session, q{SELECT lmtext.unload_model('minilm')});
    }
    is(join(' ', grep { !/^(53200|53100|53400|right)$/ } sort keys %states), '', 'a capped session has 53200 or the right answer: '
        . join(', ', map { "$_ $states{$_}" } sort keys %states));
    ok($states{53200} && $states{right}, 'both come about');
    is($wrong // 0, 0, 'and small models answer all the while');
    $session->quit;
}
safe('after a capped session');

# ---- Huge pages ----

for my $huge (qw(off try on))
{
    $node->stop;
    $node->append_conf('postgresql.conf', "huge_pages = $huge\nshared_preload_libraries = 'lmtext'");
    my $started = $node->start(fail_ok => 1);
    my $log = slurp_file($node->logfile);
    if (!$started)
    {
        is($huge, 'on', 'only huge_pages = on may keep the server from starting');
        like($log, qr/FATAL:  could not map anonymous shared memory/, "by PostgreSQL's own message");
        $node->append_conf('postgresql.conf', 'huge_pages = off');
        $node->start;
    }
    ok(value(q{SELECT lmtext.embed('a', 'tiny') IS NOT NULL}), "huge_pages = $huge: the server embeds");
    expect_restart();
}
done();
