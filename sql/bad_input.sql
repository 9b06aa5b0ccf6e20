-- Bad input, one table: every wrong text, model, file and option is an error of its own SQLSTATE that says
-- what is wrong, and the server stays up.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_bad_input;
SET search_path = test_bad_input, public;
SET max_parallel_workers_per_gather = 0;
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny/bert'
SELECT lmtext.import_model('tiny', :'tiny', '{"max_tokens": 8}');
CREATE TABLE sample AS
    SELECT 'number ' || i AS body, CASE WHEN i % 2 = 0 THEN 'even' ELSE 'odd' END AS label
    FROM generate_series(1, 20) i;
CALL lmtext.train('parity', 'SELECT body, label FROM sample', '{"base": "tiny"}');
SET lmtext.embedding_model = 'tiny';
SET lmtext.classification_model = 'parity';
SELECT pg_postmaster_start_time() AS started \gset

-- What a statement gives: its value, or its error. Paths of the test's folder are left out.
CREATE FUNCTION result(statement text, OUT state text, OUT said text) LANGUAGE plpgsql AS $$
DECLARE
    message text; detail text; hint text;
BEGIN
    state := '';
    EXECUTE statement INTO said;
EXCEPTION WHEN others THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    said := regexp_replace(concat_ws(E'\n', message, nullif(detail, ''), nullif(hint, '')),
                           '"/[^"]*/', '"…/', 'g');
END $$;
CREATE FUNCTION results(statements text[]) RETURNS TABLE (statement text, state text, said text)
LANGUAGE sql VOLATILE AS $$
    SELECT s, r.state, r.said FROM unnest(statements) WITH ORDINALITY u (s, n), result(s) r ORDER BY n
$$;

-- Texts: NULL, empty, beyond the window by every setting, 100 MB.
SELECT * FROM results(ARRAY[
    $$SELECT lmtext.embed(NULL::text) IS NULL$$,
    $$SELECT lmtext.embed(NULL::text[]) IS NULL$$,
    $$SELECT lmtext.embed(ARRAY['a', NULL])$$,
    $$SELECT lmtext.similarity(NULL, 'a') IS NULL$$,
    $$SELECT lmtext.classify(NULL::text) IS NULL$$,
    $$SELECT count(*) FROM lmtext.class_scores(NULL::text)$$,
    $$SELECT lmtext.tokenize(NULL::text) IS NULL$$,
    $$SELECT count(*) FROM lmtext.chunk(NULL::text)$$,
    $$SELECT cardinality(lmtext.embed(''))$$,
    $$SELECT lmtext.classify('') IS NOT NULL$$,
    $$SELECT count(*) FROM lmtext.chunk('')$$,
    $$SELECT lmtext.tokenize('')$$]);
CREATE FUNCTION long_ones() RETURNS SETOF record LANGUAGE sql AS $$
    SELECT statement, state, said FROM test_bad_input.results(ARRAY[
        $_$SELECT cardinality(lmtext.embed(repeat('word ', 100)))$_$,
        $_$SELECT array_length(lmtext.embed(ARRAY['a', repeat('word ', 100)]), 1)$_$,
        $_$SELECT lmtext.embed('word number ' || repeat('word ', 100)) = lmtext.embed('word number word word word')$_$,
        $_$SELECT lmtext.similarity(repeat('word ', 100), 'word') IS NOT NULL$_$,
        $_$SELECT lmtext.classify(repeat('word ', 100)) IS NOT NULL$_$,
        $_$SELECT count(*) FROM lmtext.class_scores(repeat('word ', 100))$_$,
        $_$SELECT lmtext.count_tokens(repeat('word ', 100)) > 8$_$])
$$;
SET lmtext.on_long = truncate;
SELECT * FROM long_ones() AS (statement text, state text, said text);
SET lmtext.on_long = error;
SELECT * FROM long_ones() AS (statement text, state text, said text);
SET lmtext.on_long = mean;
SELECT * FROM long_ones() AS (statement text, state text, said text);
RESET lmtext.on_long;
-- The statistics count what was cut.
SELECT truncated AS before FROM lmtext.session_counters() \gset
SELECT lmtext.embed(repeat('word ', 100)) IS NOT NULL AS cut, lmtext.embed('word') IS NOT NULL AS whole;
SELECT truncated - :before AS truncated FROM lmtext.session_counters();
CREATE TABLE huge AS SELECT repeat('word ', 20000000) AS body;
SELECT octet_length(body) / 1000000 AS megabytes, cardinality(lmtext.embed(body)) AS dimensions,
       lmtext.classify(body) IS NOT NULL AS label, lmtext.count_tokens(body) AS tokens
FROM huge;
SELECT * FROM results(ARRAY[
    'SET LOCAL lmtext.on_long = error; SELECT lmtext.embed(body) FROM test_bad_input.huge']);
DROP TABLE huge;

-- Models: unknown, of another task, not models.
CREATE TABLE triggered (body text, vector real[]);
CREATE TRIGGER t BEFORE INSERT ON triggered
    FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger('body', 'vector', 'parity@1');
