# 091_replica.pl - standbys, promotion, pg_rewind, point-in-time recovery, logical replication.
#
# The primary writes with wal_consistency_checking = all: a standby whose page differs from what was
# logged stops with an error, which the checks below would meet.
use strict;
use warnings;

use Lmtext;
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep time);

my $settings = "shared_buffers = 32MB\nmax_connections = 30\nfsync = off\nrestart_after_crash = on\n";
my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(extra => [ '-E', 'UTF8', '--locale', 'C.UTF-8' ], allows_streaming => 'logical');
my $archive = File::Spec->rel2abs($primary->archive_dir); # servers run in their data folders
$primary->append_conf('postgresql.conf', "${settings}wal_consistency_checking = all\nmax_wal_size = 1GB\nwal_keep_size = 1GB\n"
      . "archive_mode = on\narchive_command = 'cp \"%p\" \"$archive/%f\"'\n");
$primary->start;
adopt_node($primary);

my $large = effort($tiny, $real, $real);
value(<<"SQL");
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('m', '$tiny');
SELECT lmtext.import_model('m', '@{[ variant($tiny, 1) ]}', '{"max_tokens": 4}');
SELECT lmtext.import_model('slow', '@{[ variant($large, 2) ]}');
CREATE TABLE doc AS SELECT i AS id, translate(i::text, '0123456789', 'abcdefghij') || ' sat on the mat' AS body
    FROM generate_series(1, 2000) i;
CALL lmtext.train('parity', 'SELECT body, (id % 2)::text FROM doc WHERE id <= 40', '{"base": "m"}');
CREATE INDEX by_class ON doc (lmtext.classify(body, 'parity\@1'::regclass));
SQL
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = 1s\n");
$standby->start;
adopt_node($standby);

sub caught_up
{
    $primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
    return;
}

sub on
{
    my ($node, $sql) = @_;
    return $node->safe_psql('postgres', $sql);
}

# ---- A standby reads ----

my $vector = q{SELECT lmtext.embed('the cat sat on the mat', 'm'), lmtext.embed('the cat sat on the mat', 'm@2'),
    lmtext.class_scores('the cat', 'parity')};
caught_up();
is(value($vector), on($primary, $vector), 'a standby embeds and classifies as the primary does');
is(value(q{SET enable_seqscan = off; SELECT count(*) FROM doc WHERE lmtext.classify(body, 'parity@1'::regclass) = '1'}),
    on($primary, q{SELECT count(*) FROM doc WHERE lmtext.classify(body, 'parity@1'::regclass) = '1'}), 'and reads an index on classes');
is(value(q{SELECT count(lmtext.embed(body, 'm')) FROM doc}), 2000, 'a whole table');
value(q{SELECT lmtext.unload_model('m'); SELECT lmtext.load_model('m'); SELECT lmtext.unload_model('m@2')});
is(value(q{SELECT string_agg(version || ' ' || loads, ', ' ORDER BY version) FROM lmtext.model_cache WHERE version LIKE 'm@%'}),
    'm@1 2', 'models are loaded and unloaded on a standby');
is(on($primary, q{SELECT string_agg(version || ' ' || loads, ', ' ORDER BY version) FROM lmtext.model_cache WHERE version LIKE 'm@%'}),
    'm@1 1, m@2 1', 'whose registry is its own');

# ---- What writes is refused, before any work ----

for my $node ($standby, $primary)
{
    use_node($node);
    my $where = $node->name;
    my $how = $node == $primary ? 'SET default_transaction_read_only = on; ' : '';
    for my $write (
        [ 'import_model', q{SELECT lmtext.import_model('m', '/nowhere')} ],
        [ 'import_model from large objects', q{SELECT lmtext.import_model('m', '{"config.json": 1}'::jsonb)} ],
        [ 'train', q{CALL lmtext.train('parity', 'SELECT (1 / 0)::text, ''a''', '{"base": "m"}')} ],
        [ 'deploy', q{SELECT lmtext.deploy('m', 2)} ], [ 'deploy of what is not there', q{SELECT lmtext.deploy('x', 2)} ],
        [ 'drop_model', q{SELECT lmtext.drop_model('m')} ])
    {
        is(state_of("$how$write->[1]"), '25006', "$where, read only: $write->[0]");
    }
}
use_node($standby);
safe('refusals on a standby');

