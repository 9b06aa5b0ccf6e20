# 101_plans.pl - whatever is cached by plans, by PL/pgSQL and by lmtext itself, a result is that of a fresh session.
#
# After each event every form of asking, in sessions that have asked before, is compared with a new connection that asks
# for the first time. Then memos of all kinds, dependencies, and parallel plans against serial ones.
use strict;
use warnings;

use Lmtext;

my $node = start_node('plans', conf => <<'CONF');
max_worker_processes = 16
max_parallel_workers = 8
CONF

value(qq{
    CREATE EXTENSION lmtext;
    CREATE SCHEMA other;
    CREATE ROLE plain;
    GRANT USAGE ON SCHEMA other TO plain;
    CREATE TABLE weights (number int, word text, folder text);
    INSERT INTO weights VALUES (1, 'first', '$tiny'), (2, 'second', '$tiny-tanh'), (3, 'third', '$tiny-prefix');
    SELECT lmtext.import_model('known', folder) FROM weights ORDER BY number;
    CREATE TABLE doc AS SELECT i AS id, 'text number ' || i AS body, (i % 3)::text AS label FROM generate_series(1, 40) i;
    CREATE TABLE answer AS SELECT body, word, lmtext.embed(body, 'known\@' || number) AS vector
        FROM (SELECT body FROM doc UNION ALL VALUES ('a text')) d, weights;
    SELECT lmtext.drop_model('known');
    GRANT SELECT ON ALL TABLES IN SCHEMA public TO plain;
    ANALYZE;
    CREATE FUNCTION word_of(text, real[]) RETURNS text STABLE STRICT PARALLEL SAFE LANGUAGE sql AS
        \$\$SELECT coalesce((SELECT word FROM public.answer a WHERE a.body = \$1 AND a.vector = \$2), 'NONE')\$\$;
    CREATE FUNCTION add(model text, numbers int[]) RETURNS void LANGUAGE plpgsql AS \$\$
        BEGIN FOR i IN 1 .. cardinality(numbers) LOOP
            PERFORM lmtext.import_model(model, folder) FROM public.weights WHERE number = numbers[i];
        END LOOP; END \$\$;
    SELECT add('m', '{1, 2}'), add('n', '{3}'), add('other.m', '{3}');
    CREATE FUNCTION by_plpgsql(t text) RETURNS text LANGUAGE plpgsql AS
        \$\$BEGIN RETURN word_of(t, lmtext.embed(t, 'm')); END\$\$;
    CREATE FUNCTION constant_plpgsql() RETURNS text LANGUAGE plpgsql AS
        \$\$BEGIN RETURN word_of('a text', lmtext.embed('a text', 'm')); END\$\$;
    CREATE FUNCTION stable_plpgsql() RETURNS text STABLE LANGUAGE plpgsql AS
        \$\$BEGIN RETURN word_of('a text', lmtext.embed('a text', 'm')); END\$\$;
    CREATE FUNCTION default_plpgsql() RETURNS text LANGUAGE plpgsql AS
        \$\$BEGIN RETURN word_of('a text', lmtext.embed('a text')); END\$\$;
    CREATE FUNCTION pinned_plpgsql() RETURNS text LANGUAGE plpgsql AS
        \$\$BEGIN RETURN word_of('a text', lmtext.embed('a text', 'm\@1'::regclass)); END\$\$;
    CREATE FUNCTION by_sql(t text) RETURNS text STABLE LANGUAGE sql AS \$\$SELECT word_of(t, lmtext.embed(t, 'm'))\$\$;
    CREATE FUNCTION constant_sql() RETURNS text VOLATILE LANGUAGE sql AS \$\$SELECT word_of('a text', lmtext.embed('a text', 'm'))\$\$;
    CREATE VIEW by_view AS SELECT word_of(body, lmtext.embed(body, 'm')) AS word FROM doc WHERE id < 5;
    GRANT SELECT ON by_view TO plain;
});

