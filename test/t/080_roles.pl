# 080_roles.pl - who may do what: every routine, view and table for five roles, compared with a list
# that is checked in; models used by the right of the role that they run as, in index builds, VACUUM,
# views, triggers, policies and definer's functions; models private to a role and a database; exports.
use strict;
use warnings;

use Lmtext;
use Surface;
use FindBin;
use File::Spec;
use PostgreSQL::Test::Utils;

my $node = start_node('roles', conf => "autovacuum_naptime = 1s\nautovacuum_analyze_threshold = 1\n");
my $base = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir());
chmod 0777, $base;
sub ask { return value($_[0]); }

# Two models, a head, texts that bear the marker; who they are.
value(<<"SQL");
CREATE EXTENSION lmtext;
ALTER DATABASE postgres SET lmtext.embedding_model = 'm';
SET client_min_messages = warning;
CREATE ROLE r_owner; CREATE ROLE r_user; CREATE ROLE r_plain; CREATE ROLE r_operator;
GRANT CREATE ON SCHEMA public TO r_owner, r_user, r_plain, r_operator;
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA lmtext TO r_owner, r_operator;
CREATE TABLE given AS SELECT t, ARRAY[t, t] AS ts FROM (SELECT 'Zq9' || 'confidential' || 'Zq9 a text' AS t) x;
CREATE TABLE doc AS SELECT t || n AS body, (n % 3) || t AS label FROM given, generate_series(1, 30) n;
GRANT SELECT ON given, doc TO PUBLIC;
SET lmtext.model_directory = '$ENV{LMTEXT_SOURCE_DIR}/models/tiny';
SET ROLE r_owner;
SELECT lmtext.import_model('m', 'bert'), lmtext.import_model('spare', 'bert'), lmtext.import_model('ner', 'bert-token'),
    lmtext.import_model('masks', 'bert-mask', '{"task": "fill_mask"}'), lmtext.import_model('splade', 'bert-splade'),
    lmtext.import_model('cross', 'bert-cross'), lmtext.import_model('nli', 'bert-nli'), lmtext.import_model('next', 'bert-next'), lmtext.import_model('qa', 'bert-answer'),
    lmtext.import_model('late', 'bert-late'), lmtext.import_model('encoder', 'bert-sequence', '{"task": "embedding"}');
CALL lmtext.train('head', 'SELECT body, label FROM doc', '{"base": "m", "hold_out": 0}');
CALL lmtext.train('counts', 'SELECT body FROM doc', '{"task": "language_model"}');
CREATE TABLE note (id int PRIMARY KEY, body text);
SELECT lmtext.create_job('nightly', 'note', 'body', 'embed', 'm', 'v');
SELECT lmtext.grant_model('m', 'r_user'), lmtext.grant_model('head', 'r_user'), lmtext.grant_model('ner', 'r_user'), lmtext.grant_model('spare', 'r_user'),
    lmtext.grant_model('counts', 'r_user'), lmtext.grant_model('cross', 'r_user'), lmtext.grant_model('nli', 'r_user'), lmtext.grant_model('next', 'r_user'),
    lmtext.grant_model('qa', 'r_user'), lmtext.grant_model('masks', 'r_user'), lmtext.grant_model('splade', 'r_user'), lmtext.grant_model('late', 'r_user');
RESET ROLE;
SELECT lo_from_bytea(1000000 + n::int, pg_read_binary_file('$tiny/' || f))
FROM unnest('{config.json,model.safetensors,tokenizer.json,tokenizer_config.json}'::text[]) WITH ORDINALITY x(f, n);
GRANT SELECT ON LARGE OBJECT 1000001, 1000002, 1000003, 1000004 TO PUBLIC;
CREATE FUNCTION outcome(role name, command text) RETURNS text LANGUAGE plpgsql AS \$\$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE command;
    RAISE EXCEPTION USING ERRCODE = 'OKAY0'; -- undo it
EXCEPTION WHEN OTHERS THEN
    RETURN CASE SQLSTATE WHEN 'OKAY0' THEN 'ok' ELSE SQLSTATE END;
END
\$\$;
SQL

# ---- The matrix ----

my @roles = qw(postgres r_owner r_user r_plain r_operator);
my %files = (source => "'$tiny'",
    files => q{'{"config.json": 1000001, "model.safetensors": 1000002, "tokenizer.json": 1000003, "tokenizer_config.json": 1000004}'});
my @rows;

