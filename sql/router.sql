-- Models with ways of their own for queries and documents: Router of sentence-transformers.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_router;
SET search_path = test_router, public;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny'
SELECT name, lmtext.import_model(name, :'tiny' || '/router-' || name) AS version FROM unnest(ARRAY['static', 'asym', 'shared', 'mapped', 'splade']) name;
SELECT lmtext.import_model('weights', :'tiny' || '/sparse-static') AS version;
SELECT name, family, task, dimensions, max_tokens, parameters FROM lmtext.models ORDER BY name;

-- encode_query, encode_document and encode of sentence-transformers, which the golden files have.
CREATE TABLE folder AS SELECT name, pg_read_file(:'tiny' || '/router-' || name || '/golden.json')::jsonb AS golden FROM unnest(ARRAY['static', 'asym', 'shared', 'mapped']) name;
CREATE FUNCTION reals(list jsonb) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$ SELECT array_agg(x::real ORDER BY o) FROM jsonb_array_elements_text(list) WITH ORDINALITY t (x, o) $$;
SELECT name, count(*) AS texts, max(lmtext.embed_query(c->>'text', name) <-> reals(c->'query')) < 1e-5 AS query,
       max(lmtext.embed_document(c->>'text', name) <-> reals(c->'document')) < 1e-5 AS document,
       min(lmtext.embed_query(c->>'text', name) <-> lmtext.embed_document(c->>'text', name)) > 1e-3 AS they_differ
FROM folder, jsonb_array_elements(golden->'sides'->'cases') c GROUP BY name ORDER BY name;
SELECT name, count(*) AS texts, max(lmtext.embed(c->>'text', name, prompt_name => c->>'prompt_name') <-> reals(c->'embedding')) < 1e-5 AS by_default
FROM folder, jsonb_array_elements(golden->'texts'->'cases') c GROUP BY name ORDER BY name;
-- Without a default, a side must be said.
SELECT lmtext.embed('the cat', 'shared');
SELECT lmtext.embed(ARRAY['the cat'], '"shared@1"'::regclass);
SELECT count(*) AS texts, bool_and(lmtext.embed_query(ARRAY[b], 'shared') = ARRAY[lmtext.embed_query(b, '"shared@1"'::regclass)]) AS arrays, bool_and(cardinality(lmtext.embed_document(b, 'shared', 5)) = 5) AS cut
FROM unnest(ARRAY['cat', 'the mat']) b;

-- Text against text: what stays the same in the statement is the query, the rows are documents.
SET lmtext.embedding_model = 'shared';
CREATE TABLE doc AS SELECT i AS id, 'the query ' || i % 7 || ' of cat' AS body FROM generate_series(1, 40) i;
SELECT max(abs((body <=> 'the mat') - (lmtext.embed_document(body) <=> lmtext.embed_query('the mat')))) < 1e-6 AS words_right,
       max(abs(('the mat' <=> body) - (lmtext.embed_document(body) <=> lmtext.embed_query('the mat')))) < 1e-6 AS words_left,
       max(abs(lmtext.similarity(body, 'the mat') - 1 + (body <=> 'the mat'))) < 1e-6 AS similarity FROM doc;
SELECT max(abs((d.body <=> q.body) - (lmtext.embed_document(d.body) <=> lmtext.embed_query(q.body)))) < 1e-6 AS joined FROM doc d JOIN doc q ON q.id = d.id + 1;
RESET lmtext.embedding_model;
-- In one target list, too, each way has its own encoder, and a mean of layers is not the last layer.
SELECT lmtext.import_model('layers', :'tiny' || '/bert-layers');
CALL lmtext.train('long', 'SELECT body, (id > 20)::text FROM doc', '{"base": "layers", "hold_out": 0}');
CREATE TABLE apart AS SELECT id, lmtext.embed_query(body, 'mapped') AS query, lmtext.embed(body, 'layers') AS mean FROM doc;
CREATE TABLE apart_document AS SELECT id, lmtext.embed_document(body, 'mapped') AS document, lmtext.classify(body, 'long') AS label FROM doc;
CREATE TABLE together AS SELECT id, lmtext.embed_query(body, 'mapped') AS query, lmtext.embed_document(body, 'mapped') AS document, lmtext.embed(body, 'layers') AS mean FROM doc;
SELECT bool_and(t.query = a.query) AS query, bool_and(t.document = d.document) AS document, bool_and(t.mean = a.mean) AS mean FROM together t JOIN apart a USING (id) JOIN apart_document d USING (id);
-- A trained head, hidden states and tokens: by the default way, or else that of documents.
SELECT lmtext.tokenize('the cat', 'static') = lmtext.tokenize('the cat', 'shared') AS tokens, (SELECT count(*) FROM lmtext.hidden_states('the cat', 'shared')) AS states;
-- A query of no word that the table has.
SELECT lmtext.embed_query('', 'asym');
SET lmtext.on_empty = 'null';
SELECT lmtext.embed_query('', 'asym') IS NULL AS no_token, lmtext.embed_document('', 'asym') IS NULL AS document;

