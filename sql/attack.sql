-- How far a classifier withstands changes of texts, and training that makes it withstand more.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
CREATE SCHEMA test_attack;
SET search_path = test_attack, public;
\set VERBOSITY terse
CREATE TABLE review AS
SELECT i, concat_ws(' ', (ARRAY['the film was', 'a story that is', 'this plot seems', 'they say it is'])[1 + i % 4],
                    CASE WHEN i / 4 % 2 = 0 THEN (ARRAY['great', 'lovely', 'fine'])[1 + i % 3] ELSE (ARRAY['dull', 'awful', 'poor'])[1 + i % 3] END) AS body,
       CASE WHEN i / 4 % 2 = 0 THEN 'good' ELSE 'bad' END AS label
FROM generate_series(0, 95) i;
CALL lmtext.train('at_words', 'SELECT body, label FROM review ORDER BY i',
                  '{"method": "layers", "layers": [{"embedding": 8}, {"linear": 2}], "epochs": 12, "learning_rate": 0.03, "hold_out": 0}');

-- one word may go: those fall that some word's going misleads, as is seen without a search
SELECT m.measure, round(m.value::numeric, 3) AS value FROM lmtext.attack('at_words', 'SELECT body, label FROM review WHERE i < 24') m WHERE measure IN ('rows', 'accuracy');
SELECT abs(max(value) FILTER (WHERE measure = 'accuracy_under_attack')
           - (SELECT avg(holds::int) FROM (SELECT bool_and(lmtext.classify(array_to_string(w[:n - 1] || w[n + 1:], ' '), 'at_words') = label) AS holds
                                           FROM (SELECT i, label, string_to_array(body, ' ') AS w FROM review WHERE i < 24) r, generate_series(1, cardinality(w)) n GROUP BY i) s)) < 1e-9 AS as_seen,
       max(value) FILTER (WHERE measure = 'accuracy_under_attack') BETWEEN 0.1 AND 0.9 AS some_fall,
       abs(max(value) FILTER (WHERE measure IN ('success_rate')) + max(value) FILTER (WHERE measure IN ('accuracy_under_attack')) - 1) < 1e-9 AS all_were_right,
       max(value) FILTER (WHERE measure = 'words_changed') BETWEEN 0.2 AND 0.25 AS a_word_of_four_or_five,
       max(value) FILTER (WHERE measure = 'queries') BETWEEN 6 AND 7 AS one_more_and_each
FROM lmtext.attack('at_words', 'SELECT body, label FROM review WHERE i < 24', '{"ops": ["delete"], "budget": 1}');
-- a word for another is found in the table alone, whatever its case
CREATE TABLE thesaurus (word text, synonym text);
INSERT INTO thesaurus VALUES ('Great', 'dull'), ('fine', 'okay'), (NULL, 'x'), ('x', NULL);
SELECT (a).before, (a).after, (a).changed, (a).words, (a).queries, (a).variant
FROM (SELECT lmtext_internal.attack_text(t, 'good', (SELECT model FROM lmtext.models WHERE name = 'at_words'), lmtext_internal.attack_options('{"ops": ["synonyms"], "synonyms": ""}'),
                                         lmtext_internal.attack_synonyms('TABLE thesaurus;')) AS a
      FROM unnest(ARRAY['the film was great', 'the film was lovely', 'the film was dull', 'great']) t) s;
-- the same seed, the same answer; a larger budget misleads no fewer
SELECT (SELECT array_agg(a ORDER BY a) FROM lmtext.attack('at_words', 'SELECT body, label FROM review WHERE i < 24') a)
     = (SELECT array_agg(a ORDER BY a) FROM lmtext.attack('at_words', 'SELECT body, label FROM review WHERE i < 24') a) AS same,
       (SELECT value FROM lmtext.attack('at_words', 'SELECT body, label FROM review WHERE i < 24', '{"budget": 5}') WHERE measure = 'success_rate')
    >= (SELECT value FROM lmtext.attack('at_words', 'SELECT body, label FROM review WHERE i < 24', '{"budget": 1}') WHERE measure = 'success_rate') AS more;
-- operations, one at a time
SELECT op, variant FROM unnest('{letter_swap,letter_delete,letter_insert,keyboard,swap,delete,insert}'::text[]) op,
     lmtext_internal.attack_variants('{a,fine,film}', 2, lmtext_internal.attack_options(jsonb_build_object('ops', jsonb_build_array(op))), NULL);
SELECT op, length(variant) - length('Größe') AS letters, variant <> 'Größe' AS other FROM unnest('{letter_swap,letter_delete,letter_insert}'::text[]) op,
     lmtext_internal.attack_variants('{Größe}', 1, lmtext_internal.attack_options(jsonb_build_object('ops', jsonb_build_array(op))), NULL);
