# 020_models.pl - models as tables where it takes more than one session, database or file system:
# hostile directories, cancelled and concurrent imports, dump and restore, encodings, traps.
use strict;
use warnings;

use Lmtext;
use File::Copy qw(copy);
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(time);

my @files = qw(config.json model.safetensors tokenizer.json tokenizer_config.json);

my $node = start_node('models', streaming => 1);
$node->safe_psql('postgres', 'CREATE EXTENSION lmtext');

# A copy of the tiny model in a folder of its own.
my $base = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir());
chmod 0755, $base;

sub folder
{
    my ($name) = @_;
    my $folder = "$base/$name";
    mkdir $folder or die "mkdir $folder: $!";
    copy("$tiny/$_", "$folder/$_") or die "copy $_: $!" for @files;
    return $folder;
}

# ---- Files that are not files ----

my $n = 0;

sub refuses
{
    my ($what, $expected, $break) = @_;
    my $folder = folder('broken' . ++$n);
    $break->($folder);
    my $start = time;
    is(state_of("SELECT lmtext.import_model('broken', '$folder')"), $expected, $what);
    # A FIFO that is read would wait for ever.
    cmp_ok(time - $start, '<', 60, "$what: at once");
}

for my $file (qw(config.json tokenizer.json model.safetensors))
{
    refuses("$file is a directory", '42501',
        sub { unlink "$_[0]/$file"; mkdir "$_[0]/$file" })
      if $file ne 'tokenizer.json';
    refuses("$file is a FIFO", '42501',
        sub { unlink "$_[0]/$file"; system('mkfifo', "$_[0]/$file") == 0 or die 'mkfifo' });
    refuses("$file is a device", '42501',
        sub { unlink "$_[0]/$file"; symlink('/dev/zero', "$_[0]/$file") });
    refuses("$file may not be read", '42501',
        sub { unlink "$_[0]/$file"; symlink('/proc/1/environ', "$_[0]/$file") })
      if -e '/proc/1/environ' && !-r '/proc/1/environ';
    refuses("$file is empty", $file =~ /json/ ? '22P02' : '22P03', sub { truncate "$_[0]/$file", 0 });
}
refuses('weights are cut short', '22P03', sub { truncate "$_[0]/model.safetensors", 40000 });
is(state_of("SELECT lmtext.import_model('broken', repeat('/a', 50000))"), '58P01', 'a very long path');
is(state_of("SELECT lmtext.import_model('broken', 'relative/path')"), '42602', 'a relative path');
is(value("SELECT count(*) FROM lmtext.models WHERE name = 'broken'"), 0, 'nothing is left of them');
is(value("SELECT count(*) FROM lmtext.model_name"), 0, 'and no name');

# A hub cache is full of links: they are followed for those who may read any file.
my $linked = folder('linked');
rename "$linked/$_", "$base/blob-$_" for @files;
symlink("../blob-$_", "$linked/$_") for @files;
is(value("SELECT lmtext.import_model('linked', '$linked')"), 1, 'links are followed');

