# 153_index_lists.pl - lists of an index that VACUUM makes anew, beside sessions that write and read, on a standby that compares
# pages, and when its session is killed.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $primary = start_node('lists', streaming => 1, conf => <<'CONF');
wal_consistency_checking = all
max_wal_size = 1GB
shared_buffers = 32MB
autovacuum = off
CONF

value(<<"SQL");
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('m', '$tiny');
ALTER DATABASE postgres SET max_parallel_workers_per_gather = 0;
CREATE FUNCTION vector(seed int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
\$\$SELECT array_agg((sin(seed % 16 * 37 + i * (seed % 16 + 3)) + .4 * sin(seed * 7.31 + i * (seed % 89 + 1)))::real ORDER BY i) FROM generate_series(1, 48) i\$\$;
CREATE TABLE doc (id int, body text, v real[] NOT NULL);
CREATE INDEX doc_v ON doc USING lmtext (v real_l2_ops) WITH (lists = 12);
CREATE INDEX doc_body ON doc USING lmtext (body) WITH (model = 'm\@1', lists = 5);
INSERT INTO doc SELECT i, 'text ' || i % 300, vector(i) FROM generate_series(1, 1500) i;
SQL

my $search = q{SET enable_seqscan = off; SELECT string_agg(id::text, ' ') FROM (SELECT id FROM doc ORDER BY v <-> vector(777) LIMIT 10) x};
my $lists = q{SELECT lists || ' of ' || lists_wanted || ' ' || lists_due FROM lmtext.index_stats('doc_v')};

sub sound
{
    my ($what) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is(join('', map { value("SELECT coalesce(string_agg(\"check\" || ': ' || detail, '; '), '') FROM lmtext.index_check('$_') WHERE NOT ok") } qw(doc_v doc_body)),
        '', $what);
}

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('lists_standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
adopt_node($standby);
use_node($primary);

# ---- A reader that has begun, and writers ----

is(value($lists), '1 of 12 true', 'an index that was made without rows has one list');
my $there = value('SELECT count(*) FROM doc');
my $reader = session();
begin_in($reader, q{SET enable_seqscan = off; BEGIN; DECLARE c CURSOR FOR SELECT id FROM doc ORDER BY v <-> vector(5); CREATE TEMP TABLE got (id int);
    DO $$DECLARE n int; c refcursor = 'c'; BEGIN FOR i IN 1..5 LOOP FETCH c INTO n; INSERT INTO got VALUES (n); END LOOP; END$$;});
end_in($reader);
my @writers = map { session() } 0 .. 3;
for my $number (0 .. 3)
{
    begin_in($writers[$number], "DO \$\$ BEGIN FOR i IN 1..30 LOOP
        INSERT INTO doc SELECT 10000 + $number * 1000 + i * 10 + j, 'text ' || j, vector(10000 + $number * 1000 + i * 10 + j) FROM generate_series(1, 5) j; COMMIT;
        IF i % 5 = 0 THEN UPDATE doc SET id = id + 50000 WHERE id = 10001 + $number * 1000 + i * 10; COMMIT; END IF;
        END LOOP; END \$\$;");
}
value('VACUUM doc') for 1 .. 2;
is(join('', map { end_in($_) =~ /(ERROR.*)/ ? $1 : '' } @writers), '', 'four sessions write while lists are made');
$_->quit for @writers;
is(value($lists), '12 of 12 false', 'there are as many as the option says');
sound('and all rows are in them');
begin_in($reader, q{DO $$DECLARE n int; c refcursor = 'c'; BEGIN LOOP FETCH c INTO n; EXIT WHEN NOT FOUND; INSERT INTO got VALUES (n); END LOOP; END$$;});
is(end_in($reader) =~ /(ERROR.*)/ ? $1 : '', '', 'a scan that had begun goes on in the lists before');
is($reader->query('SELECT count(*) || \' \' || count(DISTINCT id) FROM got') =~ s/\s+$//r, "$there $there", 'and returns what its snapshot has');
$reader->query('COMMIT');
$reader->quit;
cmp_ok(value(q{SELECT recall FROM lmtext.index_recall('doc_v', 100, 10)}), '>=', .95, 'the nearest rows are found');
cmp_ok(value(q{SELECT recall FROM lmtext.index_recall('doc_body', 100, 10)}), '>=', .95, 'or rows as near as they, where many texts have one vector');
is(value($search), value("SET enable_indexscan = off; $search"), 'as by sorting');

# ---- A standby ----

value(q{ALTER INDEX doc_v SET (lists = 4); VACUUM doc; ALTER INDEX doc_v SET (lists = 12); VACUUM doc; VACUUM doc; INSERT INTO doc SELECT 90000 + i, 'new ' || i, vector(90000 + i) FROM generate_series(1, 50) i});
sound('lists were made anew, and pages used again');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->safe_psql('postgres', $search), value($search), 'a standby finds the same');
is($standby->safe_psql('postgres', q{SELECT bool_and(ok) FROM lmtext.index_check('doc_v')}), 't', 'and checks the index');
$standby->stop;

# ---- Killed in the middle ----

value(q{CREATE TABLE big AS SELECT i AS id, vector(i) AS v FROM generate_series(1, 12000) i; CREATE INDEX big_v ON big USING lmtext (v real_l2_ops) WITH (lists = 3);
    ALTER INDEX big_v SET (lists = 300)});
my $vacuum = session();
my $pid = begin_in($vacuum, 'VACUUM big;');
# Mostly while lists are made; where the machine is faster, behind it.
value('SELECT pg_sleep(.2)');
crash($pid, 'it is killed');
eval { $vacuum->quit };
expect_restart();
sound('the other indexes are as they were');
is(value(q{SELECT bool_and(ok) FROM lmtext.index_check('big_v')}), 't', 'after a crash while lists are made');
value('VACUUM big; VACUUM big; INSERT INTO big SELECT id + 20000, v FROM big WHERE id < 100');
is(value(q{SELECT bool_and(ok) || ' ' || (SELECT lists FROM lmtext.index_stats('big_v')) FROM lmtext.index_check('big_v')}), 'true 300', 'the next VACUUM makes them');
safe('lists');

done();