SELECT * FROM results(ARRAY[
    $$SELECT lmtext.embed('a', 'absent')$$,
    $$SELECT lmtext.embed('a', 'tiny@7')$$,
    $$SELECT lmtext.embed('a', 'sample'::regclass)$$,
    $$SELECT lmtext.embed('a', NULL::regclass)$$,
    $$SELECT lmtext.embed('a', 'parity')$$,
    $$SELECT lmtext.embed(ARRAY['a'], 'parity@1'::regclass)$$,
    $$SELECT lmtext.similarity('a', 'b', 'parity')$$,
    $$INSERT INTO triggered VALUES ('a') RETURNING vector$$,
    $$SELECT lmtext.classify('a', 'tiny')$$,
    $$SELECT lmtext.classify(ARRAY['a'], 'tiny@1'::regclass)$$,
    $$SELECT * FROM lmtext.class_scores('a', 'tiny')$$,
    $$CALL lmtext.train('again', 'SELECT body, label FROM sample', '{"base": "parity"}')$$]);
-- (the defaults may be wrong as well)
SET lmtext.embedding_model = 'parity';
SET lmtext.classification_model = 'tiny';
SELECT * FROM results(ARRAY[
    $$SELECT lmtext.embed('a')$$,
    $$SELECT 'a'::text <=> 'b'$$,
    $$SELECT lmtext.classify('a')$$]);
SET lmtext.embedding_model = '';
SET lmtext.classification_model = '';
SELECT * FROM results(ARRAY[
    $$SELECT lmtext.embed('a')$$,
    $$SELECT lmtext.classify('a')$$]);
SET lmtext.embedding_model = 'tiny';

-- Arguments.
SELECT * FROM results(ARRAY[
    $$SELECT lmtext.embed('a', dimensions => -1)$$,
    $$SELECT lmtext.embed('a', dimensions => 37)$$,
    $$SELECT lmtext.embed('a', prompt_name => 'query')$$,
    $$SELECT lmtext.embed('a', 'tiny@1'::regclass, on_long => 'never')$$,
    $$SELECT lmtext.embed('{{a},{b}}'::text[])$$,
    $$SELECT * FROM lmtext.chunk('a', max_tokens => 0)$$,
    $$SELECT * FROM lmtext.chunk('a', max_tokens => 4, overlap => 4)$$,
    $$SELECT lmtext.detokenize('{99999999}')$$,
    $$SELECT '{1,2}'::real[] <=> '{1}'$$,
    $$SELECT lmtext.import_model('bad', '/tmp', '{"max_token": 5}')$$,
    $$CALL lmtext.train('bad', 'SELECT body, label FROM sample', '{"epoch": 5}')$$]);

-- Files. A copy of the model as large objects, with one file replaced or left out.
CREATE FUNCTION files(folder text, replaced text, content bytea) RETURNS text LANGUAGE sql AS $$
    SELECT jsonb_object_agg(f, lo_from_bytea(0, CASE WHEN f = replaced THEN content
        ELSE pg_read_binary_file(folder || '/' || f) END)::bigint)
    FROM pg_ls_dir(folder) f
    WHERE f <> 'golden.json' AND (f <> replaced OR content IS NOT NULL)
$$;
CREATE FUNCTION import_with(folder text, replaced text, content bytea, OUT state text, OUT said text)
LANGUAGE sql VOLATILE AS $$
    SELECT r.state, r.said
    FROM result(format('SELECT lmtext.import_model(%L, %L::jsonb)', 'bad', files(folder, replaced, content))) r
$$;
CREATE FUNCTION config_with(folder text, key text, value jsonb) RETURNS bytea LANGUAGE sql AS $$
    SELECT convert_to(jsonb_set(pg_read_file(folder || '/config.json')::jsonb, ARRAY[key], value)::text, 'UTF8')
$$;
SELECT * FROM result(format('SELECT lmtext.import_model(%L, %L)', 'bad', :'source_dir' || '/absent'));
SELECT * FROM result(format('SELECT lmtext.import_model(%L, %L)', 'bad', :'tiny' || '/config.json'));
SELECT * FROM result(format('SELECT lmtext.import_model(%L, %L)', 'bad', :'source_dir' || '/models'));
SELECT missing, r.* FROM unnest('{config.json,tokenizer.json,model.safetensors}'::text[]) missing,
    import_with(:'tiny', missing, NULL) r;
SELECT size, r.* FROM unnest('{0,7,200,5000}'::int[]) size,
    import_with(:'tiny', 'model.safetensors', substr(pg_read_binary_file(:'tiny' || '/model.safetensors'), 1, size)) r;
SELECT file, size, r.* FROM unnest('{config.json,tokenizer.json}'::text[]) file, unnest('{0,40}'::int[]) size,
    import_with(:'tiny', file, substr(pg_read_binary_file(:'tiny' || '/' || file), 1, size)) r;
SELECT key, value, r.*
FROM (VALUES ('hidden_size', '48'), ('hidden_size', '35'), ('vocab_size', '9'), ('intermediate_size', '8'),
             ('num_hidden_layers', '9'), ('num_attention_heads', '0'), ('num_attention_heads', '5'),
             ('max_position_embeddings', '1000000'), ('hidden_act', '"relu6"'),
             ('position_embedding_type', '"relative_key"'), ('model_type', '"nosuch"'),
             ('hidden_size', '"36"'), ('hidden_size', '1e30'), ('layer_norm_eps', '-1')) c (key, value),
     import_with(:'tiny', 'config.json', config_with(:'tiny', key, value::jsonb)) r;
SELECT count(*) AS left_over FROM lmtext.models WHERE name = 'bad';

-- After all that the same server serves the same session.
SELECT cardinality(lmtext.embed('a')) AS dimensions, pg_postmaster_start_time() = :'started' AS stayed_up;
DROP SCHEMA test_bad_input CASCADE;
SELECT count(lo_unlink(oid)) > 0 AS unlinked FROM pg_largeobject_metadata;