sub outcomes
{
    my ($what, $command) = @_;
    my $n = 0;
    my $list = join ', ', map { my $c = $command; my $r = $_; $c =~ s/%role%/$r/g; "outcome('$r', \$c\$$c\$c\$)" } @roles;
    my @said = split /\|/, value("SET client_min_messages = error; SELECT $list");
    # Versions of PostgreSQL refuse an argument of type internal by one of two codes.
    s/^(?:0A000|42883)$/no SQL/ for $what =~ /\binternal\b/ ? @said : ();
    push @rows, sprintf "%-110s %s", $what, join ' ', map { sprintf '%-6s', $_ } @said;
}

my @routines = routines(\&ask);
for my $routine (@routines)
{
    my @arguments = map { sensible($routine, $_) } 0 .. $#{ $routine->{types} };
    for my $i (0 .. $#arguments)
    {
        my $name = $routine->{names}[$i] // '';
        $arguments[$i] = $files{$name} . "::$routine->{types}[$i]" if $files{$name};
        $arguments[$i] = "'$base/matrix-%role%'" if $name eq 'directory';
        $arguments[$i] = "'$ENV{LMTEXT_SOURCE_DIR}/models/tiny/bert-sequence'" if $name eq 'source' && $routine->{name} eq 'add_head';
        $arguments[$i] = "'encoder'" if $name eq 'base';
    }
    outcomes($routine->{signature}, call_of($routine, \@arguments, 1));
}
for my $relation (relations(\&ask))
{
    my ($kind, $name) = split /\|/, $relation;
    outcomes("SELECT $name", "SELECT count(*) FROM $name");
    outcomes("DELETE $name", "DELETE FROM $name") if $kind eq 'r';
}
s/\s+$// for @rows;
my $list = join("\n", sprintf("%-110s %s", '# call', join ' ', map { sprintf '%-6s', s/^r_//r } @roles) =~ s/\s+$//r, @rows) . "\n";
my $written = "$ENV{TESTLOGDIR}/080_roles.list";
open my $out, '>', $written or die "open $written: $!";
print $out $list;
close $out;
my $expected = slurp_file("$FindBin::Bin/080_roles.list");
ok($list eq $expected, 'who may call what is as the list says')
  or diag("080_roles.list is out of date; what was found is in $written:\n" . qx{diff $FindBin::Bin/080_roles.list $written});
cmp_ok(scalar @rows, '>', 80, 'all of the surface is in the matrix');
safe('the matrix');

# Whether a file is there is nothing that a role without the right learns.
for my $function ("import_model('x', %s)", "export_model('m', %s)")
{
    my %said;
    for my $path ("$base", "$tiny/config.json", "$base/nothing", '/etc/shadow', '/proc/self/mem', '/nowhere/x')
    {
        my $call = sprintf $function, "'$path'::text";
        my $said = complaint("SET ROLE " . ($function =~ /export/ ? 'r_owner' : 'r_operator') . "; SELECT lmtext.$call;");
        $said =~ s/^LOCATION.*|^psql.*?: //gm;
        $said{$said}++;
    }
    is(scalar keys %said, 1, "$function says the same of every path") or diag(explain(\%said));
    like((keys %said)[0], qr/42501/, 'that it is not permitted');
}

# ---- A role for those who make models ----
# As the manual has it: EXECUTE on what makes models, granted once; the rest is ownership.

value(<<"SQL");
CREATE ROLE lmtext_modeler NOLOGIN;
GRANT EXECUTE ON FUNCTION lmtext.import_model(text, text, jsonb), lmtext.import_model(text, jsonb, jsonb) TO lmtext_modeler;
GRANT EXECUTE ON PROCEDURE lmtext.train(text, text, jsonb) TO lmtext_modeler;
CREATE ROLE r_modeler IN ROLE lmtext_modeler;
GRANT CREATE ON SCHEMA public TO r_modeler;
SQL
is(state_of("SET ROLE r_plain; SELECT lmtext.import_model('made', $files{files}::jsonb)"), '42501', 'others may not import');
for my $call (
    qq{SELECT lmtext.import_model('made', $files{files}::jsonb)}, q{SELECT lmtext.quantize('made', 'bf16')},
    q{CALL lmtext.train('made_head', 'SELECT body, label FROM doc', '{"base": "made", "hold_out": 0}')},
    q{SELECT lmtext.deploy('made', 2)}, q{SELECT lmtext.grant_model('made', 'r_user')}, q{SELECT lmtext.revoke_model('made', 'r_user')},
    q{SELECT lmtext.drop_model('made_head')}, q{SELECT lmtext.drop_model('made@1')}, q{SELECT lmtext.drop_model('made')})
{
    is(state_of("SET ROLE r_modeler; $call"), '', "a member of it: $call");
}
is(state_of("SET ROLE r_modeler; $_"), '42501', "and no more: $_")
  for q{SELECT lmtext.deploy('m', 1)}, q{SELECT lmtext.drop_model('m')}, q{SELECT lmtext.quantize('m', 'bf16')},
  q{SELECT lmtext.export_model('m', '/tmp/x')}, q{SELECT lmtext.unload_model('m')}, q{SELECT lmtext.stats_reset()},
  qq{SELECT lmtext.import_model('m', $files{files}::jsonb)}, qq{SELECT lmtext.import_model('made', $files{source})};
safe('a role for those who make models');

# ---- By whose right ----

my $pinned = q{'"m@1"'::regclass};
value(<<"SQL");
GRANT USAGE ON SCHEMA lmtext TO PUBLIC;
CREATE TABLE with_right AS SELECT body FROM doc; ALTER TABLE with_right OWNER TO r_user;
CREATE TABLE without AS SELECT body FROM doc; ALTER TABLE without OWNER TO r_plain;
SQL
my $index = "((lmtext.embed(body, $pinned)))";
is(state_of("CREATE INDEX i1 ON with_right $index"), '', 'an index is built by the right of the table\'s owner');
is(state_of("CREATE INDEX i2 ON without $index"), '42501', 'who lacks it, though a superuser builds');
is(state_of("CREATE INDEX CONCURRENTLY i3 ON with_right $index"), '', 'concurrently');
is(state_of("CREATE INDEX CONCURRENTLY i4 ON without $index"), '42501', 'concurrently without it');
value('DROP INDEX IF EXISTS i4; DROP INDEX i3');
is(state_of("SET ROLE r_plain; CREATE INDEX i5 ON without $index"), '42501', 'built by the owner, who lacks it');
is(state_of('REINDEX INDEX i1; REINDEX TABLE CONCURRENTLY with_right; VACUUM ANALYZE with_right; CLUSTER with_right USING i1'), '',
    'REINDEX, VACUUM, ANALYZE, CLUSTER with the right');
is(value("SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'i1'"), 't', 'the expression has statistics');
value('SELECT lmtext.revoke_model(\'m\', \'r_user\')');
is(state_of('REINDEX INDEX i1'), '42501', 'REINDEX after the right was taken from the owner');
is(state_of('REINDEX TABLE CONCURRENTLY with_right'), '42501', 'REINDEX CONCURRENTLY');
is(state_of('ANALYZE with_right'), '42501', 'ANALYZE computes the expression');
is(state_of('VACUUM with_right'), '', 'VACUUM does not');
is(state_of('VACUUM FULL with_right'), '42501', 'VACUUM FULL does');
is(state_of('CLUSTER with_right USING i1'), '42501', 'CLUSTER does');
is(state_of('ALTER TABLE with_right ALTER body TYPE varchar'), '42501', 'and ALTER TABLE');
is(state_of(q{INSERT INTO with_right VALUES ('by a superuser')}), '', 'a superuser may insert by the own right');
is(state_of(q{SET ROLE r_user; INSERT INTO with_right VALUES ('x')}), '42501', 'the owner may not');
value('SELECT lmtext.grant_model(\'m\', \'r_user\')');
value("DROP INDEX IF EXISTS with_right_embed_idx_ccnew; SELECT pg_stat_reset()");
value("INSERT INTO with_right SELECT body FROM doc");
wait_for("SELECT last_autoanalyze IS NOT NULL FROM pg_stat_user_tables WHERE relname = 'with_right'",
    'autovacuum analyzes it');

value("CREATE MATERIALIZED VIEW mv AS SELECT body, lmtext.embed(body, 'public.m') AS v FROM doc WITH NO DATA;
    CREATE UNIQUE INDEX ON mv (body); ALTER MATERIALIZED VIEW mv OWNER TO r_user");
is(state_of('REFRESH MATERIALIZED VIEW mv; REFRESH MATERIALIZED VIEW CONCURRENTLY mv'), '', 'a materialized view');
value('ALTER MATERIALIZED VIEW mv OWNER TO r_plain');
is(state_of('REFRESH MATERIALIZED VIEW mv'), '42501', 'by the right of its owner');

value(<<"SQL");
CREATE FUNCTION by_user(t text) RETURNS int SECURITY DEFINER LANGUAGE sql AS 'SELECT lmtext.count_tokens(t, ''m'')';
ALTER FUNCTION by_user OWNER TO r_user;
CREATE FUNCTION by_plain(t text) RETURNS int SECURITY DEFINER LANGUAGE plpgsql AS 'BEGIN RETURN lmtext.count_tokens(t, ''m''); END';
ALTER FUNCTION by_plain OWNER TO r_plain;
CREATE FUNCTION by_caller() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN lmtext.count_tokens(''a constant'', ''m''); END';
CREATE VIEW in_view AS SELECT lmtext.classify(t, 'head') FROM given; ALTER VIEW in_view OWNER TO r_user; GRANT SELECT ON in_view TO PUBLIC;
CREATE TABLE guarded AS SELECT body FROM doc; GRANT SELECT ON guarded TO PUBLIC; ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON guarded USING (lmtext.classify(body, 'head') IS NOT NULL);
CREATE TABLE kept (body text, v real[]); GRANT INSERT, UPDATE, SELECT ON kept TO PUBLIC; ALTER TABLE kept OWNER TO r_user;
CREATE TRIGGER t BEFORE INSERT OR UPDATE ON kept FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'v', 'm\@1');
CREATE TABLE computed (body text, v real[] GENERATED ALWAYS AS (lmtext.embed(body, $pinned)) STORED);
GRANT INSERT ON computed TO PUBLIC; ALTER TABLE computed OWNER TO r_user;
CREATE FUNCTION both_ways() RETURNS text LANGUAGE plpgsql AS \$\$
DECLARE before int; after text;
BEGIN
    SET LOCAL ROLE r_user; before := by_caller();
    SET LOCAL ROLE r_plain;
    BEGIN after := by_caller(); EXCEPTION WHEN OTHERS THEN after := SQLSTATE; END;
    RETURN before || ' ' || after;
END \$\$;
SQL
is(state_of("SET ROLE r_plain; SELECT by_user('x')"), '', "a definer's function uses it by the right of its owner");
is(state_of("SELECT by_plain('x')"), '42501', 'who lacks it, though a superuser calls');
is(state_of("SET ROLE r_plain; SELECT * FROM in_view"), '42501', 'in a view the caller counts');
is(state_of("SET ROLE r_user; SELECT * FROM in_view"), '', 'who has it');
is(state_of("SET ROLE r_plain; SELECT count(*) FROM guarded"), '42501', 'in a policy the caller counts');
is(state_of("SET ROLE r_user; SELECT count(*) FROM guarded"), '', 'who has it');
is(state_of("SET ROLE r_plain; INSERT INTO kept (body) VALUES ('x')"), '42501', 'in a trigger who inserts counts');
is(state_of("SET ROLE r_plain; UPDATE kept SET body = 'y'"), '', '(no row, no trigger)');
is(state_of("SET ROLE r_user; INSERT INTO kept (body) VALUES ('x')"), '', 'who has it');
is(state_of("SET ROLE r_plain; UPDATE kept SET body = 'y'"), '42501', 'or who updates');
is(state_of("SET ROLE r_plain; INSERT INTO computed (body) VALUES ('x')"), '42501', 'in a generated column who inserts counts');
is(state_of("SET ROLE r_user; INSERT INTO computed (body) VALUES ('x')"), '', 'who has it');
like(value('SELECT both_ways()'), qr/^\d+ 42501$/, 'what was computed for one role is not given to the next');
is(state_of("PREPARE p AS SELECT lmtext.embed('x', 'm'); EXECUTE p; EXECUTE p; SET ROLE r_plain; EXECUTE p"), '42501',
    'nor by a prepared statement');
is(state_of("BEGIN; DECLARE c CURSOR FOR SELECT lmtext.embed(body, 'm') FROM doc; FETCH c; SET ROLE r_plain; FETCH c"), '42501',
    'nor by a cursor');
safe('by whose right');

# ---- Private to a role and to a database ----

value('CREATE DATABASE a; CREATE DATABASE b');
for my $database (qw(a b))
{
    value("CREATE EXTENSION lmtext; GRANT EXECUTE ON ALL ROUTINES IN SCHEMA lmtext TO r_owner, r_operator;
        GRANT ALL ON SCHEMA public TO r_owner, r_operator", $database);
}
my $private = "SET lmtext.model_directory = '$ENV{LMTEXT_SOURCE_DIR}/models/tiny'; SET ROLE r_owner;";
value("$private SELECT lmtext.import_model('secret', 'bert-st6-max'); SELECT lmtext.load_model('secret');
    CREATE TABLE d AS SELECT 'text ' || n AS body, (n % 2)::text AS label FROM generate_series(1, 20) n;
    CALL lmtext.train('secret_head', 'SELECT body, label FROM d', '{\"base\": \"secret\", \"hold_out\": 0}');
    SELECT lmtext.classify('x', 'secret_head')", 'a');
for my $try (
    [ 'a', 'r_operator', '42501' ],
    [ 'b', 'r_operator', '42704' ],
    [ 'b', 'r_owner', '42704' ])
{
    my ($database, $role, $state) = @$try;
    my $who = "$role in $database";
    for my $call ("embed('x', 'secret')", "classify('x', 'secret_head')", "token_ids('x', 'secret\@1')", "selftest('secret')",
        "load_model('secret')", "unload_model('secret')", "export_model('secret', '$base/x')", "drop_model('secret')",
        "deploy('secret', 1)", "grant_model('secret', 'r_operator')")
    {
        is(state_of("SET ROLE $role; SELECT lmtext.$call", $database), $state, "$who: $call");
    }
    is(value("SET ROLE $role; SELECT (SELECT count(*) FROM lmtext.models) + (SELECT count(*) FROM lmtext.model_cache)
        + (SELECT count(*) FROM lmtext.train_runs) + (SELECT count(*) FROM lmtext.train_log)", $database),
        $role eq 'r_owner' ? value("SET ROLE r_owner; SELECT (SELECT count(*) FROM lmtext.train_runs) + (SELECT count(*) FROM lmtext.train_log)", $database) : 0,
        "$who: nothing is listed");
}
is(value("SET ROLE r_owner; SELECT count(*) FROM lmtext.model_cache", 'a'), 2, 'the owner sees both');
is(value("SET ROLE r_operator; SELECT count(*) FROM lmtext_internal.describe_model('secret\@1'::regclass)", 'a'), 0, 'no description either');
safe('private models');

# ---- Exports ----

sub mode_of { return sprintf '%04o', (stat $_[0])[2] & 07777; }

value("SELECT lmtext.import_model('st', '$ENV{LMTEXT_SOURCE_DIR}/models/tiny/bert-st6-cls')");
is(state_of("SELECT lmtext.export_model('st', '$base/out')"), '', 'an export');
is(mode_of("$base/out"), '0700', 'for the server\'s user alone');
is(mode_of("$base/out/1_Pooling/config.json"), '0600', 'its files too');
is(value("SELECT lmtext.import_model('again', '$base/out')"), 1, 'is read back');
is(value("SELECT count(DISTINCT sha256) FROM lmtext.models WHERE name IN ('st', 'again')"), 1, 'to an equal digest');
value("SELECT lmtext.import_model('mood', '$ENV{LMTEXT_SOURCE_DIR}/models/tiny/bert-sequence')");
is(state_of("SELECT lmtext.export_model('mood', '$base/mood')"), '', 'an export of a model with a head');
value("SELECT lmtext.import_model('mood_again', '$base/mood')");
is(value("SELECT count(DISTINCT sha256) || ' ' || count(DISTINCT labels) FROM lmtext.models WHERE name LIKE 'mood%'"), '1 1', 'to an equal digest');
is(value("SELECT bool_and(a.score = b.score) FROM lmtext.class_scores('a cat', 'mood') a JOIN lmtext.class_scores('a cat', 'mood_again') b USING (label)"),
    't', 'and gives the same scores');

# A head on the encoder of another model: who may make it, use it without a right to the base, and take both out.
value("SET ROLE r_owner; SELECT lmtext.grant_model('encoder', 'r_operator')");
my $to_add = "SET lmtext.model_directory = '$ENV{LMTEXT_SOURCE_DIR}/models/tiny'; SET ROLE %s; SELECT lmtext.add_head('added', 'encoder', 'bert-sequence')";
is(state_of(sprintf $to_add, 'r_user'), '42501', 'a head is made by those who may make models');
is(state_of("SET ROLE r_owner; SELECT lmtext.revoke_model('encoder', 'r_operator')"), '', 'a right to the base is taken back');
is(state_of(sprintf $to_add, 'r_operator'), '42501', 'without it there is no head on it');
is(state_of("SET ROLE r_owner; SELECT lmtext.grant_model('encoder', 'r_operator')"), '', 'and given again');
is(state_of(sprintf $to_add, 'r_operator'), '', 'a head on a model of another role');
is(state_of("SET ROLE r_user; SELECT lmtext.classify('a cat', 'added')"), '42501', 'is its owner\'s');
is(state_of("SET ROLE r_operator; SELECT lmtext.grant_model('added', 'r_user')"), '', 'who gives it away');
is(state_of("SET ROLE r_user; SELECT lmtext.classify('a cat', 'added')"), '', 'it is used without a right to the base');
is(state_of("SET ROLE r_user; SELECT lmtext.embed('a cat', 'encoder')"), '42501', 'which stays closed');
is(state_of("SET ROLE r_owner; SELECT lmtext.drop_model('encoder')"), '2BP01', 'and cannot be dropped under the head');
value('CREATE ROLE r_writer IN ROLE r_operator, pg_write_server_files');
is(state_of("SET ROLE r_writer; SELECT lmtext.export_model('added', '$base/added')"), '42501', 'its export is one of the base\'s weights');
ok(!-e "$base/added", 'nothing is written');
value("SET ROLE r_owner; SELECT lmtext.grant_model('encoder', 'r_writer', 'export')");
is(state_of("SET ROLE r_writer; SELECT lmtext.export_model('added', '$base/added')"), '', 'which takes a right to them');
value("SELECT lmtext.import_model('added_again', '$base/added')");
is(value("SELECT bool_and(a.score = b.score AND a.score = c.score) FROM lmtext.class_scores('a cat', 'mood') a
    JOIN lmtext.class_scores('a cat', 'added_again') b USING (label) JOIN lmtext.class_scores('a cat', 'added') c USING (label)"),
    't', 'the folder is of the whole model again');
is(state_of("SELECT lmtext.export_model('added', '$base/added')"), '58P02', 'and not written over');
system("mkdir '$base/alone' && cp '$base/added'/*.json '$base/alone/' && chmod -R a+rwX '$base/alone'") == 0 or die;
value("SELECT lo_from_bytea(1000009, data) FROM \"added\@1\" WHERE file = 'head.safetensors'");
value("SELECT lo_export(1000009, '$base/alone/head.safetensors'), lo_unlink(1000009)");
is(state_of("SELECT lmtext.import_model('alone', '$base/alone')"), '0A000', 'a folder of the head alone is no model');
value("SELECT lmtext.add_head('alone', 'encoder', '$base/alone')");
is(value("SELECT count(DISTINCT sha256) FROM lmtext.models WHERE name IN ('added', 'alone')"), 1, 'and one that can be added');
value("SELECT lmtext.import_model('types', '$ENV{LMTEXT_SOURCE_DIR}/models/tiny/bert-types3')");
like(complaint("SELECT lmtext.add_head('none', 'types', '$base/alone')"), qr/22P03.*hidden_size.*found 36, allowed 48/s, 'to a base of its architecture');
safe('heads on the encoder of another model');

# The transformer in a folder of its own, as models of 2020 have it.
{
    my ($from, $old) = ("$ENV{LMTEXT_SOURCE_DIR}/models/tiny/bert-st6-cls", "$base/old");

    system("cp -r '$from' '$old' && chmod -R u+w '$old' && cd '$old' && mkdir 0_BERT && rm golden.json"
        . ' && for f in *.*; do case $f in modules.json|config_sent*) ;; *) mv "$f" 0_BERT/ ;; esac; done') == 0 or die;
    my $modules = slurp_file("$old/modules.json");
    $modules =~ s/"path": ""/"path": "0_BERT"/ or die;
    open my $file, '>', "$old/modules.json" or die;
    print $file $modules;
    close $file;
    value("SELECT lmtext.import_model('old', '$old')");
    is(state_of("SELECT lmtext.export_model('old', '$base/old_out')"), '', 'an old layout is exported');
    ok(-e "$base/old_out/0_BERT/model.safetensors" && !-e "$base/old_out/config.json", 'as it was');
    value("SELECT lmtext.import_model('old_again', '$base/old_out')");
    is(value("SELECT count(DISTINCT sha256) FROM lmtext.models WHERE name IN ('old', 'old_again')"), 1, 'to an equal digest');
    is(value("SELECT lmtext.embed('a text', 'old_again') = lmtext.embed('a text', 'st')"), 't', 'and gives the same vector');
}
is(join(' ', sort map { s{.*/}{}r } glob "$base/out/*"), join(' ', sort grep { $_ ne 'golden.json' } map { s{.*/}{}r }
    glob "$ENV{LMTEXT_SOURCE_DIR}/models/tiny/bert-st6-cls/*"), 'with the files of the folder and no other');
is(state_of("SELECT lmtext.export_model('st', '$base/out')"), '58P02', 'never over what is there');
mkdir "$base/empty";
symlink("$base/elsewhere", "$base/link");
symlink("$base/empty", "$base/link2");
open my $file, '>', "$base/file"; close $file;
is(state_of("SELECT lmtext.export_model('st', '$base/$_')"), '58P02', "not even: $_") for qw(empty link link2 file);
ok(!-e "$base/elsewhere" && !glob("$base/empty/*"), 'nothing was written through a link');
is(state_of("SELECT lmtext.export_model('st', '$base/file/x')"), '42809', 'below a file');
is(state_of("SELECT lmtext.export_model('st', '$base/none/x')"), '58P01', 'the parent must be there');
is(state_of("SELECT lmtext.export_model('st', $_)"), '58P01', "a path that is too long: $_")
  for "repeat('/a', 5000)", "'$base/' || repeat('a', 300)", "'$base/' || repeat('a', 3000)";
is(state_of("SELECT lmtext.export_model('head', '$base/head')"), '', 'a head');
is(join(' ', sort map { s{.*/}{}r } glob "$base/head/*"), 'head.json head.safetensors', 'has its two files');
is(state_of("SELECT lmtext.import_model('head2', '$base/head')"), '0A000', 'which need their base');

# Below lmtext.model_directory for those who may call it, links resolved inside.
mkdir "$base/open";
mkdir "$base/outside";
chmod 0777, "$base/open", "$base/outside";
symlink('../outside', "$base/open/escape");
mkdir "$base/open/inside";
chmod 0777, "$base/open/inside";
symlink('inside', "$base/open/alias");
my $below = "SET lmtext.model_directory = '$base/open'; SET ROLE r_owner;";
is(state_of("$below SELECT lmtext.export_model('m', 'x')"), '', 'a name below the directory');
is(state_of("$below SELECT lmtext.export_model('m', '$base/open/alias/x')"), '', 'through a link inside');
ok(-e "$base/open/inside/x/config.json", 'which is where it went');
is(state_of("$below SELECT lmtext.export_model('m', 'escape/x')"), '42501', 'a link that leads outside');
is(state_of("$below SELECT lmtext.export_model('m', 'escape')"), '58P02', 'the link itself');
is(state_of("$below SELECT lmtext.export_model('m', '../outside/x')"), '42501', 'outside by ..');
is(state_of("$below SELECT lmtext.export_model('m', '$base/outside/x')"), '42501', 'another directory');
is(state_of("$below SELECT lmtext.export_model('m', '.')"), '58P02', 'the directory itself');
ok(!glob("$base/outside/*"), 'nothing is outside');
is(state_of("SET lmtext.model_directory = '$base/gone'; SET ROLE r_owner; SELECT lmtext.export_model('m', 'x')"), '58P01', 'a directory that is gone');

# A copy of m@1 whose manifest is changed by an expression of it, under a digest that fits.
sub forge
{
    my ($version, $changed) = @_;
    value(<<"SQL");
        CREATE TABLE "$version" OF lmtext.model_part;
        INSERT INTO "$version" SELECT * FROM "m\@1" WHERE file <> 'manifest.json';
        WITH old AS (SELECT convert_from(data, 'UTF8')::jsonb AS manifest FROM "m\@1" WHERE file = 'manifest.json'),
            new AS (SELECT $changed AS manifest FROM old),
            listed AS (SELECT manifest, E'lmtext 1\\nmax_tokens ' || (manifest->>'max_tokens') || E'\\n' || string_agg(format(E'file %s %s %s %s\\n',
                octet_length(f->>'name'), f->>'name', f->>'size', f->>'sha256'), '' ORDER BY f->>'name' COLLATE "C") AS listing
                FROM new, jsonb_array_elements(manifest->'files') f GROUP BY manifest)
        INSERT INTO "$version" SELECT 'manifest.json', 0, convert_to(jsonb_set(manifest, '{digest}',
            to_jsonb(encode(sha256(convert_to(listing, 'UTF8')), 'hex')))::text, 'UTF8') FROM listed;
SQL
    return;
}

# Names of files are hostile: what import would refuse is not written.
for my $name ('../evil', '/tmp/lmtext-evil', 'a/../../evil', '.', 'a//b', "a\\u0007b", 'config.json/x', 'x' x 300)
{
    my $file = qq{('"$name"'::jsonb #>> '{}')};
    forge('evil@1', qq{jsonb_set(manifest, '{files,99}', jsonb_build_object('name', $file, 'size', 3, 'sha256', encode(sha256('boo'), 'hex')))});
    value(qq{INSERT INTO "evil\@1" VALUES ($file, 0, 'boo')});
    my $shown = substr $name, 0, 20;
    like(state_of("SELECT lmtext.export_model('evil\@1', '$base/evil-out')"), qr/^(42501|42809)$/, "a file named $shown");
    ok(!-e "$base/evil-out" && !-e "$base/evil" && !-e '/tmp/lmtext-evil' && !glob("$base/.lmtext*"), '  leaves nothing');
    value('DROP TABLE "evil@1"');
}
# A window that does not fit, under a digest that does: refused although the weights are in memory already.
value('SELECT lmtext.load_model(\'m@1\')');
for my $window (0, 1, 2, 100_000, 2_147_483_647)
{
    forge('wide@1', qq{jsonb_set(manifest, '{max_tokens}', '$window')});
    is(state_of("SELECT lmtext.embed('a b c', 'wide\@1'::regclass)"), '22023', "a window of $window is refused");
    value('DROP TABLE "wide@1"');
}
is(value("SELECT lmtext.embed('a b c', 'm\@1') IS NOT NULL"), 't', 'and the model itself is as it was');

# A chunk that was changed is found while its file is half written.
value(q{UPDATE "again@1" SET data = overlay(data PLACING '\x00' FROM 100) WHERE file = 'model.safetensors'});
is(state_of("SELECT lmtext.export_model('again', '$base/changed')"), 'XX001', 'a changed version is not exported');

# Cancelled or terminated: nothing is left.
value("SELECT lmtext.import_model('real', '$real')");
for my $milliseconds (1, 5, 10, 20, 40, 60)
{
    my $state = state_of("SET statement_timeout = ${milliseconds}; SELECT lmtext.export_model('real', '$base/slow')");
    next if $state eq '' && system("rm -rf '$base/slow'") == 0;
    is($state, '57014', "cancelled after $milliseconds ms");
    ok(!-e "$base/slow" && !glob("$base/.lmtext*"), '  leaves nothing');
}
my $session = session();
my $pid = begin_in($session, "SELECT count(lmtext.export_model('real', '$base/killed' || n)) FROM generate_series(1, 50) n;");
wait_for("SELECT wait_event IS NULL AND state = 'active' FROM pg_stat_activity WHERE pid = $pid", 'an export runs');
value("SELECT pg_sleep(0.3), pg_terminate_backend($pid)");
wait_for("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid", 'its session is terminated');
eval { $session->quit };
is(scalar(grep { !-e "$_/model.safetensors" || -s "$_/model.safetensors" != -s "$real/model.safetensors" } glob "$base/killed*"), 0,
    'what is there is whole');
ok(!glob("$base/.lmtext*"), 'and nothing is half made');
system("rm -rf $base/killed*");

# A file that cannot be written to its end, as on a disk that is full.
$session = session();
$pid = $session->query('SELECT pg_backend_pid()');
is(system('prlimit', "--pid=$pid", '--fsize=20000000'), 0, 'files of a session are limited to 20 MB');
like(say_in($session, "SELECT lmtext.export_model('real', '$base/full')"), qr/could not write file "model\.safetensors"/,
    'a file that cannot be written');
ok(!-e "$base/full" && !glob("$base/.lmtext*"), '  leaves nothing');
$session->quit;

# What others put into the new directory stays, and so does a folder in the place of the one beside it.
$session = session();
$pid = $session->query('SELECT pg_backend_pid()');
mkdir "$base/.lmtext-export.$pid.$_" for 0 .. 1;
is(say_in($session, "SELECT lmtext.export_model('m', '$base/beside')"), '', 'a crash has left the folder beside it');
ok(-e "$base/beside/config.json" && rmdir "$base/.lmtext-export.$pid.0", '  which stays, and another is taken');
mkdir "$base/.lmtext-export.$pid.$_" for 0 .. 100;
like(say_in($session, "SELECT lmtext.export_model('m', '$base/again')"), qr/58P02/, 'so many that it is nobody\'s crash');
ok(!-e "$base/again", '  leave nothing');
rmdir "$base/.lmtext-export.$pid.$_" for 0 .. 100;
system("rm -rf $base/beside");
for my $try (1 .. 50)
{
    begin_in($session, "SELECT lmtext.export_model('real', '$base/taken$try');");
    until (-e "$base/taken$try") { }
    kill 'STOP', $pid;
    my $under_way = -e "$base/.lmtext-export.$pid.0";
    mkdir "$base/taken$try/other" if $under_way;
    kill 'CONT', $pid;
    my $said = end_in($session);
    next if !$under_way;
    like($said, qr/58P02/, 'somebody writes into the directory that was claimed');
    ok(rmdir "$base/taken$try/other" && rmdir "$base/taken$try" && !glob("$base/.lmtext*"), '  which keeps what is theirs only');
    last;
}
$session->quit;
system("rm -rf $base/taken*");

# As servers write that are to survive a crash of the machine.
value('ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf()');
wait_for(q{SELECT setting = 'on' FROM pg_settings WHERE name = 'fsync'}, 'the server syncs');
is(state_of("SELECT lmtext.export_model('st', '$base/synced')"), '', 'an export that is synced');
is(value("SELECT lmtext.import_model('synced', '$base/synced')"), 1, 'is read back');
value('ALTER SYSTEM RESET fsync; SELECT pg_reload_conf()');
safe('exports');

# ---- No text of users in the log ----

my $log = slurp_file($node->logfile);
is(() = $log =~ /\Q$marker\E/g, 0, 'no text of a user is in the log');
done();