SELECT count(*) AS none FROM lmtext_internal.attack_variants('{a}', 1, lmtext_internal.attack_options('{"ops": ["letter_swap", "letter_delete", "swap", "delete"]}'), NULL);
SELECT measure, value FROM lmtext.attack('at_words', 'SELECT body, NULL FROM review');
SELECT count(*) AS none FROM lmtext.attack(NULL, 'SELECT body, label FROM review');
-- noise in training; what is refused
CALL lmtext.train('at_noise', 'SELECT body, label FROM review ORDER BY i',
                  '{"method": "layers", "layers": [{"embedding": 8}, {"linear": 2}], "epochs": 12, "learning_rate": 0.03, "hold_out": 0, "adversarial": {"kind": "fgm", "eps": 0.5}}');
CALL lmtext.train('at_noise', 'SELECT body, label FROM review ORDER BY i',
                  '{"method": "layers", "layers": [{"embedding": 8}, {"linear": 2}], "epochs": 12, "learning_rate": 0.03, "hold_out": 0, "adversarial": {"kind": "pgd", "steps": 2}}');
SELECT n.version, (n.metrics ->> 'loss')::float8 BETWEEN 0.0001 AND 0.2 AS learnt, n.metrics -> 'loss' <> w.metrics -> 'loss' AS otherwise
FROM lmtext.models n, lmtext.models w WHERE n.name = 'at_noise' AND w.name = 'at_words' ORDER BY 1;
-- rows in other words
CALL lmtext.train('at_varied', 'SELECT body, label FROM review ORDER BY i',
                  '{"method": "layers", "layers": [{"embedding": 8}, {"linear": 2}], "epochs": 12, "learning_rate": 0.03, "augment": ["swap", "delete"], "adversarial": {"kind": "fgm"}}');
CALL lmtext.train('at_varied', 'SELECT body, label FROM review ORDER BY i',
                  '{"method": "layers", "layers": [{"embedding": 8}, {"linear": 2}], "epochs": 12, "learning_rate": 0.03, "augment": {"ops": ["swap", "delete"], "share": 0.1}, "adversarial": {"kind": "fgm", "eps": 1}}');
SELECT count(DISTINCT metrics -> 'loss') AS same, avg((lmtext.classify(body, 'at_varied') = label)::int) > 0.9 AS learnt
FROM lmtext.models, review WHERE name = 'at_varied';
CREATE FUNCTION refusal(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN 'no error';
EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT refusal(format('SELECT lmtext.attack(%L, %L, %L)', m, q, o)) FROM (VALUES
    ('at_words', 'SELECT body, label FROM review', '[]'), ('at_words', 'SELECT body, label FROM review', '{"bugdet": 3}'),
    ('at_words', 'SELECT body, label FROM review', '{"budget": 0}'), ('at_words', 'SELECT body, label FROM review', '{"seed": 0.5}'),
    ('at_words', 'SELECT body, label FROM review', '{"ops": "swap"}'), ('at_words', 'SELECT body, label FROM review', '{"ops": []}'),
    ('at_words', 'SELECT body, label FROM review', '{"ops": ["shout"]}'), ('at_words', 'SELECT body, label FROM review', '{"ops": ["synonyms"]}'),
    ('at_words', 'SELECT body, label FROM review', '{"ops": ["synonyms"], "synonyms": 1}'),
    ('at_words', 'SELECT body, label FROM review', '{"ops": ["synonyms"], "synonyms": "SELECT 1"}'),
    ('at_words', 'SELECT body FROM review', '{}'), ('at_words', 'DELETE FROM review RETURNING body, label', '{}'),
    ('at_none', 'SELECT body, label FROM review', '{}')) v (m, q, o);
SELECT refusal(format('CALL lmtext.train(''at_bad'', ''SELECT body, label FROM review'', %L)',
                      jsonb_build_object('method', 'layers', 'layers', '[{"embedding": 2}, {"linear": 2}]'::jsonb, 'adversarial', a)))
FROM (VALUES ('1'::jsonb), ('{}'), ('{"kind": "fgsm"}'), ('{"kind": "fgm", "eps": 0}'), ('{"kind": "fgm", "steps": 2}'), ('{"kind": "pgd", "steps": 1.5}'), ('{"kind": "pgd", "epsilon": 1}')) v (a);
SELECT refusal(format('CALL lmtext.train(''at_bad'', ''SELECT ARRAY[body], ARRAY[body] FROM review'', %L)',
                      '{"method": "layers", "task": "tagging", "layers": [{"embedding": 2}, {"linear": 2}], "augment": ["swap"]}'));
SELECT count(lmtext.drop_model(name)) FROM (SELECT DISTINCT name FROM lmtext.models WHERE name LIKE 'at\_%') m;
DROP SCHEMA test_attack CASCADE;