# ---- Forms and events ----

my $named = q{word_of('a text', lmtext.embed('a text', 'm'))};
my $default = q{word_of('a text', lmtext.embed('a text'))};
my $pinned = q{word_of('a text', lmtext.embed('a text', 'm@1'::regclass))};
my %prepared = (
    p_parameter => q{(text) AS SELECT word_of($1, lmtext.embed($1, 'm'))},
    p_constant => "AS SELECT $named",
    p_model => q{(text) AS SELECT word_of('a text', lmtext.embed('a text', $1))},
    p_default => "AS SELECT $default",
    p_operator => q{AS SELECT round(('a text' <=> 'text number 7')::numeric, 5)},
    p_pinned => "AS SELECT $pinned",
    p_subplan => q{AS SELECT DISTINCT (SELECT word_of(d.body, lmtext.embed(d.body, 'm'))) FROM doc d WHERE id < 5},
    p_lateral => q{AS SELECT DISTINCT w FROM doc d, LATERAL (SELECT word_of(d.body, lmtext.embed(d.body, 'm')) AS w OFFSET 0) l WHERE id < 5},
);
my %forms = (    # what asks => what a fresh session asks
    q{EXECUTE p_parameter('a text')} => $named,
    q{EXECUTE p_constant} => $named,
    q{EXECUTE p_model('m')} => $named,
    q{EXECUTE p_model('m@2')} => q{word_of('a text', lmtext.embed('a text', 'm@2'))},
    q{EXECUTE p_default} => $default,
    q{EXECUTE p_operator} => q{round(lmtext.distance('text number 7', 'a text')::numeric, 5)},
    q{EXECUTE p_pinned} => $pinned,
    q{EXECUTE p_subplan} => $named,
    q{EXECUTE p_lateral} => $named,
    q{SELECT public.by_plpgsql('a text')} => $named,
    q{SELECT public.constant_plpgsql()} => $named,
    q{SELECT public.stable_plpgsql()} => $named,
    q{SELECT public.default_plpgsql()} => $default,
    q{SELECT public.pinned_plpgsql()} => $pinned,
    q{SELECT public.by_sql('a text')} => $named,
    q{SELECT public.constant_sql()} => $named,
    q{SELECT DISTINCT word FROM public.by_view} => $named,
);
# An IMMUTABLE call of constants is part of a cached plan: PostgreSQL computes it when it plans, for the role and the
# instruction level of that moment, and plans anew when the version's table changes. 'folded' marks events after which it
# stands as it was.
my @events = (
    [ 'nothing' => '' ],
    [ 'deploy' => q{SELECT lmtext.deploy('m', 2)} ],
    [ 'unload' => q{SELECT lmtext.unload_model('m')} ],
    [ 'deploy back' => q{SELECT lmtext.deploy('m', 1)} ],
    [ 'search_path to another model' => '', q{SET search_path = other, public} ],
    [ 'deploy of what is hidden' => q{SELECT lmtext.deploy('public.m', 2)} ],
    [ 'search_path back' => q{SELECT lmtext.deploy('m', 1)}, 'RESET search_path' ],
    [ 'another default' => '', q{SET lmtext.embedding_model = 'n'} ],
    [ 'a default with a version' => '', q{SET lmtext.embedding_model = 'm@2'} ],
    [ 'no default' => '', q{RESET lmtext.embedding_model} ],
    [ 'a role without a right' => '', q{SET lmtext.embedding_model = 'm'; SET ROLE plain}, 'folded' ],
    [ 'a grant' => q{GRANT SELECT (file) ON "m@1", "m@2", "n@1" TO plain} ],
    [ 'a revoke' => q{REVOKE SELECT (file) ON "m@1" FROM plain} ],
    [ 'the role back' => '', 'RESET ROLE' ],
    [ 'names exchanged' => q{ALTER TABLE "m@1" RENAME TO "m@9"; ALTER TABLE "m@2" RENAME TO "m@1"; ALTER TABLE "m@9" RENAME TO "m@2"} ],
    [ 'a name that is gone' => q{ALTER TABLE "m@1" RENAME TO "gone@1"} ],
    [ 'names as before' => q{ALTER TABLE "m@2" RENAME TO "m@1"; ALTER TABLE "gone@1" RENAME TO "m@2"} ],
    [ 'another schema' => q{ALTER TABLE "m@2" SET SCHEMA other} ],
    [ 'and back' => q{ALTER TABLE other."m@2" SET SCHEMA public} ],
    [ 'another level of instructions' => '', 'SET lmtext.isa = scalar', 'folded' ],
    [ 'the best level' => '', 'RESET lmtext.isa' ],
    [ 'other contents' => q{TRUNCATE "m@1"; INSERT INTO "m@1" SELECT * FROM "n@1"} ],
    [ 'a drop' => q{SELECT lmtext.deploy('m', 2), lmtext.drop_model('m@1')} ],
    [ 'a model anew' => q{SELECT lmtext.drop_model('m'); SELECT add('m', '{2}')} ],
    [ 'the number used again by hand' => q{ALTER TABLE "m@3" RENAME TO "m@1"; SELECT lmtext.deploy('m', 1)} ],
);

