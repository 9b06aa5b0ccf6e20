# 150_index.pl - the access method lmtext where a server is needed: crashes in builds and inserts, a standby that compares
# pages, dump and restore, sessions that write at once, damaged pages.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $primary = start_node('index', streaming => 1, conf => <<'CONF');
wal_consistency_checking = all
max_wal_size = 1GB
shared_buffers = 32MB
max_connections = 40
ignore_checksum_failure = on
autovacuum = off
CONF

value(<<"SQL");
CREATE EXTENSION lmtext;
SELECT lmtext.import_model('m', '$tiny');
ALTER DATABASE postgres SET lmtext.embedding_model = 'm';
ALTER DATABASE postgres SET max_parallel_workers_per_gather = 0;
CREATE FUNCTION vector(seed int, width int) RETURNS real[] LANGUAGE sql IMMUTABLE AS
\$\$SELECT array_agg((((seed * 7919 + i * 104729 + (seed * i) % 251 * 31) % 1009) / 1009.0 - .5)::real ORDER BY i) FROM generate_series(1, width) i\$\$;
CREATE TABLE doc AS SELECT i AS id, translate(i::text, '0123456789', 'abcdefghij') || ' sat on mat ' || md5(i::text) AS body,
    vector(i, 64) AS v FROM generate_series(1, 800) i;
CREATE INDEX doc_body ON doc USING lmtext (body) WITH (model = 'm\@1');
CREATE INDEX doc_v ON doc USING lmtext (v real_l2_ops) WITH (lists = 10);
CREATE INDEX doc_id ON doc (id);
CREATE UNLOGGED TABLE fleeting AS SELECT * FROM doc LIMIT 50;
CREATE INDEX fleeting_body ON fleeting USING lmtext (body) WITH (model = 'm\@1');
CREATE INDEX fleeting_v ON fleeting USING lmtext (v);
SQL

my $search = q{SET enable_seqscan = off; SELECT string_agg(id::text, ' ') FROM (SELECT id FROM doc ORDER BY body <=> 'a cat' LIMIT 10) x
    UNION ALL SELECT string_agg(id::text, ' ') FROM (SELECT id FROM doc ORDER BY v <-> vector(5000, 64) LIMIT 10) x};

# What index_check complains of.
sub faults
{
    my ($index) = @_;
    return value("SELECT coalesce(string_agg(\"check\" || ': ' || detail, '; '), '') FROM lmtext.index_check('$index') WHERE NOT ok");
}

sub sound
{
    my ($what, @indexes) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is(join('', map { faults($_) } @indexes), '', $what);
}

# ---- A standby: what is built and written is replayed, page by page the same ----

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
adopt_node($standby);
use_node($primary);
value(q{INSERT INTO doc SELECT id + 1000, body || ' again', vector(id + 1000, 64) FROM doc WHERE id <= 150;
    UPDATE doc SET id = -id WHERE id % 5 = 0; DELETE FROM doc WHERE id % 3 = 0; VACUUM doc;
    INSERT INTO doc SELECT id + 3000, 'more ' || id, vector(id + 3000, 64) FROM doc WHERE id BETWEEN 1 AND 100;
    CREATE INDEX doc_lists ON doc USING lmtext (body) WITH (model = 'm@1', lists = 7);
    CREATE TABLE wide AS SELECT i AS id, vector(i, 2100) AS v FROM generate_series(1, 20) i;
    CREATE INDEX wide_v ON wide USING lmtext (v);
    INSERT INTO wide SELECT i, vector(i, 2100) FROM generate_series(21, 40) i;
    CREATE UNLOGGED TABLE newer AS SELECT * FROM doc LIMIT 50;
    CREATE INDEX newer_body ON newer USING lmtext (body) WITH (model = 'm@1', words = 'tokens');
    CREATE TABLE later (body text);
    CREATE INDEX later_body ON later USING lmtext (body) WITH (model = 'm@1', words = 'tokens');
    INSERT INTO later VALUES ('one'), ('two');
    INSERT INTO doc VALUES (6500, 'a cat', vector(6500, 64))});
