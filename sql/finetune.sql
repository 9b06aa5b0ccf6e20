-- Encoders trained further: the tasks, what comes of them, and what is refused.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_finetune;
SET search_path = test_finetune, public;
\set VERBOSITY terse
\getenv source LMTEXT_SOURCE_DIR
\set bert :source '/models/tiny/bert'
\set cls :source '/models/tiny/bert-st6-cls'
SELECT lmtext.import_model('tuned_base', :'bert'), lmtext.import_model('tuned_cls', :'cls');

CREATE TABLE doc AS
    SELECT i, format('%s number %s', what, i) AS body, label
    FROM generate_series(1, 30) i,
         (VALUES ('the cat sat on', 'cat'), ('databases indexing', 'data')) t (what, label);

-- Classification: the model is a folder of its own, and needs no base.
CALL lmtext.train('topics', 'SELECT body, label FROM doc ORDER BY i, label',
                  '{"base": "tuned_base", "method": "finetune", "epochs": 6, "learning_rate": 0.003, "batch_size": 8}');
SELECT name, task, family, labels, base, (metrics ->> 'loss')::float8 < 0.3 AS loss,
       metrics - '{loss,held_out_loss,curve,read_seconds,train_seconds,level}'::text[] AS metrics
FROM lmtext.models WHERE name = 'topics';
SELECT label, lmtext.classify(body, 'topics'), count(*) FROM doc GROUP BY 1, 2 ORDER BY 1, 2;
-- The same rows, options and seed give the same bits; another seed others.
CALL lmtext.train('topics', 'SELECT body, label FROM doc ORDER BY i, label',
                  '{"base": "tuned_base", "method": "finetune", "epochs": 6, "learning_rate": 0.003, "batch_size": 8}');
CALL lmtext.train('topics', 'SELECT body, label FROM doc ORDER BY i, label',
                  '{"base": "tuned_base", "method": "finetune", "epochs": 6, "learning_rate": 0.003, "batch_size": 8, "seed": 1}');
CREATE FUNCTION weights(version regclass, OUT md5 text) LANGUAGE plpgsql AS
    $$BEGIN EXECUTE format('SELECT string_agg(md5(data), '' '' ORDER BY part) FROM %s WHERE file = ''model.safetensors''', version) INTO md5; END$$;
SELECT weights('"topics@1"') = weights('"topics@2"') AS same, weights('"topics@1"') = weights('"topics@3"') AS other_seed;
-- A classifier trained further, for other labels; layers that are not trained keep their bits.
CALL lmtext.train('three', 'SELECT body, (array[''no'', ''yes'', ''perhaps''])[1 + i % 3] FROM doc',
                  '{"base": "topics", "method": "finetune", "steps": 2, "train_layers": 0, "class_weights": "balanced"}');
CALL lmtext.train('last', 'SELECT body, label FROM doc',
                  '{"base": "topics", "method": "finetune", "steps": 2, "train_layers": 1, "class_weights": "balanced"}');
SELECT model, layer, count(*) AS changed
FROM (VALUES ('three'), ('last')) m (model), (VALUES (1), (2)) l (layer),
     LATERAL (SELECT * FROM lmtext.hidden_states('the cat', model, layer) EXCEPT
              SELECT * FROM lmtext.hidden_states('the cat', 'topics', layer)) t
GROUP BY model, layer ORDER BY model, layer;
SELECT labels FROM lmtext.models WHERE name = 'three';

-- Adapters of low rank.
CALL lmtext.train('adapted', 'SELECT body, label FROM doc ORDER BY i, label',
                  '{"base": "tuned_base", "method": "finetune", "epochs": 6, "learning_rate": 0.01, "lora": {"rank": 4, "alpha": 8}}');
SELECT metrics ->> 'held_out_accuracy' AS accuracy FROM lmtext.models WHERE name = 'adapted';
CALL lmtext.train('adapted', 'SELECT body, label FROM doc', '{"base": "tuned_base", "method": "finetune", "lora": {"rank": 0}}');