# A value, or the SQLSTATE of the error.
sub outcome
{
    my ($said) = @_;
    return "error $1" if $said =~ /ERROR:  (\w{5})/;
    return $said =~ s/\s+\z//r;
}

{
    my %sessions;
    for my $mode (qw(force_generic_plan force_custom_plan auto))
    {
        my $session = $sessions{$mode} = session();
        $session->query("SET plan_cache_mode = $mode; SET lmtext.embedding_model = 'm'");
        $session->query("PREPARE $_ $prepared{$_}") for sort keys %prepared;
    }
    my ($settings, $compared, $planned) = (q{SET lmtext.embedding_model = 'm'}, 0);
    for my $event (@events)
    {
        my ($what, $elsewhere, $here, $folded) = @$event;
        value($elsewhere) if $elsewhere;
        $settings .= "; $here" if $here;
        my (%fresh, @differences);
        for my $question (values %forms)
        {
            next if exists $fresh{$question};
            my ($status, $out, $err) = $node->psql('postgres', "$settings; SELECT $question",
                extra_params => [ '-v', 'VERBOSITY=verbose' ]);
            $fresh{$question} = outcome("$out$err");
        }
        $planned = $fresh{$pinned} unless $folded;
        for my $mode (sort keys %sessions)
        {
            say_in($sessions{$mode}, $here) if $here;
            for my $form (sort keys %forms)
            {
                my $found = outcome(say_in($sessions{$mode}, $form));
                $compared++;
                my $expected = $forms{$form} eq $pinned ? $planned : $fresh{ $forms{$form} };
                push @differences, "$mode: $form: $found, not $expected" if $found ne $expected;
            }
        }
        is(join("\n", @differences), '', "$what: $fresh{$named}, $fresh{$default}, $fresh{$pinned}");
    }
    note("$compared results compared with a fresh session's");
    $_->quit for values %sessions;
}

# ---- What lmtext remembers ----

value(q{SELECT lmtext.drop_model('m'); DELETE FROM lmtext.model_name WHERE schema = 'public' AND model = 'm'; SELECT add('m', '{1, 2}');
    DO $$ BEGIN CREATE INDEX ON doc (body); END $$});
