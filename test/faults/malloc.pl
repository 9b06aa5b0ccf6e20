# malloc.pl - the n-th malloc of a backend fails while it runs a statement, n = 1, 2, …, once and for good:
# PostgreSQL's own allocations as well as lmtext's, by a library for LD_PRELOAD (test/shim/fail_calls.c).
# The statement fails with 53200 or gives what it always gives; a session may end, the server never.
use strict;
use warnings;

use Lmtext;
use Cwd qw(abs_path);
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep);

my $library = $ENV{LMTEXT_FAIL_LIBRARY} or die 'LMTEXT_FAIL_LIBRARY is not set';
my $orders = abs_path(PostgreSQL::Test::Utils::tempdir()) . '/orders';
open my $file, '+>', $orders or die "orders: $!";
binmode $file;

# As struct order of fail_calls.c has it.
my ($malloc, $no_memory) = (4, 4);

sub order
{
    my ($pid, $forever, $number) = @_;
    sysseek($file, 0, 0);
    syswrite($file, pack('l< l< l< l< q< q< q<', $pid, $malloc, $no_memory, $forever, $number, 0, 0));
    return;
}

# How many were passed and how many failed; no order from now on.
sub settle
{
    sysseek($file, 0, 0);
    sysread($file, my $bytes, 40);
    my @fields = unpack('l< l< l< l< q< q< q<', $bytes);
    order(0, 0, 0);
    return @fields[ 5, 6 ];
}

order(0, 0, 0);
my $node;
{
    local @ENV{qw(LD_PRELOAD LMTEXT_FAIL_CALLS)} = ($library, $orders);
    $node = start_node('malloc', conf => "log_min_messages = log\nmax_parallel_workers_per_gather = 0\n");
}
value(qq{
    CREATE EXTENSION lmtext;
    SELECT lmtext.import_model('tiny', '$tiny');
    CREATE TABLE doc AS SELECT 'text number ' || i AS body, CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END AS topic
        FROM generate_series(1, 12) i;
    ANALYZE doc;
    CREATE TABLE bits AS SELECT lmtext.embed('the same bits', 'tiny\@1'::regclass) AS vector;
});

my ($session, $pid, $crashed);

# A server that recovers from a crash lets nobody in for a while.
sub connect_anew
{
    for my $try (1 .. 100)
    {
        $pid = eval { $session = session(); $session->query('SELECT pg_backend_pid()') };
        return if $pid;
        $crashed = 1;
        sleep 0.3;
    }
    die 'the server does not come back';
}

my ($ends, $total) = (0, 0);

# The answer, or undef where the session has ended.
sub ask
{
    my ($sql) = @_;
    my $said = eval { say_in($session, $sql) };
    return $said if defined $said && $said !~ /FATAL|server closed|connection to server was lost/;
    $ends++;
    eval { $session->quit };
    connect_anew();
    return;
}

my @cases = (
    [ 'load', q{SELECT lmtext.unload_model('tiny')}, q{SELECT lmtext.load_model('tiny')}, qr/^t$/ ],
    [ 'first embed', 'new', q{SELECT lmtext.embed('the same bits', 'tiny') = vector FROM bits}, qr/^t$/ ],
    [ 'an array', '', q{SELECT cardinality(lmtext.embed(array_agg(body || repeat(' more', 200)), 'tiny')) > 12 FROM doc, generate_series(1, 10)}, qr/^t$/ ],
    [ 'train', '', q{BEGIN; CALL lmtext.train('y', 'SELECT body, topic FROM doc', '{"base": "tiny", "hold_out": 0, "max_steps": 3}')}, qr/trained/ ],
    [ 'first import', 'new', qq{BEGIN; SELECT lmtext.import_model('x', '$tiny', '{"max_tokens": 20}') > 0}, qr/^t$/ ],
    [ 'import', '', qq{BEGIN; SELECT lmtext.import_model('x', '$tiny', '{"max_tokens": 20}') > 0}, qr/^t$/ ],
);

for my $case (@cases)
{
    my ($what, $before, $sql, $right) = @$case;
    for my $forever (0, 1)
    {
        connect_anew();
        my (%states, @bad, $number);
        my $step = $forever ? effort(16, 3, 1) : effort(8, 1, 1);
        for ($number = 1; $number < 5000; $number += $step)
        {
            if ($before eq 'new') { $session->quit; connect_anew() }
            elsif ($before) { ask($before) }
            order($pid, $forever, $number);
            my $said = ask($sql);
            my ($passed, $failed) = settle();
            ask('ROLLBACK') if $sql =~ /^BEGIN/;
            my $state = $crashed ? 'a crash' : !defined $said ? 'end' : $said =~ /ERROR:  (\w{5})/ ? $1 : $said =~ $right ? 'right' : $said;
            $total += $failed > 0;
            $crashed = 0;
            # OpenSSL does not say that it is memory that it lacks.
            $state = 'SHA-256' if $state eq 'XX000' && $said =~ /could not compute SHA-256/;
            # Nor does the dynamic loader, which says that there is no such file.
            $state = 'loader' if $state eq '58P01' && $said =~ /could not load library/;
            my $then = ask(q{SELECT NOT EXISTS (SELECT FROM lmtext.model_cache WHERE pins > 0 OR state <> 'ready')}) // '';
            $then .= ask(q{SELECT lmtext.embed('the same bits', 'tiny') = vector FROM bits}) // '';
            # What a session cannot get over, and a new one can: OpenSSL sets itself up at the first use, and does
            # not try again.
            if ($then =~ /could not compute SHA-256/)
            {
                $ends++;
                $session->quit;
                connect_anew();
                $then = ask(q{SELECT 't' || (lmtext.embed('the same bits', 'tiny') = vector)::text FROM bits}) eq 'ttrue' ? 'tt' : 'f';
            }
            $states{$state}++;
            push @bad, "n = $number: $state, then $then" if $state !~ /^(53200|SHA-256|loader|end|right)$/ || $then ne 'tt';
            last if $failed == 0;
        }
        is(join("\n", @bad[ 0 .. ($#bad < 3 ? $#bad : 3) ]), '', "$what: malloc fails " . ($forever ? 'for good' : 'once')
              . ' at ' . $number . ' places: ' . join(', ', map { "$_ $states{$_}" } sort keys %states));
        $session->quit;
    }
}
note("$total statements met a malloc that failed, $ends sessions ended");
cmp_ok($total, '>=', effort(10, 60, 60), 'that many there were');
safe('after all of them');
done();
