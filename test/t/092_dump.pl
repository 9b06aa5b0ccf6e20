# 092_dump.pl - models through pg_dump and pg_restore in every form, and what DROP does to them.
#
# The models stand in schema ml; schemas that sort before (aaa) and after it (zzz) use them. What was
# restored is compared with what was dumped: rows of lmtext.models, privileges, and bits of vectors.
use strict;
use warnings;

use Lmtext;
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $node = start_node('dump');
my $files = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir());
chmod 0777, $files;

# Programs of the server on a database; (exit status, output of errors).
sub run
{
    my ($program, $database, @arguments) = @_;
    local $ENV{PGHOST} = $node->host;
    local $ENV{PGPORT} = $node->port;
    my ($out, $err) = ('', '');
    my $fine = IPC::Run::run([ $program, '-d', $database, @arguments ], '>', \$out, '2>', \$err);
    return ($fine, $err);
}

sub fine
{
    my ($what, @command) = @_;
    my ($fine, $err) = run(@command);
    ok($fine, $what) or diag($err);
    return $fine;
}

sub empty_database
{
    my ($name, $owner) = @_;
    value("CREATE DATABASE $name OWNER " . ($owner // 'postgres'));
    return $name;
}

# A database without what is not under test, to be restored into.
sub prepared_database
{
    my ($name, $owner) = @_;
    empty_database($name, $owner);
    value('CREATE EXTENSION lmtext', $name);
    return $name;
}

# ---- What is dumped ----

value('CREATE ROLE keeper LOGIN; CREATE ROLE reader; CREATE ROLE copier');
prepared_database('library', 'keeper');
value(<<"SQL", 'library');
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA lmtext TO keeper;
SET lmtext.model_directory = '$ENV{LMTEXT_SOURCE_DIR}/models/tiny';
SET ROLE keeper;
CREATE SCHEMA aaa; CREATE SCHEMA ml; CREATE SCHEMA zzz;
SELECT lmtext.import_model('ml.m', 'bert', '{"licence": "MIT"}');
SELECT lmtext.import_model('ml.m', 'bert', '{"max_tokens": 12}');
SELECT lmtext.import_model('ml.m', 'bert', '{"max_tokens": 13}');
SELECT lmtext.deploy('ml.m', 2);
SELECT lmtext.drop_model('ml.m\@3');
SELECT lmtext.import_model('ml."Odd name"', 'bert-sharded');
CREATE TABLE aaa.doc AS SELECT n AS id, translate(n::text, '0123456789', 'abcdefghij') || ' sat' AS body FROM generate_series(1, 30) n;
CREATE TABLE zzz.doc AS TABLE aaa.doc;
CALL lmtext.train('ml.parity', 'SELECT body, (id % 2)::text FROM aaa.doc', '{"base": "ml.m"}');
CALL lmtext.train('ml.counts', 'SELECT body FROM aaa.doc', '{"task": "language_model"}');
CALL lmtext.train('ml.fast', 'SELECT body, (id % 2)::text FROM aaa.doc', '{"method": "fasttext", "dim": 4, "buckets": 256, "quantize": true}');
CALL lmtext.train('aaa.parity', 'SELECT body, (id % 2)::text FROM aaa.doc', '{"base": "ml.m"}');
GRANT USAGE ON SCHEMA ml TO reader, copier;
GRANT SELECT (file) ON ml."m\@2", ml."parity\@1" TO reader;
GRANT SELECT ON ml."m\@1" TO copier WITH GRANT OPTION;
COMMENT ON TABLE ml."m\@1" IS 'the first';
CREATE INDEX ON aaa.doc ((lmtext.embed(body, 'ml.m\@1'::regclass)));
CREATE INDEX ON zzz.doc ((lmtext.embed(body, 'ml.m\@2'::regclass)));
CREATE INDEX ON aaa.doc (lmtext.classify(body, 'ml.parity\@1'::regclass));
CREATE INDEX ON aaa.doc (lmtext.log_probability(body, 'ml.counts\@1'::regclass));
CREATE INDEX ON zzz.doc (lmtext.classify(body, 'ml.fast\@1'::regclass));
CREATE INDEX ON zzz.doc (lmtext.classify(body, 'aaa.parity\@1'::regclass)) WHERE id > 3;
SELECT lmtext.import_model('zzz.mood', 'bert-sequence');
CREATE INDEX ON aaa.doc (lmtext.classify(body, 'zzz.mood\@1'::regclass));
SELECT lmtext.import_model('ml.trunk', 'bert-sequence', '{"task": "embedding"}');
SELECT lmtext.add_head('ml.added', 'ml.trunk', 'bert-sequence');
SELECT lmtext.import_model('ml.packed', 'bert');
SELECT lmtext.quantize('ml.packed', 'int8');
CALL lmtext.compress('ml.packed', 'ml.packed\@2');
SELECT lmtext.deploy('ml.packed', 3);
CREATE INDEX ON aaa.doc (lmtext.classify(body, 'ml.added\@1'::regclass));
CREATE TABLE aaa.note (id int, body text, embedding real[]);
CREATE TRIGGER embed BEFORE INSERT OR UPDATE ON aaa.note FOR EACH ROW
    EXECUTE FUNCTION lmtext.embed_trigger('body', 'embedding', 'ml.m\@1');
INSERT INTO aaa.note SELECT n, translate(n::text, '0123456789', 'abcdefghij') || ' sat' FROM generate_series(1, 10) n;
ALTER TABLE aaa.note DISABLE TRIGGER embed;
UPDATE aaa.note SET embedding = '{1,2,3}' WHERE id = 7;
ALTER TABLE aaa.note ENABLE TRIGGER embed;
CREATE MATERIALIZED VIEW aaa.pinned AS
    SELECT id, lmtext.embed(body, 'ml.m\@2'::regclass) AS embedding FROM aaa.doc;
CREATE MATERIALIZED VIEW aaa.named AS SELECT id, lmtext.classify(body, 'ml.parity') AS class FROM aaa.doc;
CREATE VIEW zzz.classes AS SELECT id, lmtext.classify(body, 'ml.parity\@1'::regclass) AS class FROM aaa.doc;
SQL

my @looks = (
    [ 'versions, deployments, owners, digests', q{SELECT name, version, deployed, family, task, max_tokens, bytes, sha256,
        licence, labels, owner, created_at, metrics, base, model, obj_description(model, 'pg_class')
        FROM lmtext.models ORDER BY model::text} ],
    [ 'grants', q{SELECT c.oid::regclass, a.attname, g.grantor::regrole, g.grantee::regrole, g.privilege_type, g.is_grantable
        FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attacl IS NOT NULL,
            aclexplode(coalesce(a.attacl, c.relacl)) g
        WHERE c.reloftype = 'lmtext.model_part'::regtype ORDER BY concat(c.oid::regclass, a.attname, g.grantee::regrole, g.privilege_type) COLLATE "C"} ],
    [ 'what is known of names', 'SELECT * FROM lmtext.model_name ORDER BY schema, model' ],
    [ 'vectors', q{SELECT lmtext.embed('a text', 'ml.m'), lmtext.embed('a text', 'ml."Odd name"'),
        lmtext.log_probability('a text that sat', 'ml.counts'), lmtext.class_scores('a text', 'ml.parity'), lmtext.class_scores('a text', 'aaa.parity'), lmtext.class_scores('a text', 'ml.fast'),
        lmtext.classify_scored('a text', 'zzz.mood@1'), lmtext.classify_scored('a text', 'ml.added'),
        lmtext.embed('a text', 'ml.packed'), lmtext.embed('a text', 'ml.packed') = lmtext.embed('a text', 'ml.packed@2')} ],
    [ 'columns that a trigger keeps', 'SELECT * FROM aaa.note ORDER BY id' ],
    [ 'materialized views', 'SELECT * FROM aaa.pinned NATURAL JOIN aaa.named ORDER BY id' ],
    [ 'views', 'SELECT * FROM zzz.classes ORDER BY id' ],
    [ 'indexes', q{SELECT indexdef FROM pg_indexes WHERE schemaname IN ('aaa', 'zzz') ORDER BY 1} ],
    [ 'index scans', q{SET enable_seqscan = off; SELECT count(*) FROM aaa.doc
        WHERE lmtext.classify(body, 'ml.parity@1'::regclass) = '1'} ],
);
my %source = map { $_->[0] => value($_->[1], 'library') } @looks;
like($source{'columns that a trigger keeps'}, qr/^7\|h sat\|\{1,2,3\}$/m, 'one vector was put in by hand');

sub same
{
    my ($database, $how) = @_;
    my @different = grep { value($_->[1], $database) ne $source{ $_->[0] } } @looks;
    is(join(', ', map { $_->[0] } @different), '', "$how: all is as it was");
    diag(map { substr $_, 0, 2000 } value($_->[1], $database), "\n-- was\n", $source{ $_->[0] }) for @different;
    is(value(q{SELECT lmtext.import_model('ml.m', '} . "$tiny')", $database), 4, "$how: no number is used again");
    is(state_of(q{SELECT lmtext.drop_model('ml.m@1')}, $database), '2BP01', "$how: the index still keeps its version");
}

# ---- Whole databases ----

for my $who (qw(postgres keeper))
{
    fine("$who dumps plain", 'pg_dump', 'library', '-U', $who, '-f', "$files/$who.sql");
    fine("$who dumps custom", 'pg_dump', 'library', '-U', $who, '-Fc', '-Z1', '-f', "$files/$who.dump");
    fine("$who dumps a directory", 'pg_dump', 'library', '-U', $who, '-Fd', '-j4', '-Z1', '-f', "$files/$who.dir");
}
empty_database("restored$_") for 1 .. 4;
fine('plain, by psql', 'psql', 'restored1', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$files/keeper.sql");
same('restored1', 'plain');
fine('custom, one process', 'pg_restore', 'restored2', '-e', "$files/postgres.dump");
same('restored2', 'custom');
fine('custom, four processes', 'pg_restore', 'restored3', '-j4', "$files/keeper.dump");
same('restored3', 'custom -j4');
fine('directory, four processes', 'pg_restore', 'restored4', '-j4', "$files/postgres.dir");
same('restored4', 'directory -j4');

# A classifier's index waits for the classifier's base, whose rows take the longest to restore.
is(value(q{SELECT count(*) FROM pg_depend WHERE objid = 'aaa.doc_classify_idx'::regclass AND refobjid = 'ml.m@2'::regclass},
    'restored4'), 1, 'an index on a classifier depends on the base, also once restored');
for my $round (1 .. effort(0, 2, 10))
{
    if ($round == 1)
    {
        prepared_database('slow');
        value(<<"SQL", 'slow');
CREATE TABLE doc AS SELECT n AS id, translate(n::text, '0123456789', 'abcdefghij') || ' sat' AS body FROM generate_series(1, 30) n;
SELECT lmtext.import_model('base', '$real');
CALL lmtext.train('head', 'SELECT body, (id % 2)::text FROM doc', '{"base": "base", "hold_out": 0}');
CREATE INDEX by_class ON doc (lmtext.classify(body, 'head\@1'::regclass));
REINDEX INDEX CONCURRENTLY by_class;
CREATE INDEX CONCURRENTLY by_class_too ON doc (lmtext.classify(body, 'head\@1'::regclass));
SQL
        fine('a large base', 'pg_dump', 'slow', '-Fd', '-Z0', '-f', "$files/slow.dir");
    }
    empty_database("slow$round");
    fine("an index on a classifier waits for its base, $round", 'pg_restore', "slow$round", '-j4', "$files/slow.dir");
    is(value(q{SELECT count(*) FROM pg_indexes WHERE indexname LIKE 'by_class%'}, "slow$round"), 2, 'both are there');
    value("DROP DATABASE slow$round");
}

# Sections, one after the other, each with four processes.
empty_database('sections');
fine("section $_", 'pg_restore', 'sections', '-j4', "--section=$_", "$files/postgres.dir")
  for qw(pre-data data post-data);
same('sections', 'sections');

# Lines of a dump's list of contents: with the rows of models, and the others.
sub list_of
{
    my ($dump, $models) = @_;
    my $list = "$files/list" . ++our $lists;
    append_to_file($list, join '', map { "$_\n" } grep { !/^;/ && (/TABLE DATA \S+ .+@\d+ / xor !$models) }
          split /\n/, qx{pg_restore -l '$dump'});
    return $list;
}

# Rows alone, into tables with their indexes and triggers: models first, and triggers kept quiet.
{
    my $dump = "$files/postgres.dump";
    empty_database('data');
    fine('the schema', 'pg_restore', 'data', '--schema-only', $dump);
    is(value('SELECT count(*), count(family) FROM lmtext.models', 'data'), '13|0', 'versions without rows are listed, without a family');
    is(state_of(q{SELECT lmtext.embed('a', 'ml.m@1')}, 'data'), '55000', 'and cannot be used yet');
    fine('models', 'pg_restore', 'data', '-e', '--data-only', '-L', list_of($dump, 1), $dump);
    fine('the rest', 'pg_restore', 'data', '-e', '--data-only', '--disable-triggers', '-L', list_of($dump, 0), $dump);
    value('REFRESH MATERIALIZED VIEW aaa.pinned; REFRESH MATERIALIZED VIEW aaa.named', 'data');
    same('data', 'schema, then data');
}

# The whole cluster.
{
    my $other = PostgreSQL::Test::Cluster->new('all');
    $other->init(extra => [ '-E', 'UTF8', '--locale', 'C.UTF-8' ]);
    $other->append_conf('postgresql.conf', "fsync = off\n");
    $other->start;
    $node->command_ok([ 'pg_dumpall', '-f', "$files/roles.sql", '--roles-only' ], 'pg_dumpall --roles-only');
    $node->command_ok([ 'pg_dumpall', '-f', "$files/all.sql", '--exclude-database=restored*',
        '--exclude-database=sections', '--exclude-database=data' ], 'pg_dumpall');
    $other->command_ok([ 'psql', '-X', '-q', '-f', "$files/all.sql", 'postgres' ], 'restores');
    is($other->safe_psql('library', $looks[$_][1]), $source{ $looks[$_][0] }, "pg_dumpall: $looks[$_][0]") for 0 .. $#looks;
    $other->stop;
    $node->command_ok([ 'psql', '-X', '-q', '-f', "$files/roles.sql", 'postgres' ], 'roles by themselves restore as well');
}
safe('whole dumps');

# ---- Parts ----

# A schema of models with the extension: what it needs to go into an empty database.
{
    fine('a schema', 'pg_dump', 'library', '-Fc', '-e', 'lmtext', '-n', 'ml', '-f', "$files/part.dump");
    empty_database('part');
    fine('with the extension', 'pg_restore', 'part', '-e', "$files/part.dump");
    is(value(q{SELECT lmtext.embed('a text', 'ml.m') = lmtext.embed('a text', 'ml.m@2')}, 'part'), 't', 'keeps deployments');
    is(value($looks[1][1] =~ s/ORDER/AND c.relnamespace = 'ml'::regnamespace ORDER/r, 'part'),
        value($looks[1][1] =~ s/ORDER/AND c.relnamespace = 'ml'::regnamespace ORDER/r, 'library'), 'and grants');
    is(value(q{SELECT lmtext.import_model('ml.m', '} . "$tiny')", 'part'), 4, 'and numbers');
}

# The models alone, into a database that has the extension.
{
    fine('one table', 'pg_dump', 'library', '-Fc', '-t', 'ml."m@1"', '-t', 'ml."m@2"', '-f', "$files/tables.dump");
    prepared_database('tables');
    value('CREATE SCHEMA ml', 'tables');
    fine('without the extension', 'pg_restore', 'tables', '-e', "$files/tables.dump");
    is(value(q{SELECT lmtext.embed('a text', 'ml.m@2')}, 'tables'), value(q{SELECT lmtext.embed('a text', 'ml.m@2')}, 'library'), 'works by number');
    like(complaint(q{SELECT lmtext.embed('a text', 'ml.m')}, 'tables'), qr/42704.*lmtext.deploy/s, 'and says what a bare name needs');
    value(q{SELECT lmtext.deploy('ml.m', 2)}, 'tables');
    is(value(q{SELECT lmtext.embed('a text', 'ml.m') = lmtext.embed('a text', 'ml.m@2')}, 'tables'), 't', 'which is a deployment');
    is(value(q{SELECT lmtext.import_model('ml.m', '} . "$tiny')", 'tables'), 3, 'the next number is one above');
}

is(value(q{SELECT count(*) FROM pg_depend WHERE refobjid = 'ml.trunk@1'::regclass AND (objid = 'aaa.doc_classify_idx2'::regclass
    OR objid IN (SELECT oid FROM pg_attrdef WHERE adrelid = 'ml.added@1'::regclass))}, 'restored4'), 2,
    'a head on an encoder, and its index, depend on that model once restored');
is(state_of(q{SELECT lmtext.drop_model('ml.trunk')}, 'restored4'), '2BP01', 'which cannot be dropped');

# A head without its base is refused by PostgreSQL's own means.
{
    fine('a head alone', 'pg_dump', 'library', '-Fc', '-t', 'ml."parity@1"', '-f', "$files/head.dump");
    prepared_database('head');
    value('CREATE SCHEMA ml', 'head');
    my ($fine, $err) = run('pg_restore', 'head', "$files/head.dump");
    ok(!$fine && $err =~ /relation "ml.m\@2" does not exist/, 'needs its base');
    fine('which may come first', 'pg_restore', 'head', '-e', "$files/tables.dump");
    fine('then it', 'pg_restore', 'head', '-e', "$files/head.dump");
    is(value(q{SELECT lmtext.class_scores('a text', 'ml.parity@1')}, 'head'),
        value(q{SELECT lmtext.class_scores('a text', 'ml.parity@1')}, 'library'), 'classifies as before');
}

# A database's owner who is no superuser restores into one that has the extension.
{
    prepared_database('owned', 'keeper');
    value('GRANT EXECUTE ON ALL ROUTINES IN SCHEMA lmtext TO keeper', 'owned');
    my ($fine, $err) = run('pg_restore', 'owned', '-U', 'keeper', "$files/keeper.dump");
    like($err, qr/permission denied for table model_name/, 'only the deployments are refused');
    unlike($err, qr/manifest|"(m|parity|counts|fast)\@/, 'no model is');
    value(q{SET ROLE keeper; SELECT lmtext.deploy('ml.m', 2); SELECT lmtext.deploy('ml."Odd name"', 1);
        SELECT lmtext.deploy('ml.parity', 1), lmtext.deploy('aaa.parity', 1), lmtext.deploy('zzz.mood', 1), lmtext.deploy('ml.counts', 1), lmtext.deploy('ml.fast', 1), lmtext.deploy('ml.trunk', 1), lmtext.deploy('ml.added', 1), lmtext.deploy('ml.packed', 3);
        REFRESH MATERIALIZED VIEW aaa.named}, 'owned');
    is(value($looks[$_][1], 'owned'), $source{ $looks[$_][0] }, "an owner's restore: $looks[$_][0]") for 0, 1, 3 .. $#looks;
}
safe('parts');

# ---- Values that are computed while rows are restored ----
#
# pg_dump leaves the values of generated columns out, and writes rows of tables in the order of their
# names: those before the model's cannot be computed yet.
{
    prepared_database('generated');
    value(<<"SQL", 'generated');
CREATE SCHEMA aaa; CREATE SCHEMA ml; CREATE SCHEMA zzz;
SELECT lmtext.import_model('ml.m', '$tiny');
CREATE TABLE aaa.article (body text, v real[] GENERATED ALWAYS AS (lmtext.embed(body, 'ml.m\@1'::regclass)) STORED);
CREATE TABLE zzz.article (LIKE aaa.article INCLUDING ALL);
CREATE TABLE aaa.checked (body text CHECK (lmtext.count_tokens(body, 'ml.m\@1'::regclass) < 10));
INSERT INTO aaa.article VALUES ('a text');
INSERT INTO zzz.article VALUES ('a text');
INSERT INTO aaa.checked VALUES ('a text');
SQL
    my $look = 'SELECT a.*, z.*, c.* FROM aaa.article a, zzz.article z, aaa.checked c';
    fine('generated columns', 'pg_dump', 'generated', '-Fc', '-f', "$files/generated.dump");

    empty_database('late');
    my ($fine, $err) = run('pg_restore', 'late', "$files/generated.dump");
    ok(!$fine && $err =~ /model "ml.m\@1" has no manifest.*restored.*model "ml.m\@1" has no manifest.*ignored on restore: 2/s,
        'rows that come before the model are refused, with the reason');
    is(value(q{SELECT (SELECT count(*) FROM zzz.article), (SELECT count(*) FROM aaa.article)}, 'late'), '1|0', 'others are there');
    fine('they come again', 'pg_restore', 'late', '--data-only', '-n', 'aaa', "$files/generated.dump");
    is(value($look, 'late'), value($look, 'generated'), 'and are complete');

    # Models first: docs/operations.md.
    empty_database('early');
    fine('definitions', 'pg_restore', 'early', '-e', '--section=pre-data', "$files/generated.dump");
    my $dump = "$files/generated.dump";
    fine('models', 'pg_restore', 'early', '-e', '--section=data', '-L', list_of($dump, 1), $dump);
    fine('the rest', 'pg_restore', 'early', '-e', '--section=data', '--section=post-data', '-L', list_of($dump, 0), $dump);
    is(value($look, 'early'), value($look, 'generated'), 'models first, without an error');
}

# ---- DROP ----

{
    prepared_database('drops', 'keeper');
    value(<<"SQL", 'drops');
SELECT lmtext.import_model('m', '$tiny');
CREATE TABLE doc (id int, body text);
INSERT INTO doc SELECT n, translate(n::text, '0123456789', 'abcdefghij') || ' sat' FROM generate_series(1, 20) n;
SQL
    my @users = (
        [ 'an index', q{CREATE INDEX x ON doc ((lmtext.embed(body, 'm@1'::regclass)))},
            q{SELECT count(*) FROM pg_class WHERE relname = 'x'} ],
        [ 'a generated column', q{ALTER TABLE doc ADD x real[] GENERATED ALWAYS AS (lmtext.embed(body, 'm@1'::regclass)) STORED},
            q{SELECT count(*) FROM pg_attribute WHERE attrelid = 'doc'::regclass AND attname = 'x'} ],
        [ 'a default', q{ALTER TABLE doc ADD x int DEFAULT lmtext.count_tokens('a b', 'm@1'::regclass)},
            q{SELECT count(*) FROM pg_attrdef WHERE adrelid = 'doc'::regclass} ],
        [ 'a constraint', q{ALTER TABLE doc ADD CONSTRAINT x CHECK (lmtext.count_tokens(body, 'm@1'::regclass) < 99)},
            q{SELECT count(*) FROM pg_constraint WHERE conrelid = 'doc'::regclass} ],
        [ 'a trigger', q{CREATE TRIGGER x BEFORE INSERT ON doc FOR EACH ROW WHEN ('m@1'::regclass IS NOT NULL)
                EXECUTE FUNCTION lmtext.embed_trigger('body', 'v', 'm@1')},
            q{SELECT count(*) FROM pg_trigger WHERE tgname = 'x'} ],
        [ 'a view', q{CREATE VIEW x AS SELECT lmtext.embed(body, 'm@1'::regclass) FROM doc},
            q{SELECT count(*) FROM pg_class WHERE relname = 'x'} ],
        [ 'a materialized view', q{CREATE MATERIALIZED VIEW x AS SELECT lmtext.embed(body, 'm@1'::regclass) FROM doc},
            q{SELECT count(*) FROM pg_class WHERE relname = 'x'} ],
        [ 'a function', q{CREATE FUNCTION x() RETURNS real[] STABLE BEGIN ATOMIC SELECT lmtext.embed('a', 'm@1'::regclass); END},
            q{SELECT count(*) FROM pg_proc WHERE proname = 'x'} ],
    );
    for my $row (@users)
    {
        my ($what, $make, $count) = @$row;
        is(value("BEGIN; $make; $count;", 'drops'), 1, "$what uses the model");
        is(state_of("BEGIN; $make; SELECT lmtext.drop_model('m');", 'drops'), '2BP01', "$what: drop_model is refused");
        is(state_of(qq{BEGIN; $make; DROP TABLE "m\@1";}, 'drops'), '2BP01', "$what: so is DROP TABLE");
        is(value(qq{BEGIN; $make; SET client_min_messages = error; DROP TABLE "m\@1" CASCADE; $count; SELECT count(*) FROM doc}, 'drops'),
            "0\n20", "$what: CASCADE takes it and no row");
    }
    value(q{BEGIN; ALTER TABLE doc ADD v real[]; CREATE TRIGGER x BEFORE INSERT ON doc FOR EACH ROW
        EXECUTE FUNCTION lmtext.embed_trigger('body', 'v', 'm@1'); SELECT lmtext.drop_model('m'); COMMIT}, 'drops');
    is(state_of(q{INSERT INTO doc (body) VALUES ('a')}, 'drops'), '42704',
        'a trigger that only names a version does not keep it, and then refuses rows');

    value(qq{DROP TRIGGER x ON doc; SELECT lmtext.import_model('m', '$tiny');
        CALL lmtext.train('head', 'SELECT body, (id % 2)::text FROM doc', '{"base": "m"}')}, 'drops');
    is(state_of(q{SELECT lmtext.drop_model('m')}, 'drops'), '2BP01', 'a head keeps its base');
    is(state_of(q{BEGIN; SET client_min_messages = error; DROP TABLE "m@2" CASCADE; SELECT lmtext.classify('a', 'head')}, 'drops'),
        'XX001', 'CASCADE leaves a head without base, which is refused');
    is(state_of('DROP EXTENSION lmtext', 'drops'), '2BP01', 'the extension stays while there are models');
    value(q{CREATE INDEX ON doc (lmtext.classify(body, 'head@1'::regclass)); SELECT lmtext.load_model('head');
        SET client_min_messages = error; DROP EXTENSION lmtext CASCADE}, 'drops');
    is(value(q{SELECT count(*) FROM pg_class WHERE relname LIKE '%@%'}, 'drops'), 0, 'CASCADE takes the models');
    is(value('SELECT count(*) FROM doc', 'drops'), 20, 'and no other row');
    value(qq{CREATE EXTENSION lmtext; SELECT lmtext.import_model('m', '$tiny'); SELECT lmtext.embed('a', 'm')}, 'drops');
    pass('the extension can come again');
    value(qq{ALTER TABLE "m\@1" OWNER TO keeper; SET client_min_messages = error; DROP OWNED BY keeper}, 'drops');
    is(value('SELECT count(*) FROM lmtext.models', 'drops'), 0, 'DROP OWNED takes models');
}

# ---- Memory of what is gone ----
#
# Sessions that loaded a model and ended cannot give it back; who drops it need not know lmtext. The
# next load by anybody does.
{
    my $number = 0;

    # A version that nothing else shares memory with, loaded by a session that has ended.
    my $load = sub {
        my ($name, $database) = @_;
        my $folder = variant($tiny, ++$number);
        value(qq{SELECT lmtext.import_model('$name', '$folder'); SELECT lmtext.load_model('$name')}, $database);
    };
    my $loaded = q{SELECT count(*) FROM lmtext.model_cache WHERE database = 'gone'};
    my $lost = q{SELECT count(*) FROM lmtext.model_cache WHERE database IS NULL OR database = 'gone' AND model IS NULL};
    value('CREATE EXTENSION lmtext');
    for my $case ([ 'DROP TABLE', q{DROP TABLE "m@1"} ], [ 'DROP OWNED', 'DROP OWNED BY keeper' ],
        [ 'DROP EXTENSION', 'DROP EXTENSION lmtext CASCADE' ], [ 'DROP DATABASE', undef ])
    {
        my ($what, $drop) = @$case;
        my $where = $drop ? 'gone' : 'postgres';
        prepared_database('gone');
        $load->('m', 'gone');
        is(value($loaded), 1, "$what: a model is loaded");
        value('ALTER TABLE "m@1" OWNER TO keeper', 'gone');
        value("SET client_min_messages = error; $drop", 'gone') if $drop;
        value('DROP DATABASE gone') unless $drop;
        value('CREATE EXTENSION IF NOT EXISTS lmtext', $where);
        is(value($lost, $where), 1, "$what: its memory is not given back at once");
        $load->('another', $where);
        is(value($lost, $where), 0, "$what: but by the next load");
        value('DROP DATABASE IF EXISTS gone');
    }
    $load->('m', 'postgres');
    is(value(q{SELECT pins FROM lmtext.model_cache WHERE version = 'm@1'}), 0, 'drop_model: loaded');
    value(q{SELECT lmtext.drop_model('m')});
    is(value($lost =~ s/gone/postgres/r), 0, 'drop_model gives it back at once');
}

done();