my @memos = (
    [ 'rows' => q{SELECT DISTINCT word_of('a text', lmtext.embed('a text', 'm')) FROM doc}, 'first' ],
    [ 'models by column' => q{SELECT string_agg(word_of('a text', lmtext.embed('a text', m)), ' ' ORDER BY i)
        FROM unnest('{m@1,m@2,m,n,m@2,m@1}'::text[]) WITH ORDINALITY u(m, i)}, 'first second first third second first' ],
    [ 'models by LATERAL' => q{SELECT string_agg(w, ' ' ORDER BY i) FROM unnest('{m@1,m@2,n,m@1}'::text[]) WITH ORDINALITY u(m, i),
        LATERAL (SELECT word_of('a text', lmtext.embed('a text', m)) AS w OFFSET 0) l}, 'first second third first' ],
    [ 'rescans of a subplan' => q{SELECT string_agg((SELECT word_of(d.body, lmtext.embed(d.body, m)) FROM doc d WHERE d.id = i), ' ' ORDER BY i)
        FROM unnest('{m@1,m@2,n,m@1}'::text[]) WITH ORDINALITY u(m, i)}, 'first second third first' ],
    [ 'a recursive query' => q{WITH RECURSIVE r(i, w) AS (SELECT 1, word_of('a text', lmtext.embed('a text', 'm')) UNION ALL
        SELECT i + 1, word_of('a text', lmtext.embed('a text', CASE WHEN i % 2 = 0 THEN 'm' ELSE 'm@2' END)) FROM r WHERE i < 5)
        SELECT string_agg(w, ' ' ORDER BY i) FROM r}, 'first second first second first' ],
    [ 'an order by distance' => q{SET lmtext.embedding_model = 'm@2'; SELECT count(*) FROM (SELECT body, body <=> 'text number 7' AS d,
        row_number() OVER (ORDER BY body <=> 'text number 7') AS r FROM doc) s WHERE r = 1 AND body = 'text number 7' AND d < 1e-6;
        RESET lmtext.embedding_model}, '1' ],
    [ 'similarity of both sides' => q{SELECT count(DISTINCT lmtext.similarity(a, b, 'm') = 1 - lmtext.cosine_distance(lmtext.embed(a, 'm'), lmtext.embed(b, 'm')))
        FROM (VALUES ('a', 'b'), ('b', 'a'), ('a', 'a')) v(a, b)}, '1' ],
    [ 'one call with changing arguments' => q{DO $$ DECLARE said text := ''; m text; t text; BEGIN
            FOREACH m IN ARRAY '{m,m@2,n,m@1,m}'::text[] LOOP FOREACH t IN ARRAY '{a text,text number 3,a text}'::text[] LOOP
                said := said || left(word_of(t, lmtext.embed(t, m)), 1);
            END LOOP; END LOOP;
            PERFORM set_config('test.said', said, false); END $$; SELECT current_setting('test.said')}, 'fffssstttffffff' ],
    [ 'settings between' => q{DO $$ DECLARE a real[]; b real[]; c real[]; long text := repeat('word ', 400); BEGIN
            FOR i IN 1 .. 3 LOOP
                PERFORM set_config('lmtext.on_long', CASE WHEN i = 2 THEN 'mean' ELSE 'truncate' END, true);
                a := b; b := c; c := lmtext.embed(long, 'm');
            END LOOP;
            PERFORM set_config('test.said', (a = c)::text || (a = b)::text, false); END $$; SELECT current_setting('test.said')}, 'truefalse' ],
    [ 'dimensions and prompts between' => q{SELECT count(DISTINCT lmtext.embed('a text', 'm', NULL, p, d)) FROM
        (VALUES (NULL, NULL), ('', NULL), ('a ', NULL), (NULL, 4), (NULL, 5), (NULL::text, NULL::int)) v(p, d)}, qr/^[45]$/ ],
    [ 'contents that change in a transaction' => q{BEGIN; CREATE FUNCTION asked() RETURNS text LANGUAGE plpgsql AS $$ BEGIN
            RETURN word_of('a text', lmtext.embed('a text', 'm@1')); END $$;
        CREATE FUNCTION told() RETURNS text LANGUAGE plpgsql AS $$ DECLARE said text := ''; BEGIN
            FOR i IN 1 .. 3 LOOP
                said := said || left(word_of('a text', lmtext.embed('a text', 'm@1')), 1);
                TRUNCATE "m@1";
                IF i = 1 THEN INSERT INTO "m@1" SELECT * FROM "m@2"; ELSE INSERT INTO "m@1" SELECT * FROM "n@1"; END IF;
            END LOOP; RETURN said; END $$;
        SELECT told(); ROLLBACK}, 'fst' ],
    [ 'the level of instructions in a transaction' => q{DO $$ DECLARE a real[]; b real[]; c real[]; BEGIN
            FOR i IN 1 .. 3 LOOP
                PERFORM set_config('lmtext.isa', CASE WHEN i = 2 THEN 'scalar' ELSE 'auto' END, true);
                a := b; b := c; c := lmtext.embed('a text', 'm');
            END LOOP;
            PERFORM set_config('test.said', (a = c)::text, false); END $$; SELECT current_setting('test.said')}, 'true' ],
    [ 'deploy inside a function' => q{BEGIN; CREATE FUNCTION told() RETURNS text LANGUAGE plpgsql AS $$ DECLARE said text := ''; BEGIN
            FOR i IN 1 .. 4 LOOP
                said := said || left(word_of('a text', lmtext.embed('a text', 'm')), 1);
                PERFORM lmtext.deploy('m', 1 + i % 2);
            END LOOP; RETURN said; END $$; SELECT told(); ROLLBACK}, 'fsfs' ],
    [ 'deploy undone by an exception' => q{DO $$ DECLARE said text := ''; BEGIN
            FOR i IN 1 .. 3 LOOP
                BEGIN
                    PERFORM lmtext.deploy('m', 2);
                    said := said || left(word_of('a text', lmtext.embed('a text', 'm')), 1);
                    PERFORM 1 / 0;
                EXCEPTION WHEN division_by_zero THEN NULL;
                END;
                said := said || left(word_of('a text', lmtext.embed('a text', 'm')), 1);
            END LOOP;
            PERFORM set_config('test.said', said, false); END $$; SELECT current_setting('test.said')}, 'sfsfsf' ],
);
for my $memo (@memos)
{
    my ($what, $sql, $expected) = @$memo;
    my $session = session();
    for my $round (1, 2)
    {
        my $said = outcome(join "\n", grep { /\S/ } split /\n/, say_in($session, "$sql;"));
        $said = (split /\n/, $said)[-1] // '';
        ref $expected ? like($said, $expected, "$what ($round)") : is($said, $expected, "$what ($round)");
    }
    $session->quit;
}

