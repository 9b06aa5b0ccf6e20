# 090_crash.pl - backends and the postmaster killed at random moments of load, import, embed, train,
# unload and drop: the server comes back by itself, knows no model, and has lost no committed row.
#
# A victim is stopped (SIGSTOP) before it is killed, so that the server's shared memory at that moment
# can be listed exactly: by the control segment that its postmaster has mapped. Other servers on the
# machine have segments of their own.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);

my $node = start_node('crash', conf => "max_connections = 30\nlmtext.private_models = off\n");
my $data = $node->data_dir;
my $vector = q{SELECT md5(lmtext.embed('How do I resize images?', 'minilm')::text), md5(lmtext.embed('the cat', 'tiny')::text),
    lmtext.classify('the cat', 'parity')};
my (@recovery, @started, $journal, $vectors);
my $blind = 0;
srand($ENV{LMTEXT_SEED} // 4711);

value(<<"SQL");
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('minilm', '$real');
SELECT lmtext.import_model('tiny', '$tiny');
CREATE TABLE doc AS SELECT i AS id, repeat('some words ', 30) || i AS body FROM generate_series(1, 3000) i;
CREATE TABLE labelled AS SELECT translate(i::text, '0123456789', 'abcdefghij') AS body, (i % 2)::text AS label
    FROM generate_series(1, 40) i;
CALL lmtext.train('parity', 'SELECT body, label FROM labelled', '{"base": "tiny"}');
CREATE TABLE journal (round int PRIMARY KEY);
CREATE TABLE used (model text, version int, PRIMARY KEY (model, version));
CREATE PROCEDURE come_and_go(source text) LANGUAGE plpgsql AS \$\$
BEGIN
    LOOP
        INSERT INTO used VALUES ('passing', lmtext.import_model('passing', source));
        COMMIT;
        PERFORM lmtext.drop_model('passing');
        COMMIT;
    END LOOP;
END \$\$;
SQL
$vectors = value($vector);

# What a victim does, and the seconds among which its last moment is drawn.
my %phase = (
    load => [ q{SELECT lmtext.unload_model('minilm'); SELECT lmtext.load_model('minilm');}, 0.5 ],
    import => [ "INSERT INTO used VALUES ('large', lmtext.import_model('large', '$real'));", 3 ],
    embed => [ q{SELECT count(lmtext.embed(body, 'minilm')) FROM doc;}, 1.5 ],
    train => [ q{CALL lmtext.train('topic', 'SELECT body, (id % 3)::text FROM doc', '{"base": "minilm"}');}, 3 ],
    unload => [ q{SELECT count(lmtext.load_model('minilm')) + count(lmtext.unload_model('minilm')) FROM generate_series(1, 1000);}, 1.5 ],
    drop => [ "CALL come_and_go('$tiny');", 1.5 ],
);
my @phases = sort keys %phase;

# ---- Shared memory of this server ----

sub large
{
    return scalar grep { (-s $_ // 0) > 50_000_000 } @_;
}

# ---- A crash and what must be true afterwards ----

sub restarts
{
    my $log = slurp_file($node->logfile);
    return scalar(() = $log =~ /all server processes terminated; reinitializing/g);
}

sub answers
{
    local $ENV{PGHOST} = $node->host;
    local $ENV{PGPORT} = $node->port;
    return system("psql -XAtqc 'SELECT 1' postgres >/dev/null 2>&1") == 0;
}

# A session in the middle of a phase, stopped, and its process.
sub victim
{
    my ($name) = @_;
    my ($statement, $span) = @{ $phase{$name} };
    value('INSERT INTO journal VALUES (' . ++$journal . ')');
    value($vector); # so that models are loaded
    my $session = session();
    my $pid = begin_in($session, $statement);
    # The embed and the rest need their model for some time: moments are drawn evenly.
    sleep rand $span;
    system('prlimit', "--pid=$pid", '--core=0:0'); # a core file would be found by the standing rule
    kill 'STOP', $pid;
    return ($session, $pid);
}

# Answers whether the server is as new and nothing is lost.
sub intact
{
    my ($what, @before) = @_;
    my @wrong;
    push @wrong, 'models in the registry' if value('SELECT count(*) FROM lmtext.model_cache') != 0;
    push @wrong, 'segments are left: ' . join(' ', grep { -e } @before) if grep { -e } @before;
    push @wrong, 'a large segment is there' if large(shared_segments());
    push @wrong, 'temporary files' if glob("$data/base/pgsql_tmp/*");
    push @wrong, 'rows are lost' if value('SELECT count(*) FROM journal') != $journal;
    push @wrong, 'other vectors' if value($vector) ne $vectors;
    push @wrong, 'models without a manifest' if value('SELECT count(*) FROM lmtext.models WHERE family IS NULL') != 0;
    push @wrong, 'models in the registry twice' if value("SELECT count(*) FROM lmtext.model_cache WHERE state <> 'ready' OR loads <> 1 OR pins > 0") != 0;
    push @wrong, 'trainings' if value('SELECT count(*) FROM lmtext.train_runs') != 0;
    # Its primary key refuses a number that was used.
    my $state = state_of("INSERT INTO used VALUES ('passing', lmtext.import_model('passing', '$tiny')), ('large', lmtext.import_model('large', '$tiny'));
        SELECT lmtext.drop_model('passing'); SELECT lmtext.drop_model('large');");
    push @wrong, "import fails: $state" if $state;
    return is(join('; ', @wrong), '', $what);
}

# ---- Backends ----

sub crash_rounds
{
    my ($type, $rounds) = @_;
    for my $round (1 .. $rounds)
    {
        my $name = $phases[ ($round - 1) % @phases ];
        my $signal = (qw(KILL KILL SEGV KILL ABRT))[ $round % 5 ];
        my ($session, $pid) = victim($name);
        my @before = shared_segments();
        $blind++ if $name =~ /embed|train/ && !large(@before);
        my $count = restarts();
        kill $signal, $pid;
        kill 'CONT', $pid;
        my $seconds = seconds_until(sub { restarts() > $count && answers() });
        push @recovery, $seconds;
        eval { $session->quit };
        intact(sprintf('%s: SIG%s in %s, ready after %.2f s', $type, $signal, $name, $seconds), @before);
        expect_restart();
    }
    return;
}

crash_rounds('posix', effort(3, 8, 150));

# ---- The postmaster ----

sub postmaster_rounds
{
    my ($type, $rounds) = @_;
    for my $round (1 .. $rounds)
    {
        my $name = $phases[ ($round - 1) % @phases ];
        my ($session, $pid) = victim($name);
        my @before = shared_segments();
        my $how = $round % 2 ? 'immediate shutdown' : 'SIGKILL of the postmaster';
        if ($round % 2)
        {
            kill 'CONT', $pid;
            $node->stop('immediate');
        }
        else
        {
            $node->kill9;
            kill 'CONT', $pid;
        }
        eval { $session->quit };
        push @started, start_again();
        cmp_ok($started[-1], '<', 30, "$type: $how in $name: who computes meets the postmaster's end") if $round % 2 == 0;
        intact(sprintf('%s: %s in %s, ready after %.2f s', $type, $how, $name, $started[-1]), @before);
        expect_restart();
    }
    return;
}

postmaster_rounds('posix', effort(2, 4, 20));
safe('crashes with posix shared memory');

# ---- The same, with shared memory in files of the server ----

$node->append_conf('postgresql.conf', "dynamic_shared_memory_type = mmap\n");
my @posix = shared_segments();
$node->restart;
expect_restart();
is(scalar(grep { -e } @posix), 0, 'a restart leaves no segment');
crash_rounds('mmap', effort(1, 4, 150));
postmaster_rounds('mmap', effort(1, 2, 20));
value($vector);
is(large(shared_segments()), 1, 'a model is one segment');
safe('crashes with segments in files');
$node->stop;
is(join(' ', glob("$data/pg_dynshmem/*")), '', 'after a stop no segment is left');
$node->start;
expect_restart();

sub distribution
{
    my @sorted = sort { $a <=> $b } @_;
    return sprintf '%d times: least %.2f, median %.2f, most %.2f s', scalar @sorted, $sorted[0], $sorted[ @sorted / 2 ], $sorted[-1];
}

is($blind, 0, 'the list of segments had the model that a victim was using');

# The law is 5 s, on a quiet machine; others may be computing on this one.
diag('recovery from the end of a backend, ' . distribution(@recovery));
diag('start after the end of the postmaster, ' . distribution(@started));
cmp_ok((sort { $a <=> $b } @recovery)[ @recovery / 2 ], '<=', 5, 'the server is ready again within 5 s');
cmp_ok((sort { $a <=> $b } @recovery, @started)[-1], '<=', 30, 'and never needs long');

done();
