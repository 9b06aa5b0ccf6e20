-- Pairs of rows that mean the same: all of them, within a relation and between two.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_pairs;
SET search_path = test_pairs, public;
\getenv minilm LMTEXT_MINILM
SELECT lmtext.import_model('minilm', :'minilm');
SET lmtext.embedding_model = 'minilm';

CREATE FUNCTION refusal(command text) RETURNS text LANGUAGE plpgsql AS
$$BEGIN
    EXECUTE command;
    RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ' ' || SQLERRM;
END$$;

-- Vectors around some centres, with copies, multiples, opposites, zeros and a null.
CREATE TABLE v (id int PRIMARY KEY, e real[]);
INSERT INTO v SELECT i, (SELECT array_agg(((sin(i % 40 * j) + (i % 7) * 0.1 * sin(i * j * 7)) *
                                           CASE WHEN i % 90 = 0 THEN 0 WHEN i % 50 = 0 THEN -1 ELSE i END)::real ORDER BY j)
                         FROM generate_series(1, 160) j)
FROM generate_series(1, 600) i;
INSERT INTO v VALUES (601, NULL);

-- Every pair of brute force and no other, with the same similarity; also where a threshold is one of the similarities.
CREATE TABLE brute AS
    SELECT x.id AS a, y.id AS b, 1 - lmtext.cosine_distance(x.e, y.e) AS similarity
    FROM v x, v y WHERE x.id < y.id AND lmtext.cosine_distance(x.e, y.e) <> 'NaN';
CREATE FUNCTION differences(threshold float8) RETURNS TABLE (brute bigint, wrong bigint) LANGUAGE sql AS
$$SELECT count(b.a), count(*) FILTER (WHERE b.similarity IS DISTINCT FROM n.similarity)
  FROM (SELECT * FROM brute WHERE similarity >= threshold) b
       FULL JOIN lmtext.near_duplicates('v', 'e', threshold) n ON n.a = b.a::text AND n.b = b.b::text$$;
SELECT t, brute > 100 AS many, wrong FROM unnest('{0.5,0.9,0.95,0.99,1}'::float8[]) t, differences(t);
SELECT bool_and(brute > 0) AS found, sum(wrong) AS wrong
FROM (SELECT similarity FROM brute WHERE similarity > 0.9 ORDER BY a * 7 % 100, b LIMIT 5) t, differences(t.similarity);
SELECT count(*) = (SELECT count(*) FROM brute) AS all_that_have_one FROM lmtext.near_duplicates('v', 'e', -1);
SELECT count(*) = (SELECT count(*) FROM brute WHERE similarity >= 0.95) AS default_threshold FROM lmtext.near_duplicates('v', 'e');
-- What does not fit lies in temporary files, and nothing changes.
SET maintenance_work_mem = '1MB';
SELECT brute > 500 AS many, wrong FROM differences(0.9);
CREATE TABLE nearest_small AS SELECT * FROM lmtext.join('v', 'e', 'v', 'e', 3, 0.2);
RESET maintenance_work_mem;

-- A join: the nearest of each row, the more similar first, then the earlier; or all above a threshold.
CREATE TABLE other AS SELECT id, e FROM v WHERE id % 3 = 1 AND id <= 600;
ALTER TABLE other ADD PRIMARY KEY (id);
CREATE VIEW by_hand AS
    SELECT x.id::text AS a, y.id::text AS b, 1 - lmtext.cosine_distance(x.e, y.e) AS similarity,
           row_number() OVER (PARTITION BY x.id ORDER BY 1 - lmtext.cosine_distance(x.e, y.e) DESC, y.id) AS place
    FROM v x, other y WHERE lmtext.cosine_distance(x.e, y.e) <> 'NaN';
SELECT count(*) FILTER (WHERE h.similarity IS DISTINCT FROM j.similarity) AS wrong, count(h.a) > 400 AS many
FROM (SELECT * FROM by_hand WHERE place <= 4) h FULL JOIN lmtext.join('v', 'e', 'other', 'e', 4) j USING (a, b);
SELECT count(*) FILTER (WHERE h.similarity IS DISTINCT FROM j.similarity) AS wrong, count(h.a) > 1000 AS many
FROM (SELECT * FROM by_hand WHERE similarity >= 0.8) h
     FULL JOIN lmtext.join('v', 'e', 'other', 'e', threshold => 0.8) j USING (a, b);
SELECT count(*) FILTER (WHERE h.similarity IS DISTINCT FROM j.similarity) AS wrong, count(h.a) > 1000 AS many
FROM (SELECT * FROM by_hand WHERE similarity >= 0.8 AND place <= 5) h
     FULL JOIN lmtext.join('v', 'e', 'other', 'e', 5, 0.8) j USING (a, b);
SELECT count(*) > 1000 AS many, count(*) FILTER (WHERE s IS DISTINCT FROM j) AS differ
FROM nearest_small s FULL JOIN lmtext.join('v', 'e', 'v', 'e', 3, 0.2) j USING (a, b);

-- Texts are embedded; keys are what the table has, nulls are left out.
CREATE TABLE ticket (shop text, no int, body text, PRIMARY KEY (shop, no));
INSERT INTO ticket VALUES ('north', 1, 'My parcel has not arrived'), ('north', 2, 'the package did not arrive yet'),
    ('south', 1, 'How do I bake bread?'), ('south', 2, NULL), ('south', 3, 'my parcel has not arrived'),
    ('it''s', 4, 'How can I bake a loaf of bread?');