# A parameter of type citext, where the server has it.
SKIP: {
    skip('no citext', 1) if value(q{SELECT count(*) FROM pg_available_extensions WHERE name = 'citext'}) eq '0';
    value('CREATE EXTENSION citext');
    is(value(q{SET plan_cache_mode = force_generic_plan; PREPARE p (citext, citext) AS SELECT count(lmtext.embed($1, $2)) FROM doc;
        EXECUTE p('words', 'm'); SELECT texts FROM lmtext.session_counters()}), "40\n1", 'citext: forty rows, one text');
}

# ---- Dependencies ----

{
    value(q{CREATE TABLE kept (id int PRIMARY KEY, body text, v real[] GENERATED ALWAYS AS (lmtext.embed(body, 'm@1'::regclass)) STORED, t real[]);
        CREATE TRIGGER kept_t BEFORE INSERT OR UPDATE ON kept FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 't', 'm@1');
        CREATE INDEX kept_i ON kept ((lmtext.embed(body, 'm@1'::regclass)));
        INSERT INTO kept (id, body) SELECT id, body FROM doc WHERE id < 4});
    my $words = q{SELECT string_agg(word_of(body, v) || ' ' || word_of(body, t) || ' ' ||
        (SELECT count(*) FROM kept k WHERE lmtext.embed(k.body, 'm@1'::regclass) = kept.v), ', ' ORDER BY id) FROM kept WHERE id > %d};
    is(value('SET enable_seqscan = off; ' . sprintf($words, 2)), 'first first 1', 'a generated column, a trigger, an index');
    value(q{SELECT lmtext.deploy('m', 2); INSERT INTO kept (id, body) VALUES (4, 'text number 4')});
    is(value('SET enable_seqscan = off; ' . sprintf($words, 3)), 'first first 1', 'which a deployment leaves alone');
    is(state_of(q{SELECT lmtext.drop_model('m@1')}), '2BP01', 'a version that a column and an index use is not dropped');
    value(q{ALTER TABLE "m@1" RENAME TO "renamed@7"; DROP TRIGGER kept_t ON kept;
        INSERT INTO kept (id, body, t) SELECT 5, 'text number 5', lmtext.embed('text number 5', 'm')});
    is(value('SET enable_seqscan = off; ' . sprintf($words =~ s/m\@1/renamed\@7/r, 4)), 'first second 1', 'nor does a new name');
    value(q{ALTER TABLE "renamed@7" RENAME TO "m@1"; DROP TABLE kept; SELECT lmtext.deploy('m', 1)});
    is(value(q{SET plan_cache_mode = force_generic_plan; PREPARE f AS SELECT lmtext.embed('a text', 'm@1'::regclass);
        EXPLAIN (VERBOSE, COSTS OFF) EXECUTE f}) =~ /embed\(/ ? 'call' : 'constant', 'constant', 'a pinned call of constants is folded');
}

