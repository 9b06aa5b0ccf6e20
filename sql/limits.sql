-- Caps that a superuser sets: on a text, an array, a batch. The same results below them, 54000 above.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_limits;
SET search_path = test_limits, public;
\set SHOW_CONTEXT never
\getenv source_dir LMTEXT_SOURCE_DIR
\set tiny :source_dir '/models/tiny/bert'
SELECT lmtext.import_model('tiny', :'tiny');
SET lmtext.embedding_model = 'tiny';
SELECT name, setting, min_val, max_val, unit, context FROM pg_settings WHERE name ~ '^lmtext\.max_(text|array|batch)' ORDER BY name;

CREATE TABLE free AS SELECT lmtext.embed('the cat sat') AS one, lmtext.embed(ARRAY['the cat', 'a dog']) AS many;
SET lmtext.max_text_size = 11;
SET lmtext.max_array_texts = 3;
SET lmtext.max_batch_tokens = 16;
SELECT one = lmtext.embed('the cat sat') AS one, many = lmtext.embed(ARRAY['the cat', 'a dog']) AS many FROM free;
SELECT lmtext.embed('the cat sat.');
SELECT lmtext.count_tokens('the cat sat.');
SELECT lmtext.embed(ARRAY['the cat', 'the cat sat.']);
SELECT lmtext.embed(ARRAY['a', 'b', 'c', 'd']);
-- Bytes, not characters; what is read ahead is no error before its row is asked for.
SELECT lmtext.embed('ééééé') IS NOT NULL AS ten, lmtext.embed('éééééé');
SELECT n, lmtext.embed(body) IS NOT NULL AS good FROM (VALUES (1, 'a'), (2, 'the cat sat.'), (3, 'b')) t (n, body) ORDER BY n LIMIT 1;
SELECT n, lmtext.embed(body) IS NOT NULL AS good FROM (VALUES (1, 'a'), (2, 'the cat sat.'), (3, 'b')) t (n, body);

-- Not a user's to raise.
CREATE ROLE limits_user;
GRANT USAGE ON SCHEMA test_limits TO limits_user;
SET ROLE limits_user;
SET lmtext.max_text_size = 0;
SET lmtext.max_array_texts = 0;
SET lmtext.max_batch_tokens = 65536;
RESET ROLE;
RESET lmtext.max_text_size;
RESET lmtext.max_array_texts;
RESET lmtext.max_batch_tokens;
SELECT lmtext.embed('the cat sat.') IS NOT NULL AS free;
DROP OWNED BY limits_user;
DROP ROLE limits_user;
SELECT lmtext.drop_model('tiny');
SET client_min_messages = warning;
DROP SCHEMA test_limits CASCADE;
