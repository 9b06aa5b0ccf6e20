# 082_update.pl - the extension made by an earlier version and updated: the catalogs of a fresh install, the
# models and vectors of before. A library that is newer than the SQL objects serves them. What others
# planted before CREATE EXTENSION and ALTER EXTENSION UPDATE is not run.
use strict;
use warnings;

use Lmtext;
use Catalog;
use File::Copy qw(copy);
use File::Spec;
use PostgreSQL::Test::Utils;

my $node = start_node('update');
my $base = File::Spec->rel2abs(PostgreSQL::Test::Utils::tempdir());
chmod 0777, $base;
my $newest = value("SELECT default_version FROM pg_available_extensions WHERE name = 'lmtext'");
isnt($newest, '0.1.0', "there is something to update to: $newest");

sub facts_of
{
    my ($database) = @_;
    return catalog_facts(sub { value($_[0], $database) });
}

# Lines that only one of two lists has.
sub differences
{
    my ($old, $new) = @_;
    my %seen;
    $seen{$_} |= 1 for @$old;
    $seen{$_} |= 2 for @$new;
    return map { ($seen{$_} == 1 ? '- ' : '+ ') . substr $_, 0, 300 } sort grep { $seen{$_} != 3 } keys %seen;
}

sub same_facts
{
    my ($what, $one, $other) = @_;
    my @differences = differences([ facts_of($one) ], [ facts_of($other) ]);
    is(scalar @differences, 0, $what) or diag(join "\n", @differences[ 0 .. ($#differences < 40 ? $#differences : 40) ]);
}

# ---- Made by 0.1.0 ----

value('CREATE DATABASE fresh; CREATE DATABASE old; CREATE DATABASE stays');
value('CREATE EXTENSION lmtext', 'fresh');
my @fresh = facts_of('fresh');
cmp_ok(scalar @fresh, '>', 500, 'there are facts to compare');
my $content = <<"SQL";
CREATE EXTENSION lmtext VERSION '0.1.0';
CREATE ROLE %1\$s_user;
SELECT lmtext.import_model('m', '$tiny'), lmtext.import_model('m', '$tiny', '{"max_tokens": 9}');
SELECT lmtext.deploy('m', 2);
CREATE TABLE doc AS SELECT 'text number ' || n AS body, (n % 3)::text AS label FROM generate_series(1, 40) n;
CALL lmtext.train('head', 'SELECT body, label FROM doc', '{"base": "m\@1", "hold_out": 0}');
GRANT SELECT (file) ON "m\@1", "head\@1" TO %1\$s_user;
CREATE INDEX doc_v ON doc ((lmtext.embed(body, '"m\@1"'::regclass)));
CREATE TABLE kept AS SELECT body, lmtext.embed(body, 'm\@1') AS v FROM doc;
CREATE TRIGGER t BEFORE INSERT OR UPDATE ON kept FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'v', 'm\@1');
CREATE VIEW labelled AS SELECT body, lmtext.classify(body, 'head') AS label FROM doc;
CREATE VIEW scores AS SELECT body, s.*, lmtext.classify(ARRAY[body], '"head\@1"'::regclass) AS labels FROM doc, LATERAL lmtext.class_scores(body, 'head') s;
CREATE INDEX doc_label ON doc (lmtext.classify(body, '"head\@1"'::regclass));
CREATE TABLE stored (body text, label text GENERATED ALWAYS AS (lmtext.classify(body, '"head\@1"'::regclass, 'error')) STORED);
CREATE FUNCTION label_of(text) RETURNS text STABLE BEGIN ATOMIC SELECT lmtext.classify(\$1, 'head'); END;
CREATE VIEW near AS SELECT body FROM kept ORDER BY v <=> lmtext.embed('text number 7', 'm\@1'), body LIMIT 3;
CREATE VIEW scored AS SELECT body < 'text number 2' AS part, lmtext.f1(label, body) AS f1, lmtext.f1(label, label, 'weighted') AS weighted,
    lmtext.f1(label, '1', 'binary', '1') AS one, lmtext.accuracy(label, '1') FROM doc GROUP BY 1;
CREATE VIEW report AS SELECT * FROM lmtext.classification_report('SELECT label, ''1'' FROM doc');
CREATE FUNCTION rated() RETURNS float8 LANGUAGE sql BEGIN ATOMIC SELECT lmtext.f1(label, '1', 'micro') FROM doc; END;
CREATE AGGREGATE total (real[]) (SFUNC = lmtext.mean_transition, STYPE = internal, FINALFUNC = lmtext.mean_final);
SQL
for my $database (qw(old stays))
{
    value(sprintf($content, $database), $database);
    # 0.1.0 stored no golden values, and no digest of the rows.
    value(qq~DELETE FROM "$_" WHERE file = 'golden.json';
        UPDATE "$_" SET data = convert_to(regexp_replace(convert_from(data, 'UTF8'), ',"rows":"[0-9a-f]{64}"}\$', '}'), 'UTF8')
        WHERE file = 'manifest.json'~, $database) for 'm@1', 'head@1';
}
isnt(scalar differences([ facts_of('old') ], \@fresh), 0, 'the comparison sees that 0.1.0 is another version');

my $results = q{
    SELECT md5(string_agg(lmtext.embed(body, 'm@1')::text || lmtext.embed(body, 'm')::text || lmtext.token_ids(body, 'm')::text,
        '' ORDER BY body)) FROM doc;
    SELECT md5(string_agg(label, '' ORDER BY body)) FROM labelled;
    SELECT md5(string_agg(v::text, '' ORDER BY body, score)) FROM scores v;
    SELECT md5(string_agg(label_of(body), '' ORDER BY body)) FROM doc;
    SELECT md5(string_agg(s::text, '' ORDER BY s::text)) FROM doc, LATERAL lmtext.class_scores(body, 'head') s;
    SELECT string_agg(body, ',') FROM near; SELECT md5(lmtext.mean(v)::text), md5(total(v)::text) FROM kept;
    SELECT * FROM scored ORDER BY part; SELECT * FROM report; SELECT rated();
    SELECT name, version, deployed, sha256, base, labels, metrics FROM lmtext.models ORDER BY model::text;
    SET enable_seqscan = off; SELECT count(*) FROM doc WHERE lmtext.embed(body, '"m@1"'::regclass) = (SELECT v FROM kept LIMIT 1)};
my $before = value($results, 'old');

# ---- A library that is newer than the SQL objects ----
# The server has loaded the new library all the while; 'stays' keeps the objects of 0.1.0.

for my $call ("SELECT * FROM lmtext.models", "SELECT * FROM lmtext.families", "SELECT * FROM lmtext.model_cache",
    "SELECT * FROM lmtext.device", "SELECT * FROM lmtext.train_runs", "SELECT * FROM lmtext.train_log",
    "SELECT lmtext.load_model('m'), lmtext.unload_model('m')", "SELECT * FROM lmtext.session_counters()",
    "SELECT lmtext.drop_model('m\@2'), lmtext.import_model('n', '$tiny')", "SELECT lmtext.similarity('a', 'b', 'm')",
    "SELECT * FROM lmtext.classification_report('SELECT label, label FROM doc')", "SELECT lmtext.accuracy(label, label) FROM doc",
    "SELECT lmtext.f1(label, label) FROM doc", "SELECT * FROM lmtext.chunk('a b c d', 'm', 5, 1)",
    "INSERT INTO kept (body) VALUES ('new'); SELECT 1 / (count(v) - 40) FROM kept")
{
    my $state = state_of("$call;", 'stays');
    like($state, qr/^(55000|55006)?$/, "objects of 0.1.0 with the library of $newest: $call");
    is($state, '', '  and works') unless $call =~ /drop_model/;
}
# Everything of 0.1.0, called by its own names: never a crash, never a missing symbol.
my @calls = split /\n/, value(q{
    SELECT format('SELECT * FROM %s(%s)', p.oid::regproc, (SELECT string_agg(format('NULL::%s', format_type(t, NULL)), ', ' ORDER BY o)
        FROM unnest(p.proargtypes) WITH ORDINALITY a(t, o)))
    FROM pg_proc p WHERE p.pronamespace = 'lmtext'::regnamespace AND p.prokind = 'f'
        AND NOT 'internal'::regtype = ANY (p.proargtypes) AND p.prorettype NOT IN ('trigger'::regtype, 'internal'::regtype)}, 'stays');
cmp_ok(scalar @calls, '>', 40, 'functions of 0.1.0');
my %states;
$states{ state_of("$_;", 'stays') }++ for @calls;
is(join(' ', grep { !/^(|22004|42704|42501|22023|55000)$/ } sort keys %states), '', 'called with nulls, each answers or refuses')
  or diag(explain(\%states));
safe('the newer library');

# ---- Updated ----

is(state_of('ALTER EXTENSION lmtext UPDATE', 'old'), '', 'ALTER EXTENSION UPDATE');
same_facts('an updated database has the catalogs of a fresh one', 'old', 'fresh');
is(value($results, 'old'), $before, 'models, heads, indexes, views: the same bits as before');
is(value(q{INSERT INTO stored (body) SELECT body FROM doc; SELECT count(*) FROM stored s JOIN labelled USING (body) WHERE s.label = labelled.label}, 'old'),
    40, 'a generated column that labels');
is(value(q{SET enable_seqscan = off; SELECT sum((SELECT count(*) FROM doc WHERE lmtext.classify(body, '"head@1"'::regclass) = l)) FROM unnest('{0,1,2}'::text[]) l}, 'old'),
    40, 'and an index on labels');
like(value(q{SET enable_seqscan = off; EXPLAIN SELECT count(*) FROM doc WHERE lmtext.classify(body, '"head@1"'::regclass) = '1'}, 'old'),
    qr/doc_label/, 'is the one that is read');
is(value(q{SELECT bool_and((lmtext.classify_scored(body, 'head')).label = label AND lmtext.classify(body, 'head', 0) = label
    AND lmtext.classify(lmtext.embed(body, 'm@1'), 'head') = label) FROM labelled}, 'old'), 't', 'new forms answer as the old one');
is(value(q{SELECT count(*) FROM kept WHERE v IS DISTINCT FROM lmtext.embed(body, 'm@1')}, 'old'), 0, 'stored vectors too');
is(value(q{SELECT string_agg("check", ',') FROM lmtext.selftest('head') WHERE ok IS NULL}, 'old'),
    q{digest of the table's rows: none is stored,golden values: none are stored}, 'a head of 0.1.0 has no golden values');
is(value(q{SELECT bool_and(ok) FROM lmtext.selftest('head')}, 'old'), 't', 'and passes all that can be checked');
is(state_of("SET ROLE old_user; SELECT lmtext.classify('x', 'head');", 'old'), '', 'grants are kept');
is(value("SELECT lmtext.import_model('m', '$tiny')", 'old'), 3, 'numbers go on');
is(state_of("ALTER EXTENSION lmtext UPDATE TO '0.1.0'", 'old'), '22023', 'there is no way back');
is(value(q{SELECT round(lmtext.f1(n, n % 2, 'binary', 1)::numeric, 4), (SELECT count(*) FROM lmtext.classification_report('SELECT 1.0, 1') WHERE summary)
    FROM generate_series(1, 3) n}, 'old'), '0.6667|3', 'what was changed in place works');
is(value('SELECT extversion FROM pg_extension WHERE extname = \'lmtext\'', 'old'), $newest, 'and the version is the newest');

# From the version before the last one too.
value('CREATE DATABASE later');
value("CREATE EXTENSION lmtext VERSION '0.2.0'; CREATE VIEW hits AS SELECT calls, cache_hits FROM lmtext.stats;
    CREATE VIEW mine AS SELECT name, owner, model FROM lmtext.models;
    SELECT lmtext.import_model('m', '$tiny')", 'later');
is(state_of('ALTER EXTENSION lmtext UPDATE', 'later'), '', 'ALTER EXTENSION UPDATE from 0.2.0');
same_facts('and its catalogs are those of a fresh database', 'later', 'fresh');
is(value('SELECT name, model FROM mine', 'later'), 'm|"m@1"', "a view of the user's on lmtext.models goes on");
is(value(q{SELECT count(*) - count(*) FROM hits; SELECT pg_get_viewdef('hits') ~ 'cached AS cache_hits'}, 'later'), "0\nt",
    'a view over a column that has another name goes on');
value('CREATE DATABASE last');
value("CREATE EXTENSION lmtext VERSION '0.3.0'; SELECT lmtext.import_model('m', '$tiny')", 'last');
is(state_of('ALTER EXTENSION lmtext UPDATE', 'last'), '', 'ALTER EXTENSION UPDATE from 0.3.0');
same_facts('and its catalogs are those of a fresh database', 'last', 'fresh');

# A dump of the updated database restores as that of a fresh one does.
value('CREATE DATABASE copied');
$node->command_ok([ 'pg_dump', '-Fc', '-f', "$base/old.dump", '-d', $node->connstr('old') ], 'a dump after the update');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('copied'), "$base/old.dump" ], 'restores');
same_facts('to the same catalogs', 'copied', 'fresh');

# ---- Other schemas, odd names, other owners' objects ----

# The server itself refuses quotes, dollars and backslashes where a script writes @extschema@.
value('CREATE DATABASE quotes');
for my $odd ('we ird"x', 'x$y$1', "it's", 'back\\slash')
{
    (my $quoted = $odd) =~ s/"/""/g;
    isnt(state_of(qq{CREATE SCHEMA "$quoted"; CREATE EXTENSION lmtext SCHEMA "$quoted"}, 'quotes'), '', "a schema named $odd is refused");
}
is(value("SELECT count(*) FROM pg_namespace WHERE nspname = 'lmtext'", 'quotes'), 0, 'and nothing is left of the attempts');
my $quoted = 'We ird; (é), select';
for my $version ("VERSION '0.1.0'", '')
{
    my $database = $version ? 'odd_updated' : 'odd';
    value("CREATE DATABASE $database");
    value(qq{CREATE SCHEMA "$quoted"; SET search_path = "$quoted", pg_temp, public;
        CREATE EXTENSION lmtext SCHEMA "$quoted" $version; ALTER EXTENSION lmtext UPDATE}, $database);
    is(value(qq{SELECT count(*) FROM pg_operator o WHERE o.oprnamespace = '"$quoted"'::regnamespace}, $database), 5,
        'operators in a schema with an odd name');
    is(value(qq{SET search_path = "$quoted"; SELECT '{1,0}'::real[] <=> '{0,1}'::real[]}, $database), 1, 'work there');
    is(value(qq{SELECT '{1,0}'::real[] OPERATOR("$quoted".<#>) '{3,1}'::real[]}, $database), -3, 'or by their full name');
}
same_facts('and are the same by either way', 'odd_updated', 'odd');

# Traps: functions, casts, operators, types, views, tables in public and in pg_temp, by every name that the scripts use.
my $trap = <<'SQL';
SET search_path = pg_catalog;
CREATE FUNCTION public.trap() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trap' USING ERRCODE = 'TRAP0'; END $$;
CREATE TYPE public.pair AS (a int);
CREATE FUNCTION public.to_pair(text) RETURNS public.pair LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trap' USING ERRCODE = 'TRAP0'; END $$;
CREATE CAST (text AS public.pair) WITH FUNCTION public.to_pair(text) AS IMPLICIT;
DO $do$
DECLARE t pg_catalog.text; o pg_catalog.text; f pg_catalog.text; place pg_catalog.text;
BEGIN
    FOREACH t IN ARRAY '{name,text,int4,int8,oid,regclass,regtype,bool,"\"char\"",real[],jsonb,bytea,timestamptz,"char(1)",float8}'::pg_catalog.text[] LOOP
        EXECUTE format('CREATE FUNCTION public.trap(%1$s, %1$s) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION ''trap %1$s'' USING ERRCODE = ''TRAP0''; END $$', t);
        FOREACH o IN ARRAY '{=,<>,<,>,<=,>=,+,-,||,~~}'::pg_catalog.text[] LOOP
            EXECUTE format('CREATE OPERATOR public.%2$s (LEFTARG = %1$s, RIGHTARG = %1$s, PROCEDURE = public.trap)', t, o);
        END LOOP;
    END LOOP;
    FOREACH place IN ARRAY '{public,pg_temp}'::pg_catalog.text[] LOOP
        FOREACH f IN ARRAY '{pg_get_userbyid(oid),pg_extension_config_dump(regclass,text),"pg_extension_config_dump(unknown,unknown)",
            format_type(oid,int4),coalesce(text),count(text),now(),format(text),unnest(text[]),quote_ident(text),
            describe_model(regclass),get_device(),get_model_cache(),family_list(),get_train_runs(),get_train_log(),
            mean_transition(internal,real[])}'::pg_catalog.text[] LOOP
            BEGIN
                EXECUTE format('CREATE FUNCTION %s.%s RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION ''trap'' USING ERRCODE = ''TRAP0''; END $$',
                    place, regexp_replace(f, '^\s*', ''));
            EXCEPTION WHEN OTHERS THEN NULL; -- a name that cannot be had is no trap
            END;
        END LOOP;
        FOREACH t IN ARRAY '{text,int4,"\"integer\"",regclass,regtype,regrole,oid,name,jsonb,bytea,float8,timestamptz,"\"char\"",bool,internal,trigger,record}'::pg_catalog.text[] LOOP
            EXECUTE format('CREATE DOMAIN %s.%s AS pg_catalog.text CHECK (public.trap())', place, t);
        END LOOP;
        FOREACH t IN ARRAY '{pg_class,pg_extension,pg_proc,pg_namespace,pg_type,models,model_name,families,model_cache,device,model_part}'::pg_catalog.text[] LOOP
            EXECUTE format('CREATE VIEW %s.%s AS SELECT public.trap() AS oid, public.trap() AS extname, public.trap() AS extversion, public.trap() AS relname', place, t);
        END LOOP;
    END LOOP;
END $do$;
SET search_path = pg_temp, public, pg_catalog;
SQL
for my $version ("VERSION '0.1.0'", '')
{
    my $database = $version ? 'trap_updated' : 'trap';
    value("CREATE DATABASE $database; ALTER DATABASE $database SET search_path = pg_temp, public, pg_catalog");
    my $script = "$trap
        CREATE EXTENSION lmtext SCHEMA public $version; ALTER EXTENSION lmtext UPDATE;
        SET search_path = public, pg_temp, pg_catalog;
        SELECT lmtext.import_model('m', '$tiny'); SELECT lmtext.import_model('m', '$tiny'); SELECT lmtext.deploy('m', 2);
        CREATE TABLE public.doc AS SELECT pg_catalog.concat('text ', n) AS body, pg_catalog.concat(n) AS label FROM pg_catalog.generate_series(1, 9) n;
        CALL lmtext.train('head', 'SELECT body, label FROM public.doc', '{\"base\": \"m\", \"hold_out\": 0}');
        SELECT lmtext.classify(body, 'head'), lmtext.embed(body, 'm') FROM public.doc;
        SELECT * FROM lmtext.models; SELECT * FROM lmtext.model_cache; SELECT * FROM lmtext.device; SELECT * FROM lmtext.families;
        SELECT * FROM lmtext.train_runs; SELECT * FROM lmtext.train_log; SELECT * FROM lmtext.selftest('head');
        SELECT * FROM lmtext.classification_report('SELECT label, label FROM public.doc');
        CREATE ROLE ${database}_role; SELECT lmtext.grant_model('m', '${database}_role'); SELECT lmtext.revoke_model('m', '${database}_role');
        SELECT lmtext.export_model('m', '$base/$database');
        SELECT lmtext.drop_model('head'); SELECT lmtext.drop_model('m');";
    is(state_of("$trap SELECT 'a'::text = 'b'::text;", $database), 'TRAP0', 'traps are laid');
    value("DROP DATABASE $database; CREATE DATABASE $database; ALTER DATABASE $database SET search_path = pg_temp, public, pg_catalog");
    is(complaint("SET client_min_messages = warning; $script", $database), '', "nothing falls into them: $database");
}
is(join("\n", differences([ grep { !/^(member|comment|dependency)/ } facts_of('trap_updated') ], [ grep { !/^(member|comment|dependency)/ } facts_of('trap') ])), '',
    'among traps, too, both ways lead to the same');
safe('updates and traps');
done();