# ---- A price is not waited for, nor is it kept when it changes ----

{
    my $price = sub { my ($session, $model) = @_;
        return say_in($session, "EXPLAIN SELECT lmtext.embed(body, '$model') FROM doc;") =~ /\.\.([\d.]+) rows/ ? $1 : 'none' };
    my ($holder, $planner, $fresh) = (session(), session(), session());
    my ($named, $versioned) = ($price->($planner, 'm'), $price->($planner, 'm@1'));
    my $unknown = $price->($planner, 'nobody');
    cmp_ok($versioned, '<', $unknown, 'a tiny model costs less than one that is not known');
    is($named, $versioned, 'by whatever name');
    say_in($holder, q{BEGIN; LOCK TABLE "m@1", lmtext.model_name IN ACCESS EXCLUSIVE MODE;});
    $fresh->query(q{SET statement_timeout = '60s'});
    is($price->($fresh, $_), $unknown, "a price that another session keeps is not waited for: $_") for 'm', 'm@1';
    is($price->($planner, 'm@1'), $versioned, 'one that is remembered is there');
    say_in($holder, 'ROLLBACK;');
    is($price->($fresh, 'm'), $versioned, 'and can be told afterwards');
    value(q{INSERT INTO weights VALUES (4, 'fourth', '} . $real . q{'); SELECT add('m', '{4}'); SELECT lmtext.deploy('m', 3)});
    cmp_ok($price->($_, 'm'), '>', 2 * $versioned, 'a deployment changes what a name costs') for $planner, $fresh;
    value(q{SELECT lmtext.deploy('m', 1); SELECT lmtext.drop_model('m@3'); DELETE FROM weights WHERE number = 4});
    is($price->($_, 'm'), $versioned, 'and back') for $planner, $fresh;
    is($price->($planner, 'm@3'), $unknown, 'one that was dropped is not known');
    $_->quit for $holder, $planner, $fresh;
}

# ---- Parallel equals serial ----