sound('written in many ways', qw(doc_body doc_v doc_lists wide_v later_body));
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
my $pending = q{SELECT pending FROM lmtext.index_stats('doc_body')};
cmp_ok($standby->safe_psql('postgres', $pending), '>', 50, 'rows wait for being embedded');
use_node($standby);
is(state_of(q{SELECT lmtext.index_flush('doc_body')}), '55000', 'which a standby cannot move');
use_node($primary);
my $there = $standby->safe_psql('postgres', $search);
is($there, value($search), 'a standby finds the same rows');
like($there, qr/^6500 /, 'those that wait among them');
# By places that another index gives: many, and so few that the texts of their rows are looked up.
for my $filter ('id BETWEEN 3001 AND 3100', 'id IN (6500)')
{
    my $found = "SET enable_seqscan = off; SET enable_sort = off; SELECT string_agg(id::text, ' ') FROM (SELECT id FROM doc WHERE $filter ORDER BY body <=> 'a cat' LIMIT 10) x";

    like($standby->safe_psql('postgres', $found =~ s/SELECT string_agg/EXPLAIN SELECT string_agg/r), qr/LmtextFilter/, "a standby ranks rows of $filter");
    is($standby->safe_psql('postgres', $found), value($found), 'as the primary does');
}
is($standby->safe_psql('postgres', "SET enable_seqscan = off; SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM doc WHERE body IS NOT NULL ORDER BY body <=> 'a cat') x"),
    value('SELECT count(*), count(*) FROM doc'), 'and each row once');
is($standby->safe_psql('postgres', q{SELECT bool_and(ok) FROM lmtext.index_check('doc_body')}), 't', 'and checks an index');
like($standby->safe_psql('postgres', q{SELECT detail FROM lmtext.index_check('doc_body') WHERE "check" = 'rows'}), qr/^0 of \d+ rows .* standby/,
    'and says what it cannot tell');
is($standby->safe_psql('postgres', q{SET enable_seqscan = off; SELECT id FROM wide ORDER BY v <=> vector(33, 2100) LIMIT 1}), '33',
    'and wide vectors');
like($standby->psql('postgres', 'SELECT count(*) FROM fleeting') ? 'refused' : 'read', qr/refused/, 'an unlogged table is not there');
$standby->promote;
use_node($standby);
wait_for('SELECT NOT pg_is_in_recovery()', 'the standby is promoted');
sound('the promoted standby', qw(doc_body doc_v doc_lists wide_v later_body fleeting_body fleeting_v newer_body));
value(q{INSERT INTO newer SELECT * FROM doc WHERE id BETWEEN 1 AND 20; INSERT INTO fleeting SELECT * FROM doc WHERE id BETWEEN 1 AND 20; INSERT INTO doc VALUES (7000, 'on the other side', vector(7000, 64))});
sound('unlogged indexes begin anew', qw(newer_body fleeting_body fleeting_v doc_body));
safe('promoted');
$standby->stop;
use_node($primary);

# ---- Sessions that write at once ----

