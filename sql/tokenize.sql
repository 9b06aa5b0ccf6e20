-- Tokens: ids, texts and offsets as the reference tokenizer has them, for one text and for arrays.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_tokenize;
SET search_path = test_tokenize, public;
SET max_parallel_workers_per_gather = 0;
\getenv source_dir LMTEXT_SOURCE_DIR
\getenv minilm LMTEXT_MINILM
\set tiny :source_dir '/models/tiny/bert'
SELECT lmtext.import_model('minilm', :'minilm');
SELECT lmtext.import_model('tiny', :'tiny');

-- No model is named, and there is no default.
\set VERBOSITY sqlstate
SELECT lmtext.token_ids('x');
\set VERBOSITY default
SELECT lmtext.token_ids('x');
SET lmtext.embedding_model = 'minilm';

-- Ids as `tokenizers` gives them.
SELECT lmtext.token_ids('How do I resize images?')
    = '{101,2129,2079,1045,24501,4697,4871,1029,102}' AS plain;
SELECT lmtext.token_ids('Größe ändern, naïve café 😀 日本')
    = '{101,24665,2080,17499,1998,11795,1010,15743,7668,100,1864,1876,102}' AS scripts;
SELECT lmtext.token_ids('a [SEP] b') = '{101,1037,102,1038,102}' AS parsed,
       lmtext.token_ids('a [SEP] b', parse_special => false) AS plain_text;
SELECT lmtext.token_ids('') = '{101,102}' AS empty, lmtext.token_ids(NULL) IS NULL AS null_text;
SELECT lmtext.tokenize('embeddings unaffordable'), lmtext.tokenize(''), lmtext.tokenize(NULL);
SELECT lmtext.count_tokens('embeddings unaffordable'), lmtext.count_tokens(''),
       lmtext.count_tokens(NULL);

-- Nothing truncates.
SELECT lmtext.count_tokens(repeat('word ', 1000)),
       cardinality(lmtext.token_ids(repeat('word ', 1000))),
       cardinality(lmtext.tokenize(repeat('word ', 1000)));

-- Offsets count characters of the text; special tokens stand nowhere.
SELECT *, substr('Größe, naïve 😀!', start + 1, stop - start) AS characters
FROM lmtext.tokens('Größe, naïve 😀!');
SELECT count(*) FROM lmtext.tokens(NULL);
SELECT * FROM lmtext.tokens('[SEP]', parse_special => false);

-- And back.
SELECT lmtext.detokenize(lmtext.token_ids('How do I resize images?'));
SELECT lmtext.detokenize('{}') = '' AS nothing, lmtext.detokenize(NULL) IS NULL AS null_ids;
\set VERBOSITY sqlstate
SELECT lmtext.detokenize('{-1}');
SELECT lmtext.detokenize('{30522}');
SELECT lmtext.detokenize('{2147483647}');
SELECT lmtext.detokenize('{1,NULL}');
SELECT lmtext.detokenize('{{1,2},{3,4}}');
\set VERBOSITY default

-- Arrays, in order; nulls keep their place.
SELECT lmtext.count_tokens('{one,NULL,"two words",""}'::text[]), lmtext.count_tokens('{}'::text[]);
SELECT * FROM lmtext.token_ids('{one,NULL,"two words"}'::text[]);
SELECT * FROM lmtext.tokenize('{one,NULL,"two words"}'::text[]);
SELECT ordinality, "position", token FROM lmtext.tokens('{one,NULL,"two words"}'::text[]);
SELECT count(*) FROM lmtext.tokens('{}'::text[]);
SELECT t.ids = lmtext.token_ids(x.body) AS same
FROM unnest('{one,"two words",""}'::text[]) WITH ORDINALITY x (body, n)
JOIN lmtext.token_ids('{one,"two words",""}'::text[]) t ON t.ordinality = x.n;
\set VERBOSITY sqlstate
SELECT lmtext.count_tokens('{{a},{b}}'::text[]);
\set VERBOSITY default

-- Chunks: at most max_tokens tokens, cut at ends of sentences or lines, nothing lost.
CREATE TABLE long AS SELECT string_agg(
    format('Sentence number %s has some words. It is followed by another one, naïve 😀.%s', i,
           CASE WHEN i % 5 = 0 THEN E'\n\n' ELSE ' ' END), '' ORDER BY i) AS body
    FROM generate_series(1, 40) i;
