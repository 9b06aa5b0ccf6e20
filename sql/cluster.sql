-- Tables of several partitions searched for the nearest vectors, and what needs a connection to another database.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;

CREATE TABLE shelf (gone int, id int, v real[]) PARTITION BY LIST (id);
ALTER TABLE shelf DROP COLUMN gone;
CREATE TABLE shelf_a PARTITION OF shelf FOR VALUES IN (1, 2, 3);
CREATE TABLE shelf_b (v real[], id int);
ALTER TABLE shelf ATTACH PARTITION shelf_b FOR VALUES IN (4, 5, 6);
INSERT INTO shelf VALUES (1, '{1,0}'), (2, '{1,1}'), (3, '{0,1}'), (4, '{1,0.1}'), (5, '{-1,0}'), (6, NULL);

SELECT (s.item).id, round(s.distance::numeric, 3) AS distance FROM lmtext.search_partitions(NULL::shelf, 'v', '{1,0}', 3) s;
SELECT (s.item).*, round(s.distance::numeric, 3) AS distance FROM lmtext.search_partitions(NULL::shelf_b, 'v', '{1,0}') s;
SELECT lmtext.nearest_query('shelf', 'v', '{1,0}', 2);
SELECT 'CREATE VIEW nearest AS ' || lmtext.nearest_query('shelf', 'v', '{1,0}', 2) AS make \gset
:make;
SELECT id FROM nearest;

\set VERBOSITY terse
SELECT lmtext.search_partitions(NULL::shelf, 'w', '{1,0}');
SELECT lmtext.search_partitions(NULL::shelf, 'id', '{1,0}');
SELECT lmtext.search_partitions(1, 'v', '{1,0}');
SELECT lmtext.search_partitions(NULL::shelf, 'v', '{1,0,0}');
SELECT lmtext.nearest_query('shelf', 'v', '{1,0}', 0);
SELECT lmtext.nearest_query('shelf', 'v', NULL);
SELECT lmtext.cluster_enable();
DROP TABLE shelf CASCADE;
