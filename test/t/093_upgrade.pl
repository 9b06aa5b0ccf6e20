# 093_upgrade.pl - pg_upgrade carries models, what was computed with them, and who may use them.
#
# From 15 to 15; with LMTEXT_UPGRADE_TREES ("16=/folder 18=/folder", where PostgreSQL 16 and 18 with
# lmtext lie) instead from this server's version and from the first of them to the last.
use strict;
use warnings;

use Lmtext;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;

my $large = effort($tiny, $real, $real);
my $vector = q{lmtext.embed(body, 'ml.m@1'::regclass)};
my @looks = (
    [ 'versions', q{SELECT name, version, deployed, family, task, max_tokens, bytes, sha256, licence, labels, owner,
        created_at, metrics, base, model FROM lmtext.models ORDER BY model::text} ],
    [ 'names', 'SELECT * FROM lmtext.model_name ORDER BY schema, model' ],
    [ 'grants', q{SELECT c.oid::regclass, a.attname, g.grantee::regrole, g.privilege_type FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid, aclexplode(a.attacl) g
        WHERE c.reloftype = 'lmtext.model_part'::regtype} ],
    [ 'who may import', q{SELECT has_function_privilege('keeper', 'lmtext.import_model(text, text, jsonb)', 'EXECUTE'),
        has_function_privilege('reader', 'lmtext.import_model(text, text, jsonb)', 'EXECUTE')} ],
    [ 'vectors', q{SELECT lmtext.embed('the cat', 'ml.m'), lmtext.embed('the cat', 'ml.m@1'), lmtext.class_scores('the cat', 'parity'),
        lmtext.embed('How do I resize images?', 'large')} ],
    [ 'vectors of a role with a grant', q{SET ROLE reader; SELECT lmtext.classify('the cat', 'parity')} ],
    [ 'generated columns', 'SELECT * FROM doc ORDER BY id' ],
    [ 'columns that a trigger keeps', 'SELECT * FROM note ORDER BY id' ],
    [ 'views', 'SELECT * FROM classes JOIN pinned USING (id) ORDER BY id' ],
);

sub fill
{
    my ($node) = @_;
    $node->safe_psql('postgres', 'CREATE ROLE keeper LOGIN; CREATE ROLE reader; CREATE DATABASE library OWNER keeper');
    $node->safe_psql('library', <<"SQL");
CREATE EXTENSION lmtext;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA lmtext TO keeper;
GRANT CREATE ON SCHEMA public TO keeper;
SELECT lmtext.import_model('large', '$large');
SET lmtext.model_directory = '$ENV{LMTEXT_SOURCE_DIR}/models/tiny';
SET ROLE keeper;
CREATE SCHEMA ml;
SELECT lmtext.import_model('ml.m', 'bert', '{"licence": "MIT"}');
SELECT lmtext.import_model('ml.m', 'bert', '{"max_tokens": 4}');
SELECT lmtext.import_model('ml.m', 'bert');
SELECT lmtext.deploy('ml.m', 2);
SELECT lmtext.drop_model('ml.m\@3');
CREATE TABLE doc (id int PRIMARY KEY, body text, embedding real[] GENERATED ALWAYS AS ($vector) STORED);
INSERT INTO doc SELECT n, translate(n::text, '0123456789', 'abcdefghij') || ' sat on the mat' FROM generate_series(1, 40) n;
CALL lmtext.train('parity', 'SELECT body, (id % 2)::text FROM doc', '{"base": "ml.m"}');
CREATE INDEX by_vector ON doc (($vector));
CREATE INDEX by_class ON doc (lmtext.classify(body, 'parity\@1'::regclass));
CREATE TABLE note (id int, body text, embedding real[]);
CREATE TRIGGER embed BEFORE INSERT OR UPDATE ON note FOR EACH ROW
    EXECUTE FUNCTION lmtext.embed_trigger('body', 'embedding', 'ml.m\@1');
INSERT INTO note SELECT id, body FROM doc;
CREATE VIEW classes AS SELECT id, lmtext.classify(body, 'parity') AS class FROM doc;
CREATE MATERIALIZED VIEW pinned AS SELECT id, $vector AS embedding FROM doc;
GRANT SELECT (file) ON "parity\@1" TO reader;
SQL
    return map { $_->[0] => $node->safe_psql('library', $_->[1]) } @looks;
}