SELECT a, b, round(similarity::numeric, 3) AS similarity FROM lmtext.near_duplicates('ticket', 'body', 0.7);
SELECT n.similarity = lmtext.similarity(x.body, y.body) AS same
FROM lmtext.near_duplicates('ticket', 'body', 0.7, model => 'minilm@1') n, ticket x, ticket y
WHERE (x.shop, x.no)::text = n.a AND (y.shop, y.no)::text = n.b AND n.similarity < 0.99;
CREATE TABLE answer (id int, "Text" varchar(100));
INSERT INTO answer VALUES (7, 'Parcels arrive within three days'), (8, 'Bread needs flour, water and yeast');
SELECT a, b, round(similarity::numeric, 3) AS similarity
FROM lmtext.join('ticket', 'body', 'answer', 'Text', 1, key_b => 'id');
SELECT refusal($$SELECT * FROM lmtext.near_duplicates('answer', 'Text')$$);
CREATE VIEW short AS SELECT no AS "The No", body FROM ticket WHERE shop = 'north';
SELECT a, b FROM lmtext.near_duplicates('short', 'body', 0.5, key => 'The No');
-- A key is in its own order, as lmtext.search has it, and may be deferrable.
CREATE TABLE turned (no int, shop text, e real[], PRIMARY KEY (shop, no) DEFERRABLE);
CREATE INDEX ON turned (no);
INSERT INTO turned VALUES (1, 'b', '{1,2}'), (2, 'a', '{1,2}');
SELECT * FROM lmtext.near_duplicates('turned', 'e');
SELECT key FROM lmtext.search('turned', 'shop', 'a', 1);
-- More are asked for than there are.
SELECT * FROM lmtext.join('turned', 'e', 'turned', 'e', 10000);
-- Partitions, and a key that the query would call like the vector.
CREATE TABLE part (e text PRIMARY KEY, body real[]) PARTITION BY LIST (e);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_rest PARTITION OF part DEFAULT;
INSERT INTO part VALUES ('b', '{1,2}'), ('a', '{2,4}'), ('c', '{2,-1}');
SELECT * FROM lmtext.near_duplicates('part', 'body');
SELECT * FROM lmtext.near_duplicates('part', 'body', key => 'body') LIMIT 0;
CREATE TABLE none (id int PRIMARY KEY, e real[]);
SELECT * FROM lmtext.near_duplicates('none', 'e');
SELECT * FROM lmtext.join('none', 'e', 'v', 'e', 1);
SELECT * FROM lmtext.join('v', 'e', 'none', 'e', 1);

-- What cannot be.
SELECT refusal(format('SELECT * FROM lmtext.near_duplicates(%s)', arguments))
FROM unnest(ARRAY['NULL, ''e''', '''v'', NULL', '''v'', ''e'', NULL', '''v'', ''e'', 1.01', '''v'', ''e'', ''NaN''',
    '''v'', ''nothing''', '''v'', ''id''', '''v'', ''e'', key => ''nothing''', '''ticket'', ''body'', model => ''nobody''', '''brute_index'', ''e''']) arguments;
SELECT refusal(format('SELECT * FROM lmtext.join(%s)', arguments))
FROM unnest(ARRAY['NULL, ''e'', ''v'', ''e'', 1', '''v'', NULL, ''v'', ''e'', 1', '''v'', ''e'', NULL, ''e'', 1', '''v'', ''e'', ''v'', NULL, 1',
    '''v'', ''e'', ''v'', ''e''', '''v'', ''e'', ''v'', ''e'', 0', '''v'', ''e'', ''v'', ''e'', 10001', '''v'', ''e'', ''part'', ''body'', 1',
    '''v'', ''e'', ''v'', ''e'', 1, -1.5']) arguments;
INSERT INTO none VALUES (1, '{1,2}'), (2, '{1,2,3}');
SELECT refusal($$SELECT * FROM lmtext.near_duplicates('none', 'e')$$);
UPDATE none SET e = '{1,NaN}' WHERE id = 2;
SELECT refusal($$SELECT * FROM lmtext.near_duplicates('none', 'e')$$);
UPDATE none SET e = '{}' WHERE id = 2;
SELECT refusal($$SELECT * FROM lmtext.near_duplicates('none', 'e')$$);

-- It ends when it is asked to: all four million pairs would take seconds.
CREATE TABLE many AS SELECT i AS id, ARRAY[1, i]::real[] AS e FROM generate_series(1, 3000) i;
SET statement_timeout = '100ms';
SELECT count(*) FROM lmtext.near_duplicates('many', 'e', -1, key => 'id');
RESET statement_timeout;

-- The rights are the caller's, and so are the rows that he sees.
CREATE ROLE lmtext_test_pairs;
GRANT USAGE ON SCHEMA test_pairs TO lmtext_test_pairs;
GRANT SELECT ON part, ticket TO lmtext_test_pairs;
ALTER TABLE part ENABLE ROW LEVEL SECURITY;
CREATE POLICY but_a ON part USING (e <> 'a');
SET ROLE lmtext_test_pairs;
SELECT refusal($$SELECT * FROM lmtext.near_duplicates('v', 'e')$$);
SELECT * FROM lmtext.near_duplicates('part', 'body', -1);
SELECT refusal($$SELECT * FROM lmtext.near_duplicates('ticket', 'body')$$) LIKE '42501 %' AS no_right_on_the_model;
RESET ROLE;

SET client_min_messages = warning;
DROP SCHEMA test_pairs CASCADE;
DROP ROLE lmtext_test_pairs;