RESET lmtext.on_empty;

-- Precision: no int8, and bf16 for the ways that have an encoder.
SELECT lmtext.quantize('static', 'int8');
SELECT lmtext.import_model('small', :'tiny' || '/router-static', '{"precision": "bf16"}');
SELECT lmtext.embed_query('the cat', 'small') = lmtext.embed_query('the cat', 'static') AS table_is_exact, lmtext.embed_document('the cat', 'small') <=> lmtext.embed_document('the cat', 'static') < 1e-3 AS near;
SELECT name, check_name, ok FROM (VALUES ('static'), ('shared'), ('splade'), ('weights'), ('small')) m (name), LATERAL lmtext.selftest(name) s (check_name, max_error, ok) WHERE NOT ok;

-- Inference-free sparse vectors: a weight for each token of a query, an encoder for documents.
CREATE FUNCTION items(vector text) RETURNS TABLE (id int, weight float8) LANGUAGE sql IMMUTABLE AS
    $$ SELECT split_part(i, ':', 1)::int - 1, split_part(i, ':', 2)::float8 FROM regexp_split_to_table(split_part(trim(LEADING '{' FROM vector), '}', 1), ',') i WHERE i <> '' $$;
CREATE TABLE wanted AS
    SELECT name, c->>'text' AS body, role, c->role AS items, (c->>'similarity')::float8 AS similarity
    FROM (VALUES ('splade', 'router-splade'), ('weights', 'sparse-static')) f (name, folder), jsonb_array_elements(pg_read_file(:'tiny' || '/' || folder || '/golden.json')::jsonb->'sparse'->'cases') c, (VALUES ('query'), ('document')) r (role);
SELECT name, role, count(*) > 20 AS many, max(abs(coalesce(g.weight, 0) - coalesce(w.weight, 0))) < 2e-5 AS near
FROM (SELECT name, role, body, (i->>0)::int AS id, (i->>1)::float8 AS weight FROM wanted, jsonb_array_elements(items) i) w
FULL JOIN (SELECT name, role, body, g.* FROM wanted, items(lmtext.sparse_vector(body, name, role)) g) g USING (name, role, body, id)
GROUP BY name, role ORDER BY name, role;
SELECT name, max(abs(lmtext.sparse_similarity(body, body, name) - similarity)) < 1e-4 AS near FROM wanted GROUP BY name ORDER BY name;
SELECT lmtext.sparse_vector('the cat the cat', 'weights'), lmtext.sparse('the cat', 'weights', 'query') = lmtext.sparse('the cat', 'weights') AS one_way, lmtext.sparse('cat', 'splade') = lmtext.sparse('cat', 'splade', 'document') AS documents;
SELECT lmtext.sparse_vector(repeat('cat on mat ', 20) || 'dog', '"weights@1"'::regclass) = lmtext.sparse_vector('cat on mat', 'weights') AS cut,
       lmtext.sparse_vector(repeat('cat on mat ', 20) || 'dog', '"weights@1"'::regclass, on_long => 'mean') = lmtext.sparse_vector('cat on mat dog', 'weights') AS whole;
SELECT lmtext.sparse_vector(repeat('cat on mat ', 20), '"weights@1"'::regclass, on_long => 'error');
SELECT lmtext.embed('cat', 'weights');
SELECT lmtext.embed_query('cat', 'splade');
SET client_min_messages = warning;
DROP SCHEMA test_router CASCADE;
