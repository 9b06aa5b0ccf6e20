# 147_versions.pl - a column's change of model while others read and write: no search sees two versions, no row is lost; the
# guard in other sessions, after dump and restore, and on a standby; maps between versions of the real model.
use strict;
use warnings;

use Lmtext;
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $node = start_node('versions', streaming => 1, conf => "autovacuum = off\nlmtext.embedding_model = 'm'\nlmtext.progress_interval = 0\n");
my $search = q{SELECT id FROM doc ORDER BY v <=> lmtext.embed('text 7') LIMIT 1};

# The second version is another model, so that a search which mixes the two finds something else.
value(<<"SQL");
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('m', '$tiny'), lmtext.import_model('m', '$ENV{LMTEXT_SOURCE_DIR}/models/tiny/distilbert');
CREATE TABLE doc (id int PRIMARY KEY, body text);
INSERT INTO doc SELECT i, 'text ' || i FROM generate_series(1, 40) i;
SELECT lmtext.create_job('first', 'doc', 'body', 'embed', 'm\@1', 'v');
SELECT lmtext.attach('first');
CALL lmtext.run_job('first');
SQL
is(value($search), 7, 'a search finds its text');

# ---- Readers and a writer beside switches ----

# One round: the next version beside the old, then both names in one transaction. Rows that come meanwhile are done before.
sub switch_to
{
    my ($version, $round) = @_;
    value("SELECT lmtext.create_job('job$round', 'doc', 'body', 'embed', 'm\@$version', 'next')");
    for (1 .. 100)
    {
        value("CALL lmtext.run_job('job$round')");
        my $said = complaint(qq{BEGIN; SELECT lmtext.switch_job('job$round', 'v', '{"drop_old": true}'); SELECT lmtext.deploy('m', $version); COMMIT;});
        return 1 if $said !~ /ERROR/;
        die $said if $said !~ /55000: .*rows left to do/;
    }
    return 0;
}

{
    my @readers = map { session() } 1 .. 2;
    my $writer = session();
    my $loop = q{DO $$ DECLARE found int; BEGIN
        WHILE NOT EXISTS (SELECT FROM stop) LOOP
            EXECUTE $q$} . $search . q{$q$ INTO found;
            IF found IS DISTINCT FROM 7 THEN RAISE EXCEPTION 'found %', found; END IF;
            INSERT INTO read SELECT 1;
            COMMIT;
        END LOOP;
    END $$;};
    value('CREATE TABLE stop (a int); CREATE TABLE read (a int)');
    begin_in($_, $loop) for @readers;
    begin_in($writer, q{DO $$ BEGIN
        FOR i IN 100 .. 160 LOOP INSERT INTO doc VALUES (i, 'more ' || i); COMMIT; PERFORM pg_sleep(0.02); END LOOP; END $$;});
    for my $round (1 .. 4)
    {
        my $before = value('SELECT count(*) FROM read');
        ok(switch_to($round % 2 + 1, $round), "switch $round");
        $node->poll_query_until('postgres', "SELECT count(*) > $before + 2 FROM read") or die 'readers stand still';
    }
    unlike(end_in($writer), qr/ERROR/, 'a writer goes on');
    value('INSERT INTO stop VALUES (1)');
    unlike(end_in($_), qr/ERROR|found/, 'no reader sees two versions') for @readers;
    $_->quit for @readers, $writer;
    value("CALL lmtext.run_job('job4')");
    is(value(q{SELECT count(*), bool_and(v = lmtext.embed(body, 'm@1')) FROM doc}), '101|t', 'and every row is of the last one');
    is(value('SELECT name, target_column, attached FROM lmtext.job'), 'job4|v|t', 'which one job keeps');
}
safe('readers and a writer');

