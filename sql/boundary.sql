-- Texts at the edges, compared with what the reference library recorded and with each other: empty, NULL, white
-- space only, one token less than the window, as many, one more.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_boundary;
SET search_path = test_boundary, public;
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny'

-- What sentence-transformers gave for an empty text, one word, and a text beyond the window, with each prompt: every
-- folder of models/tiny that has such records, through SQL. 1e-5 as in the engine's test of the same records. Those with
-- a head are asked for their encoder, as the reference took it.
SET client_min_messages = error;
CREATE TABLE recorded AS
    SELECT folder, lmtext.import_model(replace(folder, '-', '_'), :'tiny' || '/' || folder, '{"task": "embedding"}') AS version,
           pg_read_file(:'tiny' || '/' || folder || '/golden.json')::jsonb->'texts'->'cases' AS cases
    FROM pg_ls_dir(:'tiny') folder
    WHERE pg_read_file(:'tiny' || '/' || folder || '/golden.json')::jsonb ? 'texts';
SET client_min_messages = warning;
-- In five statements: one can have 64 models in use.
CREATE TABLE compared (folder text, text text, error float8);
\set compare 'INSERT INTO compared SELECT folder, c->>\'text\', (SELECT max(abs(ours - theirs::float8)) FROM unnest(lmtext.embed(c->>\'text\', replace(folder, \'-\', \'_\'), c->>\'prompt_name\')) WITH ORDINALITY o (ours, n) FULL JOIN jsonb_array_elements_text(c->\'embedding\') WITH ORDINALITY t (theirs, n) USING (n)) FROM recorded, jsonb_array_elements(cases) c'
:compare WHERE folder < 'bert-n';
:compare WHERE folder >= 'bert-n' AND folder < 'e';
:compare WHERE folder >= 'e' AND folder < 'l';
:compare WHERE folder >= 'l' AND folder < 'q';
:compare WHERE folder >= 'q';
SELECT folder, count(*) AS texts, count(*) FILTER (WHERE text = '') AS empty,
       bool_and(error < 1e-5) AS equal
FROM compared GROUP BY folder ORDER BY folder COLLATE "C";

-- The window of this model: 24 tokens, two of which are [CLS] and [SEP]. What is counted is this session's own work.
SET max_parallel_workers_per_gather = 0;
SELECT lmtext.import_model('m', :'tiny' || '/bert');
CREATE TABLE words AS SELECT n, trim(repeat('cat ', n)) AS body FROM generate_series(0, 50) n;
SELECT truncated AS truncated_before FROM lmtext.session_counters() \gset
SELECT n, lmtext.count_tokens(body, 'm') AS tokens,
       lmtext.embed(body, 'm') = lmtext.embed(repeat('cat ', least(n, 22)), 'm') AS as_if_cut,
       lmtext.embed(body, '"m@1"'::regclass, on_long => 'mean') IS NOT NULL AS averaged
FROM words WHERE n IN (0, 1, 21, 22, 23, 44, 45) ORDER BY n;
SELECT truncated - :truncated_before AS truncated FROM lmtext.session_counters();

RESET max_parallel_workers_per_gather;
-- The first that does not fit is the first that is an error.
CREATE FUNCTION state(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN '';
EXCEPTION WHEN others THEN
    RETURN SQLSTATE;
END $$;
SELECT state, min(n), max(n)
FROM words, state(format('SELECT lmtext.embed(%L, %L::regclass, on_long => %L)', body, '"m@1"', 'error')) state
GROUP BY state ORDER BY min(n);
-- Also where a longer text is not made of more words, but of more pieces of one.
SELECT state, min(n), max(n)
FROM generate_series(1, 40) n,
     state(format('SELECT lmtext.embed(%L, %L::regclass, on_long => %L)', repeat('z', n), '"m@1"', 'error')) state
GROUP BY state ORDER BY min(n);

-- What is only white space or dropped characters is the empty text; NULL is NULL.
SELECT count(*) AS texts, bool_and(lmtext.embed(body, 'm') = lmtext.embed('', 'm')) AS as_empty,
       bool_and(lmtext.tokenize(body, 'm') = '{}') AS no_tokens, min(lmtext.count_tokens(body, 'm')) AS special
FROM unnest(ARRAY['', ' ', repeat(' ', 1000000), E'\t', E'\r\n', E'\n\n\n', U&'\00a0', U&'\3000\2003', U&'\feff',
                  U&'\200b', U&'\00ad', E'\x01\x02', U&'\fffd', U&'\0301', repeat(U&'\0301', 1000)]) body;
SELECT lmtext.embed(NULL::text, 'm') IS NULL AS vector, lmtext.tokenize(NULL, 'm') IS NULL AS tokens,
       lmtext.count_tokens(NULL, 'm') IS NULL AS count, lmtext.similarity(NULL, '', 'm') IS NULL AS similarity;

DROP SCHEMA test_boundary CASCADE;
DELETE FROM lmtext.model_name WHERE schema = 'test_boundary';
