-- Measures of generated text against sacrebleu 2.6.0, jiwer 4.0.0, rouge-score 0.1.2 and nltk 3.10.4. Many more texts are in
-- test/unit/test_text_measures.c, and in scripts/compare-text-measures.py, which draws them.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS lmtext;
RESET client_min_messages;
CREATE SCHEMA test_text_measures;
SET search_path = test_text_measures, public;
SET extra_float_digits = -3;

CREATE TABLE said (id int, hyp text, ref text, other text);
INSERT INTO said VALUES
    (1, 'The cats sat on the mat, happily.', 'The cat sat happily on the mat.', 'On the mat sat a happy cat.'),
    (2, 'It costs 1,000.50 dollars (or 10-12).', 'It costs 1,000.50 dollars, or 10-12 euros.', NULL),
    (3, 'operators are relational' || chr(10) || 'the dog runs', 'the dogs run' || chr(10) || 'operator relations', 'dogs'),
    (4, '', 'not empty', NULL),
    (5, 'a b c d e f g h', 'a d e f b c g h', 'h g f e d c b a');

-- One reference; several, of which some are NULL.
SELECT lmtext.bleu(hyp, ref), lmtext.chrf(hyp, ref), lmtext.ter(hyp, ref), lmtext.wer(ref, hyp), lmtext.cer(ref, hyp) FROM said;
SELECT lmtext.bleu(hyp, ARRAY[ref, other]), lmtext.chrf(hyp, ARRAY[ref, other]), lmtext.ter(hyp, ARRAY[ref, other]) FROM said;
SELECT lmtext.rouge(hyp, ref, 'rouge1') AS r1, lmtext.rouge(hyp, ref, 'rouge2') AS r2, lmtext.rouge(hyp, ref, 'rougeL') AS rl,
       lmtext.rouge(hyp, ref, 'rougeLsum', true) AS rlsum, lmtext.rouge(hyp, ARRAY[ref, other], 'rouge1', true) AS several
FROM said;
SELECT lmtext.meteor(hyp, ref), lmtext.meteor(hyp, ARRAY[ref, other]) AS several,
       lmtext.meteor(hyp, ref, E'run hop\nmat, mat.') AS synonyms
FROM said;
SELECT lmtext.exact_match(hyp, ref), lmtext.squad_f1(hyp, ref), lmtext.exact_match(hyp, ARRAY[ref, '(the)', other]) AS several,
       lmtext.squad_f1(hyp, ARRAY[ref, other]) AS several_f1
FROM said;
SELECT n, lmtext.distinct_n(ref, n), lmtext.distinct_n(hyp, n) FROM said, generate_series(1, 3) n GROUP BY n ORDER BY n;
SELECT lmtext.perplexity(l, n), exp(lmtext.cross_entropy(l, n)) AS same FROM (VALUES (-3.5, 2), (-10, 7)) v (l, n);

-- Settings.
SELECT t, lmtext.bleu(h, r, t), lmtext.sentence_bleu(h, r, t)
FROM (VALUES ('Das ist—„gut“, 5% von 你好世界 kostet 3€.', 'Das ist: „gut“, 5% von 你好 世界 kostet 3 €.')) v (h, r),
     unnest(ARRAY['13a', 'zh', 'char', 'intl', 'none']) t GROUP BY t, h, r ORDER BY t;
SELECT s, lmtext.bleu(h, r, '13a', s, true), lmtext.sentence_bleu(h, r, '13a', s, true)
FROM (VALUES ('THE CAT hops over here', 'the cat sits over there')) v (h, r), unnest(ARRAY['exp', 'floor', 'add-k', 'none']) s
GROUP BY s, h, r ORDER BY s;
SELECT lmtext.chrf(hyp, ref, 0) AS chrf2, lmtext.chrf(hyp, ref, 1) AS one, lmtext.chrf(hyp, ref, 2) AS plusplus FROM said;
SELECT lmtext.ter(hyp, ref, true, false, false) AS normalized, lmtext.ter(hyp, ref, false, true, false) AS no_punct,
       lmtext.ter(hyp, ref, false, false, true) AS case_sensitive
FROM said;
SELECT lmtext.ter(h, r, true, false, false, false) AS plain, lmtext.ter(h, r, true, false, false, true) AS asian,
       lmtext.ter(h, r, false, true, false, true) AS no_punct, lmtext.ter(h, ARRAY[r], true, true, false, true) AS both
FROM (VALUES ('私は、東京（とうきょう）に住んでいます。', '私は東京に住んでいる。'), ('The 猫 sat，on 垫子！', 'the 猫 sat on the 垫子。')) v (h, r);
SELECT lmtext.sentence_ter(h, r, true, false, false, true) AS asian, lmtext.sentence_ter(h, ARRAY[r], false, true, false, true) AS no_punct
FROM (VALUES ('私は、東京（とうきょう）に住んでいます。', '私は東京に住んでいる。'), ('The 猫 sat，on 垫子！', 'the 猫 sat on the 垫子。')) v (h, r);
SELECT lmtext.rouge(h, r, 'rougeL') AS ascii, lmtext.rouge(h, r, 'rougeL', false, 'unicode') AS unicode
FROM (VALUES ('ÄPFEL und 你好', 'äpfel oder 你好')) v (h, r);

-- Of one row.
SELECT id, lmtext.sentence_bleu(hyp, ref) AS bleu, lmtext.sentence_chrf(hyp, ref) AS chrf, lmtext.sentence_ter(hyp, ref) AS ter,
       lmtext.sentence_wer(ref, hyp) AS wer, lmtext.sentence_cer(ref, hyp) AS cer