# ---- The primary changes models under a reading standby ----

{
    my $one = on($primary, q{SELECT lmtext.embed('the cat sat on the mat', 'm@1')});
    my $two = on($primary, q{SELECT lmtext.embed('the cat sat on the mat', 'm@2')});
    isnt($one, $two, 'two versions, two vectors');
    my $session = session();
    my %seen;
    for my $round (1 .. effort(10, 40, 400))
    {
        on($primary, sprintf(q{SELECT lmtext.deploy('m', %d);}, 1 + $round % 2)
            . qq{SELECT lmtext.import_model('passing', '$tiny')} . ($round % 3 ? '' : q{; SELECT lmtext.drop_model('passing')}));
        $seen{ say_in($session, q{SELECT lmtext.embed('the cat sat on the mat', 'm')}) }++;
    }
    is(join("\n", sort keys %seen), join("\n", sort($one, $two)), 'each statement on the standby has one version or the other, whole');
    on($primary, q{SELECT lmtext.deploy('m', 1); SELECT lmtext.drop_model('passing')});
    caught_up();
    is(say_in($session, q{SELECT lmtext.embed('the cat sat on the mat', 'm')}), $one, 'and the last one in the end');
    like(say_in($session, q{SELECT lmtext.embed('a', 'passing')}), qr/42704/, 'what was dropped is gone');
    $session->quit;
}

