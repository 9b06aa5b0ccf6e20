# 145_cluster.pl - models in several databases and tables whose parts lie in them: pull_model, sync_models, cluster_jobs,
# partitions behind postgres_fdw, and model tables in logical replication, between two servers. Where PostgreSQL has no
# contrib (the packages of 16 and 18) what needs a connection must say so, and the rest is the same.
use strict;
use warnings;

use Lmtext;

my $there = start_node('there', streaming => 'logical');
my $here = start_node('here', conf => "log_statement = none\n");
my $contrib = value("SELECT count(*) FROM pg_available_extensions WHERE name IN ('dblink', 'postgres_fdw')") == 2;
note('PostgreSQL ' . $here->pg_version . ($contrib ? ', with dblink and postgres_fdw' : ', without dblink'));
my $secret = 'Zq9secretZq9';
my $link = sprintf 'host=%s port=%s dbname=postgres user=%s', $there->host, $there->port, $there->safe_psql('postgres', 'SELECT current_user');
my $names = "SELECT coalesce(string_agg(model::text, ' ' ORDER BY model::text COLLATE \"C\"), 'none') FROM lmtext.models";
my $facts = q{SELECT string_agg(to_jsonb(m)::text, E'\n' ORDER BY name, version)
    FROM (SELECT name, version, family, task, precision, dimensions, bytes, sha256, labels, licence, base::text, created_at, metrics,
              obj_description(model, 'pg_class') AS comment FROM lmtext.models) m WHERE };
my $vector = q{SELECT lmtext.embed('the cat sat on the mat', 'm@1'), lmtext.embed('the cat sat on the mat', 'm@2'),
    lmtext.class_scores('the cat', 'head')};

sub there { return $there->safe_psql('postgres', $_[0]); }
sub pull { my $arguments = join ', ', map { "'$_'" } @_; return qq{SELECT lmtext.pull_model('$link', $arguments)}; }