{
    value(qq{SELECT lmtext.import_model('big', '$real'); SELECT lmtext.deploy('m', 2);
        CALL lmtext.train('head', 'SELECT body, label FROM doc', '{"base": "m", "hold_out": 0}');
        ALTER TABLE doc SET (parallel_workers = 2); CREATE TABLE longer AS SELECT id, repeat(body || ' and more ', 30) AS body FROM doc;
        ALTER TABLE longer SET (parallel_workers = 2);
        GRANT SELECT (file) ON "m\@2" TO plain; GRANT SELECT ON longer TO plain; ANALYZE});
    my $force = $node->pg_version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode';
    my $parallel = "SET $force = on; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
        SET parallel_leader_participation = off; SET jit = off";
    my @queries = (
        q{SELECT id, lmtext.embed(body, 'm') FROM doc},
        q{SELECT id, lmtext.embed(body, 'm@1'::regclass) FROM doc},
        q{SELECT id, lmtext.embed(body, 'big') FROM doc WHERE id < 10},
        q{SELECT id, lmtext.embed(body, dimensions => 5) FROM doc},
        q{SELECT id, lmtext.embed(ARRAY[body, 'b'], 'm') FROM doc},
        q{SELECT id, lmtext.similarity(body, 'a text', 'm') FROM doc},
        q{SELECT id, body <=> 'a text' FROM doc},
        q{SELECT id, lmtext.distance(body, label) FROM doc},
        q{SELECT id, lmtext.classify(body, 'head'), lmtext.classify(ARRAY[body, label], 'head') FROM doc},
        q{SELECT id, s.* FROM doc, lmtext.class_scores(body, 'head') s},
        q{SELECT id, lmtext.class_scores(body, 'head') FROM doc},
        q{SELECT id, lmtext.classify_scored(body, 'head'), lmtext.classify(body, 'head', 0.5) FROM doc},
        q{SELECT id, (s).* FROM (SELECT id, lmtext.classify_scored(body, 'head@1'::regclass, 0.4) AS s FROM doc OFFSET 0) x},
        q{SELECT id, lmtext.classify_scored(lmtext.embed(body, 'm@2'), 'head'), lmtext.classify_scored(ARRAY[body, label], 'head') FROM doc},
        q{SELECT label, count(lmtext.classify(body, 'head')), max((lmtext.classify_scored(body, 'head')).score) FROM doc GROUP BY label},
        q{SELECT id, lmtext.tokenize(body, 'm'), lmtext.token_ids(body, 'm'), lmtext.count_tokens(body, 'm') FROM doc},
        q{SELECT id, lmtext.detokenize(lmtext.token_ids(body, 'm'), 'm') FROM doc},
        q{SELECT doc.id, t.* FROM doc, lmtext.tokens(body, 'm') t},
        q{SELECT id, c.* FROM longer, lmtext.chunk(body, 'm', 20, 5) c},
        q{SELECT lmtext.mean(lmtext.embed(body, 'm')) FROM doc},
        q{SELECT label, lmtext.mean(lmtext.embed(body, 'm')) FROM doc GROUP BY label},
        q{SELECT lmtext.accuracy(label, lmtext.classify(body, 'head')), lmtext.f1(label, lmtext.classify(body, 'head')) FROM doc},
        q{SELECT id FROM doc WHERE (lmtext.embed(body, 'm') <-> lmtext.embed('a text', 'm')) < 5},
        q{SELECT id, lmtext.l2_normalize(lmtext.embed(body, 'm')) <#> lmtext.embed('b', 'm') FROM doc},
        q{SELECT name, version, deployed, sha256 FROM lmtext.models},
        q{SELECT id, lmtext.embed(body, 'm') FROM longer WHERE id <= 10},
    );
    my @settings = (
        [ 'as it is', q{SET lmtext.embedding_model = 'm'} ],
        [ 'other settings', q{SET lmtext.embedding_model = 'm@1'; SET lmtext.isa = scalar; SET lmtext.batch_tokens = 16} ],
        [ 'windows', q{SET lmtext.embedding_model = 'm'; SET lmtext.on_long = mean} ],
        [ 'another schema', q{SET lmtext.embedding_model = 'm'; SET search_path = other, public} ],
        [ 'another role', q{SET lmtext.embedding_model = 'm'; SET ROLE plain} ],
        [ 'long texts are errors', q{SET lmtext.embedding_model = 'm'; SET lmtext.on_long = error} ],
    );
    # Of each query a digest, or the SQLSTATE, by its number.
    my $ask = sub {
        my ($before) = @_;
        my $script = join '', map { "SELECT '$_ ' || md5(string_agg(q::text, '|' ORDER BY q::text)) FROM ($queries[$_]) q;\n" } 0 .. $#queries;
        my ($status, $out, $err) = $node->psql('postgres', "$before;\n$script", on_error_stop => 0,
            extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
        my %answers = map { /^(\d+) (\w{32})$/ ? ($1 => $2) : () } split /\n/, $out;
        my @states = $err =~ /ERROR:  (\w{5})/g;
        $answers{$_} //= 'error ' . (shift(@states) // '?') for 0 .. $#queries;
        return \%answers;
    };
    for my $setting (@settings)
    {
        my ($what, $set) = @$setting;
        my $serial = $ask->("SET max_parallel_workers_per_gather = 0; $set");
        my $workers = $ask->("$parallel; $set");
        my @differences = map { "$queries[$_]: $workers->{$_}, not $serial->{$_}" }
          grep { $serial->{$_} ne $workers->{$_} } 0 .. $#queries;
        is(join("\n", @differences), '', "parallel equals serial: $what");
        my @failed = map { "$queries[$_]: $serial->{$_}" } grep { $serial->{$_} =~ /error/ } 0 .. $#queries;
        is(join("\n", @failed), '', 'all of them have results') if $what eq 'as it is';
        is(scalar(@failed), 1, 'one is an error') if $what eq 'long texts are errors';
    }
    like(value("$parallel; EXPLAIN (COSTS OFF) SELECT id, lmtext.embed(body, 'm') FROM doc"), qr/Gather/, 'and was parallel');
    like(value("SET max_parallel_workers_per_gather = 2; SET parallel_setup_cost = 0; EXPLAIN (COSTS OFF) SELECT id, lmtext.classify(body, 'head'), lmtext.classify_scored(body, 'head') FROM doc"),
        qr/^Gather\n +Workers Planned: 2\n +->  Custom Scan \(LmtextBatch\)\n +Calls: lmtext.classify\(.*lmtext.classify_scored\(.*\n +->  Parallel Seq Scan on doc/,
        'label and score of a row come from a parallel plan, in batches');

    # ---- A worker that ends ----
    value(q{CREATE TABLE lots AS SELECT repeat('some words ', 100) || i AS body FROM generate_series(1, 4000) i;
        ALTER TABLE lots SET (parallel_workers = 2); ANALYZE lots});
    for my $how (qw(cancel terminate))
    {
        my $session = session();
        $session->query($parallel);
        begin_in($session, q{SELECT count(lmtext.embed(body, 'big')) FROM lots;});
        wait_for(q{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'parallel worker'
            AND EXISTS (SELECT FROM lmtext.model_cache WHERE version = 'big@1' AND pins > 0)}, "workers compute ($how)");
        value("SELECT pg_${how}_backend(pid) FROM pg_stat_activity WHERE backend_type = 'parallel worker' LIMIT 1");
        my $said = end_in($session);
        my @errors = $said =~ /ERROR:  (\w{5})/g;
        is(scalar(@errors), 1, "one error is reported when a worker is asked to $how") or diag($said);
        like($errors[0] // '', qr/^57/, 'with its SQLSTATE');
        like(say_in($session, q{SELECT 'alive', count(lmtext.embed(body, 'm')) FROM doc}), qr/alive\|40/, 'and the session goes on');
        $session->quit;
        safe("after a worker was asked to $how");
    }
}

done();
