# 011_slots.pl - the registry has 64 places: what nobody uses makes room, one that was unloaded is taken again, and
# where all are in use a model is loaded privately, with a warning that says why.
use strict;
use warnings;

use Lmtext;

my $places = 64;
my $node = start_node('slots');
my @folders = map { "$ENV{LMTEXT_SOURCE_DIR}/models/tiny/$_" } qw(bert bert-tanh bert-prefix);

# More versions than places, each with an image of its own.
value('CREATE EXTENSION lmtext; CREATE TABLE doc AS SELECT 1 AS id UNION ALL SELECT 2');
value(join '', map { my $folder = $_; map { "SELECT lmtext.import_model('m', '@{[ variant($folder, $_) ]}');\n" } 1 .. 22 } @folders);
is(value('SELECT max(version) FROM lmtext.models'), 66, 'there are more versions than places');

sub load
{
    my ($first, $last) = @_;
    value("SELECT count(lmtext.load_model('m\@' || n)) FROM generate_series($first, $last) n");
    return;
}

sub cached
{
    my ($what, $where) = @_;
    return value("SELECT $what FROM lmtext.model_cache" . ($where ? " WHERE $where" : ''));
}

load(1, $places);
is(cached('count(*)'), $places, 'every place is taken');
load($places + 1, $places + 1);
is(cached('count(*)'), $places, 'one model more takes the place');
is(cached('count(*)', q{version = 'm@1'}), 0, 'of that which was used longest ago');

# A place that is free goes to the model that had it, else it is the one that is free for the longest time.
value(q{SELECT lmtext.unload_model('m@10'); SELECT lmtext.unload_model('m@11')});
load(1, 1);
load(11, 11);
is(cached('loads', q{version = 'm@11'}), 2, 'what comes back to its place is counted on');
load(10, 10);
is(cached('loads', q{version = 'm@10'}), 1, 'what lost its place is counted anew');

# A cursor holds its model. All of them in one session, which has each pinned once.
my $holder = session();
say_in($holder, join ' ', 'BEGIN;', map { "DECLARE c$_ CURSOR FOR SELECT lmtext.embed('word ' || id, 'm\@$_') FROM doc; FETCH 1 FROM c$_;" } 1 .. $places);
is(cached('count(*)', 'pins = 1'), $places, 'every model is in use');
my $said = complaint(q{SELECT lmtext.embed('a', 'm@65')});
like($said, qr/WARNING:  53400:.*"m\@65".*Every entry of the registry/s, 'one more is loaded privately');
unlike($said, qr/ERROR/, 'and computes');
like(complaint(q{SET lmtext.private_models = off; SELECT lmtext.embed('a', 'm@65')}), qr/ERROR:  53400:/,
    'or is an error, with lmtext.private_models = off');
say_in($holder, 'ROLLBACK');
is(complaint(q{SELECT lmtext.embed('a', 'm@65')}), '', 'then it finds a place');
is(cached('count(*)', q{version = 'm@65' AND state = 'ready'}), 1, 'in shared memory');
$holder->quit;

done();