# Below lmtext.model_directory links must stay inside.
value("CREATE ROLE plain LOGIN; GRANT CREATE ON SCHEMA public TO plain;
       GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA lmtext TO plain;");
mkdir "$base/open";
my $inside = folder('open/inside');
my $outside = folder('outside');
symlink('inside', "$base/open/alias");
symlink($outside, "$base/open/escape");
my $mixed = folder('open/mixed');
unlink "$mixed/config.json";
symlink('../../outside/config.json', "$mixed/config.json");
my $as_plain = "SET lmtext.model_directory = '$base/open'; SET SESSION AUTHORIZATION plain;";
is(state_of("$as_plain SELECT lmtext.import_model('plain', 'inside')"), '', 'a name below the directory');
is(state_of("$as_plain SELECT lmtext.import_model('plain', '$base/open/alias')"), '', 'a link inside');
is(state_of("$as_plain SELECT lmtext.import_model('plain', '$base/open/escape')"), '42501',
    'a folder that leads outside');
is(state_of("$as_plain SELECT lmtext.import_model('plain', 'mixed')"), '42501',
    'a file that leads outside');
is(state_of("$as_plain SELECT lmtext.import_model('plain', '$outside')"), '42501', 'another directory');
is(state_of("$as_plain SELECT lmtext.import_model('plain', '$base/open/../outside')"), '42501',
    'another directory by ..');
is(state_of("$as_plain SELECT lmtext.import_model('plain', '${base}/openx')"), '42501',
    'a directory whose name only begins like it');

# ---- Failures leave no descriptor and no memory behind ----

my $left = value(<<"SQL");
CREATE TABLE descriptors (line text);
DO \$do\$
BEGIN
    FOR i IN 1..50 LOOP
        BEGIN
            PERFORM lmtext.import_model('spill', '$base/broken1');
        EXCEPTION WHEN insufficient_privilege THEN NULL;
        END;
        BEGIN
            PERFORM lmtext.import_model('spill', '$tiny', '{"max_tokens": 100000}');
        EXCEPTION WHEN invalid_parameter_value THEN NULL;
        END;
    END LOOP;
    -- ls fails where a descriptor closes while it looks.
    EXECUTE format('COPY descriptors FROM PROGRAM ''ls -l /proc/%s/fd || true''', pg_backend_pid());
END
\$do\$;
SELECT count(*) > 3, count(*) FILTER (WHERE line LIKE '%$base%' OR line LIKE '%/models/tiny%')
FROM descriptors;
SQL
is($left, 't|0', 'failed imports close what they opened');

is(state_of("SET statement_timeout = '60ms'; SELECT lmtext.import_model('slow', '$real')"), '57014',
    'an import stops when it is cancelled');
is(value("SELECT count(*) FROM pg_class WHERE relname LIKE 'slow@%'"), 0, 'and leaves no table');

# ---- What is said while one waits ----

my $said = complaint(qq{SET lmtext.progress_interval = '1ms'; SELECT lmtext.import_model('said2', '$real');
    SELECT lmtext.import_model('small', '$tiny'); SELECT lmtext.quantize('small', 'int8')});
like($said, qr/model "said2": copied \d+ of 9\d MB, about \d+ s left/, 'an import says how far it is');
like($said, qr/model "said2": checked \d+ of 103 tensors, /, 'reads back what it copied');
like($said, qr/model "small": quantized \d+ of \d+ matrices, /, 'and so does quantize');
like($said, qr/model "said2": trying the model, \d+ s so far/, 'and tries it');
value(q{SELECT lmtext.drop_model('said2'), lmtext.drop_model('small')});

# ---- Sessions ----

my $one = $node->background_psql('postgres', on_error_stop => 0);
my $two = $node->background_psql('postgres', on_error_stop => 0);
$_->set_query_timer_restart() for $one, $two;

sub two_imports
{
    my ($end) = @_;
    $one->query('BEGIN');
    my $first = $one->query("SELECT lmtext.import_model('queue', '$tiny')");
    $two->query_until(qr/started/, "\\echo started\nSELECT lmtext.import_model('queue', '$tiny');\n");
    $node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND query LIKE '%import_model%' AND pid <> pg_backend_pid()")
      or die 'the second import does not wait';
    $one->query($end);
    return $two->query('SELECT 1 WHERE false');
}

like(two_imports('ROLLBACK'), qr/^1$/m, 'imports of one name wait: the first rolls back');
like(two_imports('COMMIT'), qr/^3$/m, 'the first commits');
is(value("SELECT string_agg(version::text, ',' ORDER BY version) FROM lmtext.models WHERE name = 'queue'"),
    '1,2,3', 'every number once');

$one->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
$one->query('SELECT count(*) FROM lmtext.models');
value("SELECT lmtext.import_model('later', '$tiny')");
value("SELECT lmtext.deploy('queue', 2)");
like($one->query("SELECT 'deployed=' || version FROM lmtext.models WHERE name = 'queue' AND deployed"),
    qr/deployed=1/, 'a deployment is seen by new snapshots');
$one->query("SELECT lmtext.count_tokens('x', 'later')");
like($one->{stderr}, qr/model "later" does not exist/, 'so is a model');
$one->{stderr} = '';
$one->query('ROLLBACK');
like($one->query("SELECT 'deployed=' || version FROM lmtext.models WHERE name = 'queue' AND deployed"),
    qr/deployed=2/, 'and then it is there');

# Changes of one name wait for each other, whatever they are; none is a deadlock.
sub waits
{
    my ($first, $second, $expected, $what) = @_;
    $one->query('BEGIN');
    $one->query($first);
    $two->query_until(qr/started/, "\\echo started\n$second;\n");
    $node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity
        WHERE wait_event_type = 'Lock' AND pid <> pg_backend_pid()")
      or die "does not wait: $second";
    $one->query('COMMIT');
    $two->query('SELECT 1 WHERE false');
    like($two->{stderr}, $expected, $what);
    $two->{stderr} = '';
}

$two->query('\set VERBOSITY sqlstate');
$two->query('SET client_min_messages = warning');
$two->{stderr} = '';
value("SELECT lmtext.import_model('race', '$tiny') FROM generate_series(1, 4)");
waits("SELECT lmtext.deploy('race', 2)", "SELECT lmtext.deploy('race', 3)", qr/^$/, 'deploy and deploy');
waits("SELECT lmtext.drop_model('race\@2')", "SELECT lmtext.deploy('race', 2)", qr/42704/, 'drop and deploy');
waits("SELECT lmtext.drop_model('race\@1')", "SELECT lmtext.drop_model('race\@1')", qr/42704/, 'drop and drop');
waits("SELECT lmtext.deploy('race', 4)", "SELECT lmtext.drop_model('race\@4')", qr/55006/, 'deploy and drop');
waits("SELECT lmtext.drop_model('race')", "SELECT lmtext.import_model('race', '$tiny')", qr/^$/, 'drop and import');
is(value("SELECT string_agg(version || ' ' || deployed, ',') FROM lmtext.models WHERE name = 'race'"), '5 true',
    'and the outcome is that of one after the other');

# A name that goes to another table while its lock is waited for means that table.
value("SELECT lmtext.import_model('moved', '$tiny', jsonb_build_object('max_tokens', w)) FROM unnest('{20,5}'::int[]) w;
    CREATE TABLE wanted AS SELECT lmtext.embed(repeat('word ', 9), 'moved\@2') AS vector");
$one->query('BEGIN');
$one->query('ALTER TABLE "moved@1" RENAME TO "moved@9"; ALTER TABLE "moved@2" RENAME TO "moved@1"');
$two->query_until(qr/started/, "\\echo started\nSELECT 'moved ' || (lmtext.embed(repeat('word ', 9), 'moved') = vector) FROM wanted;\n");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity
    WHERE wait_event_type = 'Lock' AND query LIKE '%moved%' AND pid <> pg_backend_pid()")
  or die 'does not wait for the renaming';
$one->query('COMMIT');
like($two->query('SELECT 1 WHERE false'), qr/moved true/, 'a name that moved while it was waited for');

# The list does not wait for who drops a version, and says that the version is busy.
$one->query('BEGIN');
$one->query("SELECT lmtext.drop_model('later')");
is(value(q{SET lock_timeout = '1ms'; SELECT string_agg(DISTINCT status || ' ' || (sha256 IS NULL), ', ' ORDER BY status || ' ' || (sha256 IS NULL))
    FROM lmtext.models WHERE name IN ('later', 'race')}), 'busy true, ready false', 'a version that is being dropped is listed as busy, at once');
$one->query('COMMIT');
is(value(q{SELECT count(*) FROM lmtext.models WHERE name = 'later'}), 0, 'and is gone with the commit');

# Nor for what holds a version's TOAST table or one of its indexes; there are two where a REINDEX CONCURRENTLY was cancelled.
my $listed = q{SELECT status FROM lmtext.models WHERE model = '"race@5"'::regclass};
my $toast = value(q{SELECT reltoastrelid::regclass FROM pg_class WHERE oid = '"race@5"'::regclass});
my $index = "${toast}_index" =~ s/.*\.//r;
for my $holding ("CLUSTER $toast USING $index", "REINDEX TABLE $toast")
{
    $one->query("BEGIN; $holding");
    is(value("SET lock_timeout = '1ms'; $listed"), 'busy', "busy while another session holds it: $holding");
    $one->query('ROLLBACK');
    is(value($listed), 'ready', 'and ready after it');
}
$one->query('BEGIN; LOCK TABLE "race@5" IN ROW EXCLUSIVE MODE');
is(state_of(q{SET lock_timeout = '100ms'; REINDEX TABLE CONCURRENTLY "race@5"}), '55P03', 'a REINDEX that is given up');
$one->query('ROLLBACK');
is(value("SELECT count(*) FROM pg_index WHERE indrelid = '$toast'::regclass"), 2, 'leaves a second index');
is(value($listed), 'ready', 'with which the version is read');
$one->query("BEGIN; REINDEX INDEX pg_toast.$index");
is(value("SET lock_timeout = '1ms'; $listed"), 'busy', 'and busy where the first of two is held');
$one->query('ROLLBACK');

# A version that goes between the look-up and its lock: what a session has in its catalog cache is looked at again once the
# lock is there. The advisory lock, unlike a table's, lets the cache stay as it was; the first two calls fill it.
value('CREATE DATABASE late');
value(qq{CREATE EXTENSION lmtext; SELECT lmtext.import_model('m', '$tiny'); SELECT lmtext.count_tokens('x', 'm');
    CREATE FUNCTION looks() RETURNS SETOF text LANGUAGE plpgsql AS \$\$
    BEGIN
        FOR i IN 1..3 LOOP
            IF i = 3 THEN PERFORM pg_advisory_lock(1); END IF;
            RETURN NEXT (SELECT string_agg(version || CASE WHEN model IS NULL THEN ' gone' ELSE '' END, ',') FROM lmtext_internal.get_stats() WHERE database = current_database());
        END LOOP;
    END \$\$}, 'late');
my ($dropper, $looker) = map { session('late') } 1 .. 2;
say_in($dropper, 'SELECT pg_advisory_lock(1)');
begin_in($looker, 'SELECT looks();');
wait_for(q{SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory'}, 'a session looks twice, and waits');
say_in($dropper, q{SELECT lmtext.drop_model('m')});
say_in($dropper, 'SELECT pg_advisory_unlock(1)');
is(end_in($looker), "m\@1\nm\@1\nm\@1 gone", 'while the version is dropped; then it lists what is gone by its name');
$_->quit for $dropper, $looker;

# Nobody else can read a temporary table: it is no version, and does not break the others' lists.
$one->query("CREATE TEMP TABLE \"fleeting\@1\" OF lmtext.model_part;
    INSERT INTO \"fleeting\@1\" SELECT * FROM \"queue\@1\"");
is(state_of('SELECT * FROM lmtext.models; SELECT * FROM lmtext.model_cache;'), '',
    "another session's temporary table does not break the lists");
$one->query("SELECT lmtext.count_tokens('x', 'fleeting\@1')");
like($one->{stderr}, qr/model version "fleeting\@1" does not exist/, 'and is no model');
$one->{stderr} = '';
$one->quit;
$two->quit;

# ---- Dump and restore ----

value('CREATE ROLE keeper LOGIN');
value('CREATE DATABASE library OWNER keeper');
value("CREATE EXTENSION lmtext; GRANT EXECUTE ON ALL ROUTINES IN SCHEMA lmtext TO keeper;
    GRANT CREATE ON SCHEMA public TO keeper; CREATE ROLE reader", 'library');
value("SET lmtext.model_directory = '$ENV{LMTEXT_SOURCE_DIR}/models/tiny'; SET ROLE keeper;
    SELECT lmtext.import_model('m', 'bert', '{\"licence\": \"MIT\"}');
    SELECT lmtext.import_model('m', 'bert', '{\"max_tokens\": 12}');
    SELECT lmtext.import_model('m', 'bert', '{\"max_tokens\": 13}');
    SELECT lmtext.deploy('m', 2); SELECT lmtext.drop_model('m\@3');
    CREATE SCHEMA ml; SELECT lmtext.import_model('ml.other', 'bert-sharded');
    GRANT SELECT (file) ON \"m\@2\" TO reader;
    CREATE TABLE doc (body text);
    INSERT INTO doc SELECT 'text number ' || n FROM generate_series(1, 20) n;
    CALL lmtext.train('parity', \$\$SELECT body, (left(md5(body), 1) < '8')::text FROM doc\$\$,
        '{\"task\": \"classification\", \"base\": \"m\"}');
    CREATE INDEX doc_width ON doc ((lmtext.embed(body, '\"m\@1\"'::regclass)))", 'library');
my $description = q{SELECT name, version, deployed, family, max_tokens, bytes, sha256, licence, owner,
    created_at, model, base, has_column_privilege('reader', model, 'file', 'SELECT') FROM lmtext.models
    ORDER BY model::text};
my $embedding = q{SELECT lmtext.embed('a text', 'm'), lmtext.embed('a text', 'ml.other'),
    lmtext.classify('a text', 'parity')};
my ($described, $embedded) = (value($description, 'library'), value($embedding, 'library'));
my $dump = "$base/library.dump";
chmod 0777, $base;
$node->command_ok([ 'pg_dump', '-U', 'keeper', '-Fc', '-f', $dump, '-d', $node->connstr('library') ],
    'the owner of a database dumps it');
value('CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '-j', '2', '-d', $node->connstr('copy'), $dump ],
    'it restores, indexes on embeddings included');
is(value($description, 'copy'), $described, 'versions, deployments, owners and grants are the same');
is(value($embedding, 'copy'), $embedded, 'so are embeddings');
is(state_of("SELECT lmtext.drop_model('m\@1')", 'copy'), '2BP01', 'the index still keeps its version');
is(state_of("SELECT lmtext.deploy('m', 1); SELECT lmtext.drop_model('m\@2');", 'copy'),
    '2BP01', 'a head still keeps its base');
is(value("SELECT deployed FROM lmtext.models WHERE model = '\"m\@2\"'::regclass", 'copy'), 'f', 'which stays undeployed');
value("SELECT lmtext.deploy('m', 2)", 'copy');
is(value("SELECT lmtext.import_model('m', '$tiny')", 'copy'), 4, 'a number is not used again');

# ---- Encodings ----

for my $encoding (qw(LATIN1 EUC_JP SQL_ASCII))
{
    my $database = lc $encoding;
    value("CREATE DATABASE $database TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
    value("CREATE EXTENSION lmtext; SELECT lmtext.import_model('m', '$tiny')", $database);
}
my $german = q{SET client_encoding = 'UTF8'; SELECT lmtext.token_ids('Grüße, Straße', 'm'), lmtext.embed('Grüße', 'm')};
my $japanese = q{SET client_encoding = 'UTF8'; SELECT lmtext.token_ids('日本語 です', 'm'), lmtext.embed('日本語', 'm')};
value("SELECT lmtext.import_model('m', '$tiny')");
is(value($german, 'latin1'), value($german), 'LATIN1: the same ids and vectors');
is(value($japanese, 'euc_jp'), value($japanese), 'EUC_JP: the same ids and vectors');
is(value($german, 'sql_ascii'), value($german), 'SQL_ASCII: bytes are read as UTF-8');
for my $bytes ('\377', '\303', '\303(', '\300\200', '\355\240\200', '\360\237\230', '\364\220\200\200')
{
    my $text = join '', map { sprintf '\\x%02x', ord } split //, eval qq{"$bytes"};
    is(state_of("SELECT lmtext.count_tokens(E'ab $text', 'm')", 'sql_ascii'), '22021',
        "SQL_ASCII: $text is no UTF-8");
}
is(value("SELECT array_length(lmtext.embed(repeat('word ', 20000000), 'm'), 1)"), 36, 'a text of 100 MB');
is(value("SELECT array_length(lmtext.embed(repeat('word ', 20000000), 'm'), 1)", 'latin1'), 36,
    'a text of 100 MB that is converted');
# Rows that are read ahead: converted as each alone is, up to one that has no counterpart.
my $rows = q{SELECT count(e), md5(string_agg(e::text, ' ' ORDER BY i))
    FROM (SELECT i, lmtext.embed(body, 'm') AS e FROM ahead WHERE i < 20 OFFSET 0) s};
for my $case ([ 'latin1', q{convert_from('\x4772fcdf65', 'LATIN1')} ], [ 'euc_jp', q{convert_from('\xc6fccbdcb8ec', 'EUC_JP')} ])
{
    my ($database, $text) = @$case;
    value("CREATE TABLE ahead AS SELECT i, $text || i AS body FROM generate_series(1, 20) i", $database);
    value("INSERT INTO ahead VALUES (0, convert_from('\\x8fa2a1', 'EUC_JP'))", $database) if $database eq 'euc_jp';
    like(value(qq{EXPLAIN SELECT i, lmtext.embed(body, 'm') FROM ahead}, $database), qr/LmtextBatch/, "$database: rows are read ahead");
    is(value($rows =~ s/i < 20/i BETWEEN 1 AND 19/r, $database), value('SET lmtext.batch = off;' . ($rows =~ s/i < 20/i BETWEEN 1 AND 19/r), $database),
        'with the vectors of each alone');
}
is(state_of($rows, 'latin1'), '', 'LATIN1: every text has a counterpart');
is(state_of($rows, 'euc_jp'), '22P05', 'EUC_JP: one has none');
# A licence that the encoding does not have is shown as far as it can be.
my $text = q{SELECT length(licence), licence FROM lmtext.models WHERE name = 'l'};
value("SELECT lmtext.import_model('l', '$tiny', '{\"licence\": \"\\u00a9 \\u65e5\"}')");
value("COPY \"l\@1\" TO '$base/l.copy'");
value("CREATE TABLE \"l\@1\" OF lmtext.model_part (PRIMARY KEY (file, part)); COPY \"l\@1\" FROM '$base/l.copy'",
    'latin1');
is(value($text), "3|\x{c2}\x{a9} \x{e6}\x{97}\x{a5}", 'a licence');
is(value($text, 'latin1'), '3|? ?', 'the same in LATIN1, where it cannot be shown');

# ---- Traps: what a caller can define must not run inside ours ----

value('CREATE DATABASE traps');
my $trap = <<'SQL';
CREATE FUNCTION public.trap(%1$s, %1$s) RETURNS boolean LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'trap %1$s' USING ERRCODE = 'TRAP0'; END $$;
CREATE OPERATOR public.= (LEFTARG = %1$s, RIGHTARG = %1$s, PROCEDURE = public.trap);
CREATE OPERATOR public.> (LEFTARG = %1$s, RIGHTARG = %1$s, PROCEDURE = public.trap);
CREATE OPERATOR public.>= (LEFTARG = %1$s, RIGHTARG = %1$s, PROCEDURE = public.trap);
SQL
my $traps = join '', map { sprintf $trap, $_ } qw(name text int4 oid regclass int8 bool), '"char"';
$traps .= <<'SQL';
CREATE FUNCTION public.pg_get_userbyid(oid) RETURNS name LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'trap' USING ERRCODE = 'TRAP0'; END $$;
CREATE DOMAIN public.regtype AS text CHECK (false);
CREATE DOMAIN public.regclass AS text CHECK (false);
ALTER DATABASE traps SET search_path = public, pg_catalog;
SQL
value($traps, 'traps');
is(state_of("SELECT 1 = 1", 'traps'), 'TRAP0', 'traps are laid');
is(state_of('CREATE EXTENSION lmtext', 'traps'), '', 'the extension installs beside them');
is(state_of("SELECT lmtext.import_model('m', '$tiny');", 'traps'), '', 'import');
is(state_of("SELECT lmtext.import_model('m', '$tiny');", 'traps'), '', 'import again');
is(state_of("SELECT lmtext.deploy('m', 2);", 'traps'), '', 'deploy');
is(state_of("SELECT lmtext.count_tokens('x', 'm'), lmtext.embed('x', 'm');", 'traps'), '', 'use');
is(state_of('SELECT * FROM lmtext.models;', 'traps'), '', 'list');
is(state_of("SELECT lmtext.drop_model('m\@1'); SELECT lmtext.drop_model('m');", 'traps'), '', 'drop');
value('CREATE SCHEMA lmtext', 'template1');
value('CREATE DATABASE taken');
isnt(state_of('CREATE EXTENSION lmtext', 'taken'), '', 'a schema that is there already is not adopted');
value('DROP SCHEMA lmtext', 'template1');

# ---- A standby serves what the primary has ----

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
value("SELECT lmtext.import_model('m', '$tiny', '{\"max_tokens\": 14}'); SELECT lmtext.deploy('m', 2);
    SELECT lmtext.import_model('unlogged', '$tiny'); ALTER TABLE \"unlogged\@1\" SET UNLOGGED");
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
my $vector = q{SELECT lmtext.embed('a text of some words', 'm'), lmtext.embed('a text', 'm@1')};
is($standby->safe_psql('postgres', $vector), value($vector), 'a standby embeds as the primary does');
my ($status, $out, $err) = $standby->psql('postgres', "SELECT lmtext.import_model('m', '$tiny')",
    extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
like($err, qr/25006/, 'and imports nothing');
is($standby->safe_psql('postgres', "SELECT name, family FROM lmtext.models WHERE name = 'unlogged'"),
    'unlogged|', 'what a standby does not have does not break its list');
value("SELECT lmtext.drop_model('m\@1')");
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
($status, $out, $err) = $standby->psql('postgres', "SELECT lmtext.embed('a', 'm\@1')",
    extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
like($err, qr/42704/, 'what was dropped is gone');
$standby->stop;

# ---- Every function, called with nothing but nulls ----

my $calls = value(q{
    SELECT format('SELECT * FROM %s(%s)', p.oid::regproc,
        (SELECT string_agg(format('NULL::%s', format_type(t, NULL)), ', ' ORDER BY o)
         FROM unnest(p.proargtypes) WITH ORDINALITY a(t, o)))
    FROM pg_proc p
    WHERE p.pronamespace IN ('lmtext'::regnamespace, 'lmtext_internal'::regnamespace) AND p.prokind = 'f'
        AND NOT 'internal'::regtype = ANY (p.proargtypes) AND p.prorettype <> 'trigger'::regtype});
my @calls = split /\n/, $calls;
cmp_ok(scalar @calls, '>', 20, 'functions to be called');
$node->psql('postgres', "$_;") for @calls;
done();