# Who began before and waited sees the new column and the new version; a plan that another session has kept is made anew.
{
    my ($switching, $waiting, $keeping) = map { session() } 1 .. 3;
    value(q{SELECT lmtext.create_job('wait', 'doc', 'body', 'embed', 'm@2', 'next')});
    value(q{CALL lmtext.run_job('wait')});
    say_in($keeping, "SET plan_cache_mode = force_generic_plan; PREPARE search AS $search; PREPARE old AS SELECT count(v <=> lmtext.embed('a', 'm\@1')) FROM doc;");
    like(say_in($keeping, 'EXECUTE search; EXECUTE old;'), qr/^7\n101$/, 'plans are kept');
    say_in($switching, q{BEGIN; SELECT lmtext.switch_job('wait', 'v'); SELECT lmtext.deploy('m', 2);});
    my $pid = begin_in($waiting, "$search;");
    $node->poll_query_until('postgres', "SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = $pid") or die 'nobody waits';
    say_in($switching, 'COMMIT;');
    like(end_in($waiting), qr/^7$/m, 'a reader that waited');
    like(say_in($keeping, 'EXECUTE search;'), qr/^7$/, 'a plan that was kept');
    like(say_in($keeping, 'EXECUTE old;'), qr/42804: column "v" of "doc" has vectors of model "m\@2", and is compared with one of "m\@1"/,
        'and one that would mix two versions');
    $_->quit for $switching, $waiting, $keeping;
}
# A run that goes on with the old column's job ends when the job is dropped under it, and nothing of it is written.
{
    my $running = session();
    value(q{SELECT lmtext.create_job('back', 'doc', 'body', 'embed', 'm@1', 'next')});
    value(q{CALL lmtext.run_job('back')});
    value(q{CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END'});
    value(q{CREATE TRIGGER slow BEFORE UPDATE ON doc FOR EACH ROW EXECUTE FUNCTION slow()});
    value(q{UPDATE doc SET v = NULL WHERE id <= 20; SELECT lmtext.detach('wait'); SELECT lmtext.drop_job('wait');
        SELECT lmtext.create_job('slow', 'doc', 'body', 'embed', 'm@2', 'v', '{"batch_size": 1}')});
    begin_in($running, q{CALL lmtext.run_job('slow');});
    $node->poll_query_until('postgres', 'SELECT count(v) > 82 FROM doc') or die 'no progress';
    is(state_of(q{SELECT lmtext.switch_job('back', 'v', '{"drop_old": true}')}), '', 'a switch beside a run of the old job');
    like(end_in($running), qr/ERROR/, 'which ends');
    is(value(q{SELECT count(*), bool_and(v = lmtext.embed(body, 'm@1')) FROM doc}), '101|t', 'and has written nothing more');
    $running->quit;
    value('DROP TRIGGER slow ON doc');
}
safe('a switch beside a run');

# ---- Dump and restore, standby ----

value(<<'SQL');
SELECT lmtext.create_job('following', 'doc', 'body', 'embed', 'm', 'f');
CALL lmtext.run_job('following');
CREATE TABLE sample AS SELECT DISTINCT 'word ' || i || ' and ' || i * 7 AS body FROM generate_series(1, 120) i;
SELECT lmtext.map_vectors('map', 'm@1', 'm@2', 'SELECT body FROM sample ORDER BY body', '{"seconds": 600}');
SQL
my @looks = (
    [q{SELECT count(f <=> lmtext.embed('a', 'm@1')) FROM doc}, '42804', 'a job of the model'],
    [q{SELECT count(v <=> lmtext.embed('a', 'm@2')) FROM doc}, '42804', 'a job of a version'],
    [q{SELECT count(f <=> lmtext.mapped(lmtext.embed('a', 'm@1'), 'map')) FROM doc}, '', 'what is mapped'],
    [q{SELECT count(f <=> lmtext.mapped(lmtext.embed('a', 'm@2'), 'map')) FROM doc}, '42804', 'what the map is not for'],
    [q{SELECT count(f <=> lmtext.embed('a')) FROM doc}, '', 'the version itself']);
is(state_of($_->[0]), $_->[1], $_->[2]) for @looks;
# Planning waits for nothing that is only named: of what is locked nothing is known.
{
    my $locking = session();
    my $at_once = q{SET lock_timeout = '50ms'; EXPLAIN SELECT f <=> };
    my $mapped = qq{$at_once lmtext.mapped(lmtext.embed('a', 'm\@2'), 'map') FROM doc};
    my $pinned = qq{$at_once lmtext.embed(body, 'm\@1') FROM doc};
    is(state_of($_), '42804', 'nothing is locked') for $mapped, $pinned;
    say_in($locking, 'BEGIN; LOCK TABLE "map@map";');
    is(state_of($mapped), '', 'a map that is locked');
    for my $version ('m@1', 'm@2')
    {
        say_in($locking, qq{COMMIT; BEGIN; LOCK TABLE "$version";});
        is(state_of($pinned), '', "and version $version");
    }
    say_in($locking, 'COMMIT;');
    $locking->quit;
}
{
    my $file = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir()) . '/dump';
    my $port = ['-h', $node->host, '-p', $node->port];
    my $mapped = q{SELECT md5(lmtext.mapped(lmtext.embed('a', 'm@1'), 'map')::text)};
    command_ok(['pg_dump', @$port, '-Fc', '-Z', '0', '-f', $file, 'postgres'], 'dump');
    value('CREATE DATABASE restored');
    command_ok(['pg_restore', @$port, '-d', 'restored', '--exit-on-error', $file], 'and restore');
    is(value('SELECT count(*) FROM lmtext.job_runs', 'restored'), 0, 'runs are not dumped');
    is(state_of($_->[0], 'restored'), $_->[1], "restored: $_->[2]") for @looks;
    is(value($mapped, 'restored'), value($mapped), 'and the map is the same');
}
{
    $node->backup('base');
    my $standby = PostgreSQL::Test::Cluster->new('versions_standby');
    $standby->init_from_backup($node, 'base', has_streaming => 1);
    $standby->start;
    $node->wait_for_catchup($standby);
    adopt_node($standby);
    is(state_of($_->[0]), $_->[1], "standby: $_->[2]") for @looks;
    use_node($node);
}

# ---- The real model ----

# Texts of every server: what its catalogs say of functions and operators. A few texts go beyond the old window; what the old
# column has never read no map can find, so that recall falls with their share.
value(<<"SQL");
SELECT lmtext.import_model('exact', '$real'), lmtext.import_model('window', '$real', '{"max_tokens": 128}'),
    lmtext.import_model('window', '$real', '{"max_tokens": 256}');
CREATE TABLE short AS SELECT body, row_number() OVER (ORDER BY md5(body)) AS n FROM (SELECT DISTINCT description AS body FROM pg_description) d;
SELECT lmtext.quantize('exact', 'int8', ARRAY(SELECT body FROM short WHERE n BETWEEN 1000 AND 1040));
CREATE TABLE long AS SELECT n, body FROM short WHERE n <= 499 OR n BETWEEN 700 AND 1000
    UNION ALL SELECT min(n), string_agg(body, '. ' ORDER BY body) FROM short WHERE n BETWEEN 500 AND 699 GROUP BY (n - 500) / 20;
SQL
is(value(q{SELECT count(*), count(*) FILTER (WHERE lmtext.count_tokens(body, 'window@2') > 128) BETWEEN 5 AND 10 FROM long}), '810|t', 'texts beyond a window');
for my $case (['exact', 'short WHERE n <= 400'], ['window', 'long'])
{
    my ($model, $texts) = @$case;
    my $said = value(qq{SELECT m ->> 'kind', m ->> 'texts', m ->> 'recall_at_10' FROM lmtext.map_vectors('$model', '$model\@2', '$model\@1',
        'SELECT body FROM $texts ORDER BY n', '{"seconds": 3600}') m});
    note("$model: $said");
    cmp_ok((split /\|/, $said)[2], '>=', .95, "recall of a map between two versions: $model");
}
# What a map is told to find, it finds by an operator and in SQL.
value(q{CREATE TABLE kept AS SELECT n, body, lmtext.embed(body, 'exact@1') AS v FROM short WHERE n <= 100});
is(value(q{SELECT count(*) FROM (SELECT n FROM kept WHERE n <= 10) q (n) JOIN kept t USING (n)
    WHERE t.n = (SELECT k.n FROM kept k ORDER BY k.v <=> lmtext.mapped(lmtext.embed(t.body, 'exact@2'), 'exact') LIMIT 1)}), 10, 'texts find themselves');
is(value(q{SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'}), 0, 'nobody waits');
done();