SELECT count(*) > 10 AS many, bool_and(tokens <= 50) AS fit, min(start) = 0 AS from_start,
       max(stop) >= (SELECT length(rtrim(body, E' \n')) FROM long) AS to_end,
       bool_and(content = substr(body, start + 1, stop - start)) AS same,
       array_agg(chunk ORDER BY start) = array_agg(row_number) AS numbered
FROM (SELECT c.*, body, row_number() OVER (ORDER BY start)::int
      FROM long, lmtext.chunk(body, max_tokens => 50) c) c;
SELECT bool_and(c.tokens + 2 = lmtext.count_tokens(c.content)) AS counted,
       bool_and(right(rtrim(c.content), 1) = '.') AS whole_sentences
FROM long, lmtext.chunk(body, max_tokens => 50) c;
SELECT bool_and(shares) AS overlap, bool_and(tokens <= 50) AS fit
FROM (SELECT c.*, coalesce(start < lag(stop) OVER (ORDER BY chunk), true) AS shares
      FROM long, lmtext.chunk(body, 'minilm', 50, 15) c) c;
-- By default a chunk fills the model's window.
SELECT count(*), max(tokens) <= 254 AS fit FROM long, lmtext.chunk(body) c;
SELECT ordinality, chunk, content
FROM lmtext.chunk('{"one two three four",NULL,"","five"}'::text[], max_tokens => 3);
SELECT count(*) FROM lmtext.chunk(NULL);
\set VERBOSITY sqlstate
SELECT * FROM lmtext.chunk('x', max_tokens => 0);
SELECT * FROM lmtext.chunk('x', max_tokens => 5, overlap => 5);
SELECT * FROM lmtext.chunk('x', overlap => -1);

-- Which model: by name, by version, pinned; the pinned form must have one.
SELECT lmtext.token_ids('x', 'minilm') = lmtext.token_ids('x', 'minilm@1') AS version,
       lmtext.token_ids('x', 'minilm') = lmtext.token_ids('x', 'minilm@1'::regclass) AS pinned,
       lmtext.token_ids('x', 'test_tokenize.minilm') = lmtext.token_ids('x') AS qualified,
       lmtext.token_ids('x', 'tiny') <> lmtext.token_ids('x', 'minilm') AS other;
SELECT lmtext.token_ids('x', 'nosuch');
SELECT lmtext.token_ids('x', 'minilm@7');
SELECT lmtext.token_ids('x', NULL::regclass);
SELECT lmtext.token_ids('x', 'long'::regclass);
\set VERBOSITY default

-- The name is looked up again when it can mean something else, also in one statement of PL/pgSQL.
DO $$
DECLARE
    first int[]; second int[]; third int[];
BEGIN
    FOR i IN 1..3 LOOP
        IF i = 1 THEN SET LOCAL lmtext.embedding_model = 'minilm';
        ELSIF i = 2 THEN SET LOCAL lmtext.embedding_model = 'tiny';
        ELSE SET LOCAL search_path = public; END IF;
        BEGIN
            third := lmtext.token_ids('resize images');
        EXCEPTION WHEN undefined_object THEN
            third := NULL;
        END;
        IF i = 1 THEN first := third; ELSIF i = 2 THEN second := third; END IF;
    END LOOP;
    RAISE NOTICE 'minilm: %', first = lmtext.token_ids('resize images', 'test_tokenize.minilm');
    RAISE NOTICE 'tiny: %', second = lmtext.token_ids('resize images', 'test_tokenize.tiny');
    RAISE NOTICE 'out of sight: %', third IS NULL;
END $$;

-- Volatility, strictness and parallel safety, as the manual says.
SELECT p.provolatile, p.proparallel, p.proisstrict, count(*)
FROM pg_proc p
WHERE p.pronamespace = 'lmtext'::regnamespace
    AND p.proname IN ('tokenize', 'token_ids', 'detokenize', 'tokens', 'count_tokens', 'chunk')
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT count(*) AS without_comment
FROM pg_proc p
WHERE p.pronamespace IN ('lmtext'::regnamespace, 'lmtext_internal'::regnamespace) AND obj_description(p.oid, 'pg_proc') IS NULL;

-- A pinned call serves an index, which then depends on the version.
CREATE TABLE doc (body text);
CREATE INDEX doc_length ON doc ((lmtext.count_tokens(body, 'minilm@1'::regclass)));
DROP TABLE "minilm@1";
SET client_min_messages = warning;
DROP SCHEMA test_tokenize CASCADE;