# A node of a version, whose programs lie in a folder (undef: those of PATH).
sub node_of
{
    my ($name, $tree) = @_;
    my $node = PostgreSQL::Test::Cluster->new($name, defined $tree ? (install_path => $tree) : ());
    my $version = $node->pg_version;
    $node->init(extra => [ '-E', 'UTF8', '--locale', 'C', $version >= 18 ? '--no-data-checksums' : () ]);
    return $node;
}

# PostgreSQL 15.20 gives each column an option pg_attver, which older minor releases of other versions
# (the trees used here) neither leave out of a dump nor accept: pg_upgrade would stop at the first table
# with 'unrecognized parameter "pg_attver"', lmtext or not.
sub plain_columns
{
    my ($node) = @_;
    for my $database (qw(template1 postgres library))
    {
        $node->safe_psql($database, q{SET allow_system_table_mods = on;
            UPDATE pg_attribute SET attoptions = NULL WHERE attoptions::text LIKE '{pg_attver=%}'});
    }
    return;
}

sub programs
{
    my ($tree) = @_;
    return defined $tree ? "$tree/bin" : (split /:/, $ENV{PATH})[0];
}

sub upgrades
{
    my ($what, $old_tree, $new_tree) = @_;
    my ($old, $new) = (node_of("${what}_old", $old_tree), node_of("${what}_new", $new_tree));
    $old->start;
    my %before = fill($old);
    plain_columns($old);
    $old->stop;
    my ($old_programs, $new_programs) = (programs($old_tree), programs($new_tree));
    {
        local %ENV = $new->_get_env();
        command_ok([ $new->installed_command('pg_upgrade'), '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir,
            '-b', $old_programs, '-B', $new_programs, '-s', $new->host,
            '-p', $old->port, '-P', $new->port ], "$what: pg_upgrade");
    }
    $new->start;
    use_node($new);
    is(value($_->[1], 'library'), $before{ $_->[0] }, "$what: $_->[0]") for @looks;

    # The indexes were carried over, not built again: what they hold is found by what is computed now.
    is(value("SET enable_seqscan = off; SELECT count(*) FROM doc d,
        LATERAL (SELECT FROM doc WHERE $vector = d.embedding LIMIT 1) found", 'library'),
        40, "$what: vectors are found in their index");
    like(value("SET enable_seqscan = off; EXPLAIN SELECT FROM doc WHERE $vector = '{1}'", 'library'), qr/by_vector/, "$what: by that index");
    is(value(q{SET enable_seqscan = off; SELECT count(*) FROM doc WHERE lmtext.classify(body, 'parity@1'::regclass) = '1'}, 'library'),
        value(q{SET enable_indexscan = off; SET enable_bitmapscan = off; SELECT count(*) FROM doc
            WHERE lmtext.classify(body, 'parity@1'::regclass) = '1'}, 'library'), "$what: so are classes");
    is(state_of(q{SELECT lmtext.drop_model('ml.m@1')}, 'library'), '2BP01', "$what: what uses a version keeps it");
    is(value(q{SELECT count(*) FROM pg_depend WHERE objid = 'by_class'::regclass AND refobjid = 'ml.m@2'::regclass}, 'library'),
        1, "$what: an index on a classifier keeps its base");
    is(value("SELECT lmtext.import_model('ml.m', '$tiny')", 'library'), 4, "$what: no number is used again");
    is(value(q{SELECT lmtext.deploy('ml.m', 4); SELECT deployed FROM lmtext.model_name WHERE model = 'm'}, 'library'), "\n4", "$what: deploy");
    value(q{CALL lmtext.train('parity', 'SELECT body, (id % 2)::text FROM doc', '{"base": "ml.m"}');
        INSERT INTO doc VALUES (99, 'a cat'); INSERT INTO note VALUES (99, 'a cat'); REFRESH MATERIALIZED VIEW pinned}, 'library');
    is(value('SELECT doc.embedding = note.embedding FROM doc JOIN note USING (id) WHERE id = 99', 'library'), 't', "$what: and goes on");
    is(value('SELECT count(*) FROM pg_extension e JOIN pg_available_extensions a ON a.name = e.extname AND a.default_version = e.extversion
        WHERE a.name = $$lmtext$$', 'library'), 1, "$what: the extension has its version");
    $new->stop;
    return;
}

if (my $trees = $ENV{LMTEXT_UPGRADE_TREES})
{
    my %tree = map { split /=/, $_, 2 } split / /, $trees;
    my ($first, $last) = (sort keys %tree)[ 0, -1 ];
    upgrades("from_15_to_$last", undef, $tree{$last});
    upgrades("from_${first}_to_$last", $tree{$first}, $tree{$last});
}
else
{
    upgrades('from_15_to_15', undef, undef);
}
done();
