# 152_index_words.pl - words in an index of method lmtext where a server is needed: a standby that compares pages, sessions that
# write at once beside vacuum and readers, crashes between and in merges, damaged pages.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $primary = start_node('words', streaming => 1, conf => <<'CONF');
wal_consistency_checking = all
max_wal_size = 1GB
shared_buffers = 32MB
ignore_checksum_failure = on
autovacuum = off
CONF

value(<<'SQL');
CREATE EXTENSION lmtext;
ALTER DATABASE postgres SET max_parallel_workers_per_gather = 0;
CREATE TABLE doc AS SELECT i AS id, 'every w' || i % 7 || ' w' || i % 11 || repeat(' more', i % 5) || ' ' || md5(i::text) AS body FROM generate_series(1, 3000) i;
CREATE INDEX doc_words ON doc USING lmtext (body) WITH (words = true);
CREATE UNLOGGED TABLE fleeting AS SELECT * FROM doc LIMIT 50;
CREATE INDEX fleeting_words ON fleeting USING lmtext (body) WITH (words = true);
SQL

# Scores of the best rows, whose places may differ among equals.
my $search = q{SELECT string_agg(round(d::numeric, 4)::text, ' ') FROM (SELECT body <@> 'w3 w5 more' AS d FROM doc ORDER BY body <@> 'w3 w5 more' LIMIT 100) x};
my $exact = q{SELECT string_agg(round(-score::numeric, 4)::text, ' ') FROM lmtext.search('doc', 'body', 'w3 w5 more', k => 100,
    mode => 'words', words_by => 'bm25', config => 'simple', key_columns => '{id}')};

sub sound
{
    my ($what, @indexes) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is(join('', map { value("SELECT coalesce(string_agg(\"check\" || ': ' || detail, '; '), '') FROM lmtext.index_check('$_') WHERE NOT ok") } @indexes),
        '', $what);
}

# ---- A standby ----

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('words_standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
adopt_node($standby);
use_node($primary);
value(q{INSERT INTO doc SELECT id + 10000, body || ' again' FROM doc;
    DELETE FROM doc WHERE id % 3 = 0; VACUUM doc;
    INSERT INTO doc SELECT id + 20000, body || ' third' FROM doc WHERE id < 2000; VACUUM doc;
    INSERT INTO doc VALUES (90000, (SELECT string_agg('long' || i, ' ') FROM generate_series(1, 3000) i))});
sound('written in many ways', 'doc_words');
is(value($search), value($exact), 'and ranked as by a pass over the table');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->safe_psql('postgres', $search), value($search), 'a standby ranks the same');
is($standby->safe_psql('postgres', q{SELECT bool_and(ok) FROM lmtext.index_check('doc_words')}), 't', 'and checks the index');
$standby->promote;
use_node($standby);
wait_for('SELECT NOT pg_is_in_recovery()', 'the standby is promoted');
value(q{INSERT INTO doc SELECT id + 50000, body FROM doc WHERE id < 3000; INSERT INTO fleeting SELECT * FROM doc WHERE id BETWEEN 1 AND 20; VACUUM doc});
sound('it writes on, and unlogged indexes begin anew', qw(doc_words fleeting_words));
$standby->stop;
use_node($primary);

# ---- Sessions that write at once, beside vacuum and readers ----