FROM said ORDER BY id;
SELECT id, lmtext.sentence_rouge(hyp, ref, 'rougeL') AS rouge, lmtext.sentence_meteor(hyp, ref) AS meteor,
       lmtext.sentence_bleu(hyp, ARRAY[ref, other]) AS bleu, lmtext.sentence_chrf(hyp, ARRAY[ref, other], 2) AS chrf,
       lmtext.sentence_ter(hyp, ARRAY[ref, other]) AS ter, lmtext.sentence_rouge(hyp, ARRAY[ref, other], 'rouge1', true) AS rouge1,
       lmtext.sentence_meteor(hyp, ARRAY[ref, other], 'a h') AS several
FROM said ORDER BY id;

-- In parallel, with states that travel: the same.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
CREATE TABLE many WITH (parallel_workers = 2) AS
SELECT i, hyp || ' ' || i % 7 AS hyp, ref || ' ' || i % 5 AS ref FROM said, generate_series(1, 200) i;
CREATE FUNCTION scores(OUT score double precision) RETURNS SETOF double precision LANGUAGE sql AS $$
    SELECT unnest(ARRAY[lmtext.bleu(hyp, ref, 'intl'), lmtext.chrf(hyp, ref, 2), lmtext.ter(hyp, ref), lmtext.wer(ref, hyp),
                        lmtext.cer(ref, hyp), lmtext.rouge(hyp, ref, 'rouge2', true), lmtext.meteor(hyp, ref, 'run hop'),
                        lmtext.exact_match(hyp, ref), lmtext.squad_f1(hyp, ref), lmtext.distinct_n(hyp, 2),
                        lmtext.perplexity(-i, length(hyp))])
    FROM many
$$;
EXPLAIN (COSTS OFF) SELECT lmtext.bleu(hyp, ref, 'intl'), lmtext.distinct_n(hyp, 2) FROM many;
CREATE TABLE parallel AS SELECT row_number() OVER () AS n, score FROM scores();
SET max_parallel_workers_per_gather = 0;
SELECT count(*), bool_and(abs(a.score - b.score) < 1e-9) AS same
FROM parallel a JOIN (SELECT row_number() OVER () AS n, score FROM scores()) b USING (n);
SET max_parallel_workers_per_gather = 2;
SELECT lmtext.bleu(hyp, ref), lmtext.distinct_n(hyp, 1) FROM many WHERE i < 0;
RESET max_parallel_workers_per_gather;

-- Rows with a NULL are left out; so are those without any reference. Over none the result is NULL, and where nothing can be counted.
SELECT lmtext.bleu(h, r), lmtext.wer(r, h), lmtext.rouge(h, r, 'rouge1') FROM (VALUES ('x', NULL), (NULL, 'x')) v (h, r);
SELECT lmtext.bleu(h, r), lmtext.chrf(h, r), lmtext.ter(h, r), lmtext.meteor(h, r), lmtext.squad_f1(h, r)
FROM (VALUES ('a b c d e', ARRAY['a b c d e']), ('x', '{}'), ('x', ARRAY[NULL]::text[]), ('y', NULL)) v (h, r);
SELECT lmtext.bleu('x', '{}'::text[]), lmtext.distinct_n('x', 2), lmtext.distinct_n('', 1), lmtext.perplexity(0, 0);
SELECT lmtext.sentence_bleu('x', '{}'::text[]), lmtext.sentence_bleu(NULL, 'x'), lmtext.sentence_wer('x', NULL);
-- Empty texts are texts.
SELECT lmtext.bleu('', ''), lmtext.chrf('', ''), lmtext.ter('', ''), lmtext.wer('', ''), lmtext.wer('', 'a b c') AS inserted,
       lmtext.rouge('', '', 'rougeLsum'), lmtext.meteor('', ''), lmtext.exact_match('', ''), lmtext.squad_f1('', '');

-- What is refused.
SELECT lmtext.bleu('a', 'b', '13b');
SELECT lmtext.bleu('a', 'b', '13a', 'some', false);
SELECT lmtext.bleu('a', 'b', NULL);
SELECT lmtext.bleu('a', 'b', t) FROM (VALUES ('zh'), ('char')) v (t);
SELECT lmtext.chrf('a', 'b', 3);
SELECT lmtext.chrf('a', 'b', n) FROM (VALUES (0), (2)) v (n);
SELECT lmtext.rouge('a', 'b', 'rougeX');
SELECT lmtext.rouge('a', 'b', 'rouge1', false, 'latin');
SELECT lmtext.distinct_n('a', 0);
SELECT lmtext.sentence_chrf('a', 'b', -1);
SELECT lmtext.sentence_rouge('a', 'b', '');
SELECT lmtext.bleu('a', ARRAY[['b'], ['c']]);

-- As window functions, and by groups.
SELECT id, lmtext.wer(ref, hyp) OVER (ORDER BY id) AS wer, lmtext.distinct_n(ref, 1) OVER (ORDER BY id) AS varied FROM said ORDER BY id;
SELECT id % 2 AS part, lmtext.bleu(hyp, ref) FROM said GROUP BY 1 ORDER BY 1;

-- A long pair stops when it is told to.
SET statement_timeout = '200ms';
SELECT lmtext.cer(repeat('ab c', 500000), repeat('b ac', 500000));
SELECT lmtext.rouge(repeat('a b c ', 300000), repeat('c b a ', 300000), 'rougeL');
RESET statement_timeout;

SET client_min_messages = warning;
DROP SCHEMA test_text_measures CASCADE;