-- Tagging: words and their tags; a word's later pieces count for nothing.
CREATE TABLE sentence AS
    SELECT string_to_array(body, ' ') AS tokens,
           CASE label WHEN 'cat' THEN '{O,B-ANIMAL,O,O,O,O}'::text[] ELSE '{B-IT,I-IT,O,O}' END AS tags
    FROM doc ORDER BY i, label;
CALL lmtext.train('tagger', 'SELECT tokens, tags FROM sentence',
                  '{"base": "tuned_base", "task": "tagging", "method": "finetune", "epochs": 8, "learning_rate": 0.003, "batch_size": 8}');
SELECT labels, task, metrics ->> 'held_out_f1' AS f1, metrics ->> 'held_out_accuracy' AS accuracy
FROM lmtext.models WHERE name = 'tagger';
SELECT token, tag FROM lmtext.tag('the cat sat', 'tagger');
CALL lmtext.train('tagger', 'SELECT tokens, tags[1:2] FROM sentence',
                  '{"base": "tuned_base", "task": "tagging", "method": "finetune"}');

-- With a CRF: its transitions are in the version's files, and Viterbi's tags come of them, also behind quantisation.
CALL lmtext.train('chained', 'SELECT tokens, tags FROM sentence',
                  '{"base": "tuned_base", "task": "tagging", "method": "finetune", "epochs": 8, "learning_rate": 0.003, "batch_size": 8, "crf": true}');
SELECT labels, task, metrics ->> 'held_out_f1' AS f1, metrics ->> 'held_out_accuracy' AS accuracy
FROM lmtext.models WHERE name = 'chained';
SELECT token, tag FROM lmtext.tag('the cat sat', 'chained');
SELECT entity, label FROM lmtext.entities('the cat sat', 'chained');
SELECT lmtext.tag_words('{the,cat,sat}', 'chained');
SELECT bool_and(lmtext.tag_words(tokens, 'chained') = tags) AS right FROM sentence;
SELECT lmtext.quantize('chained', 'int8');
SELECT token, tag FROM lmtext.tag('the cat sat', 'chained@2');
-- Trained further without one it has none.
CALL lmtext.train('unchained', 'SELECT tokens, tags FROM sentence',
                  '{"base": "chained@1", "task": "tagging", "method": "finetune", "steps": 1}');
SELECT m.name, string_agg(convert_from(data, 'utf8'), '' ORDER BY part) LIKE '%"crf":true%' AS crf
FROM (SELECT 'chained' AS name, part, data FROM "chained@1" WHERE file = 'config.json'
      UNION ALL SELECT 'unchained', part, data FROM "unchained@1" WHERE file = 'config.json') m
GROUP BY 1 ORDER BY 1;
CALL lmtext.train('chained', 'SELECT tokens, tags FROM sentence',
                  '{"base": "tuned_base", "task": "tagging", "method": "finetune", "crf": true, "label_smoothing": 0.1}');
CALL lmtext.prune('chained', 'chained@1', 'SELECT tokens, tags FROM sentence', '{"task": "tagging", "share": 0.5, "label_smoothing": 0.1}');
CALL lmtext.train('chained', 'SELECT tokens, tags FROM sentence',
                  '{"base": "tuned_base", "task": "tagging", "method": "finetune", "crf": "yes"}');
CALL lmtext.train('chained', 'SELECT body, label FROM doc',
                  '{"base": "tuned_base", "method": "finetune", "crf": true}');

-- Similarity: pairs, pairs with a number, triplets; an embedding model comes of them.
CREATE TABLE pair AS
    SELECT a.body AS a, b.body AS b, c.body AS c, (a.i % 2)::float8 AS score
    FROM doc a JOIN doc b ON b.label = a.label AND b.i = a.i + 1 JOIN doc c ON c.label <> a.label AND c.i = a.i
    ORDER BY a.i, a.label LIMIT 40;
CALL lmtext.train('pairs', 'SELECT a, b FROM pair',
                  '{"base": "tuned_cls", "task": "similarity", "method": "finetune", "epochs": 1}');