my @sessions = map { session() } 1 .. 8;
for my $number (0 .. 7)
{
    begin_in($sessions[$number], "DO \$\$ BEGIN FOR i IN 1..40 LOOP
        INSERT INTO doc VALUES (20000 + $number * 100 + i, 'session $number writes ' || i, vector(20000 + $number * 100 + i, 64)); COMMIT;
        IF i % 4 = 0 THEN UPDATE doc SET id = id + 10000 WHERE id = 20000 + $number * 100 + i; COMMIT; END IF;
        IF i % 7 = 0 THEN DELETE FROM doc WHERE id = 20000 + $number * 100 + i; COMMIT; END IF;
        END LOOP; END \$\$;");
}
value('VACUUM doc') for 1 .. 3;
is(value('SET enable_seqscan = off; SELECT count(*) >= 10 FROM (SELECT id FROM doc ORDER BY v <-> vector(1, 64) LIMIT 10) x'), 't', 'a reader beside them');
is(join('', map { end_in($_) =~ /(ERROR.*)/ ? $1 : '' } @sessions), '', 'eight sessions write into two indexes');
$_->quit for @sessions;
sound('all of it is there', qw(doc_body doc_v doc_lists));
my $empty = value('CREATE TABLE fresh (body text, v real[]); CREATE INDEX fresh_body ON fresh USING lmtext (body) WITH (model = \'m@1\', words = tokens);
    CREATE INDEX fresh_v ON fresh USING lmtext (v)');
@sessions = map { session() } 1 .. 6;
begin_in($sessions[$_], "INSERT INTO fresh SELECT 'first rows of $_ at ' || i, vector($_ * 100 + i, 32) FROM generate_series(1, 20) i;") for 0 .. 5;
is(join('', map { end_in($_) =~ /(ERROR.*)/ ? $1 : '' } @sessions), '', 'six sessions write the first row');
$_->quit for @sessions;
sound('of an index without rows', qw(fresh_body fresh_v));

# ---- Hashes of an index that was made without rows: the table of them grows as rows come, and its pages are used again ----

# Pages of hashes, all of them and those of the longest chain, of the tables that inserts use.
sub hash_pages
{
    my ($index) = @_;
    value('CHECKPOINT');
    my $file = $primary->data_dir . '/' . value("SELECT pg_relation_filepath('$index')");
    open my $handle, '<:raw', $file or die "$file: $!";
    my @pages = do { local $/; unpack '(a8192)*', <$handle> };
    my @tails = map { [ unpack 'x8176 L S S L L', $_ ] } @pages;
    my $longest = 0;
    for my $buckets (grep { $tails[$_][1] == 7 } 0 .. $#pages)
    {
        my ($count, $unused, $open, undef, @first) = unpack 'x24 L4 L*', $pages[$buckets];
        next unless $open;
        for my $block (grep { $_ } @first[0 .. $count - 1])
        {
            my $length = 0;
            for (; $block != 0xFFFFFFFF; $block = $tails[$block][3]) { $length++ }
            $longest = $length if $length > $longest;
        }
    }
    return (scalar(grep { $_->[1] == 8 } @tails), $longest);
}

value(q{CREATE TABLE filled (id int, body text); CREATE INDEX filled_body ON filled USING lmtext (body) WITH (model = 'm@1');
    INSERT INTO filled SELECT i, 'row ' || i FROM generate_series(1, 3500) i});
my ($pages, $longest) = hash_pages('filled_body');
cmp_ok($longest, '<=', 4, "chains of hashes stay short: $longest of $pages pages");
sound('as rows come', 'filled_body');
my @counts;
for my $round (1 .. 8)
{
    value(q{UPDATE filled SET id = id + 1; UPDATE filled SET id = id + 1; UPDATE filled SET id = id + 1; UPDATE filled SET id = id + 1; VACUUM filled});
    push @counts, (hash_pages('filled_body'))[0];
}
cmp_ok($counts[7], '<=', $counts[5], "pages of hashes are used again: @counts");
sound('after tables were made anew', 'filled_body');

# ---- Crashes ----

for my $statement ('CREATE INDEX crashed ON doc USING lmtext (body) WITH (model = \'m@1\')',
    q{INSERT INTO doc SELECT id + 50000, 'crashed ' || id, vector(id + 50000, 64) FROM doc})
{
    my $session = session();
    my $pid = begin_in($session, "BEGIN; $statement; SELECT pg_sleep(600);");
    wait_for("SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $pid", 'a statement is done, and not committed');
    crash($pid, 'the server restarts');
    eval { $session->quit };
    expect_restart();
    sound('after a crash', qw(doc_body doc_v doc_lists));
    is(value($search), value("SET enable_indexscan = on; $search"), 'and reads');
}
sound('unlogged indexes are empty and sound', qw(fleeting_body fleeting_v));
is(value('SELECT count(*) FROM fleeting'), '0', 'as their table');
value(q{INSERT INTO fleeting VALUES (1, 'one', vector(1, 64)); VACUUM doc});
sound('written and vacuumed after crashes', qw(fleeting_body fleeting_v doc_body doc_v doc_lists));

# Killed while rows that wait are moved: each is in one place.
for my $round (1 .. 3)
{
    value("INSERT INTO doc SELECT id + 60000 + $round * 10000, 'moved in $round ' || md5(id::text), vector(id + $round, 64) FROM doc WHERE id BETWEEN 1 AND 800");
    my $session = session();
    my $pid = begin_in($session, q{SELECT lmtext.index_flush('doc_body');});
    wait_for("SELECT pending < 500 FROM lmtext.index_stats('doc_body')", 'rows are being moved') if $round > 1;
    crash($pid, 'and their session is killed');
    eval { $session->quit };
    expect_restart();
    sound("and each row is there once, $round", 'doc_body');
}
value(q{VACUUM doc});
is(value($pending), '0', 'and VACUUM moves what is left');
sound('which is all', 'doc_body');

# Stopped in the middle: a build that is killed, cancelled.
value(q{CREATE TABLE long AS SELECT md5(i::text) || ' sat on ' || i AS body FROM generate_series(1, 60000) i});
my $session = session();
my $pid = begin_in($session, q{CREATE INDEX cancelled ON long USING lmtext (body) WITH (model = 'm@1');});
wait_for("SELECT phase ~ 'embedding' FROM pg_stat_progress_create_index WHERE pid = $pid", 'a build says what it does');
value("SELECT pg_cancel_backend($pid)");
like(end_in($session), qr/57014/, 'and can be cancelled');
$pid = begin_in($session, q{CREATE INDEX killed ON long USING lmtext (body) WITH (model = 'm@1');});
wait_for("SELECT phase ~ 'embedding' FROM pg_stat_progress_create_index WHERE pid = $pid", 'another one');
crash($pid, 'is killed');
eval { $session->quit };
expect_restart();
is(value(q{SELECT count(*) FROM pg_class WHERE relname IN ('cancelled', 'killed')}), '0', 'nothing of them is left');
value('DROP TABLE long');
sound('and the others are as they were', qw(doc_body doc_v doc_lists));

# ---- Dump and restore ----

my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump.sql';
$primary->command_ok([ 'pg_dump', '-f', $dump, '-d', $primary->connstr('postgres') ], 'the database is dumped');
value('CREATE DATABASE restored');
$primary->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $primary->connstr('restored'), '-o', '/dev/null' ], 'and restored');
is(value("SET lmtext.embedding_model = 'm'; SET max_parallel_workers_per_gather = 0; $search", 'restored') , value($search), 'with the same answers');
is(value(q{SELECT bool_and(ok) FROM lmtext.index_check('doc_body')}, 'restored'), 't', 'the index agrees with its table');
is(state_of('DROP TABLE "m@1"', 'restored'), '2BP01', 'and holds its model');
value('DROP DATABASE restored');

# ---- A page that names itself is an error: it would be locked twice, which nothing ends ----

value(q{CREATE TABLE itself AS SELECT * FROM doc WHERE id BETWEEN 401 AND 560; CREATE INDEX itself_v ON itself USING lmtext (v);
    CREATE INDEX itself_body ON itself USING lmtext (body) WITH (model = 'm@1'); CHECKPOINT});
my $narrow = $primary->data_dir . '/' . value(q{SELECT pg_relation_filepath('itself_body')});
my $itself = $primary->data_dir . '/' . value(q{SELECT pg_relation_filepath('itself_v')});
$primary->stop;
open my $index, '+<:raw', $itself or die "$itself: $!";
for my $page (0 .. (-s $itself) / 8192 - 1)
{
    seek $index, $page * 8192 + 8176, 0;
    read $index, my $tail, 8;
    next unless (unpack 'L S', $tail)[1] == 3;
    # Behind the masks of the blocks there are the numbers of the pages of vectors.
    seek $index, $page * 8192 + 24 + 8 * 4, 0;
    print {$index} pack 'L3', $page, $page, $page;
}
close $index;
# Of the same model, and of another width.
open $index, '+<:raw', $narrow or die "$narrow: $!";
seek $index, 24 + 16, 0;
print {$index} pack 'L', 8;
close $index;
$primary->start;
expect_restart();
is(state_of(q{INSERT INTO itself (id, body) VALUES (1, 'a text that is new')}), 'XX002', 'a model makes wider vectors than the meta page says');
value('REINDEX INDEX itself_body');
is(state_of(q{INSERT INTO itself (id, v) VALUES (1, vector(9, 64))}), 'XX002', 'an insert that meets a page which names itself');
is(state_of(q{SET enable_seqscan = off; SELECT id FROM itself ORDER BY v <=> vector(5, 64) LIMIT 1}), 'XX002', 'and a search');
value('REINDEX INDEX itself_v');

# ---- Damaged pages: an error, or an answer, never a crash ----

srand(17);
my @copies;
for my $kind (qw(body v wide))
{
    for my $number (1 .. effort(8, 20, 100))
    {
        my $table = "damaged_${kind}_$number";
        my $column = $kind eq 'body' ? 'body' : 'v';
        my $options = $kind eq 'body' ? "WITH (model = 'm\@1')" : $number % 2 ? '' : 'WITH (lists = 3)';
        my $from = $kind eq 'wide' ? 'wide' : 'doc WHERE id BETWEEN 401 AND 560';
        push @copies, [ $table, $column, $kind ];
        value("CREATE TABLE $table AS SELECT * FROM $from; CREATE INDEX ${table}_i ON $table USING lmtext ($column) $options");
    }
}
value('CHECKPOINT');
my %file = map { my ($table) = @$_; ($table => value("SELECT pg_relation_filepath('${table}_i')")) } @copies;
$primary->stop;
for my $copy (@copies)
{
    my $path = $primary->data_dir . '/' . $file{ $copy->[0] };
    my $pages = (-s $path) / 8192;
    open my $handle, '+<:raw', $path or die "$path: $!";
    for my $time (1 .. 3)
    {
        my $page = int rand $pages;
        # In the header of the body, anywhere, at the end; a few bytes, or zeros to the end of the page.
        my $at = (24 + int rand 64, 24 + int rand 8160, 8176 + int rand 16)[ int rand 3 ];
        my $bytes = (pack('L', int rand 2**32), pack('L', 0xFFFFFFFF), pack('S', int rand 20), "\0" x (8192 - $at))[ int rand 4 ];
        $bytes = substr $bytes, 0, 8192 - $at;
        seek $handle, $page * 8192 + $at, 0;
        print {$handle} $bytes;
    }
    close $handle;
}
$primary->start;
expect_restart();
my %found;
for my $copy (@copies)
{
    my ($table, $column, $kind) = @$copy;
    my $width = $kind eq 'wide' ? 2100 : 64;
    my $query = $column eq 'body' ? q{'a cat'} : "vector(5, $width)";
    my $new = $column eq 'body' ? "INSERT INTO $table (id, body) VALUES (1, 'new')" : "INSERT INTO $table (id, v) VALUES (1, vector(9, $width))";
    for my $statement ("SET enable_seqscan = off; SELECT count(*) FROM (SELECT id FROM $table WHERE $column IS NOT NULL ORDER BY $column <=> $query) x",
        $new, "DELETE FROM $table WHERE id % 2 = 0", "VACUUM $table", "SELECT lmtext.index_check('${table}_i')",
        "SELECT lmtext.index_recall('${table}_i', 3)", "SELECT lmtext.index_stats('${table}_i')", "REINDEX INDEX ${table}_i", $new)
    {
        $found{ state_of("SET client_min_messages = error; $statement") }++;
    }
    is(faults("${table}_i"), '', "$table is mended by REINDEX");
}
# Pages that PostgreSQL itself refuses to read: what is taken over is given up, and nobody waits for them afterwards.
{
    value('CREATE TABLE torn AS SELECT * FROM doc WHERE id BETWEEN 401 AND 560; CREATE INDEX torn_i ON torn USING lmtext (body) WITH (model = \'m@1\'); CHECKPOINT');
    my $path = $primary->data_dir . '/' . value(q{SELECT pg_relation_filepath('torn_i')});
    $primary->stop;
    open my $handle, '+<:raw', $path or die "$path: $!";
    my $pages = (-s $path) / 8192;
    for my $page ($pages - 3 .. $pages - 1)
    {
        seek $handle, $page * 8192 + 12, 0;
        print {$handle} "\xff\xff\x01\x00\xff\xff";
    }
    close $handle;
    $primary->start;
    expect_restart();
    is(state_of('SELECT lmtext.index_check(\'torn_i\'); SELECT lmtext.index_check(\'torn_i\')'), '', 'torn pages are told of twice');
    is(state_of('BEGIN; SAVEPOINT s; REINDEX INDEX torn_i; ROLLBACK TO s; REINDEX INDEX torn_i; COMMIT'), '', 'and read once more after a subtransaction that was given up');
    is(faults('torn_i'), '', 'REINDEX mends them');
}
ok($found{XX002}, 'damage is found');
is(join(' ', grep { !/^(?:|XX00[12]|55000)$/ } sort keys %found), '', 'and is an error that says so, or that the model is another one') or diag(explain(\%found));
safe('after damage');

done();