my @sessions = map { session() } 1 .. 4;
for my $number (0 .. 3)
{
    begin_in($sessions[$number], "DO \$\$ BEGIN FOR i IN 1..25 LOOP
        INSERT INTO doc SELECT 100000 + $number * 10000 + i * 100 + j, 'session$number w' || j % 7 || repeat(' more', j % 4) || ' ' || md5((i * j)::text) FROM generate_series(1, 50) j; COMMIT;
        IF i % 4 = 0 THEN UPDATE doc SET body = body || ' changed' WHERE id / 100 = 1000 + $number * 100 + i; COMMIT; END IF;
        IF i % 7 = 0 THEN DELETE FROM doc WHERE id / 100 = 1000 + $number * 100 + i; COMMIT; END IF;
        END LOOP; END \$\$;");
}
my $reader = session();
begin_in($reader, "DO \$\$ DECLARE n int; BEGIN FOR i IN 1..60 LOOP
    PERFORM set_config('work_mem', CASE WHEN i % 2 = 0 THEN '64kB' ELSE '4MB' END, true);
    SELECT count(DISTINCT id) INTO n FROM (SELECT id FROM doc ORDER BY body <\@> 'w3 more every' LIMIT 700) x; COMMIT;
    IF n <> 700 THEN RAISE EXCEPTION 'a reader found % rows', n; END IF; END LOOP; END \$\$;");
value('VACUUM doc') for 1 .. 4;
is(join('', map { end_in($_) =~ /(ERROR.*)/ ? $1 : '' } @sessions, $reader), '', 'four sessions write beside vacuum and a reader');
$_->quit for @sessions, $reader;
sound('all of it is there', 'doc_words');
value('VACUUM doc');
is(value($search), value($exact), 'and no statistics are lost');

# ---- Crashes: what was inserted and not yet made a segment of, and in a merge ----

value(q{INSERT INTO doc SELECT i, 'waits w3 more' FROM generate_series(200001, 200100) i});
$primary->stop('immediate');
$primary->start;
sound('after a crash', 'doc_words');
value(q{CREATE TABLE big AS SELECT i AS id, 'big ' || md5(i::text) || ' ' || md5((-i)::text) || ' w' || i % 9 AS body FROM generate_series(1, 40000) i;
    CREATE INDEX big_words ON big USING lmtext (body) WITH (words = true); DELETE FROM big WHERE id % 2 = 0});
my $vacuum = session();
my $pid = begin_in($vacuum, 'VACUUM big;');
# Mostly in the merge; where the machine is faster, behind it.
value('SELECT pg_sleep(.3)');
crash($pid, 'it is killed');
eval { $vacuum->quit };
expect_restart();
sound('after a crash in a merge', 'big_words');
value('INSERT INTO big SELECT i, \'new w3\' FROM generate_series(50001, 50010) i; VACUUM big');
sound('which the next one makes good', 'big_words');
is(value(q{SELECT count(*) FROM (SELECT body FROM big ORDER BY body <@> 'new' LIMIT 10) x WHERE body = 'new w3'}), '10', 'and rows are found');

# ---- Damaged pages: an error, or an answer, never a crash ----

srand(17);
my @copies = map { "damaged_$_" } 1 .. effort(12, 30, 150);
for my $table (@copies)
{
    value("CREATE TABLE $table AS SELECT * FROM doc WHERE id < 400; CREATE INDEX ${table}_i ON $table USING lmtext (body) WITH (words = true);
        INSERT INTO $table SELECT id + 1000, body FROM $table WHERE id < 20");
}
# A root that names itself, as the last page of documents that wait, or as a spare one: numbers at places of its body.
my %self = (self_last => {36 => 1}, self_spare => {32 => 0xFFFFFFFF, 36 => 0xFFFFFFFF, 84 => 1, 1624 => 1});
value("CREATE TABLE $_ AS SELECT * FROM doc WHERE id < 20; CREATE INDEX ${_}_i ON $_ USING lmtext (body) WITH (words = true);
    INSERT INTO $_ VALUES (1, 'waits')") for sort keys %self;
value('CHECKPOINT');
my %file = map { ($_ => value("SELECT pg_relation_filepath('${_}_i')")) } @copies, keys %self;
$primary->stop;
for my $table (keys %self)
{
    my $path = $primary->data_dir . "/$file{$table}";
    open my $handle, '+<:raw', $path or die "$path: $!";
    for my $at (keys %{ $self{$table} })
    {
        seek $handle, 8192 + 24 + $at, 0;
        print {$handle} pack('L', $self{$table}{$at});
    }
    close $handle;
}
for my $table (@copies)
{
    my $path = $primary->data_dir . "/$file{$table}";
    my $pages = (-s $path) / 8192;
    open my $handle, '+<:raw', $path or die "$path: $!";
    for my $time (1 .. 3)
    {
        # At the beginning of the body, anywhere, at the end; a few bytes, or zeros to the end of the page.
        my $at = (24 + int rand 64, 24 + int rand 8160, 8176 + int rand 16)[ int rand 3 ];
        my $bytes = (pack('L', int rand 2**32), pack('L', 0xFFFFFFFF), pack('S', int rand 20), "\0" x (8192 - $at))[ int rand 4 ];
        seek $handle, 8192 * int(rand $pages) + $at, 0;
        print {$handle} substr $bytes, 0, 8192 - $at;
    }
    close $handle;
}
$primary->start;
expect_restart();
is(state_of("INSERT INTO $_ VALUES (2, 'more')"), 'XX002', "$_ is an error, and locks nothing twice") for sort keys %self;
my %found;
for my $table (@copies)
{
    my $new = "INSERT INTO $table (id, body) VALUES (1, 'new more w3')";
    for my $statement ("SELECT count(*) FROM (SELECT id FROM $table ORDER BY body <\@> 'w3 w5 more every' LIMIT 1000) x", $new,
        "SELECT lmtext.index_check('${table}_i')", "DELETE FROM $table WHERE id % 2 = 0", "VACUUM $table", "REINDEX INDEX ${table}_i", $new)
    {
        $found{ state_of("SET client_min_messages = error; $statement") }++;
    }
    sound("$table is mended by REINDEX", "${table}_i");
}
ok($found{XX002}, 'damage is found');
is(join(' ', grep { !/^(XX00[12]|)$/ } sort keys %found), '', 'and is nothing else');
safe('damaged pages');

done();
