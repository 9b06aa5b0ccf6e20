-- 0.3.0 to 0.4.0: what sql/install has gained since. test/t compares the outcome with a fresh install.
\echo Use "ALTER EXTENSION lmtext UPDATE" to load this file. \quit

-- 38-sparse: learned sparse vectors.
CREATE FUNCTION lmtext.sparse(text text, model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS jsonb AS 'MODULE_PATHNAME', 'lmtext_sparse' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse(text, text, text) IS
    'learned sparse vector of a text: tokens and their weights';

CREATE FUNCTION lmtext.sparse(text text, model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS jsonb AS 'MODULE_PATHNAME', 'lmtext_sparse' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse(text, regclass, text, text) IS
    'learned sparse vector of a text: tokens and their weights (version pinned)';

CREATE FUNCTION lmtext.sparse(texts text[], model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS jsonb[] AS 'MODULE_PATHNAME', 'lmtext_sparse_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse(text[], text, text) IS
    'learned sparse vectors of an array of texts, computed as one batch';

CREATE FUNCTION lmtext.sparse(texts text[], model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS jsonb[] AS 'MODULE_PATHNAME', 'lmtext_sparse_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse(text[], regclass, text, text) IS
    'learned sparse vectors of an array of texts, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.sparse_vector(text text, model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS text AS 'MODULE_PATHNAME', 'lmtext_sparse_vector' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_vector(text, text, text) IS
    'learned sparse vector of a text, as pgvector''s type sparsevec reads it';

CREATE FUNCTION lmtext.sparse_vector(text text, model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS text AS 'MODULE_PATHNAME', 'lmtext_sparse_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_vector(text, regclass, text, text) IS
    'learned sparse vector of a text, as pgvector''s type sparsevec reads it (version pinned)';

CREATE FUNCTION lmtext.sparse_vector(texts text[], model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS text[] AS 'MODULE_PATHNAME', 'lmtext_sparse_vector_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_vector(text[], text, text) IS
    'learned sparse vectors of an array of texts, as pgvector''s type sparsevec reads them, computed as one batch';

CREATE FUNCTION lmtext.sparse_vector(texts text[], model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS text[] AS 'MODULE_PATHNAME', 'lmtext_sparse_vector_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_vector(text[], regclass, text, text) IS
    'learned sparse vectors of an array of texts, as pgvector''s type sparsevec reads them, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.sparse_similarity(query text, document text, model text DEFAULT NULL)
    RETURNS double precision AS 'MODULE_PATHNAME', 'lmtext_sparse_similarity' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_similarity(text, text, text) IS
    'product of the learned sparse vectors of a query and a document';

CREATE FUNCTION lmtext.sparse_similarity(query text, document text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision AS 'MODULE_PATHNAME', 'lmtext_sparse_similarity' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_similarity(text, text, regclass, text) IS
    'product of the learned sparse vectors of a query and a document (version pinned)';

CREATE FUNCTION lmtext.sparse_similarity(query text, documents text[], model text DEFAULT NULL)
    RETURNS double precision[] AS 'MODULE_PATHNAME', 'lmtext_sparse_similarity_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_similarity(text, text[], text) IS
    'products of the learned sparse vectors of a query and each document of an array, computed as one batch';

CREATE FUNCTION lmtext.sparse_similarity(query text, documents text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision[] AS 'MODULE_PATHNAME', 'lmtext_sparse_similarity_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_similarity(text, text[], regclass, text) IS
    'products of the learned sparse vectors of a query and each document of an array, computed as one batch (version pinned)';

-- 41-metrics: the aggregates matthews and cross_entropy.
CREATE FUNCTION lmtext_internal.matthews_accum(state internal, actual anycompatible, predicted anycompatible) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_matthews_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.matthews_accum(internal, anycompatible, anycompatible) IS
    'internal: part of the aggregate matthews';

CREATE FUNCTION lmtext_internal.matthews_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_matthews_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.matthews_combine(internal, internal) IS 'internal: part of the aggregate matthews';

CREATE FUNCTION lmtext_internal.matthews_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_matthews_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.matthews_serialize(internal) IS 'internal: part of the aggregate matthews';

CREATE FUNCTION lmtext_internal.matthews_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_matthews_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.matthews_deserialize(bytea, internal) IS 'internal: part of the aggregate matthews';

CREATE FUNCTION lmtext_internal.matthews_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_matthews_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.matthews_final(internal) IS 'internal: part of the aggregate matthews';

CREATE AGGREGATE lmtext.matthews(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.matthews_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.matthews_combine,
    SERIALFUNC = lmtext_internal.matthews_serialize,
    DESERIALFUNC = lmtext_internal.matthews_deserialize,
    FINALFUNC = lmtext_internal.matthews_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.matthews(anycompatible, anycompatible) IS
    'correlation of the actual and the predicted labels, from -1 to 1 (Matthews)';

CREATE FUNCTION lmtext_internal.cross_entropy_accum(state internal, log_probability double precision, tokens bigint) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cross_entropy_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.cross_entropy_accum(internal, double precision, bigint) IS
    'internal: part of the aggregate cross_entropy';

CREATE FUNCTION lmtext_internal.cross_entropy_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cross_entropy_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cross_entropy_combine(internal, internal) IS 'internal: part of the aggregate cross_entropy';

CREATE FUNCTION lmtext_internal.cross_entropy_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_cross_entropy_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cross_entropy_serialize(internal) IS 'internal: part of the aggregate cross_entropy';

CREATE FUNCTION lmtext_internal.cross_entropy_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cross_entropy_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cross_entropy_deserialize(bytea, internal) IS 'internal: part of the aggregate cross_entropy';

CREATE FUNCTION lmtext_internal.cross_entropy_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_cross_entropy_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cross_entropy_final(internal) IS 'internal: part of the aggregate cross_entropy';

CREATE AGGREGATE lmtext.cross_entropy(log_probability double precision, tokens bigint) (
    SFUNC = lmtext_internal.cross_entropy_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.cross_entropy_combine,
    SERIALFUNC = lmtext_internal.cross_entropy_serialize,
    DESERIALFUNC = lmtext_internal.cross_entropy_deserialize,
    FINALFUNC = lmtext_internal.cross_entropy_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.cross_entropy(double precision, bigint) IS
    'mean negative log probability of a token, in nats';

-- 90-monitoring: epoch, learning rate, gradient norm and measures of trainings.
CREATE FUNCTION lmtext_internal.get_train_curve(
    OUT run bigint, OUT model text, OUT step integer, OUT loss double precision,
    OUT held_out_loss double precision, OUT held_out_accuracy double precision,
    OUT at timestamptz, OUT epoch integer, OUT learning_rate double precision,
    OUT gradient_norm double precision, OUT measures jsonb)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_train_curve'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100 ROWS 100;
COMMENT ON FUNCTION lmtext_internal.get_train_curve() IS
    'curves of the trainings of train_runs, thinned to at most 128 points each';

CREATE OR REPLACE VIEW lmtext.train_log AS SELECT * FROM lmtext_internal.get_train_curve() ORDER BY run, step;
COMMENT ON COLUMN lmtext.train_log.epoch IS 'counted from 1; NULL for methods without epochs';
COMMENT ON COLUMN lmtext.train_log.learning_rate IS 'of the step, by the schedule; NULL for methods without one';
COMMENT ON COLUMN lmtext.train_log.gradient_norm IS 'of the step, before clipping; NULL for methods without one';
COMMENT ON COLUMN lmtext.train_log.measures IS
    'figures on the held-out rows by name, at the end of an epoch; NULL if there are none';
DROP FUNCTION lmtext_internal.get_train_log();

-- 33-tag: labels of tokens.
CREATE FUNCTION lmtext.tag(text text, model text DEFAULT NULL)
    RETURNS TABLE (token text, tag text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_tag' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.tag(text, text) IS
    'label with the highest score for each token of a text, with its character offsets';

CREATE FUNCTION lmtext.tag(text text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (token text, tag text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_tag' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.tag(text, regclass, text) IS
    'label with the highest score for each token of a text, with its character offsets (version pinned)';

CREATE FUNCTION lmtext.tag(texts text[], model text DEFAULT NULL)
    RETURNS TABLE (ordinality bigint, token text, tag text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_tag_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.tag(text[], text) IS
    'label with the highest score for each token of each text of an array, computed as one batch';

CREATE FUNCTION lmtext.tag(texts text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, token text, tag text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_tag_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.tag(text[], regclass, text) IS
    'label with the highest score for each token of each text of an array, computed as one batch (version pinned)';

-- 35-generate: log probabilities of texts.
CREATE FUNCTION lmtext.log_probability(text text, model text DEFAULT NULL, given text DEFAULT NULL)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_log_probability' LANGUAGE C STABLE PARALLEL SAFE COST 100
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.log_probability(text, text, text) IS
    'natural logarithm of the probability that a language model gives a text';

CREATE FUNCTION lmtext.log_probability(text text, model regclass, given text DEFAULT NULL)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_log_probability' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.log_probability(text, regclass, text) IS
    'natural logarithm of the probability that a language model gives a text (version pinned)';

CREATE FUNCTION lmtext.log_probability(texts text[], model text DEFAULT NULL, given text DEFAULT NULL)
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_log_probability_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.log_probability(text[], text, text) IS
    'natural logarithms of the probabilities that a language model gives texts';

CREATE FUNCTION lmtext.log_probability(texts text[], model regclass, given text DEFAULT NULL)
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_log_probability_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.log_probability(text[], regclass, text) IS
    'natural logarithms of the probabilities that a language model gives texts (version pinned)';

-- 36-rerank: pairs of texts.
CREATE FUNCTION lmtext.rerank(query text, document text, model text DEFAULT NULL)
    RETURNS real
    AS 'MODULE_PATHNAME', 'lmtext_rerank' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.rerank(text, text, text) IS
    'how well a document suits a query, by a cross-encoder';

CREATE FUNCTION lmtext.rerank(query text, document text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS real
    AS 'MODULE_PATHNAME', 'lmtext_rerank' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.rerank(text, text, regclass, text) IS
    'how well a document suits a query, by a cross-encoder (version pinned)';

CREATE FUNCTION lmtext.rerank(query text, documents text[], model text DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_rerank_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.rerank(text, text[], text) IS
    'how well each document of an array suits a query, by a cross-encoder, computed as one batch';

CREATE FUNCTION lmtext.rerank(query text, documents text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_rerank_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.rerank(text, text[], regclass, text) IS
    'how well each document of an array suits a query, by a cross-encoder, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.next_sentence(a text, b text, model text DEFAULT NULL)
    RETURNS real
    AS 'MODULE_PATHNAME', 'lmtext_next_sentence' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.next_sentence(text, text, text) IS
    'probability that the second text follows the first';

CREATE FUNCTION lmtext.next_sentence(a text, b text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS real
    AS 'MODULE_PATHNAME', 'lmtext_next_sentence' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.next_sentence(text, text, regclass, text) IS
    'probability that the second text follows the first (version pinned)';

CREATE FUNCTION lmtext.next_sentence(a text, candidates text[], model text DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_next_sentence_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.next_sentence(text, text[], text) IS
    'probability of each text of an array that it follows the first text, computed as one batch';

CREATE FUNCTION lmtext.next_sentence(a text, candidates text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_next_sentence_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.next_sentence(text, text[], regclass, text) IS
    'probability of each text of an array that it follows the first text, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.entails(premise text, hypothesis text, model text DEFAULT NULL)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entails' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 3
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entails(text, text, text) IS
    'scores of what a hypothesis is to a premise, best first';

CREATE FUNCTION lmtext.entails(premise text, hypothesis text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entails' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 3
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entails(text, text, regclass, text) IS
    'scores of what a hypothesis is to a premise, best first (version pinned)';

CREATE FUNCTION lmtext.entails(premise text, hypotheses text[], model text DEFAULT NULL)
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entails_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 30
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entails(text, text[], text) IS
    'scores of what each hypothesis of an array is to a premise, best first, computed as one batch';

CREATE FUNCTION lmtext.entails(premise text, hypotheses text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entails_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 30
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entails(text, text[], regclass, text) IS
    'scores of what each hypothesis of an array is to a premise, best first, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.zero_shot(text text, labels text[], model text DEFAULT NULL, template text DEFAULT 'This example is {}.', multi_label boolean DEFAULT false)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_zero_shot' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 5
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.zero_shot(text, text[], text, text, boolean) IS
    'scores of labels for a text, by a model that was not trained on them, best first';

CREATE FUNCTION lmtext.zero_shot(text text, labels text[], model regclass, template text DEFAULT 'This example is {}.', multi_label boolean DEFAULT false, on_long text DEFAULT 'truncate')
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_zero_shot' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 5
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.zero_shot(text, text[], regclass, text, boolean, text) IS
    'scores of labels for a text, by a model that was not trained on them, best first (version pinned)';

CREATE FUNCTION lmtext.zero_shot(texts text[], labels text[], model text DEFAULT NULL, template text DEFAULT 'This example is {}.', multi_label boolean DEFAULT false)
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_zero_shot_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.zero_shot(text[], text[], text, text, boolean) IS
    'scores of labels for each text of an array, by a model that was not trained on them, best first';

CREATE FUNCTION lmtext.zero_shot(texts text[], labels text[], model regclass, template text DEFAULT 'This example is {}.', multi_label boolean DEFAULT false, on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_zero_shot_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.zero_shot(text[], text[], regclass, text, boolean, text) IS
    'scores of labels for each text of an array, by a model that was not trained on them, best first (version pinned)';

-- 37-ask: answers to questions.
CREATE FUNCTION lmtext.answer(question text, context text, model text DEFAULT NULL, k integer DEFAULT 1, no_answer boolean DEFAULT false)
    RETURNS TABLE (answer text, score real, start integer, stop integer)
    AS 'MODULE_PATHNAME', 'lmtext_answer' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 1
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.answer(text, text, text, integer, boolean) IS
    'stretches of a context that answer a question, best first, with their character offsets';

CREATE FUNCTION lmtext.answer(question text, context text, model regclass, k integer DEFAULT 1, no_answer boolean DEFAULT false)
    RETURNS TABLE (answer text, score real, start integer, stop integer)
    AS 'MODULE_PATHNAME', 'lmtext_answer' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 1
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.answer(text, text, regclass, integer, boolean) IS
    'stretches of a context that answer a question, best first, with their character offsets (version pinned)';

CREATE FUNCTION lmtext.answer(question text, contexts text[], model text DEFAULT NULL, k integer DEFAULT 1, no_answer boolean DEFAULT false)
    RETURNS TABLE (ordinality bigint, answer text, score real, start integer, stop integer)
    AS 'MODULE_PATHNAME', 'lmtext_answer_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.answer(text, text[], text, integer, boolean) IS
    'stretches of each context of an array that answer a question, best first, with their character offsets';

CREATE FUNCTION lmtext.answer(question text, contexts text[], model regclass, k integer DEFAULT 1, no_answer boolean DEFAULT false)
    RETURNS TABLE (ordinality bigint, answer text, score real, start integer, stop integer)
    AS 'MODULE_PATHNAME', 'lmtext_answer_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.answer(text, text[], regclass, integer, boolean) IS
    'stretches of each context of an array that answer a question, best first, with their character offsets (version pinned)';

-- 31-embed: the sides of a search, and hidden states.
CREATE FUNCTION lmtext.embed_query(text text, model text DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_query' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_query(text, text, integer) IS
    'embedding of a text that is searched for';

CREATE FUNCTION lmtext.embed_query(
    text text,
    model regclass,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_query' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_query(text, regclass, integer, text) IS
    'embedding of a text that is searched for (version pinned)';

CREATE FUNCTION lmtext.embed_query(texts text[], model text DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_query_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_query(text[], text, integer) IS
    'embeddings of texts that are searched for, as the rows of one array, computed as one batch';

CREATE FUNCTION lmtext.embed_query(
    texts text[],
    model regclass,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_query_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_query(text[], regclass, integer, text) IS
    'embeddings of texts that are searched for, as the rows of one array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.embed_document(text text, model text DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_document' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_document(text, text, integer) IS
    'embedding of a text that is to be found';

CREATE FUNCTION lmtext.embed_document(
    text text,
    model regclass,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_document' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_document(text, regclass, integer, text) IS
    'embedding of a text that is to be found (version pinned)';

CREATE FUNCTION lmtext.embed_document(texts text[], model text DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_document_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_document(text[], text, integer) IS
    'embeddings of texts that are to be found, as the rows of one array, computed as one batch';

CREATE FUNCTION lmtext.embed_document(
    texts text[],
    model regclass,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_document_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_document(text[], regclass, integer, text) IS
    'embeddings of texts that are to be found, as the rows of one array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.hidden_states(text text, model text DEFAULT NULL, layer integer DEFAULT -1)
    RETURNS SETOF real[]
    AS 'MODULE_PATHNAME', 'lmtext_hidden_states' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.hidden_states(text, text, integer) IS
    'what the encoder has for each token of a text behind one of its layers';

CREATE FUNCTION lmtext.hidden_states(text text, model regclass, layer integer DEFAULT -1)
    RETURNS SETOF real[]
    AS 'MODULE_PATHNAME', 'lmtext_hidden_states' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.hidden_states(text, regclass, integer) IS
    'what the encoder has for each token of a text behind one of its layers (version pinned)';

CREATE FUNCTION lmtext.hidden_states(texts text[], model text DEFAULT NULL, layer integer DEFAULT -1)
    RETURNS TABLE (ordinality bigint, state real[])
    AS 'MODULE_PATHNAME', 'lmtext_hidden_states_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.hidden_states(text[], text, integer) IS
    'what the encoder has for each token of each text of an array behind one of its layers';

CREATE FUNCTION lmtext.hidden_states(texts text[], model regclass, layer integer DEFAULT -1)
    RETURNS TABLE (ordinality bigint, state real[])
    AS 'MODULE_PATHNAME', 'lmtext_hidden_states_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.hidden_states(text[], regclass, integer) IS
    'what the encoder has for each token of each text of an array behind one of its layers (version pinned)';

-- 33-tag: tags of words.
CREATE FUNCTION lmtext.tag_words(words text[], model text DEFAULT NULL) RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_tag_words' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.tag_words(text[], text) IS
    'label of each word of a list: that with the highest score for the word''s first token';

CREATE FUNCTION lmtext.tag_words(words text[], model regclass) RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_tag_words' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.tag_words(text[], regclass) IS
    'label of each word of a list: that with the highest score for the word''s first token (version pinned)';

-- 33-tag: entities.
CREATE FUNCTION lmtext.entities(text text, model text DEFAULT NULL, aggregation text DEFAULT 'simple')
    RETURNS TABLE (entity text, label text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entities' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entities(text, text, text) IS
    'names of persons, places and the like in a text, with their character offsets';

CREATE FUNCTION lmtext.entities(
    text text,
    model regclass,
    aggregation text DEFAULT 'simple',
    on_long text DEFAULT 'truncate')
    RETURNS TABLE (entity text, label text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entities' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entities(text, regclass, text, text) IS
    'names of persons, places and the like in a text, with their character offsets (version pinned)';

CREATE FUNCTION lmtext.entities(texts text[], model text DEFAULT NULL, aggregation text DEFAULT 'simple')
    RETURNS TABLE (ordinality bigint, entity text, label text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entities_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 100
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entities(text[], text, text) IS
    'names of persons, places and the like in each text of an array, computed as one batch';

CREATE FUNCTION lmtext.entities(
    texts text[],
    model regclass,
    aggregation text DEFAULT 'simple',
    on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, entity text, label text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entities_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 100
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entities(text[], regclass, text, text) IS
    'names of persons, places and the like in each text of an array, computed as one batch (version pinned)';

-- 34-fill_mask: words for masks.
CREATE FUNCTION lmtext.fill_mask(text text, model text DEFAULT NULL, k integer DEFAULT 5)
    RETURNS TABLE (mask integer, token text, score real, sequence text)
    AS 'MODULE_PATHNAME', 'lmtext_fill_mask' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 5
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.fill_mask(text, text, integer) IS
    'the k most probable tokens for each mask of a text';

CREATE FUNCTION lmtext.fill_mask(text text, model regclass, k integer DEFAULT 5)
    RETURNS TABLE (mask integer, token text, score real, sequence text)
    AS 'MODULE_PATHNAME', 'lmtext_fill_mask' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 5
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.fill_mask(text, regclass, integer) IS
    'the k most probable tokens for each mask of a text (version pinned)';

CREATE FUNCTION lmtext.fill_mask(texts text[], model text DEFAULT NULL, k integer DEFAULT 5)
    RETURNS TABLE (ordinality bigint, mask integer, token text, score real, sequence text)
    AS 'MODULE_PATHNAME', 'lmtext_fill_mask_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.fill_mask(text[], text, integer) IS
    'the k most probable tokens for each mask of each text of an array, computed as one batch';

CREATE FUNCTION lmtext.fill_mask(texts text[], model regclass, k integer DEFAULT 5)
    RETURNS TABLE (ordinality bigint, mask integer, token text, score real, sequence text)
    AS 'MODULE_PATHNAME', 'lmtext_fill_mask_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.fill_mask(text[], regclass, integer) IS
    'the k most probable tokens for each mask of each text of an array, computed as one batch (version pinned)';

-- 38-late_interaction: a vector for each token, and scores of them.
CREATE FUNCTION lmtext.token_vectors(text text, model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_token_vectors' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.token_vectors(text, text, text) IS
    'a vector for each token of a text, as the rows of one array';

CREATE FUNCTION lmtext.token_vectors(text text, model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_token_vectors' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.token_vectors(text, regclass, text, text) IS
    'a vector for each token of a text, as the rows of one array (version pinned)';

CREATE FUNCTION lmtext.token_vectors(texts text[], model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS TABLE (ordinality bigint, vectors real[])
    AS 'MODULE_PATHNAME', 'lmtext_token_vectors_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.token_vectors(text[], text, text) IS
    'a vector for each token of each text of an array, computed as one batch';

CREATE FUNCTION lmtext.token_vectors(texts text[], model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, vectors real[])
    AS 'MODULE_PATHNAME', 'lmtext_token_vectors_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.token_vectors(text[], regclass, text, text) IS
    'a vector for each token of each text of an array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.maxsim(query text, document text, model text DEFAULT NULL)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_texts' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, text, text) IS
    'late interaction of a query and a document';

CREATE FUNCTION lmtext.maxsim(query text, document text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_texts' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, text, regclass, text) IS
    'late interaction of a query and a document (version pinned)';

CREATE FUNCTION lmtext.maxsim(query text, documents text[], model text DEFAULT NULL)
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, text[], text) IS
    'late interaction of a query and each document of an array, computed as one batch';

CREATE FUNCTION lmtext.maxsim(query text, documents text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, text[], regclass, text) IS
    'late interaction of a query and each document of an array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.maxsim(query text, vectors real[], model text DEFAULT NULL)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_stored' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, real[], text) IS
    'late interaction of a query and the stored token vectors of a document';

CREATE FUNCTION lmtext.maxsim(query text, vectors real[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_stored' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, real[], regclass, text) IS
    'late interaction of a query and the stored token vectors of a document (version pinned)';

CREATE FUNCTION lmtext.maxsim(query real[], document real[])
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_vectors' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext.maxsim(real[], real[]) IS
    'late interaction of stored token vectors: each of the query with the nearest of the document, added up';

-- 20-models: heads on the encoder of another model.
CREATE FUNCTION lmtext.add_head(name text, base text, source text, options jsonb DEFAULT '{}')
    RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_add_head'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext.add_head(text, text, text, jsonb) IS
    'create the next version of a model from the head in a directory on the server, on the encoder of another model; returns its number; needs EXECUTE';

REVOKE EXECUTE ON FUNCTION lmtext.add_head(text, text, text, jsonb) FROM PUBLIC;

-- 32-classify: words and their shares of a score.
CREATE FUNCTION lmtext.explain(
    text text,
    model text DEFAULT NULL,
    label text DEFAULT NULL,
    method text DEFAULT 'integrated_gradients',
    steps integer DEFAULT NULL,
    baseline text DEFAULT NULL)
    RETURNS TABLE (token text, start integer, stop integer, attribution real)
    AS 'MODULE_PATHNAME', 'lmtext_explain' LANGUAGE C STABLE PARALLEL SAFE COST 10000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.explain(text, text, text, text, integer, text) IS
    'words of a text and their shares of the score of a label';

CREATE FUNCTION lmtext.explain(
    text text,
    model regclass,
    label text DEFAULT NULL,
    method text DEFAULT 'integrated_gradients',
    steps integer DEFAULT NULL,
    baseline text DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS TABLE (token text, start integer, stop integer, attribution real)
    AS 'MODULE_PATHNAME', 'lmtext_explain' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.explain(text, regclass, text, text, integer, text, text) IS
    'words of a text and their shares of the score of a label (version pinned)';

CREATE FUNCTION lmtext.explain(
    texts text[],
    model text DEFAULT NULL,
    label text DEFAULT NULL,
    method text DEFAULT 'integrated_gradients',
    steps integer DEFAULT NULL,
    baseline text DEFAULT NULL)
    RETURNS TABLE (ordinality bigint, token text, start integer, stop integer, attribution real)
    AS 'MODULE_PATHNAME', 'lmtext_explain_array' LANGUAGE C STABLE PARALLEL SAFE COST 100000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.explain(text[], text, text, text, integer, text) IS
    'words of each text of an array and their shares of the score of a label';

CREATE FUNCTION lmtext.explain(
    texts text[],
    model regclass,
    label text DEFAULT NULL,
    method text DEFAULT 'integrated_gradients',
    steps integer DEFAULT NULL,
    baseline text DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, token text, start integer, stop integer, attribution real)
    AS 'MODULE_PATHNAME', 'lmtext_explain_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.explain(text[], regclass, text, text, integer, text, text) IS
    'words of each text of an array and their shares of the score of a label (version pinned)';

-- 20-models: what tokenizers may be made of, and tasks.
CREATE FUNCTION lmtext_internal.tokenizer_list(OUT stage text, OUT name text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_tokenizer_list'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 50;
COMMENT ON FUNCTION lmtext_internal.tokenizer_list() IS 'kinds of stages and models that a tokenizer may have';

CREATE VIEW lmtext.tokenizers AS SELECT t.stage, t.name FROM lmtext_internal.tokenizer_list() t;
COMMENT ON VIEW lmtext.tokenizers IS
    'what the tokenizer of a model may be made of: stages of tokenizer.json, and the types that each may have';

CREATE FUNCTION lmtext_internal.task_list(
    OUT name text, OUT does text, OUT functions text[], OUT setting text, OUT labels boolean)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_task_list'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 10;
COMMENT ON FUNCTION lmtext_internal.task_list() IS 'tasks that a model may have';

CREATE VIEW lmtext.tasks AS
    SELECT t.name, t.does, t.functions, t.setting, t.labels FROM lmtext_internal.task_list() t;
COMMENT ON VIEW lmtext.tasks IS 'tasks that a model may have, and the functions of each';
COMMENT ON COLUMN lmtext.tasks.does IS 'what models of the task are used for';
COMMENT ON COLUMN lmtext.tasks.functions IS 'functions of the schema lmtext that need such a model';
COMMENT ON COLUMN lmtext.tasks.setting IS 'the setting that names the model of calls that name none';
COMMENT ON COLUMN lmtext.tasks.labels IS 'whether the results are scores of labels';

GRANT SELECT ON lmtext.tokenizers, lmtext.tasks TO PUBLIC;

-- 90-monitoring: tokens of calls that share a forward pass.
COMMENT ON COLUMN lmtext.stats.tokens IS
    'tokens of these texts, including special tokens if the function uses them; none of a text that another call of its row had computed';
-- 90-monitoring: times of calls by buckets, and checks.
CREATE FUNCTION lmtext.latency_histogram(
    OUT role text, OUT database text, OUT model regclass, OUT version text, OUT function text,
    OUT bucket integer, OUT from_ms double precision, OUT to_ms double precision, OUT calls bigint)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_latency_histogram'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10000 ROWS 500;
COMMENT ON FUNCTION lmtext.latency_histogram() IS
    'times of the calls of lmtext.stats by buckets: calls that took from from_ms to less than to_ms; counts of one bucket add up over rows';

CREATE FUNCTION lmtext.health(OUT "check" text, OUT status text, OUT detail text, OUT hint text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_health'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000 ROWS 20;
COMMENT ON FUNCTION lmtext.health() IS
    'state of lmtext as far as the caller may see it: one row for each check, with status pass, warn or fail, and a hint where it is not pass';

-- 60-jobs: a task of a model over a column of a table, batch by batch. A job is its table of work, which
-- its owner owns; it runs as that role, and only as that role. What a job does is written as dynamic
-- SQL, of quoted names and of what create_job has checked; triggers of the user's see the search_path
-- of the session, so that no function here may set it.

-- Written by lmtext_internal.write_job only (src/pg/jobs/ledger.c).
CREATE TABLE lmtext.job (
    name text NOT NULL PRIMARY KEY,
    work regclass NOT NULL UNIQUE,
    relation regclass NOT NULL,
    text_column name,
    task text NOT NULL,
    model text NOT NULL,
    target regclass NOT NULL,
    target_column name NOT NULL,
    key name[] NOT NULL,
    options jsonb NOT NULL,
    paused boolean NOT NULL,
    attached boolean NOT NULL,
    scanned regclass[],
    author name NOT NULL
);
COMMENT ON TABLE lmtext.job IS 'jobs; the view lmtext.jobs shows them';
GRANT SELECT ON lmtext.job TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lmtext.job', '');

-- What ran on this server in the last 90 days; it is not dumped.
CREATE TABLE lmtext.job_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    work regclass NOT NULL,
    parent bigint,
    pid integer NOT NULL,
    model regclass,
    also regclass[],
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    finished_at timestamptz,
    status text NOT NULL,
    total bigint NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    errors bigint NOT NULL DEFAULT 0,
    sqlstate text,
    message text
);
CREATE INDEX job_run_work ON lmtext.job_run (work);
COMMENT ON TABLE lmtext.job_run IS 'runs of jobs; the view lmtext.job_runs shows them';
-- A message may repeat the text of a row.
GRANT SELECT (id, work, parent, pid, model, also, started_at, updated_at, finished_at, status, total, done, errors, sqlstate)
    ON lmtext.job_run TO PUBLIC;

-- Runs that go on: their session is still at the statement that began them. Of sessions of other roles no more is known than that they are there.
CREATE VIEW lmtext_internal.live_runs AS
    SELECT r.id, r.work, r.model, r.also FROM lmtext.job_run r JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) r.pid
    WHERE r.status OPERATOR(pg_catalog.=) 'running' AND COALESCE(a.state OPERATOR(pg_catalog.<>) 'idle', true)
        AND COALESCE(a.backend_start OPERATOR(pg_catalog.<=) r.started_at, true)
        AND COALESCE(a.query_start OPERATOR(pg_catalog.<=) r.started_at, true);
COMMENT ON VIEW lmtext_internal.live_runs IS 'runs whose session goes on with them';
GRANT SELECT ON lmtext_internal.live_runs TO PUBLIC;

CREATE VIEW lmtext_internal.own_messages AS
    SELECT r.id, CASE WHEN (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c
        WHERE c.oid OPERATOR(pg_catalog.=) r.work::pg_catalog.oid) THEN r.message END AS message
    FROM lmtext.job_run r;
COMMENT ON VIEW lmtext_internal.own_messages IS 'messages of runs, of jobs of roles that the current user has the rights of';
GRANT SELECT ON lmtext_internal.own_messages TO PUBLIC;

CREATE FUNCTION lmtext_internal.write_job(work oid, entry text, data jsonb) RETURNS bigint
    AS 'MODULE_PATHNAME', 'lmtext_write_ledger'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.write_job(oid, text, jsonb) IS
    'write what the tables of jobs and of runs say of a job; needs ownership of its table of work';

CREATE FUNCTION lmtext_internal.start_job_workers(job text, run bigint, count integer) RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_start_job_workers'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION lmtext_internal.start_job_workers(text, bigint, integer) IS
    'start background workers that do batches of a job as the current user; returns how many could be started';

CREATE FUNCTION lmtext_internal.count_job_workers(stop boolean) RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_count_job_workers'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.count_job_workers(boolean) IS
    'number of workers of this session that have not ended; true ends them first';

CREATE FUNCTION lmtext_internal.resolve_model(model text) RETURNS regclass
    AS 'MODULE_PATHNAME', 'lmtext_resolve_model'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.resolve_model(text) IS 'version that a model''s name means now';

-- Each name in what is returned is qualified, but those of pg_catalog, under which alone a stored expression is read.
CREATE FUNCTION lmtext_internal.parse_text(relation regclass, expression text, stored boolean, OUT canonical text, OUT columns name[])
    AS 'MODULE_PATHNAME', 'lmtext_parse_text'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.parse_text(regclass, text, boolean) IS
    'expression over columns of a table as a job keeps it, and the columns that it uses';

CREATE FUNCTION lmtext_internal.row_text(relation regclass, expression text, VARIADIC columns "any") RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_row_text'
    LANGUAGE C STABLE PARALLEL UNSAFE COST 10;
COMMENT ON FUNCTION lmtext_internal.row_text(regclass, text, "any") IS
    'text of a row, of the columns that the expression of a job uses';

CREATE FUNCTION lmtext_internal.try_text(relation regclass, expression text, VARIADIC columns "any") RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_try_text'
    LANGUAGE C STABLE PARALLEL UNSAFE COST 10;
COMMENT ON FUNCTION lmtext_internal.try_text(regclass, text, "any") IS
    'text of a row; where the expression fails for it, what tells the error';

-- ---- What a job can do ----

-- A row for each task: its type, what computes it (%s: the arguments), and the options of that function.
CREATE FUNCTION lmtext_internal.job_tasks(
    OUT task text, OUT model_task text, OUT type text, OUT expression text, OUT options text[])
    RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 100 ROWS 10 AS $$
    VALUES
        ('embed', 'embedding', 'real[]', 'lmtext.embed(%s)',
            '{prompt_name,prompt,dimensions,on_long}'::pg_catalog.text[]),
        ('embed_query', 'embedding', 'real[]', 'lmtext.embed_query(%s)', '{dimensions,on_long}'),
        ('embed_document', 'embedding', 'real[]', 'lmtext.embed_document(%s)', '{dimensions,on_long}'),
        ('token_vectors', 'late_interaction', 'real[]', 'lmtext.token_vectors(%s)', '{role,on_long}'),
        ('classify', 'classification', 'text', 'lmtext.classify(%s)', '{min_score,on_long}'),
        ('class_scores', 'classification', 'jsonb',
            '(SELECT pg_catalog.jsonb_object_agg(s.label, s.score) FROM lmtext.class_scores(%s) s)', '{on_long}'),
        ('entities', 'token_classification', 'jsonb',
            '(SELECT COALESCE(pg_catalog.jsonb_agg(s), ''[]'') FROM lmtext.entities(%s) s)', '{aggregation,on_long}'),
        ('tag', 'token_classification', 'jsonb',
            '(SELECT COALESCE(pg_catalog.jsonb_agg(s), ''[]'') FROM lmtext.tag(%s) s)', '{on_long}'),
        ('sparse', 'sparse', 'jsonb', 'lmtext.sparse(%s)', '{role,on_long}'),
        ('log_probability', 'language_model', 'double precision', 'lmtext.log_probability(%s)', '{}');
$$;
COMMENT ON FUNCTION lmtext_internal.job_tasks() IS 'tasks that a job can have, their types and options';

-- What a job writes: its own target, and those of the option also. A batch keeps values of different types, each in its slot.
CREATE FUNCTION lmtext_internal.job_targets(
    job lmtext.job, OUT n bigint, OUT task text, OUT model text, OUT target_column name, OUT options jsonb, OUT type text, OUT slot text)
    RETURNS SETOF record LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 2 AS $$
    SELECT a.n, t.task, a.target OPERATOR(pg_catalog.->>) 'model', (a.target OPERATOR(pg_catalog.->>) 'target')::pg_catalog.name,
        a.target, t.type, '{"real[]": "vector", "text": "label", "jsonb": "object", "double precision": "number"}'::pg_catalog.jsonb
            OPERATOR(pg_catalog.->>) t.type
    FROM pg_catalog.jsonb_array_elements(pg_catalog.jsonb_build_array((job).options OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object(
            'task', (job).task, 'model', (job).model, 'target', (job).target_column))
        OPERATOR(pg_catalog.||) COALESCE((job).options OPERATOR(pg_catalog.->) 'also', '[]')) WITH ORDINALITY a (target, n)
    JOIN lmtext_internal.job_tasks() t ON t.task OPERATOR(pg_catalog.=) (a.target OPERATOR(pg_catalog.->>) 'task');
$$;
COMMENT ON FUNCTION lmtext_internal.job_targets(lmtext.job) IS 'columns that a job writes, and how';

CREATE FUNCTION lmtext_internal.job_versions(job lmtext.job) RETURNS regclass[]
    LANGUAGE sql STABLE PARALLEL SAFE COST 10000 AS $$
    SELECT pg_catalog.array_agg(lmtext_internal.resolve_model(t.model) ORDER BY t.n) FROM lmtext_internal.job_targets(job) t;
$$;
COMMENT ON FUNCTION lmtext_internal.job_versions(lmtext.job) IS 'versions that the names of a job''s models mean now';

-- ---- Finding a job ----

-- What was given as a name, for a message; a text is not repeated.
CREATE FUNCTION lmtext_internal.shown(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 AS $$
    SELECT CASE WHEN name OPERATOR(pg_catalog.~) '^[A-Za-z0-9_.@-]{0,63}$' THEN name ELSE '...' END
$$;
COMMENT ON FUNCTION lmtext_internal.shown(text) IS 'a name as messages show it';

-- A job writes its table of work and its queue, and whoever owned such a table before may have added what runs code there:
-- what they did not have when they were made, NULL for none.
CREATE FUNCTION lmtext_internal.added_code(job lmtext.job, relation regclass) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT a.what FROM pg_catalog.pg_class c JOIN pg_catalog.pg_class w ON w.oid OPERATOR(pg_catalog.=) (job).work,
        LATERAL (VALUES
            ('another owner', c.relowner OPERATOR(pg_catalog.<>) w.relowner),
            ('another kind', c.relkind OPERATOR(pg_catalog.<>) 'r'),
            ('row security', c.relrowsecurity OR c.relforcerowsecurity),
            ('a rule', EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid)),
            ('a trigger', EXISTS (SELECT FROM pg_catalog.pg_trigger t
                WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT t.tgisinternal)),
            ('a child', EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent OPERATOR(pg_catalog.=) c.oid)),
            ('a constraint', EXISTS (SELECT FROM pg_catalog.pg_constraint n WHERE n.conrelid OPERATOR(pg_catalog.=) c.oid
                AND n.contype OPERATOR(pg_catalog.<>) ALL ('{p,u,n}'::pg_catalog."char"[]))),
            ('a default', EXISTS (SELECT FROM pg_catalog.pg_attrdef d WHERE d.adrelid OPERATOR(pg_catalog.=) c.oid
                AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) OPERATOR(pg_catalog.<>) ALL ('{true,0}'::pg_catalog.text[]))),
            ('an index', EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid
                AND (i.indexprs IS NOT NULL OR pg_catalog.pg_get_expr(i.indpred, i.indrelid)
                    OPERATOR(pg_catalog.<>) ALL ('{due,(sqlstate IS NOT NULL)}'::pg_catalog.text[])))),
            ('a type', EXISTS (SELECT FROM pg_catalog.pg_attribute t
                JOIN pg_catalog.pg_type y ON y.oid OPERATOR(pg_catalog.=) t.atttypid
                WHERE t.attrelid OPERATOR(pg_catalog.=) c.oid AND t.attnum OPERATOR(pg_catalog.>) 0
                AND y.typnamespace OPERATOR(pg_catalog.<>) 'pg_catalog'::pg_catalog.regnamespace
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute k WHERE k.attrelid OPERATOR(pg_catalog.=) (job).relation
                    AND k.attname OPERATOR(pg_catalog.=) ANY ((job).key) AND k.atttypid OPERATOR(pg_catalog.=) t.atttypid)))
        ) a (what, there)
    WHERE c.oid OPERATOR(pg_catalog.=) relation AND a.there LIMIT 1;
$$;
COMMENT ON FUNCTION lmtext_internal.added_code(lmtext.job, regclass) IS
    'what was added to a table of a job, and could run code as who writes it';

CREATE FUNCTION lmtext_internal.check_plain(job lmtext.job, relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    added text := lmtext_internal.added_code(job, relation);
BEGIN
    IF added IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('table %s of job "%s" has %s', relation, job.name, added),
            DETAIL = 'It could run code with the privileges of who runs the job.',
            HINT = 'Undo that, or drop the table and create the job again.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_plain(lmtext.job, regclass) IS 'refuse a table of a job to which code was added';

-- The owner alone: what a job does is the owner's, and would be done with the caller's privileges.
CREATE FUNCTION lmtext_internal.own_job(job_name text) RETURNS lmtext.job
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    found_job lmtext.job;
    owner name;
BEGIN
    SELECT j.* INTO found_job FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
    WHERE j.name OPERATOR(pg_catalog.=) job_name;
    IF found_job.name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = pg_catalog.format('job "%s" does not exist', lmtext_internal.shown(job_name)),
            HINT = 'The view lmtext.jobs lists the jobs.';
    END IF;
    SELECT pg_catalog.pg_get_userbyid(c.relowner) INTO owner FROM pg_catalog.pg_class c
    WHERE c.oid OPERATOR(pg_catalog.=) found_job.work;
    IF owner OPERATOR(pg_catalog.<>) CURRENT_USER THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = pg_catalog.format('must be owner of job "%s"', job_name),
            DETAIL = 'What a job runs, triggers of its table among it, has the privileges of the role that runs it.',
            HINT = pg_catalog.format('Log in as %I. SET ROLE is not enough protection: code of the job can RESET ROLE.', owner);
    END IF;
    IF found_job.author OPERATOR(pg_catalog.<>) CURRENT_USER AND found_job.options OPERATOR(pg_catalog.?|) '{text,then}'::pg_catalog.text[] THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('job "%s" runs code that another role has written', job_name),
            DETAIL = pg_catalog.format('Its options "text" and "then" are those of role %I.', found_job.author),
            HINT = pg_catalog.format('Drop table %s and create the job again.', found_job.work);
    END IF;
    PERFORM lmtext_internal.check_plain(found_job, found_job.work);
    RETURN found_job;
END $$;
COMMENT ON FUNCTION lmtext_internal.own_job(text) IS 'job of the current user by its name';

-- Qualified and quoted; a table that was dropped is an error.
CREATE FUNCTION lmtext_internal.table_name(relation regclass) RETURNS text
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 100 AS $$
DECLARE
    qualified text;
BEGIN
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) INTO qualified
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) relation;
    IF qualified IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = 'a table of the job was dropped',
            DETAIL = pg_catalog.format('Its OID was %s.', relation::pg_catalog.oid);
    END IF;
    RETURN qualified;
END $$;
COMMENT ON FUNCTION lmtext_internal.table_name(regclass) IS 'qualified name of a table';

-- The text of a row r, and the columns that it is made of.
CREATE FUNCTION lmtext_internal.job_columns(job lmtext.job) RETURNS name[]
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT CASE WHEN (job).text_column IS NOT NULL THEN ARRAY[(job).text_column]
        ELSE (SELECT p.columns FROM lmtext_internal.parse_text((job).relation, (job).options OPERATOR(pg_catalog.->>) 'text', true) p) END;
$$;
COMMENT ON FUNCTION lmtext_internal.job_columns(lmtext.job) IS 'columns that the text of a job is made of';

CREATE FUNCTION lmtext_internal.job_body(job lmtext.job) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT CASE WHEN (job).text_column IS NOT NULL THEN pg_catalog.format('r.%I::pg_catalog.text', (job).text_column)
        ELSE pg_catalog.format('lmtext_internal.row_text(%L::pg_catalog.regclass, %L%s)', (job).relation::pg_catalog.oid,
            (job).options OPERATOR(pg_catalog.->>) 'text', (SELECT pg_catalog.string_agg(pg_catalog.format(', r.%I', c.name), '' ORDER BY c.n)
                FROM ROWS FROM (pg_catalog.unnest(lmtext_internal.job_columns(job))) WITH ORDINALITY c (name, n))) END;
$$;
COMMENT ON FUNCTION lmtext_internal.job_body(lmtext.job) IS 'expression of the text of a row';

-- The same where rows are looked at and not done: one of which the text fails does not keep the others back.
CREATE FUNCTION lmtext_internal.job_tried_body(job lmtext.job) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT CASE WHEN (job).text_column IS NOT NULL THEN lmtext_internal.job_body(job)
        ELSE pg_catalog.regexp_replace(lmtext_internal.job_body(job), '^lmtext_internal.row_text', 'lmtext_internal.try_text') END;
$$;
COMMENT ON FUNCTION lmtext_internal.job_tried_body(lmtext.job) IS 'expression of the text of a row, or of what tells its error';

-- Pieces of a job's statements: w is a row of work, r one of the relation. A table is read without its
-- children, which its primary key does not cover. Keys are equal as the primary key sees it.
CREATE TYPE lmtext_internal.job_pieces AS (
    work text, relation text, relation_keys text, work_keys text, key_names text,
    key_text text, matches text, same_keys text, body text, hash text, stale text, to_do text
);
COMMENT ON TYPE lmtext_internal.job_pieces IS 'pieces of the statements of a job';

CREATE FUNCTION lmtext_internal.job_parts(
    job lmtext.job,
    OUT work text, OUT relation text, OUT relation_keys text, OUT work_keys text, OUT key_names text,
    OUT key_text text, OUT matches text, OUT same_keys text, OUT body text, OUT hash text, OUT stale text, OUT to_do text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    tried text := lmtext_internal.job_tried_body(job);
BEGIN
    work := lmtext_internal.table_name(job.work);
    SELECT pg_catalog.concat(CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'r' THEN 'ONLY ' END, lmtext_internal.table_name(job.relation))
    INTO relation FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) job.relation;
    relation := COALESCE(relation, lmtext_internal.table_name(job.relation));
    SELECT pg_catalog.string_agg(pg_catalog.format('r.%I', k.name), ', ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('w.k%s', k.n), ', ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('%I', k.name), ', ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('w.k%s OPERATOR(%I.%s) r.%I', k.n, n.nspname, o.oprname, k.name),
               ' AND ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('w.k%s OPERATOR(%I.%s) d.k%1$s', k.n, n.nspname, o.oprname), ' AND ' ORDER BY k.n)
    INTO relation_keys, work_keys, key_names, matches, same_keys
    FROM ROWS FROM (pg_catalog.unnest(job.key)) WITH ORDINALITY k (name, n)
    JOIN pg_catalog.pg_index i ON i.indrelid OPERATOR(pg_catalog.=) job.work AND i.indisprimary
    JOIN pg_catalog.pg_opclass c
        ON c.oid OPERATOR(pg_catalog.=) i.indclass[(k.n OPERATOR(pg_catalog.-) 1)::int]
    JOIN pg_catalog.pg_amop a ON a.amopfamily OPERATOR(pg_catalog.=) c.opcfamily
        AND a.amopstrategy OPERATOR(pg_catalog.=) 3 AND a.amoplefttype OPERATOR(pg_catalog.=) c.opcintype
        AND a.amoprighttype OPERATOR(pg_catalog.=) c.opcintype
    JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) a.amopopr
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace;
    key_text := CASE WHEN pg_catalog.cardinality(job.key) OPERATOR(pg_catalog.=) 1 THEN 'w.k1::pg_catalog.text'
        ELSE pg_catalog.format('ROW(%s)::pg_catalog.text', work_keys) END;
    body := lmtext_internal.job_body(job);
    hash := pg_catalog.format('pg_catalog.hashtextextended(%s COLLATE "C", 0)', tried);
    SELECT pg_catalog.format('(NOT w.due OR w.retry_at IS NOT NULL)'
        ' AND (w.model IS NULL OR w.model::pg_catalog.oid OPERATOR(pg_catalog.<>) ($1)[1]::pg_catalog.oid%s'
        ' OR COALESCE(w.hash OPERATOR(pg_catalog.<>) %s, (w.hash IS NULL) OPERATOR(pg_catalog.<>) (%s IS NULL))%s)',
        CASE WHEN pg_catalog.count(*) OPERATOR(pg_catalog.>) 1
            THEN ' OR COALESCE(w.also::pg_catalog.oid[] OPERATOR(pg_catalog.<>) ($1)[2:]::pg_catalog.oid[], true)' END, hash, tried,
        CASE WHEN job.target OPERATOR(pg_catalog.=) job.relation THEN pg_catalog.format(' OR w.sqlstate IS NULL AND (%s)',
            pg_catalog.string_agg(pg_catalog.format('(w.blank OPERATOR(pg_catalog.>>) %s) OPERATOR(pg_catalog.%%) 2 OPERATOR(pg_catalog.=) 0'
                ' AND r.%I IS NULL', t.n OPERATOR(pg_catalog.-) 1, t.target_column), ' OR ' ORDER BY t.n)) END)
    INTO stale FROM lmtext_internal.job_targets(job) t;
    to_do := pg_catalog.format('%s r LEFT JOIN %s w ON %s WHERE w.position IS NULL OR w.due AND (w.retry_at IS NULL'
        ' OR w.retry_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()) OR %s', relation, work, matches, stale);
END $$;
COMMENT ON FUNCTION lmtext_internal.job_parts(lmtext.job) IS 'pieces of the statements of a job';

-- What computes a text (t.body) for each target: columns v1, v2, and so on.
CREATE FUNCTION lmtext_internal.job_expressions(job lmtext.job, versions regclass[]) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 10000 AS $$
    SELECT pg_catalog.string_agg(pg_catalog.format(pg_catalog.concat(k.expression, ' AS v%s'), pg_catalog.format('t.body, %L::pg_catalog.regclass%s',
        versions[t.n]::pg_catalog.oid,
        (SELECT pg_catalog.string_agg(pg_catalog.format(', %I => %L', o.key, o.value), '' ORDER BY o.key)
         FROM pg_catalog.jsonb_each_text(t.options) o
         WHERE o.key OPERATOR(pg_catalog.=) ANY (k.options) AND o.value IS NOT NULL)), t.n), ', ' ORDER BY t.n)
    FROM lmtext_internal.job_targets(job) t JOIN lmtext_internal.job_tasks() k ON k.task OPERATOR(pg_catalog.=) t.task;
$$;
COMMENT ON FUNCTION lmtext_internal.job_expressions(lmtext.job, regclass[]) IS
    'expressions that compute a text of a job';

CREATE FUNCTION lmtext_internal.job_option(job lmtext.job, option text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 AS $$
    SELECT COALESCE((job).options OPERATOR(pg_catalog.->>) option,
        '{"batch_size": 256, "retries": 3, "retry_after": "1 minute", "min_workers": 1, "max_workers": 1, "missed_runs": "once"}'::pg_catalog.jsonb OPERATOR(pg_catalog.->>) option);
$$;
COMMENT ON FUNCTION lmtext_internal.job_option(lmtext.job, text) IS 'option of a job, or its default';

-- ---- Making and dropping ----

CREATE FUNCTION lmtext_internal.check_task_options(task text, options jsonb, known text[]) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    wrong text;
BEGIN
    SELECT pg_catalog.array_cat(known, t.options) INTO known FROM lmtext_internal.job_tasks() t
    WHERE t.task OPERATOR(pg_catalog.=) check_task_options.task;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('unknown task "%s" of a job', lmtext_internal.shown(task)),
            HINT = pg_catalog.format('Available tasks: %s.',
                (SELECT pg_catalog.string_agg(t.task, ', ') FROM lmtext_internal.job_tasks() t));
    END IF;
    SELECT o INTO wrong FROM pg_catalog.jsonb_object_keys(check_task_options.options) o WHERE o OPERATOR(pg_catalog.<>) ALL (known);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('unknown option "%s"', lmtext_internal.shown(wrong)),
            HINT = pg_catalog.format('Available options: %s.', pg_catalog.array_to_string(known, ', '));
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_task_options(text, jsonb, text[]) IS 'refuses a task or options that no target of a job can have';

-- Other targets of the job: an array of objects, each with its task and its column.
CREATE FUNCTION lmtext_internal.check_also(also jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    target jsonb;
BEGIN
    IF pg_catalog.jsonb_typeof(also) OPERATOR(pg_catalog.<>) 'array' OR pg_catalog.jsonb_path_exists(also, 'strict $[*] ? (@.type() != "object")')
            OR pg_catalog.jsonb_array_length(also) OPERATOR(pg_catalog.>) 15 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'option "also" must be an array of at most 15 objects',
            HINT = 'Each has a task and a target: [{"task": "classify", "model": "section", "target": "label"}].';
    END IF;
    FOR target IN SELECT a.value FROM pg_catalog.jsonb_array_elements(also) a LOOP
        IF NOT pg_catalog.jsonb_path_match(target, 'exists($ ? (@.task.type() == "string" && @.target.type() == "string"))') THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a target of option "also" needs "task" and "target"';
        END IF;
        PERFORM lmtext_internal.check_task_options(target OPERATOR(pg_catalog.->>) 'task', target, '{task,model,target}');
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_also(jsonb) IS 'refuses targets that no job can have';

CREATE FUNCTION lmtext_internal.check_job_options(task text, options jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    least int;
    most int;
BEGIN
    IF pg_catalog.jsonb_typeof(options) OPERATOR(pg_catalog.<>) 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'options must be a JSON object';
    END IF;
    PERFORM lmtext_internal.check_task_options(task, options,
        '{text,side_table,also,after,then,batch_size,retries,retry_after,min_workers,max_workers,missed_runs}');
    IF options OPERATOR(pg_catalog.?) 'also' THEN
        PERFORM lmtext_internal.check_also(options OPERATOR(pg_catalog.->) 'also');
    END IF;
    IF NOT COALESCE((options OPERATOR(pg_catalog.->>) 'batch_size')::int, 256)
            OPERATOR(pg_catalog.<@) pg_catalog.int4range(1, 100000, '[]') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'option "batch_size" must be from 1 to 100000';
    END IF;
    IF NOT COALESCE((options OPERATOR(pg_catalog.->>) 'retries')::int, 0)
            OPERATOR(pg_catalog.<@) pg_catalog.int4range(0, 20, '[]') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'option "retries" must be from 0 to 20';
    END IF;
    PERFORM (options OPERATOR(pg_catalog.->>) 'retry_after')::interval;
    least := COALESCE((options OPERATOR(pg_catalog.->>) 'min_workers')::int, 1);
    most := COALESCE((options OPERATOR(pg_catalog.->>) 'max_workers')::int, 1);
    IF least OPERATOR(pg_catalog.<) 1 OR most OPERATOR(pg_catalog.<) least OR most OPERATOR(pg_catalog.>) 64 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'options "min_workers" and "max_workers" must be from 1 to 64, the first not above the second';
    END IF;
    IF COALESCE(options OPERATOR(pg_catalog.->>) 'missed_runs', 'once') OPERATOR(pg_catalog.<>) ALL ('{once,skip}'::pg_catalog.text[]) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'option "missed_runs" must be once or skip';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_job_options(text, jsonb) IS 'refuses a task or options that no job can have';

-- The columns of the primary key of a relation that a job can work on.
CREATE FUNCTION lmtext_internal.job_key(relation regclass) RETURNS name[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    table_row pg_catalog.pg_class;
    key name[];
BEGIN
    SELECT c.* INTO table_row FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) relation;
    IF table_row.relname IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = pg_catalog.format('relation with OID %s does not exist', relation::pg_catalog.oid);
    END IF;
    IF table_row.relkind OPERATOR(pg_catalog.<>) ALL ('{r,p}'::pg_catalog."char"[])
            OR table_row.relpersistence OPERATOR(pg_catalog.=) 't' THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
            MESSAGE = pg_catalog.format('a job cannot work on "%s"', relation),
            DETAIL = 'It is not a table, or a temporary one.';
    END IF;
    SELECT pg_catalog.array_agg(a.attname ORDER BY k.n) INTO key
    FROM pg_catalog.pg_index i, ROWS FROM (pg_catalog.unnest(i.indkey::smallint[])) WITH ORDINALITY k (number, n),
        pg_catalog.pg_attribute a
    WHERE i.indrelid OPERATOR(pg_catalog.=) relation AND i.indisprimary
        AND k.n OPERATOR(pg_catalog.<=) i.indnkeyatts
        AND a.attrelid OPERATOR(pg_catalog.=) relation AND a.attnum OPERATOR(pg_catalog.=) k.number;
    IF key IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('table "%s" has no primary key', relation),
            DETAIL = 'A job knows rows by their primary key.',
            HINT = pg_catalog.format('Add one, for example: ALTER TABLE %s ADD id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;', relation);
    END IF;
    RETURN key;
END $$;
COMMENT ON FUNCTION lmtext_internal.job_key(regclass) IS 'primary key of a table that a job can work on';

-- A name that means the same under every search_path: of a version, or of a model.
CREATE FUNCTION lmtext_internal.qualified_model(model text, task text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    chosen text := model;
    version regclass;
    pinned boolean;
    qualified text;
BEGIN
    IF chosen IS NULL THEN
        SELECT pg_catalog.current_setting(s.setting) INTO chosen
        FROM lmtext_internal.job_tasks() t
        JOIN lmtext_internal.task_list() s ON s.name OPERATOR(pg_catalog.=) t.model_task
        WHERE t.task OPERATOR(pg_catalog.=) qualified_model.task;
    END IF;
    IF COALESCE(chosen, '') OPERATOR(pg_catalog.=) '' THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = 'no model was given and no default is set';
    END IF;
    version := lmtext_internal.resolve_model(chosen);
    pinned := chosen OPERATOR(pg_catalog.~) '@[0-9]+"?$';
    SELECT pg_catalog.format('%I.%I', n.nspname,
            CASE WHEN pinned THEN c.relname::pg_catalog.text ELSE pg_catalog.regexp_replace(c.relname::pg_catalog.text, '@[0-9]+$', '') END)
    INTO qualified
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) version;
    RETURN qualified;
END $$;
COMMENT ON FUNCTION lmtext_internal.qualified_model(text, text) IS 'qualified name of a model, or of the default of a task';

-- The target is made if it is not there; then a statement like the job's is planned, which says whether
-- the types go together and whether the caller may.
CREATE FUNCTION lmtext_internal.make_target(job lmtext.job, side_table text) RETURNS regclass
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    relation_row pg_catalog.pg_class;
    target text;
    keys text;
    columns text;
    nulls text;
    sets text;
    one record;
BEGIN
    IF job.relation IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a job needs a table';
    END IF;
    SELECT c.* INTO relation_row FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) job.relation;
    SELECT pg_catalog.string_agg(pg_catalog.format('%I', k.name), ', ' ORDER BY k.n) INTO keys
    FROM ROWS FROM (pg_catalog.unnest(job.key)) WITH ORDINALITY k (name, n);
    target := lmtext_internal.table_name(job.relation);
    IF side_table IS NOT NULL THEN
        target := pg_catalog.format('%s.%I', relation_row.relnamespace::pg_catalog.regnamespace, side_table);
        IF pg_catalog.to_regclass(target) IS NULL THEN
            EXECUTE pg_catalog.format('CREATE TABLE %s AS SELECT %s FROM %s WITH NO DATA',
                target, keys, lmtext_internal.table_name(job.relation));
            EXECUTE pg_catalog.format('ALTER TABLE %s ADD PRIMARY KEY (%s)', target, keys);
        ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles me ON me.rolname OPERATOR(pg_catalog.=) CURRENT_USER
                WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(target)::pg_catalog.oid
                    AND (c.relowner OPERATOR(pg_catalog.=) ANY (ARRAY[me.oid, relation_row.relowner])
                        OR NOT me.rolsuper AND pg_catalog.pg_has_role(c.relowner, 'USAGE'))) THEN
            -- Its triggers would run as the owner of the job.
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
                MESSAGE = pg_catalog.format('table "%s" is there already, and another role''s', side_table);
        END IF;
    END IF;
    FOR one IN SELECT t.* FROM lmtext_internal.job_targets(job) t WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
            WHERE a.attrelid OPERATOR(pg_catalog.=) target::pg_catalog.regclass
                AND a.attname OPERATOR(pg_catalog.=) t.target_column AND NOT a.attisdropped) LOOP
        EXECUTE pg_catalog.format('ALTER TABLE %s ADD %I %s', target, one.target_column, one.type);
    END LOOP;
    SELECT pg_catalog.string_agg(pg_catalog.format('%I', t.target_column), ', ' ORDER BY t.n),
           pg_catalog.string_agg(pg_catalog.format('NULL::%s', t.type), ', ' ORDER BY t.n),
           pg_catalog.string_agg(pg_catalog.format(CASE WHEN side_table IS NULL THEN '%1$I = NULL::%2$s' ELSE '%1$I = excluded.%1$I' END,
               t.target_column, t.type), ', ' ORDER BY t.n)
    INTO columns, nulls, sets FROM lmtext_internal.job_targets(job) t;
    IF side_table IS NULL THEN
        EXECUTE pg_catalog.format('EXPLAIN UPDATE %s SET %s', target, sets);
    ELSE
        EXECUTE pg_catalog.format(
            'EXPLAIN INSERT INTO %1$s (%2$s, %3$s) SELECT %2$s, %4$s FROM %5$s ON CONFLICT (%2$s) DO UPDATE SET %6$s',
            target, keys, columns, nulls, lmtext_internal.table_name(job.relation), sets);
    END IF;
    RETURN target::pg_catalog.regclass;
END $$;
COMMENT ON FUNCTION lmtext_internal.make_target(lmtext.job, text) IS
    'table that a job writes, it and its columns made if missing';

-- A job may follow one of the same owner; it cannot follow itself.
CREATE FUNCTION lmtext_internal.check_after(name text, after text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    leader lmtext.job := lmtext_internal.own_job(after);
BEGIN
    LOOP
        IF leader.name OPERATOR(pg_catalog.=) check_after.name OR leader.options OPERATOR(pg_catalog.->>) 'after' OPERATOR(pg_catalog.=) check_after.name THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = pg_catalog.format('job "%s" would follow itself', check_after.name),
                DETAIL = pg_catalog.format('Job "%s" follows it.', leader.name);
        END IF;
        SELECT j.* INTO leader FROM lmtext.job j WHERE j.name OPERATOR(pg_catalog.=) (leader.options OPERATOR(pg_catalog.->>) 'after');
        EXIT WHEN leader.name IS NULL;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_after(text, text) IS 'refuses a job that would follow itself';

-- The qualified name of a procedure that takes a job and a run.
CREATE FUNCTION lmtext_internal.then_procedure(name text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    parts text[] := pg_catalog.parse_ident(then_procedure.name);
    qualified text;
    procedure oid;
BEGIN
    SELECT pg_catalog.format('%I.%I', n.nspname, p.proname), p.oid INTO qualified, procedure
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    WHERE p.oid OPERATOR(pg_catalog.=) pg_catalog.to_regprocedure(pg_catalog.concat((SELECT pg_catalog.string_agg(pg_catalog.quote_ident(i.part), '.' ORDER BY i.n)
            FROM ROWS FROM (pg_catalog.unnest(parts)) WITH ORDINALITY i (part, n)
            WHERE i.n OPERATOR(pg_catalog.<) 3), '(pg_catalog.text, pg_catalog.int8)'))::pg_catalog.oid
        AND pg_catalog.cardinality(parts) OPERATOR(pg_catalog.<) 3 AND p.prokind OPERATOR(pg_catalog.=) 'p';
    IF qualified IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_function',
            MESSAGE = pg_catalog.format('procedure %s(text, bigint) does not exist', then_procedure.name),
            HINT = 'Option "then" names a procedure that takes the name of the job and the number of the run.';
    ELSIF NOT pg_catalog.has_function_privilege(procedure, 'EXECUTE') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = pg_catalog.format('permission denied for procedure %s', qualified);
    END IF;
    RETURN qualified;
END $$;
COMMENT ON FUNCTION lmtext_internal.then_procedure(text) IS 'procedure that is called at the end of a run';

-- Options as a job keeps them: names mean the same under every search_path.
CREATE FUNCTION lmtext_internal.fixed_options(name text, relation regclass, options jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    fixed jsonb := pg_catalog.jsonb_strip_nulls(options);
BEGIN
    IF fixed OPERATOR(pg_catalog.?) 'text' THEN
        fixed := pg_catalog.jsonb_set(fixed, '{text}', (SELECT pg_catalog.to_jsonb(p.canonical)
            FROM lmtext_internal.parse_text(relation, fixed OPERATOR(pg_catalog.->>) 'text', false) p));
    END IF;
    IF fixed OPERATOR(pg_catalog.?) 'also' THEN
        fixed := pg_catalog.jsonb_set(fixed, '{also}', (SELECT COALESCE(pg_catalog.jsonb_agg(a.value OPERATOR(pg_catalog.||)
            pg_catalog.jsonb_build_object('model', lmtext_internal.qualified_model(a.value OPERATOR(pg_catalog.->>) 'model',
                a.value OPERATOR(pg_catalog.->>) 'task')) ORDER BY a.n), '[]')
            FROM pg_catalog.jsonb_array_elements(fixed OPERATOR(pg_catalog.->) 'also') WITH ORDINALITY a (value, n)));
    END IF;
    IF fixed OPERATOR(pg_catalog.?) 'after' THEN
        PERFORM lmtext_internal.check_after(name, fixed OPERATOR(pg_catalog.->>) 'after');
    END IF;
    IF fixed OPERATOR(pg_catalog.?) 'then' THEN
        fixed := pg_catalog.jsonb_set(fixed, '{then}', pg_catalog.to_jsonb(lmtext_internal.then_procedure(fixed OPERATOR(pg_catalog.->>) 'then')));
    END IF;
    RETURN fixed;
END $$;
COMMENT ON FUNCTION lmtext_internal.fixed_options(text, regclass, jsonb) IS 'options of a job as it keeps them';

CREATE FUNCTION lmtext_internal.check_targets(job lmtext.job) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT t.target_column, pg_catalog.count(*) AS times FROM lmtext_internal.job_targets(job) t GROUP BY t.target_column LOOP
        IF one.target_column OPERATOR(pg_catalog.=) ANY (pg_catalog.array_cat(job.key, lmtext_internal.job_columns(job))) THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = pg_catalog.format('column "%s" cannot be the target: the job reads it', one.target_column);
        ELSIF one.times OPERATOR(pg_catalog.>) 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
                MESSAGE = pg_catalog.format('column "%s" is the target of two tasks', one.target_column);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_targets(lmtext.job) IS 'refuses columns that a job cannot write';

-- What a table of work is of: one that a dump has brought along is taken up by the same job alone.
CREATE FUNCTION lmtext_internal.work_comment(job lmtext.job) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT pg_catalog.format('lmtext job %s: what was done for each row (%s)', (job).name, pg_catalog.left(pg_catalog.encode(pg_catalog.sha256(
        pg_catalog.convert_to(pg_catalog.jsonb_build_array(lmtext_internal.table_name((job).relation), (job).key, (job).text_column, (job).task, (job).model,
            (job).target_column, (job).options
            OPERATOR(pg_catalog.-) '{after,then,batch_size,retries,retry_after,min_workers,max_workers,missed_runs}'::pg_catalog.text[])::pg_catalog.text, 'UTF8')), 'hex'), 16));
$$;
COMMENT ON FUNCTION lmtext_internal.work_comment(lmtext.job) IS 'comment of the table of work of a job, which says what job it is';

CREATE FUNCTION lmtext_internal.check_old_work(job lmtext.job, old regclass) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
BEGIN
    IF (SELECT pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.<>) CURRENT_USER FROM pg_catalog.pg_class c
                WHERE c.oid OPERATOR(pg_catalog.=) old)
            OR EXISTS (SELECT FROM lmtext.job j WHERE j.work::pg_catalog.oid OPERATOR(pg_catalog.=) old::pg_catalog.oid)
            OR COALESCE(pg_catalog.obj_description(old, 'pg_class'), '') OPERATOR(pg_catalog.<>) lmtext_internal.work_comment(job) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_table',
            MESSAGE = pg_catalog.format('table %s is there already, and not of such a job', old),
            HINT = 'Create the job that it is of, with the same texts, models and targets, or drop the table.';
    END IF;
    job.work := old;
    PERFORM lmtext_internal.check_plain(job, old);
END $$;
COMMENT ON FUNCTION lmtext_internal.check_old_work(lmtext.job, regclass) IS 'refuses a table of work that is not of a job';

CREATE FUNCTION lmtext_internal.make_work(job lmtext.job) RETURNS regclass
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    work text;
    old regclass;
    columns text;
    keys text;
BEGIN
    SELECT pg_catalog.format('%s.%I', c.relnamespace::pg_catalog.regnamespace, pg_catalog.concat(job.name, '@job')) INTO work
    FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) job.relation;
    old := pg_catalog.to_regclass(work);
    IF old IS NOT NULL THEN
        PERFORM lmtext_internal.check_old_work(job, old);
        EXECUTE pg_catalog.format('ALTER TABLE %s RENAME TO %I', work, pg_catalog.concat(job.name, '@old'));
    END IF;
    SELECT pg_catalog.string_agg(pg_catalog.format('%I AS k%s', k.name, k.n), ', ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('k%s', k.n), ', ' ORDER BY k.n) INTO columns, keys
    FROM ROWS FROM (pg_catalog.unnest(job.key)) WITH ORDINALITY k (name, n);
    EXECUTE pg_catalog.format('CREATE TABLE %s AS SELECT %s FROM %s WITH NO DATA',
        work, columns, lmtext_internal.table_name(job.relation));
    EXECUTE pg_catalog.format(
        'ALTER TABLE %s ADD PRIMARY KEY (%s), ADD position bigint GENERATED ALWAYS AS IDENTITY, '
        'ADD due boolean NOT NULL DEFAULT true, ADD blank integer, ADD hash bigint, ADD model regclass, ADD also regclass[], ADD at timestamptz, '
        'ADD tries smallint NOT NULL DEFAULT 0, ADD retry_at timestamptz, ADD key text, ADD sqlstate text, ADD message text',
        work, keys);
    EXECUTE pg_catalog.format('CREATE INDEX ON %s (position) WHERE due', work);
    EXECUTE pg_catalog.format('CREATE INDEX ON %s (position) WHERE sqlstate IS NOT NULL', work);
    EXECUTE pg_catalog.format('COMMENT ON TABLE %s IS %L', work, lmtext_internal.work_comment(job));
    IF old IS NOT NULL THEN
        columns := pg_catalog.concat(keys, ', position, due, blank, hash, model, also, at, tries, retry_at, key, sqlstate, message');
        EXECUTE pg_catalog.format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM %3$s', work, columns, lmtext_internal.table_name(old));
        EXECUTE pg_catalog.format('SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence(%L, ''position''), COALESCE(pg_catalog.max(w.position), 0)'
            ' OPERATOR(pg_catalog.+) 1, false) FROM %1$s w', work);
        EXECUTE pg_catalog.format('DROP TABLE %s', lmtext_internal.table_name(old));
    END IF;
    RETURN work::pg_catalog.regclass;
END $$;
COMMENT ON FUNCTION lmtext_internal.make_work(lmtext.job) IS 'table of what a job has done for each row';

CREATE FUNCTION lmtext.create_job(
    name text,
    relation regclass,
    text_column name,
    task text,
    model text,
    target_column name,
    options jsonb DEFAULT '{}')
    RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
#variable_conflict use_column
DECLARE
    job lmtext.job;
    fixed jsonb;
    data jsonb;
    key name[];
    target regclass;
    work regclass;
BEGIN
    IF create_job.name IS NULL OR create_job.relation IS NULL OR create_job.task IS NULL
            OR create_job.target_column IS NULL OR create_job.options IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'a job needs a name, a table, a task, a target and options';
    END IF;
    IF pg_catalog.octet_length(create_job.name) OPERATOR(pg_catalog.>) 57
            OR create_job.name OPERATOR(pg_catalog.=) '' OR create_job.name OPERATOR(pg_catalog.~) '@' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_name',
            MESSAGE = pg_catalog.format('invalid job name "%s"', lmtext_internal.shown(create_job.name)),
            DETAIL = 'It has 1 to 57 bytes, and no "@".';
    END IF;
    IF EXISTS (SELECT FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
            WHERE j.name OPERATOR(pg_catalog.=) create_job.name) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = pg_catalog.format('job "%s" already exists', create_job.name);
    END IF;
    PERFORM lmtext_internal.check_job_options(create_job.task, create_job.options);
    key := lmtext_internal.job_key(create_job.relation);
    IF (create_job.text_column IS NULL) OPERATOR(pg_catalog.=) ((create_job.options OPERATOR(pg_catalog.->>) 'text') IS NULL) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'a job needs a text: a column, or the option "text", and not both';
    END IF;
    fixed := lmtext_internal.fixed_options(create_job.name, create_job.relation, create_job.options);
    data := pg_catalog.jsonb_build_object('name', create_job.name, 'relation', create_job.relation::pg_catalog.oid::pg_catalog.text,
        'text_column', create_job.text_column, 'task', create_job.task,
        'model', lmtext_internal.qualified_model(create_job.model, create_job.task), 'target_column', create_job.target_column,
        'key', key, 'options', fixed, 'paused', false, 'attached', false);
    job := pg_catalog.jsonb_populate_record(NULL::lmtext.job, data);
    PERFORM lmtext_internal.check_targets(job);
    -- One text, computed: whether the models have the tasks, and the options their values.
    EXECUTE pg_catalog.format('SELECT %s FROM (SELECT pg_catalog.text ''a'' AS body) t',
        lmtext_internal.job_expressions(job, lmtext_internal.job_versions(job)));
    EXECUTE pg_catalog.format('EXPLAIN SELECT %s FROM %s r', lmtext_internal.job_body(job), lmtext_internal.table_name(job.relation));
    target := lmtext_internal.make_target(job, fixed OPERATOR(pg_catalog.->>) 'side_table');
    work := lmtext_internal.make_work(job);
    PERFORM lmtext_internal.write_job(work, 'forget', '{}');
    PERFORM lmtext_internal.write_job(work, 'create', data OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object(
        'work', work::pg_catalog.oid::pg_catalog.text, 'target', target::pg_catalog.oid::pg_catalog.text));
END $$;
COMMENT ON FUNCTION lmtext.create_job(text, regclass, name, text, text, name, jsonb) IS
    'create a job: a task of a model over a text of each row, into a column or a side table';

CREATE FUNCTION lmtext_internal.job_followers(name text) RETURNS SETOF lmtext.job
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 1 AS $$
    SELECT j.* FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
    WHERE j.options OPERATOR(pg_catalog.->>) 'after' OPERATOR(pg_catalog.=) job_followers.name
        AND pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.=) CURRENT_USER ORDER BY j.name;
$$;
COMMENT ON FUNCTION lmtext_internal.job_followers(text) IS 'jobs of the current user that follow a job';

CREATE FUNCTION lmtext.drop_job(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(drop_job.name);
    follower text;
BEGIN
    SELECT j.name INTO follower FROM lmtext_internal.job_followers(job.name) j LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = pg_catalog.format('job "%s" follows job "%s"', follower, job.name), HINT = 'Drop that one first.';
    END IF;
    PERFORM lmtext.detach(job.name);
    PERFORM lmtext_internal.write_job(job.work, 'drop', '{}');
    EXECUTE pg_catalog.format('DROP TABLE %s', lmtext_internal.table_name(job.work));
END $$;
COMMENT ON FUNCTION lmtext.drop_job(text) IS 'drop a job; what it has computed stays';

-- ---- Live mode ----

CREATE FUNCTION lmtext_internal.queue_name(job lmtext.job) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 100 AS $$
    SELECT pg_catalog.format('%I.%I', n.nspname, pg_catalog.concat((job).name, '@queue'))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) (job).work;
$$;
COMMENT ON FUNCTION lmtext_internal.queue_name(lmtext.job) IS 'table of the keys that triggers queue for a job';

-- queue_row('schema', 'table', 'new' or 'old', key, ...): runs with the rights of who writes the relation, and inserts a key. What
-- has that name by now may have triggers of its own: whose it is must be a role that may make triggers here, too.
CREATE FUNCTION lmtext_internal.queue_row() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    keys text;
    queue text := pg_catalog.format('%I.%I', TG_ARGV[0], TG_ARGV[1]);
BEGIN
    PERFORM FROM pg_catalog.pg_class c
    WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(queue)::pg_catalog.oid AND c.relkind OPERATOR(pg_catalog.=) 'r'
        AND (pg_catalog.has_table_privilege(c.relowner, TG_RELID, 'TRIGGER')
            OR EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(TG_RELID) p (relid)
                WHERE pg_catalog.has_table_privilege(c.relowner, p.relid::pg_catalog.oid, 'TRIGGER')));
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('the queue "%s" of a job is gone, or another role''s', TG_ARGV[1]),
            HINT = pg_catalog.format('DROP TRIGGER %I ON %I.%I;', TG_NAME, TG_TABLE_SCHEMA, TG_TABLE_NAME);
    END IF;
    IF TG_LEVEL OPERATOR(pg_catalog.=) 'STATEMENT' THEN
        EXECUTE pg_catalog.format('INSERT INTO %s DEFAULT VALUES', queue);
        RETURN NULL;
    END IF;
    SELECT pg_catalog.string_agg(pg_catalog.format('($1).%I', TG_ARGV[n]), ', ' ORDER BY n) INTO keys
    FROM pg_catalog.generate_series(3, TG_NARGS OPERATOR(pg_catalog.-) 1) n;
    EXECUTE pg_catalog.format('INSERT INTO %s VALUES (%s)', queue, keys)
        USING CASE WHEN TG_ARGV[2] OPERATOR(pg_catalog.=) 'new' THEN NEW ELSE OLD END;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION lmtext_internal.queue_row() IS 'trigger of a job in live mode: queues the key of a row';

-- The triggers of a job: suffix of the name, event, which row, and when. Values are compared byte by byte: an operator = may be
-- another role's, may call two spellings equal, and json has none.
CREATE FUNCTION lmtext_internal.job_triggers(
    job lmtext.job, columns name[], OUT name text, OUT event text, OUT side text, OUT condition text)
    RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 ROWS 5 AS $$
DECLARE
    changed CONSTANT text := 'pg_catalog.record_image_ne(ROW(OLD.%1$I), ROW(NEW.%1$I))';
    other_key text;
    other_text text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format(changed, k), ' OR ') INTO other_key FROM pg_catalog.unnest(job.key) k;
    SELECT pg_catalog.string_agg(pg_catalog.format(changed, k), ' OR ') INTO other_text FROM pg_catalog.unnest(columns) k;
    RETURN QUERY SELECT pg_catalog.concat(job.name, '@', t.suffix), t.event, t.side, t.condition
    FROM (VALUES
        ('i', 'INSERT', 'new', NULL),
        ('u', 'UPDATE', 'new', pg_catalog.concat(other_text, ' OR ', other_key)),
        ('k', 'UPDATE', 'old', other_key),
        ('d', 'DELETE', 'old', NULL),
        ('t', 'TRUNCATE', NULL, NULL)) t (suffix, event, side, condition);
END $$;
COMMENT ON FUNCTION lmtext_internal.job_triggers(lmtext.job, name[]) IS 'triggers of a job in live mode';

-- Against another scan, attach or detach, until the end of the transaction. What was read of the job before may be old.
CREATE FUNCTION lmtext_internal.locked_job(job lmtext.job) RETURNS lmtext.job
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    read_again lmtext.job;
BEGIN
    EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', lmtext_internal.table_name(job.work));
    SELECT j.* INTO read_again FROM lmtext.job j WHERE j.work::pg_catalog.oid OPERATOR(pg_catalog.=) job.work::pg_catalog.oid;
    RETURN read_again;
END $$;
COMMENT ON FUNCTION lmtext_internal.locked_job(lmtext.job) IS 'job as it is now, and until the end of the transaction';

-- A table of another role may have the name by now.
CREATE FUNCTION lmtext_internal.drop_queue(job lmtext.job) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_class c
            WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(lmtext_internal.queue_name(job))::pg_catalog.oid
                AND pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.=) CURRENT_USER) THEN
        EXECUTE pg_catalog.format('DROP TABLE %s', lmtext_internal.queue_name(job));
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.drop_queue(lmtext.job) IS 'drop the queue of a job, if it is the current user''s';

CREATE FUNCTION lmtext.attach(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.locked_job(lmtext_internal.own_job(attach.name));
    said text := pg_catalog.format('lmtext job %s: keys of rows that have changed', job.name);
    keys text;
    one record;
BEGIN
    IF job.attached THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('job "%s" is attached already', job.name);
    END IF;
    SELECT pg_catalog.string_agg(pg_catalog.format('w.k%s', n), ', ' ORDER BY n) INTO keys
    FROM pg_catalog.generate_subscripts(job.key, 1) n;
    -- One that a dump has brought along: the whole table is looked at.
    IF pg_catalog.obj_description(pg_catalog.to_regclass(lmtext_internal.queue_name(job)), 'pg_class') OPERATOR(pg_catalog.=) said THEN
        PERFORM lmtext_internal.drop_queue(job);
    END IF;
    EXECUTE pg_catalog.format('CREATE TABLE %s AS SELECT %s FROM %s w WITH NO DATA',
        lmtext_internal.queue_name(job), keys, lmtext_internal.table_name(job.work));
    EXECUTE pg_catalog.format('COMMENT ON TABLE %s IS %L', lmtext_internal.queue_name(job), said);
    EXECUTE pg_catalog.format('GRANT INSERT ON %s TO PUBLIC', lmtext_internal.queue_name(job));
    SELECT pg_catalog.string_agg(pg_catalog.format(', %L', k.name), '' ORDER BY k.n) INTO keys
    FROM ROWS FROM (pg_catalog.unnest(job.key)) WITH ORDINALITY k (name, n);
    FOR one IN SELECT t.* FROM lmtext_internal.job_triggers(job, lmtext_internal.job_columns(job)) t LOOP
        EXECUTE pg_catalog.format(
            'CREATE OR REPLACE TRIGGER %I AFTER %s ON %s FOR EACH %s %s EXECUTE FUNCTION lmtext_internal.queue_row(%L, %L, %L%s)',
            one.name, one.event, lmtext_internal.table_name(job.relation),
            CASE WHEN one.side IS NULL THEN 'STATEMENT' ELSE 'ROW' END, pg_catalog.format(
                CASE WHEN one.condition IS NOT NULL THEN 'WHEN (%s)' ELSE '' END, one.condition),
            (SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE c.oid OPERATOR(pg_catalog.=) job.work),
            pg_catalog.concat(job.name, '@queue'), COALESCE(one.side, ''), keys);
    END LOOP;
    PERFORM lmtext_internal.write_job(job.work, 'set', '{"attached": true, "scanned": null}');
END $$;
COMMENT ON FUNCTION lmtext.attach(text) IS
    'let triggers queue the rows that change, so that a run of the job looks at those alone';

CREATE FUNCTION lmtext.detach(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.locked_job(lmtext_internal.own_job(detach.name));
    one record;
BEGIN
    IF NOT job.attached THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) job.relation) THEN
        FOR one IN SELECT t.* FROM lmtext_internal.job_triggers(job, '{}') t LOOP
            EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS %I ON %s', one.name, lmtext_internal.table_name(job.relation));
        END LOOP;
    END IF;
    PERFORM lmtext_internal.drop_queue(job);
    PERFORM lmtext_internal.write_job(job.work, 'set', '{"attached": false, "scanned": null}');
END $$;
COMMENT ON FUNCTION lmtext.detach(text) IS 'remove the triggers of a job; its runs look at the whole table again';

-- ---- What is to be done ----

-- Rows of work follow the relation: new ones come in, in the order of the key, those of rows that are gone leave, and what was
-- done with another text or another version is due again.
CREATE FUNCTION lmtext_internal.scan_relation(job lmtext.job, versions regclass[], parts lmtext_internal.job_pieces) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    added bigint;
BEGIN
    EXECUTE pg_catalog.format(CASE WHEN job.target OPERATOR(pg_catalog.=) job.relation THEN '%s'
            ELSE 'WITH w AS (%1$s RETURNING w.*) DELETE FROM %2$s r USING w WHERE %3$s' END,
        pg_catalog.format('DELETE FROM %s w WHERE NOT EXISTS (SELECT FROM %s r WHERE %s)', parts.work, parts.relation, parts.matches),
        lmtext_internal.table_name(job.target), parts.matches);
    EXECUTE pg_catalog.format(
        'INSERT INTO %1$s (%2$s) SELECT %3$s FROM %4$s r WHERE NOT EXISTS (SELECT FROM %1$s w WHERE %5$s) ORDER BY %3$s',
        parts.work, pg_catalog.replace(parts.work_keys, 'w.', ''), parts.relation_keys, parts.relation, parts.matches);
    GET DIAGNOSTICS added = ROW_COUNT;
    EXECUTE pg_catalog.format(
        'UPDATE %s w SET due = true, tries = 0, retry_at = NULL, sqlstate = NULL, message = NULL FROM %s r'
        ' WHERE %s AND %s', parts.work, parts.relation, parts.matches, parts.stale) USING versions;
    IF added OPERATOR(pg_catalog.>) 0 THEN
        EXECUTE pg_catalog.format('ANALYZE %s', parts.work);
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.scan_relation(lmtext.job, regclass[], lmtext_internal.job_pieces) IS 'bring the table of work up to date with the relation';

-- The same for the keys that triggers have queued, in one statement, so that what is taken from the queue is what is looked at.
-- False where the table was truncated: that takes a scan.
CREATE FUNCTION lmtext_internal.drain_queue(job lmtext.job, parts lmtext_internal.job_pieces) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    truncated boolean;
    keys text := pg_catalog.replace(parts.work_keys, 'w.', '');
    filled boolean;
BEGIN
    PERFORM lmtext_internal.check_plain(job, lmtext_internal.queue_name(job)::pg_catalog.regclass);
    EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s)', lmtext_internal.queue_name(job)) INTO filled;
    IF NOT filled THEN
        RETURN true;
    END IF;
    -- A table that is filled and emptied has no statistics otherwise, and a few keys would make the planner read the whole relation.
    EXECUTE pg_catalog.format('ANALYZE %s', lmtext_internal.queue_name(job));
    EXECUTE pg_catalog.format(
        'WITH q AS MATERIALIZED (DELETE FROM %1$s RETURNING %2$s), d AS MATERIALIZED (SELECT DISTINCT %2$s FROM q WHERE q.k1 IS NOT NULL),'
        ' gone AS (DELETE FROM %3$s w USING d WHERE %4$s'
        ' AND NOT EXISTS (SELECT FROM %5$s r WHERE %6$s) RETURNING w.*), %7$s'
        ' came AS (INSERT INTO %3$s (%2$s) SELECT %8$s FROM %5$s r JOIN d w ON %6$s ORDER BY %8$s'
        ' ON CONFLICT (%2$s) DO UPDATE SET due = true, tries = 0, retry_at = NULL, sqlstate = NULL, message = NULL)'
        ' SELECT pg_catalog.bool_or(q.k1 IS NULL) FROM q',
        lmtext_internal.queue_name(job), keys, parts.work, parts.same_keys, parts.relation, parts.matches,
        CASE WHEN job.target OPERATOR(pg_catalog.<>) job.relation THEN
            pg_catalog.format('side AS (DELETE FROM %s r USING gone w WHERE %s),', lmtext_internal.table_name(job.target), parts.matches)
        END, parts.relation_keys) INTO truncated;
    RETURN truncated IS NOT TRUE;
END $$;
COMMENT ON FUNCTION lmtext_internal.drain_queue(lmtext.job, lmtext_internal.job_pieces) IS 'bring the table of work up to date with the rows that triggers have queued';

-- One session looks at a time; batches go on. Where a run with another version goes on, too, rows behind it are of that version,
-- and the next run looks at the whole table.
CREATE FUNCTION lmtext_internal.scan_job(job lmtext.job, versions regclass[]) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    parts lmtext_internal.job_pieces := lmtext_internal.job_parts(job);
    drained boolean := false;
    due bigint;
BEGIN
    job := lmtext_internal.locked_job(job);
    IF job.attached THEN
        drained := lmtext_internal.drain_queue(job, parts) AND job.scanned IS NOT NULL
            AND job.scanned::pg_catalog.oid[] OPERATOR(pg_catalog.=) versions::pg_catalog.oid[];
    END IF;
    IF NOT drained THEN
        PERFORM lmtext_internal.scan_relation(job, versions, parts);
        PERFORM lmtext_internal.write_job(job.work, 'set', pg_catalog.jsonb_build_object('scanned', CASE WHEN NOT EXISTS (
            SELECT FROM lmtext_internal.live_runs r
            WHERE r.work::pg_catalog.oid OPERATOR(pg_catalog.=) job.work::pg_catalog.oid
                AND pg_catalog.array_prepend(r.model, r.also)::pg_catalog.oid[] OPERATOR(pg_catalog.<>) versions::pg_catalog.oid[])
            THEN versions::pg_catalog.oid[]::pg_catalog.text END));
    END IF;
    EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM %s w WHERE w.due'
        ' AND (w.retry_at IS NULL OR w.retry_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp())', parts.work) INTO due;
    RETURN due;
END $$;
COMMENT ON FUNCTION lmtext_internal.scan_job(lmtext.job, regclass[]) IS
    'bring the table of work up to date; returns the number of rows that are due';

-- Keys of rows that a run would do now, as text.
CREATE FUNCTION lmtext.stale(name text, OUT key text) RETURNS SETOF text
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 1000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(stale.name);
    parts record := lmtext_internal.job_parts(job);
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format('SELECT %s FROM %s ORDER BY %s',
        CASE WHEN pg_catalog.cardinality(job.key) OPERATOR(pg_catalog.=) 1
             THEN pg_catalog.concat(parts.relation_keys, '::pg_catalog.text')
             ELSE pg_catalog.format('ROW(%s)::pg_catalog.text', parts.relation_keys) END,
        parts.to_do, parts.relation_keys)
        USING lmtext_internal.job_versions(job);
END $$;
COMMENT ON FUNCTION lmtext.stale(text) IS
    'keys of rows that a run of a job would do: new ones, changed ones, and those of another model version';

-- Minutes that texts of so many tokens have taken, if enough have been computed here; what several targets share is not known.
CREATE FUNCTION lmtext_internal.known_minutes(job lmtext.job, version regclass, tokens bigint) RETURNS double precision
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
    SELECT pg_catalog.sum(s.total_ms) OPERATOR(pg_catalog./) pg_catalog.sum(s.tokens)::pg_catalog.float8 OPERATOR(pg_catalog.*) known_minutes.tokens::pg_catalog.float8
        OPERATOR(pg_catalog./) 60000::pg_catalog.float8
    FROM lmtext.stats s WHERE s.model::pg_catalog.oid OPERATOR(pg_catalog.=) known_minutes.version::pg_catalog.oid AND s.function OPERATOR(pg_catalog.=) (job).task
        AND NOT (job).options OPERATOR(pg_catalog.?) 'also'
    HAVING pg_catalog.sum(s.rows) OPERATOR(pg_catalog.>=) 1000 AND pg_catalog.sum(s.tokens) OPERATOR(pg_catalog.>) 0;
$$;
COMMENT ON FUNCTION lmtext_internal.known_minutes(lmtext.job, regclass, bigint) IS 'time that a job will take, by what lmtext.stats has counted';

-- A sample of texts is counted, and computed if no statistics say how long it takes; a text that fails takes no time.
CREATE FUNCTION lmtext.job_plan(name text, OUT rows bigint, OUT tokens bigint, OUT minutes double precision, OUT source text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    sample_size CONSTANT int := 64;
    job lmtext.job := lmtext_internal.own_job(job_plan.name);
    versions regclass[] := lmtext_internal.job_versions(job);
    parts record := lmtext_internal.job_parts(job);
    compute text := pg_catalog.format('SELECT pg_catalog.count(v) FROM (SELECT %s FROM pg_catalog.unnest($1) t (body)) v',
        lmtext_internal.job_expressions(job, versions));
    texts text[];
    counted bigint := 0;
    began timestamptz;
    one text;
BEGIN
    EXECUTE pg_catalog.format('SELECT pg_catalog.count(*), (pg_catalog.array_agg(s.body ORDER BY s.hash))[:%s]'
        ' FROM (SELECT %s AS body, %s AS hash FROM %s) s', sample_size, lmtext_internal.job_tried_body(job), parts.hash, parts.to_do)
        INTO rows, texts USING versions;
    EXECUTE pg_catalog.format('SELECT pg_catalog.sum(LEAST(lmtext.count_tokens(t.body, %L::pg_catalog.regclass),'
        ' (SELECT m.max_tokens FROM lmtext.models m WHERE m.model::pg_catalog.oid OPERATOR(pg_catalog.=) %1$L::pg_catalog.oid))) FROM pg_catalog.unnest($1) t (body)', versions[1]::pg_catalog.oid)
        INTO counted USING texts;
    tokens := COALESCE(counted OPERATOR(pg_catalog.*) rows OPERATOR(pg_catalog./) GREATEST(pg_catalog.cardinality(texts), 1), 0);
    minutes := lmtext_internal.known_minutes(job, versions[1], tokens);
    source := CASE WHEN minutes IS NULL THEN 'sample' ELSE 'stats' END;
    IF minutes IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE compute USING ARRAY['a'];
    began := pg_catalog.clock_timestamp();
    BEGIN
        EXECUTE compute USING texts;
    EXCEPTION WHEN OTHERS THEN
        IF NOT lmtext_internal.is_row_error(SQLSTATE) THEN
            RAISE;
        END IF;
        began := pg_catalog.clock_timestamp();
        FOREACH one IN ARRAY texts LOOP
            BEGIN
                EXECUTE compute USING ARRAY[one];
            EXCEPTION WHEN OTHERS THEN
                IF NOT lmtext_internal.is_row_error(SQLSTATE) THEN
                    RAISE;
                END IF;
            END;
        END LOOP;
    END;
    minutes := COALESCE(EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) began)::pg_catalog.float8
        OPERATOR(pg_catalog.*) rows::pg_catalog.float8 OPERATOR(pg_catalog./) GREATEST(pg_catalog.cardinality(texts), 1)::pg_catalog.float8
        OPERATOR(pg_catalog./) 60::pg_catalog.float8, 0);
END $$;
COMMENT ON FUNCTION lmtext.job_plan(text) IS
    'what a run of a job would do: rows, tokens, and minutes of one session on this machine, by lmtext.stats or from a sample';

-- ---- One batch ----

-- What was computed for a target, in the column of its type, and for a row.
CREATE TYPE lmtext_internal.job_value AS (vector real[], label text, object jsonb, number double precision);
COMMENT ON TYPE lmtext_internal.job_value IS 'what a job has computed for one target';
CREATE TYPE lmtext_internal.job_result AS (position bigint, hash bigint, computed lmtext_internal.job_value[]);
COMMENT ON TYPE lmtext_internal.job_result IS 'what a job has computed for a row';

-- The two statements of a batch; $1 are positions in work that are locked. The first computes each text once, the longest first, for
-- what is wrong with a text is mostly its length: a SELECT of its own, for calls of an UPDATE's rows are not computed in batches.
-- Targets are one target list, whose calls share what they have in common.
CREATE FUNCTION lmtext_internal.compute_statement(job lmtext.job, versions regclass[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
    computed text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format('ROW(%s)::lmtext_internal.job_value', (SELECT pg_catalog.string_agg(
            CASE WHEN s.slot OPERATOR(pg_catalog.=) t.slot THEN pg_catalog.format('v.v%s', t.n) ELSE 'NULL' END, ', ' ORDER BY s.n)
        FROM ROWS FROM (pg_catalog.unnest('{vector,label,object,number}'::pg_catalog.text[])) WITH ORDINALITY s (slot, n))), ', ' ORDER BY t.n)
    INTO computed FROM lmtext_internal.job_targets(job) t;
    RETURN pg_catalog.format(
        'WITH t AS MATERIALIZED (SELECT s.body, pg_catalog.array_agg(s.position) AS places FROM (SELECT w.position, %1$s COLLATE "C" AS body'
        ' FROM %2$s w JOIN %3$s r ON %4$s WHERE w.due AND w.position OPERATOR(pg_catalog.=) ANY ($1)) s'
        ' GROUP BY s.body ORDER BY pg_catalog.length(s.body) DESC),'
        ' v AS MATERIALIZED (SELECT t.places, pg_catalog.hashtextextended(t.body, 0) AS hash, %5$s FROM t)'
        ' SELECT pg_catalog.array_agg(ROW(p.place, v.hash, ARRAY[%6$s])::lmtext_internal.job_result) FROM v, pg_catalog.unnest(v.places) p (place)',
        parts.body, parts.work, parts.relation, parts.matches, lmtext_internal.job_expressions(job, versions), computed);
END $$;
COMMENT ON FUNCTION lmtext_internal.compute_statement(lmtext.job, regclass[]) IS 'statement that computes a batch of a job';

-- The second writes the targets and notes what was done, all in one; $2 are the versions, $5 what was computed. Its joins are by
-- keys, whose statistics last; what was written is looked up, since a join of what has no statistics may be a loop in a loop. What
-- a trigger or a policy kept from being written is an error. Rows that are gone leave work with the next scan.
CREATE FUNCTION lmtext_internal.write_statement(job lmtext.job) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
    aside boolean := job.target OPERATOR(pg_catalog.<>) job.relation;
    columns text;
    computed text;
    written text;
    sets text;
    blank text;
    write text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format('%I', t.target_column), ', ' ORDER BY t.n),
           pg_catalog.string_agg(pg_catalog.format('((c.computed)[%s]).%s AS v%1$s', t.n, t.slot), ', ' ORDER BY t.n),
           pg_catalog.string_agg(pg_catalog.format('w.v%s', t.n), ', ' ORDER BY t.n),
           pg_catalog.string_agg(pg_catalog.format(CASE WHEN aside THEN '%1$I = excluded.%1$I' ELSE '%1$I = w.v%2$s' END,
               t.target_column, t.n), ', ' ORDER BY t.n),
           pg_catalog.string_agg(pg_catalog.format('CASE WHEN d.v%s IS NULL THEN %s ELSE 0 END', t.n,
               1 OPERATOR(pg_catalog.<<) (t.n OPERATOR(pg_catalog.-) 1)::int), ' OPERATOR(pg_catalog.+) ' ORDER BY t.n)
    INTO columns, computed, written, sets, blank FROM lmtext_internal.job_targets(job) t;
    write := pg_catalog.format(CASE WHEN aside THEN
            'side AS (INSERT INTO %1$s AS r (%2$s, %3$s) SELECT %4$s, %5$s FROM v w ON CONFLICT (%2$s) DO UPDATE SET %6$s RETURNING %9$s),'
            ' written AS (SELECT w.position FROM v w JOIN side r ON %8$s)'
        ELSE 'written AS (UPDATE %7$s r SET %6$s FROM v w WHERE %8$s RETURNING w.position)' END, lmtext_internal.table_name(job.target), parts.key_names,
        columns, parts.work_keys, written, sets, parts.relation, parts.matches, parts.relation_keys);
    RETURN pg_catalog.format(
        'WITH v AS MATERIALIZED (SELECT w.position, %1$s, c.hash, %2$s FROM %3$s w'
        ' JOIN pg_catalog.unnest($5) c ON c.position OPERATOR(pg_catalog.=) w.position'
        ' WHERE w.due AND w.position OPERATOR(pg_catalog.=) ANY ($1) AND EXISTS (SELECT FROM %4$s r WHERE %5$s)),'
        ' %6$s,'
        ' noted AS (UPDATE %3$s w SET due = NOT d.written AND w.tries OPERATOR(pg_catalog.<) $3, hash = d.hash, model = ($2)[1],'
        ' also = CASE WHEN pg_catalog.cardinality($2) OPERATOR(pg_catalog.>) 1 THEN ($2)[2:] END, blank = %9$s,'
        ' at = pg_catalog.clock_timestamp(), tries = CASE WHEN NOT d.written THEN w.tries OPERATOR(pg_catalog.+) 1 ELSE 0 END,'
        ' retry_at = CASE WHEN NOT d.written THEN $4 END, key = CASE WHEN NOT d.written THEN %7$s END,'
        ' sqlstate = CASE WHEN NOT d.written THEN ''27000'' END,'
        ' message = CASE WHEN NOT d.written THEN ''the row was not updated: a trigger or row security keeps it'' END'
        ' FROM (SELECT v.*, v.position OPERATOR(pg_catalog.=) ANY (SELECT s.position FROM written s) AS written FROM v OFFSET 0) d'
        ' WHERE %8$s RETURNING w.sqlstate),'
        ' gone AS (UPDATE %3$s w SET due = false, model = NULL WHERE w.due AND w.position OPERATOR(pg_catalog.=) ANY ($1)'
        ' AND NOT EXISTS (SELECT FROM v d WHERE d.position OPERATOR(pg_catalog.=) w.position))'
        ' SELECT pg_catalog.count(*) FILTER (WHERE n.sqlstate IS NULL), pg_catalog.count(n.sqlstate) FROM noted n',
        parts.work_keys, computed, parts.work, parts.relation, parts.matches, write, parts.key_text,
        parts.same_keys, blank);
END $$;
COMMENT ON FUNCTION lmtext_internal.write_statement(lmtext.job) IS 'statement that writes what a batch of a job has computed';

-- Errors that belong to a row: of its text, of its value, of the user's constraints and triggers. Others end the run.
CREATE FUNCTION lmtext_internal.is_row_error(state text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1 AS $$
    SELECT pg_catalog.left(state, 2) OPERATOR(pg_catalog.=) ANY ('{09,21,22,23,27,38,39,44,54,P0}'::pg_catalog.text[]);
$$;
COMMENT ON FUNCTION lmtext_internal.is_row_error(text) IS 'whether an error belongs to a row of a batch';

-- Of a text before it is tried: what fails is not a text that came meanwhile.
CREATE FUNCTION lmtext_internal.hash_of(job lmtext.job, place bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
    hash bigint;
BEGIN
    EXECUTE pg_catalog.format('SELECT %s FROM %s w JOIN %s r ON %s WHERE w.position OPERATOR(pg_catalog.=) $1',
        parts.hash, parts.work, parts.relation, parts.matches) INTO hash USING place;
    RETURN hash;
END $$;
COMMENT ON FUNCTION lmtext_internal.hash_of(lmtext.job, bigint) IS 'hash of the text of a row of a job';

-- A row that failed: tried again after a while that doubles, then left until retry_errors or another text.
CREATE FUNCTION lmtext_internal.note_error(
    job lmtext.job, versions regclass[], place bigint, hash bigint, state text, said text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
BEGIN
    EXECUTE pg_catalog.format(
        'UPDATE %1$s w SET due = w.tries OPERATOR(pg_catalog.<) $2, tries = w.tries OPERATOR(pg_catalog.+) 1,'
        ' model = ($3)[1], also = CASE WHEN pg_catalog.cardinality($3) OPERATOR(pg_catalog.>) 1 THEN ($3)[2:] END,'
        ' retry_at = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) ($4 OPERATOR(pg_catalog.*) pg_catalog.power(2, w.tries)),'
        ' at = pg_catalog.clock_timestamp(), key = %2$s, sqlstate = $5, message = $6,'
        ' hash = $7 WHERE w.due AND w.position OPERATOR(pg_catalog.=) $1',
        parts.work, parts.key_text)
        USING place, lmtext_internal.job_option(job, 'retries')::int, versions,
            lmtext_internal.job_option(job, 'retry_after')::interval, state, pg_catalog.left(said, 1000), hash;
END $$;
COMMENT ON FUNCTION lmtext_internal.note_error(lmtext.job, regclass[], bigint, bigint, text, text) IS 'note an error of a row of a job';

-- Claims rows behind a place, in order, that no other session has, and does them. A batch with a bad row is undone;
-- its rows come again in groups of CAREFUL, and a group that fails in halves, down to the row, each in a subtransaction: so a
-- transaction never has many. Where a write failed, what was computed is kept. `careful` is the last place of such a batch. After a deadlock (`failed`) what is left comes again.
CREATE FUNCTION lmtext_internal.do_batch(
    job lmtext.job, versions regclass[], compute text, write text, INOUT place bigint, INOUT careful bigint,
    OUT claimed integer, OUT done bigint, OUT errors bigint, OUT failed text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    careful_size CONSTANT int := 32;
    size int := lmtext_internal.job_option(job, 'batch_size')::int;
    retries int := lmtext_internal.job_option(job, 'retries')::int;
    again_at timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) lmtext_internal.job_option(job, 'retry_after')::interval;
    places bigint[];
    results lmtext_internal.job_result[];
    made lmtext_internal.job_result[];
    ranges int[];
    part bigint[];
    middle int;
    part_done bigint;
    part_errors bigint;
    row_hash bigint;
    last bigint;
BEGIN
    done := 0;
    errors := 0;
    IF place OPERATOR(pg_catalog.<) careful THEN
        size := LEAST(size, careful_size);
    END IF;
    EXECUTE pg_catalog.format(
        'SELECT pg_catalog.array_agg(c.position) FROM (SELECT w.position FROM %s w WHERE w.due AND w.position OPERATOR(pg_catalog.>) $1'
        ' AND (w.retry_at IS NULL OR w.retry_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp())'
        ' ORDER BY w.position LIMIT $2 FOR UPDATE SKIP LOCKED) c', lmtext_internal.table_name(job.work))
        INTO places USING place, size;
    claimed := COALESCE(pg_catalog.cardinality(places), 0);
    IF claimed OPERATOR(pg_catalog.=) 0 THEN
        RETURN;
    END IF;
    last := places[claimed];
    BEGIN
        EXECUTE compute INTO results USING places;
        EXECUTE write INTO done, errors USING places, versions, retries, again_at, results;
        place := last;
        RETURN;
    EXCEPTION WHEN assert_failure OR OTHERS THEN
        IF pg_catalog.left(SQLSTATE, 2) OPERATOR(pg_catalog.=) '40' THEN
            failed := SQLSTATE; -- a deadlock with somebody's UPDATE: again
            RETURN;
        ELSIF NOT lmtext_internal.is_row_error(SQLSTATE) THEN
            RAISE;
        END IF;
    END;
    IF claimed OPERATOR(pg_catalog.>) careful_size THEN
        careful := last;
        RETURN;
    END IF;
    done := 0;
    errors := 0;
    middle := claimed OPERATOR(pg_catalog./) 2;
    ranges := CASE WHEN middle OPERATOR(pg_catalog.=) 0 THEN '{1,1}' ELSE ARRAY[1, middle, middle OPERATOR(pg_catalog.+) 1, claimed] END;
    WHILE ranges OPERATOR(pg_catalog.<>) '{}' LOOP
        part := places[ranges[1]:ranges[2]];
        middle := (ranges[1] OPERATOR(pg_catalog.+) ranges[2]) OPERATOR(pg_catalog./) 2;
        IF pg_catalog.cardinality(part) OPERATOR(pg_catalog.=) 1 THEN
            row_hash := CASE WHEN results IS NULL THEN lmtext_internal.hash_of(job, part[1])
                ELSE (SELECT r.hash FROM pg_catalog.unnest(results) r WHERE r.position OPERATOR(pg_catalog.=) part[1]) END;
        END IF;
        BEGIN
            made := results;
            IF made IS NULL THEN
                EXECUTE compute INTO made USING part;
            END IF;
            EXECUTE write INTO part_done, part_errors USING part, versions, retries, again_at, made;
            done := done OPERATOR(pg_catalog.+) part_done;
            errors := errors OPERATOR(pg_catalog.+) part_errors;
            ranges := ranges[3:];
        EXCEPTION WHEN assert_failure OR OTHERS THEN
            IF pg_catalog.left(SQLSTATE, 2) OPERATOR(pg_catalog.=) '40' THEN
                failed := SQLSTATE;
                RETURN;
            ELSIF NOT lmtext_internal.is_row_error(SQLSTATE) THEN
                RAISE;
            ELSIF pg_catalog.cardinality(part) OPERATOR(pg_catalog.=) 1 THEN
                PERFORM lmtext_internal.note_error(job, versions, part[1], row_hash, SQLSTATE, SQLERRM);
                errors := errors OPERATOR(pg_catalog.+) 1;
                ranges := ranges[3:];
            ELSE
                ranges := pg_catalog.array_cat(ARRAY[ranges[1], middle, middle OPERATOR(pg_catalog.+) 1, ranges[2]], ranges[3:]);
            END IF;
        END;
    END LOOP;
    place := last;
END $$;
COMMENT ON FUNCTION lmtext_internal.do_batch(lmtext.job, regclass[], text, text, bigint, bigint) IS 'claim and do the next batch of a job';

-- ---- Runs ----

CREATE FUNCTION lmtext_internal.notify_job(job text, run bigint, event text, data jsonb DEFAULT '{}') RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100 AS $$
    SELECT pg_catalog.pg_notify('lmtext', (pg_catalog.jsonb_build_object('event', event, 'name', job, 'run', run)
        OPERATOR(pg_catalog.||) data)::pg_catalog.text);
$$;
COMMENT ON FUNCTION lmtext_internal.notify_job(text, bigint, text, jsonb) IS 'tell who listens what a job does';

CREATE FUNCTION lmtext_internal.begin_run(job lmtext.job, versions regclass[], parent bigint) RETURNS bigint
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
    SELECT lmtext_internal.write_job((job).work, 'begin', pg_catalog.jsonb_build_object('parent', parent,
        'model', versions[1]::pg_catalog.oid::pg_catalog.text, 'also', versions[2:]::pg_catalog.oid[]::pg_catalog.text));
$$;
COMMENT ON FUNCTION lmtext_internal.begin_run(lmtext.job, regclass[], bigint) IS 'note the begin of a run of a job';

-- A line every few seconds, as a training says; the time of the last line.
CREATE FUNCTION lmtext_internal.tell_job(job text, began timestamptz, told timestamptz, done bigint, total bigint, errors bigint)
    RETURNS timestamptz LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100 AS $$
DECLARE
    every interval := COALESCE(pg_catalog.current_setting('lmtext.progress_interval', true), '5s');
    now timestamptz := pg_catalog.clock_timestamp();
    seconds float8 := EXTRACT(epoch FROM now OPERATOR(pg_catalog.-) began);
BEGIN
    IF every OPERATOR(pg_catalog.=) interval '0' OR now OPERATOR(pg_catalog.<) (told OPERATOR(pg_catalog.+) every) THEN
        RETURN told;
    END IF;
    RAISE NOTICE USING MESSAGE = pg_catalog.format('job "%s": %s of %s rows done, %s errors, about %s s left', job, done, total, errors,
        CASE WHEN done OPERATOR(pg_catalog.>) 0 THEN pg_catalog.ceil(seconds OPERATOR(pg_catalog.*)
            (total OPERATOR(pg_catalog.-) done)::pg_catalog.float8 OPERATOR(pg_catalog./) done::pg_catalog.float8)::pg_catalog.text
            ELSE '?' END);
    RETURN now;
END $$;
COMMENT ON FUNCTION lmtext_internal.tell_job(text, timestamptz, timestamptz, bigint, bigint, bigint) IS 'notice of the progress of a job';

CREATE FUNCTION lmtext_internal.told_end(status text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1 AS $$
    SELECT CASE WHEN status OPERATOR(pg_catalog.=) 'paused' THEN 'was paused'
        WHEN status OPERATOR(pg_catalog.=) 'stopped' THEN 'stopped at the end of its window' ELSE 'ended' END;
$$;
COMMENT ON FUNCTION lmtext_internal.told_end(text) IS 'how a run ended, in a notice';

-- The end of a run, for whoever looks and listens. Where it is not done, jobs that follow are not either.
CREATE FUNCTION lmtext_internal.end_run(job lmtext.job, run bigint, done bigint, errors bigint, status text, state text, said text)
    RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    follower lmtext.job;
BEGIN
    PERFORM lmtext_internal.write_job(job.work, 'step', pg_catalog.jsonb_build_object('id', run, 'done', done, 'errors', errors,
        'status', status, 'sqlstate', state, 'message', said));
    IF EXISTS (SELECT FROM lmtext.job_run r WHERE r.id OPERATOR(pg_catalog.=) run AND r.parent IS NOT NULL) THEN
        RETURN;
    END IF;
    PERFORM lmtext_internal.notify_job(job.name, run, CASE WHEN status OPERATOR(pg_catalog.=) 'skipped' THEN 'skipped'
            WHEN state IS NULL THEN 'end' ELSE 'failure' END,
        pg_catalog.jsonb_build_object('status', status, 'done', done, 'errors', errors, 'sqlstate', state));
    IF status OPERATOR(pg_catalog.<>) 'done' THEN
        FOR follower IN SELECT j.* FROM lmtext_internal.job_followers(job.name) j LOOP
            PERFORM lmtext_internal.skip_job(follower, pg_catalog.format('job "%s" was not done: %s', job.name, status));
        END LOOP;
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.end_run(lmtext.job, bigint, bigint, bigint, text, text, text) IS 'note the end of a run of a job';

CREATE FUNCTION lmtext_internal.skip_job(job lmtext.job, said text) RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
    SELECT lmtext_internal.end_run(job, lmtext_internal.begin_run(job, NULL, NULL), 0, 0, 'skipped', NULL, said);
$$;
COMMENT ON FUNCTION lmtext_internal.skip_job(lmtext.job, text) IS 'note that a job is not run, nor those that follow it';

CREATE FUNCTION lmtext_internal.run_status(status text, state text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1 AS $$
    SELECT CASE WHEN state IS NULL THEN status WHEN state OPERATOR(pg_catalog.=) '57014' THEN 'cancelled' ELSE 'failed' END;
$$;
COMMENT ON FUNCTION lmtext_internal.run_status(text, text) IS 'status of a run that ends, by its error';

CREATE FUNCTION lmtext_internal.then_failed(job lmtext.job, done bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1 AS $$
    SELECT pg_catalog.format('Procedure %s failed at the end of job "%s", whose %s rows are done.',
        (job).options OPERATOR(pg_catalog.->>) 'then', (job).name, done);
$$;
COMMENT ON FUNCTION lmtext_internal.then_failed(lmtext.job, bigint) IS 'detail of an error of the procedure behind a run';

-- The procedure behind a run that is done; an error of it is the run's, whose rows stay.
CREATE FUNCTION lmtext_internal.call_then(job lmtext.job, run bigint, OUT state text, OUT said text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
BEGIN
    IF job.options OPERATOR(pg_catalog.?) 'then' THEN
        EXECUTE pg_catalog.format('CALL %s($1, $2)', job.options OPERATOR(pg_catalog.->>) 'then') USING job.name, run;
    END IF;
EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
    state := SQLSTATE;
    said := SQLERRM;
END $$;
COMMENT ON FUNCTION lmtext_internal.call_then(lmtext.job, bigint) IS 'call the procedure of a job at the end of its run';

-- Those that follow what this session has run just now, if all was done.
CREATE FUNCTION lmtext_internal.next_jobs(job lmtext.job) RETURNS text[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    follower lmtext.job;
    status text;
    names text[] := '{}';
BEGIN
    SELECT r.status INTO status FROM lmtext.job_run r WHERE r.work::pg_catalog.oid OPERATOR(pg_catalog.=) job.work::pg_catalog.oid
        AND r.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND r.parent IS NULL ORDER BY r.id DESC LIMIT 1;
    IF status OPERATOR(pg_catalog.=) 'done' THEN
        FOR follower IN SELECT j.* FROM lmtext_internal.job_followers(job.name) j LOOP
            IF follower.paused THEN
                PERFORM lmtext_internal.skip_job(follower, 'the job is paused');
            ELSE
                names := pg_catalog.array_append(names, follower.name);
            END IF;
        END LOOP;
    END IF;
    RETURN names;
END $$;
COMMENT ON FUNCTION lmtext_internal.next_jobs(lmtext.job) IS 'jobs that are run behind a job';

CREATE FUNCTION lmtext_internal.run_is_over() RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_run_is_over' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1;
COMMENT ON FUNCTION lmtext_internal.run_is_over() IS 'whether the window of this worker''s run is over';

-- What a run of a job would end as now: done where it goes on.
CREATE FUNCTION lmtext_internal.status_now(work regclass) RETURNS text
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100 AS $$
    SELECT CASE WHEN (SELECT j.paused FROM lmtext.job j WHERE j.work::pg_catalog.oid OPERATOR(pg_catalog.=) status_now.work::pg_catalog.oid)
        THEN 'paused' WHEN lmtext_internal.run_is_over() THEN 'stopped' ELSE 'done' END;
$$;
COMMENT ON FUNCTION lmtext_internal.status_now(regclass) IS 'whether a run of a job is to end because of a pause or its window';

-- Before a batch, when nothing is locked.
CREATE FUNCTION lmtext_internal.rest_since(began timestamptz) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    share int := COALESCE(pg_catalog.current_setting('lmtext.job_cpu_share', true)::int, 100);
BEGIN
    IF share OPERATOR(pg_catalog.<) 100 THEN
        PERFORM pg_catalog.pg_sleep_for((pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) began)
            OPERATOR(pg_catalog.*) (100::pg_catalog.float8 OPERATOR(pg_catalog./) share::pg_catalog.float8
                OPERATOR(pg_catalog.-) 1::pg_catalog.float8));
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.rest_since(timestamptz) IS 'sleep so long that the time since is no more than lmtext.job_cpu_share of all';

-- Batches until nothing is due. A row that another session had claimed, and lost, is met in the last pass.
CREATE PROCEDURE lmtext_internal.run_batches(job_name text, parent bigint)
    LANGUAGE plpgsql AS $$
DECLARE
    job lmtext.job;
    versions regclass[];
    compute text;
    write text;
    run bigint;
    total bigint;
    done bigint := 0;
    errors bigint := 0;
    place bigint := 0;
    careful bigint := 0;
    in_pass bigint := 0;
    collisions int := 0;
    status text := 'done';
    began timestamptz := pg_catalog.clock_timestamp();
    told timestamptz := began;
    batch_began timestamptz := began;
    state text;
    said text;
    step record;
BEGIN
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    job := lmtext_internal.own_job(job_name);
    versions := lmtext_internal.job_versions(job);
    compute := lmtext_internal.compute_statement(job, versions);
    write := lmtext_internal.write_statement(job);
    run := lmtext_internal.begin_run(job, versions, parent);
    IF parent IS NULL THEN
        PERFORM lmtext_internal.notify_job(job.name, run, 'start');
        PERFORM lmtext_internal.write_job(job.work, 'prune', '{"age": "90 days"}');
    ELSE
        total := 0; -- who started this one has scanned, and tells
    END IF;
    COMMIT;
    LOOP
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        BEGIN
            PERFORM lmtext_internal.rest_since(batch_began);
            batch_began := pg_catalog.clock_timestamp();
            status := lmtext_internal.status_now(job.work);
            IF status OPERATOR(pg_catalog.<>) 'done' THEN
                step := NULL;
            ELSIF total IS NULL THEN
                total := lmtext_internal.scan_job(job, versions);
                step := NULL;
            ELSE
                IF collisions OPERATOR(pg_catalog.>) 0 THEN
                    PERFORM pg_catalog.pg_sleep(0.02 OPERATOR(pg_catalog.*)
                        (pg_catalog.random() OPERATOR(pg_catalog.*) pg_catalog.power(2, collisions)));
                END IF;
                step := lmtext_internal.do_batch(job, versions, compute, write, place, careful);
            END IF;
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            state := SQLSTATE;
            said := SQLERRM;
        END;
        IF state IS NOT NULL THEN
            PERFORM lmtext_internal.end_run(job, run, done, errors, lmtext_internal.run_status(status, state), state, said);
            COMMIT;
            RAISE EXCEPTION USING ERRCODE = state, MESSAGE = said, DETAIL = pg_catalog.format(
                'Job "%s" ended early; %s rows are done, and the next run goes on from there.', job.name, done);
        END IF;
        EXIT WHEN status OPERATOR(pg_catalog.<>) 'done';
        IF step IS NULL THEN
            PERFORM lmtext_internal.write_job(job.work, 'step', pg_catalog.jsonb_build_object('id', run, 'total', total));
        ELSIF step.claimed OPERATOR(pg_catalog.=) 0 THEN
            EXIT WHEN in_pass OPERATOR(pg_catalog.=) 0;
            in_pass := 0;
            place := 0;
            careful := 0;
        ELSE
            collisions := CASE WHEN step.failed IS NULL THEN 0
                WHEN step.done OPERATOR(pg_catalog.+) step.errors OPERATOR(pg_catalog.>) 0 THEN 1
                ELSE collisions OPERATOR(pg_catalog.+) 1 END;
            place := step.place;
            careful := step.careful;
            in_pass := in_pass OPERATOR(pg_catalog.+) step.claimed;
            done := done OPERATOR(pg_catalog.+) step.done;
            errors := errors OPERATOR(pg_catalog.+) step.errors;
            IF collisions OPERATOR(pg_catalog.>) 7 THEN
                state := step.failed;
                PERFORM lmtext_internal.end_run(job, run, done, errors, 'failed', state, 'other sessions collide with each batch');
                COMMIT;
                RAISE EXCEPTION USING ERRCODE = state, MESSAGE = pg_catalog.format('job "%s": other sessions collide with each batch', job.name);
            END IF;
            PERFORM lmtext_internal.write_job(job.work, 'step', pg_catalog.jsonb_build_object('id', run, 'done', done, 'errors', errors));
            IF parent IS NULL THEN
                told := lmtext_internal.tell_job(job.name, began, told, done, total, errors);
            END IF;
        END IF;
        COMMIT;
    END LOOP;
    IF parent IS NULL AND status OPERATOR(pg_catalog.=) 'done' THEN
        SELECT c.state, c.said INTO state, said FROM lmtext_internal.call_then(job, run) c;
    END IF;
    PERFORM lmtext_internal.end_run(job, run, done, errors, lmtext_internal.run_status(status, state), state, said);
    COMMIT;
    IF state IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = state, MESSAGE = said, DETAIL = lmtext_internal.then_failed(job, done);
    END IF;
    IF parent IS NULL THEN
        RAISE NOTICE USING MESSAGE = pg_catalog.format('job "%s" %s: %s rows done, %s errors', job.name,
            lmtext_internal.told_end(status), done, errors);
    END IF;
END $$;
COMMENT ON PROCEDURE lmtext_internal.run_batches(text, bigint) IS 'one session''s part of a run of a job';

-- What the workers of a run have done so far, and the first error that ended one. The owner of another job may call a run of its
-- own a worker's.
CREATE FUNCTION lmtext_internal.sum_workers(
    run bigint, OUT done bigint, OUT errors bigint, OUT seen bigint, OUT status text, OUT state text, OUT said text)
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT COALESCE(pg_catalog.sum(r.done), 0)::bigint, COALESCE(pg_catalog.sum(r.errors), 0)::bigint, pg_catalog.count(*),
        CASE WHEN pg_catalog.bool_or(r.status OPERATOR(pg_catalog.=) 'running') THEN 'running'
             WHEN pg_catalog.bool_or(r.status OPERATOR(pg_catalog.=) 'paused') THEN 'paused'
             WHEN pg_catalog.bool_or(r.status OPERATOR(pg_catalog.=) 'stopped') THEN 'stopped' ELSE 'done' END,
        (pg_catalog.array_agg(r.sqlstate ORDER BY r.id) FILTER (WHERE r.sqlstate IS NOT NULL))[1],
        (pg_catalog.array_agg(m.message ORDER BY r.id) FILTER (WHERE r.sqlstate IS NOT NULL))[1]
    FROM lmtext.job_run r JOIN lmtext.job_run p ON p.id OPERATOR(pg_catalog.=) r.parent
        AND p.work::pg_catalog.oid OPERATOR(pg_catalog.=) r.work::pg_catalog.oid
    JOIN lmtext_internal.own_messages m ON m.id OPERATOR(pg_catalog.=) r.id
    WHERE r.parent OPERATOR(pg_catalog.=) run;
$$;
COMMENT ON FUNCTION lmtext_internal.sum_workers(bigint) IS 'what the workers of a run have done';

-- Scans, starts workers, and waits for them. An error here or there ends all of them. Where they are to fit the work there is one
-- for each batch, from min_workers to so many; each ends when no row is left to claim.
CREATE PROCEDURE lmtext_internal.run_workers(job_name text, workers integer, fit boolean DEFAULT false)
    LANGUAGE plpgsql AS $$
DECLARE
    job lmtext.job;
    versions regclass[];
    run bigint;
    total bigint;
    started int;
    left_over int;
    sums record;
    began timestamptz := pg_catalog.clock_timestamp();
    told timestamptz := began;
    state text;
    said text;
    detail text;
BEGIN
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    job := lmtext_internal.own_job(job_name);
    versions := lmtext_internal.job_versions(job);
    run := lmtext_internal.begin_run(job, versions, NULL);
    PERFORM lmtext_internal.notify_job(job.name, run, 'start');
    PERFORM lmtext_internal.write_job(job.work, 'prune', '{"age": "90 days"}');
    COMMIT;
    LOOP
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        BEGIN
            IF total IS NULL THEN
                total := lmtext_internal.scan_job(job, versions);
                IF fit THEN
                    workers := LEAST(workers, GREATEST(lmtext_internal.job_option(job, 'min_workers')::int, pg_catalog.ceil(
                        total::pg_catalog.float8 OPERATOR(pg_catalog./) lmtext_internal.job_option(job, 'batch_size')::pg_catalog.float8)::int));
                END IF;
            ELSIF started IS NULL THEN
                started := lmtext_internal.start_job_workers(job.name, run, workers);
                IF started OPERATOR(pg_catalog.=) 0 THEN
                    RAISE EXCEPTION USING ERRCODE = 'configuration_limit_exceeded',
                        MESSAGE = 'no background worker could be started', HINT = 'Raise max_worker_processes.';
                END IF;
            ELSE
                PERFORM pg_catalog.pg_sleep(0.1);
            END IF;
            left_over := lmtext_internal.count_job_workers(false);
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            state := SQLSTATE;
            said := SQLERRM;
        END;
        IF state IS NOT NULL THEN
            left_over := lmtext_internal.count_job_workers(true);
        END IF;
        COMMIT; -- what the workers have written since is seen
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        sums := lmtext_internal.sum_workers(run);
        IF state IS NULL AND sums.state IS NOT NULL THEN
            state := sums.state;
            said := sums.said;
            left_over := lmtext_internal.count_job_workers(true);
        ELSIF state IS NULL AND left_over OPERATOR(pg_catalog.=) 0 AND started IS NOT NULL
                AND (sums.seen OPERATOR(pg_catalog.<) started OR sums.status OPERATOR(pg_catalog.=) 'running') THEN
            state := '57P01';
            said := 'a background worker ended without a word';
        END IF;
        EXIT WHEN state IS NOT NULL OR left_over OPERATOR(pg_catalog.=) 0 AND started IS NOT NULL;
        PERFORM lmtext_internal.write_job(job.work, 'step',
            pg_catalog.jsonb_build_object('id', run, 'total', total, 'done', sums.done, 'errors', sums.errors));
        told := lmtext_internal.tell_job(job.name, began, told, sums.done, total, sums.errors);
        COMMIT;
    END LOOP;
    IF state IS NULL AND sums.status OPERATOR(pg_catalog.=) 'done' THEN
        SELECT c.state, c.said, lmtext_internal.then_failed(job, sums.done) INTO state, said, detail
        FROM lmtext_internal.call_then(job, run) c;
    END IF;
    PERFORM lmtext_internal.end_run(job, run, sums.done, sums.errors, lmtext_internal.run_status(sums.status, state), state, said);
    COMMIT;
    IF state IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = state, MESSAGE = said, DETAIL = COALESCE(detail, pg_catalog.format(
            'Job "%s" ended early; %s rows are done, and the next run goes on from there.', job.name, sums.done));
    END IF;
    RAISE NOTICE USING MESSAGE = pg_catalog.format('job "%s" %s: %s rows done by %s workers, %s errors', job.name,
        lmtext_internal.told_end(sums.status), sums.done, started, sums.errors);
END $$;
COMMENT ON PROCEDURE lmtext_internal.run_workers(text, integer, boolean) IS 'a run of a job by background workers';

CREATE FUNCTION lmtext_internal.check_run(job lmtext.job, workers integer) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
BEGIN
    IF pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool THEN
        RAISE EXCEPTION USING ERRCODE = 'read_only_sql_transaction',
            MESSAGE = 'cannot execute lmtext.run_job() in a read-only transaction',
            HINT = CASE WHEN pg_catalog.pg_is_in_recovery()
                THEN 'This server is a standby. Run the job on the primary, or here after promotion: it goes on where it was.'
                ELSE 'SET default_transaction_read_only = off;' END;
    END IF;
    IF job.paused THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('job "%s" is paused', job.name),
            HINT = pg_catalog.format('SELECT lmtext.resume_job(%L);', job.name);
    END IF;
    IF NOT workers OPERATOR(pg_catalog.<@) pg_catalog.int4range(0, 64, '[]') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'workers must be from 0 to 64';
    END IF;
    IF workers OPERATOR(pg_catalog.>) 0
            AND NOT (SELECT r.rolcanlogin FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER) THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = pg_catalog.format('role "%s" may not log in, so no worker can run as it', CURRENT_USER),
            HINT = 'Run the job in this session: workers => 0. Several sessions may run one job at once.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_run(lmtext.job, integer) IS 'refuses a run that cannot begin';

CREATE PROCEDURE lmtext.run_job(name text, workers integer DEFAULT 0)
    LANGUAGE plpgsql AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(run_job.name);
    follower text;
BEGIN
    PERFORM lmtext_internal.check_run(job, workers);
    IF COALESCE(workers, 0) OPERATOR(pg_catalog.=) 0 THEN
        CALL lmtext_internal.run_batches(job.name, NULL);
    ELSE
        CALL lmtext_internal.run_workers(job.name, workers);
    END IF;
    FOREACH follower IN ARRAY lmtext_internal.next_jobs(job) LOOP
        CALL lmtext.run_job(follower, workers);
    END LOOP;
END $$;
COMMENT ON PROCEDURE lmtext.run_job(text, integer) IS
    'do what is to be done for a job, batch by batch, each in a transaction of its own; then the jobs that follow it';

-- ---- Pause, errors ----

CREATE FUNCTION lmtext.pause_job(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(pause_job.name);
BEGIN
    PERFORM lmtext_internal.write_job(job.work, 'set', '{"paused": true}');
END $$;
COMMENT ON FUNCTION lmtext.pause_job(text) IS 'pause a job: its runs end at the next batch, and none begins';

CREATE FUNCTION lmtext.resume_job(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(resume_job.name);
BEGIN
    PERFORM lmtext_internal.write_job(job.work, 'set', '{"paused": false}');
END $$;
COMMENT ON FUNCTION lmtext.resume_job(text) IS 'let a paused job run again; run_job begins a run';

CREATE FUNCTION lmtext.retry_errors(name text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(retry_errors.name);
    again bigint;
BEGIN
    EXECUTE pg_catalog.format('UPDATE %s w SET due = true, tries = 0, retry_at = NULL, sqlstate = NULL, message = NULL, key = NULL'
        ' WHERE w.sqlstate IS NOT NULL', lmtext_internal.table_name(job.work));
    GET DIAGNOSTICS again = ROW_COUNT;
    RETURN again;
END $$;
COMMENT ON FUNCTION lmtext.retry_errors(text) IS 'make the rows that failed due again for the next run; returns their number';

-- ---- Views ----

CREATE VIEW lmtext.jobs AS
    SELECT j.name, pg_catalog.pg_get_userbyid(c.relowner) AS owner, j.relation, j.text_column, j.task, j.model,
           j.target, j.target_column, j.key, j.options, j.paused, j.attached, j.work
    FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work;
COMMENT ON VIEW lmtext.jobs IS 'jobs of this database';
COMMENT ON COLUMN lmtext.jobs.text_column IS 'column of the text; NULL where it is an expression, the option text';
COMMENT ON COLUMN lmtext.jobs.model IS 'the model, whose deployed version is used, or one version';
COMMENT ON COLUMN lmtext.jobs.target IS 'table that is written: the relation or a side table';
COMMENT ON COLUMN lmtext.jobs.key IS 'columns of the primary key of the relation';
COMMENT ON COLUMN lmtext.jobs.work IS 'table of what was done for each row; who owns it owns the job';

CREATE VIEW lmtext.job_runs AS
    SELECT j.name AS job, r.id AS run, r.started_at, r.finished_at,
           CASE WHEN r.status OPERATOR(pg_catalog.=) 'running'
                    AND NOT EXISTS (SELECT FROM lmtext_internal.live_runs l WHERE l.id OPERATOR(pg_catalog.=) r.id)
                THEN 'interrupted' ELSE r.status END AS status,
           r.total, r.done, r.errors, r.model, r.pid, r.updated_at, r.sqlstate, m.message
    FROM lmtext.job_run r JOIN lmtext.job j ON j.work::pg_catalog.oid OPERATOR(pg_catalog.=) r.work::pg_catalog.oid
    JOIN lmtext_internal.own_messages m ON m.id OPERATOR(pg_catalog.=) r.id
    WHERE r.parent IS NULL;
COMMENT ON VIEW lmtext.job_runs IS 'runs of jobs on this server';
COMMENT ON COLUMN lmtext.job_runs.status IS
    'running, done, paused, stopped (by its window), cancelled, failed, skipped where the job that it follows was not done, or interrupted where the session ended without a word';
COMMENT ON COLUMN lmtext.job_runs.total IS 'rows that were due when the run began';
COMMENT ON COLUMN lmtext.job_runs.errors IS 'attempts at rows that failed';
COMMENT ON COLUMN lmtext.job_runs.message IS 'error that ended the run, for whoever has the rights of the owner; it may repeat a text';

CREATE VIEW lmtext.job_progress AS
    SELECT p.job, p.done, p.total, CASE WHEN p.seconds OPERATOR(pg_catalog.>) 0 THEN p.done::pg_catalog.float8 OPERATOR(pg_catalog./) p.seconds END AS rate,
           CASE WHEN p.done OPERATOR(pg_catalog.>) 0 THEN pg_catalog.now() OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs =>
               p.seconds OPERATOR(pg_catalog.*) (GREATEST(p.total, p.done) OPERATOR(pg_catalog.-) p.done)::pg_catalog.float8
               OPERATOR(pg_catalog./) p.done::pg_catalog.float8) END AS eta
    FROM (SELECT r.job, pg_catalog.sum(r.done OPERATOR(pg_catalog.+) r.errors)::bigint AS done, pg_catalog.max(r.total) AS total,
              EXTRACT(epoch FROM pg_catalog.now() OPERATOR(pg_catalog.-) pg_catalog.min(r.started_at))::pg_catalog.float8 AS seconds
          FROM lmtext.job_runs r WHERE r.status OPERATOR(pg_catalog.=) 'running' GROUP BY r.job) p;
COMMENT ON VIEW lmtext.job_progress IS 'jobs that run now';
COMMENT ON COLUMN lmtext.job_progress.done IS 'rows that the sessions of the run have done or given up';
COMMENT ON COLUMN lmtext.job_progress.rate IS 'rows a second';
COMMENT ON COLUMN lmtext.job_progress.eta IS 'when the run will end at this pace';

-- Keys and messages are the owner's to see; and what is read here are tables of that role only.
CREATE FUNCTION lmtext_internal.job_error_list(
    OUT job text, OUT key text, OUT sqlstate text, OUT message text, OUT tries integer, OUT at timestamptz, OUT retry_at timestamptz)
    RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 100 AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT j.name, j.work FROM lmtext.job j
            JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
            WHERE pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.=) CURRENT_USER
                AND lmtext_internal.added_code(j, j.work) IS NULL LOOP
        RETURN QUERY EXECUTE pg_catalog.format('SELECT $1, w.key, w.sqlstate, w.message, w.tries::int, w.at,'
            ' CASE WHEN w.due THEN w.retry_at END FROM %s w WHERE w.sqlstate IS NOT NULL', lmtext_internal.table_name(one.work))
            USING one.name;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.job_error_list() IS 'rows that failed, of jobs of the current user';

CREATE VIEW lmtext.job_errors AS SELECT * FROM lmtext_internal.job_error_list();
COMMENT ON VIEW lmtext.job_errors IS 'rows that jobs of the current user could not do';
COMMENT ON COLUMN lmtext.job_errors.key IS 'primary key of the row, as text';
COMMENT ON COLUMN lmtext.job_errors.tries IS 'number of attempts';
COMMENT ON COLUMN lmtext.job_errors.retry_at IS 'when a run will try it again; NULL: not before lmtext.retry_errors, another text or another version';
GRANT SELECT ON lmtext.jobs, lmtext.job_runs, lmtext.job_progress, lmtext.job_errors TO PUBLIC;

-- ---- Alerts ----

-- As a job is its table of work, an alert is the table of what it has said. Its query is its author's: a new owner of the table
-- does not run it.
CREATE TABLE lmtext.alert (
    name text NOT NULL PRIMARY KEY,
    fired regclass NOT NULL UNIQUE,
    query text NOT NULL,
    condition text NOT NULL,
    author name NOT NULL
);
COMMENT ON TABLE lmtext.alert IS 'alerts; lmtext.create_alert makes them';
GRANT SELECT ON lmtext.alert TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lmtext.alert', '');

-- The statement of an alert: its rows, and what each is known by. A line end behind each piece ends a comment in it.
CREATE FUNCTION lmtext_internal.alert_statement(query text, condition text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 AS $$
    SELECT pg_catalog.format(E'SELECT COALESCE(j.found OPERATOR(pg_catalog.->) ''key'', j.found) AS known_by, j.found'
        ' FROM (SELECT pg_catalog.to_jsonb(q) AS found FROM (%s\r) q WHERE (%s\r)) j', query, condition);
$$;
COMMENT ON FUNCTION lmtext_internal.alert_statement(text, text) IS 'statement that finds the rows of an alert';

CREATE FUNCTION lmtext.create_alert(name text, query text, condition text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
#variable_conflict use_column
DECLARE
    fired text := pg_catalog.quote_ident(pg_catalog.concat(create_alert.name, '@alert'));
    relation regclass;
BEGIN
    IF create_alert.name IS NULL OR create_alert.query IS NULL OR create_alert.condition IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'an alert needs a name, a query and a condition';
    END IF;
    IF pg_catalog.octet_length(create_alert.name) OPERATOR(pg_catalog.>) 57
            OR create_alert.name OPERATOR(pg_catalog.=) '' OR create_alert.name OPERATOR(pg_catalog.~) '@' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_name',
            MESSAGE = pg_catalog.format('invalid alert name "%s"', lmtext_internal.shown(create_alert.name)),
            DETAIL = 'It has 1 to 57 bytes, and no "@".';
    END IF;
    IF EXISTS (SELECT FROM lmtext.alert a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.fired
            WHERE a.name OPERATOR(pg_catalog.=) create_alert.name) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = pg_catalog.format('alert "%s" already exists', create_alert.name);
    END IF;
    EXECUTE pg_catalog.concat('EXPLAIN ', lmtext_internal.alert_statement(create_alert.query, create_alert.condition));
    EXECUTE pg_catalog.format('CREATE TABLE %s (known_by jsonb NOT NULL, row jsonb NOT NULL,'
        ' at timestamptz NOT NULL DEFAULT pg_catalog.now(), holds boolean NOT NULL DEFAULT true)', fired);
    SELECT c.oid INTO relation FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n
        ON n.oid OPERATOR(pg_catalog.=) c.relnamespace AND n.nspname OPERATOR(pg_catalog.=) CURRENT_SCHEMA
    WHERE c.relname OPERATOR(pg_catalog.=) pg_catalog.concat(create_alert.name, '@alert')::pg_catalog.name;
    PERFORM lmtext_internal.write_job(relation, 'forget alerts', '{}');
    PERFORM lmtext_internal.write_job(relation, 'create alert', pg_catalog.jsonb_build_object('name', create_alert.name,
        'fired', relation::pg_catalog.oid::pg_catalog.text, 'query', create_alert.query, 'condition', create_alert.condition));
END $$;
COMMENT ON FUNCTION lmtext.create_alert(text, text, text) IS
    'create an alert on each row of a query for which a condition holds and did not at the last check; a row is known by its column key, or else by all of it';

CREATE FUNCTION lmtext_internal.own_alerts() RETURNS SETOF lmtext.alert
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 10 AS $$
    SELECT a.* FROM lmtext.alert a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.fired
    WHERE pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.=) CURRENT_USER
        AND a.author OPERATOR(pg_catalog.=) CURRENT_USER AND c.relkind OPERATOR(pg_catalog.=) 'r' ORDER BY a.name;
$$;
COMMENT ON FUNCTION lmtext_internal.own_alerts() IS 'alerts of the current user';

CREATE FUNCTION lmtext.drop_alert(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    alert lmtext.alert;
BEGIN
    SELECT a.* INTO alert FROM lmtext_internal.own_alerts() a WHERE a.name OPERATOR(pg_catalog.=) drop_alert.name;
    IF alert.name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = pg_catalog.format('alert "%s" does not exist, or is another role''s', lmtext_internal.shown(drop_alert.name));
    END IF;
    PERFORM lmtext_internal.write_job(alert.fired, 'drop alert', '{}');
    EXECUTE pg_catalog.format('DROP TABLE %s', lmtext_internal.table_name(alert.fired));
END $$;
COMMENT ON FUNCTION lmtext.drop_alert(text) IS 'drop an alert, and what it has said';

-- One check at a time; a row that is too long for a notification is named without its columns.
CREATE FUNCTION lmtext_internal.check_alert(alert lmtext.alert) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    fired text := lmtext_internal.table_name(alert.fired);
    said bigint;
BEGIN
    EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', fired);
    EXECUTE pg_catalog.format(
        'WITH found AS MATERIALIZED (SELECT DISTINCT ON (f.known_by) f.known_by, f.found FROM (%1$s) f),'
        ' over AS (UPDATE %2$s o SET holds = false WHERE o.holds'
        ' AND NOT EXISTS (SELECT FROM found f WHERE f.known_by OPERATOR(pg_catalog.=) o.known_by)),'
        ' new AS (INSERT INTO %2$s (known_by, row) SELECT f.known_by, f.found FROM found f WHERE NOT EXISTS'
        ' (SELECT FROM %2$s o WHERE o.holds AND o.known_by OPERATOR(pg_catalog.=) f.known_by) RETURNING row)'
        ' SELECT pg_catalog.count(pg_catalog.pg_notify(''lmtext'', pg_catalog.jsonb_build_object(''event'', ''alert'', ''name'', $1, ''row'','
        ' CASE WHEN pg_catalog.octet_length(n.row::pg_catalog.text) OPERATOR(pg_catalog.<) 7000 THEN n.row END)::pg_catalog.text)) FROM new n',
        lmtext_internal.alert_statement(alert.query, alert.condition), fired) INTO said USING alert.name;
    RETURN said;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_alert(lmtext.alert) IS 'check an alert; returns the number of rows that it fired for';

CREATE PROCEDURE lmtext.check_alerts()
    LANGUAGE plpgsql AS $$
DECLARE
    alert lmtext.alert;
BEGIN
    FOR alert IN SELECT a.* FROM lmtext_internal.own_alerts() a LOOP
        BEGIN
            PERFORM lmtext_internal.check_alert(alert);
        EXCEPTION WHEN assert_failure OR OTHERS THEN
            RAISE WARNING USING ERRCODE = SQLSTATE, MESSAGE = pg_catalog.format('alert "%s" could not be checked: %s', alert.name, SQLERRM);
        END;
    END LOOP;
END $$;
COMMENT ON PROCEDURE lmtext.check_alerts() IS 'check all alerts of the current user; one that fails does not keep others back';

CREATE FUNCTION lmtext_internal.alert_list(OUT name text, OUT found jsonb, OUT at timestamptz, OUT holds boolean)
    RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 100 AS $$
DECLARE
    alert lmtext.alert;
BEGIN
    FOR alert IN SELECT a.* FROM lmtext_internal.own_alerts() a LOOP
        RETURN QUERY EXECUTE pg_catalog.format('SELECT $1, f.row, f.at, f.holds FROM %s f', lmtext_internal.table_name(alert.fired))
            USING alert.name;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.alert_list() IS 'rows that alerts of the current user have fired for';

CREATE VIEW lmtext.alerts AS SELECT a.name, a.found AS "row", a.at, a.holds FROM lmtext_internal.alert_list() a;
COMMENT ON VIEW lmtext.alerts IS 'rows that alerts of the current user have fired for';
COMMENT ON COLUMN lmtext.alerts.row IS 'row of the query, as an object';
COMMENT ON COLUMN lmtext.alerts.at IS 'when it was found';
COMMENT ON COLUMN lmtext.alerts.holds IS 'whether the condition held at the last check';
GRANT SELECT ON lmtext.alerts TO PUBLIC;

-- 61-schedule: when jobs run by themselves. The launcher (src/pg/jobs/launcher.c) looks at these tables in short visits to each
-- database, as the superuser that made the cluster: what it calls is here, reads and writes tables of lmtext only, and sets search_path.

-- Written by lmtext_internal.write_job, and by lmtext_internal.due_work. It has no foreign key: a parallel pg_restore would load it
-- before lmtext.job.
CREATE TABLE lmtext.job_schedule (
    work regclass NOT NULL PRIMARY KEY,
    cron text NOT NULL,
    time_zone text NOT NULL,
    not_before time,
    not_after time,
    next_run timestamptz,
    last_run timestamptz,
    missed bigint NOT NULL DEFAULT 0,
    tries integer NOT NULL DEFAULT 0
);
COMMENT ON TABLE lmtext.job_schedule IS 'when jobs run by themselves; the view lmtext.schedules shows it';
GRANT SELECT ON lmtext.job_schedule TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lmtext.job_schedule', '');

-- ---- Times ----

CREATE FUNCTION lmtext_internal.next_time(
    cron text, time_zone text, after timestamptz, not_before time DEFAULT NULL, not_after time DEFAULT NULL)
    RETURNS timestamptz AS 'MODULE_PATHNAME', 'lmtext_next_time' LANGUAGE C STABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.next_time(text, text, timestamptz, time, time) IS
    'first time of a schedule behind another, within a window of the day; NULL where none comes in nine years';

CREATE FUNCTION lmtext_internal.count_times(
    cron text, time_zone text, behind timestamptz, until timestamptz, not_before time DEFAULT NULL, not_after time DEFAULT NULL)
    RETURNS bigint AS 'MODULE_PATHNAME', 'lmtext_count_times' LANGUAGE C STABLE PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION lmtext_internal.count_times(text, text, timestamptz, timestamptz, time, time) IS
    'number of times of a schedule behind one time and up to another, 1000 at most';

-- In the zone as next_time reads it: AT TIME ZONE takes CET and the like for an offset all the year.
CREATE FUNCTION lmtext_internal.next_clock(time_zone text, clock time, after timestamptz) RETURNS timestamptz
    AS 'MODULE_PATHNAME', 'lmtext_next_clock' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.next_clock(text, time, timestamptz) IS 'when a clock in a time zone shows a time of the day next';

CREATE FUNCTION lmtext_internal.in_window(time_zone text, not_before time, not_after time, at timestamptz) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_in_window' LANGUAGE C STABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.in_window(text, time, time, timestamptz) IS 'whether a time is in a window of the day';

-- ---- Scheduling ----

CREATE FUNCTION lmtext.schedule_job(
    name text, cron text, time_zone text DEFAULT NULL, not_before time DEFAULT NULL, not_after time DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(schedule_job.name);
    zone text := COALESCE(schedule_job.time_zone, pg_catalog.current_setting('TimeZone'));
BEGIN
    IF cron IS NULL THEN
        PERFORM lmtext_internal.write_job(job.work, 'unschedule', '{}');
        RETURN;
    END IF;
    IF not_before OPERATOR(pg_catalog.=) not_after THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('a window from %s to %s has no time in it', not_before, not_after);
    END IF;
    IF lmtext_internal.next_time(cron, zone, pg_catalog.clock_timestamp(), not_before, not_after) IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('schedule "%s" never comes', cron),
            DETAIL = 'No such day is in the calendar, or no such time in the window, in the next nine years.';
    END IF;
    PERFORM lmtext_internal.write_job(job.work, 'schedule', pg_catalog.jsonb_build_object('cron', cron, 'time_zone', zone,
        'not_before', not_before, 'not_after', not_after));
END $$;
COMMENT ON FUNCTION lmtext.schedule_job(text, text, text, time, time) IS
    'let a job run by itself at times given as cron has them, in a time zone, within a window of the day; NULL ends that';

CREATE VIEW lmtext.schedules AS
    SELECT j.name AS job, s.cron, s.time_zone, s.not_before, s.not_after, s.next_run, s.last_run, s.missed
    FROM lmtext.job_schedule s JOIN lmtext.job j ON j.work::pg_catalog.oid OPERATOR(pg_catalog.=) s.work::pg_catalog.oid
    JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) s.work;
COMMENT ON VIEW lmtext.schedules IS 'when jobs run by themselves';
COMMENT ON COLUMN lmtext.schedules.not_before IS 'a run does not start before this time of the day';
COMMENT ON COLUMN lmtext.schedules.not_after IS 'nor after this one, at which a run stops';
COMMENT ON COLUMN lmtext.schedules.next_run IS 'when it is due; in the past while it runs, or waits for its window or a worker';
COMMENT ON COLUMN lmtext.schedules.last_run IS 'when the last run by schedule, or of what was queued, began';
COMMENT ON COLUMN lmtext.schedules.missed IS 'times that passed without a run: the server was down, or the last run went on';
GRANT SELECT ON lmtext.schedules TO PUBLIC;

-- ---- What the launcher's visits find ----

CREATE FUNCTION lmtext_internal.queue_is_filled(queue regclass) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_queue_is_filled' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.queue_is_filled(regclass) IS
    'whether a table has a row, read without running anything of it; false where it is locked; needs ownership';

-- Why no worker can run as a role, NULL where one can. From 17 on a worker needs no right to log in.
CREATE FUNCTION lmtext_internal.worker_obstacle(role oid, OUT state text, OUT said text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('server_version_num')::int < 170000 AND NOT (SELECT r.rolcanlogin FROM pg_roles r WHERE r.oid = role) THEN
        state := '0A000';
        said := format('role "%s" may not log in, so no worker can run as it', pg_get_userbyid(role));
    ELSIF NOT has_database_privilege(role, current_database(), 'CONNECT') THEN
        state := '42501';
        said := format('role "%s" may not connect to this database, so no worker can run as it', pg_get_userbyid(role));
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.worker_obstacle(oid) IS 'why no background worker can run as a role';

-- A run that is over was for all times until now; one that was skipped was not for its own.
CREATE FUNCTION lmtext_internal.put_off(job regclass, skipped integer) RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    UPDATE lmtext.job_schedule s SET tries = 0 WHERE s.work = job AND s.tries > 0;
    UPDATE lmtext.job_schedule s SET
        next_run = lmtext_internal.next_time(s.cron, s.time_zone, clock_timestamp(), s.not_before, s.not_after),
        missed = s.missed + skipped
            + lmtext_internal.count_times(s.cron, s.time_zone, s.next_run, clock_timestamp(), s.not_before, s.not_after)
    WHERE s.work = job AND s.next_run <= clock_timestamp();
    DELETE FROM lmtext.job_run r WHERE r.work = job AND r.started_at < now() - interval '90 days'; -- a run that begins prunes; but where none can
$$;
COMMENT ON FUNCTION lmtext_internal.put_off(regclass, integer) IS 'wait for the next time of a schedule';

-- A run that could not begin, and so those of the jobs that follow.
CREATE FUNCTION lmtext_internal.note_failure(job text, work regclass, state text, said text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one record;
    run bigint;
BEGIN
    FOR one IN WITH RECURSIVE failed (name, work, leader) AS (
            SELECT note_failure.job, note_failure.work, NULL
            UNION SELECT j.name, j.work, f.name FROM failed f JOIN lmtext.job j ON j.options ->> 'after' = f.name
                JOIN pg_class c ON c.oid = j.work
            WHERE c.relowner = (SELECT o.relowner FROM pg_class o WHERE o.oid = note_failure.work))
            SELECT f.name, f.work, CASE WHEN f.leader IS NULL THEN note_failure.said
                    ELSE format('job "%s" was not done: %s', f.leader, CASE WHEN f.leader = note_failure.job THEN 'failed' ELSE 'skipped' END) END AS said,
                CASE WHEN f.leader IS NULL THEN note_failure.state END AS state, CASE WHEN f.leader IS NULL THEN 'failed' ELSE 'skipped' END AS status,
                CASE WHEN f.leader IS NULL THEN 'failure' ELSE 'skipped' END AS event
            FROM failed f LOOP
        INSERT INTO lmtext.job_run (work, pid, model, status, finished_at, sqlstate, message)
        VALUES (one.work, pg_backend_pid(), 0::oid, one.status, clock_timestamp(), one.state, one.said) RETURNING id INTO run;
        PERFORM lmtext_internal.notify_job(one.name, run, one.event,
            jsonb_build_object('status', one.status, 'done', 0, 'errors', 0, 'sqlstate', one.state));
    END LOOP;
    PERFORM lmtext_internal.put_off(work, 0);
END $$;
COMMENT ON FUNCTION lmtext_internal.note_failure(text, regclass, text, text) IS 'note a run of a job that could not begin';

-- A run that is skipped says nothing of the one before. `crashes`: of the last five runs those that ended without a word and without a row.
CREATE VIEW lmtext_internal.watched_jobs AS
    SELECT j.name, j.work, c.relowner AS owner, j.author OPERATOR(pg_catalog.=) pg_catalog.pg_get_userbyid(c.relowner) AS trusted,
        s.time_zone, s.not_before, s.not_after, s.next_run, s.tries,
        lmtext_internal.job_option(j, 'missed_runs') OPERATOR(pg_catalog.=) 'skip' AS skips, j.attached, j.scanned IS NULL AS unseen,
        pg_catalog.to_regclass(lmtext_internal.queue_name(j)) AS queue, r.started_at, r.status, r.crashes,
        EXISTS (SELECT FROM lmtext_internal.live_runs l WHERE l.work::pg_catalog.oid OPERATOR(pg_catalog.=) j.work::pg_catalog.oid) AS running
    FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
    LEFT JOIN lmtext.job_schedule s ON s.work::pg_catalog.oid OPERATOR(pg_catalog.=) j.work::pg_catalog.oid
    LEFT JOIN LATERAL (SELECT (pg_catalog.array_agg(o.started_at ORDER BY o.id DESC))[1] AS started_at,
            (pg_catalog.array_agg(o.status ORDER BY o.id DESC))[1] AS status,
            pg_catalog.count(*) FILTER (WHERE o.done OPERATOR(pg_catalog.=) 0 AND (o.status OPERATOR(pg_catalog.=) ANY ('{running,interrupted}'::pg_catalog.text[])
                OR o.sqlstate OPERATOR(pg_catalog.=) '57P01')) AS crashes
        FROM (SELECT n.* FROM lmtext.job_run n WHERE n.work::pg_catalog.oid OPERATOR(pg_catalog.=) j.work::pg_catalog.oid AND n.parent IS NULL
            AND n.status OPERATOR(pg_catalog.<>) 'skipped' ORDER BY n.id DESC LIMIT 5) o) r ON true
    WHERE NOT j.paused AND (j.attached OR s.next_run IS NOT NULL);
COMMENT ON VIEW lmtext_internal.watched_jobs IS 'jobs that may be due, and their last run';
GRANT SELECT ON lmtext_internal.watched_jobs TO PUBLIC;

-- Whether an attached job has something to do: rows wait in its queue, or its last run has taken them from there and not done them. After a
-- run it rests for a while, so that a trigger that changes the text does not keep it going, and longer after one that came to a bad end.
CREATE FUNCTION lmtext_internal.queue_waits(job lmtext_internal.watched_jobs, naptime interval) RETURNS boolean
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT job.attached AND job.trusted AND COALESCE(clock_timestamp() >= job.started_at + naptime
            + CASE WHEN job.status = ANY ('{failed,cancelled,running,interrupted}') THEN interval '10 minutes' ELSE '0' END, true)
        AND (job.unseen OR job.status <> 'done' OR EXISTS (SELECT FROM pg_class c WHERE c.oid = job.queue AND c.relowner = job.owner
            AND c.relkind = 'r' AND lmtext_internal.queue_is_filled(job.queue)));
$$;
COMMENT ON FUNCTION lmtext_internal.queue_waits(lmtext_internal.watched_jobs, interval) IS 'whether an attached job has something to do';

-- Who owned a job before may have left triggers and policies: they run as the new owner when that role says so, not by themselves.
CREATE FUNCTION lmtext_internal.run_obstacle(job lmtext_internal.watched_jobs, OUT state text, OUT said text)
    LANGUAGE sql STABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN job.trusted THEN o.state ELSE '55000' END, CASE WHEN job.trusted THEN o.said ELSE 'the job was scheduled by another role' END
    FROM lmtext_internal.worker_obstacle(job.owner) o;
$$;
COMMENT ON FUNCTION lmtext_internal.run_obstacle(lmtext_internal.watched_jobs) IS 'why no run of a job can begin by itself, NULL where one can';

-- What a worker is to do (null: nothing), and when to look again. A time that was missed by more than five minutes while nothing ran
-- is made up for once, or skipped. A run that ends its server five times without having done anything is not started a sixth time: by a
-- schedule not before the next time, and not by what is queued until another run has ended.
CREATE FUNCTION lmtext_internal.due_job(
    job lmtext_internal.watched_jobs, naptime interval, OUT starts boolean, OUT until timestamptz, OUT look timestamptz)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    now timestamptz := clock_timestamp();
    due boolean := COALESCE(job.next_run <= now, false);
    obstacle record;
BEGIN
    starts := false;
    IF due AND NOT job.running AND job.skips AND job.tries = 0 AND job.next_run < now - interval '5 minutes' THEN
        PERFORM lmtext_internal.put_off(job.work, 1);
        due := false;
        look := now + naptime;
    ELSIF due AND NOT job.running AND job.tries >= 5 THEN
        PERFORM lmtext_internal.note_failure(job.name, job.work, '57P01', 'five workers ended without a word');
        job.status := 'failed';
        due := false;
        look := now + naptime;
    ELSIF NOT due THEN
        look := job.next_run;
    END IF;
    IF job.attached THEN
        look := LEAST(look, now + naptime);
    END IF;
    IF NOT due AND (job.running OR NOT lmtext_internal.queue_waits(job, naptime)) THEN
        RETURN;
    ELSIF NOT due AND job.crashes >= 5 THEN
        IF job.status <> 'failed' THEN
            PERFORM lmtext_internal.note_failure(job.name, job.work, '57P01', 'five workers ended without a word');
        END IF;
        RETURN;
    END IF;
    look := LEAST(look, now + naptime);
    IF job.running THEN
        RETURN;
    END IF;
    IF NOT lmtext_internal.in_window(job.time_zone, job.not_before, job.not_after, now) THEN
        look := lmtext_internal.next_clock(job.time_zone, COALESCE(job.not_before, '00:00'), now);
        RETURN;
    END IF;
    obstacle := lmtext_internal.run_obstacle(job);
    IF obstacle.state IS NOT NULL THEN
        PERFORM lmtext_internal.note_failure(job.name, job.work, obstacle.state, obstacle.said);
        RETURN;
    END IF;
    starts := true;
    until := lmtext_internal.next_clock(job.time_zone, job.not_after, now);
END $$;
COMMENT ON FUNCTION lmtext_internal.due_job(lmtext_internal.watched_jobs, interval) IS
    'whether a run of a job is to begin, when it is to stop, and when to look again';

-- Rows "run" and "alerts" are work for a worker of that role, and the last says when to look again.
CREATE FUNCTION lmtext_internal.due_work(naptime interval, OUT errand text, OUT role oid, OUT job text, OUT at timestamptz)
    RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one lmtext_internal.watched_jobs;
    found record;
    look timestamptz;
BEGIN
    FOR one IN SELECT w.* FROM lmtext_internal.watched_jobs w ORDER BY w.next_run, w.name LOOP
        BEGIN
            found := lmtext_internal.due_job(one, naptime);
            look := LEAST(look, found.look);
            IF found.starts THEN
                errand := 'run';
                role := one.owner;
                job := one.name;
                at := found.until;
                RETURN NEXT;
            END IF;
        EXCEPTION WHEN OTHERS THEN -- a time zone that the server has no more: others are not kept back
            RAISE LOG USING ERRCODE = SQLSTATE, MESSAGE = format('job "%s" could not be looked at: %s', one.name, SQLERRM);
        END;
    END LOOP;
    job := '';
    at := NULL;
    errand := 'alerts';
    FOR role IN SELECT DISTINCT c.relowner FROM lmtext.alert a JOIN pg_class c ON c.oid = a.fired
            WHERE pg_get_userbyid(c.relowner) = a.author AND (lmtext_internal.worker_obstacle(c.relowner)).state IS NULL LOOP
        look := LEAST(look, clock_timestamp() + naptime);
        RETURN NEXT;
    END LOOP;
    errand := 'look';
    role := 0;
    at := look;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION lmtext_internal.due_work(interval) IS 'what workers are to do in this database now, and when to look again';

-- ---- What workers do ----

-- As the owner: no search_path is set here, since triggers of the user's see it.
CREATE PROCEDURE lmtext_internal.run_scheduled(job_name text)
    LANGUAGE plpgsql AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(job_name);
    most int := lmtext_internal.job_option(job, 'max_workers')::int;
BEGIN
    IF job.author OPERATOR(pg_catalog.<>) CURRENT_USER THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('job "%s" was scheduled by another role', job.name),
            HINT = pg_catalog.format('Look at the triggers of %s, and call lmtext.schedule_job or lmtext.attach.', job.target);
    END IF;
    PERFORM lmtext_internal.write_job(job.work, 'start', '{}');
    COMMIT;
    IF most OPERATOR(pg_catalog.>) 1 THEN
        CALL lmtext_internal.run_workers(job.name, most, true);
    ELSE
        CALL lmtext_internal.run_batches(job.name, NULL);
    END IF;
END $$;
COMMENT ON PROCEDURE lmtext_internal.run_scheduled(text) IS 'a run of a job that the launcher has begun';

-- Returns the jobs that follow: the worker runs each in the same way.
CREATE FUNCTION lmtext_internal.end_scheduled(job_name text, state text, said text) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 ROWS 1 AS $$
DECLARE
    job lmtext.job;
BEGIN
    SELECT j.* INTO job FROM lmtext.job j WHERE j.name OPERATOR(pg_catalog.=) job_name;
    IF state IS NOT NULL AND NOT EXISTS (SELECT FROM lmtext.job_run r
            WHERE r.work::pg_catalog.oid OPERATOR(pg_catalog.=) job.work::pg_catalog.oid
                AND r.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid() AND r.sqlstate OPERATOR(pg_catalog.=) state) THEN
        PERFORM lmtext_internal.end_run(job, lmtext_internal.write_job(job.work, 'begin', '{"model": "0"}'), 0, 0, 'failed', state, said);
    END IF;
    PERFORM lmtext_internal.write_job(job.work, 'over', '{}');
    RETURN QUERY SELECT n.name FROM pg_catalog.unnest(lmtext_internal.next_jobs(job)) n (name);
END $$;
COMMENT ON FUNCTION lmtext_internal.end_scheduled(text, text, text) IS 'note the end of a run that the launcher has begun; returns the jobs that follow it';

-- ---- When there is something new to look at ----

CREATE FUNCTION lmtext_internal.wake_launcher() RETURNS trigger
    AS 'MODULE_PATHNAME', 'lmtext_wake_launcher' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.wake_launcher() IS 'trigger: the launcher looks at this database when the transaction has committed';
REVOKE EXECUTE ON FUNCTION lmtext_internal.wake_launcher() FROM PUBLIC; -- a trigger of anybody's table would keep it going
CREATE TRIGGER wake AFTER INSERT OR UPDATE OR DELETE ON lmtext.job_schedule
    FOR EACH STATEMENT EXECUTE FUNCTION lmtext_internal.wake_launcher();
CREATE TRIGGER wake AFTER INSERT ON lmtext.alert
    FOR EACH STATEMENT EXECUTE FUNCTION lmtext_internal.wake_launcher();
CREATE TRIGGER wake AFTER INSERT OR UPDATE OF attached, paused ON lmtext.job
    FOR EACH STATEMENT EXECUTE FUNCTION lmtext_internal.wake_launcher();

-- 62-versions: when the model of a column changes. A job into a new column takes the place of the old one
-- (switch_job), and until then a map lets queries of the new version search it (map_vectors). As functions of
-- jobs, those that change tables or run the user's query set no search_path.

-- ---- The switch ----

CREATE FUNCTION lmtext_internal.check_switch_options(options jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 AS $$
DECLARE
    known CONSTANT jsonb := '{"keep_as": "string", "drop_old": "boolean", "allow_errors": "boolean"}';
    given jsonb := options;
    wrong record;
BEGIN
    IF pg_catalog.jsonb_typeof(given) OPERATOR(pg_catalog.<>) 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'options must be a JSON object';
    END IF;
    SELECT o.key, known OPERATOR(pg_catalog.->>) o.key AS type INTO wrong FROM pg_catalog.jsonb_each(given) o
    WHERE COALESCE(pg_catalog.jsonb_typeof(o.value) OPERATOR(pg_catalog.<>) (known OPERATOR(pg_catalog.->>) o.key), true)
    ORDER BY o.key LIMIT 1;
    IF FOUND AND wrong.type IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('unknown option "%s"', lmtext_internal.shown(wrong.key)),
            HINT = 'Available options: keep_as, drop_old, allow_errors.';
    ELSIF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('option "%s" must be a %s', wrong.key, wrong.type);
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_switch_options(jsonb) IS 'refuses options that switch_job does not have';

-- Rows that a run of the job would do now, and with `allow_errors` false those that it could not.
CREATE FUNCTION lmtext_internal.check_complete(job lmtext.job, allow_errors boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
    left_over bigint;
BEGIN
    EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM %s', parts.to_do) INTO left_over
        USING lmtext_internal.job_versions(job);
    IF left_over OPERATOR(pg_catalog.>) 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('job "%s" has %s rows left to do', job.name, left_over),
            HINT = pg_catalog.format('CALL lmtext.run_job(%L);', job.name);
    END IF;
    EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM %s w WHERE w.sqlstate IS NOT NULL', parts.work) INTO left_over;
    IF left_over OPERATOR(pg_catalog.>) 0 AND NOT allow_errors THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('%s rows of job "%s" failed', left_over, job.name),
            DETAIL = 'They have no vector in the new column.',
            HINT = 'The view lmtext.job_errors lists them. Use the option {"allow_errors": true} to go without them.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_complete(lmtext.job, boolean) IS 'refuses a job that has rows left to do';

-- What would go on reading or writing the old column, whatever its name: a rename is followed by whatever reads it,
-- and a trigger of lmtext.embed_trigger looks for the name.
CREATE FUNCTION lmtext_internal.check_readers(relation regclass, column_name name) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    reader text;
BEGIN
    SELECT t.tgname INTO reader FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
    WHERE t.tgrelid OPERATOR(pg_catalog.=) relation AND p.prosrc OPERATOR(pg_catalog.=) 'lmtext_embed_trigger'
        AND pg_catalog.split_part(pg_catalog.encode(t.tgargs, 'escape'), '\000', 2) OPERATOR(pg_catalog.=)
            pg_catalog.encode(pg_catalog.convert_to(column_name::pg_catalog.text, pg_catalog.getdatabaseencoding()), 'escape') LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = pg_catalog.format('trigger "%s" keeps column "%s"', reader, column_name),
            HINT = pg_catalog.format('Drop it in the same transaction: DROP TRIGGER %I ON %s;', reader, relation);
    END IF;
    SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) INTO reader
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) d.refobjid
        AND a.attnum OPERATOR(pg_catalog.=) d.refobjsubid
    WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refobjid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) column_name
        AND d.classid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.pg_rewrite'::pg_catalog.regclass,
            'pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_policy'::pg_catalog.regclass,
            'pg_catalog.pg_trigger'::pg_catalog.regclass, 'pg_catalog.pg_publication_rel'::pg_catalog.regclass])
    ORDER BY d.classid, d.objid LIMIT 1;
    IF NOT FOUND THEN
        SELECT pg_catalog.format('generated column "%s"', g.attname) INTO reader
        FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) d.refobjid
            AND a.attnum OPERATOR(pg_catalog.=) d.refobjsubid
        JOIN pg_catalog.pg_attrdef e ON e.oid OPERATOR(pg_catalog.=) d.objid AND e.adnum OPERATOR(pg_catalog.<>) a.attnum
        JOIN pg_catalog.pg_attribute g ON g.attrelid OPERATOR(pg_catalog.=) e.adrelid AND g.attnum OPERATOR(pg_catalog.=) e.adnum
        WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
            AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass
            AND d.refobjid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) column_name
        ORDER BY g.attnum LIMIT 1;
    END IF;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = pg_catalog.format('%s would go on reading the old column "%s"', reader, column_name),
            HINT = 'Drop it before the switch and create it again behind it, all in one transaction.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_readers(regclass, name) IS 'refuses a column that others would go on using';

-- Column privileges are the column's, not its name's.
CREATE FUNCTION lmtext_internal.copy_privileges(relation regclass, source name, target name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT p.privilege_type, p.is_grantable,
            CASE WHEN p.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'
                ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(p.grantee)) END AS grantee
            FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) p
            WHERE a.attrelid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) source LOOP
        EXECUTE pg_catalog.format('GRANT %s (%I) ON %s TO %s%s', one.privilege_type, target, lmtext_internal.table_name(relation),
            one.grantee, CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' END);
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.copy_privileges(regclass, name, name) IS 'grant on a column what is granted on another';

CREATE FUNCTION lmtext_internal.count_indexes(relation regclass, column_name name) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE COST 100 AS $$
    SELECT pg_catalog.count(*) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid
    WHERE i.indrelid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) column_name
        AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey::smallint[]);
$$;
COMMENT ON FUNCTION lmtext_internal.count_indexes(regclass, name) IS 'number of indexes on a column';

-- The old column leaves the name: it is dropped, or goes on under another one, without having to be filled.
CREATE FUNCTION lmtext_internal.retire_column(relation regclass, column_name name, keep_as name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
BEGIN
    IF keep_as IS NULL THEN
        EXECUTE pg_catalog.format('ALTER TABLE %s DROP %I', lmtext_internal.table_name(relation), column_name);
        RETURN;
    END IF;
    IF (SELECT a.attnotnull FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) relation
            AND a.attname OPERATOR(pg_catalog.=) column_name) THEN
        EXECUTE pg_catalog.format('ALTER TABLE %s ALTER %I DROP NOT NULL', lmtext_internal.table_name(relation), column_name);
    END IF;
    EXECUTE pg_catalog.format('ALTER TABLE %s RENAME %I TO %I', lmtext_internal.table_name(relation), column_name, keep_as);
END $$;
COMMENT ON FUNCTION lmtext_internal.retire_column(regclass, name, name) IS 'drop or rename a column whose place another one takes';

-- Batches lock the table of work before the relation, and so does this. From here on nobody writes; readers go on until the columns
-- are renamed.
CREATE FUNCTION lmtext_internal.lock_switch(works regclass[], relations regclass[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    one regclass;
BEGIN
    FOREACH one IN ARRAY works LOOP
        EXECUTE pg_catalog.format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', lmtext_internal.table_name(one));
    END LOOP;
    FOREACH one IN ARRAY relations LOOP
        EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', lmtext_internal.table_name(one));
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.lock_switch(regclass[], regclass[]) IS 'keep writers and batches out of what switch_job exchanges';

CREATE FUNCTION lmtext.switch_job(name text, replaces name, options jsonb DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
#variable_conflict use_column
DECLARE
    job lmtext.job := lmtext_internal.own_job(switch_job.name);
    allow_errors boolean;
    keep_as name;
    old_jobs lmtext.job[];
    old_job lmtext.job;
    attached boolean := false;
BEGIN
    IF switch_job.replaces IS NULL OR switch_job.options IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a switch needs a job, a column and options';
    END IF;
    PERFORM lmtext_internal.check_switch_options(switch_job.options);
    allow_errors := COALESCE((switch_job.options OPERATOR(pg_catalog.->>) 'allow_errors')::boolean, false);
    IF NOT COALESCE((switch_job.options OPERATOR(pg_catalog.->>) 'drop_old')::boolean, false) THEN
        keep_as := COALESCE(switch_job.options OPERATOR(pg_catalog.->>) 'keep_as',
            pg_catalog.concat(pg_catalog.left(switch_job.replaces::pg_catalog.text, 59), '_old'));
    END IF;
    IF switch_job.replaces OPERATOR(pg_catalog.=) ANY (ARRAY[job.target_column, job.text_column] OPERATOR(pg_catalog.||) job.key)
            OR NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
            WHERE a.attrelid OPERATOR(pg_catalog.=) job.target AND a.attname OPERATOR(pg_catalog.=) switch_job.replaces
                AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column',
            MESSAGE = pg_catalog.format('table "%s" has no other column "%s" that job "%s" could replace', job.target,
                switch_job.replaces, job.name);
    END IF;
    IF pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.<>) 'read committed' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'lmtext.switch_job needs a transaction that is READ COMMITTED',
            DETAIL = 'Another one would not see the rows that came after it began.';
    END IF;
    SELECT COALESCE(pg_catalog.array_agg(lmtext_internal.own_job(j.name)), '{}') INTO old_jobs
    FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
    WHERE j.target::pg_catalog.oid OPERATOR(pg_catalog.=) job.target::pg_catalog.oid
        AND j.target_column OPERATOR(pg_catalog.=) switch_job.replaces;
    PERFORM lmtext_internal.check_readers(job.target, switch_job.replaces);
    PERFORM lmtext_internal.check_complete(job, allow_errors);
    PERFORM lmtext_internal.lock_switch(
        ARRAY(SELECT o.work FROM pg_catalog.unnest(old_jobs) o UNION SELECT job.work),
        ARRAY(SELECT DISTINCT r.relation FROM (VALUES (job.relation), (job.target)) r (relation)));
    PERFORM lmtext_internal.check_complete(job, allow_errors);
    FOREACH old_job IN ARRAY old_jobs LOOP
        attached := attached OR old_job.attached;
        PERFORM lmtext_internal.write_job(job.work, 'schedule', pg_catalog.to_jsonb(s)) FROM lmtext.job_schedule s
        WHERE s.work::pg_catalog.oid OPERATOR(pg_catalog.=) old_job.work::pg_catalog.oid AND NOT EXISTS (SELECT FROM lmtext.job_schedule n
            WHERE n.work::pg_catalog.oid OPERATOR(pg_catalog.=) job.work::pg_catalog.oid);
        PERFORM lmtext.drop_job(old_job.name);
    END LOOP;
    IF lmtext_internal.count_indexes(job.target, switch_job.replaces) OPERATOR(pg_catalog.>) 0
            AND lmtext_internal.count_indexes(job.target, job.target_column) OPERATOR(pg_catalog.=) 0 THEN
        RAISE NOTICE USING MESSAGE = pg_catalog.format('the new column "%s" has no index, and the old one has', switch_job.replaces);
    END IF;
    PERFORM lmtext_internal.copy_privileges(job.target, switch_job.replaces, job.target_column);
    PERFORM lmtext_internal.retire_column(job.target, switch_job.replaces, keep_as);
    EXECUTE pg_catalog.format('ALTER TABLE %s RENAME %I TO %I', lmtext_internal.table_name(job.target), job.target_column,
        switch_job.replaces);
    PERFORM lmtext_internal.write_job(job.work, 'retarget', pg_catalog.jsonb_build_object('target_column', switch_job.replaces));
    IF attached AND NOT job.attached THEN
        PERFORM lmtext.attach(job.name);
    END IF;
    PERFORM lmtext_internal.notify_job(job.name, NULL, 'switch', pg_catalog.jsonb_build_object('column', switch_job.replaces));
END $$;
COMMENT ON FUNCTION lmtext.switch_job(text, name, jsonb) IS
    'let the column of a job that is complete take the place of another, whose jobs are dropped';

-- ---- Maps ----

CREATE TYPE lmtext.vector_map AS (
    from_model regclass,
    to_model regclass,
    matrix real[],
    metrics jsonb
);
COMMENT ON TYPE lmtext.vector_map IS
    'a map from vectors of one version to those of another; a table of this type, "name@map", is a map';
COMMENT ON COLUMN lmtext.vector_map.from_model IS 'version of the vectors that are mapped: that of the queries';
COMMENT ON COLUMN lmtext.vector_map.to_model IS 'version of what comes of them: that of the column';
COMMENT ON COLUMN lmtext.vector_map.matrix IS 'the map: a row for each number that it makes';
COMMENT ON COLUMN lmtext.vector_map.metrics IS 'how it was fitted, and how well it finds';

CREATE FUNCTION lmtext.mapped(vector real[], map text) RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_mapped' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext.mapped(real[], text) IS
    'vector of one model version as another version would have it, by a map that lmtext.map_vectors has made';

CREATE FUNCTION lmtext_internal.fit_map(
    from_vectors real[], to_vectors real[], OUT matrix real[], OUT kind text, OUT fitted bigint, OUT held_out bigint,
    OUT recall double precision, OUT unmapped double precision)
    AS 'MODULE_PATHNAME', 'lmtext_fit_map' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION lmtext_internal.fit_map(real[], real[]) IS
    'fit a map between two versions'' vectors of the same texts, a row each';

-- Texts of a query, each once, in its order.
CREATE FUNCTION lmtext_internal.sample_texts(query text, size integer) RETURNS text[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    texts text[];
BEGIN
    EXECUTE pg_catalog.format('SELECT pg_catalog.array_agg(d.body ORDER BY d.place) FROM ('
        'SELECT s.body, pg_catalog.min(s.place) AS place FROM ('
        'SELECT q.body::pg_catalog.text COLLATE "C" AS body, pg_catalog.row_number() OVER () AS place FROM (%s) q (body) LIMIT %s) s'
        ' WHERE s.body OPERATOR(pg_catalog.~) ''\S'' GROUP BY s.body) d', pg_catalog.rtrim(query, E'; \t\r\n'), size) INTO texts;
    RETURN COALESCE(texts, '{}');
END $$;
COMMENT ON FUNCTION lmtext_internal.sample_texts(text, integer) IS 'first texts of a query, each once';

CREATE FUNCTION lmtext_internal.map_option(options jsonb, option text, fallback integer, low integer, high integer) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 AS $$
DECLARE
    given text := options OPERATOR(pg_catalog.->>) option;
BEGIN
    IF given IS NULL THEN
        RETURN fallback;
    END IF;
    IF given OPERATOR(pg_catalog.!~) '^[0-9]{1,9}$' OR NOT given::integer OPERATOR(pg_catalog.<@) pg_catalog.int4range(low, high, '[]') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('option "%s" must be from %s to %s', option, low, high);
    END IF;
    RETURN given::integer;
END $$;
COMMENT ON FUNCTION lmtext_internal.map_option(jsonb, text, integer, integer, integer) IS 'option of map_vectors, or its default';

CREATE FUNCTION lmtext_internal.check_map(name text, options jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 AS $$
DECLARE
    wrong text;
BEGIN
    IF pg_catalog.octet_length(name) OPERATOR(pg_catalog.>) 59 OR name OPERATOR(pg_catalog.=) '' OR name OPERATOR(pg_catalog.~) '[@."]' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_name',
            MESSAGE = pg_catalog.format('invalid map name "%s"', lmtext_internal.shown(name)),
            DETAIL = 'It has 1 to 59 bytes, and no "@", dot or quote.';
    END IF;
    IF pg_catalog.jsonb_typeof(options) OPERATOR(pg_catalog.<>) 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'options must be a JSON object';
    END IF;
    SELECT o INTO wrong FROM pg_catalog.jsonb_object_keys(options) o WHERE o OPERATOR(pg_catalog.<>) ALL ('{sample,seconds}'::pg_catalog.text[]);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('unknown option "%s"', lmtext_internal.shown(wrong)),
            HINT = 'Available options: sample, seconds.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_map(text, jsonb) IS 'refuses a name or options that no map can have';

-- Texts are embedded by both versions, block by block, for two thirds of the time that there is; the fit takes the rest.
CREATE FUNCTION lmtext_internal.embed_both(
    texts text[], from_model regclass, to_model regclass, seconds integer, OUT from_vectors real[], OUT to_vectors real[])
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    block CONSTANT integer := 64;
    began timestamptz := pg_catalog.clock_timestamp();
    bodies text[];
BEGIN
    FOR place IN 1 .. pg_catalog.cardinality(texts) BY block LOOP
        EXIT WHEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>)
            (began OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => seconds::double precision OPERATOR(pg_catalog.*) 0.67));
        bodies := texts[place : place OPERATOR(pg_catalog.+) block OPERATOR(pg_catalog.-) 1];
        from_vectors := from_vectors OPERATOR(pg_catalog.||) lmtext.embed_document(bodies, from_model);
        to_vectors := to_vectors OPERATOR(pg_catalog.||) lmtext.embed_document(bodies, to_model);
    END LOOP;
    from_vectors := COALESCE(from_vectors, '{}');
    to_vectors := COALESCE(to_vectors, '{}');
END $$;
COMMENT ON FUNCTION lmtext_internal.embed_both(text[], regclass, regclass, integer) IS 'vectors of texts by two versions';

CREATE FUNCTION lmtext.map_vectors(name text, from_model text, to_model text, query text, options jsonb DEFAULT '{}') RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    began timestamptz := pg_catalog.clock_timestamp();
    sample integer;
    seconds integer;
    from_version regclass;
    to_version regclass;
    vectors record;
    fit record;
    metrics jsonb;
    map text;
BEGIN
    IF map_vectors.name IS NULL OR map_vectors.from_model IS NULL OR map_vectors.to_model IS NULL OR map_vectors.query IS NULL
            OR map_vectors.options IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a map needs a name, two models, a query and options';
    END IF;
    PERFORM lmtext_internal.check_map(map_vectors.name, map_vectors.options);
    IF pg_catalog.current_schema() IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_schema_name', MESSAGE = 'no schema has been selected to create in';
    END IF;
    IF pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.=) ANY (SELECT n.oid FROM pg_catalog.pg_namespace n
            WHERE n.nspname OPERATOR(pg_catalog.=) pg_catalog.current_schema()) THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_table_definition', MESSAGE = 'a map cannot be a temporary table',
            HINT = 'Put another schema first into search_path.';
    END IF;
    map := pg_catalog.format('%I.%I', pg_catalog.current_schema(), pg_catalog.concat(map_vectors.name, '@map'));
    IF pg_catalog.to_regclass(map) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_table', MESSAGE = pg_catalog.format('map "%s" already exists', map_vectors.name),
            HINT = pg_catalog.format('DROP TABLE %s;', map);
    END IF;
    sample := lmtext_internal.map_option(map_vectors.options, 'sample', 2000, 100, 20000);
    seconds := lmtext_internal.map_option(map_vectors.options, 'seconds', 30, 1, 86400);
    from_version := lmtext_internal.resolve_model(map_vectors.from_model);
    to_version := lmtext_internal.resolve_model(map_vectors.to_model);
    vectors := lmtext_internal.embed_both(lmtext_internal.sample_texts(map_vectors.query, sample), from_version, to_version, seconds);
    fit := lmtext_internal.fit_map(vectors.from_vectors, vectors.to_vectors);
    metrics := pg_catalog.jsonb_build_object('kind', fit.kind, 'texts', COALESCE(pg_catalog.array_length(vectors.from_vectors, 1), 0),
        'fitted', fit.fitted, 'held_out', fit.held_out, 'recall_at_10', fit.recall, 'recall_at_10_unmapped', fit.unmapped,
        'seconds', pg_catalog.round(EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) began), 1));
    EXECUTE pg_catalog.format('CREATE TABLE %s OF lmtext.vector_map', map);
    EXECUTE pg_catalog.format('COMMENT ON TABLE %s IS %L', map, pg_catalog.format('lmtext map %s: vectors of %s as %s would have them', map_vectors.name, from_version, to_version));
    EXECUTE pg_catalog.format('INSERT INTO %s VALUES ($1, $2, $3, $4)', map)
        USING from_version, to_version, fit.matrix, metrics;
    RETURN metrics;
END $$;
COMMENT ON FUNCTION lmtext.map_vectors(text, text, text, text, jsonb) IS
    'fit a map on texts of a query, so that queries of one model version can search vectors of another; returns how well it finds';

-- 63-prediction_cache: results of models in shared memory.

CREATE FUNCTION lmtext_internal.get_prediction_cache(
    OUT model regclass, OUT version text, OUT database text, OUT function text, OUT entries bigint,
    OUT bytes bigint, OUT hits bigint, OUT misses bigint, OUT evictions bigint, OUT last_used timestamptz)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_prediction_cache'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10000 ROWS 20;
COMMENT ON FUNCTION lmtext_internal.get_prediction_cache() IS
    'what the prediction cache has of versions that the caller may use; of all of them for members of pg_monitor';

CREATE VIEW lmtext.prediction_cache AS SELECT * FROM lmtext_internal.get_prediction_cache();
COMMENT ON VIEW lmtext.prediction_cache IS
    'what the prediction cache has, by version and function, of versions that the caller may use; of all of them, in all databases, for members of pg_monitor';
COMMENT ON COLUMN lmtext.prediction_cache.model IS
    'table of the version; NULL if it was dropped, is in another database, or is being changed by another session';
COMMENT ON COLUMN lmtext.prediction_cache.version IS 'name of the version, even if it was dropped';
COMMENT ON COLUMN lmtext.prediction_cache.function IS
    'what is kept: embed for vectors, class_scores for the scores of all labels; other functions that need the same result find it too';
COMMENT ON COLUMN lmtext.prediction_cache.entries IS 'results that are kept';
COMMENT ON COLUMN lmtext.prediction_cache.bytes IS 'shared memory that they take';
COMMENT ON COLUMN lmtext.prediction_cache.hits IS 'texts whose results were found';
COMMENT ON COLUMN lmtext.prediction_cache.misses IS 'texts whose results were looked for and not found';
COMMENT ON COLUMN lmtext.prediction_cache.evictions IS 'results that were dropped: the least recently used to make room for others, all of them where the size was changed';
COMMENT ON COLUMN lmtext.prediction_cache.last_used IS
    'start of the last statement that looked for such a result';

CREATE FUNCTION lmtext_internal.get_prediction_cache_info(
    OUT bytes bigint, OUT used bigint, OUT entries bigint, OUT obstacle text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_prediction_cache_info'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10000 ROWS 1;
COMMENT ON FUNCTION lmtext_internal.get_prediction_cache_info() IS 'fill state of the prediction cache';

CREATE VIEW lmtext.prediction_cache_info AS SELECT * FROM lmtext_internal.get_prediction_cache_info();
COMMENT ON VIEW lmtext.prediction_cache_info IS 'fill state of the prediction cache, for the whole server';
COMMENT ON COLUMN lmtext.prediction_cache_info.bytes IS
    'shared memory of the cache; 0 if it is off';
COMMENT ON COLUMN lmtext.prediction_cache_info.used IS 'part of it that holds results';
COMMENT ON COLUMN lmtext.prediction_cache_info.entries IS 'results that are kept';
COMMENT ON COLUMN lmtext.prediction_cache_info.obstacle IS
    'reason why there is no cache although it is on (shared memory was not available); NULL if there is one';

CREATE FUNCTION lmtext.prediction_cache_reset() RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_reset_prediction_cache'
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000;
COMMENT ON FUNCTION lmtext.prediction_cache_reset() IS
    'empty the prediction cache of the server and reset its counts';
REVOKE EXECUTE ON FUNCTION lmtext.prediction_cache_reset() FROM PUBLIC;

GRANT SELECT ON lmtext.prediction_cache, lmtext.prediction_cache_info TO PUBLIC;

-- 64-opinions: whether what is counted in a window of time is beyond chance.
CREATE FUNCTION lmtext.surge(negative bigint, total bigint, base_negative bigint, base_total bigint)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_surge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext.surge(bigint, bigint, bigint, bigint) IS
    'standard deviations by which the share of a window is above that of its base, by an exact test; below 0 where it is lower';

-- What lmtext.health looks at of each job: how its last run ended, and the version of the last that was done.
CREATE VIEW lmtext_internal.job_states AS
    SELECT j.name, j.work, c.relowner AS owner, j.model, last.status, last.sqlstate, done.model AS done_with
    FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
    LEFT JOIN LATERAL (
        SELECT r.status, r.sqlstate FROM lmtext.job_runs r
        WHERE r.job OPERATOR(pg_catalog.=) j.name ORDER BY r.run DESC LIMIT 1) last ON true
    LEFT JOIN LATERAL (
        SELECT r.model FROM lmtext.job_runs r
        WHERE r.job OPERATOR(pg_catalog.=) j.name AND r.status OPERATOR(pg_catalog.=) 'done' ORDER BY r.run DESC LIMIT 1) done ON true;
COMMENT ON VIEW lmtext_internal.job_states IS 'last runs of jobs, for lmtext.health';
GRANT SELECT ON lmtext_internal.job_states TO PUBLIC;

-- 65-cluster: several databases with the same models, and tables whose parts lie in them. Connections are those of PostgreSQL's
-- own extension dblink, so who may connect where, and how, is its rule. A connection string may hold a password: it is an
-- argument of one call, and no message repeats it.

-- ---- Connections ----

CREATE FUNCTION lmtext_internal.dblink_schema() RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found text;
BEGIN
    SELECT quote_ident(n.nspname) INTO found
    FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'dblink';
    IF found IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = 'connections to other databases need the extension dblink',
            HINT = 'It comes with PostgreSQL: CREATE EXTENSION dblink;';
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION lmtext_internal.dblink_schema() IS 'schema of the extension dblink, quoted';

-- libpq quotes pieces of a string that it cannot read, and names of hosts that a password with an "@" may have got into. What it
-- says of a connection that was tried is kept without what stands in quotes.
CREATE FUNCTION lmtext_internal.connection_detail(conninfo text, said text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN said ~ '^connection to server (at|on) ' AND strpos(conninfo, '"') = 0
        THEN regexp_replace(said, '"[^"]*"', '"..."', 'g') ELSE 'The connection string or the server cannot be used.' END
$$;
COMMENT ON FUNCTION lmtext_internal.connection_detail(text, text) IS 'why a connection failed, without pieces of its string';

CREATE FUNCTION lmtext_internal.remote_open(lib text, connection text, conninfo text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said text;
BEGIN
    EXECUTE format('SELECT %s.dblink_connect($1, $2)', lib) USING connection, conninfo;
EXCEPTION WHEN sqlclient_unable_to_establish_sqlconnection THEN
    GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
    RAISE EXCEPTION USING ERRCODE = 'sqlclient_unable_to_establish_sqlconnection',
        MESSAGE = 'could not connect to the other database',
        DETAIL = lmtext_internal.connection_detail(conninfo, said);
END $$;
COMMENT ON FUNCTION lmtext_internal.remote_open(text, text, text) IS 'open a connection to another database, as dblink has it';

CREATE FUNCTION lmtext_internal.remote_close(lib text, connection text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    opened text[];
BEGIN
    EXECUTE format('SELECT %s.dblink_get_connections()', lib) INTO opened;
    IF connection = ANY (opened) THEN
        EXECUTE format('SELECT %s.dblink_disconnect($1)', lib) USING connection;
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.remote_close(text, text) IS 'close a connection to another database, if it is open';

-- Waits for a result in steps that a cancel ends. Opening a connection, and sending while the other side reads nothing, are libpq's
-- and dblink's: there only connect_timeout and tcp_user_timeout of the connection help.
CREATE FUNCTION lmtext_internal.remote_send(lib text, connection text, command text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    busy integer;
    pause float8 := 0.0005;
BEGIN
    EXECUTE format('SELECT %s.dblink_send_query($1, $2)', lib) USING connection, command;
    LOOP
        EXECUTE format('SELECT %s.dblink_is_busy($1)', lib) INTO busy USING connection;
        EXIT WHEN busy = 0;
        PERFORM pg_sleep(pause);
        pause := LEAST(pause * 2, 0.05);
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.remote_send(text, text, text) IS 'send a statement to another database and wait for its result';

-- A second result, which is empty, ends a statement.
CREATE FUNCTION lmtext_internal.remote_end(lib text, connection text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('SELECT count(*) FROM %s.dblink_get_result($1, true) AS t(nothing text)', lib) USING connection;
END $$;
COMMENT ON FUNCTION lmtext_internal.remote_end(text, text) IS 'end a statement in another database';

CREATE FUNCTION lmtext_internal.remote_rows(lib text, connection text, command text) RETURNS SETOF text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM lmtext_internal.remote_send(lib, connection, command);
    RETURN QUERY EXECUTE format('SELECT t.value FROM %s.dblink_get_result($1, true) AS t(value text)', lib) USING connection;
    PERFORM lmtext_internal.remote_end(lib, connection);
END $$;
COMMENT ON FUNCTION lmtext_internal.remote_rows(text, text, text) IS 'rows of one column of a statement in another database';

CREATE FUNCTION lmtext_internal.remote_value(lib text, connection text, command text) RETURNS text
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT r FROM lmtext_internal.remote_rows(lib, connection, command) r
$$;
COMMENT ON FUNCTION lmtext_internal.remote_value(text, text, text) IS 'value of a statement in another database, or its command tag';

-- Functions below are called there as here, and a version may have what an older library cannot read.
CREATE FUNCTION lmtext_internal.check_remote(lib text, connection text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    here text := (SELECT e.extversion FROM pg_extension e WHERE e.extname = 'lmtext');
    there text := lmtext_internal.remote_value(lib, connection, 'SELECT e.extversion FROM pg_catalog.pg_extension e'
        ' WHERE e.extname OPERATOR(pg_catalog.=) ''lmtext''');
BEGIN
    IF there IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the other database has no lmtext', HINT = 'Run CREATE EXTENSION lmtext; there.';
    ELSIF there <> here THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the other database has lmtext %s, this one has %s', there, here),
            HINT = 'Run ALTER EXTENSION lmtext UPDATE; where it is older.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_remote(text, text) IS 'refuse a database that does not have this version of lmtext';

-- ---- Copies of a version ----

CREATE FUNCTION lmtext_internal.begin_copy(name text, version integer, base regclass) RETURNS regclass
    AS 'MODULE_PATHNAME', 'lmtext_begin_copy'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000;
COMMENT ON FUNCTION lmtext_internal.begin_copy(text, integer, regclass) IS
    'create an empty table for a copy of a version, of the same number if it was not used yet';

CREATE FUNCTION lmtext_internal.end_copy(model regclass, sha256 text) RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_end_copy'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext_internal.end_copy(regclass, text) IS
    'make a version of a table with the rows of one, if its digest is the given one; returns its number';

CREATE FUNCTION lmtext_internal.copy_place(name text) RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_copy_place'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.copy_place(text) IS 'schema and name that a new version of a model''s name would have';

-- What the two ends of a copy tell each other of a version; NULL where the caller may not use it.
CREATE FUNCTION lmtext_internal.version_card(relation regclass) RETURNS jsonb
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('table', format('%I.%I', n.nspname, c.relname), 'schema', n.nspname, 'name', d.name,
        'version', d.version, 'sha256', d.sha256, 'status', d.status, 'deployed', d.deployed,
        'base', (SELECT format('%I.%I', bn.nspname, b.relname) FROM pg_class b JOIN pg_namespace bn ON bn.oid = b.relnamespace
                 WHERE b.oid = d.base),
        'comment', obj_description(c.oid, 'pg_class'))
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
        LATERAL lmtext_internal.describe_model(c.oid::regclass) d
    WHERE c.oid = relation
$$;
COMMENT ON FUNCTION lmtext_internal.version_card(regclass) IS 'what a version is, for the other end of a copy';

CREATE FUNCTION lmtext_internal.find_copy(schema text, model text, digest text, number integer) RETURNS regclass
    LANGUAGE sql STABLE PARALLEL SAFE COST 10000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.model FROM lmtext.models m JOIN pg_class c ON c.oid = m.model JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = schema AND m.name = find_copy.model AND m.sha256 = digest AND m.status = 'ready'
        AND (number IS NULL OR m.version = number)
    ORDER BY m.deployed DESC, m.version DESC LIMIT 1
$$;
COMMENT ON FUNCTION lmtext_internal.find_copy(text, text, text, integer) IS
    'version of a model that has a digest, and a number unless that is NULL';

-- The base of a head: any version of its digest serves.
CREATE FUNCTION lmtext_internal.find_base(model text, digest text) RETURNS regclass
    LANGUAGE sql STABLE PARALLEL SAFE COST 10000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.model FROM lmtext.models m WHERE m.sha256 = digest AND m.status = 'ready'
    ORDER BY m.name = find_base.model DESC, m.model::oid LIMIT 1
$$;
COMMENT ON FUNCTION lmtext_internal.find_base(text, text) IS 'version that has a digest, best one of a name';

CREATE FUNCTION lmtext_internal.check_card(card jsonb, model text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF card IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = format('permission denied for model "%s"', lmtext_internal.shown(model));
    ELSIF card ->> 'status' <> 'ready' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('model "%s" cannot be copied: its status is %s', lmtext_internal.shown(model), card ->> 'status');
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_card(jsonb, text) IS 'refuse a version that cannot be copied';

-- ---- From another database ----

-- One row at a time, and a row is 1 MB: memory does not grow with the model.
CREATE FUNCTION lmtext_internal.pull_rows(lib text, connection text, source text, target text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    file text := '';
    part integer := -1;
BEGIN
    LOOP
        PERFORM lmtext_internal.remote_send(lib, connection, format(
            'SELECT p.file, p.part, p.data FROM %s p WHERE (p.file, p.part) OPERATOR(pg_catalog.>) (%L, %s)'
            ' ORDER BY p.file, p.part LIMIT 1', source, file, part));
        EXECUTE format('INSERT INTO %s AS p (file, part, data) SELECT t.file, t.part, t.data'
            ' FROM %s.dblink_get_result($1, true) AS t(file text, part integer, data bytea) RETURNING p.file, p.part',
            target, lib) INTO file, part USING connection;
        EXIT WHEN file IS NULL;
        PERFORM lmtext_internal.remote_end(lib, connection);
    END LOOP;
    PERFORM lmtext_internal.remote_end(lib, connection);
END $$;
COMMENT ON FUNCTION lmtext_internal.pull_rows(text, text, text, text) IS 'copy the rows of a version from another database';

CREATE FUNCTION lmtext_internal.set_comment(relation text, comment text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('COMMENT ON TABLE %s IS %L', relation, comment);
END $$;
COMMENT ON FUNCTION lmtext_internal.set_comment(text, text) IS 'set the comment of a table';

-- What who pulls a version may not expect.
CREATE FUNCTION lmtext_internal.tell_copy(there jsonb, here jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF there ->> 'version' <> here ->> 'version' THEN
        RAISE NOTICE 'version % of model "%" is version % here', there ->> 'version', here ->> 'name', here ->> 'version'
            USING DETAIL = 'Numbers are not used again.';
    END IF;
    IF NOT (here ->> 'deployed')::boolean THEN
        RAISE NOTICE 'model "%" has a new version %, but another one is still deployed', here ->> 'name', here ->> 'version'
            USING HINT = format('To use the new version: SELECT lmtext.deploy(%L, %s);',
                format('%I.%I', here ->> 'schema', here ->> 'name'), here ->> 'version');
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.tell_copy(jsonb, jsonb) IS 'say what number a copy has, and that another version is deployed';

-- The number is what another server says, and a high one leaves no others: it is taken for a name that the caller gave and that was
-- never used here. 0 is the next one.
CREATE FUNCTION lmtext_internal.free_number(card jsonb, schema text, model text, is_base boolean) RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN is_base OR EXISTS (SELECT FROM lmtext.model_name n WHERE n.schema = free_number.schema AND n.model = free_number.model)
        THEN 0 ELSE (card ->> 'version')::integer END
$$;
COMMENT ON FUNCTION lmtext_internal.free_number(jsonb, text, text, boolean) IS 'number that a copy is to have, 0 for the next one';

CREATE FUNCTION lmtext_internal.pull_version(lib text, connection text, card jsonb, schema text, model text, is_base boolean)
    RETURNS regclass
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found regclass;
    base regclass;
    base_card jsonb;
    wanted integer := lmtext_internal.free_number(card, schema, model, is_base);
    made regclass;
BEGIN
    PERFORM lmtext_internal.check_card(card, model);
    found := lmtext_internal.find_copy(schema, model, card ->> 'sha256', NULL);
    IF found IS NOT NULL THEN
        RETURN found;
    END IF;
    IF card ->> 'base' IS NOT NULL THEN
        base_card := lmtext_internal.remote_value(lib, connection,
            format('SELECT lmtext_internal.version_card(%L)::pg_catalog.text', card ->> 'base'))::jsonb;
        base := COALESCE(lmtext_internal.find_base(base_card ->> 'name', base_card ->> 'sha256'),
            lmtext_internal.pull_version(lib, connection, base_card, schema, base_card ->> 'name', true));
    END IF;
    made := lmtext_internal.begin_copy(format('%I.%I', schema, model), wanted, base);
    found := lmtext_internal.find_copy(schema, model, card ->> 'sha256', NULL); -- while it waited for the name
    IF found IS NOT NULL THEN
        EXECUTE format('DROP TABLE %s', lmtext_internal.table_name(made));
        RETURN found;
    END IF;
    PERFORM lmtext_internal.pull_rows(lib, connection, card ->> 'table', lmtext_internal.table_name(made));
    PERFORM lmtext_internal.set_comment(lmtext_internal.table_name(made), card ->> 'comment');
    PERFORM lmtext_internal.end_copy(made, card ->> 'sha256');
    PERFORM lmtext_internal.tell_copy(card, lmtext_internal.version_card(made));
    RETURN made;
END $$;
COMMENT ON FUNCTION lmtext_internal.pull_version(text, text, jsonb, text, text, boolean) IS
    'copy a version from another database, and what it is built on, unless they are here';

-- No search_path is set: a name without a schema is of the caller's. It is not PUBLIC's, as import_model is not; that is no barrier.
-- Who may create tables may make a version of rows, as a restore does, and so the functions above are PUBLIC's.
CREATE FUNCTION lmtext.pull_model(conninfo text, model text, name text DEFAULT NULL) RETURNS integer
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    lib text := lmtext_internal.dblink_schema();
    connection text := 'lmtext pull_model';
    card jsonb;
    place text[];
    version regclass;
BEGIN
    IF conninfo IS NULL OR model IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a connection and a model must be given';
    END IF;
    IF pg_catalog.current_setting('transaction_read_only')::pg_catalog.bool THEN
        RAISE EXCEPTION USING ERRCODE = 'read_only_sql_transaction',
            MESSAGE = 'cannot execute lmtext.pull_model in a read-only transaction';
    END IF;
    PERFORM lmtext_internal.remote_open(lib, connection, conninfo);
    PERFORM lmtext_internal.remote_value(lib, connection, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY');
    PERFORM lmtext_internal.check_remote(lib, connection);
    card := lmtext_internal.remote_value(lib, connection, pg_catalog.format(
        'SELECT lmtext_internal.version_card(lmtext_internal.resolve_model(%L))::pg_catalog.text', model))::pg_catalog.jsonb;
    place := lmtext_internal.copy_place(COALESCE(name, pg_catalog.quote_ident(card OPERATOR(pg_catalog.->>) 'name'), model));
    version := lmtext_internal.pull_version(lib, connection, card, place[1], place[2], false);
    PERFORM lmtext_internal.remote_close(lib, connection);
    RETURN (lmtext_internal.version_card(version) OPERATOR(pg_catalog.->>) 'version')::pg_catalog.int4;
EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
    PERFORM lmtext_internal.remote_close(lib, connection);
    RAISE;
END $$;
COMMENT ON FUNCTION lmtext.pull_model(text, text, text) IS
    'copy a version of a model from another database, with what it is built on, unless a version of its digest is here; returns its number; conninfo is a connection string or the name of a foreign server';
REVOKE EXECUTE ON FUNCTION lmtext.pull_model(text, text, text) FROM PUBLIC;

-- ---- To other databases ----

CREATE FUNCTION lmtext_internal.push_rows(lib text, connection text, source text, target text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    one record;
BEGIN
    FOR one IN EXECUTE format('SELECT p.file, p.part, p.data FROM %s p ORDER BY p.file, p.part', source) LOOP
        PERFORM lmtext_internal.remote_value(lib, connection, format('INSERT INTO %s (file, part, data) VALUES (%L, %s, %L)',
            target, one.file, one.part, one.data));
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.push_rows(text, text, text, text) IS 'copy the rows of a version to another database';

-- A call or a column that is pinned to a number would be another version's there: the number must be the same. Waiting for the
-- name, another session may have made what is wanted: NULL.
CREATE FUNCTION lmtext_internal.push_table(lib text, connection text, card jsonb, base text) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    made text := lmtext_internal.remote_value(lib, connection, format('SELECT lmtext_internal.begin_copy(%L, %s, %L)::pg_catalog.oid',
        format('%I.%I', card ->> 'schema', card ->> 'name'), card ->> 'version', base));
    target text;
BEGIN
    IF lmtext_internal.find_remote(lib, connection, card) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    target := lmtext_internal.remote_value(lib, connection, format('SELECT lmtext_internal.table_name(%s)', made));
    IF target <> card ->> 'table' THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = format('version %s of model "%s" cannot be made in the other database', card ->> 'version', card ->> 'name'),
            DETAIL = 'It has used that number, or a higher one, for another version.',
            HINT = 'Make it here under another name, or with a number that is free there. lmtext.pull_model there takes the next number,'
                ' but then numbers differ: calls that are pinned to one must not be sent to that server, where they mean another version.';
    END IF;
    RETURN target;
END $$;
COMMENT ON FUNCTION lmtext_internal.push_table(text, text, jsonb, text) IS 'make the table of a version in another database';

CREATE FUNCTION lmtext_internal.find_remote(lib text, connection text, card jsonb) RETURNS text
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT lmtext_internal.remote_value(lib, connection, format(
        'SELECT lmtext_internal.table_name(lmtext_internal.find_copy(%L, %L, %L, %s))', card ->> 'schema', card ->> 'name',
        card ->> 'sha256', card ->> 'version'))
$$;
COMMENT ON FUNCTION lmtext_internal.find_remote(text, text, jsonb) IS 'version of the same number and digest in another database';

-- Its base is there, since versions without one go first, unless the caller may use it but not copy it.
CREATE FUNCTION lmtext_internal.remote_base(lib text, connection text, card jsonb) RETURNS text
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    base text := card ->> 'base';
    base_card jsonb := lmtext_internal.version_card(base::regclass);
    found text;
BEGIN
    IF base IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM lmtext_internal.check_card(base_card, base);
    found := lmtext_internal.find_remote(lib, connection, base_card);
    IF found IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('model "%s" cannot be copied: its base %s is not in the other database', card ->> 'name', base),
            HINT = 'Copy the base first, as a role that may SELECT it.';
    END IF;
    RETURN found;
END $$;
COMMENT ON FUNCTION lmtext_internal.remote_base(text, text, jsonb) IS 'the base of a version in another database, NULL if it has none';

-- What was done there stays done: it commits by version.
CREATE FUNCTION lmtext_internal.push_version(lib text, connection text, card jsonb) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    target text;
BEGIN
    PERFORM lmtext_internal.remote_value(lib, connection, 'BEGIN ISOLATION LEVEL READ COMMITTED');
    target := lmtext_internal.push_table(lib, connection, card, lmtext_internal.remote_base(lib, connection, card));
    IF target IS NULL THEN
        PERFORM lmtext_internal.remote_value(lib, connection, 'ROLLBACK');
        RETURN false;
    END IF;
    PERFORM lmtext_internal.push_rows(lib, connection, card ->> 'table', target);
    PERFORM lmtext_internal.remote_value(lib, connection, format('COMMENT ON TABLE %s IS %L', target, card ->> 'comment'));
    PERFORM lmtext_internal.remote_value(lib, connection,
        format('SELECT lmtext_internal.end_copy(%L, %L)', target, card ->> 'sha256'));
    PERFORM lmtext_internal.remote_value(lib, connection, 'COMMIT');
    RETURN true;
END $$;
COMMENT ON FUNCTION lmtext_internal.push_version(text, text, jsonb) IS
    'copy a version to another database, unless another session did so meanwhile';

-- A name means there what it means here.
CREATE FUNCTION lmtext_internal.push_deployment(lib text, connection text, card jsonb) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    there jsonb;
BEGIN
    IF NOT (card ->> 'deployed')::boolean THEN
        RETURN false;
    END IF;
    there := lmtext_internal.remote_value(lib, connection, format('SELECT lmtext_internal.version_card(%L)::pg_catalog.text',
        lmtext_internal.find_remote(lib, connection, card)))::jsonb;
    IF (there ->> 'deployed')::boolean THEN
        RETURN false;
    END IF;
    PERFORM lmtext_internal.remote_value(lib, connection, format('SELECT lmtext.deploy(%L, %s)',
        format('%I.%I', card ->> 'schema', card ->> 'name'), there ->> 'version'));
    RETURN true;
END $$;
COMMENT ON FUNCTION lmtext_internal.push_deployment(text, text, jsonb) IS
    'deploy a version in another database, if it is deployed here and not there';

-- All versions that the caller may copy, or those that names mean, each after its base.
CREATE FUNCTION lmtext_internal.versions_to_copy(names text[]) RETURNS SETOF regclass
    LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 10 AS $$
    WITH meant AS MATERIALIZED (SELECT lmtext_internal.resolve_model(n)::pg_catalog.oid AS model FROM pg_catalog.unnest(names) n),
    wanted AS (
        SELECT m.* FROM lmtext.models m
        WHERE CASE WHEN names IS NULL
            THEN m.status OPERATOR(pg_catalog.=) 'ready' AND pg_catalog.has_table_privilege(m.model::pg_catalog.oid, 'SELECT')
            ELSE m.model::pg_catalog.oid OPERATOR(pg_catalog.=) ANY (SELECT x.model FROM meant x)
                OR m.model::pg_catalog.oid OPERATOR(pg_catalog.=) ANY (SELECT h.base::pg_catalog.oid FROM lmtext.models h
                    WHERE h.model::pg_catalog.oid OPERATOR(pg_catalog.=) ANY (SELECT x.model FROM meant x)) END)
    SELECT w.model FROM wanted w ORDER BY w.base IS NOT NULL, w.name, w.version, w.model::pg_catalog.oid
$$;
COMMENT ON FUNCTION lmtext_internal.versions_to_copy(text[]) IS 'versions that sync_models copies, in that order';

CREATE FUNCTION lmtext_internal.push_models(lib text, connection text, versions regclass[])
    RETURNS TABLE (model regclass, copied boolean, deployed boolean)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    card jsonb;
BEGIN
    PERFORM lmtext_internal.check_remote(lib, connection);
    FOREACH model IN ARRAY versions LOOP
        card := lmtext_internal.version_card(model);
        PERFORM lmtext_internal.check_card(card, lmtext_internal.table_name(model));
        copied := lmtext_internal.find_remote(lib, connection, card) IS NULL;
        IF copied THEN
            copied := lmtext_internal.push_version(lib, connection, card);
        END IF;
        deployed := lmtext_internal.push_deployment(lib, connection, card);
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.push_models(text, text, regclass[]) IS 'copy versions to another database, if they are not there';

CREATE FUNCTION lmtext_internal.check_server(server name) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_foreign_server s WHERE s.srvname = server) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = format('server "%s" does not exist', lmtext_internal.shown(server)),
            HINT = 'Make it with CREATE SERVER, and CREATE USER MAPPING for it.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_server(name) IS 'refuse the name of a foreign server that is not there';

CREATE FUNCTION lmtext.sync_models(server name, models text[] DEFAULT NULL)
    RETURNS TABLE (model regclass, copied boolean, deployed boolean)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
DECLARE
    lib text := lmtext_internal.dblink_schema();
    connection text := 'lmtext sync_models';
    versions regclass[];
BEGIN
    PERFORM lmtext_internal.check_server(server);
    SELECT COALESCE(pg_catalog.array_agg(v), '{}') INTO versions FROM lmtext_internal.versions_to_copy(models) v;
    PERFORM lmtext_internal.remote_open(lib, connection, server::pg_catalog.text);
    RETURN QUERY SELECT p.model, p.copied, p.deployed FROM lmtext_internal.push_models(lib, connection, versions) p;
    PERFORM lmtext_internal.remote_close(lib, connection);
EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
    PERFORM lmtext_internal.remote_close(lib, connection);
    RAISE;
END $$;
COMMENT ON FUNCTION lmtext.sync_models(name, text[]) IS
    'copy versions of models to the database of a foreign server, if they are not there under the same number, and deploy there what is deployed here; what was copied stays, whatever becomes of the transaction';

-- ---- Tables of several parts ----

-- Leaves of a partitioned table; another table is its own.
CREATE FUNCTION lmtext_internal.partitions(relation regclass) RETURNS SETOF regclass
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.relid FROM pg_partition_tree(relation) p WHERE p.isleaf
    UNION ALL SELECT relation WHERE NOT EXISTS (SELECT FROM pg_partition_tree(relation))
$$;
COMMENT ON FUNCTION lmtext_internal.partitions(regclass) IS 'tables that hold the rows of a table';

-- The distance of a column from a vector, as an expression over the row p: lmtext's operator for real[], else the one that
-- comes with the type of the column (pgvector's).
CREATE FUNCTION lmtext_internal.column_distance(relation regclass, "column" name, query real[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind oid := (SELECT a.atttypid FROM pg_attribute a
        WHERE a.attrelid = relation AND a.attname = "column" AND a.attnum > 0 AND NOT a.attisdropped);
    expression text;
BEGIN
    IF kind IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column', MESSAGE = format('column "%s" of %s does not exist',
            lmtext_internal.shown("column"), lmtext_internal.table_name(relation));
    END IF;
    SELECT format('p.%I OPERATOR(%I.<=>) %L::pg_catalog.float4[]%s', "column", n.nspname, query,
        CASE WHEN kind <> 'real[]'::regtype THEN format('::%I.%I', n.nspname, t.typname) END) INTO expression
    FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace JOIN pg_type t ON t.oid = o.oprleft
    WHERE o.oprname = '<=>' AND o.oprleft = kind AND o.oprright = kind
        AND CASE WHEN kind = 'real[]'::regtype THEN o.oprcode = 'lmtext.cosine_distance(real[], real[])'::regprocedure
            ELSE o.oprnamespace = t.typnamespace END;
    IF expression IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = format('column "%s" of %s is of type %s',
            "column", lmtext_internal.table_name(relation), format_type(kind, NULL)),
            HINT = 'A column of vectors is of type real[], or of one of pgvector''s.';
    END IF;
    RETURN expression;
END $$;
COMMENT ON FUNCTION lmtext_internal.column_distance(regclass, name, real[]) IS 'expression for the distance of a column from a vector';

CREATE FUNCTION lmtext.nearest_query(relation regclass, "column" name, query real[], k integer DEFAULT 10) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    distance text;
    columns text;
    branches text;
BEGIN
    IF relation IS NULL OR "column" IS NULL OR query IS NULL OR k IS NULL OR k < 1 THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'a table, a column, a vector and a k of at least 1 must be given';
    END IF;
    distance := lmtext_internal.column_distance(relation, "column", query);
    SELECT string_agg(format('p.%I', a.attname), ', ' ORDER BY a.attnum) INTO columns FROM pg_attribute a
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped;
    SELECT string_agg(format('(SELECT %1$s, %2$s AS distance FROM %3$s p WHERE p.%4$I IS NOT NULL ORDER BY %2$s LIMIT %5$s)', columns,
        distance, lmtext_internal.table_name(t), "column", k), E'\nUNION ALL ') INTO branches FROM lmtext_internal.partitions(relation) t;
    RETURN format(E'SELECT * FROM (%s) n\nORDER BY %s LIMIT %s',
        COALESCE(branches, format('SELECT %s, %s AS distance FROM %s p WHERE false', columns, distance, lmtext_internal.table_name(relation))),
        (SELECT count(*) + 1 FROM pg_attribute a WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped), k);
END $$;
COMMENT ON FUNCTION lmtext.nearest_query(regclass, name, real[], integer) IS
    'text of a query for the rows whose vectors are nearest: the k nearest of each partition, and of those the k nearest';

CREATE FUNCTION lmtext.search_partitions(relation anyelement, "column" name, query real[], k integer DEFAULT 10)
    RETURNS TABLE (item anyelement, distance double precision)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    of_table regclass := (SELECT t.typrelid FROM pg_type t WHERE t.oid = pg_typeof(relation) AND t.typrelid <> 0);
    columns text;
BEGIN
    IF of_table IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = 'the first argument must be a row of a table',
            HINT = 'Write NULL::name_of_the_table.';
    END IF;
    SELECT string_agg(format('c%s', a.attnum), ', ' ORDER BY a.attnum) INTO columns FROM pg_attribute a
    WHERE a.attrelid = of_table AND a.attnum > 0 AND NOT a.attisdropped;
    RETURN QUERY EXECUTE format('SELECT ROW(%1$s)::%2$s, n.distance FROM (%3$s) n (%1$s, distance)', columns,
        lmtext_internal.table_name(of_table), lmtext.nearest_query(of_table, "column", query, k));
END $$;
COMMENT ON FUNCTION lmtext.search_partitions(anyelement, name, real[], integer) IS
    'rows of a table, partitioned or not, whose vectors are nearest, as lmtext.nearest_query finds them; the table is given as NULL::table';

-- ---- Jobs of several databases ----

-- The last run of each job.
CREATE FUNCTION lmtext_internal.job_report() RETURNS SETOF jsonb
    LANGUAGE sql STABLE PARALLEL SAFE COST 10000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('job', j.name, 'status', COALESCE(r.status, 'never run'), 'done', r.done, 'total', r.total,
        'errors', r.errors, 'rate', p.rate, 'eta', p.eta, 'started_at', r.started_at, 'finished_at', r.finished_at, 'message', r.message)
    FROM lmtext.jobs j
        LEFT JOIN LATERAL (SELECT * FROM lmtext.job_runs x WHERE x.job = j.name ORDER BY x.run DESC LIMIT 1) r ON true
        LEFT JOIN lmtext.job_progress p ON p.job = j.name AND r.status = 'running'
    ORDER BY j.name
$$;
COMMENT ON FUNCTION lmtext_internal.job_report() IS 'what cluster_jobs shows of the jobs of a database';

-- An error is what there is to say of a server; a cancel ends it all.
CREATE FUNCTION lmtext_internal.server_jobs(lib text, server name) RETURNS SETOF jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    connection text := 'lmtext cluster_jobs';
    said text;
    reports jsonb[];
BEGIN
    PERFORM lmtext_internal.remote_open(lib, connection, server);
    SELECT array_agg(r::jsonb) INTO reports
    FROM lmtext_internal.remote_rows(lib, connection, 'SELECT r::pg_catalog.text FROM lmtext_internal.job_report() r') r;
    PERFORM lmtext_internal.remote_close(lib, connection);
    RETURN QUERY SELECT unnest(reports);
EXCEPTION
    WHEN query_canceled OR assert_failure THEN
        PERFORM lmtext_internal.remote_close(lib, connection);
        RAISE;
    WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
        PERFORM lmtext_internal.remote_close(lib, connection);
        RETURN QUERY SELECT jsonb_build_object('status', 'unreachable', 'message', concat_ws(E'\n', SQLERRM, NULLIF(said, '')));
END $$;
COMMENT ON FUNCTION lmtext_internal.server_jobs(text, name) IS 'jobs of the database of a foreign server, or why they are not known';

-- Servers that the caller can connect to by dblink.
CREATE FUNCTION lmtext_internal.usable_servers() RETURNS SETOF name
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.srvname FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
    WHERE w.fdwname IN ('postgres_fdw', 'dblink_fdw') AND has_server_privilege(s.oid, 'USAGE')
        AND EXISTS (SELECT FROM pg_user_mappings m WHERE m.srvid = s.oid AND m.usename IN (CURRENT_USER, 'public'))
    ORDER BY s.srvname
$$;
COMMENT ON FUNCTION lmtext_internal.usable_servers() IS 'foreign servers for which the caller has a user mapping';

CREATE FUNCTION lmtext.cluster_jobs(servers name[] DEFAULT NULL)
    RETURNS TABLE (server name, job text, status text, done bigint, total bigint, errors bigint, rate double precision,
                   eta timestamptz, started_at timestamptz, finished_at timestamptz, message text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 20 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lib text := lmtext_internal.dblink_schema();
    asked name[] := COALESCE(servers, ARRAY(SELECT NULL::name UNION ALL SELECT u FROM lmtext_internal.usable_servers() u));
    one name;
BEGIN
    FOREACH one IN ARRAY asked LOOP
        IF one IS NOT NULL THEN
            PERFORM lmtext_internal.check_server(one);
        END IF;
        RETURN QUERY SELECT one, x.* FROM (SELECT lmtext_internal.job_report() AS report WHERE one IS NULL
                UNION ALL SELECT lmtext_internal.server_jobs(lib, one) WHERE one IS NOT NULL) r,
            LATERAL jsonb_to_record(r.report) AS x(job text, status text, done bigint, total bigint, errors bigint,
                rate double precision, eta timestamptz, started_at timestamptz, finished_at timestamptz, message text);
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext.cluster_jobs(name[]) IS
    'jobs of this database (server is NULL) and of the databases of foreign servers, with the last run of each; a server that cannot be asked is a row of status unreachable';

-- ---- Citus ----

-- Each node gets tables of its own. A reference table would need its type (OF) on the workers, since that is how a version is known;
-- Citus is taken not to keep it there, which was not tried.
CREATE FUNCTION lmtext_internal.citus_nodes() RETURNS SETOF text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_extension e WHERE e.extname = 'citus') THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = 'this database has no Citus',
            HINT = 'With Citus, run CREATE EXTENSION citus; first. With postgres_fdw, call lmtext.sync_models(server) for each server.';
    END IF;
    RETURN QUERY EXECUTE 'SELECT format(''host=%s port=%s'', lmtext_internal.conninfo_value(n.nodename), n.nodeport)'
        ' FROM pg_dist_node n WHERE n.isactive AND n.noderole::text = ''primary'''
        ' AND n.groupid <> (SELECT l.groupid FROM pg_dist_local_group l) ORDER BY n.nodename, n.nodeport';
END $$;
COMMENT ON FUNCTION lmtext_internal.citus_nodes() IS 'host and port of the other nodes of a Citus cluster';

CREATE FUNCTION lmtext_internal.conninfo_value(value text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat(E'\'', regexp_replace(value, E'([\'\\\\])', E'\\\\\\1', 'g'), E'\'')
$$;
COMMENT ON FUNCTION lmtext_internal.conninfo_value(text) IS 'a value as connection strings quote it';

CREATE FUNCTION lmtext.cluster_enable(models text[] DEFAULT NULL)
    RETURNS TABLE (node text, model regclass, copied boolean, deployed boolean)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
DECLARE
    nodes text[] := ARRAY(SELECT c FROM lmtext_internal.citus_nodes() c);
    lib text := lmtext_internal.dblink_schema();
    connection text := 'lmtext cluster_enable';
    versions regclass[] := ARRAY(SELECT v FROM lmtext_internal.versions_to_copy(models) v);
BEGIN
    FOREACH node IN ARRAY nodes LOOP
        PERFORM lmtext_internal.remote_open(lib, connection, pg_catalog.concat(node,
            ' dbname=', lmtext_internal.conninfo_value(pg_catalog.current_database()), ' user=', lmtext_internal.conninfo_value(CURRENT_USER)));
        RETURN QUERY SELECT cluster_enable.node, p.model, p.copied, p.deployed
            FROM lmtext_internal.push_models(lib, connection, versions) p;
        PERFORM lmtext_internal.remote_close(lib, connection);
    END LOOP;
EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
    PERFORM lmtext_internal.remote_close(lib, connection);
    RAISE;
END $$;
COMMENT ON FUNCTION lmtext.cluster_enable(text[]) IS
    'copy versions of models to all nodes of a Citus cluster, as lmtext.sync_models does to one server';

-- 70-index: the access method lmtext, its operator classes, and what there is to be known of an index.

CREATE FUNCTION lmtext_internal.index_handler(internal) RETURNS index_am_handler
    AS 'MODULE_PATHNAME', 'lmtext_index_handler' LANGUAGE C STRICT;
COMMENT ON FUNCTION lmtext_internal.index_handler(internal) IS 'internal: the access method lmtext';

CREATE ACCESS METHOD lmtext TYPE INDEX HANDLER lmtext_internal.index_handler;
COMMENT ON ACCESS METHOD lmtext IS 'index of texts by meaning, and of vectors by distance';

-- The strategy number of the one operator says the metric: 1 cosine, 2 Euclidean, 3 inner product.
CREATE FUNCTION lmtext_internal.words_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_words_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.words_support(internal) IS 'planner support: the index of the column beside the words of <@>';

CREATE FUNCTION lmtext_internal.bind_words(words text, index oid) RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_bind_words' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.bind_words(text, oid) IS 'internal: words as they are, with the index whose statistics <@> takes';

CREATE FUNCTION lmtext.words_distance(body text, words text) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_words_distance' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 20000
    SUPPORT lmtext_internal.words_support;
COMMENT ON FUNCTION lmtext.words_distance(text, text) IS
    'minus the score of a text for words by BM25, as the index of the column counts them';

CREATE OPERATOR @extschema@.<@> (LEFTARG = text, RIGHTARG = text, FUNCTION = lmtext.words_distance);
COMMENT ON OPERATOR @extschema@.<@> (text, text) IS
    'minus the score of a text for words by BM25, as the index of the column counts them';

-- Strategy 4 is no metric: words, in an index WITH (words = true).
CREATE OPERATOR CLASS @extschema@.text_meaning_ops DEFAULT FOR TYPE text USING lmtext AS
    OPERATOR 1 @extschema@.<=> (text, text) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 4 @extschema@.<@> (text, text) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS @extschema@.text_meaning_ops USING lmtext IS
    'texts by the cosine distance of their embeddings, and by the BM25 of words';

CREATE OPERATOR CLASS @extschema@.real_cosine_ops DEFAULT FOR TYPE real[] USING lmtext AS
    OPERATOR 1 @extschema@.<=> (real[], real[]) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS @extschema@.real_cosine_ops USING lmtext IS 'vectors by cosine distance';

CREATE OPERATOR CLASS @extschema@.real_l2_ops FOR TYPE real[] USING lmtext AS
    OPERATOR 2 @extschema@.<-> (real[], real[]) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS @extschema@.real_l2_ops USING lmtext IS 'vectors by Euclidean distance';

CREATE OPERATOR CLASS @extschema@.real_ip_ops FOR TYPE real[] USING lmtext AS
    OPERATOR 3 @extschema@.<#> (real[], real[]) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS @extschema@.real_ip_ops USING lmtext IS
    'vectors by their negative inner product';

-- Their names are those that pgvector's own access methods have. They belong to no extension, so that a dump has them.
CREATE FUNCTION lmtext.enable_pgvector() RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    place name;
    one record;
BEGIN
    PERFORM FROM pg_extension e WHERE e.extname = 'vector';
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = 'extension "vector" is not installed in this database',
            DETAIL = 'Operator classes for its types vector and halfvec need it.', HINT = 'CREATE EXTENSION vector.';
    END IF;
    SELECT n.nspname INTO place FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'lmtext';
    FOR one IN SELECT format('%I.%I', place, t.typname || m.suffix) AS class, format('%I.%I', n.nspname, t.typname) AS type,
                m.suffix = '_cosine_ops' AS cosine, format('OPERATOR %s %I.%s', m.number, n.nspname, m.operator) AS operator,
                format('%I.%I', n.nspname, t.typname || '_to_float4') AS converter, m.says
            FROM pg_extension e
                JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
                    AND d.classid = 'pg_type'::regclass
                JOIN pg_type t ON t.oid = d.objid JOIN pg_namespace n ON n.oid = t.typnamespace
                CROSS JOIN (VALUES (1, '_cosine_ops', '<=>', 'cosine distance'), (2, '_l2_ops', '<->', 'Euclidean distance'),
                    (3, '_ip_ops', '<#>', 'negative inner product')) m (number, suffix, operator, says)
            WHERE e.extname = 'vector' AND t.typname = ANY ('{vector,halfvec}')
                AND NOT EXISTS (SELECT FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod
                    WHERE a.amname = 'lmtext' AND c.opcintype = t.oid AND c.opcname = t.typname || m.suffix)
            ORDER BY t.typname, m.number LOOP
        EXECUTE format('CREATE OPERATOR CLASS %s %s FOR TYPE %s USING lmtext AS %s FOR ORDER BY pg_catalog.float_ops,'
            ' FUNCTION 1 (%3$s, %3$s) %5$s(%3$s, integer, boolean)', one.class, CASE WHEN one.cosine THEN 'DEFAULT' ELSE '' END, one.type,
            one.operator, one.converter);
        EXECUTE format('COMMENT ON OPERATOR CLASS %s USING lmtext IS %L', one.class, 'vectors by ' || one.says);
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext.enable_pgvector() IS 'operator classes of access method lmtext for pgvector''s types';
REVOKE EXECUTE ON FUNCTION lmtext.enable_pgvector() FROM PUBLIC;

CREATE FUNCTION lmtext.index_stats(index regclass,
    OUT model text, OUT metric text, OUT dimensions integer, OUT rows bigint, OUT free bigint,
    OUT lists integer, OUT longest_list bigint, OUT empty_lists bigint, OUT bytes bigint, OUT pending bigint,
    OUT documents bigint, OUT words bigint, OUT segments integer, OUT waiting bigint)
    RETURNS record
    AS 'MODULE_PATHNAME', 'lmtext_index_stats' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000;
COMMENT ON FUNCTION lmtext.index_stats(regclass) IS
    'numbers of an index of access method lmtext; reads all its pages of codes';
REVOKE EXECUTE ON FUNCTION lmtext.index_stats(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lmtext.index_stats(regclass) TO pg_stat_scan_tables;

CREATE FUNCTION lmtext.index_flush(index regclass) RETURNS bigint
    AS 'MODULE_PATHNAME', 'lmtext_index_flush' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext.index_flush(regclass) IS
    'embeds the rows that wait in an index of access method lmtext, and says how many did; sorts in the words that wait; for its owner';

CREATE FUNCTION lmtext.index_check(index regclass, OUT "check" text, OUT ok boolean, OUT detail text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_index_check' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 4;
COMMENT ON FUNCTION lmtext.index_check(regclass) IS
    'compares an index of access method lmtext with its table, which is locked against writes meanwhile';
REVOKE EXECUTE ON FUNCTION lmtext.index_check(regclass) FROM PUBLIC;

CREATE FUNCTION lmtext.index_last_scan(OUT index regclass, OUT model text, OUT embedded bigint, OUT rounds bigint, OUT lists bigint,
    OUT codes bigint, OUT reranked bigint)
    RETURNS record
    AS 'MODULE_PATHNAME', 'lmtext_index_last_scan' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10;
COMMENT ON FUNCTION lmtext.index_last_scan() IS
    'what the session''s last scan of an index of access method lmtext has looked at; NULL for who may not see all its rows';

CREATE FUNCTION lmtext.index_recall(index regclass, samples integer DEFAULT 100, k integer DEFAULT 10,
    OUT recall double precision, OUT samples integer, OUT k integer)
    RETURNS record
    AS 'MODULE_PATHNAME', 'lmtext_index_recall' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 1000000;
COMMENT ON FUNCTION lmtext.index_recall(regclass, integer, integer) IS
    'how many of the k nearest rows a search in an index of access method lmtext finds, for some of its own rows';
REVOKE EXECUTE ON FUNCTION lmtext.index_recall(regclass, integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION lmtext.index_recall(regclass, integer, integer) TO pg_stat_scan_tables;

-- 71-search: the functions of search. They run ordinary SQL as the caller, so that row security, privileges and every index of the
-- user's count: what is searched by meaning is `ORDER BY column <=> query LIMIT n`. Functions that run a statement of the user's
-- set no search_path, since a filter and a model's name mean what they mean in the session; all that they write themselves is qualified.

-- A row that a search has found; `query` is the number of its words in an array.
CREATE TYPE lmtext_internal.hit AS (query integer, tableoid oid, ctid tid, key text, score double precision);
COMMENT ON TYPE lmtext_internal.hit IS 'row that a search has found, with its score';

CREATE FUNCTION lmtext_internal.nearest_transition(internal, oid, tid, text, real[], real[], integer) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_nearest_transition' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.nearest_transition(internal, oid, tid, text, real[], real[], integer) IS
    'internal: part of the aggregate nearest';

CREATE FUNCTION lmtext_internal.nearest_final(internal, oid, tid, text, real[], real[], integer) RETURNS lmtext_internal.hit[]
    AS 'MODULE_PATHNAME', 'lmtext_nearest_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.nearest_final(internal, oid, tid, text, real[], real[], integer) IS
    'internal: part of the aggregate nearest';

CREATE AGGREGATE lmtext_internal.nearest(tableoid oid, ctid tid, key text, vector real[], queries real[], k integer) (
    SFUNC = lmtext_internal.nearest_transition, STYPE = internal, SSPACE = 65536,
    FINALFUNC = lmtext_internal.nearest_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_WRITE, PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext_internal.nearest(oid, tid, text, real[], real[], integer) IS
    'for each query the k rows whose vectors are nearest by cosine';

CREATE FUNCTION lmtext_internal.bm25_transition(internal, oid, tid, text, tsvector, boolean, text[], integer) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bm25_transition' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.bm25_transition(internal, oid, tid, text, tsvector, boolean, text[], integer) IS
    'internal: part of the aggregate bm25';

CREATE FUNCTION lmtext_internal.bm25_final(internal, oid, tid, text, tsvector, boolean, text[], integer) RETURNS lmtext_internal.hit[]
    AS 'MODULE_PATHNAME', 'lmtext_bm25_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.bm25_final(internal, oid, tid, text, tsvector, boolean, text[], integer) IS
    'internal: part of the aggregate bm25';

CREATE AGGREGATE lmtext_internal.bm25(
    tableoid oid, ctid tid, key text, words tsvector, wanted boolean, terms text[], k integer) (
    SFUNC = lmtext_internal.bm25_transition, STYPE = internal, SSPACE = 65536,
    FINALFUNC = lmtext_internal.bm25_final, FINALFUNC_EXTRA, FINALFUNC_MODIFY = READ_WRITE, PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext_internal.bm25(oid, tid, text, tsvector, boolean, text[], integer) IS
    'the k wanted rows whose words suit the terms best, by BM25 over all rows';

CREATE FUNCTION lmtext_internal.parse_filter(relation regclass, filter text, alias text) RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_parse_filter' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.parse_filter(regclass, text, text) IS
    'a boolean expression over the columns of a relation, as PostgreSQL writes it, with all names qualified';

CREATE FUNCTION lmtext_internal.column_versions(relation regclass, column_name name) RETURNS regclass[]
    AS 'MODULE_PATHNAME', 'lmtext_column_versions' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.column_versions(regclass, name) IS
    'versions whose vectors a column has, as far as a trigger, a job or its own expression tells';

CREATE FUNCTION lmtext_internal.sentences(text text) RETURNS TABLE(content text, start integer, stop integer)
    AS 'MODULE_PATHNAME', 'lmtext_sentences' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 10;
COMMENT ON FUNCTION lmtext_internal.sentences(text) IS 'sentences of a text, with their character offsets';

CREATE FUNCTION lmtext_internal.cosines(vectors real[], vector real[]) RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_cosines' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100;
COMMENT ON FUNCTION lmtext_internal.cosines(real[], real[]) IS 'cosine of each row of a matrix with a vector';

-- ---- What is searched ----

-- Pieces of the statements of a search: r is a row of the relation.
CREATE TYPE lmtext_internal.search_target AS (
    relation regclass, column_name name, source text, place text, key text, kind text, distance text, vector text,
    version regclass, dimensions integer, indexed boolean, body text, condition text, config regconfig, words text, ranking text
);
COMMENT ON TYPE lmtext_internal.search_target IS 'pieces of the statements of a search';

-- As messages name a relation.
CREATE FUNCTION lmtext_internal.bare_name(relation regclass) RETURNS name
    LANGUAGE sql STABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$SELECT c.relname FROM pg_class c WHERE c.oid = relation$$;
COMMENT ON FUNCTION lmtext_internal.bare_name(regclass) IS 'name of a relation without its schema';

CREATE FUNCTION lmtext_internal.refuse_argument(message text, hint text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = message, HINT = COALESCE(hint, '');
END $$;
COMMENT ON FUNCTION lmtext_internal.refuse_argument(text, text) IS 'error of an argument that has no meaning';

-- The relation as it stands in FROM; who may read none of its columns learns nothing of them.
CREATE FUNCTION lmtext_internal.search_relation(relation regclass) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    what record;
BEGIN
    SELECT c.relname, c.relkind, n.nspname INTO what FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.oid = relation;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = format('relation with OID %s does not exist', relation::oid);
    END IF;
    IF what.relkind <> ALL ('{r,p,m,f,v}'::"char"[]) THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = format('"%s" cannot be searched', what.relname),
            DETAIL = 'It is neither a table nor a view.';
    END IF;
    IF NOT has_any_column_privilege(relation, 'SELECT') THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('permission denied for table %s', what.relname);
    END IF;
    RETURN format('%I.%I', what.nspname, what.relname);
END $$;
COMMENT ON FUNCTION lmtext_internal.search_relation(regclass) IS 'qualified name of a relation that can be searched';

-- What names a row to the caller: columns that were given, else the primary key as far as it may be read.
CREATE FUNCTION lmtext_internal.search_key(relation regclass, columns name[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    wanted name[] := columns;
    missing name;
BEGIN
    IF wanted IS NULL THEN
        SELECT array_agg(a.attname ORDER BY k.n) INTO wanted
        FROM pg_index i, ROWS FROM (unnest(i.indkey::smallint[])) WITH ORDINALITY k (number, n), pg_attribute a
        WHERE i.indrelid = relation AND i.indisprimary AND k.n <= i.indnkeyatts
            AND a.attrelid = relation AND a.attnum = k.number
        HAVING bool_and(has_column_privilege(relation, a.attnum, 'SELECT'));
    END IF;
    SELECT w INTO missing FROM unnest(wanted) w WHERE NOT EXISTS (SELECT FROM pg_attribute a
        WHERE a.attrelid = relation AND a.attname = w AND a.attnum > 0 AND NOT a.attisdropped);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column',
            MESSAGE = format('column "%s" of relation "%s" does not exist', missing, lmtext_internal.bare_name(relation));
    END IF;
    RETURN CASE WHEN cardinality(wanted) = 1 THEN format('r.%I::pg_catalog.text', wanted[1])
        WHEN cardinality(wanted) > 1 THEN
            format('ROW(%s)::pg_catalog.text', (SELECT string_agg(format('r.%I', w), ', ' ORDER BY n) FROM unnest(wanted) WITH ORDINALITY u (w, n)))
    END;
END $$;
COMMENT ON FUNCTION lmtext_internal.search_key(regclass, name[]) IS 'expression of the key of a row, or NULL';

-- The type under domains, and what it is to a search: text, real[], or a type of pgvector's.
CREATE FUNCTION lmtext_internal.search_kind(
    relation regclass, column_name name, OUT kind text, OUT schema name, OUT number smallint, OUT dimensions integer)
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    what record;
    base record;
BEGIN
    SELECT a.atttypid, a.attnum, a.atttypmod INTO what FROM pg_attribute a
    WHERE a.attrelid = relation AND a.attname = column_name AND a.attnum > 0 AND NOT a.attisdropped;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column',
            MESSAGE = format('column "%s" of relation "%s" does not exist', column_name, lmtext_internal.bare_name(relation));
    END IF;
    number := what.attnum;
    SELECT t.oid, t.typtype, t.typbasetype, t.typname, t.typnamespace INTO base FROM pg_type t WHERE t.oid = what.atttypid;
    WHILE base.typtype = 'd' LOOP
        SELECT t.oid, t.typtype, t.typbasetype, t.typname, t.typnamespace INTO base FROM pg_type t WHERE t.oid = base.typbasetype;
    END LOOP;
    IF base.oid = ANY (ARRAY['text', 'varchar', 'bpchar']::regtype[]) THEN
        kind := 'text';
    ELSIF base.oid = 'real[]'::regtype THEN
        kind := 'real[]';
    ELSIF base.typname = ANY ('{vector,halfvec}') AND EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
            WHERE d.classid = 'pg_type'::regclass AND d.objid = base.oid AND d.refclassid = 'pg_extension'::regclass
                AND d.deptype = 'e' AND e.extname = 'vector') THEN
        kind := base.typname;
        dimensions := nullif(what.atttypmod, -1);
        SELECT n.nspname INTO schema FROM pg_namespace n WHERE n.oid = base.typnamespace;
    ELSE
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
            MESSAGE = format('column "%s" is of type %s', column_name, format_type(what.atttypid, what.atttypmod)),
            DETAIL = 'A search reads text, varchar, char, real[], or the types vector and halfvec of pgvector.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.search_kind(regclass, name) IS 'what the type of a column is to a search';

CREATE FUNCTION lmtext_internal.has_ordering(relation regclass, number smallint) RETURNS boolean
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (SELECT FROM pg_index i JOIN pg_opclass c ON c.oid = i.indclass[0]
        JOIN pg_amop a ON a.amopfamily = c.opcfamily AND a.amoppurpose = 'o' JOIN pg_operator o ON o.oid = a.amopopr
        WHERE i.indrelid = relation AND i.indkey[0] = number AND i.indisvalid AND o.oprname = '<=>'
        -- An index of words alone serves only <@>.
        AND (c.opcintype <> 'text'::regtype OR c.opcmethod <> (SELECT m.oid FROM pg_am m WHERE m.amname = 'lmtext')
            OR EXISTS (SELECT FROM pg_class r, pg_options_to_table(r.reloptions) p WHERE r.oid = i.indexrelid AND p.option_name = 'model')));
$$;
COMMENT ON FUNCTION lmtext_internal.has_ordering(regclass, smallint) IS 'whether an index gives rows in the order of <=>';

-- The version of a search: the one that was named, else the column's, else the default.
CREATE FUNCTION lmtext_internal.search_version(relation regclass, column_name name, model text) RETURNS regclass
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    version regclass;
BEGIN
    IF model IS NULL THEN
        version := (lmtext_internal.column_versions(relation, column_name))[1];
        IF version IS NOT NULL THEN
            RETURN version;
        END IF;
    END IF;
    RETURN lmtext_internal.resolve_model(lmtext_internal.qualified_model(model, 'embed'));
END $$;
COMMENT ON FUNCTION lmtext_internal.search_version(regclass, name, text) IS 'version by which a column is searched';

CREATE FUNCTION lmtext_internal.job_dimensions(relation regclass, column_name name) RETURNS integer
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT (t.options ->> 'dimensions')::integer FROM lmtext.job j, lmtext_internal.job_targets(j) t
    WHERE j.target::oid = job_dimensions.relation::oid AND t.target_column = job_dimensions.column_name AND t.options ? 'dimensions' LIMIT 1;
$$;
COMMENT ON FUNCTION lmtext_internal.job_dimensions(regclass, name) IS 'dimensions to which a job cuts the vectors of a column';

-- The column whose text a column of vectors was made of: its job or its trigger knows.
CREATE FUNCTION lmtext_internal.text_of(relation regclass, column_name name) RETURNS name
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.name FROM (
        SELECT 1 AS n, j.text_column AS name FROM lmtext.job j, lmtext_internal.job_targets(j) t
        WHERE j.target::oid = text_of.relation::oid AND j.relation::oid = text_of.relation::oid AND t.target_column = text_of.column_name
        UNION ALL
        SELECT 2, a.attname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
            JOIN pg_attribute a ON a.attrelid = t.tgrelid AND a.attnum > 0 AND NOT a.attisdropped
                AND split_part(encode(t.tgargs, 'escape'), '\000', 1)
                    = encode(convert_to(a.attname::text, getdatabaseencoding()), 'escape')
        WHERE t.tgrelid = relation AND p.prosrc = 'lmtext_embed_trigger'
            AND split_part(encode(t.tgargs, 'escape'), '\000', 2)
                = encode(convert_to(column_name::text, getdatabaseencoding()), 'escape')) s
    WHERE s.name IS NOT NULL ORDER BY s.n LIMIT 1;
$$;
COMMENT ON FUNCTION lmtext_internal.text_of(regclass, name) IS 'column whose text a column of vectors was made of';

-- A tsvector that has a GIN index: to_tsvector('config', text column), or a column that is generated as that. What other columns
-- hold, only their owner knows.
CREATE FUNCTION lmtext_internal.indexed_words(relation regclass, text_column name, config regconfig) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN i.indkey[0] <> 0 THEN format('r.%I', a.attname)
        ELSE format('pg_catalog.to_tsvector(%L::pg_catalog.regconfig, r.%I::pg_catalog.text)', config::oid, text_column) END
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
        LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = relation AND m.amname = 'gin' AND i.indisvalid AND i.indpred IS NULL AND i.indnatts = 1
        AND CASE WHEN i.indkey[0] <> 0 THEN a.atttypid = 'tsvector'::regtype AND a.attgenerated <> ''
                AND (SELECT pg_get_expr(d.adbin, d.adrelid, true) FROM pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) = ANY (ARRAY[
                    format('to_tsvector(%L::regconfig, %I)', config, text_column),
                    format('to_tsvector(%L::regconfig, %I::text)', config, text_column),
                    format('to_tsvector(%L::regconfig, COALESCE(%I, ''''::text))', config, text_column)])
            ELSE pg_get_indexdef(i.indexrelid, 1, true) = ANY (ARRAY[
                format('to_tsvector(%L::regconfig, %I)', config, text_column),
                format('to_tsvector(%L::regconfig, %I::text)', config, text_column)]) END
    ORDER BY i.indkey[0] = 0 DESC, i.indexrelid LIMIT 1;
$$;
COMMENT ON FUNCTION lmtext_internal.indexed_words(regclass, name, regconfig) IS
    'expression of a tsvector for which a relation has a GIN index, or NULL';

-- The configuration of a column's index with words, by which <@> ranks; NULL where there is none, where a search has other
-- words, and where rows are hidden from the caller: how often a word stands in those is not for him.
CREATE FUNCTION lmtext_internal.words_index(relation regclass, text_column name, config regconfig) RETURNS regconfig
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.config FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am m ON m.oid = c.relam
        JOIN pg_class r ON r.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0],
        LATERAL (SELECT coalesce((SELECT o.option_value FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'words_config'),
            'simple')::regconfig AS config,
            (SELECT o.option_value::boolean FROM pg_options_to_table(c.reloptions) o WHERE o.option_name = 'words') AS words) f
    WHERE i.indrelid = relation AND m.amname = 'lmtext' AND i.indisvalid AND i.indpred IS NULL AND f.words
        AND a.attname = text_column AND r.relkind IN ('r', 'm') AND NOT r.relhassubclass
        AND (words_index.config IS NULL OR words_index.config = f.config) AND NOT row_security_active(relation::oid)
    ORDER BY i.indexrelid LIMIT 1;
$$;
COMMENT ON FUNCTION lmtext_internal.words_index(regclass, name, regconfig) IS
    'configuration of an index with words that ranks a column, or NULL';

-- How the words of a row are read and ranked.
CREATE FUNCTION lmtext_internal.search_words_of(
    target lmtext_internal.search_target, text_column name, config regconfig, words_column name, words_by text)
    RETURNS lmtext_internal.search_target LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source name := coalesce(text_column, CASE WHEN target.kind = 'text' THEN target.column_name
        ELSE lmtext_internal.text_of(target.relation, target.column_name) END);
    reading regconfig := coalesce(config, get_current_ts_config());
    body text;
    indexed text;
    ranked regconfig;
BEGIN
    IF words_by IS NOT NULL AND words_by <> ALL ('{bm25,ts_rank_cd}') THEN
        PERFORM lmtext_internal.refuse_argument(format('unknown ranking of words "%s"', lmtext_internal.shown(words_by)),
            'Available: bm25, ts_rank_cd.');
    END IF;
    IF source IS NOT NULL THEN
        IF (SELECT k.kind FROM lmtext_internal.search_kind(target.relation, source) k) <> 'text' THEN
            RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = format('column "%s" has no text', source);
        END IF;
        body := format('r.%I::pg_catalog.text', source);
        IF words_column IS NULL AND words_by IS NULL THEN
            ranked := lmtext_internal.words_index(target.relation, source, config);
            reading := coalesce(ranked, reading);
        END IF;
        indexed := CASE WHEN words_column IS NULL THEN lmtext_internal.indexed_words(target.relation, source, reading) END;
    END IF;
    IF words_column IS NOT NULL AND (SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = target.relation AND a.attname = words_column
            AND a.attnum > 0 AND NOT a.attisdropped) IS DISTINCT FROM 'tsvector'::regtype THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = format('column "%s" is no tsvector', words_column);
    END IF;
    RETURN jsonb_populate_record(target, jsonb_build_object('body', body, 'config', reading::oid,
        'words', CASE WHEN words_column IS NOT NULL THEN format('r.%I', words_column)
            WHEN body IS NOT NULL THEN coalesce(indexed, format('pg_catalog.to_tsvector(%L::pg_catalog.regconfig, %s)', reading::oid, body)) END,
        'ranking', coalesce(words_by, CASE WHEN ranked IS NOT NULL THEN 'index' WHEN indexed IS NULL THEN 'bm25' ELSE 'ts_rank_cd' END)));
END $$;
COMMENT ON FUNCTION lmtext_internal.search_words_of(lmtext_internal.search_target, name, regconfig, name, text) IS
    'a target with what its words need';

CREATE FUNCTION lmtext_internal.search_operator() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 AS $$SELECT 'OPERATOR(@extschema@.<=>)'$$;
COMMENT ON FUNCTION lmtext_internal.search_operator() IS 'cosine distance, qualified';

-- How a row is compared with the words $1: an expression that an index can answer, and the vector of a row as real[].
CREATE FUNCTION lmtext_internal.search_distance(target lmtext_internal.search_target, schema name) RETURNS lmtext_internal.search_target
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    on_long text := current_setting('lmtext.on_long');
    words text := format('lmtext.embed_query($1, %L::pg_catalog.regclass, %s, %L)', target.version::oid,
        coalesce(target.dimensions::text, 'NULL'), on_long);
    operator text := lmtext_internal.search_operator();
    distance text;
    vector text := format('r.%I::pg_catalog.float4[]', target.column_name);
BEGIN
    IF target.kind = 'text' THEN
        distance := format('r.%I::pg_catalog.text %s $1', target.column_name, operator);
        vector := format('lmtext.embed_document(r.%I::pg_catalog.text, %L::pg_catalog.regclass, NULL, %L)', target.column_name,
            target.version::oid, on_long);
    ELSIF target.kind = 'real[]' THEN
        distance := format('%s %s %s', vector, operator, words);
    ELSE
        distance := format('r.%I OPERATOR(%I.<=>) %s::%2$I.%4$I', target.column_name, schema, words, target.kind);
    END IF;
    RETURN jsonb_populate_record(target, jsonb_build_object('distance', distance, 'vector', vector));
END $$;
COMMENT ON FUNCTION lmtext_internal.search_distance(lmtext_internal.search_target, name) IS
    'a target with what its distance needs';

CREATE FUNCTION lmtext_internal.search_target(
    relation regclass, column_name name, model text, dimensions integer, key_columns name[], filter text, mode text DEFAULT 'semantic')
    RETURNS lmtext_internal.search_target LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 AS $$
DECLARE
    source text;
    what record;
    key text;
    placed boolean;
BEGIN
    IF relation IS NULL OR column_name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a search needs a relation and a column';
    END IF;
    source := lmtext_internal.search_relation(relation);
    what := lmtext_internal.search_kind(relation, column_name);
    key := lmtext_internal.search_key(relation, key_columns);
    -- The ctid of a foreign table is what its wrapper makes of it, often the same for all rows.
    placed := EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid
        WHERE a.attrelid OPERATOR(pg_catalog.=) relation AND a.attnum OPERATOR(pg_catalog.=) (-1) AND c.relkind OPERATOR(pg_catalog.<>) 'f'
            AND pg_catalog.has_column_privilege(relation, a.attnum, 'SELECT'));
    IF NOT placed AND key IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('rows of "%s" have no name that could be returned', lmtext_internal.bare_name(relation)),
            DETAIL = 'A view or a foreign table has neither a primary key nor a ctid that tells rows apart, and a table only for who may read them.',
            HINT = 'Name columns that tell rows apart: key_columns => ''{id}''.';
    END IF;
    RETURN lmtext_internal.search_distance(pg_catalog.jsonb_populate_record(NULL::lmtext_internal.search_target, pg_catalog.jsonb_build_object(
        'relation', relation::pg_catalog.oid, 'column_name', column_name, 'source', source, 'kind', what.kind,
        'place', CASE WHEN placed THEN 'r.tableoid, r.ctid' ELSE 'NULL::pg_catalog.oid, NULL::pg_catalog.tid' END,
        'key', COALESCE(key, 'NULL::pg_catalog.text'),
        'version', CASE WHEN mode OPERATOR(pg_catalog.=) 'words' AND what.kind OPERATOR(pg_catalog.=) 'text' AND model IS NULL THEN NULL
            WHEN what.kind OPERATOR(pg_catalog.=) 'text'
            THEN lmtext_internal.resolve_model(lmtext_internal.qualified_model(model, 'embed'))
            ELSE lmtext_internal.search_version(relation, column_name, model) END::pg_catalog.oid,
        'dimensions', COALESCE(dimensions, what.dimensions, lmtext_internal.job_dimensions(relation, column_name)),
        'indexed', lmtext_internal.has_ordering(relation, what.number),
        'condition', COALESCE(lmtext_internal.parse_filter(relation, filter, 'r'), 'true'))), what.schema);
END $$;
COMMENT ON FUNCTION lmtext_internal.search_target(regclass, name, text, integer, name[], text, text) IS
    'what a search of a column needs to know of it';

-- ---- Rankings ----

-- The n nearest rows of a query, in the order that an index may give.
CREATE FUNCTION lmtext_internal.search_ordered(target lmtext_internal.search_target, query integer, words text, n integer)
    RETURNS lmtext_internal.hit[] LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    hits lmtext_internal.hit[];
BEGIN
    EXECUTE pg_catalog.format('SELECT ARRAY(SELECT ROW($2, s.tableoid, s.ctid, s.key, 1 OPERATOR(pg_catalog.-) s.distance)::lmtext_internal.hit'
        ' FROM (SELECT %s, %s, %s FROM %s r WHERE %s ORDER BY %3$s LIMIT $3) s (tableoid, ctid, key, distance)'
        ' WHERE s.distance OPERATOR(pg_catalog.<) ''NaN'' ORDER BY s.distance)',
        target.place, target.key, target.distance, target.source, target.condition) INTO hits USING words, query, n;
    RETURN hits;
END $$;
COMMENT ON FUNCTION lmtext_internal.search_ordered(lmtext_internal.search_target, integer, text, integer) IS
    'rows nearest to a query, by ORDER BY';

-- The n nearest rows of each query, by one pass over the relation.
CREATE FUNCTION lmtext_internal.search_whole(target lmtext_internal.search_target, queries text[], n integer)
    RETURNS lmtext_internal.hit[] LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    hits lmtext_internal.hit[];
BEGIN
    EXECUTE pg_catalog.format('SELECT lmtext_internal.nearest(%s, %s, %s, $1, $2) FROM %s r WHERE %s',
        target.place, target.key, target.vector, target.source, target.condition)
        INTO hits USING lmtext.embed_query(queries, target.version, target.dimensions, pg_catalog.current_setting('lmtext.on_long')), n;
    RETURN hits;
END $$;
COMMENT ON FUNCTION lmtext_internal.search_whole(lmtext_internal.search_target, text[], integer) IS
    'rows nearest to each query, by one pass';

CREATE FUNCTION lmtext_internal.search_meaning(target lmtext_internal.search_target, queries text[], n integer, mode text)
    RETURNS lmtext_internal.hit[] LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    hits lmtext_internal.hit[] := '{}';
BEGIN
    IF mode OPERATOR(pg_catalog.=) 'exact'
            OR pg_catalog.cardinality(queries) OPERATOR(pg_catalog.>) 1 AND NOT target.indexed THEN
        RETURN lmtext_internal.search_whole(target, queries, n);
    END IF;
    FOR i IN 1 .. pg_catalog.cardinality(queries) LOOP
        hits := hits OPERATOR(pg_catalog.||) lmtext_internal.search_ordered(target, i, queries[i], n);
    END LOOP;
    RETURN hits;
END $$;
COMMENT ON FUNCTION lmtext_internal.search_meaning(lmtext_internal.search_target, text[], integer, text) IS
    'rows nearest to each query';

CREATE FUNCTION lmtext_internal.words_operator() RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 AS $$SELECT 'OPERATOR(@extschema@.<@>)'$$;
COMMENT ON FUNCTION lmtext_internal.words_operator() IS 'minus the score by BM25, qualified';

-- The n rows that suit the words of a query best. Without an index of words BM25 looks at every row; PostgreSQL's ranking looks at
-- those that have all words.
CREATE FUNCTION lmtext_internal.search_words(target lmtext_internal.search_target, query integer, words text, n integer)
    RETURNS lmtext_internal.hit[] LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    hits lmtext_internal.hit[];
    terms text[];
BEGIN
    IF target.words IS NULL THEN
        PERFORM lmtext_internal.refuse_argument(pg_catalog.format('no text is known of column "%s"', target.column_name),
            'Name the column of the text, text_column => ''body'', or a tsvector, words_column => ''words''.');
    END IF;
    IF target.ranking OPERATOR(pg_catalog.=) 'index' THEN
        EXECUTE pg_catalog.format('SELECT ARRAY(SELECT ROW(1, s.tableoid, s.ctid, s.key, OPERATOR(pg_catalog.-) s.distance)::lmtext_internal.hit'
            ' FROM (SELECT %s, %s, %s %s $1 FROM %s r WHERE %s ORDER BY %3$s %4$s $1 LIMIT $2) s (tableoid, ctid, key, distance)'
            ' WHERE s.distance OPERATOR(pg_catalog.<) 0 ORDER BY s.distance)',
            target.place, target.key, target.body, lmtext_internal.words_operator(), target.source, target.condition)
            INTO hits USING words, n;
    ELSIF target.ranking OPERATOR(pg_catalog.=) 'bm25' THEN
        terms := pg_catalog.tsvector_to_array(pg_catalog.to_tsvector(target.config, words));
        IF pg_catalog.cardinality(terms) OPERATOR(pg_catalog.>) 0 THEN
            EXECUTE pg_catalog.format('SELECT lmtext_internal.bm25(%s, %s, %s, (%s), $1, $2) FROM %s r',
                target.place, target.key, target.words, target.condition, target.source) INTO hits USING terms, n;
        END IF;
    ELSE
        EXECUTE pg_catalog.format('SELECT ARRAY(SELECT ROW(1, s.tableoid, s.ctid, s.key, s.score)::lmtext_internal.hit FROM'
            ' (SELECT %s, %s, pg_catalog.ts_rank_cd(%s, $1)::pg_catalog.float8 FROM %s r'
            ' WHERE %3$s OPERATOR(pg_catalog.@@) $1 AND (%5$s) ORDER BY 4 DESC LIMIT $2) s (tableoid, ctid, key, score) ORDER BY s.score DESC)',
            target.place, target.key, target.words, target.source, target.condition)
            INTO hits USING pg_catalog.websearch_to_tsquery(target.config, words), n;
    END IF;
    RETURN ARRAY(SELECT ROW(search_words.query, h.tableoid, h.ctid, h.key, h.score)::lmtext_internal.hit
        FROM pg_catalog.unnest(hits) WITH ORDINALITY h (query, tableoid, ctid, key, score, n) ORDER BY h.n);
END $$;
COMMENT ON FUNCTION lmtext_internal.search_words(lmtext_internal.search_target, integer, text, integer) IS
    'rows that suit the words of a query best';

-- Both rankings of each query as one: reciprocal ranks, with 60 added, and summed up.
CREATE FUNCTION lmtext_internal.fuse(meaning lmtext_internal.hit[], words lmtext_internal.hit[], mode text, k integer, min_score double precision)
    RETURNS TABLE(query integer, tableoid oid, ctid tid, key text, score double precision, semantic double precision, words double precision,
        semantic_rank integer, words_rank integer)
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10000 ROWS 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.query, f.tableoid, f.ctid, f.key, f.score, f.semantic, f.words, f.semantic_rank, f.words_rank
    FROM (
        SELECT s.*, row_number() OVER (PARTITION BY s.query
                ORDER BY s.score DESC, s.semantic_rank NULLS LAST, s.words_rank NULLS LAST, s.key) AS n
        FROM (
            SELECT h.query, h.tableoid, h.ctid, h.key, max(h.semantic) AS semantic, max(h.words) AS words,
                   max(h.semantic_rank)::integer AS semantic_rank, max(h.words_rank)::integer AS words_rank,
                   CASE fuse.mode WHEN 'hybrid' THEN
                       coalesce(1 / (60 + max(h.semantic_rank)::float8), 0) + coalesce(1 / (60 + max(h.words_rank)::float8), 0)
                   WHEN 'words' THEN max(h.words) ELSE max(h.semantic) END AS score
            FROM (
                -- A row without a name is no other's equal.
                SELECT m.query, m.tableoid, m.ctid, m.key, CASE WHEN m.ctid IS NULL AND m.key IS NULL THEN m.n END AS nameless,
                       m.score AS semantic, NULL::float8 AS words,
                       row_number() OVER (PARTITION BY m.query ORDER BY m.n) AS semantic_rank, NULL::bigint AS words_rank
                FROM unnest(fuse.meaning) WITH ORDINALITY m (query, tableoid, ctid, key, score, n)
                UNION ALL
                SELECT w.query, w.tableoid, w.ctid, w.key, CASE WHEN w.ctid IS NULL AND w.key IS NULL THEN -w.n END, NULL, w.score,
                       NULL, row_number() OVER (PARTITION BY w.query ORDER BY w.n)
                FROM unnest(fuse.words) WITH ORDINALITY w (query, tableoid, ctid, key, score, n)) h
            GROUP BY h.query, h.tableoid, h.ctid, h.key, h.nameless) s
        WHERE fuse.min_score IS NULL OR s.score >= fuse.min_score) f
    WHERE f.n <= fuse.k ORDER BY f.query, f.n;
$$;
COMMENT ON FUNCTION lmtext_internal.fuse(lmtext_internal.hit[], lmtext_internal.hit[], text, integer, double precision) IS
    'rankings by meaning and by words as one';

-- ---- The cut ----

-- Written by lmtext_internal.write_calibration only.
CREATE TABLE lmtext.search_calibration (
    relation regclass NOT NULL,
    column_name name NOT NULL,
    model regclass NOT NULL,
    neighbours integer NOT NULL,
    quantile double precision NOT NULL,
    threshold double precision NOT NULL,
    sampled integer NOT NULL,
    rows bigint NOT NULL,
    calibrated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    PRIMARY KEY (relation, column_name)
);
COMMENT ON TABLE lmtext.search_calibration IS 'what cutoff => ''auto'' of lmtext.search goes by: the least mean cosine of the best rows';
GRANT SELECT ON lmtext.search_calibration TO PUBLIC;
-- What is gone, or goes with its session, has no name in another database.
SELECT pg_catalog.pg_extension_config_dump('lmtext.search_calibration',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) relation::pg_catalog.oid'
    ' AND c.relpersistence OPERATOR(pg_catalog.<>) ''t'')'
    ' AND EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) model::pg_catalog.oid'
    ' AND c.relpersistence OPERATOR(pg_catalog.<>) ''t'')');

CREATE FUNCTION lmtext_internal.write_calibration(relation regclass, column_name name, model regclass, neighbours integer,
    quantile double precision, threshold double precision, sampled integer, rows bigint) RETURNS void
    AS 'MODULE_PATHNAME', 'lmtext_write_calibration' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.write_calibration(regclass, name, regclass, integer, double precision, double precision, integer, bigint) IS
    'keep the calibration of a column; needs ownership of its table';

-- The calibration of a target, which must be of vectors of the same version.
CREATE FUNCTION lmtext_internal.search_calibrated(target lmtext_internal.search_target) RETURNS lmtext.search_calibration
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kept lmtext.search_calibration;
BEGIN
    SELECT c.* INTO kept FROM lmtext.search_calibration c
    WHERE c.relation::oid = target.relation::oid AND c.column_name = target.column_name;
    IF FOUND AND (kept.model::oid = target.version::oid OR (SELECT count(DISTINCT m.sha256) = 1 AND count(*) = 2 FROM lmtext.models m
            WHERE m.model::oid = ANY (ARRAY[kept.model::oid, target.version::oid]))) THEN
        RETURN kept;
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = format(CASE WHEN FOUND THEN 'column "%s" of "%s" was calibrated for another model'
            ELSE 'column "%s" of "%s" was not calibrated' END, target.column_name, lmtext_internal.bare_name(target.relation)),
        DETAIL = 'cutoff => ''auto'' goes by what is usual among the rows of the column.',
        HINT = format('SELECT lmtext.calibrate_search(%L, %L);', target.relation, target.column_name);
END $$;
COMMENT ON FUNCTION lmtext_internal.search_calibrated(lmtext_internal.search_target) IS 'calibration of a column for its version';

-- The queries whose best rows are nearer than chance would have them.
CREATE FUNCTION lmtext_internal.above_cut(hits lmtext_internal.hit[], calibration lmtext.search_calibration) RETURNS integer[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY(SELECT h.query FROM (SELECT u.query, u.score, row_number() OVER (PARTITION BY u.query ORDER BY u.n) AS rank
            FROM unnest(hits) WITH ORDINALITY u (query, tableoid, ctid, key, score, n)) h
        WHERE h.rank <= (calibration).neighbours GROUP BY h.query HAVING avg(h.score) >= (calibration).threshold);
$$;
COMMENT ON FUNCTION lmtext_internal.above_cut(lmtext_internal.hit[], lmtext.search_calibration) IS 'queries that pass the cut';

CREATE FUNCTION lmtext_internal.of_queries(hits lmtext_internal.hit[], queries integer[]) RETURNS lmtext_internal.hit[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY(SELECT ROW(u.query, u.tableoid, u.ctid, u.key, u.score)::lmtext_internal.hit
        FROM unnest(hits) WITH ORDINALITY u (query, tableoid, ctid, key, score, n)
        WHERE u.query IN (SELECT q FROM unnest(queries) q) ORDER BY u.n);
$$;
COMMENT ON FUNCTION lmtext_internal.of_queries(lmtext_internal.hit[], integer[]) IS 'rows of some queries';

-- ---- Search ----

CREATE FUNCTION lmtext_internal.check_search(mode text, k integer, candidates integer, cutoff text) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF mode IS NULL OR mode <> ALL ('{semantic,hybrid,words,exact}') THEN
        PERFORM lmtext_internal.refuse_argument(format('unknown mode of search "%s"', lmtext_internal.shown(mode)),
            'Available modes: semantic, hybrid, words, exact.');
    ELSIF k IS NULL OR k NOT BETWEEN 1 AND 1000000 OR coalesce(candidates, 1) NOT BETWEEN 1 AND 1000000 THEN
        PERFORM lmtext_internal.refuse_argument('k and candidates must be from 1 to 1000000', NULL);
    ELSIF coalesce(cutoff, 'none') <> ALL ('{auto,none}') THEN
        PERFORM lmtext_internal.refuse_argument(format('unknown cutoff "%s"', lmtext_internal.shown(cutoff)), 'Available: auto, none.');
    ELSIF cutoff = 'auto' AND mode = 'words' THEN
        PERFORM lmtext_internal.refuse_argument('a search for words alone has no cutoff', 'Use mode => ''hybrid''.');
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_search(text, integer, integer, text) IS 'refuses arguments that no search can have';

-- A search of a target: its rankings, cut and fused. Text is compared by the default model, which is the one that was named meanwhile.
CREATE FUNCTION lmtext_internal.search_run(target lmtext_internal.search_target, queries text[], k integer, mode text,
    min_score double precision, cutoff text, candidates integer, model text)
    RETURNS TABLE(query integer, tableoid oid, ctid tid, key text, score double precision, semantic double precision, words double precision,
        semantic_rank integer, words_rank integer)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
#variable_conflict use_column
DECLARE
    calibration lmtext.search_calibration;
    default_model text := pg_catalog.current_setting('lmtext.embedding_model', true);
    depth integer := GREATEST(search_run.k, CASE WHEN search_run.mode OPERATOR(pg_catalog.=) 'hybrid' THEN COALESCE(search_run.candidates, 100) END);
    meaning lmtext_internal.hit[] := '{}';
    found_words lmtext_internal.hit[] := '{}';
    kept integer[];
BEGIN
    IF search_run.cutoff OPERATOR(pg_catalog.=) 'auto' THEN
        calibration := lmtext_internal.search_calibrated(search_run.target);
    END IF;
    IF search_run.mode OPERATOR(pg_catalog.<>) 'words' THEN
        IF search_run.model IS NOT NULL THEN
            PERFORM pg_catalog.set_config('lmtext.embedding_model', search_run.model, true);
        END IF;
        meaning := lmtext_internal.search_meaning(search_run.target, search_run.queries, GREATEST(depth, calibration.neighbours), search_run.mode);
        IF search_run.model IS NOT NULL THEN
            PERFORM pg_catalog.set_config('lmtext.embedding_model', default_model, true);
        END IF;
    END IF;
    IF search_run.mode OPERATOR(pg_catalog.=) ANY ('{hybrid,words}'::pg_catalog.text[]) THEN
        FOR i IN 1 .. pg_catalog.cardinality(search_run.queries) LOOP
            found_words := found_words OPERATOR(pg_catalog.||) lmtext_internal.search_words(search_run.target, i, search_run.queries[i], depth);
        END LOOP;
    END IF;
    IF search_run.cutoff OPERATOR(pg_catalog.=) 'auto' THEN
        kept := lmtext_internal.above_cut(meaning, calibration);
        meaning := lmtext_internal.of_queries(meaning, kept);
        found_words := lmtext_internal.of_queries(found_words, kept);
    END IF;
    RETURN QUERY SELECT f.query, f.tableoid, f.ctid, f.key, f.score, f.semantic, f.words, f.semantic_rank, f.words_rank
        FROM lmtext_internal.fuse(meaning, found_words, search_run.mode, search_run.k, search_run.min_score) f;
END $$;
COMMENT ON FUNCTION lmtext_internal.search_run(lmtext_internal.search_target, text[], integer, text, double precision, text, integer, text) IS
    'search of a target';

CREATE FUNCTION lmtext.search(relation regclass, column_name name, queries text[], k integer DEFAULT 10, filter text DEFAULT NULL,
    mode text DEFAULT 'semantic', min_score double precision DEFAULT NULL, cutoff text DEFAULT NULL, model text DEFAULT NULL,
    dimensions integer DEFAULT NULL, text_column name DEFAULT NULL, config regconfig DEFAULT NULL, words_column name DEFAULT NULL,
    words_by text DEFAULT NULL, key_columns name[] DEFAULT NULL, candidates integer DEFAULT NULL)
    RETURNS TABLE(query integer, tableoid oid, ctid tid, key text, score double precision, semantic double precision, words double precision,
        semantic_rank integer, words_rank integer)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 100 AS $$
#variable_conflict use_column
DECLARE
    target lmtext_internal.search_target;
    ordinals integer[];
    texts text[];
BEGIN
    PERFORM lmtext_internal.check_search(search.mode, search.k, search.candidates, search.cutoff);
    target := lmtext_internal.search_target(search.relation, search.column_name, search.model, search.dimensions, search.key_columns, search.filter,
        search.mode);
    target := lmtext_internal.search_words_of(target, search.text_column, search.config, search.words_column, search.words_by);
    SELECT pg_catalog.array_agg(q.n::pg_catalog.int4 ORDER BY q.n), pg_catalog.array_agg(q.words ORDER BY q.n) INTO ordinals, texts
    FROM ROWS FROM (pg_catalog.unnest(search.queries)) WITH ORDINALITY q (words, n) WHERE q.words IS NOT NULL;
    IF texts IS NOT NULL THEN
        RETURN QUERY SELECT ordinals[r.query], r.tableoid, r.ctid, r.key, r.score, r.semantic, r.words, r.semantic_rank, r.words_rank
            FROM lmtext_internal.search_run(target, texts, search.k, search.mode, search.min_score, search.cutoff, search.candidates, search.model) r;
    END IF;
END $$;
COMMENT ON FUNCTION lmtext.search(regclass, name, text[], integer, text, text, double precision, text, text, integer, name, regconfig, name, text, name[], integer) IS
    'rows of a relation that are nearest to each of several queries';

CREATE FUNCTION lmtext.search(relation regclass, column_name name, query text, k integer DEFAULT 10, filter text DEFAULT NULL,
    mode text DEFAULT 'semantic', min_score double precision DEFAULT NULL, cutoff text DEFAULT NULL, model text DEFAULT NULL,
    dimensions integer DEFAULT NULL, text_column name DEFAULT NULL, config regconfig DEFAULT NULL, words_column name DEFAULT NULL,
    words_by text DEFAULT NULL, key_columns name[] DEFAULT NULL, candidates integer DEFAULT NULL)
    RETURNS TABLE(tableoid oid, ctid tid, key text, score double precision, semantic double precision, words double precision,
        semantic_rank integer, words_rank integer)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY SELECT s.tableoid, s.ctid, s.key, s.score, s.semantic, s.words, s.semantic_rank, s.words_rank
        FROM lmtext.search(search.relation, search.column_name, ARRAY[search.query], search.k, search.filter, search.mode, search.min_score,
            search.cutoff, search.model, search.dimensions, search.text_column, search.config, search.words_column, search.words_by,
            search.key_columns, search.candidates) s;
END $$;
COMMENT ON FUNCTION lmtext.search(regclass, name, text, integer, text, text, double precision, text, text, integer, name, regconfig, name, text, name[], integer) IS
    'rows of a relation that are nearest to a query, by meaning, by words or by both';

-- ---- Calibration ----

-- Rows drawn by their place, the same ones as long as the table stays; each is asked for as a query.
CREATE FUNCTION lmtext_internal.sample_queries(target lmtext_internal.search_target, sample integer,
    OUT vectors real[], OUT tables oid[], OUT places tid[])
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    other text := pg_catalog.md5(target.column_name::pg_catalog.text); -- names that the column does not have
BEGIN
    EXECUTE pg_catalog.format('SELECT pg_catalog.array_agg(s.v ORDER BY s.n), pg_catalog.array_agg(s.t ORDER BY s.n), pg_catalog.array_agg(s.c ORDER BY s.n)'
        ' FROM (SELECT %1$s, r.%4$I, r.%5$I, r.%6$I'
        ' FROM (SELECT r.%2$I, r.tableoid, r.ctid, pg_catalog.row_number() OVER (ORDER BY pg_catalog.hashtid(r.ctid), r.tableoid)'
        ' FROM %3$s r WHERE r.%2$I IS NOT NULL ORDER BY 4 LIMIT $1) r (%2$I, %4$I, %5$I, %6$I)) s (v, t, c, n)'
        ' WHERE (SELECT pg_catalog.bool_or(f OPERATOR(pg_catalog.<>) 0) FROM pg_catalog.unnest(s.v) f)',
        CASE WHEN target.kind OPERATOR(pg_catalog.=) 'text' THEN pg_catalog.format('lmtext.embed_query(r.%I::pg_catalog.text, %L::pg_catalog.regclass)',
            target.column_name, target.version::pg_catalog.oid) ELSE target.vector END,
        target.column_name, target.source, 't' OPERATOR(pg_catalog.||) other, 'c' OPERATOR(pg_catalog.||) other, 'n' OPERATOR(pg_catalog.||) other)
        INTO vectors, tables, places USING sample;
END $$;
COMMENT ON FUNCTION lmtext_internal.sample_queries(lmtext_internal.search_target, integer) IS
    'vectors of some rows, as queries, and where these are';

-- The mean cosine of the best rows for each query, without the row that it is itself.
CREATE FUNCTION lmtext_internal.mean_of_best(hits lmtext_internal.hit[], tables oid[], places tid[], neighbours integer)
    RETURNS SETOF double precision LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10000 ROWS 500 SET search_path = pg_catalog, pg_temp AS $$
    SELECT avg(h.score) FROM (SELECT u.query, u.score, row_number() OVER (PARTITION BY u.query ORDER BY u.n) AS rank
            FROM unnest(hits) WITH ORDINALITY u (query, tableoid, ctid, key, score, n)
            WHERE (tables[u.query], places[u.query]) IS DISTINCT FROM (u.tableoid, u.ctid)) h
    WHERE h.rank <= neighbours GROUP BY h.query;
$$;
COMMENT ON FUNCTION lmtext_internal.mean_of_best(lmtext_internal.hit[], oid[], tid[], integer) IS
    'mean cosine of the best rows for each query';

CREATE FUNCTION lmtext_internal.check_calibration(neighbours integer, quantile double precision, sample integer) RETURNS void
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF neighbours IS NULL OR neighbours NOT BETWEEN 1 AND 100 THEN
        PERFORM lmtext_internal.refuse_argument('neighbours must be from 1 to 100', NULL);
    ELSIF quantile IS NULL OR NOT (quantile > 0 AND quantile < 1) THEN
        PERFORM lmtext_internal.refuse_argument('quantile must be between 0 and 1', NULL);
    ELSIF sample IS NULL OR sample NOT BETWEEN 20 AND 10000 THEN
        PERFORM lmtext_internal.refuse_argument('sample must be from 20 to 10000', NULL);
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_calibration(integer, double precision, integer) IS 'refuses arguments of a calibration';

CREATE FUNCTION lmtext_internal.refuse_few(count bigint, relation regclass, detail text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
        MESSAGE = pg_catalog.format('%s rows or queries are too few for a calibration of "%s"', count, relation), DETAIL = detail;
END $$;
COMMENT ON FUNCTION lmtext_internal.refuse_few(bigint, regclass, text) IS 'error of a calibration that has nothing to go by';

CREATE FUNCTION lmtext.calibrate_search(relation regclass, column_name name, model text DEFAULT NULL, neighbours integer DEFAULT 8,
    quantile double precision DEFAULT 0.05, sample integer DEFAULT 500, queries text[] DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS double precision LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000000 AS $$
DECLARE
    target lmtext_internal.search_target;
    drawn record;
    hits lmtext_internal.hit[];
    counted bigint;
    threshold double precision;
    asked integer;
BEGIN
    PERFORM lmtext_internal.check_calibration(neighbours, quantile, sample);
    target := lmtext_internal.search_target(relation, column_name, model, dimensions, NULL, NULL);
    IF target.place OPERATOR(pg_catalog.<>) 'r.tableoid, r.ctid' OR NOT (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c
            WHERE c.oid OPERATOR(pg_catalog.=) relation::pg_catalog.oid) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = pg_catalog.format('must be owner of table "%s"', relation);
    END IF;
    IF (SELECT c.relpersistence OPERATOR(pg_catalog.=) 't' FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) relation::pg_catalog.oid) THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = pg_catalog.format('"%s" cannot be calibrated', relation),
            DETAIL = 'It is a temporary table, and a calibration is kept for all sessions.';
    END IF;
    IF queries IS NULL THEN
        drawn := lmtext_internal.sample_queries(target, sample);
    ELSE
        SELECT lmtext.embed_query(pg_catalog.array_remove(queries, NULL), target.version, target.dimensions) AS vectors,
            NULL::pg_catalog.oid[] AS tables, NULL::pg_catalog.tid[] AS places INTO drawn;
    END IF;
    asked := COALESCE(pg_catalog.array_length(drawn.vectors, 1), 0);
    IF asked OPERATOR(pg_catalog.<) 20 THEN
        PERFORM lmtext_internal.refuse_few(asked, relation, 'At least 20 are needed.');
    END IF;
    EXECUTE pg_catalog.format('SELECT lmtext_internal.nearest(%s, NULL, %s, $1, $2), pg_catalog.count(r.%I) FROM %s r',
        target.place, target.vector, column_name, target.source)
        INTO hits, counted USING drawn.vectors, neighbours OPERATOR(pg_catalog.+) 1;
    SELECT pg_catalog.percentile_cont(quantile) WITHIN GROUP (ORDER BY m) INTO threshold
    FROM lmtext_internal.mean_of_best(hits, drawn.tables, drawn.places, neighbours) m;
    IF threshold IS NULL THEN
        PERFORM lmtext_internal.refuse_few(counted, relation, 'There is no row that the queries could be compared with.');
    END IF;
    PERFORM lmtext_internal.write_calibration(relation, column_name, target.version, neighbours, quantile, threshold, asked, counted);
    RETURN threshold;
END $$;
COMMENT ON FUNCTION lmtext.calibrate_search(regclass, name, text, integer, double precision, integer, text[], integer) IS
    'learn from the rows of a column how near relevant rows are, for cutoff => ''auto''; returns the least mean cosine of the best rows';

-- ---- Why ----

-- The pieces of a text that are compared: sentences, cut where they are longer than the window.
CREATE FUNCTION lmtext_internal.passages(text text, model text, OUT contents text[], OUT starts integer[], OUT stops integer[])
    LANGUAGE sql STABLE PARALLEL SAFE COST 10000 AS $$
    SELECT pg_catalog.array_agg(c.content ORDER BY s.start, c.start),
        pg_catalog.array_agg(s.start OPERATOR(pg_catalog.+) c.start ORDER BY s.start, c.start),
        pg_catalog.array_agg(s.start OPERATOR(pg_catalog.+) c.stop ORDER BY s.start, c.start)
    FROM lmtext_internal.sentences(text) s, LATERAL lmtext.chunk(s.content, model) c;
$$;
COMMENT ON FUNCTION lmtext_internal.passages(text, text) IS 'sentences of a text, none longer than the window of a model';

CREATE FUNCTION lmtext.highlight(text text, query text, model text DEFAULT NULL, k integer DEFAULT 1)
    RETURNS TABLE(content text, start integer, stop integer, score double precision)
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000000 ROWS 1 AS $$
#variable_conflict use_column
DECLARE
    passages record := lmtext_internal.passages(highlight.text, highlight.model);
BEGIN
    IF highlight.k IS NULL OR highlight.k OPERATOR(pg_catalog.<) 1 THEN
        PERFORM lmtext_internal.refuse_argument('k must be at least 1', NULL);
    END IF;
    IF passages.contents IS NOT NULL AND highlight.query IS NOT NULL THEN
        RETURN QUERY SELECT passages.contents[c.n], passages.starts[c.n], passages.stops[c.n], c.cosine
            FROM pg_catalog.unnest(lmtext_internal.cosines(lmtext.embed_document(passages.contents, highlight.model),
                lmtext.embed_query(highlight.query, highlight.model))) WITH ORDINALITY c (cosine, n)
            WHERE c.cosine OPERATOR(pg_catalog.<) 'NaN' ORDER BY c.cosine DESC, c.n LIMIT highlight.k;
    END IF;
END $$;
COMMENT ON FUNCTION lmtext.highlight(text, text, text, integer) IS
    'sentences of a text that are nearest to a query, with their character offsets';

CREATE FUNCTION lmtext_internal.version_name(version regclass) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = version;
$$;
COMMENT ON FUNCTION lmtext_internal.version_name(regclass) IS 'name of a version that means the same under every search_path';

-- Where a row stands among all rows by its distance: 1 and the number of those that are nearer.
CREATE FUNCTION lmtext_internal.rank_by_meaning(target lmtext_internal.search_target, words text, key text, OUT score double precision, OUT rank bigint,
    OUT body text)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 AS $$
BEGIN
    EXECUTE pg_catalog.format('SELECT 1 OPERATOR(pg_catalog.-) d.d, CASE WHEN d.d OPERATOR(pg_catalog.<) ''NaN'' THEN'
        ' (SELECT 1 OPERATOR(pg_catalog.+) pg_catalog.count(*) FROM %1$s r WHERE (%2$s) AND %3$s OPERATOR(pg_catalog.<) d.d) END, d.b'
        ' FROM (SELECT %3$s, %5$s FROM %1$s r WHERE (%2$s) AND %4$s OPERATOR(pg_catalog.=) $2 LIMIT 1) d (d, b)',
        target.source, target.condition, target.distance, target.key, COALESCE(target.body, 'NULL::pg_catalog.text'))
        INTO score, rank, body USING words, key;
END $$;
COMMENT ON FUNCTION lmtext_internal.rank_by_meaning(lmtext_internal.search_target, text, text) IS 'where a row stands by meaning';

CREATE FUNCTION lmtext.explain_search(relation regclass, column_name name, query text, key text, filter text DEFAULT NULL, model text DEFAULT NULL,
    dimensions integer DEFAULT NULL, text_column name DEFAULT NULL, config regconfig DEFAULT NULL, words_column name DEFAULT NULL,
    words_by text DEFAULT NULL, key_columns name[] DEFAULT NULL, candidates integer DEFAULT NULL)
    RETURNS TABLE(rank bigint, score double precision, semantic_rank bigint, semantic double precision, words_rank bigint, words double precision,
        passage text, start integer, stop integer, passage_score double precision, tokens integer, tokens_read integer, tokens_cut integer)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 10000000 ROWS 1 AS $$
#variable_conflict use_column
DECLARE
    target lmtext_internal.search_target := lmtext_internal.search_target(explain_search.relation, explain_search.column_name, explain_search.model,
        explain_search.dimensions, explain_search.key_columns, explain_search.filter);
    default_model text := pg_catalog.current_setting('lmtext.embedding_model', true);
    version text;
    meaning record;
    window_tokens integer;
BEGIN
    PERFORM lmtext_internal.check_search('hybrid', 1, explain_search.candidates, NULL);
    IF target.key OPERATOR(pg_catalog.=) 'NULL::pg_catalog.text' THEN
        PERFORM lmtext_internal.refuse_argument(pg_catalog.format('"%s" has no key', explain_search.relation), 'Name its columns: key_columns => ''{id}''.');
    END IF;
    target := lmtext_internal.search_words_of(target, explain_search.text_column, explain_search.config, explain_search.words_column, explain_search.words_by);
    version := lmtext_internal.version_name(target.version);
    IF explain_search.model IS NOT NULL THEN
        PERFORM pg_catalog.set_config('lmtext.embedding_model', explain_search.model, true);
    END IF;
    meaning := lmtext_internal.rank_by_meaning(target, explain_search.query, explain_search.key);
    IF explain_search.model IS NOT NULL THEN
        PERFORM pg_catalog.set_config('lmtext.embedding_model', default_model, true);
    END IF;
    IF meaning.score IS NULL AND meaning.body IS NULL THEN
        RETURN;
    END IF;
    semantic := meaning.score;
    semantic_rank := meaning.rank;
    IF target.words IS NOT NULL THEN
        SELECT h.n, h.score INTO words_rank, words
        FROM pg_catalog.unnest(lmtext_internal.search_words(target, 1, explain_search.query, 1000000))
            WITH ORDINALITY h (query, tableoid, ctid, key, score, n) WHERE h.key OPERATOR(pg_catalog.=) explain_search.key LIMIT 1;
        SELECT s.n, s.score INTO rank, score FROM ROWS FROM (lmtext_internal.search_run(target, ARRAY[explain_search.query], 1000000, 'hybrid', NULL, NULL,
            explain_search.candidates, explain_search.model)) WITH ORDINALITY
            s (query, tableoid, ctid, key, score, semantic, words, semantic_rank, words_rank, n)
        WHERE s.key OPERATOR(pg_catalog.=) explain_search.key LIMIT 1;
    END IF;
    IF meaning.body IS NOT NULL THEN
        SELECT h.content, h.start, h.stop, h.score INTO passage, start, stop, passage_score
        FROM lmtext.highlight(meaning.body, explain_search.query, version) h;
        tokens := lmtext.count_tokens(meaning.body, version);
        SELECT m.max_tokens INTO window_tokens FROM lmtext.models m WHERE m.model::pg_catalog.oid OPERATOR(pg_catalog.=) target.version::pg_catalog.oid;
        tokens_read := CASE WHEN pg_catalog.current_setting('lmtext.on_long') OPERATOR(pg_catalog.=) 'mean' THEN tokens
            ELSE LEAST(tokens, window_tokens) END;
        tokens_cut := tokens OPERATOR(pg_catalog.-) tokens_read;
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION lmtext.explain_search(regclass, name, text, text, text, text, integer, name, regconfig, name, text, name[], integer) IS
    'where a row stands in a hybrid search and why: ranks and scores, the passage that fits best, tokens read and cut';

-- ---- Chunks ----

-- Equality of the primary key's columns, as that sees it: left and right are names of rows.
CREATE FUNCTION lmtext_internal.same_key(relation regclass, left_row text, right_row text) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(format('%s.%I OPERATOR(%I.%s) %s.%2$I', left_row, a.attname, n.nspname, o.oprname, right_row), ' AND ' ORDER BY k.n)
    FROM pg_index i, ROWS FROM (unnest(i.indkey::smallint[])) WITH ORDINALITY k (number, n), pg_attribute a, pg_opclass c, pg_amop m, pg_operator o,
        pg_namespace n
    WHERE i.indrelid = relation AND i.indisprimary AND k.n <= i.indnkeyatts AND a.attrelid = relation AND a.attnum = k.number
        AND c.oid = i.indclass[(k.n - 1)::integer] AND m.amopfamily = c.opcfamily AND m.amopstrategy = 3
        AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype AND o.oid = m.amopopr AND n.oid = o.oprnamespace;
$$;
COMMENT ON FUNCTION lmtext_internal.same_key(regclass, text, text) IS 'condition that two rows have the same primary key';

-- The documents in FROM: triggers of a table do not see its children.
CREATE FUNCTION lmtext_internal.documents_from(relation regclass) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE c.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || lmtext_internal.table_name(relation) FROM pg_class c WHERE c.oid = relation;
$$;
COMMENT ON FUNCTION lmtext_internal.documents_from(regclass) IS 'a table of documents as it stands in FROM';

-- The trigger's function: an ordinary function of the owner's, so that whoever may write documents needs no privilege on their chunks.
-- A chunk whose text stays keeps its row, and so its vector.
CREATE FUNCTION lmtext_internal.chunk_function(relation regclass, column_name name, chunks text, version text, max_tokens integer, overlap integer)
    RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    keys text;
    new_keys text;
BEGIN
    SELECT string_agg(format('%I', k), ', ' ORDER BY n), string_agg(format('NEW.%I', k), ', ' ORDER BY n) INTO keys, new_keys
    FROM unnest(lmtext_internal.job_key(relation)) WITH ORDINALITY u (k, n);
    RETURN format($body$
BEGIN
    IF TG_WHEN = 'BEFORE' THEN
        RETURN NULL; -- the mark of the chunks
    END IF;
    IF TG_OP = 'TRUNCATE' THEN
        TRUNCATE %1$s;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF %2$s AND OLD.%3$I::text COLLATE "C" IS NOT DISTINCT FROM NEW.%3$I::text COLLATE "C" THEN
            RETURN NULL;
        END IF;
    END IF;
    IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND NOT (%2$s) THEN
        -- An update may have given the key to another row, whose chunks these are.
        DELETE FROM %1$s c WHERE %4$s AND NOT EXISTS (SELECT FROM %11$s d WHERE %12$s);
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN NULL;
    END IF;
    WITH n AS MATERIALIZED (SELECT * FROM lmtext.chunk(NEW.%3$I::text, %5$L::regclass, %6$s, %7$s)),
        gone AS (DELETE FROM %1$s c WHERE %8$s AND c.chunk > (SELECT count(*) FROM n)),
        other AS (UPDATE %1$s c SET content = n.content, start = n.start, stop = n.stop, tokens = n.tokens FROM n
            WHERE %8$s AND c.chunk = n.chunk
                AND (c.content COLLATE "C", c.start, c.stop, c.tokens) IS DISTINCT FROM (n.content COLLATE "C", n.start, n.stop, n.tokens))
    INSERT INTO %1$s (%9$s, chunk, content, start, stop, tokens) SELECT %10$s, n.chunk, n.content, n.start, n.stop, n.tokens FROM n
    WHERE NOT EXISTS (SELECT FROM %1$s c WHERE %8$s AND c.chunk = n.chunk) ORDER BY n.chunk;
    RETURN NULL;
END $body$, chunks, lmtext_internal.same_key(relation, 'OLD', 'NEW'), column_name, lmtext_internal.same_key(relation, 'c', 'OLD'),
        version, coalesce(max_tokens::text, 'NULL'), overlap, lmtext_internal.same_key(relation, 'c', 'NEW'), keys, new_keys,
        lmtext_internal.documents_from(relation), lmtext_internal.same_key(relation, 'd', 'OLD'));
END $$;
COMMENT ON FUNCTION lmtext_internal.chunk_function(regclass, name, text, text, integer, integer) IS
    'body of the function of triggers that keep chunks in step';

-- The name of the prompt under which embed does what embed_document does, as an argument for lmtext.embed_trigger; NULL: there is none.
CREATE FUNCTION lmtext_internal.document_prompt(version regclass) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    probe CONSTANT text := 'a text';
    wanted real[] := lmtext.embed_document(probe, version);
    prompt text;
BEGIN
    IF lmtext.embed(probe, version) = wanted THEN
        RETURN '';
    END IF;
    FOREACH prompt IN ARRAY ARRAY['document', 'passage', 'corpus'] LOOP
        BEGIN
            IF lmtext.embed(probe, version, prompt_name => prompt) = wanted THEN
                RETURN format(', %L', prompt);
            END IF;
        EXCEPTION WHEN invalid_parameter_value OR undefined_object THEN
            CONTINUE;
        END;
    END LOOP;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION lmtext_internal.document_prompt(regclass) IS 'argument of a trigger that embeds documents';

-- Of the vectors: a trigger of the chunk table, or a job over it.
CREATE FUNCTION lmtext_internal.keep_chunk_vectors(chunks regclass, version text, embedding text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000000 AS $$
DECLARE
    prompt text;
BEGIN
    IF embedding OPERATOR(pg_catalog.=) 'job' THEN
        PERFORM lmtext.create_job((SELECT c.relname::pg_catalog.text FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) chunks),
            chunks, 'content', 'embed_document', version, 'embedding', '{}');
    ELSIF embedding OPERATOR(pg_catalog.=) 'trigger' THEN
        prompt := lmtext_internal.document_prompt(version::pg_catalog.regclass);
        IF prompt IS NULL THEN
            RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
                MESSAGE = pg_catalog.format('a trigger cannot embed documents by model %s', version),
                DETAIL = 'It embeds documents by a route of their own.', HINT = 'Use embedding => ''job''.';
        END IF;
        EXECUTE pg_catalog.format('CREATE TRIGGER embed BEFORE INSERT OR UPDATE OF content ON %s'
            ' FOR EACH ROW EXECUTE FUNCTION lmtext.embed_trigger(''content'', ''embedding'', %L%s)',
            lmtext_internal.table_name(chunks), version, prompt);
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.keep_chunk_vectors(regclass, text, text) IS 'keep the vectors of chunks';

-- The table, empty, and then its rows; a vector as wide as this stands in its row, where reading it is cheapest.
CREATE FUNCTION lmtext_internal.make_chunks(relation regclass, chunks text) RETURNS regclass
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    keys text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format('%I', k), ', ' ORDER BY n) INTO keys
    FROM pg_catalog.unnest(lmtext_internal.job_key(relation)) WITH ORDINALITY u (k, n);
    EXECUTE pg_catalog.format('CREATE TABLE %s AS SELECT %s, NULL::pg_catalog.int4 AS chunk, NULL::pg_catalog.text AS content, NULL::pg_catalog.int4 AS start,'
        ' NULL::pg_catalog.int4 AS stop, NULL::pg_catalog.int4 AS tokens, NULL::pg_catalog.float4[] AS embedding FROM %s WITH NO DATA',
        chunks, keys, lmtext_internal.table_name(relation));
    EXECUTE pg_catalog.format('ALTER TABLE %s ADD PRIMARY KEY (%s, chunk), ALTER content SET NOT NULL', chunks, keys);
    RETURN chunks;
END $$;
COMMENT ON FUNCTION lmtext_internal.make_chunks(regclass, text) IS 'make an empty table of chunks';

CREATE FUNCTION lmtext_internal.fill_chunks(relation regclass, column_name name, chunks regclass, version text, max_tokens integer, overlap integer,
    embeds boolean) RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000000 AS $$
DECLARE
    keys text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format('d.%I', k), ', ' ORDER BY n) INTO keys
    FROM pg_catalog.unnest(lmtext_internal.job_key(relation)) WITH ORDINALITY u (k, n);
    EXECUTE pg_catalog.format('ALTER TABLE %s ALTER embedding SET STORAGE %s', lmtext_internal.table_name(chunks),
        (SELECT CASE WHEN m.dimensions OPERATOR(pg_catalog.<=) 1024 THEN 'PLAIN' ELSE 'EXTERNAL' END FROM lmtext.models m
         WHERE m.model::pg_catalog.oid OPERATOR(pg_catalog.=) fill_chunks.version::pg_catalog.regclass::pg_catalog.oid));
    EXECUTE pg_catalog.format('INSERT INTO %s SELECT %s, c.chunk, c.content, c.start, c.stop, c.tokens, %s'
        ' FROM %s d, LATERAL lmtext.chunk(d.%I::pg_catalog.text, %L::pg_catalog.regclass, %s, %s) c',
        lmtext_internal.table_name(chunks), keys,
        CASE WHEN embeds THEN pg_catalog.format('lmtext.embed_document(c.content, %L::pg_catalog.regclass)', version) ELSE 'NULL' END,
        lmtext_internal.documents_from(relation), column_name, version, COALESCE(max_tokens::pg_catalog.text, 'NULL'), overlap);
END $$;
COMMENT ON FUNCTION lmtext_internal.fill_chunks(regclass, name, regclass, text, integer, integer, boolean) IS 'cut and embed all documents';

-- What keeps a table of chunks in step: a function, and two triggers that call it. A third one, of the chunks, does nothing: by it
-- the function is found under whatever name the chunks have later.
CREATE FUNCTION lmtext_internal.attach_chunks(relation regclass, column_name name, chunks regclass, version text, max_tokens integer, overlap integer)
    RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    made record;
    keeper text;
BEGIN
    SELECT c.relname, n.nspname INTO made FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) chunks;
    keeper := pg_catalog.format('%I.%I', made.nspname, pg_catalog.concat(pg_catalog.left(made.relname::pg_catalog.text, 58), '_keep'));
    EXECUTE pg_catalog.format('CREATE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS %L', keeper,
        lmtext_internal.chunk_function(relation, column_name, lmtext_internal.table_name(chunks), version, max_tokens, overlap));
    EXECUTE pg_catalog.format('REVOKE ALL ON FUNCTION %s() FROM PUBLIC', keeper);
    EXECUTE pg_catalog.format('CREATE TRIGGER %I AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW EXECUTE FUNCTION %s()',
        made.relname, lmtext_internal.table_name(relation), keeper);
    EXECUTE pg_catalog.format('CREATE TRIGGER %I AFTER TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION %s()',
        pg_catalog.concat(pg_catalog.left(made.relname::pg_catalog.text, 54), '_truncate'), lmtext_internal.table_name(relation), keeper);
    EXECUTE pg_catalog.format('CREATE TRIGGER kept_by BEFORE TRUNCATE ON %s FOR EACH STATEMENT EXECUTE FUNCTION %s()',
        lmtext_internal.table_name(chunks), keeper);
END $$;
COMMENT ON FUNCTION lmtext_internal.attach_chunks(regclass, name, regclass, text, integer, integer) IS 'keep a table of chunks in step';

CREATE FUNCTION lmtext_internal.check_chunks(relation regclass, column_name name, embedding text) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF relation IS NULL OR column_name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'chunks need a table and a column';
    END IF;
    PERFORM lmtext_internal.search_relation(relation);
    IF embedding IS NULL OR embedding <> ALL ('{trigger,job,none}') THEN
        PERFORM lmtext_internal.refuse_argument(format('unknown way "%s" to embed chunks', lmtext_internal.shown(embedding)),
            'Available: trigger, job, none.');
    END IF;
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = relation AND pg_get_userbyid(c.relowner) = CURRENT_USER) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = format('must be owner of table "%s"', lmtext_internal.bare_name(relation)),
            DETAIL = 'What keeps its chunks in step runs with the privileges of the role that makes it.';
    END IF;
    IF (SELECT c.relkind FROM pg_class c WHERE c.oid = relation) <> ALL ('{r,p}'::"char"[]) THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = format('"%s" is no table', lmtext_internal.bare_name(relation));
    END IF;
    IF (SELECT k.kind FROM lmtext_internal.search_kind(relation, column_name) k) <> 'text' THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = format('column "%s" has no text', column_name);
    END IF;
    IF (SELECT a.attgenerated FROM pg_attribute a WHERE a.attrelid = relation AND a.attname = column_name) = 'v' THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported', MESSAGE = format('column "%s" is a virtual generated column', column_name),
            DETAIL = 'A trigger does not see what it holds.', HINT = 'Make it GENERATED ALWAYS AS (...) STORED.';
    END IF;
    PERFORM lmtext_internal.job_key(relation);
    IF EXISTS (SELECT FROM pg_index i WHERE i.indrelid = relation AND i.indisprimary AND NOT i.indimmediate) THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = format('the primary key of "%s" is deferrable', lmtext_internal.bare_name(relation)),
            DETAIL = 'Two documents may have the same key for a time, and their chunks cannot.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_chunks(regclass, name, text) IS 'refuses a table or an argument that chunks cannot have';

-- Who may read documents may read the chunks of those that they see. The policy asks for the text too, so that it needs the
-- privilege on it, also when that is taken away later.
CREATE FUNCTION lmtext_internal.share_chunks(relation regclass, column_name name, chunks regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    reader record;
BEGIN
    EXECUTE pg_catalog.format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', lmtext_internal.table_name(chunks));
    EXECUTE pg_catalog.format('CREATE POLICY document ON %s USING (EXISTS (SELECT FROM %s d WHERE %s AND d.%I IS NOT NULL))',
        lmtext_internal.table_name(chunks), lmtext_internal.table_name(relation),
        lmtext_internal.same_key(relation, 'd', lmtext_internal.table_name(chunks)), column_name);
    FOR reader IN SELECT CASE WHEN p.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(p.grantee)) END AS name
            FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) p
            WHERE c.oid OPERATOR(pg_catalog.=) relation AND p.privilege_type OPERATOR(pg_catalog.=) 'SELECT' AND p.grantee OPERATOR(pg_catalog.<>) c.relowner LOOP
        EXECUTE pg_catalog.format('GRANT SELECT ON %s TO %s', lmtext_internal.table_name(chunks), reader.name);
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.share_chunks(regclass, name, regclass) IS 'let readers of documents read their chunks';

CREATE FUNCTION lmtext.create_chunks(relation regclass, column_name name, chunks name DEFAULT NULL, model text DEFAULT NULL,
    max_tokens integer DEFAULT NULL, overlap integer DEFAULT 0, embedding text DEFAULT 'trigger')
    RETURNS regclass LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000000 AS $$
DECLARE
    made regclass;
    version text;
BEGIN
    PERFORM lmtext_internal.check_chunks(relation, column_name, embedding);
    IF pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.=) ANY ('{repeatable read,serializable}'::pg_catalog.text[]) THEN
        RAISE EXCEPTION USING ERRCODE = 'active_sql_transaction',
            MESSAGE = pg_catalog.format('chunks cannot be made in a transaction that is %s', pg_catalog.current_setting('transaction_isolation')),
            DETAIL = 'Its snapshot may be older than rows of the table.', HINT = 'Use BEGIN ISOLATION LEVEL READ COMMITTED.';
    END IF;
    version := lmtext_internal.version_name(lmtext_internal.resolve_model(lmtext_internal.qualified_model(model, 'embed')));
    EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', lmtext_internal.table_name(relation));
    made := lmtext_internal.make_chunks(relation, (SELECT pg_catalog.format('%I.%I', n.nspname, COALESCE(chunks, pg_catalog.concat(c.relname, '_chunks')))
        FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE c.oid OPERATOR(pg_catalog.=) relation));
    EXECUTE pg_catalog.format('COMMENT ON TABLE %s IS %L', lmtext_internal.table_name(made),
        pg_catalog.format('lmtext chunks of %s (%I)', lmtext_internal.table_name(relation), column_name));
    PERFORM lmtext_internal.fill_chunks(relation, column_name, made, version, max_tokens, COALESCE(overlap, 0),
        embedding OPERATOR(pg_catalog.=) 'trigger');
    PERFORM lmtext_internal.attach_chunks(relation, column_name, made, version, max_tokens, COALESCE(overlap, 0));
    PERFORM lmtext_internal.share_chunks(relation, column_name, made);
    PERFORM lmtext_internal.keep_chunk_vectors(made, version, embedding);
    RETURN made;
END $$;
COMMENT ON FUNCTION lmtext.create_chunks(regclass, name, name, text, integer, integer, text) IS
    'make a table of the chunks of a text column, and keep it in step with it';

-- The documents of a table of chunks: its policy asks them.
CREATE FUNCTION lmtext_internal.documents_of(chunks regclass) RETURNS regclass
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    documents regclass;
BEGIN
    SELECT d.refobjid INTO documents FROM pg_policy p JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
    WHERE p.polrelid = chunks AND p.polname = 'document' AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> chunks::oid;
    IF documents IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type', MESSAGE = format('"%s" is no table of chunks', lmtext_internal.bare_name(chunks)),
            HINT = 'lmtext.create_chunks makes one.';
    END IF;
    RETURN documents;
END $$;
COMMENT ON FUNCTION lmtext_internal.documents_of(regclass) IS 'table whose chunks a table has';

CREATE FUNCTION lmtext.drop_chunks(chunks regclass) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    documents regclass := lmtext_internal.documents_of(chunks);
    keeper record;
    one record;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) chunks
            AND pg_catalog.pg_has_role(c.relowner, 'USAGE')) THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = pg_catalog.format('must be owner of table "%s"', chunks);
    END IF;
    PERFORM lmtext.drop_job(j.name) FROM lmtext.job j WHERE j.relation::pg_catalog.oid OPERATOR(pg_catalog.=) chunks::pg_catalog.oid;
    SELECT p.oid, pg_catalog.format('%I.%I', n.nspname, p.proname) AS name INTO keeper
    FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
        JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) p.pronamespace
    WHERE t.tgrelid OPERATOR(pg_catalog.=) chunks AND t.tgname OPERATOR(pg_catalog.=) 'kept_by';
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('nothing is known to keep "%s" in step', lmtext_internal.bare_name(chunks)),
            DETAIL = 'Its trigger "kept_by" is gone, which names the function.',
            HINT = 'Drop the triggers of the documents that call the function, and then the table.';
    END IF;
    FOR one IN SELECT t.tgname FROM pg_catalog.pg_trigger t WHERE t.tgrelid OPERATOR(pg_catalog.=) documents
            AND t.tgparentid OPERATOR(pg_catalog.=) 0 AND t.tgfoid OPERATOR(pg_catalog.=) keeper.oid LOOP
        EXECUTE pg_catalog.format('DROP TRIGGER %I ON %s', one.tgname, lmtext_internal.table_name(documents));
    END LOOP;
    EXECUTE pg_catalog.format('DROP TABLE %s', lmtext_internal.table_name(chunks));
    EXECUTE pg_catalog.format('DROP FUNCTION %s()', keeper.name);
END $$;
COMMENT ON FUNCTION lmtext.drop_chunks(regclass) IS 'drop a table of chunks and what keeps it in step';

-- Rows of chunks, the best one of each document first; `best` are places of the chunks.
CREATE FUNCTION lmtext_internal.best_chunks(hits lmtext_internal.hit[]) RETURNS lmtext_internal.hit[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY(SELECT ROW(1, b.tableoid, b.ctid, b.key, b.score)::lmtext_internal.hit FROM (
        SELECT DISTINCT ON (u.key) u.tableoid, u.ctid, u.key, u.score, u.n
        FROM unnest(hits) WITH ORDINALITY u (query, tableoid, ctid, key, score, n) ORDER BY u.key, u.n) b ORDER BY b.n);
$$;
COMMENT ON FUNCTION lmtext_internal.best_chunks(lmtext_internal.hit[]) IS 'the best chunk of each document';

CREATE FUNCTION lmtext.search_chunks(chunks regclass, query text, k integer DEFAULT 10, filter text DEFAULT NULL, mode text DEFAULT 'semantic',
    min_score double precision DEFAULT NULL, cutoff text DEFAULT NULL, model text DEFAULT NULL, config regconfig DEFAULT NULL)
    RETURNS TABLE(key text, score double precision, chunk integer, content text, start integer, stop integer)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
#variable_conflict use_column
DECLARE
    documents regclass := lmtext_internal.documents_of(search_chunks.chunks);
    target lmtext_internal.search_target := lmtext_internal.search_target(search_chunks.chunks, 'embedding', search_chunks.model, NULL,
        lmtext_internal.job_key(documents), NULL);
    hits lmtext_internal.hit[];
    best lmtext_internal.hit[];
    n integer := search_chunks.k;
BEGIN
    PERFORM lmtext_internal.check_search(search_chunks.mode, search_chunks.k, NULL, search_chunks.cutoff);
    target := lmtext_internal.search_words_of(target, 'content', search_chunks.config, NULL, NULL);
    -- A partition that was dropped or truncated has left its chunks.
    target := pg_catalog.jsonb_populate_record(target, pg_catalog.jsonb_build_object('condition', pg_catalog.format(
        'EXISTS (SELECT FROM %s d WHERE %s AND (%s))', lmtext_internal.table_name(documents), lmtext_internal.same_key(documents, 'd', 'r'),
        COALESCE(lmtext_internal.parse_filter(documents, search_chunks.filter, 'd'), 'true'))));
    -- More chunks, until they are of enough documents or there are no more.
    LOOP
        EXIT WHEN search_chunks.query IS NULL;
        n := LEAST(n::pg_catalog.int8 OPERATOR(pg_catalog.*) 4, 1000000);
        SELECT pg_catalog.array_agg(ROW(1, s.tableoid, s.ctid, s.key, s.score)::lmtext_internal.hit ORDER BY s.n) INTO hits
        FROM ROWS FROM (lmtext_internal.search_run(target, ARRAY[search_chunks.query], n, search_chunks.mode, search_chunks.min_score,
            search_chunks.cutoff, NULL, search_chunks.model)) WITH ORDINALITY
            s (query, tableoid, ctid, key, score, semantic, words, semantic_rank, words_rank, n);
        best := lmtext_internal.best_chunks(hits);
        EXIT WHEN pg_catalog.cardinality(best) OPERATOR(pg_catalog.>=) search_chunks.k OR n OPERATOR(pg_catalog.=) 1000000
            OR COALESCE(pg_catalog.cardinality(hits), 0) OPERATOR(pg_catalog.<) n;
    END LOOP;
    RETURN QUERY EXECUTE pg_catalog.format('SELECT b.key, b.score, r.chunk, r.content, r.start, r.stop'
        ' FROM pg_catalog.unnest($1) WITH ORDINALITY b (query, tableoid, ctid, key, score, n)'
        ' JOIN %s r ON r.tableoid OPERATOR(pg_catalog.=) b.tableoid AND r.ctid OPERATOR(pg_catalog.=) b.ctid ORDER BY b.n LIMIT $2', target.source)
        USING best, search_chunks.k;
END $$;
COMMENT ON FUNCTION lmtext.search_chunks(regclass, text, integer, text, text, double precision, text, text, regconfig) IS
    'documents whose chunks are nearest to a query, each with its best chunk';

-- 72-pairs: pairs of rows that mean the same, within a relation and between two. Complete: every pair is found.

CREATE FUNCTION lmtext.near_duplicates(
    relation regclass,
    "column" name,
    threshold double precision DEFAULT 0.95,
    model text DEFAULT NULL,
    key name DEFAULT NULL)
    RETURNS TABLE (a text, b text, similarity double precision)
    AS 'MODULE_PATHNAME', 'lmtext_near_duplicates' LANGUAGE C STABLE PARALLEL UNSAFE COST 10000000 ROWS 1000;
COMMENT ON FUNCTION lmtext.near_duplicates(regclass, name, double precision, text, name) IS
    'every pair of rows of a relation whose texts or vectors are at least so similar';

CREATE FUNCTION lmtext.join(
    relation_a regclass,
    column_a name,
    relation_b regclass,
    column_b name,
    k integer DEFAULT NULL,
    threshold double precision DEFAULT NULL,
    model text DEFAULT NULL,
    key_a name DEFAULT NULL,
    key_b name DEFAULT NULL)
    RETURNS TABLE (a text, b text, similarity double precision)
    AS 'MODULE_PATHNAME', 'lmtext_join' LANGUAGE C STABLE PARALLEL UNSAFE COST 10000000 ROWS 1000;
COMMENT ON FUNCTION lmtext.join(regclass, name, regclass, name, integer, double precision, text, name, name) IS
    'for each row of a relation the most similar ones of another, or all that are at least so similar';

-- 73-scores: measures of labels, scores and rankings, as scikit-learn and scipy define them, and reports on tags, models and samples. Rows
-- in which an argument is NULL are left out; what is undefined is NULL.

CREATE FUNCTION lmtext_internal.balanced_accuracy_accum(state internal, actual anycompatible, predicted anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_balanced_accuracy_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.balanced_accuracy_accum(internal, anycompatible, anycompatible) IS
    'internal: part of the aggregate balanced_accuracy';

CREATE FUNCTION lmtext_internal.balanced_accuracy_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_balanced_accuracy_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.balanced_accuracy_combine(internal, internal) IS 'internal: part of the aggregate balanced_accuracy';

CREATE FUNCTION lmtext_internal.balanced_accuracy_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_balanced_accuracy_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.balanced_accuracy_serialize(internal) IS 'internal: part of the aggregate balanced_accuracy';

CREATE FUNCTION lmtext_internal.balanced_accuracy_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_balanced_accuracy_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.balanced_accuracy_deserialize(bytea, internal) IS 'internal: part of the aggregate balanced_accuracy';

CREATE FUNCTION lmtext_internal.balanced_accuracy_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_balanced_accuracy_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.balanced_accuracy_final(internal) IS 'internal: part of the aggregate balanced_accuracy';

CREATE AGGREGATE lmtext.balanced_accuracy(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.balanced_accuracy_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.balanced_accuracy_combine,
    SERIALFUNC = lmtext_internal.balanced_accuracy_serialize,
    DESERIALFUNC = lmtext_internal.balanced_accuracy_deserialize,
    FINALFUNC = lmtext_internal.balanced_accuracy_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.balanced_accuracy(anycompatible, anycompatible) IS
    'mean recall of the labels that occur as actual ones';

CREATE FUNCTION lmtext_internal.precision_score_accum(state internal, actual anycompatible, predicted anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.precision_score_accum(internal, anycompatible, anycompatible) IS
    'internal: part of the aggregate precision_score';

CREATE FUNCTION lmtext_internal.precision_score_accum(state internal, actual anycompatible, predicted anycompatible, average text)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.precision_score_accum(internal, anycompatible, anycompatible, text) IS
    'internal: part of the aggregate precision_score';

CREATE FUNCTION lmtext_internal.precision_score_accum(state internal, actual anycompatible, predicted anycompatible, average text, label anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.precision_score_accum(internal, anycompatible, anycompatible, text, anycompatible) IS
    'internal: part of the aggregate precision_score';

CREATE FUNCTION lmtext_internal.precision_score_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.precision_score_combine(internal, internal) IS 'internal: part of the aggregate precision_score';

CREATE FUNCTION lmtext_internal.precision_score_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.precision_score_serialize(internal) IS 'internal: part of the aggregate precision_score';

CREATE FUNCTION lmtext_internal.precision_score_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.precision_score_deserialize(bytea, internal) IS 'internal: part of the aggregate precision_score';

CREATE FUNCTION lmtext_internal.precision_score_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.precision_score_final(internal) IS 'internal: part of the aggregate precision_score';

CREATE AGGREGATE lmtext.precision_score(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.precision_score_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.precision_score_combine,
    SERIALFUNC = lmtext_internal.precision_score_serialize,
    DESERIALFUNC = lmtext_internal.precision_score_deserialize,
    FINALFUNC = lmtext_internal.precision_score_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.precision_score(anycompatible, anycompatible) IS
    'mean of the precision of all labels (macro)';

CREATE AGGREGATE lmtext.precision_score(actual anycompatible, predicted anycompatible, average text) (
    SFUNC = lmtext_internal.precision_score_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.precision_score_combine,
    SERIALFUNC = lmtext_internal.precision_score_serialize,
    DESERIALFUNC = lmtext_internal.precision_score_deserialize,
    FINALFUNC = lmtext_internal.precision_score_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.precision_score(anycompatible, anycompatible, text) IS
    'precision over all labels; average is micro, macro or weighted';

CREATE AGGREGATE lmtext.precision_score(actual anycompatible, predicted anycompatible, average text, label anycompatible) (
    SFUNC = lmtext_internal.precision_score_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.precision_score_combine,
    SERIALFUNC = lmtext_internal.precision_score_serialize,
    DESERIALFUNC = lmtext_internal.precision_score_deserialize,
    FINALFUNC = lmtext_internal.precision_score_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.precision_score(anycompatible, anycompatible, text, anycompatible) IS
    'precision of one label; average is binary';

CREATE FUNCTION lmtext_internal.recall_score_accum(state internal, actual anycompatible, predicted anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.recall_score_accum(internal, anycompatible, anycompatible) IS
    'internal: part of the aggregate recall_score';

CREATE FUNCTION lmtext_internal.recall_score_accum(state internal, actual anycompatible, predicted anycompatible, average text)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.recall_score_accum(internal, anycompatible, anycompatible, text) IS
    'internal: part of the aggregate recall_score';

CREATE FUNCTION lmtext_internal.recall_score_accum(state internal, actual anycompatible, predicted anycompatible, average text, label anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.recall_score_accum(internal, anycompatible, anycompatible, text, anycompatible) IS
    'internal: part of the aggregate recall_score';

CREATE FUNCTION lmtext_internal.recall_score_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_score_combine(internal, internal) IS 'internal: part of the aggregate recall_score';

CREATE FUNCTION lmtext_internal.recall_score_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_score_serialize(internal) IS 'internal: part of the aggregate recall_score';

CREATE FUNCTION lmtext_internal.recall_score_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_score_deserialize(bytea, internal) IS 'internal: part of the aggregate recall_score';

CREATE FUNCTION lmtext_internal.recall_score_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_score_final(internal) IS 'internal: part of the aggregate recall_score';

CREATE AGGREGATE lmtext.recall_score(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.recall_score_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.recall_score_combine,
    SERIALFUNC = lmtext_internal.recall_score_serialize,
    DESERIALFUNC = lmtext_internal.recall_score_deserialize,
    FINALFUNC = lmtext_internal.recall_score_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.recall_score(anycompatible, anycompatible) IS
    'mean of the recall of all labels (macro)';

CREATE AGGREGATE lmtext.recall_score(actual anycompatible, predicted anycompatible, average text) (
    SFUNC = lmtext_internal.recall_score_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.recall_score_combine,
    SERIALFUNC = lmtext_internal.recall_score_serialize,
    DESERIALFUNC = lmtext_internal.recall_score_deserialize,
    FINALFUNC = lmtext_internal.recall_score_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.recall_score(anycompatible, anycompatible, text) IS
    'recall over all labels; average is micro, macro or weighted';

CREATE AGGREGATE lmtext.recall_score(actual anycompatible, predicted anycompatible, average text, label anycompatible) (
    SFUNC = lmtext_internal.recall_score_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.recall_score_combine,
    SERIALFUNC = lmtext_internal.recall_score_serialize,
    DESERIALFUNC = lmtext_internal.recall_score_deserialize,
    FINALFUNC = lmtext_internal.recall_score_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.recall_score(anycompatible, anycompatible, text, anycompatible) IS
    'recall of one label; average is binary';

CREATE FUNCTION lmtext_internal.cohen_kappa_accum(state internal, actual anycompatible, predicted anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cohen_kappa_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.cohen_kappa_accum(internal, anycompatible, anycompatible) IS
    'internal: part of the aggregate cohen_kappa';

CREATE FUNCTION lmtext_internal.cohen_kappa_accum(state internal, actual anycompatible, predicted anycompatible, weights text)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cohen_kappa_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.cohen_kappa_accum(internal, anycompatible, anycompatible, text) IS
    'internal: part of the aggregate cohen_kappa';

CREATE FUNCTION lmtext_internal.cohen_kappa_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cohen_kappa_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cohen_kappa_combine(internal, internal) IS 'internal: part of the aggregate cohen_kappa';

CREATE FUNCTION lmtext_internal.cohen_kappa_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_cohen_kappa_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cohen_kappa_serialize(internal) IS 'internal: part of the aggregate cohen_kappa';

CREATE FUNCTION lmtext_internal.cohen_kappa_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cohen_kappa_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cohen_kappa_deserialize(bytea, internal) IS 'internal: part of the aggregate cohen_kappa';

CREATE FUNCTION lmtext_internal.cohen_kappa_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_cohen_kappa_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cohen_kappa_final(internal) IS 'internal: part of the aggregate cohen_kappa';

CREATE AGGREGATE lmtext.cohen_kappa(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.cohen_kappa_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.cohen_kappa_combine,
    SERIALFUNC = lmtext_internal.cohen_kappa_serialize,
    DESERIALFUNC = lmtext_internal.cohen_kappa_deserialize,
    FINALFUNC = lmtext_internal.cohen_kappa_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.cohen_kappa(anycompatible, anycompatible) IS
    'agreement of two labels beyond that of chance (Cohen)';

CREATE AGGREGATE lmtext.cohen_kappa(actual anycompatible, predicted anycompatible, weights text) (
    SFUNC = lmtext_internal.cohen_kappa_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.cohen_kappa_combine,
    SERIALFUNC = lmtext_internal.cohen_kappa_serialize,
    DESERIALFUNC = lmtext_internal.cohen_kappa_deserialize,
    FINALFUNC = lmtext_internal.cohen_kappa_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.cohen_kappa(anycompatible, anycompatible, text) IS
    'agreement of two labels beyond that of chance; weights is none, linear or quadratic';

CREATE FUNCTION lmtext_internal.log_loss_accum(state internal, actual text, labels text[], probabilities double precision[])
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_log_loss_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.log_loss_accum(internal, text, text[], double precision[]) IS
    'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.log_loss_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_log_loss_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.log_loss_combine(internal, internal) IS 'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.log_loss_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_log_loss_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.log_loss_serialize(internal) IS 'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.log_loss_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_log_loss_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.log_loss_deserialize(bytea, internal) IS 'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.log_loss_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_log_loss_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.log_loss_final(internal) IS 'internal: part of the aggregate log_loss';

CREATE AGGREGATE lmtext.log_loss(actual text, labels text[], probabilities double precision[]) (
    SFUNC = lmtext_internal.log_loss_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.log_loss_combine,
    SERIALFUNC = lmtext_internal.log_loss_serialize,
    DESERIALFUNC = lmtext_internal.log_loss_deserialize,
    FINALFUNC = lmtext_internal.log_loss_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.log_loss(text, text[], double precision[]) IS
    'mean negative log of the probability of the actual label, in nats';

CREATE FUNCTION lmtext_internal.binary_log_loss_accum(state internal, actual boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_binary_log_loss_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.binary_log_loss_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.binary_log_loss_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_binary_log_loss_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_log_loss_combine(internal, internal) IS 'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.binary_log_loss_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_binary_log_loss_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_log_loss_serialize(internal) IS 'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.binary_log_loss_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_binary_log_loss_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_log_loss_deserialize(bytea, internal) IS 'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.binary_log_loss_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_binary_log_loss_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_log_loss_final(internal) IS 'internal: part of the aggregate log_loss';

CREATE AGGREGATE lmtext.log_loss(actual boolean, score double precision) (
    SFUNC = lmtext_internal.binary_log_loss_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.binary_log_loss_combine,
    SERIALFUNC = lmtext_internal.binary_log_loss_serialize,
    DESERIALFUNC = lmtext_internal.binary_log_loss_deserialize,
    FINALFUNC = lmtext_internal.binary_log_loss_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.log_loss(boolean, double precision) IS
    'mean negative log of the probability of what is true, in nats';

CREATE FUNCTION lmtext_internal.brier_accum(state internal, actual boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_brier_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.brier_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate brier';

CREATE FUNCTION lmtext_internal.brier_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_brier_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.brier_combine(internal, internal) IS 'internal: part of the aggregate brier';

CREATE FUNCTION lmtext_internal.brier_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_brier_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.brier_serialize(internal) IS 'internal: part of the aggregate brier';

CREATE FUNCTION lmtext_internal.brier_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_brier_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.brier_deserialize(bytea, internal) IS 'internal: part of the aggregate brier';

CREATE FUNCTION lmtext_internal.brier_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_brier_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.brier_final(internal) IS 'internal: part of the aggregate brier';

CREATE AGGREGATE lmtext.brier(actual boolean, score double precision) (
    SFUNC = lmtext_internal.brier_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.brier_combine,
    SERIALFUNC = lmtext_internal.brier_serialize,
    DESERIALFUNC = lmtext_internal.brier_deserialize,
    FINALFUNC = lmtext_internal.brier_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.brier(boolean, double precision) IS
    'mean squared error of a probability (Brier)';

CREATE FUNCTION lmtext_internal.ece_accum(state internal, correct boolean, confidence double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ece_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.ece_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate ece';

CREATE FUNCTION lmtext_internal.ece_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ece_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ece_combine(internal, internal) IS 'internal: part of the aggregate ece';

CREATE FUNCTION lmtext_internal.ece_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_ece_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ece_serialize(internal) IS 'internal: part of the aggregate ece';

CREATE FUNCTION lmtext_internal.ece_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ece_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ece_deserialize(bytea, internal) IS 'internal: part of the aggregate ece';

CREATE FUNCTION lmtext_internal.ece_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_ece_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ece_final(internal) IS 'internal: part of the aggregate ece';

CREATE AGGREGATE lmtext.ece(correct boolean, confidence double precision) (
    SFUNC = lmtext_internal.ece_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ece_combine,
    SERIALFUNC = lmtext_internal.ece_serialize,
    DESERIALFUNC = lmtext_internal.ece_deserialize,
    FINALFUNC = lmtext_internal.ece_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ece(boolean, double precision) IS
    'expected calibration error over 15 bins of equal width';

CREATE FUNCTION lmtext_internal.auc_accum(state internal, actual text, labels text[], probabilities double precision[])
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_auc_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.auc_accum(internal, text, text[], double precision[]) IS
    'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.auc_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_auc_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.auc_combine(internal, internal) IS 'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.auc_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_auc_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.auc_serialize(internal) IS 'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.auc_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_auc_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.auc_deserialize(bytea, internal) IS 'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.auc_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_auc_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.auc_final(internal) IS 'internal: part of the aggregate auc';

CREATE AGGREGATE lmtext.auc(actual text, labels text[], probabilities double precision[]) (
    SFUNC = lmtext_internal.auc_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.auc_combine,
    SERIALFUNC = lmtext_internal.auc_serialize,
    DESERIALFUNC = lmtext_internal.auc_deserialize,
    FINALFUNC = lmtext_internal.auc_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.auc(text, text[], double precision[]) IS
    'mean over labels of the area under the curve that tells one from the rest';

CREATE FUNCTION lmtext_internal.binary_auc_accum(state internal, actual boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_binary_auc_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.binary_auc_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.binary_auc_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_binary_auc_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_auc_combine(internal, internal) IS 'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.binary_auc_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_binary_auc_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_auc_serialize(internal) IS 'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.binary_auc_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_binary_auc_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_auc_deserialize(bytea, internal) IS 'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.binary_auc_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_binary_auc_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_auc_final(internal) IS 'internal: part of the aggregate auc';

CREATE AGGREGATE lmtext.auc(actual boolean, score double precision) (
    SFUNC = lmtext_internal.binary_auc_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.binary_auc_combine,
    SERIALFUNC = lmtext_internal.binary_auc_serialize,
    DESERIALFUNC = lmtext_internal.binary_auc_deserialize,
    FINALFUNC = lmtext_internal.binary_auc_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.auc(boolean, double precision) IS
    'probability that a true row has a higher score than a false one';

CREATE FUNCTION lmtext_internal.average_precision_accum(state internal, actual boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_average_precision_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.average_precision_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate average_precision';

CREATE FUNCTION lmtext_internal.average_precision_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_average_precision_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.average_precision_combine(internal, internal) IS 'internal: part of the aggregate average_precision';

CREATE FUNCTION lmtext_internal.average_precision_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_average_precision_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.average_precision_serialize(internal) IS 'internal: part of the aggregate average_precision';

CREATE FUNCTION lmtext_internal.average_precision_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_average_precision_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.average_precision_deserialize(bytea, internal) IS 'internal: part of the aggregate average_precision';

CREATE FUNCTION lmtext_internal.average_precision_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_average_precision_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.average_precision_final(internal) IS 'internal: part of the aggregate average_precision';

CREATE AGGREGATE lmtext.average_precision(actual boolean, score double precision) (
    SFUNC = lmtext_internal.average_precision_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.average_precision_combine,
    SERIALFUNC = lmtext_internal.average_precision_serialize,
    DESERIALFUNC = lmtext_internal.average_precision_deserialize,
    FINALFUNC = lmtext_internal.average_precision_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.average_precision(boolean, double precision) IS
    'mean precision over the true rows, in the order of scores';

CREATE FUNCTION lmtext_internal.coverage_at_accum(state internal, correct boolean, confidence double precision, target double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_coverage_at_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.coverage_at_accum(internal, boolean, double precision, double precision) IS
    'internal: part of the aggregate coverage_at';

CREATE FUNCTION lmtext_internal.coverage_at_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_coverage_at_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.coverage_at_combine(internal, internal) IS 'internal: part of the aggregate coverage_at';

CREATE FUNCTION lmtext_internal.coverage_at_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_coverage_at_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.coverage_at_serialize(internal) IS 'internal: part of the aggregate coverage_at';

CREATE FUNCTION lmtext_internal.coverage_at_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_coverage_at_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.coverage_at_deserialize(bytea, internal) IS 'internal: part of the aggregate coverage_at';

CREATE FUNCTION lmtext_internal.coverage_at_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_coverage_at_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.coverage_at_final(internal) IS 'internal: part of the aggregate coverage_at';

CREATE AGGREGATE lmtext.coverage_at(correct boolean, confidence double precision, target double precision) (
    SFUNC = lmtext_internal.coverage_at_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.coverage_at_combine,
    SERIALFUNC = lmtext_internal.coverage_at_serialize,
    DESERIALFUNC = lmtext_internal.coverage_at_deserialize,
    FINALFUNC = lmtext_internal.coverage_at_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.coverage_at(boolean, double precision, double precision) IS
    'largest share of rows, those of highest confidence, of which the target is correct';

CREATE FUNCTION lmtext_internal.mrr_accum(state internal, relevant boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mrr_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.mrr_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate mrr';

CREATE FUNCTION lmtext_internal.mrr_accum(state internal, relevant boolean, score double precision, k bigint)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mrr_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.mrr_accum(internal, boolean, double precision, bigint) IS
    'internal: part of the aggregate mrr';

CREATE FUNCTION lmtext_internal.mrr_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mrr_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.mrr_combine(internal, internal) IS 'internal: part of the aggregate mrr';

CREATE FUNCTION lmtext_internal.mrr_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_mrr_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.mrr_serialize(internal) IS 'internal: part of the aggregate mrr';

CREATE FUNCTION lmtext_internal.mrr_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mrr_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.mrr_deserialize(bytea, internal) IS 'internal: part of the aggregate mrr';

CREATE FUNCTION lmtext_internal.mrr_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_mrr_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.mrr_final(internal) IS 'internal: part of the aggregate mrr';

CREATE AGGREGATE lmtext.mrr(relevant boolean, score double precision) (
    SFUNC = lmtext_internal.mrr_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.mrr_combine,
    SERIALFUNC = lmtext_internal.mrr_serialize,
    DESERIALFUNC = lmtext_internal.mrr_deserialize,
    FINALFUNC = lmtext_internal.mrr_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.mrr(boolean, double precision) IS
    'one over the rank of the first relevant row';

CREATE AGGREGATE lmtext.mrr(relevant boolean, score double precision, k bigint) (
    SFUNC = lmtext_internal.mrr_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.mrr_combine,
    SERIALFUNC = lmtext_internal.mrr_serialize,
    DESERIALFUNC = lmtext_internal.mrr_deserialize,
    FINALFUNC = lmtext_internal.mrr_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.mrr(boolean, double precision, bigint) IS
    'one over the rank of the first relevant row, if it is at most k';

CREATE FUNCTION lmtext_internal.recall_at_accum(state internal, relevant boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_at_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.recall_at_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate recall_at';

CREATE FUNCTION lmtext_internal.recall_at_accum(state internal, relevant boolean, score double precision, k bigint)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_at_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.recall_at_accum(internal, boolean, double precision, bigint) IS
    'internal: part of the aggregate recall_at';

CREATE FUNCTION lmtext_internal.recall_at_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_at_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_at_combine(internal, internal) IS 'internal: part of the aggregate recall_at';

CREATE FUNCTION lmtext_internal.recall_at_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_recall_at_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_at_serialize(internal) IS 'internal: part of the aggregate recall_at';

CREATE FUNCTION lmtext_internal.recall_at_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_at_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_at_deserialize(bytea, internal) IS 'internal: part of the aggregate recall_at';

CREATE FUNCTION lmtext_internal.recall_at_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_recall_at_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_at_final(internal) IS 'internal: part of the aggregate recall_at';

CREATE AGGREGATE lmtext.recall_at(relevant boolean, score double precision) (
    SFUNC = lmtext_internal.recall_at_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.recall_at_combine,
    SERIALFUNC = lmtext_internal.recall_at_serialize,
    DESERIALFUNC = lmtext_internal.recall_at_deserialize,
    FINALFUNC = lmtext_internal.recall_at_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.recall_at(boolean, double precision) IS
    'share of the relevant rows that are among the first 10';

CREATE AGGREGATE lmtext.recall_at(relevant boolean, score double precision, k bigint) (
    SFUNC = lmtext_internal.recall_at_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.recall_at_combine,
    SERIALFUNC = lmtext_internal.recall_at_serialize,
    DESERIALFUNC = lmtext_internal.recall_at_deserialize,
    FINALFUNC = lmtext_internal.recall_at_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.recall_at(boolean, double precision, bigint) IS
    'share of the relevant rows that are among the first k';

CREATE FUNCTION lmtext_internal.ndcg_accum(state internal, relevance double precision, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ndcg_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.ndcg_accum(internal, double precision, double precision) IS
    'internal: part of the aggregate ndcg';

CREATE FUNCTION lmtext_internal.ndcg_accum(state internal, relevance double precision, score double precision, k bigint)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ndcg_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.ndcg_accum(internal, double precision, double precision, bigint) IS
    'internal: part of the aggregate ndcg';

CREATE FUNCTION lmtext_internal.ndcg_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ndcg_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ndcg_combine(internal, internal) IS 'internal: part of the aggregate ndcg';

CREATE FUNCTION lmtext_internal.ndcg_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_ndcg_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ndcg_serialize(internal) IS 'internal: part of the aggregate ndcg';

CREATE FUNCTION lmtext_internal.ndcg_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ndcg_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ndcg_deserialize(bytea, internal) IS 'internal: part of the aggregate ndcg';

CREATE FUNCTION lmtext_internal.ndcg_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_ndcg_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ndcg_final(internal) IS 'internal: part of the aggregate ndcg';

CREATE AGGREGATE lmtext.ndcg(relevance double precision, score double precision) (
    SFUNC = lmtext_internal.ndcg_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ndcg_combine,
    SERIALFUNC = lmtext_internal.ndcg_serialize,
    DESERIALFUNC = lmtext_internal.ndcg_deserialize,
    FINALFUNC = lmtext_internal.ndcg_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ndcg(double precision, double precision) IS
    'normalised discounted cumulative gain of an order by score';

CREATE AGGREGATE lmtext.ndcg(relevance double precision, score double precision, k bigint) (
    SFUNC = lmtext_internal.ndcg_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ndcg_combine,
    SERIALFUNC = lmtext_internal.ndcg_serialize,
    DESERIALFUNC = lmtext_internal.ndcg_deserialize,
    FINALFUNC = lmtext_internal.ndcg_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ndcg(double precision, double precision, bigint) IS
    'normalised discounted cumulative gain of the first k rows by score';

CREATE FUNCTION lmtext_internal.pearson_accum(state internal, x double precision, y double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_pearson_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.pearson_accum(internal, double precision, double precision) IS
    'internal: part of the aggregate pearson';

CREATE FUNCTION lmtext_internal.pearson_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_pearson_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.pearson_combine(internal, internal) IS 'internal: part of the aggregate pearson';

CREATE FUNCTION lmtext_internal.pearson_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_pearson_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.pearson_serialize(internal) IS 'internal: part of the aggregate pearson';

CREATE FUNCTION lmtext_internal.pearson_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_pearson_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.pearson_deserialize(bytea, internal) IS 'internal: part of the aggregate pearson';

CREATE FUNCTION lmtext_internal.pearson_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_pearson_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.pearson_final(internal) IS 'internal: part of the aggregate pearson';

CREATE AGGREGATE lmtext.pearson(x double precision, y double precision) (
    SFUNC = lmtext_internal.pearson_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.pearson_combine,
    SERIALFUNC = lmtext_internal.pearson_serialize,
    DESERIALFUNC = lmtext_internal.pearson_deserialize,
    FINALFUNC = lmtext_internal.pearson_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.pearson(double precision, double precision) IS
    'linear correlation of two numbers (Pearson)';

CREATE FUNCTION lmtext_internal.spearman_accum(state internal, x double precision, y double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_spearman_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.spearman_accum(internal, double precision, double precision) IS
    'internal: part of the aggregate spearman';

CREATE FUNCTION lmtext_internal.spearman_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_spearman_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.spearman_combine(internal, internal) IS 'internal: part of the aggregate spearman';

CREATE FUNCTION lmtext_internal.spearman_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_spearman_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.spearman_serialize(internal) IS 'internal: part of the aggregate spearman';

CREATE FUNCTION lmtext_internal.spearman_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_spearman_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.spearman_deserialize(bytea, internal) IS 'internal: part of the aggregate spearman';

CREATE FUNCTION lmtext_internal.spearman_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_spearman_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.spearman_final(internal) IS 'internal: part of the aggregate spearman';

CREATE AGGREGATE lmtext.spearman(x double precision, y double precision) (
    SFUNC = lmtext_internal.spearman_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.spearman_combine,
    SERIALFUNC = lmtext_internal.spearman_serialize,
    DESERIALFUNC = lmtext_internal.spearman_deserialize,
    FINALFUNC = lmtext_internal.spearman_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.spearman(double precision, double precision) IS
    'correlation of the ranks of two numbers (Spearman)';

CREATE FUNCTION lmtext_internal.ks_accum(state internal, current boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ks_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.ks_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate ks';

CREATE FUNCTION lmtext_internal.ks_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ks_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_combine(internal, internal) IS 'internal: part of the aggregate ks';

CREATE FUNCTION lmtext_internal.ks_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_ks_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_serialize(internal) IS 'internal: part of the aggregate ks';

CREATE FUNCTION lmtext_internal.ks_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ks_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_deserialize(bytea, internal) IS 'internal: part of the aggregate ks';

CREATE FUNCTION lmtext_internal.ks_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_ks_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_final(internal) IS 'internal: part of the aggregate ks';

CREATE AGGREGATE lmtext.ks(current boolean, score double precision) (
    SFUNC = lmtext_internal.ks_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ks_combine,
    SERIALFUNC = lmtext_internal.ks_serialize,
    DESERIALFUNC = lmtext_internal.ks_deserialize,
    FINALFUNC = lmtext_internal.ks_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ks(boolean, double precision) IS
    'largest distance of the distributions of current scores and of the others (Kolmogorov and Smirnov)';

CREATE FUNCTION lmtext_internal.ks_p_accum(state internal, current boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ks_p_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.ks_p_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate ks_p';

CREATE FUNCTION lmtext_internal.ks_p_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ks_p_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_p_combine(internal, internal) IS 'internal: part of the aggregate ks_p';

CREATE FUNCTION lmtext_internal.ks_p_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_ks_p_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_p_serialize(internal) IS 'internal: part of the aggregate ks_p';

CREATE FUNCTION lmtext_internal.ks_p_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ks_p_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_p_deserialize(bytea, internal) IS 'internal: part of the aggregate ks_p';

CREATE FUNCTION lmtext_internal.ks_p_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_ks_p_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_p_final(internal) IS 'internal: part of the aggregate ks_p';

CREATE AGGREGATE lmtext.ks_p(current boolean, score double precision) (
    SFUNC = lmtext_internal.ks_p_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ks_p_combine,
    SERIALFUNC = lmtext_internal.ks_p_serialize,
    DESERIALFUNC = lmtext_internal.ks_p_deserialize,
    FINALFUNC = lmtext_internal.ks_p_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ks_p(boolean, double precision) IS
    'how probable the distance of current scores from the others is by chance alone (Kolmogorov and Smirnov, two-sided)';

CREATE FUNCTION lmtext_internal.psi_accum(state internal, current boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_psi_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.psi_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate psi';

CREATE FUNCTION lmtext_internal.psi_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_psi_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.psi_combine(internal, internal) IS 'internal: part of the aggregate psi';

CREATE FUNCTION lmtext_internal.psi_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_psi_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.psi_serialize(internal) IS 'internal: part of the aggregate psi';

CREATE FUNCTION lmtext_internal.psi_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_psi_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.psi_deserialize(bytea, internal) IS 'internal: part of the aggregate psi';

CREATE FUNCTION lmtext_internal.psi_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_psi_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.psi_final(internal) IS 'internal: part of the aggregate psi';

CREATE AGGREGATE lmtext.psi(current boolean, score double precision) (
    SFUNC = lmtext_internal.psi_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.psi_combine,
    SERIALFUNC = lmtext_internal.psi_serialize,
    DESERIALFUNC = lmtext_internal.psi_deserialize,
    FINALFUNC = lmtext_internal.psi_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.psi(boolean, double precision) IS
    'population stability index of current scores over the tenths of the others';

CREATE FUNCTION lmtext_internal.kendall_accum(state internal, x double precision, y double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_kendall_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.kendall_accum(internal, double precision, double precision) IS
    'internal: part of the aggregate kendall';

CREATE FUNCTION lmtext_internal.kendall_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_kendall_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.kendall_combine(internal, internal) IS 'internal: part of the aggregate kendall';

CREATE FUNCTION lmtext_internal.kendall_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_kendall_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.kendall_serialize(internal) IS 'internal: part of the aggregate kendall';

CREATE FUNCTION lmtext_internal.kendall_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_kendall_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.kendall_deserialize(bytea, internal) IS 'internal: part of the aggregate kendall';

CREATE FUNCTION lmtext_internal.kendall_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_kendall_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.kendall_final(internal) IS 'internal: part of the aggregate kendall';

CREATE AGGREGATE lmtext.kendall(x double precision, y double precision) (
    SFUNC = lmtext_internal.kendall_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.kendall_combine,
    SERIALFUNC = lmtext_internal.kendall_serialize,
    DESERIALFUNC = lmtext_internal.kendall_deserialize,
    FINALFUNC = lmtext_internal.kendall_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.kendall(double precision, double precision) IS
    'rank correlation of two numbers (Kendall, tau-b)';

-- ---- Reports ----
-- These run a query as the caller, who could run it as well; they write nothing.

CREATE FUNCTION lmtext.entity_report(query text, scheme text DEFAULT NULL)
    RETURNS TABLE (label text, "precision" double precision, recall double precision,
                   f1 double precision, support bigint, summary boolean)
    AS 'MODULE_PATHNAME', 'lmtext_entity_report' LANGUAGE C VOLATILE PARALLEL UNSAFE
    COST 100000 ROWS 10;
COMMENT ON FUNCTION lmtext.entity_report(text, text) IS
    'precision, recall and F1 of each type of entity over a query of two sequences of tags, then their averages, marked by the column summary';

CREATE FUNCTION lmtext.token_report(query text)
    RETURNS TABLE (label text, "precision" double precision, recall double precision,
                   f1 double precision, support bigint, summary boolean)
    AS 'MODULE_PATHNAME', 'lmtext_token_report' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 20;
COMMENT ON FUNCTION lmtext.token_report(text) IS
    'precision, recall and F1 of each tag over the tokens of a query of two sequences of tags, then their averages, marked by the column summary';

CREATE FUNCTION lmtext.bootstrap(query text, metric text, n integer DEFAULT 1000, seed bigint DEFAULT 1)
    RETURNS TABLE (estimate double precision, low double precision, high double precision)
    AS 'MODULE_PATHNAME', 'lmtext_bootstrap' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 1000000 ROWS 1;
COMMENT ON FUNCTION lmtext.bootstrap(text, text, integer, bigint) IS
    'a measure over a query of its arguments, and where 95 % of n resamples of the rows have it';

CREATE FUNCTION lmtext.compare(query text)
    RETURNS TABLE (measure text, value double precision, p double precision)
    AS 'MODULE_PATHNAME', 'lmtext_compare' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 13;
COMMENT ON FUNCTION lmtext.compare(text) IS
    'which of two predictions is better, over a query of (actual, predicted_a, predicted_b), and whether that may be chance';

-- ---- Models ----
-- These put the user's query into one of their own, and run it as the caller: no search_path is set, since the query sees it, and all
-- that is ours is named in full.

CREATE FUNCTION lmtext_internal.query_columns(function text, query text) RETURNS regtype[]
    AS 'MODULE_PATHNAME', 'lmtext_query_columns' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION lmtext_internal.query_columns(text, text) IS
    'types of the columns of a query, which must be a single SELECT that only reads';

CREATE FUNCTION lmtext_internal.version_of(model text) RETURNS lmtext.models
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    named pg_catalog.regclass := lmtext_internal.resolve_model(model);
    version lmtext.models;
BEGIN
    SELECT m.* INTO version FROM lmtext.models m WHERE m.model OPERATOR(pg_catalog.=) named;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = pg_catalog.format('permission denied for model %s', named);
    END IF;
    RETURN version;
END $$;
COMMENT ON FUNCTION lmtext_internal.version_of(text) IS 'the version that a name means';

-- What a query's columns ask for: 'class' (text, label), 'labels' (text, text[]), 'number' (text, number), 'tags' (text[], text[]),
-- 'pair' (text, text, number).
CREATE FUNCTION lmtext_internal.evaluation_of(version lmtext.models, columns regtype[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    numbers regtype[] := '{smallint,integer,bigint,real,double precision,numeric}';
BEGIN
    IF cardinality(columns) = 3 AND columns[3] = ANY (numbers) THEN
        RETURN 'pair';
    ELSIF cardinality(columns) = 2 AND columns[1] = 'text[]'::regtype AND columns[2] = 'text[]'::regtype THEN
        RETURN 'tags';
    ELSIF cardinality(columns) = 2 AND columns[2] = 'text[]'::regtype THEN
        RETURN 'labels';
    ELSIF cardinality(columns) = 2 AND columns[2] = ANY (numbers) AND cardinality(version.labels) = 1 THEN
        RETURN 'number';
    ELSIF cardinality(columns) = 2 THEN
        RETURN 'class';
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
        MESSAGE = 'the columns of the query of lmtext.evaluate fit no task',
        DETAIL = format('It returns %s.', coalesce(nullif(array_to_string(columns, ', '), ''), 'no column')),
        HINT = 'Columns are (text, label), (text, text[]), (text, number), (words text[], tags text[]) or (text, text, number).';
END $$;
COMMENT ON FUNCTION lmtext_internal.evaluation_of(lmtext.models, regtype[]) IS 'how a model is judged by a query of such columns';

CREATE FUNCTION lmtext_internal.evaluate_class(model text, query text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 12 AS $$
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format($q$
        WITH guess AS MATERIALIZED (
            SELECT q.label::pg_catalog.text AS label, s.labels, s.scores, s.labels[1] AS best, s.scores[1] AS score,
                   s.labels[1] OPERATOR(pg_catalog.=) q.label::pg_catalog.text AS correct
            FROM (%2$s
            ) q (input, label)
            CROSS JOIN LATERAL (
                SELECT pg_catalog.array_agg(c.label ORDER BY c.score DESC, c.label COLLATE pg_catalog."C") AS labels,
                       pg_catalog.array_agg(c.score::pg_catalog.float8 ORDER BY c.score DESC, c.label COLLATE pg_catalog."C") AS scores
                FROM lmtext.class_scores(q.input, %1$L::pg_catalog.regclass) c) s
            WHERE q.label IS NOT NULL AND s.labels IS NOT NULL)
        SELECT m.measure, m.value FROM (
            SELECT pg_catalog.count(*)::pg_catalog.float8 AS rows, lmtext.accuracy(label, best) AS accuracy,
                   lmtext.balanced_accuracy(label, best) AS balanced, lmtext.precision_score(label, best) AS p,
                   lmtext.recall_score(label, best) AS r, lmtext.f1(label, best) AS f1, lmtext.f1(label, best, 'weighted') AS weighted,
                   lmtext.matthews(label, best) AS matthews,
                   lmtext.log_loss(label, labels, scores) FILTER (WHERE label OPERATOR(pg_catalog.=) ANY (labels)
                       AND 0 OPERATOR(pg_catalog.<=) ALL (scores) AND 1 OPERATOR(pg_catalog.>=) ALL (scores)) AS log_loss,
                   lmtext.ece(correct, score) FILTER (WHERE score OPERATOR(pg_catalog.>=) 0 AND score OPERATOR(pg_catalog.<=) 1) AS ece,
                   lmtext.coverage_at(correct, score, 0.95) AS coverage
            FROM guess) g
        CROSS JOIN LATERAL (VALUES ('rows', g.rows), ('accuracy', g.accuracy), ('balanced_accuracy', g.balanced), ('precision', g.p),
            ('recall', g.r), ('f1', g.f1), ('f1_weighted', g.weighted), ('matthews', g.matthews), ('log_loss', g.log_loss),
            ('ece', g.ece), ('coverage_at_0.95', g.coverage)) m (measure, value)$q$, model, query);
END $$;
COMMENT ON FUNCTION lmtext_internal.evaluate_class(text, text) IS 'measures of a classifier';

CREATE FUNCTION lmtext_internal.evaluate_labels(model text, query text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 12 AS $$
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format($q$
        WITH answer AS MATERIALIZED (
            SELECT q.id, c.label, c.score::pg_catalog.float8 AS score,
                   coalesce(c.label OPERATOR(pg_catalog.=) ANY (q.labels), false) AS actual,
                   c.score OPERATOR(pg_catalog.>=) 0.5 AS predicted
            FROM (SELECT pg_catalog.row_number() OVER () AS id, o.* FROM (%2$s
                ) o (input, labels)) q
            CROSS JOIN LATERAL lmtext.class_scores(q.input, %1$L::pg_catalog.regclass) c
            WHERE q.labels IS NOT NULL),
        by_label AS (
            SELECT lmtext.f1(actual, predicted, 'binary', true) AS f1, lmtext.average_precision(actual, score) AS precision
            FROM answer GROUP BY label),
        by_row AS (SELECT pg_catalog.bool_and(actual OPERATOR(pg_catalog.=) predicted) AS whole FROM answer GROUP BY id)
        SELECT m.measure, m.value FROM (VALUES
            ('rows', (SELECT pg_catalog.count(*)::pg_catalog.float8 FROM by_row)),
            ('subset_accuracy', (SELECT lmtext.accuracy(whole, true) FROM by_row)),
            ('precision_micro', (SELECT lmtext.precision_score(actual, predicted, 'binary', true) FROM answer)),
            ('recall_micro', (SELECT lmtext.recall_score(actual, predicted, 'binary', true) FROM answer)),
            ('f1_micro', (SELECT lmtext.f1(actual, predicted, 'binary', true) FROM answer)),
            ('f1', (SELECT pg_catalog.avg(f1) FROM by_label)),
            ('average_precision', (SELECT pg_catalog.avg(precision) FROM by_label))) m (measure, value)$q$, model, query);
END $$;
COMMENT ON FUNCTION lmtext_internal.evaluate_labels(text, text) IS 'measures of a model that gives a text several labels';

CREATE FUNCTION lmtext_internal.evaluate_numbers(query text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 12 AS $$
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format($q$
        SELECT m.measure, m.value FROM (
            SELECT pg_catalog.count(*)::pg_catalog.float8 AS rows,
                   pg_catalog.avg(pg_catalog.abs(pg_catalog.float8mi(actual, predicted))) AS mae,
                   pg_catalog.avg(pg_catalog.dpow(pg_catalog.float8mi(actual, predicted), 2)) AS mse,
                   pg_catalog.var_pop(actual) AS variance, lmtext.pearson(actual, predicted) AS pearson,
                   lmtext.spearman(actual, predicted) AS spearman, lmtext.kendall(actual, predicted) AS kendall
            FROM (%s
                OFFSET 0) q (actual, predicted) -- not pulled up: a prediction is made once
            WHERE actual IS NOT NULL AND predicted IS NOT NULL) g
        CROSS JOIN LATERAL (VALUES ('rows', g.rows), ('mae', g.mae), ('rmse', pg_catalog.dsqrt(g.mse)),
            ('r2', pg_catalog.float8mi(1, CASE WHEN g.variance OPERATOR(pg_catalog.>) 0
                THEN pg_catalog.float8div(g.mse, g.variance) END)), ('pearson', g.pearson), ('spearman', g.spearman),
            ('kendall', g.kendall)) m (measure, value)$q$, query);
END $$;
COMMENT ON FUNCTION lmtext_internal.evaluate_numbers(text) IS 'measures of numbers that were predicted';

-- A word without a token is no part of a name.
CREATE FUNCTION lmtext_internal.word_tags(words text[], model regclass) RETURNS text[]
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_replace(lmtext.tag_words(words, model), NULL, 'O')
$$;
COMMENT ON FUNCTION lmtext_internal.word_tags(text[], regclass) IS 'a tag for each word of a text';

CREATE FUNCTION lmtext_internal.evaluate_tags(model text, query text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 12 AS $$
DECLARE
    pairs pg_catalog.text := pg_catalog.format(
        'SELECT q.tags, lmtext_internal.word_tags(q.words, %L::pg_catalog.regclass) FROM (%s
        ) q (words, tags) WHERE q.words IS NOT NULL', model, query);
BEGIN
    RETURN QUERY SELECT m.measure, m.value FROM lmtext.token_report(pairs) t
        CROSS JOIN LATERAL (VALUES ('tokens', t.support::pg_catalog.float8), ('accuracy', t.f1)) m (measure, value)
        WHERE t.summary AND t.label OPERATOR(pg_catalog.=) 'micro avg';
    RETURN QUERY SELECT m.measure, m.value FROM lmtext.entity_report(pairs) t
        CROSS JOIN LATERAL (VALUES ('entities', t.support::pg_catalog.float8), ('precision', t.precision), ('recall', t.recall),
            ('f1', t.f1)) m (measure, value)
        WHERE t.summary AND t.label OPERATOR(pg_catalog.=) 'micro avg';
END $$;
COMMENT ON FUNCTION lmtext_internal.evaluate_tags(text, text) IS 'measures of a tagger';

CREATE FUNCTION lmtext.evaluate(model text, query text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 12 AS $$
DECLARE
    version lmtext.models := lmtext_internal.version_of(model);
    form pg_catalog.text := lmtext_internal.evaluation_of(version, lmtext_internal.query_columns('lmtext.evaluate', query));
BEGIN
    model := version.model::pg_catalog.oid::pg_catalog.text;
    query := pg_catalog.rtrim(query, E'; \t\r\n');
    IF form OPERATOR(pg_catalog.=) 'class' THEN
        RETURN QUERY SELECT e.measure, e.value FROM lmtext_internal.evaluate_class(model, query) e;
    ELSIF form OPERATOR(pg_catalog.=) 'labels' THEN
        RETURN QUERY SELECT e.measure, e.value FROM lmtext_internal.evaluate_labels(model, query) e;
    ELSIF form OPERATOR(pg_catalog.=) 'tags' THEN
        RETURN QUERY SELECT e.measure, e.value FROM lmtext_internal.evaluate_tags(model, query) e;
    ELSIF form OPERATOR(pg_catalog.=) 'number' THEN
        RETURN QUERY SELECT e.measure, e.value FROM lmtext_internal.evaluate_numbers(pg_catalog.format(
                'SELECT q.number::pg_catalog.float8, (SELECT c.score::pg_catalog.float8 FROM lmtext.class_scores(q.input, %L::pg_catalog.regclass) c)
                FROM (%s
                ) q (input, number)', model, query)) e;
    ELSE
        RETURN QUERY SELECT e.measure, e.value FROM lmtext_internal.evaluate_numbers(pg_catalog.format(
                'SELECT q.number::pg_catalog.float8, lmtext.%I(q.a, q.b, %L::pg_catalog.regclass)::pg_catalog.float8 FROM (%s
                ) q (a, b, number)',
                CASE WHEN version.task OPERATOR(pg_catalog.=) 'rerank' THEN 'rerank' ELSE 'similarity' END, model, query)) e;
    END IF;
END $$;
COMMENT ON FUNCTION lmtext.evaluate(text, text) IS
    'how good a model is on the rows of a query, whose columns say what it is to tell';

CREATE FUNCTION lmtext.evaluate(model text, queries text[]) RETURNS TABLE (query integer, measure text, value double precision)
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 30 AS $$
DECLARE
    place pg_catalog.int4 := 0;
    each pg_catalog.text;
BEGIN
    FOREACH each IN ARRAY queries LOOP
        place := place OPERATOR(pg_catalog.+) 1;
        RETURN QUERY SELECT place, e.measure, e.value FROM lmtext.evaluate(model, each) e;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext.evaluate(text, text[]) IS 'how good a model is on the rows of each of several queries';

CREATE FUNCTION lmtext_internal.drift_of_labels(model text, samples text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format($q$
        WITH guess AS MATERIALIZED (
            SELECT s.current, (s.guess).label AS label, (s.guess).score::pg_catalog.float8 AS score
            FROM (SELECT o.current, lmtext.classify_scored(o.input, %L::pg_catalog.regclass) AS guess FROM (%s) o
                OFFSET 0) s), -- not pulled up: a text is classified once
        shares AS (
            SELECT CASE WHEN t.before OPERATOR(pg_catalog.>) 0
                       THEN pg_catalog.float8div(pg_catalog.count(*) FILTER (WHERE NOT g.current), t.before) END AS before,
                   CASE WHEN t.now OPERATOR(pg_catalog.>) 0
                       THEN pg_catalog.float8div(pg_catalog.count(*) FILTER (WHERE g.current), t.now) END AS now
            FROM guess g CROSS JOIN (
                SELECT pg_catalog.count(*) FILTER (WHERE NOT current) AS before,
                       pg_catalog.count(*) FILTER (WHERE current) AS now FROM guess WHERE label IS NOT NULL) t
            WHERE g.label IS NOT NULL GROUP BY g.label, t.before, t.now)
        SELECT m.measure, m.value FROM (VALUES
            ('score_psi', (SELECT lmtext.psi(current, score) FROM guess)),
            ('score_ks', (SELECT lmtext.ks(current, score) FROM guess)),
            ('score_ks_p', (SELECT lmtext.ks_p(current, score) FROM guess)),
            ('label_psi', (SELECT pg_catalog.sum(lmtext_internal.psi_of(before, now)) FROM shares)),
            ('label_js', (SELECT pg_catalog.dsqrt(greatest(js, 0)) FROM ( -- rounding may leave less than 0
                SELECT pg_catalog.sum(lmtext_internal.js_of(before, now)) AS js FROM shares) s WHERE js IS NOT NULL)),
            ('label_shift', (SELECT pg_catalog.max(pg_catalog.abs(pg_catalog.float8mi(now, before))) FROM shares))) m (measure, value)
        $q$, model, samples);
END $$;
COMMENT ON FUNCTION lmtext_internal.drift_of_labels(text, text) IS 'how the labels of a classifier and their scores have moved';

CREATE FUNCTION lmtext_internal.psi_of(before double precision, now double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT (greatest(now, 1e-4) - greatest(before, 1e-4)) * ln(greatest(now, 1e-4) / greatest(before, 1e-4))
$$;
COMMENT ON FUNCTION lmtext_internal.psi_of(double precision, double precision) IS 'what a label adds to the population stability index';

CREATE FUNCTION lmtext_internal.js_of(before double precision, now double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT (CASE WHEN before > 0 THEN before * ln(2 * before / (before + now)) ELSE 0 END
          + CASE WHEN now > 0 THEN now * ln(2 * now / (before + now)) ELSE 0 END) / 2
$$;
COMMENT ON FUNCTION lmtext_internal.js_of(double precision, double precision) IS 'what a label adds to the divergence of Jensen and Shannon';

CREATE FUNCTION lmtext_internal.drift_of_embeddings(version lmtext.models, samples text)
    RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 2 AS $$
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format($q$
        WITH means AS (
            SELECT v.i, pg_catalog.avg(v.x) FILTER (WHERE NOT s.current) AS before, pg_catalog.avg(v.x) FILTER (WHERE s.current) AS now
            FROM (%2$s) s
            CROSS JOIN LATERAL pg_catalog.unnest(lmtext.embed(s.input, %1$L::pg_catalog.regclass)) WITH ORDINALITY v (x, i)
            GROUP BY v.i)
        SELECT m.measure, m.value FROM (
            SELECT pg_catalog.sum(pg_catalog.float8mul(before, now)) AS product,
                   pg_catalog.sum(pg_catalog.float8mul(before, before)) AS before, pg_catalog.sum(pg_catalog.float8mul(now, now)) AS now,
                   pg_catalog.sum(pg_catalog.dpow(pg_catalog.float8mi(now, before), 2)) AS square FROM means) s
        CROSS JOIN LATERAL (VALUES
            ('embedding_shift', pg_catalog.float8mi(1, CASE WHEN pg_catalog.float8mul(s.before, s.now) OPERATOR(pg_catalog.>) 0
                THEN pg_catalog.float8div(s.product, pg_catalog.dsqrt(pg_catalog.float8mul(s.before, s.now))) END)),
            ('embedding_distance', pg_catalog.dsqrt(s.square))) m (measure, value)$q$, coalesce(version.base, version.model)::pg_catalog.oid, samples);
END $$;
COMMENT ON FUNCTION lmtext_internal.drift_of_embeddings(lmtext.models, text) IS 'how far the mean embedding has moved';

CREATE FUNCTION lmtext.drift(model text, baseline text, current text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
DECLARE
    version lmtext.models := lmtext_internal.version_of(model);
    samples pg_catalog.text := pg_catalog.format('SELECT false AS current, b.input FROM (%s
        ) b (input) UNION ALL SELECT true, c.input FROM (%s
        ) c (input)', pg_catalog.rtrim(baseline, E'; \t\r\n'), pg_catalog.rtrim(current, E'; \t\r\n'));
    each pg_catalog.text;
BEGIN
    FOREACH each IN ARRAY ARRAY[baseline, current] LOOP
        IF pg_catalog.cardinality(lmtext_internal.query_columns('lmtext.drift', each)) OPERATOR(pg_catalog.<>) 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = 'the queries of lmtext.drift must have one column, the text';
        END IF;
    END LOOP;
    RETURN QUERY EXECUTE pg_catalog.format(
        'SELECT m.measure, m.value FROM (SELECT pg_catalog.count(*) FILTER (WHERE NOT current) AS before,
            pg_catalog.count(*) FILTER (WHERE current) AS now FROM (%s) s) c
        CROSS JOIN LATERAL (VALUES (''rows_baseline'', c.before::pg_catalog.float8), (''rows_current'', c.now)) m (measure, value)',
        samples);
    IF version.labels IS NOT NULL THEN
        RETURN QUERY SELECT d.measure, d.value FROM lmtext_internal.drift_of_labels(version.model::pg_catalog.oid::pg_catalog.text, samples) d;
    END IF;
    IF version.base IS NOT NULL OR version.labels IS NULL THEN
        RETURN QUERY SELECT d.measure, d.value FROM lmtext_internal.drift_of_embeddings(version, samples) d;
    END IF;
END $$;
COMMENT ON FUNCTION lmtext.drift(text, text, text) IS
    'how far what a model sees and says has moved, from the texts of one query to those of another';

-- 74-text_measures: how good generated text is, each measure by the definition of the library that people quote: sacrebleu (bleu, chrf, ter),
-- jiwer (wer, cer), rouge-score (rouge), nltk (meteor), the script of SQuAD 1.1 (exact_match, squad_f1). Rows with a NULL are left out.

-- bleu

CREATE FUNCTION lmtext_internal.bleu_accum(state internal, hypothesis text, reference text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.bleu_accum(internal, text, text) IS
    'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_accum(state internal, hypothesis text, reference text, tokenizer text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.bleu_accum(internal, text, text, text) IS
    'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_accum(state internal, hypothesis text, reference text, tokenizer text, smooth text, lowercase boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.bleu_accum(internal, text, text, text, text, boolean) IS
    'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_accum(state internal, hypothesis text, reference text[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.bleu_accum(internal, text, text[]) IS
    'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_accum(state internal, hypothesis text, reference text[], tokenizer text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.bleu_accum(internal, text, text[], text) IS
    'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_accum(state internal, hypothesis text, reference text[], tokenizer text, smooth text, lowercase boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.bleu_accum(internal, text, text[], text, text, boolean) IS
    'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.bleu_combine(internal, internal) IS 'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_bleu_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.bleu_serialize(internal) IS 'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.bleu_deserialize(bytea, internal) IS 'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_bleu_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.bleu_final(internal) IS 'internal: part of the aggregate bleu';

CREATE AGGREGATE lmtext.bleu(hypothesis text, reference text) (
    SFUNC = lmtext_internal.bleu_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.bleu_combine,
    SERIALFUNC = lmtext_internal.bleu_serialize,
    DESERIALFUNC = lmtext_internal.bleu_deserialize,
    FINALFUNC = lmtext_internal.bleu_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.bleu(text, text) IS
    'BLEU of a corpus, 0 to 100, as sacrebleu has it';

CREATE AGGREGATE lmtext.bleu(hypothesis text, reference text, tokenizer text) (
    SFUNC = lmtext_internal.bleu_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.bleu_combine,
    SERIALFUNC = lmtext_internal.bleu_serialize,
    DESERIALFUNC = lmtext_internal.bleu_deserialize,
    FINALFUNC = lmtext_internal.bleu_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.bleu(text, text, text) IS
    'BLEU of a corpus, 0 to 100, as sacrebleu has it';

CREATE AGGREGATE lmtext.bleu(hypothesis text, reference text, tokenizer text, smooth text, lowercase boolean) (
    SFUNC = lmtext_internal.bleu_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.bleu_combine,
    SERIALFUNC = lmtext_internal.bleu_serialize,
    DESERIALFUNC = lmtext_internal.bleu_deserialize,
    FINALFUNC = lmtext_internal.bleu_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.bleu(text, text, text, text, boolean) IS
    'BLEU of a corpus, 0 to 100, as sacrebleu has it';

CREATE AGGREGATE lmtext.bleu(hypothesis text, reference text[]) (
    SFUNC = lmtext_internal.bleu_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.bleu_combine,
    SERIALFUNC = lmtext_internal.bleu_serialize,
    DESERIALFUNC = lmtext_internal.bleu_deserialize,
    FINALFUNC = lmtext_internal.bleu_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.bleu(text, text[]) IS
    'BLEU of a corpus, 0 to 100, as sacrebleu has it, with several references for a row';

CREATE AGGREGATE lmtext.bleu(hypothesis text, reference text[], tokenizer text) (
    SFUNC = lmtext_internal.bleu_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.bleu_combine,
    SERIALFUNC = lmtext_internal.bleu_serialize,
    DESERIALFUNC = lmtext_internal.bleu_deserialize,
    FINALFUNC = lmtext_internal.bleu_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.bleu(text, text[], text) IS
    'BLEU of a corpus, 0 to 100, as sacrebleu has it, with several references for a row';

CREATE AGGREGATE lmtext.bleu(hypothesis text, reference text[], tokenizer text, smooth text, lowercase boolean) (
    SFUNC = lmtext_internal.bleu_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.bleu_combine,
    SERIALFUNC = lmtext_internal.bleu_serialize,
    DESERIALFUNC = lmtext_internal.bleu_deserialize,
    FINALFUNC = lmtext_internal.bleu_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.bleu(text, text[], text, text, boolean) IS
    'BLEU of a corpus, 0 to 100, as sacrebleu has it, with several references for a row';

-- chrf

CREATE FUNCTION lmtext_internal.chrf_accum(state internal, hypothesis text, reference text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_chrf_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.chrf_accum(internal, text, text) IS
    'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_accum(state internal, hypothesis text, reference text, word_order bigint) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_chrf_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.chrf_accum(internal, text, text, bigint) IS
    'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_accum(state internal, hypothesis text, reference text[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_chrf_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.chrf_accum(internal, text, text[]) IS
    'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_accum(state internal, hypothesis text, reference text[], word_order bigint) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_chrf_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.chrf_accum(internal, text, text[], bigint) IS
    'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_chrf_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.chrf_combine(internal, internal) IS 'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_chrf_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.chrf_serialize(internal) IS 'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_chrf_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.chrf_deserialize(bytea, internal) IS 'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_chrf_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.chrf_final(internal) IS 'internal: part of the aggregate chrf';

CREATE AGGREGATE lmtext.chrf(hypothesis text, reference text) (
    SFUNC = lmtext_internal.chrf_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.chrf_combine,
    SERIALFUNC = lmtext_internal.chrf_serialize,
    DESERIALFUNC = lmtext_internal.chrf_deserialize,
    FINALFUNC = lmtext_internal.chrf_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.chrf(text, text) IS
    'chrF2 of a corpus, with word_order 2 chrF2++, 0 to 100, as sacrebleu has it';

CREATE AGGREGATE lmtext.chrf(hypothesis text, reference text, word_order bigint) (
    SFUNC = lmtext_internal.chrf_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.chrf_combine,
    SERIALFUNC = lmtext_internal.chrf_serialize,
    DESERIALFUNC = lmtext_internal.chrf_deserialize,
    FINALFUNC = lmtext_internal.chrf_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.chrf(text, text, bigint) IS
    'chrF2 of a corpus, with word_order 2 chrF2++, 0 to 100, as sacrebleu has it';

CREATE AGGREGATE lmtext.chrf(hypothesis text, reference text[]) (
    SFUNC = lmtext_internal.chrf_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.chrf_combine,
    SERIALFUNC = lmtext_internal.chrf_serialize,
    DESERIALFUNC = lmtext_internal.chrf_deserialize,
    FINALFUNC = lmtext_internal.chrf_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.chrf(text, text[]) IS
    'chrF2 of a corpus, with word_order 2 chrF2++, 0 to 100, as sacrebleu has it, with several references for a row';

CREATE AGGREGATE lmtext.chrf(hypothesis text, reference text[], word_order bigint) (
    SFUNC = lmtext_internal.chrf_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.chrf_combine,
    SERIALFUNC = lmtext_internal.chrf_serialize,
    DESERIALFUNC = lmtext_internal.chrf_deserialize,
    FINALFUNC = lmtext_internal.chrf_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.chrf(text, text[], bigint) IS
    'chrF2 of a corpus, with word_order 2 chrF2++, 0 to 100, as sacrebleu has it, with several references for a row';

-- ter

CREATE FUNCTION lmtext_internal.ter_accum(state internal, hypothesis text, reference text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.ter_accum(internal, text, text) IS
    'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_accum(state internal, hypothesis text, reference text, normalized boolean, no_punct boolean, case_sensitive boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.ter_accum(internal, text, text, boolean, boolean, boolean) IS
    'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_accum(state internal, hypothesis text, reference text[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.ter_accum(internal, text, text[]) IS
    'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_accum(state internal, hypothesis text, reference text[], normalized boolean, no_punct boolean, case_sensitive boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.ter_accum(internal, text, text[], boolean, boolean, boolean) IS
    'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ter_combine(internal, internal) IS 'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_ter_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ter_serialize(internal) IS 'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ter_deserialize(bytea, internal) IS 'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_ter_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ter_final(internal) IS 'internal: part of the aggregate ter';

CREATE AGGREGATE lmtext.ter(hypothesis text, reference text) (
    SFUNC = lmtext_internal.ter_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ter_combine,
    SERIALFUNC = lmtext_internal.ter_serialize,
    DESERIALFUNC = lmtext_internal.ter_deserialize,
    FINALFUNC = lmtext_internal.ter_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ter(text, text) IS
    'translation edit rate of a corpus, in percent, as sacrebleu has it';

CREATE AGGREGATE lmtext.ter(hypothesis text, reference text, normalized boolean, no_punct boolean, case_sensitive boolean) (
    SFUNC = lmtext_internal.ter_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ter_combine,
    SERIALFUNC = lmtext_internal.ter_serialize,
    DESERIALFUNC = lmtext_internal.ter_deserialize,
    FINALFUNC = lmtext_internal.ter_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ter(text, text, boolean, boolean, boolean) IS
    'translation edit rate of a corpus, in percent, as sacrebleu has it';

CREATE AGGREGATE lmtext.ter(hypothesis text, reference text[]) (
    SFUNC = lmtext_internal.ter_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ter_combine,
    SERIALFUNC = lmtext_internal.ter_serialize,
    DESERIALFUNC = lmtext_internal.ter_deserialize,
    FINALFUNC = lmtext_internal.ter_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ter(text, text[]) IS
    'translation edit rate of a corpus, in percent, as sacrebleu has it, with several references for a row';

CREATE AGGREGATE lmtext.ter(hypothesis text, reference text[], normalized boolean, no_punct boolean, case_sensitive boolean) (
    SFUNC = lmtext_internal.ter_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ter_combine,
    SERIALFUNC = lmtext_internal.ter_serialize,
    DESERIALFUNC = lmtext_internal.ter_deserialize,
    FINALFUNC = lmtext_internal.ter_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ter(text, text[], boolean, boolean, boolean) IS
    'translation edit rate of a corpus, in percent, as sacrebleu has it, with several references for a row';

-- wer

CREATE FUNCTION lmtext_internal.wer_accum(state internal, reference text, hypothesis text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_wer_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.wer_accum(internal, text, text) IS
    'internal: part of the aggregate wer';

CREATE FUNCTION lmtext_internal.wer_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_wer_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.wer_combine(internal, internal) IS 'internal: part of the aggregate wer';

CREATE FUNCTION lmtext_internal.wer_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_wer_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.wer_serialize(internal) IS 'internal: part of the aggregate wer';

CREATE FUNCTION lmtext_internal.wer_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_wer_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.wer_deserialize(bytea, internal) IS 'internal: part of the aggregate wer';

CREATE FUNCTION lmtext_internal.wer_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_wer_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.wer_final(internal) IS 'internal: part of the aggregate wer';

CREATE AGGREGATE lmtext.wer(reference text, hypothesis text) (
    SFUNC = lmtext_internal.wer_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.wer_combine,
    SERIALFUNC = lmtext_internal.wer_serialize,
    DESERIALFUNC = lmtext_internal.wer_deserialize,
    FINALFUNC = lmtext_internal.wer_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.wer(text, text) IS
    'word error rate of a corpus: edits for a word of the references';

-- cer

CREATE FUNCTION lmtext_internal.cer_accum(state internal, reference text, hypothesis text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cer_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.cer_accum(internal, text, text) IS
    'internal: part of the aggregate cer';

CREATE FUNCTION lmtext_internal.cer_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cer_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cer_combine(internal, internal) IS 'internal: part of the aggregate cer';

CREATE FUNCTION lmtext_internal.cer_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_cer_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cer_serialize(internal) IS 'internal: part of the aggregate cer';

CREATE FUNCTION lmtext_internal.cer_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cer_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cer_deserialize(bytea, internal) IS 'internal: part of the aggregate cer';

CREATE FUNCTION lmtext_internal.cer_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_cer_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cer_final(internal) IS 'internal: part of the aggregate cer';

CREATE AGGREGATE lmtext.cer(reference text, hypothesis text) (
    SFUNC = lmtext_internal.cer_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.cer_combine,
    SERIALFUNC = lmtext_internal.cer_serialize,
    DESERIALFUNC = lmtext_internal.cer_deserialize,
    FINALFUNC = lmtext_internal.cer_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.cer(text, text) IS
    'character error rate of a corpus: edits for a character of the references';

-- rouge

CREATE FUNCTION lmtext_internal.rouge_accum(state internal, hypothesis text, reference text, variant text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.rouge_accum(internal, text, text, text) IS
    'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_accum(state internal, hypothesis text, reference text, variant text, stem boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.rouge_accum(internal, text, text, text, boolean) IS
    'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_accum(state internal, hypothesis text, reference text, variant text, stem boolean, tokenizer text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.rouge_accum(internal, text, text, text, boolean, text) IS
    'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_accum(state internal, hypothesis text, reference text[], variant text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.rouge_accum(internal, text, text[], text) IS
    'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_accum(state internal, hypothesis text, reference text[], variant text, stem boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.rouge_accum(internal, text, text[], text, boolean) IS
    'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_accum(state internal, hypothesis text, reference text[], variant text, stem boolean, tokenizer text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.rouge_accum(internal, text, text[], text, boolean, text) IS
    'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.rouge_combine(internal, internal) IS 'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_rouge_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.rouge_serialize(internal) IS 'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.rouge_deserialize(bytea, internal) IS 'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_rouge_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.rouge_final(internal) IS 'internal: part of the aggregate rouge';

CREATE AGGREGATE lmtext.rouge(hypothesis text, reference text, variant text) (
    SFUNC = lmtext_internal.rouge_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.rouge_combine,
    SERIALFUNC = lmtext_internal.rouge_serialize,
    DESERIALFUNC = lmtext_internal.rouge_deserialize,
    FINALFUNC = lmtext_internal.rouge_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.rouge(text, text, text) IS
    'mean ROUGE F-measure, 0 to 1, as rouge-score has it; variant is rouge1 to rouge4, rougeL or rougeLsum';

CREATE AGGREGATE lmtext.rouge(hypothesis text, reference text, variant text, stem boolean) (
    SFUNC = lmtext_internal.rouge_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.rouge_combine,
    SERIALFUNC = lmtext_internal.rouge_serialize,
    DESERIALFUNC = lmtext_internal.rouge_deserialize,
    FINALFUNC = lmtext_internal.rouge_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.rouge(text, text, text, boolean) IS
    'mean ROUGE F-measure, 0 to 1, as rouge-score has it; variant is rouge1 to rouge4, rougeL or rougeLsum';

CREATE AGGREGATE lmtext.rouge(hypothesis text, reference text, variant text, stem boolean, tokenizer text) (
    SFUNC = lmtext_internal.rouge_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.rouge_combine,
    SERIALFUNC = lmtext_internal.rouge_serialize,
    DESERIALFUNC = lmtext_internal.rouge_deserialize,
    FINALFUNC = lmtext_internal.rouge_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.rouge(text, text, text, boolean, text) IS
    'mean ROUGE F-measure, 0 to 1, as rouge-score has it; variant is rouge1 to rouge4, rougeL or rougeLsum';

CREATE AGGREGATE lmtext.rouge(hypothesis text, reference text[], variant text) (
    SFUNC = lmtext_internal.rouge_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.rouge_combine,
    SERIALFUNC = lmtext_internal.rouge_serialize,
    DESERIALFUNC = lmtext_internal.rouge_deserialize,
    FINALFUNC = lmtext_internal.rouge_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.rouge(text, text[], text) IS
    'mean ROUGE F-measure, 0 to 1, as rouge-score has it; variant is rouge1 to rouge4, rougeL or rougeLsum, with several references for a row';

CREATE AGGREGATE lmtext.rouge(hypothesis text, reference text[], variant text, stem boolean) (
    SFUNC = lmtext_internal.rouge_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.rouge_combine,
    SERIALFUNC = lmtext_internal.rouge_serialize,
    DESERIALFUNC = lmtext_internal.rouge_deserialize,
    FINALFUNC = lmtext_internal.rouge_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.rouge(text, text[], text, boolean) IS
    'mean ROUGE F-measure, 0 to 1, as rouge-score has it; variant is rouge1 to rouge4, rougeL or rougeLsum, with several references for a row';

CREATE AGGREGATE lmtext.rouge(hypothesis text, reference text[], variant text, stem boolean, tokenizer text) (
    SFUNC = lmtext_internal.rouge_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.rouge_combine,
    SERIALFUNC = lmtext_internal.rouge_serialize,
    DESERIALFUNC = lmtext_internal.rouge_deserialize,
    FINALFUNC = lmtext_internal.rouge_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.rouge(text, text[], text, boolean, text) IS
    'mean ROUGE F-measure, 0 to 1, as rouge-score has it; variant is rouge1 to rouge4, rougeL or rougeLsum, with several references for a row';

-- meteor

CREATE FUNCTION lmtext_internal.meteor_accum(state internal, hypothesis text, reference text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_meteor_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.meteor_accum(internal, text, text) IS
    'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_accum(state internal, hypothesis text, reference text, synonyms text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_meteor_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.meteor_accum(internal, text, text, text) IS
    'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_accum(state internal, hypothesis text, reference text[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_meteor_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.meteor_accum(internal, text, text[]) IS
    'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_accum(state internal, hypothesis text, reference text[], synonyms text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_meteor_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.meteor_accum(internal, text, text[], text) IS
    'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_meteor_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.meteor_combine(internal, internal) IS 'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_meteor_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.meteor_serialize(internal) IS 'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_meteor_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.meteor_deserialize(bytea, internal) IS 'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_meteor_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.meteor_final(internal) IS 'internal: part of the aggregate meteor';

CREATE AGGREGATE lmtext.meteor(hypothesis text, reference text) (
    SFUNC = lmtext_internal.meteor_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.meteor_combine,
    SERIALFUNC = lmtext_internal.meteor_serialize,
    DESERIALFUNC = lmtext_internal.meteor_deserialize,
    FINALFUNC = lmtext_internal.meteor_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.meteor(text, text) IS
    'mean METEOR score, 0 to 1, as nltk has it';

CREATE AGGREGATE lmtext.meteor(hypothesis text, reference text, synonyms text) (
    SFUNC = lmtext_internal.meteor_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.meteor_combine,
    SERIALFUNC = lmtext_internal.meteor_serialize,
    DESERIALFUNC = lmtext_internal.meteor_deserialize,
    FINALFUNC = lmtext_internal.meteor_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.meteor(text, text, text) IS
    'mean METEOR score, 0 to 1, as nltk has it';

CREATE AGGREGATE lmtext.meteor(hypothesis text, reference text[]) (
    SFUNC = lmtext_internal.meteor_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.meteor_combine,
    SERIALFUNC = lmtext_internal.meteor_serialize,
    DESERIALFUNC = lmtext_internal.meteor_deserialize,
    FINALFUNC = lmtext_internal.meteor_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.meteor(text, text[]) IS
    'mean METEOR score, 0 to 1, as nltk has it, with several references for a row';

CREATE AGGREGATE lmtext.meteor(hypothesis text, reference text[], synonyms text) (
    SFUNC = lmtext_internal.meteor_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.meteor_combine,
    SERIALFUNC = lmtext_internal.meteor_serialize,
    DESERIALFUNC = lmtext_internal.meteor_deserialize,
    FINALFUNC = lmtext_internal.meteor_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.meteor(text, text[], text) IS
    'mean METEOR score, 0 to 1, as nltk has it, with several references for a row';

-- exact_match

CREATE FUNCTION lmtext_internal.exact_match_accum(state internal, prediction text, answer text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_exact_match_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.exact_match_accum(internal, text, text) IS
    'internal: part of the aggregate exact_match';

CREATE FUNCTION lmtext_internal.exact_match_accum(state internal, prediction text, answers text[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_exact_match_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.exact_match_accum(internal, text, text[]) IS
    'internal: part of the aggregate exact_match';

CREATE FUNCTION lmtext_internal.exact_match_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_exact_match_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.exact_match_combine(internal, internal) IS 'internal: part of the aggregate exact_match';

CREATE FUNCTION lmtext_internal.exact_match_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_exact_match_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.exact_match_serialize(internal) IS 'internal: part of the aggregate exact_match';

CREATE FUNCTION lmtext_internal.exact_match_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_exact_match_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.exact_match_deserialize(bytea, internal) IS 'internal: part of the aggregate exact_match';

CREATE FUNCTION lmtext_internal.exact_match_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_exact_match_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.exact_match_final(internal) IS 'internal: part of the aggregate exact_match';

CREATE AGGREGATE lmtext.exact_match(prediction text, answer text) (
    SFUNC = lmtext_internal.exact_match_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.exact_match_combine,
    SERIALFUNC = lmtext_internal.exact_match_serialize,
    DESERIALFUNC = lmtext_internal.exact_match_deserialize,
    FINALFUNC = lmtext_internal.exact_match_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.exact_match(text, text) IS
    'percentage of predictions that equal an answer, as the script of SQuAD 1.1 compares them';

CREATE AGGREGATE lmtext.exact_match(prediction text, answers text[]) (
    SFUNC = lmtext_internal.exact_match_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.exact_match_combine,
    SERIALFUNC = lmtext_internal.exact_match_serialize,
    DESERIALFUNC = lmtext_internal.exact_match_deserialize,
    FINALFUNC = lmtext_internal.exact_match_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.exact_match(text, text[]) IS
    'percentage of predictions that equal an answer, as the script of SQuAD 1.1 compares them, with several answers for a row';

-- squad_f1

CREATE FUNCTION lmtext_internal.squad_f1_accum(state internal, prediction text, answer text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_squad_f1_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.squad_f1_accum(internal, text, text) IS
    'internal: part of the aggregate squad_f1';

CREATE FUNCTION lmtext_internal.squad_f1_accum(state internal, prediction text, answers text[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_squad_f1_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.squad_f1_accum(internal, text, text[]) IS
    'internal: part of the aggregate squad_f1';

CREATE FUNCTION lmtext_internal.squad_f1_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_squad_f1_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.squad_f1_combine(internal, internal) IS 'internal: part of the aggregate squad_f1';

CREATE FUNCTION lmtext_internal.squad_f1_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_squad_f1_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.squad_f1_serialize(internal) IS 'internal: part of the aggregate squad_f1';

CREATE FUNCTION lmtext_internal.squad_f1_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_squad_f1_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.squad_f1_deserialize(bytea, internal) IS 'internal: part of the aggregate squad_f1';

CREATE FUNCTION lmtext_internal.squad_f1_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_squad_f1_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.squad_f1_final(internal) IS 'internal: part of the aggregate squad_f1';

CREATE AGGREGATE lmtext.squad_f1(prediction text, answer text) (
    SFUNC = lmtext_internal.squad_f1_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.squad_f1_combine,
    SERIALFUNC = lmtext_internal.squad_f1_serialize,
    DESERIALFUNC = lmtext_internal.squad_f1_deserialize,
    FINALFUNC = lmtext_internal.squad_f1_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.squad_f1(text, text) IS
    'mean F1 of the words of predictions and answers, 0 to 100, as the script of SQuAD 1.1 has it';

CREATE AGGREGATE lmtext.squad_f1(prediction text, answers text[]) (
    SFUNC = lmtext_internal.squad_f1_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.squad_f1_combine,
    SERIALFUNC = lmtext_internal.squad_f1_serialize,
    DESERIALFUNC = lmtext_internal.squad_f1_deserialize,
    FINALFUNC = lmtext_internal.squad_f1_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.squad_f1(text, text[]) IS
    'mean F1 of the words of predictions and answers, 0 to 100, as the script of SQuAD 1.1 has it, with several answers for a row';

-- distinct_n

CREATE FUNCTION lmtext_internal.distinct_n_accum(state internal, body text, n bigint) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_distinct_n_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.distinct_n_accum(internal, text, bigint) IS
    'internal: part of the aggregate distinct_n';

CREATE FUNCTION lmtext_internal.distinct_n_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_distinct_n_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.distinct_n_combine(internal, internal) IS 'internal: part of the aggregate distinct_n';

CREATE FUNCTION lmtext_internal.distinct_n_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_distinct_n_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.distinct_n_serialize(internal) IS 'internal: part of the aggregate distinct_n';

CREATE FUNCTION lmtext_internal.distinct_n_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_distinct_n_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.distinct_n_deserialize(bytea, internal) IS 'internal: part of the aggregate distinct_n';

CREATE FUNCTION lmtext_internal.distinct_n_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_distinct_n_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.distinct_n_final(internal) IS 'internal: part of the aggregate distinct_n';

CREATE AGGREGATE lmtext.distinct_n(body text, n bigint) (
    SFUNC = lmtext_internal.distinct_n_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.distinct_n_combine,
    SERIALFUNC = lmtext_internal.distinct_n_serialize,
    DESERIALFUNC = lmtext_internal.distinct_n_deserialize,
    FINALFUNC = lmtext_internal.distinct_n_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.distinct_n(text, bigint) IS
    'share of n-grams of words that differ from all others, 0 to 1';

-- perplexity

CREATE FUNCTION lmtext_internal.perplexity_accum(state internal, log_probability double precision, tokens bigint) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_perplexity_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.perplexity_accum(internal, double precision, bigint) IS
    'internal: part of the aggregate perplexity';

CREATE FUNCTION lmtext_internal.perplexity_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_perplexity_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.perplexity_combine(internal, internal) IS 'internal: part of the aggregate perplexity';

CREATE FUNCTION lmtext_internal.perplexity_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_perplexity_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.perplexity_serialize(internal) IS 'internal: part of the aggregate perplexity';

CREATE FUNCTION lmtext_internal.perplexity_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_perplexity_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.perplexity_deserialize(bytea, internal) IS 'internal: part of the aggregate perplexity';

CREATE FUNCTION lmtext_internal.perplexity_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_perplexity_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.perplexity_final(internal) IS 'internal: part of the aggregate perplexity';

CREATE AGGREGATE lmtext.perplexity(log_probability double precision, tokens bigint) (
    SFUNC = lmtext_internal.perplexity_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.perplexity_combine,
    SERIALFUNC = lmtext_internal.perplexity_serialize,
    DESERIALFUNC = lmtext_internal.perplexity_deserialize,
    FINALFUNC = lmtext_internal.perplexity_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.perplexity(double precision, bigint) IS
    'e to the mean negative log probability of a token';

-- Of one row.

CREATE FUNCTION lmtext.sentence_bleu(hypothesis text, reference text, tokenizer text DEFAULT '13a', smooth text DEFAULT 'exp', lowercase boolean DEFAULT false)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_bleu' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_bleu(text, text, text, text, boolean) IS
    'BLEU of one text with effective order, 0 to 100, as sacrebleu has it';

CREATE FUNCTION lmtext.sentence_bleu(hypothesis text, reference text[], tokenizer text DEFAULT '13a', smooth text DEFAULT 'exp', lowercase boolean DEFAULT false)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_bleu' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_bleu(text, text[], text, text, boolean) IS
    'BLEU of one text with effective order, 0 to 100, as sacrebleu has it, with several references';

CREATE FUNCTION lmtext.sentence_chrf(hypothesis text, reference text, word_order bigint DEFAULT 0)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_chrf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.sentence_chrf(text, text, bigint) IS
    'chrF2 of one text, with word_order 2 chrF2++, 0 to 100, as sacrebleu has it';

CREATE FUNCTION lmtext.sentence_chrf(hypothesis text, reference text[], word_order bigint DEFAULT 0)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_chrf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.sentence_chrf(text, text[], bigint) IS
    'chrF2 of one text, with word_order 2 chrF2++, 0 to 100, as sacrebleu has it, with several references';

CREATE FUNCTION lmtext.sentence_ter(hypothesis text, reference text, normalized boolean DEFAULT false, no_punct boolean DEFAULT false, case_sensitive boolean DEFAULT false)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_ter' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.sentence_ter(text, text, boolean, boolean, boolean) IS
    'translation edit rate of one text, in percent, as sacrebleu has it';

CREATE FUNCTION lmtext.sentence_ter(hypothesis text, reference text[], normalized boolean DEFAULT false, no_punct boolean DEFAULT false, case_sensitive boolean DEFAULT false)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_ter' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.sentence_ter(text, text[], boolean, boolean, boolean) IS
    'translation edit rate of one text, in percent, as sacrebleu has it, with several references';

CREATE FUNCTION lmtext.sentence_rouge(hypothesis text, reference text, variant text, stem boolean DEFAULT false, tokenizer text DEFAULT 'ascii')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_rouge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_rouge(text, text, text, boolean, text) IS
    'ROUGE F-measure of one text, 0 to 1, as rouge-score has it';

CREATE FUNCTION lmtext.sentence_rouge(hypothesis text, reference text[], variant text, stem boolean DEFAULT false, tokenizer text DEFAULT 'ascii')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_rouge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_rouge(text, text[], text, boolean, text) IS
    'ROUGE F-measure of one text, 0 to 1, as rouge-score has it, with several references';

CREATE FUNCTION lmtext.sentence_meteor(hypothesis text, reference text, synonyms text DEFAULT '')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_meteor' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_meteor(text, text, text) IS
    'METEOR score of one text, 0 to 1, as nltk has it';

CREATE FUNCTION lmtext.sentence_meteor(hypothesis text, reference text[], synonyms text DEFAULT '')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_meteor' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_meteor(text, text[], text) IS
    'METEOR score of one text, 0 to 1, as nltk has it, with several references';

CREATE FUNCTION lmtext.sentence_wer(reference text, hypothesis text)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_wer' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_wer(text, text) IS
    'word error rate of one text';

CREATE FUNCTION lmtext.sentence_cer(reference text, hypothesis text)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_cer' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_cer(text, text) IS
    'character error rate of one text';

-- 75-features: words and n-grams of a query's texts. These run a query as the caller, who could run it as well; they
-- write nothing.

CREATE FUNCTION lmtext.tfidf(query text, options jsonb DEFAULT '{}')
    RETURNS TABLE (key text, weights jsonb, vector text)
    AS 'MODULE_PATHNAME', 'lmtext_tfidf' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 1000;
COMMENT ON FUNCTION lmtext.tfidf(text, jsonb) IS
    'TF-IDF weights of the n-grams of each text of a query of (key, text), also as pgvector''s type sparsevec reads them';

CREATE FUNCTION lmtext.bag_of_words(query text, options jsonb DEFAULT '{}')
    RETURNS TABLE (key text, counts jsonb, vector text)
    AS 'MODULE_PATHNAME', 'lmtext_bag_of_words' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 1000;
COMMENT ON FUNCTION lmtext.bag_of_words(text, jsonb) IS
    'how often each n-gram is in each text of a query of (key, text), also as pgvector''s type sparsevec reads it';

CREATE FUNCTION lmtext.build_vocabulary(query text, max_size integer DEFAULT NULL, min_count integer DEFAULT 1,
                                        specials text[] DEFAULT '{}', options jsonb DEFAULT '{}')
    RETURNS TABLE (id integer, token text, count bigint)
    AS 'MODULE_PATHNAME', 'lmtext_build_vocabulary' LANGUAGE C VOLATILE PARALLEL UNSAFE
    COST 100000 ROWS 1000;
COMMENT ON FUNCTION lmtext.build_vocabulary(text, integer, integer, text[], jsonb) IS
    'tokens of a query of texts: the special ones, then the others, the most frequent first, of equals the one seen first';

CREATE FUNCTION lmtext.one_hot(query text, options jsonb DEFAULT '{}')
    RETURNS TABLE (key text, features jsonb, vector text)
    AS 'MODULE_PATHNAME', 'lmtext_one_hot' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 1000;
COMMENT ON FUNCTION lmtext.one_hot(text, jsonb) IS
    'which n-grams are in each text of a query of (key, text): 1 for each, also as pgvector''s type sparsevec reads it';

CREATE FUNCTION lmtext.texts_to_sequences(query text, vocabulary text[] DEFAULT NULL, options jsonb DEFAULT '{}')
    RETURNS TABLE (key text, sequence integer[])
    AS 'MODULE_PATHNAME', 'lmtext_texts_to_sequences' LANGUAGE C VOLATILE PARALLEL UNSAFE
    COST 100000 ROWS 1000;
COMMENT ON FUNCTION lmtext.texts_to_sequences(text, text[], jsonb) IS
    'the words of each text of a query of (key, text) as places in a vocabulary, from 1: a given one, or that of these texts';

CREATE FUNCTION lmtext.pad_sequences(
    sequence integer[],
    maxlen integer,
    padding text DEFAULT 'pre',
    truncating text DEFAULT 'pre',
    value integer DEFAULT 0)
    RETURNS integer[]
    AS 'MODULE_PATHNAME', 'lmtext_pad_sequences' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext.pad_sequences(integer[], integer, text, text, integer) IS
    'a sequence cut or filled to a length, before or behind';

-- 76-explore: all rows of a query at once (groups, a plane, what to label next), parts of a table by hash, keywords.

CREATE FUNCTION lmtext.cluster(
    query text,
    k integer DEFAULT NULL,
    options jsonb DEFAULT '{}',
    model text DEFAULT NULL)
    RETURNS TABLE (key text, cluster integer)
    AS 'MODULE_PATHNAME', 'lmtext_cluster' LANGUAGE C STABLE PARALLEL UNSAFE COST 10000000 ROWS 10000;
COMMENT ON FUNCTION lmtext.cluster(text, integer, jsonb, text) IS
    'groups of the rows of a query of key and text or vector: k of them, or by density';

CREATE FUNCTION lmtext.cluster_keywords(
    query text,
    k integer DEFAULT 5,
    stop_words regdictionary DEFAULT 'pg_catalog.english_stem')
    RETURNS TABLE (cluster text, keyword text, score double precision)
    AS 'MODULE_PATHNAME', 'lmtext_cluster_keywords' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000000 ROWS 100;
COMMENT ON FUNCTION lmtext.cluster_keywords(text, integer, regdictionary) IS
    'the words by which groups of texts differ, from a query of group and text';

CREATE FUNCTION lmtext.project(
    query text,
    how text DEFAULT 'pca',
    options jsonb DEFAULT '{}',
    model text DEFAULT NULL)
    RETURNS TABLE (key text, x double precision, y double precision)
    AS 'MODULE_PATHNAME', 'lmtext_project' LANGUAGE C STABLE PARALLEL UNSAFE COST 10000000 ROWS 10000;
COMMENT ON FUNCTION lmtext.project(text, text, jsonb, text) IS
    'the rows of a query of key and text or vector as points of a plane';

CREATE FUNCTION lmtext.label_queue(
    model text,
    query text,
    k integer DEFAULT 100,
    strategy text DEFAULT 'margin')
    RETURNS TABLE (key text, score double precision)
    AS 'MODULE_PATHNAME', 'lmtext_label_queue' LANGUAGE C STABLE PARALLEL UNSAFE COST 10000000 ROWS 100;
COMMENT ON FUNCTION lmtext.label_queue(text, text, integer, text) IS
    'the rows of a query of key and text whose labels would teach a classifier most, the first one first';

-- Settings, names and versions of libraries must not have a say in the text of a key: of the built-in types only those where they
-- have none, and those of users whose output is said to be immutable. A label of an enum is its text.
CREATE FUNCTION lmtext_internal.check_split_key(type regtype) RETURNS void
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    base record;
BEGIN
    SELECT t.oid, t.typtype, t.typbasetype, t.typoutput INTO base FROM pg_type t WHERE t.oid = type;
    WHILE base.typtype = 'd' LOOP
        SELECT t.oid, t.typtype, t.typbasetype, t.typoutput INTO base FROM pg_type t WHERE t.oid = base.typbasetype;
    END LOOP;
    IF base.oid <> ALL ('{boolean,smallint,integer,bigint,numeric,oid,text,varchar,bpchar,name,"\"char\"",uuid,inet,cidr,macaddr,macaddr8,time,bit,varbit,json,jsonb,tid}'::regtype[])
            AND base.typtype <> 'e'
            AND (base.oid < 16384 OR (SELECT p.provolatile FROM pg_proc p WHERE p.oid = base.typoutput) <> 'i') THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = format('type %s has no text that is the same in every session', type),
            DETAIL = 'The part of a key is a hash of its text.', HINT = 'Give the key as text, in a format of your own, for example by to_char.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_split_key(regtype) IS 'refuses types of keys whose text depends on settings';

-- By SHA-256 of seed and key, which any language has: the first 52 bits as a fraction of 1.
CREATE FUNCTION lmtext.split(key anyelement, seed integer, fractions double precision[]) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 50
    SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    place double precision := ('x' || substr(encode(sha256(convert_to(seed || ':' || key::text, 'UTF8')), 'hex'), 1, 13))::bit(52)::bigint
        / 4503599627370496.0::double precision;
    part double precision;
    total double precision := 0;
BEGIN
    IF pg_typeof(key) <> ALL ('{integer,bigint,text,uuid}'::regtype[]) THEN
        PERFORM lmtext_internal.check_split_key(pg_typeof(key));
    END IF;
    IF array_ndims(fractions) IS DISTINCT FROM 1 OR array_position(fractions, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'fractions must be a one-dimensional array of numbers' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOREACH part IN ARRAY fractions LOOP
        IF NOT (part >= 0 AND part <= 1) THEN
            RAISE EXCEPTION 'fraction is out of range: %', part
                USING ERRCODE = 'invalid_parameter_value', DETAIL = 'It must be from 0 to 1.';
        END IF;
        total := total + part;
    END LOOP;
    IF total > 1 + 1e-9 THEN
        RAISE EXCEPTION 'the sum of the fractions is above 1: %', total USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- What rounding leaves of a sum of 1 is the last part's.
    total := CASE WHEN total > 1 - 1e-9 THEN 1 - total ELSE 0 END;
    FOR i IN 1 .. cardinality(fractions) LOOP
        total := total + fractions[array_lower(fractions, 1) + i - 1];
        IF place < total OR (i = cardinality(fractions) AND total > 1 - 1e-9) THEN
            RETURN i;
        END IF;
    END LOOP;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION lmtext.split(anyelement, integer, double precision[]) IS
    'the part, from 1, that a key belongs to, by a hash that stays the same; null beyond the last one';

CREATE FUNCTION lmtext.keywords(
    text text,
    model text DEFAULT NULL,
    k integer DEFAULT 5,
    words integer DEFAULT 1,
    stop_words regdictionary DEFAULT 'pg_catalog.english_stem')
    RETURNS TABLE (keyword text, score double precision)
    AS 'MODULE_PATHNAME', 'lmtext_keywords' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 5;
COMMENT ON FUNCTION lmtext.keywords(text, text, integer, integer, regdictionary) IS
    'words and phrases of a text whose embedding is nearest to that of the text';

CREATE FUNCTION lmtext.normalize_text(text text, options jsonb DEFAULT '{}') RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_normalize_text' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.normalize_text(text, jsonb) IS
    'a text in a normal form of Unicode, and on request without character references, accents, controls or odd white space';

CREATE FUNCTION lmtext.augment(
    text text,
    ops text[],
    n integer DEFAULT 1,
    seed bigint DEFAULT 0,
    options jsonb DEFAULT '{}')
    RETURNS SETOF text
    AS 'MODULE_PATHNAME', 'lmtext_augment' LANGUAGE C STABLE PARALLEL UNSAFE COST 1000 ROWS 10;
COMMENT ON FUNCTION lmtext.augment(text, text[], integer, bigint, jsonb) IS
    'variants of a text: words swapped, deleted, inserted, replaced, mistyped, cropped, mixed with another text';

-- 77-filter: what a trained filter says of a text. Named forms are STABLE; pinned forms are IMMUTABLE and obey no
-- setting. They are trained by lmtext.train.

CREATE FUNCTION lmtext.holds(text text, model text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_holds' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.holds(text, text) IS
    'whether a trained filter says that its predicate is true of a text; NULL where it is not sure';

CREATE FUNCTION lmtext.holds(text text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_holds' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.holds(text, regclass, text) IS
    'whether a trained filter says that its predicate is true of a text; NULL where it is not sure (version pinned)';

CREATE FUNCTION lmtext.holds(texts text[], model text) RETURNS boolean[]
    AS 'MODULE_PATHNAME', 'lmtext_holds_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.holds(text[], text) IS
    'whether a trained filter says that its predicate is true of texts, NULL where it is not sure, computed as one batch';

CREATE FUNCTION lmtext.holds(texts text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS boolean[]
    AS 'MODULE_PATHNAME', 'lmtext_holds_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.holds(text[], regclass, text) IS
    'whether a trained filter says that its predicate is true of texts, NULL where it is not sure, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.holds(vector real[], model text) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_holds_vector' LANGUAGE C STABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.holds(real[], text) IS
    'whether a trained filter says that its predicate is true of the text of an embedding; NULL where it is not sure';

CREATE FUNCTION lmtext.holds(vector real[], model regclass) RETURNS boolean
    AS 'MODULE_PATHNAME', 'lmtext_holds_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.holds(real[], regclass) IS
    'whether a trained filter says that its predicate is true of the text of an embedding; NULL where it is not sure (version pinned)';

-- 78-tune: what a training came to, and the search for the options of one.

CREATE FUNCTION lmtext.fit_report(model text) RETURNS TABLE (measure text, value jsonb)
    LANGUAGE plpgsql STABLE STRICT PARALLEL UNSAFE COST 10000 ROWS 12 AS $$
DECLARE
    version lmtext.models := lmtext_internal.version_of(model);
    loss pg_catalog.float8 := pg_catalog.jsonb_object_field_text(version.metrics, 'loss');
    held_out pg_catalog.float8 := pg_catalog.jsonb_object_field_text(version.metrics, 'held_out_loss');
    accuracy pg_catalog.float8 := pg_catalog.jsonb_object_field_text(version.metrics, 'train_accuracy');
    held_out_accuracy pg_catalog.float8 := pg_catalog.jsonb_object_field_text(version.metrics, 'held_out_accuracy');
    curve pg_catalog.jsonb := pg_catalog.jsonb_object_field(version.metrics, 'curve');
    labels pg_catalog.int4 := pg_catalog.cardinality(version.labels);
    verdict pg_catalog.text;
BEGIN
    IF pg_catalog.jsonb_object_field(version.metrics, 'train_seconds') IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('model "%s@%s" was not trained here', version.name, version.version),
            DETAIL = 'How it was fitted is not known.';
    END IF;
    verdict := lmtext_internal.fit_verdict(labels, loss, held_out,
        (SELECT pg_catalog.min(v::pg_catalog.float8) FROM pg_catalog.jsonb_array_elements_text(pg_catalog.jsonb_object_field(curve, 'held_out_loss')) v),
        accuracy, held_out_accuracy);
    RETURN QUERY SELECT m.name, m.value FROM (VALUES
        (1, 'rows', pg_catalog.jsonb_object_field(version.metrics, 'rows')),
        (2, 'held_out', pg_catalog.jsonb_object_field(version.metrics, 'held_out')),
        (3, 'loss', pg_catalog.to_jsonb(loss)),
        (4, 'held_out_loss', pg_catalog.to_jsonb(held_out)),
        (5, 'gap', pg_catalog.to_jsonb(pg_catalog.round(pg_catalog.float8mi(held_out, loss)::pg_catalog."numeric", 6))),
        (6, 'train_accuracy', pg_catalog.to_jsonb(accuracy)),
        (7, 'held_out_accuracy', pg_catalog.to_jsonb(held_out_accuracy)),
        (8, 'accuracy_gap', pg_catalog.to_jsonb(pg_catalog.round(pg_catalog.float8mi(accuracy, held_out_accuracy)::pg_catalog."numeric", 6))),
        (9, 'steps', pg_catalog.jsonb_object_field(curve, 'step')),
        (10, 'train_curve', pg_catalog.jsonb_object_field(curve, 'loss')),
        (11, 'held_out_curve', pg_catalog.jsonb_object_field(curve, 'held_out_loss')),
        (12, 'verdict', pg_catalog.to_jsonb(verdict))) m (place, name, value)
    WHERE m.value IS NOT NULL ORDER BY m.place;
END $$;
COMMENT ON FUNCTION lmtext.fit_report(text) IS
    'how a model that was trained here fits: losses, their curves, their gap, and a verdict: over-fit, under-fit, fine or unknown';

-- By losses where both are known, else by accuracies. Guessing among n labels has a loss of ln(n).
CREATE FUNCTION lmtext_internal.fit_verdict(labels integer, loss double precision, held_out double precision, best_held_out double precision,
                                            accuracy double precision, held_out_accuracy double precision) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN loss IS NOT NULL AND held_out IS NOT NULL THEN CASE
            WHEN loss > ln(labels) / 2 THEN 'under-fit'
            WHEN held_out - best_held_out > greatest(0.05, 0.05 * best_held_out) OR (held_out > 2 * loss AND held_out - loss > 0.1) THEN 'over-fit'
            ELSE 'fine' END
        WHEN accuracy IS NOT NULL AND held_out_accuracy IS NOT NULL THEN CASE
            WHEN accuracy < (1 + 1.0 / labels) / 2 THEN 'under-fit'
            WHEN accuracy - held_out_accuracy > 0.1 THEN 'over-fit'
            ELSE 'fine' END
        ELSE 'unknown' END
$$;
COMMENT ON FUNCTION lmtext_internal.fit_verdict(integer, double precision, double precision, double precision, double precision, double precision) IS
    'the verdict of lmtext.fit_report';

CREATE PROCEDURE lmtext.tune(name text, query text, space jsonb, trials integer DEFAULT 20)
    LANGUAGE C AS 'MODULE_PATHNAME', 'lmtext_tune';
COMMENT ON PROCEDURE lmtext.tune(text, text, jsonb, integer) IS
    'train with options from a space, by a search, and store the best trial as a new model version; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.tune(text, text, jsonb, integer) FROM PUBLIC;

-- 79-compress: smaller models made of others.

CREATE PROCEDURE lmtext.compress(new text, model text, options jsonb DEFAULT '{}')
    LANGUAGE C AS 'MODULE_PATHNAME', 'lmtext_compress';
COMMENT ON PROCEDURE lmtext.compress(text, text, jsonb) IS
    'create a model version that holds a model''s int8 codes alone, Huffman-coded, and computes what its int8 version computes; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.compress(text, text, jsonb) FROM PUBLIC;

-- A training by the method "prune", likewise.
CREATE PROCEDURE lmtext.prune(new text, model text, query text, options jsonb DEFAULT '{}')
    LANGUAGE plpgsql AS $$
DECLARE
    own pg_catalog.text;
BEGIN
    IF prune.model IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument model of lmtext.prune must not be null';
    END IF;
    SELECT k INTO own FROM pg_catalog.jsonb_object_keys(prune.options) k WHERE k OPERATOR(pg_catalog.=) ANY ('{base,method}'::pg_catalog.text[]) LIMIT 1;
    IF own IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = pg_catalog.format('lmtext.prune has no option "%s"', own);
    END IF;
    CALL lmtext.train(prune.new, prune.query,
        prune.options OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('method', 'prune', 'base', prune.model));
END $$;
COMMENT ON PROCEDURE lmtext.prune(text, text, text, jsonb) IS
    'take the smallest weights, heads or neurons of a classifier or tagger away, train what is left on the rows of a query, and store it as a new model version; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.prune(text, text, text, jsonb) FROM PUBLIC;

-- A training by the method "distill": what it refuses and reports is lmtext.train's.
CREATE PROCEDURE lmtext.distill(new text, model text, query text, options jsonb DEFAULT '{}')
    LANGUAGE plpgsql AS $$
DECLARE
    own pg_catalog.text;
BEGIN
    IF distill.model IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'argument model of lmtext.distill must not be null';
    END IF;
    SELECT k INTO own FROM pg_catalog.jsonb_object_keys(distill.options) k WHERE k OPERATOR(pg_catalog.=) ANY ('{base,method,task}'::pg_catalog.text[]) LIMIT 1;
    IF own IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = pg_catalog.format('lmtext.distill has no option "%s"', own);
    END IF;
    CALL lmtext.train(distill.new, distill.query,
        distill.options OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('task', 'classification', 'method', 'distill', 'base', distill.model));
END $$;
COMMENT ON PROCEDURE lmtext.distill(text, text, text, jsonb) IS
    'train a student with fewer layers on what a classifier says of the rows of a query, and store it as a new model version; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.distill(text, text, text, jsonb) FROM PUBLIC;

-- 80-attack: how far a classifier withstands small changes of texts, by a greedy search for the change that misleads it.

-- The options with their defaults; those that are wrong are refused.
CREATE FUNCTION lmtext_internal.attack_options(options jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known text[] := '{letter_swap,letter_delete,letter_insert,keyboard,swap,delete,insert,synonyms}';
    settings jsonb := '{"ops": ["letter_swap", "letter_delete", "letter_insert", "keyboard"], "budget": 3, "seed": 42}';
    wrong text;
BEGIN
    IF jsonb_typeof(options) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'options must be a JSON object';
    END IF;
    SELECT o INTO wrong FROM jsonb_object_keys(options) o WHERE o <> ALL ('{ops,budget,seed,synonyms}'::text[]);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('unknown option "%s"', lmtext_internal.shown(wrong)), HINT = 'Available options: ops, budget, seed, synonyms.';
    END IF;
    settings := settings || jsonb_strip_nulls(options);
    wrong := CASE
        WHEN jsonb_typeof(settings -> 'ops') <> 'array' THEN 'option "ops" must be an array of operations'
        WHEN settings -> 'ops' = '[]' THEN 'option "ops" must have an operation'
        WHEN jsonb_typeof(settings -> 'budget') <> 'number' OR settings ->> 'budget' !~ '^[1-9][0-9]{0,3}$'
            THEN 'option "budget" must be a whole number from 1 to 9999'
        WHEN jsonb_typeof(settings -> 'seed') <> 'number' OR settings ->> 'seed' !~ '^[0-9]{1,15}$'
            THEN 'option "seed" must be a whole number of at most 15 digits'
        WHEN jsonb_typeof(settings -> 'synonyms') <> 'string' THEN 'option "synonyms" must be a query of word and synonym' END;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = wrong;
    END IF;
    SELECT coalesce(o #>> '{}', 'null') INTO wrong FROM jsonb_array_elements(settings -> 'ops') o WHERE jsonb_typeof(o) <> 'string' OR o #>> '{}' <> ALL (known);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('unknown operation of lmtext.attack: "%s"', lmtext_internal.shown(wrong)),
            HINT = format('Available operations: %s.', array_to_string(known, ', '));
    END IF;
    IF settings -> 'ops' ? 'synonyms' AND NOT settings ? 'synonyms' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'the operation "synonyms" needs the option "synonyms"';
    END IF;
    RETURN settings;
END $$;
COMMENT ON FUNCTION lmtext_internal.attack_options(jsonb) IS 'options of lmtext.attack, checked, with their defaults';

-- What a word becomes by an operation on its letters; NULL where it has too few. The place is drawn from the word and the seed.
CREATE FUNCTION lmtext_internal.attack_letters(word text, op text, seed bigint) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN op = 'letter_insert' THEN overlay(word PLACING chr(97 + (d.drawn / 4096 % 26)::integer) FROM 1 + (d.drawn % (d.letters + 1))::integer FOR 0)
        WHEN d.letters < 2 THEN NULL
        WHEN op = 'letter_delete' THEN overlay(word PLACING '' FROM 1 + (d.drawn % d.letters)::integer FOR 1)
        WHEN op = 'letter_swap' THEN (SELECT overlay(word PLACING reverse(substr(word, p.place, 2)) FROM p.place FOR 2)
                                      FROM (SELECT 1 + (d.drawn % (d.letters - 1))::integer AS place) p) END
    FROM (SELECT length(word) AS letters, hashtextextended(concat(op, ' ', word), seed) & 4611686018427387903 AS drawn) d
$$;
COMMENT ON FUNCTION lmtext_internal.attack_letters(text, text, bigint) IS 'a word with one letter less, more or moved';

-- Texts in which the word at a place is changed, and the words that they consist of; a word that went is empty.
CREATE FUNCTION lmtext_internal.attack_variants(words text[], place integer, settings jsonb, synonyms jsonb)
    RETURNS TABLE (variant text, word text, next text)
    LANGUAGE sql STABLE PARALLEL UNSAFE COST 10000 ROWS 4 SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_to_string(array_remove(words[:place - 1] || v.word || coalesce(v.next, words[place + 1]) || words[place + 2:], ''), ' '), v.word, v.next
    FROM (SELECT words[place] AS word, words[place + 1] AS next, (settings ->> 'seed')::bigint AS seed) own
    CROSS JOIN jsonb_array_elements_text(settings -> 'ops') WITH ORDINALITY o (op, rank)
    CROSS JOIN LATERAL (
        SELECT lmtext_internal.attack_letters(own.word, o.op, own.seed) AS word, own.next AS next, 1 AS rank WHERE o.op LIKE 'letter%'
        UNION ALL SELECT a, own.next, 1 FROM lmtext.augment(own.word, '{keyboard}', 1, own.seed) a WHERE o.op = 'keyboard'
        UNION ALL SELECT own.next, own.word, 1 WHERE o.op = 'swap' AND own.next IS NOT NULL
        UNION ALL SELECT '', own.next, 1 WHERE o.op = 'delete' AND cardinality(array_remove(words, '')) > 1
        UNION ALL SELECT concat(own.word, ' ', coalesce(synonyms -> lower(own.word) ->> 0, own.word)), own.next, 1 WHERE o.op = 'insert'
        UNION ALL SELECT s, own.next, n::integer FROM jsonb_array_elements_text(synonyms -> lower(own.word)) WITH ORDINALITY s (s, n) WHERE o.op = 'synonyms') v
    WHERE v.word IS NOT NULL AND (v.word, v.next) IS DISTINCT FROM (own.word, own.next)
    ORDER BY o.rank, v.rank
$$;
COMMENT ON FUNCTION lmtext_internal.attack_variants(text[], integer, jsonb, jsonb) IS 'what a text becomes by the operations on one of its words';

-- How far each text is from being misled: the score of the label, or, where the model gives another one, -1 less that one's score.
CREATE FUNCTION lmtext_internal.attack_margins(texts text[], label text, model regclass) RETURNS double precision[]
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(CASE WHEN s.found IS NULL THEN 'Infinity' WHEN s.found = label THEN s.score ELSE -1 - s.score END ORDER BY s.rank)
    FROM unnest(lmtext.classify_scored(texts, model)) WITH ORDINALITY s (found, score, rank)
$$;
COMMENT ON FUNCTION lmtext_internal.attack_margins(text[], text, regclass) IS 'how sure a model is of a label for each of some texts; below 0 it gives another one';

-- One text: words in the order in which the label suffers without them; each gets the change that harms it most, until the model is misled.
CREATE FUNCTION lmtext_internal.attack_text(
    input text, label text, model regclass, settings jsonb, synonyms jsonb,
    OUT before boolean, OUT after boolean, OUT changed integer, OUT words integer, OUT queries integer, OUT variant text)
    LANGUAGE plpgsql STABLE PARALLEL UNSAFE COST 10000000 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts text[] := array_remove(regexp_split_to_array(input, '\s+'), '');
    margins double precision[] := lmtext_internal.attack_margins(ARRAY[input], label, model);
    margin double precision := margins[1];
    variants record;
    best integer;
    place integer;
BEGIN
    before := margin >= 0;
    after := before;
    changed := 0;
    words := cardinality(parts);
    queries := 1;
    variant := input;
    IF NOT before OR words = 0 THEN
        RETURN;
    END IF;
    -- Without its only word a text may have no token, which is an error.
    margins := CASE WHEN words = 1 THEN '{0}' ELSE lmtext_internal.attack_margins(
        ARRAY(SELECT array_to_string(parts[:i - 1] || parts[i + 1:], ' ') FROM generate_series(1, words) i ORDER BY i), label, model) END;
    queries := CASE WHEN words = 1 THEN 1 ELSE 1 + words END;
    FOR place IN SELECT m.i FROM unnest(margins) WITH ORDINALITY m (margin, i) ORDER BY m.margin, m.i LIMIT (settings ->> 'budget')::integer LOOP
        SELECT array_agg(v.variant) AS texts, array_agg(v.word) AS word, array_agg(v.next) AS next INTO variants
        FROM lmtext_internal.attack_variants(parts, place, settings, synonyms) v;
        CONTINUE WHEN variants.texts IS NULL;
        margins := lmtext_internal.attack_margins(variants.texts, label, model);
        queries := queries + cardinality(margins);
        SELECT m.i INTO best FROM unnest(margins) WITH ORDINALITY m (margin, i) ORDER BY m.margin, m.i LIMIT 1;
        CONTINUE WHEN margins[best] >= margin;
        margin := margins[best];
        changed := changed + 1;
        variant := variants.texts[best];
        parts[place] := variants.word[best];
        IF place < words THEN
            parts[place + 1] := variants.next[best];
        END IF;
        after := margin >= 0;
        EXIT WHEN NOT after;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.attack_text(text, text, regclass, jsonb, jsonb) IS 'a search for changes of a text that mislead a model';

-- Synonyms of words in lower case, of a query by the caller's rights.
CREATE FUNCTION lmtext_internal.attack_synonyms(query text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    synonyms pg_catalog.jsonb;
BEGIN
    IF query IS NULL THEN
        RETURN NULL;
    END IF;
    IF pg_catalog.cardinality(lmtext_internal.query_columns('lmtext.attack', query)) OPERATOR(pg_catalog.<>) 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = 'the query of synonyms of lmtext.attack must have two columns, word and synonym';
    END IF;
    EXECUTE pg_catalog.format($q$
        SELECT pg_catalog.jsonb_object_agg(g.word, g.others)
        FROM (SELECT pg_catalog.lower(q.word::pg_catalog.text) AS word,
                     pg_catalog.jsonb_agg(q.synonym::pg_catalog.text ORDER BY q.synonym::pg_catalog.text COLLATE pg_catalog."C") AS others
              FROM (%s
              ) q (word, synonym)
              WHERE q.word IS NOT NULL AND q.synonym IS NOT NULL GROUP BY 1) g$q$, pg_catalog.rtrim(query, E'; \t\r\n')) INTO synonyms;
    RETURN synonyms;
END $$;
COMMENT ON FUNCTION lmtext_internal.attack_synonyms(text) IS 'synonyms of each word, of the query of lmtext.attack';

CREATE FUNCTION lmtext.attack(model text, query text, options jsonb DEFAULT '{}') RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE COST 10000000 ROWS 6 AS $$
DECLARE
    version lmtext.models := lmtext_internal.version_of(model);
    settings pg_catalog.jsonb := lmtext_internal.attack_options(options);
    synonyms pg_catalog.jsonb := lmtext_internal.attack_synonyms(pg_catalog.jsonb_object_field_text(settings, 'synonyms'));
BEGIN
    IF coalesce(version.task OPERATOR(pg_catalog.<>) 'classification', true) THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
            MESSAGE = pg_catalog.format('model "%s@%s" is no classifier', version.name, version.version),
            DETAIL = pg_catalog.format('Its task is %s.', version.task);
    END IF;
    IF pg_catalog.cardinality(lmtext_internal.query_columns('lmtext.attack', query)) OPERATOR(pg_catalog.<>) 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = 'the query of lmtext.attack must have two columns, text and label';
    END IF;
    RETURN QUERY EXECUTE pg_catalog.format($q$
        SELECT m.measure, m.value FROM (
            SELECT pg_catalog.count(*)::pg_catalog.float8 AS rows, pg_catalog.avg(a.before::pg_catalog.int4)::pg_catalog.float8 AS accuracy,
                   pg_catalog.avg(a.after::pg_catalog.int4)::pg_catalog.float8 AS attacked,
                   pg_catalog.avg(1 OPERATOR(pg_catalog.-) a.after::pg_catalog.int4) FILTER (WHERE a.before)::pg_catalog.float8 AS success,
                   pg_catalog.avg(pg_catalog.float8div(a.changed, a.words)) FILTER (WHERE a.before AND NOT a.after) AS changed,
                   pg_catalog.avg(a.queries)::pg_catalog.float8 AS queries
            FROM (SELECT q.input::pg_catalog.text AS input, q.label::pg_catalog.text AS label FROM (%s
                ) q (input, label) WHERE q.input IS NOT NULL AND q.label IS NOT NULL OFFSET 0) r
            CROSS JOIN LATERAL lmtext_internal.attack_text(r.input, r.label, $1, $2, $3) a) t
        CROSS JOIN LATERAL (VALUES ('rows', t.rows), ('accuracy', t.accuracy), ('accuracy_under_attack', t.attacked),
            ('success_rate', t.success), ('words_changed', t.changed), ('queries', t.queries)) m (measure, value)$q$,
        pg_catalog.rtrim(query, E'; \t\r\n')) USING version.model, settings, synonyms;
END $$;
COMMENT ON FUNCTION lmtext.attack(text, text, jsonb) IS
    'how far a classifier withstands small changes of the texts of a query of text and label: its accuracy before and under attack';

-- The newest version of a name, as a name: 'm@3'.
CREATE FUNCTION lmtext_internal.newest_version(name text) RETURNS text
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
    SELECT pg_catalog.concat(newest_version.name, '@', pg_catalog.max(m.version))
    FROM lmtext.models m, pg_catalog.pg_class c, pg_catalog.pg_class own
    WHERE c.oid OPERATOR(pg_catalog.=) m.model AND own.oid OPERATOR(pg_catalog.=) lmtext_internal.resolve_model(newest_version.name)
        AND c.relnamespace OPERATOR(pg_catalog.=) own.relnamespace
        AND m.name OPERATOR(pg_catalog.=) (SELECT n.name FROM lmtext.models n WHERE n.model OPERATOR(pg_catalog.=) own.oid)
$$;
COMMENT ON FUNCTION lmtext_internal.newest_version(text) IS 'the newest version of a model, whichever is deployed';

-- Whether a name means a version.
CREATE FUNCTION lmtext_internal.has_version(name text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
BEGIN
    PERFORM lmtext_internal.resolve_model(has_version.name);
    RETURN true;
EXCEPTION WHEN undefined_object THEN
    RETURN false;
END $$;
COMMENT ON FUNCTION lmtext_internal.has_version(text) IS 'whether there is a model of a name';

-- The options with their defaults; those that are wrong are refused.
CREATE FUNCTION lmtext_internal.harden_options(options jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    settings jsonb := '{"rounds": 3, "share": 0.3, "heads": 0, "neurons": 0, "train": {}, "prune": {}, "attack": {}, "keep": false}';
    wrong text;
BEGIN
    IF jsonb_typeof(options) <> 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'options must be a JSON object';
    END IF;
    SELECT o INTO wrong FROM jsonb_object_keys(options) o WHERE NOT settings ? o AND o <> ALL ('{target,test}'::text[]);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = format('unknown option "%s"', lmtext_internal.shown(wrong)),
            HINT = 'Available options: target, rounds, share, heads, neurons, train, prune, attack, test, keep.';
    END IF;
    settings := settings || jsonb_strip_nulls(options);
    wrong := CASE
        WHEN jsonb_typeof(settings -> 'target') IS DISTINCT FROM 'object' OR settings -> 'target' = '{}'
            OR EXISTS (SELECT FROM jsonb_each(settings -> 'target') t WHERE t.key <> ALL ('{accuracy,accuracy_under_attack,ratio}') OR jsonb_typeof(t.value) <> 'number')
            THEN 'option "target" must be an object of numbers with accuracy, accuracy_under_attack or ratio'
        WHEN jsonb_typeof(settings -> 'rounds') <> 'number' OR settings ->> 'rounds' !~ '^([1-9]|1[0-9]|20)$'
            THEN 'option "rounds" must be a whole number from 1 to 20'
        WHEN jsonb_typeof(settings -> 'keep') <> 'boolean' THEN 'option "keep" must be true or false'
        WHEN settings ? 'test' AND jsonb_typeof(settings -> 'test') <> 'string' THEN 'option "test" must be a query of text and label' END;
    wrong := coalesce(wrong, (SELECT format('option "%s" must be an object', k) FROM unnest('{train,prune,attack}'::text[]) k
                              WHERE jsonb_typeof(settings -> k) <> 'object' LIMIT 1),
        (SELECT format('option "%s" must be a number from 0 to 0.99', k) FROM unnest('{share,heads,neurons}'::text[]) k
         WHERE jsonb_typeof(settings -> k) <> 'number' OR (settings ->> k)::numeric NOT BETWEEN 0 AND 0.99 LIMIT 1),
        (SELECT format('option "%s" has no "%s"', k, m) FROM unnest('{train,prune}'::text[]) k, unnest('{base,method,task,share,heads,neurons}'::text[]) m
         WHERE (settings -> k) ? m LIMIT 1));
    IF wrong IS NULL AND settings @> '{"share": 0, "heads": 0, "neurons": 0}' THEN
        wrong := 'option "share", "heads" or "neurons" must be above 0';
    END IF;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = wrong;
    END IF;
    RETURN settings;
END $$;
COMMENT ON FUNCTION lmtext_internal.harden_options(jsonb) IS 'options of lmtext.harden, checked, with their defaults';

-- A round's row, of what lmtext.attack says of the version that came of it.
CREATE FUNCTION lmtext_internal.harden_row(round integer, version lmtext.models, zeros double precision, test text, settings jsonb) RETURNS jsonb
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 10000000 AS $$
    WITH a AS (SELECT pg_catalog.jsonb_object_agg(t.measure, t.value) AS found
               FROM lmtext.attack(pg_catalog.concat(harden_row.version.model), harden_row.test, pg_catalog.jsonb_object_field(harden_row.settings, 'attack')) t),
         figures AS (SELECT pg_catalog.jsonb_build_object('round', harden_row.round, 'version', harden_row.version.version, 'zeros', harden_row.zeros,
                         'accuracy', pg_catalog.jsonb_object_field(a.found, 'accuracy'),
                         'accuracy_under_attack', pg_catalog.jsonb_object_field(a.found, 'accuracy_under_attack'),
                         'bytes', harden_row.version.bytes,
                         'ratio', pg_catalog.jsonb_extract_path(harden_row.version.metrics, 'compression', 'ratio')) AS f FROM a)
    SELECT f OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('met', (
        SELECT pg_catalog.bool_and(CASE WHEN t.key OPERATOR(pg_catalog.=) 'ratio'
                   THEN pg_catalog.jsonb_object_field_text(f, t.key)::pg_catalog.float8 OPERATOR(pg_catalog.<=) t.value::pg_catalog.float8
                   ELSE pg_catalog.jsonb_object_field_text(f, t.key)::pg_catalog.float8 OPERATOR(pg_catalog.>=) t.value::pg_catalog.float8 END)
        FROM pg_catalog.jsonb_each(pg_catalog.jsonb_object_field(harden_row.settings, 'target')) t))
    FROM figures
$$;
COMMENT ON FUNCTION lmtext_internal.harden_row(integer, lmtext.models, double precision, text, jsonb) IS 'figures of a round of lmtext.harden, and whether they meet the target';

-- Versions of `new` are the rounds' results; what is between them is under a name of its own, and dropped at the end. Rows are in an ordinary
-- table of the caller's.
CREATE PROCEDURE lmtext.harden(new text, model text, query text, options jsonb DEFAULT '{}')
    LANGUAGE plpgsql AS $$
DECLARE
    settings pg_catalog.jsonb := lmtext_internal.harden_options(harden.options);
    test pg_catalog.text := coalesce(pg_catalog.jsonb_object_field_text(settings, 'test'), harden.query);
    rounds pg_catalog.int4 := pg_catalog.jsonb_object_field_text(settings, 'rounds')::pg_catalog.int4;
    work pg_catalog.text := pg_catalog.concat(harden.new, '_work');
    log pg_catalog.text;
    current pg_catalog.text := harden.model;
    taken pg_catalog.jsonb;
    found pg_catalog.jsonb;
BEGIN
    IF harden.new IS NULL OR harden.model IS NULL OR harden.query IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'arguments new, model and query of lmtext.harden must not be null';
    END IF;
    IF NOT pg_catalog.jsonb_object_field_text(settings, 'keep')::pg_catalog.bool AND lmtext_internal.has_version(work) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object', MESSAGE = pg_catalog.format('model "%s" already exists', work),
            HINT = 'The versions between rounds would be under this name and dropped at the end: drop it before, or set the option "keep".';
    END IF;
    IF pg_catalog.cardinality(lmtext_internal.query_columns('lmtext.harden', test)) OPERATOR(pg_catalog.<>) 2 THEN
        RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = 'the query of lmtext.harden must have two columns, text and label';
    END IF;
    SELECT pg_catalog.string_agg(pg_catalog.quote_ident(CASE WHEN p.n OPERATOR(pg_catalog.=) pg_catalog.cardinality(i.parts) THEN pg_catalog.concat(p.part, '_rounds') ELSE p.part END), '.' ORDER BY p.n)
    INTO log FROM (SELECT pg_catalog.parse_ident(harden.new) AS parts) i, pg_catalog.unnest(i.parts) WITH ORDINALITY p (part, n);
    EXECUTE pg_catalog.format('CREATE TABLE IF NOT EXISTS %s (round integer NOT NULL, version integer NOT NULL, accuracy double precision, accuracy_under_attack double precision, '
        'zeros double precision, bytes bigint, ratio double precision, met boolean, finished_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp())', log);
    FOR round IN 1 .. rounds LOOP
        CALL lmtext.train(work, harden.query, '{"adversarial": {"kind": "fgm"}}'::pg_catalog.jsonb OPERATOR(pg_catalog.||) pg_catalog.jsonb_object_field(settings, 'train')
            OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('method', 'finetune', 'base', current));
        current := lmtext_internal.newest_version(work);
        -- A little more is taken away in each round.
        SELECT pg_catalog.jsonb_object_agg(k, pg_catalog.float8div(pg_catalog.float8mul(pg_catalog.jsonb_object_field_text(settings, k)::pg_catalog.float8, round), rounds))
        INTO taken FROM pg_catalog.unnest('{share,heads}'::pg_catalog.text[]) k;
        -- Neurons are gone from one round to the next: of what is left another part.
        taken := taken OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object('neurons', pg_catalog.float8mi(1, pg_catalog.dpow(
            pg_catalog.float8mi(1, pg_catalog.jsonb_object_field_text(settings, 'neurons')::pg_catalog.float8), pg_catalog.float8div(1, rounds))));
        CALL lmtext.prune(work, current, harden.query, pg_catalog.jsonb_object_field(settings, 'prune') OPERATOR(pg_catalog.||) taken);
        current := lmtext_internal.newest_version(work);
        CALL lmtext.compress(harden.new, current);
        found := lmtext_internal.harden_row(round, lmtext_internal.version_of(lmtext_internal.newest_version(harden.new)),
            pg_catalog.jsonb_object_field_text((lmtext_internal.version_of(current)).metrics, 'zeros')::pg_catalog.float8, test, settings);
        EXECUTE pg_catalog.format('INSERT INTO %s (round, version, accuracy, accuracy_under_attack, zeros, bytes, ratio, met) '
            'SELECT r.* FROM pg_catalog.jsonb_to_record($1) r (round integer, version integer, accuracy double precision, accuracy_under_attack double precision, '
            'zeros double precision, bytes bigint, ratio double precision, met boolean)', log) USING found;
        EXIT WHEN pg_catalog.jsonb_object_field_text(found, 'met')::pg_catalog.bool;
    END LOOP;
    IF NOT pg_catalog.jsonb_object_field_text(found, 'met')::pg_catalog.bool THEN
        RAISE WARNING USING MESSAGE = pg_catalog.format('the target was not met in %s rounds', rounds), HINT = pg_catalog.format('See %s.', log);
    END IF;
    IF NOT pg_catalog.jsonb_object_field_text(settings, 'keep')::pg_catalog.bool THEN
        PERFORM lmtext.drop_model(work);
    END IF;
END $$;
COMMENT ON PROCEDURE lmtext.harden(text, text, text, jsonb) IS
    'make a classifier small and robust in rounds: train against noise, prune, quantise and code, attack, until a target is met; needs EXECUTE';
REVOKE ALL ON PROCEDURE lmtext.harden(text, text, text, jsonb) FROM PUBLIC;
