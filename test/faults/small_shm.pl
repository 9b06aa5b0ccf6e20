# small_shm.pl - a server whose /dev/shm is small, as Docker's is, and then full: run in a mount namespace of
# its own by part faults of test.sh, with LMTEXT_SMALL_SHM set to the mount's size in bytes.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Utils;

my $size = $ENV{LMTEXT_SMALL_SHM} or die 'LMTEXT_SMALL_SHM is not set';
my ($blocks) = `df -B1 --output=size /dev/shm` =~ /(\d+)/;
cmp_ok($blocks, '<=', $size, '/dev/shm is small');

start_node('shm', conf => "log_min_messages = fatal\nshared_buffers = 16MB\n");
value(qq{
    CREATE EXTENSION lmtext;
    SELECT lmtext.import_model('minilm', '$real');
    SELECT lmtext.import_model('tiny', '$tiny');
});
my $free = sub { my ($left) = `df -B1 --output=avail /dev/shm` =~ /(\d+)/; return $left };
my $expected = value(q{SET client_min_messages = error; SELECT lmtext.embed('a', 'minilm')::text});
my $before = $free->();

# ---- A model that does not fit ----

{
    my $session = session();
    my $said = say_in($session, q{SELECT lmtext.embed('a', 'minilm')::text});
    my $warnings = () = $said =~ /WARNING/g;
    is($warnings, 1, 'a model that does not fit into /dev/shm: one warning');
    like($said, qr/HINT:.*\/dev\/shm/, 'whose hint names /dev/shm');
    like($said, qr/\Q$expected\E/, 'and a private copy that answers');
    say_in($session, q{SET lmtext.private_models = off});
    is($free->(), $before, 'nothing is left there');
    my $other = session();
    my $refused = say_in($other, q{SET lmtext.private_models = off; SELECT lmtext.embed('a', 'minilm')});
    like($refused, qr/ERROR:  53[14]00.*HINT:.*\/dev\/shm/s, 'private_models = off: an error with the same hint');
    is(say_in($other, q{SELECT lmtext.embed('a', 'tiny') IS NULL}), 'f', 'a small model is shared');
    is(value(q{SELECT string_agg(version || ' ' || state, ', ') FROM lmtext.model_cache}), 'tiny@1 ready', 'and stands in the list');
    $_->quit for $session, $other;
}
safe('a model that does not fit');

# ---- /dev/shm filled to the last page, by degrees ----

{
    my $session = session();
    my %states;
    my $fill = '/dev/shm/fill';
    for my $left (0, 4, 8, 12, 16, 24, 32, 40, 48, 64, 80, 96, 112, 128, 160, 200, 256, 300, 400, 600, 1000, 2000)
    {
        say_in($session, q{SELECT lmtext.unload_model('tiny')});
        unlink $fill;
        my $bytes = $free->() - 1024 * $left;
        system("head -c $bytes /dev/zero > $fill") == 0 or die 'cannot fill /dev/shm';
        my $said = say_in($session, q{SET lmtext.private_models = off; SELECT lmtext.embed('a', 'tiny') IS NULL});
        $states{ $said =~ /ERROR:  (\w{5})/ ? $1 : $said }++;
        $said = say_in($session, q{SET lmtext.private_models = on; SELECT lmtext.embed('a', 'tiny') IS NULL});
        $states{private}++ if $said =~ /^f.*WARNING/s;
        my $other = say_in($session, q{SELECT count(*) FROM pg_class WHERE relname = 'pg_class'});
        $states{$other}++ if $other ne '1';
    }
    unlink $fill;
    is(join(' ', grep { !/^(53100|53400|f|private)$/ } sort keys %states), '', 'a full /dev/shm is 53100 or 53400, or the model is there: '
        . join(', ', map { "$_ $states{$_}" } sort keys %states));
    ok(($states{53400} // 0) + ($states{53100} // 0) > 0 && $states{f} && $states{private}, 'all of it came about');
    $session->quit;
    value(q{SELECT lmtext.unload_model('tiny')});
    is($free->(), $before, 'no segment is left');
    is(value(q{SELECT lmtext.load_model('tiny')}), 't', 'with room again it is shared');
}
safe('a full /dev/shm');
done();