CALL lmtext.train('scored', 'SELECT a, b, score FROM pair',
                  '{"base": "tuned_cls", "task": "similarity", "method": "finetune", "epochs": 1}');
CALL lmtext.train('triplets', 'SELECT a, b, c FROM pair',
                  '{"base": "tuned_cls", "task": "similarity", "loss": "triplet", "method": "finetune", "epochs": 1}');
SELECT name, task, (metrics ->> 'loss')::float8 > 0 AS loss,
       round(sqrt(lmtext.inner_product(v, v))::numeric, 4) AS length
FROM lmtext.models, lmtext.embed('the cat', name) v
WHERE name IN ('pairs', 'scored', 'triplets') ORDER BY name;

-- The score of a pair, a number, and words that are hidden.
CALL lmtext.train('pair_score', 'SELECT a, b, score FROM pair',
                  '{"base": "tuned_base", "task": "rerank", "method": "finetune", "epochs": 1}');
CALL lmtext.train('pair_score', 'SELECT a, b, score * 2 FROM pair',
                  '{"base": "tuned_base", "task": "rerank", "method": "finetune", "epochs": 1}');
-- Whether a text follows another.
CREATE TABLE neighbour AS
    SELECT i, concat('cat ', a) AS a, concat(CASE WHEN follows = 1 THEN 'cat ' ELSE 'the world ' END, b) AS b, follows
    FROM generate_series(1, 5) i, unnest('{is on,on the mat,way,now}'::text[]) a, unnest('{now,mat,it}'::text[]) b, generate_series(0, 1) follows;
CALL lmtext.train('tuned_next', 'SELECT a, b, follows FROM neighbour ORDER BY i, a, b, follows',
                  '{"base": "tuned_base", "task": "next_sentence", "epochs": 6, "learning_rate": 0.003, "batch_size": 8, "augment": ["swap"]}');
SELECT m.task, m.family, (m.metrics ->> 'held_out_accuracy')::float8 > 0.8 AS learnt, n.follows, avg(lmtext.next_sentence(n.a, n.b, 'tuned_next')) > 0.8 AS likely
FROM lmtext.models m, neighbour n WHERE m.name = 'tuned_next' GROUP BY 1, 2, 3, 4 ORDER BY n.follows;
CALL lmtext.train('tuned_bad', 'SELECT a, b, 0.5 FROM neighbour', '{"base": "tuned_base", "task": "next_sentence"}');
CALL lmtext.train('size', 'SELECT body, length(body) / 30.0 FROM doc',
                  '{"base": "tuned_base", "task": "regression", "method": "finetune", "epochs": 2, "learning_rate": 0.001}');
CALL lmtext.train('words', 'SELECT body FROM doc',
                  '{"base": "tuned_base", "task": "masked_language_model", "method": "finetune", "epochs": 2}');
SELECT name, task FROM lmtext.models WHERE name IN ('pair_score', 'size', 'words') ORDER BY name;
SELECT count(*) FROM lmtext.fill_mask('the [MASK] sat', model => 'words');

-- Factors of products rounded to 16 bits, at whatever level.
CALL lmtext.train('rounded', 'SELECT body, label FROM doc', '{"base": "tuned_base", "method": "finetune", "precision": "bf16", "epochs": 8, "learning_rate": 0.003}');
SELECT metrics ->> 'precision' AS precision, metrics ->> 'level' = (SELECT instruction_level FROM lmtext.device) AS level, (metrics ->> 'loss')::float8 < 0.3 AS loss
FROM lmtext.models WHERE name = 'rounded';

-- Refused.
CALL lmtext.train('none', 'SELECT body, ''same'' FROM doc', '{"base": "tuned_base", "method": "finetune"}');
CALL lmtext.train('none', 'SELECT body, label FROM doc', '{"base": "tuned_base", "method": "finetune", "precision": "int8"}');
CALL lmtext.train('none', 'SELECT a, b FROM pair', '{"base": "tuned_base", "task": "similarity", "loss": "mean", "method": "finetune"}');
DROP SCHEMA test_finetune CASCADE;