# Cases of a name, a script and the SQLSTATE that ends it, in one session.
sub fails
{
    my ($server, $what, @cases) = @_;
    my $script = join '', map { "\\set LAST_ERROR_SQLSTATE none\n$_->[1];\n\\echo :LAST_ERROR_SQLSTATE\nROLLBACK;\nDISCARD ALL;\n" } @cases;
    my ($status, $out) = $server->psql('postgres', $script, on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=sqlstate' ]);
    my @states = grep { /^(?:\w{5}|none)$/ } split /\n/, $out;
    is(shift @states, $_->[2], "$what: $_->[0]") for @cases;
    is(scalar @states, 0, "$what: and no more");
    return;
}

sub nothing_is_left
{
    my ($what) = @_;
    is(value(qq{SELECT concat_ws('|', ($names), (SELECT count(*) FROM pg_class WHERE relname LIKE '%\@%' AND relkind = 'r'),
        (SELECT count(*) FROM lmtext.model_name))}), 'none|0|0', "$what leaves nothing");
    return;
}

there(<<"SQL");
CREATE EXTENSION lmtext;
SET client_min_messages = warning;
SELECT lmtext.import_model('m', '$tiny', '{"licence": "MIT"}');
SELECT lmtext.quantize('m', 'int8');
CREATE TABLE doc AS SELECT i AS id, translate(i::text, '0123456789', 'abcdefghij') || ' sat on the mat' AS body
    FROM generate_series(1, 40) i;
CALL lmtext.train('head', 'SELECT body, (id % 2)::text FROM doc', '{"base": "m"}');
SQL
value('CREATE EXTENSION lmtext');
like(complaint(pull('m')), qr/0A000: .*need the extension dblink.*CREATE EXTENSION dblink/s, 'without dblink there is a hint');
is(state_of(q{SELECT * FROM lmtext.cluster_jobs()}), '0A000', 'cluster_jobs needs it as well');
is(state_of(q{SELECT * FROM lmtext.cluster_enable()}), '0A000', 'and a database without Citus is told what to do');

# ---- The two ends of a copy, whoever brings the rows ----

value(qq{SELECT lmtext.import_model('m', '$tiny'); CREATE ROLE plain; GRANT CREATE ON SCHEMA public TO plain;
    CREATE TABLE doc AS SELECT i AS id, translate(i::text, '0123456789', 'abcdefghij') || ' sat on the mat' AS body FROM generate_series(1, 40) i;
    CALL lmtext.train('head', 'SELECT body, (id % 2)::text FROM doc', '{"base": "m"}')});
my $digest = value(q{SELECT sha256 FROM lmtext.models WHERE name = 'm'});
my $head = value(q{SELECT sha256 FROM lmtext.models WHERE name = 'head'});
sub copy
{
    my ($from, $base, $sha256, $change) = @_;
    return qq{BEGIN; SELECT lmtext_internal.begin_copy('copy', 7, $base); INSERT INTO "copy\@7" (file, part, data) SELECT file, part, data
        FROM "$from"; } . ($change // '') . qq{; SELECT lmtext_internal.end_copy('copy\@7', '$sha256'); COMMIT};
}
is(value(copy('m@1', 'NULL', $digest) . q{; SELECT lmtext.embed('a', 'copy') = lmtext.embed('a', 'm')}), qq{"copy\@7"\n7\nt},
    'rows that were copied are a version');
is(value(q{SELECT lmtext_internal.begin_copy('copy', 3, NULL); DROP TABLE "copy@8"}), '"copy@8"', 'no number is used again');
value(q{SELECT lmtext.drop_model('copy'); DELETE FROM lmtext.model_name WHERE model = 'copy'});
# Another model as a base, and a table of a model by a name that is none of a version.
value(qq{SELECT lmtext.import_model('other', '$tiny/../distilbert'); CREATE TABLE unnamed OF lmtext.model_part (PRIMARY KEY (file, part))});
fails($here, 'refused',
    [ 'a head on another base', copy('head@1', q{'other@1'}, $head), 'XX001' ],
    [ 'no name of a version', q{SELECT lmtext_internal.end_copy('unnamed', '')}, '42704' ],
    [ 'another digest', copy('m@1', 'NULL', $head), 'XX001' ],
    [ 'a head without its base', copy('head@1', 'NULL', $head), 'XX001' ],
    [ 'a model on a base', copy('m@1', q{'m@1'}, $digest), 'XX001' ],
    [ 'a byte of the weights', copy('m@1', 'NULL', $digest, q{UPDATE "copy@7" SET data = set_byte(data, 9999, 7) WHERE file = 'model.safetensors'}), 'XX001' ],
    [ 'golden values', copy('m@1', 'NULL', $digest, q{UPDATE "copy@7" SET data = data || ' '::bytea WHERE file = 'golden.json'}), 'XX001' ],
    [ 'a row too many', copy('m@1', 'NULL', $digest, q{INSERT INTO "copy@7" VALUES ('x', 0, 'x')}), 'XX001' ],
    [ 'no manifest', copy('m@1', 'NULL', $digest, q{DELETE FROM "copy@7" WHERE file = 'manifest.json'}), '55000' ],
    [ 'another table', q{SELECT lmtext_internal.end_copy('doc', '')}, '42704' ],
    [ 'another owner', qq{SET ROLE plain; SELECT lmtext_internal.end_copy('m\@1', '$digest')}, '42501' ],
    [ 'a name that another owns', q{SET ROLE plain; SELECT lmtext_internal.begin_copy('m', 7, NULL)}, '42501' ],
    [ 'a base that may not be used', q{SET ROLE plain; SELECT lmtext_internal.begin_copy('mine', 7, 'm@1')}, '42501' ],
    [ 'no name', q{SELECT lmtext_internal.begin_copy(NULL, 7, NULL)}, '22004' ],
    [ 'no number', q{SELECT lmtext_internal.begin_copy('x', NULL, NULL)}, '22004' ],
    [ 'a read-only transaction', q{SET default_transaction_read_only = on; SELECT lmtext_internal.begin_copy('x', 1, NULL)}, '25006' ],
    [ 'a read-only transaction at the end', q{SET default_transaction_read_only = on; SELECT lmtext_internal.end_copy('m@1', '')}, '25006' ]);
value(copy('m@1', 'NULL', $digest) . q{; UPDATE lmtext.model_name SET last_version = 999999 WHERE model = 'copy'});
is(state_of(q{SELECT lmtext_internal.begin_copy('copy', 1000000, NULL)}), '54000', 'numbers end');
value(q{SELECT lmtext.drop_model('other'); DROP TABLE unnamed});
value(q{SELECT lmtext.drop_model('copy'); DROP TABLE doc; SELECT lmtext.drop_model('head'); SELECT lmtext.drop_model('m'); DELETE FROM lmtext.model_name});
nothing_is_left('what came before');

# ---- pull_model ----

if ($contrib)
{
    value('CREATE SCHEMA tools; CREATE EXTENSION dblink SCHEMA tools');
    there(q{CREATE TABLE "far@77" OF lmtext.model_part (PRIMARY KEY (file, part)); INSERT INTO "far@77" SELECT * FROM "m@1";
        CREATE TABLE "on_far@7" OF lmtext.model_part (base WITH OPTIONS DEFAULT 'far@77'::regclass, PRIMARY KEY (file, part));
        INSERT INTO "on_far@7" (file, part, data) SELECT file, part, data FROM "head@1"});
    is(value(pull('on_far@7')), 7, 'a new name keeps its number');
    is(value($names), '"far@1" "on_far@7"', 'but the number of a base is not believed');
    value(q{SELECT lmtext.drop_model('on_far'); SELECT lmtext.drop_model('far'); DELETE FROM lmtext.model_name});
    is(value('SET client_min_messages = warning;' . pull('head')), 1, 'a head is pulled');
    is(value($names), '"head@1" "m@1"', 'with what it is built on');
    is(value('SET client_min_messages = warning;' . pull('m@2')), 2, 'another version too');
    is(value($vector), there($vector), 'and all compute the same');
    is(value("$facts true"), there("$facts name IN ('m', 'head')"), 'what is known of them came along');
    is(value(q{SELECT count(*) FROM lmtext.selftest('m@2') WHERE NOT ok}), 0, 'golden values are met');
    is(value(pull('m') . ';' . pull('head') . ';' . pull('m@2')), "1\n1\n2", 'again copies nothing');
    is(value(q{SELECT count(*) FROM pg_class WHERE relname LIKE '%@%' AND relkind = 'r'}), 3, 'so there are three tables');
    is(value(q{CREATE SCHEMA ml; SET client_min_messages = warning;} . pull('head', 'ml.kopf')), 1, 'under another name');
    is(value(q{SELECT base FROM lmtext.models WHERE name = 'kopf'}), '"m@1"', 'on the base that is there');
    like(complaint(pull('m@2', 'kopf') . ';' . pull('m@1', 'kopf')), qr/another one is still deployed.*deploy\('public\.kopf', 3\)/s, 'a later version waits');
    like(complaint(pull('far@77', 'ml.kopf')), qr/version 77 of model "kopf" is version 2 here/, 'a name that has versions gets the next number');
    there('DROP TABLE "on_far@7"; DROP TABLE "far@77"');
    value(q{SELECT lmtext.drop_model('ml.kopf'); SELECT lmtext.drop_model('kopf'); SELECT lmtext.drop_model('head'); SELECT lmtext.drop_model('m');
        DELETE FROM lmtext.model_name; CREATE ROLE owner SUPERUSER; GRANT EXECUTE ON FUNCTION lmtext.pull_model TO plain; GRANT USAGE ON SCHEMA tools TO plain});
    nothing_is_left('dropping all');

    my ($first, $second) = (session(), session());
    $first->query('BEGIN;' . pull('m'));
    my $waiter = begin_in($second, pull('m') . ';');
    wait_for("SELECT count(*) > 0 FROM pg_locks WHERE pid = $waiter AND NOT granted", 'who pulls the same waits');
    $first->query('COMMIT');
    like(end_in($second), qr/^1$/m, 'and finds what came meanwhile');
    $_->quit for $first, $second;
    is(value(q{SELECT string_agg(relname, ' ') FROM pg_class WHERE relname LIKE '%@%' AND relkind = 'r'}), 'm@1', 'with no second table');
    value(q{SELECT lmtext.drop_model('m'); DELETE FROM lmtext.model_name});

    # Damage there is met here.
    there(q{CREATE TABLE "bad@1" OF lmtext.model_part (PRIMARY KEY (file, part)); INSERT INTO "bad@1" SELECT * FROM "m@1";
        UPDATE "bad@1" SET data = set_byte(data, 9999, 7) WHERE file = 'model.safetensors'; SELECT lmtext.deploy('bad', 1)});
    is(state_of(pull('bad')), 'XX001', 'a part that was changed is refused');
    there(q{DELETE FROM "bad@1" WHERE file = 'golden.json'});
    is(state_of(pull('bad')), 'XX001', 'a part that is missing, too');
    there(q{DELETE FROM "bad@1" WHERE file = 'manifest.json'});
    is(state_of(pull('bad')), '55000', 'and what is no version yet');
    nothing_is_left('damage');

    # Errors, and what they tell.
    there("CREATE ROLE guest LOGIN; CREATE DATABASE older; CREATE DATABASE bare");
    $there->safe_psql('older', q{CREATE EXTENSION lmtext; UPDATE pg_extension SET extversion = '0.3.0' WHERE extname = 'lmtext'});
    my $as_guest = $link =~ s/user=\w+/user=guest/r;
    fails($here, 'pull_model',
        [ 'an unknown model', pull('nothing'), '42704' ], [ 'a NULL', q{SELECT lmtext.pull_model(NULL, 'm')}, '22004' ],
        [ 'a name that is none', pull('m', 'a.b.c.d'), '42602' ], [ 'a number in the new name', pull('m', 'x@3'), '42602' ],
        [ 'a schema that is not there', pull('m', 'nowhere.m'), '3F000' ],
        [ 'another version of lmtext', pull('m') =~ s/dbname=postgres/dbname=older/r, '55000' ],
        [ 'a database without lmtext', pull('m') =~ s/dbname=postgres/dbname=bare/r, '55000' ],
        [ 'a role that may not use it', "SELECT lmtext.pull_model('$as_guest', 'm')", '42501' ],
        [ 'a read-only transaction', 'SET default_transaction_read_only = on;' . pull('m'), '25006' ],
        [ 'a role without a password', 'SET ROLE plain;' . pull('m'), '2F003' ]);
    there(q{GRANT SELECT (file) ON "m@1" TO guest});
    is(state_of("SELECT lmtext.pull_model('$as_guest', 'm')"), '42501', 'to use a model is not to have it');
    my $from = -s $here->logfile;
    for my $string ("host=/nowhere password=$secret", "dbname=x password=a $secret", "$link password=$secret bad",
        "postgresql://u:pass\@$secret\@localhost:1/x", "postgresql://u:$secret:1/x", "port=$secret", qq{host="$secret" password="x"},
        "dbname=none_$secret host=" . $there->host . ' port=' . $there->port)
    {
        my $said = complaint("SET log_min_error_statement = panic; SELECT lmtext.pull_model('$string', 'm')");
        like($said, qr/ERROR:  08001: could not connect to the other database/, 'a connection that cannot be made');
        unlike($said =~ s/^LINE.*//mgr, qr/$secret/, 'says nothing of its string');
    }
    unlike(substr(slurp_file($here->logfile), $from), qr/$secret/, 'nor does the log');
    nothing_is_left('errors');

    # Half way: the keeper's rows come as far as a policy lets them.
    there(<<'SQL');
CREATE ROLE keeper LOGIN; GRANT CREATE ON SCHEMA public TO keeper;
CREATE TABLE "slow@1" OF lmtext.model_part (PRIMARY KEY (file, part)); INSERT INTO "slow@1" SELECT * FROM "m@1";
ALTER TABLE "slow@1" OWNER TO keeper; ALTER TABLE "slow@1" ENABLE ROW LEVEL SECURITY; ALTER TABLE "slow@1" FORCE ROW LEVEL SECURITY;
CREATE POLICY slow ON "slow@1" USING (file < 'model' OR pg_advisory_xact_lock_shared(145)::text = '');
SQL
    use_node($there);
    my $gate = session();
    $gate->query('SELECT pg_advisory_lock(145)');
    use_node($here);
    my $slow = pull('slow@1') =~ s/user=\w+/user=keeper/r;
    for my $how ('cancel', 'terminate')
    {
        my $puller = session();
        my $pid = begin_in($puller, "$slow;");
        ok($there->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted}), 'the copy is half way');
        value("SELECT pg_${how}_backend($pid)");
        if ($how eq 'cancel')
        {
            like(end_in($puller), qr/57014/, 'a cancel ends it');
            is(say_in($puller, 'SELECT tools.dblink_get_connections() IS NULL'), 't', 'and its connection');
            $puller->quit;
        }
        wait_for("SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $pid)", "$how: the session is gone");
        nothing_is_left($how);
        $gate->query('SELECT pg_advisory_unlock(145)');
        $there->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE usename = 'keeper'});
        $gate->query('SELECT pg_advisory_lock(145)');
    }
    $gate->quit;
    is(value($slow), 1, 'once more, and it comes');
    value(q{SELECT lmtext.drop_model('slow'); DELETE FROM lmtext.model_name});
    safe('pulled models', $_) for $there, $here;

    # ---- sync_models ----

    use_node($there);
    value(sprintf q{CREATE EXTENSION dblink; CREATE EXTENSION postgres_fdw; CREATE SERVER shard FOREIGN DATA WRAPPER postgres_fdw
        OPTIONS (host '%s', port '%s', dbname 'postgres', extensions 'lmtext', use_remote_estimate 'true');
        CREATE SERVER dead FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nowhere');
        CREATE USER MAPPING FOR CURRENT_USER SERVER shard OPTIONS (user '%s', password '%s');
        CREATE USER MAPPING FOR CURRENT_USER SERVER dead OPTIONS (user 'x', password '%s');
        SELECT lmtext.drop_model('slow'); DROP TABLE "bad@1"; DELETE FROM lmtext.model_name WHERE model = 'bad'},
        $here->host, $here->port, value('SELECT current_user'), $secret, $secret);
    my $sync = q{SELECT string_agg(concat_ws(' ', model, copied, deployed), ', ') FROM lmtext.sync_models('shard'%s)};
    my $as_reader = q{SELECT dblink_connect('s', 'shard'); SET ROLE guest; SELECT * FROM lmtext_internal.push_models('public', 's', '{head@1}')};
    value(q{GRANT SELECT ON "head@1" TO guest});
    is(state_of($as_reader), '55000', 'a head whose base the caller does not copy');
    value(q{REVOKE SELECT (file) ON "m@1" FROM guest});
    is(state_of($as_reader), '42501', 'or may not use');
    use_node($here);
    nothing_is_left('either');
    $first = session();
    $first->query('BEGIN;' . pull('m'));
    use_node($there);
    $second = session();
    begin_in($second, (sprintf $sync, q{, '{m}'}) . ';');
    ok($here->poll_query_until('postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE NOT granted}), 'who copies the same waits');
    $first->query('COMMIT');
    like(end_in($second), qr/"m\@1" f f/, 'and finds what came meanwhile');
    $_->quit for $first, $second;
    $here->safe_psql('postgres', q{SELECT lmtext.drop_model('m@1'); DELETE FROM lmtext.model_name});
    is(value(sprintf $sync, q{, '{head}'}), '"m@1" t f, "head@1" t f', 'a head goes with its base');
    is(value(sprintf $sync, ''), '"m@1" f f, "m@2" t f, "head@1" f f', 'then what lacks');
    is(value(sprintf $sync, ''), '"m@1" f f, "m@2" f f, "head@1" f f', 'then nothing');
    is(value($vector), $here->safe_psql('postgres', $vector), 'both compute the same');
    is(value("$facts true"), $here->safe_psql('postgres', "$facts true"), 'and say the same');
    value(q{SELECT lmtext.deploy('m', 2)});
    is(value(sprintf $sync, q{, '{m}'}), '"m@2" f t', 'a deployment follows');
    is($here->safe_psql('postgres', q{SELECT deployed FROM lmtext.model_name WHERE model = 'm'}), 2, 'there');
    value(q{SELECT lmtext.deploy('m', 1); SET client_min_messages = warning; SELECT lmtext.quantize('m', 'bf16')});
    $here->safe_psql('postgres', qq{SET client_min_messages = warning; SELECT lmtext.import_model('m', '@{[ variant($tiny, 1) ]}')});
    is(state_of(sprintf $sync, ''), '42710', 'a number that is used there for another version is refused');
    is($here->safe_psql('postgres', q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relname ~ '^m@' AND relkind = 'r'}),
        'm@1 m@2 m@3', 'and nothing was made');
    is($here->safe_psql('postgres', 'SET client_min_messages = warning;' . pull('m@3')), 4, 'it can be pulled there, as another number');
    like(complaint(sprintf $sync, ''), qr/42710: .*pinned to one must not be sent/s, 'and the same number still means another version there');
    is(value('SELECT dblink_get_connections() IS NULL'), 't', 'no connection stays');
    is(state_of(q{SELECT lmtext.sync_models('none')}), '42704', 'an unknown server');
    is(state_of(q{SELECT lmtext.sync_models('shard', '{none}')}), '42704', 'an unknown model');
    is(state_of(q{SET ROLE guest; SELECT lmtext.sync_models('shard')}), '42704', 'a server without a mapping for the role');
    my $said = complaint(q{SELECT lmtext.sync_models('dead')});
    like($said, qr/08001/, 'a server that is down');
    unlike($said, qr/$secret/, 'without the password of its mapping');

    # ---- A partitioned table, one half of which is there ----

    value(<<"SQL");
SET client_min_messages = warning; SELECT lmtext.drop_model('m\@3'); DROP TABLE doc;
CREATE TABLE doc (gone int, id int, body text, v real[]) PARTITION BY RANGE (id);
ALTER TABLE doc DROP COLUMN gone;
CREATE TABLE "doc near" PARTITION OF doc FOR VALUES FROM (0) TO (50) PARTITION BY RANGE (id);
CREATE TABLE doc_a PARTITION OF "doc near" FOR VALUES FROM (0) TO (20);
CREATE TABLE doc_b (v real[], body text, id int); ALTER TABLE "doc near" ATTACH PARTITION doc_b FOR VALUES FROM (20) TO (50);
CREATE FOREIGN TABLE doc_c PARTITION OF doc FOR VALUES FROM (50) TO (100) SERVER shard;
SQL
    $here->safe_psql('postgres', 'CREATE TABLE doc_c (id int, body text, v real[])');
    value(q{INSERT INTO doc SELECT i, translate(i::text, '0123456789', 'abcdefghij') || ' sat', lmtext.embed(translate(i::text, '0123456789', 'abcdefghij') || ' sat', 'm@1')
        FROM generate_series(0, 99) i; INSERT INTO doc VALUES (5, 'no vector', NULL)});
    my $nearest = q{lmtext.search_partitions(NULL::doc, 'v', lmtext.embed('cb sat', 'm@1'), 9)};
    my $exact = value(q{SELECT string_agg(id::text, ' ') FROM (SELECT id FROM doc ORDER BY v <=> lmtext.embed('cb sat', 'm@1') LIMIT 9) s});
    is(value("SELECT string_agg((s.item).id::text, ' ') FROM $nearest s"), $exact, 'the nearest of all partitions');
    is(value("SELECT bool_and((s.item).v <=> lmtext.embed('cb sat', 'm\@1') = s.distance AND (s.item).body LIKE '% sat') FROM $nearest s"), 't', 'with their columns and distances');
    is(value(q{SELECT count(*) FROM lmtext.search_partitions(NULL::doc_a, 'v', lmtext.embed('cb sat', 'm@1'), 1000)}), 20, 'a partition alone, but the row without a vector');
    is(value(q{CREATE TABLE plain_doc AS SELECT id, v FROM doc_a; SELECT count(*) FROM lmtext.search_partitions(NULL::plain_doc, 'v', lmtext.embed('a', 'm@1'))}), 10, 'a table that is not partitioned');
    is(value(q{CREATE TABLE empty_doc (v real[]) PARTITION BY LIST (v); SELECT count(*) FROM lmtext.search_partitions(NULL::empty_doc, 'v', '{1}')}), 0, 'a table without partitions');
    my $query = value(q{SELECT lmtext.nearest_query('doc', 'v', lmtext.embed('cb sat', 'm@1'), 9)});
    is(value("SET search_path = pg_catalog; SELECT string_agg(id::text, ' ') FROM ($query) s"), $exact, 'the text of the query means the same everywhere');
    is(value("CREATE VIEW nearest AS $query; SELECT count(*) FROM nearest"), 9, 'and can be a view');
    like(value("EXPLAIN (VERBOSE, COSTS OFF) $query"), qr/Remote SQL: .*ORDER BY \(v OPERATOR\(public\.<=>\) .*LIMIT 9/, 'each server sorts and cuts its own');
    fails($there, 'search_partitions', map { [ $_->[0], "SELECT lmtext.search_partitions($_->[0])", $_->[1] ] }
        [ q{NULL::doc, 'x', '{1}'}, '42703' ], [ q{NULL::doc, 'body', '{1}'}, '42804' ], [ q{1, 'v', '{1}'}, '42804' ],
        [ q{NULL::doc, 'v', NULL}, '22023' ], [ q{NULL::doc, 'v', '{1}', 0}, '22023' ], [ q{NULL::doc, NULL, '{1}'}, '22023' ]);
    my $where = q{doc_c WHERE lmtext.classify(body, 'public.head@1'::regclass) = '1'};
    like(value("EXPLAIN (VERBOSE, COSTS OFF) SELECT count(*) FROM $where"), qr/Remote SQL: .*lmtext\.classify\(body, 'public\."head\@1"'::regclass/,
        'a pinned call in WHERE runs on the shard');
    is(value("SELECT count(*) FROM $where"), value(q{SELECT count(*) FROM doc WHERE id >= 50 AND lmtext.classify(body, 'head') = '1'}), 'and says what it says here');
    like(value(q{EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM doc_c WHERE v <=> '{1}' < 1}), qr/Remote SQL: .*OPERATOR\(public\.<=>\)/, 'distances as well');
    unlike(value(q{EXPLAIN (VERBOSE, COSTS OFF) SELECT * FROM doc_c WHERE lmtext.classify(body, 'head') = '1'}), qr/Remote SQL: .*classify/,
        'a name without a version, which may mean another one there, does not');

    # ---- Jobs there, as postgres_fdw's sessions see the world ----

    $here->safe_psql('postgres', q{SET search_path = pg_catalog; ALTER TABLE public.doc_c ADD PRIMARY KEY (id);
        SELECT lmtext.create_job('shard_job', 'public.doc_c', 'body', 'classify', 'public.head', 'class');
        SELECT lmtext.create_job('idle', 'public.doc_c', 'body', 'embed', 'public.m@1', 'v2')});
    my $run = q{SELECT dblink_exec('shard', 'CALL lmtext.run_job(''shard_job'')')};
    is(value($run), 'CALL', 'a job is run on the shard');
    is(value(q{SELECT string_agg(concat_ws(' ', server, job, status, done, total, errors), ', ' ORDER BY server, job) FROM lmtext.cluster_jobs('{shard}')}),
        'shard idle never run, shard shard_job done 50 50 0', 'and reports to the coordinator');
    like(value(q{SELECT string_agg(concat_ws(' ', server, job, status, message), ', ' ORDER BY server, job) FROM lmtext.cluster_jobs()}),
        qr/^dead unreachable could not connect to the other database\n.*, shard idle never run, shard shard_job done$/s, 'a server that is down is said to be');
    unlike(value(q{SELECT string_agg(message, ' ') FROM lmtext.cluster_jobs()}), qr/$secret/, 'without its password');
    is(state_of(q{SELECT * FROM lmtext.cluster_jobs('{none}')}), '42704', 'an unknown server');
    value(q{CREATE TABLE own (id int PRIMARY KEY, body text); SELECT lmtext.create_job('own', 'own', 'body', 'embed', 'm@1', 'v')});
    is(value(q{SELECT concat_ws(' ', server IS NULL, job, status) FROM lmtext.cluster_jobs('{NULL}')}), 't own never run', 'jobs of this database have no server');
    safe('shards', $_) for $there, $here;
    use_node($here);
    value(q{SELECT lmtext.drop_job('shard_job'), lmtext.drop_job('idle'); SELECT lmtext.drop_model('head'); SELECT lmtext.drop_model('m'); DELETE FROM lmtext.model_name});
}

# ---- Logical replication of the tables of models ----

use_node($here);
there(q{CREATE PUBLICATION models FOR TABLE "m@1", "m@2", "head@1"});
value(q{CREATE TABLE "m@1" OF lmtext.model_part (PRIMARY KEY (file, part)); CREATE TABLE "m@2" OF lmtext.model_part (PRIMARY KEY (file, part));
    CREATE TABLE "head@1" OF lmtext.model_part (base WITH OPTIONS DEFAULT 'm@1'::regclass, PRIMARY KEY (file, part))});
is(value(q{SELECT string_agg(DISTINCT status, ' ') FROM lmtext.models}), 'incomplete', 'tables without rows are no versions yet');
is(state_of(q{SELECT lmtext.embed('a', 'm@1')}), '55000', 'and cannot be used');
value(q{SELECT lmtext.deploy('m', 1); SELECT lmtext.deploy('head', 1)});
value("CREATE SUBSCRIPTION models CONNECTION '$link' PUBLICATION models");
wait_for(q{SELECT count(*) = 3 AND bool_and(srsubstate = 'r') FROM pg_subscription_rel}, 'the subscription has caught up');
is(value($vector), there($vector), 'replicated versions compute the same');
is(value("$facts true") =~ s/"comment": [^\n]*//gr, there("$facts true") =~ s/"comment": [^\n]*//gr, 'and say the same');
there(q{BEGIN; UPDATE "m@2" SET data = set_byte(data, 9999, 7) WHERE file = 'quantized.safetensors'; COMMIT});
$there->wait_for_catchup('models');
value(q{SELECT lmtext.unload_model('m@2')});
is(state_of(q{SELECT lmtext.embed('a', 'm@2')}), 'XX001', 'a row that was changed there is refused here as there');
is(value(q{SELECT lmtext.embed('a', 'm@1') IS NOT NULL}), 't', 'others serve');
value('DROP SUBSCRIPTION models');
done();