# A drop waits on the standby for who uses the model, as long as max_standby_streaming_delay allows.
{
    on($primary, qq{SELECT lmtext.import_model('d', '@{[ variant($tiny, 3) ]}')});
    caught_up();
    my $user = session();
    say_in($user, q{SELECT lmtext.embed('a', 'd')});
    my $holder = session();
    $holder->query(q{BEGIN; DECLARE x CURSOR FOR SELECT lmtext.embed(body, 'd') FROM doc});
    say_in($holder, 'FETCH 1 FROM x');
    is(value(q{SELECT pins FROM lmtext.model_cache WHERE version = 'd@1'}), 1, 'a standby session has a model pinned');
    my $runner = session();
    begin_in($runner, q{SELECT count(lmtext.embed('some words ' || i, 'slow')) FROM generate_series(1, 5000000) i;});
    $standby->poll_query_until('postgres', q{SELECT count(*) = 1 FROM lmtext.model_cache WHERE version = 'slow@1' AND texts > 10})
      or die 'the long statement does not run';
    my $start = time;
    on($primary, q{SELECT lmtext.drop_model('d'); SELECT lmtext.drop_model('slow')});
    caught_up();
    my $waited = time - $start;
    # The server may have ended the session as well, where the cancelled statement was not gone at once.
    eval { end_in($runner) };
    like(slurp_file($standby->logfile), qr/ERROR:  canceling statement due to conflict with recovery\n.*\n.*STATEMENT:  SELECT count\(lmtext.embed\('some words/,
        'a long statement is cancelled');
    cmp_ok($waited, '<', 20, sprintf('the standby goes on after %.1f s', $waited));
    like(eval { say_in($holder, 'FETCH 1 FROM x') } // $holder->{stderr}, qr/40001|terminating connection|server closed/, 'so is a transaction that has it in use');
    like(say_in($user, q{SELECT lmtext.embed('a', 'd')}), qr/42704/, 'a session that only used it before is told that it is gone');
    eval { $_->quit } for $holder, $user, $runner;
    is(value(q{SELECT count(*) FROM lmtext.model_cache WHERE pins > 0 OR state <> 'ready'}), 0, 'nothing is pinned');
    value(q{SELECT lmtext.unload_model('m'); SELECT lmtext.load_model('m')});
    is(value(q{SELECT count(*) FROM lmtext.model_cache WHERE model IS NULL}), 0, 'and the next load gives the memory of dropped models back');
}

# With a delay of -1 the drop waits instead.
{
    $standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = -1');
    $standby->reload;
    on($primary, qq{SELECT lmtext.import_model('d', '@{[ variant($tiny, 4) ]}')});
    caught_up();
    my $holder = session();
    $holder->query(q{BEGIN; DECLARE x CURSOR FOR SELECT lmtext.embed(body, 'd') FROM doc});
    my $first = say_in($holder, 'FETCH 1 FROM x');
    on($primary, q{SELECT lmtext.drop_model('d'); SELECT lmtext.deploy('m', 2)});
    sleep 2;
    is(value(q{SELECT deployed FROM lmtext.model_name WHERE model = 'm'}), 1, 'the standby waits for its reader');
    like(say_in($holder, 'FETCH 1999 FROM x'), qr/\{[-0-9.,e]+\}$/, 'who reads to the end');
    $holder->query('COMMIT');
    caught_up();
    is(value(q{SELECT deployed FROM lmtext.model_name WHERE model = 'm'}), 2, 'then it goes on');
    $holder->quit;
    on($primary, q{SELECT lmtext.deploy('m', 1)});
}
safe('drops under a reading standby');

# ---- Recovery to a point in time ----

{
    use_node($primary);
    value(q{SELECT pg_create_restore_point('before')});
    value(qq{SELECT lmtext.import_model('pitr', '$tiny'), lmtext.import_model('pitr', '$large')});
    value(q{SELECT pg_create_restore_point('after')});
    my $pitr = q{SELECT lmtext.embed('the cat', 'pitr@1'), lmtext.embed('the cat', 'pitr@2')};
    my $expected = value($pitr);
    value(q{SELECT lmtext.drop_model('pitr'); SELECT pg_switch_wal()});
    for my $target (qw(before after))
    {
        my $restored = PostgreSQL::Test::Cluster->new("restored_$target");
        $restored->init_from_backup($primary, 'base');
        $restored->set_recovery_mode();
        $restored->append_conf('postgresql.conf', "archive_mode = off\nrestore_command = 'cp \"$archive/%f\" \"%p\"'\nrecovery_target_name = '$target'\nrecovery_target_action = promote\n");
        $restored->start;
        adopt_node($restored);
        $restored->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'recovery does not end';
        if ($target eq 'before')
        {
            is(state_of($pitr), '42704', 'before its import a model is not there');
            is(value(qq{SELECT lmtext.import_model('pitr', '$tiny')}), 1, 'and its number is free');
        }
        else
        {
            is(value($pitr), $expected, 'after it, it is, with the same bits');
            is(value(qq{SELECT lmtext.import_model('pitr', '$tiny')}), 3, 'and the next number is the next');
        }
        safe("recovery to the point '$target'");
        $restored->stop;
    }
}

# ---- Logical replication ----
#
# A version's rows are copied like any table's. Its definition, deployments and grants are not.
{
    my $subscriber = start_node('subscriber', streaming => 'logical', conf => $settings);
    my $definition = 'OF lmtext.model_part (%sPRIMARY KEY (file, part))';
    on($primary, 'CREATE PUBLICATION models FOR TABLE "m@1", "m@2", "parity@1"');
    value('CREATE EXTENSION lmtext');
    value(sprintf 'CREATE TABLE "%s" %s', $_->[0], sprintf $definition, $_->[1])
      for [ 'm@1', '' ], [ 'm@2', '' ], [ 'parity@1', q{base WITH OPTIONS DEFAULT '"m@1"'::regclass, } ];
    is(state_of(q{SELECT lmtext.embed('a', 'm@1')}), '55000', 'a version whose rows have not come is not ready');
    value(q{CREATE SUBSCRIPTION models CONNECTION '} . $primary->connstr . q{ dbname=postgres' PUBLICATION models});
    $subscriber->poll_query_until('postgres', q{SELECT count(*) = 3 FROM pg_subscription_rel WHERE srsubstate = 'r'}) or die 'no sync';
    is(value(q{SELECT lmtext.embed('the cat sat on the mat', 'm@1'), lmtext.embed('the cat sat on the mat', 'm@2'),
        lmtext.class_scores('the cat', 'parity@1')}), on($primary, $vector), 'versions are copied with their bits');
    is(value(q{SELECT string_agg(sha256, ' ' ORDER BY model::text) FROM lmtext.models}),
        on($primary, q{SELECT string_agg(sha256, ' ' ORDER BY model::text) FROM lmtext.models}), 'and digests');
    is(state_of(q{SELECT lmtext.embed('a', 'm')}), '42704', 'a bare name means nothing');
    value(q{SELECT lmtext.deploy('m', 2); SELECT lmtext.deploy('parity', 1)});
    is(value(q{SELECT lmtext.embed('a', 'm') = lmtext.embed('a', 'm@2')}), 't', 'until a version is deployed here');
    is(value(qq{SELECT lmtext.import_model('m', '$tiny')}), 3, 'numbers here are above those that came');
    value('DROP SUBSCRIPTION models');
    safe('logical replication');
    $subscriber->stop;
}

# ---- Promotion ----

{
    use_node($standby);
    caught_up();
    my $session = session();
    my $before = say_in($session, $vector);
    my $loads = value(q{SELECT string_agg(version || ' ' || loads || ' ' || loaded_at, ', ' ORDER BY version) FROM lmtext.model_cache});
    my $last = value(q{SELECT last_version FROM lmtext.model_name WHERE model = 'm'});
    on($primary, 'SELECT 1');
    $standby->promote;
    $standby->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()') or die 'no promotion';
    is(say_in($session, $vector), $before, 'a session goes on through promotion');
    is(value(q{SELECT string_agg(version || ' ' || loads || ' ' || loaded_at, ', ' ORDER BY version) FROM lmtext.model_cache}),
        $loads, 'with the models that were loaded before');
    my $next = $last + 1;
    like(say_in($session, qq{SELECT lmtext.import_model('m', '$tiny')}),
        qr/^$next(?!\d).*NOTICE:.*model "m" has a new version $next, but version 1 is still deployed\n.*HINT:.*SELECT lmtext.deploy\('m', $next\);/s,
        'import, under the next number');
    like(say_in($session, q{CALL lmtext.train('parity', 'SELECT body, (id % 2)::text FROM doc WHERE id <= 40', '{"base": "m"}')}),
        qr/trained version 2/, 'train');
    like(say_in($session, sprintf q{SELECT lmtext.deploy('m', %d); SELECT lmtext.drop_model('m@2')}, $last + 1),
        qr/^\n[^\n]*NOTICE:  00000: 1 object is pinned to another version of model "m"\nDETAIL:  index by_class: version 1\n(?!.*ERROR)/s, 'deploy and drop');
    $session->quit;
    safe('promotion');
}

# ---- The former primary goes its own way, and comes back by pg_rewind ----

{
    use_node($primary);
    value(qq{SELECT lmtext.import_model('m', '$tiny', '{"max_tokens": 7}'); SELECT lmtext.import_model('astray', '$tiny')});
    $primary->stop;
    on($standby, 'CHECKPOINT'); # before 16 pg_rewind sees the new timeline only after it
    command_ok([ 'pg_rewind', '--target-pgdata', $primary->data_dir, '--source-server', $standby->connstr . ' dbname=postgres', '--no-sync' ],
        'pg_rewind');
    $primary->append_conf('postgresql.conf', 'port = ' . $primary->port . "\nwal_consistency_checking = ''\n");
    $primary->enable_streaming($standby);
    $primary->set_standby_mode();
    $primary->start;
    expect_restart();
    $standby->wait_for_catchup($primary, 'replay', $standby->lsn('insert'));
    my $now = q{SELECT name, version, deployed, sha256 FROM lmtext.models ORDER BY 1, 2; SELECT lmtext.embed('the cat sat on the mat', 'm')};
    is(value($now), on($standby, $now), 'has the models of the new primary');
    is(state_of(q{SELECT lmtext.embed('a', 'astray')}), '42704', 'and not its own');
    on($standby, qq{SELECT lmtext.import_model('m', '$tiny', '{"max_tokens": 8}')});
    $standby->wait_for_catchup($primary, 'replay', $standby->lsn('insert'));
    is(value($now), on($standby, $now), 'and follows it');
}

for my $node ($primary, $standby)
{
    unlike(slurp_file($node->logfile), qr/inconsistent page|invalid page|PANIC/, $node->name . ': every page is as it was logged');
}
done();
